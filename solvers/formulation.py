"""ChargingProblem → LinearProgram: the model, written once. Columns and rows are described in ``layout``."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from functools import cache

import numpy as np

from solvers import keys
from solvers.costs import SCALE, cost_parts, shortfall_sizes
from solvers.layout import Facets, Layout, lay_out, row_slots
from solvers.parts import Floats, Index
from solvers.problem import ChargingProblem
from solvers.program import LinearProgram
from solvers.rows import Rows, make_rows


class _Entries:
    """Row numbers and values of a block of columns, one (n, w) piece per kind of row; −1 or 0 drop out."""

    def __init__(self, count: int) -> None:
        self.count = count
        self.index: list[Index] = []
        self.value: list[Floats] = []

    def put(self, index: Index, value: Floats | float) -> None:
        """One slot: a row number and a value per column."""
        self.index.append(np.asarray(index, dtype=np.int64).reshape(self.count, 1))
        self.value.append(np.broadcast_to(np.asarray(value, dtype=np.float64), (self.count,)).reshape(self.count, 1))

    def put_many(self, index: Index, value: Floats) -> None:
        """Several slots at once, (n, w)."""
        self.index.append(index)
        self.value.append(np.broadcast_to(value, index.shape))

    def packed(self) -> tuple[Index, Index, Floats]:
        """Entries per column, row numbers, values."""
        index, value = np.concatenate(self.index, axis=1), np.concatenate(self.value, axis=1)
        mask = (index >= 0) & (value != 0.0)
        return mask.sum(axis=1), index[mask], value[mask]


def _power(problem: ChargingProblem, layout: Layout, rows: Rows) -> _Entries:
    s, t = layout.session_of, layout.step_of
    found = _Entries(int(s.size))
    if rows.has_balance:
        found.put(t, -1.0)
    stored = problem.efficiency[s] * problem.step_h[t]
    tracked_of = np.full(problem.n_sessions, -1, dtype=np.int64)
    if problem.tracked is not None:
        tracked_of[problem.tracked.session] = np.arange(problem.tracked.session.size)
    k = tracked_of[s]
    if (k >= 0).any():
        found.put(np.where(k >= 0, rows.storage[k, t], rows.energy + s), np.where(k >= 0, -stored, stored))
        if rows.taper.shape[1]:
            found.put_many(np.where((k >= 0)[:, None], rows.taper[k, :, t], -1), np.ones(1))
    else:
        found.put(rows.energy + s, stored)
    if (rows.room >= 0).any():
        found.put(rows.room[s], stored)
    slots, coef = row_slots(problem.row_coef)
    found.put_many(np.where(slots[s] >= 0, rows.capacity[slots[s], t[:, None]], -1), coef[s])
    _put_facets(found, problem, layout, rows, (s, t, 1.0))
    if layout.changed.size:
        place = np.full(problem.n_sessions, -1, dtype=np.int64)
        place[layout.changed] = rows.change + np.arange(layout.changed.size)
        found.put(np.where(t == 0, place[s], -1), 1.0)
    if layout.z_of.size:
        place = np.full(s.size, -1, dtype=np.int64)
        place[layout.z_of] = rows.link + 2 * np.arange(layout.z_of.size)
        found.put(place, 1.0)
        found.put(np.where(place >= 0, place + 1, -1), 1.0)
    return found


def _put_facets(
    found: _Entries, problem: ChargingProblem, layout: Layout, rows: Rows, cells: tuple[Index, Index, float]
) -> None:
    """Entries of sessions' power (sign 1) or discharge (sign −1) in the facets of their step."""
    facets, phasors = layout.facets, problem.phasors
    if phasors is None or not facets.size:
        return
    s, t, sign = cells
    order = np.argsort(facets.step, kind="stable")
    counts = np.bincount(facets.step, minlength=problem.n_steps)
    first = np.cumsum(counts) - counts
    width = int(counts.max())
    slot = first[t][:, None] + np.arange(width)
    facet = np.where(np.arange(width) < counts[t][:, None], order[np.minimum(slot, facets.size - 1)], -1)
    turned = (phasors.coef[facets.limit] * np.exp(-1j * facets.angle(phasors))[:, None]).real
    found.put_many(np.where(facet >= 0, rows.facet + facet, -1), sign * turned[facet, s[:, None]])


