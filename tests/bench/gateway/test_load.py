"""The load generator counts what it says it counts: both of them, against servers that answer in many ways."""

from __future__ import annotations

import asyncio
import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.asyncio.server import ServerConnection, serve
from websockets.frames import Frame, Opcode
from websockets.protocol import State
from websockets.server import ServerProtocol

from tests.bench.gateway import payloads
from tests.bench.gateway.load import masked, taken

LOAD = Path(__file__).parent / "load.c"
COMPILER = shutil.which("cc") or shutil.which("gcc")
IN_PYTHON = (sys.executable, "-m", "tests.bench.gateway.load")
Frames = list[list[Any]]
Answers = Callable[[list[Any]], list[str]]


@pytest.fixture(params=["python", *(["compiled"] if COMPILER else [])], name="generator")
def _generator(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, ...]:
    if request.param == "python":
        return IN_PYTHON
    assert COMPILER is not None
    binary = tmp_path / "load"
    subprocess.run([COMPILER, "-O2", "-Wall", "-Wextra", "-Werror", "-o", str(binary), str(LOAD)], check=True)
    return (str(binary),)


def _right(frame: list[Any]) -> list[str]:
    return [json.dumps([3, frame[1], {}])]


async def _against(
    generator: tuple[str, ...], folder: Path, answers: Answers, mode: str = "throughput", delay_s: float = 0.0, **more: Any
) -> tuple[dict[str, Any], Frames, list[Any]]:
    """(what the generator says, all frames that it sent, requests). ``delay_s``: before each answer but the boot's."""
    frames: Frames = []
    requests: list[Any] = []

    async def on_connect(socket: ServerConnection) -> None:
        requests.append(socket.request)
        async for text in socket:
            frame = json.loads(text)
            frames.append(frame)
            if frame[0] == 2:
                if frame[2] != "BootNotification":
                    await asyncio.sleep(delay_s)
                for answer in [json.dumps([3, frame[1], {}])] if frame[2] == "BootNotification" else answers(frame):
                    await socket.send(answer)

    files = await asyncio.to_thread(payloads.files, folder)
    async with serve(on_connect, payloads.HOST, 0, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]
        port = next(iter(server.sockets)).getsockname()[1]
        options = {"port": port, "n": 3, "path": "/x/B-", "boot": files["boot1.6"], "frame": files["MeterValues"]}
        options |= {"seconds": 1.5, "warm": 0.1, **more}  # a busy machine may stand still for half a second
        arguments = [mode, *(f"{k}={v}" for k, v in options.items())]
        process = await asyncio.create_subprocess_exec(
            *generator, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
        )
        said, _ = await process.communicate()
        assert process.returncode == 0
    return json.loads(said), frames, requests


def _run(*arguments: Any, **options: Any) -> tuple[dict[str, Any], Frames, list[Any]]:
    return asyncio.run(_against(*arguments, **options))


def test_right_answers_count_and_only_the_id_changes(generator: tuple[str, ...], tmp_path: Path) -> None:
    said, frames, _ = _run(generator, tmp_path, _right)
    calls = [f for f in frames if f[2] == "MeterValues"]
    assert 0 < said["good"] <= len(calls)
    assert (said["wrong"], said["lost"], said["ready"]) == (0, 0, 3)
    assert 0 < said["p50_ms"] <= said["p99_ms"] <= said["max_ms"]
    assert len({f[1] for f in frames}) == len(frames)
    assert {json.dumps(f[3]) for f in calls} == {json.dumps(json.loads((tmp_path / "MeterValues.json").read_text())[3])}


@pytest.mark.parametrize(
    "answer",
    [
        lambda frame: json.dumps([3, "9" * 10, {}]),
        lambda frame: json.dumps([3, frame[1], []]),
        lambda frame: json.dumps([4, frame[1], "InternalError", "", {}]),
        lambda frame: json.dumps([6, frame[1], {}]),
    ],
    ids=["another id", "no object", "CALLERROR", "unknown type"],
)
def test_other_answers_do_not_count(generator: tuple[str, ...], tmp_path: Path, answer: Callable[[list[Any]], str]) -> None:
    said, _, _ = _run(generator, tmp_path, lambda frame: [answer(frame)], warm=0.0, seconds=1.5, delay_s=0.5)
    assert said["good"] == 0
    assert said["wrong"] > 0


