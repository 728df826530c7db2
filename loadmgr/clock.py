"""The real clock. Simulated ones are in ``loadmgr.sim``."""

from __future__ import annotations

import asyncio
import time
from datetime import UTC, datetime


class RealClock:
    """Wall time for people and chargers, monotonic time for ages: a jump of the first does not move the second."""

    def now(self) -> datetime:
        """Aware UTC wall time."""
        return datetime.now(UTC)

    def monotonic_s(self) -> float:
        """Seconds since an arbitrary start that never jump."""
        return time.monotonic()

    async def sleep(self, seconds: float) -> None:
        """Sleep for real."""
        await asyncio.sleep(max(seconds, 0.0))
