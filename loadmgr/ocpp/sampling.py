"""Meter values of any version → events: measured, compared with what came before, and given to their session."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime

from loadmgr.domain import events as ev
from loadmgr.domain.ids import evse_id
from loadmgr.domain.samples import Measured, Quality
from loadmgr.domain.site import Evse, full_power_kw
from loadmgr.ocpp.metering import Measurement, Reading, Told, measure, spread_a
from loadmgr.ocpp.registers import Register
from loadmgr.ocpp.transactions import Known
from loadmgr.ocpp.translation import Desk, sample_event

DRAWING_A, DRAWING_KW = 1.0, 0.2
"""Above these a car draws [C-4]."""
TOLD_KWH = 0.5
"""A car's wish is told again when it differs by more."""

Entry = tuple[datetime | None, Sequence[Reading]]
"""One meterValue: the station's own time and the readings."""


def samples(
    desk: Desk, number: int, entries: Sequence[Entry], context: tuple[Known | None, datetime], *, is_history: bool
) -> Iterator[ev.Event]:
    """The events of the meterValues of one message in the order of their times [C-23]; ``number`` 0: the main meter.

    ``context`` = (transaction that they belong to, our time). What is ``is_history``, or was not measured lately by all
    that is known of the station's clock, is kept and never used for control [C-24, B24].
    """
    known, now = context
    evse = desk.evse(number)
    n_used = known.n_phases if known is not None else None
    for at, is_live, readings in _timed(desk, entries, now):
        found = measure(readings, evse, desk.traits, n_used=n_used)
        found = replace(found, measured=_with_offset(found.measured, desk, known))
        unit = 1.0
        if evse is not None and found.measured.energy_kwh is not None:
            unit = unit_of(desk, evse, found.measured.energy_kwh, at)
            found = replace(found, measured=replace(found.measured, energy_kwh=found.measured.energy_kwh * unit))
        if is_history or not is_live:
            found = replace(found, quality=Quality.HISTORY)
        before_kwh = known.last_register_kwh if known is not None else 0.0
        event = sample_event(desk, number, found, (at, now), known)
        if evse is None or event.quality is Quality.HISTORY:
            yield event
            continue
        register = desk.transactions.register_of(evse.id)
        yield _enriched(register, event, (found, unit), (evse, known))
        if known is not None:
            known.before_kwh = before_kwh
            if register.waiting is not None:
                known.last_register_kwh = before_kwh  # it may be a glitch (rule C.5)
            yield from _needs(known, found.told, now)


def _timed(desk: Desk, entries: Sequence[Entry], now: datetime) -> list[tuple[datetime, bool, Sequence[Reading]]]:
    """Each entry with when that was by our clock and whether it is live, in the order of these times [C-23].

    One without a readable time was measured now [B25], but not beside one that says so itself: then it is old [B24].
    """
    told = [desk.clock.read(said_at, now) if said_at is not None else None for said_at, _ in entries]
    is_plain = not any(time is not None and time[1] for time in told)
    found = [(*(time or (now, is_plain)), readings) for time, (_, readings) in zip(told, entries, strict=True)]
    return sorted(found, key=lambda entry: entry[0])


def unit_of(desk: Desk, evse: Evse, register_kwh: float, at: datetime) -> float:
    """What a reading must be multiplied by to go on where the register of its EVSE stood: 1, 1000 or 0.001.

    Stations mix kWh and Wh up in some of their messages only, so one factor per station cannot serve all [C-21, G-91].
    """
    if desk.traits.has_session_register:
        return 1.0  # it begins anew with every session: nothing goes on
    return desk.transactions.register_of(evse.id).unit_of(at, register_kwh, full_power_kw(evse.caps))


def is_drawing(event: ev.MeterSample) -> bool:
    """Does a live sample show that power flows?"""
    if event.quality is Quality.HISTORY:
        return False
    measured = event.measured
    current_a = max((abs(a) for a in measured.current_a), default=0.0) if measured.current_a is not None else 0.0
    return current_a >= DRAWING_A or abs(measured.power_kw or 0.0) >= DRAWING_KW


def _with_offset(measured: Measured, desk: Desk, known: Known | None) -> Measured:
    """A register that begins anew with every session goes on where the session began [G-92]."""
    if known is None or measured.energy_kwh is None or not desk.traits.has_session_register:
        return measured
    start_kwh = known.start.meter_start_kwh
    return measured if measured.energy_kwh >= start_kwh else replace(measured, energy_kwh=start_kwh + measured.energy_kwh)


def _enriched(
    register: Register, event: ev.MeterSample, said: tuple[Measurement, float], owner: tuple[Evse, Known | None]
) -> ev.MeterSample:
    """A live sample with what follows from the samples before it (rules C.4, C.5).

    ``said`` = (what it says, the factor that its register was multiplied by).
    """
    evse, known = owner
    found, unit = said
    measured, quality, at = event.measured, event.quality, event.measured_at
    anomaly = ""
    if measured.energy_kwh is not None:
        anomaly = register.read(at, measured.energy_kwh, full_power_kw(evse.caps))
    elif known is not None:
        estimated_kwh = register.estimate(at, measured.power_kw, measured.interval_kwh)
        if estimated_kwh is not None:
            measured = replace(measured, estimated_kwh=estimated_kwh)
    if measured.power_kw is None and measured.current_a is None and not anomaly:
        power_kw = register.power_kw() if measured.energy_kwh is not None else None
        if power_kw is not None:
            current_a = spread_a(evse, power_kw, known.n_phases if known is not None else None)
            measured, quality = replace(measured, power_kw=power_kw, current_a=current_a), Quality.DERIVED
    else:
        register.compare(found.compared, measured.power_kw if not anomaly else None, unit)
    if anomaly:
        measured = replace(measured, anomaly=anomaly)
    return replace(event, measured=measured, quality=quality)


def _needs(known: Known, told: Told | None, now: datetime) -> Iterator[ev.NeedsStated]:
    """What the car's own values say that it wants, when that is news [C.2]."""
    if told is None or not _is_news(known.told, told):
        return
    known.told = told
    yield ev.NeedsStated(
        at=now,
        session=known.session,
        energy_kwh=told.energy_kwh,
        soc_target_frac=told.soc_target_frac,
        capacity_kwh=told.capacity_kwh,
        awaits_profile=False,
    )


def _is_news(before: Told | None, told: Told) -> bool:
    if before is None or replace(before, energy_kwh=None) != replace(told, energy_kwh=None):
        return True
    if before.energy_kwh is None or told.energy_kwh is None:
        return before.energy_kwh is not told.energy_kwh
    return abs(before.energy_kwh - told.energy_kwh) > TOLD_KWH


def register_of(desk: Desk, number: int) -> Register:
    """The memory of an EVSE's meter: its ``compared`` and ``energies`` are what factors are proposed from [C-21]."""
    return desk.transactions.register_of(evse_id(desk.station, number))
