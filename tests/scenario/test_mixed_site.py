"""Thirty chargers of three versions, a random quirk in every second one: no limit is exceeded for longer than breakers
bear, and every transaction is recorded once (domain rules F.5, G, I.5).

``make soak`` runs a whole day over sockets and twenty seeds without; else a part of both. ``LOADMGR_SOAK`` is the number
of simulated hours of each.
"""

from __future__ import annotations

import asyncio
import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from loadmgr.domain.ids import StationId
from loadmgr.sim.arrivals import Arrival, drawn_day
from loadmgr.sim.scenario import Simulation
from tests.support.mixed import GRACE, a_mixed_day, mixed_site
from tests.support.reaction import overloads

BEGIN = datetime(2026, 3, 2, 6, tzinfo=UTC)
SOAK_H = float(os.environ.get("LOADMGR_SOAK", "0"))
HOURS = SOAK_H or 2.0
SEEDS = range(1, 21) if SOAK_H else range(1, 4)
SEED_HOURS = SOAK_H or 1.0

NOT_RECORDED = frozenset({
    "other-case",  # its identity is not in the site file, so it is never let in
})  # fmt: skip
"""Quirks with which the record cannot agree with the truth."""


async def _run(folder: Path, *, seed: int, hours: float, socketless: bool) -> None:
    settings = mixed_site(folder, f"seed-{seed}")
    end = BEGIN + timedelta(hours=hours)
    arrivals = drawn_day(settings.context.site, BEGIN + GRACE, timedelta(hours=hours), seed=seed)
    drawn: dict[StationId, str] = {}
    async with a_mixed_day(settings, BEGIN, arrivals, seed=seed, socketless=socketless, drawn=drawn) as day:
        await day.run_to(end)
        stats = day.manager.stats
        assert (stats.protect_failures, stats.plan_failures) == (0, 0)
        moments = [m for m in day.world.moments if m.at >= BEGIN + GRACE]
        assert overloads(settings.context.site, moments) == [], drawn
        most_kw = max(day.world.moments, key=lambda m: m.loads[settings.context.site.root][1])
        assert most_kw.loads[settings.context.site.root][1] > 40.0, "nobody charged: the run proves nothing"
        await _recorded(day, arrivals, drawn)


async def _recorded(day: Simulation, arrivals: tuple[Arrival, ...], drawn: dict[StationId, str]) -> None:
    """Every finished transaction of a charger with an honest register is stored, with its energy."""
    where = {a.name[-20:]: a.station for a in arrivals}
    stored: dict[str, float] = {}
    for session in await day.service_sessions():
        stored[session.id_tag] = stored.get(session.id_tag, 0.0) + session.energy_kwh * 1000.0
    wrong = {
        (tag, drawn.get(where[tag], ""), round(energy_wh), round(stored.get(tag, -1.0)))
        for tag, energy_wh in day.truth_wh().items()
        if drawn.get(where[tag], "") not in NOT_RECORDED and abs(stored.get(tag, -1.0) - energy_wh) > 1.0
    }
    assert wrong == set()


@pytest.mark.slow
@pytest.mark.timeout(7200 if SOAK_H else 600)
def test_a_mixed_site_over_sockets_keeps_its_limits_and_records_every_transaction(tmp_path: Path) -> None:
    asyncio.run(_run(tmp_path, seed=11, hours=HOURS, socketless=False))


@pytest.mark.slow
@pytest.mark.timeout(7200 if SOAK_H else 300)
@pytest.mark.parametrize("seed", SEEDS)
def test_the_same_with_other_quirks_without_sockets(tmp_path: Path, seed: int) -> None:
    asyncio.run(_run(tmp_path, seed=seed, hours=SEED_HOURS, socketless=True))
