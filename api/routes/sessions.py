"""Sessions: energy, departure, priority."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.exceptions import RequestValidationError
from pydantic import AwareDatetime

from api.deps import Count, Manager, Operator, Viewer
from api.errors import ProblemRoute
from api.schemas import STAY_MAX, IntentIn, SessionOut
from loadmgr.domain.ids import SessionId
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
    if wish.depart_at is not None and not now < wish.depart_at <= now + STAY_MAX:
        message = f"must lie between now ({now:%Y-%m-%dT%H:%M:%SZ}) and seven days ahead"
        raise RequestValidationError(
            [{"type": "value_error", "loc": ("body", "depart_at"), "msg": message, "input": str(wish.depart_at)}]
        )
    given = {name: getattr(wish, name) for name in wish.model_fields_set}
    intent = replace(known.intent, source=actor.name, **given)
    await manager.set_intent(known.id, intent, actor=actor.name)
    return SessionOut.of(manager.state.sessions[known.id])
