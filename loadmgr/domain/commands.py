"""Everything that we can ask a charger, free of protocol versions: a closed union."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint


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
    """Remote start at an EVSE for an id tag."""

    no: int
    station: StationId
    evse: EvseId
    id_tag: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StopSession:
    """Remote stop of a transaction."""

    no: int
    station: StationId
    evse: EvseId
    transaction: str


Command = (
    SendSetpoint
    | InstallFailsafe
    | ClearProfiles
    | ReadComposite
    | TriggerMeter
    | TriggerStatus
    | ReadSettings
    | WriteSetting
    | StartSession
    | StopSession
)
