"""The gateway over real sockets: bad input gets its error, and two healthy chargers beside it carry on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from loadmgr.control.state import FailsafeState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, StationId
from loadmgr.domain.samples import Measured
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.support.chargers import PASSWORD, charger, header, meter, office, start, until


@asynccontextmanager
async def healthy(gateway: Gateway) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Two healthy chargers; the check proves that they still answer and are connected."""
    async with charger(gateway, "office-3") as third, charger(gateway, "office-4", protocol="ocpp2.0.1") as fourth:

        async def check() -> None:
            for each in (third, fourth):
                assert (await each.ask("Heartbeat", {}))[0] == 3
            assert {"office-3", "office-4"} <= gateway.connected

        yield check


def _run(folder: Path, play: Callable[[LoadManager, Gateway], Awaitable[None]], **params: float) -> None:
    async def main() -> None:
        async with office(folder, **params) as (manager, gateway), healthy(gateway) as check:
            await play(manager, gateway)
            await check()
            assert manager.stats.protect_failures == 0
            assert manager.health().is_ready

    asyncio.run(main())


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
def test_boot_installs_the_failsafe_and_configures_metering(tmp_path: Path, protocol: str) -> None:
    """[A.15, G-45, C.3]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1", protocol=protocol) as raw:
            await until(lambda: len(raw.calls) >= 8)
            actions = [c[2] for c in raw.calls]
            assert actions[:2] == ["SetChargingProfile", "SetChargingProfile"]
            assert "ChangeConfiguration" in actions or "SetVariables" in actions
            state = manager.state.stations[StationId("office-1")]
            assert state.failsafe is FailsafeState.CONFIRMED
            assert state.failsafe_a == 6.0

    _run(tmp_path, play)


def test_a_station_that_boots_late_gets_its_failsafe_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[G-43, E-2]"""
    monkeypatch.setattr("loadmgr.ocpp.gateway.WITHOUT_BOOT_S", 0.05)

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1", protocol="ocpp2.0.1", boots=False) as raw:
            await asyncio.sleep(0.4)
            assert raw.calls == []  # a 2.x station takes nothing before it has booted
            about = {"model": "m", "vendorName": "v"}
            await raw.ask("BootNotification", {"chargingStation": about, "reason": "PowerUp"})
            await until(lambda: manager.state.stations[StationId("office-1")].failsafe is FailsafeState.CONFIRMED)

    _run(tmp_path, play)


