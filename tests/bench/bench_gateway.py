"""The gateway beside plain ``ocpp``, Node's ``ocpp-rpc`` and two bounds, under the same load in the same run.

``gateway/README.md`` says what is measured and how. Ratios are the figures with a target: each is taken inside a round,
in which all servers have their turn one after the other, and the row is the middle of the rounds.
"""

from __future__ import annotations

import contextlib
import tempfile
import time
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.bench.gateway import history, payloads
from tests.bench.gateway.harness import (
    Generator,
    ServerProcess,
    certificate,
    has_node_peer,
    medians,
    raise_file_limit,
    row,
    started,
    window_s,
)

ROUNDS = 3
WINDOW_S = 1.5
WARM_S = 0.4
LINKS, IDLE_LINKS, STORM_LINKS, PUSH_LINKS = 100, 2_000, 2_000, 1_000
FIRST_LINKS = 1_000
PUSHES = 3
SETTLE_S = 1.0
QUIET_RATE, BUSY_RATE = 200, 3_000
FIGURES = {
    "plain": "plain ocpp",
    "bound_a": "bound A, unvalidated websockets.serve",
    "bound_b": "bound B, unvalidated picows",
    "ours": "ours",
    "adapter": "ours, ocpp handlers mounted",
    "service": "ours, the whole service with SQLite",
    "rpc": "Node ocpp-rpc strict",
}
VERSUS_PLAIN = {"MeterValues": (20.0, 40.0), "TransactionEvent": (35.0, 60.0), "Heartbeat": (5.0, 12.0)}
Rows = list[dict[str, Any]]


def _names() -> list[str]:
    return ["plain", "bound_a", "bound_b", "ours", "adapter", "service", *(["rpc"] if has_node_peer() else [])]


