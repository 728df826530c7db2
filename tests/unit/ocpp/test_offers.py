"""A charger's own cap and its coarse steps, from what it offers and what cars draw: quirks G-18 and G-33."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.samples import Measured
from loadmgr.ocpp.charger import Charger
from loadmgr.ocpp.offers import STEPS_SEEN
from loadmgr.ocpp.quirks import Knowledge
from loadmgr.sitefile.models import StationTraits

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
STATION, EVSE, OTHER = StationId("s"), EvseId("s/1"), EvseId("s/2")


class Bench:
    """A charger that takes orders and reports what it offers or what a car draws."""

    def __init__(self, operator: StationTraits | None = None, evses: tuple[EvseId, ...] = (EVSE,)) -> None:
        self.charger = Charger(station=STATION, knowledge=Knowledge(operator=operator or StationTraits()))
        self.now, self.no, self.evses = NOW, 0, evses

    def begins(self, tag: str = "", evse: EvseId = EVSE) -> None:
        self.no += 1
        self.charger.began(evse, f"session-{self.no}", tag)

    def order(self, current_a: float, evse: EvseId = EVSE, power_kw: float | None = None) -> None:
        setpoint = Setpoint(
            no=1, evse=evse, current_a=current_a, n_phases=3, made_at=self.now, valid_until=self.now, power_kw=power_kw
        )
        self.charger.accepted(setpoint, self.now)

    def sees(self, offered_a: float | None, drawn_a: float = 0.0, *, after_s: float = 70.0, evse: EvseId = EVSE) -> None:
        self.now += timedelta(seconds=after_s)
        measured = Measured(offered_a=offered_a, current_a=(drawn_a,) * 3)  # type: ignore[arg-type]
        sample = ev.MeterSample(
            at=self.now, meter=MeterId(evse), measured_at=self.now, measured=measured, session=SessionId("x")
        )
        self.charger.saw_sample(evse, sample, self.evses)

    def session(self, offered_a: float | None, drawn_a: float = 0.0, tag: str = "", evse: EvseId = EVSE) -> None:
        """A session with four orders far above what comes of them."""
        self.begins(tag, evse)
        for order_a in (22.0, 25.0, 28.0, 32.0):
            self.order(order_a, evse)
            self.sees(offered_a, drawn_a, evse=evse)

    @property
    def cap_a(self) -> float | None:
        return self.charger.traits.effective_max_a


def test_whole_amperes_only_are_a_step_of_one() -> None:
    """[G-18]"""
    bench = Bench()
    bench.begins()
    for i in range(STEPS_SEEN):
        assert bench.charger.traits.current_step_a == 0.1
        bench.order(10.5 + i)
        bench.sees(10.0 + i)
        bench.sees(10.0 + i)  # the same again proves nothing more
    assert bench.charger.traits.current_step_a == 1.0
    (told,) = bench.charger.news(NOW)
    assert told.traits.current_step_a == 1.0
    assert told.evidence == ("current_step_a = 1: it offered whole amperes only at 5 different setpoints between them",)
    assert told.learned == ("current_step_a",)


@pytest.mark.parametrize("offers", [(10.5,), (10.0, 10.0, 10.0, 10.0, 14.5)])
def test_one_value_between_whole_amperes_shows_a_fine_charger(offers: tuple[float, ...]) -> None:
    """[G-18]"""
    bench = Bench()
    bench.begins()
    for i, offered_a in enumerate((*offers, *(11.0 + i for i in range(9)))):
        bench.order(max(10.5 + i, offered_a + 0.5) if i >= len(offers) else 10.5 + i)
        bench.sees(offered_a)
    assert bench.charger.traits.current_step_a == 0.1


def test_orders_of_whole_amperes_prove_nothing_about_steps() -> None:
    """[G-18]"""
    bench = Bench()
    bench.begins()
    for i in range(20):
        bench.order(8.0 + i)
        bench.sees(8.0 + i)
    assert bench.charger.traits.current_step_a == 0.1


def test_a_cap_that_two_sessions_show_is_learned() -> None:
    """[G-33]"""
    bench = Bench()
    bench.session(16.0)
    assert bench.cap_a is None, "one session may have a thin cable"
    bench.session(16.1)
    assert bench.cap_a == pytest.approx(16.1)
    assert "2 sessions" in bench.charger.knowledge.evidence[0]


def test_what_moves_or_is_just_told_or_is_a_pause_is_no_cap() -> None:
    """[G-33, A-80]"""
    bench = Bench()
    for _ in range(3):
        bench.begins()
        for order_a, offered_a in ((20.0, 10.0), (24.0, 12.0), (28.0, 14.0), (32.0, 16.0)):
            bench.order(order_a)
            bench.sees(offered_a)
        bench.order(16.0)
        for _ in range(5):
            bench.sees(10.0, after_s=1.0)  # not yet settled
        bench.session(0.0)
        bench.session(31.5)
    assert bench.cap_a is None


def test_other_caps_in_other_sessions_are_not_the_chargers() -> None:
    """[G-33]"""
    bench = Bench()
    for offered_a in (16.0, 13.0, 16.0, 13.0):
        bench.session(offered_a)
    assert bench.cap_a is None


def test_where_nothing_is_offered_three_different_cars_must_draw_the_same() -> None:
    """[G-33] The same car three times has a cap of its own."""
    bench = Bench()
    for tag in ("a", "a", "b", "", ""):
        bench.session(None, 15.8, tag)
    assert bench.cap_a is None
    bench.session(None, 15.9, "c")
    assert bench.cap_a == pytest.approx(15.9)
    assert "3 cars" in bench.charger.knowledge.evidence[0]
    (told,) = bench.charger.news(NOW)
    assert told.learned == (), "what rests on cars is not kept over a restart"


def test_a_car_that_was_never_seen_may_draw_more_than_others_did() -> None:
    """[G-33]"""
    bench = Bench()
    for tag in ("a", "b", "c"):
        bench.session(None, 15.9, tag)
    bench.begins("new")
    assert bench.cap_a is None
    bench.order(32.0)
    bench.sees(None, 31.0)
    bench.begins("a")
    bench.order(15.0)
    bench.sees(None, 15.0)
    assert bench.cap_a is None, "the new car has shown that there is no cap"


def test_a_new_car_that_draws_no_more_confirms_the_cap() -> None:
    """[G-33]"""
    bench = Bench()
    for tag in ("a", "b", "c", "new"):
        bench.session(None, 15.9, tag)
    assert bench.cap_a == pytest.approx(15.9)


def test_a_station_of_two_has_a_cap_when_both_evses_show_one() -> None:
    """[G-33] The trait is the station's."""
    bench = Bench(evses=(EVSE, OTHER))
    bench.session(16.0)
    bench.session(16.0)
    assert bench.cap_a is None
    bench.session(20.0, evse=OTHER)
    bench.session(20.0, evse=OTHER)
    assert bench.cap_a == pytest.approx(20.0), "the higher of the two"


