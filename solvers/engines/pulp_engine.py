"""Any solver that PuLP knows. HiGHS behind PuLP receives the arrays; every other solver gets PuLP expressions."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pulp

from solvers.engine import EngineResult, Features, RunOptions
from solvers.errors import EngineUnavailable
from solvers.problem import Status
from solvers.program import LinearProgram
from solvers.warm import BasisDefaults

PREFERRED = ("HiGHS", "COIN_CMD", "PULP_CBC_CMD", "GLPK_CMD", "SCIP_CMD", "GUROBI", "CPLEX_PY")

_STATUS = {
    pulp.LpStatusOptimal: Status.OPTIMAL,
    pulp.LpStatusInfeasible: Status.INFEASIBLE,
    pulp.LpStatusUnbounded: Status.UNBOUNDED,
    pulp.LpStatusNotSolved: Status.TIME_LIMIT,
    pulp.LpStatusUndefined: Status.FAILED,
}
_PULP_STATUS = {
    Status.OPTIMAL: pulp.LpStatusOptimal,
    Status.INFEASIBLE: pulp.LpStatusInfeasible,
    Status.UNBOUNDED: pulp.LpStatusUnbounded,
    Status.TIME_LIMIT: pulp.LpStatusNotSolved,
}


class PulpEngine:
    """Adapter to PuLP; ``RunOptions.solver`` names the solver, else the first available one is taken."""

    name = "pulp"
    features = Features(integers=True)
    new_statuses = BasisDefaults()

    def run(self, program: LinearProgram, options: RunOptions) -> EngineResult:
        """Solve with a PuLP solver. Raises ``EngineUnavailable`` when it is not there."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # PuLP 3.3 deprecates its bundled CBC
            name = _solver_name(options)
            if program.n_cols == 0:
                return _without_columns(program)
            if name == "HiGHS":
                return _run_arrays(program, options)
            return _run_expressions(program, options, name)


class ArrayHighs(pulp.HiGHS):  # type: ignore[misc]  # PuLP has no types
    """PuLP's HiGHS that is given a finished program instead of reading expressions."""

    def __init__(self, program: LinearProgram, options: RunOptions) -> None:
        super().__init__(msg=False, timeLimit=max(options.time_limit_s, 1e-3))
        self._program = program
        self._options = options
        self.result: EngineResult | None = None

    def actualSolve(self, lp: Any, **_: Any) -> int:
        """Solve the arrays; the (empty) PuLP problem only carries the status."""
        from solvers.engines.highs_engine import HighsEngine

        self.result = HighsEngine().run(self._program, self._options)
        status: int = _PULP_STATUS.get(self.result.status, pulp.LpStatusUndefined)
        lp.assignStatus(status)
        return status


def _run_arrays(program: LinearProgram, options: RunOptions) -> EngineResult:
    solver = ArrayHighs(program, options)
    model = pulp.LpProblem("site", pulp.LpMinimize)
    model.setObjective(pulp.LpAffineExpression())
    model.solve(solver)
    assert solver.result is not None  # noqa: S101 actualSolve sets it
    return solver.result


def _run_expressions(program: LinearProgram, options: RunOptions, name: str) -> EngineResult:
    solver = pulp.getSolver(name, msg=False, timeLimit=max(options.time_limit_s, 1e-3))
    model, variables = _model(program)
    try:
        model.solve(solver)
    except pulp.PulpSolverError as error:
        return EngineResult(status=Status.FAILED, values=None, objective=float("nan"), reason=f"{name}: {error}")
    status = _STATUS.get(model.status, Status.FAILED)
    has_point = model.sol_status in {pulp.LpSolutionOptimal, pulp.LpSolutionIntegerFeasible}
    if status is Status.OPTIMAL and model.sol_status == pulp.LpSolutionIntegerFeasible:
        status = Status.TIME_LIMIT
    values = None
    if has_point:
        values = np.array([0.0 if v.varValue is None else v.varValue for v in variables], dtype=np.float64)
    return EngineResult(
        status=status,
        values=values,
        objective=float(program.cost @ values) if values is not None else float("nan"),
        reason="" if status is Status.OPTIMAL else f"{name} ended with {pulp.LpStatus[model.status]}",
    )


def _solver_name(options: RunOptions) -> str:
    wanted = (options.solver,) if options.solver else PREFERRED
    for name in wanted:
        if name in pulp.listSolvers() and pulp.getSolver(name, msg=False).available():
            return name
    raise EngineUnavailable("pulp", options.solver or "a PuLP solver such as highspy or CBC")


def _without_columns(program: LinearProgram) -> EngineResult:
    is_feasible = bool((program.row_lower <= 1e-9).all() and (program.row_upper >= -1e-9).all())
    return EngineResult(
        status=Status.OPTIMAL if is_feasible else Status.INFEASIBLE,
        values=np.zeros(0) if is_feasible else None,
        objective=0.0,
        reason="" if is_feasible else "rows without columns cannot hold",
    )


def _model(program: LinearProgram) -> tuple[Any, list[Any]]:
    """The program as PuLP objects, built from dictionaries (faster than operators)."""
    model = pulp.LpProblem("site", pulp.LpMinimize)
    integer = set(program.integer.tolist()) if program.integer is not None else set()
    bounds = zip(program.col_lower.tolist(), program.col_upper.tolist(), strict=True)
    variables = [
        pulp.LpVariable(f"x{j}", _bound(low), _bound(high), pulp.LpInteger if j in integer else pulp.LpContinuous)
        for j, (low, high) in enumerate(bounds)
    ]
    rows: list[list[tuple[Any, float]]] = [[] for _ in range(program.n_rows)]
    starts, indices, values = program.starts.tolist(), program.indices.tolist(), program.values.tolist()
    for j, variable in enumerate(variables):
        for k in range(starts[j], starts[j + 1]):
            rows[indices[k]].append((variable, values[k]))
    model.setObjective(pulp.LpAffineExpression(list(zip(variables, program.cost.tolist(), strict=True))))
    for i, terms in enumerate(rows):
        _add_row(model, f"r{i}", terms, float(program.row_lower[i]), float(program.row_upper[i]))
    return model, variables


def _add_row(model: Any, name: str, terms: list[tuple[Any, float]], lower: float, upper: float) -> None:
    if lower == upper:
        model.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), pulp.LpConstraintEQ, name, upper))
        return
    if np.isfinite(lower):
        model.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), pulp.LpConstraintGE, f"{name}l", lower))
    if np.isfinite(upper):
        model.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), pulp.LpConstraintLE, f"{name}u", upper))


def _bound(value: float) -> float | None:
    return value if np.isfinite(value) else None
