"""The OCPP 1.6 side of a twin, on the ``ocpp`` package's client class."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from ocpp.routing import on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action

from loadmgr.domain.site import PHASES
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import Profile
from loadmgr.sim.station import Transaction, Twin

KNOWN_SETTINGS = frozenset({
    "MeterValueSampleInterval",
    "MeterValuesSampledData",
    "ClockAlignedDataInterval",
    "StopTxnSampledData",
    "WebSocketPingInterval",
})  # fmt: skip


def wire(at: datetime) -> str:
    """A time as stations write it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Client16(ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """One open link of a twin."""

    def __init__(self, twin: Twin, socket: Any) -> None:
        super().__init__(str(twin.id), socket, response_timeout=30)
        self.logger = logging.getLogger("loadmgr.sim.twin16")
        self.logger.setLevel(logging.WARNING)
        self.twin = twin

    async def route_message(self, raw_msg: Any) -> None:
        """Handle a frame and count it."""
        await super().route_message(raw_msg)
        self.twin.n_handled += 1
        self.twin.activity.n += 1

    @on(Action.set_charging_profile, skip_schema_validation=True)
    async def on_profile(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> Any:
        """Install a profile."""
        await self.twin.answer_slowly()
        if self.twin.faults.rejects_profiles:
            return call_result.SetChargingProfile(status="Rejected")
        said = cs_charging_profiles
        schedule = said["charging_schedule"]
        transaction = str(said.get("transaction_id", ""))
        mine = await self.twin.own_transaction()
        if said["charging_profile_purpose"] == "TxProfile" and (mine is None or mine.id != transaction):
            return call_result.SetChargingProfile(status="Rejected")  # no such transaction here
        self.twin.profiles.install(
            Profile(
                id=said["charging_profile_id"],
                evse=connector_id,
                stack=said["stack_level"],
                purpose=said["charging_profile_purpose"],
                start_at=datetime.fromisoformat(schedule["start_schedule"]),
                duration_s=schedule.get("duration"),
                periods=tuple((float(p["start_period"]), float(p["limit"])) for p in schedule["charging_schedule_period"]),
                transaction=transaction,
            )
        )
        self.twin.outlet.wake.set()
        return call_result.SetChargingProfile(status="Accepted")

    @on(Action.clear_charging_profile, skip_schema_validation=True)
    async def on_clear(self, **said: Any) -> Any:
        """Remove profiles."""
        removed = self.twin.profiles.clear(
            evse=said.get("connector_id"),
            stack=said.get("stack_level"),
            purpose=said.get("charging_profile_purpose"),
            profile_id=said.get("id"),
        )
        self.twin.outlet.wake.set()
        return call_result.ClearChargingProfile(status="Accepted" if removed else "Unknown")

    @on(Action.get_composite_schedule, skip_schema_validation=True)
    async def on_composite(self, connector_id: int, duration: int, **_: Any) -> Any:
        """Say what holds now."""
        now = self.twin.clock.now()
        limit = self.twin.outlet.offered_a()
        return call_result.GetCompositeSchedule(
            status="Accepted",
            connector_id=connector_id,
            schedule_start=wire(now),
            charging_schedule={
                "duration": duration,
                "charging_rate_unit": "A",
                "charging_schedule_period": [{"start_period": 0, "limit": limit}],
            },
        )

    @on(Action.change_configuration, skip_schema_validation=True)
    async def on_change(self, key: str, value: str) -> Any:
        """Take a setting."""
        if key not in KNOWN_SETTINGS:
            return call_result.ChangeConfiguration(status="NotSupported")
        self.twin.settings[key] = value
        if key == "MeterValueSampleInterval":
            self.twin.sample_interval_s = float(value)
        return call_result.ChangeConfiguration(status="Accepted")

    @on(Action.get_configuration, skip_schema_validation=True)
    async def on_get(self, key: list[str] | None = None) -> Any:
        """Say settings."""
        known = {
            **self.twin.settings,
            "ChargeProfileMaxStackLevel": "5",
            "SupportedFeatureProfiles": "Core,SmartCharging",
        }
        wanted = key or list(known)
        return call_result.GetConfiguration(
            configuration_key=[{"key": k, "readonly": False, "value": known[k]} for k in wanted if k in known],
            unknown_key=[k for k in wanted if k not in known],
        )

    @on(Action.trigger_message, skip_schema_validation=True)
    async def on_trigger(self, requested_message: str, **_: Any) -> Any:
        """Send what is asked for."""
        return call_result.TriggerMessage(status=self.twin.triggered(requested_message))

    @on(Action.remote_stop_transaction, skip_schema_validation=True)
    async def on_stop(self, transaction_id: int) -> Any:
        """Stop the transaction of this id."""
        mine = self.twin.transaction
        if mine is None or mine.id != str(transaction_id):
            return call_result.RemoteStopTransaction(status="Rejected")
        self.twin.plug_out("Remote")
        return call_result.RemoteStopTransaction(status="Accepted")

    @on(Action.remote_start_transaction, skip_schema_validation=True)
    async def on_start(self, **_: Any) -> Any:
        """Cars of the simulation start by themselves."""
        return call_result.RemoteStartTransaction(status="Rejected")


class Dialect16:
    """OCPP 1.6J."""

    subprotocol = "ocpp1.6"

    def client(self, station: Twin, socket: Any) -> Client16:
        """A client for a new socket."""
        return Client16(station, socket)

    async def boot(self, client: Client16) -> None:
        """Announce the station."""
        await _ask(client, call.BootNotification(charge_point_vendor="Simulated", charge_point_model="Twin 1.6"))

    async def status(self, client: Client16, outlet: Outlet, state: str) -> None:
        """Say the state of the connector."""
        await _ask(
            client,
            call.StatusNotification(connector_id=outlet.evse.number, error_code="NoError", status=state),
        )

    async def begin(self, client: Client16, outlet: Outlet, message: Transaction) -> None:
        """StartTransaction; its id is the central system's."""
        answer = await _ask(
            client,
            call.StartTransaction(
                connector_id=outlet.evse.number,
                id_tag=message.id_tag,
                meter_start=message.start_wh,
                timestamp=wire(message.began_at),
            ),
        )
        message.id = str(answer.transaction_id)

    async def sample(self, client: Client16, outlet: Outlet, message: Transaction) -> None:
        """MeterValues now."""
        outlet.update()
        await _ask(
            client,
            call.MeterValues(
                connector_id=outlet.evse.number,
                transaction_id=int(message.id),
                meter_value=[
                    {"timestamp": wire(outlet.clock.now()), "sampled_value": _sampled(outlet)},
                ],
            ),
        )

    async def end(self, client: Client16, outlet: Outlet, message: Transaction) -> None:
        """StopTransaction."""
        await _ask(
            client,
            call.StopTransaction(
                transaction_id=int(message.id),
                meter_stop=message.stop_wh,
                timestamp=wire(message.ended_at or outlet.clock.now()),
                reason=message.reason,
            ),
        )

    async def main_meter(
        self, client: Client16, at: datetime, current_a: tuple[float, float, float], power_kw: float
    ) -> None:
        """MeterValues of connector 0."""
        values = [{"value": f"{power_kw * 1000:.1f}", "measurand": "Power.Active.Import", "unit": "W"}]
        for phase, value in zip(PHASES, current_a, strict=True):
            values.append({"value": f"{value:.2f}", "measurand": "Current.Import", "phase": phase, "unit": "A"})
        await _ask(client, call.MeterValues(connector_id=0, meter_value=[{"timestamp": wire(at), "sampled_value": values}]))


async def _ask(client: Client16, payload: Any) -> Any:
    return await client.call(payload, suppress=False, skip_schema_validation=True)


def _sampled(outlet: Outlet) -> list[dict[str, str]]:
    found = [
        {"value": f"{outlet.power_kw * 1000:.1f}", "measurand": "Power.Active.Import", "unit": "W"},
        {"value": str(outlet.register_wh()), "measurand": "Energy.Active.Import.Register", "unit": "Wh"},
        {"value": f"{outlet.offered_a():.1f}", "measurand": "Current.Offered", "unit": "A"},
    ]
    for phase, current_a in zip(PHASES, outlet.phase_a, strict=True):
        found.append({"value": f"{current_a:.2f}", "measurand": "Current.Import", "phase": phase, "unit": "A"})
    return found
