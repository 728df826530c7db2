"""How a twin reaches its central system: over a WebSocket, or through a pipe in the same process."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed
from websockets.typing import Subprotocol

from loadmgr.domain.ids import StationId
from loadmgr.sim.faults import Faults
from loadmgr.sim.pipe import End, PipeClosedError, pipe


class Wire(Protocol):
    """An open link as a twin uses it."""

    async def send(self, text: str) -> None:
        """Send one text frame."""

    async def recv(self) -> str:
        """The next frame."""

    async def close(self) -> None:
        """End the link in order."""

    def abort(self) -> None:
        """Break it: the other side sees 1006."""


class Door(Protocol):
    """Opens links. Raises ``OSError`` or a handshake error of the websockets library when there is none to be had."""

    def open(self, station: StationId, subprotocol: str, faults: Faults) -> AbstractAsyncContextManager[Wire]:
        """A link for as long as the context lasts."""


class SocketWire:
    """A WebSocket that can be broken."""

    def __init__(self, socket: ClientConnection) -> None:
        self._socket = socket

    async def send(self, text: str) -> None:
        """Send one text frame."""
        try:
            await self._socket.send(text)
        except ConnectionClosed as closed:
            raise PipeClosedError(str(closed)) from closed

    async def recv(self) -> str:
        """The next frame."""
        try:
            found = await self._socket.recv()
        except ConnectionClosed as closed:
            raise PipeClosedError(str(closed)) from closed
        return found if isinstance(found, str) else found.decode()

    async def close(self) -> None:
        """Close in order."""
        await self._socket.close()

    def abort(self) -> None:
        """Drop the TCP connection without a close frame."""
        self._socket.transport.abort()


@dataclass(frozen=True, slots=True, kw_only=True)
class SocketDoor:
    """Over TCP, with HTTP Basic."""

    url: str
    password: str

    @asynccontextmanager
    async def open(self, station: StationId, subprotocol: str, faults: Faults) -> AsyncIterator[Wire]:
        """Connect with this identity and password."""
        token = base64.b64encode(f"{station}:{self.password}".encode()).decode()
        name = str(station)
        if faults.identity_form == "slash":
            name += "/"
        elif faults.identity_form == "case":
            name = name.swapcase()
        async with connect(
            f"{self.url}/{name}",
            subprotocols=None if faults.offers_no_subprotocol else [Subprotocol(subprotocol)],
            additional_headers={"Authorization": f"Basic {token}"},
            compression=None,
            ping_interval=None,
            close_timeout=1,
        ) as socket:
            yield SocketWire(socket)


Attach = Callable[[StationId, str, End], Awaitable[None]]
"""Serves one end of a pipe until the link ends, as ``Gateway.attach`` does."""


@dataclass(slots=True)
class PipeDoor:
    """In memory. ``errors`` holds what the serving side raised."""

    attach: Attach
    errors: list[str] = field(default_factory=list)

    @asynccontextmanager
    async def open(self, station: StationId, subprotocol: str, faults: Faults) -> AsyncIterator[Wire]:
        """Hand one end to the serving side; faults of the handshake need a WebSocket."""
        del faults
        mine, theirs = pipe()
        serving = asyncio.ensure_future(self._serve(station, subprotocol, theirs))
        try:
            yield mine
        finally:
            await mine.close()
            await serving

    async def _serve(self, station: StationId, subprotocol: str, end: End) -> None:
        try:
            await self.attach(station, subprotocol, end)
        except (ValueError, ConnectionError) as refused:
            self.errors.append(f"{station}: {refused}")
        finally:
            await end.close(1011, "the serving side ended")
