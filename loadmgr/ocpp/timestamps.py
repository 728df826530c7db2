"""Times on the wire: written strictly, read liberally."""

from __future__ import annotations

import re
from datetime import UTC, datetime

_FRACTION = re.compile(r"\.(\d+)")
_SHORT_ZONE = re.compile(r"([+-]\d{2})$")
YEAR_MIN, YEAR_MAX = 2000, 2100


def to_wire(at: datetime) -> str:
    """``YYYY-MM-DDTHH:MM:SSZ``: no fraction, no offset, which every station accepts [0-2]."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def from_wire(text: object) -> datetime | None:
    """An aware UTC time from what stations send: Z, +02:00, +0200, +02, none (UTC), 0-9 digits of fraction, a space
    instead of T [0-3]. ``None`` for what is no time, and for years no charger can mean [B25].
    """
    if not isinstance(text, str):
        return None
    cleaned = text.strip().replace(" ", "T").replace("t", "T").replace("z", "Z")
    cleaned = _FRACTION.sub(lambda m: "." + m.group(1)[:6].ljust(6, "0"), cleaned)
    cleaned = cleaned.replace(":60", ":59") if cleaned[17:19] == "60" else cleaned  # a leap second
    if "T" in cleaned:
        cleaned = _SHORT_ZONE.sub(r"\1:00", cleaned)
    try:
        at = datetime.fromisoformat(cleaned)
    except ValueError:
        return None
    at = at.replace(tzinfo=UTC) if at.tzinfo is None else at
    try:
        at = at.astimezone(UTC)
    except OverflowError:
        return None
    return at if YEAR_MIN <= at.year <= YEAR_MAX else None
