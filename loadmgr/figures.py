"""Counters of a running service and its health."""

from __future__ import annotations

from dataclasses import dataclass

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

    def count(self, event: ev.Event) -> None:
        """Count what an event tells."""
        match event:
            case ev.SetpointSent():
                self.setpoints_sent += 1
            case ev.SetpointAnswered(accepted=False):
                self.setpoints_refused += 1
            case ev.SetpointUnanswered():
                self.setpoints_unanswered += 1
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
