"""Counters of a running service and its health."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr.control.obedience import FORM, RESEND, STOP
from loadmgr.control.pauses import PAUSE, RESUME
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev


@dataclass(slots=True)
class Stats:
    """Plain counters for metrics."""

    ticks: int = 0
    plans: int = 0
    plan_failures: int = 0
    protect_failures: int = 0
    setpoints_sent: int = 0
    setpoints_refused: int = 0
    setpoints_unanswered: int = 0
    events: int = 0
    solve_ms_last: float = 0.0
    solve_ms_sum: float = 0.0
    protect_ms_last: float = 0.0
    session_s: float = 0.0
    """Seconds of running sessions, for commands per session-hour."""
    resends: int = 0
    forms_changed: int = 0
    stops: int = 0
    """Remedies for chargers that did not obey: the order again, another form, the end of the session [G-112]."""
    pauses: int = 0
    resumes: int = 0
    """Pauses by a remote stop, and starts after them, of chargers that no limit of zero pauses [G-2, G-4]."""
    composites_differed: int = 0

    def count(self, event: ev.Event) -> None:
        """Count what an event tells."""
        match event:
            case ev.SetpointSent():
                self.setpoints_sent += 1
            case ev.SetpointAnswered(accepted=False):
                self.setpoints_refused += 1
            case ev.SetpointUnanswered():
                self.setpoints_unanswered += 1
            case ev.RemedyTried(remedy=remedy):
                self.resends += remedy == RESEND
                self.forms_changed += remedy == FORM
                self.stops += remedy == STOP
                self.pauses += remedy == PAUSE
                self.resumes += remedy == RESUME
            case ev.CompositeRead(differs=differs):
                self.composites_differed += bool(differs)
            case _:
                pass


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """``is_live``: the protect loop turns. ``is_ready``: it turns, storage works and stations may connect."""

    is_live: bool
    is_ready: bool
    reasons: tuple[str, ...]
    tick_age_s: float
    plan_age_s: float | None
    storage_degraded: bool


def health_of(state: SiteState, now: datetime, tick_age_s: float, storage_error: str | None) -> Health:
    """Health from the age of the last protect tick and what storage complains about; ``None``: nothing."""
    reasons = []
    is_live = tick_age_s <= 5 * state.params.protect_s + 1.0
    if not is_live:
        reasons.append(f"the protect loop has not run for {tick_age_s:.1f} s")
    if storage_error is not None:
        reasons.append(f"storage: {storage_error}")
    return Health(
        is_live=is_live,
        is_ready=is_live and storage_error is None,
        reasons=tuple(reasons),
        tick_age_s=tick_age_s,
        plan_age_s=(now - state.plan.made_at).total_seconds() if state.plan is not None else None,
        storage_degraded=storage_error is not None,
    )
