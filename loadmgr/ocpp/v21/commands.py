"""Commands → OCPP 2.1 calls, and what the answers mean."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import replace

from loadmgr import units
from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import split_evse
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.security import SecurityCommand
from loadmgr.domain.traits import Kind, Purpose, Traits
from loadmgr.ocpp import dressing, guards, variables
from loadmgr.ocpp.dressing import Dressed
from loadmgr.ocpp.dynamic import VALUES
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import to_wire
from loadmgr.ocpp.v21 import der, security

Call = tuple[str, Json]

_VALUES = frozenset(VALUES)
GUARD_CODE, DEFAULT_CODE, TX_CODE = 1, 2, 3
PER_PURPOSE, PER_EVSE = 10_000, 100
"""Profile ids are base + purpose · 10,000 + EVSE · 100 + stack: same slot, same id, so replacing always works [A-30]."""

_PURPOSE = {
    Purpose.TX: ("TxProfile", TX_CODE),
    Purpose.DEFAULT: ("TxDefaultProfile", DEFAULT_CODE),
    Purpose.STATION_DEFAULT: ("TxDefaultProfile", DEFAULT_CODE),
    Purpose.MAX: ("ChargingStationMaxProfile", GUARD_CODE),
}
_OURS = ("TxProfile", "TxDefaultProfile", "ChargingStationMaxProfile")
_KIND = {Kind.ABSOLUTE: "Absolute", Kind.RELATIVE: "Relative", Kind.DYNAMIC: "Dynamic"}
_SETPOINT_MODE = "CentralSetpoint"


def to_calls(command: cmd.Command, traits: Traits) -> tuple[Call, ...]:
    """The calls that carry out a command, in order.

    Raises ``ProtocolError`` for a current in (0, 6) A, which no pilot signal can say [A-80].
    """
    if isinstance(command, SecurityCommand):
        return (security.to_call(command),)
    match command:
        case cmd.SendSetpoint():
            return (_live(command.setpoint, traits),)
        case cmd.InstallFailsafe():
            return tuple(_lasting(layer, traits) for layer in dressing.lasting(command, traits))
        case cmd.ClearProfiles():
            return tuple(("ClearChargingProfile", {"chargingProfileCriteria": c}) for c in _criteria(command))
        case cmd.ReadComposite():
            number, unit = split_evse(command.evse)[1], traits.rate_units[0]
            return (("GetCompositeSchedule", {"evseId": number, "duration": command.duration_s, "chargingRateUnit": unit}),)
        case cmd.ReadProfiles():
            return (("GetChargingProfiles", _read_profiles(command)),)
        case cmd.TriggerMeter() | cmd.TriggerStatus():
            return (_trigger(command),)
        case cmd.ReadSettings():
            return tuple(
                ("GetVariables", {"getVariableData": [_variable(name) for name in names]})
                for names in variables.batches(command.names)
            )
        case cmd.WriteSetting():
            guards.check(command)
            data = {"attributeValue": command.value, **_variable(command.name)}
            return (("SetVariables", {"setVariableData": [data]}),)
        case cmd.StartSession() | cmd.StopSession() | cmd.ReadSession():
            return (_transaction(command, traits),)
        case cmd.ReserveEvse() | cmd.CancelReservation():
            return (_reservation(command),)
        case cmd.SetAvailability() | cmd.RebootStation():
            return (_operation(command),)
        case cmd.SetPriority() | cmd.AllowTransfer() | cmd.SignalAfrr():
            return (_v2x(command),)
        case cmd.SetDer() | cmd.ReadDer() | cmd.ClearDer():
            return (_der(command),)


def _variable(name: str) -> Json:
    """``Component.Variable`` as the standard's pair."""
    component, _, variable = name.partition(".")
    return {"component": {"name": component}, "variable": {"name": variable}}


def _trigger(command: cmd.TriggerMeter | cmd.TriggerStatus) -> Call:
    """A silent meter inside a transaction is asked for by TransactionEvent [C-10]; the connector is always named [G-24]."""
    wanted = "TransactionEvent" if isinstance(command, cmd.TriggerMeter) else "StatusNotification"
    evse = {"id": split_evse(command.evse)[1], "connectorId": 1}
    return "TriggerMessage", {"requestedMessage": wanted, "evse": evse}


def _criteria(command: cmd.ClearProfiles) -> Iterator[Json]:
    """Everything on an EVSE is ours and live; the fail-safe stands on the station. A request must name something (A.10)."""
    if command.evse is not None:
        yield {"evseId": split_evse(command.evse)[1]}
        return
    for purpose in _OURS:
        yield {"chargingProfilePurpose": purpose}


