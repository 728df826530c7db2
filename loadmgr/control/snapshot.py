"""State + forecasts + now → a snapshot with fixed axes: sessions, steps and capacity rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from zoneinfo import ZoneInfo

from loadmgr import units
from loadmgr.control import energy_state, guard
from loadmgr.control import rows as row_tools
from loadmgr.control.capacity import CapacityRow, Frame, capacity_rows, limits_of, lowest
from loadmgr.control.need import Need, need_of
from loadmgr.control.rows import KW_ROW
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import NodeId
from loadmgr.domain.params import ControlParams
from loadmgr.domain.site import Battery
from loadmgr.forecast import baseload, carbon, prices, spread

Steps = Sequence[tuple[float, float]]
"""(offset_s, length_s) from now."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DemandAhead:
    """A demand charge on the plan's steps."""

    name: str
    price_per_kw: float
    incurred_kw: float
    counts: tuple[bool, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Snapshot:
    """Everything that one plan depends on. Steps are (offset_s, length_s) from ``now``."""

    now: datetime
    steps: tuple[tuple[float, float], ...]
    needs: tuple[Need, ...]
    present_kw: tuple[float, ...]
    rows: tuple[CapacityRow, ...]
    net_base_kw: tuple[float, ...]
    fixed_kw: float
    import_price: tuple[float, ...]
    export_price: float
    params: ControlParams
    pv_kw: tuple[float, ...] = ()
    """PV that may be curtailed; it is part of ``net_base_kw``."""
    carbon_price: tuple[float, ...] = ()
    batteries: tuple[tuple[Battery, float], ...] = ()
    """Batteries with what they hold, kWh."""
    demand: tuple[DemandAhead, ...] = ()
    export_limit_kw: tuple[float, ...] = ()
    """At the grid connection; empty: none."""


def take(state: SiteState, now: datetime) -> Snapshot:
    """Freeze what the optimiser may know. Sessions that we cannot command count as a load at their worst [E-21]."""
    lengths = [length for count, length in state.params.horizon for _ in range(count)]
    starts = [0.0, *accumulate(lengths)][: len(lengths)]
    steps = tuple(zip(starts, lengths, strict=True))
    active = guard.lanes(state, now)
    planned = {
        lane.evse.id: need
        for lane in active
        if lane.is_controllable and lane.session is not None
        for need in [need_of(state, lane.session, now, learns=True)]
        if need.is_open and need.power_max_kw > 0.0
    }
    shapes = {node: baseload.shape_kw(state.site, state.context.loads, node, now, steps) for node in state.site.nodes}
    base = row_tools.uncontrolled(state, now, has_batteries=False)
    when = (now, state.params.battery_stale_s)
    live = energy_state.live_batteries(state.energy, state.site, state.site.root, when)
    batteries = tuple((state.site.batteries[b.battery], b.stored_kwh) for b in live)
    rows = capacity_rows(
        Frame(
            state=state,
            now=now,
            steps=steps,
            active=tuple(active),
            planned=frozenset(planned),
            shapes=shapes,
            base=base,
            spread=_spread(state, steps),
            batteries=frozenset(b.battery for b in live),
            bidirectional=frozenset(e for e, need in planned.items() if need.is_bidirectional),
        )
    )
    needs = tuple(planned[e] for e in sorted(planned))
    root = state.site.root
    base_now = base[root].load[1]
    return Snapshot(
        now=now,
        steps=steps,
        needs=needs,
        present_kw=tuple(_present_kw(state, need) for need in needs),
        rows=rows,
        net_base_kw=tuple(base_now + change for change in shapes[root]),
        fixed_kw=sum(x.load(x.now_a, KW_ROW) for x in active if x.evse.id not in planned),
        import_price=prices.import_prices(state.context.tariff, now, steps),
        export_price=state.context.tariff.export_per_kwh,
        params=state.params,
        pv_kw=baseload.pv_ahead_kw(state.context.loads, now, steps),
        carbon_price=_carbon(state, now, steps),
        batteries=batteries,
        demand=_demand(state, now, steps),
        export_limit_kw=_export_limit(state, now, steps),
    )


def _carbon(state: SiteState, now: datetime, steps: Steps) -> tuple[float, ...]:
    tariff = state.context.tariff
    if tariff.carbon_per_kg <= 0.0:
        return ()
    found = carbon.carbon_kg_per_kwh(tariff.carbon_series, tariff.carbon_kg_per_kwh, now, steps)
    return tuple(rate * tariff.carbon_per_kg for rate in found)


def _demand(state: SiteState, now: datetime, steps: Steps) -> tuple[DemandAhead, ...]:
    tariff = state.context.tariff
    zone = ZoneInfo(tariff.timezone)
    middles = [(now + timedelta(seconds=o + length / 2)).astimezone(zone) for o, length in steps]
    return tuple(
        DemandAhead(
            name=charge.name,
            price_per_kw=charge.price_per_kw,
            incurred_kw=energy_state.incurred_kw(state.energy, charge.name, now, tariff.timezone),
            counts=tuple(charge.counts_at(at) for at in middles),
        )
        for charge in tariff.demand
    )


def _export_limit(state: SiteState, now: datetime, steps: Steps) -> tuple[float, ...]:
    """The tightest limit on flow back at the grid connection, per step; empty when nobody states one."""
    limits = limits_of(state, state.site.root)
    if all(x.export_kw is None for x in limits):
        return ()
    return tuple(lowest(limits, now, step, "export_kw") for step in steps)


def _spread(state: SiteState, steps: Steps) -> Mapping[NodeId, tuple[float, ...]]:
    """How much more than expected the base load below metered nodes may be, kW per step, at the chosen quantile.

    Nothing in the first step: that load is measured, and the margin covers it.
    """
    middles = [offset_s + length_s / 2 for offset_s, length_s in steps]
    found = {}
    for node, errors in state.energy.errors.items():
        more = spread.quantiles_kw(errors, middles, state.params.forecast_quantile)
        found[node] = (0.0, *more[1:])
    return found


def _present_kw(state: SiteState, need: Need) -> float:
    order = state.evses[need.session.evse].last_order
    if order is None:
        return 0.0
    voltage_v = state.site.evses[need.session.evse].caps.voltage_v
    return min(units.a_to_kw(order.setpoint.current_a, voltage_v, need.n_phases), need.power_max_kw)
