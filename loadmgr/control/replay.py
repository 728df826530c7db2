"""Replay of an event log: the same events must lead to the same decisions."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from loadmgr.control import remote
from loadmgr.control.controller import Controller
from loadmgr.control.planning import digest
from loadmgr.control.state import SiteContext, SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.plan import Setpoint

_BETWEEN = ev.AlarmRaised | ev.AlarmCleared | ev.PeakIncurred | ev.RemedyTried | ev.IntentSet
"""What a tick may say between its mark and its setpoints."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """A decision of the log that replay does not reproduce."""

    place: int
    what: str
    logged: str
    replayed: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Replayed:
    """The state after the log, how many decisions were compared, and the differences."""

    state: SiteState
    n_events: int
    n_setpoints: int
    n_plans: int
    differences: tuple[Difference, ...]


class Replayer:
    """Feeds a log, event by event, to a fresh controller and compares what it decides with what was decided."""

    def __init__(self, context: SiteContext) -> None:
        self._controller = Controller(context)
        self._expected: list[Setpoint] = []
        self._digests: dict[int, str] = {}
        self._differences: list[Difference] = []
        self._n_events = self._n_setpoints = self._n_plans = 0

    def feed(self, event: ev.Event) -> None:
        """Take the next event of the log."""
        self._n_events += 1
        self._compare(event)
        if isinstance(event, ev.Ticked):
            decision = self._controller.protect(event.at)
            self._expected = [e.setpoint for e in decision.events if isinstance(e, ev.SetpointSent)]
        self._controller.observe((event,))
        if isinstance(event, ev.PlanAsked):
            request = self._controller.prepare(event.at)
            self._digests[event.no] = digest(request.problem) if request is not None else ""

    def _compare(self, event: ev.Event) -> None:
        if isinstance(event, ev.SetpointSent) and event.setpoint.bound_by == remote.BOUND_BY:
            return  # somebody asked for a start: an input, no decision
        if isinstance(event, ev.SetpointSent):
            self._n_setpoints += 1
            expected = self._expected.pop(0) if self._expected else None
            if expected != event.setpoint:
                self._note("setpoint", str(event.setpoint), str(expected))
        elif self._expected and not isinstance(
            event, ev.AlarmRaised | ev.AlarmCleared | ev.PeakIncurred | ev.RemedyTried | ev.IntentSet
        ):
            self._note("setpoint", "none", str(self._expected[0]))
            self._expected = []
        if isinstance(event, ev.PlanMade):
            self._n_plans += 1
            known = self._digests.pop(event.plan.no, None)
            if known != event.plan.digest:
                self._note(f"plan {event.plan.no}", event.plan.digest, str(known))

    def _note(self, what: str, logged: str, replayed: str) -> None:
        self._differences.append(Difference(place=self._n_events, what=what, logged=logged, replayed=replayed))

    def result(self) -> Replayed:
        """What was found so far."""
        return Replayed(
            state=self._controller.state,
            n_events=self._n_events,
            n_setpoints=self._n_setpoints,
            n_plans=self._n_plans,
            differences=tuple(self._differences),
        )


def replay(context: SiteContext, events: Iterable[ev.Event]) -> Replayed:
    """Replay a whole log from the beginning of its run."""
    replayer = Replayer(context)
    for event in events:
        replayer.feed(event)
    return replayer.result()
