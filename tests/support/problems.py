"""Charging problems for solver tests, and a checker that never sees a linear program."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers import ChargingProblem, PolicyWeights


def a_problem(**given: Any) -> ChargingProblem:
    """A problem from (S, T) ``power_max_kw`` and ``need_kwh``; everything else has harmless defaults."""
    power = np.atleast_2d(np.asarray(given.pop("power_max_kw"), dtype=float))
    n_sessions, n_steps = power.shape
    need = np.asarray(given.pop("need_kwh"), dtype=float)
    limit = given.pop("row_limit", None)
    coef = given.pop("row_coef", np.ones((0 if limit is None else len(limit), n_sessions)))
    base = {
        "session_keys": tuple(f"s{i}" for i in range(n_sessions)),
        "step_h": np.ones(n_steps),
        "first_step": 0,
        "power_max_kw": power,
        "need_kwh": need,
        "room_kwh": np.maximum(need, 0.0),
        "efficiency": np.ones(n_sessions),
        "priority": np.ones(n_sessions),
        "present_kw": np.zeros(n_sessions),
        "row_coef": coef,
        "row_limit": np.zeros((0, n_steps)) if limit is None else np.asarray(limit, dtype=float),
        "row_names": tuple(f"row{i}" for i in range(len(coef))),
        "row_soft_price": np.full(len(coef), np.inf),
        "base_kw": np.zeros(n_steps),
        "pv_kw": np.zeros(n_steps),
        "import_limit_kw": np.full(n_steps, np.inf),
        "export_limit_kw": np.full(n_steps, np.inf),
        "import_price_per_kwh": np.zeros(n_steps),
        "export_price_per_kwh": np.zeros(n_steps),
        "options": PolicyWeights(change_weight=0.0),
    }
    return ChargingProblem(**{**base, **given})


def breaks(problem: ChargingProblem, power_kw: Any) -> list[str]:
    """What a plan breaks, by plain loops."""
    found = []
    for t in range(problem.n_steps):
        for r in range(problem.n_rows):
            used = sum(problem.row_coef[r, s] * power_kw[s, t] for s in range(problem.n_sessions))
            if np.isinf(problem.row_soft_price[r]) and used > problem.row_limit[r, t] * (1 + 1e-6) + 1e-6:
                found.append(f"row {r} step {t}: {used} > {problem.row_limit[r, t]}")
        net = problem.base_kw[t] - problem.pv_kw[t]
        total = net + sum(power_kw[:, t])
        if total > max(problem.import_limit_kw[t], net) + 1e-5:
            found.append(f"import step {t}: {total}")
    for s in range(problem.n_sessions):
        for t in range(problem.n_steps):
            if not -1e-9 <= power_kw[s, t] <= problem.power_max_kw[s, t] + 1e-6:
                found.append(f"power {s},{t}: {power_kw[s, t]}")
        if sum(power_kw[s] * problem.step_h) * problem.efficiency[s] > problem.room_kwh[s] + 1e-5:
            found.append(f"energy {s}")
    return found