def _read_profiles(command: cmd.ReadProfiles) -> Json:
    """Everything that a central system or nobody named has set; at least one criterion is required (domain rule A.10)."""
    asked: Json = {"requestId": command.no, "chargingProfile": {"chargingLimitSource": ["CSO"]}}
    if command.evse is not None:
        asked["evseId"] = split_evse(command.evse)[1]
    return asked


def _transaction(command: cmd.StartSession | cmd.StopSession | cmd.ReadSession, traits: Traits) -> Call:
    match command:
        case cmd.StartSession():
            return "RequestStartTransaction", _start(command, traits)
        case cmd.StopSession():
            return "RequestStopTransaction", {"transactionId": command.transaction}
        case cmd.ReadSession():
            return "GetTransactionStatus", {"transactionId": command.transaction} if command.transaction else {}


def _start(command: cmd.StartSession, traits: Traits) -> Json:
    """A profile in a remote start is a TxProfile without a transaction [D-25]."""
    number = split_evse(command.evse)[1]
    wanted: Json = {
        "idToken": {"idToken": command.id_tag, "type": "Central"},
        "remoteStartId": command.no,
        "evseId": number,
    }
    limit = dressing.first(command, traits)
    if limit is not None:
        wanted["chargingProfile"] = _profile(limit, _period(limit), traits)
    return wanted


def _reservation(command: cmd.ReserveEvse | cmd.CancelReservation) -> Call:
    match command:
        case cmd.ReserveEvse():
            token = {"idToken": command.id_tag, "type": variables.token_type(command.id_tag)}
            number = split_evse(command.evse)[1]
            until = to_wire(command.until_at)
            return "ReserveNow", {"id": command.reservation, "expiryDateTime": until, "idToken": token, "evseId": number}
        case cmd.CancelReservation():
            return "CancelReservation", {"reservationId": command.reservation}


def _operation(command: cmd.SetAvailability | cmd.RebootStation) -> Call:
    match command:
        case cmd.SetAvailability():
            wanted: Json = {"operationalStatus": "Operative" if command.is_operative else "Inoperative"}
            if command.evse is not None:
                wanted["evse"] = {"id": split_evse(command.evse)[1]}
            return "ChangeAvailability", wanted
        case cmd.RebootStation():
            return "Reset", {"type": "Immediate" if command.is_hard else "OnIdle"}


def _v2x(command: cmd.SetPriority | cmd.AllowTransfer | cmd.SignalAfrr) -> Call:
    match command:
        case cmd.SetPriority():
            return "UsePriorityCharging", {"transactionId": command.transaction, "activate": command.is_active}
        case cmd.AllowTransfer():
            asked = {"transactionId": command.transaction, "allowedEnergyTransfer": list(command.modes)}
            return "NotifyAllowedEnergyTransfer", asked
        case cmd.SignalAfrr():
            return "AFRRSignal", {"timestamp": to_wire(command.at), "signal": command.signal}


def _der(command: cmd.SetDer | cmd.ReadDer | cmd.ClearDer) -> Call:
    if isinstance(command, cmd.SetDer):
        return "SetDERControl", der.to_request(command.control)
    asked: Json = {}
    if command.control_id:
        asked["controlId"] = command.control_id
    if command.control_type:
        asked["controlType"] = command.control_type
    if isinstance(command, cmd.ReadDer):
        return "GetDERControl", {"requestId": command.no, **asked}
    return "ClearDERControl", {"isDefault": command.is_default, **asked}


def _live(setpoint: Setpoint, traits: Traits) -> Call:
    """Limits go the way of every version; a setpoint and a dynamic profile are of 2.1."""
    power_kw, kind = setpoint.power_kw, setpoint.form.kind
    dressed = dressing.live(replace(setpoint, power_kw=None), traits, setpoint.transaction)
    dressed = replace(dressed, kind=kind if kind is Kind.DYNAMIC and dressed.purpose is Purpose.TX else dressed.kind)
    period = _period(dressed) if power_kw is None else _exchange(setpoint, dressed)
    if setpoint.is_update and dressed.kind is Kind.DYNAMIC:
        update = {name: value for name, value in period.items() if name in _VALUES}
        return "UpdateDynamicSchedule", {"chargingProfileId": _profile_id(dressed, traits), "scheduleUpdate": update}
    if dressed.kind is Kind.DYNAMIC:
        life_s = int((setpoint.valid_until - setpoint.made_at).total_seconds())
        dressed = replace(dressed, start_at=None, duration_s=life_s)
    profile = _profile(dressed, period, traits)
    if dressed.kind is Kind.DYNAMIC:
        profile["dynUpdateTime"] = to_wire(setpoint.made_at)
    return "SetChargingProfile", {"evseId": dressed.place, "chargingProfile": profile}


