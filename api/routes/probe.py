"""Examine a connected charger: what it takes, how it differs from the standard, and a ready rule."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict

from api.deps import Manager, Operator
from api.errors import ProblemRoute, problem
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.errors import NotFoundError
from loadmgr.ocpp.gateway import Gateway
from loadmgr.ocpp.probe import ProbeError, Report, examine
from loadmgr.ocpp.quirks import said

router = APIRouter(tags=["stations"], route_class=ProblemRoute)


class ProbeIn(BaseModel):
    """What to examine. ``busy``: consent to trials at an EVSE where a car charges, with its present limit."""

    model_config = ConfigDict(extra="forbid")

    evse: str | None = None
    busy: bool = False


class TrialOut(BaseModel):
    """One thing that was tried."""

    what: str
    works: bool
    detail: str


class ProbeOut(BaseModel):
    """What was found. ``rule`` and ``site_table`` are TOML; ``traits`` is everything that is known to differ."""

    station: str
    ocpp: str
    vendor: str
    model: str
    firmware: str
    evse: str
    values: dict[str, str]
    trials: list[TrialOut]
    traits: list[str]
    rule: str
    site_table: str


@router.post("/stations/{station}/probe", response_model=ProbeOut)
async def probe_station(manager: Manager, _: Operator, station: str, wanted: Annotated[ProbeIn, Body()]) -> Response:
    """Examine a connected charger with harmless steps; it can take a minute. What is found holds until a restart."""
    if StationId(station) not in manager.site.stations:
        raise NotFoundError("station", station, f"known stations: {', '.join(manager.site.stations)}")
    gateway = manager.link
    if not isinstance(gateway, Gateway):
        return _conflict("this service does not own the links to the chargers", "probe from the program that does")
    link = gateway.link(StationId(station))
    if link is None:
        return _conflict(f"station {station!r} is not connected", "check its power, network and the address it calls")
    try:
        found = await examine(link, evse=EvseId(wanted.evse) if wanted.evse else None, may_disturb=wanted.busy)
    except ProbeError as error:
        return _conflict(str(error), "nothing was changed that does not end by itself within a minute")
    return JSONResponse(_out(found).model_dump())


def _conflict(detail: str, hint: str) -> JSONResponse:
    return problem(409, "Cannot be probed now", detail, hint=hint)


def _out(found: Report) -> ProbeOut:
    return ProbeOut(
        station=found.station,
        ocpp=found.ocpp,
        vendor=found.product.vendor,
        model=found.product.model,
        firmware=found.product.firmware,
        evse=found.evse,
        values=dict(found.values),
        trials=[TrialOut(what=t.what, works=t.works, detail=t.detail) for t in found.trials],
        traits=list(found.evidence) or [f"{f.trait} = {said(f.value)}: {f.evidence}" for f in found.found],
        rule=found.rule,
        site_table=found.site_table,
    )
