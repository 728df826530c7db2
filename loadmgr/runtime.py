"""LoadManager: the shell around the controller. Tasks, the two loops, the solver thread and shutdown."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import partial
from types import TracebackType
from typing import Any, Self

from loadmgr.clock import RealClock
from loadmgr.control import promise
from loadmgr.control.controller import Controller, PlanRequest
from loadmgr.control.promise import Promise, from_plan
from loadmgr.control.reconcile import overload_names
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.commands import Command
from loadmgr.domain.ids import EvseId, LimitId, SessionId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Plan
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import Site
from loadmgr.domain.traits import Traits
from loadmgr.errors import NotFoundError, SiteModelError
from loadmgr.figures import Health, Stats, health_of
from loadmgr.ocpp.security import Security
from loadmgr.ocpp.versions import TRANSLATIONS
from loadmgr.ports import Clock, FrameRecord, Remembered, StationLink, Store
from loadmgr.restart import restored
from loadmgr.session_desk import SessionDesk
from loadmgr.settings import Settings
from loadmgr.subscription import Subscription
from loadmgr.waking import DURABLE, REPLAN, URGENT
from solvers import Memory, Solution, SolveOptions, SolverError, Status, solve, solve_greedy

log = logging.getLogger(__name__)


class LoadManager(SessionDesk):
    """Load management of one site as an asynchronous context manager.

    With a ``link`` it commands that; without one it queues commands for ``commands()`` (a CSMS that owns the
    sockets). Raises ``StorageError`` on entry when the database is unusable or another instance runs on it.
    """

    def __init__(
        self,
        settings: Settings,
        *,
        store: Store,
        clock: Clock | None = None,
        link: StationLink | None = None,
    ) -> None:
        super().__init__()
        self.settings = settings
        self.clock: Clock = clock if clock is not None else RealClock()
        self.link = link
        self.history = store
        self.stats = Stats()
        self.remembered = Remembered()
        self.security = Security(self)
        self._store = store
        self._controller = Controller(settings.context)
        self._solver = ThreadPoolExecutor(max_workers=1, thread_name_prefix="solver")
        self._memory = Memory()
        self._commands: asyncio.Queue[Command] = asyncio.Queue()
        self._subscriptions: set[Subscription] = set()
        self._tasks: list[asyncio.Task[None]] = []
        self._plan_wanted = asyncio.Event()
        self._is_solving = False
        self._ticked_s: float | None = None
        self._wants_protect = False

    @property
    def state(self) -> SiteState:
        """The present state; immutable, so it may be kept."""
        return self._controller.state

    @property
    def site(self) -> Site:
        """The site of the settings."""
        return self.settings.context.site

    @property
    def is_busy(self) -> bool:
        """True while a solve that will change the world is under way or due at once."""
        return self._is_solving or self._wants_protect or self._plan_wanted.is_set()

    def now(self) -> datetime:
        """Time by the injected clock."""
        return self.clock.now()

    async def __aenter__(self) -> Self:
        self.remembered = await self._store.start_run(self.settings.digest, self.now())
        self.take(*restored(self.remembered, self.now()))
        self._tasks = [
            asyncio.create_task(self._protect_loop(), name="protect"),
            asyncio.create_task(self._plan_loop(), name="plan"),
        ]
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self.security.tasks.close()
        for subscription in tuple(self._subscriptions):
            subscription.close()
        await asyncio.to_thread(self._solver.shutdown)
        await self._store.close()

    # -- events in ------------------------------------------------------------------------------------------------

    def take(self, *events: ev.Event) -> None:
        """Fold, log and publish events; wake the loops that they concern. A repeated status says nothing new."""
        news = tuple(e for e in events if not self._is_known(e))
        if not news:
            return
        self._record(news)
        if any(isinstance(e, REPLAN) for e in news):
            self._plan_wanted.set()
        if not self._wants_protect and any(self._is_urgent(e) for e in news):
            self._wants_protect = True
            asyncio.get_running_loop().call_soon(self._protect)  # events of one moment share one tick

    def _is_known(self, event: ev.Event) -> bool:
        if not isinstance(event, ev.EvseStatusChanged):
            return False
        known = self.state.evses.get(event.evse)
        return known is not None and known.status is event.status

    async def observe(self, *events: ev.Event) -> None:
        """``take``, and return only when the begin or end of a session is on disk.

        Raises ``StorageError`` when it cannot be stored within the storage's deadline.
        """
        self.take(*events)
        if any(isinstance(e, DURABLE) for e in events):
            await self.durable()

    async def durable(self) -> None:
        """Wait until everything taken so far is on disk."""
        await self._store.flush()

    def log_frames(self, frames: tuple[FrameRecord, ...]) -> None:
        """Put frames into the frame log."""
        self._store.append_frames(frames)

    def _record(self, events: tuple[ev.Event, ...]) -> None:
        self._controller.observe(events)
        self._store.append(events)
        self.stats.events += len(events)
        for event in events:
            self.stats.count(event)
            for subscription in self._subscriptions:
                subscription.put(event)
        followed = tuple(f for event in events for f in self._follow(event))
        if followed:
            self.take(*followed)

    def _is_urgent(self, event: ev.Event) -> bool:
        if isinstance(event, URGENT):
            return True
        if not isinstance(event, ev.MeterSample):
            return False
        known = self.state.evses.get(EvseId(event.meter))
        return known is None or known.excess_since is not None

    # -- what users ask --------------------------------------------------------------------------------------------

    async def set_limit(self, limit: Limit, *, actor: str) -> None:
        """Put a temporary limit into force at once; it is on disk when this returns.

        Raises ``NotFoundError`` for an unknown node, ``SiteModelError`` for a limit that nobody could hold there.
        """
        if limit.node not in self.site.nodes:
            raise NotFoundError("node", limit.node, f"known nodes: {', '.join(self.site.nodes)}")
        self.site.check(limit)
        self.take(ev.LimitSet(at=self.now(), limit=limit, actor=actor))
        await self.durable()

    async def withdraw_limit(self, limit: LimitId, *, actor: str) -> None:
        """Withdraw a temporary limit. Raises ``NotFoundError`` when it is not in force."""
        if limit not in self.state.limits:
            raise NotFoundError("limit", limit, "it may have been withdrawn already")
        self.take(ev.LimitWithdrawn(at=self.now(), limit=limit, actor=actor))
        await self.durable()

    async def set_intent(self, session: SessionId, intent: SessionIntent, *, actor: str) -> None:
        """Say what a running session needs. Raises ``NotFoundError`` when it does not run."""
        if session not in self.state.sessions:
            raise NotFoundError("running session", session, "it may have ended")
        self.take(ev.IntentSet(at=self.now(), session=session, intent=intent, actor=actor))
        await self.durable()

    async def promise(self, evse: EvseId, energy_kwh: float, depart_at: datetime) -> Promise:
        """What a car that plugs in now at ``evse`` can be promised without breaking a promise given before.

        Raises ``NotFoundError`` for an unknown EVSE, ``SiteModelError`` for a departure that is not ahead, ``SolverError``
        when the engine gives no answer.
        """
        now = self.now()
        if evse not in self.site.evses:
            raise NotFoundError("EVSE", evse, "GET /api/v1/stations lists them")
        if depart_at <= now or energy_kwh < 0:
            raise SiteModelError(f"a promise of {energy_kwh} kWh by {depart_at} cannot be asked for at {now}")
        request = self._controller.ask_promise(evse, (energy_kwh, depart_at), now)
        if request is None:
            return Promise(evse=evse, energy_kwh=0.0, by_at=depart_at, lacking_kwh=energy_kwh)
        solution = await self._run_solver(request, SolveOptions(time_limit_s=self.state.params.solve_deadline_s))
        if not solution.has_values:
            raise SolverError(f"no answer from engine {self.state.params.engine!r}: {solution.reason}")
        return from_plan(self._controller.commit(request, solution), evse, (energy_kwh, depart_at))

    def command(self, command: Command) -> None:
        """Hand a command to its station, or to the host that owns the sockets; the answer comes as an event."""
        self._send(command)

    @contextlib.contextmanager
    def subscribe(self, maxsize: int = 1000) -> Iterator[Subscription]:
        """Events from now on; a slow reader loses the oldest, and ``dropped`` counts them."""
        subscription = Subscription(maxsize)
        self._subscriptions.add(subscription)
        try:
            yield subscription
        finally:
            self._subscriptions.discard(subscription)
            subscription.close()

    async def commands(self) -> AsyncIterator[Command]:
        """Commands for the chargers, in order, when no gateway of ours owns the sockets."""
        while True:
            yield await self._commands.get()

    @staticmethod
    def payload(command: Command, *, ocpp: str = "1.6") -> dict[str, Any]:
        """The OCPP payload of a command's first call, for a host that owns the sockets.

        Raises ``ProtocolError`` for a current that cannot be signalled, ``KeyError`` for a version we do not speak.
        """
        _, found = TRANSLATIONS[ocpp](command, Traits())[0]
        return found

    def health(self) -> Health:
        """Is the service alive, and may a load balancer or an operator rely on it?"""
        tick_age_s = self.clock.monotonic_s() - self._ticked_s if self._ticked_s is not None else float("inf")
        return health_of(self.state, self.now(), tick_age_s, self._store.last_error if self._store.is_degraded else None)

    # -- protect ---------------------------------------------------------------------------------------------------

    def _protect(self) -> None:
        """One protect tick now; whatever goes wrong in it, the next second has the next one."""
        self._wants_protect = False
        try:
            self._protect_once()
        except Exception:
            self.stats.protect_failures += 1
            log.exception("protect tick failed; chargers fall back to their fail-safe unless the next one works")

    def _protect_once(self) -> None:
        started_s = time.perf_counter()
        decision = self._controller.protect(self.now())
        if decision.events:
            self._record(decision.events)
        for command in decision.commands:
            self._send(command)
        self._keep_house()
        self.stats.ticks += 1
        self._count_session_time()
        self.stats.protect_ms_last = (time.perf_counter() - started_s) * 1000.0
        self._ticked_s = self.clock.monotonic_s()

    def _count_session_time(self) -> None:
        now_s = self.clock.monotonic_s()
        if self._ticked_s is not None:
            self.stats.session_s += len(self.state.sessions) * (now_s - self._ticked_s)

    def _send(self, command: Command) -> None:
        if self.link is not None:
            self.link.send(command)
        else:
            self._commands.put_nowait(command)

    async def _protect_loop(self) -> None:
        next_s = self.clock.monotonic_s()
        while True:
            self._protect()
            if overload_names(self.state, self.now()):
                self._plan_wanted.set()
            next_s = max(next_s + self.state.params.protect_s, self.clock.monotonic_s())
            await self.clock.sleep(next_s - self.clock.monotonic_s())

    # -- plan ------------------------------------------------------------------------------------------------------

    async def _plan_loop(self) -> None:
        while True:
            try:
                await self._plan_once()
            except Exception:
                self.stats.plan_failures += 1
                log.exception("plan tick failed; rules share the capacity until the next plan")
            finally:
                self._is_solving = False
            await self._wait_for_plan()

    async def _wait_for_plan(self) -> None:
        """Until the period is over or something happened that changes the plan."""
        sleeping = asyncio.ensure_future(self.clock.sleep(self.state.params.plan_s))
        waking = asyncio.ensure_future(self._plan_wanted.wait())
        try:
            await asyncio.wait({sleeping, waking}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (sleeping, waking):
                task.cancel()
            await asyncio.gather(sleeping, waking, return_exceptions=True)

    async def _plan_once(self) -> None:
        self._is_solving = True
        self._plan_wanted.clear()
        now = self.now()
        self.take(self._controller.ask(now))
        request = self._controller.prepare(now)
        if request is None:
            plan = self._controller.empty_plan(now)
        else:
            plan = await self._solved(request)
        self.stats.plans += 1
        self.stats.solve_ms_last = plan.solve_ms
        self.stats.solve_ms_sum += plan.solve_ms
        self.take(
            ev.PlanMade(at=self.now(), plan=plan), *promise.made_by(self.state, plan, request.wishes if request else {})
        )
        log.info(
            "plan",
            extra={
                "tick": plan.no,
                "sessions": len(plan.sessions),
                "engine": plan.engine,
                "status": plan.status,
                "solve_ms": plan.solve_ms,
                "shortfall_kwh": round(sum(plan.shortfall_kwh), 3),
            },
        )

    async def _run_solver(self, request: PlanRequest, options: SolveOptions) -> Solution:
        """Solve in the one solver thread. Raises ``SolverError``, or ``TimeoutError`` at twice the solver's deadline."""
        engine = self.state.params.engine
        work = partial(solve, request.problem, engine=engine, options=options)
        async with asyncio.timeout(2 * options.time_limit_s):  # wait_for loses a cancellation on Python 3.11
            return await asyncio.get_running_loop().run_in_executor(self._solver, work)

    async def _solved(self, request: PlanRequest) -> Plan:
        """A plan from the engine, or from the rule when the engine fails or is late [E01, E03]."""
        params = self.state.params
        options = SolveOptions(time_limit_s=params.solve_deadline_s, memory=self._memory)
        solution: Solution | None = None
        try:
            solution = await self._run_solver(request, options)
        except (SolverError, TimeoutError) as error:
            log.warning("solver failed", extra={"engine": params.engine, "error": str(error)})
        if solution is not None and solution.status in {Status.OPTIMAL, Status.TIME_LIMIT} and solution.has_values:
            return self._controller.commit(request, solution)
        self.stats.plan_failures += 1
        return self._controller.commit(request, solve_greedy(request.problem), rule_based=True)
