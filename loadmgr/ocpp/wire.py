"""One text frame → the OCPP-J array, with bounds on everything that a station may choose (faults B01, B06, B07, B08)."""

from __future__ import annotations

import json
import random
from typing import Any

DEPTH_MAX = 24
ID_MAX = 36
DIGITS_MAX = 18
"""Longer whole numbers fit neither a database nor the event log."""


class WireError(ValueError):
    """A text that is no OCPP-J frame; ``is_json``: it is JSON at least."""

    def __init__(self, reason: str, *, is_json: bool = False) -> None:
        super().__init__(reason)
        self.is_json = is_json


_random = random.Random()  # noqa: S311 unique, not secret; a uuid asks the kernel each time


def new_id() -> str:
    """The id of a CALL of ours: 32 hexadecimal digits."""
    return f"{_random.getrandbits(128):032x}"


def parsed(text: str) -> list[Any]:
    """The array of a frame, its type and id in order. Raises ``WireError`` for everything else, whatever it is."""
    try:
        if _depth(text) > DEPTH_MAX:
            raise WireError(f"nested deeper than {DEPTH_MAX}")
        frame = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_no_constant, parse_float=_number, parse_int=_whole
        )
        if "\\u" in text or not text.isascii():
            json.dumps(frame, ensure_ascii=False).encode()  # half characters can be escaped and never be written again
    except ValueError as error:
        raise WireError(str(error)[:100]) from None
    if not isinstance(frame, list) or not 3 <= len(frame) <= 5 or isinstance(frame[0], bool | list | dict):
        raise WireError("not an OCPP-J array", is_json=True)
    if not isinstance(frame[1], str) or not 0 < len(frame[1]) <= ID_MAX:
        raise WireError("message id must be a text of 1 to 36 characters", is_json=True)
    return frame


def readable_id(text: str) -> str:
    """The message id of a broken CALL, if one can be read, else "-1" [0-4]."""
    parts = text[:120].split('"')
    if text[:12].lstrip().startswith("[2") and len(parts) > 2 and 0 < len(parts[1]) <= ID_MAX and parts[1].isprintable():
        return parts[1]
    return "-1"


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise WireError("a key stands twice in one object")
    return found


def _number(text: str) -> float:
    """20000.0 where the schema says integer is 20000 (an ``int`` is a ``float`` to the type checker)."""
    found = float(text)
    return int(found) if found.is_integer() and abs(found) < 2**53 else found


def _whole(text: str) -> int:
    if len(text.removeprefix("-")) > DIGITS_MAX:
        raise WireError(f"a whole number of more than {DIGITS_MAX} digits")
    return int(text)


def _no_constant(name: str) -> float:
    raise WireError(f"{name} is no JSON number")


def _depth(text: str) -> int:
    """Deepest nesting of brackets outside strings, cheap for ordinary frames."""
    if text.count("[") + text.count("{") <= DEPTH_MAX:
        return 0
    depth = deepest = 0
    in_string = escaped = False
    for char in text:
        if in_string:
            if escaped:
                escaped = False
            elif char == "\\":
                escaped = True
            elif char == '"':
                in_string = False
        elif char == '"':
            in_string = True
        elif char in "[{":
            depth += 1
            deepest = max(deepest, depth)
            if deepest > DEPTH_MAX:
                return deepest
        elif char in "]}":
            depth -= 1
    return deepest
