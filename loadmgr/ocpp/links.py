"""Conversations: that of a station which was let in, and that of one whose subprotocols nobody speaks."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable

from loadmgr.ocpp.connection import Connection
from loadmgr.ocpp.transport.contract import Line

log = logging.getLogger(__name__)

PROTOCOL_ERROR = 1002


class Link:
    """One open link of a station: what comes in goes to its ``Connection``; nothing a station sends raises out of here."""

    __slots__ = ("_is_over", "_on_handled", "_on_over", "connection", "line", "onboarding")

    def __init__(
        self,
        connection: Connection,
        line: Line,
        on_handled: Callable[[], None],
        on_over: Callable[[Link, str], None],
    ) -> None:
        self.connection = connection
        self.line = line
        self.onboarding: asyncio.Task[None] | None = None
        self._on_handled = on_handled
        self._on_over = on_over
        self._is_over = False

    def on_text(self, text: str, /) -> None:
        """See ``Conversation``."""
        try:
            self.connection.on_text(text)
        except Exception:
            log.exception("message could not be handled", extra={"station": self.connection.desk.station})
            self.connection.on_fault("internal error")
        self._handled()

    def on_binary(self, size_bytes: int, /) -> None:
        """OCPP-J is text [B03]."""
        self.connection.on_fault(f"binary message of {size_bytes} bytes")
        self._handled()

    def _handled(self) -> None:
        self.connection.n_handled += 1
        self._on_handled()
        self.check()

    def on_time(self) -> None:
        """Look after what is due."""
        self.connection.on_time()
        self.check()

    def check(self) -> None:
        """End the link if the connection wants that."""
        if self.connection.must_close is not None:
            self.line.close(*self.connection.must_close)

    def end(self, code: int, reason: str) -> None:
        """Nothing that comes on it counts any more; hang up."""
        self.over()
        self.line.close(code, reason)

    def over(self) -> bool:
        """Stop what runs for it. Returns False when that was done before."""
        if self._is_over:
            return False
        self._is_over = True
        if self.onboarding is not None:
            self.onboarding.cancel()
        self.connection.on_close()
        return True

    def on_lost(self, reason: str, /) -> None:
        """See ``Conversation``."""
        wanted = self.connection.must_close
        self._on_over(self, wanted[1] if wanted is not None else reason)


class Farewell:
    """The conversation with a station whose subprotocols we do not speak: it ends at once (domain rule E.1)."""

    def __init__(self, line: Line, reason: str) -> None:
        line.close(PROTOCOL_ERROR, reason)

    def on_text(self, text: str, /) -> None:
        """Too late."""

    def on_binary(self, size_bytes: int, /) -> None:
        """Too late."""

    def on_lost(self, reason: str, /) -> None:
        """As it was to be."""
