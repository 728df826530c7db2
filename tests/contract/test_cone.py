"""The Caltech garage's transformer: the exact cone, our polygon and absolute coefficients, on the same instances.

Network from the public description (tests/bench/acn/network.py). The cone is solved by an independent modelling package.
"""

from __future__ import annotations

from typing import Any

import cvxpy
import numpy as np
import pytest

from solvers import ChargingProblem, Phasors, PolicyWeights, solve
from solvers.check import faults
from tests.bench.acn.network import AV_POD, BETWEEN, CC_POD, Network, linear, three_phase
from tests.support.problems import a_problem

CAP_KW = 45.0
N_STEPS = 3
STATIONS = tuple(f"CA-{n}" for n in sorted(set().union(*BETWEEN.values())))


def _instance(seed: int) -> tuple[Network, np.ndarray]:
    """The network and (S, T) who may charge with 6.6 kW."""
    chance = np.random.default_rng(seed)
    return three_phase(STATIONS, CAP_KW), np.where(chance.random((len(STATIONS), N_STEPS)) < 0.45, 6.6, 0.0)


def _problem(network: Network, power_max_kw: np.ndarray, *, has_phasors: bool = True) -> ChargingProblem:
    """Everybody wants more than there is: the objective is energy, nothing else."""
    assert has_phasors is (network.phasor_coef is not None)
    phasors = None
    if network.phasor_coef is not None and network.phasor_limit is not None:
        phasors = Phasors(
            names=tuple(f"line-{q}" for q in range(len(network.phasor_limit))),
            coef=network.phasor_coef,
            base_a=np.zeros((len(network.phasor_limit), N_STEPS), dtype=complex),
            limit_a=np.repeat(network.phasor_limit[:, None], N_STEPS, axis=1),
        )
    given: dict[str, Any] = {
        "power_max_kw": power_max_kw,
        "need_kwh": np.full(len(STATIONS), 100.0),
        "row_coef": network.row_coef,
        "row_limit": np.repeat(network.row_limit[:, None], N_STEPS, axis=1),
        "phasors": phasors,
        "options": PolicyWeights(sooner_weight=0.0, change_weight=0.0, n_shortfall_segments=1),
    }
    return a_problem(**given)


def _cone_kwh(network: Network, power_max_kw: np.ndarray) -> float:
    """The most energy with |Σ z·p| <= limit as second-order cones."""
    assert network.phasor_coef is not None
    assert network.phasor_limit is not None
    power = cvxpy.Variable(power_max_kw.shape, nonneg=True)
    rules = [power <= power_max_kw, network.row_coef @ power <= network.row_limit[:, None]]
    real, imaginary = network.phasor_coef.real @ power, network.phasor_coef.imag @ power
    for q, limit in enumerate(network.phasor_limit):
        for t in range(N_STEPS):
            rules.append(cvxpy.norm(cvxpy.hstack([real[q, t], imaginary[q, t]]), 2) <= limit)
    problem = cvxpy.Problem(cvxpy.Maximize(cvxpy.sum(power)), rules)
    problem.solve(solver=cvxpy.CLARABEL)
    return float(problem.value)


def test_the_garage_has_54_chargers_between_three_pairs_of_lines_and_two_pods() -> None:
    assert len(STATIONS) == 54
    assert {leg: len(members) for leg, members in BETWEEN.items()} == {"AB": 26, "BC": 14, "CA": 14}
    assert len(CC_POD) == len(AV_POD) == 8


@pytest.mark.parametrize("seed", range(4))
def test_the_polygon_recovers_the_cone_and_beats_absolute_coefficients(seed: int) -> None:
    network, power_max_kw = _instance(seed)
    cone = _cone_kwh(network, power_max_kw)
    problem = _problem(network, power_max_kw)
    solution = solve(problem)
    assert faults(problem, solution) == ()
    polygon = float(solution.power_kw.sum())
    absolute = float(solve(_problem(linear(network), power_max_kw, has_phasors=False)).power_kw.sum())
    assert 0.99 * cone <= polygon <= cone * (1.0 + 1e-5)
    assert polygon > 1.05 * absolute
