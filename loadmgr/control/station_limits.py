"""Limits that a station tells for itself as a whole [A-92]: rows over its EVSEs beside those of the grid tree.

A station of one EVSE needs none: there the limit is the EVSE's own; see ``charger_state.external_a``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from loadmgr.control.rows import KW_ROW, Row
from loadmgr.control.site_state import SiteState
from loadmgr.domain.ids import EvseId, NodeId


@dataclass(frozen=True, slots=True, kw_only=True)
class StationRow:
    """A bound on the sum of a station's EVSEs. ``until_at``: its end, ``None`` where none is known."""

    row: Row
    evses: tuple[EvseId, ...]
    until_at: datetime | None


def station_rows(state: SiteState, now: datetime) -> Iterator[StationRow]:
    """The rows of the whole-station limits that hold at ``now``, one per limit and quantity."""
    for (station, evse, source), limit in state.chargers.externals.items():
        evses = state.site.stations[station].evses
        is_over = limit.until_at is not None and now >= limit.until_at
        if evse is not None or len(evses) < 2 or limit.is_generation or is_over:
            continue
        bounds = [(phase, limit.current_a) for phase in range(3)] + [(KW_ROW, limit.power_kw)]
        for phase, value in bounds:
            if value is not None:
                row = Row(node=NodeId(station), phase=phase, limit=value, source=source, is_static=False)
                yield StationRow(row=row, evses=evses, until_at=limit.until_at)
