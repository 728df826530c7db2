"""All store ports over one database URL: one writer thread, batched; readers on their own connections."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Engine, make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from loadmgr.domain.events import AlarmRaised, Event
from loadmgr.domain.ids import LimitId, MeterId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan
from loadmgr.domain.session import Session
from loadmgr.errors import StorageError
from loadmgr.ports import CommandRecord, FrameRecord, GridRecord, Remembered, SampleRow, SecurityRecord, StoredEvent
from loadmgr.storage import archive, database, lease, migrate, reader, security_rows
from loadmgr.storage.fold import SessionFold
from loadmgr.storage.writer import BatchWriter

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

BATCH_ROWS = 1000
FLUSH_S = 0.25
BEAT_S = 5.0
FLUSH_DEADLINE_S = 10.0
FRAMES_KEPT = 20_000
RETRY_S = (0.1, 0.2, 0.5, 1.0, 2.0)


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


@dataclass(slots=True)
class _Queue:
    """What waits for the writer thread. ``appended`` and ``written`` count events ever, ``grid_…`` records of requests."""

    lock: threading.Condition = field(default_factory=threading.Condition)
    events: deque[tuple[int, Event]] = field(default_factory=deque)
    frames: deque[FrameRecord] = field(default_factory=deque)
    grid: deque[GridRecord] = field(default_factory=deque)
    appended: int = 0
    written: int = 0
    grid_appended: int = 0
    grid_written: int = 0
    frames_dropped: int = 0
    waiters: list[tuple[int, int, Future[None]]] = field(default_factory=list)
    """(events, records) that must be written, and who waits for it."""
    is_closing: bool = False

    def is_written(self, appended: int, grid_appended: int) -> bool:
        """Are so many events and records on disk?"""
        return self.written >= appended and self.grid_written >= grid_appended


@dataclass(frozen=True, slots=True)
class _Batch:
    """What one transaction writes."""

    events: list[tuple[int, Event]]
    frames: list[FrameRecord]
    grid: list[GridRecord]


class SqlStore:
    """``ports.Store`` on SQLite (``sqlite:///path``) or PostgreSQL (``postgresql+psycopg://…``).

    Raises ``StorageError`` from ``start_run`` for a file that is no database, a newer schema, or a living second
    controller. Afterwards a failing database never blocks the caller: events wait in memory, in order, and
    ``is_degraded`` says so; only frames are dropped, with a count [F05, F06].

    ``folder`` is where closed days of samples go as Parquet files; by default beside a SQLite database, and nowhere
    with PostgreSQL.
    """

    def __init__(self, url: str, *, folder: Path | None = None) -> None:
        self._url = make_url(url)
        self._folder = folder or archive.beside(self._url)
        self._daily: archive.DailyArchive | None = None
        self._shown = self._url.render_as_string(hide_password=True)
        self._engine: Engine | None = None
        self._queue = _Queue()
        self._thread: threading.Thread | None = None
        self._run = 0
        self._error = ""

    @property
    def is_degraded(self) -> bool:
        """True while the database does not take what is queued."""
        return bool(self._error)

    @property
    def last_error(self) -> str:
        """Why; empty when all is well."""
        return self._error

    @property
    def frames_dropped(self) -> int:
        """Frames lost because the database did not keep up."""
        return self._queue.frames_dropped

    # -- writing ---------------------------------------------------------------------------------------------------

    async def start_run(self, settings_digest: str, at: datetime) -> Remembered:
        """Migrate, take the lease, open a run; see the class for what it raises."""
        remembered = await asyncio.to_thread(self._start, settings_digest, at)
        fold = SessionFold(
            known={s.id: s for s in remembered.sessions if s.ended_at is None},
            ended={s.id: s for s in remembered.sessions if s.ended_at is not None},
        )
        if self._folder is not None:
            self._daily = archive.DailyArchive(self._archive())
        self._thread = threading.Thread(target=self._write_loop, args=(BatchWriter(fold),), name="store", daemon=True)
        self._thread.start()
        return remembered

    def _start(self, settings_digest: str, at: datetime) -> Remembered:
        try:
            self._engine = database.connect(self._url)
            with self._engine.begin() as connection:
                migrate.upgrade(connection, self._shown)
            with self._engine.begin() as connection:
                lease.take(connection, _wall_ms(), self._shown)
                self._run = reader.open_run(connection, settings_digest, at)
                return reader.remembered(connection, at)
        except SQLAlchemyError as error:
            reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
            raise StorageError(
                f"{self._shown}: the database cannot be used: {reason}; "
                "restore a backup, or name another database under [storage] url; nothing was changed"
            ) from error

    async def open_for_reading(self) -> None:
        """Open an existing database without a run and without the lease, for replay and reports."""

        def work() -> None:
            try:
                self._engine = database.connect(self._url)
                with self._engine.begin() as connection:
                    migrate.upgrade(connection, self._shown)
            except SQLAlchemyError as error:
                raise StorageError(f"{self._shown}: the database cannot be read: {error}") from error

        await asyncio.to_thread(work)

    def append(self, events: Sequence[Event]) -> None:
        """Queue events; never blocks on the database."""
        queue = self._queue
        with queue.lock:
            for item in events:
                queue.appended += 1
                queue.events.append((queue.appended, item))
            if len(queue.events) >= BATCH_ROWS:
                queue.lock.notify()

    def keep_grid(self, records: Sequence[GridRecord]) -> None:
        """Queue records of grid requests; the newest of an id counts."""
        queue = self._queue
        with queue.lock:
            queue.grid.extend(records)
            queue.grid_appended += len(records)

    def append_frames(self, frames: Sequence[FrameRecord]) -> None:
        """Queue frames; the oldest are dropped when the database does not keep up."""
        queue = self._queue
        with queue.lock:
            queue.frames.extend(frames)
            while len(queue.frames) > FRAMES_KEPT:
                queue.frames.popleft()
                queue.frames_dropped += 1

    async def flush(self) -> None:
        """Wait until everything appended is committed. Raises ``StorageError`` after ten seconds; data stays queued."""
        queue = self._queue
        done: Future[None] = Future()
        with queue.lock:
            if queue.is_written(queue.appended, queue.grid_appended):
                return
            queue.waiters.append((queue.appended, queue.grid_appended, done))
            queue.lock.notify()
        try:
            async with asyncio.timeout(FLUSH_DEADLINE_S):
                await asyncio.wrap_future(done)
        except TimeoutError:
            reason = self._error or "no answer"
            raise StorageError(f"{self._shown}: not stored within {FLUSH_DEADLINE_S:.0f} s: {reason}") from None

    async def close(self) -> None:
        """Write what is queued as far as the database allows, release the lease, close."""
        if self._thread is not None:
            with self._queue.lock:
                self._queue.is_closing = True
                self._queue.lock.notify()
            await asyncio.to_thread(self._thread.join)
            self._thread = None
        if self._daily is not None:
            await asyncio.to_thread(self._daily.close)
            self._daily = None
        if self._engine is not None:
            await asyncio.to_thread(self._engine.dispose)
            self._engine = None

    def _write_loop(self, writer: BatchWriter) -> None:
        engine = self._engine
        assert engine is not None  # set by start_run  # noqa: S101
        beat_s = time.monotonic()
        while True:
            batch, is_closing = self._next_batch()
            due = time.monotonic() - beat_s >= BEAT_S
            if batch.events or batch.frames or batch.grid or due or is_closing:
                beat_s = time.monotonic()
                self._write_until_done(engine, writer, batch, is_closing=is_closing)
            if is_closing and not self._queue.events and not self._queue.grid:
                return

    def _next_batch(self) -> tuple[_Batch, bool]:
        queue = self._queue
        with queue.lock:
            if not queue.waiters and not queue.is_closing and len(queue.events) < BATCH_ROWS:
                queue.lock.wait(FLUSH_S)
            events = [queue.events.popleft() for _ in range(min(len(queue.events), BATCH_ROWS))]
            frames = list(queue.frames)
            queue.frames.clear()
            grid = [] if queue.events else list(queue.grid)  # a request is never on disk before its events
            if grid:
                queue.grid.clear()
            return _Batch(events, frames, grid), queue.is_closing

    def _write_until_done(self, engine: Engine, writer: BatchWriter, batch: _Batch, *, is_closing: bool) -> None:
        """Repeat the transaction until it is committed; when closing, only as often as there are waiting times."""
        tries = 0
        while True:
            saved = writer.snapshot()
            try:
                with engine.begin() as connection:
                    writer.write(connection, self._run, batch.events)
                    writer.write_frames(connection, batch.frames)
                    writer.write_grid(connection, batch.grid)
                    if is_closing:
                        lease.release(connection)
                    else:
                        lease.beat(connection, _wall_ms())
            except SQLAlchemyError as error:
                writer.restore(saved)
                reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
                if not self._error:
                    log.error("storage does not take writes", extra={"url": self._shown, "reason": reason})
                self._error = reason
                tries += 1
                if self._queue.is_closing and tries > len(RETRY_S):
                    log.error("storage closed with events unwritten", extra={"events": len(batch.events)})
                    return
                time.sleep(RETRY_S[min(tries, len(RETRY_S)) - 1])
                continue
            if self._error:
                log.warning("storage takes writes again", extra={"url": self._shown})
                self._error = ""
            self._wrote(batch)
            if batch.events and self._daily is not None:
                self._daily.saw(batch.events[-1][1].at)
            return

    def _wrote(self, batch: _Batch) -> None:
        queue = self._queue
        with queue.lock:
            if batch.events:
                queue.written = batch.events[-1][0]
            queue.grid_written += len(batch.grid)
            ready = [w for w in queue.waiters if queue.is_written(w[0], w[1])]
            queue.waiters = [w for w in queue.waiters if w not in ready]
        for _, _, done in ready:
            if done.set_running_or_notify_cancel():
                done.set_result(None)

    # -- reading ---------------------------------------------------------------------------------------------------

    async def _read(self, function: Any, *args: Any) -> Any:  # passes through what the reader returns
        def work(engine: Engine) -> Any:
            with engine.connect() as connection:
                return function(connection, *args)

        return await self._in_thread(work)

    async def _in_thread(self, work: Callable[[Engine], Any]) -> Any:
        engine = self._engine
        if engine is None:
            raise StorageError(f"{self._shown}: the store is not open")
        try:
            return await asyncio.to_thread(work, engine)
        except SQLAlchemyError as error:
            raise StorageError(f"{self._shown}: cannot read: {error}") from error

    async def sessions(self, *, open_only: bool, limit: int, before: datetime | None = None) -> tuple[Session, ...]:
        """Sessions, newest first."""
        found: tuple[Session, ...] = await self._read(reader.sessions, open_only, limit, before)
        return found

    async def samples(self, meter: MeterId, from_at: datetime, until_at: datetime, limit: int) -> tuple[SampleRow, ...]:
        """Samples of one meter in time order."""
        found: tuple[SampleRow, ...] = await self._read(reader.samples, meter, from_at, until_at, limit)
        return found

    async def samples_frame(self, begin: datetime, end: datetime, evses: Sequence[str] | None = None) -> pd.DataFrame:
        """All samples in ``[begin, end)`` of some EVSEs or site meters (all when ``None``), sorted by meter and time.

        Columns: ``meter``, ``at`` (UTC), ``power_kw``, ``current_l1_a`` to ``current_l3_a``, ``energy_kwh`` (the
        register), ``session``; NaN where the meter did not say. Closed days come from their files, the rest from SQL;
        what is in the frame does not depend on it. Raises ``StorageError`` for a file that is not as it was written.
        """
        found: pd.DataFrame = await self._in_thread(lambda _: self._archive().frame(begin, end, evses))
        return found

    async def archive_days(self, before: date) -> tuple[archive.Exported, ...]:
        """Make the missing Parquet files of the days before ``before``. Raises ``StorageError`` without a folder."""
        found: tuple[archive.Exported, ...] = await self._in_thread(lambda _: self._archive().export(before))
        return found

    def _archive(self) -> archive.Archive:
        assert self._engine is not None  # set by start_run and open_for_reading  # noqa: S101
        return archive.Archive(self._engine, self._folder)

    async def commands(self, *, limit: int, station: StationId | None = None) -> tuple[CommandRecord, ...]:
        """Commands with answers, newest first."""
        found: tuple[CommandRecord, ...] = await self._read(reader.commands, limit, station)
        return found

    async def plans(self, *, limit: int) -> tuple[Plan, ...]:
        """Plans, newest first."""
        found: tuple[Plan, ...] = await self._read(reader.plans, limit)
        return found

    async def events(
        self, *, limit: int, kinds: Sequence[str] = (), before_seq: int | None = None
    ) -> tuple[StoredEvent, ...]:
        """Events of the present run, newest first."""
        found: tuple[StoredEvent, ...] = await self._read(reader.events, (self._run, limit, tuple(kinds), before_seq))
        return found

    async def runs(self) -> tuple[int, ...]:
        """Numbers of the runs, oldest first."""
        found: tuple[int, ...] = await self._read(reader.runs)
        return found

    async def replay(self, run: int) -> AsyncIterator[StoredEvent]:
        """All events of a run in order, read in pages."""
        after = 0
        while True:
            page: tuple[StoredEvent, ...] = await self._read(reader.page, run, after, 5000)
            for stored in page:
                yield stored
            if not page:
                return
            after = page[-1].seq

    async def frames(self, station: StationId | None, limit: int) -> tuple[FrameRecord, ...]:
        """Frames, newest first."""
        found: tuple[FrameRecord, ...] = await self._read(reader.frames, station, limit)
        return found

    async def security_events(
        self, *, limit: int, station: StationId | None = None, critical_only: bool = False, before_id: int | None = None
    ) -> tuple[SecurityRecord, ...]:
        """Security events of all runs, newest first."""
        asked = (limit, station, critical_only, before_id)
        found: tuple[SecurityRecord, ...] = await self._read(security_rows.events, asked)
        return found

    async def limits(self, *, include_ended: bool) -> tuple[tuple[LimitId, Limit, datetime | None], ...]:
        """Temporary limits with the time of withdrawal, if any."""
        found: tuple[tuple[LimitId, Limit, datetime | None], ...] = await self._read(reader.limits, include_ended)
        return found

    async def alarms(self, *, open_only: bool, limit: int) -> tuple[tuple[AlarmRaised, datetime | None], ...]:
        """Alarms with the time they were cleared, newest first."""
        found: tuple[tuple[AlarmRaised, datetime | None], ...] = await self._read(reader.alarms, open_only, limit)
        return found
