"""Which charger does not do what it is told, since when, and what to do: all chargers, the worst first, one in detail."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from nicegui import ui

from api.charger_history import Told, told_of
from api.charger_view import ChargerView, charger_views, mean_effect_s
from api.dashboard import charger_texts as texts
from api.dashboard.frame import header
from api.dashboard.plan_texts import Moments
from api.dashboard.waiting import Waiting
from loadmgr.control import obedience
from loadmgr.control.evse_state import Obedience
from loadmgr.domain.ids import StationId
from loadmgr.runtime import LoadManager

REFRESH_S = 1.0
HISTORY_S = 3.0
WRAPPED = "white-space: pre-line; min-width: min(11rem, 38vw)"
LINES = "white-space: pre-line"
ORDER = "white-space: pre-line; min-width: 9.5rem"
COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "station", "label": "Charger", "field": "station", "align": "left", "sortable": True},
    {"name": "state", "label": "State", "field": "state", "align": "left"},
    {"name": "wrong", "label": "What is wrong", "field": "wrong", "align": "left", "style": WRAPPED},
    {"name": "since", "label": "Since", "field": "since", "align": "left"},
    {"name": "todo", "label": "What to do", "field": "todo", "align": "left", "style": WRAPPED},
    {"name": "obeys", "label": "Obeyed", "field": "obeys", "align": "right"},
    {"name": "order", "label": "Order", "field": "order", "align": "left", "style": ORDER},
    {"name": "drawn", "label": "Draws, A", "field": "drawn", "align": "right", "style": LINES},
    {"name": "link", "label": "Link", "field": "link", "align": "left"},
    {"name": "model", "label": "Model", "field": "model", "align": "left", "style": WRAPPED},
)
MODEL_COLUMNS: tuple[dict[str, Any], ...] = (
    {"name": "model", "label": "Model and firmware", "field": "model", "align": "left", "style": WRAPPED},
    {"name": "n", "label": "EVSEs", "field": "n", "align": "right"},
    {"name": "obeys", "label": "Obeyed", "field": "obeys", "align": "right"},
    {"name": "effect", "label": "Takes effect after", "field": "effect", "align": "right"},
    {"name": "missed", "label": "Not followed", "field": "missed", "align": "right"},
    {"name": "refused", "label": "Refused", "field": "refused", "align": "right"},
    {"name": "unanswered", "label": "Unanswered", "field": "unanswered", "align": "right"},
)
NARROW = ("station", "state", "wrong", "model", "n", "obeys")
PICK = """<q-td :props="props"><a href="#detail" class="pick" @click.prevent="$parent.$emit('pick', props.row.id)">
{{ props.value }}</a></q-td>"""
STATE = """<q-td :props="props"><span :class="'tag tag' + props.row.rank">{{ props.value }}</span></q-td>"""
SHOW_DETAIL = "document.querySelector('[data-testid=charger-detail]').scrollIntoView({block: 'nearest'})"


class Chargers:
    """One browser tab's view of all chargers. What did not change is not sent again."""

    def __init__(self, manager: LoadManager, picked: str = "") -> None:
        self._manager = manager
        self._zone = ZoneInfo(manager.site.timezone)
        self._shown: dict[str, object] = {}
        self._picked = StationId(picked) if picked in manager.site.stations else None
        self._told: tuple[object, Told] = (None, Told())

    def build(self) -> None:
        """Lay the page out and start refreshing."""
        self._clock = header(self._manager, "/chargers")
        with ui.column().classes("w-full q-pa-md gap-4"):
            with ui.element("div").classes("cols"):
                self._numbers()
            with ui.column().classes("panel w-full gap-1"):
                with ui.row().classes("items-center justify-between w-full"):
                    self._title = ui.label("").classes("font-semibold")
                    self._only = ui.checkbox("Only those with a problem or a note").props("dense")
                self._table = _table(COLUMNS, "chargers").classes("tall")
                self._table.props(""":table-row-class-fn="row => row.picked ? 'picked' : ''\"""")
                self._table.add_slot("body-cell-station", PICK)
                self._table.add_slot("body-cell-state", STATE)
                self._table.on("pick", lambda e: self._pick(str(e.args)))
                self._none = ui.label("No charger has a problem.").classes("unit")
            self._waiting = Waiting(self._manager)
            self._detail = ui.column().classes("panel w-full gap-3").props('data-testid="charger-detail"')
            with ui.column().classes("panel w-full gap-1"):
                ui.label("By model").classes("font-semibold")
                self._models = _table(MODEL_COLUMNS, "models")
                self._models_note = ui.label("").classes("unit")
        self._refresh()
        ui.timer(REFRESH_S, self._refresh)
        ui.timer(HISTORY_S, self._load)
        ui.timer(HISTORY_S, self._waiting.refresh)

    def _numbers(self) -> None:
        def number(title: str, test_id: str) -> tuple[ui.label, ui.label]:
            with ui.column().classes("panel gap-0"):
                ui.label(title).classes("unit")
                value = ui.label("–").classes("big").props(f'data-testid="{test_id}"')
                return value, ui.label("").classes("unit")

        self._wrong, self._wrong_note = number("Chargers with a problem", "n-wrong")
        self._obeyed, self._obeyed_note = number("Orders obeyed", "obeyed")
        self._effect, self._effect_note = number("Time to effect", "effect")
        self._linked, self._linked_note = number("Connected", "linked")

    def _pick(self, station: str) -> None:
        self._picked = StationId(station)
        self._refresh()
        ui.run_javascript(SHOW_DETAIL)

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
        views = texts.ordered(charger_views(state, moments.now))
        self._show_numbers(views)
        picked = next((v for v in views if v.station == self._picked), views[0] if views else None)
        self._show_table(views, picked.station if picked is not None else None, moments)
        self._show_models()
        if picked is not None:
            self._show_detail(picked, moments)

    def _show_numbers(self, views: list[ChargerView]) -> None:
        wrong = [v for v in views if v.severity in {"critical", "warning"}]
        critical = sum(1 for v in wrong if v.severity == "critical")
        self._wrong.set_text(f"{len(wrong)} of {len(views)}" if wrong else "none")
        self._wrong.classes(**_toggled("bad", critical > 0))
        warnings = len(wrong) - critical
        self._wrong_note.set_text(f"{critical} critical, {warnings} warning{'' if warnings == 1 else 's'}" if wrong else "")
        total = _total(views)
        self._obeyed.set_text("–" if total.frac is None else f"{int(total.frac * 1000) / 10:g} %")
        decided = total.n_judged + total.n_refused + total.n_unanswered
        missed = total.n_judged - total.n_obeyed
        self._obeyed_note.set_text(
            f"of {decided} · {missed} not followed, {total.n_refused} refused, {total.n_unanswered} unanswered"
            if decided
            else "no order has been decided yet"
        )
        mean_s = mean_effect_s(total)
        self._effect.set_text("–" if mean_s is None else f"{mean_s:.1f} s")
        self._effect_note.set_text("mean over obeyed orders; a rise counts as 0 s")
        linked = [v for v in views if v.is_connected]
        self._linked.set_text(f"{len(linked)} of {len(views)}")
        self._linked.classes(**_toggled("bad", not linked))
        versions = {name: sum(1 for v in linked if v.ocpp == name) for name in sorted({v.ocpp for v in linked})}
        self._linked_note.set_text(" · ".join(f"{n} with OCPP {name}" for name, n in versions.items()))

    def _show_table(self, views: list[ChargerView], picked: StationId | None, moments: Moments) -> None:
        shown = [v for v in views if v.problems or not self._only.value]
        rows = [{**texts.row(v, moments), "picked": v.station == picked} for v in shown]
        if self._is_news("table", rows):
            self._table.rows = rows
            self._table.update()
            self._none.set_visibility(not rows)
            self._title.set_text(f"Chargers ({len(rows)})" if shown == views else f"Chargers ({len(rows)} of {len(views)})")

    def _show_models(self) -> None:
        rows = [texts.figure_row(f) for f in obedience.by_model(self._manager.state)]
        rows = [r for r in rows if r["obeys"] != "–"]
        if self._is_news("models", rows):
            self._models.rows = rows
            self._models.update()
            self._models.set_visibility(bool(rows))
            self._models_note.set_text(
                "Orders since the service started: obeyed of all that evidence, a refusal or silence decided."
                if rows
                else "No order has been decided yet."
            )

    # -- one charger -----------------------------------------------------------------------------------------------

    async def _load(self) -> None:
        """Evidence and remedies come from the log, when there is news of them."""
        station = self._picked
        if station is None:
            views = texts.ordered(charger_views(self._manager.state, self._manager.now()))
            station = views[0].station if views else None
        if station is None:
            return
        state = self._manager.state
        tried = tuple(state.evses[e].remedied_at for e in self._manager.site.stations[station].evses)
        key = (station, state.chargers.traits_of(station), tried)
        if self._told[0] != key:
            self._told = (key, await told_of(self._manager.history, self._manager.site, station))

    def _show_detail(self, view: ChargerView, moments: Moments) -> None:
        key = self._told[0]
        told = self._told[1] if isinstance(key, tuple) and key[0] == view.station else Told()
        traits = self._manager.state.chargers.traits_of(view.station)
        name = " ".join(x for x in (view.vendor, view.model, view.firmware) if x)
        content = (
            f"{view.station}{' · ' + name if name else ''}",
            texts.station_words(view, moments),
            tuple(texts.problem_words(p, moments) for p in view.problems),
            tuple((e.evse, e.status, texts.steps(e, moments), texts.facts(e, moments)) for e in view.evses),
            (
                ("Imposed by others", texts.foreign_lines(view, moments)),
                ("Differs from the standard", texts.trait_lines(traits)),
                ("How that is known", told.evidence),
                ("What was tried", texts.remedy_lines(told, moments)),
            ),
        )
        if self._is_news("detail", content):
            self._detail.clear()
            with self._detail:
                _draw_detail(*content)


