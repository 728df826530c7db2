"""Steps that grow with their distance from now, made from a problem of equal steps, and what deciding by them costs."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from solvers import ChargingProblem, RunOptions, Solution, Status, solve, value
from solvers.check import faults
from solvers.costs import SCALE
from solvers.engines.highs_engine import HighsEngine
from solvers.extract import to_solution
from solvers.formulation import build
from solvers.layout import Layout
from solvers.parts import Floats, Index
from solvers.problem import _SHAPES

FIRST = 8
"""Steps at the beginning that stay as they are; the decisions in them are carried out."""
HALF_HOURS = 8
"""How many steps of half an hour follow; the rest of the day has steps of an hour."""
_TIGHTEST = {"row_limit": np.minimum, "row_lower": np.maximum, "import_limit_kw": np.minimum, "export_limit_kw": np.minimum}


def sizes(n_steps: int) -> Index:
    """How many equal steps each growing step holds."""
    rest = n_steps - FIRST - 2 * HALF_HOURS
    return np.array([1] * FIRST + [2] * HALF_HOURS + [4] * (rest // 4) + ([rest % 4] if rest % 4 else []))


def grown(problem: ChargingProblem) -> ChargingProblem:
    """The same day in growing steps: powers, loads and prices as means over time, limits at their tightest.

    A demand charge counts in a step if it counts in a part of it.
    """
    first = np.concatenate([[0], np.cumsum(sizes(problem.n_steps))[:-1]])
    hours = np.add.reduceat(problem.step_h, first)

    def mean(array: Floats) -> Floats:
        return np.add.reduceat(array * problem.step_h, first, axis=-1) / hours

    arrays: dict[str, Any] = {name: mean(getattr(problem, name)) for name, axes in _SHAPES.items() if axes[-1] == "T"}
    for name, tightest in _TIGHTEST.items():
        arrays[name] = tightest.reduceat(getattr(problem, name), first, axis=-1)
    tracked, demand = problem.tracked, problem.demand
    if tracked is not None:
        tracked = replace(tracked, discharge_max_kw=mean(tracked.discharge_max_kw))
    if demand is not None:
        demand = replace(demand, holds=np.maximum.reduceat(demand.holds, first, axis=-1))
    return replace(problem, **(arrays | {"step_h": hours}), tracked=tracked, demand=demand)


def loss_percent(problem: ChargingProblem) -> float:
    """What it costs, in percent of the optimum in equal steps, to carry out the first steps of the growing plan.

    Everything after them is decided again, optimally, in equal steps.
    """
    best = value(problem, solve(problem))
    held = _held(problem, solve(grown(problem)))
    found = faults(problem, held)
    if found:
        raise RuntimeError(f"the growing plan's first steps do not fit the problem: {'; '.join(found)}")
    return 100.0 * (value(problem, held) - best) / abs(best)


def _held(problem: ChargingProblem, decided: Solution) -> Solution:
    """The optimum with all powers of the first steps fixed, by the bounds of the finished program's columns.

    ``ChargingProblem`` has no lower bound on power, so it cannot say this itself.
    """
    program, layout = build(problem)
    columns, values = _decisions(problem, layout, decided)
    lower, upper = program.col_lower.copy(), program.col_upper.copy()
    lower[columns] = upper[columns] = np.clip(values, lower[columns], upper[columns])
    result = HighsEngine().run(replace(program, col_lower=lower, col_upper=upper), RunOptions())
    if result.status is not Status.OPTIMAL or result.values is None:
        raise RuntimeError(f"the growing plan's first steps leave no plan for the rest: {result.reason}")
    return to_solution(
        problem, layout, result.values, status=result.status, engine="highs", objective=result.objective / SCALE
    )


def _decisions(problem: ChargingProblem, layout: Layout, decided: Solution) -> tuple[Index, Floats]:
    """Columns of charging, discharging and battery power in the first steps, and their decided values."""
    own = np.nonzero(layout.step_of < FIRST)[0]
    columns, values = [own], [decided.power_kw[layout.session_of[own], layout.step_of[own]]]
    if problem.tracked is not None and layout.first_d >= 0:
        out = np.nonzero(layout.d_step < FIRST)[0]
        columns.append(layout.first_d + out)
        values.append(decided.discharge_kw[problem.tracked.session[layout.d_of[out]], layout.d_step[out]])
    if layout.first_battery >= 0:
        flow = decided.battery_kw[:, :FIRST]
        up = layout.first_battery + np.arange(flow.shape[0])[:, None] * problem.n_steps + np.arange(FIRST)
        columns += [up.ravel(), up.ravel() + flow.shape[0] * problem.n_steps]
        values += [np.maximum(flow, 0.0).ravel(), np.maximum(-flow, 0.0).ravel()]
    return np.concatenate(columns), np.concatenate(values)
