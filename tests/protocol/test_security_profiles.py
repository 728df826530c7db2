"""Security profiles 0 to 3 with clients that are not ours: ``test-ocpp`` and the ``ocpp`` package's."""

from __future__ import annotations

import asyncio
import json
import ssl
from pathlib import Path

import pytest
import test_ocpp
from ocpp import v16, v21, v201
from test_ocpp.client import check_connection
from websockets.asyncio.client import connect
from websockets.exceptions import InvalidMessage, InvalidStatus

from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.support.chargers import header
from tests.support.secure_site import BAD, GOOD, NAMES, Case, Papers, own, run, urls

NO_TLS = (ssl.SSLError, ConnectionError, InvalidMessage)
"""TLS 1.3 refuses a certificate after the client has begun to speak."""
VERSIONS = ("1.6", "2.0.1")


# -- test-ocpp -----------------------------------------------------------------------------------------------------


async def _checked(case: Case, gateway: Gateway, papers: Papers, ocpp: str) -> test_ocpp.ConnectionResult:
    certificate, key = papers.shown(case.shows(papers)) if case.shows is not None else (None, None)
    return await check_connection(
        urls(gateway)[case.is_tls],
        case.station,
        ocpp=ocpp,
        username=case.user,
        password=case.password,
        cert=str(certificate) if certificate is not None else None,
        key=str(key) if key is not None else None,
        ca=str(papers.ca),
        timeout=10,
    )


@pytest.mark.parametrize("ocpp", VERSIONS)
@pytest.mark.parametrize("case", GOOD, **NAMES)
def test_test_ocpp_connects(tmp_path: Path, case: Case, ocpp: str) -> None:
    """[E-10, E-11, E-12]; profile 0 exists for 1.6 only (rule E.2)"""

    async def play(manager: LoadManager, gateway: Gateway, papers: Papers) -> None:
        if case.station == "zero" and ocpp != "1.6":
            with pytest.raises(InvalidStatus, match="401"):
                await _checked(case, gateway, papers, ocpp)
            return
        found = await _checked(case, gateway, papers, ocpp)
        assert found.subprotocol == f"ocpp{ocpp}"
        assert found.boot_notification["status"] == "Accepted"
        assert found.heartbeat["currentTime"]
        assert (found.tls_version in {"TLSv1.2", "TLSv1.3"}) == case.is_tls
        assert case.station in manager.state.stations

    run(tmp_path, play)


@pytest.mark.parametrize("ocpp", VERSIONS)
@pytest.mark.parametrize("case", BAD, **NAMES)
def test_test_ocpp_is_refused(tmp_path: Path, case: Case, ocpp: str) -> None:
    """[E-10, E-12, E-13, E-20, G01, G05, G06, G07]"""

    async def play(manager: LoadManager, gateway: Gateway, papers: Papers) -> None:
        if case.status == 0:
            with pytest.raises(NO_TLS):
                await _checked(case, gateway, papers, ocpp)
        else:
            with pytest.raises(InvalidStatus) as refused:
                await _checked(case, gateway, papers, ocpp)
            assert refused.value.response.status_code == case.status
        assert not gateway.connected
        assert not any(s.is_connected for s in manager.state.stations.values())

    run(tmp_path, play)


def test_a_revoked_certificate_is_refused_after_the_list_was_read_again(tmp_path: Path) -> None:
    """The link that is open meanwhile lives on, the next one is refused [G06]."""

    async def play(manager: LoadManager, gateway: Gateway, papers: Papers) -> None:
        shown = own(papers)
        _, url = urls(gateway)
        context = papers.context(shown)
        async with connect(f"{url}/three", subprotocols=["ocpp1.6"], ssl=context) as link:  # type: ignore[list-item]
            papers.revoke(shown)
            await gateway.reload(manager.settings.ocpp)
            await link.send('[2,"1","Heartbeat",{}]')
            assert json.loads(await asyncio.wait_for(link.recv(), 5))
            with pytest.raises(NO_TLS):
                await connect(f"{url}/three", subprotocols=["ocpp1.6"], ssl=context)  # type: ignore[list-item]

    run(tmp_path, play)


# -- ocpp ----------------------------------------------------------------------------------------------------------


async def _package(case: Case, gateway: Gateway, papers: Papers, version: str) -> str:
    """The ``ocpp`` package's client over ``websockets``: the status of its boot."""
    kind = {"1.6": v16.ChargePoint, "2.0.1": v201.ChargePoint, "2.1": v21.ChargePoint}[version]
    context = papers.context(case.shows(papers) if case.shows is not None else None) if case.is_tls else None
    headers = header(case.user or case.station, case.password) if case.password is not None else {}
    url = f"{urls(gateway)[case.is_tls]}/{case.station}"
    protocols = [f"ocpp{version}"]
    async with connect(url, subprotocols=protocols, additional_headers=headers, ssl=context) as socket:  # type: ignore[arg-type]
        it = kind(case.station, socket, response_timeout=5)
        listening = asyncio.create_task(it.start())
        try:
            if version == "1.6":
                boot = v16.call.BootNotification(charge_point_model="m", charge_point_vendor="v")
            else:
                part = v201.call if version == "2.0.1" else v21.call
                boot = part.BootNotification(charging_station={"model": "m", "vendor_name": "v"}, reason="PowerUp")
            return str((await it.call(boot, suppress=False)).status)
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


@pytest.mark.parametrize("version", ["1.6", "2.0.1", "2.1"])
@pytest.mark.parametrize("case", GOOD[1:], **NAMES)
def test_the_ocpp_client_connects(tmp_path: Path, case: Case, version: str) -> None:
    """With compression, which ``websockets`` offers by default."""

    async def play(_: LoadManager, gateway: Gateway, papers: Papers) -> None:
        assert await _package(case, gateway, papers, version) == "Accepted"

    run(tmp_path, play)


@pytest.mark.parametrize("case", BAD, **NAMES)
def test_the_ocpp_client_is_refused(tmp_path: Path, case: Case) -> None:
    async def play(_: LoadManager, gateway: Gateway, papers: Papers) -> None:
        with pytest.raises((InvalidStatus, *NO_TLS)):
            await _package(case, gateway, papers, "2.1")

    run(tmp_path, play)
