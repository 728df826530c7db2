"""What registers do and what a session makes of it (domain rules C.4, C.5; D13, P3)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import Session, metered, session_energy
from loadmgr.ocpp.plausibility import propose_energy_factor
from loadmgr.ocpp.registers import Register
from tests.support.builders import NOON

MOST_KW = 22.08
EMPTY = Session(id=SessionId("s"), evse=EvseId("S1/1"), transaction="1", started_at=NOON)


def run(readings: list[float], *, every_s: float = 10.0, start_kwh: float | None = None) -> tuple[Session, list[str]]:
    """A session and the anomalies of readings that come every ten seconds."""
    register = Register()
    begin = readings[0] if start_kwh is None else start_kwh
    register.begin(NOON, begin)
    session = replace(EMPTY, meter_start_kwh=begin, register_kwh=begin)
    found = []
    for number, reading in enumerate(readings, 1):
        at = NOON + timedelta(seconds=every_s * number)
        found.append(register.read(at, reading, MOST_KW))
        before_kwh = session.energy_kwh
        session = metered(session, Measured(energy_kwh=reading, anomaly=found[-1]), at)
        assert session.energy_kwh >= before_kwh
    return session, found


@pytest.mark.parametrize(
    ("readings", "energy_kwh", "anomalies"),
    [
        ([100.0, 100.05, 100.10], 0.10, ()),
        ([100.0, 100.05, 0.0, 0.03, 0.06], 0.11, ("reset",)),  # a new segment, nothing for the gap
        ([100.0, 100.05, 0.0, 100.10], 0.10, ("glitch",)),  # a single zero
        ([100.0, 100.05, 65_535.0, 100.10], 0.10, ("glitch",)),  # a single huge value
        ([100.0, 100.05, 5000.0, 5000.03, 5000.06], 0.11, ("exchanged",)),  # another meter [D13]
        ([100.0, 100.05, 0.0, 65_535.0, 100.10], 0.10, ("glitch",)),  # one after the other
        ([100.0, 103.0, 103.05], 3.05, ("jump",)),  # brought up to date late: billed, flagged
    ],
)
def test_resets_glitches_jumps_and_exchanged_meters(
    readings: list[float], energy_kwh: float, anomalies: tuple[str, ...]
) -> None:
    """[C.5]"""
    session, _ = run(readings)
    assert session.energy_kwh == pytest.approx(energy_kwh)
    assert session.anomalies == anomalies


def test_a_register_that_begins_anew_with_every_session_counts_from_its_zero() -> None:
    """[C.5, G-92]"""
    session, _ = run([0.0, 0.03, 0.06], start_kwh=12_345.0)
    assert session.energy_kwh == pytest.approx(0.06)


@pytest.mark.parametrize(
    ("reading", "factor"),
    [
        (5.02, 1.0),
        (0.00502, 1000.0),  # kWh under the label Wh
        (5020.0, 0.001),  # Wh under the label kWh, or a value that needs no factor from a station that has one
        (5.0, 1.0),
        (0.0, 1.0),  # the register began anew
        (0.5, 1.0),
        (9.0, 1.0),
        (9000.0, 1.0),
    ],
)
def test_a_reading_has_the_unit_in_which_it_goes_on(reading: float, factor: float) -> None:
    """[C-21, G-91]"""
    register = Register()
    register.begin(NOON, 5.0)
    assert register.unit_of(NOON + timedelta(seconds=15), reading, MOST_KW) == factor


def test_units_are_not_judged_where_nothing_goes_on() -> None:
    """[C-21, C.5]"""
    later = NOON + timedelta(seconds=15)
    assert Register().unit_of(later, 0.005, MOST_KW) == 1.0, "there is no reading before"
    young = Register()
    young.begin(NOON, 0.05)
    assert young.unit_of(later, 0.00005, MOST_KW) == 1.0, "as good as nothing in either unit"
    fallen = Register()
    fallen.begin(NOON, 5.0)
    fallen.read(later, 0.002, MOST_KW)
    assert fallen.unit_of(later, 0.00501, MOST_KW) == 1.0, "whether it began anew is not settled"


def test_readings_put_into_their_unit_still_tell_the_factor_of_the_station() -> None:
    """[C-21, G-91]"""
    register = Register()
    register.begin(NOON, 5.0)
    for seconds in range(15, 200, 15):
        at, raw = NOON + timedelta(seconds=seconds), (5.0 + 11.0 * seconds / 3600) / 1000
        unit = register.unit_of(at, raw, MOST_KW)
        assert register.read(at, raw * unit, MOST_KW) == ""
        register.compare(None, 11.0, unit)
    assert propose_energy_factor(tuple(register.energies)) == 1000.0


def test_no_power_is_derived_from_a_jump() -> None:
    """[C.5]"""
    register = Register()
    for seconds, kwh in ((0, 100.0), (30, 100.05), (60, 103.0)):
        register.read(NOON + timedelta(seconds=seconds), kwh, MOST_KW)
    assert register.power_kw() is None
    for seconds in range(70, 140, 10):
        register.read(NOON + timedelta(seconds=seconds), 103.0 + 11.0 * (seconds - 60) / 3600, MOST_KW)
    assert register.power_kw() == pytest.approx(11.0)


def test_power_from_the_register_needs_a_minute() -> None:
    """[C.4, G-94]"""
    register = Register()
    for seconds in range(0, 60, 10):
        register.read(NOON + timedelta(seconds=seconds), 100 + 7.0 * seconds / 3600, MOST_KW)
    assert register.power_kw() is None
    register.read(NOON + timedelta(seconds=60), 100 + 7.0 * 60 / 3600, MOST_KW)
    assert register.power_kw() == pytest.approx(7.0)


def test_without_a_register_intervals_are_summed_once_each() -> None:
    """[C.4]"""
    register = Register()
    register.begin(NOON, 0.0)
    minute = timedelta(minutes=1)
    assert register.estimate(NOON + minute, 11.0, 0.2) == pytest.approx(0.2)
    assert register.estimate(NOON + minute, 11.0, 0.2) == pytest.approx(0.2), "the same interval again"
    assert register.estimate(NOON + 2 * minute, 11.0, 0.1) == pytest.approx(0.3)


def test_without_register_and_intervals_the_power_is_integrated() -> None:
    """[C.4]"""
    register = Register()
    register.begin(NOON, 0.0)
    found = 0.0
    for seconds in range(0, 3601, 60):
        found = register.estimate(NOON + timedelta(seconds=seconds), 10.0, None) or 0.0
    assert found == pytest.approx(10.0)
    late = register.estimate(NOON + timedelta(hours=3), 10.0, None)
    assert late == pytest.approx(10.0 + 10.0 * 300 / 3600), "a silence adds five minutes at the most"


def test_the_register_replaces_what_was_estimated() -> None:
    """[C.4, P3]"""
    session = replace(EMPTY, meter_start_kwh=100.0, register_kwh=100.0)
    session = metered(session, Measured(estimated_kwh=5.2), NOON)
    assert (session.energy_kwh, session.estimated_kwh) == (5.2, 5.2)
    closed = session_energy(session, 105.0)
    assert (closed.energy_kwh, closed.estimated_kwh) == (pytest.approx(5.0), 0.0)
    assert metered(closed, Measured(estimated_kwh=9.0), NOON).energy_kwh == pytest.approx(5.0)


@given(
    st.lists(st.floats(0.0, 0.06), min_size=2, max_size=30),
    st.sets(st.integers(1, 28), max_size=4),
    st.sampled_from([0.0, 65_535.0, 1e6]),
)
def test_glitches_never_change_what_is_billed(gains: list[float], at: set[int], glitch: float) -> None:
    """[C.5, P3] Single glitches, wherever they fall, leave the energy as the register without them has it."""
    level, readings = 1000.0, [1000.0]
    for number, gain in enumerate(gains, 1):
        level += gain
        readings.append(glitch if number in at and number - 1 not in at and number < len(gains) else level)
    session, _ = run(readings)
    assert session.energy_kwh == pytest.approx(level - 1000.0, abs=1e-6)
