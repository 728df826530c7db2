"""What became of a command, and what a CALL of ours belongs to."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import datetime

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.ocpp.schemas import Json


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """The station's word, or why there is none."""

    accepted: bool
    detail: str = ""
    action: str = ""
    payload: Json = field(default_factory=dict)


Done = asyncio.Future[Reply]

PROFILE = "chargingProfile"
"""Where a remote start of any version carries one."""
WITHOUT_PROFILE = "without a profile"
"""Detail of a remote start that was accepted and brought no limit to the station [D-7]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """What a CALL of ours belongs to. ``part`` numbers the calls of one command; a ``trial`` makes no events."""

    command: cmd.Command
    part: int = 0
    done: Done | None = None
    request: Json = field(default_factory=dict)
    is_trial: bool = False


def event_of(tag: Tag, reply: Reply, now: datetime) -> ev.Event:
    """What the answer to a command means to the rest of the service."""
    command = tag.command
    match command:
        case cmd.SendSetpoint():
            return ev.SetpointAnswered(
                at=now, no=command.no, evse=command.setpoint.evse, accepted=reply.accepted, detail=reply.detail[:200]
            )
        case cmd.InstallFailsafe() if tag.part == 0:
            return ev.FailsafeAnswered(
                at=now,
                station=command.station,
                failsafe_a=command.failsafe_a,
                accepted=reply.accepted,
                detail=reply.detail[:200],
            )
        case _:
            is_bare = isinstance(command, cmd.StartSession) and reply.accepted and PROFILE not in tag.request
            return ev.CommandAnswered(
                at=now,
                no=command.no,
                station=command.station,
                command=type(command).__name__,
                accepted=reply.accepted,
                detail=WITHOUT_PROFILE if is_bare else reply.detail[:2000],
            )
