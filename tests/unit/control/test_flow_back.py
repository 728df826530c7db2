"""What truly flows back, second by second: cars on their way, meters that look at different times, a building that falls.

[A-100, F.5]; ``test_backflow`` has the limits one by one, ``test_delivery_pace`` the orders.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from loadmgr.control.controller import Controller
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId
from loadmgr.domain.limits import Limit
from loadmgr.domain.samples import Measured, PerPhase
from loadmgr.sim.world import Moment
from tests.support.builders import NOON, a_state, site_meter
from tests.support.reaction import overloads
from tests.support.v2x import a_bidirectional_car, a_plan, a_v2x_site, linked

KW_PER_A = 0.69
N_CARS, SPAN_S = 3, 150
MORE_S, LESS_S = 18, 3
"""A car takes at most this long to deliver more, and to deliver less; what settles counts for 20 s."""
METER_S, TICK_S = 5, 2
REACTION_S = MORE_S + METER_S + TICK_S + LESS_S
"""This long after a fall an overload may still begin: an order of the last moment before the meter looked, the slowest car
that follows it, one that comes down meanwhile.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Script:
    """Everything that chance decides. Wishes and base load as (second, kW ...), the first at 0."""

    base: tuple[tuple[int, float], ...]
    wishes: tuple[tuple[int, tuple[float, ...]], ...]
    meter_s: int
    samples_s: tuple[int, ...]
    more_s: tuple[int, ...]
    less_s: tuple[int, ...]
    parts: tuple[float, ...]
    """What of an order to deliver a car can follow."""


@dataclass(slots=True, kw_only=True)
class World:
    """Cars, building and meters around the controller; powers in kW, delivery negative."""

    script: Script
    controller: Controller
    second: int = 0
    powers_kw: list[float] = field(default_factory=lambda: [0.0] * N_CARS)
    coming: list[tuple[int, int, float]] = field(default_factory=list)
    """(second, car, power) that follow from orders."""

    @property
    def now(self) -> datetime:
        return NOON + timedelta(seconds=self.second)

    @property
    def base_kw(self) -> float:
        return [kw for at, kw in self.script.base if at <= self.second][-1]

    @property
    def flow_back_kw(self) -> float:
        return -sum(self.powers_kw) - self.base_kw

    def step(self) -> None:
        """A second: cars move, meters look, plans and orders are made."""
        self.second += 1
        for due in [x for x in self.coming if x[0] <= self.second]:
            self.powers_kw[due[1]] = due[2]
            place = self.coming.index(due)
            self.coming = [x for n, x in enumerate(self.coming) if x[1] != due[1] or n > place]
        for car, every_s in enumerate(self.script.samples_s):
            if (self.second + car) % every_s == 0:
                self._sample(car)
        if self.second % self.script.meter_s == 0:
            self.controller.observe([site_meter(self.now, _phases(-self.flow_back_kw))])
        for at, wish in self.script.wishes:
            if at == self.second:
                self.controller.observe([a_plan(dict(enumerate(wish, 1)), self.now, no=self.second)])
        if self.second % TICK_S == 0:
            self._protect()

    def _sample(self, car: int) -> None:
        kw = self.powers_kw[car]
        measured = Measured(current_a=_phases(kw), power_kw=kw)
        meter, session = MeterId(f"S{car + 1}/1"), SessionId(f"s{car + 1}")
        found = ev.MeterSample(at=self.now, meter=meter, measured_at=self.now, measured=measured, session=session)
        self.controller.observe([found])

    def _protect(self) -> None:
        decision = self.controller.protect(self.now)
        self.controller.observe(decision.events)
        for event in decision.events:
            if isinstance(event, ev.SetpointSent):
                no, evse = event.setpoint.no, event.setpoint.evse
                self.controller.observe([ev.SetpointAnswered(at=self.now, no=no, evse=evse, accepted=True)])
                self._follow(evse, event.setpoint.power_kw or 0.0)

    def _follow(self, evse: EvseId, told_kw: float) -> None:
        car = int(evse[1]) - 1
        wanted_kw = told_kw * self.script.parts[car] if told_kw < 0.0 else told_kw
        pending = [x[2] for x in self.coming if x[1] == car]
        is_less = all(abs(wanted_kw) <= abs(kw) for kw in (self.powers_kw[car], *pending))
        lag_s = self.script.less_s[car] if is_less else self.script.more_s[car]
        self.coming.append((self.second + lag_s, car, wanted_kw))


def _phases(power_kw: float) -> PerPhase:
    return (power_kw / KW_PER_A, power_kw / KW_PER_A, power_kw / KW_PER_A)


def _world(script: Script, *, export_kw: float, fuse_a: float = 63.0, discharge_kw: float | None = None) -> World:
    site = a_v2x_site(n=N_CARS, export_kw=export_kw, fuse_a=fuse_a)
    state = a_state(site, *linked(site))
    controller = Controller(state.context, state)
    for number in range(1, N_CARS + 1):
        controller.observe(a_bidirectional_car(number))
    if discharge_kw is not None:
        most = Limit(id=LimitId("d"), node=NodeId("grid"), source="DER", discharge_kw=discharge_kw)
        controller.observe([ev.LimitSet(at=NOON, limit=most)])
    return World(script=script, controller=controller)


