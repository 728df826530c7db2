"""Session life in OCPP 1.6, message by message into the state: domain rules D.1, D.3, G.3 and what faults do to them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.session import Session
from loadmgr.domain.site import Site, Station
from loadmgr.domain.traits import Traits
from loadmgr.ocpp.transactions import Transactions
from loadmgr.ocpp.translation import Desk, Handled
from loadmgr.ocpp.v16.events import handle
from loadmgr.storage.fold import SessionFold
from tests.support.builders import NOON, a_site, a_state, after, connected

S1, S2 = StationId("S1"), StationId("S2")
REGISTER = "Energy.Active.Import.Register"


def stamp(at: datetime) -> str:
    return at.strftime("%Y-%m-%dT%H:%M:%SZ")


def two_evses() -> Site:
    """Station S1 with two EVSEs."""
    site = a_site(n=2)
    first, second = EvseId("S1/1"), EvseId("S2/1")
    moved = replace(site.evses[second], id=EvseId("S1/2"), station=S1, number=2)
    return Site(
        id=site.id,
        nodes=site.nodes,
        stations={S1: Station(id=S1, evses=(first, moved.id))},
        evses={first: site.evses[first], moved.id: moved},
    )


@dataclass
class World:
    """Stations that talk; what they say goes through the translation into the state and the store's fold."""

    site: Site = field(default_factory=lambda: a_site(n=2))
    traits: Traits = Traits()
    now: datetime = NOON
    transactions: Transactions = field(default_factory=Transactions)
    fold: SessionFold = field(default_factory=SessionFold)
    state: SiteState = field(init=False)
    log: list[ev.Event] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.state = a_state(self.site, *connected(self.site))

    def say(self, action: str, payload: dict[str, Any], station: StationId = S1) -> Handled:
        desk = Desk(
            station=station,
            site=self.site,
            transactions=self.transactions,
            heartbeat_s=300,
            accept=None,
            traits=self.traits,
        )
        handled = handle(desk, action, payload, self.now)
        self.log += handled.events
        self.state = after(self.state, handled.events)
        for event in handled.events:
            self.fold.take(event)
        return handled

    def wait(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    def boot(self) -> Handled:
        return self.say("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})

    def status(self, status: str, connector: int = 1) -> Handled:
        return self.say("StatusNotification", {"connectorId": connector, "errorCode": "NoError", "status": status})

    def start(self, connector: int = 1, meter: int = 1000, at: datetime | None = None, **more: Any) -> int:
        payload = {"connectorId": connector, "idTag": "tag", "meterStart": meter, "timestamp": stamp(at or self.now)}
        found: int = self.say("StartTransaction", {**payload, **more}).answer["transactionId"]
        return found

    def stop(self, transaction: int, meter: int, at: datetime | None = None, **more: Any) -> Handled:
        payload = {"transactionId": transaction, "meterStop": meter, "timestamp": stamp(at or self.now)}
        return self.say("StopTransaction", {**payload, **more})

    def meter(
        self,
        energy_wh: float,
        current_a: float = 0.0,
        transaction: int | None = None,
        at: datetime | None = None,
        **more: Any,
    ) -> Handled:
        values = [
            {"value": str(energy_wh), "measurand": REGISTER, "unit": "Wh"},
            *({"value": str(current_a), "measurand": "Current.Import", "phase": p} for p in ("L1", "L2", "L3")),
        ]
        payload: dict[str, Any] = {
            "connectorId": more.pop("connector", 1),
            "meterValue": [{"timestamp": stamp(at or self.now), "sampledValue": values}],
        }
        if transaction is not None:
            payload["transactionId"] = transaction
        return self.say("MeterValues", payload, **more)

    @property
    def running(self) -> list[Session]:
        return list(self.state.sessions.values())

    @property
    def records(self) -> list[Session]:
        assert {s.id for s in self.fold.ended.values()} == set(self.state.ended)
        return list(self.state.ended.values())

    def attached(self, evse: str = "S1/1") -> str | None:
        return self.state.evses[EvseId(evse)].session


def test_a_repeated_start_has_the_same_id_and_begins_once() -> None:
    """[D-2, G-73, B14]"""
    world = World()
    first = world.start()
    world.wait(30)
    assert world.start(at=NOON) == first
    assert len(world.running) == 1


def test_a_stop_twice_or_of_a_stranger_is_answered_and_counts_once() -> None:
    """[D-2, G-72, B15]"""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(3600)
    for _ in range(3):
        assert world.stop(transaction, 6000).refusal is None
    (record,) = world.records
    assert record.energy_kwh == pytest.approx(5.0)


def test_a_stop_told_again_under_an_unknown_id_makes_no_record() -> None:
    """[G-72] Its register is the one of the end, not the one of the last sample."""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(600)
    world.meter(2000, 16.0, transaction)
    world.wait(10)
    world.stop(transaction, 2030)
    assert world.stop(999_999, 2030).refusal is None
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.03)]


