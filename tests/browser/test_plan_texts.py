"""The plan in words and as chart data, without a browser."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.dashboard import plan, plan_chart, plan_texts
from api.dashboard.plan_texts import Moments
from loadmgr.control.state import SiteState, apply
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, NodeId, SessionId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan, Receipt, RowWorth, Why
from loadmgr.domain.tariff import Tariff, TariffBand
from tests.support.builders import NOON, a_site, a_state, connected, plugged

BERLIN = Moments(now=NOON, zone=ZoneInfo("Europe/Berlin"))
"""Noon in UTC is 14:00 there."""
S1, S2 = SessionId("s1"), SessionId("s2")
NAMES = {S1: EvseId("S1/1"), S2: EvseId("S2/1")}


def a_plan(**changes: object) -> Plan:
    """Two cars for four hours, the steps of 10, 20, 30 and 180 minutes."""
    known = Plan(
        no=7,
        made_at=NOON,
        step_s=(600.0, 1200.0, 1800.0, 10_800.0),
        sessions=(S1, S2),
        evses=(NAMES[S1], NAMES[S2]),
        power_kw=((11.0, 11.0, 0.0, -5.0), (0.0, 3.0, 3.0, 0.0)),
        shortfall_kwh=(0.0, 0.0),
        import_kw=(21.0, 24.0, 13.0, 5.0),
        base_kw=(10.0, 10.0, 10.0, 10.0),
        engine="highs",
        status="optimal",
    )
    return replace(known, **changes)  # type: ignore[arg-type]


def a_day(made: Plan | None = None) -> SiteState:
    """A state with two cars and a plan."""
    state = a_state(a_site(power_kw=60.0), *connected(a_site()), *plugged(1), *plugged(2))
    return apply(state, ev.PlanMade(at=NOON, plan=made)) if made is not None else state


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(-3, "0 s"), (45, "45 s"), (1560, "26 min"), (5400, "1 h 30 min"), (7200, "2 h"), (5370, "1 h 30 min")],
)
def test_a_length_of_time_is_said_in_words(seconds: float, words: str) -> None:
    assert plan_texts.duration(seconds) == words


def test_times_are_local_and_say_the_day_when_it_is_another() -> None:
    assert BERLIN.clock(NOON + timedelta(minutes=20)) == "14:20"
    assert BERLIN.clock(NOON + timedelta(hours=10)) == "Thu 00:00"
    assert BERLIN.span(NOON, NOON + timedelta(hours=1)) == "now–15:00"
    assert BERLIN.span(NOON + timedelta(hours=11), NOON + timedelta(hours=12)) == "Thu 01:00–02:00"
    assert BERLIN.span(NOON - timedelta(hours=1), NOON + timedelta(hours=12)) == "now–Thu 02:00"


def test_a_receipt_names_the_full_limit_and_every_cure() -> None:
    receipt = Receipt(
        session=S1,
        lacking_kwh=3.21,
        reason="pod-a/L1",
        source="fuse",
        more_time_s=1560.0,
        more_limit=4.08,
        limit_unit="A",
        instead_of=S2,
    )
    assert plan_texts.receipt_words(receipt, NAMES, "at 17:30") == (
        "S1/1 will lack 3.2 kWh at 17:30 because pod-a/L1 (fuse) is full. "
        "Cure: 26 min more, or 4.1 A more there, or less for S2/1."
    )


def test_a_receipt_without_a_cure_claims_none() -> None:
    receipt = Receipt(session=SessionId("gone"), lacking_kwh=1.0, reason="evse")
    assert plan_texts.receipt_words(receipt, NAMES, "at 17:30") == (
        "gone will lack 1.0 kWh at 17:30 because even at full power the time is too short."
    )


def test_causes_are_summed_and_the_largest_comes_first() -> None:
    receipts = [
        Receipt(session=S1, lacking_kwh=1.0, reason="evse"),
        Receipt(session=S2, lacking_kwh=2.0, reason="grid/kW", source="operator"),
        Receipt(session=S1, lacking_kwh=3.0, reason="grid/kW", source="operator"),
    ]
    assert plan_texts.causes(receipts) == (
        "2 cars lack 5.0 kWh because grid/kW (operator) is full.",
        "1 car lacks 1.0 kWh because even at full power the time is too short.",
    )


def test_the_departure_of_a_receipt_is_the_said_one_or_is_called_assumed() -> None:
    receipt = Receipt(session=S1, lacking_kwh=2.0, reason="evse")
    made = a_plan(receipts=(receipt,), whys=(Why(session=S1, from_step=0, until_step=3, name="evse"),))
    state = a_day(made)
    assert "at 18:00" in plan_texts.short_lines(state, BERLIN)[0]
    late = Moments(now=NOON + timedelta(hours=5), zone=BERLIN.zone)
    assert "(it should have left at 18:00)" in plan_texts.short_lines(state, late)[0]
    silent = replace(state.sessions[S1], intent=replace(state.sessions[S1].intent, depart_at=None))
    state = replace(state, sessions={**state.sessions, S1: silent})
    assert "at about 15:00 (departure assumed)" in plan_texts.short_lines(state, BERLIN)[0]


def test_runs_begin_now_and_the_rest_is_counted() -> None:
    names = ["evse", "pod-a/L1", "price", "energy"]
    whys = [Why(session=S1, from_step=i, until_step=i + 1, name=n) for i, n in enumerate(names)]
    assert plan_texts.runs_words(a_plan(), whys, BERLIN) == (
        "now–14:10 its own maximum",
        "14:10–14:30 limit pod-a/L1",
        "14:30–15:00 cheaper later",
        "1 more change until 18:00",
    )
    later = Moments(now=NOON + timedelta(minutes=15), zone=BERLIN.zone)
    assert plan_texts.runs_words(a_plan(), whys, later)[0] == "now–14:30 limit pod-a/L1"
    assert plan_texts.runs_words(a_plan(), [], BERLIN) == ()


def test_neighbouring_spans_of_a_full_limit_are_one_with_the_mean_worth() -> None:
    def worth(name: str, step: int, money: float) -> RowWorth:
        return RowWorth(name=name, source="fuse", unit="A", from_step=step, until_step=step + 1, worth_per_h=money)

    made = a_plan(worth=(worth("b/L1", 0, 0.3), worth("b/L1", 1, 0.6), worth("a/L1", 0, 0.001), worth("a/L1", 2, 0.001)))
    found = plan_texts.full_limits(made)
    assert [(x.name, x.from_at, x.until_at) for x in found] == [
        ("b/L1", NOON, NOON + timedelta(minutes=30)),
        ("a/L1", NOON, NOON + timedelta(minutes=10)),
        ("a/L1", NOON + timedelta(minutes=30), NOON + timedelta(minutes=60)),
    ]
    assert plan_texts.worth_words(found[0], "EUR") == "0.50 EUR per A"
    assert plan_texts.worth_words(found[1], "EUR") == "next to nothing"


def test_a_plan_that_does_not_count_is_announced() -> None:
    assert "no plan yet" in plan_texts.warning(a_day(), BERLIN)
    assert plan_texts.warning(a_day(a_plan()), BERLIN) == ""
    assert "from a rule" in plan_texts.warning(a_day(a_plan(rule_based=True)), BERLIN)
    late = Moments(now=NOON + timedelta(minutes=4), zone=BERLIN.zone)
    said = plan_texts.warning(a_day(a_plan(rule_based=True)), late)
    assert "4 min old" in said
    assert "90 s" in said
    assert "planned at 14:00" in said


def test_rows_put_who_lacks_first_and_show_what_is_planned_now() -> None:
    made = a_plan(receipts=(Receipt(session=S2, lacking_kwh=2.5, reason="evse"),))
    state = a_day(made)
    first, second = plan.session_rows(state, BERLIN)
    assert (first["evse"], first["lacks"], first["power"]) == ("S2/1", "2.5 kWh", "0.0")
    assert (second["evse"], second["lacks"], second["power"]) == ("S1/1", "", "11.0")
    assert second["energy"] == "0.0 / 20.0"
    later = Moments(now=NOON + timedelta(hours=2), zone=BERLIN.zone)
    assert plan.session_rows(state, later)[1]["power"] == "-5.0"


def test_a_promise_is_in_danger_when_the_plan_gives_less() -> None:
    state = a_day(a_plan(receipts=(Receipt(session=S1, lacking_kwh=2.5, reason="evse"),)))
    by_at = NOON + timedelta(hours=4)
    assert plan.in_danger(state, NOON) == ()
    kept = apply(state, ev.PromiseMade(at=NOON, session=S1, energy_kwh=17.5, by_at=by_at))
    assert plan.in_danger(kept, NOON) == ()
    missed = apply(state, ev.PromiseMade(at=NOON, session=S1, energy_kwh=20.0, by_at=by_at))
    assert plan.in_danger(missed, NOON) == (S1,)
    assert plan.session_rows(missed, BERLIN)[0]["promise"] == "20.0 kWh by 18:00"


def test_a_car_that_is_not_in_the_plan_says_why() -> None:
    state = a_day(a_plan(sessions=(S1,), evses=(NAMES[S1],), power_kw=((0.0,) * 4,)))
    whys = {r["evse"]: r["why"] for r in plan.session_rows(state, BERLIN)}
    assert "just arrived" in whys["S2/1"]
    assert plan.unplanned(state, NOON) == 1
    gone = apply(state, ev.StationDisconnected(at=NOON, station=state.site.evses[NAMES[S2]].station))
    assert "no link" in plan.session_rows(gone, BERLIN)[1]["why"]


# -- the chart -----------------------------------------------------------------------------------------------------


def _series(chart: dict[str, object], name: str) -> dict[datetime, float | None]:
    data = next(s["data"] for s in chart["series"] if s["name"] == name)  # type: ignore[attr-defined]
    return {datetime.fromtimestamp(at / 1000.0, UTC): value for at, value in data}


def test_the_chart_stacks_loads_below_the_limit_of_the_time() -> None:
    state = a_day(a_plan())
    until = NOON + timedelta(minutes=17)
    limit = Limit(id=LimitId("x"), node=NodeId("grid"), source="operator", power_kw=30.0, until_at=until)
    state = apply(state, ev.LimitSet(at=NOON, limit=limit))
    bands = (TariffBand(from_time=time(0), import_per_kwh=0.1), TariffBand(from_time=time(12, 25), import_per_kwh=0.3))
    state = replace(state, context=replace(state.context, tariff=Tariff(bands=bands)))
    assert state.plan is not None
    chart = plan_chart.options(state)
    plan_chart.put(chart, state, state.plan, NOON)
    assert [s["name"] for s in chart["series"]] == ["Building", "Cars", "Import", "Limit", "Price"]
    assert _series(chart, "Cars")[NOON + timedelta(minutes=10)] == 14.0
    bound = _series(chart, "Limit")
    assert bound[NOON] == 30.0
    assert bound[until] == pytest.approx(63 * 230 * 3 / 1000)  # the fuse, tighter than 60 kW
    assert _series(chart, "Price")[NOON + timedelta(minutes=25)] == 0.3
    assert chart["xAxis"]["max"] == state.plan.until.timestamp() * 1000
    assert len({tuple(_series(chart, s["name"])) for s in chart["series"]}) == 1, "stacks need the same times"


def test_what_cars_deliver_is_below_zero_and_a_plan_for_nobody_draws_no_power() -> None:
    assert plan_chart.stacks(a_plan())["Cars deliver"] == (0.0, 0.0, 0.0, -5.0)
    assert plan_chart.stacks(a_plan())["Cars"] == (11.0, 14.0, 3.0, 0.0)
    empty = a_plan(sessions=(), evses=(), power_kw=(), import_kw=(), base_kw=(), shortfall_kwh=())
    state = a_day(empty)
    chart = plan_chart.options(state)
    plan_chart.put(chart, state, empty, NOON)
    assert set(_series(chart, "Import").values()) == {None}
    assert _series(chart, "Limit")[NOON] == pytest.approx(63 * 230 * 3 / 1000)
