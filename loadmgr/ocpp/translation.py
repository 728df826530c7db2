"""What every version's translation takes and gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, MeterId, StationId, evse_id
from loadmgr.domain.samples import Quality
from loadmgr.domain.site import Evse, Site
from loadmgr.domain.traits import Traits
from loadmgr.ocpp import dynamic
from loadmgr.ocpp.metering import Measurement
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.station_clock import LIVE_S, StationClock
from loadmgr.ocpp.transactions import Known, Transactions

LIVE = timedelta(seconds=LIVE_S)
"""A sample whose own time is further from now than this is history [C-24], or its clock is wrong."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Where messages of one station are handled: who it is, what it has, and the rules for it."""

    station: StationId
    site: Site
    transactions: Transactions
    heartbeat_s: int
    accept: frozenset[str] | None
    traits: Traits = Traits()
    dynamic: dict[int, Json] = field(default_factory=dict)
    """2.1: what was last sent for each dynamic profile, by its id (``loadmgr.ocpp.dynamic``) [A.12]."""

    clock: StationClock = field(default_factory=StationClock)
    """How far its clock is off, as far as this link has shown [B30, G-52]."""

    def evse(self, number: int) -> Evse | None:
        """The EVSE of this station with this number."""
        return self.site.evses.get(evse_id(self.station, number))

    def accepts(self, id_tag: str) -> bool:
        """Is this id tag on the list (or is everybody accepted)?"""
        return self.accept is None or id_tag in self.accept

    def noted(self, action: str, payload: Json, now: datetime) -> None:
        """Note a call that is sent to the station, for answers that must repeat it [A.12]."""
        dynamic.noted(self.dynamic, action, payload, now)


@dataclass(slots=True, kw_only=True)
class Handled:
    """Answer and events of one message. ``must_last``: answer only after the events are on disk.

    ``refusal`` is (code, detail) when the answer is a CALLERROR. ``report``: a ReportChargingProfiles for the mirror [A-91].
    """

    answer: Json = field(default_factory=dict)
    events: list[ev.Event] = field(default_factory=list)
    must_last: bool = False
    refusal: tuple[str, str] | None = None
    report: Json | None = None


def sample_event(
    desk: Desk, number: int, measurement: Measurement, times: tuple[datetime, datetime], known: Known | None
) -> ev.MeterSample:
    """The event of one measurement; ``times`` = (when that was by our clock, our time)."""
    measured_at, now = times
    quality = measurement.quality
    if known is not None and measurement.measured.energy_kwh is not None and quality is not Quality.HISTORY:
        known.last_register_kwh = measurement.measured.energy_kwh
    return ev.MeterSample(
        at=now,
        meter=MeterId(EvseId(f"{desk.station}/{number}")),
        measured_at=measured_at,
        measured=measurement.measured,
        session=known.session if known is not None else None,
        quality=quality,
    )


def end_event(
    desk: Desk, known: Known, now: datetime, *, meter_stop_kwh: float | None, ended_at: datetime | None, reason: str
) -> ev.SessionEnded:
    """Note the end of a transaction and make its event."""
    desk.transactions.end(known)
    if meter_stop_kwh is not None:
        known.last_register_kwh = meter_stop_kwh
    return ev.SessionEnded(at=now, session=known.session, ended_at=ended_at, meter_stop_kwh=meter_stop_kwh, reason=reason)
