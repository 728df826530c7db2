"""What the gateway makes of a knock: waiting room, contested identities, events, and a reload while links live."""

from __future__ import annotations

import asyncio
import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed, InvalidStatus

from api.app import create_app
from loadmgr.domain.security import SecurityEventReported
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from loadmgr.wiring import Running, reload
from tests.support import certificates
from tests.support.chargers import charger, header, office, until
from tests.support.secure_site import PASSWORD, Papers, run, urls


async def _events(manager: LoadManager) -> list[SecurityEventReported]:
    await manager.durable()
    found = await manager.history.events(limit=100, kinds=["SecurityEventReported"])
    return [s.event for s in found if isinstance(s.event, SecurityEventReported)]


async def _ask(link: ClientConnection, action: str, payload: dict[str, Any]) -> list[Any]:
    await link.send(json.dumps([2, action, action, payload]))
    found: list[Any] = json.loads(await asyncio.wait_for(link.recv(), 5))
    return found


def test_an_unknown_station_is_refused_and_listed(tmp_path: Path) -> None:
    """[E-20, P5]"""

    async def play(manager: LoadManager, gateway: Gateway, _: Papers) -> None:
        url, _ = urls(gateway)
        for _n in range(2):
            with pytest.raises(InvalidStatus, match="401"):
                await connect(f"{url}/stranger", subprotocols=["ocpp2.0.1"], additional_headers=header("stranger", PASSWORD))  # type: ignore[list-item]
        (entry,) = gateway.door.room.entries()
        assert (entry.identity, entry.tries, entry.address) == ("stranger", 2, "127.0.0.1")
        assert entry.offered == ("ocpp2.0.1",)
        assert entry.had_password
        assert PASSWORD not in repr(entry)
        assert "[stations." in entry.snippet()
        assert "stranger" not in manager.state.stations
        transport = httpx.ASGITransport(app=create_app(manager, key="a-key-of-this-test-only", dashboard=False))
        headers = {"X-API-Key": "a-key-of-this-test-only"}
        async with httpx.AsyncClient(transport=transport, base_url="http://service/api/v1", headers=headers) as api:
            (told,) = (await api.get("/security/waiting")).json()
            metrics = (await api.get("/metrics")).text
        assert (told["identity"], told["tries"], told["had_password"]) == ("stranger", 2, True)
        assert told["admit"] == entry.snippet()
        assert 'loadmgr_links_refused_total{reason="unknown"} 2.0' in metrics
        assert "loadmgr_links_accepted_total 2.0" in metrics

    run(tmp_path, play)


def test_an_unknown_station_may_be_held_and_has_no_rights(tmp_path: Path) -> None:
    """It is shown to the operator with its own words; what it asks besides is a security error [E-20, E-21]."""

    async def play(manager: LoadManager, gateway: Gateway, _: Papers) -> None:
        url, _ = urls(gateway)
        n_events = len(await manager.history.events(limit=1000))
        async with connect(f"{url}/stranger", subprotocols=["ocpp1.6"]) as link:  # type: ignore[list-item]
            boot = await _ask(link, "BootNotification", {"chargePointVendor": "Acme", "chargePointModel": "One"})
            assert boot[2]["status"] == "Pending"
            start = {"connectorId": 1, "idTag": "x", "meterStart": 0, "timestamp": "2026-06-10T12:00:00Z"}
            for action, payload in (("StartTransaction", start), ("Heartbeat", {}), ("Authorize", {"idTag": "x"})):
                assert (await _ask(link, action, payload))[2] == "SecurityError"
            (entry,) = gateway.door.room.entries()
            assert (entry.vendor, entry.model, entry.is_held) == ("Acme", "One", True)
            assert not gateway.connected
            assert not manager.state.sessions
        await until(lambda: gateway.door.room.n_held == 0)
        assert not gateway.door.room.entries()[0].is_held
        await manager.durable()
        told = (await manager.history.events(limit=1000))[n_events:]
        assert not [s for s in told if "stranger" in repr(s.event)]

    run(tmp_path, play, 'waiting_room = "hold"')


def test_held_links_are_few(tmp_path: Path) -> None:
    async def play(_: LoadManager, gateway: Gateway, __: Papers) -> None:
        url, _ = urls(gateway)
        async with contextlib.AsyncExitStack() as stack:
            for n in range(8):
                await stack.enter_async_context(connect(f"{url}/stranger-{n}", subprotocols=["ocpp1.6"]))  # type: ignore[list-item]
            with pytest.raises((InvalidStatus, ConnectionClosed)):
                async with connect(f"{url}/stranger-9", subprotocols=["ocpp1.6"]) as link:  # type: ignore[list-item]
                    await asyncio.wait_for(link.recv(), 5)
            assert gateway.door.room.n_held == 8

    run(tmp_path, play, 'waiting_room = "hold"')


