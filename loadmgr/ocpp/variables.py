"""Small things that the 2.x versions say alike: how many variables go into one request, and kinds of id tokens."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

ASKED_AT_ONCE = 10
"""Stations bound the items of one message; more of them go into further requests."""

_CARD = re.compile(r"(?:[0-9A-Fa-f]{8}|[0-9A-Fa-f]{14}|[0-9A-Fa-f]{20})")


def batches(names: Sequence[str]) -> Iterator[tuple[str, ...]]:
    """Names of variables in the portions of one request each."""
    for begin in range(0, len(names), ASKED_AT_ONCE):
        yield tuple(names[begin : begin + ASKED_AT_ONCE])


def token_type(id_tag: str) -> str:
    """Kind of an id tag that somebody will show at the station: a card by the length of its number, else central."""
    return "ISO14443" if _CARD.fullmatch(id_tag) else "Central"
