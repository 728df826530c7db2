"""Limits, milestones, remote start and stop, and reservations over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from loadmgr.domain import events as ev
from loadmgr.domain.commands import ReserveEvse, StartSession, StopSession
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId
from loadmgr.domain.samples import Measured
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.wiring import build_manager
from tests.support.days import EXAMPLES

KEY, VIEWER = "operators-key-for-tests", "viewers-key-for-tests-1"
SESSION = SessionId("office-1.1.7.0")
Play = Callable[[httpx.AsyncClient, LoadManager], Awaitable[None]]


def _play(folder: Path, play: Play) -> None:
    async def main() -> None:
        loaded = Settings.load(EXAMPLES / "office.toml")
        url = f"sqlite:///{folder / 'api.db'}"
        settings = replace(loaded, storage_url=url, api=replace(loaded.api, viewer_key=VIEWER))
        async with build_manager(settings) as manager:
            _fill(manager)
            app = create_app(manager, key=KEY, dashboard=False)
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            headers = {"X-API-Key": KEY}
            async with httpx.AsyncClient(transport=transport, base_url="http://x/api/v1", headers=headers) as client:
                await play(client, manager)

    asyncio.run(main())


def _fill(manager: LoadManager) -> None:
    now, evse = manager.now(), EvseId("office-1/1")
    for station in ("office-1", "office-2"):
        manager.take(
            ev.StationConnected(at=now, station=StationId(station), ocpp="1.6"),
            ev.FailsafeAnswered(at=now, station=StationId(station), failsafe_a=6.0, accepted=True),
        )
    measured = Measured(current_a=(8.0, 0.0, 0.0), energy_kwh=2.5, power_kw=1.84)
    manager.take(
        ev.SessionStarted(at=now, session=SESSION, evse=evse, transaction="7", id_tag="tag"),
        ev.MeterSample(at=now, meter=MeterId(evse), measured_at=now, measured=measured, session=SESSION),
    )


def _soon(**more: float) -> str:
    return (datetime.now(UTC) + timedelta(**more)).isoformat()


async def _commands(manager: LoadManager, kind: type) -> list[Any]:
    """Commands of a kind that were handed out up to now."""
    found = []
    queue = manager._commands
    while not queue.empty():
        found.append(queue.get_nowait())
    return [c for c in found if isinstance(c, kind)]


def test_a_session_gets_limits_and_says_when_they_are_reached(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        wish = {"limit_kwh": 2.0, "limit_cost": 9, "price_per_kwh": 0.5, "notify_soc": [50, 80]}
        changed = await client.patch(f"/sessions/{SESSION}", json=wish)
        assert changed.status_code == 200
        assert changed.json()["limits"]["limit_kwh"] == 2.0
        assert changed.json()["notify_soc"] == [50, 80]
        async with asyncio.timeout(5):
            while not manager.state.sessions[SESSION].milestones:
                await asyncio.sleep(0.05)
        (session,) = (await client.get("/sessions", params={"open": True})).json()
        assert session["milestones"] == ["paused-energy"]
        await manager.durable()
        (event,) = (await client.get("/events", params={"kind": "MilestoneReached"})).json()
        assert event["data"]["milestone"] == "paused-energy"
        again = await client.patch(f"/sessions/{SESSION}", json={"limit_kwh": None})
        assert (again.json()["limits"]["limit_kwh"], again.json()["milestones"]) == (None, [])

    _play(tmp_path, play)


@pytest.mark.parametrize(
    ("wish", "where"),
    [
        ({"limit_kwh": -1}, "body.limit_kwh"),
        ({"limit_soc_frac": 80}, "body.limit_soc_frac"),
        ({"limit_cost": 5}, "body.limit_cost"),
        ({"limit_until": "2020-01-01T00:00:00Z"}, "body.limit_until"),
        ({"notify_soc": [0]}, "body.notify_soc.0"),
        ({"notify_soc": None}, "body"),
        ({"price_per_kwh": "NaN"}, "body.price_per_kwh"),
    ],
)
def test_nonsense_limits_are_refused_and_change_nothing(tmp_path: Path, wish: dict[str, Any], where: str) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        before = manager.state.sessions[SESSION].intent
        refused = await client.patch(f"/sessions/{SESSION}", json=wish)
        assert refused.status_code == 422
        assert refused.json()["errors"][0]["where"] == where
        assert manager.state.sessions[SESSION].intent == before

    _play(tmp_path, play)


def test_a_session_is_started_and_stopped(tmp_path: Path) -> None:
    """[D-7]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        started = await client.post("/sessions", json={"evse": "office-2/1", "id_tag": "tag-2"})
        assert started.status_code == 202
        (command,) = await _commands(manager, StartSession)
        assert (command.evse, command.id_tag, command.no) == ("office-2/1", "tag-2", started.json()["no"])
        assert command.first_a == started.json()["first_a"]
        busy = await client.post("/sessions", json={"evse": "office-1/1", "id_tag": "tag"})
        assert busy.status_code == 422
        assert "stop it first" in busy.json()["detail"]
        assert (await client.post("/sessions", json={"evse": "x/1", "id_tag": "tag"})).status_code == 404
        stopped = await client.post(f"/sessions/{SESSION}/stop")
        assert stopped.status_code == 202
        (stop,) = await _commands(manager, StopSession)
        assert stop.transaction == "7"
        assert (await client.post("/sessions/nobody/stop")).status_code == 404

    _play(tmp_path, play)


