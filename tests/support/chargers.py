"""Raw websocket chargers for protocol tests."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from websockets.asyncio.client import ClientConnection, connect

from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from loadmgr.settings import Settings
from loadmgr.sim.scenario import on_any_port
from loadmgr.wiring import build_manager, gateway_of
from tests.support.days import EXAMPLES

PASSWORD = "office-charger-0001"


@asynccontextmanager
async def office(folder: Path, **params: float) -> AsyncIterator[tuple[LoadManager, Gateway]]:
    """The office's service on a free port."""
    settings = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'office.db'}")
    if params:
        context = replace(settings.context, params=replace(settings.context.params, **params))  # type: ignore[arg-type]
        settings = replace(settings, context=context)
    async with build_manager(settings) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        yield manager, gateway


def header(user: str, password: str) -> dict[str, str]:
    """HTTP Basic."""
    return {"Authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


@dataclass
class Raw:
    """A charger that sends what it is told; it accepts every CALL and remembers it."""

    socket: ClientConnection
    calls: list[list[Any]] = field(default_factory=list)
    answers: asyncio.Queue[list[Any]] = field(default_factory=asyncio.Queue)
    next_id: int = 0
    status: str = "Accepted"
    is_silent: bool = False

    async def read(self) -> None:
        """Answer calls, queue answers."""
        async for text in self.socket:
            frame = json.loads(text)
            if frame[0] != 2:
                self.answers.put_nowait(frame)
                continue
            self.calls.append(frame)
            if not self.is_silent:
                await self.socket.send(json.dumps([3, frame[1], self._answer(frame)]))

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
        """Profiles of a purpose that were sent here, oldest first (1.6)."""
        found = [c[3]["csChargingProfiles"] for c in self.calls if c[2] == "SetChargingProfile"]
        return [p for p in found if p["chargingProfilePurpose"] == purpose]


def _names(data: dict[str, Any]) -> dict[str, Any]:
    return {"component": data["component"], "variable": data["variable"]}


@asynccontextmanager
async def charger(
    gateway: Gateway, station: str, *, password: str = PASSWORD, protocol: str = "ocpp1.6", boots: bool = True
) -> AsyncIterator[Raw]:
    """A connected charger."""
    url = f"ws://127.0.0.1:{gateway.port}/ocpp/{station}"
    async with connect(
        url,
        subprotocols=[protocol],
        additional_headers=header(station, password),
        compression=None,  # type: ignore[list-item]
    ) as socket:
        raw = Raw(socket)
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
