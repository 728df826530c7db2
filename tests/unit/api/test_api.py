"""The HTTP API on a real manager and a real database."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from api.app import create_app, create_router
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId
from loadmgr.domain.samples import Measured
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.wiring import build_manager
from tests.support.days import EXAMPLES

KEY = "operators-key-for-tests"
VIEWER = "viewers-key-for-tests-1"
BATTERY = """
[nodes.box]
parent = "grid"
current_a = 32

[nodes.box.battery]
capacity_kwh = 10
charge_max_kw = 1
discharge_max_kw = 5
"""
SESSION = SessionId("office-1.1.7.0")


def _play(folder: Path, play: Callable[[httpx.AsyncClient, LoadManager], Awaitable[None]]) -> None:
    async def main() -> None:
        loaded = Settings.load(EXAMPLES / "office.toml")
        settings = replace(
            loaded,
            storage_url=f"sqlite:///{folder / 'api.db'}",
            api=replace(loaded.api, viewer_key=VIEWER),
        )
        async with build_manager(settings) as manager:
            _fill(manager)
            app = create_app(manager, key=KEY, dashboard=False)
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://service/api/v1", headers={"X-API-Key": KEY}
            ) as client:
                await play(client, manager)

    asyncio.run(main())


def _fill(manager: LoadManager) -> None:
    now = manager.now()
    evse, station = EvseId("office-1/1"), StationId("office-1")
    manager.take(
        ev.StationConnected(at=now, station=station, ocpp="1.6"),
        ev.FailsafeAnswered(at=now, station=station, failsafe_a=6.0, accepted=True),
        ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=Measured(current_a=(20.0, 10.0, 5.0))),
        ev.SessionStarted(at=now, session=SESSION, evse=evse, transaction="7", id_tag="<script>", meter_start_kwh=1.0),
        ev.MeterSample(
            at=now,
            meter=MeterId(evse),
            measured_at=now,
            measured=Measured(current_a=(8.0, 0.0, 0.0), energy_kwh=3.5, power_kw=1.84),
            session=SESSION,
        ),
    )


def test_the_tree_shows_load_limit_and_headroom(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, _: LoadManager) -> None:
        nodes = {n["node"]: n for n in (await client.get("/site")).json()["nodes"]}
        grid = nodes["grid"]
        assert grid["current_a"] == [20.0, 10.0, 5.0]
        assert grid["limit_a"] == 63.0
        assert grid["headroom_a"] == [43.0, 53.0, 58.0]
        assert nodes["carpark"]["parent"] == "grid"
        assert nodes["carpark"]["ev_kw"] == 1.84

    _play(tmp_path, play)


def test_a_session_can_be_seen_and_told_what_it_needs(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        (session,) = (await client.get("/sessions", params={"open": True})).json()
        assert session["energy_kwh"] == 2.5
        depart = (datetime.now(UTC) + timedelta(hours=3)).isoformat()
        wish = {"energy_kwh": 20, "depart_at": depart, "priority": 3}
        changed = await client.patch(f"/sessions/{SESSION}", json=wish)
        assert changed.status_code == 200
        assert changed.json()["energy_wanted_kwh"] == 20
        only = await client.patch(f"/sessions/{SESSION}", json={"priority": 1})
        assert only.json()["energy_wanted_kwh"] == 20, "what is left out stays"
        assert manager.state.sessions[SESSION].intent.priority == 1
        stored = (await client.get("/events", params={"kind": "IntentSet"})).json()
        assert [e["data"]["actor"] for e in stored] == ["operator", "operator"]

    _play(tmp_path, play)


def test_a_limit_is_created_listed_and_withdrawn(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        created = await client.post("/limits", json={"node": "grid", "source": "dso", "current_a": 30})
        assert created.status_code == 201
        limit = created.json()
        assert created.headers["Location"] == f"/api/v1/limits/{limit['id']}"
        assert limit["is_in_force"]
        assert limit["binds"]
        assert [x["id"] for x in (await client.get("/limits")).json()] == [limit["id"]]
        assert (await client.get("/site")).json()["nodes"][0]["limit_a_source"] == "dso"
        wide = await client.post("/limits", json={"node": "grid", "source": "x", "current_a": 500})
        assert not wide.json()["binds"]
        assert (await client.delete(f"/limits/{limit['id']}")).status_code == 204
        assert limit["id"] not in manager.state.limits
        ended = (await client.get("/limits", params={"include_ended": True})).json()
        assert {x["id"]: x["withdrawn_at"] is not None for x in ended}[limit["id"]]

    _play(tmp_path, play)


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "words"),
    [
        ("POST", "/limits", {"node": "gird", "source": "x", "current_a": 1}, 404, "node 'gird' does not exist"),
        ("POST", "/limits", {"node": "grid", "source": "x"}, 422, "give at least one of current_a"),
        ("POST", "/limits", {"node": "grid", "source": "x", "current_a": -1}, 422, "body.current_a"),
        ("POST", "/limits", {"node": "grid", "source": "x", "current_a": "1e999"}, 422, "body.current_a"),
        ("POST", "/limits", {"node": "grid", "source": "x", "current_a": 1, "role": "admin"}, 422, "body.role"),
        (
            "POST",
            "/limits",
            {"node": "grid", "source": "x", "current_a": 1, "until_at": "2026-01-01T00:00"},
            422,
            "until",
        ),
        (
            "POST",
            "/limits",
            {
                "node": "grid",
                "source": "x",
                "current_a": 1,
                "from_at": "2026-01-02T00:00:00Z",
                "until_at": "2026-01-01T00:00:00Z",
            },
            422,
            "later than from_at",
        ),
        ("DELETE", "/limits/none", None, 404, "limit 'none' does not exist"),
        ("PATCH", f"/sessions/{SESSION}", {}, 422, "at least one of"),
        ("PATCH", f"/sessions/{SESSION}", {"energy_kwh": 1e6}, 422, "body.energy_kwh"),
        ("PATCH", f"/sessions/{SESSION}", {"priority": 0}, 422, "body.priority"),
        ("PATCH", f"/sessions/{SESSION}", {"depart_at": "2020-01-01T00:00:00Z"}, 422, "between now"),
        ("PATCH", f"/sessions/{SESSION}", {"depart_at": "2099-01-01T00:00:00Z"}, 422, "seven days"),
        ("PATCH", "/sessions/none", {"priority": 1}, 404, "running session 'none'"),
        ("GET", "/stations/none", None, 404, "station 'none'"),
        ("GET", "/sessions?limit=100000", None, 422, "query.limit"),
        ("GET", "/nothing", None, 404, "Not Found"),
    ],
)
def test_a_wrong_request_is_a_problem_that_says_what_to_do(
    tmp_path: Path, method: str, path: str, body: dict[str, Any] | None, status: int, words: str
) -> None:
    """[C14, D07, G10, G23]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        before = (manager.state.limits, manager.state.sessions)
        response = await client.request(method, path, json=body)
        assert response.status_code == status
        assert response.headers["content-type"] == "application/problem+json"
        problem = response.json()
        assert words in problem["detail"], problem
        assert problem["hint"]
        assert (manager.state.limits, manager.state.sessions) == before

    _play(tmp_path, play)


