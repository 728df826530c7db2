"""Begins and ends of transactions, twice, late, from offline times and out of order, over real links (rule I.8)."""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from loadmgr.domain.session import Session
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.support.chargers import Raw, charger, meter, office, start, until

ST = "office-1"
SINCE_2 = ("ocpp2.0.1", "ocpp2.1")
BEGIN_WH, MIDDLE_WH, END_WH = 1000, 1050, 1100
KWH = (END_WH - BEGIN_WH) / 1000.0
Json = dict[str, Any]
Play = Callable[[LoadManager, Gateway, Raw], Awaitable[None]]


def _play(folder: Path, protocol: str, play: Play) -> None:
    async def run() -> None:
        async with office(folder) as (manager, gateway), charger(gateway, ST, protocol=protocol) as raw:
            await play(manager, gateway, raw)
            assert (await raw.ask("Heartbeat", {}))[0] == 3
            assert manager.stats.protect_failures == 0

    asyncio.run(run())


def _stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def _now() -> datetime:
    return datetime.now(UTC)


async def _records(manager: LoadManager) -> list[Session]:
    """Everything that is on record, open or ended."""
    await manager.durable()
    return list(await manager.history.sessions(open_only=False, limit=50))


# -- 2.x -------------------------------------------------------------------------------------------------------------------


