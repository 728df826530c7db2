"""Limits that somebody else imposed on a station, as it tells them: what they bound now [A-92]; for all 2.x versions."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr import units


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """One schedule of the message: unit A (per phase) or W, periods of (start in s, limit)."""

    unit: str
    periods: tuple[tuple[float, float], ...]
    start_at: datetime | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Bound:
    """What the schedules bound from now on: the lowest limit that is still to come; ``None`` where they say nothing."""

    current_a: float | None = None
    power_kw: float | None = None
    until_at: datetime | None = None


def bound(schedules: Sequence[Told], now: datetime) -> Bound:
    """The tightest of what is told, over the rest of each schedule: a limit that falls later binds from now on.

    Without schedules the value is not known. ``until_at`` is the latest end, ``None`` when one has no end.
    """
    current: float | None = None
    power: float | None = None
    ends: list[datetime | None] = []
    for schedule in schedules:
        start = schedule.start_at or now
        end = start + timedelta(seconds=schedule.duration_s) if schedule.duration_s is not None else None
        if end is not None and end <= now:
            continue
        ends.append(end)
        lowest = _lowest(schedule, (now - start).total_seconds())
        if lowest is None:
            continue
        if schedule.unit == "A":
            current = lowest if current is None else min(current, lowest)
        else:
            value = units.w_to_kw(lowest)
            power = value if power is None else min(power, value)
    until = None if not ends or None in ends else max(e for e in ends if e is not None)
    return Bound(current_a=current, power_kw=power, until_at=until)


def _lowest(schedule: Told, offset_s: float) -> float | None:
    """The lowest limit from ``offset_s`` on."""
    ends = [start_s for start_s, _ in schedule.periods[1:]] + [float("inf")]
    ahead = [limit for (_, limit), end_s in zip(schedule.periods, ends, strict=True) if end_s > offset_s]
    return min(ahead) if ahead else None
