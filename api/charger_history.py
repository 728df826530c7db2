"""What the log of this run tells about a charger and the state does not keep: evidence, and remedies one by one."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from loadmgr.domain import events as ev
from loadmgr.domain.ids import StationId
from loadmgr.domain.site import Site
from loadmgr.ports import HistoryReader

PAGE, PAGES = 500, 10
REMEDIES_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """``evidence``: one line per peculiarity; ``remedies``: the newest first."""

    evidence: tuple[str, ...] = ()
    known_at: datetime | None = None
    remedies: tuple[ev.RemedyTried, ...] = ()


async def told_of(history: HistoryReader, site: Site, station: StationId) -> Told:
    """Look through the log, at most ``PAGES`` pages back."""
    known: ev.TraitsKnown | None = None
    remedies: list[ev.RemedyTried] = []
    evses, before = site.stations[station].evses, None
    for _ in range(PAGES):
        page = await history.events(limit=PAGE, kinds=("TraitsKnown", "RemedyTried"), before_seq=before)
        for stored in page:
            match stored.event:
                case ev.TraitsKnown(station=told) if told == station and known is None:
                    known = stored.event
                case ev.RemedyTried(evse=evse) if evse in evses:
                    remedies.append(stored.event)
                case _:
                    pass
        if len(page) < PAGE or (known is not None and len(remedies) >= REMEDIES_SHOWN):
            break
        before = page[-1].seq
    return Told(
        evidence=known.evidence if known is not None else (),
        known_at=known.at if known is not None else None,
        remedies=tuple(remedies[:REMEDIES_SHOWN]),
    )
