"""2.1: the values last sent for dynamic profiles, so that a station that pulls them gets the same ones (rule A.12).

A book is a mapping of profile ids. What has run out is not repeated: each answer would give the profile a new life, and
then values would outlive the service that computed them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

Json = dict[str, Any]

VALUES = (
    "limit",
    "limit_L2",
    "limit_L3",
    "dischargeLimit",
    "dischargeLimit_L2",
    "dischargeLimit_L3",
    "setpoint",
    "setpoint_L2",
    "setpoint_L3",
    "setpointReactive",
    "setpointReactive_L2",
    "setpointReactive_L3",
)
"""The fields of an update, as a period spells them."""

EMPTY: Mapping[str, Any] = MappingProxyType({})


def noted(book: dict[int, Json], action: str, payload: Json, now: datetime) -> None:
    """Note a call that is sent: an installed dynamic profile, its new values, or one that replaces it by its id [A-30]."""
    if action == "SetChargingProfile":
        profile = payload.get("chargingProfile", EMPTY)
        if profile.get("chargingProfileKind") != "Dynamic":
            book.pop(profile.get("id"), None)
            return
        schedule = profile["chargingSchedule"][0]
        period = schedule["chargingSchedulePeriod"][0]
        used = {name: period[name] for name in VALUES if name in period}
        book[profile["id"]] = {"values": used, "life_s": schedule.get("duration"), "sent_at": now}
    elif action == "UpdateDynamicSchedule" and payload["chargingProfileId"] in book:
        entry = book[payload["chargingProfileId"]]
        book[payload["chargingProfileId"]] = {**entry, "values": dict(payload["scheduleUpdate"]), "sent_at": now}
    elif action == "ClearChargingProfile":
        book.clear()  # whatever was removed: nothing is repeated until it is installed again


def repeated(book: Mapping[int, Json], profile_id: int, now: datetime) -> Json | None:
    """The values of a profile while they hold; ``None`` for one that is not ours, not dynamic, or has run out."""
    entry = book.get(profile_id)
    if entry is None:
        return None
    life_s = entry["life_s"]
    if life_s is not None and now >= entry["sent_at"] + timedelta(seconds=life_s):
        return None
    return dict(entry["values"])
