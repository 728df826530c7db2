"""Loss of a meter, a station, a grid signal and of the service itself: the fail-safe within the stated time (rule I.6).

Stations and the service are judged on what cars draw in a simulated site of one station per version; meters and grid
signals on what the controller orders, second by second.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loadmgr.control import grid_requests
from loadmgr.control.controller import Controller
from loadmgr.control.evse_state import Outcome
from loadmgr.control.state import FailsafeState, allowed_a
from loadmgr.domain import events as ev
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import EvseId, LimitId, StationId
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.doors import PipeDoor
from loadmgr.sim.scenario import Simulation, on_any_port, simulated
from loadmgr.sim.vehicle import Car
from loadmgr.wiring import build_manager, gateway_of
from tests.support.builders import NOON, a_site, a_state, connected, drawn, plugged, site_meter

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
FAILSAFE_A = 6.0
EXPIRED_S = 180.0 + 15.0
"""An order lives for 180 s; the car needs some seconds to follow (rules H.2, F-2)."""
BACK_S = 120.0
"""All layers are there again (rule I.7)."""
SITE = """
format = 1
[site]
id = "dark"
voltage_v = 230
[nodes.grid]
current_a = 100
meter = "grid-meter"
base_max_a = 20
[nodes.grid.load]
constant_kw = 5.5
[[station_groups]]
ids = ["d-1", "d-2", "d-3"]
node = "grid"
current_max_a = 32
failsafe_a = 6
password = "darkness-password-1"
[tariff]
currency = "EUR"
[[tariff.bands]]
from = "00:00"
import_per_kwh = 0.25
[ocpp]
listen = "127.0.0.1:0"
"""

# -- stations and the service ----------------------------------------------------------------------------------------------


def _settings(folder: Path) -> Settings:
    (folder / "dark.toml").write_text(SITE)
    loaded = on_any_port(Settings.load(folder / "dark.toml"), f"sqlite:///{folder / 'dark.db'}")
    params = replace(loaded.context.params, protect_s=2.0, plan_s=60.0, plan_life_s=180.0)
    return replace(loaded, context=replace(loaded.context, params=params))


Service = tuple[LoadManager, Gateway]


@asynccontextmanager
async def _service(settings: Settings, clock: LockStepClock) -> AsyncIterator[Service]:
    async with build_manager(settings, clock=clock) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        yield manager, gateway


def _draws_a(day: Simulation) -> dict[str, float]:
    """What each car draws."""
    return {s: t.outlet.current_a for s, t in day.twins.items()}


def _missing_layers(day: Simulation, since: datetime) -> list[str]:
    """Stations whose fail-safe (L1, L2) was not confirmed, or whose order (L3) not accepted, after ``since``."""
    state, found = day.manager.state, []
    for known in state.stations.values():
        order = state.evses[state.site.stations[known.id].evses[0]].last_order
        if known.failsafe is not FailsafeState.CONFIRMED or (known.failsafe_at or BEGIN) < since:
            found.append(f"{known.id} ({known.ocpp}): fail-safe {known.failsafe} at {known.failsafe_at}")
        if order is None or order.outcome is not Outcome.ACCEPTED or order.sent_at < since:
            found.append(f"{known.id} ({known.ocpp}): order {order}")
    return found


@asynccontextmanager
async def _busy(
    settings: Settings, clock: LockStepClock, service: Service, versions: tuple[str, ...] = ("1.6", "2.0.1", "2.1")
) -> AsyncIterator[Simulation]:
    """Three cars charge above the fail-safe."""
    async with simulated(settings, clock, service, versions=versions, socketless=True) as day:
        await day.run_to(BEGIN + timedelta(seconds=60))
        for place, twin in enumerate(day.twins.values()):
            car = Car(name=f"c{place}", wanted_kwh=40.0, battery_kwh=80.0, soc_frac=0.2, n_phases=3, max_a=32.0)
            twin.plug_in(car, f"tag-{place}")
        await day.run_to(BEGIN + timedelta(seconds=360))
        assert min(_draws_a(day).values()) > 2 * FAILSAFE_A
        assert _missing_layers(day, BEGIN) == []
        yield day


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
def test_i6_a_station_that_loses_its_link_is_at_its_fail_safe_when_its_order_ends_and_comes_back(
    tmp_path: Path, version: str
) -> None:
    """[I.6, A.15, A-131, A-133] At 6 A within 195 s, and with all its layers 120 s after its return."""

    async def run() -> None:
        settings, clock = _settings(tmp_path), LockStepClock(BEGIN)
        async with _service(settings, clock) as service, _busy(settings, clock, service, (version,)) as day:
            for twin in day.twins.values():
                await twin.go_offline()
            lost_at = clock.now()
            await day.run_to(lost_at + timedelta(seconds=60))
            assert min(_draws_a(day).values()) > FAILSAFE_A, "they fell before their orders ended: the test shows nothing"
            await day.run_to(lost_at + timedelta(seconds=EXPIRED_S))
            assert max(_draws_a(day).values()) <= FAILSAFE_A
            state = day.manager.state
            assert [allowed_a(state, e, clock.now()) for e in state.evses] == [FAILSAFE_A] * 3
            for twin in day.twins.values():
                twin.go_online()
            back_at = clock.now()
            await day.run_to(back_at + timedelta(seconds=BACK_S))
            assert _missing_layers(day, back_at) == []
            assert min(_draws_a(day).values()) > 2 * FAILSAFE_A
            assert day.world.judged() == ()

    asyncio.run(run())


def test_i6_without_the_service_every_car_is_at_its_fail_safe_and_a_restart_takes_all_of_them_up(tmp_path: Path) -> None:
    """[I.6, A.15, H-5, F01] It stops for seven minutes; what it knew comes back from its database."""

    async def run() -> None:
        settings, clock = _settings(tmp_path), LockStepClock(BEGIN)
        async with AsyncExitStack() as all_of_it:
            first = await all_of_it.enter_async_context(AsyncExitStack())
            service = await first.enter_async_context(_service(settings, clock))
            day = await all_of_it.enter_async_context(_busy(settings, clock, service))
            sessions = set(day.manager.state.sessions)
            await _stop(day, first)
            stopped_at = clock.now()
            await clock.advance_to(stopped_at + timedelta(seconds=EXPIRED_S), lambda: "")
            assert max(_draws_a(day).values()) <= FAILSAFE_A
            await clock.advance_to(stopped_at + timedelta(minutes=7), lambda: "")
            assert max(_draws_a(day).values()) <= FAILSAFE_A
            again = await all_of_it.enter_async_context(_service(settings, clock))
            back_at = clock.now()
            assert set(again[0].state.sessions) == sessions
            assert [allowed_a(again[0].state, e, back_at) for e in again[0].state.evses] == [FAILSAFE_A] * 3
            _take_over(day, again)
            await day.run_to(back_at + timedelta(seconds=BACK_S))
            assert _missing_layers(day, back_at) == []
            assert set(day.manager.state.sessions) == sessions
            assert min(_draws_a(day).values()) > 2 * FAILSAFE_A
            assert day.world.judged() == ()

    asyncio.run(run())


async def _stop(day: Simulation, service: AsyncExitStack) -> None:
    """End the service; links break and meters speak to nobody."""
    day.world.meter_is_silent = True
    for twin in day.twins.values():
        await twin.go_offline()
    await service.aclose()


def _take_over(day: Simulation, service: Service) -> None:
    """The stations and the meter find the new service."""
    day.manager, day.gateway = service
    day.world.take = day.manager.take
    day.world.meter_is_silent = False
    for twin in day.twins.values():
        twin.uplink.door = PipeDoor(attach=day.gateway.attach)
        twin.go_online()


# -- meters and grid signals -----------------------------------------------------------------------------------------------


@dataclass
class Walk:
    """A controller that ticks every second; cars obey at once, and the meter says what they and the building draw."""

    controller: Controller
    base_a: float = 10.0
    is_metered: bool = True
    second: int = 0
    rises: list[tuple[int, EvseId]] = field(default_factory=list)

    @property
    def now(self) -> datetime:
        """The present moment."""
        return NOON + timedelta(seconds=self.second)

    def orders_a(self) -> dict[EvseId, float]:
        """What each EVSE may draw."""
        state = self.controller.state
        return {e: allowed_a(state, e, self.now) for e in state.evses if state.evses[e].session is not None}

    @property
    def total_a(self) -> float:
        """What all cars together may draw, A per phase."""
        return sum(self.orders_a().values())

    def to(self, second: int) -> Iterator[int]:
        """Tick up to a second, this one included."""
        while self.second < second:
            self.second += 1
            before = self.orders_a()
            decision = self.controller.protect(self.now)
            self.controller.observe(decision.events)
            for event in decision.events:
                if isinstance(event, ev.SetpointSent):
                    told = ev.SetpointAnswered(at=self.now, no=event.setpoint.no, evse=event.setpoint.evse, accepted=True)
                    self.controller.observe([told])
                    if event.setpoint.current_a > before[event.setpoint.evse] + 0.1:
                        self.rises.append((self.second, event.setpoint.evse))
            self._measure()
            yield self.second

    def _measure(self) -> None:
        drawn_a = 0.0
        for place, order in enumerate(self.controller.state.evses.values(), start=1):
            value = order.last_order.setpoint.current_a if order.last_order is not None else 0.0
            drawn_a += value
            self.controller.observe([drawn(place, self.now, (value, value, value))])
        if self.is_metered:
            total_a = drawn_a + self.base_a
            self.controller.observe([site_meter(self.now, (total_a, total_a, total_a))])


def a_walk(*, fuse_a: float = 63.0, base_max_a: float = 40.0, failsafe_a: float = 6.0) -> Walk:
    """Two cars that charge, walked until they have what they can get."""
    site = a_site(fuse_a=fuse_a, n=2, meter="m", base_max_a=base_max_a, failsafe_a=failsafe_a)
    events = [*connected(site, failsafe_a=failsafe_a), site_meter(NOON, (10.0, 10.0, 10.0))]
    state = a_state(site, *events, *plugged(1, energy_kwh=80.0), *plugged(2, energy_kwh=80.0))
    walk = Walk(Controller(state.context, state))
    assert [*walk.to(180)][-1] == 180
    return walk


def test_i6_a_silent_grid_meter_stops_rises_in_15_s_and_counts_the_worst_after_a_minute() -> None:
    """[I.6, H-2, C-30, D01] Beyond what the site file says of the building there is nothing left but the fail-safe."""
    walk = a_walk()
    margin_a = max(1.0, 0.05 * 63.0)
    assert walk.total_a == pytest.approx(63.0 - margin_a - 10.0, abs=2.0)
    walk.is_metered, silent_s = False, walk.second
    walk.controller.observe([ev.SessionEnded(at=walk.now, session=walk.controller.state.evses[EvseId("S2/1")].session)])  # type: ignore[arg-type]
    walk.controller.observe([ev.EvseStatusChanged(at=walk.now, evse=EvseId("S2/1"), status=ev.EvseStatus.AVAILABLE)])
    for second in walk.to(silent_s + 300):
        if second > silent_s + 85:  # a minute, and the time in which a car follows [F-2]
            assert walk.total_a <= 63.0 - margin_a - 40.0 + 1e-6
    assert [second for second, _ in walk.rises if second > silent_s + 15] == []


def test_i6_a_silent_grid_meter_leaves_the_fail_safe_where_the_building_could_take_the_rest() -> None:
    """[I.6, H-2, F-43] 63 A less the margin less 47.8 A leaves 6 A for each of two and no more."""
    walk = a_walk(base_max_a=47.8)
    assert min(walk.orders_a().values()) > 2 * FAILSAFE_A
    walk.is_metered, silent_s = False, walk.second
    for second in walk.to(silent_s + 300):
        if second > silent_s + 85:
            assert set(walk.orders_a().values()) <= {0.0, FAILSAFE_A}
    walk.is_metered = True
    assert [*walk.to(walk.second + 240)]
    assert min(walk.orders_a().values()) > 2 * FAILSAFE_A, "it does not come back with the meter"


def _asked(walk: Walk, wish: GridRequest) -> None:
    """The limits of a grid request take effect."""
    for limit in grid_requests.respond(walk.controller.state, wish, walk.now).limits:
        walk.controller.observe([ev.LimitSet(at=walk.now, limit=limit)])


def an_import(kw: float, **given: Any) -> GridRequest:
    """A grid operator bounds the import of the site."""
    return GridRequest(id="dso", kind=GridRequestKind.IMPORT, source="grid operator", value=kw, **given)


CUT_KW, CUT_A = 20.0, 20.0 / 0.69
"""A limit of the import, and the same in A per phase."""


def test_i6_a_grid_limit_that_nobody_renews_holds_to_its_end_and_not_beyond_and_relaxes_to_the_fuse_only() -> None:
    """[I.6, F-61] Its channel may be dead: to the last second the limit binds; then the site's own holds again."""
    walk = a_walk()
    asked_s, most_a = walk.second, walk.total_a
    _asked(walk, an_import(CUT_KW, until_at=walk.now + timedelta(seconds=900)))
    for second in walk.to(asked_s + 899):
        if second > asked_s + 25:
            assert walk.total_a + walk.base_a <= CUT_A + 1e-6
    assert min(walk.orders_a().values(), default=0.0) >= 0.0
    for _ in walk.to(asked_s + 1200):
        assert walk.total_a + walk.base_a <= 63.0
    assert walk.total_a == pytest.approx(most_a, abs=1.0)


