"""What a TransactionEvent of OCPP 2.x means, free of its wire form (domain rule D.2)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from types import MappingProxyType

from loadmgr.domain import events as ev
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId, evse_id
from loadmgr.ocpp import lifecycle
from loadmgr.ocpp.metering import measure
from loadmgr.ocpp.sampling import Entry, samples, unit_of
from loadmgr.ocpp.transactions import Known, Start
from loadmgr.ocpp.translation import LIVE, Desk, Handled, end_event

STARTED, UPDATED, ENDED = "Started", "Updated", "Ended"
RESUMED = "TxResumed"

STATES = MappingProxyType({
    "Charging": EvseStatus.CHARGING,
    "EVConnected": EvseStatus.PREPARING,
    "SuspendedEV": EvseStatus.SUSPENDED_EV,
    "SuspendedEVSE": EvseStatus.SUSPENDED_EVSE,
    "Idle": EvseStatus.PREPARING,
})  # fmt: skip
LIMITS_REACHED = MappingProxyType({
    "EnergyLimitReached": "energy-limit",
    "TimeLimitReached": "time-limit",
    "CostLimitReached": "cost-limit",
    "SoCLimitReached": "soc-limit",
})  # fmt: skip
"""Trigger reasons that say why the station suspends or ends by itself [D-26]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the station enforces on the transaction [D-26]."""

    energy_kwh: float | None = None
    time_s: float | None = None
    cost: float | None = None
    soc_frac: float | None = None
    cable_a: float | None = None
    n_phases: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One TransactionEvent. ``number`` 0: the EVSE was not named. ``at``: the station's own time."""

    kind: str
    transaction: str
    seq_no: int
    at: datetime
    number: int = 0
    is_offline: bool = False
    id_tag: str = ""
    state: str = ""
    reason: str = "Local"
    trigger: str = ""
    mode: str = ""
    reservation: int | None = None
    bounds: Bounds = Bounds()
    entries: tuple[Entry, ...] = ()


def take(desk: Desk, said: Said, now: datetime) -> Handled:
    """The events of one TransactionEvent, in any order and any number of times; it never leads to an error [D-21].

    The answer is the version's business; ``must_last`` is set for begin and end.
    """
    handled = Handled()
    known = desk.transactions.find(desk.station, said.transaction)
    if known is not None and not known.is_open and known.is_final:
        return handled  # a late or repeated event of a transaction that has ended
    if known is None:
        known = _begin(desk, said, handled, now)
        if known is None:
            return handled
    elif not known.is_open and _goes_on(desk, known, said, now):
        handled.events += lifecycle.revived(desk, known, now)
        handled.must_last = bool(handled.events)
    if said.seq_no <= known.last_seq_no and said.kind != ENDED and said.trigger != RESUMED:
        return handled
    if 0 <= known.last_seq_no < said.seq_no - 1:
        known.is_doubted = True  # a message between them is missing [D-22]
    known.last_seq_no = max(known.last_seq_no, said.seq_no)
    known.lost_after = None
    evse = known.start.evse
    is_history = said.is_offline or said.kind == ENDED or not known.is_open
    measured: list[ev.Event] = list(samples(desk, _number(evse), said.entries, (known, now), is_history=is_history))
    handled.events += measured
    if not said.is_offline and known.is_open:
        handled.events += _told(desk, known, said, now)
        handled.events += lifecycle.repaired(desk, evse, measured, now)
    if said.kind == ENDED:
        _end(desk, known, said, (handled, measured), now)
    return handled


def _goes_on(desk: Desk, known: Known, said: Said, now: datetime) -> bool:
    """Does this show that a transaction whose end we inferred still runs? What waited in a queue does not [D-3]."""
    if said.is_offline or said.kind == ENDED:
        return False
    if said.trigger == RESUMED:
        return True
    is_now = abs(now - said.at) <= LIVE or desk.clock.read(said.at, now)[1]
    is_live = is_now or desk.transactions.reported(known.start.evse).status in lifecycle.PRESENT
    return is_live and said.seq_no > known.last_seq_no


def _number(evse: EvseId) -> int:
    return int(evse.rpartition("/")[2])


