"""The guard: what counts, what fits, what is a violation."""

from __future__ import annotations

from datetime import timedelta

import pytest

from loadmgr.control import dispatch, guard
from loadmgr.control.controller import Controller
from loadmgr.control.state import SiteState, allowed_a, rest_a
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, NodeId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Setpoint
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged, site_meter

GRID = NodeId("grid")


def _sent(state: SiteState) -> tuple[Setpoint, ...]:
    return dispatch.to_setpoints(state, NOON + timedelta(seconds=1))


def test_a_current_limit_bounds_every_phase_in_both_directions() -> None:
    site = a_site(fuse_a=63)
    for load in ((64.0, 0.0, 0.0), (0.0, -64.0, 0.0)):
        found = guard.violations(site, (), {GRID: (load, 0.0)}, NOON)
        assert [v.source for v in found] == ["fuse"]


def test_a_value_that_is_no_number_is_a_violation() -> None:
    found = guard.violations(a_site(), (), {GRID: ((float("nan"), 0.0, 0.0), 0.0)}, NOON)
    assert [v.phase for v in found] == ["L1"]


def test_flow_back_beyond_an_export_limit_is_a_violation() -> None:
    limit = Limit(id=LimitId("x"), node=GRID, source="dso", export_kw=5.0)
    back = {GRID: ((-10.0, -10.0, -10.0), -6.9)}
    (found,) = guard.violations(a_site(), (limit,), back, NOON)
    assert (found.value, found.limit, found.source) == (6.9, 5.0, "dso")
    assert guard.violations(a_site(), (limit,), {GRID: ((9.0, 9.0, 9.0), 6.0)}, NOON) == ()


def test_a_temporary_limit_counts_only_while_it_holds() -> None:
    limit = Limit(id=LimitId("x"), node=GRID, source="dso", power_kw=5, until_at=NOON + timedelta(minutes=1))
    loads = {GRID: ((10.0, 10.0, 10.0), 6.9)}
    assert len(guard.violations(a_site(), (limit,), loads, NOON)) == 1
    assert guard.violations(a_site(), (limit,), loads, NOON + timedelta(minutes=1)) == ()


def test_a_station_that_never_confirmed_counts_at_its_hardware_maximum() -> None:
    """[E-21, H-5]"""
    site = a_site(n=1)
    state = a_state(site)
    assert rest_a(state, EvseId("S1/1")) == 32.0
    confirmed = after(state, connected(site, failsafe_a=6.0))
    assert rest_a(confirmed, EvseId("S1/1")) == 6.0


def test_a_refused_failsafe_counts_at_the_hardware_maximum() -> None:
    """[B21]"""
    state = a_state(a_site(n=1), ev.FailsafeAnswered(at=NOON, station=StationId("S1"), failsafe_a=6.0, accepted=False))
    assert rest_a(state, EvseId("S1/1")) == 32.0


def test_without_a_plan_the_rule_shares_what_the_fuse_leaves() -> None:
    """[H-3]: 63 A less the margin of 3.15 A for three cars that want 32 A each."""
    site = a_site(fuse_a=63)
    state = a_state(site, *connected(site), *plugged(1), *plugged(2), *plugged(3))
    sent = _sent(state)
    assert sorted(s.current_a for s in sent) == pytest.approx([19.9, 19.9, 19.9])


def test_nobody_gets_between_zero_and_six_ampere_and_who_does_not_fit_waits() -> None:
    """[A-80, C07, D08]"""
    site = a_site(fuse_a=16)
    state = a_state(site, *connected(site), *plugged(1), *plugged(2), *plugged(3))
    values = sorted(s.current_a for s in _sent(state))
    assert all(v == 0.0 or v >= 6.0 for v in values)
    assert sum(values) <= 15.0
    assert sum(1 for v in values if v >= 6.0) == 2


def test_a_silent_charger_is_counted_and_not_commanded() -> None:
    """[P2]"""
    site = a_site(fuse_a=63, failsafe_a=6.0)
    state = a_state(
        site,
        *connected(site, failsafe_a=6.0),
        *plugged(1),
        *plugged(2),
        ev.StationDisconnected(at=NOON, station=StationId("S2")),
    )
    sent = _sent(state)
    assert [s.evse for s in sent] == ["S1/1"]
    # 63 - 3.15 margin - 6 for the silent one - 6 for the free one that could start
    assert sent[0].current_a <= 63 - 3.15 - 12.0 + 1e-6


def test_an_increase_waits_until_the_decrease_is_answered() -> None:
    """[F-42]"""
    site = a_site(fuse_a=40, n=2)
    controller = Controller(a_state(site).context, a_state(site, *connected(site), *plugged(1, hours=8)))
    first = controller.protect(NOON + timedelta(seconds=1))
    controller.observe(first.events)
    no = first.commands[0].no
    controller.observe([ev.SetpointAnswered(at=NOON, no=no, evse=EvseId("S1/1"), accepted=True)])
    assert allowed_a(controller.state, EvseId("S1/1"), NOON) == 32.0
    controller.observe(plugged(2))
    later = NOON + timedelta(seconds=100)
    second = controller.protect(later)
    by_evse = {c.setpoint.evse: c.setpoint.current_a for c in second.commands if hasattr(c, "setpoint")}
    assert by_evse["S1/1"] < 32.0
    # Nothing but 6 A may rise before the first car has come down: 38 - 32 = 6 A.
    assert by_evse.get("S2/1", 0.0) <= 6.0 + 1e-9


