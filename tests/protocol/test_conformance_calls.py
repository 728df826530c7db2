"""Our calls to chargers: every limit as the schemas want it (rule I.2), no silent success (I.3), one at a time (I.4)."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from prometheus_client import CollectorRegistry, generate_latest
from websockets.asyncio.client import ClientConnection, connect

from api.metrics import SiteCollector
from loadmgr.control.evse_state import Outcome
from loadmgr.control.state import FailsafeState, allowed_a
from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.samples import Measured
from loadmgr.domain.traits import Kind, ProfileForm, Purpose, RateUnit, Traits
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.gateway import Gateway
from loadmgr.ocpp.session import Session
from loadmgr.ocpp.versions import TRANSLATIONS, VERSIONS
from loadmgr.runtime import LoadManager
from tests.support.builders import NOON
from tests.support.chargers import PASSWORD, Raw, Refusal, Replies, charger, header, office, profile_of, start, until

ST, EVSE = StationId("office-1"), EvseId("office-1/1")
OCPP = ("1.6", "2.0.1", "2.1")
FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}
TENTHS = range(801)
Json = dict[str, Any]

# -- I.2: every limit in every form, as text on the wire -----------------------------------------------------------------


@cache
def _schema(ocpp: str, action: str) -> Any:
    """A validator of another library than the service's own; numbers are decimals, so that 0.1 divides them exactly."""
    name = action if ocpp == "1.6" else f"{action}Request"
    text = (files("ocpp") / FOLDERS[ocpp] / "schemas" / f"{name}.json").read_text(encoding="utf-8-sig")
    schema = json.loads(text, parse_float=Decimal)
    return jsonschema.validators.validator_for(schema)(schema)


def _texts(ocpp: str, command: cmd.Command, traits: Traits) -> list[tuple[str, str]]:
    """(action, text of the payload) of the frames as they go out, one after another."""
    session, found = Session(ocpp), []
    for action, payload in TRANSLATIONS[ocpp](command, traits):
        session.call(action, payload, "", 0.0)
        (text,) = session.take_frames()
        message_id = json.loads(text)[1]
        session.receive(json.dumps([3, message_id, {"status": "Accepted"}]), 0.0)
        found.append((action, text.partition(f'"{action}",')[2][:-1]))
    return found


def _checked(ocpp: str, command: cmd.Command, traits: Traits) -> list[Json]:
    """The payloads, each valid, without a null and with one decimal at most in every number."""
    payloads = []
    for action, text in _texts(ocpp, command, traits):
        payload = json.loads(text, parse_float=Decimal)
        _schema(ocpp, action).validate(payload)
        assert "null" not in text
        assert all(len(decimals) == 1 for decimals in re.findall(r"[:,\[]-?\d+\.(\d+)", text)), text
        assert not re.search(r"\d[eE][+-]?\d", re.sub(r'"[^"]*"', "", text)), text
        payloads.append(payload)
    return payloads


