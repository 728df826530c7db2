"""Frames as text: whatever a station writes, the fast reader says what the reference says, or nothing."""

from __future__ import annotations

import json
import random
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadmgr.ocpp.schemas import checked
from loadmgr.ocpp.session import Result, Session
from loadmgr.ocpp.typed import Codec, codec
from loadmgr.ocpp.wire import WireError, parsed
from tests.support.payloads import Message, changed, messages, valid

NUMBERS = st.one_of(
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.integers().map(str),
    st.from_regex(r"-?(0|[1-9][0-9]{0,20})(\.[0-9]{1,20})?([eE][+-]?[0-9]{1,3})?", fullmatch=True),
)
INSERTS = (
    "",
    " ",
    "\n",
    '"',
    ":",
    ",",
    "\\",
    "{",
    "}",
    "[",
    "]",
    "0",
    ".0",
    "e3",
    "-",
    "null",
    "é",
    "\u2028",
    "\ud800",
    "\x00",
)
FRAMES = st.builds(
    lambda number, seed, edits, kind: edited(written(messages()[number], seed, kind), edits),
    st.integers(0, len(messages()) - 1),
    st.integers(0, 2**32),
    st.lists(st.tuples(st.floats(0, 1), st.integers(0, 3), st.sampled_from(INSERTS)), max_size=3),
    st.integers(0, 5),
)


class Doubtful(Codec):
    """A codec that is never sure, so that the reference decides about everything."""

    __slots__ = ()

    def call(self, text: str) -> None:
        """Nothing is an ordinary CALL."""

    def answer(self, text: str, message_id: str, action: str) -> None:
        """Nothing is an ordinary answer."""

    def takes(self, action: str, body: bytes, *, is_request: bool) -> bool:
        """Nothing is surely valid."""
        return False


def written(message: Message, seed: int, kind: int) -> tuple[str, str, str]:
    """A version, an action and a frame: a CALL, a SEND or an answer, valid or not, narrow or wide, a key twice or not."""
    rng = random.Random(seed)
    payload = valid(message.schema, rng)
    if kind % 2:
        payload = changed(message, payload, rng)
    body = json.dumps(payload, ensure_ascii=kind == 3, separators=(",", ":") if kind < 4 else None)
    if kind == 2 and isinstance(payload, dict) and payload:
        name = rng.choice(list(payload))
        body = f"{{{json.dumps(name)}{rng.choice(('', ' '))}:{json.dumps(payload[name])},{body[1:]}"
    if not message.is_request:
        return message.ocpp, message.action, f'[3,"open",{body}]'
    kind_no, message_id = rng.choice((2, 2, 2, 6)), rng.choice(("id", "1" * 36, "1" * 37))
    return message.ocpp, message.action, f'[{kind_no},"{message_id}","{message.action}",{body}]'


def edited(frame: tuple[str, str, str], edits: list[tuple[float, int, str]]) -> tuple[str, str, str]:
    """The frame after some cuts and insertions."""
    ocpp, action, text = frame
    for place, length, insert in edits:
        start = int(place * len(text))
        text = text[:start] + insert + text[start + length :]
    return ocpp, action, text


def exact(value: Any) -> Any:
    """Equal only to what has the same types all over; ids that are made by chance are left out."""
    if isinstance(value, msgspec.Struct):
        return {"": type(value).__name__, **{n: exact(v) for n, v in msgspec.structs.asdict(value).items() if n != "id"}}
    if isinstance(value, dict):
        return {name: exact(v) for name, v in value.items()}
    if isinstance(value, list | tuple):
        return [exact(v) for v in value]
    return type(value).__name__, repr(value)


def heard(
    frame: tuple[str, str, str], *, is_lenient: bool = True, is_doubtful: bool
) -> tuple[Any, list[str], tuple[int, ...]]:
    """Results, frames and counters of a session that has a CALL of this action open, whose id is ``open``."""
    ocpp, action, text = frame
    session = Session(ocpp, is_lenient=is_lenient)
    session.call("Reset", {"type": "Soft" if ocpp == "1.6" else "OnIdle"}, "tag", 0.0)
    session.take_frames()
    assert session._open is not None
    session._open.id, session._open.action = "open", action
    if is_doubtful:
        session._codec = Doubtful(ocpp)
    found: list[Result] = session.receive(text, 1.0)
    return exact(found), session.take_frames(), (session.faults, session.unknown_answers, session.n_queued)


