"""A carried basis: statuses follow their keys, what is new gets the default."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from solvers import Memory
from solvers.warm import Basis, BasisDefaults

DEFAULTS = BasisDefaults(column="new column", row="new row")


def _kept(program: Any) -> Memory:
    memory = Memory()
    columns = np.array([f"c{key}" for key in program.key_columns()], dtype=object)
    memory.keep("highs", program, Basis(columns=columns, rows=np.array([f"r{k}" for k in program.key_rows()], dtype=object)))
    return memory


def _keyed(program: Any, columns: list[int], rows: list[int]) -> Any:
    return replace(program, key_columns=lambda: np.array(columns), key_rows=lambda: np.array(rows))


def test_statuses_follow_their_keys_and_not_their_places(a_program: Any) -> None:
    program = a_program([1, 1, 1], [1, 1, 1], [[1, 1, 1], [1, 1, 1]], [0, 0], [1, 1])
    memory = _kept(_keyed(program, [7, 3, 5], [20, 10]))
    start = memory.start("highs", _keyed(program, [5, 6, 7], [9, 20]), DEFAULTS)
    assert start is not None
    assert start.columns.tolist() == ["c5", "new column", "c7"]
    assert start.rows.tolist() == ["new row", "r20"]
    assert memory.hits == 1


def test_a_key_above_all_known_ones_is_new(a_program: Any) -> None:
    program = a_program([1], [1], [[1]], [0], [1])
    start = _kept(_keyed(program, [7], [7])).start("highs", _keyed(program, [8], [6]), DEFAULTS)
    assert start is not None
    assert (start.columns.tolist(), start.rows.tolist()) == (["new column"], ["new row"])


def test_a_program_without_rows_leaves_only_defaults_for_rows(a_program: Any) -> None:
    memory = _kept(a_program([1], [1]))
    start = memory.start("highs", a_program([1], [1], [[1], [1]], [0, 0], [1, 1]), DEFAULTS)
    assert start is not None
    assert start.columns.tolist() == ["c100"]
    assert start.rows.tolist() == ["new row", "new row"]


def test_a_basis_of_another_engine_is_not_used(a_program: Any) -> None:
    program = a_program([1], [1])
    memory = _kept(program)
    assert memory.start("other", program, DEFAULTS) is None
    assert Memory().start("highs", program, DEFAULTS) is None
    memory.forget()
    assert memory.start("highs", program, DEFAULTS) is None
    assert memory.hits == 0


def test_facets_are_carried_while_their_limit_and_step_are_there() -> None:
    memory = Memory()
    memory.facets = (("a", 10, 1), ("b", 11, 2), ("b", 13, 3), ("gone", 11, 4))
    found = memory.facets_for(("b", "a"), first_step=11, n_steps=3)
    assert (found.limit.tolist(), found.step.tolist(), found.side.tolist()) == ([0, 0], [0, 2], [2, 3])
    assert memory.facets_for(("b",), first_step=14, n_steps=3).size == 0
    memory.forget()
    assert memory.facets_for(("b", "a"), first_step=11, n_steps=3).size == 0
