"""Chargers that refuse, disobey, mislead, flood or live in another time [B21-B30]: each beside two healthy chargers."""

from __future__ import annotations

import asyncio
import json
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.control.site_state import allowed_a
from loadmgr.control.state import FailsafeState
from loadmgr.control.view import evse_kw
from tests.support.chargers import Raw, meter, until
from tests.support.faulty_settings import limited
from tests.support.faulty_site import BEGIN, ODD, ODD_EVSE, FaultySite, beside_two, opened, stepped, talks

UNPATIENT = limited(messages_per_s=100_000.0, messages_at_once=100_000)
CURRENT = "Current.Import"


def test_b21_a_charger_that_rejects_every_profile_counts_in_full_with_an_alarm(tmp_path: Path) -> None:
    """[B21, E-21] Its rated 32 A, because not even the fail-safe is in it; the cars beside it share what is left."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd_twin(rejects_profiles=True):
            await until(lambda: "failsafe:odd" in site.manager.state.alarms)
            assert site.odd_failsafe is FailsafeState.REFUSED
            site.charge_odd()
            await until(lambda: site.world.twins[ODD].outlet.current_a > 25.0)
            assert site.counted_a(ODD) == 32.0
            assert site.manager.stats.setpoints_refused >= 0
            await asyncio.sleep(1.0)

    asyncio.run(play())


def test_b21_an_order_that_is_refused_is_not_in_force_and_is_tried_again_with_pauses(tmp_path: Path) -> None:
    """[B21] The fail-safe is in it: it counts at that, the plan is told, and the tries get rarer."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd_twin(only_default_profiles=True):
            await until(lambda: site.odd_failsafe is FailsafeState.CONFIRMED)
            site.charge_odd()
            await until(lambda: site.manager.stats.setpoints_refused >= 1)
            assert allowed_a(site.manager.state, ODD_EVSE, site.clock.now()) <= 32.0
            before = site.manager.stats.setpoints_sent
            await asyncio.sleep(2.0)
            assert site.manager.stats.setpoints_sent - before < 40  # of twenty seconds and ten ticks: no storm

    asyncio.run(play())


@pytest.mark.parametrize("version", ["1.6", "2.1"])
def test_b22_a_charger_that_accepts_and_does_not_follow_counts_in_full_with_an_alarm(tmp_path: Path, version: str) -> None:
    """[B22, C10, G-112] It draws 32 A at once; the others make room within what a breaker bears, then it is known."""

    async def play() -> None:
        params = {"obey_s": 20.0, "sample_interval_s": 5.0}
        async with (
            beside_two(tmp_path, reaction_s=30.0, params=params) as site,
            site.odd_twin(version=version, ignores_profiles=True),
        ):
            await until(lambda: site.odd_failsafe is FailsafeState.CONFIRMED)
            site.charge_odd()
            await until(lambda: site.world.twins[ODD].outlet.current_a > 25.0)
            await until(lambda: "disobeys:odd/1" in site.manager.state.alarms, 25.0)
            assert site.counted_a(ODD) == 32.0

    asyncio.run(play())


@pytest.mark.parametrize("fault", [{"unit_is_wrong": True}, {"energy_is_wrong": True}, {"ignores_watts": True}])
def test_b23_units_that_are_wrong_by_a_thousand_harm_nobody(tmp_path: Path, fault: dict[str, bool]) -> None:
    """[B23, C-21, G-90, G-91, G-17] Values in the wrong unit, or orders that it takes in one unit only."""

    async def play() -> None:
        async with (
            beside_two(tmp_path, reaction_s=15.0, params={"sample_interval_s": 5.0}) as site,
            site.odd_twin(**fault),
        ):
            await until(lambda: site.odd_failsafe is FailsafeState.CONFIRMED)
            site.charge_odd()
            twin = site.world.twins[ODD]
            await until(lambda: twin.outlet.current_a > 0)
            for _ in range(40):
                await asyncio.sleep(0.1)
                assert site.counted_a(ODD) >= 6.0
            drawn_kw = twin.outlet.power_kw
            assert evse_kw(site.manager.state, ODD_EVSE) <= 1.5 * max(drawn_kw, 22.08)

    asyncio.run(play())


