"""A simulated day: service, gateway, twins over real sockets, and the drivers' app."""

from __future__ import annotations

import asyncio
import itertools
import random
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime

from loadmgr.domain import events as ev
from loadmgr.domain.ids import SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.session import Session
from loadmgr.errors import NotFoundError, StorageError
from loadmgr.ocpp.gateway import Gateway
from loadmgr.ports import Clock
from loadmgr.runtime import LoadManager
from loadmgr.settings import Address, OcppSettings, Settings
from loadmgr.sim.arrivals import Arrival
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.dialect import Dialect
from loadmgr.sim.doors import Attach, PipeDoor
from loadmgr.sim.quirks import drawn, switch_on
from loadmgr.sim.station import Twin
from loadmgr.sim.twin16 import Dialect16
from loadmgr.sim.twin21 import Dialect21
from loadmgr.sim.twin201 import Dialect201
from loadmgr.sim.uplink import Activity
from loadmgr.sim.world import World

APP_DELAY_S = 3.0
COMMISSIONED_S = 30.0
"""Cars come when the stations have their fail-safe: a charger that never had one draws what it likes."""


def on_any_port(settings: Settings, storage_url: str) -> Settings:
    """The same site on free ports and another database."""
    free = Address(host="127.0.0.1", port=0)
    return replace(
        settings,
        storage_url=storage_url,
        ocpp=hurried(replace(settings.ocpp, listen=free, ping_s=None), 500.0),
        api=replace(settings.api, listen=free),
    )


def hurried(settings: OcppSettings, speed: float) -> OcppSettings:
    """The same gateway for a time that runs so much faster than the sockets' own: as many messages more per second."""
    limits = settings.limits
    n_at_once = int(limits.messages_at_once * max(speed, 1.0))
    return replace(
        settings,
        limits=replace(
            limits,
            messages_per_s=limits.messages_per_s * max(speed, 1.0),
            messages_at_once=n_at_once,
            overtime_per_s=limits.overtime_per_s * max(speed, 1.0),
        ),
    )


