"""What a grid operator asks of the site, in the words of IEEE 2030.5 (mapping table of domain rule B.1)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.errors import SiteModelError


class GridRequestKind(StrEnum):
    """The requests that the site can follow. Values are the names of IEEE 2030.5."""

    IMPORT = "opModImpLimW"
    """Most import of the node, kW. OpenADR: IMPORT_CAPACITY_LIMIT; EEBUS: LPC."""
    EXPORT = "opModExpLimW"
    """Most export of the node, kW. OpenADR: EXPORT_CAPACITY_LIMIT; EEBUS: LPP."""
    MAX_DISCHARGE = "opModMaxLimW"
    """Most discharge in percent of the rating."""
    LOAD = "opModLoadLimW"
    """Most draw of one EVSE, kW."""
    GENERATION = "opModGenLimW"
    """Most delivery of one EVSE, kW."""
    CEASE = "opModEnergize"
    """Cease to energise: no charging, no delivery below the node."""
    CONTROL = "DERControl"
    """A curve or setting of inverters, passed on to the chargers that know it [B-7]."""


_AT_EVSE = (GridRequestKind.LOAD, GridRequestKind.GENERATION)
_WITH_VALUE = (
    GridRequestKind.IMPORT,
    GridRequestKind.EXPORT,
    GridRequestKind.MAX_DISCHARGE,
    GridRequestKind.LOAD,
    GridRequestKind.GENERATION,
)
PERCENT_MAX = 100.0


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRequest:
    """One request. ``value`` is in kW, or in percent for ``MAX_DISCHARGE``; it holds from ``from_at`` to ``until_at``.

    Raises ``SiteModelError`` for a request without the value, the EVSE or the control that its kind needs.
    """

    id: str
    kind: GridRequestKind
    source: str
    node: NodeId | None = None
    evse: EvseId | None = None
    value: float | None = None
    control: DerControl | None = None
    from_at: datetime | None = None
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        where = f"grid request {self.id!r} ({self.kind})"
        if self.kind in _WITH_VALUE:
            if self.value is None or not 0.0 <= self.value < float("inf"):
                raise SiteModelError(f"{where}: value = {self.value} must be a number >= 0")
            if self.kind is GridRequestKind.MAX_DISCHARGE and self.value > PERCENT_MAX:
                raise SiteModelError(f"{where}: value = {self.value} is a percentage of the rating, at most 100")
        if self.kind in _AT_EVSE and self.evse is None:
            raise SiteModelError(f"{where}: needs the EVSE that it is about")
        if self.kind is GridRequestKind.CONTROL and self.control is None:
            raise SiteModelError(f"{where}: needs the control to pass on")
        if self.from_at is not None and self.until_at is not None and self.until_at <= self.from_at:
            raise SiteModelError(f"{where}: ends at {self.until_at} before it begins at {self.from_at}")
