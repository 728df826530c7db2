"""Stations that connect are asked which DER controls they hold, and told those that they lack [B-3, B-7].

A station keeps its controls over a reboot, so nothing is set again that it reports; ours is the list of what it must hold.
"""

from __future__ import annotations

import asyncio
import logging
import math
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime, timedelta
from typing import Protocol

from loadmgr.domain import events as ev
from loadmgr.domain.commands import ReadDer
from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import StationId
from loadmgr.runtime import LoadManager

log = logging.getLogger(__name__)

LOOK_S = 5.0
"""So often, and so long after it has connected, a station is looked at."""
REPORT_S = 30.0
"""Reports of a station that was asked are awaited for this long."""
AGAIN_S = (0.0, 60.0, 300.0, 1200.0)
"""Waits before the questions to a station that gives no answer."""


class Tell(Protocol):
    """Takes what became of controls at a station; ``asked`` without a detail: they must be set now."""

    def __call__(self, station: StationId, controls: tuple[DerControl, ...], status: str, detail: str = "") -> None:
        """See the class."""


class Returns:
    """One per grid service. ``wanted``: the controls that stations must hold now; none for one that may learn some."""

    def __init__(
        self,
        manager: LoadManager,
        *,
        wanted: Callable[[], Mapping[StationId, tuple[DerControl, ...]]],
        tell: Tell,
        numbers: Iterator[int],
    ) -> None:
        self._manager, self._wanted, self._tell, self._numbers = manager, wanted, tell, numbers
        self._seen: dict[StationId, datetime | None] = {}
        self._asking: dict[StationId, asyncio.Task[None]] = {}
        self._looking: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look after stations as long as there are controls to hold; nothing happens without a running loop."""
        if self._looking is not None and not self._looking.done():
            return
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return
        self._looking = loop.create_task(self._look(), name="grid-returns")

    async def close(self) -> None:
        """Stop."""
        tasks = [*self._asking.values(), *([self._looking] if self._looking is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def saw(self, station: StationId) -> None:
        """A station is told all that it must hold over its present link: there is nothing to ask."""
        self._seen[station] = self._manager.state.stations[station].changed_at

    def forget(self, station: StationId) -> None:
        """There is something new that a station must hold."""
        self._seen.pop(station, None)

    async def _look(self) -> None:
        while wanted := self._wanted():
            for station, controls in wanted.items():
                self._look_at(station, controls)
            await self._manager.clock.sleep(LOOK_S)

    def _look_at(self, station: StationId, controls: tuple[DerControl, ...]) -> None:
        known = self._manager.state.stations.get(station)
        if not controls or known is None or not known.is_connected or station in self._asking:
            return
        age_s = (self._manager.now() - known.changed_at).total_seconds() if known.changed_at is not None else math.inf
        if age_s < LOOK_S or (station in self._seen and self._seen[station] == known.changed_at):
            return
        self._seen[station] = known.changed_at
        task = asyncio.get_running_loop().create_task(self._ask(station, controls), name=f"grid-returns-{station}")
        self._asking[station] = task
        task.add_done_callback(lambda _: self._asking.pop(station, None))

    async def _ask(self, station: StationId, controls: tuple[DerControl, ...]) -> None:
        """Until it has answered, or its link is gone: the next one begins anew."""
        link = self._seen[station]
        for wait_s in AGAIN_S:
            if wait_s:
                await self._manager.clock.sleep(wait_s)
            known = self._manager.state.stations[station]
            if not known.is_connected or known.changed_at != link:
                return
            reported = await self._read(station, tuple(dict.fromkeys(c.control_type for c in controls)))
            if reported is not None:
                wanted = self._wanted().get(station, ())
                self._tell(station, tuple(c for c in wanted if _has(reported, c)), "held")
                self._tell(station, tuple(c for c in wanted if not _has(reported, c)), "asked")
                return
        log.warning("a station does not say which DER controls it holds", extra={"station": station})
        self._tell(station, controls, "asked", "it does not answer which controls it holds")

    async def _read(self, station: StationId, types: tuple[str, ...]) -> tuple[DerControl, ...] | None:
        """What it reports of these types; ``None`` when it did not answer. One that knows of none says NotFound [B-3]."""
        asked = {next(self._numbers): control_type for control_type in types}
        with self._manager.subscribe(maxsize=10_000) as events:
            for no, control_type in asked.items():
                self._manager.command(ReadDer(no=no, station=station, control_type=control_type))
            await self._manager.clock.sleep(REPORT_S)
        reported: dict[str, DerControl] = {}
        async for event in events:
            match event:
                case ev.DerControlStored() if event.station == station:
                    reported[event.control.id] = event.control
                case ev.CommandAnswered() if event.station == station and event.command == "ReadDer":
                    if event.accepted or "NotFound" in event.detail:
                        asked.pop(event.no, None)
                case _:
                    pass
        return None if asked else tuple(reported.values())


def _has(reported: tuple[DerControl, ...], wanted: DerControl) -> bool:
    return any(is_same(r, wanted) for r in reported)


def is_same(one: DerControl, other: DerControl) -> bool:
    """Do both ask for the same, whatever was lost on the wire: parts of a second, digits, the default unit?"""
    named = (one.id, one.control_type, one.is_default, one.priority, dict(one.flags))
    if named != (other.id, other.control_type, other.is_default, other.priority, dict(other.flags)):
        return False
    ones, others = dict(one.values), dict(other.values)
    if len(one.curve) != len(other.curve) or ones.keys() != others.keys():
        return False
    pairs = [(value, others[name]) for name, value in ones.items()]
    for p, q in zip(one.curve, other.curve, strict=True):
        pairs += [(p.x, q.x), (p.y, q.y)]
    return all(math.isclose(a, b, rel_tol=1e-3, abs_tol=1e-6) for a, b in pairs) and _are_times_same(one, other)


def _are_times_same(one: DerControl, other: DerControl) -> bool:
    """Only a scheduled control has times [B-1]."""
    if one.is_default:
        return True
    if one.from_at is None or other.from_at is None:
        return one.from_at is other.from_at
    is_begin_same = abs(one.from_at - other.from_at) <= timedelta(seconds=1)
    return is_begin_same and math.isclose(one.duration_s or 0.0, other.duration_s or 0.0, abs_tol=1.0)
