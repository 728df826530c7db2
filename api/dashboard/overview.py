"""Site power against limit, the tree, alarms, and every EVSE with its why; live."""

from __future__ import annotations

from collections import deque
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from api.dashboard.frame import header
from api.dashboard.plan_texts import why_words
from loadmgr.control.view import EvseView, NodeLoad, evse_views, node_loads
from loadmgr.domain.site import PHASES
from loadmgr.runtime import LoadManager

REFRESH_S = 1.0
POINTS = 900
STALE_S = 90.0

COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "evse", "label": "EVSE", "field": "evse", "align": "left", "sortable": True},
    {"name": "status", "label": "Status", "field": "status", "align": "left", "sortable": True},
    {"name": "energy", "label": "Energy, kWh", "field": "energy", "align": "right"},
    {"name": "depart", "label": "Leaves", "field": "depart", "align": "right", "sortable": True},
    {"name": "setpoint", "label": "Setpoint, A", "field": "setpoint", "align": "right"},
    {"name": "current", "label": "Drawn L1 / L2 / L3, A", "field": "current", "align": "right"},
    {"name": "power", "label": "Power, kW", "field": "power", "align": "right", "sortable": True},
    {"name": "age", "label": "Measured", "field": "age", "align": "right"},
    {"name": "why", "label": "Why not more", "field": "why", "align": "left"},
)


