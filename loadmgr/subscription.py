"""A bounded stream of events for a reader that may be slow."""

from __future__ import annotations

import asyncio
from collections import deque

from loadmgr.domain.events import Event


class Subscription:
    """Async iterator of events. When the reader is slower than the site, the oldest are dropped and counted."""

    def __init__(self, maxsize: int) -> None:
        self._events: deque[Event] = deque()
        self._maxsize = maxsize
        self._ready = asyncio.Event()
        self._is_closed = False
        self.dropped = 0

    def put(self, event: Event) -> None:
        """Add an event; never blocks."""
        if len(self._events) >= self._maxsize:
            self._events.popleft()
            self.dropped += 1
        self._events.append(event)
        self._ready.set()

    def close(self) -> None:
        """End the iteration after what is queued."""
        self._is_closed = True
        self._ready.set()

    def __aiter__(self) -> Subscription:
        return self

    async def __anext__(self) -> Event:
        while not self._events:
            if self._is_closed:
                raise StopAsyncIteration
            self._ready.clear()
            await self._ready.wait()
        return self._events.popleft()
