"""What real stacks do, over real sockets: none of it may disturb the service, the site or the chargers beside."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loadmgr.control.evse_state import EXPIRY_GRACE, Outcome
from loadmgr.control.guard import Lane, lanes
from loadmgr.control.state import FailsafeState
from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, StationId
from loadmgr.domain.samples import Measured
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.support.chargers import Raw, Refusal, charger, office, profile_of, schedule_of, start, until

ST, EVSE = StationId("office-1"), EvseId("office-1/1")
BESIDE = EvseId("office-3/1")
CARPARK_A, FAILSAFE_A = 50.0, 6.0
Play = Callable[[LoadManager, Gateway], Awaitable[None]]
VERSIONS = pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
SINCE_2 = pytest.mark.parametrize("protocol", ["ocpp2.0.1", "ocpp2.1"])


def _run(folder: Path, play: Play, *, caps: dict[str, float] | None = None, **params: float) -> None:
    """Play with two healthy chargers beside, which must be served at the end; the loops never failed."""

    async def main() -> None:
        async with (
            office(folder, caps=caps, **params) as (manager, gateway),
            charger(gateway, "office-2") as second,
            charger(gateway, "office-4", protocol="ocpp2.0.1") as fourth,
        ):
            metering = asyncio.create_task(_metered(manager))
            # office-3 has never been seen: it would count at 32 A and leave nothing [E-21].
            silent = ev.FailsafeAnswered(at=manager.now(), station=StationId("office-3"), failsafe_a=6.0, accepted=True)
            manager.take(silent)
            try:
                await play(manager, gateway)
            finally:
                metering.cancel()
            for beside in (second, fourth):
                assert (await beside.ask("Heartbeat", {}))[0] == 3
            assert {"office-2", "office-4"} <= gateway.connected
            assert manager.stats.protect_failures == manager.stats.plan_failures == 0
            assert manager.health().is_ready

    asyncio.run(main())


async def _metered(manager: LoadManager) -> None:
    """The grid meter: a building of 5 A per phase, and what the cars say that they draw."""
    while True:
        now = manager.now()
        current_a = 5.0 + sum(max(known.draw_a()) for known in manager.state.evses.values())
        measured = Measured(current_a=(current_a, current_a, current_a))
        manager.take(ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=measured))
        await asyncio.sleep(0.5)


def _stamp(*, ago_s: float = 0.0) -> str:
    at = datetime.now(UTC) - timedelta(seconds=ago_s)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _confirmed(manager: LoadManager, station: StationId = ST) -> None:
    await until(lambda: manager.state.stations[station].failsafe is FailsafeState.CONFIRMED)


async def _quiet(raw: Raw) -> None:
    """Until nothing has been asked for a while: fail-safe, settings and comparison are done."""
    async with asyncio.timeout(8):
        n_calls = -1
        while n_calls != len(raw.calls):
            n_calls = len(raw.calls)
            await asyncio.sleep(0.25)


async def _begun(manager: LoadManager, raw: Raw, protocol: str = "ocpp1.6") -> Any:
    """A transaction on the only EVSE, with its fail-safe in place; returns the station's id of it."""
    await _confirmed(manager, _station(raw))
    await _quiet(raw)
    if protocol == "ocpp1.6":
        answer = await raw.ask("StartTransaction", start(at=_stamp()))
        return answer[2]["transactionId"]
    assert (await raw.ask("TransactionEvent", _event("Started", 0, 1000.0)))[0] == 3
    return "tx-1"


def _station(raw: Raw) -> StationId:
    assert raw.socket.request is not None
    return StationId(raw.socket.request.path.rpartition("/")[2])


def _event(kind: str, seq_no: Any, register_wh: float, *values: dict[str, Any]) -> dict[str, Any]:
    """A TransactionEvent of the one transaction."""
    register = {"value": register_wh, "measurand": "Energy.Active.Import.Register"}
    return {
        "eventType": kind,
        "timestamp": _stamp(),
        "triggerReason": {"Started": "CablePluggedIn", "Ended": "EVDeparted"}.get(kind, "MeterValuePeriodic"),
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": _stamp(), "sampledValue": [register, *values]}],
    }