def test_two_that_fight_for_one_identity_raise_an_alarm(tmp_path: Path) -> None:
    """[A08, A09]"""

    async def main() -> None:
        async with office(tmp_path) as (manager, gateway), contextlib.AsyncExitStack() as stack:
            for _n in range(4):
                await stack.enter_async_context(charger(gateway, "office-1"))
            assert gateway.takeovers == 3
            (told,) = [e for e in await _events(manager) if e.kind == "ContestedIdentity"]
            assert told.is_critical
            await until(lambda: "security:ContestedIdentity:office-1" in manager.state.alarms)
            assert gateway.connected == {"office-1"}

    asyncio.run(main())


@pytest.mark.parametrize(
    ("boot", "is_in"),
    [
        ({"chargePointSerialNumber": "SN-0042"}, True),
        ({"chargeBoxSerialNumber": "SN-0042", "chargePointSerialNumber": "other"}, True),
        ({}, True),
        ({"chargePointSerialNumber": "SN-0043"}, False),
    ],
)
def test_a_boot_that_contradicts_the_certificate_ends_the_link(tmp_path: Path, boot: dict[str, str], is_in: bool) -> None:
    """[E-12]"""

    async def play(manager: LoadManager, gateway: Gateway, papers: Papers) -> None:
        _, url = urls(gateway)
        context = papers.context(certificates.station(papers.stations, "SN-0042"))
        async with connect(f"{url}/serial", subprotocols=["ocpp1.6"], ssl=context) as link:  # type: ignore[list-item]
            frame = await _ask(link, "BootNotification", {"chargePointVendor": "v", "chargePointModel": "m", **boot})
            if is_in:
                assert frame[2]["status"] == "Accepted"
                return
            assert frame[2] == "SecurityError"
            with pytest.raises(ConnectionClosed):
                await asyncio.wait_for(link.recv(), 5)
            (told,) = await _events(manager)
            assert (told.kind, told.is_critical) == ("InvalidChargingStationCertificate", True)

    run(tmp_path, play)


def test_who_guesses_is_reported_once_and_not_for_each_try(tmp_path: Path) -> None:
    """[E-15, G03]"""

    async def play(manager: LoadManager, gateway: Gateway, _: Papers) -> None:
        url, _ = urls(gateway)
        for n in range(6):
            with pytest.raises(InvalidStatus, match="401"):
                await connect(
                    f"{url}/one", subprotocols=["ocpp1.6"], additional_headers=header("one", f"wrong-password-{n:03}")
                )  # type: ignore[list-item]
        told = await _events(manager)
        assert [e.kind for e in told if e.tech_info.startswith("wrong-password")] == ["FailedToAuthenticateAtCsms"]
        assert {e.origin for e in told} == {"service"}
        assert "wrong-password-0" not in repr(told)

    run(tmp_path, play)


def test_a_reload_takes_new_certificates_and_keeps_links_and_a_broken_file_changes_nothing(tmp_path: Path) -> None:
    """[F15, G06]"""

    async def play(manager: LoadManager, gateway: Gateway, papers: Papers) -> None:
        service = Running(manager=manager, gateway=gateway, url="", api_key="")
        _, url = urls(gateway)
        place = manager.settings.path
        text = place.read_text()
        access = {"subprotocols": ["ocpp1.6"], "additional_headers": header("two", PASSWORD)}
        async with connect(f"{url}/two", ssl=papers.context(), **access) as link:  # type: ignore[arg-type]
            place.write_text(text.replace('certificate = "server.pem"', 'certificate = "nowhere.pem"'))
            assert not await reload(service, manager.settings)
            place.write_text(text)
            renewed = Papers.made(papers.folder)
            assert await reload(service, manager.settings)
            assert (await _ask(link, "Heartbeat", {}))[0] == 3
            with pytest.raises(OSError, match=r"certificate verify failed"):
                await connect(f"{url}/two", ssl=_context(papers), **access)  # type: ignore[arg-type]
            async with connect(f"{url}/two", ssl=renewed.context(), **access) as other:  # type: ignore[arg-type]
                assert (await _ask(other, "Heartbeat", {}))[0] == 3

    run(tmp_path, play)


def _context(papers: Papers) -> Any:
    """A station that trusts only what was trusted before."""
    import ssl

    return ssl.create_default_context(cadata=papers.root.pem.decode())
