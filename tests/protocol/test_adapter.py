"""Handlers of the ``ocpp`` package on our transport: the same frames as on the package's own, and what is better."""

from __future__ import annotations

import asyncio
import importlib.util
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from types import ModuleType
from typing import Any

import pytest
from ocpp import v16, v21
from ocpp import v201 as v2
from ocpp.exceptions import OCPPError, SecurityError
from ocpp.routing import after, on
from websockets.asyncio.client import ClientConnection, connect
from websockets.asyncio.server import serve
from websockets.exceptions import ConnectionClosed, InvalidStatus

from loadmgr.ocpp.adapter import MountError, mounted, snake
from loadmgr.ocpp.transport.contract import Admission, Answer, Knock
from loadmgr.ocpp.transport.listener import Endpoint, Listener
from loadmgr.settings import Address, LinkLimits
from tests.support.chargers import header, until
from tests.support.days import EXAMPLES

NOW = "2026-06-10T12:00:00Z"
HERE = Address(host="127.0.0.1", port=0)


class Charger16(v16.ChargePoint):  # type: ignore[misc]
    """One handler for each thing that handlers do."""

    def __init__(self, name: str, connection: Any, response_timeout: float = 0.5) -> None:
        super().__init__(name, connection, response_timeout=response_timeout)
        self.seen: list[Any] = []

    @on("BootNotification")
    async def boot(self, charge_point_model: str, charge_point_vendor: str, **more: Any) -> Any:
        await asyncio.sleep(0)
        self.seen.append((charge_point_model, charge_point_vendor, more))
        return v16.call_result.BootNotification(current_time=NOW, interval=10, status="Accepted")

    @after("BootNotification")
    async def after_boot(self, call_unique_id: str, **_: Any) -> None:
        got = await self.call(v16.call.GetConfiguration(key=[call_unique_id]))
        self.seen.append(("configuration", got.unknown_key))

    @on("Heartbeat")
    def beat(self) -> Any:
        return v16.call_result.Heartbeat(current_time=NOW)

    @on("Authorize")
    def authorize(self, id_tag: str, call_unique_id: str) -> Any:
        if id_tag == "forbidden":
            raise SecurityError(description="not this one")
        if id_tag == "broken":
            raise RuntimeError("a mistake in a handler")
        self.seen.append(call_unique_id)
        return v16.call_result.Authorize(id_tag_info={"status": "Accepted", "expiry_date": None})

    @on("DataTransfer", skip_schema_validation=True)
    def data(self, **anything: Any) -> Any:
        self.seen.append(anything)
        return v16.call_result.DataTransfer(status="Whatever")

    @on("MeterValues")
    async def meter(self, connector_id: int, meter_value: list[Any], **_: Any) -> Any:
        self.seen.append(meter_value[0]["sampled_value"][0])
        await asyncio.sleep(0.2)
        return v16.call_result.MeterValues()


class Charger201(v2.ChargePoint):  # type: ignore[misc]
    @on("TransactionEvent")
    def transaction(self, event_type: str, transaction_info: dict[str, Any], **_: Any) -> Any:
        return v2.call_result.TransactionEvent(id_token_info={"status": "Accepted"})

    @on("BootNotification")
    def boot(self, charging_station: dict[str, Any], **_: Any) -> Any:
        return v2.call_result.BootNotification(current_time=NOW, interval=10, status=charging_station["vendor_name"])


@asynccontextmanager
async def ours(kind: type[Any], *given: Any, **options: Any) -> AsyncIterator[tuple[int, list[Any]]]:
    """A server with mounted instances; they are in the list."""
    made: list[Any] = []

    def doorman(knock: Knock) -> Answer:
        begin = mounted(kind, knock.path.rpartition("/")[2], *given, **options)

        def kept(line: Any) -> Any:
            talk = begin(line)
            made.append(talk._it)  # type: ignore[attr-defined]
            return talk

        return Admission(subprotocol=knock.offered[0], begin=kept)

    async with Listener(doorman, LinkLimits(), (Endpoint(address=HERE),)) as listener:
        yield next(iter(listener.ports.values())), made


@asynccontextmanager
async def theirs(kind: type[Any], *given: Any, **options: Any) -> AsyncIterator[tuple[int, list[Any]]]:
    """The same on ``websockets.serve``, as the package's documentation has it."""
    made: list[Any] = []

    async def on_connect(socket: Any) -> None:
        it = kind("cp", socket, *given, **options)
        made.append(it)
        try:
            await it.start()
        except ConnectionClosed:
            return

    async with serve(on_connect, "127.0.0.1", 0, subprotocols=["ocpp1.6", "ocpp2.0.1", "ocpp2.1"]) as server:  # type: ignore[list-item]
        yield next(iter(server.sockets)).getsockname()[1], made


