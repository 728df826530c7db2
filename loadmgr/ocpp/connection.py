"""One station's connection: session, translation, answers and commands. Of the socket it knows a ``Line``."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.errors import ProtocolError, StorageError
from loadmgr.ocpp import care, detect, whois
from loadmgr.ocpp.charger import SILENT_S, TIMEOUTS, Charger
from loadmgr.ocpp.host import Activity, Host
from loadmgr.ocpp.mirror import Mirror
from loadmgr.ocpp.nudge import Nudge
from loadmgr.ocpp.reply import PROFILE, Done, Reply, Tag, event_of
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.session import Answered, Disputed, Failed, Fault, Incoming, Result, Session
from loadmgr.ocpp.translation import Desk, Handled
from loadmgr.ocpp.transport.contract import Line
from loadmgr.ocpp.versions import Version
from loadmgr.ports import FrameRecord

log = logging.getLogger(__name__)

FAULTS_PER_MINUTE = 60
FAULT_COSTS = 10.0
"""Messages: what is wrong is looked at twice, answered and told."""
CALLS_WAITING = 200
"""Calls for a station that does not answer; setpoints and fail-safes go beyond that, and replace each other."""
GOING_AWAY, POLICY = 1001, 1008
UNSENT = frozenset({"Timeout", "Closed", "InvalidAnswer", "NotSent"})
"""Failures that say nothing of what the station did with a command; after ``NotSent`` it never saw it."""
ILL = frozenset({"InternalError", "GenericError"})
"""CALLERRORs of a station that does not work; the others are answers [G-48]."""


@dataclass(slots=True)
class Connection:
    """Everything about one open link except the socket."""

    host: Host
    desk: Desk
    version: Version
    session: Session
    charger: Charger
    line: Line
    spawn: Callable[[Coroutine[Any, Any, None]], None]
    timeout_s: float = 30.0
    numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    activity: Activity = field(default_factory=Activity)
    shown_name: str = ""
    """The serial number in the certificate with which it came, where that is what it names [E-12]."""
    is_accepted: bool = False
    is_closed: bool = False
    due: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when onboarding is due: by a boot, and when the station lost what it must hold."""
    pending_replies: int = 0
    recent_faults: list[float] = field(default_factory=list)
    must_close: tuple[int, str] | None = None
    held: list[tuple[cmd.Command, Done | None]] = field(default_factory=list)
    n_handled: int = 0
    n_sent: int = 0
    n_timeouts: int = 0
    n_failures: int = 0
    """Calls without success since the last one that had it."""
    succeeded_s: float = 0.0
    looked_s: float = float("-inf")
    """When it was looked after last; see ``care.look_after``."""
    has_booted: bool = False
    n_unbooted: int = 0
    """Calls of the station that were refused because it had not booted."""
    states: dict[EvseId, ev.EvseStatus] = field(default_factory=dict)
    """What EVSEs have said of their state on this link."""

    stale_s: float = 30.0
    """A meter that is silent for so long in a session is asked for its values [C-11]."""
    nudges: dict[EvseId, Nudge] = field(default_factory=dict)
    running: dict[SessionId, EvseId] = field(default_factory=dict)
    mirror: Mirror = field(init=False)

    def __post_init__(self) -> None:
        self.succeeded_s = self.host.clock.monotonic_s()
        evses = [self.desk.site.evses[e] for e in self.desk.site.stations[self.desk.station].evses]
        self.mirror = self.charger.mirror_for(self.version.ocpp, evses)
        care.follow(self)
        self.heed()

    # -- frames in -------------------------------------------------------------------------------------------------

    def on_text(self, text: str) -> None:
        """Handle one frame completely; answers that must be durable first follow later."""
        now = self.host.clock.now()
        self._log("in", text, now)
        for result in self.session.receive(text, self.host.clock.monotonic_s()):
            self._on_result(result, now)
        self.heed()
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
            case Disputed():
                log.warning("answer disputed", extra={"station": self.desk.station, "action": result.action})

    def on_fault(self, detail: str) -> None:
        """Count a breach of protocol; too many in a minute close the link."""
        now_s = self.host.clock.monotonic_s()
        self.recent_faults = [s for s in self.recent_faults if now_s - s < 60.0] + [now_s]
        log.warning("fault", extra={"station": self.desk.station, "detail": self.host.security.words(self, detail)})
        self.line.charge(FAULT_COSTS)
        if len(self.recent_faults) > FAULTS_PER_MINUTE:
            self.must_close = (POLICY, "too many malformed messages")

    def heed(self) -> None:
        """Let what was learned of the charger take effect, and tell it."""
        news = self.charger.news(self.host.clock.now())
        traits = self.charger.traits
        self.session.timeout_s = traits.call_timeout_s or self.timeout_s
        self.session.is_lenient = traits.is_lenient
        if traits is not self.desk.traits:
            self.desk = replace(self.desk, traits=traits)
        if news:
            for line in news[0].evidence:
                log.info("trait", extra={"station": self.desk.station, "evidence": line})
            self.host.take(*news)

    def doubt(self, why: str) -> None:
        """What runs on this station must be told again: something may have removed it."""
        now = self.host.clock.now()
        for evse in self.desk.site.stations[self.desk.station].evses:
            if self.desk.transactions.open_on(evse) is not None:
                self.host.take(ev.CompositeRead(at=now, evse=evse, from_at=now, limits_a=(), differs=why))

    def _on_call(self, call: Incoming, now: datetime) -> None:
        care.tolerated(self, call.action, call.notes)
        if self.version.needs_boot and not self.is_accepted and call.action != "BootNotification":
            self.n_unbooted += 1
            self.session.refuse(call.id, "SecurityError", "send BootNotification first")
            return
        handled: Handled | None = None
        try:
            handled = self.version.handle(self.desk, call.action, call.payload, now)
        finally:
            if handled is None:  # a mistake of ours: whoever waits for the answer hears of it
                self.session.refuse(call.id, "InternalError", "the central system failed")
        if call.action == "BootNotification" and (why := whois.doubt(self.shown_name, call.payload)):
            self.session.refuse(call.id, "SecurityError", why)
            self.must_close = (POLICY, why)
            self.host.take(whois.contradiction(self.desk.station, why, now))
            return
        if call.action == "BootNotification":
            self.is_accepted = True
        care.noticed(self, call, handled, now)
        if handled.refusal is not None:
            self.session.refuse(call.id, *handled.refusal)
            return
        if handled.must_last:
            self.pending_replies += 1
            self.activity.n_replies_held += 1
            self.host.take(*handled.events)
            self.spawn(self._reply_later(call, handled))
            return
        self.session.reply(call.id, call.action, handled.answer)
        self.push()
        self.host.take(*handled.events)
        if call.action == "BootNotification":
            self.has_booted = True
            self.due.set()

    async def _reply_later(self, call: Incoming, handled: Handled) -> None:
        """Acknowledge a transaction only when it is on disk; without that the station asks again [F02]."""
        try:
            await self.host.durable()
        except StorageError as error:
            log.error("not acknowledged", extra={"station": self.desk.station, "reason": str(error)})
            self.session.forget(call.id)
        else:
            self.session.reply(call.id, call.action, handled.answer)
            self.push()
        finally:
            self.pending_replies -= 1
            self.activity.n_replies_held -= 1
            if not self.pending_replies:
                held, self.held = self.held, []
                for command, done in held:
                    self.send(command, done)

    # -- commands out ----------------------------------------------------------------------------------------------

    def send(self, command: cmd.Command, done: Done | None = None, *, is_trial: bool = False) -> None:
        """Queue a command. A newer setpoint of the same EVSE replaces one that has not left yet.

        A ``trial`` asks the charger and makes no events, whatever the outcome.
        """
        if self.pending_replies and not is_trial:
            self.held.append((command, done))  # the station must first learn the id of its transaction [D-3]
            return
        objection = self.charger.objection(command, self.host.clock.monotonic_s()) if not is_trial else ""
        if objection:
            self._not_sent(Tag(command=command, done=done), objection)
            return
        if isinstance(command, cmd.SendSetpoint) and not is_trial:
            self._supersede(command)
            self.charger.newest[command.setpoint.evse] = command
        try:
            calls = self.version.to_calls(command, self.charger.traits)
        except ProtocolError as error:
            self._not_sent(Tag(command=command, done=done, is_trial=is_trial), str(error))
            return
        self.call(command, calls, done, is_trial=is_trial)

    def call(
        self, command: cmd.Command, calls: tuple[tuple[str, Json], ...], done: Done | None = None, *, is_trial: bool = False
    ) -> None:
        """Queue the calls that carry out a command."""
        urgent = isinstance(command, cmd.SendSetpoint | cmd.InstallFailsafe)
        now_s = self.host.clock.monotonic_s()
        if self.session.n_queued >= CALLS_WAITING and not urgent:
            self._not_sent(Tag(command=command, done=done, is_trial=is_trial), f"{CALLS_WAITING} calls wait before it")
            return
        for part, (action, payload) in enumerate(calls):
            first = done if part == 0 else None
            tag = Tag(command=command, part=part, done=first, request=payload, is_trial=is_trial)
            try:
                self.session.call(action, payload, tag, now_s, urgent=urgent)
                self.desk.noted(action, payload, self.host.clock.now())
            except ValueError as error:
                self._not_sent(tag, str(error))
        self.push()

    def _not_sent(self, tag: Tag, why: str) -> None:
        log.warning("command not sent", extra={"station": self.desk.station, "reason": why})
        self._on_failure(Failed(tag=tag, action="", code="NotSent", detail=why), self.host.clock.now())

    def _supersede(self, command: cmd.SendSetpoint) -> None:
        evse = command.setpoint.evse

        def is_older(tag: Tag) -> bool:
            return isinstance(tag.command, cmd.SendSetpoint) and tag.command.setpoint.evse == evse and not tag.is_trial

        now = self.host.clock.now()
        for tag in self.session.drop_queued(is_older):
            self._resolve(tag, Reply(accepted=False, detail="superseded"))
            self.host.take(ev.SetpointUnanswered(at=now, no=tag.command.no, evse=evse, was_sent=False, detail="superseded"))

    def _on_answer(self, answer: Answered, now: datetime) -> None:
        tag: Tag = answer.tag
        care.tolerated(self, answer.action, answer.notes)
        self.n_timeouts = self.n_failures = self.charger.n_silent_links = 0
        self.succeeded_s = self.host.clock.monotonic_s()
        if answer.is_late:
            self.charger.learn(detect.after_late_answer(answer.action, self.session.timeout_s))
        accepted, detail = self.version.outcome(answer.action, answer.payload)
        if not accepted:
            detail = detect.with_reason(detail, answer.payload)
        reply = Reply(accepted=accepted, detail=detail, action=answer.action, payload=answer.payload)
        care.mirrored(self, answer, reply, now)
        if not tag.is_trial:
            care.answered(self, answer, reply, now)
        if not reply.accepted and self._starts_bare(tag):
            return
        if isinstance(tag.command, cmd.SendSetpoint) and answer.is_late and not tag.is_trial:
            newer = self.charger.newer_than(tag.command)
            if newer is not None and now < newer.setpoint.valid_until:
                self.send(newer)
        self._settle(tag, reply, now)

    def _on_failure(self, failed: Failed, now: datetime) -> None:
        tag: Tag = failed.tag
        command = tag.command
        detail = f"{failed.code} {failed.detail}".strip()[:200]
        reply = Reply(accepted=False, detail=detail)
        self._count_failure(failed.code)
        if tag.is_trial:
            self._resolve(tag, reply)
            return
        if failed.code not in UNSENT or failed.code == "InvalidAnswer":
            care.refused(self, failed, detail)
            if self._starts_bare(tag):
                return
        if isinstance(command, cmd.SendSetpoint) and failed.code in UNSENT:
            self._resolve(tag, reply)
            sent = failed.code != "NotSent"
            self.host.take(
                ev.SetpointUnanswered(at=now, no=command.no, evse=command.setpoint.evse, was_sent=sent, detail=detail)
            )
            return
        if isinstance(command, cmd.InstallFailsafe) and tag.part == 0 and failed.code in {"Timeout", "Closed"}:
            self._resolve(tag, reply)  # unknown, not refused: it will be installed again
            return
        self._settle(tag, reply, now)

    def _starts_bare(self, tag: Tag) -> bool:
        """A remote start whose profile was refused is sent once more without it: the fail-safe holds then [D-7]."""
        if tag.is_trial or not isinstance(tag.command, cmd.StartSession) or PROFILE not in tag.request:
            return False
        self.send(replace(tag.command, first_a=None), tag.done)
        return True

    def _count_failure(self, code: str) -> None:
        """Three calls in a row without any answer: the station opens a new link [G-47]."""
        if code == "Timeout":
            self.n_timeouts += 1
            self.n_failures += 1
            if self.n_timeouts >= TIMEOUTS:
                self._give_up(f"no answer to {self.n_timeouts} calls in a row")
        elif code not in UNSENT:
            self.n_timeouts = 0
            self.n_failures = self.n_failures + 1 if code in ILL else 0
            if not self.n_failures:
                self.succeeded_s = self.host.clock.monotonic_s()

    def _give_up(self, why: str) -> None:
        if self.must_close is None:
            self.must_close = (GOING_AWAY, why)
            self.charger.n_silent_links += 1

    def _settle(self, tag: Tag, reply: Reply, now: datetime) -> None:
        reply = replace(reply, detail=self.host.security.words(self, reply.detail))
        self._resolve(tag, reply)
        if not tag.is_trial:
            self.host.take(event_of(tag, reply, now))

    @staticmethod
    def _resolve(tag: Tag, reply: Reply) -> None:
        if tag.done is not None and not tag.done.done():
            tag.done.set_result(reply)

    # -- time and end ----------------------------------------------------------------------------------------------

    def on_time(self) -> None:
        """Give up calls whose time is over; look after what is due."""
        deadline_s = self.session.deadline_s
        now_s = self.host.clock.monotonic_s()
        if deadline_s is not None and now_s >= deadline_s:
            for result in self.session.expire(now_s):
                self._on_result(result, self.host.clock.now())
            self.push()
        if self.n_failures >= TIMEOUTS and now_s - self.succeeded_s >= SILENT_S:
            self._give_up(f"no successful call for {SILENT_S:g} s")
        care.look_after(self)

    def on_close(self) -> None:
        """The link is gone: nothing that was asked will be answered here."""
        self.is_closed = True
        self.mirror.went_offline(self.host.clock.now())
        for result in self.session.close():
            self._on_result(result, self.host.clock.now())
        for command, done in self.held:
            self._on_failure(
                Failed(tag=Tag(command=command, done=done), action="", code="NotSent", detail="connection lost"),
                self.host.clock.now(),
            )
        self.held.clear()

    def push(self) -> None:
        """Hand frames to the line, which cuts a station off that does not read [A13]."""
        frames = self.session.take_frames()
        if not frames:
            return
        now = self.host.clock.now()
        self.n_sent += len(frames)
        self.activity.n += 1
        self.activity.n_sent += len(frames)
        for frame in frames:
            self._log("out", frame, now)
            self.line.send(frame)

    def _log(self, direction: str, text: str, now: datetime) -> None:
        shown = self.host.security.frame(self.desk.station, text)
        self.host.log_frames((FrameRecord(at=now, station=self.desk.station, direction=direction, text=shown),))
