"""OCPP 2.0.1 and 2.1 chargers on the ``ocpp`` package's classes, with one EVSE of one connector."""

from __future__ import annotations

from typing import Any

import ocpp.v21
import ocpp.v201
from ocpp.routing import after, on

from tests.interop.stations import REGISTER, Charger, wire

EVSE = {"id": 1, "connector_id": 1}
SOURCE = "CSO"


class Charger2(Charger):
    """What both versions share; ``calls`` and ``results`` are the package's modules of one version."""

    calls: Any
    results: Any

    # -- what it says ----------------------------------------------------------------------------------------------

    async def boot(self) -> None:
        """Boot and say that the connector is free."""
        about = {"model": "Box", "vendor_name": "Independent", "firmware_version": "1.0"}
        answer = await self.say(self.calls.BootNotification(charging_station=about, reason="PowerUp"))
        assert answer.status == "Accepted"
        await self.status("Available")

    async def status(self, status: str) -> None:
        """Say the state of the connector, in the words of 2.x."""
        said = {"Preparing": "Occupied", "Charging": "Occupied", "Finishing": "Occupied"}.get(status, status)
        await self.say(self.calls.StatusNotification(timestamp=wire(), connector_status=said, evse_id=1, connector_id=1))

    async def begin(self, tag: str, reservation: int | None = None, **more: Any) -> None:
        """Plug in and start a transaction."""
        await self.status("Preparing")
        token = {"id_token": tag, "type": "Central"}
        answer = await self.say(self.calls.Authorize(id_token=token))
        assert answer.id_token_info["status"] == "Accepted"
        self.box.transaction = f"interop-{len(self.box.ends)}"
        self.box.seq_no = -1
        more = {"id_token": token, "evse": EVSE, **more}
        if reservation is not None:
            more["reservation_id"] = reservation
        await self.event("Started", "Authorized", **more)

    async def event(
        self, kind: str, why: str, *, ago_s: float = 0.0, info: dict[str, Any] | None = None, **more: Any
    ) -> None:
        """A transaction event with the register and what is drawn."""
        self.box.seq_no += 1
        about = {"transaction_id": self.box.transaction, "charging_state": "Charging", **(info or {})}
        if ago_s:
            more["offline"] = True
        payload = self.calls.TransactionEvent(
            event_type=kind,
            timestamp=wire(ago_s=ago_s),
            trigger_reason=why,
            seq_no=self.box.seq_no,
            transaction_info=about,
            meter_value=[{"timestamp": wire(ago_s=ago_s), "sampled_value": self._values(kind)}],
            **more,
        )
        await self.say(payload)

    def _values(self, kind: str) -> list[dict[str, Any]]:
        context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(kind, "Sample.Periodic")
        register = {"value": float(self.box.register_wh), "measurand": REGISTER, "unit_of_measure": {"unit": "Wh"}}
        drawn_a = self.drawn_a() if kind == "Updated" else 0.0
        values = [register]
        values += [
            {"value": drawn_a, "measurand": "Current.Import", "phase": phase, "unit_of_measure": {"unit": "A"}}
            for phase in ("L1", "L2", "L3")
        ]
        values.append({"value": drawn_a * 690.0, "measurand": "Power.Active.Import", "unit_of_measure": {"unit": "W"}})
        return [{**value, "context": context} for value in values]

    def drawn_a(self) -> float:
        """What the car draws per phase, A: all that the period in force lets it."""
        period = self.box.period()
        if "setpoint" in period:
            return float(max(period["setpoint"], 0.0)) / 690.0
        return float(period["limit"])

    async def meter(self, more_wh: int, *, ago_s: float = 0.0) -> None:
        """An update of the transaction with what follows from the limit in force."""
        self.box.register_wh += more_wh
        await self.event("Updated", "MeterValuePeriodic", ago_s=ago_s)

    async def end(self, reason: str = "Local", *, ago_s: float = 0.0) -> None:
        """End the transaction with its register."""
        why = "RemoteStop" if reason == "Remote" else "EVDeparted"
        info = {"stopped_reason": reason, "charging_state": "Idle"}
        await self.event("Ended", why, ago_s=ago_s, info=info)
        self.box.end()

    # -- what it is asked ------------------------------------------------------------------------------------------

    @on("SetChargingProfile")
    def on_profile(self, evse_id: int, charging_profile: dict[str, Any]) -> Any:
        """Install."""
        said = charging_profile
        if said["charging_profile_purpose"] == "TxProfile" and said.get("transaction_id") != self.box.transaction:
            return self.results.SetChargingProfile(status="Rejected", status_info={"reason_code": "TxNotFound"})
        self.install(said["id"], {**said, "evse_id": evse_id})
        return self.results.SetChargingProfile(status="Accepted")

    @on("ClearChargingProfile")
    def on_clear(
        self, charging_profile_id: int | None = None, charging_profile_criteria: dict[str, Any] | None = None
    ) -> Any:
        """Remove."""
        found = self.clear(id=charging_profile_id, **(charging_profile_criteria or {}))
        return self.results.ClearChargingProfile(status="Accepted" if found else "Unknown")

    @on("GetChargingProfiles")
    def on_profiles(self, request_id: int, charging_profile: dict[str, Any], evse_id: int | None = None) -> Any:
        """Take when there is something to report."""
        found = self.box.profiles and evse_id in {None, *(p["evse_id"] for p in self.box.profiles.values())}
        return self.results.GetChargingProfiles(status="Accepted" if found else "NoProfiles")

    @after("GetChargingProfiles")
    async def after_profiles(self, request_id: int, charging_profile: dict[str, Any], evse_id: int | None = None) -> None:
        """Report, one message per EVSE."""
        evses = sorted({p["evse_id"] for p in self.box.profiles.values() if evse_id in {None, p["evse_id"]}})
        for number in evses:
            found = [dict(p) for p in self.box.profiles.values() if p["evse_id"] == number]
            await self.say(
                self.calls.ReportChargingProfiles(
                    request_id=request_id,
                    charging_limit_source=SOURCE,
                    charging_profile=[{k: v for k, v in p.items() if k != "evse_id"} for p in found],
                    evse_id=number,
                    tbc=number != evses[-1],
                )
            )

    @on("GetCompositeSchedule")
    def on_composite(self, duration: int, evse_id: int, charging_rate_unit: str = "A") -> Any:
        """What holds, in amperes per phase."""
        schedule = {
            "evse_id": evse_id,
            "duration": duration,
            "schedule_start": wire(),
            "charging_rate_unit": "A",
            "charging_schedule_period": [{"start_period": 0, "limit": self.drawn_a()}],
        }
        return self.results.GetCompositeSchedule(status="Accepted", schedule=schedule)

    @on("SetVariables")
    def on_set(self, set_variable_data: list[dict[str, Any]]) -> Any:
        """Keep."""
        results = []
        for item in set_variable_data:
            self.box.settings[_name(item)] = item["attribute_value"]
            results.append({"attribute_status": "Accepted", **_about(item)})
        return self.results.SetVariables(set_variable_result=results)

    @on("GetVariables")
    def on_get(self, get_variable_data: list[dict[str, Any]]) -> Any:
        """Tell what was kept."""
        results = []
        for item in get_variable_data:
            value = self.box.settings.get(_name(item))
            said = {"attribute_status": "UnknownVariable"}
            if value is not None:
                said = {"attribute_status": "Accepted", "attribute_value": value}
            results.append({**said, **_about(item)})
        return self.results.GetVariables(get_variable_result=results)

    @on("TriggerMessage")
    def on_trigger(self, requested_message: str, **_: Any) -> Any:
        """Take."""
        return self.results.TriggerMessage(status="Accepted")

    @after("TriggerMessage")
    async def after_trigger(self, requested_message: str, **_: Any) -> None:
        """Say what was asked for."""
        if requested_message == "StatusNotification":
            await self.status("Available" if self.box.transaction is None else "Charging")
        elif self.box.transaction is not None:
            await self.event("Updated", "Trigger")

    @on("RequestStartTransaction")
    def on_start(self, **_: Any) -> Any:
        """Take when free."""
        return self.results.RequestStartTransaction(status="Rejected" if self.box.transaction else "Accepted")

    @after("RequestStartTransaction")
    async def after_start(
        self, id_token: dict[str, str], remote_start_id: int, charging_profile: dict[str, Any] | None = None, **_: Any
    ) -> None:
        """Start, with the profile that came along [D-25]."""
        if charging_profile is not None:
            self.install(charging_profile["id"], {**charging_profile, "evse_id": 1})
        reservation, self.box.reservation = self.box.reservation, None
        await self.begin(id_token["id_token"], reservation)

    @on("RequestStopTransaction")
    def on_stop(self, transaction_id: str) -> Any:
        """Take for the running one."""
        is_mine = transaction_id == self.box.transaction
        return self.results.RequestStopTransaction(status="Accepted" if is_mine else "Rejected")

    @after("RequestStopTransaction")
    async def after_stop(self, transaction_id: str) -> None:
        """End."""
        if transaction_id == self.box.transaction:
            await self.end("Remote")

    @on("GetTransactionStatus")
    def on_transaction(self, transaction_id: str | None = None) -> Any:
        """Nothing is queued."""
        ongoing = None if transaction_id is None else transaction_id == self.box.transaction
        return self.results.GetTransactionStatus(messages_in_queue=False, ongoing_indicator=ongoing)

    @on("ReserveNow")
    def on_reserve(self, id: int, **_: Any) -> Any:  # noqa: A002 the package names it so
        """Take when free."""
        if self.box.transaction is not None:
            return self.results.ReserveNow(status="Occupied")
        self.box.reservation = id
        return self.results.ReserveNow(status="Accepted")

    @on("CancelReservation")
    def on_cancel(self, reservation_id: int) -> Any:
        """Give up."""
        known, self.box.reservation = self.box.reservation == reservation_id, None
        return self.results.CancelReservation(status="Accepted" if known else "Rejected")

    @on("ChangeAvailability")
    def on_availability(self, **_: Any) -> Any:
        """After the transaction."""
        return self.results.ChangeAvailability(status="Accepted" if self.box.transaction is None else "Scheduled")

    @on("Reset")
    def on_reset(self, type: str, **_: Any) -> Any:  # noqa: A002 the package names it so
        """Take."""
        return self.results.Reset(status="Accepted")


