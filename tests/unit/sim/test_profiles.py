"""A station's arithmetic with its profiles (rules A.2 to A.4, A.7, A.11, A.12, Q11)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.sim.profiles import CHARGING_ONLY, Hardware, Installed, Period, Profile, updated

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)
THREE = Hardware(max_a=32.0, discharge_kw=11.0)


def at(seconds: float) -> datetime:
    return NOON + timedelta(seconds=seconds)


def a_profile(limit: float | None = 16.0, **given: Any) -> Profile:
    period = given.pop("period", Period(start_s=0.0, limit=limit, n_phases=3))
    stack = given.get("stack", 1)
    base: dict[str, Any] = {
        "id": 100 + stack,
        "evse": 1,
        "stack": 1,
        "purpose": "TxProfile",
        "periods": (period,),
        "received_at": NOON,
        "start_at": NOON,
        "updated_at": NOON,
    }
    return Profile(**{**base, **given})


def offered(installed: Installed, seconds: float = 0.0) -> float:
    return installed.offer(1, at(seconds), THREE, in_transaction=True).limit_a


def test_min_of_max_and_transaction_profile_and_hardware() -> None:
    """[A.7.3]"""
    installed = Installed()
    assert offered(installed) == 32.0
    installed.install(a_profile(40.0))
    assert offered(installed) == 32.0
    installed.install(a_profile(10.0, id=1, evse=0, purpose="ChargePointMaxProfile"))
    assert offered(installed) == 10.0


def test_default_holds_when_the_transaction_profile_has_ended() -> None:
    """[A-31, A-131]"""
    installed = Installed()
    installed.install(a_profile(6.0, id=1, evse=0, purpose="TxDefaultProfile", stack=0, start_at=at(-900)))
    installed.install(a_profile(16.0, duration_s=100))
    assert [offered(installed, s) for s in (-1, 0, 99, 100)] == [6.0, 16.0, 16.0, 6.0]
    assert installed.changes_after(at(0)) == at(100)


def test_watts_count_over_the_phases_that_the_profile_names_and_three_without() -> None:
    """[A-70, A-76]"""
    for n_phases, expected_a in ((None, 10.0), (3, 10.0), (1, 30.0)):
        installed = Installed()
        installed.install(a_profile(period=Period(start_s=0, limit=6900.0, n_phases=n_phases), unit="W"))
        assert offered(installed) == pytest.approx(expected_a)


@given(st.floats(0, 32, allow_nan=False), st.sampled_from([1, 2, 3]))
def test_a_limit_is_the_same_in_watts_and_amperes(limit_a: float, n_phases: int) -> None:
    """[A-60]: unit change and back differs by less than 0.1 A."""
    watts = THREE.to_kw(limit_a, "A", n_phases) * 1000.0
    assert THREE.to_a(watts, "W", n_phases) == pytest.approx(limit_a, abs=1e-6)


def test_relative_counts_from_the_start_of_the_transaction() -> None:
    """[A-34]"""
    installed = Installed(began_at=at(-50))
    installed.install(a_profile(kind="Relative", start_at=None, duration_s=100))
    assert [offered(installed, s) for s in (0, 49, 50)] == [16.0, 16.0, 32.0]


def test_recurring_returns_every_day_and_leaves_its_gap() -> None:
    """[A-11]"""
    installed = Installed()
    installed.install(a_profile(kind="Recurring", recurrence_s=86_400.0, duration_s=3600, start_at=at(-3 * 86_400)))
    assert [offered(installed, s) for s in (0, 3599, 3600, 86_399, 86_400)] == [16.0, 16.0, 32.0, 32.0, 16.0]
    assert installed.changes_after(at(4000)) == at(86_400)


def test_validity_bounds_a_profile_and_is_told_as_a_change() -> None:
    installed = Installed()
    installed.install(a_profile(valid_from=at(10), valid_to=at(20)))
    assert [offered(installed, s) for s in (9, 10, 19, 20)] == [32.0, 16.0, 16.0, 32.0]
    assert installed.changes_after(at(0)) == at(10)


def test_dynamic_is_dormant_after_its_duration_and_an_update_revives_it() -> None:
    """[A.12]"""
    installed = Installed(replaces_slot=False)
    installed.install(a_profile(8.0, id=1, purpose="TxDefaultProfile", stack=0))
    installed.install(a_profile(kind="Dynamic", start_at=None, duration_s=60))
    assert [offered(installed, s) for s in (0, 59, 60)] == [16.0, 16.0, 8.0]
    installed.found[1] = updated(installed.found[1], {"limit": 20.0}, at(100))
    assert [offered(installed, s) for s in (100, 159, 160)] == [20.0, 20.0, 8.0]


def test_16_replaces_by_slot_and_2x_by_id_only() -> None:
    """[A.4]"""
    first, second = a_profile(10.0, id=1), a_profile(12.0, id=2)
    old, new = Installed(), Installed(replaces_slot=False)
    for installed in (old, new):
        installed.install(first)
    assert new.duplicate_of(second) is first
    old.install(second)
    assert [p.id for p in old.found] == [2]
    new.install(a_profile(9.0, id=1))
    assert [p.periods[0].limit for p in new.found] == [9.0]


def test_a_default_of_the_same_level_on_0_and_on_the_evse_is_a_duplicate() -> None:
    """K01.FR.52 and .53 [A-2]"""
    installed = Installed(replaces_slot=False)
    installed.install(a_profile(6.0, id=1, evse=0, purpose="TxDefaultProfile"))
    assert installed.duplicate_of(a_profile(6.0, id=2, purpose="TxDefaultProfile")) is not None
    assert installed.duplicate_of(a_profile(6.0, id=2, purpose="TxDefaultProfile", stack=2)) is None
    later = a_profile(6.0, id=2, purpose="TxDefaultProfile", valid_from=at(50))
    installed.found[0] = a_profile(6.0, id=1, evse=0, purpose="TxDefaultProfile", valid_to=at(50))
    assert installed.duplicate_of(later) is None


def test_the_highest_stack_with_a_period_now_leads() -> None:
    """[A-32, A.7.2]"""
    installed = Installed()
    installed.install(a_profile(10.0, stack=1))
    installed.install(a_profile(20.0, stack=2, start_at=at(50)))
    assert [offered(installed, s) for s in (0, 50)] == [10.0, 20.0]


def test_max_offline_duration_ends_a_profile_and_may_end_it_for_good() -> None:
    """Q11 [A-104]"""
    installed = Installed(replaces_slot=False)
    installed.install(a_profile(6.0, id=1, purpose="TxDefaultProfile", stack=0))
    installed.install(a_profile(16.0, stack=1, max_offline_s=60))
    installed.install(a_profile(20.0, stack=2, max_offline_s=60, dies_offline=True))
    installed.offline_at = at(0)
    assert [offered(installed, s) for s in (59, 60)] == [20.0, 6.0]
    assert installed.changes_after(at(0)) == at(60)
    installed.go_online(at(100))
    assert offered(installed, 100) == 16.0


def test_a_setpoint_is_clipped_to_hardware_and_station_maximum() -> None:
    """[A.11, A.7.3]"""
    installed = Installed(replaces_slot=False)
    installed.install(a_profile(16.0, id=1, evse=0, purpose="ChargingStationMaxProfile"))
    period = Period(start_s=0, setpoint=-15_000.0, mode="CentralSetpoint")
    installed.install(a_profile(period=period, unit="W"))
    offer = installed.offer(1, NOON, THREE, in_transaction=True)
    assert (offer.setpoint_kw, offer.discharge_kw, offer.mode) == (-11.0, 11.0, "CentralSetpoint")
    installed.found[1] = updated(installed.found[1], {"setpoint": 20_000.0}, NOON)
    assert installed.offer(1, NOON, THREE, in_transaction=True).setpoint_kw == pytest.approx(16 * 0.69)


def test_priority_charging_leads_only_while_it_is_active() -> None:
    """K21 [A.7.3]"""
    installed = Installed(replaces_slot=False)
    installed.install(a_profile(8.0))
    installed.install(a_profile(30.0, id=9, purpose="PriorityCharging"))
    assert offered(installed) == 8.0
    installed.has_priority = True
    assert offered(installed) == 30.0


def test_limits_per_phase_scale_the_second_and_third() -> None:
    """[F-3]"""
    installed = Installed(replaces_slot=False)
    installed.install(a_profile(period=Period(start_s=0, limit=20.0, limit_l2=10.0, limit_l3=5.0)))
    offer = installed.offer(1, NOON, THREE, in_transaction=True)
    assert (offer.limit_a, offer.phase_frac, offer.mode) == (20.0, (1.0, 0.5, 0.25), CHARGING_ONLY)


@given(st.permutations(range(4)), st.floats(-100, 400))
def test_the_order_of_installation_does_not_matter(order: list[int], seconds: float) -> None:
    """[A-60]"""
    found = [
        a_profile(6.0, id=1, evse=0, purpose="TxDefaultProfile", stack=0),
        a_profile(25.0, id=2, evse=0, purpose="ChargingStationMaxProfile", stack=0),
        a_profile(10.0, id=3, stack=1, duration_s=300),
        a_profile(30.0, id=4, stack=2, start_at=at(100), duration_s=50),
    ]
    first, second = Installed(replaces_slot=False), Installed(replaces_slot=False)
    for place in range(4):
        first.install(found[place])
        second.install(found[order[place]])
    assert offered(first, seconds) == offered(second, seconds)
    leading = [p for p in found[2:] if p.period_at(at(seconds), None) is not None]
    tx = max(leading, key=lambda p: p.stack, default=found[0] if seconds >= 0 else None)
    expected = 32.0 if tx is None else tx.periods[0].limit
    assert offered(first, seconds) == min(expected or 0.0, 25.0 if seconds >= 0 else 32.0)
