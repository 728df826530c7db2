"""Wire models of grid requests."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field

from api.schemas import Name, Wire
from loadmgr.domain.der import DerControl, DerPoint
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.grid_service import Held, HeldControl

Finite = Annotated[float, Field(allow_inf_nan=False)]
ControlType = Literal[
    "EnterService",
    "Gradients",
    "FreqDroop",
    "FixedPFAbsorb",
    "FixedPFInject",
    "FixedVar",
    "LimitMaxDischarge",
    "FreqWatt",
    "VoltVar",
    "VoltWatt",
    "WattPF",
    "WattVar",
    "HFMustTrip",
    "HFMayTrip",
    "LFMustTrip",
    "HVMustTrip",
    "HVMomCess",
    "HVMayTrip",
    "LVMustTrip",
    "LVMomCess",
    "LVMayTrip",
    "PowerMonitoringMustTrip",
]
"""Control types of OCPP 2.1 (domain rule B.1)."""
YUnit = Literal["", "Not_Applicable", "PctMaxW", "PctMaxVar", "PctWAvail", "PctVarAvail", "PctEffectiveV"]


class CurvePoint(Wire):
    """A point of a curve."""

    x: Finite
    y: Finite


class ControlIn(Wire):
    """A DER control; its times and its id are those of the request. ``priority`` 0 is the highest."""

    control_type: ControlType
    priority: Annotated[int, Field(ge=0, le=1000)] = 0
    values: dict[Name, Finite] = Field(default_factory=dict, max_length=20)
    flags: dict[Name, bool] = Field(default_factory=dict, max_length=20)
    curve: list[CurvePoint] = Field(default_factory=list, max_length=10)
    y_unit: YUnit = ""

    def to_domain(self) -> DerControl:
        """As the domain has it."""
        return DerControl(
            id="",
            control_type=self.control_type,
            priority=self.priority,
            values=tuple(self.values.items()),
            flags=tuple(self.flags.items()),
            curve=tuple(DerPoint(x=p.x, y=p.y) for p in self.curve),
            y_unit=self.y_unit,
        )


class GridRequestIn(Wire):
    """A request in the words of IEEE 2030.5. ``value`` is in kW, for ``opModMaxLimW`` in percent of the rating.

    ``id`` is the sender's; the same id again replaces the request. ``opModEnergize`` means: cease to energise.
    """

    kind: GridRequestKind
    source: Name
    id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,35}$")] | None = None
    node: Name | None = None
    evse: Name | None = None
    value: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = None
    control: ControlIn | None = None
    from_at: AwareDatetime | None = None
    until_at: AwareDatetime | None = None

    def to_domain(self, request: str) -> GridRequest:
        """As the domain has it. Raises ``SiteModelError`` for what its kind lacks."""
        return GridRequest(
            id=request,
            kind=self.kind,
            source=self.source,
            node=NodeId(self.node) if self.node is not None else None,
            evse=EvseId(self.evse) if self.evse is not None else None,
            value=self.value,
            control=self.control.to_domain() if self.control is not None else None,
            from_at=self.from_at,
            until_at=self.until_at,
        )


class GridLimitOut(Wire):
    """A limit that a request came to."""

    id: str
    node: str
    power_kw: float | None
    export_kw: float | None
    discharge_kw: float | None
    is_in_force: bool


class EvseLimitOut(Wire):
    """A limit of a single EVSE that a request came to."""

    station: str
    evse: str | None
    power_kw: float | None


class GridControlOut(Wire):
    """A DER control of a request at a station. ``status``: asked, held, superseded, refused or not-connected."""

    station: str
    control_type: str
    is_default: bool
    values: dict[str, float]
    status: str
    detail: str

    @classmethod
    def of(cls, held: HeldControl) -> Self:
        """From the service."""
        control = held.control
        return cls(
            station=held.station,
            control_type=control.control_type,
            is_default=control.is_default,
            values=dict(control.values),
            status=held.status,
            detail=held.detail,
        )


class GridRequestOut(Wire):
    """A request and what it came to. ``is_recovered``: another service or an older version made it, and only its limits
    are known.

    ``state``: ``scheduled`` or ``in-force``. ``without``: bidirectional stations that do not know the control; only our
    own limit bounds them.
    """

    id: str
    state: Literal["scheduled", "in-force"]
    is_recovered: bool
    kind: GridRequestKind | None
    source: str
    value: float | None
    node: str | None
    evse: str | None
    from_at: datetime | None
    until_at: datetime | None
    asked_at: datetime | None
    actor: str
    limits: list[GridLimitOut]
    evse_limits: list[EvseLimitOut]
    controls: list[GridControlOut]
    without: list[str]

    @classmethod
    def of(cls, held: Held, now: datetime) -> Self:
        """From the service."""
        request, limit = held.request, held.limits[0] if held.limits else None
        begins = request.from_at if request is not None else limit.from_at if limit is not None else None
        ends = request.until_at if request is not None else limit.until_at if limit is not None else None
        node = request.node if request is not None else None
        return cls(
            id=held.id,
            state="scheduled" if begins is not None and now < begins else "in-force",
            is_recovered=request is None,
            kind=request.kind if request is not None else None,
            source=request.source if request is not None else limit.source if limit is not None else "",
            value=request.value if request is not None else None,
            node=node or (limit.node if limit is not None else None),
            evse=request.evse if request is not None else None,
            from_at=begins,
            until_at=ends,
            asked_at=held.asked_at,
            actor=held.actor,
            limits=[
                GridLimitOut(
                    id=x.id,
                    node=x.node,
                    power_kw=x.power_kw,
                    export_kw=x.export_kw,
                    discharge_kw=x.discharge_kw,
                    is_in_force=x.holds_at(now),
                )
                for x in held.limits
            ],
            evse_limits=[EvseLimitOut(station=x.station, evse=x.evse, power_kw=x.power_kw) for x in held.evse_limits],
            controls=[GridControlOut.of(c) for c in held.controls],
            without=list(held.without),
        )


class WithdrawnOut(Wire):
    """A request is withdrawn; stations under ``still_held`` have no link and keep its DER control until told."""

    id: str
    still_held: list[str]
