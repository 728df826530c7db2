"""Delays after failed handshakes, and whom they must not hit [E-15, G03]."""

from __future__ import annotations

import ipaddress
from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from typing import Generic, TypeVar

TRACKED = 20_000
"""Entries of each table; the ones that were used longest ago go first."""
FREE_TRIES = 3
"""Failures of one identity from one address; the last of them begins the delay."""
FREE_OF_ADDRESS = 30
"""Failures of one address over all identities: a site behind one router may have several wrong passwords."""
FREE_OF_IDENTITY = 20
"""Failures of one identity over all addresses."""
DELAY_S = 4.0
"""The first delay."""
LATELY_S = 30 * 86_400.0
_K = TypeVar("_K", bound=Hashable)


@dataclass(slots=True)
class Tally(Generic[_K]):
    """Failures by key. From the ``free``-th on each begins a delay: ``DELAY_S``, then twice as long, up to ``delay_max_s``.

    ``fade_s``: after this time one failure is forgotten, so that what fails rarely never adds up.
    """

    free: int
    delay_max_s: float
    fade_s: float
    size: int = TRACKED
    _known: OrderedDict[_K, tuple[int, float, float]] = field(default_factory=OrderedDict)
    """Key → (failures, since when none of them was forgotten, end of the delay)"""

    def failures(self, key: _K, now_s: float) -> int:
        """How many failures are remembered."""
        return self._remembered(key, now_s)[0]

    def _remembered(self, key: _K, now_s: float) -> tuple[int, float]:
        n, since_s, _ = self._known.get(key, (0, now_s, 0.0))
        forgotten = max(int((now_s - since_s) / self.fade_s), 0)
        return (n - forgotten, since_s + forgotten * self.fade_s) if forgotten < n else (0, now_s)

    def is_delayed(self, key: _K, now_s: float) -> bool:
        """Must it wait?"""
        known = self._known.get(key)
        return known is not None and now_s < known[2]

    def failed(self, key: _K, now_s: float) -> bool:
        """Count a failure; returns whether a delay begins with it for the first time."""
        before, since_s = self._remembered(key, now_s)
        n = before + 1
        over = n - self.free
        delay_s = min(DELAY_S * 2.0 ** min(over, 30), self.delay_max_s) if over >= 0 else 0.0
        self._known[key] = (n, since_s, now_s + delay_s)
        self._known.move_to_end(key)
        while len(self._known) > self.size:
            self._known.popitem(last=False)
        return before < self.free <= n

    def forget(self, key: _K) -> None:
        """It has succeeded."""
        self._known.pop(key, None)

    def __len__(self) -> int:
        return len(self._known)


@dataclass(slots=True)
class Throttle:
    """Failures per identity and address, per address, and per identity.

    An outsider cannot lock a station out [G03]: the count of an identity delays only those places (identity and address)
    that have failed themselves, and no place from which the identity has come in lately; that one is not delayed by its
    neighbours behind the same router either.
    """

    _places: Tally[tuple[str, str]] = field(default_factory=lambda: Tally(FREE_TRIES, 60.0, 600.0))
    _addresses: Tally[str] = field(default_factory=lambda: Tally(FREE_OF_ADDRESS, 60.0, 2.0))
    _identities: Tally[str] = field(default_factory=lambda: Tally(FREE_OF_IDENTITY, 600.0, 60.0))
    _proven: OrderedDict[tuple[str, str], float] = field(default_factory=OrderedDict)

    def is_delayed(self, identity: str, address: str, now_s: float) -> bool:
        """Is this knock to be refused without a look?"""
        place = (identity[:64], network_of(address))
        if self._places.is_delayed(place, now_s):
            return True
        if self._is_proven(place, now_s):
            return False
        if self._addresses.is_delayed(place[1], now_s):
            return True
        has_failed = self._places.failures(place, now_s) > 0
        return has_failed and self._identities.is_delayed(place[0], now_s)

    def failed(self, identity: str, address: str, now_s: float) -> bool:
        """Count a failure; returns whether with it the identity is being guessed at from all sides."""
        place = (identity[:64], network_of(address))
        self._places.failed(place, now_s)
        self._addresses.failed(place[1], now_s)
        return self._identities.failed(place[0], now_s)

    def succeeded(self, identity: str, address: str, now_s: float) -> None:
        """The identity has come in from here."""
        place = (identity[:64], network_of(address))
        self._places.forget(place)
        self._proven[place] = now_s
        self._proven.move_to_end(place)
        while len(self._proven) > TRACKED:
            self._proven.popitem(last=False)

    def is_suspect(self, identity: str, address: str, now_s: float) -> bool:
        """Has this address failed, and never come in as this identity?"""
        place = (identity[:64], network_of(address))
        return self._addresses.failures(place[1], now_s) > 0 and not self._is_proven(place, now_s)

    def _is_proven(self, place: tuple[str, str], now_s: float) -> bool:
        at_s = self._proven.get(place)
        return at_s is not None and now_s - at_s < LATELY_S

    def __len__(self) -> int:
        return len(self._places) + len(self._addresses) + len(self._identities) + len(self._proven)


def network_of(address: str) -> str:
    """Whom an address stands for: itself, or the /64 of IPv6, which is one subscriber's."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address[:64]
    if isinstance(found, ipaddress.IPv4Address):
        return str(found)
    if found.ipv4_mapped is not None:
        return str(found.ipv4_mapped)
    return str(ipaddress.ip_network((found, 64), strict=False))
