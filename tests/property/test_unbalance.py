"""However cars use the lines of their EVSEs, the lines never differ by more than an unbalance limit allows [F-30, I.10]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.control.controller import Controller
from loadmgr.control.state import allowed_a
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, NodeId
from loadmgr.domain.limits import Limit
from loadmgr.domain.params import ControlParams
from loadmgr.domain.site import ROTATIONS, Site
from tests.support.builders import NOON, a_site, a_state, connected, drawn, plugged

N = 6
GRID = NodeId("grid")
PHASED = ("RST", "STR", "TRS", "RTS", "unknown")


@dataclass(frozen=True)
class Visit:
    """A car: how many lines it uses, how the terminals of its EVSE are really wired, and whether it draws at all."""

    n_used: int
    wiring: str
    is_drawing: bool
    is_sampled: bool


VISITS = st.builds(
    Visit,
    n_used=st.integers(1, 3),
    wiring=st.sampled_from(("RST", "STR", "TRS", "RTS", "SRT", "TSR")),
    is_drawing=st.booleans(),
    is_sampled=st.booleans(),
)


def _site(rotations: Sequence[str], unbalance_a: float, fuse_a: float) -> Site:
    site = a_site(n=N, fuse_a=fuse_a, rotations=rotations)
    limit = Limit(id=LimitId("even"), node=GRID, source="grid code", unbalance_a=unbalance_a)
    node = replace(site.nodes[GRID], limits=(*site.nodes[GRID].limits, limit))
    return replace(site, nodes={GRID: node})


def _lines(site: Site, number: int, visit: Visit) -> tuple[int, ...]:
    """Where the car really draws: as configured, or as it happens to be wired where nobody knows."""
    rotation = site.evses[EvseId(f"S{number}/1")].rotation
    return ROTATIONS[visit.wiring if rotation == "unknown" else rotation][: visit.n_used]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(st.sampled_from(PHASED), min_size=N, max_size=N),
    st.lists(VISITS, min_size=N, max_size=N),
    st.floats(8.0, 40.0),
    st.floats(20.0, 200.0),
    st.lists(st.lists(st.integers(0, 1), min_size=N, max_size=N), min_size=1, max_size=6),
)
def test_lines_never_differ_by_more_than_the_limit(
    rotations: list[str], visits: list[Visit], unbalance_a: float, fuse_a: float, stops: list[list[int]]
) -> None:
    site = _site(rotations, unbalance_a, fuse_a)
    state = a_state(site, *connected(site), *[e for i in range(N) for e in plugged(i + 1)], params=ControlParams())
    controller = Controller(state.context, state)
    for step in range(8):
        now = NOON + timedelta(seconds=20 * step)
        decision = controller.protect(now)
        controller.observe(decision.events)
        sent = [c.setpoint for c in decision.commands]  # type: ignore[union-attr]
        controller.observe([ev.SetpointAnswered(at=now, no=s.no, evse=s.evse, accepted=True) for s in sent])
        may_a = [allowed_a(controller.state, EvseId(f"S{i + 1}/1"), now) for i in range(N)]
        for stop in stops:
            line_a = [0.0, 0.0, 0.0]
            for i, visit in enumerate(visits):
                for line in _lines(site, i + 1, visit):
                    line_a[line] += may_a[i] * visit.is_drawing * stop[i]
            assert max(line_a) - min(line_a) <= unbalance_a + 1e-6, (step, may_a, line_a)
        for i, visit in enumerate(visits):
            if visit.is_sampled and visit.is_drawing and may_a[i] > 0.0:
                lines = _lines(site, i + 1, visit)
                measured = tuple(may_a[i] if p in lines else 0.0 for p in range(3))
                at = now + timedelta(seconds=10)
                controller.observe([drawn(i + 1, at, measured, 0.1)])  # type: ignore[arg-type]
