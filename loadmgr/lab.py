"""Helpers for notebooks: a first plan of a site, one real day under several tariffs, and stored samples, as frames."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from loadmgr import units
from loadmgr.control import rows as row_tools
from loadmgr.control.controller import Controller, PlanRequest
from loadmgr.control.rows import KW_ROW, Row
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, SessionId
from loadmgr.domain.plan import Plan
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import Battery, full_power_kw
from loadmgr.domain.tariff import Tariff
from loadmgr.forecast.baseload import present_shape_kw
from loadmgr.forecast.prices import import_prices
from loadmgr.settings import Settings
from loadmgr.sim.arrivals import Arrival, real_day
from loadmgr.storage import archive
from solvers import Batteries, ChargingProblem, DemandCharges, PolicyWeights, Solution, solve
from solvers.check import used_rows

Floats = NDArray[np.float64]

DAY_STEP_S = 900.0
DAY_STEPS = 96
FULL_FRAC = 1e-4


def samples(
    site: str | Path, begin: datetime, end: datetime, evses: Sequence[str] | None = None, *, folder: Path | None = None
) -> pd.DataFrame:
    """The stored meter samples of a site in ``[begin, end)``: a row per message, sorted by meter and time.

    ``evses`` are names of EVSEs or of site meters, all when ``None``. ``at`` is UTC; ``energy_kwh`` is the register; NaN
    where the meter did not say. The service may run meanwhile; nothing is written. Raises ``SettingsError`` for a wrong site
    file and ``StorageError`` when there is no database or an archived day is damaged.
    """
    return archive.read_frame(Settings.load(site).storage_url, (begin, end), evses, folder=folder)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One way to run a day: a tariff, and a battery that begins the day at its floor."""

    name: str
    tariff: Tariff = field(default_factory=Tariff)
    battery: Battery | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Day:
    """A real day at a site from local midnight in 96 steps; ``problem`` has no prices and no battery yet."""

    settings: Settings
    begin: datetime
    arrivals: tuple[Arrival, ...]
    rows: tuple[Row, ...]
    problem: ChargingProblem

    def problem_of(self, variant: Variant) -> ChargingProblem:
        """The day under a variant's tariff, with its battery."""
        steps = [(DAY_STEP_S * t, DAY_STEP_S) for t in range(DAY_STEPS)]
        return replace(
            self.problem,
            import_price_per_kwh=np.array(import_prices(variant.tariff, self.begin, steps)),
            export_price_per_kwh=np.full(DAY_STEPS, variant.tariff.export_per_kwh),
            demand=self._demand(variant.tariff),
            batteries=self._battery(variant.battery) if variant.battery is not None else None,
        )

    def _demand(self, tariff: Tariff) -> DemandCharges | None:
        if not tariff.demand:
            return None
        zone = ZoneInfo(self.settings.context.site.timezone)
        middles = [(self.begin + timedelta(seconds=DAY_STEP_S * (t + 0.5))).astimezone(zone) for t in range(DAY_STEPS)]
        return DemandCharges(
            names=tuple(d.name for d in tariff.demand),
            price_per_kw=np.array([d.price_per_kw for d in tariff.demand]),
            incurred_kw=np.zeros(len(tariff.demand)),
            holds=np.array([[d.counts_at(at) for at in middles] for d in tariff.demand], dtype=np.float64),
        )

    def _battery(self, battery: Battery) -> Batteries:
        site = self.settings.context.site
        above = {node.id for node in site.path(battery.node)}
        per_kw = [1.0 if r.phase == KW_ROW else units.kw_to_a(1.0, site.voltage_v, 3) for r in self.rows]
        floor_kwh = np.array([battery.floor_frac * battery.capacity_kwh])
        return Batteries(
            names=(battery.id,),
            charge_max_kw=np.array([battery.charge_max_kw]),
            discharge_max_kw=np.array([battery.discharge_max_kw]),
            stored_kwh=floor_kwh,
            floor_kwh=floor_kwh,
            capacity_kwh=np.array([battery.capacity_kwh]),
            efficiency=np.array([battery.efficiency]),
            discharge_efficiency=np.array([battery.discharge_efficiency]),
            wear_price_per_kwh=np.array([battery.wear_per_kwh]),
            end_value_per_kwh=np.zeros(1),
            row_coef=np.array([[k if r.node in above else 0.0] for k, r in zip(per_kw, self.rows, strict=True)]),
        )


