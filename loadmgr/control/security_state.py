"""What is known of the security of links: credentials above the site file, certificates, alerts nobody has seen, logs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import TypeVar

from loadmgr.domain.access import Credentials
from loadmgr.domain.events import AlarmRaised, Severity
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import (
    CertificateGone,
    CertificateKnown,
    CertificateUse,
    CredentialsChanged,
    LogStatusReported,
    SecurityAcknowledged,
    SecurityAsked,
    SecurityEvent,
    SecurityEventReported,
)

K = TypeVar("K")
V = TypeVar("V")

RENEW = timedelta(days=30)
"""A certificate is renewed when it is valid for less than this (rule E.3)."""
CERTIFICATES_KEPT = 16
"""Per station; the oldest words are forgotten first."""
DAILY = frozenset({"StartupOfTheDevice", "ResetOrReboot", "SettingSystemTime"})
"""Critical by the standard's list, and what every charger does now and then."""
UPDATES = frozenset({"FirmwareUpdated", "MemoryExhaustion", "DiscardedRenewedClientCertificate"})
"""Worth a look; the others are attacks until somebody knows better."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityState:
    """See the module. ``alerts`` maps (station, kind) to the newest critical event that nobody has acknowledged."""

    credentials: Mapping[StationId, Credentials] = field(default_factory=dict)
    certificates: Mapping[tuple[StationId, str], CertificateKnown] = field(default_factory=dict)
    """By station and serial number."""
    alerts: Mapping[tuple[StationId, str], SecurityEventReported] = field(default_factory=dict)
    logs: Mapping[StationId, LogStatusReported] = field(default_factory=dict)

    def credentials_of(self, station: StationId) -> Credentials:
        """What stands above the site file for a station; empty when nothing does."""
        return self.credentials.get(station) or Credentials(station=station)

    def certificates_of(self, station: StationId) -> tuple[CertificateKnown, ...]:
        """What is known of a station's certificates, the oldest word first."""
        return tuple(known for (owner, _), known in self.certificates.items() if owner == station)

    def own_certificate(self, station: StationId) -> CertificateKnown | None:
        """The certificate that the station last showed or was last given."""
        found = [c for c in self.certificates_of(station) if c.use is CertificateUse.STATION]
        return max(found, key=lambda c: c.at, default=None)


def apply(state: SecurityState, event: SecurityEvent) -> SecurityState:
    """The state after ``event``."""
    match event:
        case SecurityEventReported():
            if not event.is_critical:
                return state
            return replace(state, alerts=_with(state.alerts, (event.station, event.kind), event))
        case SecurityAcknowledged():
            open_ = {key: alert for key, alert in state.alerts.items() if key[0] != event.station}
            return replace(state, alerts=MappingProxyType(open_))
        case CredentialsChanged():
            credentials = event.credentials
            return replace(state, credentials=_with(state.credentials, credentials.station, credentials))
        case CertificateKnown():
            return replace(state, certificates=_learned(state.certificates, event))
        case CertificateGone():
            left = {k: c for k, c in state.certificates.items() if k != (event.station, event.serial)}
            return replace(state, certificates=MappingProxyType(left))
        case LogStatusReported():
            return replace(state, logs=_with(state.logs, event.station, event))
        case SecurityAsked():
            return state


def _with(mapping: Mapping[K, V], key: K, value: V) -> Mapping[K, V]:
    return MappingProxyType({**mapping, key: value})


def _learned(
    known: Mapping[tuple[StationId, str], CertificateKnown], event: CertificateKnown
) -> Mapping[tuple[StationId, str], CertificateKnown]:
    found = {k: c for k, c in known.items() if k != (event.station, event.serial)}
    mine = [k for k in found if k[0] == event.station]
    for key in mine[: max(len(mine) - CERTIFICATES_KEPT + 1, 0)]:
        del found[key]
    found[event.station, event.serial] = event
    return MappingProxyType(found)


def severity_of(kind: str) -> Severity:
    """How soon somebody must look at a critical security event."""
    if kind in DAILY:
        return Severity.INFO
    return Severity.WARNING if kind in UPDATES else Severity.CRITICAL


def alert_key(station: StationId, kind: str) -> str:
    """The key of its alarm."""
    return f"security:{kind}:{station}"


def causes(state: SecurityState, now: datetime) -> Iterator[AlarmRaised]:
    """An alarm for every critical security event that nobody has acknowledged (rule E.3)."""
    for (station, kind), told in state.alerts.items():
        who = f"station {station}" if station else "an unknown station"
        what = "reported" if told.origin == "station" else "caused"
        yield AlarmRaised(
            at=now,
            key=alert_key(station, kind),
            severity=severity_of(kind),
            message=f"{who} {what} {kind}" + (f": {told.tech_info}" if told.tech_info else ""),
            remedy="find out why, then acknowledge it with POST /api/v1/security/acknowledge",
        )


def is_renewal_due(state: SecurityState, station: StationId, now: datetime) -> bool:
    """Is the station's own certificate valid for less than ``RENEW`` (rule E.3)?"""
    known = state.own_certificate(station)
    return known is not None and known.not_after - now < RENEW
