"""Four days of the published Caltech month (the whole of it: ``make bench BENCH=acn``), as a regression."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from solvers import PolicyWeights, solve
from tests.bench.acn import month as months
from tests.bench.acn.network import Network, single_phase, three_phase

LAST_STEP = 4 * 288
CAP_KW = 20.0


def _days() -> months.Month:
    month = months.march()
    kept = month.departure <= LAST_STEP
    arrays = {
        name: getattr(month, name)[kept]
        for name in ("arrival", "departure", "energy_kwh", "power_kw", "said_departure", "said_kwh")
    }
    return replace(month, stations=tuple(s for s, k in zip(month.stations, kept, strict=True) if k), **arrays)


def _offline_percent(month: months.Month, network: Network) -> float:
    """What one program over all days with perfect knowledge delivers."""
    n_sessions, n_steps = len(month.stations), month.n_steps
    everybody = months.Present(
        step=0,
        who=np.arange(n_sessions),
        month=month,
        left_kwh=month.energy_kwh,
        given_kwh=np.zeros(n_sessions),
        peak_kw=0.0,
        now_kw=np.zeros(n_sessions),
    )
    weights = PolicyWeights(sooner_weight=0.0, change_weight=0.0, n_shortfall_segments=1)
    problem = months.problem_of(everybody, network, price=np.zeros(0), weights=weights, ahead=n_steps)
    steps = np.arange(n_steps)
    there = (steps >= month.arrival[:, None]) & (steps < month.departure[:, None])
    solution = solve(replace(problem, power_max_kw=np.where(there[:, : problem.n_steps], month.power_kw[:, None], 0.0)))
    return float(100.0 * (1.0 - solution.shortfall_kwh.sum() / month.energy_kwh.sum()))


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_the_online_controller_is_near_the_optimum_and_above_least_laxity() -> None:
    month = _days()
    network = single_phase(month.stations, CAP_KW)
    ours = months.run(month, lambda _: network, months.by_program(network))
    laxity = months.run(month, lambda _: network, months.by_rule("least-laxity", network))
    optimum = _offline_percent(month, network)
    assert len(month.stations) > 80
    assert 60.0 < optimum < 99.5, "the cap must bind for the test to mean something"
    assert ours.worst_excess <= 1e-6
    assert optimum - 0.6 <= ours.met_percent(month) <= optimum + 1e-6
    assert ours.met_percent(month) >= laxity.met_percent(month)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_on_the_three_phase_network_it_is_five_points_above_least_laxity() -> None:
    month = _days()
    network = three_phase(month.stations, CAP_KW)
    ours = months.run(month, lambda _: network, months.by_program(network))
    laxity = months.run(month, lambda _: network, months.by_rule("least-laxity", network))
    assert ours.worst_excess <= 1e-6
    assert ours.met_percent(month) >= laxity.met_percent(month) + 5.0
