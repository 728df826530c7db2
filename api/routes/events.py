"""The event log, and a live stream of it."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse

from api.deps import Count, Manager, Viewer
from api.errors import ProblemRoute
from api.schemas import EventOut
from loadmgr import codec
from loadmgr.domain.events import Event
from loadmgr.runtime import LoadManager

router = APIRouter(tags=["events"], route_class=ProblemRoute)

Kinds = Annotated[tuple[str, ...], Query(description="only these kinds, e.g. LimitSet", max_length=20)]


def _data(event: Event) -> dict[str, object]:
    found: dict[str, object] = json.loads(codec.encode(event))
    return {k: v for k, v in found.items() if k not in {"kind", "v", "at"}}


@router.get("/events")
async def get_events(
    manager: Manager,
    _: Viewer,
    kind: Kinds = (),
    limit: Count = 100,
    before_seq: int | None = None,
) -> list[EventOut]:
    """Events of this run, newest first; page on with ``before_seq``."""
    stored = await manager.history.events(limit=limit, kinds=kind, before_seq=before_seq)
    return [EventOut(seq=s.seq, kind=codec.kind_of(s.event), at=s.event.at, data=_data(s.event)) for s in stored]


@router.get("/events/stream")
async def stream_events(manager: Manager, _: Viewer) -> StreamingResponse:
    """Server-sent events from now on; a slow reader loses the oldest."""
    return StreamingResponse(_stream(manager), media_type="text/event-stream")


async def _stream(manager: LoadManager) -> AsyncIterator[str]:
    with manager.subscribe() as events:
        yield ": connected\n\n"
        async for event in events:
            body = {"at": event.at.isoformat(), "data": _data(event)}
            yield f"event: {codec.kind_of(event)}\ndata: {json.dumps(body)}\n\n"
