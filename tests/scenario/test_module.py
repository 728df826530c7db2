"""The embedding example and the notebook do what they say."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from pathlib import Path
from types import ModuleType
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from websockets.asyncio.client import connect

from tests.support.chargers import Raw, start, until
from tests.support.days import EXAMPLES, ROOT


def _example() -> ModuleType:
    spec = importlib.util.spec_from_file_location("csms_module", EXAMPLES / "csms_module.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_csms_that_owns_the_sockets_uses_the_manager_as_a_module(tmp_path: Path) -> None:
    async def run() -> None:
        module = _example()
        ready: asyncio.Future[tuple[Any, int]] = asyncio.get_running_loop().create_future()
        database = f"sqlite:///{tmp_path / 'csms.db'}"
        serving = asyncio.create_task(module.main(EXAMPLES / "csms_site.toml", database, ready))
        csms, port = await asyncio.wait_for(ready, 10)
        async with (
            connect(f"ws://127.0.0.1:{port}/alpha", subprotocols=["ocpp1.6"]) as one,  # type: ignore[list-item]
            connect(f"ws://127.0.0.1:{port}/beta", subprotocols=["ocpp1.6"]) as two,  # type: ignore[list-item]
        ):
            chargers = [Raw(one), Raw(two)]
            readers = [asyncio.create_task(c.read()) for c in chargers]
            for each in chargers:
                await each.ask("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
                await each.ask("StartTransaction", start())
            await until(lambda: max(_limit(c) for c in chargers) > 20.0, 20)
            # A charger without an order of ours stands at its fail-safe of 6 A.
            assert sum(max(_limit(c), 6.0) for c in chargers) <= 32.0 * 0.95 + 1e-6
            assert len(csms.manager.state.sessions) == 2
            for task in (*readers, serving):
                task.cancel()
            await asyncio.gather(*readers, serving, return_exceptions=True)

    asyncio.run(run())


def _limit(raw: Raw) -> float:
    profiles = raw.profiles("TxProfile")
    if not profiles:
        return 0.0
    return float(profiles[-1]["chargingSchedule"]["chargingSchedulePeriod"][0]["limit"])


NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


@pytest.mark.parametrize("place", NOTEBOOKS, ids=lambda p: p.stem)
@pytest.mark.filterwarnings("ignore")
def test_a_notebook_runs_and_is_stored_without_outputs(place: Path) -> None:
    notebook = nbformat.read(place, as_version=4)
    assert all(not c.get("outputs") for c in notebook.cells if c.cell_type == "code")
    NotebookClient(notebook, timeout=60, kernel_name="python3", resources={"metadata": {"path": place.parent}}).execute()
    text = json.dumps(notebook)
    assert "image/png" in text
    assert "bound_by" in text
