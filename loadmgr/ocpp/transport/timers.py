"""One timer for all links: a wheel of coarse steps, because ten thousand timers of an event loop are not free."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

STEP_S = 0.02
"""Deadlines are kept to within this time, always late and never early."""


class Timed(Protocol):
    """Something with deadlines."""

    def on_time(self, now_s: float, /) -> None:
        """A deadline is over; it may set the next one."""


class Later:
    """An entry that calls something once."""

    __slots__ = ("_call",)

    def __init__(self, call: Callable[[], None]) -> None:
        self._call = call

    def on_time(self, _now_s: float, /) -> None:
        """Call it."""
        self._call()


class Wheel:
    """Calls ``on_time`` of what was put on it. An entry cannot be taken off: who has no deadline any more ignores it."""

    __slots__ = ("_handle", "_loop", "_slots", "_turned")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._slots: dict[int, list[Timed]] = {}
        self._handle: asyncio.TimerHandle | None = None
        self._turned = int(loop.time() / STEP_S)

    def put(self, at_s: float, entry: Timed) -> None:
        """Call ``entry.on_time`` when the event loop's clock has passed ``at_s``."""
        slot = max(int(at_s / STEP_S) + 1, self._turned + 1)
        self._slots.setdefault(slot, []).append(entry)
        if self._handle is None:
            self._handle = self._loop.call_later(STEP_S, self._turn)

    def _turn(self) -> None:
        now_s = self._loop.time()
        reached = int(now_s / STEP_S)
        if reached - self._turned > len(self._slots):
            due = sorted(s for s in self._slots if s <= reached)  # the process was stopped for long [F11]
        else:
            due = [s for s in range(self._turned + 1, reached + 1) if s in self._slots]
        self._turned = reached
        for slot in due:
            for entry in self._slots.pop(slot):
                entry.on_time(now_s)
        self._handle = self._loop.call_later(STEP_S, self._turn) if self._slots else None

    def stop(self) -> None:
        """Forget everything."""
        if self._handle is not None:
            self._handle.cancel()
        self._handle = None
        self._slots.clear()
