"""A WebSocket client that writes frames by hand, so that they may be wrong."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import ssl
import struct
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from tests.support.chargers import header

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
WAIT_S = 8.0


@dataclass(slots=True)
class Answered:
    """A server's answer to a handshake."""

    status: int
    headers: Mapping[str, str]
    body: bytes


@dataclass(slots=True)
class ByHand:
    """A TCP connection with the client's half of a WebSocket in the hands of the test."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    shaken: Answered = field(default_factory=lambda: Answered(0, {}, b""))
    """The answer to the handshake."""

    def request(self, path: str, headers: Mapping[str, str]) -> bytes:
        """A handshake as bytes; a header of ours gives way to one that is given."""
        found = {
            "Host": "localhost",
            "Upgrade": "websocket",
            "Connection": "Upgrade",
            "Sec-WebSocket-Key": base64.b64encode(os.urandom(16)).decode(),
            "Sec-WebSocket-Version": "13",
            "Sec-WebSocket-Protocol": "ocpp1.6",
            **headers,
        }
        lines = [f"GET {path} HTTP/1.1", *(f"{k}: {v}" for k, v in found.items() if v)]
        return ("\r\n".join(lines) + "\r\n\r\n").encode()

    async def shake(self, path: str, headers: Mapping[str, str]) -> Answered:
        """Send a handshake and read the answer."""
        self.writer.write(self.request(path, headers))
        return await self.answered()

    async def answered(self) -> Answered:
        """Read the answer to a handshake."""
        head = await asyncio.wait_for(self.reader.readuntil(b"\r\n\r\n"), WAIT_S)
        first, *lines = head.decode("latin-1").split("\r\n")[:-2]
        headers = {k.lower(): v for k, _, v in (line.partition(": ") for line in lines)}
        status = int(first.split(" ")[1])
        length = int(headers.get("content-length", "0")) if status != 101 else 0
        body = await asyncio.wait_for(self.reader.readexactly(length), WAIT_S)
        self.shaken = Answered(status, headers, body)
        return self.shaken

    def frame(
        self, opcode: int, payload: bytes = b"", *, fin: bool = True, rsv1: bool = False, announced: int | None = None
    ) -> bytes:
        """A masked frame; ``announced`` is the length that its head tells."""
        length = len(payload) if announced is None else announced
        head = bytes([(0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode])
        if length < 126:
            head += bytes([0x80 | length])
        elif length < 65_536:
            head += bytes([0x80 | 126]) + struct.pack("!H", length)
        else:
            head += bytes([0x80 | 127]) + struct.pack("!Q", length)
        mask = os.urandom(4)
        many = (mask * (len(payload) // 4 + 1))[: len(payload)]
        masked = (int.from_bytes(payload, "big") ^ int.from_bytes(many, "big")).to_bytes(len(payload), "big")
        return head + mask + masked

    def send(self, opcode: int, payload: bytes = b"", **how: Any) -> None:
        """Write a frame."""
        self.writer.write(self.frame(opcode, payload, **how))

    def call(self, message_id: str, action: str, payload: dict[str, Any]) -> None:
        """Write a CALL."""
        self.send(TEXT, json.dumps([2, message_id, action, payload]).encode())

    async def frame_in(self) -> tuple[int, bytes]:
        """The next frame of the server. Raises ``IncompleteReadError`` or ``ConnectionError`` at the end."""
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack("!H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack("!Q", await self.reader.readexactly(8))
        return first & 0x0F, await self.reader.readexactly(length)

    async def end(self, seconds: float = WAIT_S) -> int:
        """Read until the server ends the link; its close code, 1006 without one. Calls are not answered."""
        async with asyncio.timeout(seconds):
            try:
                while True:
                    opcode, payload = await self.frame_in()
                    if opcode == CLOSE:
                        return int.from_bytes(payload[:2], "big") if payload else 1005
            except (asyncio.IncompleteReadError, ConnectionError):
                return 1006

    async def answer_to(self, message_id: str) -> list[Any]:
        """The answer to a CALL; calls of the server are accepted meanwhile, its pings are not."""
        async with asyncio.timeout(WAIT_S):
            while True:
                opcode, payload = await self.frame_in()
                if opcode != TEXT:
                    continue
                frame: list[Any] = json.loads(payload)
                if frame[0] == 2:
                    self.send(TEXT, json.dumps([3, frame[1], {"status": "Accepted"}]).encode())
                elif frame[1] == message_id:
                    return frame


@asynccontextmanager
async def by_hand(
    port: int,
    *,
    host: str = "127.0.0.1",
    tls: ssl.SSLContext | None = None,
    source: str | None = None,
    window_bytes: int | None = None,
) -> AsyncIterator[ByHand]:
    """A connection before its handshake, from the address ``source``; ``window_bytes``: what its kernel takes in."""
    raw = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
    raw.setblocking(False)
    if window_bytes is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, window_bytes)
    if source is not None:
        raw.bind((source, 0))
    await asyncio.get_running_loop().sock_connect(raw, (host, port))
    name = "localhost" if tls is not None else None
    reader, writer = await asyncio.open_connection(sock=raw, ssl=tls, server_hostname=name)
    try:
        yield ByHand(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def link_by_hand(
    port: int, station: str, password: str, *, extra: Mapping[str, str] | None = None, **how: Any
) -> AsyncIterator[ByHand]:
    """A connection after its handshake, as OCPP 1.6; ``how``: see ``by_hand``."""
    async with by_hand(port, **how) as hand:
        found = await hand.shake(f"/ocpp/{station}", {**header(station, password), **(extra or {})})
        assert found.status == 101, found
        yield hand
