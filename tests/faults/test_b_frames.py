"""Frames that are wrong [B01-B07]: each beside two healthy chargers, the five promises at the end."""

from __future__ import annotations

import asyncio
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.chargers import Raw, until
from tests.support.faulty_settings import limited
from tests.support.faulty_site import ODD, ODD_EVSE, ODD_PASSWORD, beside_two, memory_mb, opened, stepped, talks
from tests.support.wire import BINARY, TEXT, link_by_hand

UNPATIENT = limited(messages_per_s=100_000.0, messages_at_once=100_000)
MEMORY_MB = 40.0
BOMB_BYTES = 50 * 2**20

NONSENSE = {
    "empty": "",
    "no JSON": "not json",
    "truncated": '[2,"a","Heartbeat"',
    "trailing": '[2,"b","Heartbeat",{}]]',
    "a byte order mark": '\ufeff[2,"c","Heartbeat",{}]',
    "an object": '{"a":1}',
    "a number": "7",
    "null": "null",
    "no elements": "[]",
    "no such type": '[9,"d","Heartbeat",{}]',
    "an id that is no text": '[2,7,"Heartbeat",{}]',
    "an id without end": json.dumps([2, "x" * 200, "Heartbeat", {}]),
    "no action": '[2,"e",{}]',
    "a payload that is no object": '[2,"f","Heartbeat",[]]',
    "half a character": '[2,"g","Authorize",{"idTag":"\\ud800"}]',
}


def _marked(frame: str) -> st.SearchStrategy[str]:
    """The frame with a piece of it replaced."""
    piece = st.tuples(st.integers(0, len(frame)), st.integers(0, 8), st.text(max_size=6))
    return piece.map(lambda p: frame[: p[0]] + p[2] + frame[p[0] + p[1] :])


TEXTS = st.one_of(
    st.text(max_size=60),
    st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), lambda x: st.lists(x, max_size=5)).map(
        json.dumps
    ),
    _marked('[2,"m","Authorize",{"idTag":"tag"}]'),
    _marked('[3,"m",{"status":"Accepted"}]'),
)


def _encodable(text: str) -> bool:
    return text.isascii() or not any(0xD800 <= ord(c) < 0xE000 for c in text)


def test_b01_whatever_text_comes_the_next_good_message_is_answered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[B01] Bytes made by hypothesis; faults are counted, and the limit of them is another test's."""
    monkeypatch.setattr("loadmgr.ocpp.connection.FAULTS_PER_MINUTE", 10**9)

    async def bad_and_good(raw: Raw, text: str, n: int) -> None:
        await raw.send(text)
        await raw.send(json.dumps([2, f"good-{n}", "Heartbeat", {}]))
        while (answer := await raw.answer())[1] != f"good-{n}":
            assert answer[0] in {3, 4}
        assert answer[0] == 3

    with stepped(tmp_path, ocpp=UNPATIENT) as (run, site):
        with opened(run, site.odd()) as raw:
            count = iter(range(10**6))

            @talks(200)
            @given(TEXTS.filter(_encodable))
            def attack(text: str) -> None:
                run(bad_and_good(raw, text, next(count)))

            attack()
        assert run(site.stored(ODD_EVSE)) == []


def test_b01_a_broken_frame_gets_an_error_with_its_id_where_one_can_be_read(tmp_path: Path) -> None:
    """[B01, 0-4]"""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd() as raw:
            for name, text in NONSENSE.items():
                await raw.send(text)
                answer = await raw.answer()
                assert answer[0] == 4, name
                readable = text[4:5] if text[1:4] == '2,"' and text[5:6] == '"' else "-1"
                assert answer[1] == readable, name
            assert (await raw.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


def test_b01_too_many_broken_frames_in_a_minute_end_the_link(tmp_path: Path) -> None:
    """[B01, E-20]"""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT) as site:
            async with link_by_hand(site.gateway.port, ODD, ODD_PASSWORD) as hand:
                for _ in range(200):
                    hand.send(TEXT, b"nonsense")
                assert await hand.end() == 1008
            await until(lambda: not site.odd_is_online)

    asyncio.run(play())


NO_UTF8 = (b'[2,"a","Heartbeat",{}]\xff', b"\xc0\xaf", b"\xed\xa0\x80", b"\xf8\x88\x80\x80\x80")


