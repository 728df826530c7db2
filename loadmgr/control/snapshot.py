"""State + forecasts + now → a snapshot with fixed axes: sessions, steps and capacity rows."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import accumulate
from math import inf
from zoneinfo import ZoneInfo

from loadmgr import units
from loadmgr.control import angled, energy_state, guard
from loadmgr.control import rows as row_tools
from loadmgr.control.need import Need, need_of
from loadmgr.control.rows import KW_ROW, Row
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.limits import Limit, LimitKind, tightest
from loadmgr.domain.params import ControlParams
from loadmgr.domain.site import Battery, batteries_below
from loadmgr.forecast import baseload, carbon, prices, spread

Steps = Sequence[tuple[float, float]]
"""(offset_s, length_s) from now."""


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
class DemandAhead:
    """A demand charge on the plan's steps."""

    name: str
    price_per_kw: float
    incurred_kw: float
    counts: tuple[bool, ...]


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
    pv_kw: tuple[float, ...] = ()
    """PV that may be curtailed; it is part of ``net_base_kw``."""
    carbon_price: tuple[float, ...] = ()
    batteries: tuple[tuple[Battery, float], ...] = ()
    """Batteries with what they hold, kWh."""
    demand: tuple[DemandAhead, ...] = ()
    export_limit_kw: tuple[float, ...] = ()
    """At the grid connection; empty: none."""


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
        for need in [need_of(state, lane.session, now, learns=True)]
        if need.is_open and need.power_max_kw > 0.0
    }
    shapes = {node: baseload.shape_kw(state.site, state.context.loads, node, now, steps) for node in state.site.nodes}
    base = row_tools.uncontrolled(state, now, has_batteries=False)
    when = (now, state.params.battery_stale_s)
    live = energy_state.live_batteries(state.energy, state.site, state.site.root, when)
    batteries = tuple((state.site.batteries[b.battery], b.stored_kwh) for b in live)
    rows = _rows(
        _Frame(
            state=state,
            now=now,
            steps=steps,
            active=tuple(active),
            planned=frozenset(planned),
            shapes=shapes,
            base=base,
            spread=_spread(state, steps),
            batteries=frozenset(b.battery for b in live),
            bidirectional=frozenset(e for e, need in planned.items() if need.is_bidirectional),
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
        pv_kw=baseload.pv_ahead_kw(state.context.loads, now, steps),
        carbon_price=_carbon(state, now, steps),
        batteries=batteries,
        demand=_demand(state, now, steps),
        export_limit_kw=_export_limit(state, now, steps),
    )


def _carbon(state: SiteState, now: datetime, steps: Steps) -> tuple[float, ...]:
    tariff = state.context.tariff
    if tariff.carbon_per_kg <= 0.0:
        return ()
    found = carbon.carbon_kg_per_kwh(tariff.carbon_series, tariff.carbon_kg_per_kwh, now, steps)
    return tuple(rate * tariff.carbon_per_kg for rate in found)


def _demand(state: SiteState, now: datetime, steps: Steps) -> tuple[DemandAhead, ...]:
    tariff = state.context.tariff
    zone = ZoneInfo(tariff.timezone)
    middles = [(now + timedelta(seconds=o + length / 2)).astimezone(zone) for o, length in steps]
    return tuple(
        DemandAhead(
            name=charge.name,
            price_per_kw=charge.price_per_kw,
            incurred_kw=energy_state.incurred_kw(state.energy, charge.name, now, tariff.timezone),
            counts=tuple(charge.counts_at(at) for at in middles),
        )
        for charge in tariff.demand
    )


def _export_limit(state: SiteState, now: datetime, steps: Steps) -> tuple[float, ...]:
    """The tightest limit on flow back at the grid connection, per step; empty when nobody states one."""
    limits = _limits_of(state, state.site.root)
    if all(x.export_kw is None for x in limits):
        return ()
    return tuple(_lowest(limits, now, step, "export_kw") for step in steps)


def _limits_of(state: SiteState, node: NodeId) -> list[Limit]:
    return [*state.site.nodes[node].limits, *(x for x in state.limits.values() if x.node == node)]


def _lowest(limits: Sequence[Limit], now: datetime, step: tuple[float, float], name: str) -> float:
    """The tightest value of one quantity that holds at any time within a step; infinite when nobody states one."""
    start = now + timedelta(seconds=step[0])
    end = start + timedelta(seconds=step[1])
    marks = {start, *(t for x in limits for t in (x.from_at, x.until_at) if t is not None and start < t < end)}
    found = (getattr(tightest(limits, mark), name) for mark in marks)
    return min((v for v in found if v is not None), default=inf)


def _spread(state: SiteState, steps: Steps) -> Mapping[NodeId, tuple[float, ...]]:
    """How much more than expected the base load below metered nodes may be, kW per step, at the chosen quantile.

    Nothing in the first step: that load is measured, and the margin covers it.
    """
    middles = [offset_s + length_s / 2 for offset_s, length_s in steps]
    found = {}
    for node, errors in state.energy.errors.items():
        more = spread.quantiles_kw(errors, middles, state.params.forecast_quantile)
        found[node] = (0.0, *more[1:])
    return found


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
    spread: Mapping[NodeId, tuple[float, ...]]
    batteries: frozenset[str]
    bidirectional: frozenset[EvseId]


def _rows(frame: _Frame) -> tuple[CapacityRow, ...]:
    """One row per static limit, and one per node and quantity that has limits with a validity."""
    site = frame.state.site
    found = [_row(frame, row, [row.limit] * len(frame.steps)) for row in row_tools.static_rows(site)]
    found += [_row(frame, row, limits) for row, limits in _timed(frame)]
    found += _soft_rows(frame)
    if frame.batteries or frame.bidirectional:
        found += [
            row for node in site.nodes for name in ("export_kw", "discharge_kw") for row in _back_row(frame, node, name)
        ]
    return tuple(found)


def _soft_rows(frame: _Frame) -> list[CapacityRow]:
    """One row for every quantity of every soft limit, without a margin."""
    state, found = frame.state, []
    for limit in (x for node in state.site.nodes for x in _limits_of(state, node) if x.kind is LimitKind.SOFT):
        wishes = [(p, limit.current_a) for p in range(3)] if limit.current_a is not None else []
        wishes += [(KW_ROW, limit.power_kw)] if limit.power_kw is not None else []
        hard = replace(limit, kind=LimitKind.HARD)
        for phase, value in wishes:
            assert value is not None  # noqa: S101 looked at above
            name = "power_kw" if phase == KW_ROW else "current_a"
            values = [_lowest([hard], frame.now, step, name) for step in frame.steps]
            row = Row(node=limit.node, phase=phase, limit=value, source=limit.source, is_static=False)
            found.append(replace(_row(frame, row, values, is_soft=True), name=f"{row.name} (wish)", is_soft=True))
    return found


def _back_row(frame: _Frame, node: NodeId, name: str) -> Iterator[CapacityRow]:
    """A limit on flow back below the connection, or on what cars and batteries deliver together, in kW."""
    state, site = frame.state, frame.state.site
    limits = [x for x in _limits_of(state, node) if getattr(x, name) is not None]
    is_export = name == "export_kw"
    if not limits or (is_export and node == site.root):
        return
    most = [_lowest(limits, frame.now, step, name) for step in frame.steps]
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


def _unseen(frame: _Frame, node: NodeId) -> list[float]:
    """(T,) PV below a node that no meter sees, kW, at its highest within each step."""
    found = []
    for offset_s, length_s in frame.steps:
        marks = (frame.now + timedelta(seconds=offset_s + length_s * part) for part in (0.0, 0.5, 0.99))
        found.append(max(row_tools.unseen_pv_kw(frame.state, node, mark) for mark in marks))
    return found


def _curtail(frame: _Frame, node: NodeId, per_kw: float) -> tuple[float, ...]:
    """What a kW of the site's curtailed PV adds to a row at ``node``: the node's part of the PV."""
    loads, site = frame.state.context.loads, frame.state.site
    below = [x for x in loads if x.pv_kw is not None and any(n.id == node for n in site.path(x.node))]
    if not any(x.is_curtailable for x in below):
        return ()
    own = baseload.pv_ahead_kw(below, frame.now, frame.steps)
    total = baseload.pv_ahead_kw(loads, frame.now, frame.steps)
    return tuple(per_kw * part / whole if whole > 0.0 else 0.0 for part, whole in zip(own, total, strict=True))


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


def _row(frame: _Frame, row: Row, limits: Sequence[float], *, is_soft: bool = False) -> CapacityRow:
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


def _members(frame: _Frame, row: Row) -> tuple[tuple[tuple[EvseId, float], ...], float]:
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


def _angles(frame: _Frame, row: Row) -> tuple[tuple[EvseId, complex], ...]:
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