def _exchange(setpoint: Setpoint, dressed: Dressed) -> Json:
    """Exactly this power, without limits (table of domain rule A.11); drawing stays within the current [A-100].

    Rounded towards zero: neither direction is exceeded [A-75].
    """
    n_phases = setpoint.n_phases or dressing.SUPPLY_PHASES
    most_kw = units.a_to_kw(setpoint.current_a, setpoint.voltage_v, n_phases)
    power_kw = min(setpoint.power_kw or 0.0, most_kw)
    value = power_kw * 1000.0
    if dressed.unit == "A":
        value = units.kw_to_a(power_kw, setpoint.voltage_v, n_phases)
    step = 1.0 if dressed.unit == "W" else dressing.WIRE_STEP_A
    exchanged = math.copysign(units.round_down(abs(value), step), value) if value else 0.0
    period: Json = {"startPeriod": 0, "setpoint": exchanged, "operationMode": _SETPOINT_MODE}
    if dressed.n_phases is not None:
        period["numberPhases"] = dressed.n_phases
    return period


def _period(dressed: Dressed) -> Json:
    period: Json = {"startPeriod": 0, "limit": dressed.limit}
    if dressed.n_phases is not None:
        period["numberPhases"] = dressed.n_phases
    return period


def _profile_id(dressed: Dressed, traits: Traits) -> int:
    """One id per slot, above what the station keeps for external constraints [A-30, K01.FR.80]."""
    code = _PURPOSE[dressed.purpose][1]
    return traits.min_profile_id + code * PER_PURPOSE + dressed.place * PER_EVSE + dressed.stack


def _profile(dressed: Dressed, period: Json, traits: Traits) -> Json:
    """A profile with one schedule of one period."""
    schedule: Json = {"id": 1, "chargingRateUnit": dressed.unit, "chargingSchedulePeriod": [period]}
    if dressed.start_at is not None:
        schedule["startSchedule"] = to_wire(dressed.start_at)
    if dressed.duration_s is not None:
        schedule["duration"] = dressed.duration_s
    profile: Json = {
        "id": _profile_id(dressed, traits),
        "stackLevel": dressed.stack,
        "chargingProfilePurpose": _PURPOSE[dressed.purpose][0],
        "chargingProfileKind": _KIND[dressed.kind],
        "chargingSchedule": [schedule],
    }
    if dressed.transaction:
        profile["transactionId"] = dressed.transaction
    if dressed.valid_to is not None:
        profile["validTo"] = to_wire(dressed.valid_to)
    return profile


def _lasting(dressed: Dressed, traits: Traits) -> Call:
    """A layer for the whole station."""
    return "SetChargingProfile", {"evseId": 0, "chargingProfile": _profile(dressed, _period(dressed), traits)}


def outcome(action: str, payload: Json) -> tuple[bool, str]:
    """(accepted, detail) of an answer; the detail names the reason code where the station gives one (A.6)."""
    if action == "SetVariables":
        states = [r["attributeStatus"] for r in payload["setVariableResult"]]
        return all(s in {"Accepted", "RebootRequired"} for s in states), ", ".join(states)
    if action == "GetVariables":
        return True, ", ".join(f"{name}={value}" for name, value in values(action, payload))
    if action == "GetTransactionStatus":
        return True, f"ongoing={payload.get('ongoingIndicator')}, queued={payload['messagesInQueue']}"
    status = payload.get("status", "Accepted")
    fine = {"Accepted"} | _ALSO_FINE.get(action, frozenset())
    if action == "GetCompositeSchedule" and status == "Accepted":
        return True, str(payload.get("schedule", {}))
    reason = payload.get("statusInfo", {}).get("reasonCode", "")
    accepted = status in fine
    return accepted, "" if accepted else " ".join(x for x in (status, reason) if x)


_ALSO_FINE = {
    "ClearChargingProfile": frozenset({"Unknown"}),
    "ClearDERControl": frozenset({"NotFound"}),
    "GetDERControl": frozenset({"NotFound"}),
    "ChangeAvailability": frozenset({"Scheduled"}),
    "Reset": frozenset({"Scheduled"}),
}
"""Answers that leave things as we wanted them [A-90, B-6, G-84]."""


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


def _name(result: Json) -> str:
    return f"{result['component']['name']}.{result['variable']['name']}"
