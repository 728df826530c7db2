"""Big sites: the site's capacity is divided by a small aggregated program, then every feeder is solved by itself.

1. Sessions that share no row but those of (almost) everybody form a block, normally a feeder.
2. Inside a block, sessions with similar stays become one; the aggregated program sees all blocks, the shared rows,
   prices, demand charges, PV and batteries, and decides how much each block may use in each step.
3. Every block is solved against what all others use (cars that may discharge keep what the aggregated program gave
   them), and once more where that pays.

The result holds every limit (it is checked as any plan); it costs a little more than the single program. By how much is
measured in ``make bench BENCH=solver``.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from solvers import check
from solvers.costs import export_price, shortfall_prices, shortfall_sizes
from solvers.engine import SolveOptions
from solvers.extract import stored
from solvers.parts import Batteries, DemandCharges, Floats, Index
from solvers.problem import ChargingProblem, Status
from solvers.solution import Solution, balance, excess, no_values, shortfall
from solvers.solve import solve

BLOCK_FRAC = 0.6
"""A row that would join more than this part of all sessions belongs to everybody."""
STAY_BINS = 6
PEAK_BINS = 48
"""With a demand charge: rough stays would make the shared peak look flatter than it can be."""
SMALL = 60
"""Fewer sessions are not worth dividing."""
LACK_KWH = 0.01
SWEEPS = 2
_SESSION_ARRAYS = (
    "power_max_kw",
    "need_kwh",
    "room_kwh",
    "efficiency",
    "priority",
    "present_kw",
    "power_min_kw",
    "promised_kwh",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Split:
    """Sessions of each block, and which rows are shared by all."""

    blocks: tuple[Index, ...]
    shared: Index


def split(problem: ChargingProblem) -> Split:
    """Blocks of sessions that share rows, the smallest rows first, as long as no block gets too big."""
    members = problem.row_coef != 0
    is_shared = np.zeros(problem.n_rows, dtype=bool)
    label = np.arange(problem.n_sessions)
    for r in np.argsort(members.sum(axis=1), kind="stable"):
        found = np.unique(label[members[r]])
        touched = np.isin(label, found)
        if touched.sum() > BLOCK_FRAC * problem.n_sessions:
            is_shared[r] = True
        elif found.size > 1:
            label[touched] = found[0]
    return Split(
        blocks=tuple(np.nonzero(label == value)[0] for value in np.unique(label)),
        shared=np.nonzero(is_shared)[0],
    )


def solve_by_feeder(problem: ChargingProblem, engine: str = "highs", options: SolveOptions | None = None) -> Solution:
    """A plan for a big site. Small sites and sites with magnitudes of currents or one block are solved whole."""
    parts = split(problem)
    if problem.n_sessions < SMALL or len(parts.blocks) < 2 or problem.phasors is not None:
        return solve(problem, engine, options)
    plain = replace(options if options is not None else SolveOptions(), memory=None, wants_prices=False)
    groups = _groups(problem, parts)
    rough = solve(_aggregated(problem, groups), engine, plain)
    if not rough.has_values:
        return no_values(problem, rough.status, engine=engine, reason=rough.reason)
    sweep = _Sweep(problem, parts, groups, rough)
    for sweep_no in range(SWEEPS):
        for block in sweep.blocks:
            if sweep_no and not sweep.is_worth_it(block):
                continue
            if not sweep.solve_block(block, engine, plain) and not sweep_no:
                return no_values(problem, Status.FAILED, engine=engine, reason="a feeder could not be solved")
    return _whole(problem, sweep, engine)


def _groups(problem: ChargingProblem, parts: Split) -> tuple[Index, ...]:
    """Sessions of a block whose stays begin and end in about the same steps; tracked ones stay alone."""
    any_power = problem.power_max_kw > 0
    first = np.argmax(any_power, axis=1)
    last = problem.n_steps - 1 - np.argmax(any_power[:, ::-1], axis=1)
    width = max(problem.n_steps // (STAY_BINS if problem.demand is None else PEAK_BINS), 1)
    tracked = set(problem.tracked.session.tolist()) if problem.tracked is not None else set()
    found: list[Index] = []
    for block in parts.blocks:
        named: dict[tuple[int, int, int], list[int]] = {}
        for s in block.tolist():
            alone = s if s in tracked else -1
            named.setdefault((alone, int(first[s]) // width, int(last[s]) // width), []).append(s)
        found += [np.array(members) for members in named.values()]
    return tuple(found)


def _aggregated(problem: ChargingProblem, groups: tuple[Index, ...]) -> ChargingProblem:
    """One session for each group: powers and needs add up, coefficients are weighted by power."""
    full = problem.power_max_kw.max(axis=1, initial=0.0)
    weights = np.zeros((len(groups), problem.n_sessions))
    for g, members in enumerate(groups):
        total = full[members].sum()
        weights[g, members] = full[members] / total if total > 0 else 1.0 / members.size
    ones = weights > 0
    tracked = problem.tracked
    if tracked is not None:
        place = {int(members[0]): g for g, members in enumerate(groups) if members.size == 1}
        tracked = replace(tracked, session=np.array([place[int(s)] for s in tracked.session], dtype=np.int64))
    return replace(
        problem,
        session_keys=tuple(f"group-{g}" for g in range(len(groups))),
        power_max_kw=ones @ problem.power_max_kw,
        need_kwh=ones @ problem.need_kwh,
        room_kwh=np.where(ones, problem.room_kwh, 0.0).sum(axis=1),  # a product would make NaN of an infinite room
        efficiency=weights @ problem.efficiency,
        priority=weights @ problem.priority,
        present_kw=ones @ problem.present_kw,
        row_coef=problem.row_coef @ weights.T,
        power_min_kw=np.zeros(0),
        promised_kwh=ones @ problem.promised_kwh,
        tracked=tracked,
        options=replace(problem.options, change_weight=0.0),
    )


class _Sweep:
    """Feeders solved one after the other, each against what all others use; who is not solved yet uses what the rough
    plan gave it, so every feeder finds at least that. Tracked sessions keep what the rough plan gave them.
    """

    def __init__(self, problem: ChargingProblem, parts: Split, groups: tuple[Index, ...], rough: Solution) -> None:
        self.problem, self.parts, self.rough = problem, parts, rough
        self.power, self.discharge = np.zeros_like(problem.power_max_kw), np.zeros_like(problem.power_max_kw)
        self.expected_kwh = np.zeros(problem.n_sessions)
        fixed = np.zeros(problem.n_sessions, dtype=bool)
        if problem.tracked is not None:
            fixed[problem.tracked.session] = True
        for g, members in enumerate(groups):
            full = problem.power_max_kw[members]
            part = np.divide(full, full.sum(axis=0), out=np.zeros_like(full), where=full.sum(axis=0) > 0)
            self.power[members] = part * rough.power_kw[g]
            self.discharge[members] = rough.discharge_kw[g] if fixed[members[0]] else 0.0
            self.expected_kwh[members] = rough.shortfall_kwh[g] / members.size
        self.blocks = [block[~fixed[block]] for block in parts.blocks if (~fixed[block]).any()]
        self.spent = [rough]

    def is_worth_it(self, block: Index) -> bool:
        """A second look pays where energy was lost by dividing, or where one peak is shared by all."""
        lacking = shortfall(self.problem, self.power, self.discharge)[block].sum()
        return self.problem.demand is not None or bool(lacking > self.expected_kwh[block].sum() + LACK_KWH)

    def solve_block(self, block: Index, engine: str, options: SolveOptions) -> bool:
        """Solve one block against the present plan of all others; false when the solver gave nothing."""
        found = solve(self._block(block), engine, options)
        self.spent.append(found)
        if found.has_values:
            self.power[block] = found.power_kw
        return found.has_values

    def _block(self, block: Index) -> ChargingProblem:
        """The problem of one block: all others are base load."""
        problem = self.problem
        others = self.power - self.discharge
        others[block] = 0.0
        used, base = problem.row_coef @ others, problem.base_kw + others.sum(axis=0)
        if problem.batteries is not None and self.rough.battery_kw.size:
            used = used + problem.batteries.row_coef @ self.rough.battery_kw
            base = base + self.rough.battery_kw.sum(axis=0)
        kept = np.nonzero((problem.row_coef[:, block] != 0).any(axis=1))[0]
        sliced = {name: getattr(problem, name)[block] for name in _SESSION_ARRAYS}
        return replace(
            problem,
            session_keys=tuple(problem.session_keys[s] for s in block),
            **sliced,
            row_coef=problem.row_coef[kept][:, block],
            row_limit=np.maximum(problem.row_limit[kept] - used[kept], 0.0),
            row_lower=np.zeros(0),
            curtail_coef=np.zeros(0),
            row_names=tuple(problem.row_names[r] for r in kept),
            row_soft_price=problem.row_soft_price[kept],
            base_kw=base,
            batteries=None,
            tracked=None,
        )


def _whole(problem: ChargingProblem, sweep: _Sweep, engine: str) -> Solution:
    """The blocks' plans as one, with the batteries of the rough plan, checked as any other."""
    power, discharge, rough, spent = sweep.power, sweep.discharge, sweep.rough, sweep.spent
    imported, exported, curtailed = balance(problem, power - discharge, rough.battery_kw)
    peaks = np.zeros(0)
    if problem.demand is not None:
        over = np.where(problem.demand.holds > 0, imported - problem.demand.incurred_kw[:, None], 0.0)
        peaks = np.maximum(over.max(axis=1, initial=0.0), 0.0)
    found = Solution(
        status=Status.OPTIMAL if all(s.status is Status.OPTIMAL for s in spent) else Status.TIME_LIMIT,
        has_values=True,
        power_kw=power,
        discharge_kw=discharge,
        import_kw=imported,
        export_kw=exported,
        curtailed_kw=curtailed,
        shortfall_kwh=shortfall(problem, power, discharge),
        row_excess=np.zeros((problem.n_rows, problem.n_steps)),
        excess_kw=excess(problem),
        objective_money=float("nan"),
        engine=engine,
        stored_kwh=stored(problem, power, discharge),
        battery_kw=rough.battery_kw,
        battery_kwh=rough.battery_kwh,
        peak_kw=peaks,
        build_s=sum(s.build_s for s in spent),
        solve_s=sum(s.solve_s for s in spent),
        iterations=sum(s.iterations for s in spent),
        n_solves=len(spent),
        reason="solved by feeder",
    )
    faults = check.faults(problem, found)
    if faults:
        return no_values(problem, Status.FAILED, engine=engine, reason="; ".join(faults))
    return replace(found, row_excess=check.soft_excess(problem, found), objective_money=value(problem, found))


