"""Grid requests through the HTTP API, on a real manager and a real database (mapping table of domain rule B.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from typer.testing import CliRunner

from api.app import create_app
from loadmgr import grid_returns
from loadmgr.cli import app
from loadmgr.clock import RealClock
from loadmgr.control import v2x
from loadmgr.control.charger_state import external_a
from loadmgr.domain import events as ev
from loadmgr.domain.commands import ClearDer, Command, ReadDer, SetDer
from loadmgr.domain.der import DerControl, DerPoint
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import EvseId, LimitId, SessionId, StationId
from loadmgr.domain.traits import Traits
from loadmgr.errors import SiteModelError
from loadmgr.grid_service import GridService
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.sim.clock import ScaledClock
from loadmgr.sim.scenario import Simulation, on_any_port, simulated
from loadmgr.wiring import build_manager, gateway_of
from tests.support.days import EXAMPLES

KEY = "operators-key-for-tests"
ONE, TWO = StationId("hub-01"), StationId("hub-02")
KNOWING = Traits(operation_modes=(v2x.MODE,), der_controls=(v2x.LIMIT_DISCHARGE, "VoltWatt"), discharge_rated_kw=10.0)


@dataclass(slots=True)
class Link:
    """Takes the commands of the service; a test answers them."""

    sent: list[Command] = field(default_factory=list)

    def send(self, command: Command) -> None:
        """Keep it."""
        self.sent.append(command)

    def of(self, kind: type) -> list[Any]:
        """What was sent of a kind."""
        return [c for c in self.sent if isinstance(c, kind)]


Play = Callable[[httpx.AsyncClient, LoadManager, Link], Awaitable[None]]


def _play(folder: Path, play: Play, *, stations: tuple[StationId, ...] = (ONE, TWO)) -> None:
    async def main() -> None:
        settings = replace(Settings.load(EXAMPLES / "hub.toml"), storage_url=f"sqlite:///{folder / 'hub.db'}")
        async with build_manager(settings) as manager:
            link = Link()
            manager.link = link
            now = manager.now()
            for station in stations:
                manager.take(
                    ev.StationConnected(at=now, station=station, ocpp="2.1"),
                    ev.TraitsKnown(at=now, station=station, traits=KNOWING),
                )
            transport = httpx.ASGITransport(app=create_app(manager, key=KEY, dashboard=False))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://service/api/v1", headers={"X-API-Key": KEY}
            ) as client:
                await play(client, manager, link)

    asyncio.run(main())


async def _answer(manager: LoadManager, command: Command, *, accepted: bool, detail: str = "") -> None:
    manager.take(
        ev.CommandAnswered(
            at=manager.now(),
            no=command.no,
            station=command.station,
            command=type(command).__name__,
            accepted=accepted,
            detail=detail,
        )
    )
    for _ in range(3):
        await asyncio.sleep(0)


def test_an_import_limit_holds_at_once_is_listed_and_ends_with_its_withdrawal(tmp_path: Path) -> None:
    """opModImpLimW → a limit of the site."""

    async def play(client: httpx.AsyncClient, manager: LoadManager, _: Link) -> None:
        wish = {"id": "dso-7", "kind": "opModImpLimW", "source": "grid operator", "value": 42}
        created = await client.post("/grid-requests", json=wish)
        assert created.status_code == 201, created.text
        assert created.headers["Location"] == "/api/v1/grid-requests/dso-7"
        assert manager.state.limits[LimitId("grid-dso-7")].power_kw == 42.0
        assert (await client.get("/site")).json()["nodes"][0]["limit_kw"] == 42.0
        (listed,) = (await client.get("/grid-requests")).json()
        assert listed == created.json()
        assert (listed["state"], listed["node"], listed["actor"], listed["is_recovered"]) == (
            "in-force",
            "grid",
            "operator",
            False,
        )
        assert listed["limits"] == [
            {
                "id": "grid-dso-7",
                "node": "grid",
                "power_kw": 42.0,
                "export_kw": None,
                "discharge_kw": None,
                "is_in_force": True,
            }
        ]
        gone = await client.delete("/grid-requests/dso-7")
        assert gone.json() == {"id": "dso-7", "still_held": []}
        assert manager.state.limits == {}
        assert (await client.get("/grid-requests")).json() == []
        assert (await client.delete("/grid-requests/dso-7")).status_code == 404

    _play(tmp_path, play)


def test_a_request_with_the_same_id_replaces_the_whole_of_the_old_one(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager, _: Link) -> None:
        load = {"id": "r", "kind": "opModLoadLimW", "source": "dso", "evse": "hub-01/1", "value": 3.0}
        assert (await client.post("/grid-requests", json=load)).status_code == 201
        assert external_a(manager.state.chargers, EvseId("hub-01/1"), ONE, manager.now()) == (None, 3.0)
        whole = {"id": "r", "kind": "opModExpLimW", "source": "dso", "value": 0}
        assert (await client.post("/grid-requests", json=whole)).status_code == 200
        assert manager.state.chargers.externals == {}
        assert manager.state.limits[LimitId("grid-r")].export_kw == 0.0
        assert (await client.post("/grid-requests", json=load)).status_code == 200
        assert manager.state.limits == {}
        assert len(manager.state.chargers.externals) == 1
        (only,) = (await client.get("/grid-requests")).json()
        assert only["evse_limits"] == [{"station": "hub-01", "evse": "hub-01/1", "power_kw": 3.0}]
        await client.delete("/grid-requests/r")
        assert manager.state.chargers.externals == {}

    _play(tmp_path, play)


def test_cease_bounds_the_site_and_tells_every_charger_that_knows_how(tmp_path: Path) -> None:
    """opModEnergize: limits of zero, LimitMaxDischarge of zero on top [B-7]; the mirror is kept from answers [B-3]."""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        wish = {"id": "cease", "kind": "opModEnergize", "source": "dso"}
        told = (await client.post("/grid-requests", json=wish)).json()
        limit = manager.state.limits[LimitId("grid-cease")]
        assert (limit.power_kw, limit.discharge_kw) == (0.0, 0.0)
        one, two = link.of(SetDer)
        assert (one.station, two.station, dict(one.control.values)) == (ONE, TWO, {v2x.PERCENT: 0.0})
        assert [c.control_type for c in link.of(ReadDer)] == [v2x.LIMIT_DISCHARGE] * 2
        assert one.no != two.no
        assert [c["status"] for c in told["controls"]] == ["asked", "asked"]
        assert len(told["without"]) == 10
        await _answer(manager, one, accepted=True)
        await _answer(manager, two, accepted=False, detail="NotSupported")
        assert manager.state.chargers.der[ONE, "cease"].control == one.control
        assert v2x.der_bound_kw(manager.state, ONE, manager.now()) == 0.0
        found = (await client.get("/grid-requests/cease")).json()["controls"]
        assert [(c["station"], c["status"], c["detail"]) for c in found] == [
            (ONE, "held", ""),
            (TWO, "refused", "NotSupported"),
        ]
        stored = manager.state.chargers.der[ONE, "cease"]
        manager.take(replace(stored, at=manager.now(), is_superseded=True))
        found = (await client.get("/grid-requests/cease")).json()["controls"]
        assert found[0]["status"] == "superseded"
        await client.delete("/grid-requests/cease")
        cleared = link.of(ClearDer)
        assert [(c.station, c.control_id, c.is_default) for c in cleared] == [(ONE, "cease", True), (TWO, "cease", True)]
        await _answer(manager, cleared[0], accepted=True)
        await _answer(manager, cleared[1], accepted=False, detail="NotFound")
        assert manager.state.chargers.der == {}

    _play(tmp_path, play)


def test_a_curve_is_passed_on_with_the_times_of_its_request(tmp_path: Path) -> None:
    """A scheduled control has a begin and a length, a default one neither [B-1]."""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        begin = manager.now() + timedelta(hours=1)
        curve = {"control_type": "VoltWatt", "priority": 2, "curve": [{"x": 105, "y": 100}, {"x": 110, "y": 0}]}
        wish = {"id": "vw", "kind": "DERControl", "source": "dso", "control": {**curve, "y_unit": "PctMaxW"}}
        times = {"from_at": begin.isoformat(), "until_at": (begin + timedelta(minutes=30)).isoformat()}
        told = (await client.post("/grid-requests", json={**wish, **times})).json()
        assert told["state"] == "scheduled"
        control = link.of(SetDer)[0].control
        assert (control.id, control.is_default, control.from_at, control.duration_s) == ("vw", False, begin, 1800.0)
        assert (control.priority, control.y_unit, [(p.x, p.y) for p in control.curve]) == (
            2,
            "PctMaxW",
            [(105.0, 100.0), (110.0, 0.0)],
        )
        assert (await client.post("/grid-requests", json=wish)).status_code == 200
        assert [(c.station, c.is_default) for c in link.of(ClearDer)] == [(ONE, False), (TWO, False)]
        assert link.of(SetDer)[-1].control.is_default

    _play(tmp_path, play)


def test_a_control_that_only_has_an_end_begins_now_and_so_has_a_length(tmp_path: Path) -> None:
    """[B-1] else it would be a default control, which never ends."""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        until = (manager.now() + timedelta(hours=1)).isoformat()
        wish = {"kind": "opModGenLimW", "source": "dso", "evse": "hub-01/1", "value": 5, "until_at": until}
        assert (await client.post("/grid-requests", json=wish)).status_code == 201
        control = link.of(SetDer)[0].control
        assert not control.is_default
        assert 3500.0 < control.duration_s <= 3600.0
        assert dict(control.values) == {v2x.PERCENT: 50.0}

    _play(tmp_path, play)


@pytest.mark.parametrize(
    ("wish", "status", "words"),
    [
        ({"kind": "opModImpLimW"}, 422, "must be a number >= 0"),
        ({"kind": "opModImpLimW", "value": -1}, 422, "body.value"),
        ({"kind": "opModMaxLimW", "value": 101}, 422, "at most 100"),
        ({"kind": "opModNothing", "value": 1}, 422, "body.kind"),
        ({"kind": "opModImpLimW", "value": 1, "node": "gird"}, 422, "node 'gird' does not exist"),
        ({"kind": "opModImpLimW", "value": 1, "evse": "hub-01/1"}, 422, "evse means nothing here"),
        ({"kind": "opModEnergize", "value": 1}, 422, "value means nothing here"),
        ({"kind": "opModLoadLimW", "value": 1, "evse": "hub-99/1"}, 422, "EVSE 'hub-99/1' does not exist"),
        ({"kind": "opModLoadLimW", "value": 1}, 422, "needs the EVSE"),
        ({"kind": "opModLoadLimW", "value": 1, "evse": "hub-01/1", "node": "grid"}, 422, "node means nothing"),
        (
            {"kind": "opModLoadLimW", "value": 1, "evse": "hub-01/1", "from_at": "2099-01-01T00:00:00Z"},
            422,
            "it takes effect at once",
        ),
        ({"kind": "opModImpLimW", "value": 1, "until_at": "2020-01-01T00:00:00Z"}, 422, "which is past"),
        ({"kind": "opModGenLimW", "value": 1, "evse": "hub-03/1"}, 422, "does not know LimitMaxDischarge"),
        ({"kind": "DERControl"}, 422, "needs the control"),
        ({"kind": "DERControl", "control": {"control_type": "FreqDroop"}}, 422, "says that it knows 'FreqDroop'"),
        ({"kind": "DERControl", "control": {"control_type": "Volt"}}, 422, "body.control.control_type"),
        (
            {
                "kind": "DERControl",
                "control": {"control_type": "EnterService"},
                "until_at": "2099-01-01T00:00:00Z",
            },
            422,
            "has no time [B-1]",
        ),
        ({"kind": "opModImpLimW", "value": 1, "id": "ä b"}, 422, "body.id"),
    ],
)
def test_an_impossible_request_is_refused_whole_and_changes_nothing(
    tmp_path: Path, wish: dict[str, Any], status: int, words: str
) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        before = (manager.state.limits, manager.state.chargers, link.of(SetDer))
        response = await client.post("/grid-requests", json={"source": "dso", **wish})
        assert response.status_code == status, response.text
        assert words in response.json()["detail"]
        assert (manager.state.limits, manager.state.chargers, link.of(SetDer)) == before
        assert (await client.get("/grid-requests")).json() == []

    _play(tmp_path, play)


def test_what_only_chargers_can_hold_is_refused_when_one_of_them_cannot_be_told(tmp_path: Path) -> None:
    """Nothing half applied: a curve for two stations, of which one has no link."""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        manager.take(ev.StationDisconnected(at=manager.now(), station=TWO))
        wish = {"id": "vw", "kind": "DERControl", "source": "dso", "control": {"control_type": "VoltWatt"}}
        refused = await client.post("/grid-requests", json=wish)
        assert refused.status_code == 422
        assert "no link to hub-02" in refused.json()["detail"]
        assert link.of(SetDer) == []
        cease = (await client.post("/grid-requests", json={"id": "c", "kind": "opModEnergize", "source": "dso"})).json()
        assert {c["station"]: c["status"] for c in cease["controls"]} == {ONE: "asked", TWO: "not-connected"}
        assert cease["limits"][0]["discharge_kw"] == 0.0, "our own limit bounds it without its control"
        manager.take(ev.StationDisconnected(at=manager.now(), station=ONE))
        assert (await client.delete("/grid-requests/c")).json()["still_held"] == [ONE]

    _play(tmp_path, play)


def test_requests_outlive_a_restart_and_can_be_withdrawn_with_what_chargers_hold(tmp_path: Path) -> None:
    """[B.1, F01] Request, actor and time, limits of nodes and of single EVSEs, and controls."""
    made: dict[str, Any] = {}

    async def before(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        for wish in (
            {"id": "half", "kind": "opModMaxLimW", "value": 50},
            {"id": "tight", "kind": "opModImpLimW", "value": 30},
            {"id": "single", "kind": "opModLoadLimW", "evse": "hub-01/1", "value": 2},
            {"id": "gone", "kind": "opModLoadLimW", "evse": "hub-01/1", "value": 1},
        ):
            assert (await client.post("/grid-requests", json={"source": "dso", **wish})).status_code == 201
        await client.delete("/grid-requests/gone")
        first, second = link.of(SetDer)
        await _answer(manager, first, accepted=True)
        await _answer(manager, second, accepted=False, detail="NotSupported")
        made.update({r["id"]: r for r in (await client.get("/grid-requests")).json()})
        assert [c["status"] for c in made["half"]["controls"]] == ["held", "refused"]

    async def after(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        listed = {r["id"]: r for r in (await client.get("/grid-requests")).json()}
        assert listed == made
        assert not listed["tight"]["is_recovered"]
        assert external_a(manager.state.chargers, EvseId("hub-01/1"), ONE, manager.now()) == (None, 2.0)
        assert (await client.delete("/grid-requests/half")).status_code == 200
        assert [(c.station, c.control_id) for c in link.of(ClearDer)] == [(ONE, "half"), (TWO, "half")]
        await client.delete("/grid-requests/tight")
        await client.delete("/grid-requests/single")
        assert manager.state.limits == {}

    async def at_last(client: httpx.AsyncClient, manager: LoadManager, _: Link) -> None:
        assert (await client.get("/grid-requests")).json() == []
        assert dict(manager.state.chargers.externals) == {}

    for play in (before, after, at_last):
        _play(tmp_path, play)


def test_a_limit_of_one_evse_is_in_force_before_the_first_tick_after_a_restart(tmp_path: Path) -> None:
    """[B.1, F01] And a replay of the log decides the same."""

    async def before(client: httpx.AsyncClient, _: LoadManager, __: Link) -> None:
        wish = {"id": "single", "kind": "opModLoadLimW", "source": "dso", "evse": "hub-01/1", "value": 7}
        assert (await client.post("/grid-requests", json=wish)).status_code == 201

    async def main() -> None:
        settings = replace(Settings.load(EXAMPLES / "hub.toml"), storage_url=f"sqlite:///{tmp_path / 'hub.db'}")
        async with build_manager(settings) as manager:
            assert manager.stats.ticks == 0
            assert external_a(manager.state.chargers, EvseId("hub-01/1"), ONE, manager.now()) == (None, 7.0)
            (held,) = GridService(manager).held()
            assert (held.request is not None and held.request.value, held.actor) == (7.0, "operator")

    _play(tmp_path, before)
    asyncio.run(main())
    path = tmp_path / "hub.toml"
    path.write_text((EXAMPLES / "hub.toml").read_text().replace('series = "data/', f'series = "{EXAMPLES}/data/'))
    found = CliRunner().invoke(app, ["replay", str(path)], env={"LOADMGR_STORAGE_URL": f"sqlite:///{tmp_path / 'hub.db'}"})
    assert found.exit_code == 0, found.output
    assert "0 differences" in found.output


@pytest.fixture
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Stations that connect are asked at once."""
    monkeypatch.setattr(grid_returns, "LOOK_S", 0.01)
    monkeypatch.setattr(grid_returns, "REPORT_S", 0.02)
    monkeypatch.setattr(grid_returns, "AGAIN_S", (0.0, 0.02, 0.02))


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.01)


