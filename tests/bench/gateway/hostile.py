"""Stations that do what faults.md says they will: ``python -m tests.bench.gateway.hostile PORT FIRST COUNT HEALTHY``.

``COUNT`` of them, in turns of one of ``KINDS`` each, with the identities from ``FIRST`` on and the right password, except
those that try passwords: they take the identities of the ``HEALTHY`` first stations. Each begins anew a little after it
was thrown out. It ends with its stdin and prints what each kind did.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
import os
import random
import socket
import sys
import zlib
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

from tests.bench.gateway.load import EMPTY_TAIL, masked
from tests.bench.gateway.payloads import HOST, PASSWORD

AGAIN_S = 0.2
OPEN_TIMEOUT_S = 30.0
BINARY = 2
GIANT = b"\x81\xff" + (1 << 30).to_bytes(8, "big") + bytes(4)
"""The head of a text frame that announces 1 GiB [B04]."""
DEEP = masked(b'[2,"d","Heartbeat",' + b"[" * 30_000 + b"]" * 30_000 + b"]")
BAD = (
    masked(b'[2,"x","Heartbeat",{'),
    masked(b""),
    masked(b"no JSON at all"),
    masked(b'[2,"x","Heartbeat",{"a":1,"a":2}]'),
    masked(b'[9,"x",{}]'),
    masked(b'[2,"x","NoSuchAction",{}]'),
    masked(b'[2,"x","MeterValues",{"connectorId":"one"}]'),
    masked(b'[3,"never-asked",{}]'),
)
BOMB_BYTES = 32 << 20


def _bomb() -> bytes:
    """32 MiB of blanks in some 32 KiB: a frame within the limit that is not one when it is opened [B05]."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -9)
    packed = packer.compress(b"[" + b" " * BOMB_BYTES) + packer.flush(zlib.Z_SYNC_FLUSH)
    return masked(packed.removesuffix(EMPTY_TAIL), is_deflated=True)


