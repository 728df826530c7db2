"""Zero or at least the minimum, chosen exactly in the first steps by binaries, from a repaired solution onward."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from solvers.engine import Engine, EngineResult, RunOptions
from solvers.layout import Layout
from solvers.parts import Floats
from solvers.problem import ChargingProblem, Status
from solvers.program import LinearProgram

ON_KW = 1e-6
TOLERANCE = 1e-6
"""Relative; the solver's own gap."""


def run(
    problem: ChargingProblem, engine: Engine, program: LinearProgram, layout: Layout, options: RunOptions
) -> EngineResult:
    """The best choice found within the time limit; at worst the repaired linear solution, never nothing.

    An engine without integers gives the repaired solution.
    """
    incumbent = repaired(problem, engine, program, layout, options)
    if not engine.features.integers or incumbent.values is None:
        return incumbent
    result = engine.run(program, replace(options, point=incumbent.values, wants_duals=False))
    if result.values is None or result.objective > incumbent.objective + TOLERANCE * abs(incumbent.objective):
        if result.status is Status.OPTIMAL:  # within the engine's own gap the repaired solution is the best
            return replace(incumbent, iterations=result.iterations)
        reason = result.reason or "the repaired solution was not improved"
        return replace(incumbent, status=Status.TIME_LIMIT, reason=reason, iterations=result.iterations)
    return result


def repaired(
    problem: ChargingProblem, engine: Engine, program: LinearProgram, layout: Layout, options: RunOptions
) -> EngineResult:
    """The rule that dispatch uses, on the linear program: solve relaxed, lift or pause who is below, solve the rest.

    Who comes first: highest priority, then largest share of its minimum. A session is lifted where its step's rows
    still carry the minimum of everybody lifted so far; the others pause in that step. Where a taper cut or a magnitude,
    which this does not look at, forbids the choice, everybody pauses.
    """
    assert program.integer is not None  # noqa: S101 the caller looks
    relaxed = engine.run(replace(program, integer=None), replace(options, wants_duals=False))
    if relaxed.values is None:
        return relaxed
    on = choose(problem, layout, relaxed.values)
    result = engine.run(_fixed(program, on), replace(options, wants_duals=False))
    if result.status is Status.INFEASIBLE:
        result = engine.run(_fixed(program, np.zeros_like(on)), replace(options, wants_duals=False))
    return replace(result, basis=None, iterations=relaxed.iterations + result.iterations)


def _fixed(program: LinearProgram, on: Floats) -> LinearProgram:
    """The program with its on/off columns decided."""
    lower, upper = program.col_lower.copy(), program.col_upper.copy()
    lower[program.integer] = upper[program.integer] = on
    return replace(program, integer=None, col_lower=lower, col_upper=upper)


def choose(problem: ChargingProblem, layout: Layout, values: Floats) -> Floats:
    """0 or 1 for every on/off column."""
    cells = layout.z_of
    s, t = layout.session_of[cells], layout.step_of[cells]
    power = values[cells]
    least = np.minimum(problem.power_min_kw[s], problem.power_max_kw[s, t])
    on = np.zeros(cells.size)
    order = np.lexsort((-power / least, -problem.priority[s]))
    used = np.zeros((problem.n_rows, problem.n_steps))
    room_kwh = problem.room_kwh.copy()
    left_kw = np.maximum(problem.import_limit_kw - problem.base_kw + problem.pv_kw, 0.0)
    for i in order:
        if power[i] <= ON_KW:
            continue
        after = used[:, t[i]] + problem.row_coef[:, s[i]] * least[i]
        energy_kwh = problem.efficiency[s[i]] * problem.step_h[t[i]] * least[i]
        fits = least[i] <= left_kw[t[i]] + 1e-9 and energy_kwh <= room_kwh[s[i]] + 1e-9
        if fits and (after <= problem.row_limit[:, t[i]] + 1e-9).all():
            room_kwh[s[i]] -= energy_kwh
            used[:, t[i]] = after
            left_kw[t[i]] -= least[i]
            on[i] = 1.0
    return on
