"""What routes ask for: the manager, and an actor with enough rights."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader

from api.auth import AccessError, Actor, Keys, Role
from loadmgr.runtime import LoadManager

_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="operator's or viewer's key")


def _manager(request: Request) -> LoadManager:
    found: LoadManager = request.app.state.loadmgr
    return found


def _actor(request: Request, key: Annotated[str | None, Security(_HEADER)]) -> Actor:
    keys: Keys = request.app.state.keys
    if key is None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        key = token if scheme.lower() == "bearer" else None
    return keys.actor(key, request.client.host if request.client is not None else "")


def _operator(actor: Annotated[Actor, Depends(_actor)]) -> Actor:
    if actor.role < Role.OPERATOR:
        raise AccessError(403, "this key may look but not change; use the operator's key")
    return actor


Manager = Annotated[LoadManager, Depends(_manager)]
Viewer = Annotated[Actor, Depends(_actor)]
Operator = Annotated[Actor, Depends(_operator)]
Count = Annotated[int, Query(ge=1, le=500, description="how many at the most")]
