"""problem → build → engine → checked solution."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from time import perf_counter

import numpy as np

from solvers import check, exact, extract, formulation, lexicographic, phasor, registry
from solvers.costs import SCALE
from solvers.engine import Engine, EngineResult, RunOptions, SolveOptions
from solvers.layout import Facets, Layout
from solvers.parts import Floats
from solvers.problem import ChargingProblem, Status
from solvers.program import LinearProgram
from solvers.rows import make_rows
from solvers.solution import Solution, no_values, shortfall
from solvers.warm import Basis, BasisDefaults, Memory

DIRECTION_ROUNDS = 4
"""Rounds that close double flows only where they are; then every pair keeps one direction, so there can be none."""
DOUBLE_KW = 1e-6


@dataclass(slots=True)
class _Run:
    """What one call of ``solve`` has spent and learned."""

    engine: Engine
    name: str
    options: SolveOptions
    closed: set[int] = field(default_factory=set)
    """Columns that must stay at zero: the opposite direction is in use."""
    build_s: float = 0.0
    solve_s: float = 0.0
    iterations: int = 0
    n_solves: int = 0


def solve(problem: ChargingProblem, engine: str = "highs", options: SolveOptions | None = None) -> Solution:
    """The cheapest plan within every limit, checked independently of the engine [E03, E04].

    A result that breaks a bound by more than its last digits comes back as ``FAILED`` without values; smaller
    excursions are scaled down, never up. Nothing charges and discharges in the same step. Raises ``EngineUnavailable``
    or ``SolverError`` for an unknown engine.
    """
    run = _Run(registry.load(engine), engine, options if options is not None else SolveOptions())
    memory = run.options.memory
    facets = Facets()
    if problem.phasors is not None and memory is not None:
        facets = memory.facets_for(problem.phasors.names, problem.first_step, problem.n_steps)
    closings = 0
    for round_no in range(phasor.ROUNDS):
        solution, result, layout = _once(problem, run, facets)
        if not solution.has_values or result.values is None:
            return solution
        more = phasor.missing(problem, solution, facets, round_no=round_no)
        if more is not None:
            facets = more
            continue
        if not _close_double_flows(problem, layout, result.values, run, at_once=closings >= DIRECTION_ROUNDS):
            break
        closings += 1
    if problem.phasors is not None and memory is not None:
        used = phasor.near(problem, solution, facets)
        names, first = problem.phasors.names, problem.first_step
        entries = zip(used.limit.tolist(), used.step.tolist(), used.side.tolist(), strict=True)
        memory.facets = tuple((names[q], first + t, m) for q, t, m in entries)
    return _checked(problem, solution)


def _once(problem: ChargingProblem, run: _Run, facets: Facets) -> tuple[Solution, EngineResult, Layout]:
    """Build, run, map back."""
    options = run.options
    started_s = perf_counter()
    program, layout = formulation.build(problem, facets, n_exact_steps=options.n_exact_steps)
    if run.closed:
        upper = program.col_upper.copy()
        upper[np.fromiter(run.closed, dtype=np.int64)] = 0.0
        program = replace(program, col_upper=upper)
    built_s = perf_counter()
    result = _run(problem, run, program, layout)
    solved_s = perf_counter()
    run.build_s += built_s - started_s
    run.solve_s += solved_s - built_s
    run.iterations += result.iterations
    run.n_solves += 1
    return _solution(problem, run, layout, result), result, layout


def _run(problem: ChargingProblem, run: _Run, program: LinearProgram, layout: Layout) -> EngineResult:
    options, memory = run.options, run.options.memory
    wanted = RunOptions(
        time_limit_s=options.time_limit_s,
        threads=options.threads,
        solver=options.solver,
        wants_duals=options.wants_prices,
    )
    if options.is_lexicographic:
        return lexicographic.run(problem, run.engine, program, layout, wanted)
    if program.integer is not None:
        return exact.run(problem, run.engine, program, layout, wanted)
    if run.engine.features.warm_start:
        defaults = run.engine.new_statuses
        start = memory.start(run.name, program, defaults) if memory is not None else None
        wanted = replace(
            wanted,
            start=start if start is not None else _plain_start(problem, layout, program, defaults),
            is_carried=start is not None,
            is_shifted=start is not None and memory is not None and memory.first_step != problem.first_step,
            wants_basis=memory is not None,
        )
    result = run.engine.run(program, wanted)
    if memory is not None and result.basis is not None:
        memory.keep(run.name, program, result.basis)
        memory.first_step = problem.first_step
    return result


def _plain_start(problem: ChargingProblem, layout: Layout, program: LinearProgram, defaults: BasisDefaults) -> Basis:
    """Where nothing is charged: import and stored energies are basic, their defining rows are not."""
    columns = np.full(program.n_cols, defaults.column, dtype=np.int8)
    rows = np.full(program.n_rows, defaults.row, dtype=np.int8)
    found = layout.rows if layout.rows is not None else make_rows(problem, layout)
    if layout.first_g >= 0:
        columns[layout.first_g : layout.first_g + problem.n_steps] = defaults.row
        rows[: problem.n_steps] = defaults.column
    columns[layout.e_at[layout.e_of, layout.e_step]] = defaults.row
    rows[found.storage[layout.e_of, layout.e_step]] = defaults.column
    if problem.batteries is not None and layout.first_battery >= 0:
        block = len(problem.batteries.names) * problem.n_steps
        columns[layout.first_battery + 2 * block : layout.first_battery + 3 * block] = defaults.row
        rows[found.battery : found.battery + block] = defaults.column
    return Basis(columns=columns, rows=rows)


def _solution(problem: ChargingProblem, run: _Run, layout: Layout, result: EngineResult) -> Solution:
    if result.values is None:
        found = no_values(problem, result.status, engine=run.name, reason=result.reason)
    elif not np.isfinite(result.values).all():
        reason = "the engine returned values that are not finite"
        found = no_values(problem, Status.FAILED, engine=run.name, reason=reason)
    else:
        found = extract.to_solution(
            problem, layout, result.values, status=result.status, engine=run.name, objective=result.objective / SCALE
        )
        if result.row_duals is not None and result.column_duals is not None:
            prices = extract.to_prices(problem, layout, result.row_duals, result.column_duals)
            found = replace(found, prices=prices)
    return replace(
        found,
        reason=found.reason or result.reason,
        build_s=run.build_s,
        solve_s=run.solve_s,
        iterations=run.iterations,
        n_solves=run.n_solves,
    )


def _checked(problem: ChargingProblem, solution: Solution) -> Solution:
    faults = check.faults(problem, solution)
    if faults:
        return replace(
            no_values(problem, Status.FAILED, engine=solution.engine, reason="; ".join(faults)),
            build_s=solution.build_s,
            solve_s=solution.solve_s,
        )
    power = check.scaled_into(problem, solution)
    if power is solution.power_kw:
        return solution
    return replace(solution, power_kw=power, shortfall_kwh=shortfall(problem, power, solution.discharge_kw))


def _close_double_flows(problem: ChargingProblem, layout: Layout, values: Floats, run: _Run, *, at_once: bool) -> bool:
    """Close one direction where a car or battery charges and discharges in one step; true when something was closed.

    At a negative price burning energy in losses pays in the linear program, and no inverter can do it. The smaller flow
    is closed and the program solved again; standing still remains possible, so this stays feasible. ``at_once`` closes
    one direction of every pair.
    """
    pairs = _pairs(problem, layout)
    if not pairs.size:
        return False
    charge, discharge = values[pairs[0]], values[pairs[1]]
    both = np.minimum(charge, discharge) > DOUBLE_KW
    if not both.any():
        return False
    if at_once:
        both |= ~np.isin(pairs, np.fromiter(run.closed, dtype=np.int64)).any(axis=0)
    smaller = np.where(charge >= discharge, pairs[1], pairs[0])[both]
    run.closed.update(int(c) for c in smaller)
    return True


def _pairs(problem: ChargingProblem, layout: Layout) -> np.ndarray:
    """(2, n) columns that must not both be above zero: charging and discharging of one thing in one step."""
    found = []
    if problem.tracked is not None and layout.first_d >= 0:
        charge = layout.p_at[problem.tracked.session[layout.d_of], layout.d_step]
        discharge = layout.first_d + np.arange(layout.d_of.size)
        found.append(np.stack([charge, discharge])[:, charge >= 0])
    if problem.batteries is not None and layout.first_battery >= 0:
        block = len(problem.batteries.names) * problem.n_steps
        charge = layout.first_battery + np.arange(block)
        found.append(np.stack([charge, charge + block]))
    return np.concatenate(found, axis=1) if found else np.zeros((2, 0), dtype=np.int64)


__all__ = ["Memory", "solve"]