def test_a_failsafe_is_tried_until_it_is_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[A.15, B21]"""
    monkeypatch.setattr("loadmgr.ocpp.gateway.FAILSAFE_RETRY_S", (0.02, 0.05))

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        station = StationId("office-1")
        async with charger(gateway, "office-1", boots=False) as raw:
            raw.status = "Rejected"
            await raw.ask("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
            await until(lambda: len(raw.profiles("TxDefaultProfile")) >= 5)
            assert manager.state.stations[station].failsafe is FailsafeState.REFUSED
            await until(lambda: any(c[2] == "ChangeConfiguration" for c in raw.calls))  # a refusal must not stop it
            raw.status = "Accepted"
            await until(lambda: manager.state.stations[station].failsafe is FailsafeState.CONFIRMED)

    _run(tmp_path, play)


def test_a_session_from_plug_in_to_plug_out_with_its_profile(tmp_path: Path) -> None:
    """[A-6, A-22, D-43]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        # office-2 has never been seen: it counts at 32 A until it confirms, which would leave nothing [E-21].
        manager.take(
            _meter(manager),
            ev.FailsafeAnswered(at=manager.now(), station=StationId("office-2"), failsafe_a=6.0, accepted=True),
        )
        async with charger(gateway, "office-1") as raw:
            await until(lambda: manager.state.stations[StationId("office-1")].failsafe is FailsafeState.CONFIRMED)
            answer = await raw.ask("StartTransaction", start())
            transaction = answer[2]["transactionId"]
            await until(lambda: raw.profiles("TxProfile"))
            (profile, *_) = raw.profiles("TxProfile")
            assert profile["transactionId"] == transaction
            period = profile["chargingSchedule"]["chargingSchedulePeriod"][0]
            assert period["limit"] >= 6.0
            assert period["numberPhases"] == 3
            assert 0 < profile["chargingSchedule"]["duration"] <= 200
            energy = [{"value": "1500", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
            assert (await raw.ask("MeterValues", meter(transaction, energy)))[0] == 3
            stop = {"transactionId": transaction, "meterStop": 2345, "timestamp": "2026-06-10T13:00:00Z"}
            assert (await raw.ask("StopTransaction", stop))[0] == 3
            (session,) = await manager.history.sessions(open_only=False, limit=5)
            assert round(session.energy_kwh * 1000) == 1345

    _run(tmp_path, play)


def _meter(manager: LoadManager, current_a: float = 5.0) -> ev.MeterSample:
    now = manager.now()
    return ev.MeterSample(
        at=now,
        meter=MeterId("grid-meter"),
        measured_at=now,
        measured=Measured(current_a=(current_a,) * 3),  # type: ignore[arg-type]
    )


def test_a_repeated_start_is_the_same_transaction(tmp_path: Path) -> None:
    """[B13, B14, G-73]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as raw:
            first = (await raw.ask("StartTransaction", start()))[2]["transactionId"]
        async with charger(gateway, "office-1") as raw:
            again = (await raw.ask("StartTransaction", start()))[2]["transactionId"]
            other = (await raw.ask("StartTransaction", start(meter=5000)))[2]["transactionId"]
        assert first == again != other
        sessions = await manager.history.sessions(open_only=False, limit=10)
        assert len(sessions) == 2

    _run(tmp_path, play)


def test_nobody_stops_or_meters_anothers_transaction(tmp_path: Path) -> None:
    """[B15, B16, B18, G08, P5]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as mine, charger(gateway, "office-2") as thief:
            transaction = (await mine.ask("StartTransaction", start()))[2]["transactionId"]
            stop = {"transactionId": transaction, "meterStop": 9999, "timestamp": "2026-06-10T13:00:00Z"}
            assert (await thief.ask("StopTransaction", stop))[0] == 3  # acknowledged as an orphan
            energy = [{"value": "99999", "measurand": "Energy.Active.Import.Register"}]
            assert (await thief.ask("MeterValues", meter(transaction, energy)))[0] == 3
            (session,) = manager.state.sessions.values()
            assert session.evse == "office-1/1"
            assert session.energy_kwh == 0.0
            unknown = {"transactionId": 12345, "meterStop": 1, "timestamp": "2026-06-10T13:00:00Z"}
            assert (await mine.ask("StopTransaction", unknown))[0] == 3

    _run(tmp_path, play)


@pytest.mark.parametrize(
    ("user", "password"), [("office-1", "wrong"), ("office-2", PASSWORD), ("nobody", PASSWORD), ("", "")]
)
def test_a_wrong_password_is_refused_before_the_upgrade(tmp_path: Path, user: str, password: str) -> None:
    """[E-10, G01]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        for station in ("office-1", "no-such-station", "..%2f..%2fetc"):
            with pytest.raises(InvalidStatus) as caught:
                async with connect(
                    f"ws://127.0.0.1:{gateway.port}/ocpp/{station}",
                    subprotocols=["ocpp1.6"],  # type: ignore[list-item]
                    additional_headers=header(user, password) if user else {},
                ):
                    pass
            assert caught.value.response.status_code == 401
            assert caught.value.response.body == b"unknown station or wrong password\n"

    _run(tmp_path, play)


def test_an_identity_in_another_case_is_refused_and_its_station_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """[G-55] Once in the history of the station that it resembles, and only for who knows its password."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        for password in ("wrong", PASSWORD, PASSWORD):
            with pytest.raises(InvalidStatus) as caught:
                async with charger(gateway, "OFFICE-1", password=password):
                    pass
            assert caught.value.response.status_code == 401
            assert caught.value.response.body == b"unknown station or wrong password\n"
        assert "office-1" not in gateway.connected
        await manager.durable()
        told = [c for c in await manager.history.commands(limit=100) if c.kind == "Connect"]
        assert [(c.station, c.accepted) for c in told] == [("office-1", False)]
        assert "'OFFICE-1' is not 'office-1'" in told[0].detail
        remedies = [getattr(r, "remedy", "") for r in caplog.records if r.message == "refused"]
        assert ["aliases" in r for r in remedies] == [False, True, True]

    _run(tmp_path, play)


@pytest.mark.parametrize("path", ["ocpp/office-1/", "/ocpp//office-1", "ocpp/%6Fffice%2D1"])
def test_a_path_in_another_form_is_the_same_station(tmp_path: Path, path: str) -> None:
    """[G-55]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with connect(
            f"ws://127.0.0.1:{gateway.port}/{path}",
            subprotocols=["ocpp1.6"],  # type: ignore[list-item]
            additional_headers=header("office-1", PASSWORD),
        ):
            await until(lambda: "office-1" in gateway.connected)

    _run(tmp_path, play)


def test_the_wrong_path_and_the_wrong_subprotocol_are_refused(tmp_path: Path) -> None:
    """[A10, E.1]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        with pytest.raises(InvalidStatus) as caught:
            async with connect(f"ws://127.0.0.1:{gateway.port}/elsewhere/office-1"):
                pass
        assert caught.value.response.status_code == 404
        for protocols in (["ocpp1.5"], None):
            async with connect(
                f"ws://127.0.0.1:{gateway.port}/ocpp/office-1",
                subprotocols=protocols,  # type: ignore[arg-type]
                additional_headers=header("office-1", PASSWORD),
            ) as socket:
                with pytest.raises(ConnectionClosed) as closed:
                    await socket.recv()
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1002

    _run(tmp_path, play)


def test_a_second_connection_must_authenticate_before_it_replaces_the_first(tmp_path: Path) -> None:
    """[A08]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as first:
            with pytest.raises(InvalidStatus):
                async with charger(gateway, "office-1", password="wrong"):
                    pass
            assert (await first.ask("Heartbeat", {}))[0] == 3
            async with charger(gateway, "office-1") as second:
                await asyncio.wait_for(first.socket.wait_closed(), 5)
                assert first.socket.close_code == 1000
                assert (await second.ask("Heartbeat", {}))[0] == 3
                assert "office-1" in gateway.connected
                assert gateway.takeovers == 1

    _run(tmp_path, play)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("not json", "FormationViolation"),
        ('[2,"a","NoSuchAction",{}]', "NotImplemented"),
        ('[2,"a","StartTransaction",{"connectorId":1}]', "OccurenceConstraintViolation"),
        (json.dumps([2, "a", "StartTransaction", start(connector=99)]), "PropertyConstraintViolation"),
        (json.dumps([2, "a", "StartTransaction", start(connector=-1)]), "PropertyConstraintViolation"),
        (json.dumps([2, "a", "StartTransaction", start(connector=2**31)]), "PropertyConstraintViolation"),
        (json.dumps([2, "a", "StartTransaction", start(tag="x" * 21)]), "PropertyConstraintViolation"),
    ],
)
def test_a_bad_message_gets_its_error_and_the_link_goes_on(tmp_path: Path, frame: str, code: str) -> None:
    """[B01, B10, B12, B26, B27]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as raw:
            await raw.send(frame)
            answer = await raw.answer()
            assert answer[0] == 4
            assert answer[2] == code
            assert (await raw.ask("Heartbeat", {}))[0] == 3

    _run(tmp_path, play)


def test_binary_frames_are_ignored_and_huge_ones_close_the_link(tmp_path: Path) -> None:
    """[B03, B04]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as raw:
            await raw.send(b"\x00\x01")
            assert (await raw.ask("Heartbeat", {}))[0] == 3
            await raw.send("x" * 1_000_000)
            await asyncio.wait_for(raw.socket.wait_closed(), 5)
            assert raw.socket.close_code == 1009

    _run(tmp_path, play)


def test_an_endless_stream_of_nonsense_is_cut_off(tmp_path: Path) -> None:
    """[B01]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as raw:
            with pytest.raises(ConnectionClosed):
                for _ in range(500):
                    await raw.send("nonsense")
                    await asyncio.sleep(0)
                await asyncio.wait_for(raw.socket.wait_closed(), 5)
                raise ConnectionClosed(None, None)
            assert raw.socket.close_code == 1008

    _run(tmp_path, play)


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-1e999", "12,5", "0x10", " ", "1e308"])
def test_nonsense_meter_values_never_reach_the_state(tmp_path: Path, value: str) -> None:
    """[B08]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as raw:
            transaction = (await raw.ask("StartTransaction", start()))[2]["transactionId"]
            values = [
                {"value": value, "measurand": "Current.Import", "phase": "L1"},
                {"value": value, "measurand": "Energy.Active.Import.Register"},
            ]
            assert (await raw.ask("MeterValues", meter(transaction, values)))[0] == 3
            assert manager.state.evses[EvseId("office-1/1")].draw_a() == (0.0, 0.0, 0.0)
            (session,) = manager.state.sessions.values()
            assert session.energy_kwh == 0.0

    _run(tmp_path, play)


@pytest.mark.parametrize("stamp", ["1000000", "2026-00-10T12:00:00Z", "9999-12-31T23:59:59Z", "1970-01-01T00:00:00"])
def test_impossible_times_are_survived(tmp_path: Path, stamp: str) -> None:
    """[B25]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as raw:
            answer = await raw.ask("StartTransaction", start(at=stamp))
            assert answer[0] == 3
            values = [{"value": "10", "measurand": "Current.Import", "phase": "L1"}]
            payload = meter(answer[2]["transactionId"], values, at=stamp)
            assert (await raw.ask("MeterValues", payload))[0] == 3
            (session,) = manager.state.sessions.values()
            assert abs((session.started_at - datetime.now(UTC)).days) < 30_000

    _run(tmp_path, play)


def test_a_call_before_the_boot_is_a_security_error_in_2_0_1(tmp_path: Path) -> None:
    """[D-23, B19]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1", protocol="ocpp2.0.1", boots=False) as raw:
            answer = await raw.ask("Heartbeat", {})
            assert answer[2] == "SecurityError"

    _run(tmp_path, play)


def test_a_refused_failsafe_makes_the_station_count_in_full_and_raises_an_alarm(tmp_path: Path) -> None:
    """[B21]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1", boots=False) as raw:
            raw.status = "Rejected"
            await raw.ask("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
            await until(lambda: "failsafe:office-1" in manager.state.alarms)
            assert manager.state.stations[StationId("office-1")].failsafe is FailsafeState.REFUSED

    _run(tmp_path, play)


def test_a_lost_link_makes_an_unanswered_setpoint_unknown_and_not_accepted(tmp_path: Path) -> None:
    """[A03, A-133]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        manager.take(_meter(manager))
        async with charger(gateway, "office-1") as raw:
            await until(lambda: manager.state.stations[StationId("office-1")].failsafe is FailsafeState.CONFIRMED)
            await until(lambda: any(c[2] == "TriggerMessage" for c in raw.calls))  # the last step after a connect
            raw.is_silent = True
            await raw.ask("StartTransaction", start())
            await until(lambda: raw.profiles("TxProfile"))
        evse = EvseId("office-1/1")
        await until(lambda: "office-1" not in gateway.connected)
        assert [o.outcome.value for o in manager.state.evses[evse].orders] == ["unknown"]
        async with charger(gateway, "office-1", boots=False) as again:
            await until(lambda: again.profiles("TxProfile"))

    _run(tmp_path, play)


def test_hostile_text_is_stored_as_text(tmp_path: Path) -> None:
    """[G13, B27]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, "office-1") as raw:
            for number, tag in enumerate(("'; DROP TABLE x;--", '"><img src=x>', "\u202e\U0001f600", "a\x00b")):
                answer = await raw.ask("StartTransaction", start(meter=number, tag=tag))
                assert answer[0] == 3, answer
                assert tag in {s.id_tag for s in manager.state.sessions.values()}

    _run(tmp_path, play)
