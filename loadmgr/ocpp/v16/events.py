"""OCPP 1.6 messages of a station → events and the answer. Fields are mapped one by one."""

from __future__ import annotations

from datetime import datetime

from loadmgr.domain import events as ev
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId
from loadmgr.ocpp import lifecycle
from loadmgr.ocpp.metering import Reading, measure
from loadmgr.ocpp.sampling import Entry, samples
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import from_wire, to_wire
from loadmgr.ocpp.transactions import Known, Start
from loadmgr.ocpp.translation import LIVE, Desk, Handled, end_event
from loadmgr.ocpp.v16 import security
from loadmgr.units import wh_to_kwh

_STATUS = {
    "Available": EvseStatus.AVAILABLE,
    "Preparing": EvseStatus.PREPARING,
    "Charging": EvseStatus.CHARGING,
    "SuspendedEV": EvseStatus.SUSPENDED_EV,
    "SuspendedEVSE": EvseStatus.SUSPENDED_EVSE,
    "Finishing": EvseStatus.FINISHING,
    "Reserved": EvseStatus.RESERVED,
    "Unavailable": EvseStatus.UNAVAILABLE,
    "Faulted": EvseStatus.FAULTED,
}

_EMPTY_ANSWER = frozenset({
    "DiagnosticsStatusNotification",
    "FirmwareStatusNotification",
    "SignedFirmwareStatusNotification",
})  # fmt: skip


def handle(desk: Desk, action: str, payload: Json, now: datetime) -> Handled:
    """Answer and events of one valid message, and what time has made of the station's sessions meanwhile."""
    overdue = lifecycle.due(desk, now)
    handled = _handle(desk, action, payload, now)
    if overdue:
        handled.events[:0] = overdue
    return handled


def _handle(desk: Desk, action: str, payload: Json, now: datetime) -> Handled:
    match action:
        case "BootNotification":
            return _boot(desk, payload, now)
        case "Heartbeat":
            return Handled(answer={"currentTime": to_wire(now)})
        case "StatusNotification":
            return _status(desk, payload, now)
        case "Authorize":
            return Handled(answer={"idTagInfo": _id_tag_info(desk, payload["idTag"])})
        case "StartTransaction":
            return _start(desk, payload, now)
        case "StopTransaction":
            return _stop(desk, payload, now)
        case "MeterValues":
            return _meter_values(desk, payload, now)
        case "DataTransfer":
            return Handled(answer={"status": "UnknownVendorId"})
        case "SignCertificate" | "SecurityEventNotification" | "LogStatusNotification":
            return security.handle(desk, action, payload, now)
        case _ if action in _EMPTY_ANSWER:
            return Handled()
        case _:
            return Handled(refusal=("NotSupported", f"{action} is not handled by this central system"))


def _boot(desk: Desk, payload: Json, now: datetime) -> Handled:
    booted = ev.StationBooted(
        at=now,
        station=desk.station,
        vendor=payload["chargePointVendor"],
        model=payload["chargePointModel"],
        firmware=payload.get("firmwareVersion", ""),
        serial=payload.get("chargePointSerialNumber") or payload.get("chargeBoxSerialNumber") or "",
    )
    desk.transactions.booted(desk.station, now)
    answer = {"status": "Accepted", "currentTime": to_wire(now), "interval": desk.heartbeat_s}
    return Handled(answer=answer, events=[booted])


def _status(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["connectorId"]
    if number == 0:
        return Handled()  # the station as a whole; its EVSEs speak for themselves
    if desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"connectorId {number} is not in the site file"))
    error = payload["errorCode"] if payload["errorCode"] != "NoError" else ""
    evse = EvseId(f"{desk.station}/{number}")
    events = lifecycle.status_events(desk, evse, _STATUS[payload["status"]], now, error)
    return Handled(events=events, must_last=any(isinstance(e, ev.SessionEnded) for e in events))


def _id_tag_info(desk: Desk, id_tag: str) -> Json:
    return {"status": "Accepted" if desk.accepts(id_tag) else "Invalid"}


def _start(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["connectorId"]
    if number < 1 or desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"connectorId {number} is not in the site file"))
    start = Start(
        evse=EvseId(f"{desk.station}/{number}"),
        started_at=from_wire(payload["timestamp"]) or now,
        meter_start_kwh=wh_to_kwh(payload["meterStart"]),
        id_tag=payload["idTag"],
    )
    transaction, is_new = desk.transactions.numbered(start)
    handled = Handled(
        answer={"transactionId": int(transaction), "idTagInfo": _id_tag_info(desk, payload["idTag"])}, must_last=True
    )
    if not is_new:
        return handled  # our answer was lost; the same transaction again [B14, G-73]
    _, events = lifecycle.begun(desk, start, transaction, now)
    handled.events += events
    if "reservationId" in payload:
        handled.events.append(ev.ReservationEnded(at=now, reservation=payload["reservationId"], reason="used"))
    return handled


