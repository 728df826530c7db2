"""Which security profile a station must come with, and what of it a knock lacks [E-12, E-13]. Pure."""

from __future__ import annotations

import hmac
from dataclasses import dataclass

from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.ocpp.access.verdict import Reason
from loadmgr.ocpp.transport.contract import ClientCertificate
from loadmgr.settings import StationAccess


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What a knock brings. ``password_fault``: why it has not proven a password, ``None`` when it has."""

    is_tls: bool
    certificate: ClientCertificate | None
    is_2x: bool
    password_fault: Reason | None = Reason.NO_PASSWORD


@dataclass(frozen=True, slots=True, kw_only=True)
class Names:
    """What a client certificate must say; ``organization`` ``None``: anything."""

    common_name: str
    organization: str | None


def expected(access: StationAccess, credentials: Credentials | None) -> SecurityProfile:
    """The one profile that counts: what was raised over OCPP stands above the site file, never below it.

    Only 3 → 2 may have gone down, and only where the site file allows it.
    """
    raised = credentials.profile if credentials is not None else None
    if raised is None:
        return access.profile
    if _is_allowed_descent(access.profile, raised, access):
        return raised
    return max(access.profile, raised)


def also_good(access: StationAccess, credentials: Credentials | None, *, is_2x: bool) -> SecurityProfile | None:
    """The profile that was offered and not proven yet, if it may be: a higher one, or 2 after 3 where that is allowed.

    To 1 never, and 1.6 never goes down over OCPP.
    """
    offered = credentials.offered_profile if credentials is not None else None
    if offered is None:
        return None
    now = expected(access, credentials)
    is_descent = is_2x and _is_allowed_descent(now, offered, access)
    return offered if offered > now or is_descent else None


def _is_allowed_descent(above: SecurityProfile, below: SecurityProfile, access: StationAccess) -> bool:
    is_descent = above is SecurityProfile.TLS_CLIENT and below is SecurityProfile.TLS_BASIC
    return is_descent and access.allow_downgrade


def lacks(profile: SecurityProfile, claim: Claim, names: Names) -> Reason | None:
    """What a claim lacks of a profile's proof; ``None``: nothing, it is proven."""
    match profile:
        case SecurityProfile.NONE:  # not defined in 2.x
            return Reason.WRONG_PROFILE if claim.is_tls or claim.is_2x else None
        case SecurityProfile.BASIC:
            return Reason.WRONG_PROFILE if claim.is_tls else claim.password_fault
        case SecurityProfile.TLS_BASIC:
            return claim.password_fault if claim.is_tls else Reason.WRONG_PROFILE
        case SecurityProfile.TLS_CLIENT:
            return _certificate_lacks(claim, names)


def _certificate_lacks(claim: Claim, names: Names) -> Reason | None:
    """The TLS library has verified chain, validity and revocation; whose it is, is for us to see."""
    certificate = claim.certificate
    if not claim.is_tls or certificate is None:
        return Reason.WRONG_PROFILE
    if names.organization is not None and not _is_same(certificate.organization, names.organization):
        return Reason.CERTIFICATE_ORGANIZATION
    is_named = bool(names.common_name) and _is_same(certificate.common_name, names.common_name)
    return None if is_named else Reason.CERTIFICATE_NAME


def _is_same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(), other.encode())
