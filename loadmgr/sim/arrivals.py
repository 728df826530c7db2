"""Real arrivals → cars. The sessions are package data, see ``loadmgr/data/README.md``."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from importlib.resources import files

from loadmgr.domain.ids import StationId
from loadmgr.domain.site import Site
from loadmgr.sim.vehicle import Car


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A car that comes to a station and goes. ``said_kwh`` and ``said_until`` are what its driver tells the app."""

    name: str
    station: StationId
    at: datetime
    until: datetime
    car: Car
    said_kwh: float | None
    said_until: datetime | None


def days() -> tuple[date, ...]:
    """The days that the package has."""
    return tuple(sorted({date.fromisoformat(row["local_day"]) for row in _rows()}))


def _rows() -> list[dict[str, str]]:
    text = (files("loadmgr") / "data" / "sessions_caltech_2019.csv").read_text(encoding="utf-8")
    return list(csv.DictReader(text.splitlines()))


def real_day(site: Site, day: date, *, seed: int = 1, claims: bool = False) -> tuple[Arrival, ...]:
    """The sessions of a day at the stations of a site that has their names.

    Energy, arrival and departure are the measured ones. What the data does not say is drawn with ``seed``: phases,
    battery, reaction. ``claims``: the driver says what the real one said instead of what became true.
    """
    found = []
    for row in _rows():
        station = StationId(row["station_id"])
        if row["local_day"] != day.isoformat() or station not in site.stations:
            continue
        wanted_kwh = float(row["delivered_kwh"])
        until = _time(row["departure"])
        said_kwh, said_until = wanted_kwh, until
        if claims:
            said_kwh, said_until = float(row["requested_kwh"]), _time(row["estimated_departure"])
        found.append(
            Arrival(
                name=row["session_id"],
                station=station,
                at=_time(row["arrival"]),
                until=until,
                car=a_car(row["session_id"], wanted_kwh, random.Random(f"{seed}{row['session_id']}")),  # noqa: S311
                said_kwh=said_kwh,
                said_until=said_until,
            )
        )
    return tuple(sorted(found, key=lambda a: (a.at, a.station)))


def a_car(name: str, wanted_kwh: float, chance: random.Random) -> Car:
    """A car that can take this energy: mostly single-phase at 32 A, some three-phase at 16 A, as on the road."""
    is_three = chance.random() < 0.25
    battery_kwh = max(chance.choice((30.0, 40.0, 60.0, 75.0)), wanted_kwh / 0.8)
    final = chance.uniform(0.75, 0.95)
    return Car(
        name=name,
        wanted_kwh=wanted_kwh,
        battery_kwh=battery_kwh,
        soc_frac=max(final - wanted_kwh / battery_kwh, 0.02),
        n_phases=3 if is_three else 1,
        max_a=16.0 if is_three else 32.0,
        decrease_s=round(chance.uniform(1.5, 3.0), 1),
        increase_s=round(chance.uniform(3.0, 8.0), 1),
    )


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def total_kwh(arrivals: Sequence[Arrival]) -> float:
    """Energy that all cars want."""
    return sum(a.car.wanted_kwh for a in arrivals)
