"""What 'safe' means, and the last word before any setpoint.

``violations`` is the independent checker: the guard, the tests, the scenarios and the benchmarks all use it.
``lanes``, ``budgets`` and ``allocate`` bound setpoints by what the chargers may draw at worst, never by a plan.

Where currents add as phasors, worst is not "everybody in full": a car that draws less can raise the magnitude on a line.
There a row becomes cuts, bounds that hold for every part of what is allowed; see ``phasors.polygon`` for the proof.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loadmgr import units
from loadmgr.control import floors, phase_map, unbalance
from loadmgr.control import rows as row_tools
from loadmgr.control import state as state_tools
from loadmgr.control.rows import KW_ROW, Age, Row
from loadmgr.control.state import FailsafeState, SiteState
from loadmgr.control.station_limits import station_rows
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.limits import Limit, LimitKind
from loadmgr.domain.phasors import Cut, Lines
from loadmgr.domain.plan import Violation
from loadmgr.domain.session import Session
from loadmgr.domain.site import PHASES, Evse, Site

CHECK_TOLERANCE = 1e-6

_FREE = frozenset({EvseStatus.AVAILABLE, EvseStatus.RESERVED, EvseStatus.UNAVAILABLE})


Flows = Mapping[NodeId, tuple[Lines, float]]
"""Whole loads as (A on L1..L3, kW). A current is a number or, with its angle, a phasor; only its magnitude is judged."""


def violations(site: Site, limits: Iterable[Limit], loads: Flows, at: datetime) -> tuple[Violation, ...]:
    """Every hard limit that ``loads`` exceed at ``at``.

    ``loads`` maps nodes to the whole load below them, import positive: what a meter tells, or truth as in
    ``flows.judged``. A current limit bounds the magnitude in both directions, a power limit the import, an export limit
    what flows back, an unbalance limit the difference of the line conductors. ``limits`` come on top of those of the site.
    """
    found = []
    for limit in (*(x for node in site.nodes.values() for x in node.limits), *limits):
        if limit.kind is not LimitKind.HARD or not limit.holds_at(at) or limit.node not in loads:
            continue
        current_a, power_kw = loads[limit.node]
        values = []
        if limit.current_a is not None:
            values += [(PHASES[i], abs(current_a[i]), limit.current_a) for i in range(3)]
        if limit.power_kw is not None:
            values.append(("", power_kw, limit.power_kw))
        if limit.export_kw is not None:
            values.append(("", -power_kw, limit.export_kw))
        if limit.unbalance_a is not None:
            values.append((*_apart(current_a), limit.unbalance_a))
        found += [
            Violation(node=limit.node, phase=phase, at=at, value=value, limit=bound, source=limit.source)
            for phase, value, bound in values
            if not value <= bound + CHECK_TOLERANCE  # a NaN is a violation too
        ]
    return tuple(found)


def _apart(current_a: Lines) -> tuple[str, float]:
    """The two lines whose currents differ most, and by how much; what flows back counts with its sign."""
    found = [abs(x) if isinstance(x, complex) else x for x in current_a]
    most, least = max(range(3), key=found.__getitem__), min(range(3), key=found.__getitem__)
    return f"{PHASES[most]}-{PHASES[least]}", found[most] - found[least]


@dataclass(slots=True, kw_only=True)
class Lane:
    """Working record of one EVSE during one protect tick. Currents in A per phase.

    ``now_a`` may be drawn under the orders in force, ``rest_a`` without any order. ``is_free``: nobody can draw.
    """

    evse: Evse
    session: Session | None
    phases: tuple[int, ...]
    n_used: int
    now_a: float
    rest_a: float
    is_controllable: bool
    is_free: bool
    floor_a: float = 0.0
    """What a limit cannot bring it below: a charger that does not take zero [G-2]."""
    can_stop: bool = False
    """A remote stop brings it to zero where the floor does not fit [G-4]."""
    rows: list[Budget] = field(default_factory=list)
    units: dict[int, float] = field(default_factory=dict)
    """Load per ampere on each of its rows, by ``Budget.no``."""

    def load(self, current_a: float, phase: int) -> float:
        """What ``current_a`` puts on a row of this phase."""
        if phase == KW_ROW:
            return units.a_to_kw(current_a, self.evse.caps.voltage_v, self.n_used)
        return current_a if phase in self.phases else 0.0

    def bind(self, budget: Budget, unit: float) -> None:
        """Count the lane in a row, if an ampere of it adds anything."""
        if unit > 0.0:
            self.rows.append(budget)
            self.units[budget.no] = unit

    def counted_a(self, current_a: float, *, is_static: bool) -> float:
        """Under limits that hold at all times a lost link must fit too, so the rest current counts at least."""
        answers = self.is_controllable or self.is_free
        return max(current_a, self.rest_a) if is_static or not answers else current_a

    def both_a(self, current_a: float) -> tuple[float, float]:
        """``counted_a`` under limits that may pass, and under those that hold at all times."""
        held_a = max(current_a, self.rest_a)
        return (current_a if self.is_controllable or self.is_free else held_a), held_a


@dataclass(slots=True, kw_only=True)
class Budget:
    """A row with the capacity that is left for EVSEs: limit − margin − uncontrolled load.

    With a ``cut``: one of the bounds that hold the row together, its capacity and ``margin`` times the cut's shrink.
    """

    row: Row
    capacity: float
    margin: float
    age: Age
    used: float = 0.0
    cut: Cut | None = None
    no: int = 0

    @property
    def room(self) -> float:
        """What is left; negative when more is counted than fits."""
        return self.capacity - self.used


def lanes(state: SiteState, now: datetime) -> list[Lane]:
    """A lane for every EVSE that may draw now or after a lost link."""
    found = []
    for evse in state.site.evses.values():
        known = state.evses[evse.id]
        station = state.stations[evse.station]
        rest = state_tools.rest_a(state, evse.id)
        session = state.sessions.get(known.session) if known.session is not None else None
        is_ready = station.is_connected and station.failsafe is FailsafeState.CONFIRMED
        is_free = is_ready and session is None and known.status in _FREE and max(known.draw_a()) < 1.0
        n_used = evse.caps.n_phases
        if session is not None and session.n_phases is not None:
            n_used = min(session.n_phases, n_used)
        now_a = 0.0 if is_free else max(state_tools.allowed_a(state, evse.id, now), _excess_a(state, evse.id, now))
        if is_free and rest <= 0.0:
            continue
        found.append(
            Lane(
                evse=floors.fitted(state, evse, session),
                session=session,
                phases=phase_map.worst_phases(state, evse, n_used),
                n_used=n_used,
                now_a=now_a,
                rest_a=rest,
                is_controllable=is_ready and session is not None and not known.is_disobedient,
                is_free=is_free,
                floor_a=floors.floor_a(state, evse.id),
                can_stop=floors.is_stoppable(state, evse.id),
            )
        )
    return found


def _excess_a(state: SiteState, evse: EvseId, now: datetime) -> float:
    """Measured current of a car that draws more than it may: it counts in full [D-1]."""
    known = state.evses[evse]
    if known.excess_since is None or known.sample is None:
        return 0.0
    if (now - known.sample.at).total_seconds() > state.params.evse_stale_s:
        return state.site.evses[evse].caps.current_max_a
    return max(known.draw_a())


def budgets(state: SiteState, now: datetime, active: Sequence[Lane]) -> list[Budget]:
    """Rows with their capacity, linked into the lanes they bind."""
    base = row_tools.uncontrolled(state, now)
    site, params = state.site, state.params
    found: list[Budget] = []
    below: dict[NodeId, list[Lane]] = {}
    for lane in active:
        for node in site.path(lane.evse.node):
            below.setdefault(node.id, []).append(lane)
    all_rows = (*row_tools.static_rows(site), *row_tools.temporary_rows(site, state.limits.values(), now))
    for row in all_rows:
        known = base[row.node]
        margin = row_tools.margin(row.limit, row.phase, params, site.voltage_at(row.node))
        capacity = row.limit - margin - row_tools.counted(site, row.node, known.load, row.phase)
        budget = Budget(row=row, capacity=capacity, margin=margin, age=known.age, no=len(found))
        members = below.get(row.node, ())
        if row.phase != KW_ROW and site.network.is_angled(row.node):
            found += _cut_budgets(site, budget, members)
            continue
        found.append(budget)
        for lane in members:
            lane.bind(budget, lane.load(1.0, row.phase))
    for bound in station_rows(state, now):
        budget = Budget(row=bound.row, capacity=bound.row.limit, margin=0.0, age=Age.FRESH, no=len(found))
        found.append(budget)
        for lane in active:
            if lane.evse.id in bound.evses:
                lane.bind(budget, lane.load(1.0, bound.row.phase))
    return found + _pair_budgets(state, now, base, (below, len(found)))


def _pair_budgets(
    state: SiteState,
    now: datetime,
    base: Mapping[NodeId, row_tools.Uncontrolled],
    linked: tuple[Mapping[NodeId, Sequence[Lane]], int],
) -> list[Budget]:
    """The budgets of unbalance limits [F-30], linked into the lanes that can load one line more than another."""
    found: list[Budget] = []
    below, first_no = linked
    on: dict[EvseId, unbalance.Draws] = {}
    for bound in unbalance.pair_rows(state, now):
        row, known = bound.row, base[bound.row.node]
        margin = row_tools.margin(row.limit, row.phase, state.params, state.site.voltage_at(row.node))
        capacity = row.limit - margin - unbalance.base_a(known, bound.pair)
        budget = Budget(row=row, capacity=capacity, margin=margin, age=known.age, no=first_no + len(found))
        found.append(budget)
        for lane in below.get(row.node, ()):
            if lane.evse.id not in on:
                on[lane.evse.id] = unbalance.draws(state, lane)
            lane.bind(budget, 1.0 if unbalance.counts(on[lane.evse.id], bound.pair) else 0.0)
    return found


def _cut_budgets(site: Site, whole: Budget, members: Iterable[Lane]) -> list[Budget]:
    """The cuts of one line of a node, linked into the lanes they bind."""
    found: list[Budget] = []
    node = whole.row.node
    tables = [(lane, site.network.units[lane.evse.id, node][lane.n_used - 1]) for lane in members]
    for place, cut in enumerate(site.network.cuts[node]):
        if cut.line != whole.row.phase:
            continue
        capacity, margin = whole.capacity * cut.shrink, whole.margin * cut.shrink
        no = whole.no + len(found)
        budget = Budget(row=whole.row, capacity=capacity, margin=margin, age=whole.age, cut=cut, no=no)
        found.append(budget)
        for lane, units_of in tables:
            lane.bind(budget, units_of[place])
    return found


def count(active: Sequence[Lane], bound: Sequence[Budget], values_a: Mapping[EvseId, float]) -> None:
    """Set ``used`` of every budget to what the lanes count at ``values_a`` (default: what they may draw now)."""
    for budget in bound:
        budget.used = 0.0
    for lane in active:
        counted = lane.both_a(values_a.get(lane.evse.id, lane.now_a))
        for budget in lane.rows:
            budget.used += counted[budget.row.is_static] * lane.units[budget.no]


def room_a(lane: Lane, from_a: float) -> float:
    """How far the lane may rise from ``from_a``, A per phase, with everything else as counted; may be negative."""
    room, units_of = float("inf"), lane.units
    passing_a, static_a = lane.both_a(from_a)
    spare = (passing_a - from_a, static_a - from_a)
    for budget in lane.rows:
        found = (budget.capacity - budget.used) / units_of[budget.no] + spare[budget.row.is_static]
        room = min(room, found)
    return room


def take(lane: Lane, from_a: float, to_a: float) -> None:
    """Count a lane at ``to_a`` instead of ``from_a``."""
    before, after, units_of = lane.both_a(from_a), lane.both_a(to_a), lane.units
    change = (after[0] - before[0], after[1] - before[1])
    for budget in lane.rows:
        budget.used += change[budget.row.is_static] * units_of[budget.no]


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the plan or the fallback wants for a lane. Lanes with a lower ``order`` get their minimum first."""

    lane: Lane
    wanted_a: float
    order: tuple[float | str, ...]


