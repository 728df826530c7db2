"""Is the station that boots the one whose certificate was shown [E-12]?"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from loadmgr.domain.ids import StationId
from loadmgr.domain.security import SecurityEventReported

SERIALS = ("serialNumber", "chargePointSerialNumber", "chargeBoxSerialNumber")
"""In a BootNotification of 2.x and 1.6."""


def doubt(shown: str, boot: Mapping[str, object]) -> str:
    """What contradicts the serial number ``shown`` in the certificate, or nothing.

    A station that says none contradicts nothing, and one of its serial numbers is enough.
    """
    inner = boot.get("chargingStation")
    said: Mapping[str, object] = inner if isinstance(inner, Mapping) else boot
    serials = [str(said[key]) for key in SERIALS if said.get(key)]
    if not shown or not serials or shown in serials:
        return ""
    return f"the certificate is that of serial number {shown[:64]}"


def contradiction(station: StationId, why: str, now: datetime) -> SecurityEventReported:
    """The event of a station that shows the certificate of another one."""
    return SecurityEventReported(
        at=now,
        station=station,
        kind="InvalidChargingStationCertificate",
        is_critical=True,
        origin="service",
        tech_info=f"{why}, its boot says another",
    )
