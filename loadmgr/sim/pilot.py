"""From the installed profiles to the signal: the station's arithmetic, its local rules, and its quirks with both."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loadmgr.sim.faults import Faults
from loadmgr.sim.profiles import DEFAULT, Hardware, Installed, Offer
from loadmgr.sim.vehicle import MINIMUM_A


@dataclass(slots=True)
class Pilot:
    """What one EVSE offers. ``n_phases``: conductors that a phase switch leaves; all of them without one."""

    hardware: Hardware
    profiles: Installed
    faults: Faults
    number: int
    n_phases: int = 3
    was_paused: bool = False
    resumed_with: int | None = None
    """G-5: number of installed profiles when charging resumed; until another one comes the signal is full."""
    n_installed: int = 0
    cleared_at: datetime | None = None
    _wanted_phases: int | None = None

    def station_time(self, now: datetime) -> datetime:
        """What the station's own clock shows [G-9, G-52]."""
        return now + timedelta(seconds=self.faults.clock_skew_s)

    def forget(self) -> None:
        """The session is over."""
        self.was_paused, self.resumed_with, self.n_phases = False, None, 3

    def noted(self, *, cleared: datetime | None = None) -> None:
        """A profile was installed or cleared."""
        self.n_installed += 1
        if cleared is not None:
            self.cleared_at = cleared

    def settle_phases(self) -> None:
        """A phase switch happens without current (F-11)."""
        if self.faults.switches_phases == "start" and self._wanted_phases is not None:
            self.n_phases = self._wanted_phases

    def offer(self, now: datetime) -> Offer:
        """The signal now."""
        faults, hardware = self.faults, self.hardware
        if faults.ignores_profiles:
            return Offer(limit_a=hardware.max_a)
        if faults.local_balancer_a is not None:
            return Offer(limit_a=min(faults.local_balancer_a, hardware.max_a))  # G-15
        if self.cleared_at is not None and (now - self.cleared_at).total_seconds() < faults.deaf_after_clear_s:
            return Offer(limit_a=hardware.max_a)  # G-23
        self.profiles.ignored_offline = (DEFAULT,) if faults.ignores_default_offline else ()  # G-76
        offer = self.profiles.offer(self.number, self.station_time(now), hardware, in_transaction=True)
        if offer.setpoint_kw is not None:
            return offer
        limit_a = self._quirky(offer.limit_a)
        return self._phased(offer if limit_a == offer.limit_a else replace(offer, limit_a=limit_a))

    def _quirky(self, limit_a: float) -> float:
        faults = self.faults
        if faults.step_a:
            limit_a = math.floor(limit_a / faults.step_a + 1e-9) * faults.step_a  # G-18
        if faults.local_cap_a is not None:
            limit_a = min(limit_a, faults.local_cap_a)  # G-33
        if faults.ignores_zero:
            limit_a = max(limit_a, MINIMUM_A)  # G-4
        if not faults.full_after_pause:
            return limit_a
        if limit_a < MINIMUM_A:
            self.was_paused = True
        elif self.was_paused:
            self.was_paused, self.resumed_with = False, self.n_installed
        if self.resumed_with is not None and self.resumed_with == self.n_installed and limit_a >= MINIMUM_A:
            return self.hardware.max_a  # G-5
        self.resumed_with = None
        return limit_a

    def _phased(self, offer: Offer) -> Offer:
        """``numberPhases``: most stations only count with it; some switch [A-20, G-31, G-32]."""
        faults, said = self.faults, offer.n_phases
        self._wanted_phases = said
        if faults.switches_phases == "watts" and said is not None:
            self.n_phases = said if offer.unit == "W" else 3
        if faults.full_power_on_one_phase and said == 1 and self.hardware.n_phases == 3:
            return replace(offer, limit_a=min(offer.limit_a * 3, self.hardware.max_a))
        return offer

    def ahead(self, now: datetime, duration_s: float) -> list[tuple[float, Offer]]:
        """The offers of the next ``duration_s`` by their offset: a composite schedule (A.7), neighbours merged."""
        mind = replace(self)  # asking changes nothing
        end, at = now + timedelta(seconds=duration_s), now
        found: list[tuple[float, Offer]] = []
        while at < end:
            offer = mind.offer(at)
            if not found or found[-1][1] != offer:
                found.append(((at - now).total_seconds(), offer))
            following = mind.changes_after(at)
            if following is None:
                break
            at = following
        return found

    def in_unit(self, offer: Offer, unit: str) -> float:
        """The limit of an offer in A per phase or in W, as a composite schedule tells it."""
        limit_a = offer.limit_a
        if offer.setpoint_kw is not None:
            limit_a = max(offer.setpoint_kw, 0.0) * 1000.0 / (self.hardware.voltage_v * self.hardware.n_phases)
        n = self.hardware.n_phases if self.hardware.is_dc else offer.n_phases or 3
        value = limit_a if unit == "A" else limit_a * self.hardware.voltage_v * n
        return round(value, 1) + (1e-9 if self.faults.strict_decimals else 0.0)  # G-19

    def changes_after(self, now: datetime) -> datetime | None:
        """When time alone changes the signal next."""
        marks: list[datetime] = []
        found = self.profiles.changes_after(self.station_time(now))
        if found is not None:
            marks.append(found - timedelta(seconds=self.faults.clock_skew_s))
        if self.cleared_at is not None and self.faults.deaf_after_clear_s:
            marks.append(self.cleared_at + timedelta(seconds=self.faults.deaf_after_clear_s))
        return min((m for m in marks if m > now), default=None)
