"""Engines on hand-made programs: every way in which a run can end is a status."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pulp
import pytest

from solvers import EngineUnavailable, RunOptions, Status
from solvers.engines.highs_engine import HighsEngine
from solvers.engines.pulp_engine import PulpEngine
from solvers.program import LinearProgram

INF = float("inf")
WAYS = [(HighsEngine(), ""), (PulpEngine(), "HiGHS"), (PulpEngine(), "PULP_CBC_CMD")]
AProgram = Callable[..., LinearProgram]


@pytest.fixture(params=WAYS, ids=["highs", "pulp-arrays", "pulp-expressions"])
def run(request: pytest.FixtureRequest) -> Any:
    engine, solver = request.param
    return lambda program, **given: engine.run(program, RunOptions(solver=solver, **given))


def test_a_row_that_no_point_satisfies_is_infeasible(run: Any, a_program: AProgram) -> None:
    found = run(a_program([1], [1], [[1]], [2], [INF]))
    assert (found.status, found.values) == (Status.INFEASIBLE, None)
    assert "nfeasible" in found.reason
    assert np.isnan(found.objective)


def test_a_cost_that_falls_for_ever_is_unbounded(run: Any, a_program: AProgram) -> None:
    found = run(a_program([-1], [INF], [[1]], [0], [INF]))
    assert found.status is Status.UNBOUNDED
    assert "nbounded" in found.reason


def test_both_bounds_of_a_row_hold(run: Any, a_program: AProgram) -> None:
    for cost, best in ((1.0, 2.0), (-1.0, 3.0)):
        found = run(a_program([cost], [9], [[1]], [2], [3]))
        assert (found.status, found.values.tolist()) == (Status.OPTIMAL, [best])
        assert found.objective == cost * best


def test_every_column_has_its_own_place_in_the_rows(run: Any, a_program: AProgram) -> None:
    found = run(a_program([-3, -2, -1], [9, 9, 9], [[1, 0, 2], [1, 1, 0]], [-INF, -INF], [8, 5]))
    assert found.values == pytest.approx([5.0, 0.0, 1.5])
    assert found.objective == pytest.approx(-16.5)


def test_a_program_without_rows_is_solved_at_its_bounds(run: Any, a_program: AProgram) -> None:
    found = run(a_program([-1, 1], [3, 3]))
    assert found.values.tolist() == [3.0, 0.0]


def test_whole_numbers_are_whole_without_a_point_to_start_from(run: Any, a_program: AProgram) -> None:
    found = run(a_program([-1], [9], [[1]], [-INF], [2.5], integer=(0,)))
    assert (found.status, found.values.tolist()) == (Status.OPTIMAL, [2.0])


@pytest.mark.parametrize(("lower", "upper"), [(2.0, INF), (-INF, -1.0), (2.0, 2.0)])
def test_a_row_without_columns_that_zero_does_not_satisfy_is_infeasible(
    run: Any, a_program: AProgram, lower: float, upper: float
) -> None:
    assert run(a_program([1], [1], [[0]], [lower], [upper])).status is Status.INFEASIBLE
    assert run(a_program([1], [1], [[0]], [-1], [1])).status is Status.OPTIMAL


@pytest.mark.parametrize(("lower", "upper"), [(1.0, 2.0), (-2.0, -1.0)])
def test_a_program_without_columns_is_decided_by_its_rows(run: Any, a_program: AProgram, lower: float, upper: float) -> None:
    found = run(a_program([], [], (), [lower], [upper]))
    assert (found.status, found.values) == (Status.INFEASIBLE, None)
    assert found.reason == "rows without columns cannot hold"
    found = run(a_program([], [], (), [-1], [1]))
    assert (found.status, found.values.size, found.objective, found.reason) == (Status.OPTIMAL, 0, 0.0, "")


def test_a_program_that_highs_refuses_has_failed(a_program: AProgram) -> None:
    program = replace(a_program([1], [1], [[1]], [0], [1]), indices=np.array([7], dtype=np.int32))
    found = HighsEngine().run(program, RunOptions())
    assert (found.status, found.values, found.reason) == (Status.FAILED, None, "HiGHS refused the model")
    through_pulp = PulpEngine().run(program, RunOptions(solver="HiGHS"))
    assert (through_pulp.status, through_pulp.reason) == (Status.FAILED, "HiGHS refused the model")


def test_highs_gives_prices_only_when_asked_and_only_without_whole_numbers(a_program: AProgram) -> None:
    program = a_program([-2], [9], [[1]], [-INF], [3])
    assert HighsEngine().run(program, RunOptions()).row_duals is None
    asked = HighsEngine().run(program, RunOptions(wants_duals=True))
    assert asked.row_duals.tolist() == [-2.0]
    assert asked.column_duals.tolist() == [0.0]
    whole = HighsEngine().run(replace(program, integer=np.array([0], dtype=np.int32)), RunOptions(wants_duals=True))
    assert (whole.row_duals, whole.basis) == (None, None)


# -- a PuLP solver that ends as a test wants ---------------------------------------------------------------------------


class _Fake(pulp.LpSolver):  # type: ignore[misc]  # PuLP has no types
    ending: tuple[int, int] | None = None
    values: tuple[float | None, ...] = ()
    limits_s: list[float] = []  # noqa: RUF012 emptied by the fixture

    def available(self) -> bool:
        return True

    def actualSolve(self, lp: Any, **_: Any) -> int:  # noqa: N802 PuLP's name
        self.limits_s.append(self.timeLimit)
        if self.ending is None:
            raise pulp.PulpSolverError("the solver crashed")
        for variable, value in zip(lp.variables(), self.values, strict=False):
            variable.varValue = value
        lp.assignStatus(*self.ending)
        return self.ending[0]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> type[_Fake]:
    monkeypatch.setattr(_Fake, "limits_s", [])
    monkeypatch.setattr(_Fake, "ending", None)
    monkeypatch.setattr(_Fake, "values", ())
    monkeypatch.setattr(pulp, "listSolvers", lambda: ["GLPK_CMD"])
    monkeypatch.setattr(pulp, "getSolver", lambda _, **given: _Fake(**given))
    return _Fake


@pytest.mark.parametrize(
    ("ending", "status", "values"),
    [
        ((pulp.LpStatusOptimal, pulp.LpSolutionOptimal), Status.OPTIMAL, [2.0, 0.0]),
        ((pulp.LpStatusOptimal, pulp.LpSolutionIntegerFeasible), Status.TIME_LIMIT, [2.0, 0.0]),
        ((pulp.LpStatusNotSolved, pulp.LpSolutionNoSolutionFound), Status.TIME_LIMIT, None),
        ((pulp.LpStatusInfeasible, pulp.LpSolutionInfeasible), Status.INFEASIBLE, None),
        ((pulp.LpStatusUndefined, pulp.LpSolutionNoSolutionFound), Status.FAILED, None),
    ],
)
def test_an_ending_of_a_pulp_solver_becomes_a_status_and_a_point_only_if_there_is_one(
    fake: type[_Fake], a_program: AProgram, ending: tuple[int, int], status: Status, values: list[float] | None
) -> None:
    fake.ending, fake.values = ending, (2.0, None)
    found = PulpEngine().run(a_program([3, 1], [5, 5], [[1, 1]], [0], [9]), RunOptions(time_limit_s=0.0))
    assert found.status is status
    assert (None if found.values is None else found.values.tolist()) == values
    assert found.objective == pytest.approx(6.0 if values else np.nan, nan_ok=True)
    assert found.reason == ("" if status is Status.OPTIMAL else f"GLPK_CMD ended with {pulp.LpStatus[ending[0]]}")
    assert fake.limits_s == [1e-3]


def test_a_pulp_solver_that_crashes_is_a_status_and_no_exception(fake: type[_Fake], a_program: AProgram) -> None:
    found = PulpEngine().run(a_program([1], [1], [[1]], [0], [1]), RunOptions())
    assert (found.status, found.values, found.reason) == (Status.FAILED, None, "GLPK_CMD: the solver crashed")
    assert fake.limits_s == [60.0]


def test_without_any_pulp_solver_the_engine_is_unavailable(
    monkeypatch: pytest.MonkeyPatch, fake: type[_Fake], a_program: AProgram
) -> None:
    monkeypatch.setattr(fake, "available", lambda _: False)
    with pytest.raises(EngineUnavailable, match="a PuLP solver such as highspy or CBC"):
        PulpEngine().run(a_program([1], [1]), RunOptions())
    with pytest.raises(EngineUnavailable, match="'GUROBI'"):
        PulpEngine().run(a_program([1], [1]), RunOptions(solver="GUROBI"))
