"""What people want to see, computed from the state: load, limit and headroom per node; every EVSE with its why."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr.control import rows as row_tools
from loadmgr.control.need import need_of
from loadmgr.control.rows import Age, Load
from loadmgr.control.state import SiteState, allowed_a, total_of
from loadmgr.domain.ids import EvseId, NodeId, SessionId, StationId
from loadmgr.domain.limits import tightest
from loadmgr.domain.samples import PerPhase


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeLoad:
    """Present load of a node against the tightest limit. ``None`` = nobody states a limit.

    ``is_measured``: the node's own meter says it; else it is the sum of EVSE meters and the known other load.
    ``is_stale``: some meter below is silent, so the worst case stands in for it.
    """

    node: NodeId
    parent: NodeId | None
    depth: int
    current_a: PerPhase
    power_kw: float
    limit_a: float | None
    limit_a_source: str
    limit_kw: float | None
    limit_kw_source: str
    headroom_a: PerPhase | None
    headroom_kw: float | None
    base_a: PerPhase
    base_kw: float
    ev_kw: float
    is_measured: bool
    is_stale: bool
    n_evses: int
    n_charging: int


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseView:
    """One EVSE as an operator sees it. Currents in A per phase; ``bound_by`` says why it gets no more."""

    evse: EvseId
    station: StationId
    node: NodeId
    status: str
    is_connected: bool
    session: SessionId | None
    energy_kwh: float | None
    need_kwh: float | None
    depart_at: datetime | None
    priority: float | None
    current_a: PerPhase
    power_kw: float
    measured_at: datetime | None
    setpoint_a: float | None
    setpoint_until: datetime | None
    allowed_a: float
    bound_by: str


def node_loads(state: SiteState, now: datetime) -> tuple[NodeLoad, ...]:
    """Every node in tree order, the root first."""
    base = row_tools.uncontrolled(state, now)
    found: list[NodeLoad] = []

    def visit(node: NodeId, depth: int) -> None:
        found.append(_node_load(state, node, depth, base[node], now))
        for child in state.site.children(node):
            visit(child, depth + 1)

    visit(state.site.root, 0)
    return tuple(found)


def _node_load(state: SiteState, node: NodeId, depth: int, base: row_tools.Uncontrolled, now: datetime) -> NodeLoad:
    grid_node = state.site.nodes[node]
    ev = _ev_load(state, node)
    sample = state.meters.get(grid_node.meter) if grid_node.meter is not None else None
    is_measured = sample is not None and base.age is Age.FRESH
    load = total_of(state, sample) if sample is not None and is_measured else row_tools.plus(base.load, ev)
    timed = [x for x in state.limits.values() if x.node == node]
    bound = tightest((*grid_node.limits, *timed), now)
    (l1, l2, l3), power_kw = load
    limit_a, limit_kw = bound.current_a, bound.power_kw
    return NodeLoad(
        node=node,
        parent=grid_node.parent,
        depth=depth,
        current_a=load[0],
        power_kw=power_kw,
        limit_a=limit_a,
        limit_a_source=bound.current_source,
        limit_kw=limit_kw,
        limit_kw_source=bound.power_source,
        headroom_a=None if limit_a is None else (limit_a - abs(l1), limit_a - abs(l2), limit_a - abs(l3)),
        headroom_kw=None if limit_kw is None else limit_kw - power_kw,
        base_a=base.load[0],
        base_kw=base.load[1],
        ev_kw=ev[1],
        is_measured=is_measured,
        is_stale=base.age is not Age.FRESH,
        n_evses=len(state.site.below[node]),
        n_charging=sum(1 for e in state.site.below[node] if max(state.evses[e].draw_a()) >= 1.0),
    )


def evse_kw(state: SiteState, evse: EvseId) -> float:
    """Latest measured power of an EVSE."""
    known = state.evses[evse]
    if known.sample is None:
        return 0.0
    if known.sample.measured.power_kw is not None:
        return known.sample.measured.power_kw
    return state.site.evses[evse].power_kw(known.draw_a())


def _ev_load(state: SiteState, node: NodeId) -> Load:
    load = row_tools.ZERO
    for evse in state.site.below[node]:
        load = row_tools.plus(load, (state.evses[evse].draw_a(), evse_kw(state, evse)))
    return load


def evse_views(state: SiteState, now: datetime) -> tuple[EvseView, ...]:
    """Every EVSE in the order of the site file."""
    bindings = {b.session: b.name for b in state.plan.bindings} if state.plan is not None else {}
    return tuple(_evse_view(state, evse, bindings, now) for evse in state.site.evses)


def _evse_view(state: SiteState, evse: EvseId, bindings: dict[SessionId, str], now: datetime) -> EvseView:
    site_evse, known = state.site.evses[evse], state.evses[evse]
    session = state.sessions.get(known.session) if known.session is not None else None
    need = need_of(state, session, now) if session is not None else None
    order = known.last_order
    stands = order is not None and now < order.setpoint.valid_until
    why = ""
    if session is not None:
        why = order.setpoint.bound_by if order is not None and stands else bindings.get(session.id, "")
        if need is not None and not need.is_open:
            why = "energy"
    return EvseView(
        evse=evse,
        station=site_evse.station,
        node=site_evse.node,
        status=known.status.value,
        is_connected=state.stations[site_evse.station].is_connected,
        session=session.id if session is not None else None,
        energy_kwh=session.energy_kwh if session is not None else None,
        need_kwh=need.energy_kwh if need is not None else None,
        depart_at=session.intent.depart_at if session is not None else None,
        priority=session.intent.priority if session is not None else None,
        current_a=known.draw_a(),
        power_kw=evse_kw(state, evse),
        measured_at=known.sample.measured_at if known.sample is not None else None,
        setpoint_a=order.setpoint.current_a if order is not None and stands else None,
        setpoint_until=order.setpoint.valid_until if order is not None and stands else None,
        allowed_a=allowed_a(state, evse, now),
        bound_by=why,
    )
