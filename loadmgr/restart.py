"""What a restarted service knows, as events: the new run of the log begins with them and can be replayed alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields, replace
from datetime import datetime

from loadmgr.control.energy_state import stay_of
from loadmgr.domain import events as ev
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.session import Session
from loadmgr.ports import Remembered


def restored(remembered: Remembered, now: datetime) -> Iterator[ev.Event]:
    """Events that rebuild what outlives a restart [F01, H-5].

    Setpoints that may still be in force come back as sent and unanswered: the higher of them and the fail-safe counts
    until the charger answers anew.
    """
    yield ev.RunStarted(at=now, last_no=remembered.last_command_no, last_plan_no=remembered.last_plan_no)
    for known in remembered.stations:
        if known.failsafe_a is not None:
            yield ev.FailsafeAnswered(
                at=now, station=known.station, failsafe_a=known.failsafe_a, accepted=True, detail="before the restart"
            )
        if known.traits is not None:
            yield replace(known.traits, at=now)  # the site file has its say when the gateway opens
    for limit in remembered.limits:
        yield ev.LimitSet(at=now, limit=limit, actor="restart")
    yield from (replace(told, at=now) for told in remembered.evse_limits)
    for session in remembered.stays:
        if session.ended_at is not None:
            stay = stay_of(session, session.ended_at)
            yield ev.StayKnown(at=now, **{f.name: getattr(stay, f.name) for f in fields(stay)})
    yield from remembered.peaks
    for session in remembered.sessions:
        if session.ended_at is not None:
            continue
        yield from _session(session, now)
    running = {s.id for s in remembered.sessions if s.ended_at is None}
    yield from (p for p in remembered.promises if p.session in running)
    yield from (replace(r, at=now) for r in remembered.reservations)
    yield from _security(remembered, now)
    yield from remembered.alarms
    for order in remembered.open_setpoints:
        if order.evse is None or order.current_a is None or order.valid_until is None:
            continue
        setpoint = Setpoint(
            no=order.no,
            evse=order.evse,
            current_a=order.current_a,
            n_phases=3,
            made_at=order.sent_at,
            valid_until=order.valid_until,
            bound_by="restart",
        )
        yield ev.SetpointSent(at=now, setpoint=setpoint)
        yield ev.SetpointUnanswered(at=now, no=order.no, evse=order.evse, detail="before the restart")


def _security(remembered: Remembered, now: datetime) -> Iterator[ev.Event]:
    """Credentials above the site file, certificates of stations, and critical security events nobody has seen."""
    for credentials in remembered.credentials:
        yield ev.CredentialsChanged(at=now, credentials=credentials, what="before the restart", actor="restart")
    yield from remembered.certificates
    yield from (replace(told, is_kept=True) for told in remembered.alerts)


def _session(session: Session, now: datetime) -> Iterator[ev.Event]:
    """A running session with all that car, station and driver have said about it."""
    yield ev.SessionStarted(
        at=now,
        session=session.id,
        evse=session.evse,
        transaction=session.transaction,
        id_tag=session.id_tag,
        started_at=session.started_at,
        meter_start_kwh=session.meter_start_kwh,
        register_kwh=session.register_kwh,
        energy_kwh=session.energy_kwh,
        is_register_known=session.is_register_known,
    )
    yield ev.IntentSet(at=now, session=session.id, intent=session.intent, actor="restart")
    yield from _bounds(session, now)
    needs = ev.NeedsStated(
        at=now,
        session=session.id,
        transfer=session.transfer,
        current_min_a=session.car_min_a,
        power_max_kw=session.car_max_kw,
        discharge_max_kw=session.car_discharge_kw,
        soc_frac=_present_soc(session),
        awaits_profile=False,
    )
    if needs != ev.NeedsStated(at=now, session=session.id, awaits_profile=False):
        yield needs
        yield ev.IntentSet(at=now, session=session.id, intent=session.intent, actor="restart")
    if session.mode:
        yield ev.ModeChanged(at=now, session=session.id, mode=session.mode)
    if session.has_priority:
        yield ev.PriorityChanged(at=now, session=session.id, is_active=True)
    for milestone in session.milestones:
        yield ev.MilestoneReached(at=now, session=session.id, milestone=milestone)


def _bounds(session: Session, now: datetime) -> Iterator[ev.SessionBounded]:
    until = session.bound_until
    bounded = ev.SessionBounded(
        at=now,
        session=session.id,
        cable_a=session.car_max_a,
        n_phases=session.n_phases,
        energy_kwh=session.bound_kwh,
        time_s=(until - session.started_at).total_seconds() if until is not None else None,
        soc_frac=session.bound_soc_frac,
    )
    if bounded != ev.SessionBounded(at=now, session=session.id):
        yield bounded


def _present_soc(session: Session) -> float | None:
    """The last state of charge, brought up to the energy drawn since where the capacity is known."""
    if session.soc_frac is None or session.intent.capacity_kwh is None:
        return session.soc_frac
    drawn_kwh = session.energy_kwh - session.soc_at_kwh
    return min(session.soc_frac + drawn_kwh / session.intent.capacity_kwh, 1.0)
