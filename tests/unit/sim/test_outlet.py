"""The power side: cars that draw and cars that deliver, and energy that is exact (rules F.1, F.2, P3)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.faults import Faults
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import Installed, Period, Profile
from loadmgr.sim.vehicle import Car
from tests.unit.sim.central import an_evse

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
PLAIN = Car(name="c", wanted_kwh=20.0, battery_kwh=60.0, soc_frac=0.3, n_phases=3, max_a=16.0)
V2G = replace(PLAIN, soc_frac=0.5, max_discharge_kw=8.0, floor_frac=0.3, decrease_s=2.0)


class Rig:
    """An outlet with one profile that the test sets."""

    def __init__(self, car: Car, **caps: Any) -> None:
        self.clock = LockStepClock(NOON)
        self.profiles = Installed(replaces_slot=False)
        self.faults = Faults()
        self.outlet = Outlet(an_evse(**caps), self.clock, self.profiles, self.faults, lambda: None)
        self.outlet.plug(car)
        self.outlet.in_transaction = True

    def order(self, unit: str = "A", **period: Any) -> None:
        """Install the only profile."""
        profile = Profile(
            id=1,
            evse=1,
            stack=1,
            purpose="TxProfile",
            unit=unit,
            start_at=self.clock.now(),
            received_at=self.clock.now(),
            periods=(Period(start_s=0.0, **period),),
        )
        self.profiles.install(profile)
        self.outlet.wake.set()

    async def run(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.advance_to(self.clock.now() + timedelta(seconds=seconds), lambda: "")


def rigged(rig: Rig, work: Callable[[Rig], Awaitable[None]]) -> None:
    async def live() -> None:
        physics = asyncio.create_task(rig.outlet.run())
        try:
            await work(rig)
        finally:
            physics.cancel()
            await asyncio.gather(physics, return_exceptions=True)

    asyncio.run(live())


def test_a_car_follows_a_limit_after_its_reaction_time_and_stops_when_it_has_enough() -> None:
    async def work(rig: Rig) -> None:
        rig.order(limit=10.0)
        await rig.run(4.9)
        assert rig.outlet.current_a == 0.0
        await rig.run(0.2)
        assert rig.outlet.current_a == pytest.approx(9.9)
        await rig.run(4 * 3600)
        assert rig.outlet.current_a == 0.0
        assert rig.outlet.energy_wh == pytest.approx(20_000, abs=0.1)

    rigged(Rig(PLAIN), work)


def test_below_six_amperes_nothing_flows() -> None:
    """[F-1]"""

    async def work(rig: Rig) -> None:
        rig.order(limit=5.9)
        await rig.run(60)
        assert (rig.outlet.current_a, rig.outlet.state()) == (0.0, "SuspendedEVSE")

    rigged(Rig(PLAIN), work)


def test_a_negative_setpoint_discharges_to_the_cars_own_floor_and_no_further() -> None:
    """[A-101]: 0.5 to 0.3 of 60 kWh."""

    async def work(rig: Rig) -> None:
        rig.order("W", setpoint=-10_000.0, mode="CentralSetpoint")
        await rig.run(60)
        assert rig.outlet.power_kw == pytest.approx(-8.0)
        assert rig.outlet.phase_a == pytest.approx((-8000 / 690,) * 3)
        await rig.run(3 * 3600)
        assert rig.outlet.current_a == 0.0
        assert rig.outlet.export_wh == pytest.approx(12_000, abs=0.1)
        assert rig.outlet.soc_frac == pytest.approx(0.3, abs=1e-5)

    rigged(Rig(V2G, discharge_max_kw=11.0), work)


def test_a_setpoint_may_charge_beyond_what_the_driver_wanted_up_to_a_full_battery() -> None:
    async def work(rig: Rig) -> None:
        rig.order("W", setpoint=11_000.0, mode="CentralSetpoint")
        await rig.run(8 * 3600)
        assert rig.outlet.soc_frac == pytest.approx(1.0, abs=1e-4)
        assert rig.outlet.current_a == 0.0

    rigged(Rig(replace(V2G, wanted_kwh=5.0), discharge_max_kw=11.0), work)


def test_nothing_is_delivered_by_a_plain_car_or_before_it_is_agreed_or_above_the_der_limit() -> None:
    """Q01 and LimitMaxDischarge [B-4]."""

    async def plain(rig: Rig) -> None:
        rig.order("W", setpoint=-5_000.0, mode="CentralSetpoint")
        await rig.run(60)
        assert rig.outlet.current_a == 0.0

    async def limited(rig: Rig) -> None:
        rig.outlet.may_deliver = False
        await plain(rig)
        rig.outlet.may_deliver, rig.outlet.der_frac = True, 0.25
        rig.outlet.wake.set()
        await rig.run(60)
        assert rig.outlet.power_kw == pytest.approx(-2.75)

    rigged(Rig(PLAIN, discharge_max_kw=11.0), plain)
    rigged(Rig(V2G, discharge_max_kw=11.0), limited)


def test_a_cut_is_followed_within_the_cars_decrease_time_in_both_directions() -> None:
    async def work(rig: Rig) -> None:
        for before, after in ((7_000.0, 2_000.0), (-7_000.0, -2_000.0), (5_000.0, -5_000.0)):
            rig.order("W", setpoint=before, mode="CentralSetpoint")
            await rig.run(60)
            rig.order("W", setpoint=after, mode="CentralSetpoint")
            await rig.run(1.9)
            assert rig.outlet.power_kw == pytest.approx(before / 1000)
            await rig.run(0.2)
            assert rig.outlet.power_kw == pytest.approx(after / 1000)

    rigged(Rig(V2G, discharge_max_kw=11.0), work)


def test_limits_per_phase_load_each_phase_by_itself() -> None:
    """[F-3]: terminals L1, L2, L3 are wired to L2, L3, L1."""

    async def work(rig: Rig) -> None:
        rig.order(limit=16.0, limit_l2=8.0, limit_l3=0.0)
        await rig.run(60)
        one, two, three = rig.outlet.phase_a
        assert (two, three, one) == pytest.approx((15.84, 7.92, 0.0))
        assert rig.outlet.power_kw == pytest.approx(0.23 * (15.84 + 7.92))

    rigged(Rig(PLAIN), work)


def test_a_dc_car_is_limited_in_watts_over_the_whole_evse() -> None:
    """[A-74]"""

    async def work(rig: Rig) -> None:
        rig.order("W", limit=20_000.0)
        await rig.run(60)
        assert rig.outlet.power_kw == pytest.approx(19.8)

    rigged(Rig(replace(PLAIN, is_dc=True, max_a=100.0), current_max_a=80.0, is_dc=True), work)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.floats(-12_000, 12_000), st.floats(1, 1800)), min_size=1, max_size=8))
def test_energy_in_the_registers_is_the_energy_of_the_battery(orders: list[tuple[float, float]]) -> None:
    """Whatever is ordered: import minus export is what the battery gained, and it stays within its bounds."""

    async def work(rig: Rig) -> None:
        for setpoint, seconds in orders:
            rig.order("W", setpoint=setpoint, mode="CentralSetpoint")
            await rig.run(seconds)
            rig.outlet.update()
            soc = rig.outlet.soc_frac
            assert soc is not None
            gained_wh = (soc - V2G.soc_frac) * 60_000
            assert rig.outlet.energy_wh - rig.outlet.export_wh == pytest.approx(gained_wh, abs=1e-6)
            assert 0.3 - 1e-6 <= soc <= 1.0 + 1e-6
            assert -8.0 - 1e-9 <= rig.outlet.power_kw <= 11.04 + 1e-9

    rigged(Rig(V2G, discharge_max_kw=11.0), work)
