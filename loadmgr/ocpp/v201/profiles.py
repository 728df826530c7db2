"""OCPP 2.0.1 charging profiles and composite schedules off the wire."""

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
        "ChargingStationExternalConstraints": ProfilePurpose.EXTERNAL,
        "ChargingStationMaxProfile": ProfilePurpose.STATION_MAX,
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
    )


def _schedule(fields: Fields) -> Schedule:
    return Schedule(
        no=fields.whole("id") or 0,
        unit=fields.unit(),
        start_at=fields.moment("startSchedule"),
        duration_s=fields.number("duration"),
        rate_min=fields.number("minChargingRate"),
        periods=tuple(
            SchedulePeriod(
                start_s=float(p.needed("startPeriod")),
                limit=p.number("limit"),
                n_phases=p.whole("numberPhases"),
                phase_to_use=p.whole("phaseToUse"),
            )
            for p in fields.each("chargingSchedulePeriod")
        ),
    )


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
