"""Which phases an EVSE loads: learned by the site meter and by labels, against the configured rotation."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.control import phase_map
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.site import ROTATIONS
from loadmgr.domain.traits import Traits
from tests.support.builders import NOON, a_site, a_state, after, connected, drawn, plugged, site_meter

E1 = EvseId("S1/1")
THREE = [r for r, lines in ROTATIONS.items() if len(lines) == 3]


def on(phases: tuple[int, ...], current_a: float) -> PerPhase:
    a, b, c = (current_a if p in phases else 0.0 for p in range(3))
    return a, b, c


def sample(
    at: datetime, current_a: PerPhase, *, has_phases: bool, number: int = 1, power_kw: float | None = None
) -> ev.MeterSample:
    event = drawn(number, at, current_a)
    return replace(event, measured=replace(event.measured, has_phases=has_phases, power_kw=power_kw))


def steps(
    state: SiteState,
    truth: tuple[int, ...],
    said: tuple[int, ...],
    *,
    n: int = 4,
    has_phases: bool = False,
    other_moves: bool = False,
    base_moves_a: float = 0.0,
) -> SiteState:
    """A car on ``truth`` goes up and down ``n`` times; its EVSE says ``said``; the site meter reads every 2 s."""
    at = NOON
    for number in range(n):
        for level_a in (0.0, 16.0):
            at += timedelta(seconds=10)
            power_kw = level_a * 0.23 * len(truth)
            events: list[ev.Event] = [sample(at, on(said, level_a), has_phases=has_phases, power_kw=power_kw)]
            if other_moves:
                events.append(sample(at, on((1,), level_a), has_phases=has_phases, number=2))
            state = after(state, events)
            for later in (2, 4, 6):
                total = on(truth, level_a)
                base = 10.0 + base_moves_a * (number + level_a)
                other = on((1,), level_a if other_moves else 0.0)
                current = tuple(base + x + y for x, y in zip(total, other, strict=True))
                state = after(state, [site_meter(at + timedelta(seconds=later), current)])  # type: ignore[arg-type]
    return state


def a_car(rotation: str, **traits: object) -> SiteState:
    site = a_site(n=2, rotations=(rotation,), meter="m")
    events: list[ev.Event] = [*connected(site), *plugged(1), *plugged(2)]
    if traits:
        events.append(ev.TraitsKnown(at=NOON, station=site.evses[E1].station, traits=Traits(**traits)))  # type: ignore[arg-type]
    return a_state(site, *events)


@pytest.mark.parametrize("configured", THREE)
@pytest.mark.parametrize("true", THREE)
def test_steps_show_the_phase_of_a_one_phase_car(configured: str, true: str) -> None:
    """[F-20, F-21]"""
    truth = ROTATIONS[true][:1]
    state = steps(a_car(configured), truth, ROTATIONS[configured][:1])
    evse = state.site.evses[E1]
    assert phase_map.found_phases(state.phases, evse, 1) == truth
    configured_phases = ROTATIONS[configured][:1]
    alarms = list(phase_map.causes(state, NOON))
    if configured_phases == truth:
        assert alarms == []
        assert phase_map.worst_phases(state, evse, 1) == configured_phases
        return
    (alarm,) = alarms
    assert alarm.key == "rotation:S1/1"
    assert f'rotation = "{true}"' in alarm.remedy
    assert phase_map.worst_phases(state, evse, 1) == tuple(sorted({*configured_phases, *truth}))


def test_two_phases_are_learned_as_well() -> None:
    """[F-21]"""
    state = steps(a_car("RST"), (1, 2), (0, 1))
    assert phase_map.found_phases(state.phases, state.site.evses[E1], 2) == (1, 2)
    assert phase_map.worst_phases(state, state.site.evses[E1], 2) == (0, 1, 2)
    assert phase_map.worst_phases(state, state.site.evses[E1], 1) == (0,), "nothing is known of one phase"


def test_a_three_phase_car_tells_nothing_of_the_rotation() -> None:
    state = steps(a_car("RST"), (0, 1, 2), (0, 1, 2))
    assert phase_map.found_phases(state.phases, state.site.evses[E1], 1) is None
    assert list(phase_map.causes(state, NOON)) == []


@pytest.mark.parametrize("how", [{"other_moves": True}, {"base_moves_a": 1.0}])
def test_a_step_that_is_not_alone_tells_nothing(how: dict[str, object]) -> None:
    """[F-21]"""
    state = steps(a_car("RST"), (2,), (0,), **how)  # type: ignore[arg-type]
    assert phase_map.found_phases(state.phases, state.site.evses[E1], 1) is None


def test_two_steps_are_not_enough() -> None:
    state = steps(a_car("RST"), (2,), (0,), n=1)
    assert phase_map.worst_phases(state, state.site.evses[E1], 1) == (0,)


def test_labels_that_contradict_the_rotation_are_told_and_both_count() -> None:
    """[F-22, G-98]"""
    state = a_car("STR")
    for number in range(4):
        at = NOON + timedelta(seconds=10 * (number + 1))
        state = after(state, [sample(at, (16.0 + number, 0.0, 0.0), has_phases=True)])
    (alarm,) = phase_map.causes(state, NOON)
    assert alarm.key == "labels:S1/1"
    assert "labels_terminals = true" in alarm.remedy
    assert phase_map.worst_phases(state, state.site.evses[E1], 1) == (0, 1)


def test_the_meter_settles_what_labels_mean() -> None:
    """[F-21, F-22]"""
    state = steps(a_car("STR"), (1,), (0,), has_phases=True)
    (alarm,) = phase_map.causes(state, NOON)
    assert alarm.severity is ev.Severity.INFO
    assert "its labels name its terminals" in alarm.message
    assert phase_map.worst_phases(state, state.site.evses[E1], 1) == (1,)


def test_labels_of_terminals_are_no_evidence() -> None:
    """[F-22]"""
    state = a_car("STR", labels_terminals=True)
    for number in range(4):
        at = NOON + timedelta(seconds=10 * (number + 1))
        state = after(state, [sample(at, (16.0 + number, 0.0, 0.0), has_phases=True)])
    assert list(phase_map.causes(state, NOON)) == []


def test_an_unknown_rotation_is_found_and_every_phase_still_counts() -> None:
    """[F-20, F-21]"""
    state = steps(a_car("unknown"), (1,), (0, 1, 2))
    (alarm,) = phase_map.causes(state, NOON)
    assert alarm.severity is ev.Severity.INFO
    assert 'rotation = "SRT" or rotation = "STR"' in alarm.remedy
    assert phase_map.worst_phases(state, state.site.evses[E1], 1) == (0, 1, 2)


def test_rewiring_is_noticed() -> None:
    state = steps(a_car("RST"), (1,), (0,), n=30)
    assert phase_map.found_phases(state.phases, state.site.evses[E1], 1) == (1,)
    moved = replace(state, evses=state.evses)
    at = NOON + timedelta(hours=2)
    for number in range(400):
        at += timedelta(seconds=10)
        level_a = 16.0 if number % 2 else 0.0
        moved = after(moved, [sample(at, on((0,), level_a), has_phases=False)])
        moved = after(moved, [site_meter(at + timedelta(seconds=s), on((2,), level_a)) for s in (2, 4)])
    assert phase_map.found_phases(moved.phases, moved.site.evses[E1], 1) == (2,)


@settings(max_examples=40, deadline=None)
@given(st.sampled_from(THREE), st.lists(st.tuples(st.floats(-5, 5), st.floats(-5, 5), st.floats(-5, 5)), max_size=30))
def test_the_worst_case_always_includes_what_is_configured(rotation: str, noise: list[tuple[float, float, float]]) -> None:
    state = a_car(rotation)
    at = NOON
    for number, base in enumerate(noise):
        at += timedelta(seconds=5)
        level_a = 16.0 if number % 2 else 0.0
        state = after(state, [sample(at, on((number % 3,), level_a), has_phases=True), site_meter(at, base)])
    evse = state.site.evses[E1]
    for n_used in (1, 2, 3):
        assert set(evse.phases_of(n_used)) <= set(phase_map.worst_phases(state, evse, n_used))
