"""Feeder by feeder: how a site is split, and what happens when a part cannot be solved."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers import ChargingProblem, EngineResult, RunOptions, SolveOptions, Status, solve, solve_by_feeder, value
from solvers.check import faults
from solvers.decompose import split
from solvers.engines.highs_engine import HighsEngine
from solvers.program import LinearProgram
from tests.support.parts import a_battery, a_car, a_demand_charge
from tests.support.problems import a_problem

NOTHING = EngineResult(status=Status.TIME_LIMIT, values=None, objective=float("nan"), reason="no time left")


def _feeders(n_sessions: int = 60, **given: Any) -> ChargingProblem:
    """Equal cars on two feeders of one site, four steps; both feeders can carry a third of their cars."""
    half = n_sessions // 2
    first, second = np.arange(n_sessions) < half, np.arange(n_sessions) >= half
    base = {
        "power_max_kw": np.full((n_sessions, 4), 6.0),
        "need_kwh": np.full(n_sessions, 6.0),
        "row_coef": np.array([first, second, np.ones(n_sessions)], dtype=float),
        "row_limit": np.repeat([[2.0 * half], [2.0 * half], [3.5 * half]], 4, axis=1),
        "import_price_per_kwh": np.array([0.3, 0.2, 0.1, 0.2]),
    }
    return a_problem(**(base | given))


def _failing(*numbers: int) -> Callable[[LinearProgram, RunOptions], EngineResult]:
    """HiGHS that gives nothing in the runs of these numbers, counted from 1."""
    runs = iter(range(1, 1000))
    return lambda program, options: NOTHING if next(runs) in numbers else HighsEngine().run(program, options)


def test_sessions_that_share_a_small_row_are_a_block_and_the_row_of_everybody_is_shared() -> None:
    coef = np.array([[1, 1, 1, 1, 1], [1, 1, 0, 0, 0], [1, 1, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 0, 0]], dtype=float)
    found = split(a_problem(power_max_kw=np.ones((5, 1)), need_kwh=np.zeros(5), row_limit=np.ones((5, 1)), row_coef=coef))
    assert [block.tolist() for block in found.blocks] == [[0, 1, 2], [3], [4]]
    assert found.shared.tolist() == [0]


def test_a_site_of_fewer_than_sixty_sessions_is_solved_whole() -> None:
    small, large = solve_by_feeder(_feeders(58)), solve_by_feeder(_feeders(60))
    assert (small.n_solves, small.reason) == (1, "")
    assert (large.n_solves, large.reason) == (3, "solved by feeder")
    assert solve_by_feeder(a_problem(power_max_kw=np.zeros((0, 2)), need_kwh=np.zeros(0))).status is Status.OPTIMAL


def test_feeders_reach_what_the_whole_site_reaches() -> None:
    problem = _feeders()
    parts = solve_by_feeder(problem)
    assert faults(problem, parts) == ()
    assert parts.status is Status.OPTIMAL
    assert parts.objective_money == pytest.approx(value(problem, solve(problem)))
    assert np.isclose(parts.objective_money, value(problem, parts))


def test_room_without_end_is_no_obstacle() -> None:
    problem = _feeders(room_kwh=np.full(60, np.inf))
    assert solve_by_feeder(problem).objective_money == pytest.approx(value(problem, solve(problem)))


def test_cars_without_power_do_not_count_in_their_group() -> None:
    power = np.full((60, 4), 6.0)
    power[::2] = 0.0
    problem = _feeders(power_max_kw=power)
    found = solve_by_feeder(problem)
    assert faults(problem, found) == ()
    assert found.shortfall_kwh == pytest.approx(np.where(np.arange(60) % 2, 0.0, 6.0), abs=1e-6)


def test_a_rough_plan_that_fails_is_the_end_and_keeps_its_reason(scripted: Any) -> None:
    engine = scripted(_failing(1))
    found = solve_by_feeder(_feeders(), "scripted")
    assert (found.status, found.has_values, found.reason) == (Status.TIME_LIMIT, False, "no time left")
    assert (found.engine, len(engine.asked)) == ("scripted", 1)


@pytest.mark.parametrize("number", [2, 3])
def test_a_feeder_that_fails_in_the_first_sweep_is_the_end(scripted: Any, number: int) -> None:
    engine = scripted(_failing(number))
    found = solve_by_feeder(_feeders(), "scripted")
    assert (found.status, found.has_values) == (Status.FAILED, False)
    assert found.reason == "a feeder could not be solved"
    assert len(engine.asked) == number


def test_a_feeder_that_fails_in_the_second_sweep_keeps_its_plan(scripted: Any) -> None:
    problem = _feeders(demand=a_demand_charge(4))
    engine = scripted(_failing(4, 5))
    found = solve_by_feeder(problem, "scripted")
    assert len(engine.asked) == found.n_solves == 5
    assert (found.status, found.has_values) == (Status.TIME_LIMIT, True)
    assert faults(problem, found) == ()
    assert found.shortfall_kwh == pytest.approx(np.zeros(60), abs=1e-6)


def test_a_second_sweep_is_only_for_a_shared_peak_or_for_energy_that_was_lost(scripted: Any) -> None:
    assert solve_by_feeder(_feeders()).n_solves == 3
    assert solve_by_feeder(_feeders(demand=a_demand_charge(4))).n_solves == 5
    lacking = np.repeat([[30.0], [60.0], [105.0]], 4, axis=1)
    assert solve_by_feeder(_feeders(row_limit=lacking)).n_solves == 3, "the rough plan knew of the shortfall"


def test_a_plan_whose_parts_do_not_fit_together_is_a_failure(scripted: Any) -> None:
    """A car's sale needs a neighbour that charges at the same time; the neighbour's feeder does not know that."""
    power = np.full((60, 4), 6.0)
    power[2:] = 0.0
    row = np.zeros(60)
    row[:2] = 1.0
    problem = a_problem(
        power_max_kw=power,
        need_kwh=np.where(np.arange(60) == 0, -20.0, np.where(np.arange(60) == 1, 6.0, 0.0)),
        room_kwh=np.where(np.arange(60) == 1, 6.0, 0.0),
        row_coef=row[None, :],
        row_limit=np.full((1, 4), 50.0),
        row_lower=np.array([[0.0, 0.0, 0.0, 0.0]]),
        tracked=a_car(0, 20.0, [0, 0, 0, 6]),
        import_price_per_kwh=np.array([0.1, 1.0, 1.0, 1.0]),
        export_price_per_kwh=np.array([0.1, 1.0, 1.0, 1.0]),
    )
    assert faults(problem, solve(problem)) == ()
    found = solve_by_feeder(problem)
    assert (found.status, found.has_values) == (Status.FAILED, False)
    assert "row0 flows back -6, least 0 in step 3" in found.reason


def test_an_excess_over_a_soft_row_is_said_and_paid() -> None:
    problem = _feeders(row_soft_price=np.array([np.inf, np.inf, 1e-3]), row_limit=np.full((3, 4), 400.0))
    tight = replace(problem, row_limit=np.where(np.arange(3)[:, None] == 2, 50.0, 400.0) * np.ones(4))
    found = solve_by_feeder(tight)
    assert found.status is Status.OPTIMAL
    assert found.row_excess[2] == pytest.approx(np.maximum(found.power_kw.sum(axis=0) - 50.0, 0.0))
    assert found.row_excess[2].sum() > 100.0
    assert not found.row_excess[:2].any()
    assert value(tight, found) - value(problem, found) == pytest.approx(1e-3 * found.row_excess[2].sum())


def test_the_value_of_a_plan_is_its_bill() -> None:
    """4 kWh at 0.2 + 0.05, a peak of 4 above 1 at 10, a battery's wear of 0.1 on 2 kWh and 3 kWh left at 0.5."""
    problem = a_problem(
        power_max_kw=[[4, 4]],
        need_kwh=[4],
        import_price_per_kwh=np.array([0.2, 0.2]),
        carbon_price_per_kwh=np.array([0.05, 0.05]),
        demand=a_demand_charge(2, price=10.0, incurred_kw=1.0),
        batteries=a_battery(
            stored_kwh=np.array([5.0]), wear_price_per_kwh=np.array([0.1]), end_value_per_kwh=np.array([0.5])
        ),
    )
    plan = replace(
        solve(problem),
        power_kw=np.array([[4.0, 0.0]]),
        import_kw=np.array([4.0, 0.0]),
        export_kw=np.array([0.0, 2.0]),
        battery_kw=np.array([[0.0, -2.0]]),
        battery_kwh=np.array([[5.0, 3.0]]),
        shortfall_kwh=np.zeros(1),
    )
    assert value(problem, plan) == pytest.approx(4 * 0.25 + 3 * 10 + 2 * 0.1 - 3 * 0.5)
    sold = replace(plan, discharge_kw=np.array([[0.0, 3.0]]))
    car = replace(problem, tracked=a_car(0, 9.0, [5, 5], wear_price_per_kwh=np.array([0.07])))
    assert value(car, sold) - value(car, plan) == pytest.approx(0.21)


def test_the_dearer_part_of_a_shortfall_counts_more() -> None:
    problem = a_problem(power_max_kw=[[4]], need_kwh=[4])
    plan = solve(problem)
    costs = [value(problem, replace(plan, shortfall_kwh=np.array([lacking]))) for lacking in (0.0, 1.0, 2.0, 4.0)]
    assert costs[0] == 0.0
    assert 0.0 < costs[1] < costs[2] - costs[1] < (costs[3] - costs[2]) / 2


def test_options_without_prices_or_memory_reach_the_engine(scripted: Any) -> None:
    engine = scripted(HighsEngine().run)
    solve_by_feeder(_feeders(), "scripted", SolveOptions(time_limit_s=7.0, threads=2))
    assert {(o.time_limit_s, o.threads, o.wants_duals) for _, o in engine.asked} == {(7.0, 2, False)}
