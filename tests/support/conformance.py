"""A simulated station beside what the service knows of it: its own translation, mirror and composite schedule."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.profiles import Wiring
from loadmgr.domain.traits import Traits
from loadmgr.ocpp.mirror import Mirror
from loadmgr.ocpp.versions import TRANSLATIONS
from loadmgr.sim.vehicle import Car
from tests.unit.sim.central import BEGIN, Bench, an_evse, bench_of

ST, EVSE = StationId("s"), EvseId("s/1")
CAR = Car(name="c", wanted_kwh=40.0, battery_kwh=80.0, soc_frac=0.2, n_phases=3, max_a=32.0)
TRAITS = Traits(min_profile_id=100)
"""What the simulated 2.1 station says: ids up to 100 are for external limits."""
Json = dict[str, Any]
Play = Callable[["Pair"], Awaitable[None]]


@dataclass
class Pair:
    """A station, and what the service knows of it."""

    bench: Bench
    mirror: Mirror

    async def send(self, command: cmd.Command) -> list[Json]:
        """Carry a command out as the service does; returns the answers."""
        version = self.bench.twin.dialect.version
        return [await self.call(action, payload) for action, payload in TRANSLATIONS[version](command, TRAITS)]

    async def call(self, action: str, payload: Json) -> Json:
        """One CALL; the mirror learns of it when the station accepts."""
        answer = await self.bench.ask(action, payload)
        if answer.get("status") == "Accepted":
            assert self.mirror.accepted(action, payload, self.bench.clock.now()) == ""
        return answer

    async def plug_in(self, car: Car = CAR) -> str:
        """A car comes; returns the id of its transaction."""
        self.bench.twin.plug_in(car, "tag")
        await self.bench.run(3)
        return self.began()

    def began(self) -> str:
        """The service hears of the transaction."""
        mine = self.bench.twin.transaction
        assert mine is not None
        self.mirror.began(1, mine.id, mine.began_at)
        return mine.id

    @property
    def offered_a(self) -> float:
        """What the station lets the car draw now."""
        return self.bench.twin.outlet.offered_a()

    @property
    def expected_a(self) -> float:
        """What the service thinks that it does."""
        return self.mirror.expected(1, self.bench.clock.now(), 1).periods[0].limit

    async def follow(self, marks: Mapping[float, float]) -> None:
        """At second → A, both sides agree; seconds count from BEGIN."""
        for second, wanted_a in marks.items():
            await self.bench.run(second - (self.bench.clock.now() - BEGIN).total_seconds())
            assert (second, self.offered_a, self.expected_a) == (second, wanted_a, pytest.approx(wanted_a))

    async def agree(self, duration_s: int = 7200) -> None:
        """The station's own composite schedule is the one that the service computes [A-61]."""
        action, place = "GetCompositeSchedule", "connectorId" if self.mirror.ocpp == "1.6" else "evseId"
        answer = await self.call(action, {place: 1, "duration": duration_s, "chargingRateUnit": "A"})
        found = self.mirror.compare(1, answer, self.bench.clock.now())
        assert (found.is_useful, found.reason, found.differs) == (True, "", "")

    @property
    def slots(self) -> set[tuple[int, str, int]]:
        """(EVSE, purpose, level) of what the station holds."""
        return {(p.evse, p.purpose, p.stack) for p in self.bench.twin.profiles.found}


def with_pair(version: str, play: Play, **caps: float) -> None:
    """Play with a station that has booted; ``caps`` are those of its EVSE."""
    evse = an_evse(**caps)
    wiring = Wiring(current_max_a=evse.caps.current_max_a)

    async def run() -> None:
        async with bench_of(version, (), evse) as bench:
            bench.central.checks_schemas = True
            await play(Pair(bench, Mirror(version, {1: wiring})))
            assert bench.central.breaches == []

    asyncio.run(run())


def an_order(pair: Pair, current_a: float, transaction: str = "", **given: Any) -> cmd.SendSetpoint:
    """A setpoint for 180 s from now on."""
    now = pair.bench.clock.now()
    setpoint = Setpoint(
        no=1,
        evse=EVSE,
        current_a=current_a,
        n_phases=3,
        made_at=now,
        valid_until=now + timedelta(seconds=180),
        transaction=transaction,
        **given,
    )
    return cmd.SendSetpoint(no=1, station=ST, setpoint=setpoint)


def a_failsafe(pair: Pair, failsafe_a: float = 6.0) -> cmd.InstallFailsafe:
    """The lasting layers L1 and L2."""
    now = pair.bench.clock.now()
    return cmd.InstallFailsafe(no=1, station=ST, failsafe_a=failsafe_a, station_max_a=32.0, n_phases=3, made_at=now)


def accepted(answers: list[Json]) -> bool:
    """Every call was accepted, and there was one."""
    return bool(answers) and all(a == {"status": "Accepted"} for a in answers)
