"""Which transactions run where. Pure bookkeeping, rebuilt after a restart from the remembered sessions."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime

from loadmgr.domain.ids import EvseId, SessionId, StationId, split_evse
from loadmgr.domain.session import Session

ID_MAX = 2**31 - 1
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
    last_seq_no: int = -1


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

    def begin(self, start: Start, transaction: str) -> Known:
        """Note a new transaction. One that still runs on the EVSE must have been ended before."""
        known = Known(
            session=session_id(start.evse, transaction, start.started_at),
            transaction=transaction,
            start=start,
            last_register_kwh=start.meter_start_kwh,
        )
        self._keep(known)
        return known

    def end(self, known: Known) -> None:
        """Note the end; doing so twice changes nothing."""
        known.is_open = False
        if self._open.get(known.start.evse) is known:
            del self._open[known.start.evse]
