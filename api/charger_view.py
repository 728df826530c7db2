"""What an operator must see of every charger: its link, how it obeys, its present orders, and what is wrong with it.

Pure: from the state and the time. The HTTP API and the dashboard show the same words.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime

from api.charger_problems import Problem, counts_of, problems_of
from api.order_view import OrderView, form_words, order_view
from loadmgr.control import fallback, v2x
from loadmgr.control.charger_state import STANDARD
from loadmgr.control.dispatch import needs_of
from loadmgr.control.evse_state import Obedience
from loadmgr.control.state import SiteState, allowed_a, forms_of
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId, StationId
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.traits import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class OrdersView:
    """An EVSE and its orders, the newest last. ``desired_a`` is what the plan gives now; ``None``: nothing is planned.

    ``paused_at``: we paused its car by a remote stop. ``drawn_a`` and ``offered_a`` are of the last sample;
    ``n_remedies`` counts since the session began.
    """

    evse: EvseId
    status: str
    session: SessionId | None
    desired_a: float | None
    orders: tuple[OrderView, ...]
    allowed_a: float
    drawn_a: PerPhase
    offered_a: float | None
    measured_at: datetime | None
    form: str
    form_no: int
    n_forms: int
    n_refused: int
    n_remedies: int
    remedied_at: datetime | None
    paused_at: datetime | None
    excess_since: datetime | None
    is_disobedient: bool
    obedience: Obedience
    composite: ev.CompositeRead | None

    @property
    def order(self) -> OrderView | None:
        """The newest order."""
        return self.orders[-1] if self.orders else None


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargerView:
    """A station as an operator sees it; ``problems`` come worst first, then the oldest."""

    station: StationId
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
    obedience: Obedience
    evses: tuple[OrdersView, ...]
    problems: tuple[Problem, ...]
    externals: tuple[ev.ExternalLimitSet, ...]
    der: tuple[ev.DerControlStored, ...]
    der_active: tuple[str, ...]
    der_alarms: tuple[ev.DerAlarm, ...]

    @property
    def severity(self) -> str:
        """``ok``, or that of the worst problem."""
        return self.problems[0].severity.value if self.problems else "ok"


def mean_effect_s(counts: Obedience) -> float | None:
    """Mean time from the answer to a decrease to its evidence, or ``None`` before the first."""
    return counts.effect_s / counts.n_decreases if counts.n_decreases else None


def charger_views(state: SiteState, now: datetime) -> tuple[ChargerView, ...]:
    """Every station in the order of the site file."""
    desired = fallback.wanted_by_plan(state, needs_of(state, now), now) if fallback.is_plan_fresh(state, now) else {}
    return tuple(_charger(state, station, desired, now) for station in state.stations)


def charger_view(state: SiteState, station: StationId, now: datetime) -> ChargerView:
    """One station. Raises ``KeyError`` for one that the site does not have."""
    desired = fallback.wanted_by_plan(state, needs_of(state, now), now) if fallback.is_plan_fresh(state, now) else {}
    return _charger(state, station, desired, now)


def _charger(state: SiteState, station: StationId, desired: Mapping[SessionId, float], now: datetime) -> ChargerView:
    known, chargers = state.stations[station], state.chargers
    evses = tuple(_orders(state, e, desired, now) for e in state.site.stations[station].evses)
    der = tuple(x for (s, _), x in chargers.der.items() if s == station)
    externals = (x for x in chargers.externals.values() if x.station == station)
    return ChargerView(
        station=station,
        is_connected=known.is_connected,
        link_since=known.changed_at,
        ocpp=known.ocpp,
        vendor=known.vendor,
        model=known.model,
        firmware=known.firmware,
        serial=known.serial,
        booted_at=known.booted_at,
        failsafe=known.failsafe.value,
        failsafe_a=known.failsafe_a,
        failsafe_at=known.failsafe_at,
        obedience=counts_of(state, station),
        evses=evses,
        problems=problems_of(state, station, now),
        externals=tuple(x for x in externals if x.until_at is None or now < x.until_at),
        der=der,
        der_active=tuple(x.control.id for x in der if v2x.is_active(x, now)),
        der_alarms=tuple(x for (s, _), x in chargers.der_alarms.items() if s == station),
    )


# -- orders --------------------------------------------------------------------------------------------------------


def _orders(state: SiteState, evse: EvseId, desired: Mapping[SessionId, float], now: datetime) -> OrdersView:
    known, forms = state.evses[evse], forms_of(state, evse)
    sample = known.sample
    form = forms[known.form_no % len(forms)]
    return OrdersView(
        evse=evse,
        status=known.status.value,
        session=known.session,
        desired_a=desired.get(known.session) if known.session is not None else None,
        orders=tuple(order_view(o, now) for o in known.orders),
        allowed_a=allowed_a(state, evse, now),
        drawn_a=known.draw_a(),
        offered_a=sample.measured.offered_a if sample is not None else None,
        measured_at=sample.measured_at if sample is not None else None,
        form=form_words(form),
        form_no=known.form_no % len(forms),
        n_forms=len(forms),
        n_refused=known.n_refused,
        n_remedies=known.n_remedies,
        remedied_at=known.remedied_at,
        paused_at=known.paused_at if known.paused is not None else None,
        excess_since=known.excess_since,
        is_disobedient=known.is_disobedient,
        obedience=known.obedience,
        composite=state.chargers.composites.get(evse),
    )


def unusual(traits: Traits) -> tuple[tuple[str, str, str], ...]:
    """(name, value, value of the standard) of every trait that differs from the standard."""
    pairs = ((f.name, getattr(traits, f.name), getattr(STANDARD, f.name)) for f in fields(Traits))
    return tuple((name, _said(value), _said(usual)) for name, value, usual in pairs if value != usual)


def _said(value: object) -> str:
    match value:
        case None:
            return "not known"
        case bool():
            return "yes" if value else "no"
        case tuple():
            return ", ".join(_said(v) for v in value) or "none"
        case float():
            return f"{value:g}"
        case _:
            return str(value)