def test_meter_values_in_another_unit_than_the_ends_change_no_energy() -> None:
    """[G-91, C-21] meterStart and meterStop are Wh; the values between are kWh under the label Wh."""
    world = World()
    transaction = world.start(meter=5_000)
    for _ in range(8):
        world.wait(15)
        world.meter(5.0 + 11.0 * (world.now - NOON).total_seconds() / 3600, 16.0, transaction)
        assert world.running[0].energy_kwh < 1.0
    assert world.running[0].energy_kwh == pytest.approx(11.0 * 120 / 3600)
    world.stop(transaction, 5_370)
    assert [r.energy_kwh for r in world.records] == [pytest.approx(0.37)]
    assert world.records[0].anomalies == ()


@pytest.mark.parametrize("said", [0, -1])
def test_ids_of_a_station_that_never_got_our_answer_mean_what_runs_there(said: int) -> None:
    """[D-4, G-70]"""
    world = World()
    world.start(meter=1000)
    world.wait(600)
    world.meter(2000, 16.0, said)
    assert world.running[0].energy_kwh == pytest.approx(1.0)
    world.stop(said, 2500)
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.5)]


def test_a_stop_without_an_id_ends_the_session_whose_connector_finishes() -> None:
    """[D-4]"""
    world = World(site=two_evses())
    world.start(1, meter=1000)
    world.start(2, meter=9000)
    world.status("Finishing", 2)
    world.wait(600)
    world.stop(-1, 9500)
    assert [r.evse for r in world.records] == ["S1/2"]
    assert [s.evse for s in world.running] == ["S1/1"]


def test_a_stop_without_an_id_ends_nothing_when_it_may_mean_either() -> None:
    """[D-4]"""
    world = World(site=two_evses())
    world.start(1, meter=1000)
    world.start(2, meter=1000)
    assert world.stop(-1, 1200).refusal is None
    assert len(world.running) == 2


def test_meter_values_without_an_id_belong_to_what_runs_there() -> None:
    """[G-71]"""
    world = World()
    world.start(meter=1000)
    world.wait(60)
    world.meter(1200, 16.0)
    assert world.running[0].energy_kwh == pytest.approx(0.2)


def test_nothing_is_attributed_to_a_closed_or_foreign_transaction() -> None:
    """[B18]"""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(600)
    world.stop(transaction, 2000)
    world.meter(3000, 16.0, transaction)
    world.start(meter=2000)
    world.wait(60)
    world.meter(9000, 16.0, transaction)
    world.meter(9000, 16.0, world.transactions.open_on(EvseId("S1/1")) and int(transaction), station=S2)
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.0)]
    assert world.running[0].energy_kwh == 0.0
    assert all(s.evse == "S1/1" for s in world.running)


