"""A site with thousands of connectors, in a process of its own so that its memory can be read: prints one JSON line."""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from solvers import Status, solve, solve_greedy
from solvers.check import faults
from tests.support.instances import an_instance

TIMEOUT_S = 300.0
STATUS = Path("/proc/self/status")


def peak_mib() -> float:
    """The most memory this process ever held. Linux' own figure where there is one: rusage counts the parent's too."""
    if STATUS.exists():
        line = next(x for x in STATUS.read_text(encoding="ascii").splitlines() if x.startswith("VmHWM"))
        return float(line.split()[1]) / 1024.0
    unit = 1024.0**2 if sys.platform == "darwin" else 1024.0
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit


def measure(n_sessions: int, n_steps: int) -> dict[str, Any]:
    """One cold solve, then the rule three times; seconds, MiB before the rule ran, and the rule's faults."""
    problem = an_instance(n_sessions, n_steps, 0)
    begun = time.perf_counter()
    solution = solve(problem)
    program_s = time.perf_counter() - begun
    if solution.status is not Status.OPTIMAL:
        raise RuntimeError(f"{n_sessions} x {n_steps}: {solution.status}: {solution.reason}")
    memory = peak_mib()
    rule_s = []
    for _ in range(3):
        begun = time.perf_counter()
        plan = solve_greedy(problem)
        rule_s.append(time.perf_counter() - begun)
    return {
        "program_s": program_s,
        "rule_s": sorted(rule_s)[1],
        "faults": len(faults(problem, plan)),
        "peak_mib": memory,
    }


def in_own_process(n_sessions: int, n_steps: int) -> dict[str, Any]:
    """``measure`` in a fresh interpreter."""
    command = [sys.executable, "-m", "tests.bench.solver.big", str(n_sessions), str(n_steps)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    if ended.returncode:
        raise RuntimeError(f"{n_sessions} x {n_steps} failed: {ended.stderr[-2000:]}")
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


if __name__ == "__main__":
    print(json.dumps(measure(int(sys.argv[1]), int(sys.argv[2]))))
