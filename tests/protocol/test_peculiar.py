"""Peculiar chargers on an in-memory link: what is learned of them, and what a link does of its own accord."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Traits
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.sitefile.models import StationTraits
from loadmgr.wiring import build_manager, gateway_of
from tests.support.chargers import meter, start, until
from tests.support.days import EXAMPLES

STATION, EVSE = StationId("office-1"), EvseId("office-1/1")
SILENT = object()


@dataclass
class Odd:
    """A charger on an in-memory socket: ``says`` maps an action to its answer, to a function of the payload, or to
    ``SILENT``; a tuple is a CALLERROR. What it does not map gets ``otherwise``, or is accepted.
    """

    says: dict[str, Any] = field(default_factory=dict)
    otherwise: Any = None
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    closed: tuple[int, str] | None = None
    unanswered: list[str] = field(default_factory=list)
    _in: asyncio.Queue[str | None] = field(default_factory=asyncio.Queue)
    _answers: asyncio.Queue[list[Any]] = field(default_factory=asyncio.Queue)
    _no: int = 0

    async def send(self, text: str) -> None:
        frame = json.loads(text)
        if frame[0] != 2:
            self._answers.put_nowait(frame)
            return
        self.calls.append((frame[2], frame[3]))
        usual = {"status": "Accepted"} if frame[2] != "GetConfiguration" else {}
        said = self.says.get(frame[2], self.otherwise or usual)
        said = said(frame[3]) if callable(said) else said
        if said is SILENT:
            self.unanswered.append(frame[1])
        elif isinstance(said, tuple):
            self._in.put_nowait(json.dumps([4, frame[1], *said, {}]))
        else:
            self._in.put_nowait(json.dumps([3, frame[1], said]))

    async def close(self, code: int = 1000, reason: str = "") -> None:
        self.closed = (code, reason)
        self._in.put_nowait(None)

    async def __aiter__(self) -> AsyncIterator[str]:
        while (text := await self._in.get()) is not None:
            yield text

    def answer(self, message_id: str, payload: dict[str, Any]) -> None:
        self._in.put_nowait(json.dumps([3, message_id, payload]))

    async def ask(self, action: str, payload: dict[str, Any]) -> list[Any]:
        self._no += 1
        self._in.put_nowait(json.dumps([2, f"m{self._no}", action, payload]))
        return await asyncio.wait_for(self._answers.get(), 5)

    async def boot(self, vendor: str = "v", model: str = "m", firmware: str = "1") -> None:
        about = {"chargePointVendor": vendor, "chargePointModel": model, "firmwareVersion": firmware}
        assert (await self.ask("BootNotification", about))[2]["status"] == "Accepted"

    async def status(self, status: str, at: str = "") -> None:
        about = {"connectorId": 1, "errorCode": "NoError", "status": status, **({"timestamp": at} if at else {})}
        await self.ask("StatusNotification", about)

    def actions(self) -> list[str]:
        return [action for action, _ in self.calls]

    def n(self, action: str) -> int:
        return self.actions().count(action)


@dataclass
class Site:
    manager: LoadManager
    gateway: Gateway
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    answered: list[ev.CommandAnswered] = field(default_factory=list)

    def plug(self, odd: Odd, protocol: str = "ocpp1.6") -> Odd:
        """Attach a charger as office-1."""
        self._tasks.append(asyncio.create_task(self.gateway.attach(STATION, protocol, odd)))
        return odd

    def traits(self) -> Traits:
        return self.manager.state.chargers.traits_of(STATION)

    async def ready(self, odd: Odd) -> None:
        """Until onboarding has gone through its steps: the trigger is the last one without a session."""
        await until(lambda: odd.n("TriggerMessage") >= 1)

    def told(self, command: str) -> list[str]:
        return [a.detail for a in self.answered if a.command == command]


@asynccontextmanager
async def office(folder: Path, operator: StationTraits, params: dict[str, float]) -> AsyncIterator[Site]:
    settings = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'office.db'}")
    context = replace(settings.context, params=replace(settings.context.params, **params))  # type: ignore[arg-type]
    access = {s: replace(a, traits=operator) for s, a in settings.ocpp.stations.items()}
    settings = replace(settings, context=context, ocpp=replace(settings.ocpp, stations=access))
    async with build_manager(settings) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        site = Site(manager, gateway)
        with manager.subscribe() as events:

            async def listen() -> None:
                async for event in events:
                    if isinstance(event, ev.CommandAnswered):
                        site.answered.append(event)

            listening = asyncio.create_task(listen())
            try:
                yield site
            finally:
                listening.cancel()
                for task in site._tasks:
                    task.cancel()
                await asyncio.gather(listening, *site._tasks, return_exceptions=True)


def run(
    folder: Path, play: Callable[[Site], Awaitable[None]], operator: StationTraits | None = None, **params: float
) -> None:
    async def main() -> None:
        async with office(folder, operator or StationTraits(), params) as site:
            await play(site)
            assert site.manager.stats.protect_failures == 0

    asyncio.run(main())


# -- the link ------------------------------------------------------------------------------------------------------


def test_any_socket_lives_like_a_websocket(tmp_path: Path) -> None:
    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await until(lambda: odd.n("SetChargingProfile") >= 2)
        assert STATION in site.gateway.connected
        await odd.close()
        await until(lambda: STATION not in site.gateway.connected)
        first = site.plug(Odd())
        await until(lambda: STATION in site.gateway.connected)
        second = site.plug(Odd())
        await until(lambda: first.closed is not None)
        assert first.closed == (1000, "replaced by a newer connection")
        assert (await second.ask("Heartbeat", {}))[0] == 3
        link = site.gateway.link(STATION)
        assert link is not None
        assert link.mirror.offline_since is None
        with pytest.raises(ValueError, match="not in the site file"):
            await site.gateway.attach(StationId("nobody"), "ocpp1.6", Odd())
        with pytest.raises(ValueError, match=r"ocpp1\.5.*use one of"):
            await site.gateway.attach(STATION, "ocpp1.5", Odd())

    run(tmp_path, play)


def test_three_calls_without_an_answer_end_the_link_so_that_a_new_one_comes(tmp_path: Path) -> None:
    """[G-47, A03]"""

    async def play(site: Site) -> None:
        dead = Odd(otherwise=SILENT)
        site.plug(dead)
        await dead.boot()
        await until(lambda: dead.closed is not None, 15)
        assert dead.closed == (1001, "no answer to 3 calls in a row")
        assert len(dead.unanswered) >= 3
        await until(lambda: not site.manager.state.stations[STATION].is_connected)
        again = site.plug(Odd())
        await until(lambda: again.n("SetChargingProfile") >= 2)

    run(tmp_path, play, call_timeout_s=0.2)


def test_a_station_without_any_success_is_cut_off_and_restarted_only_with_consent(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[G-48]: errors are answers, but not of a station that works."""
    monkeypatch.setattr("loadmgr.ocpp.connection.SILENT_S", 0.5)
    monkeypatch.setattr("loadmgr.ocpp.gateway.FAILSAFE_RETRY_S", (0.05,))

    async def play(site: Site) -> None:
        for _ in range(2):
            ill = Odd(otherwise=("InternalError", "busy"))
            site.plug(ill)
            await ill.boot()
            await until(lambda ill=ill: ill.closed is not None, 15)
            assert ill.closed == (1001, "no successful call for 0.5 s")
        site.plug(Odd(otherwise=("InternalError", "busy")))
        await until(lambda: site.told("RebootStation"))
        assert "may_reset" in site.told("RebootStation")[0]
        assert ill.n("Reset") == 0

    run(tmp_path, play)


