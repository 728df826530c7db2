"""The plain model as one would write it in PuLP: a named variable for every session and step, sums by operators."""

from __future__ import annotations

import warnings
from typing import Any

from pulp import PULP_CBC_CMD, HiGHS, LpMinimize, LpProblem, LpStatusOptimal, LpVariable, lpSum
from pulp import value as value_of

from solvers import ChargingProblem
from solvers.costs import promise_price


def solver_of(name: str) -> Any:  # PuLP has no types
    """PuLP's HiGHS or its bundled CBC, silent, otherwise as they come."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PuLP 3.3 deprecates its bundled CBC
        return HiGHS(msg=False) if name == "HiGHS" else PULP_CBC_CMD(msg=False)


def model_of(problem: ChargingProblem) -> Any:  # PuLP has no types
    """Least cost of import plus priced shortfalls. For problems without optional parts and without comfort weights."""
    sessions, steps, segments = range(problem.n_sessions), range(problem.n_steps), range(4)
    assert len(segments) == problem.options.n_shortfall_segments
    most, need, room = problem.power_max_kw.tolist(), problem.need_kwh.tolist(), problem.room_kwh.tolist()
    hours, price, efficiency = problem.step_h.tolist(), problem.import_price_per_kwh.tolist(), problem.efficiency.tolist()
    coef, limit = problem.row_coef.tolist(), problem.row_limit.tolist()
    promise, priority = promise_price(problem), problem.priority.tolist()

    model = LpProblem("site", LpMinimize)
    power = {(s, t): LpVariable(f"power_{s}_{t}", 0, most[s][t]) for s in sessions for t in steps if most[s][t] > 0}
    lack = {(s, k): LpVariable(f"lack_{s}_{k}", 0, need[s] / len(segments)) for s in sessions for k in segments}
    grid = [LpVariable(f"grid_{t}", 0, float(problem.import_limit_kw[t])) for t in steps]

    energy_cost = lpSum(price[t] * hours[t] * grid[t] for t in steps)
    model += energy_cost + lpSum(
        promise * priority[s] * (1 + (k + 0.5) / len(segments)) * lack[s, k] for s in sessions for k in segments
    )
    for t in steps:
        present = [s for s in sessions if (s, t) in power]
        model += grid[t] == float(problem.base_kw[t]) + lpSum(power[s, t] for s in present), f"balance_{t}"
        for r, row in enumerate(coef):
            used = [row[s] * power[s, t] for s in present if row[s]]
            if used:
                model += lpSum(used) <= limit[r][t], f"row_{r}_{t}"
    for s in sessions:
        stored = lpSum(efficiency[s] * hours[t] * power[s, t] for t in steps if (s, t) in power)
        model += stored + lpSum(lack[s, k] for k in segments) >= need[s], f"need_{s}"
        model += stored <= room[s], f"room_{s}"
    return model


def solve_naively(problem: ChargingProblem, solver: Any) -> float:
    """Write the model and solve it; its least cost in money."""
    model = model_of(problem)
    if model.solve(solver) != LpStatusOptimal:
        raise RuntimeError(f"{solver.name} found no optimum")
    return float(value_of(model.objective))
