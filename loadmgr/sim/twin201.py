"""The OCPP 2.0.1 side of a twin, on the ``ocpp`` package's client class."""

from __future__ import annotations

import logging
from datetime import datetime
from typing import Any

from ocpp.routing import on
from ocpp.v201 import ChargePoint, call, call_result
from ocpp.v201.enums import Action

from loadmgr.domain.site import PHASES
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import Profile
from loadmgr.sim.station import Transaction, Twin

_CONNECTOR = {"Available": "Available"}
_CHARGING = {"Preparing": "EVConnected", "Charging": "Charging"}


def wire(at: datetime) -> str:
    """A time as stations write it."""
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


class Client201(ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """One open link of a twin."""

    def __init__(self, twin: Twin, socket: Any) -> None:
        super().__init__(str(twin.id), socket, response_timeout=30)
        self.logger = logging.getLogger("loadmgr.sim.twin201")
        self.logger.setLevel(logging.WARNING)
        self.twin = twin

    async def route_message(self, raw_msg: Any) -> None:
        """Handle a frame and count it."""
        await super().route_message(raw_msg)
        self.twin.n_handled += 1
        self.twin.activity.n += 1

    @on(Action.set_charging_profile, skip_schema_validation=True)
    async def on_profile(self, evse_id: int, charging_profile: dict[str, Any]) -> Any:
        """Install a profile."""
        await self.twin.answer_slowly()
        if self.twin.faults.rejects_profiles:
            return _refused("InvalidProfile")
        said = charging_profile
        schedule = said["charging_schedule"][0]
        transaction = said.get("transaction_id", "")
        mine = await self.twin.own_transaction()
        if said["charging_profile_purpose"] == "TxProfile" and (mine is None or mine.id != transaction):
            return _refused("TxNotFound")
        self.twin.profiles.install(
            Profile(
                id=said["id"],
                evse=evse_id,
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
        criteria = said.get("charging_profile_criteria", {})
        removed = self.twin.profiles.clear(
            evse=criteria.get("evse_id"),
            stack=criteria.get("stack_level"),
            purpose=criteria.get("charging_profile_purpose"),
            profile_id=said.get("charging_profile_id"),
        )
        self.twin.outlet.wake.set()
        return call_result.ClearChargingProfile(status="Accepted" if removed else "Unknown")

    @on(Action.get_composite_schedule, skip_schema_validation=True)
    async def on_composite(self, duration: int, evse_id: int, **_: Any) -> Any:
        """Say what holds now."""
        now = self.twin.clock.now()
        return call_result.GetCompositeSchedule(
            status="Accepted",
            schedule={
                "evse_id": evse_id,
                "duration": duration,
                "schedule_start": wire(now),
                "charging_rate_unit": "A",
                "charging_schedule_period": [{"start_period": 0, "limit": self.twin.outlet.offered_a()}],
            },
        )

    @on(Action.set_variables, skip_schema_validation=True)
    async def on_set(self, set_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        """Take variables."""
        results = []
        for item in set_variable_data:
            name = f"{item['component']['name']}.{item['variable']['name']}"
            self.twin.settings[name] = item["attribute_value"]
            if name == "SampledDataCtrlr.TxUpdatedInterval":
                self.twin.sample_interval_s = float(item["attribute_value"])
            results.append({"attribute_status": "Accepted", "component": item["component"], "variable": item["variable"]})
        return call_result.SetVariables(set_variable_result=results)

    @on(Action.get_variables, skip_schema_validation=True)
    async def on_get(self, get_variable_data: list[dict[str, Any]], **_: Any) -> Any:
        """Say variables."""
        results = []
        for item in get_variable_data:
            name = f"{item['component']['name']}.{item['variable']['name']}"
            value = self.twin.settings.get(name)
            known = {"attribute_status": "Accepted", "attribute_value": value}
            status = known if value is not None else {"attribute_status": "UnknownVariable"}
            results.append({**status, "component": item["component"], "variable": item["variable"]})
        return call_result.GetVariables(get_variable_result=results)

    @on(Action.trigger_message, skip_schema_validation=True)
    async def on_trigger(self, requested_message: str, **_: Any) -> Any:
        """Send what is asked for."""
        return call_result.TriggerMessage(status=self.twin.triggered(requested_message))

    @on(Action.request_stop_transaction, skip_schema_validation=True)
    async def on_stop(self, transaction_id: str) -> Any:
        """Stop the transaction of this id."""
        mine = self.twin.transaction
        if mine is None or mine.id != transaction_id:
            return call_result.RequestStopTransaction(status="Rejected")
        self.twin.plug_out("Remote")
        return call_result.RequestStopTransaction(status="Accepted")

    @on(Action.request_start_transaction, skip_schema_validation=True)
    async def on_start(self, **_: Any) -> Any:
        """Cars of the simulation start by themselves."""
        return call_result.RequestStartTransaction(status="Rejected")


def _refused(reason: str) -> Any:
    return call_result.SetChargingProfile(status="Rejected", status_info={"reason_code": reason})


class Dialect201:
    """OCPP 2.0.1."""

    subprotocol = "ocpp2.0.1"

    def client(self, station: Twin, socket: Any) -> Client201:
        """A client for a new socket."""
        return Client201(station, socket)

    async def boot(self, client: Client201) -> None:
        """Announce the station."""
        about = {"vendor_name": "Simulated", "model": "Twin 2.0.1"}
        await _ask(client, call.BootNotification(charging_station=about, reason="PowerUp"))

    async def status(self, client: Client201, outlet: Outlet, state: str) -> None:
        """Say the state of the connector; inside a transaction its events say more."""
        await _ask(
            client,
            call.StatusNotification(
                timestamp=wire(outlet.clock.now()),
                connector_status=_CONNECTOR.get(state, "Occupied"),
                evse_id=outlet.evse.number,
                connector_id=1,
            ),
        )

    async def begin(self, client: Client201, outlet: Outlet, message: Transaction) -> None:
        """TransactionEvent Started; its id is the station's."""
        if not message.id:
            message.id = f"{client.twin.id}-{int(message.began_at.timestamp())}"
        value = _value(outlet, message.began_at, message.start_wh, "Transaction.Begin")
        await self._event(client, outlet, message, ("Started", "Authorized", message.began_at), [value])

    async def sample(self, client: Client201, outlet: Outlet, message: Transaction) -> None:
        """TransactionEvent Updated with meter values."""
        outlet.update()
        now = outlet.clock.now()
        value = _value(outlet, now, outlet.register_wh(), "Sample.Periodic", live=True)
        await self._event(client, outlet, message, ("Updated", "MeterValuePeriodic", now), [value])

    async def end(self, client: Client201, outlet: Outlet, message: Transaction) -> None:
        """TransactionEvent Ended."""
        at = message.ended_at or outlet.clock.now()
        value = _value(outlet, at, message.stop_wh, "Transaction.End")
        await self._event(client, outlet, message, ("Ended", "EVDeparted", at), [value])

    async def main_meter(
        self, client: Client201, at: datetime, current_a: tuple[float, float, float], power_kw: float
    ) -> None:
        """MeterValues of EVSE 0."""
        values: list[dict[str, Any]] = [{"value": round(power_kw * 1000, 1), "measurand": "Power.Active.Import"}]
        for phase, value in zip(PHASES, current_a, strict=True):
            values.append({"value": round(value, 2), "measurand": "Current.Import", "phase": phase})
        await _ask(client, call.MeterValues(evse_id=0, meter_value=[{"timestamp": wire(at), "sampled_value": values}]))

    async def _event(
        self,
        client: Client201,
        outlet: Outlet,
        message: Transaction,
        what: tuple[str, str, datetime],
        values: list[dict[str, Any]],
    ) -> None:
        kind, trigger, at = what
        info: dict[str, Any] = {"transaction_id": message.id}
        if kind == "Ended":
            info["stopped_reason"] = message.reason
        else:
            charging = outlet.current_a > 0
            info["charging_state"] = "Charging" if charging or kind == "Started" else _suspended(outlet)
        payload = call.TransactionEvent(
            event_type=kind,
            timestamp=wire(at),
            trigger_reason=trigger,
            seq_no=message.seq_no,
            transaction_info=info,
            evse={"id": outlet.evse.number, "connector_id": 1},
            id_token={"id_token": message.id_tag, "type": "ISO14443"} if kind == "Started" else None,
            meter_value=values,
        )
        await _ask(client, payload)
        message.seq_no += 1


def _suspended(outlet: Outlet) -> str:
    return "SuspendedEVSE" if outlet.offered_a() < 6.0 else "SuspendedEV"


async def _ask(client: Client201, payload: Any) -> Any:
    return await client.call(payload, suppress=False, skip_schema_validation=True)


def _value(outlet: Outlet, at: datetime, register_wh: int, context: str, *, live: bool = False) -> dict[str, Any]:
    found: list[dict[str, Any]] = [
        {
            "value": register_wh,
            "measurand": "Energy.Active.Import.Register",
            "context": context,
            "unit_of_measure": {"unit": "Wh"},
        }
    ]
    if live:
        found.append({"value": round(outlet.power_kw * 1000, 1), "measurand": "Power.Active.Import", "context": context})
        found.append({"value": round(outlet.offered_a(), 1), "measurand": "Current.Offered", "context": context})
        for phase, current_a in zip(PHASES, outlet.phase_a, strict=True):
            value = {"value": round(current_a, 2), "measurand": "Current.Import", "phase": phase, "context": context}
            found.append(value)
    return {"timestamp": wire(at), "sampled_value": found}
