"""What all links of a listener share, and where one of them stands."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from enum import IntEnum
from typing import TYPE_CHECKING, Any, Protocol

from loadmgr.ocpp.transport.contract import Doorman
from loadmgr.ocpp.transport.timers import Wheel
from loadmgr.ocpp.transport.turns import Turns
from loadmgr.ocpp.transport.whence import Proxies
from loadmgr.settings import LinkLimits

if TYPE_CHECKING:
    from loadmgr.ocpp.transport.peer import Peer


class Phase(IntEnum):
    """Where a link stands."""

    SHAKING = 0
    ASKED = 1
    """The doorman thinks about it."""
    OPEN = 2
    ENDING = 3
    LOST = 4


class Hub(Protocol):
    """See the module."""

    doorman: Doorman
    limits: LinkLimits
    ping_s: float | None
    """Between two pings of ours; ``None``: none."""
    proxies: Proxies
    is_deflating: bool
    wheel: Wheel
    turns: Turns
    loop: asyncio.AbstractEventLoop
    buffer: memoryview
    """Where sockets are read into, one after the other."""

    def joined(self, peer: Peer, /) -> None:
        """A link has its socket."""

    def left(self, peer: Peer, /) -> None:
        """It is gone."""

    def overtime(self, now_s: float, /) -> float:
        """When a link that is over its own rate may go on, for the sake of all others."""

    def run(self, work: Coroutine[Any, Any, None], /) -> None:
        """Run something in a task that ends with the listener."""
