"""The OCPP-J request/response state machine of one connection, without a socket.

Frames in as text, results out as values; frames to send are collected in ``take_frames``. One CALL of ours is
outstanding at a time [0-5]; answers to the station may be given at any later moment. 2.1 adds two message types: an
objection to an answer (CALLRESULTERROR) and a message without one (SEND).
"""

from __future__ import annotations

import hashlib
import logging
import uuid
from collections import OrderedDict, deque
from dataclasses import dataclass, field
from typing import Any

import orjson

from loadmgr.ocpp.schemas import UNCONFIRMED, Checked, Json, breach, checked, is_known, spelt
from loadmgr.ocpp.wire import WireError, parsed, readable_id

log = logging.getLogger(__name__)

CALL, CALLRESULT, CALLERROR, CALLRESULTERROR, SEND = 2, 3, 4, 5, 6
SINCE_21 = frozenset({CALLRESULTERROR, SEND})
LATE_S = 600.0
ANSWERS_KEPT = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Incoming:
    """A valid CALL of the station, to be answered with ``reply`` or ``refuse``; to a SEND these send nothing.

    ``notes``: what had to be done to make it valid.
    """

    id: str
    action: str
    payload: Json
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """A CALL of ours was answered. ``is_late``: after its time-out [A04]."""

    tag: Any  # what the caller gave to ``call``
    action: str
    payload: Json
    is_late: bool = False
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Failed:
    """A CALL of ours failed: ``code`` is the station's CALLERROR code, ``Timeout``, ``InvalidAnswer`` or ``Closed``."""

    tag: Any  # what the caller gave to ``call``
    action: str
    code: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """The station broke the protocol; counted, the connection may go on."""

    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Disputed:
    """2.1: the station could not take our answer to its ``action``; an empty one when nobody knows which [0-19]."""

    id: str
    action: str
    code: str
    detail: str = ""


Result = Incoming | Answered | Failed | Fault | Disputed


@dataclass(slots=True, kw_only=True)
class _Call:
    id: str
    action: str
    payload: Json
    tag: Any
    urgent: bool = False
    deadline_s: float = 0.0


