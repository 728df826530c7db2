"""What the gateway needs of the service around it, and what its links count together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from loadmgr.domain import events as ev
from loadmgr.domain.site import Site
from loadmgr.ocpp.security import Security
from loadmgr.ports import Clock, FrameRecord


class Host(Protocol):
    """What the gateway needs of the service around it."""

    clock: Clock

    @property
    def site(self) -> Site:
        """The site."""

    @property
    def security(self) -> Security:
        """Passwords, profiles and certificates of stations."""

    def take(self, *events: ev.Event) -> None:
        """Fold and log events, at once."""

    async def durable(self) -> None:
        """Return when everything taken is on disk. Raises ``StorageError``."""

    def log_frames(self, frames: tuple[FrameRecord, ...]) -> None:
        """Keep frames for the frame log."""


@dataclass(slots=True)
class Activity:
    """What all links of a gateway count together. ``n`` moves with every frame and every link: cheap to compare."""

    n: int = 0
    n_sent: int = 0
    """Frames handed to lines."""
    n_replies_held: int = 0
    """Answers that wait for the disk."""
