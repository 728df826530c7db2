"""How much one link may say, and whether it has said little enough of late to be heard at once."""

from __future__ import annotations

from loadmgr.settings import LinkLimits

SHARE_BYTES = 4096
"""A message counts once, and once more for each of these."""


def cost(payload: bytes) -> float:
    """So many messages it counts for."""
    return 1.0 + len(payload) / SHARE_BYTES


class Rate:
    """``messages_at_once``, and then ``messages_per_s``; who has just come begins with half of it.

    Times in seconds of the event loop's clock.
    """

    __slots__ = ("_left", "_since_s")

    def __init__(self, limits: LinkLimits, now_s: float) -> None:
        self._left = limits.messages_at_once / 2
        self._since_s = now_s

    def spend(self, messages: float) -> bool:
        """Returns False when that was more than there was: see ``debt_s``."""
        self._left -= messages
        return self._left >= 0.0

    def is_calm(self, limits: LinkLimits, now_s: float) -> bool:
        """It has at least half of what it may say at once."""
        self._earn(limits, now_s)
        return self._left >= limits.messages_at_once / 2

    def debt_s(self, limits: LinkLimits, now_s: float) -> float:
        """So long it must wait until it has earned what it said; 0 when it has."""
        self._earn(limits, now_s)
        return max(-self._left / limits.messages_per_s, 0.0)

    def settle(self, at_s: float) -> None:
        """It waits until then, and earns nothing more meanwhile."""
        self._left, self._since_s = 0.0, at_s

    def _earn(self, limits: LinkLimits, now_s: float) -> None:
        earned = (now_s - self._since_s) * limits.messages_per_s
        self._left, self._since_s = min(self._left + earned, float(limits.messages_at_once)), now_s
