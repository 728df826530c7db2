"""Folding of events."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.control import baseload
from loadmgr.control.state import allowed_a
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.samples import Quality
from loadmgr.domain.session import Session, session_energy
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged, site_meter

EMPTY = Session(id=SessionId("s"), evse=EvseId("S1/1"), transaction="1", started_at=NOON)


@pytest.mark.parametrize(
    ("registers", "energy_kwh"),
    [
        ((1.0, 2.5, 4.0), 4.0),
        ((1.0, 2.0, 0.0, 2.2), 2.2),  # a glitch to zero adds nothing
        ((5.0, 0.0, 0.5, 1.0), 6.0),  # a reset register: a new segment
        ((1.0, 0.999), 1.0),  # rounding
    ],
)
def test_energy_only_grows_whatever_the_register_does(registers: tuple[float, ...], energy_kwh: float) -> None:
    """[C.5, D13, P3]"""
    session = EMPTY
    for register in registers:
        before = session.energy_kwh
        session = session_energy(session, register)
        assert session.energy_kwh >= before
    assert session.energy_kwh == pytest.approx(energy_kwh)


def test_energy_counts_from_the_first_register_when_the_start_did_not_say_it() -> None:
    session = session_energy(replace(EMPTY, is_register_known=False), 1234.5)
    assert session.energy_kwh == 0.0
    assert session_energy(session, 1235.0).energy_kwh == pytest.approx(0.5)


def test_a_late_sample_does_not_replace_a_newer_one() -> None:
    """[B24]"""
    site = a_site()
    state = a_state(site, *connected(site), *plugged(1), drawn(1, NOON + timedelta(seconds=20), (10.0, 10.0, 10.0)))
    late = drawn(1, NOON + timedelta(seconds=10), (30.0, 30.0, 30.0))
    assert after(state, [late]).evses[EvseId("S1/1")].draw_a() == (10.0, 10.0, 10.0)


def test_history_is_never_used_for_control() -> None:
    """[C-24, C05]"""
    site = a_site()
    state = a_state(site, *connected(site), *plugged(1))
    old = replace(drawn(1, NOON + timedelta(seconds=5), (30.0, 30.0, 30.0), 9.0), quality=Quality.HISTORY)
    assert after(state, [old]) == state


def test_events_about_strangers_change_nothing() -> None:
    site = a_site()
    state = a_state(site)
    strangers: list[ev.Event] = [
        ev.EvseStatusChanged(at=NOON, evse=EvseId("X/1"), status=ev.EvseStatus.CHARGING),
        ev.SessionStarted(at=NOON, session=SessionId("x"), evse=EvseId("X/1"), transaction="1"),
        ev.SessionEnded(at=NOON, session=SessionId("x")),
        ev.SetpointAnswered(at=NOON, no=9, evse=EvseId("X/1"), accepted=True),
    ]
    assert after(state, strangers) == state


def test_the_same_session_starts_once() -> None:
    """[B13, B14]"""
    site = a_site()
    once = a_state(site, *plugged(1))
    assert after(once, [plugged(1)[1]]).sessions == once.sessions


def test_an_ended_session_is_corrected_by_the_stations_own_word() -> None:
    site = a_site()
    state = a_state(site, *plugged(1), ev.SessionEnded(at=NOON, session=SessionId("s1"), meter_stop_kwh=1.0))
    corrected = after(state, [ev.SessionEnded(at=NOON, session=SessionId("s1"), meter_stop_kwh=1.5)])
    assert corrected.ended[SessionId("s1")].energy_kwh == pytest.approx(1.5)


BOUNDS = baseload.Bounds(low_a=(0.0, 0.0, 0.0), high_a=(10.0, 10.0, 10.0), low_kw=0.0, high_kw=6.9)


def test_base_load_rises_at_once_and_falls_slowly() -> None:
    """[C-31]"""
    zero = baseload.Bounds(low_a=(0.0,) * 3, high_a=(0.0,) * 3, low_kw=0.0, high_kw=0.0)  # type: ignore[arg-type]
    first = baseload.first_estimate(NOON, (10.0, 10.0, 10.0), 6.9, zero)
    up = baseload.next_estimate(first, NOON + timedelta(seconds=5), ((30.0, 10.0, 10.0), 11.5), zero)
    assert up.current_a[0] == 30.0
    down = baseload.next_estimate(up, NOON + timedelta(seconds=10), ((10.0, 10.0, 10.0), 6.9), zero)
    assert 10.0 < down.current_a[0] < 30.0
    assert down.peak_a[0] == 30.0


def test_base_load_is_kept_while_cars_move_within_their_bounds() -> None:
    first = baseload.first_estimate(NOON, (20.0, 20.0, 20.0), 13.8, BOUNDS)
    assert first.current_a == (20.0, 20.0, 20.0)
    moved = baseload.next_estimate(first, NOON + timedelta(seconds=5), ((28.0, 20.0, 20.0), 15.6), BOUNDS)
    assert moved.current_a[0] == 20.0


def test_the_base_load_is_the_meter_less_the_cars() -> None:
    site = a_site(n=1, meter="m", base_max_a=40)
    minute = timedelta(minutes=1)
    state = a_state(site, *connected(site), *plugged(1), drawn(1, NOON + minute, (16.0, 16.0, 16.0)))
    state = after(state, [site_meter(NOON + minute, (26.0, 21.0, 20.0))])
    assert state.base[site.root].current_a == (10.0, 5.0, 4.0)


def test_an_order_whose_time_is_over_may_have_ended_or_not() -> None:
    """[G-9, H-5]: its charger's clock may be early or late, so the higher of order and rest counts until both are past."""
    setpoint = Setpoint(
        no=1,
        evse=EvseId("S1/1"),
        current_a=0.0,
        n_phases=3,
        made_at=NOON,
        valid_until=NOON + timedelta(seconds=180),
    )
    site = a_site(n=1, failsafe_a=6.0)
    sent = [
        ev.SetpointSent(at=NOON, setpoint=setpoint),
        ev.SetpointAnswered(at=NOON, no=1, evse=EvseId("S1/1"), accepted=True),
    ]
    state = a_state(site, *connected(site, failsafe_a=6.0), *plugged(1), *sent)

    def allowed(after_s: float) -> float:
        return allowed_a(state, EvseId("S1/1"), NOON + timedelta(seconds=after_s))

    assert [allowed(60.0), allowed(179.0), allowed(181.0), allowed(300.0)] == [0.0, 0.0, 6.0, 6.0]
    high = replace(setpoint, current_a=16.0)
    state = a_state(site, *connected(site, failsafe_a=6.0), *plugged(1), replace(sent[0], setpoint=high), sent[1])
    assert [allowed(179.0), allowed(181.0), allowed(300.0)] == [16.0, 16.0, 6.0]
