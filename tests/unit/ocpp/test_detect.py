"""Findings from what chargers say and do."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain.traits import Traits
from loadmgr.ocpp import detect
from loadmgr.ocpp.detect import Behaviour, Finding


def found(values: dict[str, str]) -> dict[str, object]:
    """Trait → value of the claims."""
    claims = detect.from_values(values)
    assert all(c.is_claim for c in claims)
    return {c.trait: c.value for c in claims}


@pytest.mark.parametrize(
    "text",
    ["[Core, SmartCharging, RemoteTrigger]", '"Core";"SmartCharging" RemoteTrigger', "{Core,SmartCharging,,RemoteTrigger}"],
)
def test_a_list_is_read_however_it_is_spelt(text: str) -> None:
    """[G-27]"""
    assert detect.list_of(text) == ("Core", "SmartCharging", "RemoteTrigger")
    assert detect.lacks_smart_charging({"SupportedFeatureProfiles": text}) == ""


def test_smart_charging_that_is_not_promised_is_said() -> None:
    """(rule A.5): a trial decides, but the operator should know."""
    assert "Core" in detect.lacks_smart_charging({"SupportedFeatureProfiles": "Core,Firmware"})
    assert detect.lacks_smart_charging({"SmartChargingCtrlr.Enabled": "false"})
    assert detect.lacks_smart_charging({"SmartChargingCtrlr.Enabled": "true"}) == ""
    assert detect.lacks_smart_charging({}) == ""


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("Current,Power", ("A", "W")),
        ("current", ("A",)),
        ("power", ("W",)),
        ("[W, A]", ("A", "W")),
        ("Power;A", ("A", "W")),
        ("", ()),
        ("nonsense", ()),
    ],
)
def test_units_are_mapped_from_every_spelling(text: str, units: tuple[str, ...]) -> None:
    """[G-28, G-16]"""
    assert detect.units_of(text) == units


def test_a_power_only_station_is_asked_in_watts_first_and_amperes_stay_a_way() -> None:
    """[G-17, A-40]: the list is a claim."""
    assert found({"ChargingScheduleAllowedChargingRateUnit": "Power"}) == {"rate_units": ("W", "A")}
    assert found({"SmartChargingCtrlr.RateUnit": "A"}) == {}


@pytest.mark.parametrize(("level", "expected"), [("0", {"stack_max": 0}), ("1", {}), ("3", {}), ("999", {}), ("x", {})])
def test_a_stack_level_counts_only_where_it_is_below_ours(level: str, expected: dict[str, object]) -> None:
    """[G-13, G-14]: 999 is nonsense, and a high one proves nothing."""
    assert found({"ChargeProfileMaxStackLevel": level}) == expected


def test_what_a_2_1_station_says_of_itself() -> None:
    """[A-101, B-4, A-30], (rule A.5)"""
    values = {
        "SmartChargingCtrlr.SupportsDynamicProfiles": "true",
        "SmartChargingCtrlr.MaxExternalConstraintsId": "15000",
        "SmartChargingCtrlr.PeriodsPerSchedule": "24",
        "V2XChargingCtrlr.Enabled": "true",
        "V2XChargingCtrlr.SupportedOperationModes": "ChargingOnly,CentralSetpoint",
        "DCDERCtrlr.ModesSupported": "LimitMaxDischarge,VoltWatt",
        "ACDERCtrlr.ModesSupported": "VoltWatt",
        "DCDERCtrlr.MaxW": "22000",
    }
    assert found(values) == {
        "supports_dynamic": True,
        "min_profile_id": 15000,
        "periods_max": 24,
        "operation_modes": ("ChargingOnly", "CentralSetpoint"),
        "der_controls": ("LimitMaxDischarge", "VoltWatt"),
        "discharge_rated_kw": 22.0,
    }
    assert "operation_modes" not in found({**values, "V2XChargingCtrlr.Enabled": "false"})


@pytest.mark.parametrize("top_id", ["0", "100", "9999"])
def test_ids_do_not_move_where_the_station_leaves_ours_free(top_id: str) -> None:
    """[A-30]: a profile that moves to another id is refused as a duplicate of the one that is installed (rule A.6)."""
    assert found({"SmartChargingCtrlr.MaxExternalConstraintsId": top_id}) == {}


@given(st.dictionaries(st.sampled_from([*detect._STACK, *detect._UNIT, *detect._PERIODS, *detect._DER]), st.text()))
def test_whatever_a_charger_claims_becomes_traits_or_nothing(values: dict[str, str]) -> None:
    """[B27]"""
    traits = found(values)
    assert set(traits) <= {"stack_max", "rate_units", "periods_max", "der_controls"}
    assert set(traits.get("rate_units", ("A",))) <= {"A", "W"}  # type: ignore[call-overload]


# -- behaviour -----------------------------------------------------------------------------------------------------


def test_three_refused_triggers_in_a_row_switch_them_off() -> None:
    """[G-24]"""
    behaviour, findings = Behaviour(), ()
    for accepted in (False, False, True, False, False):
        behaviour, findings = detect.after_trigger(behaviour, accepted=accepted)  # type: ignore[assignment]
        assert findings == ()
    behaviour, findings = detect.after_trigger(behaviour, accepted=False)  # type: ignore[assignment]
    assert findings == (Finding(trait="may_trigger", value=False, evidence="it refused 3 triggers in a row"),)


def test_two_useless_composites_in_a_row_switch_them_off() -> None:
    """[G-20]"""
    behaviour, findings = detect.after_composite(Behaviour(), is_useful=False)
    assert findings == ()
    behaviour, findings = detect.after_composite(behaviour, is_useful=True)
    behaviour, findings = detect.after_composite(behaviour, is_useful=False)
    assert findings == ()
    behaviour, findings = detect.after_composite(behaviour, is_useful=False, why="no periods")
    assert [(f.trait, f.value) for f in findings] == [("is_composite_useful", False)]
    assert "no periods" in findings[0].evidence


def test_a_late_answer_gives_the_station_more_time_once() -> None:
    """[G-47]"""
    (finding,) = detect.after_late_answer("SetChargingProfile", 30.0)
    assert (finding.trait, finding.value) == ("call_timeout_s", 90.0)
    assert detect.after_late_answer("SetChargingProfile", 90.0) == ()


@pytest.mark.parametrize(
    ("lags_s", "start_before_s"),
    [
        ((1.0, 0.0, 2.0, 1.0, 0.5), None),
        ((300.0, 301.0, 305.0, 300.0), None),
        ((300.0, 301.0, 305.0, 300.0, 4000.0), None),
        ((300.0, 301.0, 305.0, 300.0, 2000.0), 360.0),
        ((-300.0, -301.0, -305.0, -300.0, -300.0), None),
        ((300.0, 301.0, 305.0, 300.0, 0.0), None),
    ],
)
def test_schedules_start_earlier_for_a_slow_clock(lags_s: tuple[float, ...], start_before_s: float | None) -> None:
    """[G-9, A-31]: a start in the station's future would leave it without a limit. Queued messages prove nothing."""
    findings = detect.after_clock(lags_s, Traits().start_before_s)
    assert [f.value for f in findings] == ([] if start_before_s is None else [start_before_s])


