"""The load generator without a C compiler, and what needs no speed: links that stay idle, plain, deflated or in TLS.

``python -m tests.bench.gateway.load MODE key=value ...`` takes what ``load.c`` takes and prints the same lines. It costs
about twenty times the CPU per message, so on two cores its wall-clock figures are its own, not the server's; messages
per CPU-second of the server stay right. Mode ``idle`` is here only: ``n`` links one after the other, each boots, then all
wait for the end of stdin. ``deflate=1`` offers and uses permessage-deflate, ``ca=FILE`` connects over TLS.
"""

from __future__ import annotations

import base64
import heapq
import json
import os
import resource
import selectors
import socket
import ssl
import statistics
import struct
import sys
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

HOST = "127.0.0.1"
MASK = bytes.fromhex("37fa213d")
ID_FROM, ID_SIZE = 4, 10
GIVE_UP_S = 90.0
AT_ONCE = 200
TEXT, CLOSE, PING, PONG = 1, 8, 9, 10
EMPTY_TAIL = b"\x00\x00\xff\xff"


def cpu_s(pid: int) -> float:
    """CPU time of a process, user and system, in s."""
    return time.clock_gettime((~pid << 3) | 2) if pid else 0.0  # the clock that clock_getcpuclockid(3) returns


def masked(payload: bytes, opcode: int = TEXT, *, is_deflated: bool = False) -> bytes:
    """A frame as a client sends it."""
    first = 0x80 | opcode | (0x40 if is_deflated else 0)
    size = len(payload)
    if size < 126:
        head = struct.pack("!BB", first, 0x80 | size)
    elif size < 65_536:
        head = struct.pack("!BBH", first, 0x80 | 126, size)
    else:
        head = struct.pack("!BBQ", first, 0x80 | 127, size)
    mask = (MASK * (size // 4 + 1))[:size]
    return head + MASK + (int.from_bytes(payload, "big") ^ int.from_bytes(mask, "big")).to_bytes(size, "big")


def taken(data: bytes) -> tuple[int, bytes, int] | None:
    """(first byte, payload, bytes used) of the frame that data begins with, if it is whole."""
    if len(data) < 2:
        return None
    size, at = data[1] & 127, 2
    if size == 126:
        size, at = (int.from_bytes(data[2:4], "big"), 4) if len(data) >= 4 else (0, 5)
    elif size == 127:
        size, at = (int.from_bytes(data[2:10], "big"), 10) if len(data) >= 10 else (0, 11)
    if len(data) < at + size:
        return None
    return data[0], data[at : at + size], at + size


def upgrade(options: Mapping[str, str], number: int, extra: str = "") -> bytes:
    """The request of one link."""
    path = f"{options['path']}{number}"
    if "password" in options:
        login = f"{path.rpartition('/')[2]}:{options['password']}"
        extra += f"Authorization: Basic {base64.b64encode(login.encode()).decode()}\r\n"
    return (
        f"GET {path} HTTP/1.1\r\nHost: {HOST}:{options['port']}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
        f"Sec-WebSocket-Protocol: {options['protocol']}\r\n{extra}\r\n"
    ).encode()


def answer_to(action: str) -> dict[str, str]:
    """What a station says to a CALL."""
    if action == "GetConfiguration":
        return {}
    return {"status": "Rejected" if action == "GetCompositeSchedule" else "Accepted"}


# -- idle links --------------------------------------------------------------------------------------------------------


def _exactly_one(wire: socket.socket) -> tuple[int, bytes]:
    data = b""
    while (found := taken(data)) is None:
        more = wire.recv(65_536)
        if not more:
            raise ConnectionError("the server closed an idle link")
        data += more
    return found[0], found[1]


def _idle_link(options: Mapping[str, str], number: int, context: ssl.SSLContext | None) -> socket.socket:
    wire: socket.socket = socket.create_connection((HOST, int(options["port"])), GIVE_UP_S)
    if context is not None:
        wire = context.wrap_socket(wire, server_hostname=HOST)
    wants_deflate = options.get("deflate") == "1"
    offer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n" if wants_deflate else ""
    wire.sendall(upgrade(options, number, offer))
    head = b""
    while b"\r\n\r\n" not in head:
        head += wire.recv(1)
    if not head.startswith(b"HTTP/1.1 101"):
        raise ConnectionError(f"refused: {head[:60]!r}")
    if wants_deflate and b"permessage-deflate" not in head:
        raise ConnectionError("the server does not compress")
    unpacker = zlib.decompressobj(-15)
    for _ in range(2):  # the second message meets what the first one left in the server
        text = Path(options["boot"]).read_bytes().strip()
        if wants_deflate:
            packer = zlib.compressobj(6, zlib.DEFLATED, -9)
            text = (packer.compress(text) + packer.flush(zlib.Z_SYNC_FLUSH)).removesuffix(EMPTY_TAIL)
        wire.sendall(masked(text, is_deflated=wants_deflate))
        first, payload = _exactly_one(wire)
        if first & 0x40:
            payload = unpacker.decompress(payload + EMPTY_TAIL)
        if not payload.startswith(b"[3"):
            raise ConnectionError(f"no boot: {payload[:80]!r}")
    return wire


def idle(options: Mapping[str, str]) -> None:
    """Open links that boot and then stay silent."""
    context = ssl.create_default_context(cafile=options["ca"]) if "ca" in options else None
    wires = [_idle_link(options, number, context) for number in range(int(options["n"]))]
    print(json.dumps({"ready": len(wires)}), flush=True)
    sys.stdin.read()
    for wire in wires:
        wire.close()


# -- links at work -----------------------------------------------------------------------------------------------------


@dataclass(slots=True, eq=False)
class Link:
    """One connection."""

    number: int
    wire: socket.socket
    state: str = "connecting"
    data: bytes = b""
    template: bytes = b""
    id: str = ""
    n_sent: int = 0
    turn: int = 0
    since_s: float = 0.0
    is_open: bool = False


@dataclass(slots=True)
class Load:
    """All links of a run; see ``load.c`` for what each mode does."""

    mode: str
    options: dict[str, str]
    links: list[Link] = field(default_factory=list)
    selector: selectors.BaseSelector = field(default_factory=selectors.DefaultSelector)
    latencies_s: list[float] = field(default_factory=list)
    due: list[tuple[float, int]] = field(default_factory=list)
    n_good: int = 0
    n_wrong: int = 0
    n_called: int = 0
    n_lost: int = 0
    n_ready: int = 0
    is_running: bool = False
    begun_s: float = 0.0
    last_s: float = 0.0
    from_s: float = 0.0
    cpu_from_s: float = 0.0
    n: int = 0
    rate: float = 0.0

    def run(self) -> None:
        """Connect, measure, report."""
        self.n, self.rate = int(self.options["n"]), float(self.options.get("rate", 0))
        cpu_before = cpu_s(self._pid)
        self._connect_all()
        seconds = float(self.options.get("seconds", 3))
        by_line = self.rate > 0 and seconds <= 0
        if self.mode in {"storm", "stations"} or by_line:
            wall = self.last_s - self.begun_s
            cpu = cpu_s(self._pid) - cpu_before
            said = {"ready": self.n_ready, "lost": self.n_lost, "wall_s": wall, "server_cpu_s": cpu}
            print(json.dumps(said), flush=True)
        if self.mode == "stations":
            self.selector.register(sys.stdin, selectors.EVENT_READ, None)
            while self._turn(1.0) >= 0:
                pass
        elif self.mode != "storm":
            self._measure(seconds, by_line=by_line)
        for link in self.links:
            if link.state != "lost":
                self._put(link, masked(b"\x03\xe8", CLOSE))

    @property
    def _pid(self) -> int:
        return int(self.options.get("pid", 0))

    def _connect_all(self) -> None:
        self.begun_s = time.monotonic()
        until = self.begun_s + GIVE_UP_S
        at_once = self.n if self.mode == "storm" else AT_ONCE
        for number in range(self.n):
            wire = socket.socket()
            wire.setblocking(False)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            wire.connect_ex((HOST, int(self.options["port"])))
            link = Link(number, wire)
            self.links.append(link)
            self.selector.register(wire, selectors.EVENT_WRITE, link)
            while number + 1 - self.n_ready - self.n_lost >= at_once and time.monotonic() < until:
                self._turn(0.1)
        while self.n_ready + self.n_lost < self.n and time.monotonic() < until:
            self._turn(0.1)

    def _measure(self, seconds: float, *, by_line: bool) -> None:
        self._begin_window()
        self.begun_s, self.is_running = self.from_s, True
        warm_until = self.from_s + float(self.options.get("warm", 0.5))
        until = warm_until + seconds
        is_warm = by_line
        if by_line:
            self.selector.register(sys.stdin, selectors.EVENT_READ, None)
        for link in self.links:
            if link.state == "ready":
                self._next(link, self.from_s, was_held=False)
        while by_line or time.monotonic() < until:
            wait = min(max(self.due[0][0] - time.monotonic(), 0.0), 0.05) if self.due else 0.05
            said = self._turn(wait)
            now = time.monotonic()
            while self.due and self.due[0][0] <= now:
                link = self.links[heapq.heappop(self.due)[1]]
                if not link.is_open and link.state == "ready":
                    self._next(link, now, was_held=False)
            if not is_warm and now >= warm_until:
                is_warm = True
                self._begin_window()
            if said < 0:
                return
            if said > 0:
                self._report()
                self._begin_window()
        self._report()

    def _begin_window(self) -> None:
        self.n_good = self.n_wrong = 0
        self.latencies_s.clear()
        self.from_s, self.cpu_from_s = time.monotonic(), cpu_s(self._pid)

    def _report(self) -> None:
        sorted_ms = sorted(1e3 * s for s in self.latencies_s) or [0.0]

        def at(frac: float) -> float:
            return sorted_ms[round(frac * (len(sorted_ms) - 1))]

        found: dict[str, Any] = {
            "good": self.n_good,
            "wrong": self.n_wrong,
            "lost": self.n_lost,
            "ready": self.n_ready,
            "called": self.n_called,
            "wall_s": time.monotonic() - self.from_s,
            "server_cpu_s": cpu_s(self._pid) - self.cpu_from_s,
            "load_cpu_s": time.process_time(),
            "p50_ms": statistics.median(sorted_ms),
            "p99_ms": at(0.99),
            "p999_ms": at(0.999),
            "max_ms": sorted_ms[-1],
        }
        print(json.dumps(found), flush=True)

    # -- one link ------------------------------------------------------------------------------------------------------

    def _turn(self, timeout_s: float) -> int:
        said = 0
        for key, _ in self.selector.select(timeout_s):
            link: Link | None = key.data
            if link is None:
                said = 1 if os.read(sys.stdin.fileno(), 256) else -1
            elif link.state == "connecting":
                link.state = "upgrading"
                self.selector.modify(link.wire, selectors.EVENT_READ, link)
                self._put(link, upgrade(self.options, link.number))
            else:
                self._read(link)
        return said

    def _lose(self, link: Link) -> None:
        if link.state != "lost":
            self.n_ready -= link.state == "ready"
            link.state = "lost"
            self.n_lost += 1
            self.selector.unregister(link.wire)
            link.wire.close()

    def _put(self, link: Link, data: bytes) -> None:
        try:
            link.wire.setblocking(True)
            link.wire.sendall(data)
            link.wire.setblocking(False)
        except OSError:
            self._lose(link)

    def _read(self, link: Link) -> None:
        try:
            data = link.wire.recv(65_536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._lose(link)
            return
        link.data += data
        now = time.monotonic()
        if link.state == "upgrading":
            head, end, rest = link.data.partition(b"\r\n\r\n")
            if not end:
                return
            if not head.startswith(b"HTTP/1.1 101"):
                self._lose(link)
                return
            link.data = rest
            if "boot" in self.options:
                link.state = "booting"
                link.template = Path(self.options["boot"]).read_bytes().strip()
                self._ask(link, now)
            else:
                self._is_up(link)
        while link.state != "lost" and (found := taken(link.data)) is not None:
            link.data = link.data[found[2] :]
            self._on_frame(link, found[0] & 15, found[1], now)

    def _is_up(self, link: Link) -> None:
        link.state = "ready"
        self.n_ready += 1
        name = "frame2" if link.number % 2 and "frame2" in self.options else "frame"
        if name in self.options:
            link.template = Path(self.options[name]).read_bytes().strip()

    def _on_frame(self, link: Link, opcode: int, payload: bytes, now: float) -> None:
        if opcode == PING:
            self._put(link, masked(payload, PONG))
        elif opcode == CLOSE:
            self._lose(link)
        elif opcode == TEXT:
            frame = json.loads(payload)
            if frame[0] == 3:
                self._on_result(link, frame, now)
            elif frame[0] == 2:
                self.n_called += 1
                self._put(link, masked(json.dumps([3, frame[1], answer_to(frame[2])]).encode()))
            else:
                self.n_wrong += 1
                if frame[0] == 4 and link.is_open and link.state == "ready":
                    link.is_open = False
                    if self.is_running and not self.rate:
                        self._ask(link, now)
        elif opcode != PONG:
            self.n_wrong += 1

    def _on_result(self, link: Link, frame: list[Any], now: float) -> None:
        if not link.is_open or frame[1] != link.id or not isinstance(frame[2], dict):
            self.n_wrong += 1
            return
        link.is_open = False
        if link.state == "booting":
            self.last_s = now
            self._is_up(link)
            return
        self.n_good += 1
        self.latencies_s.append(now - link.since_s)
        if self.is_running:
            self._next(link, now, was_held=True)

    def _next(self, link: Link, now: float, *, was_held: bool) -> None:
        if not self.rate:
            self._ask(link, now)
            return
        due = self.begun_s + (link.turn * self.n + link.number) / self.rate
        if due > now:
            heapq.heappush(self.due, (due, link.number))
            return
        link.turn += 1
        self._ask(link, due if was_held else now)

    def _ask(self, link: Link, since_s: float) -> None:
        link.id = f"{link.number % 10_000:04d}{link.n_sent % 1_000_000:06d}"
        link.n_sent += 1
        link.is_open, link.since_s = True, since_s
        self._put(link, masked(link.template[:ID_FROM] + link.id.encode() + link.template[ID_FROM + ID_SIZE :]))


def main() -> None:
    """Run one mode."""
    options = {"n": "100", "path": "/", "protocol": "ocpp1.6", **dict(a.split("=", 1) for a in sys.argv[2:])}
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    if sys.argv[1] == "idle":
        idle(options)
    else:
        Load(sys.argv[1], options).run()


if __name__ == "__main__":
    main()
