"""Helpers for notebooks: a first plan of a site as a frame and a picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from loadmgr.control.controller import Controller, PlanRequest
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, SessionId
from loadmgr.domain.plan import Plan
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import SessionIntent
from loadmgr.settings import Settings
from solvers import solve


@dataclass(frozen=True, slots=True, kw_only=True)
class Visit:
    """A car at an EVSE that wants ``energy_kwh`` by ``depart_at``."""

    evse: str
    energy_kwh: float
    depart_at: datetime
    priority: float = 1.0


@dataclass(frozen=True, slots=True)
class FirstPlan:
    """A plan with what it was made from."""

    settings: Settings
    request: PlanRequest
    plan: Plan

    def frame(self) -> pd.DataFrame:
        """Power per step in kW: index local time, one column per EVSE, plus ``uncontrolled``."""
        starts = [self.plan.made_at + timedelta(seconds=s) for s, _ in self.request.snapshot.steps]
        index = pd.DatetimeIndex(starts).tz_convert(self.settings.context.site.timezone)
        found = pd.DataFrame({e: list(p) for e, p in zip(self.plan.evses, self.plan.power_kw, strict=True)}, index=index)
        found["uncontrolled"] = list(self.plan.base_kw)
        return found

    def bindings(self) -> pd.DataFrame:
        """What keeps each session from more in the first step, and what it will lack in kWh."""
        rows = [
            {"session": b.session, "bound_by": b.name, "source": b.source, "shortfall_kwh": s}
            for b, s in zip(self.plan.bindings, self.plan.shortfall_kwh, strict=True)
        ]
        return pd.DataFrame(rows)

    def plot(self) -> Any:  # a matplotlib axes
        """Stacked power over time with the price; returns the axes."""
        import matplotlib.pyplot as plt

        frame = self.frame()
        figure, axes = plt.subplots(figsize=(10, 4.5))
        times = pd.DatetimeIndex(frame.index).tz_localize(None)
        ordered = ["uncontrolled", *(c for c in frame.columns if c != "uncontrolled")]
        axes.stackplot(times, [frame[c] for c in ordered], labels=ordered, step="post", alpha=0.85)
        axes.set_ylabel("power, kW")
        axes.set_title(f"{self.settings.name}: plan of {times[0]:%d %B %H:%M}, {self.plan.engine}")
        axes.legend(loc="upper right", fontsize=8)
        price = axes.twinx()
        price.step(times, self.request.snapshot.import_price, where="post", color="black", lw=1, ls=":")
        price.set_ylabel(f"price, {self.settings.context.tariff.currency}/kWh")
        price.set_ylim(bottom=0)
        figure.tight_layout()
        return axes


def first_plan(site: str | Path, now: datetime, visits: Sequence[Visit], *, base_a: float = 10.0) -> FirstPlan:
    """Solve the first plan of a site at which ``visits`` are plugged in and every site meter reads ``base_a``.

    Raises ``SettingsError`` for a wrong site file and ``ValueError`` when no car wants anything.
    """
    settings = Settings.load(site)
    controller = Controller(settings.context)
    controller.observe(_connected(settings, now))
    for node in settings.context.site.nodes.values():
        if node.meter is not None:
            measured = Measured(current_a=(base_a, base_a, base_a))
            controller.observe((ev.MeterSample(at=now, meter=MeterId(node.meter), measured_at=now, measured=measured),))
    for number, visit in enumerate(visits):
        controller.observe(_plugged(visit, number, now))
    controller.observe((controller.ask(now),))
    request = controller.prepare(now)
    if request is None:
        raise ValueError("no car wants energy: give at least one visit with energy_kwh > 0")
    solution = solve(request.problem, engine=settings.context.params.engine)
    return FirstPlan(settings, request, controller.commit(request, solution))


def _connected(settings: Settings, now: datetime) -> tuple[ev.Event, ...]:
    found: list[ev.Event] = []
    for station in settings.context.site.stations.values():
        failsafe_a = min(settings.context.site.evses[e].failsafe_a for e in station.evses)
        found.append(ev.StationConnected(at=now, station=station.id, ocpp="1.6"))
        found.append(ev.FailsafeAnswered(at=now, station=station.id, failsafe_a=failsafe_a, accepted=True))
        found += [ev.EvseStatusChanged(at=now, evse=e, status=ev.EvseStatus.AVAILABLE) for e in station.evses]
    return tuple(found)


def _plugged(visit: Visit, number: int, now: datetime) -> tuple[ev.Event, ...]:
    session = SessionId(f"visit-{number + 1}")
    intent = SessionIntent(
        energy_kwh=visit.energy_kwh, depart_at=visit.depart_at, priority=visit.priority, source="notebook"
    )
    return (
        ev.SessionStarted(at=now, session=session, evse=EvseId(visit.evse), transaction=str(number + 1)),
        ev.IntentSet(at=now, session=session, intent=intent),
    )
