"""The rows of the linear program: which exist, their numbers and their bounds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from solvers.layout import NO_INDEX, Facets, Layout
from solvers.parts import Floats, Index
from solvers.problem import Bools, ChargingProblem


@dataclass(frozen=True, slots=True, kw_only=True)
class Rows:
    """First row number of each block (maps hold −1 where no row is), bounds of all rows."""

    has_balance: bool
    energy: int
    room: Index
    storage: Index
    """(K, T)"""
    taper: Index
    """(K, J, T)"""
    battery: int
    capacity: Index
    """(R, T)"""
    facet: int
    peak: Index
    """(D, T)"""
    change: int
    link: int
    lower: Floats
    upper: Floats


class _RowBlocks:
    """Collects bounds and hands out row numbers."""

    def __init__(self) -> None:
        self.n = 0
        self.lower: list[Floats] = []
        self.upper: list[Floats] = []

    def add(self, lower: Floats, upper: Floats) -> int:
        first = self.n
        self.n += int(lower.size)
        self.lower.append(lower)
        self.upper.append(upper)
        return first

    def add_mapped(self, mask: Bools, lower: Floats, upper: Floats) -> Index:
        """Rows where ``mask`` holds; a map of its shape with row numbers, −1 elsewhere."""
        found = np.full(mask.shape, -1, dtype=np.int64)
        count = int(mask.sum())
        found[mask] = self.n + np.arange(count)
        self.add(lower, upper)
        return found


def make_rows(problem: ChargingProblem, layout: Layout) -> Rows:
    """Row numbers and bounds of everything that is kept."""
    blocks, unbound = _RowBlocks(), np.inf
    net = problem.base_kw - problem.pv_kw
    has_balance = layout.first_g >= 0
    if has_balance:
        blocks.add(net, net)
    tracked_sessions = problem.tracked.session if problem.tracked is not None else NO_INDEX
    start = np.zeros(problem.n_sessions)
    if problem.tracked is not None:
        start[tracked_sessions] = np.where((layout.e_at >= 0).any(axis=1), problem.tracked.stored_kwh, 0.0)
    is_exact = problem.room_kwh <= problem.need_kwh + 1e-12
    is_exact[tracked_sessions] = False
    energy = blocks.add(problem.need_kwh + start, np.where(is_exact, problem.need_kwh, unbound))
    has_room = ~is_exact & np.isfinite(problem.room_kwh)
    has_room[tracked_sessions] = False
    room = blocks.add_mapped(has_room, np.full(int(has_room.sum()), -unbound), problem.room_kwh[has_room])
    storage, taper = _storage_rows(problem, layout, blocks)
    battery = _battery_rows(problem, blocks)
    capacity = blocks.add_mapped(layout.bind, problem.row_lower[layout.bind], problem.row_limit[layout.bind])
    facet = blocks.add(np.full(layout.facets.size, -unbound), _facet_limits(problem, layout.facets))
    peak = _peak_rows(problem, blocks)
    present = problem.present_kw[layout.changed]
    change = blocks.add(present, present)
    n_links = int(layout.z_of.size)
    link = blocks.add(np.tile([-unbound, 0.0], n_links), np.tile([0.0, unbound], n_links))
    return Rows(
        has_balance=has_balance,
        energy=energy,
        room=room,
        storage=storage,
        taper=taper,
        battery=battery,
        capacity=capacity,
        facet=facet,
        peak=peak,
        change=change,
        link=link,
        lower=np.concatenate(blocks.lower),
        upper=np.concatenate(blocks.upper),
    )


def _storage_rows(problem: ChargingProblem, layout: Layout, blocks: _RowBlocks) -> tuple[Index, Index]:
    """E[k,t] − E[k,t−1] − η·h·p + h/η_d·d = 0 (the stored energy in the first step), and the cuts

    p[t] + β·(E[t−1] + E[t])/2 <= α.
    """
    tracked = problem.tracked
    if tracked is None:
        return np.zeros((0, problem.n_steps), dtype=np.int64), np.zeros((0, 0, problem.n_steps), dtype=np.int64)
    stay = layout.e_at >= 0
    is_first = stay & (np.cumsum(stay, axis=1) == 1)
    begin = np.where(is_first, tracked.stored_kwh[:, None], 0.0)[stay]
    storage = blocks.add_mapped(stay, begin, begin)
    cuts = np.isfinite(tracked.taper_kw)[:, :, None] & stay[:, None, :]
    known = np.where(is_first[:, None, :], tracked.stored_kwh[:, None, None] / 2.0, 0.0)
    # A car that is fuller than its curve reaches may stay as it is: without power every cut holds.
    highest = np.maximum(tracked.taper_kw, tracked.taper_per_kwh * tracked.stored_kwh[:, None])
    upper = (highest[:, :, None] - tracked.taper_per_kwh[:, :, None] * known)[cuts]
    taper = blocks.add_mapped(cuts, np.full(upper.size, -np.inf), upper)
    return storage, taper


def _battery_rows(problem: ChargingProblem, blocks: _RowBlocks) -> int:
    batteries = problem.batteries
    if batteries is None:
        return blocks.n
    begin = np.zeros((len(batteries.names), problem.n_steps))
    begin[:, 0] = batteries.stored_kwh
    return blocks.add(begin.ravel(), begin.ravel())


def _facet_limits(problem: ChargingProblem, facets: Facets) -> Floats:
    """Distance of each facet less what the base current takes of it; never below zero, so that nobody at all fits."""
    phasors = problem.phasors
    if phasors is None or not facets.size:
        return np.zeros(0)
    base = (phasors.base_a[facets.limit, facets.step] * np.exp(-1j * facets.angle(phasors))).real
    found: Floats = np.maximum(phasors.limit_a[facets.limit, facets.step] * phasors.shrink - base, 0.0)
    return found


def _peak_rows(problem: ChargingProblem, blocks: _RowBlocks) -> Index:
    """g[t] − P[d] <= peak incurred."""
    demand = problem.demand
    if demand is None:
        return np.zeros((0, problem.n_steps), dtype=np.int64)
    mask = demand.holds > 0.0
    upper = np.broadcast_to(demand.incurred_kw[:, None], mask.shape)[mask]
    return blocks.add_mapped(mask, np.full(upper.size, -np.inf), upper)
