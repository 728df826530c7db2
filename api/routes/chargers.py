"""Chargers: what each is told, whether it does it, what is wrong with it; and what only some of them understand."""

from __future__ import annotations

from fastapi import APIRouter

from api.charger_history import told_of
from api.charger_schemas import (
    AfrrIn,
    AskedOut,
    ChargerDetailOut,
    ChargerOut,
    FigureOut,
    ObedienceOut,
    ObediencesOut,
    PriorityIn,
    TransferIn,
)
from api.charger_view import charger_view, charger_views
from api.deps import Manager, Number, Operator, Viewer
from api.errors import ProblemRoute
from loadmgr.control import obedience, v2x
from loadmgr.control.obedience import Figure
from loadmgr.domain.commands import AllowTransfer, SetPriority, SignalAfrr
from loadmgr.domain.ids import SessionId, StationId
from loadmgr.domain.session import Session
from loadmgr.errors import NotFoundError, SiteModelError
from loadmgr.runtime import LoadManager

router = APIRouter(tags=["chargers"], route_class=ProblemRoute)


@router.get("/chargers")
async def get_chargers(manager: Manager, _: Viewer) -> list[ChargerOut]:
    """Every station: problems first, how it obeys, and its orders."""
    return [ChargerOut.of(v) for v in charger_views(manager.state, manager.now())]


@router.get("/chargers/obedience")
async def get_obedience(manager: Manager, _: Viewer) -> ObediencesOut:
    """How stations, and the models they are of, obeyed since the service started."""
    state = manager.state
    return ObediencesOut(
        by_station=[_figure(f) for f in obedience.by_station(state)],
        by_model=[_figure(f) for f in obedience.by_model(state)],
    )


def _figure(figure: Figure) -> FigureOut:
    return FigureOut(name=figure.name, n_evses=figure.n_evses, obedience=ObedienceOut.of(figure.counts))


@router.get("/chargers/{station}")
async def get_charger(manager: Manager, _: Viewer, station: str) -> ChargerDetailOut:
    """One station with its peculiarities, their evidence, and what was tried when it did not obey."""
    known = _known(manager, station)
    told = await told_of(manager.history, manager.site, known)
    state = manager.state
    view = charger_view(state, known, manager.now())
    return ChargerDetailOut.detailed(view, state.chargers.traits_of(known), told)


@router.post("/sessions/{session}/priority", status_code=202)
async def set_priority(manager: Manager, no: Number, _: Operator, session: str, wish: PriorityIn) -> AskedOut:
    """Switch priority charging of a session on or off in its charger, OCPP 2.1 (K21)."""
    found = _session(manager, session)
    station = _speaking(manager, manager.site.evses[found.evse].station)
    command = SetPriority(no=no, station=station, transaction=found.transaction, is_active=wish.is_active)
    manager.command(command)
    return AskedOut(station=station, command="SetPriority", no=no)


@router.post("/sessions/{session}/transfer", status_code=202)
async def allow_transfer(manager: Manager, no: Number, _: Operator, session: str, wish: TransferIn) -> AskedOut:
    """Say which energy transfer modes a session may use, OCPP 2.1 (Q01)."""
    found = _session(manager, session)
    station = _speaking(manager, manager.site.evses[found.evse].station)
    modes = tuple(wish.modes)
    command = AllowTransfer(no=no, station=station, transaction=found.transaction, modes=modes)
    manager.command(command)
    return AskedOut(station=station, command="AllowTransfer", no=no)


@router.post("/stations/{station}/afrr", status_code=202)
async def signal_afrr(manager: Manager, no: Number, _: Operator, station: str, wish: AfrrIn) -> AskedOut:
    """Pass an aFRR signal on to a station whose sessions are in local frequency mode, OCPP 2.1."""
    known = _speaking(manager, _known(manager, station))
    at = wish.at or manager.now()
    command = SignalAfrr(no=no, station=known, at=at, signal=wish.signal)
    manager.command(command)
    return AskedOut(station=known, command="SignalAfrr", no=no)


def _known(manager: LoadManager, station: str) -> StationId:
    if StationId(station) not in manager.state.stations:
        raise NotFoundError("station", station, "GET /api/v1/chargers lists them")
    return StationId(station)


def _session(manager: LoadManager, session: str) -> Session:
    found = manager.state.sessions.get(SessionId(session))
    if found is None:
        raise NotFoundError("running session", session, "GET /api/v1/sessions?open=true lists them")
    return found


def _speaking(manager: LoadManager, station: StationId) -> StationId:
    """The station, if it has a link on which it can be told."""
    known = manager.state.stations[station]
    if not known.is_connected:
        raise SiteModelError(f"station {station!r} has no link; try again when it is connected")
    if known.ocpp != v2x.SPEAKS:
        raise SiteModelError(
            f"station {station!r} speaks OCPP {known.ocpp}, this needs {v2x.SPEAKS};"
            " for priority in the plan use PATCH /api/v1/sessions/<id> with priority"
        )
    return station
