"""An order on its way desired → sent → accepted → effective (rule H.1), in words and with its lateness."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType

from loadmgr.control.evse_state import Order, Outcome
from loadmgr.domain.traits import ProfileForm, Purpose

ANSWER_S = 30.0
REDUCED_S, RAISED_S = 20.0, 60.0
"""An order that takes longer from sent to accepted, or from accepted to effective, is late (rule H.1)."""

PURPOSES: Mapping[Purpose, str] = MappingProxyType(
    {
        Purpose.TX: "transaction profile",
        Purpose.DEFAULT: "default profile",
        Purpose.STATION_DEFAULT: "default profile of the station",
        Purpose.MAX: "station maximum",
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderView:
    """An order on its way desired → sent → accepted → effective (rule H.1).

    ``stage``: ``sent``, ``accepted``, ``effective``, ``unanswered``, ``in-doubt`` (it was accepted once and is sent
    again) or ``expired`` (the fail-safe holds). ``is_late``: the next stage is overdue.
    """

    no: int
    stage: str
    current_a: float
    power_kw: float | None
    form: str
    bound_by: str
    sent_at: datetime
    answered_at: datetime | None
    effective_at: datetime | None
    evidence: str
    valid_until: datetime
    is_late: bool


def order_view(order: Order, now: datetime) -> OrderView:
    """The order as it stands at ``now``."""
    setpoint, stage = order.setpoint, _stage(order, now)
    since = order.sent_at if stage == "sent" else order.answered_at
    allowed_s = ANSWER_S if stage == "sent" else REDUCED_S if order.is_decrease else RAISED_S
    waits = stage in {"sent", "accepted"} and since is not None
    return OrderView(
        no=setpoint.no,
        stage=stage,
        current_a=setpoint.current_a,
        power_kw=setpoint.power_kw,
        form=form_words(setpoint.form),
        bound_by=setpoint.bound_by,
        sent_at=order.sent_at,
        answered_at=order.answered_at,
        effective_at=order.effective_at,
        evidence=order.evidence,
        valid_until=setpoint.valid_until,
        is_late=waits and since is not None and (now - since).total_seconds() > allowed_s,
    )


def _stage(order: Order, now: datetime) -> str:
    if now >= order.setpoint.valid_until:
        return "expired"
    match order.outcome:
        case Outcome.PENDING:
            return "sent"
        case Outcome.ACCEPTED:
            return "accepted" if order.effective_at is None else "effective"
        case Outcome.UNKNOWN:
            return "unanswered" if order.answered_at is None else "in-doubt"


def form_words(form: ProfileForm) -> str:
    """How a setpoint is dressed, e.g. ``transaction profile, A, level 1, absolute``."""
    phases = "" if form.has_phases else ", phases not told"
    return f"{PURPOSES[form.purpose]}, {form.unit}, level {form.stack}, {form.kind.value}{phases}"
