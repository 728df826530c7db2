"""Every engine on the same problems: known optima, equal values, honest statuses (optimisation.md §4, E03, E04)."""

from __future__ import annotations

import numpy as np
import pytest

from solvers import (
    EngineUnavailable,
    PolicyWeights,
    ShapeError,
    SolveOptions,
    SolverError,
    Status,
    is_available,
    solve,
    solve_greedy,
)
from tests.support.problems import a_problem, breaks

ENGINES = ("highs", "pulp")


@pytest.fixture(params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def test_nobody_at_all_is_solved(engine: str) -> None:
    problem = a_problem(power_max_kw=np.zeros((0, 3)), need_kwh=np.zeros(0))
    solution = solve(problem, engine)
    assert solution.status is Status.OPTIMAL
    assert solution.power_kw.shape == (0, 3)


def test_a_limit_of_zero_gives_nothing_and_says_what_is_missing(engine: str) -> None:
    problem = a_problem(power_max_kw=[[7, 7]], need_kwh=[5], row_limit=[[0, 0]])
    solution = solve(problem, engine)
    assert solution.status is Status.OPTIMAL
    assert solution.power_kw.sum() == 0.0
    assert solution.shortfall_kwh == pytest.approx([5.0])


def test_the_car_that_leaves_first_is_served_first(engine: str) -> None:
    problem = a_problem(power_max_kw=[[10, 10], [10, 0]], need_kwh=[10, 10], row_limit=[[10, 10]])
    assert solve(problem, engine).power_kw == pytest.approx(np.array([[0, 10], [10, 0]]), abs=1e-6)


def test_the_cheap_hour_is_used(engine: str) -> None:
    problem = a_problem(power_max_kw=[[10, 10, 10]], need_kwh=[10], import_price_per_kwh=np.array([0.3, 0.1, 0.3]))
    assert solve(problem, engine).power_kw == pytest.approx(np.array([[0, 10, 0]]), abs=1e-6)


def test_sooner_is_preferred_when_the_price_is_the_same(engine: str) -> None:
    problem = a_problem(power_max_kw=[[10, 10, 10]], need_kwh=[10])
    assert solve(problem, engine).power_kw == pytest.approx(np.array([[10, 0, 0]]), abs=1e-6)


def test_no_saving_pays_for_a_broken_promise(engine: str) -> None:
    problem = a_problem(power_max_kw=[[10]], need_kwh=[10], import_price_per_kwh=np.array([9.0]))
    assert solve(problem, engine).shortfall_kwh == pytest.approx([0.0], abs=1e-6)


def test_single_and_three_phase_cars_load_a_fuse_by_their_coefficients(engine: str) -> None:
    single, three = 1000 / 230, 1000 / 690
    problem = a_problem(
        power_max_kw=[[7.36], [22.08]], need_kwh=[50, 50], row_coef=np.array([[single, three]]), row_limit=[[32]]
    )
    power = solve(problem, engine).power_kw[:, 0]
    assert power @ [single, three] == pytest.approx(32.0)


def test_a_shortfall_is_shared_instead_of_starving_one_car(engine: str) -> None:
    problem = a_problem(power_max_kw=[[20], [20]], need_kwh=[12, 12], row_limit=[[12]])
    assert solve(problem, engine).shortfall_kwh == pytest.approx([6.0, 6.0], abs=0.01)


def test_priority_decides_who_lacks_less(engine: str) -> None:
    problem = a_problem(power_max_kw=[[20], [20]], need_kwh=[12, 12], row_limit=[[12]], priority=np.array([1.0, 5.0]))
    low, high = solve(problem, engine).shortfall_kwh
    assert high < low


def test_base_load_above_the_import_limit_is_reported_and_cars_get_nothing(engine: str) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10]], need_kwh=[5], base_kw=np.array([30.0, 5.0]), import_limit_kw=np.array([20.0, 20.0])
    )
    solution = solve(problem, engine)
    assert solution.excess_kw == pytest.approx([10.0, 0.0])
    assert solution.power_kw == pytest.approx(np.array([[0.0, 5.0]]), abs=1e-6)


