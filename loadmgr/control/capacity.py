"""The capacity that a plan may use: one row per limit and quantity, per step, less everything that is not planned."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf

from loadmgr import units
from loadmgr.control import angled, guard, unbalance
from loadmgr.control import rows as row_tools
from loadmgr.control.rows import KW_ROW, Row
from loadmgr.control.state import SiteState
from loadmgr.control.station_limits import StationRow, station_rows
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.limits import Limit, LimitKind, tightest
from loadmgr.domain.site import batteries_below
from loadmgr.forecast import baseload


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRow:
    """What a row leaves to the planned sessions, in A or kW per step; ``members`` maps EVSEs to A (or 1) per kW.

    ``lower`` (<= 0) bounds flow back; ``None``: nothing of ours can flow back there, or nobody bounds it.
    """

    name: str
    source: str
    limit: tuple[float, ...]
    members: tuple[tuple[EvseId, float], ...]
    batteries: tuple[tuple[str, float], ...] = ()
    lower: tuple[float, ...] | None = None
    is_soft: bool = False
    """A wish: the plan may exceed it rather than break a promise, never to save money."""
    curtail: tuple[float, ...] = ()
    """What a kW of curtailed PV adds, per step; empty: none of it is below the row."""
    angles: tuple[tuple[EvseId, complex], ...] = ()
    """EVSEs with A per kW and their angle, where the magnitude of the sum is bounded; ``members`` has magnitudes then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """What every row of one snapshot is computed from: EVSEs that count and those that are planned, loads ahead."""

    state: SiteState
    now: datetime
    steps: tuple[tuple[float, float], ...]
    active: tuple[guard.Lane, ...]
    planned: frozenset[EvseId]
    shapes: Mapping[NodeId, tuple[float, ...]]
    base: Mapping[NodeId, row_tools.Uncontrolled]
    spread: Mapping[NodeId, tuple[float, ...]]
    batteries: frozenset[str]
    bidirectional: frozenset[EvseId]


def capacity_rows(frame: Frame) -> tuple[CapacityRow, ...]:
    """One row per static limit, and one per node and quantity that has limits with a validity."""
    site = frame.state.site
    found = [_row(frame, row, [row.limit] * len(frame.steps)) for row in row_tools.static_rows(site)]
    found += [_row(frame, row, limits) for row, limits in _timed(frame)]
    found += _soft_rows(frame)
    found += [_station_row(frame, bound) for bound in station_rows(frame.state, frame.now)]
    found += _pair_rows(frame)
    if frame.batteries or frame.bidirectional:
        found += [
            row for node in site.nodes for name in ("export_kw", "discharge_kw") for row in _back_row(frame, node, name)
        ]
    return tuple(found)


def _soft_rows(frame: Frame) -> list[CapacityRow]:
    """One row for every quantity of every soft limit, without a margin."""
    state, found = frame.state, []
    for limit in (x for node in state.site.nodes for x in limits_of(state, node) if x.kind is LimitKind.SOFT):
        wishes = [(p, limit.current_a) for p in range(3)] if limit.current_a is not None else []
        wishes += [(KW_ROW, limit.power_kw)] if limit.power_kw is not None else []
        hard = replace(limit, kind=LimitKind.HARD)
        for phase, value in wishes:
            assert value is not None  # noqa: S101 looked at above
            name = "power_kw" if phase == KW_ROW else "current_a"
            values = [lowest([hard], frame.now, step, name) for step in frame.steps]
            row = Row(node=limit.node, phase=phase, limit=value, source=limit.source, is_static=False)
            found.append(replace(_row(frame, row, values, is_soft=True), name=f"{row.name} (wish)", is_soft=True))
    return found


def _station_row(frame: Frame, bound: StationRow) -> CapacityRow:
    """What a station lets all its EVSEs have together, while it says so [A-92]."""
    row, lanes = bound.row, [x for x in frame.active if x.evse.id in bound.evses]
    until_s = (bound.until_at - frame.now).total_seconds() if bound.until_at is not None else inf
    fixed = sum(x.load(x.now_a, row.phase) for x in lanes if x.evse.id not in frame.planned)
    units_of = ((x.evse.id, x.load(1.0, row.phase) * _a_per_kw(x)) for x in lanes if x.evse.id in frame.planned)
    return CapacityRow(
        name=row.name,
        source=row.source,
        limit=tuple(max(row.limit - fixed, 0.0) if start_s < until_s else inf for start_s, _ in frame.steps),
        members=tuple((evse, unit) for evse, unit in units_of if unit > 0.0),
    )


