"""What a driver or a CSMS waits for, found in the state: each is reported once, as an event [C-26, D-26, D-41].

``charging-ended`` and ``charging-resumed``, ``soc-<percent>``, ``energy-reached``, ``departure-missed``, and
``paused-energy``, ``paused-time``, ``paused-cost``, ``paused-soc`` when a limit of ours is reached and the session paused.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta

from loadmgr.control.bounds import FULL_KWH
from loadmgr.control.evse_state import Outcome
from loadmgr.control.session_tools import ENDED, RESUMED
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.session import Session

IDLE_S = 60.0
"""A car that was offered power and took none for this long has ended its charging [C-26]."""
LACK_KWH = 0.1
"""Less is not missed."""
DRAWN_KWH = 0.01
"""A car that has not drawn this much has not begun, so it has not ended either."""

Found = tuple[str, float | None]


def due(state: SiteState, now: datetime) -> tuple[ev.MilestoneReached, ...]:
    """Milestones of running sessions that are reached at ``now`` and were not reported."""
    return tuple(
        ev.MilestoneReached(at=now, session=session.id, milestone=name, value=value)
        for session in state.sessions.values()
        for name, value in _reached(state, session, now)
        if name not in session.milestones
    )


def _reached(state: SiteState, session: Session, now: datetime) -> Iterator[Found]:
    yield from _charging(state, session, now)
    intent = session.intent
    if session.soc_frac is not None:
        percent = round(session.soc_frac * 100.0, 6)
        yield from ((f"soc-{n}", percent) for n in intent.notify_soc if percent >= n)
    if intent.energy_kwh is not None and 0.0 < intent.energy_kwh <= session.energy_kwh + LACK_KWH / 2:
        yield "energy-reached", round(session.energy_kwh, 4)
    if intent.depart_at is not None and now >= intent.depart_at:
        lacking_kwh = _lacking_kwh(session)
        if lacking_kwh > LACK_KWH:
            yield "departure-missed", round(lacking_kwh, 4)
    yield from _paused(session, now)


def _charging(state: SiteState, session: Session, now: datetime) -> Iterator[Found]:
    """A car that takes nothing although it may, and one that takes again after that."""
    if session.idle_since is None:
        if ENDED in session.milestones:
            yield RESUMED, None
        return
    if session.energy_kwh < DRAWN_KWH:
        return
    known = state.evses[session.evse]
    order = known.last_order
    if known.session != session.id or order is None or order.outcome is not Outcome.ACCEPTED:
        return
    if order.setpoint.current_a < state.site.evses[session.evse].caps.current_min_a or known.on_since is None:
        return
    since = max(session.idle_since, known.on_since)
    if now - since >= timedelta(seconds=IDLE_S):
        yield ENDED, round(session.energy_kwh, 4)


def _lacking_kwh(session: Session) -> float:
    intent = session.intent
    if intent.soc_target_frac is not None and session.soc_frac is not None and intent.capacity_kwh is not None:
        return (intent.soc_target_frac - session.soc_frac) * intent.capacity_kwh
    return intent.energy_kwh - session.energy_kwh if intent.energy_kwh is not None else 0.0


def _paused(session: Session, now: datetime) -> Iterator[Found]:
    """Limits of ours that are reached: the need is nothing from then on, so the session is at a limit of zero."""
    intent, energy_kwh = session.intent, session.energy_kwh
    if intent.limit_kwh is not None and energy_kwh >= intent.limit_kwh - FULL_KWH:
        yield "paused-energy", round(energy_kwh, 4)
    if intent.limit_until is not None and now >= intent.limit_until:
        yield "paused-time", None
    if intent.limit_cost is not None and intent.price_per_kwh is not None:
        cost = energy_kwh * intent.price_per_kwh
        if cost >= intent.limit_cost - FULL_KWH * intent.price_per_kwh:
            yield "paused-cost", round(cost, 4)
    if intent.limit_soc_frac is not None and session.soc_frac is not None and session.soc_frac >= intent.limit_soc_frac:
        yield "paused-soc", round(session.soc_frac * 100.0, 2)
