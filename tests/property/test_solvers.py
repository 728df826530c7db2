"""Properties of the optimiser on random problems (optimisation.md §4, E06, E07)."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from solvers import ChargingProblem, PolicyWeights, solve
from tests.support.problems import a_problem, breaks

PLAIN = PolicyWeights(sooner_weight=0.0, change_weight=0.0)


@st.composite
def problems(draw: st.DrawFn) -> ChargingProblem:
    chance = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_sessions, n_steps, n_rows = draw(st.integers(1, 6)), draw(st.integers(1, 8)), draw(st.integers(1, 4))
    return a_problem(
        power_max_kw=np.where(chance.random((n_sessions, n_steps)) < 0.8, chance.uniform(1, 22, (n_sessions, 1)), 0),
        need_kwh=chance.uniform(0, 30, n_sessions),
        step_h=chance.uniform(0.05, 1.0, n_steps),
        row_coef=np.where(chance.random((n_rows, n_sessions)) < 0.7, chance.uniform(0.5, 5, (n_rows, n_sessions)), 0),
        row_limit=np.where(chance.random((n_rows, n_steps)) < 0.9, chance.uniform(0, 60, (n_rows, n_steps)), 0),
        import_price_per_kwh=chance.uniform(-0.2, 0.6, n_steps),
        base_kw=chance.uniform(0, 30, n_steps),
        priority=chance.uniform(0.2, 5, n_sessions),
        options=PLAIN,
    )


@settings(max_examples=60, deadline=None)
@given(problems())
def test_no_plan_breaks_a_limit(problem: ChargingProblem) -> None:
    assert breaks(problem, solve(problem).power_kw) == []


@settings(max_examples=40, deadline=None)
@given(problems(), st.floats(1.0, 3.0))
def test_more_capacity_never_costs_more(problem: ChargingProblem, factor: float) -> None:
    wider = replace(problem, row_limit=problem.row_limit * factor)
    assert solve(wider).objective_money <= solve(problem).objective_money + 1e-6


@settings(max_examples=40, deadline=None)
@given(problems())
def test_splitting_a_step_in_two_changes_nothing(problem: ChargingProblem) -> None:
    def halves(array: np.ndarray) -> np.ndarray:
        return np.concatenate([array[..., :1], array], axis=-1)

    step_h = halves(problem.step_h)
    step_h[:2] = problem.step_h[0] / 2
    split = replace(
        problem,
        step_h=step_h,
        row_lower=np.zeros(0),
        curtail_coef=np.zeros(0),
        carbon_price_per_kwh=np.zeros(0),
        **{
            name: halves(getattr(problem, name))
            for name in (
                "power_max_kw",
                "row_limit",
                "base_kw",
                "pv_kw",
                "import_limit_kw",
                "export_limit_kw",
                "import_price_per_kwh",
                "export_price_per_kwh",
            )
        },
    )
    assert np.isclose(solve(split).objective_money, solve(problem).objective_money, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(problems(), st.randoms(use_true_random=False))
def test_the_order_of_the_sessions_does_not_matter(problem: ChargingProblem, chance: object) -> None:
    order = np.arange(problem.n_sessions)
    chance.shuffle(order)  # type: ignore[attr-defined]
    moved = replace(
        problem,
        session_keys=tuple(problem.session_keys[i] for i in order),
        row_coef=problem.row_coef[:, order],
        **{
            name: getattr(problem, name)[order]
            for name in ("power_max_kw", "need_kwh", "room_kwh", "efficiency", "priority", "present_kw")
        },
    )
    assert np.isclose(solve(moved).objective_money, solve(problem).objective_money, rtol=1e-6, atol=1e-6)


@settings(max_examples=40, deadline=None)
@given(problems(), st.integers(0, 5), st.floats(1.0, 10.0))
def test_a_higher_priority_never_worsens_a_promise(problem: ChargingProblem, which: int, factor: float) -> None:
    s = which % problem.n_sessions
    raised = problem.priority.copy()
    raised[s] *= factor
    better = solve(replace(problem, priority=raised)).shortfall_kwh[s]
    assert better <= solve(problem).shortfall_kwh[s] + 1e-4