def _currents(current_a: float) -> list[dict[str, Any]]:
    return [{"value": current_a, "measurand": "Current.Import", "phase": phase} for phase in ("L1", "L2", "L3")]


async def _drawn(raw: Raw, transaction: int, current_a: float, register_wh: float) -> None:
    """1.6 MeterValues with what the car draws per phase."""
    values = [{**v, "value": f"{v['value']:.1f}"} for v in _currents(current_a)]
    values.append({"value": f"{register_wh:.0f}", "measurand": "Energy.Active.Import.Register"})
    sample = {"timestamp": _stamp(), "sampledValue": values}
    answer = await raw.ask("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": [sample]})
    assert answer[0] == 3


def _order_a(manager: LoadManager, evse: EvseId = EVSE) -> float | None:
    """The accepted order in force, A."""
    accepted = [o for o in manager.state.evses[evse].orders if o.outcome is Outcome.ACCEPTED]
    return accepted[-1].setpoint.current_a if accepted else None


async def _ordered(manager: LoadManager, evse: EvseId = EVSE) -> float:
    await until(lambda: (_order_a(manager, evse) or 0.0) >= 6.0)
    return _order_a(manager, evse) or 0.0


def _lane(manager: LoadManager) -> Lane:
    """How the EVSE counts now."""
    return next(lane for lane in lanes(manager.state, manager.now()) if lane.evse.id == EVSE)


# -- numbers -----------------------------------------------------------------------------------------------------------


def test_whole_numbers_with_a_fraction_are_whole_numbers_1_6(tmp_path: Path) -> None:
    """20000.0 where the schema says integer, in calls and in answers [0-16, G-57]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        composite = {
            "status": "Accepted",
            "connectorId": 1.0,
            "chargingSchedule": {
                "duration": 300.0,
                "chargingRateUnit": "A",
                "chargingSchedulePeriod": [{"startPeriod": 0.0, "limit": 16, "numberPhases": 3.0}],
            },
        }
        async with charger(gateway, ST, replies={"GetCompositeSchedule": lambda _: composite}) as raw:
            await _confirmed(manager)
            begun = {**start(at=_stamp()), "connectorId": 1.0, "meterStart": 20000.0}
            answer = await raw.ask("StartTransaction", begun)
            assert answer[0] == 3, answer
            (session,) = manager.state.sessions.values()
            assert (session.evse, session.meter_start_kwh) == (EVSE, 20.0)
            stored = await _answer_to(manager, gateway, _composite(gateway))
            assert stored.accepted, stored.detail
            stop = {"transactionId": float(answer[2]["transactionId"]), "meterStop": 21000.0, "timestamp": _stamp()}
            assert (await raw.ask("StopTransaction", stop))[0] == 3
            await until(lambda: not manager.state.sessions)

    _run(tmp_path, play)


@SINCE_2
def test_whole_numbers_with_a_fraction_are_whole_numbers_2(tmp_path: Path, protocol: str) -> None:
    """[0-16, G-57]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            await _confirmed(manager)
            began = {**_event("Started", 0.0, 20000.0), "evse": {"id": 1.0, "connectorId": 1.0}, "numberOfPhasesUsed": 3.0}
            assert (await raw.ask("TransactionEvent", began))[0] == 3
            assert (await raw.ask("TransactionEvent", _event("Updated", 1.0, 20500.0)))[0] == 3
            (session,) = manager.state.sessions.values()
            assert (session.meter_start_kwh, round(session.energy_kwh, 6)) == (20.0, 0.5)

    _run(tmp_path, play)


def _composite(gateway: Gateway) -> cmd.Command:
    return gateway.numbered(cmd.ReadComposite(no=0, station=ST, evse=EVSE, duration_s=300))


