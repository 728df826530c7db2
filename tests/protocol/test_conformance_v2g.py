"""Delivery by cars (rule I.12): setpoints within what car and EVSE can, dynamic profiles that run out, what holds without a
link, and DER controls over their whole time; with simulated 2.1 stations written from the standard.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.control import v2x
from loadmgr.control.controller import Controller
from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import EvseId, SessionId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Kind, ProfileForm, RateUnit
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.schemas import breach
from loadmgr.ocpp.versions import TRANSLATIONS
from loadmgr.settings import Settings
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.scenario import on_any_port, simulated
from loadmgr.sim.twin21 import Extension21
from loadmgr.sim.vehicle import Car
from loadmgr.wiring import build_manager, gateway_of
from tests.support.builders import NOON, a_state, drawn, site_meter
from tests.support.conformance import EVSE, ST, TRAITS, Json, Pair, a_failsafe, accepted, an_order, with_pair
from tests.support.v2x import TRAITS as ABLE
from tests.support.v2x import a_bidirectional_car, a_plan, a_v2x_site, der, linked

CAR = Car(
    name="v", wanted_kwh=10.0, battery_kwh=60.0, soc_frac=0.6, n_phases=3, max_a=16.0, max_discharge_kw=10.0
)  # fmt: skip
CAPS = {"current_max_a": 16.0, "discharge_max_kw": 11.0}
DYNAMIC = ProfileForm(unit="W", kind=Kind.DYNAMIC)
FAILSAFE_KW = 6.0 * 0.69

# -- clipping --------------------------------------------------------------------------------------------------------------


def _sent(plan_kw: float, *events: ev.Event, car_kw: float = 11.0) -> Setpoint:
    """The first order to one car, EVSE of 16 A and 11 kW both ways, under a plan of this power."""
    site = a_v2x_site(n=1, fuse_a=200.0)
    state = a_state(site, *linked(site), *a_bidirectional_car(1))
    told = ev.NeedsStated(at=NOON, session=SessionId("s1"), transfer="AC_BPT", soc_frac=0.8, discharge_max_kw=car_kw)
    controller = Controller(state.context, state)
    metered = [drawn(1, NOON, (0.0, 0.0, 0.0)), site_meter(NOON + timedelta(seconds=30), (60.0, 60.0, 60.0))]
    controller.observe([told, *metered, *events, a_plan({1: plan_kw}, NOON + timedelta(seconds=30))])
    decision = controller.protect(NOON + timedelta(seconds=31))
    (found,) = [e.setpoint for e in decision.events if isinstance(e, ev.SetpointSent)]
    return found


@pytest.mark.parametrize(
    ("plan_kw", "car_kw", "events", "most_kw"),
    [
        (-20.0, 30.0, (), 11.0),
        (-20.0, 7.0, (), 7.0),
        (-20.0, 7.0, (der("S1", 40.0),), 4.4),
        (-20.0, 3.0, (der("S1", 40.0),), 3.0),
        (-5.0, 7.0, (), 5.0),
    ],
    ids=["by the EVSE", "by the car", "by the DER control", "by the car below the DER control", "by nothing"],
)
def test_i12_a_delivery_is_clipped_to_what_evse_car_and_der_control_allow(
    plan_kw: float, car_kw: float, events: tuple[ev.Event, ...], most_kw: float
) -> None:
    """[I.12, A-100, A-101, B-4] Whatever the plan wants; and so it is on the wire."""
    setpoint = _sent(plan_kw, *events, car_kw=car_kw)
    assert setpoint.power_kw == pytest.approx(-most_kw)
    period = _period(setpoint)
    assert period["setpoint"] == pytest.approx(-most_kw * 1000.0, abs=1.0)
    assert {"limit", "dischargeLimit"}.isdisjoint(period)


def test_i12_a_charge_is_clipped_to_the_current_of_the_evse() -> None:
    """[I.12, A-100] 16 A on three phases are 11.04 kW."""
    setpoint = _sent(40.0)
    assert setpoint.current_a <= 16.0
    period = _period(setpoint)
    value = period.get("setpoint", period.get("limit"))
    assert value in (16.0, 11_040.0)


def _period(setpoint: Setpoint) -> Json:
    command = cmd.SendSetpoint(no=1, station=StationId("S1"), setpoint=setpoint)
    ((action, payload),) = TRANSLATIONS["2.1"](command, ABLE)
    assert breach("2.1", action, payload, is_request=True) is None
    found: Json = payload["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]
    return found


@settings(max_examples=300, deadline=None)
@given(
    power_kw=st.floats(-60.0, 60.0),
    current_a=st.one_of(st.just(0.0), st.floats(6.0, 80.0)),
    n_phases=st.integers(0, 3),
    unit=st.sampled_from(["A", "W"]),
    kind=st.sampled_from([Kind.DYNAMIC, Kind.ABSOLUTE]),
)
def test_i12_no_setpoint_on_the_wire_is_beyond_the_order_in_either_direction(
    power_kw: float, current_a: float, n_phases: int, unit: RateUnit, kind: Kind
) -> None:
    """[I.12, A-75, A-100] Rounded towards zero, and charging never above the current of the order."""
    form = ProfileForm(unit=unit, kind=kind)
    order = replace(_sent(-5.0), power_kw=power_kw, current_a=current_a, n_phases=n_phases, form=form)
    value = _period(order)["setpoint"]
    phases = n_phases or 3
    one_kw = 1000.0 if unit == "W" or n_phases == 0 else 1000.0 / (230.0 * phases)
    assert value * power_kw >= 0.0
    assert abs(value) <= abs(power_kw) * one_kw + 1e-6
    assert value <= current_a * 0.23 * phases * one_kw + 1e-6
    assert abs(value) >= min(abs(power_kw), current_a * 0.23 * phases if power_kw > 0 else 1e9) * one_kw - 1.0


# -- dynamic profiles that run out, and life without a link ------------------------------------------------------------


async def _deliver(pair: Pair, power_kw: float = -5.0) -> str:
    """A car with its fail-safe and a dynamic profile that makes it deliver; returns the transaction."""
    assert accepted(await pair.send(a_failsafe(pair)))
    pair.bench.twin.faults.needs_transfer_allowed = False
    transaction = await pair.plug_in(CAR)
    assert accepted(await pair.send(an_order(pair, 16.0, transaction, form=DYNAMIC, power_kw=power_kw)))
    return transaction


def _expected_w(pair: Pair) -> float | None:
    """The setpoint that the service expects now; ``None``: none, a limit holds."""
    found = pair.mirror.expected(1, pair.bench.clock.now(), 1, "W").periods[0]
    return found.setpoint


def test_i12_a_dynamic_profile_without_updates_falls_to_the_lower_layer_and_an_update_revives_it() -> None:
    """[I.12, A.12, A-112, K28] Its 180 s count from the last update; on both sides."""

    async def play(pair: Pair) -> None:
        transaction = await _deliver(pair)
        outlet = pair.bench.twin.outlet
        await pair.bench.run(150)
        update = an_order(pair, 16.0, transaction, form=DYNAMIC, power_kw=-3.0, is_update=True)
        assert accepted(await pair.send(update))
        await pair.bench.run(170)
        assert (outlet.power_kw, _expected_w(pair)) == (pytest.approx(-3.0), -3000.0)
        await pair.bench.run(20)  # 190 s after the update
        assert 0.0 <= outlet.power_kw <= FAILSAFE_KW
        assert (_expected_w(pair), pair.expected_a) == (None, 6.0)
        await pair.bench.run(3600)
        assert 0.0 <= outlet.power_kw <= FAILSAFE_KW
        revived = an_order(pair, 16.0, transaction, form=DYNAMIC, power_kw=-4.0, is_update=True)
        assert accepted(await pair.send(revived))
        await pair.bench.run(20)
        assert (outlet.power_kw, _expected_w(pair)) == (pytest.approx(-4.0), -4000.0)

    with_pair("2.1", play, **CAPS)


def test_i12_without_a_link_delivery_ends_with_its_profile_and_the_fail_safe_never_delivers() -> None:
    """[I.12, A-104, Q11] What lies below is a limit: no setpoint, no other mode, no end."""

    async def play(pair: Pair) -> None:
        await _deliver(pair)
        outlet = pair.bench.twin.outlet
        await pair.bench.run(30)
        assert outlet.power_kw == pytest.approx(-5.0)
        await pair.bench.twin.go_offline()
        pair.mirror.went_offline(pair.bench.clock.now())
        await pair.bench.run(130)
        assert (outlet.power_kw, _expected_w(pair)) == (pytest.approx(-5.0), -5000.0)
        await pair.bench.run(60)
        for _ in range(10):
            assert 0.0 <= outlet.power_kw <= FAILSAFE_KW
            assert (_expected_w(pair), pair.expected_a) == (None, 6.0)
            await pair.bench.run(600)
        layers = [p for p in pair.bench.twin.profiles.found if p.evse == 0]
        assert {p.duration_s for p in layers} == {None}
        assert {(x.mode, x.setpoint) for p in layers for x in p.periods} == {("ChargingOnly", None)}

    with_pair("2.1", play, **CAPS)


@pytest.mark.parametrize("is_void", [False, True])
def test_i12_a_profile_that_may_not_outlive_the_link_ends_offline_and_comes_back_as_it_says(is_void: bool) -> None:
    """[I.12, A-104, Q11, Q12] ``maxOfflineDuration`` of a minute, with and without ``invalidAfterOfflineDuration``."""

    async def play(pair: Pair) -> None:
        transaction = await _deliver(pair)
        order = an_order(pair, 16.0, transaction, form=DYNAMIC, power_kw=-5.0)
        ((action, payload),) = TRANSLATIONS["2.1"](order, TRAITS)
        profile = {**payload["chargingProfile"], "maxOfflineDuration": 60, "invalidAfterOfflineDuration": is_void}
        profile["chargingSchedule"] = [{**profile["chargingSchedule"][0], "duration": 7200}]
        assert (await pair.call(action, {**payload, "chargingProfile": profile}))["status"] == "Accepted"
        twin = pair.bench.twin
        await pair.bench.run(20)
        await twin.go_offline()
        pair.mirror.went_offline(pair.bench.clock.now())
        await pair.bench.run(50)
        assert (twin.outlet.power_kw, _expected_w(pair)) == (pytest.approx(-5.0), -5000.0)
        await pair.bench.run(25)
        assert 0.0 <= twin.outlet.power_kw <= FAILSAFE_KW
        assert _expected_w(pair) is None
        twin.go_online()
        await pair.bench.run(30)
        pair.mirror.came_back(pair.bench.clock.now())
        assert _expected_w(pair) == (None if is_void else -5000.0)
        assert twin.outlet.power_kw == (pytest.approx(FAILSAFE_KW, abs=0.1) if is_void else pytest.approx(-5.0))

    with_pair("2.1", play, **CAPS)


@pytest.mark.parametrize("version", ["1.6", "2.0.1"])
def test_i12_before_2_1_no_delivery_can_be_asked_for(version: str) -> None:
    """[I.12, A-101] It is refused here, not rounded to something else."""
    setpoint = replace(_sent(-5.0), evse=EVSE)
    with pytest.raises(ProtocolError, match="delivery can be asked for"):
        TRANSLATIONS[version](cmd.SendSetpoint(no=1, station=ST, setpoint=setpoint), TRAITS)


# -- DER controls over their time --------------------------------------------------------------------------------------

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
RATED_KW = 10.0
SITE = """
format = 1
[site]
id = "der"
voltage_v = 230
[nodes.grid]
current_a = 63
meter = "grid-meter"
base_max_a = 20
[nodes.grid.load]
constant_kw = 5.5
[[station_groups]]
ids = ["r-1"]
node = "grid"
current_max_a = 16
discharge_max_kw = 10
failsafe_a = 6
password = "derivative-password-1"
[tariff]
currency = "EUR"
[[tariff.bands]]
from = "00:00"
import_per_kwh = 0.25
[ocpp]
listen = "127.0.0.1:0"
"""
STATION, AT = StationId("r-1"), EvseId("r-1/1")


def _most(name: str, percent: float, priority: int, begin_s: int | None = None, length_s: float | None = None) -> DerControl:
    return DerControl(
        id=name,
        control_type=v2x.LIMIT_DISCHARGE,
        is_default=begin_s is None,
        priority=priority,
        from_at=None if begin_s is None else BEGIN + timedelta(seconds=begin_s),
        duration_s=length_s,
        values=((v2x.PERCENT, percent),),
    )


ASKED: dict[int, tuple[DerControl, ...]] = {
    120: (_most("default", 80.0, 9), _most("worse", 60.0, 5, 300, 1200.0)),
    400: (_most("better", 20.0, 1, 600, 300.0),),
    650: (_most("loser", 50.0, 9, 700, 100.0),),
    1600: (_most("first", 10.0, 4, 2000, 300.0), _most("rival", 40.0, 2, 2100, 100.0)),
}
"""Second → controls that are asked for then."""
HOLDS = (
    (150, 8.0),
    (310, 6.0),
    (590, 6.0),
    (610, 2.0),
    (750, 2.0),
    (890, 2.0),
    (1510, 8.0),
    (2010, 8.0),
    (2110, 4.0),
    (2310, 8.0),
)
"""(second, kW that may be delivered then).

