"""The small contracts between the core and the world."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from loadmgr.domain.access import Credentials
from loadmgr.domain.commands import Command
from loadmgr.domain.der import DerControl
from loadmgr.domain.events import (
    AlarmRaised,
    Event,
    EvseReserved,
    ExternalLimitSet,
    PeakIncurred,
    PromiseMade,
    TraitsKnown,
)
from loadmgr.domain.grid import GridRequest
from loadmgr.domain.ids import EvseId, LimitId, MeterId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan
from loadmgr.domain.security import CertificateKnown, SecurityEventReported
from loadmgr.domain.session import Session


class Clock(Protocol):
    """Time as the service sees it: real, a multiple of real, or stepped by a simulation."""

    def now(self) -> datetime:
        """Aware UTC wall time."""

    def monotonic_s(self) -> float:
        """Seconds that never jump; use for timers and ages [F09]."""

    async def sleep(self, seconds: float) -> None:
        """Return after ``seconds`` of this clock."""


class StationLink(Protocol):
    """The way to the chargers: our gateway, or the CSMS that owns the sockets."""

    def send(self, command: Command) -> None:
        """Start to deliver a command and return at once; its outcome comes back as an event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FrameRecord:
    """One OCPP frame. ``direction`` is ``in`` (from the station) or ``out``; secrets are redacted."""

    at: datetime
    station: StationId
    direction: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandRecord:
    """A setpoint or other command with what became of it. ``answered_at`` is ``None`` while it is open."""

    no: int
    kind: str
    station: StationId
    evse: EvseId | None
    sent_at: datetime
    current_a: float | None = None
    valid_until: datetime | None = None
    answered_at: datetime | None = None
    accepted: bool | None = None
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredEvent:
    """An event in the log with its place: ``seq`` grows without gaps inside one run."""

    run: int
    seq: int
    event: Event


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownStation:
    """What outlives a restart about a station: the fail-safe it last accepted, and what was learned of it."""

    station: StationId
    failsafe_a: float | None = None
    failsafe_at: datetime | None = None
    traits: TraitsKnown | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldControl:
    """A DER control of a request at one station. ``status``: ``asked``, ``held``, ``superseded``, ``refused`` or
    ``not-connected``; ``detail`` is the station's own word.
    """

    station: StationId
    control: DerControl
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class GridRecord:
    """A grid request as it was asked, with what stations were told for it; the newest record of an id counts.

    What it came to besides are limits and events, which have their own place. ``ended_at``: it was withdrawn.
    """

    request: GridRequest
    asked_at: datetime
    actor: str
    controls: tuple[HeldControl, ...] = ()
    without: tuple[StationId, ...] = ()
    ended_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Remembered:
    """What a restarted service must know before it does anything."""

    sessions: tuple[Session, ...] = ()
    limits: tuple[Limit, ...] = ()
    stations: tuple[KnownStation, ...] = ()
    open_setpoints: tuple[CommandRecord, ...] = ()
    alarms: tuple[AlarmRaised, ...] = ()
    stays: tuple[Session, ...] = ()
    """The newest sessions that ended, oldest first: what departures are learned from."""
    peaks: tuple[PeakIncurred, ...] = ()
    promises: tuple[PromiseMade, ...] = ()
    reservations: tuple[EvseReserved, ...] = ()
    """Open ones."""
    evse_limits: tuple[ExternalLimitSet, ...] = ()
    """Limits of grid requests on single EVSEs."""
    grid_requests: tuple[GridRecord, ...] = ()
    """Those that stand, oldest first."""
    credentials: tuple[Credentials, ...] = ()
    """What stands above the site file."""
    certificates: tuple[CertificateKnown, ...] = ()
    """Of stations, the oldest word first."""
    alerts: tuple[SecurityEventReported, ...] = ()
    """Critical security events that nobody has acknowledged, the newest of each kind and station."""
    last_command_no: int = 0
    last_plan_no: int = 0


