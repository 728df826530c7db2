"""Arrays in, arrays out: the charging problem as a linear program, its engines, and rules without one."""

from solvers.decompose import solve_by_feeder, value
from solvers.engine import Engine, EngineResult, Features, RunOptions, SolveOptions
from solvers.errors import EngineUnavailable, ShapeError, SolverError
from solvers.export import named
from solvers.parallel import solve_many
from solvers.parts import Batteries, DemandCharges, Phasors, Tracked
from solvers.problem import ChargingProblem, PolicyWeights, Status
from solvers.registry import features, is_available, names
from solvers.rules import RULES, solve_greedy, solve_rule
from solvers.solution import Prices, Solution
from solvers.solve import solve
from solvers.warm import Memory

__all__ = [
    "RULES",
    "Batteries",
    "ChargingProblem",
    "DemandCharges",
    "Engine",
    "EngineResult",
    "EngineUnavailable",
    "Features",
    "Memory",
    "Phasors",
    "PolicyWeights",
    "Prices",
    "RunOptions",
    "ShapeError",
    "Solution",
    "SolveOptions",
    "SolverError",
    "Status",
    "Tracked",
    "features",
    "is_available",
    "named",
    "names",
    "solve",
    "solve_by_feeder",
    "solve_greedy",
    "solve_many",
    "solve_rule",
    "value",
]