def _period(payload: Json) -> Json:
    profile = payload.get("csChargingProfiles") or payload["chargingProfile"]
    schedule = profile["chargingSchedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    (found,) = schedule["chargingSchedulePeriod"]
    return dict(found)


def _order(current_a: float, n_phases: int = 3, transaction: str = "17", **given: Any) -> Setpoint:
    until_at = NOON + timedelta(seconds=180)
    return Setpoint(
        no=5,
        evse=EVSE,
        current_a=current_a,
        n_phases=n_phases,
        made_at=NOON,
        valid_until=until_at,
        transaction=transaction,
        **given,
    )


def _is_mute(tenths: int, n_phases: int) -> bool:
    """No pilot signals this; direct current has no pilot."""
    return 0 < tenths < 60 and n_phases > 0


@pytest.mark.parametrize("ocpp", OCPP)
@pytest.mark.parametrize(
    ("purpose", "unit", "n_phases"),
    [
        *((p, u, 3) for p in Purpose for u in ("A", "W")),
        *((Purpose.TX, u, n) for u in ("A", "W") for n in (0, 1)),
        (Purpose.TX, "W", 2),
    ],
)
def test_i2_every_limit_to_80_a_is_valid_with_one_decimal_and_no_nulls(
    ocpp: str, purpose: Purpose, unit: RateUnit, n_phases: int
) -> None:
    """[I.2, 0-12, A-74, A-75, A-80] 0.0 to 80.0 A in steps of 0.1, in A and W, alternating and direct current."""
    form = ProfileForm(purpose=purpose, unit=unit)
    for tenths in TENTHS:
        command = cmd.SendSetpoint(no=5, station=ST, setpoint=_order(tenths / 10, n_phases, form=form))
        if _is_mute(tenths, n_phases):
            with pytest.raises(ProtocolError, match=r"in \(0, 6\) A"):
                TRANSLATIONS[ocpp](command, Traits())
            continue
        (payload,) = _checked(ocpp, command, Traits())
        period = _period(payload)
        if not n_phases:
            assert "numberPhases" not in period
            assert 0 <= period["limit"] <= Decimal(tenths) * 69
        elif unit == "A":
            assert (Decimal(str(period["limit"])), period["numberPhases"]) == (Decimal(tenths) / 10, n_phases)
        else:
            assert (period["limit"], period["numberPhases"]) == (tenths * 23 * n_phases, n_phases)


@pytest.mark.parametrize("ocpp", OCPP)
@pytest.mark.parametrize("unit", ["A", "W"])
def test_i2_every_fail_safe_to_80_a_is_valid_with_one_decimal_and_no_nulls(ocpp: str, unit: RateUnit) -> None:
    """[I.2, A.15] Both lasting layers, without an end."""
    form = ProfileForm(purpose=Purpose.STATION_DEFAULT, unit=unit, stack=0)
    for tenths in (0, *range(60, 801)):
        command = cmd.InstallFailsafe(
            no=1, station=ST, failsafe_a=tenths / 10, station_max_a=tenths / 10, n_phases=3, made_at=NOON, form=form
        )
        payloads = _checked(ocpp, command, Traits())
        limits = {Decimal(str(_period(p)["limit"])) for p in payloads}
        assert limits == {Decimal(tenths) / 10 if unit == "A" else Decimal(tenths * 69)}
        assert len(payloads) == 2


@pytest.mark.parametrize("ocpp", OCPP)
def test_i2_every_first_limit_of_a_remote_start_is_valid_with_one_decimal_and_no_nulls(ocpp: str) -> None:
    """[I.2, D-7, D-25]"""
    for tenths in (0, *range(60, 801)):
        command = cmd.StartSession(no=1, station=ST, evse=EVSE, id_tag="tag", first_a=tenths / 10, made_at=NOON)
        (payload,) = _checked(ocpp, command, Traits())
        assert Decimal(str(_period(payload)["limit"])) == Decimal(tenths) / 10


@pytest.mark.parametrize("unit", ["A", "W"])
@pytest.mark.parametrize("is_update", [False, True])
@pytest.mark.parametrize("n_phases", [3, 0])
def test_i2_every_dynamic_limit_and_setpoint_is_valid_with_one_decimal_and_no_nulls(
    unit: RateUnit, is_update: bool, n_phases: int
) -> None:
    """[I.2, A.11, A.12] 2.1: dynamic profiles and their updates, in both directions."""
    form = ProfileForm(unit=unit, kind=Kind.DYNAMIC)
    for tenths in TENTHS:
        orders = [_order(80.0, n_phases, form=form, is_update=is_update, power_kw=s * tenths * 0.069) for s in (1.0, -1.0)]
        if not _is_mute(tenths, n_phases):
            orders.append(_order(tenths / 10, n_phases, form=form, is_update=is_update))
        for order in orders:
            command = cmd.SendSetpoint(no=5, station=ST, setpoint=order)
            (payload,) = _checked("2.1", command, Traits(supports_dynamic=True))
            assert ("scheduleUpdate" in payload) == is_update
            values = payload["scheduleUpdate"] if is_update else _period(payload)
            assert ("limit" in values, "setpoint" in values) == (order.power_kw is None, order.power_kw is not None)


# -- on real sockets -------------------------------------------------------------------------------------------------------


def _began(protocol: str) -> tuple[str, Json]:
    """What a charger of this version sends when a transaction begins."""
    stamp = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    if protocol == "ocpp1.6":
        return "StartTransaction", start(at=stamp)
    return "TransactionEvent", {
        "eventType": "Started",
        "timestamp": stamp,
        "triggerReason": "Authorized",
        "seqNo": 0,
        "transactionInfo": {"transactionId": "tx-1", "chargingState": "Charging"},
        "evse": {"id": 1, "connectorId": 1},
        "idToken": {"idToken": "tag", "type": "ISO14443"},
        "meterValue": [{"timestamp": stamp, "sampledValue": [{"value": 1000}]}],
    }


def _make_room(manager: LoadManager) -> None:
    """The grid meter speaks, and the three chargers that are not there have their fail-safe [E-21]."""
    now = manager.now()
    others = [StationId(f"office-{n}") for n in (2, 3, 4)]
    manager.take(
        ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=Measured(current_a=(5.0, 5.0, 5.0))),
        *(ev.FailsafeAnswered(at=now, station=s, failsafe_a=6.0, accepted=True) for s in others),
    )