def a_day(site: str | Path, day: date) -> Day:
    """The cars that came to a site on a day of the package data, and the load of its site file.

    Perfect knowledge: every arrival, departure, energy and load is known in advance, and cars follow at once and from
    nothing upwards: a yardstick, not what the service would reach. Limits are kept with the service's margin. A car
    that stays past midnight must have its energy by then. PV is used as it comes.

    Raises ``SettingsError`` for a wrong site file, ``ValueError`` for a day without cars at its stations.
    """
    settings = Settings.load(site)
    context = settings.context
    arrivals = real_day(context.site, day)
    if not arrivals:
        raise ValueError(f"no car came to a station of this site on {day}; loadmgr.sim.arrivals.days() lists the days")
    begin = datetime.combine(day, time(0), ZoneInfo(context.site.timezone))
    times = [begin + timedelta(seconds=DAY_STEP_S * t) for t in range(DAY_STEPS)]
    rows = row_tools.static_rows(context.site)
    base = {n: np.array([present_shape_kw(context.site, context.loads, n, at) for at in times]) for n in context.site.nodes}
    limit = np.array([_left(settings, row, base[row.node]) for row in rows]).reshape(len(rows), DAY_STEPS)
    problem = _problem(arrivals, rows, limit, _cars(settings, begin, arrivals, rows))
    problem = replace(problem, base_kw=base[context.site.root])
    return Day(settings=settings, begin=begin, arrivals=arrivals, rows=rows, problem=problem)


def _problem(
    arrivals: Sequence[Arrival], rows: Sequence[Row], limit: Floats, cars: tuple[Floats, Floats]
) -> ChargingProblem:
    """The problem of some cars, with nothing else on the site."""
    power, coef = cars
    wanted = np.array([a.car.wanted_kwh for a in arrivals])
    nothing, endless = np.zeros(DAY_STEPS), np.full(DAY_STEPS, np.inf)
    return ChargingProblem(
        session_keys=tuple(a.name for a in arrivals),
        step_h=np.full(DAY_STEPS, DAY_STEP_S / 3600.0),
        first_step=0,
        power_max_kw=power,
        need_kwh=wanted,
        room_kwh=wanted,
        efficiency=np.ones(len(arrivals)),
        priority=np.ones(len(arrivals)),
        present_kw=np.zeros(len(arrivals)),
        row_coef=coef,
        row_limit=limit,
        row_names=tuple(row.name for row in rows),
        row_soft_price=np.full(len(rows), np.inf),
        base_kw=nothing,
        pv_kw=nothing,
        import_limit_kw=endless,
        export_limit_kw=endless,
        import_price_per_kwh=nothing,
        export_price_per_kwh=nothing,
        options=PolicyWeights(change_weight=0.0),
    )


def _cars(settings: Settings, begin: datetime, arrivals: Sequence[Arrival], rows: Sequence[Row]) -> tuple[Floats, Floats]:
    """(S, T) power that each car can take, and (R, S) what a kW of it puts on each row."""
    site, offsets = settings.context.site, DAY_STEP_S * np.arange(DAY_STEPS)
    power, coef = np.zeros((len(arrivals), DAY_STEPS)), np.zeros((len(rows), len(arrivals)))
    for s, arrival in enumerate(arrivals):
        evse = site.evses[site.stations[arrival.station].evses[0]]
        n_phases = min(arrival.car.n_phases, evse.caps.n_phases)
        current_a = min(arrival.car.max_a, evse.caps.current_max_a)
        most_kw = min(units.a_to_kw(current_a, evse.caps.voltage_v, n_phases), full_power_kw(evse.caps))
        came_s, left_s = (arrival.at - begin).total_seconds(), (arrival.until - begin).total_seconds()
        inside_s = np.minimum(left_s, offsets + DAY_STEP_S) - np.maximum(came_s, offsets)
        power[s] = most_kw * np.clip(inside_s / DAY_STEP_S, 0.0, 1.0)
        for r, row in enumerate(rows):
            if evse.id not in site.below[row.node]:
                continue
            if row.phase == KW_ROW:
                coef[r, s] = 1.0
            elif row.phase in evse.phases_of(n_phases):
                coef[r, s] = units.a_per_kw(evse.caps.voltage_v, n_phases)
    return power, coef


def _left(settings: Settings, row: Row, base_kw: Floats) -> Floats:
    """(T,) what a row leaves to cars and battery: limit − margin − load."""
    voltage_v, params = settings.context.site.voltage_v, settings.context.params
    usable = row.limit - row_tools.margin(row.limit, row.phase, params, voltage_v)
    used = base_kw if row.phase == KW_ROW else units.a_per_kw(voltage_v, 3) * base_kw
    left: Floats = np.maximum(usable - used, 0.0)
    return left


