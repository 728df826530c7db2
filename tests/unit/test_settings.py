"""The site file: everything wrong is said at once, with key, value and remedy."""

from __future__ import annotations

from pathlib import Path

import pytest
from argon2 import PasswordHasher
from typer.testing import CliRunner

from loadmgr.cli import app
from loadmgr.control.commissioning import failsafe_sums
from loadmgr.domain.ids import StationId
from loadmgr.errors import SettingsError
from loadmgr.settings import Settings
from tests.support.days import EXAMPLES

OFFICE = (EXAMPLES / "office.toml").read_text().replace('series = "data/', f'series = "{EXAMPLES}/data/')


GROUPED = """
format = 1
[site]
id = "s"
[nodes.grid]
current_a = 100
[stations.one]
node = "grid"
{one}
[[station_groups]]
ids = ["g-1", "g-2"]
node = "grid"
{group}
"""


def _wrong(folder: Path, *changes: tuple[str, str]) -> str:
    text = OFFICE
    for old, new in changes:
        assert old in text, old
        text = text.replace(old, new)
    place = folder / "site.toml"
    place.write_text(text)
    with pytest.raises(SettingsError) as caught:
        Settings.load(place)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "n_evses"),
    [("office", 4), ("garage", 54), ("depot", 28), ("hub", 12), ("campus_208v", 12), ("mixed", 30), ("v2g", 14)],
)
def test_every_example_is_a_good_site_file(name: str, n_evses: int) -> None:
    settings = Settings.load(EXAMPLES / f"{name}.toml")
    assert len(settings.context.site.evses) == n_evses
    assert all(total.fits for total in failsafe_sums(settings.context.site))
    result = CliRunner().invoke(app, ["check", str(EXAMPLES / f"{name}.toml")])
    assert result.exit_code == 0
    assert "no problems" in result.output
    assert "A per phase" in result.output


def test_aliases_of_stations_and_of_groups_are_read(tmp_path: Path) -> None:
    """[G-55]"""
    place = tmp_path / "site.toml"
    place.write_text(GROUPED.format(one='aliases = ["Box 7"]', group='aliases = { "g-1" = ["G-1", "g-1 "] }'))
    stations = Settings.load(place).ocpp.stations
    assert stations[StationId("one")].aliases == ("Box 7",)
    assert stations[StationId("g-1")].aliases == ("G-1", "g-1 ")
    assert stations[StationId("g-2")].aliases == ()


@pytest.mark.parametrize(
    ("one", "group", "said"),
    [
        ('["one"]', "{}", "stations.one.aliases: 'one' is the id of the station itself"),
        ('["g-2"]', "{}", "stations.one.aliases: 'g-2' is the id of station 'g-2' (an alias is an identity that no"),
        ('["x", "x"]', "{}", "stations.one.aliases: 'x' is here twice (an identity means one station)"),
        ('["x"]', '{ "g-1" = ["x"] }', "station_groups[0].aliases.g-1: 'x' is an alias of station 'one' already"),
        ("[]", '{ "g-3" = ["x"] }', "aliases.g-3: station 'g-3' is not in this group (did you mean 'g-2'?)"),
        ('["a/b"]', "{}", "stations.one.aliases.0: 'a/b'"),
        ('[""]', "{}", "stations.one.aliases.0: ''"),
    ],
)
def test_an_identity_means_one_station(tmp_path: Path, one: str, group: str, said: str) -> None:
    """[G-55]"""
    place = tmp_path / "site.toml"
    place.write_text(GROUPED.format(one=f"aliases = {one}", group=f"aliases = {group}"))
    with pytest.raises(SettingsError) as caught:
        Settings.load(place)
    assert said in str(caught.value)


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = _wrong(
        tmp_path,
        ('parent = "grid"', 'parent = "gird"'),
        ('currency = "EUR"', 'curency = "EUR"'),
        ("export_per_kwh = 0.05", 'export_per_kwh = "much"'),
        ('password = "office-charger-0001"', 'password = "short"'),
        ("failsafe_a = 6 ", "failsafe_a = 3 "),
    )
    assert "nodes.carpark.parent: node 'gird' does not exist (did you mean 'grid'?)" in text
    assert "tariff.curency: unknown key (did you mean 'currency'?)" in text
    assert "tariff.export_per_kwh: 'much'" in text
    assert "has 5 characters (use 16 to 64 random ones" in text
    assert "3.0 A is between 0 and the minimum of 6.0 A" in text


