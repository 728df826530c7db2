"""Basic authentication: reading the header, and comparing passwords in constant time or by a slow hash [E-10, G01]."""

from __future__ import annotations

import asyncio
import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from enum import Enum

from argon2 import PasswordHasher, extract_parameters
from argon2.exceptions import InvalidHashError, VerificationError

from loadmgr.sitefile.passwords import HEX_DIGITS

WAITING = 32
"""Passwords that wait for the worker; more are told to come later. At a quarter of a second each these are eight seconds."""
Hashes = frozenset[str]


class Role(Enum):
    """What a password of a station is."""

    OFFERED = 1
    CURRENT = 2
    REPLACED = 3
    """Of the site file, while a newer one stands above it. It opens nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """A password that a station may come with: in the clear (of the site file), or its hash."""

    role: Role
    password: str | None = None
    hashed: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Basic:
    """A Basic header. The password is bytes: some stations send those of a hex key."""

    user: str
    password: bytes = field(repr=False)

    @classmethod
    def of(cls, header: str | None) -> Basic | None:
        """``None`` when the header is missing or malformed."""
        scheme, _, encoded = (header or "").partition(" ")
        if scheme.lower() != "basic":
            return None
        try:
            user, colon, password = base64.b64decode(encoded.strip(), validate=True).partition(b":")
            return cls(user=user.decode(), password=password) if colon else None
        except (binascii.Error, UnicodeDecodeError, ValueError):
            return None

    def names(self, *identities: str) -> bool:
        """Is the user one of these, letter by letter?"""
        user = self.user.encode()
        return any(hmac.compare_digest(user, name.encode()) for name in identities)


def canonical(password: bytes, *, is_hex: bool) -> bytes:
    """What to compare. Where a key may come as raw bytes, these become its text in lower case [E-10]."""
    if not is_hex:
        return password
    is_text = len(password) >= HEX_DIGITS[0] and all(c in b"0123456789abcdefABCDEF" for c in password)
    return (password if is_text else password.hex().encode()).lower()


@dataclass(slots=True)
class Comparer:
    """Compares at once what can be: passwords in the clear, and those whose slow hash was verified before."""

    _key: bytes = field(default_factory=lambda: secrets.token_bytes(32), repr=False)
    _proven: dict[str, bytes] = field(default_factory=dict, repr=False)
    """Slow hash → keyed digest of the password that it was verified with"""

    def matches(self, secret: Secret, password: bytes, *, is_hex: bool) -> bool:
        """Is it this one, as far as can be said without slow work?"""
        if secret.password is not None:
            expected = secret.password.lower() if is_hex else secret.password
            return hmac.compare_digest(self._digest(password), self._digest(expected.encode()))
        proven = self._proven.get(secret.hashed or "")
        return proven is not None and hmac.compare_digest(self._digest(password), proven)

    def verified(self, hashed: str, password: bytes) -> None:
        """The slow hash fits this password."""
        self._proven[hashed] = self._digest(password)

    def forget(self, hashed: str) -> None:
        """This hash counts no more."""
        self._proven.pop(hashed, None)

    def _digest(self, password: bytes) -> bytes:
        return hmac.new(self._key, password, hashlib.sha256).digest()


@dataclass(slots=True)
class Worker:
    """One thread for slow hashes, with a bounded queue: argon2 takes long, and nobody else waits for it."""

    size: int = WAITING
    n_waiting: int = 0
    n_verified: int = 0
    """Slow hashes computed since the start."""
    _hasher: PasswordHasher = field(default_factory=PasswordHasher)
    _thread: ThreadPoolExecutor | None = None

    def has_room(self, *, is_suspect: bool) -> bool:
        """May one more wait? Half of the queue is kept for addresses that have not failed."""
        return self.n_waiting < (self.size // 2 if is_suspect else self.size)

    def fitting(self, hashes: tuple[str, ...], password: bytes) -> asyncio.Future[Hashes]:
        """Which of the hashes fit; every one is computed, whatever the others say. To be called in the event loop."""
        if self._thread is None:
            self._thread = ThreadPoolExecutor(1, thread_name_prefix="passwords")
        self.n_waiting += 1
        job = asyncio.get_running_loop().run_in_executor(self._thread, self._verify, hashes, password)
        job.add_done_callback(self._done)
        return job

    def close(self) -> None:
        """What waits is cancelled."""
        if self._thread is not None:
            self._thread.shutdown(wait=False, cancel_futures=True)
            self._thread = None

    def _done(self, _: asyncio.Future[Hashes]) -> None:
        self.n_waiting -= 1

    def _verify(self, hashes: tuple[str, ...], password: bytes) -> Hashes:
        return frozenset(hashed for hashed in hashes if self._fits(hashed, password))

    def _fits(self, hashed: str, password: bytes) -> bool:
        self.n_verified += 1
        try:
            return self._hasher.verify(hashed, password)
        except (VerificationError, InvalidHashError):
            return False


def decoy(hashes: Iterable[str]) -> str | None:
    """A hash that fits nothing and costs as much as the dearest of these; ``None`` when there are none."""
    dearest, cost = None, -1
    for hashed in hashes:
        try:
            known = extract_parameters(hashed)
        except InvalidHashError:
            continue
        if known.memory_cost * known.time_cost > cost:
            dearest, cost = hashed, known.memory_cost * known.time_cost
    if dearest is None:
        return None
    *head, salt, digest = dearest.split("$")
    return "$".join([*head, *(_random_base64(len(part)) for part in (salt, digest))])


def _random_base64(length: int) -> str:
    n_bytes = length * 3 // 4
    return base64.b64encode(secrets.token_bytes(n_bytes)).decode().rstrip("=")
