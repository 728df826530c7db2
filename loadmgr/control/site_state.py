"""The shape of the controller's state and what can be read off it without a decision."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from loadmgr import units
from loadmgr.control import baseload, evse_state, ladder
from loadmgr.control.charger_state import ChargerState
from loadmgr.control.energy_state import EnergyState
from loadmgr.control.evse_state import EvseState
from loadmgr.control.phase_map import PhaseBook
from loadmgr.control.security_state import SecurityState
from loadmgr.domain import events as ev
from loadmgr.domain import flows
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.params import ControlParams
from loadmgr.domain.plan import Plan
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.series import UncontrolledLoad
from loadmgr.domain.session import Session
from loadmgr.domain.site import Site
from loadmgr.domain.tariff import Tariff
from loadmgr.domain.traits import ProfileForm


class FailsafeState(StrEnum):
    """What is known about the fail-safe profile inside a station."""

    UNKNOWN = "unknown"
    CONFIRMED = "confirmed"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class StationState:
    """Link, identity and fail-safe of one station. ``failsafe_a`` is what it last accepted, per EVSE."""

    id: StationId
    is_connected: bool = False
    ocpp: str = ""
    changed_at: datetime | None = None
    booted_at: datetime | None = None
    vendor: str = ""
    model: str = ""
    firmware: str = ""
    serial: str = ""
    failsafe: FailsafeState = FailsafeState.UNKNOWN
    failsafe_a: float | None = None
    failsafe_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteContext:
    """What the site file says and no event changes."""

    site: Site
    params: ControlParams = ControlParams()
    tariff: Tariff = Tariff()
    loads: tuple[UncontrolledLoad, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SiteState:
    """Everything the controller knows. Mappings are read-only; every change makes a new state."""

    context: SiteContext
    stations: Mapping[StationId, StationState]
    evses: Mapping[EvseId, EvseState]
    sessions: Mapping[SessionId, Session] = field(default_factory=dict)
    meters: Mapping[MeterId, ev.MeterSample] = field(default_factory=dict)
    base: Mapping[NodeId, baseload.BaseEstimate] = field(default_factory=dict)
    limits: Mapping[LimitId, Limit] = field(default_factory=dict)
    plan: Plan | None = None
    alarms: Mapping[str, ev.AlarmRaised] = field(default_factory=dict)
    energy: EnergyState = EnergyState()
    chargers: ChargerState = ChargerState()
    phases: PhaseBook = PhaseBook()
    security: SecurityState = SecurityState()
    ticked_at: datetime | None = None
    last_no: int = 0
    last_plan_no: int = 0
    ended: Mapping[SessionId, Session] = field(default_factory=dict)
    """Sessions that ended not long ago: the newest ``ENDED_KEPT``."""

    @property
    def site(self) -> Site:
        """The site this is the state of."""
        return self.context.site

    @property
    def params(self) -> ControlParams:
        """Control parameters of the site file."""
        return self.context.params


def initial(context: SiteContext) -> SiteState:
    """The state before anything was heard: nobody is connected, nothing is confirmed."""
    return SiteState(
        context=context,
        stations={s.id: StationState(id=s.id) for s in context.site.stations.values()},
        evses={e: EvseState(id=e) for e in context.site.evses},
    )


def forms_of(state: SiteState, evse: EvseId) -> tuple[ProfileForm, ...]:
    """The forms in which setpoints of an EVSE are tried, in order."""
    station = state.site.evses[evse].station
    return ladder.forms(state.chargers.traits_of(station), len(state.site.stations[station].evses))


def rest_a(state: SiteState, evse: EvseId) -> float:
    """What an EVSE may draw, A per phase, when no order of ours is in force: its worst case.

    The fail-safe counts once the station has accepted it or the installer vouches for it; else, and for a station
    that does not obey, the hardware maximum counts [E-21], [H-5], [B21].
    """
    if state.evses[evse].is_disobedient:
        return state.site.evses[evse].caps.current_max_a
    return promised_rest_a(state, evse)


def promised_rest_a(state: SiteState, evse: EvseId) -> float:
    """What an EVSE draws at most without an order if it does as it said, A per phase: the yardstick of obedience."""
    site_evse = state.site.evses[evse]
    station = state.stations[site_evse.station]
    if station.failsafe is FailsafeState.CONFIRMED and station.failsafe_a is not None:
        return min(station.failsafe_a, site_evse.caps.current_max_a)
    if state.site.stations[site_evse.station].has_installer_failsafe:
        return site_evse.failsafe_a
    return site_evse.caps.current_max_a


def allowed_a(state: SiteState, evse: EvseId, now: datetime) -> float:
    """What an EVSE may draw now, A per phase, as far as we know; see ``evse_state.allowed_a``."""
    known = state.evses[evse]
    value = evse_state.allowed_a(known, now, rest_a(state, evse))
    return state.site.evses[evse].caps.current_max_a if known.is_disobedient else value


def total_of(state: SiteState, sample: ev.MeterSample) -> tuple[PerPhase, float]:
    """A meter's reading as (A per phase, kW); what it does not say is derived with the nominal voltage [C.4]."""
    node = next((n.id for n in state.site.nodes.values() if n.meter == sample.meter), state.site.root)
    voltage_v = state.site.voltage_at(node)
    current, power_kw = sample.measured.current_a, sample.measured.power_kw
    if current is None:
        phase_a = units.kw_to_a(power_kw or 0.0, voltage_v, 3)
        current = (phase_a, phase_a, phase_a)
    if power_kw is None:
        power_kw = units.a_to_kw(sum(current), voltage_v, 1)
    return current, power_kw