def test_an_offline_stay_that_is_over_becomes_a_record_and_never_a_live_session() -> None:
    """[D-3, C05]"""
    world = World()
    world.status("Available")
    began = NOON - timedelta(hours=5)
    transaction = world.start(meter=1000, at=began)
    assert world.running == []
    assert world.attached() is None
    world.meter(4000, 16.0, transaction, at=began + timedelta(hours=1))
    world.stop(transaction, 6000, at=began + timedelta(hours=2))
    (record,) = world.records
    assert record.energy_kwh == pytest.approx(5.0)
    assert record.ended_at == began + timedelta(hours=2)
    assert record.started_at == began


def test_an_offline_start_of_a_car_that_still_charges_is_live() -> None:
    """[D-3]"""
    world = World()
    world.status("Charging")
    world.start(meter=1000, at=NOON - timedelta(hours=1))
    assert world.attached() is not None


def test_a_car_that_proves_to_be_there_after_all_is_live_again() -> None:
    """[D-3, C01]"""
    world = World()
    world.status("Available")
    transaction = world.start(meter=1000, at=NOON - timedelta(hours=1))
    world.meter(5000, 16.0, transaction)
    (session,) = world.running
    assert world.attached() == session.id
    assert world.records == []


def test_a_late_word_of_an_older_stay_leaves_the_present_one_alone() -> None:
    """[D-3, C05]"""
    world = World()
    present = world.start(meter=9000)
    before = world.attached()
    world.wait(120)
    old = world.start(meter=1000, at=NOON - timedelta(hours=6))
    assert world.attached() == before
    world.stop(old, 4000, at=NOON - timedelta(hours=4))
    assert world.attached() == before
    world.stop(present, 9500)
    assert sorted(round(r.energy_kwh, 3) for r in world.records) == [0.5, 3.0]


def test_after_a_boot_open_sessions_are_kept_a_minute_and_then_lost() -> None:
    """[D-6]"""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(600)
    world.meter(2000, 16.0, transaction)
    world.boot()
    world.status("Available")
    world.wait(59)
    world.say("Heartbeat", {})
    assert len(world.running) == 1
    world.wait(2)
    world.say("Heartbeat", {})
    (record,) = world.records
    assert (record.end_reason, record.energy_kwh) == ("Lost", pytest.approx(1.0))


def test_after_a_boot_a_transaction_that_speaks_goes_on() -> None:
    """[D-6, C01]"""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(600)
    world.boot()
    world.status("Available")
    world.wait(30)
    world.meter(1500, 16.0, transaction)
    world.wait(60)
    world.say("Heartbeat", {})
    assert [s.energy_kwh for s in world.running] == [pytest.approx(0.5)]


def test_a_lost_transaction_that_comes_back_has_one_record_with_all_its_energy() -> None:
    """[D-6, P3]"""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(600)
    world.meter(2000, 16.0, transaction)
    world.boot()
    world.status("Available")
    world.wait(61)
    world.say("Heartbeat", {})
    assert world.running == []
    world.wait(600)
    world.meter(3000, 16.0, transaction)
    assert [s.energy_kwh for s in world.running] == [pytest.approx(2.0)]
    world.wait(60)
    world.stop(transaction, 3500)
    assert [r.energy_kwh for r in world.records] == [pytest.approx(2.5)]
    assert world.attached() is None


def test_a_station_that_forgot_its_transaction_begins_a_new_one() -> None:
    """[C02]"""
    world = World()
    old = world.start(meter=1000)
    world.wait(600)
    world.meter(2000, 16.0, old)
    world.boot()
    world.wait(20)
    new = world.start(meter=2000)
    assert new != old
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.0)]
    assert world.attached() == world.running[0].id


def test_a_car_that_left_without_a_stop_is_closed_with_its_last_register() -> None:
    """[C15] and the queued stop corrects it."""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(600)
    world.meter(2000, 16.0, transaction)
    world.status("Available")
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.0)]
    world.stop(transaction, 2100)
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.1)]


