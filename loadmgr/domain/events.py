"""Everything that can happen: a closed union. State is folded from these and from nothing else.

Every event carries ``at``, our clock when we learned of it (aware UTC). Times that a charger claims have other names.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loadmgr.domain.charger_events import (
    CompositeRead,
    DerAlarm,
    DerControlChanged,
    DerControlStored,
    EvseReserved,
    ExternalLimitCleared,
    ExternalLimitSet,
    MilestoneReached,
    ModeChanged,
    NeedsStated,
    PriorityChanged,
    RemedyTried,
    ReservationEnded,
    SessionBounded,
    TraitsKnown,
)
from loadmgr.domain.ids import EvseId, LimitId, MeterId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan, Setpoint
from loadmgr.domain.samples import Measured, Quality
from loadmgr.domain.security import (
    CertificateGone,
    CertificateKnown,
    CredentialsChanged,
    LogStatusReported,
    SecurityAcknowledged,
    SecurityAsked,
    SecurityEventReported,
)
from loadmgr.domain.session import SessionIntent


class EvseStatus(StrEnum):
    """State of an EVSE; the union of 1.6 connector states and 2.x charging states (domain rule D.1)."""

    UNKNOWN = "unknown"
    AVAILABLE = "available"
    PREPARING = "preparing"
    CHARGING = "charging"
    SUSPENDED_EV = "suspended-ev"
    SUSPENDED_EVSE = "suspended-evse"
    FINISHING = "finishing"
    RESERVED = "reserved"
    UNAVAILABLE = "unavailable"
    FAULTED = "faulted"


class Severity(StrEnum):
    """How soon somebody must look."""

    INFO = "info"
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True, slots=True, kw_only=True)
class RunStarted:
    """The service started; numbers of setpoints and plans continue after these."""

    at: datetime
    last_no: int = 0
    last_plan_no: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class StationConnected:
    """A station opened its link and authenticated; ``ocpp`` is the negotiated version, e.g. ``1.6``."""

    at: datetime
    station: StationId
    ocpp: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StationDisconnected:
    """The link of a station is gone."""

    at: datetime
    station: StationId
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StationBooted:
    """BootNotification was accepted."""

    at: datetime
    station: StationId
    vendor: str
    model: str
    firmware: str = ""
    serial: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FailsafeAnswered:
    """The station accepted or refused the fail-safe profile of ``failsafe_a`` per EVSE."""

    at: datetime
    station: StationId
    failsafe_a: float
    accepted: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseStatusChanged:
    """An EVSE reported its state."""

    at: datetime
    evse: EvseId
    status: EvseStatus
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStarted:
    """A transaction began. ``transaction`` is the protocol's id; ``started_at`` the station's own time."""

    at: datetime
    session: SessionId
    evse: EvseId
    transaction: str
    id_tag: str = ""
    started_at: datetime | None = None
    meter_start_kwh: float = 0.0
    is_register_known: bool = True
    register_kwh: float | None = None
    energy_kwh: float = 0.0
    """The last two are set only when a restart brings a running session back."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionEnded:
    """A transaction ended. ``meter_stop_kwh`` is the final register, or ``None`` if the station never said."""

    at: datetime
    session: SessionId
    ended_at: datetime | None = None
    meter_stop_kwh: float | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class IntentSet:
    """Driver, CSMS or operator said what a session needs."""

    at: datetime
    session: SessionId
    intent: SessionIntent
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeterSample:
    """A meter spoke. ``measured_at`` is the meter's own time; ``session`` is set inside a transaction."""

    at: datetime
    meter: MeterId
    measured_at: datetime
    measured: Measured
    session: SessionId | None = None
    quality: Quality = Quality.GOOD


@dataclass(frozen=True, slots=True, kw_only=True)
class BatteryMeasured:
    """A stationary battery told what it holds and draws; import positive."""

    at: datetime
    battery: str
    stored_kwh: float
    power_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class StayKnown:
    """A stay of an earlier run, for what is learned of departures and energies."""

    at: datetime
    user: str
    started_at: datetime
    ended_at: datetime
    energy_kwh: float
    said_depart_at: datetime | None = None
    said_kwh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PeakIncurred:
    """The import over a window of a demand charge was the highest of its billing period (local month ``2026-11``)."""

    at: datetime
    charge: str
    period: str
    power_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class PromiseMade:
    """A session was told what it will get: ``energy_kwh`` from its start, by ``by_at``."""

    at: datetime
    session: SessionId
    energy_kwh: float
    by_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitSet:
    """Somebody set a temporary limit."""

    at: datetime
    limit: Limit
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitWithdrawn:
    """Somebody withdrew a temporary limit."""

    at: datetime
    limit: LimitId
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanAsked:
    """The plan loop took its snapshot; the state at this place of the log reproduces the problem it solved."""

    at: datetime
    no: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanMade:
    """A plan came into force. It was made on the state as of ``plan.made_at``."""

    at: datetime
    plan: Plan


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """The protect loop ran; with the state before it this reproduces what it decided."""

    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointSent:
    """We handed a setpoint to the link of its station (or to the CSMS that owns it)."""

    at: datetime
    setpoint: Setpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointAnswered:
    """The station answered a setpoint. Accepted means stored, not obeyed [A-51]."""

    at: datetime
    no: int
    evse: EvseId
    accepted: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetpointUnanswered:
    """No answer came in time or the link broke: the setpoint may or may not be in force [A03].

    ``was_sent`` false: it never left, so it cannot be in force.
    """

    at: datetime
    no: int
    evse: EvseId
    was_sent: bool = True
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandAnswered:
    """A station answered a command that is not a setpoint."""

    at: datetime
    no: int
    station: StationId
    command: str
    accepted: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmRaised:
    """Something that an operator must know, once per ``key`` until it is cleared."""

    at: datetime
    key: str
    severity: Severity
    message: str
    remedy: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AlarmCleared:
    """The cause of an alarm is gone."""

    at: datetime
    key: str


Event = (
    RunStarted
    | StationConnected
    | StationDisconnected
    | StationBooted
    | FailsafeAnswered
    | EvseStatusChanged
    | SessionStarted
    | SessionEnded
    | IntentSet
    | MeterSample
    | BatteryMeasured
    | StayKnown
    | PeakIncurred
    | PromiseMade
    | LimitSet
    | LimitWithdrawn
    | PlanAsked
    | PlanMade
    | Ticked
    | SetpointSent
    | SetpointAnswered
    | SetpointUnanswered
    | CommandAnswered
    | TraitsKnown
    | RemedyTried
    | CompositeRead
    | NeedsStated
    | SessionBounded
    | ModeChanged
    | PriorityChanged
    | ExternalLimitSet
    | ExternalLimitCleared
    | DerControlStored
    | DerControlChanged
    | DerAlarm
    | EvseReserved
    | ReservationEnded
    | MilestoneReached
    | SecurityEventReported
    | SecurityAcknowledged
    | SecurityAsked
    | CredentialsChanged
    | CertificateKnown
    | CertificateGone
    | LogStatusReported
    | AlarmRaised
    | AlarmCleared
)
