"""The guard of delivery: how much cars may deliver at worst, when every other load falls to its least.

Charging is bounded as if nobody delivered, delivery as if nobody charged: neither relies on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from loadmgr import units
from loadmgr.control import rows as row_tools
from loadmgr.control import v2x
from loadmgr.control.evse_state import delivered_kw
from loadmgr.control.rows import KW_ROW, Age, Load
from loadmgr.control.site_state import SiteState, evse_bounds
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.limits import Limit, Tightest, tightest
from loadmgr.domain.session import Session
from loadmgr.domain.site import Evse, batteries_below

SENSE_KW = 0.1
"""Less than this is not worth the car's electronics."""


@dataclass(slots=True, kw_only=True)
class Back:
    """What may flow back through a node in one quantity: capacity, and what the cars may deliver of it."""

    phase: int
    capacity: float
    used: float = 0.0

    @property
    def room(self) -> float:
        """What is left; never negative where nothing may flow."""
        return self.capacity - self.used


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """A car that may deliver: what it delivers at worst now, what is wanted, and its most; kW, positive."""

    evse: Evse
    session: Session
    now_kw: float
    wanted_kw: float
    most_kw: float


def allocate(state: SiteState, now: datetime, wanted: Sequence[Wanted]) -> dict[EvseId, float]:
    """Delivery in kW (positive) per EVSE that breaks no limit even if every load fell to its least at once.

    Cuts come first; a rise only takes room that is free while every order in force is delivered in full. Every order
    is scaled down together where a limit has become too tight.
    """
    if not wanted:
        return {}
    backs = _backs(state, now, wanted)
    values = {w.evse.id: min(max(w.wanted_kw, 0.0), w.most_kw) for w in wanted}
    for back, members in backs:
        total = sum(_part(w, back.phase) * values[w.evse.id] for w in members)
        if total > max(back.capacity, 0.0) > 0.0 or (total > 0.0 and back.capacity <= 0.0):
            factor = max(back.capacity, 0.0) / total
            for w in members:
                values[w.evse.id] *= factor
    for back, members in backs:
        back.used = sum(_part(w, back.phase) * w.now_kw for w in members)
    for w in wanted:
        if values[w.evse.id] > w.now_kw:
            mine = [back for back, members in backs if w in members]
            room = min((max(b.room, 0.0) / _part(w, b.phase) for b in mine if _part(w, b.phase) > 0.0), default=0.0)
            rise = min(values[w.evse.id] - w.now_kw, room)
            values[w.evse.id] = w.now_kw + rise
            for b in mine:
                b.used += _part(w, b.phase) * rise
    return {e: units.round_down(v, 0.01) if v >= SENSE_KW else 0.0 for e, v in values.items()}


def _part(wanted: Wanted, phase: int) -> float:
    """What a delivered kW puts on a row of this phase."""
    evse = wanted.evse
    n_used = min(wanted.session.n_phases or evse.caps.n_phases, evse.caps.n_phases)
    if phase == KW_ROW:
        return 1.0
    if phase not in evse.phases_of(n_used):
        return 0.0
    return units.kw_to_a(1.0, evse.caps.voltage_v, n_used)


def _backs(state: SiteState, now: datetime, wanted: Sequence[Wanted]) -> list[tuple[Back, list[Wanted]]]:
    """One entry per bounded quantity of every node above a car that may deliver."""
    found: list[tuple[Back, list[Wanted]]] = []
    nodes: dict[NodeId, list[Wanted]] = {}
    for w in wanted:
        for node in state.site.path(w.evse.node):
            nodes.setdefault(node.id, []).append(w)
    least = _least_loads(state, now)
    for node_id, members in nodes.items():
        bound = _bounds(state, node_id, now)
        base = least[node_id]
        for phase, limit in _limits(bound):
            margin = row_tools.margin(limit, phase, state.params, state.site.voltage_at(node_id))
            back = limit - margin + row_tools.on_row(base, phase) if base is not None else 0.0
            found.append((Back(phase=phase, capacity=back), members))
        if bound.discharge_kw is not None:
            stored = sum(max(-b.power_kw, 0.0) for b in _batteries(state, node_id))
            found.append((Back(phase=KW_ROW, capacity=bound.discharge_kw - stored), members))
    return found


def _batteries(state: SiteState, node: NodeId) -> list[_Battery]:
    measured = state.energy.batteries
    return [
        _Battery(power_kw=measured[b.id].power_kw if b.id in measured else -b.discharge_max_kw)
        for b in batteries_below(state.site, node)
    ]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Battery:
    power_kw: float


def _limits(bound: Tightest) -> list[tuple[int, float]]:
    found = []
    if bound.current_a is not None:
        found += [(phase, bound.current_a) for phase in range(3)]
    if bound.export_kw is not None:
        found.append((KW_ROW, bound.export_kw))
    return found


def _bounds(state: SiteState, node: NodeId, now: datetime) -> Tightest:
    limits: list[Limit] = [*state.site.nodes[node].limits, *(x for x in state.limits.values() if x.node == node)]
    return tightest(limits, now)


def _least_loads(state: SiteState, now: datetime) -> Mapping[NodeId, Load | None]:
    """The least uncontrolled load below every node; ``None`` where a meter that should tell is not fresh."""
    ages = row_tools.uncontrolled(state, now)
    found: dict[NodeId, Load | None] = {}
    for node in sorted(state.site.nodes, key=lambda n: -sum(1 for _ in state.site.path(n))):
        found[node] = _least_load(state, node, now, (ages[node].age, found))
    return found


def _least_load(
    state: SiteState, node: NodeId, now: datetime, known: tuple[Age, Mapping[NodeId, Load | None]]
) -> Load | None:
    age, below = known
    if state.site.network.is_angled(node):
        return None  # what cars draw there is known in phase only, and that bounds nothing from below
    if state.site.nodes[node].meter is not None:
        estimate = state.base.get(node)
        if estimate is None or age is not Age.FRESH:
            return None
        most = evse_bounds(state, node, estimate.at)
        a, m = estimate.total_a, most.high_a
        return (a[0] - m[0], a[1] - m[1], a[2] - m[2]), estimate.total_kw - most.high_kw
    unseen_kw = row_tools.unseen_pv_kw(state, node, now)
    for child in state.site.children(node):
        unseen_kw -= row_tools.unseen_pv_kw(state, child, now)
    load = row_tools.balanced(-max(unseen_kw, 0.0), state.site.voltage_v)
    for child in state.site.children(node):
        part = below[child]
        if part is None:
            return None
        load = row_tools.plus(load, part)
    return load


def may_deliver(state: SiteState, now: datetime, plan_kw: Mapping[EvseId, float]) -> list[Wanted]:
    """Every session that can be commanded to deliver, with what the plan wants of it (kW, negative delivers)."""
    found = []
    for session in state.sessions.values():
        evse = state.site.evses[session.evse]
        known = state.evses[session.evse]
        now_kw = delivered_kw(known, now)
        if not v2x.is_capable(state, session) and now_kw <= 0.0:
            continue
        most = v2x.discharge_max_kw(state, session, now)
        wanted_kw = max(-plan_kw.get(session.evse, 0.0), 0.0)
        found.append(Wanted(evse=evse, session=session, now_kw=now_kw, wanted_kw=wanted_kw, most_kw=most))
    return found
