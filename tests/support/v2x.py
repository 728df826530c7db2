"""Cars that can deliver, for tests of the guard of delivery."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import Site
from loadmgr.domain.traits import Traits
from tests.support.builders import NOON, a_site

TRAITS = Traits(supports_dynamic=True, operation_modes=("ChargingOnly", "CentralSetpoint"))


def a_v2x_site(*, n: int = 2, fuse_a: float = 63.0, export_kw: float | None = None, meter: str | None = "m") -> Site:
    """``n`` bidirectional EVSEs of 11 kW behind a metered connection."""
    site = a_site(n=n, fuse_a=fuse_a, meter=meter, max_a=16.0)
    evses = {e: replace(x, caps=replace(x.caps, discharge_max_kw=11.0)) for e, x in site.evses.items()}
    nodes = dict(site.nodes)
    if export_kw is not None:
        grid = nodes[NodeId("grid")]
        back = Limit(id=LimitId("export"), node=grid.id, source="grid operator", export_kw=export_kw)
        nodes[grid.id] = replace(grid, limits=(*grid.limits, back))
    return Site(id=site.id, nodes=nodes, stations=site.stations, evses=evses)


def linked(site: Site, at: datetime = NOON) -> list[ev.Event]:
    """Every station speaks 2.1, says what it can, and has its fail-safe."""
    found: list[ev.Event] = []
    for station in site.stations.values():
        found.append(ev.StationConnected(at=at, station=station.id, ocpp="2.1"))
        found.append(ev.TraitsKnown(at=at, station=station.id, traits=TRAITS))
        found.append(ev.FailsafeAnswered(at=at, station=station.id, failsafe_a=0.0, accepted=True))
    return found


def a_bidirectional_car(number: int, at: datetime = NOON, *, soc_frac: float = 0.8) -> list[ev.Event]:
    """A car whose driver lets the site draw from it, at station ``S<number>``."""
    session, evse = SessionId(f"s{number}"), EvseId(f"S{number}/1")
    intent = SessionIntent(
        depart_at=at + timedelta(hours=8),
        source="app",
        capacity_kwh=60.0,
        soc_target_frac=0.8,
        may_discharge=True,
        reserve_frac=0.3,
    )
    return [
        ev.SessionStarted(at=at, session=session, evse=evse, transaction=f"tx{number}"),
        ev.NeedsStated(
            at=at, session=session, transfer="AC_BPT", soc_frac=soc_frac, capacity_kwh=60.0, discharge_max_kw=11.0
        ),
        ev.IntentSet(at=at, session=session, intent=intent),
    ]


def a_plan(powers_kw: dict[int, float], at: datetime = NOON, no: int = 1) -> ev.PlanMade:
    """A plan of one long step."""
    plan = Plan(
        no=no,
        made_at=at,
        step_s=(3600.0,),
        sessions=tuple(SessionId(f"s{n}") for n in powers_kw),
        evses=tuple(EvseId(f"S{n}/1") for n in powers_kw),
        power_kw=tuple((kw,) for kw in powers_kw.values()),
        import_kw=(0.0,),
        base_kw=(0.0,),
        engine="test",
        status="optimal",
    )
    return ev.PlanMade(at=at, plan=plan)


def der(station: str, percent: float, *, from_at: datetime | None = None, duration_s: float | None = None) -> ev.Event:
    """A ``LimitMaxDischarge`` control that a station holds."""
    from loadmgr.domain.der import DerControl

    control = DerControl(
        id=f"d{percent:g}",
        control_type="LimitMaxDischarge",
        is_default=from_at is None,
        from_at=from_at,
        duration_s=duration_s,
        values=(("pctMaxDischargePower", percent),),
    )
    return ev.DerControlStored(at=NOON, station=StationId(station), control=control)
