"""A charging session and what its driver wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
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
    capacity_kwh: float | None = None
    """Usable capacity of the car's battery; with a state of charge it makes stored energy known."""
    soc_target_frac: float | None = None
    """State of charge wanted at the departure; where the present one is known it counts before ``energy_kwh``."""
    may_discharge: bool = False
    """The driver's contract lets the site draw from the car (V2G)."""
    reserve_frac: float = 0.3
    """Part of the capacity that the driver keeps whatever is paid."""


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
    is_register_known: bool = True
    """False until a station that did not say its register at the start says it; then energy counts from there."""
    register_before_kwh: float | None = None
    """Reading before a drop of the register that may be a glitch."""
    energy_kwh: float = 0.0
    intent: SessionIntent = SessionIntent()
    n_phases: int | None = None
    car_max_a: float | None = None
    soc_frac: float | None = None
    """State of charge that the car last told."""
    soc_at_kwh: float = 0.0
    """``energy_kwh`` when it told it."""
    transfer: str = ""
    """Energy transfer that the car asked for, e.g. ``AC_BPT``; empty: it never said."""
    mode: str = ""
    """2.1: operation mode that the station reports; empty: it never did."""
    car_min_a: float | None = None
    car_max_kw: float | None = None
    car_discharge_kw: float | None = None
    """Bounds that the car stated."""
    bound_kwh: float | None = None
    """The station ends the session at this energy, whatever the driver wants [D-26]."""
    bound_until: datetime | None = None
    bound_soc_frac: float | None = None
    has_priority: bool = False
    """Priority charging is active (K21, K22)."""
    ended_at: datetime | None = None
    end_reason: str = ""


RESET_KWH = 0.0015
"""A register that falls by more than this was reset or exchanged; less is rounding."""


def session_energy(session: Session, register_kwh: float) -> Session:
    """The session after a new reading of its energy register: energy only grows [P3].

    A lower reading is a reset or a glitch (domain rule C.5); the next one tells which. If it is back at or above the
    old level the drop was a glitch and only the rise above the old level counts; else a new segment has begun and
    what it has grown counts.
    """
    if not session.is_register_known:
        return replace(session, meter_start_kwh=register_kwh, register_kwh=register_kwh, is_register_known=True)
    before_kwh, last_kwh = session.register_before_kwh, session.register_kwh
    if register_kwh < last_kwh:
        if last_kwh - register_kwh <= RESET_KWH:
            return session
        return replace(session, register_kwh=register_kwh, register_before_kwh=max(last_kwh, before_kwh or 0.0))
    if before_kwh is not None and register_kwh >= before_kwh:
        gained_kwh = register_kwh - before_kwh
    else:
        gained_kwh = register_kwh - last_kwh
    return replace(
        session,
        register_kwh=register_kwh,
        register_before_kwh=None if register_kwh > last_kwh else before_kwh,
        energy_kwh=session.energy_kwh + gained_kwh,
    )
