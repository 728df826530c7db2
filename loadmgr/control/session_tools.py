"""What car and station say about a session, folded into it (domain rules A.13, C.5, D.1 to D.3).

The state of the controller and the tables of the store fold by these same steps.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from loadmgr.domain import events as ev
from loadmgr.domain.session import ENERGY_MAX_KWH, Session, SessionIntent, session_energy

CAR = "car"
"""Source of an intent that the car itself stated; an app's or the operator's word stands above it."""


HELD = frozenset({"energy-limit", "time-limit", "cost-limit", "soc-limit"})
"""Milestones that mean that the station holds the session at a limit of its own [D-26]."""
RESUMED = "charging-resumed"
ENDED = "charging-ended"

StatedEvent = ev.NeedsStated | ev.SessionBounded | ev.ModeChanged | ev.PriorityChanged | ev.MilestoneReached


def begun(event: ev.SessionStarted, ended: Session | None = None) -> Session:
    """The session that an event begins; one that had seemed to end goes on as it was [C01, D-6]."""
    if ended is not None:
        return replace(ended, ended_at=None, end_reason="")
    register_kwh = event.meter_start_kwh if event.register_kwh is None else event.register_kwh
    is_estimated = event.energy_kwh > 0.0 and register_kwh == event.meter_start_kwh
    return Session(
        id=event.session,
        evse=event.evse,
        transaction=event.transaction,
        started_at=event.started_at or event.at,
        id_tag=event.id_tag,
        meter_start_kwh=event.meter_start_kwh,
        register_kwh=register_kwh,
        energy_kwh=event.energy_kwh,
        estimated_kwh=event.energy_kwh if is_estimated else 0.0,
        is_register_known=event.is_register_known,
    )


def closed(session: Session, event: ev.SessionEnded) -> Session:
    """The session after its end; the station's own word corrects an end that was inferred."""
    if event.meter_stop_kwh is not None:
        session = session_energy(session, event.meter_stop_kwh)
    return replace(session, ended_at=event.ended_at or event.at, end_reason=event.reason)


def with_intent(session: Session, intent: SessionIntent) -> Session:
    """The session with a new wish; what was reported about the old one may be reached anew."""
    before = session.intent
    changed = (
        ("energy-reached", before.energy_kwh != intent.energy_kwh),
        ("departure-missed", before.depart_at != intent.depart_at or before.energy_kwh != intent.energy_kwh),
        ("paused-energy", before.limit_kwh != intent.limit_kwh),
        ("paused-time", before.limit_until != intent.limit_until),
        ("paused-cost", (before.limit_cost, before.price_per_kwh) != (intent.limit_cost, intent.price_per_kwh)),
        ("paused-soc", before.limit_soc_frac != intent.limit_soc_frac),
    )
    again = {name for name, is_new in changed if is_new}
    return replace(session, intent=intent, milestones=tuple(m for m in session.milestones if m not in again))


def stated(session: Session, event: StatedEvent) -> Session:
    """The session after ``event``."""
    match event:
        case ev.NeedsStated():
            return _needs(session, event)
        case ev.SessionBounded():
            return _bounded(session, event)
        case ev.ModeChanged():
            return replace(session, mode=event.mode)
        case ev.PriorityChanged():
            return replace(session, has_priority=event.is_active)
        case ev.MilestoneReached():
            return _reached(session, event.milestone)


def _bounded(session: Session, event: ev.SessionBounded) -> Session:
    """Bounds that the station enforces; new ones free a session that it held at the old [D-26]."""
    until = session.bound_until
    if event.time_s is not None:
        until = session.started_at + timedelta(seconds=event.time_s)
    is_new = any(x is not None for x in (event.energy_kwh, event.time_s, event.cost, event.soc_frac))
    return replace(
        session,
        car_max_a=_least(session.car_max_a, event.cable_a),
        n_phases=event.n_phases or session.n_phases,
        bound_kwh=session.bound_kwh if event.energy_kwh is None else event.energy_kwh,
        bound_until=until,
        bound_soc_frac=session.bound_soc_frac if event.soc_frac is None else event.soc_frac,
        is_held=session.is_held and not is_new,
    )


def _reached(session: Session, milestone: str) -> Session:
    """A milestone is reported once; a car that charges on can end once more."""
    if milestone == RESUMED:
        return replace(session, milestones=tuple(m for m in session.milestones if m != ENDED))
    if milestone in session.milestones:
        return session
    return replace(session, milestones=(*session.milestones, milestone), is_held=session.is_held or milestone in HELD)


def _least(left: float | None, right: float | None) -> float | None:
    found = [x for x in (left, right) if x is not None]
    return min(found) if found else None


def _needs(session: Session, event: ev.NeedsStated) -> Session:
    """Bounds are the car's; its wish counts where nobody else said anything; nonsense is taken as silence [A-124]."""
    energy_kwh = event.energy_kwh
    if energy_kwh is not None:
        energy_kwh = session.energy_kwh + energy_kwh if 0.0 <= energy_kwh <= ENERGY_MAX_KWH else None
    depart_at = event.depart_at if event.depart_at is not None and event.depart_at > event.at else None
    intent = session.intent
    if intent.source in {"default", CAR}:
        intent = replace(
            intent,
            energy_kwh=energy_kwh if energy_kwh is not None else intent.energy_kwh,
            depart_at=depart_at if depart_at is not None else intent.depart_at,
            source=CAR,
            capacity_kwh=event.capacity_kwh or intent.capacity_kwh,
            soc_target_frac=event.soc_target_frac or intent.soc_target_frac,
        )
    elif intent.capacity_kwh is None and event.capacity_kwh is not None:
        intent = replace(intent, capacity_kwh=event.capacity_kwh)
    changed = replace(
        session,
        intent=intent,
        transfer=event.transfer or session.transfer,
        car_max_a=_least(session.car_max_a, event.current_max_a),
        car_min_a=event.current_min_a if event.current_min_a is not None else session.car_min_a,
        car_max_kw=event.power_max_kw if event.power_max_kw is not None else session.car_max_kw,
        car_discharge_kw=event.discharge_max_kw if event.discharge_max_kw is not None else session.car_discharge_kw,
    )
    if event.soc_frac is not None:
        changed = replace(changed, soc_frac=event.soc_frac, soc_at_kwh=session.energy_kwh)
    return changed
