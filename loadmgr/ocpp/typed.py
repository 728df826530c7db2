"""Accept fast: ordinary frames read with types that were made from the schemas, or not at all.

What is read here is valid by its schema and equal to what the reference (``wire.parsed``, then ``schemas.checked``) makes
of the same text. ``None`` says nothing about a text but that the reference has to decide [B07, B11, B12].

No member of an object is lost unseen, neither a field that the schema does not know nor a key that stands twice, of which
msgspec keeps the last: what was read is written again and compared. Equal texts have equal members. Else colons are counted.
A text without a backslash holds one colon for each member and those that its strings show; a decoder keeps some of the
members, all of each, and an encoder writes their colons and no other. So each lost member is at least one colon less.
"""

from __future__ import annotations

import re
from functools import cache
from importlib import import_module
from types import ModuleType
from typing import Any

import msgspec
import orjson

from loadmgr.ocpp.schemas import Json, message_name
from loadmgr.ocpp.wire import ID_MAX

_MODULES = (("1.6", "v16"), ("2.0.1", "v201"), ("2.1", "v21"))
_CALL = frozenset({"[2,", "[2, "})
_RESULT = frozenset({"[3,", "[3, "})
_COMMA = frozenset({",", ", "})
_WHOLE = re.compile(rb"\.0[,}\]]").search
"""May find the end of a text as well; that costs time only."""


class Reader:
    """The type of one message."""

    __slots__ = ("_decode", "_is_fractional")

    def __init__(self, kind: Any, *, is_fractional: bool) -> None:
        self._decode = msgspec.json.Decoder(kind).decode
        self._is_fractional = is_fractional

    def read(self, text: str) -> Json | None:
        """The object of a text without a backslash, or ``None`` when the reference has to decide."""
        try:
            raw = text.encode()
            found: Json = self._decode(raw)
        except (ValueError, RecursionError, msgspec.MsgspecError):
            return None
        written = orjson.dumps(found)
        if written != raw and written.count(b":") != raw.count(b":"):
            return None
        if self._is_fractional and _WHOLE(written):
            _settle(found)
        return found

    def takes(self, body: bytes) -> bool:
        """Is this a valid message as it stands? ``False`` when the reference has to decide."""
        try:
            return orjson.dumps(self._decode(body)) == body
        except (ValueError, RecursionError, msgspec.MsgspecError):
            return False


class Codec:
    """Readers of one version, each made when it is needed first; shared by all connections."""

    __slots__ = ("_answers", "_calls", "_ocpp")

    def __init__(self, ocpp: str) -> None:
        self._ocpp = ocpp
        self._calls: dict[str, Reader] = {}
        self._answers: dict[str, Reader] = {}

    def reader(self, action: str, *, is_request: bool) -> Reader | None:
        """The reader of a message; names that do not exist are not kept, whatever stations make up."""
        kept = self._calls if is_request else self._answers
        found = kept.get(action)
        if found is None:
            found = self._made(action, is_request=is_request)
            if found is not None:
                kept[action] = found
        return found

    def call(self, text: str) -> tuple[str, str, Json] | None:
        """Id, action and payload of a CALL; the payload begins behind the fourth quotation mark.

        A head without a backslash or a control character, and with no more between its marks than here, can be read in one
        way only; the type then shows that the rest is one object and nothing behind it but the end of the frame.
        """
        parts = text.split('"', 4)
        if len(parts) != 5 or parts[0] not in _CALL or parts[2] not in _COMMA or "\\" in text:
            return None
        message_id, action, rest = parts[1], parts[3], parts[4]
        if rest[:1] != "," or rest[-1] != "]" or not 0 < len(message_id) <= ID_MAX or not message_id.isprintable():
            return None
        reader = self._calls.get(action) or self.reader(action, is_request=True)
        payload = reader.read(rest[1:-1]) if reader is not None else None
        return (message_id, action, payload) if payload is not None else None

    def answer(self, text: str, message_id: str, action: str) -> Json | None:
        """The payload of a CALLRESULT that answers the CALL with this id."""
        parts = text.split('"', 2)
        if len(parts) != 3 or parts[0] not in _RESULT or parts[1] != message_id or "\\" in text:
            return None
        rest = parts[2]
        if rest[:1] != "," or rest[-1] != "]":
            return None
        reader = self.reader(action, is_request=False)
        return reader.read(rest[1:-1]) if reader is not None else None

    def takes(self, action: str, body: bytes, *, is_request: bool) -> bool:
        """Is the written payload valid? ``False`` when the reference has to decide."""
        reader = self.reader(action, is_request=is_request)
        return reader is not None and reader.takes(body)

    def _made(self, action: str, *, is_request: bool) -> Reader | None:
        name = message_name(self._ocpp, action, is_request=is_request)
        if name is None:
            return None
        module = _module(self._ocpp)
        return Reader(getattr(module, name), is_fractional=name in module.FRACTIONAL)


@cache
def codec(ocpp: str) -> Codec:
    """The codec of a version, ``1.6``, ``2.0.1`` or ``2.1``."""
    return Codec(ocpp)


@cache
def _module(ocpp: str) -> ModuleType:
    """Types of a version are loaded when its first message comes."""
    return import_module(f"loadmgr.ocpp.messages.{dict(_MODULES)[ocpp]}")


def _settle(part: Any) -> None:
    """Write 20000.0 as 20000, as the reference reads it; the types take no number from 2**53 on."""
    for key, value in part.items() if type(part) is dict else enumerate(part):
        if type(value) is float:
            if value.is_integer():
                part[key] = int(value)
        elif type(value) is dict or type(value) is list:
            _settle(value)