def _stop(desk: Desk, payload: Json, now: datetime) -> Handled:
    """Always acknowledged, so that the station drops it; an unknown one is an orphan [B15, D-4]."""
    handled = Handled(must_last=True)
    if "idTag" in payload:
        handled.answer = {"idTagInfo": _id_tag_info(desk, payload["idTag"])}
    said, stop_kwh = payload["transactionId"], wh_to_kwh(payload["meterStop"])
    ended_at = from_wire(payload["timestamp"]) or now
    if said > 0:
        known = desk.transactions.find(desk.station, str(said))
    else:
        known = lifecycle.guessed(desk, stop_kwh)
    entries = _entries(payload.get("transactionData", []))
    if known is None and said > 0:
        stop = (str(said), payload.get("idTag", ""))
        handled.events += lifecycle.orphan(desk, stop, (_begin_kwh(desk, entries), stop_kwh), (ended_at, now))
    if known is None or (not known.is_open and known.is_final):
        handled.must_last = bool(handled.events)
        return handled
    known.is_final = True
    number = int(known.start.evse.rpartition("/")[2])
    handled.events += samples(desk, number, entries, (known, now), is_history=True)
    evse = desk.site.evses[known.start.evse]
    stop_kwh = _offset_kwh(desk, known, stop_kwh)
    final_kwh = lifecycle.final_register(known, evse, stop_kwh, (ended_at, now))
    reason = payload.get("reason", "Local")
    handled.events.append(end_event(desk, known, now, meter_stop_kwh=final_kwh, ended_at=ended_at, reason=reason))
    return handled


def _offset_kwh(desk: Desk, known: Known, stop_kwh: float) -> float:
    """A register that begins anew with every session goes on where the session began [G-92]."""
    start_kwh = known.start.meter_start_kwh
    return start_kwh + stop_kwh if desk.traits.has_session_register and stop_kwh < start_kwh else stop_kwh


def _begin_kwh(desk: Desk, entries: list[Entry]) -> float | None:
    """The register at the begin, out of the data of the end."""
    for _, readings in entries:
        begin = [r for r in readings if r.context == "Transaction.Begin"]
        if begin:
            return measure(begin, None, desk.traits).measured.energy_kwh
    return None


def _meter_values(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["connectorId"]
    if number != 0 and desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"connectorId {number} is not in the site file"))
    evse, said = EvseId(f"{desk.station}/{number}"), payload.get("transactionId", 0)
    entries = _entries(payload["meterValue"])
    if number == 0:
        return Handled(events=list(samples(desk, 0, entries, (None, now), is_history=False)))
    if said <= 0:  # none, or the ids of a station that never got our answer: what runs here [D-4, G-71]
        known = desk.transactions.open_on(evse)
        return _measured(desk, evse, (entries, now), known, [])
    known = desk.transactions.find(desk.station, str(said))
    if known is None:
        raw = list(samples(desk, number, entries, (None, now), is_history=False))
        known, events = lifecycle.found_running(desk, evse, str(said), raw, now)
        if known is None:
            return Handled(events=[*raw])
        return _measured(desk, evse, (entries, now), known, events)
    if known.start.evse != evse:
        return _measured(desk, evse, (entries, now), None, [])  # it runs elsewhere: nothing is attributed [B18]
    events = lifecycle.revived(desk, known, now) if _is_live(desk, entries, now) else []
    return _measured(desk, evse, (entries, now), known if known.is_open or not known.is_final else None, events)


def _is_live(desk: Desk, entries: list[Entry], now: datetime) -> bool:
    """Does any of the values speak of the present, also by a clock that is known to be off [G-52]?"""
    return any(
        any(r.is_live for r in readings) and (at is None or now - at <= LIVE or desk.clock.read(at, now)[1])
        for at, readings in entries
    )


def _measured(
    desk: Desk, evse: EvseId, found: tuple[list[Entry], datetime], known: Known | None, events: list[ev.Event]
) -> Handled:
    """Samples behind the events that they make possible, and the state that they prove."""
    entries, now = found
    number = int(evse.rpartition("/")[2])
    read = list(samples(desk, number, entries, (known, now), is_history=False))
    repaired = lifecycle.repaired(desk, evse, read, now)
    must_last = any(isinstance(e, ev.SessionStarted | ev.SessionEnded) for e in events)
    return Handled(events=[*events, *repaired, *read], must_last=must_last)


def _entries(values: list[Json]) -> list[Entry]:
    return [(from_wire(v["timestamp"]), [_reading(s) for s in v["sampledValue"]]) for v in values]


def _reading(sampled: Json) -> Reading:
    signed = sampled.get("format") == "SignedData"  # kept in the frame log, never parsed for control [C-32]
    return Reading(
        value=None if signed else sampled["value"],
        measurand=sampled.get("measurand", "Energy.Active.Import.Register"),
        phase=sampled.get("phase", ""),
        unit=sampled.get("unit", ""),
        context=sampled.get("context", "Sample.Periodic"),
        location=sampled.get("location", "Outlet"),
    )
