"""Layers of limits that hold in a charger without us: how they are made, and that they follow what it obeys (rule A.15)."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import StationId
from loadmgr.domain.site import Site
from loadmgr.domain.traits import ProfileForm, Purpose, Traits

if TYPE_CHECKING:
    from loadmgr.ocpp.connection import Connection


def failsafe(site: Site, station: StationId, no: int, now: datetime, form: ProfileForm) -> cmd.InstallFailsafe:
    """The layers that hold without us: per EVSE the lowest fail-safe of the station, for the sum its hardware."""
    evses = [site.evses[e] for e in site.stations[station].evses]
    return cmd.InstallFailsafe(
        no=no,
        station=station,
        failsafe_a=min(e.failsafe_a for e in evses),
        station_max_a=sum(e.caps.current_max_a for e in evses),
        n_phases=max(e.caps.n_phases for e in evses),
        made_at=now,
        form=form,
        voltage_v=evses[0].caps.voltage_v,
    )


def failsafe_forms(traits: Traits) -> tuple[ProfileForm, ...]:
    """How to dress the fail-safe, in order of trial: the units of the charger, with phases told, then without [A-40]."""
    told = (True, False) if traits.has_phases else (False,)
    return tuple(
        ProfileForm(purpose=Purpose.STATION_DEFAULT, unit=unit, stack=0, kind=traits.kind, has_phases=has_phases)
        for has_phases in told
        for unit in traits.rate_units
    )


def follow_unit(link: Connection, command: cmd.SendSetpoint, now: datetime) -> None:
    """A setpoint was accepted in another unit than the fail-safe: install that anew in the unit of the setpoint.

    Setpoints leave a unit when it is refused or has no effect. A fail-safe that was accepted there may have none either,
    and then the charger is at its maximum as soon as a setpoint ends [G-16, G-17].
    """
    known, form = link.charger.failsafe_form, command.setpoint.form
    if known is None or known.unit == form.unit or command.setpoint.power_kw is not None:
        return
    link.charger.failsafe_form = replace(known, unit=form.unit)  # once per change, whatever the answer
    no = next(link.numbers)
    link.send(failsafe(link.desk.site, link.desk.station, no, now, link.charger.failsafe_form))
