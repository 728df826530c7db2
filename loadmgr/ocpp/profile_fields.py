"""Reading charging profiles and composite schedules off the wire: what the versions have in common.

Numbers may be JSON numbers, ``Decimal`` or text [0-17]. What cannot be read raises ``SiteModelError`` with the place.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import TypeVar

from loadmgr.domain.composite import Composite, CompositePeriod
from loadmgr.domain.profiles import N_PHASES_DEFAULT
from loadmgr.domain.traits import RateUnit
from loadmgr.errors import SiteModelError
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import from_wire

T = TypeVar("T")

_ZONE = re.compile(r"(T.*?)(?:[Zz]|[+-]\d{2}(?::?\d{2})?)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class NotUseful:
    """An answer that says nothing that could be compared, and why [G-20]."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A JSON object with the place where it stood, for messages. A missing field and ``null`` are the same."""

    raw: Json
    where: str

    def _wrong(self, key: str, wanted: str) -> SiteModelError:
        return SiteModelError(f"{self.where}: {key} is {self.raw.get(key)!r}, not {wanted}")

    def number(self, key: str) -> float | None:
        """A finite number, or ``None`` where there is none."""
        value = self.raw.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int | float | Decimal | str):
            raise self._wrong(key, "a number")
        try:
            found = float(Decimal(value.strip()) if isinstance(value, str) else value)
        except (InvalidOperation, OverflowError, ValueError):
            raise self._wrong(key, "a number") from None
        if not math.isfinite(found):
            raise self._wrong(key, "a finite number")
        return found

    def whole(self, key: str) -> int | None:
        """A whole number; ``20.0`` is one [G-57]."""
        found = self.number(key)
        if found is None:
            return None
        if not found.is_integer():
            raise self._wrong(key, "a whole number")
        return int(found)

    def needed(self, key: str) -> int:
        """A whole number that must be there."""
        found = self.whole(key)
        if found is None:
            raise SiteModelError(f"{self.where}: {key} is missing")
        return found

    def moment(self, key: str) -> datetime | None:
        """An aware UTC time."""
        value = self.raw.get(key)
        if value is None:
            return None
        found = from_wire(value)
        if found is None:
            raise self._wrong(key, "a time")
        return found

    def wall_time(self, key: str) -> datetime | None:
        """A naive local time: what stands there without its zone (2.1 ``useLocalTime``)."""
        value = self.raw.get(key)
        if value is None:
            return None
        found = from_wire(_ZONE.sub(r"\1", value.strip()) if isinstance(value, str) else value)
        if found is None:
            raise self._wrong(key, "a time")
        return found.replace(tzinfo=None)

    def word(self, key: str, words: Mapping[str, T]) -> T | None:
        """What a word of the standard means."""
        value = self.raw.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or value not in words:
            raise self._wrong(key, f"one of {', '.join(words)}")
        return words[value]

    def chosen(self, key: str, words: Mapping[str, T]) -> T:
        """A word that must be there."""
        found = self.word(key, words)
        if found is None:
            raise SiteModelError(f"{self.where}: {key} is missing")
        return found

    def text(self, key: str) -> str:
        """A text or a number as text; empty where there is none."""
        value = self.raw.get(key)
        return "" if value is None else str(value)

    def unit(self, key: str = "chargingRateUnit") -> RateUnit:
        """A or W."""
        value = self.raw.get(key)
        if value == "A":
            return "A"
        if value == "W":
            return "W"
        raise self._wrong(key, "A or W")

    def inside(self, key: str) -> Fields:
        """The object in a field."""
        value = self.raw.get(key)
        if not isinstance(value, dict):
            raise self._wrong(key, "an object")
        return Fields(raw=value, where=f"{self.where}: {key}")

    def each(self, key: str) -> Iterator[Fields]:
        """The objects in a list; a single object is a list of one [0-11]."""
        value = self.raw.get(key)
        found = [value] if isinstance(value, dict) else value
        if not isinstance(found, list) or any(not isinstance(x, dict) for x in found):
            raise self._wrong(key, "a list of objects")
        for index, raw in enumerate(found):
            yield Fields(raw=raw, where=f"{self.where}: {key}[{index}]")


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerParts:
    """Where a version keeps the parts of a composite schedule; ``starts`` in the order of preference [A.7.5]."""

    evse: object
    starts: tuple[object, ...]
    schedule: Fields


def read_answer(parts: AnswerParts) -> Composite | NotUseful:
    """A composite schedule as a station tells it, or why it is of no use [G-20].

    Its duration is infinite where the station does not say one.
    """
    times = [at for at in map(from_wire, parts.starts) if at is not None]
    if not times:
        return NotUseful(reason=f"its schedule starts at {next((s for s in parts.starts if s), None)!r}")
    try:
        unit = parts.schedule.unit()
        periods = tuple(_said(p) for p in parts.schedule.each("chargingSchedulePeriod"))
        duration_s = parts.schedule.number("duration")
        evse = Fields(raw={"evse": parts.evse}, where="the answer").needed("evse")
    except SiteModelError as error:
        return NotUseful(reason=str(error))
    wrong = _disorder(periods)
    if wrong:
        return NotUseful(reason=wrong)
    return Composite(
        evse=evse,
        from_at=times[0],
        duration_s=math.inf if duration_s is None or duration_s <= 0 else duration_s,
        unit=unit,
        periods=periods,
    )


def _said(fields: Fields) -> CompositePeriod:
    """2.1 may leave the limit out where a setpoint decides; then that is the most the station will allow."""
    limit, setpoint = fields.number("limit"), fields.number("setpoint")
    if limit is None and setpoint is None:
        raise SiteModelError(f"{fields.where}: neither a limit nor a setpoint")
    if limit is None and setpoint is not None:
        limit = max(setpoint, 0.0)
    if limit is None or limit < 0:
        raise SiteModelError(f"{fields.where}: limit {limit} is negative")
    return CompositePeriod(
        start_s=float(fields.needed("startPeriod")),
        limit=limit,
        limit_l2=fields.number("limit_L2"),
        limit_l3=fields.number("limit_L3"),
        discharge_limit=fields.number("dischargeLimit"),
        setpoint=setpoint,
        n_phases=fields.whole("numberPhases") or N_PHASES_DEFAULT,
    )


def _disorder(periods: Sequence[CompositePeriod]) -> str:
    starts = [p.start_s for p in periods]
    if not starts:
        return "it has no period"
    if starts[0] < 0 or any(b <= a for a, b in zip(starts, starts[1:], strict=False)):
        return f"its periods start at {starts} s"
    return ""
