"""Delivery in steady orders: what following cars do is not taken for a building that switches off, and nothing saws.

[A-100, F-41]; see also ``test_backflow`` for the limits themselves.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.control import backflow
from loadmgr.control.controller import Controller
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.samples import Measured
from tests.support.builders import NOON, a_state, drawn, site_meter
from tests.support.v2x import a_bidirectional_car, a_plan, a_v2x_site, linked

KW_PER_A = 0.69


def _controller(*, export_kw: float, base_kw: float) -> Controller:
    """Two cars at rest, a settled meter at 30 s."""
    state = a_state(a_v2x_site(n=2, export_kw=export_kw), *linked(a_v2x_site(n=2)))
    controller = Controller(state.context, state)
    for number in (1, 2):
        controller.observe(a_bidirectional_car(number))
        controller.observe([drawn(number, NOON + timedelta(seconds=25), (0.0, 0.0, 0.0))])
    controller.observe([_meter(30, base_kw)])
    return controller


def _meter(second: float, power_kw: float) -> ev.MeterSample:
    phase_a = power_kw / KW_PER_A
    return site_meter(NOON + timedelta(seconds=second), (phase_a, phase_a, phase_a))


def _sample(number: int, second: float, power_kw: float) -> ev.MeterSample:
    at, phase_a = NOON + timedelta(seconds=second), power_kw / KW_PER_A
    measured = Measured(current_a=(phase_a, phase_a, phase_a), power_kw=power_kw)
    return ev.MeterSample(
        at=at, meter=MeterId(f"S{number}/1"), measured_at=at, measured=measured, session=SessionId(f"s{number}")
    )


def _protect(controller: Controller, second: float) -> dict[str, Setpoint]:
    now = NOON + timedelta(seconds=second)
    decision = controller.protect(now)
    controller.observe(decision.events)
    found = {}
    for event in decision.events:
        if isinstance(event, ev.SetpointSent):
            found[str(event.setpoint.evse)] = event.setpoint
            told = ev.SetpointAnswered(at=now, no=event.setpoint.no, evse=event.setpoint.evse, accepted=True)
            controller.observe([told])
    return found


def _planned(controller: Controller, kw: dict[int, float], second: float, no: int = 1) -> None:
    controller.observe([a_plan(kw, NOON + timedelta(seconds=second), no=no)])


def _turning(base_kw: float = 6.9) -> Controller:
    """Both drew 6.9 kW and were told at 61 s to deliver 4 kW; 4 kW may flow back."""
    controller = _controller(export_kw=4.0, base_kw=base_kw)
    _planned(controller, {1: 6.9, 2: 6.9}, 30)
    assert {s.power_kw for s in _protect(controller, 31).values()} == {6.9}
    controller.observe([_sample(1, 55, 6.9), _sample(2, 55, 6.9), _meter(56, base_kw + 13.8)])
    _planned(controller, {1: -4.0, 2: -4.0}, 60, no=2)
    assert {e: s.power_kw for e, s in _protect(controller, 61).items()} == {"S1/1": -4.0, "S2/1": -4.0}
    return controller


def _delivering(base_kw: float = 6.9) -> Controller:
    """The same, a quarter of a minute later: they do."""
    controller = _turning(base_kw)
    controller.observe([_sample(1, 75, -4.0), _sample(2, 75, -4.0), _meter(76, base_kw - 8.0)])
    assert _protect(controller, 76) == {}
    return controller


def test_cars_that_begin_to_deliver_do_not_look_like_a_building_that_switches_off() -> None:
    """The site meter falls before the chargers have said anything: nothing is cut."""
    controller = _turning()
    controller.observe([_meter(65, 6.9 - 8.0)])
    assert _protect(controller, 66) == {}


def test_a_fall_of_the_building_is_seen_as_soon_as_the_meters_prove_it() -> None:
    """[A-100] The chargers say 4 kW each, the meter says that 5 kW flow back: the building has fallen to 3 kW."""
    controller = _delivering()
    controller.observe([_sample(1, 80, -4.0), _sample(2, 80, -4.0), _meter(81, 3.0 - 8.0)])
    sent = _protect(controller, 82)
    assert len(sent) == 2
    assert 0.0 < -sum(s.power_kw or 0.0 for s in sent.values()) <= 4.0 + 3.0


@pytest.mark.parametrize(("base_kw", "is_cut"), [(4.5, False), (4.25, True)])
def test_orders_in_force_may_eat_half_of_the_margin(base_kw: float, is_cut: bool) -> None:
    """A margin of 0.69 kW, and 4 − 0.69 + 4.7 kW for both: 0.2 kW too much is meter noise, 0.44 kW is not."""
    controller = _delivering(base_kw=4.7)
    controller.observe([_sample(1, 80, -4.0), _sample(2, 80, -4.0), _meter(81, base_kw - 8.0)])
    assert bool(_protect(controller, 82)) is is_cut


def test_more_delivery_rests_after_every_order() -> None:
    """[F-41] 30 s, as for charging; less goes at once."""
    controller = _delivering()
    _planned(controller, {1: -5.0, 2: -5.0}, 80, no=3)
    controller.observe([_meter(80, -1.1)])
    assert _protect(controller, 81) == {}
    controller.observe([_sample(1, 90, -4.0), _sample(2, 90, -4.0), _meter(91, -1.1)])
    assert {s.power_kw for s in _protect(controller, 92).values()} == {-5.0}
    _planned(controller, {1: -1.0, 2: -5.0}, 93, no=4)
    assert {e: s.power_kw for e, s in _protect(controller, 93).items()} == {"S1/1": -1.0}


@pytest.mark.parametrize(("lasts_s", "begins"), [(60.0, False), (240.0, False), (330.0, True)])
def test_a_car_begins_to_deliver_only_for_what_takes_a_while(lasts_s: float, begins: bool) -> None:
    """At 11 kW; what follows after it charged again is another matter."""
    controller = _controller(export_kw=20.0, base_kw=6.9)
    event = a_plan({1: -11.0}, NOON + timedelta(seconds=30))
    assert isinstance(event, ev.PlanMade)
    plan = replace(event.plan, step_s=(lasts_s, 60.0, 3600.0), power_kw=((-11.0, 2.0, -11.0),))
    controller.observe([replace(event, plan=plan)])
    assert any((s.power_kw or 0.0) < 0.0 for s in _protect(controller, 31).values()) is begins


def test_a_car_that_delivers_goes_on_to_the_last_watt_hour() -> None:
    controller = _delivering()
    event = a_plan({1: -4.0, 2: -4.0}, NOON + timedelta(seconds=80), no=3)
    assert isinstance(event, ev.PlanMade)
    plan = replace(event.plan, step_s=(60.0, 3600.0), power_kw=((-4.0, 0.0), (-4.0, 0.0)))
    controller.observe([replace(event, plan=plan), _meter(80, -1.1)])
    assert _protect(controller, 81) == {}
    wanted = backflow.may_deliver(controller.state, NOON + timedelta(seconds=81), {EvseId("S1/1"): -4.0})
    assert [w.wanted_kw for w in wanted if w.evse.id == "S1/1"] == [4.0]


def test_no_plan_means_no_delivery() -> None:
    controller = _controller(export_kw=20.0, base_kw=6.9)
    plan_kw = {EvseId("S1/1"): -10.0}
    wanted = backflow.may_deliver(controller.state, NOON + timedelta(seconds=31), plan_kw)
    assert [w.wanted_kw for w in wanted] == [0.0, 0.0]


def test_a_limit_of_nothing_cuts_everything_at_once() -> None:
    """The slack is for noise, never for a limit that leaves nothing [B-1]."""
    controller = _delivering()
    none = Limit(id=LimitId("d"), node=NodeId("grid"), source="DER", discharge_kw=0.0)
    controller.observe([ev.LimitSet(at=NOON + timedelta(seconds=78), limit=none)])
    assert {s.power_kw for s in _protect(controller, 78).values()} == {0.0}


def test_the_problem_starts_from_the_delivery_in_force() -> None:
    """A change of delivery costs comfort like one of charging, so plans keep it where nothing speaks against it."""
    controller = _delivering()
    request = controller.prepare(NOON + timedelta(seconds=80))
    assert request is not None
    assert request.problem.present_kw.tolist() == [-4.0, -4.0]
