"""Promises, batteries and demand peaks."""

from __future__ import annotations

from fastapi import APIRouter, Response

from api.deps import Manager, Operator, Viewer
from api.errors import ProblemRoute
from api.plan_schemas import BatteryIn, OpenPromiseOut, PeakOut, PromiseIn, PromiseOut, PromisesOut
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId
from loadmgr.errors import NotFoundError, SiteModelError

router = APIRouter(tags=["energy"], route_class=ProblemRoute)


@router.post("/promises")
async def ask_promise(manager: Manager, _: Viewer, wish: PromiseIn) -> PromiseOut:
    """What a car that plugs in now can be promised, without breaking a promise given before. Nothing is changed."""
    return PromiseOut.of(await manager.promise(EvseId(wish.evse), wish.energy_kwh, wish.depart_at))


@router.get("/promises")
async def get_promises(manager: Manager, _: Viewer) -> PromisesOut:
    """Open promises, and how promises came out."""
    book = manager.state.energy.promises
    judged = book.n_kept + book.n_broken
    return PromisesOut(
        n_kept=book.n_kept,
        n_broken=book.n_broken,
        n_void=book.n_void,
        kept_frac=book.n_kept / judged if judged else None,
        open=[OpenPromiseOut(session=p.session, energy_kwh=p.energy_kwh, by_at=p.by_at) for p in book.open.values()],
    )


@router.put("/batteries/{battery}", status_code=204)
async def put_battery(manager: Manager, _: Operator, battery: str, told: BatteryIn) -> Response:
    """A battery (or its energy management) tells its state; it takes part in plans while it keeps telling."""
    known = manager.site.batteries.get(battery)
    if known is None:
        raise NotFoundError("battery", battery, f"known batteries: {', '.join(manager.site.batteries) or 'none'}")
    if told.stored_kwh > known.capacity_kwh * 1.05:
        raise SiteModelError(f"battery {battery!r} holds {known.capacity_kwh} kWh, not {told.stored_kwh}")
    event = ev.BatteryMeasured(at=manager.now(), battery=battery, stored_kwh=told.stored_kwh, power_kw=told.power_kw)
    manager.take(event)
    return Response(status_code=204)


@router.get("/peaks")
async def get_peaks(manager: Manager, _: Viewer) -> list[PeakOut]:
    """The highest mean import so far, for each demand charge of the tariff."""
    peaks = manager.state.energy.peaks
    return [PeakOut(charge=name, period=p.period, power_kw=round(p.incurred_kw, 3)) for name, p in sorted(peaks.items())]
