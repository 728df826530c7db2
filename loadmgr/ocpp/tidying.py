"""What real stations send, made checkable: driven by the schema, bounded by the message (quirks G-57 to G-60, G-96).

Only the form of a value changes, never what it says: a field in another spelling, type or nesting is put into the
schema's; what cannot be put right stays and is refused. Dropped are unknown fields, empty optional ones and samples that
stay invalid [C-25]. A valid message comes out as it went in.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

Json = dict[str, Any]
Judge = Callable[[Any], bool]

NOTES_MAX = 8
SAMPLES = frozenset({"meterValue", "sampledValue", "transactionData"})
"""Arrays of measurements: an entry that stays invalid is dropped, and they may be empty [C-25, G-60]."""
DATED_BY_STATION = frozenset({"StartTransaction", "StopTransaction", "TransactionEvent"})
"""Messages whose own time only the station knows; in the others the time of receipt takes the place of a bad one [0-3]."""
NO_TIME = ""
"""What is no time is written so: every reader takes the time of receipt for it."""
_ALIKE = (("celsius", "celcius"), ("hertz", "hz"))
"""Spellings of one thing, where the schema has only one of them [0-18, G-58]."""
_DECIMAL = re.compile(r"\s*[+-]?\d{1,20}(?:\.\d{1,20})?(?:[eE][+-]?\d{1,2})?\s*")
_TRUTH = MappingProxyType({"true": True, "false": False})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """A part of a schema, as far as it matters here. ``judge``: is an entry of this array valid?"""

    kind: str = ""
    fields: Mapping[str, Shape] = field(default_factory=lambda: MappingProxyType({}))
    required: frozenset[str] = frozenset()
    is_closed: bool = False
    entries: Shape | None = None
    least: int = 0
    spellings: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))
    is_time: bool = False
    judge: Judge | None = None

    @property
    def takes_empty(self) -> bool:
        """Is an empty text valid here? It stays, because it may say something; an empty time is none to every reader."""
        return self.kind in {"string", ""} and not self.spellings


def relaxed(schema: Any) -> Any:
    """The same schema with arrays of measurements that may be empty [G-60]."""
    if isinstance(schema, list):
        return [relaxed(s) for s in schema]
    if not isinstance(schema, dict):
        return schema
    found = {name: relaxed(part) for name, part in schema.items()}
    for name in SAMPLES & found.keys():
        if isinstance(found[name], dict):
            found[name].pop("minItems", None)
    return found


def shape_of(schema: Json, judge_of: Callable[[Json], Judge]) -> Shape:
    """The shape of a schema; ``judge_of`` makes a judge of the schema of an entry. Raises ``RecursionError`` for one that
    refers to itself; OCPP has none.
    """
    definitions: Json = schema.get("definitions", {})

    def made(part: Json, name: str) -> Shape:
        if "$ref" in part:
            part = definitions[part["$ref"].rpartition("/")[2]]
        kind = part.get("type", "")
        entries = part["items"] if kind == "array" else None
        is_judged = entries is not None and name in SAMPLES
        return Shape(
            kind=kind,
            fields=MappingProxyType({n: made(p, n) for n, p in part.get("properties", {}).items()}),
            required=frozenset(part.get("required", ())),
            is_closed=part.get("additionalProperties") is False,
            entries=made(entries, name) if entries is not None else None,
            least=part.get("minItems", 0),
            spellings=_spellings(part.get("enum", ())),
            is_time=part.get("format") == "date-time",
            judge=judge_of({**entries, "definitions": definitions}) if is_judged and entries is not None else None,
        )

    return made(schema, "")


def _spellings(values: tuple[str, ...]) -> Mapping[str, str]:
    found = {value.casefold(): value for value in values}
    for alike in _ALIKE:
        for value in [found[a] for a in alike if a in found]:
            for other in alike:
                found.setdefault(other, value)
    return MappingProxyType(found)


def tidied(shape: Shape, action: str, payload: Json) -> tuple[Json, tuple[str, ...]]:
    """The payload in the form of the schema as far as that is possible, and what was done to it."""
    work = _Work(has_own_time=action in DATED_BY_STATION)
    found = work.value(shape, payload, "")
    return found, tuple(work.notes)


@dataclass(slots=True, kw_only=True)
class _Work:
    """One message. ``has_own_time``: a bad time outside its samples stays and is refused."""

    has_own_time: bool
    notes: list[str] = field(default_factory=list)

    def note(self, where: str, what: str) -> None:
        """Note a change, the first ones of a message only."""
        if len(self.notes) < NOTES_MAX:
            self.notes.append(f"{where[:80]} {what}")

    def value(self, shape: Shape, value: Any, where: str) -> Any:
        """Any value in the form that its schema wants, or as it is."""
        match shape.kind:
            case "object" if isinstance(value, dict):
                return self._object(shape, value, where)
            case "array":
                return self._array(shape, value, where)
            case "string":
                changed = self._text(shape, value)
            case "number" | "integer":
                changed = _number(value, is_whole=shape.kind == "integer")
            case "boolean" if isinstance(value, str):
                changed = _TRUTH.get(value.strip().lower(), value)
            case _:
                return value
        if type(changed) is not type(value):
            self.note(where, f"read as {type(changed).__name__}")
        elif changed != value:
            self.note(where, "spelt otherwise")
        return changed

    def _object(self, shape: Shape, value: Json, where: str) -> Json:
        found: Json = {}
        for name, item in value.items():
            place = f"{where}.{name}".lstrip(".")
            inner = shape.fields.get(name)
            if inner is None:
                if shape.is_closed:
                    self.note(place, "is unknown")
                else:
                    found[name] = item
                continue
            if name not in shape.required and (item is None or (item == "" and not inner.takes_empty)):
                self.note(place, "is empty")
                continue
            changed = self.value(inner, item, place)
            if changed == [] and inner.least and name not in shape.required:
                self.note(place, "is empty")
                continue
            found[name] = changed
        return found

    def _array(self, shape: Shape, value: Any, where: str) -> Any:
        if value is None or shape.entries is None:
            return value
        if not isinstance(value, list):
            self.note(where, "is not in an array")
            value = [value]
        if shape.judge is None:
            return [self.value(shape.entries, entry, where) for entry in value]
        outer, self.has_own_time = self.has_own_time, False
        found = [self.value(shape.entries, self._dated(shape.entries, entry), where) for entry in value]
        self.has_own_time = outer
        kept = [entry for entry in found if shape.judge(entry)]
        if len(kept) < len(found):
            self.note(where, f"{len(found) - len(kept)} entries cannot be read")
        elif len(kept) < shape.least:
            self.note(where, "is empty")
        return kept

    @staticmethod
    def _dated(shape: Shape, entry: Any) -> Any:
        """A measurement without a time was made now [0-3]."""
        if not isinstance(entry, dict) or "timestamp" in entry or "timestamp" not in shape.required:
            return entry
        return {**entry, "timestamp": NO_TIME}

    def _text(self, shape: Shape, value: Any) -> Any:
        if shape.is_time:
            return value if isinstance(value, str) or self.has_own_time else NO_TIME
        if isinstance(value, str):
            return value if not shape.spellings else shape.spellings.get(value.strip().casefold(), value)
        if shape.spellings or not isinstance(value, bool | int | float):
            return value
        return str(value).lower() if isinstance(value, bool) else str(value)


def _number(value: Any, *, is_whole: bool) -> Any:
    """A number out of a text [G-96, 0-17]; a whole one where it must be, if it is whole."""
    if isinstance(value, str) and _DECIMAL.fullmatch(value):
        found = float(value)
    elif isinstance(value, float) and is_whole:
        found = value
    else:
        return value
    if found.is_integer() and abs(found) < 2**53:
        return int(found)
    return value if is_whole else found
