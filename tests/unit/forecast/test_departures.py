"""When cars leave, and how far a driver's word can be trusted."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.forecast import departures
from loadmgr.forecast.departures import History, Stay, departure, energy_kwh, learned, trusted_departure
from tests.support.builders import NOON

BERLIN = "Europe/Berlin"
MONDAY = datetime(2026, 6, 8, 6, 0, tzinfo=UTC)
"""Eight o'clock in Berlin."""

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
GARAGE = Path(__file__).parents[2] / "bench" / "data" / "sessions_acn_caltech_2019-06.csv"


def a_stay(
    hours: float,
    *,
    user: str = "",
    started_at: datetime = MONDAY,
    said_hours: float | None = None,
    taken_kwh: float = 10.0,
    said_kwh: float | None = None,
) -> Stay:
    """A stay of ``hours``."""
    return Stay(
        user=user,
        started_at=started_at,
        ended_at=started_at + hours * HOUR,
        energy_kwh=taken_kwh,
        said_depart_at=None if said_hours is None else started_at + said_hours * HOUR,
        said_kwh=said_kwh,
    )


def after(stays: Iterable[Stay], history: History | None = None) -> History:
    """The history that has learned ``stays``."""
    history = history or History()
    for stay in stays:
        history = learned(history, stay)
    return history


def hours_of(
    history: History, user: str = "", *, started_at: datetime = MONDAY, into: float = 0.0, quantile: float = 0.25
) -> float:
    """The length of the stay that is expected ``into`` hours after its start."""
    found = departure(
        history, user, started_at, started_at + into * HOUR, timezone=BERLIN, quantile=quantile, at_least_s=0.0
    )
    assert found is not None
    return (found - started_at) / HOUR


def trusted_hours(
    history: History, user: str = "", *, said_hours: float = 8.0, into: float = 0.0, quantile: float = 0.25
) -> float:
    """The departure in hours after the start, where ``said_hours`` was said."""
    now, said = MONDAY + into * HOUR, MONDAY + said_hours * HOUR
    return (trusted_departure(history, user, MONDAY, said, now, quantile=quantile) - MONDAY) / HOUR


SITE = after(a_stay(h) for h in range(1, 13))
"""Twelve weekday mornings of 1 to 12 hours."""


def test_the_expected_departure_is_the_quantile_of_past_stays() -> None:
    assert hours_of(SITE) == pytest.approx(3.75)
    assert hours_of(SITE, quantile=0.5) == pytest.approx(6.5)


def test_with_fewer_than_ten_stays_nothing_is_said() -> None:
    stays = [a_stay(8.0, user="anna")] * 10
    assert departure(after(stays[:9]), "anna", MONDAY, MONDAY, timezone=BERLIN) is None
    assert departure(after(stays), "anna", MONDAY, MONDAY, timezone=BERLIN) == MONDAY + 8 * HOUR


def test_only_stays_that_lasted_longer_than_this_one_already_has_count() -> None:
    assert hours_of(SITE, into=7.5) == pytest.approx(9.0)  # of 8, 9, 10, 11, 12
    assert departure(SITE, "", MONDAY, MONDAY + 12 * HOUR, timezone=BERLIN) is None
    own = after([a_stay(h, user="anna") for h in (1.0, 9.0) for _ in range(5)], SITE)
    assert [hours_of(own, "anna", into=h) for h in (0.5, 1.5)] == pytest.approx([1.0, 9.0])


@given(st.floats(0.0, 11.9), st.floats(0.0, 11.9), st.floats(0.0, 1.0))
def test_a_car_that_is_still_there_is_expected_later_and_in_the_future(one: float, other: float, quantile: float) -> None:
    early, late = sorted((one, other))
    assert hours_of(SITE, into=early, quantile=quantile) <= hours_of(SITE, into=late, quantile=quantile) + 1e-6
    assert hours_of(SITE, into=late, quantile=quantile) > late - 1e-6


def test_a_departure_is_at_least_a_quarter_of_an_hour_ahead() -> None:
    now = MONDAY + 3.7 * HOUR
    history = after(a_stay(3.75) for _ in range(10))
    assert departure(history, "", MONDAY, now, timezone=BERLIN) == now + timedelta(seconds=900)
    assert departure(history, "", MONDAY, now, timezone=BERLIN, at_least_s=60.0) == MONDAY + 3.75 * HOUR


