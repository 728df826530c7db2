"""Rules on small steps where the answer is known by hand."""

from __future__ import annotations

import numpy as np
import pytest

from solvers import RULES, Phasors, Status, solve_greedy, solve_rule
from tests.support.parts import a_battery, a_car
from tests.support.problems import a_problem

HOLDING = [rule for rule in RULES if rule != "uncontrolled"]


@pytest.mark.parametrize("rule", RULES)
def test_nobody_gets_more_than_the_need_and_time_stops_where_asked(rule: str) -> None:
    problem = a_problem(power_max_kw=[[4, 4, 4]], need_kwh=[6], efficiency=np.array([0.5]))
    whole = solve_rule(problem, rule)
    assert (whole.status, whole.engine) == (Status.RULE_BASED, rule)
    assert whole.power_kw == pytest.approx(np.array([[4.0, 4.0, 4.0]]))
    assert solve_rule(problem, rule, n_steps=2).power_kw == pytest.approx(np.array([[4.0, 4.0, 0.0]]))
    assert solve_rule(problem, rule, n_steps=9).shortfall_kwh == pytest.approx([0.0])


@pytest.mark.parametrize("rule", HOLDING)
def test_a_full_site_gives_nothing(rule: str) -> None:
    problem = a_problem(
        power_max_kw=[[4, 4], [4, 4]], need_kwh=[4, 4], import_limit_kw=np.array([5.0, 8.0]), base_kw=np.array([6.0, 2.0])
    )
    found = solve_rule(problem, rule)
    assert found.power_kw[:, 0].tolist() == [0.0, 0.0]
    assert found.power_kw[:, 1].sum() == pytest.approx(6.0)
    assert found.import_kw == pytest.approx([6.0, 8.0])


@pytest.mark.parametrize("rule", HOLDING)
def test_a_current_that_is_outside_its_circle_already_gives_nothing(rule: str) -> None:
    line = Phasors(names=("line",), coef=[[1.0]], base_a=[[8.0, -8.0]], limit_a=[[5.0, 5.0]])
    found = solve_rule(a_problem(power_max_kw=[[4, 4]], need_kwh=[8], phasors=line), rule)
    assert found.power_kw == pytest.approx(np.array([[0.0, 4.0]])), "only against the base current there is room"


@pytest.mark.parametrize("rule", HOLDING)
def test_a_limit_that_a_car_does_not_load_does_not_hold_it_back(rule: str) -> None:
    line = Phasors(names=("line",), coef=[[0.0, 1.0]], base_a=[[0.0]], limit_a=[[0.0]])
    found = solve_rule(a_problem(power_max_kw=[[4], [0]], need_kwh=[4, 4], phasors=line), rule)
    assert found.power_kw == pytest.approx(np.array([[4.0], [0.0]]))


def test_greedy_gives_the_car_with_less_time_more_and_priority_shortens_the_time() -> None:
    problem = a_problem(power_max_kw=[[6, 6, 6], [6, 0, 0]], need_kwh=[6, 6], row_limit=[[6, 6, 6]])
    assert solve_greedy(problem).power_kw == pytest.approx(np.array([[0, 6, 0], [6, 0, 0]]))
    same = {"power_max_kw": [[6, 6], [6, 6]], "need_kwh": [6, 6], "row_limit": [[6, 6]]}
    urgent = a_problem(**same, priority=np.array([1.0, 4.0]))
    assert solve_greedy(urgent).power_kw[:, 0].tolist() == [0.0, 6.0]


def test_what_equal_share_leaves_round_robin_gives_away() -> None:
    problem = a_problem(power_max_kw=[[9], [1], [9]], need_kwh=[9, 1, 9], row_limit=[[12]])
    assert solve_rule(problem, "equal-share").power_kw[:, 0] == pytest.approx([4.0, 1.0, 4.0])
    assert solve_rule(problem, "round-robin").power_kw[:, 0] == pytest.approx([5.5, 1.0, 5.5])


def test_a_car_and_a_battery_that_could_discharge_stand_still() -> None:
    problem = a_problem(
        power_max_kw=[[4, 4]],
        need_kwh=[4],
        room_kwh=np.array([9.0]),
        tracked=a_car(0, 10.0, [4, 4]),
        batteries=a_battery(stored_kwh=np.array([5.0])),
        export_price_per_kwh=np.array([9.0, 9.0]),
    )
    found = solve_greedy(problem)
    assert not found.discharge_kw.any()
    assert found.battery_kw.size == 0
    assert found.stored_kwh == pytest.approx(np.array([[14.0, 14.0]]))
