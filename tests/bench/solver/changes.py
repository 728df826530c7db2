"""What happens to a site between two ticks: meter values, a limit cut, cars that come and go, the next step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import MappingProxyType
from typing import Any

import numpy as np

from solvers import ChargingProblem, Solution
from solvers.parts import Floats
from solvers.problem import _SHAPES

Change = Callable[[ChargingProblem, Solution], tuple[ChargingProblem, ChargingProblem]]
"""A problem and its plan → the problem before the event and the one after it."""

_SESSION_ARRAYS = tuple(name for name, axes in _SHAPES.items() if axes[0] == "S")
_STEP_ARRAYS = tuple(name for name, axes in _SHAPES.items() if axes[-1] == "T")
_TRACKED_ARRAYS = (
    "stored_kwh",
    "reserve_kwh",
    "discharge_max_kw",
    "discharge_efficiency",
    "wear_price_per_kwh",
    "taper_kw",
    "taper_per_kwh",
)
PARTS_DELIVERED = (0.95, 1.0)
BASE_FACTORS = (0.95, 1.05)
CUT = 0.6


def only(problem: ChargingProblem, kept: Any) -> ChargingProblem:
    """The problem of some of its sessions, given as places in the S axis, in their order."""
    kept = np.asarray(kept, dtype=np.int64)
    place = np.full(problem.n_sessions, -1, dtype=np.int64)
    place[kept] = np.arange(kept.size)
    tracked, phasors = problem.tracked, problem.phasors
    if tracked is not None:
        stays = place[tracked.session] >= 0
        sliced = {name: getattr(tracked, name)[stays] for name in _TRACKED_ARRAYS}
        tracked = replace(tracked, session=place[tracked.session[stays]], **sliced)
    if phasors is not None:
        phasors = replace(phasors, coef=phasors.coef[:, kept])
    arrays: dict[str, Any] = {name: getattr(problem, name)[kept] for name in _SESSION_ARRAYS}
    keys = tuple(problem.session_keys[s] for s in kept)
    coef = problem.row_coef[:, kept]
    return replace(problem, session_keys=keys, row_coef=coef, tracked=tracked, phasors=phasors, **arrays)


def _delivered(problem: ChargingProblem, stored_kwh: Floats) -> dict[str, Any]:
    """The fields that change when cars have stored so much (S,) more, or less."""
    need = problem.need_kwh - stored_kwh
    plain = np.ones(problem.n_sessions, dtype=bool)
    tracked = problem.tracked
    if tracked is not None:
        plain[tracked.session] = False
        tracked = replace(tracked, stored_kwh=tracked.stored_kwh + stored_kwh[tracked.session])
    need = np.where(plain, np.maximum(need, 0.0), need)  # the last digits of a full car
    return {"need_kwh": need, "room_kwh": np.maximum(problem.room_kwh - stored_kwh, need), "tracked": tracked}


def meter_values(problem: ChargingProblem, plan: Solution) -> tuple[ChargingProblem, ChargingProblem]:
    """New meter values: cars have got up to 5 % of their need, the base load moved by up to 5 %, the plan is in force."""
    chance = np.random.default_rng(problem.n_sessions)
    stored = problem.need_kwh * (1.0 - chance.uniform(*PARTS_DELIVERED, problem.n_sessions))
    base = problem.base_kw * chance.uniform(*BASE_FACTORS, problem.n_steps)
    return problem, replace(problem, base_kw=base, present_kw=plan.power_kw[:, 0], **_delivered(problem, stored))


def limit_cut(problem: ChargingProblem, plan: Solution) -> tuple[ChargingProblem, ChargingProblem]:
    """All rows fall to 60 %."""
    return problem, replace(problem, row_limit=problem.row_limit * CUT, present_kw=plan.power_kw[:, 0])


def _without_one(problem: ChargingProblem) -> ChargingProblem:
    """Without the first car that can charge now."""
    gone = int(np.argmax(problem.power_max_kw[:, 0] > 0))
    return only(problem, np.delete(np.arange(problem.n_sessions), gone))


def arrival(problem: ChargingProblem, plan: Solution) -> tuple[ChargingProblem, ChargingProblem]:
    """A car arrives and can charge at once."""
    return _without_one(problem), problem


def leaving(problem: ChargingProblem, plan: Solution) -> tuple[ChargingProblem, ChargingProblem]:
    """A car leaves that could have charged now."""
    return problem, _without_one(problem)


def next_step(problem: ChargingProblem, plan: Solution) -> tuple[ChargingProblem, ChargingProblem]:
    """The grid moves one step; the plan's first step has been carried out, the horizon's last step is repeated."""

    def moved(array: Floats) -> Floats:
        return np.concatenate([array[..., 1:], array[..., -1:]], axis=-1)

    h = float(problem.step_h[0])
    stored = problem.efficiency * plan.power_kw[:, 0] * h
    if problem.tracked is not None:
        who = problem.tracked.session
        stored[who] -= plan.discharge_kw[who, 0] * h / problem.tracked.discharge_efficiency
    fields = _delivered(problem, stored)
    if fields["tracked"] is not None:
        fields["tracked"] = replace(fields["tracked"], discharge_max_kw=moved(fields["tracked"].discharge_max_kw))
    arrays: dict[str, Any] = {name: moved(getattr(problem, name)) for name in _STEP_ARRAYS}
    batteries, demand = problem.batteries, problem.demand
    if batteries is not None:
        batteries = replace(batteries, stored_kwh=plan.battery_kwh[:, 0])
    if demand is not None:
        incurred = np.where(demand.holds[:, 0] > 0, np.maximum(demand.incurred_kw, plan.import_kw[0]), demand.incurred_kw)
        demand = replace(demand, incurred_kw=incurred, holds=moved(demand.holds))
    arrays |= fields | {"batteries": batteries, "demand": demand}
    return problem, replace(problem, first_step=problem.first_step + 1, present_kw=plan.power_kw[:, 0], **arrays)


CHANGES: MappingProxyType[str, Change] = MappingProxyType(
    {
        "new meter values": meter_values,
        "limit cut to 60 %": limit_cut,
        "a car arrives": arrival,
        "a car leaves": leaving,
        "the grid moves one step": next_step,
    }
)
