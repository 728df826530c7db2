"""acnportal: its sorted algorithms on its Caltech network of 54 chargers.

One decision is timed: ``schedule`` with a session at every charger. Then each rule runs the problem's day in the
simulator. The answer also holds the network's constraints, so that ours plans within the same ones.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from acnportal import acnsim
from acnportal.acnsim.interface import SessionInfo
from acnportal.algorithms import SortedSchedulingAlgo, earliest_deadline_first, least_laxity_first
from peer_io import Problem, main, timed

START = datetime(2025, 1, 6, tzinfo=UTC)
VOLTS = 208
RULES = {"earliest deadline first": earliest_deadline_first, "least laxity first": least_laxity_first}


def _simulator(problem: Problem, rule: Any, events: list[Any]) -> Any:
    """Chargers take any current from 0 to 32 A; the transformer is as large as the site limit."""
    network = acnsim.sites.caltech_acn(basic_evse=True, voltage=VOLTS, transformer_cap=problem.import_limit_kw[0])
    algorithm = SortedSchedulingAlgo(rule)
    return acnsim.Simulator(network, algorithm, acnsim.EventQueue(events), START, period=problem.step_h * 60, verbose=False)


def _day(problem: Problem, rule: Any) -> Any:
    stations = acnsim.sites.caltech_acn(basic_evse=True).station_ids
    events = []
    for number, need_kwh in enumerate(problem.need_kwh):
        first, end = problem.stay(number)
        battery = acnsim.Battery(need_kwh, 0, problem.power_kw(number))
        ev = acnsim.EV(first, end, need_kwh, stations[number], str(number), battery)
        events.append(acnsim.PluginEvent(first, ev))
    simulator = _simulator(problem, rule, events)
    simulator.run()
    return simulator


def solve(problem: Problem) -> dict[str, Any]:
    """Session ``s`` of the problem charges at station ``s`` of the network, in the network's own order."""
    modes: dict[str, Any] = {}
    for name, rule in RULES.items():
        simulator = _simulator(problem, rule, [])
        sessions = []
        for number, need_kwh in enumerate(problem.need_kwh):
            first, end = problem.stay(number)
            station = simulator.network.station_ids[number]
            sessions.append(SessionInfo(station, str(number), need_kwh, 0, 0, end - first, max_rates=32))

        def call(simulator: Any = simulator, sessions: Any = sessions) -> Any:
            return simulator.scheduler.schedule(sessions)

        seconds, _ = timed(call, problem.runs)
        rates = _day(problem, rule).charging_rates[:, : problem.n_steps] * (VOLTS / 1000)
        pad = [0.0] * (problem.n_steps - rates.shape[1])
        modes[name] = {"seconds": seconds, "power_kw": [list(row) + pad for row in rates]}
    network = simulator.scheduler.interface.infrastructure_info()
    return {
        "modes": modes,
        "network": {
            "coef": network.constraint_matrix.tolist(),
            "limit_a": network.constraint_limits.tolist(),
            "angle_deg": network.phases.tolist(),
            "volts": VOLTS,
        },
    }


main(solve)
