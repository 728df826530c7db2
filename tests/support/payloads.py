"""Payloads made from the schemas of all messages, valid ones and ones with a fault, from a seeded source."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from loadmgr.ocpp.schemas import UNCONFIRMED

Json = dict[str, Any]
FOLDERS = (("1.6", "v16"), ("2.0.1", "v201"), ("2.1", "v21"))
TEXT = "abcXYZ 0123:,[]{}é√😀"
EDGES = (0, 1, -1, 7, 2**31, 2**53 - 1, 2**53, -(2**53), 10**18 - 1, 0.5, 230.4, 3.0, -0.0, 1e15, 1e16, 1e300, 5e-324)


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Message:
    """One schema file; ``schema`` has its references filled in."""

    ocpp: str
    action: str
    is_request: bool
    raw: Json
    schema: Json

    def __str__(self) -> str:
        return f"{self.ocpp}-{self.action}{'' if self.is_request else 'Response'}"


@cache
def messages() -> tuple[Message, ...]:
    """Every message of every version."""
    return tuple(_messages())


def _messages() -> Iterator[Message]:
    for ocpp, folder in FOLDERS:
        for place in sorted((files("ocpp") / folder / "schemas").iterdir(), key=lambda p: p.name):
            if not place.name.endswith(".json"):
                continue
            raw = json.loads(place.read_text(encoding="utf-8-sig"))
            name = place.name.removesuffix(".json")
            is_request = not name.endswith("Response")
            action = name.removesuffix("Response")
            if is_request and ocpp != "1.6" and name not in UNCONFIRMED:
                action = name.removesuffix("Request")
            yield Message(ocpp=ocpp, action=action, is_request=is_request, raw=raw, schema=_filled(raw, raw))


def _filled(part: Any, whole: Json) -> Any:
    if isinstance(part, list):
        return [_filled(p, whole) for p in part]
    if not isinstance(part, dict):
        return part
    if "$ref" in part:
        return _filled(whole["definitions"][part["$ref"].rpartition("/")[2]], whole)
    return {name: _filled(p, whole) for name, p in part.items() if name not in {"definitions", "description", "comment"}}


def valid(schema: Json, rng: random.Random, share: float = 0.4) -> Any:
    """A value that the schema takes; ``share``: of the optional fields. No fractions where ``multipleOf`` stands."""
    match schema.get("type"):
        case "object":
            required = schema.get("required", ())
            fields = schema.get("properties", {})
            return {n: valid(p, rng, share * 0.8) for n, p in fields.items() if n in required or rng.random() < share}
        case "array":
            least = schema.get("minItems", 0)
            return [
                valid(schema["items"], rng, share * 0.8) for _ in range(min(least + rng.choice((0, 0, 1)), _most(schema)))
            ]
        case "string" if "enum" in schema:
            return rng.choice(schema["enum"])
        case "string":
            most = schema.get("maxLength", 30)
            return "".join(rng.choices(TEXT, k=rng.choice((0, 1, min(most, 12), min(most, 60)))))
        case "integer":
            return rng.randint(_low(schema), _high(schema))
        case "number":
            whole = rng.randint(_low(schema), _high(schema))
            inside = [e for e in EDGES if _low(schema) <= e <= _high(schema)]
            return whole if "multipleOf" in schema or not inside else rng.choice((whole, rng.choice(inside)))
        case "boolean":
            return rng.random() < 0.5
        case _:
            return rng.choice(("text", 1, 1.5, True, None, [1], {"a": 1}))


def _most(schema: Json) -> int:
    return int(schema.get("maxItems", 3))


def _low(schema: Json) -> int:
    return int(schema.get("minimum", min(-1000, schema.get("maximum", 0) - 1)))


def _high(schema: Json) -> int:
    return int(schema.get("maximum", max(1000, schema.get("minimum", 0) + 1)))


def edges(schema: Json, rng: random.Random) -> Iterator[Any]:
    """Values at both sides of every bound of a schema, one bound at a time: each field, each spelling, each length."""
    match schema.get("type"):
        case "object":
            base = valid(schema, rng, 0.0)
            yield {**base, "more": 1}
            for name, part in schema.get("properties", {}).items():
                yield {n: v for n, v in base.items() if n != name}
                yield from ({**base, name: inner} for inner in edges(part, rng))
        case "array":
            one = valid(schema["items"], rng, 0.0)
            least, most = schema.get("minItems", 0), _most(schema)
            yield from (
                [one] * count for count in {0, least - 1, least, *((most, most + 1) if most < 30 else ())} if count >= 0
            )
            yield from ([inner, *[one] * (least - 1)] for inner in edges(schema["items"], rng))
            yield one
        case "string" if "enum" in schema:
            yield from (*schema["enum"], f"{schema['enum'][0]} ", 1)
        case "string":
            most = schema.get("maxLength", 10)
            yield from ("", "√" * most, "x" * (most + 1), 1)
        case "integer" | "number":
            low, high = _low(schema), _high(schema)
            fraction = low + 0.5 if "multipleOf" not in schema else "1"
            yield from (low, low - 1, high, high + 1, fraction, float(high), str(high), True)
        case _:
            yield from (True, "true")
    yield None


@dataclass(frozen=True, slots=True)
class _Spot:
    """One value inside a payload."""

    holder: Any
    key: Any
    schema: Json

    def put(self, value: Any) -> None:
        self.holder[self.key] = value


def spots(value: Any, schema: Json) -> Iterator[_Spot]:
    """Every value inside a value, with its schema."""
    if schema.get("type") == "object" and isinstance(value, dict):
        for name, part in schema.get("properties", {}).items():
            if name in value:
                yield _Spot(value, name, part)
                yield from spots(value[name], part)
    elif schema.get("type") == "array" and isinstance(value, list):
        for number, entry in enumerate(value):
            yield _Spot(value, number, schema["items"])
            yield from spots(entry, schema["items"])


def _drop(spot: _Spot, rng: random.Random) -> None:
    del spot.holder[spot.key]


def _extra(spot: _Spot, rng: random.Random) -> None:
    target = spot.holder[spot.key] if isinstance(spot.holder[spot.key], dict) else spot.holder
    if isinstance(target, dict):
        target[rng.choice(("more", "vendorId", "id", ":", "customData", "Status"))] = rng.choice((1, "x", None, {"a": [1]}))


def _null(spot: _Spot, rng: random.Random) -> None:
    spot.put(None)


def _wrong_type(spot: _Spot, rng: random.Random) -> None:
    found = rng.choice(("1", "text", 1, 0, 1.5, True, False, [], {}, [1], ["a"], {"a": 1}, [[]], 3.0, *EDGES))
    spot.put(str(found) if "multipleOf" in spot.schema and isinstance(found, float) else found)


def _length(spot: _Spot, rng: random.Random) -> None:
    most = spot.schema.get("maxLength")
    if most is not None:
        spot.put(rng.choice("a√😀") * (most + rng.choice((0, 1))))
    elif isinstance(entries := spot.holder[spot.key], list) and spot.schema.get("type") == "array":
        count = rng.choice((0, spot.schema.get("minItems", 0), min(_most(spot.schema), 30), min(_most(spot.schema), 30) + 1))
        spot.put([copy.deepcopy(entries[0]) for _ in range(count)] if entries else [])


def _range(spot: _Spot, rng: random.Random) -> None:
    bounds = [spot.schema[b] for b in ("minimum", "maximum") if b in spot.schema]
    if bounds:
        spot.put(rng.choice(bounds) + rng.choice((-1, -0.5, 0, 0.0, 0.5, 1)))
    elif spot.schema.get("type") in {"integer", "number"} and "multipleOf" not in spot.schema:
        spot.put(rng.choice(EDGES))


def _spelling(spot: _Spot, rng: random.Random) -> None:
    value = spot.holder[spot.key]
    if isinstance(value, str):
        spot.put(rng.choice((value.lower(), value.upper(), f"{value} ", f'{value}"', f"{value}\\", "", "\u0000", "\u2028")))


def _key(spot: _Spot, rng: random.Random) -> None:
    if isinstance(spot.holder, dict):
        spot.holder[rng.choice((spot.key.upper(), f"{spot.key} ", f'{spot.key}"'))] = spot.holder.pop(spot.key)


_CHANGES: tuple[Callable[[_Spot, random.Random], None], ...] = (
    *(_drop, _extra, _extra, _null, _wrong_type, _wrong_type, _length, _length, _range, _spelling, _key),
)


def changed(message: Message, payload: Json, rng: random.Random) -> Json:
    """The payload with one or two changes, most of which break the schema."""
    for _ in range(rng.choice((1, 1, 1, 2))):
        found = list(spots(payload, message.schema)) or [_Spot({"": payload}, "", message.schema)]
        rng.choice(_CHANGES)(rng.choice(found), rng)
    return payload


def payloads(message: Message, count: int, seed: int) -> Iterator[Json]:
    """Those at the edges of every field, then that many by chance, two in five of them valid."""
    rng = random.Random(f"{message} {seed}")
    yield from (payload for payload in edges(message.schema, rng) if isinstance(payload, dict))
    for number in range(count):
        payload = valid(message.schema, rng, rng.choice((0.0, 0.3, 0.6)))
        yield payload if number % 5 < 2 else changed(message, payload, rng)