def _back(manager: LoadManager, station: StationId) -> None:
    manager.take(ev.StationConnected(at=manager.now(), station=station, ocpp="2.1"))


CEASE = {"id": "c", "kind": "opModEnergize", "source": "dso"}


@pytest.mark.usefixtures("at_once")
def test_a_station_without_a_link_is_told_when_it_connects(tmp_path: Path) -> None:
    """[B-3, B-7]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        manager.take(ev.StationDisconnected(at=manager.now(), station=TWO))
        answer = (await client.post("/grid-requests", json=CEASE)).json()
        assert {c["station"]: c["detail"] for c in answer["controls"]}[TWO] == "it is told when it connects"
        assert [c.station for c in link.of(SetDer)] == [ONE]
        link.sent.clear()
        _back(manager, TWO)
        await _until(lambda: link.of(ReadDer) != [])
        assert link.of(SetDer) == [], "it is asked first"
        await _answer(manager, link.of(ReadDer)[0], accepted=False, detail="NotFound")
        await _until(lambda: link.of(SetDer) != [])
        (told,) = link.of(SetDer)
        assert (told.station, told.control.id, dict(told.control.values)) == (TWO, "c", {v2x.PERCENT: 0.0})
        assert [type(c) for c in link.sent[-2:]] == [SetDer, ReadDer]
        await _answer(manager, told, accepted=True)
        assert {c["station"]: c["status"] for c in (await client.get("/grid-requests/c")).json()["controls"]}[TWO] == "held"

    _play(tmp_path, play)


@pytest.mark.usefixtures("at_once")
@pytest.mark.parametrize("what", ["same", "other", "none"])
def test_a_station_that_connects_after_a_restart_is_told_what_it_does_not_hold(tmp_path: Path, what: str) -> None:
    """[B-3] A station keeps its controls over a reboot; one that reports them is told nothing."""

    async def before(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        assert (await client.post("/grid-requests", json=CEASE)).status_code == 201
        for command in link.of(SetDer):
            await _answer(manager, command, accepted=True)

    async def after(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        await _until(lambda: {c.station for c in link.of(ReadDer)} == {ONE, TWO})
        for read in link.of(ReadDer):
            percent = 40.0 if what == "other" else 0.0
            control = DerControl(id="c", control_type=v2x.LIMIT_DISCHARGE, is_default=True, values=((v2x.PERCENT, percent),))
            if what != "none" or read.station == ONE:
                manager.take(ev.DerControlStored(at=manager.now(), station=read.station, control=control))
            await _answer(manager, read, accepted=True)
        told = {"same": [], "other": [ONE, TWO], "none": [TWO]}[what]
        await _until(lambda: [c.station for c in link.of(SetDer)] == told)
        await asyncio.sleep(0.2)
        assert [c.station for c in link.of(SetDer)] == told
        for command in link.of(SetDer):
            await _answer(manager, command, accepted=True)
        listed = (await client.get("/grid-requests/c")).json()
        assert {c["status"] for c in listed["controls"]} == {"held"}

    _play(tmp_path, before)
    _play(tmp_path, after)


@pytest.mark.usefixtures("at_once")
def test_a_station_that_gives_no_answer_is_asked_again_and_then_the_operator_told(tmp_path: Path) -> None:
    """[B-3]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        manager.take(ev.StationDisconnected(at=manager.now(), station=TWO))
        await client.post("/grid-requests", json=CEASE)
        _back(manager, TWO)
        await _until(lambda: [c.station for c in link.of(ReadDer)].count(TWO) == 3)
        found: list[str] = []
        while "it does not answer which controls it holds" not in found:
            await asyncio.sleep(0.02)
            found = [c["detail"] for c in (await client.get("/grid-requests/c")).json()["controls"]]
        assert [c.station for c in link.of(SetDer)] == [ONE]

    _play(tmp_path, play)


