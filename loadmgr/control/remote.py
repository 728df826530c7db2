"""The limit with which a remote start begins [D-7, D-43]: what is free for certain, counted from the first moment."""

from __future__ import annotations

from datetime import datetime, timedelta

from loadmgr import units
from loadmgr.control import guard, rows
from loadmgr.control import state as state_tools
from loadmgr.control.need import need_of
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.plan import Setpoint

STARTING = SessionId("starting")
BOUND_BY = "remote-start"
"""``bound_by`` of the setpoint that stands for the profile inside a remote start."""


def first_a(state: SiteState, evse: EvseId, now: datetime) -> float:
    """What a car that is started now at ``evse`` may draw at once, A per phase: 0 or at least the minimum.

    The rule without a plan for one car more: all the room that stays when everything in force is drawn in full, up to
    what the EVSE can do; never less than the fail-safe, which counts anyway.
    """
    after = state
    for event in (
        ev.EvseStatusChanged(at=now, evse=evse, status=ev.EvseStatus.PREPARING),
        ev.SessionStarted(at=now, session=STARTING, evse=evse, transaction="?"),
    ):
        after = state_tools.apply(after, event)
    active = guard.lanes(after, now)
    bound = guard.budgets(after, now, active)
    guard.count(active, bound, {})
    lane = next((x for x in active if x.evse.id == evse), None)
    if lane is None:
        return 0.0
    caps = lane.evse.caps
    value_a = lane.rest_a
    if lane.is_controllable and not any(b.age >= rows.Age.HELD for b in lane.rows):
        need = need_of(after, after.sessions[STARTING], now)
        most_a = units.kw_to_a(need.power_max_kw, caps.voltage_v, need.n_phases)
        free_a = lane.now_a + max(guard.room_a(lane, lane.now_a), 0.0)
        value_a = max(value_a, min(free_a, most_a))
    value_a = units.round_down(min(value_a, caps.current_max_a), caps.current_step_a)
    return value_a if value_a >= caps.current_min_a else 0.0


def setpoint(state: SiteState, evse: EvseId, current_a: float, now: datetime) -> Setpoint | None:
    """The order that the profile of a remote start is, so that nobody else is given its current; ``None`` when the
    fail-safe, which counts anyway, allows as much.
    """
    if current_a <= state_tools.rest_a(state, evse):
        return None
    caps = state.site.evses[evse].caps
    return Setpoint(
        no=state.last_no + 1,
        evse=evse,
        current_a=current_a,
        n_phases=caps.n_phases,
        made_at=now,
        valid_until=now + timedelta(seconds=state.params.setpoint_s),
        bound_by=BOUND_BY,
        voltage_v=caps.voltage_v,
    )
