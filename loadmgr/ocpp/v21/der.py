"""DER controls on the wire of OCPP 2.1 (domain rule B.1)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from types import MappingProxyType

from loadmgr.domain import events as ev
from loadmgr.domain.der import DerControl, DerPoint
from loadmgr.domain.ids import StationId
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import from_wire, to_wire

_OBJECT = MappingProxyType({
    "EnterService": "enterService",
    "Gradients": "gradient",
    "FreqDroop": "freqDroop",
    "FixedPFAbsorb": "fixedPFAbsorb",
    "FixedPFInject": "fixedPFInject",
    "FixedVar": "fixedVar",
    "LimitMaxDischarge": "limitMaxDischarge",
})  # fmt: skip
"""Control type → the one object that SetDERControl carries for it; every other type is a curve."""

_REPORTED = MappingProxyType({
    "enterService": ("EnterService", "enterService"),
    "fixedPFAbsorb": ("FixedPFAbsorb", "fixedPF"),
    "fixedPFInject": ("FixedPFInject", "fixedPF"),
    "fixedVar": ("FixedVar", "fixedVar"),
    "freqDroop": ("FreqDroop", "freqDroop"),
    "gradient": ("Gradients", "gradient"),
    "limitMaxDischarge": ("LimitMaxDischarge", "limitMaxDischarge"),
})  # fmt: skip
"""Array of ReportDERControl → (control type, name of the object inside an element)."""

_NUMBERS = (
    "delay",
    "displacement",
    "gradient",
    "highFreq",
    "highVoltage",
    "lowFreq",
    "lowVoltage",
    "overDroop",
    "overFreq",
    "pctMaxDischargePower",
    "rampRate",
    "randomDelay",
    "responseTime",
    "setpoint",
    "softGradient",
    "underDroop",
    "underFreq",
)
_FLAGS = ("excitation",)
_UNTIMED = frozenset({"EnterService", "Gradients"})
"""Exist only as default and have no times [B-1]."""


def to_request(control: DerControl) -> Json:
    """The payload of SetDERControl. Times are left out of a default control [B-1]."""
    inner: Json = {"priority": control.priority, **dict(control.values), **dict(control.flags)}
    if control.control_type not in _UNTIMED and not control.is_default:
        if control.from_at is not None:
            inner["startTime"] = to_wire(control.from_at)
        if control.duration_s is not None:
            inner["duration"] = control.duration_s
    name = _OBJECT.get(control.control_type)
    if name is None:
        inner["curveData"] = [{"x": p.x, "y": p.y} for p in control.curve]
    if name is None or control.control_type == "FixedVar":
        unit = control.y_unit or "Not_Applicable"
        inner["yUnit" if name is None else "unit"] = unit
    return {
        "isDefault": control.is_default,
        "controlId": control.id,
        "controlType": control.control_type,
        name or "curve": inner,
    }


def stored(payload: Json, station: StationId, now: datetime) -> Iterator[ev.DerControlStored]:
    """What ReportDERControl says that a station holds."""
    for name, (control_type, inner) in _REPORTED.items():
        for element in payload.get(name, []):
            yield _stored(element, (control_type, element[inner]), station, now)
    for element in payload.get("curve", []):
        yield _stored(element, (element["curveType"], element["curve"]), station, now)


def _stored(element: Json, what: tuple[str, Json], station: StationId, now: datetime) -> ev.DerControlStored:
    control_type, inner = what
    control = DerControl(
        id=element["id"],
        control_type=control_type,
        is_default=element.get("isDefault", control_type in _UNTIMED),
        priority=inner["priority"],
        from_at=from_wire(inner["startTime"]) if "startTime" in inner else None,
        duration_s=inner.get("duration"),
        values=tuple((name, float(inner[name])) for name in _NUMBERS if name in inner),
        flags=tuple((name, bool(inner[name])) for name in _FLAGS if name in inner),
        curve=tuple(DerPoint(x=p["x"], y=p["y"]) for p in inner.get("curveData", [])),
        y_unit=str(inner.get("yUnit") or inner.get("unit") or ""),
    )
    return ev.DerControlStored(at=now, station=station, control=control, is_superseded=element.get("isSuperseded", False))