@dataclass(slots=True)
class Wire:
    """A socket after the upgrade."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    has_deflate: bool

    async def send(self, data: bytes) -> None:
        """Write, and wait until the other end takes it."""
        self.writer.write(data)
        await self.writer.drain()

    async def swallow(self) -> None:
        """Read and forget until the end."""
        while await self.reader.read(65_536):
            pass
        raise ConnectionResetError("the server closed")


@dataclass(slots=True)
class Villain:
    """One hostile station."""

    port: int
    identity: str
    victim: str
    counts: Counter[str]
    ids: Iterator[int] = field(default_factory=lambda: iter(range(1 << 60)))

    def request(self, *, password: str = PASSWORD, identity: str | None = None, deflate: bool = False) -> bytes:
        """The bytes of a handshake."""
        name = identity or self.identity
        login = base64.b64encode(f"{name}:{password}".encode()).decode()
        offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if deflate else ""
        return (
            f"GET /ocpp/{name} HTTP/1.1\r\nHost: {HOST}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
            f"Sec-WebSocket-Protocol: ocpp1.6\r\nAuthorization: Basic {login}\r\n{offer}\r\n"
        ).encode()

    @contextlib.asynccontextmanager
    async def wire(self, *, deflate: bool = False, small: bool = False) -> AsyncIterator[Wire]:
        """An open link that has booted."""
        sock = socket.socket()
        sock.setblocking(False)
        if small:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        await asyncio.get_running_loop().sock_connect(sock, (HOST, self.port))
        reader, writer = await asyncio.open_connection(sock=sock)
        try:
            writer.write(self.request(deflate=deflate))
            async with asyncio.timeout(OPEN_TIMEOUT_S):
                head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 101"):
                raise ConnectionRefusedError(head[:40].decode())
            writer.write(self.call("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"}))
            yield Wire(reader, writer, b"permessage-deflate" in head)
        finally:
            writer.transport.abort()

    def call(self, action: str, payload: dict[str, str]) -> bytes:
        """A valid CALL."""
        return masked(json.dumps([2, f"{next(self.ids)}", action, payload]).encode())

    async def live(self, kind: Callable[[Villain], Awaitable[None]]) -> None:
        """Do it again and again."""
        name = kind.__name__.strip("_")
        while True:
            try:
                await kind(self)
            except (OSError, EOFError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, TimeoutError):
                self.counts[f"{name} thrown out"] += 1
            await asyncio.sleep(AGAIN_S * random.uniform(0.5, 1.5))

    async def _send_on(self, frames: Callable[[], bytes], every_s: float, count: str, wire: Wire) -> None:
        swallowing = asyncio.create_task(wire.swallow())
        try:
            while not swallowing.done():
                await wire.send(frames())
                self.counts[count] += 1
                await asyncio.sleep(every_s)
            swallowing.result()
        finally:
            swallowing.cancel()
            await asyncio.gather(swallowing, return_exceptions=True)


async def _flood(v: Villain) -> None:
    """Valid messages as fast as they are taken [B28]."""
    async with v.wire() as wire:
        await v._send_on(lambda: b"".join(v.call("Heartbeat", {}) for _ in range(20)), 0.0, "flood x20", wire)


async def _malformed(v: Villain) -> None:
    async with v.wire() as wire:
        await v._send_on(lambda: random.choice(BAD), 0.02, "malformed", wire)


async def _deep(v: Villain) -> None:
    async with v.wire() as wire:
        await v._send_on(lambda: DEEP, 0.1, "deep", wire)


async def _giant(v: Villain) -> None:
    async with v.wire() as wire:
        await wire.send(GIANT)
        v.counts["giant"] += 1
        await v._send_on(lambda: bytes(65_536), 0.01, "giant 64 KiB", wire)


async def _bombs(v: Villain) -> None:
    async with v.wire(deflate=True) as wire:
        if not wire.has_deflate:
            v.counts["bomb not possible"] += 1
            await asyncio.sleep(5.0)
            return
        await v._send_on(lambda: BOMB, 0.1, "bomb", wire)


async def _deaf(v: Villain) -> None:
    """Asks and never reads the answers [A13]."""
    async with v.wire(small=True) as wire:
        while True:
            await wire.send(b"".join(v.call("Heartbeat", {}) for _ in range(10)))
            v.counts["deaf x10"] += 1
            await asyncio.sleep(0.2)


async def _loris(v: Villain) -> None:
    """A handshake, a byte a second [A11]."""
    reader, writer = await asyncio.open_connection(HOST, v.port)
    try:
        for byte in v.request():
            writer.write(bytes((byte,)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(1.0):
                    if not await reader.read(100):
                        raise ConnectionResetError
            v.counts["loris"] += 1
    finally:
        writer.transport.abort()


async def _guess(v: Villain) -> None:
    """Wrong passwords of a healthy station [G03]."""
    reader, writer = await asyncio.open_connection(HOST, v.port)
    try:
        writer.write(v.request(password=f"wrong-{next(v.ids)}", identity=v.victim))
        await writer.drain()
        v.counts[f"guess {(await reader.read(65_536))[9:12].decode()}"] += 1
    finally:
        writer.transport.abort()


async def _flap(v: Villain) -> None:
    """Comes and goes [A06]."""
    async with v.wire():
        v.counts["flap"] += 1
        await asyncio.sleep(0.05)


async def _binary(v: Villain) -> None:
    async with v.wire() as wire:
        await v._send_on(lambda: masked(b"\x00" * 200, BINARY), 0.02, "binary", wire)


BOMB = _bomb()
KINDS = (_flood, _malformed, _deep, _giant, _bombs, _deaf, _loris, _guess, _flap, _binary)


async def _run(port: int, first: int, count: int, healthy: int) -> Counter[str]:
    counts: Counter[str] = Counter()
    tasks = []
    for number in range(count):
        villain = Villain(port, f"B-{first + number}", f"B-{number % max(healthy, 1)}", counts)
        tasks.append(asyncio.create_task(villain.live(KINDS[number % len(KINDS)])))
    print(json.dumps({"ready": count}), flush=True)
    await asyncio.to_thread(sys.stdin.read)
    for task in tasks:
        if task.done():
            task.result()
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return counts


def main() -> None:
    """Run until stdin ends."""
    os.nice(10)  # in the field they would burn their own processors
    counts = asyncio.run(_run(*(int(a) for a in sys.argv[1:5])))
    print(json.dumps(dict(sorted(counts.items()))), flush=True)


if __name__ == "__main__":
    main()
