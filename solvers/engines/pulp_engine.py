"""Any solver that PuLP knows: the arrays become PuLP objects, built from dictionaries (faster than operators)."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pulp

from solvers.engine import EngineResult, Features, SolveOptions
from solvers.errors import EngineUnavailable
from solvers.problem import Status
from solvers.program import LinearProgram

PREFERRED = ("HiGHS", "COIN_CMD", "PULP_CBC_CMD", "GLPK_CMD", "SCIP_CMD", "GUROBI", "CPLEX_PY")

_STATUS = {
    pulp.LpStatusOptimal: Status.OPTIMAL,
    pulp.LpStatusInfeasible: Status.INFEASIBLE,
    pulp.LpStatusUnbounded: Status.UNBOUNDED,
    pulp.LpStatusNotSolved: Status.TIME_LIMIT,
    pulp.LpStatusUndefined: Status.FAILED,
}


class PulpEngine:
    """Adapter to PuLP; ``SolveOptions.solver`` names the solver, else the first available one is taken."""

    name = "pulp"
    features = Features(integers=True)

    def run(self, program: LinearProgram, options: SolveOptions) -> EngineResult:
        """Solve with a PuLP solver. Raises ``EngineUnavailable`` when it is not there."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # PuLP 3.3 deprecates its bundled CBC
            return self._run(program, options)

    def _run(self, program: LinearProgram, options: SolveOptions) -> EngineResult:
        solver = _solver(options)
        model, variables = _model(program)
        if not variables:
            is_feasible = bool((program.row_lower <= 1e-9).all() and (program.row_upper >= -1e-9).all())
            status = Status.OPTIMAL if is_feasible else Status.INFEASIBLE
            return EngineResult(status=status, values=np.zeros(0) if is_feasible else None, objective=0.0)
        model.solve(solver)
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
            reason="" if status is Status.OPTIMAL else f"{solver.name} ended with {pulp.LpStatus[model.status]}",
        )


def _solver(options: SolveOptions) -> Any:  # PuLP has no types
    wanted = (options.solver,) if options.solver else PREFERRED
    available = pulp.listSolvers(onlyAvailable=True)
    for name in wanted:
        if name in available:
            return pulp.getSolver(name, msg=False, timeLimit=max(options.time_limit_s, 1e-3))
    raise EngineUnavailable("pulp", options.solver or "a PuLP solver such as highspy or CBC")


def _model(program: LinearProgram) -> tuple[Any, list[Any]]:
    model = pulp.LpProblem("site", pulp.LpMinimize)
    names = [f"x{j}" for j in range(program.n_cols)]
    variables = [
        pulp.LpVariable(name, _bound(low), _bound(high))
        for name, low, high in zip(names, program.col_lower.tolist(), program.col_upper.tolist(), strict=True)
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
    if not terms:
        return
    if lower == upper:
        model.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), pulp.LpConstraintEQ, name, upper))
        return
    if np.isfinite(lower):
        model.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), pulp.LpConstraintGE, f"{name}l", lower))
    if np.isfinite(upper):
        model.addConstraint(pulp.LpConstraint(pulp.LpAffineExpression(terms), pulp.LpConstraintLE, f"{name}u", upper))


def _bound(value: float) -> float | None:
    return value if np.isfinite(value) else None
