"""Every switch of the quirk table changes what a central system or a meter sees, in every version that it names (G)."""

from __future__ import annotations

import asyncio
import random
import re
from dataclasses import replace
from datetime import timedelta
from functools import cache

import pytest

from loadmgr.sim.faults import Faults
from loadmgr.sim.quirks import ALL, NOT_SIMULATED, QUIRKS, drawn, switch_on
from loadmgr.sim.vehicle import Car
from tests.unit.sim.central import Bench, bench_of

ROWS = [f"G-{n}" for a, b in ((1, 33), (40, 61), (70, 84), (90, 100), (110, 117)) for n in range(a, b + 1)]
MEASURANDS = "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered"
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f-]{27}")
CAR = Car(name="c", wanted_kwh=4.0, battery_kwh=60.0, soc_frac=0.4, n_phases=2, max_a=32.0)


async def _set_up(bench: Bench) -> None:
    old = bench.twin.dialect.version == "1.6"
    for name, value in (("MeterValueSampleInterval", "40"), ("MeterValuesSampledData", MEASURANDS)):
        if old:
            await bench.ask("ChangeConfiguration", {"key": name, "value": value})
    if old:
        await bench.ask("GetConfiguration", {})
    else:
        pairs = (("TxUpdatedInterval", "40"), ("TxUpdatedMeasurands", MEASURANDS))
        for name, value in pairs:
            data = {"component": {"name": "SampledDataCtrlr"}, "variable": {"name": name}, "attributeValue": value}
            await bench.ask("SetVariables", {"setVariableData": [data]})
        names = ("RateUnit", "ProfileStackLevel")
        asked = [{"component": {"name": "SmartChargingCtrlr"}, "variable": {"name": n}} for n in names]
        await bench.ask("GetVariables", {"getVariableData": asked})
    await bench.ask("TriggerMessage", {"requestedMessage": "StatusNotification"})
    where = {"connectorId": 1} if old else {"evse": {"id": 1, "connectorId": 1}}
    await bench.ask("TriggerMessage", {"requestedMessage": "StatusNotification", **where})
    await bench.ask("TriggerMessage", {"requestedMessage": "BootNotification"}, within_s=20)
    await bench.profile(6.0, purpose="TxDefaultProfile", stack=0, evse=0, duration=None)
    await _station_max(bench)


async def _station_max(bench: Bench) -> None:
    most = "ChargePointMaxProfile" if bench.twin.dialect.version == "1.6" else "ChargingStationMaxProfile"
    await bench.profile(32.0, purpose=most, stack=0, evse=0, duration=None)


async def _start(bench: Bench, tag: str) -> None:
    if bench.twin.dialect.version == "1.6":
        await bench.ask("RemoteStartTransaction", {"connectorId": 1, "idTag": tag})
        return
    token = {"idToken": tag, "type": "Central"}
    await bench.ask("RequestStartTransaction", {"evseId": 1, "idToken": token, "remoteStartId": 5})


async def _stop(bench: Bench) -> None:
    mine = bench.twin.transaction
    number = "0" if mine is None else mine.id
    if bench.twin.dialect.version == "1.6":
        await bench.ask("RemoteStopTransaction", {"transactionId": int(number)}, within_s=20)
    else:
        await bench.ask("RequestStopTransaction", {"transactionId": number}, within_s=20)


async def _clear(bench: Bench, level: int) -> None:
    key = {"stackLevel": level}
    old = bench.twin.dialect.version == "1.6"
    await bench.ask("ClearChargingProfile", key if old else {"chargingProfileCriteria": key})


async def _profiles(bench: Bench) -> None:
    """Every form of profile, and a pause."""
    for said in (
        {"transaction": ""},
        {"transaction": "0"} if bench.twin.dialect.version == "1.6" else {"transaction": "other"},
        {"kind": "Relative"},
        {"start": None},
        {"stack": 4},
        {"unit": "W", "phases": 1},
        {"phases": None},
    ):
        await bench.profile(3_000.0 if "unit" in said else 16.0, **said)
        await bench.run(15)
        if "stack" in said:
            await _clear(bench, 4)
    await bench.profile(1, purpose="TxDefaultProfile", stack=0, evse=0, duration=None, period={"limit": 8.0})
    await bench.profile(11.5, phases=1)
    await bench.run(30)
    for limit, phases in ((16.0, 3), (0.0, 1), (9.0, 1), (16.1, 3), (11.0, 3)):
        await bench.profile(limit, phases=phases)
        await bench.run(70)
    asked = {"connectorId": 1} if bench.twin.dialect.version == "1.6" else {"evseId": 1}
    await bench.ask("GetCompositeSchedule", {**asked, "duration": 1200, "chargingRateUnit": "A"})
    await bench.ask("TriggerMessage", {"requestedMessage": "MeterValues"}, within_s=40)
    await bench.profile(10.04)
    await bench.profile(10.0, start=timedelta(seconds=-10.5))


