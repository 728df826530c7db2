"""A car: what it draws when it is offered a current."""

from __future__ import annotations

from dataclasses import dataclass

FOLLOWS = 0.99
"""Cars draw slightly less than the pilot signal allows [F-1]."""

MINIMUM_A = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Car:
    """A car that wants ``wanted_kwh`` at the AC side, uses ``n_phases`` and at most ``max_a`` per phase.

    Above ``knee_frac`` of its battery the current falls linearly to ``end_frac`` of ``max_a`` (constant voltage).
    Reaction times are from the moment the signal changes.
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

    def taper_a(self, delivered_kwh: float) -> float:
        """The most the battery takes after ``delivered_kwh``, A per phase."""
        soc = self.soc_frac + delivered_kwh / self.battery_kwh
        if soc <= self.knee_frac:
            return self.max_a
        over = min((soc - self.knee_frac) / (1.0 - self.knee_frac), 1.0)
        return self.max_a * (1.0 - over * (1.0 - self.end_frac))

    def draw_a(self, offered_a: float, delivered_kwh: float) -> float:
        """Current per phase at an offer; zero below 6 A and when it has what it wants."""
        if offered_a < MINIMUM_A or delivered_kwh >= self.wanted_kwh:
            return 0.0
        return min(offered_a * FOLLOWS, self.taper_a(delivered_kwh)) * self.draws_less_frac
