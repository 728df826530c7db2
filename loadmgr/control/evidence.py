"""What a live sample proves about one EVSE: obedience, a car's own limit, a competing controller, a frozen meter."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from loadmgr.control.evse_state import EvseState, Outcome, delivered_kw, ordered_a
from loadmgr.domain import events as ev
from loadmgr.domain.params import ControlParams
from loadmgr.domain.samples import Quality
from loadmgr.domain.site import Evse

SPARE_A = 1.0
SPARE_S = 30.0
"""A car that leaves more than ``SPARE_A`` (or a tenth) of its offer unused for this long shows its own limit [G-111]."""

SLACK_A = 1.2
"""Kept above what a car takes, so that one that takes more shows it."""

BACK_KW, BACK_FRAC = 0.3, 0.05
"""How far measured delivery may lie above what was ordered."""

PROBE_S = 180.0
PROBE_A = 4.0
PROBE_FRAC = 0.25
"""How often and how far above a car's shown limit it is offered more, to see whether the limit still stands."""

OFFER_A = 0.5
"""An offer this much above the limit still proves it (rule H.1)."""

FROZEN_N = 10
"""So many equal readings of a drawing car after a decrease are no readings [G-99]."""

DRAWING_A = 1.0
"""Above this current per phase a car draws [C-4]."""


def with_sample(state: EvseState, event: ev.MeterSample, params: ControlParams, evse: Evse, rest_a: float) -> EvseState:
    """A live sample: evidence for obedience, for the end of settling, and for a car that takes less."""
    if event.quality is Quality.HISTORY:
        return state
    if state.sample is not None and event.measured_at < state.sample.measured_at:
        return state  # late sample: keep the newer one
    if event.measured.current_a is None and event.measured.power_kw is None:
        return state
    n_same = state.n_same + 1 if _is_repeated(state, event) else 0
    if n_same >= FROZEN_N and _has_order_since(state, n_same * params.sample_interval_s, event.at):
        return replace(state, n_same=n_same)  # a frozen meter says nothing new: what it said last grows old [G-99]
    after = replace(state, sample=event, n_same=n_same)
    drawn_a = max(after.draw_a())
    phases = sum(1 for a in after.draw_a() if a > DRAWING_A)
    after = replace(after, phases_seen=max(phases, after.phases_seen))
    after = _judged(after, event, drawn_a, params, ordered_a(state, event.at, rest_a))
    after = _compared(_proven(after, event, drawn_a), event)
    return _spare(after, event, drawn_a, evse)


def _is_repeated(state: EvseState, event: ev.MeterSample) -> bool:
    """Is a reading of a drawing car equal to the one before in every value?"""
    if state.sample is None or state.sample.measured != event.measured:
        return False
    return max(state.draw_a()) > DRAWING_A and event.measured.energy_kwh is not None


def _has_order_since(state: EvseState, within_s: float, now: datetime) -> bool:
    """Did an accepted order change the limit while the readings stayed the same?"""
    changed = [o.answered_at for o in state.orders if o.is_decrease and o.answered_at is not None]
    return any((now - at).total_seconds() <= within_s for at in changed)


def _proven(state: EvseState, event: ev.MeterSample, drawn_a: float) -> EvseState:
    """Look for evidence that the newest accepted order took effect: what is offered, else what is drawn (rule H.1)."""
    order = next((o for o in reversed(state.orders) if o.outcome is Outcome.ACCEPTED), None)
    if order is None or order.effective_at is not None or order.answered_at is None:
        return state
    if event.measured_at <= order.answered_at:
        return state
    limit_a, offered_a = order.setpoint.current_a, event.measured.offered_a
    if offered_a is not None and offered_a <= limit_a + OFFER_A:
        evidence = "offered"
    elif drawn_a <= limit_a + tolerance_a(limit_a):
        evidence = "measured"
    else:
        return state
    proven = replace(order, effective_at=event.measured_at, evidence=evidence)
    told = state.obedience
    took_s = (event.measured_at - order.answered_at).total_seconds() if order.is_decrease else 0.0
    judged = replace(
        told,
        n_judged=told.n_judged + 1,
        n_obeyed=told.n_obeyed + 1,
        n_decreases=told.n_decreases + order.is_decrease,
        effect_s=told.effect_s + took_s,
    )
    return replace(state, orders=tuple(proven if o is order else o for o in state.orders), obedience=judged)


