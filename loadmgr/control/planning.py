"""ChargingProblem + Solution → Plan, with the row that binds each session."""

from __future__ import annotations

import hashlib

import numpy as np

from loadmgr.control.snapshot import Snapshot
from loadmgr.domain.plan import Binding, Plan
from solvers import ChargingProblem, Solution

TIGHT_FRAC = 1e-4
SMALL_KW = 1e-3


def digest(problem: ChargingProblem) -> str:
    """Identifies a problem: a hash over its arrays and names."""
    parts = hashlib.sha256()
    for text in (*problem.session_keys, "|", *problem.row_names):
        parts.update(text.encode())
    for array in (
        problem.step_h,
        problem.power_max_kw,
        problem.need_kwh,
        problem.priority,
        problem.present_kw,
        problem.row_coef,
        problem.row_limit,
        problem.base_kw,
        problem.pv_kw,
        problem.import_price_per_kwh,
    ):
        parts.update(np.ascontiguousarray(array).tobytes())
    return parts.hexdigest()[:16]


def to_plan(snapshot: Snapshot, problem: ChargingProblem, solution: Solution, *, no: int, rule_based: bool) -> Plan:
    """A plan on plain tuples, rounded to a tenth of a watt, made at the time of the snapshot."""
    power_kw = np.round(np.asarray(solution.power_kw), 4)
    return Plan(
        no=no,
        made_at=snapshot.now,
        step_s=tuple(length_s for _, length_s in snapshot.steps),
        sessions=tuple(need.session.id for need in snapshot.needs),
        evses=tuple(need.session.evse for need in snapshot.needs),
        power_kw=tuple(tuple(float(x) for x in row) for row in power_kw),
        bindings=_bindings(snapshot, problem, solution),
        shortfall_kwh=tuple(round(float(x), 4) for x in solution.shortfall_kwh),
        import_kw=tuple(round(float(x), 4) for x in solution.import_kw),
        base_kw=tuple(round(x + snapshot.fixed_kw, 4) for x in snapshot.net_base_kw),
        engine=solution.engine,
        status=str(solution.status.value),
        solve_ms=round((solution.build_s + solution.solve_s) * 1000.0, 3),
        objective=float(solution.objective_money),
        rule_based=rule_based,
        digest=digest(problem),
    )


def _bindings(snapshot: Snapshot, problem: ChargingProblem, solution: Solution) -> tuple[Binding, ...]:
    """Why each session gets no more in the first step: a full row, its own maximum, enough energy, or the price."""
    rows = [row for row in snapshot.rows if row.members]
    power_kw = np.asarray(solution.power_kw)
    used = problem.row_coef @ power_kw[:, 0] if len(snapshot.needs) else np.zeros(len(rows))
    limits = problem.row_limit[:, 0]
    is_full = used >= limits - np.maximum(TIGHT_FRAC * limits, SMALL_KW)
    found = []
    for s, need in enumerate(snapshot.needs):
        first_kw = float(power_kw[s, 0])
        name, source = "price", ""
        full = [r for r in range(len(rows)) if is_full[r] and problem.row_coef[r, s] > 0]
        if first_kw >= problem.power_max_kw[s, 0] - SMALL_KW:
            name = "evse"
        elif full:
            tightest = min(full, key=lambda r: float(limits[r]))
            name, source = rows[tightest].name, rows[tightest].source
        elif first_kw * float(problem.step_h[0]) >= need.energy_kwh - SMALL_KW:
            name = "energy"
        found.append(Binding(session=need.session.id, name=name, source=source))
    return tuple(found)
