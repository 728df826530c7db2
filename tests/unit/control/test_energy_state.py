"""Demand windows, batteries, promises, and what is learned from ended sessions."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, time, timedelta

import pytest

from loadmgr.control import energy_state
from loadmgr.control import state as state_tools
from loadmgr.control.energy_state import EnergyState
from loadmgr.control.need import need_of
from loadmgr.control.rows import uncontrolled
from loadmgr.control.state import SiteContext, SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import NodeId, SessionId
from loadmgr.domain.params import ControlParams
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import Battery
from loadmgr.domain.tariff import DemandCharge, Tariff
from tests.support.builders import NOON, a_site, a_state, after, connected, plugged, site_meter

CHARGE = DemandCharge(name="month", price_per_kw=10.0, window_s=900.0)
UTC_ZONE = "UTC"


def _fed(*values: tuple[float, float], charge: DemandCharge = CHARGE, zone: str = UTC_ZONE) -> EnergyState:
    """The state after readings (minutes after noon, kW)."""
    state = EnergyState()
    for minutes, kw in values:
        state = energy_state.with_import(state, (charge,), zone, NOON + timedelta(minutes=minutes), kw)
    return state


def test_a_window_closes_with_its_time_weighted_mean() -> None:
    state = _fed((0, 10.0), (3, 40.0), (6, 40.0), (9, 10.0), (12, 10.0), (15, 99.0))
    assert state.peaks["month"].incurred_kw == pytest.approx((10 * 3 + 40 * 6 + 10 * 6) / 15)
    assert energy_state.incurred_kw(state, "month", NOON, UTC_ZONE) == pytest.approx(22.0)


def test_a_silent_meter_adds_nothing_after_five_minutes() -> None:
    state = _fed((0, 30.0), (16, 30.0))
    assert state.peaks["month"].incurred_kw == pytest.approx(30.0 * 5 / 15)


def test_flow_back_counts_as_nothing() -> None:
    state = _fed((0, -50.0), (4, 15.0), (8, 15.0), (12, 15.0), (15, 0.0))
    assert state.peaks["month"].incurred_kw == pytest.approx(15.0 * 11 / 15)


def test_a_lower_window_does_not_lower_the_peak_and_a_new_month_starts_afresh() -> None:
    state = _fed((0, 30.0), (4, 30.0), (8, 30.0), (12, 30.0), (15, 5.0), (19, 5.0), (23, 5.0), (27, 5.0), (30, 5.0))
    assert state.peaks["month"].incurred_kw == pytest.approx(30.0)
    july = datetime(2026, 7, 1, 0, 5, tzinfo=UTC)
    assert energy_state.incurred_kw(state, "month", july, UTC_ZONE) == 0.0
    later = state
    for minutes in range(0, 36, 3):
        later = energy_state.with_import(later, (CHARGE,), UTC_ZONE, july + timedelta(minutes=minutes), 8.0)
    assert energy_state.incurred_kw(later, "month", july, UTC_ZONE) == pytest.approx(8.0)


def test_only_windows_inside_the_hours_of_a_charge_count() -> None:
    evening = replace(CHARGE, from_time=time(17), until_time=time(20))
    assert _fed((0, 30.0), (5, 30.0), (10, 30.0), (16, 30.0), charge=evening).peaks["month"].incurred_kw == 0.0
    night = replace(CHARGE, from_time=time(22), until_time=time(6))
    assert night.counts_at(datetime(2026, 6, 10, 23)) is True
    assert night.counts_at(datetime(2026, 6, 10, 5)) is True
    assert night.counts_at(datetime(2026, 6, 10, 12)) is False
    assert replace(CHARGE, weekdays=(0,)).counts_at(datetime(2026, 6, 10)) is False


def test_a_peak_is_reported_once_and_comes_back_after_a_restart() -> None:
    state = _fed((0, 30.0), (4, 30.0), (8, 30.0), (12, 30.0), (15, 5.0))
    (event,) = energy_state.unreported(state, NOON)
    assert (event.charge, event.period, event.power_kw) == ("month", "2026-06", pytest.approx(30.0))
    assert energy_state.unreported(energy_state.with_peak(state, event), NOON) == ()
    restarted = energy_state.with_peak(EnergyState(), event)
    assert energy_state.incurred_kw(restarted, "month", NOON, UTC_ZONE) == pytest.approx(30.0)
    older = replace(event, period="2026-05", power_kw=90.0)
    assert energy_state.with_peak(restarted, older) is restarted


def _with_battery(**given: float) -> SiteState:
    site = a_site(meter="m", base_max_a=50.0)
    battery = Battery(id="house", node=NodeId("grid"), capacity_kwh=20.0, charge_max_kw=10.0, discharge_max_kw=10.0)
    site = replace(site, batteries={"house": battery})
    state = state_tools.initial(SiteContext(site=site))
    told = ev.BatteryMeasured(at=NOON, battery="house", stored_kwh=5.0, power_kw=given.get("power_kw", 6.9))
    return after(state, [*connected(site), told, site_meter(NOON, (30.0, 30.0, 30.0))])


def test_a_live_battery_is_not_base_load_and_counts_as_what_it_draws() -> None:
    state = _with_battery(power_kw=6.9)
    base = uncontrolled(state, NOON, has_batteries=False)[NodeId("grid")]
    assert base.load[0] == pytest.approx((20.0, 20.0, 20.0))
    assert uncontrolled(state, NOON)[NodeId("grid")].load[0] == pytest.approx((30.0, 30.0, 30.0))


def test_what_a_battery_delivers_is_not_relied_on() -> None:
    state = _with_battery(power_kw=-6.9)
    assert uncontrolled(state, NOON)[NodeId("grid")].load[0] == pytest.approx((40.0, 40.0, 40.0))


def test_a_battery_that_fell_silent_takes_no_part() -> None:
    state = _with_battery()
    later = NOON + timedelta(minutes=5)
    assert energy_state.live_batteries(state.energy, state.site, NodeId("grid"), (later, 120.0)) == []
    assert state_tools.apply(state, ev.BatteryMeasured(at=NOON, battery="cellar", stored_kwh=1, power_kw=0)) is state
    older = ev.BatteryMeasured(at=NOON - timedelta(minutes=1), battery="house", stored_kwh=19.0, power_kw=0.0)
    assert state_tools.apply(state, older).energy.batteries["house"].stored_kwh == 5.0


def _promised(energy_kwh: float, hours: float = 2.0) -> SiteState:
    site = a_site()
    promise = ev.PromiseMade(at=NOON, session=SessionId("s1"), energy_kwh=energy_kwh, by_at=NOON + timedelta(hours=hours))
    return a_state(site, *connected(site), *plugged(1), promise)


@pytest.mark.parametrize(
    ("stop_kwh", "hours", "outcome"),
    [(10.0, 2.5, (1, 0, 0)), (9.95, 2.5, (1, 0, 0)), (8.0, 2.5, (0, 1, 0)), (8.0, 1.0, (0, 0, 1)), (10.0, 1.0, (1, 0, 0))],
)
def test_a_promise_is_kept_broken_or_void(stop_kwh: float, hours: float, outcome: tuple[int, int, int]) -> None:
    at = NOON + timedelta(hours=hours)
    ended = state_tools.apply(_promised(10.0), ev.SessionEnded(at=at, session=SessionId("s1"), meter_stop_kwh=stop_kwh))
    book = ended.energy.promises
    assert (book.n_kept, book.n_broken, book.n_void) == outcome
    assert book.open == {}


def test_a_new_wish_makes_the_old_promise_void() -> None:
    state = _promised(10.0)
    wish = ev.IntentSet(at=NOON, session=SessionId("s1"), intent=SessionIntent(energy_kwh=5.0))
    assert state_tools.apply(state, wish).energy.promises.open == {}


def test_what_was_promised_is_owed_until_it_is_there() -> None:
    state = _promised(10.0)
    session = state.sessions[SessionId("s1")]
    assert need_of(state, session, NOON).promised_kwh == 10.0
    assert need_of(state, replace(session, energy_kwh=4.0), NOON).promised_kwh == 6.0
    assert need_of(state, replace(session, energy_kwh=10.5), NOON).promised_kwh == 0.0


def test_departures_and_energies_that_nobody_said_are_learned_for_plans() -> None:
    site = a_site()
    state = a_state(site, *connected(site), params=ControlParams(depart_quantile=0.5))
    for day in range(1, 13):
        began = NOON - timedelta(days=day)
        known = ev.StayKnown(at=NOON, user="", started_at=began, ended_at=began + timedelta(hours=3), energy_kwh=6.0)
        state = state_tools.apply(state, known)
    started = ev.SessionStarted(at=NOON, session=SessionId("s1"), evse=next(iter(site.evses)), transaction="1")
    state = state_tools.apply(state, started)
    session = state.sessions[SessionId("s1")]
    now = NOON + timedelta(minutes=1)
    need = need_of(state, session, now, learns=True)
    assert need.energy_kwh == pytest.approx(6.0)
    assert need.depart_at == NOON + timedelta(hours=3, minutes=-5)
    plain = need_of(state, session, now)
    assert plain.energy_kwh == state.params.energy_default_kwh
    assert plain.depart_at > need.depart_at


def test_a_drivers_word_is_corrected_only_where_the_site_file_says_so() -> None:
    site = a_site()
    trusting = a_state(site, *connected(site), *plugged(1, energy_kwh=20.0, hours=8.0))
    for day in range(1, 15):
        began = NOON - timedelta(days=day)
        stay = ev.StayKnown(
            at=NOON,
            user="",
            started_at=began,
            ended_at=began + timedelta(hours=5),
            energy_kwh=10.0,
            said_depart_at=began + timedelta(hours=8),
            said_kwh=20.0,
        )
        trusting = state_tools.apply(trusting, stay)
    doubting = replace(trusting, context=replace(trusting.context, params=ControlParams(trusts_drivers=False)))
    session = trusting.sessions[SessionId("s1")]
    assert need_of(trusting, session, NOON, learns=True).energy_kwh == 20.0
    doubted = need_of(doubting, session, NOON, learns=True)
    assert doubted.energy_kwh == pytest.approx(10.0)
    assert doubted.depart_at <= NOON + timedelta(hours=5)
    # A car that goes on after what was expected gets small portions up to its word.
    assert need_of(doubting, replace(session, energy_kwh=11.0), NOON, learns=True).energy_kwh == pytest.approx(2.0)


def test_an_ended_session_is_learned_from() -> None:
    state = _promised(10.0)
    at = NOON + timedelta(hours=3)
    ended = state_tools.apply(state, ev.SessionEnded(at=at, session=SessionId("s1"), meter_stop_kwh=7.0))
    (stay,) = ended.energy.history.site
    assert (stay.energy_kwh, stay.said_kwh, stay.ended_at) == (7.0, 20.0, at)


def test_the_tariff_prices_carbon() -> None:
    assert Tariff(carbon_per_kg=0.1, carbon_kg_per_kwh=0.4).carbon_price(NOON) == pytest.approx(0.04)
