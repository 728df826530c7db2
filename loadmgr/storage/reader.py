"""Queries of the stores; each takes an open connection and returns domain objects."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Table, func, insert, or_, select

from loadmgr import codec
from loadmgr.domain.events import AlarmRaised, EvseReserved, TraitsKnown
from loadmgr.domain.ids import EvseId, LimitId, MeterId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan
from loadmgr.domain.session import Session
from loadmgr.ports import CommandRecord, FrameRecord, GridRecord, KnownStation, Remembered, SampleRow, StoredEvent
from loadmgr.storage import security_rows, tables
from loadmgr.storage.fold import KEPT_DAYS, from_ms, to_ms

log = logging.getLogger(__name__)

STAYS_READ = 1000
PEAKS_READ, PEAKS_KEPT = 500, 20
PROMISES_READ = 2000


def open_run(connection: Connection, settings_digest: str, at: datetime) -> int:
    """Insert the next run and return its number."""
    last = connection.execute(select(func.max(tables.runs.c.run))).scalar_one_or_none() or 0
    row = {"run": last + 1, "started_at_ms": to_ms(at), "settings_digest": settings_digest}
    connection.execute(insert(tables.runs).values(**row))
    return last + 1


def remembered(connection: Connection, at: datetime) -> Remembered:
    """What earlier runs left that still matters at ``at``."""
    kept = to_ms(at - timedelta(days=KEPT_DAYS))
    table = tables.sessions
    recent = select(table.c.body).where(or_(table.c.ended_at_ms.is_(None), table.c.ended_at_ms >= kept))
    found = connection.execute(recent.order_by(table.c.started_at_ms)).scalars()
    orders = tables.commands
    open_orders = select(orders).where(
        (orders.c.kind == "setpoint")
        & (orders.c.valid_until_ms >= to_ms(at - timedelta(minutes=5)))
        & or_(orders.c.accepted.is_(None), orders.c.accepted)
    )
    return Remembered(
        sessions=tuple(codec.decode(body) for body in found),
        limits=tuple(
            limit
            for _, limit, withdrawn in limits(connection, False)
            if withdrawn is None and (limit.until_at is None or limit.until_at > at)
        ),
        stations=_stations(connection),
        open_setpoints=tuple(_command(row) for row in connection.execute(open_orders.order_by(orders.c.id))),
        alarms=tuple(alarm for alarm, _ in alarms(connection, True, 1000)),
        stays=_stays(connection),
        peaks=tuple({(p.charge, p.period): p for p in _newest(connection, "PeakIncurred", PEAKS_READ)}.values())[
            -PEAKS_KEPT:
        ],
        reservations=_reservations(connection, at),
        evse_limits=_lasting(connection, tables.evse_limits, at),
        grid_requests=_grid_requests(connection, at),
        credentials=security_rows.credentials(connection),
        certificates=security_rows.certificates(connection),
        alerts=security_rows.alerts(connection),
        promises=tuple({p.session: p for p in _newest(connection, "PromiseMade", PROMISES_READ)}.values()),
        last_command_no=connection.execute(
            select(func.max(orders.c.no)).where(orders.c.kind == "setpoint")
        ).scalar_one_or_none()
        or 0,
        last_plan_no=connection.execute(select(func.max(tables.plans.c.no))).scalar_one_or_none() or 0,
    )


def _stations(connection: Connection) -> tuple[KnownStation, ...]:
    """The fail-safe that each station last accepted, and what was learned of it."""
    return tuple(
        KnownStation(
            station=StationId(row.station),
            failsafe_a=row.failsafe_a,
            failsafe_at=from_ms(row.failsafe_at_ms) if row.failsafe_at_ms is not None else None,
            traits=_traits(row.station, row.traits) if row.traits is not None else None,
        )
        for row in connection.execute(select(tables.stations).order_by(tables.stations.c.station))
    )


def _traits(station: str, body: str) -> TraitsKnown | None:
    """What was learned of a station; what another version wrote and this one cannot read is learned anew."""
    try:
        found: TraitsKnown = codec.decode(body)
    except codec.CodecError as error:
        log.warning("traits cannot be read", extra={"station": station, "reason": str(error)})
        return None
    return found


def _stays(connection: Connection) -> tuple[Session, ...]:
    """The newest sessions that ended, oldest first."""
    table = tables.sessions
    query = (
        select(table.c.body).where(table.c.ended_at_ms.is_not(None)).order_by(table.c.ended_at_ms.desc()).limit(STAYS_READ)
    )
    return tuple(codec.decode(body) for body in connection.execute(query).scalars())[::-1]


def _reservations(connection: Connection, at: datetime) -> tuple[EvseReserved, ...]:
    """Reservations that were neither used nor given up and are not over."""
    table = tables.reservations
    query = select(table.c.body).where(table.c.ended_at_ms.is_(None) & (table.c.until_at_ms > to_ms(at)))
    return tuple(codec.decode(body) for body in connection.execute(query.order_by(table.c.reservation)).scalars())


def _lasting(connection: Connection, table: Table, at: datetime) -> tuple[Any, ...]:
    """What the bodies of a table say, as far as its time is not over."""
    query = select(table.c.body).where(table.c.until_at_ms.is_(None) | (table.c.until_at_ms > to_ms(at)))
    return tuple(codec.decode(body) for body in connection.execute(query.order_by(*table.primary_key.columns)).scalars())


def _grid_requests(connection: Connection, at: datetime) -> tuple[GridRecord, ...]:
    """Requests that were not withdrawn and are not over, oldest first."""
    found: tuple[GridRecord, ...] = _lasting(connection, tables.grid_requests, at)
    return tuple(sorted((r for r in found if r.ended_at is None), key=lambda r: r.asked_at))


def _newest(connection: Connection, kind: str, limit: int) -> list[Any]:
    """The newest events of a kind, of all runs, oldest first."""
    table = tables.events
    query = select(table.c.body).where(table.c.kind == kind).order_by(table.c.at_ms.desc(), table.c.seq.desc()).limit(limit)
    return [codec.decode(body) for body in connection.execute(query).scalars()][::-1]


def _command(row: object) -> CommandRecord:
    values = row._mapping  # type: ignore[attr-defined]  # SQLAlchemy's public accessor of a Row
    return CommandRecord(
        no=values["no"],
        kind=values["kind"],
        station=StationId(values["station"]),
        evse=EvseId(values["evse"]) if values["evse"] is not None else None,
        sent_at=from_ms(values["sent_at_ms"]),
        current_a=values["current_a"],
        valid_until=from_ms(values["valid_until_ms"]) if values["valid_until_ms"] is not None else None,
        answered_at=from_ms(values["answered_at_ms"]) if values["answered_at_ms"] is not None else None,
        accepted=values["accepted"],
        detail=values["detail"],
    )


def sessions(connection: Connection, open_only: bool, limit: int, before: datetime | None) -> tuple[Session, ...]:
    """Sessions, newest first."""
    table = tables.sessions
    query = select(table.c.body).order_by(table.c.started_at_ms.desc(), table.c.id).limit(limit)
    if open_only:
        query = query.where(table.c.ended_at_ms.is_(None))
    if before is not None:
        query = query.where(table.c.started_at_ms < to_ms(before))
    return tuple(codec.decode(body) for body in connection.execute(query).scalars())


def samples(
    connection: Connection, meter: MeterId, from_at: datetime, until_at: datetime, limit: int
) -> tuple[SampleRow, ...]:
    """Samples of one meter in time order."""
    table = tables.samples
    query = (
        select(table)
        .where((table.c.meter == meter) & (table.c.at_ms >= to_ms(from_at)) & (table.c.at_ms < to_ms(until_at)))
        .order_by(table.c.at_ms, table.c.id)
        .limit(limit)
    )
    found = []
    for row in connection.execute(query):
        has_current = row.current_l1_a is not None
        found.append(
            SampleRow(
                meter=meter,
                at=from_ms(row.at_ms),
                power_kw=row.power_kw,
                current_a=(row.current_l1_a, row.current_l2_a, row.current_l3_a) if has_current else None,
                energy_kwh=row.energy_dwh / 10_000 if row.energy_dwh is not None else None,
                session=SessionId(row.session) if row.session is not None else None,
            )
        )
    return tuple(found)


def commands(connection: Connection, limit: int, station: StationId | None) -> tuple[CommandRecord, ...]:
    """Commands with answers, newest first."""
    table = tables.commands
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if station is not None:
        query = query.where(table.c.station == station)
    return tuple(_command(row) for row in connection.execute(query))


def plans(connection: Connection, limit: int) -> tuple[Plan, ...]:
    """Plans, newest first."""
    query = select(tables.plans.c.body).order_by(tables.plans.c.no.desc()).limit(limit)
    return tuple(codec.decode(body) for body in connection.execute(query).scalars())


def events(connection: Connection, asked: tuple[int, int, tuple[str, ...], int | None]) -> tuple[StoredEvent, ...]:
    """Events of a run, newest first; ``asked`` = (run, limit, kinds, before_seq)."""
    run, limit, kinds, before_seq = asked
    table = tables.events
    query = select(table).where(table.c.run == run).order_by(table.c.seq.desc()).limit(limit)
    if kinds:
        query = query.where(table.c.kind.in_(kinds))
    if before_seq is not None:
        query = query.where(table.c.seq < before_seq)
    return tuple(StoredEvent(run=run, seq=row.seq, event=codec.decode(row.body)) for row in connection.execute(query))


def runs(connection: Connection) -> tuple[int, ...]:
    """Numbers of the runs, oldest first."""
    return tuple(connection.execute(select(tables.runs.c.run).order_by(tables.runs.c.run)).scalars())


def page(connection: Connection, run: int, after: int, limit: int) -> tuple[StoredEvent, ...]:
    """The next events of a run after a place, in order."""
    table = tables.events
    query = select(table).where((table.c.run == run) & (table.c.seq > after)).order_by(table.c.seq).limit(limit)
    return tuple(StoredEvent(run=run, seq=row.seq, event=codec.decode(row.body)) for row in connection.execute(query))


def frames(connection: Connection, station: StationId | None, limit: int) -> tuple[FrameRecord, ...]:
    """Frames, newest first."""
    table = tables.frames
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if station is not None:
        query = query.where(table.c.station == station)
    return tuple(
        FrameRecord(at=from_ms(row.at_ms), station=StationId(row.station), direction=row.direction, text=row.text)
        for row in connection.execute(query)
    )


def limits(connection: Connection, include_ended: bool) -> tuple[tuple[LimitId, Limit, datetime | None], ...]:
    """Temporary limits with the time of withdrawal, oldest first."""
    table = tables.limits
    query = select(table).order_by(table.c.set_at_ms, table.c.id)
    if not include_ended:
        query = query.where(table.c.withdrawn_at_ms.is_(None))
    return tuple(
        (
            LimitId(row.id),
            codec.decode(row.body),
            from_ms(row.withdrawn_at_ms) if row.withdrawn_at_ms is not None else None,
        )
        for row in connection.execute(query)
    )


def alarms(connection: Connection, open_only: bool, limit: int) -> tuple[tuple[AlarmRaised, datetime | None], ...]:
    """Alarms with the time they were cleared, newest first."""
    table = tables.alarms
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if open_only:
        query = query.where(table.c.cleared_at_ms.is_(None))
    return tuple(
        (codec.decode(row.body), from_ms(row.cleared_at_ms) if row.cleared_at_ms is not None else None)
        for row in connection.execute(query)
    )
