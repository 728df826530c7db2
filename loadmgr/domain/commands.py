"""Everything that we can ask a charger, free of protocol versions: a closed union."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.security import (
    DeleteCertificate,
    GiveCertificate,
    InstallCertificate,
    RaiseProfile,
    ReadCertificates,
    ReadLog,
    RenewCertificate,
    SetPassword,
)
from loadmgr.domain.traits import ProfileForm, Purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class SendSetpoint:
    """Install a live profile (layer L3) that expires by itself [A.15]."""

    no: int
    station: StationId
    setpoint: Setpoint


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallFailsafe:
    """Install the layers that hold without us: ``failsafe_a`` per EVSE (L2), ``station_max_a`` for the sum (L1)."""

    no: int
    station: StationId
    failsafe_a: float
    station_max_a: float
    n_phases: int
    made_at: datetime
    form: ProfileForm = ProfileForm(purpose=Purpose.STATION_DEFAULT, stack=0)
    voltage_v: float = 230.0


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearProfiles:
    """Remove live profiles of one EVSE, or every profile of the station when ``evse`` is ``None`` [A-90]."""

    no: int
    station: StationId
    evse: EvseId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadComposite:
    """Ask what the station will do for the next ``duration_s`` seconds [A-62]."""

    no: int
    station: StationId
    evse: EvseId
    duration_s: int


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerMeter:
    """Ask for meter values now, the remedy for a silent meter [C-10]."""

    no: int
    station: StationId
    evse: EvseId


@dataclass(frozen=True, slots=True, kw_only=True)
class TriggerStatus:
    """Ask for the state of an EVSE [D-5]."""

    no: int
    station: StationId
    evse: EvseId


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSettings:
    """Read configuration keys (1.6) or ``Component.Variable`` names (2.0.1)."""

    no: int
    station: StationId
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteSetting:
    """Write one configuration key (1.6) or ``Component.Variable`` (2.0.1)."""

    no: int
    station: StationId
    name: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartSession:
    """Remote start at an EVSE for an id tag; ``first_a`` is the limit from the first moment on [D-7, K05]."""

    no: int
    station: StationId
    evse: EvseId
    id_tag: str
    first_a: float | None = None
    n_phases: int = 3
    made_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSession:
    """Remote stop of a transaction."""

    no: int
    station: StationId
    evse: EvseId
    transaction: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadSession:
    """2.x: does this transaction still run, and are messages of it queued [D-22]?"""

    no: int
    station: StationId
    transaction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadProfiles:
    """2.x: which profiles are installed; ``evse`` ``None``: everywhere. Reports follow as messages [A-91]."""

    no: int
    station: StationId
    evse: EvseId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReserveEvse:
    """Hold an EVSE for an id tag until ``until_at`` [D-10]. ``reservation`` is ours, positive."""

    no: int
    station: StationId
    evse: EvseId
    reservation: int
    id_tag: str
    until_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class CancelReservation:
    """Give a reservation up."""

    no: int
    station: StationId
    reservation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SetAvailability:
    """Take an EVSE (or the whole station) out of or into service; a running transaction ends first [G-84]."""

    no: int
    station: StationId
    evse: EvseId | None
    is_operative: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RebootStation:
    """Reset; ``is_hard`` at once, else when no transaction runs."""

    no: int
    station: StationId
    is_hard: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPriority:
    """2.1: priority charging of a session on or off (K21)."""

    no: int
    station: StationId
    transaction: str
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowTransfer:
    """2.1: which energy transfer modes a session may use, e.g. ``AC_BPT`` (Q01)."""

    no: int
    station: StationId
    transaction: str
    modes: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SetDer:
    """2.1: install a DER control (R04)."""

    no: int
    station: StationId
    control: DerControl


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadDer:
    """2.1: report DER controls; without filters all of them [B-6]."""

    no: int
    station: StationId
    control_id: str = ""
    control_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClearDer:
    """2.1: remove a DER control, or all of a class (default or scheduled) when no id is given [B-6]."""

    no: int
    station: StationId
    is_default: bool
    control_id: str = ""
    control_type: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SignalAfrr:
    """2.1: an aFRR signal for sessions in local frequency mode."""

    no: int
    station: StationId
    at: datetime
    signal: int


Command = (
    SendSetpoint
    | InstallFailsafe
    | ClearProfiles
    | ReadComposite
    | ReadProfiles
    | TriggerMeter
    | TriggerStatus
    | ReadSettings
    | WriteSetting
    | StartSession
    | StopSession
    | ReadSession
    | ReserveEvse
    | CancelReservation
    | SetAvailability
    | RebootStation
    | SetPriority
    | AllowTransfer
    | SetDer
    | ReadDer
    | ClearDer
    | SignalAfrr
    | SetPassword
    | RaiseProfile
    | GiveCertificate
    | RenewCertificate
    | InstallCertificate
    | DeleteCertificate
    | ReadCertificates
    | ReadLog
)