def test_a_station_that_refuses_politely_keeps_its_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[G-48]: NotSupported is an answer."""
    monkeypatch.setattr("loadmgr.ocpp.connection.SILENT_S", 0.0)
    monkeypatch.setattr("loadmgr.ocpp.gateway.FAILSAFE_RETRY_S", (0.02,))

    async def play(site: Site) -> None:
        odd = site.plug(Odd(says={"SetChargingProfile": ("NotSupported", "no smart charging")}))
        await odd.boot()
        await until(lambda: odd.n("SetChargingProfile") > 10)
        await asyncio.sleep(1.2)
        assert odd.closed is None

    run(tmp_path, play)


# -- learning ------------------------------------------------------------------------------------------------------


def test_a_known_product_gets_its_traits_with_its_boot(tmp_path: Path) -> None:
    """(rule G): the rule files, and the site file above them."""

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot("ZJBENY", "BCP-B2N-L", "1.0.23")
        await until(lambda: site.traits() != Traits())
        assert site.traits().call_timeout_s == 90.0
        assert site.traits().zero == "limit"

    run(tmp_path, play, StationTraits(zero="limit"))


def test_what_a_station_claims_shapes_what_it_is_sent(tmp_path: Path) -> None:
    """[G-13, G-27, G-28]"""

    async def play(site: Site) -> None:
        keys = [
            {"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "0"},
            {"key": "ChargingScheduleAllowedChargingRateUnit", "readonly": True, "value": "[Power]"},
        ]
        odd = site.plug(Odd(says={"GetConfiguration": {"configurationKey": keys}}))
        await odd.boot()
        await until(lambda: site.traits().stack_max == 0)
        assert site.traits().rate_units == ("W", "A")

    run(tmp_path, play)


def test_a_late_answer_gives_the_station_more_time(tmp_path: Path) -> None:
    """[G-47, 0-6]"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd(says={"SetChargingProfile": SILENT}))
        await odd.boot()
        await until(lambda: odd.n("ChangeConfiguration") >= 1 or len(odd.unanswered) >= 2, 15)
        odd.says.clear()
        odd.answer(odd.unanswered[0], {"status": "Accepted"})
        await until(lambda: site.traits().call_timeout_s == 90.0)
        link = site.gateway.link(STATION)
        assert link is not None
        assert link.session.timeout_s == 90.0

    run(tmp_path, play, call_timeout_s=0.3)


