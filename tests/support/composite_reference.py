"""A slow composite schedule, second by second and profile by profile, written from the rules A.7 and nothing else.

It shares the value types with the product and none of its computation. Times must be whole seconds.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr.domain.profiles import Profile, ProfileKind, ProfilePurpose, Schedule, SchedulePeriod, StationContext

INF = float("inf")
MAX, EXTERNAL = ProfilePurpose.STATION_MAX, ProfilePurpose.EXTERNAL
TX, DEFAULT = ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT
PRIORITY, GENERATION = ProfilePurpose.PRIORITY, ProfilePurpose.LOCAL_GENERATION


@dataclass(frozen=True)
class Second:
    """What holds during one second, in the unit asked for."""

    limit: float
    discharge: float | None
    setpoint: float | None
    n_phases: int


def chosen_schedule(profile: Profile, context: StationContext, evse: int) -> Schedule:
    run = context.running.get(evse)
    if run is not None and profile.purpose is TX:
        for schedule in profile.schedules:
            if schedule.no == run.schedule_no:
                return schedule
    return profile.schedules[0]


def schedule_start(profile: Profile, context: StationContext, evse: int, t: datetime, t0: datetime) -> datetime | None:
    """The start that counts at ``t``; ``None`` when the schedule has not begun."""
    schedule = chosen_schedule(profile, context, evse)
    run = context.running.get(evse)
    if profile.kind is ProfileKind.RELATIVE:
        anchor = None
        if run is not None:
            anchor = run.started_at if context.ocpp == "1.6" else run.closed_at
        start = anchor if anchor is not None else t0
        return start if t >= start else None
    if profile.kind is ProfileKind.DYNAMIC:
        start = profile.updated_at or profile.received_at
        return start if t >= start else None
    if profile.kind is ProfileKind.RECURRING:
        days = {"daily": 1, "weekly": 7}[profile.recurrence.value]
        best = None
        for k in range(-40, 41):
            one = schedule.start_at + timedelta(days=days) * k
            if schedule.is_local:
                one = one.replace(tzinfo=context.zone)
                one = datetime.fromtimestamp(one.timestamp(), tz=t.tzinfo)
            if one <= t and (best is None or one > best):
                best = one
        return best
    start = schedule.start_at
    if start is None:
        start = profile.received_at
    elif schedule.is_local:
        start = datetime.fromtimestamp(start.replace(tzinfo=context.zone).timestamp(), tz=t.tzinfo)
    return start if t >= start else None


def period_at(profile: Profile, context: StationContext, evse: int, t: datetime, t0: datetime) -> SchedulePeriod | None:
    """The period of a profile that runs at ``t``, if any."""
    if profile.valid_from is not None and t < profile.valid_from:
        return None
    if profile.valid_to is not None and not t < profile.valid_to:
        return None
    if context.offline_since is not None and profile.offline_max_s is not None:
        if t >= context.offline_since + timedelta(seconds=profile.offline_max_s):
            return None
    start = schedule_start(profile, context, evse, t, t0)
    if start is None:
        return None
    schedule = chosen_schedule(profile, context, evse)
    age = (t - start).total_seconds()
    if schedule.duration_s is not None and age >= schedule.duration_s:
        return None
    found = None
    for period in schedule.periods:
        if period.start_s <= age:
            found = period
    return found


def in_unit(value: float | None, period: SchedulePeriod, schedule: Schedule, unit: str, voltage_v: float) -> float | None:
    if value is None or schedule.unit == unit:
        return value
    watts_per_ampere = voltage_v * (period.n_phases if period.n_phases else 3)
    return value / watts_per_ampere if unit == "A" else value * watts_per_ampere


@dataclass(frozen=True)
class Lead:
    limit: float | None
    discharge: float | None
    setpoint: float | None
    n_phases: int


def lead(
    profiles: Sequence[Profile],
    purpose: ProfilePurpose,
    where: tuple[int, set[int]],
    context: StationContext,
    times,
    unit: str,
) -> Lead | None:
    """``where``: (the EVSE whose transaction counts, the EVSE numbers whose profiles count)."""
    (t, t0), (evse, numbers) = times, where
    run = context.running.get(evse)
    best: list[tuple[Profile, SchedulePeriod]] = []
    for profile in profiles:
        if profile.purpose is not purpose or profile.evse not in numbers:
            continue
        if purpose is TX:
            if run is None or profile.evse == 0:
                continue
            if profile.transaction and run.transaction and profile.transaction != run.transaction:
                continue
        period = period_at(profile, context, evse, t, t0)
        if period is not None:
            best.append((profile, period))
    if context.ocpp == "1.6" and purpose is DEFAULT and any(p.evse == evse for p, _ in best):
        best = [b for b in best if b[0].evse == evse]
    if not best:
        return None
    top = max(p.stack for p, _ in best)
    best = [b for b in best if b[0].stack == top]
    if all(p.received_at is not None for p, _ in best):
        last = max(p.received_at for p, _ in best)
        best = [b for b in best if b[0].received_at == last]
    voltage_v = context.wiring[evse if evse else min(context.wiring)].voltage_v
    leads = []
    for profile, period in best:
        schedule = chosen_schedule(profile, context, evse)
        if period.mode.value == "Idle":
            leads.append((0.0, profile.id, Lead(0.0, 0.0, None, period.n_phases or 3)))
            continue
        limit, discharge, setpoint = (
            in_unit(v, period, schedule, unit, voltage_v) for v in (period.limit, period.discharge_limit, period.setpoint)
        )
        leads.append((INF if limit is None else limit, profile.id, Lead(limit, discharge, setpoint, period.n_phases or 3)))
    return sorted(leads, key=lambda x: x[:2])[0][2]


def bounds_of(profiles, evse: int, numbers: set[int], context: StationContext, times, unit: str) -> tuple[Lead | None, ...]:
    run = context.running.get(evse)
    where = (evse, numbers)
    tx = None
    if run is not None and run.has_priority:
        tx = lead(profiles, PRIORITY, where, context, times, unit)
    if tx is None:
        tx = lead(profiles, TX, where, context, times, unit)
    if tx is None:
        tx = lead(profiles, DEFAULT, where, context, times, unit)
    return tx, lead(profiles, MAX, where, context, times, unit), lead(profiles, EXTERNAL, where, context, times, unit)


def hardware(context: StationContext, evse: int, unit: str) -> float:
    wire = context.wiring[evse]
    return wire.current_max_a if unit == "A" else wire.current_max_a * wire.voltage_v * wire.n_phases


def before_generation(profiles, evse: int, context: StationContext, times, unit: str) -> Second:
    """Limit, discharge limit, unclipped setpoint and phases of one EVSE without local generation."""
    tx, most, external = bounds_of(profiles, evse, {0, evse}, context, times, unit)
    told = [b for b in (tx, most, external) if b is not None]
    cap = hardware(context, evse, unit)
    limit = min([cap, *(b.limit for b in told if b.limit is not None)])
    discharges = [b.discharge for b in told if b.discharge is not None]
    order = (tx, external) if context.is_csms_setpoint_first else (external, tx)
    setpoints = [b.setpoint for b in order if b is not None and b.setpoint is not None]
    own = context.wiring[evse].n_phases
    if context.ocpp == "2.1":
        n_phases = min([own, *(b.n_phases for b in told)])
    else:
        binding = [b for b in told if b.limit is not None and b.limit == limit < cap]
        n_phases = min(binding[0].n_phases, own) if binding else own
    return Second(limit, max(discharges) if discharges else None, setpoints[0] if setpoints else None, n_phases)


def finished(values: Second, added: list[Lead], cap: float) -> Second:
    limit = min(cap, values.limit + sum(a.limit for a in added if a.limit is not None))
    n_phases = min([values.n_phases, *(a.n_phases for a in added if a.limit is not None)])
    setpoint = values.setpoint
    if setpoint is not None:
        if values.discharge is not None and setpoint < values.discharge:
            setpoint = values.discharge
        setpoint = min(setpoint, limit)
    return Second(limit, values.discharge, setpoint, n_phases)


def second_of_evse(profiles, evse: int, context: StationContext, times, unit: str) -> Second:
    added = lead(profiles, GENERATION, (evse, {0, evse}), context, times, unit)
    values = before_generation(profiles, evse, context, times, unit)
    return finished(values, [added] if added else [], hardware(context, evse, unit))


def second_of_station(profiles, context: StationContext, times, unit: str) -> Second:
    """A.7.4: the sum of the EVSEs, then the maximum and external limits of the station, then local generation."""
    numbers = sorted(context.wiring)
    parts = [before_generation(profiles, n, context, times, unit) for n in numbers]
    most = lead(profiles, MAX, (0, {0}), context, times, unit)
    external = lead(profiles, EXTERNAL, (0, {0}), context, times, unit)
    told = [b for b in (most, external) if b is not None]
    total = sum(p.limit for p in parts)
    n_phases = max(p.n_phases for p in parts)
    if context.ocpp == "2.1":
        n_phases = min([n_phases, *(b.n_phases for b in told)])
    else:
        limits = sorted(((b.limit, i) for i, b in enumerate(told) if b.limit is not None and b.limit < total))
        if limits:
            n_phases = min(n_phases, told[limits[0][1]].n_phases)
    discharges = [p.discharge for p in parts if p.discharge is not None]
    all_discharges = [*([sum(discharges)] if discharges else []), *(b.discharge for b in told if b.discharge is not None)]
    setpoints = [p.setpoint for p in parts if p.setpoint is not None]
    setpoint = sum(setpoints) if setpoints else None
    if external is not None and external.setpoint is not None and not context.is_csms_setpoint_first:
        setpoint = external.setpoint
    values = Second(
        min([total, *(b.limit for b in told if b.limit is not None)]),
        max(all_discharges) if all_discharges else None,
        setpoint,
        n_phases,
    )
    added = [lead(profiles, GENERATION, (0, {0}), context, times, unit)]
    added += [lead(profiles, GENERATION, (n, {n}), context, times, unit) for n in numbers]
    return finished(values, [a for a in added if a], sum(hardware(context, n, unit) for n in numbers))


def seconds(
    profiles: Sequence[Profile], context: StationContext, evse: int, from_at: datetime, duration_s: int, unit: str
) -> list[Second]:
    """What holds in each second of the window; EVSE 0 is the station."""
    found = []
    for second in range(duration_s):
        times = (from_at + timedelta(seconds=second), from_at)
        if evse == 0:
            found.append(second_of_station(profiles, context, times, unit))
        else:
            found.append(second_of_evse(profiles, evse, context, times, unit))
    return found
