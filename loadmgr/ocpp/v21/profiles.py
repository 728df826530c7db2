"""OCPP 2.1 charging profiles, dynamic updates and composite schedules off the wire."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from types import MappingProxyType

from loadmgr.domain.composite import Composite
from loadmgr.domain.profiles import (
    OperationMode,
    Profile,
    ProfileKind,
    ProfilePurpose,
    Recurrence,
    Schedule,
    SchedulePeriod,
)
from loadmgr.errors import SiteModelError
from loadmgr.ocpp.profile_fields import AnswerParts, Fields, NotUseful, read_answer
from loadmgr.ocpp.schemas import Json

PURPOSES: Mapping[str, ProfilePurpose] = MappingProxyType(
    {
        "ChargingStationExternalConstraints": ProfilePurpose.EXTERNAL,
        "ChargingStationMaxProfile": ProfilePurpose.STATION_MAX,
        "TxDefaultProfile": ProfilePurpose.TX_DEFAULT,
        "TxProfile": ProfilePurpose.TX,
        "PriorityCharging": ProfilePurpose.PRIORITY,
        "LocalGeneration": ProfilePurpose.LOCAL_GENERATION,
    }
)
_KINDS = {
    "Absolute": ProfileKind.ABSOLUTE,
    "Recurring": ProfileKind.RECURRING,
    "Relative": ProfileKind.RELATIVE,
    "Dynamic": ProfileKind.DYNAMIC,
}
_RECURRENCES = {"Daily": Recurrence.DAILY, "Weekly": Recurrence.WEEKLY}
_MODES = {str(mode): mode for mode in OperationMode}


def from_wire(payload: Json, at: datetime | None = None) -> Profile:
    """The profile of a SetChargingProfile request received ``at``, or of a RequestStartTransaction that carries one.

    Raises ``SiteModelError`` for what cannot be read or meant.
    """
    request = Fields(raw=payload, where="profile")
    return read_profile(request.inside("chargingProfile"), request.needed("evseId"), at)


def read_profile(fields: Fields, evse: int, at: datetime | None) -> Profile:
    """One profile of a request or of ReportChargingProfiles; ``at`` ``None``: nobody knows when it was installed."""
    number = fields.needed("id")
    inner = Fields(raw=fields.raw, where=f"profile {number}")
    return Profile(
        id=number,
        evse=evse,
        stack=inner.needed("stackLevel"),
        purpose=inner.chosen("chargingProfilePurpose", PURPOSES),
        kind=inner.chosen("chargingProfileKind", _KINDS),
        schedules=tuple(_schedule(s) for s in inner.each("chargingSchedule")),
        recurrence=inner.word("recurrencyKind", _RECURRENCES),
        valid_from=inner.moment("validFrom"),
        valid_to=inner.moment("validTo"),
        transaction=inner.text("transactionId"),
        received_at=at,
        updated_at=inner.moment("dynUpdateTime"),
        update_interval_s=inner.number("dynUpdateInterval"),
        offline_max_s=inner.number("maxOfflineDuration"),
        is_void_after_offline=inner.raw.get("invalidAfterOfflineDuration") is True,
    )


def _schedule(fields: Fields) -> Schedule:
    is_local = fields.raw.get("useLocalTime") is True
    return Schedule(
        no=fields.whole("id") or 0,
        unit=fields.unit(),
        start_at=fields.wall_time("startSchedule") if is_local else fields.moment("startSchedule"),
        duration_s=fields.number("duration"),
        rate_min=fields.number("minChargingRate"),
        is_local=is_local,
        delay_s=fields.number("randomizedDelay") or 0.0,
        periods=tuple(_period(p) for p in fields.each("chargingSchedulePeriod")),
    )


def _period(fields: Fields) -> SchedulePeriod:
    return SchedulePeriod(
        start_s=float(fields.needed("startPeriod")),
        limit=fields.number("limit"),
        limit_l2=fields.number("limit_L2"),
        limit_l3=fields.number("limit_L3"),
        discharge_limit=fields.number("dischargeLimit"),
        discharge_limit_l2=fields.number("dischargeLimit_L2"),
        discharge_limit_l3=fields.number("dischargeLimit_L3"),
        setpoint=fields.number("setpoint"),
        setpoint_l2=fields.number("setpoint_L2"),
        setpoint_l3=fields.number("setpoint_L3"),
        n_phases=fields.whole("numberPhases"),
        phase_to_use=fields.whole("phaseToUse"),
        mode=fields.word("operationMode", _MODES) or OperationMode.CHARGING_ONLY,
    )


def updated(profile: Profile, update: Json, at: datetime) -> Profile:
    """A Dynamic profile after the ``scheduleUpdate`` of UpdateDynamicSchedule or of an answered pull [A.12].

    A field that the update does not name keeps its value [A-110]. Raises ``SiteModelError`` for another kind.
    """
    if profile.kind is not ProfileKind.DYNAMIC:
        raise SiteModelError(f"profile {profile.id} is {profile.kind}; only a dynamic one can be updated")
    fields = Fields(raw=update, where=f"update of profile {profile.id}")
    schedule = profile.schedules[0]
    old = schedule.periods[0]

    def now(key: str, before: float | None) -> float | None:
        told = fields.number(key)
        return before if told is None else told

    period = replace(
        old,
        limit=now("limit", old.limit),
        limit_l2=now("limit_L2", old.limit_l2),
        limit_l3=now("limit_L3", old.limit_l3),
        discharge_limit=now("dischargeLimit", old.discharge_limit),
        discharge_limit_l2=now("dischargeLimit_L2", old.discharge_limit_l2),
        discharge_limit_l3=now("dischargeLimit_L3", old.discharge_limit_l3),
        setpoint=now("setpoint", old.setpoint),
        setpoint_l2=now("setpoint_L2", old.setpoint_l2),
        setpoint_l3=now("setpoint_L3", old.setpoint_l3),
    )
    return replace(profile, schedules=(replace(schedule, periods=(period,)),), updated_at=at)


def composite_from_wire(payload: Json) -> Composite | NotUseful:
    """The answer to GetCompositeSchedule, or why it cannot be compared [A.7.5, G-20]."""
    if payload.get("status") != "Accepted":
        return NotUseful(reason=f"the station answers {payload.get('status')!r}")
    schedule = payload.get("schedule")
    if not isinstance(schedule, dict):
        return NotUseful(reason="the station sends no schedule")
    parts = AnswerParts(
        evse=schedule.get("evseId"),
        starts=(schedule.get("scheduleStart"),),
        schedule=Fields(raw=schedule, where="the answer"),
    )
    return read_answer(parts)
