"""The optimiser: its own work around HiGHS, warm ticks, big sites, growing steps, the rule, PuLP, exact mode, processes.

Every figure is a ratio of times measured in turns in the same run, or a loss of money in percent, so it holds on any
machine; the only absolute one is the memory of the big site. Instances are ``tests.support.instances`` of seeds 0, 1, ...
Threads of BLAS stay as the user has them: beside other work on the machine its products wait for a free core, which
``OPENBLAS_NUM_THREADS=1`` avoids; on an idle machine it makes no difference.
"""

from __future__ import annotations

import os
import statistics
import time
import warnings
from collections.abc import Callable
from copy import copy
from dataclasses import replace
from typing import Any

import highspy
import numpy as np

from solvers import (
    ChargingProblem,
    Memory,
    PolicyWeights,
    RunOptions,
    Solution,
    SolveOptions,
    Status,
    exact,
    solve,
    solve_by_feeder,
    solve_greedy,
    solve_many,
    value,
)
from solvers.engines.highs_engine import HighsEngine, basis_of
from solvers.formulation import build
from solvers.parts import Floats
from solvers.program import LinearProgram
from solvers.solve import _plain_start
from tests.bench.solver.big import in_own_process
from tests.bench.solver.changes import CHANGES
from tests.bench.solver.growing import grown, loss_percent
from tests.bench.solver.naive import solve_naively, solver_of
from tests.support.instances import an_instance

N_STEPS = 96
SEEDS = {54: range(6), 200: range(4), 1000: range(3)}
REPEATS = {54: 7, 200: 5, 1000: 1}
WARM_TARGETS = {54: (0.4, 0.2), 200: (0.25, 0.1)}
"""First release and goal, for new meter values."""
PLAIN = PolicyWeights(sooner_weight=0.0, change_weight=0.0)
MINIMUM_KW, TIGHT, EXACT_STEPS, EXACT_TIME_S = 1.38, 0.35, 4, 20.0


def _row(name: str, value: float, unit: str, *, better: str = "lower", target: float | None = None) -> dict[str, Any]:
    met = None if target is None else (value >= target if better == "higher" else value <= target)
    return {"name": name, "value": value, "unit": unit, "better": better, "target": target, "met": met}


def _seconds(call: Callable[[], Any]) -> float:
    begun = time.perf_counter()
    call()
    return time.perf_counter() - begun


def _ratio(ours: Callable[[], Any], bound: Callable[[], Any], repeats: int) -> float:
    """Median time of ours by that of the bound, taken in turns after one uncounted call of each."""
    ours(), bound()
    pairs = [(_seconds(ours), _seconds(bound)) for _ in range(repeats)]
    return statistics.median(p[0] for p in pairs) / statistics.median(p[1] for p in pairs)


def _optimum(problem: ChargingProblem, options: SolveOptions | None = None, engine: str = "highs") -> Solution:
    found = solve(problem, engine, options)
    if found.status is not Status.OPTIMAL:
        raise RuntimeError(f"{problem.n_sessions} x {problem.n_steps}: {found.status}: {found.reason}")
    return found


def _bare(program: LinearProgram, basis: Any = None) -> Floats:
    """HiGHS and nothing else: dual simplex on one thread, without presolve, from its own slack basis or a given one."""
    highs = highspy.Highs()
    highs.silent()
    for name, wanted in (("threads", 1), ("presolve", "off"), ("solver", "simplex")):
        highs.setOptionValue(name, wanted)
    highs.passModel(
        program.n_cols,
        program.n_rows,
        int(program.values.size),
        int(highspy.MatrixFormat.kColwise),
        int(highspy.ObjSense.kMinimize),
        0.0,
        program.cost,
        program.col_lower,
        program.col_upper,
        program.row_lower,
        program.row_upper,
        program.starts,
        program.indices,
        program.values,
        np.zeros(program.n_cols, dtype=np.int32),
    )
    if basis is not None:
        highs.setBasis(basis)
    highs.run()
    return np.array(highs.getSolution().col_value, dtype=np.float64)


