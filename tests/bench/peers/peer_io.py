"""What every peer script shares: the problem on stdin, the answer on stdout, the clock. Standard library only.

Whatever a peer prints goes to stderr, so stdout holds one JSON document.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """The neutral problem. Powers in kW at the AC side; ``power_max_kw`` is 0 outside a stay, which is one interval."""

    step_h: float
    power_max_kw: list[list[float]]
    need_kwh: list[float]
    import_limit_kw: list[float]
    price_per_kwh: list[float]
    runs: int

    @property
    def n_steps(self) -> int:
        """T."""
        return len(self.price_per_kwh)

    def stay(self, session: int) -> tuple[int, int]:
        """First step of the stay and the step after its last."""
        inside = [t for t, power in enumerate(self.power_max_kw[session]) if power > 0]
        return inside[0], inside[-1] + 1

    def power_kw(self, session: int) -> float:
        """The one power limit of the whole stay."""
        return max(self.power_max_kw[session])


def timed(call: Callable[[], T], runs: int) -> tuple[float, T]:
    """Median seconds of ``runs`` calls after one that is not counted, and the last result."""
    result = call()
    seconds = []
    for _ in range(runs):
        begun = time.perf_counter()
        result = call()
        seconds.append(time.perf_counter() - begun)
    return statistics.median(seconds), result


def main(solve: Callable[[Problem], dict[str, Any]]) -> None:
    """Read the problem, solve, print the answer."""
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # solvers write to the file descriptor, past sys.stdout
    answer = solve(Problem(**json.load(sys.stdin)))
    with out:
        json.dump(answer, out)
