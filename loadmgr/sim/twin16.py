"""The OCPP 1.6 side of a twin, on the ``ocpp`` package's client class."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ocpp.v16 import ChargePoint

from loadmgr.domain.site import PHASES
from loadmgr.sim import metering, requests
from loadmgr.sim.acceptance import ACCEPTED, Abilities, Verdict
from loadmgr.sim.dialect import Transaction
from loadmgr.sim.doors import Wire
from loadmgr.sim.mangling import Reading
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import Json, time_of
from loadmgr.sim.rpc import CallRefusedError, RawClient
from loadmgr.sim.station import Twin

KNOWN_SETTINGS = frozenset({
    "MeterValueSampleInterval",
    "MeterValuesSampledData",
    "ClockAlignedDataInterval",
    "StopTxnSampledData",
    "WebSocketPingInterval",
    "HeartbeatInterval",
    "ConnectionTimeOut",
})  # fmt: skip
UNKNOWN_ID = -1
FOREIGN_ID = 999_999


class Client16(RawClient, ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """One open link of a twin."""

    def __init__(self, twin: Twin, wire: Wire) -> None:
        super().__init__(twin, wire)
        self.handlers = {
            "SetChargingProfile": self.on_profile,
            "ClearChargingProfile": self.on_clear,
            "GetCompositeSchedule": self.on_composite,
            "ChangeConfiguration": self.on_change,
            "GetConfiguration": self.on_get,
            "TriggerMessage": self.on_trigger,
            "RemoteStopTransaction": self.on_stop,
            "RemoteStartTransaction": self.on_start,
            "ChangeAvailability": self.on_availability,
            "ReserveNow": self.on_reserve,
            "CancelReservation": self.on_cancel,
            "Reset": self.on_reset,
            "UnlockConnector": self.on_unlock,
        }

    async def on_profile(self, said: Json) -> Json | None:
        """Install a profile."""
        twin = self.twin
        mine = await twin.own_transaction()
        verdict = twin.desk.take(
            said["csChargingProfiles"], said["connectorId"], twin.clock.now(), None if mine is None else mine.id
        )
        return self._answered(verdict)

    def _answered(self, verdict: Verdict) -> Json | None:
        if verdict.error:
            raise CallRefusedError(verdict.error, "this station cannot do that")
        if verdict.is_silent:
            return None
        if verdict == ACCEPTED:
            self.twin.outlet.pilot.noted()
            self.twin.outlet.wake.set()
        return {"status": verdict.status}

    async def on_clear(self, said: Json) -> Json:
        """Remove profiles: every given field must match (A.10)."""
        twin = self.twin
        removed = twin.profiles.clear(
            evse=said.get("connectorId"),
            stack=said.get("stackLevel"),
            purpose=said.get("chargingProfilePurpose"),
            profile_id=said.get("id"),
        )
        twin.outlet.pilot.noted(cleared=twin.clock.now() if removed else None)
        twin.outlet.wake.set()
        return {"status": "Accepted" if removed else "Unknown"}

    async def on_composite(self, said: Json) -> Json:
        """What the profiles will allow for the asked time (A.7)."""
        twin, form = self.twin, self.twin.faults.composite
        unit, duration = said.get("chargingRateUnit", "A"), said["duration"]
        periods = [
            {"startPeriod": int(s), "limit": twin.outlet.pilot.in_unit(o, unit)}
            for s, o in twin.outlet.pilot.ahead(twin.clock.now(), float(duration))
        ]
        schedule = {"duration": duration, "chargingRateUnit": unit, "chargingSchedulePeriod": periods}
        answer = {
            "status": "Accepted",
            "connectorId": said["connectorId"],
            "scheduleStart": twin.stamp(twin.clock.now()),
            "chargingSchedule": schedule,
        }
        match form:
            case "zero":  # G-20
                answer["scheduleStart"], schedule["chargingRateUnit"] = "0001-01-01T00:00:00Z", ""
            case "empty":
                schedule["chargingSchedulePeriod"] = []
            case "missing":
                del answer["chargingSchedule"], answer["scheduleStart"]
            case "minus-one":
                schedule["chargingSchedulePeriod"] = [{"startPeriod": 0, "limit": -1}]
        return answer

    async def on_change(self, said: Json) -> Json:
        """Take a setting."""
        twin, key, value = self.twin, said["key"], said["value"]
        if key not in KNOWN_SETTINGS:
            return {"status": "NotSupported"}
        names = {n.strip() for n in value.split(",") if n.strip()}
        if key == "MeterValuesSampledData" and twin.faults.refuses_measurand_lists:
            if not names <= metering.BASIC:
                return {"status": "Rejected"}  # G-29
        if twin.faults.settings_need_reboot:
            twin.pending_settings[key] = value
            return {"status": "RebootRequired"}  # G-83
        twin.settings[key] = value
        if key == "MeterValueSampleInterval" and float(value) > 0:
            twin.sample_interval_s = float(value)
        return {"status": "Accepted"}

    async def on_get(self, said: Json) -> Json:
        """Say settings."""
        faults = self.twin.faults
        known = {
            **self.twin.settings,
            "ChargeProfileMaxStackLevel": "999" if faults.claims_stack_999 else "5",
            "SupportedFeatureProfiles": "[Core, SmartCharging]" if faults.claims_odd_features else "Core,SmartCharging",
            "ChargingScheduleAllowedChargingRateUnit": "Current, w" if faults.claims_odd_units else "Current,Power",
            "ChargingScheduleMaxPeriods": "24",
            "MaxChargingProfilesInstalled": "12",
        }
        wanted = said.get("key") or list(known)
        return {
            "configurationKey": [{"key": k, "readonly": False, "value": known[k]} for k in wanted if k in known],
            "unknownKey": [k for k in wanted if k not in known],
        }

    async def on_trigger(self, said: Json) -> Json:
        """Send what is asked for."""
        return {"status": requests.triggered(self.twin, said["requestedMessage"], has_connector="connectorId" in said)}

    async def on_stop(self, said: Json) -> Json:
        """Stop the transaction of this id."""
        return {"status": "Accepted" if requests.remote_stop(self.twin, str(said["transactionId"])) else "Rejected"}

    async def on_start(self, said: Json) -> Json:
        """Start with the car that is plugged in, or wait for one; a profile may come along [D-7]."""
        twin = self.twin
        if not requests.remote_start(twin, said["idTag"]):
            return {"status": "Rejected"}
        profile = said.get("chargingProfile")
        if profile is not None and twin.transaction is not None:
            twin.desk.take(profile, twin.evse.number, twin.clock.now(), "", is_start=True)
            twin.outlet.wake.set()
        return {"status": "Accepted"}

    async def on_availability(self, said: Json) -> Json:
        """In or out of service; a running transaction ends first [G-84]."""
        return {"status": requests.set_availability(self.twin, is_operative=said["type"] == "Operative")}

    async def on_reserve(self, said: Json) -> Json:
        """Hold the EVSE for somebody [D-10]."""
        return {"status": requests.reserve(self.twin, said["reservationId"], said["idTag"], time_of(said["expiryDate"]))}

    async def on_cancel(self, said: Json) -> Json:
        """Give the reservation up."""
        return {"status": "Accepted" if requests.cancel_reservation(self.twin, said["reservationId"]) else "Rejected"}

    async def on_reset(self, said: Json) -> Json:
        """Reboot."""
        self.twin.reboot_soon("HardReset" if said["type"] == "Hard" else "SoftReset")
        return {"status": "Accepted"}

    async def on_unlock(self, said: Json) -> Json:
        """The simulated cable holds no lock."""
        del said
        return {"status": "NotSupported"}


class Dialect16:
    """OCPP 1.6J."""

    subprotocol = "ocpp1.6"
    version = "1.6"

    def abilities(self, twin: Twin) -> Abilities:
        """Classic purposes and kinds."""
        return Abilities(version="1.6", is_dc=twin.evse.caps.is_dc, evse=twin.evse.number)

    def extension(self, twin: Twin) -> None:
        """1.6 has none."""

    def client(self, twin: Twin, wire: Wire) -> Client16:
        """A client for a new link."""
        return Client16(twin, wire)

    async def boot(self, client: Client16, reason: str) -> bool:
        """Announce the station."""
        del reason
        answer = await client.ask("BootNotification", {"chargePointVendor": "Simulated", "chargePointModel": "Twin 1.6"})
        client.twin.heartbeat_s = float(answer["interval"]) or client.twin.heartbeat_s
        return bool(answer["status"] == "Accepted")

    async def status(self, client: Client16, outlet: Outlet, state: str) -> None:
        """Say the state of the connector."""
        await client.ask("StatusNotification", {"connectorId": outlet.evse.number, "errorCode": "NoError", "status": state})

    async def changed(self, client: Client16, outlet: Outlet, message: Transaction, state: str) -> None:
        """1.6 has only the state of the connector."""
        del message
        await self.status(client, outlet, state)

    async def begin(self, client: Client16, outlet: Outlet, message: Transaction) -> None:
        """StartTransaction; its id is the central system's."""
        twin = client.twin
        start = metering.register(outlet, twin.faults, metering.IMPORT, message.start_wh)
        payload: Json = {
            "connectorId": outlet.evse.number,
            "idTag": message.id_tag,
            "meterStart": int(start.value),
            "timestamp": twin.stamp(message.began_at),
        }
        if message.reservation is not None:
            payload["reservationId"] = message.reservation
        answer = await client.ask("StartTransaction", payload)
        message.id = str(answer["transactionId"])

    async def sample(self, client: Client16, outlet: Outlet, message: Transaction) -> None:
        """MeterValues now."""
        twin = client.twin
        found = metering.chosen(metering.live(outlet, twin.faults), twin.settings.get("MeterValuesSampledData", ""))
        value: Any = {"timestamp": twin.stamp(twin.clock.now()), "sampledValue": self._sampled(twin, found)}
        payload: Json = {
            "connectorId": outlet.evse.number,
            "meterValue": value if twin.faults.bare_meter_value else [value],  # G-59
        }
        if not twin.faults.omits_transaction:  # G-71
            payload["transactionId"] = UNKNOWN_ID if twin.faults.transaction_id_unknown else int(message.id)
        await client.ask("MeterValues", payload)

    async def end(self, client: Client16, outlet: Outlet, message: Transaction) -> None:
        """StopTransaction."""
        twin = client.twin
        stop = metering.register(outlet, twin.faults, metering.IMPORT, message.stop_wh)
        payload = {
            "transactionId": UNKNOWN_ID if twin.faults.transaction_id_unknown else int(message.id),  # G-70
            "meterStop": int(stop.value),
            "timestamp": twin.stamp(message.ended_at or twin.clock.now()),
            "reason": message.reason,
        }
        await client.ask("StopTransaction", payload)
        if twin.faults.stops_unknown:  # G-72
            await client.ask("StopTransaction", {**payload, "transactionId": FOREIGN_ID})

    async def main_meter(
        self, client: Client16, at: datetime, current_a: tuple[float, float, float], power_kw: float
    ) -> None:
        """MeterValues of connector 0."""
        values = [{"value": f"{power_kw * 1000:.1f}", "measurand": "Power.Active.Import", "unit": "W"}]
        for phase, value in zip(PHASES, current_a, strict=True):
            values.append({"value": f"{value:.2f}", "measurand": "Current.Import", "phase": phase, "unit": "A"})
        meter_value = [{"timestamp": client.twin.stamp(at), "sampledValue": values}]
        await client.ask("MeterValues", {"connectorId": 0, "meterValue": meter_value})

    async def minute(self, client: Client16, twin: Twin) -> None:
        """Heartbeat when it is time."""
        if twin.is_heartbeat_due:
            twin.is_heartbeat_due = False
            await client.ask("Heartbeat", {})

    @staticmethod
    def _sampled(twin: Twin, found: tuple[Reading, ...]) -> list[Json]:
        return [_value(r, is_number=twin.faults.number_form) for r in twin.mangler.readings(found)]


def _value(reading: Reading, *, is_number: bool) -> Json:
    """1.6 writes values as text [0-17]."""
    text = f"{reading.value:.{reading.n_decimals}f}"
    found: Json = {"value": float(text) if is_number else text, "measurand": reading.measurand, "unit": reading.unit}
    if reading.phase:
        found["phase"] = reading.phase
    return found
