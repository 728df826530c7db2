"""Two thousand links to the whole gateway with authentication, a tenth of them hostile: what do the healthy notice?

Without the hostile ones, with them, and without them again, over the same healthy links: "without" is the mean of before and
after, because a machine is not equally fast for ten minutes. ``gateway/hostile.py`` says what the hostile ones do.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.bench.gateway.harness import (
    Generator,
    Held,
    ServerProcess,
    ended,
    medians,
    raise_file_limit,
    row,
    started,
    window_s,
)

HEALTHY, HOSTILE = 1_800, 200
EVERY_S = 5.0
"""Between two messages of a healthy station: Heartbeat of one half, MeterValues of the other."""
HOSTILE_S = 300.0
GONE_S = 5.0
"""Until what the hostile ones left is away."""
SLICE_S = 1.0


def run() -> list[dict[str, Any]]:
    """Healthy p99 with and without, memory, lost links. ``LOADMGR_BENCH_SECONDS`` is the hostile time."""
    raise_file_limit()
    hostile_s = window_s(HOSTILE_S)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        generator = Generator.made(folder)
        options = ("--stations", str(HEALTHY + HOSTILE), "--usual-limits")
        with started("gateway", folder, *options) as server:
            frames = {"frame": generator.frames["Heartbeat"], "frame2": generator.frames["MeterValues"]}
            with generator.held("rate", server, n=HEALTHY, rate=HEALTHY / EVERY_S, seconds=0, **frames) as healthy:
                if healthy.first["ready"] != HEALTHY:
                    raise RuntimeError(f"not all healthy stations came in: {healthy.first}")
                return _measured(server, healthy, hostile_s, generator.label)


def _measured(server: ServerProcess, healthy: Held, hostile_s: float, label: str) -> list[dict[str, Any]]:
    _onboarded(healthy, max(hostile_s, 60.0))
    calm_s = max(hostile_s / 5, 2 * EVERY_S)
    time.sleep(calm_s)
    before = healthy.mark()
    rss_bytes, said = _attacked(server, hostile_s)
    beside = healthy.mark()
    time.sleep(GONE_S)
    healthy.mark()
    time.sleep(calm_s)
    after = healthy.mark()
    print("hostile stations did:", json.dumps(said))
    for when, found in (("before", before), ("beside", beside), ("after", after)):
        print(f"healthy {when} them:", json.dumps(found))
    without = {key: (before[key] + after[key]) / 2 for key in before}
    after_warm_up = medians(rss_bytes[len(rss_bytes) // 5 : len(rss_bytes) * 3 // 10 + 1])
    at_end = medians(rss_bytes[-max(len(rss_bytes) // 10, 1) :])
    hostile = f"{HOSTILE} of {HEALTHY + HOSTILE:,} hostile for {hostile_s:.0f} s"
    return [
        row(f"{hostile}: healthy p99 with / without{label}", beside["p99_ms"] / without["p99_ms"], "x", 2.0),
        row(f"{hostile}: memory at the end / after warm-up", at_end / after_warm_up, "x", 1.05),
        row(f"{hostile}: healthy links lost", beside["lost"], "links", 0),
        row(f"{hostile}: wrong or missing answers to healthy", beside["wrong"], "answers", 0),
        row(f"healthy without: p50{label}", without["p50_ms"], "ms"),
        row(f"healthy without: p99, before{label}", before["p99_ms"], "ms"),
        row(f"healthy without: p99, after{label}", after["p99_ms"], "ms"),
        row(f"healthy with: p50{label}", beside["p50_ms"], "ms"),
        row(f"healthy with: p99{label}", beside["p99_ms"], "ms"),
        row("CPU of the server without", without["server_cpu_s"] / without["wall_s"], "s/s"),
        row("CPU of the server with", beside["server_cpu_s"] / beside["wall_s"], "s/s"),
        row("memory of the server at the end", at_end / 2**20, "MiB"),
    ]


def _onboarded(healthy: Held, most_s: float) -> None:
    """Wait until what follows the boots is over: fewer CALLs to stations than one in a minute for each."""
    until = time.monotonic() + most_s
    before = healthy.mark()["called"]
    while time.monotonic() < until:
        time.sleep(EVERY_S)
        now = healthy.mark()["called"]
        if now - before < HEALTHY / 60 * EVERY_S:
            return
        before = now
    print(f"the gateway did not come to rest in {most_s:.0f} s: it still sets up stations while it is measured")


def _attacked(server: ServerProcess, seconds: float) -> tuple[list[float], dict[str, int]]:
    """(resident memory once a second, what the hostile ones did)."""
    numbers = (server.port, HEALTHY, HOSTILE, HEALTHY)
    command = [sys.executable, "-m", "tests.bench.gateway.hostile", *(str(n) for n in numbers)]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        until = time.monotonic() + seconds
        rss: list[float] = []
        while time.monotonic() < until:
            time.sleep(SLICE_S)
            rss.append(float(server.rss_bytes()))
            if process.poll() is not None:
                raise RuntimeError("the hostile stations ended by themselves")
    finally:
        ended(process)
    found: dict[str, int] = json.loads(process.stdout.readline())
    return rss, found
