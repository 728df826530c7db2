"""The composite schedule equals a slow reference written from the rules, and keeps the properties of [A-60]."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadmgr.domain.composite import Composite, composite
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
    purposes_of,
)
from tests.support import composite_reference as reference

SPAN_S = 24
ZONE = ZoneInfo("Europe/Berlin")
BEGINS = (
    datetime(2026, 6, 10, 12, 0, tzinfo=UTC),
    datetime(2026, 3, 29, 0, 59, 50, tzinfo=UTC),  # ten seconds before the clocks go forward
    datetime(2026, 10, 25, 0, 59, 50, tzinfo=UTC),  # ten seconds before they go back
)
# Few values on a small grid: equal boundaries, equal limits and equal stack levels come up all the time.
OFFSETS = st.sampled_from([-9, -4, 0, 3, 4, 8, 12, 20, 23, 24, 30])
LENGTHS = st.sampled_from([0, 1, 3, 4, 8, 12, 40])
AMPS = st.sampled_from([0.0, 6.0, 10.0, 13.7, 16.0, 32.0, 60.0])
WATTS = st.sampled_from([0.0, 1380.0, 4140.0, 6900.0, 7360.0, 22080.0])
QUICK = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])


@dataclass(frozen=True)
class Case:
    profiles: tuple[Profile, ...]
    context: StationContext
    evse: int
    from_at: datetime
    unit: str

    def computed(self, **changes: object) -> Composite:
        given_ = {"evse": self.evse, "from_at": self.from_at, "duration_s": SPAN_S, "unit": self.unit, **changes}
        profiles = given_.pop("profiles", self.profiles)
        return composite(profiles, self.context, **given_)  # type: ignore[arg-type]


@st.composite
def a_period(draw: st.DrawFn, start_s: int, unit: str, ocpp: str, purpose: ProfilePurpose) -> SchedulePeriod:
    level = AMPS if unit == "A" else WATTS
    limit = draw(level)
    n_phases = draw(st.sampled_from([None, 1, 3]))
    if ocpp == "2.1" and purpose in {ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT, ProfilePurpose.EXTERNAL}:
        kind = draw(st.sampled_from(["plain", "discharge", "setpoint", "idle"]))
        if kind == "discharge":
            return SchedulePeriod(start_s=start_s, limit=limit, discharge_limit=-draw(level), n_phases=n_phases)
        if kind == "setpoint":
            setpoint = draw(level) * draw(st.sampled_from([1, -1]))
            mode = OperationMode.CENTRAL_SETPOINT
            return SchedulePeriod(start_s=start_s, setpoint=setpoint, n_phases=n_phases, mode=mode)
        if kind == "idle" and purpose is not ProfilePurpose.EXTERNAL:
            return SchedulePeriod(start_s=start_s, mode=OperationMode.IDLE)
    return SchedulePeriod(start_s=start_s, limit=limit, n_phases=n_phases)


@st.composite
def a_schedule(draw: st.DrawFn, no: int, kind: ProfileKind, ocpp: str, about: tuple[ProfilePurpose, datetime]) -> Schedule:
    purpose, from_at = about
    starts = (
        [0] if kind is ProfileKind.DYNAMIC else sorted(draw(st.sets(st.sampled_from([0, 2, 4, 7, 8]), max_size=3)) | {0})
    )
    if kind is ProfileKind.ABSOLUTE and ocpp == "1.6" and len(starts) > 1 and draw(st.booleans()):
        starts = starts[1:]  # a list that does not start at 0: a hole [A.7.1]
    unit = draw(st.sampled_from(["A", "W"]))
    start_at, is_local = None, False
    if kind in {ProfileKind.ABSOLUTE, ProfileKind.RECURRING}:
        start_at = from_at + timedelta(seconds=draw(OFFSETS))
        if kind is ProfileKind.RECURRING:
            start_at += timedelta(days=draw(st.sampled_from([-14, -7, -1, 0, 1, 7])))
            start_at += timedelta(hours=draw(st.sampled_from([-1, 0, 0, 1])))
        if ocpp == "2.1" and draw(st.booleans()):
            start_at, is_local = start_at.astimezone(ZONE).replace(tzinfo=None), True
        elif kind is ProfileKind.ABSOLUTE and ocpp == "1.6" and draw(st.sampled_from([True, False, False])):
            start_at = None
    long = [86_390, 86_400, 86_410] if kind is ProfileKind.RECURRING else []
    duration_s = draw(st.sampled_from([None, *long]) | LENGTHS)
    return Schedule(
        no=no,
        unit=unit,
        start_at=start_at,
        duration_s=duration_s,
        is_local=is_local,
        periods=tuple(draw(a_period(s, unit, ocpp, purpose)) for s in starts),
    )


@st.composite
def a_profile(draw: st.DrawFn, profile_id: int, about: tuple[str, list[ProfilePurpose]], from_at: datetime) -> Profile:
    ocpp, purposes = about
    purpose = draw(st.sampled_from(purposes))
    kinds = [ProfileKind.ABSOLUTE, ProfileKind.ABSOLUTE, ProfileKind.RECURRING]
    kinds += [ProfileKind.RELATIVE] if purpose is not ProfilePurpose.STATION_MAX or ocpp == "1.6" else []
    kinds += [ProfileKind.DYNAMIC] if ocpp == "2.1" else []
    kind = draw(st.sampled_from(kinds))
    evse = draw(st.sampled_from({"tx": [1, 1, 2], "station-max": [0]}.get(purpose, [0, 1, 1])))
    n_schedules = (
        draw(st.sampled_from([1, 2])) if purpose is ProfilePurpose.TX and ocpp != "1.6" and kind != "dynamic" else 1
    )
    moment = st.none() | st.builds(lambda s: from_at + timedelta(seconds=s), OFFSETS)
    is_bounded = draw(st.booleans())
    received_at = from_at - timedelta(seconds=draw(st.sampled_from([1, 1, 5])))
    may_forget = kind is not ProfileKind.DYNAMIC and ocpp != "1.6"
    return Profile(
        id=profile_id,
        evse=evse,
        stack=draw(st.sampled_from([0, 0, 1, 2])),
        purpose=purpose,
        kind=kind,
        schedules=tuple(draw(a_schedule(n + 1, kind, ocpp, (purpose, from_at))) for n in range(n_schedules)),
        recurrence=draw(st.sampled_from(list(Recurrence))) if kind is ProfileKind.RECURRING else None,
        valid_from=draw(moment) if is_bounded else None,
        valid_to=draw(moment) if is_bounded else None,
        transaction=draw(st.sampled_from(["T", "T", "", "other"])) if purpose is ProfilePurpose.TX else "",
        received_at=None if may_forget and draw(st.booleans()) else received_at,
        updated_at=from_at + timedelta(seconds=draw(OFFSETS))
        if kind is ProfileKind.DYNAMIC and draw(st.booleans())
        else None,
        offline_max_s=draw(st.sampled_from([None, 0, 4, 12])) if ocpp == "2.1" else None,
    )


@st.composite
def a_run(draw: st.DrawFn, from_at: datetime) -> Running | None:
    if not draw(st.sampled_from([True, True, False])):
        return None
    at = from_at + timedelta(seconds=draw(st.sampled_from([-12, -4, 0, 4])))
    return Running(
        transaction=draw(st.sampled_from(["T", ""])),
        started_at=at,
        closed_at=draw(st.sampled_from([None, at + timedelta(seconds=4)])),
        has_priority=draw(st.booleans()),
        schedule_no=draw(st.sampled_from([None, 2, 3])),
    )


@st.composite
def a_case(draw: st.DrawFn, ocpp: str) -> Case:
    from_at = draw(st.sampled_from(BEGINS))
    # Few purposes at a time, so that profiles of one purpose and pairs of purposes meet often.
    purposes = draw(st.lists(st.sampled_from(sorted(purposes_of(ocpp))), min_size=1, max_size=3, unique=True))
    profiles = tuple(draw(a_profile(n, (ocpp, purposes), from_at)) for n in range(draw(st.integers(0, 5))))
    runs = {n: run for n in (1, 2) if (run := draw(a_run(from_at))) is not None}
    is_offline = ocpp == "2.1" and draw(st.booleans())
    context = StationContext(
        ocpp=ocpp,
        wiring={1: Wiring(current_max_a=32.0), 2: Wiring(voltage_v=230.0, n_phases=1, current_max_a=16.0)},
        running=runs,
        offline_since=from_at - timedelta(seconds=draw(st.sampled_from([-3, 0, 4]))) if is_offline else None,
        zone=ZONE,
        is_csms_setpoint_first=draw(st.booleans()),
    )
    unit = draw(st.sampled_from(["A", "W"]))
    return Case(draw(st.permutations(profiles)), context, draw(st.sampled_from([0, 1, 1, 2])), from_at, unit)


def about(value: float | None) -> object:
    return None if value is None else pytest.approx(value, rel=1e-9, abs=1e-6)


def shown(case: Case, result: Composite) -> list[reference.Second]:
    found = []
    for second in range(SPAN_S):
        p = result.at(second)
        found.append(reference.Second(p.limit, p.discharge_limit, p.setpoint, p.n_phases))
    return found


def equals_the_reference(case: Case) -> None:
    result = case.computed()
    expected = reference.seconds(case.profiles, case.context, case.evse, case.from_at, SPAN_S, case.unit)
    for second, (got, wanted) in enumerate(zip(shown(case, result), expected, strict=True)):
        assert got.limit == about(wanted.limit), second
        assert got.discharge == about(wanted.discharge), second
        assert got.setpoint == about(wanted.setpoint), second
        assert got.n_phases == wanted.n_phases, second
    assert result.periods[0].start_s == 0
    assert all(p.start_s < SPAN_S and p.start_s == int(p.start_s) for p in result.periods)
    for one, other in zip(result.periods, result.periods[1:], strict=False):
        assert one.start_s < other.start_s
        assert replace(one, start_s=0, sources=()) != replace(other, start_s=0, sources=()), "neighbours are merged [A.7.5]"


@QUICK
@given(a_case("1.6"))
def test_in_16_it_equals_the_reference(case: Case) -> None:
    equals_the_reference(case)


@QUICK
@given(a_case("2.0.1"))
def test_in_201_it_equals_the_reference(case: Case) -> None:
    equals_the_reference(case)


@QUICK
@given(a_case("2.1"))
def test_in_21_it_equals_the_reference(case: Case) -> None:
    equals_the_reference(case)


CASES = st.sampled_from(["1.6", "2.0.1", "2.1"]).flatmap(a_case)
PROPERTY = settings(QUICK, max_examples=40)


@PROPERTY
@given(CASES, st.randoms())
def test_the_order_of_the_profiles_does_not_matter(case: Case, chance: object) -> None:
    """[A-60]"""
    mixed = list(case.profiles)
    chance.shuffle(mixed)  # type: ignore[attr-defined]
    assert case.computed(profiles=tuple(mixed)) == case.computed()


def split(profile: Profile, after_s: float) -> Profile:
    """The same profile with every period cut in two where that is possible."""
    if profile.kind is ProfileKind.DYNAMIC:
        return profile
    schedules = []
    for schedule in profile.schedules:
        starts = {p.start_s for p in schedule.periods}
        more = [replace(p, start_s=p.start_s + after_s) for p in schedule.periods]
        ends = [*(p.start_s for p in schedule.periods[1:]), float("inf")]
        fitting = [m for m, end in zip(more, ends, strict=True) if m.start_s < end and m.start_s not in starts]
        both = sorted([*schedule.periods, *fitting], key=lambda p: p.start_s)
        schedules.append(replace(schedule, periods=tuple(both)))
    return replace(profile, schedules=tuple(schedules))


@PROPERTY
@given(CASES, st.sampled_from([0.25, 1.0, 3.0]))
def test_splitting_periods_changes_nothing(case: Case, after_s: float) -> None:
    """[A-60]"""
    assert case.computed(profiles=tuple(split(p, after_s) for p in case.profiles)) == case.computed()


@PROPERTY
@given(CASES)
def test_it_is_below_the_hardware_and_every_purpose(case: Case) -> None:
    """[A-60]; local generation is added on top by its nature, so it is left out here."""
    kept = tuple(p for p in case.profiles if p.purpose is not ProfilePurpose.LOCAL_GENERATION)
    result = case.computed(profiles=kept)
    numbers = {0} if case.evse == 0 else {0, case.evse}
    for second in range(SPAN_S):
        times = (case.from_at + timedelta(seconds=second), case.from_at)
        for purpose in (ProfilePurpose.STATION_MAX, ProfilePurpose.EXTERNAL):
            led = reference.lead(kept, purpose, (case.evse, numbers), case.context, times, case.unit)
            if led is not None and led.limit is not None:
                assert result.at(second).limit <= led.limit + 1e-6
        most = [case.context.wiring[n].most(case.unit) for n in ((1, 2) if case.evse == 0 else (case.evse,))]  # type: ignore[arg-type]
        assert 0 <= result.at(second).limit <= sum(most) + 1e-6


@PROPERTY
@given(CASES, AMPS)
def test_a_tighter_maximum_never_raises_it(case: Case, most_a: float) -> None:
    period = SchedulePeriod(limit=most_a)
    schedule = Schedule(unit="A", periods=(period,), start_at=case.from_at - timedelta(days=1))
    more = Profile(
        id=99,
        evse=0,
        stack=9,
        purpose=ProfilePurpose.STATION_MAX,
        kind=ProfileKind.ABSOLUTE,
        schedules=(schedule,),
    )
    plain = tuple(p for p in case.profiles if p.purpose is not ProfilePurpose.STATION_MAX)
    before, after = case.computed(profiles=plain), case.computed(profiles=(*plain, more))
    for second in range(SPAN_S):
        assert after.at(second).limit <= before.at(second).limit + 1e-9


@PROPERTY
@given(CASES)
def test_a_window_begun_later_says_the_same(case: Case) -> None:
    """Only profiles without any time base depend on where the window begins (K08), so Relative ones are left out."""
    kept = tuple(p for p in case.profiles if p.kind is not ProfileKind.RELATIVE)
    whole = case.computed(profiles=kept)
    late = case.computed(profiles=kept, from_at=case.from_at + timedelta(seconds=7), duration_s=SPAN_S - 7)
    for second in range(SPAN_S - 7):
        one, other = whole.at(second + 7), late.at(second)
        assert (one.limit, one.setpoint, one.discharge_limit) == (other.limit, other.setpoint, other.discharge_limit)


@PROPERTY
@given(st.sampled_from(["1.6", "2.0.1"]).flatmap(a_case), st.sampled_from([1, 3]))
def test_another_unit_and_back_differs_by_rounding_only(case: Case, n_phases: int) -> None:
    """[A-60]: with one number of phases throughout, W divided by V and phases is A, within 0.1 A."""
    schedules = {
        p.id: tuple(replace(s, periods=tuple(replace(x, n_phases=n_phases) for x in s.periods)) for s in p.schedules)
        for p in case.profiles
    }
    alike = tuple(replace(p, schedules=schedules[p.id]) for p in case.profiles)
    context = replace(case.context, wiring={1: Wiring(n_phases=n_phases), 2: Wiring(n_phases=n_phases)})
    same = replace(case, context=context)
    amps, watts = same.computed(profiles=alike, unit="A"), same.computed(profiles=alike, unit="W")
    for second in range(SPAN_S):
        assert abs(watts.at(second).limit / 230.0 / n_phases - amps.at(second).limit) <= 0.1
