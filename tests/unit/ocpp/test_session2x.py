"""Queues, gaps and returns of OCPP 2.x transactions into the state: rules D-3, D-6, D-21, D-22, D-28."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from types import ModuleType
from typing import Any

import pytest

from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.session import Session
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk
from loadmgr.ocpp.v21 import events as events_21
from loadmgr.ocpp.v201 import events as events_201
from tests.support.builders import NOON, a_site, a_state, after, connected

S1, E1 = StationId("S1"), EvseId("S1/1")
BOTH = pytest.mark.parametrize("version", [events_201, events_21], ids=["2.0.1", "2.1"])


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass
class World:
    """One station that talks OCPP 2.x; what it says goes through the translation into the state."""

    version: ModuleType = events_21
    now: datetime = NOON
    transactions: Transactions = field(default_factory=Transactions)
    state: SiteState = field(init=False)
    log: list[ev.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.site = a_site(n=1)
        self.state = a_state(self.site, *connected(self.site))

    def say(self, action: str, payload: dict[str, Any]) -> list[ev.Event]:
        desk = Desk(station=S1, site=self.site, transactions=self.transactions, heartbeat_s=300, accept=None)
        found: list[ev.Event] = self.version.handle(desk, action, payload, self.now).events
        self.log += found
        self.state = after(self.state, found)
        return found

    def event(self, kind: str, seq_no: int, transaction: str = "a", **more: Any) -> list[ev.Event]:
        at = more.pop("at", self.now)
        register = more.pop("register", 1000.0)
        began_at = more.pop("began_at", at)
        values = [{"timestamp": stamp(began_at), "sampledValue": [{"value": register}]}]
        payload = {
            "eventType": kind,
            "timestamp": stamp(at),
            "triggerReason": more.pop("trigger", "MeterValuePeriodic"),
            "seqNo": seq_no,
            "transactionInfo": {"transactionId": transaction, "chargingState": "Charging"},
            "evse": {"id": 1, "connectorId": 1},
            "meterValue": values,
        }
        return self.say("TransactionEvent", {**payload, **more})

    def status(self, status: str) -> None:
        about = {"timestamp": stamp(self.now), "connectorStatus": status, "evseId": 1, "connectorId": 1}
        self.say("StatusNotification", about)

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def left(self) -> None:
        """The car goes without an end being told."""
        self.wait(60)
        self.status("Available")
        assert self.running == []

    @property
    def running(self) -> list[Session]:
        return list(self.state.sessions.values())

    @property
    def known(self) -> Any:
        return self.transactions.find(S1, "a")


@BOTH
def test_a_started_that_is_said_again_begins_nothing(version: ModuleType) -> None:
    """[D-3, D-21] Neither while it runs nor after its end."""
    world = World(version)
    world.event("Started", 0)
    world.event("Started", 0, at=NOON)
    assert len([e for e in world.log if isinstance(e, ev.SessionStarted)]) == 1
    world.wait(60)
    world.event("Ended", 1)
    world.event("Started", 0, at=NOON)
    world.event("Ended", 1, at=NOON)
    assert (world.running, len([e for e in world.log if isinstance(e, ev.SessionEnded)])) == ([], 1)


@BOTH
@pytest.mark.parametrize("more", [{"offline": True}, {}])
def test_what_waited_in_a_queue_revives_no_car_that_is_gone(version: ModuleType, more: dict[str, Any]) -> None:
    """[D-3] Also when the station does not say that it was offline."""
    world = World(version)
    world.event("Started", 0)
    world.wait(600)
    world.event("Updated", 2)
    world.left()
    world.wait(300)
    for kind, seq_no in (("Started", 0), ("Updated", 1), ("Updated", 3)):
        world.event(kind, seq_no, at=NOON + timedelta(seconds=seq_no), **more)
        assert world.running == []
    world.event("Ended", 4, at=NOON + timedelta(seconds=640), register=9000.0, **more)
    (record,) = world.state.ended.values()
    assert (record.end_reason, record.energy_kwh) == ("Local", pytest.approx(8.0))


@BOTH
def test_a_live_word_brings_a_transaction_back_whose_end_was_inferred(version: ModuleType) -> None:
    """[D-6, C01]"""
    world = World(version)
    world.event("Started", 0)
    world.left()
    world.event("Updated", 1)
    assert len(world.running) == 1


@BOTH
def test_a_wrong_clock_does_not_keep_a_car_that_is_there_from_coming_back(version: ModuleType) -> None:
    """[G-9, D-6]"""
    world = World(version)
    world.event("Started", 0)
    world.left()
    world.status("Occupied")
    world.event("Updated", 1, at=NOON - timedelta(hours=2))
    assert len(world.running) == 1


@BOTH
@pytest.mark.parametrize("age_s", [10, 3000])
def test_the_end_of_an_unknown_stay_leaves_the_one_that_runs_alone(version: ModuleType, age_s: float) -> None:
    """[D-3, G-74] Its record begins when its values begin."""
    world = World(version)
    world.wait(3600)
    world.event("Started", 0)
    (running,) = world.running
    world.wait(3000)
    world.event("Ended", 7, "b", at=world.now - timedelta(seconds=age_s), offline=True)
    assert world.running == [running], "it would have begun during the one that runs"
    assert len(world.state.ended) == 0
    world.event("Ended", 7, "c", at=NOON + timedelta(seconds=1800), began_at=NOON, offline=True)
    assert world.running == [running]
    (record,) = world.state.ended.values()
    assert (record.transaction, record.started_at, record.ended_at) == ("c", NOON, NOON + timedelta(seconds=1800))
    assert world.state.evses[E1].session == running.id


def test_a_queued_start_never_displaces_a_later_one() -> None:
    """[D-3] Even when both are of the last minute."""
    world = World()
    world.wait(50)
    world.event("Started", 0, "later")
    world.event("Started", 0, "earlier", at=NOON + timedelta(seconds=20), offline=True)
    assert [s.transaction for s in world.running] == ["later"]


def test_an_end_of_which_nothing_was_known_is_a_record() -> None:
    """[D-21, G-74]"""
    world = World()
    world.event("Ended", 3, began_at=NOON - timedelta(hours=1))
    (record,) = world.state.ended.values()
    assert (record.started_at, record.ended_at, world.running) == (NOON - timedelta(hours=1), NOON, [])


@BOTH
def test_a_gap_in_the_numbers_raises_a_doubt_and_an_unbroken_row_none(version: ModuleType) -> None:
    """[D-22] (rule D.2: seqNo)"""
    world = World(version)
    for seq_no in (0, 1, 2, 2, 1):
        world.event("Updated", seq_no)
        assert not world.known.is_doubted
    world.event("Updated", 4)
    assert world.known.is_doubted


def test_a_transaction_that_is_first_heard_in_its_middle_is_no_gap() -> None:
    """[D-21]"""
    world = World()
    world.event("Updated", 9)
    assert not world.known.is_doubted


def test_a_transaction_of_which_nothing_was_heard_a_minute_after_a_boot_is_doubted() -> None:
    """[D-6, D-22]"""
    world = World()
    world.event("Started", 0)
    about = {"chargingStation": {"model": "m", "vendorName": "v"}, "reason": "PowerUp"}
    world.say("BootNotification", about)
    world.wait(59)
    world.say("Heartbeat", {})
    assert not world.known.is_doubted
    world.wait(2)
    world.say("Heartbeat", {})
    assert world.known.is_doubted
    assert len(world.running) == 1


def test_a_resumed_transaction_is_told_its_limit_again_also_after_its_end_was_inferred() -> None:
    """[D-28] Whatever its number is."""
    world = World()
    world.event("Started", 5)
    world.left()
    found = world.event("Updated", 1, trigger="TxResumed")
    assert len(world.running) == 1
    assert any(isinstance(e, ev.CompositeRead) and e.evse == E1 and e.differs for e in found)
