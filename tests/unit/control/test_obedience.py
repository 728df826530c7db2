"""What is done about a charger that does not follow, and the figure of how well one obeys (H.1, G-112, G-125)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.control import evidence, obedience
from loadmgr.control.controller import Controller
from loadmgr.control.replay import replay
from loadmgr.control.state import allowed_a
from loadmgr.domain import events as ev
from loadmgr.domain.commands import StopSession
from loadmgr.domain.ids import EvseId, StationId
from tests.support.builders import NOON, a_site, a_state, connected, drawn, plugged

EVSE = EvseId("S1/1")


class Deaf:
    """One charger that accepts everything and lets its car draw 32 A."""

    def __init__(self, *, fuse_a: float = 20.0, n: int = 1) -> None:
        self.site = a_site(fuse_a=fuse_a, n=n)
        context = a_state(self.site).context
        self.log: list[ev.Event] = [*connected(self.site), *plugged(1)]
        self.controller = Controller(context)
        self.controller.observe(self.log)
        self.sent: list[tuple[float, ev.SetpointSent]] = []
        self.stops: list[float] = []

    def run(self, until_s: int, *, draws_a: float = 32.0) -> None:
        for second in range(until_s):
            now = NOON + timedelta(seconds=second)
            decision = self.controller.protect(now)
            self._take(*decision.events)
            self.stops += [second for c in decision.commands if isinstance(c, StopSession)]
            for event in decision.events:
                if isinstance(event, ev.SetpointSent):
                    self.sent.append((second, event))
                    no, evse = event.setpoint.no, event.setpoint.evse
                    self._take(ev.SetpointAnswered(at=now, no=no, evse=evse, accepted=True))
            if second % 5 == 4:
                self._take(drawn(1, now, (draws_a, draws_a, draws_a), second / 1000))

    def _take(self, *events: ev.Event) -> None:
        self.log += events
        self.controller.observe(events)


def test_the_ladder_goes_from_a_resend_over_other_forms_to_a_stop() -> None:
    """(H.1, G-112): 15 s the same again, then other forms, 120 s a stop; meanwhile it counts at its maximum."""
    deaf = Deaf()
    deaf.run(180)
    tried = [e for e in deaf.log if isinstance(e, ev.RemedyTried)]
    kinds = [e.remedy for e in tried]
    assert kinds[0] == "resend"
    assert "form" in kinds
    assert kinds[-1] == "stop"
    assert deaf.stops
    forms = {s.setpoint.form for _, s in deaf.sent}
    assert len(forms) >= 3
    assert allowed_a(deaf.controller.state, EVSE, NOON + timedelta(seconds=179)) == 32.0
    assert any(key == f"disobeys:{EVSE}" for key in deaf.controller.state.alarms)


def test_a_disobedient_charger_is_told_zero() -> None:
    """[G-112] > 60 s: 0 A"""
    deaf = Deaf()
    deaf.run(110)
    late = [s.setpoint.current_a for second, s in deaf.sent if second > 90]
    assert late
    assert set(late) == {0.0}


def test_the_decisions_can_be_replayed() -> None:
    deaf = Deaf()
    deaf.run(180)
    found = replay(deaf.controller.state.context, deaf.log)
    assert found.differences == ()
    assert found.n_setpoints == len(deaf.sent)


def test_obedience_is_a_figure_per_station_and_model() -> None:
    good, bad = Deaf(fuse_a=20.0), Deaf(fuse_a=20.0)
    good.run(180, draws_a=12.0)
    bad.run(180)
    (of_good,), (of_bad,) = obedience.by_station(good.controller.state), obedience.by_station(bad.controller.state)
    assert of_good.name == "S1"
    assert of_good.obeyed_frac == 1.0
    assert of_bad.obeyed_frac is not None
    assert of_bad.obeyed_frac < 0.5
    booted = ev.StationBooted(at=NOON, station=StationId("S1"), vendor="V", model="M", firmware="1.0")
    good.controller.observe([booted])
    (by_model,) = obedience.by_model(good.controller.state)
    assert (by_model.name, by_model.n_evses, by_model.obeyed_frac) == ("V M 1.0", 1, 1.0)


def test_an_offer_that_differs_from_the_order_for_a_minute_is_an_alarm() -> None:
    """[G-125]"""
    deaf = Deaf(fuse_a=12.0)
    deaf.run(20, draws_a=10.0)
    assert deaf.sent[-1][1].setpoint.current_a < 12.0
    for second in range(20, 120, 5):
        sample = drawn(1, NOON + timedelta(seconds=second), (10.0, 10.0, 10.0), second / 1000)
        deaf._take(replace(sample, measured=replace(sample.measured, offered_a=16.0)))
        deaf._take(*deaf.controller.protect(NOON + timedelta(seconds=second)).events)
    assert f"competes:{EVSE}" in deaf.controller.state.alarms


def test_frozen_readings_after_a_decrease_grow_old() -> None:
    """[G-99] ten equal readings with new times, the register included, are no readings."""
    site = a_site(n=1, fuse_a=63.0)
    state = a_state(site, *connected(site), *plugged(1))
    controller = Controller(state.context, state)
    now = NOON
    for amps in (30.0, 10.0):
        setpoint = _order(controller, amps, now)
        controller.observe([ev.SetpointAnswered(at=now, no=setpoint, evse=EVSE, accepted=True)])
        for step in range(14):
            now += timedelta(seconds=10)
            frozen = drawn(1, now, (8.0, 8.0, 8.0), 1.0)
            controller.observe([frozen])
            if amps == 30.0 and step == 2:
                break
    known = controller.state.evses[EVSE]
    assert known.sample is not None
    assert (now - known.sample.at).total_seconds() > controller.state.params.evse_stale_s


def _order(controller: Controller, amps: float, now: object) -> int:
    from loadmgr.domain.plan import Setpoint

    no = controller.state.last_no + 1
    setpoint = Setpoint(
        no=no,
        evse=EVSE,
        current_a=amps,
        n_phases=3,
        made_at=now,  # type: ignore[arg-type]
        valid_until=now + timedelta(seconds=600),  # type: ignore[operator]
        transaction="1",
    )
    controller.observe([ev.SetpointSent(at=now, setpoint=setpoint)])  # type: ignore[arg-type]
    return no


def test_a_car_that_takes_less_is_offered_more_from_time_to_time() -> None:
    """[G-111] a probe every three minutes shows whether its limit still stands."""
    site = a_site(n=1)
    state = a_state(site, *connected(site), *plugged(1))
    controller = Controller(state.context, state)
    no = _order(controller, 32.0, NOON)
    controller.observe([ev.SetpointAnswered(at=NOON, no=no, evse=EVSE, accepted=True)])
    for second in range(10, 90, 10):
        controller.observe([drawn(1, NOON + timedelta(seconds=second), (10.0, 10.0, 10.0), second / 1000)])
    known = controller.state.evses[EVSE]
    soon, later = NOON + timedelta(seconds=90), NOON + timedelta(seconds=300)
    assert evidence.cap_a(known, soon) == pytest.approx(10.0 + evidence.SLACK_A)
    assert evidence.cap_a(known, later) == pytest.approx(10.0 + evidence.PROBE_A)
