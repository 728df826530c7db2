"""From wishes to setpoints: decreases leave at once, increases only into room that is free for certain [F-42]."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from math import inf

from loadmgr import units
from loadmgr.control import backflow, charger_state, floors, guard, ladder, v2x
from loadmgr.control import state as state_tools
from loadmgr.control.charger_state import STANDARD
from loadmgr.control.due import EPSILON_A, Target, is_due, life_s, order_a
from loadmgr.control.evse_state import EvseState, Outcome
from loadmgr.control.fallback import is_plan_fresh, planned_kw, wanted_by_plan, wanted_by_rule
from loadmgr.control.guard import Budget, Lane, Wish
from loadmgr.control.need import Need, need_of
from loadmgr.control.rows import Age
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Kind, ProfileForm, added_s

SENSE_A = 0.5
"""A wish below this is no wish for a car that is paused."""

SILENT_S = 5.0
"""A decrease that is not answered for so long is not counted on."""

MARGIN_USE = 0.5
"""Orders in force may eat this part of the margin before a small decrease becomes a must: it damps meter noise."""


def needs_of(state: SiteState, now: datetime) -> dict[SessionId, Need]:
    """What every running session still needs."""
    return {s.id: need_of(state, s, now) for s in state.sessions.values()}


@dataclass(frozen=True, slots=True, kw_only=True)
class Orders:
    """Setpoints to send, decreases first, and the EVSEs that only a remote stop can pause now."""

    setpoints: tuple[Setpoint, ...]
    pauses: tuple[EvseId, ...] = ()


def to_setpoints(state: SiteState, now: datetime) -> tuple[Setpoint, ...]:
    """The setpoints to send at ``now``; see ``to_orders``."""
    return to_orders(state, now).setpoints


def to_orders(state: SiteState, now: datetime) -> Orders:
    """What to order at ``now``; the numbers of setpoints continue ``state.last_no``."""
    active = guard.lanes(state, now)
    bound = guard.budgets(state, now, active)
    needs = needs_of(state, now)
    wishes = _wishes(state, active, needs, now)
    values = _beside_stuck(state, active, bound, wishes, now)
    targets = [*_released(state, active, bound, (values, wishes)), *_withheld(state, active)]
    ordered = [_with_delivery(state, t) for t in targets]
    if any(t.power_kw is not None for t in ordered):
        ordered = _bounded(state, ordered, now)
    stopped = [t for t in ordered if _needs_stop(state, t)]
    due = [t for t in ordered if t not in stopped and is_due(state, t, now)]
    due.sort(key=lambda t: (t.current_a >= order_a(state, t.lane), t.lane.evse.id))
    return Orders(
        setpoints=tuple(_setpoint(state, target, state.last_no + 1 + index, now) for index, target in enumerate(due)),
        pauses=tuple(t.lane.evse.id for t in stopped),
    )


def _beside_stuck(
    state: SiteState, active: Sequence[Lane], bound: Sequence[Budget], wishes: Sequence[Wish], now: datetime
) -> dict[EvseId, float]:
    """The shares. Who does not come down to its share is told it again and again, but meanwhile the others share what it
    leaves: a charger that refused in every form or is slow to answer, or a car that draws more than it may
    [B21, D-1, G-2, G-47, G-112].
    """
    values = guard.allocate(active, bound, wishes)
    stuck = [x for x in active if x.is_controllable and values[x.evse.id] < x.now_a and _is_stuck(state, x, now)]
    if not stuck:
        return values
    for lane in stuck:
        lane.is_controllable = False
    beside = guard.allocate(active, bound, [w for w in wishes if w.lane not in stuck])
    for lane in stuck:
        lane.is_controllable = True
    return values | beside


def _is_stuck(state: SiteState, lane: Lane, now: datetime) -> bool:
    known = state.evses[lane.evse.id]
    order = known.last_order
    if order is not None and order.outcome is not Outcome.ACCEPTED and (now - order.sent_at).total_seconds() >= SILENT_S:
        return True
    return known.excess_since is not None or known.n_refused >= len(state_tools.forms_of(state, lane.evse.id))


def _needs_stop(state: SiteState, target: Target) -> bool:
    """Shall a running car draw nothing at a charger that only a remote stop pauses?"""
    is_running = floors.floor_a(state, target.lane.evse.id) > 0.0
    return target.current_a <= 0.0 and is_running and floors.is_stoppable(state, target.lane.evse.id)


def _setpoint(state: SiteState, target: Target, no: int, now: datetime) -> Setpoint:
    """The order that a target becomes, dressed as its charger takes it."""
    lane = target.lane
    evse, known = lane.evse, state.evses[lane.evse.id]
    traits = state.chargers.traits_of(evse.station)
    form = form_of(state, target)
    return Setpoint(
        no=no,
        evse=evse.id,
        current_a=target.current_a,
        n_phases=evse.caps.n_phases,
        made_at=now,
        valid_until=now + timedelta(seconds=life_s(state, traits)),
        transaction=lane.session.transaction if lane.session is not None else "",
        bound_by=target.bound_by,
        form=form,
        power_kw=target.power_kw,
        voltage_v=evse.caps.voltage_v,
        lasts_s=max(added_s(traits) - STANDARD.start_before_s, 0.0),
        is_update=_is_update(known, form, target, now),
    )


def form_of(state: SiteState, target: Target) -> ProfileForm:
    """How to dress the next order of an EVSE."""
    evse = target.lane.evse
    form = ladder.form_at(state_tools.forms_of(state, evse.id), state.evses[evse.id].form_no)
    if target.power_kw is not None:
        is_dynamic = state.chargers.traits_of(evse.station).supports_dynamic
        return replace(form, unit="W", kind=Kind.DYNAMIC if is_dynamic else Kind.ABSOLUTE)
    return replace(form, has_phases=False) if state.evses[evse.id].has_no_phases else form


def _is_update(known: EvseState, form: ProfileForm, target: Target, now: datetime) -> bool:
    """Is the same dynamic profile in force, so that its values are enough [A.12]?"""
    order = known.last_order
    if form.kind is not Kind.DYNAMIC or order is None or order.outcome is not Outcome.ACCEPTED:
        return False
    mine = target.lane.session.transaction if target.lane.session is not None else ""
    same = order.setpoint.form == form and order.setpoint.transaction == mine and order.setpoint.power_kw is not None
    return same and now < order.setpoint.valid_until


def _withheld(state: SiteState, active: Sequence[Lane]) -> list[Target]:
    """A charger that does not obey counts at its maximum and is told zero again and again [G-112]."""
    return [
        Target(lane=lane, current_a=0.0, must=True, bound_by="disobeys")
        for lane in active
        if lane.session is not None
        and state.evses[lane.evse.id].is_disobedient
        and state.stations[lane.evse.station].is_connected
    ]


def _with_delivery(state: SiteState, target: Target) -> Target:
    """A session that can be asked to deliver is always told its power, so that its operation mode stays one [Q03]."""
    session = target.lane.session
    if session is None or not v2x.is_capable(state, session):
        return target
    lane = target.lane
    return replace(target, power_kw=units.a_to_kw(target.current_a, lane.evse.caps.voltage_v, lane.n_used))


def _bounded(state: SiteState, targets: Sequence[Target], now: datetime) -> list[Target]:
    """Delivery that the plan wants and every limit allows, for the cars that are not to charge."""
    resting = {t.lane.evse.id for t in targets if t.power_kw is not None and t.current_a <= 0.0}
    plan_kw = {e: kw for e, kw in planned_kw(state, now).items() if e in resting}
    allowed = backflow.allocate(state, now, backflow.may_deliver(state, now, plan_kw))
    return [
        replace(t, power_kw=-allowed.get(t.lane.evse.id, 0.0) if t.lane.evse.id in resting else t.power_kw) for t in targets
    ]


def _wishes(state: SiteState, active: Sequence[Lane], needs: Mapping[SessionId, Need], now: datetime) -> list[Wish]:
    """What the plan (or the rule without a fresh one) wants, in the order in which minima are given."""
    fresh = is_plan_fresh(state, now)
    wanted = wanted_by_plan(state, needs, now) if fresh else wanted_by_rule(state, needs)
    planned = planned_kw(state, now) if any(v2x.is_capable(state, s) for s in state.sessions.values()) else {}
    found = []
    for lane in active:
        if not lane.is_controllable or lane.session is None:
            continue
        need = needs[lane.session.id]
        known = state.evses[lane.evse.id]
        # A session that the plan does not know yet keeps what it has; its plan is a moment away.
        value_a = min(wanted.get(lane.session.id, order_a(state, lane)), lane.evse.caps.current_max_a)
        if need.power_max_kw <= 0.0:
            value_a = 0.0
        delivers = planned.get(lane.evse.id, 0.0) < 0.0
        if lane.rest_a >= lane.evse.caps.current_min_a and _plan_binding(state, lane) != "price" and not delivers:
            value_a = max(value_a, lane.rest_a)  # a lost link would give it that anyway: to pause it frees nothing
        if not delivers:
            value_a = _lifted(value_a, known, lane, state, now) if need.is_open else 0.0
        foreign_a = _foreign_a(state, lane, now)  # no comfort rule stands above what others let it have
        if value_a > foreign_a:
            value_a = foreign_a if foreign_a >= lane.evse.caps.current_min_a else 0.0
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


def _foreign_a(state: SiteState, lane: Lane, now: datetime) -> float:
    """What others than us let an EVSE have, A per phase: limits that its station told [A-92]."""
    current_a, power_kw = charger_state.external_a(state.chargers, lane.evse.id, lane.evse.station, now)
    found = inf if current_a is None else current_a
    if power_kw is not None:
        found = min(found, units.kw_to_a(power_kw, lane.evse.caps.voltage_v, lane.n_used))
    return found


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
    guard.count(active, bound, {x.evse.id: order_a(state, x) for x in active if x.is_controllable})
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
    return min(lane.rows, key=lambda b: b.room / lane.units[b.no]).row.name


def _plan_binding(state: SiteState, lane: Lane) -> str:
    if state.plan is None or lane.session is None:
        return "evse"
    return next((b.name for b in state.plan.bindings if b.session == lane.session.id), "evse")
