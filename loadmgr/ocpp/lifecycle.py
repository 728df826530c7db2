"""Begin, end, loss and return of sessions: rules that no version changes (domain rules D.1, D.3, G-70 to G-79)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from loadmgr.domain import events as ev
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId
from loadmgr.domain.site import Evse, full_power_kw
from loadmgr.ocpp.registers import JUMP_FACTOR
from loadmgr.ocpp.sampling import is_drawing
from loadmgr.ocpp.transactions import Known, Start
from loadmgr.ocpp.translation import LIVE, Desk, end_event

GONE = frozenset({EvseStatus.AVAILABLE, EvseStatus.UNAVAILABLE, EvseStatus.RESERVED, EvseStatus.FINISHING})
"""With one of these reported, a transaction that began a while ago no longer runs [D-3]."""
EMPTY = frozenset({EvseStatus.AVAILABLE, EvseStatus.RESERVED, EvseStatus.UNAVAILABLE})
"""States that a begun transaction proves wrong [B29]."""
PRESENT = frozenset({EvseStatus.PREPARING, EvseStatus.CHARGING, EvseStatus.SUSPENDED_EV, EvseStatus.SUSPENDED_EVSE})
"""With one of these reported, a car is there."""
IDLE = frozenset({EvseStatus.UNKNOWN, EvseStatus.SUSPENDED_EV, EvseStatus.SUSPENDED_EVSE, EvseStatus.PREPARING, *GONE})
"""States that a measured draw proves wrong [G-77, G-79]."""
STOP_SLACK_KWH = 1.0
ORPHAN_AGE = timedelta(days=6)
"""An end without a beginning is recorded when it is younger; ended transactions are remembered for longer [G-74]."""


def begun(
    desk: Desk, start: Start, transaction: str, now: datetime, *, is_register_known: bool = True, is_queued: bool = False
) -> tuple[Known, list[ev.Event]]:
    """A transaction that we did not know, and the events of its begin.

    One that still ran there is closed with its last register [C02]. A late word about a stay that is over makes a record
    and no session: the car is gone, or a later transaction runs already [D-3, C05]. ``is_queued``: the station says that
    it was offline then.
    """
    events: list[ev.Event] = []
    before = desk.transactions.open_on(start.evse)
    is_late = now - start.started_at > LIVE
    if before is not None:
        is_past = (is_late or is_queued) and before.start.started_at > start.started_at
    else:
        is_past = is_late and desk.transactions.reported(start.evse).status in GONE
    if before is not None and not is_past:
        events.append(inferred_end(desk, before, now, "NextTransaction"))
    known = desk.transactions.begin(start, transaction, is_open=not is_past)
    events.append(_started(known, now, is_register_known=is_register_known))
    if is_past:
        events.append(inferred_end(desk, known, now, "Offline"))
        return known, events
    desk.transactions.reported(start.evse).waiting = None  # a word that was held back from before means the last car [B29]
    register = desk.transactions.register_of(start.evse)
    register.begin(min(start.started_at, now), start.meter_start_kwh if is_register_known else None)
    if desk.transactions.reported(start.evse).status in EMPTY:
        events += status_events(desk, start.evse, EvseStatus.PREPARING, now)  # a free EVSE starts nothing [B29, G-79]
    return known, events


def ended_unknown(
    desk: Desk, start: Start, transaction: str, now: datetime, *, is_register_known: bool
) -> tuple[Known | None, list[ev.Event]]:
    """A transaction of which only the end is heard: it begins a record and never ends what runs there [D-3, G-74].

    Nothing when it would have begun during the one that runs: whatever it means, it is not what runs there.
    """
    before = desk.transactions.open_on(start.evse)
    if before is not None and before.start.started_at <= start.started_at:
        return None, []
    known = desk.transactions.begin(start, transaction, is_open=False)
    return known, [_started(known, now, is_register_known=is_register_known)]


def _started(known: Known, now: datetime, *, is_register_known: bool = True, is_back: bool = False) -> ev.SessionStarted:
    start = known.start
    gained_kwh = max(known.last_register_kwh - start.meter_start_kwh, 0.0)
    return ev.SessionStarted(
        at=now,
        session=known.session,
        evse=start.evse,
        transaction=known.transaction,
        id_tag=start.id_tag,
        started_at=start.started_at,
        meter_start_kwh=start.meter_start_kwh,
        is_register_known=is_register_known,
        register_kwh=known.last_register_kwh if is_back else None,
        energy_kwh=gained_kwh if is_back else 0.0,
    )


def inferred_end(desk: Desk, known: Known, now: datetime, reason: str) -> ev.SessionEnded:
    """An end that the station did not tell; its own word may still come and corrects it [C15, D-6]."""
    stop_kwh = None if reason == "Offline" else known.last_register_kwh
    event = end_event(desk, known, now, meter_stop_kwh=stop_kwh, ended_at=None, reason=reason)
    known.is_final = False
    return event


def revived(desk: Desk, known: Known, now: datetime) -> list[ev.Event]:
    """A transaction whose end we inferred speaks again: it goes on [C01, D-6]. Not while another one runs there."""
    if known.is_open:
        known.lost_after = None
        return []
    if known.is_final or desk.transactions.open_on(known.start.evse) is not None:
        return []
    desk.transactions.resume(known)
    return [_started(known, now, is_back=True)]


def status_events(desk: Desk, evse: EvseId, status: EvseStatus, now: datetime, error: str = "") -> list[ev.Event]:
    """The state of an EVSE; a free one ends what ran there [C15], but not in the first minute after a boot [D-6]."""
    reported = desk.transactions.reported(evse)
    if not reported.takes(status, error, now):
        return []
    events: list[ev.Event] = [ev.EvseStatusChanged(at=now, evse=evse, status=status, error=error)]
    known = desk.transactions.open_on(evse)
    if status is EvseStatus.AVAILABLE and known is not None and (known.lost_after is None or now >= known.lost_after):
        reason = "EVDisconnected" if known.lost_after is None else "Lost"
        events.append(inferred_end(desk, known, now, reason))
    return events


def due(desk: Desk, now: datetime) -> list[ev.Event]:
    """What time alone changes: transactions lost in a reboot [D-6], and the last word of a flood of states."""
    events: list[ev.Event] = []
    for evse in desk.site.stations[desk.station].evses:
        reported, known = desk.transactions.reported(evse), desk.transactions.open_on(evse)
        if known is not None and known.lost_after is not None and now >= known.lost_after:
            if reported.status is EvseStatus.AVAILABLE:
                events.append(inferred_end(desk, known, now, "Lost"))
            else:
                known.lost_after, known.is_doubted = None, True
        if reported.waiting is not None:
            events += status_events(desk, evse, reported.waiting[0], now, reported.waiting[1])
    return events


def repaired(desk: Desk, evse: EvseId, samples: Iterable[ev.Event], now: datetime) -> list[ev.Event]:
    """A car that draws inside a transaction is charging, whatever its EVSE reports: the meter wins [D-1, G-77, B29]."""
    if desk.transactions.open_on(evse) is None or desk.transactions.reported(evse).status not in IDLE:
        return []
    if not any(isinstance(s, ev.MeterSample) and is_drawing(s) for s in samples):
        return []
    return status_events(desk, evse, EvseStatus.CHARGING, now)


def found_running(
    desk: Desk, evse: EvseId, transaction: str, samples: Iterable[ev.Event], now: datetime
) -> tuple[Known | None, list[ev.Event]]:
    """A transaction of which we never heard the begin, from its meter values: only where nothing else runs and power
    flows, and never one that belongs to another station [G-74, B18].
    """
    if desk.transactions.open_on(evse) is not None or desk.transactions.is_foreign(desk.station, transaction):
        return None, []
    live = [s for s in samples if isinstance(s, ev.MeterSample) and is_drawing(s)]
    if not live:
        return None, []
    registers = [s.measured.energy_kwh for s in live if s.measured.energy_kwh is not None]
    start = Start(evse=evse, started_at=live[0].measured_at, meter_start_kwh=registers[0] if registers else 0.0)
    return begun(desk, start, transaction, now, is_register_known=bool(registers))


def final_register(known: Known, evse: Evse, stop_kwh: float, times: tuple[datetime, datetime]) -> float:
    """The register that closes a session: the station's word, unless its EVSE could never have drawn that much.

    ``times`` = (end by the station, our time); the longer stay counts. Then the last register stands (rule C.5).
    """
    ended_at, now = times
    stay_s = (max(ended_at, now) - known.start.started_at).total_seconds()
    if stay_s <= 0.0:
        return stop_kwh  # its clock was wrong at the begin: nothing can be judged
    most_kwh = JUMP_FACTOR * full_power_kw(evse.caps) * stay_s / 3600.0 + STOP_SLACK_KWH
    return stop_kwh if stop_kwh - known.start.meter_start_kwh <= most_kwh else known.last_register_kwh


def guessed(desk: Desk, stop_kwh: float | None) -> Known | None:
    """The running transaction that an end without an id means: the only one, else the only one whose EVSE says that it
    finishes, else the only one whose register fits [D-4, G-70].
    """
    running = [k for k in (desk.transactions.open_on(e) for e in desk.site.stations[desk.station].evses) if k is not None]
    if len(running) <= 1:
        return running[0] if running else None
    finishing = [k for k in running if desk.transactions.reported(k.start.evse).status in GONE]
    if len(finishing) == 1:
        return finishing[0]
    if stop_kwh is None:
        return None
    fitting = [k for k in running if 0.0 <= stop_kwh - k.last_register_kwh <= STOP_SLACK_KWH]
    return fitting[0] if len(fitting) == 1 else None


def orphan(
    desk: Desk, stop: tuple[str, str], registers: tuple[float | None, float], times: tuple[datetime, datetime]
) -> Iterator[ev.Event]:
    """A record for an end whose begin was lost, where one EVSE alone can have had it; nothing runs because of it [G-74].

    ``stop`` = (transaction, id tag), ``registers`` = (begin where the station says it, end), ``times`` = (end, our time).
    """
    transaction, id_tag = stop
    ended_at, now = times
    evses = desk.site.stations[desk.station].evses
    if len(evses) != 1 or now - ended_at > ORPHAN_AGE or desk.transactions.is_foreign(desk.station, transaction):
        return
    if desk.transactions.open_on(evses[0]) is not None:
        return  # whatever it means, it is not what runs there
    begin_kwh, end_kwh = registers
    if begin_kwh is None and desk.transactions.was_closed_with(evses[0], end_kwh):
        return  # an end told before, under another id [G-72]
    start = Start(
        evse=evses[0],
        started_at=ended_at,
        meter_start_kwh=end_kwh if begin_kwh is None else min(begin_kwh, end_kwh),
        id_tag=id_tag,
    )
    known = desk.transactions.begin(start, transaction, is_open=False)
    known.is_final = True
    yield _started(known, now)
    yield end_event(desk, known, now, meter_stop_kwh=end_kwh, ended_at=ended_at, reason="StartLost")
