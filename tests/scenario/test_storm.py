"""All stations come back at one moment: each has its layers again within two minutes (domain rule I.7, A07, C04).

A thousand of them in ``make soak``, else a quarter.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadmgr.control.evse_state import Outcome
from loadmgr.control.state import FailsafeState
from loadmgr.settings import Settings
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.scenario import Simulation, on_any_port, simulated
from loadmgr.sim.vehicle import Car
from loadmgr.wiring import build_manager, gateway_of
from tests.support.mixed import COARSE

N = 1000 if os.environ.get("LOADMGR_SOAK") else 250
N_CARS = 60
BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)


def _site(folder: Path) -> Settings:
    ids = ", ".join(f'"T-{i:04d}"' for i in range(N))
    (folder / "storm.toml").write_text(
        f"""
format = 1
[site]
id = "storm"
[nodes.grid]
current_a = {16.0 * N + 400.0}
meter = "grid"
base_max_a = 300
[nodes.grid.load]
constant_kw = 100
[[station_groups]]
ids = [{ids}]
node = "grid"
current_max_a = 16
failsafe_a = 6
password = "storm-password-0001"
[ocpp]
listen = "127.0.0.1:0"
"""
    )
    loaded = on_any_port(Settings.load(folder / "storm.toml"), f"sqlite:///{folder / 'storm.db'}")
    return replace(loaded, context=replace(loaded.context, params=replace(loaded.context.params, **COARSE)))


def _without_layers(day: Simulation, since: datetime) -> list[str]:
    """Stations that have not confirmed their fail-safe since then, and cars without an accepted order."""
    state = day.manager.state
    found = [
        f"{s.id}: fail-safe {s.failsafe} at {s.failsafe_at}"
        for s in state.stations.values()
        if not s.is_connected or s.failsafe is not FailsafeState.CONFIRMED or (s.failsafe_at or BEGIN) < since
    ]
    for session in state.sessions.values():
        order = state.evses[session.evse].last_order
        if order is None or order.outcome is not Outcome.ACCEPTED or order.sent_at < since:
            found.append(f"{session.evse}: order {order}")
    return found


async def _run(folder: Path) -> None:
    settings = _site(folder)
    clock = LockStepClock(BEGIN)
    async with build_manager(settings, clock=clock) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        async with simulated(settings, clock, (manager, gateway), versions=("1.6", "2.0.1", "2.1"), socketless=True) as day:
            await day.run_to(BEGIN + timedelta(seconds=150))
            assert _without_layers(day, BEGIN) == []
            for place, twin in enumerate(list(day.twins.values())[:N_CARS]):
                car = Car(name=f"c{place}", wanted_kwh=30.0, battery_kwh=60.0, soc_frac=0.3, n_phases=3, max_a=16.0)
                twin.plug_in(car, f"tag-{place}")
            await day.run_to(BEGIN + timedelta(seconds=240))
            assert len(manager.state.sessions) == N_CARS
            for twin in day.twins.values():
                await twin.go_offline()
            await day.run_to(BEGIN + timedelta(seconds=260))
            assert not any(s.is_connected for s in manager.state.stations.values())
            for twin in day.twins.values():
                twin.go_online()
            back = clock.now()
            await day.run_to(back + timedelta(seconds=120))
            assert _without_layers(day, back) == []
            assert day.world.judged() == ()


@pytest.mark.slow
@pytest.mark.timeout(400)
def test_stations_that_return_all_at_once_have_their_layers_within_two_minutes(tmp_path: Path) -> None:
    asyncio.run(_run(tmp_path))
