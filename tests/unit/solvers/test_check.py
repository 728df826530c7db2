"""The independent check: a good plan passes, and every way to break it is named, alone."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers import ChargingProblem, Phasors, Solution, Status
from solvers.check import faults, scaled_into, soft_excess
from solvers.solution import no_values
from tests.support.parts import a_battery, a_car
from tests.support.problems import a_problem

NAN = float("nan")


def _site() -> ChargingProblem:
    """A plain car, a car that may discharge, a battery, a row, a magnitude, import and export limits."""
    return a_problem(
        power_max_kw=[[7, 7], [7, 7]],
        need_kwh=[6, 0],
        room_kwh=np.array([8.0, 8.0]),
        row_limit=[[8, 8]],
        row_lower=np.array([[-3.0, -3.0]]),
        import_limit_kw=np.array([9.2, 9.2]),
        export_limit_kw=np.array([3.2, 3.2]),
        tracked=a_car(1, 12.0, [1, 7], reserve_kwh=np.array([10.0])),
        batteries=a_battery(
            n_rows=1,
            charge_max_kw=np.array([1.5]),
            discharge_max_kw=np.array([1.5]),
            stored_kwh=np.array([5.0]),
            floor_kwh=np.array([3.0]),
            capacity_kwh=np.array([7.0]),
        ),
        phasors=Phasors(names=("line",), coef=[[2.0, 0.0]], base_a=[[0, 0]], limit_a=[[9, 9]]),
    )


def _plan(problem: ChargingProblem, **changed: Any) -> Solution:
    """A plan that holds everything, with some powers changed; stored energy follows them."""
    powers = {"power_kw": [[3, 3], [2, 0]], "discharge_kw": [[0, 0], [0, 2]], "battery_kw": [[1, -1]]} | changed
    arrays = {name: np.array(value, dtype=float) for name, value in powers.items()}
    stored = 12.0 + np.cumsum(arrays["power_kw"][1] - arrays["discharge_kw"][1])
    quiet = no_values(problem, Status.OPTIMAL, engine="by hand", reason="")
    return replace(quiet, has_values=True, stored_kwh=stored[None, :], **arrays)


def test_a_plan_that_holds_everything_has_no_fault() -> None:
    assert faults(_site(), _plan(_site())) == ()


@pytest.mark.parametrize(
    ("changed", "fault"),
    [
        ({"power_kw": [[NAN, 3], [2, 0]]}, "power holds values that are not finite"),
        ({"discharge_kw": [[0, 0], [0, NAN]]}, "power holds values that are not finite"),
        ({"battery_kw": [[NAN, 0]]}, "power holds values that are not finite"),
        ({"power_kw": [[-0.5, 3], [2, 0]]}, "power is negative: -0.5"),
        ({"power_kw": [[3, 0], [2, 2]], "discharge_kw": [[0, 0], [0, -0.5]]}, "power is negative: -0.5"),
        ({"power_kw": [[0, 3], [7.5, 0]]}, "power exceeds its maximum by 0.5 kW"),
        (
            {"power_kw": [[3, 3], [0, 0]], "discharge_kw": [[0, 0], [1.5, 0]]},
            "discharge exceeds its maximum by 0.5 kW",
        ),
        (
            {"power_kw": [[3, 0], [2, 0]], "discharge_kw": [[0, 0.5], [0, 2]], "battery_kw": [[1, 0]]},
            "discharge exceeds its maximum by 0.5 kW",
        ),
        (
            {"power_kw": [[3, 3], [2, 1]], "discharge_kw": [[0, 0], [0, 3]]},
            "a session charges and discharges in one step",
        ),
        ({"power_kw": [[3, 3], [6, 0]], "battery_kw": [[-1, 1]]}, "row row0 carries 9 of 8 in step 0"),
        (
            {"power_kw": [[3, 0], [2, 0]], "discharge_kw": [[0, 0], [0, 4]], "battery_kw": [[1, 1]]},
            "row row0 flows back -4, least -3 in step 1",
        ),
        ({"power_kw": [[3, 4.75], [2, 0]]}, "line carries 9.5 of 9 A in step 1"),
        ({"power_kw": [[4.2, 4.2], [2, 0]]}, "a session gets more energy than it has room for"),
        (
            {"discharge_kw": [[0, 0], [0, 5]], "battery_kw": [[-1, 1]]},
            "a car is discharged 1 kWh below its reserve",
        ),
        (
            {"power_kw": [[0, 3], [7, 2]], "discharge_kw": [[0, 0], [0, 0]]},
            "a car is charged 1 kWh beyond its room",
        ),
        ({"battery_kw": [[1.5, 1.4]]}, "a battery leaves its range"),
        ({"battery_kw": [[-1.5, -1.4]]}, "a battery leaves its range"),
        ({"battery_kw": [[2, 0]]}, "a battery exceeds its power"),
        ({"battery_kw": [[0, -2]]}, "a battery exceeds its power"),
        ({"power_kw": [[3, 3], [5, 0]], "battery_kw": [[1.5, -1]]}, "the import limit is exceeded"),
        ({"power_kw": [[3, 0], [2, 0]], "discharge_kw": [[0, 0], [0, 3]]}, "the export limit is exceeded"),
    ],
)
def test_what_is_broken_is_named_and_nothing_else(changed: dict[str, Any], fault: str) -> None:
    assert faults(_site(), _plan(_site(), **changed)) == (fault,)


def test_several_faults_are_all_named() -> None:
    found = faults(_site(), _plan(_site(), power_kw=[[8, 8], [2, 0]]))
    assert [text.split(" ")[0] for text in found] == ["power", "row", "line", "a", "the"]


def test_a_soft_row_may_be_exceeded_and_its_excess_is_said() -> None:
    problem = replace(_site(), row_soft_price=np.array([0.5]))
    plan = _plan(problem, power_kw=[[3, 3], [6, 0]], battery_kw=[[-1, 1]])
    assert faults(problem, plan) == ()
    assert soft_excess(problem, plan).tolist() == [[1.0, 0.0]]
    assert soft_excess(_site(), plan).tolist() == [[0.0, 0.0]]


def test_a_batterys_current_counts_in_its_row() -> None:
    problem = _site()
    assert problem.batteries is not None
    in_row = replace(problem, batteries=replace(problem.batteries, row_coef=np.array([[4.0]])))
    assert faults(in_row, _plan(in_row)) == ("row row0 carries 9 of 8 in step 0",)


def test_a_base_current_above_its_limit_is_no_fault_until_a_car_adds_to_it() -> None:
    problem = _site()
    assert problem.phasors is not None
    loaded = replace(problem, phasors=replace(problem.phasors, base_a=[[12, 0]]))
    assert faults(loaded, _plan(loaded, power_kw=[[0, 3], [2, 0]])) == ()
    assert faults(loaded, _plan(loaded)) == ("line carries 18 of 12 A in step 0",)


def test_last_digits_above_a_hard_row_are_scaled_away_and_the_other_steps_stay() -> None:
    problem = a_problem(power_max_kw=[[5, 5], [5, 5]], need_kwh=[10, 10], row_limit=[[6, 6]])
    plan = replace(
        no_values(problem, Status.OPTIMAL, engine="by hand", reason=""), power_kw=np.array([[3.0000006, 2], [3.0000006, 2]])
    )
    held = scaled_into(problem, plan)
    assert held[:, 0].sum() <= 6.0
    assert held[:, 0] == pytest.approx([3.0, 3.0])
    assert held[:, 1].tolist() == [2.0, 2.0]
    assert scaled_into(replace(problem, row_soft_price=np.array([1.0])), plan) is plan.power_kw


def test_the_worst_step_is_named() -> None:
    problem = _site()
    assert problem.phasors is not None
    uneven = replace(problem, phasors=replace(problem.phasors, limit_a=[[5, 2]]), row_limit=np.array([[4.5, 1.0]]))
    assert faults(uneven, _plan(uneven, power_kw=[[3, 2.9], [2, 0]])) == (
        *("row row0 carries 5 of 4.5 in step 0", "line carries 5.8 of 2 A in step 1"),
    )


def test_load_that_is_not_ours_above_a_limit_is_no_fault_until_a_car_adds_to_it() -> None:
    still = {"power_kw": [[0, 0], [0, 0]], "discharge_kw": [[0, 0], [0, 0]], "battery_kw": [[0, 0]]}
    loaded = replace(_site(), base_kw=np.array([30.0, -30.0]), pv_kw=np.array([10.0, 0.0]))
    assert faults(loaded, _plan(loaded, **still)) == ()
    charging, selling = [[0.5, 0], [0, 0]], [[0, 0], [0, 0.5]]
    assert faults(loaded, _plan(loaded, **(still | {"power_kw": charging}))) == ("the import limit is exceeded",)
    assert faults(loaded, _plan(loaded, **(still | {"discharge_kw": selling}))) == ("the export limit is exceeded",)


@pytest.mark.parametrize(("highest_kw", "found"), [(15.1, ()), (14.9, ("a car charges faster than its battery takes it",))])
def test_power_above_a_taper_cut_in_the_middle_of_the_step_is_named(highest_kw: float, found: tuple[str, ...]) -> None:
    """2 kW from 12 kWh: 13 kWh in the middle of the step, where 15 − 13 = 2 kW are left."""
    problem = _site()
    assert problem.tracked is not None
    cuts = {"taper_kw": [[np.inf, highest_kw]], "taper_per_kwh": [[0.0, 1.0]]}
    tapered = replace(problem, tracked=replace(problem.tracked, **cuts))
    assert faults(tapered, _plan(tapered)) == found


def test_a_car_fuller_than_its_taper_curve_may_stay_as_it_is() -> None:
    problem = _site()
    assert problem.tracked is not None
    full = replace(problem, tracked=replace(problem.tracked, taper_kw=[[5.0]], taper_per_kwh=[[1.0]]))
    assert faults(full, _plan(full, power_kw=[[3, 3], [0, 0]])) == ()
