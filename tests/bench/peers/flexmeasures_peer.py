"""FlexMeasures: its ``device_scheduler``, called without a database.

The function reads two settings of the running application and nothing else, so a bare Flask application carries them.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd
from flask import Flask
from flexmeasures.data.models.planning import FlowCommitment
from flexmeasures.data.models.planning.linear_optimization import device_scheduler
from flexmeasures.data.models.planning.utils import initialize_df
from peer_io import Problem, main, timed

COLUMNS = [
    "equals",
    "max",
    "min",
    "efficiency",
    "derivative equals",
    "derivative max",
    "derivative min",
    "derivative down efficiency",
    "derivative up efficiency",
    "stock delta",
]
START = pd.Timestamp("2025-01-06T00:00:00")
PYOMO_RUNS = 3
"""At most: one run over Pyomo takes seconds."""


def _devices(problem: Problem) -> list[pd.DataFrame]:
    """One storage per car: stock 0 at first, and exactly the need in it at the end of the stay.

    The function counts stock as the sum of the power over steps, so a need in kWh is divided by the step's hours; the
    package's own storage scheduler does the same.
    """
    step = timedelta(hours=problem.step_h)
    found = []
    for number, need_kwh in enumerate(problem.need_kwh):
        device = initialize_df(COLUMNS, START, START + step * problem.n_steps, step)
        device["derivative max"] = problem.power_max_kw[number]
        device["derivative min"] = 0.0
        _, end = problem.stay(number)
        device.loc[device.index[end - 1], "equals"] = need_kwh / problem.step_h
        found.append(device)
    return found


def solve(problem: Problem) -> dict[str, Any]:
    """Both back ends: the one that is the default, and Pyomo. The timed call starts from finished tables."""
    step = timedelta(hours=problem.step_h)
    index = initialize_df(COLUMNS, START, START + step * problem.n_steps, step).index
    price = pd.Series(np.array(problem.price_per_kwh) * problem.step_h, index=index)
    cars = list(range(len(problem.need_kwh)))
    energy = FlowCommitment(
        name="energy",
        quantity=0,
        upwards_deviation_price=price,
        downwards_deviation_price=price,
        index=index,
        device=pd.Series([cars] * len(index), index=index),
        device_group=pd.Series(0, index=cars),
    )
    devices = _devices(problem)
    site = initialize_df(COLUMNS, START, START + step * problem.n_steps, step)
    site["derivative max"] = problem.import_limit_kw
    site["derivative min"] = 0.0
    modes: dict[str, Any] = {}
    for solver, runs in (("highspy", problem.runs), ("appsi_highs", min(problem.runs, PYOMO_RUNS))):
        app = Flask("peer")
        app.config.update(FLEXMEASURES_LP_SOLVER=solver, FLEXMEASURES_LP_SOLVER_OPTIONS={}, LOGGING_LEVEL="INFO")

        def call() -> Any:
            return device_scheduler(
                device_constraints=[device.copy() for device in devices],
                ems_constraints=site.copy(),
                commitments=[energy],
                initial_stock=0,
            )

        with app.app_context():
            seconds, (power, _, results, _) = timed(call, runs)
        if "optimal" not in str(results.solver.termination_condition):
            raise RuntimeError(f"{solver}: {results.solver.termination_condition}")
        modes[solver] = {"seconds": seconds, "power_kw": [list(series) for series in power]}
    return {"modes": modes}


main(solve)