@asynccontextmanager
async def linked(port: int, protocol: str = "ocpp1.6") -> AsyncIterator[ClientConnection]:
    async with connect(f"ws://127.0.0.1:{port}/cp", subprotocols=[protocol]) as link:  # type: ignore[list-item]
        yield link


async def said(link: ClientConnection) -> list[Any]:
    found: list[Any] = json.loads(await asyncio.wait_for(link.recv(), 5))
    return found


def play(work: Callable[[], Awaitable[None]]) -> None:
    async def main() -> None:
        await work()

    asyncio.run(main())


SAMPLE = {"connectorId": 1, "meterValue": [{"timestamp": NOW, "sampledValue": [{"value": "7", "measurand": "SoC"}]}]}
ASKED = [
    ("Heartbeat", {}),
    ("Authorize", {"idTag": "good"}),
    ("Authorize", {"idTag": "forbidden"}),
    ("Authorize", {"idTag": 7}),
    ("DataTransfer", {"noVendor": 1, "chargePointURL": {"inV2X": [1, {"aB": None}]}}),
    ("MeterValues", SAMPLE),
    ("StartTransaction", {"connectorId": 1, "idTag": "a", "meterStart": 0, "timestamp": NOW}),
]


@pytest.mark.parametrize(("action", "payload"), ASKED, ids=[f"{a} {json.dumps(p)[:30]}" for a, p in ASKED])
def test_the_answer_is_that_of_the_package(action: str, payload: dict[str, Any]) -> None:
    """Type, id, code or payload are the same; the words beside an error code may differ."""
    answers, seen = [], []

    async def work() -> None:
        for where in (ours, theirs):
            async with where(Charger16) as (port, made), linked(port) as link:
                await link.send(json.dumps([2, "id-1", action, payload]))
                answers.append((await said(link))[:3])
                seen.append(made[0].seen)

    play(work)
    assert answers[0] == answers[1]
    assert seen[0] == seen[1]


@pytest.mark.parametrize(
    ("action", "payload", "codes"),
    [
        ("Authorize", {"idTag": "x" * 21}, ("PropertyConstraintViolation", "TypeConstraintViolation")),
        ("Authorize", {}, ("OccurenceConstraintViolation", "ProtocolError")),
        ("Heartbeat", {"more": 1}, ("FormationViolation", "FormatViolation")),
    ],
)
def test_a_breach_of_the_schema_has_the_code_of_the_standard(
    action: str, payload: dict[str, Any], codes: tuple[str, str]
) -> None:
    """Where the package's differs: the second of the two [0-7]."""

    async def work() -> None:
        for where, code in zip((ours, theirs), codes, strict=True):
            async with where(Charger16) as (port, _), linked(port) as link:
                await link.send(json.dumps([2, "id-1", action, payload]))
                assert (await said(link))[:3] == [4, "id-1", code]

    play(work)


def test_after_a_boot_the_handler_calls_the_station() -> None:
    async def work() -> None:
        for where in (ours, theirs):
            async with where(Charger16) as (port, made), linked(port) as link:
                boot = {"chargePointModel": "m", "chargePointVendor": "v", "firmwareVersion": "1"}
                await link.send(json.dumps([2, "id-1", "BootNotification", boot]))
                assert (await said(link))[2] == {"currentTime": NOW, "interval": 10, "status": "Accepted"}
                call = await said(link)
                assert call[2:] == ["GetConfiguration", {"key": ["id-1"]}]
                await link.send(json.dumps([3, call[1], {"unknownKey": ["id-1"]}]))
                await until(lambda made=made: len(made[0].seen) == 2)
                assert made[0].seen == [("m", "v", {"firmware_version": "1"}), ("configuration", ["id-1"])]

    play(work)


def test_a_slow_handler_keeps_neither_the_next_message_nor_an_answer_waiting() -> None:
    """[0-15]"""

    async def work() -> None:
        async with ours(Charger16) as (port, _), linked(port) as link:
            await link.send(json.dumps([2, "slow", "MeterValues", SAMPLE]))
            await link.send(json.dumps([2, "quick", "Heartbeat", {}]))
            assert [(await said(link))[1], (await said(link))[1]] == ["quick", "slow"]

    play(work)


