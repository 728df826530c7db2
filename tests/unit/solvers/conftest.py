"""Hand-made linear programs, and engines that answer what a test wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest

from solvers import EngineResult, Features, RunOptions, registry
from solvers.program import LinearProgram
from solvers.warm import BasisDefaults

Answer = Callable[[LinearProgram, RunOptions], EngineResult]


def _program(
    cost: Any, upper: Any, rows: Any = (), row_lower: Any = (), row_upper: Any = (), integer: tuple[int, ...] = ()
) -> LinearProgram:
    """Columns from 0 to ``upper``; ``rows`` is the dense matrix. Keys are 100, 101, … for columns and rows."""
    dense = np.asarray(rows, dtype=float).reshape(len(row_lower), len(cost))
    column, row = np.nonzero(dense.T)
    counts = np.bincount(column, minlength=len(cost))
    return LinearProgram(
        cost=np.array(cost, dtype=float),
        col_lower=np.zeros(len(cost)),
        col_upper=np.array(upper, dtype=float),
        row_lower=np.array(row_lower, dtype=float),
        row_upper=np.array(row_upper, dtype=float),
        starts=np.concatenate([[0], np.cumsum(counts)]).astype(np.int32),
        indices=row.astype(np.int32),
        values=dense[row, column],
        name_columns=lambda: tuple(f"x{j}" for j in range(len(cost))),
        name_rows=lambda: tuple(f"r{i}" for i in range(len(row_lower))),
        key_columns=lambda: 100 + np.arange(len(cost)),
        key_rows=lambda: 100 + np.arange(len(row_lower)),
        integer=np.array(integer, dtype=np.int32) if integer else None,
    )


@pytest.fixture
def a_program() -> Callable[..., LinearProgram]:
    return _program


@dataclass
class Scripted:
    """An engine that answers by a function and remembers what it was asked."""

    answer: Answer
    features: Features = field(default_factory=Features)
    name: str = "scripted"
    new_statuses: BasisDefaults = field(default_factory=BasisDefaults)
    asked: list[tuple[LinearProgram, RunOptions]] = field(default_factory=list)

    def run(self, program: LinearProgram, options: RunOptions) -> EngineResult:
        self.asked.append((program, options))
        return self.answer(program, options)


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Scripted]:
    """Make every engine name mean a scripted engine."""

    def install(answer: Answer, **given: Any) -> Scripted:
        engine = Scripted(answer, **given)
        monkeypatch.setattr(registry, "load", lambda _: engine)
        return engine

    return install
