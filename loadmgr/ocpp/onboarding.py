"""What happens after a station connects: fail-safe first, then metering, then what it can do (domain rule A.15, C.3)."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from datetime import datetime

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.params import ControlParams
from loadmgr.domain.site import Site
from loadmgr.ocpp.versions import Version

Ask = Callable[[cmd.Command], Awaitable[bool]]
"""Send a command and say whether it was accepted."""


def failsafe(site: Site, station: StationId, no: int, now: datetime) -> cmd.InstallFailsafe:
    """The layers that hold without us: per EVSE the lowest fail-safe of the station, for the sum its hardware."""
    evses = [site.evses[e] for e in site.stations[station].evses]
    return cmd.InstallFailsafe(
        no=no,
        station=station,
        failsafe_a=min(e.failsafe_a for e in evses),
        station_max_a=sum(e.caps.current_max_a for e in evses),
        n_phases=max(e.caps.n_phases for e in evses),
        made_at=now,
    )


async def configure(
    version: Version, params: ControlParams, station: StationId, numbers: Iterator[int], ask: Ask
) -> AsyncIterator[tuple[str, str]]:
    """Write the metering settings, trying the next value when one is refused; yields what was accepted."""
    for name, values in version.settings(params):
        for value in values:
            if await ask(cmd.WriteSetting(no=next(numbers), station=station, name=name, value=value)):
                yield name, value
                break
    await ask(cmd.ReadSettings(no=next(numbers), station=station, names=version.capabilities))


def status_triggers(evses: tuple[EvseId, ...], station: StationId, numbers: Iterator[int]) -> tuple[cmd.Command, ...]:
    """Ask for the state of EVSEs that have not said it [D-5]."""
    return tuple(cmd.TriggerStatus(no=next(numbers), station=station, evse=e) for e in evses)
