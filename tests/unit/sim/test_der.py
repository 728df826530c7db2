"""The DER controller of a 2.1 station (rules B-1 to B-6)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from loadmgr.sim.der import MODES, DerController

NOON = datetime(2026, 6, 10, 12, tzinfo=UTC)


def at(minutes: float) -> datetime:
    return NOON + timedelta(minutes=minutes)


def cut(
    name: str, frac: float, begin_min: float | None, minutes: float = 60, priority: int = 5, **more: Any
) -> dict[str, Any]:
    body: dict[str, Any] = {"priority": priority, "pctMaxDischargePower": frac * 100}
    if begin_min is not None:
        body |= {"startTime": at(begin_min).isoformat(), "duration": minutes * 60}
    said = {"isDefault": begin_min is None, "controlId": name, "controlType": "LimitMaxDischarge"}
    return {**said, "limitMaxDischarge": body, **more}


def test_a_scheduled_control_starts_ends_and_is_deleted() -> None:
    """[B-3]"""
    der = DerController()
    assert der.set(cut("a", 0.5, 10), NOON) == ("Accepted", ())
    assert (der.discharge_frac(), der.next_change(NOON)) == (1.0, at(10))
    assert [(c.control_id, c.started) for c in der.tick(at(10))] == [("a", True)]
    assert der.discharge_frac() == 0.5
    assert [(c.control_id, c.started) for c in der.tick(at(70))] == [("a", False)]
    assert (der.discharge_frac(), der.controls) == (1.0, {})


def test_a_default_holds_outside_of_scheduled_ones() -> None:
    der = DerController()
    der.set(cut("d", 0.8, None), NOON)
    der.set(cut("a", 0.2, 10), NOON)
    assert der.discharge_frac() == 0.8
    der.tick(at(10))
    assert der.discharge_frac() == 0.2
    der.tick(at(70))
    assert der.discharge_frac() == 0.8


def test_a_better_one_supersedes_a_waiting_one_at_once_even_before_its_own_start() -> None:
    """[B-2]"""
    der = DerController()
    der.set(cut("old", 0.5, 10), NOON)
    assert der.set(cut("new", 0.1, 30, priority=1), NOON) == ("Accepted", ("old",))
    assert der.tick(at(10)) == []
    assert der.discharge_frac() == 1.0
    assert [(c.control_id, c.superseded) for c in der.tick(at(30))] == [("new", ())]
    assert "old" in der.controls
    der.tick(at(70))
    assert "old" not in der.controls


def test_a_running_one_goes_on_until_the_better_one_starts() -> None:
    """[B-2]"""
    der = DerController()
    der.set(cut("old", 0.5, 0), NOON)
    der.tick(NOON)
    assert der.set(cut("new", 0.1, 30, priority=1), at(5)) == ("Accepted", ())
    assert der.discharge_frac() == 0.5
    assert [(c.control_id, c.superseded) for c in der.tick(at(30))] == [("new", ("old",))]
    assert der.discharge_frac() == 0.1


def test_a_new_one_that_loses_is_stored_superseded() -> None:
    """[B-2]"""
    der = DerController()
    der.set(cut("old", 0.5, 10, priority=1), NOON)
    assert der.set(cut("new", 0.1, 20), NOON) == ("Accepted", ())
    assert [c["isSuperseded"] for c in DerController.report(der.chosen({}))["limitMaxDischarge"]] == [False, True]


def test_controls_that_never_meet_do_not_supersede() -> None:
    der = DerController()
    der.set(cut("today", 0.5, 10), NOON)
    assert der.set(cut("tomorrow", 0.1, 24 * 60, priority=0), NOON) == ("Accepted", ())


@pytest.mark.parametrize(
    ("said", "status"),
    [
        (cut("x", 0.5, 10, isDefault=True), "Rejected"),
        (cut("x", 0.5, 10, gradient={"priority": 1, "gradient": 1, "softGradient": 1}), "Rejected"),
        (cut("x", 0.5, 10, controlType="WattPF"), "NotSupported"),
        (cut("x", 0.5, 10, controlType="Gradients"), "Rejected"),
    ],
    ids=["a default with times", "two objects", "a mode it has not", "the wrong object"],
)
def test_what_is_refused(said: dict[str, Any], status: str) -> None:
    """[B-1]"""
    assert DerController().set(said, NOON) == (status, ())


def test_filters_of_get_and_clear() -> None:
    """[B-6]"""
    der = DerController()
    der.set(cut("d", 0.8, None), NOON)
    der.set(cut("a", 0.5, 10), NOON)
    assert len(der.chosen({})) == 2
    assert [c.id for c in der.chosen({"isDefault": True})] == ["d"]
    assert der.clear({"isDefault": False, "controlId": "nothing"}) == "NotFound"
    assert der.clear({"isDefault": False}) == "Accepted"
    assert set(der.controls) == {"d"}


def test_every_mode_it_names_has_an_object() -> None:
    assert {"LimitMaxDischarge", "VoltWatt", "FreqDroop"} <= set(MODES)
