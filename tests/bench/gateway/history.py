"""Meter values into the database and back: the store of loadmgr as it is, beside the same rows by SQLite alone."""

from __future__ import annotations

import asyncio
import contextlib
import sqlite3
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from loadmgr.domain.events import MeterSample
from loadmgr.domain.ids import MeterId
from loadmgr.domain.samples import Measured
from loadmgr.storage.store import BATCH_ROWS, SqlStore
from tests.bench.gateway.harness import medians, row, window_s

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
METERS, STEPS = 200, 2_880
"""A month of quarter hours."""
STEP = timedelta(minutes=15)
EVENTS_PER_S = 20_000
"""How many events the measurement takes for each second of the window."""
INSERT = (
    "insert into samples (meter, at_ms, power_kw, current_l1_a, current_l2_a, current_l3_a, energy_dwh, session) "
    "values (?, ?, ?, ?, ?, ?, ?, ?)"
)
ROUNDS = 3


def _events(count: int, begin: datetime) -> list[MeterSample]:
    found = []
    for number in range(count):
        at = begin + timedelta(milliseconds=number)
        measured = Measured(current_a=(15.8, 15.7, 15.9), power_kw=10.87, energy_kwh=1234.5 + 1e-4 * number)
        found.append(MeterSample(at=at, meter=MeterId(f"B-{number % METERS}/1"), measured_at=at, measured=measured))
    return found


def _rows(count: int) -> Iterator[tuple[Any, ...]]:
    for number in range(count):
        at_ms = round((BEGIN + STEP * (number // METERS)).timestamp() * 1000)
        energy_dwh = 12_345_000 + number
        yield (f"B-{number % METERS}/1", at_ms, 10.87, 15.8, 15.7, 15.9, energy_dwh, None)


def ingest(folder: Path) -> list[dict[str, Any]]:
    """Meter samples per second: through the store (each is a row of the event log and one of ``samples``), and alone."""
    count = max(5_000, round(EVENTS_PER_S * min(window_s(1.5), 5.0)))
    stored, alone = asyncio.run(_ingest(folder, count))
    return [
        row(
            f"ingest into SQLite, batches of {BATCH_ROWS:,}, rows (log and samples)",
            2 * stored,
            "rows/s",
            1e5,
            2e5,
            better="higher",
        ),
        row("ingest into SQLite, meter messages", stored, "msg/s", better="higher"),
        row("ingest into SQLite, executemany of the sample rows alone", alone, "rows/s", better="higher"),
    ]


async def _ingest(folder: Path, count: int) -> tuple[float, float]:
    store = SqlStore(f"sqlite:///{folder / 'ingest.db'}")
    await store.start_run("bench", BEGIN)
    stored, alone = [], []
    for number in range(ROUNDS):
        events = _events(count, BEGIN + timedelta(hours=number))
        begun = time.perf_counter()
        for at in range(0, count, BATCH_ROWS):
            store.append(events[at : at + BATCH_ROWS])
        await store.flush()
        stored.append(count / (time.perf_counter() - begun))
        alone.append(_alone(folder / f"alone{number}.db", count))
    await store.close()
    return medians(stored), medians(alone)


def _alone(place: Path, count: int) -> float:
    database = _samples_table(place)
    rows = list(_rows(count))
    begun = time.perf_counter()
    for at in range(0, count, BATCH_ROWS):
        with database:
            database.executemany(INSERT, rows[at : at + BATCH_ROWS])
    taken_s = time.perf_counter() - begun
    database.close()
    return count / taken_s


def _samples_table(place: Path) -> sqlite3.Connection:
    database = sqlite3.connect(place)
    database.execute("pragma journal_mode=wal")
    database.execute("pragma synchronous=full")
    database.execute(
        "create table samples (id integer primary key, meter varchar(64) not null, at_ms bigint not null, power_kw float, "
        "current_l1_a float, current_l2_a float, current_l3_a float, energy_dwh bigint, session varchar(160))"
    )
    database.execute("create index samples_by_meter on samples (meter, at_ms)")
    return database


def month(folder: Path) -> list[dict[str, Any]]:
    """A month of 200 connectors at 15 min into one frame: from files of closed days, from SQL, by pandas on the table."""
    place = folder / "month.db"
    asyncio.run(_filled(place))
    from_sql, from_sql_s = _timed(lambda: asyncio.run(_by_store(place)))
    _, archive_s = _timed(lambda: asyncio.run(_archived(place)))
    from_files_s = []
    for _ in range(ROUNDS):
        from_files, taken_s = _timed(lambda: asyncio.run(_by_store(place)))
        from_files_s.append(taken_s)
    query = "select meter, at_ms, power_kw, energy_dwh from samples order by meter, at_ms"
    with contextlib.closing(sqlite3.connect(place)) as database:
        table, by_table_s = _timed(lambda: pd.read_sql(query, database))
    pd.testing.assert_frame_equal(from_sql, from_files)
    if len(from_files) != METERS * STEPS or len(table) != len(from_files):
        raise RuntimeError(f"{len(from_files)} and {len(table)} rows came back instead of {METERS * STEPS}")
    name = f"month of {METERS} connectors at 15 min ({METERS * STEPS:,} rows)"
    return [
        row(f"{name} into pandas, closed days", medians(from_files_s), "s", 0.5, 0.2),
        row(f"{name} into pandas, samples_frame before days are archived", from_sql_s, "s"),
        row(f"{name} into pandas, read_sql of four columns", by_table_s, "s"),
        row(f"{name} to Parquet files", archive_s, "s"),
    ]


def _timed(work: Callable[[], pd.DataFrame | None]) -> tuple[Any, float]:
    begun = time.perf_counter()
    found = work()
    return found, time.perf_counter() - begun


async def _filled(place: Path) -> None:
    store = SqlStore(f"sqlite:///{place}")
    await store.start_run("bench", BEGIN)
    await store.close()
    database = sqlite3.connect(place)
    with database:
        database.executemany(INSERT, _rows(METERS * STEPS))
    database.close()


async def _archived(place: Path) -> None:
    store = SqlStore(f"sqlite:///{place}")
    await store.open_for_reading()
    made = await store.archive_days((BEGIN + STEP * STEPS).date())
    if len(made) * 96 != STEPS:
        raise RuntimeError(f"{len(made)} days were archived")
    await store.close()


async def _by_store(place: Path) -> pd.DataFrame:
    """As an analyst meets it: the database is opened, too."""
    store = SqlStore(f"sqlite:///{place}")
    await store.open_for_reading()
    frame = await store.samples_frame(BEGIN, BEGIN + STEP * STEPS)
    await store.close()
    return frame