def _metric(manager: LoadManager, name: str) -> float:
    registry = CollectorRegistry()
    registry.register(SiteCollector(manager))
    found = re.findall(rf"^{name}(?:_total)?(?:\{{[^}}]*\}})? (\S+)$", generate_latest(registry).decode(), re.M)
    assert found, f"no metric {name}"
    return sum(float(x) for x in found)


CODES = ("NotSupported", "PropertyConstraintViolation", "GenericError", "InternalError")


def _is_live(payload: Json) -> bool:
    """Layer L3; the fail-safe stands at level 0 of the whole station (rule A.15)."""
    return profile_of(payload)["stackLevel"] > 0 or payload.get("connectorId", payload.get("evseId")) > 0


def _failsafe(manager: LoadManager) -> FailsafeState:
    return manager.state.stations[ST].failsafe


@pytest.mark.parametrize("protocol", VERSIONS)
@pytest.mark.parametrize("code", CODES)
def test_i3_a_callerror_to_an_order_is_a_failure_in_state_and_metrics(tmp_path: Path, protocol: str, code: str) -> None:
    """[I.3, A-50, 0-13] Every form of it is refused with an error; none of them is ever in force."""

    def answered(payload: Json) -> Json | Refusal:
        return Refusal(code, "no") if _is_live(payload) else {"status": "Accepted"}

    async def run() -> None:
        async with office(tmp_path) as (manager, gateway):
            _make_room(manager)
            async with charger(gateway, ST, protocol=protocol, replies={"SetChargingProfile": answered}) as raw:
                await until(lambda: _failsafe(manager) is FailsafeState.CONFIRMED)
                assert (await raw.ask(*_began(protocol)))[0] == 3
                await until(lambda: manager.state.evses[EVSE].n_refused >= 3)
                mine = manager.state.evses[EVSE]
                assert [o for o in mine.orders if o.outcome is Outcome.ACCEPTED] == []
                assert mine.obedience.n_refused == manager.stats.setpoints_refused >= 3
                assert _metric(manager, "loadmgr_setpoints_refused") == manager.stats.setpoints_refused
                await manager.durable()
                stored = [s.event for s in await manager.history.events(limit=200, kinds=["SetpointAnswered"])]
                told = [(e.accepted, e.detail) for e in stored if isinstance(e, ev.SetpointAnswered)]
                assert len(told) >= 3
                assert set(told) == {(False, f"{code} no")}

    asyncio.run(run())


@pytest.mark.parametrize("protocol", VERSIONS)
def test_i3_a_callerror_to_the_fail_safe_is_a_failure_and_an_alarm(tmp_path: Path, protocol: str) -> None:
    """[I.3, A-50, E-21] The station counts at its hardware maximum."""

    async def run() -> None:
        async with office(tmp_path) as (manager, gateway):
            _make_room(manager)
            replies: Replies = {"SetChargingProfile": lambda _: Refusal("NotSupported", "no")}
            async with charger(gateway, ST, protocol=protocol, replies=replies):
                await until(lambda: f"failsafe:{ST}" in manager.state.alarms)
                assert _failsafe(manager) is FailsafeState.REFUSED
                assert allowed_a(manager.state, EVSE, manager.now()) == 32.0

    asyncio.run(run())


