"""State + forecasts + now → a snapshot with fixed axes: sessions, steps and capacity rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from math import inf

from loadmgr import units
from loadmgr.control import guard
from loadmgr.control import rows as row_tools
from loadmgr.control.need import Need, need_of
from loadmgr.control.rows import KW_ROW, Row
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.params import ControlParams
from loadmgr.forecast import baseload, prices


@dataclass(frozen=True, slots=True, kw_only=True)
class CapacityRow:
    """What a row leaves to the planned sessions, in A or kW per step; ``members`` maps EVSEs to A (or 1) per kW."""

    name: str
    source: str
    limit: tuple[float, ...]
    members: tuple[tuple[EvseId, float], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that one plan depends on. Steps are (offset_s, length_s) from ``now``."""

    now: datetime
    steps: tuple[tuple[float, float], ...]
    needs: tuple[Need, ...]
    present_kw: tuple[float, ...]
    rows: tuple[CapacityRow, ...]
    net_base_kw: tuple[float, ...]
    fixed_kw: float
    import_price: tuple[float, ...]
    export_price: float
    params: ControlParams


def take(state: SiteState, now: datetime) -> Snapshot:
    """Freeze what the optimiser may know. Sessions that we cannot command count as a load at their worst [E-21]."""
    lengths = [length for count, length in state.params.horizon for _ in range(count)]
    starts = [0.0, *accumulate(lengths)][: len(lengths)]
    steps = tuple(zip(starts, lengths, strict=True))
    active = guard.lanes(state, now)
    planned = {
        lane.evse.id: need
        for lane in active
        if lane.is_controllable and lane.session is not None
        for need in [need_of(state, lane.session, now)]
        if need.is_open and need.power_max_kw > 0.0
    }
    shapes = {node: baseload.shape_kw(state.site, state.context.loads, node, now, steps) for node in state.site.nodes}
    base = row_tools.uncontrolled(state, now)
    rows = _rows(
        _Frame(
            state=state,
            now=now,
            steps=steps,
            active=tuple(active),
            planned=frozenset(planned),
            shapes=shapes,
            base=base,
        )
    )
    needs = tuple(planned[e] for e in sorted(planned))
    root = state.site.root
    base_now = base[root].load[1]
    return Snapshot(
        now=now,
        steps=steps,
        needs=needs,
        present_kw=tuple(_present_kw(state, need) for need in needs),
        rows=rows,
        net_base_kw=tuple(base_now + change for change in shapes[root]),
        fixed_kw=sum(x.load(x.now_a, KW_ROW) for x in active if x.evse.id not in planned),
        import_price=prices.import_prices(state.context.tariff, now, steps),
        export_price=state.context.tariff.export_per_kwh,
        params=state.params,
    )


def _present_kw(state: SiteState, need: Need) -> float:
    order = state.evses[need.session.evse].last_order
    if order is None:
        return 0.0
    voltage_v = state.site.evses[need.session.evse].caps.voltage_v
    return min(units.a_to_kw(order.setpoint.current_a, voltage_v, need.n_phases), need.power_max_kw)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Frame:
    """What every row of one snapshot is computed from."""

    state: SiteState
    now: datetime
    steps: tuple[tuple[float, float], ...]
    active: tuple[guard.Lane, ...]
    planned: frozenset[EvseId]
    shapes: Mapping[NodeId, tuple[float, ...]]
    base: Mapping[NodeId, row_tools.Uncontrolled]


def _rows(frame: _Frame) -> tuple[CapacityRow, ...]:
    """One row per static limit, and one per node and quantity that has limits with a validity."""
    site = frame.state.site
    found = [_row(frame, row, [row.limit] * len(frame.steps)) for row in row_tools.static_rows(site)]
    found += [_row(frame, row, limits) for row, limits in _timed(frame)]
    return tuple(found)


def _timed(frame: _Frame) -> list[tuple[Row, list[float]]]:
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


def _row(frame: _Frame, row: Row, limits: Sequence[float]) -> CapacityRow:
    """Capacity per step: limit − margin − uncontrolled load − EVSEs that are not planned, never below zero."""
    state, phase = frame.state, row.phase
    voltage_v = state.site.voltage_v
    base = row_tools.on_row(frame.base[row.node].load, phase)
    members, fixed = [], 0.0
    below = frozenset(state.site.below[row.node])
    for lane in frame.active:
        if lane.evse.id not in below or lane.unit(phase) <= 0.0:
            continue
        if lane.evse.id in frame.planned:
            per_kw = 1000.0 / (lane.evse.caps.voltage_v * lane.n_used)
            members.append((lane.evse.id, lane.unit(phase) * per_kw))
        else:
            fixed += lane.load(lane.counted_a(lane.now_a, is_static=row.is_static), phase)
    left = []
    for limit, change_kw in zip(limits, frame.shapes[row.node], strict=True):
        change = change_kw if phase == KW_ROW else units.kw_to_a(change_kw, voltage_v, 3)
        kept = row_tools.margin(limit, phase, state.params, voltage_v) if limit < inf else 0.0
        left.append(max(limit - kept - base - change - fixed, 0.0))
    return CapacityRow(name=row.name, source=row.source, limit=tuple(left), members=tuple(members))
