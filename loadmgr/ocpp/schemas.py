"""Full schema validation, requests and responses, on the JSON schemas that the ``ocpp`` package ships."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

Json = dict[str, Any]  # a JSON object of whatever shape; the schema says which

_FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
UNCONFIRMED = frozenset({"NotifyPeriodicEventStream"})
"""2.1: messages for SEND, which have no answer; a station that sends one as a CALL gets an empty answer [0-19]."""

_CODES = {
    "type": "TypeConstraintViolation",
    "required": "OccurrenceConstraintViolation",
    "minItems": "OccurrenceConstraintViolation",
    "maxItems": "OccurrenceConstraintViolation",
    "additionalProperties": "FormatViolation",
}
_SPELLING_16 = {
    "FormatViolation": "FormationViolation",
    "OccurrenceConstraintViolation": "OccurenceConstraintViolation",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Breach:
    """The first breach of a schema: the OCPP error code in the version's own spelling, and where."""

    code: str
    detail: str


def spelt(code: str, ocpp: str) -> str:
    """An error code as this version spells it [0-7]."""
    return _SPELLING_16.get(code, code) if ocpp == "1.6" else code


@cache
def _validator(ocpp: str, action: str, is_request: bool) -> Any:  # jsonschema_rs has one class per draft
    suffix = "" if is_request else "Response"
    if ocpp != "1.6" and is_request and action not in UNCONFIRMED:
        suffix = "Request"
    place = files("ocpp") / _FOLDERS[ocpp] / "schemas" / f"{action}{suffix}.json"
    if not action.isalnum() or not place.is_file():
        return None
    schema = json.loads(place.read_text(encoding="utf-8-sig"))
    return jsonschema_rs.validator_for(schema, validate_formats=False)


def is_known(ocpp: str, action: str) -> bool:
    """True when the version defines this action."""
    return _validator(ocpp, action, True) is not None


def breach(ocpp: str, action: str, payload: Json, *, is_request: bool) -> Breach | None:
    """``None`` when the payload is valid, else the first breach."""
    if action in UNCONFIRMED and not is_request and is_known(ocpp, action):
        return None if not payload else Breach(code="FormatViolation", detail=f"{action}: its answer is empty")
    validator = _validator(ocpp, action, is_request)
    if validator is None:
        return Breach(code="NotImplemented", detail=f"action {action!r} is not part of OCPP {ocpp}")
    if validator.is_valid(payload):
        return None
    error = next(validator.iter_errors(payload))
    keyword = next((str(p) for p in reversed(list(error.schema_path)) if str(p) in _CODES), "")
    last = str(list(error.schema_path)[-1]) if list(error.schema_path) else ""
    code = _CODES.get(last, _CODES.get(keyword, "PropertyConstraintViolation") if last == "" else "")
    where = ".".join(str(p) for p in error.instance_path) or "payload"
    return Breach(
        code=spelt(code or "PropertyConstraintViolation", ocpp), detail=f"{action}: {where}: {error.message[:200]}"
    )


def tidied(value: Any) -> Any:  # any JSON value
    """What real stations send, made checkable: nulls of optional fields dropped, 20000.0 read as 20000 [0-16, G-57]."""
    if isinstance(value, dict):
        return {k: tidied(v) for k, v in value.items() if v is not None}
    if isinstance(value, list):
        return [tidied(v) for v in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value