@pytest.mark.parametrize("protocol", VERSIONS)
def test_i3_the_same_charger_without_the_error_has_an_accepted_order(tmp_path: Path, protocol: str) -> None:
    """[I.3] The counter-example: what is missing above is there when the charger accepts."""

    async def run() -> None:
        async with office(tmp_path) as (manager, gateway):
            _make_room(manager)
            async with charger(gateway, ST, protocol=protocol) as raw:
                await until(lambda: _failsafe(manager) is FailsafeState.CONFIRMED)
                assert (await raw.ask(*_began(protocol)))[0] == 3
                await until(lambda: any(o.outcome is Outcome.ACCEPTED for o in manager.state.evses[EVSE].orders))
                assert (manager.state.evses[EVSE].n_refused, manager.stats.setpoints_refused) == (0, 0)

    asyncio.run(run())


# -- I.4: one call at a time -----------------------------------------------------------------------------------------------


@dataclass
class Quiet:
    """A charger that answers only what it is told to answer; ``frames`` are all that came, in their order."""

    socket: ClientConnection
    frames: list[list[Any]] = field(default_factory=list)
    next_id: int = 0

    async def read(self) -> None:
        """Keep what comes."""
        async for text in self.socket:
            self.frames.append(json.loads(text))

    async def say(self, action: str, payload: Json) -> str:
        """A CALL; returns its id."""
        self.next_id += 1
        await self.socket.send(json.dumps([2, f"q{self.next_id}", action, payload]))
        return f"q{self.next_id}"

    async def answer(self, call: list[Any], payload: Json) -> None:
        """Answer a CALL of the service."""
        await self.socket.send(json.dumps([3, call[1], payload]))

    @property
    def calls(self) -> list[list[Any]]:
        """CALLs of the service, oldest first."""
        return [f for f in self.frames if f[0] == 2]

    def answered(self, message_id: str) -> bool:
        """Did the service answer this CALL?"""
        return any(f[0] == 3 and f[1] == message_id for f in self.frames)


@asynccontextmanager
async def quiet(gateway: Gateway, protocol: str) -> AsyncIterator[Quiet]:
    """A connected quiet charger that has booted."""
    url = f"ws://127.0.0.1:{gateway.port}/ocpp/{ST}"
    extra: Any = {"subprotocols": [protocol], "compression": None}
    async with connect(url, additional_headers=header(ST, PASSWORD), **extra) as socket:
        found = Quiet(socket)
        reading = asyncio.create_task(found.read())
        try:
            yield found
        finally:
            reading.cancel()
            await asyncio.gather(reading, return_exceptions=True)


def _boot(protocol: str) -> Json:
    if protocol == "ocpp1.6":
        return {"chargePointVendor": "v", "chargePointModel": "m"}
    return {"chargingStation": {"model": "m", "vendorName": "v"}, "reason": "PowerUp"}


def _with_quiet(
    folder: Path, protocol: str, play: Callable[[LoadManager, Gateway, Quiet], Awaitable[None]], **params: float
) -> None:
    async def run() -> None:
        async with office(folder, **params) as (manager, gateway), quiet(gateway, protocol) as mute:
            _make_room(manager)
            await play(manager, gateway, mute)
            assert manager.stats.protect_failures == 0

    asyncio.run(run())


async def _onboard(mute: Quiet) -> None:
    """Accept everything until the service has nothing more to ask."""
    n_done, idle = 0, 0
    while idle < 15:
        idle += 1
        for call in mute.calls[n_done:]:
            n_done, idle = n_done + 1, 0
            await mute.answer(call, Raw(mute.socket)._answer(call))
        await asyncio.sleep(0.02)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_i4_a_call_of_ours_never_comes_before_the_answer_that_it_follows_from(tmp_path: Path, protocol: str) -> None:
    """[I.4, 0-15, D-43] A boot and a begin of a transaction make the service call; each gets its answer first."""

    async def play(_: LoadManager, __: Gateway, mute: Quiet) -> None:
        boot = await mute.say("BootNotification", _boot(protocol))
        await until(lambda: len(mute.calls) == 1)
        assert [f[:2] for f in mute.frames] == [[3, boot], [2, mute.calls[0][1]]]
        await _onboard(mute)
        n_before = len(mute.frames)
        began = await mute.say(*_began(protocol))
        await until(lambda: any(f[2] == "SetChargingProfile" for f in mute.frames[n_before:] if f[0] == 2))
        assert mute.frames[n_before][:2] == [3, began]

    _with_quiet(tmp_path, protocol, play)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_i4_calls_of_a_charger_are_answered_while_one_of_ours_is_open(tmp_path: Path, protocol: str) -> None:
    """[I.4, 0-5, 0-15] Also those that make us call: a handler that waited for its own call would never answer."""

    async def play(manager: LoadManager, _: Gateway, mute: Quiet) -> None:
        await mute.say("BootNotification", _boot(protocol))
        await until(lambda: len(mute.calls) == 1)
        begun = await mute.say(*_began(protocol))
        beat = await mute.say("Heartbeat", {})
        await until(lambda: mute.answered(begun) and mute.answered(beat))
        assert len(manager.state.sessions) == 1
        assert len(mute.calls) == 1, "a second call is on the wire while the first is open"

    _with_quiet(tmp_path, protocol, play)


