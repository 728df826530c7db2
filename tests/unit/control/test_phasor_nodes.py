"""Nodes where currents add as phasors: guard, plan, explanation, meters and commissioning [A-72, A-73, F.4]."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest

from loadmgr.control import dispatch, guard, snapshot
from loadmgr.control import rows as row_tools
from loadmgr.control.commissioning import failsafe_sums
from loadmgr.control.controller import Controller
from loadmgr.control.formulate import magnitude_rows, to_problem, used_rows
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.flows import judged, node_flows
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId
from loadmgr.domain.limits import Limit
from loadmgr.domain.network import NodeModel, Transformer
from loadmgr.domain.params import ControlParams
from loadmgr.domain.plan import Plan
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.site import Battery, GridNode, Site
from loadmgr.errors import SiteModelError
from solvers import solve
from tests.support.builders import NOON, a_state, after, connected, drawn, plugged, site_meter
from tests.support.phasor_sites import DELTA_V, WYE_V, a_garage, a_limit, a_network, an_evse

EVEN = ("RS", "ST", "TR")
EXACT = ControlParams(horizon=((8, 900.0),), margin_a=0.0, margin_frac=0.0)
BUS, GRID = NodeId("bus"), NodeId("grid")


def _busy(site: Site, params: ControlParams = EXACT) -> SiteState:
    cars = [e for no in range(1, len(site.evses) + 1) for e in plugged(no, energy_kwh=40.0, hours=8)]
    return a_state(site, *connected(site), *cars, params=params)


def _sent_a(state: SiteState) -> dict[EvseId, float]:
    return {s.evse: s.current_a for s in dispatch.to_setpoints(state, NOON + timedelta(seconds=1))}


def _flows(site: Site, drawn_a: dict[EvseId, PerPhase]) -> guard.Flows:
    loads = [(site.evses[e], (a, site.evses[e].power_kw(a))) for e, a in drawn_a.items()]
    return judged(site, node_flows(site, loads, {}))


def _planned(state: SiteState) -> Plan:
    controller = Controller(state.context, state)
    request = controller.prepare(NOON)
    assert request is not None
    return controller.commit(request, solve(request.problem), rule_based=False)


def test_the_checker_judges_phasors_and_where_a_node_adds_as_numbers_the_sum() -> None:
    """Two loads of 40 A on a line, 60° apart, are 69.3 A; [A-72]."""
    drawn_a: dict[EvseId, PerPhase] = {EvseId("S1/1"): (40.0, 40.0, 0.0), EvseId("S2/1"): (40.0, 0.0, 40.0)}
    for model, n_over in (("polygon", 0), ("linear", 0), ("sum", 1)):
        site = a_garage(("RS", "TR"), model=model, wye_a=70.0)
        found = guard.violations(site, (), _flows(site, drawn_a), NOON)
        assert len(found) == n_over, model
    tight = a_garage(("RS", "TR"), wye_a=69.0)
    (over,) = guard.violations(tight, (), _flows(tight, drawn_a), NOON)
    assert (over.node, over.phase, over.value) == (BUS, "L1", pytest.approx(40 * math.sqrt(3)))


def test_a_limit_at_the_delta_is_in_its_own_amperes() -> None:
    """3 x 20 A between lines are 20·√3 A at the wye and that / 2.308 at the delta."""
    site = a_garage(EVEN, primary_a=15.0)
    everybody = {e: site.evses[e].line_currents(20.0, 1) for e in site.evses}
    assert {v.node for v in guard.violations(site, (), _flows(site, everybody), NOON)} == {GRID}
    expected_a = 20.0 * math.sqrt(3.0) * WYE_V / DELTA_V
    assert guard.violations(a_garage(EVEN, primary_a=expected_a + 0.01), (), _flows(site, everybody), NOON) == ()
    assert len(guard.violations(a_garage(EVEN, primary_a=expected_a - 0.01), (), _flows(site, everybody), NOON)) == 3


@pytest.mark.parametrize(("model", "each_a"), [("sum", 25.0), ("linear", 25.0), ("polygon", 50.0 / math.sqrt(3.0))])
def test_the_guard_gives_what_the_model_leaves(model: str, each_a: float) -> None:
    """50 A per line for three cars between lines: 25 A each as numbers, 28.8 A as phasors (0.4 % less at most)."""
    values = _sent_a(_busy(a_garage(EVEN, model=model, wye_a=50.0)))
    assert sorted(values.values()) == pytest.approx([each_a] * 3, rel=0.005)


def test_at_the_delta_linear_counts_magnitudes_and_sum_counts_windings() -> None:
    """A three-phase car at the wye: 1/2.308 per ampere, but √(4/3) times that when windings add as numbers."""
    found = {}
    for model in ("sum", "linear", "polygon"):
        (found[model],) = _sent_a(_busy(a_garage(("RST",), model=model, primary_a=10.0))).values()
    assert found["linear"] == pytest.approx(10.0 * DELTA_V / WYE_V, abs=0.1)
    assert found["polygon"] == pytest.approx(found["linear"], rel=0.01)
    assert found["sum"] == pytest.approx(found["linear"] * math.sqrt(0.75), abs=0.1)


def test_a_car_that_could_stop_does_not_lend_its_opposition() -> None:
    """On a delta line two loads stand 120° apart. Both in full are 1 A per ampere, and so is each alone."""
    site = a_garage(("RS", "ST"), primary_a=8.0)
    budgets = guard.budgets(_busy(site), NOON, active := guard.lanes(_busy(site), NOON))
    guard.count(active, budgets, {EvseId("S1/1"): 20.0, EvseId("S2/1"): 10.0})
    used = max(b.used / b.cut.shrink for b in budgets if b.cut is not None and b.row.node == GRID and b.row.phase == 0)
    alone = 20.0 / (math.sqrt(3.0) * DELTA_V / WYE_V)
    assert used == pytest.approx(alone, rel=0.004)
    both = abs(_flows(site, {EvseId("S1/1"): (20.0, 20.0, 0.0), EvseId("S2/1"): (0.0, 10.0, 10.0)})[GRID][0][0])
    assert both < alone - 0.5


def test_a_site_without_such_loads_has_plain_rows_whatever_its_models_say() -> None:
    rotations = ("RST", "Rxx", "unknown")
    grid = GridNode(id=GRID, limits=(a_limit("grid", 40.0),), model=NodeModel.POLYGON)
    site = a_network([grid], [an_evse(i + 1, grid, r, voltage_v=DELTA_V) for i, r in enumerate(rotations)])
    assert not site.network.cuts
    assert not site.network.wirings
    active = guard.lanes(_busy(site), NOON)
    assert all(b.cut is None for b in guard.budgets(_busy(site), NOON, active))
    assert to_problem(snapshot.take(_busy(site), NOON)).phasors is None


def test_an_unknown_pair_counts_on_every_line_at_its_worst() -> None:
    values = _sent_a(_busy(a_garage(("unknown-pair",) * 3, wye_a=50.0)))
    assert sum(values.values()) <= 50.0 / math.cos(math.pi / 6.0) + 1e-6
    assert sum(values.values()) <= 50.0 + 1e-6


def test_what_flows_back_makes_no_room_where_currents_stand_at_angles() -> None:
    """Room of PV in phase is no room for a load at 30°."""
    site = a_garage(EVEN)
    load = ((-20.0, 5.0, -1.0), -2.0)
    assert [row_tools.counted(site, BUS, load, p) for p in range(3)] == [0.0, 5.0, 0.0]
    assert row_tools.counted(site, BUS, load, row_tools.KW_ROW) == -2.0


def test_the_plan_bounds_magnitudes_with_margins_and_uncontrolled_load() -> None:
    site = a_garage(EVEN, wye_a=50.0)
    bus = replace(site.nodes[BUS], base_max_a=(6.0, 6.0, 6.0))
    site = replace(site, nodes={**site.nodes, BUS: bus})
    params = replace(EXACT, margin_a=4.0)
    taken = snapshot.take(_busy(site, params), NOON)
    problem = to_problem(taken)
    assert problem.phasors is not None
    assert problem.phasors.names == ("grid/L1", "grid/L2", "grid/L3", "bus/L1", "bus/L2", "bus/L3")
    assert problem.phasors.limit_a[3:, 0] == pytest.approx(40.0)
    assert [r.name for r in used_rows(taken)] == []
    assert np.abs(problem.phasors.coef[3]) * problem.power_max_kw.max() == pytest.approx([32.0, 0.0, 32.0])
    current_a = np.abs(problem.phasors.coef @ solve(problem).power_kw)
    assert current_a[3:].max() == pytest.approx(40.0, rel=0.005)
    linear = replace(site, nodes={n: replace(x, model=NodeModel.LINEAR) for n, x in site.nodes.items()})
    other = to_problem(snapshot.take(_busy(linear, params), NOON))
    assert other.phasors is None
    assert solve(problem).power_kw.sum() > 1.1 * solve(other).power_kw.sum()


def test_a_temporary_limit_tightens_the_magnitude_while_it_holds() -> None:
    site = a_garage(EVEN, wye_a=50.0)
    limit = Limit(id=LimitId("x"), node=BUS, source="dso", current_a=20.0, until_at=NOON + timedelta(minutes=30))
    state = _busy(site)
    state = replace(state, limits={limit.id: limit})
    rows = {r.name: r for r in magnitude_rows(snapshot.take(state, NOON))}
    assert len(rows) == 6
    assert rows["bus/L1"].limit[:3] == pytest.approx((20.0, 20.0, 50.0))
    assert rows["bus/L1"].source == "dso"
    assert max(_sent_a(state).values()) <= 20.0 / math.sqrt(3.0) + 1e-6


def test_with_a_battery_below_a_node_the_plan_adds_magnitudes_as_numbers() -> None:
    site = a_garage(EVEN)
    battery = Battery(id="b", node=BUS, capacity_kwh=20.0, charge_max_kw=5.0, discharge_max_kw=5.0)
    told = ev.BatteryMeasured(at=NOON, battery="b", stored_kwh=10.0, power_kw=0.0)
    state = after(_busy(replace(site, batteries={"b": battery})), [told])
    taken = snapshot.take(state, NOON)
    assert magnitude_rows(taken) == []
    (row,) = [r for r in taken.rows if r.name == "bus/L1"]
    assert dict(row.batteries)["b"] == pytest.approx(1000.0 / (3 * WYE_V))


def test_a_full_magnitude_is_named_and_has_a_worth() -> None:
    """What binds is the line, and an ampere more there is worth what a later delivery costs less."""
    plan = _planned(_busy(a_garage(EVEN, wye_a=30.0)))
    assert {b.name for b in plan.bindings} <= {"bus/L1", "bus/L2", "bus/L3"}
    assert {w.name for w in plan.worth} <= {"bus/L1", "bus/L2", "bus/L3"}
    assert plan.worth
    assert all(w.unit == "A" and w.worth_per_h > 0.0 for w in plan.worth)
    assert plan.receipts
    assert plan.receipts[0].reason.startswith("bus/L")
    assert plan.receipts[0].limit_unit == "A"
    more = _planned(_busy(a_garage(EVEN, wye_a=31.0)))
    gain_kwh = sum(plan.shortfall_kwh) - sum(more.shortfall_kwh)
    assert gain_kwh > 0.5


def _metered(model: str = "polygon") -> Site:
    site = a_garage(EVEN, model=model)
    bus = replace(site.nodes[BUS], meter=MeterId("m"), base_max_a=(60.0, 60.0, 60.0))
    return replace(site, nodes={**site.nodes, BUS: bus})


@pytest.mark.parametrize("model", ["sum", "polygon"])
def test_from_a_meter_cars_between_lines_are_taken_out_by_what_is_in_phase(model: str) -> None:
    """[C-31]: 20 A between each pair are 34.6 A per line; the meter tells 44.6 A, so 10 A are not ours."""
    site = _metered(model)
    state = _busy(site)
    later = NOON + timedelta(seconds=60)
    lines = {1: (20.0, 20.0, 0.0), 2: (0.0, 20.0, 20.0), 3: (20.0, 0.0, 20.0)}
    total_a = 20.0 * math.sqrt(3.0) + 10.0
    state = after(state, [drawn(no, later, a) for no, a in lines.items()])
    state = after(state, [site_meter(later, (total_a, total_a, total_a))])
    assert row_tools.uncontrolled(state, later)[BUS].load[0] == pytest.approx((10.0, 10.0, 10.0))


def test_of_cars_between_one_pair_the_other_load_is_never_taken_too_low() -> None:
    """One car at 20 A and 10 A in phase are |20∠30° + 10| = 29.1 A; what is left for the other load is above 10 A."""
    state = _busy(_metered())
    later = NOON + timedelta(seconds=60)
    one_a = abs(20.0 * complex(math.cos(math.pi / 6), math.sin(math.pi / 6)) + 10.0)
    state = after(state, [drawn(1, later, (20.0, 20.0, 0.0)), drawn(2, later, (0.0,) * 3), drawn(3, later, (0.0,) * 3)])
    state = after(state, [site_meter(later, (one_a, one_a, 10.0))])
    a, b, c = row_tools.uncontrolled(state, later)[BUS].load[0]
    assert 10.0 <= a <= 12.0
    assert 10.0 <= b <= 12.0
    assert c == pytest.approx(10.0)


def test_the_other_load_behind_a_transformer_arrives_in_the_amperes_of_the_connection() -> None:
    site = a_garage(EVEN)
    bus = replace(site.nodes[BUS], base_max_a=(23.0, 23.0, 23.0))
    for model, factor in ((NodeModel.SUM, 2.0 / math.sqrt(3.0)), (NodeModel.POLYGON, 1.0)):
        grid = replace(site.nodes[GRID], model=model)
        made = replace(site, nodes={GRID: grid, BUS: bus})
        expected_a = 23.0 * WYE_V / DELTA_V * factor
        assert row_tools.worst_base(made, GRID)[0] == pytest.approx((expected_a,) * 3)
        assert row_tools.worst_base(made, GRID)[1] == pytest.approx(3 * 23.0 * WYE_V / 1000.0)
        known = row_tools.uncontrolled(a_state(made), NOON)
        assert known[GRID].load[0] == pytest.approx((expected_a,) * 3)


def test_the_failsafe_sum_is_the_largest_magnitude_of_any_partial_load() -> None:
    """[A-130]: with RS and ST at 20 and 10 A the delta's L1 carries most when ST does not draw at all."""
    site = a_garage(("RS", "ST", "Rxx"), wye_a=100.0)
    safe = {EvseId("S1/1"): 20.0, EvseId("S2/1"): 10.0}
    site = replace(site, evses={e: replace(x, failsafe_a=safe.get(e, 0.0)) for e, x in site.evses.items()})
    found = {f.row.name: f for f in failsafe_sums(site)}
    assert found["grid/L1"].evses == pytest.approx(20.0 / (math.sqrt(3.0) * DELTA_V / WYE_V))
    assert found["grid/L1"].n_evses == 2
    assert "at most, as phasors" in str(found["grid/L1"])
    assert found["bus/L2"].evses == pytest.approx(abs(20.0 + 10.0 * complex(0.5, math.sqrt(0.75))))
    for model in ("sum", "linear"):
        other = replace(site, nodes={n: replace(x, model=NodeModel(model)) for n, x in site.nodes.items()})
        assert {f.row.name: f for f in failsafe_sums(other)}["bus/L2"].evses == pytest.approx(30.0)