def _our_basis(problem: ChargingProblem) -> Any:
    """The basis that a cold ``solve`` starts from, as HiGHS takes it."""
    program, layout = build(problem)
    start = _plain_start(problem, layout, program, HighsEngine.new_statuses)
    return basis_of(start)


def _cold() -> list[dict[str, Any]]:
    """Against HiGHS' own start, and against the same start as ours: the second shows our work alone."""
    rows = []
    for n in (54, 200):
        own, same = [], []
        for seed in SEEDS[n]:
            problem = an_instance(n, N_STEPS, seed)
            program, _ = build(problem)
            basis = _our_basis(problem)
            own.append(_ratio(lambda p=problem: _optimum(p), lambda p=program: _bare(p), REPEATS[n]))
            same.append(_ratio(lambda p=problem: _optimum(p), lambda p=program, b=basis: _bare(p, b), REPEATS[n]))
        name = f"build + solve, cold, against HiGHS on the finished matrices, {n} x {N_STEPS}"
        rows.append(_row(f"{name} (goal 1.10)", statistics.median(own), "x HiGHS", target=1.25))
        rows.append(_row(f"{name}, from the same starting basis", statistics.median(same), "x HiGHS"))
    return rows


def _warm() -> list[dict[str, Any]]:
    """A tick with the carried basis by a cold call on the same changed problem; every tick gets the memory as it was."""
    rows = []
    for n, (target, goal) in WARM_TARGETS.items():
        for name, change in CHANGES.items():
            found = [_warm_ratio(an_instance(n, N_STEPS, seed), change, REPEATS[n]) for seed in SEEDS[n]]
            first = name == "new meter values"
            title = f"warm against cold, {name}, {n} x {N_STEPS}" + (f" (goal {goal:g})" if first else "")
            rows.append(_row(title, statistics.median(found), "x cold", target=target if first else None))
    return rows


def _warm_ratio(problem: ChargingProblem, change: Any, repeats: int) -> float:
    before, after = change(problem, _optimum(problem))
    memory = Memory()
    _optimum(before, SolveOptions(memory=memory))
    ours = lambda: _optimum(after, SolveOptions(memory=copy(memory)))  # noqa: E731 timed as it stands
    warm, cold = ours(), _optimum(after)
    if abs(warm.objective_money - cold.objective_money) > 1e-6 * abs(cold.objective_money):
        raise RuntimeError(f"warm and cold differ: {warm.objective_money} and {cold.objective_money}")
    return _ratio(ours, lambda: _optimum(after), repeats)


def _large() -> list[dict[str, Any]]:
    growth, parts, losses = [], [], []
    for seed in SEEDS[1000]:
        small, large = an_instance(200, N_STEPS, seed), an_instance(1000, N_STEPS, seed)
        growth.append(_ratio(lambda p=large: _optimum(p), lambda p=small: _optimum(p), REPEATS[1000]))
        parts.append(_ratio(lambda p=large: solve_by_feeder(p), lambda p=large: _optimum(p), REPEATS[1000]))
        losses.append(_loss(large, solve_by_feeder(large)))
    by_feeder = f"feeder by feeder, 1000 x {N_STEPS}"
    return [
        _row(f"1000 x {N_STEPS} cold against 200 x {N_STEPS} cold (goal 8)", statistics.median(growth), "x", target=20.0),
        _row(f"{by_feeder}, time against the single program", statistics.median(parts), "x"),
        _row(f"{by_feeder}, loss (goal 0.5 %)", statistics.median(losses), "%"),
    ]


def _loss(problem: ChargingProblem, plan: Solution) -> float:
    """How much more a plan costs than the optimum, in percent of it."""
    if not plan.has_values:
        raise RuntimeError(f"no plan: {plan.reason}")
    best = value(problem, _optimum(problem))
    return 100.0 * (value(problem, plan) - best) / abs(best)


