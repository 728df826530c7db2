"""Rows of credentials, certificates and security events: written by the batch, read for the API and after a restart."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, delete, select, update
from sqlalchemy.dialects import postgresql, sqlite

from loadmgr import codec
from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import (
    CertificateGone,
    CertificateKnown,
    CredentialsChanged,
    SecurityAcknowledged,
    SecurityEvent,
    SecurityEventReported,
)
from loadmgr.ports import SecurityRecord
from loadmgr.storage import tables
from loadmgr.storage.fold import from_ms, to_ms

ALERTS_READ = 1000

Row = dict[str, Any]  # a row of whatever table


def write(connection: Connection, event: SecurityEvent) -> None:
    """Project one event; what a restart brought back is there already."""
    match event:
        case SecurityEventReported() if not event.is_kept:
            _reported(connection, event)
        case SecurityAcknowledged():
            table = tables.security_events
            is_open = (table.c.station == event.station) & table.c.is_critical & table.c.acknowledged_at_ms.is_(None)
            values = {"acknowledged_at_ms": to_ms(event.at), "acknowledged_by": event.actor[:80]}
            connection.execute(update(table).where(is_open).values(**values))
        case CredentialsChanged() if event.actor != "restart":
            _credentials(connection, event)
        case CertificateKnown():
            row = {
                "station": event.station,
                "serial": event.serial[:64],
                "known_at_ms": to_ms(event.at),
                "not_after_ms": to_ms(event.not_after),
                "body": codec.encode(event).decode(),
            }
            _upsert(connection, tables.certificates, row, ("station", "serial"))
        case CertificateGone():
            table = tables.certificates
            is_meant = (table.c.station == event.station) & (table.c.serial == event.serial)
            connection.execute(delete(table).where(is_meant))
        case _:
            pass


def _upsert(connection: Connection, table: Any, row: Row, key: tuple[str, ...]) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    statement = dialect.insert(table)
    changed = {name: statement.excluded[name] for name in row if name not in key}
    connection.execute(statement.on_conflict_do_update(index_elements=list(key), set_=changed), [row])


def _reported(connection: Connection, event: SecurityEventReported) -> None:
    row = {
        "at_ms": to_ms(event.at),
        "station": event.station[:64],
        "kind": event.kind[:50],
        "is_critical": event.is_critical,
        "acknowledged_at_ms": None,
        "acknowledged_by": None,
        "body": codec.encode(event).decode(),
    }
    connection.execute(tables.security_events.insert(), [row])


def _credentials(connection: Connection, event: CredentialsChanged) -> None:
    known = event.credentials
    row = {
        "station": known.station,
        "changed_at_ms": to_ms(event.at),
        "actor": event.actor[:80],
        "password_hash": known.password_hash,
        "offered_hash": known.offered_hash,
        "profile": int(known.profile) if known.profile is not None else None,
        "offered_profile": int(known.offered_profile) if known.offered_profile is not None else None,
    }
    _upsert(connection, tables.credentials, row, ("station",))


def credentials(connection: Connection) -> tuple[Credentials, ...]:
    """What stands above the site file, by station."""
    table = tables.credentials
    return tuple(
        Credentials(
            station=StationId(row.station),
            password_hash=row.password_hash,
            offered_hash=row.offered_hash,
            profile=SecurityProfile(row.profile) if row.profile is not None else None,
            offered_profile=SecurityProfile(row.offered_profile) if row.offered_profile is not None else None,
        )
        for row in connection.execute(select(table).order_by(table.c.station))
    )


def certificates(connection: Connection) -> tuple[CertificateKnown, ...]:
    """Certificates of stations, the oldest word first."""
    table = tables.certificates
    found = connection.execute(select(table.c.body).order_by(table.c.known_at_ms, table.c.serial)).scalars()
    return tuple(codec.decode(body) for body in found)


def alerts(connection: Connection) -> tuple[SecurityEventReported, ...]:
    """Critical events that nobody has acknowledged: the newest of each kind and station."""
    table = tables.security_events
    is_open = table.c.is_critical & table.c.acknowledged_at_ms.is_(None)
    query = select(table.c.body).where(is_open).order_by(table.c.id.desc()).limit(ALERTS_READ)
    found: list[SecurityEventReported] = [codec.decode(body) for body in connection.execute(query).scalars()]
    newest = {(e.station, e.kind): e for e in reversed(found)}
    return tuple(newest.values())


def events(connection: Connection, asked: tuple[int, StationId | None, bool, int | None]) -> tuple[SecurityRecord, ...]:
    """Security events, newest first; ``asked`` = (limit, station, critical only, before id)."""
    limit, station, critical_only, before_id = asked
    table = tables.security_events
    query = select(table).order_by(table.c.id.desc()).limit(limit)
    if station is not None:
        query = query.where(table.c.station == station)
    if critical_only:
        query = query.where(table.c.is_critical)
    if before_id is not None:
        query = query.where(table.c.id < before_id)
    return tuple(
        SecurityRecord(
            id=row.id,
            event=codec.decode(row.body),
            acknowledged_at=from_ms(row.acknowledged_at_ms) if row.acknowledged_at_ms is not None else None,
            actor=row.acknowledged_by or "",
        )
        for row in connection.execute(query)
    )
