"""From wishes to setpoints: decreases leave at once, increases only into room that is free for certain [F-42]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr import units
from loadmgr.control import guard
from loadmgr.control.evse_state import EvseState, Order, Outcome
from loadmgr.control.fallback import is_plan_fresh, wanted_by_plan, wanted_by_rule
from loadmgr.control.guard import Budget, Lane, Wish
from loadmgr.control.need import Need, need_of
from loadmgr.control.rows import Age
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.plan import Setpoint

SENSE_A = 0.5
"""A wish below this is no wish for a car that is paused."""

RETRY_UNKNOWN_S = 2.0
RETRY_REFUSED_S = 10.0
RETRY_REFUSED_MAX_S = 300.0
EPSILON_A = 1e-6
MARGIN_USE = 0.5
"""Orders in force may eat this part of the margin before a small decrease becomes a must: it damps meter noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """Where an EVSE shall go. ``must``: a limit demands it, so no comfort rule may hold it up."""

    lane: Lane
    current_a: float
    must: bool
    bound_by: str


def needs_of(state: SiteState, now: datetime) -> dict[SessionId, Need]:
    """What every running session still needs."""
    return {s.id: need_of(state, s, now) for s in state.sessions.values()}


def to_setpoints(state: SiteState, now: datetime) -> tuple[Setpoint, ...]:
    """The setpoints to send at ``now``, decreases first; the numbers continue ``state.last_no``."""
    active = guard.lanes(state, now)
    bound = guard.budgets(state, now, active)
    needs = needs_of(state, now)
    wishes = _wishes(state, active, needs, now)
    values = guard.allocate(active, bound, wishes)
    targets = _released(state, active, bound, (values, wishes))
    due = [t for t in targets if _is_due(state, t, now)]
    due.sort(key=lambda t: (t.current_a >= _order_a(state, t.lane), t.lane.evse.id))
    life = timedelta(seconds=state.params.setpoint_s)
    return tuple(
        Setpoint(
            no=state.last_no + 1 + index,
            evse=target.lane.evse.id,
            current_a=target.current_a,
            n_phases=target.lane.evse.caps.n_phases,
            made_at=now,
            valid_until=now + life,
            transaction=target.lane.session.transaction if target.lane.session is not None else "",
            bound_by=target.bound_by,
        )
        for index, target in enumerate(due)
    )


def _wishes(state: SiteState, active: Sequence[Lane], needs: Mapping[SessionId, Need], now: datetime) -> list[Wish]:
    """What the plan (or the rule without a fresh one) wants, in the order in which minima are given."""
    fresh = is_plan_fresh(state, now)
    wanted = wanted_by_plan(state, needs, now) if fresh else wanted_by_rule(state, needs)
    found = []
    for lane in active:
        if not lane.is_controllable or lane.session is None:
            continue
        need = needs[lane.session.id]
        known = state.evses[lane.evse.id]
        # A session that the plan does not know yet keeps what it has; its plan is a moment away.
        value_a = min(wanted.get(lane.session.id, _order_a(state, lane)), lane.evse.caps.current_max_a)
        if need.power_max_kw <= 0.0:
            value_a = 0.0
        if lane.rest_a >= lane.evse.caps.current_min_a and _plan_binding(state, lane) != "price":
            value_a = max(value_a, lane.rest_a)  # a lost link would give it that anyway: to pause it frees nothing
        value_a = _lifted(value_a, known, lane, state, now) if need.is_open else 0.0
        found.append(Wish(lane=lane, wanted_a=value_a, order=_order_of(state, known, need, now)))
    return found


def _lifted(value_a: float, known: EvseState, lane: Lane, state: SiteState, now: datetime) -> float:
    """Zero or at least the minimum; a car that was just switched on stays on, one just switched off stays off."""
    minimum_a = lane.evse.caps.current_min_a
    is_on = known.on_since is not None
    if is_on and known.on_since is not None and (now - known.on_since).total_seconds() < state.params.min_on_s:
        return max(value_a, minimum_a)
    if not is_on and known.increased_at is not None and known.off_since is not None:
        if (now - known.off_since).total_seconds() < state.params.min_off_s:
            return 0.0
    if value_a < SENSE_A:
        return 0.0
    return max(value_a, minimum_a)