def test_an_answer_that_comes_twice_counts_once(generator: tuple[str, ...], tmp_path: Path) -> None:
    said, frames, _ = _run(generator, tmp_path, lambda frame: _right(frame) * 2, warm=0.0)
    assert 0 < said["good"] <= len([f for f in frames if f[2] == "MeterValues"])
    assert said["wrong"] > 0


def test_calls_of_the_server_are_answered(generator: tuple[str, ...], tmp_path: Path) -> None:
    asked = [2, "from-the-server", "SetChargingProfile", {}]
    said, frames, _ = _run(generator, tmp_path, lambda frame: [json.dumps(asked), *_right(frame)])
    assert [3, "from-the-server", {"status": "Accepted"}] in frames
    assert said["called"] > 0
    assert said["wrong"] == 0


def test_links_log_in_as_the_last_segment_of_their_path(generator: tuple[str, ...], tmp_path: Path) -> None:
    _, _, requests = _run(generator, tmp_path, _right, password="bench-password-0001")
    logins = {(r.path, r.headers["Authorization"]) for r in requests}
    expected = base64.b64encode(b"B-2:bench-password-0001").decode()
    assert ("/x/B-2", f"Basic {expected}") in logins
    assert len(logins) == 3


def test_a_rate_is_kept_over_all_links(generator: tuple[str, ...], tmp_path: Path) -> None:
    said, frames, _ = _run(generator, tmp_path, _right, mode="rate", rate=60, seconds=1.0)
    calls = [f for f in frames if f[2] == "MeterValues"]
    assert 0 < len(calls) <= 60 * said["wall_s"] + 60 * 0.2 + 3  # the timetable never runs ahead
    assert said["good"] > 0


def test_a_storm_ends_with_the_last_boot(generator: tuple[str, ...], tmp_path: Path) -> None:
    said, frames, requests = _run(generator, tmp_path, _right, mode="storm", n=20)
    assert said["ready"] == len(requests) == len([f for f in frames if f[2] == "BootNotification"]) == 20
    assert said["wall_s"] > 0


def test_a_link_that_the_server_ends_is_lost(generator: tuple[str, ...], tmp_path: Path) -> None:
    async def run() -> dict[str, Any]:
        async def hang_up(socket: ServerConnection) -> None:
            await socket.recv()

        async with serve(hang_up, payloads.HOST, 0, subprotocols=["ocpp1.6"]) as server:  # type: ignore[list-item]
            port = next(iter(server.sockets)).getsockname()[1]
            files = payloads_of(tmp_path)
            arguments = ["throughput", f"port={port}", "n=2", "path=/x", f"frame={files}", "seconds=0.2", "warm=0.1"]
            process = await asyncio.create_subprocess_exec(
                *generator, *arguments, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE
            )
            return dict(json.loads((await process.communicate())[0]))

    said = asyncio.run(run())
    assert (said["lost"], said["ready"], said["good"]) == (2, 0, 0)


def payloads_of(folder: Path) -> Path:
    """A Heartbeat."""
    place = folder / "beat.json"
    place.write_text(json.dumps([2, payloads.ID, "Heartbeat", {}], separators=(",", ":")))
    return place


def test_the_payloads_are_valid_and_have_the_size_that_is_said(tmp_path: Path) -> None:
    files = payloads.files(tmp_path)
    assert 1_100 <= files["MeterValues"].stat().st_size <= 1_300
    assert 1_300 <= files["TransactionEvent"].stat().st_size <= 1_500
    assert len(payloads.meter_values()["meterValue"][0]["sampledValue"]) == 8


@given(st.binary(max_size=70_000))
def test_frames_are_what_websockets_reads(payload: bytes) -> None:
    server = ServerProtocol(state=State.OPEN, max_size=None)
    server.receive_data(masked(payload, Opcode.BINARY))
    events = server.events_received()
    assert [(e.opcode, bytes(e.data)) for e in events if isinstance(e, Frame)] == [(Opcode.BINARY, payload)]


@given(st.binary(max_size=70_000), st.binary(max_size=20), st.integers(min_value=0, max_value=70_030))
def test_frames_of_a_server_are_taken_whole_or_not_at_all(payload: bytes, rest: bytes, cut: int) -> None:
    wire = Frame(Opcode.TEXT, payload).serialize(mask=False)
    assert taken(wire + rest) == (0x81, payload, len(wire))
    assert taken(wire[: min(cut, len(wire) - 1)]) is None
