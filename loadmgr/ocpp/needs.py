"""Numbers of an ISO 15118 charging needs message, with nonsense read as silence [A-124]; used by all 2.x versions."""

from __future__ import annotations

from datetime import datetime

from loadmgr import units
from loadmgr.domain.session import ENERGY_MAX_KWH
from loadmgr.ocpp.metering import number

POWER_MAX_KW = 2000.0
CURRENT_MAX_A = 1000.0
PERCENT_MAX = 100.0


def energy_kwh(value_wh: object) -> float | None:
    """An energy request; ``None`` when absent, negative or beyond what a road car takes."""
    found = number(value_wh)
    if found is None:
        return None
    energy = units.wh_to_kwh(found)
    return energy if 0.0 <= energy <= ENERGY_MAX_KWH else None


def power_kw(value_w: object) -> float | None:
    """A power bound; the sign of a discharge power does not matter."""
    found = number(value_w)
    if found is None:
        return None
    power = abs(units.w_to_kw(found))
    return power if power <= POWER_MAX_KW else None


def current_a(value_a: object) -> float | None:
    """A current bound per phase."""
    found = number(value_a)
    return abs(found) if found is not None and abs(found) <= CURRENT_MAX_A else None


def frac(percent: object) -> float | None:
    """A state of charge."""
    found = number(percent)
    return found / PERCENT_MAX if found is not None and 0.0 <= found <= PERCENT_MAX else None


def departure(said: datetime | None, now: datetime) -> datetime | None:
    """A departure that lies ahead."""
    return said if said is not None and said > now else None


def least(*values: float | None) -> float | None:
    """The lowest of the values that were said."""
    found = [v for v in values if v is not None]
    return min(found) if found else None


def total(*values: float | None) -> float | None:
    """The sum over the phases of the values that were said."""
    found = [v for v in values if v is not None]
    return sum(found) if found else None
