"""State of the site, folded from events by one total function. No clock, no I/O: ``now`` comes with the event."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import TypeVar, assert_never

from loadmgr import units
from loadmgr.control import (
    baseload,
    charger_state,
    energy_state,
    evidence,
    evse_state,
    phase_map,
    security_state,
    session_tools,
)
from loadmgr.control.evse_state import EvseState
from loadmgr.control.site_state import (
    FailsafeState,
    SiteContext,
    SiteState,
    StationState,
    allowed_a,
    evse_bounds,
    forms_of,
    initial,
    promised_rest_a,
    rest_a,
    total_of,
)
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.samples import Quality
from loadmgr.domain.session import metered
from loadmgr.forecast.baseload import present_shape_kw

__all__ = [
    "FailsafeState",
    "SiteContext",
    "SiteState",
    "StationState",
    "allowed_a",
    "apply",
    "evse_bounds",
    "forms_of",
    "initial",
    "promised_rest_a",
    "rest_a",
    "total_of",
]

ENDED_KEPT = 200

K = TypeVar("K")
V = TypeVar("V")


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
            changed = session_tools.with_intent(session, event.intent)
            state = _evse(state, session.evse, lambda e: replace(e, paused=None))
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
            if not event.accepted:
                found = forms_of(state, event.evse)
                return _evse(state, event.evse, lambda e: evse_state.with_refusal(e, event, found))
            rest = rest_a(state, event.evse)
            return _evse(state, event.evse, lambda e: evse_state.with_acceptance(e, event, evse, rest))
        case ev.SetpointUnanswered():
            return _evse(state, event.evse, lambda e: evse_state.with_no_answer(e, event))
        case ev.CommandAnswered():
            return state
        case ev.NeedsStated() | ev.SessionBounded() | ev.ModeChanged() | ev.PriorityChanged() | ev.MilestoneReached():
            return _stated(state, event)
        case ev.RemedyTried():
            return _evse(state, event.evse, lambda e: evse_state.with_remedy(e, event))
        case ev.CompositeRead():
            after = replace(state, chargers=charger_state.apply(state.chargers, event))
            return _evse(after, event.evse, evse_state.with_doubt) if event.differs else after
        case (
            ev.TraitsKnown()
            | ev.ExternalLimitSet()
            | ev.ExternalLimitCleared()
            | ev.DerControlStored()
            | ev.DerControlChanged()
            | ev.DerAlarm()
            | ev.EvseReserved()
            | ev.ReservationEnded()
        ):
            return replace(state, chargers=charger_state.apply(state.chargers, event))
        case (
            ev.SecurityEventReported()
            | ev.SecurityAcknowledged()
            | ev.SecurityAsked()
            | ev.CredentialsChanged()
            | ev.CertificateKnown()
            | ev.CertificateGone()
            | ev.LogStatusReported()
        ):
            return replace(state, security=security_state.apply(state.security, event))
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
    if isinstance(event, ev.StationBooted):
        state = replace(state, chargers=charger_state.after_boot(state.chargers, known.id))
    if isinstance(event, ev.StationConnected | ev.StationBooted):
        for evse in state.site.stations[known.id].evses:
            state = _evse(state, evse, evse_state.with_new_link)
    return state


def _session_started(state: SiteState, event: ev.SessionStarted) -> SiteState:
    evse = state.site.evses.get(event.evse)
    if evse is None or event.session in state.sessions:
        return state
    session = session_tools.begun(event, state.ended.get(event.session))
    after = replace(state, ended=_without(state.ended, session.id)) if session.id in state.ended else state
    running = state.sessions.get(state.evses[event.evse].session or session.id)
    if running is not None and running.started_at > session.started_at:
        return replace(after, sessions=_with(state.sessions, session.id, session))  # a late word of an older stay [D-3]
    settle_s = evse.caps.settle_s
    after = _evse(after, event.evse, lambda e: evse_state.with_session(e, event.session, event.at, settle_s))
    order = after.evses[event.evse].last_order
    if order is not None and not order.setpoint.transaction:
        after = _evse(after, event.evse, evse_state.with_doubt)  # it is told again, now with the transaction [D-7]
    return replace(after, sessions=_with(state.sessions, session.id, session))


def _session_ended(state: SiteState, event: ev.SessionEnded) -> SiteState:
    session = state.sessions.get(event.session) or state.ended.get(event.session)
    if session is None:
        return state
    session = session_tools.closed(session, event)
    after = state
    if state.evses[session.evse].session == session.id:
        settle_s = state.site.evses[session.evse].caps.settle_s
        after = _evse(state, session.evse, lambda e: evse_state.without_session(e, session, event.at, settle_s))
    ended = dict(list(state.ended.items())[-(ENDED_KEPT - 1) :])
    ended[session.id] = session
    energy = energy_state.with_ended(after.energy, session)
    return replace(after, sessions=_without(state.sessions, session.id), ended=MappingProxyType(ended), energy=energy)


def _stated(state: SiteState, event: session_tools.StatedEvent) -> SiteState:
    """What car or station said about a session."""
    session = state.sessions.get(event.session)
    if session is None:
        return state
    changed = session_tools.stated(session, event)
    after = replace(state, sessions=_with(state.sessions, session.id, changed))
    if not isinstance(event, ev.NeedsStated) or not event.awaits_profile:
        return after
    found = forms_of(state, session.evse)
    return _evse(after, session.evse, lambda e: evse_state.with_needs(e, found))


def _sample(state: SiteState, event: ev.MeterSample) -> SiteState:
    evse_key = EvseId(event.meter)
    if evse_key in state.evses:
        return _evse_sample(state, evse_key, event)
    known = state.meters.get(event.meter)
    if event.quality is Quality.HISTORY or (known is not None and event.measured_at < known.measured_at):
        return state
    if event.measured.current_a is None and event.measured.power_kw is None:
        return state
    phases = phase_map.with_meter(state.phases, state.site, event)
    after = replace(state, meters=_with(state.meters, event.meter, event), phases=phases)
    for node in state.site.nodes.values():
        if node.meter == event.meter:
            after = _base(after, node.id, event)
    return after


def _evse_sample(state: SiteState, evse_key: EvseId, event: ev.MeterSample) -> SiteState:
    evse = state.site.evses[evse_key]
    rest = promised_rest_a(state, evse_key)
    after = _evse(state, evse_key, lambda e: evidence.with_sample(e, event, state.params, evse, rest))
    if after.evses[evse_key].sample is event:
        has_terminals = state.chargers.traits_of(evse.station).labels_terminals
        before = state.evses[evse_key].sample
        phases = phase_map.with_sample(state.phases, state.site, before, event, labels_terminals=has_terminals)
        after = replace(after, phases=phases)
    session = after.sessions.get(event.session) if event.session is not None else None
    if session is None or event.quality is Quality.HISTORY:
        return after
    changed = metered(session, event.measured, event.measured_at)
    seen = after.evses[evse_key].phases_seen
    if seen and seen != changed.n_phases:
        changed = replace(changed, n_phases=seen)
    if changed is session:
        return after
    return replace(after, sessions=_with(after.sessions, session.id, changed))


def _base(state: SiteState, node: NodeId, event: ev.MeterSample) -> SiteState:
    total = total_of(state, event)
    if node == state.site.root:
        tariff = state.context.tariff
        energy = energy_state.with_import(state.energy, tariff.demand, tariff.timezone, event.at, total[1])
        state = replace(state, energy=energy)
    battery_kw = energy_state.battery_below_kw(state.energy, state.site, node, (event.at, state.params.battery_stale_s))
    phase_a = units.kw_to_a(battery_kw, state.site.voltage_at(node), 3)
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
