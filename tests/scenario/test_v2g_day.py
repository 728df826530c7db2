"""A Sunday with prices of −0.50 EUR/kWh: ten bidirectional cars, a house battery, sun, an export limit, a DER cut at 18:00.

The controller plans every quarter of an hour on what it is told; cars and battery follow the plan; what then flows is
added up by hand.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import numpy as np
import pytest

from loadmgr.control import guard
from loadmgr.control.controller import Controller
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Setpoint, Violation
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import SessionIntent
from loadmgr.settings import Settings
from solvers import Memory, Solution, SolveOptions, solve
from solvers.check import faults
from tests.support.days import ROOT
from tests.support.v2x import TRAITS

BEGIN = datetime(2023, 7, 2, 4, tzinfo=UTC)
STEP = timedelta(minutes=15)
STEP_H = 0.25
N_CARS, CAPACITY_KWH, RESERVE = 10, 60.0, 0.4
LOSS = 0.92
EXPORT_KW, DER_EXPORT_KW, DER_DISCHARGE_KW, DER_IMPORT_KW = 40.0, 10.0, 15.0, 30.0
DER = (datetime(2023, 7, 2, 16, tzinfo=UTC), datetime(2023, 7, 2, 18, tzinfo=UTC))
SITE = """
format = 1
[site]
id = "v2g"
timezone = "Europe/Amsterdam"
[nodes.grid]
current_a = 200
power_kw = 120
export_kw = 40
meter = "m"
base_max_a = 80
[nodes.grid.load]
constant_kw = 12
[nodes.grid.pv]
constant_kw = 25
curtailable = true
[nodes.grid.battery]
capacity_kwh = 50
charge_max_kw = 20
discharge_max_kw = 20
[[station_groups]]
ids = [%s]
node = "grid"
current_max_a = 16
discharge_max_kw = 10
[tariff]
series = "price_nl_2023-07-02.csv"
export_per_kwh = 0.05
[control]
horizon = [[96, 900]]
forecast_quantile = 0.5
"""


def _sun_kw(at: datetime) -> float:
    hour = at.hour + at.minute / 60.0
    return 25.0 if 5 <= hour < 19 else 0.0


@dataclass
class Truth:
    """What really is: energy of cars and battery, and what flowed in each step."""

    cars_kwh: np.ndarray
    battery_kwh: float = 25.0
    register_kwh: np.ndarray = field(default_factory=lambda: np.zeros(N_CARS))
    net_kw: list[np.ndarray] = field(default_factory=list)
    battery_kw: list[float] = field(default_factory=list)
    site_kw: list[float] = field(default_factory=list)
    lowest_kwh: float = CAPACITY_KWH


class Day:
    def __init__(self, folder: Path) -> None:
        (folder / "price_nl_2023-07-02.csv").write_text((ROOT / "tests" / "data" / "price_nl_2023-07-02.csv").read_text())
        (folder / "site.toml").write_text(SITE % ", ".join(f'"v{i}"' for i in range(N_CARS)))
        self.controller = Controller(Settings.load(folder / "site.toml").context)
        self.truth = Truth(cars_kwh=np.linspace(26.0, 50.0, N_CARS))
        self.memory = Memory()
        self.no = 0

    def plug_in(self, now: datetime) -> Iterator[ev.Event]:
        for i in range(N_CARS):
            station, session = StationId(f"v{i}"), SessionId(f"car-{i}")
            yield ev.StationConnected(at=now, station=station, ocpp="2.1")
            yield ev.FailsafeAnswered(at=now, station=station, failsafe_a=0.0, accepted=True)
            yield ev.SessionStarted(at=now, session=session, evse=EvseId(f"v{i}/1"), transaction=str(i))
            intent = SessionIntent(
                depart_at=BEGIN + timedelta(hours=16.5),
                capacity_kwh=CAPACITY_KWH,
                soc_target_frac=0.8,
                may_discharge=True,
                reserve_frac=RESERVE,
                source="driver",
            )
            yield ev.IntentSet(at=now, session=session, intent=intent)
            yield ev.TraitsKnown(at=now, station=station, traits=TRAITS)
            yield ev.NeedsStated(at=now, session=session, transfer="AC_BPT")

    def tell(self, now: datetime) -> Iterator[ev.Event]:
        """What meters, cars and battery say at the begin of a step, from what flowed in the one before."""
        truth = self.truth
        last = truth.net_kw[-1] if truth.net_kw else np.zeros(N_CARS)
        battery_kw = truth.battery_kw[-1] if truth.battery_kw else 0.0
        for i in range(N_CARS):
            evse = EvseId(f"v{i}/1")
            self.no += 1
            order = Setpoint(
                no=self.no,
                evse=evse,
                current_a=16.0,
                n_phases=3,
                made_at=now,
                valid_until=now + 2 * STEP,
                power_kw=float(last[i]),
            )
            yield ev.SetpointSent(at=now, setpoint=order)
            yield ev.SetpointAnswered(at=now, no=self.no, evse=evse, accepted=True)
            phase_a = last[i] * 1000.0 / 690.0
            measured = Measured(
                current_a=(phase_a, phase_a, phase_a),
                power_kw=float(last[i]),
                energy_kwh=float(truth.register_kwh[i]),
                soc_frac=float(truth.cars_kwh[i] / CAPACITY_KWH),
            )
            later = now + timedelta(seconds=30)
            yield ev.MeterSample(
                at=later, meter=MeterId(evse), measured_at=later, measured=measured, session=SessionId(f"car-{i}")
            )
        yield ev.BatteryMeasured(at=now, battery="grid", stored_kwh=truth.battery_kwh, power_kw=battery_kw)
        total_kw = 12.0 - _sun_kw(now) + float(last.sum()) + battery_kw
        phase_a = total_kw * 1000.0 / 690.0
        later = now + timedelta(seconds=31)
        total = Measured(current_a=(phase_a, phase_a, phase_a), power_kw=total_kw)
        yield ev.MeterSample(at=later, meter=MeterId("m"), measured_at=later, measured=total)

    def step(self, now: datetime) -> Solution:
        """Tell, plan, check the plan, let flow what it says."""
        self.controller.observe(self.tell(now))
        at = now + timedelta(seconds=32)
        self.controller.observe([self.controller.ask(at)])
        request = self.controller.prepare(at)
        assert request is not None
        problem = request.problem
        solution = solve(problem, options=SolveOptions(memory=self.memory))
        assert solution.has_values, solution.reason
        assert faults(problem, solution) == ()
        flow = problem.base_kw - problem.pv_kw + solution.curtailed_kw + solution.net_kw.sum(axis=0)
        flow = flow + solution.battery_kw.sum(axis=0)
        assert np.abs(solution.import_kw - solution.export_kw - flow).max() < 1e-6
        assert np.minimum(solution.power_kw, solution.discharge_kw).max() < 1e-6
        assert np.minimum(solution.import_kw, solution.export_kw).max() < 1e-6
        plan = self.controller.commit(request, solution)
        self.controller.observe([ev.PlanMade(at=at, plan=plan)])
        self._flow(solution, now)
        return solution

    def _flow(self, solution: Solution, now: datetime) -> None:
        truth, net = self.truth, solution.net_kw[:, 0]
        charge, deliver = np.maximum(net, 0.0), np.maximum(-net, 0.0)
        truth.cars_kwh = truth.cars_kwh + STEP_H * (LOSS * charge - deliver / LOSS)
        truth.register_kwh = truth.register_kwh + STEP_H * charge
        battery_kw = float(solution.battery_kw[0, 0])
        truth.battery_kwh += STEP_H * (0.95 * max(battery_kw, 0.0) + min(battery_kw, 0.0) / 0.95)
        truth.net_kw.append(net)
        truth.battery_kw.append(battery_kw)
        truth.site_kw.append(12.0 - _sun_kw(now) + float(solution.curtailed_kw[0]) + float(net.sum()) + battery_kw)
        truth.lowest_kwh = min(truth.lowest_kwh, float(truth.cars_kwh.min()))


def _violations(day: Day, at: datetime, site_kw: float) -> tuple[Violation, ...]:
    """The independent checker on what really flowed."""
    phase_a = site_kw * 1000.0 / 690.0
    state = day.controller.state
    loads = {NodeId("grid"): ((phase_a, phase_a, phase_a), site_kw)}
    return guard.violations(state.site, state.limits.values(), loads, at)


@pytest.mark.slow
@pytest.mark.timeout(120)
def test_a_day_with_negative_prices_an_export_limit_and_a_cut_in_the_evening(tmp_path: Path) -> None:
    """[F.4, A-100, B-2]"""
    day = Day(tmp_path)
    day.controller.observe(day.plug_in(BEGIN))
    n_steps = 64
    for k in range(n_steps):
        now = BEGIN + k * STEP
        if now == DER[0] - timedelta(hours=1):
            cut = Limit(
                id=LimitId("der"),
                node=NodeId("grid"),
                source="grid-operator",
                power_kw=DER_IMPORT_KW,
                export_kw=DER_EXPORT_KW,
                discharge_kw=DER_DISCHARGE_KW,
                from_at=DER[0],
                until_at=DER[1],
            )
            day.controller.observe([ev.LimitSet(at=now, limit=cut)])
        day.step(now)

    truth = day.truth
    judged = [v for k, kw in enumerate(truth.site_kw) for v in _violations(day, BEGIN + k * STEP, kw)]
    assert judged == []
    times = [BEGIN + k * STEP for k in range(n_steps)]
    cars = np.array(truth.net_kw)
    site = np.array(truth.site_kw)
    stored = cars.sum(axis=1) + np.array(truth.battery_kw)
    assert truth.lowest_kwh >= min(26.0, RESERVE * CAPACITY_KWH) - 1e-6
    assert site.max() <= 120.0 + 1e-6
    assert site.min() >= -EXPORT_KW - 1e-6
    in_cut = np.array([DER[0] <= t < DER[1] for t in times])
    assert in_cut.sum() == 8
    assert site[in_cut].min() >= -DER_EXPORT_KW - 1e-6
    assert site[in_cut].max() <= DER_IMPORT_KW + 1e-6
    assert stored[in_cut].min() >= -DER_DISCHARGE_KW - 1e-6
    assert (cars < -1.0).any(), "nobody ever delivered"
    cheap = np.array([9 <= t.hour < 14 for t in times])
    assert site[cheap].mean() > 60.0, "negative prices were not used"
    lacking = 0.8 * CAPACITY_KWH - truth.cars_kwh
    plan = day.controller.state.plan
    assert plan is not None
    receipts = {r.session for r in plan.receipts}
    for i in range(N_CARS):
        assert lacking[i] <= 0.1 or f"car-{i}" in receipts, (i, lacking[i])
