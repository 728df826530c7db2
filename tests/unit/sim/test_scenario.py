"""Who comes to a simulated site, which version a station speaks, and who draws which quirk."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from loadmgr.domain.ids import StationId
from loadmgr.settings import Settings
from loadmgr.sim.arrivals import bidirectional, drawn_day
from loadmgr.sim.clock import LockStepClock
from loadmgr.sim.quirks import QUIRKS
from loadmgr.sim.scenario import afflict, dialect_of, make_twins
from loadmgr.sim.station import Twin
from tests.unit.sim.central import BEGIN

EXAMPLES = Path(__file__).parents[3] / "examples"
THREE = ("1.6",) * 10 + ("2.0.1",) * 10 + ("2.1",) * 10


@pytest.fixture(scope="module")
def mixed() -> Settings:
    return Settings.load(EXAMPLES / "mixed.toml")


def twins_of(settings: Settings) -> dict[StationId, Twin]:
    return make_twins(settings, LockStepClock(BEGIN), 0, lambda: None, versions=THREE)


def test_stations_speak_the_versions_in_turn_and_an_unknown_one_is_refused(mixed: Settings) -> None:
    found = {t.id: t.dialect.version for t in twins_of(mixed).values()}
    assert [found[StationId(s)] for s in ("old-01", "mid-10", "new-01")] == ["1.6", "2.0.1", "2.1"]
    assert [dialect_of(n).version for n in range(3)] == ["1.6", "2.0.1", "1.6"]
    with pytest.raises(ValueError, match=r"'2\.2' has no twin"):
        dialect_of(0, ("2.2",))


def test_every_second_station_draws_a_quirk_that_its_version_has(mixed: Settings) -> None:
    twins = twins_of(mixed)
    drawn = afflict(twins, seed=7, is_socketless=True)
    assert len(drawn) == 15
    assert list(drawn) == list(twins)[1::2]
    for station, name in drawn.items():
        quirk, faults = QUIRKS[name], twins[station].faults
        assert twins[station].dialect.version in quirk.versions
        assert getattr(faults, quirk.field) == quirk.value
        assert faults.names == [name]
    assert drawn == afflict(twins_of(mixed), seed=7, is_socketless=True)
    assert drawn != afflict(twins_of(mixed), seed=8, is_socketless=True)


def _overlaps(settings: Settings) -> Iterator[str]:
    free: dict[StationId, object] = {}
    for arrival in drawn_day(settings.context.site, BEGIN, timedelta(hours=24), seed=3):
        if arrival.station in free and arrival.at <= free[arrival.station]:  # type: ignore[operator]
            yield arrival.name
        free[arrival.station] = arrival.until


def test_cars_of_a_drawn_day_come_one_after_another_and_some_can_deliver(mixed: Settings) -> None:
    found = drawn_day(mixed.context.site, BEGIN, timedelta(hours=24), seed=3)
    assert list(_overlaps(mixed)) == []
    assert {a.station for a in found} == set(mixed.context.site.stations)
    able = [a for a in found if a.car.is_bidirectional]
    assert able
    assert all(a.station.startswith("new-") for a in able)
    assert 0 < len([a for a in found if a.said_kwh is None]) < len(found) / 2


def test_bidirectional_cars_tell_their_battery_to_the_app(mixed: Settings) -> None:
    found = bidirectional(mixed.context.site, BEGIN, timedelta(hours=5), n=10)
    assert len({a.station for a in found}) == 10
    intent = found[0].intent()
    assert (intent.may_discharge, intent.soc_target_frac) == (True, 0.8)
    assert intent.capacity_kwh == found[0].car.battery_kwh
    assert found[0].car.soc_at(found[0].car.wanted_kwh) == pytest.approx(0.8, abs=1e-3)
    with pytest.raises(ValueError, match="the site has 10"):
        bidirectional(mixed.context.site, BEGIN, timedelta(hours=5), n=11)
