"""Which sides of the polygon are added where a current leaves its circle."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvers import ChargingProblem, Phasors, Solution, Status
from solvers.layout import Facets
from solvers.phasor import missing, near
from solvers.solution import no_values
from tests.support.problems import a_problem

NOTHING = Facets()


def _at(degrees: float, size_a: float, limit_a: float = 10.0) -> tuple[ChargingProblem, Solution]:
    """One car whose current has this angle and size in the second of two steps; a polygon of 36 sides of 10 degrees."""
    turned = np.exp(1j * np.deg2rad(degrees))
    line = Phasors(names=("line",), coef=[[turned]], base_a=[[0, 0]], limit_a=[[limit_a, limit_a]], sides=36)
    problem = a_problem(power_max_kw=[[99, 99]], need_kwh=[99], phasors=line)
    quiet = no_values(problem, Status.OPTIMAL, engine="by hand", reason="")
    return problem, replace(quiet, power_kw=np.array([[0.0, size_a]]))


@pytest.mark.parametrize(
    ("degrees", "sides"),
    [(0.0, [0, 1, 35]), (83.0, [7, 8, 9]), (88.0, [8, 9, 10]), (-14.0, [0, 34, 35]), (180.0, [17, 18, 19])],
)
def test_the_side_in_the_direction_of_the_current_and_its_neighbours_are_added(degrees: float, sides: list[int]) -> None:
    found = missing(*_at(degrees, 11.0), NOTHING, round_no=0)
    assert found is not None
    assert (found.limit.tolist(), found.step.tolist(), found.side.tolist()) == ([0] * 3, [1] * 3, sides)


def test_the_last_round_adds_every_side_and_known_sides_stay() -> None:
    problem, plan = _at(50.0, 11.0)
    every = missing(problem, plan, NOTHING, round_no=99)
    assert every is not None
    assert every.side.tolist() == list(range(36))
    known = Facets(limit=np.array([0, 0]), step=np.array([0, 1]), side=np.array([20, 5]))
    more = missing(problem, plan, known, round_no=0)
    assert more is not None
    assert list(zip(more.step.tolist(), more.side.tolist(), strict=True)) == [(0, 20), (1, 4), (1, 5), (1, 6)]


def test_last_digits_outside_the_circle_are_inside() -> None:
    assert missing(*_at(50.0, 10.0 + 1e-5), NOTHING, round_no=0) is None
    assert missing(*_at(50.0, 10.0 + 2e-5), NOTHING, round_no=0) is not None
    assert missing(*_at(50.0, 1e-6, limit_a=0.0), NOTHING, round_no=0) is None
    assert missing(*_at(50.0, 2e-6, limit_a=0.0), NOTHING, round_no=0) is not None


def test_a_problem_without_magnitudes_misses_nothing() -> None:
    problem, plan = _at(0.0, 11.0)
    assert missing(replace(problem, phasors=None), plan, NOTHING, round_no=99) is None


def test_only_sides_that_a_plan_comes_near_are_carried() -> None:
    problem, plan = _at(50.0, 10.0)
    known = Facets(limit=np.zeros(4, dtype=int), step=np.array([0, 1, 1, 1]), side=np.array([5, 4, 5, 25]))
    found = near(problem, plan, known)
    assert (found.limit.tolist(), found.step.tolist(), found.side.tolist()) == ([0, 0], [1, 1], [4, 5])
    half = near(problem, replace(plan, power_kw=plan.power_kw / 2), known)
    assert half.size == 0
    assert near(problem, plan, NOTHING) is NOTHING
    assert near(replace(problem, phasors=None), plan, known) is known
