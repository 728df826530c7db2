"""The DER controller of a 2.1 station (rule B.1): what is stored, what supersedes what, what runs now."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import MappingProxyType

from loadmgr.sim.profiles import Json, time_of

FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "EnterService": "enterService",
        "Gradients": "gradient",
        "FreqDroop": "freqDroop",
        "FixedPFAbsorb": "fixedPFAbsorb",
        "FixedPFInject": "fixedPFInject",
        "FixedVar": "fixedVar",
        "LimitMaxDischarge": "limitMaxDischarge",
    }
)
"""Object that carries a control type; every other type is a ``curve``."""

ONLY_DEFAULT = frozenset({"EnterService", "Gradients"})
KINDS = (*FIELDS.values(), "curve")
MODES = ("LimitMaxDischarge", "VoltVar", "VoltWatt", "FreqWatt", "FreqDroop", "FixedPFInject", "Gradients", "EnterService")


@dataclass(slots=True)
class Control:
    """A stored control. ``superseded_at``: when a better one takes over; then it only waits for its end [B-2]."""

    id: str
    control_type: str
    is_default: bool
    priority: int
    body: Json
    start_at: datetime
    end_at: datetime | None = None
    is_superseded: bool = False
    has_started: bool = False

    def overlaps(self, other: Control) -> bool:
        """True when both would hold at some time."""
        return (self.end_at is None or other.start_at < self.end_at) and (
            other.end_at is None or self.start_at < other.end_at
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """A control starts or ends: what NotifyDERStartStop says (R05)."""

    control_id: str
    started: bool
    at: datetime
    superseded: tuple[str, ...] = ()


@dataclass(slots=True)
class DerController:
    """Controls by id. A lower priority number is better; of two equal ones the newer wins."""

    modes: frozenset[str] = frozenset(MODES)
    controls: dict[str, Control] = field(default_factory=dict)

    def set(self, said: Json, now: datetime) -> tuple[str, tuple[str, ...]]:
        """(status, ids superseded at once) of a SetDERControl."""
        kind = FIELDS.get(said["controlType"], "curve")
        if said["controlType"] not in self.modes:
            return "NotSupported", ()
        body = said.get(kind)
        is_timed = body is not None and ("startTime" in body or "duration" in body)
        if body is None or any(k in said for k in KINDS if k != kind) or (said["isDefault"] and is_timed):
            return "Rejected", ()  # exactly the matching object; a default has no times [B-1]
        if said["controlType"] in ONLY_DEFAULT and not said["isDefault"]:
            return "Rejected", ()
        start = time_of(body.get("startTime")) or now
        duration_s = body.get("duration")
        new = Control(
            id=said["controlId"],
            control_type=said["controlType"],
            is_default=said["isDefault"],
            priority=body["priority"],
            body=body,
            start_at=start,
            end_at=None if duration_s is None else start + timedelta(seconds=duration_s),
        )
        self.controls.pop(new.id, None)
        return "Accepted", self._place(new, now)

    def _place(self, new: Control, now: datetime) -> tuple[str, ...]:
        """Store it; a better one supersedes at once what has not started, a running one goes on until then [B-2]."""
        rivals = [r for r in self._rivals(new) if not r.is_superseded]
        new.is_superseded = any(r.priority < new.priority for r in rivals)
        self.controls[new.id] = new
        if new.is_superseded:
            return ()
        losers = [r for r in rivals if not r.has_started or new.start_at <= now]
        for rival in losers:
            rival.is_superseded = True
        return tuple(r.id for r in losers)

    def _rivals(self, control: Control) -> list[Control]:
        return [
            c
            for c in self.controls.values()
            if c.id != control.id
            and (c.control_type, c.is_default) == (control.control_type, control.is_default)
            and c.overlaps(control)
        ]

    def tick(self, now: datetime) -> list[Change]:
        """Bring the timeline to ``now``: ends, starts, and what a start supersedes."""
        found = []
        for control in list(self.controls.values()):
            if control.end_at is not None and control.end_at <= now:
                del self.controls[control.id]  # deleted after its end [B-3]
                if control.has_started and not control.is_superseded:
                    found.append(Change(control_id=control.id, started=False, at=control.end_at))
        for control in self.controls.values():
            if control.has_started or control.is_superseded or control.is_default or control.start_at > now:
                continue
            control.has_started = True
            losers = [r for r in self._rivals(control) if r.has_started and not r.is_superseded]
            for rival in losers:
                rival.is_superseded = True
            found.append(
                Change(control_id=control.id, started=True, at=now, superseded=tuple(r.id for r in losers)),
            )
        return found

    def next_change(self, now: datetime) -> datetime | None:
        """When the timeline moves next."""
        marks = [m for c in self.controls.values() for m in (c.start_at, c.end_at) if m is not None and m > now]
        return min(marks, default=None)

    def active(self, control_type: str) -> Control | None:
        """The control of a type that holds now: a scheduled one before the default."""
        live = [c for c in self.controls.values() if c.control_type == control_type and not c.is_superseded]
        running = [c for c in live if c.has_started]
        return next(iter(running), None) or next((c for c in live if c.is_default), None)

    def discharge_frac(self) -> float:
        """Part of the discharge rating that LimitMaxDischarge leaves."""
        control = self.active("LimitMaxDischarge")
        return 1.0 if control is None else float(control.body.get("pctMaxDischargePower", 100.0)) / 100.0

    def chosen(self, said: Json) -> list[Control]:
        """What the filters of Get or Clear name; none of them means everything [B-6]."""
        return [
            c
            for c in self.controls.values()
            if said.get("controlId") in {None, c.id}
            and said.get("controlType") in {None, c.control_type}
            and said.get("isDefault") in {None, c.is_default}
        ]

    def clear(self, said: Json) -> str:
        """Remove; NotFound when there is nothing to remove [B-6]."""
        found = self.chosen(said)
        for control in found:
            del self.controls[control.id]
        return "Accepted" if found else "NotFound"

    @staticmethod
    def report(found: list[Control]) -> Json:
        """The arrays of a ReportDERControl."""
        arrays: Json = {}
        for control in found:
            kind = FIELDS.get(control.control_type, "curve")
            inner = "fixedPF" if kind.startswith("fixedPF") else kind
            entry: Json = {"id": control.id, inner: control.body}
            if control.control_type not in ONLY_DEFAULT:
                entry |= {"isDefault": control.is_default, "isSuperseded": control.is_superseded}
            if kind == "curve":
                entry["curveType"] = control.control_type
            arrays.setdefault(kind, []).append(entry)
        return arrays
