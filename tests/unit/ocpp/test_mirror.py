"""The mirror of a station's profiles, and the wire forms that it reads."""

from __future__ import annotations

import math
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from loadmgr.domain.composite import Composite
from loadmgr.domain.profiles import OperationMode, Profile, ProfileKind, ProfilePurpose, Recurrence, Running, Wiring
from loadmgr.errors import SiteModelError
from loadmgr.ocpp.mirror import Mirror
from loadmgr.ocpp.profile_fields import NotUseful
from loadmgr.ocpp.timestamps import to_wire
from loadmgr.ocpp.v16 import profiles as v16
from loadmgr.ocpp.v21 import profiles as v21
from loadmgr.ocpp.v201 import profiles as v201

Json = dict[str, Any]
NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
WIRING = {1: Wiring(current_max_a=32.0), 2: Wiring(current_max_a=32.0)}
BEGUN = to_wire(NOON - timedelta(seconds=10))


def old(limit: object = 16, number: int = 1, evse: int = 1, **changes: object) -> Json:
    """A 1.6 SetChargingProfile."""
    schedule = {
        "startSchedule": BEGUN,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit}],
    }
    profile = {
        "chargingProfileId": number,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
    }
    return {"connectorId": evse, "csChargingProfiles": {**profile, **changes}}


def new(limit: object = 16, number: int = 1, evse: int = 1, **changes: object) -> Json:
    """A 2.x SetChargingProfile; ``period`` and ``schedule`` change the inner parts."""
    period = {"startPeriod": 0, "limit": limit, **changes.pop("period", {})}  # type: ignore[dict-item]
    schedule = {"id": 1, "startSchedule": BEGUN, "chargingRateUnit": "A", "chargingSchedulePeriod": [period]}
    profile = {
        "id": number,
        "stackLevel": 0,
        "chargingProfilePurpose": "TxDefaultProfile",
        "chargingProfileKind": "Absolute",
        "chargingSchedule": [{**schedule, **changes.pop("schedule", {})}],  # type: ignore[dict-item]
    }
    return {"evseId": evse, "chargingProfile": {**profile, **changes}}


TX = {"chargingProfilePurpose": "TxProfile", "stackLevel": 1}


def mirror(ocpp: str, *calls: Json, **more: Any) -> Mirror:
    found = Mirror(ocpp, WIRING, **more)
    for call in calls:
        assert found.accepted("SetChargingProfile", call, NOON) == ""
    return found


def ids(known: Mirror) -> list[int]:
    return sorted(p.id for p in known.profiles)


def now_a(known: Mirror, evse: int = 1, at: datetime = NOON) -> float:
    return known.expected(evse, at, 1).periods[0].limit


# Wire forms


@pytest.mark.parametrize("limit", [16, 16.0, Decimal("16.0"), "16", " 16.0 "])
def test_numbers_are_read_in_every_dress(limit: object) -> None:
    """[0-12, 0-17]"""
    assert v16.from_wire(old(limit)).schedules[0].periods[0].limit == 16.0
    assert v201.from_wire(new(limit)).schedules[0].periods[0].limit == 16.0


@pytest.mark.parametrize("limit", ["full", True, [], float("inf"), "NaN", "1e999"])
def test_what_is_no_number_is_refused_with_its_place(limit: object) -> None:
    with pytest.raises(SiteModelError, match=r"profile 1: chargingSchedule: chargingSchedulePeriod\[0\]: limit"):
        v16.from_wire(old(limit))


def test_every_field_of_a_16_profile_is_read() -> None:
    """A.3"""
    payload = old(
        number=9,
        evse=2,
        stackLevel=3,
        chargingProfilePurpose="TxProfile",
        chargingProfileKind="Recurring",
        recurrencyKind="Weekly",
        transactionId=77,
        validFrom="2026-06-10T12:00:00+02:00",
        validTo="2026-06-11T00:00:00Z",
    )
    payload["csChargingProfiles"]["chargingSchedule"] |= {"duration": 600, "minChargingRate": Decimal("6.0")}
    found = v16.from_wire(payload, NOON)
    assert (found.id, found.evse, found.stack, found.transaction, found.received_at) == (9, 2, 3, "77", NOON)
    assert (found.purpose, found.kind, found.recurrence) == (ProfilePurpose.TX, ProfileKind.RECURRING, Recurrence.WEEKLY)
    assert found.valid_from == NOON - timedelta(hours=2)
    assert found.valid_to == NOON + timedelta(hours=12)
    schedule = found.schedules[0]
    assert (schedule.duration_s, schedule.rate_min, schedule.unit) == (600, 6.0, "A")
    assert schedule.start_at == NOON - timedelta(seconds=10)


