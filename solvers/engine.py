"""What an engine is: it translates arrays and statuses, and knows nothing of sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from solvers.parts import Floats
from solvers.problem import Status
from solvers.program import LinearProgram
from solvers.warm import Basis, BasisDefaults, Memory


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """How to solve.

    ``time_limit_s`` bounds the engine's own time per run; ``solver`` names the solver behind an adapter engine;
    ``memory`` carries the basis from one solve of a site to the next; ``wants_prices`` asks for shadow prices where the
    engine has them. ``n_exact_steps`` > 0 chooses zero or at least the minimum exactly, by binaries, in the first steps;
    ``is_lexicographic`` solves tier after tier instead of with weights (slow: it exists to check the weights).
    """

    time_limit_s: float = 60.0
    threads: int = 1
    solver: str = ""
    memory: Memory | None = None
    wants_prices: bool = True
    n_exact_steps: int = 0
    is_lexicographic: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What an engine can do beyond linear programs."""

    integers: bool = False
    warm_start: bool = False
    duals: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """One run of an engine. ``start`` is a basis, ``point`` a feasible point for a program with integers."""

    time_limit_s: float = 60.0
    threads: int = 1
    solver: str = ""
    wants_duals: bool = False
    wants_basis: bool = False
    is_carried: bool = False
    """The start was carried over from another program."""
    is_shifted: bool = False
    """The start comes from an earlier grid of steps: far from this optimum, but close to feasible."""
    start: Basis | None = None
    point: Floats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResult:
    """``values`` is ``None`` unless the engine holds a point that satisfies the rows."""

    status: Status
    values: Floats | None
    objective: float
    iterations: int = 0
    reason: str = ""
    row_duals: Floats | None = None
    column_duals: Floats | None = None
    basis: Basis | None = None


class Engine(Protocol):
    """Solves a linear program."""

    name: str
    features: Features
    new_statuses: BasisDefaults

    def run(self, program: LinearProgram, options: RunOptions) -> EngineResult:
        """Solve; every way in which it can end is a status, never an exception. Blocks; call it off the event loop.

        Raises ``EngineUnavailable`` when the solver behind it is missing.
        """
