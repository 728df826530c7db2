"""What is known about one EVSE, and the pure steps that change it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from loadmgr.control import ladder
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.session import Session
from loadmgr.domain.site import Evse
from loadmgr.domain.traits import ProfileForm, Purpose

EXPIRY_GRACE = timedelta(seconds=15)
"""A charger's clock may be this late: a setpoint counts that much longer than it says."""


PAUSE_S = 60.0
"""A session that ends this soon after a stop that was to pause it is paused, not over."""


class Outcome(StrEnum):
    """What became of a setpoint."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    UNKNOWN = "unknown"
    """No answer: it may or may not be in force [A03]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """A setpoint that may be in force."""

    setpoint: Setpoint
    sent_at: datetime
    outcome: Outcome = Outcome.PENDING
    answered_at: datetime | None = None
    effective_at: datetime | None = None
    evidence: str = ""
    """``offered`` or ``measured``: what showed that it took effect (rule H.1)."""
    is_decrease: bool = False

    def may_hold_at(self, now: datetime) -> bool:
        """False once the charger must have dropped it, however it reads the schedule's begin [G-9]."""
        return now < self.setpoint.valid_until + EXPIRY_GRACE + timedelta(seconds=self.setpoint.lasts_s)


@dataclass(frozen=True, slots=True, kw_only=True)
class Obedience:
    """How a charger's answers came true. An order is judged when evidence or its absence decides (rule H.1).

    ``effect_s`` is the sum of the times from answer to evidence over the decreases obeyed.
    """

    n_judged: int = 0
    n_obeyed: int = 0
    n_refused: int = 0
    n_unanswered: int = 0
    n_decreases: int = 0
    """Obeyed decreases: those that ``effect_s`` sums over."""
    effect_s: float = 0.0

    @property
    def frac(self) -> float | None:
        """Obeyed part of everything that was decided, or ``None`` before anything was."""
        total = self.n_judged + self.n_refused + self.n_unanswered
        return self.n_obeyed / total if total else None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseState:
    """Status, orders and measurements of one EVSE.

    ``settling_a`` is what counts until ``settling_until`` although a lower order was accepted: the car has not
    followed yet. ``excess_since`` is set while the car draws more than every order allows, ``spare_since`` while it
    draws clearly less than it is offered. ``on_since``/``off_since`` tell since when the order is above/at zero.
    """

    id: EvseId
    status: ev.EvseStatus = ev.EvseStatus.UNKNOWN
    session: SessionId | None = None
    orders: tuple[Order, ...] = ()
    refused_no: int = 0
    n_refused: int = 0
    refused_at: datetime | None = None
    settling_a: float = 0.0
    settling_back_kw: float = 0.0
    """Delivery that counts until ``settling_until`` although less was accepted."""
    settling_until: datetime | None = None
    moving_until: datetime | None = None
    sample: ev.MeterSample | None = None
    excess_since: datetime | None = None
    obeys_since: datetime | None = None
    is_disobedient: bool = False
    spare_since: datetime | None = None
    learned_max_a: float | None = None
    learned_at: datetime | None = None
    """What the car was seen to take at most although it was offered more; forgotten when it takes more."""
    increased_at: datetime | None = None
    on_since: datetime | None = None
    off_since: datetime | None = None
    plugged_at: datetime | None = None
    phases_seen: int = 0
    form_no: int = 0
    """Place on the ladder of forms that works, or is tried next [A-40]."""
    awaits_profile: bool = False
    """The car stated its needs, and its charger waits for a profile of the transaction [A-120]."""
    has_no_phases: bool = False
    """The charger wants no number of phases (it said ``NoPhaseForDC`` or ``PhaseConflict``)."""
    obedience: Obedience = Obedience()
    offer_differs_since: datetime | None = None
    """The charger says that it offers something else than our order since then [G-125]."""
    n_same: int = 0
    """Readings in a row that were equal in every value [G-99]."""
    n_remedies: int = 0
    """Remedies tried since the car began to draw more than it may."""
    remedied_at: datetime | None = None
    pausing_at: datetime | None = None
    """When a remote stop was sent to pause the car."""
    paused: Session | None = None
    """The session that a remote stop of ours ended; the car is still there."""
    paused_at: datetime | None = None
    resumed_at: datetime | None = None
    """When a remote start was sent to resume it."""

    @property
    def last_order(self) -> Order | None:
        """The newest order that is not refused."""
        return self.orders[-1] if self.orders else None

    def draw_a(self) -> PerPhase:
        """Latest measured current on L1, L2, L3; zero when nothing was measured."""
        if self.sample is None or self.sample.measured.current_a is None:
            return (0.0, 0.0, 0.0)
        return self.sample.measured.current_a


