"""Controls of distributed energy resources: what a grid operator asks of inverters (domain rule B.1, OCPP 2.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class DerPoint:
    """A point of a curve; units depend on the control type and ``y_unit``."""

    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DerControl:
    """One control. ``control_type`` is the standard's name, e.g. ``LimitMaxDischarge``, ``VoltWatt``, ``FreqDroop``.

    ``priority`` 0 is the highest [B-2]. A default control has no times [B-1]. ``values`` are the plain parameters of
    the control type by their wire name; ``curve`` and ``y_unit`` belong to the curve types.
    """

    id: str
    control_type: str
    is_default: bool = False
    priority: int = 0
    from_at: datetime | None = None
    duration_s: float | None = None
    values: tuple[tuple[str, float], ...] = ()
    flags: tuple[tuple[str, bool], ...] = ()
    curve: tuple[DerPoint, ...] = ()
    y_unit: str = ""
