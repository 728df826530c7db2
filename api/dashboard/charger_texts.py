"""Chargers in words: the rows of the table, the way of an order, what is known of a charger. No user interface here."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from api.charger_history import Told
from api.charger_problems import Problem
from api.charger_view import ChargerView, OrdersView, mean_effect_s, unusual
from api.dashboard.plan_texts import Moments, duration
from api.order_view import OrderView
from loadmgr.control.evse_state import Obedience
from loadmgr.control.obedience import Figure
from loadmgr.domain import events as ev
from loadmgr.domain.traits import Traits

_RANK = {"critical": 0, "warning": 1, "info": 2, "ok": 3}
STATE_WORDS = (("critical", "CRITICAL"), ("warning", "Warning"), ("info", "Note"), ("ok", "OK"))
DONE, WAITS, LATE, OPEN = "done", "waits", "late", "open"


def seconds_clock(at: datetime | None, moments: Moments) -> str:
    """``14:20:07``, with the weekday when it is not today; a dash for no time."""
    if at is None:
        return "–"
    return f"{moments.clock(at)}:{at.astimezone(moments.zone):%S}"


def since_words(at: datetime | None, moments: Moments) -> str:
    """``14:20 · 5 min``: when it began and how long ago that is."""
    if at is None:
        return "–"
    return f"{moments.clock(at)} · {duration((moments.now - at).total_seconds())}"


def amount(order: OrderView) -> str:
    """What an order says: a power where it is a power."""
    return f"{order.current_a:.1f} A" if order.power_kw is None else f"{order.power_kw:.1f} kW"


def order_words(view: OrdersView) -> str:
    """The newest order and how far it came; what holds instead where there is none."""
    if view.paused_at is not None:
        return "paused by a remote stop"
    order = view.order
    if order is None or order.stage == "expired":
        return f"no order · {view.allowed_a:.1f} A may flow" if view.session is not None else "no car"
    how = {"effective": f"effective ({order.evidence})", "in-doubt": "in doubt, sent again"}.get(order.stage, order.stage)
    return f"{amount(order)} {how}" + (", late" if order.is_late else "")


def obeys_words(counts: Obedience) -> str:
    """``97 % of 120``; a dash before the first decided order."""
    if counts.frac is None:
        return "–"
    return f"{_percent(counts.frac)} of {counts.n_judged + counts.n_refused + counts.n_unanswered}"


def _percent(frac: float) -> str:
    """Never 100 % unless it is."""
    return f"{frac:.0%}" if frac in {0.0, 1.0} or 0.005 <= frac < 0.995 else f"{min(max(frac, 0.001), 0.999):.1%}"


def effect_words(counts: Obedience) -> str:
    """Mean time from an answer to its evidence."""
    mean_s = mean_effect_s(counts)
    return "–" if mean_s is None else f"{mean_s:.1f} s"


def ordered(views: Iterable[ChargerView]) -> list[ChargerView]:
    """Those that need somebody first: by severity, then the longest, then those with a car, then as in the site file."""

    def key(view: ChargerView) -> tuple[int, float, bool]:
        begin = view.problems[0].since if view.problems else None
        is_idle = all(e.session is None for e in view.evses)
        return _RANK[view.severity], begin.timestamp() if begin is not None else float("inf"), is_idle

    return sorted(views, key=key)


def row(view: ChargerView, moments: Moments) -> dict[str, Any]:
    """One charger in the table."""
    worst = view.problems[0] if view.problems else None
    more = len(view.problems) - 1
    many = len(view.evses) > 1
    prefix = {e.evse: f"{e.evse.rpartition('/')[2]}: " if many else "" for e in view.evses}
    return {
        "id": view.station,
        "station": view.station,
        "state": dict(STATE_WORDS)[view.severity],
        "rank": _RANK[view.severity],
        "wrong": "" if worst is None else worst.message + (f" (and {more} more)" if more else ""),
        "since": since_words(worst.since, moments) if worst is not None else "",
        "todo": worst.remedy if worst is not None else "",
        "obeys": obeys_words(view.obedience),
        "effect": effect_words(view.obedience),
        "order": "\n".join(prefix[e.evse] + order_words(e) for e in view.evses),
        "drawn": "\n".join(prefix[e.evse] + f"{max(e.drawn_a):.1f}" for e in view.evses),
        "link": link_words(view),
        "model": " ".join(x for x in (view.vendor, view.model, view.firmware) if x) or "–",
    }


def link_words(view: ChargerView) -> str:
    """``OCPP 1.6``, ``no link`` or ``never connected``."""
    if view.is_connected:
        return f"OCPP {view.ocpp}"
    return "no link" if view.link_since is not None else "never connected"


def figure_row(figure: Figure) -> dict[str, Any]:
    """One model in the table of models."""
    counts = figure.counts
    return {
        "id": figure.name,
        "model": figure.name,
        "n": figure.n_evses,
        "obeys": obeys_words(counts),
        "effect": effect_words(counts),
        "missed": counts.n_judged - counts.n_obeyed,
        "refused": counts.n_refused,
        "unanswered": counts.n_unanswered,
    }


# -- one charger ---------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A step of an order's way. ``state``: ``done``, ``waits``, ``late`` or ``open``."""

    name: str
    value: str
    note: str
    state: str


