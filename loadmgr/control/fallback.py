"""Shares without a plan: every car that needs energy wants all it can take; the guard divides what there is [H-3]."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from loadmgr import units
from loadmgr.control.need import Need
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import EvseId, SessionId


def is_plan_fresh(state: SiteState, now: datetime) -> bool:
    """A plan counts while it is younger than ``plan_life_s`` and not made in the future."""
    if state.plan is None:
        return False
    age_s = (now - state.plan.made_at).total_seconds()
    return 0.0 <= age_s <= state.params.plan_life_s


def wanted_by_plan(state: SiteState, needs: Mapping[SessionId, Need], now: datetime) -> dict[SessionId, float]:
    """Current per phase that the plan in force gives each session now, A; sessions it does not know are left out."""
    plan = state.plan
    if plan is None:
        return {}
    step = plan.step_at(now)
    if step is None:
        return {}
    wanted = {}
    for index, session in enumerate(plan.sessions):
        need = needs.get(session)
        if need is None:
            continue
        voltage_v = state.site.evses[need.session.evse].caps.voltage_v
        power_kw = max(plan.power_kw[index][step], 0.0)  # a charging profile cannot ask for less than nothing
        wanted[session] = units.kw_to_a(power_kw, voltage_v, need.n_phases)
    return wanted


def planned_kw(state: SiteState, now: datetime) -> dict[EvseId, float]:
    """Power that a fresh plan gives each EVSE now, kW; negative delivers. Empty without a fresh plan."""
    plan = state.plan
    if plan is None or not is_plan_fresh(state, now):
        return {}
    step = plan.step_at(now)
    if step is None:
        return {}
    return {evse: power[step] for evse, power in zip(plan.evses, plan.power_kw, strict=True)}


def wanted_by_rule(state: SiteState, needs: Mapping[SessionId, Need]) -> dict[SessionId, float]:
    """Current per phase that each session could take, A: the rule's wish when there is no fresh plan."""
    return {
        session: units.kw_to_a(need.power_max_kw, state.site.evses[need.session.evse].caps.voltage_v, need.n_phases)
        for session, need in needs.items()
        if need.is_open
    }
