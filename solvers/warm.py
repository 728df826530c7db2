"""A basis that outlives a tick: statuses under stable keys, carried over to the next problem.

Any set of statuses is only a hint: the solver completes and repairs it, the optimum does not depend on it.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from solvers.layout import Facets
from solvers.parts import Index
from solvers.program import Keys, LinearProgram

Statuses = NDArray[np.int8]
"""An engine's own codes, opaque to everybody else."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """Where a solve ended: the status of every column and row."""

    columns: Statuses
    rows: Statuses


@dataclass(frozen=True, slots=True, kw_only=True)
class BasisDefaults:
    """An engine's statuses for what a carried basis does not know: columns are not basic, rows are."""

    column: int = 0
    row: int = 1


class _Side:
    """Statuses of one side (columns or rows) sorted by key."""

    def __init__(self, keys: Keys, statuses: Statuses, known: _Side | None = None) -> None:
        self.given = keys
        same = known is not None and np.array_equal(known.given, keys)
        self.order: Index = known.order if same and known is not None else np.argsort(keys)
        self.keys, self.statuses = keys[self.order], statuses[self.order]
        self._plain = statuses

    def carried(self, keys: Keys, default: int) -> Statuses:
        """Statuses for other keys; ``default`` where the key is new."""
        if np.array_equal(self.given, keys):
            return self._plain
        if not self.keys.size:
            return np.full(keys.size, default)
        place = np.minimum(np.searchsorted(self.keys, keys), self.keys.size - 1)
        found = self.statuses[place]
        found[self.keys[place] != keys] = default
        return found


class Memory:
    """What one site's solves pass on to the next: hand the same object to every ``solve`` of that site, in one thread.

    ``hits`` counts solves that started from a carried basis.
    """

    def __init__(self) -> None:
        self.hits = 0
        self.first_step = 0
        """Absolute number of the first step of the last problem."""
        self.facets: tuple[tuple[str, int, int], ...] = ()
        """Polygon facets in use as (limit name, absolute step, side)."""
        self._engine = ""
        self._columns: _Side | None = None
        self._rows: _Side | None = None

    def start(self, engine: str, program: LinearProgram, defaults: BasisDefaults) -> Basis | None:
        """A starting basis for a program, or ``None``; ``defaults`` are the statuses of new columns and rows."""
        if self._columns is None or self._rows is None or engine != self._engine:
            return None
        self.hits += 1
        return Basis(
            columns=self._columns.carried(program.key_columns(), defaults.column),
            rows=self._rows.carried(program.key_rows(), defaults.row),
        )

    def keep(self, engine: str, program: LinearProgram, basis: Basis) -> None:
        """Remember where a solve ended."""
        self._engine = engine
        self._columns = _Side(program.key_columns(), basis.columns, self._columns)
        self._rows = _Side(program.key_rows(), basis.rows, self._rows)

    def forget(self) -> None:
        """Start cold next time."""
        self._columns = self._rows = None
        self.facets = ()

    def facets_for(self, names: tuple[str, ...], first_step: int, n_steps: int) -> Facets:
        """The facets of the last solve that still lie in the horizon."""
        place = {name: q for q, name in enumerate(names)}
        found = [(place[n], t - first_step, m) for n, t, m in self.facets if n in place and 0 <= t - first_step < n_steps]
        if not found:
            return Facets()
        limit, step, side = np.array(found, dtype=np.int64).T
        return Facets(limit=limit, step=step, side=side)