def _throughput(generator: Generator, servers: Sequence[ServerProcess]) -> Rows:
    """Messages per CPU-second of the server, all payloads."""
    seconds = window_s(WINDOW_S)
    found: dict[tuple[str, str], list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for action, ocpp, _ in payloads.CALLS:
            for server in servers:
                if server.name == "service" and action != "MeterValues":
                    continue
                said = generator.run(
                    "throughput", server, ocpp, n=LINKS, frame=generator.frames[action], seconds=seconds, warm=WARM_S
                )
                if said["wrong"] or said["lost"] or not said["good"]:
                    raise RuntimeError(f"{server.name}, {action}: {said}")
                found[server.name, action].append(said["good"] / said["server_cpu_s"])
    rows: Rows = []
    suffix = generator.label
    for action, (target, goal) in VERSUS_PLAIN.items():
        ours, plain = found["ours", action], found["plain", action]
        rows.append(row(f"{action} vs plain ocpp{suffix}", _over(ours, plain), "x", target, goal, better="higher"))
        ratio = _over(found["adapter", action], plain)
        rows.append(row(f"{action}, ocpp handlers mounted, vs plain{suffix}", ratio, "x", better="higher"))
        if ("rpc", action) in found:
            ratio = _over(ours, found["rpc", action])
            rows.append(row(f"{action} vs Node ocpp-rpc strict{suffix}", ratio, "x", 1.0, 2.5, better="higher"))
    share = _over(found["ours", "MeterValues"], found["bound_b", "MeterValues"])
    rows.append(row(f"MeterValues, share of bound B{suffix}", share, "x", 0.5, 0.9, better="higher"))
    for (name, action), rates in found.items():
        rows.append(row(f"{action}, {FIGURES[name]}{suffix}", medians(rates), "msg/CPU-s", better="higher"))
    return rows


def _over(some: Sequence[float], others: Sequence[float]) -> float:
    """The middle of the ratios inside the rounds."""
    return medians([a / b for a, b in zip(some, others, strict=True)])


def _latency(generator: Generator, servers: Sequence[ServerProcess]) -> Rows:
    """From a CALL to its CALLRESULT at a fixed rate; no target, the figures say where the tail is."""
    seconds = max(window_s(WINDOW_S), 1.0) * 2
    found: dict[tuple[str, int, str], list[float]] = defaultdict(list)
    asked = [(s, QUIET_RATE) for s in servers if s.name in {"plain", "ours", "rpc"}]
    asked += [(s, BUSY_RATE) for s in servers if s.name == "ours"]
    for _ in range(ROUNDS):
        for server, rate in asked:
            frame = generator.frames["MeterValues"]
            said = generator.run("rate", server, n=LINKS, frame=frame, seconds=seconds, warm=WARM_S, rate=rate)
            for part in ("p50", "p99"):
                found[server.name, rate, part].append(said[f"{part}_ms"])
    return [
        row(f"{part} of an answer at {rate} MeterValues/s, {FIGURES[name]}{generator.label}", medians(times), "ms")
        for (name, rate, part), times in found.items()
    ]


def _storm(generator: Generator, servers: Sequence[ServerProcess]) -> Rows:
    """All stations at once, until the last has booted."""
    found: dict[str, list[float]] = defaultdict(list)
    for _ in range(ROUNDS):
        for server in servers:
            said = generator.run("storm", server, n=STORM_LINKS)
            if said["ready"] != STORM_LINKS:
                raise RuntimeError(f"{server.name}: {said['ready']} of {STORM_LINKS} stations came through the storm")
            found[server.name].append(said["wall_s"])
            time.sleep(SETTLE_S)  # it is still closing those links
    name = f"storm of {STORM_LINKS:,}, all booted{generator.label}"
    rows = [row(f"{name}, vs plain ocpp", _over(found["ours"], found["plain"]), "x", 0.8, 0.5)]
    return rows + [row(f"{name}, {FIGURES[n]}", medians(times), "s") for n, times in found.items()]


def _push(generator: Generator, servers: Sequence[ServerProcess]) -> Rows:
    """SetChargingProfile to all stations, until the last answer was taken."""
    found: dict[str, list[float]] = defaultdict(list)
    with contextlib.ExitStack() as stack:
        for server in servers:
            held = stack.enter_context(generator.held("stations", server, n=PUSH_LINKS))
            if held.first["ready"] != PUSH_LINKS:
                raise RuntimeError(f"{server.name}: {held.first}")
        for number in range(PUSHES * ROUNDS):
            for server in servers:
                begun = time.perf_counter()
                said = server.say("push")
                taken_s = time.perf_counter() - begun
                if said != f"pushed {PUSH_LINKS}":
                    raise RuntimeError(f"{server.name}: {said} of {PUSH_LINKS}")
                if number:  # the first one compiles and imports
                    found[server.name].append(taken_s)
    name = f"SetChargingProfile to {PUSH_LINKS:,}, last answer{generator.label}"
    rows = [row(f"{name}, vs plain ocpp", _over(found["ours"], found["plain"]), "x", 1 / 8, 1 / 12)]
    if "rpc" in found:
        rows.append(row(f"{name}, vs Node ocpp-rpc strict", _over(found["ours"], found["rpc"]), "x", 1 / 2, 1 / 3))
    return rows + [row(f"{name}, {FIGURES[n]}", 1e3 * medians(times), "ms") for n, times in found.items()]


def _memory(generator: Generator, folder: Path) -> Rows:
    """What a link costs that has booted and is silent: growth of resident memory over 2,000 of them.

    A thousand others are there before: what the start left free in the heap is theirs.
    """
    server_pem, ca_pem = certificate(folder)
    rows: Rows = []
    for name, kind, options, link, target, goal in (
        ("ours", "", (), {}, 16.0, 8.0),
        ("ours", ", deflate", ("--deflate",), {"deflate": 1}, None, 26.0),
        ("ours", ", TLS", ("--certificate", str(server_pem)), {"ca": ca_pem}, None, 36.0),
        ("plain", "", (), {}, None, None),
        ("plain", ", deflate", ("--deflate",), {"deflate": 1}, None, None),
    ):
        with started(name, folder, *options) as server, generator.held("idle", server, n=FIRST_LINKS, **link):
            before = _settled_bytes(server)
            with generator.held("idle", server, n=IDLE_LINKS, **link):
                each_kib = (_settled_bytes(server) - before) / IDLE_LINKS / 1024
        rows.append(row(f"idle connection of {IDLE_LINKS:,}{kind}, {FIGURES[name]}", each_kib, "KiB", target, goal))
    return rows


def _settled_bytes(server: ServerProcess) -> int:
    time.sleep(SETTLE_S)
    server.say("collect")
    return server.rss_bytes()


def run() -> Rows:
    """Everything."""
    raise_file_limit()
    rows: Rows = []
    with tempfile.TemporaryDirectory() as place, contextlib.ExitStack() as stack:
        folder = Path(place)
        generator = Generator.made(folder)
        servers = [stack.enter_context(started(name, folder)) for name in _names()]
        rows += _throughput(generator, servers)
        rows += _latency(generator, servers)
        peers = [s for s in servers if s.name in {"plain", "ours", "rpc"}]
        rows += _storm(generator, peers)
        rows += _push(generator, peers)
        rows += _memory(generator, folder)
        rows += history.ingest(folder)
        rows += history.month(folder)
    return rows
