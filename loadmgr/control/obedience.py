"""desired → sent → accepted → effective: what is done about a charger that does not follow, and how well each obeys.

The ladder of remedies is that of domain rule H.1 and quirk G-112: the same again, other forms, a stop, the worst case.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from loadmgr.control import ladder
from loadmgr.control.evse_state import EvseState, Obedience
from loadmgr.control.site_state import SiteState, forms_of
from loadmgr.domain import events as ev
from loadmgr.domain.commands import Command, StopSession
from loadmgr.domain.ids import StationId

RESEND_AFTER_S = 15.0
FORM_EVERY_S = 15.0
STOP_AFTER_S = 120.0
"""Times since the excess was first seen [G-112]."""

RESEND, FORM, STOP = "resend", "form", "stop"


def remedies(state: SiteState, now: datetime) -> Iterator[tuple[ev.RemedyTried, Command | None]]:
    """What to try now about every car that draws more than it may, with the command where one is needed."""
    for known in state.evses.values():
        if known.excess_since is None or known.session is None or known.last_order is None:
            continue
        station = state.site.evses[known.id].station
        if not state.stations[station].is_connected or not _is_turn(known, now, _form_every_s(state, known)):
            continue
        yield _remedy(state, known, station, now)


def _form_every_s(state: SiteState, known: EvseState) -> float:
    """A form is left only when a sample from after its settling can have shown that it has no effect."""
    return max(FORM_EVERY_S, state.site.evses[known.id].caps.settle_s + state.params.sample_interval_s)


def _is_turn(known: EvseState, now: datetime, every_s: float) -> bool:
    """The first remedy comes ``RESEND_AFTER_S`` after the excess was seen, each further one after ``every_s``."""
    if known.excess_since is None or (now - known.excess_since).total_seconds() < RESEND_AFTER_S:
        return False
    if known.remedied_at is None or known.remedied_at < known.excess_since:
        return True
    return (now - known.remedied_at).total_seconds() >= every_s


def _remedy(state: SiteState, known: EvseState, station: StationId, now: datetime) -> tuple[ev.RemedyTried, Command | None]:
    forms = forms_of(state, known.id)
    excess_s = (now - known.excess_since).total_seconds() if known.excess_since is not None else 0.0
    session = state.sessions.get(known.session) if known.session is not None else None
    if excess_s >= STOP_AFTER_S and session is not None:
        stop = StopSession(no=0, station=station, evse=known.id, transaction=session.transaction)
        return ev.RemedyTried(at=now, evse=known.id, remedy=STOP, form_no=known.form_no), stop
    if known.remedied_at is None or (known.excess_since is not None and known.remedied_at < known.excess_since):
        return ev.RemedyTried(at=now, evse=known.id, remedy=RESEND, form_no=known.form_no), None
    next_no = ladder.next_no(forms, known.form_no, "")
    return ev.RemedyTried(at=now, evse=known.id, remedy=FORM, form_no=next_no), None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """How one kind of charger obeys. ``name``: a station, or ``vendor model firmware``."""

    name: str
    n_evses: int
    counts: Obedience

    @property
    def obeyed_frac(self) -> float | None:
        """Part of the decided orders that came true."""
        return self.counts.frac

    @property
    def mean_effect_s(self) -> float | None:
        """Mean time from the answer to a decrease to its evidence."""
        return self.counts.effect_s / self.counts.n_decreases if self.counts.n_decreases else None


def by_station(state: SiteState) -> tuple[Figure, ...]:
    """One figure per station that was ever commanded."""
    found = []
    for station in state.site.stations.values():
        total = _total([state.evses[e].obedience for e in station.evses])
        if total != Obedience():
            found.append(Figure(name=str(station.id), n_evses=len(station.evses), counts=total))
    return tuple(found)


def by_model(state: SiteState) -> tuple[Figure, ...]:
    """One figure per vendor, model and firmware."""
    groups: dict[str, list[EvseState]] = {}
    for station in state.stations.values():
        if station.vendor or station.model:
            name = " ".join(x for x in (station.vendor, station.model, station.firmware) if x)
            groups.setdefault(name, []).extend(state.evses[e] for e in state.site.stations[station.id].evses)
    return tuple(
        Figure(name=name, n_evses=len(group), counts=_total([e.obedience for e in group]))
        for name, group in sorted(groups.items())
    )


def _total(parts: list[Obedience]) -> Obedience:
    return Obedience(
        n_judged=sum(p.n_judged for p in parts),
        n_obeyed=sum(p.n_obeyed for p in parts),
        n_refused=sum(p.n_refused for p in parts),
        n_unanswered=sum(p.n_unanswered for p in parts),
        n_decreases=sum(p.n_decreases for p in parts),
        effect_s=sum(p.effect_s for p in parts),
    )
