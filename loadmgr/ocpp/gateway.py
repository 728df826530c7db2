"""The WebSocket server: identity, authentication, subprotocol, and one task pair per station."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Coroutine
from dataclasses import replace
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response
from websockets.typing import Subprotocol

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import StationId
from loadmgr.domain.params import ControlParams
from loadmgr.ocpp.auth import Gatekeeper
from loadmgr.ocpp.charger import Charger
from loadmgr.ocpp.connection import Activity, Connection, Host
from loadmgr.ocpp.identity import Directory, admitted_by, identity_of
from loadmgr.ocpp.onboarding import Onboarding, Pace
from loadmgr.ocpp.quirks import Knowledge, builtin
from loadmgr.ocpp.session import Session as OcppSession
from loadmgr.ocpp.sockets import Socket, choose, hang_up
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk
from loadmgr.ocpp.versions import ASSUMED, VERSIONS
from loadmgr.ports import Remembered
from loadmgr.settings import Address, OcppSettings
from loadmgr.sitefile.models import StationTraits

log = logging.getLogger(__name__)

WITHOUT_BOOT_S = 10.0
FAILSAFE_RETRY_S = (2.0, 10.0, 30.0, 60.0)
"""Waits between tries to install the fail-safe; after them the station is configured and the last wait repeats."""
BACKLOG = 4096
REPLACED = (1000, "replaced by a newer connection")


class Gateway:
    """OCPP central system of every version in ``VERSIONS``; an asynchronous context manager and a ``StationLink``.

    ``frames_handled``, ``frames_sent`` and ``pending_replies`` let a lock-step simulation know what is in flight.
    """

    def __init__(
        self, settings: OcppSettings, host: Host, params: ControlParams, remembered: Remembered, listen: Address
    ) -> None:
        self._settings = settings
        self._host = host
        self._params = params
        self._listen = listen
        self._directory = Directory.of(settings.stations)
        self._keeper = Gatekeeper(settings.stations, self._directory)
        self._misnamed: set[StationId] = set()
        self._transactions = Transactions.remembered(remembered.sessions)
        self._accepted = {s.station for s in remembered.stations if s.failsafe_a is not None}
        self._told = {s.station: s.traits for s in remembered.stations if s.traits is not None}
        self._links: dict[StationId, tuple[Connection, Socket]] = {}
        self._chargers: dict[StationId, Charger] = {}
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
        for station in sorted(self._told.keys() & self._host.site.stations.keys()):  # the site file has the last word
            self._host.take(*self._charger(station).news(self._host.clock.now()))
        self._server = await serve(
            self._serve,
            self._listen.host,
            self._listen.port,
            process_request=self._admit,
            select_subprotocol=choose,
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
        return self.activity.n_replies_held

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
            for connection, socket in tuple(self._links.values()):
                connection.on_time()
                if connection.must_close is not None:
                    self._spawn(hang_up(socket, *connection.must_close))

    # -- handshake -------------------------------------------------------------------------------------------------

    def _admit(self, socket: ServerConnection, request: Request) -> Response | None:
        """Before the upgrade: path, identity and password. Unknown and wrong get the same answer [G01]."""
        identity = identity_of(request.path, self._settings.path)
        if identity is None:
            return socket.respond(HTTPStatus.NOT_FOUND, f"connect to {self._settings.path}/<identity>\n")
        address = str(socket.remote_address[0]) if socket.remote_address else ""
        try:
            header = request.headers.get("Authorization")
        except LookupError:  # more than one header
            header = None
        verdict = self._keeper.judge(identity, header, address, self._host.clock.monotonic_s())
        if verdict.station is not None and verdict.station in self._host.site.stations:
            if verdict.station != identity:
                log.info("connects by an alias", extra={"station": verdict.station, "alias": identity})
            return None
        self._refused(identity, address, verdict.resembles)
        response = socket.respond(HTTPStatus.UNAUTHORIZED, "unknown station or wrong password\n")
        response.headers["WWW-Authenticate"] = 'Basic realm="OCPP", charset="UTF-8"'
        return response

    def _refused(self, identity: str, address: str, resembles: StationId | None) -> None:
        """Tell the log; of a station that only writes its identity otherwise, tell its history as well, once [G-55]."""
        if resembles is None:
            log.warning("refused", extra={"station": identity[:48], "address": address})
            return
        remedy = admitted_by(identity[:64], resembles)
        log.warning("refused", extra={"station": identity[:48], "address": address, "remedy": remedy})
        if resembles not in self._misnamed:
            self._misnamed.add(resembles)
            self._host.take(
                ev.CommandAnswered(
                    at=self._host.clock.now(),
                    no=next(self._numbers),
                    station=resembles,
                    command="Connect",
                    accepted=False,
                    detail=remedy,
                )
            )

    # -- one station -----------------------------------------------------------------------------------------------

    async def _serve(self, socket: ServerConnection) -> None:
        assert socket.request is not None  # the handshake is done  # noqa: S101
        station = self._directory.find(identity_of(socket.request.path, self._settings.path) or "")
        assert station is not None  # it was admitted  # noqa: S101
        chosen = socket.subprotocol
        if chosen is None:
            has_header = "Sec-WebSocket-Protocol" in socket.request.headers
            if has_header or not self._settings.stations[station].assume_ocpp16:
                await socket.close(1002, f"offer one of the subprotocols {', '.join(VERSIONS)}")
                return
            chosen = Subprotocol(ASSUMED)
        await self._live(self._connection(station, str(chosen)), socket)

    async def attach(self, station: StationId, subprotocol: str, socket: Socket) -> None:
        """Serve a station over any transport until the link ends: the life of a WebSocket after its handshake.

        There is no password: it is for callers in the same process. Raises ``ValueError`` for a station that the site
        does not have and for an unknown subprotocol.
        """
        if station not in self._host.site.stations:
            raise ValueError(f"station {station!r} is not in the site file; add it or attach one that is")
        if subprotocol not in VERSIONS:
            raise ValueError(f"subprotocol {subprotocol!r} is unknown; use one of {', '.join(VERSIONS)}")
        await self._live(self._connection(station, subprotocol), socket)

    async def _live(self, connection: Connection, socket: Socket) -> None:
        station = connection.desk.station
        wait_s = connection.charger.linked(self._host.clock.monotonic_s())
        if wait_s:
            log.warning("opens links too often", extra={"station": station, "wait_s": wait_s})
            await self._host.clock.sleep(wait_s)
        await self._replace(station)
        connection.mirror.came_back(self._host.clock.now())
        self._links[station] = (connection, socket)
        self.activity.n += 1
        self._host.take(ev.StationConnected(at=self._host.clock.now(), station=station, ocpp=connection.version.ocpp))
        writer = asyncio.create_task(self._write(connection, socket), name=f"writer-{station}")
        steps = Onboarding(connection, self._params, _pace(), is_known=station in self._accepted)
        onboard = asyncio.create_task(steps.run(), name=f"onboard-{station}")
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
        charger = self._charger(station)
        before = self._links.get(station)
        if before is not None and before[0].is_accepted:
            self._accepted.add(station)  # the link that this one replaces: the station has booted
        return Connection(
            host=self._host,
            desk=Desk(
                station=station,
                site=self._host.site,
                transactions=self._transactions,
                heartbeat_s=self._settings.heartbeat_s,
                accept=self._settings.accept,
                dynamic=charger.dynamic,
            ),
            version=version,
            session=OcppSession(version.ocpp, timeout_s=self._params.call_timeout_s),
            charger=charger,
            timeout_s=self._params.call_timeout_s,
            stale_s=max(self._params.sample_interval_s + 10.0, 30.0),
            numbers=self._numbers,
            spawn=self._spawn,
            activity=self.activity,
            is_accepted=station in self._accepted,
        )

    def _charger(self, station: StationId) -> Charger:
        """What is kept about a station over its links."""
        known = self._chargers.get(station)
        if known is None:
            access = self._settings.stations.get(station)
            operator = access.traits if access is not None else StationTraits()
            known = Charger(station=station, knowledge=Knowledge(rules=builtin(), operator=operator))
            if station in self._told:
                known.remember(self._told[station])
            self._chargers[station] = known
        return known

    def link(self, station: StationId) -> Connection | None:
        """The open link of a station."""
        found = self._links.get(station)
        return found[0] if found is not None else None

    async def _replace(self, station: StationId) -> None:
        """A newer authenticated connection wins; commands go to exactly one [A08]."""
        old = self._links.pop(station, None)
        if old is None:
            return
        self.takeovers += 1
        log.warning("replaced", extra={"station": station})
        old[0].on_close()
        self._spawn(hang_up(old[1], *REPLACED))

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

    async def _read(self, connection: Connection, socket: Socket) -> str:
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
                if connection.must_close is not None:
                    await socket.close(*connection.must_close)
                    return connection.must_close[1]
        except (ConnectionClosed, ConnectionError) as closed:
            return connection.must_close[1] if connection.must_close is not None else str(closed)
        return connection.must_close[1] if connection.must_close is not None else "closed by the station"

    @staticmethod
    def _pump(connection: Connection, message: str) -> None:
        try:
            connection.on_text(message)
        except Exception:
            log.exception("message could not be handled", extra={"station": connection.desk.station})
            connection.on_fault("internal error")

    async def _write(self, connection: Connection, socket: Socket) -> None:
        try:
            while True:
                frame = await connection.outbox.get()
                self.frames_sent += 1
                await socket.send(frame)
        except (ConnectionClosed, ConnectionError):
            return  # the reader sees it as well and cleans up

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


def _pace() -> Pace:
    return Pace(without_boot_s=WITHOUT_BOOT_S, retry_s=FAILSAFE_RETRY_S)
