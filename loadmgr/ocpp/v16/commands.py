"""Commands → OCPP 1.6 calls, and what the answers mean."""

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
"""Schedules start in the past, so that a slow clock does not leave a gap [G-8, A-31]."""

LIVE_STACK = 1
GUARD_ID, FAILSAFE_ID = 1, 2


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
            number = split_evse(command.evse)[1]
            asked = {"connectorId": number, "duration": command.duration_s, "chargingRateUnit": "A"}
            return (("GetCompositeSchedule", asked),)
        case cmd.TriggerMeter():
            return (_trigger("MeterValues", split_evse(command.evse)[1]),)
        case cmd.TriggerStatus():
            return (_trigger("StatusNotification", split_evse(command.evse)[1]),)
        case cmd.ReadSettings():
            return (("GetConfiguration", {"key": list(command.names)} if command.names else {}),)
        case cmd.WriteSetting():
            return (("ChangeConfiguration", {"key": command.name, "value": command.value}),)
        case cmd.StartSession():
            wanted = {"connectorId": split_evse(command.evse)[1], "idTag": command.id_tag}
            return (("RemoteStartTransaction", wanted),)
        case cmd.StopSession():
            return (("RemoteStopTransaction", {"transactionId": int(command.transaction)}),)
        case _:
            raise ProtocolError(
                station=str(command.station),
                action=type(command).__name__,
                code="NotSupported",
                detail="OCPP 1.6 has no such message",
            )


def _trigger(message: str, number: int) -> Call:
    return "TriggerMessage", {"requestedMessage": message, "connectorId": number}


def _clear(command: cmd.ClearProfiles) -> Json:
    if command.evse is None:
        return {}
    return {"connectorId": split_evse(command.evse)[1], "stackLevel": LIVE_STACK}


def _limit(current_a: float, where: str) -> float:
    """One decimal, rounded down [0-12]."""
    if 0.0 < current_a < 6.0 or current_a < 0.0:
        raise ProtocolError(
            station=where, action="SetChargingProfile", code="InvalidLimit", detail=f"{current_a} A is in (0, 6) A"
        )
    return units.round_down(current_a, 0.1)


def _live(setpoint: Setpoint) -> Call:
    station, number = split_evse(setpoint.evse)
    transaction = int(setpoint.transaction) if setpoint.transaction.isdecimal() else 0
    profile: Json = {
        "chargingProfileId": (20 if transaction else 60) + number * 100,
        "stackLevel": LIVE_STACK,
        "chargingProfilePurpose": "TxProfile" if transaction else "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": _schedule(setpoint, str(station)),
    }
    if transaction:
        profile["transactionId"] = transaction
    return "SetChargingProfile", {"connectorId": number, "csChargingProfiles": profile}


def _schedule(setpoint: Setpoint, station: str) -> Json:
    start = setpoint.made_at.replace(microsecond=0) - START_BEFORE
    return {
        "startSchedule": to_wire(start),
        "duration": int((setpoint.valid_until - start).total_seconds()),
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [
            {
                "startPeriod": 0,
                "limit": _limit(setpoint.current_a, station),
                "numberPhases": setpoint.n_phases,
            }
        ],
    }


def _failsafe(command: cmd.InstallFailsafe) -> tuple[Call, ...]:
    """L2 first: it is the one that matters when the link breaks [G-45, A.15]."""
    station = str(command.station)
    return (
        _lasting(FAILSAFE_ID, "TxDefaultProfile", (command.failsafe_a, command.n_phases), command.made_at, station),
        _lasting(GUARD_ID, "ChargePointMaxProfile", (command.station_max_a, command.n_phases), command.made_at, station),
    )


def _lasting(profile_id: int, purpose: str, bound: tuple[float, int], made_at: datetime, station: str) -> Call:
    """A profile for the whole station without an end."""
    current_a, n_phases = bound
    period = {"startPeriod": 0, "limit": _limit(current_a, station), "numberPhases": n_phases}
    profile = {
        "chargingProfileId": profile_id,
        "stackLevel": 0,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": {
            "startSchedule": to_wire(made_at - START_BEFORE),
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [period],
        },
    }
    return "SetChargingProfile", {"connectorId": 0, "csChargingProfiles": profile}


def outcome(action: str, payload: Json) -> tuple[bool, str]:
    """(accepted, detail) of an answer. ``Unknown`` to a clear is fine: there was nothing [A-90]."""
    status = payload.get("status", "Accepted")
    accepted = status in {"Accepted", "RebootRequired"} or (action == "ClearChargingProfile" and status == "Unknown")
    if action == "GetConfiguration":
        found = {k["key"]: k.get("value", "") for k in payload.get("configurationKey", [])}
        return True, ", ".join(f"{k}={v}" for k, v in found.items())
    if action == "GetCompositeSchedule" and accepted:
        return True, str(payload.get("chargingSchedule", {}))
    return accepted, "" if accepted else status