def _told(desk: Desk, known: Known, said: Said, now: datetime) -> Iterator[ev.Event]:
    """State, mode, bounds and limits reached."""
    state = STATES.get(said.state)
    if state is not None:
        yield from lifecycle.status_events(desk, known.start.evse, state, now)
    if said.trigger == RESUMED:  # its profile is sent again [D-28]
        why = "the transaction goes on after a loss of power"
        yield ev.CompositeRead(at=now, evse=known.start.evse, from_at=now, limits_a=(), differs=why)
    if said.mode and said.mode != known.mode:
        known.mode = said.mode
        yield ev.ModeChanged(at=now, session=known.session, mode=said.mode)
    bounds = said.bounds
    known.n_phases = bounds.n_phases or known.n_phases
    told = (bounds.energy_kwh, bounds.time_s, bounds.cost, bounds.soc_frac, bounds.cable_a, bounds.n_phases)
    if bounds != Bounds() and told != known.bounds:
        known.bounds = told
        yield ev.SessionBounded(
            at=now,
            session=known.session,
            cable_a=bounds.cable_a,
            n_phases=bounds.n_phases,
            energy_kwh=bounds.energy_kwh,
            time_s=bounds.time_s,
            cost=bounds.cost,
            soc_frac=bounds.soc_frac,
        )
    reached = LIMITS_REACHED.get(said.trigger)
    if reached is not None:
        yield ev.MilestoneReached(at=now, session=known.session, milestone=reached)


def _begin(desk: Desk, said: Said, handled: Handled, now: datetime) -> Known | None:
    """A transaction that we did not know; without an EVSE it is attributed where only one is possible."""
    number = said.number
    if not number:
        mine = [e.number for e in desk.site.evses.values() if e.station == desk.station]
        number = mine[0] if len(mine) == 1 else 0
    evse = desk.evse(number)
    if evse is None:
        return None  # acknowledged, but there is no EVSE to attribute it to
    registers = (measure(readings, evse, desk.traits).measured.energy_kwh for _, readings in said.entries)
    register = next((r for r in registers if r is not None), None)
    if register is not None:
        register *= unit_of(desk, evse, register, _begin_at(said))
    start = Start(
        evse=evse_id(desk.station, number),
        started_at=_begin_at(said),
        meter_start_kwh=0.0 if register is None else register,
        id_tag=said.id_tag,
    )
    is_told = register is not None
    if said.kind == ENDED:
        known, events = lifecycle.ended_unknown(desk, start, said.transaction, now, is_register_known=is_told)
    else:
        known, events = lifecycle.begun(
            desk, start, said.transaction, now, is_register_known=is_told, is_queued=said.is_offline
        )
    handled.events += events
    handled.must_last = bool(events)
    if said.reservation is not None:
        handled.events.append(ev.ReservationEnded(at=now, reservation=said.reservation, reason="used"))
    return known


def _begin_at(said: Said) -> datetime:
    """When a transaction began as far as this message tells; an end may carry values from its begin on."""
    times = [at for at, _ in said.entries if at is not None] if said.kind == ENDED else []
    return min([said.at, *times])


def _end(desk: Desk, known: Known, said: Said, made: tuple[Handled, list[ev.Event]], now: datetime) -> None:
    handled, measured = made
    registers = [
        s.measured.energy_kwh for s in measured if isinstance(s, ev.MeterSample) and s.measured.energy_kwh is not None
    ]
    stop_kwh = registers[-1] if registers else known.last_register_kwh
    evse = desk.site.evses[known.start.evse]
    stop_kwh = lifecycle.final_register(known, evse, stop_kwh, (said.at, now))
    known.is_final = True
    ended = end_event(desk, known, now, meter_stop_kwh=stop_kwh, ended_at=said.at, reason=said.reason)
    handled.events.append(ended)
    handled.must_last = True


def without_idle_power(event: ev.Event, before_kwh: float) -> ev.Event:
    """A plain MeterValues that says no power while the register has moved on from ``before_kwh`` says nothing of power."""
    if not isinstance(event, ev.MeterSample):
        return event
    measured = event.measured
    says_none = not any(measured.current_a or ()) and not measured.power_kw
    if not says_none or measured.energy_kwh is None or measured.energy_kwh <= before_kwh:
        return event
    return replace(event, measured=replace(measured, power_kw=None, current_a=None))
