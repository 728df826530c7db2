"""Where a session ends before its driver's wish is met: limits of the station [D-26], and ours by energy, time, cost, SoC.

The plan never gives more than the station will let the car take, and a session at its limit is not helped by a higher one.
"""

from __future__ import annotations

from datetime import datetime

from loadmgr.domain.session import Session

FULL_KWH = 0.0005


def left_kwh(session: Session, now: datetime) -> tuple[float | None, str]:
    """(energy left until a limit, the limit that is reached or ""). ``None``: no limit of energy bounds the session."""
    if session.is_held:
        return 0.0, "held"
    until = _earliest(session.bound_until, session.intent.limit_until)
    if until is not None and now >= until:
        return 0.0, "time"
    found = [
        (value, name)
        for value, name in ((_energy_left(session), "energy"), (_soc_left(session), "soc"))
        if value is not None
    ]
    if not found:
        return None, ""
    value, name = min(found)
    return max(value, 0.0), name if value <= FULL_KWH else ""


def ends_at(session: Session, depart_at: datetime) -> datetime:
    """The departure, or the time limit where that comes first."""
    until = _earliest(session.bound_until, session.intent.limit_until)
    return depart_at if until is None else min(depart_at, until)


def _energy_left(session: Session) -> float | None:
    most = [x for x in (session.bound_kwh, session.intent.most_kwh) if x is not None]
    return min(most) - session.energy_kwh if most else None


def _soc_left(session: Session) -> float | None:
    """Up to the limit of the state of charge: exact with a capacity, else all or nothing."""
    most = [x for x in (session.bound_soc_frac, session.intent.limit_soc_frac) if x is not None]
    if not most or session.soc_frac is None:
        return None
    left_frac = min(most) - session.soc_frac
    capacity_kwh = session.intent.capacity_kwh
    if capacity_kwh is None:
        return 0.0 if left_frac <= 0.0 else None
    return left_frac * capacity_kwh - (session.energy_kwh - session.soc_at_kwh)


def _earliest(left: datetime | None, right: datetime | None) -> datetime | None:
    found = [x for x in (left, right) if x is not None]
    return min(found) if found else None
