"""The independent validator refuses what the standard forbids; otherwise its verdict on our frames would say nothing."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.interop.frames import Frame, judged

pytestmark = pytest.mark.node

BOOT_2: dict[str, Any] = {"reason": "PowerUp", "chargingStation": {"model": "m", "vendorName": "v"}}
STREAM = {"id": 1, "pending": 0, "basetime": "2026-06-10T12:00:00Z", "data": [{"t": 0, "v": "1"}]}
TIME = {"currentTime": "2026-06-10T12:00:00Z"}


def _frame(content: Any, version: str = "1.6", direction: str = "in") -> Frame:
    text = content if isinstance(content, str) else json.dumps(content)
    return Frame(version=version, station="s", direction=direction, text=text)


START = {"connectorId": 1, "idTag": "t", "meterStart": 0, "timestamp": TIME["currentTime"]}

GOOD = (
    _frame([2, "a", "Heartbeat", {}]),
    _frame([3, "a", TIME], direction="out"),
    _frame([2, "b", "DataTransfer", {"vendorId": "v"}], direction="out"),
    _frame([4, "b", "OccurenceConstraintViolation", "", {}]),
    _frame([2, "c", "BootNotification", BOOT_2], "2.0.1"),
    _frame([4, "c", "FormatViolation", "", {}], "2.0.1", "out"),
    _frame([2, "d", "BootNotification", BOOT_2], "2.1"),
    _frame([3, "d", {**TIME, "interval": 300, "status": "Accepted"}], "2.1", "out"),
    _frame([5, "d", "FormatViolation", "", {}], "2.1"),
    _frame([6, "e", "NotifyPeriodicEventStream", STREAM], "2.1"),
    _frame([2, "f", "StartTransaction", START]),
)

BAD = (
    (_frame("not json"), "JSON"),
    (_frame({"a": 1}), "not an array"),
    (_frame([2, "a", "NoSuchAction", {}]), "allowed values"),
    (_frame([2, "a", "BootNotification", {"chargePointVendor": "v"}]), "required property"),
    (_frame([2, "a", "Heartbeat", {"extra": 1}]), "does not know"),
    (_frame([2, "a", "StartTransaction", {**START, "connectorId": "1"}]), "integer"),
    (_frame([2, "a", "MeterValues", {"connectorId": 1, "meterValue": []}], "2.0.1"), "required property"),
    (_frame([2, "a", "BootNotification", {**BOOT_2, "reason": "Boredom"}], "2.1"), "allowed values"),
    (_frame([3, "f", {"transactionId": "17", "idTagInfo": {"status": "Accepted"}}], direction="out"), "transactionId"),
    (_frame([3, "zz", {}]), "nobody asked"),
    (_frame([4, "zz", "GenericError", "", {}], "2.1"), "nobody asked"),
    (_frame([6, "e", "NotifyPeriodicEventStream", STREAM], "2.0.1"), "not part of 2.0.1"),
    (_frame([2, "e", "NotifyPeriodicEventStream", STREAM], "2.1"), "wrong for NotifyPeriodicEventStream"),
    (_frame([2, "d", "UpdateDynamicSchedule", {"chargingProfileId": 1}], "2.1", "out"), "required property"),
)


@pytest.fixture(scope="module")
def verdicts(node_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[int, list[str]]:
    """Number of a frame in GOOD + BAD, from 1 on → what was found about it."""
    verdict = judged([*GOOD, *(frame for frame, _ in BAD)], node_folder, tmp_path_factory.mktemp("frames"))
    assert verdict.n_judged == len(GOOD) + len(BAD)
    assert verdict.n_answers >= 5
    found: dict[int, list[str]] = {}
    for line in verdict.findings:
        finding = json.loads(line)
        found.setdefault(finding["n"], []).append(finding["error"])
    return found


def test_frames_as_in_the_standards_pass(verdicts: dict[int, list[str]]) -> None:
    assert {n: found for n, found in verdicts.items() if n <= len(GOOD)} == {}


def test_every_breach_is_found(verdicts: dict[int, list[str]]) -> None:
    """[0-4, 0-7, B10, B12, B20]"""
    for number, (frame, words) in enumerate(BAD, start=len(GOOD) + 1):
        found = verdicts.get(number, [])
        assert any(words in error for error in found), (frame.text, found)
