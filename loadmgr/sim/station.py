"""A station twin: link, queue for the time offline, plug-in to plug-out. The versions differ in ``Dialect``."""

from __future__ import annotations

import asyncio
import base64
import contextlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from ocpp.exceptions import OCPPError
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake, InvalidStatus
from websockets.typing import Subprotocol

from loadmgr.domain.ids import StationId
from loadmgr.domain.site import Evse
from loadmgr.ports import Clock
from loadmgr.sim.outlet import Faults, Outlet
from loadmgr.sim.profiles import Installed
from loadmgr.sim.vehicle import Car

RETRY_S = 5.0


@dataclass(slots=True)
class Activity:
    """A counter that all twins of a simulation move with every frame and every link."""

    n: int = 0


class Link(Protocol):
    """A client of the ``ocpp`` package on one open socket."""

    async def start(self) -> None:
        """Read messages until the link ends."""


class Dialect(Protocol):
    """What differs between the versions. Every call raises ``ConnectionClosed`` or ``TimeoutError`` without a link."""

    subprotocol: str

    def client(self, station: Twin, socket: Any) -> Link:  # the ocpp package has no types
        """A client for a new socket."""

    async def boot(self, client: Any) -> None:
        """Announce the station."""

    async def status(self, client: Any, outlet: Outlet, state: str) -> None:
        """Say the state of an EVSE."""

    async def begin(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """Start of a transaction; fills in its id."""

    async def sample(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """Meter values now."""

    async def end(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """End of a transaction."""

    async def main_meter(self, client: Any, at: datetime, current_a: tuple[float, float, float], power_kw: float) -> None:
        """Values of the main meter."""


@dataclass(slots=True)
class Transaction:
    """A transaction of the twin, with what it tells the central system."""

    id_tag: str
    began_at: datetime
    start_wh: int
    id: str = ""
    seq_no: int = 0
    ended_at: datetime | None = None
    stop_wh: int = 0
    reason: str = "Local"

    @property
    def energy_wh(self) -> int:
        """The truth that the service must agree with."""
        return self.stop_wh - self.start_wh


class CountingSocket:
    """A socket that counts text frames and can be cut."""

    def __init__(self, socket: ClientConnection, twin: Twin) -> None:
        self._socket = socket
        self._twin = twin

    async def recv(self) -> Any:  # text of a frame
        """The next frame; handled when the client asks for the one after it."""
        return await self._socket.recv()

    async def send(self, text: str) -> None:
        """Send one frame."""
        self._twin.n_sent += 1
        self._twin.activity.n += 1
        await self._socket.send(text)


@dataclass(slots=True)
class Twin:
    """One simulated charging station with one EVSE."""

    id: StationId
    evse: Evse
    url: str
    password: str
    clock: Clock
    dialect: Dialect
    on_change: Callable[[], None]
    sample_interval_s: float = 30.0
    faults: Faults = field(default_factory=Faults)
    profiles: Installed = field(default_factory=Installed)
    settings: dict[str, str] = field(default_factory=dict)
    transaction: Transaction | None = None
    finished: list[Transaction] = field(default_factory=list)
    activity: Activity = field(default_factory=Activity)
    n_sent: int = 0
    n_handled: int = 0
    n_refused_logins: int = 0
    errors: list[str] = field(default_factory=list)
    is_busy: bool = False
    _main_meter: tuple[tuple[float, float, float], float] | None = None
    outlet: Outlet = field(init=False)
    client: Any = None  # the ocpp package has no types
    _socket: ClientConnection | None = None
    _queue: deque[Callable[[Any], Awaitable[None]]] = field(default_factory=deque)
    _queued: asyncio.Event = field(default_factory=asyncio.Event)
    _lost: asyncio.Event = field(default_factory=asyncio.Event)
    _may_connect: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _sampler: asyncio.Task[None] | None = None
    _needs_boot: bool = True

    def __post_init__(self) -> None:
        self.outlet = Outlet(self.evse, self.clock, self.profiles, self.faults, self.on_change)
        self._may_connect.set()

    @property
    def is_connected(self) -> bool:
        """True while the link is open."""
        return self._socket is not None

    @property
    def has_undelivered(self) -> bool:
        """True while messages wait for the central system."""
        return bool(self._queue)

    def check(self) -> None:
        """Raise what ended one of the twin's tasks: a dead twin must not look like a quiet one."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    # -- life ------------------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Begin to live: physics, link, deliveries."""
        self._tasks = [
            asyncio.create_task(self.outlet.run(), name=f"physics-{self.id}"),
            asyncio.create_task(self._link_loop(), name=f"link-{self.id}"),
            asyncio.create_task(self._deliver_loop(), name=f"deliver-{self.id}"),
        ]

    async def stop(self) -> None:
        """End everything."""
        tasks = [*self._tasks, *([self._sampler] if self._sampler is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        if self._socket is not None:
            await self._socket.close()

    async def _link_loop(self) -> None:
        while True:
            await self._may_connect.wait()
            self.is_busy = True
            self.activity.n += 1
            try:
                async with self._open() as socket:
                    self.n_sent = self.n_handled = 0
                    self._socket = socket
                    self._lost.clear()
                    self.client = self.dialect.client(self, CountingSocket(socket, self))
                    self._queued.set()
                    self.is_busy = False
                    self.activity.n += 1
                    await self._follow()
            except (OSError, InvalidStatus, InvalidHandshake, TimeoutError) as error:
                self.n_refused_logins += isinstance(error, InvalidStatus)
            finally:
                self._socket, self.client, self.is_busy = None, None, False
                self._lost.set()
                self.activity.n += 1
            await self.clock.sleep(RETRY_S)

    async def _follow(self) -> None:
        reading = asyncio.ensure_future(self.client.start())
        try:
            await asyncio.wait({reading})
        finally:
            reading.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionClosed):
                await reading

    @contextlib.asynccontextmanager
    async def _open(self) -> AsyncIterator[ClientConnection]:
        token = base64.b64encode(f"{self.id}:{self.password}".encode()).decode()
        async with connect(
            f"{self.url}/{self.id}",
            subprotocols=[Subprotocol(self.dialect.subprotocol)],
            additional_headers={"Authorization": f"Basic {token}"},
            compression=None,
            ping_interval=None,
            close_timeout=1,
        ) as socket:
            yield socket

    async def go_offline(self) -> None:
        """Lose the link and stay away until ``go_online``."""
        self._may_connect.clear()
        if self._socket is not None:
            await self._socket.close()

    def go_online(self) -> None:
        """May connect again."""
        self._may_connect.set()

    async def reboot(self) -> None:
        """Forget what does not persist, drop the link, boot when it is back; the transaction goes on."""
        self.profiles.reboot()
        self._needs_boot = True
        self.outlet.wake.set()
        if self._socket is not None:
            await self._socket.close()

    # -- deliveries ------------------------------------------------------------------------------------------------

    def _enqueue(self, message: Callable[[Any], Awaitable[None]]) -> None:
        self._queue.append(message)
        self._queued.set()

    async def _deliver_loop(self) -> None:
        """Messages in order; what cannot be delivered waits for the next link."""
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self.client is not None and (self._needs_boot or self._queue):
                client = self.client
                try:
                    await self._unless_lost(self._deliver_next(client))
                except OCPPError as error:
                    self.errors.append(f"{type(error).__name__}: {error}")
                    if not self._needs_boot:
                        self._queue.popleft()  # the central system refused it: repeating would not help
                    else:
                        await self.clock.sleep(RETRY_S)
                except (ConnectionClosed, TimeoutError):
                    if self.client is client:
                        await self.clock.sleep(RETRY_S)

    async def _deliver_next(self, client: Any) -> None:
        if self._needs_boot:
            await self.dialect.boot(client)
            self._needs_boot = False
            await self.dialect.status(client, self.outlet, self._state())
        elif self._queue:
            await self._queue[0](client)
            self._queue.popleft()

    async def _unless_lost(self, work: Coroutine[Any, Any, None]) -> None:
        """Do the work unless the link breaks meanwhile; then it is undone and the message stays queued."""
        working = asyncio.ensure_future(work)
        losing = asyncio.ensure_future(self._lost.wait())
        try:
            await asyncio.wait({working, losing}, return_when=asyncio.FIRST_COMPLETED)
            if not working.done():
                raise TimeoutError("the link broke before the answer came")
            working.result()
        finally:
            for task in (working, losing):
                task.cancel()
            await asyncio.gather(working, losing, return_exceptions=True)

    def _state(self) -> str:
        if self.outlet.car is None:
            return "Available"
        if not self.outlet.in_transaction:
            return "Preparing"
        if self.outlet.current_a > 0:
            return "Charging"
        return "SuspendedEVSE" if self.outlet.offered_a() < 6.0 else "SuspendedEV"

    # -- cars ------------------------------------------------------------------------------------------------------

    def plug_in(self, car: Car, id_tag: str) -> None:
        """A car arrives and its driver is known: the transaction starts."""
        self.outlet.plug(car)
        now = self.clock.now()
        self._enqueue(lambda c: self.dialect.status(c, self.outlet, "Preparing"))
        message = Transaction(id_tag=id_tag, began_at=now, start_wh=self.outlet.register_wh())
        self.transaction = message
        self.outlet.in_transaction = True
        self.outlet.wake.set()
        self._enqueue(lambda c: self.dialect.begin(c, self.outlet, message))
        self._enqueue(lambda c: self.dialect.status(c, self.outlet, "Charging"))
        self._sampler = asyncio.create_task(self._sample_loop(message), name=f"sampler-{self.id}")

    def plug_out(self, reason: str = "EVDisconnected") -> None:
        """The car leaves: the transaction ends with the register of this moment."""
        message = self.transaction
        if message is None:
            return
        if self._sampler is not None:
            self._sampler.cancel()
        message.ended_at, message.stop_wh = self.clock.now(), self.outlet.register_wh()
        message.reason = reason
        self.outlet.unplug()
        self.profiles.end_transaction(self.evse.number)
        self.transaction = None
        self.finished.append(message)
        self._enqueue(lambda c: self.dialect.end(c, self.outlet, message))
        self._enqueue(lambda c: self.dialect.status(c, self.outlet, "Available"))

    async def _sample_loop(self, message: Transaction) -> None:
        while True:
            await self.clock.sleep(self.sample_interval_s)
            if self.client is not None and message.id and not self.faults.silent_meter and not self._queue:
                self._enqueue(lambda c: self.dialect.sample(c, self.outlet, message))

    def triggered(self, message: str) -> str:
        """Answer to a TriggerMessage, and what it asks for."""
        current = self.transaction
        if message == "StatusNotification":
            self._enqueue(lambda c: self.dialect.status(c, self.outlet, self._state()))
            return "Accepted"
        if message in {"MeterValues", "TransactionEvent"} and current is not None and current.id:
            self._enqueue(lambda c: self.dialect.sample(c, self.outlet, current))
            return "Accepted"
        return "Rejected"

    async def own_transaction(self) -> Transaction | None:
        """The running transaction, once the answer that gives it its id has been read."""
        for _ in range(50):
            if self.transaction is None or self.transaction.id:
                break
            await asyncio.sleep(0)
        return self.transaction

    def report_main_meter(self, current_a: tuple[float, float, float], power_kw: float) -> None:
        """The station's main meter (connector 0) says what it sees; only the newest value waits."""
        if self.client is None or self._main_meter is not None:
            self._main_meter = (current_a, power_kw) if self.client is not None else None
            return
        self._main_meter = (current_a, power_kw)

        async def send(client: Any) -> None:
            reading, self._main_meter = self._main_meter, None
            if reading is not None:
                await self.dialect.main_meter(client, self.clock.now(), *reading)

        self._enqueue(send)

    async def answer_slowly(self) -> None:
        """The delay and silence faults of answers."""
        if self.faults.answer_delay_s > 0:
            await self.clock.sleep(self.faults.answer_delay_s)
        if self.faults.never_answers:
            await asyncio.Event().wait()
