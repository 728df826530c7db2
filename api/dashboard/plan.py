"""The day ahead: what the plan does, what is short and what would cure it, which limits are full, and every car's why."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from api.dashboard import plan_chart, plan_texts
from api.dashboard.frame import header
from api.dashboard.plan_texts import Moments
from loadmgr.control import energy_state
from loadmgr.control.need import need_of
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import SessionId
from loadmgr.domain.plan import Plan, Why
from loadmgr.domain.session import Session
from loadmgr.runtime import LoadManager

REFRESH_S = 2.0
LIMITS_SHOWN = 12

WRAPPED = "white-space: pre-line; min-width: 8.5rem"
COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "evse", "label": "EVSE", "field": "evse", "align": "left", "sortable": True},
    {"name": "tag", "label": "Card", "field": "tag", "align": "left"},
    {"name": "energy", "label": "Has / wants, kWh", "field": "energy", "align": "right"},
    {"name": "lacks", "label": "Will lack", "field": "lacks", "align": "right", "sortable": True, "classes": "bad"},
    {"name": "depart", "label": "Leaves", "field": "depart", "align": "right"},
    {"name": "promise", "label": "Promised", "field": "promise", "align": "right"},
    {"name": "power", "label": "Planned now, kW", "field": "power", "align": "right", "sortable": True},
    {"name": "why", "label": "What keeps it from more", "field": "why", "align": "left", "style": WRAPPED},
)
LIMIT_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "name", "label": "Limit", "field": "name", "align": "left"},
    {"name": "source", "label": "Source", "field": "source", "align": "left"},
    {"name": "span", "label": "Full", "field": "span", "align": "left"},
    {"name": "worth", "label": "One more is worth per hour", "field": "worth", "align": "right", "headerStyle": WRAPPED},
)
WIDE = "window.innerWidth >= 600"
NARROW = ("evse", "energy", "why", "name", "span", "worth")
"""Columns that a phone shows; the rest needs more width."""


class DayAhead:
    """One browser tab's view of the plan in force. What did not change is not sent again."""

    def __init__(self, manager: LoadManager) -> None:
        self._manager = manager
        self._zone = ZoneInfo(manager.site.timezone)
        self._shown: dict[str, object] = {}

    def build(self) -> None:
        """Lay the page out and start refreshing."""
        self._clock = header(self._manager, "/plan")
        with ui.column().classes("w-full q-pa-md gap-4"):
            self._banner = ui.label("").classes("banner").props('role="alert" data-testid="plan-warning"')
            with ui.element("div").classes("cols"):
                self._numbers()
            with ui.element("div").classes("cols"):
                with ui.column().classes("panel half gap-1"):
                    self._short_title = ui.label("").classes("font-semibold")
                    self._causes = ui.label("").classes("whitespace-pre-line")
                    self._short = ui.column().classes("gap-1 many no-wrap").props('data-testid="short"')
                    self._short_note = ui.label("").classes("unit")
                with ui.column().classes("panel half gap-1"):
                    ui.label("Full limits").classes("font-semibold")
                    self._limits = _table(LIMIT_COLUMNS, "limits")
                    self._limits_note = ui.label("").classes("unit")
            with ui.column().classes("panel w-full gap-1"):
                self._chart_title = ui.label("").classes("font-semibold")
                self._chart = ui.echart(plan_chart.options(self._manager.state)).classes("w-full h-80")
                self._chart.props('data-testid="plan-chart"')
                self._chart_note = ui.label("").classes("unit")
            with ui.column().classes("panel w-full"):
                ui.label("Cars").classes("font-semibold")
                self._table = _table(COLUMNS, "plan-sessions")
                self._nobody = ui.label("No car is plugged in.").classes("unit")
        self._refresh()
        ui.timer(REFRESH_S, self._refresh)

    def _numbers(self) -> None:
        def number(title: str, test_id: str) -> tuple[ui.label, ui.label]:
            with ui.column().classes("panel gap-0"):
                ui.label(title).classes("unit")
                value = ui.label("–").classes("big").props(f'data-testid="{test_id}"')
                return value, ui.label("").classes("unit")

        self._lack, self._lack_note = number("Short", "plan-short")
        self._peak, self._peak_note = number("Highest import ahead", "plan-peak")
        self._promises, self._promises_note = number("Promises kept", "promises")
        charges = self._manager.settings.context.tariff.demand
        self._demand = {c.name: number(f"Demand peak, {c.name}", f"demand-{i}") for i, c in enumerate(charges)}
        self._plan, self._plan_note = number("Plan", "plan-no")

    # -- refresh ---------------------------------------------------------------------------------------------------

    def _is_news(self, part: str, content: object) -> bool:
        """True when this part of the page shows something else; then it counts as shown."""
        if part in self._shown and self._shown[part] == content:
            return False
        self._shown[part] = content
        return True

    def _refresh(self) -> None:
        state, moments = self._manager.state, Moments(now=self._manager.now(), zone=self._zone)
        local = moments.now.astimezone(self._zone)
        self._clock.set_text(f"{local:%a %d %b %H:%M:%S} {self._manager.site.timezone}")
        warning = plan_texts.warning(state, moments)
        self._banner.set_text(warning)
        self._banner.set_visibility(bool(warning))
        self._show_plan(state, moments)
        self._show_promises(state, moments)
        self._show_short(state, moments)
        self._show_limits(state, moments)
        self._show_chart(state, moments)
        rows = session_rows(state, moments)
        if self._is_news("sessions", rows):
            self._table.rows = rows
            self._table.update()
            self._nobody.set_visibility(not rows)

    def _show_plan(self, state: SiteState, moments: Moments) -> None:
        plan = state.plan
        if plan is None:
            return
        age_s = (moments.now - plan.made_at).total_seconds()
        self._plan.set_text(f"no. {plan.no}")
        solved = "" if plan.engine == "none" else f" · {plan.engine}, {plan.status} in {plan.solve_ms:.0f} ms"
        self._plan_note.set_text(f"{plan_texts.duration(age_s)} old{solved}")
        self._plan.classes(**_toggled("bad", bool(plan_texts.warning(state, moments))))
        ahead = [i for i in range(len(plan.import_kw)) if plan.begin_of(i + 1) > moments.now]
        step = max(ahead, key=lambda i: plan.import_kw[i], default=None)
        if step is None:
            self._peak.set_text("–")
            self._peak_note.set_text("")
            return
        at = max(plan.begin_of(step), moments.now)
        bound = plan_chart.limit_now_kw(state, at)
        self._peak.set_text(f"{plan.import_kw[step]:.1f} kW")
        limit = "no limit" if bound is None else f"limit {bound:.0f} kW"
        is_over = bound is not None and plan.import_kw[step] > bound
        alone = f", building alone {plan.base_kw[step]:.1f} kW" if is_over else ""
        self._peak_note.set_text(f"{'now' if at == moments.now else 'at ' + moments.clock(at)} · {limit}{alone}")
        self._peak.classes(**_toggled("bad", is_over))

    def _show_promises(self, state: SiteState, moments: Moments) -> None:
        book = state.energy.promises
        done = book.n_kept + book.n_broken
        self._promises.set_text(f"{book.n_kept} of {done}" if done else "–")
        self._promises.classes(**_toggled("bad", book.n_broken > 0))
        danger = len(in_danger(state, moments.now))
        ahead = f"{len(book.open)} open" + (f", {danger} in danger" if danger else "")
        self._promises_note.set_text(f"{book.n_broken} broken · {book.n_void} void (left early) · {ahead}")
        self._promises_note.classes(**_toggled("bad", danger > 0))
        tariff = state.context.tariff
        for charge in tariff.demand:
            value, note = self._demand[charge.name]
            incurred = energy_state.incurred_kw(state.energy, charge.name, moments.now, tariff.timezone)
            value.set_text(f"{incurred:.1f} kW")
            note.set_text(f"this month · {charge.price_per_kw:g} {tariff.currency} per kW")

    def _show_short(self, state: SiteState, moments: Moments) -> None:
        plan = state.plan
        receipts = plan.receipts if plan is not None else ()
        total = sum(r.lacking_kwh for r in receipts)
        self._lack.set_text(f"{total:.1f} kWh" if receipts else "–" if plan is None else "nothing")
        self._lack.classes(**_toggled("bad", bool(receipts)))
        self._lack_note.set_text(
            f"{len(receipts)} of {plan_texts.cars(len(plan.sessions))} in the plan" if plan is not None else ""
        )
        self._short_title.set_text(f"What is short ({len(receipts)})" if receipts else "What is short")
        self._causes.set_text("\n".join(plan_texts.causes(receipts)) if len(receipts) > 1 else "")
        lines = plan_texts.short_lines(state, moments)
        if not lines and plan is not None:
            lines = ("Everybody gets what was asked.",)
        if self._is_news("short", lines):
            self._short.clear()
            with self._short:
                for line in lines:
                    ui.label(line)
        left_out = unplanned(state, moments.now)
        notes = ["Each cure is for that car alone."] if len(receipts) > 1 else []
        notes += (
            [f"{plan_texts.cars(left_out, 'is', 'are')} not in the plan and still to be charged; see below."]
            if left_out
            else []
        )
        self._short_note.set_text(" ".join(notes))

    def _show_limits(self, state: SiteState, moments: Moments) -> None:
        plan, currency = state.plan, state.context.tariff.currency
        found = plan_texts.full_limits(plan) if plan is not None else ()
        found = tuple(x for x in found if x.until_at > moments.now)
        rows = [
            {
                "id": f"{x.name} {x.source} {x.from_at}",
                "name": x.name,
                "source": x.source,
                "span": moments.span(x.from_at, x.until_at),
                "worth": plan_texts.worth_words(x, currency),
            }
            for x in found[:LIMITS_SHOWN]
        ]
        if self._is_news("limits", rows):
            self._limits.rows = rows
            self._limits.update()
            self._limits.set_visibility(bool(rows))
        self._limits_note.set_text(_limits_note(plan, len(found)))

    def _show_chart(self, state: SiteState, moments: Moments) -> None:
        plan = state.plan
        if plan is None:
            self._chart_title.set_text("Power ahead: no plan yet")
            return
        minute = int((moments.now - plan.made_at).total_seconds() // 60)
        if not self._is_news("chart", (plan.no, plan.made_at, state.limits, minute)):
            return
        plan_chart.put(self._chart.options, state, plan, moments.now)
        self._chart.update()
        span = f"{moments.clock(plan.made_at)} to {moments.clock(plan.until)}"
        self._chart_title.set_text(f"Power ahead, {span}, {self._manager.site.timezone}")
        self._chart_note.set_text(_chart_note(plan))


def _table(columns: tuple[dict[str, Any], ...], test_id: str) -> ui.table:
    """A table that leaves out columns on a phone."""
    names = [c["name"] for c in columns]
    visible = f"{WIDE} ? {names} : {[n for n in names if n in NARROW]}"
    table = ui.table(columns=[dict(c) for c in columns], rows=[], row_key="id").classes("w-full")
    table.props(f'flat dense hide-bottom data-testid="{test_id}"')
    table.props[":visible-columns"] = visible
    return table


def _limits_note(plan: Plan | None, n_found: int) -> str:
    if n_found == 0:
        return "No full limit keeps the cars from anything."
    more = [f"and {n_found - LIMITS_SHOWN} more."] if n_found > LIMITS_SHOWN else []
    if plan is not None and plan.receipts:
        more.append("The worth counts what the plan reckons for energy that cars will lack, not only the bill.")
    return " ".join(more)


def _chart_note(plan: Plan) -> str:
    if not plan.import_kw:
        return "No car needs anything now, so nothing is planned."
    note = "The plan stays below the limit by a margin, and by what the forecast of the building may be wrong."
    curtailed_kwh = sum(kw * s / 3600.0 for kw, s in zip(plan.curtailed_kw, plan.step_s, strict=False))
    return f"{note} {curtailed_kwh:.1f} kWh of sun are not used." if curtailed_kwh >= 0.05 else note


def _toggled(name: str, is_on: bool) -> dict[str, str]:
    return {"add": name} if is_on else {"remove": name}


# -- the table of cars ---------------------------------------------------------------------------------------------


def unplanned(state: SiteState, now: datetime) -> int:
    """How many cars need energy and are not in the plan in force."""
    planned = set(state.plan.sessions) if state.plan is not None else set()
    return sum(1 for s in state.sessions.values() if s.id not in planned and need_of(state, s, now).is_open)


def in_danger(state: SiteState, now: datetime) -> tuple[SessionId, ...]:
    """Sessions that will get less than they were promised if the plan in force comes true."""
    plan = state.plan
    found = []
    for receipt in plan.receipts if plan is not None else ():
        session, promise = state.sessions.get(receipt.session), state.energy.promises.open.get(receipt.session)
        if session is None or promise is None:
            continue
        gets_kwh = session.energy_kwh + need_of(state, session, now).energy_kwh - receipt.lacking_kwh
        slack_kwh = max(energy_state.KEPT_KWH, energy_state.KEPT_FRAC * promise.energy_kwh)
        if promise.energy_kwh - gets_kwh > slack_kwh:
            found.append(session.id)
    return tuple(found)


def session_rows(state: SiteState, moments: Moments) -> list[dict[str, Any]]:
    """A row per running session: who will lack most first, then in the order of the EVSEs."""
    plan = state.plan
    place = {s: i for i, s in enumerate(plan.sessions)} if plan is not None else {}
    whys: dict[SessionId, list[Why]] = {}
    for why in plan.whys if plan is not None else ():
        whys.setdefault(why.session, []).append(why)
    lacks = {r.session: r.lacking_kwh for r in plan.receipts} if plan is not None else {}
    ordered = sorted(state.sessions.values(), key=lambda s: (-lacks.get(s.id, 0.0), s.evse))
    rows = []
    for session in ordered:
        row = _row(state, session, moments)
        lacking = lacks.get(session.id)
        row["lacks"] = f"{lacking:.1f} kWh" if lacking is not None else ""
        if plan is not None and session.id in place:
            step = plan.step_at(moments.now)
            row["power"] = "–" if step is None else f"{plan.power_kw[place[session.id]][step]:.1f}"
            row["why"] = ",\n".join(plan_texts.runs_words(plan, whys.get(session.id, ()), moments))
        rows.append(row)
    return rows


def _row(state: SiteState, session: Session, moments: Moments) -> dict[str, Any]:
    """What does not come from the plan's power."""
    need = need_of(state, session, moments.now)
    promise = state.energy.promises.open.get(session.id)
    intent = session.intent
    is_said = intent.energy_kwh is not None or intent.soc_target_frac is not None
    wants = session.energy_kwh + max(need.energy_kwh, 0.0)
    if intent.depart_at is not None:
        depart = moments.clock(intent.depart_at) + (" (past)" if intent.depart_at <= moments.now else "")
    else:
        assumed = plan_texts.assumed_departure(state.plan, session.id) if state.plan is not None else None
        depart = "not said" if assumed is None else f"about {moments.clock(assumed)} (assumed)"
    return {
        "id": session.id,
        "evse": session.evse,
        "tag": session.id_tag,
        "energy": f"{session.energy_kwh:.1f} / {wants:.1f}" + ("" if is_said else " (assumed)"),
        "depart": depart,
        "promise": "–" if promise is None else f"{promise.energy_kwh:.1f} kWh by {moments.clock(promise.by_at)}",
        "power": "–",
        "why": plan_texts.left_out_words(state, session, need),
    }
