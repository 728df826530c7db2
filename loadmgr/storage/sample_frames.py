"""Samples as columns: from SQL without an object per row, and as one frame whatever they were read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import ColumnElement, Connection, Select, func, select

from loadmgr.storage import tables

if TYPE_CHECKING:
    import pandas as pd

CHUNK_ROWS = 4096
"""Rows that exist as tuples of the driver at one time."""
NUMBERS = ("power_kw", "current_l1_a", "current_l2_a", "current_l3_a")
Ints = NDArray[np.int64]
ArrowTable = Any  # pyarrow has no types


def schema() -> Any:  # pyarrow has no types
    """What a file of samples holds: times in UTC milliseconds, energy registers as whole tenths of a watt-hour."""
    import pyarrow as pa

    name = pa.dictionary(pa.int32(), pa.string())
    numbers = [(number, pa.float64()) for number in NUMBERS]
    times = pa.timestamp("ms", tz="UTC")
    return pa.schema([("meter", name), ("at", times), *numbers, ("energy_dwh", pa.int64()), ("session", name)])


def _all_meters() -> Any:  # a recursive CTE with one column
    """Every meter that has samples: one step in the index per meter, whatever the number of rows."""
    meter = tables.samples.c.meter
    found = select(func.min(meter).label("meter")).cte("meters", recursive=True)
    following = select(func.min(meter)).where(meter > found.c.meter).scalar_subquery()
    return found.union_all(select(following).where(found.c.meter.is_not(None)))


def between(from_ms: int, until_ms: int, meters: Sequence[str] | None = None) -> Select[Any]:
    """The samples of some meters (all when ``None``) in ``[from_ms, until_ms)``, found by the index (meter, time)."""
    at_ms, table = tables.samples.c.at_ms, tables.samples
    query = _columns().where((at_ms >= from_ms) & (at_ms < until_ms))
    if meters is not None:
        return query.where(table.c.meter.in_(meters))
    every = _all_meters()
    return query.select_from(every.join(table, table.c.meter == every.c.meter))


def written_after(sample_id: int, condition: ColumnElement[bool]) -> Select[Any]:
    """The samples that were written after a row, whatever their own time."""
    return _columns().where((tables.samples.c.id > sample_id) & condition)


def _columns() -> Select[Any]:
    c = tables.samples.c
    return select(c.id, c.meter, c.at_ms, *(c[n] for n in NUMBERS), c.energy_dwh, c.session)


def read(connection: Connection, query: Select[Any]) -> ArrowTable:
    """The rows of a query above as an Arrow table in the order in which they were written."""
    import pyarrow as pa

    to = schema()
    parts, ids = [], [np.empty(0, np.int64)]
    cursor: Any = connection.execute(query).cursor  # the driver's own: rows are tuples, in chunks
    while chunk := cursor.fetchmany(CHUNK_ROWS):
        written, *columns = zip(*chunk, strict=True)
        ids.append(np.array(written, np.int64))
        parts.append(pa.record_batch([_array(c, f.type) for c, f in zip(columns, to, strict=True)], schema=to))
    cursor.close()
    found = pa.Table.from_batches(parts, to)
    order = np.argsort(np.concatenate(ids), kind="stable")
    return found if bool((order[:-1] < order[1:]).all()) else found.unify_dictionaries().take(pa.array(order))


def _array(values: Sequence[Any], kind: Any) -> Any:  # a pyarrow array
    import pyarrow as pa

    if pa.types.is_dictionary(kind):
        return pa.array(values, pa.string()).dictionary_encode()
    return pa.array(values, pa.int64()).cast(kind) if pa.types.is_timestamp(kind) else pa.array(values, kind)


def in_order(parts: Sequence[ArrowTable]) -> ArrowTable:
    """One table sorted by (meter, time); what was written first stays first where both are equal."""
    import pyarrow as pa

    table = pa.concat_tables(parts).unify_dictionaries().combine_chunks()
    codes, _ = _codes(table, "meter")
    return table.take(pa.array(_order(codes, _times_ms(table))))


def times_between(table: ArrowTable, ranges: Sequence[tuple[int, int]]) -> ArrowTable:
    """The rows in any of some ``[from_ms, until_ms)``."""
    import pyarrow as pa

    at_ms = _times_ms(table)
    is_in = np.zeros(len(at_ms), np.bool_)
    for from_ms, until_ms in ranges:
        is_in |= (at_ms >= from_ms) & (at_ms < until_ms)
    return table if is_in.all() else table.filter(pa.array(is_in))


def frame(parts: Sequence[ArrowTable], meters: Sequence[str] | None) -> pd.DataFrame:
    """One frame, sorted by (meter, time), of parts that each come earlier written first; see ``SqlStore.samples_frame``."""
    import pandas as pd
    import pyarrow as pa

    table = pa.concat_tables([schema().empty_table(), *parts]).unify_dictionaries().combine_chunks()
    codes, names = _codes(table, "meter")
    at_ms = _times_ms(table)
    keep = None if meters is None else np.isin(codes, [i for i, n in enumerate(names) if n in set(meters)])
    order = _order(codes, at_ms)
    if keep is not None:
        order = order[keep[order]]
    found: dict[str, Any] = {
        "meter": _categorical(codes[order], names),
        "at": pd.DatetimeIndex(at_ms[order].view("datetime64[ms]")).tz_localize("UTC"),
    }
    for number in NUMBERS:
        found[number] = _floats(table, number)[order]
    found["energy_kwh"] = _floats(table, "energy_dwh")[order] / 10_000
    sessions, session_names = _codes(table, "session")
    found["session"] = _categorical(sessions[order], session_names)
    return pd.DataFrame(found, copy=False)


def _floats(table: ArrowTable, name: str) -> NDArray[np.float64]:
    """A column of numbers, NaN where the meter did not say; registers stay exact up to 2**53 tenths of a watt-hour."""
    values: Any = table[name].to_numpy()
    found: NDArray[np.float64] = values.astype(np.float64, copy=False)
    return found


def _times_ms(table: ArrowTable) -> Ints:
    import pyarrow as pa

    found: Ints = table["at"].cast(pa.int64()).to_numpy()
    return found


def _codes(table: ArrowTable, name: str) -> tuple[Ints, list[str]]:
    """(code per row, names in the order of their codes, which is alphabetical); -1 where there is none."""
    import pyarrow as pa

    column = table[name]
    if not column.num_chunks:
        return np.empty(0, np.int64), []
    values = column.chunk(0)
    names = values.dictionary.to_pylist()
    by_name = sorted(range(len(names)), key=names.__getitem__)
    rank = np.full(len(names) + 1, -1, np.int64)  # the last place serves -1
    rank[by_name] = np.arange(len(names))
    raw = values.indices.fill_null(pa.scalar(-1, pa.int32())).to_numpy(zero_copy_only=False)
    return rank[raw], [names[i] for i in by_name]


def _order(codes: Ints, at_ms: Ints) -> Ints:
    """The stable order by (code, time). Days in time order, each sorted, need only the quick sort by small codes."""
    small = codes.astype(np.int16) if len(codes) and codes.max() < np.iinfo(np.int16).max else codes
    order: Ints = np.argsort(small, kind="stable")
    by_meter, times = small[order], at_ms[order]
    if ((by_meter[:-1] < by_meter[1:]) | (times[:-1] <= times[1:])).all():
        return order
    sorted_both: Ints = np.lexsort((at_ms, codes))
    return sorted_both


def _categorical(codes: Ints, names: Sequence[str]) -> pd.Categorical:
    """A categorical without names that do not occur, so that equal contents are equal frames."""
    import pandas as pd

    is_used = np.bincount(codes + 1, minlength=len(names) + 1)[1:] > 0
    renumbered = np.append(np.cumsum(is_used) - 1, -1)
    used = pd.Index([n for n, used in zip(names, is_used, strict=True) if used], dtype="str")
    return pd.Categorical.from_codes(renumbered[codes], categories=used)
