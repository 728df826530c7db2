"""OCPP 2.0.1 messages of a station → events and the answer. Fields are mapped one by one."""

from __future__ import annotations

from datetime import datetime

from loadmgr.domain import events as ev
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import SessionId, evse_id
from loadmgr.ocpp import foreign_limits, lifecycle, needs, session2x
from loadmgr.ocpp.metering import Reading
from loadmgr.ocpp.sampling import Entry, samples
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.session2x import Bounds, Said
from loadmgr.ocpp.timestamps import from_wire, to_wire
from loadmgr.ocpp.translation import Desk, Handled
from loadmgr.ocpp.v201 import security

_STATUS = {
    "Available": EvseStatus.AVAILABLE,
    "Occupied": EvseStatus.PREPARING,
    "Reserved": EvseStatus.RESERVED,
    "Unavailable": EvseStatus.UNAVAILABLE,
    "Faulted": EvseStatus.FAULTED,
}

_EMPTY_ANSWER = frozenset({
    "FirmwareStatusNotification",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyMonitoringReport",
    "NotifyReport",
    "PublishFirmwareStatusNotification",
})  # fmt: skip
_NOT_RELAYED = {"reasonCode": "NotRelayed", "additionalInfo": "this central system has no certificate service"}


def handle(desk: Desk, action: str, payload: Json, now: datetime) -> Handled:
    """Answer and events of one valid message, and what time has made of the station's sessions meanwhile."""
    overdue = lifecycle.due(desk, now)
    handled = _handle(desk, action, payload, now)
    handled.events[:0] = overdue
    return handled


def _handle(desk: Desk, action: str, payload: Json, now: datetime) -> Handled:
    match action:
        case "BootNotification":
            return _boot(desk, payload, now)
        case "Heartbeat":
            return Handled(answer={"currentTime": to_wire(now)})
        case "StatusNotification":
            return _status(desk, (payload["evseId"], payload["connectorStatus"]), now)
        case "NotifyEvent":
            return _notify_event(desk, payload, now)
        case "Authorize":
            return Handled(answer={"idTokenInfo": _id_token_info(desk, payload["idToken"])})
        case "TransactionEvent":
            return _transaction_event(desk, payload, now)
        case "MeterValues":
            return _meter_values(desk, payload, now)
        case "NotifyEVChargingNeeds":
            return _charging_needs(desk, payload, now)
        case "NotifyEVChargingSchedule":
            return Handled(answer={"status": "Accepted"})
        case "NotifyChargingLimit":
            return _charging_limit(desk, payload, now)
        case "ClearedChargingLimit":
            return _cleared_limit(desk, payload, now)
        case "ReportChargingProfiles":
            return Handled(report=payload)
        case "ReservationStatusUpdate":
            return _reservation(payload, now)
        case "SignCertificate" | "SecurityEventNotification" | "LogStatusNotification":
            return security.handle(desk, action, payload, now)
        case _:
            return _polite(action)


def _polite(action: str) -> Handled:
    """A schema-valid answer to what is not this product's business (register of use cases, domain rule B.3)."""
    match action:
        case "DataTransfer":
            return Handled(answer={"status": "UnknownVendorId"})
        case "Get15118EVCertificate":
            return Handled(answer={"status": "Failed", "exiResponse": "", "statusInfo": _NOT_RELAYED})
        case "GetCertificateStatus":
            return Handled(answer={"status": "Failed", "statusInfo": _NOT_RELAYED})
        case _ if action in _EMPTY_ANSWER:
            return Handled()
        case _:
            return Handled(refusal=("NotSupported", f"{action} is not handled by this central system"))


def _boot(desk: Desk, payload: Json, now: datetime) -> Handled:
    about = payload["chargingStation"]
    desk.transactions.booted(desk.station, now)
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


def _status(desk: Desk, said: tuple[int, str], now: datetime) -> Handled:
    """``said`` = (EVSE number, state). Occupied says less than a transaction's own charging state [D-24]."""
    number, state = said
    if desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"evseId {number} is not in the site file"))
    evse, status = evse_id(desk.station, number), _STATUS.get(state)
    if status is None:
        return Handled()
    if status is EvseStatus.PREPARING and desk.transactions.open_on(evse) is not None:
        return Handled()
    events = lifecycle.status_events(desk, evse, status, now)
    return Handled(events=events, must_last=any(isinstance(e, ev.SessionEnded) for e in events))


def _notify_event(desk: Desk, payload: Json, now: datetime) -> Handled:
    """A station may tell the connector's availability as an event [D-24]; other events are not ours."""
    handled = Handled()
    for data in payload["eventData"]:
        number = data["component"].get("evse", {}).get("id", 0)
        is_state = data["component"]["name"] == "Connector" and data["variable"]["name"] == "AvailabilityState"
        if is_state and desk.evse(number) is not None:
            found = _status(desk, (number, data["actualValue"]), now)
            handled.events += found.events
            handled.must_last = handled.must_last or found.must_last
    return handled


def _id_token_info(desk: Desk, token: Json) -> Json:
    return {"status": "Accepted" if desk.accepts(token["idToken"]) else "Invalid"}


