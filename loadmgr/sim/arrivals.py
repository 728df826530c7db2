"""Real arrivals → cars. The sessions are package data, see ``loadmgr/data/README.md``."""

from __future__ import annotations

import csv
import random
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from importlib.resources import files

from loadmgr.domain.ids import StationId
from loadmgr.domain.session import SessionIntent
from loadmgr.domain.site import EvseCaps, Site
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
    said_soc_frac: float | None = None
    may_discharge: bool = False
    reserve_frac: float = 0.3

    def intent(self) -> SessionIntent:
        """What the app sends; a driver who lets the site draw from the car also says how big its battery is."""
        return SessionIntent(
            energy_kwh=self.said_kwh,
            depart_at=self.said_until,
            source="app",
            capacity_kwh=self.car.battery_kwh if self.may_discharge else None,
            soc_target_frac=self.said_soc_frac,
            may_discharge=self.may_discharge,
            reserve_frac=self.reserve_frac,
        )


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


def bidirectional(site: Site, at: datetime, stay: timedelta, *, n: int, seed: int = 1) -> tuple[Arrival, ...]:
    """``n`` cars that can deliver, at the first stations of the site whose EVSE can; drawn with ``seed``.

    Each comes within ten minutes of ``at`` with half to most of its battery and wants to leave with 80 %.
    """
    chance = random.Random(seed)  # noqa: S311 a simulation, repeatable by its seed
    able = [s for s in site.stations.values() if site.evses[s.evses[0]].caps.discharge_max_kw > 0]
    if len(able) < n:
        raise ValueError(f"{n} cars that can deliver need as many EVSEs with discharge_max_kw; the site has {len(able)}")
    found = []
    for place, station in enumerate(able[:n]):
        caps = site.evses[station.evses[0]].caps
        car = a_two_way_car(f"v2g-{place}", caps, chance)
        begin = at + timedelta(seconds=round(chance.uniform(0, 600)))
        found.append(
            Arrival(
                name=car.name,
                station=station.id,
                at=begin,
                until=begin + stay,
                car=car,
                said_kwh=car.wanted_kwh,
                said_until=begin + stay,
                said_soc_frac=0.8,
                may_discharge=True,
            )
        )
    return tuple(found)


def a_two_way_car(name: str, caps: EvseCaps, chance: random.Random) -> Car:
    """A car that fits the EVSE, with half to three quarters of its battery, that wants 80 %."""
    battery_kwh = chance.choice((60.0, 77.0, 82.0))
    soc_frac = round(chance.uniform(0.5, 0.75), 2)
    return Car(
        name=name,
        wanted_kwh=round((0.8 - soc_frac) * battery_kwh, 2),
        battery_kwh=battery_kwh,
        soc_frac=soc_frac,
        n_phases=caps.n_phases,
        max_a=caps.current_max_a,
        max_discharge_kw=caps.discharge_max_kw,
        floor_frac=0.2,
        is_dc=caps.is_dc,
    )


def drawn_day(site: Site, begin: datetime, span: timedelta, *, seed: int = 1) -> tuple[Arrival, ...]:
    """Cars one after another at every station of any site, drawn with ``seed``: gaps of up to two hours, stays of one
    to six. Where the EVSE can deliver, every second car can too. One driver in five says nothing to the app.
    """
    chance = random.Random(seed)  # noqa: S311 a simulation, repeatable by its seed
    found = []
    for station in site.stations.values():
        caps = site.evses[station.evses[0]].caps
        at, n = begin + timedelta(seconds=round(chance.uniform(60, 7200))), 0
        while at < begin + span:
            n += 1
            stay = timedelta(seconds=round(chance.uniform(3600, 21_600)))
            is_able = caps.discharge_max_kw > 0 and chance.random() < 0.5
            wanted_kwh = round(chance.uniform(3.0, 25.0), 2)
            car = replace(
                a_car(f"{station.id}-{n}", wanted_kwh, chance),
                max_discharge_kw=caps.discharge_max_kw if is_able else 0.0,
                floor_frac=0.15,
                says_soc=is_able,
            )
            says = chance.random() < 0.8
            found.append(
                Arrival(
                    name=car.name,
                    station=station.id,
                    at=at,
                    until=at + stay,
                    car=replace(car, n_phases=caps.n_phases) if is_able else car,
                    said_kwh=wanted_kwh if says else None,
                    said_until=at + stay if says else None,
                    may_discharge=is_able and says,
                )
            )
            at += stay + timedelta(seconds=round(chance.uniform(300, 7200)))
    return tuple(sorted(found, key=lambda a: (a.at, a.station)))


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)


def total_kwh(arrivals: Sequence[Arrival]) -> float:
    """Energy that all cars want."""
    return sum(a.car.wanted_kwh for a in arrivals)
