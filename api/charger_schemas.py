"""Wire models of chargers: obedience, orders, peculiarities, problems."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field, field_validator

from api.charger_history import Told
from api.charger_problems import Problem
from api.charger_view import ChargerView, OrdersView, mean_effect_s, unusual
from api.schemas import PerPhase, Wire
from loadmgr.control.evse_state import Obedience
from loadmgr.domain import events as ev
from loadmgr.domain.traits import Traits

Transfer = Literal[
    "AC_single_phase",
    "AC_two_phase",
    "AC_three_phase",
    "DC",
    "AC_BPT",
    "AC_BPT_DER",
    "AC_DER",
    "DC_BPT",
    "DC_ACDP",
    "DC_ACDP_BPT",
    "WPT",
]
"""Energy transfer modes of OCPP 2.1."""


class ObedienceOut(Wire):
    """How orders came true since the service started. ``obeyed_frac``: obeyed of all that was decided (judged by
    evidence, refused, unanswered); ``mean_effect_s``: from the answer to the evidence. ``null`` before the first.
    """

    obeyed_frac: float | None
    n_judged: int
    n_obeyed: int
    n_refused: int
    n_unanswered: int
    mean_effect_s: float | None

    @classmethod
    def of(cls, counts: Obedience) -> Self:
        """From the domain."""
        return cls(
            obeyed_frac=counts.frac,
            n_judged=counts.n_judged,
            n_obeyed=counts.n_obeyed,
            n_refused=counts.n_refused,
            n_unanswered=counts.n_unanswered,
            mean_effect_s=mean_effect_s(counts),
        )


class FigureOut(Wire):
    """Obedience of one station, or of one vendor, model and firmware."""

    name: str
    n_evses: int
    obedience: ObedienceOut


class ObediencesOut(Wire):
    """Stations that were ever commanded, and the models they are of."""

    by_station: list[FigureOut]
    by_model: list[FigureOut]


class ProblemOut(Wire):
    """What is wrong, since when, and what to do. ``evse`` ``null``: it concerns the station."""

    severity: Literal["info", "warning", "critical"]
    message: str
    remedy: str
    since: datetime | None
    evse: str | None

    @classmethod
    def of(cls, problem: Problem) -> Self:
        """From the view."""
        return cls(
            severity=problem.severity.value,
            message=problem.message,
            remedy=problem.remedy,
            since=problem.since,
            evse=problem.evse,
        )


class OrderOut(Wire):
    """An order. ``stage``: sent, accepted, effective, unanswered, in-doubt (it is sent again) or expired (the fail-safe
    holds); ``evidence``: ``offered`` or ``measured``; ``form``: how it was dressed; ``is_late``: the next is overdue.
    """

    no: int
    stage: str
    current_a: float
    power_kw: float | None
    form: str
    bound_by: str
    sent_at: datetime
    answered_at: datetime | None
    effective_at: datetime | None
    evidence: str
    valid_until: datetime
    is_late: bool


class CompositeOut(Wire):
    """What the station said it will do: pairs of seconds from ``from_at`` and A per phase; ``differs`` in words."""

    read_at: datetime
    from_at: datetime
    limits_a: list[tuple[float, float]]
    differs: str

    @classmethod
    def of(cls, read: ev.CompositeRead) -> Self:
        """From the domain."""
        return cls(read_at=read.at, from_at=read.from_at, limits_a=list(read.limits_a), differs=read.differs)


class EvseOrdersOut(Wire):
    """Desired → sent → accepted → effective. ``desired_a``: what the plan gives now; ``order``: the newest one;
    ``may_hold``: older ones that may still be in force; ``form`` is the one tried next, number ``form_no`` of ``n_forms``.
    """

    evse: str
    status: str
    session: str | None
    desired_a: float | None
    order: OrderOut | None
    may_hold: list[OrderOut]
    allowed_a: float
    drawn_a: PerPhase
    offered_a: float | None
    measured_at: datetime | None
    form: str
    form_no: int
    n_forms: int
    n_refused_in_row: int
    n_remedies: int
    remedied_at: datetime | None
    paused_at: datetime | None
    excess_since: datetime | None
    is_disobedient: bool
    obedience: ObedienceOut
    composite: CompositeOut | None

    @classmethod
    def of(cls, view: OrdersView) -> Self:
        """From the view."""
        orders = [OrderOut.model_validate(o) for o in view.orders]
        return cls(
            evse=view.evse,
            status=view.status,
            session=view.session,
            desired_a=view.desired_a,
            order=orders[-1] if orders else None,
            may_hold=orders[:-1],
            allowed_a=view.allowed_a,
            drawn_a=view.drawn_a,
            offered_a=view.offered_a,
            measured_at=view.measured_at,
            form=view.form,
            form_no=view.form_no,
            n_forms=view.n_forms,
            n_refused_in_row=view.n_refused,
            n_remedies=view.n_remedies,
            remedied_at=view.remedied_at,
            paused_at=view.paused_at,
            excess_since=view.excess_since,
            is_disobedient=view.is_disobedient,
            obedience=ObedienceOut.of(view.obedience),
            composite=CompositeOut.of(view.composite) if view.composite is not None else None,
        )


class ExternalOut(Wire):
    """A limit that somebody else imposed, as the station told it; without values it did not say how much."""

    evse: str | None
    source: str
    current_a: float | None
    power_kw: float | None
    until_at: datetime | None
    is_critical: bool
    is_generation: bool
    told_at: datetime

    @classmethod
    def of(cls, limit: ev.ExternalLimitSet) -> Self:
        """From the domain."""
        return cls(
            evse=limit.evse,
            source=limit.source,
            current_a=limit.current_a,
            power_kw=limit.power_kw,
            until_at=limit.until_at,
            is_critical=limit.is_critical,
            is_generation=limit.is_generation,
            told_at=limit.at,
        )


class DerOut(Wire):
    """A DER control that the station holds; ``is_active``: in force now; superseded ones wait behind another."""

    id: str
    control_type: str
    is_default: bool
    is_active: bool
    is_superseded: bool
    priority: int
    from_at: datetime | None
    duration_s: float | None
    values: dict[str, float]

    @classmethod
    def of(cls, stored: ev.DerControlStored, *, is_active: bool) -> Self:
        """From the domain."""
        control = stored.control
        return cls(
            id=control.id,
            control_type=control.control_type,
            is_default=control.is_default,
            is_active=is_active,
            is_superseded=stored.is_superseded,
            priority=control.priority,
            from_at=control.from_at,
            duration_s=control.duration_s,
            values=dict(control.values),
        )


class DerAlarmOut(Wire):
    """A DER function that tripped; while it lasts delivery counts as zero."""

    control_type: str
    fault: str
    info: str
    since: datetime


class ChargerOut(Wire):
    """A station: link, identity, problems (worst first), obedience, orders, foreign limits, DER controls.

    ``severity`` is ``ok`` or that of the worst problem.
    """

    station: str
    severity: Literal["ok", "info", "warning", "critical"]
    problems: list[ProblemOut]
    is_connected: bool
    link_since: datetime | None
    ocpp: str
    vendor: str
    model: str
    firmware: str
    serial: str
    booted_at: datetime | None
    failsafe: str
    failsafe_a: float | None
    failsafe_at: datetime | None
    obedience: ObedienceOut
    evses: list[EvseOrdersOut]
    external_limits: list[ExternalOut]
    der_controls: list[DerOut]
    der_alarms: list[DerAlarmOut]

    @classmethod
    def of(cls, view: ChargerView) -> Self:
        """From the view."""
        return cls.model_validate(_fields(view))


def _fields(view: ChargerView) -> dict[str, object]:
    plain = (
        *("station", "severity", "is_connected", "link_since", "ocpp", "vendor", "model", "firmware", "serial"),
        *("booted_at", "failsafe", "failsafe_a", "failsafe_at"),
    )
    return {
        **{name: getattr(view, name) for name in plain},
        "problems": [ProblemOut.of(p) for p in view.problems],
        "obedience": ObedienceOut.of(view.obedience),
        "evses": [EvseOrdersOut.of(e) for e in view.evses],
        "external_limits": [ExternalOut.of(x) for x in view.externals],
        "der_controls": [DerOut.of(x, is_active=x.control.id in view.der_active) for x in view.der],
        "der_alarms": [
            DerAlarmOut(control_type=a.control_type, fault=a.fault, info=a.info, since=a.at) for a in view.der_alarms
        ],
    }


class TraitOut(Wire):
    """A peculiarity and what the standard says instead."""

    name: str
    value: str
    standard: str


class RemedyOut(Wire):
    """Something done about an EVSE that did not obey: ``resend``, ``form`` (the next one), ``stop``; or to pause it
    where no limit does: ``pause``, ``resume``.
    """

    at: datetime
    evse: str
    remedy: str
    form_no: int


class ChargerDetailOut(ChargerOut):
    """A station with its peculiarities, the evidence for them, and the remedies tried in this run, newest first."""

    traits: list[TraitOut]
    evidence: list[str]
    evidence_at: datetime | None
    remedies: list[RemedyOut]

    @classmethod
    def detailed(cls, view: ChargerView, traits: Traits, told: Told) -> Self:
        """From the view and the log."""
        remedies = [RemedyOut(at=r.at, evse=r.evse, remedy=r.remedy, form_no=r.form_no) for r in told.remedies]
        return cls.model_validate(
            {
                **_fields(view),
                "traits": [TraitOut(name=n, value=v, standard=s) for n, v, s in unusual(traits)],
                "evidence": list(told.evidence),
                "evidence_at": told.known_at,
                "remedies": remedies,
            }
        )


# -- requests ------------------------------------------------------------------------------------------------------


class PriorityIn(Wire):
    """Priority charging on or off."""

    is_active: bool


class TransferIn(Wire):
    """The energy transfer modes that a session may use."""

    modes: Annotated[list[Transfer], Field(min_length=1, max_length=11)]

    @field_validator("modes")
    @classmethod
    def _once(cls, modes: list[Transfer]) -> list[Transfer]:
        if len(set(modes)) < len(modes):
            raise ValueError("name every mode once")
        return modes


class AfrrIn(Wire):
    """An automatic frequency restoration signal, as its schedule means it; without ``at`` it counts from now."""

    signal: Annotated[int, Field(ge=-(2**31), lt=2**31)]
    at: AwareDatetime | None = None


class AskedOut(Wire):
    """The station was asked; its answer comes as an event ``CommandAnswered`` with this ``no``."""

    station: str
    command: str
    no: int
