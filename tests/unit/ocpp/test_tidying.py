"""What real stations send, in the form of the schema: quirks G-57 to G-60 and G-96, rules C-25, 0-3, 0-16 to 0-18."""

from __future__ import annotations

import json
from importlib.resources import files
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadmgr.ocpp.actions import in_schemas
from loadmgr.ocpp.schemas import UNCONFIRMED, breach, checked, tidied
from loadmgr.ocpp.session import Failed, Fault, Incoming, Result, Session
from loadmgr.ocpp.versions import VERSIONS
from tests.support import golden

Json = dict[str, Any]
FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
STAMP = "2026-06-10T12:00:00Z"
STATUS: Json = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
STATUS_2: Json = {"timestamp": STAMP, "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
EVENT: Json = {
    "eventType": "Updated",
    "timestamp": STAMP,
    "triggerReason": "MeterValuePeriodic",
    "seqNo": 3,
    "transactionInfo": {"transactionId": "t"},
}


def read(ocpp: str, action: str, payload: Json, *, is_lenient: bool = True) -> Json | str:
    """What a session makes of a CALL: the payload, or the code of its refusal."""
    session = Session(ocpp, is_lenient=is_lenient)
    (result,) = session.receive(json.dumps([2, "m", action, payload]), 0.0)
    if isinstance(result, Incoming):
        return result.payload
    assert isinstance(result, Fault)
    code: str = json.loads(session.take_frames()[0])[2]
    return code


def meter(samples: Any, ocpp: str = "1.6") -> Json:
    number = "connectorId" if ocpp == "1.6" else "evseId"
    return {number: 1, "meterValue": [{"timestamp": STAMP, "sampledValue": samples}]}


def read_samples(samples: Any, ocpp: str = "1.6") -> Any:
    found = read(ocpp, "MeterValues", meter(samples, ocpp))
    assert isinstance(found, dict), found
    return found["meterValue"][0]["sampledValue"]


@pytest.mark.parametrize(
    "more", [{"info": None}, {"timestamp": None}, {"somethingOfOurs": {"deep": [1]}}, {"x": None, "y": 1}]
)
def test_nulls_empty_and_unknown_fields_are_dropped(more: Json) -> None:
    """[G-57, B11, 0-16]"""
    found = read("1.6", "StatusNotification", {**STATUS, "z": 1, **more})
    assert found == STATUS


def test_empty_texts_for_what_is_no_text_are_dropped() -> None:
    """[G-57]"""
    assert read_samples([{"value": "7", "phase": "", "unit": "", "location": "", "measurand": "", "format": ""}]) == [
        {"value": "7"}
    ]
    assert (
        read("2.1", "TransactionEvent", {**EVENT, "offline": "", "cableMaxCurrent": "", "evse": "", "meterValue": ""})
        == EVENT
    )


def test_an_empty_text_that_may_stand_there_stands() -> None:
    """[G-57] An empty value of a setting is a value."""
    answer = {"configurationKey": [{"key": "k", "readonly": False, "value": "", "more": 1}]}
    found = checked("1.6", "GetConfiguration", answer, is_request=False, is_lenient=True)
    assert found.payload == {"configurationKey": [{"key": "k", "readonly": False, "value": ""}]}
    assert found.breach is None


def test_an_object_where_an_array_is_wanted_is_wrapped() -> None:
    """[G-59]"""
    found = read(
        "1.6", "MeterValues", {"connectorId": 1, "meterValue": {"timestamp": STAMP, "sampledValue": {"value": "7"}}}
    )
    assert found == meter([{"value": "7"}])


@pytest.mark.parametrize(
    ("said", "meant"),
    [
        ({"value": "7", "unit": "celsius", "measurand": "temperature"}, {"unit": "Celsius", "measurand": "Temperature"}),
        ({"value": "7", "unit": " kwh "}, {"unit": "kWh"}),
        ({"value": "50", "unit": "Hz", "measurand": "Frequency"}, {"unit": "Hertz", "measurand": "Frequency"}),
        ({"value": "7", "phase": "l1-n", "location": "OUTLET"}, {"phase": "L1-N", "location": "Outlet"}),
    ],
)
def test_words_are_known_in_other_spellings(said: Json, meant: Json) -> None:
    """[G-58, 0-18]"""
    assert read_samples([said]) == [{"value": said["value"], **meant}]


@pytest.mark.parametrize("spelling", ["Celsius", "Celcius"])
def test_both_spellings_of_the_standard_stay(spelling: str) -> None:
    """[0-18]"""
    assert read_samples([{"value": 7, "unit": spelling}]) == [{"value": "7", "unit": spelling}]


def test_a_state_in_another_case_is_the_state() -> None:
    """[G-58]"""
    assert read("1.6", "StatusNotification", {**STATUS, "status": "suspendedev"}) == {**STATUS, "status": "SuspendedEV"}
    assert read("2.0.1", "StatusNotification", {**STATUS_2, "connectorStatus": "OCCUPIED"}) == {
        **STATUS_2,
        "connectorStatus": "Occupied",
    }


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_numbers_come_as_texts_and_texts_as_numbers(ocpp: str) -> None:
    """[G-96, 0-17]"""
    assert read_samples([{"value": " 7.50 "}, {"value": "1e3"}], ocpp) == [{"value": 7.5}, {"value": 1000}]
    assert read_samples([{"value": 7.5}, {"value": -3}]) == [{"value": "7.5"}, {"value": "-3"}]
    found = read(
        ocpp, "TransactionEvent", {**EVENT, "seqNo": "3", "offline": "False", "transactionInfo": {"transactionId": 77}}
    )
    assert found == {**EVENT, "offline": False, "transactionInfo": {"transactionId": "77"}}


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
@pytest.mark.parametrize("bad", ["NaN", "", "12,5", "0x10", None, True, {}, "1" * 50, "--5"])
def test_a_sample_that_cannot_be_read_takes_nothing_with_it(ocpp: str, bad: Any) -> None:
    """[C-25, 0-3, B08]"""
    assert read_samples([{"value": bad}, {"value": 7}, {"value": 8, "measurand": "Made.Up"}], ocpp) == [{"value": 7}]


def test_values_beyond_all_numbers_are_dropped_as_samples() -> None:
    """[C-25, B08]"""
    frame = (
        '[2,"m","MeterValues",{"evseId":1,"meterValue":[{"timestamp":"t","sampledValue":[{"value":1e999},{"value":7}]}]}]'
    )
    (found,) = Session("2.0.1").receive(frame, 0.0)
    assert isinstance(found, Incoming)
    assert found.payload["meterValue"][0]["sampledValue"] == [{"value": 7}]


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("samples", [[], [{}], [None], [{"value": None}]])
def test_a_meter_value_with_nothing_in_it_is_taken_and_says_nothing(ocpp: str, samples: Any) -> None:
    """[G-60]"""
    assert read_samples(samples, ocpp) == []


def test_an_empty_meter_value_of_a_transaction_event_is_left_out() -> None:
    """[G-60]"""
    assert read("2.1", "TransactionEvent", {**EVENT, "meterValue": []}) == EVENT


@pytest.mark.parametrize("at", [1_750_000_000, None, {"t": 1}, [], 1.5, False])
def test_a_time_that_is_none_takes_nothing_with_it(at: Any) -> None:
    """[0-3] Every reader takes the time of receipt for an empty one."""
    found = read("2.0.1", "StatusNotification", {**STATUS_2, "timestamp": at})
    assert found == {**STATUS_2, "timestamp": ""}
    entry = {"timestamp": at, "sampledValue": [{"value": 7}]}
    found = read("2.1", "TransactionEvent", {**EVENT, "meterValue": [entry]})
    assert found == {**EVENT, "meterValue": [{**entry, "timestamp": ""}]}


def test_a_measurement_without_a_time_was_made_now() -> None:
    """[0-3]"""
    found = read("1.6", "MeterValues", {"connectorId": 1, "meterValue": [{"sampledValue": [{"value": "7"}]}]})
    assert found == {"connectorId": 1, "meterValue": [{"timestamp": "", "sampledValue": [{"value": "7"}]}]}


@pytest.mark.parametrize(
    ("ocpp", "action", "payload"),
    [
        ("1.6", "StartTransaction", {"connectorId": 1, "idTag": "t", "meterStart": 0}),
        ("1.6", "StopTransaction", {"transactionId": 1, "meterStop": 0}),
        ("2.1", "TransactionEvent", {k: v for k, v in EVENT.items() if k != "timestamp"}),
    ],
)
def test_the_time_of_a_transaction_is_only_the_stations_to_tell(ocpp: str, action: str, payload: Json) -> None:
    """[0-3]"""
    assert read(ocpp, action, {**payload, "timestamp": 1_750_000_000}) == "TypeConstraintViolation"


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({**STATUS, "info": None}, "TypeConstraintViolation"),
        ({**STATUS, "more": 1}, "FormationViolation"),
        ({**STATUS, "status": "available"}, "PropertyConstraintViolation"),
        ({**STATUS, "connectorId": "1"}, "TypeConstraintViolation"),
    ],
)
def test_a_strict_reader_refuses_with_the_stated_code(payload: Json, code: str) -> None:
    """[0-7, B11, B12] ``is_lenient = false`` in the traits."""
    assert read("1.6", "StatusNotification", payload, is_lenient=False) == code
    assert isinstance(read("1.6", "StatusNotification", payload), dict)


