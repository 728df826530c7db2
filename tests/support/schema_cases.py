"""Valid and broken payloads of every request, made from the JSON schemas that the ``ocpp`` package ships.

A second reading of the schemas, by the reference validator: nothing here is shared with the service's own checks.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from jsonschema.validators import validator_for

Json = dict[str, Any]

FOLDERS = (("1.6", "v16"), ("2.0.1", "v201"), ("2.1", "v21"))
STAMP = "2026-03-02T09:00:00Z"
OCCURRENCE, TYPE, PROPERTY = "OccurrenceConstraintViolation", "TypeConstraintViolation", "PropertyConstraintViolation"


def spelt(code: str, version: str) -> str:
    """As the version spells it [0-7]."""
    return "OccurenceConstraintViolation" if version == "1.6" and code == OCCURRENCE else code


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """A payload that breaks the schema in one place, and the code that OCPP has for that."""

    action: str
    what: str
    payload: Json
    code: str
    is_forgiven: bool = False
    """A lenient reader takes the time of receipt for it [0-3], or drops the sample [C-25]."""


def requests(version: str) -> dict[str, Json]:
    """The schema of every request that wants an answer, by action."""
    ending = "" if version == "1.6" else "Request"
    found = {}
    for file in sorted((files("ocpp") / dict(FOLDERS)[version] / "schemas").iterdir(), key=lambda f: f.name):
        name = file.name.removesuffix(".json")
        if not file.name.endswith(".json") or name.endswith("Response") or not name.endswith(ending):
            continue
        found[name.removesuffix(ending)] = json.loads(file.read_text(encoding="utf-8-sig"))
    return found


def _resolved(schema: Json, part: Json) -> Json:
    while "$ref" in part:
        place: Any = schema
        for name in part["$ref"].removeprefix("#/").split("/"):
            place = place[name]
        part = place
    return part


def smallest(schema: Json, part: Json) -> Any:
    """A valid value with nothing in it that may be left out."""
    part = _resolved(schema, part)
    if "enum" in part:
        return part["enum"][0]
    match part.get("type"):
        case "object":
            return {n: smallest(schema, part["properties"][n]) for n in part.get("required", ())}
        case "array":
            return [smallest(schema, part["items"]) for _ in range(part.get("minItems", 0) or 1)]
        case "integer":
            return max(int(part.get("minimum", 1)), 1)
        case "number":
            return max(float(part.get("minimum", 1.0)), 1.0)
        case "boolean":
            return True
        case "string":
            text = STAMP if part.get("format") == "date-time" else "http://a.b" if part.get("format") == "uri" else "x"
            return text[: part.get("maxLength", len(text))]
        case _:
            return "x"


def valid(schema: Json) -> Json:
    """The smallest valid payload."""
    found: Json = smallest(schema, schema)
    assert is_valid(schema, found), (schema.get("$id") or schema.get("title"), found)
    return found


def is_valid(schema: Json, payload: Json) -> bool:
    """By the reference validator."""
    checker = validator_for(schema)
    return bool(checker(schema).is_valid(payload))


def broken(version: str) -> Iterator[Case]:
    """Every request with one required field missing, of the wrong type, too long, or with a word that is not listed."""
    for action, schema in requests(version).items():
        good = valid(schema)
        for name, raw in schema.get("properties", {}).items():
            part = _resolved(schema, raw)
            for what, value, code in _wrong(part, is_required=name in schema.get("required", ())):
                payload = {k: v for k, v in good.items() if k != name} | ({} if what == "missing" else {name: value})
                assert not is_valid(schema, payload), (action, name, what)
                is_forgiven = what == "of the wrong type" and (part.get("format") == "date-time" or name == "meterValue")
                yield Case(
                    action=action,
                    what=f"{name} {what}",
                    payload=payload,
                    code=spelt(code, version),
                    is_forgiven=is_forgiven,
                )


def _wrong(part: Json, *, is_required: bool) -> Iterator[tuple[str, Any, str]]:
    """(what is wrong, the value, the code). Values that no lenient reading can put right."""
    kind = part.get("type")
    if is_required:
        yield "missing", None, OCCURRENCE
        yield "of the wrong type", 7 if kind in {"object", "array"} else {"a": {"b": 1}}, TYPE
    if "enum" in part:
        yield "with an unlisted word", "No such word, surely", PROPERTY
    elif kind == "string" and "maxLength" in part and is_required:
        yield "too long", "x" * (part["maxLength"] + 1), PROPERTY
