"""The short way for ordinary frames differs in nothing from ``websockets``, however the bytes come."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from websockets.frames import Frame, Opcode
from websockets.http11 import Request
from websockets.protocol import State
from websockets.server import ServerProtocol

from loadmgr.ocpp.transport import frames
from loadmgr.settings import LinkLimits
from tests.support.loose_peer import REQUEST, Bench

MAX = 66_000
LIMITS = LinkLimits(frame_bytes=MAX, messages_at_once=10**6)
LENGTHS = (0, 1, 5, 124, 125, 126, 127, 128, 300, 65_535, 65_536, 65_990, 66_001)
NOT_UTF8 = b"\x88\x0b\x03\xefnot UTF-8"
SHORT = LENGTHS[:9]
OPCODES = (0, 1, 1, 1, 1, 2, 8, 9, 10, 3, 11)


@dataclass
class Reference:
    """Messages and bytes as ``websockets`` has them, put together here."""

    core: ServerProtocol = field(default_factory=lambda: ServerProtocol(max_size=MAX))
    heard: list[str | int] = field(default_factory=list)
    written: bytearray = field(default_factory=bytearray)
    parts: list[Frame] = field(default_factory=list)
    is_over: bool = False

    def opened(self) -> Reference:
        self.core.receive_data(REQUEST + b"\r\n")
        (request,) = self.core.events_received()
        assert isinstance(request, Request)
        self.core.send_response(self.core.accept(request))
        self.core.data_to_send()
        return self

    def feed(self, data: bytes) -> None:
        """Byte by byte, where that takes no time: what comes first is judged first."""
        for at in range(len(data)) if len(data) < 5000 else ():
            if not self.is_over:
                self._feed(data[at : at + 1])
        if len(data) >= 5000:
            self._feed(data)

    def _feed(self, data: bytes) -> None:
        self.core.receive_data(data)
        self._flush()
        for event in self.core.events_received():
            if self.is_over or not isinstance(event, Frame) or event.opcode not in {Opcode.CONT, Opcode.TEXT, Opcode.BINARY}:
                continue
            self.parts.append(event)
            if event.fin:
                self._whole(b"".join(bytes(p.data) for p in self.parts), self.parts[0].opcode is Opcode.TEXT)
                self.parts = []
        self.is_over = self.is_over or self.core.state is not State.OPEN

    def _whole(self, payload: bytes, is_text: bool) -> None:
        if not is_text:
            self.heard.append(len(payload))
            return
        try:
            self.heard.append(payload.decode())
        except UnicodeDecodeError:
            self.is_over = True
            if self.core.state is State.OPEN:
                self.core.send_close(1007, "not UTF-8")
                self._flush()

    def _flush(self) -> None:
        self.written += b"".join(self.core.data_to_send())


def frame(chance: random.Random, lengths: tuple[int, ...]) -> bytes:
    """One frame, mostly as it should be; only short ones may break UTF-8."""
    opcode = chance.choice(OPCODES)
    length = chance.choice(lengths)
    if opcode >= 8 and chance.random() < 0.9:
        length = min(length, 125)
    payload = chance.choice((b"a" * length, "é".encode() * (length // 2), chance.randbytes(length)))
    if lengths is LENGTHS and opcode < 2:
        payload = b"a" * length
    if opcode == 8 and chance.random() < 0.7:
        payload = chance.choice((b"", b"\x03\xe8", b"\x03\xe8bye", b"\x03", b"\x00\x01"))
    first = (
        opcode
        | (0 if chance.random() < 0.15 else 0x80)
        | (chance.choice((0x10, 0x20, 0x40)) if chance.random() < 0.02 else 0)
    )
    return _written(first, payload, chance)


def _written(first: int, payload: bytes, chance: random.Random) -> bytes:
    masked = 0 if chance.random() < 0.01 else 0x80
    n = len(payload)
    wide = chance.random() < 0.02  # a length in more bytes than it needs
    if n < 126 and not wide:
        head = bytes((first, masked | n))
    elif n < 65_536 and not (wide and chance.random() < 0.5):
        head = bytes((first, masked | 126)) + n.to_bytes(2)
    else:
        head = bytes((first, masked | 127)) + n.to_bytes(8)
    mask = chance.randbytes(4) if masked else b""
    body = bytes(b ^ mask[i % 4] for i, b in enumerate(payload)) if masked and n < 1000 else payload
    return head + mask + body


def stream(seed: int) -> tuple[bytes, list[int]]:
    """Bytes, and where they are cut."""
    chance = random.Random(seed)
    lengths = LENGTHS if chance.random() < 0.1 else SHORT
    data = bytearray(b"".join(frame(chance, lengths) for _ in range(chance.randint(1, 12))))
    for _ in range(chance.choice((0, 0, 0, 1, 3)) if lengths is SHORT else 0):
        data[chance.randrange(len(data))] = chance.randrange(256)
    n_cuts = chance.choice((0, 1, 3, 10, min(len(data), 400)))
    return bytes(data), sorted(chance.randrange(len(data) + 1) for _ in range(n_cuts))


def judged(seed: int, *, is_plain: bool) -> None:
    data, cuts = stream(seed)
    bench, reference = Bench(limits=LIMITS, is_plain=is_plain).opened(), Reference().opened()
    for begin, end in zip([0, *cuts], [*cuts, len(data)], strict=True):
        if begin == end:
            continue
        piece = data[begin:end]
        bench.peer.data_received(piece)
        bench.turner.turn()
        reference.feed(piece)
        if reference.is_over:
            break  # what follows is thrown away by both
    assert bench.talk.heard == reference.heard, seed
    ours, theirs = bytes(bench.socket.written), bytes(reference.written)
    if ours != theirs and (NOT_UTF8 in ours or NOT_UTF8 in theirs):  # what follows in the same piece may be seen first
        assert b"\x88" in ours, seed
        assert b"\x88" in theirs, seed
        return
    assert ours == theirs, seed


@pytest.mark.parametrize("part", range(4))
def test_the_short_way_says_and_hears_what_websockets_does(part: int) -> None:
    """2,000 streams of frames, odd ones among them, cut anywhere, forty times as many with LOADMGR_SOAK [A02, B02-B04]."""
    n = 20_000 if os.environ.get("LOADMGR_SOAK") else 500
    for seed in range(part * n, (part + 1) * n):
        judged(seed, is_plain=True)


def test_the_long_way_does_so_too() -> None:
    for seed in range(250):
        judged(seed, is_plain=False)


@given(st.binary(max_size=400), st.booleans())
@settings(max_examples=300, deadline=None)
def test_no_bytes_raise_before_or_after_the_handshake(data: bytes, is_open: bool) -> None:
    """[B01, B02]"""
    bench = Bench()
    if is_open:
        bench.opened()
    bench.peer.data_received(data)
    bench.turner.turn(30.0)
    bench.peer.connection_lost(None)
    assert not bench.talk or bench.talk.lost


@given(st.binary(max_size=70_000))
@settings(max_examples=100, deadline=None)
def test_what_is_written_can_be_read(payload: bytes) -> None:
    core = ServerProtocol(state=State.OPEN)
    core.send_text(payload)
    assert b"".join(core.data_to_send()) == frames.text_frame(payload)
