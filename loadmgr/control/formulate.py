"""Snapshot → ChargingProblem: the same things as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import numpy as np
from numpy.typing import NDArray

from loadmgr.control.capacity import CapacityRow
from loadmgr.control.need import Need
from loadmgr.control.snapshot import Snapshot
from loadmgr.domain.ids import EvseId
from solvers import Batteries, ChargingProblem, DemandCharges, Phasors, PolicyWeights, Tracked

Floats = NDArray[np.float64]
SECONDS_PER_HOUR = 3600.0
WISH = 3.0
"""Price of a kWh above a wish as a multiple of the price level; a promise costs at least ten times it."""
KW_PER_A = 0.69
"""The most that an ampere of a phase carries: three phases of 230 V."""
UNBOUND = 1e9
"""Steps in which a limit does not hold bind nothing; a large number keeps the arrays finite."""


def to_problem(snapshot: Snapshot) -> ChargingProblem:
    """Axes: S open sessions in the order of their EVSEs, T steps, R capacity rows with at least one member."""
    rows = used_rows(snapshot)
    index = {need.session.evse: s for s, need in enumerate(snapshot.needs)}
    n_steps = len(snapshot.steps)
    pv_kw = _pv(snapshot)
    store_of = {s: need for s, need in enumerate(snapshot.needs) if _is_tracked(need)}
    return ChargingProblem(
        session_keys=tuple(str(need.session.id) for need in snapshot.needs),
        step_h=np.array([length_s for _, length_s in snapshot.steps]) / SECONDS_PER_HOUR,
        first_step=int(snapshot.now.timestamp() // snapshot.steps[0][1]),
        power_max_kw=_power_max(snapshot),
        need_kwh=_column([n.energy_kwh for n in snapshot.needs]),
        room_kwh=_column([_room_kwh(n) for n in snapshot.needs]),
        efficiency=_column([n.store.efficiency if n.store and n.is_bidirectional else 1.0 for n in snapshot.needs]),
        promised_kwh=_column([min(n.promised_kwh, max(n.energy_kwh, 0.0)) for n in snapshot.needs]),
        priority=_column([n.priority for n in snapshot.needs]),
        present_kw=_present(snapshot),
        row_coef=_coef(rows, index),
        row_limit=_matrix([_finite(row.limit) for row in rows], n_steps),
        row_lower=_lower(rows, n_steps),
        curtail_coef=_curtail(rows, n_steps),
        row_names=tuple(row.name for row in rows),
        row_soft_price=_soft_prices(snapshot, rows),
        base_kw=np.array(snapshot.net_base_kw) + snapshot.fixed_kw + pv_kw,
        pv_kw=pv_kw,
        import_limit_kw=np.full(n_steps, np.inf),
        export_limit_kw=_column(snapshot.export_limit_kw) if snapshot.export_limit_kw else np.full(n_steps, np.inf),
        import_price_per_kwh=np.array(snapshot.import_price),
        export_price_per_kwh=np.full(n_steps, snapshot.export_price),
        carbon_price_per_kwh=_column(snapshot.carbon_price),
        tracked=_tracked(snapshot, store_of) if store_of else None,
        batteries=_batteries(snapshot, rows) if snapshot.batteries else None,
        phasors=_phasors(snapshot, index),
        demand=_demand(snapshot) if snapshot.demand else None,
        options=PolicyWeights(sooner_weight=snapshot.params.sooner_weight, change_weight=snapshot.params.change_weight),
    )


def _present(snapshot: Snapshot) -> Floats:
    """(S,) power of the orders in force; a change of delivery counts like one of charging."""
    pairs = zip(snapshot.needs, snapshot.present_kw, strict=True)
    return _column([need.told_kw if need.told_kw < 0.0 else present_kw for need, present_kw in pairs])


def _coef(rows: list[CapacityRow], index: Mapping[EvseId, int]) -> Floats:
    found = np.zeros((len(rows), len(index)))
    for r, row in enumerate(rows):
        for evse, per_kw in row.members:
            found[r, index[evse]] = per_kw
    return found


def _pv(snapshot: Snapshot) -> Floats:
    return np.array(snapshot.pv_kw) if any(snapshot.pv_kw) else np.zeros(len(snapshot.steps))


def used_rows(snapshot: Snapshot) -> list[CapacityRow]:
    """The rows that have a member, in the order of the problem's R axis."""
    return [row for row in snapshot.rows if (row.members or row.batteries) and not row.angles]


def magnitude_rows(snapshot: Snapshot) -> list[CapacityRow]:
    """The rows that bound the magnitude of a phasor sum, in the order of the problem's Q axis: one per line of a node."""
    found: dict[str, CapacityRow] = {}
    for row in snapshot.rows:
        known = found.get(row.name)
        if row.angles and known is None:
            found[row.name] = row
        elif row.angles and known is not None:
            limit = tuple(min(a, b) for a, b in zip(known.limit, row.limit, strict=True))
            tighter = row if row.limit[0] < known.limit[0] else known
            found[row.name] = replace(tighter, limit=limit)
    return list(found.values())


def _phasors(snapshot: Snapshot, index: Mapping[EvseId, int]) -> Phasors | None:
    """What is not ours is taken off the limits: its angle is not known."""
    rows, n_steps = magnitude_rows(snapshot), len(snapshot.steps)
    if not rows:
        return None
    coef = np.zeros((len(rows), len(index)), dtype=np.complex128)
    for q, row in enumerate(rows):
        for evse, per_kw in row.angles:
            coef[q, index[evse]] = per_kw
    return Phasors(
        names=tuple(row.name for row in rows),
        coef=coef,
        base_a=np.zeros((len(rows), n_steps), dtype=np.complex128),
        limit_a=_matrix([_finite(row.limit) for row in rows], n_steps),
    )


