"""Which grid phases an EVSE really loads: learned from the site meter and from its own labels, compared with the site file.

A step of one EVSE alone shows at the meter above it [F-21]; labels of its own meter name grid phases or its terminals
[F-22, G-98]. What differs from the configured rotation is evidence for the operator; until the site file is put right the
worst case of both counts. Nothing here outlives a restart: it is learned again within some sessions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TYPE_CHECKING

from loadmgr import units
from loadmgr.domain import events as ev
from loadmgr.domain.events import Severity
from loadmgr.domain.ids import EvseId, MeterId, NodeId
from loadmgr.domain.samples import PerPhase, Quality
from loadmgr.domain.site import PHASES, ROTATIONS, Evse, Site

if TYPE_CHECKING:
    from loadmgr.control.site_state import SiteState

STEP_A = 4.0
"""Smallest step worth a look, A summed over the phases."""
QUIET_A = 1.0
"""Another EVSE that moves more spoils the comparison; above it a phase carries a car [C-4]."""
AFTER = timedelta(seconds=2)
LATE = timedelta(seconds=30)
NEAR = timedelta(seconds=5)
"""A reading of the meter this close to a sample of the EVSE is of the same moment."""
KEPT = timedelta(seconds=60)
"""Readings of a site meter are kept for this long."""
FIT = (0.7, 1.3)
"""The meter must show this part of the step, or something else moved."""
LOADED_FRAC, FREE_FRAC = 0.25, 0.12
"""A phase with more than the first part of the step carries it, with less than the second it does not."""
VOTES_N, VOTES_FRAC = 3, 0.75
"""So many steps, and this part of all, must say the same."""
VOTES_MAX = 40

Phases = tuple[int, ...]
Votes = Mapping[Phases, int]


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A change of one EVSE, A summed over the phases, that waits for the meter; ``before`` is its last reading."""

    evse: EvseId
    from_at: datetime
    to_at: datetime
    total_a: float
    before: PerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseBook:
    """What is known so far. ``seen`` are votes of the site meter, ``labelled`` those of the EVSEs' own labels."""

    readings: Mapping[MeterId, tuple[tuple[datetime, PerPhase], ...]] = field(default_factory=dict)
    steps: Mapping[MeterId, Step] = field(default_factory=dict)
    moved_at: Mapping[EvseId, datetime] = field(default_factory=dict)
    seen: Mapping[EvseId, Votes] = field(default_factory=dict)
    labelled: Mapping[EvseId, Votes] = field(default_factory=dict)
    by_meter: Mapping[EvseId, Mapping[int, Phases]] = field(default_factory=dict)
    """What the votes of the site meter agree on, by the number of phases in use."""
    by_label: Mapping[EvseId, Mapping[int, Phases]] = field(default_factory=dict)


def meter_above(site: Site, evse: Evse) -> tuple[MeterId, NodeId] | None:
    """The nearest meter above an EVSE, unless a transformer stands between: it turns the phases."""
    for node in site.path(evse.node):
        if node.meter is not None:
            return node.meter, node.id
        if node.id in site.network.transformers:
            return None
    return None


def with_sample(
    book: PhaseBook, site: Site, before: ev.MeterSample | None, event: ev.MeterSample, *, labels_terminals: bool
) -> PhaseBook:
    """After a live sample of an EVSE; ``before`` is the one before it."""
    evse, current_a = site.evses[EvseId(event.meter)], event.measured.current_a
    if event.quality is Quality.HISTORY or current_a is None or evse.is_line_to_line:
        return book
    if event.measured.has_phases and not labels_terminals:
        book = _labelled(book, evse, current_a)
    if before is None or before.measured.current_a is None or event.measured_at <= before.measured_at:
        return book
    change_a = [new - old for new, old in zip(current_a, before.measured.current_a, strict=True)]
    if max(abs(x) for x in change_a) < QUIET_A:
        return book
    moved = MappingProxyType({**book.moved_at, evse.id: event.measured_at})
    book = replace(book, moved_at=moved)
    above = meter_above(site, evse)
    total_a = _total_a(evse, before, event) if not event.measured.has_phases else sum(change_a)
    if above is None or abs(total_a) < STEP_A or event.measured_at - before.measured_at > LATE:
        return book
    nearest = min(book.readings.get(above[0], ()), key=lambda r: abs(r[0] - before.measured_at), default=None)
    if nearest is None or abs(nearest[0] - before.measured_at) > NEAR:
        return book
    step = Step(evse=evse.id, from_at=before.measured_at, to_at=event.measured_at, total_a=total_a, before=nearest[1])
    return replace(book, steps=MappingProxyType({**book.steps, above[0]: step}))


