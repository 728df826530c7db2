"""What an engine is: it translates arrays and statuses, and knows nothing of sessions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from solvers.problem import Floats, Status
from solvers.program import LinearProgram


@dataclass(frozen=True, slots=True, kw_only=True)
class SolveOptions:
    """``time_limit_s`` bounds the engine's own time; ``solver`` names the solver behind an adapter engine."""

    time_limit_s: float = 60.0
    threads: int = 1
    solver: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Features:
    """What an engine can do beyond linear programs."""

    integers: bool = False
    warm_start: bool = False
    duals: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class EngineResult:
    """``values`` is ``None`` unless the engine holds a point that satisfies the rows."""

    status: Status
    values: Floats | None
    objective: float
    iterations: int = 0
    reason: str = ""


class Engine(Protocol):
    """Solves a linear program."""

    name: str
    features: Features

    def run(self, program: LinearProgram, options: SolveOptions) -> EngineResult:
        """Solve; every way in which it can end is a status, never an exception. Blocks; call it off the event loop.

        Raises ``EngineUnavailable`` when the solver behind it is missing.
        """
