"""An OCPP client that is neither ours nor the ``ocpp`` package: ``ocpp-rpc`` from npm, in strict mode [H05]."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest

from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.interop.frames import assert_valid
from tests.interop.runs import ST, installed, run
from tests.support.chargers import PASSWORD

pytestmark = pytest.mark.node


async def _client(gateway: Gateway, node_folder: Path, protocol: str) -> list[dict[str, Any]]:
    """Run the client to its end; what it said."""
    process = await asyncio.create_subprocess_exec(
        "node",
        str(node_folder / "client.mjs"),
        f"ws://127.0.0.1:{gateway.port}/ocpp",
        ST,
        PASSWORD,
        protocol,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        out, errors = await asyncio.wait_for(process.communicate(), 30)
    except TimeoutError:
        process.kill()
        out, errors = await process.communicate()
    assert process.returncode == 0, errors.decode() + out.decode()
    return [json.loads(line) for line in out.splitlines()]


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
def test_an_independent_client_boots_meters_receives_a_profile_and_stops(
    tmp_path: Path, node_folder: Path, protocol: str
) -> None:
    lines: list[dict[str, Any]] = []
    energies: list[float] = []

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        lines.extend(await _client(gateway, node_folder, protocol))
        await installed(manager)
        await manager.durable()
        energies.extend(s.energy_kwh for s in await manager.history.sessions(open_only=False, limit=10))
        assert not manager.state.sessions

    frames = run(tmp_path, play)

    assert_valid(frames, node_folder, tmp_path)
    said = [line["what"] for line in lines]
    assert said[-1] == "served"
    assert "invalid" not in said, lines
    boot = next(line for line in lines if line["what"] == "boot")
    assert boot["status"] == "Accepted"
    assert [line["method"] for line in lines if line["what"] == "call"][0] == "SetChargingProfile"
    assert energies == [pytest.approx(0.6)]
