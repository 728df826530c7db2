"""From a request to the doorman's question, and from his answer to the response."""

from __future__ import annotations

import asyncio
import ssl

from websockets.extensions.permessage_deflate import ServerPerMessageDeflateFactory
from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from loadmgr.ocpp.transport.contract import Admission, Knock, Refusal
from loadmgr.ocpp.transport.tls import client_certificate
from loadmgr.ocpp.transport.whence import Proxies, whence

DEFLATE = (
    ServerPerMessageDeflateFactory(
        server_max_window_bits=9, client_max_window_bits=9, compress_settings={"memLevel": 1, "level": 1}
    ),
)
"""Small windows: a few KiB for a link where the usual ones take some fifty [RFC 7692]."""


def knock_of(request: Request, peer: str, transport: asyncio.BaseTransport, proxies: Proxies) -> Knock:
    """What the doorman must know. ``peer``: the address at the other end of the socket."""
    headers = request.headers
    origin = whence(peer, headers.raw_items(), proxies)
    said = headers.get_all("Authorization")
    offers = headers.get_all("Sec-WebSocket-Protocol")
    tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
    return Knock(
        path=request.path,
        address=origin.address,
        authorization=said[0] if len(said) == 1 else None,
        offered=tuple(name.strip() for offer in offers for name in offer.split(",") if name.strip()),
        has_offer=bool(offers),
        is_tls=tls is not None or origin.is_tls,
        certificate=client_certificate(tls) if tls is not None else None,
    )


def refused(core: ServerProtocol, refusal: Refusal) -> Response:
    """The response of a refusal."""
    response = core.reject(refusal.status, refusal.body)
    for name, value in refusal.headers.items():
        response.headers[name] = value
    return response


def admitted(core: ServerProtocol, request: Request, response: Response, admission: Admission) -> Response:
    """The response of an upgrade; ``response`` is what ``websockets`` would send."""
    if core.extensions and not admission.deflate:
        core.available_extensions = None
        response = core.accept(request)
    if admission.subprotocol is not None:
        response.headers["Sec-WebSocket-Protocol"] = admission.subprotocol
        core.subprotocol = Subprotocol(admission.subprotocol)
    return response


def close_reason(core: ServerProtocol) -> str:
    """Why ``websockets`` ended a link, for people."""
    told = core.close_rcvd or core.close_sent
    return "" if told is None else f"{told.code} {told.reason}".strip()
