"""Commands → OCPP 1.6 calls, and what the answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import split_evse
from loadmgr.domain.security import SecurityCommand
from loadmgr.domain.traits import Kind, Purpose, Traits
from loadmgr.errors import ProtocolError
from loadmgr.ocpp import dressing, guards
from loadmgr.ocpp.dressing import Dressed
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import to_wire
from loadmgr.ocpp.v16 import security

Call = tuple[str, Json]

_PURPOSES: Mapping[Purpose, tuple[str, int]] = MappingProxyType(
    {
        Purpose.TX: ("TxProfile", 20),
        Purpose.DEFAULT: ("TxDefaultProfile", 40),
        Purpose.STATION_DEFAULT: ("TxDefaultProfile", 40),
        Purpose.MAX: ("ChargePointMaxProfile", 60),
    }
)
"""Wire name and code; an id is connector · 100 + code + stack: same slot, same id [A-30], below 1000 where it can [A-33]."""
_KINDS: Mapping[Kind, str] = MappingProxyType(
    {Kind.ABSOLUTE: "Absolute", Kind.RELATIVE: "Relative", Kind.DYNAMIC: "Absolute"}
)
_FINE: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        "ClearChargingProfile": frozenset({"Unknown"}),
        "ChangeConfiguration": frozenset({"RebootRequired"}),
        "ChangeAvailability": frozenset({"Scheduled"}),
    }
)
"""Answers besides Accepted after which things are, or will be, as we want them [A-90, G-83, G-84]."""


def to_calls(command: cmd.Command, traits: Traits) -> tuple[Call, ...]:
    """The calls that carry out a command, in order.

    Raises ``ProtocolError`` for a current in (0, 6) A [A-80] and for what OCPP 1.6 has no message for.
    """
    match command:
        case cmd.SendSetpoint():
            transaction = command.setpoint.transaction
            is_usable = transaction.isdecimal() and int(transaction) > 0  # 0 and -1 are no ids [D-4, G-12]
            return (_set(dressing.live(command.setpoint, traits, transaction if is_usable else "")),)
        case cmd.InstallFailsafe():
            return tuple(_set(layer) for layer in dressing.lasting(command, traits))
        case cmd.ClearProfiles():
            return (("ClearChargingProfile", _clear(command)),)
        case cmd.ReadComposite():
            return (("GetCompositeSchedule", _composite(command, traits)),)
        case cmd.TriggerMeter():
            return (_trigger("MeterValues", split_evse(command.evse)[1]),)
        case cmd.TriggerStatus():
            return (_trigger("StatusNotification", split_evse(command.evse)[1]),)
        case cmd.ReadSettings():
            return (("GetConfiguration", {"key": list(command.names)} if command.names else {}),)
        case cmd.WriteSetting():
            guards.check(command)
            return (("ChangeConfiguration", {"key": command.name, "value": command.value}),)
        case cmd.StartSession():
            return (("RemoteStartTransaction", _start(command, traits)),)
        case cmd.StopSession():
            return (("RemoteStopTransaction", {"transactionId": _number(command)}),)
        case _:
            return (_more(command),)


def _more(command: cmd.Command) -> Call:
    """Reservation, operation and security."""
    if isinstance(command, SecurityCommand):
        return security.to_call(command)
    match command:
        case cmd.ReserveEvse():
            return "ReserveNow", {
                "connectorId": split_evse(command.evse)[1],
                "expiryDate": to_wire(command.until_at),
                "idTag": command.id_tag,
                "reservationId": command.reservation,
            }
        case cmd.CancelReservation():
            return "CancelReservation", {"reservationId": command.reservation}
        case cmd.SetAvailability():
            number = split_evse(command.evse)[1] if command.evse is not None else 0
            return "ChangeAvailability", {
                "connectorId": number,
                "type": "Operative" if command.is_operative else "Inoperative",
            }
        case cmd.RebootStation():
            return "Reset", {"type": "Hard" if command.is_hard else "Soft"}
        case _:
            raise _refused(command, "NotSupported", "OCPP 1.6 has no such message")


def _refused(command: cmd.Command, code: str, detail: str) -> ProtocolError:
    return ProtocolError(station=str(command.station), action=type(command).__name__, code=code, detail=detail)


def _number(command: cmd.StopSession) -> int:
    if not command.transaction.isdecimal():
        raise _refused(command, "InvalidTransaction", f"{command.transaction!r} is no transaction id of OCPP 1.6")
    return int(command.transaction)


def _trigger(message: str, number: int) -> Call:
    return "TriggerMessage", {"requestedMessage": message, "connectorId": number}


def _clear(command: cmd.ClearProfiles) -> Json:
    """Everything on a connector is ours and live; the fail-safe stands on connector 0 (rules A.10, A.15)."""
    return {} if command.evse is None else {"connectorId": split_evse(command.evse)[1]}


def _composite(command: cmd.ReadComposite, traits: Traits) -> Json:
    return {
        "connectorId": split_evse(command.evse)[1],
        "duration": command.duration_s,
        "chargingRateUnit": traits.rate_units[0],
    }


def _start(command: cmd.StartSession, traits: Traits) -> Json:
    wanted: Json = {"connectorId": split_evse(command.evse)[1], "idTag": command.id_tag}
    limit = dressing.first(command, traits)
    if limit is not None:
        wanted["chargingProfile"] = _profile(limit)
    return wanted


def _set(dressed: Dressed) -> Call:
    return "SetChargingProfile", {"connectorId": dressed.place, "csChargingProfiles": _profile(dressed)}


def _profile(dressed: Dressed) -> Json:
    purpose, code = _PURPOSES[dressed.purpose]
    profile: Json = {
        "chargingProfileId": dressed.place * 100 + code + dressed.stack,
        "stackLevel": dressed.stack,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": _KINDS[dressed.kind],
        "chargingSchedule": _schedule(dressed),
    }
    if dressed.transaction:
        profile["transactionId"] = int(dressed.transaction)
    if dressed.valid_to is not None:
        profile["validTo"] = to_wire(dressed.valid_to)
    return profile


def _schedule(dressed: Dressed) -> Json:
    period: Json = {"startPeriod": 0, "limit": dressed.limit}
    if dressed.n_phases is not None:
        period["numberPhases"] = dressed.n_phases
    schedule: Json = {"chargingRateUnit": dressed.unit, "chargingSchedulePeriod": [period]}
    if dressed.start_at is not None:
        schedule["startSchedule"] = to_wire(dressed.start_at)
    if dressed.duration_s is not None:
        schedule["duration"] = dressed.duration_s
    return schedule


def outcome(action: str, payload: Json) -> tuple[bool, str]:
    """(accepted, detail) of an answer."""
    status = payload.get("status", "Accepted")
    accepted = status == "Accepted" or status in _FINE.get(action, frozenset())
    if action == "GetConfiguration":
        return True, ", ".join(f"{k}={v}" for k, v in values(action, payload))
    if action == "GetCompositeSchedule" and accepted:
        return True, str(payload.get("chargingSchedule", {}))
    return accepted, "" if status == "Accepted" else status


def values(action: str, payload: Json) -> tuple[tuple[str, str], ...]:
    """(key, value) out of an answer to GetConfiguration; keys that the station does not know are missing."""
    if action != "GetConfiguration":
        return ()
    return tuple((k["key"], k.get("value", "")) for k in payload.get("configurationKey", []))
