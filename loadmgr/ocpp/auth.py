"""HTTP Basic authentication of stations (security profile 1): [E-10], [E-15], [G01], [G14]."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from loadmgr.domain.ids import StationId
from loadmgr.ocpp.identity import Directory
from loadmgr.settings import StationAccess

TRACKED = 10_000
DELAY_S = 1.0
DELAY_MAX_S = 60.0
FREE_TRIES = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Who may come in. ``resembles``: refused, but it has the password of a station with a similar identity [G-55]."""

    station: StationId | None = None
    resembles: StationId | None = None


@dataclass(slots=True)
class Gatekeeper:
    """Decides who may connect. The answer to an unknown id and to a wrong password is the same."""

    access: Mapping[StationId, StationAccess]
    directory: Directory
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _proven: dict[StationId, bytes] = field(default_factory=dict)
    _failures: OrderedDict[tuple[str, str], tuple[int, float]] = field(default_factory=OrderedDict)
    _hasher: PasswordHasher = field(default_factory=PasswordHasher)
    failures: int = 0

    def judge(self, identity: str, header: str | None, address: str, now_s: float) -> Verdict:
        """May this identity with this Authorization header connect from this address?

        After three failures of the same identity from the same address further tries wait, doubling up to a minute;
        an outsider elsewhere does not lock the true station out [G03].
        """
        place = (identity, address)
        tries, until_s = self._failures.get(place, (0, 0.0))
        if now_s < until_s:
            return Verdict()
        station = self.directory.find(identity)
        if self._is_right(station, identity, header) and station is not None:
            self._failures.pop(place, None)
            return Verdict(station=station)
        self.failures += 1
        wait_s = 0.0
        if tries + 1 >= FREE_TRIES:
            wait_s = min(DELAY_S * 2.0 ** (tries + 1 - FREE_TRIES), DELAY_MAX_S)
        self._failures[place] = (tries + 1, now_s + wait_s)
        self._failures.move_to_end(place)
        while len(self._failures) > TRACKED:
            self._failures.popitem(last=False)
        return Verdict(resembles=self._resembled(identity, header) if station is None else None)

    def _resembled(self, identity: str, header: str | None) -> StationId | None:
        """The station that an unknown identity resembles, if it proves to be it: outsiders learn and cause nothing."""
        like = self.directory.like(identity)
        if like is None or self.access[like].auth == "none":
            return like
        return like if self._is_password(like, _basic(header)[1], self.access[like]) else None

    def _is_right(self, station: StationId | None, identity: str, header: str | None) -> bool:
        """Is the password right? The user is the station's id or the identity that it used [E-10, G-55]."""
        access = self.access.get(station) if station is not None else None
        if access is not None and access.auth == "none":
            return True
        user, password = _basic(header)
        expected = access if access is not None else StationAccess(password=secrets.token_hex(16))
        is_right = self._is_password(station or StationId(""), password, expected)
        is_user = any(hmac.compare_digest(user.encode(), name.encode()) for name in (station or "", identity))
        return is_right and access is not None and is_user

    def _is_password(self, station: StationId, password: str, access: StationAccess) -> bool:
        digest = hmac.new(self._key, password.encode(), hashlib.sha256).digest()
        if access.password is not None:
            expected = hmac.new(self._key, access.password.encode(), hashlib.sha256).digest()
            return hmac.compare_digest(digest, expected)
        proven = self._proven.get(station)
        if proven is not None and hmac.compare_digest(digest, proven):
            return True  # slow hash verified before; the same password again
        try:
            self._hasher.verify(access.password_hash or "", password)
        except (VerificationError, InvalidHashError):
            return False
        self._proven[station] = digest
        return True


def _basic(header: str | None) -> tuple[str, str]:
    """(user, password) of a Basic header; empty ones when it is missing or malformed."""
    scheme, _, encoded = (header or "").partition(" ")
    if scheme.lower() != "basic":
        return "", ""
    try:
        user, _, password = base64.b64decode(encoded, validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return "", ""
    return user, password
