"""How a station proves who it is: security profiles and what was agreed with it after the site file was written."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

from loadmgr.domain.ids import StationId


class SecurityProfile(IntEnum):
    """Security profiles of OCPP (1.6 security whitepaper, 2.x part 2 A.1.3); 0 is the informal name for nothing at all."""

    NONE = 0
    BASIC = 1
    """HTTP basic authentication over plain TCP."""
    TLS_BASIC = 2
    """TLS with a server certificate, basic authentication inside."""
    TLS_CLIENT = 3
    """TLS with certificates on both sides."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """What stands above the site file for one station: passwords set over OCPP (argon2 hashes) and profiles raised.

    What is ``offered`` was sent and not proven yet: until the station comes with it once, both the old and the new are
    good [E-14]; after that only the new [E-13].
    """

    station: StationId
    password_hash: str | None = None
    offered_hash: str | None = None
    profile: SecurityProfile | None = None
    offered_profile: SecurityProfile | None = None
