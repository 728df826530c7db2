"""Batteries, demand peaks and promises: the part of the state that only the optimiser and its figures need."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import MappingProxyType
from zoneinfo import ZoneInfo

from loadmgr.domain import events as ev
from loadmgr.domain.ids import NodeId, SessionId
from loadmgr.domain.session import Session
from loadmgr.domain.site import Site, batteries_below
from loadmgr.domain.tariff import DemandCharge
from loadmgr.forecast import spread
from loadmgr.forecast.departures import History, Stay, learned
from loadmgr.forecast.spread import Errors

HOLD_S = 300.0
"""A meter's last value is taken to hold for this long; a longer silence adds nothing to a demand window."""
KEPT_FRAC = 0.01
KEPT_KWH = 0.1
"""A promise is kept when no more than the larger of the two is missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Peak:
    """Demand of one charge: the open window and the highest mean of the period. Mean import in kW, export counts as 0.

    ``reported_kw`` is what the event log already says.
    """

    window: int = -1
    energy_kwh: float = 0.0
    last_at: datetime | None = None
    last_kw: float = 0.0
    period: str = ""
    incurred_kw: float = 0.0
    reported_kw: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Promises:
    """What was promised to running sessions, and how promises came out: ``n_void`` left before the time promised."""

    open: Mapping[SessionId, ev.PromiseMade] = field(default_factory=dict)
    n_kept: int = 0
    n_broken: int = 0
    n_void: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyState:
    """See the module."""

    batteries: Mapping[str, ev.BatteryMeasured] = field(default_factory=dict)
    peaks: Mapping[str, Peak] = field(default_factory=dict)
    promises: Promises = Promises()
    history: History = History()
    errors: Mapping[NodeId, Errors] = field(default_factory=dict)
    """How wrong the forecast of a metered node's base load was lately."""


def with_base(state: EnergyState, node: NodeId, at: datetime, measured: tuple[float, float]) -> EnergyState:
    """After a node's base load was estimated; ``measured`` is (kW, what the known series say for that moment in kW)."""
    value_kw, shape_kw = measured
    known = state.errors.get(node, Errors())
    after = spread.expect(spread.measured(known, at, value_kw, shape_kw), at, value_kw, shape_kw)
    return state if after is known else replace(state, errors=MappingProxyType({**state.errors, node: after}))


def with_battery(state: EnergyState, event: ev.BatteryMeasured) -> EnergyState:
    """After a battery spoke; an older word than the last changes nothing."""
    known = state.batteries.get(event.battery)
    if known is not None and event.at < known.at:
        return state
    return replace(state, batteries=MappingProxyType({**state.batteries, event.battery: event}))


def live_batteries(state: EnergyState, site: Site, node: NodeId, when: tuple[datetime, float]) -> list[ev.BatteryMeasured]:
    """Batteries at or below a node that told their state not long ago; ``when`` is (now, longest silence in s)."""
    now, stale_s = when
    known = [state.batteries.get(battery.id) for battery in batteries_below(site, node)]
    return [b for b in known if b is not None and (now - b.at).total_seconds() <= stale_s]


def battery_below_kw(state: EnergyState, site: Site, node: NodeId, when: tuple[datetime, float]) -> float:
    """What the live batteries below a node draw by their own word, kW; discharging is negative."""
    return sum(b.power_kw for b in live_batteries(state, site, node, when))


def with_peak(state: EnergyState, event: ev.PeakIncurred) -> EnergyState:
    """After a peak was recorded, or came back after a restart."""
    known = state.peaks.get(event.charge, Peak())
    if known.period and event.period < known.period:
        return state
    highest = event.power_kw if event.period > known.period else max(known.incurred_kw, event.power_kw)
    after = replace(known, period=event.period, incurred_kw=highest, reported_kw=event.power_kw)
    return replace(state, peaks=MappingProxyType({**state.peaks, event.charge: after}))


def with_promise(state: EnergyState, event: ev.PromiseMade) -> EnergyState:
    """After a session was promised something; a later promise replaces an earlier one."""
    known = MappingProxyType({**state.promises.open, event.session: event})
    return replace(state, promises=replace(state.promises, open=known))


def with_new_intent(state: EnergyState, session: SessionId) -> EnergyState:
    """After somebody changed what a session needs: what was promised before no longer counts."""
    if session not in state.promises.open:
        return state
    rest = MappingProxyType({k: v for k, v in state.promises.open.items() if k != session})
    return replace(state, promises=replace(state.promises, open=rest))


