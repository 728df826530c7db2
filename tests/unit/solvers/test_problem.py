"""Problems and their parts refuse what cannot be, and name every array."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from solvers import ChargingProblem, Phasors, PolicyWeights, ShapeError
from tests.support.parts import a_battery, a_car, a_demand_charge
from tests.support.problems import a_problem


def _two(**given: Any) -> ChargingProblem:
    """Two cars, two steps, one row."""
    return a_problem(**({"power_max_kw": [[1, 1], [1, 1]], "need_kwh": [1, 1], "row_limit": [[5, 5]]} | given))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"base_kw": [0.0, np.nan]}, "base_kw holds NaN"),
        ({"power_max_kw": [[1, np.inf], [1, 1]]}, "power_max_kw holds an infinite value"),
        ({"efficiency": [1.0, 0.0]}, "efficiency must be > 0, lowest is 0.0"),
        ({"step_h": [1.0, -0.5]}, "step_h must be > 0, lowest is -0.5"),
        ({"pv_kw": [-2.0, 0.0]}, "pv_kw must be >= 0, lowest is -2.0"),
        ({"row_limit": [[5, -1]]}, "row_limit must be >= 0, lowest is -1.0"),
        ({"promised_kwh": [0.0, -1.0]}, "promised_kwh must be >= 0, lowest is -1.0"),
        ({"row_lower": [[-1, 0.5]]}, "row_lower must be <= 0, highest is 0.5"),
        ({"room_kwh": [1.0, 0.25]}, "room_kwh[1] = 0.25 is below need_kwh = 1.0"),
        ({"session_keys": ("same", "same")}, "session_keys are not unique"),
        ({"need_kwh": [1, -3]}, "need_kwh must be >= 0 for a session that is not tracked, lowest is -3.0"),
        ({"present_kw": [0.0]}, "present_kw has shape (1,), expected (S) = (2,)"),
        ({"row_coef": [[1.0]]}, "row_coef has shape (1, 1), expected (R, S) = (1, 2)"),
    ],
)
def test_a_value_that_cannot_be_is_named(given: dict[str, Any], message: str) -> None:
    arrays = {name: value if name == "session_keys" else np.array(value, dtype=float) for name, value in given.items()}
    with pytest.raises(ShapeError) as caught:
        _two(**arrays)
    assert caught.value.problems == (message,)


def test_a_horizon_without_steps_is_refused() -> None:
    with pytest.raises(ShapeError, match="step_h is empty, expected at least one step"):
        a_problem(power_max_kw=np.zeros((1, 0)), need_kwh=[0])


def test_what_may_be_infinite_or_negative_is_taken() -> None:
    problem = _two(
        room_kwh=np.array([np.inf, 1.0]),
        base_kw=np.array([-3.0, 1.0]),
        import_price_per_kwh=np.array([-0.1, 0.1]),
        row_lower=np.array([[-np.inf, 0.0]]),
        row_coef=np.array([[-1.0, 1.0]]),
    )
    assert problem.surplus_kw.tolist() == [3.0, 0.0]


def test_only_a_tracked_session_may_leave_with_less_than_it_holds() -> None:
    assert _two(need_kwh=[1, -3], tracked=a_car(1, 5.0, [1, 1])).need_kwh[1] == -3.0
    with pytest.raises(ShapeError, match="not tracked, lowest is -3"):
        _two(need_kwh=[-3, 1], tracked=a_car(1, 5.0, [1, 1]))


def test_arrays_are_copies_that_nobody_can_change() -> None:
    base = np.zeros(2)
    problem = _two(base_kw=base)
    base[0] = 7.0
    assert problem.base_kw[0] == 0.0
    with pytest.raises(ValueError, match="read-only"):
        problem.base_kw[0] = 1.0


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"tracked": a_car(-1, 5.0, [1, 1])}, "tracked.session names -1..-1, sessions are 0..1"),
        ({"tracked": a_car(2, 5.0, [1, 1])}, "tracked.session names 2..2, sessions are 0..1"),
        ({"tracked": a_car(0, 5.0, [1])}, "tracked.discharge_max_kw steps: 1, expected 2"),
        ({"batteries": a_battery(n_rows=3)}, "batteries.row_coef rows: 3, expected 1"),
        ({"demand": a_demand_charge(5)}, "demand.holds steps: 5, expected 2"),
        (
            {"phasors": Phasors(names=("l",), coef=[[1, 1]], base_a=[[0]], limit_a=[[9]])},
            "phasors.limit_a steps: 1, expected 2",
        ),
        (
            {"phasors": Phasors(names=("l",), coef=[[1]], base_a=[[0, 0]], limit_a=[[9, 9]])},
            "phasors.coef sessions: 1, expected 2",
        ),
    ],
)
def test_a_part_that_does_not_fit_the_problem_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(ShapeError) as caught:
        _two(**given)
    assert caught.value.problems == (message,)


def test_a_part_names_shapes_and_nan_together() -> None:
    with pytest.raises(ShapeError) as caught:
        a_battery(stored_kwh=np.array([1.0, 2.0]), floor_kwh=np.array([np.nan]), efficiency=np.array([-1.0]))
    assert caught.value.problems == (
        "Batteries.stored_kwh has shape (2,), expected (B) = (1,)",
        "Batteries.floor_kwh holds NaN",
        "Batteries.efficiency must be > 0, lowest is -1.0",
    )


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"coef": [1.0, 1.0]}, "Phasors.coef has shape (2,), expected (Q, S) with Q = 1"),
        ({"coef": [[1.0], [1.0]]}, "Phasors.coef has shape (2, 1), expected (Q, S) with Q = 1"),
        ({"base_a": [[0.0]]}, "Phasors.base_a has shape (1, 1), expected (Q, T) = (1, 2)"),
        ({"sides": 3}, "Phasors.sides is 3, expected at least 4"),
    ],
)
def test_a_magnitude_that_cannot_be_is_named(given: dict[str, Any], message: str) -> None:
    good: dict[str, Any] = {"names": ("line",), "coef": [[1.0, 1.0]], "base_a": [[0.0, 0.0]], "limit_a": [[9.0, 9.0]]}
    assert Phasors(**good, **({} if "sides" in given else {"sides": 4})).shrink == pytest.approx(
        np.cos(np.pi / 32) if "sides" in given else np.sqrt(0.5)
    )
    with pytest.raises(ShapeError) as caught:
        Phasors(**(good | given))
    assert caught.value.problems == (message,)


def test_a_shortfall_needs_a_segment() -> None:
    with pytest.raises(ShapeError, match="n_shortfall_segments is 0"):
        PolicyWeights(n_shortfall_segments=0)


def test_a_part_without_axes_is_named_and_not_a_crash() -> None:
    with pytest.raises(ShapeError, match=r"Phasors\.limit_a has shape"):
        Phasors(names=("line",), coef=[[1.0]], base_a=[[0.0]], limit_a=5.0)
    with pytest.raises(ShapeError, match=r"Batteries\.row_coef has shape"):
        a_battery(row_coef=np.array(1.0))


def test_everything_that_is_wrong_is_named_at_once() -> None:
    with pytest.raises(ShapeError) as caught:
        _two(present_kw=np.zeros(1), pv_kw=np.array([0.0, -1.0]), session_keys=("same", "same"))
    assert caught.value.problems == (
        "present_kw has shape (1,), expected (S) = (2,)",
        "pv_kw must be >= 0, lowest is -1.0",
        "session_keys are not unique",
    )


def test_the_session_that_lacks_most_room_is_named() -> None:
    with pytest.raises(ShapeError, match=r"room_kwh\[1\] = 1.0 is below need_kwh = 5.0"):
        _two(need_kwh=[1, 5], room_kwh=np.array([0.8, 1.0]))
