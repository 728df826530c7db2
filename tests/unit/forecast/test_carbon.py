"""Carbon intensity on the steps of a plan."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loadmgr.domain.series import Series
from loadmgr.forecast.carbon import carbon_kg_per_kwh
from tests.support.builders import NOON

HOURLY = Series(times=tuple(NOON + timedelta(hours=h) for h in range(3)), values=(0.1, 0.5, 0.3))


def test_without_a_series_the_constant_holds_in_every_step() -> None:
    assert carbon_kg_per_kwh(None, 0.38, NOON, ((0.0, 300.0), (300.0, 900.0))) == (0.38, 0.38)


def test_with_a_series_each_step_has_its_mean_and_the_constant_counts_nothing() -> None:
    steps = ((0.0, 900.0), (1800.0, 3600.0), (2700.0, 1600.0), (7200.0, 900.0), (86400.0, 900.0))
    assert carbon_kg_per_kwh(HOURLY, 9.9, NOON, steps) == pytest.approx((0.1, 0.3, 0.3, 0.3, 0.3))


def test_steps_are_counted_from_now() -> None:
    assert carbon_kg_per_kwh(HOURLY, 0.0, NOON + timedelta(minutes=50), ((0.0, 600.0), (600.0, 600.0))) == (0.1, 0.5)


def test_no_steps_have_no_values() -> None:
    assert carbon_kg_per_kwh(None, 0.38, NOON, ()) == carbon_kg_per_kwh(HOURLY, 0.38, NOON, ()) == ()
