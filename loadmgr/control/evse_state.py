"""What is known about one EVSE, and the pure steps that change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.params import ControlParams
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.samples import PerPhase, Quality
from loadmgr.domain.site import Evse

EXPIRY_GRACE = timedelta(seconds=15)
"""A charger's clock may be this late: a setpoint counts that much longer than it says."""

SPARE_A = 1.0
SPARE_S = 30.0
"""A car that leaves more than ``SPARE_A`` (or a tenth) of its offer unused for this long shows its own limit [G-111]."""

DRAWING_A = 1.0
"""Above this current per phase a car draws [C-4]."""


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

    def may_hold_at(self, now: datetime) -> bool:
        """False once the charger must have dropped it."""
        return now < self.setpoint.valid_until + EXPIRY_GRACE


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
    settling_until: datetime | None = None
    moving_until: datetime | None = None
    sample: ev.MeterSample | None = None
    excess_since: datetime | None = None
    obeys_since: datetime | None = None
    is_disobedient: bool = False
    spare_since: datetime | None = None
    learned_max_a: float | None = None
    """What the car was seen to take at most although it was offered more; forgotten when it takes more."""
    increased_at: datetime | None = None
    on_since: datetime | None = None
    off_since: datetime | None = None
    plugged_at: datetime | None = None
    phases_seen: int = 0
    form_no: int = 0
    """Place on the ladder of forms that works, or is tried next [A-40]."""
    n_remedies: int = 0
    """Remedies tried since the car began to draw more than it may."""
    remedied_at: datetime | None = None

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
    """The most current per phase that any order which may be in force allows; ``rest_a`` holds without an order."""
    value = rest_a
    for order in state.orders:
        if order.outcome is Outcome.ACCEPTED:
            value = order.setpoint.current_a if order.may_hold_at(now) else rest_a
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
        state, status=event.status, plugged_at=plugged, spare_since=None, phases_seen=0 if free else state.phases_seen
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
        excess_since=None,
        increased_at=None,
        on_since=None,
        off_since=at,
        phases_seen=0,
    )


def without_session(state: EvseState, at: datetime, settle_s: float) -> EvseState:
    """The transaction ended: its profile is gone in the station [A-4], the current falls to zero."""
    return replace(
        state,
        session=None,
        orders=tuple(o for o in state.orders if o.outcome is not Outcome.ACCEPTED and not o.setpoint.transaction),
        moving_until=at + timedelta(seconds=settle_s),
        settling_a=max((o.setpoint.current_a for o in state.orders if o.may_hold_at(at)), default=0.0),
        settling_until=at + timedelta(seconds=settle_s),
        spare_since=None,
        on_since=None,
        off_since=at,
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
        orders=(*kept, Order(setpoint=setpoint, sent_at=at)),
        increased_at=at if new_a > old_a else state.increased_at,
        on_since=on,
        off_since=off,
        spare_since=None if new_a != old_a else state.spare_since,
    )


def with_answer(state: EvseState, event: ev.SetpointAnswered, evse: Evse, rest_a: float) -> EvseState:
    """Accepted: older orders are gone, a decrease settles. Refused: the older order stands [B21]."""
    order = next((o for o in state.orders if o.setpoint.no == event.no), None)
    if order is None:
        return state
    if not event.accepted:
        rest = tuple(o for o in state.orders if o is not order)
        return replace(state, orders=rest, refused_no=event.no, n_refused=state.n_refused + 1, refused_at=event.at)
    before_a = allowed_a(state, event.at, rest_a)
    newer = tuple(o for o in state.orders if o.setpoint.no > event.no)
    accepted = replace(order, outcome=Outcome.ACCEPTED, answered_at=event.at)
    after = replace(state, orders=(accepted, *newer), n_refused=0)
    value_a = accepted.setpoint.current_a
    settle_end = event.at + timedelta(seconds=evse.caps.settle_s)
    if value_a < before_a:
        return replace(after, settling_a=before_a, settling_until=settle_end, moving_until=settle_end)
    if value_a > before_a:
        return replace(after, moving_until=settle_end)
    return after


def with_no_answer(state: EvseState, event: ev.SetpointUnanswered) -> EvseState:
    """It may be in force or not: keep it, marked unknown. What never left is forgotten."""
    if not event.was_sent:
        return replace(state, orders=tuple(o for o in state.orders if o.setpoint.no != event.no))
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


def with_sample(state: EvseState, event: ev.MeterSample, params: ControlParams, evse: Evse, rest_a: float) -> EvseState:
    """A live sample: evidence for obedience, for the end of settling, and for a car that takes less."""
    if event.quality is Quality.HISTORY:
        return state
    if state.sample is not None and event.measured_at < state.sample.measured_at:
        return state  # late sample: keep the newer one
    if event.measured.current_a is None and event.measured.power_kw is None:
        return state
    after = replace(state, sample=event)
    drawn_a = max(after.draw_a())
    phases = sum(1 for a in after.draw_a() if a > DRAWING_A)
    after = replace(after, phases_seen=max(phases, after.phases_seen))
    after = _judged(after, event, drawn_a, params, ordered_a(state, event.at, rest_a))
    return _spare(after, event, drawn_a, evse)


def tolerance_a(limit_a: float) -> float:
    """How far a measured current may lie above its limit before it counts as more: max(1 A, 5 %) [H.1]."""
    return max(1.0, 0.05 * limit_a)


def _judged(state: EvseState, event: ev.MeterSample, drawn_a: float, params: ControlParams, ordered: float) -> EvseState:
    """Does the car obey? Only samples from after the settling time of the last answer speak."""
    if drawn_a <= ordered + tolerance_a(ordered):
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
    return replace(state, excess_since=since, obeys_since=None, is_disobedient=state.is_disobedient or late)


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
    known = (event.measured_at - since).total_seconds() >= SPARE_S
    return replace(state, spare_since=since, learned_max_a=drawn_a if known else state.learned_max_a)


def with_remedy(state: EvseState, event: ev.RemedyTried) -> EvseState:
    """Note what was done about a charger that does not obey."""
    return replace(state, form_no=event.form_no, n_remedies=state.n_remedies + 1, remedied_at=event.at)
