"""Currents with their angles, against textbook values and a published network [A-72, A-73, F.4]."""

from __future__ import annotations

import math
from cmath import exp, phase, pi

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.domain import phasors
from loadmgr.domain.network import NodeModel, Transformer
from loadmgr.errors import SiteModelError
from tests.bench.acn.network import three_phase

PAIRS = {"RS": (0, 1), "ST": (1, 2), "TR": (2, 0)}


def test_a_load_between_two_lines_counts_on_both_at_30_degrees() -> None:
    """[A-72]"""
    a, b, c = phasors.relative(phasors.between(0, 1))
    assert (abs(a), abs(b), abs(c)) == pytest.approx((1.0, 1.0, 0.0))
    assert math.degrees(phase(a)) == pytest.approx(30.0)
    assert math.degrees(phase(b)) == pytest.approx(-30.0)


def test_equal_loads_between_all_pairs_make_a_line_current_of_root_three() -> None:
    """[A-73]"""
    total = phasors.NOTHING
    for pair in PAIRS.values():
        total = phasors.plus(total, phasors.times(phasors.between(*pair), 10.0))
    assert list(phasors.relative(total)) == pytest.approx([10 * math.sqrt(3)] * 3)


def test_a_balanced_load_crosses_a_transformer_with_the_ratio_and_without_an_angle() -> None:
    balanced = phasors.plus(phasors.plus(phasors.to_neutral(0), phasors.to_neutral(1)), phasors.to_neutral(2))
    assert phasors.relative(phasors.primary(phasors.times(balanced, 40.0), 2.0)) == pytest.approx((20.0, 20.0, 20.0))


@given(st.tuples(*[st.complex_numbers(max_magnitude=100.0)] * 3), st.floats(0.2, 5.0))
def test_a_transformer_keeps_the_power_and_returns_no_zero_sequence(lines: tuple[complex, ...], ratio: float) -> None:
    first, second, third = lines
    primary = phasors.relative(phasors.primary((first, second, third), ratio))
    secondary = phasors.relative((first, second, third))
    neutral = (first + second + third) / 3.0
    without = phasors.relative((first - neutral, second - neutral, third - neutral))
    assert sum(x.real for x in primary) * ratio == pytest.approx(sum(x.real for x in without), abs=1e-6)
    if abs(neutral) < 1e-12:
        assert sum(x.real for x in primary) * ratio == pytest.approx(sum(x.real for x in secondary), abs=1e-6)
    assert abs(sum(phasors.primary((first, second, third), ratio))) < 1e-9 * (1.0 + abs(first) + abs(second) + abs(third))


def test_loads_to_neutral_keep_their_power_across_a_transformer() -> None:
    """The zero sequence of a wye load turns in the delta; all of its power comes from the primary lines."""
    primary = phasors.relative(phasors.primary(phasors.to_neutral(0), 2.0))
    assert sum(x.real for x in primary) * 2.0 == pytest.approx(1.0)


def test_lines_of_a_published_garage_have_the_published_magnitudes() -> None:
    """The secondary and primary lines of `tests/bench/acn/network.py`, one station of each pair, turns ratio 4."""
    stations = {"RS": "CA-308", "ST": "CA-304", "TR": "CA-307"}
    published = three_phase(tuple(stations.values()), 45.0).phasor_coef
    assert published is not None
    a_per_kw = 1000.0 / 208.0
    chance = np.random.default_rng(3)
    for _ in range(20):
        amps = chance.uniform(0.0, 60.0, 3)
        total = phasors.NOTHING
        for pair, ampere in zip(PAIRS.values(), amps, strict=True):
            total = phasors.plus(total, phasors.times(phasors.between(*pair), float(ampere)))
        ours = [abs(x) for x in (*total, *phasors.primary(total, 4.0 / math.sqrt(3.0)))]
        assert ours == pytest.approx(list(np.abs(published @ (amps / a_per_kw))))


def test_arithmetic_across_a_transformer_is_never_below_the_magnitudes() -> None:
    sizes = (30.0, 0.0, 17.0)
    exact = phasors.primary_neutral(sizes, 2.0)
    assert all(s >= e for s, e in zip(phasors.primary_sum(sizes, 2.0), exact, strict=True))
    lines = phasors.plus(phasors.times(phasors.to_neutral(0), 30.0), phasors.times(phasors.to_neutral(2), 17.0))
    assert [abs(x) for x in phasors.primary(lines, 2.0)] == pytest.approx(exact)


