"""The site of the whole service, and a service without its controller."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import Self

from loadmgr.domain import events as ev
from loadmgr.runtime import LoadManager
from loadmgr.settings import LinkLimits, Settings
from loadmgr.storage.store import SqlStore
from tests.bench.gateway.payloads import PASSWORD

MOST_A = 10_000.0
"""Of a node, by the site file."""


def site(folder: Path, stations: int, limits: LinkLimits | None = None) -> Settings:
    """A site of so many 1.6 stations with passwords; ``limits`` of a link instead of the usual ones."""
    ids = ", ".join(f'"B-{i}"' for i in range(stations))
    text = f"""
format = 1
[site]
id = "bench"
[nodes.grid]
current_a = {min(16.0 * stations, MOST_A)}
[[station_groups]]
ids = [{ids}]
node = "grid"
phases = 3
password = "{PASSWORD}"
[ocpp]
listen = "127.0.0.1:0"
"""
    place = folder / "bench.toml"
    place.write_text(text)
    settings = replace(Settings.load(place), storage_url=f"sqlite:///{folder / 'bench.db'}")
    return settings if limits is None else replace(settings, ocpp=replace(settings.ocpp, limits=limits))


class Uncontrolled(LoadManager):
    """A manager that stores what it is told and does nothing about it: what is left is the gateway's cost."""

    @classmethod
    def on(cls, settings: Settings) -> Self:
        """On the database of the settings."""
        return cls(settings, store=SqlStore(settings.storage_url))

    def take(self, *events: ev.Event) -> None:
        """Store only."""
        self._store.append(events)

    async def _protect_loop(self) -> None:
        await asyncio.Event().wait()

    async def _plan_loop(self) -> None:
        await asyncio.Event().wait()