def test_every_field_of_a_21_profile_is_read() -> None:
    """A.3, A.11, A.12"""
    period = {
        "limit_L2": 10,
        "limit_L3": 9,
        "dischargeLimit": -8,
        "dischargeLimit_L2": -7,
        "dischargeLimit_L3": -6,
        "setpoint": 5,
        "setpoint_L2": 4,
        "setpoint_L3": 3,
        "numberPhases": 1,
        "phaseToUse": 2,
        "operationMode": "CentralSetpoint",
    }
    payload = new(
        16,
        chargingProfileKind="Dynamic",
        dynUpdateTime=to_wire(NOON),
        dynUpdateInterval=10,
        maxOfflineDuration=0,
        invalidAfterOfflineDuration=True,
        period=period,
        schedule={"randomizedDelay": 30},
    )
    found = v21.from_wire(payload)
    assert found.kind is ProfileKind.DYNAMIC
    assert (found.updated_at, found.update_interval_s, found.offline_max_s) == (NOON, 10, 0)
    assert found.is_void_after_offline
    assert found.schedules[0].delay_s == 30
    read = found.schedules[0].periods[0]
    assert (read.limits, read.discharge_limits, read.setpoints) == ((16, 10, 9), (-8, -7, -6), (5, 4, 3))
    assert (read.n_phases, read.phase_to_use, read.mode) == (1, 2, OperationMode.CENTRAL_SETPOINT)


@pytest.mark.parametrize("text", ["2026-06-10T14:00:00", "2026-06-10T14:00:00Z", "2026-06-10T14:00:00.5+02:00"])
def test_local_time_is_what_stands_there_without_its_zone(text: str) -> None:
    """2.1 ``useLocalTime``"""
    schedule = v21.from_wire(new(schedule={"startSchedule": text, "useLocalTime": True})).schedules[0]
    assert schedule.is_local
    assert schedule.start_at is not None
    assert schedule.start_at.replace(microsecond=0) == datetime(2026, 6, 10, 14, 0)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stackLevel": None}, "stackLevel is missing"),
        ({"chargingProfilePurpose": "PriorityCharging"}, "chargingProfilePurpose is 'PriorityCharging', not one of"),
        ({"chargingProfileKind": None}, "chargingProfileKind is missing"),
        ({"validTo": "soon"}, "validTo is 'soon', not a time"),
        ({"chargingSchedule": "none"}, "not a list of objects"),
        ({"schedule": {"chargingRateUnit": "Amperes"}}, "not A or W"),
        ({"period": {"startPeriod": 0.5}}, "not a whole number"),
    ],
)
def test_an_unreadable_201_profile_says_where(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SiteModelError, match=words):
        v201.from_wire(new(**changes))


def said(*limits: tuple[float, object], start: object = to_wire(NOON), duration: object = 300, **more: object) -> Json:
    """A 2.x answer to GetCompositeSchedule."""
    periods = [{"startPeriod": s, "limit": v} for s, v in limits]
    schedule = {
        "evseId": 1,
        "duration": duration,
        "scheduleStart": start,
        "chargingRateUnit": "A",
        "chargingSchedulePeriod": periods,
        **more,
    }
    return {"status": "Accepted", "schedule": schedule}


