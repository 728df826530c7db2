"""Transactions repeated, forgotten, foreign or forged [B13-B18, B29, G08]: each beside two healthy chargers."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule, run_state_machine_as_test

from tests.support.chargers import Raw, meter, until
from tests.support.faulty_settings import limited
from tests.support.faulty_site import ODD, ODD_EVSE, FaultySite, Run, beside_two, stepped, talks

ENERGY = "Energy.Active.Import.Register"
UNPATIENT = limited(messages_per_s=100_000.0, messages_at_once=100_000)


def _event(site: FaultySite, kind: str, transaction: str, seq: int, wh: float) -> dict[str, Any]:
    """A TransactionEvent with a register."""
    sampled = [{"value": wh, "measurand": ENERGY, "unitOfMeasure": {"unit": "Wh"}}]
    found: dict[str, Any] = {
        "eventType": kind,
        "timestamp": site.stamp(),
        "triggerReason": "Authorized" if kind == "Started" else "MeterValuePeriodic",
        "seqNo": seq,
        "transactionInfo": {"transactionId": transaction, "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "meterValue": [{"timestamp": site.stamp(), "sampledValue": sampled}],
    }
    if kind == "Started":
        found["idToken"] = {"idToken": "tag-odd", "type": "ISO14443"}
    return found


def test_b13_the_same_message_twice_has_one_effect_and_one_answer(tmp_path: Path) -> None:
    """[B13] A replay on one link: the same id and the same text."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd() as raw:
            text = json.dumps([2, "again", "StartTransaction", site.start()])
            answers = []
            for _ in range(3):
                await raw.send(text)
                answers.append(await raw.answer())
            assert answers[0] == answers[1] == answers[2]
            (session,) = site.odd_sessions
            stop = json.dumps([2, "stop", "StopTransaction", site.stop(answers[0][2]["transactionId"])])
            await raw.send(stop)
            first = await raw.answer()
            await raw.send(stop)
            assert await raw.answer() == first
            (record,) = await site.stored(ODD_EVSE)
            assert (record.id, round(record.energy_kwh * 1000)) == (session.id, 1000)

    asyncio.run(play())


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_b13_a_2_x_event_that_comes_twice_counts_once(tmp_path: Path, version: str) -> None:
    """[B13, B14] With the same message id, with another, and on the next link."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            started = _event(site, "Started", "tx-odd", 0, 1000.0)
            async with site.odd(version=version) as raw:
                for _ in range(2):
                    await raw.send(json.dumps([2, "again", "TransactionEvent", started]))
                    assert (await raw.answer())[0] == 3
                assert (await raw.ask("TransactionEvent", started))[0] == 3
            ended = _event(site, "Ended", "tx-odd", 1, 1500.0)
            async with site.odd(version=version, boots=False) as raw:
                for payload in (started, ended, ended, started):
                    assert (await raw.ask("TransactionEvent", payload))[0] == 3
            (record,) = await site.stored(ODD_EVSE)
            assert round(record.energy_kwh * 1000) == 500

    asyncio.run(play())


class Resending(RuleBasedStateMachine):
    """A 1.6 charger that repeats what was not answered: cut before our answer at any place, once or more often.

    The model is what the charger's own meter says; the service has to end with the same transactions.
    """

    site: FaultySite
    run: Run[Any]

    @initialize()
    def connects(self) -> None:
        """Each example has the charger to itself and begins with what is stored already."""
        self.link: Any = None
        self.raw: Raw | None = None
        self.stored_before = {s.id for s in self.run(self.site.stored(ODD_EVSE))}
        self.pending: list[tuple[str, dict[str, Any]]] = []
        self.open: dict[str, Any] | None = None
        self.done: list[int] = []
        self.reconnect()

    def reconnect(self) -> None:
        """A new link; the old one is cut."""
        self._cut()
        self.link = self.site.odd(boots=False)
        self.raw = self.run(self.link.__aenter__())

    def _cut(self) -> None:
        if self.link is not None and self.raw is not None:
            self.raw.cut()
            self.run(self.link.__aexit__(None, None, None))
            self.link = self.raw = None

    def _deliver(self, action: str, payload: dict[str, Any], *, n_lost: int) -> dict[str, Any]:
        """Send until an answer comes; ``n_lost`` answers are lost with their links."""
        for _ in range(n_lost):
            assert self.raw is not None
            self.run(self._send_only(action, payload))
            self.reconnect()
        assert self.raw is not None
        answer = self.run(self.raw.ask(action, payload))
        assert answer[0] == 3, answer
        found: dict[str, Any] = answer[2]
        return found

    async def _send_only(self, action: str, payload: dict[str, Any]) -> None:
        assert self.raw is not None
        link = self.site.gateway.link(ODD)
        before = -1 if link is None else link.n_handled
        await self.raw.send(json.dumps([2, f"lost-{id(payload)}", action, payload]))
        if link is not None:  # let it be handled, and be lost before or after that as it comes
            for _ in range(5):
                await asyncio.sleep(0)
                if link.n_handled != before:
                    break

    @precondition(lambda self: self.open is None)
    @rule(n_lost=st.integers(0, 2), wh=st.integers(0, 5000))
    def start(self, n_lost: int, wh: int) -> None:
        """A transaction starts; the next one starts at another register."""
        payload = self.site.start(meter=wh + 10_000 * len(self.done))
        number = self._deliver("StartTransaction", payload, n_lost=n_lost)["transactionId"]
        assert self._deliver("StartTransaction", payload, n_lost=0)["transactionId"] == number
        self.open = {"id": number, "from": payload["meterStart"], "payload": payload}

    @precondition(lambda self: self.open is not None)
    @rule(n_lost=st.integers(0, 2), wh=st.integers(1, 900))
    def stop(self, n_lost: int, wh: int) -> None:
        """It ends."""
        assert self.open is not None
        payload = self.site.stop(self.open["id"], self.open["from"] + wh)
        self._deliver("StopTransaction", payload, n_lost=n_lost)
        self._deliver("StopTransaction", payload, n_lost=0)
        self._deliver("StartTransaction", self.open["payload"], n_lost=0)  # out of the charger's queue, once more
        self.done.append(wh)
        self.open = None

    @precondition(lambda self: self.open is not None)
    @rule()
    def meters(self) -> None:
        """A sample in between."""
        assert self.open is not None
        values = [{"value": str(self.open["from"]), "measurand": ENERGY}]
        self._deliver("MeterValues", meter(self.open["id"], values, at=self.site.stamp()), n_lost=0)

    @rule()
    def loses_its_link(self) -> None:
        """Between two messages."""
        self.reconnect()

    @invariant()
    def the_same_transactions(self) -> None:
        """One record for each, with its energy."""
        if not hasattr(self, "done"):
            return
        found = [s for s in self.run(self.site.stored(ODD_EVSE)) if s.id not in self.stored_before]
        closed = sorted(round(s.energy_kwh * 1000) for s in found if s.ended_at is not None)
        assert closed == sorted(self.done)
        assert len(found) - len(closed) == (self.open is not None)

    def teardown(self) -> None:
        """Leave nothing open for the next example."""
        if getattr(self, "open", None) is not None:
            assert self.open is not None
            self._deliver("StopTransaction", self.site.stop(self.open["id"], self.open["from"]), n_lost=0)
        if hasattr(self, "link"):
            self._cut()


def test_b14_a_start_or_stop_that_was_not_answered_is_the_same_when_it_comes_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[B14, D-2] State machine: cut between handling and answer, any number of times."""
    monkeypatch.setattr("loadmgr.ocpp.charger.Charger.linked", lambda *_: 0.0)  # that wait is A06's [G-44]

    with stepped(tmp_path, ocpp=UNPATIENT) as (run, site):
        machine = type("Machine", (Resending,), {"site": site, "run": staticmethod(run)})
        how = settings(talks(8), stateful_step_count=10)
        run_state_machine_as_test(machine, settings=how)  # type: ignore[no-untyped-call]


