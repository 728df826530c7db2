"""Simulated days for scenario tests: a service, its gateway, twins over real sockets and a lock-step clock."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

from loadmgr.settings import Settings
from loadmgr.sim.arrivals import Arrival, real_day
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.scenario import Simulation, on_any_port, simulated
from loadmgr.wiring import build_manager, gateway_of

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
WEEKDAY = date(2019, 6, 12)


def local(day: date, hour: int, minute: int = 0, zone: str = "America/Los_Angeles") -> datetime:
    """A local time of day in UTC."""
    return datetime(day.year, day.month, day.day, hour, minute, tzinfo=ZoneInfo(zone)).astimezone(UTC)


def garage(folder: Path, **params: float) -> Settings:
    """The garage on a database in ``folder``."""
    loaded = on_any_port(Settings.load(EXAMPLES / "garage.toml"), f"sqlite:///{folder / 'day.db'}")
    if not params:
        return loaded
    context = replace(loaded.context, params=replace(loaded.context.params, **params))
    return replace(loaded, context=context)


def arrivals_between(settings: Settings, begin: datetime, end: datetime) -> tuple[Arrival, ...]:
    """Real sessions that are there at some time in a span; who came earlier is plugged in at its beginning."""
    found = real_day(settings.context.site, WEEKDAY)
    return tuple(a for a in found if a.until > begin and a.at < end)


@asynccontextmanager
async def a_day(settings: Settings, begin: datetime, arrivals: tuple[Arrival, ...] = ()) -> AsyncIterator[Simulation]:
    """A running service with its simulated world, standing at ``begin``."""
    clock = LockStepClock(begin)
    async with (
        build_manager(settings, clock=clock) as manager,
        gateway_of(manager) as gateway,
    ):
        assert gateway is not None
        async with simulated(settings, clock, (manager, gateway), arrivals) as simulation:
            yield simulation
