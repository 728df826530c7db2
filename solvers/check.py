"""An independent check of a plan against its problem; it never sees the linear program."""

from __future__ import annotations

import numpy as np

from solvers.layout import Entries, entries, product
from solvers.parts import Floats
from solvers.problem import Bools, ChargingProblem
from solvers.solution import Solution, balance

TOLERANCE = 1e-6


def faults(problem: ChargingProblem, solution: Solution) -> tuple[str, ...]:
    """What a plan breaks: bounds, hard rows, magnitudes, stored energy, import and export. Tolerance 1e-6 of the value."""
    power, discharge = solution.power_kw, solution.discharge_kw
    if not all(np.isfinite(part).all() for part in (power, discharge, solution.battery_kw)):
        return ("power holds values that are not finite",)
    found = _bounds(problem, power, discharge)
    found += _rows(problem, solution)
    energy = problem.efficiency * (power @ problem.step_h)
    if (energy > problem.room_kwh + TOLERANCE * (1.0 + np.abs(energy)))[_untracked(problem)].any():
        found.append("a session gets more energy than it has room for")
    found += _stored(problem, solution)
    found += _site(problem, solution)
    return tuple(found)


def _untracked(problem: ChargingProblem) -> Bools:
    plain = np.ones(problem.n_sessions, dtype=bool)
    if problem.tracked is not None:
        plain[problem.tracked.session] = False
    return plain


def _bounds(problem: ChargingProblem, power: Floats, discharge: Floats) -> list[str]:
    found = []
    if min(power.min(initial=0.0), discharge.min(initial=0.0)) < -TOLERANCE:
        found.append(f"power is negative: {min(power.min(), discharge.min())}")
    over = power - problem.power_max_kw
    if (over > TOLERANCE).any():
        found.append(f"power exceeds its maximum by {over.max():.3g} kW")
    may = np.zeros_like(discharge)
    if problem.tracked is not None:
        may[problem.tracked.session] = problem.tracked.usable_discharge_kw()
    if (discharge > may + TOLERANCE).any():
        found.append(f"discharge exceeds its maximum by {(discharge - may).max():.3g} kW")
    if (np.minimum(power, discharge) > TOLERANCE).any():
        found.append("a session charges and discharges in one step")
    return found


def used_rows(problem: ChargingProblem, solution: Solution, known: Entries | None = None) -> Floats:
    """(R, T) what a plan uses of every row, A or kW; ``known`` are the entries of ``row_coef``."""
    used = product(problem.row_coef, solution.net_kw, known)
    if problem.batteries is not None and solution.battery_kw.size:
        used = used + problem.batteries.row_coef @ solution.battery_kw
    return used + problem.curtail_coef * solution.curtailed_kw


def soft_excess(problem: ChargingProblem, solution: Solution) -> Floats:
    """(R, T) by how much a plan exceeds soft rows; 0 in hard ones."""
    is_soft = np.isfinite(problem.row_soft_price)[:, None]
    found: Floats = np.where(is_soft, np.maximum(used_rows(problem, solution) - problem.row_limit, 0.0), 0.0)
    return found


def _rows(problem: ChargingProblem, solution: Solution) -> list[str]:
    found = []
    hard = ~np.isfinite(problem.row_soft_price)
    used = used_rows(problem, solution)
    slack = problem.row_limit + TOLERANCE * (1.0 + problem.row_limit) - used
    for r in np.nonzero(hard & (slack < 0).any(axis=1))[0]:
        t = int(np.argmin(slack[r]))
        found.append(f"row {problem.row_names[r]} carries {used[r, t]:.6g} of {problem.row_limit[r, t]:.6g} in step {t}")
    back = used - problem.row_lower + TOLERANCE * (1.0 + np.abs(used))
    for r in np.nonzero((back < 0).any(axis=1))[0]:
        t = int(np.argmin(back[r]))
        found.append(
            f"row {problem.row_names[r]} flows back {used[r, t]:.6g}, least {problem.row_lower[r, t]:.6g} in step {t}"
        )
    if problem.phasors is not None:
        size = np.abs(problem.phasors.base_a + problem.phasors.coef @ solution.net_kw)
        allowed = problem.phasors.allowed_a()
        for q in np.nonzero((size > allowed + 2 * TOLERANCE * (1.0 + allowed)).any(axis=1))[0]:
            t = int(np.argmax(size[q] - allowed[q]))
            found.append(f"{problem.phasors.names[q]} carries {size[q, t]:.6g} of {allowed[q, t]:.6g} A in step {t}")
    return found


