"""Chargers on the ``ocpp`` package's own classes: they share nothing with the service and nothing with its simulator."""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from loadmgr.ocpp.gateway import Gateway
from tests.support.chargers import PASSWORD, header, until

REGISTER = "Energy.Active.Import.Register"


@dataclass
class Box:
    """What a charger keeps over its links: profiles by id, the transaction, the register, and every call it got."""

    profiles: dict[int, dict[str, Any]] = field(default_factory=dict)
    settings: dict[str, str] = field(default_factory=dict)
    transaction: Any = None
    register_wh: int = 1000
    seq_no: int = 0
    reservation: int | None = None
    der: dict[str, dict[str, Any]] = field(default_factory=dict)
    """DER controls by id."""
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    ends: list[Any] = field(default_factory=list)
    """Transactions that were stopped."""

    def got(self, action: str) -> list[dict[str, Any]]:
        """Payloads of the calls with this action, oldest first, as they were on the wire."""
        return [payload for name, payload in self.calls if name == action]

    def profiles_for(self, purpose: str) -> list[dict[str, Any]]:
        """Installed profiles of a purpose, as the ``ocpp`` package hands them on."""
        return [p for p in self.profiles.values() if p["charging_profile_purpose"] == purpose]

    def period(self) -> dict[str, Any]:
        """The first period of what holds now: the transaction's profile, else the default with the highest level."""
        found = self.profiles_for("TxProfile") or self.profiles_for("TxDefaultProfile")
        best = max(found, key=lambda p: p["stack_level"], default=None)
        period = {"limit": 32.0} if best is None else _schedule(best)["charging_schedule_period"][0]
        return {k: float(v) for k, v in period.items() if not isinstance(v, str)}

    def end(self) -> None:
        """The transaction is over, and its profile with it [A-4]."""
        self.ends.append(self.transaction)
        self.transaction = None
        self.profiles = {i: p for i, p in self.profiles.items() if p["charging_profile_purpose"] != "TxProfile"}


def _schedule(profile: dict[str, Any]) -> dict[str, Any]:
    found = profile["charging_schedule"]
    return found[0] if isinstance(found, list) else found


class Charger:
    """What the chargers of all versions share; the other base class is the package's ``ChargePoint``."""

    box: Box

    def __init__(self, box: Box, name: str, socket: Any) -> None:
        super().__init__(name, socket, response_timeout=10, logger=logging.getLogger("interop.charger"))  # type: ignore[call-arg]
        self.box = box

    async def route_message(self, raw_msg: Any) -> None:
        """Keep every call before the package handles it."""
        frame = json.loads(raw_msg)
        if frame[0] == 2:
            self.box.calls.append((frame[2], frame[3]))
        await super().route_message(raw_msg)  # type: ignore[misc]

    async def say(self, payload: Any) -> Any:
        """Make a call; an error answer raises."""
        return await self.call(payload, suppress=False)  # type: ignore[attr-defined]

    def install(self, profile_id: int, profile: dict[str, Any]) -> None:
        """Keep a profile; the same id replaces [A-30]."""
        self.box.profiles[profile_id] = profile

    def clear(self, **criteria: Any) -> bool:
        """Remove the profiles that meet every criterion; was there any?"""
        wanted = {k: v for k, v in criteria.items() if v is not None}
        gone = [i for i, p in self.box.profiles.items() if all(p.get(k) == v for k, v in wanted.items())]
        for profile_id in gone:
            del self.box.profiles[profile_id]
        return bool(gone)


@asynccontextmanager
async def linked(kind: Any, gateway: Gateway, name: str, box: Box, *, boots: bool = True) -> AsyncIterator[Any]:
    """A charger with an open link."""
    async with connect(
        f"ws://127.0.0.1:{gateway.port}/ocpp/{name}",
        subprotocols=[kind.PROTOCOL],
        additional_headers=header(name, PASSWORD),
        compression=None,
    ) as socket:
        assert socket.subprotocol == kind.PROTOCOL
        found = kind(box, name, socket)
        listening = asyncio.create_task(_listen(found))
        try:
            if boots:
                await found.boot()
            yield found
        finally:
            listening.cancel()
            await asyncio.gather(listening, return_exceptions=True)


async def _listen(found: Any) -> None:
    try:
        await found.start()
    except ConnectionClosed:
        return


def wire(at: datetime | None = None, *, ago_s: float = 0.0) -> str:
    """A time as chargers write it; now by default."""
    found = (at or datetime.now(UTC)) - timedelta(seconds=ago_s)
    return found.isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def has_got(box: Box, action: str, n: int = 1) -> dict[str, Any]:
    """Wait until a charger got ``n`` calls with this action; returns the newest."""
    await until(lambda: len(box.got(action)) >= n)
    return box.got(action)[-1]
