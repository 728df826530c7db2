"""The OCPP-J request/response state machine of one connection, without a socket, a clock or an event loop.

Frames in as text, results out as values; frames to send are collected in ``take_frames``. One CALL of ours is
outstanding at a time [0-5]; answers to the station may be given at any later moment. 2.1 adds two message types: an
objection to an answer (CALLRESULTERROR) and a message without one (SEND).

A central system that keeps its own sockets needs nothing else of this package. It makes a ``Session`` for each connection,
then, with a time in seconds that never goes back:

* for each text message: ``receive``, and for each ``Incoming`` of its results ``reply``, ``refuse`` or ``forget``;
* for each command: ``call``; its outcome comes later, from any method, as ``Answered`` or ``Failed`` with the ``tag`` given;
* at ``deadline_s``, or every second: ``expire``; at the end: ``close``;
* after each of these: send what ``take_frames`` hands out, in that order.

Every payload that comes out of a session, and every one that leaves by it, is valid by the schema of its version, but for
what is ``unchecked``. Everything that a station can make a session keep is bounded.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from typing import Any

import msgspec
import orjson

from loadmgr.ocpp.schemas import UNCONFIRMED, Breach, Checked, Json, breach, checked, is_known, spelt
from loadmgr.ocpp.typed import Codec, codec
from loadmgr.ocpp.wire import ID_MAX, WireError, new_id, parsed, readable_id

log = logging.getLogger(__name__)

CALL, CALLRESULT, CALLERROR, CALLRESULTERROR, SEND = 2, 3, 4, 5, 6
SINCE_21 = frozenset({CALLRESULTERROR, SEND})
LATE_S = 600.0
LATE_KEPT = 32
ANSWERS_KEPT = 8
"""A station has one CALL open at a time [0-5], so what it repeats is its last one; the others are for objections."""
UNANSWERED_MAX = 64
_NOT_SENT = "no answer wanted: "
"""Ids of ours for a SEND begin so; they are longer than an id may be, so no station has one."""
_STRICT = orjson.OPT_PASSTHROUGH_DATETIME | orjson.OPT_PASSTHROUGH_DATACLASS
"""A time of ours is written by ``timestamps.to_wire``, never by chance [0-2]."""


class Incoming(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A valid CALL of the station, to be answered with ``reply`` or ``refuse``; to a SEND these send nothing.

    ``notes``: what had to be done to make it valid.
    """

    id: str
    action: str
    payload: Json
    notes: tuple[str, ...] = ()


