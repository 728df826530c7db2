"""The hot path of the writer: meter samples as text for the log and as rows, and rows to the driver without detours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from operator import attrgetter
from typing import Any

import msgspec
from sqlalchemy import Connection
from sqlalchemy.exc import OperationalError

from loadmgr import codec
from loadmgr.domain.events import MeterSample
from loadmgr.domain.samples import Measured, Quality
from loadmgr.storage.fold import to_dwh, to_ms

EVENT_COLUMNS = ("run", "seq", "at_ms", "kind", "body")
SAMPLE_COLUMNS = (
    "meter",
    "at_ms",
    "power_kw",
    "current_l1_a",
    "current_l2_a",
    "current_l3_a",
    "energy_dwh",
    "session",
)
FRAME_COLUMNS = ("at_ms", "station", "direction", "text")
KIND = MeterSample.__name__
_measured_values = attrgetter(*(f.name for f in fields(Measured)))
_MeasuredText = msgspec.defstruct("MeasuredText", [(f.name, Any, f.default) for f in fields(Measured)], omit_defaults=True)
_SampleText = msgspec.defstruct(
    "SampleText",
    [
        ("kind", str),
        ("v", int),
        ("at", str),
        ("meter", str),
        ("measured_at", str),
        ("measured", _MeasuredText),
        ("session", str | None, None),
        ("quality", Quality, Quality.GOOD),
    ],
    omit_defaults=True,
)
_encode = msgspec.json.Encoder().encode
Row = tuple[Any, ...]  # values in the order of the columns


def text_of(event: MeterSample) -> str:
    """What ``codec.encode`` says of a sample, in a quarter of the time."""
    at, measured_at = event.at, event.measured_at
    at_text = at.isoformat()
    measured_text = at_text if measured_at is at else measured_at.isoformat()
    measured = _MeasuredText(*_measured_values(event.measured))
    text = _SampleText(KIND, codec.VERSION, at_text, event.meter, measured_text, measured, event.session, event.quality)
    return _encode(text).decode()


def row_of(event: MeterSample) -> Row:
    """The row of table ``samples``."""
    measured = event.measured
    l1_a, l2_a, l3_a = measured.current_a or (None, None, None)
    energy_kwh = measured.energy_kwh
    energy_dwh = None if energy_kwh is None else to_dwh(energy_kwh)
    return event.meter, to_ms(event.measured_at), measured.power_kw, l1_a, l2_a, l3_a, energy_dwh, event.session


def insert(connection: Connection, table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    """Add rows in the open transaction: ``executemany`` with SQLite, ``COPY`` with PostgreSQL."""
    names = ", ".join(columns)
    if connection.dialect.name != "postgresql":
        marks = ", ".join("?" * len(columns))
        connection.exec_driver_sql(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(rows))  # noqa: S608 our own names
        return
    import psycopg

    statement = f"COPY {table} ({names}) FROM STDIN"
    driver: Any = connection.connection.driver_connection
    try:
        with driver.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise OperationalError(statement, None, error) from error
