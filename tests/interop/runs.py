"""A service with one charger under test and two beside it that must be served all the time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from loadmgr.control.evse_state import Order
from loadmgr.control.state import FailsafeState
from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import Session
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.interop.frames import Frame, recorded
from tests.interop.stations import Box
from tests.support.chargers import charger, office, until

ST, EVSE = StationId("office-1"), EvseId("office-1/1")
Play = Callable[[LoadManager, Gateway], Awaitable[None]]


def run(folder: Path, play: Play, *, caps: dict[str, float] | None = None) -> tuple[Frame, ...]:
    """Play with two other chargers beside, which must be served all the time; returns every frame."""

    async def main() -> tuple[Frame, ...]:
        async with (
            office(folder, caps=caps) as (manager, gateway),
            charger(gateway, "office-3") as third,
            charger(gateway, "office-4", protocol="ocpp2.0.1") as fourth,
        ):
            now = manager.now()
            measured = Measured(current_a=(5.0, 5.0, 5.0))
            manager.take(
                ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=measured),
                ev.FailsafeAnswered(at=now, station=StationId("office-2"), failsafe_a=6.0, accepted=True),
            )
            await play(manager, gateway)
            for beside in (third, fourth):
                assert (await beside.ask("Heartbeat", {}))[0] == 3
            assert manager.stats.protect_failures == 0
            return await recorded(manager)

    return asyncio.run(main())


async def installed(manager: LoadManager) -> None:
    """Until the charger has its fail-safe."""
    await until(lambda: manager.state.stations[ST].failsafe is FailsafeState.CONFIRMED)


async def answered(manager: LoadManager, gateway: Gateway, command: cmd.Command) -> ev.CommandAnswered:
    """Send a command; the event that its answer becomes."""
    sent = gateway.numbered(command)
    with manager.subscribe() as events:
        gateway.send(sent)
        async with asyncio.timeout(5):
            async for event in events:
                if isinstance(event, ev.CommandAnswered) and (event.no, event.station) == (sent.no, ST):
                    return event
    raise AssertionError("the stream of events ended")


def order(manager: LoadManager) -> Order:
    """The newest order of its EVSE."""
    found = manager.state.evses[EVSE].last_order
    assert found is not None
    return found


async def charge(manager: LoadManager, it: Any, box: Box) -> None:
    """Until the car's own values prove that the setpoint took effect (rule H.1)."""
    await until(lambda: box.profiles_for("TxProfile") and manager.state.evses[EVSE].last_order is not None)
    async with asyncio.timeout(6):
        while order(manager).effective_at is None:
            await it.meter(100)
            await asyncio.sleep(0.1)


async def record(manager: LoadManager, session: SessionId) -> Session:
    """What is kept of a session that has ended."""
    await until(lambda: session not in manager.state.sessions)
    await manager.durable()
    found = await manager.history.sessions(open_only=False, limit=20)
    return next(s for s in found if s.id == session)
