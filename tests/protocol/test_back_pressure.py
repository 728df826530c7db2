"""A slow disk and a slow station are felt by nobody else, and the end waits for what was promised."""

from __future__ import annotations

import asyncio
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from websockets.exceptions import ConnectionClosed

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.ocpp.connection import CALLS_WAITING
from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.wiring import build_manager, gateway_of
from tests.support.chargers import STAMP, charger, meter, office, start, until
from tests.support.days import EXAMPLES

ST, EVSE = StationId("office-1"), EvseId("office-1/1")


@contextmanager
def locked(database: Path) -> Iterator[None]:
    """Somebody else writes, for as long as the block lasts."""
    other = sqlite3.connect(database, timeout=5, isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    try:
        yield
    finally:
        other.execute("ROLLBACK")
        other.close()


def test_while_the_database_is_locked_every_message_is_answered_and_nothing_is_lost(tmp_path: Path) -> None:
    """Only the begin of a transaction waits for the disk [F02, F06, P3, P4]."""

    async def main() -> None:
        async with office(tmp_path) as (manager, gateway), charger(gateway, ST) as one, charger(gateway, "office-2") as two:
            await manager.durable()
            with locked(tmp_path / "office.db"):
                await one.send('[2,"begin","StartTransaction",' + _json(start()) + "]")
                for n in range(30):
                    sampled = [{"value": str(6 + n % 3), "measurand": "Current.Import", "unit": "A"}]
                    assert (await two.ask("MeterValues", meter(0, sampled)))[0] == 3
                    assert (await two.ask("Heartbeat", {}))[0] == 3
                assert one.answers.empty(), "it must not be told before it is on disk"
                assert manager.health().tick_age_s < 5.0
            answer = await one.answer()
            assert (answer[0], answer[1]) == (3, "begin")
            await manager.durable()
            (session,) = await manager.history.sessions(open_only=True, limit=5)
            assert session.evse == EVSE
            assert manager.stats.protect_failures == 0

    asyncio.run(main())


def _json(payload: object) -> str:
    import json

    return json.dumps(payload)


def test_the_end_gives_the_answers_that_wait_for_the_disk_and_says_goodbye(tmp_path: Path) -> None:
    """[F16]"""

    async def main() -> None:
        settings = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{tmp_path / 'office.db'}")
        async with build_manager(settings) as manager:
            stack = gateway_of(manager)
            gateway = await stack.__aenter__()
            assert gateway is not None
            async with charger(gateway, ST) as raw:
                await manager.durable()
                with locked(tmp_path / "office.db"):
                    await raw.send('[2,"begin","StartTransaction",' + _json(start(at=STAMP)) + "]")
                    await until(lambda: gateway.pending_replies == 1)
                    ending = asyncio.create_task(stack.__aexit__(None, None, None))
                    await asyncio.sleep(0.2)
                    assert not ending.done()
                assert (await raw.answer())[:2] == [3, "begin"]
                with pytest.raises(ConnectionClosed) as closed:
                    await raw.socket.wait_closed()
                    await raw.socket.send("anybody?")
                assert closed.value.rcvd is not None
                assert closed.value.rcvd.code == 1001
                await ending

    asyncio.run(main())


def test_calls_for_a_station_that_does_not_answer_are_bounded(tmp_path: Path) -> None:
    async def main() -> None:
        async with office(tmp_path) as (manager, gateway), charger(gateway, ST) as raw:
            await until(lambda: bool(raw.got("SetChargingProfile")))
            raw.is_silent = True
            with manager.subscribe() as events:
                for no in range(1000, 1000 + 2 * CALLS_WAITING):
                    gateway.send(cmd.ReadSettings(no=no, station=ST, names=("HeartbeatInterval",)))
                link = gateway.link(ST)
                assert link is not None
                assert link.session.n_queued <= CALLS_WAITING + 1
                refused = [e async for e in _at_once(events)]
            assert len([d for d in refused if "calls wait before it" in d]) >= CALLS_WAITING - 20

    asyncio.run(main())


async def _at_once(events: object) -> object:
    """Details of the answers that are there already."""
    while True:
        try:
            event = await asyncio.wait_for(anext(events.__aiter__()), 0.2)  # type: ignore[attr-defined]
        except TimeoutError:
            return
        yield getattr(event, "detail", "")
