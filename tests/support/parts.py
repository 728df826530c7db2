"""Optional parts of charging problems with harmless defaults."""

from __future__ import annotations

from typing import Any

import numpy as np

from solvers import Batteries, DemandCharges, Tracked


def a_car(session: int, stored_kwh: float, discharge_kw: Any, **given: Any) -> Tracked:
    """One tracked session; losses, wear and taper are zero unless given."""
    discharge = np.atleast_2d(np.asarray(discharge_kw, dtype=float))
    base = {
        "session": np.array([session]),
        "stored_kwh": np.array([stored_kwh]),
        "reserve_kwh": np.array([0.0]),
        "discharge_max_kw": discharge,
        "discharge_efficiency": np.array([1.0]),
        "wear_price_per_kwh": np.array([0.0]),
        "taper_kw": np.zeros((1, 0)),
        "taper_per_kwh": np.zeros((1, 0)),
    }
    return Tracked(**{**base, **given})


def a_battery(n_rows: int = 0, **given: Any) -> Batteries:
    """A lossless battery of 10 kWh and 5 kW, empty, worth nothing at the end."""
    base = {
        "names": ("house",),
        "charge_max_kw": np.array([5.0]),
        "discharge_max_kw": np.array([5.0]),
        "stored_kwh": np.array([0.0]),
        "floor_kwh": np.array([0.0]),
        "capacity_kwh": np.array([10.0]),
        "efficiency": np.array([1.0]),
        "discharge_efficiency": np.array([1.0]),
        "wear_price_per_kwh": np.array([0.0]),
        "end_value_per_kwh": np.array([0.0]),
        "row_coef": np.zeros((n_rows, 1)),
    }
    return Batteries(**{**base, **given})


def a_demand_charge(n_steps: int, price: float = 10.0, incurred_kw: float = 0.0) -> DemandCharges:
    """One charge over all steps."""
    return DemandCharges(
        names=("month",),
        price_per_kw=np.array([price]),
        incurred_kw=np.array([incurred_kw]),
        holds=np.ones((1, n_steps)),
    )
