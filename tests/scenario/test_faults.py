"""Chargers and meters that misbehave, in the busy morning: the site stays within its limits or comes back in time."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from loadmgr.sim.scenario import Simulation
from tests.support.days import WEEKDAY, a_day, arrivals_between, garage, local

BACK_WITHIN_S = 30.0
"""An overload up to 1.45 times the rating must be gone after this time (domain rule F.5)."""


def longest_violation_s(day: Simulation) -> float:
    """Longest time without interruption in which any limit was exceeded."""
    over = {v.at for v in day.world.judged()}
    longest, since = 0.0, None
    for moment in day.world.moments:
        if moment.at in over:
            since = since or moment.at
            longest = max(longest, (moment.at - since).total_seconds())
        else:
            since = None
    return longest


def _ignores(day: Simulation) -> None:
    for twin in [t for t in day.twins.values() if t.transaction is not None][:2]:
        twin.faults.ignores_profiles = True
        twin.outlet.wake.set()


def _rejects(day: Simulation) -> None:
    for twin in [t for t in day.twins.values() if t.transaction is not None][:3]:
        twin.faults.rejects_profiles = True


def _silent_meters(day: Simulation) -> None:
    for twin in day.twins.values():
        twin.faults.silent_meter = True


def _silent_site_meter(day: Simulation) -> None:
    day.world.meter_is_silent = True


async def _run(folder: Path, fault: Callable[[Simulation], None], alarm: str) -> None:
    settings = garage(folder)
    begin, at = local(WEEKDAY, 9, 15), local(WEEKDAY, 9, 45)
    arrivals = arrivals_between(settings, begin, at)
    async with a_day(settings, begin, arrivals) as day:
        await day.run_to(at)
        assert day.world.judged() == ()
        fault(day)
        await day.run_to(at + timedelta(minutes=5))
        assert any(key.startswith(alarm) for key in day.manager.state.alarms) or not alarm
        assert longest_violation_s(day) <= BACK_WITHIN_S
        await day.run_to(at + timedelta(minutes=15))
        recent = [v for v in day.world.judged() if v.at > _later(at)]
        assert recent == []
        assert day.manager.stats.protect_failures == 0


def _later(at: datetime) -> datetime:
    return at + timedelta(minutes=5)


@pytest.mark.parametrize(
    ("fault", "alarm"),
    [(_ignores, "disobeys:"), (_rejects, ""), (_silent_meters, ""), (_silent_site_meter, "meter:")],
    ids=["two ignore their profiles", "three refuse them", "no EVSE meter speaks", "the site meter is silent"],
)
def test_the_site_holds_or_comes_back_in_time(tmp_path: Path, fault: Callable[[Simulation], None], alarm: str) -> None:
    """[C10, G-112, B21, D01, P1]"""
    asyncio.run(_run(tmp_path, fault, alarm))