def _pair_rows(frame: Frame) -> Iterator[CapacityRow]:
    """What an unbalance limit leaves to the cars that can load one line more than another; see ``unbalance``."""
    state, site = frame.state, frame.state.site
    for node in site.nodes:
        limits = [x for x in limits_of(state, node) if x.unbalance_a is not None]
        if not limits:
            continue
        most_a = [lowest(limits, frame.now, step, "unbalance_a") for step in frame.steps]
        below = frozenset(site.below[node])
        lanes = [(lane, unbalance.draws(state, lane)) for lane in frame.active if lane.evse.id in below]
        for pair in unbalance.PAIRS:
            on = [lane for lane, draws in lanes if unbalance.counts(draws, pair)]
            fixed_a = sum(x.counted_a(x.now_a, is_static=False) for x in on if x.evse.id not in frame.planned)
            fixed_a += unbalance.base_a(frame.base[node], pair)
            yield CapacityRow(
                name=unbalance.name(node, pair),
                source=limits[0].source,
                limit=tuple(max(_usable(frame, node, most) - fixed_a, 0.0) if most < inf else inf for most in most_a),
                members=tuple((x.evse.id, _a_per_kw(x)) for x in on if x.evse.id in frame.planned),
            )


def _usable(frame: Frame, node: NodeId, limit_a: float) -> float:
    """A limit without its margin, A."""
    return limit_a - row_tools.margin(limit_a, 0, frame.state.params, frame.state.site.voltage_at(node))


def _back_row(frame: Frame, node: NodeId, name: str) -> Iterator[CapacityRow]:
    """A limit on flow back below the connection, or on what cars and batteries deliver together, in kW."""
    state, site = frame.state, frame.state.site
    limits = [x for x in limits_of(state, node) if getattr(x, name) is not None]
    is_export = name == "export_kw"
    if not limits or (is_export and node == site.root):
        return
    most = [lowest(limits, frame.now, step, name) for step in frame.steps]
    below = frozenset(site.below[node])
    base_kw = frame.base[node].load[1]
    base = [base_kw + x - y for x, y in zip(frame.shapes[node], _unseen(frame, node), strict=True)]
    if not is_export:
        base = [0.0] * len(most)
    yield CapacityRow(
        name=f"{node}/{name.removesuffix('_kw')}",
        source=limits[0].source,
        limit=(inf,) * len(most),
        members=tuple((e, 1.0) for e in sorted((frame.planned if is_export else frame.bidirectional) & below)),
        batteries=tuple((b.id, 1.0) for b in batteries_below(site, node) if b.id in frame.batteries),
        lower=tuple(min(-value - load, 0.0) for value, load in zip(most, base, strict=True)),
    )


def _unseen(frame: Frame, node: NodeId) -> list[float]:
    """(T,) PV below a node that no meter sees, kW, at its highest within each step."""
    found = []
    for offset_s, length_s in frame.steps:
        marks = (frame.now + timedelta(seconds=offset_s + length_s * part) for part in (0.0, 0.5, 0.99))
        found.append(max(row_tools.unseen_pv_kw(frame.state, node, mark) for mark in marks))
    return found


def _curtail(frame: Frame, node: NodeId, per_kw: float) -> tuple[float, ...]:
    """What a kW of the site's curtailed PV adds to a row at ``node``: the node's part of the PV."""
    loads, site = frame.state.context.loads, frame.state.site
    below = [x for x in loads if x.pv_kw is not None and any(n.id == node for n in site.path(x.node))]
    if not any(x.is_curtailable for x in below):
        return ()
    own = baseload.pv_ahead_kw(below, frame.now, frame.steps)
    total = baseload.pv_ahead_kw(loads, frame.now, frame.steps)
    return tuple(per_kw * part / whole if whole > 0.0 else 0.0 for part, whole in zip(own, total, strict=True))


def _timed(frame: Frame) -> list[tuple[Row, list[float]]]:
    """Limits with a validity: per step the lowest value that holds at any time within it."""
    state = frame.state
    timed = [x for n in state.site.nodes.values() for x in n.limits if x.from_at or x.until_at]
    timed += list(state.limits.values())
    merged: dict[tuple[NodeId, int], tuple[Row, list[float]]] = {}
    if not timed:
        return []
    for index, (offset_s, length_s) in enumerate(frame.steps):
        start = frame.now + timedelta(seconds=offset_s)
        end = start + timedelta(seconds=length_s)
        marks = {start, *(t for x in timed for t in (x.from_at, x.until_at) if t is not None and start < t < end)}
        for mark in sorted(marks):
            for row in row_tools.temporary_rows(state.site, state.limits.values(), mark):
                known = merged.setdefault((row.node, row.phase), (row, [inf] * len(frame.steps)))
                known[1][index] = min(known[1][index], row.limit)
    return list(merged.values())


