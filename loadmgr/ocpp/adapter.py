"""Handlers that were written for the ``ocpp`` package, on our transport and codec: ``@on`` and ``@after`` as they are.

``mounted(MyChargePoint, "cp-1")`` is what an ``Admission`` begins. The class keeps its own life: ``self.id``,
``self.call(...)``, handlers that are functions or coroutines, ``call_unique_id``, ``skip_schema_validation``, and methods
of the package that it overrides. What changes is what lies below (``docs/howto/mount-ocpp-handlers.md``):

* a slow handler keeps nobody waiting, neither the station's next message nor an answer to ``self.call``;
* ``self.call`` inside an ``@on`` handler works [0-15]; a cancelled one does not let a second CALL out [0-5];
* malformed frames, unknown actions and the message types of 2.1 get the answer that the standard wants [0-19];
* a handler that returns ``None`` or raises costs its station an InternalError, not the link.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import Awaitable, Callable, Coroutine, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Protocol, cast

from ocpp import charge_point as package
from ocpp.exceptions import FormatViolationError, OCPPError
from ocpp.messages import CallError

from loadmgr.ocpp.connection import FAULT_COSTS
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.session import Answered, Failed, Fault, Incoming, Result, Session
from loadmgr.ocpp.transport.contract import Conversation, Line

log = logging.getLogger(__name__)

FAULTS_MAX = 60
"""Breaches of protocol on one link before it is closed; an hour without one forgives them."""
POLICY = 1008
NAMES_KEPT = 20_000
_NO_ANSWER = frozenset({"Timeout", "Closed"})


class ChargePoint(Protocol):
    """An instance of a class of the ``ocpp`` package, as far as it is used here."""

    route_map: dict[str, dict[str, Any]]
    _ocpp_version: str
    _response_timeout: float
    _call_result: Any


class MountError(TypeError):
    """A class that cannot be mounted, and why."""


def mounted(kind: type[Any], station: str, *given: Any, **options: Any) -> Callable[[Line], Conversation]:
    """The conversation with an instance ``kind(station, connection, *given, **options)`` of an ``ocpp`` class.

    ``connection`` has ``send``, ``close`` and ``remote_address``, as that of ``websockets`` has. Raises ``MountError``
    for a class that is none of ``ocpp.v16``, ``ocpp.v201`` and ``ocpp.v21``.
    """
    made = _mountable(cast(Hashable, kind))
    return lambda line: _Mounted(line, made, (station, given, options))


@cache
def _mountable(kind: Any) -> type[Any]:
    """The class with what is below its handlers replaced; what it overrides itself stays above that."""
    if not (isinstance(kind, type) and issubclass(kind, package.ChargePoint)) or not hasattr(kind, "_ocpp_version"):
        raise MountError(f"{kind!r} is no subclass of ocpp.v16.ChargePoint, ocpp.v201.ChargePoint or ocpp.v21.ChargePoint")
    return type(kind.__name__, (kind, _Below), {"__module__": kind.__module__, "__doc__": kind.__doc__})


class _Below(package.ChargePoint):  # type: ignore[misc]  # the package has no types
    """What replaces the package's own ``ChargePoint`` below a mounted class."""

    _mount: _Mounted

    async def start(self) -> None:
        """Until the link ends; messages come by themselves."""
        await self._mount.over.wait()

    async def route_message(self, raw_msg: str) -> None:
        """Handle one message, as the package's does; a class that overrides this sees every message."""
        self._mount.receive(raw_msg)

    async def call(
        self, payload: Any, suppress: bool = True, unique_id: str | None = None, skip_schema_validation: bool = False
    ) -> Any:
        """Send a CALL and return its result, as the package's does."""
        return await self._mount.call(
            payload, is_suppressing=suppress, message_id=unique_id, is_checked=not skip_schema_validation
        )


@dataclass(frozen=True, slots=True)
class _Route:
    """One action's handlers and whether they want the message id."""

    on: Callable[..., Any] | None
    on_wants_id: bool
    after: Callable[..., Any] | None
    after_wants_id: bool

    @classmethod
    def of(cls, handlers: dict[str, Any]) -> _Route:
        on, after = handlers.get("_on_action"), handlers.get("_after_action")
        return cls(on, _wants_id(on), after, _wants_id(after))


def _wants_id(handler: Callable[..., Any] | None) -> bool:
    return handler is not None and "call_unique_id" in inspect.signature(handler).parameters


