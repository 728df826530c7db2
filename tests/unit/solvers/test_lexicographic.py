"""Tier after tier on an engine that stops in the middle."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers import ChargingProblem, EngineResult, RunOptions, SolveOptions, Status, solve
from solvers.engines.highs_engine import HighsEngine
from solvers.lexicographic import with_row
from solvers.program import LinearProgram
from tests.support.problems import a_problem

TIERS = SolveOptions(is_lexicographic=True)


def _site() -> ChargingProblem:
    """Three tiers: a promise that cannot be kept whole, a price, and comfort."""
    return a_problem(
        power_max_kw=[[5, 5, 5]], need_kwh=[20], row_limit=[[5, 4, 5]], import_price_per_kwh=np.array([0.1, 0.1, 0.2])
    )


class _Stopping:
    """HiGHS that calls the n-th run a time limit, with or without its point."""

    def __init__(self, stop: int, *, has_values: bool) -> None:
        self.runs, self.stop, self.has_values = 0, stop, has_values

    def __call__(self, program: LinearProgram, options: RunOptions) -> EngineResult:
        self.runs += 1
        found = replace(HighsEngine().run(program, options), iterations=10)
        if self.runs < self.stop:
            return found
        values = found.values if self.has_values else None
        return replace(found, status=Status.TIME_LIMIT, values=values, reason="no time left")


def test_every_tier_is_one_run(scripted: Any) -> None:
    engine = scripted(_Stopping(99, has_values=True))
    found = solve(_site(), "scripted", TIERS)
    assert (found.status, len(engine.asked), found.iterations) == (Status.OPTIMAL, 3, 30)
    assert [program.n_rows - engine.asked[0][0].n_rows for program, _ in engine.asked] == [0, 1, 2]
    assert not any(options.wants_duals for _, options in engine.asked)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_tier_without_an_answer_ends_the_solve(scripted: Any, stop: int) -> None:
    engine = scripted(_Stopping(stop, has_values=False))
    found = solve(_site(), "scripted", TIERS)
    assert (found.status, found.has_values, found.reason) == (Status.TIME_LIMIT, False, "no time left")
    assert (len(engine.asked), found.iterations) == (stop, 10 * stop)


@pytest.mark.parametrize("stop", [1, 2])
def test_a_tier_that_is_cut_short_gives_its_point_with_the_value_of_all_tiers(scripted: Any, stop: int) -> None:
    engine = scripted(_Stopping(stop, has_values=True))
    found = solve(_site(), "scripted", TIERS)
    assert (found.status, found.has_values, len(engine.asked)) == (Status.TIME_LIMIT, True, stop)
    assert found.shortfall_kwh == pytest.approx([6.0])
    assert found.objective_money == pytest.approx(sum(found.cost_money.values()))
    assert found.iterations == 10 * stop


def test_a_row_is_added_to_every_column_it_names(a_program: Any) -> None:
    program = with_row(a_program([1, 1, 1], [9, 9, 9], [[1, 0, 2], [0, 3, 0]], [0, 0], [5, 5]), np.array([4.0, 0, 6.0]), 7.0)
    dense = np.zeros((3, 3))
    for j in range(3):
        for k in range(program.starts[j], program.starts[j + 1]):
            dense[program.indices[k], j] = program.values[k]
    assert dense.tolist() == [[1, 0, 2], [0, 3, 0], [4, 0, 6]]
    assert program.row_upper.tolist() == [5, 5, 7]
    assert program.row_lower[-1] == -np.inf


def test_a_site_without_any_cost_is_still_solved(scripted: Any) -> None:
    engine = scripted(_Stopping(99, has_values=True))
    empty = a_problem(
        power_max_kw=np.zeros((0, 2)), need_kwh=[], base_kw=np.array([3.0, 1.0]), import_limit_kw=np.array([5.0, 5.0])
    )
    found = solve(empty, "scripted", TIERS)
    assert (found.status, found.import_kw.tolist(), found.objective_money) == (Status.OPTIMAL, [3.0, 1.0], 0.0)
    assert len(engine.asked) == 1