def test_a_reservation_is_made_listed_and_given_up(tmp_path: Path) -> None:
    """[D-10]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        wish = {"station": "office-2", "id_tag": "t", "from_at": _soon(minutes=5), "until_at": _soon(hours=1)}
        made = await client.post("/reservations", json={**wish, "energy_kwh": 20})
        assert made.status_code == 201
        number = made.json()["reservation"]
        assert made.headers["Location"] == f"/api/v1/reservations/{number}"
        assert (await client.get(f"/reservations/{number}")).json() == made.json()
        assert [r["evse"] for r in (await client.get("/reservations")).json()] == ["office-2/1"]
        (command,) = await _commands(manager, ReserveEvse)
        assert (command.evse, command.reservation) == ("office-2/1", number)
        twice = await client.post("/reservations", json=wish)
        assert twice.status_code == 422
        assert "booked already" in twice.json()["detail"]
        assert (await client.delete(f"/reservations/{number}")).status_code == 204
        assert (await client.delete(f"/reservations/{number}")).status_code == 404
        assert (await client.get("/reservations")).json() == []

    _play(tmp_path, play)


@pytest.mark.parametrize(
    "change",
    [
        {"evse": "office-2/1"},
        {"station": None},
        {"station": "nowhere"},
        {"until_at": _soon(days=30)},
        {"from_at": _soon(days=60), "until_at": _soon(days=60, hours=1)},
        {"from_at": _soon(hours=3)},
        {"depart_at": _soon(minutes=1)},
        {"id_tag": ""},
        {"energy_kwh": 1e9},
    ],
)
def test_a_reservation_that_makes_no_sense_is_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        wish = {"station": "office-2", "id_tag": "t", "from_at": _soon(minutes=5), "until_at": _soon(hours=1)}
        refused = await client.post("/reservations", json={**wish, **change})
        assert refused.status_code in {404, 422}
        assert manager.state.chargers.reservations == {}

    _play(tmp_path, play)


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", "/sessions"), ("POST", f"/sessions/{SESSION}/stop"), ("POST", "/reservations"), ("DELETE", "/reservations/1")],
)
def test_a_viewer_may_not_change_anything(tmp_path: Path, method: str, path: str) -> None:
    """[P5]"""

    async def play(client: httpx.AsyncClient, _: LoadManager) -> None:
        found = await client.request(method, path, headers={"X-API-Key": VIEWER}, json={})
        assert found.status_code == 403

    _play(tmp_path, play)
