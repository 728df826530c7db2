"""What a session still needs: energy, time and the power it can take. Shared by the optimiser and the rules."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loadmgr import units
from loadmgr.control import bounds, charger_state, evidence, v2x
from loadmgr.control.state import SiteState
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.session import ENERGY_MAX_KWH, Session
from loadmgr.domain.site import Evse, full_power_kw
from loadmgr.forecast import departures

OVERTIME = timedelta(hours=1)
"""A car that stays past its departure is planned for this long, at a low priority [C12]."""

OVERTIME_FACTOR = 0.3
BOOST_FACTOR = 5.0
"""A shortfall of a session with priority charging weighs that much more (K21, K22)."""

UNKNOWN_REST_KWH = 2.0
"""A car of which nobody said what it needs gets at least this much ahead, as long as it takes energy."""


EARLY_S = 300.0
EARLY_FRAC = 0.1
"""Plans end this much before the departure (at most this part of the time left): cars follow late and not quite."""

FULL_KWH = 0.0005
"""Less than this is nothing: half a watt-hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A car's battery as far as it is known, kWh.

    ``discharge_max_kw`` is 0 unless charger, contract and driver allow it [A-101]; ``taper`` is (α, β) of the cut
    p <= α − β·stored on direct current.
    """

    stored_kwh: float
    capacity_kwh: float
    reserve_kwh: float
    discharge_max_kw: float
    efficiency: float
    taper: tuple[float, float] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Remaining need of a session. ``power_max_kw`` is at the AC side with ``n_phases`` phases in use.

    ``energy_kwh`` is what is still to be drawn, or with a ``store`` that may discharge what is still to be stored
    (negative when the car may leave with less than it holds).
    """

    session: Session
    energy_kwh: float
    depart_at: datetime
    priority: float
    power_max_kw: float
    n_phases: int
    store: Store | None = None
    promised_kwh: float = 0.0
    """What is still owed of what was promised; it goes before what others want beyond their promises."""
    current_min_a: float = 6.0
    """The least that EVSE and car can follow, A per phase [A-80, F-10]."""
    told_kw: float = 0.0
    """Power that the newest order tells a car that may deliver, negative: deliver; 0 for one that only gets a limit."""
    bound_by: str = ""
    """The limit at which the session is held: ``energy``, ``time``, ``soc`` (of station or ours), ``held`` by the station;
    empty while none of them is reached."""

    @property
    def is_bidirectional(self) -> bool:
        """True when the car may deliver."""
        return self.store is not None and self.store.discharge_max_kw > 0.0

    @property
    def is_open(self) -> bool:
        """True while the car shall get energy or may deliver."""
        return self.energy_kwh > FULL_KWH or self.is_bidirectional


def need_of(state: SiteState, session: Session, now: datetime, *, learns: bool = False) -> Need:
    """What a session still needs at ``now``; wishes beyond reason are clipped [C14].

    ``learns``: what nobody said is taken from earlier stays, and drivers' words are corrected by them where the site
    file says so; for plans, too slow for every second.
    """
    params = state.params
    evse = state.site.evses[session.evse]
    n_phases = min(session.n_phases or evse.caps.n_phases, evse.caps.n_phases)
    power_max_kw = _power_max_kw(state, session, n_phases, now)
    store = _store(state, session, evse, (power_max_kw, v2x.discharge_max_kw(state, session, now)))
    energy_kwh, priority = _energy(state, session, store, learns=learns)
    if session.has_priority:
        priority *= BOOST_FACTOR
    left_kwh, bound_by = bounds.left_kwh(session, now)
    if left_kwh is not None:
        energy_kwh = min(energy_kwh, left_kwh)
    if bound_by and store is not None:
        store = replace(store, discharge_max_kw=0.0)
    depart_at = bounds.ends_at(session, _departure(state, session, now, learns=learns))
    if depart_at <= now + timedelta(seconds=params.plan_s):
        depart_at, priority = now + OVERTIME, priority * OVERTIME_FACTOR
    else:
        depart_at -= min(timedelta(seconds=EARLY_S), (depart_at - now) * EARLY_FRAC)
    promise = state.energy.promises.open.get(session.id)
    promised_kwh = max(promise.energy_kwh - session.energy_kwh, 0.0) if promise is not None else 0.0
    is_bidirectional = store is not None and store.discharge_max_kw > 0.0
    return Need(
        session=session,
        energy_kwh=energy_kwh if is_bidirectional else max(energy_kwh, 0.0),
        depart_at=depart_at,
        priority=priority,
        power_max_kw=power_max_kw,
        n_phases=n_phases,
        store=store,
        promised_kwh=promised_kwh,
        current_min_a=max(evse.caps.current_min_a, session.car_min_a or 0.0),
        told_kw=_told_kw(state, session),
        bound_by=bound_by,
    )


def _told_kw(state: SiteState, session: Session) -> float:
    order = state.evses[session.evse].last_order
    told = order.setpoint.power_kw if order is not None else None
    return told if told is not None else 0.0