def _tracked_columns(problem: ChargingProblem, layout: Layout, rows: Rows) -> Iterable[_Entries]:
    """Discharge, then stored energy."""
    tracked = problem.tracked
    if tracked is None:
        return
    if layout.d_of.size:
        k, t = layout.d_of, layout.d_step
        s = tracked.session[k]
        out = _Entries(int(k.size))
        out.put(t, 1.0)
        out.put(rows.storage[k, t], problem.step_h[t] / tracked.discharge_efficiency[k])
        slots, coef = row_slots(problem.row_coef)
        out.put_many(np.where(slots[s] >= 0, rows.capacity[slots[s], t[:, None]], -1), -coef[s])
        _put_facets(out, problem, layout, rows, (s, t, -1.0))
        place = np.full(problem.n_sessions, -1, dtype=np.int64)
        place[layout.changed] = rows.change + np.arange(layout.changed.size)
        out.put(np.where(t == 0, place[s], -1), -1.0)
        yield out
    k, t = layout.e_of, layout.e_step
    if not k.size:
        return
    stored = _Entries(int(k.size))
    after = np.minimum(t + 1, problem.n_steps - 1)
    is_last = (t == problem.n_steps - 1) | (layout.e_at[k, after] < 0)
    stored.put(rows.storage[k, t], 1.0)
    stored.put(np.where(is_last, -1, rows.storage[k, after]), -1.0)
    stored.put(np.where(is_last, rows.energy + tracked.session[k], -1), 1.0)
    if rows.taper.shape[1]:
        half = tracked.taper_per_kwh[k] / 2.0
        stored.put_many(rows.taper[k, :, t], half)
        stored.put_many(np.where(is_last[:, None], -1, rows.taper[k, :, after]), half)
    yield stored


def _site_columns(problem: ChargingProblem, layout: Layout, rows: Rows) -> Iterable[_Entries]:
    """Import, export, curtailed PV."""
    n_steps = problem.n_steps
    steps = np.arange(n_steps)
    if layout.first_g >= 0:
        imported = _Entries(n_steps)
        imported.put(steps, 1.0)
        if rows.peak.size:
            imported.put_many(rows.peak.T, np.ones(1))
        yield imported
    if layout.first_x >= 0:
        exported = _Entries(n_steps)
        exported.put(steps, -1.0)
        yield exported
    if layout.first_c >= 0:
        curtailed = _Entries(n_steps)
        curtailed.put(steps, -1.0)
        if problem.curtail_coef.any():
            curtailed.put_many(rows.capacity.T, problem.curtail_coef.T)
        yield curtailed


def _battery_columns(problem: ChargingProblem, layout: Layout, rows: Rows) -> Iterable[_Entries]:
    batteries = problem.batteries
    if batteries is None or layout.first_battery < 0:
        return
    n_batteries, n_steps = len(batteries.names), problem.n_steps
    b, t = np.divmod(np.arange(n_batteries * n_steps), n_steps)
    own = rows.battery + b * n_steps + t
    slots, coef = row_slots(batteries.row_coef)
    kept = np.where(slots[b] >= 0, rows.capacity[slots[b], t[:, None]], -1)
    gains = (
        (-1.0, -batteries.efficiency[b] * problem.step_h[t]),
        (1.0, problem.step_h[t] / batteries.discharge_efficiency[b]),
    )
    for sign, gain in gains:
        flow = _Entries(int(b.size))
        flow.put(t, sign)
        flow.put(own, gain)
        flow.put_many(kept, -sign * coef[b])
        yield flow
    stored = _Entries(int(b.size))
    stored.put(own, 1.0)
    stored.put(np.where(t < n_steps - 1, own + 1, -1), -1.0)
    yield stored


def _rest(problem: ChargingProblem, layout: Layout, rows: Rows) -> Iterable[_Entries]:
    """Peaks, changes, soft excess, on/off."""
    if layout.first_peak >= 0:
        peaks = _Entries(rows.peak.shape[0])
        peaks.put_many(rows.peak, -np.ones(1))
        yield peaks
    n_change = int(layout.changed.size)
    change = _Entries(2 * n_change)
    change.put(np.tile(rows.change + np.arange(n_change), 2), np.repeat([-1.0, 1.0], n_change))
    yield change
    soft = _Entries(int(layout.soft_row.size))
    soft.put(rows.capacity[layout.soft_row, layout.soft_step], -1.0)
    yield soft
    if layout.z_of.size:
        s, t = layout.session_of[layout.z_of], layout.step_of[layout.z_of]
        link = rows.link + 2 * np.arange(layout.z_of.size)
        on = _Entries(int(s.size))
        on.put(link, -problem.power_max_kw[s, t])
        on.put(link + 1, -np.minimum(problem.power_min_kw[s], problem.power_max_kw[s, t]))
        yield on


