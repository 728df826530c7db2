"""The plan as an ECharts picture: options that stay, and the data of one plan. No user interface here."""

from __future__ import annotations

import json
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from itertools import accumulate
from typing import Any
from zoneinfo import ZoneInfo

from loadmgr.control.state import SiteState
from loadmgr.domain.limits import Limit, tightest
from loadmgr.domain.plan import Plan
from loadmgr.domain.tariff import Tariff

FILL = timedelta(minutes=10)
"""Points are at most this far apart, so that the value under the pointer is the value of that time."""
LOOK = timedelta(minutes=5)
"""Prices are looked up on this raster."""
TICK_H = 2
OLD = timedelta(minutes=5)
"""A plan older than this shows where now is; before, it is the left edge."""
AREAS = (
    ("Building", "#a9b8c9"),
    ("Cars", "#5c8a4c"),
    ("Battery charges", "#7c6bb0"),
    ("Cars deliver", "#c08a3e"),
    ("Battery delivers", "#b9a9df"),
)
IMPORT, LIMIT, PRICE = "Import", "Limit", "Price"

Points = list[list[float | None]]


def has_price(tariff: Tariff) -> bool:
    """True when the tariff states an import price."""
    return tariff.series is not None or bool(tariff.bands)


def areas(state: SiteState) -> tuple[tuple[str, str], ...]:
    """Name and colour of what is stacked; only what the site can have."""
    delivers = any(e.caps.discharge_max_kw > 0.0 for e in state.site.evses.values())
    keep = {"Building", "Cars"}
    keep |= {"Cars deliver"} if delivers else set()
    keep |= {"Battery charges", "Battery delivers"} if state.site.batteries else set()
    return tuple(x for x in AREAS if x[0] in keep)


def options(state: SiteState) -> dict[str, Any]:
    """What does not change with the plan. Labels are in the site's local time, whatever the browser's is."""
    tariff = state.context.tariff
    line = {"type": "line", "step": "end", "showSymbol": False, "symbol": "none", "data": []}
    kilowatts = {":valueFormatter": "v => v == null ? '–' : v.toFixed(1) + ' kW'"}
    series: list[dict[str, Any]] = [
        {
            **line,
            "name": name,
            "stack": "power",
            "color": color,
            "lineStyle": {"width": 0},
            "areaStyle": {"opacity": 0.75},
            "tooltip": kilowatts,
        }
        for name, color in areas(state)
    ]
    series.append({**line, "name": IMPORT, "color": "#1f4e79", "lineStyle": {"width": 2}, "z": 4, "tooltip": kilowatts})
    dashed = {"width": 1.5, "type": "dashed"}
    series.append({**line, "name": LIMIT, "color": "#b3261e", "lineStyle": dashed, "z": 4, "tooltip": kilowatts})
    if has_price(tariff):
        money = {":valueFormatter": f"v => v == null ? '–' : v.toFixed(3) + {json.dumps(f' {tariff.currency}/kWh')}"}
        dotted = {"width": 1.5, "type": "dotted"}
        series.append({**line, "name": PRICE, "color": "#9a5b00", "lineStyle": dotted, "yAxisIndex": 1, "tooltip": money})
    return {
        "animation": False,
        "grid": {"left": 8, "right": 8, "top": 56, "bottom": 4, "containLabel": True},
        "legend": {"type": "scroll", "top": 0, "left": 0, "data": [s["name"] for s in series]},
        "tooltip": {"trigger": "axis", "confine": True},
        "xAxis": _time_axis(state.site.timezone),
        "yAxis": _value_axes(tariff),
        "series": series,
    }


def _time_axis(timezone: str) -> dict[str, Any]:
    def text(value: str, *, with_day: bool) -> str:
        head = f"new Intl.DateTimeFormat('en-GB', {{timeZone: {json.dumps(timezone)}, "
        clock = f"{head}hour: '2-digit', minute: '2-digit'}}).format({value})"
        day = f"{head}weekday: 'short'}}).format({value})"
        return f"{day} + ' ' + {clock}" if with_day else f"{clock} === '00:00' ? {day} : {clock}"

    return {
        "type": "time",
        "axisLabel": {"hideOverlap": True, "customValues": [], ":formatter": f"v => {text('v', with_day=False)}"},
        "axisTick": {"customValues": []},
        "axisPointer": {"label": {":formatter": f"p => {text('p.value', with_day=True)}"}},
        "splitLine": {"show": False},
    }


def _value_axes(tariff: Tariff) -> list[dict[str, Any]]:
    power = {"type": "value", "name": "kW", "nameTextStyle": {"align": "right"}}
    if not has_price(tariff):
        return [power]
    price = {
        "type": "value",
        "name": f"{tariff.currency}/kWh",
        "nameTextStyle": {"align": "right"},
        "splitLine": {"show": False},
        "axisLabel": {":formatter": "v => v.toFixed(2)"},
    }
    return [power, price]


