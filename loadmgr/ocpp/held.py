"""The conversation with an unknown station that waits for an operator to admit it: it has no rights [E-20, E-21]."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime

from loadmgr.ocpp.access.waiting import WaitingRoom
from loadmgr.ocpp.connection import FAULT_COSTS
from loadmgr.ocpp.session import Fault, Incoming, Session
from loadmgr.ocpp.timestamps import to_wire
from loadmgr.ocpp.transport.contract import Line

WAIT_S = 3600
"""It comes back on its own after this, and may be known then."""
POLICY, TRY_LATER = 1008, 1013
FAULTS_MAX = 20
_BOOT = "BootNotification"


class Held:
    """It is told to wait; its boot is shown to operators, and nothing it says goes any further."""

    __slots__ = ("_line", "_n_faults", "_now", "_room", "_session", "_timer", "_who")

    def __init__(self, line: Line, ocpp: str, who: tuple[str, str], room: WaitingRoom, now: Callable[[], datetime]) -> None:
        loop = asyncio.get_running_loop()
        self._line = line
        self._session = Session(ocpp)
        self._who = who
        self._room = room
        self._now = now
        self._n_faults = 0
        self._timer: asyncio.TimerHandle | None = None
        if room.entered(*who):
            self._timer = loop.call_later(WAIT_S, line.close, TRY_LATER, "still waiting to be admitted")
        else:
            line.close(TRY_LATER, "too many stations wait to be admitted")

    def on_text(self, text: str, /) -> None:
        """See ``Conversation``."""
        for result in self._session.receive(text, asyncio.get_running_loop().time()):
            if isinstance(result, Incoming) and result.action == _BOOT:
                self._room.told(self._who[0], result.payload)
                answer = {"status": "Pending", "currentTime": to_wire(self._now()), "interval": WAIT_S}
                self._session.reply(result.id, result.action, answer)
            elif isinstance(result, Incoming):
                self._session.refuse(result.id, "SecurityError", "this station is not admitted yet")
            elif isinstance(result, Fault):
                self._n_faults += 1
                self._line.charge(FAULT_COSTS)
        for frame in self._session.take_frames():
            self._line.send(frame)
        if self._n_faults > FAULTS_MAX:
            self._line.close(POLICY, "too many malformed messages")

    def on_binary(self, size_bytes: int, /) -> None:
        """OCPP-J is text [B03]."""
        self._line.close(POLICY, f"binary message of {size_bytes} bytes")

    def on_lost(self, _reason: str, /) -> None:
        """See ``Conversation``."""
        if self._timer is not None:
            self._timer.cancel()
        self._room.left(*self._who)