def ordered_a(state: EvseState, now: datetime, rest_a: float) -> float:
    """The most current per phase that any order which may be in force allows; ``rest_a`` holds without an order.

    When the time of an order is over, it may still hold or have ended, as the charger's clock goes: both count.
    """
    value = rest_a
    for order in state.orders:
        if order.outcome is Outcome.ACCEPTED and order.may_hold_at(now):
            may_be_over = now >= order.setpoint.valid_until
            value = max(order.setpoint.current_a, rest_a) if may_be_over else order.setpoint.current_a
        elif order.outcome is Outcome.ACCEPTED:
            value = rest_a
    for order in state.orders:
        if order.outcome is not Outcome.ACCEPTED and order.may_hold_at(now):
            value = max(value, order.setpoint.current_a)
    return value


def allowed_a(state: EvseState, now: datetime, rest_a: float) -> float:
    """What the EVSE may draw now as far as we know: orders in force, or the old value while it settles [H-1]."""
    value = ordered_a(state, now, rest_a)
    if state.settling_until is not None and now < state.settling_until:
        value = max(value, state.settling_a)
    return value


def delivered_kw(state: EvseState, now: datetime) -> float:
    """The most that any order which may be in force makes a car deliver, kW, positive [A-101]."""
    found = 0.0
    for order in state.orders:
        if order.outcome is Outcome.ACCEPTED:
            found = _back_kw(order.setpoint) if order.may_hold_at(now) else 0.0
    for order in state.orders:
        if order.outcome is not Outcome.ACCEPTED and order.may_hold_at(now):
            found = max(found, _back_kw(order.setpoint))
    if state.settling_until is not None and now < state.settling_until:
        found = max(found, state.settling_back_kw)
    return found


def _back_kw(setpoint: Setpoint) -> float:
    return max(-setpoint.power_kw, 0.0) if setpoint.power_kw is not None else 0.0


def with_status(state: EvseState, event: ev.EvseStatusChanged) -> EvseState:
    """A reported status; a free EVSE forgets what it knew about the car."""
    if event.status is state.status:
        return state
    plugged = state.plugged_at
    free = event.status in {ev.EvseStatus.AVAILABLE, ev.EvseStatus.UNAVAILABLE}
    if free:
        plugged = None
    elif plugged is None and event.status is not ev.EvseStatus.RESERVED:
        plugged = event.at
    return replace(
        state,
        status=event.status,
        plugged_at=plugged,
        spare_since=None,
        phases_seen=0 if free else state.phases_seen,
        paused=None if free else state.paused,
    )


def with_session(state: EvseState, session: SessionId, at: datetime, settle_s: float) -> EvseState:
    """A transaction began: the car may start to draw."""
    return replace(
        state,
        session=session,
        moving_until=at + timedelta(seconds=settle_s),
        plugged_at=state.plugged_at or at,
        spare_since=None,
        learned_max_a=None,
        learned_at=None,
        excess_since=None,
        increased_at=None,
        on_since=None,
        off_since=at,
        phases_seen=0,
        n_remedies=0,
        remedied_at=None,
        offer_differs_since=None,
        awaits_profile=False,
    )


def without_session(state: EvseState, session: Session, at: datetime, settle_s: float) -> EvseState:
    """The transaction ended: its profile is gone in the station [A-4], the current falls to zero."""
    was_paused = state.pausing_at is not None and (at - state.pausing_at).total_seconds() <= PAUSE_S
    return replace(
        state,
        session=None,
        orders=tuple(o for o in state.orders if o.outcome is not Outcome.ACCEPTED and not o.setpoint.transaction),
        moving_until=at + timedelta(seconds=settle_s),
        settling_a=max((o.setpoint.current_a for o in state.orders if o.may_hold_at(at)), default=0.0),
        settling_back_kw=delivered_kw(state, at),
        settling_until=at + timedelta(seconds=settle_s),
        spare_since=None,
        on_since=None,
        off_since=at,
        pausing_at=None,
        paused=session if was_paused else None,
        paused_at=at if was_paused else None,
        resumed_at=None,
    )


def with_sent(state: EvseState, setpoint: Setpoint, at: datetime) -> EvseState:
    """An order left. Until it is answered the higher of old and new counts."""
    previous = state.last_order
    old_a = previous.setpoint.current_a if previous is not None else 0.0
    new_a = setpoint.current_a
    kept = tuple(o for o in state.orders if o.may_hold_at(at))
    on, off = state.on_since, state.off_since
    if new_a > 0 and on is None:
        on, off = at, None
    elif new_a <= 0 and off is None:
        on, off = None, at
    return replace(
        state,
        orders=(*kept, Order(setpoint=setpoint, sent_at=at, is_decrease=new_a < old_a)),
        awaits_profile=False,
        increased_at=at if new_a > old_a else state.increased_at,
        on_since=on,
        off_since=off,
        spare_since=None if new_a != old_a else state.spare_since,
    )


