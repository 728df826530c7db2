"""Prices on the steps of a plan."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from loadmgr.domain.tariff import Tariff

_PARTS = 4


def import_prices(tariff: Tariff, now: datetime, steps: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    """Mean import price per kWh of each step ``(offset_s, length_s)``, from four points inside it."""
    found = []
    for offset_s, length_s in steps:
        marks = (offset_s + length_s * (i + 0.5) / _PARTS for i in range(_PARTS))
        found.append(sum(tariff.import_price(now + timedelta(seconds=m)) for m in marks) / _PARTS)
    return tuple(found)
