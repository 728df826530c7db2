"""Seeded instances of the whole model: feeder tree, phases, V2G, PV, battery, demand charge, DER limits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from solvers import Batteries, ChargingProblem, DemandCharges, PolicyWeights, Tracked

VOLTAGE_V = 230.0
V2G_SHARE = 0.25
FEEDER_SIZE = 20


def an_instance(n_sessions: int, n_steps: int, seed: int, *, is_plain: bool = False, hours: float = 24.0) -> ChargingProblem:
    """A day of a site with ``n_sessions`` cars, a feeder for every twenty; ``is_plain`` leaves the optional parts out."""
    chance = np.random.default_rng(seed)
    step_h = np.full(n_steps, hours / n_steps)
    begin = np.arange(n_steps) * step_h[0]
    arrive = np.where(chance.random(n_sessions) < 0.4, 0.0, chance.uniform(0.0, 0.6 * hours, n_sessions))
    stay = chance.uniform(2.0, 0.4 * hours, n_sessions)
    inside = (begin >= arrive[:, None]) & (begin < (arrive + stay)[:, None])
    n_phases = chance.choice([1, 3], n_sessions)
    full_kw = np.where(n_phases == 1, 7.36, 11.04)
    need = np.minimum(chance.gamma(2.0, 9.0, n_sessions), 0.9 * full_kw * stay)
    coef, names, ratings = _tree(chance, n_sessions, n_phases)
    base = 8.0 + 0.3 * n_sessions * (1.0 + np.sin((begin - 8.0) / 24.0 * 2 * np.pi)) * chance.uniform(0.9, 1.1, n_steps)
    site_kw = 0.3 * float(full_kw.sum()) + float(base.max())
    problem = ChargingProblem(
        session_keys=tuple(f"car-{i}" for i in range(n_sessions)),
        step_h=step_h,
        first_step=0,
        power_max_kw=np.where(inside, full_kw[:, None], 0.0),
        need_kwh=need,
        room_kwh=need + chance.uniform(0.0, 10.0, n_sessions),
        efficiency=np.full(n_sessions, 0.93),
        priority=chance.choice([1.0, 2.0], n_sessions),
        present_kw=np.where(inside[:, 0], full_kw / 2, 0.0),
        row_coef=coef,
        row_limit=np.repeat(ratings[:, None], n_steps, axis=1),
        row_names=names,
        row_soft_price=np.full(len(names), np.inf),
        base_kw=base,
        pv_kw=np.zeros(n_steps),
        import_limit_kw=np.full(n_steps, site_kw),
        export_limit_kw=np.full(n_steps, 0.2 * site_kw),
        import_price_per_kwh=np.round(0.2 + 0.1 * np.sin(begin / 24 * 4 * np.pi) + chance.normal(0, 0.02, n_steps), 4),
        export_price_per_kwh=np.full(n_steps, 0.08),
        options=PolicyWeights(),
    )
    return problem if is_plain else _with_parts(problem, chance, begin)


def _tree(chance: np.random.Generator, n_sessions: int, n_phases: Any) -> tuple[Any, tuple[str, ...], Any]:
    """Rows of a two-level tree: every phase of every feeder, then of the main fuse."""
    n_feeders = max(1, n_sessions // FEEDER_SIZE)
    feeder = np.arange(n_sessions) * n_feeders // max(n_sessions, 1)
    rotation = chance.integers(0, 3, n_sessions)
    single, three = 1000.0 / VOLTAGE_V, 1000.0 / (3.0 * VOLTAGE_V)
    rows, names, ratings = [], [], []
    for f in [*range(n_feeders), -1]:
        inside = feeder == f if f >= 0 else np.ones(n_sessions, dtype=bool)
        for phase in range(3):
            per_kw = np.where(n_phases == 3, three, np.where(rotation == phase, single, 0.0))
            rows.append(np.where(inside, per_kw, 0.0))
            names.append(f"{'main' if f < 0 else f'feeder-{f}'}/L{phase + 1}")
            ratings.append((0.45 if f >= 0 else 0.35) * float((rows[-1] * np.where(n_phases == 1, 7.36, 11.04)).sum()) + 6.0)
    return np.array(rows), tuple(names), np.array(ratings)


def _with_parts(problem: ChargingProblem, chance: np.random.Generator, begin: Any) -> ChargingProblem:
    n_sessions, n_steps = problem.n_sessions, problem.n_steps
    who = np.nonzero(chance.random(n_sessions) < V2G_SHARE)[0]
    stored = chance.uniform(10.0, 40.0, who.size)
    sun = np.maximum(np.sin((begin - 6.0) / 12.0 * np.pi), 0.0) * (begin >= 6.0) * (begin <= 18.0)
    holds = np.stack([np.ones(n_steps), ((begin >= 16.0) & (begin < 21.0)).astype(float)])
    return replace(
        problem,
        pv_kw=0.4 * n_sessions * sun,
        carbon_price_per_kwh=np.full(n_steps, 0.01),
        room_kwh=np.where(np.isin(np.arange(n_sessions), who), problem.need_kwh + 20.0, problem.room_kwh),
        tracked=Tracked(
            session=who,
            stored_kwh=stored,
            reserve_kwh=np.minimum(stored * 0.6, 12.0),
            discharge_max_kw=problem.power_max_kw[who],
            discharge_efficiency=np.full(who.size, 0.93),
            wear_price_per_kwh=np.full(who.size, 0.03),
            taper_kw=np.full((who.size, 1), 30.0),
            taper_per_kwh=np.full((who.size, 1), 0.3),
        ),
        batteries=Batteries(
            names=("house",),
            charge_max_kw=np.array([0.5 * n_sessions]),
            discharge_max_kw=np.array([0.5 * n_sessions]),
            stored_kwh=np.array([0.5 * n_sessions]),
            floor_kwh=np.array([0.1 * n_sessions]),
            capacity_kwh=np.array([1.0 * n_sessions]),
            efficiency=np.array([0.95]),
            discharge_efficiency=np.array([0.95]),
            wear_price_per_kwh=np.array([0.02]),
            end_value_per_kwh=np.array([0.2]),
            row_coef=np.zeros((problem.n_rows, 1)),
        ),
        demand=DemandCharges(
            names=("all", "peak"),
            price_per_kw=np.array([6.0, 9.0]),
            incurred_kw=np.array([0.8 * float(problem.base_kw.max())] * 2),
            holds=holds,
        ),
    )