class EventStore(Protocol):
    """The log of events and the tables folded from it. Appends are ordered and never block the caller.

    ``append`` queues an event and its frames; ``flush`` returns when everything appended before is durable.
    Raises ``StorageError`` from ``flush`` when the database stays unreachable.
    """

    def append(self, events: Sequence[Event]) -> None:
        """Queue events for the log and its tables, in order."""

    def append_frames(self, frames: Sequence[FrameRecord]) -> None:
        """Queue frames for the frame log."""

    async def flush(self) -> None:
        """Wait until all that was appended is durable."""

    async def start_run(self, settings_digest: str, at: datetime) -> Remembered:
        """Open a new run of the log, take the site's lease, and return what earlier runs left."""

    async def close(self) -> None:
        """Flush, release the lease and close."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleRow:
    """One stored meter sample; ``None`` where the meter did not say."""

    meter: MeterId
    at: datetime
    power_kw: float | None
    current_a: tuple[float, float, float] | None
    energy_kwh: float | None
    session: SessionId | None = None


class HistoryReader(Protocol):
    """What the API, the notebooks and replay read. Every call has a bound on what it returns."""

    async def sessions(self, *, open_only: bool, limit: int, before: datetime | None = None) -> tuple[Session, ...]:
        """Sessions, newest first."""

    async def samples(self, meter: MeterId, from_at: datetime, until_at: datetime, limit: int) -> tuple[SampleRow, ...]:
        """Samples of one meter in time order."""

    async def commands(self, *, limit: int, station: StationId | None = None) -> tuple[CommandRecord, ...]:
        """Commands with answers, newest first."""

    async def plans(self, *, limit: int) -> tuple[Plan, ...]:
        """Plans, newest first."""

    async def events(
        self, *, limit: int, kinds: Sequence[str] = (), before_seq: int | None = None
    ) -> tuple[StoredEvent, ...]:
        """Events of the present run, newest first."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityRecord:
    """A stored security event. ``id`` grows with time; ``acknowledged_at`` is ``None`` while nobody has seen it."""

    id: int
    event: SecurityEventReported
    acknowledged_at: datetime | None = None
    actor: str = ""


class SecurityReader(Protocol):
    """Security events of all runs."""

    async def security_events(
        self, *, limit: int, station: StationId | None = None, critical_only: bool = False, before_id: int | None = None
    ) -> tuple[SecurityRecord, ...]:
        """Newest first; page on with ``before_id``."""


class LogReader(Protocol):
    """Reads a whole run for replay and the audit of limits and frames."""

    async def runs(self) -> tuple[int, ...]:
        """Numbers of the runs, oldest first."""

    def replay(self, run: int) -> AsyncIterator[StoredEvent]:
        """All events of a run in order."""

    async def frames(self, station: StationId | None, limit: int) -> tuple[FrameRecord, ...]:
        """Frames, newest first."""

    async def limits(self, *, include_ended: bool) -> tuple[tuple[LimitId, Limit, datetime | None], ...]:
        """Temporary limits with the time of withdrawal, if any."""

    async def alarms(self, *, open_only: bool, limit: int) -> tuple[tuple[AlarmRaised, datetime | None], ...]:
        """Alarms with the time they were cleared, if any."""


class GridStore(Protocol):
    """Grid requests over a restart. They are no events: what they come to is, and replays from those [H-5]."""

    def keep_grid(self, records: Sequence[GridRecord]) -> None:
        """Queue records; ``flush`` waits for them as well."""


class Store(EventStore, HistoryReader, LogReader, GridStore, SecurityReader, Protocol):
    """All that the service needs of its storage; ``is_degraded`` while writes have to wait in memory."""

    @property
    def is_degraded(self) -> bool:
        """True while the database does not take what is queued [F05, F06]."""

    @property
    def last_error(self) -> str:
        """Why, in a sentence; empty when all is well."""
