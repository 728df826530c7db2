"""A linear program as arrays: what every engine receives."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.problem import Floats

Ints = NDArray[np.int32]


@dataclass(frozen=True, slots=True, kw_only=True)
class LinearProgram:
    """Minimise cost·x with col_lower <= x <= col_upper and row_lower <= A·x <= row_upper; A column-wise (CSC).

    ``starts`` has one entry per column plus one; ``indices`` are row numbers. Names are made only when asked for.
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

    @property
    def n_cols(self) -> int:
        """Number of columns."""
        return int(self.cost.size)

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return int(self.row_lower.size)