def evse_bounds(state: SiteState, node: NodeId, now: datetime) -> baseload.Bounds:
    """What the EVSEs below a node draw at ``now``, at least and at most, in phase with the lines of the node."""
    low, high = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    low_kw = high_kw = 0.0
    for key in state.site.below[node]:
        known = state.evses[key]
        moving = known.moving_until is not None and now < known.moving_until
        is_mute = not state.stations[state.site.evses[key].station].is_connected
        if known.session is None and not moving and known.sample is None and not is_mute:
            continue  # it says that nobody is plugged in, and nothing was ever measured
        measured = known.draw_a()
        is_fresh = (
            known.sample is not None
            and (now - known.sample.at).total_seconds() <= state.params.evse_stale_s
            and (known.moving_until is None or known.sample.measured_at >= known.moving_until)
        )
        if not moving and (is_fresh or (known.session is None and not is_mute)):
            if known.session is None and not is_fresh:
                continue
            drawn_a = _at_node(state, node, key, measured)
            _add(low, drawn_a)
            _add(high, drawn_a)
            drawn_kw = _sample_kw(state, key, known)
            low_kw += drawn_kw
            high_kw += drawn_kw
            continue
        evse = state.site.evses[key]
        most_a = max(allowed_a(state, key, now), *measured)
        n_used = min(known.phases_seen or evse.caps.n_phases, evse.caps.n_phases)
        _add(high, _at_node(state, node, key, evse.line_currents(most_a, n_used)))
        high_kw += units.a_to_kw(most_a, evse.caps.voltage_v, n_used)
        back_kw = evse_state.delivered_kw(known, now)
        if back_kw > 0.0:
            back_a = evse.line_currents(units.kw_to_a(back_kw, evse.caps.voltage_v, n_used), n_used)
            low = [least - a for least, a in zip(low, _at_node(state, node, key, back_a), strict=True)]
            low_kw -= back_kw
    return baseload.Bounds(
        low_a=(low[0], low[1], low[2]), high_a=(high[0], high[1], high[2]), low_kw=low_kw, high_kw=high_kw
    )


def _add(total_a: list[float], part_a: PerPhase) -> None:
    for phase in range(3):
        total_a[phase] += part_a[phase]


def _sample_kw(state: SiteState, key: EvseId, known: EvseState) -> float:
    if known.sample is None:
        return 0.0
    if known.sample.measured.power_kw is not None:
        return known.sample.measured.power_kw
    return state.site.evses[key].power_kw(known.draw_a())


def _at_node(state: SiteState, node: NodeId, key: EvseId, current_a: PerPhase) -> PerPhase:
    """An EVSE's currents as they count against a meter at the node: as numbers where every load is in phase."""
    if not state.site.network.is_angled(node):
        return current_a
    return flows.in_phase(state.site, state.site.evses[key], current_a, node)