def _transaction_event(desk: Desk, payload: Json, now: datetime) -> Handled:
    info, evse = payload["transactionInfo"], payload.get("evse", {})
    said = Said(
        kind=payload["eventType"],
        transaction=info["transactionId"],
        seq_no=payload["seqNo"],
        at=from_wire(payload["timestamp"]) or now,
        number=evse.get("id", 0),
        is_offline=payload.get("offline", False),
        id_tag=payload.get("idToken", {}).get("idToken", ""),
        state=info.get("chargingState", ""),
        reason=info.get("stoppedReason", "Local"),
        trigger=payload["triggerReason"],
        reservation=payload.get("reservationId"),
        bounds=Bounds(
            cable_a=payload.get("cableMaxCurrent"),
            n_phases=payload.get("numberOfPhasesUsed") or None,
        ),
        entries=tuple(_entry(v) for v in payload.get("meterValue", [])),
    )
    handled = session2x.take(desk, said, now)
    if "idToken" in payload:
        handled.answer = {"idTokenInfo": _id_token_info(desk, payload["idToken"])}
    return handled


def _entry(value: Json) -> Entry:
    return from_wire(value["timestamp"]), [_reading(s) for s in value["sampledValue"]]


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


def _meter_values(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload["evseId"]
    if number != 0 and desk.evse(number) is None:
        return Handled(refusal=("PropertyConstraintViolation", f"evseId {number} is not in the site file"))
    known = desk.transactions.open_on(evse_id(desk.station, number))
    before_kwh = known.last_register_kwh if known is not None else float("inf")
    entries = [_entry(v) for v in payload["meterValue"]]
    found = list(samples(desk, number, entries, (known, now), is_history=False))
    return Handled(events=[session2x.without_idle_power(e, before_kwh) for e in found])


def _charging_needs(desk: Desk, payload: Json, now: datetime) -> Handled:
    """Accepted at once: the profile follows as soon as the plan has seen the needs [A-120]."""
    known = desk.transactions.open_on(evse_id(desk.station, payload["evseId"]))
    if known is None:
        return Handled(answer={"status": "Processing"})
    return Handled(answer={"status": "Accepted"}, events=[_needs(payload, known.session, now)])


def _needs(payload: Json, session: SessionId, now: datetime) -> ev.NeedsStated:
    """The needs of the car in a session; values that make no sense are left out [A-124]."""
    said = payload["chargingNeeds"]
    ac, dc = said.get("acChargingParameters", {}), said.get("dcChargingParameters", {})
    depart_at = from_wire(said["departureTime"]) if "departureTime" in said else None
    return ev.NeedsStated(
        at=now,
        session=session,
        transfer=said["requestedEnergyTransfer"],
        energy_kwh=needs.energy_kwh(ac.get("energyAmount", dc.get("energyAmount"))),
        depart_at=needs.departure(depart_at, now),
        current_min_a=needs.current_a(ac.get("evMinCurrent")),
        current_max_a=needs.current_a(ac.get("evMaxCurrent")),
        power_max_kw=needs.power_kw(dc.get("evMaxPower")),
        capacity_kwh=needs.energy_kwh(dc.get("evEnergyCapacity")),
        soc_frac=needs.frac(dc.get("stateOfCharge")),
        soc_target_frac=needs.frac(dc.get("fullSoC")),
        periods_max=max(payload.get("maxScheduleTuples", 1), 1),
    )


def _charging_limit(desk: Desk, payload: Json, now: datetime) -> Handled:
    about, number = payload["chargingLimit"], payload.get("evseId", 0)
    if number and desk.evse(number) is None:
        return Handled()  # not in the site file: nothing of ours is bound
    bound = foreign_limits.bound([_told(s) for s in payload.get("chargingSchedule", [])], now)
    event = ev.ExternalLimitSet(
        at=now,
        station=desk.station,
        source=about["chargingLimitSource"],
        evse=evse_id(desk.station, number) if number else None,
        current_a=bound.current_a,
        power_kw=bound.power_kw,
        until_at=bound.until_at,
        is_critical=about.get("isGridCritical", False),
    )
    return Handled(events=[event])


def _told(schedule: Json) -> foreign_limits.Told:
    periods = tuple((p["startPeriod"], p["limit"]) for p in schedule["chargingSchedulePeriod"] if "limit" in p)
    return foreign_limits.Told(
        unit=schedule["chargingRateUnit"],
        periods=periods,
        start_at=from_wire(schedule["startSchedule"]) if "startSchedule" in schedule else None,
        duration_s=schedule.get("duration"),
    )


def _reservation(payload: Json, now: datetime) -> Handled:
    """A reservation that the station gave up (H04)."""
    reason = payload["reservationUpdateStatus"].lower()
    return Handled(events=[ev.ReservationEnded(at=now, reservation=payload["reservationId"], reason=reason)])


def _cleared_limit(desk: Desk, payload: Json, now: datetime) -> Handled:
    number = payload.get("evseId", 0)
    event = ev.ExternalLimitCleared(
        at=now,
        station=desk.station,
        source=payload["chargingLimitSource"],
        evse=evse_id(desk.station, number) if number else None,
    )
    return Handled(events=[event])
