"""The OCPP-J session without a socket."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.ocpp.metering import Reading, measure
from loadmgr.ocpp.session import Answered, Disputed, Failed, Fault, Incoming, Session
from loadmgr.ocpp.timestamps import from_wire, to_wire
from tests.support.builders import NOON, a_site

BOOT = '[2,"1","BootNotification",{"chargePointVendor":"v","chargePointModel":"m"}]'


def _error(session: Session) -> list[object]:
    return list(json.loads(session.take_frames()[0]))


@pytest.mark.parametrize(
    ("frame", "message_id", "code"),
    [
        ("{", "-1", "FormationViolation"),
        ("", "-1", "FormationViolation"),
        ("[" * 100_000, "-1", "FormationViolation"),
        ('[2,"x","Heartbeat",{"a":' + "9" * 10_000 + "}]", "x", "FormationViolation"),
        ('[2,"x","Heartbeat",{}] trailing', "x", "FormationViolation"),
        ('[2,"x","Heartbeat",{"a":NaN}]', "x", "FormationViolation"),
        ('[2,"x","Heartbeat",{"a":1,"a":2}]', "x", "FormationViolation"),
        ('[2,"x","Heartbeat"]', "x", "FormationViolation"),
        ('[2,"x","Heartbeat",{"a":' + "9" * 19 + "}]", "x", "FormationViolation"),
        ('[2,"x","Heartbeat",{"a":"\\ud800"}]', "x", "FormationViolation"),
        ('[9,"x",{}]', "-1", "FormationViolation"),
        ('[[],"x",{}]', "-1", "FormationViolation"),
        ('[{},"x",{}]', "-1", "FormationViolation"),
        ('[2,7,"Heartbeat",{}]', "-1", "FormationViolation"),
        ('[2,"x","Nonsense",{}]', "x", "NotImplemented"),
        ('[2,"x","../../etc/passwd",{}]', "x", "NotImplemented"),
        ('[2,"x","BootNotification",{}]', "x", "OccurenceConstraintViolation"),
        ('[2,"x","BootNotification",{"chargePointVendor":1,"chargePointModel":"m"}]', "x", "TypeConstraintViolation"),
        (
            '[2,"x","BootNotification",{"chargePointVendor":"' + "v" * 21 + '","chargePointModel":"m"}]',
            "x",
            "PropertyConstraintViolation",
        ),
        ('[2,"x","Heartbeat",{"more":1}]', "x", "FormationViolation"),
    ],
)
def test_a_bad_frame_gets_the_stated_error(frame: str, message_id: str, code: str) -> None:
    """[B01, B06, B07, B10, B11, B12, 0-4, 0-7] A strict reader puts nothing right."""
    session = Session("1.6", is_lenient=False)
    results = session.receive(frame, 0.0)
    assert all(isinstance(r, Fault) for r in results)
    assert _error(session)[:3] == [4, message_id, code]


def test_the_codes_are_spelt_as_the_version_does() -> None:
    session = Session("2.0.1")
    session.receive('[2,"x","BootNotification",{}]', 0.0)
    assert _error(session)[2] == "OccurrenceConstraintViolation"


@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.binary().map(lambda b: b.decode("latin-1")), st.from_regex(r"\[[2-4],\"a\",.*\]")))
def test_no_text_makes_the_session_raise(text: str) -> None:
    session = Session("1.6")
    session.receive(text, 0.0)
    session.take_frames()
    assert isinstance(session.receive(BOOT, 0.0)[0], Incoming)


def test_the_same_message_id_gets_the_same_answer_and_has_one_effect() -> None:
    """[B13]"""
    session = Session("1.6")
    assert len(session.receive('[2,"h","Heartbeat",{}]', 0.0)) == 1
    assert session.receive('[2,"h","Heartbeat",{}]', 0.0) == []
    session.reply("h", "Heartbeat", {"currentTime": "2026-01-01T00:00:00Z"})
    first = session.take_frames()
    assert session.receive('[2,"h","Heartbeat",{}]', 0.0) == []
    assert session.take_frames() == first


def test_one_call_is_outstanding_and_urgent_ones_go_first() -> None:
    """[0-5]"""
    session = Session("1.6")
    for number, urgent in ((1, False), (2, False), (3, True), (4, True)):
        session.call("Reset", {"type": "Soft"}, number, 0.0, urgent=urgent)
    order = []
    for _ in range(4):
        frames = session.take_frames()
        assert len(frames) == 1
        message_id = json.loads(frames[0])[1]
        (answer,) = session.receive(json.dumps([3, message_id, {"status": "Accepted"}]), 0.0)
        assert isinstance(answer, Answered)
        order.append(answer.tag)
    assert order == [1, 3, 4, 2]


def test_a_late_answer_is_recognised_and_does_not_answer_the_next_call() -> None:
    """[A04, 0-6]"""
    session = Session("1.6", timeout_s=30)
    session.call("Reset", {"type": "Soft"}, "first", 0.0)
    session.call("Reset", {"type": "Soft"}, "second", 0.0)
    first = json.loads(session.take_frames()[0])[1]
    (failed,) = session.expire(30.0)
    assert isinstance(failed, Failed)
    assert (failed.tag, failed.code) == ("first", "Timeout")
    (late,) = session.receive(json.dumps([3, first, {"status": "Accepted"}]), 31.0)
    assert isinstance(late, Answered)
    assert late.is_late
    assert session.deadline_s is not None


def test_answers_to_nothing_are_dropped_and_counted() -> None:
    """[B20, G-49]"""
    session = Session("1.6")
    assert isinstance(session.receive('[3,"never",{}]', 0.0)[0], Fault)
    assert session.unknown_answers == 1
    assert session.take_frames() == []


def test_a_callerror_and_an_invalid_answer_are_failures() -> None:
    """[A-50, 0-13]"""
    session = Session("1.6")
    for frame, code in (('[4,"{}","NotSupported","no",{{}}]', "NotSupported"), ('[3,"{}",{{"x":1}}]', "InvalidAnswer")):
        session.call("Reset", {"type": "Soft"}, "t", 0.0)
        message_id = json.loads(session.take_frames()[0])[1]
        (failed,) = session.receive(frame.format(message_id), 0.0)
        assert isinstance(failed, Failed)
        assert failed.code == code


def test_a_closed_link_fails_every_call() -> None:
    """[A03]"""
    session = Session("1.6")
    session.call("Reset", {"type": "Soft"}, 1, 0.0)
    session.call("Reset", {"type": "Soft"}, 2, 0.0)
    assert [f.code for f in session.close() if isinstance(f, Failed)] == ["Closed", "Closed"]


def test_our_own_mistakes_are_not_sent() -> None:
    session = Session("1.6")
    with pytest.raises(ValueError, match="our Reset is invalid"):
        session.call("Reset", {"type": "Medium"}, 1, 0.0)
    assert session.take_frames() == []


def test_nulls_and_integral_floats_are_taken() -> None:
    """[0-16, G-57]"""
    session = Session("1.6")
    frame = '[2,"s","StatusNotification",{"connectorId":1.0,"errorCode":"NoError","status":"Available","info":null}]'
    (call,) = session.receive(frame, 0.0)
    assert isinstance(call, Incoming)
    assert call.payload["connectorId"] == 1


def test_a_whole_number_written_as_a_float_is_a_whole_number_everywhere() -> None:
    """[G-57] Also in schemas whose draft takes 2.0 for an integer: an EVSE "1.0" does not exist."""
    session = Session("2.1")
    payload = {"evseId": 1.0, "meterValue": [{"timestamp": "2026-06-10T12:00:00Z", "sampledValue": [{"value": 20000.0}]}]}
    (call,) = session.receive(json.dumps([2, "m", "MeterValues", payload]), 0.0)
    assert isinstance(call, Incoming)
    assert (type(call.payload["evseId"]), call.payload["evseId"]) == (int, 1)
    assert call.payload["meterValue"][0]["sampledValue"][0]["value"] == 20000


STREAM = {"id": 1, "pending": 0, "basetime": "2026-06-10T12:00:00Z", "data": [{"t": 0, "v": "7000"}]}


@pytest.mark.parametrize("answered_by", ["reply", "refuse"])
def test_a_send_is_heard_and_never_answered(answered_by: str) -> None:
    """[0-19] Type 6, 2.1 only."""
    session = Session("2.1")
    (call,) = session.receive(json.dumps([6, "s", "NotifyPeriodicEventStream", STREAM]), 0.0)
    assert isinstance(call, Incoming)
    assert call.payload == STREAM
    if answered_by == "reply":
        session.reply(call.id, call.action, {})
    else:
        session.refuse(call.id, "InternalError", "no")
    assert session.take_frames() == []
    (again,) = session.receive(json.dumps([6, "s", "NotifyPeriodicEventStream", STREAM]), 0.0)
    assert isinstance(again, Incoming), "a SEND has no answer that could be repeated"


@pytest.mark.parametrize(
    "frame",
    [
        [6, "s", "NotifyPeriodicEventStream", {"id": 1}],
        [6, "s", "NotifyPeriodicEventStream"],
        [6, "s", "Heartbeat", {}],
        [6, "s", "Nonsense", {}],
    ],
)
def test_a_bad_send_is_counted_and_never_answered(frame: list[object]) -> None:
    session = Session("2.1")
    assert isinstance(session.receive(json.dumps(frame), 0.0)[0], Fault)
    assert (session.take_frames(), session.faults) == ([], 1)


def test_a_stream_that_is_sent_as_a_call_gets_an_empty_answer() -> None:
    session = Session("2.1")
    (call,) = session.receive(json.dumps([2, "s", "NotifyPeriodicEventStream", STREAM]), 0.0)
    assert isinstance(call, Incoming)
    session.reply(call.id, call.action, {})
    assert session.take_frames() == ['[3,"s",{}]']


def test_a_disputed_answer_is_told_with_the_action_that_it_answered_and_disturbs_nothing() -> None:
    """[0-19] Type 5, 2.1 only: no answer, and our own open call stays open."""
    session = Session("2.1")
    session.receive('[2,"h","Heartbeat",{}]', 0.0)
    session.reply("h", "Heartbeat", {"currentTime": "2026-01-01T00:00:00Z"})
    session.call("Reset", {"type": "OnIdle"}, "mine", 0.0)
    session.take_frames()
    (found,) = session.receive('[5,"h","FormatViolation","bad time",{}]', 0.0)
    assert found == Disputed(id="h", action="Heartbeat", code="FormatViolation", detail="bad time")
    (unknown,) = session.receive('[5,"never","FormatViolation"]', 0.0)
    assert isinstance(unknown, Disputed)
    assert (unknown.action, session.disputed_answers, session.take_frames()) == ("", 2, [])
    assert session.deadline_s is not None


@pytest.mark.parametrize(("ocpp", "code"), [("1.6", "FormationViolation"), ("2.0.1", "MessageTypeNotSupported")])
@pytest.mark.parametrize("frame", ['[5,"a","FormatViolation","",{}]', '[6,"a","NotifyPeriodicEventStream",{}]'])
def test_the_message_types_of_2_1_do_not_exist_before_it(ocpp: str, code: str, frame: str) -> None:
    session = Session(ocpp)
    assert isinstance(session.receive(frame, 0.0)[0], Fault)
    assert _error(session)[:3] == [4, "-1", code]


@pytest.mark.parametrize("message_id", ["never", "-1"])
def test_stray_callerrors_are_counted_and_disturb_nothing(message_id: str) -> None:
    """[G-49] Stations answer even our answers with errors."""
    session = Session("2.0.1")
    session.call("Reset", {"type": "OnIdle"}, "mine", 0.0)
    session.take_frames()
    assert session.receive(json.dumps([4, message_id, "InternalError", "", {}]), 0.0) == []
    assert (session.unknown_answers, session.faults, session.take_frames()) == (1, 0, [])
    assert session.deadline_s is not None


@pytest.mark.parametrize(
    ("text", "iso"),
    [
        ("2024-01-01T12:00:00Z", "2024-01-01T12:00:00Z"),
        ("2024-01-01 12:00:00", "2024-01-01T12:00:00Z"),
        ("2024-01-01T12:00:00.123456789+02", "2024-01-01T10:00:00Z"),
        ("2024-01-01T12:00:00+0200", "2024-01-01T10:00:00Z"),
        ("2016-12-31T23:59:60Z", "2016-12-31T23:59:59Z"),
    ],
)
def test_times_are_read_liberally_and_written_strictly(text: str, iso: str) -> None:
    """[0-2, 0-3]"""
    at = from_wire(text)
    assert at is not None
    assert to_wire(at) == iso


@pytest.mark.parametrize("text", ["1000000", "", "noon", "2024-00-01T00:00:00Z", "9999-12-31T23:59:59-10:00", None, 7])
def test_what_is_no_time_is_none(text: object) -> None:
    """[B25]"""
    assert from_wire(text) is None


EVSE = a_site(n=1, rotations=("STR",)).evses["S1/1"]  # type: ignore[index]


@pytest.mark.parametrize("value", ["NaN", "Infinity", "1e308", "12,5", "0x10", "", "1_000", True, None, "-5"])
def test_nonsense_energy_is_refused_and_the_rest_is_kept(value: object) -> None:
    """[B08, B09, C-25]"""
    found = measure([Reading(value=value), Reading(value="230", measurand="Current.Import", phase="L1")], EVSE)
    assert found.measured.energy_kwh is None
    assert found.n_refused == 1
    assert found.measured.current_a == (230.0, 0.0, 0.0)


def test_units_multipliers_and_phases_are_put_right() -> None:
    """[C-20, C-22, C-28]"""
    found = measure(
        [
            Reading(value="2.53", measurand="Power.Active.Import", unit="kW"),
            Reading(value=1234, unit="Wh", multiplier=3),
            Reading(value="10", measurand="Current.Import", phase="L1-N"),
            Reading(value="11", measurand="Current.Import", phase="L1"),
            Reading(value="99", measurand="Current.Import", phase="N"),
            Reading(value="50", measurand="SoC"),
        ],
        EVSE,
    ).measured
    assert found.power_kw == 2.53
    assert found.energy_kwh == 1234.0
    assert found.current_a == (11.0, 0.0, 0.0)
    assert found.soc_frac == 0.5


def test_power_alone_is_spread_over_the_phases() -> None:
    """[C.4]"""
    found = measure([Reading(value="6900", measurand="Power.Active.Import", unit="W")], EVSE).measured
    assert found.current_a == pytest.approx((10.0, 10.0, 10.0))
    assert NOON.tzinfo is not None


def test_export_counts_negative() -> None:
    """[C-27]"""
    found = measure([Reading(value="3000", measurand="Power.Active.Export", unit="W")], EVSE).measured
    assert found.power_kw == -3.0


def test_an_id_that_is_used_again_for_another_question_is_another_question() -> None:
    """[G-56] the answer to the first must not be given to the second; a true repetition gets the same answer [B13]."""
    session = Session("1.6")
    (first,) = session.receive('[2, "7", "Heartbeat", {}]', 0.0)
    assert isinstance(first, Incoming)
    session.reply("7", "Heartbeat", {"currentTime": "2026-06-10T12:00:00Z"})
    (answer,) = session.take_frames()
    assert session.receive('[2, "7", "Heartbeat", {}]', 1.0) == []
    assert session.take_frames() == [answer]
    (other,) = session.receive('[2, "7", "Authorize", {"idTag": "tag"}]', 2.0)
    assert isinstance(other, Incoming)
    assert other.action == "Authorize"
    assert session.take_frames() == []
