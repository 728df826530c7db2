"""What a charger's answers and behaviour tell about it, so that an unknown one is handled without a rule (rule A.5, G).

Pure: answers in, findings out. What a charger says of itself is a claim and stands below the rules [A-40]; what it
was seen to do stands above them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from loadmgr.domain.traits import ProfileForm, RateUnit, Traits, Zero

TRIGGERS_REFUSED = 3
"""So many refused triggers in a row and none is sent any more [G-24]."""
COMPOSITES_USELESS = 2
"""So many useless composite schedules in a row and none is asked for any more [G-20]."""
ZEROS_REFUSED = 4
"""So many refusals of zero in a row, in as many forms, and it is never sent again [G-2]."""
ENDS_BY_ZERO = 2
ENDS_WITHIN_S = 30.0
PLAIN_ENDS = frozenset({"EVDisconnected", "Remote", "DeAuthorized", "EmergencyStop", "HardReset", "SoftReset", "Reboot",
                        "PowerLoss", "UnlockCommand", "NextTransaction", "Lost", "Offline"})  # fmt: skip
"""Reasons that explain the end of a transaction by something else than a limit of zero."""
SLOW_TIMEOUT_S = 90.0
"""Time for an answer of a station that was seen to need more than usual [G-47]."""
OUR_IDS = 10_000, 40_000
"""Ids of our profiles in 2.x, above what stations keep for external constraints [A-30]."""
STACK_MAX = 9
"""Reported stack levels above this are nonsense [G-14]."""
HOLD_S = 60.0
"""How long updates are held back after ``RateLimitExceeded`` without a number of seconds (domain rule A.6)."""
HOLD_MAX_S = 3600.0
LAGS_NEEDED = 5
"""So many times of a station must agree before its clock counts as slow."""
LAG_MAX_S = 3600.0
"""What is older than this was queued while the station was offline."""
LEAD_S = 60.0
"""How much further in the past schedules start for a station with a slow clock [G-9]."""

_UNITS: Mapping[str, RateUnit] = MappingProxyType(
    {"a": "A", "amp": "A", "amps": "A", "current": "A", "w": "W", "watt": "W", "watts": "W", "power": "W"}
)
_STACK = ("ChargeProfileMaxStackLevel", "SmartChargingCtrlr.ProfileStackLevel")
_UNIT = ("ChargingScheduleAllowedChargingRateUnit", "SmartChargingCtrlr.RateUnit")
_PERIODS = ("ChargingScheduleMaxPeriods", "SmartChargingCtrlr.PeriodsPerSchedule")
_DER = ("DCDERCtrlr.ModesSupported", "ACDERCtrlr.ModesSupported")
_RATED = ("DCDERCtrlr.MaxW", "ACDERCtrlr.MaxW")
_SEPARATORS = re.compile(r"[,;\s]+")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A trait with the value that was found, and why; ``is_claim``: the charger only says so."""

    trait: str
    value: object
    evidence: str
    is_claim: bool = False


def list_of(text: str) -> tuple[str, ...]:
    """The entries of a list as stations spell it: brackets and quotes dropped, split at comma, semicolon, space [G-27]."""
    cleaned = re.sub(r"[\[\](){}\"']", " ", text)
    return tuple(entry for entry in _SEPARATORS.split(cleaned) if entry)


def units_of(text: str) -> tuple[RateUnit, ...]:
    """The rate units in a list that mixes ``A``, ``Current``, ``Power``, ``W`` in any case [G-28]; ampere first [G-16]."""
    found = {_UNITS[entry.lower()] for entry in list_of(text) if entry.lower() in _UNITS}
    order: tuple[RateUnit, ...] = ("A", "W")
    return tuple(unit for unit in order if unit in found)


def from_values(values: Mapping[str, str]) -> tuple[Finding, ...]:
    """What the answer to our question for capabilities claims (domain rule A.5). Unreadable values say nothing."""
    return tuple(replace(f, is_claim=True) for f in _claims(values))


def _claims(values: Mapping[str, str]) -> Iterator[Finding]:
    yield from _profile_claims(values)
    for name in ("SmartChargingCtrlr.SupportsDynamicProfiles",):
        if name in values and _is_true(values[name]):
            yield Finding(trait="supports_dynamic", value=True, evidence=_reports(name, values))
    name = "V2XChargingCtrlr.SupportedOperationModes"
    if name in values and _is_true(values.get("V2XChargingCtrlr.Enabled", "true")):
        yield Finding(trait="operation_modes", value=list_of(values[name]), evidence=_reports(name, values))
    controls = {c: name for name in _DER if name in values for c in list_of(values[name])}
    if controls:
        said = "; ".join(_reports(name, values) for name in _DER if name in values)
        yield Finding(trait="der_controls", value=tuple(controls), evidence=said)
    for name in _RATED:
        rated_w = _number(values.get(name))
        if rated_w is not None and rated_w > 0:
            yield Finding(trait="discharge_rated_kw", value=rated_w / 1000.0, evidence=_reports(name, values))
            break