def test_after_three_refused_triggers_none_is_sent(tmp_path: Path) -> None:
    """[G-24]"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd(says={"TriggerMessage": {"status": "NotImplemented"}}))
        await odd.boot()
        await site.ready(odd)
        for no in (101, 102):
            site.gateway.send(cmd.TriggerStatus(no=no, station=STATION, evse=EVSE))
        await until(lambda: not site.traits().may_trigger)
        site.gateway.send(cmd.TriggerMeter(no=103, station=STATION, evse=EVSE))
        await until(lambda: site.told("TriggerMeter"))
        assert "takes no triggers" in site.told("TriggerMeter")[0]
        assert odd.n("TriggerMessage") == 3

    run(tmp_path, play)


def test_another_answer_about_meters_without_a_session_says_nothing(tmp_path: Path) -> None:
    """[G-24, C-10]: a station without a transaction may have no values to send."""

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await site.ready(odd)
        odd.says["TriggerMessage"] = {"status": "Rejected"}
        for no in range(101, 106):
            site.gateway.send(cmd.TriggerMeter(no=no, station=STATION, evse=EVSE))
        await until(lambda: len(site.told("TriggerMeter")) == 5)
        assert site.traits().may_trigger

    run(tmp_path, play)


# -- onboarding ----------------------------------------------------------------------------------------------------


def test_a_boot_on_the_same_link_gets_everything_again(tmp_path: Path) -> None:
    """[G-42, A-133]"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await site.ready(odd)
        n_before = len(odd.calls)
        await odd.boot()
        await until(lambda: "ChangeConfiguration" in odd.actions()[n_before:])
        assert odd.actions()[n_before : n_before + 2] == ["SetChargingProfile", "SetChargingProfile"]

    run(tmp_path, play)


