"""Series of a site file: constants and CSV files with their problems."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Protocol

from loadmgr.domain.series import Series
from loadmgr.errors import SiteModelError
from loadmgr.sitefile.models import SeriesTable

_REPEAT_S: Mapping[str, int | None] = MappingProxyType({"day": 86_400, "week": 604_800, "none": None})
_EPOCH = datetime(2000, 1, 3, tzinfo=UTC)


class Note(Protocol):
    """Takes a problem: key, what is wrong, what to do."""

    def __call__(self, key: str, problem: str, hint: str = "") -> None: ...


class SeriesReader:
    """Reads what a site file names; problems go to ``note``."""

    def __init__(self, folder: Path, note: Note) -> None:
        self._folder = folder
        self._note = note

    def series(self, key: str, table: SeriesTable) -> Series | None:
        """A table as a series, or ``None`` after a note of what is wrong with it."""
        if table.constant_kw is not None:
            return Series(times=(_EPOCH,), values=(table.constant_kw,))
        rows = self.read(f"{key}.series", table.series or "", table.column)
        if rows is None:
            return None
        times, values = rows
        scaled = tuple(v * table.factor for v in values)
        try:
            return Series(times=times, values=scaled, repeat_s=_REPEAT_S[table.repeat])
        except SiteModelError as error:
            self._note(f"{key}.series", str(error))
            return None

    def read(self, key: str, name: str, column: str) -> tuple[tuple[datetime, ...], tuple[float, ...]] | None:
        """Times and values of a CSV file."""
        path = self._folder / name
        if not path.is_file():
            self._note(key, f"file {name!r} does not exist in {self._folder}", "the path is relative to the site file")
            return None
        times, values = [], []
        with path.open(newline="", encoding="utf-8") as lines:
            reader = csv.DictReader(line for line in lines if not line.startswith("#"))
            for wanted in ("time", column):
                if wanted not in (reader.fieldnames or ()):
                    self._note(key, f"{name!r} has no column {wanted!r}", f"columns: {', '.join(reader.fieldnames or ())}")
                    return None
            for line_no, row in enumerate(reader, 2):
                try:
                    at, value = datetime.fromisoformat(row["time"]), float(row[column])
                except ValueError as error:
                    self._note(key, f"{name!r} line {line_no}: {error}", "times are ISO 8601 with Z, values numbers")
                    return None
                if at.tzinfo is None or not math.isfinite(value):
                    self._note(key, f"{name!r} line {line_no}: {row}", "times need a zone, values must be finite")
                    return None
                times.append(at.astimezone(UTC))
                values.append(value)
        return tuple(times), tuple(values)
