"""Many sites or days at once, in worker processes."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context

from solvers.engine import SolveOptions
from solvers.problem import ChargingProblem
from solvers.solution import Solution
from solvers.solve import solve

CHUNK = 4


def solve_many(
    problems: Iterable[ChargingProblem],
    engine: str = "highs",
    options: SolveOptions | None = None,
    *,
    executor: Executor | None = None,
) -> Iterator[Solution]:
    """Solutions in the order of the problems; each is solved cold, in a process of its own kind.

    Without an ``executor`` one process per core is started (with ``spawn``, so no lock of the caller is copied) and
    ended with the iteration. An executor of another kind (threads, a cluster's) works as well. What ``solve`` raises,
    this raises. Options with a ``memory`` are refused with ``ValueError``: it belongs to one site and one thread.
    """
    if options is not None and options.memory is not None:
        raise ValueError("solve_many: options.memory belongs to one site in one thread; leave it out")
    work = partial(solve, engine=engine, options=options)
    if executor is not None:
        yield from executor.map(work, problems)
        return
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        yield from pool.map(work, problems, chunksize=CHUNK)