def value(problem: ChargingProblem, solution: Solution) -> float:
    """Money that a plan costs by the problem's prices, shortfalls priced in their cheapest segments; without comfort.

    Computed from the plan alone, so that plans of different methods can be compared.
    """
    hours = problem.step_h
    cost = float(((problem.import_price_per_kwh + problem.carbon_price_per_kwh) * hours) @ solution.import_kw)
    cost -= float((export_price(problem) * hours) @ solution.export_kw)
    if problem.tracked is not None:
        sold = solution.discharge_kw[problem.tracked.session] @ hours
        cost += float(problem.tracked.wear_price_per_kwh @ sold)
    soft_price = np.where(np.isfinite(problem.row_soft_price), problem.row_soft_price, 0.0)
    cost += float(soft_price @ check.soft_excess(problem, solution) @ hours)
    cost += _battery_cost(problem.batteries, solution, hours) + _demand_cost(problem.demand, solution)
    lacking = solution.shortfall_kwh
    for price, size in zip(shortfall_prices(problem).T, shortfall_sizes(problem).T, strict=True):
        part = np.minimum(lacking, size)
        cost += float(price @ part)
        lacking = lacking - part
    return cost


def _battery_cost(batteries: Batteries | None, solution: Solution, hours: Floats) -> float:
    if batteries is None or not solution.battery_kw.size:
        return 0.0
    drawn = np.maximum(-solution.battery_kw, 0.0) @ hours
    return float(batteries.wear_price_per_kwh @ drawn - batteries.end_value_per_kwh @ solution.battery_kwh[:, -1])


def _demand_cost(demand: DemandCharges | None, solution: Solution) -> float:
    if demand is None:
        return 0.0
    over = np.where(demand.holds > 0, solution.import_kw - demand.incurred_kw[:, None], 0.0).max(axis=1, initial=0.0)
    return float(demand.price_per_kw @ np.maximum(over, 0.0))
