"""Listening sockets: they accept, count, hand TLS and the rest to one ``Peer`` per link, and may change while links live."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
import ssl
from asyncio import sslproto
from collections import Counter
from collections.abc import Coroutine, Iterable
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

from loadmgr.ocpp.transport.contract import Doorman
from loadmgr.ocpp.transport.peer import Peer
from loadmgr.ocpp.transport.timers import Wheel
from loadmgr.ocpp.transport.turns import Turns
from loadmgr.ocpp.transport.whence import Proxies, is_in, normal
from loadmgr.settings import Address, LinkLimits

log = logging.getLogger(__name__)

BACKLOG = 4096
"""Of the kernel: with the usual hundred, most of a storm waits for its SYN retries (ADR 28)."""
ACCEPTS = 8
"""In one round of the event loop."""
TLS_AT_ONCE = 64
"""TLS handshakes under way; more wait in the backlog."""
REST_S = 0.5
"""Without file descriptors or memory: so long nothing is accepted."""
GOING_AWAY = 1001
READ_BYTES = 65_536
"""At once from one socket."""
TLS_BUFFER_BYTES = 8192
"""asyncio reserves a quarter of a megabyte for each TLS link, to read large transfers at once; OCPP has none."""
_SCARCE = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
_ABSENT = frozenset({errno.EADDRNOTAVAIL, errno.EAFNOSUPPORT})
_FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 30\r\nConnection: close\r\n"
    b"Content-Type: text/plain\r\nContent-Length: 15\r\n\r\ntoo many links\n"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where to listen, and with which TLS."""

    address: Address
    tls: ssl.SSLContext | None = None

    @property
    def key(self) -> tuple[Address, bool]:
        """What stays while certificates change; port 0 may be wanted twice, with TLS and without."""
        return self.address, self.tls is not None


@dataclass(slots=True, kw_only=True)
class Counts:
    """What happened since the start."""

    accepted: int = 0
    full: int = 0
    """Turned away because of ``LinkLimits``."""
    tls_failed: int = 0


@dataclass(slots=True)
class _Open:
    endpoint: Endpoint
    sockets: tuple[socket.socket, ...]