async def _answer_to(manager: LoadManager, gateway: Gateway, command: cmd.Command) -> ev.CommandAnswered:
    with manager.subscribe() as events:
        gateway.send(command)
        async with asyncio.timeout(5):
            async for event in events:
                if isinstance(event, ev.CommandAnswered) and (event.no, event.station) == (command.no, ST):
                    return event
    raise AssertionError("the stream of events ended")


# -- composite schedules -----------------------------------------------------------------------------------------------


def _schedule(periods: list[dict[str, Any]], unit: str = "A") -> dict[str, Any]:
    return {"duration": 300, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}


@pytest.mark.parametrize(
    "answer",
    [
        {"status": "Accepted"},
        {"status": "Accepted", "connectorId": 1, "scheduleStart": _stamp(), "chargingSchedule": _schedule([])},
        {
            "status": "Accepted",
            "connectorId": 1,
            "scheduleStart": _stamp(),
            "chargingSchedule": _schedule([{"startPeriod": 0, "limit": -1}]),
        },
        {
            "status": "Accepted",
            "connectorId": 1,
            "scheduleStart": "0001-01-01T00:00:00Z",
            "chargingSchedule": _schedule([{"startPeriod": 0, "limit": 0}], unit=""),
        },
        {"status": "Rejected"},
        Refusal("NotSupported"),
    ],
    ids=["missing", "empty", "minus-one", "zero-dates", "rejected", "error"],
)
def test_a_useless_composite_schedule_says_nothing_about_the_orders_1_6(tmp_path: Path, answer: Any) -> None:
    """[G-20, A-60]"""
    _without_use(tmp_path, "ocpp1.6", answer)


@SINCE_2
@pytest.mark.parametrize("limit", [None, [], -1.0], ids=["missing", "empty", "minus-one"])
def test_a_useless_composite_schedule_says_nothing_about_the_orders_2(tmp_path: Path, protocol: str, limit: Any) -> None:
    """[G-20, A-60]"""
    answer: dict[str, Any] = {"status": "Accepted"}
    if limit is not None:
        periods = [{"startPeriod": 0, "limit": limit}] if limit else []
        answer["schedule"] = {**_schedule(periods), "evseId": 1, "scheduleStart": _stamp()}
    _without_use(tmp_path, protocol, answer)


def _without_use(folder: Path, protocol: str, answer: Any) -> None:
    """Asked three times, nothing follows from the answers, and then it is no longer asked."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol, replies={"GetCompositeSchedule": lambda _: answer}) as raw:
            await _begun(manager, raw, protocol)
            ordered_a = await _ordered(manager)
            for _ in range(3):
                await _answer_to(manager, gateway, _composite(gateway))
            n_told = len(raw.got("SetChargingProfile"))
            await asyncio.sleep(1.2)  # a tick
            assert len(raw.got("SetChargingProfile")) == n_told
            assert _order_a(manager) == ordered_a
            assert len(raw.got("GetCompositeSchedule")) <= 3
            assert not manager.state.chargers.traits_of(ST).is_composite_useful
            assert (await raw.ask("Heartbeat", {}))[0] == 3

    _run(folder, play)


# -- units and forms ---------------------------------------------------------------------------------------------------


def _takes(unit: str, protocol: str) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def reply(payload: dict[str, Any]) -> dict[str, Any]:
        if schedule_of(profile_of(payload))["chargingRateUnit"] == unit:
            return {"status": "Accepted"}
        if protocol == "ocpp1.6":
            return {"status": "Rejected"}
        return {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRateUnit"}}

    return reply


@VERSIONS
def test_a_station_that_takes_only_watts_is_told_watts(tmp_path: Path, protocol: str) -> None:
    """The form is found, and the limit is that of the order over three phases [G-17, A-40, A-70, 0-1]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        replies = {"SetChargingProfile": _takes("W", protocol)}
        async with charger(gateway, ST, protocol=protocol, replies=replies) as raw:
            await _begun(manager, raw, protocol)
            ordered_a = await _ordered(manager)
            told = schedule_of(raw.profiles("TxProfile")[-1])
            assert told["chargingRateUnit"] == "W"
            limit_w = told["chargingSchedulePeriod"][0]["limit"]
            assert ordered_a * 690.0 - 1.0 <= limit_w <= ordered_a * 690.0
            assert ordered_a >= 6.0
            assert manager.state.evses[EVSE].orders[-1].setpoint.form.unit == "W"

    _run(tmp_path, play)


