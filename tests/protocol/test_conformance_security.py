"""What the central system must refuse, and that a refused or misbehaving station never gains capacity (rule I.9).

TLS, client certificates and revocation are in ``test_security_profiles.py``, the messages about them in
``test_security_messages.py``.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from loadmgr.control.state import allowed_a
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.ocpp.access.throttle import FREE_TRIES
from loadmgr.ocpp.gateway import Gateway
from loadmgr.ocpp.versions import VERSIONS
from loadmgr.runtime import LoadManager
from tests.support.chargers import PASSWORD, charger, header, office, start

ST, EVSE = StationId("office-1"), EvseId("office-1/1")
SINCE_2 = ("ocpp2.0.1", "ocpp2.1")
Json = dict[str, Any]


def _run(folder: Path, play: Callable[[LoadManager, Gateway], Awaitable[None]]) -> None:
    async def main() -> None:
        async with office(folder) as (manager, gateway):
            await play(manager, gateway)
            assert manager.stats.protect_failures == 0
            assert manager.health().is_ready

    asyncio.run(main())


async def _status(gateway: Gateway, station: str, headers: dict[str, str], protocol: str) -> int:
    """The HTTP status with which a handshake is refused; 101 when it is not."""
    url = f"ws://127.0.0.1:{gateway.port}/ocpp/{station}"
    extra: Any = {"subprotocols": [protocol], "additional_headers": headers}
    try:
        async with connect(url, **extra):
            return 101
    except InvalidStatus as refused:
        return refused.response.status_code


CREDENTIALS = {
    "none, which would be a downgrade to no profile": {},
    "another station's name": header("office-2", PASSWORD),
    "a wrong password": header(ST, PASSWORD[:-1]),
    "an empty password": header(ST, ""),
    "another scheme": {"Authorization": f"Bearer {PASSWORD}"},
    "no base64": {"Authorization": "Basic ###"},
    "no colon": {"Authorization": "Basic b2ZmaWNl"},
}


@pytest.mark.parametrize("protocol", VERSIONS)
@pytest.mark.parametrize("name", CREDENTIALS)
def test_i9_wrong_credentials_are_refused_before_the_upgrade_and_change_nothing(
    tmp_path: Path, protocol: str, name: str
) -> None:
    """[I.9, E-10, E-13, E-20, E-21]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        before = manager.state.stations
        assert await _status(gateway, ST, CREDENTIALS[name], protocol) == 401
        assert manager.state.stations == before
        assert allowed_a(manager.state, EVSE, manager.now()) == 32.0  # it never confirmed a fail-safe
        assert gateway.refused_logins == 1
        assert await _status(gateway, ST, header(ST, PASSWORD), protocol) == 101

    _run(tmp_path, play)


@pytest.mark.parametrize("identity", ["nobody", "office-9", "office-1%00", "office-1%2Foffice-2", "%2e%2e", "x" * 200])
def test_i9_an_unknown_identity_is_refused_with_the_answer_to_a_wrong_password(tmp_path: Path, identity: str) -> None:
    """[I.9, E-20, G01] So that nobody learns which stations there are."""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        assert await _status(gateway, identity, header("office-1", PASSWORD), "ocpp1.6") == 401
        assert gateway.connected == frozenset()

    _run(tmp_path, play)


def test_i9_repeated_failures_wait_longer_and_longer_even_with_the_right_password(tmp_path: Path) -> None:
    """[I.9, E-15, G03]"""

    async def play(_: LoadManager, gateway: Gateway) -> None:
        for _try in range(FREE_TRIES):
            assert await _status(gateway, ST, header(ST, "guess"), "ocpp1.6") == 401
        assert await _status(gateway, ST, header(ST, PASSWORD), "ocpp1.6") == 401
        assert await _status(gateway, "office-2", header("office-2", PASSWORD), "ocpp1.6") == 101

    _run(tmp_path, play)


