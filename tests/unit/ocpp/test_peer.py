"""The bounds of one link: time, size, number; without sockets and with a clock turned by hand."""

from __future__ import annotations

import zlib

import pytest
from websockets.frames import Frame, Opcode

from loadmgr.ocpp.transport import frames
from loadmgr.ocpp.transport.contract import Line
from loadmgr.ocpp.transport.peer import TURN
from loadmgr.settings import LinkLimits
from tests.support.loose_peer import REQUEST, Bench, Talk

DEFLATE = b"Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n"


def said(text: str | bytes, opcode: Opcode = Opcode.TEXT) -> bytes:
    """A masked frame of a client."""
    return bytes(Frame(opcode, text.encode() if isinstance(text, str) else text).serialize(mask=True))


def packed(data: bytes) -> bytes:
    """A masked frame of compressed text."""
    frame = bytearray(said(data))
    frame[0] |= 0x40
    return bytes(frame)


def closing(bench: Bench) -> int | None:
    """The code of the close frame that was written last."""
    at = bytes(bench.socket.written).rfind(b"\x88")
    return int.from_bytes(bench.socket.written[at + 2 : at + 4]) if at >= 0 else None


def test_a_handshake_that_takes_too_long_is_cut() -> None:
    """One byte a second [A11]."""
    bench = Bench()
    for byte in REQUEST:
        bench.peer.data_received(bytes([byte]))
        bench.turner.turn(1.0)
        if bench.socket.is_aborted:
            break
    assert 10.0 <= bench.turner.now_s - 1000.0 <= 12.0
    assert bench.talk is None


def test_what_is_no_handshake_ends() -> None:
    bench = Bench()
    bench.peer.data_received(b"\x16\x03\x01\x02\x00\x01\x00 hello\r\n\r\n")
    bench.turner.turn(3.0)
    assert bench.socket.is_closed
    assert not bench.knocks


@pytest.mark.parametrize(
    ("header", "status"),
    [(b"Upgrade: websocket\r\n", b"426"), (b"Sec-WebSocket-Version: 13\r\n", b"400"), (b"Sec-WebSocket-Key", b"400")],
)
def test_a_request_that_is_no_upgrade_is_told_so_and_nobody_asked(header: bytes, status: bytes) -> None:
    bench = Bench()
    lines = [line for line in REQUEST.splitlines(keepends=True) if not line.startswith(header.strip())]
    bench.peer.data_received(b"".join(lines) + b"\r\n")
    bench.turner.turn()
    assert bench.socket.written.startswith(b"HTTP/1.1 " + status)
    assert not bench.knocks


def test_headers_are_bounded() -> None:
    bench = Bench()
    bench.peer.data_received(REQUEST + b"".join(b"X-%d: y\r\n" % n for n in range(500)) + b"\r\n")
    bench.turner.turn(3.0)
    assert bench.socket.is_closed
    assert not bench.knocks


def test_two_missed_pongs_end_the_link_and_a_pong_or_a_message_keeps_it() -> None:
    """[A01, A14]"""
    bench = Bench(ping_s=10.0).opened()
    bench.turner.turn(10.5)
    assert bench.socket.written == frames.PING
    bench.peer.data_received(said("", Opcode.PONG))
    bench.turner.turn(10.0)
    bench.peer.data_received(said("hello"))
    bench.turner.turn(10.0)
    bench.peer.data_received(said("x", Opcode.PING))  # what the other end asks shows that it lives, too
    assert not bench.socket.is_closed
    bench.socket.written.clear()
    bench.turner.turn(31.0)
    assert closing(bench) == 1011
    bench.turner.turn(3.0)
    assert bench.socket.is_aborted, "it never hangs up by itself"


def test_an_unsolicited_pong_means_nothing() -> None:
    """[A14]"""
    bench = Bench().opened()
    bench.peer.data_received(said("what", Opcode.PONG) + said("hello"))
    assert bench.talk.heard == ["hello"]
    assert not bench.socket.written


