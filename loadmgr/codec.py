"""Events, commands and plans ↔ JSON, tagged by kind and version; compiled once per type."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from types import NoneType, UnionType
from typing import Any, NewType, Union, get_args, get_origin, get_type_hints

import orjson

from loadmgr.domain.commands import Command
from loadmgr.domain.events import Event
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan
from loadmgr.domain.session import Session
from loadmgr.errors import LoadManagerError
from loadmgr.ports import GridRecord

VERSION = 1


class CodecError(LoadManagerError):
    """A message that this version cannot read."""


@cache
def _kinds() -> Mapping[str, type]:
    types: list[Any] = [*get_args(Event), *get_args(Command), Plan, Session, Limit, GridRecord]
    found: dict[str, type] = {}
    for known in types:
        found[known.__name__] = known
    return found


def encode(value: Event | Command | Plan | Session | Limit | GridRecord) -> bytes:
    """JSON bytes ``{"kind": …, "v": 1, …fields}``; a field at its default is left out, times are ISO 8601 in UTC.

    A field that is itself called ``kind`` is written as ``kind_``.
    """
    kind: Any = type(value)
    body = _encoder(kind)(value)
    if "kind" in body:
        body["kind_"] = body.pop("kind")
    return orjson.dumps({"kind": kind.__name__, "v": VERSION, **body})


def kind_of(value: object) -> str:
    """The tag of a value."""
    return type(value).__name__


def decode(data: bytes | str) -> Any:  # one of many types; callers match on it
    """The value that ``encode`` wrote. Raises ``CodecError`` for another kind, a newer version or broken JSON."""
    try:
        raw = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise CodecError(f"not JSON: {error}") from None
    kind, version = raw.pop("kind", None), raw.pop("v", None)
    known = _kinds().get(kind)
    if known is None:
        raise CodecError(f"kind {kind!r} is unknown to this version")
    if version != VERSION:
        raise CodecError(f"{kind} has version {version!r}, this program reads version {VERSION}")
    if "kind_" in raw:
        raw["kind"] = raw.pop("kind_")
    try:
        return _decoder(known)(raw)
    except (KeyError, TypeError, ValueError) as error:
        raise CodecError(f"{kind} cannot be read: {error!r}") from None


@cache
def _encoder(kind: type) -> Callable[[Any], dict[str, Any]]:
    hints = get_type_hints(kind)
    parts = [(f.name, f.default, _to_json(hints[f.name])) for f in fields(kind)]

    def run(value: Any) -> dict[str, Any]:
        found = {}
        for name, default, convert in parts:
            item = getattr(value, name)
            if item is default or (item is None and default is None):
                continue
            found[name] = item if convert is None else convert(item)
        return found

    return run


def _plain(hint: Any) -> Any:
    return hint.__supertype__ if isinstance(hint, NewType) else hint


@cache
def _to_json(hint: Any) -> Callable[[Any], Any] | None:
    """How a value of this type becomes JSON; ``None`` when orjson takes it as it is."""
    hint = _plain(hint)
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        inner = [_to_json(a) for a in get_args(hint) if a is not NoneType]
        convert = inner[0]
        return None if convert is None else (lambda v: None if v is None else convert(v))
    if origin is tuple:
        inner_convert = _to_json(get_args(hint)[0])
        return None if inner_convert is None else (lambda v: [inner_convert(x) for x in v])
    if isinstance(hint, type):
        if is_dataclass(hint):
            return _encoder(hint)
        if issubclass(hint, Enum):
            return lambda v: v.value
        if issubclass(hint, datetime):
            return lambda v: v.isoformat()
    return None


@cache
def _decoder(kind: type) -> Callable[[Mapping[str, Any]], Any]:
    hints = get_type_hints(kind)
    parts = {f.name: _from_json(hints[f.name]) for f in fields(kind) if f.init}

    def run(raw: Mapping[str, Any]) -> Any:
        given = {}
        for name, item in raw.items():
            convert = parts[name]
            given[name] = item if convert is None else convert(item)
        return kind(**given)

    return run


@cache
def _from_json(hint: Any) -> Callable[[Any], Any] | None:
    hint = _plain(hint)
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        inner = [_from_json(a) for a in get_args(hint) if a is not NoneType]
        convert = inner[0]
        return None if convert is None else (lambda v: None if v is None else convert(v))
    if origin is tuple:
        inner_convert = _from_json(get_args(hint)[0])
        return tuple if inner_convert is None else (lambda v: tuple(inner_convert(x) for x in v))
    if isinstance(hint, type):
        if is_dataclass(hint):
            return _decoder(hint)
        if issubclass(hint, Enum):
            return hint
        if issubclass(hint, datetime):
            return datetime.fromisoformat
    return None
