"""A TCP proxy on loopback with faults to switch on: delay, throttle, black hole, cut after n bytes, reset, idle kill."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

CHUNK = 65_536
RESET_ON_CLOSE = struct.pack("ii", 1, 0)


def reset(writer: asyncio.StreamWriter) -> None:
    """End a connection with RST instead of FIN."""
    raw = writer.get_extra_info("socket")
    if raw is not None and raw.fileno() >= 0:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET_ON_CLOSE)
    writer.transport.abort()


@dataclass(slots=True)
class _Pair:
    """A connection of a client and the one to the server that belongs to it."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    is_cut: bool = False

    def cut(self) -> None:
        """Reset both sides."""
        self.is_cut = True
        reset(self.client)
        reset(self.server)


@dataclass(slots=True)
class FaultProxy:
    """Forwards to ``upstream``; what its fields say holds from the next bytes on. "Up" is towards the server."""

    upstream: int
    delay_s: float = 0.0
    """Before every piece, in both directions."""
    stall_every: int = 0
    """Every n-th piece waits three times as long: a segment was lost and sent again."""
    piece_bytes: int = CHUNK
    is_hole: bool = False
    """Nothing passes and nobody is told: the cable is cut."""
    cut_up_after: int | None = None
    """Reset both sides when so many more bytes have gone up."""
    cut_on: bytes = b""
    """Reset both sides behind the piece with this text that comes down."""
    idle_s: float | None = None
    """Reset a connection on which nothing passes for so long, as a router forgets it."""
    n_links: int = 0
    n_up: int = 0
    port: int = 0
    _pairs: list[_Pair] = field(default_factory=list)
    _tasks: set[asyncio.Task[None]] = field(default_factory=set)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Take a connection and open its other half."""
        self.n_links += 1
        theirs, ours = await asyncio.open_connection("127.0.0.1", self.upstream)
        pair = _Pair(writer, ours)
        self._pairs.append(pair)
        for source, goal, is_up in ((reader, ours, True), (theirs, writer, False)):
            task = asyncio.create_task(self._pump(pair, source, goal, is_up=is_up))
            self._tasks.add(task)

    async def _pump(self, pair: _Pair, source: asyncio.StreamReader, goal: asyncio.StreamWriter, *, is_up: bool) -> None:
        try:
            n = 0
            while data := await asyncio.wait_for(source.read(self.piece_bytes), self.idle_s):
                n += 1
                is_lost = self.stall_every > 0 and n % self.stall_every == 0
                await asyncio.sleep(self.delay_s * (3.0 if is_lost else 1.0))
                if self.is_hole or pair.is_cut:
                    continue
                await self._pass(pair, goal, data, is_up=is_up)
            if not self.is_hole:
                goal.close()
        except TimeoutError:
            pair.cut()
        except (ConnectionError, OSError):
            if not self.is_hole:
                pair.cut()

    async def _pass(self, pair: _Pair, goal: asyncio.StreamWriter, data: bytes, *, is_up: bool) -> None:
        is_last = not is_up and bool(self.cut_on) and self.cut_on in data
        pair.is_cut = pair.is_cut or is_last  # what the client answers to this piece does not go up
        if is_up and self.cut_up_after is not None:
            data = data[: self.cut_up_after]
            self.cut_up_after -= len(data)
            is_last = self.cut_up_after <= 0
        self.n_up += len(data) if is_up else 0
        goal.write(data)
        await goal.drain()
        if is_last:
            await asyncio.sleep(0.02)  # let the other side read it before the reset overtakes it
            pair.cut()

    def cut(self) -> None:
        """Reset every connection."""
        for pair in self._pairs:
            pair.cut()
        self._pairs.clear()

    def drop_client(self) -> None:
        """The client's side goes without a word to the server: a half-open connection."""
        self.is_hole = True
        for pair in self._pairs:
            reset(pair.client)


@asynccontextmanager
async def proxied(upstream: int) -> AsyncIterator[FaultProxy]:
    """A proxy before a port of loopback."""
    proxy = FaultProxy(upstream)
    server = await asyncio.start_server(proxy.serve, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        proxy.cut()
        for task in proxy._tasks:
            task.cancel()
        await asyncio.gather(*proxy._tasks, return_exceptions=True)
        await server.wait_closed()
