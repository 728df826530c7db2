"""Limits of sessions, milestones, reservations and the first limit of a remote start."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.control import milestones, remote, reservations
from loadmgr.control.bounds import left_kwh
from loadmgr.control.controller import Controller
from loadmgr.control.dispatch import to_setpoints
from loadmgr.control.need import need_of
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.session import SessionIntent
from loadmgr.ports import Remembered
from loadmgr.restart import restored
from solvers import SolveOptions, solve
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged, site_meter

S1, E1 = SessionId("s1"), EvseId("S1/1")
MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)


def charging(**intent: object) -> SiteState:
    """One car at S1 that has drawn 5 kWh at 16 A after an accepted order."""
    site = a_site(n=2)
    state = a_state(site, *connected(site), *plugged(1))
    if intent:
        wish = replace(state.sessions[S1].intent, **intent)  # type: ignore[arg-type]
        state = after(state, [ev.IntentSet(at=NOON, session=S1, intent=wish)])
    for setpoint in to_setpoints(state, NOON):
        state = after(
            state,
            [
                ev.SetpointSent(at=NOON, setpoint=setpoint),
                ev.SetpointAnswered(at=NOON, no=setpoint.no, evse=setpoint.evse, accepted=True),
            ],
        )
    assert state.evses[E1].last_order is not None
    return after(state, [drawn(1, NOON + MINUTE, (16.0, 16.0, 16.0), 5.0)])


def names(state: SiteState, after_s: float) -> list[str]:
    return [m.milestone for m in milestones.due(state, NOON + timedelta(seconds=after_s))]


# -- limits [D-26] -----------------------------------------------------------------------------------------------------


def test_what_the_station_enforces_bounds_the_need() -> None:
    """[D-26]"""
    state = charging()
    now = NOON + 2 * MINUTE
    assert need_of(state, state.sessions[S1], now).energy_kwh == pytest.approx(15.0)
    state = after(state, [ev.SessionBounded(at=now, session=S1, energy_kwh=8.0, time_s=3600.0, cable_a=20.0)])
    need = need_of(state, state.sessions[S1], now)
    assert need.energy_kwh == pytest.approx(3.0)
    assert need.depart_at <= NOON + HOUR
    assert need.power_max_kw == pytest.approx(20 * 0.69)


@pytest.mark.parametrize(
    ("bounded", "name"),
    [
        (ev.SessionBounded(at=NOON, session=S1, energy_kwh=5.0), "energy"),
        (ev.SessionBounded(at=NOON, session=S1, time_s=60.0), "time"),
        (ev.MilestoneReached(at=NOON, session=S1, milestone="cost-limit"), "held"),
    ],
)
def test_a_session_at_its_stations_limit_is_not_helped_by_a_higher_one(bounded: ev.Event, name: str) -> None:
    """[D-26]"""
    state = after(charging(), [bounded])
    need = need_of(state, state.sessions[S1], NOON + 2 * MINUTE)
    assert (need.bound_by, need.is_open) == (name, False)


def test_a_new_limit_of_the_station_frees_a_held_session() -> None:
    state = after(charging(), [ev.MilestoneReached(at=NOON, session=S1, milestone="energy-limit")])
    state = after(state, [ev.SessionBounded(at=NOON, session=S1, energy_kwh=30.0)])
    assert need_of(state, state.sessions[S1], NOON + 2 * MINUTE).is_open


@pytest.mark.parametrize(("soc_frac", "capacity_kwh", "expected"), [(0.7, 50.0, 5.0), (0.7, None, None), (0.8, None, 0.0)])
def test_a_limit_of_the_state_of_charge(soc_frac: float, capacity_kwh: float | None, expected: float | None) -> None:
    state = charging(limit_soc_frac=0.8, capacity_kwh=capacity_kwh)
    session = replace(state.sessions[S1], soc_frac=soc_frac, soc_at_kwh=5.0)
    left, _ = left_kwh(session, NOON)
    assert left == (pytest.approx(expected) if expected is not None else None)


def test_what_car_and_cable_can_bounds_the_power() -> None:
    """[A-124, F-4, F-10]"""
    state = charging()
    told = ev.NeedsStated(at=NOON, session=S1, power_max_kw=7.0, current_min_a=8.0)
    state = after(state, [told])
    need = need_of(state, state.sessions[S1], NOON + MINUTE)
    assert (need.power_max_kw, need.current_min_a) == (7.0, 8.0)
    state = after(state, [ev.SessionBounded(at=NOON, session=S1, cable_a=7.0)])
    assert need_of(state, state.sessions[S1], NOON + MINUTE).power_max_kw == 0.0, "the cable bears less than the car needs"


@pytest.mark.parametrize(
    ("limit", "milestone"),
    [
        ({"limit_kwh": 5.0}, "paused-energy"),
        ({"limit_until": NOON + MINUTE}, "paused-time"),
        ({"limit_cost": 2.0, "price_per_kwh": 0.40}, "paused-cost"),
    ],
)
def test_at_a_limit_of_ours_the_session_is_paused_and_that_is_told(limit: dict[str, object], milestone: str) -> None:
    state = charging(**limit)
    now = NOON + 2 * MINUTE
    state = after(state, [drawn(1, now, (16.0, 16.0, 16.0), 5.0)])
    assert {s.evse: s.current_a for s in to_setpoints(state, now)} == {E1: 0.0}
    (reached,) = milestones.due(state, now)
    assert reached.milestone == milestone
    state = after(state, [reached])
    assert milestones.due(state, now + MINUTE) == ()


def test_a_limit_that_is_raised_can_be_reached_again() -> None:
    state = charging(limit_kwh=5.0)
    state = after(state, milestones.due(state, NOON + MINUTE))
    assert state.sessions[S1].milestones == ("paused-energy",)
    more = replace(state.sessions[S1].intent, limit_kwh=6.0)
    state = after(state, [ev.IntentSet(at=NOON, session=S1, intent=more)])
    assert names(state, 61) == []
    assert need_of(state, state.sessions[S1], NOON + MINUTE).is_open
    state = after(state, [drawn(1, NOON + 2 * MINUTE, (16.0, 16.0, 16.0), 6.0)])
    assert names(state, 121) == ["paused-energy"]


# -- milestones --------------------------------------------------------------------------------------------------------


def test_a_car_that_takes_nothing_for_a_minute_has_ended_its_charging() -> None:
    """[C-26]"""
    state = after(charging(), [drawn(1, NOON + 2 * MINUTE, (0.0, 0.0, 0.0), 5.0)])
    assert names(state, 179) == []
    (ended,) = milestones.due(state, NOON + 3 * MINUTE)
    assert (ended.milestone, ended.value) == ("charging-ended", 5.0)
    state = after(state, [ended])
    assert names(state, 600) == []
    state = after(state, [drawn(1, NOON + 11 * MINUTE, (10.0, 10.0, 10.0), 5.0)])
    (resumed,) = milestones.due(state, NOON + 11 * MINUTE)
    assert resumed.milestone == "charging-resumed"
    assert after(state, [resumed]).sessions[S1].milestones == ()


def test_a_car_that_we_pause_has_not_ended() -> None:
    """[C-26]"""
    state = charging(limit_kwh=5.0)
    now = NOON + 2 * MINUTE
    for setpoint in to_setpoints(state, now):
        state = after(state, [ev.SetpointSent(at=now, setpoint=setpoint)])
        state = after(state, [ev.SetpointAnswered(at=now, no=setpoint.no, evse=E1, accepted=True)])
    state = after(state, [drawn(1, now + MINUTE, (0.0, 0.0, 0.0), 5.0)])
    assert "charging-ended" not in names(state, 3600)


def test_percents_energy_and_departure_are_told() -> None:
    state = charging(notify_soc=(50, 80, 90), energy_kwh=20.0, depart_at=NOON + HOUR)
    session = replace(state.sessions[S1], soc_frac=0.81)
    state = replace(state, sessions={S1: session})
    assert names(state, 61) == ["soc-50", "soc-80"]
    assert names(state, 3601) == ["soc-50", "soc-80", "departure-missed"]
    state = replace(state, sessions={S1: replace(session, energy_kwh=20.0)})
    assert names(state, 3601) == ["soc-50", "soc-80", "energy-reached"]


def test_what_was_said_and_reported_comes_back_after_a_restart() -> None:
    """[F01]"""
    state = after(
        charging(limit_kwh=30.0, notify_soc=(80,), capacity_kwh=50.0),
        [
            ev.SessionBounded(at=NOON, session=S1, energy_kwh=25.0, time_s=7200.0, soc_frac=0.9, cable_a=20.0),
            ev.NeedsStated(at=NOON, session=S1, transfer="AC_BPT", power_max_kw=9.0, current_min_a=7.0, soc_frac=0.4),
            ev.ModeChanged(at=NOON, session=S1, mode="ChargingOnly"),
            ev.PriorityChanged(at=NOON, session=S1, is_active=True),
            ev.MilestoneReached(at=NOON, session=S1, milestone="soc-40"),
        ],
    )
    before = state.sessions[S1]
    again = a_state(state.site, *restored(Remembered(sessions=(before,)), NOON + HOUR))
    assert replace(again.sessions[S1], register_before_kwh=None, idle_since=None) == before


# -- reservations [D-10] -----------------------------------------------------------------------------------------------


def booked(from_s: float = 3600.0, **more: object) -> ev.EvseReserved:
    given = {"energy_kwh": 20.0, "depart_at": NOON + 4 * HOUR, "evse": EvseId("S2/1"), "id_tag": "Tag", **more}
    from_at = NOON + timedelta(seconds=from_s)
    return ev.EvseReserved(
        at=NOON,
        reservation=7,
        from_at=from_at,
        until_at=from_at + HOUR,
        **given,  # type: ignore[arg-type]
    )


def test_the_plan_keeps_capacity_for_a_booked_car_from_when_it_comes() -> None:
    """[D-10]"""
    site = a_site(n=2, fuse_a=11.0)
    events = [*connected(site), *plugged(1, energy_kwh=20.0, hours=4)]
    powers = {}
    for name, extra in (("alone", []), ("booked", [booked(energy_kwh=5.0)])):
        core = Controller(a_state(site).context, a_state(site, *events, *extra))
        request = core.prepare(NOON)
        assert request is not None
        solution = solve(request.problem, options=SolveOptions())
        plan = core.commit(request, solution)
        powers[name] = {str(s): power for s, power in zip(plan.sessions, plan.power_kw, strict=True)}
        hours = [length_s / 3600 for length_s in plan.step_s]
        begins = [(plan.begin_of(i) - NOON).total_seconds() for i in range(len(hours))]
        if name == "booked":
            mine = powers[name]["booked-7"]
            assert all(kw <= 1e-6 for kw, begin in zip(mine, begins, strict=True) if begin < 3600 - 900)
            assert sum(kw * h for kw, h in zip(mine, hours, strict=True)) == pytest.approx(5.0, abs=0.1)
    assert core.state.sessions.keys() == {S1}, "the state itself knows no booked car"
    assert "booked-7" not in powers["alone"]


def test_without_a_booking_the_problem_is_the_same_object() -> None:
    site = a_site(n=2)
    state = a_state(site, *connected(site), *plugged(1))
    assert reservations.with_bookings(state, NOON) is state


@pytest.mark.parametrize("why", ["occupied", "over", "offline"])
def test_a_booking_that_cannot_be_planned_is_left_out(why: str) -> None:
    site = a_site(n=2)
    state = a_state(site, *connected(site), booked())
    now = NOON
    if why == "occupied":
        state = after(state, plugged(2))
    elif why == "over":
        now = NOON + 3 * HOUR
    else:
        state = after(state, [ev.StationDisconnected(at=NOON, station=site.evses[EvseId("S2/1")].station)])
    assert reservations.with_bookings(state, now) is state


def test_the_booked_car_uses_its_booking_and_gets_what_was_booked() -> None:
    """[D-10]"""
    site = a_site(n=2)
    began = ev.SessionStarted(at=NOON + HOUR, session=SessionId("s2"), evse=EvseId("S2/1"), transaction="2", id_tag="TAG")
    state = a_state(site, *connected(site), booked(), began)
    used, intent = reservations.settled(state, NOON + HOUR)
    assert isinstance(used, ev.ReservationEnded)
    assert used.reason == "used"
    assert isinstance(intent, ev.IntentSet)
    assert (intent.intent.energy_kwh, intent.intent.source) == (20.0, "reservation")
    state = after(state, [used, intent])
    assert list(reservations.settled(state, NOON + 5 * HOUR)) == []


def test_a_stranger_at_a_booked_evse_is_an_alarm_and_the_booking_runs_out() -> None:
    """[D-10]"""
    site = a_site(n=2)
    state = a_state(site, *connected(site), booked(), *plugged(2))
    assert list(reservations.causes(state, NOON)) == []
    (alarm,) = reservations.causes(state, NOON + HOUR)
    assert "S2/1 is booked by 'Tag' but session s2" in alarm.message
    assert list(reservations.settled(state, NOON + HOUR)) == []
    (ended,) = reservations.settled(state, NOON + 2 * HOUR)
    assert isinstance(ended, ev.ReservationEnded)
    assert ended.reason == "expired"


# -- remote start [D-7] ------------------------------------------------------------------------------------------------


def test_a_remote_start_begins_with_what_is_free_for_certain() -> None:
    """[D-7, D-43]"""
    site = a_site(n=2, fuse_a=32.0, meter="m", base_max_a=20.0)
    state = a_state(site, *connected(site), site_meter(NOON, (10.0, 5.0, 5.0)))
    assert remote.first_a(state, EvseId("S2/1"), NOON) == pytest.approx(20.4)  # 32 − 1.6 margin − 10
    stale = NOON + timedelta(seconds=20)
    assert remote.first_a(state, EvseId("S2/1"), stale) == 0.0, "a silent meter leaves no room [H-2]"


def test_too_little_room_is_none() -> None:
    """[A-80]"""
    site = a_site(n=2, fuse_a=32.0, meter="m", base_max_a=20.0)
    state = a_state(site, *connected(site), site_meter(NOON, (25.0, 5.0, 5.0)))
    assert remote.first_a(state, EvseId("S2/1"), NOON) == 0.0


def test_the_failsafe_is_always_given_for_it_counts_anyway() -> None:
    site = a_site(n=2, fuse_a=63.0, meter="m", base_max_a=50.0, failsafe_a=6.0)
    state = a_state(site, *connected(site, failsafe_a=6.0), site_meter(NOON, (50.0, 50.0, 50.0)))
    assert remote.first_a(state, EvseId("S2/1"), NOON) == 6.0
    assert remote.setpoint(state, EvseId("S2/1"), 6.0, NOON) is None


def test_what_a_start_was_given_is_not_given_again() -> None:
    """[P1, H-1]"""
    site = a_site(n=2, fuse_a=32.0)
    state = a_state(site, *connected(site), *plugged(1))
    first_a = remote.first_a(state, EvseId("S2/1"), NOON)
    order = remote.setpoint(state, EvseId("S2/1"), first_a, NOON)
    assert order is not None
    state = after(state, [ev.SetpointSent(at=NOON, setpoint=order)])
    state = after(state, [ev.EvseStatusChanged(at=NOON, evse=EvseId("S2/1"), status=ev.EvseStatus.PREPARING)])
    given = {s.evse: s.current_a for s in to_setpoints(state, NOON)}
    assert given.get(E1, 0.0) + first_a <= 32.0


def test_the_live_profile_follows_the_transaction_at_once() -> None:
    """[D-7] The profile inside the start has no transaction; the same slot is sent again with it."""
    site = a_site(n=2)
    state = a_state(site, *connected(site))
    order = remote.setpoint(state, E1, 16.0, NOON)
    assert order is not None
    state = after(
        state,
        [
            ev.SetpointSent(at=NOON, setpoint=order),
            ev.SetpointAnswered(at=NOON, no=order.no, evse=E1, accepted=True),
            *plugged(1, NOON + timedelta(seconds=5)),
        ],
    )
    (sent,) = to_setpoints(state, NOON + timedelta(seconds=5))
    assert (sent.evse, sent.transaction) == (E1, "1")


def test_an_intent_without_limits_bounds_nothing() -> None:
    assert SessionIntent().most_kwh is None
    assert SessionIntent(limit_cost=3.0).most_kwh is None
    assert SessionIntent(limit_cost=3.0, price_per_kwh=0.3, limit_kwh=12.0).most_kwh == pytest.approx(10.0)
