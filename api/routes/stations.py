"""Stations and their EVSEs."""

from __future__ import annotations

from fastapi import APIRouter

from api.deps import Manager, Viewer
from api.errors import ProblemRoute
from api.schemas import EvseOut, FrameOut, StationOut
from loadmgr.control.view import EvseView, evse_views
from loadmgr.domain.ids import StationId
from loadmgr.errors import NotFoundError
from loadmgr.runtime import LoadManager

router = APIRouter(tags=["stations"], route_class=ProblemRoute)


def _station(manager: LoadManager, station: StationId, views: tuple[EvseView, ...]) -> StationOut:
    state = manager.state.stations[station]
    return StationOut(
        id=state.id,
        is_connected=state.is_connected,
        ocpp=state.ocpp,
        changed_at=state.changed_at,
        vendor=state.vendor,
        model=state.model,
        firmware=state.firmware,
        failsafe=state.failsafe.value,
        failsafe_a=state.failsafe_a,
        evses=[EvseOut.model_validate(v) for v in views if v.station == station],
    )


@router.get("/stations")
async def get_stations(manager: Manager, _: Viewer) -> list[StationOut]:
    """Every station of the site."""
    views = evse_views(manager.state, manager.now())
    return [_station(manager, s, views) for s in manager.state.stations]


@router.get("/stations/{station}")
async def get_station(manager: Manager, _: Viewer, station: str) -> StationOut:
    """One station."""
    _known(manager, station)
    return _station(manager, StationId(station), evse_views(manager.state, manager.now()))


@router.get("/stations/{station}/frames")
async def get_frames(manager: Manager, _: Viewer, station: str) -> list[FrameOut]:
    """The last 200 OCPP frames of a station, newest first, without secrets."""
    _known(manager, station)
    frames = await manager.history.frames(StationId(station), 200)
    return [FrameOut.model_validate(f) for f in frames]


def _known(manager: LoadManager, station: str) -> None:
    if StationId(station) not in manager.state.stations:
        raise NotFoundError("station", station, "GET /api/v1/stations lists them")