class Answered(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A CALL of ours was answered. ``is_late``: after its time-out [A04]."""

    tag: Any  # what the caller gave to ``call``
    action: str
    payload: Json
    is_late: bool = False
    notes: tuple[str, ...] = ()


class Failed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """A CALL of ours failed: ``code`` is the station's CALLERROR code, ``Timeout``, ``InvalidAnswer`` or ``Closed``."""

    tag: Any  # what the caller gave to ``call``
    action: str
    code: str
    detail: str = ""


class Fault(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """The station broke the protocol; counted, the connection may go on."""

    detail: str


class Disputed(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """2.1: the station could not take our answer to its ``action``; an empty one when nobody knows which [0-19]."""

    id: str
    action: str
    code: str
    detail: str = ""


Result = Incoming | Answered | Failed | Fault | Disputed
_Asked = tuple[int, str, str]
"""What is kept of a CALL of the station: a hash of its text, its action and our answer, which is empty until it is given."""


@dataclass(slots=True, kw_only=True)
class _Call:
    id: str
    action: str
    body: str
    tag: Any
    urgent: bool = False
    is_checked: bool = True
    deadline_s: float = 0.0


@dataclass(slots=True)
class Session:
    """State of one connection speaking OCPP ``ocpp`` (``1.6``, ``2.0.1`` or ``2.1``)."""

    ocpp: str
    timeout_s: float = 30.0
    is_lenient: bool = True
    """What breaks the schema is put into its form where that is possible [G-57 to G-60]."""
    unchecked: frozenset[str] = frozenset()
    """Actions of the station that pass with their answers whatever the schema says, for handlers that check them."""
    faults: int = 0
    unknown_answers: int = 0
    disputed_answers: int = 0
    _codec: Codec = field(init=False, repr=False)
    _frames: list[str] = field(default_factory=list)
    _queue: list[_Call] = field(default_factory=list)
    _open: _Call | None = None
    _late: dict[str, tuple[_Call, float]] = field(default_factory=dict)
    _asked: dict[str, _Asked] = field(default_factory=dict)
    """By id; a station may use an id again for another question [G-56]."""
    _n_unanswered: int = 0

    def __post_init__(self) -> None:
        self._codec = codec(self.ocpp)

    # -- frames ----------------------------------------------------------------------------------------------------

    def take_frames(self) -> list[str]:
        """Frames to send, in order; they are handed out once."""
        found, self._frames = self._frames, []
        return found

    def receive(self, text: str, now_s: float) -> list[Result]:
        """Handle one text frame. Never raises, whatever the station sends [B01, B06]."""
        call = self._codec.call(text)
        if call is not None:
            message_id, action, payload = call
            return self._taken(Incoming(id=message_id, action=action, payload=payload), hash(text))
        made = self._open
        if made is not None:
            answer = self._codec.answer(text, made.id, made.action)
            if answer is not None:
                self._open = None
                self._send_next(now_s)
                return [Answered(tag=made.tag, action=made.action, payload=answer)]
        return self._receive_slowly(text, now_s)

    def _receive_slowly(self, text: str, now_s: float) -> list[Result]:
        """Whatever is not an ordinary valid message, by the reference and with its error codes."""
        frame = self._parse(text)
        if isinstance(frame, Fault):
            self.faults += 1
            return [frame]
        if (kind := frame[0]) == CALL:
            return self._call_in(frame, hash(text))
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
            detail = str(error) if error.is_json else "not JSON"
            self._error("-1" if error.is_json else readable_id(text), "RpcFrameworkError", detail)
            return Fault(detail=detail if error.is_json else f"not JSON: {error}")

    def _error(self, message_id: str, code: str, detail: str) -> None:
        if self.ocpp == "1.6" and code == "RpcFrameworkError":
            code = "FormationViolation"
        self._push([CALLERROR, message_id, code, detail[:255], {}])

    def _push(self, frame: list[Any]) -> str:
        text = orjson.dumps(frame).decode()
        self._frames.append(text)
        return text

    # -- their calls -----------------------------------------------------------------------------------------------

    def _call_in(self, frame: list[Any], question: int) -> list[Result]:
        if len(frame) != 4 or not isinstance(frame[2], str) or not isinstance(frame[3], dict):
            self.faults += 1
            self._error(frame[1], spelt("FormatViolation", self.ocpp), "a CALL is [2, id, action, object]")
            return [Fault(detail="malformed CALL")]
        message_id, action, payload = frame[1], frame[2], frame[3]
        is_checked = action not in self.unchecked
        if is_checked and not is_known(self.ocpp, action):
            self._error(message_id, "NotImplemented", f"action {action[:50]!r} is unknown")
            return [Fault(detail=f"unknown action {action[:50]!r}")]
        found = self._checked(action, payload, is_request=True) if is_checked else Checked(payload=payload)
        if found.breach is not None:
            self.faults += 1
            self._error(message_id, found.breach.code, found.breach.detail)
            return [Fault(detail=found.breach.detail)]
        return self._taken(Incoming(id=message_id, action=action, payload=found.payload, notes=found.notes), question)

    def _taken(self, call: Incoming, question: int) -> list[Result]:
        """A valid CALL is handed on once: the same question gets the same answer [B13]."""
        known = self._asked.get(call.id)
        if known is not None and known[0] == question:
            if known[2]:
                self._frames.append(known[2])
            return []  # an answer that is not there yet is on the way
        if known is None or known[2]:
            if self._n_unanswered >= UNANSWERED_MAX:
                self.faults += 1
                self._error(call.id, "GenericError", f"{UNANSWERED_MAX} CALLs wait for an answer; send one at a time")
                return [Fault(detail=f"more than {UNANSWERED_MAX} CALLs without an answer")]
            self._n_unanswered += 1
        self._asked[call.id] = (question, call.action, "")
        return [call]

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
        return [Incoming(id=f"{_NOT_SENT}{new_id()}", action=action, payload=found.payload, notes=found.notes)]

    def _dispute_in(self, frame: list[Any]) -> list[Result]:
        """The station did not take an answer of ours: ours was valid by the schema, so it is told to people only."""
        self.disputed_answers += 1
        action, code = self._asked.get(frame[1], (0, "", ""))[1], str(frame[2])[:50]
        detail = str(frame[3])[:200] if len(frame) > 3 else ""
        log.warning("answer disputed", extra={"action": action, "about": frame[1], "code": code, "detail": detail})
        return [Disputed(id=frame[1], action=action, code=code, detail=detail)]

    def reply(self, message_id: str, action: str, payload: Json) -> None:
        """Answer a CALL. An answer of ours that breaks the schema becomes an InternalError, never a wrong frame."""
        if len(message_id) > ID_MAX:
            return
        body, found = self._written(action, payload, is_request=False, is_checked=action not in self.unchecked)
        if found is not None:
            self.refuse(message_id, "InternalError", "the central system made an invalid answer")
            raise ValueError(f"our answer to {action} is invalid: {found.detail}")
        text = f"[{CALLRESULT},{orjson.dumps(message_id).decode()},{body}]"
        self._frames.append(text)
        self._remember(message_id, action, text)

    def refuse(self, message_id: str, code: str, detail: str) -> None:
        """Answer a CALL with an error."""
        if len(message_id) <= ID_MAX:
            text = self._push([CALLERROR, message_id, spelt(code, self.ocpp), detail[:255], {}])
            self._remember(message_id, "", text)

    def forget(self, message_id: str) -> None:
        """A CALL that gets no answer at all: when the station asks again, it is new."""
        known = self._asked.pop(message_id, None)
        self._n_unanswered -= known is not None and not known[2]

    def _remember(self, message_id: str, action: str, text: str) -> None:
        """Keep an answer; of those that were given, the oldest goes."""
        asked = self._asked
        if (known := asked.pop(message_id, None)) is None:
            return
        self._n_unanswered -= not known[2]
        asked[message_id] = (known[0], known[1] or action, text)
        if len(asked) - self._n_unanswered > ANSWERS_KEPT:
            oldest = next(iter(asked))
            del asked[oldest if asked[oldest][2] else next(i for i, a in asked.items() if a[2])]

    def _written(self, action: str, payload: Json, *, is_request: bool, is_checked: bool) -> tuple[str, Breach | None]:
        """A payload of ours as it goes out, and what is wrong with it: judged is what the station will read."""
        try:
            body = orjson.dumps(payload, option=_STRICT)
        except TypeError as error:
            return "", Breach(code="FormatViolation", detail=f"{action}: cannot be written: {error}")
        if not is_checked or self._codec.takes(action, body, is_request=is_request):
            return body.decode(), None
        return body.decode(), breach(self.ocpp, action, orjson.loads(body), is_request=is_request)

    # -- our calls -------------------------------------------------------------------------------------------------

    def call(
        self,
        action: str,
        payload: Json,
        tag: Any,
        now_s: float,
        *,
        urgent: bool = False,
        message_id: str | None = None,
        is_checked: bool = True,
    ) -> None:
        """Queue a CALL; an ``urgent`` one goes before every other that is not sent yet, but behind urgent ones.

        Raises ``ValueError`` when the payload breaks the schema: that is a bug of ours and nothing is sent. One that is not
        ``is_checked`` is sent as it is, and its answer taken as it comes. A ``message_id`` of one's own has to be new.
        """
        body, found = self._written(action, payload, is_request=True, is_checked=is_checked)
        if found is not None:
            raise ValueError(f"our {action} is invalid: {found.detail}")
        if message_id is not None and not 0 < len(message_id) <= ID_MAX:
            raise ValueError(f"our {action}: the message id {message_id!r} must have 1 to {ID_MAX} characters")
        message_id = message_id or new_id()
        made = _Call(id=message_id, action=action, body=body, tag=tag, urgent=urgent, is_checked=is_checked)
        place = len(self._queue)
        while urgent and place > 0 and not self._queue[place - 1].urgent:
            place -= 1
        self._queue.insert(place, made)
        self._send_next(now_s)

    def drop_queued(self, is_superseded: Any) -> list[Any]:
        """Remove unsent calls whose tag ``is_superseded`` accepts; returns their tags."""
        dropped = [c.tag for c in self._queue if is_superseded(c.tag)]
        self._queue = [c for c in self._queue if not is_superseded(c.tag)]
        return dropped

    @property
    def n_queued(self) -> int:
        """Calls that wait or are unanswered."""
        return len(self._queue) + (self._open is not None)

    def _send_next(self, now_s: float) -> None:
        if self._open is not None or not self._queue:
            return
        made = self._open = self._queue.pop(0)
        made.deadline_s = now_s + self.timeout_s
        self._push([CALL, made.id, made.action, orjson.Fragment(made.body)])

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
        found = self._checked(made.action, payload, is_request=False) if made.is_checked else Checked(payload=payload)
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
            del self._late[next(iter(self._late))]
        made = self._open
        if made is None or now_s < made.deadline_s:
            return []
        self._open = None
        made.body = ""
        self._late[made.id] = (made, now_s)
        if len(self._late) > LATE_KEPT:
            del self._late[next(iter(self._late))]
        self._send_next(now_s)
        return [Failed(tag=made.tag, action=made.action, code="Timeout", detail=f"no answer in {self.timeout_s:.0f} s")]

    def close(self) -> list[Result]:
        """The connection is gone: every call that is unanswered or unsent fails [A03]."""
        open_calls = ([self._open] if self._open is not None else []) + list(self._queue)
        self._open = None
        self._queue.clear()
        return [Failed(tag=c.tag, action=c.action, code="Closed", detail="connection lost") for c in open_calls]