def test_a_start_that_was_lost_is_made_up_from_meter_values() -> None:
    """[G-74]"""
    world = World()
    world.status("Charging")
    world.meter(5000, 16.0, 4711)
    world.wait(600)
    world.meter(6000, 16.0, 4711)
    (session,) = world.running
    assert (session.transaction, session.energy_kwh) == ("4711", pytest.approx(1.0))
    world.stop(4711, 6500)
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.5)]


def test_an_idle_meter_makes_no_session() -> None:
    """[G-74, B18]"""
    world = World()
    world.meter(5000, 0.0, 4711)
    assert world.running == []


@pytest.mark.parametrize(("data", "energy_kwh"), [(None, 0.0), (4000, 3.0)])
def test_a_start_that_was_lost_is_made_up_from_the_stop(data: int | None, energy_kwh: float) -> None:
    """[G-74, B15] Without a begin there is a record without energy: nothing is invented."""
    world = World()
    more: dict[str, Any] = {}
    if data is not None:
        sampled = {"value": str(data), "measurand": REGISTER, "context": "Transaction.Begin"}
        more = {"transactionData": [{"timestamp": stamp(NOON - timedelta(hours=1)), "sampledValue": [sampled]}]}
    for _ in range(2):
        world.stop(4711, 7000, **more)
    (record,) = world.records
    assert (record.energy_kwh, record.end_reason) == (pytest.approx(energy_kwh), "StartLost")
    assert world.running == []


def test_another_stations_transaction_cannot_be_stopped_or_recorded() -> None:
    """[B16]"""
    world = World()
    transaction = world.start(meter=1000)
    world.say("StopTransaction", {"transactionId": transaction, "meterStop": 9, "timestamp": stamp(NOON)}, S2)
    assert len(world.running) == 1
    assert world.records == []


def test_a_stop_beyond_what_the_evse_can_do_does_not_enter_the_record() -> None:
    """[C.5, D13] The last register stands."""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(600)
    world.meter(2000, 16.0, transaction)
    world.stop(transaction, 99_999_000)
    assert [r.energy_kwh for r in world.records] == [pytest.approx(1.0)]


@pytest.mark.parametrize("status", ["Available", "SuspendedEVSE", "Preparing", "Finishing"])
def test_a_car_that_draws_is_charging_whatever_is_reported(status: str) -> None:
    """[D-1, G-77, G-79, B29]"""
    world = World()
    if status == "Available":  # later it would end the session [C15]
        world.status(status)
    world.start(meter=1000)
    if status != "Available":
        world.status(status)
    world.wait(30)
    world.meter(1100, 16.0)
    assert world.state.evses[EvseId("S1/1")].status is EvseStatus.CHARGING


def test_a_start_at_a_free_evse_repairs_its_state() -> None:
    """[B29, G-79]"""
    world = World()
    world.status("Available")
    world.start(meter=1000)
    assert world.state.evses[EvseId("S1/1")].status is EvseStatus.PREPARING


def test_a_flood_of_states_is_answered_and_only_its_last_word_counts() -> None:
    """[D.1]"""
    world = World()
    world.start(meter=1000)
    for number in range(200):
        assert world.status("SuspendedEV" if number % 2 else "Charging").refusal is None
    told = [e.status for e in world.log if isinstance(e, ev.EvseStatusChanged)]
    assert sum(a is not b for a, b in zip(told, told[1:], strict=False)) < 25
    world.status("SuspendedEV")
    world.wait(10)
    world.say("Heartbeat", {})
    assert world.state.evses[EvseId("S1/1")].status is EvseStatus.SUSPENDED_EV


def test_a_booked_start_uses_up_its_reservation() -> None:
    """[D-10]"""
    world = World()
    world.start(meter=1000, reservationId=7)
    assert [e.reservation for e in world.log if isinstance(e, ev.ReservationEnded)] == [7]