def test_the_words_of_a_refusal_tell_what_to_leave_out() -> None:
    """[A-50, G-26], (rule A.6)"""
    for detail in ("Rejected NoPhaseForDC", "PropertyConstraintViolation numberPhases is not allowed"):
        assert [(f.trait, f.value) for f in detect.after_refusal(detail)] == [("has_phases", False)]
    assert detect.after_refusal("Rejected") == ()


@pytest.mark.parametrize(
    ("detail", "seconds"),
    [
        ("Rejected RateLimitExceeded wait 45 seconds", 45.0),
        ("Rejected RateLimitExceeded 1.5", 1.5),
        ("Rejected RateLimitExceeded", detect.HOLD_S),
        ("Rejected RateLimitExceeded 999999", detect.HOLD_MAX_S),
        ("Rejected InvalidSchedule 45", None),
    ],
)
def test_seconds_are_read_out_of_a_rate_limit(detail: str, seconds: float | None) -> None:
    """(rule A.6)"""
    assert detect.hold_s(detail) == seconds


def test_a_reason_code_and_its_information_stand_in_the_detail_once() -> None:
    """(rule A.6)"""
    payload = {"status": "Rejected", "statusInfo": {"reasonCode": "RateLimitExceeded", "additionalInfo": "45 s"}}
    assert detect.with_reason("Rejected RateLimitExceeded", payload) == "Rejected RateLimitExceeded 45 s"
    assert detect.with_reason("Rejected", payload) == "Rejected RateLimitExceeded 45 s"
    assert detect.with_reason("Rejected RateLimitExceeded 45 s", payload) == "Rejected RateLimitExceeded 45 s"
    assert detect.with_reason("Rejected", {"statusInfo": "odd"}) == "Rejected"
    assert detect.with_reason("Rejected", {}) == "Rejected"
