"""Whether a station takes a charging profile: the rules of each version, and the quirks of rule G.1 before them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime

from loadmgr.sim.faults import Faults
from loadmgr.sim.profiles import CHARGING_ONLY, DEFAULT, MAX, PRIORITY, SETPOINT_MODES, TX, Installed, Json, Profile, parsed

REPORTED_STACK_MAX = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Abilities:
    """What a twin can do and says of itself (rule A.5)."""

    version: str
    stack_max: int = REPORTED_STACK_MAX
    periods_max: int = 24
    profiles_max: int = 12
    purposes: frozenset[str] = frozenset({*MAX, TX, DEFAULT})
    kinds: frozenset[str] = frozenset({"Absolute", "Relative", "Recurring"})
    modes: frozenset[str] = frozenset({CHARGING_ONLY})
    external_id_max: int = 0
    is_dc: bool = False
    evse: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The station's answer. ``error`` is a CALLERROR code; ``is_silent``: no answer ever comes."""

    status: str = "Accepted"
    reason: str = ""
    error: str = ""
    is_silent: bool = False


ACCEPTED = Verdict()


def refused(reason: str) -> Verdict:
    """Rejected with a reason code of rule A.6; 1.6 has no place for it."""
    return Verdict(status="Rejected", reason=reason)


