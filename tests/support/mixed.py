"""A mixed site for scenarios: thirty stations of three versions, every second one with a quirk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from loadmgr.domain.ids import StationId
from loadmgr.settings import Settings
from loadmgr.sim.arrivals import Arrival
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.scenario import Simulation, afflict, on_any_port, simulated
from loadmgr.sim.station import Twin
from loadmgr.wiring import build_manager, gateway_of
from tests.support.days import EXAMPLES

VERSIONS = ("1.6",) * 10 + ("2.0.1",) * 10 + ("2.1",) * 10
GRACE = timedelta(minutes=10)
"""Judged from here on: before it the chargers are commissioned for the first time."""

COARSE = {"protect_s": 2.0, "plan_s": 60.0, "plan_life_s": 180.0, "sample_interval_s": 20.0}
"""Control periods that a simulated day can afford; all of them are slower than the defaults."""


def mixed_site(folder: Path, name: str = "mixed") -> Settings:
    """The mixed yard with coarse control periods; its old stations may come without a subprotocol [G-40]."""
    loaded = on_any_port(Settings.load(EXAMPLES / "mixed.toml"), f"sqlite:///{folder / name}.db")
    stations = {
        station: replace(access, assume_ocpp16=str(station).startswith("old"))
        for station, access in loaded.ocpp.stations.items()
    }
    params = replace(loaded.context.params, **COARSE)
    context = replace(loaded.context, params=params)
    return replace(loaded, context=context, ocpp=replace(loaded.ocpp, stations=stations))


@asynccontextmanager
async def a_mixed_day(
    settings: Settings,
    begin: datetime,
    arrivals: tuple[Arrival, ...],
    *,
    seed: int,
    socketless: bool = False,
    drawn: dict[StationId, str] | None = None,
) -> AsyncIterator[Simulation]:
    """A service with its world; every second twin has a random quirk by ``seed``, noted in ``drawn``."""

    def prepare(twins: Mapping[StationId, Twin]) -> None:
        found = afflict(twins, seed=seed, is_socketless=socketless)
        if drawn is not None:
            drawn.update(found)

    clock = LockStepClock(begin)
    async with build_manager(settings, clock=clock) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        start = partial(simulated, settings, clock, (manager, gateway), arrivals)
        async with start(seed=seed, versions=VERSIONS, socketless=socketless, prepare=prepare) as simulation:
            yield simulation