Evses = tuple[tuple[str, str, tuple[texts.Step, ...], tuple[tuple[str, str], ...]], ...]


def _draw_detail(
    title: str,
    about: str,
    problems: tuple[tuple[str, str, str], ...],
    evses: Evses,
    lists: tuple[tuple[str, tuple[str, ...]], ...],
) -> None:
    with ui.column().classes("gap-0"):
        ui.label(title).classes("text-lg font-semibold")
        ui.label(about).classes("unit")
    with ui.column().classes("gap-1"):
        if not problems:
            ui.label("Nothing is wrong with it.")
        for severity, message, remedy in problems:
            with ui.column().classes("gap-0"):
                ui.label(f"{severity}: {message}").classes("bad font-semibold" if severity == "CRITICAL" else "")
                ui.label(f"To do: {remedy}").classes("unit")
    for evse, status, steps, facts in evses:
        with ui.column().classes("gap-1 w-full"):
            ui.label(f"EVSE {evse} · {status}").classes("font-semibold")
            with ui.element("ol").classes("chain"):
                for step in steps:
                    with ui.element("li").classes(f"step {step.state}"):
                        ui.label(step.name).classes("unit")
                        ui.label(step.value).classes("value")
                        ui.label(step.note).classes("unit")
            with ui.element("dl").classes("facts"):
                for what, value in facts:
                    with ui.element("div"):
                        ui.label(what).classes("unit")
                        ui.label(value)
    with ui.element("div").classes("cols"):
        for what, lines in lists:
            if lines:
                with ui.column().classes("gap-0 half"):
                    ui.label(what).classes("font-semibold")
                    for line in lines:
                        ui.label(line)


def _total(views: list[ChargerView]) -> Obedience:
    parts = [v.obedience for v in views]
    return Obedience(
        n_judged=sum(p.n_judged for p in parts),
        n_obeyed=sum(p.n_obeyed for p in parts),
        n_refused=sum(p.n_refused for p in parts),
        n_unanswered=sum(p.n_unanswered for p in parts),
        effect_s=sum(p.effect_s for p in parts),
    )


def _table(columns: tuple[dict[str, Any], ...], test_id: str) -> ui.table:
    """A table that leaves out columns on a phone."""
    names = [c["name"] for c in columns]
    table = ui.table(columns=[dict(c) for c in columns], rows=[], row_key="id").classes("w-full")
    table.props(f'flat dense hide-bottom data-testid="{test_id}" :pagination="{{rowsPerPage: 0}}"')
    table.props[":visible-columns"] = f"window.innerWidth >= 600 ? {names} : {[n for n in names if n in NARROW]}"
    return table


def _toggled(name: str, is_on: bool) -> dict[str, str]:
    return {"add": name} if is_on else {"remove": name}
