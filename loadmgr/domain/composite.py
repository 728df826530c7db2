"""What a station will do: its composite schedule, computed from its profiles by the rules of its version [A.7]."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loadmgr.domain.profile_spans import Span, Triple, Window, spans_of, to_us
from loadmgr.domain.profiles import PhaseLevels, Profile, ProfileKind, ProfilePurpose, StationContext, purposes_of
from loadmgr.domain.traits import RateUnit
from loadmgr.errors import SiteModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What decides a value: a profile, or the hardware where both fields are ``None``."""

    purpose: ProfilePurpose | None = None
    profile: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositePeriod:
    """Values from ``start_s`` after the begin on, in the unit of the composite; in A they are per phase.

    Values for L2 and L3 are given only where they differ from L1. ``discharge_limit`` ``None``: nobody speaks of
    discharging. ``sources``: what decided the limit, in the order of time.
    """

    start_s: float
    limit: float
    n_phases: int
    limit_l2: float | None = None
    limit_l3: float | None = None
    discharge_limit: float | None = None
    discharge_limit_l2: float | None = None
    discharge_limit_l3: float | None = None
    setpoint: float | None = None
    setpoint_l2: float | None = None
    setpoint_l3: float | None = None
    sources: tuple[Source, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Composite:
    """What an EVSE (0: the station) will allow over ``duration_s`` from ``from_at``; neighbours differ [A.7.5]."""

    evse: int
    from_at: datetime
    duration_s: float
    unit: RateUnit
    periods: tuple[CompositePeriod, ...]

    def at(self, offset_s: float) -> CompositePeriod:
        """The period in force ``offset_s`` after the begin; before the first one and after the end the nearest."""
        started = [p for p in self.periods if p.start_s <= offset_s]
        return started[-1] if started else self.periods[0]


def composite(
    profiles: Iterable[Profile],
    context: StationContext,
    *,
    evse: int,
    from_at: datetime,
    duration_s: float,
    unit: RateUnit = "A",
) -> Composite:
    """The composite schedule of an EVSE, or of the whole station for ``evse`` 0, by the version's rules [A.7].

    An EVSE without a running transaction counts as if one started at ``from_at`` (K08). Nothing is rounded. Raises
    ``SiteModelError`` for an EVSE that has no wiring, and for a purpose or kind that the version does not have.
    """
    _check(context, evse, from_at, duration_s)
    window = Window(from_at=from_at, until_us=to_us(duration_s), unit=unit)
    known = tuple(profiles)
    for profile in known:
        if profile.purpose not in purposes_of(context.ocpp):
            raise SiteModelError(f"profile {profile.id}: OCPP {context.ocpp} has no purpose {profile.purpose}")
        if profile.kind is ProfileKind.DYNAMIC and context.ocpp != "2.1":
            raise SiteModelError(f"profile {profile.id}: OCPP {context.ocpp} has no dynamic profiles")
    values = _station(known, context, window) if evse == 0 else _evse(known, context, window, evse)
    return Composite(evse=evse, from_at=from_at, duration_s=duration_s, unit=unit, periods=tuple(_merged(values)))


def _check(context: StationContext, evse: int, from_at: datetime, duration_s: float) -> None:
    if not context.wiring or (evse != 0 and evse not in context.wiring):
        raise SiteModelError(f"EVSE {evse} is not known; the station has {sorted(context.wiring)} [A.7.5]")
    if not 0 < duration_s < math.inf:
        raise SiteModelError(f"a composite schedule over {duration_s} s; use a positive duration")
    if from_at.tzinfo is None:
        raise SiteModelError(f"a composite schedule from {from_at}: the time must have a time zone")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Values:
    limit: Triple
    discharge: Triple | None
    setpoint: Triple | None
    n_phases: int
    sources: tuple[Source, ...]


_HARDWARE = (Source(),)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Scene:
    """One EVSE, or the station, with the intervals of the profiles that apply to it."""

    spans: tuple[Span, ...]
    hardware: Triple
    n_phases: int
    has_priority: bool
    context: StationContext


class _Sweep:
    """The intervals of a scene that hold at an instant; instants must not go back."""

    def __init__(self, scene: _Scene) -> None:
        self.scene = scene
        self.coming = sorted(scene.spans, key=lambda s: s.begin_us, reverse=True)
        self.active: list[Span] = []

    def at(self, at_us: int) -> list[Span]:
        """What holds at this instant."""
        while self.coming and self.coming[-1].begin_us <= at_us:
            self.active.append(self.coming.pop())
        self.active = [s for s in self.active if s.end_us > at_us]
        return self.active


def _scene(profiles: Sequence[Profile], context: StationContext, window: Window, evse: int) -> _Scene:
    wiring = context.wiring[evse]
    running = context.running.get(evse)
    return _Scene(
        spans=tuple(s for p in profiles if _applies(p, context, evse) for s in spans_of(p, context, window, evse)),
        hardware=(wiring.most(window.unit),) * 3,
        n_phases=wiring.n_phases,
        has_priority=running is not None and running.has_priority,
        context=context,
    )


def _applies(profile: Profile, context: StationContext, evse: int) -> bool:
    """A transaction's profile counts on its own EVSE while its own transaction runs [A-3, A-4]."""
    if profile.purpose is not ProfilePurpose.TX:
        return profile.evse in {0, evse}
    running = context.running.get(evse)
    if running is None or profile.evse != evse:
        return False
    return not (profile.transaction and running.transaction) or profile.transaction == running.transaction


def _instants(scenes: Iterable[_Scene], window: Window) -> list[int]:
    """Every instant at which something may change, the begin of the window first and its end not included."""
    found = {0}
    for scene in scenes:
        found.update(s.begin_us for s in scene.spans)
        found.update(s.end_us for s in scene.spans)
    return sorted(at_us for at_us in found if at_us < window.until_us)


def _evse(profiles: Sequence[Profile], context: StationContext, window: Window, evse: int) -> Iterator[tuple[int, _Values]]:
    scene = _scene(profiles, context, window, evse)
    sweep = _Sweep(scene)
    for at_us in _instants([scene], window):
        active = sweep.at(at_us)
        added = _lead(active, ProfilePurpose.LOCAL_GENERATION, scene)
        yield at_us, _clipped(_generated(_bounded(active, scene), [added], scene))


def _station(profiles: Sequence[Profile], context: StationContext, window: Window) -> Iterator[tuple[int, _Values]]:
    """The sum of the EVSEs, at most the maximum of the station and external limits on it [A.7.4]."""
    generation = ProfilePurpose.LOCAL_GENERATION
    each = [p for p in profiles if p.purpose is not generation or p.evse != 0]
    scenes = [_scene(each, context, window, evse) for evse in sorted(context.wiring)]
    shared = (ProfilePurpose.STATION_MAX, ProfilePurpose.EXTERNAL, generation)
    whole = _Scene(
        spans=tuple(s for p in profiles if p.evse == 0 and p.purpose in shared for s in spans_of(p, context, window, 0)),
        hardware=_summed([s.hardware for s in scenes]),
        n_phases=max(s.n_phases for s in scenes),
        has_priority=False,
        context=context,
    )
    sweeps, station = [_Sweep(s) for s in scenes], _Sweep(whole)
    for at_us in _instants([whole, *scenes], window):
        active = station.at(at_us)
        parts = [(s.scene, s.at(at_us)) for s in sweeps]
        values = _limited_sum([_bounded(a, scene) for scene, a in parts], active, whole)
        added = [_lead(active, generation, whole), *(_lead(a, generation, scene) for scene, a in parts)]
        yield at_us, _clipped(_generated(values, added, whole))


def _limited_sum(parts: Sequence[_Values], active: Sequence[Span], whole: _Scene) -> _Values:
    external = _lead(active, ProfilePurpose.EXTERNAL, whole)
    discharges = [p.discharge for p in parts if p.discharge is not None]
    setpoints = [p.setpoint for p in parts if p.setpoint is not None]
    setpoint = _summed(setpoints) if setpoints else None
    if external is not None and external.setpoint is not None and not whole.context.is_csms_setpoint_first:
        setpoint = external.setpoint  # it is one for the whole station
    total = _Values(
        limit=_summed([p.limit for p in parts]),
        discharge=_summed(discharges) if discharges else None,
        setpoint=setpoint,
        n_phases=max(p.n_phases for p in parts),
        sources=tuple(dict.fromkeys(s for p in parts for s in p.sources)),
    )
    most = _lead(active, ProfilePurpose.STATION_MAX, whole)
    return _tightened(total, [s for s in (most, external) if s is not None], whole)


def _lead(active: Sequence[Span], purpose: ProfilePurpose, scene: _Scene) -> Span | None:
    """The leading profile of a purpose: the highest stack level; of a tie the last installed, else the lower [A.7.2]."""
    found = [s for s in active if s.profile.purpose is purpose]
    if scene.context.ocpp == "1.6" and purpose is ProfilePurpose.TX_DEFAULT:
        found = [s for s in found if s.profile.evse != 0] or found  # the one on n beats the one on 0
    if len(found) > 1:
        highest = max(s.profile.stack for s in found)
        found = [s for s in found if s.profile.stack == highest]
    if len(found) > 1:
        times = [s.profile.received_at for s in found]
        known = [t for t in times if t is not None]
        if len(known) == len(times):
            found = [s for s in found if s.profile.received_at == max(known)]
    return min(found, key=_low_first) if found else None


def _low_first(span: Span) -> tuple[float, int]:
    return sum(span.limit) if span.limit is not None else math.inf, span.profile.id


def _bounded(active: Sequence[Span], scene: _Scene) -> _Values:
    """Every purpose but local generation, combined [A.7.3]; the setpoint is not clipped yet."""
    tx = _lead(active, ProfilePurpose.PRIORITY, scene) if scene.has_priority else None
    tx = tx or _lead(active, ProfilePurpose.TX, scene) or _lead(active, ProfilePurpose.TX_DEFAULT, scene)
    external = _lead(active, ProfilePurpose.EXTERNAL, scene)
    bounds = [s for s in (tx, _lead(active, ProfilePurpose.STATION_MAX, scene), external) if s is not None]
    wishes = (tx, external) if scene.context.is_csms_setpoint_first else (external, tx)
    setpoints = [s.setpoint for s in wishes if s is not None and s.setpoint is not None]
    free = _Values(
        limit=scene.hardware,
        discharge=None,
        setpoint=setpoints[0] if setpoints else None,
        n_phases=scene.n_phases,
        sources=_HARDWARE,
    )
    return _tightened(free, bounds, scene)


def _tightened(values: _Values, bounds: Sequence[Span], scene: _Scene) -> _Values:
    """The least limit, the discharge limit nearest to zero, and in 2.1 the fewest phases (K01.FR.140).

    Before 2.1 the phases are those of the profile that decides the limit.
    """
    limit, discharge, sources, n_phases = values.limit, values.discharge, values.sources, values.n_phases
    for span in bounds:
        if span.limit is not None:
            if min(span.limit) < min(limit):
                sources = (Source(purpose=span.profile.purpose, profile=span.profile.id),)
                n_phases = min(span.n_phases, values.n_phases)
            limit = _each(min, limit, span.limit)
        if span.discharge is not None:
            discharge = span.discharge if discharge is None else _each(max, discharge, span.discharge)
    if scene.context.ocpp == "2.1":
        n_phases = min([values.n_phases, *(s.n_phases for s in bounds)])
    return replace(values, limit=limit, discharge=discharge, sources=sources, n_phases=n_phases)


def _generated(values: _Values, generation: Iterable[Span | None], scene: _Scene) -> _Values:
    """Local generation is added to the limit, never above the hardware [A.7.3, A-93]."""
    limit, n_phases = values.limit, values.n_phases
    for span in generation:
        if span is not None and span.limit is not None:
            limit = _summed([limit, span.limit])
            n_phases = min(n_phases, span.n_phases)
    sources = _HARDWARE if min(limit) > min(scene.hardware) else values.sources
    return replace(values, limit=_each(min, limit, scene.hardware), n_phases=n_phases, sources=sources)


def _clipped(values: _Values) -> _Values:
    """The setpoint inside of the limits [A.7.3]."""
    setpoint = values.setpoint
    if setpoint is None:
        return values
    if values.discharge is not None:
        setpoint = _each(max, setpoint, values.discharge)
    return replace(values, setpoint=_each(min, setpoint, values.limit))


def _each(choose: Callable[[float, float], float], one: Triple, other: Triple) -> Triple:
    return choose(one[0], other[0]), choose(one[1], other[1]), choose(one[2], other[2])


def _summed(triples: Sequence[Triple]) -> Triple:
    return sum(t[0] for t in triples), sum(t[1] for t in triples), sum(t[2] for t in triples)


def _merged(values: Iterable[tuple[int, _Values]]) -> Iterator[CompositePeriod]:
    """Neighbours with the same values become one period [A.7.5]."""
    found: list[tuple[int, _Values]] = []
    for at_us, now in values:
        if found and replace(now, sources=found[-1][1].sources) == found[-1][1]:
            begun_us, same = found[-1]
            found[-1] = begun_us, replace(same, sources=tuple(dict.fromkeys((*same.sources, *now.sources))))
        else:
            found.append((at_us, now))
    return (_period(at_us, same) for at_us, same in found)


def _period(at_us: int, values: _Values) -> CompositePeriod:
    limit, discharge, setpoint = _told(values.limit), _told(values.discharge), _told(values.setpoint)
    return CompositePeriod(
        start_s=at_us / 1_000_000,
        limit=values.limit[0],
        limit_l2=limit[1],
        limit_l3=limit[2],
        discharge_limit=discharge[0],
        discharge_limit_l2=discharge[1],
        discharge_limit_l3=discharge[2],
        setpoint=setpoint[0],
        setpoint_l2=setpoint[1],
        setpoint_l3=setpoint[2],
        n_phases=values.n_phases,
        sources=values.sources,
    )


def _told(triple: Triple | None) -> PhaseLevels:
    """L2 and L3 only where they differ from L1."""
    if triple is None:
        return None, None, None
    first, second, third = triple
    return first, None if second == first else second, None if third == first else third
