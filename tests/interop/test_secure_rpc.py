"""Security profiles 1 to 3 with ``ocpp-rpc`` from npm."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import pytest

from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.support.secure_site import BAD, GOOD, NAMES, Case, Papers, run, urls

pytestmark = pytest.mark.node


async def _rpc(case: Case, gateway: Gateway, papers: Papers, folder: Path, protocol: str) -> dict[str, object]:
    """What the Node client says: ``{"booted": …}`` or ``{"refused": …}``."""
    certificate, key = papers.shown(case.shows(papers)) if case.shows is not None else ("", "")
    given = {
        "endpoint": urls(gateway)[case.is_tls],
        "identity": case.station,
        "password": case.password,
        "protocol": protocol,
        "ca": str(papers.ca),
        "cert": str(certificate),
        "key": str(key),
    }
    process = await asyncio.create_subprocess_exec(
        "node", str(folder / "knock.mjs"), json.dumps(given), stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, errors = await asyncio.wait_for(process.communicate(), 30)
    assert process.returncode == 0, errors.decode()
    found: dict[str, object] = json.loads(out)
    return found


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
@pytest.mark.parametrize("case", GOOD[1:], **NAMES)
def test_ocpp_rpc_connects(tmp_path: Path, node_folder: Path, case: Case, protocol: str) -> None:
    async def play(_: LoadManager, gateway: Gateway, papers: Papers) -> None:
        found = await _rpc(case, gateway, papers, node_folder, protocol)
        assert found == {"booted": "Accepted", "protocol": protocol}

    run(tmp_path, play)


@pytest.mark.parametrize("case", [c for c in BAD if c.user is None and "self" not in c.name][1::3], **NAMES)
def test_ocpp_rpc_is_refused(tmp_path: Path, node_folder: Path, case: Case) -> None:
    async def play(_: LoadManager, gateway: Gateway, papers: Papers) -> None:
        found = await _rpc(case, gateway, papers, node_folder, "ocpp1.6")
        assert "refused" in found, found
        assert not case.status or "Unauthorized" in str(found["refused"])

    run(tmp_path, play)
