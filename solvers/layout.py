"""Which columns and rows a problem needs, and where they are.

Columns, in this order (absent ones cost nothing):

    p[s,t]  power inside the stay         d[k,t]  discharge             E[k,t]  stored energy of tracked sessions
    u[s,j]  shortfall in segments         g[t]    import                x[t]    export       c[t]  curtailed PV
    b⁺[b,t], b⁻[b,t], e[b,t]  battery     P[d]    peak above the peak incurred
    r⁺[s], r⁻[s]  change of the first step against the setpoint in force
    o[r,t]  excess over a soft row        z[s,t]  1 where a session is on (exact mode only)

Rows: site balance, session energy, room, storage of cars, taper cuts, storage of batteries, capacity rows that can
bind, facets, peaks, first-step change, on/off links.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from solvers.parts import Floats, Index, Phasors
from solvers.problem import Bools, ChargingProblem

if TYPE_CHECKING:
    from solvers.rows import Rows

NO_INDEX: Index = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True, slots=True, kw_only=True)
class Facets:
    """Polygon facets in use: limit number, step and side, one entry each."""

    limit: Index = field(default_factory=lambda: NO_INDEX)
    step: Index = field(default_factory=lambda: NO_INDEX)
    side: Index = field(default_factory=lambda: NO_INDEX)

    @property
    def size(self) -> int:
        """How many."""
        return int(self.limit.size)

    def angle(self, phasors: Phasors) -> Floats:
        """Direction of each facet's normal in radians."""
        found: Floats = 2.0 * np.pi * self.side / phasors.sides
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Layout:
    """Column numbers. ``*_at`` maps hold −1 where there is no column; ``first_*`` is −1 for an absent block."""

    session_of: Index
    step_of: Index
    p_at: Index
    """(S, T)"""
    d_of: Index
    d_step: Index
    first_d: int
    e_of: Index
    e_step: Index
    e_at: Index
    """(K, T)"""
    first_u: int
    n_segments: int
    first_g: int
    first_x: int
    first_c: int
    first_battery: int
    first_peak: int
    changed: Index
    first_change: int
    bind: Bools
    """(R, T) capacity rows that are kept."""
    soft_row: Index
    soft_step: Index
    first_soft: int
    z_of: Index
    """Power columns that have an on/off column."""
    first_z: int
    facets: Facets
    n_cols: int
    rows: Rows | None = None
    """Set by ``formulation.build``."""

    @property
    def n_power(self) -> int:
        """Number of p columns; they come first."""
        return int(self.session_of.size)


class _Counter:
    """Hands out blocks of column numbers."""

    def __init__(self) -> None:
        self.n = 0

    def take(self, count: int) -> int:
        first = self.n
        self.n += count
        return first if count else -1


def lay_out(problem: ChargingProblem, facets: Facets | None = None, n_exact_steps: int = 0) -> Layout:
    """Decide which columns and capacity rows exist."""
    n_sessions, n_steps, columns = problem.n_sessions, problem.n_steps, _Counter()
    cells = problem.power_max_kw > 0.0
    session_of, step_of = np.nonzero(cells)
    p_at = np.full((n_sessions, n_steps), -1, dtype=np.int64)
    p_at[cells] = np.arange(session_of.size)
    columns.take(int(session_of.size))
    d_of, d_step, stay = _tracked_cells(problem)
    first_d = columns.take(int(d_of.size))
    e_of, e_step = np.nonzero(stay)
    first_e = columns.take(int(e_of.size))
    e_at = np.full(stay.shape, -1, dtype=np.int64)
    e_at[stay] = first_e + np.arange(e_of.size)
    segments = problem.options.n_shortfall_segments * (2 if _has_promise(problem) else 1)
    first_u = columns.take(n_sessions * segments)
    has_export = _has_export(problem)
    has_import = has_export or _has_import(problem)
    first_g = columns.take(n_steps if has_import else 0)
    first_x = columns.take(n_steps if has_export else 0)
    first_c = columns.take(n_steps if bool((problem.pv_kw > 0).any()) else 0)
    n_batteries = len(problem.batteries.names) if problem.batteries is not None else 0
    first_battery = columns.take(3 * n_batteries * n_steps)
    first_peak = columns.take(len(problem.demand.names) if problem.demand is not None else 0)
    changed = np.nonzero(cells[:, 0])[0] if problem.options.change_weight > 0 and cells.size else NO_INDEX
    first_change = columns.take(2 * int(changed.size))
    bind = _binding(problem)
    soft_row, soft_step = np.nonzero(bind & np.isfinite(problem.row_soft_price)[:, None])
    first_soft = columns.take(int(soft_row.size))
    z_of = np.nonzero((step_of < n_exact_steps) & (problem.power_min_kw[session_of] > 0))[0]
    first_z = columns.take(int(z_of.size))
    return Layout(
        session_of=session_of,
        step_of=step_of,
        p_at=p_at,
        d_of=d_of,
        d_step=d_step,
        first_d=first_d,
        e_of=e_of,
        e_step=e_step,
        e_at=e_at,
        first_u=first_u,
        n_segments=segments,
        first_g=first_g,
        first_x=first_x,
        first_c=first_c,
        first_battery=first_battery,
        first_peak=first_peak,
        changed=changed,
        first_change=first_change,
        bind=bind,
        soft_row=soft_row,
        soft_step=soft_step,
        first_soft=first_soft,
        z_of=z_of,
        first_z=first_z,
        facets=facets if facets is not None else Facets(),
        n_cols=columns.n,
    )


