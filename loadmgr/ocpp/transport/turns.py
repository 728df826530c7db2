"""Work that can wait a little: it shares a bounded time in each round of the event loop, so that other links do not."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Protocol

ROUND_S = 0.0005
"""In each round at least, and one piece more at most."""
SHARE, MOST_S = 0.25, 0.02
"""Of the time since the round before, up to so much: rounds are long where many calm links have much to say, as in a storm
of honest stations, and then the handshakes of the others must not starve."""


class Waiting(Protocol):
    """Something that has more to do."""

    def resume(self) -> None:
        """Do a piece of it. It may be put again."""


class Turns:
    """Who comes first is served first. Nothing in here is urgent: a message of a calm link does not come here."""

    __slots__ = ("_is_due", "_loop", "_since_s", "_waiting")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._waiting: deque[Waiting] = deque()
        self._is_due = False
        self._since_s = 0.0

    def put(self, one: Waiting) -> None:
        """``one.resume()`` is called in one of the next rounds."""
        self._waiting.append(one)
        if not self._is_due:
            self._is_due = True
            self._since_s = self._loop.time()
            self._loop.call_soon(self._round)

    def _round(self) -> None:
        waiting, now_s = self._waiting, self._loop.time()
        until_s = now_s + max(ROUND_S, min((now_s - self._since_s) * SHARE, MOST_S))
        try:
            for _ in range(len(waiting)):
                waiting.popleft().resume()
                if self._loop.time() >= until_s:
                    break
        finally:
            self._is_due = bool(waiting)
            self._since_s = self._loop.time()
            if waiting:
                self._loop.call_soon(self._round)
