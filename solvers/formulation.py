"""ChargingProblem → LinearProgram: the model, written once.

Columns, in this order (absent ones cost nothing):

    p[s,t]  power inside the stay         u[s,k]  shortfall in K segments of rising price
    g[t]    import                        x[t]    export          c[t]  curtailed PV
    r⁺[s], r⁻[s]  change of the first step against the setpoint in force
    o[r,t]  excess over a soft row

Rows: site balance, session energy, capacity rows that can bind, first-step change.

Tiers of the objective (limits ≫ promises ≫ cost ≫ comfort) come from the instance. Let Π be the largest price per
kWh in sight and σ the whole comfort budget per kWh, σ = COMFORT·max(Π, 1). One kWh moved within its stay can change
cost by at most 2·Π/η and comfort by at most 2·σ; a shortfall is therefore priced at PROMISE·(Π/η_min + σ) and up, so no
saving ever pays for breaking a promise. Limits have no price at all: they are hard rows. A soft limit carries its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.problem import ChargingProblem, Floats, Solution, Status, balance, excess, shortfall
from solvers.program import LinearProgram

COMFORT = 1e-2
"""Comfort per kWh as a part of the price level."""
SCALE = 1000.0
"""Costs are passed in thousandths: the smallest comfort must stay well above the solvers' tolerance of 1e-7."""
PROMISE = 10.0
"""Price of a shortfall as a multiple of the most that serving it can cost."""
LEAST_URGENCY = 0.125
CHANGE_SHARE = 0.5
"""Price of a change of the first step, as a part of what waiting one step costs the least urgent session. It must stay
below 1: else not to change is always cheaper, and a plan that is made anew every tick would put work off for ever.
"""
CURTAIL_SHARE = 0.1

