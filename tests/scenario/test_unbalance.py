"""Single-phase cars on EVSEs of three rotations beside an uneven building: the lines stay within the unbalance limit, and
every line is used [F-30, F-20, I.10].
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from loadmgr.domain.ids import NodeId, StationId
from loadmgr.settings import Settings
from loadmgr.sim.arrivals import Arrival
from loadmgr.sim.scenario import on_any_port
from loadmgr.sim.vehicle import Car
from loadmgr.sim.world import Moment
from tests.support.days import a_day
from tests.support.reaction import overloads

BEGIN = datetime(2026, 3, 2, 9, tzinfo=UTC)
UNBALANCE_A = 20.0
"""4.6 kVA at 230 V, the German figure."""

SITE = """
format = 1
[site]
id = "yard"
timezone = "Europe/Berlin"
voltage_v = 230
[nodes.grid]
current_a = 160
{unbalance}
source = "connection"
meter = "grid-meter"
base_max_a = 20
[nodes.grid.load]
constant_kw = 3
[[station_groups]]
ids = ["r-1", "r-2", "r-3"]
node = "grid"
phases = 3
rotation = "RST"
current_max_a = 32
failsafe_a = 6
password = "rotated-password-1"
[[station_groups]]
ids = ["s-1", "s-2", "s-3"]
node = "grid"
phases = 3
rotation = "STR"
current_max_a = 32
failsafe_a = 6
password = "rotated-password-2"
[[station_groups]]
ids = ["t-1", "t-2", "t-3"]
node = "grid"
phases = 3
rotation = "TRS"
current_max_a = 32
failsafe_a = 6
password = "rotated-password-3"
[tariff]
currency = "EUR"
[[tariff.bands]]
from = "00:00"
import_per_kwh = 0.25
[ocpp]
listen = "127.0.0.1:9000"
"""

CARS = (
    ("r-1", 1, 1), ("r-2", 1, 2), ("r-3", 1, 3), ("s-1", 1, 5), ("s-2", 1, 9), ("t-1", 1, 12), ("s-3", 3, 15),
    ("t-2", 2, 18),
)  # fmt: skip
"""(station, phases that the car uses, minute of its arrival): first L1 alone, then all."""


@dataclass(frozen=True)
class Outcome:
    """What a run of half an hour came to."""

    n_failures: int
    overloads: list[str]
    most_apart_a: float
    moments: list[Moment]


def _arrivals() -> tuple[Arrival, ...]:
    found = []
    for station, n_phases, minute in CARS:
        at, until = BEGIN + timedelta(minutes=minute), BEGIN + timedelta(hours=6)
        car = Car(name=station, wanted_kwh=40.0, battery_kwh=80.0, soc_frac=0.2, n_phases=n_phases, max_a=32.0)
        found.append(
            Arrival(
                name=station,
                station=StationId(station),
                at=at,
                until=until,
                car=car,
                said_kwh=40.0,
                said_until=until,
            )
        )
    return tuple(found)


async def _run(folder: Path, *, is_bounded: bool) -> Outcome:
    path = folder / f"yard-{is_bounded}.toml"
    path.write_text(SITE.format(unbalance=f"unbalance_a = {UNBALANCE_A}" if is_bounded else ""), encoding="utf-8")
    settings = on_any_port(Settings.load(path), f"sqlite:///{path.with_suffix('.db')}")
    params = replace(settings.context.params, protect_s=2.0, sample_interval_s=10.0)
    settings = replace(settings, context=replace(settings.context, params=params))
    async with a_day(settings, BEGIN, _arrivals()) as day:
        await day.run_to(BEGIN + timedelta(minutes=30))
        stats, moments = day.manager.stats, day.world.moments
        found = [str(o) for o in overloads(settings.context.site, moments)]
        grid = NodeId("grid")
        most = max(max(m.loads[grid][0], key=_real).real - min(m.loads[grid][0], key=_real).real for m in moments)
        return Outcome(stats.protect_failures + stats.plan_failures, found, most, list(moments))


def _real(value: complex) -> float:
    return value.real


def test_rotated_single_phase_cars_stay_within_the_unbalance_limit(tmp_path: Path) -> None:
    found = asyncio.run(_run(tmp_path, is_bounded=True))
    assert found.n_failures == 0
    assert found.overloads == []
    assert found.most_apart_a <= UNBALANCE_A
    last = [x.real for x in found.moments[-1].loads[NodeId("grid")][0]]
    assert min(last) > 15.0, "every line carries cars: the limit was held by sharing, not by stopping everybody"


def test_without_the_limit_the_same_cars_are_far_apart(tmp_path: Path) -> None:
    """The run above proves something: nothing else keeps the lines together."""
    found = asyncio.run(_run(tmp_path, is_bounded=False))
    assert found.n_failures == 0
    assert found.most_apart_a > 2.0 * UNBALANCE_A