@dataclass(slots=True)
class Simulation:
    """A world with its twins and drivers, connected to a running service."""

    settings: Settings
    clock: Clock
    manager: LoadManager
    gateway: Gateway
    world: World
    arrivals: tuple[Arrival, ...] = ()
    activity: Activity = field(default_factory=Activity)
    n_apps_busy: int = 0
    _quiet: tuple[int, int] = (-1, -1)
    _busiest: Twin | None = None
    """The twin that was found busy last: it is looked at first."""
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)

    @property
    def twins(self) -> Mapping[StationId, Twin]:
        """All twins by station."""
        return self.world.twins

    def in_flight(self) -> str:
        """What is under way, or "": a lock-step clock waits for it."""
        if self.manager.is_busy:
            return "a plan is being solved"
        if self.gateway.pending_replies:
            return "an answer waits for the disk"
        if self.n_apps_busy:
            return "a driver's app talks to the service"
        seen = (self.gateway.activity.n, self.activity.n)
        if seen == self._quiet:
            return ""
        twins = self.twins.values() if self._busiest is None else itertools.chain((self._busiest,), self.twins.values())
        for twin in twins:
            traffic = self.gateway.traffic(twin.id)
            link = twin.uplink
            if link.is_busy or twin.is_connected != (traffic is not None):
                self._busiest = twin
                return f"{twin.id} connects or disconnects"
            if traffic is not None and (link.n_sent != traffic[0] or link.n_handled != traffic[1]):
                self._busiest = twin
                return f"{twin.id}: sent {link.n_sent}, handled {traffic[0]}; got {link.n_handled} of {traffic[1]}"
        self._quiet, self._busiest = seen, None
        return ""

    def start(self) -> None:
        """Start world, twins and drivers."""
        self.world.start()
        for twin in self.twins.values():
            twin.start()
        self._tasks = [asyncio.create_task(self._drive(a), name=f"driver-{a.name}") for a in self.arrivals]
        self._tasks.append(asyncio.create_task(self._app(), name="app"))

    async def stop(self) -> None:
        """Stop drivers, twins and world."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await asyncio.gather(*(t.stop() for t in self.twins.values()))
        await self.world.stop()

    async def _drive(self, arrival: Arrival) -> None:
        """Come, plug in, leave."""
        twin = self.twins[arrival.station]
        await self.clock.sleep(max((arrival.at - self.clock.now()).total_seconds(), COMMISSIONED_S))
        twin.plug_in(arrival.car, arrival.name[-20:], depart_at=arrival.said_until)
        await self.clock.sleep((arrival.until - self.clock.now()).total_seconds())
        twin.plug_out()

    async def _app(self) -> None:
        """Drivers tell energy and departure some seconds after their session appeared."""
        with self.manager.subscribe(10_000) as events:
            async for event in events:
                if isinstance(event, ev.SessionStarted):
                    self._tasks.append(asyncio.create_task(self._tell(event), name=f"tell-{event.session}"))

    async def _tell(self, event: ev.SessionStarted) -> None:
        by_tag = {a.name[-20:]: a for a in self.arrivals}
        arrival = by_tag.get(event.id_tag)
        if arrival is None or (arrival.said_kwh is None and arrival.said_until is None):
            return
        await self.clock.sleep(APP_DELAY_S)
        intent = arrival.intent()
        self.n_apps_busy += 1
        try:
            await self.manager.set_intent(event.session, intent, actor="app")
        except (NotFoundError, StorageError):
            return  # the car has left again, or the service is going down: the app gives up
        finally:
            self.n_apps_busy -= 1

    async def set_limit(self, limit: Limit) -> None:
        """Set a limit in the service; the truth is judged by it from the time ``grace_s`` later on."""
        await self.manager.set_limit(limit, actor="scenario")

    async def run_to(self, until: datetime) -> None:
        """Let simulated time pass until ``until``."""
        if isinstance(self.clock, LockStepClock):
            await self.clock.advance_to(until, self.in_flight)
        else:
            await self.clock.sleep((until - self.clock.now()).total_seconds())
        for twin in self.twins.values():
            twin.check()

    def truth_wh(self) -> dict[str, int]:
        """Energy that finished transactions drew as the twins measured it, by id tag."""
        found: dict[str, int] = {}
        for twin in self.twins.values():
            for t in twin.finished:
                found[t.id_tag] = found.get(t.id_tag, 0) + t.energy_wh
        return found

    async def service_sessions(self) -> tuple[Session, ...]:
        """Every session as the service stored it."""
        await self.manager.durable()
        return await self.manager.history.sessions(open_only=False, limit=100_000)


VERSIONS = ("1.6", "2.0.1")
"""Versions of the stations of a site, in turn."""


def dialect_of(place: int, versions: Sequence[str] = VERSIONS) -> Dialect:
    """The stations of a site speak ``versions`` in turn."""
    match versions[place % len(versions)]:
        case "1.6":
            return Dialect16()
        case "2.0.1":
            return Dialect201()
        case "2.1":
            return Dialect21()
    raise ValueError(f"version {versions[place % len(versions)]!r} has no twin; use 1.6, 2.0.1 or 2.1")


def afflict(
    twins: Mapping[StationId, Twin], *, every: int = 2, seed: int = 1, is_socketless: bool = False
) -> dict[StationId, str]:
    """Give every n-th twin a random quirk that its version can show; what was drawn, by station."""
    chance = random.Random(seed)  # noqa: S311 a simulation, repeatable by its seed
    found = {}
    for place, twin in enumerate(twins.values()):
        if place % every == every - 1:
            found[twin.id] = drawn(twin.dialect.version, chance, is_socketless=is_socketless)
            switch_on(twin.faults, found[twin.id])
            if twin.faults.other_version_next:
                twin.other_dialect = Dialect201() if twin.dialect.version == "1.6" else Dialect16()
    return found


def make_twins(
    settings: Settings,
    clock: Clock,
    port: int,
    on_change: Callable[[], None],
    *,
    versions: Sequence[str] = VERSIONS,
    attach: Attach | None = None,
) -> dict[StationId, Twin]:
    """A twin for every EVSE-1 station of the site, versions in turn; over a pipe where ``attach`` serves its end."""
    found = {}
    for place, station in enumerate(settings.context.site.stations.values()):
        evse = settings.context.site.evses[station.evses[0]]
        found[station.id] = Twin(
            id=station.id,
            evse=evse,
            url=f"ws://127.0.0.1:{port}{settings.ocpp.path}",
            password=settings.ocpp.stations[station.id].password or "",
            clock=clock,
            dialect=dialect_of(place, versions),
            on_change=on_change,
            sample_interval_s=settings.context.params.sample_interval_s,
            door=None if attach is None else PipeDoor(attach=attach),
        )
    return found


@asynccontextmanager
async def simulated(
    settings: Settings,
    clock: Clock,
    service: tuple[LoadManager, Gateway],
    arrivals: tuple[Arrival, ...] = (),
    *,
    seed: int = 1,
    versions: Sequence[str] = VERSIONS,
    socketless: bool = False,
    prepare: Callable[[Mapping[StationId, Twin]], object] | None = None,
) -> AsyncIterator[Simulation]:
    """A simulation around a running service; twins connect at once.

    ``versions`` in turn; ``socketless``: over pipes in this process; ``prepare`` sees the twins before they start.
    """
    manager, gateway = service
    world = World(context=settings.context, clock=clock, take=manager.take, seed=seed)
    port, attach = (0, gateway.attach) if socketless else (gateway.port, None)
    world.twins = make_twins(settings, clock, port, world.changed, versions=versions, attach=attach)
    simulation = Simulation(settings=settings, clock=clock, manager=manager, gateway=gateway, world=world, arrivals=arrivals)
    for twin in world.twins.values():
        twin.activity = simulation.activity
    if prepare is not None:
        prepare(world.twins)
    simulation.start()
    try:
        yield simulation
    finally:
        await simulation.stop()


def session_of(sessions: tuple[Session, ...], tag: str) -> SessionId | None:
    """Id of the session with this id tag."""
    return next((s.id for s in sessions if s.id_tag == tag), None)
