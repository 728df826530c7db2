"""Profiles in the style of certification (rule I.14): what the service sends and computes against simulated stations.

The stations are written from the standard and share no code with the service's translation, mirror and composite schedule.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

import pytest

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import EvseId
from loadmgr.domain.traits import ProfileForm, Purpose
from loadmgr.ocpp.timestamps import to_wire
from loadmgr.ocpp.versions import TRANSLATIONS
from tests.support.conformance import CAR, EVSE, ST, TRAITS, Json, Pair, a_failsafe, accepted, an_order, with_pair
from tests.unit.sim.central import BEGIN, profile_of

OCPP = ("1.6", "2.0.1", "2.1")
SINCE_2 = OCPP[1:]
TX = "TxProfile"
DEFAULT = "TxDefaultProfile"

# -- Absolute defaults with validity and duration ----------------------------------------------------------------------


@pytest.mark.parametrize("version", OCPP)
def test_i14_an_order_without_a_transaction_is_an_absolute_default_that_ends(version: str) -> None:
    """[I.14, A-3, A-31, A-32] It begins in the past, holds for its duration, and leaves the fail-safe below it."""

    async def play(pair: Pair) -> None:
        assert accepted(await pair.send(a_failsafe(pair)))
        await pair.plug_in()
        began_s = (pair.bench.clock.now() - BEGIN).total_seconds()
        assert accepted(await pair.send(an_order(pair, 16.0)))
        (profile,) = [p for p in pair.bench.twin.profiles.found if p.evse == 1]
        assert (profile.purpose, profile.kind, profile.transaction) == (DEFAULT, "Absolute", "")
        assert profile.start_at is not None
        assert profile.start_at <= pair.bench.clock.now()
        assert profile.duration_s == 190.0
        await pair.agree()
        await pair.follow({began_s + 1: 16.0, began_s + 179: 16.0, began_s + 181: 6.0, began_s + 4000: 6.0})

    with_pair(version, play)


@pytest.mark.parametrize("version", OCPP)
def test_i14_a_default_with_validity_and_duration_holds_where_both_do(version: str) -> None:
    """[I.14, A.7.1] Valid from second 300 to 3000; its schedule starts at 0 and changes at 600 and 1200, ends at 2400."""

    async def play(pair: Pair) -> None:
        assert accepted(await pair.send(a_failsafe(pair, 10.0)))
        await pair.plug_in()
        at = {s: to_wire(BEGIN + timedelta(seconds=s)) for s in (0, 300, 3000)}
        body = profile_of(
            pair.bench, 20.0, purpose=DEFAULT, start=None, duration=2400, validFrom=at[300], validTo=at[3000]
        )  # fmt: skip
        schedule = body["chargingSchedule"] if version == "1.6" else body["chargingSchedule"][0]
        schedule["startSchedule"] = at[0]
        schedule["chargingSchedulePeriod"] += [{"startPeriod": 600, "limit": 13.0}, {"startPeriod": 1200, "limit": 8.0}]
        assert await pair.call("SetChargingProfile", wrapped(version, body)) == {"status": "Accepted"}
        await pair.agree()
        marks = {299.0: 10.0, 301.0: 20.0, 599.0: 20.0, 601.0: 13.0, 1201.0: 8.0, 2399.0: 8.0, 2401.0: 10.0}
        await pair.follow(marks)

    with_pair(version, play)


@pytest.mark.parametrize("version", OCPP)
def test_i14_a_default_whose_validity_ends_first_ends_with_it(version: str) -> None:
    """[I.14, A.7.1] Valid for 900 s of a duration of an hour."""

    async def play(pair: Pair) -> None:
        assert accepted(await pair.send(a_failsafe(pair)))
        await pair.plug_in()
        until = to_wire(BEGIN + timedelta(seconds=900))
        body = profile_of(pair.bench, 16.0, purpose=DEFAULT, duration=3600, validTo=until)
        assert await pair.call("SetChargingProfile", wrapped(version, body)) == {"status": "Accepted"}
        await pair.agree()
        await pair.follow({899.0: 16.0, 901.0: 6.0})

    with_pair(version, play)


def wrapped(version: str, body: Json, place: int = 1) -> Json:
    if version == "1.6":
        return {"connectorId": place, "csChargingProfiles": body}
    return {"evseId": place, "chargingProfile": body}


# -- replace ---------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", OCPP)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_i14_a_newer_order_replaces_the_one_of_the_same_id(version: str, purpose: Purpose) -> None:
    """[I.14, A.4, A-30] In every purpose: one profile is installed, the newer one, and no slot is doubled."""

    async def play(pair: Pair) -> None:
        assert accepted(await pair.send(a_failsafe(pair)))
        transaction = await pair.plug_in()
        n_before = len(pair.bench.twin.profiles.found)
        for current_a in (16.0, 24.0, 0.0, 10.0):
            order = an_order(pair, current_a, transaction, form=ProfileForm(purpose=purpose))
            assert accepted(await pair.send(order))
            assert len(pair.bench.twin.profiles.found) == n_before + 1
            wanted_a = current_a if purpose is not Purpose.MAX else min(current_a, 6.0)
            assert (pair.offered_a, pair.expected_a) == (wanted_a, pytest.approx(wanted_a))
        await pair.agree()

    with_pair(version, play)


@pytest.mark.parametrize("version", OCPP)
@pytest.mark.parametrize("purpose", list(Purpose))
def test_i14_the_fail_safe_is_replaced_by_itself_and_never_by_an_order(version: str, purpose: Purpose) -> None:
    """[I.14, A-2, A.15] Installed twice with another value; orders in any form stand above it and end into it."""

    async def play(pair: Pair) -> None:
        transaction = await pair.plug_in()
        assert accepted(await pair.send(a_failsafe(pair, 6.0)))
        assert accepted(await pair.send(a_failsafe(pair, 8.0)))
        lasting = pair.slots
        assert len(lasting) == 2
        assert accepted(await pair.send(an_order(pair, 7.0, transaction, form=ProfileForm(purpose=purpose))))
        assert lasting < pair.slots
        assert (pair.offered_a, pair.expected_a) == (7.0, pytest.approx(7.0))
        await pair.bench.run(400)
        assert pair.offered_a == 8.0

    with_pair(version, play)


# -- get -------------------------------------------------------------------------------------------------------------------

FILTERS: Mapping[str, tuple[Json, Json]] = {
    "purpose": ({"chargingProfilePurpose": TX}, {}),
    "level": ({"stackLevel": 0}, {}),
    "source": ({"chargingLimitSource": ["CSO"]}, {}),
    "purpose and level": ({"chargingProfilePurpose": DEFAULT, "stackLevel": 0}, {}),
    "source on the EVSE": ({"chargingLimitSource": ["CSO"]}, {"evseId": 1}),
    "source on the station": ({"chargingLimitSource": ["CSO"]}, {"evseId": 0}),
    "ids": ({"chargingProfileId": [20000]}, {}),
    "another source": ({"chargingLimitSource": ["EMS"]}, {}),
}


@pytest.mark.parametrize("version", SINCE_2)
@pytest.mark.parametrize("name", FILTERS)
def test_i14_a_report_by_any_filter_leaves_what_is_known_as_it_is(version: str, name: str) -> None:
    """[I.14, A.10, A-91, K09] What a filter leaves out is not taken for gone; what it finds is as it was sent."""

    async def play(pair: Pair) -> None:
        transaction = await pair.plug_in()
        assert accepted(await pair.send(a_failsafe(pair)))
        for purpose in (Purpose.TX, Purpose.DEFAULT):
            assert accepted(await pair.send(an_order(pair, 16.0, transaction, form=ProfileForm(purpose=purpose))))
        assert len(pair.mirror.profiles) == 4
        wanted, place = FILTERS[name]
        wanted = {**wanted, "chargingProfileId": [min(p.id for p in pair.mirror.profiles)]} if name == "ids" else wanted
        request = {"requestId": 7, "chargingProfile": wanted, **place}
        answer = await pair.call("GetChargingProfiles", request)
        await pair.bench.run(2)
        reports = pair.bench.central.said("ReportChargingProfiles")
        assert (answer["status"] == "Accepted") == bool(reports) == (name != "another source")
        for report in reports:
            assert pair.mirror.reported(report, pair.bench.clock.now()) == ()
        if not reports:
            assert pair.mirror.found_none(request) == ()
        assert len(pair.mirror.profiles) == 4

    with_pair(version, play)


@pytest.mark.parametrize("version", SINCE_2)
@pytest.mark.parametrize("evse", [None, EVSE])
def test_i14_the_service_asks_by_criteria_and_never_by_ids_and_criteria(version: str, evse: EvseId | None) -> None:
    """[I.14, A.10] Ids, or at least one other criterion, never both; and it finds out what is gone."""

    async def play(pair: Pair) -> None:
        transaction = await pair.plug_in()
        assert accepted(await pair.send(a_failsafe(pair)))
        assert accepted(await pair.send(an_order(pair, 16.0, transaction)))
        ((action, request),) = TRANSLATIONS[version](cmd.ReadProfiles(no=9, station=ST, evse=evse), TRAITS)
        criteria = request["chargingProfile"]
        assert action == "GetChargingProfiles"
        assert criteria
        assert "chargingProfileId" not in criteria
        twin = pair.bench.twin
        twin.profiles.clear(evse=1, stack=None, purpose=None, profile_id=None)  # the station lost its live profile
        answer = await pair.call(action, request)
        await pair.bench.run(2)
        now = pair.bench.clock.now()
        notes = [n for r in pair.bench.central.said("ReportChargingProfiles") for n in pair.mirror.reported(r, now)]
        if answer["status"] == "NoProfiles":
            notes += pair.mirror.found_none(request)
        assert len(notes) == 1
        assert "is gone from the station" in notes[0]
        assert {(p.evse, p.stack) for p in pair.mirror.profiles} == {(0, 0)}

    with_pair(version, play)


# -- remote start ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", OCPP)
def test_i14_the_profile_of_a_remote_start_names_no_transaction_and_gets_its_id_afterwards(version: str) -> None:
    """[I.14, D-7, D-25, K05] It holds from the first moment, and the first order takes its place."""

    async def play(pair: Pair) -> None:
        twin = pair.bench.twin
        assert accepted(await pair.send(a_failsafe(pair)))
        twin.faults.needs_remote_start = True  # the car waits to be started
        twin.plug_in(CAR, "tag")
        await pair.bench.run(3)
        assert twin.transaction is None
        command = cmd.StartSession(
            no=5, station=ST, evse=EVSE, id_tag="tag", first_a=13.0, made_at=pair.bench.clock.now()
        )  # fmt: skip
        ((_, payload),) = TRANSLATIONS[version](command, TRAITS)
        body = payload["chargingProfile"]
        assert (body["chargingProfilePurpose"], body["chargingProfileKind"]) == (TX, "Absolute")
        assert "transactionId" not in body
        assert accepted(await pair.send(command))
        await pair.bench.run(3)
        transaction = pair.began()
        assert (pair.offered_a, pair.expected_a) == (13.0, pytest.approx(13.0))
        assert accepted(await pair.send(an_order(pair, 20.0, transaction)))
        (live,) = [p for p in twin.profiles.found if p.purpose == TX]
        assert live.transaction == transaction
        assert (pair.offered_a, pair.expected_a) == (20.0, pytest.approx(20.0))

    with_pair(version, play)


@pytest.mark.parametrize("version", OCPP)
def test_i14_an_order_for_a_transaction_that_is_over_is_refused_and_changes_nothing(version: str) -> None:
    """[I.14, A-3, A-4] The profile of a transaction dies with it, on both sides."""

    async def play(pair: Pair) -> None:
        assert accepted(await pair.send(a_failsafe(pair)))
        transaction = await pair.plug_in()
        assert accepted(await pair.send(an_order(pair, 20.0, transaction)))
        pair.bench.twin.plug_out()
        await pair.bench.run(3)
        pair.mirror.ended(1)
        assert pair.slots == {(p.evse, p.purpose, p.stack) for p in pair.bench.twin.profiles.found if p.evse == 0}
        (answer,) = await pair.send(an_order(pair, 24.0, transaction))
        assert answer["status"] == "Rejected"
        assert {p.evse for p in pair.mirror.profiles} == {0}

    with_pair(version, play)


# -- clear -----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", OCPP)
def test_i14_clearing_an_evse_leaves_the_fail_safe_and_clearing_the_station_nothing(version: str) -> None:
    """[I.14, A.10, A-90]"""

    async def play(pair: Pair) -> None:
        assert accepted(await pair.send(a_failsafe(pair)))
        transaction = await pair.plug_in()
        for purpose in (Purpose.TX, Purpose.DEFAULT):
            assert accepted(await pair.send(an_order(pair, 16.0, transaction, form=ProfileForm(purpose=purpose))))
        assert accepted(await pair.send(cmd.ClearProfiles(no=3, station=ST, evse=EVSE)))
        assert {evse for evse, _, _ in pair.slots} == {p.evse for p in pair.mirror.profiles} == {0}
        assert (len(pair.slots), pair.offered_a, pair.expected_a) == (2, 6.0, pytest.approx(6.0))
        answers = await pair.send(cmd.ClearProfiles(no=4, station=ST))
        assert {a["status"] for a in answers} <= {"Accepted", "Unknown"}
        assert (pair.slots, pair.mirror.profiles) == (set(), ())
        (again, *_) = await pair.send(cmd.ClearProfiles(no=5, station=ST, evse=EVSE))
        assert again["status"] == "Unknown"

    with_pair(version, play)


CLEARS: Mapping[str, tuple[Json, int]] = {
    "purpose": ({"chargingProfilePurpose": DEFAULT}, 2),
    "level": ({"stackLevel": 1}, 2),
    "purpose and level": ({"chargingProfilePurpose": DEFAULT, "stackLevel": 1}, 3),
    "EVSE": ({"evseId": 1}, 2),
    "station": ({"evseId": 0}, 2),
    "EVSE and purpose": ({"evseId": 1, "chargingProfilePurpose": TX}, 3),
    "nothing fits": ({"evseId": 1, "stackLevel": 0}, 4),
}


@pytest.mark.parametrize("version", OCPP)
@pytest.mark.parametrize("name", CLEARS)
def test_i14_a_clear_by_criteria_removes_on_both_sides_what_fits_all_of_them(version: str, name: str) -> None:
    """[I.14, A.10, K10]"""

    async def play(pair: Pair) -> None:
        transaction = await pair.plug_in()
        assert accepted(await pair.send(a_failsafe(pair)))
        for purpose in (Purpose.TX, Purpose.DEFAULT):
            assert accepted(await pair.send(an_order(pair, 16.0, transaction, form=ProfileForm(purpose=purpose))))
        wanted, n_left = CLEARS[name]
        request: Json = {"chargingProfileCriteria": wanted}
        if version == "1.6":
            request = {"connectorId" if k == "evseId" else k: v for k, v in wanted.items()}
        answer = await pair.call("ClearChargingProfile", request)
        assert answer["status"] == ("Accepted" if n_left < 4 else "Unknown")
        assert (len(pair.slots), len(pair.mirror.profiles)) == (n_left, n_left)
        assert {(p.evse, p.stack) for p in pair.mirror.profiles} == {(e, s) for e, _, s in pair.slots}
        assert pair.offered_a == pytest.approx(pair.expected_a)

    with_pair(version, play)