def level_of(values: Mapping[str, str]) -> int | None:
    """The highest stack level that the charger reports, or ``None``."""
    found = [_number(values[name]) for name in _STACK if name in values]
    return next((int(level) for level in found if level is not None), None)


def _profile_claims(values: Mapping[str, str]) -> Iterator[Finding]:
    for name in _STACK:
        level = _number(values.get(name))
        if level is not None and min(int(level), STACK_MAX) < Traits().stack_max:
            yield Finding(trait="stack_max", value=max(int(level), 0), evidence=_reports(name, values))
    for name in _UNIT:
        claimed = units_of(values.get(name, ""))
        others = tuple(unit for unit in Traits().rate_units if unit not in claimed)
        if claimed and claimed + others != Traits().rate_units:
            yield Finding(trait="rate_units", value=claimed + others, evidence=_reports(name, values))
    for name in _PERIODS:
        n_periods = _number(values.get(name))
        if n_periods is not None and n_periods > 1:
            yield Finding(trait="periods_max", value=min(int(n_periods), 1024), evidence=_reports(name, values))
    name = "SmartChargingCtrlr.MaxExternalConstraintsId"
    top_id = _number(values.get(name))
    if top_id is not None and top_id >= OUR_IDS[0]:  # else ours are above it anyway, and must not move
        yield Finding(trait="min_profile_id", value=int(top_id), evidence=_reports(name, values))


def _reports(name: str, values: Mapping[str, str]) -> str:
    return f"it reports {name} = {values[name][:80]}"


def _number(text: str | None) -> float | None:
    found = _NUMBER.search(text or "")
    return float(found.group()) if found is not None else None


def _is_true(text: str) -> bool:
    return text.strip().lower() in {"true", "1", "yes", "enabled"}


def lacks_smart_charging(values: Mapping[str, str]) -> str:
    """Why a charger's own words promise no smart charging, or nothing; a trial tells the truth (domain rule A.5)."""
    profiles = values.get("SupportedFeatureProfiles")
    if profiles is not None and not any(p.lower().endswith("smartcharging") for p in list_of(profiles)):
        return f"SupportedFeatureProfiles = {profiles[:120]} does not name SmartCharging"
    for name in ("SmartChargingCtrlr.Available", "SmartChargingCtrlr.Enabled"):
        if name in values and values[name].strip().lower() == "false":
            return f"{name} = false"
    return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Behaviour:
    """Counters of what a charger did; ``n_refused`` ones are in a row."""

    n_triggers_refused: int = 0
    n_composites_useless: int = 0
    n_zeros_refused: int = 0
    has_taken_current: bool = False
    """It accepted a setpoint above zero."""
    n_ended_by_zero: int = 0


Judged = tuple[Behaviour, tuple[Finding, ...]]


def after_trigger(before: Behaviour, *, accepted: bool) -> Judged:
    """A trigger was answered that the charger should have been able to carry out [G-24]."""
    n_refused = 0 if accepted else before.n_triggers_refused + 1
    behaviour = replace(before, n_triggers_refused=n_refused)
    if n_refused < TRIGGERS_REFUSED:
        return behaviour, ()
    return behaviour, (Finding(trait="may_trigger", value=False, evidence=f"it refused {n_refused} triggers in a row"),)


def after_composite(before: Behaviour, *, is_useful: bool, why: str = "") -> Judged:
    """A composite schedule was asked for [G-20]."""
    n_useless = 0 if is_useful else before.n_composites_useless + 1
    behaviour = replace(before, n_composites_useless=n_useless)
    if n_useless < COMPOSITES_USELESS:
        return behaviour, ()
    evidence = f"{n_useless} composite schedules in a row could not be used" + (f": {why[:80]}" if why else "")
    return behaviour, (Finding(trait="is_composite_useful", value=False, evidence=evidence),)


def after_setpoint(before: Behaviour, current_a: float, *, accepted: bool) -> Judged:
    """A setpoint was answered: does it take every value but zero [G-2]?"""
    if current_a > 0.0:
        return replace(before, has_taken_current=before.has_taken_current or accepted), ()
    n_refused = 0 if accepted else before.n_zeros_refused + 1
    behaviour = replace(before, n_zeros_refused=n_refused)
    if n_refused < ZEROS_REFUSED or not before.has_taken_current:
        return behaviour, ()
    evidence = f"it refused 0 A {n_refused} times in a row in several forms and takes more"
    return behaviour, (Finding(trait="zero", value=Zero.HOLD, evidence=evidence),)


