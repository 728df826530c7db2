"""Forms of a setpoint, in the order in which they are tried [A-40, A.6]."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from loadmgr.control import ladder
from loadmgr.control.controller import Controller
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Expiry, Kind, Purpose, Traits
from tests.support.builders import NOON, a_site, a_state, after, connected, plugged

EVSE = EvseId("S1/1")


def test_stack_levels_change_first_then_the_unit_then_the_purpose() -> None:
    found = ladder.forms(Traits(), 2)
    assert [(f.purpose, f.unit, f.stack) for f in found] == [
        (Purpose.TX, "A", 1),
        (Purpose.TX, "A", 0),
        (Purpose.TX, "W", 1),
        (Purpose.TX, "W", 0),
        (Purpose.DEFAULT, "A", 1),
        (Purpose.DEFAULT, "A", 0),
        (Purpose.DEFAULT, "W", 1),
        (Purpose.DEFAULT, "W", 0),
    ]


def test_forms_for_the_whole_station_exist_only_where_it_has_one_evse_and_stay_above_the_failsafe() -> None:
    """[A-1, G-1]"""
    alone = [f for f in ladder.forms(Traits(), 1) if f.purpose in {Purpose.STATION_DEFAULT, Purpose.MAX}]
    assert alone
    assert all(f.stack >= 1 for f in alone)
    assert not [f for f in ladder.forms(Traits(), 3) if f.purpose in {Purpose.STATION_DEFAULT, Purpose.MAX}]


def test_a_maximum_is_never_relative() -> None:
    """[A-10, G-6]"""
    found = ladder.forms(Traits(kind=Kind.RELATIVE), 1)
    assert {f.kind for f in found if f.purpose is Purpose.MAX} == {Kind.ABSOLUTE}


@pytest.mark.parametrize(
    ("detail", "what"),
    [
        ("Rejected UnsupportedRateUnit", "unit"),
        ("Rejected InvalidStackLevel", "stack"),
        ("Rejected TxNotFound", "purpose"),
        ("Rejected UnsupportedPurpose", "purpose"),
    ],
)
def test_a_reason_code_leads_to_the_form_that_differs_there(detail: str, what: str) -> None:
    """(table of domain rule A.6)"""
    found = ladder.forms(Traits(), 1)
    next_form = ladder.form_at(found, ladder.next_no(found, 0, detail))
    assert getattr(next_form, what) != getattr(found[0], what)


def test_every_form_is_tried_before_the_first_comes_again() -> None:
    found = ladder.forms(Traits(), 1)
    no, seen = 0, []
    for _ in found:
        seen.append(ladder.form_at(found, no))
        no = ladder.next_no(found, no, "Rejected")
    assert set(seen) == set(found)


def _sent(controller: Controller, second: float) -> list[Setpoint]:
    decision = controller.protect(NOON + timedelta(seconds=second))
    controller.observe(decision.events)
    return [e.setpoint for e in decision.events if isinstance(e, ev.SetpointSent)]


def _refuse(controller: Controller, setpoint: Setpoint, second: float, detail: str = "Rejected") -> None:
    at = NOON + timedelta(seconds=second)
    controller.observe([ev.SetpointAnswered(at=at, no=setpoint.no, evse=setpoint.evse, accepted=False, detail=detail)])


def test_a_refused_setpoint_is_dressed_in_the_next_form_at_once_and_backs_off_after_a_whole_round() -> None:
    """[A-40, A-50, B21]"""
    site = a_site(n=1)
    state = a_state(site, *connected(site), *plugged(1))
    controller = Controller(state.context, state)
    n_forms = len(ladder.forms(Traits(), 1))
    forms = []
    for second in range(n_forms):
        (setpoint,) = _sent(controller, second)
        forms.append(setpoint.form)
        _refuse(controller, setpoint, second + 0.5)
    assert len(set(forms)) == n_forms
    assert _sent(controller, n_forms + 1) == []
    assert controller.state.evses[EVSE].orders == ()
    assert any(key.startswith("refuses:") for key in _alarms(controller, n_forms + 2))
    (again,) = _sent(controller, n_forms + 11)
    assert again.form == forms[0]


def _alarms(controller: Controller, second: float) -> set[str]:
    controller.observe(controller.protect(NOON + timedelta(seconds=second)).events)
    return set(controller.state.alarms)


def test_the_form_that_was_accepted_stays() -> None:
    site = a_site(n=1)
    state = a_state(site, *connected(site), *plugged(1))
    controller = Controller(state.context, state)
    (first,) = _sent(controller, 0)
    _refuse(controller, first, 0.5, "Rejected UnsupportedRateUnit")
    (second,) = _sent(controller, 1)
    assert second.form.unit == "W"
    at = NOON + timedelta(seconds=2)
    controller.observe([ev.SetpointAnswered(at=at, no=second.no, evse=EVSE, accepted=True)])
    (renewed,) = _sent(controller, 95)
    assert renewed.form == second.form


def test_phases_are_left_out_once_the_charger_says_so() -> None:
    """[G-26] NoPhaseForDC, PhaseConflict"""
    site = a_site(n=1)
    state = a_state(site, *connected(site), *plugged(1))
    controller = Controller(state.context, state)
    (first,) = _sent(controller, 0)
    assert first.form.has_phases
    _refuse(controller, first, 0.5, "Rejected NoPhaseForDC")
    (second,) = _sent(controller, 1)
    assert not second.form.has_phases


def test_a_charger_that_goes_to_full_power_on_expiry_gets_a_profile_that_does_not_end() -> None:
    """[A-131]"""
    site = a_site(n=1)
    told = ev.TraitsKnown(at=NOON, station=StationId("S1"), traits=replace(Traits(), expiry=Expiry.UNLIMITED))
    state = after(a_state(site, *connected(site), *plugged(1)), [told])
    (setpoint,) = _sent(Controller(state.context, state), 0)
    assert setpoint.valid_until - setpoint.made_at > timedelta(days=1)


def test_a_life_from_the_traits_is_renewed_at_half_time() -> None:
    """[G-30, A-132]"""
    site = a_site(n=1)
    told = ev.TraitsKnown(at=NOON, station=StationId("S1"), traits=replace(Traits(), setpoint_s=900.0))
    state = after(a_state(site, *connected(site), *plugged(1)), [told])
    controller = Controller(state.context, state)
    (setpoint,) = _sent(controller, 0)
    assert (setpoint.valid_until - setpoint.made_at).total_seconds() == 900.0
    at = NOON + timedelta(seconds=1)
    controller.observe([ev.SetpointAnswered(at=at, no=setpoint.no, evse=EVSE, accepted=True)])
    assert _sent(controller, 200) == []
    assert len(_sent(controller, 451)) == 1
