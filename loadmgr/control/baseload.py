"""Load that we do not control, estimated from a node's meter and the EVSE meters below it [C-31].

A car that has just been ordered to change may draw anything between nothing and what it is allowed, so the base load
is only known within bounds. A rise is taken at once, a fall slowly, and the estimate always stays inside the bounds.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import datetime

from loadmgr.domain.samples import PerPhase

FALL_TIME_S = 45.0
"""Time constant with which the estimate follows a falling load."""

MEMORY_S = 900.0
"""How long a peak is remembered for the time when the meter falls silent [D01]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """What the EVSEs below a meter draw, at least and at most: A per phase, and kW."""

    low_a: PerPhase
    high_a: PerPhase
    low_kw: float
    high_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class BaseEstimate:
    """Uncontrolled load below a meter: A on L1..L3 and kW, with the highest values of the last minutes."""

    at: datetime
    current_a: PerPhase
    power_kw: float
    peak_a: PerPhase
    peak_kw: float
    peak_at: datetime
    total_a: PerPhase
    total_kw: float


def first_estimate(at: datetime, total_a: PerPhase, total_kw: float, bounds: Bounds) -> BaseEstimate:
    """The first reading: the cars are taken at their least, so the base load at its most."""
    current = _minus(total_a, bounds.low_a)
    power_kw = total_kw - bounds.low_kw
    return BaseEstimate(
        at=at,
        current_a=current,
        power_kw=power_kw,
        peak_a=current,
        peak_kw=power_kw,
        peak_at=at,
        total_a=total_a,
        total_kw=total_kw,
    )


def next_estimate(old: BaseEstimate, at: datetime, total: tuple[PerPhase, float], bounds: Bounds) -> BaseEstimate:
    """The estimate after a new reading ``total`` = (A per phase, kW)."""
    total_a, total_kw = total
    keep = math.exp(-max((at - old.at).total_seconds(), 0.0) / FALL_TIME_S)
    current = (
        _follow(old.current_a[0], total_a[0] - bounds.high_a[0], total_a[0] - bounds.low_a[0], keep),
        _follow(old.current_a[1], total_a[1] - bounds.high_a[1], total_a[1] - bounds.low_a[1], keep),
        _follow(old.current_a[2], total_a[2] - bounds.high_a[2], total_a[2] - bounds.low_a[2], keep),
    )
    power_kw = _follow(old.power_kw, total_kw - bounds.high_kw, total_kw - bounds.low_kw, keep)
    after = replace(old, at=at, current_a=current, power_kw=power_kw, total_a=total_a, total_kw=total_kw)
    expired = (at - old.peak_at).total_seconds() > MEMORY_S
    if expired:
        return replace(after, peak_a=current, peak_kw=power_kw, peak_at=at)
    peak_a = (
        max(old.peak_a[0], current[0]),
        max(old.peak_a[1], current[1]),
        max(old.peak_a[2], current[2]),
    )
    return replace(after, peak_a=peak_a, peak_kw=max(old.peak_kw, power_kw))


def _follow(old: float, low: float, high: float, keep: float) -> float:
    """Up at once to ``low``; down towards ``high`` with the time constant."""
    if old < low:
        return low
    if old > high:
        return high + (old - high) * keep
    return old


def _minus(left: PerPhase, right: PerPhase) -> PerPhase:
    return (left[0] - right[0], left[1] - right[1], left[2] - right[2])
