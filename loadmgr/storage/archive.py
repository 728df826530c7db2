"""Closed days of samples as zstd Parquet files, a folder per month, and back as frames.

A day is a UTC day: days never overlap, all have 24 hours, and another time zone of the site changes none of them. The
database remembers which file is current: ``archived_days`` says of each day up to which row its file goes and the
checksum of the file. Rows that arrive later make the day stale; it is then read from SQL until its file is made again.
SQL rows stay: how long they are kept is another decision.
"""

from __future__ import annotations

import fcntl
import logging
import os
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import URL, Connection, Engine, func, make_url, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from loadmgr.errors import StorageError
from loadmgr.storage import database, sample_frames, tables
from loadmgr.storage.fold import to_ms

if TYPE_CHECKING:
    import pandas as pd

log = logging.getLogger(__name__)

DAY_MS = 86_400_000
EPOCH = date(1970, 1, 1)
CLOSED_AFTER = timedelta(hours=1)
"""A day is closed so long after its midnight: most late words of stations are in."""
TRIES_AGAIN = timedelta(hours=1)
GROUP_ROWS = 32_768
"""Rows that are read together: who asks for one EVSE of a large site unpacks little else."""
READ_TRIES = 5
"""A file that is replaced while it is read differs from what the database said a moment before."""


