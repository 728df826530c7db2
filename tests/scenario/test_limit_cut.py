"""The grid limit is halved by HTTP in the busiest hour."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import httpx

from api.app import create_app
from loadmgr.domain import events as ev
from loadmgr.settings import Settings
from loadmgr.sim.scenario import Simulation
from tests.support.days import WEEKDAY, a_day, arrivals_between, garage, local

KEY = "a-key-for-this-test"
HALF_KW = 50.0
REACTION_S = 5.0


async def _cut(day: Simulation) -> int:
    app = create_app(day.manager, key=KEY, dashboard=False)
    transport = httpx.ASGITransport(app=app)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        body = {"node": "grid", "source": "grid-operator", "power_kw": HALF_KW}
        day.n_apps_busy += 1
        response = await client.post("/api/v1/limits", json=body, headers={"X-API-Key": KEY})
        day.n_apps_busy -= 1
        return response.status_code


def with_a_smaller_office(settings: Settings) -> Settings:
    """60 % of the building load, so that half of the connection leaves something to share."""
    loads = tuple(
        replace(load, load_kw=replace(load.load_kw, values=tuple(0.6 * v for v in load.load_kw.values)))
        for load in settings.context.loads
        if load.load_kw is not None
    )
    return replace(settings, context=replace(settings.context, loads=loads))


async def _run(folder: Path) -> None:
    settings = with_a_smaller_office(garage(folder))
    begin, cut_at = local(WEEKDAY, 9, 15), local(WEEKDAY, 10, 0)
    arrivals = arrivals_between(settings, begin, cut_at)
    root = settings.context.site.root
    async with a_day(settings, begin, arrivals) as day:
        await day.run_to(cut_at)
        before_kw = day.world.site_kw()
        assert before_kw > 80.0
        drawn_before = {t.id: t.outlet.current_a for t in day.twins.values()}
        cutting = asyncio.create_task(_cut(day))
        await day.run_to(cut_at + timedelta(seconds=REACTION_S))
        assert await cutting == 201
        assert day.world.site_kw() <= HALF_KW
        await day.run_to(cut_at + timedelta(minutes=10))
        late = [m for m in day.world.moments if m.at >= cut_at + timedelta(seconds=REACTION_S)]
        assert max(m.loads[root][1] for m in late) <= HALF_KW
        assert max(m.loads[root][1] for m in late[-5:]) > 0.75 * HALF_KW, "what is left is not used"
        _no_increase_before_its_decrease(day, cut_at)
        assert day.world.judged() == ()
        assert max(drawn_before.values()) > 0.0


def _no_increase_before_its_decrease(day: Simulation, cut_at: object) -> None:
    """After the cut nobody draws more than before until the site is below the limit."""
    root = day.settings.context.site.root
    after = [m for m in day.world.moments if m.at >= cut_at]  # type: ignore[operator]
    below = next(i for i, m in enumerate(after) if m.loads[root][1] <= HALF_KW or i == len(after) - 1)
    powers = [m.loads[root][1] for m in after[: below + 1]]
    rises = [b - a for a, b in zip(powers, powers[1:], strict=False) if b - a > 2.0]
    assert rises == []


def test_site_power_is_below_a_halved_limit_within_five_seconds(tmp_path: Path) -> None:
    asyncio.run(_run(tmp_path))


async def _order_of_setpoints(folder: Path) -> None:
    settings = garage(folder)
    begin = local(WEEKDAY, 9, 30)
    arrivals = arrivals_between(settings, begin, local(WEEKDAY, 10))
    async with a_day(settings, begin, arrivals) as day:
        await day.run_to(local(WEEKDAY, 10, 5))
        await day.manager.durable()
        sent: dict[str, float] = {}
        open_decreases: dict[int, str] = {}
        n_checked = 0
        async for stored in day.manager.history.replay(1):
            event = stored.event
            if isinstance(event, ev.SetpointSent):
                before = sent.get(event.setpoint.evse, 0.0)
                if event.setpoint.current_a < before:
                    open_decreases[event.setpoint.no] = event.setpoint.evse
                sent[event.setpoint.evse] = event.setpoint.current_a
                n_checked += 1
            elif isinstance(event, ev.SetpointAnswered):
                open_decreases.pop(event.no, None)
        assert n_checked > 100
        assert open_decreases == {}
        assert day.world.judged() == ()


def test_every_decrease_is_answered_in_a_busy_morning(tmp_path: Path) -> None:
    asyncio.run(_order_of_setpoints(tmp_path))