@pytest.mark.usefixtures("at_once")
def test_a_station_that_shows_only_later_that_it_knows_the_control_gets_it(tmp_path: Path) -> None:
    """[B-7]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        manager.take(ev.TraitsKnown(at=manager.now(), station=TWO, traits=Traits()))
        answer = (await client.post("/grid-requests", json=CEASE)).json()
        assert TWO in answer["without"]
        manager.take(ev.TraitsKnown(at=manager.now(), station=TWO, traits=KNOWING))
        await _until(lambda: [c.station for c in link.of(ReadDer)].count(TWO) == 1)
        await _answer(manager, link.of(ReadDer)[-1], accepted=False, detail="NotFound")
        await _until(lambda: [c.station for c in link.of(SetDer)] == [ONE, TWO])
        assert TWO not in (await client.get("/grid-requests/c")).json()["without"]

    _play(tmp_path, play)


@pytest.mark.usefixtures("at_once")
def test_what_was_withdrawn_or_is_over_is_not_told_to_who_connects(tmp_path: Path) -> None:
    """[B-1, B.1]"""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        manager.take(ev.StationDisconnected(at=manager.now(), station=TWO))
        until_at = (manager.now() + timedelta(seconds=1.0)).isoformat()
        await client.post("/grid-requests", json=CEASE)
        await client.post("/grid-requests", json={**CEASE, "id": "short", "until_at": until_at})
        await client.delete("/grid-requests/c")
        await asyncio.sleep(1.1)
        _back(manager, TWO)
        await asyncio.sleep(0.2)
        assert TWO not in {c.station for c in link.sent}

    _play(tmp_path, play)


TIMED = DerControl(
    id="x",
    control_type="VoltWatt",
    from_at=datetime(2026, 6, 10, 12, 0, 0, 400_000, tzinfo=UTC),
    duration_s=3600.0,
    values=(("responseTime", 5.0),),
    flags=(("excitation", True),),
    curve=(DerPoint(x=1.0, y=2.0),),
)


@pytest.mark.parametrize(
    ("change", "is_it"),
    [
        ({}, True),
        ({"from_at": datetime(2026, 6, 10, 12, tzinfo=UTC), "y_unit": "Not_Applicable"}, True),
        ({"values": (("responseTime", 5.000001),)}, True),
        ({"from_at": datetime(2026, 6, 10, 13, tzinfo=UTC)}, False),
        ({"from_at": None}, False),
        ({"duration_s": 1800.0}, False),
        ({"values": (("responseTime", 6.0),)}, False),
        ({"values": ()}, False),
        ({"flags": (("excitation", False),)}, False),
        ({"curve": (DerPoint(x=1.0, y=3.0),)}, False),
        ({"curve": ()}, False),
        ({"priority": 1}, False),
        ({"is_default": True}, False),
        ({"control_type": "VoltVar"}, False),
        ({"id": "y"}, False),
    ],
)
def test_a_reported_control_is_compared_with_what_was_asked(change: dict[str, Any], is_it: bool) -> None:
    """[B-3] What the wire loses makes no difference."""
    assert grid_returns.is_same(TIMED, replace(TIMED, **change)) is is_it
    assert grid_returns.is_same(replace(TIMED, **change), TIMED) is is_it


def test_a_csms_uses_the_same_service_without_http(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        service = GridService(manager)
        request = GridRequest(id="m", kind=GridRequestKind.MAX_DISCHARGE, source="csms", value=25.0)
        held = await service.ask(request, actor="csms")
        assert held.limits[0].discharge_kw == pytest.approx(12 * 10.0 * 0.25)
        assert service.held() == (held,)
        assert (await client.get("/grid-requests")).json()[0]["id"] == "m", "the API sees the limits of another service"
        with pytest.raises(SiteModelError, match="an id has at most"):
            await service.ask(replace(request, id="x" * 37), actor="csms")
        named = DerControl(id="other", control_type="VoltWatt")
        with pytest.raises(SiteModelError, match=r"control\.id means nothing"):
            await service.ask(GridRequest(id="n", kind=GridRequestKind.CONTROL, source="csms", control=named), actor="csms")
        assert await service.withdraw("m", actor="csms") == ()
        assert service.held() == ()
        assert len(link.of(ClearDer)) == 2

    _play(tmp_path, play)


class Later(RealClock):
    """Two hours ahead."""

    def now(self) -> datetime:
        return super().now() + timedelta(hours=2)


def test_a_request_whose_time_is_over_is_listed_no_more(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager, _: Link) -> None:
        until = (manager.now() + timedelta(hours=1)).isoformat()
        for wish in ({"kind": "opModImpLimW"}, {"kind": "opModLoadLimW", "evse": "hub-01/1"}):
            told = {**wish, "source": "dso", "value": 10, "until_at": until}
            assert (await client.post("/grid-requests", json=told)).status_code == 201
        listed = (await client.get("/grid-requests")).json()
        assert len(listed) == 2
        manager.clock = Later()
        assert (await client.get("/grid-requests")).json() == []
        assert [(await client.delete(f"/grid-requests/{r['id']}")).status_code for r in listed] == [404, 404]

    _play(tmp_path, play)


def test_twelve_simulated_chargers_take_a_cease_over_real_links_and_give_it_up_again(tmp_path: Path) -> None:
    """[B-3], [B-6] with chargers that speak OCPP 2.1 and keep their own DER controls."""

    async def until(is_so: Callable[[], bool]) -> None:
        async with asyncio.timeout(60):
            while not is_so():
                await asyncio.sleep(0.05)

    async def main() -> None:
        settings = on_any_port(Settings.load(EXAMPLES / "hub.toml"), f"sqlite:///{tmp_path / 'hub.db'}")
        clock = ScaledClock(datetime(2026, 6, 10, 12, 0, tzinfo=UTC), 10.0)
        async with build_manager(settings, clock=clock) as manager, gateway_of(manager) as gateway:
            assert gateway is not None
            async with simulated(settings, clock, (manager, gateway), versions=("2.1",)):

                def know() -> bool:
                    traits = manager.state.chargers.traits_of
                    return all(v2x.LIMIT_DISCHARGE in traits(s).der_controls for s in manager.state.stations)

                await until(know)
                service = GridService(manager)
                request = GridRequest(id="cease", kind=GridRequestKind.CEASE, source="dso")
                assert (await service.ask(request, actor="test")).without == ()
                await until(lambda: {c.status for c in service.find("cease").controls} == {"held"})
                assert {s for s, _ in manager.state.chargers.der} == set(manager.state.stations)
                assert await service.withdraw("cease", actor="test") == ()
                await until(lambda: not manager.state.chargers.der)

    asyncio.run(main())


def test_real_chargers_hold_a_request_over_restarts_and_lost_links(tmp_path: Path) -> None:
    """[B-3, F01] Empty chargers are told after a restart of the service; one that only lost its link is not told again."""
    settings = on_any_port(Settings.load(EXAMPLES / "hub.toml"), f"sqlite:///{tmp_path / 'hub.db'}")

    async def live(hour: int, play: Callable[[Simulation, GridService], Awaitable[None]]) -> None:
        clock = ScaledClock(datetime(2026, 6, 10, hour, 0, tzinfo=UTC), 10.0)
        async with build_manager(settings, clock=clock) as manager, gateway_of(manager) as gateway:
            assert gateway is not None
            service = GridService(manager)
            async with simulated(settings, clock, (manager, gateway), versions=("2.1",)) as day:
                await play(day, service)
            await service.close()

    async def sets(day: Simulation, station: StationId) -> int:
        await day.manager.durable()
        commands = await day.manager.history.commands(limit=500, station=station)
        return sum(c.kind == "SetDer" for c in commands)

    async def before(day: Simulation, service: GridService) -> None:
        known = day.manager
        await _until(lambda: all(v2x.LIMIT_DISCHARGE in known.state.chargers.traits_of(s).der_controls for s in day.twins))
        await service.ask(GridRequest(id="cease", kind=GridRequestKind.CEASE, source="dso"), actor="dso")
        await _until(lambda: {c.status for c in service.find("cease").controls} == {"held"})

    async def after(day: Simulation, service: GridService) -> None:
        first = next(iter(day.twins))
        assert await sets(day, first) == 1
        await _until(lambda: set(day.manager.state.chargers.der) == {(s, "cease") for s in day.twins})
        await _until(lambda: {c.status for c in service.find("cease").controls} == {"held"})
        assert await sets(day, first) == 2
        await day.twins[first].go_offline()
        await _until(lambda: not day.manager.state.stations[first].is_connected)
        day.twins[first].go_online()
        reads = day.manager.clock.monotonic_s() + 2 * grid_returns.LOOK_S + grid_returns.REPORT_S + 20.0
        await _until(lambda: day.manager.clock.monotonic_s() > reads)
        assert day.manager.state.stations[first].is_connected
        assert await sets(day, first) == 2

    asyncio.run(live(12, before))
    asyncio.run(live(13, after))


# -- what only chargers of 2.1 understand --------------------------------------------------------------------------


def _with_a_car(manager: LoadManager) -> None:
    now = manager.now()
    manager.take(ev.SessionStarted(at=now, session=SessionId("s"), evse=EvseId("hub-01/1"), transaction="tx-1"))


def test_priority_transfer_and_afrr_become_commands_of_their_stations(tmp_path: Path) -> None:
    """UsePriorityCharging (K21), NotifyAllowedEnergyTransfer (Q01), AFRRSignal."""

    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        _with_a_car(manager)
        answers = [
            await client.post("/sessions/s/priority", json={"is_active": True}),
            await client.post("/sessions/s/transfer", json={"modes": ["AC_BPT", "AC_three_phase"]}),
            await client.post(f"/stations/{ONE}/afrr", json={"signal": -3}),
        ]
        assert [a.status_code for a in answers] == [202] * 3
        asked = [c for c in link.sent if type(c).__name__ in {"SetPriority", "AllowTransfer", "SignalAfrr"}]
        priority, transfer, afrr = asked
        assert (priority.transaction, priority.is_active, priority.station) == ("tx-1", True, ONE)
        assert (transfer.transaction, transfer.modes) == ("tx-1", ("AC_BPT", "AC_three_phase"))
        assert afrr.signal == -3
        assert [a.json()["no"] for a in answers] == [c.no for c in asked]
        assert len({c.no for c in asked}) == 3

    _play(tmp_path, play)


@pytest.mark.parametrize(
    ("path", "body", "status", "words"),
    [
        ("/sessions/none/priority", {"is_active": True}, 404, "running session 'none'"),
        ("/sessions/s/priority", {}, 422, "body.is_active"),
        ("/sessions/s/transfer", {"modes": []}, 422, "body.modes"),
        ("/sessions/s/transfer", {"modes": ["AC_BPT", "AC_BPT"]}, 422, "every mode once"),
        ("/sessions/s/transfer", {"modes": ["diesel"]}, 422, "body.modes.0"),
        ("/stations/none/afrr", {"signal": 1}, 404, "station 'none'"),
        ("/stations/hub-03/afrr", {"signal": 1}, 422, "has no link"),
        ("/stations/hub-02/afrr", {"signal": 1}, 422, "speaks OCPP 1.6, this needs 2.1"),
        ("/stations/hub-01/afrr", {"signal": 1.5}, 422, "body.signal"),
    ],
)
def test_what_a_charger_cannot_be_told_is_refused_with_the_reason(
    tmp_path: Path, path: str, body: dict[str, Any], status: int, words: str
) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager, link: Link) -> None:
        _with_a_car(manager)
        manager.take(ev.StationConnected(at=manager.now(), station=TWO, ocpp="1.6"))
        response = await client.post(path, json=body)
        assert response.status_code == status, response.text
        assert words in response.json()["detail"]
        assert {type(c).__name__ for c in link.sent} <= {"SendSetpoint"}

    _play(tmp_path, play)