BEFORE_BOOT: dict[str, Json] = {
    "Heartbeat": {},
    "StatusNotification": {
        "timestamp": "2026-06-10T12:00:00Z",
        "connectorStatus": "Occupied",
        "evseId": 1,
        "connectorId": 1,
    },
    "MeterValues": {
        "evseId": 1,
        "meterValue": [
            {"timestamp": "2026-06-10T12:00:00Z", "sampledValue": [{"value": 16.0, "measurand": "Current.Import"}]}
        ],
    },
    "TransactionEvent": {
        "eventType": "Started",
        "timestamp": "2026-06-10T12:00:00Z",
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
    },
}


@pytest.mark.parametrize("protocol", SINCE_2)
@pytest.mark.parametrize("action", BEFORE_BOOT)
def test_i9_a_call_before_the_boot_is_a_security_error_and_has_no_effect(tmp_path: Path, protocol: str, action: str) -> None:
    """[I.9, D-23, E-20]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol, boots=False) as raw:
            answer = await raw.ask(action, BEFORE_BOOT[action])
            assert (answer[0], answer[2]) == (4, "SecurityError")
            assert manager.state.sessions == {}
            assert manager.state.evses[EVSE].sample is None
            assert raw.calls == []

    _run(tmp_path, play)


FRAMES = {
    "no JSON": ("hello", "-1"),
    "an object": ('{"a": 1}', "-1"),
    "a number": ("7", "-1"),
    "an empty array": ("[]", "-1"),
    "one element": ("[2]", "-1"),
    "no payload": ('[2,"x","Heartbeat"]', "x"),
    "too many elements": ('[2,"x","Heartbeat",{},1]', "x"),
    "a payload that is no object": ('[2,"x","Heartbeat",[]]', "x"),
}


@pytest.mark.parametrize("protocol", VERSIONS)
@pytest.mark.parametrize("name", FRAMES)
def test_i9_a_frame_that_is_no_message_gets_an_error_with_its_id_where_it_can_be_read(
    tmp_path: Path, protocol: str, name: str
) -> None:
    """[I.9, 0-4, 0-7, E-20]"""
    text, message_id = FRAMES[name]

    async def play(_: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            await raw.send(text)
            answer = await raw.answer()
            assert answer[:2] == [4, message_id]
            assert answer[2] in {"FormationViolation", "FormatViolation", "RpcFrameworkError"}
            assert (answer[2] == "FormationViolation") == (protocol == "ocpp1.6")
            assert (await raw.ask("Heartbeat", {}))[0] == 3

    _run(tmp_path, play)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_i9_too_many_bad_frames_in_a_minute_close_the_link(tmp_path: Path, protocol: str) -> None:
    """[I.9, E-20, E-21] And the station counts as before."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST, protocol=protocol) as raw:
            for number in range(70):
                try:
                    await raw.send(json.dumps([2, f"b{number}", "Heartbeat"]))
                except ConnectionClosed:
                    break
            await asyncio.wait_for(raw.socket.wait_closed(), 5)
            assert raw.socket.close_code == 1008
        assert allowed_a(manager.state, EVSE, manager.now()) >= 6.0

    _run(tmp_path, play)


def test_i9_an_intruder_with_the_name_of_a_station_ends_neither_its_link_nor_its_session(tmp_path: Path) -> None:
    """[I.9, E-21] And what it counts for stands."""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        async with charger(gateway, ST) as raw:
            transaction = (await raw.ask("StartTransaction", start()))[2]["transactionId"]
            assert await _status(gateway, ST, header(ST, "intruder"), "ocpp1.6") == 401
            assert ST in gateway.connected
            assert (await raw.ask("Heartbeat", {}))[0] == 3
            assert [s.transaction for s in manager.state.sessions.values()] == [str(transaction)]
            assert allowed_a(manager.state, EVSE, manager.now()) >= 6.0

    _run(tmp_path, play)
