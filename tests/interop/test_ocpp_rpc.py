"""An OCPP client that is neither ours nor the ``ocpp`` package: ``ocpp-rpc`` from npm, in strict mode [H05]."""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from loadmgr.control.state import FailsafeState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import MeterId, StationId
from loadmgr.domain.samples import Measured
from tests.support.chargers import PASSWORD, charger, office

HERE = Path(__file__).parent
NODE, NPM = shutil.which("node"), shutil.which("npm")
MISSING = "node" if NODE is None else "npm"

pytestmark = [
    pytest.mark.node,
    pytest.mark.skipif(NODE is None or NPM is None, reason=f"{MISSING} is missing: install Node.js and npm"),
]


@pytest.fixture(scope="module")
def installed() -> Path:
    """The client's packages, installed once from the lock file."""
    assert NPM is not None
    if not (HERE / "node_modules" / "ocpp-rpc").is_dir():
        subprocess.run([NPM, "ci", "--omit=dev", "--no-audit", "--no-fund"], cwd=HERE, check=True, capture_output=True)
    return HERE / "client.mjs"


async def _run(folder: Path, script: Path, protocol: str) -> tuple[list[dict[str, Any]], float]:
    async with (
        office(folder) as (manager, gateway),
        charger(gateway, "office-3"),
        charger(gateway, "office-4", protocol="ocpp2.0.1") as beside,
    ):
        now = manager.now()
        manager.take(
            ev.MeterSample(
                at=now, meter=MeterId("grid-meter"), measured_at=now, measured=Measured(current_a=(5.0, 5.0, 5.0))
            ),
            ev.FailsafeAnswered(at=now, station=StationId("office-2"), failsafe_a=6.0, accepted=True),
        )
        assert NODE is not None
        process = await asyncio.create_subprocess_exec(
            NODE,
            str(script),
            f"ws://127.0.0.1:{gateway.port}/ocpp",
            "office-1",
            PASSWORD,
            protocol,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, errors = await asyncio.wait_for(process.communicate(), 30)
        assert process.returncode == 0, errors.decode() + out.decode()
        assert (await beside.ask("Heartbeat", {}))[0] == 3
        assert manager.state.stations[StationId("office-1")].failsafe is FailsafeState.CONFIRMED
        (session,) = manager.state.sessions.values()
        return [json.loads(line) for line in out.splitlines()], session.energy_kwh


@pytest.mark.parametrize("protocol", ["ocpp1.6", "ocpp2.0.1"])
def test_an_independent_client_boots_meters_and_receives_a_profile(tmp_path: Path, installed: Path, protocol: str) -> None:
    lines, energy_kwh = asyncio.run(_run(tmp_path, installed, protocol))

    said = [line["what"] for line in lines]
    assert said[-1] == "served"
    assert "invalid" not in said, lines
    boot = next(line for line in lines if line["what"] == "boot")
    assert boot["status"] == "Accepted"
    assert [line["method"] for line in lines if line["what"] == "call"][0] == "SetChargingProfile"
    assert energy_kwh == pytest.approx(0.5)
