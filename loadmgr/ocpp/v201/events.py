"""OCPP 2.0.1 messages of a station → events and the answer. Fields are mapped one by one."""

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

_STATUS = {
    "Available": EvseStatus.AVAILABLE,
    "Occupied": EvseStatus.PREPARING,
    "Reserved": EvseStatus.RESERVED,
    "Unavailable": EvseStatus.UNAVAILABLE,
    "Faulted": EvseStatus.FAULTED,
}
_CHARGING_STATE = {
    "Charging": EvseStatus.CHARGING,
    "EVConnected": EvseStatus.PREPARING,
    "SuspendedEV": EvseStatus.SUSPENDED_EV,
    "SuspendedEVSE": EvseStatus.SUSPENDED_EVSE,
    "Idle": EvseStatus.PREPARING,
}

_EMPTY_ANSWER = frozenset({
    "ClearedChargingLimit",
    "FirmwareStatusNotification",
    "LogStatusNotification",
    "NotifyChargingLimit",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyEvent",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
    "ReportChargingProfiles",
    "ReservationStatusUpdate",
    "SecurityEventNotification",
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
            return Handled(answer={"idTokenInfo": _id_token_info(desk, payload["idToken"])})
        case "TransactionEvent":
            return _transaction_event(desk, payload, now)
        case "MeterValues":
            return _meter_values(desk, payload, now)
        case "DataTransfer":
            return Handled(answer={"status": "UnknownVendorId"})
        case "NotifyEVChargingNeeds" | "SignCertificate" | "NotifyEVChargingSchedule":
            return Handled(answer={"status": "Rejected"})
        case _ if action in _EMPTY_ANSWER:
            return Handled()
        case _:
            return Handled(refusal=("NotSupported", f"{action} is not handled by this central system"))


def _boot(desk: Desk, payload: Json, now: datetime) -> Handled:
    about = payload["chargingStation"]
    booted = ev.StationBooted(
        at=now,
        station=desk.station,
        vendor=about["vendorName"],
        model=about["model"],
        firmware=about.get("firmwareVersion") or "",
        serial=about.get("serialNumber") or "",
    )
    answer = {"status": "Accepted", "currentTime": to_wire(now), "interval": desk.heartbeat_s}
    return Handled(answer=answer, events=[booted])


def _status(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["evseId"]
    if desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"evseId {number} is not in the site file"))
    status = _STATUS[payload["connectorStatus"]]
    evse = EvseId(f"{desk.station}/{number}")
    if status is EvseStatus.PREPARING and desk.transactions.open_on(evse) is not None:
        return Handled()  # Occupied says less than the transaction's own charging state [D-24]
    return Handled(events=[ev.EvseStatusChanged(at=now, evse=evse, status=status)])


def _id_token_info(desk: Desk, token: Json) -> Json:
    return {"status": "Accepted" if desk.accepts(token["idToken"]) else "Invalid"}


def _transaction_event(desk: Desk, payload: Json, now: datetime) -> Handled:
    """Started, Updated or Ended, in any order and any number of times; never answered with an error [D-21]."""
    handled = Handled()
    if "idToken" in payload:
        handled.answer = {"idTokenInfo": _id_token_info(desk, payload["idToken"])}
    info = payload["transactionInfo"]
    known = desk.transactions.find(desk.station, info["transactionId"])
    if known is not None and not known.is_open and known.is_final:
        return handled  # a late or repeated event of a transaction that has ended
    at = from_wire(payload["timestamp"]) or now
    if known is None:
        known = _begin(desk, payload, at, handled, now)
        if known is None:
            return handled
    if payload["seqNo"] <= known.last_seq_no and payload["eventType"] == "Updated":
        return handled
    known.last_seq_no = max(known.last_seq_no, payload["seqNo"])
    evse = known.start.evse
    history = payload.get("offline", False) or payload["eventType"] == "Ended"
    samples = list(_samples(desk, evse, payload.get("meterValue", []), (known, now), history=history))
    handled.events += samples
    state = _CHARGING_STATE.get(info.get("chargingState", ""))
    if state is not None and not payload.get("offline", False):
        handled.events.append(ev.EvseStatusChanged(at=now, evse=evse, status=state))
    if payload["eventType"] == "Ended":
        registers = [s.measured.energy_kwh for s in samples if s.measured.energy_kwh is not None]
        stop_kwh = registers[-1] if registers else known.last_register_kwh
        reason = info.get("stoppedReason", "Local")
        known.is_final = True
        handled.events.append(end_event(desk, known, now, meter_stop_kwh=stop_kwh, ended_at=at, reason=reason))
        handled.must_last = True
    return handled


def _begin(desk: Desk, payload: Json, at: datetime, handled: Handled, now: datetime) -> Known | None:
    """A transaction that we did not know; one that still runs on the EVSE is closed with its last register [C02]."""
    number = payload.get("evse", {}).get("id", 0)
    if not number:
        mine = [e.number for e in desk.site.evses.values() if e.station == desk.station]
        number = mine[0] if len(mine) == 1 else 0
    if desk.evse(number) is None:
        return None  # acknowledged, but there is no EVSE to attribute it to
    evse = EvseId(f"{desk.station}/{number}")
    before = desk.transactions.open_on(evse)
    if before is not None:
        handled.events.append(
            end_event(desk, before, now, meter_stop_kwh=before.last_register_kwh, ended_at=None, reason="NextTransaction")
        )
        before.is_final = False
    said = next((r for r in _registers(desk, number, payload) if r is not None), None)
    register = 0.0 if said is None else said
    start = Start(
        evse=evse,
        started_at=at,
        meter_start_kwh=register,
        id_tag=payload.get("idToken", {}).get("idToken", ""),
    )
    known = desk.transactions.begin(start, payload["transactionInfo"]["transactionId"])
    handled.events.append(
        ev.SessionStarted(
            at=now,
            session=known.session,
            evse=evse,
            transaction=known.transaction,
            id_tag=start.id_tag,
            started_at=at,
            meter_start_kwh=register,
            is_register_known=said is not None,
        )
    )
    handled.must_last = True
    return known


def _registers(desk: Desk, number: int, payload: Json) -> Iterator[float | None]:
    for value in payload.get("meterValue", []):
        yield measure((_reading(s) for s in value["sampledValue"]), desk.evse(number)).measured.energy_kwh


def _meter_values(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["evseId"]
    if number != 0 and desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"evseId {number} is not in the site file"))
    evse = EvseId(f"{desk.station}/{number}")
    known = desk.transactions.open_on(evse)
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
    unit = sampled.get("unitOfMeasure", {})
    return Reading(
        value=sampled["value"],
        measurand=sampled.get("measurand", "Energy.Active.Import.Register"),
        phase=sampled.get("phase", ""),
        unit=unit.get("unit", ""),
        multiplier=unit.get("multiplier", 0),
        context=sampled.get("context", "Sample.Periodic"),
        location=sampled.get("location", "Outlet"),
    )
