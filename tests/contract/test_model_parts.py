"""Known optima of every optional part, on every engine and solver (optimisation.md §1 and §4)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from solvers import ShapeError, Solution, SolveOptions, Status, solve
from solvers.check import faults
from tests.support.instances import an_instance
from tests.support.parts import a_battery, a_car, a_demand_charge
from tests.support.problems import a_problem

WAYS = (("highs", ""), ("pulp", "HiGHS"), ("pulp", "PULP_CBC_CMD"))


@pytest.fixture(params=WAYS, ids=["highs", "pulp-arrays", "pulp-expressions"])
def solved(request: pytest.FixtureRequest) -> Any:
    engine, solver = request.param

    def run(problem: Any) -> Solution:
        found = solve(problem, engine, SolveOptions(solver=solver))
        assert found.status is Status.OPTIMAL, found.reason
        assert faults(problem, found) == ()
        return found

    return run


def near(values: Any) -> Any:
    return pytest.approx(np.asarray(values, dtype=float), abs=1e-6)


def test_a_car_sells_in_the_dear_hour_and_refills_in_the_cheap_one(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10]],
        need_kwh=[0],
        room_kwh=np.array([20.0]),
        tracked=a_car(0, 20.0, [10, 10]),
        import_price_per_kwh=np.array([0.5, 0.1]),
        export_price_per_kwh=np.array([0.4, 0.05]),
    )
    solution = solved(problem)
    assert solution.discharge_kw == near([[10, 0]])
    assert solution.power_kw == near([[0, 10]])
    assert solution.stored_kwh == near([[10, 20]])
    assert solution.export_kw == near([10, 0])


def test_losses_and_wear_stop_a_trade_that_does_not_pay(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10]],
        need_kwh=[0],
        room_kwh=np.array([20.0]),
        efficiency=np.array([0.9]),
        tracked=a_car(0, 20.0, [10, 10], discharge_efficiency=np.array([0.9]), wear_price_per_kwh=np.array([0.05])),
        import_price_per_kwh=np.array([0.30, 0.25]),
        export_price_per_kwh=np.array([0.28, 0.2]),
    )
    assert solved(problem).discharge_kw == near([[0, 0]])


def test_the_drivers_reserve_is_never_sold(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10]],
        need_kwh=[-20],
        tracked=a_car(0, 20.0, [10, 10], reserve_kwh=np.array([15.0])),
        import_price_per_kwh=np.array([0.5, 0.5]),
        export_price_per_kwh=np.array([0.4, 0.4]),
    )
    solution = solved(problem)
    assert solution.discharge_kw.sum() == pytest.approx(5.0)
    assert solution.stored_kwh.min() >= 15.0 - 1e-6


def test_a_car_below_its_reserve_does_not_discharge_at_all(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10]],
        need_kwh=[-10],
        tracked=a_car(0, 10.0, [10, 10], reserve_kwh=np.array([15.0])),
        import_price_per_kwh=np.array([9.0, 9.0]),
        export_price_per_kwh=np.array([9.0, 9.0]),
    )
    assert solved(problem).discharge_kw == near([[0, 0]])


def test_no_sale_breaks_a_promise(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[5, 5]],
        need_kwh=[10],
        room_kwh=np.array([30.0]),
        tracked=a_car(0, 20.0, [5, 5]),
        import_price_per_kwh=np.array([0.1, 0.1]),
        export_price_per_kwh=np.array([5.0, 5.0]),
    )
    solution = solved(problem)
    assert solution.shortfall_kwh == near([0])
    assert solution.power_kw == near([[5, 5]])


def test_energy_is_not_burned_in_losses_for_a_negative_price(solved: Any) -> None:
    """The linear program alone would charge and discharge at once to be paid for the loss."""
    problem = a_problem(
        power_max_kw=[[10, 10]],
        need_kwh=[0],
        room_kwh=np.array([5.0]),
        efficiency=np.array([0.8]),
        tracked=a_car(0, 20.0, [10, 10], discharge_efficiency=np.array([0.8])),
        batteries=a_battery(efficiency=np.array([0.8]), discharge_efficiency=np.array([0.8]), stored_kwh=np.array([10.0])),
        import_price_per_kwh=np.array([-0.5, -0.5]),
        export_price_per_kwh=np.array([-0.5, -0.5]),
    )
    solution = solved(problem)
    assert np.minimum(solution.power_kw, solution.discharge_kw).max() < 1e-6
    assert solution.n_solves > 1
    kw = solution.battery_kw[0]
    gain = 0.8 * np.maximum(kw, 0) + np.minimum(kw, 0) / 0.8
    assert solution.battery_kwh[0] == near(10.0 + np.cumsum(gain))


def test_a_battery_buys_cheap_and_serves_the_house_when_it_is_dear(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[0, 0, 0]],
        need_kwh=[0],
        base_kw=np.array([2.0, 4.0, 2.0]),
        batteries=a_battery(),
        import_price_per_kwh=np.array([0.1, 0.4, 0.2]),
    )
    solution = solved(problem)
    assert solution.battery_kw == near([[5, -4, -1]])
    assert solution.import_kw == near([7, 0, 1])


def test_a_battery_keeps_what_is_worth_more_at_the_end(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[0, 0]],
        need_kwh=[0],
        base_kw=np.array([4.0, 4.0]),
        batteries=a_battery(stored_kwh=np.array([8.0]), end_value_per_kwh=np.array([0.3])),
        import_price_per_kwh=np.array([0.2, 0.4]),
    )
    assert solved(problem).battery_kwh[0, -1] == pytest.approx(6.0)  # fills up at 0.2, serves 4 at 0.4, keeps the rest


def test_a_demand_charge_flattens_the_peak_and_what_is_incurred_is_free(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10, 10, 10]],
        need_kwh=[20],
        base_kw=np.array([0.0, 4.0, 0.0, 0.0]),
        import_price_per_kwh=np.array([0.10, 0.11, 0.12, 0.13]),
        demand=a_demand_charge(4),
    )
    solution = solved(problem)
    assert solution.import_kw == near([6, 6, 6, 6])
    assert solution.peak_kw == near([6])
    free = solved(replace(problem, demand=a_demand_charge(4, incurred_kw=8.0)))
    assert free.import_kw == near([8, 8, 8, 0])
    assert free.peak_kw == near([0])


def test_what_was_promised_goes_before_any_priority(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[20], [20]],
        need_kwh=[12, 12],
        row_limit=[[12]],
        priority=np.array([1.0, 5.0]),
        promised_kwh=np.array([8.0, 0.0]),
    )
    low, high = solved(problem).shortfall_kwh
    assert low == pytest.approx(4.0, abs=1e-6)
    assert high == pytest.approx(8.0, abs=1e-6)


def test_a_three_phase_car_does_not_take_a_full_phase_from_a_promise(solved: Any) -> None:
    """An ampere gives it three times the energy."""
    single, three = 1000 / 230, 1000 / 690
    problem = a_problem(
        power_max_kw=[[7.36], [22.0]],
        need_kwh=[7, 22],
        row_coef=np.array([[single, three]]),
        row_limit=[[32]],
        promised_kwh=np.array([7.0, 0.0]),
    )
    assert solved(problem).shortfall_kwh[0] == pytest.approx(0.0, abs=1e-6)


def test_a_carbon_price_moves_charging_to_the_clean_hour(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[10, 10]],
        need_kwh=[10],
        import_price_per_kwh=np.array([0.20, 0.21]),
        carbon_price_per_kwh=np.array([0.05, 0.01]),
    )
    solution = solved(problem)
    assert solution.power_kw == near([[0, 10]])
    assert solution.cost_money["carbon"] == pytest.approx(0.1)


def test_flow_back_is_bounded_per_row_and_at_the_connection(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[10], [10]],
        need_kwh=[-20, -20],
        row_coef=np.array([[1.0, 0.0]]),
        row_limit=[[20]],
        row_lower=np.array([[-3.0]]),
        tracked=replace(
            a_car(0, 20.0, [10]),
            session=np.array([0, 1]),
            **{
                name: np.repeat(getattr(a_car(0, 20.0, [10]), name), 2, axis=0)
                for name in (
                    "stored_kwh",
                    "reserve_kwh",
                    "discharge_max_kw",
                    "discharge_efficiency",
                    "wear_price_per_kwh",
                    "taper_kw",
                    "taper_per_kwh",
                )
            },
        ),
        import_price_per_kwh=np.array([1.0]),
        export_price_per_kwh=np.array([1.0]),
    )
    assert solved(problem).discharge_kw == near([[3], [10]])
    assert solved(replace(problem, export_limit_kw=np.array([8.0]))).export_kw == near([8])


def test_sun_is_curtailed_when_export_costs_money(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[2]],
        need_kwh=[2],
        pv_kw=np.array([10.0]),
        import_price_per_kwh=np.array([0.1]),
        export_price_per_kwh=np.array([-0.2]),
    )
    solution = solved(problem)
    assert solution.curtailed_kw == near([8])
    assert solution.export_kw == near([0])


def test_power_falls_with_the_state_of_charge(solved: Any) -> None:
    """p <= 60 − stored/2, stored taken at the middle of the step: 20 kWh stored → 60 − (20 + 20 + p)/4 = p → p = 40."""
    problem = a_problem(
        power_max_kw=[[100, 100]],
        need_kwh=[500],
        tracked=a_car(0, 20.0, [0, 0], taper_kw=np.array([[60.0]]), taper_per_kwh=np.array([[0.5]])),
    )
    solution = solved(problem)
    assert solution.power_kw == near([[40, 24]])
    assert solution.stored_kwh == near([[60, 84]])


def test_a_car_fuller_than_its_curve_waits_instead_of_making_the_program_infeasible(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[100]],
        need_kwh=[10],
        tracked=a_car(0, 200.0, [0], taper_kw=np.array([[60.0]]), taper_per_kwh=np.array([[0.5]])),
    )
    assert solved(problem).power_kw == near([[0]])


def test_a_dear_export_does_not_pay_for_importing_at_the_same_time(solved: Any) -> None:
    problem = a_problem(
        power_max_kw=[[5]],
        need_kwh=[5],
        pv_kw=np.array([3.0]),
        import_price_per_kwh=np.array([0.1]),
        export_price_per_kwh=np.array([0.4]),
    )
    solution = solved(problem)
    assert solution.import_kw == near([2])
    assert solution.export_kw == near([0])


@pytest.mark.parametrize("seed", range(4))
def test_all_ways_find_the_same_value_of_the_whole_model(seed: int) -> None:
    problem = an_instance(12, 24, seed)
    found = [solve(problem, engine, SolveOptions(solver=solver)) for engine, solver in WAYS]
    for solution in found:
        assert faults(problem, solution) == ()
        assert solution.objective_money == pytest.approx(found[0].objective_money, rel=1e-6)
        parts = sum(solution.cost_money.values())
        assert parts == pytest.approx(solution.objective_money, rel=1e-6)


def test_a_site_without_a_part_has_no_column_and_no_row_for_it() -> None:
    from solvers.formulation import build

    plain = an_instance(20, 24, 1, is_plain=True)
    program, layout = build(plain)
    names = {name.partition("[")[0] for name in program.name_columns()}
    assert names == {"p", "u", "g", "up", "down"}
    assert layout.first_x == layout.first_peak == layout.first_battery == -1


def test_every_wrong_part_is_named() -> None:
    with pytest.raises(ShapeError, match=r"Tracked.discharge_efficiency must be > 0"):
        a_car(0, 1.0, [1], discharge_efficiency=np.array([0.0]))
    with pytest.raises(ShapeError, match=r"stored_kwh has shape \(2,\).*stored_kwh|Batteries.stored_kwh has shape"):
        a_battery(stored_kwh=np.array([1.0, 2.0]))
    with pytest.raises(ShapeError, match="names a session twice"):
        car = a_car(0, 1.0, [1])
        replace(
            car,
            session=np.array([0, 0]),
            **{
                n: np.repeat(getattr(car, n), 2, axis=0)
                for n in (
                    "stored_kwh",
                    "reserve_kwh",
                    "discharge_max_kw",
                    "discharge_efficiency",
                    "wear_price_per_kwh",
                    "taper_kw",
                    "taper_per_kwh",
                )
            },
        )
    with pytest.raises(ShapeError) as caught:
        a_problem(
            power_max_kw=[[1, 1]],
            need_kwh=[1],
            tracked=a_car(5, 1.0, [1, 1, 1]),
            batteries=a_battery(n_rows=2),
            demand=a_demand_charge(3),
            row_lower=np.zeros((0, 2)),
        )
    text = str(caught.value)
    for part in ("tracked.discharge_max_kw steps: 3", "batteries.row_coef rows: 2", "demand.holds steps: 3", "5..5"):
        assert part in text
