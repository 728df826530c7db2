"""The plan in force and earlier ones."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Count, Manager, Viewer
from api.errors import ProblemRoute
from api.plan_schemas import PlanOut
from loadmgr.errors import NotFoundError

router = APIRouter(tags=["plan"], route_class=ProblemRoute)


@router.get("/plan")
async def get_plan(manager: Manager, _: Viewer) -> PlanOut:
    """The plan in force, with what binds each session."""
    if manager.state.plan is None:
        raise NotFoundError("plan", "in force", "the first one is made within seconds of the start")
    return PlanOut.of(manager.state.plan)


@router.get("/plans")
async def get_plans(manager: Manager, _: Viewer, limit: Count = 20) -> list[PlanOut]:
    """Plans that were made, newest first."""
    return [PlanOut.of(p) for p in await manager.history.plans(limit=limit)]
