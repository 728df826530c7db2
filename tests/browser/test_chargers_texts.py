"""Chargers in words, without a browser."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from api.charger_history import Told
from api.charger_view import charger_view, charger_views
from api.dashboard import charger_texts as texts
from api.dashboard.plan_texts import Moments
from loadmgr.control.evse_state import Obedience
from loadmgr.control.obedience import Figure
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Traits
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged

S1, EVSE = StationId("S1"), EvseId("S1/1")
SENT = Setpoint(
    no=4,
    evse=EVSE,
    current_a=16.0,
    n_phases=3,
    made_at=NOON,
    valid_until=NOON + timedelta(seconds=180),
    transaction="1",
    bound_by="grid/L1",
)
ORDER = ev.SetpointSent(at=NOON, setpoint=SENT)
YES = ev.SetpointAnswered(at=NOON + timedelta(seconds=2), no=4, evse=EVSE, accepted=True)


def at(seconds: float) -> Moments:
    """Seconds after noon in UTC, which is 14:00 in Berlin."""
    return Moments(now=NOON + timedelta(seconds=seconds), zone=ZoneInfo("Europe/Berlin"))


def a_car(*events: ev.Event) -> SiteState:
    """A car at S1/1, the other two stations are free."""
    site = a_site()
    return a_state(site, *connected(site, failsafe_a=6.0), *plugged(1), *events)


def words(state: SiteState, seconds: float) -> str:
    """The order of S1/1."""
    return texts.order_words(charger_view(state, S1, at(seconds).now).evses[0])


def test_an_order_is_told_with_how_far_it_came() -> None:
    """desired → sent → accepted → effective (rule H.1)."""
    proof = drawn(1, NOON + timedelta(seconds=5), (15.5, 15.5, 15.5))
    assert words(a_car(), 1) == "no order · 6.0 A may flow"
    assert words(a_car(ORDER), 1) == "16.0 A sent"
    assert words(a_car(ORDER), 40) == "16.0 A sent, late"
    assert words(a_car(ORDER, YES), 3) == "16.0 A accepted"
    assert words(a_car(ORDER, YES, proof), 6) == "16.0 A effective (measured)"
    again = ev.StationConnected(at=NOON + timedelta(seconds=8), station=S1, ocpp="1.6")
    assert words(a_car(ORDER, YES, again), 9) == "16.0 A in doubt, sent again"
    assert words(a_car(ORDER, YES), 181) == "no order · 16.0 A may flow", "the charger's clock may be late"
    assert words(a_car(ORDER, YES), 200) == "no order · 6.0 A may flow"
    idle = a_state(a_site(), *connected(a_site()))
    assert words(idle, 1) == "no car"


def test_the_way_of_an_order_names_times_evidence_and_what_is_late() -> None:
    def states(state: SiteState, seconds: float) -> list[tuple[str, str, str]]:
        moments = at(seconds)
        found = texts.steps(charger_view(state, S1, moments.now).evses[0], moments)
        return [(s.name, s.value, s.state) for s in found]

    assert states(a_car(ORDER), 40)[1:] == [
        ("Sent", "16.0 A", texts.DONE),
        ("Accepted", "waits", texts.LATE),
        ("Effective", "–", texts.OPEN),
    ]
    assert states(a_car(ORDER, YES), 5)[2:] == [("Accepted", "yes", texts.DONE), ("Effective", "not shown", texts.WAITS)]
    state = a_car(ORDER, YES, drawn(1, NOON + timedelta(seconds=5), (15.5, 15.5, 15.5)))
    view = charger_view(state, S1, at(6).now).evses[0]
    notes = {s.name: s.note for s in texts.steps(view, at(6))}
    assert notes["Sent"] == "14:00:00 · no. 4 · kept by grid/L1"
    assert notes["Accepted"] == "14:00:02"
    assert notes["Effective"] == "14:00:05 · measured current says so"
    greedy = a_car(ORDER, YES, drawn(1, NOON + timedelta(seconds=90), (20.0, 20.0, 20.0)))
    assert states(greedy, 91)[3] == ("Effective", "no", texts.LATE)
    assert states(a_car(), 1)[2] == ("Holds", "6.0 A", texts.OPEN)


@pytest.mark.parametrize(
    ("counts", "said"),
    [
        (Obedience(), "–"),
        (Obedience(n_judged=4, n_obeyed=4), "100% of 4"),
        (Obedience(n_judged=1000, n_obeyed=999), "99.9% of 1000"),
        (Obedience(n_judged=100_000, n_obeyed=99_999), "99.9% of 100000"),
        (Obedience(n_judged=3, n_obeyed=2, n_refused=1), "50% of 4"),
        (Obedience(n_unanswered=2), "0% of 2"),
    ],
)
def test_a_record_is_never_rounded_up_to_a_clean_one(counts: Obedience, said: str) -> None:
    assert texts.obeys_words(counts) == said


def test_who_needs_somebody_comes_first_then_who_has_a_car() -> None:
    site = a_site(n=4)
    tripped = ev.DerAlarm(at=NOON, station=StationId("S4"), control_type="HVMustTrip")
    lost = ev.StationDisconnected(at=NOON, station=StationId("S3"))
    state = a_state(site, *connected(site), *plugged(2), tripped, lost)
    found = texts.ordered(charger_views(state, NOON))
    assert [(v.station, v.severity) for v in found] == [("S4", "critical"), ("S3", "warning"), ("S2", "ok"), ("S1", "ok")]
    rows = [texts.row(v, at(0)) for v in found]
    assert [r["state"] for r in rows] == ["CRITICAL", "Warning", "OK", "OK"]
    assert rows[1]["link"] == "no link"
    assert rows[1]["since"] == "14:00 · 0 s"
    assert rows[2]["wrong"] == rows[2]["todo"] == rows[2]["since"] == ""


def test_what_others_impose_and_what_is_tried_is_said_in_lines() -> None:
    until: datetime = NOON + timedelta(hours=1)
    control = DerControl(id="d1", control_type="LimitMaxDischarge", values=(("pctMaxDischargePower", 40.0),))
    state = after(
        a_car(),
        [
            ev.ExternalLimitSet(at=NOON, station=S1, source="EMS", current_a=10.0, until_at=until),
            ev.ExternalLimitSet(at=NOON, station=S1, evse=EVSE, source="PV", is_generation=True),
            ev.DerControlStored(at=NOON, station=S1, control=control),
            ev.DerControlStored(
                at=NOON, station=S1, control=DerControl(id="d2", control_type="VoltWatt"), is_superseded=True
            ),
        ],
    )
    assert texts.foreign_lines(charger_view(state, S1, NOON), at(0)) == (
        "EMS limits it: 10 A at all of it until 15:00",
        "PV adds supply: value not told at S1/1",
        "LimitMaxDischarge d1: pctMaxDischargePower 40 · active",
        "VoltWatt d2: curve · superseded",
    )
    assert texts.trait_lines(Traits(zero=Traits().zero, current_step_a=1.0)) == ("current_step_a = 1 (standard: 0.1)",)
    told = Told(remedies=(ev.RemedyTried(at=NOON, evse=EVSE, remedy="form", form_no=2),))
    assert texts.remedy_lines(told, at(0)) == ("14:00:00 S1/1: tried another way to say it",)


def test_a_figure_of_a_model_splits_what_was_not_obeyed() -> None:
    counts = Obedience(n_judged=8, n_obeyed=6, n_refused=1, n_unanswered=1, n_decreases=6, effect_s=12.0)
    row = texts.figure_row(Figure(name="Any Wall 22", n_evses=3, counts=counts))
    assert row["obeys"] == "60% of 10"
    assert row["effect"] == "2.0 s"
    assert (row["missed"], row["refused"], row["unanswered"]) == (2, 1, 1)


def test_a_reading_of_the_charger_says_whether_it_is_as_ordered() -> None:
    read = ev.CompositeRead(at=NOON, evse=EVSE, from_at=NOON, limits_a=((0.0, 16.0), (90.0, 6.0)), differs="32 A for 16 A")
    assert texts.composite_words(read, at(0)) == "16 A from +0 s, 6 A from +90 s · differs: 32 A for 16 A · read at 14:00:00"
