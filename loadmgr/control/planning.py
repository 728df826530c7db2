"""ChargingProblem + Solution → Plan, with its explanation."""

from __future__ import annotations

import hashlib
from dataclasses import fields

import numpy as np
from numpy.typing import NDArray

from loadmgr.control.explain import Explanation
from loadmgr.control.snapshot import Snapshot
from loadmgr.domain.plan import CostPart, Plan
from solvers import ChargingProblem, Solution


def digest(problem: ChargingProblem) -> str:
    """Identifies a problem: a hash over its names and arrays, those of its parts included."""
    hashed = hashlib.sha256()
    for part in (problem, problem.tracked, problem.batteries, problem.demand, problem.phasors):
        for item in fields(part) if part is not None else ():
            value = getattr(part, item.name)
            if isinstance(value, np.ndarray):
                hashed.update(np.ascontiguousarray(value).tobytes())
            elif isinstance(value, tuple):
                hashed.update("|".join(value).encode())
    return hashed.hexdigest()[:16]


def to_plan(snapshot: Snapshot, problem: ChargingProblem, solution: Solution, *, no: int, rule_based: bool) -> Plan:
    """A plan on plain tuples, rounded to a tenth of a watt, made at the time of the snapshot."""
    told = Explanation(snapshot, problem, solution)
    return Plan(
        no=no,
        made_at=snapshot.now,
        step_s=tuple(length_s for _, length_s in snapshot.steps),
        sessions=tuple(need.session.id for need in snapshot.needs),
        evses=tuple(need.session.evse for need in snapshot.needs),
        power_kw=_rounded(solution.net_kw),
        bindings=told.bindings(),
        shortfall_kwh=tuple(round(float(x), 4) for x in solution.shortfall_kwh),
        import_kw=tuple(round(float(x), 4) for x in solution.import_kw),
        base_kw=tuple(round(x + snapshot.fixed_kw, 4) for x in snapshot.net_base_kw),
        export_kw=tuple(round(float(x), 4) for x in solution.export_kw) if solution.export_kw.any() else (),
        curtailed_kw=tuple(round(float(x), 4) for x in solution.curtailed_kw) if solution.curtailed_kw.any() else (),
        batteries=problem.batteries.names if problem.batteries is not None and solution.battery_kw.size else (),
        battery_kw=_rounded(solution.battery_kw),
        whys=told.whys(),
        worth=told.worth(),
        receipts=told.receipts(),
        costs=tuple(CostPart(name=name, money=round(value, 6)) for name, value in sorted(solution.cost_money.items())),
        engine=solution.engine,
        status=str(solution.status.value),
        solve_ms=round((solution.build_s + solution.solve_s) * 1000.0, 3),
        objective=float(solution.objective_money),
        rule_based=rule_based,
        digest=digest(problem),
    )


def _rounded(values: NDArray[np.float64]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(x) for x in row) for row in np.round(values, 4))
