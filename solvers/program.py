"""A linear program as arrays: what every engine receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from solvers.parts import Floats

Ints = NDArray[np.int32]
Keys = NDArray[np.int64]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearProgram:
    """Minimise cost·x with col_lower <= x <= col_upper and row_lower <= A·x <= row_upper; A column-wise (CSC).

    ``starts`` has one entry per column plus one; ``indices`` are row numbers. ``integer`` lists columns that must be
    whole numbers. Names and keys are made only when asked for; keys are stable between ticks.
    """

    cost: Floats
    col_lower: Floats
    col_upper: Floats
    row_lower: Floats
    row_upper: Floats
    starts: Ints
    indices: Ints
    values: Floats
    name_columns: Callable[[], tuple[str, ...]]
    name_rows: Callable[[], tuple[str, ...]]
    key_columns: Callable[[], Keys]
    key_rows: Callable[[], Keys]
    integer: Ints | None = None

    @property
    def n_cols(self) -> int:
        """Number of columns."""
        return int(self.cost.size)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.row_lower.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedProgram:
    """A program for people and files: ``write`` chooses LP or MPS by the file's suffix."""

    program: LinearProgram
    columns: tuple[str, ...]
    rows: tuple[str, ...]

    def write(self, path: Path) -> None:
        """Write ``.lp`` or ``.mps``. Raises ``ValueError`` for another suffix, ``EngineUnavailable`` without HiGHS."""
        from solvers.export import write

        write(self, path)
