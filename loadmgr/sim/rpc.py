"""OCPP-J of a twin on the ``ocpp`` package's client classes and messages, with the faults of rule G.2.

The package turns keys into snake case by regular expressions, which bends ``limit_L2`` and hides nulls; here payloads
stay as they are on the wire, and every request is checked against the schema that the package ships.
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections.abc import Awaitable, Callable
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import jsonschema_rs
from ocpp.charge_point import ChargePoint
from ocpp.exceptions import OCPPError
from ocpp.messages import Call, CallError, CallResult, unpack

from loadmgr.sim.doors import Wire
from loadmgr.sim.profiles import Json

if TYPE_CHECKING:
    from loadmgr.sim.station import Twin

Handler = Callable[[Json], Awaitable["Json | None"]]

FOLDERS = (("1.6", "v16"), ("2.0.1", "v201"), ("2.1", "v21"))
ANSWER_S = 30.0


class CallRefusedError(Exception):
    """Answer a CALL with this error code."""

    def __init__(self, code: str, detail: str = "") -> None:
        super().__init__(f"{code} {detail}")
        self.code, self.detail = code, detail


class CallRefusedByCentralError(OCPPError):  # type: ignore[misc]  # the ocpp package has no types
    """The central system answered with a CALLERROR; the text begins with its code."""


class LinkLostError(ConnectionError):
    """The link ended before the answer came."""


@cache
def schema_of(version: str, action: str, *, is_request: bool) -> Any:  # jsonschema_rs has one class per draft
    """The package's schema of a message; ``None`` when the version has no such action."""
    request = "" if version == "1.6" else "Request"
    place = files("ocpp") / dict(FOLDERS)[version] / "schemas" / f"{action}{request if is_request else 'Response'}.json"
    if not action.isalnum() or not place.is_file():
        return None
    return jsonschema_rs.validator_for(json.loads(place.read_text(encoding="utf-8-sig")), validate_formats=False)


def first_breach(version: str, action: str, payload: Json, *, is_request: bool) -> str:
    """The first breach of the schema in words, or ""."""
    schema = schema_of(version, action, is_request=is_request)
    if schema is None:
        return f"{action} is not part of OCPP {version}"
    error = next(schema.iter_errors(payload), None)
    return "" if error is None else f"{'.'.join(map(str, error.instance_path))}: {error.message}"[:200]


class RawClient(ChargePoint):  # type: ignore[misc]  # the ocpp package has no types
    """One open link of a twin; versions give ``handlers`` by action and the package's class beside this one."""

    def __init__(self, twin: Twin, wire: Wire) -> None:
        super().__init__(str(twin.id), wire, response_timeout=ANSWER_S)
        self.logger = logging.getLogger("loadmgr.sim.rpc")
        self.logger.setLevel(logging.WARNING)
        self.twin = twin
        self.version = str(self._ocpp_version)
        self.handlers: dict[str, Handler] = {}
        self._open: dict[str, asyncio.Future[Json]] = {}
        self._lock = asyncio.Lock()
        self._delayed: set[asyncio.Task[None]] = set()
        self._n_calls = 0
        self._n_profiles = 0

    # -- what comes in ---------------------------------------------------------------------------------------------

    async def route_message(self, raw_msg: str) -> None:
        """Handle a frame and count it; a delayed answer counts at once, the simulation does not wait for it."""
        try:
            message = unpack(raw_msg)
        except OCPPError as error:
            self.twin.errors.append(f"unreadable frame: {error}")
        else:
            if isinstance(message, Call):
                await self._take(message)
            else:
                self._resolve(message)
        finally:
            self.twin.count_handled()

    def _resolve(self, message: CallResult | CallError) -> None:
        waiting = self._open.pop(message.unique_id, None)
        if waiting is None or waiting.done():
            self.twin.errors.append(f"answer to a CALL that is not open: {message.unique_id}")
        elif isinstance(message, CallResult):
            waiting.set_result(message.payload)
        else:
            waiting.set_exception(CallRefusedByCentralError(f"{message.error_code}: {message.error_description}"))

    async def _take(self, message: Call) -> None:
        faults = self.twin.faults
        self._n_calls += 1
        if faults.never_answers or (faults.deaf_after_calls and self._n_calls > faults.deaf_after_calls):
            return
        if faults.is_busy_while_calling and self._open:
            error = CallError(message.unique_id, "InternalError", "a call is already in progress", {})
            await self.send_raw(error.to_json())
            return
        delay_s = faults.answer_delay_s
        if message.action == "SetChargingProfile" and faults.late_every_other_s:
            self._n_profiles += 1
            delay_s += faults.late_every_other_s * (self._n_profiles % 2)
        if delay_s <= 0:
            await self._answer(message)
            return
        task = asyncio.ensure_future(self._answer_late(message, delay_s))
        self._delayed.add(task)
        task.add_done_callback(self._delayed.discard)

    async def _answer_late(self, message: Call, delay_s: float) -> None:
        await self.twin.clock.sleep(delay_s)
        try:
            await self._answer(message)
        except ConnectionError:
            return

    async def _answer(self, message: Call) -> None:
        """Run the handler; its payload, a CALLERROR, or nothing."""
        try:
            payload = await self._handled(message)
        except CallRefusedError as refusal:
            error = CallError(message.unique_id, self.spelt(refusal.code), refusal.detail[:255], {})
            await self.send_raw(error.to_json())
            return
        if payload is not None:
            await self.send_raw(json.dumps([3, message.unique_id, self.twin.mangled(payload)], separators=(",", ":")))

    async def _handled(self, message: Call) -> Json | None:
        breach = first_breach(self.version, message.action, message.payload, is_request=True)
        handler = self.handlers.get(message.action)
        if handler is None:
            raise CallRefusedError("NotImplemented", f"{message.action} is not known here")
        if breach:
            self.twin.errors.append(f"{message.action}: {breach}")
            raise CallRefusedError("FormatViolation", breach)
        return await handler(message.payload)

    def spelt(self, code: str) -> str:
        """An error code as the version spells it [0-7]."""
        return "FormationViolation" if code == "FormatViolation" and self.version == "1.6" else code

    # -- what goes out ---------------------------------------------------------------------------------------------

    async def send_raw(self, text: str) -> None:
        """Send a frame as it is and count it. Raises ``ConnectionError`` when the link has ended."""
        await self.twin.send_text(self._connection, text)

    async def ask(self, action: str, payload: Json) -> Json:
        """A CALL and its answer. Raises ``OCPPError`` for a CALLERROR, ``TimeoutError``, or ``ConnectionError``."""
        async with self._lock:
            unique_id = "1" if self.twin.faults.reuses_ids else str(uuid.uuid4())  # G-56
            waiting: asyncio.Future[Json] = asyncio.get_running_loop().create_future()
            self._open[unique_id] = waiting
            body = [2, unique_id, action, self.twin.mangled(payload)]
            try:
                await self.send_raw(json.dumps(body, separators=(",", ":")))
                async with asyncio.timeout(ANSWER_S):
                    answer = await waiting
            except OCPPError:
                if self.twin.faults.reconnects_on_error:
                    await self._connection.close()  # G-44
                raise
            finally:
                self._open.pop(unique_id, None)
        await self.twin.send_strays(self)
        return answer

    def lost(self) -> None:
        """The link has ended: nobody waits any longer."""
        for waiting in self._open.values():
            if not waiting.done():
                waiting.set_exception(LinkLostError("the link ended before the answer came"))
        for task in self._delayed:
            task.cancel()