def test_a_station_that_claims_watts_but_takes_only_amperes_is_told_amperes(tmp_path: Path) -> None:
    """Its own word is only the order of trial [G-16, G-28, A-40]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        claim = {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": "[Power]"}
        replies = {
            "SetChargingProfile": _takes("A", "ocpp1.6"),
            "GetConfiguration": lambda _: {"configurationKey": [claim]},
        }
        async with charger(gateway, ST, replies=replies) as raw:
            await until(lambda: manager.state.chargers.traits_of(ST).rate_units == ("W", "A"))
            await _begun(manager, raw)
            assert await _ordered(manager) >= 6.0
            units = [schedule_of(p)["chargingRateUnit"] for p in raw.profiles("TxProfile")]
            assert units[0] == "W"
            assert units[-1] == "A"

    _run(tmp_path, play)


# -- ISO 15118 ---------------------------------------------------------------------------------------------------------


@SINCE_2
def test_a_profile_refused_for_its_place_in_the_sequence_arrives_after_the_needs(tmp_path: Path, protocol: str) -> None:
    """InvalidMessageSeq until NotifyEVChargingNeeds was sent; until then the car counts by its rest [A.6, A-121]."""
    has_needs = False

    def reply(payload: dict[str, Any]) -> dict[str, Any]:
        if profile_of(payload)["chargingProfilePurpose"] == "TxProfile" and not has_needs:
            return {"status": "Rejected", "statusInfo": {"reasonCode": "InvalidMessageSeq"}}
        return {"status": "Accepted"}

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        nonlocal has_needs
        async with charger(gateway, ST, protocol=protocol, replies={"SetChargingProfile": reply}) as raw:
            await _begun(manager, raw, protocol)
            await until(lambda: raw.profiles("TxProfile"))
            await _ordered(manager)  # a default profile meanwhile
            has_needs = True
            n_before = len(raw.profiles("TxProfile"))
            await _needs(raw, 16)
            await until(lambda: len(raw.profiles("TxProfile")) > n_before)
            assert raw.profiles("TxProfile")[-1]["transactionId"] == "tx-1"
            await until(lambda: (_order_a(manager) or 0.0) >= 6.0)
            (session,) = manager.state.sessions.values()
            assert session.car_max_a == 16.0

    _run(tmp_path, play)


@SINCE_2
def test_a_profile_follows_the_needs_although_one_was_accepted_before(tmp_path: Path, protocol: str) -> None:
    """The charger holds the car until a TxProfile arrives after the needs: target 2 s, at most 60 s [A-120]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            await _begun(manager, raw, protocol)
            await _ordered(manager)
            n_before = len(raw.profiles("TxProfile"))
            await _needs(raw, 32)
            await until(lambda: len(raw.profiles("TxProfile")) > n_before, 4.0)

    _run(tmp_path, play)


