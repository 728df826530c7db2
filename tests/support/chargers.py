"""Raw websocket chargers for protocol tests."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from loadmgr.domain.site import Site
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.wiring import build_manager, gateway_of
from tests.support.days import EXAMPLES

PASSWORD = "office-charger-0001"


@asynccontextmanager
async def office(
    folder: Path, *, caps: dict[str, float] | None = None, **params: float
) -> AsyncIterator[tuple[LoadManager, Gateway]]:
    """The office's service on a free port; ``caps`` replaces capabilities of its EVSEs."""
    settings = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'office.db'}")
    if caps:
        settings = replace(settings, context=replace(settings.context, site=_with_caps(settings.context.site, caps)))
    if params:
        context = replace(settings.context, params=replace(settings.context.params, **params))  # type: ignore[arg-type]
        settings = replace(settings, context=context)
    async with build_manager(settings) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        yield manager, gateway


def _with_caps(site: Site, caps: dict[str, float]) -> Site:
    evses = {e: replace(x, caps=replace(x.caps, **caps)) for e, x in site.evses.items()}  # type: ignore[arg-type]
    return replace(site, evses=evses)


def header(user: str, password: str) -> dict[str, str]:
    """HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@dataclass(frozen=True, slots=True)
class Refusal:
    """A CALLERROR."""

    code: str = "GenericError"
    detail: str = ""


Replies = dict[str, Callable[[dict[str, Any]], dict[str, Any] | Refusal | None]]
"""Action → what to answer to a payload; ``None``: nothing."""


@dataclass
class Raw:
    """A charger that sends what it is told; it accepts every CALL and remembers it. ``replies`` stand above that."""

    socket: ClientConnection
    calls: list[list[Any]] = field(default_factory=list)
    answers: asyncio.Queue[list[Any]] = field(default_factory=asyncio.Queue)
    next_id: int = 0
    status: str = "Accepted"
    is_silent: bool = False
    replies: Replies = field(default_factory=dict)

    async def read(self) -> None:
        """Answer calls, queue answers."""
        async for text in self.socket:
            frame = json.loads(text)
            if frame[0] != 2:
                self.answers.put_nowait(frame)
                continue
            self.calls.append(frame)
            reply = self._reply(frame) if not self.is_silent else None
            if reply is not None:
                await self.socket.send(json.dumps(reply))

    def _reply(self, frame: list[Any]) -> list[Any] | None:
        found = self.replies[frame[2]](frame[3]) if frame[2] in self.replies else self._answer(frame)
        if found is None:
            return None
        if isinstance(found, Refusal):
            return [4, frame[1], found.code, found.detail, {}]
        return [3, frame[1], found]

    def _answer(self, frame: list[Any]) -> dict[str, Any]:
        match frame[2]:
            case "GetConfiguration":
                return {}
            case "SetVariables":
                data = frame[3]["setVariableData"][0]
                return {"setVariableResult": [{"attributeStatus": "Accepted", **_names(data)}]}
            case "GetVariables":
                return {
                    "getVariableResult": [
                        {"attributeStatus": "UnknownVariable", **_names(d)} for d in frame[3]["getVariableData"]
                    ]
                }
            case _:
                return {"status": self.status}

    async def send(self, text: str | bytes) -> None:
        """Send a raw frame."""
        await self.socket.send(text)

    async def ask(self, action: str, payload: dict[str, Any]) -> list[Any]:
        """A CALL and its answer frame."""
        self.next_id += 1
        await self.send(json.dumps([2, f"m{self.next_id}", action, payload]))
        return await self.answer()

    async def answer(self) -> list[Any]:
        """The next answer."""
        return await asyncio.wait_for(self.answers.get(), 5)

    def profiles(self, purpose: str) -> list[dict[str, Any]]:
        """Profiles of a purpose that were sent here, oldest first."""
        found = [profile_of(c[3]) for c in self.calls if c[2] == "SetChargingProfile"]
        return [p for p in found if p["chargingProfilePurpose"] == purpose]

    def got(self, action: str) -> list[dict[str, Any]]:
        """Payloads of the CALLs with this action, oldest first."""
        return [c[3] for c in self.calls if c[2] == action]

    def cut(self) -> None:
        """Break the link without a closing handshake: both ends see code 1006."""
        self.socket.transport.abort()


def profile_of(payload: dict[str, Any]) -> dict[str, Any]:
    """The profile in a SetChargingProfile of any version."""
    found: dict[str, Any] = payload.get("csChargingProfiles") or payload["chargingProfile"]
    return found


def schedule_of(profile: dict[str, Any]) -> dict[str, Any]:
    """The (first) schedule of a profile of any version."""
    found = profile["chargingSchedule"]
    return found[0] if isinstance(found, list) else found


def _names(data: dict[str, Any]) -> dict[str, Any]:
    return {"component": data["component"], "variable": data["variable"]}


@asynccontextmanager
async def charger(
    gateway: Gateway,
    station: str,
    *,
    password: str = PASSWORD,
    protocol: str = "ocpp1.6",
    boots: bool = True,
    replies: Replies | None = None,
) -> AsyncIterator[Raw]:
    """A connected charger."""
    url = f"ws://127.0.0.1:{gateway.port}/ocpp/{station}"
    async with connect(
        url,
        subprotocols=[protocol],
        additional_headers=header(station, password),
        compression=None,  # type: ignore[list-item]
    ) as socket:
        raw = Raw(socket, replies=replies or {})
        reading = asyncio.create_task(raw.read())
        try:
            if boots and protocol == "ocpp1.6":
                await raw.ask("BootNotification", {"chargePointVendor": "v", "chargePointModel": "m"})
            elif boots:
                about = {"model": "m", "vendorName": "v"}
                await raw.ask("BootNotification", {"chargingStation": about, "reason": "PowerUp"})
            yield raw
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


async def until(condition: Any, seconds: float = 8.0) -> None:
    """Wait until a condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.02)


STAMP = "2026-06-10T12:00:00Z"


def start(connector: int = 1, meter: int = 1000, tag: str = "tag", at: str = STAMP) -> dict[str, Any]:
    """A StartTransaction payload."""
    return {"connectorId": connector, "idTag": tag, "meterStart": meter, "timestamp": at}


def meter(transaction: int, values: list[dict[str, str]], connector: int = 1, at: str = "") -> dict[str, Any]:
    """A MeterValues payload."""
    from datetime import UTC, datetime

    stamp = at or datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {
        "connectorId": connector,
        "transactionId": transaction,
        "meterValue": [{"timestamp": stamp, "sampledValue": values}],
    }
