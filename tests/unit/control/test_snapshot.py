"""From the state to the problem: rows, batteries, cars that deliver, demand, and a reserve for wrong forecasts."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from math import inf

import numpy as np
import pytest

from loadmgr.control import snapshot
from loadmgr.control import state as state_tools
from loadmgr.control.formulate import to_problem, used_rows
from loadmgr.control.need import need_of
from loadmgr.control.state import SiteContext, SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId
from loadmgr.domain.limits import Limit, LimitKind
from loadmgr.domain.params import ControlParams
from loadmgr.domain.samples import Measured
from loadmgr.domain.series import Series, UncontrolledLoad
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import Battery, GridNode, Site
from loadmgr.domain.tariff import DemandCharge, Tariff
from solvers import solve
from solvers.check import faults
from tests.support.builders import NOON, a_site, after, connected, plugged, site_meter
from tests.support.v2x import TRAITS

GRID = NodeId("grid")
PARAMS = ControlParams(horizon=((8, 900.0),), margin_a=0.0, margin_frac=0.0, forecast_quantile=0.9)


def _site(*, is_dc: bool = False, discharge_max_kw: float = 0.0, has_battery: bool = False) -> Site:
    """Three EVSEs on a node ``bay`` below the grid connection, which has the meter."""
    site = a_site(fuse_a=63.0, power_kw=40.0, meter="m", base_max_a=20.0)
    bay = GridNode(id=NodeId("bay"), parent=GRID)
    evses = {
        key: replace(evse, node=bay.id, caps=replace(evse.caps, is_dc=is_dc, discharge_max_kw=discharge_max_kw))
        for key, evse in site.evses.items()
    }
    batteries = {}
    if has_battery:
        batteries["bay"] = Battery(
            id="bay", node=bay.id, capacity_kwh=20.0, charge_max_kw=10.0, discharge_max_kw=10.0, end_value_per_kwh=0.0
        )
    return replace(site, nodes={**site.nodes, bay.id: bay}, evses=evses, batteries=batteries)


def _state(site: Site, *events: ev.Event, **context: object) -> SiteState:
    made = SiteContext(site=site, params=PARAMS, **context)  # type: ignore[arg-type]
    spoken = [ev.StationConnected(at=NOON, station=s, ocpp="2.1") for s in site.stations]
    known = [ev.TraitsKnown(at=NOON, station=s, traits=TRAITS) for s in site.stations]
    asked = [ev.NeedsStated(at=NOON, session=SessionId("s1"), transfer="AC_BPT")]
    found = after(state_tools.initial(made), [*connected(site), *spoken, *known])
    begun = [e for e in events if isinstance(e, ev.SessionStarted)]
    place = events.index(begun[0]) + 1 if begun else len(events)
    return after(found, [*events[:place], *asked, *events[place:]])


def _told(soc_frac: float, at: object = NOON, energy_kwh: float = 0.0) -> ev.MeterSample:
    measured = Measured(current_a=(0.0, 0.0, 0.0), energy_kwh=energy_kwh, soc_frac=soc_frac)
    return ev.MeterSample(at=NOON, meter=MeterId("S1/1"), measured_at=NOON, measured=measured, session=SessionId("s1"))


def _wish(**given: object) -> ev.IntentSet:
    intent = SessionIntent(depart_at=NOON + timedelta(hours=2), capacity_kwh=50.0, source="t", **given)  # type: ignore[arg-type]
    return ev.IntentSet(at=NOON, session=SessionId("s1"), intent=intent)


def test_later_steps_keep_a_reserve_for_what_forecasts_missed_lately() -> None:
    chance = np.random.default_rng(1)
    state = _state(_site(), *plugged(1))
    for minute in range(180):
        at = NOON - timedelta(minutes=180 - minute)
        level = 10.0 + float(chance.normal(0.0, 3.0))
        state = state_tools.apply(state, site_meter(at, (level, level, level)))
    state = state_tools.apply(state, site_meter(NOON, (10.0, 10.0, 10.0)))
    rows = {row.name: row for row in snapshot.take(state, NOON).rows}
    first, later = rows["grid/L1"].limit[0], rows["grid/L1"].limit[4]
    assert later < first - 1.0
    middle = replace(state, context=replace(state.context, params=replace(PARAMS, forecast_quantile=0.5)))
    assert {r.name: r for r in snapshot.take(middle, NOON).rows}["grid/L1"].limit[4] > later + 1.0


def test_a_car_may_deliver_only_when_charger_contract_and_knowledge_allow_it() -> None:
    """[A-101]"""
    able = _site(discharge_max_kw=10.0)
    wish = _wish(soc_target_frac=0.8, may_discharge=True, reserve_frac=0.4)
    need = need_of(_state(able, *plugged(1), wish, _told(0.5)), _session(able, wish, _told(0.5)), NOON)
    assert need.is_bidirectional
    assert need.store is not None
    assert (need.store.stored_kwh, need.store.reserve_kwh, need.store.discharge_max_kw) == (25.0, 20.0, 10.0)
    assert need.energy_kwh == pytest.approx(15.0)
    for site, intent, told in (
        (_site(), wish, _told(0.5)),
        (able, _wish(soc_target_frac=0.8), _told(0.5)),
        (able, _wish(may_discharge=True), _told(0.5)),
        (able, wish, None),
    ):
        assert not need_of(_state(site, *plugged(1)), _session(site, intent, told), NOON).is_bidirectional


def _session(site: Site, wish: ev.IntentSet, told: ev.MeterSample | None) -> object:
    state = _state(site, *plugged(1), wish, *([told] if told is not None else []))
    return state.sessions[SessionId("s1")]


def test_a_full_car_may_leave_with_less_and_is_still_in_the_plan() -> None:
    site = _site(discharge_max_kw=10.0)
    wish = _wish(soc_target_frac=0.5, may_discharge=True, reserve_frac=0.2)
    state = _state(site, *plugged(1), wish, _told(0.9), site_meter(NOON, (30.0, 30.0, 30.0)))
    problem = to_problem(snapshot.take(state, NOON))
    assert problem.need_kwh[0] == pytest.approx(-20.0)
    assert problem.room_kwh[0] == pytest.approx(5.0)
    assert problem.tracked is not None
    assert problem.tracked.discharge_max_kw[0, 0] == pytest.approx(10.0)
    assert faults(problem, solve(problem)) == ()


def test_on_direct_current_power_falls_with_the_state_of_charge() -> None:
    site = _site(is_dc=True)
    state = _state(site, *plugged(1), _wish(soc_target_frac=1.0), _told(0.9))
    problem = to_problem(snapshot.take(state, NOON))
    assert problem.tracked is not None
    alpha, beta = float(problem.tracked.taper_kw[0, 0]), float(problem.tracked.taper_per_kwh[0, 0])
    full_kw = float(problem.power_max_kw[0, 0])
    assert alpha - beta * 0.8 * 50.0 == pytest.approx(full_kw)
    assert alpha - beta * 50.0 == pytest.approx(0.15 * full_kw)
    assert problem.need_kwh[0] == pytest.approx(5.0)
    assert solve(problem).power_kw[0, 0] < 0.6 * full_kw


def test_a_battery_is_a_member_of_every_row_above_it() -> None:
    told = ev.BatteryMeasured(at=NOON, battery="bay", stored_kwh=12.0, power_kw=0.0)
    state = _state(_site(has_battery=True), *plugged(1), told, site_meter(NOON, (10.0, 10.0, 10.0)))
    taken = snapshot.take(state, NOON)
    coef = {row.name: dict(row.batteries) for row in used_rows(taken)}
    assert coef["grid/kW"] == {"bay": 1.0}
    assert coef["grid/L2"]["bay"] == pytest.approx(1000.0 / 690.0)
    problem = to_problem(taken)
    assert problem.batteries is not None
    assert problem.batteries.stored_kwh == pytest.approx([12.0])
    assert np.isfinite(problem.row_lower).any()
    silent = snapshot.take(state, NOON + timedelta(minutes=5))
    assert silent.batteries == ()


def test_limits_on_flow_back_and_delivery_become_rows_while_they_hold() -> None:
    """A node below the connection: what flows back there, and what cars and battery deliver together. [F.4]"""
    told = ev.BatteryMeasured(at=NOON, battery="bay", stored_kwh=12.0, power_kw=0.0)
    cut = Limit(
        id=LimitId("der"),
        node=NodeId("bay"),
        source="grid-operator",
        export_kw=4.0,
        discharge_kw=6.0,
        from_at=NOON + timedelta(minutes=30),
        until_at=NOON + timedelta(minutes=60),
    )
    wish = _wish(soc_target_frac=0.5, may_discharge=True, reserve_frac=0.1)
    events = [*plugged(1), wish, _told(0.9), told, ev.LimitSet(at=NOON, limit=cut), site_meter(NOON, (10.0, 10.0, 10.0))]
    site = _site(discharge_max_kw=10.0, has_battery=True)
    state = _state(site, *events, tariff=Tariff(export_per_kwh=0.5))
    rows = {row.name: row for row in snapshot.take(state, NOON).rows}
    assert rows["bay/export"].lower == (-inf, -inf, -4.0, -4.0, -inf, -inf, -inf, -inf)
    assert rows["bay/discharge"].lower == (-inf, -inf, -6.0, -6.0, -inf, -inf, -inf, -inf)
    assert rows["bay/discharge"].source == "grid-operator"
    problem = to_problem(snapshot.take(state, NOON))
    solution = solve(problem)
    assert faults(problem, solution) == ()


def test_a_wish_gives_way_to_a_promise_and_not_to_money() -> None:
    """A soft limit of 10 kW for the first hour."""
    wish = Limit(id=LimitId("w"), node=GRID, source="manager", power_kw=10.0, kind=LimitKind.SOFT)
    prices = Series(times=tuple(NOON + timedelta(minutes=15 * i) for i in range(8)), values=(0.1,) * 4 + (0.9,) * 4)
    quiet = [ev.LimitSet(at=NOON, limit=wish), site_meter(NOON, (0.0, 0.0, 0.0))]
    cheap = _state(_site(), *plugged(1, energy_kwh=12.0, hours=2.0), *quiet, tariff=Tariff(series=prices))
    problem = to_problem(snapshot.take(cheap, NOON))
    row = problem.row_names.index("grid/kW (wish)")
    assert np.isfinite(problem.row_soft_price[row])
    assert solve(problem).row_excess[row].max() == pytest.approx(0.0, abs=1e-6)
    urgent = _state(_site(), *plugged(1, energy_kwh=14.0, hours=1.0), *quiet, tariff=Tariff(series=prices))
    solution = solve(to_problem(snapshot.take(urgent, NOON)))
    assert solution.shortfall_kwh == pytest.approx([0.0], abs=1e-6)
    assert solution.row_excess[row].max() > 2.0


def test_the_export_limit_of_the_connection_bounds_the_site() -> None:
    site = _site(discharge_max_kw=10.0)
    limit = Limit(id=LimitId("x"), node=GRID, source="dso", export_kw=5.0, until_at=NOON + timedelta(minutes=20))
    taken = snapshot.take(_state(site, *plugged(1), ev.LimitSet(at=NOON, limit=limit)), NOON)
    assert taken.export_limit_kw == (5.0, 5.0, inf, inf, inf, inf, inf, inf)
    assert to_problem(taken).export_limit_kw[0] == 5.0


def test_demand_carbon_and_curtailable_sun_come_from_the_site_file() -> None:
    begin = NOON - timedelta(days=1)
    sun = UncontrolledLoad(node=NodeId("bay"), pv_kw=Series(times=(begin,), values=(9.0,)), is_curtailable=True)
    charge = DemandCharge(name="month", price_per_kw=8.0)
    tariff = Tariff(carbon_per_kg=0.1, carbon_kg_per_kwh=0.4, demand=(charge,))
    peak = ev.PeakIncurred(at=NOON, charge="month", period="2026-06", power_kw=17.0)
    state = _state(_site(), *plugged(1), peak, site_meter(NOON, (5.0, 5.0, 5.0)), tariff=tariff, loads=(sun,))
    problem = to_problem(snapshot.take(state, NOON))
    assert problem.carbon_price_per_kwh == pytest.approx([0.04] * 8)
    assert problem.demand is not None
    assert problem.demand.incurred_kw == pytest.approx([17.0])
    assert problem.pv_kw == pytest.approx([9.0] * 8)
    assert problem.base_kw[0] - problem.pv_kw[0] == pytest.approx(5 * 0.69, abs=0.01)
    curtail = dict(zip(problem.row_names, problem.curtail_coef[:, 0], strict=True))
    assert curtail["grid/kW"] == pytest.approx(1.0)
    assert curtail["grid/L1"] == pytest.approx(1000.0 / 690.0)


def test_a_site_without_optional_terms_gets_a_problem_without_them() -> None:
    problem = to_problem(snapshot.take(_state(_site(), *plugged(1)), NOON))
    assert problem.tracked is problem.batteries is problem.demand is problem.phasors is None
    assert not problem.pv_kw.any()
    assert not problem.carbon_price_per_kwh.any()
    assert not np.isfinite(problem.row_lower).any()
    assert not problem.promised_kwh.any()
    assert EvseId("S1/1") in {e for row in snapshot.take(_state(_site(), *plugged(1)), NOON).rows for e, _ in row.members}
