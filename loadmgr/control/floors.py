"""What a charger makes of a limit: its steps, its own cap, and whether zero pauses it (quirks G-2, G-3, G-18, G-33)."""

from __future__ import annotations

from dataclasses import replace

from loadmgr.control import site_state
from loadmgr.control.site_state import SiteState
from loadmgr.domain.ids import EvseId
from loadmgr.domain.session import Session
from loadmgr.domain.site import Evse
from loadmgr.domain.traits import Zero


def floor_a(state: SiteState, evse: EvseId) -> float:
    """What a running car cannot be ordered below, A per phase: its minimum where zero pauses nothing, else nothing."""
    site_evse, known = state.site.evses[evse], state.evses[evse]
    zero = state.chargers.traits_of(site_evse.station).zero
    if zero is Zero.LIMIT or known.session is None:
        return 0.0
    order = known.last_order
    told_a = site_state.rest_a(state, evse) if order is None else order.setpoint.current_a
    return site_evse.caps.current_min_a if told_a > 0.0 else 0.0


def is_stoppable(state: SiteState, evse: EvseId) -> bool:
    """May a remote stop pause this car? A charger that ends for good when it is stopped is never stopped [G-3]."""
    return state.chargers.traits_of(state.site.evses[evse].station).zero is Zero.STOP


def fitted(state: SiteState, evse: Evse, session: Session | None) -> Evse:
    """The EVSE with the step and the cap that its charger is known to have, and the minimum that its car states [F-10]."""
    traits = state.chargers.traits_of(evse.station)
    caps = evse.caps
    step_a = max(caps.current_step_a, traits.current_step_a)
    most_a = caps.current_max_a if traits.effective_max_a is None else min(caps.current_max_a, traits.effective_max_a)
    least_a = max(caps.current_min_a, (session.car_min_a or 0.0) if session is not None else 0.0)
    if step_a == caps.current_step_a and most_a == caps.current_max_a and least_a == caps.current_min_a:
        return evse
    return replace(evse, caps=replace(caps, current_step_a=step_a, current_max_a=most_a, current_min_a=least_a))
