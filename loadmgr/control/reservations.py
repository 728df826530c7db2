"""Booked cars: capacity kept for them in the plan, and what becomes of a booking [D-10].

A booking is a soft forecast of demand. It never holds up a car that is there: only the plan knows it, not the guard.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

import numpy as np

from loadmgr.control import state as state_tools
from loadmgr.control.snapshot import Snapshot
from loadmgr.control.state import FailsafeState, SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.events import Severity
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.session import Session, SessionIntent
from solvers import ChargingProblem

EARLY = timedelta(minutes=15)
"""A booked car may come this much earlier, and its EVSE is held from then on."""
PRIORITY = 0.5
"""Cars that are there go before one that may come."""
SOURCE = "reservation"

_PREFIX = "booked-"


def booked_id(reservation: int) -> SessionId:
    """The session by which a booked car stands in the plan."""
    return SessionId(f"{_PREFIX}{reservation}")


def is_booked(session: SessionId) -> bool:
    """Does a session of a plan stand for a booked car?"""
    return session.startswith(_PREFIX)


def with_bookings(state: SiteState, now: datetime) -> SiteState:
    """The state as if the booked cars were there: the next one of every EVSE that is free and can be commanded."""
    taken: set[EvseId] = set()
    horizon = timedelta(seconds=sum(count * length_s for count, length_s in state.params.horizon))
    after = state
    for booking in sorted(state.chargers.reservations.values(), key=lambda r: (r.from_at, r.reservation)):
        if booking.evse in taken or not _is_open(state, booking, now) or booking.from_at >= now + horizon:
            continue
        taken.add(booking.evse)
        for event in _arrival(state, booking, now):
            after = state_tools.apply(after, event)
    return after


def _is_open(state: SiteState, booking: ev.EvseReserved, now: datetime) -> bool:
    if booking.evse not in state.evses or now >= booking.until_at or state.evses[booking.evse].session is not None:
        return False
    station = state.stations[state.site.evses[booking.evse].station]
    return station.is_connected and station.failsafe is FailsafeState.CONFIRMED


def _arrival(state: SiteState, booking: ev.EvseReserved, now: datetime) -> tuple[ev.Event, ...]:
    session = booked_id(booking.reservation)
    intent = _intent(state, booking)
    begins_at = max(booking.from_at, now)
    return (
        ev.EvseStatusChanged(at=now, evse=booking.evse, status=ev.EvseStatus.PREPARING),
        ev.SessionStarted(at=now, session=session, evse=booking.evse, transaction="?", started_at=begins_at),
        ev.IntentSet(at=now, session=session, intent=replace(intent, priority=PRIORITY)),
    )


def _intent(state: SiteState, booking: ev.EvseReserved) -> SessionIntent:
    params = state.params
    depart_at = booking.depart_at or booking.from_at + timedelta(seconds=params.stay_default_s)
    energy_kwh = params.energy_default_kwh if booking.energy_kwh is None else booking.energy_kwh
    return SessionIntent(energy_kwh=energy_kwh, depart_at=depart_at, source=SOURCE)


def delayed(problem: ChargingProblem, taken: Snapshot) -> ChargingProblem:
    """The problem with no power for booked cars before they come."""
    booked = [(s, need.session) for s, need in enumerate(taken.needs) if is_booked(need.session.id)]
    if not booked:
        return problem
    power_max_kw = np.array(problem.power_max_kw)
    ends_s = np.array([offset_s + length_s for offset_s, length_s in taken.steps])
    lengths_s = np.array([length_s for _, length_s in taken.steps])
    for s, session in booked:
        waits_s = (session.started_at - taken.now).total_seconds()
        power_max_kw[s] *= np.clip((ends_s - waits_s) / lengths_s, 0.0, 1.0)
    return replace(problem, power_max_kw=power_max_kw)


def settled(state: SiteState, now: datetime) -> Iterator[ev.Event]:
    """Bookings that were used or ran out; the car that comes gets what was booked for it."""
    for booking in state.chargers.reservations.values():
        session = _session_at(state, booking.evse)
        if session is not None and _is_for(booking, session, now):
            yield ev.ReservationEnded(at=now, reservation=booking.reservation, reason="used")
            if session.intent == SessionIntent() and (booking.energy_kwh, booking.depart_at) != (None, None):
                intent = SessionIntent(energy_kwh=booking.energy_kwh, depart_at=booking.depart_at, source=SOURCE)
                yield ev.IntentSet(at=now, session=session.id, intent=intent, actor=SOURCE)
        elif now >= booking.until_at:
            yield ev.ReservationEnded(at=now, reservation=booking.reservation, reason="expired")


def is_due(booking: ev.EvseReserved, now: datetime) -> bool:
    """Is it time to hold the EVSE? A station holds it from when it is told, so it is told late [D-10]."""
    return booking.from_at - EARLY <= now < booking.until_at


def _session_at(state: SiteState, evse: EvseId) -> Session | None:
    known = state.evses.get(evse)
    return state.sessions.get(known.session) if known is not None and known.session is not None else None


def _is_for(booking: ev.EvseReserved, session: Session, now: datetime) -> bool:
    """Is this the booked car? Letter case of an id tag does not count."""
    return now >= booking.from_at - EARLY and session.id_tag.casefold() == booking.id_tag.casefold()


def causes(state: SiteState, now: datetime) -> Iterator[ev.AlarmRaised]:
    """Booked EVSEs that somebody else occupies when the booked car may come."""
    for booking in state.chargers.reservations.values():
        session = _session_at(state, booking.evse)
        if session is None or not booking.from_at <= now < booking.until_at or _is_for(booking, session, now):
            continue
        yield ev.AlarmRaised(
            at=now,
            key=f"booked:{booking.reservation}",
            severity=Severity.WARNING,
            message=f"EVSE {booking.evse} is booked by {booking.id_tag!r} but session {session.id} occupies it",
            remedy="offer the booked driver another EVSE, or cancel the reservation",
        )
