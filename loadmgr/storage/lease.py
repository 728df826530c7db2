"""One controller per database: a lease that a crash does not leave behind [F14]."""

from __future__ import annotations

import os
import socket
from pathlib import Path

from sqlalchemy import Connection, delete, insert, select, update

from loadmgr.errors import StorageError
from loadmgr.storage import tables

EXPIRY_MS = 15_000
"""A lease of another machine that was not renewed for this long is dead."""


def this_process() -> tuple[str, str]:
    """(host with its boot, process with its start): together they never name two processes."""
    boot = _read("/proc/sys/kernel/random/boot_id") or "boot"
    return f"{socket.gethostname()}/{boot}", f"{os.getpid()}/{_started(os.getpid())}"


def _read(path: str) -> str:
    place = Path(path)
    return place.read_text(encoding="utf-8").strip() if place.is_file() else ""


def _started(pid: int) -> str:
    """Start time of a process in clock ticks; empty when it does not run (or the system does not say)."""
    stat = _read(f"/proc/{pid}/stat")
    fields = stat.rpartition(")")[2].split()
    is_dead = len(fields) < 20 or fields[0] in {"Z", "X"}
    return "" if is_dead else fields[19]


def _is_alive(process: str) -> bool:
    pid, _, started = process.partition("/")
    return bool(started) and _started(int(pid)) == started


def take(connection: Connection, now_ms: int, shown_url: str) -> None:
    """Take the lease inside the caller's transaction. Raises ``StorageError`` when a living controller holds it."""
    host, process = this_process()
    table = tables.lease
    row = connection.execute(select(table).where(table.c.id == 1)).one_or_none()
    if row is not None:
        same_host = row.host == host
        if (same_host and _is_alive(row.process)) or (not same_host and now_ms - row.beat_at_ms < EXPIRY_MS):
            raise StorageError(
                f"{shown_url}: another loadmgr (process {row.process.partition('/')[0]} on "
                f"{row.host.partition('/')[0]}) controls this site; stop it first, or use another database"
            )
        connection.execute(delete(table))
    connection.execute(insert(table).values(id=1, host=host, process=process, beat_at_ms=now_ms))


def beat(connection: Connection, now_ms: int) -> None:
    """Renew the lease."""
    connection.execute(update(tables.lease).where(tables.lease.c.id == 1).values(beat_at_ms=now_ms))


def release(connection: Connection) -> None:
    """Give the lease back."""
    host, process = this_process()
    table = tables.lease
    connection.execute(delete(table).where((table.c.host == host) & (table.c.process == process)))
