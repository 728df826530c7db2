"""The site: tree, present load, headroom, alarms."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Manager, Viewer
from api.errors import ProblemRoute
from api.schemas import AlarmOut, NodeOut, SiteOut
from loadmgr.control.view import node_loads

router = APIRouter(tags=["site"], route_class=ProblemRoute)


@router.get("/site")
async def get_site(manager: Manager, _: Viewer) -> SiteOut:
    """The tree of nodes with present load, tightest limit and headroom."""
    now, site = manager.now(), manager.site
    return SiteOut(
        id=site.id,
        name=manager.settings.name,
        timezone=site.timezone,
        currency=manager.settings.context.tariff.currency,
        now=now,
        nodes=[NodeOut.model_validate(n) for n in node_loads(manager.state, now)],
    )


@router.get("/alarms")
async def get_alarms(manager: Manager, _: Viewer) -> list[AlarmOut]:
    """What needs somebody's attention now, the worst first."""
    order = {"critical": 0, "warning": 1, "info": 2}
    found = [AlarmOut.of(a) for a in manager.state.alarms.values()]
    return sorted(found, key=lambda a: (order[a.severity], a.raised_at))
