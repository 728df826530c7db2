"""The objective: money in tiers, limits ≫ promises ≫ cost ≫ comfort, with weights computed from the instance.

Let Π be the largest price per kWh in sight, D the sum of the demand prices, h the shortest step and σ the whole
comfort budget per kWh, σ = COMFORT·max(Π, 1). One kWh moved within its stay can change the energy cost by at most
2·Π/η, the demand charge by at most D/(η·h) (all of it in one step) and comfort by at most 2·σ; a shortfall is therefore
priced at PROMISE·((Π + D/h)/η_min + σ) and up, so no saving ever pays for breaking a promise. Hard limits have no price
at all: they are rows. A soft limit carries its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from solvers.layout import Layout
from solvers.parts import Floats
from solvers.problem import ChargingProblem

COMFORT = 1e-2
"""Comfort per kWh as a part of the price level."""
SCALE = 1000.0
"""Costs are passed in thousandths: the smallest comfort must stay well above the solvers' tolerance of 1e-7."""
PROMISE = 10.0
"""Price of a shortfall as a multiple of the most that serving it can cost."""
PROMISED = 6.0
"""Price of a kWh that was promised, above the highest priority. Rows bind in amperes, and a three-phase car gets three times
the energy of a single-phase one from an ampere of a phase: the cheapest promised segment must be dearer than three times
the dearest that was not promised, 6·1.125 > 3·1.875.
"""
LEAST_URGENCY = 0.125
CHANGE_SHARE = 0.5
"""Price of a change of the first step, as a part of what waiting one step costs the least urgent session. It must stay
below 1: else not to change is always cheaper, and a plan that is made anew every tick would put work off for ever.
"""
CURTAIL_SHARE = 0.1
CYCLE_SHARE = 0.01
"""Price of discharging for nothing, as a part of comfort: a car that gains nothing stays quiet."""
STEADY_SHARE = 0.25
"""Price of a delivered kWh of a car that does not deliver yet, as a part of comfort; see ``_delivery``."""
SPARE = 0.5
"""A car that may deliver and needs less than this part of its stay is as little urgent as can be, however little that is."""

PARTS = ("energy", "carbon", "demand", "wear", "end_value", "shortfall", "limits", "comfort")
TIERS = (("limits",), ("shortfall",), ("energy", "carbon", "demand", "wear", "end_value"), ("comfort",))
"""Most important first."""


def price_level(problem: ChargingProblem) -> float:
    """Π: the largest price per kWh in sight, wear and carbon included."""
    prices = [problem.import_price_per_kwh + problem.carbon_price_per_kwh, problem.export_price_per_kwh]
    if problem.tracked is not None:
        prices.append(problem.tracked.wear_price_per_kwh)
    if problem.batteries is not None:
        prices += [problem.batteries.wear_price_per_kwh, problem.batteries.end_value_per_kwh]
    return float(max(np.abs(p).max(initial=0.0) for p in prices))


def comfort_price(problem: ChargingProblem) -> float:
    """σ: the whole budget of comfort, money per kWh. No price below it is about money."""
    return COMFORT * max(price_level(problem), 1.0)


def export_price(problem: ChargingProblem) -> Floats:
    """(T,) never above what importing costs: one meter cannot import and export at once to earn the difference."""
    found: Floats = np.minimum(problem.export_price_per_kwh, problem.import_price_per_kwh + problem.carbon_price_per_kwh)
    return found


def promise_price(problem: ChargingProblem) -> float:
    """Lowest price of a kWh of shortfall at priority 1, money."""
    options, level, comfort = problem.options, price_level(problem), comfort_price(problem)
    least = float(problem.efficiency.min(initial=1.0))
    demand = 0.0
    if problem.demand is not None:
        demand = float(problem.demand.price_per_kw.sum()) / float(problem.step_h.min())
    return PROMISE * ((level + demand) / least + comfort * (options.sooner_weight + options.change_weight + 1.0))


def shortfall_prices(problem: ChargingProblem) -> Floats:
    """(S, K or 2·K) money per kWh of shortfall in each segment: what was not promised first, then what was.

    A promised kWh is worth more than what the same capacity can deliver to cars that were not promised it, whatever the
    priorities and phases.
    """
    segments = problem.options.n_shortfall_segments
    rising = 1.0 + (np.arange(segments) + 0.5) / segments
    usual = np.outer(problem.priority, rising)
    if (np.minimum(problem.promised_kwh, problem.need_kwh) > 0).any():
        above = PROMISED * float(problem.priority.max(initial=1.0))
        usual = np.hstack([usual, np.broadcast_to(above * rising, usual.shape)])
    found: Floats = promise_price(problem) * usual
    return found


def shortfall_sizes(problem: ChargingProblem) -> Floats:
    """(S, K or 2·K) kWh of each segment of ``shortfall_prices``."""
    segments, need = problem.options.n_shortfall_segments, np.maximum(problem.need_kwh, 0.0)
    promised = np.minimum(problem.promised_kwh, need)
    parts = [need - promised, promised] if promised.any() else [need]
    found: Floats = np.hstack([np.repeat(part[:, None] / segments, segments, axis=1) for part in parts])
    return found


