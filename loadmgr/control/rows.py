"""The rows that bind a site: one per node and phase in A, one per node in kW, with the load that is not ours."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import IntEnum

from loadmgr import units
from loadmgr.control import energy_state
from loadmgr.control.state import SiteState
from loadmgr.domain import phasors
from loadmgr.domain.ids import NodeId
from loadmgr.domain.limits import Limit, Tightest, tightest
from loadmgr.domain.network import NodeModel
from loadmgr.domain.params import ControlParams
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.site import PHASES, Site, batteries_below

KW_ROW = -1
"""``phase`` of a row that bounds the three-phase sum in kW."""

Load = tuple[PerPhase, float]
"""A load as (A on L1..L3, kW), import positive."""

ZERO: Load = ((0.0, 0.0, 0.0), 0.0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One bound. ``is_static``: it holds at all times, so a charger that falls back must fit it as well.

    ``over``: it bounds by how much the current of ``phase`` may be above that of this one; see ``unbalance``.
    """

    node: NodeId
    phase: int
    limit: float
    source: str
    is_static: bool
    over: int | None = None

    @property
    def name(self) -> str:
        """For people: ``pod-a/L1``, ``pod-a/kW`` or ``pod-a/L1-L2``."""
        if self.over is not None:
            return f"{self.node}/{PHASES[self.phase]}-{PHASES[self.over]}"
        return f"{self.node}/{PHASES[self.phase] if self.phase != KW_ROW else 'kW'}"


