"""Arrays in, arrays out: the charging problem as a linear program, its engines, and a rule without one."""

from solvers.engine import Engine, EngineResult, Features, SolveOptions
from solvers.errors import EngineUnavailable, ShapeError, SolverError
from solvers.greedy import solve_greedy
from solvers.problem import ChargingProblem, PolicyWeights, Solution, Status
from solvers.registry import is_available, names
from solvers.solve import solve

__all__ = [
    "ChargingProblem",
    "Engine",
    "EngineResult",
    "EngineUnavailable",
    "Features",
    "PolicyWeights",
    "ShapeError",
    "Solution",
    "SolveOptions",
    "SolverError",
    "Status",
    "is_available",
    "names",
    "solve",
    "solve_greedy",
]
