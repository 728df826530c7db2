"""A service in a process of its own, to be killed: ``python -m tests.support.service <json>``."""

from __future__ import annotations

import asyncio
import json
import logging
import sys
from dataclasses import replace
from datetime import datetime

from loadmgr.settings import Address, Settings
from loadmgr.sim.clock import ScaledClock
from loadmgr.wiring import build_manager, gateway_of


async def main(given: dict[str, str]) -> None:
    """Serve until killed."""
    loaded = Settings.load(given["site"])
    listen = Address(host="127.0.0.1", port=int(given["port"]))
    settings = replace(loaded, storage_url=given["storage_url"], ocpp=replace(loaded.ocpp, listen=listen, ping_s=None))
    clock = ScaledClock(datetime.fromisoformat(given["start_at"]), float(given["factor"]), began_s=float(given["began_s"]))
    async with build_manager(settings, clock=clock) as manager, gateway_of(manager):
        print("ready", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.ERROR)
    asyncio.run(main(json.loads(sys.argv[1])))
