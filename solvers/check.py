"""An independent check of a power plan against its problem; it never sees the linear program."""

from __future__ import annotations

import numpy as np

from solvers.problem import ChargingProblem, Floats

TOLERANCE = 1e-6


def faults(problem: ChargingProblem, power_kw: Floats) -> tuple[str, ...]:
    """What a power plan (S, T) breaks: bounds, hard rows, battery room, import limit. Tolerance 1e-6 of the value."""
    if not np.isfinite(power_kw).all():
        return ("power holds values that are not finite",)
    found = []
    if (power_kw < -TOLERANCE).any():
        found.append(f"power is negative: {power_kw.min()}")
    over = power_kw - problem.power_max_kw
    if (over > TOLERANCE).any():
        found.append(f"power exceeds its maximum by {over.max():.3g} kW")
    hard = ~np.isfinite(problem.row_soft_price)
    used = problem.row_coef @ power_kw
    slack = problem.row_limit + TOLERANCE * (1.0 + problem.row_limit) - used
    for r in np.nonzero(hard & (slack < 0).any(axis=1))[0]:
        t = int(np.argmin(slack[r]))
        found.append(f"row {problem.row_names[r]} carries {used[r, t]:.6g} of {problem.row_limit[r, t]:.6g} in step {t}")
    energy = problem.efficiency * (power_kw @ problem.step_h)
    if (energy > problem.room_kwh + TOLERANCE * (1.0 + np.abs(energy))).any():
        found.append("a session gets more energy than it has room for")
    net = problem.base_kw - problem.pv_kw
    allowed = np.maximum(problem.import_limit_kw, net)
    imported = net + power_kw.sum(axis=0)
    if (imported > allowed + TOLERANCE * (1.0 + np.abs(imported))).any():
        found.append("the import limit is exceeded")
    return tuple(found)


def scaled_into(problem: ChargingProblem, power_kw: Floats) -> Floats:
    """The plan moved by its last digits so that hard rows hold exactly: per step, scaled down by the worst ratio."""
    hard = ~np.isfinite(problem.row_soft_price)
    used = problem.row_coef[hard] @ power_kw
    limits = problem.row_limit[hard]
    ratio = np.divide(limits, used, out=np.ones_like(used), where=used > limits)
    if not ratio.size:
        return power_kw
    scaled: Floats = power_kw * np.minimum(ratio.min(axis=0), 1.0)[None, :]
    return scaled