def _entry(at: datetime, current_a: float) -> dict[str, object]:
    return {
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "sampledValue": [{"value": str(current_a), "measurand": CURRENT}],
    }


OLD = st.floats(-25 * 365 * 86_400.0, -7_200.0)
AHEAD = st.floats(7_200.0, 50 * 365 * 86_400.0)
AGES_AGO = st.floats(-56 * 365 * 86_400.0, -27 * 365 * 86_400.0)


@pytest.mark.parametrize("times", ["of earlier years", "of the future", "of 1970"])
def test_b24_values_out_of_order_or_out_of_time_do_not_control(tmp_path: Path, times: str) -> None:
    """[B24, C-23] In a message with a value of now that one counts, wherever it stands."""
    mixed = st.lists(
        st.tuples({"of earlier years": OLD, "of the future": AHEAD, "of 1970": AGES_AGO}[times], st.floats(8.0, 30.0)),
        min_size=1,
        max_size=6,
    )

    async def say(site: FaultySite, raw: Raw, transaction: int, others: list[tuple[float, float]], place: int) -> None:
        entries = [_entry(site.clock.now() + timedelta(seconds=after_s), round(a, 1)) for after_s, a in others]
        entries.insert(place % (len(entries) + 1), _entry(site.clock.now(), 7.0))
        payload = {"connectorId": 1, "transactionId": transaction, "meterValue": entries}
        assert (await raw.ask("MeterValues", payload))[0] == 3
        sample = site.manager.state.evses[ODD_EVSE].sample
        assert sample is not None
        assert sample.measured.current_a == (7.0, 7.0, 7.0)

    with stepped(tmp_path, ocpp=UNPATIENT) as (run, site), opened(run, site.commissioned()) as raw:
        transaction = run(raw.ask("StartTransaction", site.start(meter=1000)))[2]["transactionId"]

        @talks(40)
        @given(mixed, st.integers(0, 6))
        def examples(others: list[tuple[float, float]], place: int) -> None:
            run(say(site, raw, transaction, others, place))

        examples()
        assert run(raw.ask("StopTransaction", site.stop(transaction, 1500)))[0] == 3
        (record,) = run(site.stored(ODD_EVSE))
        assert round(record.energy_kwh * 1000) == 500


STAMPS = (
    "1000000",
    "2026-00-10T12:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-02-30T00:00:00Z",
    "2026-06-30T23:59:60Z",
    "2026-03-02T09:00:00",
    "2026-03-02T10:00:00+01",
    "2026-03-02 09:00:00.123456789Z",
    "9999-12-31T23:59:59Z",
    "9999-12-31T23:59:59-12:00",
    "0001-01-01T00:00:00+14:00",
    "1970-01-01T00:00:00Z",
    "2026-03-02T25:00:00Z",
    "now",
    "",
)


