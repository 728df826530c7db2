"""What a restarted service knows, as events: the new run of the log begins with them and can be replayed alone."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import fields
from datetime import datetime

from loadmgr.control.energy_state import stay_of
from loadmgr.domain import events as ev
from loadmgr.domain.plan import Setpoint
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
    for limit in remembered.limits:
        yield ev.LimitSet(at=now, limit=limit, actor="restart")
    for session in remembered.stays:
        if session.ended_at is not None:
            stay = stay_of(session, session.ended_at)
            yield ev.StayKnown(at=now, **{f.name: getattr(stay, f.name) for f in fields(stay)})
    yield from remembered.peaks
    for session in remembered.sessions:
        if session.ended_at is not None:
            continue
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
    running = {s.id for s in remembered.sessions if s.ended_at is None}
    yield from (p for p in remembered.promises if p.session in running)
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
