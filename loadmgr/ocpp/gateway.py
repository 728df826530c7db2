"""The OCPP central system: who is connected, over which link, and the way of commands to them."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Coroutine
from dataclasses import replace
from types import TracebackType
from typing import Any, Self

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import StationId
from loadmgr.domain.params import ControlParams
from loadmgr.errors import StorageError
from loadmgr.ocpp.charger import Charger
from loadmgr.ocpp.connection import Connection
from loadmgr.ocpp.door import Door
from loadmgr.ocpp.host import Activity, Host
from loadmgr.ocpp.links import Link
from loadmgr.ocpp.onboarding import Onboarding, Pace
from loadmgr.ocpp.quirks import Knowledge, builtin
from loadmgr.ocpp.session import Session as OcppSession
from loadmgr.ocpp.sockets import Socket, SocketLine
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk
from loadmgr.ocpp.transport.contract import Line
from loadmgr.ocpp.transport.listener import Counts, Endpoint, Listener
from loadmgr.ocpp.transport.tls import server_context
from loadmgr.ocpp.versions import VERSIONS
from loadmgr.ports import Remembered
from loadmgr.settings import Address, OcppSettings
from loadmgr.sitefile.models import StationTraits

log = logging.getLogger(__name__)

WITHOUT_BOOT_S = 10.0
FAILSAFE_RETRY_S = (2.0, 10.0, 30.0, 60.0)
"""Waits between tries to install the fail-safe; after them the station is configured and the last wait repeats."""
REPLACED = (1000, "replaced by a newer connection")
DRAIN_S = 5.0
"""At the end, answers that wait for the disk have this time."""
LOOKED_AFTER = 50
"""Links that are looked after before messages have their turn."""


class Gateway:
    """OCPP central system of every version in ``VERSIONS``; an asynchronous context manager and a ``StationLink``.

    ``frames_handled``, ``frames_sent`` and ``pending_replies`` let a lock-step simulation know what is in flight.
    Raises ``OSError`` on entry when an address is taken or a certificate cannot be used.
    """

    def __init__(self, settings: OcppSettings, host: Host, params: ControlParams, remembered: Remembered) -> None:
        self._settings = settings
        self._host = host
        self._params = params
        self._transactions = Transactions.remembered(remembered.sessions)
        self._accepted = {s.station for s in remembered.stations if s.failsafe_a is not None}
        self._told = {s.station: s.traits for s in remembered.stations if s.traits is not None}
        self._links: dict[StationId, Link] = {}
        self._chargers: dict[StationId, Charger] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self._clock_task: asyncio.Task[None] | None = None
        self.door = Door(settings, host, self._begin, self._delay_s, self._numbers)
        self.door.keeper.remember({c.station: c for c in remembered.credentials})
        host.security.tasks.on_credentials = self.door.keeper.settle
        self._listener = Listener(
            self.door.admit,
            settings.limits,
            (),
            ping_s=settings.ping_s,
            proxies=settings.trusted_proxies,
            is_deflating=settings.is_deflating,
        )
        self.frames_handled = 0
        self.takeovers = 0
        self.activity = Activity()

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        for station in sorted(self._told.keys() & self._host.site.stations.keys()):  # the site file has the last word
            self._host.take(*self._charger(station).news(self._host.clock.now()))
        await self._listener.__aenter__()
        await self._listener.change(endpoints(self._settings))
        self._clock_task = asyncio.create_task(self._watch_time(), name="ocpp-timeouts")
        for (address, is_tls), port in self._listener.ports.items():
            facts = {"host": address.host, "port": port, "path": self._settings.path, "tls": is_tls}
            log.info("listening", extra=facts)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Accept nobody any more, give the answers that wait for the disk, say goodbye [F16]."""
        await self._listener.change(())
        if self.pending_replies:
            with contextlib.suppress(StorageError, TimeoutError):  # the stations ask again, then
                async with asyncio.timeout(DRAIN_S):
                    await self._host.durable()
            await asyncio.sleep(0)  # the answers leave now
        await self._listener.__aexit__(kind, value, trace)
        self.door.keeper.close()
        tasks = [*self._tasks] + ([self._clock_task] if self._clock_task is not None else [])
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def reload(self, settings: OcppSettings) -> None:
        """Take addresses, certificates and revocation lists anew; open links live on.

        Raises ``OSError`` for a certificate that cannot be used and for an address that is taken: then nothing has changed.
        """
        await self._listener.change(endpoints(settings))
        self._settings = replace(self._settings, listen=settings.listen, tls=settings.tls)
        self.door.keeper.tls = settings.tls

    def _port_of(self, address: Address | None, *, is_tls: bool) -> int:
        return self._listener.ports.get((address, is_tls), address.port) if address is not None else 0

    @property
    def port(self) -> int:
        """The port it listens on without TLS; 0: none."""
        return self._port_of(self._settings.listen, is_tls=False)

    @property
    def tls_port(self) -> int:
        """The port it listens on with TLS; 0: none."""
        return self._port_of(self._settings.tls.listen if self._settings.tls is not None else None, is_tls=True)

    @property
    def link_counts(self) -> Counts:
        """What happened to sockets since the start."""
        return self._listener.counts

    @property
    def n_sockets(self) -> int:
        """Links over sockets of ours, in whatever phase."""
        return len(self._listener)

    @property
    def frames_sent(self) -> int:
        """Frames handed to the sockets since the start."""
        return self.activity.n_sent

    @property
    def pending_replies(self) -> int:
        """Answers that wait for the disk."""
        return self.activity.n_replies_held

    def traffic(self, station: StationId) -> tuple[int, int] | None:
        """(frames handled, frames handed to the socket) of the open link of a station."""
        link = self._links.get(station)
        return None if link is None else (link.connection.n_handled, link.connection.n_sent)

    @property
    def connected(self) -> frozenset[StationId]:
        """Stations with an open link."""
        return frozenset(self._links)

    @property
    def refused_logins(self) -> int:
        """Failed authentications since the start."""
        return self.door.keeper.failures

    def _spawn(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _watch_time(self) -> None:
        while True:
            await self._host.clock.sleep(1.0)
            await self._look_after_links()

    async def _look_after_links(self) -> None:
        for n, (station, link) in enumerate(tuple(self._links.items()), 1):
            if self._links.get(station) is link:
                link.on_time()
            if n % LOOKED_AFTER == 0:
                await asyncio.sleep(0)

    # -- links -----------------------------------------------------------------------------------------------------

    async def attach(self, station: StationId, subprotocol: str, socket: Socket) -> None:
        """Serve a station over any transport until the link ends: the life of a WebSocket after its handshake.

        There is no password: it is for callers in the same process. Raises ``ValueError`` for a station that the site
        does not have and for an unknown subprotocol.
        """
        if station not in self._host.site.stations:
            raise ValueError(f"station {station!r} is not in the site file; add it or attach one that is")
        if subprotocol not in VERSIONS:
            raise ValueError(f"subprotocol {subprotocol!r} is unknown; use one of {', '.join(VERSIONS)}")
        wait_s = self._delay_s(station)
        if wait_s:
            await self._host.clock.sleep(wait_s)
        line = SocketLine(socket)
        await line.carry(self._begin(station, subprotocol, line))

    def _delay_s(self, station: StationId) -> float:
        """How long a station waits that opens links too often [A06, G-44]."""
        wait_s = self._charger(station).linked(self._host.clock.monotonic_s())
        if wait_s:
            log.warning("opens links too often", extra={"station": station, "wait_s": wait_s})
        return wait_s

    def _begin(self, station: StationId, subprotocol: str, line: Line, shown_name: str = "") -> Link:
        connection = self._connection(station, subprotocol, line)
        connection.shown_name = shown_name
        self._replace(station, line)
        link = Link(connection, line, self._handled, self._gone)
        connection.mirror.came_back(self._host.clock.now())
        self._links[station] = link
        self.activity.n += 1
        self._host.take(ev.StationConnected(at=self._host.clock.now(), station=station, ocpp=connection.version.ocpp))
        steps = Onboarding(connection, self._params, _pace(), is_known=station in self._accepted)
        link.onboarding = asyncio.create_task(steps.run(), name=f"onboard-{station}")
        return link

    def _connection(self, station: StationId, subprotocol: str, line: Line) -> Connection:
        version = VERSIONS[subprotocol]
        charger = self._charger(station)
        before = self._links.get(station)
        if before is not None and before.connection.is_accepted:
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
            line=line,
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
        return found.connection if found is not None else None

    def _handled(self) -> None:
        self.frames_handled += 1
        self.activity.n += 1

    def _replace(self, station: StationId, line: Line) -> None:
        """A newer authenticated connection wins; commands go to exactly one [A08]."""
        old = self._links.pop(station, None)
        if old is None:
            return
        self.takeovers += 1
        self.door.taken_over(station, line, old.line)
        old.end(*REPLACED)

    def _gone(self, link: Link, reason: str) -> None:
        if not link.over():
            return  # it was replaced: the station is still connected
        connection = link.connection
        station = connection.desk.station
        del self._links[station]
        self.activity.n += 1
        if connection.is_accepted:
            self._accepted.add(station)
        self._host.take(ev.StationDisconnected(at=self._host.clock.now(), station=station, reason=reason[:200]))

    # -- commands --------------------------------------------------------------------------------------------------

    def send(self, command: cmd.Command) -> None:
        """Deliver a command to its station; a setpoint for one without a link is known not to be in force."""
        link = self._links.get(command.station)
        if link is not None:
            link.connection.send(command)
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


def endpoints(settings: OcppSettings) -> tuple[Endpoint, ...]:
    """Where to listen. Raises ``OSError`` for certificates that cannot be used."""
    found = [Endpoint(address=settings.listen)] if settings.listen is not None else []
    if settings.tls is not None:
        found.append(Endpoint(address=settings.tls.listen, tls=server_context(settings.tls)))
    return tuple(found)