def _two(first: int) -> tuple[cmd.Command, cmd.Command]:
    """Two different questions at one moment."""
    return (
        cmd.TriggerStatus(no=first, station=ST, evse=EVSE),
        cmd.ReadComposite(no=first + 1, station=ST, evse=EVSE, duration_s=600),
    )


async def _told(manager: LoadManager, no: int) -> list[tuple[bool, str]]:
    """(accepted, detail) of the answers to a command, oldest first."""
    await manager.durable()
    stored = [s.event for s in await manager.history.events(limit=500, kinds=["CommandAnswered"])]
    mine = [e for e in stored if isinstance(e, ev.CommandAnswered) and e.no == no]
    return [(e.accepted, e.detail) for e in sorted(mine, key=lambda e: e.at)]


@pytest.mark.parametrize("protocol", VERSIONS)
def test_i4_two_calls_at_one_moment_are_sent_one_after_the_other(tmp_path: Path, protocol: str) -> None:
    """[I.4, 0-5, G-46]"""

    async def play(manager: LoadManager, gateway: Gateway, mute: Quiet) -> None:
        await mute.say("BootNotification", _boot(protocol))
        await _onboard(mute)
        n_before = len(mute.calls)
        for command in _two(9001):
            gateway.send(command)
        await until(lambda: len(mute.calls) == n_before + 1)
        await asyncio.sleep(0.3)
        assert [c[2] for c in mute.calls[n_before:]] == ["TriggerMessage"]
        await mute.answer(mute.calls[-1], {"status": "Accepted"})
        await until(lambda: len(mute.calls) == n_before + 2)
        assert mute.calls[-1][2] == "GetCompositeSchedule"
        assert await _told(manager, 9001) == [(True, "")]
        assert await _told(manager, 9002) == []

    _with_quiet(tmp_path, protocol, play)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_i4_a_late_answer_is_matched_and_leaves_the_next_call_alone(tmp_path: Path, protocol: str) -> None:
    """[I.4, 0-6, G-47, G-49] The answer to the first call comes when the second is open; one to nothing comes between."""

    async def play(manager: LoadManager, gateway: Gateway, mute: Quiet) -> None:
        await mute.say("BootNotification", _boot(protocol))
        await _onboard(mute)
        n_before = len(mute.calls)
        for command in _two(9001):
            gateway.send(command)
        await until(lambda: len(mute.calls) == n_before + 2)  # the first was given up
        first, second = mute.calls[n_before:]
        ((is_done, why),) = await _told(manager, 9001)
        assert not is_done
        assert why.startswith("Timeout")
        await mute.socket.send(json.dumps([3, "an id that nobody used", {"status": "Accepted"}]))
        await mute.answer(first, {"status": "Accepted"})
        async with asyncio.timeout(5):
            while len(await _told(manager, 9001)) < 2:
                await asyncio.sleep(0.02)
        assert (await _told(manager, 9001))[1] == (True, "")
        assert await _told(manager, 9002) == [], "the late answer was taken for that of the next call"
        await mute.answer(second, {"status": "Rejected"})
        async with asyncio.timeout(5):
            while not await _told(manager, 9002):
                await asyncio.sleep(0.02)
        assert [done for done, _ in await _told(manager, 9002)] == [False]
        beat = await mute.say("Heartbeat", {})
        await until(lambda: mute.answered(beat))

    _with_quiet(tmp_path, protocol, play, call_timeout_s=2.0)
