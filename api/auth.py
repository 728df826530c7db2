"""API keys: who may look and who may change. Compared in constant time; wrong tries slow down."""

from __future__ import annotations

import hmac
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import IntEnum

FREE_TRIES = 5
DELAY_S = 1.0
DELAY_MAX_S = 60.0
TRACKED = 10_000


class Role(IntEnum):
    """What a key allows."""

    VIEWER = 1
    OPERATOR = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who asks; ``name`` goes into the audit trail."""

    name: str
    role: Role


class AccessError(Exception):
    """The key is missing, wrong or not enough. ``status`` is 401, 403 or 429."""

    def __init__(self, status: int, detail: str) -> None:
        self.status = status
        self.detail = detail
        super().__init__(detail)


@dataclass(slots=True)
class Keys:
    """The keys of one application. ``now_s`` is real monotonic time."""

    operator: str
    viewer: str | None = None
    now_s: Callable[[], float] = time.monotonic
    _failures: OrderedDict[str, tuple[int, float]] = field(default_factory=OrderedDict)

    def actor(self, key: str | None, address: str) -> Actor:
        """Who this key belongs to. Raises ``AccessError``; after five wrong tries an address waits, up to a minute."""
        tries, until_s = self._failures.get(address, (0, 0.0))
        if self.now_s() < until_s:
            raise AccessError(429, "too many wrong keys from this address; wait a minute")
        given = (key or "").encode()
        is_operator = hmac.compare_digest(given, self.operator.encode())
        is_viewer = self.viewer is not None and hmac.compare_digest(given, self.viewer.encode())
        if is_operator or is_viewer:
            self._failures.pop(address, None)
            return Actor(name="operator" if is_operator else "viewer", role=Role.OPERATOR if is_operator else Role.VIEWER)
        if key:
            self._failed(address, tries + 1)
            raise AccessError(401, "the API key is wrong; send the right one in the header X-API-Key")
        raise AccessError(401, "an API key is needed; send it in the header X-API-Key")

    def _failed(self, address: str, tries: int) -> None:
        wait_s = 0.0
        if tries >= FREE_TRIES:
            wait_s = min(DELAY_S * 2.0 ** (tries - FREE_TRIES), DELAY_MAX_S)
        self._failures[address] = (tries, self.now_s() + wait_s)
        self._failures.move_to_end(address)
        while len(self._failures) > TRACKED:
            self._failures.popitem(last=False)
