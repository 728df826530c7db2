"""All chargers lose the link for ten minutes, a third reboots meanwhile: the site never exceeds its limit [P1, P2, C04]."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

from loadmgr.sim.scenario import Simulation
from tests.support.days import WEEKDAY, a_day, arrivals_between, garage, local


async def _lose_everybody(day: Simulation) -> None:
    lost_at = day.clock.now()
    for twin in day.twins.values():
        await twin.go_offline()
    await day.run_to(lost_at + timedelta(minutes=3))
    for place, twin in enumerate(day.twins.values()):
        if place % 3 == 0:
            await twin.reboot()
    await day.run_to(lost_at + timedelta(minutes=6))
    # Every setpoint has expired into the fail-safe of 0 A.
    assert day.world.ev_kw() == 0.0
    assert not day.gateway.connected
    await day.run_to(lost_at + timedelta(minutes=10))
    for twin in day.twins.values():
        twin.go_online()
    await day.run_to(lost_at + timedelta(minutes=20))


async def _run(folder: Path) -> None:
    settings = garage(folder)
    begin, lost_at = local(WEEKDAY, 9, 0), local(WEEKDAY, 9, 50)
    arrivals = arrivals_between(settings, begin, lost_at + timedelta(minutes=5))
    async with a_day(settings, begin, arrivals) as day:
        await day.run_to(lost_at)
        before_kw = day.world.ev_kw()
        assert before_kw > 30.0
        await _lose_everybody(day)
        assert day.world.judged() == ()
        assert len(day.gateway.connected) == len(day.twins)
        assert day.world.ev_kw() > 0.7 * before_kw, "the site does not come back"
        for twin in day.twins.values():
            if twin.transaction is not None:
                twin.plug_out()
        await day.run_to(day.clock.now() + timedelta(minutes=1))
        sessions = {s.id_tag: s for s in await day.service_sessions()}
        truth = day.truth_wh()
        assert len(truth) == len(arrivals) == len(sessions)
        for tag, energy_wh in truth.items():
            assert abs(sessions[tag].energy_kwh * 1000 - energy_wh) <= 1.0


def test_the_site_holds_when_every_link_is_lost_and_a_third_of_the_stations_reboots(tmp_path: Path) -> None:
    asyncio.run(_run(tmp_path))
