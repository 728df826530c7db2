"""Chargers that a limit of zero does not pause (quirks G-2, G-3, G-4), round to coarse steps or have a cap (G-18, G-33)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.control.controller import Controller
from loadmgr.domain import events as ev
from loadmgr.domain.commands import SendSetpoint, StartSession, StopSession
from loadmgr.domain.ids import EvseId, LimitId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.traits import Traits, Zero
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged

EVSE = EvseId("S1/1")


class Day:
    """Two cars behind a fuse; the first one's charger has the given traits. Every order is accepted."""

    def __init__(self, traits: Traits, fuse_a: float = 40.0) -> None:
        site = a_site(fuse_a=fuse_a, n=2)
        known = ev.TraitsKnown(at=NOON, station=StationId("S1"), traits=traits)
        state = after(a_state(site, *connected(site)), [known, *plugged(1), *plugged(2)])
        self.controller = Controller(state.context, state)
        self.commands: list[tuple[int, object]] = []

    def run(self, from_s: int, until_s: int) -> None:
        for second in range(from_s, until_s):
            now = NOON + timedelta(seconds=second)
            decision = self.controller.protect(now)
            self.controller.observe(decision.events)
            self.commands += [(second, c) for c in decision.commands]
            for command in decision.commands:
                if isinstance(command, SendSetpoint):
                    setpoint = command.setpoint
                    told = ev.SetpointAnswered(at=now, no=setpoint.no, evse=setpoint.evse, accepted=True)
                    self.controller.observe([told])
            if second % 10 == 9:
                for number in (1, 2):
                    if self.controller.state.evses[EvseId(f"S{number}/1")].session is not None:
                        amps = self.order_a(number) * 0.98
                        self.controller.observe([drawn(number, now, (amps, amps, amps), second / 1000)])

    def order_a(self, number: int) -> float:
        order = self.controller.state.evses[EvseId(f"S{number}/1")].last_order
        return order.setpoint.current_a if order is not None else 0.0

    def limit(self, second: int, current_a: float) -> None:
        limit = Limit(id=LimitId("cut"), node=NodeId("grid"), source="test", current_a=current_a)
        self.controller.observe([ev.LimitSet(at=NOON + timedelta(seconds=second), limit=limit)])

    def orders_of(self, kind: type) -> list[tuple[int, object]]:
        return [(s, c) for s, c in self.commands if isinstance(c, kind)]


def test_a_charger_that_refuses_zero_is_held_at_its_minimum_and_its_neighbour_makes_room() -> None:
    """[G-2, G-3]"""
    day = Day(Traits(zero=Zero.HOLD))
    day.run(0, 30)
    assert day.order_a(1) >= 6.0
    day.limit(30, 6.0)
    day.run(30, 120)
    assert day.order_a(1) == 6.0
    assert day.order_a(2) == 0.0
    zeros = [c for _, c in day.commands if isinstance(c, SendSetpoint) and c.setpoint.evse == EVSE]
    assert all(c.setpoint.current_a >= 6.0 for c in zeros)
    assert day.orders_of(StopSession) == []


def test_a_charger_that_only_a_stop_pauses_is_stopped_when_a_limit_demands_it_and_started_again() -> None:
    """[G-4, D-7] one logical session: the wish goes on, less what it got."""
    day = Day(Traits(zero=Zero.STOP))
    day.run(0, 30)
    assert day.order_a(1) >= 6.0
    day.limit(30, 5.0)
    day.run(30, 35)
    ((second, stop),) = day.orders_of(StopSession)
    assert (second, stop.transaction) == (30, "1")  # type: ignore[attr-defined]
    now = NOON + timedelta(seconds=36)
    day.controller.observe(
        [
            ev.SessionEnded(at=now, session=SessionId("s1"), meter_stop_kwh=3.0, reason="Remote"),
            ev.EvseStatusChanged(at=now, evse=EVSE, status=ev.EvseStatus.PREPARING),
        ]
    )
    day.run(36, 400)
    assert day.orders_of(StartSession) == []  # nothing fits
    day.controller.observe([ev.LimitWithdrawn(at=NOON + timedelta(seconds=400), limit=LimitId("cut"))])
    day.run(400, 410)
    ((_, start),) = day.orders_of(StartSession)
    assert (start.evse, start.first_a) == (EVSE, 6.0)  # type: ignore[attr-defined]
    at = NOON + timedelta(seconds=411)
    day.controller.observe([ev.SessionStarted(at=at, session=SessionId("s3"), evse=EVSE, transaction="3")])
    day.run(412, 415)
    intent = day.controller.state.sessions[SessionId("s3")].intent
    assert intent.energy_kwh == pytest.approx(17.0)
    assert day.controller.state.evses[EVSE].paused is None


def test_a_car_that_has_left_is_not_started_again() -> None:
    day = Day(Traits(zero=Zero.STOP))
    day.run(0, 30)
    day.limit(30, 5.0)
    day.run(30, 35)
    now = NOON + timedelta(seconds=36)
    day.controller.observe(
        [
            ev.SessionEnded(at=now, session=SessionId("s1"), meter_stop_kwh=3.0, reason="Remote"),
            ev.EvseStatusChanged(at=now, evse=EVSE, status=ev.EvseStatus.AVAILABLE),
            ev.LimitWithdrawn(at=now, limit=LimitId("cut")),
        ]
    )
    day.run(36, 500)
    assert day.orders_of(StartSession) == []


@pytest.mark.parametrize("fuse_a", [17.0, 21.0, 33.0, 39.0])
def test_coarse_steps_and_a_lower_cap_are_respected(fuse_a: float) -> None:
    """[G-18, G-33]"""
    coarse = Day(Traits(current_step_a=1.0), fuse_a=fuse_a)
    coarse.run(0, 5)
    assert coarse.order_a(1) == int(coarse.order_a(1)) > 0.0
    capped = Day(replace(Traits(), effective_max_a=10.0), fuse_a=60.0)
    capped.run(0, 5)
    assert capped.order_a(1) == 10.0
    assert capped.order_a(2) > 20.0
