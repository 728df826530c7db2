"""Grid requests → limits of the site, limits of single EVSEs and DER controls (mapping table of domain rule B.1).

Active power is always bounded by limits, which plan and guard hold; chargers get DER controls on top where they know
them, so that delivery stays bounded when the link is lost [B-7].
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime

from loadmgr.control import v2x
from loadmgr.control.site_state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.der import DerControl
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import LimitId, NodeId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.errors import SiteModelError


@dataclass(frozen=True, slots=True, kw_only=True)
class Response:
    """What a request comes to. ``without`` names bidirectional stations that do not know the control."""

    limits: tuple[Limit, ...] = ()
    events: tuple[ev.ExternalLimitSet, ...] = ()
    controls: tuple[tuple[StationId, DerControl], ...] = ()
    without: tuple[StationId, ...] = ()


def respond(state: SiteState, request: GridRequest, now: datetime) -> Response:
    """The limits, events and controls that carry out a request.

    Raises ``SiteModelError`` for a node or an EVSE that the site does not have, and for a control nobody knows.
    """
    node = request.node or state.site.root
    if node not in state.site.nodes:
        raise SiteModelError(f"grid request {request.id!r}: node {node!r} does not exist")
    if request.evse is not None and request.evse not in state.site.evses:
        raise SiteModelError(f"grid request {request.id!r}: EVSE {request.evse!r} does not exist")
    match request.kind:
        case GridRequestKind.IMPORT:
            return Response(limits=(_limit(request, node, power_kw=request.value),))
        case GridRequestKind.EXPORT:
            return Response(limits=(_limit(request, node, export_kw=request.value),))
        case GridRequestKind.CEASE:
            limits = (_limit(request, node, power_kw=0.0, discharge_kw=0.0),)
            controls, without = _max_discharge(state, request, node, 0.0)
            return Response(limits=limits, controls=controls, without=without)
        case GridRequestKind.MAX_DISCHARGE:
            percent = request.value or 0.0
            rated_kw = sum(_rated_kw(state, station) for station in _bidirectional(state, node))
            limits = (_limit(request, node, discharge_kw=rated_kw * percent / 100.0),)
            controls, without = _max_discharge(state, request, node, percent)
            return Response(limits=limits, controls=controls, without=without)
        case GridRequestKind.LOAD:
            return Response(events=(_at_evse(state, request, now),))
        case GridRequestKind.GENERATION:
            return _generation(state, request)
        case GridRequestKind.CONTROL:
            return _passed_on(state, request, node)


def _limit(
    request: GridRequest,
    node: NodeId,
    *,
    power_kw: float | None = None,
    export_kw: float | None = None,
    discharge_kw: float | None = None,
) -> Limit:
    return Limit(
        id=LimitId(f"grid-{request.id}"),
        node=node,
        source=request.source,
        from_at=request.from_at,
        until_at=request.until_at,
        power_kw=power_kw,
        export_kw=export_kw,
        discharge_kw=discharge_kw,
    )


def _at_evse(state: SiteState, request: GridRequest, now: datetime) -> ev.ExternalLimitSet:
    assert request.evse is not None  # noqa: S101 the request was checked when it was made
    return ev.ExternalLimitSet(
        at=now,
        station=state.site.evses[request.evse].station,
        source=f"grid-{request.id}",
        evse=request.evse,
        power_kw=request.value,
        until_at=request.until_at,
        is_critical=True,
    )


def _generation(state: SiteState, request: GridRequest) -> Response:
    """A kW bound of one EVSE becomes a percentage of its charger's rating; only a DER control can hold it."""
    assert request.evse is not None  # noqa: S101 the request was checked when it was made
    station = state.site.evses[request.evse].station
    rated_kw = _rated_kw(state, station)
    if rated_kw <= 0.0:
        return Response()  # it cannot deliver at all
    percent = min((request.value or 0.0) / rated_kw * 100.0, 100.0)
    if not _knows(state, station, v2x.LIMIT_DISCHARGE):
        raise SiteModelError(
            f"grid request {request.id!r}: station {station!r} does not know {v2x.LIMIT_DISCHARGE};"
            " bound the delivery of its node instead (opModMaxLimW)"
        )
    return Response(controls=((station, _discharge_control(request, percent)),))


def _rated_kw(state: SiteState, station: StationId) -> float:
    told = state.chargers.traits_of(station).discharge_rated_kw
    if told is not None:
        return told
    return sum(state.site.evses[e].caps.discharge_max_kw for e in state.site.stations[station].evses)


def _bidirectional(state: SiteState, node: NodeId) -> Iterator[StationId]:
    below = {state.site.evses[e].station for e in state.site.below[node] if state.site.evses[e].caps.discharge_max_kw > 0.0}
    yield from (s for s in state.site.stations if s in below)


def _knows(state: SiteState, station: StationId, control_type: str) -> bool:
    return control_type in state.chargers.traits_of(station).der_controls


def _discharge_control(request: GridRequest, percent: float) -> DerControl:
    duration_s = None
    if request.from_at is not None and request.until_at is not None:
        duration_s = (request.until_at - request.from_at).total_seconds()
    return DerControl(
        id=request.id[:36],
        control_type=v2x.LIMIT_DISCHARGE,
        is_default=request.from_at is None,
        from_at=request.from_at,
        duration_s=duration_s,
        values=((v2x.PERCENT, round(percent, 3)),),
    )


def _max_discharge(
    state: SiteState, request: GridRequest, node: NodeId, percent: float
) -> tuple[tuple[tuple[StationId, DerControl], ...], tuple[StationId, ...]]:
    """The control for every bidirectional station that knows it, and those that do not."""
    stations = tuple(_bidirectional(state, node))
    control = _discharge_control(request, percent)
    knowing = tuple((s, control) for s in stations if _knows(state, s, v2x.LIMIT_DISCHARGE))
    return knowing, tuple(s for s in stations if not _knows(state, s, v2x.LIMIT_DISCHARGE))


def _passed_on(state: SiteState, request: GridRequest, node: NodeId) -> Response:
    assert request.control is not None  # noqa: S101 the request was checked when it was made
    control = replace(request.control, id=request.control.id or request.id[:36])
    stations = {state.site.evses[e].station for e in state.site.below[node]}
    if request.evse is not None:
        stations = {state.site.evses[request.evse].station}
    knowing = tuple(s for s in state.site.stations if s in stations and _knows(state, s, control.control_type))
    if not knowing:
        raise SiteModelError(
            f"grid request {request.id!r}: no charger below {node!r} says that it knows {control.control_type!r};"
            " see the traits of the chargers"
        )
    return Response(controls=tuple((s, control) for s in knowing))
