"""A month of real sessions, 5 minutes at a time: who is there, what a controller may know, what it decides."""

from __future__ import annotations

import csv
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from solvers import ChargingProblem, DemandCharges, Memory, Phasors, PolicyWeights, SolveOptions, solve, solve_rule
from solvers.parts import Floats, Index
from tests.bench.acn.network import EVSE_MAX_A, VOLTAGE_V, Network

DATA = Path(__file__).parents[1] / "data"
STEP_H = 1.0 / 12.0
EPS_KWH = 1e-6
AHEAD = 144
"""Steps that a controller looks ahead: twelve hours."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Month:
    """Sessions in the order of their arrival. ``said_*`` is what a controller is told, the rest is the truth."""

    stations: tuple[str, ...]
    arrival: Index
    departure: Index
    energy_kwh: Floats
    power_kw: Floats
    said_departure: Index
    said_kwh: Floats

    @property
    def n_steps(self) -> int:
        """One more than the last departure."""
        return int(self.departure.max()) + 1


def _rows(name: str) -> list[dict[str, str]]:
    with (DATA / name).open(encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def march() -> Month:
    """The published benchmark; drivers tell the truth."""
    rows = _rows("benchmark_caltech_2019-03.csv")
    departure = np.array([int(r["departure_step"]) for r in rows])
    energy = np.array([float(r["energy_kwh"]) for r in rows])
    power = np.minimum([float(r["max_power_kw"]) for r in rows], EVSE_MAX_A * VOLTAGE_V / 1000.0)
    return Month(
        stations=tuple(r["station_id"] for r in rows),
        arrival=np.array([int(r["arrival_step"]) for r in rows]),
        departure=departure,
        energy_kwh=energy,
        power_kw=power,
        said_departure=departure,
        said_kwh=energy,
    )


def june(*, is_truth_known: bool) -> Month:
    """June 2019: controllers know what drivers said, or the truth. Sessions without input are known as they were."""
    begin = datetime(2019, 6, 1, 7, tzinfo=UTC)
    rows = _rows("sessions_acn_caltech_2019-06.csv")

    def step(text: str) -> int:
        return int((datetime.fromisoformat(text) - begin).total_seconds() // 300)

    arrival = np.array([step(r["arrival"]) for r in rows])
    departure = np.maximum([step(r["departure"]) for r in rows], arrival + 1)
    said = np.maximum([step(r["estimated_departure"]) for r in rows], arrival + 1)
    energy, asked = (np.array([float(r[c]) for r in rows]) for c in ("delivered_kwh", "requested_kwh"))
    power = np.full(len(rows), 6.6)
    energy = np.minimum(energy, power * STEP_H * (departure - arrival))  # a few meters claim more than a socket can give
    order = np.argsort(arrival, kind="stable")
    return Month(
        stations=tuple(rows[i]["station_id"] for i in order),
        arrival=arrival[order],
        departure=departure[order],
        energy_kwh=energy[order],
        power_kw=power[order],
        said_departure=(departure if is_truth_known else said)[order],
        said_kwh=(energy if is_truth_known else asked)[order],
    )


@dataclass(slots=True)
class Present:
    """What a controller sees in one step."""

    step: int
    who: Index
    month: Month
    left_kwh: Floats
    given_kwh: Floats
    peak_kw: float
    now_kw: Floats


Decide = Callable[[Present], Floats]


@dataclass(slots=True)
class Outcome:
    """What a month came to."""

    given_kwh: Floats
    load_kw: Floats
    worst_excess: float = 0.0

    def met_percent(self, month: Month) -> float:
        """Energy delivered of the energy that was to be delivered."""
        return float(100.0 * self.given_kwh.sum() / month.energy_kwh.sum())


def run(month: Month, network_of: Callable[[tuple[str, ...]], Network], decide: Decide) -> Outcome:
    """Play the month. What a controller decides is checked against the network in every step."""
    network = network_of(month.stations)
    given, load = np.zeros(len(month.stations)), np.zeros(month.n_steps)
    out = Outcome(given_kwh=given, load_kw=load)
    now_kw = np.zeros(len(month.stations))
    for step in range(month.n_steps):
        there = (month.arrival <= step) & (step < month.departure) & (month.energy_kwh - given > EPS_KWH)
        who = np.nonzero(there)[0]
        if not who.size:
            now_kw[:] = 0.0
            continue
        left = np.maximum(month.said_kwh - given, 0.0)
        power = decide(Present(step, who, month, left, given, float(load.max()), now_kw))
        taken = np.minimum(np.minimum(power, month.power_kw[who]), (month.energy_kwh - given)[who] / STEP_H)
        out.worst_excess = max(out.worst_excess, _excess(network, who, taken))
        given[who] += taken * STEP_H
        load[step] = taken.sum()
        now_kw[:] = 0.0
        now_kw[who] = taken
    return out


def _excess(network: Network, who: Index, power: Floats) -> float:
    """The largest part by which a limit is exceeded."""
    worst = float((network.row_coef[:, who] @ power / network.row_limit).max(initial=0.0))
    if network.phasor_coef is not None:
        worst = max(worst, float((np.abs(network.phasor_coef[:, who] @ power) / network.phasor_limit).max()))
    return worst - 1.0


def problem_of(
    present: Present, network: Network, *, price: Floats, weights: PolicyWeights, ahead: int = AHEAD
) -> ChargingProblem:
    """What is known in a step as a problem; a car past the departure it was said to have may stay another hour."""
    month, who, step = present.month, present.who, present.step
    leave = np.where(month.said_departure[who] > step, month.said_departure[who], step + 12)
    n_steps = int(min((leave - step).max(), ahead))
    inside = np.arange(n_steps) < (leave - step)[:, None]
    phasors = None
    if network.phasor_coef is not None and network.phasor_limit is not None:
        phasors = Phasors(
            names=tuple(f"line-{q}" for q in range(len(network.phasor_limit))),
            coef=network.phasor_coef[:, who],
            base_a=np.zeros((len(network.phasor_limit), n_steps), dtype=complex),
            limit_a=np.repeat(network.phasor_limit[:, None], n_steps, axis=1),
        )
    need = present.left_kwh[who]
    zero, free = np.zeros(n_steps), np.full(n_steps, np.inf)
    return ChargingProblem(
        session_keys=tuple(str(s) for s in who.tolist()),
        step_h=np.full(n_steps, STEP_H),
        first_step=step,
        power_max_kw=np.where(inside, month.power_kw[who][:, None], 0.0),
        need_kwh=need,
        room_kwh=need,
        efficiency=np.ones(who.size),
        priority=np.ones(who.size),
        present_kw=present.now_kw[who],
        row_coef=network.row_coef[:, who],
        row_limit=np.repeat(network.row_limit[:, None], n_steps, axis=1),
        row_names=network.row_names,
        row_soft_price=np.full(len(network.row_names), np.inf),
        base_kw=zero,
        pv_kw=zero,
        import_limit_kw=free,
        export_limit_kw=free,
        import_price_per_kwh=price[step : step + n_steps] if price.size else zero,
        export_price_per_kwh=zero,
        phasors=phasors,
        options=weights,
    )


def by_rule(rule: str, network: Network) -> Decide:
    """A rule of our own for one step. As in the published runs it reserves what the charger can give for a whole step
    (32 A), not what the car can still take (31.7 A, less in its last step): their peaks below the cap show it.
    """
    weights = PolicyWeights()
    socket_kw = EVSE_MAX_A * VOLTAGE_V / 1000.0

    def decide(present: Present) -> Floats:
        problem = problem_of(present, network, price=np.zeros(0), weights=weights)
        whole = np.maximum(problem.need_kwh, socket_kw * STEP_H)
        power = np.where(problem.power_max_kw > 0, socket_kw, 0.0)
        problem = replace(problem, power_max_kw=power, need_kwh=whole, room_kwh=whole)
        return solve_rule(problem, rule, arrival=present.month.arrival[present.who].astype(float), n_steps=1).power_kw[:, 0]

    return decide


def by_program(
    network: Network,
    *,
    price: Floats | None = None,
    weights: PolicyWeights | None = None,
    demand_price: Callable[[Present], float] | None = None,
    promises: dict[int, float] | None = None,
) -> Decide:
    """A fresh solve each step, with the basis of the one before. ``promises`` collects what a session's first plan gave
    it until the departure it was said to have, kWh.
    """
    memory = Memory()
    options = SolveOptions(memory=memory, wants_prices=False)
    chosen = weights if weights is not None else PolicyWeights()

    def decide(present: Present) -> Floats:
        problem = problem_of(present, network, price=price if price is not None else np.zeros(0), weights=chosen)
        if demand_price is not None:
            problem = _with_peak(problem, demand_price(present), present.peak_kw)
        solution = solve(problem, options=options)
        assert solution.has_values, solution.reason
        if promises is not None:
            for place, session in enumerate(present.who.tolist()):
                promises.setdefault(session, float(problem.need_kwh[place] - solution.shortfall_kwh[place]))
        return solution.power_kw[:, 0]

    return decide


def _with_peak(problem: ChargingProblem, price: float, incurred_kw: float) -> ChargingProblem:
    return replace(
        problem,
        demand=DemandCharges(
            names=("month",),
            price_per_kw=np.array([price]),
            incurred_kw=np.array([incurred_kw]),
            holds=np.ones((1, problem.n_steps)),
        ),
    )


WINTER, SUMMER = (0.06087, 0.07492, 0.0869), (0.05623, 0.0925, 0.26668)


def edison_price(n_steps: int, *, first_weekday: int, bands: tuple[float, float, float]) -> Floats:
    """Southern California Edison TOU-EV-4 of 2019, USD/kWh per 5-minute step from local midnight; Monday is 0.

    The benchmark counts elapsed steps; the hour that daylight saving skips on 10 March is not modelled there either.
    """
    low, middle, high = bands
    hour, day = (np.arange(n_steps) // 12) % 24, np.arange(n_steps) // 288
    weekday = (day + first_weekday) % 7
    prices = np.select([hour < 8, hour < 12, hour < 18, hour < 23], [low, middle, high, middle], low)
    found: Floats = np.where(weekday < 5, prices, low)
    return found


DEMAND_PRICE = 15.51
"""USD per kW of the month's peak, same tariff."""
