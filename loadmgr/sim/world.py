"""Physical truth of a simulated site: currents on every node at every change, and the meters that report them."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loadmgr.control.guard import Flows, violations
from loadmgr.control.rows import Load, balanced, plus
from loadmgr.control.state import SiteContext
from loadmgr.domain import flows
from loadmgr.domain.events import MeterSample
from loadmgr.domain.ids import LimitId, NodeId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.plan import Violation
from loadmgr.domain.samples import Measured
from loadmgr.ports import Clock
from loadmgr.sim.station import Twin

METER_S = 5.0
BASE_STEP_S = 60.0
NOISE_FRAC = 0.01


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """The loads at one instant below every node, as ``violations`` judges them."""

    at: datetime
    loads: Flows


@dataclass(slots=True)
class World:
    """The site as it really is. ``violations`` are judged by the independent checker on this truth."""

    context: SiteContext
    clock: Clock
    take: Callable[[MeterSample], None]
    seed: int = 1
    twins: dict[StationId, Twin] = field(default_factory=dict)
    limits: dict[LimitId, Limit] = field(default_factory=dict)
    moments: list[Moment] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)
    meter_is_silent: bool = False
    record_every_s: float = 0.0
    _base: dict[NodeId, Load] = field(default_factory=dict)
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _chance: random.Random = field(init=False)
    _pending: bool = False

    def __post_init__(self) -> None:
        self._chance = random.Random(self.seed)  # noqa: S311 a simulation, repeatable by its seed
        self._draw_base()

    def start(self) -> None:
        """Begin: base load moves, meters report."""
        self._tasks = [
            asyncio.create_task(self._base_loop(), name="base-load"),
            asyncio.create_task(self._meter_loop(), name="site-meter"),
        ]

    async def stop(self) -> None:
        """End."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _draw_base(self) -> None:
        now, site = self.clock.now(), self.context.site
        for load in self.context.loads:
            kw = load.load_kw.at(now) if load.load_kw is not None else 0.0
            kw *= 1.0 + self._chance.uniform(-NOISE_FRAC, NOISE_FRAC)
            pv = load.pv_kw.at(now) if load.pv_kw is not None else 0.0
            self._base[load.node] = balanced(kw - pv, site.voltage_at(load.node))

    async def _base_loop(self) -> None:
        while True:
            await self.clock.sleep(BASE_STEP_S)
            self._draw_base()
            self.changed()

    async def _meter_loop(self) -> None:
        while True:
            if not self.meter_is_silent:
                self.report()
            await self.clock.sleep(METER_S)

    def report(self) -> None:
        """Every site meter says what it sees now."""
        now, site = self.clock.now(), self.context.site
        loads = {n: f.measured for n, f in self._flows().items()} if self._is_angled else self._sums()
        for node in site.nodes.values():
            if node.meter is not None:
                current_a, power_kw = loads[node.id]
                measured = Measured(current_a=current_a, power_kw=power_kw)
                self.take(MeterSample(at=now, meter=node.meter, measured_at=now, measured=measured))

    @property
    def _is_angled(self) -> bool:
        """True where loads stand between lines or behind transformers."""
        network = self.context.site.network
        return bool(network.cuts or network.transformers)

    def loads(self) -> Flows:
        """The whole load below every node now, as ``violations`` judges it."""
        return flows.judged(self.context.site, self._flows()) if self._is_angled else self._sums()

    def _flows(self) -> dict[NodeId, flows.Flow]:
        """Currents with their angles."""
        draws = [(t.evse, (t.outlet.phase_a, t.outlet.power_kw)) for t in self.twins.values() if t.outlet.current_a]
        return flows.node_flows(self.context.site, draws, self._base)

    def _sums(self) -> dict[NodeId, Load]:
        """Currents of loads between lines and neutral: they are in phase and add as numbers."""
        site = self.context.site
        found: dict[NodeId, Load] = dict.fromkeys(site.nodes, ((0.0, 0.0, 0.0), 0.0))
        for node, load in self._base.items():
            for above in site.path(node):
                found[above.id] = plus(found[above.id], load)
        for twin in self.twins.values():
            if twin.outlet.current_a:
                load = (twin.outlet.phase_a, twin.outlet.power_kw)
                for above in site.path(twin.evse.node):
                    found[above.id] = plus(found[above.id], load)
        return found

    def changed(self) -> None:
        """A current changed: judge and keep the new truth. Changes of one instant count together."""
        now = self.clock.now()
        loads = self.loads()
        if self.moments and now == self.moments[-1].at:
            self.moments[-1] = Moment(at=now, loads=loads)
        else:
            self._judge_last()
            self.moments.append(Moment(at=now, loads=loads))

    def _judge_last(self) -> None:
        if not self.moments:
            return
        last = self.moments[-1]
        self.violations += violations(self.context.site, self.limits.values(), last.loads, last.at)
        kept = self.moments[-2:]
        recorded = self.record_every_s <= 0 or len(kept) < 2
        if not recorded and (last.at - kept[0].at).total_seconds() < self.record_every_s:
            del self.moments[-1]

    def judged(self) -> tuple[Violation, ...]:
        """Every violation so far, the present moment included."""
        self._judge_last()
        return tuple(self.violations)

    def site_kw(self) -> float:
        """Power at the grid connection now."""
        return self.loads()[self.context.site.root][1]

    def ev_kw(self) -> float:
        """Power of all cars now."""
        return sum(t.outlet.power_kw for t in self.twins.values())


def after(at: datetime, seconds: float) -> datetime:
    """A time that many seconds later."""
    return at + timedelta(seconds=seconds)
