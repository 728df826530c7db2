"""What the twins of OCPP 2.0.1 and 2.1 have in common, written from the standard."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any

from loadmgr.domain.site import PHASES
from loadmgr.sim import metering, requests
from loadmgr.sim.acceptance import ACCEPTED, Verdict
from loadmgr.sim.dialect import Transaction
from loadmgr.sim.doors import Wire
from loadmgr.sim.mangling import Reading
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import Json, Offer, Profile, time_of
from loadmgr.sim.rpc import CallRefusedError, RawClient
from loadmgr.sim.station import Twin

CHARGING_STATES: Mapping[str, str] = MappingProxyType(
    {"Preparing": "EVConnected", **{s: s for s in ("Charging", "SuspendedEV", "SuspendedEVSE")}}
)
CONNECTOR_STATES = ("Available", "Reserved", "Unavailable")
ENDED_BY: Mapping[str, str] = MappingProxyType({"EVDisconnected": "EVDeparted", "Remote": "RemoteStop"})
UPDATED_LIST = "SampledDataCtrlr.TxUpdatedMeasurands"


class Client2x(RawClient):
    """One open link of a twin."""

    def __init__(self, twin: Twin, wire: Wire) -> None:
        super().__init__(twin, wire)
        self.handlers = {
            "SetChargingProfile": self.on_profile,
            "ClearChargingProfile": self.on_clear,
            "GetChargingProfiles": self.on_report,
            "GetCompositeSchedule": self.on_composite,
            "SetVariables": self.on_set,
            "GetVariables": self.on_get,
            "TriggerMessage": self.on_trigger,
            "RequestStopTransaction": self.on_stop,
            "RequestStartTransaction": self.on_start,
            "GetTransactionStatus": self.on_transaction_status,
            "ChangeAvailability": self.on_availability,
            "ReserveNow": self.on_reserve,
            "CancelReservation": self.on_cancel,
            "Reset": self.on_reset,
        }

    async def on_profile(self, said: Json) -> Json | None:
        """Install a profile."""
        twin = self.twin
        mine = await twin.own_transaction()
        transaction = None if mine is None else mine.id
        verdict = twin.desk.take(said["chargingProfile"], said["evseId"], twin.clock.now(), transaction)
        if verdict == ACCEPTED:
            twin.outlet.pilot.noted()
            twin.outlet.wake.set()
        return self.answered(verdict)

    def answered(self, verdict: Verdict) -> Json | None:
        """The payload of a verdict."""
        if verdict.error:
            raise CallRefusedError(verdict.error, "this station cannot do that")
        if verdict.is_silent:
            return None
        found: Json = {"status": verdict.status}
        if verdict.reason:
            found["statusInfo"] = {"reasonCode": verdict.reason}
        return found

    async def on_clear(self, said: Json) -> Json:
        """Remove profiles; an id makes the criteria void (A.10)."""
        twin, criteria = self.twin, said.get("chargingProfileCriteria", {})
        profile_id = said.get("chargingProfileId")
        if profile_id is not None:
            criteria = {}
        removed = twin.profiles.clear(
            evse=criteria.get("evseId"),
            stack=criteria.get("stackLevel"),
            purpose=criteria.get("chargingProfilePurpose"),
            profile_id=profile_id,
        )
        twin.outlet.pilot.noted(cleared=twin.clock.now() if removed else None)
        twin.outlet.wake.set()
        return {"status": "Accepted" if removed else "Unknown"}

    async def on_report(self, said: Json) -> Json:
        """ReportChargingProfiles for every EVSE that has some; one message each, the last one ends it (K09)."""
        twin, wanted, evse = self.twin, said["chargingProfile"], said.get("evseId")
        found = [p for p in twin.profiles.found if _fits(p, wanted) and evse in {None, p.evse}]
        evses = sorted({p.evse for p in found})
        for place, number in enumerate(evses):
            payload: Json = {
                "requestId": said["requestId"],
                "chargingLimitSource": "CSO",
                "evseId": number,
                "chargingProfile": [p.said for p in found if p.evse == number],
                "tbc": place < len(evses) - 1,
            }
            self.later("ReportChargingProfiles", payload)
        return {"status": "Accepted" if found else "NoProfiles"}

    def later(self, action: str, payload: Json) -> None:
        """A CALL of the station's own after this answer."""

        async def send(client: RawClient) -> None:
            await client.ask(action, payload)

        self.twin.enqueue(send)

    async def on_composite(self, said: Json) -> Json:
        """What the profiles will allow for the asked time (A.7)."""
        twin, unit = self.twin, said.get("chargingRateUnit", "A")
        pilot, now = twin.outlet.pilot, twin.clock.now()
        if said["evseId"] not in {0, twin.evse.number}:
            return {"status": "Rejected", "statusInfo": {"reasonCode": "UnknownEvse"}}
        periods = [self.composed(s, o, unit) for s, o in pilot.ahead(now, float(said["duration"]))]
        schedule: Json = {
            "evseId": said["evseId"],
            "duration": said["duration"],
            "scheduleStart": twin.stamp(now),
            "chargingRateUnit": unit,
            "chargingSchedulePeriod": periods,
        }
        match twin.faults.composite:
            case "zero":  # G-20
                schedule["scheduleStart"], schedule["chargingRateUnit"] = "0001-01-01T00:00:00Z", ""
            case "empty":
                schedule["chargingSchedulePeriod"] = []
            case "missing":
                return {"status": "Accepted"}
            case "minus-one":
                schedule["chargingSchedulePeriod"] = [{"startPeriod": 0, "limit": -1}]
        return {"status": "Accepted", "schedule": schedule}

    def composed(self, start_s: float, offer: Offer, unit: str) -> Json:
        """One period of a composite schedule."""
        return {"startPeriod": int(start_s), "limit": self.twin.outlet.pilot.in_unit(offer, unit)}

    def variables(self) -> dict[str, str]:
        """What GetVariables knows besides what was set."""
        faults = self.twin.faults
        return {
            "SmartChargingCtrlr.Enabled": "true",
            "SmartChargingCtrlr.Available": "true",
            "SmartChargingCtrlr.RateUnit": "Current, w" if faults.claims_odd_units else "A,W",
            "SmartChargingCtrlr.ProfileStackLevel": "999" if faults.claims_stack_999 else "5",
            "SmartChargingCtrlr.PeriodsPerSchedule": "24",
            "TxCtrlr.TxStartPoint": "Authorized",
            "TxCtrlr.TxStopPoint": "EVConnected",
        }

    async def on_set(self, said: Json) -> Json:
        """Take variables."""
        return {"setVariableResult": [{**_named(d), "attributeStatus": self._set(d)} for d in said["setVariableData"]]}

    def _set(self, data: Json) -> str:
        twin, value, name = self.twin, data["attributeValue"], _name(data)
        names = {n.strip() for n in value.split(",") if n.strip()}
        if name == UPDATED_LIST and twin.faults.refuses_measurand_lists and not names <= metering.BASIC:
            return "Rejected"  # G-29
        if twin.faults.settings_need_reboot:
            twin.pending_settings[name] = value
            return "RebootRequired"  # G-83
        twin.settings[name] = value
        if name == "SampledDataCtrlr.TxUpdatedInterval" and float(value) > 0:
            twin.sample_interval_s = float(value)
        return "Accepted"

    async def on_get(self, said: Json) -> Json:
        """Say variables."""
        known = {**self.twin.settings, **self.variables()}
        results = []
        for data in said["getVariableData"]:
            value = known.get(_name(data))
            is_component = any(k.startswith(data["component"]["name"] + ".") for k in known)
            unknown = "UnknownVariable" if is_component else "UnknownComponent"
            status: Json = {"attributeStatus": unknown}
            if value is not None:
                status = {"attributeStatus": "Accepted", "attributeValue": value}
            results.append({**_named(data), **status})
        return {"getVariableResult": results}

    async def on_trigger(self, said: Json) -> Json:
        """Send what is asked for."""
        has_connector = "connectorId" in said.get("evse", {})
        return {"status": requests.triggered(self.twin, said["requestedMessage"], has_connector=has_connector)}

    async def on_stop(self, said: Json) -> Json:
        """Stop the transaction of this id."""
        return {"status": "Accepted" if requests.remote_stop(self.twin, said["transactionId"]) else "Rejected"}

    async def on_start(self, said: Json) -> Json:
        """Start with the car that is plugged in, or wait for one; a profile may come along [D-25]."""
        twin = self.twin
        if not requests.remote_start(twin, said["idToken"]["idToken"], said["remoteStartId"]):
            return {"status": "Rejected"}
        profile = said.get("chargingProfile")
        if profile is not None and twin.transaction is not None:
            twin.desk.take(profile, said["evseId"], twin.clock.now(), "", is_start=True)
            twin.outlet.wake.set()
        return {"status": "Accepted"}

    async def on_transaction_status(self, said: Json) -> Json:
        """Does it run, and do messages wait [D-22]?"""
        twin, wanted = self.twin, said.get("transactionId")
        found: Json = {"messagesInQueue": twin.has_undelivered}
        if wanted is not None:
            found["ongoingIndicator"] = twin.transaction is not None and twin.transaction.id == wanted
        return found

    async def on_availability(self, said: Json) -> Json:
        """In or out of service; a running transaction ends first [G-84]."""
        return {"status": requests.set_availability(self.twin, is_operative=said["operationalStatus"] == "Operative")}

    async def on_reserve(self, said: Json) -> Json:
        """Hold the EVSE for somebody [D-10]."""
        until = time_of(said["expiryDateTime"])
        return {"status": requests.reserve(self.twin, said["id"], said["idToken"]["idToken"], until)}

    async def on_cancel(self, said: Json) -> Json:
        """Give the reservation up."""
        is_mine = requests.cancel_reservation(self.twin, said["reservationId"])
        return {"status": "Accepted" if is_mine else "Rejected"}

    async def on_reset(self, said: Json) -> Json:
        """Reboot now, or when no transaction runs."""
        if said["type"] == "OnIdle" and self.twin.transaction is not None:
            self.twin.reboots_when_idle = True
            return {"status": "Scheduled"}
        self.twin.reboot_soon("RemoteReset")
        return {"status": "Accepted"}


