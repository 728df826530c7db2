"""An OCPP 1.6 charger on the ``ocpp`` package's class, with one connector."""

from __future__ import annotations

from typing import Any

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result
from ocpp.v16.enums import Action

from tests.interop.stations import REGISTER, Charger, wire


class Charger16(Charger, ChargePoint):
    """See the module."""

    PROTOCOL = "ocpp1.6"

    # -- what it says ----------------------------------------------------------------------------------------------

    async def boot(self) -> None:
        """Boot and say that the connector is free."""
        answer = await self.say(call.BootNotification(charge_point_model="Box", charge_point_vendor="Independent"))
        assert answer.status == "Accepted"
        await self.status("Available")

    async def status(self, status: str) -> None:
        """Say the state of the connector."""
        await self.say(call.StatusNotification(connector_id=1, error_code="NoError", status=status, timestamp=wire()))

    async def begin(self, tag: str, reservation: int | None = None) -> None:
        """Plug in, authorize and start a transaction."""
        await self.status("Preparing")
        answer = await self.say(call.Authorize(id_tag=tag))
        assert answer.id_tag_info["status"] == "Accepted"
        started = await self.say(
            call.StartTransaction(
                connector_id=1,
                id_tag=tag,
                meter_start=self.box.register_wh,
                timestamp=wire(),
                reservation_id=reservation,
            )
        )
        self.box.transaction = started.transaction_id
        await self.status("Charging")

    async def meter(self, more_wh: int, *, ago_s: float = 0.0) -> None:
        """Meter values that follow the limit in force."""
        self.box.register_wh += more_wh
        limit_a = self.box.period()["limit"]
        values = [{"value": str(self.box.register_wh), "measurand": REGISTER, "unit": "Wh"}]
        values += [
            {"value": f"{limit_a:.1f}", "measurand": "Current.Import", "phase": phase, "unit": "A"}
            for phase in ("L1", "L2", "L3")
        ]
        values.append({"value": f"{limit_a:.1f}", "measurand": "Current.Offered", "unit": "A"})
        values.append({"value": f"{limit_a * 690.0:.0f}", "measurand": "Power.Active.Import", "unit": "W"})
        await self.say(
            call.MeterValues(
                connector_id=1,
                transaction_id=self.box.transaction,
                meter_value=[{"timestamp": wire(ago_s=ago_s), "sampled_value": values}],
            )
        )

    async def end(self, reason: str = "Local", *, ago_s: float = 0.0) -> None:
        """Stop the transaction with its register."""
        await self.say(
            call.StopTransaction(
                transaction_id=self.box.transaction,
                meter_stop=self.box.register_wh,
                timestamp=wire(ago_s=ago_s),
                reason=reason,
                id_tag="interop",
            )
        )
        self.box.end()

    # -- what it is asked ------------------------------------------------------------------------------------------

    @on(Action.set_charging_profile)
    def on_profile(self, connector_id: int, cs_charging_profiles: dict[str, Any]) -> Any:
        """Install."""
        said = cs_charging_profiles
        if said["charging_profile_purpose"] == "TxProfile" and said.get("transaction_id") != self.box.transaction:
            return call_result.SetChargingProfile(status="Rejected")
        self.install(said["charging_profile_id"], {**said, "connector_id": connector_id})
        return call_result.SetChargingProfile(status="Accepted")

    @on(Action.clear_charging_profile)
    def on_clear(
        self,
        id: int | None = None,  # noqa: A002 the package names it so
        connector_id: int | None = None,
        charging_profile_purpose: str | None = None,
        stack_level: int | None = None,
    ) -> Any:
        """Remove."""
        found = self.clear(
            charging_profile_id=id,
            connector_id=connector_id,
            charging_profile_purpose=charging_profile_purpose,
            stack_level=stack_level,
        )
        return call_result.ClearChargingProfile(status="Accepted" if found else "Unknown")

    @on(Action.get_composite_schedule)
    def on_composite(self, connector_id: int, duration: int, charging_rate_unit: str = "A") -> Any:
        """What holds."""
        schedule = {
            "duration": duration,
            "charging_rate_unit": charging_rate_unit,
            "charging_schedule_period": [{"start_period": 0, "limit": self.box.period()["limit"]}],
        }
        return call_result.GetCompositeSchedule(
            status="Accepted", connector_id=connector_id, schedule_start=wire(), charging_schedule=schedule
        )

    @on(Action.change_configuration)
    def on_setting(self, key: str, value: str) -> Any:
        """Keep."""
        self.box.settings[key] = value
        return call_result.ChangeConfiguration(status="Accepted")

    @on(Action.get_configuration)
    def on_settings(self, key: list[str] | None = None) -> Any:
        """Tell what was kept."""
        wanted = key if key is not None else list(self.box.settings)
        known = [{"key": k, "readonly": False, "value": self.box.settings[k]} for k in wanted if k in self.box.settings]
        unknown = [k for k in wanted if k not in self.box.settings]
        return call_result.GetConfiguration(configuration_key=known, unknown_key=unknown)

    @on(Action.trigger_message)
    def on_trigger(self, requested_message: str, connector_id: int | None = None) -> Any:
        """Take."""
        return call_result.TriggerMessage(status="Accepted")

    @after(Action.trigger_message)
    async def after_trigger(self, requested_message: str, connector_id: int | None = None) -> None:
        """Say what was asked for."""
        if requested_message == "MeterValues":
            await self.meter(0)
        elif requested_message == "StatusNotification":
            await self.status("Charging" if self.box.transaction is not None else "Available")

    @on(Action.remote_start_transaction)
    def on_start(self, **_: Any) -> Any:
        """Take."""
        return call_result.RemoteStartTransaction(status="Accepted" if self.box.transaction is None else "Rejected")

    @after(Action.remote_start_transaction)
    async def after_start(self, id_tag: str, charging_profile: dict[str, Any] | None = None, **_: Any) -> None:
        """Start, with the profile that came along [D-7]."""
        if charging_profile is not None:
            self.install(charging_profile["charging_profile_id"], {**charging_profile, "connector_id": 1})
        reservation, self.box.reservation = self.box.reservation, None
        await self.begin(id_tag, reservation)

    @on(Action.remote_stop_transaction)
    def on_stop(self, transaction_id: int) -> Any:
        """Take for the running one."""
        return call_result.RemoteStopTransaction(status="Accepted" if transaction_id == self.box.transaction else "Rejected")

    @after(Action.remote_stop_transaction)
    async def after_stop(self, transaction_id: int) -> None:
        """Stop and finish."""
        if transaction_id == self.box.transaction:
            await self.end("Remote")
            await self.status("Finishing")

    @on(Action.reserve_now)
    def on_reserve(self, connector_id: int, reservation_id: int, **_: Any) -> Any:
        """Take when free."""
        if self.box.transaction is not None:
            return call_result.ReserveNow(status="Occupied")
        self.box.reservation = reservation_id
        return call_result.ReserveNow(status="Accepted")

    @on(Action.cancel_reservation)
    def on_cancel(self, reservation_id: int) -> Any:
        """Give up."""
        known, self.box.reservation = self.box.reservation == reservation_id, None
        return call_result.CancelReservation(status="Accepted" if known else "Rejected")

    @on(Action.change_availability)
    def on_availability(self, **_: Any) -> Any:
        """After the transaction."""
        return call_result.ChangeAvailability(status="Scheduled" if self.box.transaction is not None else "Accepted")

    @on(Action.reset)
    def on_reset(self, type: str) -> Any:  # noqa: A002 the package names it so
        """Take."""
        return call_result.Reset(status="Accepted")
