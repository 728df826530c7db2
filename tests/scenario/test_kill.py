"""SIGKILL of the service ten times at random points: nothing is lost or doubled, the site stays within limits [F01, P3]."""

from __future__ import annotations

import asyncio
import json
import random
import socket
import sys
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadmgr.domain.events import MeterSample
from loadmgr.domain.ids import StationId
from loadmgr.domain.session import Session
from loadmgr.settings import Settings
from loadmgr.sim.arrivals import Arrival
from loadmgr.sim.clock import ScaledClock
from loadmgr.sim.scenario import make_twins
from loadmgr.sim.world import World
from loadmgr.storage.store import SqlStore
from tests.support.days import EXAMPLES, ROOT, WEEKDAY, arrivals_between, local

FACTOR = 100.0
KILLS = 10
SEED = 20190612
METER_STATION = StationId("CA-148")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _site_file(folder: Path) -> Path:
    """The garage with its grid meter behind connector 0 of a station, so that everything comes over OCPP."""
    text = (EXAMPLES / "garage.toml").read_text()
    text = text.replace('meter = "grid-meter"', f'meter = "{METER_STATION}/0"')
    text = text.replace('series = "data/', f'series = "{EXAMPLES}/data/')
    place = folder / "site.toml"
    place.write_text(text)
    return place


class Service:
    """The service's process, to be killed and started again."""

    def __init__(self, given: dict[str, str]) -> None:
        self._given = given
        self._process: asyncio.subprocess.Process | None = None

    async def start(self) -> None:
        self._process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.support.service",
            json.dumps(self._given),
            stdout=asyncio.subprocess.PIPE,
            cwd=ROOT,
        )
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), 30)
        assert line == b"ready\n"

    async def kill(self) -> None:
        assert self._process is not None
        self._process.kill()
        await self._process.communicate()


async def _drive(world: World, arrival: Arrival) -> None:
    twin = world.twins[arrival.station]
    await world.clock.sleep((arrival.at - world.clock.now()).total_seconds())
    twin.plug_in(arrival.car, arrival.name[-20:])
    await world.clock.sleep((arrival.until - world.clock.now()).total_seconds())
    twin.plug_out()


async def _run(folder: Path) -> tuple[World, dict[str, Session], int]:
    site = _site_file(folder)
    settings = Settings.load(site)
    begin = local(WEEKDAY, 9, 0)
    began_s = time.monotonic()
    clock = ScaledClock(begin, FACTOR, began_s=began_s)
    url, port = f"sqlite:///{folder / 'kill.db'}", _free_port()
    given = {"site": str(site), "storage_url": url, "port": str(port), "start_at": begin.isoformat()}
    service = Service({**given, "factor": str(FACTOR), "began_s": str(began_s)})
    await service.start()

    def feed(sample: MeterSample) -> None:
        assert sample.measured.current_a is not None
        assert sample.measured.power_kw is not None
        meter = world.twins[METER_STATION]
        meter.report_main_meter(sample.measured.current_a, sample.measured.power_kw)

    world = World(context=settings.context, clock=clock, take=feed, seed=SEED)
    world.twins = make_twins(settings, clock, port, world.changed)
    world.start()
    for twin in world.twins.values():
        twin.start()
    while not all(twin.profiles.found for twin in world.twins.values()):
        await asyncio.sleep(0.05)  # a charger that never had a fail-safe draws what it likes
    begin = clock.now()
    arrivals = arrivals_between(settings, begin, begin + timedelta(hours=1, minutes=20))
    drivers = [asyncio.create_task(_drive(world, a)) for a in arrivals]
    chance = random.Random(SEED)
    for _ in range(KILLS):
        await asyncio.sleep(chance.uniform(1.5, 4.0))
        await service.kill()
        await service.start()
    await asyncio.sleep(3.0)
    charged_kw = world.ev_kw()
    for driver in drivers:
        driver.cancel()
    await asyncio.gather(*drivers, return_exceptions=True)
    for twin in world.twins.values():
        twin.plug_out()
    await _until_delivered(world)
    await service.kill()
    for twin in world.twins.values():
        await twin.stop()
    await world.stop()
    assert charged_kw > 10.0, "nobody charged after the last restart"
    store = SqlStore(url)
    await store.start_run("check", datetime.now(UTC))
    sessions = await store.sessions(open_only=False, limit=10_000)
    await store.close()
    assert len({s.id_tag for s in sessions}) == len(sessions), "a session is doubled"
    return world, {s.id_tag: s for s in sessions}, len(arrivals)


async def _until_delivered(world: World) -> None:
    deadline = time.monotonic() + 30
    while any(twin.has_undelivered for twin in world.twins.values()):
        assert time.monotonic() < deadline, "messages were not taken"
        await asyncio.sleep(0.1)


@pytest.mark.slow
@pytest.mark.timeout(200)
def test_ten_kills_lose_and_double_nothing_and_break_no_limit(tmp_path: Path) -> None:
    world, sessions, _ = asyncio.run(_run(tmp_path))

    truth = {t.id_tag: t for twin in world.twins.values() for t in twin.finished}
    assert len(truth) >= 12, "too few cars came for the test to mean something"
    assert set(sessions) == set(truth)
    for tag, transaction in truth.items():
        stored = sessions[tag]
        assert stored.ended_at is not None
        assert abs(stored.energy_kwh * 1000.0 - transaction.energy_wh) <= 1.0
    assert world.judged() == (), "\n".join(str(v) for v in world.judged())
