"""Events about what chargers and cars are and say of themselves; part of the union in ``events``."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import EvseId, SessionId, StationId
from loadmgr.domain.traits import Traits


@dataclass(frozen=True, slots=True, kw_only=True)
class TraitsKnown:
    """What is known of a charger's peculiarities; it replaces what was known before. ``evidence``: one line each."""

    at: datetime
    station: StationId
    traits: Traits
    evidence: tuple[str, ...] = ()
    learned: tuple[str, ...] = ()
    """Traits that it was seen to have; they are kept over a restart."""
    product: tuple[str, ...] = ()
    """Vendor, model and firmware of which they were seen: another one is judged anew [A-41]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RemedyTried:
    """A charger did not obey; this was done about it: ``resend``, ``form`` (the next one) or ``stop`` (rule H.1)."""

    at: datetime
    evse: EvseId
    remedy: str
    form_no: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class CompositeRead:
    """What a station says it will allow: (offset in s from ``from_at``, A per phase); ``differs`` in words [A-61]."""

    at: datetime
    evse: EvseId
    from_at: datetime
    limits_a: tuple[tuple[float, float], ...]
    differs: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class NeedsStated:
    """A car said what it needs and can do (ISO 15118, domain rule A.13). ``None``: it did not say.

    ``energy_kwh`` counts from now on. ``transfer`` is the requested energy transfer, e.g. ``AC_BPT``; ``awaits_profile``:
    the charger waits for a profile before power flows [A-120].
    """

    at: datetime
    session: SessionId
    transfer: str = ""
    energy_kwh: float | None = None
    depart_at: datetime | None = None
    current_min_a: float | None = None
    current_max_a: float | None = None
    power_max_kw: float | None = None
    discharge_max_kw: float | None = None
    capacity_kwh: float | None = None
    soc_frac: float | None = None
    soc_target_frac: float | None = None
    periods_max: int = 1
    awaits_profile: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionBounded:
    """Bounds that the station enforces on a session: cable, energy, time or state of charge [D-26]; ``None``: none."""

    at: datetime
    session: SessionId
    cable_a: float | None = None
    n_phases: int | None = None
    energy_kwh: float | None = None
    time_s: float | None = None
    cost: float | None = None
    soc_frac: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ModeChanged:
    """2.1: the operation mode of a session, e.g. ``ChargingOnly`` or ``CentralSetpoint`` [A-102]."""

    at: datetime
    session: SessionId
    mode: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PriorityChanged:
    """Priority charging of a session was switched on or off, by the driver or by us (K21, K22)."""

    at: datetime
    session: SessionId
    is_active: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLimitSet:
    """A station told a limit that somebody else imposed on it [A-92]; ``evse`` ``None``: on the whole station.

    Without ``current_a`` and ``power_kw`` the value is not known. ``is_generation``: it is added supply [A-93].
    """

    at: datetime
    station: StationId
    source: str
    evse: EvseId | None = None
    current_a: float | None = None
    power_kw: float | None = None
    until_at: datetime | None = None
    is_critical: bool = False
    is_generation: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ExternalLimitCleared:
    """The limit of this source is gone."""

    at: datetime
    station: StationId
    source: str
    evse: EvseId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DerControlStored:
    """A station holds this DER control; ``is_superseded``: another one stands above it [B-2]."""

    at: datetime
    station: StationId
    control: DerControl
    is_superseded: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DerControlChanged:
    """A DER control started, ended or was removed; the ``superseded`` ones wait behind it (R05)."""

    at: datetime
    station: StationId
    control_id: str
    change: str
    """``started``, ``ended`` or ``cleared``."""
    superseded: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DerAlarm:
    """A DER function tripped or its alarm ended (R05); while it lasts discharge counts as zero [B-5]."""

    at: datetime
    station: StationId
    control_type: str
    fault: str = ""
    has_ended: bool = False
    info: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseReserved:
    """An EVSE is held for somebody until ``until_at`` [D-10]; the plan keeps capacity for the booked car."""

    at: datetime
    evse: EvseId
    reservation: int
    id_tag: str
    from_at: datetime
    until_at: datetime
    energy_kwh: float | None = None
    depart_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReservationEnded:
    """A reservation was used, cancelled or ran out."""

    at: datetime
    reservation: int
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MilestoneReached:
    """What a driver or a CSMS waits for: ``charging-ended``, ``soc-80``, ``energy-reached``, ``energy-limit`` ..."""

    at: datetime
    session: SessionId
    milestone: str
    value: float | None = None