def _total_a(evse: Evse, before: ev.MeterSample, event: ev.MeterSample) -> float:
    """A change as current summed over the phases; from the power where the phases were spread by us."""
    old, new = before.measured, event.measured
    if old.power_kw is not None and new.power_kw is not None:
        return units.kw_to_a(new.power_kw - old.power_kw, evse.caps.voltage_v, 1)
    return sum(new.current_a or ()) - sum(old.current_a or ())


def _labelled(book: PhaseBook, evse: Evse, current_a: PerPhase) -> PhaseBook:
    """A car on one or two phases shows which phases the charger's own labels name."""
    loaded = tuple(p for p in range(3) if abs(current_a[p]) >= QUIET_A)
    if not loaded or len(loaded) > 2:
        return book
    votes = _voted(book.labelled, evse.id, loaded)
    settled = {**book.by_label, evse.id: _all_agreed(votes[evse.id])}
    return replace(book, labelled=votes, by_label=MappingProxyType(settled))


def with_meter(book: PhaseBook, site: Site, event: ev.MeterSample) -> PhaseBook:
    """After a reading of a site meter: a step that waits for it is judged."""
    current_a = event.measured.current_a
    if event.quality is Quality.HISTORY or current_a is None:
        return book
    kept = tuple(r for r in book.readings.get(event.meter, ()) if event.measured_at - r[0] <= KEPT)
    book = replace(book, readings=MappingProxyType({**book.readings, event.meter: (*kept, (event.measured_at, current_a))}))
    step = book.steps.get(event.meter)
    if step is None or event.measured_at < step.to_at + AFTER:
        return book
    book = replace(book, steps=MappingProxyType({m: s for m, s in book.steps.items() if m != event.meter}))
    above = meter_above(site, site.evses[step.evse])
    if above is None or event.measured_at > step.to_at + LATE or not _is_alone(book, site, step, above[1]):
        return book
    loaded = _loaded(step, current_a)
    if loaded is None:
        return book
    votes = _voted(book.seen, step.evse, loaded)
    settled = {**book.by_meter, step.evse: _all_agreed(votes[step.evse])}
    return replace(book, seen=votes, by_meter=MappingProxyType(settled))


def _is_alone(book: PhaseBook, site: Site, step: Step, node: NodeId) -> bool:
    """Did no other EVSE below the meter move since before the step?"""
    return all(book.moved_at[e] < step.from_at for e in site.below[node] if e != step.evse and e in book.moved_at)


def _loaded(step: Step, after: PerPhase) -> Phases | None:
    """The phases on which a step shows at the meter; ``None`` when the meter shows something else."""
    parts = [(new - old) / step.total_a for new, old in zip(after, step.before, strict=True)]
    if not FIT[0] <= sum(parts) <= FIT[1]:
        return None
    loaded = tuple(p for p in range(3) if parts[p] >= LOADED_FRAC)
    is_clear = all(abs(parts[p]) <= FREE_FRAC for p in range(3) if p not in loaded)
    return loaded if loaded and is_clear else None


