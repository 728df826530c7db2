"""What 'safe' means, and the last word before any setpoint.

``violations`` is the independent checker: the guard, the tests, the scenarios and the benchmarks all use it.
``lanes``, ``budgets`` and ``allocate`` bound setpoints by what the chargers may draw at worst, never by a plan.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from loadmgr import units
from loadmgr.control import rows as row_tools
from loadmgr.control import state as state_tools
from loadmgr.control.rows import KW_ROW, Age, Load, Row
from loadmgr.control.state import FailsafeState, SiteState
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.limits import Limit, LimitKind
from loadmgr.domain.plan import Violation
from loadmgr.domain.session import Session
from loadmgr.domain.site import PHASES, Evse, Site

CHECK_TOLERANCE = 1e-6

_FREE = frozenset({EvseStatus.AVAILABLE, EvseStatus.RESERVED, EvseStatus.UNAVAILABLE})


def violations(site: Site, limits: Iterable[Limit], loads: Mapping[NodeId, Load], at: datetime) -> tuple[Violation, ...]:
    """Every hard limit that ``loads`` exceed at ``at``.

    ``loads`` maps nodes to the whole load below them: (A on L1..L3, kW), import positive. A current limit bounds the
    magnitude in both directions, a power limit the import, an export limit what flows back. ``limits`` come on top of
    the limits of the site.
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
        found += [
            Violation(node=limit.node, phase=phase, at=at, value=value, limit=bound, source=limit.source)
            for phase, value, bound in values
            if not value <= bound + CHECK_TOLERANCE  # a NaN is a violation too
        ]
    return tuple(found)


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
    rows: list[Budget] = field(default_factory=list)

    def load(self, current_a: float, phase: int) -> float:
        """What ``current_a`` puts on a row of this phase."""
        if phase == KW_ROW:
            return units.a_to_kw(current_a, self.evse.caps.voltage_v, self.n_used)
        return current_a if phase in self.phases else 0.0

    def unit(self, phase: int) -> float:
        """Load on a row per ampere."""
        return self.load(1.0, phase)

    def counted_a(self, current_a: float, *, is_static: bool) -> float:
        """Under limits that hold at all times a lost link must fit too, so the rest current counts at least."""
        answers = self.is_controllable or self.is_free
        return max(current_a, self.rest_a) if is_static or not answers else current_a


@dataclass(slots=True, kw_only=True)
class Budget:
    """A row with the capacity that is left for EVSEs: limit − margin − uncontrolled load."""

    row: Row
    capacity: float
    margin: float
    age: Age
    used: float = 0.0

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
                evse=evse,
                session=session,
                phases=evse.phases_of(n_used),
                n_used=n_used,
                now_a=now_a,
                rest_a=rest,
                is_controllable=is_ready and session is not None and not known.is_disobedient,
                is_free=is_free,
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
    voltage_v, params = state.site.voltage_v, state.params
    found = []
    below: dict[NodeId, list[Lane]] = {}
    for lane in active:
        for node in state.site.path(lane.evse.node):
            below.setdefault(node.id, []).append(lane)
    all_rows = (*row_tools.static_rows(state.site), *row_tools.temporary_rows(state.site, state.limits.values(), now))
    for row in all_rows:
        known = base[row.node]
        margin = row_tools.margin(row.limit, row.phase, params, voltage_v)
        capacity = row.limit - margin - row_tools.on_row(known.load, row.phase)
        budget = Budget(row=row, capacity=capacity, margin=margin, age=known.age)
        found.append(budget)
        for lane in below.get(row.node, ()):
            if lane.unit(row.phase) > 0:
                lane.rows.append(budget)
    return found


def count(active: Sequence[Lane], bound: Sequence[Budget], values_a: Mapping[EvseId, float]) -> None:
    """Set ``used`` of every budget to what the lanes count at ``values_a`` (default: what they may draw now)."""
    for budget in bound:
        budget.used = 0.0
    for lane in active:
        value_a = values_a.get(lane.evse.id, lane.now_a)
        for budget in lane.rows:
            counted = lane.counted_a(value_a, is_static=budget.row.is_static)
            budget.used += lane.load(counted, budget.row.phase)


def room_a(lane: Lane, from_a: float) -> float:
    """How far the lane may rise from ``from_a``, A per phase, with everything else as counted; may be negative."""
    room = float("inf")
    for budget in lane.rows:
        spare = lane.counted_a(from_a, is_static=budget.row.is_static) - from_a
        room = min(room, budget.room / lane.unit(budget.row.phase) + spare)
    return room


def take(lane: Lane, from_a: float, to_a: float) -> None:
    """Count a lane at ``to_a`` instead of ``from_a``."""
    for budget in lane.rows:
        static = budget.row.is_static
        change = lane.counted_a(to_a, is_static=static) - lane.counted_a(from_a, is_static=static)
        budget.used += change * lane.unit(budget.row.phase)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What the plan or the fallback wants for a lane. Lanes with a lower ``order`` get their minimum first."""

    lane: Lane
    wanted_a: float
    order: tuple[float | str, ...]


def allocate(active: Sequence[Lane], bound: Sequence[Budget], wishes: Sequence[Wish]) -> dict[EvseId, float]:
    """Currents that fit every row if all chargers followed at once: zero or at least the minimum, rounded down.

    Minima first in the order of the wishes (who comes late waits: rotation), then the rest in equal proportion, then
    what is left in order [A-80, A-83, E11].
    """
    values: dict[EvseId, float] = {x.evse.id: 0.0 for x in active if x.is_controllable}
    count(active, bound, values)
    ordered = sorted(wishes, key=lambda w: w.order)
    served = []
    for wish in ordered:
        minimum_a = wish.lane.evse.caps.current_min_a
        if wish.wanted_a > 0.0 and room_a(wish.lane, 0.0) >= minimum_a - CHECK_TOLERANCE:
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
    for wish in served:
        gap_a = max(wish.wanted_a - values[wish.lane.evse.id], 0.0)
        for budget in wish.lane.rows:
            needed[id(budget)] = needed.get(id(budget), 0.0) + gap_a * wish.lane.unit(budget.row.phase)
    shares = {}
    for wish in served:
        share = 1.0
        for budget in wish.lane.rows:
            need = needed[id(budget)]
            if need > 0.0:
                share = min(share, max(budget.room, 0.0) / need)
        shares[wish.lane.evse.id] = share
    for wish in served:
        have_a = values[wish.lane.evse.id]
        more_a = max(wish.wanted_a - have_a, 0.0) * shares[wish.lane.evse.id]
        if more_a > 0.0:
            take(wish.lane, have_a, have_a + more_a)
            values[wish.lane.evse.id] = have_a + more_a
