"""What routes ask for: the manager, and an actor with enough rights."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends, Query, Request, Security
from fastapi.security import APIKeyHeader
from prometheus_client import CollectorRegistry

from api import metrics
from api.auth import AccessError, Actor, Keys, Role
from loadmgr.grid_service import GridService
from loadmgr.runtime import LoadManager

_HEADER = APIKeyHeader(name="X-API-Key", auto_error=False, description="operator's or viewer's key")


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the routes of one site share. Every router has its own, so that a host can mount several sites."""

    manager: LoadManager
    keys: Keys
    metrics: CollectorRegistry
    grid: GridService
    numbers: Iterator[int]
    """Of commands that routes send; their answers carry them."""

    @classmethod
    def of(cls, manager: LoadManager, key: str, viewer_key: str | None) -> Service:
        """A service with fresh counters of wrong keys."""
        return cls(
            manager=manager,
            keys=Keys(operator=key, viewer=viewer_key),
            metrics=metrics.registry(manager),
            grid=GridService(manager),
            numbers=itertools.count(1),
        )

    def provider(self) -> Callable[[Request], None]:
        """The dependency that hands this service to the routes behind it."""

        def provide(request: Request) -> None:
            request.state.loadmgr = self

        return provide


def _service(request: Request) -> Service:
    found: Service = request.state.loadmgr
    return found


def _manager(request: Request) -> LoadManager:
    return _service(request).manager


def _actor(request: Request, key: Annotated[str | None, Security(_HEADER)]) -> Actor:
    keys = _service(request).keys
    if key is None:
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        key = token if scheme.lower() == "bearer" else None
    return keys.actor(key, request.client.host if request.client is not None else "")


def _operator(actor: Annotated[Actor, Depends(_actor)]) -> Actor:
    if actor.role < Role.OPERATOR:
        raise AccessError(403, "this key may look but not change; use the operator's key")
    return actor


def _metrics(request: Request) -> CollectorRegistry:
    return _service(request).metrics


def _grid(request: Request) -> GridService:
    return _service(request).grid


def _number(request: Request) -> int:
    return next(_service(request).numbers)


Manager = Annotated[LoadManager, Depends(_manager)]
Viewer = Annotated[Actor, Depends(_actor)]
Operator = Annotated[Actor, Depends(_operator)]
Metrics = Annotated[CollectorRegistry, Depends(_metrics)]
Count = Annotated[int, Query(ge=1, le=500, description="how many at the most")]
Grid = Annotated[GridService, Depends(_grid)]
Number = Annotated[int, Depends(_number)]