def steps(view: OrdersView, moments: Moments) -> tuple[Step, ...]:
    """desired → sent → accepted → effective of one EVSE (rule H.1)."""
    order = view.order
    wanted = "–" if view.desired_a is None else f"{view.desired_a:.1f} A"
    why = "no plan for it" if view.desired_a is None else "by the plan"
    desired = Step(name="Desired", value=wanted, note=why, state=DONE if view.desired_a is not None else OPEN)
    if order is None or order.stage == "expired":
        ended = "" if order is None else f"the last order ended at {seconds_clock(order.valid_until, moments)}"
        none = Step(name="Sent", value="no order", note=ended or "nothing to send", state=OPEN)
        rest = Step(name="Holds", value=f"{view.allowed_a:.1f} A", note="what may flow without an order", state=OPEN)
        return desired, none, rest
    sent = Step(
        name="Sent",
        value=amount(order),
        note=f"{seconds_clock(order.sent_at, moments)} · no. {order.no}" + _bound(order.bound_by),
        state=DONE,
    )
    if view.excess_since is not None and order.stage == "accepted":
        note = f"it draws more since {seconds_clock(view.excess_since, moments)}"
        return desired, sent, _accepted(order, moments), Step(name="Effective", value="no", note=note, state=LATE)
    return desired, sent, _accepted(order, moments), _effective(order, moments)


def _bound(name: str) -> str:
    if name == "disobeys":
        return " · told zero until it obeys"
    return "" if name in {"", "none", "evse", "price", "energy", "restart"} else f" · kept by {name}"


def _accepted(order: OrderView, moments: Moments) -> Step:
    match order.stage:
        case "sent":
            return Step(name="Accepted", value="waits", note="no answer yet", state=LATE if order.is_late else WAITS)
        case "unanswered" | "in-doubt":
            note = "no answer came" if order.stage == "unanswered" else "it may have been lost; it is sent again"
            return Step(name="Accepted", value="not known", note=note, state=LATE)
        case _:
            return Step(name="Accepted", value="yes", note=seconds_clock(order.answered_at, moments), state=DONE)


def _effective(order: OrderView, moments: Moments) -> Step:
    if order.stage == "effective":
        what = "its offer says so" if order.evidence == "offered" else "measured current says so"
        return Step(name="Effective", value="yes", note=f"{seconds_clock(order.effective_at, moments)} · {what}", state=DONE)
    if order.stage == "accepted":
        note = "overdue" if order.is_late else "waits for a measurement"
        return Step(name="Effective", value="not shown", note=note, state=LATE if order.is_late else WAITS)
    return Step(name="Effective", value="–", note="after the answer", state=OPEN)