def test_an_unknown_wiring_counts_beside_the_phasors_in_the_failsafe_sum() -> None:
    site = a_garage(("RS", "unknown-pair", "unknown"))
    site = replace(site, evses={e: replace(x, failsafe_a=6.0) for e, x in site.evses.items()})
    assert {f.row.name: f.evses for f in failsafe_sums(site)}["bus/L3"] == pytest.approx(12.0)
    assert {f.row.name: f.evses for f in failsafe_sums(site)}["bus/L1"] == pytest.approx(18.0)


def test_what_the_bounds_cannot_answer_for_is_refused() -> None:
    grid = GridNode(id=GRID, limits=(a_limit("grid", 40.0),))
    step = Transformer(ratio=2.0)
    bus = GridNode(id=BUS, parent=GRID, transformer=step)
    low = GridNode(id=NodeId("low"), parent=BUS, transformer=step)
    two = an_evse(1, low, "Rxx", voltage_v=WYE_V)
    with pytest.raises(SiteModelError, match=r"2 transformers above it \(low, bus\)"):
        a_network([grid, bus, low], [two])
    with pytest.raises(SiteModelError, match="the root has no parent"):
        a_network([replace(grid, transformer=step)], [an_evse(1, grid, "Rxx", voltage_v=WYE_V)])
    pair, other = an_evse(1, bus, "RS", voltage_v=WYE_V), an_evse(2, bus, "RST", voltage_v=WYE_V)
    with pytest.raises(SiteModelError, match="needs n_phases = 1"):
        a_network([grid, bus], [replace(pair, caps=replace(pair.caps, n_phases=3))])
    giving = replace(other, caps=replace(other.caps, discharge_max_kw=10.0))
    with pytest.raises(SiteModelError, match="set discharge_max_kw = 0"):
        a_network([grid, bus], [pair, giving])
    assert a_network([grid, bus], [other]).voltage_at(BUS) == DELTA_V / 2.0
