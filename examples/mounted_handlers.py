"""Handlers written for the ``ocpp`` package, unchanged, on loadmgr's transport and codec.

Run it with ``python examples/mounted_handlers.py``. What was ``websockets.serve(on_connect, …)`` and
``await charge_point.start()`` becomes a ``Listener`` and a doorman; the class with its ``@on`` and ``@after`` stays.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import hmac
import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from ocpp.routing import after, on
from ocpp.v16 import ChargePoint, call, call_result

from loadmgr.ocpp.adapter import mounted
from loadmgr.ocpp.transport.contract import Admission, Knock, Refusal
from loadmgr.ocpp.transport.listener import Endpoint, Listener
from loadmgr.settings import Address, LinkLimits

PASSWORDS = {"cp-1": "a-secret-of-cp-1", "cp-2": "a-secret-of-cp-2"}  # yours come from your database


class Charger(ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """As it may have been for years."""

    @on("BootNotification")
    async def on_boot(self, charge_point_vendor: str, **_: Any) -> Any:
        """Accept it."""
        print(f"{self.id} of {charge_point_vendor} boots")
        return call_result.BootNotification(current_time=_now(), interval=300, status="Accepted")

    @after("BootNotification")
    async def after_boot(self, **_: Any) -> None:
        """Ask for its configuration."""
        found = await self.call(call.GetConfiguration(key=["HeartbeatInterval"]))
        print(f"{self.id}: {found}")

    @on("Heartbeat")
    def on_heartbeat(self) -> Any:
        """Tell the time."""
        return call_result.Heartbeat(current_time=_now())

    @on("MeterValues")
    def on_meter_values(self, connector_id: int, meter_value: list[Any], **_: Any) -> Any:
        """Take note of it."""
        print(f"{self.id}/{connector_id}: {meter_value[0]['sampled_value'][0]['value']}")
        return call_result.MeterValues()


def doorman(knock: Knock) -> Admission | Refusal:
    """Who may come in, and as whom."""
    station = knock.path.rpartition("/")[2]
    expected = base64.b64encode(f"{station}:{PASSWORDS.get(station, '')}".encode()).decode()
    given = (knock.authorization or "").removeprefix("Basic ")
    try:
        is_right = hmac.compare_digest(base64.b64decode(given), base64.b64decode(expected))
    except binascii.Error:
        is_right = False
    if station not in PASSWORDS or not is_right:
        return Refusal(status=HTTPStatus.UNAUTHORIZED, headers={"WWW-Authenticate": 'Basic realm="OCPP"'})
    if "ocpp1.6" not in knock.offered:
        return Refusal(status=HTTPStatus.BAD_REQUEST, body="offer the subprotocol ocpp1.6\n")
    return Admission(subprotocol="ocpp1.6", begin=mounted(Charger, station))


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


async def main(port: int = 9000, ready: asyncio.Future[int] | None = None) -> None:
    """Serve until cancelled."""
    address = Address(host="127.0.0.1", port=port)
    async with Listener(doorman, LinkLimits(), (Endpoint(address=address),)) as listener:
        (found,) = listener.ports.values()
        print(f"chargers connect to ws://127.0.0.1:{found}/<identity>")
        if ready is not None:
            ready.set_result(found)
        await asyncio.Event().wait()


if __name__ == "__main__":
    logging.basicConfig(level=logging.INFO)
    asyncio.run(main())
