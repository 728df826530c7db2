"""The WebSocket server: identity, authentication, subprotocol, and one task pair per station."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine, Iterable
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self
from urllib.parse import unquote

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import StationId
from loadmgr.domain.params import ControlParams
from loadmgr.ocpp import onboarding
from loadmgr.ocpp.auth import Gatekeeper
from loadmgr.ocpp.connection import Activity, Connection, Host
from loadmgr.ocpp.session import Session as OcppSession
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk
from loadmgr.ocpp.versions import ASSUMED, VERSIONS
from loadmgr.ports import Remembered
from loadmgr.settings import Address, OcppSettings

log = logging.getLogger(__name__)

WITHOUT_BOOT_S = 10.0
STAGGER_S = 0.05
FAILSAFE_RETRY_S = (2.0, 10.0, 30.0, 60.0)
"""Waits between tries to install the fail-safe; after them the station is configured and the last wait repeats."""
BACKLOG = 4096
REPLACED = (1000, "replaced by a newer connection")


class Gateway:
    """OCPP central system on one port for 1.6J and 2.0.1; an asynchronous context manager and a ``StationLink``.

    ``frames_handled``, ``frames_sent`` and ``pending_replies`` let a lock-step simulation know what is in flight.
    """

    def __init__(
        self, settings: OcppSettings, host: Host, params: ControlParams, remembered: Remembered, listen: Address
    ) -> None:
        self._settings = settings
        self._host = host
        self._params = params
        self._listen = listen
        self._keeper = Gatekeeper(settings.stations)
        self._transactions = Transactions.remembered(remembered.sessions)
        self._accepted = {s.station for s in remembered.stations}
        self._links: dict[StationId, tuple[Connection, ServerConnection]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._server: Server | None = None
        self._clock_task: asyncio.Task[None] | None = None
        self.frames_handled = 0
        self.frames_sent = 0
        self.takeovers = 0
        self.activity = Activity()

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self._server = await serve(
            self._serve,
            self._listen.host,
            self._listen.port,
            process_request=self._admit,
            select_subprotocol=_choose,
            compression=None,
            max_size=self._settings.max_frame_bytes,
            max_queue=64,
            ping_interval=self._settings.ping_s,
            ping_timeout=self._settings.ping_s,
            open_timeout=10,
            close_timeout=2,
            server_header=None,
            backlog=BACKLOG,
            logger=log,
        )
        self._clock_task = asyncio.create_task(self._watch_time(), name="ocpp-timeouts")
        log.info("listening", extra={"host": self._listen.host, "port": self.port, "path": self._settings.path})
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
        tasks = [*self._tasks] + ([self._clock_task] if self._clock_task is not None else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    @property
    def port(self) -> int:
        """The port it listens on."""
        if self._server is None:
            return self._listen.port
        found: int = next(iter(self._server.sockets)).getsockname()[1]
        return found

    @property
    def pending_replies(self) -> int:
        """Answers that wait for the disk."""
        return sum(c.pending_replies for c, _ in self._links.values() if c.pending_replies)

    def traffic(self, station: StationId) -> tuple[int, int] | None:
        """(frames handled, frames handed to the socket) of the open link of a station."""
        link = self._links.get(station)
        return None if link is None else (link[0].n_handled, link[0].n_sent)

    @property
    def connected(self) -> frozenset[StationId]:
        """Stations with an open link."""
        return frozenset(self._links)

    @property
    def refused_logins(self) -> int:
        """Failed authentications since the start."""
        return self._keeper.failures

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_time(self) -> None:
        while True:
            await self._host.clock.sleep(1.0)
            for connection, _ in tuple(self._links.values()):
                connection.on_time()

    # -- handshake -------------------------------------------------------------------------------------------------

    def _identity(self, request: Request) -> str | None:
        prefix, _, last = request.path.partition("?")[0].rpartition("/")
        return unquote(last) if prefix == self._settings.path else None

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Before the upgrade: path, identity and password. Unknown and wrong get the same answer [G01]."""
        identity = self._identity(request)
        if identity is None:
            return socket.respond(HTTPStatus.NOT_FOUND, f"connect to {self._settings.path}/<identity>\n")
        address = str(socket.remote_address[0]) if socket.remote_address else ""
        now_s = self._host.clock.monotonic_s()
        try:
            header = request.headers.get("Authorization")
        except LookupError:  # more than one header
            header = None
        known = self._host.site.stations
        if self._keeper.admits(identity, header, address, now_s) and StationId(identity) in known:
            return None
        log.warning("refused", extra={"station": identity[:48], "address": address})
        response = socket.respond(HTTPStatus.UNAUTHORIZED, "unknown station or wrong password\n")
        response.headers["WWW-Authenticate"] = 'Basic realm="OCPP", charset="UTF-8"'
        return response

    # -- one station -----------------------------------------------------------------------------------------------

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None  # the handshake is done  # noqa: S101
        station = StationId(self._identity(socket.request) or "")
        chosen = socket.subprotocol
        if chosen is None:
            has_header = "Sec-WebSocket-Protocol" in socket.request.headers
            if has_header or not self._settings.stations[station].assume_ocpp16:
                await socket.close(1002, "offer the subprotocol ocpp1.6 or ocpp2.0.1")
                return
            chosen = Subprotocol(ASSUMED)
        connection = self._connection(station, str(chosen))
        await self._replace(station)
        self._links[station] = (connection, socket)
        self.activity.n += 1
        self._host.take(ev.StationConnected(at=self._host.clock.now(), station=station, ocpp=connection.version.ocpp))
        writer = asyncio.create_task(self._write(connection, socket), name=f"writer-{station}")
        onboard = asyncio.create_task(self._onboard(connection), name=f"onboard-{station}")
        reason = ""
        try:
            reason = await self._read(connection, socket)
        finally:
            for task in (writer, onboard):
                task.cancel()
            await asyncio.gather(writer, onboard, return_exceptions=True)
            self._gone(station, connection, reason)

    def _connection(self, station: StationId, subprotocol: str) -> Connection:
        version = VERSIONS[subprotocol]
        return Connection(
            host=self._host,
            desk=Desk(
                station=station,
                site=self._host.site,
                transactions=self._transactions,
                heartbeat_s=self._settings.heartbeat_s,
                accept=self._settings.accept,
            ),
            version=version,
            session=OcppSession(version.ocpp, timeout_s=self._params.call_timeout_s),
            spawn=self._spawn,
            activity=self.activity,
            is_accepted=station in self._accepted,
        )

    async def _replace(self, station: StationId) -> None:
        """A newer authenticated connection wins; commands go to exactly one [A08]."""
        old = self._links.pop(station, None)
        if old is None:
            return
        self.takeovers += 1
        log.warning("replaced", extra={"station": station})
        old[0].on_close()
        self._spawn(old[1].close(*REPLACED))

    def _gone(self, station: StationId, connection: Connection, reason: str) -> None:
        known = self._links.get(station)
        if known is None or known[0] is not connection:
            return  # it was replaced: the station is still connected
        del self._links[station]
        self.activity.n += 1
        if connection.is_accepted:
            self._accepted.add(station)
        connection.on_close()
        self._host.take(ev.StationDisconnected(at=self._host.clock.now(), station=station, reason=reason[:200]))

    async def _read(self, connection: Connection, socket: ServerConnection) -> str:
        """Until the link ends; returns why. Nothing a station sends may raise out of here."""
        try:
            async for message in socket:
                if isinstance(message, str):
                    self._pump(connection, message)
                else:
                    connection.on_fault("binary frame")  # OCPP-J is text [B03]
                self.frames_handled += 1
                connection.n_handled += 1
                self.activity.n += 1
                if connection.must_close:
                    await socket.close(1008, connection.must_close)
                    return connection.must_close
        except ConnectionClosed as closed:
            return str(closed)
        return "closed by the station"

    @staticmethod
    def _pump(connection: Connection, message: str) -> None:
        try:
            connection.on_text(message)
        except Exception:
            log.exception("message could not be handled", extra={"station": connection.desk.station})
            connection.on_fault("internal error")

    async def _write(self, connection: Connection, socket: ServerConnection) -> None:
        try:
            while True:
                frame = await connection.outbox.get()
                self.frames_sent += 1
                await socket.send(frame)
        except ConnectionClosed:
            return  # the reader sees it as well and cleans up

    async def _onboard(self, connection: Connection) -> None:
        """Fail-safe and metering, after the boot or without one [G-43, E-2]."""
        station = connection.desk.station
        clock = self._host.clock
        waiting = asyncio.ensure_future(connection.booted.wait())
        known = 0.5 if station in self._accepted else WITHOUT_BOOT_S
        sleeping = asyncio.ensure_future(clock.sleep(known))
        await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        for task in (waiting, sleeping):
            task.cancel()
        await asyncio.gather(waiting, sleeping, return_exceptions=True)
        if connection.version.needs_boot and not connection.is_accepted:
            await connection.booted.wait()  # however late: a station without its fail-safe counts at its maximum
        site = self._host.site

        async def ask(command: cmd.Command) -> bool:
            done: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
            connection.send(command, done)
            return await done

        async def installed(waits_s: Iterable[float]) -> bool:
            for wait_s in waits_s:
                if await ask(onboarding.failsafe(site, station, next(self._numbers), clock.now())):
                    return True
                await clock.sleep(wait_s)
            return False

        is_installed = await installed(FAILSAFE_RETRY_S)
        place = list(site.stations).index(station)
        await clock.sleep(STAGGER_S * place)
        async for name, value in onboarding.configure(connection.version, self._params, station, self._numbers, ask):
            log.info("configured", extra={"station": station, "setting": name, "value": value})
        silent = tuple(e for e in site.stations[station].evses if e not in connection.seen)
        for command in onboarding.status_triggers(silent, station, self._numbers):
            connection.send(command)
        if not is_installed:
            await installed(itertools.repeat(FAILSAFE_RETRY_S[-1]))

    # -- commands --------------------------------------------------------------------------------------------------

    def send(self, command: cmd.Command) -> None:
        """Deliver a command to its station; a setpoint for one without a link is known not to be in force."""
        link = self._links.get(command.station)
        if link is not None:
            link[0].send(command)
            return
        if isinstance(command, cmd.SendSetpoint):
            self._host.take(
                ev.SetpointUnanswered(
                    at=self._host.clock.now(),
                    no=command.no,
                    evse=command.setpoint.evse,
                    was_sent=False,
                    detail="not connected",
                )
            )
            return
        self._host.take(
            ev.CommandAnswered(
                at=self._host.clock.now(),
                no=command.no,
                station=command.station,
                command=type(command).__name__,
                accepted=False,
                detail="not connected",
            )
        )

    def numbered(self, command: cmd.Command) -> cmd.Command:
        """A command with the next number of this gateway."""
        return replace(command, no=next(self._numbers))


def _choose(_: ServerConnection, offered: Any) -> Subprotocol | None:
    """Our preferred one of what the station offers; none: the handshake ends without the header (domain rule E.1)."""
    for name in VERSIONS:
        if name in offered:
            return Subprotocol(name)
    return None
