"""OCPP 1.6 charging profiles and composite schedules off the wire."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from loadmgr.domain.composite import Composite
from loadmgr.domain.profiles import Profile, ProfileKind, ProfilePurpose, Recurrence, Schedule, SchedulePeriod
from loadmgr.ocpp.profile_fields import AnswerParts, Fields, NotUseful, read_answer
from loadmgr.ocpp.schemas import Json

PURPOSES: Mapping[str, ProfilePurpose] = MappingProxyType(
    {
        "ChargePointMaxProfile": ProfilePurpose.STATION_MAX,
        "TxDefaultProfile": ProfilePurpose.TX_DEFAULT,
        "TxProfile": ProfilePurpose.TX,
    }
)
_KINDS = {
    "Absolute": ProfileKind.ABSOLUTE,
    "Recurring": ProfileKind.RECURRING,
    "Relative": ProfileKind.RELATIVE,
}
_RECURRENCES = {"Daily": Recurrence.DAILY, "Weekly": Recurrence.WEEKLY}


def from_wire(payload: Json, at: datetime | None = None) -> Profile:
    """The profile of a SetChargingProfile request received ``at``, or of a RemoteStartTransaction that carries one.

    Raises ``SiteModelError`` for what cannot be read or meant.
    """
    request = Fields(raw=payload, where="profile")
    key = "csChargingProfiles" if "csChargingProfiles" in payload else "chargingProfile"
    return _profile(request.inside(key), request.needed("connectorId"), at)


def _profile(fields: Fields, evse: int, at: datetime | None) -> Profile:
    number = fields.needed("chargingProfileId")
    inner = Fields(raw=fields.raw, where=f"profile {number}")
    return Profile(
        id=number,
        evse=evse,
        stack=inner.needed("stackLevel"),
        purpose=inner.chosen("chargingProfilePurpose", PURPOSES),
        kind=inner.chosen("chargingProfileKind", _KINDS),
        schedules=(_schedule(inner.inside("chargingSchedule")),),
        recurrence=inner.word("recurrencyKind", _RECURRENCES),
        valid_from=inner.moment("validFrom"),
        valid_to=inner.moment("validTo"),
        transaction=inner.text("transactionId"),
        received_at=at,
    )


def _schedule(fields: Fields) -> Schedule:
    return Schedule(
        unit=fields.unit(),
        start_at=fields.moment("startSchedule"),
        duration_s=fields.number("duration"),
        rate_min=fields.number("minChargingRate"),
        periods=tuple(
            SchedulePeriod(start_s=float(p.needed("startPeriod")), limit=p.number("limit"), n_phases=p.whole("numberPhases"))
            for p in fields.each("chargingSchedulePeriod")
        ),
    )


def composite_from_wire(payload: Json) -> Composite | NotUseful:
    """The answer to GetCompositeSchedule, or why it cannot be compared [A.7.5, G-20]."""
    if payload.get("status") != "Accepted":
        return NotUseful(reason=f"the station answers {payload.get('status')!r}")
    schedule = payload.get("chargingSchedule")
    if not isinstance(schedule, dict):
        return NotUseful(reason="the station sends no schedule")
    parts = AnswerParts(
        evse=payload.get("connectorId"),
        starts=(payload.get("scheduleStart"), schedule.get("startSchedule")),
        schedule=Fields(raw=schedule, where="the answer"),
    )
    return read_answer(parts)
