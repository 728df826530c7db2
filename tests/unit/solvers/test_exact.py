"""Zero or at least the minimum: the repair, and what it does when an engine cannot do better."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers import ChargingProblem, EngineResult, Features, Phasors, RunOptions, SolveOptions, Status, solve
from solvers.check import faults
from solvers.engines.highs_engine import HighsEngine
from solvers.exact import choose
from solvers.formulation import build
from solvers.program import LinearProgram
from tests.support.parts import a_car
from tests.support.problems import a_problem

EXACT = SolveOptions(n_exact_steps=1)
NOTHING = EngineResult(status=Status.TIME_LIMIT, values=None, objective=float("nan"), reason="no time left")


def _two(**given: Any) -> ChargingProblem:
    """Two cars that take 4 to 10 kW, second one more urgent."""
    base = {
        "power_max_kw": [[10], [10]],
        "need_kwh": [10, 10],
        "power_min_kw": np.array([4.0, 4.0]),
        "priority": np.array([1.0, 2.0]),
    }
    return a_problem(**(base | given))


def _on(problem: ChargingProblem, values: list[float]) -> list[float]:
    """Who is switched on when the relaxed program gives these powers in the first step."""
    program, layout = build(problem, n_exact_steps=1)
    point = np.zeros(program.n_cols)
    point[layout.z_of] = values
    return choose(problem, layout, point).tolist()


def _relaxed_then(answer: EngineResult) -> Callable[[LinearProgram, RunOptions], EngineResult]:
    """HiGHS, except for programs with whole numbers."""
    return lambda program, options: answer if program.integer is not None else HighsEngine().run(program, options)


@pytest.mark.parametrize(
    ("given", "powers", "on"),
    [
        ({}, [3.0, 3.0], [1.0, 1.0]),
        ({}, [3.0, 0.0], [1.0, 0.0]),
        ({"row_limit": [[7]]}, [5.0, 1.0], [0.0, 1.0]),
        ({"row_limit": [[7]], "priority": np.ones(2)}, [5.0, 1.0], [1.0, 0.0]),
        ({"row_limit": [[8]]}, [5.0, 1.0], [1.0, 1.0]),
        ({"import_limit_kw": np.array([8.0]), "base_kw": np.array([1.0])}, [5.0, 1.0], [0.0, 1.0]),
        ({"import_limit_kw": np.array([7.0]), "pv_kw": np.array([1.0])}, [5.0, 1.0], [1.0, 1.0]),
        ({"import_limit_kw": np.array([1.0]), "base_kw": np.array([9.0])}, [5.0, 1.0], [0.0, 0.0]),
        ({"room_kwh": np.array([10.0, 3.9]), "need_kwh": [10, 3]}, [5.0, 3.0], [1.0, 0.0]),
        ({"power_max_kw": [[10], [3]], "row_limit": [[7]]}, [5.0, 1.0], [1.0, 1.0]),
    ],
)
def test_who_comes_first_is_lifted_where_the_minimum_fits(
    given: dict[str, Any], powers: list[float], on: list[float]
) -> None:
    assert _on(_two(**given), powers) == on


def test_room_is_used_up_over_the_steps() -> None:
    problem = a_problem(power_max_kw=[[10, 10]], need_kwh=[7], power_min_kw=np.array([4.0]))
    program, layout = build(problem, n_exact_steps=2)
    point = np.zeros(program.n_cols)
    point[layout.z_of] = [3.0, 3.5]
    assert choose(problem, layout, point).tolist() == [0.0, 1.0]


def test_an_engine_without_whole_numbers_gives_the_repaired_plan(scripted: Any) -> None:
    problem = _two(row_limit=[[7]])
    engine = scripted(HighsEngine().run)
    found = solve(problem, "scripted", EXACT)
    assert found.status is Status.OPTIMAL
    assert found.power_kw == pytest.approx(np.array([[0.0], [7.0]]))
    assert all(program.integer is None for program, _ in engine.asked)


def test_a_relaxed_program_without_an_answer_ends_there(scripted: Any) -> None:
    engine = scripted(lambda *_: NOTHING, features=Features(integers=True))
    found = solve(_two(), "scripted", EXACT)
    assert (found.status, found.has_values, found.reason) == (Status.TIME_LIMIT, False, "no time left")
    assert len(engine.asked) == 1


def test_the_repaired_plan_stays_when_the_search_finds_nothing(scripted: Any) -> None:
    scripted(_relaxed_then(NOTHING), features=Features(integers=True))
    found = solve(_two(row_limit=[[7]]), "scripted", EXACT)
    assert (found.status, found.reason) == (Status.TIME_LIMIT, "no time left")
    assert found.power_kw == pytest.approx(np.array([[0.0], [7.0]]))


@pytest.mark.parametrize("status", [Status.TIME_LIMIT, Status.OPTIMAL])
def test_a_worse_point_of_the_search_is_not_taken(scripted: Any, status: Status) -> None:
    """Only a search that was cut short leaves open whether there is a better plan."""

    def answer(program: LinearProgram, options: RunOptions) -> EngineResult:
        if program.integer is None:
            return HighsEngine().run(program, options)
        assert options.point is not None
        worse = float(program.cost @ options.point) * (1.0 + 1e-5)
        return EngineResult(status=status, values=np.zeros(program.n_cols), objective=worse, iterations=77)

    scripted(answer, features=Features(integers=True))
    found = solve(_two(row_limit=[[7]]), "scripted", EXACT)
    assert found.status is status
    assert found.reason == ("the repaired solution was not improved" if status is Status.TIME_LIMIT else "")
    assert found.power_kw == pytest.approx(np.array([[0.0], [7.0]]))
    assert found.iterations == 77


@pytest.mark.parametrize("engine", ["highs", "pulp"])
def test_a_magnitude_that_forbids_the_repair_does_not_forbid_the_plan(engine: str) -> None:
    line = Phasors(names=("line",), coef=[[1.0, 1.0]], base_a=[[0.0]], limit_a=[[5.0]])
    problem = _two(phasors=line)
    found = solve(problem, engine, EXACT)
    assert found.status is Status.OPTIMAL, found.reason
    assert faults(problem, found) == ()
    assert found.power_kw == pytest.approx(np.array([[0.0], [5.0 * line.shrink]]))


def test_a_taper_cut_below_the_minimum_lets_the_car_wait(scripted: Any) -> None:
    slow = a_car(0, 20.0, [0], taper_kw=np.array([[3.0]]), taper_per_kwh=np.array([[0.0]]))
    problem = a_problem(power_max_kw=[[10]], need_kwh=[10], power_min_kw=np.array([4.0]), tracked=slow)
    for name in ("highs", "scripted"):
        found = solve(problem, name, EXACT)
        assert (found.status, found.power_kw.tolist(), found.shortfall_kwh.tolist()) == (Status.OPTIMAL, [[0.0]], [10.0])
        scripted(HighsEngine().run)


def test_a_repair_that_ran_out_of_time_is_not_tried_again(scripted: Any) -> None:
    runs: list[LinearProgram] = []

    def answer(program: LinearProgram, options: RunOptions) -> EngineResult:
        runs.append(program)
        return HighsEngine().run(program, options) if len(runs) == 1 else NOTHING

    engine = scripted(answer, features=Features(integers=True))
    found = solve(_two(), "scripted", EXACT)
    assert (found.status, found.has_values, len(engine.asked)) == (Status.TIME_LIMIT, False, 2)


def test_the_search_starts_from_the_repaired_plan_and_may_improve_it() -> None:
    """The repair serves the second car; the row has room for the first only beside a pause of the second."""
    problem = replace(_two(row_coef=np.array([[1.0, 3.0]]), row_limit=[[12]], priority=np.ones(2)))
    found = solve(problem, options=EXACT)
    assert found.status is Status.OPTIMAL
    assert found.power_kw == pytest.approx(np.array([[10.0], [0.0]]))
