"""The plan in words: what is short and what cures it, what binds whom, which limits are full. No user interface here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from zoneinfo import ZoneInfo

from loadmgr.control.fallback import is_plan_fresh
from loadmgr.control.need import Need
from loadmgr.control.state import SiteState
from loadmgr.domain.ids import SessionId
from loadmgr.domain.plan import Plan, Receipt, Why
from loadmgr.domain.session import Session

WORDS: Mapping[str, str] = MappingProxyType(
    {
        "evse": "its own maximum",
        "energy": "has what it needs",
        "price": "cheaper later",
        "none": "",
        "": "",
    }
)
RUNS_SHOWN = 3
SMALL_MONEY = 0.005
"""Money per hour that is shown as nothing: such a full limit makes cars slower, not dearer."""


def why_words(name: str) -> str:
    """Why a session gets no more: a word of ``Binding`` or the name of a limit row."""
    return WORDS.get(name, f"limit {name}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Says times as people at the site do: local, with the weekday when it is not today."""

    now: datetime
    zone: ZoneInfo

    def clock(self, at: datetime) -> str:
        """``14:20`` today, ``Thu 02:10`` on another day."""
        local = at.astimezone(self.zone)
        is_today = local.date() == self.now.astimezone(self.zone).date()
        return f"{local:%H:%M}" if is_today else f"{local:%a %H:%M}"

    def span(self, begin: datetime, end: datetime) -> str:
        """``now–14:20`` or ``14:20–15:00``; the end says its day only where it is another than that of the begin."""
        until = self.clock(end)
        if end.astimezone(self.zone).date() == max(begin, self.now).astimezone(self.zone).date():
            until = f"{end.astimezone(self.zone):%H:%M}"
        return f"{'now' if begin <= self.now else self.clock(begin)}–{until}"


def duration(seconds: float) -> str:
    """A length of time in one or two units."""
    if seconds < 100.0:
        return f"{max(seconds, 0.0):.0f} s"
    minutes = round(seconds / 60.0)
    if minutes < 90:
        return f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"


# -- what is short -------------------------------------------------------------------------------------------------


def receipt_words(receipt: Receipt, evse_of: Mapping[SessionId, str], leaves: str) -> str:
    """One receipt as a sentence and its cures; ``leaves`` says when the car goes."""
    who = evse_of.get(receipt.session, receipt.session)
    cures = ", or ".join(_cures(receipt, evse_of))
    cure = f" Cure: {cures}." if cures else ""
    return f"{who} will lack {receipt.lacking_kwh:.1f} kWh {leaves} because {_because(receipt)}.{cure}"


def _because(receipt: Receipt) -> str:
    if receipt.reason == "evse":
        return "even at full power the time is too short"
    source = f" ({receipt.source})" if receipt.source else ""
    return WORDS.get(receipt.reason, f"{receipt.reason}{source} is full")


def causes(receipts: Iterable[Receipt]) -> tuple[str, ...]:
    """How much is lacking for which cause, the largest first; for when there are many receipts."""
    groups: dict[str, list[float]] = {}
    for receipt in receipts:
        groups.setdefault(_because(receipt), []).append(receipt.lacking_kwh)
    ordered = sorted(groups.items(), key=lambda x: -sum(x[1]))
    return tuple(
        f"{cars(len(lacking), 'lacks', 'lack')} {sum(lacking):.1f} kWh because {because}." for because, lacking in ordered
    )


def cars(n: int, one: str = "", many: str = "") -> str:
    """``1 car`` or ``3 cars``, with the verb that follows."""
    verb = one if n == 1 else many
    return f"{'1 car' if n == 1 else f'{n} cars'}{' ' + verb if verb else ''}"


def _cures(receipt: Receipt, evse_of: Mapping[SessionId, str]) -> Iterator[str]:
    if receipt.more_time_s is not None:
        yield f"{duration(max(receipt.more_time_s, 60.0))} more"
    if receipt.more_limit is not None:
        yield f"{max(receipt.more_limit, 0.1):.1f} {receipt.limit_unit} more there"
    if receipt.instead_of is not None:
        yield f"less for {evse_of.get(receipt.instead_of, receipt.instead_of)}"


def short_lines(state: SiteState, moments: Moments) -> tuple[str, ...]:
    """The receipts of the plan in force, the largest lack first; none: everybody gets what was asked."""
    plan = state.plan
    if plan is None:
        return ()
    evse_of = dict(zip(plan.sessions, plan.evses, strict=True))
    ordered = sorted(plan.receipts, key=lambda r: (-r.lacking_kwh, evse_of.get(r.session, "")))
    return tuple(receipt_words(r, evse_of, _leaves(state, plan, r.session, moments)) for r in ordered)