def _stored(problem: ChargingProblem, solution: Solution) -> list[str]:
    found = []
    tracked = problem.tracked
    if tracked is not None and tracked.session.size:
        s, lost = tracked.session, tracked.discharge_efficiency[:, None]
        gain = problem.efficiency[s, None] * solution.power_kw[s] - solution.discharge_kw[s] / lost
        stored = tracked.stored_kwh[:, None] + np.cumsum(gain * problem.step_h, axis=1)
        allowed = TOLERANCE * (1.0 + tracked.stored_kwh[:, None])
        least = np.minimum(tracked.reserve_kwh, tracked.stored_kwh)[:, None]
        if (stored < least - 10 * allowed).any():
            found.append(f"a car is discharged {(least - stored).max():.3g} kWh below its reserve")
        before = np.hstack([tracked.stored_kwh[:, None], stored[:, :-1]])
        middle = ((before + stored) / 2.0)[:, None, :]
        curve = tracked.taper_kw[:, :, None] - tracked.taper_per_kwh[:, :, None] * middle
        allowed_kw = np.maximum(np.where(np.isnan(curve), np.inf, curve), 0.0).min(axis=1, initial=np.inf)
        if (solution.power_kw[tracked.session] > allowed_kw + 10 * allowed).any():
            found.append("a car charges faster than its battery takes it")
        most = (tracked.stored_kwh + problem.room_kwh[tracked.session])[:, None]
        if (stored > most + 10 * allowed).any():
            found.append(f"a car is charged {(stored - most).max():.3g} kWh beyond its room")
    batteries = problem.batteries
    if batteries is not None and solution.battery_kw.size:
        kw, hours = solution.battery_kw, problem.step_h
        most_kw, least_kw = batteries.charge_max_kw[:, None], -batteries.discharge_max_kw[:, None]
        if (kw > most_kw + TOLERANCE).any() or (kw < least_kw - TOLERANCE).any():
            found.append("a battery exceeds its power")
        gain = (
            batteries.efficiency[:, None] * np.maximum(kw, 0) + np.minimum(kw, 0) / batteries.discharge_efficiency[:, None]
        )
        stored = batteries.stored_kwh[:, None] + np.cumsum(gain * hours, axis=1)
        floor = np.minimum(batteries.floor_kwh, batteries.stored_kwh)[:, None] - 1e-5
        top = np.maximum(batteries.capacity_kwh, batteries.stored_kwh)[:, None] + 1e-5
        if (stored < floor).any() or (stored > top).any():
            found.append("a battery leaves its range")
    return found


def _site(problem: ChargingProblem, solution: Solution) -> list[str]:
    net = problem.base_kw - problem.pv_kw
    imported, exported, _ = balance(problem, solution.net_kw, solution.battery_kw)
    found = []
    if (imported > np.maximum(problem.import_limit_kw, net) + TOLERANCE * (1.0 + imported)).any():
        found.append("the import limit is exceeded")
    most = np.maximum(problem.export_limit_kw, problem.surplus_kw)
    if (exported > most + TOLERANCE * (1.0 + exported)).any():
        found.append("the export limit is exceeded")
    return found


def scaled_into(problem: ChargingProblem, solution: Solution, known: Entries | None = None) -> Floats:
    """Charging power moved by its last digits so that hard rows hold exactly: per step, scaled down by the worst ratio.

    Only steps in which nobody discharges are touched: there less charging lowers every row. Where nothing is to be
    moved the power comes back itself. ``known`` are the entries of ``row_coef``.
    """
    known = entries(problem.row_coef) if known is None else known
    if problem.batteries is not None or problem.curtail_coef.any() or (problem.row_coef[known] < 0).any():
        return solution.power_kw
    hard = ~np.isfinite(problem.row_soft_price)
    used = used_rows(problem, solution, known)[hard]
    limits = problem.row_limit[hard]
    plain = ~(solution.discharge_kw > 0).any(axis=0)
    over = (used > limits) & plain
    if not over.any():
        return solution.power_kw
    ratio = np.divide(limits, used, out=np.ones_like(used), where=over)
    scaled: Floats = solution.power_kw * np.minimum(ratio.min(axis=0), 1.0)[None, :]
    return scaled
