"""Short pauses in a process that answers many links and keeps much for long.

The garbage collector: Python looks through everything that lives whenever a quarter more has come. With two thousand
stations that takes long enough to be felt, and nothing is answered meanwhile. What has settled is therefore set aside
(``gc.freeze``), and looked through in full once an hour. What a link leaves behind goes at once, by its count of
references, without this.

Threads: one that runs keeps the interpreter for five milliseconds while others wait. The event loop gives it away at each
system call, so that while the store writes, every frame that is sent would wait for that long.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import logging
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

log = logging.getLogger(__name__)

SETTLE_S = 2.0
"""What has lived for so long stays, as a rule."""
FULL_S = 3600.0
YOUNG = 20_000
"""New objects before the youngest are looked through; Python's own figure is made for small programs."""
SWITCH_S = 0.0005
"""A thread keeps the interpreter for so long while another one waits for it."""


@asynccontextmanager
async def short_pauses() -> AsyncIterator[None]:
    """For a process that is ours alone: these settings belong to all of it. They are restored at the end."""
    before, switch_s = gc.get_threshold(), sys.getswitchinterval()
    gc.set_threshold(YOUNG, *before[1:])
    sys.setswitchinterval(SWITCH_S)
    keeping = asyncio.create_task(_keep(), name="heap")
    try:
        yield
    finally:
        keeping.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await keeping
        gc.unfreeze()
        gc.set_threshold(*before)
        sys.setswitchinterval(switch_s)


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