def said_16(start: object, inner: object, **more: object) -> Json:
    schedule = {"chargingRateUnit": "A", "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 16}], **more}
    if inner is not None:
        schedule["startSchedule"] = inner
    return {"status": "Accepted", "connectorId": 1, "scheduleStart": start, "chargingSchedule": schedule}


@pytest.mark.parametrize(("start", "inner"), [(to_wire(NOON), None), (None, to_wire(NOON)), (to_wire(NOON), BEGUN)])
def test_a_16_answer_may_keep_its_start_in_either_place(start: object, inner: object) -> None:
    """A.7.5 item 4"""
    found = v16.composite_from_wire(said_16(start, inner))
    assert isinstance(found, Composite)
    assert found.from_at == NOON
    assert found.duration_s == math.inf


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Rejected"},
        {"status": "Accepted"},
        said((0, 16), start="0001-01-01T00:00:00Z"),
        said((0, 16), start="1970-01-01T00:00:00Z"),
        said((0, 16), start=None),
        said((0, 16), chargingRateUnit=""),
        said(),
        said((0, -1)),
        said((0, None)),
        said((0, 16), (0, 10)),
        said((0, "many")),
    ],
)
def test_an_answer_without_sense_is_not_useful(answer: Json) -> None:
    """[G-20]"""
    for read in (v201.composite_from_wire, v21.composite_from_wire):
        found = read(answer)
        assert isinstance(found, NotUseful)
        assert found.reason
    compared = mirror("2.0.1").compare(1, answer, NOON)
    assert not compared.is_useful
    assert compared.reason
    assert not compared.differs


def test_a_16_answer_without_sense_is_not_useful() -> None:
    """[G-20]"""
    for answer in (
        {"status": "Rejected"},
        {"status": "Accepted"},
        said_16("0001-01-01T00:00:00Z", None),
        said_16(to_wire(NOON), None, chargingRateUnit=""),
        said_16(to_wire(NOON), None, chargingSchedulePeriod=[]),
        said_16(to_wire(NOON), None, chargingSchedulePeriod=[{"startPeriod": 0, "limit": -1}]),
    ):
        assert isinstance(v16.composite_from_wire(answer), NotUseful)


# Replacing and clearing


def test_in_16_the_same_id_or_the_same_slot_is_replaced() -> None:
    """A.4"""
    known = mirror("1.6", old(16, 1), old(10, 2))
    assert ids(known) == [2]
    known.accepted("SetChargingProfile", old(8, 2, stackLevel=1), NOON)
    assert ids(known) == [2]
    assert now_a(known) == 8
    known.accepted("SetChargingProfile", old(7, 3, evse=0), NOON)
    assert ids(known) == [2, 3], "the default of the station is another slot"


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_in_2x_only_the_same_id_is_replaced_wherever_it_was(ocpp: str) -> None:
    """A.4"""
    known = mirror(ocpp, new(16, 1), new(10, 2, stackLevel=1))
    assert ids(known) == [1, 2]
    most = new(20, 1, evse=0, chargingProfilePurpose="ChargingStationMaxProfile")
    known.accepted("SetChargingProfile", most, NOON)
    assert ids(known) == [1, 2]
    assert [p.purpose for p in known.profiles if p.id == 1] == [ProfilePurpose.STATION_MAX]


def test_an_external_limit_with_the_same_id_stays() -> None:
    """A.4: it cannot be replaced by a central system."""
    known = mirror("2.0.1")
    known.reported(report(new(9, 1, chargingProfilePurpose="ChargingStationExternalConstraints"), source="EMS"), NOON)
    known.accepted("SetChargingProfile", new(16, 1), NOON)
    assert ids(known) == [1, 1]
    assert now_a(known) == 9


MANY_16 = (
    old(20, 1, evse=0, chargingProfilePurpose="ChargePointMaxProfile"),
    old(6, 2, evse=0),
    old(10, 3, evse=1, stackLevel=1),
    old(11, 4, evse=2, stackLevel=1),
)


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({}, []),
        ({"id": 3}, [1, 2, 4]),
        ({"connectorId": 0}, [3, 4]),
        ({"connectorId": 1, "stackLevel": 1}, [1, 2, 4]),
        ({"chargingProfilePurpose": "TxDefaultProfile"}, [1]),
        ({"id": 3, "connectorId": 2}, [1, 2, 3, 4]),
    ],
)
def test_in_16_the_fields_of_a_clear_are_joined_by_and(wanted: Json, left: list[int]) -> None:
    """A.10"""
    known = mirror("1.6", *MANY_16)
    known.accepted("ClearChargingProfile", wanted, NOON)
    assert ids(known) == left


