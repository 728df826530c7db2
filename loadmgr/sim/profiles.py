"""A station's own view of its charging profiles, written from the standard and not from our central system."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any

Json = dict[str, Any]  # a JSON object of whatever shape

MAX = ("ChargePointMaxProfile", "ChargingStationMaxProfile")
TX, DEFAULT, PRIORITY = "TxProfile", "TxDefaultProfile", "PriorityCharging"
CHARGING_ONLY, IDLE = "ChargingOnly", "Idle"
GONE = -1
SETPOINT_MODES = frozenset({"CentralSetpoint", "CentralFrequency"})
RECURRENCE_S: Mapping[str, float] = MappingProxyType({"Daily": 86_400.0, "Weekly": 604_800.0})


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """What the EVSE can do: A per phase, kW from the car, and the nominal voltage it computes with [A-70]."""

    max_a: float
    voltage_v: float = 230.0
    n_phases: int = 3
    discharge_kw: float = 0.0
    is_dc: bool = False

    def to_a(self, value: float, unit: str, n_phases: int | None) -> float:
        """A limit of a schedule in A per phase; W count over ``numberPhases``, 3 when it is absent (A.8)."""
        if unit == "A":
            return value
        return value / (self.voltage_v * (self.n_phases if self.is_dc else n_phases or 3))

    def to_kw(self, value: float, unit: str, n_phases: int | None) -> float:
        """A value of a schedule in kW over all phases."""
        if unit == "W":
            return value / 1000.0
        return value * self.voltage_v * (self.n_phases if self.is_dc else n_phases or 3) / 1000.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """What the station lets a car do: at most ``limit_a`` per phase, or exactly ``setpoint_kw`` (negative delivers).

    ``phase_frac`` scales the limit on L1, L2, L3 (``limit_L2``, ``limit_L3``). ``discharge_kw`` bounds what it takes
    from the car.
    """

    limit_a: float
    setpoint_kw: float | None = None
    discharge_kw: float = 0.0
    n_phases: int | None = None
    unit: str = "A"
    phase_frac: tuple[float, float, float] = (1.0, 1.0, 1.0)
    mode: str = CHARGING_ONLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """One period of a schedule, in the schedule's unit; discharge limits are negative or zero."""

    start_s: float
    limit: float | None = None
    limit_l2: float | None = None
    limit_l3: float | None = None
    discharge_limit: float | None = None
    setpoint: float | None = None
    baseline: float | None = None
    n_phases: int | None = None
    mode: str = CHARGING_ONLY


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An installed profile with its one schedule. ``is_inert``: stored and without effect (a quirk)."""

    id: int
    evse: int
    stack: int
    purpose: str
    periods: tuple[Period, ...]
    received_at: datetime
    kind: str = "Absolute"
    unit: str = "A"
    start_at: datetime | None = None
    duration_s: float | None = None
    recurrence_s: float | None = None
    valid_from: datetime | None = None
    valid_to: datetime | None = None
    transaction: str = ""
    max_offline_s: float | None = None
    dies_offline: bool = False
    update_interval_s: float = 0.0
    updated_at: datetime | None = None
    is_inert: bool = False
    said: Json = field(default_factory=dict)

    def begin_at(self, at: datetime, began_at: datetime | None) -> datetime:
        """Time base of the schedule (A.2): Relative counts from the transaction, Dynamic from its last update."""
        match self.kind:
            case "Relative":
                return began_at or at
            case "Dynamic":
                return self.updated_at or self.received_at
        begin = self.start_at or self.received_at
        if self.recurrence_s is not None:
            rounds = math.floor((at - begin).total_seconds() / self.recurrence_s)
            return begin + timedelta(seconds=rounds * self.recurrence_s)
        return begin

    def period_at(self, at: datetime, began_at: datetime | None) -> Period | None:
        """The period in force; ``None`` before the start, after the end, and outside of its validity (A.7.1)."""
        if (self.valid_from is not None and at < self.valid_from) or (self.valid_to is not None and at >= self.valid_to):
            return None
        offset_s = (at - self.begin_at(at, began_at)).total_seconds()
        if offset_s < 0 or (self.duration_s is not None and offset_s >= self.duration_s):
            return None
        started = [p for p in self.periods if p.start_s <= offset_s]
        return started[-1] if started else None

    def marks(self, at: datetime, began_at: datetime | None) -> Iterator[datetime]:
        """Times at which this profile may change by itself."""
        begin = self.begin_at(at, began_at)
        yield from (begin + timedelta(seconds=p.start_s) for p in self.periods)
        if self.duration_s is not None:
            yield begin + timedelta(seconds=self.duration_s)
        if self.recurrence_s is not None:
            yield begin + timedelta(seconds=self.recurrence_s)
        yield from (m for m in (self.valid_from, self.valid_to) if m is not None)

    def overlaps(self, other: Profile) -> bool:
        """True when both can be valid at one time."""
        first = (self.valid_from or datetime.min.replace(tzinfo=self.received_at.tzinfo), self.valid_to)
        second = (other.valid_from or datetime.min.replace(tzinfo=self.received_at.tzinfo), other.valid_to)
        return (first[1] is None or second[0] < first[1]) and (second[1] is None or first[0] < second[1])


def parsed(said: Json, evse: int, now: datetime) -> Profile:
    """A profile of SetChargingProfile in any version; the first schedule where there are several."""
    schedules = said["chargingSchedule"]
    schedule = schedules[0] if isinstance(schedules, list) else schedules
    return Profile(
        id=int(said["chargingProfileId"] if "chargingProfileId" in said else said["id"]),
        evse=evse,
        stack=int(said["stackLevel"]),
        purpose=said["chargingProfilePurpose"],
        kind=said["chargingProfileKind"],
        unit=schedule["chargingRateUnit"],
        periods=tuple(_period(p) for p in schedule["chargingSchedulePeriod"]),
        received_at=now,
        start_at=time_of(schedule.get("startSchedule")),
        duration_s=schedule.get("duration"),
        recurrence_s=RECURRENCE_S.get(said.get("recurrencyKind", "")),
        valid_from=time_of(said.get("validFrom")),
        valid_to=time_of(said.get("validTo")),
        transaction=str(said.get("transactionId", "")),
        max_offline_s=said.get("maxOfflineDuration"),
        dies_offline=bool(said.get("invalidAfterOfflineDuration", False)),
        update_interval_s=float(said.get("dynUpdateInterval", 0)),
        updated_at=now,
        said=said,
    )


def time_of(text: str | None) -> datetime | None:
    """An RFC 3339 time."""
    return None if text is None else datetime.fromisoformat(text)


def _period(said: Json) -> Period:
    return Period(
        start_s=float(said["startPeriod"]),
        limit=said.get("limit"),
        limit_l2=said.get("limit_L2"),
        limit_l3=said.get("limit_L3"),
        discharge_limit=said.get("dischargeLimit"),
        setpoint=said.get("setpoint"),
        baseline=said.get("v2xBaseline"),
        n_phases=said.get("numberPhases"),
        mode=said.get("operationMode", CHARGING_ONLY),
    )


UPDATED_FIELDS: Mapping[str, str] = MappingProxyType(
    {
        "limit": "limit",
        "limit_L2": "limit_l2",
        "limit_L3": "limit_l3",
        "dischargeLimit": "discharge_limit",
        "setpoint": "setpoint",
    }
)


def updated(profile: Profile, values: Mapping[str, float], now: datetime) -> Profile:
    """A Dynamic profile after new values: its duration counts from now on, also when it was dormant (A.12)."""
    named = {UPDATED_FIELDS[k]: v for k, v in values.items() if k in UPDATED_FIELDS}
    return replace(profile, periods=(replace(profile.periods[0], **named),), updated_at=now)  # type: ignore[arg-type]


@dataclass(slots=True)
class Installed:
    """The profiles of a station with one EVSE, and what their meaning depends on."""

    found: list[Profile] = field(default_factory=list)
    replaces_slot: bool = True
    """1.6: the same slot replaces. 2.x: only the same id does (A.4)."""
    began_at: datetime | None = None
    offline_at: datetime | None = None
    has_priority: bool = False
    ignored_offline: tuple[str, ...] = ()

    def install(self, profile: Profile) -> None:
        """Replace what has the same id or, in 1.6, the same slot (A.4)."""
        self.found = [p for p in self.found if p.id != profile.id]
        if self.replaces_slot:
            slot = (profile.evse, profile.stack, profile.purpose)
            self.found = [p for p in self.found if (p.evse, p.stack, p.purpose) != slot]
        self.found.append(profile)

    def duplicate_of(self, profile: Profile) -> Profile | None:
        """2.x: another id in the slot, or a default of the same level for 0 beside one for the EVSE (K01.FR.52/.53)."""
        for other in self.found:
            if other.id == profile.id or (other.stack, other.purpose) != (profile.stack, profile.purpose):
                continue
            is_same_place = other.evse == profile.evse or (profile.purpose == DEFAULT and 0 in {other.evse, profile.evse})
            if is_same_place and other.overlaps(profile):
                return other
        return None

    def end_transaction(self, evse: int, *, keeps: bool = False) -> None:
        """A TxProfile dies with its transaction [A-4]; ``keeps``: it takes up memory without effect (G-22)."""
        self.began_at, self.has_priority = None, False
        if keeps:
            self.found = [replace(p, is_inert=True, evse=GONE) if p.purpose == TX else p for p in self.found]
        else:
            self.found = [p for p in self.found if p.purpose != TX or p.evse != evse]

    def reboot(self, *, only_latest: bool = False) -> None:
        """Default and maximum profiles survive, those of transactions do not [A-133]."""
        self.found = [p for p in self.found if p.purpose != TX]
        if only_latest:
            self.found = self.found[-1:]

    def clear(self, *, evse: int | None, stack: int | None, purpose: str | None, profile_id: int | None) -> bool:
        """Remove what matches every given field; true when something did."""
        kept = [
            p
            for p in self.found
            if (profile_id is not None and p.id != profile_id)
            or (evse is not None and p.evse != evse)
            or (stack is not None and p.stack != stack)
            or (purpose is not None and p.purpose != purpose)
        ]
        removed = len(kept) < len(self.found)
        self.found = kept
        return removed

    def go_online(self, at: datetime) -> None:
        """The link is back: what was offline for too long and must not come back goes (Q11)."""
        if self.offline_at is not None:
            gone_s = (at - self.offline_at).total_seconds()
            self.found = [p for p in self.found if not p.dies_offline or gone_s < (p.max_offline_s or 0.0)]
        self.offline_at = None

    def _is_usable(self, profile: Profile, at: datetime) -> bool:
        if profile.is_inert:
            return False
        if self.offline_at is None:
            return True
        if profile.purpose in self.ignored_offline:
            return False
        gone_s = (at - self.offline_at).total_seconds()
        return profile.max_offline_s is None or gone_s < profile.max_offline_s  # Q11

    def leading(self, evse: int, purposes: tuple[str, ...], at: datetime) -> tuple[Profile, Period] | None:
        """Highest stack that has a period now; a profile of the EVSE beats one of the whole station (A.7.2)."""
        best: tuple[Profile, Period] | None = None
        for profile in self.found:
            if profile.purpose not in purposes or profile.evse not in {0, evse} or not self._is_usable(profile, at):
                continue
            period = profile.period_at(at, self.began_at)
            rank = (profile.evse, profile.stack) if self.replaces_slot else (profile.stack, profile.evse)
            if period is None:
                continue
            if best is None:
                best = (profile, period)
                continue
            held = (best[0].evse, best[0].stack) if self.replaces_slot else (best[0].stack, best[0].evse)
            if rank >= held:
                best = (profile, period)
        return best

    def offer(self, evse: int, at: datetime, hardware: Hardware, *, in_transaction: bool) -> Offer:
        """What the station offers on an EVSE: min(Max, TxProfile else TxDefaultProfile), never above its hardware (A.7)."""
        tx = self.leading(evse, (PRIORITY,), at) if in_transaction and self.has_priority else None
        if tx is None and in_transaction:
            tx = self.leading(evse, (TX,), at)
        if tx is None:
            tx = self.leading(evse, (DEFAULT,), at)
        most = self.leading(0, MAX, at)
        cap_a = hardware.max_a
        n_most = None
        if most is not None and most[1].limit is not None:
            n_most = most[1].n_phases
            cap_a = min(cap_a, hardware.to_a(most[1].limit, most[0].unit, n_most))
        offer = Offer(limit_a=cap_a) if tx is None else _dressed(*tx, hardware, cap_a)
        if n_most is None or (offer.n_phases is not None and offer.n_phases <= n_most):
            return offer
        return replace(offer, n_phases=n_most)  # the lowest of those that take part (K01.FR.140)

    def changes_after(self, at: datetime) -> datetime | None:
        """When time alone changes a limit next."""
        found = [m for p in self.found for m in p.marks(at, self.began_at)]
        if self.offline_at is not None:
            spans = [p.max_offline_s for p in self.found if p.max_offline_s is not None]
            found += [self.offline_at + timedelta(seconds=s) for s in spans]
        return min((m for m in found if m > at), default=None)


def _dressed(profile: Profile, period: Period, hardware: Hardware, cap_a: float) -> Offer:
    """The offer of the leading transaction profile below the caps of the station (A.11)."""
    n, unit = period.n_phases, profile.unit
    limit_a = cap_a if period.limit is None else min(cap_a, hardware.to_a(period.limit, unit, n))
    if period.mode == IDLE:
        return Offer(limit_a=0.0, setpoint_kw=0.0, mode=IDLE, unit=unit, n_phases=n)
    if period.mode in SETPOINT_MODES or period.setpoint is not None:
        wanted_kw = hardware.to_kw(period.setpoint or 0.0, unit, n)
        cap_kw = hardware.to_kw(limit_a, "A", hardware.n_phases)
        down_kw = hardware.discharge_kw
        if period.discharge_limit is not None:
            down_kw = min(down_kw, -hardware.to_kw(period.discharge_limit, unit, n))
        setpoint_kw = max(min(wanted_kw, cap_kw), -down_kw)
        return Offer(limit_a=limit_a, setpoint_kw=setpoint_kw, discharge_kw=down_kw, mode=period.mode, unit=unit, n_phases=n)
    if period.mode != CHARGING_ONLY:  # something else decides: without it the station rests at its baseline
        baseline_kw = (period.baseline or 0.0) / 1000.0
        return Offer(limit_a=limit_a, setpoint_kw=max(baseline_kw, -hardware.discharge_kw), mode=period.mode, unit=unit)
    return Offer(limit_a=limit_a, n_phases=n, unit=unit, phase_frac=_fractions(period, limit_a, unit, hardware))


def _fractions(period: Period, limit_a: float, unit: str, hardware: Hardware) -> tuple[float, float, float]:
    """L2 and L3 below L1 where the profile says so; ``limit`` is then L1's (A.3)."""
    if limit_a <= 0 or (period.limit_l2 is None and period.limit_l3 is None):
        return (1.0, 1.0, 1.0)
    second, third = (
        1.0 if v is None else min(hardware.to_a(v, unit, 1) / limit_a, 1.0) for v in (period.limit_l2, period.limit_l3)
    )
    return (1.0, second, third)
