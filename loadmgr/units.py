"""The only place where quantities change their unit.

Ampere is per phase; kilowatt is the sum over the phases that are used. Formula P = U·I·n, U line to neutral [A-70].
"""

from __future__ import annotations

import math

_STEP_SLACK = 1e-6  # float noise that must not cost a whole step when rounding down


def a_to_kw(current_a: float, voltage_v: float, n_phases: int) -> float:
    """Power in kW of ``n_phases`` phases that carry ``current_a`` each at ``voltage_v`` line to neutral."""
    return current_a * voltage_v * n_phases / 1000.0


def kw_to_a(power_kw: float, voltage_v: float, n_phases: int) -> float:
    """Current in A per phase of ``power_kw`` spread evenly over ``n_phases`` phases."""
    return power_kw * 1000.0 / (voltage_v * n_phases)


def a_per_kw(voltage_v: float, n_phases: int) -> float:
    """Coefficient of a fuse row: A on each used phase per kW of the load."""
    return 1000.0 / (voltage_v * n_phases)


def w_to_kw(power_w: float) -> float:
    """Watt on the wire to kW inside."""
    return power_w / 1000.0


def wh_to_kwh(energy_wh: float) -> float:
    """Watt-hour on the wire to kWh inside."""
    return energy_wh / 1000.0


def kwh_to_wh(energy_kwh: float) -> int:
    """Whole watt-hours, the resolution of a billing record."""
    return round(energy_kwh * 1000.0)


def round_down(value: float, step: float) -> float:
    """Largest multiple of ``step`` not above ``value``: limits round down [A-75]."""
    steps = math.floor(value / step + _STEP_SLACK)
    return round(steps * step, 6)
