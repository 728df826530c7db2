"""The waiting room: unknown identities that knocked, bounded, with what to do about them [E-20, E-21]."""

from __future__ import annotations

import tomllib
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain.access import SecurityProfile
from loadmgr.ocpp.access.waiting import HELD, HELD_PER_ADDRESS, LISTED, WaitingRoom
from loadmgr.sitefile.models import StationTable
from tests.support.gatekeepers import HERE, THERE, certificate, knock

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
LATER = NOW + timedelta(minutes=1)


def test_who_knocks_is_listed_with_what_it_showed_and_never_with_its_password() -> None:
    """[G26]"""
    room = WaitingRoom()
    room.knocked("new-1", knock("new-1", "a-secret-password-of-it"), NOW)
    room.knocked("new-2", knock("new-2", is_tls=True, certificate=certificate("SN 1"), offered=("ocpp2.0.1",)), NOW)
    room.knocked("new-1", knock("new-1", "a-secret-password-of-it", address=THERE), LATER, "cp-01")
    latest, other = room.entries()
    assert (latest.identity, latest.address, latest.tries) == ("new-1", THERE, 2)
    assert (latest.first_at, latest.last_at) == (NOW, LATER)
    assert (latest.had_password, latest.resembles, latest.offered) == (True, "cp-01", ("ocpp1.6",))
    assert (other.certificate_name, other.certificate_organization) == ("SN 1", "Operator")
    assert "a-secret-password-of-it" not in repr(room)


@pytest.mark.parametrize(
    ("boot", "vendor"),
    [
        ({"chargePointVendor": "V", "chargePointModel": "M", "chargePointSerialNumber": "S", "firmwareVersion": "F"}, "V"),
        ({"chargePointVendor": "V", "chargePointModel": "M", "chargeBoxSerialNumber": "S", "firmwareVersion": "F"}, "V"),
        (
            {
                "chargingStation": {"vendorName": "V", "model": "M", "serialNumber": "S", "firmwareVersion": "F"},
                "reason": "x",
            },
            "V",
        ),
        (
            {
                "chargePointVendor": "V" * 500,
                "chargePointModel": "M\n",
                "chargePointSerialNumber": "S",
                "firmwareVersion": "F",
            },
            "V" * 64,
        ),
    ],
)
def test_what_a_held_station_says_of_itself_is_listed(boot: dict[str, object], vendor: str) -> None:
    """[G15, G18]"""
    room = WaitingRoom()
    room.knocked("new-1", knock("new-1"), NOW)
    room.told("new-1", boot)
    room.told("never-knocked", boot)
    room.knocked("new-1", knock("new-1"), LATER)
    (entry,) = room.entries()
    assert (entry.vendor, entry.model, entry.serial, entry.firmware) == (vendor, "M", "S", "F")


@given(
    st.dictionaries(
        st.sampled_from(["chargingStation", "model", "chargePointVendor"]), st.none() | st.integers() | st.text()
    )
)
def test_any_boot_may_be_told(boot: dict[str, object]) -> None:
    """[E-20]"""
    room = WaitingRoom()
    room.knocked("new-1", knock("new-1"), NOW)
    room.told("new-1", boot)
    assert all(c.isprintable() for entry in room.entries() for c in entry.vendor + entry.model)


def test_the_list_is_bounded_and_who_floods_it_pushes_out_his_own() -> None:
    room = WaitingRoom()
    room.knocked("true", knock("true", address=THERE), NOW)
    for number in range(10 * LISTED):
        room.knocked(f"flood-{number}", knock(f"flood-{number}"), NOW)
    listed = [entry.identity for entry in room.entries()]
    assert len(listed) == LISTED
    assert "true" in listed
    assert listed[0] == f"flood-{10 * LISTED - 1}"
    assert f"flood-{10 * LISTED - LISTED}" not in listed


def test_held_links_are_bounded_in_all_and_per_address() -> None:
    """[E-21]"""
    room = WaitingRoom()
    entered = [(f"new-{n}", f"192.0.2.{n % 6}") for n in range(100) if room.entered(f"new-{n}", f"192.0.2.{n % 6}")]
    assert len(entered) == room.n_held == HELD
    at = [address for _, address in entered]
    assert max(at.count(each) for each in at) <= HELD_PER_ADDRESS
    assert not room.has_place("192.0.2.250")
    room.left("never-entered", "192.0.2.0")
    assert room.n_held == HELD
    for who in entered:
        room.left(*who)
        room.left(*who)
    assert room.n_held == 0
    assert all(room.entered(f"again-{n}", HERE) for n in range(HELD_PER_ADDRESS))
    assert not room.entered("one-more", HERE)


def test_an_entry_says_whether_its_link_is_held() -> None:
    room = WaitingRoom()
    room.knocked("new-1", knock("new-1"), NOW)
    assert room.entered("new-1", HERE)
    assert room.entered("new-1", HERE)
    room.left("new-1", HERE)
    room.knocked("new-1", knock("new-1"), LATER)
    assert room.entries()[0].is_held
    room.left("new-1", HERE)
    assert not room.entries()[0].is_held
    room.admitted("new-1")
    assert room.entries() == ()


@pytest.mark.parametrize("identity", ["new-1", "NEW*1|x", "a" * 64, "-x", "ünï", '"]\n[x'])
@pytest.mark.parametrize(
    ("asked", "profile"),
    [
        (knock(), SecurityProfile.BASIC),
        (knock(password="p" * 16), SecurityProfile.BASIC),
        (knock(is_tls=True), SecurityProfile.TLS_BASIC),
        (knock(is_tls=True, certificate=certificate('SN "4711"')), SecurityProfile.TLS_CLIENT),
    ],
)
def test_the_snippet_is_a_station_of_the_site_file(identity: str, asked: object, profile: SecurityProfile) -> None:
    room = WaitingRoom()
    room.knocked(identity, asked, NOW)  # type: ignore[arg-type]
    text = room.entries()[0].snippet()
    ((name, table),) = tomllib.loads(text)["stations"].items()
    assert table["security_profile"] == profile
    if name != identity:
        (alias,) = table["aliases"]
        assert alias == "".join(c for c in identity if c.isprintable())
    if profile is SecurityProfile.TLS_CLIENT:
        assert table["certificate_name"] == 'SN "4711"'
        assert "password" not in table
    else:
        assert table["password"] == ""
    StationTable.model_validate(table | {"node": "grid"})


def test_a_name_of_its_own_need_not_be_written_twice() -> None:
    room = WaitingRoom()
    room.knocked("new-1", replace(knock("new-1"), is_tls=True, certificate=certificate("new-1")), NOW)
    text = room.entries()[0].snippet()
    assert "certificate_name" not in text
    assert "aliases" not in text
