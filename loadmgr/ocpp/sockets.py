"""What one link needs of its transport, and how a handshake chooses a version."""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from loadmgr.ocpp.versions import VERSIONS


class Socket(Protocol):
    """What one link needs of its transport; it raises ``ConnectionClosed`` or ``ConnectionError`` when it has ended."""

    async def send(self, text: str, /) -> None:
        """Send one text frame."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the link."""

    def __aiter__(self) -> AsyncIterator[str | bytes]:
        """The frames that come in, until the link ends."""


async def hang_up(socket: Socket, code: int, reason: str) -> None:
    """End a link that may have ended already."""
    with contextlib.suppress(ConnectionClosed, ConnectionError):
        await socket.close(code, reason[:120])


def choose(_: ServerConnection, offered: Sequence[Subprotocol]) -> Subprotocol | None:
    """Our preferred one of what the station offers; none: the handshake ends without the header (domain rule E.1)."""
    for name in VERSIONS:
        if name in offered:
            return Subprotocol(name)
    return None
