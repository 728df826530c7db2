"""Ways to solve: carried basis, exact minimum, tier after tier, phasors, files, rules, feeders, processes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import highspy
import numpy as np
import pytest

import solvers
from solvers import (
    RULES,
    Memory,
    Phasors,
    PolicyWeights,
    SolveOptions,
    SolverError,
    Status,
    features,
    named,
    solve,
    solve_by_feeder,
    solve_many,
    solve_rule,
    value,
)
from solvers.check import faults
from solvers.registry import load
from tests.support.instances import an_instance
from tests.support.problems import a_problem

ON_EDGE = 1e-5


# -- carried basis -----------------------------------------------------------------------------------------------------


def test_a_carried_basis_changes_the_way_and_not_the_optimum() -> None:
    memory, options = Memory(), None
    problem = an_instance(30, 48, 5)
    for tick in range(6):
        options = SolveOptions(memory=memory)
        chance = np.random.default_rng(tick)
        gone = tick % len(problem.session_keys)
        changed = replace(
            problem,
            first_step=tick // 3,
            session_keys=tuple(f"new-{tick}" if i == gone else key for i, key in enumerate(problem.session_keys)),
            need_kwh=problem.need_kwh * chance.uniform(0.9, 1.0, problem.n_sessions),
            base_kw=problem.base_kw * chance.uniform(0.95, 1.05, problem.n_steps),
            row_limit=problem.row_limit * (0.6 if tick == 3 else 1.0),
        )
        warm, cold = solve(changed, options=options), solve(changed)
        assert warm.status is Status.OPTIMAL
        assert warm.objective_money == pytest.approx(cold.objective_money, rel=1e-6)
        assert tick % 3 == 0 or warm.iterations < cold.iterations
    assert memory.hits == 5
    memory.forget()
    solve(problem, options=options)
    assert memory.hits == 5


def test_keys_and_names_are_unique() -> None:
    from solvers.formulation import build

    program, _ = build(an_instance(15, 24, 2), n_exact_steps=2)
    for found, count in ((program.key_columns(), program.n_cols), (program.key_rows(), program.n_rows)):
        assert len(set(found.tolist())) == count
    for names, count in ((program.name_columns(), program.n_cols), (program.name_rows(), program.n_rows)):
        assert len(set(names)) == count


# -- zero or at least the minimum --------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ["highs", "pulp"])
def test_exact_mode_gives_zero_or_the_minimum_and_is_at_least_as_good_as_the_repair(engine: str) -> None:
    problem = replace(an_instance(12, 16, 4, is_plain=True), power_min_kw=np.full(12, 1.38))
    tight = replace(problem, row_limit=problem.row_limit * 0.35)
    exact = solve(tight, engine, SolveOptions(n_exact_steps=4, time_limit_s=20.0))
    assert exact.status is Status.OPTIMAL
    assert faults(tight, exact) == ()
    first = exact.power_kw[:, :4]
    most = tight.power_max_kw[:, :4]
    is_zero, is_enough = first < ON_EDGE, first > np.minimum(1.38, most) - ON_EDGE
    assert (is_zero | is_enough).all()
    relaxed = solve(tight, engine)
    assert relaxed.objective_money <= exact.objective_money + 1e-6
    assert ((relaxed.power_kw[:, :4] > ON_EDGE) & (relaxed.power_kw[:, :4] < 1.38 - ON_EDGE)).any(), "nothing to repair"


def test_exact_mode_falls_back_to_the_repaired_plan_when_time_is_short() -> None:
    problem = replace(an_instance(40, 48, 4, is_plain=True), power_min_kw=np.full(40, 1.38))
    tight = replace(problem, row_limit=problem.row_limit * 0.35)
    found = solve(tight, options=SolveOptions(n_exact_steps=24, time_limit_s=0.05))
    assert found.has_values, found.reason
    assert faults(tight, found) == ()
    first = found.power_kw[:, :24]
    low = (first > ON_EDGE) & (first < np.minimum(1.38, tight.power_max_kw[:, :24]) - ON_EDGE)
    assert not low.any()


# -- tiers -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(5))
def test_the_weights_give_the_order_of_tiers_that_solving_tier_by_tier_gives(seed: int) -> None:
    problem = an_instance(8, 16, seed)
    problem = replace(problem, row_limit=problem.row_limit * 0.4)
    weighted = solve(problem)
    tiers = solve(problem, options=SolveOptions(is_lexicographic=True))
    assert tiers.status is Status.OPTIMAL
    assert faults(problem, tiers) == ()
    assert weighted.cost_money["shortfall"] == pytest.approx(tiers.cost_money["shortfall"], abs=1e-4, rel=1e-6)
    parts = ("energy", "carbon", "demand", "wear", "end_value")
    cost = [sum(s.cost_money.get(p, 0.0) for p in parts) for s in (weighted, tiers)]
    assert cost[0] == pytest.approx(cost[1], rel=0.02)
    assert weighted.objective_money <= tiers.objective_money + 1e-4


def test_tier_by_tier_without_any_cost_still_answers() -> None:
    problem = a_problem(power_max_kw=np.zeros((1, 1)), need_kwh=[0], options=PolicyWeights(sooner_weight=0, change_weight=0))
    assert solve(problem, options=SolveOptions(is_lexicographic=True)).status is Status.OPTIMAL


# -- phasors -----------------------------------------------------------------------------------------------------------


def _delta(sides: int = 32, base_a: complex = 0.0) -> solvers.ChargingProblem:
    """Two line-to-line loads on one conductor: 30° and 150°, so their currents partly cancel."""
    per_kw = 1000.0 / 208.0
    coef = np.array([[per_kw * np.exp(1j * np.pi / 6), -per_kw * np.exp(1j * 5 * np.pi / 6)]])
    return a_problem(
        power_max_kw=[[7.0], [7.0]],
        need_kwh=[7.0, 7.0],
        phasors=Phasors(
            names=("line-a",),
            coef=coef,
            base_a=np.array([[base_a]]),
            limit_a=np.array([[40.0]]),
            sides=sides,
        ),
    )


def test_currents_add_as_phasors_and_the_circle_is_almost_reached() -> None:
    problem = _delta()
    solution = solve(problem)
    assert problem.phasors is not None
    current = abs(problem.phasors.coef @ solution.power_kw)[0, 0]
    assert 40.0 * np.cos(np.pi / 32) - 1e-6 <= current <= 40.0 + 1e-6
    assert solution.n_solves > 1
    linear = replace(problem, phasors=None, row_coef=abs(problem.phasors.coef), row_limit=np.array([[40.0]]),
                     row_names=("line-a",), row_soft_price=np.array([np.inf]), row_lower=np.zeros(0))  # fmt: skip
    assert solution.power_kw.sum() > 1.1 * solve(linear).power_kw.sum()


def test_a_base_current_outside_the_circle_leaves_nothing_and_is_no_fault() -> None:
    problem = _delta(base_a=45.0 + 0.0j)
    solution = solve(problem)
    assert solution.status is Status.OPTIMAL
    assert faults(problem, solution) == ()


def test_facets_are_carried_to_the_next_solve() -> None:
    memory = Memory()
    first = solve(_delta(), options=SolveOptions(memory=memory))
    again = solve(_delta(), options=SolveOptions(memory=memory))
    assert first.n_solves > again.n_solves == 1
    assert again.objective_money == pytest.approx(first.objective_money)


@pytest.mark.parametrize("rule", [r for r in RULES if r != "uncontrolled"])
def test_rules_hold_magnitudes(rule: str) -> None:
    problem = _delta(base_a=10.0 + 5.0j)
    solution = solve_rule(problem, rule)
    assert faults(problem, solution) == ()
    assert solution.power_kw.sum() > 1.0


# -- files -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".lp", ".mps"])
def test_another_solver_reads_the_file_and_finds_the_same_value(tmp_path: Path, suffix: str) -> None:
    problem = an_instance(5, 8, 1)
    path = tmp_path / f"site{suffix}"
    named(problem).write(path)
    assert "feeder-0/L1".replace("/", "_") in path.read_text() or "main" in path.read_text()
    assert "_p_car-0".replace("-", "_") in path.read_text()
    reader = highspy.Highs()
    reader.silent()
    reader.readModel(str(path))
    reader.run()
    expected = solve(problem).objective_money * 1000.0
    assert reader.getInfo().objective_function_value == pytest.approx(expected, rel=1e-6)


def test_an_unknown_suffix_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"expected .lp or .mps"):
        named(an_instance(2, 4, 1)).write(tmp_path / "site.txt")


# -- rules -------------------------------------------------------------------------------------------------------------


def test_each_rule_serves_in_its_own_order() -> None:
    problem = a_problem(power_max_kw=[[10, 10, 10], [10, 0, 0], [10, 10, 0]], need_kwh=[30, 2, 9], row_limit=[[10, 10, 10]])
    first = {rule: solve_rule(problem, rule, arrival=np.array([1.0, 2.0, 0.0]), n_steps=1).power_kw[:, 0] for rule in RULES}
    assert first["uncontrolled"] == pytest.approx([10, 2, 9])
    assert first["first-come"] == pytest.approx([1, 0, 9])
    assert first["earliest-deadline"] == pytest.approx([0, 2, 8])
    assert first["least-laxity"] == pytest.approx([10, 0, 0])
    assert first["equal-share"] == pytest.approx([10 / 3, 2, 10 / 3])
    assert first["round-robin"] == pytest.approx([4, 2, 4])


@pytest.mark.parametrize("rule", [r for r in RULES if r != "uncontrolled"])
@pytest.mark.parametrize("seed", range(3))
def test_no_rule_breaks_a_limit(rule: str, seed: int) -> None:
    problem = an_instance(30, 24, seed)
    tight = replace(problem, row_limit=problem.row_limit * 0.5, import_limit_kw=problem.import_limit_kw * 0.7)
    found = solve_rule(tight, rule)
    assert faults(tight, found) == ()
    assert value(tight, found) >= value(tight, solve(tight)) - 1e-6


def test_a_rule_does_not_start_a_car_below_its_minimum() -> None:
    problem = a_problem(power_max_kw=[[7]], need_kwh=[7], row_limit=[[1.0]], power_min_kw=np.array([1.4]))
    assert solve_rule(problem, "first-come").power_kw.sum() == 0.0


def test_an_unknown_rule_is_named() -> None:
    with pytest.raises(SolverError, match="rule 'fastest' is unknown; known rules: uncontrolled"):
        solve_rule(a_problem(power_max_kw=[[1]], need_kwh=[1]), "fastest")


# -- big sites ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_plain", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_solving_feeder_by_feeder_holds_every_limit_at_a_small_loss(seed: int, is_plain: bool) -> None:
    problem = an_instance(80, 24, seed, is_plain=is_plain)
    whole, parts = solve(problem), solve_by_feeder(problem)
    assert parts.status is Status.OPTIMAL, parts.reason
    assert parts.n_solves > 3
    assert faults(problem, parts) == ()
    best = value(problem, whole)
    assert best - 1e-6 <= value(problem, parts) <= best * (1.01 if is_plain else 1.2)


def test_a_site_with_one_feeder_is_solved_whole() -> None:
    problem = an_instance(8, 12, 1)
    assert solve_by_feeder(problem).objective_money == pytest.approx(solve(problem).objective_money)


def test_a_site_that_gives_no_plan_says_so() -> None:
    problem = an_instance(80, 24, 1)
    found = solve_by_feeder(problem, options=SolveOptions(time_limit_s=1e-9))
    assert found.has_values is False or faults(problem, found) == ()


def test_many_sites_are_solved_in_processes_and_in_any_executor() -> None:
    problems = [an_instance(6, 8, seed) for seed in range(3)]
    expected = [solve(p).objective_money for p in problems]
    assert [s.objective_money for s in solve_many(problems)] == pytest.approx(expected)
    with ThreadPoolExecutor(2) as pool:
        assert [s.objective_money for s in solve_many(problems, executor=pool)] == pytest.approx(expected)
    with pytest.raises(ValueError, match="belongs to one site"):
        list(solve_many(problems, options=SolveOptions(memory=Memory())))


# -- prices and flags --------------------------------------------------------------------------------------------------


def test_a_full_row_has_a_price_and_an_empty_one_has_none() -> None:
    problem = a_problem(
        power_max_kw=[[10, 10], [10, 10]],
        need_kwh=[10, 10],
        row_limit=[[10, 10], [100, 100]],
        import_price_per_kwh=np.array([0.1, 0.3]),
        options=PolicyWeights(sooner_weight=0.0, change_weight=0.0),
    )
    prices = solve(problem).prices
    assert prices is not None
    assert prices.row_per_unit_h == pytest.approx(np.array([[0.2, 0.0], [0.0, 0.0]]), abs=1e-6)
    assert prices.need_per_kwh == pytest.approx([0.3, 0.3], abs=1e-6)
    limited = solve(replace(problem, row_limit=problem.row_limit * 9, import_limit_kw=np.array([10.0, 100.0]))).prices
    assert limited is not None
    assert limited.import_per_kwh == pytest.approx([0.2, 0.0], abs=1e-6)


def test_the_table_of_features_tells_the_truth() -> None:
    for name in ("highs", "pulp"):
        assert features(name) == load(name).features