def test_delivery_orders_say_nothing_about_offers() -> None:
    """(2.1, V2G)"""
    bench = Bench()
    for _ in range(3):
        bench.begins()
        for power_kw in (-5.0, -6.0, -7.0, -8.0):
            bench.order(20.0, power_kw=power_kw)
            bench.sees(10.0)
    assert bench.cap_a is None


def test_the_site_file_has_the_last_word_on_what_is_learned() -> None:
    bench = Bench(StationTraits(effective_max_a=20.0))
    bench.session(16.0)
    bench.session(16.0)
    assert bench.cap_a == 20.0
    (told,) = bench.charger.news(NOW)
    assert told.learned == ()


# -- over a restart ----------------------------------------------------------------------------------------------------


def _learned() -> ev.TraitsKnown:
    bench = Bench()
    bench.charger.booted(ev.StationBooted(at=NOW, station=STATION, vendor="v", model="m", firmware="1"))
    bench.session(16.0)
    bench.session(16.0)
    (told,) = bench.charger.news(NOW)
    return told


def test_what_was_learned_is_known_after_a_restart_and_not_told_again() -> None:
    told = _learned()
    after = Charger(station=STATION)
    after.remember(told)
    assert after.traits == told.traits
    assert after.knowledge.evidence == told.evidence
    assert after.news(NOW) == ()
    after.booted(ev.StationBooted(at=NOW, station=STATION, vendor="v", model="m", firmware="1"))
    assert after.traits.effective_max_a == 16.0


def test_another_firmware_after_a_restart_is_judged_anew() -> None:
    """[A-41]"""
    after = Charger(station=STATION)
    after.remember(_learned())
    after.booted(ev.StationBooted(at=NOW, station=STATION, vendor="v", model="m", firmware="2"))
    assert after.traits.effective_max_a is None
    assert len(after.news(NOW)) == 1


def test_the_site_file_overrules_what_is_remembered_and_says_so() -> None:
    after = Charger(station=STATION, knowledge=Knowledge(operator=StationTraits(effective_max_a=25.0)))
    after.remember(_learned())
    assert after.traits.effective_max_a == 25.0
    (told,) = after.news(NOW)
    assert told.evidence[0].startswith("effective_max_a = 25: site file (although ")
    assert told.learned == ()
