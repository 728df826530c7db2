"""Wire models of the security of stations. No password is in any of them [G26]."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AwareDatetime, Field

from api.schemas import Wire
from loadmgr.control.security_state import SecurityState
from loadmgr.domain import security as sec
from loadmgr.domain.access import SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import CertificateUse, LogKind
from loadmgr.ocpp.access.waiting import Entry
from loadmgr.ports import SecurityRecord

Hex = Annotated[str, Field(min_length=1, max_length=128, pattern=r"^[0-9A-Fa-f]+$")]


class WaitingOut(Wire):
    """An unknown identity that knocked. ``admit``: what to add to the site file. Vendor and so on are its own words."""

    identity: str
    address: str
    first_at: datetime
    last_at: datetime
    tries: int
    offered: tuple[str, ...]
    is_tls: bool
    had_password: bool
    certificate_name: str
    certificate_organization: str
    resembles: str
    vendor: str
    model: str
    serial: str
    firmware: str
    is_held: bool
    admit: str

    @classmethod
    def of(cls, entry: Entry) -> Self:
        """As the waiting room has it."""
        return cls(**asdict(entry), admit=entry.snippet())


class SecurityEventOut(Wire):
    """A security event. ``origin``: ``station``, or ``service`` for what this service saw. Page on with ``id``."""

    id: int
    at: datetime
    station: str
    kind: str
    is_critical: bool
    origin: str
    tech_info: str
    said_at: datetime | None
    acknowledged_at: datetime | None
    acknowledged_by: str

    @classmethod
    def of(cls, record: SecurityRecord) -> Self:
        """As it is stored."""
        event = record.event
        return cls(
            id=record.id,
            at=event.at,
            station=event.station,
            kind=event.kind,
            is_critical=event.is_critical,
            origin=event.origin,
            tech_info=event.tech_info,
            said_at=event.said_at,
            acknowledged_at=record.acknowledged_at,
            acknowledged_by=record.actor,
        )


class AcknowledgeIn(Wire):
    """Whose critical security events have been seen; an empty ``station`` means unknown stations."""

    station: Annotated[str, Field(max_length=64)]


class CertificateOut(Wire):
    """A certificate of a station; ``source``: ``signed`` by us, ``installed`` by an operator, or ``seen`` at a handshake."""

    use: CertificateUse
    serial: str
    subject: str
    not_after: datetime
    source: str


class StationSecurityOut(Wire):
    """What counts for a station. ``…_offered``: it was told and has not shown it yet; until then the old is good too."""

    station: str
    profile: int
    profile_offered: int | None
    has_new_password: bool
    """A password that was set over OCPP stands above that of the site file."""
    password_offered: bool
    certificates: list[CertificateOut]
    log_status: str
    log_request: int | None

    @classmethod
    def of(cls, station: StationId, profile: SecurityProfile, state: SecurityState) -> Self:
        """From the state; hashes stay inside."""
        known, log = state.credentials_of(station), state.logs.get(station)
        return cls(
            station=station,
            profile=int(profile),
            profile_offered=int(known.offered_profile) if known.offered_profile is not None else None,
            has_new_password=known.password_hash is not None,
            password_offered=known.offered_hash is not None,
            certificates=[
                CertificateOut(use=c.use, serial=c.serial, subject=c.subject, not_after=c.not_after, source=c.source)
                for c in state.certificates_of(station)
            ],
            log_status=log.status if log is not None else "",
            log_request=log.request if log is not None else None,
        )


class TaskOut(Wire):
    """A task that goes on by itself; ``CommandAnswered`` with ``no`` and ``CredentialsChanged`` tell what becomes of it."""

    station: str
    no: int


class AnswerOut(Wire):
    """The word of the station."""

    station: str
    accepted: bool
    detail: str
    no: int | None = None


class PasswordIn(Wire):
    """``as_text``: this 1.6 station uses the text of its hexadecimal key as its password, not the bytes [E-10]."""

    as_text: bool = False


class ProfileIn(Wire):
    """A higher security profile. ``slot`` and ``interface`` are for 2.x, which keeps addresses in network slots."""

    profile: Literal[1, 2, 3]
    slot: Annotated[int, Field(ge=0, le=1000)] = 2
    interface: Literal["Wired0", "Wired1", "Wired2", "Wired3", "Wireless0", "Wireless1", "Wireless2", "Wireless3"] = "Wired0"


class RootIn(Wire):
    """A root certificate for a station, PEM."""

    use: Literal["csms-root", "manufacturer-root", "v2g-root", "mo-root", "oem-root"]
    certificate: Annotated[str, Field(min_length=64, max_length=5500)]


class HashModel(Wire):
    """How OCPP names a certificate that a station has."""

    algorithm: Literal["SHA256", "SHA384", "SHA512"]
    issuer_name: Hex
    issuer_key: Hex
    serial: Annotated[str, Field(min_length=1, max_length=40, pattern=r"^[0-9A-Fa-f]+$")]

    def named(self) -> sec.CertificateHash:
        """As the domain has it."""
        return sec.CertificateHash(
            algorithm=self.algorithm, issuer_name=self.issuer_name, issuer_key=self.issuer_key, serial=self.serial
        )


class InstalledOut(Wire):
    """A certificate that the station says it has."""

    use: CertificateUse
    algorithm: str
    issuer_name: str
    issuer_key: str
    serial: str

    @classmethod
    def of(cls, found: sec.InstalledCertificate) -> Self:
        """As the station told it."""
        named = found.hash
        return cls(
            use=found.use,
            algorithm=named.algorithm,
            issuer_name=named.issuer_name,
            issuer_key=named.issuer_key,
            serial=named.serial,
        )


class LogIn(Wire):
    """A log to upload; ``url`` must be on the list of allowed addresses [G20]."""

    kind: LogKind
    url: Annotated[str, Field(min_length=8, max_length=512)]
    oldest_at: AwareDatetime | None = None
    latest_at: AwareDatetime | None = None
