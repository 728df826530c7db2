"""Whatever cars draw of what the guard lets them, no magnitude exceeds its limit [P1, A-72, A-73, F.4]."""

from __future__ import annotations

from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from loadmgr.control import guard
from loadmgr.control.controller import Controller
from loadmgr.control.rows import Load
from loadmgr.control.state import allowed_a
from loadmgr.domain import events as ev
from loadmgr.domain.flows import judged, node_flows
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.params import ControlParams
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.site import Site
from tests.support.builders import NOON, a_state, connected, plugged
from tests.support.phasor_sites import as_wired, networks, partial

EXACT = ControlParams(margin_a=0.0, margin_frac=0.0)


def flows_of(site: Site, drawn: dict[EvseId, PerPhase], base: dict[NodeId, Load]) -> guard.Flows:
    """The truth, judged as each node's model says."""
    loads = [(site.evses[e], (a, site.evses[e].power_kw(a))) for e, a in drawn.items()]
    return judged(site, node_flows(site, loads, base))


def fits_without_cars(site: Site, base: dict[NodeId, Load]) -> bool:
    return guard.violations(site, (), flows_of(site, {}, base), NOON) == ()


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.data())
def test_no_part_of_what_the_guard_allows_breaks_a_limit(data: st.DataObject) -> None:
    """Random trees with every model: three rounds of orders, some answered, some not; then any partial load."""
    site = data.draw(networks())
    state = a_state(site, *connected(site), params=EXACT)
    controller = Controller(state.context, state)
    numbers = range(1, len(site.evses) + 1)
    for number in numbers:
        if data.draw(st.booleans()):
            controller.observe(plugged(number, hours=8))
    second = 1.0
    for _ in range(3):
        now = NOON + timedelta(seconds=second)
        decision = controller.protect(now)
        controller.observe(decision.events)
        for command in decision.commands:
            setpoint = getattr(command, "setpoint", None)
            if setpoint is not None and data.draw(st.booleans()):
                controller.observe([ev.SetpointAnswered(at=now, no=setpoint.no, evse=setpoint.evse, accepted=True)])
        may_a = {e: allowed_a(controller.state, e, now) for e, s in controller.state.evses.items() if s.session}
        wired = data.draw(as_wired(site))
        share = data.draw(st.floats(-1.0, 1.0))  # below zero: PV that no meter sees
        base: dict[NodeId, Load] = {n.id: (_times(n.base_max_a, share), 0.0) for n in site.nodes.values()}
        if fits_without_cars(wired, base) and _worst_base_fits(site):
            drawn = data.draw(partial(wired, may_a))
            assert guard.violations(wired, (), flows_of(wired, drawn, base), now) == ()
        second += data.draw(st.sampled_from([2.0, 40.0, 300.0]))


def _times(current_a: PerPhase, factor: float) -> PerPhase:
    a, b, c = current_a
    return a * factor, b * factor, c * factor


def _worst_base_fits(site: Site) -> bool:
    """Where the other load alone may exceed a limit, cars can only stay away."""
    base: dict[NodeId, Load] = {n.id: (n.base_max_a, 0.0) for n in site.nodes.values()}
    return fits_without_cars(site, base)
