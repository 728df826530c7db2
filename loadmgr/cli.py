"""Command line: run · check · password · replay · probe. No logic."""

from __future__ import annotations

import asyncio
import json
import secrets
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text
from rich.tree import Tree

from loadmgr import logs
from loadmgr.control import rows as row_tools
from loadmgr.control.commissioning import failsafe_sums
from loadmgr.control.replay import Replayer
from loadmgr.domain.ids import NodeId
from loadmgr.domain.site import PHASES, Site, full_power_kw
from loadmgr.errors import SettingsError, StorageError
from loadmgr.settings import Settings
from loadmgr.sitefile.passwords import hashed, password_fault
from loadmgr.storage.archive import Exported, closed_before
from loadmgr.storage.store import SqlStore

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Smart charging and load management.")
SiteFile = Annotated[Path, typer.Argument(help="site file (TOML)")]
PROBE_S = 600.0
"""A charger that takes a minute for every answer is examined within this time."""


def _load(site: Path) -> Settings:
    try:
        return Settings.load(site)
    except SettingsError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def check(site: SiteFile) -> None:
    """Check a site file: print the tree with effective limits, or every mistake with its remedy."""
    settings = _load(site)
    console = Console()
    console.print(_tree(settings))
    console.print("\nWhen every link is lost:")
    for total in failsafe_sums(settings.context.site):
        console.print(f"  {total}", highlight=False)
    console.print(f"\n{site}: no problems")


def _tree(settings: Settings) -> Tree:
    site = settings.context.site

    def grow(node: NodeId) -> Tree:
        branch = Tree(_node_text(site, node), highlight=False)
        for child in site.children(node):
            branch.children.append(grow(child))
        return branch

    return grow(site.root)


def _node_text(site: Site, node: NodeId) -> str:
    bounds = []
    for above in site.path(node):
        bound = site.static_limit(above.id)
        where = "" if above.id == node else f" from {above.id}"
        if bound.current_a is not None:
            bounds.append((bound.current_a, f"{bound.current_a:g} A per phase ({bound.current_source}{where})"))
    current = min(bounds)[1] if bounds else "no current limit"
    own = site.static_limit(node)
    power = f", {own.power_kw:g} kW ({own.power_source})" if own.power_kw is not None else ""
    evses = [site.evses[e] for e in site.below[node]]
    connected_kw = sum(full_power_kw(e.caps) for e in evses)
    worst, worst_kw = row_tools.worst_base(site, node)
    meter = site.nodes[node].meter
    lines = [
        f"[bold]{node}[/bold]  {current}{power}",
        f"{len(evses)} EVSEs, {connected_kw:.0f} kW connected; uncontrolled at most "
        + ", ".join(f"{p} {a:.4g} A" for p, a in zip(PHASES, worst, strict=True))
        + f" ({worst_kw:.1f} kW)"
        + (f"; meter {meter}" if meter is not None else ""),
    ]
    if own.export_kw is not None:
        lines.append(f"flow back at most {own.export_kw:g} kW ({own.export_source})")
    if own.unbalance_a is not None:
        lines.append(f"lines differ by at most {own.unbalance_a:g} A ({own.unbalance_source})")
    for battery in site.batteries.values():
        if battery.node == node:
            powers = f"charges {battery.charge_max_kw:g} kW, delivers {battery.discharge_max_kw:g} kW"
            lines.append(f"battery {battery.capacity_kwh:g} kWh, {powers}")
    delivering = sum(1 for e in evses if e.node == node and e.caps.discharge_max_kw > 0)
    if delivering:
        lines.append(f"{delivering} EVSEs are bidirectional")
    return "\n".join(lines)


@app.command()
def run(site: SiteFile, log_level: Annotated[str, typer.Option(help="DEBUG, INFO, WARNING or ERROR")] = "INFO") -> None:
    """Run the service of a site: gateway, loops, API and dashboard."""
    settings = _load(site)
    logs.configure(log_level.upper())
    from loadmgr.wiring import run_service

    try:
        asyncio.run(run_service(settings))
    except StorageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


@app.command()
def password(
    given: Annotated[str, typer.Option("--password", help="hash this one instead of a random one")] = "",
) -> None:
    """Make a random password for a station, and its hash for the site file (`password_hash`)."""
    made = given or secrets.token_hex(20)
    fault = password_fault(made, "1.6")
    if fault:
        typer.echo(f"the password {fault}", err=True)
        raise typer.Exit(2)
    if not given:
        typer.echo(f"password      {made}")
    typer.echo(f"password_hash {hashed(made, is_random=not given)}")


@app.command()
def replay(
    site: SiteFile, run_no: Annotated[int, typer.Option("--run", help="number of the run; 0 = the last")] = 0
) -> None:
    """Replay the event log of a stopped service and compare every decision."""
    settings = _load(site)
    try:
        raise typer.Exit(asyncio.run(_replay(settings, run_no)))
    except StorageError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None


