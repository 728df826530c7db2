"""From a meter value that shows an overload arriving on the socket to the first SetChargingProfile leaving.

Measured at the charger's end of real sockets: the frame with the main meter's overload is sent, and the first
SetChargingProfile that any station receives stops the watch. The bound is a bare websocket echo on the same event
loop in the same run, taken in turns, so the figure is a ratio and holds on any machine.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import ServerConnection, serve

from loadmgr.control.state import FailsafeState, SiteState, evse_bounds
from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.wiring import build_manager, gateway_of
from tests.support.chargers import Raw, header, start

ROUNDS = 7
LIMIT_A = 8.0
STEP_FRAC = 0.15
"""Every round the uncontrolled load rises by this part of the limit: more than the margin, so it is an overload."""
LEAST = 10
REPEATS = {54: 4, 500: 2}
PASSWORD = "bench-password-0001"


def _site(folder: Path, n: int) -> Settings:
    ids = ", ".join(f'"B-{i}"' for i in range(n))
    text = f"""
format = 1
[site]
id = "bench"
[nodes.grid]
current_a = {LIMIT_A * n}
meter = "B-0/0"
base_max_a = {LIMIT_A * n / 2}
[[station_groups]]
ids = [{ids}]
node = "grid"
phases = 3
password = "{PASSWORD}"
[control]
increase_interval_s = 10
[ocpp]
listen = "127.0.0.1:0"
"""
    place = folder / "bench.toml"
    place.write_text(text)
    return on_any_port(Settings.load(place), f"sqlite:///{folder / 'bench.db'}")


async def _echo(socket: ServerConnection) -> None:
    async for message in socket:
        await socket.send(message)


def _overload(total_a: float) -> str:
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    values = [
        {"value": f"{total_a:.1f}", "measurand": "Current.Import", "phase": p, "unit": "A"} for p in ("L1", "L2", "L3")
    ]
    payload = {"connectorId": 0, "meterValue": [{"timestamp": stamp, "sampledValue": values}]}
    return json.dumps([2, f"o{time.monotonic_ns()}", "MeterValues", payload])


class Fleet:
    """All chargers on real sockets; ``hit`` is set when the next SetChargingProfile arrives anywhere."""

    def __init__(self) -> None:
        self.chargers: list[Raw] = []
        self.hit = asyncio.Event()
        self.hit_s = 0.0

    def watch(self, raw: Raw) -> None:
        answer = raw._answer

        def seen(frame: list[Any]) -> dict[str, Any]:
            if frame[2] == "SetChargingProfile" and not self.hit.is_set():
                self.hit_s = time.perf_counter()
                self.hit.set()
            return answer(frame)

        raw._answer = seen  # type: ignore[method-assign]


async def _connected(port: int, n: int, fleet: Fleet) -> list[asyncio.Task[None]]:
    readers = []
    for number in range(n):
        station = f"B-{number}"
        socket: ClientConnection = await connect(
            f"ws://127.0.0.1:{port}/ocpp/{station}",
            subprotocols=["ocpp1.6"],  # type: ignore[list-item]
            additional_headers=header(station, PASSWORD),
            compression=None,
            ping_interval=None,
        )
        raw = Raw(socket)
        fleet.chargers.append(raw)
        fleet.watch(raw)
        readers.append(asyncio.create_task(raw.read()))
        await raw.ask("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
    return readers


async def _measure(n: int) -> tuple[list[float], list[float]]:
    loops: list[float] = []
    echoes: list[float] = []
    with tempfile.TemporaryDirectory() as name:
        settings = _site(Path(name), n)
        async with (
            build_manager(settings) as manager,
            gateway_of(manager) as gateway,
            serve(_echo, "127.0.0.1", 0, compression=None) as server,
        ):
            assert gateway is not None
            fleet = Fleet()
            readers = await _connected(gateway.port, n, fleet)
            while any(s.failsafe is not FailsafeState.CONFIRMED for s in manager.state.stations.values()):
                await asyncio.sleep(0.05)
            for raw in fleet.chargers[: n // 2]:
                await raw.ask("StartTransaction", start())
            await fleet.chargers[0].send(_overload(1.0))
            port = next(iter(server.sockets)).getsockname()[1]
            async with connect(f"ws://127.0.0.1:{port}", compression=None) as echo:
                async with asyncio.timeout(60):
                    while _ordered_a(manager.state) < 0.85 * LIMIT_A * n:
                        await fleet.chargers[0].send(_overload(1.0))  # a silent meter would freeze increases
                        await asyncio.sleep(2.0)
                for number in range(ROUNDS):
                    echoes.append(await _echo_once(echo))
                    bounds = evse_bounds(manager.state, manager.site.root, manager.now())
                    total_a = max(bounds.high_a) + LIMIT_A * n * STEP_FRAC * (number + 1)
                    taken = await _loop_once(fleet, total_a)
                    if taken is not None:  # else the rise stayed inside what the margin absorbs, or all are paused
                        loops.append(taken)
            for reader in readers:
                reader.cancel()
            await asyncio.gather(*readers, return_exceptions=True)
            for raw in fleet.chargers:
                await raw.socket.close()
    return loops, echoes


def _ordered_a(state: SiteState) -> float:
    """What all cars are allowed together, A on the fullest phase."""
    orders = (e.last_order for e in state.evses.values())
    return sum(o.setpoint.current_a for o in orders if o is not None)


async def _echo_once(echo: ClientConnection) -> float:
    text = _overload(1.0)
    begun = time.perf_counter()
    await echo.send(text)
    await echo.recv()
    return time.perf_counter() - begun


async def _loop_once(fleet: Fleet, total_a: float) -> float | None:
    """One overload, and time for the cut to be answered; ``None`` when no cut followed within two seconds."""
    fleet.hit.clear()
    text = _overload(total_a)
    begun = time.perf_counter()
    await fleet.chargers[0].send(text)
    try:
        await asyncio.wait_for(fleet.hit.wait(), 2)
    except TimeoutError:
        return None
    taken = fleet.hit_s - begun
    await asyncio.sleep(0.3)
    return taken


def run() -> list[dict[str, Any]]:
    """p50 and p99 at 54 and 500 EVSEs, as ratios to the echo. Targets are ours: no peer offers this loop."""
    rows: list[dict[str, Any]] = []
    for n, target in ((54, 60.0), (500, 600.0)):
        loops: list[float] = []
        echoes: list[float] = []
        for _ in range(REPEATS[n]):
            more_loops, more_echoes = asyncio.run(_measure(n))
            loops += more_loops
            echoes += more_echoes
        echo = statistics.median(echoes)
        if len(loops) < LEAST:
            print(f"{n} EVSEs: only {len(loops)} overloads led to a cut within 2 s, too few for a figure; no row for it")
            continue
        for name, value in (("p50", statistics.median(loops)), ("p99", statistics.quantiles(loops, n=100)[98])):
            ratio = value / echo
            rows.append(_row(f"overload to SetChargingProfile, {n} EVSEs, {name}", ratio, "x echo", target))
        rows.append(_row(f"echo round trip, {n} EVSEs connected", echo * 1e6, "us", None))
    return rows


def _row(name: str, value: float, unit: str, target: float | None) -> dict[str, Any]:
    met = None if target is None else value <= target
    return {"name": name, "value": value, "unit": unit, "better": "lower", "target": target, "met": met}