def test_b25_impossible_times_are_refused_or_replaced_and_never_stored(tmp_path: Path) -> None:
    """[B25] In every message with a time; what is stored lies between 2000 and 2100."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT) as site, site.odd() as raw:
            for n, stamp in enumerate(STAMPS):
                register = 1000 + 1000 * n
                answer = await raw.ask("StartTransaction", site.start(meter=register) | {"timestamp": stamp})
                if answer[0] == 3:
                    number = answer[2]["transactionId"]
                    values = [{"value": "7", "measurand": CURRENT}]
                    assert (await raw.ask("MeterValues", meter(number, values, at=stamp or "?")))[0] in {3, 4}
                    stop = site.stop(number, register + 500) | {"timestamp": stamp}
                    if (await raw.ask("StopTransaction", stop))[0] == 4:
                        assert (await raw.ask("StopTransaction", site.stop(number, register + 500)))[0] == 3
                status = {"connectorId": 1, "status": "Available", "errorCode": "NoError", "timestamp": stamp}
                assert (await raw.ask("StatusNotification", status))[0] in {3, 4}
            assert site.odd_sessions == []
            records = await site.stored(ODD_EVSE)
            assert len(records) >= 8
            for record in records:
                assert all(2000 <= at.year <= 2100 for at in (record.started_at, record.ended_at))
                assert round(record.energy_kwh * 1000) == 500

    asyncio.run(play())


def test_b26_connector_0_is_the_charger_and_others_do_not_exist(tmp_path: Path) -> None:
    """[B26]"""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd() as raw:
            values = [{"value": "5", "measurand": CURRENT}]
            status = {"status": "Available", "errorCode": "NoError", "timestamp": site.stamp()}
            assert (await raw.ask("StatusNotification", {"connectorId": 0, **status}))[0] == 3
            whole = {"connectorId": 0, "meterValue": meter(1, values, at=site.stamp())["meterValue"]}
            assert (await raw.ask("MeterValues", whole))[0] == 3
            assert (await raw.ask("StartTransaction", site.start(connector=0)))[0] == 4
            for connector in (-1, 2, 99, 2**31, -(2**31), 10**17):
                for action, payload in (
                    ("StartTransaction", site.start(connector=connector)),
                    ("StatusNotification", {"connectorId": connector, **status}),
                    ("MeterValues", {**whole, "connectorId": connector}),
                ):
                    answer = await raw.ask(action, payload)
                    assert (answer[0], answer[2]) == (4, "PropertyConstraintViolation"), (connector, action)
            assert await site.stored(ODD_EVSE) == []

    asyncio.run(play())


TAGS = st.text(st.characters(exclude_categories=("Cs",)), max_size=24)
NASTY = ("x" * 20, "'; DROP TABLE x;--", '"><img src=x>', "\u202e\U0001f600", "a\x00b", "%s%n", "=1+1", "\u00e9" * 20)


def test_b27_id_tags_are_stored_as_they_come_or_refused_by_their_length(tmp_path: Path) -> None:
    """[B27, G13] Twenty characters are the limit of 1.6; whatever they are."""

    async def say(site: FaultySite, raw: Raw, tag: str, n: int) -> None:
        answer = await raw.ask("StartTransaction", site.start(meter=n, tag=tag))
        if len(tag) > 20:
            assert (answer[0], answer[2]) == (4, "PropertyConstraintViolation")
            return
        if not tag:
            assert answer[0] in {3, 4}
            return
        assert answer[0] == 3, answer
        (session,) = [s for s in site.odd_sessions if s.transaction == str(answer[2]["transactionId"])]
        assert session.id_tag == tag
        assert (await raw.ask("StopTransaction", site.stop(answer[2]["transactionId"], n)))[0] == 3
        assert [s.id_tag for s in await site.stored(ODD_EVSE) if s.id == session.id] == [tag]

    with stepped(tmp_path, ocpp=UNPATIENT) as (run, site), opened(run, site.odd()) as raw:
        count = iter(range(1, 10**6))

        @talks(40)
        @given(TAGS)
        def tagged(tag: str) -> None:
            run(say(site, raw, tag, next(count)))

        tagged()
        for nasty in NASTY:
            run(say(site, raw, nasty, next(count)))


def test_b28_a_flood_waits_in_its_charger_and_holds_up_nobody(tmp_path: Path) -> None:
    """[B28] Thousands of messages as fast as the socket takes them: some at once, then a few in a second."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=limited(messages_per_s=20.0, messages_at_once=50)) as site, site.odd() as raw:
            link = site.gateway.link(ODD)
            assert link is not None
            began_s, before = asyncio.get_running_loop().time(), link.n_handled
            text = json.dumps([2, "flood", "DataTransfer", {"vendorId": "v", "data": "x" * 500}])

            async def flood() -> None:
                for n in range(5000):
                    await raw.send(text.replace("flood", f"f{n}"))

            flooding = asyncio.create_task(flood())
            await asyncio.sleep(2.0)
            lasted_s = asyncio.get_running_loop().time() - began_s
            assert link.n_handled - before <= 50 + 20.0 * lasted_s + 10
            assert site.odd_is_online
            flooding.cancel()
            await asyncio.gather(flooding, return_exceptions=True)
            raw.cut()

    asyncio.run(play())


