"""A CSMS that keeps its own sockets and uses loadmgr's session and codec alone, here on ``websockets.serve``.

Run it with ``python examples/own_sockets.py``. Every payload that comes out of the session, and every one that leaves by it,
is valid by the schema of its version; there is no other part of loadmgr behind it.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.typing import Subprotocol

from loadmgr.ocpp.session import Answered, Failed, Incoming, Session


def answer(action: str, payload: dict[str, Any]) -> dict[str, Any] | None:
    """What this CSMS says to a CALL; ``None``: it does not know the action."""
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    match action:
        case "BootNotification":
            return {"currentTime": now, "interval": 300, "status": "Accepted"}
        case "Heartbeat":
            return {"currentTime": now}
        case "StatusNotification" | "MeterValues":
            print(action, payload)
            return {}
        case _:
            return None


async def on_connect(socket: ServerConnection) -> None:
    """One charger, from its handshake to its end."""
    session = Session(str(socket.subprotocol).removeprefix("ocpp"))
    clock = asyncio.get_running_loop().time
    async for text in socket:
        if not isinstance(text, str):
            continue
        for result in session.receive(text, clock()):
            match result:
                case Incoming():
                    found = answer(result.action, result.payload)
                    if found is None:
                        session.refuse(result.id, "NotImplemented", f"{result.action} is not handled here")
                    else:
                        session.reply(result.id, result.action, found)
                    if result.action == "BootNotification":  # a command of ours: its outcome comes as a result
                        session.call("TriggerMessage", {"requestedMessage": "StatusNotification"}, "status", clock())
                case Answered() | Failed():
                    print("our call", result.tag, "became", result)
        for frame in session.take_frames():
            await socket.send(frame)


async def main(port: int = 9000, ready: asyncio.Future[int] | None = None) -> None:
    """Serve until cancelled."""
    names = [Subprotocol("ocpp1.6"), Subprotocol("ocpp2.0.1")]
    async with serve(on_connect, "127.0.0.1", port, subprotocols=names) as server:
        if ready is not None:
            ready.set_result(next(iter(server.sockets)).getsockname()[1])
        await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