def test_a_new_link_without_a_boot_gets_the_failsafe_and_keeps_its_settings(tmp_path: Path) -> None:
    """[A-133, G-42, G-53]"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await site.ready(odd)
        await odd.close()
        again = site.plug(Odd())
        await site.ready(again)
        assert again.actions()[:2] == ["SetChargingProfile", "SetChargingProfile"]
        assert "ChangeConfiguration" not in again.actions()
        assert "ClearChargingProfile" not in again.actions()

    run(tmp_path, play)


def test_leftovers_of_earlier_times_go_once_and_never_our_failsafe(tmp_path: Path) -> None:
    """[A-90, G-23]"""

    async def play(site: Site) -> None:
        keys = [{"key": "ChargeProfileMaxStackLevel", "readonly": True, "value": "2"}]
        odd = site.plug(Odd(says={"GetConfiguration": {"configurationKey": keys}}))
        await odd.boot()
        await site.ready(odd)
        cleared = [p for a, p in odd.calls if a == "ClearChargingProfile"]
        assert {"connectorId": 1, "chargingProfilePurpose": "TxDefaultProfile"} in cleared
        assert {"connectorId": 1, "chargingProfilePurpose": "TxProfile", "stackLevel": 2} in cleared
        assert {"connectorId": 0, "chargingProfilePurpose": "ChargePointMaxProfile", "stackLevel": 2} in cleared
        assert all(c["connectorId"] != 0 or c["stackLevel"] > 0 for c in cleared)
        last = max(i for i, a in enumerate(odd.actions()) if a == "ClearChargingProfile")
        assert odd.actions()[last + 1 : last + 3] == ["SetChargingProfile", "SetChargingProfile"]

    run(tmp_path, play)


def test_where_nothing_was_left_nothing_is_installed_twice(tmp_path: Path) -> None:
    """[A-90, A-132]"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd(says={"ClearChargingProfile": {"status": "Unknown"}}))
        await odd.boot()
        await site.ready(odd)
        assert odd.n("SetChargingProfile") == 2

    run(tmp_path, play)


def test_a_failsafe_that_is_refused_is_tried_in_other_forms(tmp_path: Path) -> None:
    """[A-40, G-17, G-26]"""

    async def play(site: Site) -> None:
        def takes_only_watts(payload: dict[str, Any]) -> dict[str, str]:
            unit = payload["csChargingProfiles"]["chargingSchedule"]["chargingRateUnit"]
            return {"status": "Accepted" if unit == "W" else "Rejected"}

        odd = site.plug(Odd(says={"SetChargingProfile": takes_only_watts}))
        await odd.boot()
        await until(lambda: site.manager.state.stations[STATION].failsafe.value == "confirmed")

    run(tmp_path, play)


