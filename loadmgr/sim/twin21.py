"""The OCPP 2.1 side of a twin, on the ``ocpp`` package's client class: V2X, Dynamic profiles, DER controls."""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from ocpp.v21 import ChargePoint

from loadmgr.sim.acceptance import Abilities
from loadmgr.sim.der import DerController
from loadmgr.sim.dialect import Transaction
from loadmgr.sim.doors import Wire
from loadmgr.sim.needs import charging_needs
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import CHARGING_ONLY, DEFAULT, IDLE, MAX, PRIORITY, TX, Json, Offer, updated
from loadmgr.sim.rpc import RawClient
from loadmgr.sim.station import Twin
from loadmgr.sim.twin2x import Client2x, Dialect2x

EXTERNAL_ID_MAX = 100
STREAM_ID = 1
V2X_MODES = (CHARGING_ONLY, "CentralSetpoint", "CentralFrequency", IDLE)
DYNAMIC = "Dynamic"


class Client21(Client2x, ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """One open link of a twin."""

    def __init__(self, twin: Twin, wire: Wire) -> None:
        super().__init__(twin, wire)
        self.more: Extension21 = twin.extension
        self.handlers |= {
            "UpdateDynamicSchedule": self.on_update,
            "UsePriorityCharging": self.on_priority,
            "NotifyAllowedEnergyTransfer": self.on_allowed,
            "AFRRSignal": self.on_afrr,
            "SetDERControl": self.on_set_der,
            "GetDERControl": self.on_get_der,
            "ClearDERControl": self.on_clear_der,
        }

    def variables(self) -> dict[str, str]:
        """The controllers of 2.1 besides those of 2.0.1 (rules A.5, B.2, B-4)."""
        caps = self.twin.evse.caps
        found = super().variables() | {
            "SmartChargingCtrlr.SupportsDynamicProfiles": "true",
            "SmartChargingCtrlr.SupportsMaxOfflineDuration": "true",
            "SmartChargingCtrlr.MaxExternalConstraintsId": str(EXTERNAL_ID_MAX),
            "SmartChargingCtrlr.SupportedAdditionalPurposes": PRIORITY,
            "SmartChargingCtrlr.SetpointPriority": "CSMS",
        }
        if caps.discharge_max_kw <= 0:
            return found
        rating_w = str(round(caps.discharge_max_kw * 1000.0))
        modes = ",".join(sorted(self.more.der.modes))
        return found | {
            "V2XChargingCtrlr.Enabled": "true",
            "V2XChargingCtrlr.SupportedOperationModes": ",".join(V2X_MODES),
            "V2XChargingCtrlr.SupportedEnergyTransferModes": "DC,DC_BPT" if caps.is_dc else "AC_three_phase,AC_BPT",
            "DCDERCtrlr.Enabled": "true",
            "DCDERCtrlr.ModesSupported": modes,
            "DCDERCtrlr.MaxW": rating_w,
            "DCDERCtrlr.MaxVA": rating_w,
            **({} if caps.is_dc else {"ACDERCtrlr.ModesSupported": modes}),
        }

    async def on_update(self, said: Json) -> Json:
        """New values of a Dynamic profile (K28); a dormant one comes to life (A.12)."""
        return {"status": "Accepted" if self.more.update(said["chargingProfileId"], said["scheduleUpdate"]) else "Rejected"}

    async def on_priority(self, said: Json) -> Json:
        """Priority charging on or off (K21)."""
        twin, mine = self.twin, self.twin.transaction
        if mine is None or mine.id != said["transactionId"]:
            return {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
        if said["activate"] and not any(p.purpose == PRIORITY for p in twin.profiles.found):
            return {"status": "NoProfile"}
        twin.profiles.has_priority = said["activate"]
        twin.outlet.wake.set()
        return {"status": "Accepted"}

    async def on_allowed(self, said: Json) -> Json:
        """Which energy transfer the session may use (Q01)."""
        mine = self.twin.transaction
        if mine is None or mine.id != said["transactionId"]:
            return {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}}
        self.more.allow(said["allowedEnergyTransfer"])
        return {"status": "Accepted"}

    async def on_afrr(self, said: Json) -> Json:
        """No profile of this station has a signal curve."""
        del said
        return {"status": "Rejected", "statusInfo": {"reasonCode": "NoSignalWattCurve"}}

    async def on_set_der(self, said: Json) -> Json:
        """Store a DER control (R04)."""
        if self.twin.evse.caps.discharge_max_kw <= 0:
            return {"status": "NotSupported"}
        status, superseded = self.more.der.set(said, self.twin.clock.now())
        self.more.wake.set()
        return {"status": status, **({"supersededIds": list(superseded)} if superseded else {})}

    async def on_get_der(self, said: Json) -> Json:
        """ReportDERControl follows (R04)."""
        found = self.more.der.chosen(said)
        if found:
            self.later("ReportDERControl", {"requestId": said["requestId"], **DerController.report(found)})
        return {"status": "Accepted" if found else "NotFound"}

    async def on_clear_der(self, said: Json) -> Json:
        """Remove DER controls (R04)."""
        status = self.more.der.clear(said)
        self.more.wake.set()
        return {"status": status}

    def composed(self, start_s: float, offer: Offer, unit: str) -> Json:
        """A setpoint instead of a limit where one holds."""
        if offer.setpoint_kw is None:
            return super().composed(start_s, offer, unit)
        hardware = self.twin.outlet.pilot.hardware
        value = offer.setpoint_kw * 1000.0
        if unit == "A":
            value /= hardware.voltage_v * hardware.n_phases
        return {"startPeriod": int(start_s), "setpoint": round(value, 1), "operationMode": offer.mode}


@dataclass(slots=True)
class Extension21:
    """What only a 2.1 station has: DER controls, pulled updates, and the agreement on energy transfer."""

    twin: Twin
    der: DerController = field(default_factory=DerController)
    wake: asyncio.Event = field(default_factory=asyncio.Event)
    has_alarm: bool = False
    stream_no: int = 0
    _pulled_at: datetime | None = None

    def update(self, profile_id: int, values: Json) -> bool:
        """New values for a Dynamic profile; false when there is none of this id."""
        profiles = self.twin.profiles
        for place, profile in enumerate(profiles.found):
            if profile.id == profile_id and profile.kind == DYNAMIC:
                profiles.found[place] = updated(profile, values, self.twin.outlet.pilot.station_time(self.twin.clock.now()))
                self.twin.outlet.pilot.noted()
                self.twin.outlet.wake.set()
                return True
        return False

    def allow(self, modes: list[str]) -> None:
        """Bidirectional transfer is granted, or taken away."""
        self.twin.outlet.may_deliver = any("BPT" in m for m in modes)
        self.twin.outlet.wake.set()

    async def run(self) -> None:
        """Follow the timeline of the DER controls and pull updates when they are due, for ever."""
        while True:
            self.wake.clear()
            self._tick(self.twin.clock.now())
            wait_s = self._wait_s(self.twin.clock.now())
            if math.isinf(wait_s):
                await self.wake.wait()
                continue
            sleeping = asyncio.ensure_future(self.twin.clock.sleep(wait_s))
            waking = asyncio.ensure_future(self.wake.wait())
            try:
                await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
            finally:
                sleeping.cancel()
                waking.cancel()

    def _wait_s(self, now: datetime) -> float:
        marks = [m for m in (self.der.next_change(now), self._pull_at(now)) if m is not None]
        return max(min(((m - now).total_seconds() for m in marks), default=math.inf), 0.001)

    def _pull_at(self, now: datetime) -> datetime | None:
        spans = [p.update_interval_s for p in self.twin.profiles.found if p.kind == DYNAMIC and p.update_interval_s > 0]
        return (self._pulled_at or now) + timedelta(seconds=min(spans)) if spans else None

    def _tick(self, now: datetime) -> None:
        for change in self.der.tick(now):
            payload: Json = {
                "controlId": change.control_id,
                "started": change.started,
                "timestamp": self.twin.stamp(change.at),
            }
            if change.superseded:
                payload["supersededIds"] = list(change.superseded)
            self._later("NotifyDERStartStop", payload)
        outlet = self.twin.outlet
        if outlet.der_frac != self.der.discharge_frac():
            outlet.der_frac = self.der.discharge_frac()
            outlet.wake.set()
        due = self._pull_at(now)
        if due is not None and (due <= now or self._pulled_at is None):
            self._pulled_at = now
            for profile in self.twin.profiles.found:
                if profile.kind == DYNAMIC and profile.update_interval_s > 0:
                    self.twin.enqueue(partial(self._pull, number=profile.id))

    async def _pull(self, client: RawClient, *, number: int) -> None:
        answer = await client.ask("PullDynamicScheduleUpdate", {"chargingProfileId": number})
        if answer["status"] == "Accepted":
            self.update(number, answer.get("scheduleUpdate", {}))

    def _later(self, action: str, payload: Json) -> None:
        async def send(client: RawClient) -> None:
            await client.ask(action, payload)

        self.twin.enqueue(send)


class Dialect21(Dialect2x):
    """OCPP 2.1."""

    subprotocol = "ocpp2.1"
    version = "2.1"
    model = "Twin 2.1"
    offered = "Current.Import.Offered"

    def abilities(self, twin: Twin) -> Abilities:
        """Dynamic profiles, priority charging, and V2X where the EVSE can deliver."""
        caps = twin.evse.caps
        return Abilities(
            version="2.1",
            purposes=frozenset({*MAX, TX, DEFAULT, PRIORITY}),
            kinds=frozenset({"Absolute", "Relative", "Recurring", DYNAMIC}),
            modes=frozenset(V2X_MODES if caps.discharge_max_kw > 0 else (CHARGING_ONLY, IDLE)),
            external_id_max=EXTERNAL_ID_MAX,
            is_dc=caps.is_dc,
            evse=twin.evse.number,
        )

    def extension(self, twin: Twin) -> Extension21:
        """DER controls and what else is new."""
        return Extension21(twin)

    def client(self, twin: Twin, wire: Wire) -> Client21:
        """A client for a new link."""
        return Client21(twin, wire)

    async def begin(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """Authorize a car that may deliver (Q01), start, and tell its needs (K15 to K19)."""
        twin: Twin = client.twin
        car = outlet.car
        if car is None or not car.tells_needs:
            await super().begin(client, outlet, message)
            return
        outlet.may_deliver = not twin.faults.needs_transfer_allowed
        token = {"idToken": message.id_tag, "type": "ISO14443"}
        allowed = (await client.ask("Authorize", {"idToken": token})).get("allowedEnergyTransfer")
        await super().begin(client, outlet, message)
        if allowed:
            client.more.allow(allowed)
        if message is not twin.transaction:
            return  # it has left while this waited
        payload = charging_needs(outlet, car)
        if message.depart_at is not None:
            payload["chargingNeeds"]["departureTime"] = twin.stamp(message.depart_at)
        answer = await client.ask("NotifyEVChargingNeeds", payload)
        twin.desk.has_needs = answer["status"] in {"Accepted", "Processing"}
        if answer["status"] == "Rejected":
            twin.finish("ReqEnergyTransferRejected")

    def info(self, message: Transaction, kind: str) -> Json:
        """With the operation mode [A-102]."""
        found = super().info(message, kind)
        if kind != "Ended" and message.mode:
            found["operationMode"] = message.mode
        return found

    async def changed(self, client: Any, outlet: Outlet, message: Transaction, state: str) -> None:
        """TransactionEvent Updated; the reason says whether the mode changed."""
        trigger = "ChargingStateChanged" if message.state != state else "OperationModeChanged"
        message.state = state
        await self.event(client, message, ("Updated", trigger, outlet.clock.now()), None)

    async def minute(self, client: Any, twin: Twin) -> None:
        """Heartbeat, alarms and event streams that are switched on."""
        await super().minute(client, twin)
        more: Extension21 = twin.extension
        if bool(twin.faults.der_alarm) != more.has_alarm:
            more.has_alarm = not more.has_alarm
            payload: Json = {"controlType": "LimitMaxDischarge", "timestamp": twin.stamp(twin.clock.now())}
            payload |= {"gridEventFault": twin.faults.der_alarm} if more.has_alarm else {"alarmEnded": True}
            await client.ask("NotifyDERAlarm", payload)
        if twin.faults.event_stream:
            await self._stream(client, twin, more)

    @staticmethod
    async def _stream(client: Any, twin: Twin, more: Extension21) -> None:
        """One batch of a periodic event stream: as SEND (type 6), or wrongly as a CALL."""
        more.stream_no += 1
        data = [{"t": 0.0, "v": f"{twin.outlet.power_kw * 1000.0:.1f}"}]
        payload = {"id": STREAM_ID, "pending": 0, "basetime": twin.stamp(twin.clock.now()), "data": data}
        if twin.faults.event_stream == "call":
            await client.ask("NotifyPeriodicEventStream", payload)
            return
        await client.send_raw(json.dumps([6, f"stream-{more.stream_no}", "NotifyPeriodicEventStream", payload]))
