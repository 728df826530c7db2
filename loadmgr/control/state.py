"""State of the site, folded from events by one total function. No clock, no I/O: ``now`` comes with the event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import TypeVar, assert_never

from loadmgr import units
from loadmgr.control import baseload, energy_state, evse_state
from loadmgr.control.energy_state import EnergyState
from loadmgr.control.evse_state import EvseState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.params import ControlParams
from loadmgr.domain.plan import Plan
from loadmgr.domain.samples import PerPhase, Quality
from loadmgr.domain.series import UncontrolledLoad
from loadmgr.domain.session import Session, session_energy
from loadmgr.domain.site import Site
from loadmgr.domain.tariff import Tariff
from loadmgr.forecast.baseload import present_shape_kw

ENDED_KEPT = 200

K = TypeVar("K")
V = TypeVar("V")


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


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})


def _without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    return MappingProxyType({k: v for k, v in mapping.items() if k != key})


def apply(state: SiteState, event: ev.Event) -> SiteState:
    """The state after ``event``. Events about unknown stations, EVSEs or sessions change nothing."""
    match event:
        case ev.RunStarted():
            return replace(state, last_no=event.last_no, last_plan_no=event.last_plan_no)
        case ev.StationConnected() | ev.StationDisconnected() | ev.StationBooted() | ev.FailsafeAnswered():
            return _station(state, event)
        case ev.EvseStatusChanged():
            return _evse(state, event.evse, lambda e: evse_state.with_status(e, event))
        case ev.SessionStarted():
            return _session_started(state, event)
        case ev.SessionEnded():
            return _session_ended(state, event)
        case ev.IntentSet():
            session = state.sessions.get(event.session)
            if session is None:
                return state
            changed = replace(session, intent=event.intent)
            energy = energy_state.with_new_intent(state.energy, session.id)
            return replace(state, sessions=_with(state.sessions, session.id, changed), energy=energy)
        case ev.MeterSample():
            return _sample(state, event)
        case ev.BatteryMeasured():
            known = event.battery in state.site.batteries
            return replace(state, energy=energy_state.with_battery(state.energy, event)) if known else state
        case ev.PeakIncurred():
            return replace(state, energy=energy_state.with_peak(state.energy, event))
        case ev.StayKnown():
            return replace(state, energy=energy_state.with_stay(state.energy, event))
        case ev.PromiseMade():
            return replace(state, energy=energy_state.with_promise(state.energy, event))
        case ev.LimitSet():
            return replace(state, limits=_with(state.limits, event.limit.id, event.limit))
        case ev.LimitWithdrawn():
            return replace(state, limits=_without(state.limits, event.limit))
        case ev.PlanMade():
            return replace(state, plan=event.plan, last_plan_no=max(state.last_plan_no, event.plan.no))
        case ev.PlanAsked():
            return replace(state, last_plan_no=max(state.last_plan_no, event.no))
        case ev.Ticked():
            return replace(state, ticked_at=event.at)
        case ev.SetpointSent():
            setpoint = event.setpoint
            after = _evse(state, setpoint.evse, lambda e: evse_state.with_sent(e, setpoint, event.at))
            return replace(after, last_no=max(state.last_no, setpoint.no))
        case ev.SetpointAnswered():
            evse = state.site.evses.get(event.evse)
            if evse is None:
                return state
            rest = rest_a(state, event.evse)
            return _evse(state, event.evse, lambda e: evse_state.with_answer(e, event, evse, rest))
        case ev.SetpointUnanswered():
            return _evse(state, event.evse, lambda e: evse_state.with_no_answer(e, event))
        case ev.CommandAnswered():
            return state
        case ev.AlarmRaised():
            return replace(state, alarms=_with(state.alarms, event.key, event))
        case ev.AlarmCleared():
            return replace(state, alarms=_without(state.alarms, event.key))
        case _:
            assert_never(event)


def _evse(state: SiteState, evse: EvseId, change: Callable[[EvseState], EvseState]) -> SiteState:
    known = state.evses.get(evse)
    if known is None:
        return state
    return replace(state, evses=_with(state.evses, evse, change(known)))


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


StationEvent = ev.StationConnected | ev.StationDisconnected | ev.StationBooted | ev.FailsafeAnswered


def _station(state: SiteState, event: StationEvent) -> SiteState:
    known = state.stations.get(event.station)
    if known is None:
        return state
    match event:
        case ev.StationConnected():
            after = replace(known, is_connected=True, ocpp=event.ocpp, changed_at=event.at)
        case ev.StationDisconnected():
            after = replace(known, is_connected=False, changed_at=event.at)
        case ev.StationBooted():
            after = replace(
                known,
                booted_at=event.at,
                vendor=event.vendor,
                model=event.model,
                firmware=event.firmware,
                serial=event.serial,
            )
        case ev.FailsafeAnswered():
            if event.accepted:
                after = replace(known, failsafe=FailsafeState.CONFIRMED, failsafe_a=event.failsafe_a, failsafe_at=event.at)
            elif known.failsafe is FailsafeState.CONFIRMED and known.failsafe_a == event.failsafe_a:
                after = known  # it holds the same profile already
            else:
                after = replace(known, failsafe=FailsafeState.REFUSED)
    state = replace(state, stations=_with(state.stations, known.id, after))
    if isinstance(event, ev.StationConnected | ev.StationBooted):
        for evse in state.site.stations[known.id].evses:
            state = _evse(state, evse, evse_state.with_new_link)
    return state


def _session_started(state: SiteState, event: ev.SessionStarted) -> SiteState:
    evse = state.site.evses.get(event.evse)
    if evse is None or event.session in state.sessions:
        return state
    session = Session(
        id=event.session,
        evse=event.evse,
        transaction=event.transaction,
        started_at=event.started_at or event.at,
        id_tag=event.id_tag,
        meter_start_kwh=event.meter_start_kwh,
        register_kwh=event.meter_start_kwh if event.register_kwh is None else event.register_kwh,
        energy_kwh=event.energy_kwh,
        is_register_known=event.is_register_known,
    )
    settle_s = evse.caps.settle_s
    after = _evse(state, event.evse, lambda e: evse_state.with_session(e, event.session, event.at, settle_s))
    return replace(after, sessions=_with(state.sessions, session.id, session))


def _session_ended(state: SiteState, event: ev.SessionEnded) -> SiteState:
    session = state.sessions.get(event.session) or state.ended.get(event.session)
    if session is None:
        return state
    if event.meter_stop_kwh is not None:
        session = session_energy(session, event.meter_stop_kwh)
    session = replace(session, ended_at=event.ended_at or event.at, end_reason=event.reason)
    after = state
    if state.evses[session.evse].session == session.id:
        settle_s = state.site.evses[session.evse].caps.settle_s
        after = _evse(state, session.evse, lambda e: evse_state.without_session(e, event.at, settle_s))
    ended = dict(list(state.ended.items())[-(ENDED_KEPT - 1) :])
    ended[session.id] = session
    energy = energy_state.with_ended(after.energy, session)
    return replace(after, sessions=_without(state.sessions, session.id), ended=MappingProxyType(ended), energy=energy)


def _sample(state: SiteState, event: ev.MeterSample) -> SiteState:
    evse_key = EvseId(event.meter)
    if evse_key in state.evses:
        return _evse_sample(state, evse_key, event)
    known = state.meters.get(event.meter)
    if event.quality is Quality.HISTORY or (known is not None and event.measured_at < known.measured_at):
        return state
    if event.measured.current_a is None and event.measured.power_kw is None:
        return state
    after = replace(state, meters=_with(state.meters, event.meter, event))
    for node in state.site.nodes.values():
        if node.meter == event.meter:
            after = _base(after, node.id, event)
    return after


def _evse_sample(state: SiteState, evse_key: EvseId, event: ev.MeterSample) -> SiteState:
    evse = state.site.evses[evse_key]
    rest = promised_rest_a(state, evse_key)
    after = _evse(state, evse_key, lambda e: evse_state.with_sample(e, event, state.params, evse, rest))
    session = after.sessions.get(event.session) if event.session is not None else None
    if session is None or event.quality is Quality.HISTORY:
        return after
    changed = session
    if event.measured.energy_kwh is not None:
        changed = session_energy(session, event.measured.energy_kwh)
    if event.measured.soc_frac is not None:
        changed = replace(changed, soc_frac=event.measured.soc_frac, soc_at_kwh=changed.energy_kwh)
    seen = after.evses[evse_key].phases_seen
    if seen and seen != changed.n_phases:
        changed = replace(changed, n_phases=seen)
    if changed is session:
        return after
    return replace(after, sessions=_with(after.sessions, session.id, changed))


def total_of(state: SiteState, sample: ev.MeterSample) -> tuple[PerPhase, float]:
    """A meter's reading as (A per phase, kW); what it does not say is derived with the nominal voltage [C.4]."""
    voltage_v = state.site.voltage_v
    current, power_kw = sample.measured.current_a, sample.measured.power_kw
    if current is None:
        phase_a = units.kw_to_a(power_kw or 0.0, voltage_v, 3)
        current = (phase_a, phase_a, phase_a)
    if power_kw is None:
        power_kw = units.a_to_kw(sum(current), voltage_v, 1)
    return current, power_kw