def _voted(known: Mapping[EvseId, Votes], evse: EvseId, phases: Phases) -> Mapping[EvseId, Votes]:
    votes = dict(known.get(evse, {}))
    votes[phases] = votes.get(phases, 0) + 1
    if sum(votes.values()) > VOTES_MAX:  # what is old counts less: wiring can be changed
        votes = {p: n // 2 for p, n in votes.items() if n >= 2}
    return MappingProxyType({**known, evse: MappingProxyType(votes)})


def agreed(votes: Votes, n_used: int) -> Phases | None:
    """What the votes for ``n_used`` phases agree on; ``None`` while they do not."""
    found = {phases: n for phases, n in votes.items() if len(phases) == n_used}
    if not found:
        return None
    best = max(found, key=lambda p: (found[p], p))
    return best if found[best] >= VOTES_N and found[best] >= VOTES_FRAC * sum(found.values()) else None


def found_phases(book: PhaseBook, evse: Evse, n_used: int) -> Phases | None:
    """Where a car on ``n_used`` phases loads the grid by what was seen; the site meter stands above the labels."""
    if evse.is_line_to_line or n_used not in {1, 2}:
        return None
    return book.by_meter.get(evse.id, {}).get(n_used) or book.by_label.get(evse.id, {}).get(n_used)


def worst_phases(state: SiteState, evse: Evse, n_used: int) -> Phases:
    """Phases on which a car counts: the configured ones and, until the operator settles it, those that were seen."""
    configured = evse.phases_of(n_used)
    found = found_phases(state.phases, evse, n_used) if state.phases.seen or state.phases.labelled else None
    return configured if found is None else tuple(sorted({*configured, *found}))


def rotations_of(found: Mapping[int, Phases]) -> tuple[str, ...]:
    """Rotations that fit what was found: number of phases in use → grid phases."""
    return tuple(
        name
        for name, lines in ROTATIONS.items()
        if len(lines) == 3 and all(set(lines[:n]) == set(phases) for n, phases in found.items())
    )


def causes(state: SiteState, now: datetime) -> Iterator[ev.AlarmRaised]:
    """Alarms about rotations and labels that contradict what was measured [F-21, F-22, G-98]."""
    book = state.phases
    for evse in state.site.evses.values():
        if evse.id not in book.seen and evse.id not in book.labelled:
            continue
        by_meter, by_label = book.by_meter.get(evse.id, {}), book.by_label.get(evse.id, {})
        wrong = {n: p for n, p in by_meter.items() if _differs(evse, n, p)}
        if wrong:
            yield _rotation_alarm(evse, by_meter, wrong, now)
            continue
        odd = {n: p for n, p in by_label.items() if _differs(evse, n, p)}
        if odd:
            yield _label_alarm(evse, odd, is_proven=any(n in by_meter for n in odd), now=now)


def _all_agreed(votes: Votes) -> dict[int, Phases]:
    return {n: found for n in (1, 2) if (found := agreed(votes, n)) is not None}


def _differs(evse: Evse, n_used: int, found: Phases) -> bool:
    if evse.caps.n_phases < n_used:
        return False
    return not evse.has_known_rotation or set(evse.phases_of(n_used)) != set(found)


def _named(phases: Phases) -> str:
    return " and ".join(PHASES[p] for p in phases)


def _rotation_alarm(evse: Evse, found: Mapping[int, Phases], wrong: Mapping[int, Phases], now: datetime) -> ev.AlarmRaised:
    n_used, phases = next(iter(wrong.items()))
    fitting = " or ".join(f'rotation = "{name}"' for name in rotations_of(found)) or "its rotation"
    said = f'rotation "{evse.rotation}" says {_named(evse.phases_of(n_used))}'
    is_known = evse.has_known_rotation
    return ev.AlarmRaised(
        at=now,
        key=f"rotation:{evse.id}",
        severity=Severity.WARNING if is_known else Severity.INFO,
        message=f"a car on {n_used} phase(s) of EVSE {evse.id} loads {_named(phases)} at the meter; "
        + (said if is_known else "its rotation is not known"),
        remedy=f"check the wiring and write {fitting} into the site file; until then both count",
    )


def _label_alarm(evse: Evse, odd: Mapping[int, Phases], *, is_proven: bool, now: datetime) -> ev.AlarmRaised:
    n_used, phases = next(iter(odd.items()))
    configured = _named(evse.phases_of(n_used))
    cause = (
        "the meter agrees with the site file, so its labels name its terminals"
        if is_proven
        else ("either the rotation is wrong, or its labels name its terminals")
    )
    return ev.AlarmRaised(
        at=now,
        key=f"labels:{evse.id}",
        severity=Severity.INFO if is_proven else Severity.WARNING,
        message=f"EVSE {evse.id} labels the load of a car on {n_used} phase(s) {_named(phases)}, "
        f'rotation "{evse.rotation}" says {configured}: {cause}',
        remedy="write labels_terminals = true into the traits of its station, or put its rotation right",
    )
