"""What ``solve`` does with engines that lie, and when double flows or magnitudes need many rounds."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers import EngineResult, Memory, Phasors, RunOptions, SolveOptions, Status, phasor, solve
from solvers.engines.highs_engine import HighsEngine
from solvers.program import LinearProgram
from solvers.solve import DIRECTION_ROUNDS
from tests.support.parts import a_battery, a_car
from tests.support.problems import a_problem


def _without_rows(program: LinearProgram, options: RunOptions) -> EngineResult:
    """HiGHS that does not look at upper bounds of rows."""
    return HighsEngine().run(replace(program, row_upper=np.full(program.n_rows, np.inf)), replace(options, start=None))


def test_values_that_are_not_finite_are_a_failure(scripted: Any) -> None:
    def answer(program: LinearProgram, _: RunOptions) -> EngineResult:
        values = np.zeros(program.n_cols)
        values[-1] = np.nan
        return EngineResult(status=Status.OPTIMAL, values=values, objective=0.0, iterations=3)

    scripted(answer)
    found = solve(a_problem(power_max_kw=[[5]], need_kwh=[3]), "scripted")
    assert (found.status, found.has_values) == (Status.FAILED, False)
    assert found.reason == "the engine returned values that are not finite"
    assert (found.iterations, found.n_solves) == (3, 1)
    assert found.shortfall_kwh.tolist() == [3.0]


def test_a_plan_that_breaks_a_row_comes_back_as_a_failure_without_values(scripted: Any) -> None:
    scripted(_without_rows)
    found = solve(a_problem(power_max_kw=[[5], [5]], need_kwh=[4, 5], row_limit=[[6]]), "scripted")
    assert (found.status, found.has_values, found.engine) == (Status.FAILED, False, "scripted")
    assert found.reason == "row row0 carries 9 of 6 in step 0"
    assert not found.power_kw.any()


def test_a_plan_above_a_row_by_its_last_digits_is_scaled_down(scripted: Any) -> None:
    def answer(program: LinearProgram, options: RunOptions) -> EngineResult:
        found = HighsEngine().run(program, replace(options, start=None))
        assert found.values is not None
        return replace(found, values=found.values * (1.0 + 1e-7))

    scripted(answer)
    found = solve(a_problem(power_max_kw=[[5], [5]], need_kwh=[4, 5], row_limit=[[6]]), "scripted")
    assert found.status is Status.OPTIMAL
    assert found.power_kw.sum() <= 6.0
    assert found.power_kw.sum() == pytest.approx(6.0)
    assert found.shortfall_kwh.sum() == pytest.approx(3.0, abs=1e-12)


def test_an_engine_that_never_holds_a_magnitude_is_given_up(scripted: Any) -> None:
    engine = scripted(_without_rows)
    memory = Memory()
    line = Phasors(names=("line",), coef=[[1.0]], base_a=[[0.0]], limit_a=[[3.0]], sides=8)
    problem = a_problem(power_max_kw=[[5]], need_kwh=[5], phasors=line)
    found = solve(problem, "scripted", SolveOptions(memory=memory))
    assert (found.status, found.reason) == (Status.FAILED, "line carries 5 of 3 A in step 0")
    assert len(engine.asked) == phasor.ROUNDS
    plain = engine.asked[0][0].n_rows
    sides = [program.n_rows - plain for program, _ in engine.asked]
    assert sides[:11] == [0, 3, 3, 3, 5, 5, 5, 7, 7, 7, 8]
    assert set(sides[11:]) == {8}


def test_facets_are_kept_under_the_names_and_absolute_steps_of_their_limits() -> None:
    memory = Memory()
    line = Phasors(names=("line",), coef=[[1.0]], base_a=[[0, 0]], limit_a=[[9, 3]], sides=8)
    problem = a_problem(power_max_kw=[[0, 5]], need_kwh=[5], first_step=40, phasors=line)
    found = solve(problem, options=SolveOptions(memory=memory))
    assert found.power_kw == pytest.approx(np.array([[0.0, 3.0 * line.shrink]]))
    assert memory.facets == (("line", 41, 0),)  # its neighbours were not needed


def test_double_flows_that_move_on_are_closed_all_at_once(scripted: Any) -> None:
    """An engine that charges and discharges a battery in the first step still open for both."""
    n_steps = 12

    def answer(program: LinearProgram, _: RunOptions) -> EngineResult:
        names = program.name_columns()
        charge, discharge = (np.array([i for i, n in enumerate(names) if n.startswith(w)]) for w in ("charge", "discharge"))
        values = np.zeros(program.n_cols)
        both = np.minimum(program.col_upper[charge], program.col_upper[discharge]) > 0
        if both.any():
            first = int(np.argmax(both))
            values[charge[first]], values[discharge[first]] = 1.0, 2.0
        return EngineResult(status=Status.OPTIMAL, values=values, objective=0.0)

    engine = scripted(answer)
    full = a_battery(stored_kwh=np.array([10.0]))
    found = solve(a_problem(power_max_kw=np.zeros((1, n_steps)), need_kwh=[0], batteries=full), "scripted")
    assert found.status is Status.OPTIMAL
    assert len(engine.asked) == found.n_solves == DIRECTION_ROUNDS + 2
    names = engine.asked[0][0].name_columns()
    closed = [[n for n, high in zip(names, p.col_upper, strict=True) if "harge" in n and high == 0] for p, _ in engine.asked]
    assert closed[1] == ["charge[house,0]"]
    assert [len(c) for c in closed] == [0, 1, 2, 3, 4, n_steps]


def test_only_the_smaller_flow_of_a_car_is_closed(scripted: Any) -> None:
    def answer(program: LinearProgram, _: RunOptions) -> EngineResult:
        values = np.minimum(np.array([3.0, 4.0] + [0.0] * (program.n_cols - 2)), program.col_upper)
        return EngineResult(status=Status.OPTIMAL, values=values, objective=0.0)

    engine = scripted(answer)
    problem = a_problem(power_max_kw=[[5]], need_kwh=[0], room_kwh=np.array([9.0]), tracked=a_car(0, 9.0, [5]))
    found = solve(problem, "scripted")
    assert (found.power_kw.tolist(), found.discharge_kw.tolist()) == ([[0.0]], [[4.0]])
    assert [program.col_upper[:2].tolist() for program, _ in engine.asked] == [[5.0, 5.0], [0.0, 5.0]]


def test_an_engine_that_can_start_warm_gets_a_start_and_others_do_not(scripted: Any) -> None:
    problem = a_problem(power_max_kw=[[5]], need_kwh=[3], import_price_per_kwh=np.array([0.1]))
    engine = scripted(HighsEngine().run)
    solve(problem, "scripted")
    assert engine.asked[0][1].start is None
    warm = scripted(HighsEngine().run, features=HighsEngine.features, new_statuses=HighsEngine.new_statuses)
    solve(problem, "scripted")
    start = warm.asked[0][1].start
    names = warm.asked[0][0].name_columns()
    basic = [name for name, status in zip(names, start.columns, strict=True) if status == HighsEngine.new_statuses.row]
    assert basic == ["g[0]"]
    assert [status == HighsEngine.new_statuses.column for status in start.rows] == [True, False]


def test_an_engine_is_told_where_its_start_comes_from(scripted: Any) -> None:
    problem = a_problem(power_max_kw=[[5, 5]], need_kwh=[3], import_price_per_kwh=np.array([0.1, 0.2]))
    engine = scripted(HighsEngine().run, features=HighsEngine.features, new_statuses=HighsEngine.new_statuses)
    solve(problem, "scripted")
    options = SolveOptions(memory=Memory())
    for first_step in (0, 0, 1):
        solve(replace(problem, first_step=first_step), "scripted", options)
    told = [(run.is_carried, run.is_shifted, run.wants_basis) for _, run in engine.asked]
    assert told == [(False, False, False), (False, False, True), (True, False, True), (True, True, True)]