def test_a_meter_tells_the_magnitude_and_the_direction() -> None:
    assert phasors.signed(phasors.times(phasors.between(0, 1), -5.0)) == pytest.approx((-5.0, -5.0, 0.0))


def test_less_of_one_part_can_be_more_in_sum() -> None:
    """Parts at ±60°: one of 10 A with 5 A of the other is 8.7 A, alone it is 10 A."""
    full = [10 * exp(1j * pi / 3), 5 * exp(-1j * pi / 3)]
    assert abs(sum(full)) == pytest.approx(math.sqrt(75.0))
    assert phasors.reach(full) == pytest.approx(10.0)


angles = st.floats(-1.5, 1.5)
parts = st.lists(st.tuples(st.floats(0.0, 50.0), angles), min_size=1, max_size=6).map(
    lambda found: [size * exp(1j * angle) for size, angle in found]
)


@settings(max_examples=200)
@given(parts, st.lists(st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6), min_size=1, max_size=5))
def test_no_partial_load_is_above_the_reach_and_one_is_at_it(found: list[complex], draws: list[list[float]]) -> None:
    """Every corner of the box and random points within."""
    corners = [sum(p for i, p in enumerate(found) if mask >> i & 1) for mask in range(2 ** len(found))]
    assert phasors.reach(found) == pytest.approx(max(abs(c) for c in corners), abs=1e-6)
    for some in draws:
        assert abs(sum(f * p for f, p in zip(some, found, strict=False))) <= phasors.reach(found) + 1e-6


@settings(max_examples=200)
@given(parts, st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6))
def test_what_fits_every_cut_fits_the_circle_with_any_part_of_it(found: list[complex], some: list[float]) -> None:
    cuts = phasors.polygon(0, found)
    used = [sum(cut.of([p], 1, is_known=True) for p in found) / cut.shrink for cut in cuts]
    bound = max(used, default=0.0)
    assert phasors.reach(found) <= bound + 1e-6
    assert abs(sum(f * p for f, p in zip(some, found, strict=False))) <= bound + 1e-6
    assert bound <= phasors.reach(found) / math.cos(phasors.STEP_RAD / 2.0) + 1e-6, "gives away more than its arcs"


@settings(max_examples=200)
@given(st.floats(0.0, 100.0), st.floats(-pi / 3.0, pi / 3.0), st.floats(0.0, 100.0))
def test_flow_back_against_a_current_within_60_degrees_is_never_more_than_the_larger(
    size: float, angle: float, back: float
) -> None:
    """Why flow back needs no room of its own where currents stand at angles; at 90° it would."""
    assert abs(size * exp(1j * angle) - back) <= max(size, back) + 1e-9


def test_currents_in_one_direction_need_one_exact_cut() -> None:
    (cut,) = phasors.polygon(2, [1 + 0j, 2 + 0j])
    assert cut.shrink == 1.0
    assert cut.of([2 + 0j], 1, is_known=True) == pytest.approx(2.0)


def test_of_conductors_that_are_not_known_the_worst_count() -> None:
    cut = phasors.Cut(line=0, turn=1 + 0j)
    found = [0.2 + 0j, 1.0 + 0j, 0.5 + 0j]
    assert cut.of(found, 2, is_known=True) == pytest.approx(1.2)
    assert cut.of(found, 2, is_known=False) == pytest.approx(1.5)
    assert phasors.most(found, 2, is_known=False) == pytest.approx(1.5)


@pytest.mark.parametrize("given", [{"ratio": 0.0}, {"ratio": -1.0}, {"ratio": math.inf}, {"ratio": 2.0, "kind": "zigzag"}])
def test_a_transformer_that_is_none_is_refused(given: dict[str, object]) -> None:
    with pytest.raises(SiteModelError, match="only delta-wye with a ratio > 0"):
        Transformer(**given)  # type: ignore[arg-type]


def test_nodes_add_as_numbers_unless_told_otherwise() -> None:
    assert NodeModel("sum") is NodeModel.SUM
