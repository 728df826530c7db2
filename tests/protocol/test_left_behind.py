"""What a link leaves behind when it ends goes at once: nothing of ours waits for the garbage collector."""

from __future__ import annotations

import asyncio
import gc
import zlib
from collections import Counter
from collections.abc import Awaitable
from pathlib import Path

from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.support.chargers import header, until
from tests.support.secure_site import PASSWORD, Papers, run
from tests.support.wire import CLOSE, TEXT, ByHand, by_hand, link_by_hand

OURS = ("loadmgr.ocpp.connection", "loadmgr.ocpp.links", "loadmgr.ocpp.session", "loadmgr.ocpp.transport", "websockets")
HELD = {"loadmgr.ocpp.transport.peer.Peer", "loadmgr.ocpp.transport.rate.Rate"}
"""By the deadline of the next ping, until it is over; they have let go of all else."""
BOOT = {"chargePointVendor": "v", "chargePointModel": "m"}
DEFLATE = {"Sec-WebSocket-Extensions": "permessage-deflate; client_max_window_bits"}


def alive() -> Counter[str]:
    """Objects of ours, by the names of their types."""
    kinds = [type(o) for o in gc.get_objects()]
    names = (f"{k.__module__}.{k.__qualname__}" for k in kinds if str(k.__module__).startswith(OURS))
    return Counter(name for name in names if name not in HELD)


async def left_by(work: Awaitable[None]) -> Counter[str]:
    """What is still there after it, and was not before it, while the collector does not run; after a while at most."""
    gc.collect()
    gc.disable()
    try:
        before = alive()
        await work
        for _ in range(100):
            left = alive() - before
            if not left:
                break
            await asyncio.sleep(0.1)
        return left
    finally:
        gc.enable()


def bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -9)
    return (packer.compress(b" " * (8 << 20)) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


async def misdeed(hand: ByHand, kind: str) -> None:
    if kind == "announces a gigabyte":
        hand.writer.write(hand.frame(TEXT, announced=1 << 30)[:14])
    elif kind == "opens to megabytes":
        hand.send(TEXT, bomb(), rsv1=True)
    elif kind == "stops in a message":
        hand.send(TEXT, b"[2,", fin=False)
        await asyncio.sleep(0.1)
        return
    elif kind == "says goodbye":
        hand.send(CLOSE, b"\x03\xe8")
    else:
        return
    await hand.end()


def test_nothing_of_a_link_waits_for_the_collector(tmp_path: Path) -> None:
    """Memory stays flat while links come and go, although the collector seldom looks [A06, B04, B05, G03]."""

    async def play(_: LoadManager, gateway: Gateway, __: Papers) -> None:
        async def once(kind: str) -> None:
            extra = DEFLATE if kind == "opens to megabytes" else {}
            async with link_by_hand(gateway.port, "one", PASSWORD, extra=extra) as hand:
                if not extra:
                    hand.call("boot", "BootNotification", BOOT)
                    await hand.answer_to("boot")
                await misdeed(hand, kind)
            await until(lambda: "one" not in gateway.connected)

        async def refused() -> None:
            async with by_hand(gateway.port) as hand:
                assert (await hand.shake("/ocpp/one", header("one", "a-wrong-password-of-some-length"))).status == 401

        async def slow() -> None:
            async with by_hand(gateway.port) as hand:
                hand.writer.write(b"GET /ocpp/one HTTP/1.1\r\n")
                await asyncio.sleep(0.1)

        await once("goes")
        for kind in ("goes", "says goodbye", "announces a gigabyte", "opens to megabytes", "stops in a message"):
            left = await left_by(once(kind))
            assert not left, (kind, left)
        for way in (refused, slow):
            left = await left_by(way())
            assert not left, (way.__name__, left)

    run(tmp_path, play)