def _order_of(state: SiteState, known: EvseState, need: Need, now: datetime) -> tuple[float | str, ...]:
    """Who gets a minimum first: cars just switched on, then priority, then whoever is in its turn, then the longest
    wait. A car whose turn is over goes behind everybody who waits.
    """
    params = state.params
    on_s = (now - known.on_since).total_seconds() if known.on_since is not None else -1.0
    is_fixed = 0.0 <= on_s < params.min_on_s
    in_turn = 0.0 <= on_s < params.rotation_s
    if in_turn:
        rank, wait = 0.0, -on_s
    elif known.on_since is None:
        since = known.off_since or need.session.started_at
        rank, wait = 1.0, since.timestamp()
    else:
        rank, wait = 2.0, known.on_since.timestamp()
    return (0.0 if is_fixed else 1.0, -need.priority, rank, wait, known.id)


def _released(
    state: SiteState,
    active: Sequence[Lane],
    bound: Sequence[Budget],
    allotted: tuple[Mapping[EvseId, float], Sequence[Wish]],
) -> list[Target]:
    """Clip every increase to the room that stays when all orders in force are drawn in full."""
    values, wishes = allotted
    guard.count(active, bound, {x.evse.id: _order_a(state, x) for x in active if x.is_controllable})
    is_over = any(b.used > b.capacity + MARGIN_USE * b.margin + EPSILON_A for b in bound)
    guard.count(active, bound, {})
    targets = []
    for wish in sorted(wishes, key=lambda w: w.order):
        lane = wish.lane
        caps = lane.evse.caps
        value_a = values[lane.evse.id]
        binding = _binding(lane) if value_a < wish.wanted_a - EPSILON_A else _plan_binding(state, lane)
        if value_a > lane.now_a:
            room = max(guard.room_a(lane, lane.now_a), 0.0)
            if any(b.age >= Age.HELD for b in lane.rows):
                room = 0.0
            value_a = units.round_down(min(value_a, lane.now_a + room), caps.current_step_a)
            if value_a < caps.current_min_a:
                value_a = 0.0
            guard.take(lane, lane.now_a, max(value_a, lane.now_a))
        targets.append(Target(lane=lane, current_a=value_a, must=is_over, bound_by=binding))
    return targets


def _binding(lane: Lane) -> str:
    """Name of the fullest row of a lane."""
    if not lane.rows:
        return "evse"
    return min(lane.rows, key=lambda b: b.room / lane.unit(b.row.phase)).row.name


def _plan_binding(state: SiteState, lane: Lane) -> str:
    if state.plan is None or lane.session is None:
        return "evse"
    return next((b.name for b in state.plan.bindings if b.session == lane.session.id), "evse")


def _order_a(state: SiteState, lane: Lane) -> float:
    """The last order that stands; without one, the rest current."""
    order = state.evses[lane.evse.id].last_order
    return lane.rest_a if order is None else order.setpoint.current_a


def _is_due(state: SiteState, target: Target, now: datetime) -> bool:
    """Send now? Decreases when they matter, increases at their pace, refreshes before the charger forgets."""
    known = state.evses[target.lane.evse.id]
    order = known.last_order
    if _must_wait(known, now):
        return False
    if order is None or now >= order.setpoint.valid_until:
        return abs(target.current_a - target.lane.rest_a) > EPSILON_A
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


def _must_wait(known: EvseState, now: datetime) -> bool:
    """After a refusal the next try backs off: 10 s, 20 s, ... 300 s [B21]."""
    if known.n_refused == 0 or known.refused_at is None:
        return False
    wait_s = min(RETRY_REFUSED_S * 2.0 ** (known.n_refused - 1), RETRY_REFUSED_MAX_S)
    return (now - known.refused_at).total_seconds() < wait_s


def _may_increase(state: SiteState, known: EvseState, now: datetime) -> bool:
    if known.increased_at is None:
        return True
    return (now - known.increased_at).total_seconds() >= state.params.increase_interval_s


def _is_refresh_due(state: SiteState, target: Target, order: Order, now: datetime) -> bool:
    """Renew a setpoint that shall stay. One that equals the rest current may expire."""
    if (now - order.sent_at).total_seconds() < state.params.refresh_s:
        return False
    return abs(target.current_a - target.lane.rest_a) > EPSILON_A