def test_b15_a_stop_that_nobody_knows_is_acknowledged_and_kept_as_an_orphan(tmp_path: Path) -> None:
    """[B15, D-4] So that the charger drops it; the energy of others stays what it is."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd() as raw:
            for transaction in (12345, 1, 2**31 - 1, 0, -1):
                assert (await raw.ask("StopTransaction", site.stop(transaction)))[0] == 3, transaction
            number = (await raw.ask("StartTransaction", site.start(meter=50_000)))[2]["transactionId"]
            for _ in range(3):
                assert (await raw.ask("StopTransaction", site.stop(number, 50_400)))[0] == 3
            known = [s for s in await site.stored(ODD_EVSE) if s.transaction == str(number)]
            assert [round(s.energy_kwh * 1000) for s in known] == [400]
            assert site.odd_sessions == []

    asyncio.run(play())


def _foreign(site: FaultySite) -> list[str]:
    """Ids of the transactions at the healthy chargers."""
    return [t.transaction.id for t in site.good if t.transaction is not None]


def test_b16_b18_nobody_stops_or_meters_the_transaction_of_another(tmp_path: Path) -> None:
    """[B16, B18, G08, P5] With the right ids of the healthy chargers' transactions, in 1.6."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned() as raw:
            await until(lambda: all(_foreign(site)))
            for text in _foreign(site):
                number = int(text) if text.isdecimal() else 77
                before = dict(site.manager.state.sessions)
                values = [{"value": "99999999", "measurand": ENERGY}, {"value": "32", "measurand": "Current.Import"}]
                assert (await raw.ask("MeterValues", meter(number, values, at=site.stamp())))[0] == 3
                assert (await raw.ask("StopTransaction", site.stop(number, 99_999)))[0] == 3
                assert site.manager.state.sessions.keys() >= before.keys()
                for session in before.values():
                    assert site.manager.state.sessions[session.id].energy_kwh < 1.0

    asyncio.run(play())