def after_failsafe(accepted: ProfileForm, refused: Sequence[ProfileForm]) -> tuple[Finding, ...]:
    """The fail-safe was taken without a number of phases after the same was refused with one [G-26]."""
    if accepted.has_phases or replace(accepted, has_phases=True) not in refused:
        return ()
    return (Finding(trait="has_phases", value=False, evidence="it took its fail-safe only without a number of phases"),)


def after_end(before: Behaviour, reason: str, since_zero_s: float) -> Judged:
    """A transaction ended so long after zero was accepted. Twice is no accident [G-3]."""
    if since_zero_s > ENDS_WITHIN_S or reason in PLAIN_ENDS:
        return before, ()
    behaviour = replace(before, n_ended_by_zero=before.n_ended_by_zero + 1)
    if behaviour.n_ended_by_zero < ENDS_BY_ZERO:
        return behaviour, ()
    evidence = (
        f"{behaviour.n_ended_by_zero} transactions ended within {ENDS_WITHIN_S:.0f} s after 0 A ({reason or 'no reason'})"
    )
    return behaviour, (Finding(trait="zero", value=Zero.HOLD, evidence=evidence),)


def after_late_answer(action: str, timeout_s: float) -> tuple[Finding, ...]:
    """An answer came although we had given up [G-47]."""
    if timeout_s >= SLOW_TIMEOUT_S:
        return ()
    evidence = f"it answered {action} after more than {timeout_s:.0f} s"
    return (Finding(trait="call_timeout_s", value=SLOW_TIMEOUT_S, evidence=evidence),)


def after_clock(lags_s: Sequence[float], start_before_s: float) -> tuple[Finding, ...]:
    """The last times that a station told were so many seconds behind ours; the smallest is its clock's lag [G-9].

    A start that lies in the future for the station would leave it without any limit until then [A-31].
    """
    live = [lag for lag in lags_s if abs(lag) < LAG_MAX_S]
    if len(live) < LAGS_NEEDED or min(live) < start_before_s / 2.0:
        return ()
    lag_s = min(live)
    evidence = f"its clock is {lag_s:.0f} s behind"
    return (Finding(trait="start_before_s", value=float(round(lag_s + LEAD_S)), evidence=evidence),)


def after_proof(at_most_s: float, behind_s: float, known: object) -> tuple[Finding, ...] | None:
    """Values prove that a clock is behind so far at the most, and so far for certain (0: nothing is certain) [G-9, B30].

    ``known``: the begin of schedules that was learned before. Replaced where it is too late for the clock, and where it
    is so early that an order would be over before the station reads it; ``None``: nothing is to be changed.
    """
    known_s = known if isinstance(known, int | float) else None
    is_late = behind_s > 0.0 and (known_s is None or known_s < behind_s + LEAD_S / 2.0)
    is_early = known_s is not None and known_s > max(at_most_s, 0.0) + 2.0 * LEAD_S
    if not is_late and not is_early:
        return None
    if behind_s <= 0.0:
        return ()
    evidence = f"its clock is {behind_s:.0f} s behind"
    return (Finding(trait="start_before_s", value=float(round(behind_s + LEAD_S)), evidence=evidence),)


def after_refusal(detail: str) -> tuple[Finding, ...]:
    """What the words of a refused profile tell: reason codes of 2.x, error texts of 1.6 (domain rule A.6, [A-50])."""
    if "NoPhaseForDC" in detail or "numberphases" in detail.lower():
        return (Finding(trait="has_phases", value=False, evidence=f"it refused a profile: {detail[:80]}"),)
    return ()


def hold_s(detail: str) -> float | None:
    """How long updates must be held back after a refusal, or ``None``: seconds out of the information (rule A.6)."""
    if "RateLimitExceeded" not in detail:
        return None
    found = _NUMBER.search(detail.partition("RateLimitExceeded")[2])
    return min(float(found.group()), HOLD_MAX_S) if found is not None else HOLD_S


def reason_of(payload: Mapping[str, Any]) -> str:
    """Reason code and information of a 2.x answer, in one line; nothing in 1.6 (domain rule A.6)."""
    info = payload.get("statusInfo")
    if not isinstance(info, dict):
        return ""
    return " ".join(str(info[k])[:200] for k in ("reasonCode", "additionalInfo") if info.get(k))


def with_reason(detail: str, payload: Mapping[str, Any]) -> str:
    """The words of a refusal with reason code and information, each once."""
    reason = reason_of(payload)
    if not reason or reason in detail:
        return detail
    code = reason.split(" ", 1)[0]
    return f"{detail.replace(code, '').strip()} {reason}".strip()
