"""Unbalance limits in guard, plan, checker and site model [F-30]."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.control import guard, snapshot, v2x
from loadmgr.control.dispatch import to_setpoints
from loadmgr.control.formulate import to_problem
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, NodeId, SessionId
from loadmgr.domain.limits import Limit, LimitKind
from loadmgr.domain.site import Site
from loadmgr.errors import SiteModelError
from solvers import solve
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged, site_meter
from tests.support.v2x import a_bidirectional_car, a_v2x_site, linked

GRID = NodeId("grid")


def _limit(unbalance_a: float = 20.0, **given: object) -> Limit:
    return Limit(id=LimitId("even"), node=GRID, source="grid code", unbalance_a=unbalance_a, **given)  # type: ignore[arg-type]


def _site(rotations: tuple[str, ...], *, meter: str | None = None, n: int = 3) -> Site:
    site = a_site(n=n, fuse_a=200.0, rotations=rotations, meter=meter, base_max_a=30.0 if meter else 0.0)
    node = replace(site.nodes[GRID], limits=(*site.nodes[GRID].limits, _limit()))
    return replace(site, nodes={GRID: node})


def _single_phase(site: Site, *events: ev.Event) -> SiteState:
    """Cars at all stations of which it was seen that they use one line."""
    state = a_state(site, *connected(site))
    for i in range(len(site.stations)):
        state = after(state, plugged(i + 1))
    state = replace(state, sessions={k: replace(s, n_phases=1) for k, s in state.sessions.items()})
    return after(state, events)


def _orders_a(state: SiteState) -> list[float]:
    found = {s.evse: s.current_a for s in to_setpoints(state, NOON)}
    return [found.get(EvseId(f"S{i + 1}/1"), 0.0) for i in range(len(state.site.stations))]


def test_cars_on_one_line_share_the_limit_less_its_margin() -> None:
    site = _site(("RST",))
    found = _orders_a(_single_phase(site))
    kept = guard.row_tools.margin(20.0, 0, a_state(site).params, 230.0)
    assert sum(found) == pytest.approx(20.0 - kept, abs=0.3)


def test_rotated_cars_have_it_once_on_every_line() -> None:
    found = _orders_a(_single_phase(_site(("RST", "STR", "TRS"))))
    assert min(found) > 17.0


def test_cars_on_three_lines_are_not_bound() -> None:
    site = _site(("RST",))
    state = a_state(site, *connected(site), *[e for i in range(3) for e in plugged(i + 1)])
    state = replace(state, sessions={k: replace(s, n_phases=3) for k, s in state.sessions.items()})
    assert _orders_a(state) == [32.0, 32.0, 32.0]


def test_a_car_of_which_nothing_was_seen_may_be_on_one_line() -> None:
    """[F-20]"""
    site = _site(("RST",))
    state = a_state(site, *connected(site), *[e for i in range(3) for e in plugged(i + 1)])
    assert sum(_orders_a(state)) <= 20.0


@pytest.mark.parametrize(
    ("base_a", "least", "most"),
    [((12.0, 0.0, 0.0), 0.0, 7.0), ((0.0, 12.0, 12.0), 28.0, 32.0)],
    ids=["the building is on the same line", "the building is on the others"],
)
def test_the_building_counts_with_its_sign(base_a: tuple[float, float, float], least: float, most: float) -> None:
    site = _site(("RST",), meter="m", n=1)
    assert least <= _orders_a(_single_phase(site, site_meter(NOON, base_a)))[0] <= most


def test_without_a_trustworthy_meter_the_other_lines_count_as_empty() -> None:
    site = _site(("RST",), meter="m", n=1)
    assert _orders_a(_single_phase(site)) == [0.0], "30 A may be on the line of the car and nothing on the others"


def test_the_plan_keeps_it_while_it_holds() -> None:
    site = _site(("RST",))
    node = replace(site.nodes[GRID], limits=(site.nodes[GRID].limits[0], _limit(until_at=NOON + timedelta(hours=1))))
    taken = snapshot.take(_single_phase(replace(site, nodes={GRID: node})), NOON)
    problem = to_problem(taken)
    rows = {row.name: row for row in taken.rows}
    assert {"grid/L1-L2", "grid/L1-L3", "grid/L2-L1"} <= set(rows)
    total_a = solve(problem).power_kw.sum(axis=0) / 0.23
    steps = [start_s for start_s, _ in taken.steps]
    assert max(total_a[i] for i, s in enumerate(steps) if s < 3600.0) <= 20.0
    assert max(total_a[i] for i, s in enumerate(steps) if s >= 3600.0) > 40.0


def test_the_binding_says_which_lines() -> None:
    found = to_setpoints(_single_phase(_site(("RST",))), NOON)
    assert {s.bound_by for s in found} <= {"grid/L1-L2", "grid/L1-L3"}


def test_the_checker_names_the_lines_that_differ() -> None:
    site = _site(("RST",))
    (found,) = guard.violations(site, (), {GRID: ((30.0, 9.5, 15.0), 12.0)}, NOON)
    assert (found.phase, found.value, found.limit) == ("L1-L2", 20.5, 20.0)
    assert guard.violations(site, (), {GRID: ((30.0, 10.0, 15.0), 12.0)}, NOON) == ()
    assert guard.violations(site, (), {GRID: ((15.0, -6.0, 0.0), 2.0)}, NOON) != (), "what flows back has its sign"


def test_a_wish_for_balance_is_refused() -> None:
    with pytest.raises(SiteModelError, match="cannot be soft"):
        _limit(kind=LimitKind.SOFT)


def test_between_two_lines_it_is_no_difference_of_amperes() -> None:
    site = a_site(n=2, phases=1, rotations=("RS",))
    node = replace(site.nodes[GRID], limits=(*site.nodes[GRID].limits, _limit()))
    with pytest.raises(SiteModelError, match="stand between two lines"):
        replace(site, nodes={GRID: node})
    with pytest.raises(SiteModelError, match="grid"):
        site.check(_limit())


def test_a_drawn_sample_frees_a_car_on_three_lines() -> None:
    """The first sample shows how many lines it uses."""
    site = _site(("RST",), n=1)
    state = a_state(site, *connected(site), *plugged(1))
    (first,) = to_setpoints(state, NOON)
    assert first.current_a < 20.0
    value = first.current_a
    state = after(
        state,
        [
            ev.SetpointSent(at=NOON, setpoint=first),
            ev.SetpointAnswered(at=NOON, no=first.no, evse=first.evse, accepted=True),
            drawn(1, NOON + timedelta(seconds=60), (value, value, value), 0.5),
        ],
    )
    (more,) = to_setpoints(state, NOON + timedelta(seconds=61))
    assert more.current_a == pytest.approx(32.0)


def test_a_car_that_was_not_seen_on_three_lines_delivers_nothing_under_such_a_limit() -> None:
    """What it delivers on one line would pull that away from the others."""
    site = a_v2x_site(n=1)
    state = after(a_state(site, *linked(site)), a_bidirectional_car(1))
    session = state.sessions[SessionId("s1")]
    assert v2x.discharge_max_kw(state, session, NOON) > 0.0
    state = after(state, [ev.LimitSet(at=NOON, limit=replace(_limit(), node=site.root))])
    assert v2x.discharge_max_kw(state, session, NOON) == 0.0
    assert v2x.discharge_max_kw(state, replace(session, n_phases=3), NOON) > 0.0
