"""Security of the links: events, commands and the fate of what was offered to a station (domain rules E.2, E.3)."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import Enum, StrEnum

from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.ids import StationId

CRITICAL = frozenset({
    "FirmwareUpdated",
    "SettingSystemTime",
    "StartupOfTheDevice",
    "ResetOrReboot",
    "SecurityLogWasCleared",
    "MemoryExhaustion",
    "TamperDetectionActivated",
    "InvalidFirmwareSignature",
    "InvalidFirmwareSigningCertificate",
    "InvalidCsmsCertificate",
    "InvalidCentralSystemCertificate",
    "InvalidChargingStationCertificate",
    "InvalidChargePointCertificate",
    "DiscardedRenewedClientCertificate",
    "InvalidTLSVersion",
    "InvalidTLSCipherSuite",
})  # fmt: skip
"""Security events that the standard calls critical (rule E.3), with the older spellings of 1.6."""
GUARDED = frozenset({
    "authorizationkey",
    "securityprofile",
    "securityctrlr.basicauthpassword",
    "securityctrlr.securityprofile",
})  # fmt: skip
"""Settings, in lower case, that only ``SetPassword`` and ``RaiseProfile`` may write [E-13, E-14]."""


def is_guarded(setting: str) -> bool:
    """May this setting be written only by the commands that keep the station able to come back?"""
    return setting.strip().lower() in GUARDED


class CertificateUse(StrEnum):
    """What a certificate in a station is for."""

    CSMS_ROOT = "csms-root"
    MANUFACTURER_ROOT = "manufacturer-root"
    V2G_ROOT = "v2g-root"
    MO_ROOT = "mo-root"
    OEM_ROOT = "oem-root"
    V2G_CHAIN = "v2g-chain"
    STATION = "station"
    """Its own, which it shows us (security profile 3)."""
    V2G = "v2g"
    """Its own, which it shows to cars (ISO 15118-2)."""
    V2G20 = "v2g-20"
    """The same for ISO 15118-20."""


class LogKind(StrEnum):
    """Which log a station uploads."""

    SECURITY = "security"
    DIAGNOSTICS = "diagnostics"


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateHash:
    """How OCPP names an installed certificate; the hashes are hexadecimal."""

    algorithm: str
    issuer_name: str
    issuer_key: str
    serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InstalledCertificate:
    """A certificate that a station says it has."""

    use: CertificateUse
    hash: CertificateHash


# -- events --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityEventReported:
    """A station told a security event, or this service saw one about it (``origin`` ``service``) (rule E.3).

    ``said_at`` is the station's own time. ``is_kept``: a restart brings back one that nobody has acknowledged.
    """

    at: datetime
    station: StationId
    kind: str
    is_critical: bool = False
    origin: str = "station"
    tech_info: str = ""
    said_at: datetime | None = None
    is_kept: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityAcknowledged:
    """An operator has seen the critical security events of a station; their alarms end."""

    at: datetime
    station: StationId
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SecurityAsked:
    """The audit of an order about a station's security: who asked, what, and the number of the command [G30]."""

    at: datetime
    station: StationId
    what: str
    actor: str
    no: int = 0
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CredentialsChanged:
    """What stands above the site file for a station from now on; ``what`` in words, never a password [G26]."""

    at: datetime
    credentials: Credentials
    what: str = ""
    actor: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateKnown:
    """A certificate of a station that we signed, installed or saw; ``source``: ``signed``, ``installed`` or ``seen``."""

    at: datetime
    station: StationId
    use: CertificateUse
    serial: str
    not_after: datetime
    source: str
    subject: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CertificateGone:
    """A certificate was removed from a station."""

    at: datetime
    station: StationId
    serial: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LogStatusReported:
    """How far the upload of a log has come; ``request`` 0: it belongs to no request."""

    at: datetime
    station: StationId
    status: str
    request: int = 0


# -- commands ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class SetPassword:
    """Give the station a new password for its next link [E-14]; it is shown nowhere [G26].

    In 1.6 it is the hexadecimal text of the key; a station uses the bytes that it means or, some do, the text [E-10].
    """

    no: int
    station: StationId
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class RaiseProfile:
    """Tell the station to use a higher security profile [E-13]; the rest is for 2.x, which needs a network slot for it."""

    no: int
    station: StationId
    profile: SecurityProfile
    url: str = ""
    slot: int = 2
    interface: str = "Wired0"
    message_timeout_s: int = 30


