"""What the gatekeeper says of a knock: to the transport, and, with the reason, to the service only."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from http import HTTPStatus
from types import MappingProxyType

from loadmgr.domain.access import SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.ocpp.transport.contract import Refusal

RETRY_AFTER_S = 15
"""Told to a station that comes while too many passwords wait to be checked."""
_CHALLENGE: Mapping[str, str] = MappingProxyType({"WWW-Authenticate": 'Basic realm="OCPP", charset="UTF-8"'})
_LATER: Mapping[str, str] = MappingProxyType({"Retry-After": str(RETRY_AFTER_S)})


class Reason(StrEnum):
    """Why a knock was refused; never told to whoever knocked."""

    PATH = "path"
    """No identity of ours in the path [A10]."""
    IDENTITY = "identity"
    """No form that an identity may have [G14]."""
    UNKNOWN = "unknown"
    RESEMBLES = "resembles"
    """Only like the identity of a station, and with its proof [G-55]."""
    NO_PASSWORD = "no-password"  # noqa: S105
    WRONG_USER = "wrong-user"
    WRONG_PASSWORD = "wrong-password"  # noqa: S105
    WEAK_PASSWORD = "weak-password"  # noqa: S105
    """Right, and shorter than OCPP allows [G04]."""
    REPLACED = "replaced"
    """The password of the site file, after the station has proven a newer one [E-14]."""
    WRONG_PROFILE = "wrong-profile"
    DOWNGRADE = "downgrade"
    """A lower security profile than the station has proven [E-13]."""
    CERTIFICATE_NAME = "certificate-name"
    CERTIFICATE_ORGANIZATION = "certificate-organization"
    DELAYED = "delayed"
    """Too many failures before [E-15]; nothing was looked at."""
    BUSY = "busy"
    """Too many passwords wait to be checked, or this station's already does."""
    CHANGED = "changed"
    """What counts for the station was changed while its password was checked; the next try tells."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """May it come in? ``station`` and no ``reason``: yes, as this station. ``hold``: yes, without any right.

    ``station`` beside a ``reason`` is whom it claimed to be. ``critical``: an operator should look, because whoever
    knocked has a proof of this station, or somebody keeps guessing. ``resembles``: refused, but it has the proof of a
    station with a similar identity; or held, and only like it [G-55].
    """

    identity: str = ""
    station: StationId | None = None
    profile: SecurityProfile | None = None
    """With which proof it came in."""
    hold: bool = False
    resembles: StationId | None = None
    reason: Reason | None = None
    critical: bool = False

    @property
    def admitted(self) -> StationId | None:
        """The station that comes in."""
        return self.station if self.reason is None else None

    def refusal(self, path: str = "") -> Refusal | None:
        """The answer to the handshake, ``None`` for an upgrade; ``path``: the gateway's, for who missed it.

        Whatever is wrong with name, proof or profile has one answer, so that nobody learns which stations there are [G01].
        """
        match self.reason:
            case None:
                return None
            case Reason.PATH:
                return Refusal(status=HTTPStatus.NOT_FOUND, body=f"connect to {path}/<identity>\n")
            case Reason.BUSY | Reason.CHANGED:
                return Refusal(status=HTTPStatus.SERVICE_UNAVAILABLE, body="try again later\n", headers=_LATER)
            case _:
                return Refusal(
                    status=HTTPStatus.UNAUTHORIZED, body="unknown station or wrong password\n", headers=_CHALLENGE
                )
