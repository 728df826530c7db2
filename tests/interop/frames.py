"""Every frame of an interop run, judged by a validator that is not ours."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from loadmgr.domain import events as ev
from loadmgr.runtime import LoadManager

MOST = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Frame:
    """One frame as it went over the wire; ``direction`` is ``in`` from the station, ``out`` to it."""

    version: str
    station: str
    direction: str
    text: str

    @property
    def content(self) -> list[Any]:
        """The frame as JSON."""
        found: list[Any] = json.loads(self.text)
        return found


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What the validator said: how many frames it judged, how many of them were answers, and every finding."""

    n_judged: int
    n_answers: int
    findings: tuple[str, ...]


async def recorded(manager: LoadManager) -> tuple[Frame, ...]:
    """The frame log of a run so far, oldest first, with the version that each station spoke."""
    await manager.durable()
    stored = await manager.history.events(limit=MOST, kinds=["StationConnected"])
    versions = {s.event.station: s.event.ocpp for s in stored if isinstance(s.event, ev.StationConnected)}
    found = await manager.history.frames(None, MOST)
    return tuple(
        Frame(version=versions[f.station], station=f.station, direction=f.direction, text=f.text) for f in reversed(found)
    )


def judged(frames: Iterable[Frame], node_folder: Path, folder: Path) -> Verdict:
    """Let ``typed-ocpp`` judge frames; ``folder`` takes the file that they travel in."""
    lines = [
        json.dumps({"version": f.version, "station": f.station, "direction": f.direction, "frame": f.text}) for f in frames
    ]
    file = folder / "frames.jsonl"
    file.write_text("\n".join(lines))
    ran = subprocess.run(
        ["node", "validate.mjs", str(file)], check=False, cwd=node_folder, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stderr
    *findings, end = ran.stdout.splitlines()
    summary = json.loads(end)
    assert summary["judged"] == len(lines)
    return Verdict(n_judged=summary["judged"], n_answers=summary["answers"], findings=tuple(findings))


def assert_valid(frames: Iterable[Frame], node_folder: Path, folder: Path) -> None:
    """Every frame is what the standard says, and calls were answered in both directions."""
    found = tuple(frames)
    verdict = judged(found, node_folder, folder)
    assert not verdict.findings, "\n".join(verdict.findings)
    for direction in ("in", "out"):
        assert any(f.content[0] == 2 for f in found if f.direction == direction)
        assert any(f.content[0] == 3 for f in found if f.direction == direction)
    assert verdict.n_answers >= verdict.n_judged // 3


def actions(frames: Iterable[Frame], direction: str, station: str) -> set[str]:
    """Actions of the calls that went in a direction at a station."""
    return {f.content[2] for f in frames if f.direction == direction and f.station == station and f.content[0] in {2, 6}}
