"""Links of twins: pipes in memory, and real WebSockets with the faults of a handshake (rules E.1, G-40, G-55)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from loadmgr.clock import RealClock
from loadmgr.domain.ids import StationId
from loadmgr.sim.doors import SocketDoor
from loadmgr.sim.pipe import PipeClosedError, pipe
from loadmgr.sim.quirks import ALL, switch_on
from loadmgr.sim.scenario import dialect_of
from loadmgr.sim.station import Twin
from loadmgr.sim.vehicle import Car
from tests.unit.sim.central import Central, an_evse

CAR = Car(name="c", wanted_kwh=20.0, battery_kwh=60.0, soc_frac=0.4, n_phases=3, max_a=32.0, decrease_s=0.0, increase_s=0.0)


def test_a_pipe_keeps_order_and_delivers_what_was_sent_before_a_close() -> None:
    async def run() -> None:
        mine, theirs = pipe()
        for text in ("1", "2"):
            await mine.send(text)
        await mine.close(1000, "done")
        assert [text async for text in theirs] == ["1", "2"]
        assert (theirs.close_code, theirs.close_reason) == (1000, "done")
        with pytest.raises(PipeClosedError):
            await theirs.send("3")

    asyncio.run(run())


def test_an_aborted_pipe_loses_what_was_on_the_way() -> None:
    async def run() -> None:
        mine, theirs = pipe()
        await mine.send("1")
        mine.abort()
        with pytest.raises(PipeClosedError, match="1006"):
            await theirs.recv()
        with pytest.raises(PipeClosedError):
            await anext(theirs)

    asyncio.run(run())


def test_a_reader_that_waits_wakes_when_the_other_side_closes() -> None:
    async def run() -> None:
        mine, theirs = pipe()
        reading = asyncio.ensure_future(theirs.recv())
        await asyncio.sleep(0)
        await mine.close()
        with pytest.raises(PipeClosedError):
            await reading

    asyncio.run(run())


class Wired:
    """A twin over a real WebSocket, and the server that it reached."""

    def __init__(self, twin: Twin, central: Central) -> None:
        self.twin, self.central = twin, central
        self.paths: list[str] = []
        self.offered: list[str | None] = []
        self.codes: list[int | None] = []

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until it holds."""
        async with asyncio.timeout(10):
            while not condition():
                await asyncio.sleep(0.01)


class _AsEnd:
    """A server connection in the shape of a pipe's end."""

    def __init__(self, socket: ServerConnection) -> None:
        self.socket = socket
        self.send = socket.send

    async def __aiter__(self) -> Any:
        try:
            async for text in self.socket:
                yield text
        except ConnectionClosed as closed:
            raise ConnectionError(str(closed)) from closed


def over_a_socket(version: str, work: Callable[[Wired], Awaitable[None]], *quirks: str) -> None:
    async def run() -> None:
        clock = RealClock()
        central = Central(version, clock.now)
        central.checks_schemas = True
        twin = Twin(
            id=StationId("Sta1"),
            evse=an_evse(),
            url="",
            password="secret",
            clock=clock,
            dialect=dialect_of(0, (version,)),
            on_change=lambda: None,
        )
        switch_on(twin.faults, *quirks)
        wired = Wired(twin, central)

        async def handler(socket: ServerConnection) -> None:
            assert socket.request is not None
            wired.paths.append(socket.request.path)
            wired.offered.append(socket.request.headers.get("Sec-WebSocket-Protocol"))
            await central.attach(twin.id, str(socket.subprotocol or f"ocpp{version}"), _AsEnd(socket))  # type: ignore[arg-type]
            wired.codes.append(socket.close_code)

        def choose(_: ServerConnection, offered: Any) -> Any:
            return next(iter(offered), None)

        protocols: Any = [f"ocpp{version}"]
        async with serve(handler, "127.0.0.1", 0, subprotocols=protocols, select_subprotocol=choose) as server:
            port = next(iter(server.sockets)).getsockname()[1]
            twin.uplink.door = SocketDoor(url=f"ws://127.0.0.1:{port}/ocpp", password="secret")
            twin.start()
            try:
                await work(wired)
                assert central.breaches == []
            finally:
                await twin.stop()

    asyncio.run(run())


@pytest.mark.parametrize("version", ALL)
def test_a_twin_boots_and_charges_over_a_real_websocket(version: str) -> None:
    async def work(wired: Wired) -> None:
        await wired.until(lambda: wired.central.said("StatusNotification") != [])
        wired.twin.plug_in(CAR, "tag")
        await wired.until(lambda: wired.twin.transaction is not None and wired.twin.transaction.id != "")
        await wired.until(lambda: wired.twin.outlet.current_a > 31.0)
        wired.twin.plug_out()
        end = "StopTransaction" if version == "1.6" else "TransactionEvent"
        await wired.until(lambda: any(p.get("eventType", "Ended") == "Ended" for p in wired.central.said(end)))
        assert wired.offered == [f"ocpp{version}"]

    over_a_socket(version, work)


@pytest.mark.parametrize(
    ("quirk", "path", "offered"),
    [
        ("trailing-slash", "/ocpp/Sta1/", "ocpp1.6"),
        ("other-case", "/ocpp/sTA1", "ocpp1.6"),
        ("no-subprotocol", "/ocpp/Sta1", None),
    ],
)
def test_handshakes_that_are_not_as_they_should_be(quirk: str, path: str, offered: str | None) -> None:
    """[G-40, G-55]"""

    async def work(wired: Wired) -> None:
        await wired.until(lambda: wired.central.said("BootNotification") != [])
        assert (wired.paths[0], wired.offered[0]) == (path, offered)

    over_a_socket("1.6", work, quirk)


def test_an_abort_is_a_close_code_1006_at_the_server() -> None:
    async def work(wired: Wired) -> None:
        await wired.until(lambda: wired.central.said("StatusNotification") != [])
        assert wired.twin.uplink.wire is not None
        wired.twin.uplink.wire.abort()
        await wired.until(lambda: wired.codes != [])
        assert wired.codes == [1006]
        assert not wired.twin.is_connected

    over_a_socket("2.0.1", work)
