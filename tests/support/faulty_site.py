"""A site for one faulty charger beside two healthy ones, and the five promises that must hold whatever it does.

A real service with real sockets and a database; ``beside_two`` yields when both healthy cars charge, watches the
promises while the test plays, and judges them when the test is done. Simulated time runs ten times as fast as real time.
"""

from __future__ import annotations

import asyncio
import gc
import logging
import os
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol, TypeVar

from hypothesis import HealthCheck, Phase, settings

from loadmgr.control.guard import violations
from loadmgr.control.site_state import allowed_a, rest_a
from loadmgr.control.state import FailsafeState
from loadmgr.domain.ids import EvseId, NodeId, StationId
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from loadmgr.settings import Address
from loadmgr.sim.clock import ScaledClock
from loadmgr.sim.scenario import make_twins
from loadmgr.sim.station import Twin
from loadmgr.sim.vehicle import Car
from loadmgr.sim.world import World
from loadmgr.wiring import build_manager, gateway_of
from tests.support.chargers import Raw, Replies, charger, start, until
from tests.support.faulty_settings import faulty_site
from tests.support.reaction import overloads

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
FACTOR = 10.0
ODD, ODD_EVSE, ODD_PASSWORD = StationId("odd"), EvseId("odd/1"), "odd-password-0001"
GOOD, GOOD_PASSWORD = (StationId("good-1"), StationId("good-2")), "good-password-0002"
LOOK_S = 0.01
PROBE_S = 0.2
ANSWER_S = 2.0
"""An answer to a healthy charger or a tick that takes longer, in real time, was held up by the faulty one [P4]."""


class HasPort(Protocol):
    """Something to connect to: the gateway, or a proxy before it."""

    @property
    def port(self) -> int:
        """On loopback."""


