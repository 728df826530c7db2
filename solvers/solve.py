"""problem → build → engine → checked solution."""

from __future__ import annotations

from dataclasses import replace
from time import perf_counter

import numpy as np

from solvers import check, formulation, registry
from solvers.engine import SolveOptions
from solvers.problem import ChargingProblem, Solution, Status, no_values, shortfall


def solve(problem: ChargingProblem, engine: str = "highs", options: SolveOptions | None = None) -> Solution:
    """The cheapest plan within every limit, checked independently of the engine [E03, E04].

    A result that breaks a bound by more than its last digits comes back as ``FAILED`` without values; smaller
    excursions are scaled down, never up. Raises ``EngineUnavailable`` or ``SolverError`` for an unknown engine.
    """
    chosen = registry.load(engine)
    started_s = perf_counter()
    program, layout = formulation.build(problem)
    built_s = perf_counter()
    result = chosen.run(program, options if options is not None else SolveOptions())
    solved_s = perf_counter()
    times = {"build_s": built_s - started_s, "solve_s": solved_s - built_s, "iterations": result.iterations}
    if result.values is None:
        empty = no_values(problem, result.status, engine=engine, reason=result.reason)
        return replace(empty, build_s=times["build_s"], solve_s=times["solve_s"], iterations=result.iterations)
    if not np.isfinite(result.values).all():
        return no_values(problem, Status.FAILED, engine=engine, reason="the engine returned values that are not finite")
    solution = formulation.to_solution(
        problem,
        layout,
        result.values,
        status=result.status,
        engine=engine,
        objective=result.objective / formulation.SCALE,
    )
    faults = check.faults(problem, solution.power_kw)
    if faults:
        return no_values(problem, Status.FAILED, engine=engine, reason="; ".join(faults))
    power = check.scaled_into(problem, solution.power_kw)
    return replace(
        solution,
        power_kw=power,
        shortfall_kwh=shortfall(problem, power),
        reason=result.reason,
        build_s=built_s - started_s,
        solve_s=solved_s - built_s,
        iterations=result.iterations,
    )