def test_i6_a_grid_limit_that_is_renewed_holds_without_a_gap() -> None:
    """[I.6, F-61] The same request again, with a later end, before the first one is over."""
    walk = a_walk()
    asked_s = walk.second
    for _ in range(4):
        _asked(walk, an_import(CUT_KW, until_at=walk.now + timedelta(seconds=300)))
        for second in walk.to(walk.second + 290):
            if second > asked_s + 25:
                assert walk.total_a + walk.base_a <= CUT_A + 1e-6
    assert LimitId("grid-dso") in walk.controller.state.limits


def test_i6_a_grid_limit_that_was_told_ahead_begins_on_time_without_another_word() -> None:
    """[I.6, F-60] From its first moment on, within the time of a reduction [F-2]."""
    walk = a_walk()
    begin_s, most_a = walk.second + 600, walk.total_a
    begin = NOON + timedelta(seconds=begin_s)
    _asked(walk, an_import(CUT_KW, from_at=begin, until_at=begin + timedelta(seconds=300)))
    for second in walk.to(begin_s + 299):
        if second == begin_s - 30:
            assert walk.total_a == pytest.approx(most_a, abs=1.0), "it binds before its begin"
        if second > begin_s + 25:
            assert walk.total_a + walk.base_a <= CUT_A + 1e-6