class Listener:
    """An asynchronous context manager and the ``Hub`` of its links. Leaving it drains: see ``drain``.

    Raises ``OSError`` on entry and from ``change`` when an address cannot be had; then nothing has changed.
    """

    def __init__(
        self,
        doorman: Doorman,
        limits: LinkLimits,
        endpoints: Iterable[Endpoint],
        *,
        ping_s: float | None = 30.0,
        proxies: Proxies = (),
        is_deflating: bool = True,
    ) -> None:
        self.doorman = doorman
        self.limits = limits
        self.ping_s = ping_s
        self.proxies = proxies
        self.is_deflating = is_deflating
        self.counts = Counts()
        self.buffer = memoryview(bytearray(READ_BYTES))
        self._wanted = tuple(endpoints)
        self._open: dict[tuple[Address, bool], _Open] = {}
        self._peers: set[Peer] = set()
        self._at: Counter[str] = Counter()
        self._n = 0
        self._overtime_s = 0.0
        self._n_tls = 0
        self._is_resting = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._empty = asyncio.Event()

    # -- life ------------------------------------------------------------------------------------------------------

    async def __aenter__(self) -> Self:
        self.loop = asyncio.get_running_loop()
        self.wheel = Wheel(self.loop)
        self.turns = Turns(self.loop)
        sslproto.SSLProtocol.max_size = min(sslproto.SSLProtocol.max_size, TLS_BUFFER_BYTES)
        await self.change(self._wanted)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.drain()

    async def change(self, endpoints: Iterable[Endpoint]) -> None:
        """Listen there from now on. Links live on; a TLS context holds for the handshakes that begin later."""
        wanted = {e.key: e for e in endpoints}
        new: dict[tuple[Address, bool], _Open] = {}
        try:
            for key, endpoint in wanted.items():
                if key not in self._open:
                    new[key] = _Open(endpoint, await self._bound(endpoint.address))
        except OSError:
            for made in new.values():
                _close(made.sockets)
            raise
        for key in [k for k in self._open if k not in wanted]:
            self._shut(self._open.pop(key))
        for key, known in self._open.items():
            known.endpoint = wanted[key]
        self._open.update(new)
        for made in new.values():
            for sock in made.sockets:
                self.loop.add_reader(sock, self._on_readable, sock, made)

    async def drain(self, reason: str = "the service stops") -> None:
        """Accept no more, say goodbye, and wait until every link has gone; one that does not go is cut."""
        for known in self._open.values():
            self._shut(known)
        self._open.clear()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for peer in tuple(self._peers):
            peer.close(GOING_AWAY, reason)
        try:
            async with asyncio.timeout(self.limits.close_s + 1.0):
                await self._gone()
        except TimeoutError:
            for peer in tuple(self._peers):
                peer.cut(reason)
            await self._gone()
        self.wheel.stop()

    async def _gone(self) -> None:
        while self._peers:
            self._empty.clear()
            await self._empty.wait()

    @property
    def ports(self) -> dict[tuple[Address, bool], int]:
        """The port of each address, with TLS or without; another one where port 0 was asked for."""
        return {k: o.sockets[0].getsockname()[1] for k, o in self._open.items()}

    def __len__(self) -> int:
        """Links, in whatever phase."""
        return len(self._peers)

    # -- sockets ---------------------------------------------------------------------------------------------------

    async def _bound(self, address: Address) -> tuple[socket.socket, ...]:
        infos = await self.loop.getaddrinfo(address.host, address.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
        made: list[socket.socket] = []
        port = address.port
        missing: OSError | None = None
        try:
            for family, kind, proto, _, where in dict.fromkeys(infos):
                try:
                    made.append(_listening(socket.socket(family, kind, proto), family, (where[0], port, *where[2:])))
                except OSError as error:
                    if error.errno not in _ABSENT:
                        raise
                    missing = error  # a name may have an address of IPv6 on a machine without
                    continue
                port = port or made[-1].getsockname()[1]
            if missing is not None and not made:
                raise missing
        except OSError as error:
            _close(made)
            raise OSError(error.errno, f"cannot listen on {address.host}:{address.port}: {error.strerror}") from None
        return tuple(made)

    def _shut(self, known: _Open) -> None:
        for sock in known.sockets:
            self.loop.remove_reader(sock)
        _close(known.sockets)

    def _on_readable(self, sock: socket.socket, known: _Open) -> None:
        for _ in range(ACCEPTS):
            if self._n_tls >= TLS_AT_ONCE and known.endpoint.tls is not None:
                self._rest(sock, known)
                return
            try:
                link, where = sock.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                return
            except OSError as error:
                if error.errno not in _SCARCE:
                    raise
                log.error("cannot accept", extra={"reason": error.strerror})
                self._rest(sock, known)
                return
            self._accepted(link, normal(str(where[0])), known.endpoint)

    def _rest(self, sock: socket.socket, known: _Open) -> None:
        """Leave what waits in the backlog there for a while."""
        self.loop.remove_reader(sock)
        self.loop.call_later(REST_S if self._n_tls < TLS_AT_ONCE else 0.02, self._listen_again, sock, known)

    def _listen_again(self, sock: socket.socket, known: _Open) -> None:
        if self._open.get(known.endpoint.key) is known:
            self.loop.add_reader(sock, self._on_readable, sock, known)

    def _accepted(self, link: socket.socket, address: str, endpoint: Endpoint) -> None:
        link.setblocking(False)
        if self._n >= self.limits.links or self._is_crowded(address):
            self.counts.full += 1
            if endpoint.tls is None:
                try:
                    link.send(_FULL)
                except OSError:
                    log.debug("gone already", extra={"address": address})
            link.close()
            return
        self.counts.accepted += 1
        self._n += 1
        self._at[address] += 1
        self.run(self._take(link, address, endpoint))

    async def _take(self, link: socket.socket, address: str, endpoint: Endpoint) -> None:
        """Make a link of a socket: TLS first, where there is."""
        is_tls = endpoint.tls is not None
        self._n_tls += is_tls
        peer = Peer(self, address)
        try:
            await self.loop.connect_accepted_socket(
                lambda: peer,
                link,
                ssl=endpoint.tls,
                ssl_handshake_timeout=self.limits.handshake_s if is_tls else None,
                ssl_shutdown_timeout=self.limits.close_s if is_tls else None,
            )
        except (OSError, TimeoutError) as error:  # ssl.SSLError is an OSError
            self.counts.tls_failed += is_tls
            log.warning("no TLS", extra={"address": address, "reason": str(error)[:200]})
            link.close()
        finally:
            self._n_tls -= is_tls
            if peer not in self._peers and not peer.is_lost:  # it never became a link
                self._left_from(address)

    # -- Hub -------------------------------------------------------------------------------------------------------

    def joined(self, peer: Peer, /) -> None:
        """See ``Hub``."""
        self._peers.add(peer)

    def left(self, peer: Peer, /) -> None:
        """See ``Hub``."""
        if peer in self._peers:
            self._peers.discard(peer)
            self._left_from(peer.socket_address)
        if not self._peers:
            self._empty.set()

    def overtime(self, now_s: float, /) -> float:
        """See ``Hub``: links over their rate share one rate, whatever their number, evenly in time."""
        self._overtime_s = max(self._overtime_s, now_s) + 1.0 / self.limits.overtime_per_s
        return self._overtime_s

    def run(self, work: Coroutine[Any, Any, None], /) -> None:
        """See ``Hub``."""
        task = self.loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _is_crowded(self, address: str) -> bool:
        return self._at[address] >= self.limits.links_per_address and not is_in(address, self.proxies)

    def _left_from(self, address: str) -> None:
        self._n -= 1
        self._at[address] -= 1
        if self._at[address] <= 0:
            del self._at[address]


def _listening(sock: socket.socket, family: int, where: tuple[Any, ...]) -> socket.socket:
    try:
        sock.setblocking(False)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        sock.bind(where)
        sock.listen(BACKLOG)
    except OSError:
        sock.close()
        raise
    return sock


def _close(sockets: Iterable[socket.socket]) -> None:
    for sock in sockets:
        sock.close()
