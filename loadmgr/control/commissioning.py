"""Does the site hold without us? The fail-safe arithmetic that every site file must pass [A-130]."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from loadmgr import units
from loadmgr.control import rows as row_tools
from loadmgr.control.rows import KW_ROW, Row
from loadmgr.domain import phasors
from loadmgr.domain.network import NodeModel
from loadmgr.domain.site import Evse, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class FailsafeSum:
    """What a row carries when every link is lost: EVSEs at their fail-safe plus the worst uncontrolled load."""

    row: Row
    n_evses: int
    evses: float
    """With any part of them drawing: where currents add as phasors, the largest magnitude of any partial load."""
    uncontrolled: float
    is_magnitude: bool = False

    @property
    def total(self) -> float:
        """In the row's unit."""
        return self.evses + self.uncontrolled

    @property
    def fits(self) -> bool:
        """True when the sum is within the limit."""
        return self.total <= self.row.limit + 1e-9

    def __str__(self) -> str:
        unit = "kW" if self.row.phase == KW_ROW else "A"
        verdict = "<=" if self.fits else ">"
        how = "at most, as phasors, " if self.is_magnitude else ""
        return (
            f"{self.row.name}: {self.n_evses} EVSEs at their fail-safe = {how}{self.evses:.1f} {unit}"
            f" + uncontrolled {self.uncontrolled:.1f} {unit} = {self.total:.1f} {unit}"
            f" {verdict} {self.row.limit:.1f} {unit} ({self.row.source})"
        )


def failsafe_sums(site: Site) -> tuple[FailsafeSum, ...]:
    """The fail-safe sum of every static row, in the order of the site file."""
    found = []
    for row in row_tools.static_rows(site):
        evses = [site.evses[e] for e in site.below[row.node]]
        load = row_tools.worst_base(site, row.node)
        base = row_tools.counted(site, row.node, load, row.phase)
        if row.phase != KW_ROW and site.network.is_angled(row.node):
            found.append(_angled(site, row, evses, base))
            continue
        counted = [x for x in (_failsafe_on(evse, row.phase) for evse in evses) if x > 0]
        found.append(FailsafeSum(row=row, n_evses=len(counted), evses=sum(counted), uncontrolled=base))
    return tuple(found)


def _angled(site: Site, row: Row, evses: Sequence[Evse], base: float) -> FailsafeSum:
    """Any car may be single-phase, absent or full: every conductor counts from nothing to its fail-safe."""
    model, parts, others, n_counted = site.nodes[row.node].model, [], 0.0, 0
    for evse in evses:
        wiring, n_used = site.network.wirings[evse.id, row.node], evse.caps.n_phases
        magnitude = evse.failsafe_a * wiring.magnitude(row.phase, n_used)
        n_counted += magnitude > phasors.SMALL_A
        if model is NodeModel.SUM:
            others += evse.failsafe_a * wiring.sum(row.phase, n_used)
        elif model is NodeModel.POLYGON and wiring.is_known:
            parts += [evse.failsafe_a * part[row.phase] for part in wiring.parts[:n_used]]
        else:
            others += magnitude
    return FailsafeSum(
        row=row,
        n_evses=n_counted,
        evses=phasors.reach(parts) + others,
        uncontrolled=base,
        is_magnitude=model is NodeModel.POLYGON,
    )


def _failsafe_on(evse: Evse, phase: int) -> float:
    if phase == KW_ROW:
        return units.a_to_kw(evse.failsafe_a, evse.caps.voltage_v, evse.caps.n_phases)
    if not evse.has_known_rotation or phase in evse.phases_of(evse.caps.n_phases):
        return evse.failsafe_a
    return 0.0