class Asking(Charger16):
    @on("StatusNotification")
    async def status(self, **_: Any) -> Any:
        got = await self.call(v16.call.TriggerMessage(requested_message="Heartbeat"))
        self.seen.append(got.status)
        return v16.call_result.StatusNotification()


def test_a_handler_may_call_the_station_before_it_answers() -> None:
    """[0-15]"""

    async def work() -> None:
        async with ours(Asking) as (port, made), linked(port) as link:
            status = {"connectorId": 1, "errorCode": "NoError", "status": "Available"}
            await link.send(json.dumps([2, "s", "StatusNotification", status]))
            call = await said(link)
            assert call[2] == "TriggerMessage"
            await link.send(json.dumps([3, call[1], {"status": "Accepted"}]))
            assert await said(link) == [3, "s", {}]
            assert made[0].seen == ["Accepted"]

    play(work)


def test_calls_fail_as_the_package_s_do() -> None:
    """An error answer is swallowed unless one asks [0-13]; no answer is a TimeoutError; a wrong one raises."""

    async def work() -> None:
        async with ours(Charger16) as (port, made), linked(port) as link:
            await until(lambda: bool(made))
            it = made[0]
            request = v16.call.Reset(type="Soft")

            async def answer(frame: Any) -> None:
                call = await said(link)
                await link.send(json.dumps([frame[0], call[1], *frame[1:]]))

            for suppress in (True, False):
                answering = asyncio.create_task(answer([4, "InternalError", "no", {}]))
                if suppress:
                    assert await it.call(request) is None
                else:
                    with pytest.raises(OCPPError, match="no"):
                        await it.call(request, suppress=False)
                await answering
            answering = asyncio.create_task(answer([3, {"status": 5}]))
            with pytest.raises(OCPPError):
                await it.call(request)
            await answering
            with pytest.raises(TimeoutError):
                await it.call(request)
            assert (await said(link))[2] == "Reset"
            with pytest.raises(OCPPError, match="Reset"):
                await it.call(v16.call.Reset(type="Gently"))
            await link.close()
            await until(it._mount.over.is_set)
            with pytest.raises(ConnectionError):
                await it.call(request)

    play(work)


def test_a_cancelled_call_lets_no_second_one_out() -> None:
    """One CALL at a time, whatever becomes of who made it [0-5]."""

    async def work() -> None:
        async with ours(Charger16, response_timeout=5) as (port, made), linked(port) as link:
            await until(lambda: bool(made))
            first = asyncio.create_task(made[0].call(v16.call.Reset(type="Soft")))
            call = await said(link)
            first.cancel()
            second = asyncio.create_task(made[0].call(v16.call.ClearCache()))
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(link.recv(), 0.2)
            await link.send(json.dumps([3, call[1], {"status": "Accepted"}]))
            call = await said(link)
            assert call[2] == "ClearCache"
            await link.send(json.dumps([3, call[1], {"status": "Accepted"}]))
            assert (await second).status == "Accepted"

    play(work)


class Silent(Charger16):
    @on("FirmwareStatusNotification")
    def nothing(self, **_: Any) -> None:
        return None


def test_a_handler_without_an_answer_and_one_that_raises_cost_an_error_and_not_the_link() -> None:
    async def work() -> None:
        async with ours(Silent) as (port, _), linked(port) as link:
            for action, payload in (("FirmwareStatusNotification", {"status": "Idle"}), ("Authorize", {"idTag": "broken"})):
                await link.send(json.dumps([2, "a", action, payload]))
                assert (await said(link))[:3] == [4, "a", "InternalError"]
            await link.send(json.dumps([2, "b", "Heartbeat", {}]))
            assert (await said(link))[0] == 3

    play(work)


@pytest.mark.parametrize(
    ("frame", "code"),
    [
        ("nonsense", "FormationViolation"),
        ('[2,"7","Nonsense",{}]', "NotImplemented"),
        ('[6,"7","Heartbeat",{}]', "FormationViolation"),
    ],
)
def test_what_the_package_leaves_without_a_reply_gets_one(frame: str, code: str) -> None:
    """[0-19, B01, B10]"""

    async def work() -> None:
        async with ours(Charger16) as (port, _), linked(port) as link:
            await link.send(frame)
            found = await said(link)
            assert (found[0], found[2]) == (4, code)

    play(work)


class Watching(Charger16):
    async def route_message(self, raw_msg: str) -> None:
        self.seen.append(raw_msg)
        await super().route_message(raw_msg)

    async def call(self, payload: Any, *arguments: Any, **more: Any) -> Any:
        self.seen.append(payload)
        return await super().call(payload, *arguments, **more)


