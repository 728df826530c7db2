"""A station's own view of its charging profiles, written from the standard and not from our central system."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

MAX = ("ChargePointMaxProfile", "ChargingStationMaxProfile")


@dataclass(frozen=True, slots=True, kw_only=True)
class Profile:
    """An installed profile with one absolute schedule: (start offset in s, limit in A per phase)."""

    id: int
    evse: int
    stack: int
    purpose: str
    start_at: datetime
    duration_s: float | None
    periods: tuple[tuple[float, float], ...]
    transaction: str = ""

    def limit_at(self, at: datetime) -> float | None:
        """The limit in force at ``at``; ``None`` before the start and after the end."""
        offset_s = (at - self.start_at).total_seconds()
        if offset_s < 0 or (self.duration_s is not None and offset_s >= self.duration_s):
            return None
        started = [limit for begin_s, limit in self.periods if begin_s <= offset_s]
        return started[-1] if started else None

    def changes_after(self, at: datetime) -> datetime | None:
        """When the limit changes next."""
        marks = [self.start_at + timedelta(seconds=s) for s, _ in self.periods]
        if self.duration_s is not None:
            marks.append(self.start_at + timedelta(seconds=self.duration_s))
        later = [m for m in marks if m > at]
        return min(later) if later else None


@dataclass(slots=True)
class Installed:
    """The profiles of a station."""

    found: list[Profile] = field(default_factory=list)

    def install(self, profile: Profile) -> None:
        """Replace what has the same id, or the same slot (A.4)."""
        slot = (profile.evse, profile.stack, profile.purpose)
        self.found = [p for p in self.found if p.id != profile.id and (p.evse, p.stack, p.purpose) != slot]
        self.found.append(profile)

    def end_transaction(self, evse: int) -> None:
        """A TxProfile dies with its transaction [A-4]."""
        self.found = [p for p in self.found if p.purpose != "TxProfile" or p.evse != evse]

    def reboot(self) -> None:
        """Default and maximum profiles survive, those of transactions do not [A-133]."""
        self.found = [p for p in self.found if p.purpose != "TxProfile"]

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

    def _leading(self, evse: int, purposes: tuple[str, ...], at: datetime) -> float | None:
        """Highest stack that has a limit now; a profile of the EVSE beats one of the whole station."""
        best: tuple[int, int, float] | None = None
        for profile in self.found:
            if profile.purpose not in purposes or profile.evse not in {0, evse}:
                continue
            limit = profile.limit_at(at)
            if limit is not None and (best is None or (profile.stack, profile.evse) > best[:2]):
                best = (profile.stack, profile.evse, limit)
        return None if best is None else best[2]

    def limit_a(self, evse: int, at: datetime, *, in_transaction: bool, hardware_a: float) -> float:
        """What the station offers on an EVSE: min(Max, TxProfile else TxDefaultProfile), never above its hardware."""
        tx = self._leading(evse, ("TxProfile",), at) if in_transaction else None
        if tx is None:
            tx = self._leading(evse, ("TxDefaultProfile",), at)
        most = self._leading(0, MAX, at)
        return min([hardware_a, *(x for x in (tx, most) if x is not None)])

    def changes_after(self, at: datetime) -> datetime | None:
        """When time alone changes a limit next."""
        marks = [m for p in self.found if (m := p.changes_after(at)) is not None]
        return min(marks) if marks else None
