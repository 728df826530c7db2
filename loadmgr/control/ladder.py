"""Which form a setpoint takes for a charger, and which one comes next when it is refused or not obeyed [A-40, G-1]."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from loadmgr.domain.traits import Kind, ProfileForm, Purpose, Traits

_OTHER_UNIT = ("UnsupportedRateUnit",)
_OTHER_STACK = ("InvalidStackLevel",)
NEEDS_FIRST = "InvalidMessageSeq"
_OTHER_PURPOSE = ("UnsupportedPurpose", "UnsupportedKind", "TxNotFound", NEEDS_FIRST)
_WITHOUT_PHASES = ("NoPhaseForDC", "PhaseConflict")
"""Reason codes that name what must change (domain rule A.6)."""


@cache
def forms(traits: Traits, n_evses: int) -> tuple[ProfileForm, ...]:
    """The forms to try, in order: stack levels change first, then the unit, then the purpose [A-40].

    Forms for the whole station are left out where it has more than one EVSE: they would bind the others too [A-1].
    """
    purposes = [p for p in traits.purposes if n_evses == 1 or p in {Purpose.TX, Purpose.DEFAULT}]
    stacks = (traits.stack_max, 0) if traits.stack_max > 0 else (0,)
    return tuple(
        ProfileForm(
            purpose=purpose,
            unit=unit,
            stack=max(stack, _above_failsafe(purpose)),
            kind=Kind.ABSOLUTE if purpose is Purpose.MAX else traits.kind,  # never a relative maximum
            has_phases=traits.has_phases,
        )
        for purpose in purposes
        for unit in traits.rate_units
        for stack in stacks
        if stack >= _above_failsafe(purpose)
    ) or (ProfileForm(has_phases=traits.has_phases),)


def _above_failsafe(purpose: Purpose) -> int:
    """A default of the whole station must not replace the fail-safe, which is one at level 0 (domain rule A.15)."""
    return 1 if purpose in {Purpose.STATION_DEFAULT, Purpose.MAX} else 0


def form_at(found: Sequence[ProfileForm], form_no: int) -> ProfileForm:
    """The form at a place of the ladder; after the last one it begins anew."""
    return found[form_no % len(found)]


def next_no(found: Sequence[ProfileForm], form_no: int, detail: str) -> int:
    """The place to try after the one at ``form_no`` was refused with ``detail``; it only grows.

    A reason code that names the cause leads to the next form that differs there; every other refusal to the next one.
    """
    last = form_at(found, form_no)
    for no in range(form_no + 1, form_no + len(found)):
        other = form_at(found, no)
        if any(code in detail for code in _OTHER_UNIT) and other.unit == last.unit:
            continue
        if any(code in detail for code in _OTHER_STACK) and other.stack == last.stack:
            continue
        if any(code in detail for code in _OTHER_PURPOSE) and other.purpose == last.purpose:
            continue
        return no
    return form_no + 1


def is_lap_over(found: Sequence[ProfileForm], n_refused: int) -> bool:
    """True when every form has been refused: the next try must wait."""
    return n_refused > 0 and n_refused % len(found) == 0


def wants_no_phases(detail: str) -> bool:
    """True when a refusal says that the number of phases must not be told."""
    return any(code in detail for code in _WITHOUT_PHASES)