async def _needs(raw: Raw, current_a: int) -> None:
    parameters = {"energyAmount": 20000, "evMinCurrent": 6, "evMaxCurrent": current_a, "evMaxVoltage": 400}
    needs = {"requestedEnergyTransfer": "AC_three_phase", "acChargingParameters": parameters}
    answer = await raw.ask("NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs})
    assert (answer[0], answer[2]["status"]) == (3, "Accepted")


# -- meter values ------------------------------------------------------------------------------------------------------


@SINCE_2
def test_a_plain_meter_value_of_zero_does_not_make_a_charging_car_idle(tmp_path: Path, protocol: str) -> None:
    """Plain MeterValues with power 0 during a transaction whose register moves [C-24, D-1, P1]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            await _begun(manager, raw, protocol)
            await _ordered(manager)
            for seq_no in range(1, 5):
                register_wh = 1000.0 + 100.0 * seq_no
                drawn = _event("Updated", seq_no, register_wh, *_currents(16.0))
                assert (await raw.ask("TransactionEvent", drawn))[0] == 3
                idle = [
                    {"value": register_wh + 50.0, "measurand": "Energy.Active.Import.Register"},
                    {"value": 0.0, "measurand": "Power.Active.Import"},
                ]
                plain = {"evseId": 1, "meterValue": [{"timestamp": _stamp(), "sampledValue": idle}]}
                assert (await raw.ask("MeterValues", plain))[0] == 3
                assert manager.state.evses[EVSE].draw_a() == (16.0, 16.0, 16.0)
            lane = _lane(manager)
            assert not lane.is_free
            assert lane.now_a >= 16.0
            (session,) = manager.state.sessions.values()
            assert session.energy_kwh >= 0.4

    _run(tmp_path, play)


@pytest.mark.parametrize(("protocol", "code"), [("ocpp2.0.1", "NotImplemented"), ("ocpp2.1", "")])
def test_a_periodic_event_stream_sent_as_a_call_gets_one_answer(tmp_path: Path, protocol: str, code: str) -> None:
    """It is a SEND of 2.1; as a CALL it must not start a war of errors [0-19]."""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            for number in range(5):
                data = [{"t": 0.0, "v": "16.0"}]
                stream = {"id": 1, "pending": 0, "basetime": _stamp(), "data": data}
                answer = await raw.ask("NotifyPeriodicEventStream", stream)
                assert answer[1] == f"m{raw.next_id}"
                assert answer[0] == (4 if code else 3), (number, answer)
                assert not code or answer[2] == code
            assert (await raw.ask("Heartbeat", {}))[0] == 3
            assert raw.answers.empty()

    _run(tmp_path, play)


# -- frames ------------------------------------------------------------------------------------------------------------


@VERSIONS
def test_stray_errors_answer_no_question(tmp_path: Path, protocol: str) -> None:
    """CALLERRORs with the ids -1, unknown and malformed; a question that is open stays open [0-4, B20, G-49]."""
    stray = (
        [4, "-1", "GenericError", "", {}],
        [4, "00000000-0000-0000-0000-000000000000", "InternalError", "boom", {}],
        [4, "zz", "NotImplemented"],
        [4, "", "GenericError", "", {}],
        [4, None, None, None, None],
        [4, "zz", 17, ["x"], "y"],
    )

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            await _confirmed(manager)
            await _quiet(raw)
            raw.is_silent = True
            await _begun(manager, raw, protocol)
            await until(lambda: raw.profiles("TxProfile"))
            for frame in stray:
                await raw.send(json.dumps(frame))
            pending = next(c for c in reversed(raw.calls) if c[2] == "SetChargingProfile")
            assert _order_a(manager) is None, "an error that answers another question refused or accepted nothing"
            assert [o.outcome for o in manager.state.evses[EVSE].orders] == [Outcome.PENDING]
            await raw.send(json.dumps([3, pending[1], {"status": "Accepted"}]))
            await _ordered(manager)
            assert ST in gateway.connected

    _run(tmp_path, play)


# -- times -------------------------------------------------------------------------------------------------------------


@VERSIONS
def test_a_start_that_a_station_ignores_makes_no_order_outlive_what_is_counted(tmp_path: Path, protocol: str) -> None:
    """Without validFrom some take the arrival for the start: the end is then late by no more than the grace [A-31]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            await _begun(manager, raw, protocol)
            await _ordered(manager)
            (profile,) = raw.profiles("TxProfile")
            schedule = schedule_of(profile)
            begin_at = datetime.fromisoformat(schedule["startSchedule"].replace("Z", "+00:00"))
            assert begin_at <= manager.now(), "the start lies in the past"
            assert schedule["chargingSchedulePeriod"][0]["startPeriod"] == 0
            assert _outlives_s(manager, manager.now() + timedelta(seconds=schedule["duration"])) <= 0.0

    _run(tmp_path, play)


def _outlives_s(manager: LoadManager, ends_at: datetime) -> float:
    """How much longer a station follows the newest order than it counts."""
    order = manager.state.evses[EVSE].orders[-1]
    counts_until = order.setpoint.valid_until + EXPIRY_GRACE
    assert order.may_hold_at(counts_until - timedelta(seconds=1))
    if not order.may_hold_at(ends_at - timedelta(seconds=1)):
        return (ends_at - counts_until).total_seconds()
    return 0.0


def test_a_slow_clock_makes_no_order_outlive_what_is_counted(tmp_path: Path) -> None:
    """A clock that is 100 s behind reads the end of a schedule 100 s late [G-9, P1, P2]."""
    lag_s = 100.0

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST) as raw:
            for status in ("Available", "Preparing", "Available", "Preparing", "Available", "Preparing"):
                said = {"connectorId": 1, "errorCode": "NoError", "status": status, "timestamp": _stamp(ago_s=lag_s)}
                assert (await raw.ask("StatusNotification", said))[0] == 3
            assert manager.state.chargers.traits_of(ST).start_before_s > lag_s
            await _begun(manager, raw)
            await _ordered(manager)
            schedule = schedule_of(raw.profiles("TxProfile")[-1])
            begin_at = datetime.fromisoformat(schedule["startSchedule"].replace("Z", "+00:00"))
            ends_at = begin_at + timedelta(seconds=schedule["duration"] + lag_s)
            assert _outlives_s(manager, ends_at) <= 0.0

    _run(tmp_path, play)