class Age(IntEnum):
    """How much a node's meter can be trusted."""

    FRESH = 0
    HELD = 1
    """Silent for longer than ``meter_hold_s``: no increases."""
    STALE = 2
    """The worst value of the last minutes counts."""
    LOST = 3
    """The static maximum of the site file counts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Uncontrolled:
    """The uncontrolled load below a node and how old its knowledge is."""

    load: Load
    age: Age


def static_rows(site: Site) -> tuple[Row, ...]:
    """Rows of the limits that hold at all times."""
    return tuple(r for node in site.nodes for r in _rows_of(node, site.static_limit(node), is_static=True))


def temporary_rows(site: Site, limits: Iterable[Limit], at: datetime) -> tuple[Row, ...]:
    """Rows of limits with a validity, from the site file or set later, that hold at ``at``."""
    timed = [x for node in site.nodes.values() for x in node.limits if x.from_at or x.until_at]
    by_node: dict[NodeId, list[Limit]] = {}
    for limit in (*timed, *limits):
        by_node.setdefault(limit.node, []).append(limit)
    return tuple(r for node, found in by_node.items() for r in _rows_of(node, tightest(found, at), is_static=False))


def _rows_of(node: NodeId, bound: Tightest, *, is_static: bool) -> Iterator[Row]:
    if bound.current_a is not None:
        for phase in range(3):
            yield Row(node=node, phase=phase, limit=bound.current_a, source=bound.current_source, is_static=is_static)
    if bound.power_kw is not None:
        yield Row(node=node, phase=KW_ROW, limit=bound.power_kw, source=bound.power_source, is_static=is_static)


def on_row(load: Load, phase: int) -> float:
    """The part of a load that a row sees."""
    return load[1] if phase == KW_ROW else load[0][phase]


def plus(left: Load, right: Load) -> Load:
    """Sum of two loads."""
    (a1, a2, a3), power_kw = left
    (b1, b2, b3), other_kw = right
    return (a1 + b1, a2 + b2, a3 + b3), power_kw + other_kw


def counted(site: Site, node: NodeId, load: Load, phase: int) -> float:
    """What a row keeps free for a load that is not ours.

    Its angle is not known, so its magnitude counts in full. Where currents are not all in phase with their lines, what
    flows back makes no room; see ``Network.is_angled``.
    """
    value = on_row(load, phase)
    return max(value, 0.0) if phase != KW_ROW and site.network.is_angled(node) else value


def balanced(power_kw: float, voltage_v: float) -> Load:
    """A three-phase load that is even over the phases."""
    current_a = units.kw_to_a(power_kw, voltage_v, 3)
    return (current_a, current_a, current_a), power_kw


def margin(limit: float, phase: int, params: ControlParams, voltage_v: float) -> float:
    """Kept free below a limit: max(margin_a, margin_frac · limit), in the unit of the row [F-40]."""
    least = params.margin_a if phase != KW_ROW else units.a_to_kw(params.margin_a, voltage_v, 3)
    return min(max(least, params.margin_frac * limit), limit)


def worst_base(site: Site, node: NodeId) -> Load:
    """The most that the uncontrolled loads and the batteries at or below a node can draw, by the site file."""
    return plus(_worst_loads(site, node), balanced(_charge_max_kw(site, node, frozenset()), site.voltage_at(node)))


def _charge_max_kw(site: Site, node: NodeId, without: frozenset[str]) -> float:
    return sum(b.charge_max_kw for b in batteries_below(site, node) if b.id not in without)


def _worst_loads(site: Site, node: NodeId) -> Load:
    if site.network.transformers:
        return _worst_through(site, node)
    current = (0.0, 0.0, 0.0)
    for other in site.nodes.values():
        if any(n.id == node for n in site.path(other.id)):
            a, b = current, other.base_max_a
            current = (a[0] + b[0], a[1] + b[1], a[2] + b[2])
    return current, units.a_to_kw(sum(current), site.voltage_v, 1)


def _worst_through(site: Site, node: NodeId) -> Load:
    """The same where transformers stand between."""
    current = site.nodes[node].base_max_a
    load: Load = current, units.a_to_kw(sum(current), site.voltage_at(node), 1)
    for child in site.children(node):
        load = plus(load, referred(site, child, _worst_through(site, child)))
    return load


def referred(site: Site, child: NodeId, load: Load) -> Load:
    """A load below a node as its parent sees it: through the transformer between them, if there is one.

    Where the parent adds as numbers, so does the transformer. Else the load counts as one between lines and neutral at
    unity power factor. What flows back makes no room at the parent.
    """
    known = site.network.transformers.get(child)
    if known is None:
        return load
    parent = site.nodes[child].parent
    (a, b, c), power_kw = load
    if parent is not None and site.nodes[parent].model is NodeModel.SUM:
        return phasors.primary_sum((max(a, 0.0), max(b, 0.0), max(c, 0.0)), known.ratio), power_kw
    return phasors.primary_neutral((a, b, c), known.ratio), power_kw


def uncontrolled(state: SiteState, now: datetime, *, has_batteries: bool = True) -> Mapping[NodeId, Uncontrolled]:
    """The load below every node that is not ours, by the freshest trustworthy source.

    Live batteries count with what they draw; ``has_batteries`` false leaves them out, for a plan that decides them.
    """
    found: dict[NodeId, Uncontrolled] = {}
    for node in state.site.leaves_first:
        found[node] = _uncontrolled_at(state, node, now, found)
    if not state.site.batteries:
        return found
    return {n: replace(u, load=_with_batteries(state, n, u, (now, has_batteries))) for n, u in found.items()}


def _with_batteries(state: SiteState, node: NodeId, known: Uncontrolled, how: tuple[datetime, bool]) -> Load:
    """A load and what the batteries below its node draw; what they deliver is not relied on.

    A live battery counts with what it tells, or is left to the plan. One that does not tell is part of what the meter
    sees; with the meter lost it counts at its maximum, and so does a live one unless a plan decides it.
    """
    now, has_batteries = how
    live = energy_state.live_batteries(state.energy, state.site, node, (now, state.params.battery_stale_s))
    planned = frozenset(b.battery for b in live) if not has_batteries else frozenset()
    if known.age is Age.LOST:
        return plus(known.load, balanced(_charge_max_kw(state.site, node, planned), state.site.voltage_at(node)))
    drawn_kw = sum(max(b.power_kw, 0.0) for b in live) if has_batteries else 0.0
    return plus(known.load, balanced(drawn_kw, state.site.voltage_at(node))) if drawn_kw > 0.0 else known.load


def _uncontrolled_at(state: SiteState, node: NodeId, now: datetime, below: Mapping[NodeId, Uncontrolled]) -> Uncontrolled:
    site, params = state.site, state.params
    if site.nodes[node].meter is not None:
        estimate = state.base.get(node)
        if estimate is None:
            return Uncontrolled(load=_worst_loads(site, node), age=Age.LOST)
        age_s = (now - estimate.at).total_seconds()
        if age_s <= params.meter_stale_s:
            age = Age.FRESH if age_s <= params.meter_hold_s else Age.HELD
            return Uncontrolled(load=(estimate.current_a, estimate.power_kw), age=age)
        if age_s <= 2 * params.meter_stale_s:
            extra = 1.0 + params.margin_frac
            a1, a2, a3 = estimate.peak_a
            return Uncontrolled(load=((a1 * extra, a2 * extra, a3 * extra), estimate.peak_kw * extra), age=Age.STALE)
        return Uncontrolled(load=_higher(_worst_loads(site, node), estimate.peak_a, estimate.peak_kw), age=Age.LOST)
    load, age = own_load(state, node, now), Age.FRESH
    for child in site.children(node):
        load = plus(load, referred(site, child, below[child].load))
        age = max(age, below[child].age)
    return Uncontrolled(load=load, age=age)


def _higher(load: Load, current_a: PerPhase, power_kw: float) -> Load:
    (a1, a2, a3), kw = load
    return (max(a1, current_a[0]), max(a2, current_a[1]), max(a3, current_a[2])), max(kw, power_kw)


def unseen_pv_kw(state: SiteState, node: NodeId, at: datetime) -> float:
    """PV at or below ``node`` that no meter at or below it sees, by the series: for flow back it counts in full."""
    site, found = state.site, 0.0
    for load in state.context.loads:
        if load.pv_kw is None:
            continue
        path = list(site.path(load.node))
        names = [n.id for n in path]
        if node in names and all(n.meter is None for n in path[: names.index(node) + 1]):
            found += max(load.pv_kw.at(at), 0.0)
    return found


def own_load(state: SiteState, node: NodeId, at: datetime) -> Load:
    """Load directly at an unmetered node: its series, else its worst case. PV that nobody meters counts as absent."""
    for load in state.context.loads:
        if load.node == node and load.load_kw is not None:
            return balanced(load.load_kw.at(at), state.site.voltage_at(node))
    current = state.site.nodes[node].base_max_a
    return current, units.a_to_kw(sum(current), state.site.voltage_at(node), 1)
