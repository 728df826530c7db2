"""What is wrong with a charger, since when, and what to do about it: its alarms, and what is not (yet) an alarm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import datetime
from types import MappingProxyType

from api.order_view import OrderView, order_view
from loadmgr.control import evidence, obedience
from loadmgr.control.evse_state import EvseState, Obedience
from loadmgr.control.security_state import alert_key
from loadmgr.control.state import FailsafeState, SiteState, allowed_a, forms_of
from loadmgr.domain.events import AlarmRaised, Severity
from loadmgr.domain.ids import EvseId, StationId

FEW = 5
OBEYS_FRAC = 0.9
"""A charger that obeys less than this part of at least ``FEW`` decided orders is worth a look."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing that is wrong, since when, and what to do. ``evse`` ``None``: it concerns the station."""

    severity: Severity
    message: str
    remedy: str
    since: datetime | None = None
    evse: EvseId | None = None


_RANK = MappingProxyType({Severity.CRITICAL: 0, Severity.WARNING: 1, Severity.INFO: 2})


def problems_of(state: SiteState, station: StationId, now: datetime) -> tuple[Problem, ...]:
    """Everything that is wrong with a station and its EVSEs, the worst first, then the oldest."""
    found = [*_station(state, station, now)]
    for evse in state.site.stations[station].evses:
        found += _evse(state, evse, now)
    return tuple(sorted(found, key=lambda p: (_RANK[p.severity], p.since.timestamp() if p.since is not None else 0.0)))


# -- stations ------------------------------------------------------------------------------------------------------


def _station(state: SiteState, station: StationId, now: datetime) -> Iterator[Problem]:
    known, names = state.stations[station], set()
    for name in ("offline", "failsafe"):
        alarm = state.alarms.get(f"{name}:{station}")
        if alarm is not None:
            names.add(name)
            since = known.changed_at if name == "offline" else None
            yield _of_alarm(alarm, since or alarm.at)
    if not known.is_connected and "offline" not in names:
        yield _unlinked(station, known.changed_at)
    if known.is_connected and known.failsafe is FailsafeState.UNKNOWN and "failsafe" not in names:
        yield Problem(
            severity=Severity.INFO,
            message=f"station {station} has not confirmed the fail-safe profile yet; it counts at its hardware maximum",
            remedy="wait a minute after it connected; then see its messages",
            since=known.changed_at,
        )
    ours = (alert for alert in state.security.alerts.values() if alert.station == station)
    for alarm in (state.alarms.get(alert_key(station, alert.kind)) for alert in ours):
        if alarm is not None:
            yield _of_alarm(alarm, alarm.at)
    for (at_station, control_type), told in state.chargers.der_alarms.items():
        if at_station == station:
            fault = f" ({told.fault})" if told.fault else ""
            yield Problem(
                severity=Severity.CRITICAL,
                message=f"station {station}: {control_type} tripped{fault}; its delivery counts as zero",
                remedy="check its inverter and the grid voltage; it ends when the station says so",
                since=told.at,
            )
    yield from _foreign(state, station, now)
    yield from _habit(state, station)


def _unlinked(station: StationId, since: datetime | None) -> Problem:
    if since is None:
        return Problem(
            severity=Severity.WARNING,
            message=f"station {station} has not connected since the service started",
            remedy="check its power, its network, and the address, identity and password set in it",
        )
    return Problem(
        severity=Severity.WARNING,
        message=f"station {station} has just lost its link",
        remedy="most come back within a minute; it falls to its fail-safe current meanwhile",
        since=since,
    )


def _foreign(state: SiteState, station: StationId, now: datetime) -> Iterator[Problem]:
    for (at_station, evse, source), limit in state.chargers.externals.items():
        if at_station != station or (limit.until_at is not None and now >= limit.until_at):
            continue
        values = [f"{limit.current_a:g} A"] if limit.current_a is not None else []
        values += [f"{limit.power_kw:g} kW"] if limit.power_kw is not None else []
        what = "supply is added by" if limit.is_generation else "it is limited by"
        yield Problem(
            severity=Severity.INFO,
            message=f"{evse or station}: {what} {source}: {' and '.join(values) or 'the value was not told'}",
            remedy="nothing to do here: we stay below it; ask whoever set it if it should not be",
            since=limit.at,
            evse=evse,
        )


def counts_of(state: SiteState, station: StationId) -> Obedience:
    """How the EVSEs of a station obeyed so far, together."""
    parts = [state.evses[e].obedience for e in state.site.stations[station].evses]
    return Obedience(**{f.name: sum(getattr(p, f.name) for p in parts) for f in fields(Obedience)})


