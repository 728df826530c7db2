"""Charging profiles as intervals with values in one unit: the first step of a composite schedule [A.7.1]."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from loadmgr import units
from loadmgr.domain.profiles import (
    N_PHASES_DEFAULT,
    OperationMode,
    PhaseLevels,
    Profile,
    ProfileKind,
    ProfilePurpose,
    Running,
    Schedule,
    SchedulePeriod,
    StationContext,
    kilo,
)
from loadmgr.domain.traits import RateUnit
from loadmgr.errors import SiteModelError

_US = timedelta(microseconds=1)  # all times are whole microseconds from the begin of the window: ties are exact
Triple = tuple[float, float, float]
"""A per phase on L1..L3, or three times the same sum in W."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Window:
    """The time that a composite schedule covers, and its unit."""

    from_at: datetime
    until_us: int
    unit: RateUnit

    def us(self, at: datetime) -> int:
        """Microseconds from the begin to ``at``."""
        return (at - self.from_at) // _US


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """A period of a profile as an interval ``[begin_us, end_us)`` with values in the window's unit."""

    begin_us: int
    end_us: int
    profile: Profile
    n_phases: int
    limit: Triple | None
    discharge: Triple | None
    setpoint: Triple | None


def to_us(seconds: float) -> int:
    """Whole microseconds."""
    return round(seconds * 1_000_000)


def _level(raw: PhaseLevels, units_from_to: tuple[RateUnit, RateUnit], n_phases: int, voltage_v: float) -> Triple | None:
    """A value in the wanted unit [A-70]. In W it is the sum of the phases in use, in A each phase has its own."""
    first, second, third = raw
    if first is None:
        return None
    given, wanted = units_from_to
    if second is None and third is None:
        if given == wanted:
            value = first
        elif wanted == "A":
            value = units.kw_to_a(units.w_to_kw(first), voltage_v, n_phases)
        else:
            value = kilo(units.a_to_kw(first, voltage_v, n_phases))
        return value, value, value
    each = (first, first if second is None else second, first if third is None else third)
    if given != wanted:
        factor = voltage_v if wanted == "W" else 1.0 / voltage_v
        each = (each[0] * factor, each[1] * factor, each[2] * factor)
    if wanted == "A":
        return each
    total = sum(each[:n_phases])
    return total, total, total


def spans_of(profile: Profile, context: StationContext, window: Window, evse: int) -> Iterator[Span]:
    """The intervals of a profile inside of the window, as EVSE ``evse`` (0: the station) sees it."""
    running = context.running.get(evse)
    schedule = _selected(profile, running)
    first_us, last_us = _validity(profile, context, window)
    for start_us, most_us in _starts(profile, schedule, context, window, running):
        stop_us = most_us if schedule.duration_s is None else min(most_us, start_us + to_us(schedule.duration_s))
        marks = [*(start_us + to_us(p.start_s) for p in schedule.periods), stop_us]
        for period, mark_us, next_us in zip(schedule.periods, marks, marks[1:], strict=False):
            begin_us, end_us = max(mark_us, first_us), min(next_us, stop_us, last_us)
            if begin_us < end_us:
                yield _span(profile, schedule, period, (begin_us, end_us), (window, _voltage_of(context, evse)))


def _voltage_of(context: StationContext, evse: int) -> float:
    """Nominal, line to neutral [A-70]; the station's is that of its first EVSE."""
    return context.wiring[evse if evse in context.wiring else min(context.wiring)].voltage_v


def _selected(profile: Profile, running: Running | None) -> Schedule:
    """The schedule that the car chose, else the first."""
    if running is not None and profile.purpose is ProfilePurpose.TX:
        chosen = [s for s in profile.schedules if s.no == running.schedule_no]
        return chosen[0] if chosen else profile.schedules[0]
    return profile.schedules[0]


def _validity(profile: Profile, context: StationContext, window: Window) -> tuple[int, int]:
    """Where the profile can count at all, clipped to the window; offline it ends after its offline time [A-104]."""
    first_us = 0 if profile.valid_from is None else max(0, window.us(profile.valid_from))
    last_us = window.until_us if profile.valid_to is None else min(window.until_us, window.us(profile.valid_to))
    if context.offline_since is not None and profile.offline_max_s is not None:
        last_us = min(last_us, window.us(context.offline_since) + to_us(profile.offline_max_s))
    return first_us, last_us


def _starts(
    profile: Profile, schedule: Schedule, context: StationContext, window: Window, running: Running | None
) -> Iterator[tuple[int, int]]:
    """When the schedule starts, and until when at most it lasts by its recurrence."""
    if profile.recurrence is not None and schedule.start_at is not None and profile.kind is ProfileKind.RECURRING:
        step = timedelta(seconds=profile.recurrence.step_s)
        zone = _zone(profile, context) if schedule.is_local else None
        yield from _recurrences(schedule.start_at, step, zone, window)
        return
    if profile.kind is ProfileKind.RELATIVE:
        base = None if running is None else running.started_at if context.ocpp == "1.6" else running.closed_at
        at_us = 0 if base is None else window.us(base)
    else:
        is_dynamic = profile.kind is ProfileKind.DYNAMIC
        base = profile.updated_at if is_dynamic else _start_of(profile, schedule, context)
        base = profile.received_at if base is None else base
        if base is None:
            raise SiteModelError(f"profile {profile.id}: neither its start nor the time of its receipt is known")
        at_us = window.us(base)
    yield at_us, max(at_us, window.until_us)


def _zone(profile: Profile, context: StationContext) -> tzinfo:
    if context.zone is None:
        raise SiteModelError(f"profile {profile.id} uses local time; give the time zone of the station")
    return context.zone


def _start_of(profile: Profile, schedule: Schedule, context: StationContext) -> datetime | None:
    if schedule.start_at is None or not schedule.is_local:
        return schedule.start_at
    return schedule.start_at.replace(tzinfo=_zone(profile, context)).astimezone(UTC)


def _recurrences(first: datetime, step: timedelta, zone: tzinfo | None, window: Window) -> Iterator[tuple[int, int]]:
    """Starts from the last one at or before the window on; elapsed time [A-12], or wall time in ``zone`` (2.1)."""
    here = window.from_at if zone is None else window.from_at.astimezone(zone).replace(tzinfo=None)
    start = first + ((here - first) // step - 1) * step
    start_us = window.us(_instant(start, zone))
    while start_us < window.until_us:
        start += step
        next_us = window.us(_instant(start, zone))
        yield start_us, next_us
        start_us = next_us


def _instant(start: datetime, zone: tzinfo | None) -> datetime:
    return start if zone is None else start.replace(tzinfo=zone).astimezone(UTC)


def _span(
    profile: Profile,
    schedule: Schedule,
    period: SchedulePeriod,
    begin_end_us: tuple[int, int],
    place: tuple[Window, float],
) -> Span:
    window, voltage_v = place
    n_phases = period.n_phases or N_PHASES_DEFAULT
    how = ((schedule.unit, window.unit), n_phases, voltage_v)
    zero = (0.0, 0.0, 0.0)
    is_idle = period.mode is OperationMode.IDLE
    return Span(
        begin_us=begin_end_us[0],
        end_us=begin_end_us[1],
        profile=profile,
        n_phases=n_phases,
        limit=zero if is_idle else _level(period.limits, *how),
        discharge=zero if is_idle else _level(period.discharge_limits, *how),
        setpoint=None if is_idle else _level(period.setpoints, *how),
    )
