"""Sessions: energy, departure, priority, limits; remote start and stop."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime

from api.deps import Count, Manager, Operator, Viewer
from api.errors import ProblemRoute
from api.session_schemas import STAY_MAX, CommandOut, IntentIn, SessionOut, StartOrder
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.errors import NotFoundError

router = APIRouter(tags=["sessions"], route_class=ProblemRoute)


@router.get("/sessions")
async def get_sessions(
    manager: Manager,
    _: Viewer,
    limit: Count = 100,
    open_only: Annotated[bool, Query(alias="open")] = False,
    before: AwareDatetime | None = None,
) -> list[SessionOut]:
    """Sessions, newest first; page on with ``before`` = the start of the last one."""
    if open_only:
        running = sorted(manager.state.sessions.values(), key=lambda s: s.started_at, reverse=True)
        return [SessionOut.of(s) for s in running[:limit]]
    stored = await manager.history.sessions(open_only=False, limit=limit, before=before)
    live = manager.state.sessions
    return [SessionOut.of(live.get(s.id, s)) for s in stored]


@router.get("/sessions/{session}")
async def get_session(manager: Manager, _: Viewer, session: str) -> SessionOut:
    """A session that runs or ended not long ago."""
    found = manager.state.sessions.get(SessionId(session)) or manager.state.ended.get(SessionId(session))
    if found is None:
        raise NotFoundError("session", session, "GET /api/v1/sessions lists them")
    return SessionOut.of(found)


@router.patch("/sessions/{session}")
async def set_intent(manager: Manager, actor: Operator, session: str, wish: IntentIn) -> SessionOut:
    """Say what a running session needs. Takes effect with the next plan, at once."""
    known = manager.state.sessions.get(SessionId(session))
    if known is None:
        raise NotFoundError("running session", session, "GET /api/v1/sessions?open=true lists them")
    now = manager.now()
    for name in ("depart_at", "limit_until"):
        at = getattr(wish, name)
        if at is not None and not now < at <= now + STAY_MAX:
            raise _invalid(name, f"must lie between now ({now:%Y-%m-%dT%H:%M:%SZ}) and seven days ahead", at)
    given = {name: getattr(wish, name) for name in wish.model_fields_set}
    intent = replace(known.intent, source=actor.name, **given)
    if intent.limit_cost is not None and intent.price_per_kwh is None:
        raise _invalid(
            "limit_cost", "needs price_per_kwh, the price at which the session's energy counts", intent.limit_cost
        )
    await manager.set_intent(known.id, intent, actor=actor.name)
    return SessionOut.of(manager.state.sessions[known.id])


def _invalid(name: str, message: str, value: object) -> RequestValidationError:
    return RequestValidationError([{"type": "value_error", "loc": ("body", name), "msg": message, "input": str(value)}])


@router.post("/sessions", status_code=202)
async def start_session(manager: Manager, _: Operator, wish: StartOrder) -> CommandOut:
    """Start a session remotely. Accepted means that the station was asked; events tell what becomes of it."""
    command = await manager.start_session(EvseId(wish.evse), wish.id_tag)
    return CommandOut(no=command.no, station=command.station, evse=command.evse, first_a=command.first_a)


@router.post("/sessions/{session}/stop", status_code=202)
async def stop_session(manager: Manager, _: Operator, session: str) -> CommandOut:
    """Stop a running session remotely; its end comes as an event."""
    command = await manager.stop_session(SessionId(session))
    return CommandOut(no=command.no, station=command.station, evse=command.evse)