def cost_parts(problem: ChargingProblem, layout: Layout) -> Mapping[str, Floats]:
    """Cost of every column in money, one array per part that is not zero everywhere."""
    found: dict[str, Floats] = {}

    def put(part: str, first: int, values: Floats) -> None:
        if first >= 0 and values.size and values.any():
            array = found.setdefault(part, np.zeros(layout.n_cols))
            array[first : first + values.size] += values

    hours, n_steps = problem.step_h, problem.n_steps
    put("energy", layout.first_g, problem.import_price_per_kwh * hours)
    put("energy", layout.first_x, -export_price(problem) * hours)
    put("carbon", layout.first_g, problem.carbon_price_per_kwh * hours)
    if problem.demand is not None:
        put("demand", layout.first_peak, problem.demand.price_per_kw)
    tracked, batteries = problem.tracked, problem.batteries
    if tracked is not None:
        put("wear", layout.first_d, tracked.wear_price_per_kwh[layout.d_of] * hours[layout.d_step])
    if batteries is not None:
        block = len(batteries.names) * n_steps
        put("wear", layout.first_battery + block, np.outer(batteries.wear_price_per_kwh, hours).ravel())
        last = layout.first_battery + 2 * block + n_steps - 1
        for b, value in enumerate(batteries.end_value_per_kwh):
            put("end_value", last + b * n_steps, -np.atleast_1d(value))
    put("shortfall", layout.first_u, shortfall_prices(problem).ravel())
    put("limits", layout.first_soft, problem.row_soft_price[layout.soft_row] * hours[layout.soft_step])
    _comfort(problem, layout, put)
    return MappingProxyType(found)


def _comfort(problem: ChargingProblem, layout: Layout, put: object) -> None:
    assert callable(put)  # noqa: S101 a closure of this module
    options, hours = problem.options, problem.step_h
    comfort = comfort_price(problem)
    later = np.arange(1, hours.size + 1) / hours.size  # by steps: a minute now weighs as much as an hour tonight
    sooner = options.sooner_weight * comfort * hours * later
    put("comfort", 0, sooner[layout.step_of] * _urgency(problem)[layout.session_of])
    put("comfort", layout.first_d, comfort * hours[layout.d_step] * _delivery(problem, later)[layout.d_of, layout.d_step])
    if problem.batteries is not None:
        block = np.tile(comfort * CYCLE_SHARE * hours, len(problem.batteries.names))
        put("comfort", layout.first_battery + block.size, block)
    put("comfort", layout.first_c, comfort * CURTAIL_SHARE * hours)
    wait = LEAST_URGENCY * (later[1] - later[0] if later.size > 1 else 1.0)
    change = options.change_weight * comfort * CHANGE_SHARE * wait * hours[0]
    put("comfort", layout.first_change, np.full(2 * layout.changed.size, change))


def _urgency(problem: ChargingProblem) -> Floats:
    """(S,) in [LEAST_URGENCY, 1]: the part of its stay that a session needs at full power, rounded up to a power of two.

    Who has less time to spare is served sooner, at the scale of comfort only. Rounding makes sessions that are about
    alike equal, so that serving one does not at once make another more urgent and the plan swap them every tick. Cars that
    may deliver differ by what they delivered: among them only those short of time are told apart.
    """
    most = np.maximum(problem.power_max_kw @ problem.step_h * problem.efficiency, 1e-9)
    part = np.clip(problem.need_kwh / most, LEAST_URGENCY, 1.0)
    if problem.tracked is not None:
        may = problem.tracked.session[problem.tracked.usable_discharge_kw().any(axis=1)]
        part[may] = np.where(part[may] < SPARE, LEAST_URGENCY, part[may])
    rounded: Floats = np.exp2(np.ceil(np.log2(part) - 1e-9))
    return rounded


def _delivery(problem: ChargingProblem, later: Floats) -> Floats:
    """(K, T) comfort of a delivered kWh as a part of σ: sooner rather than later, and rather by who delivers already.

    The first at the pace of the least urgent, see ``CHANGE_SHARE``. The second as a price that falls away for a car by the
    part of its power that it delivers now, less the later: so it delivers all it can, and before the others. Without it
    cars that are alike would swap from step to step, and so from plan to plan.
    """
    tracked, options = problem.tracked, problem.options
    if tracked is None:
        return np.zeros((0, problem.n_steps))
    most = np.maximum(tracked.discharge_max_kw.max(axis=1, initial=0.0), 1e-9)
    now = np.clip(-problem.present_kw[tracked.session] / most, 0.0, 1.0)
    swaps = STEADY_SHARE * (1.0 - now[:, None] * (1.0 - later))
    found: Floats = CYCLE_SHARE + options.sooner_weight * LEAST_URGENCY * later + options.change_weight * swaps
    return found
