"""Server processes, the load generator, and rows of the table."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

import psutil
import trustme

from tests.bench.gateway import payloads
from tests.bench.gateway.payloads import HOST, PASSWORD

HERE = Path(__file__).parent
INTEROP = HERE.parents[1] / "interop"
PREFIX = "/ocpp/B-"
START_TIMEOUT_S = 60


def window_s(default: float) -> float:
    """Seconds to measure: ``LOADMGR_BENCH_SECONDS``, or what the benchmark takes by itself."""
    return float(os.environ.get("LOADMGR_BENCH_SECONDS", default))


def raise_file_limit() -> None:
    """Thousands of sockets need more than the usual 1,024 files; children inherit the limit."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


def _line(pipe: IO[str] | None, what: str) -> str:
    assert pipe is not None
    found = pipe.readline()
    if not found:
        raise RuntimeError(f"{what} ended before it answered")
    return found.strip()


@dataclass(slots=True)
class ServerProcess:
    """One of the servers that are compared."""

    name: str
    process: subprocess.Popen[str]
    port: int
    password: str | None = None

    def say(self, line: str) -> str:
        """Send a line and return the answer."""
        assert self.process.stdin is not None
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return _line(self.process.stdout, self.name)

    def rss_bytes(self) -> int:
        """Resident memory."""
        found: int = psutil.Process(self.process.pid).memory_info().rss
        return found


@contextmanager
def started(name: str, folder: Path, *options: str) -> Iterator[ServerProcess]:
    """A server of ``servers.py``, or ``rpc`` on Node.js; it ends with the block."""
    command = [sys.executable, "-m", "tests.bench.gateway.servers", name, "--folder", str(folder), *options]
    if name == "rpc":
        command = ["node", str(HERE / "rpc_server.mjs"), str(INTEROP), json.dumps(payloads.charging_profile())]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        port = int(_line(process.stdout, name).removeprefix("ready "))
        yield ServerProcess(name, process, port, PASSWORD if name in {"gateway", "service"} else None)
    finally:
        ended(process)


def ended(process: subprocess.Popen[str]) -> None:
    """End a process by the end of its stdin; what it prints last can be read afterwards."""
    assert process.stdin is not None
    process.stdin.close()
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def has_node_peer() -> bool:
    """Can ``ocpp-rpc`` run here? It is the installation of the interop tests; what is missing is said."""
    npm = shutil.which("npm")
    if shutil.which("node") is None or npm is None:
        print("no Node.js and npm here: the rows beside ocpp-rpc are left out")
        return False
    if (INTEROP / "node_modules" / "ocpp-rpc").is_dir():
        return True
    command = [npm, "ci", "--omit=dev", "--no-audit", "--no-fund"]
    done = subprocess.run(command, cwd=INTEROP, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
        print(f"ocpp-rpc cannot be installed, its rows are left out: {reason}")
    return done.returncode == 0


@dataclass(slots=True)
class Generator:
    """The load generator: the compiled one where there is a C compiler, else the same in Python."""

    command: tuple[str, ...]
    frames: dict[str, Path]
    label: str = ""
    """For the names of rows: empty for the compiled one."""
    idle_command: tuple[str, ...] = field(default=(sys.executable, "-m", "tests.bench.gateway.load"))

    @classmethod
    def made(cls, folder: Path) -> Generator:
        """Compile it, write its frames."""
        frames = payloads.files(folder)
        compiler = next((c for c in ("cc", "gcc", "clang") if shutil.which(c)), None)
        binary = folder / "load"
        if compiler is not None:
            done = subprocess.run(
                [compiler, "-O2", "-o", str(binary), str(HERE / "load.c")], capture_output=True, text=True, check=False
            )
            if done.returncode == 0:
                return cls((str(binary),), frames)
            print(f"load.c cannot be compiled here: {done.stderr.strip()[:300]}")
        return cls((sys.executable, "-m", "tests.bench.gateway.load"), frames, " (load generator in Python)")

    def _arguments(self, mode: str, server: ServerProcess, ocpp: str, more: Mapping[str, Any]) -> list[str]:
        options = {
            "port": server.port,
            "path": PREFIX,
            "protocol": f"ocpp{ocpp}",
            "pid": server.process.pid,
            "boot": self.frames[f"boot{ocpp}"],
            **more,
        }
        if server.password is not None:
            options["password"] = server.password
        return [mode, *(f"{key}={value}" for key, value in options.items())]

    def run(self, mode: str, server: ServerProcess, ocpp: str = "1.6", **more: Any) -> dict[str, Any]:
        """Run to the end and return what it says."""
        command = [*self.command, *self._arguments(mode, server, ocpp, more)]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=600)
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    @contextmanager
    def held(self, mode: str, server: ServerProcess, ocpp: str = "1.6", **more: Any) -> Iterator[Held]:
        """Links that stay until the block ends."""
        program = self.idle_command if mode == "idle" else self.command
        command = [*program, *self._arguments(mode, server, ocpp, more)]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        try:
            yield Held(process, json.loads(_line(process.stdout, "the load generator")))
        finally:
            ended(process)


@dataclass(slots=True)
class Held:
    """A load generator at work. ``first`` is what it said when all links were up."""

    process: subprocess.Popen[str]
    first: dict[str, Any]

    def mark(self) -> dict[str, Any]:
        """What happened since the last mark (mode ``rate`` only)."""
        assert self.process.stdin is not None
        self.process.stdin.write("mark\n")
        self.process.stdin.flush()
        found: dict[str, Any] = json.loads(_line(self.process.stdout, "the load generator"))
        return found


def certificate(folder: Path) -> tuple[Path, Path]:
    """(key and chain of a server, CA), made for this run."""
    authority = trustme.CA()
    server, root = folder / "server.pem", folder / "ca.pem"
    authority.issue_cert(HOST).private_key_and_cert_chain_pem.write_to_path(str(server))
    authority.cert_pem.write_to_path(str(root))
    return server, root


def row(
    name: str,
    value: float,
    unit: str,
    target: float | None = None,
    goal: float | None = None,
    *,
    better: str = "lower",
) -> dict[str, Any]:
    """A row; ``goal`` is what comes after the target."""
    met = None if target is None else (value >= target if better == "higher" else value <= target)
    return {"name": name, "value": value, "unit": unit, "better": better, "target": target, "goal": goal, "met": met}


def medians(rounds: Sequence[float]) -> float:
    """The middle of the rounds."""
    ordered = sorted(rounds)
    return ordered[len(ordered) // 2]
