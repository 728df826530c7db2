"""How planned cars count in a row where currents are not all in phase with their lines."""

from __future__ import annotations

from loadmgr.control.guard import Lane
from loadmgr.control.rows import KW_ROW, Row
from loadmgr.domain.network import NodeModel
from loadmgr.domain.site import Site


def is_angled(site: Site, row: Row) -> bool:
    """True for rows in A of nodes with EVSEs between lines or behind transformers below them."""
    return row.phase != KW_ROW and site.network.is_angled(row.node)


def unit(site: Site, row: Row, lane: Lane) -> float:
    """What an ampere of a lane below the row's node adds to such a row, by magnitudes."""
    wiring = site.network.wirings[lane.evse.id, row.node]
    if site.nodes[row.node].model is NodeModel.SUM:
        return wiring.sum(row.phase, lane.n_used)
    return wiring.magnitude(row.phase, lane.n_used)


def is_magnitude(site: Site, row: Row) -> bool:
    """True where the magnitude of the row's phasor sum is bounded."""
    return is_angled(site, row) and site.nodes[row.node].model is NodeModel.POLYGON


def ampere(site: Site, row: Row, lane: Lane) -> complex:
    """An ampere of a lane on the row's line with its angle, every conductor in use."""
    return site.network.wirings[lane.evse.id, row.node].current(row.phase, lane.n_used)
