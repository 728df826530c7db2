"""Listening sockets over loopback: bounds, change while links live, storms, and the end."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidMessage, InvalidStatus

from loadmgr.ocpp.transport.contract import Admission, Answer, Knock, Line
from loadmgr.ocpp.transport.listener import Endpoint, Listener
from loadmgr.ocpp.transport.tls import server_context
from loadmgr.settings import Address, LinkLimits, TlsSettings
from tests.support import certificates
from tests.support.chargers import until

HERE = Address(host="127.0.0.1", port=0)


class Echo:
    """Says what it hears."""

    def __init__(self, line: Line) -> None:
        self.line = line

    def on_text(self, text: str, /) -> None:
        self.line.send(text)

    def on_binary(self, size_bytes: int, /) -> None:
        self.line.send(str(size_bytes))

    def on_lost(self, reason: str, /) -> None:
        pass


def everybody(knock: Knock) -> Answer:
    return Admission(subprotocol=knock.offered[0] if knock.offered else None, begin=Echo)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def port_of(listener: Listener) -> int:
    return next(iter(listener.ports.values()))


async def answered(link: ClientConnection) -> bool:
    await link.send("are you there?")
    return await asyncio.wait_for(link.recv(), 5) == "are you there?"


@asynccontextmanager
async def listening(**given: Any) -> Any:
    limits = given.pop("limits", LinkLimits())
    endpoints = given.pop("endpoints", (Endpoint(address=HERE),))
    async with Listener(given.pop("doorman", everybody), limits, endpoints, **given) as listener:
        yield listener


def play(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


def test_one_address_and_all_together_have_a_limit_and_others_are_told_quickly() -> None:
    """[A12]"""

    async def work() -> None:
        async with listening(limits=LinkLimits(links_per_address=3)) as listener:
            url = f"ws://127.0.0.1:{port_of(listener)}/x"
            links = [await connect(url) for _ in range(3)]
            with pytest.raises(InvalidStatus) as refused:
                await connect(url)
            assert refused.value.response.status_code == 503
            assert refused.value.response.headers["Retry-After"]
            assert all([await answered(link) for link in links])
            await links.pop().close()
            await until(lambda: len(listener) == 2)
            links.append(await connect(url))
            for link in links:
                await link.close()
            assert listener.counts.full == 1

    play(work)


def test_fifty_slow_handshakes_end_and_disturb_nobody() -> None:
    """[A11]"""

    async def work() -> None:
        async with listening(limits=LinkLimits(handshake_s=0.5)) as listener:
            port = port_of(listener)
            slow = [await asyncio.open_connection("127.0.0.1", port) for _ in range(50)]
            for _, writer in slow:
                writer.write(b"GET / HT")
            async with connect(f"ws://127.0.0.1:{port}/x") as link:
                assert await answered(link)
                for reader, _ in slow:
                    with contextlib.suppress(ConnectionResetError):
                        assert await asyncio.wait_for(reader.read(), 5) == b""
                assert await answered(link)
                assert len(listener) == 1
            for _, writer in slow:
                writer.close()

    play(work)


def test_many_that_are_too_fast_share_one_rate_and_one_alone_does_not_notice() -> None:
    """[B28, P4]"""

    async def work() -> None:
        limits = LinkLimits(messages_per_s=50.0, messages_at_once=1, overtime_per_s=10.0)
        async with listening(limits=limits) as listener:
            url = f"ws://127.0.0.1:{port_of(listener)}/x"
            links = [await connect(url) for _ in range(20)]
            for link in links:
                for n in range(8):
                    await link.send(str(n))
            heard = 0

            async def listen(link: ClientConnection) -> None:
                nonlocal heard
                async for _ in link:
                    heard += 1

            listening_ = [asyncio.create_task(listen(link)) for link in links]
            await asyncio.sleep(2.0)
            assert 20 <= heard <= 110, "each alone would have had all of its eight by now"
            for task in listening_:
                task.cancel()
            await asyncio.gather(*listening_, return_exceptions=True)
            for link in links:
                await link.close()

    play(work)


def test_five_hundred_come_within_one_second() -> None:
    """[A07]"""

    async def work() -> None:
        async with listening() as listener:
            url = f"ws://127.0.0.1:{port_of(listener)}/x"
            links = await asyncio.gather(*(connect(url, open_timeout=30) for _ in range(500)))
            assert len(listener) == 500
            assert all(await asyncio.gather(*(answered(link) for link in links)))
            await asyncio.gather(*(link.close() for link in links))
            await until(lambda: len(listener) == 0)

    play(work)


def test_the_end_says_goodbye_and_cuts_who_does_not_hear() -> None:
    """[F16]"""

    async def work() -> None:
        async with listening(limits=LinkLimits(close_s=0.3)) as listener:
            port = port_of(listener)
            polite = await connect(f"ws://127.0.0.1:{port}/x")
            deaf = socket.create_connection(("127.0.0.1", port))
            deaf.sendall(
                b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
                b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            )
            await until(lambda: len(listener) == 2)
        with pytest.raises(ConnectionClosed) as closed:
            await polite.recv()
        assert closed.value.rcvd is not None
        assert closed.value.rcvd.code == 1001
        assert len(listener) == 0
        deaf.close()

    play(work)


def test_addresses_change_and_links_live_on() -> None:
    async def work() -> None:
        async with listening() as listener:
            old = port_of(listener)
            async with connect(f"ws://127.0.0.1:{old}/x") as link:
                new = free_port()
                await listener.change((Endpoint(address=Address(host="127.0.0.1", port=new)),))
                assert await answered(link)
                with pytest.raises(OSError, match=r"refused|Connect"):
                    await connect(f"ws://127.0.0.1:{old}/x")
                async with connect(f"ws://127.0.0.1:{new}/x") as other:
                    assert await answered(other)

    play(work)


def test_an_address_that_is_taken_changes_nothing() -> None:
    async def work() -> None:
        async with listening() as listener:
            port = port_of(listener)
            with socket.create_server(("127.0.0.1", 0)) as taken:
                address = Address(host="127.0.0.1", port=taken.getsockname()[1])
                with pytest.raises(OSError, match=f"cannot listen on 127.0.0.1:{address.port}"):
                    await listener.change((Endpoint(address=Address(host="127.0.0.1", port=0)), Endpoint(address=address)))
            async with connect(f"ws://127.0.0.1:{port}/x") as link:
                assert await answered(link)

    play(work)


def _tls(folder: Path, host: str) -> tuple[TlsSettings, ssl.SSLContext]:
    root = certificates.authority(f"CA of {host}")
    certificate, key = certificates.server(root, host=host).written(folder, host)
    trust = ssl.create_default_context(cadata=root.pem.decode())
    return TlsSettings(listen=HERE, certificate=certificate, key=key), trust


def test_a_new_certificate_counts_for_new_links_and_old_ones_live_on(tmp_path: Path) -> None:
    async def work() -> None:
        first, trusts_first = _tls(tmp_path, "one.example")
        second, trusts_second = _tls(tmp_path, "two.example")
        async with listening(endpoints=(Endpoint(address=HERE, tls=server_context(first)),)) as listener:
            url = f"wss://127.0.0.1:{port_of(listener)}/x"
            async with connect(url, ssl=trusts_first, server_hostname="one.example") as link:
                assert await answered(link)
                await listener.change((Endpoint(address=HERE, tls=server_context(second)),))
                assert await answered(link)
                async with connect(url, ssl=trusts_second, server_hostname="two.example") as other:
                    assert await answered(other)
                with pytest.raises(ssl.SSLError):
                    await connect(url, ssl=trusts_first, server_hostname="one.example")
                assert await answered(link)
            assert listener.counts.tls_failed == 1

    play(work)


def test_plain_text_on_the_tls_port_and_tls_on_the_plain_port_are_refused(tmp_path: Path) -> None:
    """[G07]"""

    async def work() -> None:
        settings, trust = _tls(tmp_path, "one.example")
        async with listening(endpoints=(Endpoint(address=HERE, tls=server_context(settings)),)) as listener:
            with pytest.raises((OSError, InvalidMessage)):
                await connect(f"ws://127.0.0.1:{port_of(listener)}/x", open_timeout=3)
            assert len(listener) == 0
        async with listening() as listener:
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await connect(f"wss://127.0.0.1:{port_of(listener)}/x", ssl=trust, server_hostname="one.example")

    play(work)


def test_a_doorman_who_thinks_long_does_not_keep_others() -> None:
    async def work() -> None:
        thought = asyncio.Event()

        async def slowly(knock: Knock) -> Answer:
            await thought.wait()
            return everybody(knock)

        def doorman(knock: Knock) -> Any:
            return slowly(knock) if "slow" in knock.path else everybody(knock)

        async with listening(doorman=doorman) as listener:
            url = f"ws://127.0.0.1:{port_of(listener)}"
            waiting = asyncio.create_task(connect(f"{url}/slow").__aenter__())
            async with connect(f"{url}/x") as link:
                assert await answered(link)
                assert not waiting.done()
                thought.set()
                assert await answered(await waiting)

    play(work)
