"""Profiles that earlier times or others left in a station, and how they are removed without lifting a limit of ours.

1.6 cannot read profiles, so what may stand in the slots that beat ours is cleared slot by slot [A-90]; 2.x reports them,
and foreign ones go by their id if the site file gives us the station [A-91].
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import TYPE_CHECKING

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import StationId, split_evse
from loadmgr.ocpp import detect
from loadmgr.ocpp.reply import Reply
from loadmgr.ocpp.schemas import Json

if TYPE_CHECKING:
    from loadmgr.ocpp.connection import Connection

Call = tuple[str, Json]

REPORT_S = 10.0
"""Reports of installed profiles follow the answer within this time."""


def boot_trigger(station: StationId, no: int) -> tuple[cmd.Command, tuple[Call, ...]]:
    """Ask a 2.x station that speaks without having booted to say who it is, once [G-43]; never after that [G-25]."""
    command = cmd.ReadSettings(no=no, station=station, names=())
    return command, (("TriggerMessage", {"requestedMessage": "BootNotification"}),)


def slots(connectors: tuple[int, ...], level_max: int, ours: int) -> Iterator[Json]:
    """Criteria of the 1.6 slots that could beat our profiles; our fail-safe on connector 0 at level 0 is not among them.

    A default of a connector stands above that of the station whatever its level, so all of those go.
    """
    for number in connectors:
        yield {"connectorId": number, "chargingProfilePurpose": "TxDefaultProfile"}
    for level in range(1, level_max + 1):
        yield {"connectorId": 0, "chargingProfilePurpose": "ChargePointMaxProfile", "stackLevel": level}
        yield {"connectorId": 0, "chargingProfilePurpose": "TxDefaultProfile", "stackLevel": level}
        for number in connectors:
            if level > ours:
                yield {"connectorId": number, "chargingProfilePurpose": "TxProfile", "stackLevel": level}


async def clear_leftovers(link: Connection) -> bool:
    """Remove what is not ours. True when something of a 1.6 station went: then the fail-safe must be installed again."""
    if link.version.ocpp == "1.6":
        return await _clear_slots(link)
    await _clear_foreign(link)
    return False


async def _clear_slots(link: Connection) -> bool:
    charger = link.charger
    evses = link.desk.site.stations[link.desk.station].evses
    connectors = tuple(split_evse(e)[1] for e in evses)
    level_max = min(detect.level_of(charger.values) or 1, detect.STACK_MAX)
    is_changed = False
    for criteria in slots(connectors, level_max, max(charger.traits.stack_max, 0)):
        reply = await _call(link, ("ClearChargingProfile", criteria))
        if reply.detail.startswith(("Timeout", "Closed", "Not")):
            break  # it has no such message, or no link
        is_changed = is_changed or reply.payload.get("status") == "Accepted"
    if is_changed:
        link.doubt("profiles of earlier times were removed")
    return is_changed


async def _clear_foreign(link: Connection) -> None:
    charger = link.charger
    no = next(link.numbers)
    done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    link.send(cmd.ReadProfiles(no=no, station=link.desk.station), done)
    if not (await done).accepted or not charger.knowledge.operator.takes_over:
        return
    await link.host.clock.sleep(REPORT_S)
    for profile in link.mirror.foreign():
        await _call(link, ("ClearChargingProfile", {"chargingProfileId": profile.id}))


async def _call(link: Connection, call: Call) -> Reply:
    done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
    command = cmd.ClearProfiles(no=next(link.numbers), station=link.desk.station)
    link.call(command, (call,), done)
    return await done
