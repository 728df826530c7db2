"""Meter values of chargers between two lines: one current on both, whatever the station calls it [A-72, C.4]."""

from __future__ import annotations

import math

import pytest

from loadmgr.domain.ids import EvseId, NodeId, StationId
from loadmgr.domain.site import Evse, EvseCaps
from loadmgr.ocpp.metering import Reading, measure, spread_a

PAIR = Evse(
    id=EvseId("S/1"),
    station=StationId("S"),
    number=1,
    node=NodeId("n"),
    caps=EvseCaps(current_max_a=40.0, n_phases=1, voltage_v=120.0 * math.sqrt(3.0)),
    rotation="ST",
)
AMPERE, WATT = "Current.Import", "Power.Active.Import"
FULL_KW = 30.0 * 120.0 * math.sqrt(3.0) / 1000.0


def _amps(value: float, phase: str = "") -> Reading:
    return Reading(value=value, measurand=AMPERE, phase=phase, unit="A")


@pytest.mark.parametrize(
    "said",
    [
        [_amps(30.0)],
        [_amps(30.0, "L1")],
        [_amps(30.0, "L2"), _amps(30.0, "L3")],
        [_amps(30.0, "L1"), _amps(30.0, "L2"), _amps(0.0, "L3")],
        [Reading(value=FULL_KW * 1000.0, measurand=WATT, unit="W")],
        [Reading(value=FULL_KW * 500.0, measurand=WATT, unit="W", phase=phase) for phase in ("L2", "L3")],
    ],
)
def test_the_current_counts_on_both_lines_and_the_power_once(said: list[Reading]) -> None:
    found = measure(said, PAIR).measured
    assert found.current_a == pytest.approx((0.0, 30.0, 30.0))
    assert found.power_kw == pytest.approx(FULL_KW)


def test_delivery_stays_negative() -> None:
    said = [Reading(value=30.0, measurand="Current.Export", phase="L2", unit="A")]
    assert measure(said, PAIR).measured.current_a == pytest.approx((0.0, -30.0, -30.0))


def test_a_power_is_spread_as_one_current() -> None:
    assert spread_a(PAIR, FULL_KW) == pytest.approx((0.0, 30.0, 30.0))
    assert PAIR.power_kw((0.0, 30.0, 30.0)) == pytest.approx(FULL_KW)