def _compared(state: EvseState, event: ev.MeterSample) -> EvseState:
    """Since when does the charger say that it offers something else than our order?"""
    order, offered_a = state.last_order, event.measured.offered_a
    is_moving = state.moving_until is not None and event.measured_at < state.moving_until
    if order is None or order.outcome is not Outcome.ACCEPTED or offered_a is None or is_moving:
        return state  # nothing can be compared
    limit_a = order.setpoint.current_a
    if abs(offered_a - limit_a) <= tolerance_a(limit_a):
        return state if state.offer_differs_since is None else replace(state, offer_differs_since=None)
    return replace(state, offer_differs_since=state.offer_differs_since or event.measured_at)


def tolerance_a(limit_a: float) -> float:
    """How far a measured current may lie above its limit before it counts as more: max(1 A, 5 %) [H.1]."""
    return max(1.0, 0.05 * limit_a)


def _judged(state: EvseState, event: ev.MeterSample, drawn_a: float, params: ControlParams, ordered: float) -> EvseState:
    """Does the car obey? Only samples from after the settling time of the last answer speak.

    A car that delivers more than it was ordered disobeys as well.
    """
    back_kw = max(-(event.measured.power_kw or 0.0), 0.0)
    delivers = back_kw > delivered_kw(state, event.at) * (1.0 + BACK_FRAC) + BACK_KW
    if drawn_a <= ordered + tolerance_a(ordered) and not delivers:
        settled = state
        order = state.last_order
        answered = order.answered_at if order is not None else None
        if state.settling_until is not None and answered is not None and event.measured_at > answered:
            settled = replace(state, settling_until=None)
        since = settled.obeys_since or event.measured_at
        healed = (event.measured_at - since).total_seconds() >= params.obey_s
        return replace(
            settled,
            excess_since=None,
            obeys_since=since,
            is_disobedient=settled.is_disobedient and not healed,
        )
    if state.moving_until is not None and event.measured_at < state.moving_until:
        return state
    since = state.excess_since or event.measured_at
    late = (event.measured_at - since).total_seconds() >= params.obey_s
    told = state.obedience
    if late and not state.is_disobedient:
        told = replace(told, n_judged=told.n_judged + 1)
    return replace(state, excess_since=since, obeys_since=None, is_disobedient=state.is_disobedient or late, obedience=told)


def _spare(state: EvseState, event: ev.MeterSample, drawn_a: float, evse: Evse) -> EvseState:
    """Note since when the car takes clearly less than it is offered [G-111]."""
    order = state.last_order
    if state.learned_max_a is not None and drawn_a > state.learned_max_a + SPARE_A:
        state = replace(state, learned_max_a=None)
    if order is None or order.outcome is not Outcome.ACCEPTED or order.setpoint.current_a < evse.caps.current_min_a:
        return replace(state, spare_since=None)
    if drawn_a >= order.setpoint.current_a - max(SPARE_A, 0.1 * order.setpoint.current_a):
        return replace(state, spare_since=None)
    if state.moving_until is not None and event.measured_at < state.moving_until:
        return state
    since = state.spare_since or event.measured_at
    if (event.measured_at - since).total_seconds() < SPARE_S:
        return replace(state, spare_since=since)
    is_new = state.learned_at is None or state.learned_at < since
    return replace(
        state,
        spare_since=since,
        learned_max_a=drawn_a,
        learned_at=event.measured_at if is_new else state.learned_at,
    )


def cap_a(state: EvseState, now: datetime) -> float | None:
    """What to offer a car that showed its own limit, A per phase; ``None`` when it has shown none [G-111].

    A little above what it takes; every ``PROBE_S`` clearly above, until it has shown its limit again.
    """
    if state.learned_max_a is None:
        return None
    is_probe = state.learned_at is not None and (now - state.learned_at).total_seconds() >= PROBE_S
    return state.learned_max_a + (max(PROBE_A, PROBE_FRAC * state.learned_max_a) if is_probe else SLACK_A)