@pytest.mark.parametrize(
    ("wanted", "left"),
    [
        ({"chargingProfileId": 2, "chargingProfileCriteria": {"evseId": 1}}, [1, 3, 9]),
        ({"chargingProfileCriteria": {"evseId": 1}}, [2, 9]),
        ({"chargingProfileCriteria": {"chargingProfilePurpose": "TxDefaultProfile", "stackLevel": 1}}, [1, 2, 9]),
        ({"chargingProfileCriteria": {"chargingProfilePurpose": "ChargingStationExternalConstraints"}}, [1, 2, 3, 9]),
        ({"chargingProfileId": 9}, [1, 2, 3, 9]),
    ],
)
def test_in_2x_an_id_makes_the_criteria_moot_and_external_ones_stay(wanted: Json, left: list[int]) -> None:
    """A.10"""
    known = mirror("2.0.1", new(16, 1), new(6, 2, evse=0), new(10, 3, stackLevel=1))
    outside = new(9, 9, evse=0, chargingProfilePurpose="ChargingStationExternalConstraints")
    known.reported(report(outside, source="SO"), NOON)
    known.accepted("ClearChargingProfile", wanted, NOON)
    assert ids(known) == left


def test_other_actions_change_nothing() -> None:
    known = mirror("1.6", old())
    assert known.accepted("TriggerMessage", {"requestedMessage": "MeterValues"}, NOON) == ""
    assert ids(known) == [1]


# Transactions


@pytest.mark.parametrize(("ocpp", "make"), [("1.6", old), ("2.0.1", new), ("2.1", new)])
def test_the_profile_of_a_transaction_dies_with_it(ocpp: str, make: Any) -> None:
    """[A-4]"""
    known = mirror(ocpp, make(6, 1))
    known.began(1, "77", NOON)
    known.accepted("SetChargingProfile", make(20, 2, transactionId="77", **TX), NOON)
    assert now_a(known) == 20
    known.ended(1)
    assert ids(known) == [1]
    assert now_a(known) == 6
    known.began(1, "78", NOON)
    assert now_a(known) == 6


def test_a_new_transaction_ends_the_profiles_of_one_whose_end_was_lost() -> None:
    known = mirror("1.6")
    known.began(1, "77", NOON)
    known.accepted("SetChargingProfile", old(20, 2, transactionId=77, **TX), NOON)
    known.began(1, "77", NOON + timedelta(seconds=5))
    assert ids(known) == [2], "the same one, told again"
    assert known.running[1].started_at == NOON
    known.began(1, "78", NOON)
    assert ids(known) == []


def test_an_accepted_transaction_profile_shows_that_a_transaction_runs() -> None:
    """[A-3]: after a restart of ours the station knows more than we do."""
    known = mirror("2.0.1", new(20, 2, transactionId="T", **TX))
    assert known.running == {1: Running(transaction="T")}
    assert now_a(known) == 20


def test_a_profile_for_another_transaction_is_not_expected_to_count() -> None:
    """[G-12]: accepted, but with an id that does not run."""
    known = mirror("1.6", old(6, 1))
    known.began(1, "77", NOON)
    known.accepted("SetChargingProfile", old(20, 2, transactionId=0, **TX), NOON)
    assert now_a(known) == 6


@pytest.mark.parametrize(
    ("ocpp", "action", "place"),
    [("1.6", "RemoteStartTransaction", "connectorId"), ("2.0.1", "RequestStartTransaction", "evseId")],
)
def test_the_profile_of_a_remote_start_waits_for_its_transaction(ocpp: str, action: str, place: str) -> None:
    """K05: it has no transaction id yet."""
    inner = old(10, 5, **TX)["csChargingProfiles"] if ocpp == "1.6" else new(10, 5, **TX)["chargingProfile"]
    known = mirror(ocpp)
    assert known.accepted(action, {place: 1, "chargingProfile": inner}, NOON) == ""
    assert now_a(known) == 32
    known.began(1, "77", NOON + timedelta(seconds=3))
    assert now_a(known) == 10
    assert known.profiles[0].transaction == "77"
    assert "names no" in known.accepted(action, {"chargingProfile": inner}, NOON)
    assert known.accepted(action, {place: 1}, NOON) == ""