@dataclass(frozen=True, slots=True)
class Comparison:
    """One day under several variants."""

    day: Day
    variants: tuple[Variant, ...]
    solutions: tuple[Solution, ...]

    def table(self) -> pd.DataFrame:
        """Per variant: what the day's energy costs, its peak, a month's demand charge at it, what cars lack, what binds.

        ``bound_by`` is the limit that is full in most steps, ``none`` where none ever is.
        """
        found = []
        for variant, solution in zip(self.variants, self.solutions, strict=True):
            problem = self.day.problem_of(variant)
            hours, peaks_kw = problem.step_h, [0.0]
            if problem.demand is not None:
                peaks_kw = list((problem.demand.holds * solution.import_kw).max(axis=1))
            rates = [d.price_per_kw for d in variant.tariff.demand] or [0.0]
            money = problem.import_price_per_kwh * solution.import_kw - problem.export_price_per_kwh * solution.export_kw
            found.append(
                {
                    "variant": variant.name,
                    "energy_cost": float(money @ hours),
                    "peak_kw": float(solution.import_kw.max()),
                    "demand_cost_month": float(np.dot(rates, peaks_kw)),
                    "shortfall_kwh": float(solution.shortfall_kwh.sum()),
                    "bound_by": _fullest(problem, solution),
                }
            )
        return pd.DataFrame(found).set_index("variant")

    def frame(self) -> pd.DataFrame:
        """Site power in kW over the day: index local time, one column per variant, plus ``building``."""
        index = pd.date_range(self.day.begin, periods=DAY_STEPS, freq=timedelta(seconds=DAY_STEP_S))
        pairs = zip(self.variants, self.solutions, strict=True)
        columns = {v.name: solution.import_kw - solution.export_kw for v, solution in pairs}
        return pd.DataFrame({**columns, "building": self.day.problem.base_kw}, index=index)

    def plot(self) -> Any:  # a matplotlib figure
        """Site power over the day, a panel per variant; returns the figure."""
        import matplotlib.pyplot as plt
        from matplotlib.dates import DateFormatter

        count = len(self.variants)
        figure, panels = plt.subplots(count, 1, figsize=(10, 2.4 * count + 0.6), sharex=True, sharey=True, squeeze=False)
        for axes, variant in zip(panels[:, 0], self.variants, strict=True):
            self._draw(axes, variant)
        handles = [*panels[0, 0].get_legend_handles_labels()[0], *figure.axes[count].get_lines()]
        figure.legend(handles, [h.get_label() for h in handles], loc="upper center", ncols=len(handles), frameon=False)
        panels[-1, 0].xaxis.set_major_formatter(DateFormatter("%H:%M"))  # type: ignore[no-untyped-call]
        panels[-1, 0].set_xlabel(f"local time, {self.day.begin:%d %B %Y}")
        figure.tight_layout(rect=(0, 0, 1, 1 - 0.35 / figure.get_figheight()))
        return figure

    def _draw(self, axes: Any, variant: Variant) -> None:
        frame = self.frame()
        begin = pd.DatetimeIndex(frame.index).tz_localize(None)[0]
        times = pd.date_range(begin, periods=DAY_STEPS + 1, freq=timedelta(seconds=DAY_STEP_S))  # the end of the last too
        site, building = (np.append(frame[c], frame[c].iloc[-1]) for c in (variant.name, "building"))
        axes.fill_between(times, building, step="post", color="0.8", label="building")
        axes.step(times, site, where="post", color="tab:blue", lw=1.6, label="site")
        axes.axhline(site.max(), color="tab:red", lw=0.9, ls="--", label="peak")
        axes.set_title(f"{variant.name}: peak {site.max():.1f} kW", loc="left", fontsize=10)
        axes.set_ylabel("power, kW")
        axes.set_xlim(times[0], times[-1])
        axes.set_ylim(bottom=min(0.0, site.min()))
        price = axes.twinx()
        money = self.day.problem_of(variant).import_price_per_kwh
        price.step(times, np.append(money, money[-1]), where="post", color="black", lw=1, ls=":", label="price")
        price.set_ylabel(f"{variant.tariff.currency}/kWh")
        price.set_ylim(min(0.0, money.min()), max(0.5, 1.2 * money.max()))


def _fullest(problem: ChargingProblem, solution: Solution) -> str:
    used = used_rows(problem, solution)
    full = (used >= problem.row_limit * (1.0 - FULL_FRAC)) & (used > 0.0)
    count = full.sum(axis=1)
    return problem.row_names[int(count.argmax())] if count.any() else "none"


def compare(day: Day, variants: Sequence[Variant]) -> Comparison:
    """Solve a day once per variant. Raises ``ValueError`` when the solver finds no plan for one."""
    found = []
    for variant in variants:
        solution = solve(day.problem_of(variant), engine=day.settings.context.params.engine)
        if not solution.has_values:
            raise ValueError(f"{variant.name}: {solution.status}: {solution.reason}")
        found.append(solution)
    return Comparison(day, tuple(variants), tuple(found))