def _event(kind: str, seq_no: int, register_wh: float, at: datetime, **more: Any) -> Json:
    context = {"Started": "Transaction.Begin", "Ended": "Transaction.End"}.get(kind, "Sample.Periodic")
    sample = {"value": register_wh, "measurand": "Energy.Active.Import.Register", "context": context}
    found: Json = {
        "eventType": kind,
        "timestamp": _stamp(at),
        "triggerReason": {"Started": "Authorized", "Ended": "EVDeparted"}.get(kind, "MeterValuePeriodic"),
        "seqNo": seq_no,
        "transactionInfo": {"transactionId": "tx-1"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": _stamp(at), "sampledValue": [sample]}],
    }
    if kind == "Ended":
        found["transactionInfo"]["stoppedReason"] = "EVDisconnected"
    else:
        found["transactionInfo"]["chargingState"] = "Charging"
    if kind == "Started":
        found["idToken"] = {"idToken": "tag", "type": "ISO14443"}
    return found | more


def _events(**more: Any) -> dict[str, Json]:
    now = _now()
    return {
        "Started": _event("Started", 0, BEGIN_WH, now - timedelta(seconds=40), **more),
        "Updated": _event("Updated", 1, MIDDLE_WH, now - timedelta(seconds=20), **more),
        "Ended": _event("Ended", 2, END_WH, now, **more),
    }


ORDERS = tuple(itertools.permutations(("Started", "Updated", "Ended")))


@pytest.mark.parametrize("protocol", SINCE_2)
@pytest.mark.parametrize("order", ORDERS, ids="-".join)
@pytest.mark.parametrize("copies", [1, 2])
def test_i8_events_in_any_order_and_twice_make_one_record(
    tmp_path: Path, protocol: str, order: tuple[str, ...], copies: int
) -> None:
    """[I.8, D-21, E13] Each is answered without an error; nothing runs after the end; the energy is never invented."""

    async def play(manager: LoadManager, _: Gateway, raw: Raw) -> None:
        said = _events()
        for kind in order:
            for _copy in range(copies):
                assert (await raw.ask("TransactionEvent", said[kind]))[0] == 3
        (record,) = await _records(manager)
        assert manager.state.sessions == {}
        assert record.ended_at is not None
        assert 0.0 <= record.energy_kwh <= KWH + 1e-9
        if order[0] == "Started":
            assert (record.energy_kwh, record.id_tag) == (pytest.approx(KWH), "tag")

    _play(tmp_path, protocol, play)


@pytest.mark.parametrize("protocol", SINCE_2)
def test_i8_what_happened_offline_becomes_a_record_and_no_order(tmp_path: Path, protocol: str) -> None:
    """[I.8, D-3, D-20] A whole stay of two hours ago, told in order after the link came back and the EVSE is free."""

    async def play(manager: LoadManager, _: Gateway, raw: Raw) -> None:
        at = _now() - timedelta(hours=2)
        free = {"timestamp": _stamp(_now()), "connectorStatus": "Available", "evseId": 1, "connectorId": 1}
        assert (await raw.ask("StatusNotification", free))[0] == 3
        for kind, seq_no, wh in (("Started", 0, BEGIN_WH), ("Updated", 1, MIDDLE_WH), ("Ended", 2, END_WH)):
            told = _event(kind, seq_no, wh, at + timedelta(minutes=20 * seq_no), offline=True)
            assert (await raw.ask("TransactionEvent", told))[0] == 3
        (record,) = await _records(manager)
        assert (manager.state.sessions, record.energy_kwh) == ({}, pytest.approx(KWH))
        assert abs((record.started_at - at).total_seconds()) < 2
        await asyncio.sleep(0.3)
        assert raw.profiles("TxProfile") == []

    _play(tmp_path, protocol, play)


@pytest.mark.parametrize("protocol", SINCE_2)
def test_i8_a_late_event_of_an_earlier_stay_leaves_the_present_one_alone(tmp_path: Path, protocol: str) -> None:
    """[I.8, D-3, D-40]"""

    async def play(manager: LoadManager, _: Gateway, raw: Raw) -> None:
        now, before = _now(), _now() - timedelta(hours=3)
        earlier = {"transactionInfo": {"transactionId": "tx-0", "stoppedReason": "EVDisconnected"}}
        assert (await raw.ask("TransactionEvent", _event("Started", 0, 9000, now)))[0] == 3
        running = dict(manager.state.sessions)
        assert len(running) == 1
        late = _event("Ended", 7, END_WH, before, offline=True, **earlier)
        for _copy in range(2):
            assert (await raw.ask("TransactionEvent", late))[0] == 3
        assert set(manager.state.sessions) == set(running)
        assert len(await _records(manager)) == 2

    _play(tmp_path, protocol, play)


# -- 1.6 -------------------------------------------------------------------------------------------------------------------


def _stop(transaction: int, register_wh: int, at: datetime) -> Json:
    return {"transactionId": transaction, "meterStop": register_wh, "timestamp": _stamp(at), "reason": "EVDisconnected"}


def test_i8_starts_and_stops_told_again_count_once_with_the_same_id(tmp_path: Path) -> None:
    """[I.8, D-2, G-72, G-73] On one link and on the next, with meter values between them."""

    async def play(manager: LoadManager, gateway: Gateway, raw: Raw) -> None:
        begun = start(at=_stamp(_now() - timedelta(seconds=30)))
        first = (await raw.ask("StartTransaction", begun))[2]["transactionId"]
        assert (await raw.ask("StartTransaction", begun))[2]["transactionId"] == first
        energy = [{"value": str(MIDDLE_WH), "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
        assert (await raw.ask("MeterValues", meter(first, energy)))[0] == 3
        ended = _stop(first, END_WH, _now())
        assert (await raw.ask("StopTransaction", ended))[0] == 3
        assert (await raw.ask("StopTransaction", ended))[0] == 3
        async with charger(gateway, ST) as again:
            assert (await again.ask("StartTransaction", begun))[2]["transactionId"] == first
            assert (await again.ask("StopTransaction", ended))[0] == 3
            (record,) = await _records(manager)
            assert (record.energy_kwh, manager.state.sessions) == (pytest.approx(KWH), {})

    async def run() -> None:
        async with office(tmp_path) as (manager, gateway), charger(gateway, ST) as raw:
            await play(manager, gateway, raw)
            assert manager.stats.protect_failures == 0

    asyncio.run(run())


def test_i8_an_offline_stay_of_1_6_becomes_a_record_and_no_order(tmp_path: Path) -> None:
    """[I.8, D-3, G-74] Start and Stop of hours ago, back to back, while the connector is free."""

    async def play(manager: LoadManager, _: Gateway, raw: Raw) -> None:
        at = _now() - timedelta(hours=3)
        free = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
        assert (await raw.ask("StatusNotification", free))[0] == 3
        transaction = (await raw.ask("StartTransaction", start(at=_stamp(at))))[2]["transactionId"]
        assert (await raw.ask("StopTransaction", _stop(transaction, END_WH, at + timedelta(hours=1))))[0] == 3
        (record,) = await _records(manager)
        assert (record.energy_kwh, manager.state.sessions) == (pytest.approx(KWH), {})
        await asyncio.sleep(0.3)
        assert raw.profiles("TxProfile") == []

    _play(tmp_path, "ocpp1.6", play)


def test_i8_a_stop_that_overtakes_its_start_makes_one_answer_each_and_one_running_session_at_most(tmp_path: Path) -> None:
    """[I.8, D-2, D-4] The queue was sent in the wrong order: the Stop knows no id, the Start follows."""

    async def play(manager: LoadManager, _: Gateway, raw: Raw) -> None:
        at = _now() - timedelta(minutes=10)
        assert (await raw.ask("StopTransaction", _stop(-1, END_WH, _now())))[0] == 3
        answer = await raw.ask("StartTransaction", start(at=_stamp(at)))
        assert answer[2]["transactionId"] > 0
        await until(lambda: len(manager.state.sessions) <= 1)
        energies = [r.energy_kwh for r in await _records(manager)]
        assert all(0.0 <= e <= KWH + 1e-9 for e in energies)
        assert (await raw.ask("StopTransaction", _stop(answer[2]["transactionId"], END_WH, _now())))[0] == 3
        assert manager.state.sessions == {}
        assert sum(r.energy_kwh for r in await _records(manager)) == pytest.approx(KWH)

    _play(tmp_path, "ocpp1.6", play)


def test_i8_meter_values_before_their_start_and_after_their_stop_change_no_record(tmp_path: Path) -> None:
    """[I.8, D-4, C-24]"""

    async def play(manager: LoadManager, _: Gateway, raw: Raw) -> None:
        energy = [{"value": "900000", "measurand": "Energy.Active.Import.Register", "unit": "Wh"}]
        assert (await raw.ask("MeterValues", meter(4711, energy)))[0] == 3
        begun = start(at=_stamp(_now() - timedelta(seconds=30)))
        transaction = (await raw.ask("StartTransaction", begun))[2]["transactionId"]
        assert (await raw.ask("StopTransaction", _stop(transaction, END_WH, _now())))[0] == 3
        assert (await raw.ask("MeterValues", meter(transaction, energy)))[0] == 3
        (record,) = await _records(manager)
        assert record.energy_kwh == pytest.approx(KWH)

    _play(tmp_path, "ocpp1.6", play)
