"""Commands → OCPP 2.0.1 calls, and what the answers mean."""

from __future__ import annotations

from datetime import datetime, timedelta

from loadmgr import units
from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import split_evse
from loadmgr.domain.plan import Setpoint
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import to_wire

Call = tuple[str, Json]

START_BEFORE = timedelta(seconds=10)
LIVE_STACK = 1
GUARD_ID, FAILSAFE_ID = 10_000, 20_000
TX_DEFAULT_BASE, TX_BASE = 20_000, 30_000
"""Profile ids are purpose · 10,000 + EVSE · 100 + stack: same slot, same id, so replacing always works [A-30]."""


def to_calls(command: cmd.Command) -> tuple[Call, ...]:
    """The calls that carry out a command, in order. Raises ``ProtocolError`` for a current in (0, 6) A [A-80]."""
    match command:
        case cmd.SendSetpoint():
            return (_live(command.setpoint),)
        case cmd.InstallFailsafe():
            return _failsafe(command)
        case cmd.ClearProfiles():
            return (("ClearChargingProfile", _clear(command)),)
        case cmd.ReadComposite():
            asked = {"evseId": split_evse(command.evse)[1], "duration": command.duration_s, "chargingRateUnit": "A"}
            return (("GetCompositeSchedule", asked),)
        case cmd.TriggerMeter():
            return (_trigger("MeterValues", split_evse(command.evse)[1]),)
        case cmd.TriggerStatus():
            return (_trigger("StatusNotification", split_evse(command.evse)[1]),)
        case cmd.ReadSettings():
            return (("GetVariables", {"getVariableData": [_variable(name) for name in command.names]}),)
        case cmd.WriteSetting():
            data = {"attributeValue": command.value, **_variable(command.name)}
            return (("SetVariables", {"setVariableData": [data]}),)
        case cmd.StartSession():
            token = {"idToken": command.id_tag, "type": "Central"}
            wanted = {"idToken": token, "remoteStartId": command.no, "evseId": split_evse(command.evse)[1]}
            return (("RequestStartTransaction", wanted),)
        case cmd.StopSession():
            return (("RequestStopTransaction", {"transactionId": command.transaction}),)
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


def _clear(command: cmd.ClearProfiles) -> Json:
    if command.evse is None:
        return {"chargingProfileCriteria": {"chargingProfilePurpose": "TxProfile"}}
    return {"chargingProfileCriteria": {"evseId": split_evse(command.evse)[1], "stackLevel": LIVE_STACK}}


def _limit(current_a: float, where: str) -> float:
    """One decimal, rounded down [0-12]."""
    if 0.0 < current_a < 6.0 or current_a < 0.0:
        raise ProtocolError(
            station=where, action="SetChargingProfile", code="InvalidLimit", detail=f"{current_a} A is in (0, 6) A"
        )
    return units.round_down(current_a, 0.1)


def _live(setpoint: Setpoint) -> Call:
    station, number = split_evse(setpoint.evse)
    has_transaction = bool(setpoint.transaction)
    base = TX_BASE if has_transaction else TX_DEFAULT_BASE
    start = setpoint.made_at.replace(microsecond=0) - START_BEFORE
    profile: Json = {
        "id": base + number * 100 + LIVE_STACK,
        "stackLevel": LIVE_STACK,
        "chargingProfilePurpose": "TxProfile" if has_transaction else "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [
            {
                "id": 1,
                "startSchedule": to_wire(start),
                "duration": int((setpoint.valid_until - start).total_seconds()),
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [
                    {
                        "startPeriod": 0,
                        "limit": _limit(setpoint.current_a, str(station)),
                        "numberPhases": setpoint.n_phases,
                    }
                ],
            }
        ],
    }
    if has_transaction:
        profile["transactionId"] = setpoint.transaction
    return "SetChargingProfile", {"evseId": number, "chargingProfile": profile}


def _failsafe(command: cmd.InstallFailsafe) -> tuple[Call, ...]:
    """L2 first: it is the one that matters when the link breaks [G-45, A.15]."""
    station = str(command.station)
    most = (command.station_max_a, command.n_phases)
    return (
        _lasting(FAILSAFE_ID, "TxDefaultProfile", (command.failsafe_a, command.n_phases), command.made_at, station),
        _lasting(GUARD_ID, "ChargingStationMaxProfile", most, command.made_at, station),
    )


def _lasting(profile_id: int, purpose: str, bound: tuple[float, int], made_at: datetime, station: str) -> Call:
    """A profile for the whole station without an end."""
    current_a, n_phases = bound
    schedule = {
        "id": 1,
        "startSchedule": to_wire(made_at - START_BEFORE),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": _limit(current_a, station), "numberPhases": n_phases}],
    }
    profile = {
        "id": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [schedule],
    }
    return "SetChargingProfile", {"evseId": 0, "chargingProfile": profile}


def outcome(action: str, payload: Json) -> tuple[bool, str]:
    """(accepted, detail) of an answer; the detail names the reason code where the station gives one (A.6)."""
    if action == "SetVariables":
        states = [r["attributeStatus"] for r in payload["setVariableResult"]]
        return all(s in {"Accepted", "RebootRequired"} for s in states), ", ".join(states)
    if action == "GetVariables":
        found = [
            f"{r['component']['name']}.{r['variable']['name']}={r.get('attributeValue', r['attributeStatus'])}"
            for r in payload["getVariableResult"]
        ]
        return True, ", ".join(found)
    status = payload.get("status", "Accepted")
    accepted = status == "Accepted" or (action == "ClearChargingProfile" and status == "Unknown")
    if action == "GetCompositeSchedule" and accepted:
        return True, str(payload.get("schedule", {}))
    reason = payload.get("statusInfo", {}).get("reasonCode", "")
    return accepted, "" if accepted else " ".join(x for x in (status, reason) if x)
