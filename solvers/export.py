"""LP and MPS files with readable names, for people and for other solvers."""

from __future__ import annotations

import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from solvers import formulation
from solvers.errors import EngineUnavailable
from solvers.problem import ChargingProblem
from solvers.program import NamedProgram


def named(problem: ChargingProblem, *, n_exact_steps: int = 0) -> NamedProgram:
    """The program of a problem with the names of its columns and rows. Costs are in thousandths of the currency."""
    program, _ = formulation.build(problem, n_exact_steps=n_exact_steps)
    return NamedProgram(program=program, columns=program.name_columns(), rows=program.name_rows())


def write(found: NamedProgram, path: Path) -> None:
    """Write ``.lp`` or ``.mps``.

    Raises ``ValueError`` for another suffix, ``EngineUnavailable`` without HiGHS, ``OSError`` where no file can be written.
    """
    if path.suffix not in {".lp", ".mps"}:
        raise ValueError(f"{path.name}: the suffix is {path.suffix!r}, expected .lp or .mps")
    if find_spec("highspy") is None:
        raise EngineUnavailable("highs", "highspy")
    import highspy

    from solvers.engines.highs_engine import model_of

    model: Any = model_of(found.program)  # highspy has no types
    model.col_names_ = [_safe(name, "x", i) for i, name in enumerate(found.columns)]
    model.row_names_ = [_safe(name, "r", i) for i, name in enumerate(found.rows)]
    highs = highspy.Highs()  # type: ignore[no-untyped-call]  # highspy has no types
    highs.silent()
    highs.passModel(model)
    path.write_bytes(b"")  # HiGHS ends the whole process where it cannot open a file
    if highs.writeModel(str(path)) == highspy.HighsStatus.kError:
        raise OSError(f"{path}: the model could not be written")


def _safe(name: str, letter: str, number: int) -> str:
    """A name that both formats read: no spaces or operators, and unique by its number."""
    return f"{letter}{number}_{re.sub(r'[^A-Za-z0-9_.]+', '_', name).strip('_')}"