def with_refusal(state: EvseState, event: ev.SetpointAnswered, forms: Sequence[ProfileForm]) -> EvseState:
    """Refused: the older order stands [B21], and the next form is tried [A-40]."""
    order = next((o for o in state.orders if o.setpoint.no == event.no), None)
    if order is None:
        return state
    told = state.obedience
    return replace(
        state,
        orders=tuple(o for o in state.orders if o is not order),
        refused_no=event.no,
        n_refused=state.n_refused + 1,
        refused_at=event.at,
        form_no=ladder.next_no(forms, state.form_no, event.detail),
        has_no_phases=state.has_no_phases or ladder.wants_no_phases(event.detail),
        obedience=replace(told, n_refused=told.n_refused + 1),
    )


def with_acceptance(state: EvseState, event: ev.SetpointAnswered, evse: Evse, rest_a: float) -> EvseState:
    """Accepted: older orders are gone, a decrease settles."""
    order = next((o for o in state.orders if o.setpoint.no == event.no), None)
    if order is None:
        return state
    before_a, before_kw = allowed_a(state, event.at, rest_a), delivered_kw(state, event.at)
    others = replace(state, orders=tuple(o for o in state.orders if o is not order))
    held_a, held_kw = allowed_a(others, event.at, rest_a), delivered_kw(others, event.at)
    newer = tuple(o for o in state.orders if o.setpoint.no > event.no)
    accepted = replace(order, outcome=Outcome.ACCEPTED, answered_at=event.at)
    after = replace(state, orders=(accepted, *newer), n_refused=0, settling_back_kw=0.0)
    value_a = accepted.setpoint.current_a
    settle_end = event.at + timedelta(seconds=evse.caps.settle_s)
    back_kw = _back_kw(accepted.setpoint)
    if value_a < before_a or back_kw < before_kw:
        return replace(
            after,
            settling_a=max(before_a, value_a),
            settling_back_kw=max(before_kw, back_kw),
            settling_until=settle_end,
            moving_until=settle_end,
        )
    if value_a > held_a or back_kw > held_kw:
        return replace(after, moving_until=settle_end)
    return after


def with_no_answer(state: EvseState, event: ev.SetpointUnanswered) -> EvseState:
    """It may be in force or not: keep it, marked unknown. What never left is forgotten."""
    if not event.was_sent:
        return replace(state, orders=tuple(o for o in state.orders if o.setpoint.no != event.no))
    told = state.obedience
    state = replace(state, obedience=replace(told, n_unanswered=told.n_unanswered + 1))
    orders = tuple(
        replace(o, outcome=Outcome.UNKNOWN) if o.setpoint.no == event.no and o.outcome is Outcome.PENDING else o
        for o in state.orders
    )
    return replace(state, orders=orders)


def with_new_link(state: EvseState) -> EvseState:
    """The station connected or booted anew: what it still holds is unknown until it answers again [A-133]."""
    if not state.orders:
        return state
    return replace(state, orders=tuple(replace(o, outcome=Outcome.UNKNOWN) for o in state.orders))


def with_remedy(state: EvseState, event: ev.RemedyTried) -> EvseState:
    """Note what was done about a charger that does not obey; its last order must be sent again."""
    if event.remedy == "pause":
        return replace(state, pausing_at=event.at)
    if event.remedy == "resume":
        return replace(state, resumed_at=event.at)
    orders = state.orders
    if orders and event.remedy != "stop":
        orders = (*orders[:-1], replace(orders[-1], outcome=Outcome.UNKNOWN))
    return replace(state, form_no=event.form_no, n_remedies=state.n_remedies + 1, remedied_at=event.at, orders=orders)


def with_needs(state: EvseState, forms: Sequence[ProfileForm]) -> EvseState:
    """The next order goes to the transaction, even where that was refused before the needs were stated [A-120, A-121]."""
    wanted = replace(ladder.form_at(forms, state.form_no), purpose=Purpose.TX)
    found = (no for no in range(state.form_no, state.form_no + len(forms)) if ladder.form_at(forms, no) == wanted)
    return replace(state, form_no=next(found, state.form_no), n_refused=0, awaits_profile=True)


def with_doubt(state: EvseState) -> EvseState:
    """The station's own word contradicts what we think is installed: the last order must be sent again [A-62]."""
    if not state.orders:
        return state
    return replace(state, orders=(*state.orders[:-1], replace(state.orders[-1], outcome=Outcome.UNKNOWN)))
