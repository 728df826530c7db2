"""A link over any other transport than ours: what it needs of a socket, and the line that it makes of one."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Protocol

from websockets.exceptions import ConnectionClosed

from loadmgr.ocpp.transport.contract import Conversation

WAITING_MAX = 1000
"""Frames for a station that does not read; more end the link [A13]."""


class Socket(Protocol):
    """What one link needs of its transport; it raises ``ConnectionClosed`` or ``ConnectionError`` when it has ended."""

    async def send(self, text: str, /) -> None:
        """Send one text frame."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the link."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The frames that come in, until the link ends."""


class SocketLine:
    """The ``Line`` of a conversation over a ``Socket``; ``carry`` is its life."""

    def __init__(self, socket: Socket) -> None:
        self.address = ""
        self._socket = socket
        self._outbox: asyncio.Queue[str] = asyncio.Queue()
        self._ending: tuple[int, str] | None = None
        self._closer: asyncio.Task[None] | None = None

    def send(self, text: str, /) -> None:
        """See ``Line``."""
        self._outbox.put_nowait(text)
        if self._outbox.qsize() > WAITING_MAX:
            self.close(1008, "the station does not read")

    def close(self, code: int = 1000, reason: str = "") -> None:
        """See ``Line``."""
        if self._ending is None:
            self._ending = (code, reason)
            self._closer = asyncio.ensure_future(self._hang_up(code, reason))

    def charge(self, messages: float, /) -> None:
        """See ``Line``; whoever attaches a socket has bounds of his own."""

    async def _hang_up(self, code: int, reason: str) -> None:
        with contextlib.suppress(ConnectionClosed, ConnectionError):
            await self._socket.close(code, reason[:120])

    async def carry(self, talk: Conversation) -> None:
        """Until the link ends: frames in to the conversation, what it sends out to the socket."""
        writing = asyncio.create_task(self._write())
        reason = "closed by the station"
        try:
            async for message in self._socket:
                if isinstance(message, str):
                    talk.on_text(message)
                else:
                    talk.on_binary(len(message))
                if self._ending is not None:
                    break
        except (ConnectionClosed, ConnectionError) as closed:
            reason = str(closed)
        finally:
            writing.cancel()
            await asyncio.gather(writing, return_exceptions=True)
            if self._closer is not None:
                await asyncio.gather(self._closer, return_exceptions=True)
            talk.on_lost(self._ending[1] if self._ending is not None else reason)

    async def _write(self) -> None:
        with contextlib.suppress(ConnectionClosed, ConnectionError):  # the reader sees it as well and cleans up
            while True:
                await self._socket.send(await self._outbox.get())
