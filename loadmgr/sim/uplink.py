"""The link of a twin: connect, boot, deliver in order, queue for the time offline."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ocpp.exceptions import OCPPError
from websockets.exceptions import InvalidHandshake, InvalidStatus

from loadmgr.ports import Clock
from loadmgr.sim.doors import Door, Wire

if TYPE_CHECKING:
    from loadmgr.sim.station import Twin

RETRY_S = 5.0
UNDONE = (ConnectionError, TimeoutError)
Message = Callable[[Any], Awaitable[None]]  # takes the dialect's client


@dataclass(slots=True)
class Activity:
    """A counter that all twins of a simulation move with every frame and every link."""

    n: int = 0


@dataclass(slots=True)
class Uplink:
    """One twin's link and what waits for it. ``client`` and ``wire`` are ``None`` without a link."""

    twin: Twin
    door: Door
    clock: Clock
    activity: Activity
    client: Any = None  # the ocpp package has no types
    wire: Wire | None = None
    needs_boot: bool = True
    is_busy: bool = False
    n_sent: int = 0
    n_handled: int = 0
    n_links: int = 0
    n_refused_logins: int = 0
    queue: deque[Message] = field(default_factory=deque)
    _queued: asyncio.Event = field(default_factory=asyncio.Event)
    _may_connect: asyncio.Event = field(default_factory=asyncio.Event)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._may_connect.set()

    def start(self) -> list[asyncio.Task[None]]:
        """Begin to connect and deliver."""
        self._tasks = [
            asyncio.create_task(self._link_loop(), name=f"link-{self.twin.id}"),
            asyncio.create_task(self._deliver_loop(), name=f"deliver-{self.twin.id}"),
        ]
        return self._tasks

    def enqueue(self, message: Message) -> None:
        """Deliver after everything that waits already."""
        self.queue.append(message)
        self._queued.set()

    def poke(self) -> None:
        """Look at the queue again."""
        self._queued.set()

    async def send(self, wire: Wire, text: str) -> None:
        """Send one frame and count it."""
        self.n_sent += 1
        self.activity.n += 1
        await wire.send(text)

    def count_handled(self) -> None:
        """A frame of the central system has been handled."""
        self.n_handled += 1
        self.activity.n += 1

    async def go_offline(self) -> None:
        """Lose the link and stay away until ``go_online``."""
        self._may_connect.clear()
        await self.close()

    def go_online(self) -> None:
        """May connect again."""
        self._may_connect.set()

    async def close(self) -> None:
        """Close the link in order; it comes back by itself when it may."""
        if self.wire is not None:
            await self.wire.close()

    async def _link_loop(self) -> None:
        while True:
            await self._may_connect.wait()
            self.is_busy = True
            self.activity.n += 1
            try:
                async with self.door.open(self.twin.id, self.twin.dialect.subprotocol, self.twin.faults) as wire:
                    self._connected(wire)
                    await self._follow()
            except (OSError, InvalidStatus, InvalidHandshake, TimeoutError) as error:
                self.n_refused_logins += isinstance(error, InvalidStatus)
            finally:
                self._lost()
            await self.clock.sleep(RETRY_S)

    def _connected(self, wire: Wire) -> None:
        self.n_sent = self.n_handled = 0
        self.n_links += 1
        self.wire = wire
        self.client = self.twin.dialect.client(self.twin, wire)
        self.twin.on_link()
        self._queued.set()
        self.is_busy = False
        self.activity.n += 1

    def _lost(self) -> None:
        client, self.wire, self.client, self.is_busy = self.client, None, None, False
        self.activity.n += 1
        if client is not None:
            client.lost()
            self.twin.on_link_lost()

    async def _follow(self) -> None:
        """Read until the link ends."""
        with contextlib.suppress(ConnectionError):
            await self.client.start()

    async def _deliver_loop(self) -> None:
        """Messages in order; what cannot be delivered waits for the next link."""
        while True:
            await self._queued.wait()
            self._queued.clear()
            while self.client is not None and (self.needs_boot or self.queue):
                client = self.client
                try:
                    await self._deliver_next(client)
                except OCPPError as error:
                    self.twin.errors.append(f"{type(error).__name__}: {error}")
                    if not self.needs_boot:
                        self.queue.popleft()  # the central system refused it: repeating would not help
                    else:
                        await self.clock.sleep(RETRY_S)
                except UNDONE:
                    if self.client is client:
                        await self.clock.sleep(RETRY_S)

    async def _deliver_next(self, client: Any) -> None:
        if self.needs_boot:
            if not await self.twin.boot(client):
                await self.clock.sleep(RETRY_S)
                return
            self.needs_boot = False
        elif self.queue:
            message = self.queue[0]
            await message(client)
            if self.queue and self.queue[0] is message:
                self.queue.popleft()
