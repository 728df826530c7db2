"""Chargers that no limit of zero pauses: held at the minimum, or stopped and started again (quirks G-2, G-3, G-4, G-81)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime

from loadmgr.control import guard
from loadmgr.control.evse_state import EvseState
from loadmgr.control.site_state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.commands import StartSession, StopSession
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId
from loadmgr.domain.session import SessionIntent

PAUSE = "pause"
RESUME = "resume"
AGAIN_S = 30.0
"""A stop or start without effect is repeated after this time [D-8]."""

_PLUGGED = frozenset({EvseStatus.PREPARING, EvseStatus.SUSPENDED_EV, EvseStatus.SUSPENDED_EVSE, EvseStatus.CHARGING})
"""States in which a remote start can resume a car; from FINISHING most chargers need a new plug-in [G-80]."""


def stop(state: SiteState, evse: EvseId, now: datetime) -> tuple[ev.RemedyTried, StopSession] | None:
    """The remote stop that pauses a car, unless one was sent a moment ago."""
    known = state.evses[evse]
    session = state.sessions.get(known.session) if known.session is not None else None
    if session is None or _is_soon(known.pausing_at, now):
        return None
    station = state.site.evses[evse].station
    command = StopSession(no=0, station=station, evse=evse, transaction=session.transaction)
    return ev.RemedyTried(at=now, evse=evse, remedy=PAUSE, form_no=known.form_no), command


def _is_soon(at: datetime | None, now: datetime) -> bool:
    return at is not None and (now - at).total_seconds() < AGAIN_S


def resumptions(state: SiteState, now: datetime) -> Iterator[tuple[ev.RemedyTried, StartSession]]:
    """Remote starts of cars that we paused by a stop, where the minimum fits again and the rest has been long enough."""
    waiting = [e for e in state.evses.values() if _may_resume(state, e, now)]
    if not waiting:
        return
    active = guard.lanes(state, now)
    bound = guard.budgets(state, now, active)
    guard.count(active, bound, {})
    lanes = {lane.evse.id: lane for lane in active}
    for known in sorted(waiting, key=lambda e: (e.paused_at or now, e.id)):
        evse, lane = state.site.evses[known.id], lanes.get(known.id)
        if known.paused is None:
            continue
        minimum_a = evse.caps.current_min_a
        if lane is not None and guard.room_a(lane, lane.now_a) < minimum_a - lane.now_a:
            continue
        if lane is not None:
            guard.take(lane, lane.now_a, minimum_a)
        start = StartSession(
            no=0,
            station=evse.station,
            evse=evse.id,
            id_tag=known.paused.id_tag,
            first_a=minimum_a,
            n_phases=evse.caps.n_phases,
            made_at=now,
        )
        yield ev.RemedyTried(at=now, evse=evse.id, remedy=RESUME, form_no=known.form_no), start


def _may_resume(state: SiteState, known: EvseState, now: datetime) -> bool:
    if known.paused is None or known.paused_at is None or known.session is not None or known.status not in _PLUGGED:
        return False
    if not state.stations[state.site.evses[known.id].station].is_connected or _is_soon(known.resumed_at, now):
        return False
    return (now - known.paused_at).total_seconds() >= state.params.min_off_s


def carried(state: SiteState, now: datetime) -> Iterator[ev.IntentSet]:
    """A car that was stopped and started again keeps its wish: less what it got before [G-4]."""
    for known in state.evses.values():
        if known.paused is None or known.session is None or known.session not in state.sessions:
            continue
        before = known.paused
        intent = before.intent
        if intent.energy_kwh is not None:
            intent = replace(intent, energy_kwh=max(intent.energy_kwh - before.energy_kwh, 0.0))
        if state.sessions[known.session].intent == SessionIntent():
            yield ev.IntentSet(at=now, session=known.session, intent=intent, actor="resumed")