def _row(frame: Frame, row: Row, limits: Sequence[float], *, is_soft: bool = False) -> CapacityRow:
    """Capacity per step: limit − margin − uncontrolled load − EVSEs that are not planned, never below zero."""
    state, phase = frame.state, row.phase
    voltage_v, is_angled = state.site.voltage_at(row.node), angled.is_angled(state.site, row)
    base = row_tools.on_row(frame.base[row.node].load, phase)
    members, fixed = _members(frame, row)
    below = frozenset(state.site.below[row.node])
    storing = tuple(
        (b.id, 1.0 if phase == KW_ROW else units.kw_to_a(1.0, voltage_v, 3))
        for b in batteries_below(state.site, row.node)
        if b.id in frame.batteries
    )
    flows_back = phase != KW_ROW and (bool(storing) or bool(below & frame.bidirectional))
    extra = frame.spread.get(row.node, (0.0,) * len(limits))
    left, back = [], []
    unseen = _unseen(frame, row.node) if flows_back else [0.0] * len(limits)
    for limit, change_kw, spread_kw, unseen_kw in zip(limits, frame.shapes[row.node], extra, unseen, strict=True):
        more = change_kw + spread_kw
        change = more if phase == KW_ROW else units.kw_to_a(more, voltage_v, 3)
        kept = row_tools.margin(limit, phase, state.params, voltage_v) if limit < inf and not is_soft else 0.0
        room = limit - kept - max(base + change, 0.0) if is_angled else limit - kept - base - change
        left.append(max(room - fixed, 0.0))
        back.append(min(kept - limit - base + units.kw_to_a(unseen_kw, voltage_v, 3), 0.0))
    curtail = _curtail(frame, row.node, 1.0 if phase == KW_ROW else units.kw_to_a(1.0, voltage_v, 3))
    return CapacityRow(
        name=row.name,
        source=row.source,
        limit=tuple(left),
        members=members,
        batteries=storing,
        lower=tuple(back) if flows_back else None,
        curtail=curtail,
        angles=_angles(frame, row) if not (storing or curtail or is_soft) else (),
    )


def _members(frame: Frame, row: Row) -> tuple[tuple[tuple[EvseId, float], ...], float]:
    """Planned EVSEs with what a kW of them adds to a row, and what the others count at."""
    site, members, fixed = frame.state.site, [], 0.0
    below, is_angled = frozenset(site.below[row.node]), angled.is_angled(site, row)
    for lane in frame.active:
        if lane.evse.id not in below:
            continue
        unit = angled.unit(site, row, lane) if is_angled else lane.load(1.0, row.phase)
        if unit <= 0.0:
            continue
        if lane.evse.id in frame.planned:
            members.append((lane.evse.id, unit * _a_per_kw(lane)))
            continue
        counted_a = lane.counted_a(lane.now_a, is_static=row.is_static)
        fixed += counted_a * unit if is_angled else lane.load(counted_a, row.phase)
    return tuple(members), fixed


def _a_per_kw(lane: guard.Lane) -> float:
    return 1000.0 / (lane.evse.caps.voltage_v * lane.n_used)


def _angles(frame: Frame, row: Row) -> tuple[tuple[EvseId, complex], ...]:
    """The members of a row with their angles, where the row bounds the magnitude of a phasor sum.

    Batteries, curtailed PV and wishes are not part of magnitudes: rows with them add magnitudes as numbers.
    """
    site = frame.state.site
    if not angled.is_magnitude(site, row):
        return ()
    planned = frame.planned & frozenset(site.below[row.node])
    return tuple(
        (lane.evse.id, angled.ampere(site, row, lane) * _a_per_kw(lane)) for lane in frame.active if lane.evse.id in planned
    )


def limits_of(state: SiteState, node: NodeId) -> list[Limit]:
    """All limits of a node, of the site file and set later, whether they hold or not."""
    return [*state.site.nodes[node].limits, *(x for x in state.limits.values() if x.node == node)]


def lowest(limits: Sequence[Limit], now: datetime, step: tuple[float, float], name: str) -> float:
    """The tightest value of one quantity that holds at any time within a step; infinite when nobody states one."""
    start = now + timedelta(seconds=step[0])
    end = start + timedelta(seconds=step[1])
    marks = {start, *(t for x in limits for t in (x.from_at, x.until_at) if t is not None and start < t < end)}
    found = (getattr(tightest(limits, mark), name) for mark in marks)
    return min((v for v in found if v is not None), default=inf)
