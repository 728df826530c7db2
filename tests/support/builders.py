"""Builders of small sites and states."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta

from loadmgr.control import state as state_tools
from loadmgr.control.state import SiteContext, SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId, SiteId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.params import ControlParams
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import Evse, EvseCaps, GridNode, Site, Station

NOON = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)


def a_site(
    *,
    fuse_a: float = 63.0,
    power_kw: float | None = None,
    n: int = 3,
    phases: int = 3,
    rotations: Sequence[str] = ("RST",),
    failsafe_a: float = 0.0,
    meter: str | None = None,
    base_max_a: float = 0.0,
    max_a: float = 32.0,
) -> Site:
    """``n`` stations S1.. with one EVSE each on a node ``grid``."""
    grid = NodeId("grid")
    limit = Limit(id=LimitId("fuse"), node=grid, source="fuse", current_a=fuse_a, power_kw=power_kw)
    evses, stations = {}, {}
    for i in range(n):
        station = StationId(f"S{i + 1}")
        evse = EvseId(f"{station}/1")
        caps = EvseCaps(current_max_a=max_a, n_phases=phases)
        rotation = rotations[i % len(rotations)]
        evses[evse] = Evse(
            id=evse, station=station, number=1, node=grid, caps=caps, rotation=rotation, failsafe_a=failsafe_a
        )
        stations[station] = Station(id=station, evses=(evse,))
    node = GridNode(
        id=grid,
        limits=(limit,),
        meter=MeterId(meter) if meter else None,
        base_max_a=(base_max_a, base_max_a, base_max_a),
    )
    return Site(id=SiteId("site"), nodes={grid: node}, stations=stations, evses=evses)


def a_state(site: Site, *events: ev.Event, params: ControlParams | None = None) -> SiteState:
    """The state after ``events``."""
    state = state_tools.initial(SiteContext(site=site, params=params or ControlParams()))
    return after(state, events)


def after(state: SiteState, events: Iterable[ev.Event]) -> SiteState:
    """Fold events."""
    for event in events:
        state = state_tools.apply(state, event)
    return state


def connected(site: Site, at: datetime = NOON, *, failsafe_a: float = 0.0) -> list[ev.Event]:
    """Every station is connected, has its fail-safe and nobody is plugged in."""
    found: list[ev.Event] = []
    for station in site.stations.values():
        found.append(ev.StationConnected(at=at, station=station.id, ocpp="1.6"))
        found.append(ev.FailsafeAnswered(at=at, station=station.id, failsafe_a=failsafe_a, accepted=True))
        found += [ev.EvseStatusChanged(at=at, evse=e, status=ev.EvseStatus.AVAILABLE) for e in station.evses]
    return found


def plugged(number: int, at: datetime = NOON, *, energy_kwh: float = 20.0, hours: float = 4.0) -> list[ev.Event]:
    """A car at station ``S<number>`` that said what it wants."""
    session = SessionId(f"s{number}")
    evse = EvseId(f"S{number}/1")
    intent = SessionIntent(energy_kwh=energy_kwh, depart_at=at + timedelta(hours=hours), source="test")
    return [
        ev.EvseStatusChanged(at=at, evse=evse, status=ev.EvseStatus.PREPARING),
        ev.SessionStarted(at=at, session=session, evse=evse, transaction=str(number)),
        ev.IntentSet(at=at, session=session, intent=intent),
    ]


def drawn(number: int, at: datetime, current_a: tuple[float, float, float], energy_kwh: float = 0.0) -> ev.MeterSample:
    """A sample of the EVSE of station ``S<number>``."""
    return ev.MeterSample(
        at=at,
        meter=MeterId(f"S{number}/1"),
        measured_at=at,
        measured=Measured(current_a=current_a, energy_kwh=energy_kwh),
        session=SessionId(f"s{number}"),
    )


def site_meter(at: datetime, current_a: tuple[float, float, float], meter: str = "m") -> ev.MeterSample:
    """A reading of the grid meter."""
    return ev.MeterSample(at=at, meter=MeterId(meter), measured_at=at, measured=Measured(current_a=current_a))