@st.composite
def scripts(draw: st.DrawFn) -> Script:
    """Buildings that rise and fall, plans that change their mind, cars of every pace."""
    each = {"min_size": N_CARS, "max_size": N_CARS}
    times = st.integers(30, SPAN_S - REACTION_S)
    falls = draw(st.lists(st.tuples(times, st.sampled_from([0.0, 2.0, 5.0, 9.0, 14.0])), max_size=3))
    power = st.sampled_from([-10.0, -7.0, -3.0, 0.0, 6.9])
    plans = draw(st.lists(st.tuples(times, st.tuples(*[power] * N_CARS)), min_size=1, max_size=5))
    return Script(
        base=((0, draw(st.sampled_from([2.0, 9.0, 14.0]))), *sorted(falls)),
        wishes=((25, draw(st.tuples(*[power] * N_CARS))), *sorted(plans)),
        meter_s=draw(st.integers(1, METER_S)),
        samples_s=tuple(draw(st.lists(st.integers(4, 15), **each))),
        more_s=tuple(draw(st.lists(st.integers(1, MORE_S), **each))),
        less_s=tuple(draw(st.lists(st.integers(1, LESS_S), **each))),
        parts=tuple(draw(st.lists(st.sampled_from([1.0, 1.0, 0.4, 0.0]), **each))),
    )


SAW = Script(
    base=((0, 9.0), (48, 0.0)),
    wishes=(
        (25, (-3.0, -10.0, -3.0)),
        (57, (-3.0, 6.9, -10.0)),
        (62, (-3.0, -7.0, 6.9)),
        (68, (-3.0, 6.9, -10.0)),
        (76, (-7.0, -3.0, -7.0)),
        (100, (-3.0, 6.9, -10.0)),
    ),
    meter_s=3,
    samples_s=(15, 14, 9),
    more_s=(12, 8, 7),
    less_s=(2, 2, 1),
    parts=(1.0, 1.0, 1.0),
)
"""The building falls once; where orders rise on what the meters do not disprove, 1.2 kW too much flows back 53 s later."""

YOUNGER = Script(
    base=((0, 9.0), (30, 0.0)),
    wishes=((25, (-10.0, -10.0, 0.0)), (79, (-10.0, -10.0, -10.0))),
    meter_s=3,
    samples_s=(4, 6, 4),
    more_s=(1, 1, 1),
    less_s=(1, 1, 2),
    parts=(1.0, 1.0, 1.0),
)
"""A car stops to draw between the reading of the site meter and its own: with both as they are, the difference is taken for
a building, and the others rise on it.
"""


@settings(max_examples=100, deadline=None)
@given(scripts(), st.sampled_from([3.0, 8.0, 15.0]), st.sampled_from([25.0, 63.0]))
@example(SAW, 15.0, 63.0)
@example(YOUNGER, 3.0, 63.0)
def test_what_flows_back_exceeds_a_limit_only_after_a_fall_and_never_longer_than_a_fuse_bears(
    script: Script, export_kw: float, fuse_a: float
) -> None:
    """[A-100, F.5] However much the base load is over-estimated while cars are on their way, no order rises on that."""
    world = _world(script, export_kw=export_kw, fuse_a=fuse_a)
    moments: list[Moment] = []
    fell, was_over = -REACTION_S, False
    for _ in range(SPAN_S):
        before_kw = world.base_kw
        world.step()
        fell = world.second if world.base_kw < before_kw else fell
        moments.append(Moment(at=world.now, loads={NodeId("grid"): (_phases(-world.flow_back_kw), -world.flow_back_kw)}))
        is_over = world.flow_back_kw > export_kw + 1e-6
        if is_over and not was_over:
            assert world.second - fell <= REACTION_S, (world.second, fell, world.powers_kw, world.base_kw)
        was_over = is_over
    assert [str(o) for o in overloads(world.controller.state.site, moments)] == []


@settings(max_examples=60, deadline=None)
@given(scripts(), st.sampled_from([0.0, 4.0, 12.0]))
def test_a_limit_on_what_cars_deliver_together_holds_whatever_the_base_load_does(script: Script, most_kw: float) -> None:
    """[A-100, B-2] It does not depend on any meter."""
    world = _world(script, export_kw=15.0, discharge_kw=most_kw)
    for _ in range(SPAN_S):
        world.step()
        assert sum(max(-kw, 0.0) for kw in world.powers_kw) <= most_kw + 1e-6, (world.second, world.powers_kw)


def test_a_limit_is_used_where_nothing_changes() -> None:
    """The proof costs no delivery: 8 kW less the margin of an ampere, and the building's 9 kW."""
    still = Script(
        base=((0, 9.0),),
        wishes=((25, (-10.0, -10.0, -10.0)),),
        meter_s=4,
        samples_s=(9, 10, 11),
        more_s=(5, 10, 15),
        less_s=(2, 2, 2),
        parts=(1.0, 1.0, 1.0),
    )
    world = _world(still, export_kw=8.0)
    for _ in range(60):
        world.step()
    assert world.flow_back_kw == pytest.approx(8.0 - KW_PER_A, abs=0.05)
