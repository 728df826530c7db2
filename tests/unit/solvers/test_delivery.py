"""Who delivers: a plan that is made anew keeps the cars that deliver, and no preference of that kind costs money."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvers import ChargingProblem, PolicyWeights, Tracked, solve
from solvers.costs import _urgency
from tests.support.problems import a_problem

N_CARS, STEPS = 8, 36
STEP_H = np.full(STEPS, 1.0 / 12.0)
FULL_KW = 11.0
NO_PREFERENCES = PolicyWeights(sooner_weight=0.0, change_weight=0.0)


def _evening(stored_kwh: np.ndarray, *, base_kw: float = 18.0, present_kw: np.ndarray | None = None) -> ChargingProblem:
    """Two dear hours, then a cheap one; the cars hold more than they need to leave with 40 kWh."""
    steps = np.arange(STEPS)
    return a_problem(
        power_max_kw=np.full((N_CARS, STEPS), FULL_KW),
        need_kwh=40.0 - stored_kwh,
        room_kwh=60.0 - stored_kwh,
        step_h=STEP_H,
        efficiency=np.full(N_CARS, 0.92),
        base_kw=np.full(STEPS, base_kw),
        export_limit_kw=np.full(STEPS, 30.0),
        import_price_per_kwh=np.where(steps < 24, 0.60, 0.20),
        present_kw=np.zeros(N_CARS) if present_kw is None else present_kw,
        tracked=Tracked(
            session=np.arange(N_CARS),
            stored_kwh=stored_kwh,
            reserve_kwh=np.full(N_CARS, 15.0),
            discharge_max_kw=np.full((N_CARS, STEPS), 10.0),
            discharge_efficiency=np.full(N_CARS, 0.92),
            wear_price_per_kwh=np.full(N_CARS, 0.05),
            taper_kw=np.full((N_CARS, 1), np.inf),
            taper_per_kwh=np.zeros((N_CARS, 1)),
        ),
        options=PolicyWeights(),
    )


STORED = {
    "alike": np.full(N_CARS, 38.0),
    "unlike": np.linspace(33.0, 39.0, N_CARS),
}


@pytest.mark.parametrize("stored", STORED)
def test_a_small_change_of_the_meter_moves_no_delivery_to_another_car(stored: str) -> None:
    """A plan a minute, for ten minutes; the meter wavers by half a kilowatt.

    What is told for the second step counts as well: it is what a charger gets when the next plan is a second late.
    """
    chance = np.random.default_rng(3)
    kwh, present = STORED[stored].copy(), np.zeros(N_CARS)
    for minute in range(10):
        base_kw = 18.0 + float(chance.uniform(-0.5, 0.5))
        solution = solve(_evening(kwh, base_kw=base_kw, present_kw=present))
        first, second = solution.net_kw[:, 0], solution.net_kw[:, 1]
        assert first.sum() < -10.0, "nobody delivers"
        if minute:
            for later in (first, second):
                moved = np.abs(later - present).sum()
                assert moved <= abs(later.sum() - present.sum()) + 1e-4, (minute, present, later)
        present = np.where(first < 0.0, first, 0.0)
        kwh = kwh + present / 0.92 / 60.0


def test_delivery_comes_sooner_rather_than_later_at_one_price() -> None:
    """A limit that comes by surprise costs less of what was going to be earned."""
    solution = solve(_evening(STORED["alike"]))
    total = solution.discharge_kw.sum(axis=0)
    assert total[0] == pytest.approx(18.0, abs=1e-6)
    assert total[:24].sum() > 0.0
    last = np.nonzero(total > 1e-6)[0].max()
    assert (total[:last] > 17.9).all()


def test_preferences_for_who_delivers_and_when_cost_no_money() -> None:
    """The tiers hold: with and without preferences the bill is the same."""
    problem = _evening(STORED["unlike"], present_kw=np.array([-10.0, 0.0, 0.0, -5.0, 0.0, 0.0, 4.0, 0.0]))
    plain = replace(problem, options=NO_PREFERENCES)
    money = [
        sum(value for name, value in solve(p).cost_money.items() if name in {"energy", "wear", "shortfall"})
        for p in (problem, plain)
    ]
    assert money[0] == pytest.approx(money[1], abs=1e-6)


def test_among_cars_that_may_deliver_only_those_short_of_time_are_urgent() -> None:
    """What it delivered changes no order among the cars, until it needs half of its stay."""
    plenty, less, short = (_urgency(_evening(np.full(N_CARS, kwh))) for kwh in (39.0, 30.0, 20.0))
    assert np.array_equal(plenty, less)
    assert (short == 1.0).all()
    below = _evening(np.full(N_CARS, 30.0))
    assert below.tracked is not None
    plain = replace(below, tracked=replace(below.tracked, reserve_kwh=np.full(N_CARS, 39.5)))
    assert (_urgency(plain) == 0.5).all()  # one that may not deliver counts by its need