def test_what_a_class_overrides_stands() -> None:
    async def work() -> None:
        async with ours(Watching, response_timeout=0.1) as (port, made), linked(port) as link:
            await link.send('[2,"1","Heartbeat",{}]')
            assert (await said(link))[0] == 3
            with pytest.raises(TimeoutError):
                await made[0].call(v16.call.ClearCache())
            assert made[0].seen == ['[2,"1","Heartbeat",{}]', v16.call.ClearCache()]

    play(work)


@pytest.mark.parametrize("where", [ours, theirs])
def test_2_0_1_too(where: Any) -> None:
    async def work() -> None:
        async with where(Charger201) as (port, _), linked(port, "ocpp2.0.1") as link:
            event = {
                "eventType": "Started",
                "timestamp": NOW,
                "triggerReason": "Authorized",
                "seqNo": 0,
                "transactionInfo": {"transactionId": "t"},
            }
            await link.send(json.dumps([2, "1", "TransactionEvent", event]))
            assert await said(link) == [3, "1", {"idTokenInfo": {"status": "Accepted"}}]

    play(work)


def test_only_classes_of_the_package_can_be_mounted() -> None:
    with pytest.raises(MountError, match=r"ocpp\.v201\.ChargePoint"):
        mounted(dict, "cp")


def test_names_become_what_the_package_makes_of_them() -> None:
    names = [
        n
        for part in (v16, v2, v21)
        for kind in vars(part.call).values()
        if hasattr(kind, "__dataclass_fields__")
        for n in kind.__dataclass_fields__
    ]
    from ocpp.charge_point import camel_to_snake_case, snake_to_camel_case

    wire = snake_to_camel_case(dict.fromkeys(names, 1))
    assert len(wire) > 100
    assert snake(wire) == camel_to_snake_case(wire)


# -- examples ------------------------------------------------------------------------------------------------------


def _example(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, EXAMPLES / f"{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@asynccontextmanager
async def _running(name: str) -> AsyncIterator[int]:
    ready: asyncio.Future[int] = asyncio.get_running_loop().create_future()
    serving = asyncio.create_task(_example(name).main(0, ready))
    try:
        yield await asyncio.wait_for(ready, 5)
    finally:
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


def test_the_example_with_mounted_handlers_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        async with _running("mounted_handlers") as port:
            url = f"ws://127.0.0.1:{port}/cp-1"
            with pytest.raises(InvalidStatus, match="401"):
                await connect(url, subprotocols=["ocpp1.6"])  # type: ignore[list-item]
            headers = header("cp-1", "a-secret-of-cp-1")
            async with connect(url, subprotocols=["ocpp1.6"], additional_headers=headers) as socket:  # type: ignore[list-item]
                it = v16.ChargePoint("cp-1", socket, response_timeout=5)
                listening = asyncio.create_task(it.start())
                boot = v16.call.BootNotification(charge_point_model="m", charge_point_vendor="Acme")
                assert (await it.call(boot)).status == "Accepted"
                assert (await it.call(v16.call.Heartbeat())).current_time
                sample = {"timestamp": NOW, "sampled_value": [{"value": "16.0"}]}
                await it.call(v16.call.MeterValues(connector_id=1, meter_value=[sample]), suppress=False)
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)

    play(work)
    assert "cp-1 of Acme boots" in (told := capsys.readouterr().out)
    assert "cp-1/1: 16.0" in told


def test_the_example_with_its_own_sockets_does_what_it_says(capsys: pytest.CaptureFixture[str]) -> None:
    async def work() -> None:
        async with _running("own_sockets") as port, linked(port, "ocpp2.0.1") as link:
            about = {"chargingStation": {"model": "m", "vendorName": "v"}, "reason": "PowerUp"}
            await link.send(json.dumps([2, "1", "BootNotification", about]))
            assert (await said(link))[2]["status"] == "Accepted"
            call = await said(link)
            assert call[2] == "TriggerMessage"
            await link.send(json.dumps([3, call[1], {"status": "NotImplemented"}]))
            await link.send(json.dumps([2, "2", "BootNotification", {}]))
            assert (await said(link))[:3] == [4, "2", "OccurrenceConstraintViolation"]
            await link.send(json.dumps([2, "3", "Authorize", {"idToken": {"idToken": "x", "type": "Local"}}]))
            assert (await said(link))[:3] == [4, "3", "NotImplemented"]

    play(work)
    assert "NotImplemented" in capsys.readouterr().out