@dataclass(frozen=True, slots=True)
class DayFile:
    """A day that has a current file: ``n_rows`` samples, those written up to row ``through_id``."""

    day: int
    through_id: int
    n_rows: int
    crc32: int

    @property
    def from_ms(self) -> int:
        """Its first millisecond."""
        return self.day * DAY_MS


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A day whose file was made."""

    day: date
    n_rows: int
    path: Path


class _DamagedError(Exception):
    """A file differs from what the database says of it."""


def beside(url: URL) -> Path | None:
    """The folder of a SQLite database: ``office.db`` has ``office.archive``; ``None`` where there is no such place."""
    place = database.file_of(url)
    return None if place is None else place.with_suffix(".archive")


def closed_before(at: datetime) -> date:
    """The first day that is not closed at ``at``."""
    return (at.astimezone(UTC) - CLOSED_AFTER).date()


class Archive:
    """The files of one database, and so of one site. Without a folder there are none, and SQL answers alone."""

    def __init__(self, engine: Engine, folder: Path | None) -> None:
        self._engine = engine
        self._folder = folder

    def path_of(self, day: date) -> Path:
        """Where the file of a day is or would be. Raises ``StorageError`` without a folder."""
        if self._folder is None:
            raise StorageError(
                f"{self._engine.url.render_as_string(hide_password=True)}: no folder for archived days is known: "
                "a database on a server has no place beside it; name a folder"
            )
        return self._folder / f"{day:%Y-%m}" / f"{day}.parquet"

    # -- to files --------------------------------------------------------------------------------------------------

    def export(self, before: date, stop: Callable[[], bool] = lambda: False) -> tuple[Exported, ...]:
        """Make the files of the days before ``before`` that have none or that got rows since; the oldest first.

        Ends early when ``stop`` says so, between days. Raises ``StorageError`` when another process does the same.
        """
        self.path_of(before)
        due = [d for d in self._stale() if EPOCH + timedelta(days=d.day) < before]
        found = []
        if due:
            with self._alone():
                for day in due:
                    if stop():
                        break
                    found.append(self._export_day(day))
        return tuple(found)

    def _stale(self) -> list[DayFile]:
        """Mark what was touched since the last time, in one transaction, and list the days without a current file."""
        days, samples = tables.archived_days, tables.samples
        with self._engine.begin() as connection:
            seen = connection.execute(select(func.max(days.c.through_id))).scalar_one_or_none() or 0
            newest = connection.execute(select(func.max(samples.c.id))).scalar_one_or_none() or 0
            is_new = (samples.c.id > seen) & (samples.c.id <= newest) & (samples.c.at_ms >= 0)
            touched = connection.execute(select(samples.c.at_ms // DAY_MS).where(is_new).distinct()).scalars().all()
            rows = [{"day": d, "is_current": False, "through_id": newest, "n_rows": 0, "crc32": 0} for d in touched]
            if rows:
                dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
                changed = {"is_current": False, "through_id": newest}
                insert = dialect.insert(days)
                connection.execute(insert.on_conflict_do_update(index_elements=["day"], set_=changed), rows)
            for known in _current(connection, None)[1]:
                if not self.path_of(_date(known.day)).is_file():
                    connection.execute(update(days).where(days.c.day == known.day).values(is_current=False))
            query = select(days).where(days.c.is_current.is_(False)).order_by(days.c.day)
            return [_day_file(row) for row in connection.execute(query)]

    def _export_day(self, day: DayFile) -> Exported:
        days, path = tables.archived_days, self.path_of(_date(day.day))
        query = sample_frames.between(day.from_ms, day.from_ms + DAY_MS).where(tables.samples.c.id <= day.through_id)
        with self._engine.connect() as connection:
            table = sample_frames.in_order([sample_frames.read(connection, query)])
        if len(table) < day.n_rows:
            raise StorageError(
                f"{path}: the database has {len(table)} samples of this day, the file had {day.n_rows}: it is not made "
                "again, so that nothing is lost; restore the database, or keep the file elsewhere and delete the day's "
                "row in table archived_days"
            )
        crc32 = _write(table, path)
        is_same = (days.c.day == day.day) & (days.c.through_id == day.through_id)
        with self._engine.begin() as connection:
            done = update(days).where(is_same).values(is_current=True, n_rows=len(table), crc32=crc32)
            connection.execute(done)
        log.info("day archived", extra={"day": str(_date(day.day)), "rows": len(table), "file": str(path)})
        return Exported(day=_date(day.day), n_rows=len(table), path=path)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        assert self._folder is not None  # path_of has seen to it  # noqa: S101
        self._folder.mkdir(parents=True, exist_ok=True)
        place = self._folder / ".lock"
        with place.open("w") as held:
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise StorageError(f"{place}: another process archives this site; wait until it is done") from None
            yield

    # -- back ------------------------------------------------------------------------------------------------------

    def frame(self, begin: datetime, end: datetime, evses: Sequence[str] | None = None) -> pd.DataFrame:
        """Samples in ``[begin, end)``; see ``SqlStore.samples_frame``."""
        if begin.tzinfo is None or end.tzinfo is None:
            raise ValueError("begin and end need a time zone: datetime(2026, 1, 5, tzinfo=UTC)")
        from_ms, until_ms = to_ms(begin), to_ms(end)
        names = None if evses is None else sorted(set(evses))
        wrong = None
        for _ in range(READ_TRIES):
            with self._engine.connect() as connection:
                seen, current = _current(connection, (from_ms, until_ms))
                days = [d for d in current if self._is_there(d)]
            try:
                parts = [self._read(day, names) for day in days]
            except _DamagedError as found:
                if wrong == days:  # it was not replaced meanwhile: nobody mends it
                    raise StorageError(found.args[0]) from None
                wrong = days
                continue
            covered = [(d.from_ms, d.from_ms + DAY_MS) for d in days]
            with self._engine.connect() as connection:
                parts += _from_sql(connection, (from_ms, until_ms), covered, seen, names)
            if covered and (covered[0][0] < from_ms or covered[-1][1] > until_ms):
                parts = [sample_frames.times_between(part, [(from_ms, until_ms)]) for part in parts]
            return sample_frames.frame(parts, names)
        raise StorageError("archived days change faster than they can be read; try again")

    def _is_there(self, day: DayFile) -> bool:
        return self._folder is not None and self.path_of(_date(day.day)).is_file()

    def _read(self, day: DayFile, names: Sequence[str] | None) -> sample_frames.ArrowTable:
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = self.path_of(_date(day.day))
        try:
            data = path.read_bytes()
        except OSError as error:
            raise StorageError(f"{path}: cannot be read: {error.strerror}; see who may read it") from None
        if zlib.crc32(data) != day.crc32:
            raise _DamagedError(
                f"{path}: the file is not as it was written ({len(data)} bytes, another checksum than the database has); "
                "delete it: the day is then read from the database, and loadmgr archive or the service makes the file again"
            )
        file = pq.ParquetFile(pa.BufferReader(data), read_dictionary=["meter", "session"])
        groups = [g for g in range(file.num_row_groups) if names is None or _may_hold(file.metadata.row_group(g), names)]
        return file.read_row_groups(groups, use_threads=False).cast(sample_frames.schema())


def _from_sql(
    connection: Connection,
    asked: tuple[int, int],
    covered: Sequence[tuple[int, int]],
    seen: int,
    names: Sequence[str] | None,
) -> list[sample_frames.ArrowTable]:
    """What is asked and in no file: whole stretches, and rows of covered days that were written after their files."""
    gaps, at_ms = [], asked[0]
    for from_ms, until_ms in (*covered, (asked[1], asked[1])):
        if at_ms < from_ms:
            gaps.append((at_ms, from_ms))
        at_ms = max(at_ms, until_ms)
    found = [sample_frames.read(connection, sample_frames.between(*gap, names)) for gap in gaps]
    if covered:
        condition = (tables.samples.c.at_ms >= asked[0]) & (tables.samples.c.at_ms < asked[1])
        late = sample_frames.read(connection, sample_frames.written_after(seen, condition))
        found.append(sample_frames.times_between(late, covered))
    return found


def _current(connection: Connection, between: tuple[int, int] | None) -> tuple[int, list[DayFile]]:
    """(newest row that the archive took note of, days with a current file in order), both of one moment."""
    days, other = tables.archived_days, tables.archived_days.alias()
    seen = select(func.max(other.c.through_id)).scalar_subquery()
    query = select(days, seen.label("seen")).where(days.c.is_current).order_by(days.c.day)
    if between is not None:
        query = query.where((days.c.day >= between[0] // DAY_MS) & (days.c.day <= (between[1] - 1) // DAY_MS))
    rows = connection.execute(query).all()
    return (rows[0].seen if rows else 0), [_day_file(row) for row in rows]


def _day_file(row: Any) -> DayFile:  # a row of archived_days
    return DayFile(row.day, row.through_id, row.n_rows, row.crc32)


def _date(day: int) -> date:
    return EPOCH + timedelta(days=day)


def _may_hold(group: Any, names: Sequence[str]) -> bool:  # pyarrow's description of a row group
    """May a group hold rows of one of these meters? Files are sorted by meter."""
    said = group.column(0).statistics
    return said is None or not said.has_min_max or any(said.min <= name <= said.max for name in names)


def _write(table: sample_frames.ArrowTable, path: Path) -> int:
    """Write a file whole or not at all; returns its checksum."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    made = pa.BufferOutputStream()
    pq.write_table(table, made, compression="zstd", row_group_size=GROUP_ROWS)
    data = made.getvalue().to_pybytes()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    with unfinished.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)
    return zlib.crc32(data)


