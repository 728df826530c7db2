"""Does the site hold without us? The fail-safe arithmetic that every site file must pass [A-130]."""

from __future__ import annotations

from dataclasses import dataclass

from loadmgr import units
from loadmgr.control import rows as row_tools
from loadmgr.control.rows import KW_ROW, Row
from loadmgr.domain.site import UNKNOWN_ROTATION, Evse, Site


@dataclass(frozen=True, slots=True, kw_only=True)
class FailsafeSum:
    """What a row carries when every link is lost: EVSEs at their fail-safe plus the worst uncontrolled load."""

    row: Row
    n_evses: int
    evses: float
    uncontrolled: float

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
        return (
            f"{self.row.name}: {self.n_evses} EVSEs at their fail-safe = {self.evses:.1f} {unit}"
            f" + uncontrolled {self.uncontrolled:.1f} {unit} = {self.total:.1f} {unit}"
            f" {verdict} {self.row.limit:.1f} {unit} ({self.row.source})"
        )


def failsafe_sums(site: Site) -> tuple[FailsafeSum, ...]:
    """The fail-safe sum of every static row, in the order of the site file."""
    found = []
    for row in row_tools.static_rows(site):
        evses = [site.evses[e] for e in site.below[row.node]]
        counted = [x for x in (_failsafe_on(evse, row.phase) for evse in evses) if x > 0]
        base = row_tools.on_row(row_tools.worst_base(site, row.node), row.phase)
        found.append(FailsafeSum(row=row, n_evses=len(counted), evses=sum(counted), uncontrolled=base))
    return tuple(found)


def _failsafe_on(evse: Evse, phase: int) -> float:
    if phase == KW_ROW:
        return units.a_to_kw(evse.failsafe_a, evse.caps.voltage_v, evse.caps.n_phases)
    if evse.rotation == UNKNOWN_ROTATION or phase in evse.phases_of(evse.caps.n_phases):
        return evse.failsafe_a
    return 0.0
