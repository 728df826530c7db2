"""Requests of grid operators: put into force as a whole or not at all, listed, withdrawn (domain rule B.1).

The HTTP API and a CSMS use the same class. Limits outlive a restart, because the store keeps them; single-EVSE limits
and the service's knowledge of DER controls do not: whoever sent such a request must send it again.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime

from loadmgr.control import grid_requests, v2x
from loadmgr.control.grid_requests import Response
from loadmgr.domain import events as ev
from loadmgr.domain.commands import ClearDer, Command, ReadDer, SetDer
from loadmgr.domain.der import DerControl
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import EvseId, LimitId, NodeId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.errors import NotFoundError, SiteModelError
from loadmgr.runtime import LoadManager
from loadmgr.subscription import Subscription

log = logging.getLogger(__name__)

PREFIX = "grid-"
"""Begins the id of every limit and the source of every single-EVSE limit that a request made."""
ANSWER_S = 120.0
"""A station that has not answered for this long gets no more attention."""
DEFAULT_ONLY = ("EnterService", "Gradients")
"""Control types without a time [B-1]."""

_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._:-]{0,35}")
_AT_EVSE = (GridRequestKind.LOAD, GridRequestKind.GENERATION)
_ONLY_CONTROLS = (GridRequestKind.GENERATION, GridRequestKind.CONTROL)
"""Nothing of ours holds these: a station that cannot be told is a part that is not possible [B-7]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HeldControl:
    """A DER control of a request at one station. ``status``: ``asked``, ``held``, ``superseded``, ``refused`` or
    ``not-connected``; ``detail`` is the station's own word.
    """

    station: StationId
    control: DerControl
    status: str
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A request and what it came to. ``request`` is ``None`` for one of before the restart, known by its limits.

    ``without`` names bidirectional stations that do not know the control: only our limit bounds them.
    """

    id: str
    request: GridRequest | None = None
    asked_at: datetime | None = None
    actor: str = ""
    limits: tuple[Limit, ...] = ()
    evse_limits: tuple[ev.ExternalLimitSet, ...] = ()
    controls: tuple[HeldControl, ...] = ()
    without: tuple[StationId, ...] = ()


@dataclass(slots=True, kw_only=True)
class _Asked:
    request: GridRequest
    response: Response
    at: datetime
    actor: str
    answers: dict[StationId, tuple[str, str]] = field(default_factory=dict)


class GridService:
    """See the module. One per manager; a second one sees the limits of the first, not its controls."""

    def __init__(self, manager: LoadManager) -> None:
        self._manager = manager
        self._asked: dict[str, _Asked] = {}
        self._numbers = itertools.count(1)
        self._followers: set[asyncio.Task[None]] = set()

    # -- ask -------------------------------------------------------------------------------------------------------

    async def ask(self, request: GridRequest, *, actor: str) -> Held:
        """Put a request into force at once; it replaces the one with the same id. Limits are on disk on return.

        Raises ``SiteModelError`` when any part of it is not possible; then nothing was changed.
        """
        manager, now = self._manager, self._manager.now()
        request = _checked(request, now)
        response = grid_requests.respond(manager.state, request, now)
        self._must_reach(request, response)
        before = self._parts(request.id)
        asked = _Asked(request=request, response=response, at=now, actor=actor)
        self._asked[request.id] = asked
        manager.take(
            *(ev.LimitSet(at=now, limit=limit, actor=actor) for limit in response.limits),
            *response.events,
            *_leftovers(before, response, now, actor),
        )
        kept = {(station, control.is_default) for station, control in response.controls}
        old = [c for c in before.controls if (c.station, c.control.is_default) not in kept]
        self._send([*self._clearing(old), *self._setting(asked)], request.id)
        await manager.durable()
        return self._held(request.id)

    def _must_reach(self, request: GridRequest, response: Response) -> None:
        if request.kind not in _ONLY_CONTROLS:
            return
        silent = [s for s, _ in response.controls if not self._is_linked(s)]
        if silent:
            raise SiteModelError(
                f"grid request {request.id!r} ({request.kind}): no link to {', '.join(silent)}, which must be told;"
                " send it again when they are connected, or ask for single EVSEs"
            )

    def _setting(self, asked: _Asked) -> Iterator[Command]:
        """Set each control, then ask the station how all of its type stand to each other now [B-2, B-3]."""
        for station, control in asked.response.controls:
            if not self._is_linked(station):
                asked.answers[station] = ("not-connected", "send the request again when the station is connected")
                continue
            asked.answers[station] = ("asked", "")
            yield SetDer(no=next(self._numbers), station=station, control=control)
            yield ReadDer(no=next(self._numbers), station=station, control_type=control.control_type)

    def _clearing(self, controls: list[HeldControl]) -> Iterator[Command]:
        for held in controls:
            if self._is_linked(held.station):
                control = held.control
                no = next(self._numbers)
                yield ClearDer(no=no, station=held.station, is_default=control.is_default, control_id=control.id)

    # -- what stands -----------------------------------------------------------------------------------------------

    def held(self) -> tuple[Held, ...]:
        """Requests whose time is not over, in the order in which they were made; those of before a restart first."""
        now, state = self._manager.now(), self._manager.state
        for name in [n for n, a in self._asked.items() if _is_over(a.request.until_at, now)]:
            del self._asked[name]
        named = [x.id.removeprefix(PREFIX) for x in state.limits.values() if x.id.startswith(PREFIX)]
        named += [x.source.removeprefix(PREFIX) for x in state.chargers.externals.values() if x.source.startswith(PREFIX)]
        found = [self._held(name) for name in dict.fromkeys([*(n for n in named if n not in self._asked), *self._asked])]
        return tuple(h for h in found if h.limits or h.evse_limits or h.controls or h.request is not None)

    def find(self, request: str) -> Held:
        """One request. Raises ``NotFoundError`` when nothing of it stands."""
        for held in self.held():
            if held.id == request:
                return held
        raise NotFoundError("grid request", request, "it may be over or withdrawn; GET /api/v1/grid-requests lists them")

    def _held(self, request: str) -> Held:
        parts, asked = self._parts(request), self._asked.get(request)
        if asked is None:
            return parts
        return replace(parts, request=asked.request, asked_at=asked.at, actor=asked.actor, without=asked.response.without)

    def _parts(self, request: str) -> Held:
        """What stands of a request by the state, whoever made it; what is over is left out."""
        state, now = self._manager.state, self._manager.now()
        name = f"{PREFIX}{request}"
        limit = state.limits.get(LimitId(name))
        externals = (x for x in state.chargers.externals.values() if x.source == name and not _is_over(x.until_at, now))
        return Held(
            id=request,
            limits=(limit,) if limit is not None and not _is_over(limit.until_at, now) else (),
            evse_limits=tuple(externals),
            controls=tuple(self._controls(request)),
        )

    def _controls(self, request: str) -> Iterator[HeldControl]:
        asked = self._asked.get(request)
        stored = {s: x for (s, control_id), x in self._manager.state.chargers.der.items() if control_id == request}
        for station, control in asked.response.controls if asked is not None else ():
            status, detail = asked.answers.get(station, ("asked", "")) if asked is not None else ("", "")
            known = stored.pop(station, None)
            if known is not None:
                status = "superseded" if known.is_superseded else "held"
            yield HeldControl(station=station, control=control, status=status, detail=detail)
        for station, known in stored.items():
            yield HeldControl(station=station, control=known.control, status="superseded" if known.is_superseded else "held")

    # -- withdraw --------------------------------------------------------------------------------------------------

    async def withdraw(self, request: str, *, actor: str) -> tuple[StationId, ...]:
        """Withdraw everything that a request came to; returns the stations without a link, which keep its controls.

        Raises ``NotFoundError`` when nothing of it stands.
        """
        manager, now = self._manager, self._manager.now()
        held = self.find(request)
        controls = [*held.controls, *(self._forgotten(held) if held.request is None else ())]
        self._asked.pop(request, None)
        manager.take(*_leftovers(held, Response(), now, actor))
        self._send(list(self._clearing(controls)), request)
        await manager.durable()
        silent = (c.station for c in controls if c.status != "not-connected" and not self._is_linked(c.station))
        return tuple(dict.fromkeys(silent))

    def _is_linked(self, station: StationId) -> bool:
        return self._manager.state.stations[station].is_connected

    def _forgotten(self, held: Held) -> Iterator[HeldControl]:
        """Controls that a bound of delivery from before a restart may have left in stations that can hold them.

        A station without it answers that it does not know it, which harms nothing [B-6].
        """
        state = self._manager.state
        told = {c.station for c in held.controls}
        for limit in held.limits:
            if limit.discharge_kw is None:
                continue
            control = DerControl(id=held.id, control_type=v2x.LIMIT_DISCHARGE, is_default=limit.from_at is None)
            for station in _bidirectional(self._manager, limit.node):
                if state.stations[station].ocpp == v2x.SPEAKS and station not in told:
                    yield HeldControl(station=station, control=control, status="asked")

    # -- answers ---------------------------------------------------------------------------------------------------

    def _send(self, commands: list[Command], request: str) -> None:
        """Send commands and follow their answers for a while."""
        awaited = {c.no: c for c in commands if isinstance(c, SetDer | ClearDer)}
        if awaited:
            listening = contextlib.ExitStack()
            events = listening.enter_context(self._manager.subscribe(maxsize=10_000))  # before the first answer
            following = self._follow(awaited, request, events)
            task = asyncio.get_running_loop().create_task(following, name=f"{PREFIX}{request}")
            self._followers.add(task)
            task.add_done_callback(self._followers.discard)
            task.add_done_callback(lambda _: listening.close())
        for command in commands:
            self._manager.command(command)

    async def _follow(self, awaited: dict[int, SetDer | ClearDer], request: str, events: Subscription) -> None:
        try:
            async with asyncio.timeout(ANSWER_S):
                async for event in events:
                    if isinstance(event, ev.CommandAnswered) and event.command in {"SetDer", "ClearDer"}:
                        command = awaited.get(event.no)
                        if command is not None and command.station == event.station:
                            del awaited[event.no]
                            self._answered(command, event, request)
                    if not awaited:
                        return
        except TimeoutError:
            for command in awaited.values():
                log.warning("no answer", extra={"station": command.station, "command": type(command).__name__})
                if isinstance(command, SetDer):
                    self._note(request, command.station, "asked", f"no answer within {ANSWER_S:.0f} s")

    def _answered(self, command: SetDer | ClearDer, event: ev.CommandAnswered, request: str) -> None:
        """Keep the mirror of what stations hold [B-3]."""
        now, station = self._manager.now(), event.station
        match command:
            case SetDer() if event.accepted:
                self._note(request, station, "held", event.detail)
                stored = self._manager.state.chargers.der.get((station, command.control.id))
                if stored is None or stored.control != command.control:
                    self._manager.take(ev.DerControlStored(at=now, station=station, control=command.control))
            case SetDer():
                self._note(request, station, "refused", event.detail)
            case ClearDer() if event.accepted or "NotFound" in event.detail:
                cleared = ev.DerControlChanged(at=now, station=station, control_id=command.control_id, change="cleared")
                self._manager.take(cleared)
            case ClearDer():
                log.warning("not cleared", extra={"station": station, "control": command.control_id, "detail": event.detail})

    def _note(self, request: str, station: StationId, status: str, detail: str) -> None:
        asked = self._asked.get(request)
        if asked is not None and station in asked.answers:
            asked.answers[station] = (status, detail)


def _checked(request: GridRequest, now: datetime) -> GridRequest:
    """The request with its begin filled in where it only has an end. Raises ``SiteModelError`` for contradictions."""
    where = f"grid request {request.id!r} ({request.kind})"
    kind, control = request.kind, request.control
    if not _ID.fullmatch(request.id):
        raise SiteModelError(f"{where}: an id has at most 36 letters, digits, '.', '_', ':' and '-'")
    needless = [name for name, is_set in _needless(request) if is_set]
    if needless:
        raise SiteModelError(f"{where}: {', '.join(needless)} means nothing here; leave it out")
    if request.until_at is not None and request.until_at <= now:
        raise SiteModelError(f"{where}: it ended at {request.until_at:%Y-%m-%dT%H:%M:%SZ}, which is past")
    if kind is GridRequestKind.LOAD and request.from_at is not None and request.from_at > now:
        raise SiteModelError(f"{where}: it takes effect at once; send it when it begins, without from_at")
    if request.until_at is not None and request.from_at is None:
        request = replace(request, from_at=now)  # a control without a begin would never end [B-1]
    if control is not None:
        if control.control_type in DEFAULT_ONLY and request.from_at is not None:
            raise SiteModelError(f"{where}: {control.control_type} has no time [B-1]; leave from_at and until_at out")
        request = replace(request, control=_timed(request, control))
    return request


def _needless(request: GridRequest) -> Iterator[tuple[str, bool]]:
    kind = request.kind
    at_evse = kind in _AT_EVSE
    without_value = kind in {GridRequestKind.CEASE, GridRequestKind.CONTROL}
    control = request.control
    yield "value", without_value and request.value is not None
    yield "control", kind is not GridRequestKind.CONTROL and control is not None
    yield "evse", not at_evse and kind is not GridRequestKind.CONTROL and request.evse is not None
    yield "node", at_evse and request.node is not None
    yield "control.id", control is not None and control.id not in {"", request.id}
    yield "control.from_at", control is not None and (control.from_at is not None or control.duration_s is not None)


def _timed(request: GridRequest, control: DerControl) -> DerControl:
    """The control under the id and with the times of its request: without times it is a default one [B-1]."""
    duration_s = None
    if request.from_at is not None and request.until_at is not None:
        duration_s = (request.until_at - request.from_at).total_seconds()
    is_default = request.from_at is None
    return replace(control, id=request.id, is_default=is_default, from_at=request.from_at, duration_s=duration_s)


def _leftovers(before: Held, response: Response, now: datetime, actor: str) -> Iterator[ev.Event]:
    """Events that take back what stood before and the response does not have."""
    kept = {limit.id for limit in response.limits}
    for limit in before.limits:
        if limit.id not in kept:
            yield ev.LimitWithdrawn(at=now, limit=limit.id, actor=actor)
    imposed = {(e.station, e.evse) for e in response.events}
    for told in before.evse_limits:
        if (told.station, told.evse) not in imposed:
            yield ev.ExternalLimitCleared(at=now, station=told.station, source=told.source, evse=told.evse)


def _bidirectional(manager: LoadManager, node: NodeId) -> tuple[StationId, ...]:
    evses = manager.site.evses
    below: list[EvseId] = [e for e in manager.site.below[node] if evses[e].caps.discharge_max_kw > 0.0]
    return tuple(dict.fromkeys(evses[e].station for e in below))


def _is_over(until_at: datetime | None, now: datetime) -> bool:
    return until_at is not None and now >= until_at
