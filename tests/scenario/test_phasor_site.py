"""A garage of 208 V chargers behind a delta-wye transformer: no line above its limit, and more energy than as numbers."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path

from loadmgr.domain.network import NodeModel
from loadmgr.domain.site import Site
from loadmgr.settings import Settings
from loadmgr.sim.arrivals import Arrival
from loadmgr.sim.scenario import on_any_port
from loadmgr.sim.vehicle import Car
from tests.support.days import EXAMPLES, WEEKDAY, a_day, local

BEGIN, HOURS = local(WEEKDAY, 8), 0.8


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run delivered, its violations, and the highest current of every line, A."""

    energy_kwh: float
    n_violations: int
    most_a: dict[str, float]


def _arrivals(site: Site) -> tuple[Arrival, ...]:
    """Twelve empty cars, one every minute, for a garage that cannot serve them all at once."""
    found = []
    for place, station in enumerate(site.stations):
        at, until = BEGIN + timedelta(minutes=1 + place), BEGIN + timedelta(hours=8)
        car = Car(name=f"car-{place}", wanted_kwh=30.0, battery_kwh=75.0, soc_frac=0.2)
        found.append(
            Arrival(name=f"car-{place}", station=station, at=at, until=until, car=car, said_kwh=30.0, said_until=until)
        )
    return tuple(found)


async def _run(folder: Path, model: NodeModel) -> Outcome:
    settings = on_any_port(Settings.load(EXAMPLES / "campus_208v.toml"), f"sqlite:///{folder / f'{model}.db'}")
    context, site = settings.context, settings.context.site
    site = replace(site, nodes={n: replace(node, model=model) for n, node in site.nodes.items()})
    settings = replace(settings, context=replace(context, site=site))
    async with a_day(settings, BEGIN, _arrivals(site)) as day:
        await day.run_to(BEGIN + timedelta(hours=HOURS))
        found = day.world.judged()
        most_a = {
            f"{node}/L{line + 1}": max(abs(m.loads[node][0][line]) for m in day.world.moments)
            for node in site.nodes
            for line in range(3)
        }
        energy_kwh = sum(t.outlet.register_wh() for t in day.twins.values()) / 1000.0
        return Outcome(energy_kwh, len(found), most_a)


def test_no_line_is_above_its_limit_and_phasors_deliver_more_than_magnitudes(tmp_path: Path) -> None:
    """[A-72, F.4]: the same cars, once with ``polygon`` and once with ``linear`` nodes."""
    polygon = asyncio.run(_run(tmp_path, NodeModel.POLYGON))
    linear = asyncio.run(_run(tmp_path, NodeModel.LINEAR))
    assert polygon.n_violations == linear.n_violations == 0
    assert polygon.energy_kwh > 1.05 * linear.energy_kwh
    assert max(a for line, a in polygon.most_a.items() if line.startswith("garage")) > 0.85 * 80.0
