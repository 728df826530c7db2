"""Chargers through the HTTP API: desired → sent → accepted → effective, obedience, problems, peculiarities (rule H.1)."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest

from api.app import create_app
from api.charger_problems import Problem, problems_of
from api.charger_view import charger_view, unusual
from api.order_view import form_words
from loadmgr.control import obedience, reconcile
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.samples import Measured
from loadmgr.domain.traits import Kind, ProfileForm, Purpose, Traits
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.wiring import build_manager
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged
from tests.support.days import EXAMPLES

KEY = "operators-key-for-tests"
S1, EVSE = StationId("S1"), EvseId("S1/1")


def s(seconds: float) -> datetime:
    """Seconds after noon."""
    return NOON + timedelta(seconds=seconds)


def an_order(no: int, at: datetime, current_a: float, form: ProfileForm | None = None) -> ev.SetpointSent:
    """A setpoint for S1/1 that left, for three minutes."""
    setpoint = Setpoint(
        no=no,
        evse=EVSE,
        current_a=current_a,
        n_phases=3,
        made_at=at,
        valid_until=at + timedelta(seconds=180),
        transaction="1",
        form=form or ProfileForm(),
    )
    return ev.SetpointSent(at=at, setpoint=setpoint)


def said_yes(no: int, at: datetime) -> ev.SetpointAnswered:
    """It was accepted."""
    return ev.SetpointAnswered(at=at, no=no, evse=EVSE, accepted=True)


def a_car(*events: ev.Event) -> SiteState:
    """A car at S1/1 of which the state knows ``events``."""
    site = a_site()
    return a_state(site, *connected(site, failsafe_a=6.0), *plugged(1), *events)


def problems(state: SiteState, now: datetime) -> list[Problem]:
    """Of S1, with the alarms that are due."""
    return list(problems_of(after(state, reconcile.review(state, now)), S1, now))


# -- the way of an order -------------------------------------------------------------------------------------------


def test_an_order_goes_from_sent_to_accepted_to_effective_with_its_evidence() -> None:
    """desired → sent → accepted → effective (rule H.1)."""
    state = a_car(an_order(1, s(0), 16.0))
    order = charger_view(state, S1, s(1)).evses[0].order
    assert order is not None
    assert (order.stage, order.no, order.current_a, order.answered_at, order.is_late) == ("sent", 1, 16.0, None, False)
    state = after(state, [said_yes(1, s(2))])
    order = charger_view(state, S1, s(3)).evses[0].order
    assert order is not None
    assert (order.stage, order.answered_at, order.effective_at) == ("accepted", s(2), None)
    state = after(state, [drawn(1, s(5), (15.8, 15.8, 15.8))])
    order = charger_view(state, S1, s(6)).evses[0].order
    assert order is not None
    assert (order.stage, order.effective_at, order.evidence) == ("effective", s(5), "measured")
    assert problems(state, s(6)) == []
    expired = charger_view(state, S1, s(181)).evses[0].order
    assert expired is not None
    assert expired.stage == "expired"


@pytest.mark.parametrize(
    ("events", "seconds", "stage", "is_late"),
    [
        ([an_order(1, s(0), 16.0)], 30, "sent", False),
        ([an_order(1, s(0), 16.0)], 31, "sent", True),
        ([an_order(1, s(0), 16.0), said_yes(1, s(1))], 61, "accepted", False),
        ([an_order(1, s(0), 16.0), said_yes(1, s(1))], 62, "accepted", True),
        ([an_order(1, s(0), 16.0), said_yes(1, s(1)), an_order(2, s(3), 8.0), said_yes(2, s(4))], 24, "accepted", False),
        ([an_order(1, s(0), 16.0), said_yes(1, s(1)), an_order(2, s(3), 8.0), said_yes(2, s(4))], 25, "accepted", True),
        ([an_order(1, s(0), 16.0), ev.SetpointUnanswered(at=s(30), no=1, evse=EVSE)], 31, "unanswered", False),
        (
            [an_order(1, s(0), 16.0), said_yes(1, s(1)), ev.StationConnected(at=s(5), station=S1, ocpp="1.6")],
            6,
            "in-doubt",
            False,
        ),
    ],
)
def test_an_order_is_late_after_30_s_without_answer_20_s_to_fall_60_s_to_rise(
    events: list[ev.Event], seconds: float, stage: str, is_late: bool
) -> None:
    """Timeouts of rule H.1."""
    order = charger_view(a_car(*events), S1, s(seconds)).evses[0].order
    assert order is not None
    assert (order.stage, order.is_late) == (stage, is_late)


def test_a_form_is_said_in_words() -> None:
    assert form_words(ProfileForm()) == "transaction profile, A, level 1, absolute"
    odd = ProfileForm(purpose=Purpose.MAX, unit="W", stack=0, kind=Kind.RELATIVE, has_phases=False)
    assert form_words(odd) == "station maximum, W, level 0, relative, phases not told"


def test_only_peculiarities_are_listed_with_what_the_standard_says() -> None:
    assert unusual(Traits()) == ()
    odd = Traits(rate_units=("W",), may_trigger=False, effective_max_a=14.0)
    assert unusual(odd) == (
        ("rate_units", "W", "A, W"),
        ("effective_max_a", "14", "not known"),
        ("may_trigger", "no", "yes"),
    )


# -- what is wrong -------------------------------------------------------------------------------------------------


def test_a_charger_that_draws_too_much_is_named_since_its_first_sample_with_what_is_done() -> None:
    """G-112: resend, other forms, a stop; then it counts at its maximum."""
    obeyed = [an_order(1, s(0), 8.0), said_yes(1, s(1)), drawn(1, s(20), (7.9, 7.9, 7.9))]
    state = a_car(*obeyed, drawn(1, s(60), (16.0, 16.0, 16.0)))
    (first,) = problems(state, s(61))
    assert (first.severity, first.since, first.evse) == (ev.Severity.WARNING, s(60), EVSE)
    assert first.message == "EVSE S1/1 draws 16.0 A, 8.0 A are allowed"
    assert first.remedy == "the order is sent again first; after 120 s the session is stopped by itself"
    state = after(state, [ev.RemedyTried(at=s(75), evse=EVSE, remedy=obedience.RESEND)])
    told = next(p for p in problems(state, s(76)) if "draws" in p.message)
    assert told.remedy.startswith("1 remedy tried so far;")
    state = after(state, [drawn(1, s(60 + 10 * i), (16.0, 16.0, 16.0), 0.01 * i) for i in range(1, 10)])
    assert state.evses[EVSE].is_disobedient
    found = problems(state, s(151))
    assert found[0].severity is ev.Severity.CRITICAL
    assert found[0].since == s(60), "since the excess began, not since the alarm"
    assert sum("draws" in p.message for p in found) == 1


@pytest.mark.parametrize(
    ("events", "seconds", "severity", "words"),
    [
        ([ev.StationDisconnected(at=s(0), station=S1)], 10, "warning", "has just lost its link"),
        ([ev.StationDisconnected(at=s(0), station=S1)], 61, "warning", "has no link"),
        ([an_order(1, s(0), 16.0)], 31, "warning", "has not answered the order of 16.0 A"),
        ([an_order(1, s(0), 16.0), said_yes(1, s(1))], 62, "info", "nothing measured shows that it took effect"),
        (
            [an_order(1, s(0), 16.0), ev.SetpointAnswered(at=s(1), no=1, evse=EVSE, accepted=False)],
            2,
            "warning",
            "refused 1 of our orders in a row",
        ),
        ([], 600, "warning", "sends no meter values"),
        (
            [ev.ExternalLimitSet(at=s(0), station=S1, source="EMS", current_a=10.0)],
            1,
            "info",
            "S1: it is limited by EMS: 10 A",
        ),
        (
            [ev.ExternalLimitSet(at=s(0), station=S1, evse=EVSE, source="Other")],
            1,
            "info",
            "S1/1: it is limited by Other: the value was not told",
        ),
        (
            [ev.DerAlarm(at=s(0), station=S1, control_type="HVMustTrip", fault="OverVoltage")],
            1,
            "critical",
            "S1: HVMustTrip tripped (OverVoltage)",
        ),
        (
            [ev.CompositeRead(at=s(0), evse=EVSE, from_at=s(0), limits_a=((0.0, 32.0),), differs="32 A for 16 A")],
            1,
            "warning",
            "something else than ordered: 32 A for 16 A",
        ),
    ],
)
def test_what_is_wrong_is_said_with_its_begin_and_a_remedy(
    events: list[ev.Event], seconds: float, severity: str, words: str
) -> None:
    found = problems(a_car(*events), s(seconds))
    told = [p for p in found if words in p.message]
    assert len(told) == 1, [p.message for p in found]
    assert told[0].severity.value == severity
    assert told[0].remedy
    assert told[0].since is not None
    assert told[0].since <= s(seconds)


def test_a_station_that_never_came_says_so_and_others_are_well() -> None:
    site = a_site(n=2)
    state = a_state(site, *connected(site)[3:])
    (never,) = problems(state, s(600))
    assert "has not connected since the service started" in never.message
    assert problems_of(state, StationId("S2"), s(600)) == ()


def test_a_bad_record_is_a_problem_and_a_short_one_is_not() -> None:
    """G-112 over time: refusals and silence count as well as excess."""
    refusals: list[ev.Event] = []
    for no in range(1, 6):
        refusals += [
            an_order(no, s(no), 16.0),
            ev.SetpointAnswered(at=s(no), no=no, evse=EVSE, accepted=False, detail="Rejected"),
        ]
    healed = [an_order(9, s(20), 16.0), said_yes(9, s(21)), drawn(1, s(22), (15.0, 15.0, 15.0))]
    words = "obeyed 17% of 6 orders: 5 refused, 0 unanswered, 0 not followed"
    assert any(words in p.message for p in problems(a_car(*refusals, *healed), s(23)))
    assert not any("orders:" in p.message for p in problems(a_car(*refusals[:8]), s(23)))


# -- through the application ---------------------------------------------------------------------------------------


def _play(folder: Path, play: Callable[[httpx.AsyncClient, LoadManager], Awaitable[None]]) -> None:
    async def main() -> None:
        loaded = Settings.load(EXAMPLES / "office.toml")
        async with build_manager(replace(loaded, storage_url=f"sqlite:///{folder / 'api.db'}")) as manager:
            transport = httpx.ASGITransport(app=create_app(manager, key=KEY, dashboard=False))
            async with httpx.AsyncClient(
                transport=transport, base_url="http://service/api/v1", headers={"X-API-Key": KEY}
            ) as client:
                await play(client, manager)

    asyncio.run(main())


OFFICE, OUTLET, SESSION = StationId("office-1"), EvseId("office-1/1"), SessionId("car")


def _measured(manager: LoadManager, current_a: float, offered_a: float | None = None) -> ev.MeterSample:
    now = manager.now()
    return ev.MeterSample(
        at=now,
        meter=MeterId(OUTLET),
        measured_at=now,
        measured=Measured(current_a=(current_a,) * 3, offered_a=offered_a),
        session=SESSION,
    )


async def _ordered(manager: LoadManager) -> Setpoint:
    """Connect, plug in, and wait for the order that the service sends by itself."""
    now = manager.now()
    for station in manager.site.stations:
        manager.take(
            ev.StationConnected(at=now, station=station, ocpp="1.6"),
            ev.FailsafeAnswered(at=now, station=station, failsafe_a=6.0, accepted=True),
            ev.EvseStatusChanged(at=now, evse=EvseId(f"{station}/1"), status=ev.EvseStatus.AVAILABLE),
        )
    site_meter = Measured(current_a=(5.0, 5.0, 5.0))
    manager.take(
        ev.StationBooted(at=now, station=OFFICE, vendor="Any", model="Wall 22", firmware="1.2", serial="7"),
        ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=site_meter),
        ev.SessionStarted(at=now, session=SESSION, evse=OUTLET, transaction="1"),
    )
    async with asyncio.timeout(10):
        while (order := manager.state.evses[OUTLET].last_order) is None or order.setpoint.current_a <= 6.0:
            if order is not None and order.answered_at is None:
                manager.take(ev.SetpointAnswered(at=manager.now(), no=order.setpoint.no, evse=OUTLET, accepted=True))
            await asyncio.sleep(0.02)
    return order.setpoint


def test_the_service_shows_its_own_order_on_its_way_and_how_the_charger_obeyed(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        setpoint = await _ordered(manager)
        charger = (await client.get("/chargers/office-1")).json()
        evse = charger["evses"][0]
        assert evse["order"]["no"] == setpoint.no
        assert evse["order"]["stage"] == "sent"
        assert evse["order"]["form"] == "transaction profile, A, level 1, absolute"
        assert evse["desired_a"] >= setpoint.current_a
        manager.take(ev.SetpointAnswered(at=manager.now(), no=setpoint.no, evse=OUTLET, accepted=True))
        manager.take(_measured(manager, 6.0, offered_a=setpoint.current_a))
        charger = (await client.get("/chargers/office-1")).json()
        order = charger["evses"][0]["order"]
        assert (order["stage"], order["evidence"]) == ("effective", "offered")
        assert order["sent_at"] <= order["answered_at"] <= order["effective_at"]
        assert (charger["vendor"], charger["model"], charger["firmware"], charger["ocpp"]) == (
            "Any",
            "Wall 22",
            "1.2",
            "1.6",
        )
        assert charger["obedience"]["obeyed_frac"] == 1.0
        figures = (await client.get("/chargers/obedience")).json()
        assert [(f["name"], f["n_evses"]) for f in figures["by_model"]] == [("Any Wall 22 1.2", 1)]
        assert [f["name"] for f in figures["by_station"]] == ["office-1"]
        assert figures["by_model"][0]["obedience"] == charger["obedience"]
        listed = {c["station"]: c for c in (await client.get("/chargers")).json()}
        assert list(listed) == ["office-1", "office-2", "office-3", "office-4"]
        assert "traits" not in listed["office-1"]
        metrics = (await client.get("/metrics")).text
        assert 'loadmgr_obeyed_frac{station="office-1"} 1.0' in metrics
        assert 'loadmgr_model_obeyed_frac{model="Any Wall 22 1.2"} 1.0' in metrics
        n_obeyed = float(charger["obedience"]["n_obeyed"])
        assert f'loadmgr_orders_total{{outcome="obeyed",station="office-1"}} {n_obeyed}' in metrics

    _play(tmp_path, play)


def test_a_charger_in_detail_tells_peculiarities_evidence_remedies_and_what_others_imposed(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        now = manager.now()
        control = DerControl(
            id="d1", control_type="LimitMaxDischarge", is_default=True, values=(("pctMaxDischargePower", 5),)
        )
        behind = replace(control, id="d2", is_default=False, from_at=now + timedelta(hours=1), priority=3)
        manager.take(
            ev.StationConnected(at=now, station=OFFICE, ocpp="2.1"),
            ev.TraitsKnown(at=now, station=OFFICE, traits=Traits(), evidence=("nothing",)),
            ev.TraitsKnown(at=now, station=OFFICE, traits=Traits(may_trigger=False), evidence=("refused three triggers",)),
            ev.TraitsKnown(at=now, station=StationId("office-2"), traits=Traits(), evidence=("another one",)),
            ev.RemedyTried(at=now, evse=OUTLET, remedy="resend"),
            ev.RemedyTried(at=now, evse=OUTLET, remedy="form", form_no=3),
            ev.RemedyTried(at=now, evse=EvseId("office-2/1"), remedy="stop"),
            ev.ExternalLimitSet(at=now, station=OFFICE, source="EMS", power_kw=4.0, is_critical=True),
            ev.ExternalLimitSet(at=now, station=OFFICE, source="old", power_kw=1.0, until_at=now),
            ev.DerControlStored(at=now, station=OFFICE, control=control),
            ev.DerControlStored(at=now, station=OFFICE, control=behind, is_superseded=True),
            ev.DerAlarm(at=now, station=OFFICE, control_type="HVMustTrip", fault="OverVoltage", info="phase L2"),
            ev.CompositeRead(at=now, evse=OUTLET, from_at=now, limits_a=((0.0, 16.0), (60.0, 6.0))),
        )
        await manager.durable()
        charger = (await client.get("/chargers/office-1")).json()
        assert charger["severity"] == "critical"
        assert charger["traits"] == [{"name": "may_trigger", "value": "no", "standard": "yes"}]
        assert charger["evidence"] == ["refused three triggers"]
        assert [(r["remedy"], r["form_no"]) for r in charger["remedies"]] == [("form", 3), ("resend", 0)]
        assert charger["evses"][0]["n_remedies"] == 2
        assert charger["evses"][0]["form_no"] == 3
        assert [(x["source"], x["power_kw"], x["is_critical"]) for x in charger["external_limits"]] == [("EMS", 4.0, True)]
        assert [(d["id"], d["is_active"], d["is_superseded"]) for d in charger["der_controls"]] == [
            ("d1", True, False),
            ("d2", False, True),
        ]
        assert charger["der_alarms"][0]["fault"] == "OverVoltage"
        assert charger["evses"][0]["composite"]["limits_a"] == [[0.0, 16.0], [60.0, 6.0]]
        assert charger["evses"][0]["composite"]["differs"] == ""
        assert (await client.get("/chargers/none")).status_code == 404
        metrics = (await client.get("/metrics")).text
        for line in (
            'loadmgr_remedies_total{remedy="form"} 1.0',
            'loadmgr_remedies_total{remedy="stop"} 1.0',
            "loadmgr_external_limits 1.0",
            "loadmgr_der_alarms 1.0",
            "loadmgr_disobedient_evses 0.0",
        ):
            assert line in metrics

    _play(tmp_path, play)


def test_every_problem_of_the_view_reaches_the_wire(tmp_path: Path) -> None:
    async def play(client: httpx.AsyncClient, manager: LoadManager) -> None:
        listed: list[dict[str, Any]] = (await client.get("/chargers")).json()
        assert [c["severity"] for c in listed] == ["warning"] * 4
        assert {p["message"].split("has ")[1] for c in listed for p in c["problems"]} == {
            "not connected since the service started"
        }
        assert all(p["since"] is None and p["remedy"] for c in listed for p in c["problems"])

    _play(tmp_path, play)
