"""Which cars may deliver now, and how much: the conditions of [A-101] and the DER controls of their chargers."""

from __future__ import annotations

from datetime import datetime, timedelta

from loadmgr.control.site_state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import StationId
from loadmgr.domain.limits import Tightest, tightest
from loadmgr.domain.session import Session
from loadmgr.domain.site import PHASES, GridNode

SPEAKS = "2.1"
"""The first OCPP version whose setpoints can ask a car to deliver."""

MODE = "CentralSetpoint"
SOC_MARGIN_FRAC = 0.02
"""A reported state of charge is this uncertain: delivery ends that far above the driver's reserve."""

LIMIT_DISCHARGE = "LimitMaxDischarge"
PERCENT = "pctMaxDischargePower"


def is_capable(state: SiteState, session: Session) -> bool:
    """Can this session be commanded to deliver: version, mode, energy transfer and the driver's contract [A-101]?"""
    evse = state.site.evses[session.evse]
    if evse.caps.discharge_max_kw <= 0.0:
        return False
    traits = state.chargers.traits_of(evse.station)
    return (
        state.stations[evse.station].ocpp == SPEAKS
        and MODE in traits.operation_modes
        and "BPT" in session.transfer
        and session.intent.may_discharge
    )


def discharge_max_kw(state: SiteState, session: Session, now: datetime) -> float:
    """The most that a session may deliver at ``now``, kW at the EVSE; zero where a condition is not met.

    Car, charger, DER controls in force and alarms count. Without a state of charge nothing is delivered.
    """
    if not is_capable(state, session):
        return 0.0
    evse = state.site.evses[session.evse]
    if session.soc_frac is None or session.soc_frac <= session.intent.reserve_frac + SOC_MARGIN_FRAC:
        return 0.0
    if any(station == evse.station for station, _ in state.chargers.der_alarms):
        return 0.0  # a tripped function: nothing can be relied on [B-5]
    if _is_uneven(state, session, now):
        return 0.0
    most = evse.caps.discharge_max_kw
    if session.car_discharge_kw is not None:
        most = min(most, session.car_discharge_kw)
    bound = der_bound_kw(state, evse.station, now)
    return most if bound is None else min(most, bound)


def _is_uneven(state: SiteState, session: Session, now: datetime) -> bool:
    """Would delivery pull lines apart that must not differ [F-30]? So it is for a car that was not seen on three lines."""
    if session.n_phases == len(PHASES):
        return False
    path = state.site.path(state.site.evses[session.evse].node)
    return any(_bound(state, node, now).unbalance_a is not None for node in path)


def _bound(state: SiteState, node: GridNode, now: datetime) -> Tightest:
    return tightest((*node.limits, *(x for x in state.limits.values() if x.node == node.id)), now)


def der_bound_kw(state: SiteState, station: StationId, now: datetime) -> float | None:
    """What the DER controls in force let a station deliver, kW; ``None`` when none of them bounds it."""
    rated = state.chargers.traits_of(station).discharge_rated_kw
    if rated is None:
        rated = sum(state.site.evses[e].caps.discharge_max_kw for e in state.site.stations[station].evses)
    found: float | None = None
    for (at_station, _), stored in state.chargers.der.items():
        if at_station != station or stored.control.control_type != LIMIT_DISCHARGE or not is_active(stored, now):
            continue
        for name, value in stored.control.values:
            if name == PERCENT:
                bound = rated * value / 100.0
                found = bound if found is None else min(found, bound)
    return found


def is_active(stored: ev.DerControlStored, now: datetime) -> bool:
    """Is a stored control in force? A default one always is; of scheduled ones a superseded one is not [B-2]."""
    control = stored.control
    if stored.is_superseded:
        return False
    if control.from_at is None:
        return True
    if now < control.from_at:
        return False
    return control.duration_s is None or now < control.from_at + timedelta(seconds=control.duration_s)