def test_a_message_that_comes_byte_by_byte_is_no_sign_of_life() -> None:
    """[A11]"""
    bench = Bench(ping_s=10.0).opened()
    for byte in said("a" * 1000):
        bench.peer.data_received(bytes([byte]))
        bench.turner.turn(1.0)
        if closing(bench) is not None and bench.socket.written != frames.PING:
            break
    assert bench.turner.now_s - 1000.0 < 35.0
    assert bench.talk.heard == []


def test_a_link_that_is_too_fast_waits_and_loses_nothing() -> None:
    """[B28]"""
    bench = Bench(limits=LinkLimits(messages_at_once=10, messages_per_s=5.0)).opened()
    bench.turner.turn(60.0)
    bench.peer.data_received(b"".join(said(str(n)) for n in range(30)))
    bench.turner.turn()
    assert len(bench.talk.heard) == 10
    assert not bench.socket.is_reading
    bench.turner.turn(1.0)
    assert 13 <= len(bench.talk.heard) <= 17
    bench.turner.turn(6.0)
    assert bench.talk.heard == [str(n) for n in range(30)]
    assert bench.socket.is_reading
    bench.turner.turn(60.0)
    bench.peer.data_received(b"".join(said(str(n)) for n in range(11)))
    bench.turner.turn()
    assert len(bench.talk.heard) >= 40, "what was not used is earned again, up to the burst"


def test_a_long_message_counts_for_several() -> None:
    """[B28]"""
    bench = Bench(limits=LinkLimits(messages_at_once=10, messages_per_s=1.0)).opened()
    bench.turner.turn(60.0)
    bench.peer.data_received(said("a" * 50_000) + said("next"))
    bench.turner.turn(2.0)
    assert len(bench.talk.heard) == 1
    bench.turner.turn(3.0)
    assert len(bench.talk.heard) == 2


def test_many_messages_at_once_let_others_have_their_turn() -> None:
    bench = Bench().opened()
    bench.peer.data_received(b"".join(said(str(n)) for n in range(100)))
    assert len(bench.talk.heard) == TURN
    bench.turner.turn()
    assert bench.talk.heard == [str(n) for n in range(100)]
    assert bench.socket.is_reading


def test_a_link_that_has_said_much_of_late_waits_for_its_turn_and_a_calm_one_does_not() -> None:
    """[B28]"""
    bench = Bench(limits=LinkLimits(messages_at_once=10, messages_per_s=1.0)).opened()
    bench.peer.data_received(said("first"))
    assert bench.talk.heard == ["first"]
    bench.peer.data_received(said("second"))
    assert bench.talk.heard == ["first"], "who has just come has half of it"
    bench.turner.turn(60.0)
    bench.talk.heard.clear()
    for n in range(5):
        bench.peer.data_received(said(str(n)))
    assert len(bench.talk.heard) == 5
    bench.peer.data_received(said("5"))
    assert len(bench.talk.heard) == 5
    assert not bench.socket.is_reading
    bench.turner.turn()
    assert len(bench.talk.heard) == 6
    assert bench.socket.is_reading
    bench.turner.turn(6.0)
    bench.peer.data_received(said("6"))
    assert len(bench.talk.heard) == 7, "it has been calm again"


def test_fragments_too_and_compressed_ones() -> None:
    bench = Bench(limits=LinkLimits(messages_at_once=40, messages_per_s=100.0)).opened(DEFLATE)
    packer = zlib.compressobj(wbits=-9)

    texts = [(packer.compress(str(n).encode()) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4] for n in range(100)]
    bench.peer.data_received(b"".join(packed(text) for text in texts))
    assert len(bench.talk.heard) == TURN
    bench.turner.turn(2.0)
    assert bench.talk.heard == [str(n) for n in range(100)]
    assert bench.socket.is_reading


def test_what_came_before_a_violation_is_heard_and_answers_to_it_come_too_late() -> None:
    """[B02]"""

    class Echo(Talk):
        def on_text(self, text: str, /) -> None:
            super().on_text(text)
            self.line.send(text)

    bench = Bench(is_plain=False, begin=Echo).opened()
    stray = said("stray", Opcode.CONT)
    bench.peer.data_received(b"".join(said(str(n)) for n in range(2 * TURN + 1)) + stray)
    bench.turner.turn()
    assert bench.talk.heard == [str(n) for n in range(2 * TURN + 1)]
    assert closing(bench) == 1002
    bench.turner.turn(3.0)
    assert bench.socket.is_closed


