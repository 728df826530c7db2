"""Times of values: which of a message are of now, and what a station's clock may be off before nothing counts [B24, B30]."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain import events as ev
from loadmgr.domain.ids import StationId
from loadmgr.domain.samples import Quality
from loadmgr.ocpp import detect
from loadmgr.ocpp.charger import Charger
from loadmgr.ocpp.metering import Reading
from loadmgr.ocpp.sampling import samples
from loadmgr.ocpp.station_clock import AGREE_N, AGREE_OVER_S, LIVE_S, PLUGGED_S, StationClock
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk
from tests.support.builders import a_site

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
HOUR_S = 3600.0
OFF = st.floats(2.0 * LIVE_S, 24.0 * HOUR_S)


def after(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def a_desk(clock: StationClock | None = None) -> Desk:
    site = a_site(n=1)
    (station,) = site.stations
    return Desk(
        station=station,
        site=site,
        transactions=Transactions(),
        heartbeat_s=300,
        accept=None,
        clock=clock or StationClock(),
    )


def say(desk: Desk, *entries: tuple[float | None, float], now: datetime = NOW) -> list[ev.MeterSample]:
    """The samples of a message; each entry is (seconds after ``now`` by the station, or no time; current)."""
    said = [
        (None if at_s is None else now + timedelta(seconds=at_s), [Reading(value=a, measurand="Current.Import")])
        for at_s, a in entries
    ]
    found = list(samples(desk, 1, said, (None, now), is_history=False))
    return [e for e in found if isinstance(e, ev.MeterSample)]


def live(found: Iterable[ev.MeterSample]) -> list[float]:
    return [s.measured.current_a[0] for s in found if s.quality is not Quality.HISTORY and s.measured.current_a]


def a_proven(offset_s: float) -> StationClock:
    """The clock of a station that was seen to be so far behind, with states and values."""
    clock = StationClock()
    clock.heard(after(-offset_s), NOW, may_wait=False)
    steady(clock, offset_s)
    return clock


def steady(
    clock: StationClock, lag_s: float, *, n: int = AGREE_N, every_s: float = 15.0, from_s: float = 0.0
) -> float | None:
    found = None
    for i in range(n):
        now = after(from_s + i * every_s)
        found = clock.heard(now - timedelta(seconds=lag_s), now, may_wait=True)
    return found


ODD = st.one_of(st.none(), st.floats(-1e8, -2.0 * LIVE_S), st.floats(2.0 * LIVE_S, 1e8))


@given(
    st.lists(st.tuples(ODD, st.floats(8.0, 30.0)), max_size=6),
    st.integers(0, 6),
    st.sampled_from([0.0, 8 * HOUR_S, -HOUR_S]),
)
def test_b24_beside_a_value_of_now_no_other_one_counts(
    others: list[tuple[float | None, float]], place: int, offset_s: float
) -> None:
    """[B24, C-23] Wherever it stands, and by the station's clock as far as that is known."""
    mixed = [
        (None if at_s is None else at_s - offset_s, a) for at_s, a in others if at_s is None or abs(at_s - offset_s) > LIVE_S
    ]
    mixed.insert(place % (len(mixed) + 1), (-offset_s, 7.0))
    found = say(a_desk(a_proven(offset_s)), *mixed)
    assert live(found) == [7.0]
    assert len(found) == len(mixed)
    assert [s.measured_at for s in found] == sorted(s.measured_at for s in found)


def test_b25_a_value_without_a_readable_time_is_one_of_now_when_it_stands_alone() -> None:
    """[B25]"""
    assert live(say(a_desk(), (None, 7.0))) == [7.0]
    assert live(say(a_desk(), (None, 7.0), (-2.0 * LIVE_S, 9.0))) == [7.0]


@pytest.mark.parametrize("at_s", [-LIVE_S - 1.0, LIVE_S + 1.0])
def test_b24_a_value_from_another_time_is_kept_and_does_not_count(at_s: float) -> None:
    """[B24, C-24]"""
    (found,) = say(a_desk(), (at_s, 7.0))
    assert found.quality is Quality.HISTORY
    assert found.measured_at == after(min(at_s, 0.0))


@given(st.floats(60.0, 48.0 * HOUR_S), st.floats(1.0, 900.0), st.floats(1.5, 1000.0), st.booleans())
def test_c05_a_queue_of_old_values_is_never_live(age_s: float, every_s: float, pace: float, says_state: bool) -> None:
    """[C05, C-24, D-3] Its lag shrinks, whatever the interval, as long as it is delivered faster than it was filled."""
    clock, now_s, said_s = StationClock(), 0.0, -age_s
    if says_state:
        clock.heard(after(-age_s), NOW, may_wait=False)
    for _ in range(200):
        if now_s - said_s <= LIVE_S + 0.1:
            break
        assert not clock.read(after(said_s), after(now_s))[1]
        clock.heard(after(said_s), after(now_s), may_wait=True)
        assert clock.behind_s == 0.0
        now_s, said_s = now_s + every_s / pace, said_s + every_s


@given(OFF)
def test_c05_a_queue_that_never_gets_shorter_is_no_slow_clock(lag_s: float) -> None:
    """[C05] One in, one out: the lag stays, but what does not wait says that the clock is right, or nothing says it."""
    for states in ((), (0.0,), (lag_s, 0.0)):
        clock = StationClock()
        for state_lag_s in states:
            clock.heard(after(-state_lag_s), NOW, may_wait=False)
        assert steady(clock, lag_s, n=100) == pytest.approx(lag_s)
        assert clock.behind_s == 0.0
        assert not clock.read(after(-lag_s), NOW)[1]