def _fits(profile: Profile, wanted: Json) -> bool:
    ids, sources = wanted.get("chargingProfileId"), wanted.get("chargingLimitSource")
    return (
        (ids is None or profile.id in ids)
        and (sources is None or "CSO" in sources)
        and wanted.get("chargingProfilePurpose") in {None, profile.purpose}
        and wanted.get("stackLevel") in {None, profile.stack}
    )


def _name(data: Json) -> str:
    """``Component.Variable`` or ``Component.Variable[instance]``."""
    variable = data["variable"]
    instance = variable.get("instance")
    return f"{data['component']['name']}.{variable['name']}" + (f"[{instance}]" if instance else "")


def _named(data: Json) -> Json:
    return {"component": data["component"], "variable": data["variable"]}


class Dialect2x:
    """What a 2.x station says."""

    model = "Twin 2.x"
    offered = "Current.Offered"

    def extension(self, twin: Twin) -> Any:
        """None in 2.0.1."""
        del twin

    async def boot(self, client: Any, reason: str) -> bool:
        """Announce the station."""
        about = {"vendorName": "Simulated", "model": self.model}
        known = reason if reason in {"PowerUp", "Triggered", "RemoteReset", "Watchdog"} else "Unknown"
        answer = await client.ask("BootNotification", {"chargingStation": about, "reason": known})
        client.twin.heartbeat_s = float(answer["interval"]) or client.twin.heartbeat_s
        return bool(answer["status"] == "Accepted")

    async def status(self, client: Any, outlet: Outlet, state: str) -> None:
        """Say the state of the connector; inside a transaction its events say more [D-24]."""
        payload = {
            "timestamp": client.twin.stamp(outlet.clock.now()),
            "connectorStatus": state if state in CONNECTOR_STATES else "Occupied",
            "evseId": outlet.evse.number,
            "connectorId": 1,
        }
        await client.ask("StatusNotification", payload)

    async def begin(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """TransactionEvent Started; its id is the station's."""
        twin = client.twin
        if not message.id:
            message.id = f"{twin.id}-{int(message.began_at.timestamp())}-{len(twin.finished)}"[-36:]
        start = [metering.register(outlet, twin.faults, metering.IMPORT, message.start_wh)]
        if outlet.evse.caps.discharge_max_kw > 0:
            start.append(metering.register(outlet, twin.faults, metering.EXPORT, message.start_export_wh))
        value = written(twin, message.began_at, tuple(start), "Transaction.Begin")
        trigger = "Authorized" if message.remote_start_id is None else "RemoteStart"
        await self.event(client, message, ("Started", trigger, message.began_at), value)

    async def changed(self, client: Any, outlet: Outlet, message: Transaction, state: str) -> None:
        """TransactionEvent Updated without meter values."""
        message.state = state
        await self.event(client, message, ("Updated", "ChargingStateChanged", outlet.clock.now()), None)

    async def sample(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """TransactionEvent Updated with meter values."""
        twin, now = client.twin, outlet.clock.now()
        found = metering.chosen(
            metering.live(outlet, twin.faults, offered=self.offered), twin.settings.get(UPDATED_LIST, "")
        )
        message.state = twin.state()
        value = written(twin, now, twin.mangler.readings(found), "Sample.Periodic")
        await self.event(client, message, ("Updated", "MeterValuePeriodic", now), value)
        if twin.faults.zero_power_values:
            idle = (
                Reading(measurand="Power.Active.Import", value=0.0, unit="W"),
                metering.register(outlet, twin.faults, metering.IMPORT, outlet.register_wh()),
            )
            payload = {"evseId": outlet.evse.number, "meterValue": written(twin, now, idle, "Sample.Clock")}
            await client.ask("MeterValues", payload)

    async def end(self, client: Any, outlet: Outlet, message: Transaction) -> None:
        """TransactionEvent Ended."""
        twin = client.twin
        at = message.ended_at or outlet.clock.now()
        stop = [metering.register(outlet, twin.faults, metering.IMPORT, message.stop_wh)]
        if outlet.evse.caps.discharge_max_kw > 0:
            stop.append(metering.register(outlet, twin.faults, metering.EXPORT, message.stop_export_wh))
        value = written(twin, at, tuple(stop), "Transaction.End")
        trigger = ENDED_BY.get(message.reason, "AbnormalCondition")
        await self.event(client, message, ("Ended", trigger, at), value)

    async def main_meter(self, client: Any, at: datetime, current_a: tuple[float, float, float], power_kw: float) -> None:
        """MeterValues of EVSE 0."""
        found = [Reading(measurand="Power.Active.Import", value=power_kw * 1000, unit="W")]
        for phase, phase_a in zip(PHASES, current_a, strict=True):
            found.append(Reading(measurand="Current.Import", value=phase_a, unit="A", phase=phase, n_decimals=2))
        value = written(client.twin, at, tuple(found), "Sample.Periodic")
        await client.ask("MeterValues", {"evseId": 0, "meterValue": value})

    async def minute(self, client: Any, twin: Twin) -> None:
        """Heartbeat when it is time."""
        if twin.is_heartbeat_due:
            twin.is_heartbeat_due = False
            await client.ask("Heartbeat", {})

    def info(self, message: Transaction, kind: str) -> Json:
        """``transactionInfo``."""
        info: Json = {"transactionId": message.id}
        if message.remote_start_id is not None:
            info["remoteStartId"] = message.remote_start_id
        if kind == "Ended":
            info["stoppedReason"] = message.reason
        else:
            info["chargingState"] = CHARGING_STATES.get(message.state, "Idle")
        return info

    async def event(
        self, client: Any, message: Transaction, what: tuple[str, str, datetime], value: list[Json] | None
    ) -> Json:
        """One TransactionEvent; its number counts only when it was delivered."""
        kind, trigger, at = what
        twin: Twin = client.twin
        payload: Json = {
            "eventType": kind,
            "timestamp": twin.stamp(at),
            "triggerReason": trigger,
            "seqNo": message.seq_no,
            "transactionInfo": self.info(message, kind),
            "evse": {"id": twin.evse.number, "connectorId": 1},
        }
        if (kind == "Started" and message.began_offline) or (kind == "Ended" and message.ended_offline):
            payload["offline"] = True
        if kind == "Started":
            payload["idToken"] = {"idToken": message.id_tag, "type": "ISO14443"}
            if message.reservation is not None:
                payload["reservationId"] = message.reservation
        if value:
            payload["meterValue"] = value
        answer: Json = await client.ask("TransactionEvent", payload)
        message.seq_no += 1
        return answer


def written(twin: Twin, at: datetime, found: tuple[Reading, ...], context: str) -> list[Json]:
    """``meterValue`` of 2.x: numbers with a unit object."""
    values = []
    for reading in found:
        number = round(reading.value, reading.n_decimals) if reading.n_decimals else int(reading.value)
        value: Json = {
            "value": str(number) if twin.faults.number_form else number,  # G-96
            "measurand": reading.measurand,
            "context": context,
            "unitOfMeasure": {"unit": reading.unit},
        }
        if reading.phase:
            value["phase"] = reading.phase
        values.append(value)
    return [{"timestamp": twin.stamp(at), "sampledValue": values}] if values else []
