"""A site with one station for each security profile, a plain and a TLS listener, and its own certificates."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.wiring import build_manager, gateway_of
from tests.support import certificates
from tests.support.certificates import Issued

PASSWORD = "correct-horse-battery"
ORGANIZATION = "Operator"
SITE = """
format = 1
[site]
id = "secure"
[nodes.grid]
current_a = 63
[stations.zero]
node = "grid"
security_profile = 0
[stations.one]
node = "grid"
security_profile = 1
password = "{password}"
[stations.two]
node = "grid"
security_profile = 2
password = "{password}"
[stations.three]
node = "grid"
security_profile = 3
[stations.serial]
node = "grid"
security_profile = 3
certificate_name = "SN-0042"
[ocpp]
listen = "127.0.0.1:0"
{more}
[ocpp.tls]
listen = "127.0.0.1:0"
certificate = "server.pem"
key = "server.key"
client_ca = "clients.pem"
crl = "revoked.pem"
organization = "{organization}"
[api]
key = "an-operator-key-of-this-test"
"""


@dataclass(frozen=True, slots=True)
class Papers:
    """Authorities, and the files that stations show."""

    folder: Path
    root: Issued
    stations: Issued

    @classmethod
    def made(cls, folder: Path) -> Papers:
        papers = cls(folder, certificates.authority("Server CA"), certificates.authority("Stations CA"))
        certificates.server(papers.root).written(folder, "server")
        (folder / "root.pem").write_bytes(papers.root.pem)
        (folder / "clients.pem").write_bytes(papers.stations.pem)
        papers.revoke()
        return papers

    def revoke(self, *revoked: Issued) -> None:
        (self.folder / "revoked.pem").write_bytes(certificates.revocation_list(self.stations, *revoked))

    @property
    def ca(self) -> Path:
        """What stations trust."""
        return self.folder / "root.pem"

    def shown(self, issued: Issued, stem: str = "station") -> tuple[Path, Path]:
        """Files of a station's certificate and key."""
        return issued.written(self.folder, stem)

    def context(self, issued: Issued | None = None) -> ssl.SSLContext:
        """The TLS of a station, with its certificate."""
        context = ssl.create_default_context(cafile=str(self.ca))
        if issued is not None:
            context.load_cert_chain(*self.shown(issued))
        return context


@asynccontextmanager
async def secure(folder: Path, more: str = "") -> AsyncIterator[tuple[LoadManager, Gateway, Papers]]:
    """The service of the site, on free ports; ``more`` goes into ``[ocpp]``."""
    papers = Papers.made(folder)
    place = folder / "site.toml"
    place.write_text(SITE.format(password=PASSWORD, organization=ORGANIZATION, more=more))
    settings = Settings.load(place)
    settings = replace(settings, storage_url=f"sqlite:///{folder / 'secure.db'}")
    async with build_manager(settings) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        yield manager, gateway, papers


def urls(gateway: Gateway) -> tuple[str, str]:
    """Of the plain and of the TLS listener."""
    return f"ws://127.0.0.1:{gateway.port}/ocpp", f"wss://localhost:{gateway.tls_port}/ocpp"


Play = Callable[[LoadManager, Gateway, Papers], Awaitable[None]]


def run(folder: Path, play: Play, more: str = "") -> None:
    async def main() -> None:
        async with secure(folder, more) as (manager, gateway, papers):
            await play(manager, gateway, papers)
            assert manager.stats.protect_failures == 0

    asyncio.run(main())


@dataclass(frozen=True, slots=True)
class Case:
    """How a client comes, and whether it gets in."""

    name: str
    station: str
    is_tls: bool
    password: str | None = None
    shows: Callable[[Papers], Issued] | None = None
    user: str | None = None
    status: int = 101
    """101: it comes in; 401: refused at the handshake; 0: no TLS."""


def own(papers: Papers) -> Issued:
    return certificates.station(papers.stations, "three")


def expired(papers: Papers) -> Issued:
    return certificates.station(papers.stations, "three", end=datetime.now(UTC) - timedelta(days=1))


def foreign(_: Papers) -> Issued:
    return certificates.station(certificates.authority("Somebody else"), "three")


def self_signed(_: Papers) -> Issued:
    return certificates.station(None, "three")


def another(papers: Papers) -> Issued:
    return certificates.station(papers.stations, "two")


def of_another_operator(papers: Papers) -> Issued:
    return certificates.station(papers.stations, "three", organization="Competitor")


def revoked(papers: Papers) -> Issued:
    found = own(papers)
    papers.revoke(found)
    return found


GOOD = (
    Case("profile 0", "zero", is_tls=False),
    Case("profile 1", "one", is_tls=False, password=PASSWORD),
    Case("profile 2", "two", is_tls=True, password=PASSWORD),
    Case("profile 3", "three", is_tls=True, shows=own),
)
BAD = (
    Case("1 without a password", "one", is_tls=False, status=401),
    Case("1 with a wrong password", "one", is_tls=False, password="wrong-password-0001", status=401),
    Case("1 with the user of another", "one", is_tls=False, password=PASSWORD, user="two", status=401),
    Case("1 over TLS", "one", is_tls=True, password=PASSWORD, status=401),
    Case("2 without TLS", "two", is_tls=False, password=PASSWORD, status=401),
    Case("2 with a wrong password", "two", is_tls=True, password="wrong-password-0001", status=401),
    Case("2 with a certificate and no password", "two", is_tls=True, shows=another, status=401),
    Case("3 with a password only", "three", is_tls=True, password=PASSWORD, status=401),
    Case("3 without anything", "three", is_tls=True, status=401),
    Case("3 with the certificate of another", "three", is_tls=True, shows=another, status=401),
    Case("3 of another operator", "three", is_tls=True, shows=of_another_operator, status=401),
    Case("3 expired", "three", is_tls=True, shows=expired, status=0),
    Case("3 of a foreign authority", "three", is_tls=True, shows=foreign, status=0),
    Case("3 self-signed", "three", is_tls=True, shows=self_signed, status=0),
    Case("an unknown station", "four", is_tls=True, password=PASSWORD, status=401),
    Case("an unknown station without TLS", "four", is_tls=False, status=401),
)
NAMES: dict[str, Any] = {"ids": lambda c: c.name if isinstance(c, Case) else None}
