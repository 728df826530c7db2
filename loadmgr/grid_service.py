"""Requests of grid operators: put into force as a whole or not at all, listed, withdrawn (domain rule B.1).

The HTTP API and a CSMS use the same class. Requests outlive a restart with all that they came to. Stations keep their
controls by themselves; one that connects is asked which it holds, and told those that it lacks.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Self

from loadmgr.control import grid_requests, v2x
from loadmgr.control.grid_requests import Response
from loadmgr.domain import events as ev
from loadmgr.domain.commands import ClearDer, Command, ReadDer, SetDer
from loadmgr.domain.der import DerControl
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import EvseId, LimitId, NodeId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.errors import NotFoundError, SiteModelError
from loadmgr.grid_checks import checked
from loadmgr.grid_returns import Returns
from loadmgr.ports import GridRecord, HeldControl
from loadmgr.runtime import LoadManager
from loadmgr.subscription import Subscription

__all__ = ("GridService", "Held", "HeldControl")

log = logging.getLogger(__name__)

PREFIX = "grid-"
"""Begins the id of every limit and the source of every single-EVSE limit that a request made."""
ANSWER_S = 120.0
"""A station that has not answered for this long gets no more attention."""
_ONLY_CONTROLS = (GridRequestKind.GENERATION, GridRequestKind.CONTROL)
"""Nothing of ours holds these: a station that cannot be told is a part that is not possible [B-7]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A request and what it came to. ``request`` is ``None`` for one that another service made, known by its limits.

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

    @classmethod
    def of(cls, record: GridRecord) -> Self:
        """As it was kept over a restart; its limits are in the state already."""
        controls = tuple((c.station, c.control) for c in record.controls)
        return cls(
            request=record.request,
            response=Response(controls=controls, without=record.without),
            at=record.asked_at,
            actor=record.actor,
            answers={c.station: (c.status, c.detail) for c in record.controls},
        )

    def record(self, ended_at: datetime | None = None) -> GridRecord:
        """What is kept of it over a restart."""
        controls = (
            HeldControl(station=station, control=control, status=self.answers[station][0], detail=self.answers[station][1])
            for station, control in self.response.controls
        )
        return GridRecord(
            request=self.request,
            asked_at=self.at,
            actor=self.actor,
            controls=tuple(controls),
            without=self.response.without,
            ended_at=ended_at,
        )


class GridService:
    """See the module. One per running manager; a second one sees the limits of the first, not its controls.

    Made inside a running loop it looks after stations that connect from then on, else from its first request on.
    """

    def __init__(self, manager: LoadManager) -> None:
        self._manager = manager
        self._asked = {r.request.id: _Asked.of(r) for r in manager.remembered.grid_requests}
        self._numbers = itertools.count(1)
        self._followers: set[asyncio.Task[None]] = set()
        self._returns = Returns(manager, wanted=self._wanted, tell=self._tell, numbers=self._numbers)
        self._returns.start()

    async def close(self) -> None:
        """Look after no station any more. Requests stay in force."""
        await self._returns.close()

    # -- ask -------------------------------------------------------------------------------------------------------

    async def ask(self, request: GridRequest, *, actor: str) -> Held:
        """Put a request into force at once; it replaces the one with the same id. Limits are on disk on return.

        Raises ``SiteModelError`` when any part of it is not possible; then nothing was changed.
        """
        manager, now = self._manager, self._manager.now()
        request = checked(request, now)
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
        self._returns.start()
        manager.history.keep_grid([asked.record()])
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
                asked.answers[station] = ("not-connected", "it is told when it connects")
                continue
            asked.answers[station] = ("asked", "")
            self._returns.saw(station)
            yield from self._set(station, control)

    def _set(self, station: StationId, control: DerControl) -> Iterator[Command]:
        yield SetDer(no=next(self._numbers), station=station, control=control)
        yield ReadDer(no=next(self._numbers), station=station, control_type=control.control_type)

    def _clearing(self, controls: list[HeldControl]) -> Iterator[Command]:
        for held in controls:
            if self._is_linked(held.station):
                control = held.control
                no = next(self._numbers)
                yield ClearDer(no=no, station=held.station, is_default=control.is_default, control_id=control.id)

    # -- stations that connect -------------------------------------------------------------------------------------

    def _wanted(self) -> dict[StationId, tuple[DerControl, ...]]:
        """The controls that stations must hold now. One that shows only later that it knows them gets them as well."""
        now, found = self._manager.now(), dict[StationId, tuple[DerControl, ...]]()
        for asked in self._asked.values():
            if _is_over(asked.request.until_at, now):
                continue
            self._admit(asked, now)
            for station, control in asked.response.controls:
                found[station] = (*found.get(station, ()), control)
            for station in asked.response.without:
                found.setdefault(station, ())
        return found

    def _admit(self, asked: _Asked, now: datetime) -> None:
        """Add stations that by now say that they know the control [B-7]."""
        knows = self._manager.state.chargers.traits_of
        if not any(v2x.LIMIT_DISCHARGE in knows(s).der_controls for s in asked.response.without):
            return
        try:
            response = grid_requests.respond(self._manager.state, asked.request, now)
        except SiteModelError as error:  # the site file has changed since
            log.warning("a grid request no longer fits", extra={"request": asked.request.id, "reason": str(error)})
            response = replace(asked.response, without=())
        for station, _ in response.controls:
            if station not in asked.answers:
                asked.answers[station] = ("asked", "")
                self._returns.forget(station)
        asked.response = response
        self._manager.history.keep_grid([asked.record()])

    def _tell(self, station: StationId, controls: tuple[DerControl, ...], status: str, detail: str = "") -> None:
        """Note what became of controls at a station that came back, and set them where they are ``asked``."""
        for control in controls:
            if control.id in self._asked:
                self._note(control.id, station, status, detail)
                if status == "asked" and not detail:
                    self._send(list(self._set(station, control)), control.id)

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
        asked = self._asked.pop(request, None)
        if asked is not None:
            manager.history.keep_grid([asked.record(ended_at=now)])
        manager.take(*_leftovers(held, Response(), now, actor))
        self._send(list(self._clearing(controls)), request)
        await manager.durable()
        silent = (c.station for c in controls if c.status != "not-connected" and not self._is_linked(c.station))
        return tuple(dict.fromkeys(silent))

    def _is_linked(self, station: StationId) -> bool:
        known = self._manager.state.stations.get(station)
        return known is not None and known.is_connected

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
        if asked is not None and station in asked.answers and asked.answers[station] != (status, detail):
            asked.answers[station] = (status, detail)
            self._manager.history.keep_grid([asked.record()])


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
