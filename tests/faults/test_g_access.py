"""Attacks on the door [G01-G04, G08, G14, G28, E-15]: each beside two healthy chargers."""

from __future__ import annotations

import asyncio
import unicodedata
from pathlib import Path
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.errors import SettingsError
from loadmgr.settings import Settings
from tests.support.chargers import header
from tests.support.faulty_settings import CROWD, SITE
from tests.support.faulty_site import GOOD, GOOD_PASSWORD, ODD, ODD_PASSWORD, FaultySite, beside_two, opened, stepped, talks
from tests.support.wire import Answered, by_hand

OUTSIDER = "127.0.0.5"
GUESS = "guess-number-0001"


async def _knock(site: FaultySite, identity: str, headers: dict[str, str], source: str = OUTSIDER) -> Answered:
    async with by_hand(site.gateway.port, source=source) as hand:
        return await hand.shake(f"/ocpp/{identity}", headers)


def _visible(found: Answered) -> tuple[int, dict[str, str], bytes]:
    """What an outsider sees of an answer, but for the time."""
    return found.status, {k: v for k, v in found.headers.items() if k != "date"}, found.body


def test_g01_a_known_and_an_unknown_identity_get_the_same_answer(tmp_path: Path) -> None:
    """[G01, P5] Without credentials, with wrong ones, with another station's; byte for byte."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            before = site.manager.state.stations[ODD]
            for n, headers in enumerate(
                (
                    {},
                    header(ODD, GUESS),
                    header("nobody", GUESS),
                    header(GOOD[0], GOOD_PASSWORD),
                    {"Authorization": "Bearer x"},
                )
            ):
                seen = [_visible(await _knock(site, who, headers, f"127.0.1.{n}")) for who in (ODD, "nobody", "good-1x")]
                assert seen[0] == seen[1] == seen[2]
                assert seen[0][0] == 401
                assert seen[0][1]["www-authenticate"].startswith("Basic ")
            assert site.manager.state.stations[ODD] == before
            assert not site.odd_is_online

    asyncio.run(play())


def _site_text(**changes: str) -> str:
    text = SITE.format(traits="", more="")
    for old, new in changes.items():
        assert old in text
        text = text.replace(old, new)
    return text


LISTEN = 'listen = "127.0.0.1:9000"'


@pytest.mark.parametrize(
    ("listen", "starts"),
    [
        (LISTEN, True),
        ('listen = "[::1]:9000"', True),
        ('listen = "localhost:9000"', True),
        ('listen = "0.0.0.0:9000"', False),
        ('listen = "[::]:9000"', False),
        ('listen = "192.0.2.1:9000"', False),
        ('listen = "0.0.0.0:9000"\ninsecure = true', True),
    ],
)
def test_g02_without_tls_nothing_listens_beyond_loopback_unless_it_is_said(
    tmp_path: Path, listen: str, starts: bool
) -> None:
    """[G02] The start matrix; the message names the key and the remedy."""
    path = tmp_path / "site.toml"
    path.write_text(_site_text(**{LISTEN: listen}), encoding="utf-8")
    if starts:
        assert Settings.load(path).ocpp.listen is not None
        return
    with pytest.raises(SettingsError, match=r"ocpp\.listen"):
        Settings.load(path)


def test_g02_the_service_itself_keeps_its_promises_on_loopback(tmp_path: Path) -> None:
    """[G02] And with a charger that offers no credentials nothing happens."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            assert (await _knock(site, ODD, {})).status == 401
            assert not site.odd_is_online

    asyncio.run(play())


@pytest.mark.timeout(120)
def test_g03_a_thousand_guesses_are_slowed_and_the_true_charger_comes_in(tmp_path: Path) -> None:
    """[G03, E-15] From one outsider and from many; hardly any guess is even looked at."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            async with site.odd(boots=False) as raw:  # the charger has been here from its own address
                assert (await raw.ask("Heartbeat", {}))[0] == 3
            looked_at = site.gateway.door.keeper.failures
            for n in range(1000):
                source = OUTSIDER if n % 2 else f"127.0.{3 + n % 7}.{1 + n % 50}"
                assert (await _knock(site, ODD, header(ODD, f"guess-number-{n:04}"), source)).status == 401
            assert site.gateway.door.keeper.failures - looked_at < 500
            async with site.commissioned() as raw:
                assert (await raw.ask("Heartbeat", {}))[0] == 3

    asyncio.run(play())


def test_e15_the_right_password_has_to_wait_as_well_after_wrong_ones(tmp_path: Path) -> None:
    """[E-15, G03] At that address; at another one it is let in."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            right = header(ODD, ODD_PASSWORD)
            for _ in range(4):
                assert (await _knock(site, ODD, header(ODD, GUESS))).status == 401
            assert (await _knock(site, ODD, right)).status == 401
            assert (await _knock(site, ODD, right, "127.0.0.6")).status == 101
            for _ in range(40):  # the delay passes
                await asyncio.sleep(0.25)
                if (found := await _knock(site, ODD, right)).status == 101:
                    break
            assert found.status == 101

    asyncio.run(play())