def allocate(active: Sequence[Lane], bound: Sequence[Budget], wishes: Sequence[Wish]) -> dict[EvseId, float]:
    """Currents that fit every row if all chargers followed at once: zero or at least the minimum, rounded down.

    Minima first in the order of the wishes (who comes late waits: rotation), then the rest in equal proportion, then
    what is left in order [A-80, A-83, E11]. Before all of them come those that no limit brings to zero.
    """
    values: dict[EvseId, float] = {x.evse.id: 0.0 for x in active if x.is_controllable}
    count(active, bound, values)
    ordered = sorted(wishes, key=lambda w: (w.lane.floor_a <= 0.0, w.lane.can_stop, w.order))
    served = []
    for wish in ordered:
        minimum_a = wish.lane.evse.caps.current_min_a
        fits = room_a(wish.lane, 0.0) >= minimum_a - CHECK_TOLERANCE
        holds = wish.lane.floor_a > 0.0 and (fits or not wish.lane.can_stop)
        if holds or (wish.wanted_a > 0.0 and fits):
            take(wish.lane, 0.0, minimum_a)
            values[wish.lane.evse.id] = minimum_a
            served.append(wish)
    _raise_evenly(served, values)
    for wish in served:
        have_a = values[wish.lane.evse.id]
        more_a = min(wish.wanted_a - have_a, room_a(wish.lane, have_a))
        if more_a > 0.0:
            take(wish.lane, have_a, have_a + more_a)
            values[wish.lane.evse.id] = have_a + more_a
    for wish in served:
        caps = wish.lane.evse.caps
        down_a = units.round_down(min(values[wish.lane.evse.id], caps.current_max_a), caps.current_step_a)
        values[wish.lane.evse.id] = down_a if down_a >= caps.current_min_a else 0.0
    return values


def _raise_evenly(served: Sequence[Wish], values: dict[EvseId, float]) -> None:
    """One pass in which every row gives all its cars the same share of what they still want."""
    needed: dict[int, float] = {}
    rooms: dict[int, float] = {}
    for wish in served:
        gap_a, units_of = max(wish.wanted_a - values[wish.lane.evse.id], 0.0), wish.lane.units
        for budget in wish.lane.rows:
            no = budget.no
            needed[no] = needed.get(no, 0.0) + gap_a * units_of[no]
            rooms[no] = budget.capacity - budget.used
    part = {no: max(rooms[no], 0.0) / need for no, need in needed.items() if need > 0.0}
    shares = {w.lane.evse.id: min([1.0, *(part.get(b.no, 1.0) for b in w.lane.rows)]) for w in served}
    for wish in served:
        have_a = values[wish.lane.evse.id]
        more_a = max(wish.wanted_a - have_a, 0.0) * shares[wish.lane.evse.id]
        if more_a > 0.0:
            take(wish.lane, have_a, have_a + more_a)
            values[wish.lane.evse.id] = have_a + more_a
