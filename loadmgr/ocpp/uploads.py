"""Where stations may upload to: addresses on the operator's list, and nothing that is read in two ways [G20]."""

from __future__ import annotations

from collections.abc import Sequence
from types import MappingProxyType
from urllib.parse import SplitResult, urlsplit

from loadmgr.errors import SiteModelError

PORTS = MappingProxyType({"https": 443, "http": 80, "ftp": 21, "ftps": 990, "sftp": 22})
LENGTH_MAX = 512
"""Of an address, of every version."""


def check(url: str, allowed: Sequence[str]) -> None:
    """Raises ``SiteModelError`` unless scheme, host and port of ``url`` are those of one of ``allowed``.

    ``allowed`` holds addresses such as ``https://logs.example.org`` or ``sftp://10.0.0.5:2222``; a path in them must begin
    the path of ``url``.
    """
    if not allowed:
        raise SiteModelError("no upload address is allowed; list schemes and hosts under ocpp.security.uploads")
    if len(url) > LENGTH_MAX or not url.isascii() or any(c <= " " or c in '\\"<>`' or c == "\x7f" for c in url):
        raise SiteModelError(f"an upload address has at most {LENGTH_MAX} plain characters without blanks and backslashes")
    wanted = _place(urlsplit(url))
    if wanted is None:
        raise SiteModelError(f"an upload address begins with one of {', '.join(f'{s}://' for s in PORTS)} and a host")
    path = urlsplit(url).path
    if ".." in path.split("/") or "%2e" in path.lower():
        raise SiteModelError("the path of an upload address does not go up")
    for entry in allowed:
        known = urlsplit(entry)
        if wanted == _place(known) and _is_below(path, known.path):
            return
    raise SiteModelError(
        f"uploads to {wanted[0]}://{wanted[1]}:{wanted[2]} are not allowed; allowed are {', '.join(allowed)}"
    )


def shown(url: str) -> str:
    """An address for people: without the credentials in it."""
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}{parts.path}"


def _place(parts: SplitResult) -> tuple[str, str, int] | None:
    """(scheme, host, port), ``None`` where one is missing."""
    scheme = parts.scheme.lower()
    try:
        port = parts.port
    except ValueError:
        return None
    if scheme not in PORTS or not parts.hostname:
        return None
    return scheme, parts.hostname.lower().rstrip("."), port or PORTS[scheme]


def _is_below(path: str, allowed: str) -> bool:
    wanted = allowed.rstrip("/")
    return not wanted or path == wanted or path.startswith(f"{wanted}/")
