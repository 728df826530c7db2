"""What a twin of each version says and takes, against a central system of the ``ocpp`` package's messages."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loadmgr.sim.quirks import ALL, NEW
from loadmgr.sim.vehicle import Car
from tests.unit.sim.central import BEGIN, Bench, an_evse, bench_of, profile_of

CAR = Car(name="c", wanted_kwh=20.0, battery_kwh=60.0, soc_frac=0.4, n_phases=3, max_a=32.0)
V2G = replace(CAR, name="v", soc_frac=0.6, wanted_kwh=10.0, max_discharge_kw=10.0, max_a=16.0)
ABLE = {"current_max_a": 16.0, "discharge_max_kw": 11.0}
DISCHARGE = {"setpoint": -5_000.0, "operationMode": "CentralSetpoint"}


def with_bench(version: str, work: Callable[[Bench], Awaitable[None]], *quirks: str, **caps: Any) -> None:
    async def run() -> None:
        async with bench_of(version, quirks, an_evse(**caps) if caps else None) as bench:
            bench.central.checks_schemas = True
            await work(bench)
            assert bench.central.breaches == []

    asyncio.run(run())


def reason(answer: dict[str, Any]) -> str:
    return str(answer.get("statusInfo", {}).get("reasonCode", answer.get("status", answer)))


@pytest.mark.parametrize("version", ALL)
def test_a_session_from_plug_in_to_plug_out_tells_the_exact_energy(version: str) -> None:
    async def work(bench: Bench) -> None:
        bench.twin.plug_in(CAR, "tag", depart_at=BEGIN + timedelta(hours=8))
        await bench.run(2)
        assert (await bench.profile(16.0, duration=7200))["status"] == "Accepted"
        await bench.run(3600)
        assert bench.twin.outlet.current_a == pytest.approx(15.84)
        bench.twin.plug_out()
        await bench.run(5)
        done = bench.twin.finished[0]
        assert done.energy_wh == int(bench.twin.outlet.energy_wh)
        if version == "1.6":
            start, stop = bench.central.said("StartTransaction")[0], bench.central.said("StopTransaction")[0]
            assert stop["meterStop"] - start["meterStart"] == done.energy_wh
            assert stop["transactionId"] == 1
            return
        events = bench.central.said("TransactionEvent")
        assert [e["seqNo"] for e in events] == list(range(len(events)))
        assert (events[0]["eventType"], events[-1]["eventType"]) == ("Started", "Ended")
        registers = [e["meterValue"][0]["sampledValue"][0]["value"] for e in (events[0], events[-1])]
        assert registers[1] - registers[0] == done.energy_wh
        states = [e["transactionInfo"].get("chargingState") for e in events]
        assert states[0] == "EVConnected"
        assert "Charging" in states

    with_bench(version, work)


@pytest.mark.parametrize("version", ALL)
def test_a_tx_profile_without_its_transaction_is_refused(version: str) -> None:
    """[A-3]"""

    async def work(bench: Bench) -> None:
        other = "7" if version == "1.6" else "other"
        assert reason(await bench.profile(16.0, transaction=other)) in {"Rejected", "TxNotFound"}
        bench.twin.plug_in(CAR, "tag")
        await bench.run(2)
        assert reason(await bench.profile(16.0, transaction=other)) in {"Rejected", "TxNotFound"}
        assert (await bench.profile(16.0))["status"] == "Accepted"

    with_bench(version, work)


@pytest.mark.parametrize("version", NEW)
@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"purpose": "TxDefaultProfile", "start": None}, "InvalidSchedule"),
        ({"purpose": "ChargingStationMaxProfile"}, "InvalidProfile"),
        ({"purpose": "ChargingStationMaxProfile", "evse": 0, "kind": "Relative"}, "InvalidSchedule"),
        ({"purpose": "TxDefaultProfile", "stack": 6}, "InvalidStackLevel"),
        ({"purpose": "TxDefaultProfile", "evse": 4}, "UnknownEvse"),
        ({"purpose": "TxDefaultProfile", "period": {"startPeriod": 10}}, "InvalidSchedule"),
    ],
    ids=["no start", "max on an EVSE", "relative max", "stack", "EVSE", "first period not at 0"],
)
def test_2x_refuses_with_the_reason_of_the_standard(version: str, said: dict[str, Any], expected: str) -> None:
    """[A.6, A-10]"""

    async def work(bench: Bench) -> None:
        assert reason(await bench.profile(16.0, **said)) == expected

    with_bench(version, work)


@pytest.mark.parametrize("version", NEW)
def test_2x_refuses_another_id_in_a_slot_and_replaces_the_same(version: str) -> None:
    """[A.4]"""

    async def work(bench: Bench) -> None:
        default = {"purpose": "TxDefaultProfile", "duration": None}
        assert (await bench.profile(16.0, **default))["status"] == "Accepted"
        assert reason(await bench.profile(10.0, profile_id=20_055, **default)) == "DuplicateProfile"
        assert (await bench.profile(10.0, **default))["status"] == "Accepted"
        asked = {"requestId": 3, "chargingProfile": {"chargingProfilePurpose": "TxDefaultProfile"}}
        assert (await bench.ask("GetChargingProfiles", asked))["status"] == "Accepted"
        await bench.run(2)
        (report,) = bench.central.said("ReportChargingProfiles")
        assert report["chargingProfile"][0]["chargingSchedule"][0]["chargingSchedulePeriod"][0]["limit"] == 10.0
        asked["chargingProfile"] = {"stackLevel": 4}  # type: ignore[assignment]
        assert (await bench.ask("GetChargingProfiles", asked))["status"] == "NoProfiles"

    with_bench(version, work)


@pytest.mark.parametrize("version", ALL)
def test_remote_stop_keeps_the_car_and_remote_start_takes_it_up_again(version: str) -> None:
    """[D-8]"""

    async def work(bench: Bench) -> None:
        bench.twin.plug_in(CAR, "tag")
        await bench.run(5)
        number = bench.twin.transaction.id if bench.twin.transaction is not None else ""
        old = version == "1.6"
        stop = {"transactionId": int(number) if old else number}
        answer = await bench.ask("RemoteStopTransaction" if old else "RequestStopTransaction", stop)
        assert answer["status"] == "Accepted"
        await bench.run(5)
        assert bench.twin.transaction is None
        assert bench.twin.outlet.car is CAR
        start: dict[str, Any] = {"connectorId": 1, "idTag": "again"}
        if not old:
            start = {"evseId": 1, "idToken": {"idToken": "again", "type": "Central"}, "remoteStartId": 9}
        answer = await bench.ask("RemoteStartTransaction" if old else "RequestStartTransaction", start)
        assert answer["status"] == "Accepted"
        await bench.run(5)
        assert bench.twin.transaction is not None
        assert bench.twin.transaction.id_tag == "again"

    with_bench(version, work)


@pytest.mark.parametrize("version", ALL)
def test_what_happened_offline_is_told_afterwards_with_its_own_time(version: str) -> None:
    """[D-3, D-21]"""

    async def work(bench: Bench) -> None:
        await bench.twin.go_offline()
        await bench.run(10)
        bench.twin.plug_in(CAR, "tag")
        await bench.run(100)
        bench.twin.plug_out()
        await bench.run(100)
        bench.twin.go_online()
        await bench.run(20)
        began = (BEGIN + timedelta(seconds=12)).strftime("%Y-%m-%dT%H:%M:%SZ")
        if version == "1.6":
            assert bench.central.said("StartTransaction")[0]["timestamp"] == began
            assert len(bench.central.said("StopTransaction")) == 1
        else:
            first, last = bench.central.said("TransactionEvent")
            assert (first["timestamp"], first["offline"], last["offline"]) == (began, True, True)

    with_bench(version, work)


@pytest.mark.parametrize("version", ALL)
def test_the_fail_safe_default_holds_when_the_live_profile_expires_offline(version: str) -> None:
    """[A-131, K06]"""

    async def work(bench: Bench) -> None:
        await bench.profile(6.0, purpose="TxDefaultProfile", stack=0, evse=0, duration=None)
        bench.twin.plug_in(CAR, "tag")
        await bench.run(5)
        await bench.profile(20.0, duration=60)
        await bench.run(20)
        assert bench.twin.outlet.current_a == pytest.approx(19.8)
        await bench.twin.go_offline()
        await bench.run(60)
        assert bench.twin.outlet.current_a == pytest.approx(5.94)

    with_bench(version, work)


@pytest.mark.parametrize("version", ALL)
def test_the_composite_schedule_tells_what_will_hold(version: str) -> None:
    """[A.7]"""

    async def work(bench: Bench) -> None:
        await bench.profile(6.0, purpose="TxDefaultProfile", stack=0, evse=0, duration=None)
        bench.twin.plug_in(CAR, "tag")
        await bench.run(5)
        await bench.profile(20.0, duration=110)
        where = {"connectorId": 1} if version == "1.6" else {"evseId": 1}
        answer = await bench.ask("GetCompositeSchedule", {**where, "duration": 600, "chargingRateUnit": "A"})
        schedule = answer["chargingSchedule" if version == "1.6" else "schedule"]
        assert schedule["chargingSchedulePeriod"] == [{"startPeriod": 0, "limit": 20.0}, {"startPeriod": 100, "limit": 6.0}]

    with_bench(version, work)


@pytest.mark.parametrize("version", ALL)
def test_a_wrong_request_is_a_callerror_and_an_unknown_one_too(version: str) -> None:
    """[0-7]"""

    async def work(bench: Bench) -> None:
        error = "FormationViolation" if version == "1.6" else "FormatViolation"
        assert await bench.ask("SetChargingProfile", {"connectorId": "one"}) == {"error": error}
        assert await bench.ask("MakeCoffee", {}) == {"error": "NotImplemented"}

    with_bench(version, work)


def test_a_bidirectional_car_tells_its_needs_and_delivers_only_when_it_may() -> None:
    """Q01, Q02 [A-101, A-120]"""

    async def work(bench: Bench) -> None:
        bench.twin.plug_in(V2G, "tag", depart_at=BEGIN + timedelta(hours=9))
        await bench.run(5)
        (needs,) = bench.central.said("NotifyEVChargingNeeds")
        said = needs["chargingNeeds"]
        assert (said["requestedEnergyTransfer"], said["departureTime"]) == ("AC_BPT", "2026-06-10T17:00:00Z")
        assert said["v2xChargingParameters"]["maxDischargePower"] == 10_000
        assert said["v2xChargingParameters"]["evMaxEnergyRequest"] == 24_000
        assert len(bench.central.said("Authorize")) == 1
        answer = await bench.profile(0, unit="W", phases=None, period=DISCHARGE)
        assert reason(answer) == "InvalidSchedule"  # a limit beside a setpoint: Q03.FR.02
        profile = profile_of(bench, None, unit="W", phases=None, period=DISCHARGE, duration=7200)
        assert (await bench.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile}))["status"] == "Accepted"
        await bench.run(60)
        assert bench.twin.outlet.current_a == 0.0
        mine = bench.twin.transaction
        assert mine is not None
        allowed = {"transactionId": mine.id, "allowedEnergyTransfer": ["AC_BPT"]}
        assert (await bench.ask("NotifyAllowedEnergyTransfer", allowed))["status"] == "Accepted"
        await bench.run(3600)
        assert bench.twin.outlet.power_kw == pytest.approx(-5.0)
        info = [e["transactionInfo"] for e in bench.central.said("TransactionEvent")]
        assert "CentralSetpoint" in [i.get("operationMode") for i in info]
        bench.twin.plug_out()
        await bench.run(5)
        ended = bench.central.said("TransactionEvent")[-1]["meterValue"][0]["sampledValue"]
        registers = {v["measurand"]: v["value"] for v in ended}
        assert registers["Energy.Active.Export.Register"] == bench.twin.finished[0].export_wh
        assert 4_900 < bench.twin.finished[0].export_wh < 5_000

    with_bench("2.1", work, **ABLE)


def test_export_and_state_of_charge_are_metered_when_they_are_asked_for() -> None:
    """[C-27]"""

    async def work(bench: Bench) -> None:
        bench.twin.faults.needs_transfer_allowed = False
        bench.twin.plug_in(V2G, "tag")
        await bench.run(5)
        profile = profile_of(bench, None, unit="W", phases=None, period=DISCHARGE, duration=7200)
        await bench.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})
        await bench.run(120)
        values = bench.central.said("TransactionEvent")[-1]["meterValue"][0]["sampledValue"]
        found = {(v["measurand"], v.get("phase", "")): v["value"] for v in values}
        assert found["Power.Active.Export", ""] == 5000.0
        assert found["Power.Active.Import", ""] == 0.0
        assert found["Current.Export", "L2"] == pytest.approx(7.25, abs=0.01)
        assert 59.0 < found["SoC", ""] < 60.0

    with_bench("2.1", work, **ABLE)


def test_a_dynamic_profile_is_updated_in_place_and_goes_dormant() -> None:
    """K28 [A.12]"""

    async def work(bench: Bench) -> None:
        await bench.profile(6.0, purpose="TxDefaultProfile", stack=0, evse=0, duration=None)
        bench.twin.plug_in(CAR, "tag")
        await bench.run(5)
        assert (await bench.profile(10.0, kind="Dynamic", duration=60))["status"] == "Accepted"
        await bench.run(30)
        update = {"chargingProfileId": 30_001, "scheduleUpdate": {"limit": 14.0}}
        assert (await bench.ask("UpdateDynamicSchedule", update))["status"] == "Accepted"
        await bench.run(50)
        assert bench.twin.outlet.current_a == pytest.approx(13.86)
        await bench.run(20)
        assert bench.twin.outlet.current_a == pytest.approx(5.94)
        assert (await bench.ask("UpdateDynamicSchedule", update))["status"] == "Accepted"
        await bench.run(20)
        assert bench.twin.outlet.current_a == pytest.approx(13.86)
        update["chargingProfileId"] = 30_099
        assert (await bench.ask("UpdateDynamicSchedule", update))["status"] == "Rejected"

    with_bench("2.1", work)


def test_a_dynamic_profile_with_an_interval_is_pulled() -> None:
    """K28 [A.12]"""

    async def work(bench: Bench) -> None:
        answer = {"status": "Accepted", "scheduleUpdate": {"limit": 9.0}}
        bench.central.answers["PullDynamicScheduleUpdate"] = lambda _: answer
        bench.twin.plug_in(CAR, "tag")
        await bench.run(5)
        await bench.profile(16.0, kind="Dynamic", duration=90, dynUpdateInterval=30)
        bench.twin.extension.wake.set()
        await bench.run(200)
        assert 6 <= len(bench.central.said("PullDynamicScheduleUpdate")) <= 8
        assert bench.twin.outlet.current_a == pytest.approx(8.91)

    with_bench("2.1", work)


def test_priority_charging_needs_its_profile() -> None:
    """K21"""

    async def work(bench: Bench) -> None:
        bench.twin.plug_in(CAR, "tag")
        await bench.run(5)
        await bench.profile(8.0, duration=7200)
        mine = bench.twin.transaction
        assert mine is not None
        asked = {"transactionId": mine.id, "activate": True}
        assert (await bench.ask("UsePriorityCharging", asked))["status"] == "NoProfile"
        await bench.profile(24.0, purpose="PriorityCharging", duration=None)
        assert (await bench.ask("UsePriorityCharging", asked))["status"] == "Accepted"
        await bench.run(20)
        assert bench.twin.outlet.current_a == pytest.approx(23.76)
        assert (await bench.ask("UsePriorityCharging", {**asked, "activate": False}))["status"] == "Accepted"
        await bench.run(20)
        assert bench.twin.outlet.current_a == pytest.approx(7.92)

    with_bench("2.1", work)


def test_a_der_limit_really_cuts_the_discharge_and_is_told_at_start_and_end() -> None:
    """R04, R05 [B-2, B-3]"""

    async def work(bench: Bench) -> None:
        bench.twin.faults.needs_transfer_allowed = False
        bench.twin.plug_in(V2G, "tag")
        await bench.run(5)
        profile = profile_of(bench, None, unit="W", phases=None, period=DISCHARGE, duration=7200)
        await bench.ask("SetChargingProfile", {"evseId": 1, "chargingProfile": profile})
        start = (bench.clock.now() + timedelta(seconds=120)).isoformat()
        limit = {"priority": 0, "pctMaxDischargePower": 20.0, "startTime": start, "duration": 300.0}
        said = {"isDefault": False, "controlId": "cut", "controlType": "LimitMaxDischarge", "limitMaxDischarge": limit}
        assert (await bench.ask("SetDERControl", said))["status"] == "Accepted"
        seen = []
        for seconds in (110, 20, 280, 30):
            await bench.run(seconds)
            seen.append(round(bench.twin.outlet.power_kw, 3))
        assert seen == [-5.0, -2.2, -2.2, -5.0]
        told = [(n["controlId"], n["started"]) for n in bench.central.said("NotifyDERStartStop")]
        assert told == [("cut", True), ("cut", False)]

    with_bench("2.1", work, **ABLE)


def test_der_controls_are_reported_and_cleared() -> None:
    """R04 [B-6]"""

    async def work(bench: Bench) -> None:
        curve = {"priority": 1, "yUnit": "PctMaxW", "curveData": [{"x": 100.0, "y": 100.0}, {"x": 110.0, "y": 0.0}]}
        said = {"isDefault": True, "controlId": "vw", "controlType": "VoltWatt", "curve": curve}
        assert (await bench.ask("SetDERControl", said))["status"] == "Accepted"
        wrong = {**said, "controlType": "WattVar"}
        assert (await bench.ask("SetDERControl", wrong))["status"] == "NotSupported"
        assert (await bench.ask("GetDERControl", {"requestId": 4}))["status"] == "Accepted"
        await bench.run(2)
        (report,) = bench.central.said("ReportDERControl")
        assert report["curve"][0]["curveType"] == "VoltWatt"
        assert (await bench.ask("ClearDERControl", {"isDefault": True}))["status"] == "Accepted"
        assert (await bench.ask("GetDERControl", {"requestId": 5}))["status"] == "NotFound"

    with_bench("2.1", work, **ABLE)


def test_a_der_alarm_is_raised_and_ended() -> None:
    """R05 [B-5]"""

    async def work(bench: Bench) -> None:
        bench.twin.faults.der_alarm = "OverVoltage"
        await bench.run(130)
        bench.twin.faults.der_alarm = ""
        await bench.run(130)
        alarms = bench.central.said("NotifyDERAlarm")
        assert [a.get("gridEventFault") or a["alarmEnded"] for a in alarms] == ["OverVoltage", True]

    with_bench("2.1", work, **ABLE)


def test_controllers_of_21_are_told_by_get_variables() -> None:
    """[A.5, B.2, B-4]"""

    async def work(bench: Bench) -> None:
        names = (
            "V2XChargingCtrlr.SupportedOperationModes",
            "DCDERCtrlr.MaxW",
            "SmartChargingCtrlr.MaxExternalConstraintsId",
        )
        pairs = [n.split(".") for n in (*names, "Nothing.AtAll")]
        asked = [{"component": {"name": c}, "variable": {"name": v}} for c, v in pairs]
        results = (await bench.ask("GetVariables", {"getVariableData": asked}))["getVariableResult"]
        assert [r.get("attributeValue", r["attributeStatus"]) for r in results] == [
            "ChargingOnly,CentralSetpoint,CentralFrequency,Idle",
            "11000",
            "100",
            "UnknownComponent",
        ]
        assert reason(await bench.profile(16.0, purpose="TxDefaultProfile", profile_id=99)) == "InvalidProfileId"

    with_bench("2.1", work, **ABLE)


def test_a_profile_before_the_needs_is_refused_by_the_switch() -> None:
    """[A-121]"""

    async def work(bench: Bench) -> None:
        bench.central.held.add("NotifyEVChargingNeeds")
        bench.twin.plug_in(V2G, "tag")
        await bench.run(5)
        assert reason(await bench.profile(10.0)) == "InvalidMessageSeq"

    with_bench("2.1", work, "needs-before-profile", **ABLE)


def test_refused_needs_end_the_session() -> None:
    """[A-120]"""

    async def work(bench: Bench) -> None:
        bench.central.answers["NotifyEVChargingNeeds"] = lambda _: {"status": "Rejected"}
        bench.twin.plug_in(V2G, "tag")
        await bench.run(10)
        ended = bench.central.said("TransactionEvent")[-1]
        assert ended["transactionInfo"]["stoppedReason"] == "ReqEnergyTransferRejected"

    with_bench("2.1", work, **ABLE)


def test_an_event_stream_goes_out_as_a_send_frame_or_wrongly_as_a_call() -> None:
    async def sent(bench: Bench) -> None:
        await bench.run(130)
        assert [t for t in bench.central.texts if t.startswith("[6, ")] != []
        assert bench.central.said("NotifyPeriodicEventStream") == []

    async def called() -> None:
        async with bench_of("2.1", ("event-stream-as-call",)) as bench:
            await bench.run(130)
            assert bench.central.said("NotifyPeriodicEventStream") != []

    with_bench("2.1", sent, "event-stream")
    asyncio.run(called())


def test_an_idle_station_may_come_back_with_another_version() -> None:
    """[G-50, E-1]"""

    async def run() -> None:
        async with bench_of("1.6", ("other-version-next",)) as bench:
            await bench.twin.go_offline()
            await bench.run(10)
            bench.twin.go_online()
            await bench.run(20)
            assert bench.central.subprotocols == ["ocpp1.6", "ocpp2.0.1"]
            assert "chargingStation" in bench.central.said("BootNotification")[-1]

    asyncio.run(run())


def test_a_broken_link_is_seen_as_1006_and_loses_what_was_on_the_way() -> None:
    async def run() -> None:
        async with bench_of("2.0.1") as bench:
            assert bench.twin.uplink.wire is not None
            bench.twin.uplink.wire.abort()
            await bench.run(20)
            assert "1006" in bench.central.closings[0]
            assert bench.twin.uplink.n_links == 2

    asyncio.run(run())
