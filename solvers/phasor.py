"""Polygon facets for limits on magnitudes of currents: added only where a solution leaves the circle."""

from __future__ import annotations

import numpy as np

from solvers.layout import Facets
from solvers.parts import Complexes, Phasors
from solvers.problem import ChargingProblem
from solvers.solution import Solution

TOLERANCE = 1e-6
ROUNDS = 12
"""After so many rounds every side is added where a limit is still left; more have never been needed."""


def currents(phasors: Phasors, solution: Solution) -> Complexes:
    """(Q, T) currents of a plan in A, base included."""
    found: Complexes = phasors.base_a + phasors.coef @ solution.net_kw
    return found


def missing(problem: ChargingProblem, solution: Solution, known: Facets, *, is_last: bool) -> Facets | None:
    """The facets to solve with next, or ``None`` when every magnitude holds.

    A point outside the circle lies beyond the side that its direction meets; both neighbours come with it, because the
    next solution usually slides along the polygon. ``is_last`` adds every side of a limit that is still left.
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
    around = np.arange(sides) if is_last else np.array([-1, 0, 1])
    wanted = np.stack(
        [
            np.repeat(limit, around.size),
            np.repeat(step, around.size),
            ((nearest[:, None] + around) % sides).ravel(),
        ]
    )
    every = np.unique(np.concatenate([np.stack([known.limit, known.step, known.side]), wanted], axis=1), axis=1)
    return Facets(limit=every[0], step=every[1], side=every[2])
