"""The servers that are compared, each run in a process of its own: ``python -m tests.bench.gateway.servers NAME``.

A server prints ``ready <port>``, and for every line ``push`` on its stdin it sends one SetChargingProfile to all open
1.6 links and prints ``pushed <accepted>``. It ends with its stdin. All of them answer BootNotification, Heartbeat,
MeterValues and TransactionEvent and do nothing else, except ``service``, which is the whole of loadmgr. All listen with
the same backlog, because the one that comes as a default loses the storm by itself.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import cProfile
import gc
import logging
import resource
import ssl
import sys
import time
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

import orjson
from websockets.asyncio.server import ServerConnection, serve

from loadmgr.ocpp.session import Answered, Incoming, Session
from loadmgr.ocpp.transport.contract import Admission, Answer, Conversation, Knock, Line
from loadmgr.ocpp.transport.listener import Endpoint, Listener
from loadmgr.ocpp.transport.tls import server_context
from loadmgr.pauses import short_pauses
from loadmgr.settings import Address, LinkLimits, TlsSettings
from tests.bench.gateway.payloads import HOST, charging_profile

BACKLOG = 4096
PROTOCOLS = ("ocpp1.6", "ocpp2.0.1")
UNLIMITED = LinkLimits(messages_per_s=1e6, messages_at_once=1_000_000)
"""A station may send as fast as it can: that is what is measured."""
Push = Callable[[], Awaitable[int]]


@dataclass(slots=True, kw_only=True)
class Running:
    """A server that listens."""

    port: int
    push: Push | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What the command line wants."""

    folder: Path
    certificate: Path | None = None
    deflate: bool = False
    stations: int = 100
    usual_limits: bool = False

    def tls(self) -> ssl.SSLContext | None:
        """A server context with the certificate, if there is one."""
        if self.certificate is None:
            return None
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(self.certificate)
        return context


Server = Callable[[Asked], AbstractAsyncContextManager[Running]]


_stamp = (0, "")


