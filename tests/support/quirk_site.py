"""A small site for quirks: one odd charger and three healthy ones behind a fuse that is too small for all of them.

In 25 minutes the limit is halved twice, two cars come to the odd charger, it loses its link once during a session and
once between two, and it reboots before the start of its second session was told.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from loadmgr.domain.ids import LimitId, NodeId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.session import Session
from loadmgr.settings import Settings
from loadmgr.sim.arrivals import Arrival
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.quirks import switch_on
from loadmgr.sim.scenario import Simulation, dialect_of, on_any_port, simulated
from loadmgr.sim.station import Twin
from loadmgr.sim.vehicle import Car
from loadmgr.wiring import build_manager, gateway_of
from tests.support.reaction import Overload, overloads

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
ODD = StationId("q-1")
ODD_TAGS = ("odd-1", "odd-2", "house")
"""Id tags of the sessions at the odd charger."""
HEALTHY = ("1.6", "2.0.1", "2.1")
COARSE: Mapping[str, Any] = {
    "protect_s": 2.0,
    "plan_s": 60.0,
    "plan_life_s": 180.0,
    "sample_interval_s": 15.0,
    "min_on_s": 120.0,
    "min_off_s": 120.0,
    "horizon": ((5, 60.0), (5, 300.0), (4, 1800.0)),
}
"""Control periods that more than a hundred scenarios can afford, and pauses short enough to be seen."""

CUTS = ((6.0, 8.5), (17.0, 20.0))
"""Minutes in which the limit is halved."""
LOST = ((4.0, 5.0), (10.5, 13.5))
"""Minutes without the link of the odd charger."""
REBOOT = 12.0
"""Minute of its reboot: its second car came a minute before."""
STAYS = {"odd-1": (2.2, 10.0), "odd-2": (11.0, 24.0), "q-2": (1.5, 24.0), "q-3": (1.7, 24.0), "q-4": (1.9, 24.0)}
"""Minutes of arrival and departure of the cars. The driver of ``odd-1`` says nothing, so that it is the one to pause."""
END = 25.0
WORN = 395
"""Profiles that a charger with a wearing memory has taken before [G-30]."""

HALF_A = 31.5
"""The lowered limit."""
LEAST_A = 42.0
"""The same where the odd charger is bound by nobody: its 32 A and what the house draws, with the margin."""
UNBOUND = frozenset({"rejects-profiles", "never-answers"})
"""With these the odd charger gives a car what it likes; a limit below that cannot be kept by anybody."""

SITE = """
format = 1
[site]
id = "quirks"
name = "One odd charger"
timezone = "Europe/Berlin"
voltage_v = 230
[nodes.grid]
current_a = 63
source = "main fuse"
meter = "grid-meter"
base_max_a = 20
[nodes.grid.load]
constant_kw = 5.5
[[station_groups]]
ids = ["q-1"]
node = "grid"
phases = 3
current_max_a = 32
{operator}
password = "quirky-password-1"
[[station_groups]]
ids = ["q-2", "q-3", "q-4"]
node = "grid"
phases = 3
current_max_a = 32
failsafe_a = 6
password = "quirky-password-2"
[tariff]
currency = "EUR"
[[tariff.bands]]
from = "00:00"
import_per_kwh = 0.25
[ocpp]
listen = "127.0.0.1:9000"
"""

FAILSAFE = "failsafe_a = 6"
OPERATOR: Mapping[str, str] = MappingProxyType(
    {
        "no-subprotocol": f"{FAILSAFE}\nassume_ocpp16 = true",
        "other-case": f'{FAILSAFE}\naliases = {{ "q-1" = ["Q-1"] }}',
        "needs-remote-start": f'{FAILSAFE}\ntraits = {{ needs_remote_start = true, start_tag = "house" }}',
        "settings-need-reboot": f"{FAILSAFE}\ntraits = {{ may_reset = true }}",
        "car-starts-at-ten": "failsafe_a = 10\ncurrent_min_a = 10",
    }
)
"""What the operator says in the site file of a charger that needs it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a run showed. Energies by id tag; ``truth_wh`` has one number per transaction that the twins finished."""

    overloads: tuple[Overload, ...]
    failures: tuple[int, int]
    alarms: tuple[str, ...]
    truth_wh: Mapping[str, tuple[int, ...]]
    stored: tuple[Session, ...]
    odd_wh: tuple[float, float]
    """What the two cars at the odd charger got."""
    least_healthy_wh: float
    """What the car got that got least of those at healthy chargers."""
    n_links: int
    twin_errors: tuple[str, ...]

    @property
    def wrong(self) -> tuple[str, ...]:
        """Transactions that are not recorded exactly once with their energy, within 1 Wh."""
        found = []
        for tag, truth in self.truth_wh.items():
            stored = sorted(round(s.energy_kwh * 1000.0) for s in self.stored if s.id_tag == tag)
            pairs = zip(stored, sorted(truth), strict=False)
            if len(stored) != len(truth) or any(abs(a - b) > 1 for a, b in pairs):
                found.append(f"{tag}: drew {sorted(truth)} Wh, recorded {stored} Wh")
        n_more = len(self.stored) - sum(len(t) for t in self.truth_wh.values())
        if n_more > 0 and not found:
            found.append(f"{n_more} sessions too many: {[(s.id_tag, s.evse) for s in self.stored]}")
        return tuple(found)


def at_minute(value: float) -> datetime:
    """So many minutes after the begin."""
    return BEGIN + timedelta(minutes=value)


def quirk_site(folder: Path, quirk: str) -> Settings:
    """The site with coarse control periods and what the operator says of the odd charger."""
    path = folder / "quirks.toml"
    path.write_text(SITE.format(operator=OPERATOR.get(quirk, FAILSAFE)), encoding="utf-8")
    loaded = on_any_port(Settings.load(path), f"sqlite:///{folder / 'quirks.db'}")
    return replace(loaded, context=replace(loaded.context, params=replace(loaded.context.params, **COARSE)))


def cuts(node: NodeId, quirk: str) -> tuple[Limit, ...]:
    """The lowered limits at the connection."""
    return tuple(
        Limit(
            id=LimitId(f"cut-{place}"),
            node=node,
            source="grid-operator",
            current_a=LEAST_A if quirk in UNBOUND else HALF_A,
            from_at=at_minute(begin),
            until_at=at_minute(end),
        )
        for place, (begin, end) in enumerate(CUTS)
    )


def cars() -> tuple[Arrival, ...]:
    """Three-phase cars that want more than they can get; the drivers of the healthy ones say when they leave."""
    found = []
    for name, (begin, end) in STAYS.items():
        station = ODD if name.startswith("odd") else StationId(name)
        car = Car(name=name, wanted_kwh=40.0, battery_kwh=80.0, soc_frac=0.3, n_phases=3, max_a=32.0)
        until = at_minute(end)
        found.append(
            Arrival(
                name=name,
                station=station,
                at=at_minute(begin),
                until=until,
                car=car,
                said_kwh=None if name == "odd-1" else 20.0,
                said_until=None if name == "odd-1" else until + timedelta(hours=1),
            )
        )
    return tuple(found)


def afflict(quirk: str, twins: Mapping[StationId, Twin]) -> None:
    """Switch the quirk on in the odd charger, none for ""."""
    twin = twins[ODD]
    if quirk:
        switch_on(twin.faults, quirk)
    if twin.faults.memory_writes:
        twin.desk.n_writes = WORN
    if twin.faults.other_version_next:
        twin.other_dialect = dialect_of(0, ("2.0.1" if twin.dialect.version == "1.6" else "1.6",))


async def _live(day: Simulation, quirk: str) -> None:
    """What happens to the odd charger, and the cuts of the limit, in order."""
    twin, root = day.twins[ODD], day.settings.context.site.root
    steps = [(begin, partial(day.set_limit, cut)) for (begin, _), cut in zip(CUTS, cuts(root, quirk), strict=True)]
    for begin, end in LOST:
        steps.append((begin, twin.go_offline))
        steps.append((end, partial(_come_back, twin)))
    steps.append((REBOOT, twin.reboot))
    for at, step in sorted(steps, key=lambda s: s[0]):
        await day.run_to(at_minute(at))
        await step()
    await day.run_to(at_minute(END))


async def _come_back(twin: Twin) -> None:
    twin.go_online()


async def _run(folder: Path, quirk: str, version: str, *, socketless: bool) -> Outcome:
    settings, clock = quirk_site(folder, quirk), LockStepClock(BEGIN)
    async with build_manager(settings, clock=clock) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        async with simulated(
            settings,
            clock,
            (manager, gateway),
            cars(),
            versions=(version, *HEALTHY),
            socketless=socketless,
            prepare=partial(afflict, quirk),
        ) as day:
            await _live(day, quirk)
            return await _outcome(day, quirk)


async def _outcome(day: Simulation, quirk: str) -> Outcome:
    stats, site, odd = day.manager.stats, day.settings.context.site, day.twins[ODD]
    truth: dict[str, tuple[int, ...]] = {}
    for twin in day.twins.values():
        for done in twin.finished:
            truth[done.id_tag] = (*truth.get(done.id_tag, ()), done.energy_wh)
    return Outcome(
        overloads=tuple(overloads(site, day.world.moments, cuts(site.root, quirk))),
        failures=(stats.protect_failures, stats.plan_failures),
        alarms=tuple(sorted(day.manager.state.alarms)),
        truth_wh=truth,
        stored=await day.service_sessions(),
        odd_wh=_by_car_wh(odd),
        least_healthy_wh=min(twin.outlet.energy_wh for twin in day.twins.values() if twin is not odd),
        n_links=odd.uplink.n_links,
        twin_errors=tuple(odd.errors),
    )


def _by_car_wh(twin: Twin) -> tuple[float, float]:
    """Energy of the finished transactions of the first car and of the second."""
    second = [t.began_at >= at_minute(LOST[1][0]) for t in twin.finished]
    pairs = list(zip(twin.finished, second, strict=True))
    return float(sum(t.energy_wh for t, is_2 in pairs if not is_2)), float(sum(t.energy_wh for t, is_2 in pairs if is_2))


def run(folder: Path, quirk: str, version: str, *, socketless: bool = True) -> Outcome:
    """A run with one quirk ("" for none) in a charger of one version."""
    return asyncio.run(_run(folder, quirk, version, socketless=socketless))