def test_five_stays_of_the_user_beat_the_sites_and_four_do_not() -> None:
    four = after([a_stay(10.0, user="anna")] * 4, SITE)
    assert hours_of(four, "anna") == hours_of(four) < 5.0
    five = after([a_stay(10.0, user="anna")], four)
    assert hours_of(five, "anna") == pytest.approx(10.0)
    assert hours_of(five, "ben") == hours_of(five, "") < 10.0


def test_another_kind_of_day_or_hour_of_the_user_is_not_suitable() -> None:
    history = after([a_stay(10.0, user="anna")] * 5, SITE)
    for other in (MONDAY + 5 * DAY, MONDAY + 2.1 * HOUR, MONDAY - 2.1 * HOUR):
        assert hours_of(history, "anna", started_at=other) == hours_of(history, started_at=other) < 10.0
    for alike in (MONDAY + DAY, MONDAY + 2 * HOUR, MONDAY - 2 * HOUR):
        assert hours_of(history, "anna", started_at=alike) == pytest.approx(10.0)


def test_the_site_at_the_same_hours_beats_the_site_at_all_hours() -> None:
    evenings = [a_stay(1.0, started_at=MONDAY + 12 * HOUR)] * 10
    assert hours_of(after(evenings, SITE), started_at=MONDAY + 12 * HOUR) == pytest.approx(1.0)
    assert hours_of(after(evenings, SITE)) == pytest.approx(3.75)
    assert hours_of(after(evenings[:9], SITE), started_at=MONDAY + 12 * HOUR) == pytest.approx(1.0)  # too few: everybody
    assert hours_of(after(evenings[:9], SITE), started_at=MONDAY + 12 * HOUR, quantile=0.9) > 8.0


def test_hours_are_those_of_the_local_clock_in_winter_and_summer_and_around_midnight() -> None:
    winter = datetime(2026, 1, 12, 7, 0, tzinfo=UTC)  # eight in Berlin, as MONDAY
    history = after([a_stay(10.0, user="anna", started_at=winter + 2 * HOUR)] * 5, SITE)
    assert hours_of(history, "anna") == pytest.approx(10.0)  # ten o'clock: two hours, though three in UTC
    night = datetime(2026, 6, 9, 21, 30, tzinfo=UTC)  # Tuesday 23:30 in Berlin
    history = after([a_stay(7.0, user="ben", started_at=night + HOUR)] * 5, SITE)
    assert hours_of(history, "ben", started_at=night) == pytest.approx(7.0)


LIARS = after(a_stay(8.0 - late, said_hours=8.0, user="") for late in (0.0, 0.5, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0))


def test_a_drivers_word_is_corrected_once_ten_stays_show_what_it_is_worth() -> None:
    assert trusted_hours(LIARS) == 8.0
    ten = after([a_stay(9.0, said_hours=8.0)], LIARS)
    assert trusted_hours(ten) == pytest.approx(8.0 - 2.875)
    assert trusted_hours(ten, quantile=0.0) == pytest.approx(4.0)
    assert trusted_hours(ten, quantile=1.0) == 8.0


def test_who_is_always_punctual_or_late_is_taken_at_their_word() -> None:
    history = after([a_stay(8.0 + late, said_hours=8.0, user="anna") for late in (0.0, 0.1, 1.0, 2.0, 3.0)], LIARS)
    assert trusted_hours(history, "anna") == 8.0
    assert trusted_hours(history, "ben") < 7.0


def test_words_about_as_long_as_this_one_count_first() -> None:
    short = [a_stay(2.0, said_hours=2.0)] * 10
    history = after([*short, *([a_stay(7.5, said_hours=9.0)] * 30)])
    assert trusted_hours(history, said_hours=8.0) == pytest.approx(6.5)
    assert trusted_hours(history, said_hours=2.0) == 2.0
    assert trusted_hours(after(short), said_hours=8.0) == 8.0  # no long words yet: all count


def test_stays_in_which_nobody_said_anything_teach_nothing_about_words() -> None:
    assert trusted_hours(after([a_stay(1.0)] * 50)) == 8.0