STATES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEV",
    "SuspendedEVSE",
    "Finishing",
    "Reserved",
    "Unavailable",
    "Faulted",
)


def test_b29_any_sequence_of_states_is_survived_and_the_next_session_works(tmp_path: Path) -> None:
    """[B29, D-5] Among them those that the standard forbids, such as Charging without a start."""

    async def say(site: FaultySite, raw: Raw, states: list[str], n: int) -> None:
        for state in states:
            status = {"connectorId": 1, "status": state, "errorCode": "NoError", "timestamp": site.stamp()}
            assert (await raw.ask("StatusNotification", status))[0] == 3
        assert len(site.odd_sessions) <= 1
        number = (await raw.ask("StartTransaction", site.start(meter=1000 * n)))[2]["transactionId"]
        status["status"] = "Charging"
        assert (await raw.ask("StatusNotification", status))[0] == 3
        assert [s.transaction for s in site.odd_sessions] == [str(number)]
        assert (await raw.ask("StopTransaction", site.stop(number, 1000 * n + 100)))[0] == 3
        assert site.odd_sessions == []

    with stepped(tmp_path, ocpp=UNPATIENT) as (run, site), opened(run, site.odd()) as raw:
        count = iter(range(1, 10**6))

        @talks(30)
        @given(st.lists(st.sampled_from(STATES), min_size=1, max_size=12))
        def sequence(states: list[str]) -> None:
            run(say(site, raw, states, next(count)))

        sequence()
        closed = [round(s.energy_kwh * 1000) for s in run(site.stored(ODD_EVSE)) if s.energy_kwh > 0]
        assert closed == [100] * (next(count) - 1)


def test_b29_the_last_word_of_a_flood_does_not_end_what_began_after_it(tmp_path: Path) -> None:
    """[B29, G-54] The states of a flood wait for their turn; a start in between is newer than all of them."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT) as site, site.odd() as raw:
            status = {"connectorId": 1, "errorCode": "NoError", "timestamp": site.stamp()}
            for state in (*("Preparing", "Finishing") * 15, "Available"):
                assert (await raw.ask("StatusNotification", {**status, "status": state}))[0] == 3
            number = (await raw.ask("StartTransaction", site.start()))[2]["transactionId"]
            until_at = site.clock.now() + timedelta(seconds=5)
            await until(lambda: site.clock.now() >= until_at)
            assert (await raw.ask("StatusNotification", {**status, "status": "Charging"}))[0] == 3
            assert [s.transaction for s in site.odd_sessions] == [str(number)]

    asyncio.run(play())


@pytest.mark.parametrize("skew_h", [-8.0, 8.0])
def test_b30_a_clock_that_is_hours_wrong_controls_nothing(tmp_path: Path, skew_h: float) -> None:
    """[B30, G-52] Local time written as UTC: what it measures counts from its receipt, and its energy is right."""

    async def play() -> None:
        async with (
            beside_two(tmp_path, reaction_s=15.0, params={"sample_interval_s": 5.0}) as site,
            site.odd_twin(clock_skew_s=skew_h * 3600.0),
        ):
            await until(lambda: site.odd_failsafe is FailsafeState.CONFIRMED)
            site.charge_odd()
            await until(lambda: max(site.manager.state.evses[ODD_EVSE].draw_a()) > 5.0, 20.0)
            sample = site.manager.state.evses[ODD_EVSE].sample
            assert sample is not None
            assert sample.at >= BEGIN
            assert abs((sample.at - site.clock.now()).total_seconds()) < 60.0

    asyncio.run(play())
