"""The uncontrolled load ahead: what is measured now, shaped by the site file's series."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta

from loadmgr.domain.ids import NodeId
from loadmgr.domain.series import UncontrolledLoad
from loadmgr.domain.site import Site

HALF_HOUR_S = 1800.0


def shape_kw(
    site: Site, loads: Sequence[UncontrolledLoad], node: NodeId, now: datetime, steps: Sequence[tuple[float, float]]
) -> tuple[float, ...]:
    """Change of the net load below ``node`` against now, kW per step, from the series of all nodes at or below it.

    ``steps`` are (offset_s, length_s). Load counts with its highest value within a step, PV with its lowest, so that
    a step boundary never hides a peak. Without series the load is expected to stay as it is.
    """
    found = [0.0] * len(steps)
    for load in loads:
        if all(n.id != node for n in site.path(load.node)):
            continue
        for index, (offset_s, length_s) in enumerate(steps):
            marks = [now + timedelta(seconds=offset_s + s) for s in _marks(length_s)]
            if load.load_kw is not None:
                found[index] += max(load.load_kw.at(m) for m in marks) - load.load_kw.at(now)
            if load.pv_kw is not None:
                found[index] -= min(load.pv_kw.at(m) for m in marks) - load.pv_kw.at(now)
    return tuple(found)


def present_shape_kw(site: Site, loads: Sequence[UncontrolledLoad], node: NodeId, at: datetime) -> float:
    """What the series of all nodes at or below ``node`` say for ``at``: load less PV, kW."""
    below = [load for load in loads if any(n.id == node for n in site.path(load.node))]
    load_kw = sum(load.load_kw.at(at) for load in below if load.load_kw is not None)
    return load_kw - sum(load.pv_kw.at(at) for load in below if load.pv_kw is not None)


def pv_ahead_kw(loads: Sequence[UncontrolledLoad], now: datetime, steps: Sequence[tuple[float, float]]) -> tuple[float, ...]:
    """Expected PV of the whole site that may be curtailed, mean kW per step."""
    series = [load.pv_kw for load in loads if load.pv_kw is not None and load.is_curtailable]
    return tuple(
        sum(max(s.at(now + timedelta(seconds=offset_s + length_s / 2)), 0.0) for s in series) for offset_s, length_s in steps
    )


def _marks(length_s: float) -> tuple[float, ...]:
    """Where a step is looked at: its ends, and every half hour of a long one."""
    count = max(int(length_s // HALF_HOUR_S), 1)
    return tuple(length_s * i / count for i in range(count)) + (length_s - 1.0,)
