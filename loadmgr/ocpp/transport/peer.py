"""One link: an ``asyncio`` protocol around the sans-I/O core of ``websockets``, which keeps handshake, control frames,
fragments, deflate and close. Ordinary frames of an open link take the short way through ``frames``.

Nothing in here waits: a slow reader at the other end, a slow handshake, a silent or a noisy station each have a bound.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Iterable
from http import HTTPStatus
from typing import cast

from websockets.frames import CloseCode, Frame, Opcode
from websockets.http11 import Request, Response
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

from loadmgr.ocpp.transport import frames
from loadmgr.ocpp.transport.contract import Admission, Answer, Conversation, Refusal
from loadmgr.ocpp.transport.core import DATA, PIECE_BYTES, begin_close, close_reason, flush, forget, heeded, new_core
from loadmgr.ocpp.transport.handshake import admitted, knock_of, refused
from loadmgr.ocpp.transport.hub import Hub, Phase
from loadmgr.ocpp.transport.rate import Rate, cost
from loadmgr.ocpp.transport.timers import Later

TURN = 2
"""Messages of one link that are handled before others have their turn."""
MISSED_PONGS = 2
_FINAL = 0x80


class Peer(asyncio.BufferedProtocol):
    """See the module. It is the ``Line`` of its conversation.

    ``address`` is the client's, which a trusted proxy may say; ``is_plain=False``: never the short way.
    """

    __slots__ = (
        "_backlog",
        "_core",
        "_hub",
        "_is_fragmented",
        "_is_plain",
        "_is_stopped",
        "_n_missed",
        "_parts",
        "_phase",
        "_rate",
        "_reason",
        "_resume_s",
        "_tail",
        "_talk",
        "_transport",
        "_until_s",
        "address",
        "socket_address",
    )

    def __init__(self, hub: Hub, address: str, *, is_plain: bool = True) -> None:
        self._hub = hub
        self.address = self.socket_address = address
        self._transport: asyncio.Transport | None = None
        self._core: ServerProtocol | None = None
        self._talk: Conversation | None = None
        self._phase = Phase.SHAKING
        self._is_plain = is_plain
        self._is_fragmented = False
        self._is_stopped = False
        self._tail = b""
        self._parts: list[Frame] | None = None
        self._backlog: deque[Frame] | None = None
        self._rate = Rate(hub.limits, hub.loop.time())
        self._resume_s = self._until_s = 0.0
        self._n_missed, self._reason = 0, ""

    # -- socket ----------------------------------------------------------------------------------------------------

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """The socket is there, TLS is done."""
        self._transport = cast(asyncio.Transport, transport)
        self._new_core(State.CONNECTING)
        self._hub.joined(self)
        self._due_in(self._hub.limits.handshake_s)

    @property
    def is_lost(self) -> bool:
        """Its socket is gone."""
        return self._phase is Phase.LOST

    def connection_lost(self, exc: Exception | None) -> None:
        """The socket is gone."""
        self._phase = Phase.LOST
        talk, self._talk = self._talk, None
        self._drop_core()
        self._transport = self._backlog = self._parts = None
        self._tail = b""
        self._hub.left(self)
        if talk is not None:
            talk.on_lost(self._reason or (str(exc) if exc is not None else "closed by the station"))

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002 the transport's
        """Where the transport puts what it reads: one place for all links, emptied at once."""
        return self._hub.buffer

    def buffer_updated(self, nbytes: int) -> None:
        """So much was put there."""
        self.data_received(bytes(self._hub.buffer[:nbytes]))

    def data_received(self, data: bytes) -> None:
        """Bytes, however they were cut. Who has said much of late, or comes, or goes, leaves the others the way."""
        hub = self._hub
        if self._is_stopped:
            self._tail += data  # TLS hands out what it had decrypted before
        elif self._phase is not Phase.OPEN or not self._rate.is_calm(hub.limits, hub.loop.time()):
            self._tail += data
            self._stop()
        elif self._is_plain:
            self._read(self._tail + data if self._tail else data)
        else:
            self._chew(data)

    # -- ordinary frames -------------------------------------------------------------------------------------------

    def _read(self, data: bytes) -> None:
        """The short way; ``data`` begins with a frame."""
        at, n, size = 0, 0, len(data)
        self._tail = b""
        while at < size and self._phase is Phase.OPEN:
            end, payload = frames.take(data, at) if not self._is_fragmented else (frames.OTHER, None)
            if end == frames.OTHER:
                end = frames.extent(data, at)
                if end == frames.INCOMPLETE or end > size:  # websockets collects it, and judges its head before the rest
                    self._is_plain = False
                    self._chew(data[at:])
                    return
                n += 1
                if data[at] & 0x0F in DATA:
                    self._is_fragmented = not data[at] & _FINAL
                self._feed(data[at:end])
            if end == frames.INCOMPLETE:
                self._tail = data[at:]
                return
            at = end
            self._n_missed = 0
            if payload is not None:
                n += 1
                self._told(payload)
            if self._is_stopped or (n >= TURN and at < size):
                self._tail = data[at:]
                if not self._is_stopped:
                    self._stop()
                return

    def _told(self, payload: bytes) -> None:
        if len(payload) > self._hub.limits.frame_bytes:
            self._fail(CloseCode.MESSAGE_TOO_BIG, f"over {self._hub.limits.frame_bytes} bytes")
            return
        try:
            text = payload.decode()
        except UnicodeDecodeError:
            self._fail(CloseCode.INVALID_DATA, "not UTF-8")  # [B02]
            return
        self.charge(cost(payload))
        if self._talk is not None:
            self._talk.on_text(text)

    def charge(self, messages: float, /) -> None:
        """Count messages; a link that is too fast waits until it has earned the next, and nothing is lost [B28]."""
        if self._rate.spend(messages):
            return
        now_s = self._hub.loop.time()
        debt_s = self._rate.debt_s(self._hub.limits, now_s)
        if debt_s > 0.0:
            self._resume_s = max(now_s + debt_s, self._hub.overtime(now_s))
            self._rate.settle(self._resume_s)
            if not self._is_stopped:
                self._stop()

    def _stop(self) -> None:
        """Take nothing from the socket; what came already is kept. Go on when it is its turn."""
        self._is_stopped = True
        if self._transport is not None:
            self._transport.pause_reading()
        self._wait()

    def _wait(self) -> None:
        if self._resume_s > self._hub.loop.time():
            self._hub.wheel.put(self._resume_s, Later(self._wait))
        else:
            self._hub.turns.put(self)

    def resume(self) -> None:
        """Go on with what came meanwhile."""
        if not self._is_stopped or self._transport is None:
            return
        if self._resume_s > self._hub.loop.time():
            self._wait()
            return
        self._is_stopped, self._resume_s = False, 0.0
        if self._backlog and self._phase is Phase.OPEN:
            self._events(())
        if self._tail and not self._is_stopped:
            tail, self._tail = self._tail, b""
            if self._phase is Phase.OPEN and self._is_plain:
                self._read(tail)
            else:
                self._chew(tail)
        self._go_on()

    def _go_on(self) -> None:
        if not self._is_stopped and self._transport is not None and self._phase is not Phase.ASKED:
            self._transport.resume_reading()

    # -- all other frames ------------------------------------------------------------------------------------------

    def _new_core(self, state: State) -> ServerProtocol:
        self._core = new_core(state, is_deflating=self._hub.is_deflating, max_bytes=self._hub.limits.frame_bytes)
        return self._core

    def _drop_core(self) -> None:
        core, self._core = self._core, None
        if core is not None:
            forget(core)

    def _chew(self, data: bytes) -> None:
        """Of much at once one piece after the other: it may be a thousand frames."""
        if self._phase is not Phase.SHAKING and len(data) > PIECE_BYTES:
            self._tail, data = data[PIECE_BYTES:], data[:PIECE_BYTES]
        self._feed(data)
        if self._tail and not self._is_stopped:
            self._stop()

    def _feed(self, data: bytes) -> None:
        """The long way."""
        core = self._core or self._new_core(State.OPEN)
        core.receive_data(data)
        self._flush(core)
        if self._phase is Phase.SHAKING:
            self._shake(core, data)
        else:
            self._events(core.events_received())

    def _events(self, events: Iterable[Event]) -> None:
        """Frames in their order; while the doorman thinks they wait."""
        backlog = self._backlog if self._backlog is not None else deque()
        backlog.extend(heeded(events))
        n = 0
        while backlog and self._phase is Phase.OPEN and not self._is_stopped:
            frame = backlog.popleft()
            self._n_missed = 0
            if frame.opcode in DATA:
                self._collect(frame)
                n += 1
            if n >= TURN and backlog and not self._is_stopped:
                self._stop()
        self._backlog = backlog if backlog and self._phase <= Phase.OPEN else None
        core = self._core
        if self._phase is Phase.OPEN and core is not None and not backlog:
            if core.state is not State.OPEN:
                self._end(close_reason(core))
            elif self._is_plain and not self._is_fragmented:
                self._drop_core()

    def _collect(self, frame: Frame) -> None:
        """One frame of a message; ``websockets`` has seen to their order and to the size of the whole."""
        if not frame.fin or self._parts is not None:
            self._parts = [*(self._parts or ()), frame]
            if not frame.fin:
                return
        parts, self._parts = self._parts or [frame], None
        payload = b"".join(p.data for p in parts)
        if parts[0].opcode is Opcode.TEXT:
            self._told(payload)
        elif self._talk is not None:
            self.charge(cost(payload))
            self._talk.on_binary(len(payload))

    # -- handshake -------------------------------------------------------------------------------------------------

    def _shake(self, core: ServerProtocol, data: bytes) -> None:
        if core.handshake_exc is not None:
            self._end("no WebSocket handshake")
            return
        events = core.events_received()
        if not events or self._transport is None:
            return
        request, *early = events
        if early or not data.endswith(b"\r\n\r\n"):
            self._is_plain = False  # frames before our answer: websockets has begun to read them
            self._events(early)
        response = core.accept(cast(Request, request))
        if response.status_code != HTTPStatus.SWITCHING_PROTOCOLS:
            self._refuse(core, response)
            return
        self._phase = Phase.ASKED
        self._until_s = float("inf")  # what takes long now is ours
        knock = knock_of(cast(Request, request), self.address, self._transport, self._hub.proxies)
        self.address = knock.address
        answer = self._hub.doorman(knock)
        if isinstance(answer, Admission | Refusal):
            self._answer(core, cast(Request, request), response, answer)
        else:
            self._transport.pause_reading()
            self._hub.run(self._ask(core, cast(Request, request), response, answer))

    async def _ask(self, core: ServerProtocol, request: Request, response: Response, answer: Awaitable[Answer]) -> None:
        found = await answer
        if self._transport is not None and self._phase is Phase.ASKED:
            self._answer(core, request, response, found)
            self._go_on()

    def _answer(self, core: ServerProtocol, request: Request, response: Response, answer: Answer) -> None:
        if core.close_expected():
            self._end("frames before the handshake")
        elif isinstance(answer, Refusal):
            self._refuse(core, refused(core, answer))
        else:
            core.send_response(admitted(core, request, response, answer))
            self._flush(core)
            self._phase = Phase.OPEN
            self._is_plain = self._is_plain and not core.extensions
            if self._is_plain:
                self._drop_core()
            if self._hub.ping_s is not None:
                self._due_in(self._hub.ping_s)
            self._talk = answer.begin(self)
            self._events(())

    def _refuse(self, core: ServerProtocol, response: Response) -> None:
        core.send_response(response)
        self._flush(core)
        self._end(f"refused: {response.status_code}")

    # -- Line ------------------------------------------------------------------------------------------------------

    def send(self, text: str, /) -> None:
        """Queue one text message; see ``Line``."""
        transport, payload = self._transport, text.encode()
        if self._phase is not Phase.OPEN or transport is None:
            return
        if self._is_plain or self._core is None:
            transport.write(frames.text_frame(payload))
        elif self._core.state is State.OPEN:
            self._core.send_text(payload)
            self._flush(self._core)
        if transport.get_write_buffer_size() > self._hub.limits.send_bytes:
            self.cut("the station does not read")  # [A13]

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to end the link; see ``Line``."""
        if self._phase is Phase.OPEN:
            self._fail(code, reason)
        elif self._phase < Phase.OPEN:
            self.cut(reason)

    def cut(self, reason: str) -> None:
        """End the link without a word."""
        self._reason = self._reason or reason
        if self._transport is not None:
            self._transport.abort()

    # -- time and end ----------------------------------------------------------------------------------------------

    def _due_in(self, seconds: float) -> None:
        self._until_s = self._hub.loop.time() + seconds
        self._hub.wheel.put(self._until_s, self)

    def on_time(self, now_s: float, /) -> None:
        """A deadline is over: of the handshake, for the next ping, or for the other end to hang up."""
        if self._phase is Phase.LOST or now_s < self._until_s:
            return
        if self._phase is not Phase.OPEN:
            self.cut("too slow")  # [A11]
        elif self._n_missed >= MISSED_PONGS:
            self._fail(CloseCode.INTERNAL_ERROR, "no answer to pings")  # [A01, A14]
        elif self._hub.ping_s is not None and self._transport is not None:
            self._n_missed += not self._is_stopped  # while it is stopped, its pong cannot be seen
            self._transport.write(frames.PING)
            self._due_in(self._hub.ping_s)

    def _fail(self, code: int, reason: str) -> None:
        core = self._core or self._new_core(State.OPEN)
        begin_close(core, code, reason)
        self._flush(core)
        self._end(reason)

    def _end(self, reason: str) -> None:
        """Wait a little for the other end to hang up, and take nothing more from it."""
        self._reason = self._reason or reason
        self._phase, self._tail, self._backlog, self._parts = Phase.ENDING, b"", None, None
        if self._is_stopped and self._transport is not None:
            self._is_stopped = False
            self._transport.resume_reading()
        self._due_in(self._hub.limits.close_s)

    def _flush(self, core: ServerProtocol) -> None:
        if self._transport is not None:
            flush(core, self._transport)
