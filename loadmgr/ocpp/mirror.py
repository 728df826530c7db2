"""What a station holds: its charging profiles by accepted calls and reports, and what it should do by them [A.4, A.10].

No I/O and no clock. The connection tells a mirror what the station accepted and reported; it answers with the schedule
to expect and with what differs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import datetime, tzinfo
from types import MappingProxyType
from typing import NamedTuple

from loadmgr.domain.composite import Composite, composite
from loadmgr.domain.profiles import (
    N_PHASES_DEFAULT,
    Profile,
    ProfileKind,
    ProfilePurpose,
    Running,
    StationContext,
    Wiring,
    purposes_of,
)
from loadmgr.domain.traits import RateUnit
from loadmgr.errors import SiteModelError
from loadmgr.ocpp.composite_check import Comparison, compared
from loadmgr.ocpp.profile_fields import Fields, NotUseful
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.v16 import profiles as v16
from loadmgr.ocpp.v21 import profiles as v21
from loadmgr.ocpp.v201 import profiles as v201

OURS = "CSO"
"""The limit source of profiles that a central system installs (A.10)."""

NOT_CLEARABLE = frozenset({ProfilePurpose.EXTERNAL, ProfilePurpose.LOCAL_GENERATION})
"""2.x: only the station itself removes these (A.10)."""

SURVIVES_BOOT_21 = frozenset({ProfilePurpose.STATION_MAX, ProfilePurpose.TX_DEFAULT, ProfilePurpose.PRIORITY})
"""2.1: what a boot leaves unless ``ChargingProfilePersistence`` says more [A-133]."""

_REMEMBERED = 8  # requests for reports that may still be answered


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """An installed profile; ``source`` as the station names it, ``is_ours``: we sent it."""

    profile: Profile
    source: str = OURS
    is_ours: bool = False


class _Wire(NamedTuple):
    from_wire: Callable[[Json, datetime | None], Profile]
    read_profile: Callable[[Fields, int, datetime | None], Profile] | None
    composite: Callable[[Json], Composite | NotUseful]
    purposes: Mapping[str, ProfilePurpose]


_WIRES: Mapping[str, _Wire] = MappingProxyType(
    {
        "1.6": _Wire(v16.from_wire, None, v16.composite_from_wire, v16.PURPOSES),
        "2.0.1": _Wire(v201.from_wire, v201.read_profile, v201.composite_from_wire, v201.PURPOSES),
        "2.1": _Wire(v21.from_wire, v21.read_profile, v21.composite_from_wire, v21.PURPOSES),
    }
)


class Mirror:
    """The profiles of one station. ``owns`` says which profile ids are ours beyond those sent here.

    ``persistent``: purposes that a 2.1 station says it keeps over a boot beside those of the standard [A-133].
    Raises ``SiteModelError`` for an OCPP version that is not known.
    """

    def __init__(
        self,
        ocpp: str,
        wiring: Mapping[int, Wiring],
        *,
        zone: tzinfo | None = None,
        persistent: frozenset[ProfilePurpose] = frozenset(),
        owns: Callable[[int], bool] = lambda _: False,
    ) -> None:
        purposes_of(ocpp)
        self.ocpp = ocpp
        self.wiring = wiring
        self.zone = zone
        self.persistent = persistent
        self.is_csms_setpoint_first = False
        """2.1 ``SetpointPriority`` is ``CSMS``."""
        self.owns = owns
        self.running: dict[int, Running] = {}
        self.offline_since: datetime | None = None
        self._held: list[Held] = []
        self._waiting: dict[int, Profile] = {}
        self._asked: dict[int, Json] = {}
        self._seen: dict[int, set[tuple[int, bool]]] = {}

    @property
    def held(self) -> tuple[Held, ...]:
        """Everything installed, in the order in which it was learned."""
        return tuple(self._held)

    @property
    def profiles(self) -> tuple[Profile, ...]:
        """The installed profiles."""
        return tuple(h.profile for h in self._held)

    # What the station accepted

    def accepted(self, action: str, payload: Json, at: datetime) -> str:
        """Take in a call that the station accepted ``at``. Returns what was odd about it, else an empty text.

        An answered pull counts as UpdateDynamicSchedule. Other actions change nothing.
        """
        match action:
            case "SetChargingProfile":
                self._install(Held(profile=self._wire.from_wire(payload, at), is_ours=True))
            case "ClearChargingProfile":
                self._clear(payload)
            case "UpdateDynamicSchedule":
                return self._update(payload, at)
            case "RemoteStartTransaction" | "RequestStartTransaction":
                return self._await(payload, at)
            case "UsePriorityCharging":
                self.prioritised(str(payload.get("transactionId")), is_active=payload.get("activate") is True)
            case "GetChargingProfiles":
                self._ask(payload)
            case _:
                pass
        return ""

    @property
    def _wire(self) -> _Wire:
        return _WIRES[self.ocpp]

    def _install(self, new: Held) -> None:
        """A.4: the same id goes; in 1.6 the same slot too; an external limit is never replaced by ours."""
        profile = new.profile
        self._held = [h for h in self._held if _key(h.profile) != _key(profile)]
        if self.ocpp == "1.6":
            self._held = [h for h in self._held if h.profile.slot != profile.slot]
        self._held.append(new)
        if profile.purpose is ProfilePurpose.TX and profile.evse not in self.running:
            # A station takes one for a running transaction only, so there is one.
            self.running[profile.evse] = Running(transaction=profile.transaction)

    def _clear(self, payload: Json) -> None:
        """A.10: in 1.6 the given fields are joined by AND; in 2.x an id makes the criteria moot."""
        wanted = Fields(raw=payload, where="ClearChargingProfile")
        if self.ocpp == "1.6":
            number, place = wanted.whole("id"), wanted.whole("connectorId")
        else:
            number = wanted.whole("chargingProfileId")
            wanted = replace(wanted, raw={} if number is not None else payload.get("chargingProfileCriteria") or {})
            place = wanted.whole("evseId")
        purpose = wanted.word("chargingProfilePurpose", self._wire.purposes)
        stack = wanted.whole("stackLevel")

        def goes(p: Profile) -> bool:
            return (
                (number is None or p.id == number)
                and (place is None or p.evse == place)
                and (purpose is None or p.purpose is purpose)
                and (stack is None or p.stack == stack)
                and (self.ocpp == "1.6" or p.purpose not in NOT_CLEARABLE)
            )

        self._held = [h for h in self._held if not goes(h.profile)]

    def _update(self, payload: Json, at: datetime) -> str:
        number = Fields(raw=payload, where="UpdateDynamicSchedule").needed("chargingProfileId")
        found = [h for h in self._held if h.profile.id == number and h.profile.kind is ProfileKind.DYNAMIC]
        if not found:
            return f"profile {number} was updated but is not known here as a dynamic one; read the station's profiles"
        updated = replace(found[0], profile=v21.updated(found[0].profile, payload.get("scheduleUpdate") or {}, at))
        self._held = [updated if h is found[0] else h for h in self._held]
        return ""

    def _await(self, payload: Json, at: datetime) -> str:
        """A remote start may carry a profile for the transaction that it begins (K05)."""
        if "chargingProfile" not in payload:
            return ""
        place = "connectorId" if self.ocpp == "1.6" else "evseId"
        if payload.get(place) is None:
            return f"the remote start names no {place}, so its profile cannot be followed; read the station's profiles"
        profile = self._wire.from_wire(payload, at)
        self._waiting[profile.evse] = profile
        return ""

    # What happens at the station

    def began(self, evse_no: int, transaction: str, at: datetime) -> None:
        """A transaction runs at an EVSE since ``at``; profiles of an earlier one are gone [A-4]."""
        known = self.running.get(evse_no)
        if known is not None and known.transaction in {"", transaction}:
            self.running[evse_no] = replace(known, transaction=transaction, started_at=known.started_at or at)
        else:
            self.running[evse_no] = Running(transaction=transaction, started_at=at)
        self._drop(lambda p: _is_of(p, evse_no) and p.transaction not in {"", transaction})
        waiting = self._waiting.pop(evse_no, None)
        if waiting is not None:
            self._install(Held(profile=replace(waiting, transaction=transaction, received_at=at), is_ours=True))

    def power_closed(self, evse_no: int, at: datetime) -> None:
        """2.x: the power path closed, the time base of Relative profiles (K01.FR.42); later ones change nothing."""
        known = self.running.get(evse_no, Running())
        self.running[evse_no] = replace(known, closed_at=known.closed_at or at)

    def chose(self, evse_no: int, schedule_no: int) -> None:
        """2.1: the car chose one of several schedules."""
        self.running[evse_no] = replace(self.running.get(evse_no, Running()), schedule_no=schedule_no)

    def prioritised(self, transaction: str, *, is_active: bool) -> None:
        """2.1: priority charging of a transaction was switched (K21, K22)."""
        for evse_no, known in self.running.items():
            if known.transaction == transaction:
                self.running[evse_no] = replace(known, has_priority=is_active)

    def ended(self, evse_no: int) -> None:
        """The transaction at an EVSE ended, and its profiles with it [A-4]."""
        self.running.pop(evse_no, None)
        self._drop(lambda p: _is_of(p, evse_no))

    def booted(self, at: datetime) -> None:
        """A boot: 1.6 and 2.0.1 keep everything, 2.1 what it says [A-133]; a remote start is forgotten."""
        self._waiting.clear()
        if self.offline_since is not None:
            self.came_back(at)
        if self.ocpp == "2.1":
            kept = SURVIVES_BOOT_21 | self.persistent
            self._drop(lambda p: p.purpose not in kept)

    def went_offline(self, at: datetime) -> None:
        """The link is gone since ``at``."""
        self.offline_since = self.offline_since or at

    def came_back(self, at: datetime) -> None:
        """The link is back; what offline time made invalid for good is gone (2.1 invalidAfterOfflineDuration)."""
        if self.offline_since is not None:
            away_s = (at - self.offline_since).total_seconds()
            self._drop(lambda p: p.is_void_after_offline and p.offline_max_s is not None and away_s >= p.offline_max_s)
        self.offline_since = None

    def _drop(self, goes: Callable[[Profile], bool]) -> None:
        self._held = [h for h in self._held if not goes(h.profile)]

    # What the station reports (2.x)

    def _ask(self, payload: Json) -> None:
        request = Fields(raw=payload, where="GetChargingProfiles").needed("requestId")
        self._asked[request] = payload
        self._seen[request] = set()
        for old in list(self._asked)[:-_REMEMBERED]:
            del self._asked[old], self._seen[old]

    def reported(self, payload: Json, at: datetime) -> tuple[str, ...]:
        """Take in a ReportChargingProfiles. Returns what differs from what was known, one sentence each [A-91].

        When the last part of a report that was asked for is in, what it lacks is gone from the mirror.
        """
        report = Fields(raw=payload, where=f"report at {at:%H:%M:%S}")
        request, evse, source = report.whole("requestId"), report.needed("evseId"), report.text("chargingLimitSource")
        seen = self._seen.get(request, set()) if request is not None else set()
        notes: list[str] = []
        for part in report.each("chargingProfile"):
            try:
                found = self._read(part, evse)
            except SiteModelError as error:
                notes.append(f"a profile cannot be read: {error}")
                continue
            seen.add(_key(found))
            notes.extend(self._learned(found, source or OURS))
        if payload.get("tbc") is not True and request in self._asked:
            notes.extend(self._missing(self._asked[request], seen))
        return tuple(notes)

    def found_none(self, request: Json) -> tuple[str, ...]:
        """The station answered NoProfiles to this GetChargingProfiles; returns what should have been there."""
        return tuple(self._missing(request, set()))

    def _read(self, part: Fields, evse: int) -> Profile:
        if self._wire.read_profile is None:
            raise SiteModelError(f"OCPP {self.ocpp} has no reports of profiles")
        return self._wire.read_profile(part, evse, None)

    def _learned(self, found: Profile, source: str) -> Iterator[str]:
        known = next((h for h in self._held if _key(h.profile) == _key(found)), None)
        is_ours = (known is not None and known.is_ours) or (source == OURS and self.owns(found.id))
        self._drop(lambda p: _key(p) == _key(found))
        if known is None:
            self._held.append(Held(profile=found, source=source, is_ours=is_ours))
            if source == OURS and not is_ours and found.purpose not in NOT_CLEARABLE:
                yield f"profile {found.id} on EVSE {found.evse} ({found.purpose}, level {found.stack}) is not ours"
            return
        changed = _changed(known.profile, found)
        taken_at = None if changed else known.profile.received_at
        updated_at = found.updated_at or known.profile.updated_at
        kept = replace(found, received_at=taken_at, updated_at=updated_at)
        self._held.append(replace(known, profile=kept, source=source))
        if changed and source == OURS:
            yield f"profile {found.id} on EVSE {found.evse} is not as it was sent: {', '.join(changed)} differ"

    def _missing(self, request: Json, seen: Iterable[tuple[int, bool]]) -> Iterator[str]:
        there = set(seen)
        gone = [h for h in self._held if _is_asked(h, request, self._wire.purposes) and _key(h.profile) not in there]
        self._held = [h for h in self._held if h not in gone]
        for held in gone:
            if held.is_ours:
                yield f"profile {held.profile.id} on EVSE {held.profile.evse} is gone from the station"

    def foreign(self) -> tuple[Profile, ...]:
        """Installed profiles that another central system left: to be deleted only by who owns the station [A-91]."""
        return tuple(
            h.profile for h in self._held if h.source == OURS and not h.is_ours and h.profile.purpose not in NOT_CLEARABLE
        )

    # What to expect

    def expected(self, evse_no: int, from_at: datetime, duration_s: float, unit: RateUnit = "A") -> Composite:
        """The composite schedule that the station should come to (EVSE 0: for the whole of it)."""
        context = StationContext(
            ocpp=self.ocpp,
            wiring=self.wiring,
            running=self.running,
            offline_since=self.offline_since,
            zone=self.zone,
            is_csms_setpoint_first=self.is_csms_setpoint_first,
        )
        return composite(self.profiles, context, evse=evse_no, from_at=from_at, duration_s=duration_s, unit=unit)

    def compare(self, evse_no: int, payload: Json, now: datetime) -> Comparison:
        """The answer to GetCompositeSchedule beside what is expected, with the tolerances of [A-61]."""
        said = self._wire.composite({"connectorId": evse_no, **payload} if self.ocpp == "1.6" else payload)
        if isinstance(said, NotUseful):
            return Comparison(is_useful=False, reason=said.reason, from_at=now)
        if said.evse != evse_no:
            return Comparison(is_useful=False, reason=f"it is about EVSE {said.evse}, not {evse_no}", from_at=now)
        delay_s = max((s.delay_s for p in self.profiles for s in p.schedules if p.evse in {0, evse_no}), default=0.0)
        try:
            return compared(said, self.expected, self.wiring, now, delay_s)
        except SiteModelError as error:
            return Comparison(is_useful=False, reason=f"nothing to compare it with: {error}", from_at=now)


def _key(profile: Profile) -> tuple[int, bool]:
    """Ids of external limits are the station's own and may equal one of ours in 2.0.1."""
    return profile.id, profile.purpose is ProfilePurpose.EXTERNAL


