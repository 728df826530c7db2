"""Which station an address means: canonical paths, aliases, and what only looks alike [G-55]."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain.access import SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.ocpp.access.identity import Directory, admitted_by, fits_2x, identity_of, is_identity
from loadmgr.ocpp.access.verdict import Reason
from loadmgr.settings import StationAccess
from tests.support.gatekeepers import HERE, ONE, OTHER, RIGHT, THERE, TWO, Office, basic, knock, office


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


@pytest.mark.parametrize("identity", ["cp-01", "CP_7*x", "A", "4711", "a" * 64, "de*abc+1|2@x.y=z:1"])
def test_an_identity_has_the_signs_of_an_identifier_string(identity: str) -> None:
    """[G14]"""
    assert is_identity(identity)


@pytest.mark.parametrize(
    "identity",
    [
        "",
        "..",
        ".",
        "-",
        "../../etc",
        "a/b",
        "a\\b",
        "a b",
        "a\x00b",
        "a\nb",
        "a%2e",
        "\u0430bc",
        "a\u200bb",
        "a" * 65,
        "<b>",
    ],
)
def test_what_is_no_identity_by_its_form(identity: str) -> None:
    """[G14, G18, G28]"""
    assert not is_identity(identity)


def test_2x_has_shorter_identities_without_a_colon() -> None:
    """[E.1]"""
    assert fits_2x("a" * 48)
    assert not fits_2x("a" * 49)
    assert not fits_2x("a:b")


def aliased() -> Office:
    access = {
        ONE: StationAccess(password=RIGHT, aliases=("Box 7", "cp-01 ")),
        TWO: StationAccess(password=OTHER),
    }
    return office(access)


def under(identity: str, user: str, password: str, address: str = HERE) -> Any:
    return knock(identity.replace(" ", "%20"), authorization=basic(user, password), address=address)


@pytest.mark.parametrize("identity", ["cp-01", "Box 7", "cp-01 "])
@pytest.mark.parametrize("is_user_the_id", [True, False])
def test_a_station_comes_in_under_its_id_and_its_aliases(identity: str, is_user_the_id: bool) -> None:
    """[G-55, E-10]"""
    user = "cp-01" if is_user_the_id else identity
    verdict = aliased().judge(under(identity, user, RIGHT))
    assert (verdict.admitted, verdict.identity) == (ONE, identity)
    assert verdict.refusal() is None


@pytest.mark.parametrize(
    ("identity", "user", "password"),
    [
        ("Box 7", "Box 7", OTHER),
        ("Box 7", "cp-02", RIGHT),
        ("cp-02", "cp-01", RIGHT),
        ("cp-01", "Box 7", RIGHT),  # the user is neither the id nor the identity that it used
        ("box 7", "box 7", "guessed"),
        ("nobody", "nobody", RIGHT),
    ],
)
def test_an_alias_opens_nothing_without_the_password(identity: str, user: str, password: str) -> None:
    """[G-55, G01]"""
    place = aliased()
    verdict = place.judge(under(identity, user, password))
    assert verdict.admitted is None
    assert verdict.resembles is None
    assert place.keeper.failures == 1


@pytest.mark.parametrize("identity", ["CP-01", "Cp-01", "cp_01", " cp-01", "cp01", "BOX 7"])
def test_what_only_resembles_an_identity_is_refused_and_named(identity: str) -> None:
    """[G-55, G28] Exact match by default."""
    verdict = aliased().judge(under(identity, identity, RIGHT))
    assert (verdict.admitted, verdict.resembles) == (None, ONE)
    remedy = admitted_by(identity, ONE)
    assert "'cp-01'" in remedy
    assert f'list "{identity}" under its aliases' in remedy


def test_an_outsider_cannot_learn_which_stations_there_are_by_resemblance() -> None:
    """[G01, G03] Without the password nothing is told, and tries are rationed."""
    place = aliased()
    for _ in range(5):
        assert place.judge(under("CP-01", "CP-01", "guessed", THERE)).resembles is None
    assert place.reason(under("CP-01", "CP-01", RIGHT, THERE), 0.5) == Reason.DELAYED, "it has to wait"
    assert place.judge(under("CP-01", "CP-01", RIGHT, HERE), 0.5).resembles == ONE, "the true one has not"


def test_a_station_without_a_password_is_named_all_the_same() -> None:
    """[G-55]"""
    free = StationId("free")
    place = office({free: StationAccess(profile=SecurityProfile.NONE, aliases=("Free!",))})
    assert place.judge(knock("free")).admitted == free
    assert place.judge(knock("Free!")).admitted == free
    assert place.judge(knock("FREE")).resembles == free


def test_the_directory_knows_ids_and_aliases() -> None:
    """[G-55]"""
    directory = Directory.of({ONE: StationAccess(aliases=("Box 7",)), TWO: StationAccess()})
    assert directory.find("Box 7") == ONE
    assert directory.find("box 7") is None
    assert directory.like("BOX-7") == ONE
    assert directory.like("-") is None
