"""HiGHS through highspy: arrays in, arrays out. Dual simplex without presolve is the fastest on these problems."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np

from solvers.engine import EngineResult, Features, SolveOptions
from solvers.problem import Status
from solvers.program import LinearProgram

_STATUS = {
    "kOptimal": Status.OPTIMAL,
    "kModelEmpty": Status.OPTIMAL,
    "kInfeasible": Status.INFEASIBLE,
    "kUnboundedOrInfeasible": Status.INFEASIBLE,
    "kUnbounded": Status.UNBOUNDED,
    "kTimeLimit": Status.TIME_LIMIT,
    "kIterationLimit": Status.TIME_LIMIT,
    "kInterrupt": Status.TIME_LIMIT,
}


class HighsEngine:
    """The default engine. One instance per call of ``run``; no state between solves."""

    name = "highs"
    features = Features(integers=True, warm_start=True, duals=True)

    def run(self, program: LinearProgram, options: SolveOptions) -> EngineResult:
        """Solve with dual simplex on one thread. A point is returned only if HiGHS calls it primal feasible."""
        if program.n_cols == 0:
            return _without_columns(program)
        highs: Any = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy has no types
        highs.silent()
        highs.setOptionValue("threads", options.threads)
        highs.setOptionValue("time_limit", max(options.time_limit_s, 1e-3))
        highs.setOptionValue("presolve", "off")
        highs.setOptionValue("solver", "simplex")
        if highs.passModel(_model(program)) == highspy.HighsStatus.kError:
            return EngineResult(status=Status.FAILED, values=None, objective=float("nan"), reason="HiGHS refused the model")
        ran = highs.run()
        found = highs.getModelStatus()
        status = _STATUS.get(found.name, Status.FAILED)
        info = highs.getInfo()
        is_feasible = info.primal_solution_status == 2  # kSolutionStatusFeasible
        values = np.array(highs.getSolution().col_value, dtype=np.float64) if is_feasible else None
        return EngineResult(
            status=status if ran != highspy.HighsStatus.kError else Status.FAILED,
            values=values,
            objective=float(info.objective_function_value) if is_feasible else float("nan"),
            iterations=int(info.simplex_iteration_count),
            reason="" if status is Status.OPTIMAL else f"HiGHS ended with {found.name}",
        )


def _without_columns(program: LinearProgram) -> EngineResult:
    is_feasible = bool((program.row_lower <= 1e-9).all() and (program.row_upper >= -1e-9).all())
    return EngineResult(
        status=Status.OPTIMAL if is_feasible else Status.INFEASIBLE,
        values=np.zeros(0) if is_feasible else None,
        objective=0.0,
        reason="" if is_feasible else "rows without columns cannot hold",
    )


def _model(program: LinearProgram) -> Any:  # highspy has no types
    model = highspy.HighsLp()
    model.num_col_ = program.n_cols
    model.num_row_ = program.n_rows
    model.col_cost_ = program.cost
    model.col_lower_ = program.col_lower
    model.col_upper_ = program.col_upper
    model.row_lower_ = program.row_lower
    model.row_upper_ = program.row_upper
    model.a_matrix_.format_ = highspy.MatrixFormat.kColwise
    model.a_matrix_.num_col_ = program.n_cols
    model.a_matrix_.num_row_ = program.n_rows
    model.a_matrix_.start_ = program.starts
    model.a_matrix_.index_ = program.indices
    model.a_matrix_.value_ = program.values
    return model
