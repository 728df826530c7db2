"""What a station can make a session keep, and what leaves one: bounds, and checks of our own messages."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from loadmgr.ocpp.session import ANSWERS_KEPT, LATE_KEPT, UNANSWERED_MAX, Answered, Failed, Fault, Incoming, Session

NOW = {"currentTime": "2026-06-10T12:00:00Z"}


def beat(message_id: object) -> str:
    return f'[2,"{message_id}","Heartbeat",{{}}]'


def frames(session: Session) -> list[list[Any]]:
    return [json.loads(f) for f in session.take_frames()]


def test_a_station_has_no_more_than_so_many_calls_unanswered() -> None:
    """[0-5] The newest is refused; when one is answered there is room again."""
    session = Session("2.0.1")
    for number in range(UNANSWERED_MAX):
        assert isinstance(session.receive(beat(number), 0.0)[0], Incoming)
    (fault,) = session.receive(beat("more"), 0.0)
    assert isinstance(fault, Fault)
    (refusal,) = frames(session)
    assert (refusal[:3], session.faults) == ([4, "more", "GenericError"], 1)
    session.reply("0", "Heartbeat", NOW)
    assert isinstance(session.receive(beat("more"), 0.0)[0], Incoming)


def test_answers_and_refusals_make_room_and_repetitions_take_none() -> None:
    """[B13]"""
    session = Session("1.6")
    for number in range(UNANSWERED_MAX * 3):
        assert isinstance(session.receive(beat(number), 0.0)[0], Incoming)
        for _ in range(3):
            assert session.receive(beat(number), 0.0) == []
        session.refuse(str(number), "InternalError", "no") if number % 2 else session.reply(str(number), "Heartbeat", NOW)
    assert session.faults == 0
    assert len(session._asked) == ANSWERS_KEPT


def test_an_id_used_again_takes_the_place_of_its_first_question() -> None:
    """[G-56] Also while the first is open: the bound counts ids."""
    session = Session("1.6")
    for number in range(UNANSWERED_MAX * 2):
        assert isinstance(session.receive(f'[2,"7","Authorize",{{"idTag":"{number}"}}]', 0.0)[0], Incoming)
    assert len(session._asked) == 1


def test_the_last_answers_are_remembered_even_behind_an_open_call() -> None:
    """[B13] An open CALL is never forgotten for newer ones, and an old answer is."""
    session = Session("1.6")
    session.receive(beat("open"), 0.0)
    for number in range(ANSWERS_KEPT + 1):
        session.receive(beat(number), 0.0)
        session.reply(str(number), "Heartbeat", NOW)
    session.take_frames()
    assert session.receive(beat("open"), 0.0) == []
    assert session.receive(beat(ANSWERS_KEPT), 0.0) == []
    assert [f[1] for f in frames(session)] == [str(ANSWERS_KEPT)]
    assert isinstance(session.receive(beat(0), 0.0)[0], Incoming)


def test_answers_to_nothing_do_not_pile_up() -> None:
    """[B20]"""
    session = Session("2.1")
    for number in range(1000):
        session.receive(f'[3,"{number}",{{}}]', 0.0)
        session.receive(f'[4,"{number}","InternalError","",{{}}]', 0.0)
        session.receive(f'[5,"{number}","InternalError","",{{}}]', 0.0)
    assert (session.unknown_answers, session.disputed_answers) == (2000, 1000)
    assert (session._asked, session._late, session.take_frames()) == ({}, {}, [])


def test_an_answer_with_a_wrong_shape_fails_its_call_once_and_the_next_is_sent() -> None:
    """[B20, 0-5] One that names another id leaves the call open."""
    session = Session("1.6")
    for tag in (1, 2):
        session.call("Reset", {"type": "Soft"}, tag, 0.0)
    (first,) = frames(session)
    session.receive(f'[3,"{"0" * 36}",{{"status":"Accepted"}}]', 0.0)
    assert session.take_frames() == []
    (failed,) = session.receive(f'[3,"{first[1]}",["Accepted"]]', 0.0)
    assert isinstance(failed, Failed)
    assert (failed.tag, failed.code) == (1, "InvalidAnswer")
    (second,) = frames(session)
    (answered,) = session.receive(f'[3,"{second[1]}",{{"status":"Accepted"}}]', 0.0)
    assert answered == Answered(tag=2, action="Reset", payload={"status": "Accepted"})


def test_no_more_than_so_many_late_answers_are_waited_for() -> None:
    """[0-6] The newest, for ten minutes each."""
    session = Session("1.6", timeout_s=1.0)
    sent = []
    for number in range(LATE_KEPT + 1):
        session.call("Reset", {"type": "Soft"}, number, float(number))
        sent += [f[1] for f in frames(session)]
        session.expire(number + 1.0)
    assert session.receive(f'[3,"{sent[0]}",{{"status":"Accepted"}}]', 40.0) == [
        Fault(detail="answer to an unknown message id")
    ]
    (late,) = session.receive(f'[3,"{sent[1]}",{{"status":"Accepted"}}]', 40.0)
    assert isinstance(late, Answered)
    assert (late.tag, late.is_late) == (1, True)
    session.expire(LATE_KEPT + 700.0)
    assert isinstance(session.receive(f'[3,"{sent[-1]}",{{"status":"Accepted"}}]', 800.0)[0], Fault)


@dataclass
class Thing:
    currentTime: str = "2026-06-10T12:00:00Z"  # noqa: N815


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {**NOW, "more": 1},
        {"currentTime": None},
        {"currentTime": datetime(2026, 6, 10, tzinfo=UTC)},
        Thing(),
        {1: 2},
        {"a": {1}},
    ],
)
def test_a_wrong_answer_of_ours_never_leaves(payload: Any) -> None:
    """[0-2] The station gets an InternalError, and the caller an exception that says what is wrong."""
    session = Session("1.6")
    session.receive(beat("h"), 0.0)
    with pytest.raises(ValueError, match="our answer to Heartbeat is invalid"):
        session.reply("h", "Heartbeat", payload)
    assert [f[:3] for f in frames(session)] == [[4, "h", "InternalError"]]


@pytest.mark.parametrize(
    ("ocpp", "action", "payload"),
    [
        ("1.6", "Reset", {"type": "Medium"}),
        ("1.6", "ChangeAvailability", {"connectorId": 1.0, "type": "Operative"}),
        ("1.6", "Nonsense", {}),
        ("2.0.1", "CostUpdated", {"totalCost": float("nan"), "transactionId": "t"}),
        ("2.0.1", "CostUpdated", {"totalCost": float("inf"), "transactionId": "t"}),
        ("2.0.1", "GetLocalListVersion", {"more": 1}),
        ("2.0.1", "CostUpdated", {"totalCost": 2**70, "transactionId": "t"}),
    ],
)
def test_a_wrong_call_of_ours_is_not_sent(ocpp: str, action: str, payload: dict[str, Any]) -> None:
    """What counts is what the station would read: a number that is none is written as null."""
    session = Session(ocpp)
    with pytest.raises(ValueError, match=f"our {action} is invalid"):
        session.call(action, payload, "tag", 0.0)
    assert (session.take_frames(), session.n_queued) == ([], 0)


@pytest.mark.parametrize("limit_a", [16, 16.0, 16.1, 0.3, 12.7])
def test_a_limit_in_tenths_of_an_ampere_is_sent(limit_a: float) -> None:
    """[0-12]"""
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}]}
    kind = {"chargingProfilePurpose": "TxProfile", "chargingProfileKind": "Absolute", "chargingSchedule": schedule}
    session = Session("1.6")
    session.call(
        "SetChargingProfile",
        {"connectorId": 1, "csChargingProfiles": {"chargingProfileId": 1, "stackLevel": 0, **kind}},
        "tag",
        0.0,
    )
    assert frames(session)[0][2] == "SetChargingProfile"


def test_an_id_with_marks_is_written_back_as_it_was() -> None:
    session = Session("1.6")
    (call,) = session.receive('[2,"a\\"\\\\b","Heartbeat",{}]', 0.0)
    assert isinstance(call, Incoming)
    session.reply(call.id, call.action, NOW)
    assert frames(session) == [[3, 'a"\\b', NOW]]


def test_results_are_values() -> None:
    """They can be compared and matched, and cannot be changed."""
    found = Incoming(id="1", action="Heartbeat", payload={})
    assert found == Incoming(id="1", action="Heartbeat", payload={})
    with pytest.raises(AttributeError):
        found.action = "Reset"  # type: ignore[misc]
    assert msgspec.structs.asdict(found)["notes"] == ()


def test_two_sessions_share_nothing_that_a_station_can_fill() -> None:
    """[B10] Names that stations make up are kept nowhere."""
    one, other = Session("2.0.1"), Session("2.0.1")
    for number in range(50):
        one.receive(f'[2,"{number}","Made{number}",{{}}]', 0.0)
    codec = one._codec
    assert codec is other._codec
    assert not [name for name in (*codec._calls, *codec._answers) if name.startswith("Made")]
    assert other.take_frames() == []


def test_what_is_unchecked_passes_both_ways_and_nothing_else_does() -> None:
    """[0-16] For handlers that check a message themselves."""
    session = Session("1.6", is_lenient=False, unchecked=frozenset({"Heartbeat", "Invented"}))
    for action in ("Heartbeat", "Invented"):
        (call,) = session.receive(f'[2,"{action}","{action}",{{"more":1}}]', 0.0)
        assert isinstance(call, Incoming)
        session.reply(call.id, action, {"more": 2})
        assert frames(session) == [[3, action, {"more": 2}]]
    assert isinstance(session.receive('[2,"x","Authorize",{"more":1}]', 0.0)[0], Fault)
    session.take_frames()
    session.call("Reset", {"type": "Medium"}, "tag", 0.0, is_checked=False, message_id='my "id"')
    assert frames(session) == [[2, 'my "id"', "Reset", {"type": "Medium"}]]
    (answer,) = session.receive('[3,"my \\"id\\"",{"status":"Perhaps"}]', 0.0)
    assert answer == Answered(tag="tag", action="Reset", payload={"status": "Perhaps"})


@pytest.mark.parametrize("message_id", ["", "1" * 37])
def test_an_id_of_ones_own_has_the_length_of_an_id(message_id: str) -> None:
    """[0-4]"""
    session = Session("1.6")
    with pytest.raises(ValueError, match="1 to 36 characters"):
        session.call("Reset", {"type": "Soft"}, "tag", 0.0, message_id=message_id)
    assert session.take_frames() == []