class Overview:
    """One browser tab's view. It shows what the API offers, refreshed every second."""

    def __init__(self, manager: LoadManager) -> None:
        self._manager = manager
        self._zone = ZoneInfo(manager.site.timezone)
        self._history: deque[tuple[datetime, float, float | None, float]] = deque(maxlen=POINTS)

    def build(self) -> None:
        """Lay the page out and start refreshing."""
        self._clock = header(self._manager, "/")
        with ui.column().classes("w-full q-pa-md gap-4"):
            with ui.element("div").classes("cols"):
                self._numbers()
            with ui.element("div").classes("cols"):
                with ui.column().classes("panel half").style("flex-grow: 3"):
                    self._chart = ui.echart(_chart_options()).classes("w-full h-64")
                with ui.column().classes("panel half").style("flex-grow: 2"):
                    ui.label("Nodes").classes("font-semibold")
                    self._tree = ui.html("", sanitize=False).classes("w-full")
            with ui.column().classes("panel w-full"):
                with ui.row().classes("items-baseline gap-4"):
                    self._alarm_title = ui.label("").classes("font-semibold")
                    ui.link("Chargers one by one", "/chargers").classes("pick")
                self._alarms = ui.column().classes("gap-1")
            with ui.column().classes("panel w-full"):
                ui.label("Sessions").classes("font-semibold")
                self._table = ui.table(columns=list(COLUMNS), rows=[], row_key="evse").classes("w-full").props("flat dense")
                self._table.props('data-testid="sessions"')
                self._idle = ui.label("").classes("unit")
        self._shown_alarms: tuple[str, ...] | None = None
        self._refresh()
        ui.timer(REFRESH_S, self._refresh)

    def _numbers(self) -> None:
        def number(title: str, test_id: str) -> tuple[ui.label, ui.label]:
            with ui.column().classes("panel gap-0"):
                ui.label(title).classes("unit")
                value = ui.label("–").classes("big").props(f'data-testid="{test_id}"')
                return value, ui.label("").classes("unit")

        self._power, self._power_note = number("Site power", "site-power")
        self._limit, self._limit_note = number("Limit", "site-limit")
        self._free, self._free_note = number("Headroom", "site-headroom")
        self._cars, self._cars_note = number("Charging", "charging")

    # -- refresh ---------------------------------------------------------------------------------------------------

    def _refresh(self) -> None:
        manager = self._manager
        now, state = manager.now(), manager.state
        nodes = node_loads(state, now)
        views = evse_views(state, now)
        self._clock.set_text(f"{now.astimezone(self._zone):%a %d %b %H:%M:%S} {manager.site.timezone}")
        self._show_numbers(nodes[0], views)
        self._show_chart(nodes[0], now)
        self._tree.set_content("".join(_node_row(n) for n in nodes))
        self._show_alarms()
        self._show_table(views, now)

    def _show_numbers(self, root: NodeLoad, views: tuple[EvseView, ...]) -> None:
        over = min(_free_shares(root), default=1.0) < 0.0
        self._power.set_text(f"{root.power_kw:.1f} kW")
        self._power.classes(
            add=" ".join(c for c, on in (("bad", over), ("stale", root.is_stale)) if on),
            remove=" ".join(c for c, on in (("bad", over), ("stale", root.is_stale)) if not on),
        )
        phases = " · ".join(f"{p} {a:.0f} A" for p, a in zip(PHASES, root.current_a, strict=True))
        self._power_note.set_text("site meter is silent: worst case shown" if root.is_stale else phases)
        in_a = "" if root.limit_a is None else f"{root.limit_a:.0f} A per phase"
        if root.limit_kw is None:
            self._limit.set_text(in_a or "none")
            self._limit_note.set_text(root.limit_a_source)
        else:
            self._limit.set_text(f"{root.limit_kw:.0f} kW")
            also = f" · {in_a} ({root.limit_a_source})" if in_a else ""
            self._limit_note.set_text(f"{root.limit_kw_source}{also}")
        self._free.set_text("–" if root.headroom_kw is None else f"{root.headroom_kw:.1f} kW")
        self._free_note.set_text("" if root.headroom_a is None else f"{min(root.headroom_a):.0f} A on the fullest phase")
        charging = sum(1 for v in views if max(v.current_a) >= 1.0)
        plugged = sum(1 for v in views if v.session is not None)
        self._cars.set_text(f"{charging} of {plugged}")
        connected = sum(1 for s in self._manager.state.stations.values() if s.is_connected)
        stations = len(self._manager.state.stations)
        self._cars_note.set_text(f"cars plugged in · {connected} of {stations} stations connected")

    def _show_chart(self, root: NodeLoad, now: datetime) -> None:
        limit = root.limit_kw
        if limit is None and root.limit_a is not None:
            limit = root.limit_a * self._manager.site.voltage_v * 3 / 1000.0
        self._history.append((now, root.power_kw, limit, root.ev_kw))
        times = [at.astimezone(self._zone).strftime("%H:%M:%S") for at, _, _, _ in self._history]
        self._chart.options["xAxis"]["data"] = times
        columns: tuple[list[float | None], ...] = (
            [site for _, site, _, _ in self._history],
            [bound for _, _, bound, _ in self._history],
            [cars for _, _, _, cars in self._history],
        )
        lines: list[dict[str, Any]] = self._chart.options["series"]
        for series, values in zip(lines, columns, strict=True):
            series["data"] = [None if v is None else round(v, 2) for v in values]
        self._chart.update()

    def _show_alarms(self) -> None:
        order = {"critical": 0, "warning": 1, "info": 2}
        alarms = sorted(self._manager.state.alarms.values(), key=lambda a: (order[a.severity.value], a.at))
        keys = tuple(a.key for a in alarms)
        if keys == self._shown_alarms:
            return
        self._shown_alarms = keys
        self._alarm_title.set_text(f"Alarms ({len(alarms)})" if alarms else "No alarms")
        self._alarms.clear()
        with self._alarms:
            for alarm in alarms[:12]:
                with ui.row().classes("items-baseline gap-2 no-wrap"):
                    word = ui.label(alarm.severity.value.upper()).classes("text-xs font-semibold w-20")
                    word.classes("bad" if alarm.severity.value == "critical" else "")
                    ui.label(alarm.message)
                    ui.label(alarm.remedy).classes("unit")
            if len(alarms) > 12:
                ui.label(f"and {len(alarms) - 12} more").classes("unit")

    def _show_table(self, views: tuple[EvseView, ...], now: datetime) -> None:
        rows = [self._row(v, now) for v in views if v.session is not None]
        self._table.rows = rows
        self._table.update()
        free = sum(1 for v in views if v.session is None)
        self._idle.set_text(f"{free} EVSEs without a session" if rows else f"No car is plugged in; {free} EVSEs are free.")

    def _row(self, view: EvseView, now: datetime) -> dict[str, Any]:
        age_s = (now - view.measured_at).total_seconds() if view.measured_at is not None else None
        wanted = None if view.need_kwh is None or view.energy_kwh is None else view.energy_kwh + view.need_kwh
        return {
            "evse": view.evse,
            "status": view.status if view.is_connected else f"{view.status} · no link",
            "energy": f"{view.energy_kwh or 0.0:.2f}" + ("" if wanted is None else f" / {wanted:.2f}"),
            "depart": "–" if view.depart_at is None else view.depart_at.astimezone(self._zone).strftime("%a %H:%M"),
            "setpoint": f"fail-safe {view.allowed_a:.1f}" if view.setpoint_a is None else f"{view.setpoint_a:.1f}",
            "current": " / ".join(f"{a:.1f}" for a in view.current_a),
            "power": f"{view.power_kw:.2f}",
            "age": "never" if age_s is None else f"{age_s:.0f} s ago" + (" (stale)" if age_s > STALE_S else ""),
            "why": why_words(view.bound_by),
        }


