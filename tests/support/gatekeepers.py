"""Gatekeepers and knocks for tests."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from argon2 import PasswordHasher

from loadmgr.domain.access import Credentials
from loadmgr.domain.ids import StationId
from loadmgr.ocpp.access.gatekeeper import Gatekeeper
from loadmgr.ocpp.access.identity import Directory
from loadmgr.ocpp.access.verdict import Verdict
from loadmgr.ocpp.transport.contract import ClientCertificate, Knock
from loadmgr.settings import Address, StationAccess, TlsSettings

ONE, TWO = StationId("cp-01"), StationId("cp-02")
RIGHT, OTHER, NEWER = "password-of-cp-01", "password-of-cp-02", "newer-password-of-cp-01"
HERE, THERE = "192.0.2.1", "198.51.100.9"
CHEAP = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
"""As slow hashes go, a fast one."""
ORGANIZATION = "Operator"
TLS = TlsSettings(listen=Address(host="127.0.0.1", port=0), certificate=Path("c"), key=Path("k"), organization=ORGANIZATION)


def basic(user: str, password: str | bytes) -> str:
    """An Authorization header."""
    said = password if isinstance(password, bytes) else password.encode()
    return "Basic " + base64.b64encode(user.encode() + b":" + said).decode()


def certificate(common_name: str = "cp-01", organization: str = ORGANIZATION) -> ClientCertificate:
    """What a verified certificate says."""
    return ClientCertificate(
        common_name=common_name,
        organization=organization,
        serial="1",
        not_after=datetime(2100, 1, 1, tzinfo=UTC),
        sha256="0" * 64,
    )


def knock(identity: str = "cp-01", password: str | bytes | None = None, **more: Any) -> Knock:
    """A handshake at ``/ocpp``; the user is the identity unless ``authorization`` says otherwise."""
    if password is not None:
        more["authorization"] = basic(identity, password)
    offered = more.pop("offered", ("ocpp1.6",))
    return Knock(**({"path": f"/ocpp/{identity}", "address": HERE, "offered": offered, "has_offer": bool(offered)} | more))


@dataclass(slots=True)
class Office:
    """A gatekeeper, and what it said was proven."""

    keeper: Gatekeeper
    proven: list[tuple[StationId, Credentials]] = field(default_factory=list)

    def judge(self, asked: Knock, now_s: float = 0.0) -> Verdict:
        """The verdict, waited for where it needs a slow hash."""

        async def wait() -> Verdict:
            found = self.keeper.judge(asked, now_s)
            return found if isinstance(found, Verdict) else await found

        if not self.keeper.is_slow:
            found = self.keeper.judge(asked, now_s)
            assert isinstance(found, Verdict)
            return found
        return asyncio.run(wait())

    def reason(self, asked: Knock, now_s: float = 0.0) -> str:
        """Why it was refused, empty when it was not."""
        return str(self.judge(asked, now_s).reason or "")


def office(
    access: Mapping[StationId, StationAccess] | None = None,
    *agreed: Credentials,
    may_hold: Callable[[str], bool] | None = None,
    tls: TlsSettings | None = TLS,
) -> Office:
    """Two stations with passwords of their own, unless ``access`` says otherwise."""
    known = access or {ONE: StationAccess(password=RIGHT), TWO: StationAccess(password=OTHER)}
    proven: list[tuple[StationId, Credentials]] = []
    keeper = Gatekeeper(
        access=known,
        directory=Directory.of(known),
        prefix="/ocpp",
        on_proven=lambda station, credentials: proven.append((station, credentials)),
        tls=tls,
        may_hold=may_hold,
    )
    keeper.remember({each.station: each for each in agreed})
    return Office(keeper, proven)