@pytest.mark.parametrize("version", ["2.0.1", "2.1"])
def test_b16_b18_the_same_in_2_x(tmp_path: Path, version: str) -> None:
    """[B16, B18, G08, P5] Ids are the chargers' own there: the same id at two chargers is two transactions."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.commissioned(version=version) as raw:
            await until(lambda: all(_foreign(site)))
            before = dict(site.manager.state.sessions)
            for text in _foreign(site):
                for seq, kind in enumerate(("Updated", "Ended")):
                    answer = await raw.ask("TransactionEvent", _event(site, kind, text, seq, 9e7))
                    assert answer[0] == 3
            for session in before.values():
                assert site.manager.state.sessions[session.id].energy_kwh < 1.0

    asyncio.run(play())


def test_b17_ids_of_neighbours_are_no_use_to_anybody(tmp_path: Path) -> None:
    """[B17] Ids do not count up, and those near a known one stop nothing."""

    async def play() -> None:
        async with beside_two(tmp_path, ocpp=UNPATIENT) as site, site.odd() as raw:
            numbers = []
            for n in range(20):
                number = (await raw.ask("StartTransaction", site.start(meter=n * 1000)))[2]["transactionId"]
                assert (await raw.ask("StopTransaction", site.stop(number, n * 1000 + 1)))[0] == 3
                numbers.append(number)
            gaps = [abs(b - a) for a, b in zip(numbers, numbers[1:], strict=False)]
            assert len(set(numbers)) == 20
            assert min(gaps) > 1000  # of 2^31: a chance of one in a hundred thousand
            running = next(int(t) for t in _foreign(site) if t.isdecimal())
            for near in (running - 1, running, running + 1):
                assert (await raw.ask("StopTransaction", site.stop(near)))[0] == 3
            assert len(site.manager.state.sessions) == 2

    asyncio.run(play())


def test_b18_values_for_a_closed_transaction_are_not_attributed(tmp_path: Path) -> None:
    """[B18] The record of a transaction that has ended stays as it is."""

    async def play() -> None:
        async with beside_two(tmp_path) as site, site.odd() as raw:
            number = (await raw.ask("StartTransaction", site.start(meter=0)))[2]["transactionId"]
            assert (await raw.ask("StopTransaction", site.stop(number, 500)))[0] == 3
            values = [{"value": "900000", "measurand": ENERGY}]
            assert (await raw.ask("MeterValues", meter(number, values, at=site.stamp())))[0] == 3
            (record,) = await site.stored(ODD_EVSE)
            assert round(record.energy_kwh * 1000) == 500

    asyncio.run(play())
