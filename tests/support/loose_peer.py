"""A ``Peer`` without a socket, for tests that feed it bytes."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any, cast

from loadmgr.ocpp.transport.contract import Admission, Answer, Conversation, Knock, Line
from loadmgr.ocpp.transport.peer import Peer
from loadmgr.ocpp.transport.timers import Wheel
from loadmgr.ocpp.transport.turns import Turns
from loadmgr.ocpp.transport.whence import Proxies
from loadmgr.settings import LinkLimits

REQUEST = (
    b"GET /ocpp/cp HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
    b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Protocol: ocpp1.6\r\n"
)


class Loop:
    """The clock and the queue of an event loop that is turned by hand."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self._soon: deque[tuple[Callable[..., None], tuple[Any, ...]]] = deque()
        self._later: list[tuple[float, Callable[[], None]]] = []

    def time(self) -> float:
        return self.now_s

    def call_soon(self, call: Callable[..., None], *arguments: Any) -> None:
        self._soon.append((call, arguments))

    def call_later(self, delay_s: float, call: Callable[[], None]) -> asyncio.TimerHandle:
        self._later.append((self.now_s + delay_s, call))
        return cast(asyncio.TimerHandle, None)

    def turn(self, seconds: float = 0.0) -> None:
        """Run what is due, then let time pass in small steps."""
        until_s = self.now_s + seconds
        while True:
            while self._soon:
                call, arguments = self._soon.popleft()
                call(*arguments)
            if self.now_s >= until_s:
                return
            self.now_s = min(self.now_s + 0.05, until_s)
            due = [c for at_s, c in self._later if at_s <= self.now_s]
            self._later = [(at_s, c) for at_s, c in self._later if at_s > self.now_s]
            for call in due:
                call()


class Socket:
    """A transport that remembers."""

    def __init__(self) -> None:
        self.written = bytearray()
        self.buffered = 0
        self.is_reading = True
        self.has_eof = False
        self.is_closed = False
        self.is_aborted = False

    def write(self, data: bytes) -> None:
        self.written += data

    def write_eof(self) -> None:
        self.has_eof = True

    def can_write_eof(self) -> bool:
        return True

    def close(self) -> None:
        self.is_closed = True

    def abort(self) -> None:
        self.is_closed = self.is_aborted = True

    def pause_reading(self) -> None:
        self.is_reading = False

    def resume_reading(self) -> None:
        self.is_reading = True

    def get_write_buffer_size(self) -> int:
        return self.buffered

    def get_extra_info(self, _: str) -> None:
        return None


class Talk:
    """A conversation that remembers."""

    def __init__(self, line: Line) -> None:
        self.line = line
        self.heard: list[str | int] = []
        self.lost: list[str] = []

    def on_text(self, text: str, /) -> None:
        self.heard.append(text)

    def on_binary(self, size_bytes: int, /) -> None:
        self.heard.append(size_bytes)

    def on_lost(self, reason: str, /) -> None:
        self.lost.append(reason)


class Bench:
    """One peer and everything around it."""

    def __init__(
        self,
        *,
        limits: LinkLimits | None = None,
        is_plain: bool = True,
        ping_s: float | None = None,
        begin: Callable[[Line], Conversation] = Talk,
    ) -> None:
        self.limits = limits if limits is not None else LinkLimits(messages_at_once=10**6)
        self.ping_s = ping_s
        self.proxies: Proxies = ()
        self.is_deflating = True
        self.turner = Loop()
        self.loop = cast(asyncio.AbstractEventLoop, self.turner)
        self.wheel = Wheel(self.loop)
        self.turns = Turns(self.loop)
        self.buffer = memoryview(bytearray(16))
        self.talk: Any = None
        self.knocks: list[Knock] = []
        self.socket = Socket()
        self._begin = begin
        self.peer = Peer(self, "192.0.2.1", is_plain=is_plain)
        self.peer.connection_made(cast(asyncio.Transport, self.socket))

    def doorman(self, knock: Knock) -> Answer:
        self.knocks.append(knock)
        return Admission(subprotocol="ocpp1.6", begin=self._began)

    def _began(self, line: Line) -> Conversation:
        self.talk = self._begin(line)
        return cast(Conversation, self.talk)

    def overtime(self, now_s: float, /) -> float:
        return now_s

    def joined(self, peer: Peer, /) -> None:
        pass

    def left(self, peer: Peer, /) -> None:
        pass

    def run(self, work: Coroutine[Any, Any, None], /) -> None:
        raise AssertionError("nothing here takes long")

    def opened(self, headers: bytes = b"") -> Bench:
        """After the handshake; what was written for it is forgotten."""
        self.peer.data_received(REQUEST + headers + b"\r\n")
        self.turner.turn()
        assert self.socket.written.startswith(b"HTTP/1.1 101")
        self.socket.written.clear()
        return self