def _base(state: SiteState, node: NodeId, event: ev.MeterSample) -> SiteState:
    total = total_of(state, event)
    if node == state.site.root:
        tariff = state.context.tariff
        energy = energy_state.with_import(state.energy, tariff.demand, tariff.timezone, event.at, total[1])
        state = replace(state, energy=energy)
    battery_kw = energy_state.battery_below_kw(state.energy, state.site, node, (event.at, state.params.battery_stale_s))
    phase_a = units.kw_to_a(battery_kw, state.site.voltage_v, 3)
    total = (total[0][0] - phase_a, total[0][1] - phase_a, total[0][2] - phase_a), total[1] - battery_kw
    bounds = evse_bounds(state, node, event.at)
    old = state.base.get(node)
    estimate = (
        baseload.first_estimate(event.at, total[0], total[1], bounds)
        if old is None
        else baseload.next_estimate(old, event.at, total, bounds)
    )
    shape_kw = present_shape_kw(state.site, state.context.loads, node, event.at)
    energy = energy_state.with_base(state.energy, node, event.at, (estimate.power_kw, shape_kw))
    return replace(state, base=_with(state.base, node, estimate), energy=energy)


def evse_bounds(state: SiteState, node: NodeId, now: datetime) -> baseload.Bounds:
    """What the EVSEs below a node draw at ``now``, at least and at most."""
    low, high = [0.0, 0.0, 0.0], [0.0, 0.0, 0.0]
    low_kw = high_kw = 0.0
    for key in state.site.below[node]:
        known = state.evses[key]
        moving = known.moving_until is not None and now < known.moving_until
        if known.session is None and not moving and known.sample is None:
            continue  # nobody is plugged in and nothing was ever measured
        measured = known.draw_a()
        is_fresh = (
            known.sample is not None
            and (now - known.sample.at).total_seconds() <= state.params.evse_stale_s
            and (known.moving_until is None or known.sample.measured_at >= known.moving_until)
        )
        if not moving and (is_fresh or known.session is None):
            if known.session is None and not is_fresh:
                continue
            for phase in range(3):
                low[phase] += measured[phase]
                high[phase] += measured[phase]
            drawn_kw = _sample_kw(state, key, known)
            low_kw += drawn_kw
            high_kw += drawn_kw
            continue
        evse = state.site.evses[key]
        most_a = max(allowed_a(state, key, now), *measured)
        n_used = known.phases_seen or evse.caps.n_phases
        for phase in evse.phases_of(n_used):
            high[phase] += most_a
        high_kw += units.a_to_kw(most_a, evse.caps.voltage_v, n_used)
    return baseload.Bounds(
        low_a=(low[0], low[1], low[2]), high_a=(high[0], high[1], high[2]), low_kw=low_kw, high_kw=high_kw
    )


def _sample_kw(state: SiteState, key: EvseId, known: EvseState) -> float:
    if known.sample is None:
        return 0.0
    if known.sample.measured.power_kw is not None:
        return known.sample.measured.power_kw
    return units.a_to_kw(sum(known.draw_a()), state.site.evses[key].caps.voltage_v, 1)
