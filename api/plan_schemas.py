"""Wire models of plans and promises."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Self

from pydantic import AwareDatetime, Field

from api.schemas import Name, Wire
from loadmgr.control.promise import Promise
from loadmgr.domain.plan import Plan, Receipt, RowWorth, Why
from loadmgr.domain.session import ENERGY_MAX_KWH


class WhyOut(Wire):
    """What binds a session from ``from_at`` until ``until_at``: a limit row, ``evse``, ``energy`` or ``price``."""

    from_at: datetime
    until_at: datetime
    name: str
    source: str
    price_per_kwh: float | None

    @classmethod
    def of(cls, why: Why, plan: Plan) -> Self:
        """From the domain."""
        return cls(
            from_at=plan.begin_of(why.from_step),
            until_at=plan.begin_of(why.until_step),
            name=why.name,
            source=why.source,
            price_per_kwh=why.price_per_kwh,
        )


class ReceiptOut(Wire):
    """What a session will lack, why, and what would cure it, each by itself; estimates."""

    lacking_kwh: float
    reason: str
    source: str
    more_time_s: float | None
    more_limit: float | None
    limit_unit: str
    instead_of: str | None

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        """From the domain."""
        return cls(
            lacking_kwh=receipt.lacking_kwh,
            reason=receipt.reason,
            source=receipt.source,
            more_time_s=receipt.more_time_s,
            more_limit=receipt.more_limit,
            limit_unit=receipt.limit_unit,
            instead_of=receipt.instead_of,
        )


class WorthOut(Wire):
    """What one more ``unit`` in a full row would save per hour, in the tariff's currency."""

    name: str
    source: str
    unit: str
    from_at: datetime
    until_at: datetime
    worth_per_h: float

    @classmethod
    def of(cls, worth: RowWorth, plan: Plan) -> Self:
        """From the domain."""
        return cls(
            name=worth.name,
            source=worth.source,
            unit=worth.unit,
            from_at=plan.begin_of(worth.from_step),
            until_at=plan.begin_of(worth.until_step),
            worth_per_h=worth.worth_per_h,
        )


class PlannedOut(Wire):
    """A session in the plan: power per step (negative: the car delivers), what binds it, and what it will lack."""

    session: str
    evse: str
    power_kw: list[float]
    bound_by: str
    bound_source: str
    shortfall_kwh: float
    why: list[WhyOut]
    receipt: ReceiptOut | None


class BatteryPlanOut(Wire):
    """A stationary battery in the plan: power per step, charging positive."""

    battery: str
    power_kw: list[float]


class PlanOut(Wire):
    """The plan in force. ``step_s`` are the lengths of the steps from ``made_at``; ``costs`` are parts of the objective."""

    no: int
    made_at: datetime
    engine: str
    status: str
    rule_based: bool
    solve_ms: float
    step_s: list[float]
    base_kw: list[float]
    import_kw: list[float]
    export_kw: list[float]
    curtailed_kw: list[float]
    sessions: list[PlannedOut]
    batteries: list[BatteryPlanOut]
    worth: list[WorthOut]
    costs: dict[str, float]

    @classmethod
    def of(cls, plan: Plan) -> Self:
        """From the domain."""
        pairs = zip(plan.batteries, plan.battery_kw, strict=True)
        return cls(
            no=plan.no,
            made_at=plan.made_at,
            engine=plan.engine,
            status=plan.status,
            rule_based=plan.rule_based,
            solve_ms=plan.solve_ms,
            step_s=list(plan.step_s),
            base_kw=list(plan.base_kw),
            import_kw=list(plan.import_kw),
            export_kw=list(plan.export_kw),
            curtailed_kw=list(plan.curtailed_kw),
            sessions=_planned(plan),
            batteries=[BatteryPlanOut(battery=name, power_kw=list(power)) for name, power in pairs],
            worth=[WorthOut.of(w, plan) for w in plan.worth],
            costs={c.name: c.money for c in plan.costs},
        )


def _planned(plan: Plan) -> list[PlannedOut]:
    bindings = {b.session: b for b in plan.bindings}
    receipts = {r.session: r for r in plan.receipts}
    found = []
    for i, session in enumerate(plan.sessions):
        binding, receipt = bindings.get(session), receipts.get(session)
        found.append(
            PlannedOut(
                session=session,
                evse=plan.evses[i],
                power_kw=list(plan.power_kw[i]),
                bound_by=binding.name if binding is not None else "",
                bound_source=binding.source if binding is not None else "",
                shortfall_kwh=plan.shortfall_kwh[i],
                why=[WhyOut.of(w, plan) for w in plan.whys if w.session == session],
                receipt=ReceiptOut.of(receipt) if receipt is not None else None,
            )
        )
    return found


class PromiseIn(Wire):
    """A car that asks: at which EVSE, how much, until when."""

    evse: Name
    energy_kwh: Annotated[float, Field(ge=0, le=ENERGY_MAX_KWH, allow_inf_nan=False)]
    depart_at: AwareDatetime


class PromiseOut(Wire):
    """What can be promised now: kWh from the plug-in, by ``by_at``; ``lacking_kwh`` of the wish cannot."""

    evse: str
    energy_kwh: float
    by_at: datetime
    lacking_kwh: float

    @classmethod
    def of(cls, promise: Promise) -> Self:
        """From the domain."""
        return cls(
            evse=promise.evse,
            energy_kwh=round(promise.energy_kwh, 3),
            by_at=promise.by_at,
            lacking_kwh=round(promise.lacking_kwh, 3),
        )


class OpenPromiseOut(Wire):
    """What a running session was promised, kWh from its start."""

    session: str
    energy_kwh: float
    by_at: datetime


class PromisesOut(Wire):
    """Promises since the service started: kept, broken, void (the car left earlier), and those that are open.

    ``kept_frac`` is kept of kept and broken; ``null`` before the first.
    """

    n_kept: int
    n_broken: int
    n_void: int
    kept_frac: float | None
    open: list[OpenPromiseOut]


class BatteryIn(Wire):
    """What a stationary battery holds and draws now; charging positive."""

    stored_kwh: Annotated[float, Field(ge=0, le=100_000, allow_inf_nan=False)]
    power_kw: Annotated[float, Field(ge=-100_000, le=100_000, allow_inf_nan=False)]


class PeakOut(Wire):
    """The highest mean import of a demand charge in a billing period."""

    charge: str
    period: str
    power_kw: float
