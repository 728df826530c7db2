"""Sampled values → one measurement, for every way in which stations tell it (domain rules C.2, C.4, C.20-C.28, F.6)."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain.ids import EvseId
from loadmgr.domain.samples import Quality
from loadmgr.domain.site import Evse, EvseCaps
from loadmgr.domain.traits import Traits
from loadmgr.ocpp.metering import Compared, Measurement, Reading, measure, spread_a
from loadmgr.ocpp.plausibility import EnergyCompared, propose_energy_factor, propose_factor
from tests.support.builders import a_site

EVSE = a_site(n=1, rotations=("RST",)).evses[EvseId("S1/1")]
TURNED = a_site(n=1, rotations=("STR",)).evses[EvseId("S1/1")]
UNKNOWN = a_site(n=1, rotations=("unknown",)).evses[EvseId("S1/1")]
DC = replace(EVSE, caps=EvseCaps(current_max_a=80.0, power_max_kw=50.0, is_dc=True))

P, A, U, E = "Power.Active.Import", "Current.Import", "Voltage", "Energy.Active.Import.Register"


def read(measurand: str, value: object, phase: str = "", unit: str = "", **more: object) -> Reading:
    return Reading(value=value, measurand=measurand, phase=phase, unit=unit, **more)  # type: ignore[arg-type]


def measured(*readings: Reading, evse: Evse | None = EVSE, traits: Traits | None = None) -> Measurement:
    return measure(readings, evse, traits or Traits())


# -- spelling, units, phases [C.1, C.20, C.22] -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("reading", "power_kw"),
    [
        (read(P, "7360"), 7.36),
        (read(P, 7360, unit="w"), 7.36),
        (read("power.active.import", "7.36", unit="KW"), 7.36),
        (read(P, "7.36", unit=" kw "), 7.36),
        (read(P, "736", unit="W", multiplier=1), 7.36),
    ],
)
def test_units_and_spellings_of_power(reading: Reading, power_kw: float) -> None:
    """[C-20]"""
    assert measured(reading).measured.power_kw == pytest.approx(power_kw)


@pytest.mark.parametrize(
    ("reading", "energy_kwh"),
    [(read(E, "1500"), 1.5), (read(E, "1.5", unit="KWH"), 1.5), (Reading(value="1500"), 1.5)],
)
def test_units_of_energy_and_the_default_measurand(reading: Reading, energy_kwh: float) -> None:
    """[C.1, C-20]"""
    assert measured(reading).measured.energy_kwh == pytest.approx(energy_kwh)


def test_a_phase_in_the_name_of_a_measurand_is_a_phase() -> None:
    """[C.3]"""
    found = measured(read("Current.Import.L1", "10"), read("Current.Import.L2-N", "11"), read("current.import.l3", "12"))
    assert found.measured.current_a == (10.0, 11.0, 12.0)
    assert found.measured.has_phases


def test_l1_stands_before_l1_n_and_the_neutral_is_no_load() -> None:
    """[C-22, C-28]"""
    found = measured(read(A, 9, "L1-N"), read(A, 10, "L1"), read(A, 0, "L2"), read(A, 0, "L3"), read(A, 50, "N"))
    assert found.measured.current_a == (10.0, 0.0, 0.0)


def test_per_phase_values_are_not_summed_with_the_total() -> None:
    """[C-28]"""
    found = measured(read(P, 6900), *(read(P, 2300, phase) for phase in ("L1", "L2", "L3")))
    assert found.measured.power_kw == pytest.approx(6.9)


def test_what_does_not_concern_control_is_passed_over_and_not_refused() -> None:
    """[C.2]"""
    found = measured(
        read("Temperature", "21", unit="Celcius"),
        read("RPM", "800"),
        read("Frequency", "50", unit="Hz"),
        read("Power.Factor", "0.98"),
        read("Power.Reactive.Import", "300", unit="var"),
        read(P, 2300),
    )
    assert found.n_refused == 0
    assert found.measured.power_kw == pytest.approx(2.3)


@pytest.mark.parametrize(
    "reading",
    [
        read(A, "1001", "L1"),
        read(U, "1001", "L1-N"),
        read("SoC", "101"),
        read("SoC", "-1"),
        read(E, "-5"),
        read(P, "7", unit="Wh"),
        read(A, ""),
        read(P, "NaN"),
        read(E, "1", multiplier=99),
    ],
)
def test_nonsense_is_refused_and_the_rest_of_the_message_is_kept(reading: Reading) -> None:
    """[C-25, B08, B09]"""
    found = measured(reading, read("Current.Offered", 16))
    assert found.n_refused == 1
    assert found.measured.offered_a == 16.0


# -- the chain of rule C.4 ---------------------------------------------------------------------------------------------


def test_power_comes_from_the_phases_when_there_is_no_total() -> None:
    found = measured(read(P, 2300, "L1"), read(P, 1150, "L2-N"), read(P, 0, "L3"))
    assert found.measured.power_kw == pytest.approx(3.45)
    assert found.measured.current_a == pytest.approx((10.0, 5.0, 0.0))


def test_power_comes_from_current_and_voltage_when_nobody_says_it() -> None:
    found = measured(read(A, 10, "L1"), read(A, 0, "L2"), read(A, 0, "L3"), read(U, 240, "L1-N"))
    assert found.measured.power_kw == pytest.approx(2.4)
    assert found.quality is Quality.DERIVED
    assert found.measured.voltage_v == 240.0


def test_a_line_to_line_voltage_counts_by_the_root_of_three() -> None:
    found = measured(read(A, 10, "L1"), read(U, 400, "L1-L2"), read(U, 400, "L2-L3"), read(U, 400, "L3-L1"))
    assert found.measured.power_kw == pytest.approx(10 * 400 / 3**0.5 / 1000)


def test_an_unnamed_current_is_the_sum_only_where_the_power_says_so() -> None:
    """[G-97]"""
    assert measured(read(A, 30), read(P, 6900)).measured.current_a == pytest.approx((10.0,) * 3)
    assert measured(read(A, 10), read(P, 6900)).measured.current_a == pytest.approx((10.0,) * 3)
    assert measured(read(A, 30)).measured.current_a == pytest.approx((30.0,) * 3), "unknown: the safe side"
    total = measured(read(A, 30), traits=Traits(is_total_current_sum=True)).measured
    assert total.current_a == pytest.approx((10.0,) * 3)
    assert total.power_kw == pytest.approx(6.9)


def test_one_named_phase_of_three_equal_ones_is_seen_by_the_power() -> None:
    """[G-97]"""
    assert measured(read(A, 16, "L1"), read(P, 11_040)).measured.current_a == (16.0,) * 3
    assert measured(read(A, 16, "L1"), read(P, 3_680)).measured.current_a == (16.0, 0.0, 0.0)


def test_power_alone_is_spread_over_the_phases_that_the_offer_tells() -> None:
    """[C.4]"""
    one = measured(read(P, 7360), read("Current.Offered", 32)).measured
    assert one.current_a == pytest.approx((32.0, 0.0, 0.0))
    assert measured(read(P, 7360)).measured.current_a == pytest.approx((10.6667,) * 3, abs=0.001)
    told = measure([read(P, 7360)], TURNED, n_used=1).measured
    assert told.current_a == pytest.approx((0.0, 32.0, 0.0))


def test_with_an_unknown_rotation_every_phase_counts_what_one_may_carry() -> None:
    """[F-20]"""
    assert spread_a(UNKNOWN, 7.36, 1) == pytest.approx((32.0, 32.0, 32.0))


@pytest.mark.parametrize(
    ("rotation_of", "expected"), [(EVSE, (10.0, 0.0, 0.0)), (TURNED, (0.0, 10.0, 0.0)), (UNKNOWN, (10.0, 0.0, 0.0))]
)
def test_labels_of_terminals_go_through_the_rotation(rotation_of: Evse, expected: tuple[float, ...]) -> None:
    """[F-22, G-98]"""
    phases = [read(A, 10, "L1"), read(A, 0, "L2"), read(A, 0, "L3")]
    assert measured(*phases, evse=rotation_of, traits=Traits(labels_terminals=True)).measured.current_a == expected
    assert measured(*phases, evse=rotation_of).measured.current_a == (10.0, 0.0, 0.0)


def test_export_is_subtracted() -> None:
    """[C-27]"""
    found = measured(read(P, 0), read("Power.Active.Export", 5000), read("Energy.Active.Export.Register", 1200)).measured
    assert found.power_kw == -5.0
    assert found.export_kwh == pytest.approx(1.2)


def test_offers_setpoint_and_intervals_are_read() -> None:
    """[C-4, C.2]"""
    found = measured(
        read("Current.Import.Offered", 13),
        read("Power.Import.Offered", 9, unit="kW"),
        read("Power.Active.Setpoint", -3000),
        read("Energy.Active.Import.Interval", 250),
        read("Energy.Active.Export.Interval", 50),
    ).measured
    assert (found.offered_a, found.offered_kw, found.setpoint_kw) == (13.0, 9.0, -3.0)
    assert found.interval_kwh == pytest.approx(0.2)


def test_the_cars_own_state_of_charge_stands_before_its_display() -> None:
    """[C.4]"""
    shown = read("Display.PresentSOC", 61, location="EV")
    assert measured(shown).measured.soc_frac == pytest.approx(0.61)
    assert measured(shown, read("SoC", 60, location="EV", unit="Percent")).measured.soc_frac == pytest.approx(0.60)


def test_what_a_car_wants_is_told() -> None:
    """[C.2]"""
    told = measured(
        read("EnergyRequest.Target", 22_000), read("Display.TargetSOC", 80), read("Display.BatteryEnergyCapacity", 64_000)
    ).told
    assert told is not None
    assert (told.energy_kwh, told.soc_target_frac, told.capacity_kwh) == (22.0, 0.8, 64.0)


def test_history_contexts_never_mix_with_live_values() -> None:
    """[C-24]"""
    begin = read(P, 0, context="Transaction.Begin")
    assert measured(begin).quality is Quality.HISTORY
    both = measured(begin, read(P, 2300, context="Trigger"))
    assert both.quality is not Quality.HISTORY
    assert both.measured.power_kw == pytest.approx(2.3)


def test_the_outlet_counts_and_body_and_car_never_do() -> None:
    """[C-22]"""
    found = measured(read(P, 7000, location="Outlet"), read(P, 7400, location="Inlet"), read(P, 99, location="Body"))
    assert found.measured.power_kw == 7.0
    assert measured(read(P, 99, location="EV")).measured.power_kw is None


# -- direct current (rule F.6) -----------------------------------------------------------------------------------------


def test_a_dc_charger_counts_at_its_ac_side() -> None:
    """[C-22, F.6]"""
    inlet = measured(read(P, 40_000), read(P, 43_000, location="Inlet"), read(E, 9000), evse=DC)
    assert inlet.measured.power_kw == 43.0
    assert inlet.measured.energy_kwh == 9.0, "billed where it is delivered"


@pytest.mark.parametrize(("dc_w", "ac_kw"), [(40_000, 40 / 0.94 + 0.3), (10_000, 10 / 0.88 + 0.3), (0, 0.0)])
def test_without_an_inlet_the_losses_are_added(dc_w: float, ac_kw: float) -> None:
    found = measured(read(P, dc_w), read(A, 100), read(U, 400), evse=DC)
    assert found.measured.power_kw == pytest.approx(ac_kw)
    assert found.measured.current_a == pytest.approx((ac_kw / 0.69,) * 3)
    assert found.quality is Quality.DERIVED


def test_amperes_behind_the_rectifier_are_no_phase_current() -> None:
    found = measured(read(A, 100), read(U, 400), read("Current.Offered", 125), evse=DC).measured
    assert found.power_kw == pytest.approx(40 / 0.94 + 0.3)
    assert found.offered_a is None


def test_delivery_arrives_smaller() -> None:
    assert measured(read("Power.Active.Export", 10_000), evse=DC).measured.power_kw == pytest.approx(-9.4)


# -- units in doubt [C-21, G-90, G-91, B23] ----------------------------------------------------------------------------


def test_a_power_beyond_the_rating_counts_as_current_times_voltage_or_as_the_rating() -> None:
    currents = [read(A, 16, phase) for phase in ("L1", "L2", "L3")]
    with_currents = measured(read(P, 11_040, unit="kW"), *currents)
    assert with_currents.measured.power_kw == pytest.approx(11.04)
    assert with_currents.measured.anomaly == "power"
    alone = measured(read(P, 11_040, unit="kW")).measured
    assert alone.power_kw == pytest.approx(22.08), "all that the EVSE can draw"


def test_a_tiny_power_beside_a_real_current_does_not_count() -> None:
    found = measured(read(P, 11, unit="W"), *(read(A, 16, phase) for phase in ("L1", "L2", "L3")))
    assert found.measured.power_kw == pytest.approx(11.04)


def test_a_factor_is_proposed_after_five_samples_that_agree() -> None:
    """[C-21]"""
    large = Compared(power_kw=11_040.0, product_kw=11.0, rated_kw=22.0)
    small = Compared(power_kw=0.011, product_kw=11.0, rated_kw=22.0)
    right = Compared(power_kw=11.0, product_kw=11.0, rated_kw=22.0)
    assert propose_factor([large] * 4) is None
    assert propose_factor([right, *[large] * 5]) == pytest.approx(0.001)
    assert propose_factor([small] * 5) == 1000.0
    assert propose_factor([*[large] * 4, right]) is None
    assert propose_factor([replace(large, product_kw=3.0)] * 5) is None, "the currents say something else"


def test_a_factor_of_the_registers_is_proposed_by_their_growth() -> None:
    """[G-91, C.5]"""
    slow = EnergyCompared(register_kw=0.0111, power_kw=11.0)
    assert propose_energy_factor([slow] * 5) == 1000.0
    assert propose_energy_factor([EnergyCompared(register_kw=10_900.0, power_kw=11.0)] * 5) == pytest.approx(0.001)
    assert propose_energy_factor([EnergyCompared(register_kw=10.9, power_kw=11.0)] * 5) is None
    assert propose_energy_factor([slow] * 4) is None


def test_known_factors_put_values_right() -> None:
    """[C-21]"""
    traits = Traits(power_factor=0.001, energy_factor=1000.0)
    found = measured(read(P, 11_040, unit="kW"), read(E, "9", unit="Wh"), traits=traits).measured
    assert found.power_kw == pytest.approx(11.04)
    assert found.energy_kwh == pytest.approx(9.0)


READINGS = st.builds(
    Reading,
    value=st.one_of(st.floats(), st.text(max_size=6), st.integers(-(10**9), 10**9), st.booleans(), st.none()),
    measurand=st.sampled_from([P, A, U, E, "SoC", "Current.Offered", "Power.Active.Export", "Power.Offered", "x", ""]),
    phase=st.sampled_from(["", "L1", "L2", "L3", "L1-N", "L1-L2", "L3-L1", "N", "l2", "?"]),
    unit=st.sampled_from(["", "W", "kW", "Wh", "kWh", "A", "V", "Percent", "Celsius", "zz"]),
    multiplier=st.integers(-12, 12),
    location=st.sampled_from(["Outlet", "Inlet", "Cable", "EV", "Body", ""]),
    context=st.sampled_from(["Sample.Periodic", "Sample.Clock", "Trigger"]),
)


@given(st.lists(READINGS, max_size=12), st.sampled_from([EVSE, TURNED, UNKNOWN, DC, None]))
def test_whatever_is_sent_what_comes_out_is_finite_and_within_bounds(readings: list[Reading], evse: Evse | None) -> None:
    """[B08, C-25]"""
    found = measure(readings, evse).measured
    values = [*(found.current_a or ()), *(x for x in (found.power_kw, found.energy_kwh, found.voltage_v) if x is not None)]
    assert all(abs(v) < 1e12 for v in values)
    assert found.soc_frac is None or 0.0 <= found.soc_frac <= 1.0
    assert found.energy_kwh is None or found.energy_kwh >= 0.0
    if evse is EVSE and found.power_kw is not None and found.current_a is None:
        raise AssertionError("a power without a current cannot be guarded")


@pytest.mark.parametrize(("current_a", "is_taken"), [(900.0, True), (4000.0, True), (12_000.0, False)])
def test_a_main_meter_may_stand_at_a_transformer(current_a: float, is_taken: bool) -> None:
    """[C-3, C-25] An EVSE never carries 4000 A; the connection of five hundred does."""
    readings = [Reading(value=current_a, measurand="Current.Import", phase=p, unit="A") for p in ("L1", "L2", "L3")]
    found = measure(readings, None)
    assert found.measured.current_a == ((current_a,) * 3 if is_taken else None)
    assert found.n_refused == (0 if is_taken else 3)