@given(OFF, st.floats(0.0, 50.0))
def test_b30_values_of_a_slow_clock_count_once_states_confirm_it_and_old_ones_never(offset_s: float, age_s: float) -> None:
    """[B30, G-52]"""
    clock = a_proven(offset_s)
    measured_at, is_live = clock.read(after(-offset_s - age_s), NOW)
    assert is_live
    assert abs((after(-age_s) - measured_at).total_seconds()) < 1e-3
    assert not clock.read(after(-offset_s - LIVE_S - 1.0), NOW)[1]
    assert clock.read(NOW, NOW) == (NOW, True)  # it has put its clock right


@given(OFF, st.floats(0.0, 50.0))
def test_b30_values_of_a_fast_clock_count_once_they_are_steady_and_old_ones_never(offset_s: float, age_s: float) -> None:
    """[B30, G-52] Nothing can have waited for less than no time: no state is needed."""
    clock = StationClock()
    assert not clock.read(after(offset_s), NOW)[1]
    steady(clock, -offset_s)
    measured_at, is_live = clock.read(after(offset_s - age_s), NOW)
    assert is_live
    assert abs((after(-age_s) - measured_at).total_seconds()) < 1e-3
    assert not clock.read(after(offset_s - LIVE_S - 1.0), NOW)[1]
    assert not clock.read(NOW, NOW)[1]  # as old as the clock is ahead, for all that is known
    steady(clock, 0.0, from_s=HOUR_S)
    assert clock.read(NOW, NOW)[1]


@pytest.mark.parametrize(
    ("n", "every_s", "is_proof"),
    [
        (AGREE_N, AGREE_OVER_S / (AGREE_N - 1), True),
        (AGREE_N - 1, AGREE_OVER_S, False),
        (AGREE_N, AGREE_OVER_S / AGREE_N, False),
    ],
)
def test_b30_a_few_values_or_a_short_time_prove_nothing(n: int, every_s: float, is_proof: bool) -> None:
    """[B30]"""
    clock = StationClock()
    clock.heard(after(-HOUR_S), NOW, may_wait=False)
    assert (steady(clock, HOUR_S, n=n, every_s=every_s) is not None) == is_proof
    assert clock.behind_s == (HOUR_S if is_proof else 0.0)


def test_b30_values_that_disagree_prove_nothing() -> None:
    """[B30]"""
    clock = StationClock()
    for i in range(100):
        assert clock.heard(after(i * 15.0 - 20.0 * (i % 2)), after(i * 15.0), may_wait=True) is None


@pytest.mark.parametrize(("after_s", "behind_s"), [(PLUGGED_S, HOUR_S), (PLUGGED_S + 1.0, 0.0), (None, 0.0)])
def test_b30_a_begin_that_was_seen_confirms_where_states_carry_no_time(after_s: float | None, behind_s: float) -> None:
    """[B30] 1.6: the time of a state is optional."""
    clock, began_s = StationClock(), after_s or 0.0
    if after_s is not None:
        clock.plugged(NOW)
    clock.began(after(began_s - HOUR_S), after(began_s))
    steady(clock, HOUR_S)
    assert clock.behind_s == behind_s


def test_b30_what_an_earlier_link_proved_confirms_unless_a_state_says_otherwise() -> None:
    """[B30] On each link values must prove it anew: it may have put its clock right while nobody listened."""
    clock = StationClock(before_s=HOUR_S)
    assert not clock.read(after(-HOUR_S), NOW)[1]
    steady(clock, HOUR_S)
    assert clock.behind_s == HOUR_S
    other = StationClock(before_s=HOUR_S)
    other.heard(NOW, NOW, may_wait=False)
    steady(other, HOUR_S)
    assert other.behind_s == 0.0


@pytest.mark.parametrize(
    ("at_most_s", "behind_s", "known_s", "found"),
    [
        (28_800.0, 28_800.0, None, (28_860.0,)),
        (28_800.0, 28_800.0, 70.0, (28_860.0,)),
        (28_800.0, 28_800.0, 28_860.0, None),
        (28_800.0, 0.0, None, None),
        (28_800.0, 0.0, 28_860.0, None),
        (0.0, 0.0, None, None),
        (0.0, 0.0, 120.0, None),
        (0.0, 0.0, 28_860.0, ()),
        (-3600.0, -3600.0, 28_860.0, ()),
        (1800.0, 1800.0, 28_860.0, (1860.0,)),
    ],
)
def test_g9_schedules_begin_where_the_proven_clock_needs_it(
    at_most_s: float, behind_s: float, known_s: float | None, found: tuple[float, ...] | None
) -> None:
    """[G-9, A-31, B30] Neither in the station's future nor so early that they are over when it reads them."""
    findings = detect.after_proof(at_most_s, behind_s, known_s)
    assert (None if findings is None else tuple(f.value for f in findings)) == found


def test_g9_a_clock_that_was_put_right_gets_the_usual_begin_again() -> None:
    """[G-9]"""
    charger = Charger(station=StationId("s"))
    usual_s = charger.traits.start_before_s
    assert charger.saw_clock(28_800.0, 28_800.0)
    assert charger.traits.start_before_s == 28_860.0
    assert not charger.saw_clock(28_800.0, 28_800.0)
    assert charger.saw_clock(1.0, 0.0)
    assert charger.traits.start_before_s == usual_s
