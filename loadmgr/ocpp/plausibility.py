"""Is a station's unit what it says? Pure learners that propose a correction factor after enough samples agree [C-21]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadmgr.ocpp.metering import CLEAR_KW, OVER_RATING, TINY_KW, Compared

AGREE_N = 5
THOUSAND = 1000.0
NEAR_FRAC = 0.3
"""How close two powers must be to count as the same: stations round, cars move between readings."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EnergyCompared:
    """Growth of a register over a time beside the power in that time, both as mean kW."""

    register_kw: float
    power_kw: float


def propose_factor(history: Sequence[Compared]) -> float | None:
    """What a station's power values must be multiplied with: 0.001 or 1000 when its last samples agree, else ``None``.

    |P| above 1.5 times the rating is W said as kW; a power below 50 W beside more than 1 kW of current times voltage
    is kW said as W [C-21, G-90].
    """
    last = history[-AGREE_N:]
    if len(last) < AGREE_N:
        return None
    if all(_fits_small(x) for x in last):
        return 1.0 / THOUSAND
    return THOUSAND if all(_fits_large(x) for x in last) else None


def _fits_small(x: Compared) -> bool:
    if abs(x.power_kw) <= OVER_RATING * x.rated_kw:
        return False
    found = abs(x.power_kw) / THOUSAND
    return found <= OVER_RATING * x.rated_kw and (x.product_kw is None or _is_near(found, abs(x.product_kw)))


def _fits_large(x: Compared) -> bool:
    if x.product_kw is None or not 0.0 < x.power_kw < TINY_KW or x.product_kw <= CLEAR_KW:
        return False
    return _is_near(x.power_kw * THOUSAND, x.product_kw)


def propose_energy_factor(history: Sequence[EnergyCompared]) -> float | None:
    """What a station's registers must be multiplied with when they grow a thousand times too slowly or too fast [G-91]."""
    last = history[-AGREE_N:]
    if len(last) < AGREE_N or any(x.power_kw < CLEAR_KW or x.register_kw <= 0.0 for x in last):
        return None
    if all(_is_near(x.register_kw * THOUSAND, x.power_kw) for x in last):
        return THOUSAND
    return 1.0 / THOUSAND if all(_is_near(x.register_kw / THOUSAND, x.power_kw) for x in last) else None


def _is_near(left: float, right: float) -> bool:
    return abs(left - right) <= NEAR_FRAC * max(left, right)