@dataclass(slots=True)
class Desk:
    """Where profiles are judged, with what the station remembers of earlier ones."""

    abilities: Abilities
    installed: Installed
    faults: Faults
    n_writes: int = 0
    first_stack: dict[str, int] = field(default_factory=dict)
    has_needs: bool = True
    _is_start: bool = False

    def take(self, said: Json, evse: int, now: datetime, transaction: str | None, *, is_start: bool = False) -> Verdict:
        """Judge and install. ``transaction``: id of the running one, ``None`` when there is none; ``is_start``: it
        came with a remote start, before there is an id [D-7].
        """
        odd = self._odd(said)
        if odd is not None:
            return odd
        profile = parsed(said, evse, now)
        self._is_start = is_start
        verdict = self._quirk(profile) or self._standard(profile, transaction)
        if verdict is not None:
            return verdict
        self.n_writes += 1
        self.first_stack.setdefault(profile.purpose, profile.stack)
        self.installed.install(self._as_stored(profile, in_transaction=transaction is not None))
        return ACCEPTED

    def _odd(self, said: Json) -> Verdict | None:
        """Stations that stumble over the form of the message itself."""
        faults, schedules = self.faults, said["chargingSchedule"]
        schedule = schedules[0] if isinstance(schedules, list) else schedules
        start = schedule.get("startSchedule")
        if faults.strict_decimals and any(_has_more_decimals(p) for p in schedule["chargingSchedulePeriod"]):
            return Verdict(error="PropertyConstraintViolation")  # G-19
        if faults.refuses_fractions and start is not None and "." in start:
            return Verdict(error="FormatViolation")  # G-51
        if faults.errs_on_relative and said["chargingProfileKind"] == "Relative":
            return Verdict(error="InternalError")  # G-6
        if faults.silent_on_absolute and said["chargingProfileKind"] == "Absolute" and start is not None:
            return Verdict(is_silent=True)  # G-7
        return None

    def _quirk(self, profile: Profile) -> Verdict | None:
        """Stations that refuse what the standard allows."""
        faults, limits = self.faults, [p.limit for p in profile.periods]
        stack_max = 0 if faults.only_stack_zero else 1 if faults.claims_stack_999 else self.abilities.stack_max
        has_phases = [p.n_phases is not None for p in profile.periods]
        rules = (
            (faults.rejects_profiles, "InternalError"),
            (faults.local_balancer_a is not None, "UnsupportedRequest"),  # G-15
            (faults.memory_writes and self.n_writes >= faults.memory_writes, "OutOfStorage"),  # G-30
            (faults.only_default_profiles and profile.purpose != DEFAULT, "UnsupportedPurpose"),  # G-1
            (faults.refuses_zero and 0 in limits, "InvalidSchedule"),  # G-2
            (faults.refuses_zero_on_stack and 0 in limits and profile.stack > 0, "InvalidSchedule"),
            (faults.refuses_missing_start and profile.start_at is None, "InvalidSchedule"),  # G-8
            (faults.refuses_tx_without_id and profile.purpose == TX and not profile.transaction, "InvalidProfile"),  # G-11
            (profile.stack > stack_max, "InvalidStackLevel"),  # G-13, G-14
            (
                faults.pins_stack and self.first_stack.get(profile.purpose, profile.stack) != profile.stack,
                "InvalidStackLevel",
            ),
            (faults.takes_only_amps and profile.unit == "W", "UnsupportedRateUnit"),
            (faults.takes_only_watts and profile.unit == "A", "UnsupportedRateUnit"),
            (faults.needs_phases and not all(has_phases), "InvalidSchedule"),  # G-26
            (faults.refuses_phases and any(has_phases), "InvalidSchedule"),
            (faults.slots and self._is_new(profile) and len(self.installed.found) >= faults.slots, "OutOfStorage"),  # G-22
            (faults.needs_before_profile and profile.purpose == TX and not self.has_needs, "InvalidMessageSeq"),
        )
        return next((refused(reason) for is_broken, reason in rules if is_broken), None)

    def _is_new(self, profile: Profile) -> bool:
        slots = {(p.evse, p.stack, p.purpose) for p in self.installed.found if not p.is_inert}
        return (profile.evse, profile.stack, profile.purpose) not in slots

    def _standard(self, profile: Profile, transaction: str | None) -> Verdict | None:
        """What every station of the version checks."""
        able = self.abilities
        if profile.purpose not in able.purposes:
            return refused("UnsupportedPurpose")
        if profile.kind not in able.kinds:
            return refused("UnsupportedKind")
        if profile.evse not in {0, able.evse}:
            return refused("UnknownEvse")
        if profile.purpose in MAX and profile.evse != 0:
            return refused("InvalidProfile")
        if len(profile.periods) > able.periods_max:
            return refused("TooManyElements")
        if profile.periods[0].start_s != 0:
            return refused("InvalidSchedule")
        if profile.purpose == TX:
            wrong = self._wrong_tx(profile, transaction)
            if wrong is not None:
                return wrong
        if able.version == "1.6":
            return None
        return self._since_2(profile)

    def _wrong_tx(self, profile: Profile, transaction: str | None) -> Verdict | None:
        """A TxProfile belongs to a running transaction of one EVSE [A-3, A-6]."""
        if transaction is None or profile.evse == 0:
            return refused("TxNotFound")
        if self.faults.ignores_tx_of_id_zero and profile.transaction in {"0", "-1"}:
            return None
        if not profile.transaction:
            return None if self.abilities.version == "1.6" or self._is_start else refused("InvalidProfile")
        return None if profile.transaction == transaction else refused("TxNotFound")

    def _since_2(self, profile: Profile) -> Verdict | None:
        """2.x (K01): kinds with or without their start, foreign ids in the slot."""
        if profile.kind in {"Absolute", "Recurring"} and profile.start_at is None:
            return refused("InvalidSchedule")  # K01.FR.40
        if profile.kind == "Relative" and (profile.start_at is not None or profile.purpose in MAX):
            return refused("InvalidSchedule")  # K01.FR.41, .38
        if self.abilities.is_dc and any(p.n_phases is not None for p in profile.periods):
            return refused("NoPhaseForDC")
        if self.installed.duplicate_of(profile) is not None:
            return refused("DuplicateProfile")
        if self._is_new(profile) and len(self.installed.found) >= self.abilities.profiles_max:
            return refused("OutOfStorage")
        if self.abilities.version == "2.0.1":
            return None
        return self._since_21(profile)

    def _since_21(self, profile: Profile) -> Verdict | None:
        """2.1: ids of external limits, Dynamic profiles (A.12), operation modes (A.11)."""
        if profile.id <= self.abilities.external_id_max:
            return refused("InvalidProfileId")
        if profile.kind == "Dynamic" and len(profile.periods) != 1:
            return refused("InvalidSchedule")
        for period in profile.periods:
            only_limits = profile.purpose in {*MAX, PRIORITY} and period.mode != CHARGING_ONLY
            if period.mode not in self.abilities.modes or only_limits:
                return refused("InvalidOperationMode")
            if period.mode == CHARGING_ONLY and period.limit is None:
                return refused("InvalidSchedule")
            if period.mode in SETPOINT_MODES:
                is_bounded = period.limit is not None or period.discharge_limit is not None
                if period.setpoint is None or is_bounded:  # Q03.FR.02
                    return refused("InvalidSchedule")
        return None

    def _as_stored(self, profile: Profile, *, in_transaction: bool) -> Profile:
        """Stations that accept and do something else."""
        faults = self.faults
        is_inert = (
            (faults.ignores_watts and profile.unit == "W")  # G-16
            or (faults.ignores_amps and profile.unit == "A")  # G-17
            or (faults.ignores_tx_profiles and profile.purpose == TX)  # G-10
            or (faults.ignores_tx_of_id_zero and profile.transaction in {"0", "-1"})  # G-12
            or (faults.ignores_default_mid_session and profile.purpose == DEFAULT and in_transaction)
        )
        if faults.ignores_start and profile.valid_from is None and profile.kind == "Absolute":
            profile = replace(profile, start_at=profile.received_at)
        return replace(profile, is_inert=is_inert)


def _has_more_decimals(period: Json) -> bool:
    limit = period.get("limit")
    return limit is not None and abs(limit * 10 - round(limit * 10)) > 1e-9
