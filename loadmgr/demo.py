"""``make run``: the service with simulated chargers over real OCPP websockets, replaying a real day."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
import sys
import tempfile
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from loadmgr import logs
from loadmgr.control.view import evse_views, node_loads
from loadmgr.settings import Address, Settings
from loadmgr.sim.arrivals import days, real_day
from loadmgr.sim.clock import ScaledClock
from loadmgr.sim.scenario import Simulation, hurried, simulated
from loadmgr.wiring import Running, running

DAY = "2019-06-12"
BEGIN = time(8, 20)
"""The garage fills up; cars that came earlier that day are plugged in at once."""
app = typer.Typer(add_completion=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What the command line asks for."""

    site: Path
    day: date
    speed: float
    folder: Path
    seconds: float | None


@app.command()
def main(
    site: Annotated[Path, typer.Option(help="site file")] = Path("examples/garage.toml"),
    day: Annotated[str, typer.Option(help="day of real arrivals; see loadmgr/data/README.md")] = DAY,
    speed: Annotated[float, typer.Option(help="simulated seconds per real second", min=0.1, max=600)] = 60.0,
    folder: Annotated[Path | None, typer.Option(help="where database and log go; default: a temporary folder")] = None,
    seconds: Annotated[float | None, typer.Option(help="stop after so many real seconds")] = None,
) -> None:
    """Run the garage with 54 simulated stations until Ctrl-C."""
    chosen = date.fromisoformat(day)
    if chosen not in days():
        typer.echo(f"no arrivals for {day}; days: {', '.join(d.isoformat() for d in days())}", err=True)
        raise typer.Exit(2)
    with contextlib.ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="loadmgr-")))
        folder.mkdir(parents=True, exist_ok=True)
        stream = stack.enter_context((folder / "loadmgr.log").open("a", encoding="utf-8"))
        logs.configure("INFO", stream=stream)
        asyncio.run(_run(Choice(site=site, day=chosen, speed=speed, folder=folder, seconds=seconds)))


def _free(address: Address) -> Address:
    """The address of the site file, or any free port when somebody uses it."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((address.host, address.port))
        except OSError:
            return Address(host=address.host, port=0)
    return address


def _settings(choice: Choice) -> Settings:
    loaded = Settings.load(choice.site)
    listen = loaded.ocpp.listen or Address(host="127.0.0.1", port=9000)
    return replace(
        loaded,
        storage_url=f"sqlite:///{choice.folder / 'loadmgr.db'}",
        ocpp=hurried(replace(loaded.ocpp, listen=_free(listen)), choice.speed),
        api=replace(loaded.api, listen=_free(loaded.api.listen)),
    )


async def _run(choice: Choice) -> None:
    settings = _settings(choice)
    zone = ZoneInfo(settings.context.site.timezone)
    begin = datetime.combine(choice.day, BEGIN, zone).astimezone(UTC)
    arrivals = tuple(a for a in real_day(settings.context.site, choice.day) if a.until > begin)
    clock = ScaledClock(begin, choice.speed)
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    if choice.seconds is not None:
        asyncio.get_running_loop().call_later(choice.seconds, stop.set)
    async with running(settings, clock=clock) as service:
        assert service.gateway is not None  # the settings say where to listen  # noqa: S101
        _announce(service, settings, choice)
        async with simulated(settings, clock, (service.manager, service.gateway), arrivals) as simulation:
            await _show(service, simulation, stop)


def _announce(service: Running, settings: Settings, choice: Choice) -> None:
    gateway = service.gateway
    port = gateway.port if gateway is not None else 0
    root = settings.context.site.root
    lines = [
        f"{settings.name}: {len(settings.context.site.evses)} EVSEs, arrivals of {choice.day}, {choice.speed:g} x real time",
        f"  dashboard  {service.url}/        (API key: {service.api_key})",
        f"  API        {service.url}/docs",
        f"  OCPP       ws://127.0.0.1:{port}{settings.ocpp.path}/<station>   1.6J and 2.0.1",
        f"  log        {choice.folder / 'loadmgr.log'}",
        "Cut the grid limit to 60 kW and watch the cars follow:",
        f"  curl -X POST {service.url}/api/v1/limits -H 'X-API-Key: {service.api_key}' "
        f"-H 'Content-Type: application/json' "
        f'-d \'{{"node": "{root}", "source": "operator", "power_kw": 60}}\'',
        "",
    ]
    for line in lines:
        print(line, flush=True)  # noqa: T201 it must stay copyable, without markup


async def _show(service: Running, simulation: Simulation, stop: asyncio.Event) -> None:
    """A live view in a terminal; a line every ten seconds elsewhere."""
    console = Console()
    if not console.is_terminal:
        while not stop.is_set():
            print(_line(service, simulation), flush=True)  # noqa: T201 the plain view
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(10.0):
                    await stop.wait()
        return
    with Live(console=console, refresh_per_second=4, screen=False) as live:
        while not stop.is_set():
            live.update(_view(service, simulation))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.5):
                    await stop.wait()


def _line(service: Running, simulation: Simulation) -> str:
    manager = service.manager
    root = node_loads(manager.state, manager.now())[0]
    limit = "no limit" if root.limit_kw is None else f"{root.limit_kw:.0f} kW ({root.limit_kw_source})"
    zone = ZoneInfo(manager.site.timezone)
    return (
        f"{manager.now().astimezone(zone):%H:%M:%S}  site {root.power_kw:6.1f} kW of {limit}, cars {root.ev_kw:5.1f} kW, "
        f"{len(manager.state.sessions)} sessions, {len(manager.state.alarms)} alarms, "
        f"violations in truth: {len(simulation.world.judged())}"
    )


def _view(service: Running, simulation: Simulation) -> Group:
    manager = service.manager
    now, state = manager.now(), manager.state
    root = node_loads(state, now)[0]
    bar = Text(_line(service, simulation))
    if root.limit_kw:
        share = min(max(root.power_kw / root.limit_kw, 0.0), 1.0)
        bar.append("\n" + "█" * int(share * 60), style="red" if share >= 1.0 else "cyan")
        bar.append("░" * (60 - int(share * 60)))
    table = Table(expand=True, box=None)
    for title in ("EVSE", "status", "kWh", "still", "setpoint A", "drawn A", "kW", "why not more"):
        table.add_column(title)
    running_views = [v for v in evse_views(state, now) if v.session is not None]
    for view in running_views[: max(Console().height - 14, 5)]:
        table.add_row(
            view.evse,
            view.status,
            f"{view.energy_kwh or 0.0:.2f}",
            f"{view.need_kwh or 0.0:.2f}",
            "–" if view.setpoint_a is None else f"{view.setpoint_a:.1f}",
            f"{max(view.current_a):.1f}",
            f"{view.power_kw:.2f}",
            view.bound_by,
        )
    alarms = "\n".join(f"{a.severity.value}: {a.message}" for a in state.alarms.values()) or "no alarms"
    return Group(Panel(bar, title=manager.settings.name), table, Panel(alarms, title="alarms"))


if __name__ == "__main__":
    sys.exit(app())