def stay_of(session: Session, ended_at: datetime) -> Stay:
    """What an ended session teaches."""
    intent = session.intent
    return Stay(
        user=session.id_tag,
        started_at=session.started_at,
        ended_at=ended_at,
        energy_kwh=session.energy_kwh,
        said_depart_at=intent.depart_at,
        said_kwh=intent.energy_kwh,
    )


def with_stay(state: EnergyState, event: ev.StayKnown) -> EnergyState:
    """After a stay of an earlier run came back."""
    stay = Stay(
        user=event.user,
        started_at=event.started_at,
        ended_at=event.ended_at,
        energy_kwh=event.energy_kwh,
        said_depart_at=event.said_depart_at,
        said_kwh=event.said_kwh,
    )
    return replace(state, history=learned(state.history, stay))


def with_ended(state: EnergyState, session: Session) -> EnergyState:
    """After a session ended: its promise was kept, broken, or void because the car left earlier."""
    if session.ended_at is None:
        return state
    state = replace(state, history=learned(state.history, stay_of(session, session.ended_at)))
    promise = state.promises.open.get(session.id)
    if promise is None:
        return state
    rest = MappingProxyType({k: v for k, v in state.promises.open.items() if k != session.id})
    book = replace(state.promises, open=rest)
    if promise.energy_kwh - session.energy_kwh <= max(KEPT_KWH, KEPT_FRAC * promise.energy_kwh):
        book = replace(book, n_kept=book.n_kept + 1)
    elif session.ended_at < promise.by_at:
        book = replace(book, n_void=book.n_void + 1)
    else:
        book = replace(book, n_broken=book.n_broken + 1)
    return replace(state, promises=book)


def period_of(at: datetime, timezone: str) -> str:
    """The billing period of a time: the local calendar month."""
    return f"{at.astimezone(ZoneInfo(timezone)):%Y-%m}"


def with_import(
    state: EnergyState, charges: tuple[DemandCharge, ...], timezone: str, at: datetime, import_kw: float
) -> EnergyState:
    """After the grid meter said ``import_kw`` at ``at``: demand windows grow, and close into the period's peak."""
    if not charges:
        return state
    peaks = dict(state.peaks)
    for charge in charges:
        known = peaks.get(charge.name, Peak())
        peaks[charge.name] = _grown(known, charge, timezone, at, max(import_kw, 0.0))
    return replace(state, peaks=MappingProxyType(peaks))


def _grown(peak: Peak, charge: DemandCharge, timezone: str, at: datetime, import_kw: float) -> Peak:
    if peak.last_at is not None and at <= peak.last_at:
        return peak
    begin = peak.last_at if peak.last_at is not None else at
    end = min(at, begin + timedelta(seconds=HOLD_S))
    while begin < end:
        window = int(begin.timestamp() // charge.window_s)
        closes = datetime.fromtimestamp((window + 1) * charge.window_s, UTC)
        until = min(end, closes)
        if window != peak.window:
            peak = replace(_closed(peak, charge, timezone), window=window, energy_kwh=0.0)
        hours = (until - begin).total_seconds() / 3600.0
        peak = replace(peak, energy_kwh=peak.energy_kwh + peak.last_kw * hours)
        begin = until
    window = int(at.timestamp() // charge.window_s)
    if window != peak.window:
        peak = replace(_closed(peak, charge, timezone), window=window, energy_kwh=0.0)
    return replace(peak, last_at=at, last_kw=import_kw)


def _closed(peak: Peak, charge: DemandCharge, timezone: str) -> Peak:
    """The peak after its open window ended."""
    if peak.window < 0:
        return peak
    start = datetime.fromtimestamp(peak.window * charge.window_s, UTC)
    if not charge.counts_at(start.astimezone(ZoneInfo(timezone))):
        return peak
    period, mean_kw = period_of(start, timezone), peak.energy_kwh / (charge.window_s / 3600.0)
    if period > peak.period:
        return replace(peak, period=period, incurred_kw=mean_kw, reported_kw=0.0)
    return replace(peak, incurred_kw=max(peak.incurred_kw, mean_kw))


def unreported(state: EnergyState, at: datetime) -> tuple[ev.PeakIncurred, ...]:
    """Peaks that the event log does not know yet, rounded to a watt."""
    return tuple(
        ev.PeakIncurred(at=at, charge=name, period=peak.period, power_kw=round(peak.incurred_kw, 3))
        for name, peak in sorted(state.peaks.items())
        if peak.incurred_kw > peak.reported_kw + 0.001
    )


def incurred_kw(state: EnergyState, charge: str, at: datetime, timezone: str) -> float:
    """The highest mean import of the billing period that ``at`` lies in, kW."""
    peak = state.peaks.get(charge)
    return peak.incurred_kw if peak is not None and peak.period == period_of(at, timezone) else 0.0
