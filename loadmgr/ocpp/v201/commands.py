"""Commands → OCPP 2.0.1 calls, and what the answers mean."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from types import MappingProxyType

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import split_evse
from loadmgr.domain.security import SecurityCommand
from loadmgr.domain.traits import Kind, Purpose, Traits
from loadmgr.errors import ProtocolError
from loadmgr.ocpp import dressing, guards, variables
from loadmgr.ocpp.dressing import Dressed
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import to_wire
from loadmgr.ocpp.v201 import security

Call = tuple[str, Json]

_PURPOSES: Mapping[Purpose, tuple[str, int]] = MappingProxyType(
    {
        Purpose.TX: ("TxProfile", 3),
        Purpose.DEFAULT: ("TxDefaultProfile", 2),
        Purpose.STATION_DEFAULT: ("TxDefaultProfile", 2),
        Purpose.MAX: ("ChargingStationMaxProfile", 1),
    }
)
"""Wire name and code; an id is code · 10,000 + EVSE · 100 + stack: same slot, same id, so replacing always works [A-30]."""
_KINDS: Mapping[Kind, str] = MappingProxyType(
    {Kind.ABSOLUTE: "Absolute", Kind.RELATIVE: "Relative", Kind.DYNAMIC: "Absolute"}
)
_OURS = ("TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile")
_FINE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ClearChargingProfile": frozenset({"Unknown"}),
        "ChangeAvailability": frozenset({"Scheduled"}),
        "Reset": frozenset({"Scheduled"}),
    }
)
"""Answers besides Accepted after which things are, or will be, as we want them [A-90, G-84]."""


def to_calls(command: cmd.Command, traits: Traits) -> tuple[Call, ...]:
    """The calls that carry out a command, in order.

    Raises ``ProtocolError`` for a current in (0, 6) A [A-80] and for what OCPP 2.0.1 has no message for.
    """
    match command:
        case cmd.SendSetpoint():
            return (_set(dressing.live(command.setpoint, traits, command.setpoint.transaction)),)
        case cmd.InstallFailsafe():
            return tuple(_set(layer) for layer in dressing.lasting(command, traits))
        case cmd.ClearProfiles():
            return tuple(("ClearChargingProfile", {"chargingProfileCriteria": c}) for c in _criteria(command))
        case cmd.ReadComposite():
            return (("GetCompositeSchedule", _composite(command, traits)),)
        case cmd.ReadProfiles():
            return (("GetChargingProfiles", _profiles(command)),)
        case cmd.TriggerMeter():
            return (_trigger("MeterValues", split_evse(command.evse)[1]),)
        case cmd.TriggerStatus():
            return (_trigger("StatusNotification", split_evse(command.evse)[1]),)
        case cmd.ReadSettings():
            return tuple(
                ("GetVariables", {"getVariableData": [_variable(name) for name in names]})
                for names in variables.batches(command.names)
            )
        case cmd.WriteSetting():
            guards.check(command)
            data = {"attributeValue": command.value, **_variable(command.name)}
            return (("SetVariables", {"setVariableData": [data]}),)
        case _:
            return (_more(command, traits),)


def _more(command: cmd.Command, traits: Traits) -> Call:
    """Transactions, reservation, operation and security."""
    if isinstance(command, SecurityCommand):
        return security.to_call(command)
    match command:
        case cmd.StartSession():
            return "RequestStartTransaction", _start(command, traits)
        case cmd.StopSession():
            return "RequestStopTransaction", {"transactionId": command.transaction}
        case cmd.ReadSession():
            return "GetTransactionStatus", {"transactionId": command.transaction} if command.transaction else {}
        case cmd.ReserveEvse():
            return "ReserveNow", {
                "id": command.reservation,
                "expiryDateTime": to_wire(command.until_at),
                "idToken": {"idToken": command.id_tag, "type": variables.token_type(command.id_tag)},
                "evseId": split_evse(command.evse)[1],
            }
        case cmd.CancelReservation():
            return "CancelReservation", {"reservationId": command.reservation}
        case cmd.SetAvailability():
            wanted: Json = {"operationalStatus": "Operative" if command.is_operative else "Inoperative"}
            if command.evse is not None:
                wanted["evse"] = {"id": split_evse(command.evse)[1]}
            return "ChangeAvailability", wanted
        case cmd.RebootStation():
            return "Reset", {"type": "Immediate" if command.is_hard else "OnIdle"}
        case _:
            raise ProtocolError(
                station=str(command.station),
                action=type(command).__name__,
                code="NotSupported",
                detail="OCPP 2.0.1 has no such message",
            )


def _variable(name: str) -> Json:
    """``Component.Variable`` as the standard's pair."""
    component, _, variable = name.partition(".")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _trigger(message: str, number: int) -> Call:
    return "TriggerMessage", {"requestedMessage": message, "evse": {"id": number, "connectorId": 1}}