def test_surplus_sun_is_charged_before_it_is_exported_and_the_rest_is_curtailed(engine: str) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10]],
        need_kwh=[6],
        pv_kw=np.array([10.0, 0.0]),
        export_limit_kw=np.array([3.0, 3.0]),
        import_price_per_kwh=np.array([0.3, 0.3]),
        export_price_per_kwh=np.array([0.05, 0.05]),
    )
    solution = solve(problem, engine)
    assert solution.power_kw == pytest.approx(np.array([[6.0, 0.0]]), abs=1e-6)
    assert solution.export_kw == pytest.approx([3.0, 0.0], abs=1e-6)
    assert solution.curtailed_kw == pytest.approx([1.0, 0.0], abs=1e-6)


def test_a_soft_limit_is_exceeded_at_its_price_and_said(engine: str) -> None:
    problem = a_problem(power_max_kw=[[10]], need_kwh=[10], row_limit=[[4]], row_soft_price=np.array([1e-6]))
    solution = solve(problem, engine)
    assert solution.row_excess == pytest.approx(np.array([[6.0]]), abs=1e-5)


def test_a_running_car_is_not_swapped_for_its_equal(engine: str) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10], [10, 10]],
        need_kwh=[10, 10],
        row_limit=[[10, 10]],
        present_kw=np.array([0.0, 10.0]),
        options=PolicyWeights(),
    )
    assert solve(problem, engine).power_kw[1, 0] == pytest.approx(10.0, abs=1e-6)


def test_no_time_at_all_ends_in_a_status_and_not_in_a_crash(engine: str) -> None:
    solution = solve(_large(60, 40), engine, SolveOptions(time_limit_s=1e-9))
    assert solution.status in {Status.TIME_LIMIT, Status.OPTIMAL, Status.FAILED}
    if not solution.has_values:
        assert solution.status is not Status.OPTIMAL
        assert not solution.power_kw.any()


def _large(n_sessions: int, n_steps: int, seed: int = 3) -> object:
    chance = np.random.default_rng(seed)
    power = np.where(chance.random((n_sessions, n_steps)) < 0.7, 7.36, 0.0)
    return a_problem(
        power_max_kw=power,
        need_kwh=chance.uniform(0, 40, n_sessions),
        row_coef=chance.uniform(0, 5, (4, n_sessions)),
        row_limit=chance.uniform(0, 200, (4, n_steps)),
        import_price_per_kwh=chance.uniform(-0.1, 0.5, n_steps),
        base_kw=chance.uniform(0, 20, n_steps),
    )


@pytest.mark.parametrize("seed", range(6))
def test_all_engines_find_the_same_value(seed: int) -> None:
    problem = _large(20, 24, seed)
    values = [solve(problem, name) for name in ENGINES]  # type: ignore[arg-type]
    assert values[0].objective_money == pytest.approx(values[1].objective_money, rel=1e-6)
    for solution in values:
        assert breaks(problem, solution.power_kw) == []  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
def test_the_rule_never_breaks_a_limit_and_never_beats_the_optimum(seed: int) -> None:
    problem = _large(20, 24, seed)
    rule, best = solve_greedy(problem), solve(problem)  # type: ignore[arg-type]
    assert rule.status is Status.RULE_BASED
    assert breaks(problem, rule.power_kw) == []  # type: ignore[arg-type]
    assert rule.shortfall_kwh.sum() >= best.shortfall_kwh.sum() - 1e-6


def test_every_wrong_array_is_named_at_once() -> None:
    with pytest.raises(ShapeError) as caught:
        a_problem(power_max_kw=[[1, 1]], need_kwh=[-1], base_kw=np.zeros(3), pv_kw=np.array([0.0, np.nan]))
    text = str(caught.value)
    assert "need_kwh" in text
    assert "base_kw has shape (3,)" in text
    assert "pv_kw holds NaN" in text


def test_an_unknown_engine_and_a_missing_solver_are_named() -> None:
    problem = a_problem(power_max_kw=[[1]], need_kwh=[1])
    with pytest.raises(SolverError, match="'cplx' is unknown; known engines: highs, pulp"):
        solve(problem, "cplx")
    with pytest.raises(EngineUnavailable, match="NO_SUCH_CMD"):
        solve(problem, "pulp", SolveOptions(solver="NO_SUCH_CMD"))
    assert is_available("highs")
    assert not is_available("cplx")