def _is_tracked(need: Need) -> bool:
    return need.store is not None and (need.is_bidirectional or need.store.taper is not None)


def _room_kwh(need: Need) -> float:
    if need.store is not None and need.is_bidirectional:
        return max(need.store.capacity_kwh - need.store.stored_kwh, need.energy_kwh, 0.0)
    return need.energy_kwh


def _column(values: list[float] | tuple[float, ...]) -> Floats:
    return np.array(values, dtype=np.float64)


def _matrix(rows: list[Floats], n_steps: int) -> Floats:
    return np.array(rows, dtype=np.float64).reshape(len(rows), n_steps)


def _finite(values: tuple[float, ...]) -> Floats:
    found: Floats = np.minimum(np.array(values, dtype=np.float64), UNBOUND)
    return found


def _lower(rows: list[CapacityRow], n_steps: int) -> Floats:
    if all(row.lower is None for row in rows):
        return np.zeros(0)
    return _matrix([np.array(row.lower) if row.lower is not None else np.full(n_steps, -np.inf) for row in rows], n_steps)


def _soft_prices(snapshot: Snapshot, rows: list[CapacityRow]) -> Floats:
    """Money per unit and hour of excess: above all that exceeding a wish could save, below what a promise is worth."""
    level = max((abs(p) for p in snapshot.import_price), default=0.0)
    per_kwh = WISH * max(level, 1.0)
    price = [per_kwh * (1.0 if row.name.endswith("/kW (wish)") else KW_PER_A) for row in rows]
    return np.where([row.is_soft for row in rows], price, np.inf)


def _curtail(rows: list[CapacityRow], n_steps: int) -> Floats:
    if not any(row.curtail for row in rows):
        return np.zeros(0)
    return _matrix([np.array(row.curtail) if row.curtail else np.zeros(n_steps) for row in rows], n_steps)


def _power_max(snapshot: Snapshot) -> Floats:
    """(S, T) kW: full power inside the stay, the fraction of it in the step in which the car leaves, then zero."""
    found = np.zeros((len(snapshot.needs), len(snapshot.steps)))
    for s, need in enumerate(snapshot.needs):
        found[s] = need.power_max_kw * _inside(need, snapshot)
    return found


def _inside(need: Need, snapshot: Snapshot) -> Floats:
    """(T,) part of each step that lies inside the stay."""
    offsets = np.array([offset_s for offset_s, _ in snapshot.steps])
    lengths = np.array([length_s for _, length_s in snapshot.steps])
    stay_s = max((need.depart_at - snapshot.now) / timedelta(seconds=1), 1.0)
    found: Floats = np.clip((stay_s - offsets) / lengths, 0.0, 1.0)
    return found


def _tracked(snapshot: Snapshot, store_of: Mapping[int, Need]) -> Tracked:
    needs = list(store_of.values())
    stores = [need.store for need in needs if need.store is not None]
    wear = snapshot.params.v2g_wear_per_kwh
    discharge = [need.store.discharge_max_kw * _inside(need, snapshot) for need in needs if need.store is not None]
    return Tracked(
        session=np.array(list(store_of), dtype=np.int64),
        stored_kwh=_column([s.stored_kwh for s in stores]),
        reserve_kwh=_column([s.reserve_kwh for s in stores]),
        discharge_max_kw=np.array(discharge),
        discharge_efficiency=_column([s.efficiency for s in stores]),
        wear_price_per_kwh=_column([wear if s.discharge_max_kw > 0 else 0.0 for s in stores]),
        taper_kw=np.array([[s.taper[0] if s.taper is not None else np.inf] for s in stores]),
        taper_per_kwh=np.array([[s.taper[1] if s.taper is not None else 0.0] for s in stores]),
    )


def _batteries(snapshot: Snapshot, rows: list[CapacityRow]) -> Batteries:
    known = [battery for battery, _ in snapshot.batteries]
    place = {battery.id: b for b, battery in enumerate(known)}
    coef = np.zeros((len(rows), len(known)))
    for r, row in enumerate(rows):
        for name, per_kw in row.batteries:
            coef[r, place[name]] = per_kw
    usual = float(np.mean(snapshot.import_price))
    return Batteries(
        names=tuple(b.id for b in known),
        charge_max_kw=_column([b.charge_max_kw for b in known]),
        discharge_max_kw=_column([b.discharge_max_kw for b in known]),
        stored_kwh=_column([stored for _, stored in snapshot.batteries]),
        floor_kwh=_column([b.floor_frac * b.capacity_kwh for b in known]),
        capacity_kwh=_column([b.capacity_kwh for b in known]),
        efficiency=_column([b.efficiency for b in known]),
        discharge_efficiency=_column([b.discharge_efficiency for b in known]),
        wear_price_per_kwh=_column([b.wear_per_kwh for b in known]),
        end_value_per_kwh=_column(
            [usual * b.discharge_efficiency if b.end_value_per_kwh is None else b.end_value_per_kwh for b in known]
        ),
        row_coef=coef,
    )


def _demand(snapshot: Snapshot) -> DemandCharges:
    return DemandCharges(
        names=tuple(d.name for d in snapshot.demand),
        price_per_kw=_column([d.price_per_kw for d in snapshot.demand]),
        incurred_kw=_column([d.incurred_kw for d in snapshot.demand]),
        holds=np.array([d.counts for d in snapshot.demand], dtype=np.float64),
    )
