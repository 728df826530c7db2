"""Temporary limits: of the grid operator, of the site operator."""

from __future__ import annotations

import uuid
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Query, Response

from api.deps import Manager, Operator, Viewer
from api.errors import ProblemRoute
from api.schemas import LimitIn, LimitOut
from loadmgr.domain.ids import LimitId, NodeId
from loadmgr.domain.limits import BOUNDS, Limit, tightest
from loadmgr.runtime import LoadManager

router = APIRouter(tags=["limits"], route_class=ProblemRoute)


def _binds(manager: LoadManager, limit: Limit, now: datetime) -> bool:
    """True when no other limit of the node is tighter in what this one bounds."""
    others = [x for x in manager.state.limits.values() if x.node == limit.node and x.id != limit.id]
    bound = tightest((*manager.site.nodes[limit.node].limits, *others), now)
    pairs = [(getattr(limit, name), getattr(bound, name)) for name in BOUNDS]
    return limit.holds_at(now) and any(mine is not None and (other is None or mine < other) for mine, other in pairs)


@router.post("/limits", status_code=201)
async def create_limit(manager: Manager, actor: Operator, wish: LimitIn, response: Response) -> LimitOut:
    """Put a limit into force; chargers are reduced within seconds."""
    limit = Limit(
        id=LimitId(uuid.uuid4().hex[:16]),
        node=NodeId(wish.node),
        source=wish.source,
        current_a=wish.current_a,
        power_kw=wish.power_kw,
        export_kw=wish.export_kw,
        discharge_kw=wish.discharge_kw,
        unbalance_a=wish.unbalance_a,
        kind=wish.kind,
        from_at=wish.from_at,
        until_at=wish.until_at,
    )
    await manager.set_limit(limit, actor=actor.name)
    response.headers["Location"] = f"/api/v1/limits/{limit.id}"
    now = manager.now()
    return LimitOut.of(limit, in_force=limit.holds_at(now), binds=_binds(manager, limit, now))


@router.get("/limits")
async def get_limits(manager: Manager, _: Viewer, include_ended: Annotated[bool, Query()] = False) -> list[LimitOut]:
    """Temporary limits; with ``include_ended`` also those withdrawn or over."""
    now = manager.now()
    if not include_ended:
        return [
            LimitOut.of(x, in_force=x.holds_at(now), binds=_binds(manager, x, now))
            for x in manager.state.limits.values()
            if x.until_at is None or x.until_at > now
        ]
    stored = await manager.history.limits(include_ended=True)
    return [LimitOut.of(x, in_force=w is None and x.holds_at(now), binds=False, withdrawn_at=w) for _, x, w in stored[-500:]]


@router.delete("/limits/{limit}", status_code=204)
async def withdraw_limit(manager: Manager, actor: Operator, limit: str) -> Response:
    """Withdraw a limit."""
    await manager.withdraw_limit(LimitId(limit), actor=actor.name)
    return Response(status_code=204)