def test_a_correction_fades_as_a_car_outstays_it() -> None:
    history = after([a_stay(9.0, said_hours=8.0)], LIARS)
    found = [trusted_hours(history, into=h, quantile=0.0) for h in (0.0, 3.9, 4.0)]
    assert found == pytest.approx([4.0, 4.0, 8.0])  # one left, and nine say too little
    many = after(list(LIARS.site) * 5)
    assert [trusted_hours(many, into=h, quantile=0.0) for h in (4.2, 6.2, 6.45)] == pytest.approx([4.5, 6.5, 6.45 + 1 / 12])


@given(
    st.lists(st.tuples(st.floats(0.1, 30.0), st.floats(-1.0, 30.0)), max_size=40),
    st.floats(-2.0, 30.0),
    st.floats(-0.5, 30.0),
    st.floats(0.0, 1.0),
)
def test_a_trusted_departure_is_never_later_than_said_nor_nearer_than_five_minutes_unless_said(
    stays: list[tuple[float, float]], said_hours: float, into: float, quantile: float
) -> None:
    history = after(a_stay(h, said_hours=said, user="anna") for h, said in stays)
    found = trusted_hours(history, "anna", said_hours=said_hours, into=into, quantile=quantile)
    assert found <= said_hours + 1e-6
    assert found >= min(into + 300 / 3600, said_hours) - 1e-6


def test_the_energy_is_what_was_taken_when_nobody_said() -> None:
    history = after(a_stay(8.0, taken_kwh=float(e)) for e in range(11))
    assert energy_kwh(history, "", None) == pytest.approx(7.5)
    own = after([a_stay(8.0, taken_kwh=1.0, user="anna")] * 5, history)
    assert energy_kwh(own, "anna", None) == pytest.approx(1.0)
    assert energy_kwh(own, "ben", None) == energy_kwh(own, "", None) == pytest.approx(6.25)


def test_the_energy_is_the_part_of_what_was_said_that_is_usually_taken() -> None:
    history = after(a_stay(8.0, taken_kwh=float(e), said_kwh=10.0) for e in range(11))
    assert energy_kwh(history, "", 40.0) == pytest.approx(30.0)
    assert energy_kwh(history, "", 0.0) == 0.0
    greedy = after([a_stay(8.0, taken_kwh=30.0, said_kwh=10.0)] * 10)
    assert energy_kwh(greedy, "", 40.0) == pytest.approx(40.0)


def test_too_few_stays_say_nothing_about_energy() -> None:
    silent = after([a_stay(8.0), a_stay(8.0, said_kwh=0.0)] * 5)
    assert energy_kwh(silent, "", 40.0) is None
    assert energy_kwh(silent, "", None) == pytest.approx(10.0)
    assert energy_kwh(after(silent.site[:9]), "", None) is None


