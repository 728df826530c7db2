"""Tier after tier: solve, hold what was reached, solve the next. Slow and exact; it proves the weights right."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from solvers.costs import SCALE, TIERS, cost_parts
from solvers.engine import Engine, EngineResult, RunOptions
from solvers.layout import Layout
from solvers.parts import Floats
from solvers.problem import ChargingProblem, Status
from solvers.program import LinearProgram

SLACK = 1e-9
"""A tier that has been solved may get worse by this part of its value (and by 1e-7 money) for the next ones."""


def run(
    problem: ChargingProblem, engine: Engine, program: LinearProgram, layout: Layout, options: RunOptions
) -> EngineResult:
    """The point that is best in the first tier, among those best in the second, and so on.

    ``objective`` is that of the weighted program, so both modes can be compared. No duals: they belong to one tier.
    """
    parts = cost_parts(problem, layout)
    result: EngineResult | None = None
    iterations = 0
    for tier in TIERS:
        cost = sum((parts[p] for p in tier if p in parts), np.zeros(layout.n_cols)) * SCALE
        if not cost.any():
            continue
        result = engine.run(replace(program, cost=cost), replace(options, wants_duals=False))
        iterations += result.iterations
        if result.values is None:
            return replace(result, iterations=iterations)
        if result.status is not Status.OPTIMAL:
            break
        most = float(cost @ result.values)
        program = with_row(program, cost, most + SLACK * abs(most) + 1e-7 * SCALE)
    if result is None or result.values is None:
        return engine.run(program, options)
    weighted = sum(parts.values(), np.zeros(layout.n_cols)) * SCALE
    return replace(result, objective=float(weighted @ result.values), iterations=iterations, basis=None)


def with_row(program: LinearProgram, coef: Floats, upper: float) -> LinearProgram:
    """The program with one more row, coef·x <= upper, at the end."""
    used = np.nonzero(coef)[0]
    place = program.starts[used + 1]
    order = np.argsort(place, kind="stable")
    extra = np.zeros(program.n_cols, dtype=np.int64)
    extra[used] = 1
    starts = program.starts + np.concatenate([[0], np.cumsum(extra)])
    return replace(
        program,
        row_lower=np.append(program.row_lower, -np.inf),
        row_upper=np.append(program.row_upper, upper),
        starts=starts.astype(np.int32),
        indices=np.insert(program.indices, place[order], program.n_rows).astype(np.int32),
        values=np.insert(program.values, place[order], coef[used][order]),
    )
