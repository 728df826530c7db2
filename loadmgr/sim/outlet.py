"""The power side of one EVSE: signal, car, current, energy. Power is constant between two changes."""

from __future__ import annotations

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loadmgr.domain.site import Evse
from loadmgr.ports import Clock
from loadmgr.sim.faults import Faults
from loadmgr.sim.pilot import Pilot
from loadmgr.sim.profiles import Hardware, Installed, Offer
from loadmgr.sim.vehicle import MINIMUM_A, Car, Mood

TAPER_S = 60.0
EPS_A = 1e-9


@dataclass(slots=True)
class Outlet:
    """One EVSE with at most one car. Both energies count for ever, exactly; the registers show whole Wh of them.

    ``current_a`` is per phase on the conductors in use, negative when the car delivers.
    """

    evse: Evse
    clock: Clock
    profiles: Installed
    faults: Faults
    on_change: Callable[[], None]
    on_update: Callable[[], None] = lambda: None
    energy_wh: float = 0.0
    export_wh: float = 0.0
    car: Car | None = None
    plugged_wh: tuple[float, float] = (0.0, 0.0)
    in_transaction: bool = False
    is_operative: bool = True
    der_frac: float = 1.0
    """2.1: part of the discharge rating that DER controls leave (rule B.1)."""
    may_deliver: bool = True
    """2.1: bidirectional transfer is agreed (Q01)."""
    current_a: float = 0.0
    phase_frac: tuple[float, float, float] = (1.0, 1.0, 1.0)
    updated_at: datetime | None = None
    target_a: float = 0.0
    target_at: datetime | None = None
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    mood: Mood | None = None
    pilot: Pilot = field(init=False)

    def __post_init__(self) -> None:
        caps = self.evse.caps
        hardware = Hardware(
            max_a=caps.current_max_a,
            voltage_v=caps.voltage_v,
            n_phases=caps.n_phases,
            discharge_kw=caps.discharge_max_kw,
            is_dc=caps.is_dc,
        )
        self.pilot = Pilot(hardware=hardware, profiles=self.profiles, faults=self.faults, number=self.evse.number)

    @property
    def n_phases(self) -> int:
        """Phases in use."""
        if self.car is None:
            return 0
        if self.evse.caps.is_dc:
            return self.evse.caps.n_phases
        used = 1 if self.faults.car_is_one_phase else self.car.n_phases  # G-113
        return min(used, self.evse.caps.n_phases, self.pilot.n_phases)

    @property
    def kw_per_a(self) -> float:
        """Power of one ampere on every phase in use."""
        return self.evse.caps.voltage_v * sum(self.phase_frac[: self.n_phases]) / 1000.0

    @property
    def power_kw(self) -> float:
        """Present power, negative when the car delivers."""
        return self.current_a * self.kw_per_a

    @property
    def phase_a(self) -> tuple[float, float, float]:
        """Present current on the grid's phases, negative when the car delivers."""
        phases = self.evse.phases_of(self.n_phases) if self.car is not None else ()
        found = [0.0, 0.0, 0.0]
        for terminal, phase in enumerate(phases):
            found[phase] = self.current_a * self.phase_frac[terminal]
        return found[0], found[1], found[2]

    @property
    def delivered_kwh(self) -> float:
        """Net energy since the car was plugged in."""
        return (self.energy_wh - self.plugged_wh[0] - self.export_wh + self.plugged_wh[1]) / 1000.0

    @property
    def soc_frac(self) -> float | None:
        """State of charge of the car; ``None`` without one."""
        return None if self.car is None else self.car.soc_at(self.delivered_kwh)

    def register_wh(self) -> int:
        """What the import register shows."""
        self._integrate(self.clock.now())
        return math.floor(self.energy_wh + 1e-6)

    def export_register_wh(self) -> int:
        """What the export register shows."""
        self._integrate(self.clock.now())
        return math.floor(self.export_wh + 1e-6)

    def offer(self) -> Offer:
        """What the station offers now."""
        if not self.in_transaction or not self.is_operative:
            return Offer(limit_a=0.0, setpoint_kw=None)
        offer = self.pilot.offer(self.clock.now())
        most_kw = self.pilot.hardware.discharge_kw * self.der_frac if self.may_deliver else 0.0
        return offer if offer.discharge_kw <= most_kw else replace(offer, discharge_kw=most_kw)

    def offered_a(self) -> float:
        """What the signal allows the car to draw, A per phase."""
        offer = self.offer()
        if offer.setpoint_kw is None or self.car is None:
            return offer.limit_a
        return min(max(offer.setpoint_kw, 0.0) / self.kw_per_a, offer.limit_a)

    def plug(self, car: Car) -> None:
        """A car arrives."""
        now = self.clock.now()
        self._integrate(now)
        self.car, self.plugged_wh = car, (self.energy_wh, self.export_wh)
        self.mood = Mood(plugged_at=now)
        self.wake.set()

    def unplug(self) -> None:
        """The car leaves."""
        self.stop()
        self.car = self.mood = None

    def stop(self) -> None:
        """The power path opens; the car may stay."""
        self._integrate(self.clock.now())
        self._set(0.0)
        self.in_transaction, self.target_at = False, None
        self.pilot.forget()
        self.wake.set()

    def _integrate(self, now: datetime) -> None:
        if self.updated_at is not None:
            moved_wh = self.power_kw * (now - self.updated_at).total_seconds() / 3.6
            if moved_wh >= 0:
                self.energy_wh += moved_wh
            else:
                self.export_wh -= moved_wh
        self.updated_at = now

    def _set(self, current_a: float) -> None:
        if current_a != self.current_a:
            self.current_a = current_a
            self.on_change()

    def _wanted_a(self, offer: Offer) -> float:
        """What the car does with the offer, with all its habits."""
        car, mood = self.car, self.mood
        assert car is not None  # the caller has looked  # noqa: S101
        assert mood is not None  # both come and go together  # noqa: S101
        now, is_limit = self.clock.now(), offer.setpoint_kw is None
        if is_limit:
            mood.note(offer.limit_a, self.faults, now)
        want_a = car.wanted_a(offer, self.delivered_kwh + 1e-7 * is_limit, self.kw_per_a)
        if want_a == 0.0 and is_limit and self.delivered_kwh + 1e-7 >= car.wanted_kwh:
            return mood.top_up_a(offer.limit_a, self.faults, now)
        return mood.allowed_a(want_a, offer.limit_a, self.faults, now)

    def update(self) -> None:
        """Bring current and energy to the present."""
        now = self.clock.now()
        self._integrate(now)
        if self.car is None or not self.in_transaction:
            self._set(0.0)
            return
        if self.current_a == 0.0:
            self.pilot.settle_phases()
        offer = self.offer()
        self.phase_frac = offer.phase_frac
        want_a = self._wanted_a(offer)
        if want_a == 0.0 and self._stops_itself(is_limit=offer.setpoint_kw is None):
            self.target_at = None
            self._set(0.0)
            return
        if abs(want_a - self.current_a) < EPS_A:
            self.target_at = None
            return
        self._aim(want_a, now)
        if self.target_at is None or now >= self.target_at:
            self.target_at = None
            self._set(want_a)

    def _stops_itself(self, *, is_limit: bool) -> bool:
        """Full, or delivered down to its own floor: no signal is needed and no time passes."""
        car = self.car
        if car is None:
            return True
        if self.current_a >= 0:
            has_all = is_limit and self.delivered_kwh + 1e-7 >= car.wanted_kwh
            return has_all or car.kwh_to(1.0, self.delivered_kwh) <= 1e-6
        return car.kwh_to(car.floor_frac, self.delivered_kwh) >= -1e-6

    def _aim(self, want_a: float, now: datetime) -> None:
        """Set the time at which the car will have followed: a reduction is never delayed by a pending rise."""
        assert self.car is not None  # the caller has looked  # noqa: S101
        lowers = abs(want_a) < abs(self.current_a) or want_a * self.current_a < 0
        if self.target_at is None or (lowers and want_a != self.target_a):
            due = now + timedelta(seconds=self.car.decrease_s if lowers else self.car.increase_s)
            was_rise = abs(self.target_a) > abs(self.current_a) and self.target_a * self.current_a >= 0
            if self.target_at is None or due < self.target_at or was_rise:
                self.target_at = due
        self.target_a = want_a

    def next_change_s(self) -> float:
        """Seconds until time alone changes something; infinite when nothing will."""
        now = self.clock.now()
        mood = None if self.mood is None else self.mood.changes_after(self.faults, now)
        marks = [m for m in (self.target_at, self.pilot.changes_after(now), mood) if m is not None]
        found = min(((m - now).total_seconds() for m in marks), default=math.inf)
        if self.car is not None and self.current_a != 0:
            found = min(found, max(self._left_s(), 0.001), TAPER_S)
        return max(found, 0.001)

    def _left_s(self) -> float:
        """Seconds until the car has what it wants, is full, or has given what it gives."""
        assert self.car is not None  # the caller has looked  # noqa: S101
        if self.current_a < 0:
            return self.car.kwh_to(self.car.floor_frac, self.delivered_kwh) / self.power_kw * 3600.0
        left_kwh = self.car.kwh_to(1.0, self.delivered_kwh)
        if self.delivered_kwh + 1e-7 < self.car.wanted_kwh:
            left_kwh = min(left_kwh, self.car.wanted_kwh - self.delivered_kwh)
        return left_kwh / self.power_kw * 3600.0

    def state(self) -> str:
        """The state as 1.6 names it; 2.x dialects translate."""
        if self.car is None:
            return "Available" if self.is_operative else "Unavailable"
        if not self.in_transaction:
            return "Preparing"
        if self.current_a != 0:
            return "Charging"
        return "SuspendedEVSE" if self.offered_a() < MINIMUM_A else "SuspendedEV"

    async def run(self) -> None:
        """Follow signal and car for ever."""
        while True:
            self.update()
            self.on_update()
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
