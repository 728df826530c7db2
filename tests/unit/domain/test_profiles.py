"""Charging profiles as values: what no version could mean is refused, what a version refuses is told."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from loadmgr.domain.profiles import (
    OperationMode,
    Profile,
    ProfileKind,
    ProfilePurpose,
    Recurrence,
    Schedule,
    SchedulePeriod,
    breaches,
    purposes_of,
)
from loadmgr.errors import SiteModelError

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


def a_profile(**changes: object) -> Profile:
    period = SchedulePeriod(**changes.pop("period", {"limit": 16.0}))  # type: ignore[arg-type]
    schedule = {"unit": "A", "start_at": NOON, "periods": (period,), **changes.pop("schedule", {})}  # type: ignore[dict-item]
    given = {
        "id": 7,
        "evse": 1,
        "stack": 0,
        "purpose": ProfilePurpose.TX_DEFAULT,
        "kind": ProfileKind.ABSOLUTE,
        "schedules": (Schedule(**schedule),),  # type: ignore[arg-type]
        **changes,
    }
    return Profile(**given)  # type: ignore[arg-type]


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
def test_a_plain_profile_breaks_no_rule(ocpp: str) -> None:
    assert breaches(a_profile(), ocpp) == ()


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"period": {"limit": -1.0}}, "negative"),
        ({"period": {"limit": float("nan")}}, "finite"),
        ({"period": {"limit": 6.0, "discharge_limit": 1.0}}, "positive"),
        ({"period": {"limit": 6.0, "n_phases": 0}}, "0 phases"),
        ({"period": {"limit": 6.0, "n_phases": 4}}, "4 phases"),
        ({"period": {"limit_l2": 6.0}}, "not for L1"),
        ({"schedule": {"periods": ()}}, "no period"),
        ({"schedule": {"periods": (SchedulePeriod(limit=1.0), SchedulePeriod(limit=2.0))}}, "start later"),
        ({"schedule": {"duration_s": -1.0}}, "duration -1"),
        ({"schedule": {"start_at": NOON.replace(tzinfo=None)}}, "a time zone"),
        ({"schedule": {"is_local": True}}, "no time zone"),
        ({"stack": -1}, "stack level -1"),
        ({"schedules": ()}, "0 schedules"),
        ({"kind": ProfileKind.RECURRING}, "needs a recurrence"),
        ({"kind": ProfileKind.RECURRING, "recurrence": Recurrence.DAILY, "schedule": {"start_at": None}}, "and a start"),
        ({"kind": ProfileKind.DYNAMIC, "period": {"limit": 6.0, "start_s": 5.0}}, "one period at 0 s"),
        ({"valid_to": NOON.replace(tzinfo=None)}, "valid_to"),
    ],
)
def test_what_no_version_could_mean_is_refused_with_the_value(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SiteModelError, match=words):
        a_profile(**changes)


TX = {"purpose": ProfilePurpose.TX, "transaction": "T"}
MAX = {"purpose": ProfilePurpose.STATION_MAX, "evse": 0}


@pytest.mark.parametrize(
    ("ocpp", "changes", "rule"),
    [
        ("2.0.1", {"purpose": ProfilePurpose.PRIORITY}, "A-5"),
        ("1.6", {"purpose": ProfilePurpose.EXTERNAL}, "A-5"),
        ("1.6", {**TX, "evse": 0}, "A.1"),
        ("1.6", {**MAX, "evse": 1}, "A.1"),
        ("2.0.1", {"purpose": ProfilePurpose.TX}, "A.1"),
        ("2.0.1", {"transaction": "T"}, "A.3"),
        ("2.0.1", {"schedules": a_profile().schedules * 2}, "K01.FR.34"),
        ("2.0.1", {"offline_max_s": 0.0}, "offline"),
        ("2.0.1", {"kind": ProfileKind.DYNAMIC}, "dynamic"),
        ("2.0.1", {"schedule": {"start_at": None}}, "K01.FR.40"),
        ("2.0.1", {"kind": ProfileKind.RELATIVE}, "K01.FR.41"),
        ("2.0.1", {**MAX, "kind": ProfileKind.RELATIVE, "schedule": {"start_at": None}}, "K01.FR.38"),
        ("2.0.1", {"recurrence": Recurrence.DAILY}, "A.3"),
        ("2.0.1", {"valid_from": NOON, "valid_to": NOON}, "never valid"),
        ("2.0.1", {"period": {"limit": 6.0, "start_s": 5.0}}, "A.3"),
        ("2.0.1", {"schedule": {"delay_s": 5.0}}, "random delay"),
        ("2.0.1", {"period": {}}, "A.11"),
        ("2.1", {"period": {}}, "A.11"),
        ("2.1", {**MAX, "period": {"limit": 6.0, "mode": OperationMode.IDLE}}, "A.11"),
        ("2.1", {"period": {"mode": OperationMode.CENTRAL_SETPOINT}}, "A.11"),
        ("2.1", {"period": {"limit": 6.0, "setpoint": 7.0}}, "A-100"),
        ("2.1", {"period": {"limit": 6.0, "discharge_limit": -6.0, "setpoint": -7.0}}, "A-100"),
        ("1.6", {"period": {"limit": 6.0, "n_phases": 1, "phase_to_use": 2}}, "A-20"),
        ("2.0.1", {"period": {"limit": 6.0, "n_phases": 3, "phase_to_use": 2}}, "A-20"),
        ("2.1", {"period": {"limit": 6.0, "limit_l2": 6.0}}, "A.3"),
        ("2.0.1", {"period": {"limit": 6.0, "discharge_limit": -6.0}}, "limits only"),
    ],
)
def test_what_a_version_refuses_is_told_with_its_rule(ocpp: str, changes: dict[str, object], rule: str) -> None:
    found = breaches(a_profile(**changes), ocpp)
    assert len(found) == 1
    assert found[0].startswith("profile 7: ")
    assert rule in found[0]


def test_a_transaction_may_have_limits_per_phase_in_21() -> None:
    assert breaches(a_profile(**TX, period={"limit": 16.0, "limit_l2": 10.0, "limit_l3": 10.0}), "2.1") == ()


def test_an_unknown_version_is_named() -> None:
    with pytest.raises(SiteModelError, match=r"'1\.5'"):
        purposes_of("1.5")


def test_a_slot_is_evse_level_and_purpose() -> None:
    one = a_profile()
    assert one.slot == replace(one, id=8).slot
    assert one.slot != replace(one, stack=1).slot