def _criteria(command: cmd.ClearProfiles) -> Iterator[Json]:
    """Everything on an EVSE is ours and live; the fail-safe stands on the station. A request must name something (A.10)."""
    if command.evse is not None:
        yield {"evseId": split_evse(command.evse)[1]}
        return
    for purpose in _OURS:
        yield {"chargingProfilePurpose": purpose}


def _composite(command: cmd.ReadComposite, traits: Traits) -> Json:
    return {
        "evseId": split_evse(command.evse)[1],
        "duration": command.duration_s,
        "chargingRateUnit": traits.rate_units[0],
    }


def _profiles(command: cmd.ReadProfiles) -> Json:
    """All of them: at least one criterion is required, and all sources are one (A.10)."""
    asked: Json = {
        "requestId": command.no,
        "chargingProfile": {"chargingLimitSource": ["CSO", "EMS", "SO", "Other"]},
    }
    if command.evse is not None:
        asked["evseId"] = split_evse(command.evse)[1]
    return asked


def _start(command: cmd.StartSession, traits: Traits) -> Json:
    wanted: Json = {
        "idToken": {"idToken": command.id_tag, "type": "Central"},
        "remoteStartId": command.no,
        "evseId": split_evse(command.evse)[1],
    }
    limit = dressing.first(command, traits)
    if limit is not None:
        wanted["chargingProfile"] = _profile(limit)
    return wanted


def _set(dressed: Dressed) -> Call:
    return "SetChargingProfile", {"evseId": dressed.place, "chargingProfile": _profile(dressed)}


def _profile(dressed: Dressed) -> Json:
    purpose, code = _PURPOSES[dressed.purpose]
    profile: Json = {
        "id": code * 10_000 + dressed.place * 100 + dressed.stack,
        "stackLevel": dressed.stack,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": _KINDS[dressed.kind],
        "chargingSchedule": [_schedule(dressed)],
    }
    if dressed.transaction:
        profile["transactionId"] = dressed.transaction
    if dressed.valid_to is not None:
        profile["validTo"] = to_wire(dressed.valid_to)
    return profile


def _schedule(dressed: Dressed) -> Json:
    period: Json = {"startPeriod": 0, "limit": dressed.limit}
    if dressed.n_phases is not None:
        period["numberPhases"] = dressed.n_phases
    schedule: Json = {"id": 1, "chargingRateUnit": dressed.unit, "chargingSchedulePeriod": [period]}
    if dressed.start_at is not None:
        schedule["startSchedule"] = to_wire(dressed.start_at)
    if dressed.duration_s is not None:
        schedule["duration"] = dressed.duration_s
    return schedule


def outcome(action: str, payload: Json) -> tuple[bool, str]:
    """(accepted, detail) of an answer; the detail names the reason code where the station gives one (A.6)."""
    match action:
        case "SetVariables":
            states = [r["attributeStatus"] for r in payload["setVariableResult"]]
            return all(s in {"Accepted", "RebootRequired"} for s in states), ", ".join(states)
        case "GetVariables":
            results = payload["getVariableResult"]
            found = (f"{_name(r)}={r.get('attributeValue', r['attributeStatus'])}" for r in results)
            return True, ", ".join(found)
        case "GetTransactionStatus":
            ongoing, queued = payload.get("ongoingIndicator"), payload["messagesInQueue"]
            return True, f"ongoing={ongoing}, queued={queued}"
        case _:
            pass
    status = payload.get("status", "Accepted")
    accepted = status == "Accepted" or status in _FINE.get(action, frozenset())
    if action == "GetCompositeSchedule" and accepted:
        return True, str(payload.get("schedule", {}))
    reason = payload.get("statusInfo", {}).get("reasonCode", "")
    return accepted, "" if status == "Accepted" else " ".join(x for x in (status, reason) if x)


def _name(result: Json) -> str:
    return f"{result['component']['name']}.{result['variable']['name']}"


def values(action: str, payload: Json) -> tuple[tuple[str, str], ...]:
    """(Component.Variable, value) out of an answer to GetVariables, or out of NotifyReport.

    What the station does not know is missing.
    """
    if action == "GetVariables":
        return tuple((_name(r), r["attributeValue"]) for r in payload["getVariableResult"] if "attributeValue" in r)
    if action == "NotifyReport":
        return tuple(
            (_name(data), attribute["value"])
            for data in payload.get("reportData", [])
            for attribute in data["variableAttribute"]
            if attribute.get("type", "Actual") == "Actual" and "value" in attribute
        )
    return ()
