"""Short pauses of the garbage collector in a process that keeps much for long.

Python looks through everything that lives whenever a quarter more has come: with two thousand stations that takes long
enough to be felt, and nothing is answered meanwhile. What has settled is therefore set aside (``gc.freeze``), and looked
through in full once an hour. Most of what a link leaves behind goes at once, by its count of references, without this.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

SETTLE_S = 20.0
"""What has lived for so long stays, as a rule."""
FULL_S = 3600.0
YOUNG = 20_000
"""New objects before the youngest are looked through; Python's own figure is made for small programs."""


@asynccontextmanager
async def short_pauses() -> AsyncIterator[None]:
    """For a process that is ours alone: the collector's settings belong to all of it. They are restored at the end."""
    before = gc.get_threshold()
    gc.set_threshold(YOUNG, *before[1:])
    keeping = asyncio.create_task(_keep(), name="heap")
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        gc.unfreeze()
        gc.set_threshold(*before)


async def _keep() -> None:
    full_s = time.monotonic()
    while True:
        gc.collect(1)
        gc.freeze()
        await asyncio.sleep(SETTLE_S)
        if time.monotonic() - full_s >= FULL_S:
            full_s = time.monotonic()
            gc.unfreeze()
            n_found = gc.collect()
            log.info("looked through memory", extra={"found": n_found, "pause_ms": round((time.monotonic() - full_s) * 1e3)})