@dataclass(frozen=True, slots=True, kw_only=True)
class GiveCertificate:
    """Hand the station the chain for the key of its request, its own certificate first, PEM (CertificateSigned, A02)."""

    no: int
    station: StationId
    chain: str
    use: CertificateUse | None = None
    """``None``: the station did not say for what it asked."""
    request: int | None = None
    """2.1: the number of its request."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RenewCertificate:
    """Ask the station to make a new key and to request a certificate for it (A02)."""

    no: int
    station: StationId


@dataclass(frozen=True, slots=True, kw_only=True)
class InstallCertificate:
    """Install a root certificate, PEM (M05)."""

    no: int
    station: StationId
    use: CertificateUse
    certificate: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteCertificate:
    """Remove an installed certificate (M04)."""

    no: int
    station: StationId
    certificate: CertificateHash


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadCertificates:
    """Which certificates of a use are installed (M03); 2.x answers for all uses when none is named."""

    no: int
    station: StationId
    use: CertificateUse | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadLog:
    """Upload a log to ``url`` (N01); ``LogStatusReported`` follows with the number of the command as ``request``."""

    no: int
    station: StationId
    kind: LogKind
    url: str = field(repr=False)
    oldest_at: datetime | None = None
    latest_at: datetime | None = None


SecurityEvent = (
    SecurityEventReported
    | SecurityAcknowledged
    | SecurityAsked
    | CredentialsChanged
    | CertificateKnown
    | CertificateGone
    | LogStatusReported
)
SecurityCommand = (
    SetPassword
    | RaiseProfile
    | GiveCertificate
    | RenewCertificate
    | InstallCertificate
    | DeleteCertificate
    | ReadCertificates
    | ReadLog
)


# -- offered until proven ------------------------------------------------------------------------------------------


class Outcome(Enum):
    """What became of one attempt to offer something."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    LOST = "lost"


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A password hash or a profile on its way into a station. ``n_lost`` attempts had no answer: they may be in force.

    What is offered is good from before the first attempt until the station shows that it has it, or until nothing can
    have reached it; the old stays good as long [E-14].
    """

    password_hash: str | None = None
    profile: SecurityProfile | None = None
    n_lost: int = 0
    is_accepted: bool = False

    def made_to(self, known: Credentials) -> Credentials:
        """The credentials that must be on disk before the first attempt leaves."""
        if self.password_hash is not None:
            return replace(known, offered_hash=self.password_hash)
        return replace(known, offered_profile=self.profile)

    def stands_in(self, known: Credentials) -> bool:
        """Is it still open? It ends when the station shows it and when an operator withdraws it."""
        if self.password_hash is not None:
            return known.offered_hash == self.password_hash
        return known.offered_profile is self.profile

    def after(self, outcome: Outcome) -> Offer | None:
        """The offer after an attempt; ``None``: it is withdrawn, for the station cannot have it.

        A refusal withdraws only what no lost attempt can have brought into force.
        """
        match outcome:
            case Outcome.ACCEPTED:
                return replace(self, is_accepted=True)
            case Outcome.LOST:
                return replace(self, n_lost=self.n_lost + 1)
            case Outcome.REFUSED:
                return self if self.n_lost or self.is_accepted else None

    def withdrawn_from(self, known: Credentials) -> Credentials:
        """The credentials without it."""
        if not self.stands_in(known):
            return known
        if self.password_hash is not None:
            return replace(known, offered_hash=None)
        return replace(known, offered_profile=None)


def proven_password(known: Credentials) -> Credentials:
    """The station came with the offered password: from now on only that one is good [E-13]."""
    if known.offered_hash is None:
        return known
    return replace(known, password_hash=known.offered_hash, offered_hash=None)


def proven_profile(known: Credentials) -> Credentials:
    """The station came with the offered profile: it never goes back [E-13]."""
    if known.offered_profile is None:
        return known
    return replace(known, profile=known.offered_profile, offered_profile=None)