def test_a_failsafe_that_does_not_fit_is_refused_with_the_arithmetic(tmp_path: Path) -> None:
    """[A-130]"""
    text = _wrong(tmp_path, ("failsafe_a = 6 ", "failsafe_a = 8 "))
    assert "grid/L1: 4 EVSEs at their fail-safe = 32.0 A + uncontrolled 35.0 A = 67.0 A > 63.0 A (main fuse)" in text


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("format = 1", "format = 2", "format"),
        ('timezone = "Europe/Amsterdam"', 'timezone = "Europe/Amstrdam"', "is not a time zone"),
        ('parent = "grid"', 'parent = "carpark"', "its own ancestor"),
        ('parent = "grid"', "", "exactly one node must have no parent"),
        ('node = "carpark"', 'node = "karpark"', "did you mean 'carpark'"),
        ("phases = 3", "phases = 1", "does not name 1 phase"),
        ("base_max_a = 35", "base_max_a = 0", "is missing although the node has a meter"),
        ("[ocpp]", "[control]\nrefresh_s = 400\n[ocpp]", "must be renewed before it expires"),
        ("[ocpp]", "[control]\nplan_s = 1\n[ocpp]", "greater than or equal to 5"),
        ("[ocpp]", '[control]\nengine = "hihgs"\n[ocpp]', "did you mean 'highs'"),
        ('listen = "127.0.0.1:9000"', 'listen = "0.0.0.0:9000"', "sends passwords in the clear"),
        ('listen = "127.0.0.1:9000"', 'listen = "nine"', "is no address"),
        ('password = "office-charger-0001"', "", "there is no password"),
        ("office_week.csv", "office_month.csv", "does not exist"),
        ("factor = 0.06", "factor = 0.06\nconstant_kw = 3", "exactly one of constant_kw and series"),
    ],
)
def test_a_mistake_names_itself(tmp_path: Path, old: str, new: str, words: str) -> None:
    assert words in _wrong(tmp_path, (old, new))


def test_broken_toml_and_a_missing_file_are_said(tmp_path: Path) -> None:
    place = tmp_path / "x.toml"
    with pytest.raises(SettingsError, match="No such file"):
        Settings.load(place)
    place.write_text("format = ")
    with pytest.raises(SettingsError, match="not valid TOML"):
        Settings.load(place)
    result = CliRunner().invoke(app, ["check", str(place)])
    assert result.exit_code == 1


def test_the_environment_wins_for_addresses_and_secrets(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOADMGR_STORAGE_URL", "sqlite:///elsewhere.db")
    monkeypatch.setenv("LOADMGR_API_KEY", "a-key-from-the-environment")
    settings = Settings.load(EXAMPLES / "office.toml")
    assert settings.storage_url == "sqlite:///elsewhere.db"
    assert settings.api.key == "a-key-from-the-environment"


def test_an_unbalance_limit_of_a_node_is_read_and_printed(tmp_path: Path) -> None:
    """[F-30]"""
    assert "[nodes.grid]\n" in OFFICE
    text = OFFICE.replace("[nodes.grid]\n", "[nodes.grid]\nunbalance_a = 20\n", 1)
    path = tmp_path / "even.toml"
    path.write_text(text, encoding="utf-8")
    site = Settings.load(path).context.site
    assert site.static_limit(site.root).unbalance_a == 20.0
    assert "lines differ by at most 20 A" in CliRunner().invoke(app, ["check", str(path)]).output


def test_a_password_is_made_with_its_hash_and_a_weak_one_refused() -> None:
    """[E-10, G04]"""
    made = CliRunner().invoke(app, ["password"]).output.split()
    assert len(made[1]) == 40
    assert PasswordHasher().verify(made[3], made[1])
    given = CliRunner().invoke(app, ["password", "--password", "sixteen-letters-"]).output.split()
    assert given[0] == "password_hash"
    assert PasswordHasher().verify(given[1], "sixteen-letters-")
    weak = CliRunner().invoke(app, ["password", "--password", "weak"])
    assert weak.exit_code == 2
    assert "4 bytes" in weak.output
