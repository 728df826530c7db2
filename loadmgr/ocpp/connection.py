"""One station's connection: session, translation, answers and commands. No socket: frames go out through a queue."""

from __future__ import annotations

import asyncio
import logging
import re
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId
from loadmgr.domain.site import Site
from loadmgr.errors import ProtocolError, StorageError
from loadmgr.ocpp.session import Answered, Failed, Fault, Incoming, Result, Session
from loadmgr.ocpp.translation import Desk, Handled
from loadmgr.ocpp.versions import Version
from loadmgr.ports import Clock, FrameRecord

log = logging.getLogger(__name__)

FAULTS_PER_MINUTE = 60
FRAMES_WAITING = 1000
_SECRET = re.compile(r'("(?:AuthorizationKey|BasicAuthPassword)"\s*,\s*"[a-zA-Z]+"\s*:\s*)"[^"]*"')


class Host(Protocol):
    """What the gateway needs of the service around it."""

    clock: Clock

    @property
    def site(self) -> Site:
        """The site."""

    def take(self, *events: ev.Event) -> None:
        """Fold and log events, at once."""

    async def durable(self) -> None:
        """Return when everything taken is on disk. Raises ``StorageError``."""

    def log_frames(self, frames: tuple[FrameRecord, ...]) -> None:
        """Keep frames for the frame log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Tag:
    """What a CALL of ours belongs to. ``part`` numbers the calls of one command."""

    command: cmd.Command
    part: int = 0
    done: asyncio.Future[bool] | None = None


@dataclass(slots=True)
class Activity:
    """A counter that moves with every frame and every link: cheap to compare."""

    n: int = 0


@dataclass(slots=True)
class Connection:
    """Everything about one open link except the socket."""

    host: Host
    desk: Desk
    version: Version
    session: Session
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    activity: Activity = field(default_factory=Activity)
    is_accepted: bool = False
    booted: asyncio.Event = field(default_factory=asyncio.Event)
    outbox: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    pending_replies: int = 0
    recent_faults: list[float] = field(default_factory=list)
    must_close: str = ""
    held: list[tuple[cmd.Command, asyncio.Future[bool] | None]] = field(default_factory=list)
    n_handled: int = 0
    n_sent: int = 0
    seen: set[EvseId] = field(default_factory=set)
    """EVSEs that have said their state on this link."""

    # -- frames in -------------------------------------------------------------------------------------------------

    def on_text(self, text: str) -> None:
        """Handle one frame completely; answers that must be durable first follow later."""
        now = self.host.clock.now()
        self._log("in", text, now)
        for result in self.session.receive(text, self.host.clock.monotonic_s()):
            self._on_result(result, now)
        self.push()

    def _on_result(self, result: Result, now: datetime) -> None:
        match result:
            case Incoming():
                self._on_call(result, now)
            case Answered():
                self._on_answer(result, now)
            case Failed():
                self._on_failure(result, now)
            case Fault():
                self.on_fault(result.detail)

    def on_fault(self, detail: str) -> None:
        """Count a breach of protocol; too many in a minute close the link."""
        now_s = self.host.clock.monotonic_s()
        self.recent_faults = [s for s in self.recent_faults if now_s - s < 60.0] + [now_s]
        log.warning("fault", extra={"station": self.desk.station, "detail": detail})
        if len(self.recent_faults) > FAULTS_PER_MINUTE:
            self.must_close = "too many malformed messages"

    def _on_call(self, call: Incoming, now: datetime) -> None:
        if self.version.needs_boot and not self.is_accepted and call.action != "BootNotification":
            self.session.refuse(call.id, "SecurityError", "send BootNotification first")
            return
        handled = self.version.handle(self.desk, call.action, call.payload, now)
        if call.action == "BootNotification":
            self.is_accepted = True
        self.seen.update(e.evse for e in handled.events if isinstance(e, ev.EvseStatusChanged))
        if handled.refusal is not None:
            self.session.refuse(call.id, *handled.refusal)
            return
        if handled.must_last:
            self.pending_replies += 1
            self.host.take(*handled.events)
            self.spawn(self._reply_later(call, handled))
            return
        self.session.reply(call.id, call.action, handled.answer)
        self.push()
        self.host.take(*handled.events)
        if call.action == "BootNotification":
            self.booted.set()

    async def _reply_later(self, call: Incoming, handled: Handled) -> None:
        """Acknowledge a transaction only when it is on disk; without that the station asks again [F02]."""
        try:
            await self.host.durable()
        except StorageError as error:
            log.error("not acknowledged", extra={"station": self.desk.station, "reason": str(error)})
        else:
            self.session.reply(call.id, call.action, handled.answer)
            self.push()
        finally:
            self.pending_replies -= 1
            if not self.pending_replies:
                held, self.held = self.held, []
                for command, done in held:
                    self.send(command, done)

    # -- commands out ----------------------------------------------------------------------------------------------

    def send(self, command: cmd.Command, done: asyncio.Future[bool] | None = None) -> None:
        """Queue a command. A newer setpoint of the same EVSE replaces one that has not left yet."""
        if self.pending_replies:
            self.held.append((command, done))  # the station must first learn the id of its transaction [D-3]
            return
        now_s = self.host.clock.monotonic_s()
        urgent = isinstance(command, cmd.SendSetpoint | cmd.InstallFailsafe)
        if isinstance(command, cmd.SendSetpoint):
            self._supersede(command)
        try:
            calls = self.version.to_calls(command)
            for part, (action, payload) in enumerate(calls):
                tag = Tag(command=command, part=part, done=done if part == 0 else None)
                self.session.call(action, payload, tag, now_s, urgent=urgent)
        except (ProtocolError, ValueError) as error:
            log.error("command cannot be sent", extra={"station": self.desk.station, "reason": str(error)})
            failed = Failed(tag=Tag(command=command, done=done), action="", code="NotSent", detail=str(error))
            self._on_failure(failed, self.host.clock.now())
        self.push()

    def _supersede(self, command: cmd.SendSetpoint) -> None:
        evse = command.setpoint.evse

        def is_older(tag: Tag) -> bool:
            return isinstance(tag.command, cmd.SendSetpoint) and tag.command.setpoint.evse == evse

        now = self.host.clock.now()
        for tag in self.session.drop_queued(is_older):
            self.host.take(ev.SetpointUnanswered(at=now, no=tag.command.no, evse=evse, was_sent=False, detail="superseded"))

    def _on_answer(self, answer: Answered, now: datetime) -> None:
        accepted, detail = self.version.outcome(answer.action, answer.payload)
        self._settle(answer.tag, accepted=accepted, detail=detail, now=now)

    def _on_failure(self, failed: Failed, now: datetime) -> None:
        tag: Tag = failed.tag
        command = tag.command
        detail = f"{failed.code} {failed.detail}".strip()[:200]
        if isinstance(command, cmd.SendSetpoint) and failed.code in {"Timeout", "Closed", "InvalidAnswer", "NotSent"}:
            sent = failed.code != "NotSent"
            self.host.take(
                ev.SetpointUnanswered(at=now, no=command.no, evse=command.setpoint.evse, was_sent=sent, detail=detail)
            )
            return
        if isinstance(command, cmd.InstallFailsafe) and tag.part == 0 and failed.code in {"Timeout", "Closed"}:
            self._resolve(tag, ok=False)  # unknown, not refused: it will be installed again
            return
        self._settle(tag, accepted=False, detail=detail, now=now)

    def _settle(self, tag: Tag, *, accepted: bool, detail: str, now: datetime) -> None:
        command = tag.command
        event: ev.Event
        match command:
            case cmd.SendSetpoint():
                event = ev.SetpointAnswered(
                    at=now, no=command.no, evse=command.setpoint.evse, accepted=accepted, detail=detail
                )
            case cmd.InstallFailsafe() if tag.part == 0:
                event = ev.FailsafeAnswered(
                    at=now, station=command.station, failsafe_a=command.failsafe_a, accepted=accepted, detail=detail
                )
            case _:
                event = ev.CommandAnswered(
                    at=now,
                    no=command.no,
                    station=command.station,
                    command=type(command).__name__,
                    accepted=accepted,
                    detail=detail[:2000],
                )
        self._resolve(tag, ok=accepted)
        self.host.take(event)

    @staticmethod
    def _resolve(tag: Tag, *, ok: bool) -> None:
        if tag.done is not None and not tag.done.done():
            tag.done.set_result(ok)

    # -- time and end ----------------------------------------------------------------------------------------------

    def on_time(self) -> None:
        """Give up calls whose time is over."""
        deadline_s = self.session.deadline_s
        now_s = self.host.clock.monotonic_s()
        if deadline_s is not None and now_s >= deadline_s:
            for result in self.session.expire(now_s):
                self._on_result(result, self.host.clock.now())
            self.push()

    def on_close(self) -> None:
        """The link is gone: nothing that was asked will be answered here."""
        for result in self.session.close():
            self._on_result(result, self.host.clock.now())

    def push(self) -> None:
        """Hand frames to the writer; a station that does not read is cut off [A13]."""
        frames = self.session.take_frames()
        if not frames:
            return
        now = self.host.clock.now()
        self.n_sent += len(frames)
        self.activity.n += 1
        for frame in frames:
            self._log("out", frame, now)
            self.outbox.put_nowait(frame)
        if self.outbox.qsize() > FRAMES_WAITING:
            self.must_close = "the station does not read"

    def _log(self, direction: str, text: str, now: datetime) -> None:
        shown = _SECRET.sub(r'\1"***"', text[:8192]) if "Auth" in text else text[:8192]
        self.host.log_frames((FrameRecord(at=now, station=self.desk.station, direction=direction, text=shown),))
