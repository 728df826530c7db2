"""What an operator must know: alarms raised and cleared from the state, each with a remedy."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from loadmgr.control import fallback, guard, ladder, phase_map, reservations, security_state
from loadmgr.control import rows as row_tools
from loadmgr.control import state as state_tools
from loadmgr.control.rows import Age, Load, Uncontrolled
from loadmgr.control.state import FailsafeState, SiteState, total_of
from loadmgr.domain import events as ev
from loadmgr.domain.events import Severity
from loadmgr.domain.ids import NodeId

OFFLINE_S = 60.0
UNCONFIRMED_S = 60.0
Base = Mapping[NodeId, Uncontrolled]

COMPETES_S = 60.0
"""A charger that offers something else than our order for this long has another master [G-125]."""


def review(state: SiteState, now: datetime) -> tuple[ev.Event, ...]:
    """Alarms to raise and to clear at ``now``; an alarm is raised once and cleared when its cause is gone."""
    wanted = {alarm.key: alarm for alarm in _causes(state, now)}
    raised = [a for key, a in wanted.items() if key not in state.alarms]
    cleared = [ev.AlarmCleared(at=now, key=key) for key in state.alarms if key not in wanted]
    return (*raised, *cleared)


def _causes(state: SiteState, now: datetime) -> Iterator[ev.AlarmRaised]:
    yield from _stations(state, now)
    yield from _evses(state, now)
    base = row_tools.uncontrolled(state, now)
    yield from _meters(state, base, now)
    yield from _overloads(state, base, now)
    yield from phase_map.causes(state, now)
    yield from reservations.causes(state, now)
    yield from security_state.causes(state.security, now)
    if state.sessions and state.plan is not None and not fallback.is_plan_fresh(state, now):
        yield _alarm(now, "plan-stale", Severity.WARNING, "no fresh plan: rules share the capacity", "see the log")


def _alarm(now: datetime, key: str, severity: Severity, message: str, remedy: str) -> ev.AlarmRaised:
    return ev.AlarmRaised(at=now, key=key, severity=severity, message=message, remedy=remedy)


def _stations(state: SiteState, now: datetime) -> Iterator[ev.AlarmRaised]:
    for station in state.stations.values():
        age_s = (now - station.changed_at).total_seconds() if station.changed_at is not None else 0.0
        if not station.is_connected and station.changed_at is not None and age_s >= OFFLINE_S:
            yield _alarm(
                now,
                f"offline:{station.id}",
                Severity.WARNING,
                f"station {station.id} has no link; it counts at its worst case",
                "check its power and network; it charges at its fail-safe current meanwhile",
            )
        if station.failsafe is FailsafeState.REFUSED:
            yield _alarm(
                now,
                f"failsafe:{station.id}",
                Severity.CRITICAL,
                f"station {station.id} refused the fail-safe profile; it counts at its hardware maximum",
                "set its current limit in the charger and write installer_failsafe = true in the site file",
            )
        elif station.failsafe is FailsafeState.UNKNOWN and station.is_connected and age_s >= UNCONFIRMED_S:
            yield _alarm(
                now,
                f"failsafe:{station.id}",
                Severity.WARNING,
                f"station {station.id} has not confirmed the fail-safe profile; it counts at its hardware maximum",
                "check that smart charging is enabled in the charger",
            )


def _evses(state: SiteState, now: datetime) -> Iterator[ev.AlarmRaised]:
    for known in state.evses.values():
        if known.is_disobedient:
            yield _alarm(
                now,
                f"disobeys:{known.id}",
                Severity.CRITICAL,
                f"EVSE {known.id} draws {max(known.draw_a()):.1f} A, more than its setpoint allows",
                "it counts at its hardware maximum; check the charger, or stop the session",
            )
        differs = known.offer_differs_since
        if differs is not None and (now - differs).total_seconds() >= COMPETES_S and known.last_order is not None:
            offered_a = known.sample.measured.offered_a if known.sample is not None else None
            yield _alarm(
                now,
                f"competes:{known.id}",
                Severity.WARNING,
                f"EVSE {known.id} offers {offered_a or 0.0:.1f} A, our order is {known.last_order.setpoint.current_a:.1f} A",
                "another controller or a limit in the charger may act as well; let one of them decide",
            )
        if known.n_refused and ladder.is_lap_over(state_tools.forms_of(state, known.id), known.n_refused):
            yield _alarm(
                now,
                f"refuses:{known.id}",
                Severity.WARNING,
                f"EVSE {known.id} refused {known.n_refused} setpoints in a row, in every form there is",
                "see its frames in the log for the reason; smart charging may be disabled",
            )


def _meters(state: SiteState, base: Base, now: datetime) -> Iterator[ev.AlarmRaised]:
    for node in state.site.nodes.values():
        if node.meter is None or base[node.id].age < Age.STALE:
            continue
        what = "has never spoken" if node.id not in state.base else "is silent"
        yield _alarm(
            now,
            f"meter:{node.meter}",
            Severity.CRITICAL,
            f"meter {node.meter} at {node.id} {what}: the worst case of the uncontrolled load counts",
            "check the meter and its link",
        )


def measured_loads(state: SiteState, now: datetime) -> dict[NodeId, Load]:
    """Whole load below each node whose meter is fresh."""
    found: dict[NodeId, Load] = {}
    for node in state.site.nodes.values():
        sample = state.meters.get(node.meter) if node.meter is not None else None
        if sample is not None and (now - sample.at).total_seconds() <= state.params.meter_hold_s:
            found[node.id] = total_of(state, sample)
    return found


def _overloads(state: SiteState, base: Base, now: datetime) -> Iterator[ev.AlarmRaised]:
    limits = tuple(state.limits.values())
    for violation in guard.violations(state.site, limits, measured_loads(state, now), now):
        unit = "A" if violation.phase else "kW"
        where = f"{violation.node}/{violation.phase}" if violation.phase else str(violation.node)
        yield _alarm(
            now,
            f"over:{where}",
            Severity.CRITICAL,
            f"{where} carries {violation.value:.1f} {unit}, limit {violation.limit:.1f} {unit} ({violation.source})",
            "chargers are being reduced; if it stays, switch off other loads",
        )
    for row in row_tools.static_rows(state.site):
        load = row_tools.on_row(base[row.node].load, row.phase)
        if load > row.limit:
            unit = "A" if row.phase >= 0 else "kW"
            yield _alarm(
                now,
                f"base-over:{row.name}",
                Severity.CRITICAL,
                f"{row.name}: the uncontrolled load alone is {load:.1f} {unit}, limit {row.limit:.1f} {unit}",
                "no charging can help; switch off other loads",
            )


def overload_names(state: SiteState, now: datetime) -> tuple[str, ...]:
    """Rows that the fresh meters show above their limit."""
    found = guard.violations(state.site, tuple(state.limits.values()), measured_loads(state, now), now)
    return tuple(f"{v.node}/{v.phase or 'kW'}" for v in found)