def read_frame(
    url: str, period: tuple[datetime, datetime], evses: Sequence[str] | None = None, *, folder: Path | None = None
) -> pd.DataFrame:
    """The frame of ``SqlStore.samples_frame`` without a store: nothing is migrated, nothing is written.

    Raises ``StorageError`` when there is no database or its schema is not that of this version.
    """
    place = make_url(url)
    shown, file = place.render_as_string(hide_password=True), database.file_of(place)
    if file is not None and not file.is_file():
        raise StorageError(f"{shown}: there is no such file; the path counts from the present folder ({Path.cwd()})")
    engine = database.connect(place)
    try:
        return Archive(engine, folder or beside(place)).frame(*period, evses)
    except SQLAlchemyError as error:
        reason = str(error.orig) if isinstance(error, DBAPIError) else str(error)
        hint = "a database of an older version is migrated when the service or loadmgr archive opens it"
        raise StorageError(f"{shown}: cannot be read: {reason}; {hint}") from error
    finally:
        engine.dispose()


class DailyArchive:
    """Archives closed days in a thread of its own that lives only while there is work; the writer never waits for it."""

    def __init__(self, archive: Archive) -> None:
        self._archive = archive
        self._due_at: datetime | None = None
        self._thread: threading.Thread | None = None
        self._stopping = threading.Event()

    def saw(self, at: datetime) -> None:
        """The service's clock says ``at``: begin when a day has closed since the last time."""
        is_busy = self._thread is not None and self._thread.is_alive()
        if is_busy or self._stopping.is_set() or (self._due_at is not None and at < self._due_at):
            return
        next_day = closed_before(at) + timedelta(days=1)
        self._due_at = datetime.combine(next_day, time(0), UTC) + CLOSED_AFTER
        self._thread = threading.Thread(target=self._work, args=(at,), name="archive", daemon=True)
        self._thread.start()

    def _work(self, at: datetime) -> None:
        try:
            self._archive.export(closed_before(at), self._stopping.is_set)
        except (StorageError, SQLAlchemyError, OSError) as error:
            log.warning("days not archived", extra={"reason": str(error), "again_s": TRIES_AGAIN.total_seconds()})
            self._due_at = at + TRIES_AGAIN

    def close(self) -> None:
        """Stop after the day in work; blocks so long."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()
