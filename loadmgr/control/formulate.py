"""Snapshot → ChargingProblem: the same things as arrays."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from loadmgr.control.need import Need
from loadmgr.control.snapshot import Snapshot
from solvers import ChargingProblem, PolicyWeights

Floats = NDArray[np.float64]
SECONDS_PER_HOUR = 3600.0


def to_problem(snapshot: Snapshot) -> ChargingProblem:
    """Axes: S open sessions in the order of their EVSEs, T steps, R capacity rows with at least one member."""
    rows = [row for row in snapshot.rows if row.members]
    index = {need.session.evse: s for s, need in enumerate(snapshot.needs)}
    n_sessions, n_steps = len(snapshot.needs), len(snapshot.steps)
    coef = np.zeros((len(rows), n_sessions))
    for r, row in enumerate(rows):
        for evse, per_kw in row.members:
            coef[r, index[evse]] = per_kw
    net_kw = np.array(snapshot.net_base_kw) + snapshot.fixed_kw
    return ChargingProblem(
        session_keys=tuple(str(need.session.id) for need in snapshot.needs),
        step_h=np.array([length_s for _, length_s in snapshot.steps]) / SECONDS_PER_HOUR,
        first_step=int(snapshot.now.timestamp() // snapshot.steps[0][1]),
        power_max_kw=_power_max(snapshot),
        need_kwh=_column([n.energy_kwh for n in snapshot.needs]),
        room_kwh=_column([n.energy_kwh for n in snapshot.needs]),
        efficiency=np.ones(n_sessions),
        priority=_column([n.priority for n in snapshot.needs]),
        present_kw=_column(snapshot.present_kw),
        row_coef=coef,
        row_limit=_matrix([_finite(row.limit) for row in rows], n_steps),
        row_names=tuple(row.name for row in rows),
        row_soft_price=np.full(len(rows), np.inf),
        base_kw=np.maximum(net_kw, 0.0),
        pv_kw=np.maximum(-net_kw, 0.0),
        import_limit_kw=np.full(n_steps, np.inf),
        export_limit_kw=np.full(n_steps, np.inf),
        import_price_per_kwh=np.array(snapshot.import_price),
        export_price_per_kwh=np.full(n_steps, snapshot.export_price),
        options=PolicyWeights(sooner_weight=snapshot.params.sooner_weight, change_weight=snapshot.params.change_weight),
    )


def _column(values: list[float] | tuple[float, ...]) -> Floats:
    return np.array(values, dtype=np.float64)


def _matrix(rows: list[Floats], n_steps: int) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(len(rows), n_steps)


def _finite(values: tuple[float, ...]) -> Floats:
    """Steps in which a limit does not hold bind nothing; a large number keeps the arrays finite."""
    found: Floats = np.minimum(np.array(values, dtype=np.float64), UNBOUND)
    return found


UNBOUND = 1e9


def _power_max(snapshot: Snapshot) -> Floats:
    """(S, T) kW: full power inside the stay, the fraction of it in the step in which the car leaves, then zero."""
    found = np.zeros((len(snapshot.needs), len(snapshot.steps)))
    offsets = np.array([offset_s for offset_s, _ in snapshot.steps])
    lengths = np.array([length_s for _, length_s in snapshot.steps])
    for s, need in enumerate(snapshot.needs):
        stay_s = _stay_s(need, snapshot)
        found[s] = need.power_max_kw * np.clip((stay_s - offsets) / lengths, 0.0, 1.0)
    return found


def _stay_s(need: Need, snapshot: Snapshot) -> float:
    return max((need.depart_at - snapshot.now) / timedelta(seconds=1), 1.0)
