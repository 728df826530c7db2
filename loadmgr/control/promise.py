"""What can be promised: to a car that asks, and to the sessions of a new plan."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr.control import state as state_tools
from loadmgr.control.energy_state import KEPT_KWH
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.plan import Plan
from loadmgr.domain.session import PRIORITY_MIN, SessionIntent

ASKING = SessionId("?")
"""The session of a car that only asks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Promise:
    """Energy that a car will get by a time, kWh from its plug-in, and what it will lack of its wish."""

    evse: EvseId
    energy_kwh: float
    by_at: datetime
    lacking_kwh: float


def with_asking(state: SiteState, evse: EvseId, wish: tuple[float, datetime], now: datetime) -> SiteState:
    """The state as if a car were plugged in that wants ``wish`` = (kWh, departure), behind everybody who is there.

    Whatever runs at the EVSE now is taken to have left; its station is taken to be reachable.
    """
    energy_kwh, depart_at = wish
    station = state.site.evses[evse].station
    running = state.evses[evse].session
    events: list[ev.Event] = [ev.SessionEnded(at=now, session=running, reason="asking")] if running is not None else []
    failsafe_a = state.site.evses[evse].failsafe_a
    intent = SessionIntent(energy_kwh=energy_kwh, depart_at=depart_at, priority=PRIORITY_MIN, source="asking")
    events += [
        ev.StationConnected(at=now, station=station, ocpp=state.stations[station].ocpp),
        ev.FailsafeAnswered(at=now, station=station, failsafe_a=failsafe_a, accepted=True),
        ev.EvseStatusChanged(at=now, evse=evse, status=ev.EvseStatus.PREPARING),
        ev.SessionStarted(at=now, session=ASKING, evse=evse, transaction="?"),
        ev.IntentSet(at=now, session=ASKING, intent=intent),
    ]
    for event in events:
        state = state_tools.apply(state, event)
    return state


def from_plan(plan: Plan, evse: EvseId, wish: tuple[float, datetime]) -> Promise:
    """The answer to a car that asks, from the plan that has it in."""
    energy_kwh, depart_at = wish
    lacking_kwh = energy_kwh
    if ASKING in plan.sessions:
        lacking_kwh = plan.shortfall_kwh[plan.sessions.index(ASKING)]
    return Promise(evse=evse, energy_kwh=max(energy_kwh - lacking_kwh, 0.0), by_at=depart_at, lacking_kwh=lacking_kwh)


def made_by(state: SiteState, plan: Plan, planned_on: Mapping[SessionId, SessionIntent]) -> Iterator[ev.PromiseMade]:
    """Promises of a new plan to sessions that said what they need and have none yet. Rule-based plans promise nothing.

    ``planned_on`` are the wishes as the plan knew them: who changed its wish meanwhile waits for the next plan.
    """
    if plan.rule_based:
        return
    for index, session_id in enumerate(plan.sessions):
        session = state.sessions.get(session_id)
        if session is None or session_id in state.energy.promises.open:
            continue
        intent = session.intent
        if planned_on.get(session_id) != intent:
            continue
        if intent.energy_kwh is None or intent.depart_at is None or intent.depart_at <= plan.made_at + timedelta(minutes=1):
            continue
        hours = (length_s / 3600.0 for length_s in plan.step_s)
        planned_kwh = sum(max(kw, 0.0) * h for kw, h in zip(plan.power_kw[index], hours, strict=True))
        promised_kwh = max(min(session.energy_kwh + planned_kwh, intent.energy_kwh), session.energy_kwh)
        if promised_kwh <= session.energy_kwh + KEPT_KWH:
            continue  # nothing can be promised yet
        yield ev.PromiseMade(at=plan.made_at, session=session_id, energy_kwh=round(promised_kwh, 4), by_at=intent.depart_at)