def test_a_register_per_session_goes_on_from_the_start() -> None:
    """[G-92]"""
    world = World(traits=Traits(has_session_register=True))
    transaction = world.start(meter=50_000)
    world.wait(60)
    world.meter(300, 16.0, transaction)
    assert world.running[0].energy_kwh == pytest.approx(0.3)
    world.wait(60)
    world.stop(transaction, 600)
    assert world.records[0].energy_kwh == pytest.approx(0.6)


def test_power_comes_from_the_register_when_nothing_else_is_told() -> None:
    """[C.4, G-94]"""
    world = World()
    transaction = world.start(meter=0)
    for _ in range(8):
        world.wait(10)
        energy = 7000 * (world.now - NOON).total_seconds() / 3600
        values = [{"value": f"{energy:.3f}", "measurand": REGISTER}]
        entry = {"timestamp": stamp(world.now), "sampledValue": values}
        world.say("MeterValues", {"connectorId": 1, "transactionId": transaction, "meterValue": [entry]})
    sample = world.state.evses[EvseId("S1/1")].sample
    assert sample is not None
    assert sample.measured.power_kw == pytest.approx(7.0, rel=0.01)


def test_old_samples_feed_history_only() -> None:
    """[C-24, B24]"""
    world = World()
    transaction = world.start(meter=1000)
    world.wait(3600)
    world.meter(5000, 32.0, transaction, at=NOON + timedelta(minutes=5))
    assert world.state.evses[EvseId("S1/1")].sample is None
    assert world.running[0].energy_kwh == 0.0


# -- a station that does whatever it likes -----------------------------------------------------------------------------

STATUSES = ["Available", "Preparing", "Charging", "SuspendedEV", "SuspendedEVSE", "Finishing", "Unavailable", "Faulted"]
DEEDS: dict[str, Callable[[World, int], object]] = {
    "boot": lambda w, _: w.boot(),
    "status": lambda w, n: w.status(STATUSES[n % len(STATUSES)]),
    "start": lambda w, n: w.start(meter=n),
    "old start": lambda w, n: w.start(meter=n, at=w.now - timedelta(hours=1 + n % 5)),
    "stop": lambda w, n: w.stop(_some_id(w, n), n),
    "stop -1": lambda w, n: w.stop(-1, n),
    "meter": lambda w, n: w.meter(n, float(n % 33), _some_id(w, n)),
    "meter 0": lambda w, n: w.meter(n, float(n % 33)),
    "old meter": lambda w, n: w.meter(n, 16.0, _some_id(w, n), at=w.now - timedelta(hours=2)),
    "wait": lambda w, n: w.wait(n % 200),
    "heartbeat": lambda w, _: w.say("Heartbeat", {}),
}


def _some_id(world: World, number: int) -> int:
    known = [int(s.transaction) for s in (*world.running, *world.state.ended.values())]
    return known[number % len(known)] if known and number % 4 else 1 + number


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(sorted(DEEDS)), st.integers(0, 100_000)), max_size=40))
def test_whatever_a_station_says_in_whatever_order_the_records_stay_sound(deeds: list[tuple[str, int]]) -> None:
    """[B29, C01, C02, C05, P3] No exception; one session at an EVSE; no record twice; energy never negative."""
    world = World()
    for name, number in deeds:
        DEEDS[name](world, number)
        known = world.transactions.open_on(EvseId("S1/1"))
        attached = world.attached()
        assert attached == (known.session if known is not None else None)
        assert attached is None or attached in world.state.sessions
        assert len(world.state.sessions) <= 1
        assert not set(world.state.sessions) & set(world.state.ended)
        every = [*world.state.sessions.values(), *world.state.ended.values()]
        assert all(s.energy_kwh >= 0.0 for s in every)
        for mine in every:
            stored = world.fold.known.get(mine.id) or world.fold.ended[mine.id]
            assert stored.energy_kwh == pytest.approx(mine.energy_kwh)
            assert (stored.ended_at, stored.end_reason) == (mine.ended_at, mine.end_reason)