def _habit(state: SiteState, station: StationId) -> Iterator[Problem]:
    """How it obeyed so far, where that is bad."""
    counts = counts_of(state, station)
    n_decided = counts.n_judged + counts.n_refused + counts.n_unanswered
    if counts.frac is not None and n_decided >= FEW and counts.frac < OBEYS_FRAC:
        yield Problem(
            severity=Severity.WARNING,
            message=f"station {station} obeyed {counts.frac:.0%} of {n_decided} orders: {counts.n_refused} refused,"
            f" {counts.n_unanswered} unanswered, {counts.n_judged - counts.n_obeyed} not followed",
            remedy="examine it with `loadmgr probe` when nobody charges there; compare with others of its model",
        )


def _of_alarm(alarm: AlarmRaised, since: datetime, evse: EvseId | None = None) -> Problem:
    return Problem(severity=alarm.severity, message=alarm.message, remedy=alarm.remedy, since=since, evse=evse)


# -- EVSEs ---------------------------------------------------------------------------------------------------------


def _evse(state: SiteState, evse: EvseId, now: datetime) -> Iterator[Problem]:
    known, names = state.evses[evse], set()
    begins = {"disobeys": known.excess_since, "competes": known.offer_differs_since, "refuses": known.refused_at}
    for name in ("disobeys", "competes", "refuses"):
        alarm = state.alarms.get(f"{name}:{evse}")
        if alarm is not None:
            names.add(name)
            yield _of_alarm(alarm, min(begins[name] or alarm.at, alarm.at), evse)
    others = (x for x in state.alarms.values() if x.key.endswith(f":{evse}") and x.key.partition(":")[0] not in begins)
    yield from (_of_alarm(x, x.at, evse) for x in others)
    if known.excess_since is not None and "disobeys" not in names:
        yield _excess(state, known, now)
    if known.n_refused > 0 and "refuses" not in names:
        yield Problem(
            severity=Severity.WARNING,
            message=f"EVSE {evse} refused {known.n_refused} of our orders in a row",
            remedy=f"another way to say it is tried by itself ({len(forms_of(state, evse))} are known)",
            since=known.refused_at,
            evse=evse,
        )
    composite = state.chargers.composites.get(evse)
    if composite is not None and composite.differs:
        yield Problem(
            severity=Severity.WARNING,
            message=f"EVSE {evse} says it will do something else than ordered: {composite.differs}",
            remedy="the order is sent again by itself; if it stays, look for a second controller or a local limit",
            since=composite.at,
            evse=evse,
        )
    if state.stations[state.site.evses[evse].station].is_connected:
        yield from _waiting(known, now)
        yield from _silence(state, known, now)


def _excess(state: SiteState, known: EvseState, now: datetime) -> Problem:
    most_a = allowed_a(state, known.id, now)
    tried = "1 remedy" if known.n_remedies == 1 else f"{known.n_remedies} remedies"
    done = f"{tried} tried so far" if known.n_remedies else "the order is sent again first"
    return Problem(
        severity=Severity.WARNING,
        message=f"EVSE {known.id} draws {max(known.draw_a()):.1f} A, {most_a:.1f} A are allowed",
        remedy=f"{done}; after {obedience.STOP_AFTER_S:.0f} s the session is stopped by itself",
        since=known.excess_since,
        evse=known.id,
    )


def _waiting(known: EvseState, now: datetime) -> Iterator[Problem]:
    """The newest order, where its next stage is overdue (rule H.1)."""
    if known.last_order is None:
        return
    order = order_view(known.last_order, now)
    if order.stage in {"unanswered", "in-doubt"} or (order.is_late and order.stage == "sent"):
        yield Problem(
            severity=Severity.WARNING,
            message=f"EVSE {known.id} has not answered the order of {_amount(order)}; it may or may not be in force",
            remedy="it is sent again by itself; until then the higher value counts",
            since=order.sent_at,
            evse=known.id,
        )
    elif order.is_late and known.excess_since is None:
        yield Problem(
            severity=Severity.INFO,
            message=f"EVSE {known.id} accepted {_amount(order)}, but nothing measured shows that it took effect",
            remedy="see whether it sends meter values during the session",
            since=order.answered_at,
            evse=known.id,
        )


def _amount(order: OrderView) -> str:
    return f"{order.current_a:.1f} A" if order.power_kw is None else f"{order.power_kw:.2f} kW"


def _silence(state: SiteState, known: EvseState, now: datetime) -> Iterator[Problem]:
    if known.session is None:
        return
    session = state.sessions.get(known.session)
    spoke_at = known.sample.at if known.sample is not None else None
    begin = session.started_at if session is not None else None
    last_at = max((t for t in (spoke_at, begin) if t is not None), default=None)
    if last_at is None or (now - last_at).total_seconds() <= state.params.evse_stale_s:
        return
    frozen = known.n_same >= evidence.FROZEN_N
    yield Problem(
        severity=Severity.WARNING,
        message=f"EVSE {known.id} {'repeats the same meter values' if frozen else 'sends no meter values'};"
        " what it may draw at most counts",
        remedy="restart the charger when the car has left, and check its meter settings",
        since=last_at,
        evse=known.id,
    )