def facts(view: OrdersView, moments: Moments) -> tuple[tuple[str, str], ...]:
    """(what, value) of one EVSE beside its order."""
    found = [
        ("Draws L1 / L2 / L3", " / ".join(f"{a:.1f}" for a in view.drawn_a) + " A"),
        ("Measured", seconds_clock(view.measured_at, moments)),
        ("May draw", f"{view.allowed_a:.1f} A" + (" · counts at its maximum" if view.is_disobedient else "")),
    ]
    if view.offered_a is not None:
        found.append(("Says it offers", f"{view.offered_a:.1f} A"))
    order = view.order
    form = order.form if order is not None else view.form
    found.append(("Told as", f"{form} (way {view.form_no + 1} of {view.n_forms})"))
    found.append(("Obeyed", f"{obeys_words(view.obedience)}{_split(view.obedience)}"))
    if view.n_remedies and view.remedied_at is not None:
        found.append(("Remedies", f"{view.n_remedies}, the last at {seconds_clock(view.remedied_at, moments)}"))
    if view.paused_at is not None:
        found.append(("Paused", f"by a remote stop since {seconds_clock(view.paused_at, moments)}"))
    if view.composite is not None:
        found.append(("Its own schedule", composite_words(view.composite, moments)))
    return tuple(found)


def _split(counts: Obedience) -> str:
    parts = (
        (counts.n_judged - counts.n_obeyed, "not followed"),
        (counts.n_refused, "refused"),
        (counts.n_unanswered, "unanswered"),
    )
    said = ", ".join(f"{n} {what}" for n, what in parts if n)
    return f" ({said})" if said else ""


def composite_words(read: ev.CompositeRead, moments: Moments) -> str:
    """What a station said it will do, and whether that is what it was told."""
    limits = ", ".join(f"{a:g} A from +{s:g} s" for s, a in read.limits_a[:4]) or "empty"
    verdict = f"differs: {read.differs}" if read.differs else "as ordered"
    return f"{limits} · {verdict} · read at {seconds_clock(read.at, moments)}"


def problem_words(problem: Problem, moments: Moments) -> tuple[str, str, str]:
    """(severity, message with its begin, remedy)."""
    begin = "" if problem.since is None else f", since {since_words(problem.since, moments)}"
    return dict(STATE_WORDS)[problem.severity.value], f"{problem.message}{begin}", problem.remedy


def station_words(view: ChargerView, moments: Moments) -> str:
    """Link and fail-safe in a sentence."""
    begin = "" if view.link_since is None else f" since {seconds_clock(view.link_since, moments)}"
    safe = {"confirmed": "confirmed", "refused": "REFUSED", "unknown": "not confirmed"}[view.failsafe]
    value = "" if view.failsafe_a is None else f" {view.failsafe_a:g} A"
    serial = f" · serial {view.serial}" if view.serial else ""
    return f"{link_words(view)}{begin} · fail-safe{value} {safe}{serial}"


def foreign_lines(view: ChargerView, moments: Moments) -> tuple[str, ...]:
    """Limits of others and DER controls, one line each."""
    found = []
    for limit in view.externals:
        values = [f"{limit.current_a:g} A"] if limit.current_a is not None else []
        values += [f"{limit.power_kw:g} kW"] if limit.power_kw is not None else []
        until = f" until {moments.clock(limit.until_at)}" if limit.until_at is not None else ""
        what = "adds supply" if limit.is_generation else "limits it"
        found.append(
            f"{limit.source} {what}: {' and '.join(values) or 'value not told'} at {limit.evse or 'all of it'}{until}"
        )
    for stored in view.der:
        control = stored.control
        state = "active" if control.id in view.der_active else "superseded" if stored.is_superseded else "scheduled"
        values = [f"{name} {value:g}" for name, value in control.values]
        found.append(f"{control.control_type} {control.id}: {', '.join(values) or 'curve'} · {state}")
    return tuple(found)


def trait_lines(traits: Traits) -> tuple[str, ...]:
    """Peculiarities, one line each."""
    return tuple(f"{name} = {value} (standard: {usual})" for name, value, usual in unusual(traits))


def remedy_lines(told: Told, moments: Moments) -> tuple[str, ...]:
    """What was tried, the newest first."""
    words = {
        "resend": "sent the order again",
        "form": "tried another way to say it",
        "stop": "stopped the session",
        "pause": "paused the car by a remote stop",
        "resume": "started the paused car again",
    }
    return tuple(f"{seconds_clock(r.at, moments)} {r.evse}: {words.get(r.remedy, r.remedy)}" for r in told.remedies)