async def _replay(settings: Settings, run_no: int) -> int:
    store = SqlStore(settings.storage_url)
    await store.open_for_reading()
    try:
        runs = await store.runs()
        chosen = run_no or (runs[-1] if runs else 0)
        if chosen not in runs:
            typer.echo(f"run {run_no} does not exist; runs: {', '.join(map(str, runs)) or 'none'}", err=True)
            return 1
        replayer = Replayer(settings.context)
        async for stored in store.replay(chosen):
            replayer.feed(stored.event)
    finally:
        await store.close()
    found = replayer.result()
    typer.echo(
        f"run {chosen}: {found.n_events} events, {found.n_setpoints} setpoints and {found.n_plans} plans replayed, "
        f"{len(found.differences)} differences"
    )
    for difference in found.differences[:20]:
        typer.echo(f"  event {difference.place}: {difference.what}: {difference.logged} != {difference.replayed}")
    return 1 if found.differences else 0


@app.command()
def archive(
    site: SiteFile,
    folder: Annotated[Path | None, typer.Option(help="where the files go; default: beside a SQLite database")] = None,
) -> None:
    """Write the closed days of the meter history as Parquet files; the running service does it each night."""
    settings = _load(site)
    try:
        made = asyncio.run(_archive(settings, folder))
    except (StorageError, OSError) as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    for day in made:
        typer.echo(f"{day.path}: {day.n_rows} samples")
    typer.echo(f"{len(made)} days archived")


async def _archive(settings: Settings, folder: Path | None) -> tuple[Exported, ...]:
    store = SqlStore(settings.storage_url, folder=folder)
    await store.open_for_reading()
    try:
        return await store.archive_days(closed_before(datetime.now(UTC)))
    finally:
        await store.close()


@app.command()
def probe(
    station: Annotated[str, typer.Argument(help="id of a connected station")],
    url: Annotated[str, typer.Option(help="address of the running service")] = "http://127.0.0.1:8080",
    key: Annotated[str, typer.Option(envvar="LOADMGR_API_KEY", help="operator's key")] = "",
    evse: Annotated[str, typer.Option(help="EVSE to try at; default: an idle one")] = "",
    busy: Annotated[bool, typer.Option("--busy", help="try also where a car charges, with its present limit")] = False,
) -> None:
    """Examine a connected charger and print what it takes, how it differs from the standard, and a ready rule."""
    wanted = {"busy": busy, **({"evse": evse} if evse else {})}
    try:
        found = _post(f"{url}/api/v1/stations/{urllib.parse.quote(station, safe='')}/probe", wanted, key)
    except urllib.error.HTTPError as error:
        typer.echo(_problem_text(error), err=True)
        raise typer.Exit(1) from None
    except (OSError, ValueError) as error:
        typer.echo(f"{url}: {error}; is the service running there? give its address with --url", err=True)
        raise typer.Exit(1) from None
    _print_probe(found)


def _post(url: str, body: Mapping[str, object], key: str) -> dict[str, Any]:
    """The answer of the service. Raises ``HTTPError``, ``OSError``, or ``ValueError`` for what is no address."""
    if not url.startswith(("http://", "https://")):
        raise ValueError("the address must begin with http:// or https://")
    headers = {"Content-Type": "application/json", "X-API-Key": key}
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310 the scheme was checked
    with urllib.request.urlopen(request, timeout=PROBE_S) as answer:  # noqa: S310
        found: dict[str, Any] = json.load(answer)
    return found


def _problem_text(error: urllib.error.HTTPError) -> str:
    """What the service says about a refused request, and what to do."""
    try:
        said = json.load(error)
    except ValueError:
        said = {}
    text = f"{said.get('title', error.reason)}: {said.get('detail', error.code)}"
    hint = "give the operator's key with --key or LOADMGR_API_KEY" if error.code == 401 else said.get("hint", "")
    return f"{text} ({hint})" if hint else text


def _print_probe(found: Mapping[str, Any]) -> None:
    """Everything a charger says is plain text here, never markup."""
    console = Console(markup=False, highlight=False)
    about = " ".join(x for x in (found["vendor"], found["model"], found["firmware"]) if x) or "has not said who it is"
    console.print(Text(f"{found['station']}: {about}, OCPP {found['ocpp']}, tried at {found['evse']}\n"))
    table = Table("tried", "works", "the charger's words")
    for trial in found["trials"]:
        table.add_row(Text(trial["what"]), "yes" if trial["works"] else "no", Text(trial["detail"]))
    console.print(table)
    console.print(Text("\nDiffers from the standard:" if found["traits"] else "\nNothing differs from the standard."))
    for line in found["traits"]:
        console.print(Text(f"  {line}"))
    console.print(Text("\nA rule for this product:\n"))
    typer.echo(found["rule"])
    if found["site_table"]:
        console.print(Text("The same for this station alone, in its site file:\n"))
        typer.echo(found["site_table"])
