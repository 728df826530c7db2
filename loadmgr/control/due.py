"""When a target leaves as a setpoint: decreases when they matter, increases at their pace, renewals in time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr import units
from loadmgr.control import ladder
from loadmgr.control import state as state_tools
from loadmgr.control.evse_state import EvseState, Order, Outcome, delivered_kw
from loadmgr.control.guard import Lane
from loadmgr.control.state import SiteState
from loadmgr.domain.traits import Expiry, Traits

RETRY_UNKNOWN_S = 2.0
RETRY_REFUSED_S = 10.0
RETRY_REFUSED_MAX_S = 300.0
RESEND_S = 15.0
"""After a pause a charger with that trait gets its limit once more this much later [G-5]."""
ENDLESS_S = 30 * 86_400.0
"""Life of a profile in a charger that goes to full power when one ends [A-131]; it is replaced, never awaited."""
EPSILON_A = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an EVSE shall go. ``must``: a limit demands it, so no comfort rule may hold it up.

    ``power_kw`` is set for a session that can deliver: negative delivers, and then ``current_a`` is zero.
    """

    lane: Lane
    current_a: float
    must: bool
    bound_by: str
    power_kw: float | None = None


def order_a(state: SiteState, lane: Lane) -> float:
    """The last order that stands; without one, the rest current."""
    order = state.evses[lane.evse.id].last_order
    return lane.rest_a if order is None else order.setpoint.current_a


def life_s(state: SiteState, traits: Traits) -> float:
    """How long a live profile holds in a charger."""
    if traits.expiry in {Expiry.UNLIMITED, Expiry.HOLD}:
        return ENDLESS_S
    return traits.setpoint_s if traits.setpoint_s is not None else state.params.setpoint_s


def is_due(state: SiteState, target: Target, now: datetime) -> bool:
    """Send now?"""
    known = state.evses[target.lane.evse.id]
    order = known.last_order
    if _must_wait(state, known, now):
        return False
    if known.awaits_profile:
        return True
    if order is None or now >= order.setpoint.valid_until:
        return abs(_signed_a(target) - target.lane.rest_a) > EPSILON_A
    if target.power_kw is not None or order.setpoint.power_kw is not None:
        return _is_power_due(state, target, order, now)
    change_a = target.current_a - order.setpoint.current_a
    deadband_a = max(state.params.deadband_a, state.params.deadband_frac * order.setpoint.current_a)
    crosses_zero = (target.current_a <= 0.0) != (order.setpoint.current_a <= 0.0)
    if change_a < -EPSILON_A and (target.must or crosses_zero or -change_a >= deadband_a):
        return True
    if order.outcome is Outcome.PENDING:
        return False
    if order.outcome is Outcome.UNKNOWN:
        return (now - order.sent_at).total_seconds() >= RETRY_UNKNOWN_S
    if change_a > EPSILON_A and (crosses_zero or change_a >= deadband_a) and _may_increase(state, known, now):
        return True
    return _is_refresh_due(state, target, order, now)


def _signed_a(target: Target) -> float:
    """The target as a current; delivery is negative."""
    if target.power_kw is None or target.power_kw >= 0.0:
        return target.current_a
    lane = target.lane
    return units.kw_to_a(target.power_kw, lane.evse.caps.voltage_v, lane.n_used)


def _is_power_due(state: SiteState, target: Target, order: Order, now: datetime) -> bool:
    """For a session that is told its power: less of either direction at once, more at its pace."""
    known, lane = state.evses[target.lane.evse.id], target.lane
    told, wanted = order.setpoint.power_kw, target.power_kw
    if told is None or wanted is None:
        return order.outcome is not Outcome.PENDING  # the session changes its mode
    deadband_kw = units.a_to_kw(state.params.deadband_a, lane.evse.caps.voltage_v, lane.n_used)
    deadband_kw = max(deadband_kw, state.params.deadband_frac * abs(told))
    change_kw = abs(wanted - told)
    turns = wanted * told < 0.0 or ((wanted == 0.0) != (told == 0.0))
    is_cut = abs(wanted) < abs(told) or wanted * told < 0.0
    must = target.must if told > 0.0 else -wanted < delivered_kw(known, now) - EPSILON_A
    if is_cut and change_kw > EPSILON_A and (must or turns or change_kw >= deadband_kw):
        return True
    if order.outcome is Outcome.PENDING:
        return False
    if order.outcome is Outcome.UNKNOWN:
        return (now - order.sent_at).total_seconds() >= RETRY_UNKNOWN_S
    if change_kw > EPSILON_A and (turns or change_kw >= deadband_kw) and _may_grow(state, target, order, now):
        return True
    return _is_refresh_due(state, target, order, now)


def _may_grow(state: SiteState, target: Target, order: Order, now: datetime) -> bool:
    """More of either direction at its pace; delivery also rests after a cut, so that it does not saw [F-41]."""
    if target.power_kw is not None and target.power_kw < 0.0:
        return (now - order.sent_at).total_seconds() >= state.params.increase_interval_s
    return _may_increase(state, state.evses[target.lane.evse.id], now)


def _must_wait(state: SiteState, known: EvseState, now: datetime) -> bool:
    """After a refusal the next form is tried at once; when all were refused the tries back off: 10 s ... 300 s [B21]."""
    if known.n_refused == 0 or known.refused_at is None:
        return False
    forms = state_tools.forms_of(state, known.id)
    if not ladder.is_lap_over(forms, known.n_refused):
        return False
    laps = known.n_refused // len(forms)
    wait_s = min(RETRY_REFUSED_S * 2.0 ** (laps - 1), RETRY_REFUSED_MAX_S)
    return (now - known.refused_at).total_seconds() < wait_s


def _may_increase(state: SiteState, known: EvseState, now: datetime) -> bool:
    if known.increased_at is None:
        return True
    return (now - known.increased_at).total_seconds() >= state.params.increase_interval_s


def _is_refresh_due(state: SiteState, target: Target, order: Order, now: datetime) -> bool:
    """Renew a setpoint that shall stay. One that equals the rest current may expire."""
    traits = state.chargers.traits_of(target.lane.evse.station)
    age_s = (now - order.sent_at).total_seconds()
    known = state.evses[target.lane.evse.id]
    if traits.needs_resend_after_pause and known.on_since == order.sent_at and age_s >= RESEND_S:
        return True
    refresh_s = state.params.refresh_s
    if traits.setpoint_s is not None and life_s(state, traits) == traits.setpoint_s:
        refresh_s = traits.setpoint_s / 2.0
    if age_s < refresh_s:
        return False
    return abs(_signed_a(target) - target.lane.rest_a) > EPSILON_A