@pytest.mark.parametrize("password", ["", "short", "fifteen-letters"])
def test_g04_a_password_below_the_minimum_of_ocpp_is_refused_at_set_up(tmp_path: Path, password: str) -> None:
    """[G04, E.2] Sixteen bytes at least; the message says which station, and never the password."""
    path = tmp_path / "site.toml"
    path.write_text(_site_text(**{ODD_PASSWORD: password}), encoding="utf-8")
    with pytest.raises(SettingsError) as caught:
        Settings.load(path)
    assert "password" in str(caught.value)
    assert not password or password not in str(caught.value)


BAD_PATHS = (
    "..",
    "../..",
    "..%2f..%2fetc%2fpasswd",
    "%2e%2e",
    "%2e%2e%2fodd",
    "a/b",
    "odd%00",
    "odd%00.txt",
    "odd%2f..%2fgood-1",
    "odd%0d%0aX-Injected:%201",
    "odd%20",
    "odd;x",
    "odd:x",
    "%ff%fe",
    "o" * 300,
    "odd%5c..%5cgood-1",
    "$%7bjndi:ldap://x%7d",
    "%25s%25n",
)


def test_g14_identities_that_are_paths_or_worse_are_refused_and_never_files(tmp_path: Path) -> None:
    """[G14, G18] A list, and then whatever hypothesis makes; with the right credentials of the charger."""
    right = header(ODD, ODD_PASSWORD)

    async def refused(site: FaultySite, path: str) -> None:
        found = await _knock(site, path, {**right, "Authorization": right["Authorization"]}, "127.0.0.1")
        assert found.status in {400, 401, 404}, path
        assert "x-injected" not in found.headers

    with stepped(tmp_path) as (run, site):
        before = {p.name for p in tmp_path.iterdir()}
        with opened(run, site.odd(boots=False)) as raw:  # who has come in lately does not suffer for his neighbours
            assert run(raw.ask("Heartbeat", {}))[0] == 3
        for path in BAD_PATHS:
            run(refused(site, path))

        @talks(60)
        @given(
            st.text(min_size=1, max_size=60).filter(lambda t: t.isascii() or not any(0xD800 <= ord(c) < 0xE000 for c in t))
        )
        def named(identity: str) -> None:
            path = quote(identity, safe="")
            if identity.strip("/") not in {str(ODD), *GOOD}:
                run(refused(site, path))

        named()
        assert {p.name.partition("-")[0] for p in tmp_path.iterdir()} == {n.partition("-")[0] for n in before}
        with opened(run, site.odd(boots=False)) as raw:
            assert run(raw.ask("Heartbeat", {}))[0] == 3


LOOK_ALIKES = (
    "\u043edd",  # Cyrillic o
    "o\u0064\u0301d",
    "ODD",
    "Odd",
    "odd\u200b",
    "\ufeffodd",
    "o\u00add",
    "\uff4fdd",  # full width
    "odd\u0000",
    " odd",
    "odd.",
)


def test_g28_an_identity_that_only_looks_like_a_chargers_is_not_it(tmp_path: Path) -> None:
    """[G28, G-55] Other letters, normal forms, invisible characters, case: compared letter by letter."""

    async def play() -> None:
        async with beside_two(tmp_path) as site:
            for n, name in enumerate(LOOK_ALIKES):
                assert unicodedata.normalize("NFC", name) != ODD
                for user in (ODD, "odd"):
                    found = await _knock(site, quote(name), header(user, ODD_PASSWORD), f"127.0.9.{n + 1}")
                    assert found.status in {400, 401, 404}, name
            assert not site.odd_is_online

    asyncio.run(play())


@pytest.mark.parametrize("name", ["\\u043edd", "odd ", "odd\\u200b", "../odd", "o:d"])
def test_g28_a_look_alike_cannot_be_registered(tmp_path: Path, name: str) -> None:
    """[G28] Identities are plain letters, digits, dots, dashes and underlines."""
    path = tmp_path / "site.toml"
    text = SITE.format(traits="", more=CROWD.replace("[{ids}]", f'["{name}"]'))
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SettingsError, match="ids"):
        Settings.load(path)
