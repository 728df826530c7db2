"""Full schema validation, requests and responses, on the JSON schemas that the ``ocpp`` package ships.

This is the reference: ``loadmgr.ocpp.typed`` takes most messages without it, and gives it all others.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

import jsonschema_rs

from loadmgr.ocpp import tidying

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Checked:
    """A payload that was checked; ``notes``: what was done to make it valid."""

    payload: Json
    breach: Breach | None = None
    notes: tuple[str, ...] = ()


def spelt(code: str, ocpp: str) -> str:
    """An error code as this version spells it [0-7]."""
    return _SPELLING_16.get(code, code) if ocpp == "1.6" else code


@cache
def _names(ocpp: str) -> frozenset[str]:
    """The files of a version, without their ending."""
    folder = files("ocpp") / _FOLDERS[ocpp] / "schemas"
    return frozenset(f.name.removesuffix(".json") for f in folder.iterdir() if f.name.endswith(".json"))


def _name(ocpp: str, action: str, *, is_request: bool) -> str:
    if not is_request:
        return f"{action}Response"
    return action if ocpp == "1.6" or action in UNCONFIRMED else f"{action}Request"


def message_name(ocpp: str, action: str, *, is_request: bool) -> str | None:
    """What the schema of a message is called, or ``None`` when the version has no such message."""
    name = _name(ocpp, action, is_request=is_request)
    return None if name not in _names(ocpp) or (is_request and action.endswith("Response")) else name


@cache
def _schema(ocpp: str, name: str) -> Json:
    place = files("ocpp") / _FOLDERS[ocpp] / "schemas" / f"{name}.json"
    found: Json = json.loads(place.read_text(encoding="utf-8-sig"))
    return found


@cache
def _made(ocpp: str, name: str, *, is_tidied: bool = False) -> Any:  # jsonschema_rs has one class per draft
    schema = _schema(ocpp, name)
    return jsonschema_rs.validator_for(tidying.relaxed(schema) if is_tidied else schema, validate_formats=False)


def _validator(ocpp: str, action: str, *, is_request: bool, is_tidied: bool = False) -> Any:
    """The validator of a message, or ``None``; names that do not exist are not kept, whatever stations make up."""
    name = message_name(ocpp, action, is_request=is_request)
    return _made(ocpp, name, is_tidied=is_tidied) if name is not None else None


@cache
def _shape(ocpp: str, name: str) -> tidying.Shape:
    schema = _schema(ocpp, name)

    def judge_of(part: Json) -> tidying.Judge:
        draft = {"$schema": schema["$schema"]} if "$schema" in schema else {}
        judge: tidying.Judge = jsonschema_rs.validator_for(
            tidying.relaxed({**part, **draft}), validate_formats=False
        ).is_valid
        return judge

    return tidying.shape_of(schema, judge_of)


def is_known(ocpp: str, action: str) -> bool:
    """True when the version defines this action."""
    return _validator(ocpp, action, is_request=True) is not None


def breach(ocpp: str, action: str, payload: Json, *, is_request: bool, is_tidied: bool = False) -> Breach | None:
    """``None`` when the payload is valid, else the first breach; one that was tidied may have no measurements left."""
    if action in UNCONFIRMED and not is_request and is_known(ocpp, action):
        return None if not payload else Breach(code="FormatViolation", detail=f"{action}: its answer is empty")
    validator = _validator(ocpp, action, is_request=is_request, is_tidied=is_tidied)
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


def tidied(ocpp: str, action: str, payload: Json, *, is_request: bool) -> tuple[Json, tuple[str, ...]]:
    """What a station sent, in the form of the schema, and what was done to it (``loadmgr.ocpp.tidying``)."""
    if _validator(ocpp, action, is_request=is_request) is None:
        return payload, ()
    return tidying.tidied(_shape(ocpp, _name(ocpp, action, is_request=is_request)), action, payload)


def checked(ocpp: str, action: str, payload: Json, *, is_request: bool, is_lenient: bool) -> Checked:
    """The payload to use and what is wrong with it. A valid one is taken as it is; a lenient reader tidies others first."""
    found = breach(ocpp, action, payload, is_request=is_request)
    if found is None or not is_lenient:
        return Checked(payload=payload, breach=found)
    payload, notes = tidied(ocpp, action, payload, is_request=is_request)
    return Checked(payload=payload, breach=breach(ocpp, action, payload, is_request=is_request, is_tidied=True), notes=notes)
