"""The offline optimum of a day: one linear program with perfect knowledge, to compare the service with."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

import numpy as np

from loadmgr import units
from loadmgr.control.rows import KW_ROW, static_rows
from loadmgr.control.state import SiteContext
from loadmgr.domain.site import full_power_kw
from loadmgr.sim.arrivals import Arrival
from solvers import ChargingProblem, PolicyWeights, Solution, Status, solve

STEP_S = 300.0


def offline_optimum(context: SiteContext, arrivals: Sequence[Arrival]) -> tuple[Solution, float]:
    """The best plan that knows every arrival, departure and the building load; and the share of energy it delivers.

    No margin, no minimum current, no reaction time: a bound that no controller can beat. Raises ``RuntimeError``
    when the solver does not find the optimum.
    """
    site = context.site
    start, end = min(a.at for a in arrivals), max(a.until for a in arrivals)
    n_steps = int((end - start).total_seconds() // STEP_S) + 1
    offsets = np.arange(n_steps) * STEP_S
    evses = [site.evses[site.stations[a.station].evses[0]] for a in arrivals]
    phases = [min(a.car.n_phases, e.caps.n_phases) for a, e in zip(arrivals, evses, strict=True)]
    power_max = np.zeros((len(arrivals), n_steps))
    for s, (arrival, evse) in enumerate(zip(arrivals, evses, strict=True)):
        begin_s, stop_s = (arrival.at - start).total_seconds(), (arrival.until - start).total_seconds()
        inside = np.clip(np.minimum(stop_s, offsets + STEP_S) - np.maximum(begin_s, offsets), 0.0, STEP_S) / STEP_S
        current_a = min(arrival.car.max_a, evse.caps.current_max_a)
        most_kw = min(units.a_to_kw(current_a, evse.caps.voltage_v, phases[s]), full_power_kw(evse.caps))
        power_max[s] = most_kw * inside
    rows = static_rows(site)
    coef = np.zeros((len(rows), len(arrivals)))
    limit = np.zeros((len(rows), n_steps))
    for r, row in enumerate(rows):
        base = [_base(context, row.node, row.phase, start + timedelta(seconds=float(o))) for o in offsets]
        limit[r] = np.maximum(row.limit - np.array(base), 0.0)
        for s, evse in enumerate(evses):
            if evse.id in site.below[row.node]:
                on_phase = row.phase == KW_ROW or row.phase in evse.phases_of(phases[s])
                per_kw = 1.0 if row.phase == KW_ROW else units.a_per_kw(evse.caps.voltage_v, phases[s])
                coef[r, s] = per_kw if on_phase else 0.0
    need = np.array([a.car.wanted_kwh for a in arrivals])
    problem = ChargingProblem(
        session_keys=tuple(str(s) for s in range(len(arrivals))),
        step_h=np.full(n_steps, STEP_S / 3600.0),
        first_step=0,
        power_max_kw=power_max,
        need_kwh=need,
        room_kwh=need,
        efficiency=np.ones(len(arrivals)),
        priority=np.ones(len(arrivals)),
        present_kw=np.zeros(len(arrivals)),
        row_coef=coef,
        row_limit=limit,
        row_names=tuple(row.name for row in rows),
        row_soft_price=np.full(len(rows), np.inf),
        base_kw=np.zeros(n_steps),
        pv_kw=np.zeros(n_steps),
        import_limit_kw=np.full(n_steps, np.inf),
        export_limit_kw=np.full(n_steps, np.inf),
        import_price_per_kwh=np.zeros(n_steps),
        export_price_per_kwh=np.zeros(n_steps),
        options=PolicyWeights(change_weight=0.0),
    )
    solution = solve(problem)
    if solution.status is not Status.OPTIMAL:
        raise RuntimeError(f"offline optimum: {solution.status}: {solution.reason}")
    return solution, 1.0 - float(solution.shortfall_kwh.sum() / need.sum())


def _base(context: SiteContext, node: object, phase: int, at: datetime) -> float:
    """Net uncontrolled load below a node."""
    site = context.site
    total_kw = 0.0
    for load in context.loads:
        if any(n.id == node for n in site.path(load.node)):
            total_kw += load.load_kw.at(at) if load.load_kw is not None else 0.0
            total_kw -= load.pv_kw.at(at) if load.pv_kw is not None else 0.0
    return total_kw if phase == KW_ROW else units.kw_to_a(total_kw, site.voltage_v, 3)