def _has_promise(problem: ChargingProblem) -> bool:
    return bool((np.minimum(problem.promised_kwh, problem.need_kwh) > 0).any())


def _tracked_cells(problem: ChargingProblem) -> tuple[Index, Index, Bools]:
    """Discharge cells (k, t), and (K, T) the stay of tracked sessions: from the first to the last step with power."""
    tracked = problem.tracked
    if tracked is None or not tracked.session.size:
        return NO_INDEX, NO_INDEX, np.zeros((0, problem.n_steps), dtype=bool)
    may = tracked.usable_discharge_kw() > 0.0
    active = (problem.power_max_kw[tracked.session] > 0.0) | may
    stay = np.logical_or.accumulate(active, axis=1) & np.logical_or.accumulate(active[:, ::-1], axis=1)[:, ::-1]
    d_of, d_step = np.nonzero(may)
    return d_of, d_step, stay


def _has_export(problem: ChargingProblem) -> bool:
    discharges = problem.tracked is not None and bool((problem.tracked.usable_discharge_kw() > 0).any())
    stored = problem.batteries is not None and bool((problem.batteries.discharge_max_kw > 0).any())
    return discharges or stored or bool((problem.pv_kw > 0).any() or (problem.base_kw < 0).any())


def _has_import(problem: ChargingProblem) -> bool:
    priced = (problem.import_price_per_kwh != 0).any() or (problem.carbon_price_per_kwh != 0).any()
    return bool(priced or np.isfinite(problem.import_limit_kw).any()) or bool(problem.demand or problem.batteries)


def _binding(problem: ChargingProblem) -> Bools:
    """(R, T) rows that the connected power could exceed; the others are left out, the optimum is the same."""
    high, low = np.maximum(problem.row_coef, 0.0), np.maximum(-problem.row_coef, 0.0)
    most, least = product(high, problem.power_max_kw), product(low, problem.power_max_kw)
    tracked, batteries = problem.tracked, problem.batteries
    if tracked is not None and tracked.session.size:
        out = tracked.usable_discharge_kw()
        most = most + product(low[:, tracked.session], out)
        least = least + product(high[:, tracked.session], out)
    if batteries is not None:
        up, down = np.maximum(batteries.row_coef, 0.0), np.maximum(-batteries.row_coef, 0.0)
        most = most + (up @ batteries.charge_max_kw + down @ batteries.discharge_max_kw)[:, None]
        least = least + (up @ batteries.discharge_max_kw + down @ batteries.charge_max_kw)[:, None]
    most = most + np.maximum(problem.curtail_coef, 0.0) * problem.pv_kw
    kept: Bools = (most > problem.row_limit * (1.0 + 1e-12)) | (least > -problem.row_lower * (1.0 + 1e-12))
    return kept


Entries = tuple[Index, Index]


def entries(coef: NDArray[np.float64]) -> Entries:
    """Row and column of everything that is not zero, row by row; ``np.nonzero`` takes ten times as long on floats."""
    place = np.flatnonzero(coef != 0.0)
    row, column = np.divmod(place, max(coef.shape[1], 1))
    return row, column


def product(coef: NDArray[np.float64], array: Floats, known: Entries | None = None) -> Floats:
    """``coef @ array`` for (R, N) with few entries a row and (N, T), without a matrix library's threads: on a busy machine
    those cost more than such small sums. ``known`` are the ``entries`` of ``coef``.
    """
    row, column = entries(coef) if known is None else known
    found = np.zeros((coef.shape[0], array.shape[1]))
    if row.size:
        starts = np.nonzero(np.concatenate([[True], row[1:] != row[:-1]]))[0]
        found[row[starts]] = np.add.reduceat(coef[row, column, None] * array[column], starts, axis=0)
    return found


def row_slots(coef: NDArray[np.float64], known: Entries | None = None) -> tuple[Index, Floats]:
    """The non-zero rows of every column of ``coef`` (R, N), compact: (N, W) row numbers (−1: none) and values."""
    row, column = entries(coef) if known is None else known
    order = np.argsort(column, kind="stable")
    row, column = row[order], column[order]
    n_columns = coef.shape[1]
    counts = np.bincount(column, minlength=n_columns)
    width = int(counts.max(initial=0))
    place = np.arange(column.size) - np.repeat(np.cumsum(counts) - counts, counts)
    rows = np.full((n_columns, width), -1, dtype=np.int64)
    values = np.zeros((n_columns, width))
    rows[column, place] = row
    values[column, place] = coef[row, column]
    return rows, values
