"""An in-memory link: two ends that behave like the two ends of a WebSocket, for simulations without sockets."""

from __future__ import annotations

import asyncio
from collections import deque


class PipeClosedError(ConnectionError):
    """The link has ended; nothing more comes and nothing can be sent."""


class End:
    """One end: ``recv`` and ``send`` for the ``ocpp`` package's client, iteration and ``close`` for a gateway.

    What was sent before a close is still received; an abort loses it, as a broken cable does.
    """

    def __init__(self) -> None:
        self._texts: deque[str] = deque()
        self._news = asyncio.Event()
        self._other: End | None = None
        self.close_code: int | None = None
        self.close_reason = ""

    @property
    def is_closed(self) -> bool:
        """True when the link has ended."""
        return self.close_code is not None

    def _join(self, other: End) -> None:
        self._other = other

    async def send(self, text: str) -> None:
        """Send one text frame. Raises ``PipeClosedError`` when the link has ended."""
        if self.is_closed or self._other is None:
            raise PipeClosedError(f"closed ({self.close_code} {self.close_reason})")
        self._other._texts.append(text)
        self._other._news.set()

    async def recv(self) -> str:
        """The next frame. Raises ``PipeClosedError`` when the link has ended and nothing is left."""
        while not self._texts:
            if self.is_closed:
                raise PipeClosedError(f"closed ({self.close_code} {self.close_reason})")
            self._news.clear()
            await self._news.wait()
        return self._texts.popleft()

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the link for both sides."""
        self._end(code, reason)

    def abort(self) -> None:
        """Break the link without a word: 1006, and what is on the way is lost."""
        self._texts.clear()
        if self._other is not None:
            self._other._texts.clear()
        self._end(1006, "")

    def _end(self, code: int, reason: str) -> None:
        for end in (self, self._other):
            if end is not None and not end.is_closed:
                end.close_code, end.close_reason = code, reason
                end._news.set()

    def __aiter__(self) -> End:
        return self

    async def __anext__(self) -> str:
        """The next frame; ends after a normal close and raises ``PipeClosedError`` after a break."""
        try:
            return await self.recv()
        except PipeClosedError:
            if self.close_code in {1000, 1001}:
                raise StopAsyncIteration from None
            raise


def pipe() -> tuple[End, End]:
    """Two joined ends."""
    first, second = End(), End()
    first._join(second)
    second._join(first)
    return first, second
