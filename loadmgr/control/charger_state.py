"""What is known of chargers beyond link and orders: peculiarities, foreign limits, DER controls, reservations."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.traits import Traits

K = TypeVar("K")
V = TypeVar("V")

STANDARD = Traits()
GRID_SOURCE = "grid-"
"""Begin of the source of a limit that a grid request set: ours, so a boot of the station does not end it."""

ExternalKey = tuple[StationId, EvseId | None, str]
"""(station, EVSE or ``None`` for all of it, source)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerState:
    """See the module. ``der_alarms`` maps (station, control type) to the alarm that lasts."""

    traits: Mapping[StationId, Traits] = field(default_factory=dict)
    externals: Mapping[ExternalKey, ev.ExternalLimitSet] = field(default_factory=dict)
    der: Mapping[tuple[StationId, str], ev.DerControlStored] = field(default_factory=dict)
    der_alarms: Mapping[tuple[StationId, str], ev.DerAlarm] = field(default_factory=dict)
    reservations: Mapping[int, ev.EvseReserved] = field(default_factory=dict)
    composites: Mapping[EvseId, ev.CompositeRead] = field(default_factory=dict)

    def traits_of(self, station: StationId) -> Traits:
        """What is known of a station; the standard until something is."""
        return self.traits.get(station, STANDARD)


ChargerEvent = (
    ev.TraitsKnown
    | ev.CompositeRead
    | ev.ExternalLimitSet
    | ev.ExternalLimitCleared
    | ev.DerControlStored
    | ev.DerControlChanged
    | ev.DerAlarm
    | ev.EvseReserved
    | ev.ReservationEnded
)


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})


def _without(mapping: Mapping[K, V], key: K) -> Mapping[K, V]:
    return MappingProxyType({k: v for k, v in mapping.items() if k != key})


def apply(state: ChargerState, event: ChargerEvent) -> ChargerState:
    """The state after ``event``."""
    match event:
        case ev.TraitsKnown():
            return replace(state, traits=_with(state.traits, event.station, event.traits))
        case ev.CompositeRead():
            return replace(state, composites=_with(state.composites, event.evse, event))
        case ev.ExternalLimitSet():
            key = (event.station, event.evse, event.source)
            return replace(state, externals=_with(state.externals, key, event))
        case ev.ExternalLimitCleared():
            return replace(state, externals=_cleared(state.externals, event))
        case ev.DerControlStored():
            standing = {key: held for key, held in state.der.items() if not _is_over(held, event.at)}
            return replace(state, der=_with(standing, (event.station, event.control.id), event))
        case ev.DerControlChanged():
            return replace(state, der=_changed(state.der, event))
        case ev.DerAlarm():
            about = (event.station, event.control_type)
            alarms = _without(state.der_alarms, about) if event.has_ended else _with(state.der_alarms, about, event)
            return replace(state, der_alarms=alarms)
        case ev.EvseReserved():
            return replace(state, reservations=_with(state.reservations, event.reservation, event))
        case ev.ReservationEnded():
            return replace(state, reservations=_without(state.reservations, event.reservation))


def _is_over(held: ev.DerControlStored, now: datetime) -> bool:
    """Stations do not tell the end of a control that was superseded, so its time decides."""
    control = held.control
    if control.from_at is None or control.duration_s is None:
        return False
    return now >= control.from_at + timedelta(seconds=control.duration_s)


def _cleared(
    externals: Mapping[ExternalKey, ev.ExternalLimitSet], event: ev.ExternalLimitCleared
) -> Mapping[ExternalKey, ev.ExternalLimitSet]:
    """Without an EVSE the source's limits on the whole station and on all its EVSEs go."""
    kept = {
        key: limit
        for key, limit in externals.items()
        if key[0] != event.station or key[2] != event.source or (event.evse is not None and key[1] != event.evse)
    }
    return MappingProxyType(kept)


def _changed(
    known: Mapping[tuple[StationId, str], ev.DerControlStored], event: ev.DerControlChanged
) -> Mapping[tuple[StationId, str], ev.DerControlStored]:
    found = dict(known)
    if event.change in {"ended", "cleared"}:
        found.pop((event.station, event.control_id), None)
    for control_id in event.superseded:
        below = found.get((event.station, control_id))
        if below is not None:
            found[event.station, control_id] = replace(below, is_superseded=True)
    return MappingProxyType(found)


def after_boot(state: ChargerState, station: StationId) -> ChargerState:
    """A boot ends what the station told of others; it says it again if it stands [A-92]. Grid requests stay."""
    kept = {key: limit for key, limit in state.externals.items() if key[0] != station or key[2].startswith(GRID_SOURCE)}
    if len(kept) == len(state.externals):
        return state
    return replace(state, externals=MappingProxyType(kept))


def external_a(state: ChargerState, evse: EvseId, station: StationId, now: datetime) -> tuple[float | None, float | None]:
    """The tightest foreign limit on an EVSE at ``now``: (A per phase, kW), each ``None`` where nobody states one."""
    current: float | None = None
    power: float | None = None
    for (at_station, at_evse, _), limit in state.externals.items():
        if at_station != station or at_evse not in {None, evse} or limit.is_generation:
            continue
        if limit.until_at is not None and now >= limit.until_at:
            continue
        if limit.current_a is not None:
            current = limit.current_a if current is None else min(current, limit.current_a)
        if limit.power_kw is not None:
            power = limit.power_kw if power is None else min(power, limit.power_kw)
    return current, power
