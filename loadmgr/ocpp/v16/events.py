"""OCPP 1.6 messages of a station → events and the answer. Fields are mapped one by one."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from loadmgr.domain import events as ev
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId
from loadmgr.domain.samples import Quality
from loadmgr.ocpp.metering import Measurement, Reading, measure
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import from_wire, to_wire
from loadmgr.ocpp.transactions import Known, Start
from loadmgr.ocpp.translation import Desk, Handled, end_event, sample_event
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
    "LogStatusNotification",
    "SecurityEventNotification",
    "SignedFirmwareStatusNotification",
})  # fmt: skip


def handle(desk: Desk, action: str, payload: Json, now: datetime) -> Handled:
    """Answer and events of one valid message."""
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
        case "SignCertificate":
            return Handled(answer={"status": "Rejected"})
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
    answer = {"status": "Accepted", "currentTime": to_wire(now), "interval": desk.heartbeat_s}
    return Handled(answer=answer, events=[booted])


def _status(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["connectorId"]
    if number == 0:
        return Handled()  # the station as a whole; its EVSEs speak for themselves
    if desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"connectorId {number} is not in the site file"))
    status = _STATUS[payload["status"]]
    error = payload["errorCode"] if payload["errorCode"] != "NoError" else ""
    evse = EvseId(f"{desk.station}/{number}")
    handled = Handled(events=[ev.EvseStatusChanged(at=now, evse=evse, status=status, error=error)])
    known = desk.transactions.open_on(evse)
    if status is EvseStatus.AVAILABLE and known is not None:
        # Unplugged without a StopTransaction: the last register closes the session [C15].
        handled.events.append(
            end_event(desk, known, now, meter_stop_kwh=known.last_register_kwh, ended_at=None, reason="EVDisconnected")
        )
        known.is_final = False  # a StopTransaction that was queued may still come
        handled.must_last = True
    return handled


def _id_tag_info(desk: Desk, id_tag: str) -> Json:
    return {"status": "Accepted" if desk.accepts(id_tag) else "Invalid"}


def _start(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["connectorId"]
    if number < 1 or desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"connectorId {number} is not in the site file"))
    evse = EvseId(f"{desk.station}/{number}")
    start = Start(
        evse=evse,
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
    before = desk.transactions.open_on(evse)
    if before is not None:
        handled.events.append(
            end_event(desk, before, now, meter_stop_kwh=before.last_register_kwh, ended_at=None, reason="NextTransaction")
        )
        before.is_final = False
    known = desk.transactions.begin(start, transaction)
    handled.events.append(
        ev.SessionStarted(
            at=now,
            session=known.session,
            evse=evse,
            transaction=transaction,
            id_tag=start.id_tag,
            started_at=start.started_at,
            meter_start_kwh=start.meter_start_kwh,
        )
    )
    return handled


def _stop(desk: Desk, payload: Json, now: datetime) -> Handled:
    """Always acknowledged, so that the station drops it; an unknown one is an orphan [B15, D-4]."""
    handled = Handled(must_last=True)
    if "idTag" in payload:
        handled.answer = {"idTagInfo": _id_tag_info(desk, payload["idTag"])}
    known = _transaction(desk, payload.get("transactionId"), 0)
    if known is None or (not known.is_open and known.is_final):
        handled.must_last = False
        return handled
    known.is_final = True
    handled.events += _samples(desk, known.start.evse, payload.get("transactionData", []), (known, now), history=True)
    handled.events.append(
        end_event(
            desk,
            known,
            now,
            meter_stop_kwh=wh_to_kwh(payload["meterStop"]),
            ended_at=from_wire(payload["timestamp"]) or now,
            reason=payload.get("reason", "Local"),
        )
    )
    return handled


def _transaction(desk: Desk, transaction: int | None, number: int) -> Known | None:
    """By id; the ids 0 and −1 of stations that never got our answer mean the one that runs here [D-4]."""
    if transaction is not None and transaction > 0:
        return desk.transactions.find(desk.station, str(transaction))
    numbers = [number] if number else [e.number for e in desk.site.evses.values() if e.station == desk.station]
    found = [desk.transactions.open_on(EvseId(f"{desk.station}/{n}")) for n in numbers]
    running = [k for k in found if k is not None]
    return running[0] if len(running) == 1 else None


def _meter_values(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["connectorId"]
    if number != 0 and desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"connectorId {number} is not in the site file"))
    evse = EvseId(f"{desk.station}/{number}")
    said = payload.get("transactionId")
    known = _transaction(desk, said, number) if number else None
    if known is not None and (known.start.evse != evse or not known.is_open):
        known = None  # a closed or foreign transaction gets nothing attributed [B18]
    return Handled(events=list(_samples(desk, evse, payload["meterValue"], (known, now), history=False)))


def _samples(
    desk: Desk, evse: EvseId, values: list[Json], context: tuple[Known | None, datetime], *, history: bool
) -> Iterator[ev.MeterSample]:
    known, now = context
    number = int(evse.rpartition("/")[2])
    found = []
    for value in values:
        measurement = measure((_reading(s) for s in value["sampledValue"]), desk.evse(number))
        if history:
            measurement = Measurement(
                measured=measurement.measured, quality=Quality.HISTORY, n_refused=measurement.n_refused
            )
        found.append((from_wire(value["timestamp"]), measurement))
    for said_at, measurement in sorted(found, key=lambda f: (f[0] or now).timestamp()):
        yield sample_event(desk, number, measurement, (said_at, now), known)


def _reading(sampled: Json) -> Reading:
    signed = sampled.get("format") == "SignedData"
    return Reading(
        value=None if signed else sampled["value"],
        measurand=sampled.get("measurand", "Energy.Active.Import.Register"),
        phase=sampled.get("phase", ""),
        unit=sampled.get("unit", ""),
        context=sampled.get("context", "Sample.Periodic"),
        location=sampled.get("location", "Outlet"),
    )
