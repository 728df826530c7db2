"""Which station an address means: a canonical path, exact identities and aliases, and what resembles them [G-55]."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Self
from urllib.parse import unquote

from loadmgr.domain.ids import StationId
from loadmgr.settings import StationAccess

LONGEST_2X = 48
_FORM = re.compile(r"[A-Za-z0-9][A-Za-z0-9*_=+|@.:-]{0,63}")


def identity_of(path: str, prefix: str) -> str | None:
    """The identity at the end of a request path, ``None`` when the path before it is not ours [A10].

    Slashes that are doubled or at the end mean nothing, and percent-encoding is undone; letters stay as they are [G-55].
    """
    ours = [unquote(s) for s in prefix.split("/") if s]
    said = [unquote(s) for s in path.partition("?")[0].split("/") if s]
    return said[-1] if len(said) == len(ours) + 1 and said[:-1] == ours else None


def is_identity(identity: str) -> bool:
    """Has it the form of an identity: up to 64 signs of OCPP's ``identifierString``, a letter or digit first [G14]?"""
    return _FORM.fullmatch(identity) is not None


def fits_2x(identity: str) -> bool:
    """May a station of 2.x have this identity: at most 48 characters, no colon, which ends a user name (E.1)?"""
    return len(identity) <= LONGEST_2X and ":" not in identity


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Stations by identity and by alias, letter by letter."""

    _named: Mapping[str, StationId]
    _folded: Mapping[str, StationId]

    @classmethod
    def of(cls, stations: Mapping[StationId, StationAccess]) -> Self:
        """Of the stations of a site file, which has seen to it that an identity means one of them."""
        named = {alias: station for station, access in stations.items() for alias in access.aliases}
        named |= {str(station): station for station in stations}
        folded: dict[str, StationId] = {}
        for name, station in named.items():
            folded.setdefault(_folded(name), station)
        return cls(_named=MappingProxyType(named), _folded=MappingProxyType(folded))

    def find(self, identity: str) -> StationId | None:
        """The station with this identity or alias."""
        return self._named.get(identity)

    def like(self, identity: str) -> StationId | None:
        """A station whose identity differs in case, blanks and punctuation only; it is not let in for that."""
        folded = _folded(identity)
        return self._folded.get(folded) if folded else None


def admitted_by(identity: str, station: StationId) -> str:
    """What an operator can do for a station that writes its identity otherwise."""
    listed = f"list {json.dumps(identity)} under its aliases in the site file"
    return f"identity {identity!r} is not {str(station)!r}, only like it; if it is this station, {listed} [G-55]"


def _folded(name: str) -> str:
    return "".join(c for c in name.casefold() if c.isalnum())