def test_a_station_that_is_silent_on_absolute_schedules_gets_relative_ones(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[G-7]: it answers everything else, so it is not the link."""
    monkeypatch.setattr("loadmgr.ocpp.gateway.FAILSAFE_RETRY_S", (0.05,))

    async def play(site: Site) -> None:
        odd = site.plug(Odd(says={"SetChargingProfile": SILENT}))
        await odd.boot()
        await until(lambda: site.traits().kind == "relative", 15)
        assert odd.closed is None

    run(tmp_path, play, call_timeout_s=0.2)


# -- sessions ------------------------------------------------------------------------------------------------------


def test_a_plugged_car_gets_the_remote_start_that_its_charger_waits_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[G-81]: once per car, and never against a pause [G-4]."""
    monkeypatch.setattr("loadmgr.ocpp.care.START_AFTER_S", 0.05)
    monkeypatch.setattr("loadmgr.ocpp.care.START_AGAIN_S", 0.2)

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await site.ready(odd)
        await odd.status("Preparing")
        await until(lambda: odd.n("RemoteStartTransaction") == 1)
        (asked,) = [p for a, p in odd.calls if a == "RemoteStartTransaction"]
        assert (asked["connectorId"], asked["idTag"]) == (1, "house")
        transaction = (await odd.ask("StartTransaction", start(tag="house")))[2]["transactionId"]
        stop = {"transactionId": transaction, "meterStop": 2000, "timestamp": "2026-06-10T13:00:00Z"}
        await odd.ask("StopTransaction", stop)
        await odd.status("Finishing")
        await odd.status("Preparing")
        await asyncio.sleep(0.4)
        assert odd.n("RemoteStartTransaction") == 1
        await odd.status("Available")
        await odd.status("Preparing")
        await until(lambda: odd.n("RemoteStartTransaction") == 4)
        await asyncio.sleep(0.5)
        assert odd.n("RemoteStartTransaction") == 4, "three tries for the next car, which never starts"

    run(tmp_path, play, StationTraits(needs_remote_start=True, start_tag="house"))


def test_without_an_id_tag_the_operator_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[G-81]"""
    monkeypatch.setattr("loadmgr.ocpp.care.START_AFTER_S", 0.05)

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await odd.status("Preparing")
        await until(lambda: site.told("StartSession"))
        assert "start_tag" in site.told("StartSession")[0]

    run(tmp_path, play, StationTraits(needs_remote_start=True))


@pytest.mark.parametrize("may_reset", [True, False])
def test_a_setting_that_needs_a_restart_waits_for_an_idle_station(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, may_reset: bool
) -> None:
    """[G-83, G-48]"""
    monkeypatch.setattr("loadmgr.ocpp.care.IDLE_S", 0.0)

    async def play(site: Site) -> None:
        odd = Odd(says={"ChangeConfiguration": {"status": "RebootRequired"}})
        site.plug(odd)
        await odd.ask("StartTransaction", start())
        await odd.boot()
        await until(lambda: odd.n("GetConfiguration") >= 1)
        await asyncio.sleep(1.5)
        assert odd.n("Reset") == 0
        transaction = next(iter(site.manager.state.sessions.values())).transaction
        stop = {"transactionId": int(transaction), "meterStop": 2000, "timestamp": "2026-06-10T13:00:00Z"}
        await odd.ask("StopTransaction", stop)
        if may_reset:
            await until(lambda: site.told("RebootStation"))
        else:
            await until(lambda: site.told("RebootStation"))
            assert "may_reset" in site.told("RebootStation")[0]
            assert odd.n("Reset") == 0

    run(tmp_path, play, StationTraits(may_reset=may_reset))


def test_a_silent_meter_is_asked_for_its_values(tmp_path: Path) -> None:
    """[C-10, G-95]"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await site.ready(odd)
        link = site.gateway.link(STATION)
        assert link is not None
        link.stale_s = 1.0
        assert link.nudges == {}, "an EVSE without a session has nothing to tell"
        await odd.ask("StartTransaction", start())
        await until(lambda: meters(odd) == 2, 10)
        transaction = next(iter(site.manager.state.sessions.values())).transaction
        values = [{"value": "0", "measurand": "Current.Import", "phase": "L1"}]
        await odd.ask("MeterValues", meter(int(transaction), values))
        assert link.nudges[EVSE].asked_s is None

    run(tmp_path, play)


def meters(odd: Odd) -> int:
    """How often its meter was asked."""
    return sum(1 for a, p in odd.calls if a == "TriggerMessage" and p["requestedMessage"] == "MeterValues")


def a_setpoint(no: int, current_a: float, manager: LoadManager) -> cmd.SendSetpoint:
    from datetime import timedelta

    now = manager.now()
    setpoint = Setpoint(
        no=no, evse=EVSE, current_a=current_a, n_phases=3, made_at=now, valid_until=now + timedelta(seconds=180)
    )
    return cmd.SendSetpoint(no=no, station=STATION, setpoint=setpoint)


def test_a_late_answer_to_an_older_setpoint_brings_the_newest_again(tmp_path: Path) -> None:
    """[G-61]"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd())
        await odd.boot()
        await site.ready(odd)
        await asyncio.sleep(0.1)
        odd.says["SetChargingProfile"] = SILENT
        site.gateway.send(a_setpoint(901, 16.0, site.manager))
        await until(lambda: len(odd.unanswered) == 1)
        site.gateway.send(a_setpoint(902, 10.0, site.manager))
        await until(lambda: len(odd.unanswered) == 2, 10)
        odd.says.clear()
        odd.answer(odd.unanswered[1], {"status": "Accepted"})
        odd.answer(odd.unanswered[0], {"status": "Accepted"})
        await until(lambda: limits(odd)[-3:] == [16.0, 10.0, 10.0])

    run(tmp_path, play, call_timeout_s=1.0)


def limits(odd: Odd) -> list[float]:
    """The limits of the profiles that were sent, in their order."""
    sent = [p["csChargingProfiles"]["chargingSchedule"] for a, p in odd.calls if a == "SetChargingProfile"]
    return [s["chargingSchedulePeriod"][0]["limit"] for s in sent]


def test_a_schedule_that_differs_makes_the_service_tell_its_limit_again(tmp_path: Path) -> None:
    """[A-62, A-61]"""

    async def play(site: Site) -> None:
        def composite(payload: dict[str, Any]) -> dict[str, Any]:
            stamp = site.manager.now().strftime("%Y-%m-%dT%H:%M:%SZ")
            periods = [{"startPeriod": 0, "limit": 31.0}]
            schedule = {"duration": payload["duration"], "chargingRateUnit": "A", "chargingSchedulePeriod": periods}
            return {"status": "Accepted", "connectorId": 1, "scheduleStart": stamp, "chargingSchedule": schedule}

        odd = site.plug(Odd(says={"GetCompositeSchedule": composite}))
        await odd.ask("StartTransaction", start())
        await odd.boot()
        await until(lambda: EVSE in site.manager.state.chargers.composites)
        await until(lambda: "31.0 A" in site.manager.state.chargers.composites[EVSE].differs)

    run(tmp_path, play)


def test_useless_schedules_are_not_asked_for_again(tmp_path: Path) -> None:
    """[G-20]"""

    async def play(site: Site) -> None:
        schedule = {"duration": 0, "chargingSchedulePeriod": [], "startSchedule": "0", "chargingRateUnit": ""}
        answer = {"status": "Accepted", "connectorId": 0, "scheduleStart": "0", "chargingSchedule": schedule}
        odd = site.plug(Odd(says={"GetCompositeSchedule": answer}))
        await odd.boot()
        await site.ready(odd)
        for no in (101, 102):
            site.gateway.send(cmd.ReadComposite(no=no, station=STATION, evse=EVSE, duration_s=60))
        await until(lambda: not site.traits().is_composite_useful)
        site.gateway.send(cmd.ReadComposite(no=103, station=STATION, evse=EVSE, duration_s=60))
        await until(lambda: len(site.told("ReadComposite")) == 3)
        assert odd.n("GetCompositeSchedule") == 2

    run(tmp_path, play)


# -- 2.x -----------------------------------------------------------------------------------------------------------

ABOUT = {"model": "m", "vendorName": "v"}


async def boot_2x(odd: Odd) -> None:
    odd.says["SetVariables"] = lambda p: {
        "setVariableResult": [{"attributeStatus": "Accepted", **_named(d)} for d in p["setVariableData"]]
    }
    answer = await odd.ask("BootNotification", {"chargingStation": ABOUT, "reason": "PowerUp"})
    assert answer[2]["status"] == "Accepted"


def _named(data: dict[str, Any]) -> dict[str, Any]:
    return {"component": data["component"], "variable": data["variable"]}


def variables(known: dict[str, str]) -> Callable[[dict[str, Any]], dict[str, Any]]:
    def answer(payload: dict[str, Any]) -> dict[str, Any]:
        assert len(payload["getVariableData"]) <= 10
        found = []
        for data in payload["getVariableData"]:
            name = f"{data['component']['name']}.{data['variable']['name']}"
            value = {"attributeValue": known[name]} if name in known else {}
            status = "Accepted" if name in known else "UnknownVariable"
            found.append({"attributeStatus": status, **value, **_named(data)})
        return {"getVariableResult": found}

    return answer


def test_what_a_2_1_station_can_do_becomes_its_traits(tmp_path: Path) -> None:
    """[A-101, B-4, A-30]"""

    async def play(site: Site) -> None:
        known = {
            "SmartChargingCtrlr.SupportsDynamicProfiles": "true",
            "SmartChargingCtrlr.MaxExternalConstraintsId": "15000",
            "V2XChargingCtrlr.Enabled": "true",
            "V2XChargingCtrlr.SupportedOperationModes": "ChargingOnly,CentralSetpoint",
            "DCDERCtrlr.ModesSupported": "LimitMaxDischarge",
            "DCDERCtrlr.MaxW": "22000",
        }
        odd = site.plug(Odd(says={"GetVariables": variables(known)}), "ocpp2.1")
        await boot_2x(odd)
        await until(lambda: site.traits().discharge_rated_kw == 22.0)
        assert site.traits().supports_dynamic
        assert site.traits().operation_modes == ("ChargingOnly", "CentralSetpoint")
        assert site.traits().der_controls == ("LimitMaxDischarge",)
        assert site.traits().min_profile_id == 15000

    run(tmp_path, play)


FOREIGN = {
    "id": 77,
    "stackLevel": 5,
    "chargingProfilePurpose": "TxDefaultProfile",
    "chargingProfileKind": "Absolute",
    "chargingSchedule": [
        {
            "id": 1,
            "startSchedule": "2026-01-01T00:00:00Z",
            "chargingRateUnit": "A",
            "chargingSchedulePeriod": [{"startPeriod": 0, "limit": 32.0}],
        }
    ],
}


@pytest.mark.parametrize("takes_over", [True, False])
def test_foreign_profiles_go_only_where_the_site_file_gives_us_the_station(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, takes_over: bool
) -> None:
    """[A-91]: those of the grid operator never."""
    monkeypatch.setattr("loadmgr.ocpp.takeover.REPORT_S", 0.3)

    async def play(site: Site) -> None:
        odd = site.plug(Odd(says={"GetVariables": variables({})}), "ocpp2.0.1")
        await boot_2x(odd)
        await until(lambda: odd.n("GetChargingProfiles") == 1)
        (request,) = [p["requestId"] for a, p in odd.calls if a == "GetChargingProfiles"]
        external = {**FOREIGN, "id": 3, "chargingProfilePurpose": "ChargingStationExternalConstraints"}
        for source, profile in (("CSO", FOREIGN), ("SO", external)):
            report = {"requestId": request, "chargingLimitSource": source, "evseId": 1, "chargingProfile": [profile]}
            assert (await odd.ask("ReportChargingProfiles", report))[0] == 3
        await site.ready(odd)
        cleared = [p["chargingProfileId"] for a, p in odd.calls if a == "ClearChargingProfile" and "chargingProfileId" in p]
        assert cleared == ([77] if takes_over else [])

    run(tmp_path, play, StationTraits(takes_over=takes_over))


def test_a_report_without_our_profiles_gets_them_again(tmp_path: Path) -> None:
    """[A-91, A-133]: what the station lost is repaired."""

    async def play(site: Site) -> None:
        odd = site.plug(
            Odd(says={"GetVariables": variables({}), "GetChargingProfiles": {"status": "NoProfiles"}}), "ocpp2.0.1"
        )
        await boot_2x(odd)
        await until(lambda: odd.n("SetChargingProfile") >= 4)
        last = max(i for i, a in enumerate(odd.actions()) if a == "GetChargingProfiles")
        assert "SetChargingProfile" in odd.actions()[last:]

    run(tmp_path, play)


def test_a_rate_limit_stands_in_the_detail_and_holds_rises_back(tmp_path: Path) -> None:
    """(rule A.6)"""

    async def play(site: Site) -> None:
        odd = site.plug(Odd(says={"GetVariables": variables({})}), "ocpp2.0.1")
        await boot_2x(odd)
        await site.ready(odd)
        site.gateway.send(a_setpoint(901, 10.0, site.manager))
        link = site.gateway.link(STATION)
        assert link is not None
        await until(lambda: link.charger.present(EVSE) is not None)
        odd.says["SetChargingProfile"] = {
            "status": "Rejected",
            "statusInfo": {"reasonCode": "RateLimitExceeded", "additionalInfo": "try again in 600 s"},
        }
        n_before = odd.n("SetChargingProfile")
        site.gateway.send(a_setpoint(902, 12.0, site.manager))
        await until(lambda: link.charger.hold_until_s > 0)
        site.gateway.send(a_setpoint(903, 14.0, site.manager))
        site.gateway.send(a_setpoint(904, 6.0, site.manager))
        await until(lambda: odd.n("SetChargingProfile") == n_before + 2)
        sent = [p["chargingProfile"]["chargingSchedule"][0] for a, p in odd.calls if a == "SetChargingProfile"]
        assert [s["chargingSchedulePeriod"][0]["limit"] for s in sent[-2:]] == [12.0, 6.0]

    run(tmp_path, play)


def test_a_2_x_station_that_speaks_without_a_boot_is_asked_for_one_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[G-43, G-25]"""
    monkeypatch.setattr("loadmgr.ocpp.gateway.WITHOUT_BOOT_S", 0.1)

    async def play(site: Site) -> None:
        odd = site.plug(Odd(), "ocpp2.0.1")
        assert (await odd.ask("Heartbeat", {}))[2] == "SecurityError"
        await until(lambda: odd.calls)
        assert odd.calls == [("TriggerMessage", {"requestedMessage": "BootNotification"})]

    run(tmp_path, play)
