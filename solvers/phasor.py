"""Polygon facets for limits on magnitudes of currents: added only where a solution leaves the circle."""

from __future__ import annotations

import numpy as np

from solvers.layout import Facets
from solvers.parts import Complexes, Phasors
from solvers.problem import ChargingProblem
from solvers.solution import Solution

TOLERANCE = 1e-6
ROUNDS = 60
"""Bound on rounds. The neighbourhood of sides that is added grows, so a limit has all its sides long before."""
WIDEN_EVERY = 3
NEAR_FRAC = 0.97
"""Sides that a solution uses less are not worth carrying to the next problem."""


def currents(phasors: Phasors, solution: Solution) -> Complexes:
    """(Q, T) currents of a plan in A, base included."""
    found: Complexes = phasors.base_a + phasors.coef @ solution.net_kw
    return found


def missing(problem: ChargingProblem, solution: Solution, known: Facets, *, round_no: int) -> Facets | None:
    """The facets to solve with next, or ``None`` when every magnitude holds.

    A point outside the circle lies beyond the side that its direction meets; neighbours come with it, because the next
    solution usually slides along the polygon: one on each side at first, more in later rounds, in the end all.
    """
    phasors = problem.phasors
    if phasors is None:
        return None
    found = currents(phasors, solution)
    limit, step = np.nonzero(np.abs(found) > phasors.allowed_a() * (1.0 + TOLERANCE) + TOLERANCE)
    if not limit.size:
        return None
    sides = phasors.sides
    nearest = np.rint(np.angle(found[limit, step]) / (2.0 * np.pi) * sides).astype(np.int64)
    width = min(1 + round_no // WIDEN_EVERY, sides // 2)
    around = np.arange(-width, width + 1)
    wanted = np.stack(
        [
            np.repeat(limit, around.size),
            np.repeat(step, around.size),
            ((nearest[:, None] + around) % sides).ravel(),
        ]
    )
    every = np.unique(np.concatenate([np.stack([known.limit, known.step, known.side]), wanted], axis=1), axis=1)
    return Facets(limit=every[0], step=every[1], side=every[2])


def near(problem: ChargingProblem, solution: Solution, known: Facets) -> Facets:
    """The facets that a solution comes close to."""
    phasors = problem.phasors
    if phasors is None or not known.size:
        return known
    at = currents(phasors, solution)[known.limit, known.step]
    along = (at * np.exp(-1j * known.angle(phasors))).real
    kept = along >= NEAR_FRAC * phasors.shrink * phasors.limit_a[known.limit, known.step]
    return Facets(limit=known.limit[kept], step=known.step[kept], side=known.side[kept])