async def _script(bench: Bench) -> None:
    """A day in the life of a station, with everything that a quirk may touch."""
    twin = bench.twin
    await _set_up(bench)
    await _start(bench, "early")
    await bench.run(100)
    twin.plug_in(CAR, "tag")
    await bench.run(20)
    if twin.transaction is None:
        await _start(bench, "tag")
    await bench.run(60)
    await _profiles(bench)
    for level in (0, 1):
        await _clear(bench, level)
    await bench.run(40)
    await bench.profile(6.0, purpose="TxDefaultProfile", stack=0, evse=0, duration=None)
    await _station_max(bench)
    await twin.go_offline()
    await bench.run(120)
    twin.go_online()
    await bench.run(120)
    await _stop(bench)
    await _start(bench, "again")
    await bench.run(400)
    await bench.profile(32.0)
    await bench.run(2400)
    await twin.reboot()
    await bench.run(300)
    twin.plug_out()
    await bench.run(30)
    await _offline_and_idle(bench)


async def _offline_and_idle(bench: Bench) -> None:
    twin = bench.twin
    await twin.go_offline()
    twin.plug_in(CAR, "offline")
    await bench.run(30)
    await twin.reboot()
    twin.go_online()
    await bench.run(60)
    twin.plug_out()
    await bench.run(30)
    await twin.reboot()
    await bench.run(60)
    bench.central.answers["Heartbeat"] = lambda _: None
    await bench.ask("TriggerMessage", {"requestedMessage": "Heartbeat"}, within_s=20)
    bench.central.held.add("Heartbeat")
    await bench.ask("TriggerMessage", {"requestedMessage": "Heartbeat"}, within_s=2)
    await bench.ask("ClearChargingProfile", {})


async def _needs(bench: Bench) -> None:
    """A profile that comes before the car has told its needs."""
    bench.central.held.add("NotifyEVChargingNeeds")
    bench.twin.plug_in(replace(CAR, says_needs=True), "needs")
    await bench.run(5)
    await bench.profile(16.0)
    await bench.run(20)


async def _many(bench: Bench) -> None:
    """Sessions and writes until memory is full."""
    for round_no in range(8):
        bench.twin.plug_in(CAR, f"t{round_no}")
        await bench.run(5)
        await bench.profile(16.0, profile_id=31_000 + round_no)
        bench.twin.plug_out()
        await bench.run(5)
    for _ in range(402):
        await bench.profile(6.0, purpose="TxDefaultProfile", stack=0, evse=0, duration=None)
    bench.twin.plug_in(CAR, "many")
    await bench.run(5)
    for _ in range(7):
        await bench.profile(0.0)
        await bench.run(20)
        await bench.profile(16.0)
        await bench.run(20)


SCRIPTS = {
    "wears-out": _many,
    "slots-leak": _many,
    "car-gives-up": _many,
    "deaf-after-calls": _many,
    "needs-before-profile": _needs,
}


async def _trace(version: str, quirks: tuple[str, ...], script: object) -> list[str]:
    async with bench_of(version, quirks) as bench:
        await script(bench)  # type: ignore[operator]
        return [UUID.sub("id", t) for t in bench.central.texts] + [str(c) for c in bench.currents] + bench.central.closings


@cache
def _plain(version: str, script: object) -> list[str]:
    return asyncio.run(_trace(version, (), script))


IN_MEMORY = [(name, version) for name, quirk in QUIRKS.items() if not quirk.needs_socket for version in quirk.versions]


@pytest.mark.parametrize(("name", "version"), IN_MEMORY, ids=[f"{n}-{v}" for n, v in IN_MEMORY])
def test_a_switched_on_quirk_shows(name: str, version: str) -> None:
    script = SCRIPTS.get(name, _script)
    assert asyncio.run(_trace(version, (name,), script)) != _plain(version, script)


@pytest.mark.parametrize("version", ALL)
def test_the_same_script_gives_the_same_trace(version: str) -> None:
    """Without it a difference would prove nothing."""
    assert asyncio.run(_trace(version, (), _script)) == _plain(version, _script)


@pytest.mark.parametrize("version", ALL)
def test_a_station_without_quirks_keeps_to_the_schemas(version: str) -> None:
    async def run() -> tuple[list[str], list[str]]:
        async with bench_of(version) as bench:
            bench.central.checks_schemas = True
            await _script(bench)
            return bench.central.breaches, bench.twin.errors

    breaches, errors = asyncio.run(run())
    assert breaches == []
    assert [e for e in errors if "MeterValuesSampledData" in e] == []


def test_every_row_of_the_catalogue_is_in_the_table_or_has_a_reason() -> None:
    simulated = {q.id for q in QUIRKS.values()}
    excused = {row for row, reason in NOT_SIMULATED if len(reason) > 20}
    assert set(ROWS) - simulated - excused == set()
    assert simulated & excused == set()


def test_every_switch_names_a_field_and_another_value_than_its_default() -> None:
    for name, quirk in QUIRKS.items():
        assert getattr(Faults(), quirk.field) != quirk.value, name


def test_a_draw_is_repeatable_and_fits_the_version() -> None:
    first = [drawn("2.0.1", random.Random(seed), is_socketless=True) for seed in range(200)]
    assert first == [drawn("2.0.1", random.Random(seed), is_socketless=True) for seed in range(200)]
    assert all("2.0.1" in QUIRKS[n].versions and not QUIRKS[n].needs_socket for n in first)
    assert len(set(first)) > 40


def test_an_unknown_quirk_is_refused() -> None:
    with pytest.raises(ValueError, match="no-such-quirk"):
        switch_on(Faults(), "no-such-quirk")