@dataclass(slots=True)
class Session:
    """State of one connection speaking OCPP ``ocpp`` (``1.6``, ``2.0.1`` or ``2.1``)."""

    ocpp: str
    timeout_s: float = 30.0
    is_lenient: bool = True
    """What breaks the schema is put into its form where that is possible [G-57 to G-60]."""
    faults: int = 0
    unknown_answers: int = 0
    disputed_answers: int = 0
    _frames: deque[str] = field(default_factory=deque)
    _queue: deque[_Call] = field(default_factory=deque)
    _open: _Call | None = None
    _late: OrderedDict[str, tuple[_Call, float]] = field(default_factory=OrderedDict)
    _pending: set[str] = field(default_factory=set)
    _answers: OrderedDict[str, str] = field(default_factory=OrderedDict)
    _asked: dict[str, bytes] = field(default_factory=dict)
    """What each remembered id asked: a station may use an id again for another question [G-56]."""
    _actions: OrderedDict[str, str] = field(default_factory=OrderedDict)
    _unanswered: set[str] = field(default_factory=set)

    # -- frames ----------------------------------------------------------------------------------------------------

    def take_frames(self) -> list[str]:
        """Frames to send, in order; they are handed out once."""
        found = list(self._frames)
        self._frames.clear()
        return found

    def receive(self, text: str, now_s: float) -> list[Result]:
        """Handle one text frame. Never raises, whatever the station sends [B01, B06]."""
        frame = self._parse(text)
        if isinstance(frame, Fault):
            self.faults += 1
            return [frame]
        kind = frame[0]
        if kind == CALL:
            return self._call_in(frame)
        if kind in {CALLRESULT, CALLERROR}:
            return self._answer_in(frame, now_s)
        if kind in SINCE_21 and self.ocpp == "2.1":
            return self._send_in(frame) if kind == SEND else self._dispute_in(frame)
        self.faults += 1
        self._error("-1", "RpcFrameworkError" if self.ocpp == "1.6" else "MessageTypeNotSupported", f"type {kind!r}")
        return [Fault(detail=f"message type {kind!r} is not supported")]

    def _parse(self, text: str) -> list[Any] | Fault:
        try:
            return parsed(text)
        except WireError as error:
            if error.is_json:
                self._error("-1", "RpcFrameworkError", str(error))
                return Fault(detail=str(error))
            self._error(readable_id(text), "RpcFrameworkError", "not JSON")
            return Fault(detail=f"not JSON: {error}")

    def _error(self, message_id: str, code: str, detail: str) -> None:
        if self.ocpp == "1.6" and code == "RpcFrameworkError":
            code = "FormationViolation"
        self._push([CALLERROR, message_id, code, detail[:255], {}])

    def _push(self, frame: list[Any]) -> str:
        text = orjson.dumps(frame).decode()
        self._frames.append(text)
        return text

    # -- their calls -----------------------------------------------------------------------------------------------

    def _call_in(self, frame: list[Any]) -> list[Result]:
        if len(frame) != 4 or not isinstance(frame[2], str) or not isinstance(frame[3], dict):
            self.faults += 1
            self._error(frame[1], spelt("FormatViolation", self.ocpp), "a CALL is [2, id, action, object]")
            return [Fault(detail="malformed CALL")]
        message_id, action, payload = frame[1], frame[2], frame[3]
        question = _digest(action, payload)
        is_repeated = self._asked.get(message_id) == question
        if is_repeated and message_id in self._answers:
            self._frames.append(self._answers[message_id])  # the same question gets the same answer [B13]
            return []
        if is_repeated and message_id in self._pending:
            return []  # its answer is on the way
        if not is_known(self.ocpp, action):
            self._error(message_id, "NotImplemented", f"action {action[:50]!r} is unknown")
            return [Fault(detail=f"unknown action {action[:50]!r}")]
        found = self._checked(action, payload, is_request=True)
        if found.breach is not None:
            self.faults += 1
            self._error(message_id, found.breach.code, found.breach.detail)
            return [Fault(detail=found.breach.detail)]
        self._pending.add(message_id)
        self._asked[message_id] = question
        self._actions[message_id] = action
        while len(self._actions) > ANSWERS_KEPT:
            self._actions.popitem(last=False)
        return [Incoming(id=message_id, action=action, payload=found.payload, notes=found.notes)]

    def _checked(self, action: str, payload: Json, *, is_request: bool) -> Checked:
        return checked(self.ocpp, action, payload, is_request=is_request, is_lenient=self.is_lenient)

    def _send_in(self, frame: list[Any]) -> list[Result]:
        """A message that wants no answer, not even an error; it gets an id of ours, so that none can be sent [0-19]."""
        if len(frame) != 4 or not isinstance(frame[2], str) or not isinstance(frame[3], dict):
            self.faults += 1
            return [Fault(detail="malformed SEND")]
        action, payload = frame[2], frame[3]
        found = self._checked(action, payload, is_request=True)
        if found.breach is not None or action not in UNCONFIRMED:
            self.faults += 1
            detail = found.breach.detail if found.breach is not None else f"{action} must be sent as a CALL"
            return [Fault(detail=f"SEND: {detail}")]
        own_id = str(uuid.uuid4())
        self._unanswered.add(own_id)
        return [Incoming(id=own_id, action=action, payload=found.payload, notes=found.notes)]

    def _dispute_in(self, frame: list[Any]) -> list[Result]:
        """The station did not take an answer of ours: ours was valid by the schema, so it is told to people only."""
        self.disputed_answers += 1
        action = self._actions.get(frame[1], "")
        code = str(frame[2])[:50]
        detail = str(frame[3])[:200] if len(frame) > 3 else ""
        log.warning("answer disputed", extra={"action": action, "about": frame[1], "code": code, "detail": detail})
        return [Disputed(id=frame[1], action=action, code=code, detail=detail)]

    def reply(self, message_id: str, action: str, payload: Json) -> None:
        """Answer a CALL. An answer of ours that breaks the schema becomes an InternalError, never a wrong frame."""
        if message_id in self._unanswered:
            self._unanswered.discard(message_id)
            return
        found = breach(self.ocpp, action, payload, is_request=False)
        if found is not None:
            self.refuse(message_id, "InternalError", "the central system made an invalid answer")
            raise ValueError(f"our answer to {action} is invalid: {found.detail}")
        self._remember(message_id, self._push([CALLRESULT, message_id, payload]))

    def refuse(self, message_id: str, code: str, detail: str) -> None:
        """Answer a CALL with an error."""
        if message_id in self._unanswered:
            self._unanswered.discard(message_id)
            return
        self._remember(message_id, self._push([CALLERROR, message_id, spelt(code, self.ocpp), detail[:255], {}]))

    def _remember(self, message_id: str, text: str) -> None:
        self._pending.discard(message_id)
        self._answers[message_id] = text
        while len(self._answers) > ANSWERS_KEPT:
            self._asked.pop(self._answers.popitem(last=False)[0], None)

    # -- our calls -------------------------------------------------------------------------------------------------

    def call(self, action: str, payload: Json, tag: Any, now_s: float, *, urgent: bool = False) -> None:
        """Queue a CALL; an ``urgent`` one goes before every other that is not sent yet, but behind urgent ones.

        Raises ``ValueError`` when the payload breaks the schema: that is a bug of ours and nothing is sent.
        """
        found = breach(self.ocpp, action, payload, is_request=True)
        if found is not None:
            raise ValueError(f"our {action} is invalid: {found.detail}")
        made = _Call(id=str(uuid.uuid4()), action=action, payload=payload, tag=tag, urgent=urgent)
        place = len(self._queue)
        while urgent and place > 0 and not self._queue[place - 1].urgent:
            place -= 1
        self._queue.insert(place, made)
        self._send_next(now_s)

    def drop_queued(self, is_superseded: Any) -> list[Any]:
        """Remove unsent calls whose tag ``is_superseded`` accepts; returns their tags."""
        dropped = [c.tag for c in self._queue if is_superseded(c.tag)]
        self._queue = deque(c for c in self._queue if not is_superseded(c.tag))
        return dropped

    @property
    def n_queued(self) -> int:
        """Calls that wait or are unanswered."""
        return len(self._queue) + (self._open is not None)

    def _send_next(self, now_s: float) -> None:
        if self._open is not None or not self._queue:
            return
        self._open = self._queue.popleft()
        self._open.deadline_s = now_s + self.timeout_s
        self._push([CALL, self._open.id, self._open.action, self._open.payload])

    def _answer_in(self, frame: list[Any], now_s: float) -> list[Result]:
        message_id = frame[1]
        is_late = False
        if self._open is not None and self._open.id == message_id:
            made = self._open
            self._open = None
        elif message_id in self._late:
            made, _ = self._late.pop(message_id)
            is_late = True
        else:
            self.unknown_answers += 1  # an answer to a question nobody asked [B20, G-49]
            return [Fault(detail="answer to an unknown message id")] if frame[0] == CALLRESULT else []
        result = self._judge(made, frame, is_late=is_late)
        self._send_next(now_s)
        return [result]

    def _judge(self, made: _Call, frame: list[Any], *, is_late: bool) -> Result:
        if frame[0] == CALLERROR:
            code = str(frame[2])[:50] if len(frame) > 2 else ""
            detail = str(frame[3])[:200] if len(frame) > 3 else ""
            return Failed(tag=made.tag, action=made.action, code=code or "GenericError", detail=detail)
        payload = frame[2]
        if not isinstance(payload, dict):
            return Failed(tag=made.tag, action=made.action, code="InvalidAnswer", detail="payload is no object")
        found = self._checked(made.action, payload, is_request=False)
        if found.breach is not None:
            self.faults += 1
            return Failed(tag=made.tag, action=made.action, code="InvalidAnswer", detail=found.breach.detail)
        return Answered(tag=made.tag, action=made.action, payload=found.payload, is_late=is_late, notes=found.notes)

    # -- time ------------------------------------------------------------------------------------------------------

    @property
    def deadline_s(self) -> float | None:
        """When ``expire`` has something to do."""
        return self._open.deadline_s if self._open is not None else None

    def expire(self, now_s: float) -> list[Result]:
        """Give up a call whose time is over; its answer is still recognised for ten minutes [0-6]."""
        while self._late and next(iter(self._late.values()))[1] + LATE_S < now_s:
            self._late.popitem(last=False)
        made = self._open
        if made is None or now_s < made.deadline_s:
            return []
        self._open = None
        self._late[made.id] = (made, now_s)
        self._send_next(now_s)
        return [Failed(tag=made.tag, action=made.action, code="Timeout", detail=f"no answer in {self.timeout_s:.0f} s")]

    def close(self) -> list[Result]:
        """The connection is gone: every call that is unanswered or unsent fails [A03]."""
        open_calls = ([self._open] if self._open is not None else []) + list(self._queue)
        self._open = None
        self._queue.clear()
        return [Failed(tag=c.tag, action=c.action, code="Closed", detail="connection lost") for c in open_calls]


def _digest(action: str, payload: Json) -> bytes:
    """A short form of a question, whatever numbers and characters it holds."""
    return hashlib.blake2b(repr((action, payload)).encode(errors="surrogatepass"), digest_size=16).digest()