def test_broken_json_and_large_bodies_are_refused(tmp_path: Path) -> None:
    """[G24]"""

    async def play(client: httpx.AsyncClient, _: LoadManager) -> None:
        headers = {"Content-Type": "application/json"}
        assert (await client.post("/limits", content=b"{", headers=headers)).status_code == 422
        large = await client.post("/limits", content=b" " * 70_000, headers=headers)
        assert large.status_code == 413

    _play(tmp_path, play)


def test_every_route_but_health_needs_a_key_and_changes_need_the_operators(tmp_path: Path) -> None:
    """[G09, G11, G12, G35]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        paths = create_app(manager, key=KEY, dashboard=False).openapi()["paths"]
        seen = 0
        for path, methods in paths.items():
            for method in methods:
                place = path.removeprefix("/api/v1").replace("{session}", SESSION).replace("{limit}", "x")
                place = place.replace("{station}", "office-1")
                if place == "/events/stream":
                    continue
                client.headers.pop("X-API-Key", None)
                status = (await client.request(method, place)).status_code
                assert status == (200 if place.startswith("/health") else 401), (method, place)
                if method != "get" and (method, place) != ("post", "/promises"):  # a question changes nothing
                    status = (await client.request(method, place, headers={"X-API-Key": VIEWER})).status_code
                    assert status == 403, (method, place)
                seen += 1
        assert seen >= 15
        assert (await client.get("/site", headers={"X-API-Key": "wrong"})).status_code == 401
        assert (await client.get("/site", headers={"Authorization": f"Bearer {VIEWER}"})).status_code == 200

    _play(tmp_path, play)


def test_guessing_keys_becomes_slow(tmp_path: Path) -> None:
    """[G03]"""

    async def play(client: httpx.AsyncClient, _: LoadManager) -> None:
        found = [(await client.get("/site", headers={"X-API-Key": f"guess{n}"})).status_code for n in range(8)]
        assert found[:4] == [401] * 4
        assert found[-1] == 429

    _play(tmp_path, play)


def test_plan_alarms_health_and_metrics_tell_the_state(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        async with asyncio.timeout(5):
            while manager.state.plan is None or not manager.state.plan.sessions:
                await asyncio.sleep(0.02)
        plan = (await client.get("/plan")).json()
        assert plan["sessions"][0]["session"] == SESSION
        assert plan["sessions"][0]["bound_by"]
        assert (await client.get("/health/live")).json()["ok"]
        assert (await client.get("/health/ready")).json()["ok"]
        metrics = (await client.get("/metrics")).text
        assert 'loadmgr_node_current_a{node="grid",phase="L1"} 20.0' in metrics
        assert "loadmgr_sessions 1.0" in metrics
        assert KEY not in metrics
        assert isinstance((await client.get("/alarms")).json(), list)
        assert (await client.get("/plans")).status_code == 200

    _play(tmp_path, play)


def test_an_unexpected_error_gives_a_reference_and_no_trace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[G27]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        def broken(*_: object) -> None:
            raise RuntimeError("secret detail")

        monkeypatch.setattr("api.routes.sites.node_loads", broken)
        response = await client.get("/site")
        assert response.status_code == 500
        assert "secret" not in response.text
        assert "reference" in response.json()["detail"]
        assert manager.state.sessions

    _play(tmp_path, play)


def test_a_car_asks_what_it_can_get_and_promises_are_told(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        depart = (manager.now() + timedelta(hours=2)).isoformat()
        asked = {"evse": "office-2/1", "energy_kwh": 10.0, "depart_at": depart}
        nothing = (await client.post("/promises", json=asked)).json()
        assert nothing["energy_kwh"] == 0.0  # three stations are unknown and count at their maximum
        for number in (2, 3, 4):
            station, now = StationId(f"office-{number}"), manager.now()
            manager.take(
                ev.StationConnected(at=now, station=station, ocpp="1.6"),
                ev.FailsafeAnswered(at=now, station=station, failsafe_a=6.0, accepted=True),
                ev.EvseStatusChanged(at=now, evse=EvseId(f"{station}/1"), status=ev.EvseStatus.AVAILABLE),
            )
        answer = (await client.post("/promises", json=asked)).json()
        assert answer["energy_kwh"] + answer["lacking_kwh"] == pytest.approx(10.0)
        assert answer["energy_kwh"] > 5.0
        assert len(manager.state.sessions) == 1
        unknown = await client.post("/promises", json={**asked, "evse": "office-9/1"})
        assert unknown.status_code == 404
        past = await client.post("/promises", json={**asked, "depart_at": "2020-01-01T00:00:00Z"})
        assert past.status_code == 422
        wish = {"energy_kwh": 6.0, "depart_at": depart}
        assert (await client.patch(f"/sessions/{SESSION}", json=wish)).status_code == 200
        async with asyncio.timeout(5):
            while not manager.state.energy.promises.open:
                await asyncio.sleep(0.05)
        told = (await client.get("/promises")).json()
        assert told["open"][0]["session"] == SESSION
        assert told["kept_frac"] is None
        assert "loadmgr_promises_open 1.0" in (await client.get("/metrics")).text

    _play(tmp_path, play)


def test_a_battery_tells_its_state_and_takes_part_in_the_plan(tmp_path: Path) -> None:
    (tmp_path / "office.toml").write_text((EXAMPLES / "office.toml").read_text() + BATTERY)
    (tmp_path / "data").symlink_to(EXAMPLES / "data")

    async def main() -> None:
        settings = replace(Settings.load(tmp_path / "office.toml"), storage_url=f"sqlite:///{tmp_path / 'b.db'}")
        async with build_manager(settings) as manager:
            transport = httpx.ASGITransport(app=create_app(manager, key=KEY, dashboard=False))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://service/api/v1", headers={"X-API-Key": KEY}
            ) as client:
                told = {"stored_kwh": 8.0, "power_kw": 0.0}
                assert (await client.put("/batteries/cellar", json=told)).status_code == 404
                assert (await client.put("/batteries/box", json={**told, "stored_kwh": 99.0})).status_code == 422
                assert (await client.put("/batteries/box", json=told)).status_code == 204
                manager._plan_wanted.set()
                async with asyncio.timeout(5):
                    while manager.state.plan is None or not manager.state.plan.batteries:
                        await asyncio.sleep(0.05)
                plan = (await client.get("/plan")).json()
                assert plan["batteries"][0]["battery"] == "box"
                assert len(plan["batteries"][0]["power_kw"]) == len(plan["step_s"])
                assert set(plan["costs"]) <= {"energy", "end_value", "comfort", "wear"}
                assert (await client.get("/peaks")).json() == []

    asyncio.run(main())


def test_the_plan_says_why_and_what_is_lacking(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        depart = (manager.now() + timedelta(minutes=30)).isoformat()
        await client.patch(f"/sessions/{SESSION}", json={"energy_kwh": 90.0, "depart_at": depart})
        async with asyncio.timeout(5):
            while manager.state.plan is None or not manager.state.plan.receipts:
                await asyncio.sleep(0.05)
        (planned,) = (await client.get("/plan")).json()["sessions"]
        assert planned["receipt"]["lacking_kwh"] > 10.0
        assert planned["receipt"]["more_time_s"] > 600.0
        assert planned["why"][0]["from_at"] < planned["why"][0]["until_at"]
        assert planned["why"][0]["name"] == planned["bound_by"]

    _play(tmp_path, play)


def test_a_host_mounts_the_routes_of_two_sites_in_its_own_application(tmp_path: Path) -> None:
    """Keys, errors and metrics come with a router; the host's own routes keep theirs."""

    async def main() -> None:
        loaded = Settings.load(EXAMPLES / "office.toml")
        first = replace(loaded, storage_url=f"sqlite:///{tmp_path / 'one.db'}")
        second = replace(loaded, storage_url=f"sqlite:///{tmp_path / 'two.db'}")
        async with build_manager(first) as one, build_manager(second) as two:
            _fill(one)
            await one.durable()
            host = FastAPI()
            host.include_router(create_router(one, key=KEY), prefix="/one")
            host.include_router(create_router(two, key="another-operators-key", viewer_key=VIEWER), prefix="/two")
            transport = httpx.ASGITransport(app=host, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://host") as client:
                mine = {"X-API-Key": KEY}
                assert len((await client.get("/one/sessions", headers=mine)).json()) == 1
                assert (await client.get("/two/sessions", headers=mine)).status_code == 401
                assert (await client.get("/two/sessions", headers={"X-API-Key": VIEWER})).json() == []
                wrong = await client.post("/one/limits", headers=mine, json={"node": "grid"})
                assert wrong.status_code == 422
                assert wrong.headers["content-type"] == "application/problem+json"
                assert "loadmgr_sessions 1.0" in (await client.get("/one/metrics", headers=mine)).text

    asyncio.run(main())