def test_b02_text_that_is_no_utf_8_ends_its_link_with_1007(tmp_path: Path) -> None:
    """[B02] Broken, overlong, half a character, too long; and a character cut at the end of the message."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            for payload in (*NO_UTF8, "\u20ac".encode()[:2]):
                async with link_by_hand(site.gateway.port, ODD, ODD_PASSWORD) as hand:
                    hand.send(TEXT, payload)
                    assert await hand.end() == 1007, payload
            async with site.odd(boots=False) as again:
                assert (await again.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


def test_b03_a_binary_frame_is_a_fault_and_no_message(tmp_path: Path) -> None:
    """[B03]"""

    async def play() -> None:
        async with beside_two(tmp_path) as site, link_by_hand(site.gateway.port, ODD, ODD_PASSWORD) as hand:
            hand.send(BINARY, json.dumps([2, "bin", "StartTransaction", site.start()]).encode())
            hand.call("after", "Heartbeat", {})
            assert (await hand.answer_to("after"))[0] == 3
            assert site.odd_sessions == []
            link = site.gateway.link(ODD)
            assert link is not None
            assert len(link.recent_faults) == 1

    asyncio.run(play())


@pytest.mark.parametrize(("announced", "is_split"), [(10_000_000, False), (2**30, False), (10_000_000, True)])
def test_b04_a_huge_frame_ends_its_link_and_takes_no_memory(tmp_path: Path, announced: int, is_split: bool) -> None:
    """[B04] Announced as a whole, or in fragments of which none is too long."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            before_mb = memory_mb()
            async with link_by_hand(site.gateway.port, ODD, ODD_PASSWORD) as hand:
                ending = asyncio.create_task(hand.end())
                piece = b"x" * 16_384
                hand.send(TEXT, piece, fin=not is_split, announced=None if is_split else announced)
                for _ in range(announced // len(piece)):
                    if ending.done():
                        break
                    if is_split:
                        hand.send(0, piece, fin=False)
                    else:
                        hand.writer.write(piece)
                    await asyncio.sleep(0.001)
                assert await ending == 1009
            assert memory_mb() - before_mb < MEMORY_MB

    asyncio.run(play())


def _bomb(bits: int) -> bytes:
    """Fifty mebibytes of one character, compressed to some fifty kibibytes."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -bits)
    data = b"".join(packer.compress(b"0" * 2**20) for _ in range(BOMB_BYTES // 2**20)) + packer.flush(zlib.Z_SYNC_FLUSH)
    return data[:-4]


@pytest.mark.parametrize("offered", ["permessage-deflate", "permessage-deflate; client_max_window_bits"])
def test_b05_a_compression_bomb_ends_its_link_and_takes_no_memory(tmp_path: Path, offered: str) -> None:
    """[B05] Where compression was agreed the size after it counts; where it was not, the frame is wrong in itself."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            extra = {"Sec-WebSocket-Extensions": offered}
            async with link_by_hand(site.gateway.port, ODD, ODD_PASSWORD, extra=extra) as hand:
                agreed = hand.shaken.headers.get("sec-websocket-extensions", "")
                bits = int(agreed.partition("client_max_window_bits=")[2].partition(";")[0] or 15)
                bomb = await asyncio.to_thread(_bomb, bits)  # making it must hold up nobody
                assert len(bomb) < BOMB_BYTES / 100
                before_mb = memory_mb()
                if len(bomb) < 65_536:
                    hand.send(TEXT, bomb, rsv1=True)
                else:
                    hand.send(TEXT, bomb[:60_000], rsv1=True, fin=False)
                    hand.send(0, bomb[60_000:])
                assert await hand.end() == (1009 if agreed else 1002)
                assert memory_mb() - before_mb < MEMORY_MB

    asyncio.run(play())


DEEP = 100_000
MONSTERS = {
    "nested arrays": '[2,"deep","DataTransfer",{"vendorId":"v","data":' + "[" * DEEP + "]" * DEEP + "}]",
    "arrays without end": "[" * DEEP,
    "nested objects": '[2,"deep","DataTransfer",{"vendorId":"v","data":' + '{"a":' * DEEP + "1" + "}" * DEEP + "}]",
    "many keys": '[2,"deep","Heartbeat",{' + ",".join(f'"k{n}":1' for n in range(DEEP)) + "}]",
    "a long number": '[2,"deep","StartTransaction",{"connectorId":1' + "0" * 1_000_000 + "}]",
    "a long fraction": '[2,"deep","StartTransaction",{"connectorId":0.' + "1" * 1_000_000 + "}]",
    "a long exponent": '[2,"deep","StartTransaction",{"connectorId":1e' + "9" * 1_000_000 + "}]",
}


def test_b06_monstrous_json_gets_an_error_and_the_link_goes_on(tmp_path: Path) -> None:
    """[B06] With a frame limit that lets it in, so that the parser has to bound it; unknown fields may be tolerated."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=limited(frame_bytes=4 * 2**20)) as site, site.odd() as raw:
            for name, text in MONSTERS.items():
                await raw.send(text)
                kind, _ = (await raw.answer())[:2]
                assert kind == 4 or (name, kind) == ("many keys", 3), name
                assert (await raw.ask("Heartbeat", {}))[0] == 3
            assert site.odd_sessions == []

    asyncio.run(play())


TWICE = (
    '{"connectorId":1,"connectorId":1,"idTag":"a","meterStart":1,"timestamp":"%s"}',
    '{"connectorId":1,"idTag":"a","idTag":"b","meterStart":1,"timestamp":"%s"}',
    '{"connectorId":1,"idTag":"a","meterStart":1,"meter\\u0053tart":9,"timestamp":"%s"}',
)


def test_b07_a_key_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """[B07] Also where one of them is written with escapes."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd() as raw:
            for payload in TWICE:
                await raw.send('[2,"twice","StartTransaction",' + payload % site.stamp() + "]")
                answer = await raw.answer()
                assert (answer[0], answer[1]) == (4, "twice")
                assert site.odd_sessions == []
            assert (await raw.ask("StartTransaction", site.start()))[0] == 3

    asyncio.run(play())