@dataclass(slots=True)
class FaultySite:
    """A running service with two healthy cars that charge, and what was seen to go wrong."""

    manager: LoadManager
    gateway: Gateway
    world: World
    clock: ScaledClock
    complaints: list[str] = field(default_factory=list)
    answers_s: list[float] = field(default_factory=list)
    worst_tick_s: float = 0.0
    """Longest time without a protect tick, in seconds of the service's clock."""
    links: int = 1
    """How often a healthy charger has to connect."""
    reaction_s: float = 0.0
    """An overload may last so long, in seconds of the service's clock, where the fault is a charger that draws too much."""
    _over_since: datetime | None = None

    @property
    def good(self) -> tuple[Twin, ...]:
        """The healthy chargers."""
        return tuple(self.world.twins[s] for s in GOOD)

    def odd(
        self, *, via: HasPort | None = None, version: str = "1.6", boots: bool = True, replies: Replies | None = None
    ) -> AbstractAsyncContextManager[Raw]:
        """The faulty charger, well-behaved so far; ``via`` a proxy."""
        place: Any = via if via is not None else self.gateway
        return charger(place, ODD, password=ODD_PASSWORD, protocol=f"ocpp{version}", boots=boots, replies=replies)

    @asynccontextmanager
    async def commissioned(self, **how: Any) -> AsyncIterator[Raw]:
        """The faulty charger with its fail-safe installed and its configuration done."""
        async with self.odd(**how) as raw:
            await until(lambda: self.odd_failsafe is FailsafeState.CONFIRMED)
            yield raw

    @asynccontextmanager
    async def odd_twin(self, *, version: str = "1.6", **faults: Any) -> AsyncIterator[Twin]:
        """The faulty charger as a simulated one with ``faults`` of its own; its transactions must be recorded as well."""
        twins = make_twins(
            self.manager.settings, self.clock, self.gateway.port, self.world.changed, versions=("1.6", "2.0.1", version)
        )
        twin = self.world.twins[ODD] = twins[ODD]
        for name, value in faults.items():
            assert hasattr(twin.faults, name)
            setattr(twin.faults, name, value)
        twin.start()
        try:
            yield twin
            twin.plug_out()
            await until(lambda: not self.odd_sessions and not twin.has_undelivered)
            found = [round(s.energy_kwh * 1000) for s in await self.stored(ODD_EVSE)]
            assert len(found) == len(twin.finished), "P3: one record for each transaction"
            wrong = [(a, b.energy_wh) for a, b in zip(found, twin.finished, strict=True) if abs(a - b.energy_wh) > 1]
            assert wrong == [], "P3: (recorded, drawn) Wh"
        finally:
            await twin.stop()

    def charge_odd(self) -> None:
        """A car comes to the faulty charger, which is simulated."""
        car = Car(name="odd", wanted_kwh=60.0, battery_kwh=80.0, soc_frac=0.1, n_phases=3)
        self.world.twins[ODD].plug_in(car, "tag-odd")

    @property
    def odd_failsafe(self) -> FailsafeState:
        """What the service knows of the fail-safe of the faulty charger."""
        return self.manager.state.stations[ODD].failsafe

    @property
    def odd_is_online(self) -> bool:
        """Is its link open, as the gateway and the state agree to say?"""
        found = ODD in self.gateway.connected
        assert self.manager.state.stations[ODD].is_connected == found
        return found

    @property
    def odd_sessions(self) -> list[Any]:
        """Running sessions at the faulty charger."""
        return [s for s in self.manager.state.sessions.values() if s.evse == ODD_EVSE]

    async def stored(self, evse: EvseId | None = None) -> list[Any]:
        """Every session in the database, of one EVSE or of all."""
        await self.manager.durable()
        found = await self.manager.history.sessions(open_only=False, limit=100_000)
        return [s for s in found if evse is None or s.evse == evse]

    def stamp(self, after_s: float = 0.0) -> str:
        """A time so long after now, as a charger writes it."""
        return (self.clock.now() + timedelta(seconds=after_s)).strftime("%Y-%m-%dT%H:%M:%SZ")

    def start(self, **other: Any) -> dict[str, Any]:
        """A StartTransaction of now."""
        return start(at=self.stamp(), **other)

    def stop(self, transaction: int, meter: int = 2000) -> dict[str, Any]:
        """A StopTransaction of now."""
        return {"transactionId": transaction, "meterStop": meter, "timestamp": self.stamp()}

    def counted_a(self, station: StationId) -> float:
        """What a station must be counted with: what it may draw, and what it falls back to without a link [P2]."""
        state, evse = self.manager.state, EvseId(f"{station}/1")
        return max(allowed_a(state, evse, self.clock.now()), rest_a(state, evse))

    # -- watching --------------------------------------------------------------------------------------------------

    def look(self) -> None:
        """Judge what is allowed at this moment, by the independent checker [P1, P2]."""
        state, now = self.manager.state, self.clock.now()
        over = self._overloads(now)
        self._over_since = (self._over_since or now) if over else None
        if self._over_since is not None and (now - self._over_since).total_seconds() >= self.reaction_s:
            self.complaints += over
        if not state.stations[ODD].is_connected and self.counted_a(ODD) < 6.0:
            self.complaints.append(f"P2: without a link the faulty charger counts {self.counted_a(ODD):g} A")
        self.worst_tick_s = max(self.worst_tick_s, self.manager.health().tick_age_s)

    def _overloads(self, now: datetime) -> list[str]:
        """What would overload the fuse if everybody drew what he may."""
        state, grid, said = self.manager.state, NodeId("grid"), []
        drawn = [t.outlet.phase_a for t in self.world.twins.values()]
        (whole, _) = self.world.loads()[grid]
        base = [float(whole[i].real) - sum(d[i] for d in drawn) for i in range(3)]
        for name, values in {
            "what the service allows": [allowed_a(state, EvseId(f"{s}/1"), now) for s in (*GOOD, ODD)],
            "what chargers offer and the faulty one may draw": [
                *(t.outlet.offered_a() for t in self.good),
                self.counted_a(ODD),
            ],
        }.items():
            sums = tuple(b + sum(values) for b in base)
            for found in violations(state.site, (), {grid: (sums, 0.0)}, now):  # type: ignore[dict-item]
                said.append(f"P1: {name} is {values}, with the house {found.value:.1f} A of {found.limit:g} A")
        return said

    async def watch(self) -> None:
        """Look all the time."""
        while True:
            self.look()
            await asyncio.sleep(LOOK_S)

    async def probe(self) -> None:
        """Healthy chargers ask for the time, and note how long the answer takes [P4]."""
        while True:
            for twin in self.good:
                if twin.client is not None and not twin.has_undelivered:
                    twin.enqueue(partial(self._heartbeat, twin))
            await asyncio.sleep(PROBE_S)

    async def _heartbeat(self, twin: Twin, client: Any) -> None:
        began_s = asyncio.get_running_loop().time()
        twin.is_heartbeat_due = True
        await twin.dialect.minute(client, twin)
        self.answers_s.append(asyncio.get_running_loop().time() - began_s)

    # -- the promises ----------------------------------------------------------------------------------------------

    async def judge(self) -> None:
        """The five promises, with the healthy cars gone and everything on disk."""
        self.look()
        n_before = len(self.answers_s)
        await until(lambda: len(self.answers_s) >= n_before + 2 * len(self.good))
        for twin in self.good:
            twin.plug_out()
        await until(lambda: not any(s.evse != ODD_EVSE for s in self.manager.state.sessions.values()))
        await until(lambda: not any(t.has_undelivered for t in self.good))
        assert self.complaints == []
        if self.reaction_s:
            found = overloads(self.manager.site, self.world.moments)
            assert [str(o) for o in found] == [], "P1: the fuse carried more, or longer, than a breaker bears"
        else:
            assert [str(v) for v in self.world.judged()] == [], "P1: the fuse carried too much"
        await self._records()
        self._liveliness()

    async def _records(self) -> None:
        """P3 and P5: each healthy transaction is one record with its energy, and nothing of another's making is there."""
        for twin in self.good:
            twin.check()
            (truth,) = twin.finished
            (found,) = await self.stored(twin.evse.id)
            assert found.id_tag == truth.id_tag == f"tag-{twin.id}"
            assert abs(found.energy_kwh * 1000.0 - truth.energy_wh) <= 1.0, f"P3: {found} against {truth}"
            assert truth.energy_wh > 0
            assert found.ended_at is not None
            assert twin.errors == [], "P5: a healthy charger was refused something"
            assert twin.uplink.n_links == self.links, "P5: a healthy charger lost its link"
        assert {s.evse for s in await self.stored()} <= {ODD_EVSE, *(t.evse.id for t in self.good)}

    def _liveliness(self) -> None:
        """P4."""
        stats, health = self.manager.stats, self.manager.health()
        assert (stats.protect_failures, stats.plan_failures) == (0, 0)
        assert health.is_ready, health.reasons
        assert self.worst_tick_s <= self.manager.state.params.protect_s + ANSWER_S * FACTOR
        assert max(self.answers_s) <= ANSWER_S


