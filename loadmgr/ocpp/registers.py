"""What the energy register of one EVSE did lately: jumps, power from its growth, energy without it (rules C.4, C.5)."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loadmgr.ocpp.metering import Compared
from loadmgr.ocpp.plausibility import EnergyCompared

WINDOW = timedelta(seconds=60)
"""Power is derived from a register over at least this time [C.4]."""
WINDOW_MAX = timedelta(minutes=10)
JUMP_FACTOR = 1.2
SLACK_KWH = 0.05
"""Registers count in steps: so much more than the rating allows is no jump."""
LATER = timedelta(minutes=15)
"""A register may be brought up to date this late; what exceeds even that is impossible."""
GAP = timedelta(minutes=5)
"""A power holds for this long; a longer silence adds nothing to the integral."""
RESET_KWH = 0.0015
COMPARED_N = 20
UNITS = 1.0, 1000.0, 0.001
"""What a reading may have to be multiplied by where kWh and Wh are mixed up [C-21, G-91]."""
UNIT_LEAST_KWH = 0.1
"""Below this a register is too young to tell units apart."""

Point = tuple[datetime, float]


@dataclass(slots=True)
class Register:
    """Memory of one EVSE's meter. ``last`` is the last plausible reading, ``waiting`` one that was not."""

    last: Point | None = None
    waiting: Point | None = None
    window: deque[Point] = field(default_factory=deque)
    power: Point | None = None
    estimated_kwh: float = 0.0
    interval_at: datetime | None = None
    compared: deque[Compared] = field(default_factory=lambda: deque(maxlen=COMPARED_N))
    energies: deque[EnergyCompared] = field(default_factory=lambda: deque(maxlen=COMPARED_N))

    def begin(self, at: datetime, register_kwh: float | None) -> None:
        """A session begins here: estimates count anew."""
        self.estimated_kwh, self.power, self.interval_at = 0.0, None, None
        if register_kwh is not None:
            self._accept((at, register_kwh))

    def unit_of(self, at: datetime, register_kwh: float, most_kw: float) -> float:
        """The factor with which a reading goes on where the last one stood: 1, or a thousand up or down [C-21, G-91].

        1 as well where none fits: then the register itself did something (rule C.5).
        """
        if self.last is None or self.waiting is not None or self.last[1] < UNIT_LEAST_KWH:
            return 1.0
        bound_kwh = _most_kwh(abs(at - self.last[0]), most_kw)
        low_kwh = self.last[1] - (RESET_KWH if at >= self.last[0] else bound_kwh)
        fitting = (f for f in UNITS if low_kwh <= register_kwh * f <= self.last[1] + bound_kwh)
        return next(fitting, 1.0)

    def read(self, at: datetime, register_kwh: float, most_kw: float) -> str:
        """Take a reading in; returns what is odd about it: "", ``jump``, ``impossible`` or ``exchanged`` (rule C.5).

        A jump stays within what the EVSE could have drawn over a quarter of an hour, so it may be a register that is
        brought up to date late. What lies beyond is held back until the next reading tells a glitch from an exchange.
        """
        if self.last is None:
            self._accept((at, register_kwh))
            return ""
        if register_kwh < self.last[1] - RESET_KWH:
            return self._fallen((at, register_kwh), most_kw)
        gained_kwh = register_kwh - self.last[1]
        since = max(at - self.last[0], timedelta(0))
        if gained_kwh <= _most_kwh(since, most_kw):
            self.waiting = None
            self._accept((at, register_kwh))
            return ""
        if gained_kwh <= _most_kwh(since + LATER, most_kw):
            self.waiting = None
            self.window.clear()
            self._accept((at, register_kwh))
            return "jump"
        return self._beyond((at, register_kwh), most_kw)

    def _fallen(self, point: Point, most_kw: float) -> str:
        """A drop: reset, exchange or a single glitch; the session's own fold tells which by the next reading."""
        if self.waiting is not None and self._continues(point, most_kw):
            self.window.clear()
            self.waiting = None
            self._accept(point)
            return ""
        self.waiting = point
        return ""

    def _beyond(self, point: Point, most_kw: float) -> str:
        if self.waiting is not None and self._continues(point, most_kw):
            self.window.clear()
            self.waiting = None
            self._accept(point)
            return "exchanged"
        self.waiting = point
        return "impossible"

    def _continues(self, point: Point, most_kw: float) -> bool:
        """Does a reading go on from the one that waits?"""
        if self.waiting is None:
            return False
        gained_kwh = point[1] - self.waiting[1]
        since = max(point[0] - self.waiting[0], timedelta(0))
        return -RESET_KWH <= gained_kwh <= _most_kwh(since + LATER, most_kw)

    def _accept(self, point: Point) -> None:
        self.last = point
        self.window.append(point)
        while len(self.window) > 2 and point[0] - self.window[1][0] >= WINDOW:
            self.window.popleft()

    def power_kw(self) -> float | None:
        """Mean power from the growth of the register over a minute or more, kW; ``None`` while nothing can be said."""
        if len(self.window) < 2:
            return None
        (begin, low), (end, high) = self.window[0], self.window[-1]
        if not WINDOW <= end - begin <= WINDOW_MAX:
            return None
        return max(high - low, 0.0) / ((end - begin).total_seconds() / 3600.0)

    def estimate(self, at: datetime, power_kw: float | None, interval_kwh: float | None) -> float | None:
        """Energy of the session where no register speaks: Σ intervals, else ∫P dt (trapezoids) [C.4]."""
        if interval_kwh is not None:
            if self.interval_at is None or at > self.interval_at:
                self.estimated_kwh += interval_kwh
                self.interval_at = at
            return max(self.estimated_kwh, 0.0)
        if power_kw is None or self.interval_at is not None:
            return None
        if self.power is not None and at > self.power[0]:
            hours = min(at - self.power[0], GAP).total_seconds() / 3600.0
            self.estimated_kwh += max((self.power[1] + power_kw) / 2.0, 0.0) * hours
        if self.power is None or at > self.power[0]:
            self.power = (at, power_kw)
        return self.estimated_kwh

    def compare(self, compared: Compared | None, power_kw: float | None, unit: float = 1.0) -> None:
        """Keep evidence for the units of the station [C-21]; ``unit``: what the reading was multiplied by."""
        if compared is not None:
            self.compared.append(compared)
        grown_kw = self.power_kw()
        if grown_kw is not None and power_kw is not None and power_kw > 0.0:
            self.energies.append(EnergyCompared(register_kw=grown_kw / unit, power_kw=power_kw))


def _most_kwh(since: timedelta, most_kw: float) -> float:
    """The most that can have been drawn in a time, with the tolerance of rule C.5."""
    return JUMP_FACTOR * most_kw * since.total_seconds() / 3600.0 + SLACK_KWH
