"""The rhythm in which a silent meter is asked."""

from __future__ import annotations

from collections.abc import Callable

from loadmgr.ocpp.nudge import WAIT_MAX_S, Nudge


def asked(own_at: Callable[[int], bool], until_s: int, *, answers: bool) -> list[int]:
    """Seconds at which a meter is asked that speaks by itself at some seconds, and when asked if it ``answers``."""
    nudge, found = Nudge(40.0, 40.0), []
    for now in range(until_s):
        if own_at(now):
            nudge.sampled(float(now))
        if nudge.is_due(float(now)):
            found.append(now)
            if answers:
                nudge.sampled(now + 1.0)
    return found


def test_a_meter_that_speaks_in_time_is_never_asked() -> None:
    assert asked(lambda s: s % 30 == 0, 3600, answers=True) == []


def test_a_meter_with_a_slower_pace_is_asked_until_its_pace_is_known() -> None:
    """[G-24]: no steady stream of triggers beside its own samples."""
    found = asked(lambda s: s % 60 == 0, 3600, answers=True)
    assert len(found) <= 2


def test_a_meter_that_speaks_only_when_asked_is_asked_again_and_again() -> None:
    """[C-10, G-95]"""
    found = asked(lambda s: False, 3600, answers=True)
    assert len(found) == 3600 // 41


def test_a_meter_that_does_not_speak_at_all_is_asked_less_and_less_often() -> None:
    """[G-24]"""
    found = asked(lambda s: False, 7200, answers=False)
    gaps = [b - a for a, b in zip(found, found[1:], strict=False)]
    assert gaps[:4] == [40, 80, 160, 320]
    assert max(gaps) == WAIT_MAX_S