The running "worse" goes on until "better" starts at 600, is superseded then and stays so to its end at 1500; "loser" never
holds; "first" waits when "rival" comes, so it is superseded at once although it would start earlier [B-2].
"""


def test_i12_der_controls_supersede_each_other_over_their_time_on_both_sides(tmp_path: Path) -> None:
    """[I.12, B-1, B-2, B-3, R04, R05] Station and service agree at every moment that the standard decides."""

    async def run() -> None:
        (tmp_path / "der.toml").write_text(SITE)
        site = on_any_port(Settings.load(tmp_path / "der.toml"), f"sqlite:///{tmp_path / 'der.db'}")
        clock = LockStepClock(BEGIN)
        async with build_manager(site, clock=clock) as manager, gateway_of(manager) as gateway:
            assert gateway is not None
            around: Any = simulated(site, clock, (manager, gateway), versions=("2.1",), socketless=True)
            async with around as day:
                twin = day.twins[STATION]
                more: Extension21 = twin.extension
                marks = sorted({*ASKED, *(second for second, _ in HOLDS)})
                wanted = dict(HOLDS)
                for second in marks:
                    await day.run_to(BEGIN + timedelta(seconds=second))
                    for control in ASKED.get(second, ()):
                        gateway.send(gateway.numbered(cmd.SetDer(no=0, station=STATION, control=control)))
                        gateway.send(gateway.numbered(cmd.ReadDer(no=0, station=STATION)))
                        await day.run_to(clock.now() + timedelta(seconds=1))
                    if second in wanted:
                        known_kw = v2x.der_bound_kw(manager.state, STATION, clock.now())
                        assert (second, more.der.discharge_frac() * RATED_KW, known_kw) == (
                            second,
                            pytest.approx(wanted[second]),
                            pytest.approx(wanted[second]),
                        )
                known = manager.state.chargers.der.values()
                active = {k.control.id for k in known if v2x.is_active(k, clock.now())}
                assert active == set(more.der.controls) == {"default"}
                assert twin.errors == []

    asyncio.run(run())


def test_i12_while_an_alarm_of_a_function_lasts_nothing_is_delivered() -> None:
    """[I.12, B-5]"""
    site = a_v2x_site(n=1)
    tripped = ev.DerAlarm(at=NOON, station=StationId("S1"), control_type="LVMustTrip", fault="UnderVoltage")
    state = a_state(site, *linked(site), *a_bidirectional_car(1), tripped)
    session = state.sessions[SessionId("s1")]
    assert v2x.discharge_max_kw(state, session, NOON) == 0.0
    over = a_state(site, *linked(site), *a_bidirectional_car(1), tripped, replace(tripped, has_ended=True))
    assert v2x.discharge_max_kw(over, session, NOON) > 0.0
