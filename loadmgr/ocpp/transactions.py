"""Which transactions run where. Bookkeeping without I/O, rebuilt after a restart from the remembered sessions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId, SessionId, StationId, split_evse
from loadmgr.domain.session import Session
from loadmgr.ocpp.metering import Told
from loadmgr.ocpp.registers import Register

ID_MAX = 2**31 - 1
LOST_AFTER = timedelta(seconds=60)
"""A transaction may go on after a reboot; when the connector says that it is free this much later, it is lost [D-6]."""
WH_KWH = 0.0005
"""Registers that differ by less are the same."""
FLOOD_N, FLOOD_S = 20, 3.0
"""So many changes of state are taken at once, then one in this time; a flood changes nothing but its last word."""
INFERRED = frozenset({"EVDisconnected", "Lost", "NextTransaction", "Offline"})
"""Reasons of an end that we inferred: the station's own word may still come."""
_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Start:
    """What a station says when a transaction starts; the same again is the same transaction [D-2]."""

    evse: EvseId
    started_at: datetime
    meter_start_kwh: float
    id_tag: str = ""


@dataclass(slots=True, kw_only=True)
class Known:
    """A transaction that runs or ran. ``last_seq_no`` is of OCPP 2.x."""

    session: SessionId
    transaction: str
    start: Start
    is_open: bool = True
    is_final: bool = True
    """False after an end that we inferred: the station's own word may still come."""
    last_register_kwh: float = 0.0
    before_kwh: float = 0.0
    """Register before the newest live reading."""
    last_seq_no: int = -1
    n_phases: int | None = None
    """Phases that the station says the car uses."""
    mode: str = ""
    """2.1: the operation mode that was last told."""
    bounds: tuple[float | None, ...] = ()
    """What the station enforces, as it was last told."""
    told: Told | None = None
    """What the car last said that it wants."""
    lost_after: datetime | None = None
    """Set by a reboot: when this is over and the connector is free, the transaction is lost [D-6]."""
    is_doubted: bool = False
    """2.x: something of it is missing; the station is asked whether it still runs [D-22]."""


@dataclass(slots=True)
class Reported:
    """The state that an EVSE last reported, and how many more changes are taken before they count as a flood."""

    status: EvseStatus = EvseStatus.UNKNOWN
    tokens: float = FLOOD_N
    counted_at: datetime | None = None
    waiting: tuple[EvseStatus, str] | None = None

    def takes(self, status: EvseStatus, error: str, now: datetime) -> bool:
        """Note a state; false when it came in a flood and waits for its turn."""
        if self.counted_at is not None:
            gained = max((now - self.counted_at).total_seconds(), 0.0) / FLOOD_S
            self.tokens = min(self.tokens + gained, float(FLOOD_N))
        self.counted_at = now
        if status is self.status:
            self.waiting = None
            return True
        if self.tokens < 1.0:
            self.waiting = (status, error)
            return False
        self.tokens -= 1.0
        self.status, self.waiting = status, None
        return True


def session_id(evse: EvseId, transaction: str, started_at: datetime) -> SessionId:
    """Key of a session: station, EVSE, transaction and start [D-40], safe in a URL."""
    station, number = split_evse(evse)
    text = f"{station}.{number}.{transaction}.{int(started_at.timestamp())}"
    return SessionId(_UNSAFE.sub("_", text))


