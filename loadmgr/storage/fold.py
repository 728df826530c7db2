"""Events → rows, shared by every store, so that all of them tell the same story."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from loadmgr.control import session_tools
from loadmgr.domain import events as ev
from loadmgr.domain.ids import SessionId
from loadmgr.domain.samples import Quality
from loadmgr.domain.session import Session, metered
from loadmgr.ports import SampleRow

ENDED_KEPT = 500
KEPT_DAYS = 7
"""Sessions that ended this recently are remembered over a restart, so that a repeated message is recognised [B14]."""


def to_ms(at: datetime) -> int:
    """UTC milliseconds."""
    return round(at.timestamp() * 1000)


def from_ms(at_ms: int) -> datetime:
    """Aware UTC time."""
    return datetime.fromtimestamp(at_ms / 1000, UTC)


def to_dwh(energy_kwh: float) -> int:
    """Tenths of a watt-hour: whole numbers, so nothing is lost in a database."""
    return round(energy_kwh * 10_000)


@dataclass(slots=True)
class SessionFold:
    """Running sessions as the store knows them. ``take`` returns the session that an event changed, if any."""

    known: dict[SessionId, Session] = field(default_factory=dict)
    ended: dict[SessionId, Session] = field(default_factory=dict)
    """The newest that ended: the station's own word may correct an end that was inferred."""

    def take(self, event: ev.Event) -> Session | None:
        """Fold one event; the same rules as the state of the controller."""
        match event:
            case ev.SessionStarted():
                if event.session in self.known:
                    return None
                return self._keep(session_tools.begun(event, self.ended.pop(event.session, None)))
            case ev.SessionEnded():
                session = self.known.pop(event.session, None) or self.ended.get(event.session)
                if session is None:
                    return None
                session = session_tools.closed(session, event)
                self.ended[session.id] = session
                while len(self.ended) > ENDED_KEPT:
                    del self.ended[next(iter(self.ended))]
                return session
            case ev.IntentSet():
                session = self.known.get(event.session)
                return None if session is None else self._keep(session_tools.with_intent(session, event.intent))
            case ev.NeedsStated() | ev.SessionBounded() | ev.ModeChanged() | ev.PriorityChanged() | ev.MilestoneReached():
                session = self.known.get(event.session)
                return None if session is None else self._keep(session_tools.stated(session, event))
            case ev.MeterSample():
                return self._sample(event)
            case _:
                return None

    def _sample(self, event: ev.MeterSample) -> Session | None:
        session = self.known.get(event.session) if event.session is not None else None
        if session is None or event.quality is Quality.HISTORY:
            return None
        changed = metered(session, event.measured, event.measured_at)
        return None if changed is session else self._keep(changed)

    def _keep(self, session: Session) -> Session:
        self.known[session.id] = session
        return session


def sample_row(event: ev.MeterSample) -> SampleRow:
    """The wide row of a sample."""
    measured = event.measured
    return SampleRow(
        meter=event.meter,
        at=event.measured_at,
        power_kw=measured.power_kw,
        current_a=measured.current_a,
        energy_kwh=measured.energy_kwh,
        session=event.session,
    )
