"""The composite schedule, one test per rule of A.7; the numbers are worked out by hand."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from loadmgr.domain.composite import Composite, Source, composite
from loadmgr.domain.profiles import (
    OperationMode,
    Profile,
    ProfileKind,
    ProfilePurpose,
    Recurrence,
    Running,
    Schedule,
    SchedulePeriod,
    StationContext,
    Wiring,
)
from loadmgr.errors import SiteModelError

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)
DAY_S, WEEK_S = 86_400.0, 604_800.0
DEFAULT, TX, MAX = ProfilePurpose.TX_DEFAULT, ProfilePurpose.TX, ProfilePurpose.STATION_MAX
EXTERNAL, PRIORITY, GENERATION = ProfilePurpose.EXTERNAL, ProfilePurpose.PRIORITY, ProfilePurpose.LOCAL_GENERATION
VERSIONS = pytest.mark.parametrize("ocpp", ["1.6", "2.0.1", "2.1"])
RUNS = Running(transaction="T", started_at=NOON, closed_at=NOON)


def periods(*values: tuple[float, float], **more: object) -> tuple[SchedulePeriod, ...]:
    return tuple(SchedulePeriod(start_s=s, limit=v, **more) for s, v in values)  # type: ignore[arg-type]


def a_profile(limit: float | tuple[SchedulePeriod, ...] = 16.0, **changes: object) -> Profile:
    schedule = {
        "unit": changes.pop("unit", "A"),
        "start_at": changes.pop("start_at", NOON - timedelta(hours=1)),
        "duration_s": changes.pop("duration_s", None),
        "is_local": changes.pop("is_local", False),
        "periods": limit if isinstance(limit, tuple) else periods((0, limit)),
    }
    given = {
        "id": 1,
        "evse": 1,
        "stack": 0,
        "purpose": DEFAULT,
        "kind": ProfileKind.ABSOLUTE,
        "schedules": (Schedule(**schedule),),  # type: ignore[arg-type]
        **changes,
    }
    if given["purpose"] in {MAX} and "evse" not in changes:
        given["evse"] = 0
    return Profile(**given)  # type: ignore[arg-type]


def what(
    *profiles: Profile,
    ocpp: str = "2.1",
    evse: int = 1,
    duration_s: float = 100,
    unit: str = "A",
    from_at: datetime = NOON,
    **context: object,
) -> Composite:
    wiring = {"wiring": {1: Wiring(current_max_a=32.0)}, **context}
    return composite(
        profiles,
        StationContext(ocpp=ocpp, **wiring),  # type: ignore[arg-type]
        evse=evse,
        from_at=from_at,
        duration_s=duration_s,
        unit=unit,  # type: ignore[arg-type]
    )


def limits(*profiles: Profile, **more: object) -> list[tuple[float, float]]:
    return [(p.start_s, p.limit) for p in what(*profiles, **more).periods]  # type: ignore[arg-type]


# A.7.1: profiles become intervals


@VERSIONS
def test_without_profiles_the_hardware_limits(ocpp: str) -> None:
    """A.7.5 item 3; 48 A, 33,120 W and three phases at 230 V where nothing is known."""
    plain = what(ocpp=ocpp, wiring={1: Wiring()}, unit="W").periods[0]
    assert (plain.limit, plain.n_phases, plain.sources) == (33_120.0, 3, (Source(),))
    assert limits(ocpp=ocpp, wiring={1: Wiring()}) == [(0, 48.0)]


@VERSIONS
def test_a_profile_that_begins_and_ends_leaves_gaps(ocpp: str) -> None:
    """Before its start and after its duration it says nothing [A-32]."""
    one = a_profile(10.0, start_at=NOON + timedelta(seconds=20), duration_s=30.0)
    assert limits(one, ocpp=ocpp) == [(0, 32.0), (20, 10.0), (50, 32.0)]


def test_periods_at_or_beyond_the_duration_never_run() -> None:
    one = a_profile(periods((0, 10), (30, 11), (40, 12)), start_at=NOON, duration_s=30.0)
    assert limits(one) == [(0, 10.0), (30, 32.0)]


def test_a_list_that_does_not_start_at_zero_has_a_hole() -> None:
    assert limits(a_profile(periods((10, 8)), start_at=NOON), ocpp="1.6") == [(0, 32.0), (10, 8.0)]


def test_validity_includes_its_begin_and_not_its_end() -> None:
    one = a_profile(8.0, valid_from=NOON + timedelta(seconds=10), valid_to=NOON + timedelta(seconds=11))
    assert limits(one) == [(0, 32.0), (10, 8.0), (11, 32.0)]
    assert limits(a_profile(8.0, valid_from=NOON)) == [(0, 8.0)]
    assert limits(a_profile(8.0, valid_to=NOON)) == [(0, 32.0)]


def test_in_16_an_absolute_profile_without_a_start_begins_with_its_receipt() -> None:
    one = a_profile(periods((0, 8), (30, 9)), start_at=None, received_at=NOON - timedelta(seconds=10))
    assert limits(one, ocpp="1.6") == [(0, 8.0), (20, 9.0)]


def test_a_profile_without_start_and_receipt_is_refused() -> None:
    with pytest.raises(SiteModelError, match="profile 1: neither its start"):
        what(a_profile(start_at=None), ocpp="1.6")


@pytest.mark.parametrize("days", [-30, 0, 30])
def test_a_daily_profile_comes_back_every_24_hours_from_any_start(days: int) -> None:
    """A.2: the latest recurrence at or before now, also for a start in the future."""
    start = NOON + timedelta(days=days, hours=1)
    one = a_profile(periods((0, 6), (3600, 20)), start_at=start, kind=ProfileKind.RECURRING, recurrence=Recurrence.DAILY)
    assert limits(one, duration_s=DAY_S + 7200) == [(0, 20.0), (3600, 6.0), (7200, 20.0), (3600 + DAY_S, 6.0)]


def test_a_recurring_schedule_shorter_than_its_recurrence_leaves_a_gap() -> None:
    """[A-11]; the level below fills it."""
    daily = a_profile(
        6.0, start_at=NOON, duration_s=3600.0, kind=ProfileKind.RECURRING, recurrence=Recurrence.DAILY, stack=1
    )
    below = a_profile(20.0, id=2)
    assert limits(daily, below, duration_s=DAY_S + 10) == [(0, 6.0), (3600, 20.0), (DAY_S, 6.0)]


def test_a_recurring_schedule_longer_than_its_recurrence_is_cut() -> None:
    """[A-11]"""
    values = periods((0, 6), (WEEK_S - 10, 20), (WEEK_S, 25))
    weekly = a_profile(
        values, start_at=NOON, duration_s=2 * WEEK_S, kind=ProfileKind.RECURRING, recurrence=Recurrence.WEEKLY
    )
    assert limits(weekly, duration_s=WEEK_S + 100) == [(0, 6.0), (WEEK_S - 10, 20.0), (WEEK_S, 6.0)]


BERLIN = ZoneInfo("Europe/Berlin")
WINTER = datetime(2026, 10, 24, 22, 0, tzinfo=BERLIN)  # the clocks go back that night: 25 hours


def test_recurrence_is_elapsed_time_over_a_clock_change() -> None:
    """[A-12]: the next one is 24 hours later, at 21:00 by the clock."""
    one = a_profile(periods((0, 6), (60, 9)), start_at=WINTER, kind=ProfileKind.RECURRING, recurrence=Recurrence.DAILY)
    assert limits(one, from_at=WINTER, duration_s=DAY_S + 1) == [(0, 6.0), (60, 9.0), (DAY_S, 6.0)]


def test_local_time_follows_the_clock_in_21() -> None:
    """[A-12] ``useLocalTime``: the next one is at 22:00 by the clock, 25 hours later."""
    start = WINTER.replace(tzinfo=None)
    one = a_profile(
        periods((0, 6), (60, 9)), start_at=start, is_local=True, kind=ProfileKind.RECURRING, recurrence=Recurrence.DAILY
    )
    found = limits(one, from_at=WINTER, duration_s=25 * 3600 + 1, zone=BERLIN)
    assert found == [(0, 6.0), (60, 9.0), (25 * 3600, 6.0)]
    spring = datetime(2026, 3, 28, 22, 0, tzinfo=BERLIN)
    assert limits(one, from_at=spring, duration_s=23 * 3600 + 1, zone=BERLIN)[-1] == (23 * 3600, 6.0)


@pytest.mark.parametrize(
    ("from_at", "found"),
    [
        # The clocks skip 02:30: it counts as 03:30, 20 minutes after the window begins.
        (datetime(2026, 3, 29, 1, 10, tzinfo=UTC), [(0, 9.0), (1200, 6.0), (1260, 9.0)]),
        # The clocks show 02:30 twice: the first one counts, 40 minutes before the window begins.
        (datetime(2026, 10, 25, 1, 10, tzinfo=UTC), [(0, 9.0)]),
        (datetime(2026, 10, 25, 0, 10, tzinfo=UTC), [(0, 9.0), (1200, 6.0), (1260, 9.0)]),
    ],
)
def test_a_wall_time_that_is_skipped_or_occurs_twice(from_at: datetime, found: list[tuple[float, float]]) -> None:
    start = datetime(2026, 1, 1, 2, 30)
    one = a_profile(
        periods((0, 6), (60, 9)), start_at=start, is_local=True, kind=ProfileKind.RECURRING, recurrence=Recurrence.DAILY
    )
    assert limits(one, from_at=from_at, duration_s=5400, zone=BERLIN) == found


def test_local_time_holds_for_absolute_profiles_too() -> None:
    one = a_profile(6.0, start_at=datetime(2026, 6, 10, 14, 0, 30), is_local=True)
    assert limits(one, zone=BERLIN) == [(0, 32.0), (30, 6.0)]


def test_local_time_without_a_zone_is_refused() -> None:
    with pytest.raises(SiteModelError, match="give the time zone"):
        what(a_profile(6.0, start_at=datetime(2026, 6, 10, 14, 0), is_local=True))


STEPS = periods((0, 6), (30, 9))


def relative(**changes: object) -> Profile:
    return a_profile(STEPS, start_at=None, kind=ProfileKind.RELATIVE, **changes)


def test_relative_counts_from_the_start_of_the_transaction_in_16() -> None:
    run = Running(started_at=NOON - timedelta(seconds=10), closed_at=NOON)
    assert limits(relative(), ocpp="1.6", running={1: run}) == [(0, 6.0), (20, 9.0)]


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_relative_counts_from_the_closed_power_path_in_2x(ocpp: str) -> None:
    """K01.FR.42"""
    run = Running(started_at=NOON - timedelta(seconds=25), closed_at=NOON - timedelta(seconds=5))
    assert limits(relative(), ocpp=ocpp, running={1: run}) == [(0, 6.0), (25, 9.0)]


@VERSIONS
def test_relative_without_a_transaction_counts_as_if_one_began_now(ocpp: str) -> None:
    """K08"""
    assert limits(relative(), ocpp=ocpp) == [(0, 6.0), (30, 9.0)]


def test_a_dynamic_profile_is_dormant_after_its_duration() -> None:
    """A.12: the duration counts from the last update; the level below applies meanwhile."""
    live = a_profile(
        10.0,
        kind=ProfileKind.DYNAMIC,
        start_at=None,
        duration_s=60.0,
        stack=1,
        updated_at=NOON - timedelta(seconds=15),
        received_at=NOON - timedelta(hours=2),
    )
    assert limits(live, a_profile(6.0, id=2)) == [(0, 10.0), (45, 6.0)]
    never = replace(live, updated_at=None, received_at=NOON - timedelta(seconds=5))
    assert limits(never, a_profile(6.0, id=2)) == [(0, 10.0), (55, 6.0)]


# A.7.2: who leads


@VERSIONS
def test_the_highest_level_with_a_period_now_leads(ocpp: str) -> None:
    """[A-32]; a lower level may well allow more or less."""
    top = a_profile(20.0, id=2, stack=3, start_at=NOON + timedelta(seconds=10), duration_s=10.0)
    assert limits(a_profile(8.0), top, ocpp=ocpp) == [(0, 8.0), (10, 20.0), (20, 8.0)]


def test_in_16_the_default_of_an_evse_beats_that_of_the_station_at_any_level() -> None:
    """[A-2]; where it has a gap, the one of the station applies."""
    own = a_profile(20.0, start_at=NOON, duration_s=50.0)
    everybody = a_profile(8.0, id=2, evse=0, stack=5)
    assert limits(own, everybody, ocpp="1.6") == [(0, 20.0), (50, 8.0)]
    assert limits(own, everybody, ocpp="2.0.1") == [(0, 8.0)]


@VERSIONS
def test_of_a_tie_the_last_installed_leads_else_the_lower(ocpp: str) -> None:
    first = a_profile(8.0, received_at=NOON - timedelta(seconds=2))
    second = a_profile(20.0, id=2, received_at=NOON - timedelta(seconds=1))
    assert limits(first, second, ocpp=ocpp) == [(0, 20.0)]
    assert limits(first, replace(second, received_at=None), ocpp=ocpp) == [(0, 8.0)]
    assert limits(first, replace(second, received_at=first.received_at), ocpp=ocpp) == [(0, 8.0)]


def test_one_profile_ends_in_the_second_in_which_the_next_begins() -> None:
    one = a_profile(8.0, start_at=NOON, duration_s=30.0)
    other = a_profile(9.0, id=2, start_at=NOON + timedelta(seconds=30))
    assert limits(one, other) == [(0, 8.0), (30, 9.0)]


# A.7.3: purposes are combined


@VERSIONS
def test_the_transaction_overrides_the_default_and_the_maximum_holds(ocpp: str) -> None:
    tx = a_profile(20.0, id=2, purpose=TX, transaction="T", start_at=NOON, duration_s=50.0)
    most = a_profile(18.0, id=3, purpose=MAX)
    found = what(a_profile(6.0), tx, most, ocpp=ocpp, running={1: RUNS})
    assert [(p.start_s, p.limit) for p in found.periods] == [(0, 18.0), (50, 6.0)]
    assert [p.sources for p in found.periods] == [
        (Source(purpose=MAX, profile=3),),
        (Source(purpose=DEFAULT, profile=1),),
    ]


@VERSIONS
def test_a_profile_counts_for_its_own_transaction_only(ocpp: str) -> None:
    """[A-3, A-4]"""
    tx = a_profile(20.0, purpose=TX, transaction="T")
    below = a_profile(6.0, id=2)
    assert limits(tx, below, ocpp=ocpp) == [(0, 6.0)], "nothing runs"
    assert limits(tx, below, ocpp=ocpp, running={1: Running(transaction="U")}) == [(0, 6.0)]
    assert limits(tx, below, ocpp=ocpp, running={1: Running()}) == [(0, 20.0)], "an unknown id fits any"
    two = {1: Wiring(), 2: Wiring()}
    assert limits(tx, below, ocpp=ocpp, evse=2, running={2: RUNS}, wiring=two) == [(0, 48.0)]


@pytest.mark.parametrize("ocpp", ["2.0.1", "2.1"])
def test_an_external_limit_holds_beside_the_others(ocpp: str) -> None:
    assert limits(a_profile(20.0), a_profile(9.0, id=2, evse=0, purpose=EXTERNAL), ocpp=ocpp) == [(0, 9.0)]


def test_priority_charging_replaces_the_transaction_only_while_active() -> None:
    """K21; the maximum of the station still holds."""
    tx = a_profile(6.0, purpose=TX, transaction="T")
    boost = a_profile(28.0, id=2, purpose=PRIORITY, evse=0)
    most = a_profile(25.0, id=3, purpose=MAX)
    assert limits(tx, boost, most, running={1: RUNS}) == [(0, 6.0)]
    assert limits(tx, boost, most, running={1: replace(RUNS, has_priority=True)}) == [(0, 25.0)]
    assert limits(tx, most, running={1: replace(RUNS, has_priority=True)}) == [(0, 6.0)]


def test_local_generation_is_added_but_never_above_the_hardware() -> None:
    """[A-93]"""
    most, sun = (
        a_profile(20.0, purpose=MAX),
        a_profile(5.0, id=2, evse=0, purpose=GENERATION, start_at=NOON, duration_s=50.0),
    )
    assert limits(most, sun) == [(0, 25.0), (50, 20.0)]
    lots = what(most, replace(sun, schedules=(replace(sun.schedules[0], periods=periods((0, 30))),)))
    assert (lots.periods[0].limit, lots.periods[0].sources) == (32.0, (Source(),))


def test_of_discharge_limits_the_one_nearest_to_zero_counts() -> None:
    tx = a_profile((SchedulePeriod(limit=20, discharge_limit=-15),), purpose=TX, transaction="T")
    grid = a_profile((SchedulePeriod(limit=30, discharge_limit=-8),), id=2, evse=0, purpose=EXTERNAL)
    assert what(tx, grid, running={1: RUNS}).periods[0].discharge_limit == -8
    assert what(tx, running={1: RUNS}).periods[0].discharge_limit == -15
    assert what(a_profile(8.0)).periods[0].discharge_limit is None


def setpoint(value: float, **changes: object) -> Profile:
    period = SchedulePeriod(setpoint=value, mode=OperationMode.CENTRAL_SETPOINT)
    return a_profile((period,), purpose=TX, transaction="T", **changes)


def test_a_setpoint_is_clipped_into_the_limits() -> None:
    """[A-100]; local generation counts for the upper one."""
    grid = a_profile((SchedulePeriod(limit=12, discharge_limit=-8),), id=2, evse=0, purpose=EXTERNAL)
    assert what(setpoint(20.0), grid, running={1: RUNS}).periods[0].setpoint == 12
    assert what(setpoint(-20.0), grid, running={1: RUNS}).periods[0].setpoint == -8
    assert what(setpoint(-20.0), running={1: RUNS}).periods[0].setpoint == -20
    assert what(setpoint(40.0), running={1: RUNS}).periods[0].setpoint == 32, "the hardware"
    sun = a_profile(5.0, id=3, evse=0, purpose=GENERATION)
    assert what(setpoint(20.0), grid, sun, running={1: RUNS}).periods[0].setpoint == 17


def test_of_two_setpoints_the_priority_decides() -> None:
    """``SetpointPriority``: the external one unless the CSMS leads."""
    period = SchedulePeriod(limit=30, setpoint=5, mode=OperationMode.EXTERNAL_SETPOINT)
    outside = a_profile((period,), id=2, evse=0, purpose=EXTERNAL)
    assert what(setpoint(9.0), outside, running={1: RUNS}).periods[0].setpoint == 5
    assert what(setpoint(9.0), outside, running={1: RUNS}, is_csms_setpoint_first=True).periods[0].setpoint == 9


def test_a_setpoint_of_the_transaction_keeps_the_default_out() -> None:
    assert limits(setpoint(9.0), a_profile(6.0, id=2), running={1: RUNS}) == [(0, 32.0)]


def test_idle_means_no_power_at_all() -> None:
    """A.11"""
    idle = what(a_profile((SchedulePeriod(mode=OperationMode.IDLE),))).periods[0]
    assert (idle.limit, idle.discharge_limit, idle.setpoint) == (0.0, 0.0, None)


def test_the_fewest_phases_count_in_21_and_those_of_the_deciding_profile_before() -> None:
    """K01.FR.140"""
    single = a_profile(periods((0, 20), n_phases=1))
    most = a_profile(periods((0, 10), n_phases=3), id=2, purpose=MAX)
    assert what(single, most, ocpp="2.1").periods[0].n_phases == 1
    assert what(single, most, ocpp="2.0.1").periods[0].n_phases == 3
    small = {1: Wiring(n_phases=1)}
    assert what(a_profile(8.0), ocpp="1.6", wiring=small).periods[0].n_phases == 1, "never more than the EVSE has"


def test_offline_profiles_end_after_their_offline_time() -> None:
    """[A-104]; 0 means at once, and absent means never."""
    away = NOON - timedelta(seconds=10)
    top = a_profile(20.0, stack=2, offline_max_s=40.0)
    below = a_profile(6.0, id=2)
    assert limits(top, below, offline_since=away) == [(0, 20.0), (30, 6.0)]
    assert limits(replace(top, offline_max_s=0.0), below, offline_since=away) == [(0, 6.0)]
    assert limits(replace(top, offline_max_s=None), below, offline_since=away) == [(0, 20.0)]
    assert limits(top, below) == [(0, 20.0)]


def test_the_car_chooses_among_the_schedules_of_its_transaction() -> None:
    tx = a_profile(10.0, purpose=TX, transaction="T")
    both = replace(tx, schedules=(tx.schedules[0], replace(tx.schedules[0], no=2, periods=periods((0, 14)))))
    assert limits(both, running={1: RUNS}) == [(0, 10.0)]
    assert limits(both, running={1: replace(RUNS, schedule_no=2)}) == [(0, 14.0)]


def test_limits_per_phase_stay_per_phase() -> None:
    """A.3 ``limit_L2``: in A each phase has its own, in W they add up."""
    period = SchedulePeriod(limit=16, limit_l2=10, limit_l3=8)
    tx = a_profile((period,), purpose=TX, transaction="T")
    most = a_profile(9.0, id=2, purpose=MAX)
    one = what(tx, most, running={1: RUNS}).periods[0]
    assert (one.limit, one.limit_l2, one.limit_l3) == (9.0, None, 8.0)
    assert limits(tx, running={1: RUNS}, unit="W") == [(0, 230.0 * 34)]


# A.7.4: the station


@VERSIONS
def test_the_station_is_the_sum_of_its_evses_and_at_most_its_maximum(ocpp: str) -> None:
    two = {1: Wiring(current_max_a=32), 2: Wiring(current_max_a=16)}
    most = a_profile(40.0, id=2, purpose=MAX, start_at=NOON + timedelta(seconds=10))
    assert limits(evse=0, ocpp=ocpp, wiring=two) == [(0, 48.0)]
    assert limits(most, evse=0, ocpp=ocpp, wiring=two) == [(0, 48.0), (10, 40.0)]
    assert limits(a_profile(10.0, evse=0), most, evse=0, ocpp=ocpp, wiring=two) == [(0, 20.0)], "[A-1] each gets it"


def test_a_maximum_shared_by_two_is_shown_whole_on_each() -> None:
    """A.7.4: how a station splits it is its own business."""
    two = {1: Wiring(current_max_a=32), 2: Wiring(current_max_a=32)}
    most = a_profile(40.0, purpose=MAX)
    assert limits(most, wiring=two) == [(0, 32.0)]
    assert limits(most, evse=0, wiring=two) == [(0, 40.0)]


def test_generation_of_the_station_is_added_once() -> None:
    two = {1: Wiring(current_max_a=32), 2: Wiring(current_max_a=32)}
    sun = a_profile(5.0, evse=0, purpose=GENERATION)
    outside = a_profile(20.0, id=2, evse=0, purpose=EXTERNAL)
    assert limits(sun, outside, evse=0, wiring=two) == [(0, 25.0)]


def test_an_external_setpoint_on_the_station_is_one_for_all_of_it() -> None:
    """A.7.4: it is not counted once per EVSE."""
    two = {1: Wiring(current_max_a=32), 2: Wiring(current_max_a=32)}
    period = SchedulePeriod(limit=60, setpoint=20, mode=OperationMode.EXTERNAL_SETPOINT)
    outside = a_profile((period,), id=2, evse=0, purpose=EXTERNAL)
    assert what(outside, evse=0, wiring=two).periods[0].setpoint == 20
    runs = {"evse": 0, "wiring": two, "running": {1: RUNS}}
    assert what(outside, setpoint(9.0), is_csms_setpoint_first=True, **runs).periods[0].setpoint == 29  # type: ignore[arg-type]


# A.7.5: units and merging


def test_units_are_converted_before_the_minimum_with_the_period_s_phases() -> None:
    """[A-70]: 7,360 W on one phase is 32 A, on three phases 10.67 A; the nominal voltage counts."""
    one = a_profile(periods((0, 7360), n_phases=1), unit="W")
    most = a_profile(20.0, id=2, purpose=MAX)
    assert limits(one, most) == [(0, 20.0)]
    assert limits(replace(one, schedules=a_profile(7360.0, unit="W").schedules), most)[0][1] == pytest.approx(
        10.667, abs=1e-3
    )
    assert limits(one, most, unit="W") == [(0, 7360.0)], "7,360 W is below 20 A on three phases"
    assert limits(one, wiring={1: Wiring(voltage_v=115.0, current_max_a=80.0)}) == [(0, 64.0)]


def test_neighbours_with_the_same_values_become_one_and_keep_their_sources() -> None:
    one = a_profile(8.0, start_at=NOON, duration_s=30.0, stack=1)
    below = a_profile(8.0, id=2)
    found = what(one, below).periods
    assert [(p.start_s, p.limit) for p in found] == [(0, 8.0)]
    assert [s.profile for s in found[0].sources] == [1, 2]


def test_the_window_begins_at_zero_and_cuts_at_its_end() -> None:
    one = a_profile(periods((0, 8), (100, 9)), start_at=NOON)
    assert limits(one, duration_s=100) == [(0, 8.0)]
    assert limits(one, duration_s=100.5) == [(0, 8.0), (100, 9.0)]
    assert what(one).at(1e9) == what(one).periods[-1]
    assert what(one).at(-1) == what(one).periods[0]


def test_fractions_of_seconds_do_not_break_ties() -> None:
    begin = NOON + timedelta(microseconds=300_000)
    one = a_profile(8.0, start_at=begin, duration_s=2.0)
    other = a_profile(9.0, id=2, start_at=begin + timedelta(seconds=2))
    assert limits(one, other) == [(0, 32.0), (0.3, 8.0), (2.3, 9.0)]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"evse": 3}, "EVSE 3 is not known"),
        ({"wiring": {}, "evse": 0}, "EVSE 0 is not known"),
        ({"duration_s": 0}, "positive duration"),
        ({"duration_s": float("inf")}, "positive duration"),
        ({"from_at": NOON.replace(tzinfo=None)}, "time zone"),
        ({"ocpp": "3.0"}, r"'3\.0'"),
    ],
)
def test_a_question_without_sense_is_refused(changes: dict[str, object], words: str) -> None:
    with pytest.raises(SiteModelError, match=words):
        what(a_profile(8.0), **changes)  # type: ignore[arg-type]


def test_what_a_version_does_not_have_is_refused_and_not_left_out() -> None:
    with pytest.raises(SiteModelError, match="no purpose priority"):
        what(a_profile(8.0, purpose=PRIORITY), ocpp="2.0.1")
    with pytest.raises(SiteModelError, match="no dynamic"):
        what(a_profile(8.0, kind=ProfileKind.DYNAMIC, start_at=None), ocpp="1.6")


def test_a_thousand_periods_on_many_days_are_no_burden() -> None:
    """Work grows with the number of boundaries, not with its square: 30 days of 1,000 periods."""
    values = periods(*((float(s * 60), 6.0 + s % 7) for s in range(1000)))
    daily = a_profile(values, start_at=NOON, kind=ProfileKind.RECURRING, recurrence=Recurrence.DAILY)
    assert len(what(daily, duration_s=30 * DAY_S).periods) == 30_000