def _is_of(profile: Profile, evse_no: int) -> bool:
    return profile.purpose is ProfilePurpose.TX and profile.evse == evse_no


def _is_asked(held: Held, request: Json, purposes: Mapping[str, ProfilePurpose]) -> bool:
    """Does a GetChargingProfiles ask for this one (A.10)?"""
    asked = Fields(raw=request.get("chargingProfile") or {}, where="GetChargingProfiles")
    place, stack = request.get("evseId"), asked.whole("stackLevel")
    purpose = asked.word("chargingProfilePurpose", purposes)
    ids, sources = asked.raw.get("chargingProfileId"), asked.raw.get("chargingLimitSource")
    profile = held.profile
    return (
        (place is None or profile.evse == place)
        and (stack is None or profile.stack == stack)
        and (purpose is None or profile.purpose is purpose)
        and (not ids or profile.id in ids)
        and (not sources or held.source in sources)
    )


def _changed(ours: Profile, theirs: Profile) -> list[str]:
    """Fields in which two profiles mean something else; when it was received or updated is the mirror's business."""
    one, other = _plain(ours), _plain(theirs)
    return [f.name for f in fields(Profile) if getattr(one, f.name) != getattr(other, f.name)]


def _plain(profile: Profile) -> Profile:
    schedules = tuple(
        replace(s, periods=tuple(replace(p, n_phases=p.n_phases or N_PHASES_DEFAULT) for p in s.periods))
        for s in profile.schedules
    )
    return replace(profile, schedules=schedules, received_at=None, updated_at=None)