def test_the_history_is_bounded_and_forgets_who_was_long_away(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(departures, "USERS_KEPT", 3)
    stays = [a_stay(i / 100 + 1, user="anna") for i in range(1100)]
    history = after(stays)
    assert history.users["anna"] == tuple(stays[-30:])
    assert history.site == tuple(stays[-1000:])
    history = after([a_stay(1.0, user=user) for user in ("ben", "cleo", "anna", "dora")], history)
    assert list(history.users) == ["cleo", "anna", "dora"]


def test_learning_makes_a_new_history_and_a_replay_the_same() -> None:
    stays = [a_stay(h, user=u, said_hours=3.0) for h in range(1, 9) for u in ("", "anna", "ben")]
    once = after(stays)
    again = after(stays[10:], after(stays[:10]))
    assert once == again
    learned(once, a_stay(5.0, user="anna"))
    assert once == again
    with pytest.raises(TypeError):
        once.users["anna"] = ()  # type: ignore[index]


def test_who_is_not_known_is_nobodys_history() -> None:
    assert after([a_stay(1.0)] * 20).users == {}


@pytest.mark.parametrize(
    "stay", [a_stay(0.0), a_stay(-1.0), a_stay(1.0, taken_kwh=-1.0), a_stay(1.0, taken_kwh=float("nan"))]
)
def test_a_stay_that_makes_no_sense_teaches_nothing(stay: Stay) -> None:
    assert learned(SITE, stay) is SITE


def test_a_departure_said_for_before_the_start_is_no_word() -> None:
    history = after([a_stay(0.5, said_hours=h) for h in (0.0, -1.0) for _ in range(20)])
    assert trusted_hours(history) == 8.0
    assert trusted_hours(LIARS, said_hours=0.0, into=-5.0) == 0.0
    assert trusted_hours(history, said_hours=-1.0, into=-5.0) == -1.0


@pytest.fixture(scope="module")
def garage() -> tuple[History, list[Stay]]:
    """June 2019 of a real garage: what ended in the first 20 days is learned, what began later is returned."""
    rows = list(csv.DictReader(GARAGE.read_text(encoding="utf-8").splitlines()))
    stays = [
        Stay(
            user="",
            started_at=datetime.fromisoformat(row["arrival"]),
            ended_at=datetime.fromisoformat(row["departure"]),
            energy_kwh=float(row["delivered_kwh"]),
            said_depart_at=datetime.fromisoformat(row["estimated_departure"]) if row["claimed"] == "1" else None,
            said_kwh=float(row["requested_kwh"]) if row["claimed"] == "1" else None,
        )
        for row in rows
    ]
    cut = datetime(2019, 6, 21, 7, tzinfo=UTC)
    past = sorted((s for s in stays if s.ended_at < cut), key=lambda s: s.ended_at)
    return after(past), [s for s in stays if s.started_at >= cut]


def _late_min(known: list[Stay], expected: list[datetime]) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """Minutes by which each expected departure was later than the real one."""
    return np.array([(at - s.ended_at).total_seconds() / 60.0 for s, at in zip(known, expected, strict=True)])


def test_in_a_real_garage_the_corrected_word_is_later_than_the_car_about_as_often_as_asked(
    garage: tuple[History, list[Stay]],
) -> None:
    """Drivers there stay longer than they say in 3 of 4 cases, so their word is already close to its 0.25-quantile."""
    history, later = garage
    said = [s for s in later if s.said_depart_at is not None]
    assert len(said) > 200
    word = _late_min(said, [s.said_depart_at for s in said if s.said_depart_at is not None])
    found = {
        q: _late_min(
            said,
            [
                trusted_departure(history, "", s.started_at, s.said_depart_at, s.started_at, quantile=q)
                for s in said
                if s.said_depart_at is not None
            ],
        )
        for q in (0.1, 0.25)
    }
    assert 0.2 < np.mean(word > 0) < 0.35
    assert 0.15 < np.mean(found[0.25] > 0) < np.mean(word > 0)
    assert 0.05 < np.mean(found[0.1] > 0) < 0.6 * np.mean(word > 0)
    assert np.maximum(found[0.1], 0.0).mean() < 0.5 * np.maximum(word, 0.0).mean()


@pytest.mark.parametrize("into", [0.0, 1.0, 4.0])
@pytest.mark.parametrize("quantile", [0.1, 0.25, 0.5])
def test_in_a_real_garage_the_quantile_of_stays_is_right_about_as_often_as_asked(
    garage: tuple[History, list[Stay]], quantile: float, into: float
) -> None:
    history, later = garage
    staying = [s for s in later if s.length_s > into * 3600.0]
    expected = [
        departure(
            history,
            "",
            s.started_at,
            s.started_at + into * HOUR,
            timezone="America/Los_Angeles",
            quantile=quantile,
            at_least_s=0.0,
        )
        for s in staying
    ]
    late = _late_min(staying, [e or NOON for e in expected])
    assert np.mean(late > 0) == pytest.approx(quantile, abs=0.08)


def test_in_a_real_garage_drivers_ask_for_more_than_their_cars_take(garage: tuple[History, list[Stay]]) -> None:
    history, later = garage
    said = [(s.energy_kwh, s.said_kwh) for s in later if s.said_kwh is not None]
    taken_kwh, word_kwh = np.array(said).T
    expected_kwh = np.array([energy_kwh(history, "", float(kwh)) for kwh in word_kwh])
    assert np.mean(taken_kwh <= expected_kwh) == pytest.approx(0.75, abs=0.06)
    assert np.abs(expected_kwh - taken_kwh).mean() < 0.8 * np.abs(word_kwh - taken_kwh).mean()
    unasked_kwh = energy_kwh(history, "", None)
    assert unasked_kwh is not None
    assert np.mean([s.energy_kwh <= unasked_kwh for s in later]) == pytest.approx(0.75, abs=0.08)
