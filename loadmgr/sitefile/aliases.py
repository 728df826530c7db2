"""Other identities under which a station connects, checked over the whole file [G-55]."""

from __future__ import annotations

from collections.abc import Iterator

from loadmgr.errors import Problem
from loadmgr.sitefile.build import did_you_mean
from loadmgr.sitefile.models import SiteFile


def aliases_of(file: SiteFile) -> dict[str, tuple[str, ...]]:
    """The aliases of each station that has some."""
    found = {name: table.aliases for name, table in file.stations.items() if table.aliases}
    for group in file.station_groups:
        found.update({name: aliases for name, aliases in group.aliases.items() if aliases and name in group.ids})
    return found


def problems(file: SiteFile) -> Iterator[Problem]:
    """An identity means one station: an alias that is an id, or the alias of two, is a mistake [G-55]."""
    ids = {*file.stations, *(name for group in file.station_groups for name in group.ids)}
    owners: dict[str, str] = {}
    for key, station, aliases in _tables(file):
        for alias in aliases:
            if alias in ids:
                whose = "the id of the station itself" if alias == station else f"the id of station {alias!r}"
                yield Problem(key=key, problem=f"{alias!r} is {whose}", hint="an alias is an identity that no station has")
            elif alias in owners:
                again = "here twice" if owners[alias] == station else f"an alias of station {owners[alias]!r} already"
                yield Problem(key=key, problem=f"{alias!r} is {again}", hint="an identity means one station")
            owners.setdefault(alias, station)
    for place, group in enumerate(file.station_groups):
        for name in group.aliases:
            if name not in group.ids:
                key = f"station_groups[{place}].aliases.{name}"
                yield Problem(key=key, problem=f"station {name!r} is not in this group", hint=did_you_mean(name, group.ids))


def _tables(file: SiteFile) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    """(key in the file, station, its aliases)"""
    for name, table in file.stations.items():
        yield f"stations.{name}.aliases", name, table.aliases
    for place, group in enumerate(file.station_groups):
        for name, aliases in group.aliases.items():
            yield f"station_groups[{place}].aliases.{name}", name, aliases
