"""A limit that a station tells for itself as a whole bounds the sum of its EVSEs, in the guard and in the plan [A-92]."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from loadmgr.control import snapshot
from loadmgr.control.dispatch import to_setpoints
from loadmgr.control.formulate import to_problem
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId, StationId
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import Site, Station
from solvers import solve
from tests.support.builders import NOON, a_site, a_state, after, connected, plugged

PAIR = StationId("S1")
ONE, TWO = EvseId("S1/1"), EvseId("S1/2")


def _site() -> Site:
    """S1 with two EVSEs, S2 with one, behind a fuse that is large enough for all."""
    site = a_site(n=2, fuse_a=200.0)
    second = replace(site.evses[ONE], id=TWO, number=2)
    return replace(
        site,
        stations={**site.stations, PAIR: Station(id=PAIR, evses=(ONE, TWO))},
        evses={ONE: site.evses[ONE], TWO: second, EvseId("S2/1"): site.evses[EvseId("S2/1")]},
    )


def _told(**limit: object) -> ev.ExternalLimitSet:
    return ev.ExternalLimitSet(at=NOON, station=PAIR, source="SO", **limit)  # type: ignore[arg-type]


def _three_cars(*events: ev.Event) -> SiteState:
    site = _site()
    intent = SessionIntent(energy_kwh=20.0, depart_at=NOON + timedelta(hours=4), source="test")
    third = [
        ev.EvseStatusChanged(at=NOON, evse=TWO, status=ev.EvseStatus.PREPARING),
        ev.SessionStarted(at=NOON, session=SessionId("s3"), evse=TWO, transaction="3"),
        ev.IntentSet(at=NOON, session=SessionId("s3"), intent=intent),
    ]
    return a_state(site, *connected(site), *plugged(1), *plugged(2), *third, *events)


def _orders_a(state: SiteState, at: object = NOON) -> dict[EvseId, float]:
    return {s.evse: s.current_a for s in to_setpoints(state, at)}  # type: ignore[arg-type]


def test_the_sum_of_the_evses_stays_within_what_the_station_tells() -> None:
    found = _orders_a(_three_cars(_told(current_a=20.0)))
    assert found[ONE] + found[TWO] <= 20.0
    assert min(found[ONE], found[TWO]) >= 6.0
    assert found[EvseId("S2/1")] == pytest.approx(32.0), "another station is not bound by it"


def test_power_bounds_the_sum_as_well() -> None:
    found = _orders_a(_three_cars(_told(power_kw=11.0)))
    assert 10.0 < (found[ONE] + found[TWO]) * 0.69 <= 11.0


def test_a_limit_that_cannot_serve_both_serves_one() -> None:
    """[A-80]"""
    found = _orders_a(_three_cars(_told(current_a=10.0)))
    assert sorted((found.get(ONE, 0.0), found.get(TWO, 0.0))) == [0.0, pytest.approx(10.0)]


@pytest.mark.parametrize(
    "event",
    [
        _told(current_a=20.0, is_generation=True),
        _told(current_a=20.0, until_at=NOON),
        _told(),
        ev.ExternalLimitSet(at=NOON, station=StationId("S2"), source="SO", current_a=20.0),
    ],
    ids=["generation", "over", "without a value", "of another station"],
)
def test_what_is_no_limit_of_this_station_binds_it_not(event: ev.Event) -> None:
    """[A-92, A-93]"""
    found = _orders_a(_three_cars(event))
    assert found[ONE] == found[TWO] == pytest.approx(32.0)


def test_orders_in_force_are_cut_when_the_limit_comes() -> None:
    state = _three_cars()
    for setpoint in to_setpoints(state, NOON):
        state = after(
            state,
            [
                ev.SetpointSent(at=NOON, setpoint=setpoint),
                ev.SetpointAnswered(at=NOON, no=setpoint.no, evse=setpoint.evse, accepted=True),
            ],
        )
    later = NOON + timedelta(seconds=30)
    found = _orders_a(after(state, [_told(current_a=24.0)]), later)
    assert found[ONE] + found[TWO] <= 24.0


def test_the_plan_shares_it_until_it_ends() -> None:
    state = _three_cars(_told(current_a=20.0, until_at=NOON + timedelta(hours=1)))
    taken = snapshot.take(state, NOON)
    problem = to_problem(taken)
    power_kw = solve(problem).power_kw
    sessions = [n.session.evse for n in taken.needs]
    pair_a = sum(power_kw[sessions.index(e)] for e in (ONE, TWO)) / 0.69
    starts_s = np.concatenate([[0.0], np.cumsum(problem.step_h)[:-1]]) * 3600.0
    assert max(pair_a[starts_s < 3600.0]) <= 20.0 + 1e-6
    assert max(pair_a) > 25.0, "after its end nothing binds them"
