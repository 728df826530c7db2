"""A charging session and what its driver wants."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr.domain.ids import EvseId, SessionId

PRIORITY_MIN = 0.1
PRIORITY_MAX = 10.0
ENERGY_MAX_KWH = 200.0
"""A request above this is nonsense for a road car [A-124]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIntent:
    """What the driver, the CSMS or a default asks for. ``None`` is 'nobody said'.

    ``energy_kwh`` counts from the start of the session. ``priority`` weighs a shortfall; 1 is normal.
    """

    energy_kwh: float | None = None
    depart_at: datetime | None = None
    priority: float = 1.0
    source: str = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A transaction at an EVSE, keyed (station, EVSE, start) [D-40]; ``transaction`` is the protocol's own id.

    ``energy_kwh`` is register minus start register, monotone; ``n_phases`` is what the car was seen to use, or
    ``None`` until it has charged long enough [D-42]. ``car_max_a`` is the cable's or car's own bound where known.
    """

    id: SessionId
    evse: EvseId
    transaction: str
    started_at: datetime
    id_tag: str = ""
    meter_start_kwh: float = 0.0
    register_kwh: float = 0.0
    energy_kwh: float = 0.0
    intent: SessionIntent = SessionIntent()
    n_phases: int | None = None
    car_max_a: float | None = None
    ended_at: datetime | None = None
    end_reason: str = ""