@settings(max_examples=1500, deadline=None)
@given(FRAMES, st.booleans())
@example(("1.6", "Reset", '[2,"a","Heartbeat",{}]'), True)
@example(("1.6", "Reset", '[2,"a","HeartbeatResponse",{"currentTime":"x"}]'), True)
@example(("2.1", "Reset", '[2,"a","HeartbeatRequest",{}]'), True)
@example(("2.1", "Reset", '[2,"a","HeartbeatResponse",{"currentTime":"x"}]'), True)
@example(("1.6", "Reset", '[2,"a","Authorize",{"idTag":":","idTag":"::"}]'), True)
@example(("1.6", "Reset", '[2,"a","Authorize",{"idTag" :"::","idTag":"x"}]'), True)
@example(("1.6", "Reset", '[2,"","Heartbeat",{}]'), True)
@example(("1.6", "Reset", '[2,"a","B"'), True)
@example(("1.6", "Reset", '[2,"a" "Heartbeat",{}]'), True)
@example(("1.6", "Reset", '[2,"a":"Heartbeat",{}]'), True)
@example(("1.6", "Reset", '[2,"a","Heartbeat":{}]'), True)
@example(("1.6", "Reset", '[3,"open"'), True)
@example(("1.6", "Reset", '[3,"open",{"status":"Accepted"}]'), True)
@example(("1.6", "Reset", '[3,"open",{"status":"Accepted","status":"Accepted"}]'), True)
@example(("1.6", "Reset", '[2,"a","Heartbeat",{}}]'), True)
@example(("1.6", "Reset", '[2,"a","Heartbeat",{},{}]'), True)
@example(("1.6", "Reset", '[2,"a\x01","Heartbeat",{}]'), True)
@example(("1.6", "Reset", '[2,"a","Heartbeat",{"a":' + "[" * 5000 + "]" * 5000 + "}]"), True)
@example(("2.0.1", "Reset", '[2,"a","DataTransfer",{"vendorId":"v","data":[[[[{}]]]]}]'), True)
@example(("2.0.1", "Reset", '[2,"a","DataTransfer",{"vendorId":"v","data":"text"}]'), True)
def test_with_the_fast_reader_a_session_says_what_it_says_without(frame: tuple[str, str, str], is_lenient: bool) -> None:
    """[B01, B06, B07, B11, B12, B20] Results, payloads, error codes, counters; no text makes it raise."""
    fast = heard(frame, is_lenient=is_lenient, is_doubtful=False)
    assert fast == heard(frame, is_lenient=is_lenient, is_doubtful=True)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
@settings(max_examples=300, deadline=None)
@given(st.one_of(st.text(), st.from_regex(r'\[[2-6], ?"[a-z]{0,3}", ?("Heartbeat", ?)?.*\]')))
def test_no_text_makes_a_session_raise(ocpp: str, text: str) -> None:
    """[B01, B06]"""
    frame = (ocpp, "Reset", text)
    assert heard(frame, is_doubtful=False) == heard(frame, is_doubtful=True)


@settings(max_examples=400, deadline=None)
@given(NUMBERS)
@example("20000.0")
@example("2e4")
@example("-0.0")
@example("-0")
@example("9007199254740992")
@example("9007199254740991.0")
@example("1e400")
@example("1e-400")
@example("1234567890123456789")
@example("123456789012345678901234567890.5")
def test_a_number_is_read_as_the_reference_reads_it(number: str) -> None:
    """[B06, B08, G-57] In fields that take fractions and in those that do not; 20000.0 is 20000."""
    whole = f'{{"retries":{number},"requestId":1,"location":"l","checksum":"c"}}'
    for action, body in (("CostUpdated", f'{{"totalCost":{number},"transactionId":"t"}}'), ("PublishFirmware", whole)):
        reader = codec("2.0.1").reader(action, is_request=True)
        assert reader is not None
        fast = reader.read(body)
        if fast is None:
            continue
        slow = parsed(f'[2,"1","a",{body}]')[3]
        assert exact(fast) == exact(slow)
        assert checked("2.0.1", action, slow, is_request=True, is_lenient=False).breach is None


@given(st.integers(-(10**9), 10**9), st.integers(1, 3))
def test_ordinary_numbers_are_read_fast(whole: int, digits: int) -> None:
    reader = codec("2.0.1").reader("CostUpdated", is_request=True)
    assert reader is not None
    for number in (whole, whole / 10**digits, float(whole)):
        assert reader.read(json.dumps({"totalCost": number, "transactionId": "t"})) is not None


KEYS = st.sampled_from(["chargePointVendor", "chargePointModel", "iccid", "imsi"])
TEXTS = st.text(st.sampled_from('ab:,{}[] "é'), max_size=8)
SPACES = st.sampled_from(["", " ", "\n", "\t "])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(KEYS, TEXTS, SPACES, SPACES), max_size=7), SPACES)
def test_no_key_that_stands_twice_is_read(members: list[tuple[str, str, str, str]], space: str) -> None:
    """[B07] Whatever the values look like and wherever there is room."""
    body = "{" + ",".join(f"{a}{json.dumps(k)}{b}:{json.dumps(v, ensure_ascii=False)}" for k, v, a, b in members) + "}"
    frame = f'[2,"1","BootNotification",{body}{space}]'
    keys = [k for k, *_ in members]
    found = codec("1.6").call(frame)
    if len(set(keys)) < len(keys):
        assert found is None
        with pytest.raises(WireError, match="twice"):
            parsed(frame)
    elif {"chargePointVendor", "chargePointModel"} <= set(keys) and "\\" not in body:
        assert found == ("1", "BootNotification", {k: v for k, v, *_ in members})


@pytest.mark.parametrize(
    "body",
    [
        '{"idTag":"a","idTag":"b"}',
        '{"idTag":"a","idTag":"a"}',
        '{"idTag":"::","idTag":":"}',
        '{"idTag" : "a" ,"idTag":"b"}',
        '{"idTag":"a","\\u0069dTag":"b"}',
        '{"idTag":"\\u003a\\u003a","idTag":"b"}',
        '{"more":1,"more":2,"idTag":"b"}',
    ],
)
def test_a_key_that_stands_twice_is_refused(body: str) -> None:
    """[B07] The second would hide the first from whoever reads it otherwise."""
    session = Session("1.6")
    session.receive(f'[2,"x","Authorize",{body}]', 0.0)
    assert json.loads(session.take_frames()[0])[:3] == [4, "x", "FormationViolation"]
