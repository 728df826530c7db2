"""Commands in OCPP 2.1: valid by the schema, and what the rules of domain.md A and B say of them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loadmgr.domain import commands as cmd
from loadmgr.domain.der import DerControl, DerPoint
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Kind, ProfileForm, Purpose, Traits
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.schemas import breach
from loadmgr.ocpp.v21 import commands
from tests.support.builders import NOON

ST, EVSE = StationId("S"), EvseId("S/2")
CURVE = DerControl(
    id="c1",
    control_type="VoltWatt",
    is_default=True,
    priority=3,
    curve=(DerPoint(x=106.0, y=100.0), DerPoint(x=110.0, y=0.0)),
    y_unit="PctMaxW",
)
MOST = DerControl(
    id="d1",
    control_type="LimitMaxDischarge",
    from_at=NOON,
    duration_s=3600.0,
    values=(("pctMaxDischargePower", 40.0),),
)
DROOP = DerControl(
    id="f1",
    control_type="FreqDroop",
    is_default=True,
    values=(
        ("overFreq", 50.2),
        ("underFreq", 49.8),
        ("overDroop", 5.0),
        ("underDroop", 5.0),
        ("responseTime", 1.0),
    ),
)
FIXED = DerControl(
    id="p1", control_type="FixedPFInject", is_default=True, values=(("displacement", 0.95),), flags=(("excitation", True),)
)
VAR = DerControl(id="v1", control_type="FixedVar", is_default=True, values=(("setpoint", -20.0),), y_unit="PctMaxVar")


def _setpoint(current_a: float = 16.0, **given: Any) -> Setpoint:
    base = Setpoint(
        no=5,
        evse=EVSE,
        current_a=current_a,
        n_phases=3,
        made_at=NOON,
        valid_until=NOON + timedelta(seconds=180),
        transaction="tx",
    )
    return replace(base, **given)


def _send(setpoint: Setpoint, traits: Traits | None = None) -> tuple[str, dict[str, Any]]:
    command = cmd.SendSetpoint(no=5, station=ST, setpoint=setpoint)
    ((action, payload),) = commands.to_calls(command, traits or Traits())
    assert breach("2.1", action, payload, is_request=True) is None
    return action, payload


def _period(payload: dict[str, Any]) -> dict[str, Any]:
    return payload["chargingProfile"]["chargingSchedule"][0]["chargingSchedulePeriod"][0]


@pytest.mark.parametrize(
    ("command", "action"),
    [
        (cmd.InstallFailsafe(no=1, station=ST, failsafe_a=6.0, station_max_a=32.0, n_phases=3, made_at=NOON), "Set"),
        (cmd.ClearProfiles(no=2, station=ST), "ClearChargingProfile"),
        (cmd.ClearProfiles(no=3, station=ST, evse=EVSE), "ClearChargingProfile"),
        (cmd.ReadComposite(no=4, station=ST, evse=EVSE, duration_s=600), "GetCompositeSchedule"),
        (cmd.ReadProfiles(no=5, station=ST), "GetChargingProfiles"),
        (cmd.ReadProfiles(no=6, station=ST, evse=EVSE), "GetChargingProfiles"),
        (cmd.TriggerMeter(no=7, station=ST, evse=EVSE), "TriggerMessage"),
        (cmd.TriggerStatus(no=8, station=ST, evse=EVSE), "TriggerMessage"),
        (cmd.ReadSettings(no=9, station=ST, names=("V2XChargingCtrlr.Enabled",)), "GetVariables"),
        (cmd.WriteSetting(no=10, station=ST, name="AlignedDataCtrlr.Interval", value="0"), "SetVariables"),
        (cmd.StartSession(no=11, station=ST, evse=EVSE, id_tag="tag"), "RequestStartTransaction"),
        (cmd.StartSession(no=12, station=ST, evse=EVSE, id_tag="t", first_a=6.0, made_at=NOON), "RequestStart"),
        (cmd.StopSession(no=13, station=ST, evse=EVSE, transaction="tx"), "RequestStopTransaction"),
        (cmd.ReadSession(no=14, station=ST, transaction="tx"), "GetTransactionStatus"),
        (cmd.ReadSession(no=14, station=ST), "GetTransactionStatus"),
        (cmd.ReserveEvse(no=15, station=ST, evse=EVSE, reservation=3, id_tag="t", until_at=NOON), "ReserveNow"),
        (cmd.CancelReservation(no=16, station=ST, reservation=3), "CancelReservation"),
        (cmd.SetAvailability(no=17, station=ST, evse=EVSE, is_operative=False), "ChangeAvailability"),
        (cmd.SetAvailability(no=17, station=ST, evse=None, is_operative=True), "ChangeAvailability"),
        (cmd.RebootStation(no=18, station=ST), "Reset"),
        (cmd.RebootStation(no=18, station=ST, is_hard=True), "Reset"),
        (cmd.SetPriority(no=19, station=ST, transaction="tx", is_active=True), "UsePriorityCharging"),
        (cmd.AllowTransfer(no=20, station=ST, transaction="tx", modes=("AC_BPT",)), "NotifyAllowedEnergyTransfer"),
        (cmd.SignalAfrr(no=21, station=ST, at=NOON, signal=-30), "AFRRSignal"),
        (cmd.SetDer(no=22, station=ST, control=CURVE), "SetDERControl"),
        (cmd.SetDer(no=22, station=ST, control=MOST), "SetDERControl"),
        (cmd.SetDer(no=22, station=ST, control=DROOP), "SetDERControl"),
        (cmd.SetDer(no=22, station=ST, control=FIXED), "SetDERControl"),
        (cmd.SetDer(no=22, station=ST, control=VAR), "SetDERControl"),
        (cmd.ReadDer(no=23, station=ST), "GetDERControl"),
        (cmd.ReadDer(no=23, station=ST, control_id="d1", control_type="LimitMaxDischarge"), "GetDERControl"),
        (cmd.ClearDer(no=24, station=ST, is_default=False, control_id="d1"), "ClearDERControl"),
        (cmd.ClearDer(no=24, station=ST, is_default=True), "ClearDERControl"),
    ],
    ids=lambda x: type(x).__name__ if not isinstance(x, str) else "",
)
def test_every_command_is_a_valid_call(command: cmd.Command, action: str) -> None:
    calls = commands.to_calls(command, Traits())
    assert calls
    for name, payload in calls:
        assert name.startswith(action)
        assert breach("2.1", name, payload, is_request=True) is None


def test_a_setpoint_that_delivers_is_a_central_setpoint_without_limits() -> None:
    """[A.11, Q03.FR.02]"""
    form = ProfileForm(unit="W", kind=Kind.DYNAMIC)
    _, payload = _send(_setpoint(0.0, power_kw=-4.2505, form=form), Traits(supports_dynamic=True))
    assert _period(payload) == {
        "startPeriod": 0,
        "setpoint": -4250.0,
        "operationMode": "CentralSetpoint",
        "numberPhases": 3,
    }
    profile = payload["chargingProfile"]
    assert profile["chargingProfileKind"] == "Dynamic"
    assert profile["chargingSchedule"][0]["duration"] == 180
    assert "startSchedule" not in profile["chargingSchedule"][0]


def test_an_update_of_a_dynamic_profile_names_it_and_sends_its_values_only() -> None:
    """[A.12, A-110]"""
    form = ProfileForm(unit="W", kind=Kind.DYNAMIC)
    _, full = _send(_setpoint(0.0, power_kw=-4.0, form=form))
    action, payload = _send(_setpoint(0.0, power_kw=-2.0, form=form, is_update=True))
    assert action == "UpdateDynamicSchedule"
    assert payload == {"chargingProfileId": full["chargingProfile"]["id"], "scheduleUpdate": {"setpoint": -2000.0}}


@pytest.mark.parametrize(
    ("purpose", "wire", "evse"),
    [
        (Purpose.TX, "TxProfile", 2),
        (Purpose.DEFAULT, "TxDefaultProfile", 2),
        (Purpose.STATION_DEFAULT, "TxDefaultProfile", 0),
        (Purpose.MAX, "ChargingStationMaxProfile", 0),
    ],
)
def test_forms_reach_the_wire(purpose: Purpose, wire: str, evse: int) -> None:
    """[A.1, A-30]"""
    _, payload = _send(_setpoint(form=ProfileForm(purpose=purpose, unit="W", stack=1)))
    profile = payload["chargingProfile"]
    assert (profile["chargingProfilePurpose"], payload["evseId"]) == (wire, evse)
    assert ("transactionId" in profile) == (purpose is Purpose.TX)
    assert _period(payload)["limit"] == 16 * 230 * 3


def test_a_transaction_profile_without_a_transaction_is_a_default() -> None:
    """[A-3]"""
    _, payload = _send(_setpoint(transaction=""))
    assert payload["chargingProfile"]["chargingProfilePurpose"] == "TxDefaultProfile"
    assert "transactionId" not in payload["chargingProfile"]


def test_ids_are_one_per_slot_and_above_the_stations_own() -> None:
    """[A-30, A-33, K01.FR.80]"""
    ids = set()
    for purpose in Purpose:
        for stack in (1, 2):
            _, payload = _send(_setpoint(form=ProfileForm(purpose=purpose, stack=stack)), Traits(min_profile_id=25_000))
            ids.add(payload["chargingProfile"]["id"])
    assert len(ids) == 8
    assert min(ids) > 25_000


def test_watts_and_amperes_round_down() -> None:
    """[A-75, G-18]"""
    _, amps = _send(_setpoint(16.79), Traits(current_step_a=1.0))
    _, watts = _send(_setpoint(16.79, form=ProfileForm(unit="W")))
    assert _period(amps)["limit"] == 16.0
    assert _period(watts)["limit"] == int(16.7 * 690)


def test_phases_are_left_out_where_the_charger_wants_none_and_on_direct_current() -> None:
    """[G-26, A-74, NoPhaseForDC]"""
    _, without = _send(_setpoint(form=ProfileForm(has_phases=False)))
    _, direct = _send(_setpoint(n_phases=0))
    assert "numberPhases" not in _period(without)
    assert "numberPhases" not in _period(direct)


@pytest.mark.parametrize("current_a", [0.1, 5.99, -1.0])
def test_what_no_pilot_can_say_is_never_sent(current_a: float) -> None:
    """[A-80]"""
    with pytest.raises(ProtocolError, match=r"in \(0, 6\) A"):
        _send(_setpoint(current_a))


def test_default_controls_have_no_times_and_scheduled_ones_do() -> None:
    """[B-1]"""
    default = replace(MOST, is_default=True)
    (_, scheduled), (_, plain) = (
        commands.to_calls(cmd.SetDer(no=1, station=ST, control=c), Traits())[0] for c in (MOST, default)
    )
    assert scheduled["limitMaxDischarge"]["startTime"] == "2026-06-10T12:00:00Z"
    assert scheduled["limitMaxDischarge"]["duration"] == 3600.0
    assert set(plain["limitMaxDischarge"]) == {"priority", "pctMaxDischargePower"}


@pytest.mark.parametrize(
    ("action", "payload", "expected"),
    [
        ("SetChargingProfile", {"status": "Accepted"}, (True, "")),
        (
            "SetChargingProfile",
            {"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRateUnit"}},
            (False, "Rejected UnsupportedRateUnit"),
        ),
        ("ClearChargingProfile", {"status": "Unknown"}, (True, "")),
        ("GetDERControl", {"status": "NotFound"}, (True, "")),
        ("SetDERControl", {"status": "NotSupported"}, (False, "NotSupported")),
        ("UpdateDynamicSchedule", {"status": "Rejected"}, (False, "Rejected")),
        ("UsePriorityCharging", {"status": "NoProfile"}, (False, "NoProfile")),
        ("Reset", {"status": "Scheduled"}, (True, "")),
    ],
)
def test_answers_are_understood(action: str, payload: dict[str, Any], expected: tuple[bool, str]) -> None:
    """(A.6, A-90, B-6)"""
    assert commands.outcome(action, payload) == expected


def test_values_of_variables_are_read_where_the_station_knows_them() -> None:
    answer = {
        "getVariableResult": [
            {
                "attributeStatus": "Accepted",
                "attributeValue": "ChargingOnly,CentralSetpoint",
                "component": {"name": "V2XChargingCtrlr"},
                "variable": {"name": "SupportedOperationModes"},
            },
            {
                "attributeStatus": "UnknownComponent",
                "component": {"name": "DCDERCtrlr"},
                "variable": {"name": "MaxW"},
            },
        ]
    }
    found = commands.values("GetVariables", answer)
    assert found == (("V2XChargingCtrlr.SupportedOperationModes", "ChargingOnly,CentralSetpoint"),)