def _shortfalls(problem: ChargingProblem, layout: Layout, rows: Rows) -> _Entries:
    found = _Entries(problem.n_sessions * layout.n_segments)
    found.put(np.repeat(rows.energy + np.arange(problem.n_sessions), layout.n_segments), 1.0)
    return found


def _bounds(problem: ChargingProblem, layout: Layout) -> tuple[Floats, Floats]:
    lower, upper = np.zeros(layout.n_cols), np.full(layout.n_cols, np.inf)

    def put(first: int, values: Floats) -> None:
        if first >= 0:
            upper[first : first + values.size] = values

    put(0, problem.power_max_kw[layout.session_of, layout.step_of])
    put(layout.first_u, shortfall_sizes(problem).ravel())
    most_out = problem.pv_kw + problem.surplus_kw
    tracked, batteries = problem.tracked, problem.batteries
    if tracked is not None:
        may = tracked.usable_discharge_kw()
        put(layout.first_d, may[layout.d_of, layout.d_step])
        most_out = most_out + may.sum(axis=0)
        columns = layout.e_at[layout.e_of, layout.e_step]
        lower[columns] = np.minimum(tracked.reserve_kwh, tracked.stored_kwh)[layout.e_of]
        room = problem.room_kwh[tracked.session[layout.e_of]]
        upper[columns] = tracked.stored_kwh[layout.e_of] + room
    if batteries is not None and layout.first_battery >= 0:
        n_steps, block = problem.n_steps, len(batteries.names) * problem.n_steps
        most_out = most_out + batteries.discharge_max_kw.sum()
        put(layout.first_battery, np.repeat(batteries.charge_max_kw, n_steps))
        put(layout.first_battery + block, np.repeat(batteries.discharge_max_kw, n_steps))
        first_e = layout.first_battery + 2 * block
        put(first_e, np.repeat(np.maximum(batteries.capacity_kwh, batteries.stored_kwh), n_steps))
        floor = np.minimum(batteries.floor_kwh, batteries.stored_kwh)
        lower[first_e : first_e + block] = np.repeat(floor, n_steps)
    put(layout.first_g, np.maximum(problem.import_limit_kw, problem.base_kw - problem.pv_kw))
    put(layout.first_x, np.maximum(np.minimum(problem.export_limit_kw, most_out), problem.surplus_kw))
    put(layout.first_c, problem.pv_kw)
    put(layout.first_z, np.ones(layout.z_of.size))
    return lower, upper


def build(problem: ChargingProblem, facets: Facets | None = None, *, n_exact_steps: int = 0) -> tuple[LinearProgram, Layout]:
    """The linear program of a problem. No Python loop over sessions or steps, no sorting."""
    layout = lay_out(problem, facets, n_exact_steps)
    rows = make_rows(problem, layout)
    blocks = [
        _power(problem, layout, rows),
        *_tracked_columns(problem, layout, rows),
        _shortfalls(problem, layout, rows),
        *_site_columns(problem, layout, rows),
        *_battery_columns(problem, layout, rows),
        *_rest(problem, layout, rows),
    ]
    packed = [block.packed() for block in blocks]
    counts = np.concatenate([p[0] for p in packed])
    lower, upper = _bounds(problem, layout)
    cost = sum(cost_parts(problem, layout).values(), np.zeros(layout.n_cols)) * SCALE
    first_z = layout.first_z
    layout = replace(layout, rows=rows)
    program = LinearProgram(
        cost=cost,
        col_lower=lower,
        col_upper=upper,
        row_lower=rows.lower,
        row_upper=rows.upper,
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        indices=np.concatenate([p[1] for p in packed]).astype(np.int32),
        values=np.concatenate([p[2] for p in packed]),
        name_columns=lambda: keys.column_names(problem, layout),
        name_rows=lambda: keys.row_names(problem, layout, rows),
        key_columns=cache(lambda: keys.column_keys(problem, layout)),
        key_rows=cache(lambda: keys.row_keys(problem, layout, rows)),
        integer=np.arange(first_z, first_z + layout.z_of.size, dtype=np.int32) if layout.z_of.size else None,
    )
    return program, layout
