"""HTTP Basic authentication of stations (security profile 1): [E-10], [E-15], [G01], [G14]."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError

from loadmgr.domain.ids import StationId
from loadmgr.settings import StationAccess

IDENTITY = re.compile(r"[A-Za-z0-9][A-Za-z0-9._*|@=-]{0,47}")
TRACKED = 10_000
DELAY_S = 1.0
DELAY_MAX_S = 60.0
FREE_TRIES = 3


@dataclass(slots=True)
class Gatekeeper:
    """Decides who may connect. The answer to an unknown id and to a wrong password is the same."""

    access: Mapping[StationId, StationAccess]
    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32))
    _proven: dict[StationId, bytes] = field(default_factory=dict)
    _failures: OrderedDict[tuple[str, str], tuple[int, float]] = field(default_factory=OrderedDict)
    _hasher: PasswordHasher = field(default_factory=PasswordHasher)
    failures: int = 0

    def admits(self, identity: str, header: str | None, address: str, now_s: float) -> bool:
        """May this identity with this Authorization header connect from this address?

        After three failures of the same identity from the same address further tries wait, doubling up to a minute;
        an outsider elsewhere does not lock the true station out [G03].
        """
        place = (identity, address)
        tries, until_s = self._failures.get(place, (0, 0.0))
        if now_s < until_s:
            return False
        if IDENTITY.fullmatch(identity) is not None and self._is_right(StationId(identity), header):
            self._failures.pop(place, None)
            return True
        self.failures += 1
        wait_s = 0.0
        if tries + 1 >= FREE_TRIES:
            wait_s = min(DELAY_S * 2.0 ** (tries + 1 - FREE_TRIES), DELAY_MAX_S)
        self._failures[place] = (tries + 1, now_s + wait_s)
        self._failures.move_to_end(place)
        while len(self._failures) > TRACKED:
            self._failures.popitem(last=False)
        return False

    def _is_right(self, station: StationId, header: str | None) -> bool:
        access = self.access.get(station)
        if access is not None and access.auth == "none":
            return True
        user, password = _basic(header)
        expected = access if access is not None else StationAccess(password=secrets.token_hex(16))
        is_right = self._is_password(station, password, expected)
        return is_right and access is not None and hmac.compare_digest(user.encode(), str(station).encode())

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