@pytest.mark.parametrize(
    ("payload", "code"),
    [
        ({"connectorId": 1, "errorCode": "NoError"}, "OccurenceConstraintViolation"),
        ({**STATUS, "status": "Sleeping"}, "PropertyConstraintViolation"),
        ({**STATUS, "connectorId": "one"}, "TypeConstraintViolation"),
        ({**STATUS, "connectorId": 1.5}, "TypeConstraintViolation"),
        ({**STATUS, "vendorId": "v" * 256}, "PropertyConstraintViolation"),
        ({**STATUS, "status": None}, "TypeConstraintViolation"),
    ],
)
def test_what_cannot_be_put_right_is_refused_all_the_same(payload: Json, code: str) -> None:
    """[B12, 0-7]"""
    assert read("1.6", "StatusNotification", payload) == code


def test_answers_are_read_as_tolerantly_and_notes_tell_what_was_done() -> None:
    session = Session("1.6")
    session.call("SetChargingProfile", _a_profile(), "mine", 0.0)
    message_id = json.loads(session.take_frames()[0])[1]
    (found,) = session.receive(json.dumps([3, message_id, {"status": "accepted", "extra": 1}]), 0.0)
    assert not isinstance(found, Failed | Fault | Incoming)
    assert found.payload == {"status": "Accepted"}  # type: ignore[union-attr]
    assert found.notes == ("status spelt otherwise", "extra is unknown")  # type: ignore[union-attr]


