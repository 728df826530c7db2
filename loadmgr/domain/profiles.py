"""Charging profiles as OCPP 1.6, 2.0.1 and 2.1 know them, free of their spellings (domain rules A.1 to A.4, A.11, A.12).

``Profile`` refuses what no version could mean; ``breaches`` lists what a given version's stations refuse.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from types import MappingProxyType

from loadmgr import units
from loadmgr.domain.traits import RateUnit
from loadmgr.errors import SiteModelError

N_PHASES_DEFAULT = 3
"""A period that does not say a number of phases means three (domain rule A.3)."""

PhaseLevels = tuple[float | None, float | None, float | None]
"""A value of a period: (all phases, or L1 where the others are told; L2; L3)."""


def kilo(power_kw: float) -> float:
    """kW inside to watt on the wire."""
    return power_kw * 1000.0


class ProfilePurpose(StrEnum):
    """What a profile is for [A.1]."""

    TX = "tx"
    TX_DEFAULT = "tx-default"
    STATION_MAX = "station-max"
    EXTERNAL = "external"
    """2.x: mirror of a limit that somebody else imposed; never sent by us [A-52]."""
    PRIORITY = "priority"
    """2.1: replaces the profiles of the transaction while priority charging is active."""
    LOCAL_GENERATION = "local-generation"
    """2.1: added supply, no limit [A-93]."""


class ProfileKind(StrEnum):
    """Time base of the periods [A.2]."""

    ABSOLUTE = "absolute"
    RECURRING = "recurring"
    RELATIVE = "relative"
    DYNAMIC = "dynamic"


class Recurrence(StrEnum):
    """How often a recurring schedule begins anew."""

    DAILY = "daily"
    WEEKLY = "weekly"

    @property
    def step_s(self) -> int:
        """Elapsed seconds from one beginning to the next [A-12]."""
        return 86_400 if self is Recurrence.DAILY else 604_800


class OperationMode(StrEnum):
    """2.1: who decides the power, in the standard's own words [A.11]."""

    IDLE = "Idle"
    CHARGING_ONLY = "ChargingOnly"
    CENTRAL_SETPOINT = "CentralSetpoint"
    EXTERNAL_SETPOINT = "ExternalSetpoint"
    EXTERNAL_LIMITS = "ExternalLimits"
    CENTRAL_FREQUENCY = "CentralFrequency"
    LOCAL_FREQUENCY = "LocalFrequency"
    LOCAL_LOAD_BALANCING = "LocalLoadBalancing"


@dataclass(frozen=True, slots=True, kw_only=True)
class SchedulePeriod:
    """Values from ``start_s`` after the start of the schedule on, in the schedule's unit: A per phase, or W of the sum.

    Where values for L2 or L3 are told, the plain one is that of L1. ``None`` means 'no statement', never zero.
    Raises ``SiteModelError`` for a negative limit, a positive discharge limit, or phases outside 1..3.
    """

    start_s: float = 0.0
    limit: float | None = None
    limit_l2: float | None = None
    limit_l3: float | None = None
    discharge_limit: float | None = None
    discharge_limit_l2: float | None = None
    discharge_limit_l3: float | None = None
    setpoint: float | None = None
    setpoint_l2: float | None = None
    setpoint_l3: float | None = None
    n_phases: int | None = None
    phase_to_use: int | None = None
    mode: OperationMode = OperationMode.CHARGING_ONLY

    def __post_init__(self) -> None:
        values = (*self.limits, *self.discharge_limits, *self.setpoints)
        if (
            not math.isfinite(self.start_s)
            or self.start_s < 0
            or any(v is not None and not math.isfinite(v) for v in values)
        ):
            raise SiteModelError(f"period at {self.start_s} s: start and values must be finite and the start not negative")
        if any(v is not None and v < 0 for v in self.limits):
            raise SiteModelError(f"period at {self.start_s} s: limit {self.limits} is negative; use a discharge limit")
        if any(v is not None and v > 0 for v in self.discharge_limits):
            raise SiteModelError(f"period at {self.start_s} s: discharge limit {self.discharge_limits} is positive")
        for name, levels in (("limit", self.limits), ("discharge", self.discharge_limits), ("setpoint", self.setpoints)):
            if levels[0] is None and levels[1:] != (None, None):
                raise SiteModelError(f"period at {self.start_s} s: {name} is told for L2 or L3 but not for L1")
        if self.n_phases is not None and not 1 <= self.n_phases <= 3:
            raise SiteModelError(f"period at {self.start_s} s: {self.n_phases} phases; use 1, 2 or 3")

    @property
    def limits(self) -> PhaseLevels:
        """The limit as it is told per phase."""
        return self.limit, self.limit_l2, self.limit_l3

    @property
    def discharge_limits(self) -> PhaseLevels:
        """The discharge limit as it is told per phase."""
        return self.discharge_limit, self.discharge_limit_l2, self.discharge_limit_l3

    @property
    def setpoints(self) -> PhaseLevels:
        """The setpoint as it is told per phase."""
        return self.setpoint, self.setpoint_l2, self.setpoint_l3


