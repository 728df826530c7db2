"""Requests of grid operators: limits, limits of single EVSEs and DER controls, put into force and withdrawn whole."""

from __future__ import annotations

import uuid

from fastapi import APIRouter, Response

from api.deps import Grid, Manager, Operator, Viewer
from api.errors import ProblemRoute
from api.grid_schemas import GridRequestIn, GridRequestOut, WithdrawnOut

router = APIRouter(tags=["grid"], route_class=ProblemRoute)


@router.post("/grid-requests", status_code=201, responses={200: {"description": "It replaced the one with its id"}})
async def ask(manager: Manager, grid: Grid, actor: Operator, wish: GridRequestIn, response: Response) -> GridRequestOut:
    """Put a request into force. When a part of it is not possible it is refused as a whole and nothing is changed."""
    name = wish.id or uuid.uuid4().hex[:16]
    is_new = all(h.id != name for h in grid.held())
    held = await grid.ask(wish.to_domain(name), actor=actor.name)
    response.status_code = 201 if is_new else 200
    response.headers["Location"] = f"/api/v1/grid-requests/{name}"
    return GridRequestOut.of(held, manager.now())


@router.get("/grid-requests")
async def get_requests(manager: Manager, grid: Grid, _: Viewer) -> list[GridRequestOut]:
    """Requests whose time is not over, with what became of every part."""
    now = manager.now()
    return [GridRequestOut.of(h, now) for h in grid.held()]


@router.get("/grid-requests/{request}")
async def get_request(manager: Manager, grid: Grid, _: Viewer, request: str) -> GridRequestOut:
    """One request."""
    return GridRequestOut.of(grid.find(request), manager.now())


@router.delete("/grid-requests/{request}")
async def withdraw(grid: Grid, actor: Operator, request: str) -> WithdrawnOut:
    """Withdraw a request: its limits end at once, stations are told to clear its DER controls."""
    still_held = await grid.withdraw(request, actor=actor.name)
    return WithdrawnOut(id=request, still_held=list(still_held))