@dataclass(slots=True)
class Transactions:
    """Transactions of all stations; every look-up names the station, so nobody touches another's [B16]."""

    _by_id: dict[tuple[StationId, str], Known] = field(default_factory=dict)
    _open: dict[EvseId, Known] = field(default_factory=dict)
    _registers: dict[EvseId, Register] = field(default_factory=dict)
    _reported: dict[EvseId, Reported] = field(default_factory=dict)

    @classmethod
    def remembered(cls, sessions: Iterable[Session]) -> Transactions:
        """From sessions of earlier runs, open ones and those that ended not long ago."""
        found = cls()
        for session in sessions:
            known = Known(
                session=session.id,
                transaction=session.transaction,
                start=Start(
                    evse=session.evse,
                    started_at=session.started_at,
                    meter_start_kwh=session.meter_start_kwh,
                    id_tag=session.id_tag,
                ),
                is_open=session.ended_at is None,
                is_final=session.end_reason not in INFERRED,
                last_register_kwh=session.register_kwh,
            )
            found._keep(known)
        return found

    def _keep(self, known: Known) -> None:
        station, _ = split_evse(known.start.evse)
        self._by_id[station, known.transaction] = known
        if known.is_open:
            self._open[known.start.evse] = known

    def find(self, station: StationId, transaction: str) -> Known | None:
        """The transaction of this station with this id."""
        return self._by_id.get((station, transaction))

    def open_on(self, evse: EvseId) -> Known | None:
        """The transaction that runs on an EVSE."""
        return self._open.get(evse)

    def was_closed_with(self, evse: EvseId, register_kwh: float) -> bool:
        """Did a transaction of this EVSE end with this register, to the Wh?"""
        ended = (k for k in self._by_id.values() if k.start.evse == evse and not k.is_open)
        return any(abs(k.last_register_kwh - register_kwh) < WH_KWH for k in ended)

    def register_of(self, evse: EvseId) -> Register:
        """What the meter of an EVSE did lately."""
        return self._registers.setdefault(evse, Register())

    def reported(self, evse: EvseId) -> Reported:
        """What an EVSE last said of its state."""
        found = self._reported.get(evse)
        if found is None:
            found = self._reported[evse] = Reported()
        return found

    def is_foreign(self, station: StationId, transaction: str) -> bool:
        """Does another station run or know a transaction of this id [B16, B18]?"""
        return any(t == transaction and s != station for s, t in self._by_id)

    def booted(self, station: StationId, now: datetime) -> None:
        """Transactions that were open at a boot may go on, or be lost [D-6]."""
        for known in self._open.values():
            if split_evse(known.start.evse)[0] == station:
                known.lost_after = now + LOST_AFTER

    def numbered(self, start: Start) -> tuple[str, bool]:
        """Transaction id for a start in OCPP 1.6, and whether it is new.

        The id is a hash of the start, so a repeated StartTransaction finds the same one, also after a restart [B14].
        """
        station, number = split_evse(start.evse)
        text = f"{station}|{number}|{start.started_at.timestamp()}|{start.meter_start_kwh}|{start.id_tag}"
        for salt in range(1000):
            digest = hashlib.sha256(f"{text}|{salt}".encode()).digest()
            candidate = str(1 + int.from_bytes(digest[:4], "big") % (ID_MAX - 1))
            known = self._by_id.get((station, candidate))
            if known is None:
                return candidate, True
            if known.start == start:
                return candidate, False
        raise RuntimeError(f"no free transaction id for {start.evse}")  # needs 1000 collisions of a 31-bit hash

    def begin(self, start: Start, transaction: str, *, is_open: bool = True) -> Known:
        """Note a new transaction. One that still runs on the EVSE must have been ended before.

        ``is_open`` false: it is only recorded, because it is over or another one runs [D-3].
        """
        known = Known(
            session=session_id(start.evse, transaction, start.started_at),
            transaction=transaction,
            start=start,
            is_open=is_open,
            is_final=is_open,
            last_register_kwh=start.meter_start_kwh,
        )
        self._keep(known)
        return known

    def resume(self, known: Known) -> None:
        """A transaction that seemed to have ended goes on [C01, D-6]."""
        known.is_open, known.is_final, known.lost_after = True, True, None
        self._open[known.start.evse] = known

    def end(self, known: Known) -> None:
        """Note the end; doing so twice changes nothing."""
        known.is_open, known.lost_after = False, None
        if self._open.get(known.start.evse) is known:
            del self._open[known.start.evse]
