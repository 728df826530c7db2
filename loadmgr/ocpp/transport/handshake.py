"""From a request to the doorman's question, and from his answer to the response."""

from __future__ import annotations

import asyncio
import ssl

from websockets.http11 import Request, Response
from websockets.server import ServerProtocol
from websockets.typing import Subprotocol

from loadmgr.ocpp.transport.contract import Admission, Knock, Refusal
from loadmgr.ocpp.transport.tls import client_certificate
from loadmgr.ocpp.transport.whence import Proxies, whence


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
