"""Which station an address means: canonical paths, aliases, and what only looks alike [G-55]."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain.ids import StationId
from loadmgr.ocpp.auth import Gatekeeper, Verdict
from loadmgr.ocpp.identity import Directory, admitted_by, identity_of
from loadmgr.settings import StationAccess

RIGHT = "password-of-cp-01"
ONE, TWO = StationId("cp-01"), StationId("cp-02")


@pytest.mark.parametrize(
    ("path", "identity"),
    [
        ("/ocpp/cp-01", "cp-01"),
        ("/ocpp/cp-01/", "cp-01"),
        ("//ocpp//cp-01//", "cp-01"),
        ("/ocpp/%63p%2D01", "cp-01"),
        ("/o%63pp/cp-01?token=x", "cp-01"),
        ("/ocpp/cp-01%20", "cp-01 "),
        ("/ocpp/CP-01", "CP-01"),
        ("/ocpp/a%2Fb", "a/b"),
        ("/ocpp", None),
        ("/ocpp/", None),
        ("/", None),
        ("/OCPP/cp-01", None),
        ("/ocpp/x/cp-01", None),
        ("/ocpp/../ocpp/cp-01", None),
    ],
)
def test_a_path_is_read_in_its_canonical_form(path: str, identity: str | None) -> None:
    """[G-55, A10]"""
    assert identity_of(path, "/ocpp") == identity


def test_the_path_of_the_gateway_may_be_the_root_or_deep() -> None:
    """[G-55]"""
    assert identity_of("/cp-01/", "") == "cp-01"
    assert identity_of("/a//b/cp-01", "/a/b") == "cp-01"


@given(st.text(max_size=40))
def test_any_path_is_an_identity_or_none(path: str) -> None:
    """[A10] Nothing that an outsider sends raises, and an identity is never empty."""
    found = identity_of(path, "/ocpp")
    assert found is None or found


def gatekeeper(**more: StationAccess) -> Gatekeeper:
    access = {
        ONE: StationAccess(password=RIGHT, aliases=("Box 7", "cp-01 ")),
        TWO: StationAccess(password="password-of-cp-02"),
        **{StationId(name): given for name, given in more.items()},
    }
    return Gatekeeper(access, Directory.of(access))


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize("identity", ["cp-01", "Box 7", "cp-01 "])
@pytest.mark.parametrize("is_user_the_id", [True, False])
def test_a_station_comes_in_under_its_id_and_its_aliases(identity: str, is_user_the_id: bool) -> None:
    """[G-55, E-10]"""
    user = "cp-01" if is_user_the_id else identity
    assert gatekeeper().judge(identity, basic(user, RIGHT), "here", 0.0) == Verdict(station=ONE)


@pytest.mark.parametrize(
    ("identity", "user", "password"),
    [
        ("Box 7", "Box 7", "password-of-cp-02"),
        ("Box 7", "cp-02", RIGHT),
        ("cp-02", "cp-01", RIGHT),
        ("cp-01", "Box 7", RIGHT),  # the user is neither the id nor the identity that it used
        ("box 7", "box 7", "guessed"),
        ("nobody", "nobody", RIGHT),
        ("", "", ""),
    ],
)
def test_an_alias_opens_nothing_without_the_password(identity: str, user: str, password: str) -> None:
    """[G-55, G01]"""
    keeper = gatekeeper()
    assert keeper.judge(identity, basic(user, password), "here", 0.0) == Verdict()
    assert keeper.failures == 1


@pytest.mark.parametrize("identity", ["CP-01", "Cp-01", "cp_01", " cp-01", "cp01", "BOX 7"])
def test_what_only_resembles_an_identity_is_refused_and_named(identity: str) -> None:
    """[G-55] Exact match by default."""
    verdict = gatekeeper().judge(identity, basic(identity, RIGHT), "here", 0.0)
    assert verdict == Verdict(resembles=ONE)
    remedy = admitted_by(identity, ONE)
    assert "'cp-01'" in remedy
    assert f'list "{identity}" under its aliases' in remedy


def test_an_outsider_cannot_learn_which_stations_there_are_by_resemblance() -> None:
    """[G01, G03] Without the password nothing is told, and tries are rationed."""
    keeper = gatekeeper()
    for _ in range(5):
        assert keeper.judge("CP-01", basic("CP-01", "guessed"), "there", 0.0) == Verdict()
    assert keeper.judge("CP-01", basic("CP-01", RIGHT), "there", 0.5) == Verdict(), "it has to wait"
    assert keeper.judge("CP-01", basic("CP-01", RIGHT), "here", 0.5) == Verdict(resembles=ONE), "the true one has not"


def test_a_station_without_a_password_is_named_all_the_same() -> None:
    """[G-55]"""
    keeper = gatekeeper(free=StationAccess(auth="none", aliases=("Free!",)))
    assert keeper.judge("free", None, "here", 0.0) == Verdict(station=StationId("free"))
    assert keeper.judge("Free!", None, "here", 0.0) == Verdict(station=StationId("free"))
    assert keeper.judge("FREE", None, "here", 0.0) == Verdict(resembles=StationId("free"))
