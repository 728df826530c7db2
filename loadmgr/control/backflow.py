"""The guard of delivery: how much cars may deliver at worst, when every other load falls to its least.

Charging is bounded as if nobody delivered, delivery as if nobody charged: neither relies on the other.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from loadmgr import units
from loadmgr.control import rows as row_tools
from loadmgr.control import v2x
from loadmgr.control.baseload import BaseEstimate, Bounds
from loadmgr.control.evse_state import delivered_kw
from loadmgr.control.rows import KW_ROW, Age, Load
from loadmgr.control.site_state import SiteState, allowed_a, evse_bounds
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.limits import Limit, Tightest, tightest
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.session import Session
from loadmgr.domain.site import Evse, batteries_below

SECONDS_PER_HOUR = 3600.0
SENSE_KW = 0.1
"""Less than this is not worth the car's electronics."""

MARGIN_USE = 0.5
"""Orders in force may eat this part of the margin before they are cut: it damps meter noise, as for charging."""

BEGIN_S = 300.0
"""A car begins to deliver only for what takes at least this long at the full power of its EVSE. A plan sells what a car
can spare to the last watt-hour, and the next plan finds it a little short or long: it would swing for nothing.
"""


Base = tuple[Load, Load]
"""An uncontrolled load as (shown, least): what the meters do not disprove, and what they prove."""


