"""Carbon intensity of the imported energy on the steps of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from loadmgr.domain.series import Series

_PARTS = 4


def carbon_kg_per_kwh(
    series: Series | None, constant: float, now: datetime, steps: Sequence[tuple[float, float]]
) -> tuple[float, ...]:
    """Mean kg CO2 per kWh imported in each step ``(offset_s, length_s)``, from four points inside it.

    ``constant`` (kg/kWh) holds throughout where there is no ``series`` (``None``).
    """
    if series is None:
        return (constant,) * len(steps)
    found = []
    for offset_s, length_s in steps:
        marks = (offset_s + length_s * (i + 0.5) / _PARTS for i in range(_PARTS))
        found.append(sum(series.at(now + timedelta(seconds=m)) for m in marks) / _PARTS)
    return tuple(found)
