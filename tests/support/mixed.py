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

VERSIONS = ("1.6", "2.0.1", "2.1")
N = 30
GRACE = timedelta(minutes=10)
"""Judged from here on: before it the chargers are commissioned for the first time."""


def mixed_site(folder: Path, *, n: int = N, current_a: float = 320.0, discharge_kw: float = 0.0) -> Settings:
    """``n`` stations on three feeders behind one metered connection, fail-safe 6 A, with a building load of 60 kW."""
    groups = []
    for feeder in range(3):
        ids = ", ".join(f'"M-{i:02d}"' for i in range(n) if i % 3 == feeder)
        groups.append(
            f"""
[nodes.feeder-{feeder + 1}]
parent = "grid"
current_a = {current_a / 2}
[[station_groups]]
ids = [{ids}]
node = "feeder-{feeder + 1}"
current_max_a = 16
failsafe_a = 6
rotations = ["RST", "STR", "TRS"]
discharge_max_kw = {discharge_kw}
password = "mixed-site-password-01"
"""
        )
    text = f"""
format = 1
[site]
id = "mixed"
timezone = "Europe/Amsterdam"
[nodes.grid]
current_a = {current_a}
meter = "grid"
base_max_a = {current_a - 6.0 * n - 5.0}
[nodes.grid.load]
constant_kw = 45
{"".join(groups)}
[tariff]
currency = "EUR"
[[tariff.bands]]
from = "00:00"
import_per_kwh = 0.20
[[tariff.bands]]
from = "07:00"
import_per_kwh = 0.32
[ocpp]
listen = "127.0.0.1:0"
"""
    (folder / "mixed.toml").write_text(text)
    return on_any_port(Settings.load(folder / "mixed.toml"), f"sqlite:///{folder / 'mixed.db'}")


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


def without_storage(settings: Settings, folder: Path, name: str) -> Settings:
    """The same site on another database."""
    return replace(settings, storage_url=f"sqlite:///{folder / name}.db")
