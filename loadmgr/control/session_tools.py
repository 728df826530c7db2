"""What car and station say about a session, folded into it (domain rules A.13, D.2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from loadmgr.domain import events as ev
from loadmgr.domain.session import ENERGY_MAX_KWH, Session, SessionIntent

CAR = "car"
"""Source of an intent that the car itself stated; an app's or the operator's word stands above it."""


def stated(session: Session, event: ev.NeedsStated | ev.SessionBounded | ev.ModeChanged | ev.PriorityChanged) -> Session:
    """The session after ``event``."""
    match event:
        case ev.NeedsStated():
            return _needs(session, event)
        case ev.SessionBounded():
            until = session.bound_until
            if event.time_s is not None:
                until = session.started_at + timedelta(seconds=event.time_s)
            return replace(
                session,
                car_max_a=_least(session.car_max_a, event.cable_a),
                n_phases=event.n_phases or session.n_phases,
                bound_kwh=session.bound_kwh if event.energy_kwh is None else event.energy_kwh,
                bound_until=until,
                bound_soc_frac=session.bound_soc_frac if event.soc_frac is None else event.soc_frac,
            )
        case ev.ModeChanged():
            return replace(session, mode=event.mode)
        case ev.PriorityChanged():
            return replace(session, has_priority=event.is_active)


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
        intent = SessionIntent(
            energy_kwh=energy_kwh if energy_kwh is not None else intent.energy_kwh,
            depart_at=depart_at if depart_at is not None else intent.depart_at,
            priority=intent.priority,
            source=CAR,
            capacity_kwh=event.capacity_kwh or intent.capacity_kwh,
            soc_target_frac=event.soc_target_frac or intent.soc_target_frac,
            may_discharge=intent.may_discharge,
            reserve_frac=intent.reserve_frac,
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
