"""Which events wake the loops of the manager at once, and which must be on disk before it answers."""

from __future__ import annotations

from loadmgr.domain import events as ev

URGENT = (
    ev.LimitSet,
    ev.LimitWithdrawn,
    ev.SessionStarted,
    ev.SessionEnded,
    ev.SetpointAnswered,
    ev.SetpointUnanswered,
    ev.StationConnected,
    ev.StationDisconnected,
    ev.FailsafeAnswered,
    ev.PlanMade,
    ev.EvseStatusChanged,
    ev.NeedsStated,
    ev.TraitsKnown,
    ev.CompositeRead,
    ev.ExternalLimitSet,
    ev.DerControlStored,
    ev.DerControlChanged,
    ev.DerAlarm,
)
"""After these the protect loop runs at once instead of at its next second."""

REPLAN = (
    ev.SessionStarted,
    ev.SessionEnded,
    ev.LimitSet,
    ev.LimitWithdrawn,
    ev.IntentSet,
    ev.FailsafeAnswered,
    ev.NeedsStated,
    ev.SessionBounded,
    ev.PriorityChanged,
    ev.TraitsKnown,
    ev.ExternalLimitSet,
    ev.ExternalLimitCleared,
    ev.DerControlStored,
    ev.DerControlChanged,
    ev.DerAlarm,
    ev.EvseReserved,
    ev.ReservationEnded,
)
"""After these the plan loop runs at once."""

DURABLE = (ev.SessionStarted, ev.SessionEnded)
"""``observe`` returns only when these are on disk."""