# -- obedience ---------------------------------------------------------------------------------------------------------


def test_a_station_that_accepts_everything_and_obeys_nothing_counts_in_full(tmp_path: Path) -> None:
    """It is counted at its maximum, the neighbour gets less, the operator is told [G-112, B22, C10, P1]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-3") as beside, charger(gateway, ST) as raw:
            await _begun(manager, beside)
            alone_a = await _ordered(manager, BESIDE)
            transaction = await _begun(manager, raw)
            assert _lane(manager).now_a < 32.0

            async def draws_all() -> bool:
                await _drawn(raw, transaction, 32.0, 2000.0)
                await asyncio.sleep(0.1)
                return manager.state.evses[EVSE].is_disobedient

            async with asyncio.timeout(8):
                while not await draws_all():
                    pass
            await until(lambda: f"disobeys:{EVSE}" in manager.state.alarms)
            lane = _lane(manager)
            assert lane.now_a >= 32.0
            assert not lane.is_controllable
            await until(lambda: (_order_a(manager, BESIDE) or 0.0) < alone_a)
            others_a = 2 * FAILSAFE_A + max(_order_a(manager, BESIDE) or 0.0, FAILSAFE_A)
            assert 32.0 + others_a <= CARPARK_A
            assert (await beside.ask("Heartbeat", {}))[0] == 3

    _run(tmp_path, play, caps={"settle_s": 0.3}, obey_s=0.5)


# -- links -------------------------------------------------------------------------------------------------------------


@VERSIONS
def test_a_link_that_ends_without_a_word_is_a_disconnect_and_no_more(tmp_path: Path, protocol: str) -> None:
    """Code 1006: the session stays, its order counts on, and a new link gets its profile again [A02, G-45, A-133]."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            await _begun(manager, raw, protocol)
            ordered_a = await _ordered(manager)
            raw.cut()
            await raw.socket.wait_closed()
            assert raw.socket.close_code == 1006
        await until(lambda: not manager.state.stations[ST].is_connected)
        (session,) = manager.state.sessions.values()
        assert session.ended_at is None
        lane = _lane(manager)
        assert (lane.now_a, lane.is_controllable) == (max(ordered_a, FAILSAFE_A), False)
        async with charger(gateway, ST, protocol=protocol, boots=protocol != "ocpp1.6") as again:
            await until(lambda: again.profiles("TxProfile"))
            await _ordered(manager)
            assert list(manager.state.sessions) == [session.id]

    _run(tmp_path, play)
