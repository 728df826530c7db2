"""OCPP 2.1 beyond charging, with the ``ocpp`` package's class: cars that deliver, DER controls, priority, foreign limits."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loadmgr.domain import commands as cmd
from loadmgr.domain.der import DerControl, DerPoint
from loadmgr.domain.ids import LimitId, NodeId, SessionId
from loadmgr.domain.limits import Limit
from loadmgr.domain.session import Session, SessionIntent
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.interop.frames import actions, assert_valid
from tests.interop.runs import EVSE, ST, answered, installed, order, run
from tests.interop.station2 import Charger21
from tests.interop.stations import Box, has_got, linked, wire
from tests.support.chargers import until

pytestmark = pytest.mark.node

CAPS = {"discharge_max_kw": 10.0, "current_max_a": 16.0}


def _the_session(manager: LoadManager) -> Session:
    (session,) = manager.state.sessions.values()
    return session


async def _central_setpoint(manager: LoadManager, it: Any) -> SessionId:
    """A car that can deliver, and whose driver agrees, is told a setpoint in a Dynamic profile (Q03, A.11, A.12)."""
    box = it.box
    await until(lambda: manager.state.chargers.traits_of(ST).supports_dynamic)
    await it.begin("interop")
    await it.state_needs()
    session = _the_session(manager)
    assert (session.transfer, session.car_discharge_kw, session.car_max_kw) == ("AC_BPT", 10.0, 11.0)
    intent = SessionIntent(
        energy_kwh=20.0,
        depart_at=manager.now() + timedelta(hours=2),
        source="app",
        capacity_kwh=60.0,
        may_discharge=True,
    )
    await manager.set_intent(session.id, intent, actor="driver")
    await until(lambda: any(p["charging_profile_kind"] == "Dynamic" for p in box.profiles.values()))
    profile = next(p for p in box.got("SetChargingProfile")[::-1])["chargingProfile"]
    (schedule,) = profile["chargingSchedule"]
    (period,) = schedule["chargingSchedulePeriod"]
    assert (profile["chargingProfileKind"], profile["chargingProfilePurpose"]) == ("Dynamic", "TxProfile")
    assert (schedule["chargingRateUnit"], period["startPeriod"]) == ("W", 0)
    assert period["operationMode"] == "CentralSetpoint"
    assert 6.0 * 690.0 <= period["setpoint"] <= 16.0 * 690.0
    assert "limit" not in period
    await it.event("Updated", "OperationModeChanged", info={"operation_mode": "CentralSetpoint"})
    assert _the_session(manager).mode == "CentralSetpoint"
    return session.id


async def _updates(manager: LoadManager, gateway: Gateway, it: Any) -> None:
    """A tighter limit changes the values of the installed profile in place; the charger may pull them (A.12)."""
    box = it.box
    before_w = box.period()["setpoint"]
    grid = Limit(id=LimitId("less"), node=NodeId("carpark"), source="operator", current_a=30.0)
    await manager.set_limit(grid, actor="operator")
    update = await has_got(box, "UpdateDynamicSchedule")
    told_w = update["scheduleUpdate"]["setpoint"]
    assert 0.0 <= told_w < before_w
    assert box.period()["setpoint"] == told_w
    pulled = await it.say(it.calls.PullDynamicScheduleUpdate(charging_profile_id=update["chargingProfileId"]))
    assert pulled.status == "Accepted"
    assert pulled.schedule_update["setpoint"] == told_w
    unknown = await it.say(it.calls.PullDynamicScheduleUpdate(charging_profile_id=update["chargingProfileId"] + 1))
    assert unknown.status == "Rejected"
    back = replace(order(manager).setpoint, no=0, power_kw=-4.0, is_update=True)
    gateway.send(cmd.SendSetpoint(no=0, station=ST, setpoint=back))
    await until(lambda: box.got("UpdateDynamicSchedule")[-1]["scheduleUpdate"]["setpoint"] == -4000.0)


async def _der(manager: LoadManager, gateway: Gateway, it: Any) -> None:
    """Controls are set, begin, are reported, and are removed; an alarm lasts until its end [B-1, B-2, B-5, B-6]."""
    limit = DerControl(
        id="limit-1",
        control_type="LimitMaxDischarge",
        from_at=manager.now(),
        duration_s=600.0,
        values=(("pctMaxDischargePower", 40.0),),
    )
    curve = DerControl(
        id="curve-1",
        control_type="VoltWatt",
        is_default=True,
        priority=1,
        curve=(DerPoint(x=100.0, y=100.0), DerPoint(x=110.0, y=0.0)),
        y_unit="PctMaxW",
    )
    for control in (limit, curve):
        assert (await answered(manager, gateway, cmd.SetDer(no=0, station=ST, control=control))).accepted
    assert set(it.box.der) == {"limit-1", "curve-1"}
    assert (await answered(manager, gateway, cmd.ReadDer(no=0, station=ST))).accepted
    await until(lambda: (ST, "limit-1") in manager.state.chargers.der)
    held = manager.state.chargers.der[ST, "limit-1"]
    assert held.control.values == (("pctMaxDischargePower", 40.0),)
    assert not held.is_superseded
    alarm = {"control_type": "LimitMaxDischarge", "timestamp": wire()}
    await it.say(it.calls.NotifyDERAlarm(**alarm, grid_event_fault="OverVoltage"))
    assert manager.state.chargers.der_alarms
    await it.say(it.calls.NotifyDERAlarm(**alarm, alarm_ended=True))
    assert not manager.state.chargers.der_alarms
    clear = cmd.ClearDer(no=0, station=ST, is_default=False, control_id="limit-1")
    assert (await answered(manager, gateway, clear)).accepted
    await it.say(it.calls.NotifyDERStartStop(control_id="limit-1", started=False, timestamp=wire()))
    assert (ST, "limit-1") not in manager.state.chargers.der


async def _others(manager: LoadManager, gateway: Gateway, it: Any, session: SessionId) -> None:
    """Priority charging, energy transfer, aFRR, profiles and state read back, foreign limits, a stream of values."""
    transaction = it.box.transaction
    priority = cmd.SetPriority(no=0, station=ST, transaction=transaction, is_active=True)
    assert (await answered(manager, gateway, priority)).accepted
    await until(lambda: manager.state.sessions[session].has_priority)
    asked: tuple[cmd.Command, ...] = (
        cmd.AllowTransfer(no=0, station=ST, transaction=transaction, modes=("AC_BPT", "AC_three_phase")),
        cmd.SignalAfrr(no=0, station=ST, at=manager.now(), signal=40),
        cmd.ReadSession(no=0, station=ST, transaction=transaction),
        cmd.ReadProfiles(no=0, station=ST, evse=EVSE),
    )
    for command in asked:
        assert (await answered(manager, gateway, command)).accepted, command
    limit = {"charging_limit_source": "EMS", "is_grid_critical": True}
    schedule = {
        "id": 1,
        "charging_rate_unit": "A",
        "charging_schedule_period": [{"start_period": 0, "limit": 9.0}],
        "start_schedule": wire(ago_s=5.0),
    }
    await it.say(it.calls.NotifyChargingLimit(charging_limit=limit, charging_schedule=[schedule], evse_id=1))
    (foreign,) = manager.state.chargers.externals.values()
    assert (foreign.source, foreign.current_a, foreign.is_critical) == ("EMS", 9.0, True)
    await it.say(it.calls.ClearedChargingLimit(charging_limit_source="EMS", evse_id=1))
    assert not manager.state.chargers.externals
    chosen = it.calls.NotifyEVChargingSchedule(charging_schedule=schedule, evse_id=1, time_base=wire())
    assert (await it.say(chosen)).status == "Accepted"
    stream = {"id": 1, "pending": 0, "basetime": wire(), "data": [{"t": 0.0, "v": "7000"}]}
    n_handled = gateway.frames_handled
    await it._connection.send(json.dumps([6, "stream-1", "NotifyPeriodicEventStream", stream]))
    await until(lambda: gateway.frames_handled > n_handled)


def test_a_2_1_charger_of_the_ocpp_package_delivers_and_obeys_the_grid(tmp_path: Path, node_folder: Path) -> None:
    """[A-100, A-101, A-102, A-110, A-120, B-6, Q01, Q03, K21, R04, R05]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with linked(Charger21, gateway, ST, Box()) as it:
            await installed(manager)
            session = await _central_setpoint(manager, it)
            await _updates(manager, gateway, it)
            await _der(manager, gateway, it)
            await _others(manager, gateway, it, session)
            await it.end()

    frames = run(tmp_path, play, caps=CAPS)
    assert_valid(frames, node_folder, tmp_path)
    assert actions(frames, "in", ST) >= {
        "NotifyEVChargingNeeds",
        "NotifyEVChargingSchedule",
        "NotifyPriorityCharging",
        "NotifyPeriodicEventStream",
        "NotifyChargingLimit",
        "ClearedChargingLimit",
        "NotifyDERStartStop",
        "NotifyDERAlarm",
        "ReportDERControl",
        "ReportChargingProfiles",
        "PullDynamicScheduleUpdate",
        "TransactionEvent",
    }
    assert actions(frames, "out", ST) >= {
        "SetChargingProfile",
        "UpdateDynamicSchedule",
        "UsePriorityCharging",
        "NotifyAllowedEnergyTransfer",
        "AFRRSignal",
        "SetDERControl",
        "GetDERControl",
        "ClearDERControl",
        "GetTransactionStatus",
        "GetChargingProfiles",
    }
    answers = [f for f in frames if f.direction == "out" and f.content[1] == "stream-1"]
    assert not answers, "a SEND is never answered [0-19]"