def _growing() -> list[dict[str, Any]]:
    times, losses = [], []
    for seed in SEEDS[54]:
        problem = an_instance(54, N_STEPS, seed)
        coarse = grown(problem)
        times.append(_ratio(lambda p=coarse: _optimum(p), lambda p=problem: _optimum(p), REPEATS[54]))
        losses.append(loss_percent(problem))
    return [
        _row(f"growing steps, 54 sessions: time against {N_STEPS} equal steps", statistics.median(times), "x"),
        _row("growing steps, 54 sessions: loss (goal 0.5 %)", statistics.median(losses), "%"),
        _row("growing steps, 54 sessions: loss, worst seed", max(losses), "%"),
    ]


def _rule() -> list[dict[str, Any]]:
    big = in_own_process(5000, N_STEPS)
    losses = []
    for seed in SEEDS[200]:
        problem = an_instance(200, N_STEPS, seed)
        losses.append(_loss(problem, solve_greedy(problem)))
    name = "fallback rule, 5000 connectors"
    return [
        _row(f"{name}, against the LP", big["rule_s"] / big["program_s"], "x LP", target=0.01),
        _row(f"{name}, faults of its plan", big["faults"], "faults", target=0.0),
        _row(f"value of the rule against the LP's, 200 x {N_STEPS} (goal 10 %)", statistics.median(losses), "%"),
        _row(f"peak memory of one solve, 5000 x {N_STEPS}", big["peak_mib"], "MiB"),
    ]


def _pulp() -> list[dict[str, Any]]:
    rows, worst = [], 0.0
    for name in ("HiGHS", "CBC"):
        times = []
        solver = solver_of(name)
        for seed in SEEDS[54]:
            plain = replace(an_instance(54, N_STEPS, seed, is_plain=True), options=PLAIN)
            ours = _optimum(plain).objective_money
            worst = max(worst, abs(solve_naively(plain, solver) - ours) / abs(ours))
            times.append(_ratio(lambda p=plain, s=solver: solve_naively(p, s), lambda p=plain: _optimum(p), 1))
        title = f"naive PuLP -> {name} against ours, plain 54 x {N_STEPS}"
        rows.append(_row(title, statistics.median(times), "x ours", better="higher"))
    rows.append(_row("naive PuLP: largest relative difference of the objective", worst, "part", target=1e-6))
    found = []
    for seed in SEEDS[54]:
        problem = an_instance(54, N_STEPS, seed)
        found.append(_ratio(lambda p=problem: _optimum(p, engine="pulp"), lambda p=problem: _optimum(p), REPEATS[54]))
    rows.append(_row(f"our engine pulp against highs, 54 x {N_STEPS}", statistics.median(found), "x highs"))
    return rows


def _exact() -> list[dict[str, Any]]:
    """How far the repaired linear program, which dispatch uses, is from the best choice of who is on."""
    gaps = []
    for seed in SEEDS[54]:
        plain = an_instance(54, N_STEPS, seed, is_plain=True)
        problem = replace(plain, power_min_kw=np.full(54, MINIMUM_KW), row_limit=plain.row_limit * TIGHT)
        program, layout = build(problem, n_exact_steps=EXACT_STEPS)
        repaired = exact.repaired(problem, HighsEngine(), program, layout, RunOptions())
        result = exact.run(problem, HighsEngine(), program, layout, RunOptions(time_limit_s=EXACT_TIME_S))
        gaps.append(100.0 * (repaired.objective - result.objective) / abs(result.objective))
    return [_row(f"exact mode: gap of the repaired LP, {EXACT_STEPS} steps, worst seed", max(gaps), "%")]


def _many() -> list[dict[str, Any]]:
    rows = []
    for count in (8, 64):
        problems = [an_instance(54, N_STEPS, seed) for seed in range(count)]
        ratio = _ratio(lambda p=problems: list(solve_many(p)), lambda p=problems: [solve(q) for q in p], 3)
        title = f"many sites in {os.cpu_count()} processes, {count} x 54 x {N_STEPS}, against one after the other"
        rows.append(_row(title, ratio, "x"))
    return rows


def run() -> list[dict[str, Any]]:
    """All figures. PuLP comes last: the objects it leaves behind slow down what follows."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # PuLP 3.3 deprecates its bundled CBC
        return [row for part in (_cold, _warm, _large, _growing, _rule, _exact, _many, _pulp) for row in part()]