def _energy(state: SiteState, session: Session, store: Store | None, *, learns: bool) -> tuple[float, float]:
    """Energy still needed and the priority it has."""
    intent, params = session.intent, state.params
    if store is not None and intent.soc_target_frac is not None:
        lacking_kwh = intent.soc_target_frac * store.capacity_kwh - store.stored_kwh
        return lacking_kwh if store.discharge_max_kw > 0.0 else lacking_kwh / store.efficiency, intent.priority
    history, said_kwh = state.energy.history, intent.energy_kwh
    if said_kwh is not None:
        expected = departures.energy_kwh(history, session.id_tag, said_kwh) if learns and not params.trusts_drivers else None
        rest_kwh = min(expected if expected is not None else said_kwh, ENERGY_MAX_KWH) - session.energy_kwh
        if expected is not None and rest_kwh < UNKNOWN_REST_KWH < said_kwh - session.energy_kwh:
            rest_kwh = UNKNOWN_REST_KWH  # it takes more than expected: go on in small portions up to its word
        return rest_kwh, intent.priority
    usual = departures.energy_kwh(history, session.id_tag, None) if learns else None
    energy_kwh = (params.energy_default_kwh if usual is None else usual) - session.energy_kwh
    if energy_kwh < UNKNOWN_REST_KWH:
        return UNKNOWN_REST_KWH, intent.priority * OVERTIME_FACTOR
    return energy_kwh, intent.priority


def _departure(state: SiteState, session: Session, now: datetime, *, learns: bool) -> datetime:
    said, params, history = session.intent.depart_at, state.params, state.energy.history
    user, began = session.id_tag, session.started_at
    if said is not None:
        if not learns or params.trusts_drivers:
            return said
        return departures.trusted_departure(history, user, began, said, now, quantile=params.depart_quantile)
    usual = None
    if learns:
        zone = state.site.timezone
        usual = departures.departure(history, user, began, now, timezone=zone, quantile=params.depart_quantile)
    return usual or began + timedelta(seconds=params.stay_default_s)


def _store(state: SiteState, session: Session, evse: Evse, powers_kw: tuple[float, float]) -> Store | None:
    """The car's battery, where capacity and state of charge are known and somebody asks for them.

    ``powers_kw`` = the most it may draw, and the most it can be commanded to deliver now.
    """
    intent, params = session.intent, state.params
    power_max_kw, deliver_max_kw = powers_kw
    if intent.capacity_kwh is None or session.soc_frac is None:
        return None
    capacity_kwh = intent.capacity_kwh
    may = intent.may_discharge and intent.soc_target_frac is not None
    discharge_max_kw = min(deliver_max_kw, power_max_kw) if may else 0.0
    efficiency = params.v2g_efficiency if discharge_max_kw > 0.0 else 1.0
    drawn_kwh = (session.energy_kwh - session.soc_at_kwh) * efficiency
    taper = None
    if evse.caps.is_dc and params.taper_from_frac < 1.0:
        fall = power_max_kw * (1.0 - params.taper_end_frac) / ((1.0 - params.taper_from_frac) * capacity_kwh)
        taper = (power_max_kw + fall * params.taper_from_frac * capacity_kwh, fall)
    if discharge_max_kw <= 0.0 and taper is None and intent.soc_target_frac is None:
        return None
    return Store(
        stored_kwh=min(max(session.soc_frac * capacity_kwh + drawn_kwh, 0.0), capacity_kwh),
        capacity_kwh=capacity_kwh,
        reserve_kwh=intent.reserve_frac * capacity_kwh,
        discharge_max_kw=discharge_max_kw,
        efficiency=efficiency,
        taper=taper,
    )


def _power_max_kw(state: SiteState, session: Session, n_phases: int, now: datetime) -> float:
    evse = state.site.evses[session.evse]
    known = state.evses[session.evse]
    current_a = evse.caps.current_max_a
    if session.car_max_a is not None:
        current_a = min(current_a, session.car_max_a)
    shown_a = evidence.cap_a(known, now)
    if shown_a is not None:
        current_a = min(current_a, max(shown_a, evse.caps.current_min_a))
    foreign_a, foreign_kw = charger_state.external_a(state.chargers, evse.id, evse.station, now)
    if foreign_a is not None:
        current_a = min(current_a, foreign_a)
    if foreign_kw is not None:
        current_a = min(current_a, units.kw_to_a(foreign_kw, evse.caps.voltage_v, n_phases))
    if current_a < (session.car_min_a or 0.0):
        current_a = 0.0  # less than the car can follow is nothing [F-10]
    if known.status in {EvseStatus.FAULTED, EvseStatus.UNAVAILABLE, EvseStatus.FINISHING}:
        current_a = 0.0
    power_kw = min(units.a_to_kw(current_a, evse.caps.voltage_v, n_phases), full_power_kw(evse.caps))
    return power_kw if session.car_max_kw is None else min(power_kw, max(session.car_max_kw, 0.0))