def test_a_compression_bomb_is_refused_before_it_is_unpacked() -> None:
    """50 MB in some 50 kB [B05]."""
    bench = Bench().opened(DEFLATE)
    packer = zlib.compressobj(level=9, wbits=-9)
    data = (packer.compress(b"a" * 50_000_000) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]
    bench.peer.data_received(packed(data[:60_000]))
    bench.turner.turn()
    assert closing(bench) == 1009
    assert bench.talk.heard == []


def test_an_announced_gigabyte_is_refused_at_once() -> None:
    """[B04]"""
    bench = Bench().opened()
    bench.peer.data_received(b"\x81\xff" + (2**30).to_bytes(8) + b"mask")
    assert closing(bench) == 1009


def test_fragments_are_bounded_together() -> None:
    """[B04]"""
    bench = Bench().opened()
    bench.peer.data_received(bytes(Frame(Opcode.TEXT, b"a" * 40_000, fin=False).serialize(mask=True)))
    bench.peer.data_received(bytes(Frame(Opcode.CONT, b"a" * 40_000, fin=False).serialize(mask=True)))
    assert closing(bench) == 1009


def test_a_station_that_does_not_read_is_cut() -> None:
    """[A13]"""
    bench = Bench(limits=LinkLimits(send_bytes=10_000)).opened()
    bench.socket.buffered = 10_001
    bench.talk.line.send("x")
    assert bench.socket.is_aborted
    bench.peer.connection_lost(None)
    assert bench.talk.lost == ["the station does not read"]
    bench.talk.line.send("too late")
    bench.talk.line.close()


def test_a_conversation_may_end_the_link_while_messages_wait() -> None:
    class Shy(Talk):
        def on_text(self, text: str, /) -> None:
            super().on_text(text)
            self.line.close(1008, "é" * 100)

    bench = Bench(begin=Shy).opened()
    bench.peer.data_received(said("one") + said("two"))
    assert bench.talk.heard == ["one"]
    assert closing(bench) == 1008
    bench.peer.data_received(said(b"\x03\xf0", Opcode.CLOSE))
    bench.turner.turn()
    assert bench.socket.is_closed
    assert not bench.socket.is_aborted


def test_what_comes_after_our_goodbye_disturbs_nobody() -> None:
    """A link that is being closed may still have megabytes of small frames in its socket."""
    bench = Bench().opened()
    bench.peer.close(1008, "too many malformed messages")
    reads = 0
    for _ in range(20):
        if bench.socket.is_reading:
            bench.peer.data_received(said("x", Opcode.BINARY) * 1000)
            reads += 1
    assert reads == 1, "the rest stays in the socket until its turn"
    bench.turner.turn()
    assert bench.socket.is_reading
    bench.peer.data_received(said(b"\x03\xf0", Opcode.CLOSE))
    bench.turner.turn()
    assert bench.socket.is_closed
    assert not bench.socket.is_aborted


def test_a_conversation_may_begin_with_the_end() -> None:
    def farewell(line: Line) -> Talk:
        line.close(1002, "no")
        return Talk(line)

    bench = Bench(begin=farewell).opened()
    bench.turner.turn(3.0)
    assert bench.socket.is_aborted


def test_frames_before_our_answer_are_read_after_it() -> None:
    bench = Bench()
    half = said("half")
    bench.peer.data_received(REQUEST + b"\r\n" + said("early") + half[:3])
    bench.turner.turn()
    assert bench.talk.heard == ["early"]
    bench.peer.data_received(half[3:])
    bench.turner.turn()
    assert bench.talk.heard == ["early", "half"]


def test_what_was_agreed_about_compression_is_small_and_only_what_was_offered() -> None:
    plain = Bench()
    plain.peer.data_received(REQUEST + b"\r\n")
    plain.turner.turn()
    assert b"permessage-deflate" not in plain.socket.written
    small = Bench()
    small.peer.data_received(REQUEST + DEFLATE + b"\r\n")
    small.turner.turn()
    assert b"server_max_window_bits=9; client_max_window_bits=9" in small.socket.written