class _Socket:
    """What handlers may do with their connection."""

    def __init__(self, line: Line, session: Session) -> None:
        self._line = line
        self.subprotocol = f"ocpp{session.ocpp}"
        self.remote_address = (line.address, 0)

    async def send(self, text: str) -> None:
        """Send one frame."""
        self._line.send(text)

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """End the link."""
        self._line.close(code, reason)


class _Mounted:
    """The conversation of one link with one instance."""

    def __init__(self, line: Line, kind: type[Any], made_of: tuple[str, tuple[Any, ...], dict[str, Any]]) -> None:
        station, given, options = made_of
        self._loop = asyncio.get_running_loop()
        self._line = line
        self._session = Session(kind._ocpp_version, is_lenient=False)
        self._tasks: set[asyncio.Task[Any]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._n_faults = 0
        self.over = asyncio.Event()
        self._it: Any = kind(station, _Socket(line, self._session), *given, **options)
        self._it._mount = self
        self._session.timeout_s = float(self._it._response_timeout)
        routes = cast(dict[Any, dict[str, Any]], self._it.route_map)
        self._routes = {str(getattr(action, "value", action)): _Route.of(h) for action, h in routes.items()}
        unchecked = [a for a, h in routes.items() if h.get("_skip_schema_validation")]
        self._session.unchecked = frozenset(str(getattr(action, "value", action)) for action in unchecked)
        self._sees_all = kind.route_message is not _Below.route_message
        self._inbox: asyncio.Queue[str] | None = None
        if self._sees_all:
            self._inbox = asyncio.Queue()
            self._run(self._route())

    # -- Conversation ----------------------------------------------------------------------------------------------

    def on_text(self, text: str, /) -> None:
        """See ``Conversation``."""
        if self._inbox is None:
            self.receive(text)
        else:
            self._inbox.put_nowait(text)

    def on_binary(self, size_bytes: int, /) -> None:
        """OCPP-J is text [B03]."""
        self._fault(f"binary message of {size_bytes} bytes")

    def on_lost(self, reason: str, /) -> None:
        """See ``Conversation``; calls that are open fail, handlers that still run are cancelled."""
        log.info("link lost", extra={"station": self._it.id, "reason": reason})
        self._results(self._session.close())
        if self._timer is not None:
            self._timer.cancel()
        for task in self._tasks:
            task.cancel()
        self.over.set()

    async def _route(self) -> None:
        assert self._inbox is not None  # this runs only with one  # noqa: S101
        while True:
            await self._it.route_message(await self._inbox.get())

    # -- messages --------------------------------------------------------------------------------------------------

    def receive(self, text: str) -> None:
        """Handle one message."""
        self._results(self._session.receive(text, self._loop.time()))
        self._push()

    def _results(self, results: list[Result]) -> None:
        for result in results:
            if isinstance(result, Incoming):
                self._called(result)
            elif isinstance(result, Answered | Failed):
                if not result.tag.done():
                    result.tag.set_result(result)
            elif isinstance(result, Fault):
                self._fault(result.detail)

    def _fault(self, detail: str) -> None:
        log.warning("fault", extra={"station": self._it.id, "detail": detail})
        self._n_faults += 1
        self._line.charge(FAULT_COSTS)
        if self._n_faults > FAULTS_MAX:
            self._line.close(POLICY, "too many malformed messages")

    def _called(self, call: Incoming) -> None:
        route = self._routes.get(call.action)
        if route is None or route.on is None:
            self._session.refuse(call.id, "NotImplemented", f"no handler for {call.action}")
            return
        arguments = snake(call.payload)
        with self._guarded(call):
            answer = route.on(**arguments, call_unique_id=call.id) if route.on_wants_id else route.on(**arguments)
            if inspect.isawaitable(answer):
                self._run(self._answer_later(call, route, arguments, answer))
            else:
                self._answered(call, route, arguments, answer)

    async def _answer_later(self, call: Incoming, route: _Route, arguments: Json, answer: Awaitable[Any]) -> None:
        with self._guarded(call):
            self._answered(call, route, arguments, await answer)
        self._push()

    @contextmanager
    def _guarded(self, call: Incoming, *, is_answered: bool = False) -> Iterator[None]:
        """A handler is somebody else's code: whatever it raises costs an error answer, and not the link."""
        try:
            yield
        except Exception as error:
            log.exception("handler failed", extra={"station": self._it.id, "action": call.action})
            if is_answered:
                return
            code = error.code if isinstance(error, OCPPError) else "InternalError"
            detail = str(error.description) if isinstance(error, OCPPError) else "an unexpected error occurred"
            self._session.refuse(call.id, code, detail)

    def _answered(self, call: Incoming, route: _Route, arguments: Json, answer: Any) -> None:
        try:
            self._session.reply(call.id, call.action, camel(answer))
        except ValueError as error:  # the session has said InternalError
            log.error("handler gave no valid answer", extra={"action": call.action, "reason": str(error)})
            return
        if route.after is None:
            return
        self._push()
        extra = {"call_unique_id": call.id} if route.after_wants_id else {}
        with self._guarded(call, is_answered=True):
            more = route.after(**arguments, **extra)
            if inspect.isawaitable(more):
                self._run(self._after(call, more))

    async def _after(self, call: Incoming, more: Awaitable[Any]) -> None:
        with self._guarded(call, is_answered=True):
            await more

    # -- calls of ours ---------------------------------------------------------------------------------------------

    async def call(self, payload: Any, *, is_suppressing: bool, message_id: str | None, is_checked: bool) -> Any:
        """See ``_Below.call``."""
        action = type(payload).__name__
        done: asyncio.Future[Answered | Failed] = self._loop.create_future()
        if self.over.is_set():
            raise ConnectionError(f"{action}: the link of {self._it.id} has ended")
        try:
            self._session.call(action, camel(payload), done, self._loop.time(), message_id=message_id, is_checked=is_checked)
        except ValueError as error:
            raise FormatViolationError(description=str(error)) from None
        self._push()
        result = await done
        if isinstance(result, Answered):
            return getattr(self._it._call_result, action)(**snake(result.payload))
        if result.code in _NO_ANSWER:
            raise _no_answer(result)
        if result.code == "InvalidAnswer":
            raise FormatViolationError(description=result.detail)
        log.warning("answered with an error", extra={"action": action, "code": result.code, "detail": result.detail})
        if is_suppressing:
            return None
        raise CallError(message_id or "-1", result.code, result.detail, {}).to_exception()

    def _push(self) -> None:
        for frame in self._session.take_frames():
            self._line.send(frame)
        deadline_s = self._session.deadline_s
        if deadline_s is not None and self._timer is None:
            self._timer = self._loop.call_at(deadline_s, self._expire)

    def _expire(self) -> None:
        self._timer = None
        self._results(self._session.expire(self._loop.time()))
        self._push()

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


def _no_answer(result: Failed) -> Exception:
    if result.code == "Timeout":
        return TimeoutError(f"{result.action}: {result.detail}")
    return ConnectionError(f"{result.action}: {result.detail}")


# -- names ---------------------------------------------------------------------------------------------------------


def snake(data: Any) -> Any:
    """Keys in snake_case, as the ``ocpp`` package writes them."""
    if isinstance(data, dict):
        return {_snake(key): snake(value) if isinstance(value, dict | list) else value for key, value in data.items()}
    if isinstance(data, list):
        return [snake(value) for value in data]
    return data


def camel(answer: Any) -> Json:
    """The payload of a dataclass of the package, without what is ``None``. Raises ``TypeError`` for anything else."""
    if not hasattr(answer, "__dataclass_fields__") or isinstance(answer, type):
        raise TypeError(f"{type(answer).__name__} is no dataclass of the ocpp package")
    return cast(Json, _camel(answer))


def _camel(data: Any) -> Any:
    if isinstance(data, str | int | float):
        return data
    if isinstance(data, dict):
        return {_camel_key(key): _camel(value) for key, value in data.items() if value is not None}
    if isinstance(data, list | tuple):
        return [_camel(value) for value in data if value is not None]
    fields = getattr(data, "__dataclass_fields__", None)
    if fields is None:
        return data
    found = ((name, getattr(data, name)) for name in fields)
    return {_camel_key(name): _camel(value) for name, value in found if value is not None}


@lru_cache(maxsize=NAMES_KEPT)
def _snake(key: str) -> str:
    return str(next(iter(package.camel_to_snake_case({key: None}))))


@lru_cache(maxsize=NAMES_KEPT)
def _camel_key(key: str) -> str:
    return str(next(iter(package.snake_to_camel_case({key: None}))))
