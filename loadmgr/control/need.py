"""What a session still needs: energy, time and the power it can take. Shared by the optimiser and the rules."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr import units
from loadmgr.control.state import SiteState
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.session import ENERGY_MAX_KWH, Session
from loadmgr.domain.site import full_power_kw

OVERTIME = timedelta(hours=1)
"""A car that stays past its departure is planned for this long, at a low priority [C12]."""

OVERTIME_FACTOR = 0.3
UNKNOWN_REST_KWH = 2.0
"""A car of which nobody said what it needs gets at least this much ahead, as long as it takes energy."""

PROBE_A = 1.2
"""A car that showed its own limit is planned with that much more, so that a rise is seen [G-111]."""

EARLY_S = 300.0
EARLY_FRAC = 0.1
"""Plans end this much before the departure (at most this part of the time left): cars follow late and not quite."""

FULL_KWH = 0.0005
"""Less than this is nothing: half a watt-hour."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """Remaining need of a session. ``power_max_kw`` is at the AC side with ``n_phases`` phases in use."""

    session: Session
    energy_kwh: float
    depart_at: datetime
    priority: float
    power_max_kw: float
    n_phases: int

    @property
    def is_open(self) -> bool:
        """True while the car shall get energy."""
        return self.energy_kwh > FULL_KWH


def need_of(state: SiteState, session: Session, now: datetime) -> Need:
    """What a session still needs at ``now``; wishes beyond reason are clipped [C14]."""
    params, intent = state.params, session.intent
    evse = state.site.evses[session.evse]
    n_phases = min(session.n_phases or evse.caps.n_phases, evse.caps.n_phases)
    priority = intent.priority
    if intent.energy_kwh is not None:
        energy_kwh = min(intent.energy_kwh, ENERGY_MAX_KWH) - session.energy_kwh
    else:
        energy_kwh = params.energy_default_kwh - session.energy_kwh
        if energy_kwh < UNKNOWN_REST_KWH:
            energy_kwh, priority = UNKNOWN_REST_KWH, priority * OVERTIME_FACTOR
    depart_at = intent.depart_at or session.started_at + timedelta(seconds=params.stay_default_s)
    if depart_at <= now + timedelta(seconds=params.plan_s):
        depart_at, priority = now + OVERTIME, priority * OVERTIME_FACTOR
    else:
        depart_at -= min(timedelta(seconds=EARLY_S), (depart_at - now) * EARLY_FRAC)
    return Need(
        session=session,
        energy_kwh=max(energy_kwh, 0.0),
        depart_at=depart_at,
        priority=priority,
        power_max_kw=_power_max_kw(state, session, n_phases),
        n_phases=n_phases,
    )


def _power_max_kw(state: SiteState, session: Session, n_phases: int) -> float:
    evse = state.site.evses[session.evse]
    known = state.evses[session.evse]
    current_a = evse.caps.current_max_a
    if session.car_max_a is not None:
        current_a = min(current_a, session.car_max_a)
    if known.learned_max_a is not None:
        current_a = min(current_a, max(known.learned_max_a + PROBE_A, evse.caps.current_min_a))
    if known.status in {EvseStatus.FAULTED, EvseStatus.UNAVAILABLE, EvseStatus.FINISHING}:
        current_a = 0.0
    return min(units.a_to_kw(current_a, evse.caps.voltage_v, n_phases), full_power_kw(evse.caps))