def _now() -> str:
    """The same cheap stamp for every Python server."""
    global _stamp
    second = int(time.time())
    if second != _stamp[0]:
        _stamp = (second, datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    return _stamp[1]


def _answer(action: str) -> dict[str, Any]:
    if action == "BootNotification":
        return {"currentTime": _now(), "interval": 300, "status": "Accepted"}
    return {"currentTime": _now()} if action == "Heartbeat" else {}


def _port(server: Any) -> int:
    found: int = next(iter(server.sockets)).getsockname()[1]
    return found


# -- the package `ocpp` ------------------------------------------------------------------------------------------------


def _handlers() -> tuple[type[Any], type[Any]]:
    """ChargePoints as its documentation writes them."""
    from ocpp.routing import on
    from ocpp.v16 import ChargePoint as Base16
    from ocpp.v16 import call_result as result16
    from ocpp.v16.enums import RegistrationStatus as Status16
    from ocpp.v201 import ChargePoint as Base201
    from ocpp.v201 import call_result as result201
    from ocpp.v201.enums import RegistrationStatusEnumType as Status201

    class ChargePoint16(Base16):  # type: ignore[misc]
        @on("BootNotification")
        def on_boot(self, charge_point_vendor: str, charge_point_model: str, **rest: Any) -> Any:
            return result16.BootNotification(current_time=_now(), interval=300, status=Status16.accepted)

        @on("Heartbeat")
        def on_heartbeat(self) -> Any:
            return result16.Heartbeat(current_time=_now())

        @on("MeterValues")
        def on_meter_values(self, connector_id: int, meter_value: list[Any], **rest: Any) -> Any:
            return result16.MeterValues()

    class ChargePoint201(Base201):  # type: ignore[misc]
        @on("BootNotification")
        def on_boot(self, charging_station: dict[str, Any], reason: str, **rest: Any) -> Any:
            return result201.BootNotification(current_time=_now(), interval=300, status=Status201.accepted)

        @on("Heartbeat")
        def on_heartbeat(self, **rest: Any) -> Any:
            return result201.Heartbeat(current_time=_now())

        @on("TransactionEvent")
        def on_transaction_event(self, **rest: Any) -> Any:
            return result201.TransactionEvent()

    return ChargePoint16, ChargePoint201


async def _push_package(chargers: set[Any]) -> int:
    from ocpp.v16 import call

    asked = charging_profile()
    request = call.SetChargingProfile(connector_id=asked["connectorId"], cs_charging_profiles=asked["csChargingProfiles"])
    answers = await asyncio.gather(*(c.call(request, suppress=False) for c in chargers))
    return sum(a.status == "Accepted" for a in answers)


@asynccontextmanager
async def plain(asked: Asked) -> Any:
    """`ocpp` on `websockets.serve`, as its documentation shows."""
    kinds = dict(zip(PROTOCOLS, _handlers(), strict=True))
    chargers: set[Any] = set()

    async def on_connect(socket: ServerConnection) -> None:
        assert socket.request is not None
        charger = kinds[str(socket.subprotocol)](socket.request.path.rpartition("/")[2], socket)
        chargers.add(charger)
        try:
            await charger.start()
        finally:
            chargers.discard(charger)

    options = _serving(asked)
    async with serve(on_connect, HOST, 0, **options) as server:
        yield Running(port=_port(server), push=lambda: _push_package(chargers))


def _serving(asked: Asked) -> dict[str, Any]:
    return {
        "subprotocols": list(PROTOCOLS),
        "backlog": BACKLOG,
        "ssl": asked.tls(),
        "compression": "deflate" if asked.deflate else None,
    }


# -- bounds ------------------------------------------------------------------------------------------------------------


def _unchecked(text: str | bytes | memoryview) -> bytes:
    _, message_id, action, _ = orjson.loads(text)
    return orjson.dumps([3, message_id, _answer(action)])


@asynccontextmanager
async def bound_a(asked: Asked) -> Any:
    """`websockets.serve` and orjson, nothing validated."""

    async def on_connect(socket: ServerConnection) -> None:
        async for text in socket:
            await socket.send(_unchecked(text), text=True)

    async with serve(on_connect, HOST, 0, **_serving(asked)) as server:
        yield Running(port=_port(server))


@asynccontextmanager
async def bound_b(asked: Asked) -> Any:
    """picows and orjson, nothing validated."""
    from picows import (
        WSFrame,
        WSListener,
        WSMsgType,
        WSTransport,
        WSUpgradeRequest,
        WSUpgradeResponse,
        WSUpgradeResponseWithListener,
        ws_create_server,
    )

    class Listener(WSListener):  # type: ignore[misc]
        def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
            if frame.msg_type == WSMsgType.TEXT:
                transport.send(WSMsgType.TEXT, _unchecked(frame.get_payload_as_memoryview()))
            elif frame.msg_type == WSMsgType.CLOSE:
                transport.disconnect()

    def listen(request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        offered = request.headers.get("Sec-WebSocket-Protocol", "").split(",")[0].strip()
        response = WSUpgradeResponse.create_101_response({"Sec-WebSocket-Protocol": offered})
        return WSUpgradeResponseWithListener(response, Listener())

    async with await ws_create_server(listen, HOST, 0, backlog=BACKLOG) as server:
        yield Running(port=_port(server))


# -- ours --------------------------------------------------------------------------------------------------------------


class Talk:
    """One link of ours: every message in full through ``Session``, every answer by a handler of three lines."""

    __slots__ = ("_line", "_session", "_talks", "_waiting")

    def __init__(self, line: Line, ocpp: str, talks: set[Talk]) -> None:
        self._line = line
        self._talks = talks
        talks.add(self)
        self._session = Session(ocpp)
        self._waiting: asyncio.Future[bool] | None = None

    def on_text(self, text: str, /) -> None:
        session = self._session
        for result in session.receive(text, time.monotonic()):
            if isinstance(result, Incoming):
                session.reply(result.id, result.action, _answer(result.action))
            elif isinstance(result, Answered) and self._waiting is not None:
                self._waiting.set_result(result.payload.get("status") == "Accepted")
        self._send()

    def on_binary(self, size_bytes: int, /) -> None:
        raise AssertionError("the load generator sends no binary frames")

    def on_lost(self, reason: str, /) -> None:
        self._talks.discard(self)
        self._session.close()

    def push(self, profile: dict[str, Any]) -> asyncio.Future[bool]:
        self._waiting = asyncio.get_running_loop().create_future()
        self._session.call("SetChargingProfile", profile, None, time.monotonic())
        self._send()
        return self._waiting

    def _send(self) -> None:
        for frame in self._session.take_frames():
            self._line.send(frame)


@asynccontextmanager
async def ours(asked: Asked) -> Any:
    """`Listener` and `Session` of loadmgr with trivial handlers."""
    talks: set[Talk] = set()

    async def push() -> int:
        profile = charging_profile()
        return sum(await asyncio.gather(*(t.push(profile) for t in talks)))

    async with _listening(asked, lambda _, protocol, line: Talk(line, protocol.removeprefix("ocpp"), talks)) as port:
        yield Running(port=port, push=push)


@asynccontextmanager
async def adapter(asked: Asked) -> Any:
    """The handlers of ``plain``, unchanged, mounted on our transport and codec."""
    from loadmgr.ocpp.adapter import mounted

    kinds = dict(zip(PROTOCOLS, _handlers(), strict=True))
    async with _listening(asked, lambda station, protocol, line: mounted(kinds[protocol], station)(line)) as port:
        yield Running(port=port)


@asynccontextmanager
async def _listening(asked: Asked, begin: Callable[[str, str, Line], Conversation]) -> Any:
    """Our transport with a doorman who lets everybody in; yields the port. ``begin`` takes station, protocol, line."""

    def doorman(knock: Knock) -> Answer:
        station, chosen = knock.path.rpartition("/")[2], knock.offered[0]
        return Admission(subprotocol=chosen, begin=partial(begin, station, chosen))

    address = Address(host=HOST, port=0)
    tls = None
    if asked.certificate is not None:
        tls = server_context(TlsSettings(listen=address, certificate=asked.certificate, key=asked.certificate))
    endpoint = Endpoint(address=address, tls=tls)
    async with Listener(doorman, UNLIMITED, (endpoint,), is_deflating=asked.deflate) as listener:
        yield next(iter(listener.ports.values()))


@asynccontextmanager
async def service(asked: Asked) -> Any:
    """The whole service on a generated site, on SQLite."""
    from loadmgr.wiring import build_manager, gateway_of
    from tests.bench.gateway.sites import site

    settings = site(asked.folder, asked.stations, None if asked.usual_limits else UNLIMITED)
    async with short_pauses(), build_manager(settings) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        yield Running(port=gateway.port)


@asynccontextmanager
async def gateway_alone(asked: Asked) -> Any:
    """The whole gateway with authentication and the store, without the controller: events are kept and not folded."""
    from loadmgr.wiring import gateway_of
    from tests.bench.gateway.sites import Uncontrolled, site

    settings = site(asked.folder, asked.stations, None if asked.usual_limits else UNLIMITED)
    async with short_pauses(), Uncontrolled.on(settings) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        yield Running(port=gateway.port)


SERVERS: MappingProxyType[str, Server] = MappingProxyType(
    {
        "plain": plain,
        "bound_a": bound_a,
        "bound_b": bound_b,
        "ours": ours,
        "adapter": adapter,
        "gateway": gateway_alone,
        "service": service,
    }
)


# -- the process -------------------------------------------------------------------------------------------------------


async def _obey(running: Running) -> None:
    """Do what the lines on stdin say, until it ends."""
    loop = asyncio.get_running_loop()
    lines = asyncio.StreamReader()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(lines), sys.stdin)
    print(f"ready {running.port}", flush=True)
    while line := (await lines.readline()).decode().strip():
        if line == "push" and running.push is not None:
            print(f"pushed {await running.push()}", flush=True)
        elif line == "collect":
            gc.collect()
            print("collected", flush=True)
        else:
            print(f"unknown {line}", flush=True)


async def _run(server: Server, asked: Asked, profile: Path | None) -> None:
    async with server(asked) as running:
        if profile is None:
            await _obey(running)
            return
        profiler = cProfile.Profile()
        profiler.enable()
        await _obey(running)
        profiler.disable()
        profiler.dump_stats(profile)


def main() -> None:
    """Run one server until stdin ends."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name", choices=sorted(SERVERS))
    parser.add_argument("--folder", type=Path, required=True)
    parser.add_argument("--certificate", type=Path)
    parser.add_argument("--deflate", action="store_true")
    parser.add_argument("--stations", type=int, default=100)
    parser.add_argument("--usual-limits", action="store_true")
    parser.add_argument("--profile", type=Path)
    found = parser.parse_args()
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    logging.basicConfig(level=logging.CRITICAL)  # a link that ends is no news here, and printing it would cost time
    asked = Asked(
        folder=found.folder,
        certificate=found.certificate,
        deflate=found.deflate,
        stations=found.stations,
        usual_limits=found.usual_limits,
    )
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(_run(SERVERS[found.name], asked, found.profile))


if __name__ == "__main__":
    main()
