"""The sans-I/O core of ``websockets``: making one, sending what it has to say, and letting it go."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Iterator

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.frames import Frame, Opcode
from websockets.protocol import Event, State
from websockets.server import ServerProtocol

_quiet = logging.getLogger(f"{__name__}.websockets")
_quiet.setLevel(logging.WARNING)  # a line per link is the gateway's

DEFLATE = (
    ServerPerMessageDeflateFactory(
        server_max_window_bits=9, client_max_window_bits=9, compress_settings={"memLevel": 1, "level": 1}
    ),
)
"""Small windows: a few KiB for a link where the usual ones take some fifty [RFC 7692]."""

PIECE_BYTES = 512
"""Given to a core before other links have their turn."""
REASON_BYTES = 120
DATA = frozenset({Opcode.CONT, Opcode.TEXT, Opcode.BINARY})
_HEEDED = DATA | {Opcode.PONG}


def new_core(state: State, *, is_deflating: bool, max_bytes: int) -> ServerProtocol:
    """A core that has seen nothing. ``max_bytes``: of one message, opened."""
    return ServerProtocol(extensions=DEFLATE if is_deflating else None, state=state, max_size=max_bytes, logger=_quiet)


def flush(core: ServerProtocol, transport: asyncio.Transport) -> None:
    """Send what it wants to be sent, and hang up if it wants that."""
    for data in core.data_to_send():
        if data:
            transport.write(data)
        elif core.close_rcvd is not None or not transport.can_write_eof():
            transport.close()
        else:
            transport.write_eof()  # it may still be writing: a reset would swallow our last word


def heeded(events: Iterable[Event]) -> Iterator[Frame]:
    """The frames that mean something to us; ``websockets`` sees to the others."""
    return (e for e in events if isinstance(e, Frame) and e.opcode in _HEEDED)


def begin_close(core: ServerProtocol, code: int, reason: str) -> None:
    """Say goodbye, unless somebody did."""
    if core.state is State.OPEN:
        core.send_close(code, reason.encode()[:REASON_BYTES].decode(errors="ignore"))


def close_reason(core: ServerProtocol) -> str:
    """Why ``websockets`` ended a link, for people."""
    told = core.close_rcvd or core.close_sent
    return "" if told is None else f"{told.code} {told.reason}".strip()


def forget(core: ServerProtocol) -> None:
    """Undo the circles in it, so that it goes at once: its parser refers to it, and so do the frames of an exception."""
    core.parser.close()
    for raised in (core.parser_exc, core.handshake_exc):
        error: BaseException | None = raised
        while error is not None:
            error.__traceback__ = None
            error = error.__context__