def _name(item: dict[str, Any]) -> str:
    return f"{item['component']['name']}.{item['variable']['name']}"


def _about(item: dict[str, Any]) -> dict[str, Any]:
    return {"component": item["component"], "variable": item["variable"]}


class Charger201(Charger2, ocpp.v201.ChargePoint):
    """OCPP 2.0.1."""

    PROTOCOL = "ocpp2.0.1"
    calls, results = ocpp.v201.call, ocpp.v201.call_result


class Charger21(Charger2, ocpp.v21.ChargePoint):
    """OCPP 2.1: also bidirectional, with Dynamic profiles, DER controls and priority charging."""

    PROTOCOL = "ocpp2.1"
    calls, results = ocpp.v21.call, ocpp.v21.call_result

    def __init__(self, *args: Any) -> None:
        super().__init__(*args)
        self.box.settings |= {
            "SmartChargingCtrlr.SupportsDynamicProfiles": "true",
            "V2XChargingCtrlr.Enabled": "true",
            "V2XChargingCtrlr.SupportedOperationModes": "ChargingOnly,CentralSetpoint",
            "DCDERCtrlr.ModesSupported": "LimitMaxDischarge,VoltWatt",
        }

    async def state_needs(self) -> None:
        """The car says over ISO 15118-20 what it needs, and that it can deliver (K17, Q01)."""
        needs = {
            "requested_energy_transfer": "AC_BPT",
            "available_energy_transfer": ["AC_BPT", "AC_three_phase"],
            "control_mode": "ScheduledControl",
            "v2x_charging_parameters": {
                "max_charge_power": 11000.0,
                "min_charge_power": 1400.0,
                "max_discharge_power": 10000.0,
                "min_discharge_power": 1000.0,
                "ev_target_energy_request": 20000.0,
                "ev_max_energy_request": 30000.0,
                "ev_min_energy_request": -5000.0,
                "target_soc": 80,
            },
        }
        needed = self.calls.NotifyEVChargingNeeds(charging_needs=needs, evse_id=1, max_schedule_tuples=3, timestamp=wire())
        answer = await self.say(needed)
        assert answer.status == "Accepted"

    @on("UpdateDynamicSchedule")
    def on_update(self, charging_profile_id: int, schedule_update: dict[str, Any]) -> Any:
        """Put the new values in place [A.12]."""
        if charging_profile_id not in self.box.profiles:
            return self.results.UpdateDynamicSchedule(status="Rejected")
        period = self.box.profiles[charging_profile_id]["charging_schedule"][0]["charging_schedule_period"][0]
        period.update(schedule_update)
        return self.results.UpdateDynamicSchedule(status="Accepted")

    @on("UsePriorityCharging")
    def on_priority(self, transaction_id: str, activate: bool) -> Any:
        """Take for the running one."""
        status = "Accepted" if transaction_id == self.box.transaction else "Rejected"
        return self.results.UsePriorityCharging(status=status)

    @after("UsePriorityCharging")
    async def after_priority(self, transaction_id: str, activate: bool) -> None:
        """Tell that it is so (K22)."""
        await self.say(self.calls.NotifyPriorityCharging(activated=activate, transaction_id=transaction_id))

    @on("NotifyAllowedEnergyTransfer")
    def on_allowed(self, **_: Any) -> Any:
        """Take."""
        return self.results.NotifyAllowedEnergyTransfer(status="Accepted")

    @on("AFRRSignal")
    def on_afrr(self, **_: Any) -> Any:
        """Take."""
        return self.results.AFRRSignal(status="Accepted")

    @on("SetDERControl")
    def on_der(self, control_id: str, **control: Any) -> Any:
        """Keep."""
        self.box.der[control_id] = control
        return self.results.SetDERControl(status="Accepted")

    @after("SetDERControl")
    async def after_der(self, control_id: str, **control: Any) -> None:
        """A scheduled control that is due has begun (R05)."""
        if not control["is_default"]:
            await self.say(self.calls.NotifyDERStartStop(control_id=control_id, started=True, timestamp=wire()))

    @on("GetDERControl")
    def on_read_der(self, request_id: int, control_id: str | None = None, **_: Any) -> Any:
        """Take when there is something to report."""
        found = self.box.der if control_id is None else control_id in self.box.der
        return self.results.GetDERControl(status="Accepted" if found else "NotFound")

    @after("GetDERControl")
    async def after_read_der(self, request_id: int, control_id: str | None = None, **_: Any) -> None:
        """Report the limits of discharge."""
        found = [
            {"id": i, "is_default": c["is_default"], "is_superseded": False, "limit_max_discharge": c["limit_max_discharge"]}
            for i, c in self.box.der.items()
            if "limit_max_discharge" in c and control_id in {None, i}
        ]
        if found:
            await self.say(self.calls.ReportDERControl(request_id=request_id, limit_max_discharge=found, tbc=False))

    @on("ClearDERControl")
    def on_clear_der(self, is_default: bool, control_id: str | None = None, **_: Any) -> Any:
        """Remove."""
        gone = [i for i, c in self.box.der.items() if c["is_default"] == is_default and control_id in {None, i}]
        for each in gone:
            del self.box.der[each]
        return self.results.ClearDERControl(status="Accepted" if gone else "NotFound")