def test_a_car_that_draws_more_than_it_may_counts_in_full_and_is_cut_off_from_control() -> None:
    """[C10, G-112]"""
    site = a_site(fuse_a=63, n=2)
    state = a_state(site, *connected(site), *plugged(1))
    setpoint = Setpoint(
        no=1, evse=EvseId("S1/1"), current_a=10, n_phases=3, made_at=NOON, valid_until=NOON + timedelta(hours=1)
    )
    state = after(
        state,
        [
            ev.SetpointSent(at=NOON, setpoint=setpoint),
            ev.SetpointAnswered(at=NOON, no=1, evse=EvseId("S1/1"), accepted=True),
            *(drawn(1, NOON + timedelta(seconds=30 + 10 * i), (32.0, 32.0, 32.0)) for i in range(8)),
        ],
    )
    assert state.evses[EvseId("S1/1")].is_disobedient
    assert allowed_a(state, EvseId("S1/1"), NOON + timedelta(seconds=101)) == 32.0


def test_a_single_phase_car_counts_on_its_own_phase_only_once_it_is_known() -> None:
    """[F-20, C09]"""
    site = a_site(fuse_a=32, n=3, phases=1, rotations=("Rxx", "Sxx", "Txx"))
    state = a_state(site, *connected(site), *plugged(1), *plugged(2), *plugged(3))
    assert [s.current_a for s in _sent(state)] == pytest.approx([30.4, 30.4, 30.4])
    unknown = a_site(fuse_a=32, n=3, phases=1, rotations=("unknown",))
    state = a_state(unknown, *connected(unknown), *plugged(1), *plugged(2), *plugged(3))
    assert sum(s.current_a for s in _sent(state)) <= 30.4 + 1e-6


def test_a_silent_site_meter_freezes_increases_then_counts_the_worst() -> None:
    """[D01, H-2]"""
    site = a_site(fuse_a=63, n=1, meter="m", base_max_a=40)
    start = [*connected(site), site_meter(NOON, (10.0, 10.0, 10.0)), *plugged(1)]
    fresh = a_state(site, *start)
    assert dispatch.to_setpoints(fresh, NOON + timedelta(seconds=5))[0].current_a == 32.0
    assert dispatch.to_setpoints(fresh, NOON + timedelta(seconds=20)) == ()
    lost = dispatch.to_setpoints(after(fresh, [site_meter(NOON, (10.0, 10.0, 10.0))]), NOON + timedelta(seconds=90))
    assert all(s.current_a <= 63 - 3.15 - 40 for s in lost)


def test_base_load_above_the_limit_leaves_nothing_and_raises_an_alarm() -> None:
    site = a_site(fuse_a=63, n=1, meter="m", base_max_a=63)
    state = a_state(site, *connected(site), site_meter(NOON, (70.0, 1.0, 1.0)), *plugged(1))
    controller = Controller(state.context, state)
    decision = controller.protect(NOON + timedelta(seconds=1))
    assert decision.commands == ()
    keys = [e.key for e in decision.events if isinstance(e, ev.AlarmRaised)]
    assert "over:grid/L1" in keys
    assert "base-over:grid/L1" in keys


def test_cars_take_turns_when_their_minima_do_not_fit() -> None:
    """[A-83]: three cars, room for one at 6 A: after its turn the longest waiting one follows."""
    site = a_site(fuse_a=8, n=3)
    controller = Controller(
        a_state(site).context,
        a_state(site, *connected(site), *plugged(1, hours=30), *plugged(2, hours=30), *plugged(3, hours=30)),
    )
    served = []
    for second in range(0, 4200, 5):
        now = NOON + timedelta(seconds=second)
        decision = controller.protect(now)
        controller.observe(decision.events)
        for command in decision.commands:
            assert hasattr(command, "setpoint")
            setpoint = command.setpoint
            controller.observe([ev.SetpointAnswered(at=now, no=command.no, evse=setpoint.evse, accepted=True)])
            if setpoint.current_a > 0 and (not served or served[-1] != setpoint.evse):
                served.append(setpoint.evse)
        on = [e.id for e in controller.state.evses.values() if e.last_order and e.last_order.setpoint.current_a > 0]
        assert len(on) <= 1
    assert set(served) == {"S1/1", "S2/1", "S3/1"}


def test_a_disobedient_car_is_not_forgiven_because_its_order_ran_out() -> None:
    """Found in a simulated morning: at its worst case of 32 A it seemed to obey, and its share was given away."""
    site = a_site(fuse_a=63, n=2)
    setpoint = Setpoint(
        no=1, evse=EvseId("S1/1"), current_a=10, n_phases=3, made_at=NOON, valid_until=NOON + timedelta(minutes=3)
    )
    state = a_state(
        site,
        *connected(site),
        *plugged(1),
        ev.SetpointSent(at=NOON, setpoint=setpoint),
        ev.SetpointAnswered(at=NOON, no=1, evse=EvseId("S1/1"), accepted=True),
        *(drawn(1, NOON + timedelta(seconds=30 * i), (32.0, 32.0, 32.0)) for i in range(1, 40)),
    )
    assert state.evses[EvseId("S1/1")].is_disobedient
    assert allowed_a(state, EvseId("S1/1"), NOON + timedelta(minutes=20)) == 32.0
    tame = after(state, [drawn(1, NOON + timedelta(minutes=21 + i), (0.0, 0.0, 0.0)) for i in range(3)])
    assert not tame.evses[EvseId("S1/1")].is_disobedient
