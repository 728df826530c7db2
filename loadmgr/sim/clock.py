"""Clocks for simulation: a multiple of real time, or steps that wait until nothing is in flight."""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable
from datetime import datetime, timedelta

QUIET_PASSES = 6
STUCK_S = 30.0


class ScaledClock:
    """Simulated time that runs ``factor`` times as fast as real time.

    Processes that are given the same ``began_s`` of the machine's monotonic clock share one time.
    """

    def __init__(self, start_at: datetime, factor: float, *, began_s: float | None = None) -> None:
        self._start_at = start_at
        self._factor = factor
        self._began_s = time.monotonic() if began_s is None else began_s

    def now(self) -> datetime:
        """Simulated wall time."""
        return self._start_at + timedelta(seconds=self.monotonic_s())

    def monotonic_s(self) -> float:
        """Simulated seconds since the start."""
        return (time.monotonic() - self._began_s) * self._factor

    async def sleep(self, seconds: float) -> None:
        """Sleep that many simulated seconds."""
        await asyncio.sleep(max(seconds, 0.0) / self._factor)


class StuckError(RuntimeError):
    """A lock-step simulation makes no progress; the message says what is in flight."""


class LockStepClock:
    """Time that stands still until ``advance_to`` moves it from one sleeper to the next, in order of their calls."""

    def __init__(self, start_at: datetime) -> None:
        self._start_at = start_at
        self._now, self._now_s = start_at, 0.0
        self._sleepers: list[tuple[float, int, asyncio.Future[None]]] = []
        self._order = itertools.count()

    def now(self) -> datetime:
        """Simulated wall time."""
        return self._now

    def monotonic_s(self) -> float:
        """Simulated seconds since the start."""
        return self._now_s

    async def sleep(self, seconds: float) -> None:
        """Wait until the clock has been moved that far."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        waiting: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        heapq.heappush(self._sleepers, (self._now_s + seconds, next(self._order), waiting))
        await waiting

    def _wake_next(self, until_s: float) -> bool:
        """Move to the next wake-up not after ``until_s`` and wake everybody due then."""
        while self._sleepers and self._sleepers[0][2].done():
            heapq.heappop(self._sleepers)  # cancelled
        if not self._sleepers or self._sleepers[0][0] > until_s:
            return False
        self._move_to(self._sleepers[0][0])
        while self._sleepers and self._sleepers[0][0] <= self._now_s:
            waiting = heapq.heappop(self._sleepers)[2]
            if not waiting.done():
                waiting.set_result(None)
        return True

    async def advance_to(self, until: datetime, in_flight: Callable[[], str]) -> None:
        """Run the simulation to ``until``: settle, step, settle, … ``in_flight`` names what is under way, or "".

        Raises ``StuckError`` when something stays in flight for 30 real seconds.
        """
        until_s = (until - self._start_at).total_seconds()
        await self._settle(in_flight)
        while self._wake_next(until_s):
            await self._settle(in_flight)
        self._move_to(until_s)

    def _move_to(self, at_s: float) -> None:
        if at_s > self._now_s:
            self._now, self._now_s = self._start_at + timedelta(seconds=at_s), at_s

    async def _settle(self, in_flight: Callable[[], str]) -> None:
        quiet = 0
        began_s = time.monotonic()
        passes = 0
        while quiet < QUIET_PASSES:
            passes += 1
            busy = in_flight()
            # A wait that needs another thread gets real time; everything else only needs the loop to turn.
            await asyncio.sleep(0 if not busy or passes < 50 else 0.0005)
            quiet = 0 if busy else quiet + 1
            if busy and time.monotonic() - began_s > STUCK_S:
                raise StuckError(f"at {self.now():%H:%M:%S}: {busy}")
