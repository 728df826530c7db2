"""How wrong the forecast of an uncontrolled load is."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.forecast.spread import (
    ERRORS_KEPT,
    ERRORS_LEAST,
    LEADS_S,
    ORIGINS_KEPT,
    Errors,
    expect,
    measured,
    quantile_kw,
    quantiles_kw,
)
from tests.support.builders import NOON

A_DAY_S = 86400


def fed(samples: Sequence[tuple[float, float, float]], errors: Errors | None = None) -> Errors:
    """After samples of (s after noon, kW, shape kW), each a measurement and a possible origin."""
    errors = errors or Errors()
    for second, value_kw, shape_kw in samples:
        at = NOON + timedelta(seconds=second)
        errors = expect(measured(errors, at, value_kw, shape_kw), at, value_kw, shape_kw)
    return errors


def known(*buckets: Sequence[float]) -> Errors:
    """Errors of the first buckets; the others are empty."""
    filled = tuple(tuple(b) for b in buckets)
    return Errors(errors_kw=filled + ((),) * (len(LEADS_S) - len(filled)))


kw = st.floats(-500.0, 500.0)
some_errors = st.lists(st.lists(kw, max_size=30), min_size=1, max_size=len(LEADS_S)).map(lambda b: known(*b))
leads = st.floats(0.0, 90000.0)
some_samples = st.lists(st.tuples(st.floats(1.0, 4000.0), kw, kw), max_size=150).map(
    lambda rows: [(math.fsum(r[0] for r in rows[: i + 1]), row[1], row[2]) for i, row in enumerate(rows)]
)


def test_quantiles_are_those_of_the_errors_at_the_leads_and_linear_between() -> None:
    errors = known(range(-10, 11), range(-20, 21))
    assert quantile_kw(errors, 30.0, 0.9) == pytest.approx(8.0)
    assert quantile_kw(errors, 150.0, 0.9) == pytest.approx(16.0)
    assert quantile_kw(errors, 90.0, 0.9) == pytest.approx(12.0)
    assert quantile_kw(errors, 90.0, 0.1) == pytest.approx(-12.0)
    assert quantiles_kw(errors, (0.0, 90.0, 9000.0), 0.9) == pytest.approx((8.0, 12.0, 16.0))


def test_with_too_few_errors_nothing_is_added() -> None:
    few, enough = [5.0] * (ERRORS_LEAST - 1), [5.0] * ERRORS_LEAST
    assert quantile_kw(Errors(), 600.0, 0.95) == 0.0
    assert quantile_kw(known(few), 30.0, 0.95) == 0.0
    assert quantile_kw(known(few, enough), 30.0, 0.95) == 5.0


def test_a_forecast_that_always_said_too_much_takes_nothing_off_the_cautious_side() -> None:
    errors = known([-5.0] * 20)
    assert quantile_kw(errors, 30.0, 0.95) == 0.0
    assert quantile_kw(errors, 30.0, 0.05) == -5.0


def test_a_longer_lead_is_not_trusted_more_than_a_shorter_one() -> None:
    errors = known([-9.0, 9.0] * 10, [-1.0, 1.0] * 10)
    assert quantile_kw(errors, 150.0, 0.95) == quantile_kw(errors, 30.0, 0.95) == 9.0


@given(some_errors, leads, leads, st.floats(0.0, 1.0))
def test_the_spread_never_narrows_with_the_lead(errors: Errors, one_s: float, other_s: float, quantile: float) -> None:
    near, far = quantiles_kw(errors, sorted((one_s, other_s)), quantile)
    if quantile >= 0.5:
        assert 0.0 <= near <= far + 1e-9
    else:
        assert 0.0 >= near >= far - 1e-9


@given(some_errors, leads, st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_a_higher_quantile_is_never_lower(errors: Errors, lead_s: float, one: float, other: float) -> None:
    low, high = sorted((one, other))
    assert quantile_kw(errors, lead_s, low) <= quantile_kw(errors, lead_s, high) + 1e-9


def test_errors_are_measured_minus_forecast_at_each_lead() -> None:
    """A load that rises by 1 kW a minute: persistence is wrong by the lead."""
    errors = fed([(s, s / 60.0, 0.0) for s in range(0, 6 * 3600, 10)])
    for lead_s, found in zip(LEADS_S, errors.errors_kw, strict=True):
        assert set(np.round(found, 9)) == {round(lead_s / 60.0, 9)}


def test_a_change_that_the_series_foretold_is_no_error() -> None:
    samples = [(s, 7.0 + math.sin(s / 9e3), 100.0 + math.sin(s / 9e3)) for s in range(0, 6 * 3600, 30)]
    errors = fed(samples)
    assert all(
        len(found) >= ERRORS_LEAST or lead_s > 3600.0 for lead_s, found in zip(LEADS_S, errors.errors_kw, strict=True)
    )
    assert max(abs(e) for found in errors.errors_kw for e in found) < 1e-9


@pytest.mark.parametrize("is_sine_known", [True, False])
@pytest.mark.parametrize("seed", range(3))
def test_the_95_percent_quantile_covers_95_percent_of_later_values(seed: int, is_sine_known: bool) -> None:
    """Four days of a daily sine with noise; from the second on, every forecast uses only what was measured before it."""
    step_s = 30
    random = np.random.default_rng(seed)
    seconds = np.arange(0, 4 * A_DAY_S, step_s)
    sine = 20.0 * np.sin(2.0 * np.pi * seconds / A_DAY_S)
    load, shape = 30.0 + sine + random.normal(0.0, 3.0, seconds.size), sine * is_sine_known
    errors, covered = Errors(), []
    ahead = np.array([1, 10, 20, 60, 240, 480])
    for i, row in enumerate(zip(seconds.tolist(), load.tolist(), shape.tolist(), strict=True)):
        errors = fed([row], errors)
        if seconds[i] > A_DAY_S and i % 13 == 0 and i + ahead[-1] < seconds.size:
            room = quantiles_kw(errors, (ahead * step_s).tolist(), 0.95)
            covered.extend(load[i + ahead] <= load[i] + shape[i + ahead] - shape[i] + room)
    assert 0.93 <= np.mean(covered) <= 0.97


def test_memory_is_bounded() -> None:
    errors = fed([(s, float(s % 7), 0.0) for s in range(0, 5 * A_DAY_S, 60)])
    assert len(errors.origins) == ORIGINS_KEPT
    assert max(len(found) for found in errors.errors_kw) == ERRORS_KEPT
    assert len(errors.errors_kw[-1]) > 100  # four hours ahead, from days


@given(some_samples)
def test_a_measurement_costs_at_most_one_error_per_bucket_whatever_the_gaps(
    samples: list[tuple[float, float, float]],
) -> None:
    errors = Errors()
    for sample in samples:
        later = fed([sample], errors)
        grown = [len(b) - len(a) for a, b in zip(errors.errors_kw, later.errors_kw, strict=True)]
        assert set(grown) <= {0, 1}
        errors = later


@settings(max_examples=30)
@given(some_samples)
def test_a_replay_gives_the_same_value(samples: list[tuple[float, float, float]]) -> None:
    once, half = fed(samples), fed(samples[: len(samples) // 2])
    assert once == fed(samples)
    assert once == fed(samples[len(samples) // 2 :], half)
    assert hash(once) == hash(fed(samples))


def test_after_a_gap_an_old_origin_does_not_count_for_a_short_lead() -> None:
    before = fed([(0.0, 10.0, 0.0)])
    assert measured(before, NOON + timedelta(minutes=50), 50.0).errors_kw == ((), (), (), (40.0,), (), ())
    assert measured(before, NOON + timedelta(minutes=90), 50.0) == before  # too old for 30 minutes, too young for 2 hours


def test_an_origin_is_compared_once_per_lead() -> None:
    errors = fed([(0.0, 10.0, 0.0)])
    for second in range(10, 4 * 3600, 10):
        errors = measured(errors, NOON + timedelta(seconds=second), 11.0)
    assert errors.errors_kw == ((1.0,), (1.0,), (1.0,), (1.0,), (1.0,), ())


def test_what_is_no_number_or_comes_late_changes_nothing() -> None:
    errors = fed([(s, 1.0, 0.0) for s in range(0, 600, 10)])
    later = NOON + timedelta(seconds=700)
    assert expect(errors, later, math.nan) == measured(errors, later, math.inf) == errors
    assert expect(errors, later, 1.0, math.nan) == measured(errors, later, 1.0, math.nan) == errors
    assert expect(errors, NOON, 99.0) == errors
    assert measured(errors, NOON - timedelta(seconds=1), 99.0) == errors
