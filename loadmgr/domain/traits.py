"""How a charger differs from the standard, and the forms in which a setpoint can be dressed for it (domain rule G).

Traits are data: a rule file, the operator or observation sets them, and every part that talks to a charger reads them.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

RateUnit = Literal["A", "W"]


class Purpose(StrEnum):
    """Where a live profile goes; the wire spelling is the translation's business (domain rule A.1)."""

    TX = "tx"
    """TxProfile of the running transaction."""
    DEFAULT = "default"
    """TxDefaultProfile of the EVSE."""
    STATION_DEFAULT = "station-default"
    """TxDefaultProfile of the whole station: only where it has one EVSE."""
    MAX = "max"
    """Maximum of the whole station: only where it has one EVSE."""


class Kind(StrEnum):
    """Time base of a profile (domain rule A.2)."""

    ABSOLUTE = "absolute"
    RELATIVE = "relative"
    DYNAMIC = "dynamic"
    """2.1: one value, updated in place [A.12]."""


class Zero(StrEnum):
    """How a car is paused (quirks G-2 to G-4)."""

    LIMIT = "limit"
    """A limit of zero pauses it: the standard."""
    HOLD = "hold"
    """Zero is refused or ends the transaction for good: never below the minimum while a car is connected."""
    STOP = "stop"
    """Only a remote stop pauses it."""


class Expiry(StrEnum):
    """What a charger does when a live profile expires [A-131]."""

    FALLBACK = "fallback"
    UNLIMITED = "unlimited"
    STOP = "stop"
    HOLD = "hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileForm:
    """One way to dress a setpoint: purpose, unit, stack level, time base, and whether phases are told [A-40, G-26]."""

    purpose: Purpose = Purpose.TX
    unit: RateUnit = "A"
    stack: int = 1
    kind: Kind = Kind.ABSOLUTE
    has_phases: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Traits:
    """Everything about a charger that is not as the standard says. The defaults are the standard.

    Tuples are in the order of trial. ``None`` means 'nobody knows'.
    """

    purposes: tuple[Purpose, ...] = (Purpose.TX, Purpose.DEFAULT, Purpose.STATION_DEFAULT, Purpose.MAX)
    """G-1, G-10: which purposes to try, in this order."""
    rate_units: tuple[RateUnit, ...] = ("A", "W")
    """G-16, G-17."""
    stack_max: int = 1
    """G-13, G-14: live profiles use this level first and walk down to 0."""
    kind: Kind = Kind.ABSOLUTE
    """G-6, G-7."""
    has_phases: bool = True
    """G-26: tell ``numberPhases``."""
    current_step_a: float = 0.1
    """G-18: finest step that the charger honours; limits are rounded down to it."""
    zero: Zero = Zero.LIMIT
    """G-2, G-3, G-4."""
    start_before_s: float = 10.0
    """G-8, G-9: how far in the past schedules start."""
    needs_resend_after_pause: bool = False
    """G-5: after a pause the first limit is ignored, so it is sent again."""
    effective_max_a: float | None = None
    """G-33: the charger's own cap below its rating."""
    expiry: Expiry = Expiry.FALLBACK
    """A-131."""
    setpoint_s: float | None = None
    """G-30, A-132: life of a live profile where the default wears the charger's memory out."""
    call_timeout_s: float | None = None
    """G-47."""
    may_trigger: bool = True
    """G-24."""
    is_composite_useful: bool = True
    """G-20: its composite schedule can be compared."""
    needs_remote_start: bool = False
    """G-81: a plugged car charges only after a remote start."""
    power_factor: float = 1.0
    """G-90, C-21: its power values times this are right."""
    energy_factor: float = 1.0
    """G-91: its energy values times this are right."""
    is_total_current_sum: bool | None = None
    """G-97: an unnamed current is the sum over the phases."""
    labels_terminals: bool = False
    """G-98, F-22: its phase labels name its own terminals, not the phases of the grid."""
    has_session_register: bool = False
    """G-92: its energy register begins anew with every session."""
    is_lenient: bool = True
    """G-57 to G-60: its messages are tidied before they are judged."""
    supports_dynamic: bool = False
    """2.1: Dynamic profiles (domain rule A.12)."""
    operation_modes: tuple[str, ...] = ()
    """2.1: operation modes that it says it supports; ``CentralSetpoint`` is what discharge needs [A-101]."""
    der_controls: tuple[str, ...] = ()
    """2.1: DER control types that it says it supports [B-4]."""
    discharge_rated_kw: float | None = None
    """2.1: rating to which percentages of DER controls refer [B-4]."""
    min_profile_id: int = 0
    """2.1: profile ids must be above this [A-30]."""
    periods_max: int = 1


START_MOST_S = 60.0
"""What a schedule's duration adds at most for a begin in the past: the rest of ``start_before_s`` is the clock's lag."""


def added_s(traits: Traits) -> float:
    """What is added to a live profile's duration because its schedule begins in the past [G-9].

    A charger whose clock lags counts from a begin that lies that much further back; so the lag is not added, or the
    profile would outlive its time. One that counts from the receipt instead holds this much longer.
    """
    return min(traits.start_before_s, START_MOST_S)
