"""The core without a shell: observe events, prepare and commit plans, protect. No clock, no I/O, replayable."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr.control import (
    dispatch,
    energy_state,
    formulate,
    obedience,
    pauses,
    planning,
    promise,
    reconcile,
    reservations,
    snapshot,
)
from loadmgr.control import state as state_tools
from loadmgr.control.due import RETRY_UNKNOWN_S
from loadmgr.control.evse_state import Outcome
from loadmgr.control.snapshot import Snapshot
from loadmgr.control.state import SiteContext, SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.commands import Command, SendSetpoint
from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.plan import Plan, Setpoint
from loadmgr.domain.session import SessionIntent
from solvers import ChargingProblem, Solution

LOOK_AT_LEAST_S = 5.0
"""Without any event the state is looked at this often: a bound on how late a purely timed change is seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlanRequest:
    """A problem that waits for a solver."""

    no: int
    snapshot: Snapshot
    problem: ChargingProblem

    @property
    def wishes(self) -> Mapping[SessionId, SessionIntent]:
        """What each session had said when the snapshot was taken."""
        return {need.session.id: need.session.intent for need in self.snapshot.needs}


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What one protect tick decided: events to record and commands to send, decreases first."""

    events: tuple[ev.Event, ...] = ()
    commands: tuple[Command, ...] = ()


class Controller:
    """Folds events into ``state`` and decides. The same events give the same decisions."""

    def __init__(self, context: SiteContext, state: SiteState | None = None) -> None:
        self.state = state if state is not None else state_tools.initial(context)
        self._seen: SiteState | None = None
        self._due_at: datetime | None = None

    def observe(self, events: Iterable[ev.Event]) -> None:
        """Fold events into the state."""
        for event in events:
            self.state = state_tools.apply(self.state, event)

    def ask(self, now: datetime) -> ev.PlanAsked:
        """The event that marks where the snapshot of the next plan is taken; observe it, then ``prepare``."""
        return ev.PlanAsked(at=now, no=self.state.last_plan_no + 1)

    def prepare(self, now: datetime) -> PlanRequest | None:
        """The problem to solve now, or ``None`` when no session can be planned."""
        taken = snapshot.take(reservations.with_bookings(self.state, now), now)
        if not taken.needs and not taken.batteries:
            return None
        problem = reservations.delayed(formulate.to_problem(taken), taken)
        return PlanRequest(no=self.state.last_plan_no, snapshot=taken, problem=problem)

    def ask_promise(self, evse: EvseId, wish: tuple[float, datetime], now: datetime) -> PlanRequest | None:
        """The problem with a car at ``evse`` that wants ``wish`` = (kWh, departure); the state stays as it is."""
        asking = promise.with_asking(self.state, evse, wish, now)
        taken = snapshot.take(reservations.with_bookings(asking, now), now)
        if not taken.needs:
            return None
        return PlanRequest(no=0, snapshot=taken, problem=reservations.delayed(formulate.to_problem(taken), taken))

    def empty_plan(self, now: datetime) -> Plan:
        """The plan of a site where nobody needs anything: what the building is expected to draw."""
        taken = snapshot.take(self.state, now)
        base_kw = tuple(round(x + taken.fixed_kw, 4) for x in taken.net_base_kw)
        return Plan(
            no=self.state.last_plan_no,
            made_at=now,
            step_s=tuple(length_s for _, length_s in taken.steps),
            sessions=(),
            evses=(),
            power_kw=(),
            import_kw=tuple(max(x, 0.0) for x in base_kw),
            base_kw=base_kw,
            engine="none",
            status="optimal",
        )

    @staticmethod
    def commit(request: PlanRequest, solution: Solution, *, rule_based: bool = False) -> Plan:
        """The plan that a solution makes; put it into force with a ``PlanMade`` event."""
        return planning.to_plan(request.snapshot, request.problem, solution, no=request.no, rule_based=rule_based)

    def protect(self, now: datetime) -> Decision:
        """Setpoints and alarms that the present state demands. Cheap when nothing has changed."""
        if self.state is self._seen and self._due_at is not None and now < self._due_at:
            return Decision()
        tried, extra = self._remedies(now)
        # Orders are made on the state as it is after the remedies, so a replay of the events finds the same.
        after = self.state
        for event in tried:
            after = state_tools.apply(after, event)
        orders = dispatch.to_orders(after, now)
        stops = [found for evse in orders.pauses if (found := pauses.stop(after, evse, now)) is not None]
        tried += [event for event, _ in stops]
        extra += [command for _, command in stops]
        alarms = (*reconcile.review(self.state, now), *energy_state.unreported(self.state.energy, now))
        self._seen = self.state
        self._due_at = self._next_look(now)
        if not orders.setpoints and not alarms and not tried:
            return Decision()
        sent = tuple(ev.SetpointSent(at=now, setpoint=s) for s in orders.setpoints)
        commands = (*map(self._command, orders.setpoints), *extra)
        return Decision(events=(ev.Ticked(at=now), *tried, *sent, *alarms), commands=commands)

    def _remedies(self, now: datetime) -> tuple[list[ev.Event], list[Command]]:
        """What is done about chargers that do not obey, and for cars that were paused by a stop."""
        events: list[ev.Event] = []
        commands: list[Command] = []
        for event, command in obedience.remedies(self.state, now):
            events.append(event)
            if command is not None:
                commands.append(command)
        for event, start in pauses.resumptions(self.state, now):
            events.append(event)
            commands.append(start)
        events += pauses.carried(self.state, now)
        return events, commands

    def _command(self, setpoint: Setpoint) -> Command:
        station = self.state.site.evses[setpoint.evse].station
        return SendSetpoint(no=setpoint.no, station=station, setpoint=setpoint)

    def _next_look(self, now: datetime) -> datetime:
        """When time alone may change a decision: a limit that begins or ends, a refresh, or the regular look."""
        marks = [now + timedelta(seconds=LOOK_AT_LEAST_S)]
        state = self.state
        for limit in (*state.limits.values(), *(x for n in state.site.nodes.values() for x in n.limits)):
            marks += [t for t in (limit.from_at, limit.until_at) if t is not None and t > now]
        for known in state.evses.values():
            if known.excess_since is not None or known.paused is not None:
                marks.append(now + timedelta(seconds=1))
            order = known.last_order
            if order is not None:
                due = order.sent_at + timedelta(seconds=state.params.refresh_s)
                if order.outcome is Outcome.UNKNOWN:
                    due = order.sent_at + timedelta(seconds=RETRY_UNKNOWN_S)
                marks += [t for t in (due, known.settling_until) if t is not None and t > now]
        return min(marks)
