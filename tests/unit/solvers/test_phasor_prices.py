"""What one more ampere of a magnitude limit is worth."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvers import Phasors, PolicyWeights, solve
from tests.support.problems import a_problem


def test_the_price_of_a_magnitude_is_what_an_ampere_more_saves() -> None:
    """A car between two lines has 40 A in a cheap hour and a dear one after it; compared with 41 A in the cheap one."""
    line = Phasors(
        names=("line",),
        coef=[[4.0 * np.exp(1j * np.pi / 6)]],
        base_a=[[0.0, 0.0]],
        limit_a=[[40.0, 40.0]],
    )
    problem = a_problem(
        power_max_kw=[[20.0, 20.0]],
        need_kwh=[15.0],
        import_price_per_kwh=[0.1, 0.3],
        phasors=line,
        options=PolicyWeights(sooner_weight=0.0, change_weight=0.0),
    )
    solution = solve(problem)
    assert solution.prices is not None
    more = solve(replace(problem, phasors=replace(line, limit_a=[[41.0, 40.0]])))
    saved = solution.objective_money - more.objective_money
    assert saved > 0.01
    assert solution.prices.phasor_per_unit_h[0] == pytest.approx([saved, 0.0], abs=1e-6)


def test_a_problem_without_magnitudes_has_no_such_prices() -> None:
    prices = solve(a_problem(power_max_kw=[[5.0]], need_kwh=[5.0])).prices
    assert prices is not None
    assert prices.phasor_per_unit_h.shape == (0, 1)