def _leaves(state: SiteState, plan: Plan, session_id: SessionId, moments: Moments) -> str:
    session = state.sessions.get(session_id)
    said = session.intent.depart_at if session is not None else None
    if said is not None and said <= moments.now:
        return f"(it should have left at {moments.clock(said)})"
    if said is not None:
        return f"at {moments.clock(said)}"
    assumed = assumed_departure(plan, session_id)
    return "at its departure" if assumed is None else f"at about {moments.clock(assumed)} (departure assumed)"


def assumed_departure(plan: Plan, session: SessionId) -> datetime | None:
    """When the plan stops counting with a session, to the end of a step."""
    ends = [w.until_step for w in plan.whys if w.session == session]
    return plan.begin_of(max(ends)) if ends else None


# -- what binds ----------------------------------------------------------------------------------------------------


def runs_words(plan: Plan, whys: Iterable[Why], moments: Moments) -> tuple[str, ...]:
    """What binds one session from now on: the first runs, and how many more there are."""
    ahead = [w for w in whys if plan.begin_of(w.until_step) > moments.now]
    told = [
        f"{moments.span(plan.begin_of(w.from_step), plan.begin_of(w.until_step))} {why_words(w.name) or 'nothing'}"
        for w in ahead[:RUNS_SHOWN]
    ]
    more = len(ahead) - len(told)
    if more:
        told.append(
            f"{more} more change{'s' if more > 1 else ''} until {moments.clock(plan.begin_of(ahead[-1].until_step))}"
        )
    return tuple(told)


def left_out_words(state: SiteState, session: Session, need: Need) -> str:
    """Why a running session is not in the plan in force."""
    if not need.is_open:
        return why_words("energy")
    evse = state.evses[session.evse]
    if not state.stations[state.site.evses[session.evse].station].is_connected:
        return "not planned: no link to its charger, which counts at its worst"
    if need.power_max_kw <= 0.0:
        return f"not planned: its charger gives nothing now ({evse.status.value})"
    if evse.is_disobedient:
        return "not planned: it does not obey, so it counts at its worst"
    if state.plan is None or session.started_at >= state.plan.made_at:
        return "it has just arrived: the next plan has it"
    return "not in this plan: it counts as a load that we do not control"


@dataclass(frozen=True, slots=True, kw_only=True)
class FullLimit:
    """A row without room over neighbouring steps; ``worth_per_h`` is the mean over them."""

    name: str
    source: str
    unit: str
    from_at: datetime
    until_at: datetime
    worth_per_h: float


def full_limits(plan: Plan) -> tuple[FullLimit, ...]:
    """``plan.worth`` with neighbouring spans of a row as one; the dearest first, then the earliest."""
    found: list[FullLimit] = []
    for worth in sorted(plan.worth, key=lambda w: (w.name, w.source, w.from_step)):
        begin, end = plan.begin_of(worth.from_step), plan.begin_of(worth.until_step)
        last = found[-1] if found else None
        money, start = worth.worth_per_h, begin
        if last is not None and (last.name, last.source, last.until_at) == (worth.name, worth.source, begin):
            before_s, now_s = (begin - last.from_at).total_seconds(), (end - begin).total_seconds()
            money, start = (last.worth_per_h * before_s + money * now_s) / (before_s + now_s), last.from_at
            found.pop()
        found.append(
            FullLimit(name=worth.name, source=worth.source, unit=worth.unit, from_at=start, until_at=end, worth_per_h=money)
        )
    return tuple(sorted(found, key=lambda x: (-round(x.worth_per_h, 2), x.from_at, x.name)))


def worth_words(limit: FullLimit, currency: str) -> str:
    """What one more unit would save per hour."""
    if limit.worth_per_h < SMALL_MONEY:
        return "next to nothing"
    return f"{limit.worth_per_h:.2f} {currency} per {limit.unit}"


# -- the plan itself -----------------------------------------------------------------------------------------------


def warning(state: SiteState, moments: Moments) -> str:
    """Why the plan is not to be relied on; empty when it is."""
    plan, life_s = state.plan, state.params.plan_life_s
    if plan is None:
        return "There is no plan yet. The cars share the capacity by rule, within every limit."
    age_s = (moments.now - plan.made_at).total_seconds()
    if not is_plan_fresh(state, moments.now):
        return (
            f"This plan is {duration(age_s)} old and counts no longer (its life is {duration(life_s)}). "
            "The cars share the capacity by rule, within every limit, until a new plan comes. "
            f"What follows is what was planned at {moments.clock(plan.made_at)}."
        )
    if plan.rule_based:
        return (
            "The optimiser gave no answer, so this plan comes from a rule: it keeps every limit, but "
            "weighs no prices and makes no promises."
        )
    return ""
