"""Wire models of sessions, their limits, and reservations."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Self

from pydantic import AwareDatetime, Field, model_validator

from api.schemas import Wire
from loadmgr.domain.events import EvseReserved
from loadmgr.domain.session import ENERGY_MAX_KWH, PRIORITY_MAX, PRIORITY_MIN, Session

STAY_MAX = timedelta(days=7)
BOOK_AHEAD_MAX = timedelta(days=30)
Energy = Annotated[float, Field(ge=0, le=ENERGY_MAX_KWH, allow_inf_nan=False)]
Part = Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)]
Money = Annotated[float, Field(ge=0, le=1_000_000, allow_inf_nan=False)]
Percent = Annotated[int, Field(ge=1, le=100)]
IdTag = Annotated[str, Field(min_length=1, max_length=36, pattern=r"^[^\x00-\x1f]+$")]


class LimitsOut(Wire):
    """What ends a session before its wish is met: what the station enforces, and at what we pause it."""

    bound_kwh: float | None
    bound_until: datetime | None
    bound_soc_frac: float | None
    limit_kwh: float | None
    limit_until: datetime | None
    limit_soc_frac: float | None
    limit_cost: float | None
    price_per_kwh: float | None


class SessionOut(Wire):
    """A session; energy counts from its start. ``anomalies``: what its register did that a bill should know."""

    id: str
    evse: str
    transaction: str
    id_tag: str
    started_at: datetime
    ended_at: datetime | None
    end_reason: str
    energy_kwh: float
    is_estimated: bool
    energy_wanted_kwh: float | None
    depart_at: datetime | None
    priority: float
    intent_source: str
    capacity_kwh: float | None
    soc_frac: float | None
    soc_target_frac: float | None
    may_discharge: bool
    reserve_frac: float
    limits: LimitsOut
    notify_soc: list[int]
    milestones: list[str]
    anomalies: list[str]

    @classmethod
    def of(cls, session: Session) -> Self:
        """From the domain."""
        intent = session.intent
        return cls(
            id=session.id,
            evse=session.evse,
            transaction=session.transaction,
            id_tag=session.id_tag,
            started_at=session.started_at,
            ended_at=session.ended_at,
            end_reason=session.end_reason,
            energy_kwh=round(session.energy_kwh, 4),
            is_estimated=session.estimated_kwh > 0.0,
            energy_wanted_kwh=intent.energy_kwh,
            depart_at=intent.depart_at,
            priority=intent.priority,
            intent_source=intent.source,
            capacity_kwh=intent.capacity_kwh,
            soc_frac=session.soc_frac,
            soc_target_frac=intent.soc_target_frac,
            may_discharge=intent.may_discharge,
            reserve_frac=intent.reserve_frac,
            limits=_limits(session),
            notify_soc=list(intent.notify_soc),
            milestones=list(session.milestones),
            anomalies=list(session.anomalies),
        )


def _limits(session: Session) -> LimitsOut:
    intent = session.intent
    return LimitsOut(
        bound_kwh=session.bound_kwh,
        bound_until=session.bound_until,
        bound_soc_frac=session.bound_soc_frac,
        limit_kwh=intent.limit_kwh,
        limit_until=intent.limit_until,
        limit_soc_frac=intent.limit_soc_frac,
        limit_cost=intent.limit_cost,
        price_per_kwh=intent.price_per_kwh,
    )


class IntentIn(Wire):
    """What a session shall get; fields that are left out stay as they are, ``null`` takes a word back.

    At ``limit_kwh``, ``limit_until``, ``limit_soc_frac`` or ``limit_cost`` (at ``price_per_kwh``) the session is paused.
    """

    energy_kwh: Energy | None = None
    depart_at: AwareDatetime | None = None
    priority: Annotated[float, Field(ge=PRIORITY_MIN, le=PRIORITY_MAX, allow_inf_nan=False)] | None = None
    capacity_kwh: Annotated[float, Field(gt=0, le=500, allow_inf_nan=False)] | None = None
    soc_target_frac: Part | None = None
    may_discharge: bool | None = None
    reserve_frac: Part | None = None
    limit_kwh: Energy | None = None
    limit_until: AwareDatetime | None = None
    limit_soc_frac: Part | None = None
    limit_cost: Money | None = None
    price_per_kwh: Annotated[float, Field(gt=0, le=1000, allow_inf_nan=False)] | None = None
    notify_soc: Annotated[tuple[Percent, ...], Field(max_length=20)] | None = None

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.model_fields_set:
            raise ValueError(f"give at least one of {', '.join(type(self).model_fields)}")
        for name in ("priority", "may_discharge", "reserve_frac", "notify_soc"):
            if name in self.model_fields_set and getattr(self, name) is None:
                raise ValueError(f"{name} cannot be null; leave it out to keep it as it is")
        return self


class StartOrder(Wire):
    """A remote start at an EVSE for an id tag."""

    evse: Annotated[str, Field(min_length=1, max_length=64)]
    id_tag: IdTag


class CommandOut(Wire):
    """A command that was handed to a station; ``CommandAnswered`` with this number tells what became of it.

    ``first_a``: with a start, what the car may draw at once, A per phase.
    """

    no: int
    station: str
    evse: str
    first_a: float | None = None


class ReservationIn(Wire):
    """A booking of an EVSE, or of any EVSE of a station, for the car of an id tag."""

    evse: Annotated[str, Field(min_length=1, max_length=64)] | None = None
    station: Annotated[str, Field(min_length=1, max_length=48)] | None = None
    id_tag: IdTag
    from_at: AwareDatetime
    until_at: AwareDatetime
    energy_kwh: Energy | None = None
    depart_at: AwareDatetime | None = None

    @model_validator(mode="after")
    def _one_place(self) -> Self:
        if (self.evse is None) == (self.station is None):
            raise ValueError("give either evse or station")
        if self.until_at - self.from_at > STAY_MAX:
            raise ValueError("until_at must be at most seven days after from_at")
        return self


class ReservationOut(Wire):
    """An open reservation."""

    reservation: int
    evse: str
    id_tag: str
    from_at: datetime
    until_at: datetime
    energy_kwh: float | None
    depart_at: datetime | None

    @classmethod
    def of(cls, reserved: EvseReserved) -> Self:
        """From the domain."""
        return cls(
            reservation=reserved.reservation,
            evse=reserved.evse,
            id_tag=reserved.id_tag,
            from_at=reserved.from_at,
            until_at=reserved.until_at,
            energy_kwh=reserved.energy_kwh,
            depart_at=reserved.depart_at,
        )