def _free_shares(node: NodeLoad) -> list[float]:
    """Headroom as a part of the limit, for every limit of the node."""
    found = []
    if node.headroom_a is not None and node.limit_a:
        found.append(min(node.headroom_a) / node.limit_a)
    if node.headroom_kw is not None and node.limit_kw:
        found.append(node.headroom_kw / node.limit_kw)
    return found


def _node_row(node: NodeLoad) -> str:
    """A node with a bar per phase. Ids come from the site file, whose pattern allows no markup."""
    bars = ""
    for phase, current_a in zip(PHASES, node.current_a, strict=True):
        share = 0.0 if not node.limit_a else min(max(abs(current_a) / node.limit_a, 0.0), 1.0)
        over = node.limit_a is not None and abs(current_a) > node.limit_a
        color = "#b3261e" if over else "#8a94a0" if node.is_stale else "#37618e"
        limit = "" if node.limit_a is None else f" / {node.limit_a:.0f}"
        bars += (
            f'<div style="display:flex;align-items:center;gap:6px;font-size:.8rem">'
            f'<span style="width:1.6em">{phase}</span>'
            f'<div style="flex:1;background:#e8ebef;height:8px;border-radius:3px">'
            f'<div style="width:{share * 100:.0f}%;background:{color};height:8px;border-radius:3px"></div></div>'
            f'<span style="width:7em;text-align:right">{current_a:.0f}{limit} A</span></div>'
        )
    note = " · worst case, meter silent" if node.is_stale else ""
    title = f"{node.node} <span style='color:#5b6875'>{node.power_kw:.1f} kW · {node.n_charging} charging{note}</span>"
    return f'<div style="margin:4px 0 8px {node.depth * 18}px"><div>{title}</div>{bars}</div>'


def _chart_options() -> dict[str, Any]:
    line = {"type": "line", "showSymbol": False, "animation": False, "data": []}
    return {
        "animation": False,
        "grid": {"left": 64, "right": 12, "top": 34, "bottom": 26},
        "legend": {"top": 0, "left": 0, "data": ["Site", "Limit", "Cars"]},
        "tooltip": {"trigger": "axis"},
        "xAxis": {"type": "category", "data": [], "axisTick": {"show": False}},
        "yAxis": {"type": "value", "axisLabel": {"formatter": "{value} kW"}, "min": 0},
        "series": [
            {**line, "name": "Site", "lineStyle": {"width": 2}, "color": "#37618e"},
            {**line, "name": "Limit", "lineStyle": {"width": 1.5, "type": "dashed"}, "color": "#b3261e", "step": "end"},
            {**line, "name": "Cars", "lineStyle": {"width": 1.5}, "color": "#5c8a4c", "areaStyle": {"opacity": 0.12}},
        ],
    }