def _a_profile() -> Json:
    period = {"startPeriod": 0, "limit": 6.0}
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    profile = {
        "chargingProfileId": 1,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Relative",
        "chargingSchedule": schedule,
    }
    return {"connectorId": 1, "csChargingProfiles": profile}


# -- whatever comes ----------------------------------------------------------------------------------------------------


def _schema(ocpp: str, action: str) -> Json:
    suffix = "" if ocpp == "1.6" or action in UNCONFIRMED else "Request"
    place = files("ocpp") / FOLDERS[ocpp] / "schemas" / f"{action}{suffix}.json"
    found: Json = json.loads(place.read_text(encoding="utf-8-sig"))
    return found


def valid(schema: Json) -> st.SearchStrategy[Any]:
    """Valid messages of a schema, written from the standard's keywords alone."""
    definitions = schema.get("definitions", {})

    def made(part: Json) -> st.SearchStrategy[Any]:
        if "$ref" in part:
            part = definitions[part["$ref"].rpartition("/")[2]]
        if "enum" in part:
            return st.sampled_from(part["enum"])
        match part.get("type"):
            case "object":
                fields = {name: st.deferred(lambda p=p: made(p)) for name, p in part.get("properties", {}).items()}
                wanted = set(part.get("required", ()))
                return st.fixed_dictionaries(
                    {n: f for n, f in fields.items() if n in wanted},
                    optional={n: f for n, f in fields.items() if n not in wanted},
                )
            case "array":
                least = part.get("minItems", 0)
                return st.lists(
                    made(part["items"]), min_size=least, max_size=min(part.get("maxItems", least + 1), least + 1)
                )
            case "integer":
                return st.integers(int(part.get("minimum", -5)), int(part.get("maximum", 5)))
            case "number" if part.get("multipleOf"):
                return st.integers(0, 320).map(lambda n: n / 10)
            case "number":
                return st.floats(part.get("minimum", -10.0), part.get("maximum", 10.0), allow_nan=False)
            case "boolean":
                return st.booleans()
            case "string":
                letters = st.characters(codec="utf-8", exclude_characters="\x00")
                return st.text(letters, max_size=min(part.get("maxLength", 8), 8))
            case _:
                return st.text(max_size=3)

    return made(schema)


