"""What a link's transport and the conversation on it need of each other."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from http import HTTPStatus
from types import MappingProxyType
from typing import Protocol


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientCertificate:
    """What a verified certificate of a client says; the TLS library has checked chain, validity and revocation."""

    common_name: str
    organization: str
    serial: str
    not_after: datetime
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Knock:
    """A handshake that wants an answer. ``authorization`` is ``None`` when the header is missing or repeated."""

    path: str
    address: str
    authorization: str | None = None
    offered: tuple[str, ...] = ()
    """Subprotocols, as the client lists them."""
    has_offer: bool = False
    """Was there a ``Sec-WebSocket-Protocol`` header at all?"""
    is_tls: bool = False
    certificate: ClientCertificate | None = None


class Line(Protocol):
    """The transport of one open link, as its conversation sees it."""

    @property
    def address(self) -> str:
        """Of the other end."""

    def send(self, text: str, /) -> None:
        """Queue one text message; it never blocks. A peer that does not read is cut off [A13]. Nothing after the end."""

    def close(self, code: int = 1000, reason: str = "") -> None:
        """Begin to end the link; ``on_lost`` follows."""

    def charge(self, messages: float, /) -> None:
        """Count so many messages more against what this link may send: what cost us more than others."""


class Conversation(Protocol):
    """What is said on one link. It is called from the event loop and must not block."""

    def on_text(self, text: str, /) -> None:
        """One whole text message."""

    def on_binary(self, size_bytes: int, /) -> None:
        """One whole binary message; OCPP-J has none [B03]."""

    def on_lost(self, reason: str, /) -> None:
        """The link is gone; nothing follows. Called once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refusal:
    """An answer other than the upgrade."""

    status: HTTPStatus
    body: str = ""
    headers: Mapping[str, str] = field(default_factory=lambda: MappingProxyType({}))


@dataclass(frozen=True, slots=True, kw_only=True)
class Admission:
    """The upgrade, with this subprotocol (``None``: without the header) and the conversation that begins then."""

    subprotocol: str | None
    begin: Callable[[Line], Conversation]
    deflate: bool = True
    """Compress if the client offers it; some stations cannot do what they offer."""


Answer = Admission | Refusal
Doorman = Callable[[Knock], Answer | Awaitable[Answer]]
"""Decides about a handshake; at once where it can."""
