"""What may not be written behind the back of the machine that keeps a station able to come back [E-13, E-14]."""

from __future__ import annotations

from loadmgr.domain.commands import WriteSetting
from loadmgr.domain.security import is_guarded
from loadmgr.errors import ProtocolError


def check(command: WriteSetting) -> None:
    """Raises ``ProtocolError`` for a setting that only ``SetPassword`` and ``RaiseProfile`` may write."""
    if is_guarded(command.name):
        raise ProtocolError(
            station=str(command.station),
            action="WriteSetting",
            code="NotAllowed",
            detail=f"{command.name} is changed by the password and security-profile routes only",
        )
