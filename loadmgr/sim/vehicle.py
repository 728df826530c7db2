"""A car: what it draws when it is offered a current, and what it gives back where it can."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr.sim.faults import Faults
from loadmgr.sim.profiles import SETPOINT_MODES, Offer

FOLLOWS = 0.99
"""Cars draw slightly less than the pilot signal allows [F-1]."""

MINIMUM_A = 6.0
TOP_UP_EVERY_S, TOP_UP_S, TOP_UP_A = 1800.0, 60.0, 6.0
PAUSE_S = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """A car that wants ``wanted_kwh`` at the AC side, uses ``n_phases`` and at most ``max_a`` per phase.

    Above ``knee_frac`` of its battery the current falls linearly to ``end_frac`` of ``max_a`` (constant voltage).
    Reaction times are from the moment the signal changes. ``max_discharge_kw`` above 0: it can deliver, down to
    ``floor_frac`` of its battery. Storage is without loss, so that energy can be compared exactly.
    """

    name: str
    wanted_kwh: float
    battery_kwh: float
    soc_frac: float
    n_phases: int = 1
    max_a: float = 32.0
    knee_frac: float = 0.85
    end_frac: float = 0.3
    decrease_s: float = 3.0
    increase_s: float = 5.0
    draws_less_frac: float = 1.0
    max_discharge_kw: float = 0.0
    floor_frac: float = 0.1
    is_dc: bool = False
    says_soc: bool = False
    says_needs: bool = False
    """It tells its needs over ISO 15118; every car that can deliver does."""

    @property
    def is_bidirectional(self) -> bool:
        """True when it can deliver."""
        return self.max_discharge_kw > 0

    @property
    def tells_needs(self) -> bool:
        """True when it tells its needs before power flows (A.13)."""
        return self.says_needs or self.is_bidirectional

    @property
    def minimum_a(self) -> float:
        """Below it the car does not charge: 6 A on a pilot signal (F.1), nothing with direct current."""
        return 0.0 if self.is_dc else MINIMUM_A

    @property
    def transfer(self) -> str:
        """The energy transfer that it asks for (A.13)."""
        if self.is_dc:
            return "DC_BPT" if self.is_bidirectional else "DC"
        if self.is_bidirectional:
            return "AC_BPT"
        return ("AC_single_phase", "AC_two_phase", "AC_three_phase")[self.n_phases - 1]

    def soc_at(self, delivered_kwh: float) -> float:
        """State of charge after so much net energy."""
        return self.soc_frac + delivered_kwh / self.battery_kwh

    def kwh_to(self, soc_frac: float, delivered_kwh: float) -> float:
        """Net energy from now to a state of charge."""
        return (soc_frac - self.soc_at(delivered_kwh)) * self.battery_kwh

    def taper_a(self, delivered_kwh: float) -> float:
        """The most the battery takes after ``delivered_kwh``, A per phase."""
        soc = self.soc_at(delivered_kwh)
        if soc <= self.knee_frac:
            return self.max_a
        over = min((soc - self.knee_frac) / (1.0 - self.knee_frac), 1.0)
        return self.max_a * (1.0 - over * (1.0 - self.end_frac))

    def draw_a(self, offered_a: float, delivered_kwh: float) -> float:
        """Current per phase at an offer; zero below 6 A and when it has what it wants."""
        if offered_a < self.minimum_a or delivered_kwh >= self.wanted_kwh:
            return 0.0
        return min(offered_a * FOLLOWS, self.taper_a(delivered_kwh)) * self.draws_less_frac

    def follow_a(self, offer: Offer, delivered_kwh: float, kw_per_a: float) -> float:
        """Current at a setpoint, negative when it delivers, within what car, charger and battery allow."""
        wanted_a = (offer.setpoint_kw or 0.0) / kw_per_a
        if wanted_a >= 0:
            is_full = self.kwh_to(1.0, delivered_kwh) <= 1e-6
            return 0.0 if is_full else min(wanted_a, self.taper_a(delivered_kwh), offer.limit_a)
        if not self.is_bidirectional or self.kwh_to(self.floor_frac, delivered_kwh) >= -1e-6:
            return 0.0
        return max(wanted_a, -min(self.max_discharge_kw, offer.discharge_kw) / kw_per_a)

    def wanted_a(self, offer: Offer, delivered_kwh: float, kw_per_a: float) -> float:
        """What it does with an offer: follow a setpoint or draw below a limit."""
        if offer.setpoint_kw is not None or offer.mode in SETPOINT_MODES:
            return self.follow_a(offer, delivered_kwh, kw_per_a)
        return self.draw_a(offer.limit_a, delivered_kwh)


@dataclass(slots=True)
class Mood:
    """What a car remembers of its session: it decides differently after pauses (quirks G-110 to G-117)."""

    plugged_at: datetime
    n_pauses: int = 0
    is_asleep: bool = False
    has_started: bool = False
    was_offered: bool = True
    paused_at: datetime | None = None
    resumed_at: datetime | None = None

    def note(self, offered_a: float, faults: Faults, now: datetime) -> None:
        """Follow the offer: pauses, sleep and wake-ups."""
        is_offered = offered_a >= MINIMUM_A
        if is_offered == self.was_offered:
            return
        self.was_offered = is_offered
        if not is_offered:
            self.n_pauses += 1
            self.paused_at, self.has_started = now, False
            return
        paused_s = (now - (self.paused_at or now)).total_seconds()
        self.resumed_at = now
        self.is_asleep = faults.car_sleeps and not self.is_asleep and paused_s >= PAUSE_S  # the second offer wakes it

    def allowed_a(self, wanted_a: float, offered_a: float, faults: Faults, now: datetime) -> float:
        """What the car makes of what it could draw."""
        if faults.car_waits_s and now < self.plugged_at + timedelta(seconds=faults.car_waits_s):
            return 0.0  # G-117
        if self.is_asleep or (faults.car_pauses_max and self.n_pauses >= faults.car_pauses_max):
            return 0.0  # G-110, G-115
        resumed_s = math.inf if self.resumed_at is None else (now - self.resumed_at).total_seconds()
        if resumed_s < faults.resume_delay_s:
            return 0.0  # G-78
        if wanted_a > 0 and faults.car_starts_at_a and not self.has_started:
            if offered_a < faults.car_starts_at_a:
                return 0.0  # G-114
        self.has_started = self.has_started or wanted_a > 0
        if wanted_a > 0:
            wanted_a = wanted_a * faults.car_draws_less_frac + faults.car_draws_more_a  # G-111, G-112
        return wanted_a

    def top_up_a(self, offered_a: float, faults: Faults, now: datetime) -> float:
        """G-116: a full car draws a little from time to time."""
        if not faults.car_tops_up or offered_a < MINIMUM_A:
            return 0.0
        return TOP_UP_A if (now - self.plugged_at).total_seconds() % TOP_UP_EVERY_S < TOP_UP_S else 0.0

    def changes_after(self, faults: Faults, now: datetime) -> datetime | None:
        """When this decides differently by itself."""
        marks: list[datetime] = []
        if faults.car_waits_s:
            marks.append(self.plugged_at + timedelta(seconds=faults.car_waits_s))
        if faults.resume_delay_s and self.resumed_at is not None:
            marks.append(self.resumed_at + timedelta(seconds=faults.resume_delay_s))
        if faults.car_tops_up:
            gone_s = (now - self.plugged_at).total_seconds() % TOP_UP_EVERY_S
            step_s = TOP_UP_S - gone_s if gone_s < TOP_UP_S else TOP_UP_EVERY_S - gone_s
            marks.append(now + timedelta(seconds=max(step_s, 0.001)))
        return min((m for m in marks if m > now), default=None)