def test_relative_profiles_count_from_the_power_path_in_2x() -> None:
    """K01.FR.42"""
    known = mirror("2.0.1")
    known.began(1, "T", NOON - timedelta(seconds=100))
    known.power_closed(1, NOON - timedelta(seconds=60))
    known.power_closed(1, NOON)
    relative = new(10, 5, chargingProfileKind="Relative", schedule={"startSchedule": None, "duration": 90})
    known.accepted("SetChargingProfile", relative, NOON)
    assert [(p.start_s, p.limit) for p in known.expected(1, NOON, 60).periods] == [(0, 10.0), (30, 32.0)]


def test_priority_charging_and_the_chosen_schedule_are_followed() -> None:
    """K21, K22"""
    known = mirror("2.1", new(28, 3, chargingProfilePurpose="PriorityCharging"))
    known.began(1, "T", NOON)
    live = new(10, 4, transactionId="T", **TX)
    schedules = live["chargingProfile"]["chargingSchedule"]
    schedules.append({**schedules[0], "id": 2, "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 14}]})
    known.accepted("SetChargingProfile", live, NOON)
    assert now_a(known) == 10
    known.chose(1, 2)
    assert now_a(known) == 14
    known.accepted("UsePriorityCharging", {"transactionId": "T", "activate": True}, NOON)
    assert now_a(known) == 28
    known.prioritised("T", is_active=False)
    assert now_a(known) == 14


# Dynamic profiles, boots and offline times


def test_an_update_of_a_dynamic_profile_changes_values_and_restarts_its_duration() -> None:
    """A.12"""
    known = mirror("2.1")
    live = new(10, 5, chargingProfileKind="Dynamic", schedule={"duration": 60}, period={"dischargeLimit": -4})
    known.accepted("SetChargingProfile", live, NOON)
    assert known.expected(1, NOON, 100).periods[1].start_s == 60
    update = {"chargingProfileId": 5, "scheduleUpdate": {"limit": 12}}
    assert known.accepted("UpdateDynamicSchedule", update, NOON + timedelta(seconds=30)) == ""
    found = known.expected(1, NOON + timedelta(seconds=30), 100).periods
    assert [(p.start_s, p.limit, p.discharge_limit) for p in found] == [(0, 12.0, -4.0), (60, 32.0, None)]


def test_an_update_of_an_unknown_profile_is_told() -> None:
    known = mirror("2.1", new(10, 5))
    note = known.accepted("UpdateDynamicSchedule", {"chargingProfileId": 5, "scheduleUpdate": {"limit": 12}}, NOON)
    assert "profile 5" in note
    assert now_a(known) == 10
    with pytest.raises(SiteModelError, match="only a dynamic one"):
        v21.updated(known.profiles[0], {"limit": 12}, NOON)


def everything() -> tuple[Json, ...]:
    return (
        new(16, 1),
        new(20, 2, evse=0, chargingProfilePurpose="ChargingStationMaxProfile"),
        new(10, 3, transactionId="T", **TX),
    )


def test_a_boot_keeps_what_the_version_keeps() -> None:
    """[A-133]"""
    for ocpp, left in (("2.0.1", [1, 2, 3]), ("2.1", [1, 2])):
        known = mirror(ocpp, *everything())
        known.booted(NOON)
        assert ids(known) == left
    old_one = mirror("1.6", *MANY_16)
    old_one.booted(NOON)
    assert ids(old_one) == [1, 2, 3, 4]
    more = mirror(
        "2.1",
        *everything(),
        new(28, 4, chargingProfilePurpose="PriorityCharging"),
        new(5, 5, chargingProfilePurpose="LocalGeneration"),
        persistent=frozenset({ProfilePurpose.TX}),
    )
    more.booted(NOON)
    assert ids(more) == [1, 2, 3, 4]


def test_offline_times_end_profiles_and_some_for_good() -> None:
    """A.3: ``maxOfflineDuration`` and ``invalidAfterOfflineDuration``"""
    known = mirror(
        "2.1",
        new(6, 1),
        new(20, 2, stackLevel=2, maxOfflineDuration=60),
        new(22, 3, stackLevel=3, maxOfflineDuration=30, invalidAfterOfflineDuration=True),
    )
    known.went_offline(NOON)
    known.went_offline(NOON + timedelta(seconds=20))
    assert [(p.start_s, p.limit) for p in known.expected(1, NOON, 100).periods] == [(0, 22.0), (30, 20.0), (60, 6.0)]
    known.came_back(NOON + timedelta(seconds=70))
    assert ids(known) == [1, 2]
    assert now_a(known) == 20, "valid again when it is back"
    known.accepted(
        "SetChargingProfile", new(22, 3, stackLevel=3, maxOfflineDuration=30, invalidAfterOfflineDuration=True), NOON
    )
    known.went_offline(NOON)
    known.booted(NOON + timedelta(seconds=29))
    assert ids(known) == [1, 2, 3]


# Reports


def report(*profiles: Json, request: int = 5, source: str = "CSO", evse: int = 1, tbc: bool = False) -> Json:
    return {
        "requestId": request,
        "chargingLimitSource": source,
        "evseId": profiles[0]["evseId"] if profiles else evse,
        "chargingProfile": [p["chargingProfile"] for p in profiles],
        "tbc": tbc,
    }


def test_a_report_finds_foreign_profiles_but_never_external_ones() -> None:
    """[A-91]"""
    known = mirror("2.1", new(16, 1), owns=lambda number: number == 4)
    notes = known.reported(report(new(16, 1), new(10, 7, stackLevel=2), new(3, 4, stackLevel=1)), NOON)
    assert notes == ("profile 7 on EVSE 1 (tx-default, level 2) is not ours",)
    assert (
        known.reported(report(new(9, 8, chargingProfilePurpose="ChargingStationExternalConstraints"), source="EMS"), NOON)
        == ()
    )
    assert known.reported(report(new(5, 9, chargingProfilePurpose="LocalGeneration")), NOON) == ()
    assert [p.id for p in known.foreign()] == [7]
    assert ids(known) == [1, 4, 7, 8, 9]


def test_a_report_shows_what_is_not_as_it_was_sent() -> None:
    """[G-125]: somebody else overwrote it; what the station holds is what counts."""
    known = mirror("2.0.1", new(16, 1))
    assert known.reported(report(new(16, 1, period={"numberPhases": 3})), NOON) == (), "three phases are the default"
    assert known.reported(report(new(10, 1)), NOON) == ("profile 1 on EVSE 1 is not as it was sent: schedules differ",)
    assert now_a(known) == 10


def test_what_a_complete_report_lacks_is_gone() -> None:
    """[A-91]"""
    known = mirror("2.0.1", new(16, 1), new(6, 2, evse=0), new(8, 3, stackLevel=1))
    known.accepted("GetChargingProfiles", {"requestId": 5, "evseId": 1, "chargingProfile": {}}, NOON)
    assert known.reported(report(new(16, 1), tbc=True), NOON) == ()
    assert ids(known) == [1, 2, 3], "more is to come"
    assert known.reported(report(), NOON) == ("profile 3 on EVSE 1 is gone from the station",)
    assert ids(known) == [1, 2], "nobody asked for the station's own"


@pytest.mark.parametrize(
    ("criteria", "gone"),
    [
        ({"chargingProfileId": [1, 2]}, [1, 2]),
        ({"stackLevel": 1}, [3]),
        ({"chargingProfilePurpose": "TxDefaultProfile"}, [1, 2, 3]),
        ({"chargingProfilePurpose": "TxProfile"}, []),
        ({"chargingLimitSource": ["EMS"]}, []),
    ],
)
def test_no_profiles_means_that_those_asked_for_are_gone(criteria: Json, gone: list[int]) -> None:
    """A.10"""
    known = mirror("2.0.1", new(16, 1), new(6, 2, evse=0), new(8, 3, stackLevel=1))
    notes = known.found_none({"requestId": 5, "chargingProfile": criteria})
    assert len(notes) == len(gone)
    assert ids(known) == [n for n in (1, 2, 3) if n not in gone]


def test_an_unreadable_profile_in_a_report_does_not_hide_the_others() -> None:
    known = mirror("2.0.1")
    notes = known.reported(report(new("much", 1), new(10, 2)), NOON)
    assert "limit is 'much'" in notes[0]
    assert ids(known) == [2]
    assert "no reports" in mirror("1.6").reported(report(new(16, 1)), NOON)[0]


def test_requests_that_were_never_answered_are_forgotten() -> None:
    known = mirror("2.0.1", new(16, 1))
    for request in range(1, 11):
        known.accepted("GetChargingProfiles", {"requestId": request, "chargingProfile": {}}, NOON)
    known.reported(report(new(9, 8), request=1), NOON)
    assert ids(known) == [1, 8], "too old: nothing is taken as gone"
    known.reported(report(new(9, 8), request=10), NOON)
    assert ids(known) == [8]


# Comparing


def live(limit: float = 16, duration_s: int = 70) -> tuple[Json, ...]:
    """16 A for a minute from noon on, then 6 A."""
    return new(6, 1), new(limit, 2, stackLevel=1, schedule={"duration": duration_s})


def test_an_equal_answer_does_not_differ() -> None:
    found = mirror("2.0.1", *live()).compare(1, said((0, 16), (60, 6)), NOON)
    assert (found.is_useful, found.differs) == (True, "")
    assert found.said_limits_a == found.expected_limits_a == ((0, 16.0), (60, 6.0))
    assert found.from_at == NOON


@pytest.mark.parametrize(
    ("answer", "is_same"),
    [
        (said((0, 16.2), (60, 6)), True),
        (said((0, 15.8), (60, 6)), True),
        (said((0, 16.3), (60, 6)), False),
        (said((0, 15.7), (60, 6)), False),
        (said((0, 16), (65, 6)), True),
        (said((0, 16), (55, 6)), True),
        (said((0, 16), (66, 6)), False),
        (said((0, 16), (54, 6)), False),
        (said((0, 16), (60, 6), (90, 16), (94, 6)), False),
        (said((0, 16)), False),
        (said((0, 16), duration=60), True),
        (said((0, 6)), False),
        (said((5, 16), (60, 6)), True),
        (said((6, 16), (60, 6)), False),
    ],
)
def test_small_differences_of_value_and_boundary_are_tolerated(answer: Json, is_same: bool) -> None:
    """[A-61]: 0.2 A or 1 %, and 5 s"""
    found = mirror("2.0.1", *live()).compare(1, answer, NOON)
    assert found.is_useful
    assert (found.differs == "") is is_same


def test_one_percent_counts_where_it_is_more() -> None:
    wiring = {1: Wiring(current_max_a=200.0)}
    for limit, is_same in ((101.0, True), (99.0, True), (101.2, False)):
        known = Mirror("2.0.1", wiring)
        known.accepted("SetChargingProfile", new(100, 1), NOON)
        assert (known.compare(1, said((0, limit)), NOON).differs == "") is is_same


def test_a_difference_names_when_what_and_whose() -> None:
    found = mirror("2.0.1", *live()).compare(1, said((0, 16), (60, 10)), NOON)
    assert found.differs == "EVSE 1: from 60 s on it says 10.0 A, expected 6.0 A (tx-default profile 1)"


def test_watts_are_compared_in_watts_and_told_in_amperes() -> None:
    """[A-70]"""
    answer = said((0, 11040), (60, 4140), chargingRateUnit="W")
    found = mirror("2.0.1", *live()).compare(1, answer, NOON)
    assert found.differs == ""
    assert found.said_limits_a == ((0, 16.0), (60, 6.0))
    worse = mirror("2.0.1", *live()).compare(1, said((0, 11200), (60, 4140), chargingRateUnit="W"), NOON)
    assert worse.differs


def test_a_limit_above_the_hardware_is_the_hardware() -> None:
    assert mirror("2.0.1").compare(1, said((0, 63)), NOON).differs == ""


def test_a_wrong_clock_is_told_and_the_answer_judged_as_of_now() -> None:
    """[G-9]: for the station the live profile ran out long ago."""
    late = said((0, 6), start=to_wire(NOON + timedelta(hours=2)))
    found = mirror("2.0.1", *live()).compare(1, late, NOON)
    assert found.from_at == NOON
    assert found.differs.endswith("its clock is +7200 s off")
    near = said((0, 6), start=to_wire(NOON + timedelta(seconds=59)))
    assert mirror("2.0.1", *live()).compare(1, near, NOON).differs == "", "one second of 16 A is left"


def test_a_random_delay_widens_the_boundaries() -> None:
    """2.1 ``randomizedDelay``"""
    steps = [{"startPeriod": 0, "limit": 16}, {"startPeriod": 70, "limit": 6}]
    for delay, is_same in ((0, False), (30, True)):
        known = mirror("2.1", new(schedule={"chargingSchedulePeriod": steps, "randomizedDelay": delay}))
        assert (known.compare(1, said((0, 16), (90, 6)), NOON).differs == "") is is_same


def test_setpoints_are_compared_where_the_station_tells_them() -> None:
    """A.11"""
    period = {"limit": None, "setpoint": -10, "operationMode": "CentralSetpoint"}
    known = mirror("2.1")
    known.began(1, "T", NOON)
    known.accepted("SetChargingProfile", new(number=5, transactionId="T", period=period, **TX), NOON)
    right = said(chargingSchedulePeriod=[{"startPeriod": 0, "setpoint": -10, "operationMode": "CentralSetpoint"}])
    wrong = said(chargingSchedulePeriod=[{"startPeriod": 0, "setpoint": -4, "operationMode": "CentralSetpoint"}])
    assert known.compare(1, right, NOON).differs == ""
    assert known.compare(1, wrong, NOON).differs


def test_the_whole_station_is_compared_too() -> None:
    """A.7.4"""
    most = new(40, 2, evse=0, chargingProfilePurpose="ChargingStationMaxProfile")
    known = mirror("2.0.1", most)
    assert known.compare(0, said((0, 40), evseId=0), NOON).differs == ""
    assert known.compare(0, said((0, 64), evseId=0), NOON).differs.startswith("the station: from 0 s")


def test_an_answer_about_another_evse_is_not_useful() -> None:
    assert "EVSE 1" in mirror("2.0.1").compare(2, said((0, 16)), NOON).reason
    unnamed = said_16(to_wire(NOON), None)
    del unnamed["connectorId"]
    assert mirror("1.6", old(16)).compare(1, unnamed, NOON).is_useful


def test_what_cannot_be_expected_is_not_compared() -> None:
    local = new(10, 1, schedule={"startSchedule": "2026-06-10T14:00:00", "useLocalTime": True})
    found = mirror("2.1", local).compare(1, said((0, 16)), NOON)
    assert not found.is_useful
    assert "time zone" in found.reason


def test_a_version_that_is_not_known_is_refused() -> None:
    with pytest.raises(SiteModelError, match=r"'3\.0'"):
        Mirror("3.0", WIRING)


def test_a_profile_read_back_is_the_one_that_was_sent() -> None:
    """The two versions of 2.x read what they have in common alike."""
    one: Profile = v201.from_wire(new(16, 1, period={"numberPhases": 1, "phaseToUse": 2}), NOON)
    assert one == v21.from_wire(new(16, 1, period={"numberPhases": 1, "phaseToUse": 2}), NOON)


def test_a_short_dip_that_the_station_does_not_know_is_a_difference() -> None:
    """[A-61]: every expected value must be said, not only every said one expected."""
    steps = [{"startPeriod": s, "limit": v} for s, v in ((0, 16), (70, 6), (80, 16))]
    known = mirror("2.0.1", new(schedule={"chargingSchedulePeriod": steps}))
    assert known.compare(1, said((0, 16)), NOON).differs.startswith("EVSE 1: from 60 s on it says 16.0 A, expected 6.0 A")
