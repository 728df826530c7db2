"""Messages of an OCPP 2.1 station: each gets a valid answer, and says what the rules of domain.md A, B and D say."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.samples import Quality
from loadmgr.ocpp import dynamic
from loadmgr.ocpp.schemas import breach
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk, Handled
from loadmgr.ocpp.v21 import der, events
from tests.protocol.test_v21_commands import CURVE, DROOP, FIXED, MOST, VAR
from tests.support.builders import NOON
from tests.support.v2x import a_v2x_site

ST, EVSE = StationId("S1"), EvseId("S1/1")


def _desk() -> Desk:
    return Desk(station=ST, site=a_v2x_site(n=2), transactions=Transactions(), heartbeat_s=300, accept=frozenset({"good"}))


def _say(desk: Desk, action: str, payload: dict[str, Any], at: datetime = NOON) -> Handled:
    assert breach("2.1", action, payload, is_request=True) is None, breach("2.1", action, payload, is_request=True)
    handled = events.handle(desk, action, payload, at)
    if handled.refusal is None and action != "NotifyPeriodicEventStream":
        assert breach("2.1", action, handled.answer, is_request=False) is None
    return handled


def _transaction(kind: str, seq_no: int, *, at: datetime = NOON, **more: Any) -> dict[str, Any]:
    info = {"transactionId": "tx1", **more.pop("info", {})}
    return {
        "eventType": kind,
        "timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "triggerReason": more.pop("trigger", "Authorized"),
        "seqNo": seq_no,
        "transactionInfo": info,
        "evse": {"id": 1, "connectorId": 1},
        **more,
    }


def _values(energy_wh: float, power_w: float, *, at: datetime = NOON, export_w: float = 0.0) -> list[dict[str, Any]]:
    sampled: list[dict[str, Any]] = [
        {"value": energy_wh},
        {"value": power_w, "measurand": "Power.Active.Import", "unitOfMeasure": {"unit": "W"}},
    ]
    if export_w:
        sampled.append({"value": export_w, "measurand": "Power.Active.Export", "unitOfMeasure": {"unit": "W"}})
    return [{"timestamp": at.strftime("%Y-%m-%dT%H:%M:%SZ"), "sampledValue": sampled}]


def _started(desk: Desk) -> ev.SessionStarted:
    handled = _say(desk, "TransactionEvent", _transaction("Started", 0, meterValue=_values(1000, 0)))
    return next(e for e in handled.events if isinstance(e, ev.SessionStarted))


def _only(handled: Handled, kind: type) -> Any:
    found = [e for e in handled.events if isinstance(e, kind)]
    assert len(found) == 1, handled.events
    return found[0]


def test_a_transaction_begins_goes_on_and_ends() -> None:
    """[D-20, D-21]"""
    desk = _desk()
    started = _started(desk)
    assert (started.evse, started.transaction, started.meter_start_kwh) == (EVSE, "tx1", 1.0)
    later = NOON + timedelta(seconds=30)
    going = _say(
        desk,
        "TransactionEvent",
        _transaction(
            "Updated", 1, at=later, trigger="MeterValuePeriodic", info={"chargingState": "Charging"},
            meterValue=_values(1100, 6900, at=later),
        ),
        later,
    )  # fmt: skip
    assert _only(going, ev.MeterSample).measured.power_kw == 6.9
    assert _only(going, ev.EvseStatusChanged).status is ev.EvseStatus.CHARGING
    end = NOON + timedelta(minutes=30)
    ended = _say(
        desk,
        "TransactionEvent",
        _transaction("Ended", 2, at=end, trigger="EVDeparted", info={"stoppedReason": "EVDisconnected"},
                     meterValue=_values(4400, 0, at=end)),
        end,
    )  # fmt: skip
    assert (_only(ended, ev.SessionEnded).meter_stop_kwh, ended.must_last) == (4.4, True)


def test_events_out_of_order_repeated_or_without_a_begin_are_taken() -> None:
    """[D-21, E13]"""
    desk = _desk()
    first = _say(desk, "TransactionEvent", _transaction("Updated", 4, meterValue=_values(2000, 0)))
    assert _only(first, ev.SessionStarted).transaction == "tx1"
    again = _say(desk, "TransactionEvent", _transaction("Updated", 4, meterValue=_values(2000, 0)))
    assert again.events == []
    early = _say(desk, "TransactionEvent", _transaction("Updated", 2, meterValue=_values(1900, 0)))
    assert early.events == []


def test_bounds_mode_phases_and_cable_are_told() -> None:
    """[D-26, A-102, C.4]"""
    desk = _desk()
    _started(desk)
    limit = {"maxEnergy": 12_000.0, "maxTime": 3600, "maxSoC": 80, "maxCost": 7.5}
    told = _say(
        desk,
        "TransactionEvent",
        _transaction(
            "Updated", 1, trigger="OperationModeChanged", numberOfPhasesUsed=1, cableMaxCurrent=20,
            info={"operationMode": "CentralSetpoint", "transactionLimit": limit},
        ),
    )  # fmt: skip
    bounded = _only(told, ev.SessionBounded)
    assert (bounded.energy_kwh, bounded.time_s, bounded.soc_frac, bounded.cost) == (12.0, 3600, 0.8, 7.5)
    assert (bounded.cable_a, bounded.n_phases) == (20, 1)
    assert _only(told, ev.ModeChanged).mode == "CentralSetpoint"


@pytest.mark.parametrize(
    ("trigger", "milestone"),
    [
        ("EnergyLimitReached", "energy-limit"),
        ("TimeLimitReached", "time-limit"),
        ("CostLimitReached", "cost-limit"),
        ("SoCLimitReached", "soc-limit"),
    ],
)
def test_a_limit_that_the_station_enforces_is_a_milestone(trigger: str, milestone: str) -> None:
    """[D-26]"""
    desk = _desk()
    _started(desk)
    told = _say(
        desk, "TransactionEvent", _transaction("Updated", 1, trigger=trigger, info={"chargingState": "SuspendedEVSE"})
    )
    assert _only(told, ev.MilestoneReached).milestone == milestone


def test_delivery_is_measured_negative() -> None:
    """[C-27]"""
    desk = _desk()
    _started(desk)
    event = _transaction("Updated", 1, trigger="MeterValuePeriodic", meterValue=_values(1000, 0, export_w=3000))
    assert _only(_say(desk, "TransactionEvent", event), ev.MeterSample).measured.power_kw == -3.0


def test_what_was_queued_offline_is_history() -> None:
    """[C-24, D.2]"""
    desk = _desk()
    _started(desk)
    at = NOON - timedelta(hours=2)
    event = _transaction("Updated", 1, at=at, offline=True, meterValue=_values(1200, 7000, at=at))
    assert _only(_say(desk, "TransactionEvent", event), ev.MeterSample).quality is Quality.HISTORY


def test_plain_meter_values_without_power_do_not_hide_that_the_register_moves() -> None:
    desk = _desk()
    _started(desk)
    later = NOON + timedelta(seconds=60)
    moved = _say(desk, "MeterValues", {"evseId": 1, "meterValue": _values(1200, 0, at=later)}, later)
    sample = _only(moved, ev.MeterSample)
    assert (sample.measured.power_kw, sample.measured.current_a, sample.measured.energy_kwh) == (None, None, 1.2)
    idle = _say(desk, "MeterValues", {"evseId": 1, "meterValue": _values(1200, 0, at=later)}, later)
    assert _only(idle, ev.MeterSample).measured.power_kw == 0.0


def test_charging_needs_of_a_bidirectional_car_are_understood() -> None:
    """[A-120, A-124], V2X parameters per phase"""
    desk = _desk()
    started = _started(desk)
    needs = {
        "requestedEnergyTransfer": "AC_BPT",
        "departureTime": "2026-06-10T18:00:00Z",
        "v2xChargingParameters": {
            "maxChargePower": 3700.0,
            "maxChargePower_L2": 3700.0,
            "maxChargePower_L3": 3600.0,
            "maxDischargePower": -10_000.0,
            "minChargeCurrent": 6.0,
            "evTargetEnergyRequest": 20_000.0,
            "targetSoC": 80,
        },
    }
    handled = _say(desk, "NotifyEVChargingNeeds", {"evseId": 1, "maxScheduleTuples": 3, "chargingNeeds": needs})
    assert handled.answer == {"status": "Accepted"}
    told = _only(handled, ev.NeedsStated)
    assert (told.session, told.transfer, told.energy_kwh) == (started.session, "AC_BPT", 20.0)
    assert (told.power_max_kw, told.discharge_max_kw, told.soc_target_frac) == (pytest.approx(11.0), 10.0, 0.8)
    assert told.depart_at == NOON + timedelta(hours=6)
    assert (told.current_min_a, told.periods_max) == (6.0, 3)


def test_direct_current_needs_and_nonsense() -> None:
    """[A-124] a departure in the past and 900 kWh are silence"""
    desk = _desk()
    _started(desk)
    needs = {
        "requestedEnergyTransfer": "DC",
        "departureTime": "2026-06-10T02:00:00Z",
        "dcChargingParameters": {
            "evMaxCurrent": 200.0,
            "evMaxVoltage": 500.0,
            "evMaxPower": 90_000.0,
            "energyAmount": 900_000.0,
            "evEnergyCapacity": 77_000.0,
            "stateOfCharge": 35,
        },
    }
    told = _only(_say(desk, "NotifyEVChargingNeeds", {"evseId": 1, "chargingNeeds": needs}), ev.NeedsStated)
    assert (told.energy_kwh, told.depart_at, told.capacity_kwh) == (None, None, 77.0)
    assert (told.soc_frac, told.power_max_kw, told.current_max_a) == (0.35, 90.0, None)


def test_needs_before_the_transaction_are_answered_processing() -> None:
    payload = {"evseId": 1, "chargingNeeds": {"requestedEnergyTransfer": "AC_three_phase"}}
    assert _say(_desk(), "NotifyEVChargingNeeds", payload).answer == {"status": "Processing"}


def test_authorisation_grants_delivery_where_an_evse_can() -> None:
    """(Q01)"""
    desk = _desk()
    granted = _say(desk, "Authorize", {"idToken": {"idToken": "good", "type": "Central"}}).answer
    refused = _say(desk, "Authorize", {"idToken": {"idToken": "bad", "type": "Central"}}).answer
    assert "AC_BPT" in granted["allowedEnergyTransfer"]
    assert refused == {"idTokenInfo": {"status": "Invalid"}}


def _limit_schedule(unit: str, *periods: tuple[int, float], duration: int | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {
        "id": 1,
        "startSchedule": "2026-06-10T11:50:00Z",
        "chargingRateUnit": unit,
        "chargingSchedulePeriod": [{"startPeriod": s, "limit": x} for s, x in periods],
    }
    if duration is not None:
        found["duration"] = duration
    return found


def test_a_foreign_limit_binds_at_the_lowest_that_is_to_come() -> None:
    """[A-92] the schedule began ten minutes ago; its first period is over."""
    desk = _desk()
    payload = {
        "evseId": 1,
        "chargingLimit": {"chargingLimitSource": "SO", "isGridCritical": True},
        "chargingSchedule": [_limit_schedule("A", (0, 6.0), (300, 16.0), (900, 10.0), duration=3600)],
    }
    told = _only(_say(desk, "NotifyChargingLimit", payload), ev.ExternalLimitSet)
    assert (told.evse, told.current_a, told.power_kw, told.is_critical) == (EVSE, 10.0, None, True)
    assert told.until_at == NOON + timedelta(minutes=50)
    cleared = _say(desk, "ClearedChargingLimit", {"chargingLimitSource": "SO", "evseId": 1})
    assert _only(cleared, ev.ExternalLimitCleared).source == "SO"


def test_a_foreign_limit_in_watts_local_generation_and_one_without_a_value() -> None:
    """[A-92, A-93]"""
    desk = _desk()
    source = {"chargingLimitSource": "EMS", "isLocalGeneration": True}
    watts = {"chargingLimit": source, "chargingSchedule": [_limit_schedule("W", (0, 7000.0))]}
    told = _only(_say(desk, "NotifyChargingLimit", watts), ev.ExternalLimitSet)
    assert (told.evse, told.power_kw, told.until_at, told.is_generation) == (None, 7.0, None, True)
    unknown = _only(
        _say(desk, "NotifyChargingLimit", {"chargingLimit": {"chargingLimitSource": "EMS"}}), ev.ExternalLimitSet
    )
    assert (unknown.current_a, unknown.power_kw) == (None, None)


def test_dynamic_values_are_repeated_to_a_station_that_pulls_while_they_hold() -> None:
    """(A.12, K28)"""
    desk = _desk()
    profile = {
        "id": 30_101,
        "chargingProfileKind": "Dynamic",
        "chargingSchedule": [{"duration": 180, "chargingSchedulePeriod": [{"startPeriod": 0, "setpoint": -4000.0}]}],
    }
    dynamic.noted(desk.dynamic, "SetChargingProfile", {"chargingProfile": profile}, NOON)
    held = _say(desk, "PullDynamicScheduleUpdate", {"chargingProfileId": 30_101}).answer
    assert held == {"status": "Accepted", "scheduleUpdate": {"setpoint": -4000.0}}
    late = _say(desk, "PullDynamicScheduleUpdate", {"chargingProfileId": 30_101}, NOON + timedelta(seconds=181)).answer
    foreign = _say(desk, "PullDynamicScheduleUpdate", {"chargingProfileId": 7}).answer
    assert late["status"] == foreign["status"] == "Rejected"


def test_priority_charging_by_the_driver_is_told() -> None:
    """(K22)"""
    desk = _desk()
    started = _started(desk)
    told = _say(desk, "NotifyPriorityCharging", {"transactionId": "tx1", "activated": True})
    assert _only(told, ev.PriorityChanged) == ev.PriorityChanged(at=NOON, session=started.session, is_active=True)
    assert _say(desk, "NotifyPriorityCharging", {"transactionId": "other", "activated": True}).events == []


@pytest.mark.parametrize("control", [CURVE, MOST, DROOP, FIXED, VAR], ids=lambda c: c.control_type)
def test_a_der_control_comes_back_from_its_report_as_it_was_sent(control: Any) -> None:
    """(R04) what SetDERControl carries is what ReportDERControl gives back."""
    sent = der.to_request(control)
    arrays = {
        "LimitMaxDischarge": ("limitMaxDischarge", "limitMaxDischarge"),
        "FreqDroop": ("freqDroop", "freqDroop"),
        "FixedPFInject": ("fixedPFInject", "fixedPF"),
        "FixedVar": ("fixedVar", "fixedVar"),
    }
    name, inner = arrays.get(control.control_type, ("curve", "curve"))
    wire_name = {"FixedPFInject": "fixedPFInject"}.get(control.control_type, inner)
    element = {"id": control.id, "isDefault": control.is_default, "isSuperseded": True, inner: sent[wire_name]}
    if name == "curve":
        element["curveType"] = control.control_type
    handled = _say(_desk(), "ReportDERControl", {"requestId": 1, name: [element]})
    stored = _only(handled, ev.DerControlStored)
    assert stored.is_superseded
    back = replace(stored.control, values=tuple(sorted(stored.control.values)))
    assert back == replace(control, values=tuple(sorted(control.values)))


def test_der_alarms_and_starts_are_told() -> None:
    """(R05, B-3, B-5)"""
    desk = _desk()
    stamp = "2026-06-10T12:00:00Z"
    alarm = {"controlType": "HVMustTrip", "gridEventFault": "OverVoltage", "timestamp": stamp}
    told = _only(_say(desk, "NotifyDERAlarm", alarm), ev.DerAlarm)
    assert (told.control_type, told.fault, told.has_ended) == ("HVMustTrip", "OverVoltage", False)
    ended = _only(_say(desk, "NotifyDERAlarm", {**alarm, "alarmEnded": True}), ev.DerAlarm)
    assert ended.has_ended
    begin = {"controlId": "d1", "started": True, "timestamp": stamp, "supersededIds": ["d0"]}
    changed = _only(_say(desk, "NotifyDERStartStop", begin), ev.DerControlChanged)
    assert (changed.control_id, changed.change, changed.superseded) == ("d1", "started", ("d0",))


def test_availability_comes_as_an_event_too() -> None:
    """[D-24]"""
    data = {
        "eventId": 1,
        "timestamp": "2026-06-10T12:00:00Z",
        "trigger": "Delta",
        "actualValue": "Occupied",
        "component": {"name": "Connector", "evse": {"id": 1, "connectorId": 1}},
        "eventNotificationType": "HardWiredNotification",
        "variable": {"name": "AvailabilityState"},
    }
    payload = {"generatedAt": "2026-06-10T12:00:00Z", "seqNo": 0, "eventData": [data, {**data, "variable": {"name": "X"}}]}
    assert _only(_say(_desk(), "NotifyEvent", payload), ev.EvseStatusChanged).status is ev.EvseStatus.PREPARING


def test_an_event_stream_says_nothing_and_harms_nothing() -> None:
    stream = {"id": 1, "pending": 0, "basetime": "2026-06-10T12:00:00Z", "data": [{"t": 0, "v": "9"}]}
    assert _say(_desk(), "NotifyPeriodicEventStream", stream).events == []


@pytest.mark.parametrize(
    ("action", "payload", "answer"),
    [
        ("Heartbeat", {}, {"currentTime": "2026-06-10T12:00:00Z"}),
        ("DataTransfer", {"vendorId": "x"}, {"status": "UnknownVendorId"}),
        ("BatterySwap", None, {}),
        ("NotifySettlement", None, {}),
        ("SecurityEventNotification", {"type": "t", "timestamp": "2026-06-10T12:00:00Z"}, {}),
    ],
)
def test_what_is_not_our_business_gets_a_polite_answer(action: str, payload: Any, answer: dict[str, Any]) -> None:
    """(register of use cases, domain rule B.3)"""
    if payload is None:
        assert events.handle(_desk(), action, {}, NOON).answer == answer
        assert breach("2.1", action, answer, is_request=False) is None
    else:
        assert _say(_desk(), action, payload).answer == answer


@pytest.mark.parametrize(
    "action", ["SignCertificate", "Get15118EVCertificate", "GetCertificateStatus", "VatNumberValidation"]
)
def test_certificates_are_refused_without_an_error(action: str) -> None:
    """(M01-M07: not relayed)"""
    handled = events.handle(_desk(), action, {"vatNumber": "NL1"}, NOON)
    assert handled.refusal is None
    assert breach("2.1", action, handled.answer, is_request=False) is None
    assert handled.answer["status"] in {"Rejected", "Failed"}


def test_an_evse_that_is_not_in_the_site_file_is_refused() -> None:
    """[B26]"""
    status = {"timestamp": "2026-06-10T12:00:00Z", "connectorStatus": "Available", "evseId": 9, "connectorId": 1}
    assert _say(_desk(), "StatusNotification", status).refusal is not None
