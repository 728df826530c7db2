"""The CALLs of the benchmark, checked against the schemas of the ``ocpp`` package before anything is measured."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocpp.messages import Call, validate_payload

HOST = "127.0.0.1"
PASSWORD = "bench-password-0001"
ID = "0000000000"
"""The load generator replaces exactly these ten characters."""
READINGS = (
    ("Energy.Active.Import.Register", None, "Wh", 1_234_567.0),
    ("Power.Active.Import", None, "W", 10_870.0),
    ("Current.Import", "L1", "A", 15.8),
    ("Current.Import", "L2", "A", 15.7),
    ("Current.Import", "L3", "A", 15.9),
    ("Voltage", "L1-N", "V", 229.6),
    ("Voltage", "L2-N", "V", 230.4),
    ("SoC", None, "Percent", 61.0),
)


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def meter_values() -> dict[str, Any]:
    """1.6: eight sampled values, about 1.2 kB as a frame."""
    sampled = []
    for measurand, phase, unit, value in READINGS:
        one = {
            "value": f"{value:.3f}",
            "context": "Sample.Periodic",
            "format": "Raw",
            "measurand": measurand,
            "location": "EV" if measurand == "SoC" else "Outlet",
            "unit": unit,
        }
        sampled.append(one if phase is None else {**one, "phase": phase})
    return {"connectorId": 1, "meterValue": [{"timestamp": _now(), "sampledValue": sampled}]}


def transaction_event() -> dict[str, Any]:
    """2.0.1: an update with the same readings, about 1.4 kB as a frame."""
    sampled = []
    for measurand, phase, unit, value in READINGS:
        one = {
            "value": value,
            "context": "Sample.Periodic",
            "measurand": measurand,
            "location": "EV" if measurand == "SoC" else "Outlet",
            "unitOfMeasure": {"unit": unit},
        }
        sampled.append(one if phase is None else {**one, "phase": phase})
    return {
        "eventType": "Updated",
        "timestamp": _now(),
        "triggerReason": "MeterValuePeriodic",
        "seqNo": 7,
        "offline": False,
        "transactionInfo": {"transactionId": "7b2f1c64-0d5e-4a8e-9a44-2f6f2f5d1c11", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": _now(), "sampledValue": sampled}],
    }


def boot(ocpp: str) -> dict[str, Any]:
    """A BootNotification."""
    if ocpp == "1.6":
        return {"chargePointVendor": "Bench", "chargePointModel": "Load"}
    return {"reason": "PowerUp", "chargingStation": {"vendorName": "Bench", "model": "Load"}}


def charging_profile() -> dict[str, Any]:
    """1.6: what is pushed to every station."""
    return {
        "connectorId": 1,
        "csChargingProfiles": {
            "chargingProfileId": 1,
            "stackLevel": 1,
            "chargingProfilePurpose": "TxDefaultProfile",
            "chargingProfileKind": "Absolute",
            "chargingSchedule": {
                "startSchedule": "2026-01-01T00:00:00Z",
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 10.0}],
            },
        },
    }


CALLS = (
    ("MeterValues", "1.6", meter_values),
    ("Heartbeat", "1.6", dict),
    ("TransactionEvent", "2.0.1", transaction_event),
)


def files(folder: Path) -> dict[str, Path]:
    """Action, or ``boot`` with the version, → file of a frame. Raises the schema's complaint when one is wrong."""
    frames = [(action, action, ocpp, make()) for action, ocpp, make in CALLS]
    frames += [(f"boot{ocpp}", "BootNotification", ocpp, boot(ocpp)) for ocpp in ("1.6", "2.0.1")]
    found = {}
    for name, action, ocpp, payload in frames:
        asyncio.run(validate_payload(Call(ID, action, payload), ocpp))
        place = folder / f"{name}.json"
        place.write_text(json.dumps([2, ID, action, payload], separators=(",", ":")))
        found[name] = place
    return found
