"""Where a link comes from, also behind a proxy that is trusted; nobody else's word counts [A16]."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Proxies = tuple[Network, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """The client's address; ``is_tls``: a trusted proxy says that it ended the client's TLS."""

    address: str
    is_tls: bool = False


def whence(peer: str, headers: Iterable[tuple[str, str]], proxies: Proxies) -> Origin:
    """Whose link this is. ``peer`` is the other end of the socket.

    Of ``X-Forwarded-For`` the last address counts that is no trusted proxy itself: what stands before it, the client may
    have written. ``X-Forwarded-Proto`` is ``https`` or ``wss`` where the proxy spoke TLS with the client.
    """
    address = normal(peer)
    if not proxies or not is_in(address, proxies):
        return Origin(address=address)
    chain: list[str] = []
    proto = ""
    for name, value in headers:
        if name.lower() == "x-forwarded-for":
            chain += [normal(part.strip()) for part in value.split(",")]
        elif name.lower() == "x-forwarded-proto":
            proto = value.split(",")[-1].strip().lower()
    for said in reversed(chain):
        if not _is_address(said):
            break
        address = said
        if not is_in(said, proxies):
            break
    return Origin(address=address, is_tls=proto in {"https", "wss"})


def normal(address: str) -> str:
    """One way to write an address: IPv4 inside IPv6 as IPv4, no zone."""
    try:
        found = ipaddress.ip_address(address.partition("%")[0])
    except ValueError:
        return address
    mapped = found.ipv4_mapped if isinstance(found, ipaddress.IPv6Address) else None
    return str(mapped or found)


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def is_in(address: str, networks: Proxies) -> bool:
    """Is this an address of one of the networks?"""
    if not _is_address(address):
        return False
    known = ipaddress.ip_address(address)
    return any(known in network for network in networks)
