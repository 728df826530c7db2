"""OptiVGI: ``PulpNumericalAlgorithm(evs, peak_power_demand, now).calculate()``, its linear program over PuLP and CBC."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from optivgi.scm.constants import AlgorithmConstants
from optivgi.scm.ev import EV
from optivgi.scm.pulp_numerical_algorithm import PulpNumericalAlgorithm
from peer_io import Problem, main, timed

NOW = datetime(2025, 1, 6, tzinfo=UTC)


def solve(problem: Problem) -> dict[str, Any]:
    """The timed call makes the algorithm object and calculates; the cars are made before."""
    step = timedelta(hours=problem.step_h)
    AlgorithmConstants.RESOLUTION = step
    AlgorithmConstants.RUNTIME = step * problem.n_steps
    AlgorithmConstants.TIMESTEPS = problem.n_steps
    AlgorithmConstants.POWER_ENERGY_FACTOR = problem.step_h
    evs = []
    for number, need_kwh in enumerate(problem.need_kwh):
        first, end = problem.stay(number)
        evs.append(
            EV(
                ev_id=number,
                active=True,
                station_id=number,
                connector_id=1,
                min_power=0.0,
                max_power=problem.power_kw(number),
                arrival_time=NOW + first * step,
                departure_time=NOW + end * step,
                energy=need_kwh,
            )
        )

    def call() -> None:
        PulpNumericalAlgorithm(evs, problem.import_limit_kw, NOW).calculate()

    seconds, _ = timed(call, problem.runs)
    return {"modes": {"pulp": {"seconds": seconds, "power_kw": [ev.power for ev in evs]}}}


main(solve)