@asynccontextmanager
async def beside_two(
    folder: Path, *, links: int = 1, reaction_s: float = 0.0, host: str = "127.0.0.1", **how: Any
) -> AsyncIterator[FaultySite]:
    """The service with two healthy cars that charge; afterwards the five promises. ``how``: see ``faulty_site``."""
    site_settings = faulty_site(folder, **how)
    site_settings = replace(site_settings, ocpp=replace(site_settings.ocpp, listen=Address(host=host.strip("[]"), port=0)))
    clock = ScaledClock(BEGIN, FACTOR)
    with _complaints() as complaints:
        async with build_manager(site_settings, clock=clock) as manager, gateway_of(manager) as gateway:
            assert gateway is not None
            world = World(context=site_settings.context, clock=clock, take=manager.take)
            twins = make_twins(site_settings, clock, gateway.port, world.changed, versions=("1.6", "2.0.1"))
            world.twins = {s: twins[s] for s in GOOD}
            if host != "127.0.0.1":
                for twin in world.twins.values():
                    twin.uplink.door = replace(twin.uplink.door, url=f"ws://{host}:{gateway.port}/ocpp")  # type: ignore[type-var]
            site = FaultySite(manager, gateway, world, clock, complaints, links=links, reaction_s=reaction_s)
            async with _charging(site):
                yield site
                await site.judge()
        gc.collect()  # a task that died unseen says so now
    assert complaints == []


