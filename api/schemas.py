"""Wire models. Domain objects never leave as they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, model_validator

from loadmgr.domain.events import AlarmRaised
from loadmgr.domain.limits import BOUNDS, Limit, LimitKind

Name = Annotated[str, Field(min_length=1, max_length=80)]
PerPhase = tuple[float, float, float]


class Wire(BaseModel):
    """Unknown fields are mistakes."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class NodeOut(Wire):
    """A node of the tree with its present load. Currents are A on L1, L2, L3; import is positive."""

    node: str
    parent: str | None
    depth: int
    current_a: PerPhase
    power_kw: float
    limit_a: float | None
    limit_a_source: str
    limit_kw: float | None
    limit_kw_source: str
    headroom_a: PerPhase | None
    headroom_kw: float | None
    base_a: PerPhase
    base_kw: float
    ev_kw: float
    is_measured: bool
    is_stale: bool
    n_evses: int
    n_charging: int


class SiteOut(Wire):
    """The site: its nodes in tree order, the root first."""

    id: str
    name: str
    timezone: str
    currency: str
    now: datetime
    nodes: list[NodeOut]


class EvseOut(Wire):
    """An EVSE, its car and why it gets no more (``bound_by``: a limit's name, ``evse``, ``energy`` or ``price``)."""

    evse: str
    station: str
    node: str
    status: str
    is_connected: bool
    session: str | None
    energy_kwh: float | None
    need_kwh: float | None
    depart_at: datetime | None
    priority: float | None
    current_a: PerPhase
    power_kw: float
    measured_at: datetime | None
    setpoint_a: float | None
    setpoint_until: datetime | None
    allowed_a: float
    bound_by: str


class StationOut(Wire):
    """A station: link, identity, fail-safe, and its EVSEs."""

    id: str
    is_connected: bool
    ocpp: str
    changed_at: datetime | None
    vendor: str
    model: str
    firmware: str
    failsafe: str
    failsafe_a: float | None
    evses: list[EvseOut]


class LimitIn(Wire):
    """A temporary limit. It holds at once, or from ``from_at``, until ``until_at`` or its withdrawal."""

    node: Name
    source: Name
    current_a: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] | None = None
    power_kw: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = None
    export_kw: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = None
    discharge_kw: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)] | None = None
    unbalance_a: Annotated[float, Field(ge=0, le=10_000, allow_inf_nan=False)] | None = None
    kind: LimitKind = LimitKind.HARD
    from_at: AwareDatetime | None = None
    until_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> Self:
        if all(getattr(self, name) is None for name in BOUNDS):
            raise ValueError(f"give at least one of {', '.join(BOUNDS)} (amperes are per phase)")
        if self.until_at is not None:
            begin = self.from_at or datetime.now(UTC) - timedelta(days=36_500)
            if self.until_at <= begin:
                raise ValueError("until_at must be later than from_at")
        return self


class LimitOut(Wire):
    """A temporary limit. ``is_in_force``: its time has come; ``binds``: no tighter limit of the node stands before it."""

    id: str
    node: str
    source: str
    current_a: float | None
    power_kw: float | None
    export_kw: float | None
    discharge_kw: float | None
    unbalance_a: float | None
    kind: LimitKind
    from_at: datetime | None
    until_at: datetime | None
    is_in_force: bool
    binds: bool
    withdrawn_at: datetime | None = None

    @classmethod
    def of(cls, limit: Limit, *, in_force: bool, binds: bool, withdrawn_at: datetime | None = None) -> Self:
        """From the domain."""
        return cls(
            id=limit.id,
            node=limit.node,
            source=limit.source,
            current_a=limit.current_a,
            power_kw=limit.power_kw,
            export_kw=limit.export_kw,
            discharge_kw=limit.discharge_kw,
            unbalance_a=limit.unbalance_a,
            kind=limit.kind,
            from_at=limit.from_at,
            until_at=limit.until_at,
            is_in_force=in_force,
            binds=binds,
            withdrawn_at=withdrawn_at,
        )


class EventOut(Wire):
    """An event of the log; ``data`` has its fields."""

    seq: int
    kind: str
    at: datetime
    data: dict[str, object]


class AlarmOut(Wire):
    """An alarm with what to do about it."""

    key: str
    severity: Literal["info", "warning", "critical"]
    message: str
    remedy: str
    raised_at: datetime
    cleared_at: datetime | None = None

    @classmethod
    def of(cls, alarm: AlarmRaised, cleared_at: datetime | None = None) -> Self:
        """From the domain."""
        return cls(
            key=alarm.key,
            severity=alarm.severity.value,
            message=alarm.message,
            remedy=alarm.remedy,
            raised_at=alarm.at,
            cleared_at=cleared_at,
        )


class FrameOut(Wire):
    """A redacted OCPP frame."""

    at: datetime
    station: str
    direction: str
    text: str


class HealthOut(Wire):
    """Is the service well; ``reasons`` say what is not."""

    ok: bool
    reasons: list[str] = []