Bools = NDArray[np.bool_]
Index = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Where the columns are. ``cells`` marks p[s,t]; ``bind`` (R, T) the capacity rows that are kept."""

    cells: Bools
    session_of: Index
    step_of: Index
    first_u: int
    n_segments: int
    first_g: int
    has_import: bool
    first_x: int
    has_pv: bool
    first_change: int
    changed: Index
    first_soft: int
    soft_row: Index
    soft_step: Index
    bind: Bools
    n_cols: int


def lay_out(problem: ChargingProblem) -> Layout:
    """Decide which columns and rows exist."""
    cells = problem.power_max_kw > 0.0
    session_of, step_of = np.nonzero(cells)
    n_power = int(session_of.size)
    segments = problem.options.n_shortfall_segments
    has_pv = bool((problem.pv_kw > 0).any())
    has_import = has_pv or bool((problem.import_price_per_kwh != 0).any() or np.isfinite(problem.import_limit_kw).any())
    if problem.options.change_weight > 0 and n_power:
        changed = np.nonzero(cells[:, 0])[0]
    else:
        changed = np.zeros(0, dtype=np.int64)
    most = problem.row_coef @ problem.power_max_kw
    bind = most > problem.row_limit * (1.0 + 1e-12)
    soft_row, soft_step = np.nonzero(bind & np.isfinite(problem.row_soft_price)[:, None])
    n_steps = problem.n_steps
    first_u = n_power
    first_g = first_u + problem.n_sessions * segments
    first_x = first_g + (n_steps if has_import else 0)
    first_change = first_x + (2 * n_steps if has_pv else 0)
    first_soft = first_change + 2 * int(changed.size)
    return Layout(
        cells=cells,
        session_of=session_of,
        step_of=step_of,
        first_u=first_u,
        n_segments=segments,
        first_g=first_g,
        has_import=has_import,
        first_x=first_x,
        has_pv=has_pv,
        first_change=first_change,
        changed=changed,
        first_soft=first_soft,
        soft_row=soft_row,
        soft_step=soft_step,
        bind=bind,
        n_cols=first_soft + int(soft_row.size),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rows:
    """First row number of each block; −1 in ``capacity`` (R, T) where no row is kept."""

    energy: int
    room: Index
    capacity: Index
    change: int
    n_rows: int
    lower: Floats
    upper: Floats


def _rows(problem: ChargingProblem, layout: Layout) -> _Rows:
    n_sessions, n_steps = problem.n_sessions, problem.n_steps
    n_balance = n_steps if layout.has_import else 0
    net = problem.base_kw - problem.pv_kw
    is_exact = problem.room_kwh <= problem.need_kwh + 1e-12
    has_room = ~is_exact & np.isfinite(problem.room_kwh)
    n_room, n_bind = int(has_room.sum()), int(layout.bind.sum())
    room = np.full(n_sessions, -1)
    room[has_room] = n_balance + n_sessions + np.arange(n_room)
    capacity = np.full((problem.n_rows, n_steps), -1)
    first_capacity = n_balance + n_sessions + n_room
    capacity[layout.bind] = first_capacity + np.arange(n_bind)
    present = problem.present_kw[layout.changed]
    lower = [
        net[: n_balance or 0],
        problem.need_kwh,
        np.full(n_room + n_bind, -np.inf),
        present,
    ]
    upper = [
        net[: n_balance or 0],
        np.where(is_exact, problem.need_kwh, np.inf),
        problem.room_kwh[has_room],
        problem.row_limit[layout.bind],
        present,
    ]
    return _Rows(
        energy=n_balance,
        room=room,
        capacity=capacity,
        change=first_capacity + n_bind,
        n_rows=first_capacity + n_bind + int(layout.changed.size),
        lower=np.concatenate(lower),
        upper=np.concatenate(upper),
    )


def _power_columns(problem: ChargingProblem, layout: Layout, rows: _Rows) -> tuple[Index, Floats, Bools]:
    """Row numbers, values and a mask of the entries of every p[s,t]: (columns, slots), one slot per kind of row."""
    s, t = layout.session_of, layout.step_of
    n_change = int(layout.changed.size)
    slots = 4 + problem.n_rows
    index = np.full((s.size, slots), -1, dtype=np.int64)
    value = np.zeros((s.size, slots))
    if layout.has_import:
        index[:, 0], value[:, 0] = t, -1.0
    energy = problem.efficiency[s] * problem.step_h[t]
    index[:, 1], value[:, 1] = rows.energy + s, energy
    index[:, 2], value[:, 2] = rows.room[s], energy
    index[:, 3 : 3 + problem.n_rows] = rows.capacity[:, t].T
    value[:, 3 : 3 + problem.n_rows] = problem.row_coef[:, s].T
    if n_change:
        place = np.full(problem.n_sessions, -1)
        place[layout.changed] = rows.change + np.arange(n_change)
        index[:, -1] = np.where(t == 0, place[s], -1)
        value[:, -1] = 1.0
    return index, value, (index >= 0) & (value != 0.0)


def _other_columns(problem: ChargingProblem, layout: Layout, rows: _Rows) -> tuple[Index, Floats]:
    """Row number and value of the single entry of every column after the p[s,t]."""
    n_steps, n_change = problem.n_steps, int(layout.changed.size)
    steps = np.arange(n_steps)
    index = [np.repeat(rows.energy + np.arange(problem.n_sessions), layout.n_segments)]
    value = [np.ones(problem.n_sessions * layout.n_segments)]
    if layout.has_import:
        index.append(steps)
        value.append(np.ones(n_steps))
    if layout.has_pv:
        index += [steps, steps]
        value.append(-np.ones(2 * n_steps))
    change = rows.change + np.arange(n_change)
    index += [change, change, rows.capacity[layout.soft_row, layout.soft_step]]
    value += [-np.ones(n_change), np.ones(n_change), -np.ones(layout.soft_row.size)]
    return np.concatenate(index), np.concatenate(value)


def price_level(problem: ChargingProblem) -> float:
    """Π: the largest price per kWh in sight."""
    return float(
        max(np.abs(problem.import_price_per_kwh).max(initial=0), np.abs(problem.export_price_per_kwh).max(initial=0))
    )


def _urgency(problem: ChargingProblem) -> Floats:
    """(S,) in [LEAST_URGENCY, 1]: the part of its stay that a session needs at full power, rounded up to a power of two.

    Who has less time to spare is served sooner, at the scale of comfort only. Rounding makes sessions that are about
    alike equal, so that serving one does not at once make another more urgent and the plan swap them every tick.
    """
    most = np.maximum(problem.power_max_kw @ problem.step_h * problem.efficiency, 1e-9)
    part = np.clip(problem.need_kwh / most, LEAST_URGENCY, 1.0)
    rounded: Floats = np.exp2(np.ceil(np.log2(part) - 1e-9))
    return rounded


def _costs(problem: ChargingProblem, layout: Layout) -> Floats:
    cost = np.zeros(layout.n_cols)
    options, hours = problem.options, problem.step_h
    level = price_level(problem)
    comfort = COMFORT * max(level, 1.0)
    later = np.arange(1, hours.size + 1) / hours.size  # by steps: a minute now weighs as much as an hour tonight
    sooner = options.sooner_weight * comfort * hours * later
    cost[: layout.first_u] = sooner[layout.step_of] * _urgency(problem)[layout.session_of]
    least = float(problem.efficiency.min(initial=1.0))
    promise = PROMISE * (level / least + comfort * (options.sooner_weight + options.change_weight + 1.0))
    rising = 1.0 + (np.arange(layout.n_segments) + 0.5) / layout.n_segments
    cost[layout.first_u : layout.first_g] = np.outer(promise * problem.priority, rising).ravel()
    if layout.has_import:
        cost[layout.first_g : layout.first_g + problem.n_steps] = problem.import_price_per_kwh * hours
    if layout.has_pv:
        middle_x = layout.first_x + problem.n_steps
        cost[layout.first_x : middle_x] = -problem.export_price_per_kwh * hours
        cost[middle_x : layout.first_change] = comfort * CURTAIL_SHARE * hours
    wait = LEAST_URGENCY * (later[1] - later[0] if later.size > 1 else 1.0)
    change = options.change_weight * comfort * CHANGE_SHARE * wait * hours[0]
    cost[layout.first_change : layout.first_soft] = change
    cost[layout.first_soft :] = problem.row_soft_price[layout.soft_row] * hours[layout.soft_step]
    return cost * SCALE


def _upper_bounds(problem: ChargingProblem, layout: Layout) -> Floats:
    upper = np.full(layout.n_cols, np.inf)
    upper[: layout.first_u] = problem.power_max_kw[layout.session_of, layout.step_of]
    upper[layout.first_u : layout.first_g] = np.repeat(problem.need_kwh / layout.n_segments, layout.n_segments)
    if layout.has_import:
        net = problem.base_kw - problem.pv_kw
        upper[layout.first_g : layout.first_g + problem.n_steps] = np.maximum(problem.import_limit_kw, net)
    if layout.has_pv:
        middle_x = layout.first_x + problem.n_steps
        upper[layout.first_x : middle_x] = np.minimum(problem.export_limit_kw, problem.pv_kw)
        upper[middle_x : layout.first_change] = problem.pv_kw
    return upper


def build(problem: ChargingProblem) -> tuple[LinearProgram, Layout]:
    """The linear program of a problem. No Python loop over sessions or steps, no sorting."""
    layout = lay_out(problem)
    rows = _rows(problem, layout)
    index, value, mask = _power_columns(problem, layout, rows)
    other_index, other_value = _other_columns(problem, layout, rows)
    counts = np.concatenate([mask.sum(axis=1), np.ones(other_index.size, dtype=np.int64)])
    starts = np.concatenate([[0], np.cumsum(counts)])
    lower = np.zeros(layout.n_cols)
    if layout.has_import:
        # Without PV a negative base load may flow back to the grid unpriced.
        free = np.minimum(problem.base_kw - problem.pv_kw, 0.0) if not layout.has_pv else np.zeros(problem.n_steps)
        lower[layout.first_g : layout.first_g + problem.n_steps] = free
    program = LinearProgram(
        cost=_costs(problem, layout),
        col_lower=lower,
        col_upper=_upper_bounds(problem, layout),
        row_lower=rows.lower,
        row_upper=rows.upper,
        starts=starts.astype(np.int32),
        indices=np.concatenate([index[mask], other_index]).astype(np.int32),
        values=np.concatenate([value[mask], other_value]),
        name_columns=lambda: _column_names(problem, layout),
        name_rows=lambda: _row_names(problem, layout, rows),
    )
    return program, layout


def _column_names(problem: ChargingProblem, layout: Layout) -> tuple[str, ...]:
    keys, first = problem.session_keys, problem.first_step
    steps = range(first, first + problem.n_steps)
    found = [f"p[{keys[s]},{first + t}]" for s, t in zip(layout.session_of, layout.step_of, strict=True)]
    found += [f"u[{key},{k}]" for key in keys for k in range(layout.n_segments)]
    if layout.has_import:
        found += [f"g[{t}]" for t in steps]
    if layout.has_pv:
        found += [f"x[{t}]" for t in steps] + [f"c[{t}]" for t in steps]
    found += [f"up[{keys[s]}]" for s in layout.changed] + [f"down[{keys[s]}]" for s in layout.changed]
    pairs = zip(layout.soft_row, layout.soft_step, strict=True)
    found += [f"o[{problem.row_names[r]},{first + t}]" for r, t in pairs]
    return tuple(found)


def _row_names(problem: ChargingProblem, layout: Layout, rows: _Rows) -> tuple[str, ...]:
    keys, first = problem.session_keys, problem.first_step
    found = [f"balance[{first + t}]" for t in range(problem.n_steps)] if layout.has_import else []
    found += [f"energy[{key}]" for key in keys]
    found += [f"room[{key}]" for key, place in zip(keys, rows.room, strict=True) if place >= 0]
    found += [f"{problem.row_names[r]}[{first + t}]" for r, t in zip(*np.nonzero(layout.bind), strict=True)]
    found += [f"change[{keys[s]}]" for s in layout.changed]
    return tuple(found)


def to_power(problem: ChargingProblem, layout: Layout, values: Floats) -> Floats:
    """(S, T) power of a point, clipped into [0, maximum]: engines return tiny excursions."""
    power = np.zeros((problem.n_sessions, problem.n_steps))
    power[layout.session_of, layout.step_of] = values[: layout.first_u]
    return np.clip(power, 0.0, problem.power_max_kw)


def to_solution(
    problem: ChargingProblem, layout: Layout, values: Floats, *, status: Status, engine: str, objective: float
) -> Solution:
    """Map a point of the program back to the problem's axes; what follows from the power is computed from it."""
    power = to_power(problem, layout, values)
    imported, exported, curtailed = balance(problem, power)
    if layout.has_import:
        imported = values[layout.first_g : layout.first_g + problem.n_steps].copy()
    if layout.has_pv:
        middle_x = layout.first_x + problem.n_steps
        exported = values[layout.first_x : middle_x].copy()
        curtailed = values[middle_x : layout.first_change].copy()
    over = np.zeros((problem.n_rows, problem.n_steps))
    over[layout.soft_row, layout.soft_step] = np.maximum(values[layout.first_soft :], 0.0)
    return Solution(
        status=status,
        has_values=True,
        power_kw=power,
        import_kw=imported,
        export_kw=exported,
        curtailed_kw=curtailed,
        shortfall_kwh=shortfall(problem, power),
        row_excess=over,
        excess_kw=excess(problem),
        objective_money=objective,
        engine=engine,
    )
