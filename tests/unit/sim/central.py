"""A minimal central system of the ``ocpp`` package's messages and schemas, for tests of the twins by themselves."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonschema
from ocpp.messages import Call, CallError, CallResult, MessageType, get_validator, unpack

from loadmgr.domain.ids import EvseId, NodeId, StationId
from loadmgr.domain.site import Evse, EvseCaps
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.doors import PipeDoor
from loadmgr.sim.pipe import End
from loadmgr.sim.quirks import switch_on
from loadmgr.sim.scenario import dialect_of
from loadmgr.sim.station import Twin

BEGIN = datetime(2026, 6, 10, 8, tzinfo=UTC)
Json = dict[str, Any]


class Central:
    """Answers what stations send, keeps it, and asks.

    ``checks_schemas``: every CALL of the station is held against the package's schema, ``breaches`` keeps what broke it.
    ``held``: actions that get no answer.
    """

    def __init__(self, version: str, now: Callable[[], datetime]) -> None:
        self.version, self.now = version, now
        self.heard: list[tuple[str, Json]] = []
        self.texts: list[str] = []
        self.breaches: list[str] = []
        self.checks_schemas = False
        self.held: set[str] = set()
        self.answers: dict[str, Callable[[Json], Json | None]] = {}
        self.subprotocols: list[str] = []
        self.closings: list[str] = []
        self.n_handled = self.n_sent = self.next_id = self.next_transaction = 0
        self._end: End | None = None
        self._open: dict[str, asyncio.Future[Json | CallError]] = {}

    async def attach(self, station: StationId, subprotocol: str, end: End) -> None:
        """Serve one link."""
        del station
        self.subprotocols.append(subprotocol)
        self.version = subprotocol.removeprefix("ocpp")
        self.n_handled = self.n_sent = 0
        self._end = end
        try:
            async for text in end:
                await self._take(text)
        except ConnectionError as closed:
            self.closings.append(str(closed))
        else:
            self.closings.append("in order")

    async def _take(self, text: str) -> None:
        self.texts.append(text)
        self.n_handled += 1
        if json.loads(text)[0] == 6:
            return
        message = unpack(text)
        if not isinstance(message, Call):
            waiting = self._open.pop(message.unique_id, None)
            if waiting is not None:
                waiting.set_result(message.payload if isinstance(message, CallResult) else message)
            return
        self.heard.append((message.action, message.payload))
        if message.action in self.held:
            return
        try:
            if self.checks_schemas:
                get_validator(MessageType.Call, message.action, self.version).validate(message.payload)
        except (jsonschema.ValidationError, OSError) as breach:
            self.breaches.append(f"{message.action}: {breach}"[:300])
        answer = self.answers.get(message.action, self._answer)
        payload = answer(message.payload) if answer != self._answer else self._answer(message.payload, message.action)
        if payload is None:
            await self._send(CallError(message.unique_id, "InternalError", "refused by the test", {}).to_json())
        else:
            await self._send(CallResult(message.unique_id, payload).to_json())

    def _answer(self, payload: Json, action: str = "") -> Json:
        match action:
            case "BootNotification":
                return {"status": "Accepted", "currentTime": self.now().isoformat(), "interval": 300}
            case "Heartbeat":
                return {"currentTime": self.now().isoformat()}
            case "StartTransaction":
                self.next_transaction += 1
                return {"transactionId": self.next_transaction, "idTagInfo": {"status": "Accepted"}}
            case "Authorize":
                return {"idTokenInfo": {"status": "Accepted"}}
            case "NotifyEVChargingNeeds":
                return {"status": "Accepted"}
            case "TransactionEvent" if "idToken" in payload:
                return {"idTokenInfo": {"status": "Accepted"}}
        return {}

    async def _send(self, text: str) -> None:
        assert self._end is not None
        self.n_sent += 1
        await self._end.send(text)

    async def begin(self, action: str, payload: Json) -> asyncio.Future[Json | CallError]:
        """A CALL whose answer is read later."""
        self.next_id += 1
        number = f"c{self.next_id}"
        self._open[number] = asyncio.get_running_loop().create_future()
        waiting = self._open[number]
        await self._send(Call(number, action, payload).to_json())
        return waiting

    def said(self, action: str) -> list[Json]:
        """Payloads of an action, oldest first."""
        return [p for a, p in self.heard if a == action]


@dataclass
class Bench:
    """A twin, its central system, and their clock."""

    twin: Twin
    central: Central
    clock: LockStepClock
    currents: list[tuple[float, float]] = field(default_factory=list)

    def in_flight(self) -> str:
        """What is on the way between the two."""
        link, central = self.twin.uplink, self.central
        if link.is_busy:
            return "connecting"
        if self.twin.is_connected and (link.n_sent, link.n_handled) != (central.n_handled, central.n_sent):
            return f"sent {link.n_sent}, handled {central.n_handled}; got {link.n_handled} of {central.n_sent}"
        return ""

    async def run(self, seconds: float) -> None:
        """Let time pass."""
        await self.clock.advance_to(self.clock.now() + timedelta(seconds=seconds), self.in_flight)
        self.twin.check()

    async def ask(self, action: str, payload: Json, *, within_s: float = 0.0) -> Json:
        """A CALL and its answer; ``{"error": code}`` for a CALLERROR and ``{"silent": True}`` for none."""
        if not self.twin.is_connected:
            return {"offline": True}
        waiting = await self.central.begin(action, payload)
        await self.run(within_s)
        if not waiting.done():
            return {"silent": True}
        found = waiting.result()
        return {"error": found.error_code} if isinstance(found, CallError) else found

    async def profile(self, limit: float, **said: Any) -> Json:
        """SetChargingProfile with one period; see ``profile_of``."""
        number = said.pop("evse", 1)
        body = profile_of(self, limit, **said)
        if self.twin.dialect.version == "1.6":
            return await self.ask("SetChargingProfile", {"connectorId": number, "csChargingProfiles": body})
        return await self.ask("SetChargingProfile", {"evseId": number, "chargingProfile": body})


def profile_of(
    bench: Bench,
    limit: float | None,
    *,
    purpose: str = "TxProfile",
    unit: str = "A",
    stack: int = 1,
    kind: str = "Absolute",
    start: timedelta | None = timedelta(seconds=-10),
    duration: int | None = 600,
    phases: int | None = 3,
    transaction: str | None = None,
    profile_id: int | None = None,
    period: Json | None = None,
    **more: Any,
) -> Json:
    """A profile as the version writes it; by default a live TxProfile of the running transaction."""
    old = bench.twin.dialect.version == "1.6"
    one: Json = {"startPeriod": 0, **({} if limit is None else {"limit": limit}), **(period or {})}
    if phases is not None:
        one["numberPhases"] = phases
    schedule: Json = {"chargingRateUnit": unit, "chargingSchedulePeriod": [one]}
    if duration is not None:
        schedule["duration"] = duration
    if start is not None and kind not in {"Relative", "Dynamic"}:
        schedule["startSchedule"] = (bench.clock.now() + start).replace(tzinfo=None).isoformat() + "Z"
    codes = {"TxProfile": 3, "TxDefaultProfile": 2, "PriorityCharging": 4}
    number = codes.get(purpose, 1) * 10_000 + stack if profile_id is None else profile_id
    body: Json = {"stackLevel": stack, "chargingProfilePurpose": purpose, "chargingProfileKind": kind, **more}
    mine = bench.twin.transaction
    if purpose == "TxProfile" and transaction != "" and (transaction or mine):
        said = transaction or (mine.id if mine is not None else "")
        body["transactionId"] = int(said) if old else said
    if old:
        return body | {"chargingProfileId": number, "chargingSchedule": schedule}
    return body | {"id": number, "chargingSchedule": [{"id": 1, **schedule}]}


def an_evse(**caps: Any) -> Evse:
    """EVSE 1 of station s, 32 A three-phase, wired L2 L3 L1."""
    given = {"current_max_a": 32.0, **caps}
    return Evse(id=EvseId("s/1"), station=StationId("s"), number=1, node=NodeId("g"), caps=EvseCaps(**given), rotation="STR")


@asynccontextmanager
async def bench_of(version: str, quirks: Sequence[str] = (), evse: Evse | None = None) -> AsyncIterator[Bench]:
    """A connected and booted twin."""
    clock = LockStepClock(BEGIN)
    central = Central(version, clock.now)
    twin = Twin(
        id=StationId("s"),
        evse=evse or an_evse(),
        url="",
        password="",
        clock=clock,
        dialect=dialect_of(0, (version,)),
        on_change=lambda: None,
        door=PipeDoor(attach=central.attach),
    )
    switch_on(twin.faults, *quirks)
    if twin.faults.other_version_next:
        twin.other_dialect = dialect_of(0, ("2.0.1" if version == "1.6" else "1.6",))
    bench = Bench(twin, central, clock)
    twin.outlet.on_change = lambda: bench.currents.append((clock.monotonic_s(), round(twin.outlet.current_a, 3)))
    twin.start()
    try:
        await bench.run(2)
        yield bench
    finally:
        await twin.stop()
