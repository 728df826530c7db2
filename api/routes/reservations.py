"""Reservations: an EVSE held, and capacity kept in the plan, for a booked car."""

from __future__ import annotations

from fastapi import APIRouter, Response
from fastapi.exceptions import RequestValidationError

from api.deps import Manager, Operator, Viewer
from api.errors import ProblemRoute
from api.session_schemas import BOOK_AHEAD_MAX, ReservationIn, ReservationOut
from loadmgr.errors import NotFoundError
from loadmgr.session_desk import Booking

router = APIRouter(tags=["reservations"], route_class=ProblemRoute)


@router.post("/reservations", status_code=201)
async def create_reservation(manager: Manager, _: Operator, wish: ReservationIn, response: Response) -> ReservationOut:
    """Book an EVSE, or any of a station, for a car."""
    if wish.from_at > manager.now() + BOOK_AHEAD_MAX:
        message = f"must lie at most {BOOK_AHEAD_MAX.days} days ahead"
        raise RequestValidationError(
            [{"type": "value_error", "loc": ("body", "from_at"), "msg": message, "input": str(wish.from_at)}]
        )
    booking = Booking(
        id_tag=wish.id_tag,
        from_at=wish.from_at,
        until_at=wish.until_at,
        energy_kwh=wish.energy_kwh,
        depart_at=wish.depart_at,
    )
    reserved = await manager.reserve(wish.evse or wish.station or "", booking)
    response.headers["Location"] = f"/api/v1/reservations/{reserved.reservation}"
    return ReservationOut.of(reserved)


@router.get("/reservations")
async def get_reservations(manager: Manager, _: Viewer) -> list[ReservationOut]:
    """Open reservations, the next first; those used, given up or over are in the event log as ``ReservationEnded``."""
    found = sorted(manager.state.chargers.reservations.values(), key=lambda r: (r.from_at, r.reservation))
    return [ReservationOut.of(r) for r in found]


@router.get("/reservations/{reservation}")
async def get_reservation(manager: Manager, _: Viewer, reservation: int) -> ReservationOut:
    """One open reservation."""
    found = manager.state.chargers.reservations.get(reservation)
    if found is None:
        raise NotFoundError("reservation", str(reservation), "GET /api/v1/reservations lists the open ones")
    return ReservationOut.of(found)


@router.delete("/reservations/{reservation}", status_code=204)
async def cancel_reservation(manager: Manager, _: Operator, reservation: int) -> Response:
    """Give a reservation up; the station is told when it holds the EVSE."""
    await manager.cancel_reservation(reservation)
    return Response(status_code=204)
