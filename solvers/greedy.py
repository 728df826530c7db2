"""Least laxity without a linear program: the rule for when no solver answers, feasible by construction."""

from __future__ import annotations

from time import perf_counter

import numpy as np

from solvers.check import scaled_into
from solvers.problem import ChargingProblem, Floats, Solution, Status, balance, excess, shortfall

GROUPS = 4
"""Sessions are served in this many groups of growing laxity; inside a group everybody gets the same share."""


def solve_greedy(problem: ChargingProblem) -> Solution:
    """Serve, step by step, the sessions with the least laxity first, as far as hard rows and the import limit allow.

    Laxity is the time left beyond what charging at full power needs. Soft rows are treated as hard; prices are not
    looked at. Status is ``RULE_BASED``. Cost is O(T·(R·S + S·log S)).
    """
    started_s = perf_counter()
    n_sessions, n_steps = problem.n_sessions, problem.n_steps
    power = np.zeros((n_sessions, n_steps))
    left_kwh = np.minimum(problem.need_kwh, problem.room_kwh).copy()
    reachable = np.cumsum((problem.power_max_kw * problem.step_h)[:, ::-1], axis=1)[:, ::-1]
    net = problem.base_kw - problem.pv_kw
    for t in range(n_steps):
        hours = float(problem.step_h[t])
        wish = np.minimum(problem.power_max_kw[:, t], left_kwh / (problem.efficiency * hours))
        room = problem.row_limit[:, t].copy()
        site_kw = max(float(problem.import_limit_kw[t] - net[t]), 0.0)
        most = np.where(reachable[:, t] > 0, reachable[:, t], 1.0)
        urgency = left_kwh / problem.efficiency / most * problem.priority
        for group in np.array_split(np.argsort(-urgency, kind="stable"), GROUPS):
            given = _share(problem.row_coef[:, group], wish[group], room, site_kw)
            power[group, t] = given
            room = np.maximum(room - problem.row_coef[:, group] @ given, 0.0)
            site_kw = max(site_kw - float(given.sum()), 0.0)
        left_kwh = np.maximum(left_kwh - problem.efficiency * power[:, t] * hours, 0.0)
    power = scaled_into(problem, power)
    imported, exported, curtailed = balance(problem, power)
    return Solution(
        status=Status.RULE_BASED,
        has_values=True,
        power_kw=power,
        import_kw=imported,
        export_kw=exported,
        curtailed_kw=curtailed,
        shortfall_kwh=shortfall(problem, power),
        row_excess=np.zeros((problem.n_rows, n_steps)),
        excess_kw=excess(problem),
        objective_money=float("nan"),
        engine="greedy",
        solve_s=perf_counter() - started_s,
    )


def _share(coef: Floats, wish: Floats, room: Floats, site_kw: float) -> Floats:
    """Every row gives all its sessions the same part of their wish."""
    need = coef @ wish
    part = np.divide(room, need, out=np.ones_like(room), where=need > room)
    by_session = np.where(coef > 0, part[:, None], 1.0).min(axis=0, initial=1.0)
    total = float(wish.sum())
    shared: Floats = wish * by_session * (min(1.0, site_kw / total) if total > 0 else 1.0)
    return shared
