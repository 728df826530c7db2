"""What a meter said. Import is positive, export negative; phases are always in the order L1, L2, L3."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

PerPhase = tuple[float, float, float]


class Quality(StrEnum):
    """How far a sample may be trusted for control."""

    GOOD = "good"
    DERIVED = "derived"
    """Some value was computed from another (domain rule C.4)."""
    HISTORY = "history"
    """Too old or of the wrong context: kept, but never used for control [C-24]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """The values of one sample. ``None`` means that the meter did not say."""

    current_a: PerPhase | None = None
    power_kw: float | None = None
    energy_kwh: float | None = None
    offered_a: float | None = None
    soc_frac: float | None = None
    export_kwh: float | None = None
    """Register of the energy delivered."""
    offered_kw: float | None = None
    voltage_v: float | None = None
    """Line to neutral, mean over the phases that the meter told."""
    interval_kwh: float | None = None
    """Energy of the interval that ends with the sample, import less export."""
    estimated_kwh: float | None = None
    """Energy of the session so far where no register speaks: sum of intervals, else the integral of the power [C.4]."""
    setpoint_kw: float | None = None
    """2.1: the setpoint that the station follows."""
    has_phases: bool = False
    """``current_a`` is per phase by the meter's own labels, not spread by us."""
    anomaly: str = ""
    """What is wrong with it: ``power`` (unit in doubt [C-21]), ``jump``, ``impossible`` or ``exchanged`` (rule C.5)."""
