"""A point of the linear program back on the problem's axes."""

from __future__ import annotations

import numpy as np

from solvers.costs import SCALE, cost_parts
from solvers.layout import Layout
from solvers.parts import Floats
from solvers.problem import ChargingProblem, Status
from solvers.rows import make_rows
from solvers.solution import Prices, Solution, balance, excess, shortfall


def to_power(problem: ChargingProblem, layout: Layout, values: Floats) -> tuple[Floats, Floats]:
    """(S, T) charging and discharging of a point, clipped into their bounds: engines return tiny excursions."""
    power = np.zeros((problem.n_sessions, problem.n_steps))
    power[layout.session_of, layout.step_of] = values[: layout.n_power]
    discharge = np.zeros_like(power)
    if problem.tracked is not None and layout.first_d >= 0:
        sessions = problem.tracked.session[layout.d_of]
        found = values[layout.first_d : layout.first_d + layout.d_of.size]
        most = problem.tracked.discharge_max_kw[layout.d_of, layout.d_step]
        discharge[sessions, layout.d_step] = np.clip(found, 0.0, most)
    return np.clip(power, 0.0, problem.power_max_kw), discharge


def stored(problem: ChargingProblem, power_kw: Floats, discharge_kw: Floats) -> Floats:
    """(K, T) energy of tracked sessions at the end of each step, from powers."""
    tracked = problem.tracked
    if tracked is None:
        return np.zeros((0, problem.n_steps))
    s = tracked.session
    gain = problem.efficiency[s, None] * power_kw[s] - discharge_kw[s] / tracked.discharge_efficiency[:, None]
    found: Floats = tracked.stored_kwh[:, None] + np.cumsum(gain * problem.step_h, axis=1)
    return found


def to_solution(
    problem: ChargingProblem, layout: Layout, values: Floats, *, status: Status, engine: str, objective: float
) -> Solution:
    """Map a point back; what follows from the power is computed from it, not copied."""
    power, discharge = to_power(problem, layout, values)
    battery, battery_kwh = _battery(problem, layout, values)
    imported, exported, curtailed = balance(problem, power - discharge, battery)
    n_steps = problem.n_steps
    if layout.first_c >= 0:
        chosen = np.clip(values[layout.first_c : layout.first_c + n_steps], 0.0, problem.pv_kw)
        curtailed = np.maximum(curtailed, chosen)
        net = imported - exported
        # Curtailing more than must be is the program's choice, for instance at negative prices.
        net = net + curtailed - balance(problem, power - discharge, battery)[2]
        imported, exported = np.maximum(net, 0.0), np.maximum(-net, 0.0)
    over = np.zeros((problem.n_rows, n_steps))
    over[layout.soft_row, layout.soft_step] = np.maximum(
        values[layout.n_cols - layout.soft_row.size - layout.z_of.size :][: layout.soft_row.size], 0.0
    )
    peaks = np.zeros(0)
    if problem.demand is not None and layout.first_peak >= 0:
        peaks = values[layout.first_peak : layout.first_peak + len(problem.demand.names)].copy()
    return Solution(
        status=status,
        has_values=True,
        power_kw=power,
        discharge_kw=discharge,
        import_kw=imported,
        export_kw=exported,
        curtailed_kw=curtailed,
        shortfall_kwh=shortfall(problem, power, discharge),
        row_excess=over,
        excess_kw=excess(problem),
        objective_money=objective,
        engine=engine,
        stored_kwh=stored(problem, power, discharge),
        battery_kw=battery,
        battery_kwh=battery_kwh,
        peak_kw=peaks,
        cost_money={part: float(cost @ values) for part, cost in cost_parts(problem, layout).items()},
    )


def _battery(problem: ChargingProblem, layout: Layout, values: Floats) -> tuple[Floats, Floats]:
    batteries = problem.batteries
    if batteries is None or layout.first_battery < 0:
        return np.zeros((0, problem.n_steps)), np.zeros((0, problem.n_steps))
    shape = (len(batteries.names), problem.n_steps)
    block = shape[0] * shape[1]
    up, down, energy = (
        values[layout.first_battery + i * block : layout.first_battery + (i + 1) * block].reshape(shape) for i in range(3)
    )
    net = np.clip(up - down, -batteries.discharge_max_kw[:, None], batteries.charge_max_kw[:, None])
    return net, energy.copy()


def to_prices(problem: ChargingProblem, layout: Layout, duals: Floats, column_duals: Floats) -> Prices:
    """Shadow prices from the duals of rows and the reduced costs of columns, back in money."""
    rows = layout.rows if layout.rows is not None else make_rows(problem, layout)
    hours = problem.step_h
    per_row = np.zeros((problem.n_rows, problem.n_steps))
    found = -duals[rows.capacity[layout.bind]] / SCALE
    per_row[layout.bind] = found
    imported = np.zeros(problem.n_steps)
    if layout.first_g >= 0:
        imported = np.maximum(-column_duals[layout.first_g : layout.first_g + problem.n_steps], 0.0) / SCALE / hours
    need = np.maximum(duals[rows.energy : rows.energy + problem.n_sessions], 0.0) / SCALE
    return Prices(
        row_per_unit_h=np.maximum(per_row, 0.0) / hours,
        import_per_kwh=imported,
        need_per_kwh=need,
        phasor_per_unit_h=_facet_prices(problem, layout, duals, rows.facet) / hours,
    )


def _facet_prices(problem: ChargingProblem, layout: Layout, duals: Floats, first: int) -> Floats:
    """(Q, T) worth of a limit's ampere: every facet of it moves by the polygon's shrink."""
    phasors, facets = problem.phasors, layout.facets
    found = np.zeros((len(phasors.names) if phasors is not None else 0, problem.n_steps))
    if phasors is not None and facets.size:
        worth = np.maximum(-duals[first : first + facets.size], 0.0) / SCALE * phasors.shrink
        np.add.at(found, (facets.limit, facets.step), worth)
    return found
