"""Grid requests by the mapping table of domain rule B.1."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from loadmgr.control import grid_requests, v2x
from loadmgr.control.charger_state import external_a
from loadmgr.control.grid_requests import Response
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.der import DerControl, DerPoint
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import EvseId, NodeId, SessionId, StationId
from loadmgr.errors import SiteModelError
from tests.support.builders import NOON, a_state, after
from tests.support.v2x import TRAITS, a_bidirectional_car, a_v2x_site, linked

KNOWING = replace(TRAITS, der_controls=("LimitMaxDischarge", "VoltWatt"), discharge_rated_kw=10.0)


def _state() -> SiteState:
    """S1 knows DER controls, S2 does not."""
    site = a_v2x_site(n=2)
    return a_state(site, *linked(site), ev.TraitsKnown(at=NOON, station=StationId("S1"), traits=KNOWING))


def _respond(state: SiteState, kind: GridRequestKind, **given: Any) -> Response:
    request = GridRequest(id="r1", kind=kind, source="grid operator", **given)
    return grid_requests.respond(state, request, NOON)


@pytest.mark.parametrize(
    ("kind", "bound"),
    [(GridRequestKind.IMPORT, "power_kw"), (GridRequestKind.EXPORT, "export_kw")],
)
def test_site_exchange_becomes_a_limit_of_the_node_with_its_validity(kind: GridRequestKind, bound: str) -> None:
    until = NOON + timedelta(hours=2)
    (limit,) = _respond(_state(), kind, value=5.0, from_at=NOON, until_at=until).limits
    assert getattr(limit, bound) == 5.0
    assert (limit.node, limit.from_at, limit.until_at) == ("grid", NOON, until)


def test_a_percentage_of_discharge_bounds_the_node_and_goes_to_the_chargers_that_know_it() -> None:
    """opModMaxLimW: S1 is rated 10 kW by its own word, S2 11 kW by the site file."""
    found = _respond(_state(), GridRequestKind.MAX_DISCHARGE, value=50.0)
    assert found.limits[0].discharge_kw == pytest.approx(10.5)
    ((station, control),) = found.controls
    assert station == "S1"
    assert (control.control_type, dict(control.values), control.is_default) == (
        "LimitMaxDischarge",
        {"pctMaxDischargePower": 50.0},
        True,
    )
    assert found.without == (StationId("S2"),)


def test_cease_to_energise_stops_charging_and_delivery() -> None:
    """opModEnergize, opModConnect = false"""
    found = _respond(_state(), GridRequestKind.CEASE)
    assert (found.limits[0].power_kw, found.limits[0].discharge_kw) == (0.0, 0.0)
    assert dict(found.controls[0][1].values) == {"pctMaxDischargePower": 0.0}


def test_a_load_limit_of_one_evse_is_a_foreign_limit_there_until_its_end() -> None:
    """opModLoadLimW"""
    state = _state()
    until = NOON + timedelta(minutes=10)
    found = _respond(state, GridRequestKind.LOAD, value=4.2, evse=EvseId("S1/1"), until_at=until)
    state = after(state, found.events)
    during = external_a(state.chargers, EvseId("S1/1"), StationId("S1"), NOON)
    later = external_a(state.chargers, EvseId("S1/1"), StationId("S1"), until)
    other = external_a(state.chargers, EvseId("S2/1"), StationId("S2"), NOON)
    assert (during, later, other) == ((None, 4.2), (None, None), (None, None))


def test_a_generation_limit_of_one_evse_needs_a_charger_that_can_hold_it() -> None:
    """opModGenLimW"""
    state = _state()
    ((_, control),) = _respond(state, GridRequestKind.GENERATION, value=2.5, evse=EvseId("S1/1")).controls
    assert dict(control.values) == {"pctMaxDischargePower": 25.0}
    with pytest.raises(SiteModelError, match=r"S2.*does not know LimitMaxDischarge"):
        _respond(state, GridRequestKind.GENERATION, value=2.5, evse=EvseId("S2/1"))
    stored = ev.DerControlStored(at=NOON, station=StationId("S1"), control=control)
    state = after(state, [*a_bidirectional_car(1), stored])
    assert v2x.discharge_max_kw(state, state.sessions[SessionId("s1")], NOON) == 2.5


def test_curves_are_passed_on_to_the_chargers_that_know_them() -> None:
    """[B-4, B-7]"""
    curve = DerControl(
        id="c", control_type="VoltWatt", is_default=True, curve=(DerPoint(x=106.0, y=100.0), DerPoint(x=110.0, y=0.0))
    )
    assert _respond(_state(), GridRequestKind.CONTROL, control=curve).controls == ((StationId("S1"), curve),)
    with pytest.raises(SiteModelError, match=r"no charger.*WattVar"):
        _respond(_state(), GridRequestKind.CONTROL, control=replace(curve, control_type="WattVar"))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"kind": GridRequestKind.IMPORT}, "value"),
        ({"kind": GridRequestKind.IMPORT, "value": -1.0}, "value = -1.0"),
        ({"kind": GridRequestKind.IMPORT, "value": float("nan")}, "nan"),
        ({"kind": GridRequestKind.MAX_DISCHARGE, "value": 120.0}, "percentage"),
        ({"kind": GridRequestKind.LOAD, "value": 1.0}, "EVSE"),
        ({"kind": GridRequestKind.CONTROL}, "control"),
        ({"kind": GridRequestKind.IMPORT, "value": 1.0, "node": NodeId("x")}, "node 'x' does not exist"),
        ({"kind": GridRequestKind.LOAD, "value": 1.0, "evse": EvseId("x/1")}, "EVSE 'x/1' does not exist"),
        (
            {"kind": GridRequestKind.IMPORT, "value": 1.0, "from_at": NOON, "until_at": NOON},
            "before it begins",
        ),
    ],
)
def test_bad_requests_say_what_is_wrong(given: dict[str, Any], problem: str) -> None:
    with pytest.raises(SiteModelError, match=problem):
        _respond(_state(), **given)


def test_controls_whose_time_is_over_are_forgotten() -> None:
    """[B-2]: a station does not tell the end of a superseded control."""

    def stored(name: str, hour: int) -> ev.DerControlStored:
        begin = NOON + timedelta(hours=hour)
        control = DerControl(id=name, control_type="LimitMaxDischarge", from_at=begin, duration_s=3600.0)
        return ev.DerControlStored(at=begin, station=StationId("S1"), control=control, is_superseded=name == "first")

    endless = DerControl(id="default", control_type="LimitMaxDischarge", is_default=True)
    default = ev.DerControlStored(at=NOON, station=StationId("S1"), control=endless)
    state = after(_state(), [default, stored("first", 0), stored("second", 1), stored("third", 2)])
    assert {name for _, name in state.chargers.der} == {"default", "third"}
