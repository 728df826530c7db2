"""Frames and details as they may be shown: without passwords, keys and credentials in addresses [G26]."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

import orjson

SHOWN_MAX = 8192
HIDDEN = "***"
_HINTS = ("uthorization", "assword", "@", "simPin", "uthKey")
"""Without one of these a text has nothing to hide; looking for them costs next to nothing."""
_SETTINGS = frozenset({"authorizationkey", "basicauthpassword"})
_FIELDS = frozenset({"password", "basicauthpassword", "apnpassword", "simpin"})
_VALUES = frozenset({"value", "attributeValue", "actualValue"})
_IN_ADDRESS = re.compile(r"(://)[^/\s\"@]*@")


def redacted(text: str, secrets: Iterable[str] = ()) -> str:
    """A frame for the frame log. ``secrets`` are on their way to the station: hidden wherever they stand."""
    shown = text
    if any(hint in text for hint in _HINTS):
        shown = _structural(text)
    return scrubbed(shown, secrets)[:SHOWN_MAX]


def scrubbed(text: str, secrets: Iterable[str]) -> str:
    """A text without these secrets."""
    for secret in secrets:
        if secret in text:
            text = text.replace(secret, HIDDEN)
    return text


def _structural(text: str) -> str:
    """By the meaning of the fields; of what is no JSON nothing is shown, for nobody knows what it is."""
    try:
        frame = orjson.loads(text)
    except orjson.JSONDecodeError:
        return f"[{len(text)} characters that are no JSON and may hold a secret]"
    try:
        return orjson.dumps(_clean(frame, is_secret=False)).decode()
    except (orjson.JSONEncodeError, RecursionError):
        return f"[{len(text)} characters that cannot be written again and may hold a secret]"


def _clean(value: Any, *, is_secret: bool) -> Any:
    if isinstance(value, str):
        return _IN_ADDRESS.sub(rf"\1{HIDDEN}@", value)
    if isinstance(value, list):
        return [_clean(item, is_secret=is_secret) for item in value]
    if not isinstance(value, dict):
        return value
    is_secret = is_secret or _name(value).lower() in _SETTINGS
    found = {}
    for key, item in value.items():
        hidden = key.lower() in _FIELDS or (is_secret and key in _VALUES) or (key == "key" and "server" in value)
        found[key] = HIDDEN if hidden else _clean(item, is_secret=is_secret)
    return found


def _name(value: dict[str, Any]) -> str:
    """The setting that an object is about: 1.6 names it ``key``, 2.x ``variable.name``."""
    variable = value.get("variable")
    name = variable.get("name") if isinstance(variable, dict) else value.get("key")
    return name if isinstance(name, str) else ""
