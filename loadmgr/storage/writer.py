"""Events → database rows, in one transaction per batch. Runs in the store's writer thread."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import Connection, Table, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from loadmgr import codec
from loadmgr.control.charger_state import GRID_SOURCE
from loadmgr.domain import events as ev
from loadmgr.domain.ids import SessionId, split_evse
from loadmgr.domain.security import SecurityEvent
from loadmgr.domain.session import Session
from loadmgr.ports import FrameRecord, GridRecord
from loadmgr.storage import sample_rows, security_rows, tables
from loadmgr.storage.fold import SessionFold, to_dwh, to_ms

PLANS_KEPT_DAYS = 3
PLANS_PRUNED_EVERY = 100
"""Plans are in the event log as well; their table serves the API and keeps only the last days."""

Row = dict[str, Any]  # a row of whatever table


class BatchWriter:
    """Writes batches of events and what is folded from them. Not thread-safe: one thread owns it."""

    def __init__(self, fold: SessionFold) -> None:
        self._fold = fold

    def snapshot(self) -> tuple[dict[SessionId, Session], dict[SessionId, Session]]:
        """The fold before a batch, for ``restore`` when its transaction fails."""
        return dict(self._fold.known), dict(self._fold.ended)

    def restore(self, saved: tuple[dict[SessionId, Session], dict[SessionId, Session]]) -> None:
        """Forget what a failed batch folded."""
        self._fold.known, self._fold.ended = saved

    def write(self, connection: Connection, run: int, batch: Sequence[tuple[int, ev.Event]]) -> None:
        """Write numbered events and their projections into the open transaction of ``connection``."""
        rows: list[sample_rows.Row] = []
        samples: list[sample_rows.Row] = []
        others: list[ev.Event] = []
        sessions: dict[str, Session] = {}
        for seq, event in batch:
            if isinstance(event, ev.MeterSample):
                rows.append((run, seq, to_ms(event.at), sample_rows.KIND, sample_rows.text_of(event)))
                samples.append(sample_rows.row_of(event))
                if event.session is None:
                    continue  # nothing is folded from it
            else:
                rows.append((run, seq, to_ms(event.at), codec.kind_of(event), codec.encode(event).decode()))
                others.append(event)
            changed = self._fold.take(event)
            if changed is not None:
                sessions[changed.id] = changed
        if rows:
            sample_rows.insert(connection, "events", sample_rows.EVENT_COLUMNS, rows)
        if samples:
            sample_rows.insert(connection, "samples", sample_rows.SAMPLE_COLUMNS, samples)
        if sessions:
            _upsert(connection, tables.sessions, [_session(s) for s in sessions.values()], ("id",))
        for event in others:
            if isinstance(event, SecurityEvent):
                security_rows.write(connection, event)
            else:
                _project(connection, run, event)

    @staticmethod
    def write_frames(connection: Connection, frames: Iterable[FrameRecord]) -> None:
        """Append to the frame log."""
        rows: list[sample_rows.Row] = [(to_ms(f.at), f.station, f.direction, f.text) for f in frames]
        if rows:
            sample_rows.insert(connection, "frames", sample_rows.FRAME_COLUMNS, rows)

    @staticmethod
    def write_grid(connection: Connection, records: Iterable[GridRecord]) -> None:
        """Keep the newest word on each grid request."""
        for record in records:
            until_at = record.request.until_at
            row = {
                "id": record.request.id,
                "actor": record.actor[:80],
                "asked_at_ms": to_ms(record.asked_at),
                "until_at_ms": to_ms(until_at) if until_at is not None else None,
                "ended_at_ms": to_ms(record.ended_at) if record.ended_at is not None else None,
                "body": _text(record),
            }
            _upsert(connection, tables.grid_requests, [row], ("id",))


def _upsert(connection: Connection, table: Table, rows: list[Row], key: tuple[str, ...]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    changed = {c.name: statement.excluded[c.name] for c in table.columns if c.name not in key and c.name in rows[0]}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed), rows)


def _session(session: Session) -> Row:
    return {
        "id": session.id,
        "evse": session.evse,
        "transaction_id": session.transaction,
        "started_at_ms": to_ms(session.started_at),
        "ended_at_ms": to_ms(session.ended_at) if session.ended_at is not None else None,
        "energy_dwh": to_dwh(session.energy_kwh),
        "body": codec.encode(session).decode(),
    }


def _project(connection: Connection, run: int, event: ev.Event) -> None:
    match event:
        case ev.SetpointSent():
            _setpoint(connection, run, event)
        case ev.SetpointAnswered():
            _answer(connection, event.no, event.at, accepted=event.accepted, detail=event.detail)
        case ev.SetpointUnanswered():
            _answer(connection, event.no, None, accepted=None, detail=event.detail)
        case ev.CommandAnswered():
            _command(connection, run, event)
        case ev.FailsafeAnswered() if event.accepted:
            row = {"station": event.station, "failsafe_a": event.failsafe_a, "failsafe_at_ms": to_ms(event.at)}
            _upsert(connection, tables.stations, [row], ("station",))
        case ev.TraitsKnown():
            _upsert(connection, tables.stations, [{"station": event.station, "traits": _text(event)}], ("station",))
        case ev.EvseReserved() | ev.ReservationEnded():
            _reservation(connection, event)
        case ev.ExternalLimitSet() | ev.ExternalLimitCleared() if event.source.startswith(GRID_SOURCE):
            _evse_limit(connection, event)
        case ev.LimitSet() if event.actor != "restart":
            _limit(connection, event)
        case ev.LimitWithdrawn():
            statement = update(tables.limits).where(tables.limits.c.id == event.limit)
            connection.execute(statement.values(withdrawn_at_ms=to_ms(event.at)))
        case ev.PlanMade():
            row = {"no": event.plan.no, "made_at_ms": to_ms(event.plan.made_at), "body": _text(event.plan)}
            _upsert(connection, tables.plans, [row], ("no",))
            if event.plan.no % PLANS_PRUNED_EVERY == 0:
                old = tables.plans.c.made_at_ms < to_ms(event.at - timedelta(days=PLANS_KEPT_DAYS))
                connection.execute(delete(tables.plans).where(old))
        case ev.AlarmRaised():
            row = {"key": event.key, "raised_at_ms": to_ms(event.at), "cleared_at_ms": None, "body": _text(event)}
            same = (tables.alarms.c.key == event.key) & tables.alarms.c.cleared_at_ms.is_(None)
            if connection.execute(select(tables.alarms.c.id).where(same)).first() is None:
                connection.execute(tables.alarms.insert(), [row])
        case ev.AlarmCleared():
            open_alarm = (tables.alarms.c.key == event.key) & tables.alarms.c.cleared_at_ms.is_(None)
            connection.execute(update(tables.alarms).where(open_alarm).values(cleared_at_ms=to_ms(event.at)))
        case _:
            pass


def _reservation(connection: Connection, event: ev.EvseReserved | ev.ReservationEnded) -> None:
    table = tables.reservations
    if isinstance(event, ev.ReservationEnded):
        is_open = (table.c.reservation == event.reservation) & table.c.ended_at_ms.is_(None)
        values = {"ended_at_ms": to_ms(event.at), "end_reason": event.reason[:40]}
        connection.execute(update(table).where(is_open).values(**values))
        return
    row = {
        "reservation": event.reservation,
        "evse": event.evse,
        "id_tag": event.id_tag[:64],
        "from_at_ms": to_ms(event.from_at),
        "until_at_ms": to_ms(event.until_at),
        "body": _text(event),
    }
    _upsert(connection, table, [row], ("reservation",))


def _evse_limit(connection: Connection, event: ev.ExternalLimitSet | ev.ExternalLimitCleared) -> None:
    """A limit of a grid request on one EVSE, or on a whole station: without an EVSE all of the source go."""
    table = tables.evse_limits
    if isinstance(event, ev.ExternalLimitCleared):
        is_meant = (table.c.station == event.station) & (table.c.source == event.source)
        if event.evse is not None:
            is_meant &= table.c.evse == event.evse
        connection.execute(delete(table).where(is_meant))
        return
    row = {
        "station": event.station,
        "evse": event.evse or "",
        "source": event.source,
        "until_at_ms": to_ms(event.until_at) if event.until_at is not None else None,
        "body": _text(event),
    }
    _upsert(connection, table, [row], ("station", "evse", "source"))


def _text(value: Any) -> str:
    return codec.encode(value).decode()


def _setpoint(connection: Connection, run: int, event: ev.SetpointSent) -> None:
    setpoint = event.setpoint
    if setpoint.bound_by == "restart":
        return  # a setpoint of an earlier run that came back: its row exists
    row = {
        "run": run,
        "no": setpoint.no,
        "kind": "setpoint",
        "station": split_evse(setpoint.evse)[0],
        "evse": setpoint.evse,
        "current_a": setpoint.current_a,
        "sent_at_ms": to_ms(event.at),
        "valid_until_ms": to_ms(setpoint.valid_until),
        "answered_at_ms": None,
        "accepted": None,
        "detail": "",
    }
    connection.execute(tables.commands.insert(), [row])


def _answer(connection: Connection, no: int, at: Any, *, accepted: bool | None, detail: str) -> None:
    table = tables.commands
    values = {"accepted": accepted, "detail": detail[:200], "answered_at_ms": to_ms(at) if at is not None else None}
    is_open = (table.c.kind == "setpoint") & (table.c.no == no) & table.c.accepted.is_(None)
    connection.execute(update(table).where(is_open).values(**values))


def _command(connection: Connection, run: int, event: ev.CommandAnswered) -> None:
    row = {
        "run": run,
        "no": event.no,
        "kind": event.command,
        "station": event.station,
        "evse": None,
        "current_a": None,
        "sent_at_ms": to_ms(event.at),
        "valid_until_ms": None,
        "answered_at_ms": to_ms(event.at),
        "accepted": event.accepted,
        "detail": event.detail[:200],
    }
    connection.execute(tables.commands.insert(), [row])


def _limit(connection: Connection, event: ev.LimitSet) -> None:
    limit = event.limit
    row = {
        "id": limit.id,
        "node": limit.node,
        "source": limit.source,
        "actor": event.actor,
        "set_at_ms": to_ms(event.at),
        "until_at_ms": to_ms(limit.until_at) if limit.until_at is not None else None,
        "withdrawn_at_ms": None,
        "body": _text(limit),
    }
    _upsert(connection, tables.limits, [row], ("id",))