INCOMING = [(ocpp, action) for ocpp in FOLDERS for action in sorted(in_schemas(ocpp))]
SLOW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much],
)
JUNK = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.sampled_from(["7", "charging", "A", ""]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["value", "timestamp", "x", "unit"]), inner),
    max_leaves=6,
)


@st.composite
def spoilt(draw: st.DrawFn, payload: Any) -> Any:
    """A message in which some values became something else."""
    if isinstance(payload, dict):
        found = {}
        for name, value in payload.items():
            kind = draw(st.integers(0, 9))
            if kind == 0:
                continue
            found[name] = draw(JUNK) if kind == 1 else draw(spoilt(value))
        if draw(st.integers(0, 5)) == 0:
            found["more"] = draw(JUNK)
        return found
    if isinstance(payload, list):
        found_list = [draw(spoilt(v)) for v in payload]
        return found_list[0] if len(found_list) == 1 and draw(st.booleans()) else found_list
    if isinstance(payload, str):
        return draw(st.sampled_from([payload, payload.lower(), payload.upper(), f" {payload} "]))
    return draw(st.sampled_from([payload, str(payload)]))


@SLOW
@given(st.sampled_from(INCOMING), st.data())
def test_a_valid_message_comes_out_as_it_went_in(known: tuple[str, str], data: st.DataObject) -> None:
    ocpp, action = known
    payload = data.draw(valid(_schema(ocpp, action)))
    if breach(ocpp, action, payload, is_request=True) is not None:
        return  # an entry of a generated message that the standard forbids otherwise
    assert tidied(ocpp, action, payload, is_request=True) == (payload, ())


@SLOW
@given(st.sampled_from(INCOMING), st.data())
def test_tidying_twice_is_tidying_once(known: tuple[str, str], data: st.DataObject) -> None:
    ocpp, action = known
    payload = data.draw(valid(_schema(ocpp, action)).flatmap(spoilt))
    if not isinstance(payload, dict):
        return
    once, _ = tidied(ocpp, action, payload, is_request=True)
    assert repr(tidied(ocpp, action, once, is_request=True)[0]) == repr(once)


@SLOW
@given(st.sampled_from(INCOMING), st.data(), st.booleans())
def test_no_message_makes_the_session_raise(known: tuple[str, str], data: st.DataObject, is_lenient: bool) -> None:
    """[B01, B11, B12]"""
    ocpp, action = known
    payload = data.draw(valid(_schema(ocpp, action)).flatmap(spoilt) | JUNK)
    session = Session(ocpp, is_lenient=is_lenient)
    results: list[Result] = session.receive(json.dumps([2, "m", action, payload]), 0.0)
    assert len(results) == 1
    if not is_lenient and isinstance(results[0], Incoming):
        assert breach(ocpp, action, results[0].payload, is_request=True) is None


@SLOW
@given(JUNK, JUNK, JUNK, st.lists(JUNK, max_size=2))
def test_no_array_makes_the_session_raise(kind: Any, message_id: Any, action: Any, more: list[Any]) -> None:
    """[B01, B06]"""
    for ocpp in FOLDERS:
        session = Session(ocpp)
        session.receive(json.dumps([kind, message_id, action, *more]), 0.0)
        session.take_frames()


@pytest.mark.parametrize("ocpp", golden.OCPP)
def test_golden_frames_need_no_tidying(ocpp: str) -> None:
    for entry in golden.entries(ocpp, "in").values():
        action, payload = entry["frame"][2], entry["frame"][3] if len(entry["frame"]) > 3 else {}
        if entry["frame"][0] == 2 and breach(ocpp, action, payload, is_request=True) is None:
            assert tidied(ocpp, action, payload, is_request=True) == (payload, ())
    assert ocpp in {v.ocpp for v in VERSIONS.values()}
