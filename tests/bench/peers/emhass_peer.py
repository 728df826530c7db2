"""EMHASS: ``Optimization.perform_optimization`` with every session as a deferrable load of freely chosen power.

Two ways of calling it are timed. ``fresh``: a new ``Optimization`` per problem, as when the set of loads changes.
``warm``: the second and later calls on one object, which keep the compiled problem; EMHASS itself caches it so between
ticks with the same loads.
"""

from __future__ import annotations

import json
import logging
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd
from emhass.optimization import Optimization
from peer_io import Problem, main, timed

W_PER_KW = 1000.0


def _conf(problem: Problem) -> dict[str, Any]:
    """The package's own defaults, and what the problem says. EMHASS looks each key up in one of three dictionaries."""
    conf: dict[str, Any] = json.loads(files("emhass").joinpath("data/config_defaults.json").read_text())
    n = len(problem.need_kwh)
    stays = [problem.stay(number) for number in range(n)]
    powers = [problem.power_kw(number) for number in range(n)]
    conf.update(
        optimization_time_step=pd.to_timedelta(problem.step_h, "h"),
        time_zone="UTC",
        delta_forecast_daily=pd.to_timedelta(problem.step_h * problem.n_steps, "h"),
        number_of_deferrable_loads=n,
        nominal_power_of_deferrable_loads=[power * W_PER_KW for power in powers],
        minimum_power_of_deferrable_loads=[0.0] * n,
        operating_hours_of_each_deferrable_load=[need / power for need, power in zip(problem.need_kwh, powers, strict=True)],
        start_timesteps_of_each_deferrable_load=[first for first, _ in stays],
        end_timesteps_of_each_deferrable_load=[end for _, end in stays],
        treat_deferrable_load_as_semi_cont=[False] * n,
        set_deferrable_load_single_constant=[False] * n,
        set_deferrable_startup_penalty=[0.0] * n,
        set_deferrable_max_startups=[0] * n,
        deferrable_load_max_cost=[0.0] * n,
        def_minimum_on_time=[0] * n,
        def_minimum_off_time=[0] * n,
        cost_forecast_per_deferrable_load=[None] * n,
        is_electric_load=[True] * n,
        maximum_power_from_grid=[limit * W_PER_KW for limit in problem.import_limit_kw],
        maximum_power_to_grid=[0.0] * problem.n_steps,
        lp_solver_mip_rel_gap=0,
        num_threads=1,
    )
    return conf


def solve(problem: Problem) -> dict[str, Any]:
    """Minimise cost; the load, the PV and the price of export are 0."""
    conf = _conf(problem)
    logger = logging.getLogger("peer")
    logger.setLevel(logging.ERROR)
    zeros = np.zeros(problem.n_steps)
    price = np.array(problem.price_per_kwh)
    index = pd.date_range("2025-01-06", periods=problem.n_steps, freq=conf["optimization_time_step"], tz="UTC")
    load, cost, sale = conf["sensor_power_load_no_var_loads"], "unit_load_cost", "unit_prod_price"
    data = pd.DataFrame({load: zeros, cost: price, sale: zeros}, index=index)

    def make() -> Optimization:
        return Optimization(conf, conf, conf, cost, sale, "cost", {}, logger)

    def run(optimization: Optimization) -> pd.DataFrame:
        plan: pd.DataFrame = optimization.perform_optimization(data, zeros, zeros, price, zeros)
        return plan

    kept = make()
    modes: dict[str, Any] = {}
    for mode, call in (("fresh", lambda: run(make())), ("warm", lambda: run(kept))):
        seconds, table = timed(call, problem.runs)
        if set(table["optim_status"]) != {"Optimal"}:
            raise RuntimeError(f"{mode}: status {set(table['optim_status'])}")
        power = [list(table[f"P_deferrable{k}"] / W_PER_KW) for k in range(len(problem.need_kwh))]
        modes[mode] = {"seconds": seconds, "power_kw": power}
    return {"modes": modes}


main(solve)