@dataclass(slots=True, kw_only=True)
class Back:
    """What may flow back through a node in one quantity: capacity, and what the cars may deliver of it.

    ``capacity`` bounds the orders in force, which may exceed it by ``slack``; ``certain`` bounds those that rise.
    """

    phase: int
    capacity: float
    certain: float
    slack: float = 0.0
    used: float = 0.0

    @property
    def room(self) -> float:
        """What is left for a rise."""
        return self.certain - self.used


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

    Cuts come first; a rise only takes room that is free for certain while every order in force is delivered in full.
    Rises are scaled down together where they do not fit, and every order where a limit has become too tight.
    """
    if not wanted:
        return {}
    backs = _backs(state, now, wanted)
    values = {w.evse.id: min(max(w.wanted_kw, 0.0), w.most_kw) for w in wanted}
    for back, members in backs:
        _scale(values, back, members)
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


def _scale(values: dict[EvseId, float], back: Back, members: Sequence[Wanted]) -> None:
    """Bring the wishes on one quantity down to what it bears: only their rises, as long as the rest fits with the slack."""
    capacity = max(back.capacity, 0.0)
    parts = {w.evse.id: _part(w, back.phase) for w in members}
    total = sum(parts[e] * values[e] for e in parts)
    kept = {w.evse.id: min(values[w.evse.id], w.now_kw) for w in members}
    held = sum(parts[e] * kept[e] for e in parts)
    if held > capacity + (back.slack if capacity > 0.0 else 0.0):
        values.update({e: kept[e] * capacity / held for e in parts})
    elif total > max(back.certain, held):
        factor = max(back.certain - held, 0.0) / (total - held)
        values.update({e: kept[e] + (values[e] - kept[e]) * factor for e in parts})


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
    loads = _loads(state, now)
    for node_id, members in nodes.items():
        bound = _bounds(state, node_id, now)
        base = loads[node_id]
        for phase, limit in _limits(bound):
            margin = row_tools.margin(limit, phase, state.params, state.site.voltage_at(node_id))
            bears = limit - margin
            shown, least = (row_tools.on_row(x, phase) for x in base) if base is not None else (-bears, -bears)
            back = Back(phase=phase, capacity=bears + shown, certain=bears + least, slack=MARGIN_USE * margin)
            found.append((back, members))
        if bound.discharge_kw is not None:
            left_kw = bound.discharge_kw - sum(max(-b.power_kw, 0.0) for b in _batteries(state, node_id))
            found.append((Back(phase=KW_ROW, capacity=left_kw, certain=left_kw), members))
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


def _loads(state: SiteState, now: datetime) -> Mapping[NodeId, Base | None]:
    """The uncontrolled load below every node; ``None`` where a meter that should tell is not fresh."""
    ages = row_tools.uncontrolled(state, now)
    found: dict[NodeId, Base | None] = {}
    for node in state.site.leaves_first:
        found[node] = _load_at(state, node, now, (ages[node].age, found))
    return found


def _load_at(state: SiteState, node: NodeId, now: datetime, known: tuple[Age, Mapping[NodeId, Base | None]]) -> Base | None:
    age, below = known
    if state.site.network.is_angled(node):
        return None  # what cars draw there is known in phase only, and that bounds nothing from below
    if state.site.nodes[node].meter is not None:
        return _metered(state, node) if age is Age.FRESH else None
    unseen_kw = row_tools.unseen_pv_kw(state, node, now)
    for child in state.site.children(node):
        unseen_kw -= row_tools.unseen_pv_kw(state, child, now)
    own = row_tools.balanced(-max(unseen_kw, 0.0), state.site.voltage_v)
    shown, least = own, own
    for child in state.site.children(node):
        part = below[child]
        if part is None:
            return None
        shown, least = row_tools.plus(shown, part[0]), row_tools.plus(least, part[1])
    return shown, least


def _metered(state: SiteState, node: NodeId) -> Base | None:
    """The meter less what the EVSEs draw at least, and at most; in between, the estimate counts.

    While cars are on their way to a new order, what they draw is only known within bounds. Orders in force are cut as
    soon as the meter proves that the base load fell: to take it at its least would read every car that begins to
    deliver as a building switched off. A rise needs proof of the contrary.
    """
    estimate = state.base.get(node)
    if estimate is None:
        return None
    cars = _drawn(state, node, estimate.at)
    shown = _lower(estimate, cars.low_a, cars.low_kw)
    return shown, _lower(estimate, cars.high_a, cars.high_kw)


def _drawn(state: SiteState, node: NodeId, at: datetime) -> Bounds:
    """What the EVSEs below a node drew when its meter was read, at least and at most.

    A sample that shows that a car follows its order may be younger than the reading: until the settling time is over,
    what it drew before still counts at most.
    """
    cars = evse_bounds(state, node, at)
    high = cars.high_a, cars.high_kw
    for key in state.site.below[node]:
        known, evse = state.evses[key], state.site.evses[key]
        if known.moving_until is None or at >= known.moving_until or known.settling_until is not None:
            continue
        n_used = min(known.phases_seen or evse.caps.n_phases, evse.caps.n_phases)
        more_a = max(known.settling_a - max(allowed_a(state, key, at), *known.draw_a()), 0.0)
        high = row_tools.plus(high, (evse.line_currents(more_a, n_used), units.a_to_kw(more_a, evse.caps.voltage_v, n_used)))
    return replace(cars, high_a=high[0], high_kw=high[1])


def _lower(estimate: BaseEstimate, drawn_a: PerPhase, drawn_kw: float) -> Load:
    """The estimate, or the meter less what the EVSEs draw where that is lower."""
    a, b, c = (min(x, y - z) for x, y, z in zip(estimate.current_a, estimate.total_a, drawn_a, strict=True))
    return (a, b, c), min(estimate.power_kw, estimate.total_kw - drawn_kw)


def _ahead_kwh(state: SiteState, evse: EvseId, now: datetime) -> float:
    """What the plan lets an EVSE deliver from now on without a break, kWh."""
    plan = state.plan
    step = plan.step_at(now) if plan is not None else None
    if plan is None or step is None or evse not in plan.evses:
        return 0.0
    found = 0.0
    for power_kw, length_s in zip(plan.power_kw[plan.evses.index(evse)][step:], plan.step_s[step:], strict=True):
        if power_kw > -SENSE_KW:
            break
        found -= power_kw * length_s / SECONDS_PER_HOUR
    return found


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
        begin_kwh = evse.caps.discharge_max_kw * BEGIN_S / SECONDS_PER_HOUR
        if now_kw <= 0.0 and _ahead_kwh(state, session.evse, now) < begin_kwh:
            wanted_kw = 0.0
        found.append(Wanted(evse=evse, session=session, now_kw=now_kw, wanted_kw=wanted_kw, most_kw=most))
    return found
