"""Security of stations: events, passwords, security profiles, certificates, logs. Every change is audited [G30]."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Body, Query, Response

from api.deps import Count, Manager, Operator, Viewer
from api.errors import ProblemRoute
from api.security_schemas import (
    AcknowledgeIn,
    AnswerOut,
    HashModel,
    InstalledOut,
    LogIn,
    PasswordIn,
    ProfileIn,
    RootIn,
    SecurityEventOut,
    StationSecurityOut,
    TaskOut,
    WaitingOut,
)
from loadmgr.domain import security as sec
from loadmgr.domain.access import SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import CertificateUse
from loadmgr.errors import NotFoundError
from loadmgr.ocpp.gateway import Gateway

router = APIRouter(tags=["security"], route_class=ProblemRoute)

Whose = Annotated[str | None, Query(description="only of this station", max_length=64)]
Ask = Annotated[CertificateUse | None, Query(description="only certificates for this")]


@router.get("/security/events")
async def get_security_events(
    manager: Manager,
    _: Viewer,
    *,
    station: Whose = None,
    critical: bool = False,
    limit: Count = 100,
    before: int | None = None,
) -> list[SecurityEventOut]:
    """Security events of all runs, newest first; page on with ``before``, the id of the last one."""
    whose = StationId(station) if station is not None else None
    found = await manager.history.security_events(limit=limit, station=whose, critical_only=critical, before_id=before)
    return [SecurityEventOut.of(r) for r in found]


@router.get("/security/waiting")
async def get_waiting(manager: Manager, _: Viewer) -> list[WaitingOut]:
    """Unknown stations that knocked, the latest first, and what to add to the site file to admit each of them."""
    gateway = manager.link
    return [WaitingOut.of(e) for e in gateway.door.room.entries()] if isinstance(gateway, Gateway) else []


@router.post("/security/acknowledge", status_code=204)
async def acknowledge(manager: Manager, actor: Operator, wish: AcknowledgeIn) -> Response:
    """Say that the critical security events of a station have been seen; their alarms end."""
    if wish.station and StationId(wish.station) not in manager.state.stations:
        raise NotFoundError("station", wish.station, "GET /api/v1/stations lists them; an empty one means unknown stations")
    manager.take(sec.SecurityAcknowledged(at=manager.now(), station=StationId(wish.station), actor=actor.name))
    await manager.durable()
    return Response(status_code=204)


@router.get("/stations/{station}/security")
async def get_station_security(manager: Manager, _: Viewer, station: str) -> StationSecurityOut:
    """Security profile, open offers, certificates and the last log of a station."""
    known = StationId(station)
    return StationSecurityOut.of(known, manager.security.tasks.profile_of(known), manager.state.security)


@router.post("/stations/{station}/password", status_code=202)
async def change_password(
    manager: Manager, actor: Operator, station: str, wish: Annotated[PasswordIn | None, Body()] = None
) -> TaskOut:
    """Give a station a new random password, which nobody gets to see; the old one is good until it comes with the new."""
    as_text = wish is not None and wish.as_text
    no = await manager.security.tasks.rotate(StationId(station), actor=actor.name, as_text=as_text)
    return TaskOut(station=station, no=no)


@router.delete("/stations/{station}/password", status_code=204)
async def withdraw_password(manager: Manager, actor: Operator, station: str) -> Response:
    """Withdraw a password that was offered, when you know that the station kept the old one; else it is locked out."""
    manager.security.tasks.withdraw(StationId(station), "password", actor=actor.name)
    await manager.durable()
    return Response(status_code=204)


@router.post("/stations/{station}/security-profile", status_code=202)
async def raise_profile(manager: Manager, actor: Operator, station: str, wish: ProfileIn) -> TaskOut:
    """Tell a station to use a higher security profile; the lower one is good until it comes with the higher."""
    no = await manager.security.tasks.raise_profile(
        StationId(station),
        SecurityProfile(wish.profile),
        actor=actor.name,
        slot=wish.slot,
        interface=wish.interface,
    )
    return TaskOut(station=station, no=no)


@router.delete("/stations/{station}/security-profile", status_code=204)
async def withdraw_profile(manager: Manager, actor: Operator, station: str) -> Response:
    """Withdraw a security profile that was offered, when you know that the station kept the old one."""
    manager.security.tasks.withdraw(StationId(station), "profile", actor=actor.name)
    await manager.durable()
    return Response(status_code=204)


@router.post("/stations/{station}/certificate/renew")
async def renew_certificate(manager: Manager, actor: Operator, station: str) -> AnswerOut:
    """Ask a station to make a new key and to request a certificate for it; signing and delivery follow by themselves."""
    reply = await manager.security.certificates.renew(StationId(station), actor=actor.name)
    return AnswerOut(station=station, accepted=reply.accepted, detail=reply.detail)


@router.get("/stations/{station}/certificates")
async def get_certificates(manager: Manager, _: Operator, station: str, use: Ask = None) -> list[InstalledOut]:
    """Ask a station which certificates it has."""
    return [InstalledOut.of(c) for c in await manager.security.certificates.installed(StationId(station), use)]


@router.post("/stations/{station}/certificates")
async def install_certificate(manager: Manager, actor: Operator, station: str, wish: RootIn) -> AnswerOut:
    """Install a root certificate in a station."""
    use, whose = CertificateUse(wish.use), StationId(station)
    reply = await manager.security.certificates.install(whose, use, wish.certificate, actor=actor.name)
    return AnswerOut(station=station, accepted=reply.accepted, detail=reply.detail)


@router.post("/stations/{station}/certificates/delete")
async def delete_certificate(manager: Manager, actor: Operator, station: str, wish: HashModel) -> AnswerOut:
    """Remove a certificate from a station, but never the only valid root by which it knows this service."""
    reply = await manager.security.certificates.delete(StationId(station), wish.named(), actor=actor.name)
    return AnswerOut(station=station, accepted=reply.accepted, detail=reply.detail)


@router.post("/stations/{station}/log")
async def read_log(manager: Manager, actor: Operator, station: str, wish: LogIn) -> AnswerOut:
    """Ask a station to upload its security or diagnostics log; ``LogStatusReported`` with ``no`` tells how far it is."""
    command = sec.ReadLog(
        no=next(manager.security.tasks.numbers),
        station=StationId(station),
        kind=wish.kind,
        url=wish.url,
        oldest_at=wish.oldest_at,
        latest_at=wish.latest_at,
    )
    reply = await manager.security.tasks.read_log(command, actor=actor.name)
    return AnswerOut(station=station, accepted=reply.accepted, detail=reply.detail, no=command.no)
