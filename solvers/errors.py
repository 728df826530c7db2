"""What can go wrong before a solver runs. Outcomes of a solve are values (``Status``), not exceptions."""

from __future__ import annotations


class SolverError(Exception):
    """Base of the errors of this package."""


class EngineUnavailable(SolverError):  # noqa: N818 it names a state of the environment
    """The engine's package is not installed or its solver cannot be found."""

    def __init__(self, engine: str, package: str) -> None:
        self.engine = engine
        self.package = package
        super().__init__(f"engine {engine!r} is not available: install {package!r} or choose another engine")


class ShapeError(SolverError):
    """Arrays of a problem do not fit each other or hold values that no problem can have; names every one."""

    def __init__(self, problems: tuple[str, ...]) -> None:
        self.problems = problems
        super().__init__("; ".join(problems))
