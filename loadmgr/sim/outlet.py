"""The power side of one EVSE: signal, car, current, energy. Power is constant between two changes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loadmgr.domain.site import Evse
from loadmgr.ports import Clock
from loadmgr.sim.profiles import Installed
from loadmgr.sim.vehicle import Car

TAPER_S = 60.0


@dataclass(slots=True)
class Faults:
    """Faults of a twin that can be switched on."""

    ignores_profiles: bool = False
    rejects_profiles: bool = False
    never_answers: bool = False
    answer_delay_s: float = 0.0
    silent_meter: bool = False


@dataclass(slots=True)
class Outlet:
    """One EVSE with at most one car. ``energy_wh`` counts for ever, exactly; the register shows whole Wh of it."""

    evse: Evse
    clock: Clock
    profiles: Installed
    faults: Faults
    on_change: Callable[[], None]
    energy_wh: float = 0.0
    car: Car | None = None
    plugged_wh: float = 0.0
    in_transaction: bool = False
    current_a: float = 0.0
    updated_at: datetime | None = None
    target_a: float = 0.0
    target_at: datetime | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def n_phases(self) -> int:
        """Phases in use."""
        return min(self.car.n_phases, self.evse.caps.n_phases) if self.car is not None else 0

    @property
    def power_kw(self) -> float:
        """Present power."""
        return self.current_a * self.evse.caps.voltage_v * self.n_phases / 1000.0

    @property
    def phase_a(self) -> tuple[float, float, float]:
        """Present current on the grid's phases."""
        phases = self.evse.phases_of(self.n_phases) if self.car is not None else ()
        values = [self.current_a if p in phases else 0.0 for p in range(3)]
        return values[0], values[1], values[2]

    @property
    def delivered_kwh(self) -> float:
        """Energy since the car was plugged in."""
        return (self.energy_wh - self.plugged_wh) / 1000.0

    def register_wh(self) -> int:
        """What the meter shows."""
        self._integrate(self.clock.now())
        return math.floor(self.energy_wh + 1e-6)

    def offered_a(self) -> float:
        """What the pilot signal says now."""
        if not self.in_transaction:
            return 0.0
        hardware = self.evse.caps.current_max_a
        if self.faults.ignores_profiles:
            return hardware
        return self.profiles.limit_a(self.evse.number, self.clock.now(), in_transaction=True, hardware_a=hardware)

    def plug(self, car: Car) -> None:
        """A car arrives."""
        self._integrate(self.clock.now())
        self.car, self.plugged_wh = car, self.energy_wh
        self.wake.set()

    def unplug(self) -> None:
        """The car leaves."""
        self._integrate(self.clock.now())
        self._set(0.0)
        self.car, self.in_transaction, self.target_at = None, False, None
        self.wake.set()

    def _integrate(self, now: datetime) -> None:
        if self.updated_at is not None:
            self.energy_wh += self.power_kw * (now - self.updated_at).total_seconds() / 3.6
        self.updated_at = now

    def _set(self, current_a: float) -> None:
        if current_a != self.current_a:
            self.current_a = current_a
            self.on_change()

    def update(self) -> None:
        """Bring current and energy to the present."""
        now = self.clock.now()
        self._integrate(now)
        if self.car is None:
            self._set(0.0)
            return
        want_a = self.car.draw_a(self.offered_a(), self.delivered_kwh + 1e-7)
        if want_a == 0.0 and self.delivered_kwh + 1e-7 >= self.car.wanted_kwh:
            self.target_at = None
            self._set(0.0)  # the car itself stops: it is full
            return
        if abs(want_a - self.current_a) < 1e-9:
            self.target_at = None
            return
        if self.target_at is None or (want_a < self.target_a and want_a < self.current_a):
            delay_s = self.car.decrease_s if want_a < self.current_a else self.car.increase_s
            due = now + timedelta(seconds=delay_s)
            if self.target_at is None or due < self.target_at or self.target_a > self.current_a:
                self.target_at = due
        self.target_a = want_a
        if now >= self.target_at:
            self.target_at = None
            self._set(want_a)

    def next_change_s(self) -> float:
        """Seconds until time alone changes something; infinite when nothing will."""
        now = self.clock.now()
        marks = [m for m in (self.target_at, self.profiles.changes_after(now)) if m is not None]
        found = min(((m - now).total_seconds() for m in marks), default=math.inf)
        if self.car is not None and self.current_a > 0:
            left_kwh = self.car.wanted_kwh - self.delivered_kwh
            found = min(found, max(left_kwh / self.power_kw * 3600.0, 0.001), TAPER_S)
        return max(found, 0.001)

    async def run(self) -> None:
        """Follow signal and car for ever."""
        while True:
            self.update()
            wait_s = self.next_change_s()
            self.wake.clear()
            if math.isinf(wait_s):
                await self.wake.wait()
                continue
            sleeping = asyncio.ensure_future(self.clock.sleep(wait_s))
            waking = asyncio.ensure_future(self.wake.wait())
            try:
                await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                waking.cancel()