@dataclass(frozen=True, slots=True, kw_only=True)
class Schedule:
    """Periods in the order of their starts. ``duration_s`` ``None``: the last period never ends.

    ``start_at`` is aware, but naive when ``is_local`` (2.1: wall time at the station). ``delay_s``: the station delays
    the later periods by a random time up to this (2.1). Raises ``SiteModelError`` for periods out of order.
    """

    unit: RateUnit
    periods: tuple[SchedulePeriod, ...]
    no: int = 1
    start_at: datetime | None = None
    duration_s: float | None = None
    rate_min: float | None = None
    """Below this, in ``unit``, charging is inefficient: a hint."""
    is_local: bool = False
    delay_s: float = 0.0

    def __post_init__(self) -> None:
        if not self.periods:
            raise SiteModelError(f"schedule {self.no} has no period")
        starts = [p.start_s for p in self.periods]
        if any(b <= a for a, b in zip(starts, starts[1:], strict=False)):
            raise SiteModelError(f"schedule {self.no}: periods start at {starts} s; each must start later than the last")
        if self.duration_s is not None and not 0 <= self.duration_s < math.inf:
            raise SiteModelError(f"schedule {self.no}: duration {self.duration_s} s; leave it out for one without an end")
        if self.start_at is not None and (self.start_at.tzinfo is None) != self.is_local:
            wanted = "no time zone (it is local)" if self.is_local else "a time zone"
            raise SiteModelError(f"schedule {self.no}: start {self.start_at} must have {wanted}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """A charging profile on an EVSE, or on the whole station when ``evse`` is 0. Valid when ``valid_from <= t < valid_to``.

    ``received_at``: when the station took it; ``None``: not known. ``updated_at``: last update of a Dynamic one.
    ``offline_max_s``: it stops counting after this time offline, for good when ``is_void_after_offline`` (2.1).
    Raises ``SiteModelError`` for what no version could mean, e.g. a Recurring profile without a start.
    """

    id: int
    evse: int
    stack: int
    purpose: ProfilePurpose
    kind: ProfileKind
    schedules: tuple[Schedule, ...]
    recurrence: Recurrence | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction: str = ""
    received_at: datetime | None = None
    updated_at: datetime | None = None
    update_interval_s: float | None = None
    offline_max_s: float | None = None
    is_void_after_offline: bool = False

    def __post_init__(self) -> None:
        if self.evse < 0 or self.stack < 0:
            raise SiteModelError(f"profile {self.id}: EVSE {self.evse} and stack level {self.stack} must not be negative")
        if not 1 <= len(self.schedules) <= 3:
            raise SiteModelError(f"profile {self.id} has {len(self.schedules)} schedules; use 1 to 3")
        if self.kind is ProfileKind.RECURRING and (
            self.recurrence is None or any(s.start_at is None for s in self.schedules)
        ):
            raise SiteModelError(f"profile {self.id}: a recurring profile needs a recurrence and a start")
        if self.kind is ProfileKind.DYNAMIC:
            only = self.schedules[0].periods
            if len(self.schedules) > 1 or len(only) > 1 or only[0].start_s != 0:
                raise SiteModelError(f"profile {self.id}: a dynamic profile has one schedule with one period at 0 s [A.12]")
        for name, at in (("valid_from", self.valid_from), ("valid_to", self.valid_to), ("updated_at", self.updated_at)):
            if at is not None and at.tzinfo is None:
                raise SiteModelError(f"profile {self.id}: {name} {at} must have a time zone")

    @property
    def slot(self) -> tuple[int, int, ProfilePurpose]:
        """(EVSE, stack level, purpose): in 1.6 a slot holds one profile [A.4]."""
        return self.evse, self.stack, self.purpose


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """How an EVSE is connected: nominal volts line to neutral [A-70], phases, and its hardware maximum per phase."""

    voltage_v: float = 230.0
    n_phases: int = 3
    current_max_a: float = 48.0

    def most(self, unit: RateUnit) -> float:
        """The hardware maximum in this unit."""
        return self.current_max_a if unit == "A" else kilo(units.a_to_kw(self.current_max_a, self.voltage_v, self.n_phases))


@dataclass(frozen=True, slots=True, kw_only=True)
class Running:
    """A transaction that runs at an EVSE. Empty ``transaction``: its id is not known and any profile fits.

    ``closed_at``: when the power path closed, the time base of Relative profiles in 2.x (K01.FR.42); 1.6 counts from
    ``started_at``. Where that is ``None`` the base is the begin of the window. ``schedule_no``: the schedule that the car
    chose among several.
    """

    transaction: str = ""
    started_at: datetime | None = None
    closed_at: datetime | None = None
    has_priority: bool = False
    schedule_no: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StationContext:
    """What besides the profiles decides what a station does; ``wiring`` and ``running`` by EVSE number.

    ``offline_since``: it has had no link since then and will have none in the window (2.1). ``zone``: its local time.
    ``is_csms_setpoint_first``: 2.1 ``SetpointPriority`` is ``CSMS``, not ``ExternalControl``.
    """

    ocpp: str
    wiring: Mapping[int, Wiring]
    running: Mapping[int, Running] = field(default_factory=dict)
    offline_since: datetime | None = None
    zone: tzinfo | None = None
    is_csms_setpoint_first: bool = False


_ALL_MODES = frozenset(OperationMode)
_CHARGING = frozenset({OperationMode.CHARGING_ONLY})

MODES: Mapping[ProfilePurpose, frozenset[OperationMode]] = MappingProxyType(
    {
        ProfilePurpose.TX: _ALL_MODES,
        ProfilePurpose.TX_DEFAULT: _ALL_MODES,
        ProfilePurpose.PRIORITY: _CHARGING,
        ProfilePurpose.STATION_MAX: _CHARGING,
        ProfilePurpose.EXTERNAL: _CHARGING | {OperationMode.EXTERNAL_LIMITS, OperationMode.EXTERNAL_SETPOINT},
        ProfilePurpose.LOCAL_GENERATION: _CHARGING | {OperationMode.EXTERNAL_LIMITS},
    }
)
"""2.1: which operation modes a purpose allows [A.11]."""

_PURPOSES: Mapping[str, frozenset[ProfilePurpose]] = MappingProxyType(
    {
        "1.6": frozenset({ProfilePurpose.TX, ProfilePurpose.TX_DEFAULT, ProfilePurpose.STATION_MAX}),
        "2.0.1": frozenset(ProfilePurpose) - {ProfilePurpose.PRIORITY, ProfilePurpose.LOCAL_GENERATION},
        "2.1": frozenset(ProfilePurpose),
    }
)


def purposes_of(ocpp: str) -> frozenset[ProfilePurpose]:
    """The purposes that a version has; raises ``SiteModelError`` for a version that is not known."""
    if ocpp not in _PURPOSES:
        raise SiteModelError(f"OCPP version {ocpp!r} is not known; use one of {', '.join(_PURPOSES)}")
    return _PURPOSES[ocpp]


def breaches(profile: Profile, ocpp: str) -> tuple[str, ...]:
    """What a station of this version may refuse the profile for, one sentence each; empty when it is right."""
    return tuple(f"profile {profile.id}: {text}" for part in (_place, _times, _values) for text in part(profile, ocpp))


def _place(profile: Profile, ocpp: str) -> Iterator[str]:
    """Purpose, EVSE and transaction [A.1]."""
    if profile.purpose not in purposes_of(ocpp):
        yield f"OCPP {ocpp} has no purpose {profile.purpose} [A-5]"
    if profile.purpose is ProfilePurpose.TX and profile.evse == 0:
        yield "a transaction's profile belongs to one EVSE, not to 0 [A.1]"
    if profile.purpose is ProfilePurpose.STATION_MAX and profile.evse != 0:
        yield f"the maximum of a station belongs to EVSE 0, not to {profile.evse} [A.1]"
    if profile.purpose is ProfilePurpose.TX and not profile.transaction and ocpp != "1.6":
        yield "a transaction's profile must name the transaction [A.1]"
    if profile.purpose is not ProfilePurpose.TX and profile.transaction:
        yield f"{profile.purpose} names transaction {profile.transaction!r}; only a transaction's profile may [A.3]"
    if len(profile.schedules) > 1 and (ocpp == "1.6" or profile.purpose is not ProfilePurpose.TX):
        yield f"{len(profile.schedules)} schedules; only a transaction's profile in 2.x may have several [K01.FR.34]"
    if ocpp != "2.1" and (profile.offline_max_s is not None or profile.is_void_after_offline):
        yield f"OCPP {ocpp} has no offline duration"


def _times(profile: Profile, ocpp: str) -> Iterator[str]:
    """Kind, start, validity and periods [A.2, A.3]."""
    starts = [s.start_at for s in profile.schedules]
    if profile.kind is ProfileKind.DYNAMIC and ocpp != "2.1":
        yield f"OCPP {ocpp} has no dynamic profiles"
    if profile.kind is ProfileKind.ABSOLUTE and None in starts and ocpp != "1.6":
        yield "an absolute profile needs a start [K01.FR.40]"
    if profile.kind is ProfileKind.RELATIVE and any(starts):
        yield "a relative profile must not have a start [K01.FR.41]"
    if profile.kind is ProfileKind.RELATIVE and profile.purpose is ProfilePurpose.STATION_MAX:
        yield "the maximum of a station must not be relative [K01.FR.38, A-10]"
    if profile.recurrence is not None and profile.kind is not ProfileKind.RECURRING:
        yield f"a {profile.kind} profile must not have a recurrence [A.3]"
    if profile.valid_from is not None and profile.valid_to is not None and profile.valid_to <= profile.valid_from:
        yield f"it is never valid: from {profile.valid_from} to {profile.valid_to}"
    for schedule in profile.schedules:
        if schedule.periods[0].start_s != 0:
            yield f"its first period starts at {schedule.periods[0].start_s} s, not at 0 [A.3]"
        if ocpp != "2.1" and (schedule.is_local or schedule.delay_s):
            yield f"OCPP {ocpp} has neither local time nor random delay"


def _values(profile: Profile, ocpp: str) -> Iterator[str]:
    """Limits, phases and modes [A.3, A.11]."""
    for period in (p for s in profile.schedules for p in s.periods):
        where = f"period at {period.start_s:g} s"
        if period.mode not in MODES[profile.purpose]:
            yield f"{where}: {profile.purpose} does not allow mode {period.mode} [A.11]"
        if period.limit is None and (ocpp != "2.1" or period.mode is OperationMode.CHARGING_ONLY):
            yield f"{where}: a limit is required [A.11]"
        if period.mode is OperationMode.CENTRAL_SETPOINT and period.setpoint is None:
            yield f"{where}: CentralSetpoint needs a setpoint [A.11]"
        if not _is_inside(period):
            yield f"{where}: setpoint {period.setpoint} is outside of its own limits [A-100]"
        if period.phase_to_use is not None and (ocpp == "1.6" or period.n_phases != 1):
            yield f"{where}: a phase to use is only for one phase, and not in 1.6 [A-20]"
        is_split = period.limit_l2 is not None or period.limit_l3 is not None
        if is_split and (ocpp != "2.1" or profile.purpose is not ProfilePurpose.TX):
            yield f"{where}: limits per phase are only for a transaction's profile in 2.1 [A.3]"
        is_plain = period.discharge_limit is None and period.setpoint is None
        if ocpp != "2.1" and not (is_plain and period.mode is OperationMode.CHARGING_ONLY):
            yield f"{where}: OCPP {ocpp} knows limits only"


def _is_inside(period: SchedulePeriod) -> bool:
    if period.setpoint is None:
        return True
    above = period.limit is not None and period.setpoint > period.limit
    below = period.discharge_limit is not None and period.setpoint < period.discharge_limit
    return not (above or below)