def test_i6_a_grid_limit_without_an_end_holds_until_it_is_withdrawn() -> None:
    """[I.6, F-61] However long its channel is silent; here four hours."""
    walk = a_walk()
    asked_s = walk.second
    _asked(walk, an_import(CUT_KW))
    for second in walk.to(asked_s + 300):
        assert second <= asked_s + 25 or walk.total_a + walk.base_a <= CUT_A + 1e-6
    walk.second += 4 * 3600
    walk._measure()
    for _ in walk.to(walk.second + 120):
        assert walk.total_a + walk.base_a <= CUT_A + 1e-6
    walk.controller.observe([ev.LimitWithdrawn(at=walk.now, limit=LimitId("grid-dso"))])
    assert [*walk.to(walk.second + 300)]
    assert walk.total_a + walk.base_a > CUT_A + 5.0


def test_i6_a_silent_evse_meter_counts_as_the_order_and_never_less() -> None:
    """[I.6, C-11, H-1] Its last small reading is not believed: no neighbour gets what it may draw."""
    walk = a_walk()
    quiet = EvseId("S1/1")
    order_a = walk.orders_a()[quiet]
    walk.controller.observe([drawn(1, walk.now, (0.0, 0.0, 0.0))])
    for _ in range(120):
        walk.second += 1
        decision = walk.controller.protect(walk.now)
        walk.controller.observe(decision.events)
        total_a = walk.orders_a()[EvseId("S2/1")] + walk.base_a
        walk.controller.observe([drawn(2, walk.now, (total_a - walk.base_a,) * 3)])
        walk.controller.observe([site_meter(walk.now, (total_a, total_a, total_a))])
        if walk.second > 180 + 35:
            assert allowed_a(walk.controller.state, quiet, walk.now) <= order_a + 1e-6
            assert walk.total_a + walk.base_a <= 63.0
    assert StationId("S1") in walk.controller.state.stations