# -- data ----------------------------------------------------------------------------------------------------------


def put(chart: dict[str, Any], state: SiteState, plan: Plan, now: datetime) -> None:
    """Put a plan into the options of a chart."""
    limits = _limits(state)
    at = _marks(plan, limits, state.context.tariff)
    begins = [plan.made_at + timedelta(seconds=s) for s in accumulate(plan.step_s, initial=0.0)][:-1]
    steps = [max(bisect_right(begins, t) - 1, 0) for t in at]

    def of_steps(values: Sequence[float]) -> Points:
        return _points(at, [values[i] if values else None for i in steps])

    def of_times(value: Callable[[datetime], float | None]) -> Points:
        return _points(at, [value(t) for t in at])

    found = {name: of_steps(values) for name, values in stacks(plan).items()}
    found[IMPORT] = of_steps(plan.import_kw)
    found[LIMIT] = of_times(lambda t: limit_kw(state, limits, t))
    if has_price(state.context.tariff):
        found[PRICE] = of_times(state.context.tariff.import_price)
    for series in chart["series"]:
        series["data"] = found[series["name"]]
        if series["name"] == LIMIT:
            series["markLine"] = _now_line(plan, now)
    axis, ticks = chart["xAxis"], _ticks(plan, ZoneInfo(state.site.timezone))
    axis["min"], axis["max"] = _ms(plan.made_at), _ms(plan.until)
    axis["axisLabel"]["customValues"] = axis["axisTick"]["customValues"] = ticks


def stacks(plan: Plan) -> dict[str, tuple[float, ...]]:
    """kW per step of everything that is stacked."""

    def total(rows: Sequence[Sequence[float]], sign: int) -> tuple[float, ...]:
        return tuple(sum(max(sign * x, 0.0) for x in column) * sign for column in zip(*rows, strict=True))

    return {
        "Building": plan.base_kw,
        "Cars": total(plan.power_kw, 1),
        "Cars deliver": total(plan.power_kw, -1),
        "Battery charges": total(plan.battery_kw, 1),
        "Battery delivers": total(plan.battery_kw, -1),
    }


def limit_kw(state: SiteState, limits: Sequence[Limit], at: datetime) -> float | None:
    """The tightest limit of the grid node as power; a limit in A counts as its balanced power."""
    bound = tightest(limits, at)
    found = [bound.power_kw] if bound.power_kw is not None else []
    found += [bound.current_a * state.site.voltage_v * 3 / 1000.0] if bound.current_a is not None else []
    return min(found, default=None)


def limit_now_kw(state: SiteState, at: datetime) -> float | None:
    """The same for one time."""
    return limit_kw(state, _limits(state), at)


def _limits(state: SiteState) -> list[Limit]:
    root = state.site.root
    return [*state.site.nodes[root].limits, *(x for x in state.limits.values() if x.node == root)]


def _marks(plan: Plan, limits: Sequence[Limit], tariff: Tariff) -> list[datetime]:
    """Where something may change, and points between."""
    begin, end = plan.made_at, plan.until
    found = {begin, end, *(begin + timedelta(seconds=s) for s in accumulate(plan.step_s))}
    found |= {t for x in limits for t in (x.from_at, x.until_at) if t is not None and begin < t < end}
    found |= set(_raster(begin, end, FILL))
    if has_price(tariff):
        last = tariff.import_price(begin)
        for at in _raster(begin, end, LOOK):
            price = tariff.import_price(at)
            if price != last:
                found.add(at)
                last = price
    return sorted(t for t in found if begin <= t <= end)


def _raster(begin: datetime, end: datetime, width: timedelta) -> list[datetime]:
    """Whole multiples of a width between two times."""
    width_s = width.total_seconds()
    first = datetime.fromtimestamp((begin.timestamp() // width_s + 1) * width_s, begin.tzinfo)
    return [first + i * width for i in range(max(int((end - first) / width) + 1, 0)) if first + i * width < end]


def _ticks(plan: Plan, zone: ZoneInfo) -> list[float]:
    hours = _raster(plan.made_at, plan.until, timedelta(minutes=15))
    local = [(t, t.astimezone(zone)) for t in hours]
    return [_ms(t) for t, at in local if at.minute == 0 and at.hour % TICK_H == 0]


def _points(at: Sequence[datetime], values: Sequence[float | None]) -> Points:
    return [[_ms(t), None if v is None else round(v, 3)] for t, v in zip(at, values, strict=True)]


def _ms(at: datetime) -> float:
    return round(at.timestamp() * 1000.0)


def _now_line(plan: Plan, now: datetime) -> dict[str, Any]:
    return {
        "silent": True,
        "symbol": "none",
        "animation": False,
        "lineStyle": {"color": "#1d2733", "type": "solid", "width": 1},
        "label": {"formatter": "now", "position": "end", "color": "#1d2733"},
        "data": [{"xAxis": _ms(now)}] if now - plan.made_at > OLD else [],
    }
