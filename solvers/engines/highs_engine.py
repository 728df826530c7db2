"""HiGHS through highspy: arrays in, arrays out. Dual simplex without presolve is the fastest on these problems."""

from __future__ import annotations

from typing import Any

import highspy
import numpy as np

from solvers.engine import EngineResult, Features, RunOptions
from solvers.parts import Floats
from solvers.problem import Status
from solvers.program import LinearProgram
from solvers.warm import Basis, BasisDefaults, Statuses

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
LOWER, BASIC, UPPER, NONBASIC = 0, 1, 2, 4
_STATUSES = (
    highspy.HighsBasisStatus.kLower,
    highspy.HighsBasisStatus.kBasic,
    highspy.HighsBasisStatus.kUpper,
    highspy.HighsBasisStatus.kZero,
    highspy.HighsBasisStatus.kNonbasic,
)
MIP_GAP = 1e-6
PRIMAL = 4
"""After the grid of steps moved on, a carried basis is nearer to feasible than to optimal: primal simplex is faster."""
DEVEX = 1
"""From a carried basis, exact steepest-edge weights cost more than the few iterations that are left."""


class HighsEngine:
    """The default engine. No state between runs: a basis comes in and goes out as a value."""

    name = "highs"
    features = Features(integers=True, warm_start=True, duals=True)
    new_statuses = BasisDefaults(column=NONBASIC, row=BASIC)

    def run(self, program: LinearProgram, options: RunOptions) -> EngineResult:
        """Solve with dual simplex on one thread. A point is returned only if HiGHS calls it primal feasible."""
        if program.n_cols == 0:
            return _without_columns(program)
        highs = _highs(options)
        if _pass(highs, program) == highspy.HighsStatus.kError:
            return EngineResult(status=Status.FAILED, values=None, objective=float("nan"), reason="HiGHS refused the model")
        if program.integer is not None:
            highs.setOptionValue("mip_rel_gap", MIP_GAP)
            if options.point is not None:
                known = highspy.HighsSolution()
                known.col_value = options.point.tolist()
                highs.setSolution(known)
        elif options.start is not None:
            highs.setBasis(basis_of(options.start))
        ran = highs.run()
        return _result(highs, program, options, is_error=ran == highspy.HighsStatus.kError)


def _highs(options: RunOptions) -> Any:  # highspy has no types
    highs = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy has no types
    highs.silent()
    highs.setOptionValue("threads", options.threads)
    highs.setOptionValue("time_limit", max(options.time_limit_s, 1e-3))
    highs.setOptionValue("presolve", "off")
    highs.setOptionValue("solver", "simplex")
    if options.is_shifted:
        highs.setOptionValue("simplex_strategy", PRIMAL)
    elif options.is_carried:
        highs.setOptionValue("simplex_dual_edge_weight_strategy", DEVEX)
    return highs


def basis_of(start: Basis) -> Any:  # highspy has no types
    """A starting basis as HiGHS takes it."""
    basis = highspy.HighsBasis()
    basis.valid = True
    basis.alien = True  # carried over from another program: HiGHS completes and repairs it
    table = np.array(_STATUSES, dtype=object)
    basis.col_status = table[start.columns].tolist()
    basis.row_status = table[start.rows].tolist()
    return basis


def _ended(highs: Any, program: LinearProgram, values: Floats, activity: Floats) -> Basis:
    """Where the solve ended. Who is not basic stands at the bound that is nearer to its value; reading the statuses
    one by one would take longer than the solve of a warm tick.
    """
    _, basic = highs.getBasicVariables()
    basic = np.asarray(basic)
    columns = _at_bound(values, program.col_lower, program.col_upper)
    rows = _at_bound(activity, program.row_lower, program.row_upper)
    columns[basic[basic >= 0]] = BASIC
    rows[-basic[basic < 0] - 1] = BASIC
    return Basis(columns=columns, rows=rows)


def _at_bound(values: Floats, lower: Floats, upper: Floats) -> Statuses:
    return np.where(upper - values < values - lower, UPPER, LOWER).astype(np.int8)


def _result(highs: Any, program: LinearProgram, options: RunOptions, *, is_error: bool) -> EngineResult:
    found = highs.getModelStatus()
    status = Status.FAILED if is_error else _STATUS.get(found.name, Status.FAILED)
    info = highs.getInfo()
    is_feasible = info.primal_solution_status == 2  # kSolutionStatusFeasible
    if not is_feasible:
        return EngineResult(
            status=status,
            values=None,
            objective=float("nan"),
            iterations=int(info.simplex_iteration_count),
            reason=f"HiGHS ended with {found.name}",
        )
    solution = highs.getSolution()
    values = np.array(solution.col_value, dtype=np.float64)
    has_duals = options.wants_duals and program.integer is None and status is Status.OPTIMAL
    basis = None
    if options.wants_basis and program.integer is None and status is Status.OPTIMAL:
        basis = _ended(highs, program, values, np.array(solution.row_value, dtype=np.float64))
    return EngineResult(
        status=status,
        values=values,
        objective=float(info.objective_function_value),
        iterations=int(info.simplex_iteration_count),
        reason="" if status is Status.OPTIMAL else f"HiGHS ended with {found.name}",
        row_duals=np.array(solution.row_dual, dtype=np.float64) if has_duals else None,
        column_duals=np.array(solution.col_dual, dtype=np.float64) if has_duals else None,
        basis=basis,
    )


def _without_columns(program: LinearProgram) -> EngineResult:
    is_feasible = bool((program.row_lower <= 1e-9).all() and (program.row_upper >= -1e-9).all())
    return EngineResult(
        status=Status.OPTIMAL if is_feasible else Status.INFEASIBLE,
        values=np.zeros(0) if is_feasible else None,
        objective=0.0,
        reason="" if is_feasible else "rows without columns cannot hold",
    )


def _pass(highs: Any, program: LinearProgram) -> Any:  # highspy has no types
    """Hand the arrays over as they are; a ``HighsLp`` would copy them element by element."""
    kinds = np.zeros(program.n_cols, dtype=np.int32)  # all continuous
    if program.integer is not None:
        kinds[program.integer] = int(highspy.HighsVarType.kInteger)
    return highs.passModel(
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
        kinds,
    )


def model_of(program: LinearProgram) -> Any:  # highspy has no types
    """The program as an object that can carry names."""
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
    if program.integer is not None:
        kinds = [highspy.HighsVarType.kContinuous] * program.n_cols
        for column in program.integer.tolist():
            kinds[column] = highspy.HighsVarType.kInteger
        model.integrality_ = kinds
    return model
