"""Unknown stations that knock: who they say they are, and what to write into the site file to admit one."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

from nicegui import ui

from loadmgr.ocpp.access.waiting import Entry
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager

SHOWN = 20


def entries_of(manager: LoadManager) -> tuple[Entry, ...]:
    """Who waits, the latest first; nobody where a host owns the sockets."""
    gateway = manager.link
    return gateway.door.room.entries() if isinstance(gateway, Gateway) else ()


def described(entry: Entry, zone: ZoneInfo) -> str:
    """One line about an unknown station, in its own words where it said any."""
    product = " ".join(part for part in (entry.vendor, entry.model, entry.serial) if part)
    facts = [
        f"from {entry.address}",
        f"{entry.tries} {'try' if entry.tries == 1 else 'tries'} since {_time(entry.first_at, zone)}",
        f"last at {_time(entry.last_at, zone)}",
        ", ".join(entry.offered),
        product and f"says that it is {product}",
        f"certificate of {entry.certificate_name}" if entry.certificate_name else "",
        f"like station {entry.resembles}" if entry.resembles else "",
        "waits on an open link, without any right" if entry.is_held else "has hung up" if product else "refused",
    ]
    return " · ".join(fact for fact in facts if fact)


class Waiting:
    """A panel that is there only while somebody waits."""

    def __init__(self, manager: LoadManager) -> None:
        self._manager = manager
        self._zone = ZoneInfo(manager.site.timezone)
        self._shown: tuple[Entry, ...] | None = None
        with ui.column().classes("panel w-full gap-2").props('data-testid="waiting"') as self._panel:
            ui.label("Unknown stations that want to connect").classes("font-semibold")
            ui.label("They have no rights. To admit one, add these lines to the site file and restart.").classes("unit")
            self._list = ui.column().classes("w-full gap-2")
        self.refresh()

    def refresh(self) -> None:
        """Draw again what has changed."""
        found = entries_of(self._manager)[:SHOWN]
        if found == self._shown:
            return
        self._shown = found
        self._panel.set_visibility(bool(found))
        self._list.clear()
        with self._list:
            for entry in found:
                with ui.column().classes("gap-0 w-full"):
                    ui.label(entry.identity).classes("font-semibold")
                    ui.label(described(entry, self._zone)).classes("unit")
                    with ui.expansion("How to admit it").props("dense"):
                        ui.label(entry.snippet()).style("white-space: pre-wrap; font-family: monospace")


def _time(at: datetime, zone: ZoneInfo) -> str:
    return at.astimezone(zone).strftime("%H:%M:%S")