def talks(n: int) -> settings:
    """Settings for examples that are talks over a socket: real time, and too slow to be made smaller when one fails."""
    phases = (Phase.explicit, Phase.reuse, Phase.generate)
    return settings(max_examples=n, deadline=None, phases=phases, suppress_health_check=list(HealthCheck))


T = TypeVar("T")
Run = Callable[[Coroutine[Any, Any, T]], T]


@contextmanager
def stepped(folder: Path, **how: Any) -> Iterator[tuple[Run[Any], FaultySite]]:
    """``beside_two`` for hypothesis: the loop turns only while ``run`` has something to do for an example."""
    with asyncio.Runner() as runner, _entered(runner.run, beside_two(folder, **how)) as site:
        yield runner.run, site


@contextmanager
def opened(run: Run[Any], link: AbstractAsyncContextManager[T]) -> Iterator[T]:
    """A link within ``stepped``."""
    with _entered(run, link) as found:
        yield found


@contextmanager
def _entered(run: Run[Any], context: AbstractAsyncContextManager[T]) -> Iterator[T]:
    found = run(context.__aenter__())
    try:
        yield found
    except BaseException as error:
        run(context.__aexit__(type(error), error, error.__traceback__))
        raise
    run(context.__aexit__(None, None, None))


@asynccontextmanager
async def _charging(site: FaultySite) -> AsyncIterator[None]:
    """Both healthy cars charge, and somebody watches."""
    site.world.start()
    for twin in site.good:
        twin.start()
    tasks: list[asyncio.Task[None]] = []
    try:
        stations = site.manager.state.stations
        await until(lambda: all(site.manager.state.stations[s].failsafe is FailsafeState.CONFIRMED for s in GOOD))
        assert stations.keys() >= {ODD, *GOOD}
        for twin in site.good:
            car = Car(name=twin.id, wanted_kwh=60.0, battery_kwh=80.0, soc_frac=0.1, n_phases=3)
            twin.plug_in(car, f"tag-{twin.id}")
        await until(lambda: all(t.outlet.current_a > 0 for t in site.good))
        tasks = [asyncio.create_task(site.watch(), name="watch"), asyncio.create_task(site.probe(), name="probe")]
        yield
    finally:
        for task in tasks:
            task.cancel()
        ended = await asyncio.gather(*tasks, return_exceptions=True)
        await asyncio.gather(*(t.stop() for t in site.good))
        await site.world.stop()
        site.complaints += [f"the harness itself failed: {e!r}" for e in ended if isinstance(e, Exception)]


class _Ear(logging.Handler):
    """Hears errors and whatever was logged with a stack trace."""

    def __init__(self, found: list[str]) -> None:
        super().__init__(logging.WARNING)
        self._found = found

    def emit(self, record: logging.LogRecord) -> None:
        """Note it."""
        if record.levelno >= logging.ERROR or record.exc_info:
            trace = logging.Formatter().formatException(record.exc_info) if record.exc_info else ""
            self._found.append(f"{record.name}: {record.getMessage()} {trace}")


@contextmanager
def _complaints() -> Iterator[list[str]]:
    """Errors in the log and exceptions that nobody handled in the event loop."""
    found: list[str] = []
    ear, loop = _Ear(found), asyncio.get_running_loop()
    loop.set_exception_handler(lambda _, context: found.append(f"unhandled: {context}"))
    logging.getLogger().addHandler(ear)
    try:
        yield found
    finally:
        logging.getLogger().removeHandler(ear)
        loop.set_exception_handler(None)


def n_files() -> int:
    """Open file descriptors of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208


def memory_mb() -> float:
    """Resident memory of this process."""
    fields = Path("/proc/self/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6
