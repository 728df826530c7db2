"""The shell around the controller."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId, StationId
from loadmgr.settings import Settings
from loadmgr.wiring import build_manager
from tests.support.days import EXAMPLES


class _HeldExecutor(Executor):
    """Finishes its work only when the test says so."""

    def __init__(self) -> None:
        self.work: list[tuple[Future[Any], Callable[[], Any]]] = []

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        held: Future[Any] = Future()
        self.work.append((held, lambda: fn(*args, **kwargs)))
        return held

    def finish(self) -> None:
        for held, work in self.work:
            held.set_result(work())


@pytest.mark.parametrize("turns", range(6))
def test_it_closes_at_whatever_moment_of_a_solve(tmp_path: Path, turns: int) -> None:
    """A cancellation that meets the end of a solve must not be lost, or the close waits for ever."""
    settings = replace(Settings.load(EXAMPLES / "office.toml"), storage_url=f"sqlite:///{tmp_path / 'close.db'}")

    async def main() -> None:
        executor = _HeldExecutor()
        async with asyncio.timeout(10), build_manager(settings) as manager:
            manager._solver.shutdown()
            manager._solver = executor  # type: ignore[assignment]
            now, evse = manager.now(), EvseId("office-1/1")
            manager.take(
                ev.StationConnected(at=now, station=StationId("office-1"), ocpp="1.6"),
                ev.FailsafeAnswered(at=now, station=StationId("office-1"), failsafe_a=6.0, accepted=True),
                ev.SessionStarted(at=now, session=SessionId("s"), evse=evse, transaction="1", meter_start_kwh=0.0),
            )
            while not executor.work:
                await asyncio.sleep(0)
            executor.finish()
            for _ in range(turns):  # of the event loop, between the end of the solve and its arrival in the task
                await asyncio.sleep(0)

    asyncio.run(main())
