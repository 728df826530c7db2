"""A CSMS that owns its chargers' sockets and uses the load manager as a module.

Run it with ``python examples/csms_module.py``: it serves OCPP 1.6 with the ``ocpp`` package on a port of its own,
hands what it learns to ``LoadManager`` as events, and carries out the commands that come back. The load manager opens
no socket: its site file has no ``[ocpp] listen``.
"""

from __future__ import annotations

import asyncio
import contextlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from websockets.asyncio.server import ServerConnection, serve
from websockets.exceptions import ConnectionClosed

from loadmgr import LoadManager, Measured, Settings, SqlStore, commands, events
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId


class Charger(ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """One charger of this CSMS: its own OCPP code, as it may have been for years."""

    def __init__(self, station: str, socket: ServerConnection, manager: LoadManager) -> None:
        super().__init__(station, socket)
        self.manager = manager
        self.evse = EvseId(f"{station}/1")
        self.next_id = 1

    @on("BootNotification")
    async def on_boot(self, **_: Any) -> Any:
        """Accept the charger."""
        return call_result.BootNotification(current_time=_now(), interval=300, status="Accepted")

    @after("BootNotification")
    async def after_boot(self, **_: Any) -> None:
        """Install what the charger falls back to when it hears nobody, and say so."""
        evse = self.manager.site.evses[self.evse]
        profile = _profile(2, "TxDefaultProfile", 0, evse.failsafe_a, {})
        accepted = await self._set(0, profile)
        await self.manager.observe(
            events.FailsafeAnswered(
                at=self.manager.now(), station=StationId(self.id), failsafe_a=evse.failsafe_a, accepted=accepted
            )
        )

    @on("StatusNotification")
    async def on_status(self, **_: Any) -> Any:
        """States are not needed here: transactions say enough."""
        return call_result.StatusNotification()

    @on("StartTransaction")
    async def on_start(self, connector_id: int, id_tag: str, meter_start: int, **_: Any) -> Any:
        """A car begins."""
        del connector_id
        transaction, self.next_id = self.next_id, self.next_id + 1
        await self.manager.observe(
            events.SessionStarted(
                at=self.manager.now(),
                session=SessionId(f"{self.id}-{transaction}"),
                evse=self.evse,
                transaction=str(transaction),
                id_tag=id_tag,
                meter_start_kwh=meter_start / 1000,
            )
        )
        return call_result.StartTransaction(transaction_id=transaction, id_tag_info={"status": "Accepted"})

    @on("MeterValues")
    async def on_meter(self, meter_value: list[dict[str, Any]], transaction_id: int = 0, **_: Any) -> Any:
        """Meter values become a sample."""
        values = {
            (s.get("measurand", "Energy.Active.Import.Register"), s.get("phase", "")): float(s["value"])
            for s in meter_value[-1]["sampled_value"]
        }
        current = [values.get(("Current.Import", p), 0.0) for p in ("L1", "L2", "L3")]
        energy_wh = values.get(("Energy.Active.Import.Register", ""))
        now = self.manager.now()
        await self.manager.observe(
            events.MeterSample(
                at=now,
                meter=MeterId(self.evse),
                measured_at=now,
                measured=Measured(
                    current_a=(current[0], current[1], current[2]),
                    energy_kwh=None if energy_wh is None else energy_wh / 1000,
                ),
                session=SessionId(f"{self.id}-{transaction_id}"),
            )
        )
        return call_result.MeterValues()

    @on("StopTransaction")
    async def on_stop(self, meter_stop: int, transaction_id: int, **_: Any) -> Any:
        """A car is done."""
        await self.manager.observe(
            events.SessionEnded(
                at=self.manager.now(),
                session=SessionId(f"{self.id}-{transaction_id}"),
                meter_stop_kwh=meter_stop / 1000,
            )
        )
        return call_result.StopTransaction()

    async def obey(self, command: commands.SendSetpoint) -> None:
        """Carry out a setpoint; the load manager knows how it looks in OCPP 1.6."""
        payload = self.manager.payload(command, ocpp="1.6")
        accepted = await self._set(payload["connectorId"], payload["csChargingProfiles"])
        await self.manager.observe(
            events.SetpointAnswered(at=self.manager.now(), no=command.no, evse=command.setpoint.evse, accepted=accepted)
        )

    async def _set(self, connector: int, profile: dict[str, Any]) -> bool:
        request = call.SetChargingProfile(connector_id=connector, cs_charging_profiles=profile)
        answer = await self.call(request, suppress=False)
        return bool(answer.status == "Accepted")


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _profile(number: int, purpose: str, stack: int, limit_a: float, extra: dict[str, Any]) -> dict[str, Any]:
    schedule = {
        "chargingRateUnit": "A",
        "startSchedule": _now(),
        "chargingSchedulePeriod": [{"startPeriod": 0, "limit": limit_a}],
    }
    return {
        "chargingProfileId": number,
        "stackLevel": stack,
        "chargingProfilePurpose": purpose,
        "chargingProfileKind": "Absolute",
        "chargingSchedule": schedule,
        **extra,
    }


class Csms:
    """The CSMS: its sockets, its chargers, and a load manager beside them."""

    def __init__(self, manager: LoadManager) -> None:
        self.manager = manager
        self.chargers: dict[str, Charger] = {}

    async def serve_charger(self, socket: ServerConnection) -> None:
        """One charger's connection. (A real CSMS authenticates here.)"""
        assert socket.request is not None  # the handshake is done
        station = socket.request.path.rpartition("/")[2]
        charger = self.chargers[station] = Charger(station, socket, self.manager)
        now = self.manager.now()
        await self.manager.observe(events.StationConnected(at=now, station=StationId(station), ocpp="1.6"))
        try:
            with contextlib.suppress(ConnectionClosed):  # chargers go away
                await charger.start()
        finally:
            del self.chargers[station]
            gone = events.StationDisconnected(at=self.manager.now(), station=StationId(station))
            await self.manager.observe(gone)

    async def obey(self) -> None:
        """Carry out what the load manager asks for, each charger at its own pace."""
        async with asyncio.TaskGroup() as tasks:
            async for command in self.manager.commands():
                charger = self.chargers.get(command.station)
                if isinstance(command, commands.SendSetpoint) and charger is not None:
                    tasks.create_task(charger.obey(command))


async def main(site: Path, database: str, ready: asyncio.Future[tuple[Csms, int]] | None = None) -> None:
    """Serve until cancelled; ``ready`` gets the CSMS and its port."""
    settings = Settings.load(site)
    async with LoadManager(settings, store=SqlStore(database)) as manager:
        csms = Csms(manager)
        async with serve(csms.serve_charger, "127.0.0.1", 0, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]
            port = next(iter(server.sockets)).getsockname()[1]
            print(f"CSMS on ws://127.0.0.1:{port}/<station>", flush=True)
            if ready is not None:
                ready.set_result((csms, port))
            await csms.obey()


if __name__ == "__main__":
    asyncio.run(main(Path(__file__).with_name("csms_site.toml"), "sqlite:///csms.db"))
