"""Who comes in: security profiles, passwords old and new, delays, and what nobody is told [E-10, E-12 to E-15, E-20]."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import replace
from http import HTTPStatus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.ocpp.access.passwords import Basic, Worker, canonical, decoy
from loadmgr.ocpp.access.profiles import Claim, Names, lacks
from loadmgr.ocpp.access.throttle import Tally
from loadmgr.ocpp.access.verdict import Reason, Verdict
from loadmgr.ocpp.transport.contract import ClientCertificate, Knock
from loadmgr.settings import StationAccess
from tests.support.gatekeepers import (
    CHEAP,
    HERE,
    NEWER,
    ONE,
    OTHER,
    RIGHT,
    THERE,
    TLS,
    TWO,
    Office,
    basic,
    certificate,
    knock,
    office,
)

NONE, BASIC, TLS_BASIC, TLS_CLIENT = SecurityProfile
HASHED, NEWER_HASHED = CHEAP.hash(RIGHT), CHEAP.hash(NEWER)
HEX_KEY = "00112233445566778899aabbccddeeff00112233"

# -- one profile per station ---------------------------------------------------------------------------------------

KNOCKS: dict[str, Knock] = {
    "plain": knock(),
    "plain, password": knock(password=RIGHT),
    "plain, wrong password": knock(password=OTHER),
    "plain, another user": knock(authorization=basic("cp-02", RIGHT)),
    "TLS": knock(is_tls=True),
    "TLS, password": knock(password=RIGHT, is_tls=True),
    "TLS, wrong password": knock(password=OTHER, is_tls=True),
    "certificate": knock(is_tls=True, certificate=certificate()),
    "certificate, wrong password": knock(password=OTHER, is_tls=True, certificate=certificate()),
    "certificate, password": knock(password=RIGHT, is_tls=True, certificate=certificate()),
    "certificate of another": knock(is_tls=True, certificate=certificate("cp-02")),
    "certificate without a name": knock(is_tls=True, certificate=certificate("")),
    "certificate of another operator": knock(is_tls=True, certificate=certificate("cp-01", "Somebody")),
    "plain, 2.x": knock(offered=("ocpp2.0.1",)),
}
IN = "in"
TABLE: dict[SecurityProfile, dict[str, str]] = {
    NONE: {
        "plain": IN,
        "plain, password": IN,
        "plain, wrong password": IN,
        "plain, another user": IN,
    },
    BASIC: {
        "plain": Reason.NO_PASSWORD,
        "plain, password": IN,
        "plain, wrong password": Reason.WRONG_PASSWORD,
        "plain, another user": Reason.WRONG_USER,
        "plain, 2.x": Reason.NO_PASSWORD,
    },
    TLS_BASIC: {
        "TLS": Reason.NO_PASSWORD,
        "TLS, password": IN,
        "TLS, wrong password": Reason.WRONG_PASSWORD,
        "certificate": Reason.NO_PASSWORD,
        "certificate, password": IN,
        "certificate, wrong password": Reason.WRONG_PASSWORD,
        "certificate of another": Reason.NO_PASSWORD,
        "certificate without a name": Reason.NO_PASSWORD,
        "certificate of another operator": Reason.NO_PASSWORD,
    },
    TLS_CLIENT: {
        "certificate": IN,
        "certificate, password": IN,
        "certificate, wrong password": IN,
        "certificate of another": Reason.CERTIFICATE_NAME,
        "certificate without a name": Reason.CERTIFICATE_NAME,
        "certificate of another operator": Reason.CERTIFICATE_ORGANIZATION,
    },
}


@pytest.mark.parametrize("asked", KNOCKS)
@pytest.mark.parametrize("profile", SecurityProfile)
def test_a_station_comes_in_with_its_one_profile_and_with_no_other(profile: SecurityProfile, asked: str) -> None:
    """[E-12, E-13, E-20] What the table does not name is another profile, or 0 with 2.x, which does not exist."""
    wanted = TABLE[profile].get(asked, Reason.WRONG_PROFILE)
    place = office({ONE: StationAccess(profile=profile, password=RIGHT if profile else None)})
    verdict = place.judge(KNOCKS[asked])
    assert (verdict.reason or IN) == wanted
    assert verdict.station == ONE
    assert verdict.admitted == (ONE if wanted == IN else None)
    assert verdict.profile == (profile if wanted == IN else None)
    refusal = verdict.refusal()
    assert (refusal is None) == (wanted == IN)
    assert refusal is None or refusal.status == HTTPStatus.UNAUTHORIZED
    assert place.keeper.failures == (0 if wanted == IN else 1)


def test_the_certificate_is_named_after_the_serial_number_where_the_site_file_says_so() -> None:
    """[E-12]"""
    place = office({ONE: StationAccess(profile=TLS_CLIENT, certificate_name="SN 4711")})
    assert place.judge(knock(is_tls=True, certificate=certificate("SN 4711"))).admitted == ONE
    assert place.reason(knock(is_tls=True, certificate=certificate("cp-01"))) == Reason.CERTIFICATE_NAME


def test_no_name_is_nobodys_name() -> None:
    """[E-12] Where nothing is expected, a certificate without a name does not fit by that."""
    claim = Claim(is_tls=True, certificate=certificate(""), is_2x=False)
    assert lacks(TLS_CLIENT, claim, Names(common_name="", organization=None)) is Reason.CERTIFICATE_NAME


def test_without_an_organization_in_the_settings_any_will_do() -> None:
    """[E-12] The authority vouches for it."""
    place = office({ONE: StationAccess(profile=TLS_CLIENT)}, tls=replace(TLS, organization=None))
    assert place.judge(knock(is_tls=True, certificate=certificate("cp-01", "Somebody"))).admitted == ONE


@pytest.mark.parametrize("offered", ["ocpp2.0.1", "ocpp2.1"])
def test_2x_knows_no_profile_0_no_colon_and_at_most_48_characters(offered: str) -> None:
    """[E.1, E.2]"""
    names = {name: StationAccess(password=RIGHT) for name in (StationId("a" * 49), StationId("a:b"), StationId("a" * 48))}
    place = office(names)
    for name in names:
        good = len(name) <= 48 and ":" not in name
        said = place.reason(knock(name, authorization=basic(name, RIGHT), offered=(offered,)))
        assert said == ("" if good else Reason.IDENTITY)
    assert place.judge(knock("a" * 49, RIGHT)).admitted == "a" * 49, "1.6 may"


@pytest.mark.parametrize(("asked", "is_critical"), [("plain, password", True), ("plain, wrong password", False)])
def test_a_right_password_on_the_wrong_way_is_for_an_operator_to_see(asked: str, is_critical: bool) -> None:
    """[E-13] It went over the wire in the clear; that somebody guesses does not alarm anybody at once."""
    verdict = office({ONE: StationAccess(profile=TLS_BASIC, password=RIGHT)}).judge(KNOCKS[asked])
    assert (verdict.reason, verdict.critical) == (Reason.WRONG_PROFILE, is_critical)


def test_a_certificate_of_ours_with_another_name_is_for_an_operator_to_see() -> None:
    """[E-12]"""
    verdict = office({ONE: StationAccess(profile=TLS_CLIENT)}).judge(KNOCKS["certificate of another"])
    assert verdict.critical


# -- nothing is told -----------------------------------------------------------------------------------------------


def test_unknown_wrong_and_misplaced_get_the_same_answer() -> None:
    """[G01, G14] Also where a name cannot be one."""
    place = office()
    refused = [
        knock("nobody", RIGHT),
        knock("cp-01", OTHER),
        knock("cp-01", authorization=basic("cp-02", RIGHT)),
        knock("cp-01"),
        knock("cp-01", RIGHT, is_tls=True),
        knock("..%2F..%2Fetc", RIGHT),
        knock("x" * 300, RIGHT),
        knock("cp-01", authorization="Bearer x"),
        knock("cp-01", authorization="Basic ###"),
        knock("cp-01", authorization="Basic Y3AtMDE="),
    ]
    answers = {str(place.judge(each).refusal()) for each in refused}
    assert len(answers) == 1
    delayed = place.judge(replace(refused[1], address=THERE))
    for _ in range(5):
        delayed = place.judge(replace(refused[1], address=THERE))
    assert delayed.reason == Reason.DELAYED
    assert str(delayed.refusal()) in answers


def test_who_misses_the_path_is_told_the_path() -> None:
    """[A10]"""
    refusal = office().judge(Knock(path="/elsewhere/cp-01", address=HERE)).refusal("/ocpp")
    assert refusal is not None
    assert refusal.status == HTTPStatus.NOT_FOUND
    assert "/ocpp/<identity>" in refusal.body


def _works(place: Office, asked: Knock) -> int:
    before = place.keeper.worker.n_verified
    place.judge(asked)
    return place.keeper.worker.n_verified - before


@pytest.mark.parametrize("n_hashes", [0, 1, 2])
def test_a_refusal_costs_the_same_work_whoever_knocks(n_hashes: int) -> None:
    """[G01] As many slow hashes as the station with the most of them; none where nobody sends a password."""
    access = {ONE: StationAccess(password_hash=HASHED if n_hashes else None, password=None if n_hashes else RIGHT)}
    access[TWO] = StationAccess(password=OTHER)
    agreed = (Credentials(station=ONE, offered_hash=NEWER_HASHED),) if n_hashes > 1 else ()
    place = office(access, *agreed)
    for number, (identity, more) in enumerate([("cp-01", {}), ("cp-02", {}), ("nobody", {}), ("cp-02", {"is_tls": True})]):
        asked = knock(identity, "a wrong password, long enough", address=f"192.0.2.{number + 50}", **more)
        assert _works(place, asked) == n_hashes, identity
        assert _works(place, replace(asked, authorization=None)) == 0
    place.keeper.close()


def test_a_right_password_needs_its_slow_hash_once() -> None:
    """[E-10]"""
    place = office({ONE: StationAccess(password_hash=HASHED)})
    assert [_works(place, KNOCKS["plain, password"]) for _ in range(3)] == [1, 0, 0]
    assert place.judge(KNOCKS["plain, password"]).admitted == ONE
    place.keeper.close()


def test_a_decoy_fits_nothing_and_costs_what_the_dearest_hash_costs() -> None:
    """[G01]"""
    made = decoy([HASHED, "no hash", NEWER_HASHED])
    assert made is not None
    assert made.split("$")[:4] == HASHED.split("$")[:4]
    assert Worker()._verify((made, HASHED), RIGHT.encode()) == {HASHED}
    assert decoy([]) is None


# -- passwords -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [HEX_KEY, HEX_KEY.upper(), bytes.fromhex(HEX_KEY)])
@pytest.mark.parametrize("is_hashed", [False, True])
def test_a_hex_key_is_good_as_text_and_as_bytes_where_the_site_file_says_so(said: str | bytes, is_hashed: bool) -> None:
    """[E-10] In 1.6 only."""
    own = {"password_hash": CHEAP.hash(HEX_KEY)} if is_hashed else {"password": HEX_KEY}
    place = office({ONE: StationAccess(hex_password=True, **own)})  # type: ignore[arg-type]
    assert place.judge(knock(authorization=basic("cp-01", said))).admitted == ONE
    is_exact = said == HEX_KEY
    over_2x = knock(authorization=basic("cp-01", said), offered=("ocpp2.0.1",), address=THERE)
    assert (place.judge(over_2x).admitted == ONE) == is_exact
    strict = office({ONE: StationAccess(**own)})  # type: ignore[arg-type]
    assert (strict.judge(knock(authorization=basic("cp-01", said))).admitted == ONE) == is_exact
    place.keeper.close()
    strict.keeper.close()


@given(st.binary(min_size=16, max_size=20))
def test_bytes_and_text_of_a_key_have_one_form(key: bytes) -> None:
    """[E-10]"""
    assert canonical(key, is_hex=True) == key.hex().encode() == canonical(key.hex().upper().encode(), is_hex=True)


@given(st.binary(max_size=60))
def test_other_bytes_than_the_key_have_another_form(said: bytes) -> None:
    """[E-10]"""
    key = bytes.fromhex(HEX_KEY)
    if said != key and said.lower() != HEX_KEY.encode():
        assert canonical(said, is_hex=True) != HEX_KEY.encode()


def test_a_password_that_is_too_short_is_refused_although_it_is_right() -> None:
    """[G04, E.2] Of a hash nobody sees the length before."""
    place = office({ONE: StationAccess(password_hash=CHEAP.hash("short"))})
    verdict = place.judge(knock(password="short"))
    assert (verdict.reason, verdict.critical) == (Reason.WEAK_PASSWORD, True)
    place.keeper.close()


@given(st.text(max_size=60))
def test_any_header_is_read_or_not(header: str) -> None:
    """[E-20] Nothing that an outsider writes raises."""
    assert Basic.of(header) is None or header.lower().startswith("basic ")


def test_a_password_is_in_no_representation() -> None:
    """[G26]"""
    found = Basic.of(basic("cp-01", RIGHT))
    assert found is not None
    assert RIGHT not in repr(found)


# -- what was offered ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("is_hashed", [False, True])
def test_old_and_new_password_are_good_until_the_new_one_is_proven(is_hashed: bool) -> None:
    """[E-14]"""
    access = StationAccess(password_hash=HASHED) if is_hashed else StationAccess(password=RIGHT)
    agreed = Credentials(station=ONE, offered_hash=NEWER_HASHED)
    place = office({ONE: access}, agreed)
    old, new = knock(password=RIGHT), knock(password=NEWER)
    assert place.judge(old).admitted == ONE
    assert place.judge(old).admitted == ONE
    assert place.proven == []
    assert place.keeper.credentials(ONE) == agreed
    assert place.judge(new).admitted == ONE
    after = Credentials(station=ONE, password_hash=NEWER_HASHED)
    assert place.proven == [(ONE, after)]
    assert place.keeper.credentials(ONE) == after
    assert place.reason(old) == (Reason.WRONG_PASSWORD if is_hashed else Reason.REPLACED)
    assert place.judge(new).admitted == ONE
    assert len(place.proven) == 1
    place.keeper.close()


def test_an_offer_that_is_withdrawn_opens_nothing() -> None:
    """[E-14]"""
    place = office(None, Credentials(station=ONE, offered_hash=NEWER_HASHED))
    place.keeper.settle(ONE, Credentials(station=ONE))
    assert place.reason(knock(password=NEWER)) == Reason.WRONG_PASSWORD
    assert place.judge(knock(password=RIGHT)).admitted == ONE
    place.keeper.settle(ONE, Credentials(station=ONE, password_hash=NEWER_HASHED))
    assert place.judge(knock(password=NEWER)).admitted == ONE
    place.keeper.settle(ONE, None)
    assert place.reason(knock(password=NEWER)) == Reason.WRONG_PASSWORD
    assert place.judge(knock(password=RIGHT)).admitted == ONE, "the site file alone counts again"
    place.keeper.close()


def test_a_raised_profile_is_good_beside_the_old_one_until_it_is_proven() -> None:
    """[E-13]"""
    access = {ONE: StationAccess(profile=TLS_BASIC, password=RIGHT)}
    place = office(access, Credentials(station=ONE, offered_profile=TLS_CLIENT))
    below, above = KNOCKS["TLS, password"], KNOCKS["certificate"]
    assert place.judge(below).profile is TLS_BASIC
    assert place.proven == []
    assert place.judge(above).profile is TLS_CLIENT
    assert place.proven == [(ONE, Credentials(station=ONE, profile=TLS_CLIENT))]
    verdict = place.judge(below)
    assert (verdict.reason, verdict.critical) == (Reason.DOWNGRADE, True)
    assert place.keeper.profile(ONE) is TLS_CLIENT


@pytest.mark.parametrize("offered", ["ocpp1.6", "ocpp2.0.1", "ocpp2.1"])
@pytest.mark.parametrize("is_allowed", [False, True])
def test_from_3_to_2_goes_2x_only_and_only_where_it_is_allowed(offered: str, is_allowed: bool) -> None:
    """[E-13]"""
    access = {ONE: StationAccess(profile=TLS_CLIENT, password=RIGHT, allow_downgrade=is_allowed)}
    place = office(access, Credentials(station=ONE, profile=TLS_CLIENT, offered_profile=TLS_BASIC))
    verdict = place.judge(replace(KNOCKS["TLS, password"], offered=(offered,)))
    if is_allowed and offered != "ocpp1.6":
        assert verdict.profile is TLS_BASIC
        assert place.proven == [(ONE, Credentials(station=ONE, profile=TLS_BASIC))]
        assert place.judge(replace(KNOCKS["TLS, password"], offered=(offered,))).profile is TLS_BASIC
    else:
        assert verdict.reason == Reason.DOWNGRADE
        assert place.proven == []


@pytest.mark.parametrize(
    ("now", "offered", "asked"),
    [
        (NONE, BASIC, knock(password=RIGHT)),
        (NONE, TLS_BASIC, knock(password=RIGHT, is_tls=True)),
        (BASIC, TLS_BASIC, knock(password=RIGHT, is_tls=True)),
        (BASIC, TLS_CLIENT, knock(is_tls=True, certificate=certificate())),
        (TLS_BASIC, TLS_CLIENT, knock(password=RIGHT, is_tls=True, certificate=certificate())),
        (TLS_CLIENT, TLS_BASIC, knock(password=RIGHT, is_tls=True, certificate=certificate(), offered=("ocpp2.1",))),
    ],
)
def test_an_offered_profile_is_proven_also_where_the_old_one_would_do(
    now: SecurityProfile, offered: SecurityProfile, asked: Knock
) -> None:
    """[E-13] A station that shows a certificate or a password beside what its profile needs keeps nothing open."""
    access = {ONE: StationAccess(profile=now, password=RIGHT, allow_downgrade=True)}
    place = office(access, Credentials(station=ONE, offered_profile=offered))
    assert place.judge(asked).profile is offered
    assert place.proven == [(ONE, Credentials(station=ONE, profile=offered))]
    assert place.judge(asked).profile is offered


def test_a_right_certificate_is_enough_beside_a_wrong_password_also_while_2_is_offered() -> None:
    """[E-13]"""
    access = {ONE: StationAccess(profile=TLS_CLIENT, password=RIGHT, allow_downgrade=True)}
    place = office(access, Credentials(station=ONE, offered_profile=TLS_BASIC))
    asked = replace(KNOCKS["certificate, wrong password"], offered=("ocpp2.1",))
    assert place.judge(asked).profile is TLS_CLIENT
    assert place.proven == []


def test_a_change_while_a_password_is_checked_is_answered_with_later() -> None:
    """[E-14] The old password must not slip in after the new one was proven."""
    place = office({ONE: StationAccess(password_hash=HASHED)})

    async def play() -> Verdict:
        answer = place.keeper.judge(knock(password=RIGHT), 0.0)
        assert not isinstance(answer, Verdict)
        place.keeper.settle(ONE, Credentials(station=ONE, password_hash=NEWER_HASHED))
        return await answer

    verdict = asyncio.run(play())
    assert verdict.reason == Reason.CHANGED
    refusal = verdict.refusal()
    assert refusal is not None
    assert refusal.status == HTTPStatus.SERVICE_UNAVAILABLE
    assert int(refusal.headers["Retry-After"]) > 0
    assert place.reason(knock(password=RIGHT)) == Reason.WRONG_PASSWORD
    place.keeper.close()


# -- nobody with less ----------------------------------------------------------------------------------------------

PASSWORDS = {"none": None, "file": RIGHT, "current": "current-password-of-cp-01", "offered": NEWER, "wrong": OTHER}
CURRENT_HASHED = CHEAP.hash("current-password-of-cp-01")
_profiles = st.sampled_from(SecurityProfile)
_maybe = st.none() | _profiles
_certificates = st.sampled_from([None, certificate(), certificate("cp-02"), certificate("cp-01", "Somebody")])


@st.composite
def agreements(draw: st.DrawFn) -> Credentials | None:
    if draw(st.booleans()):
        return None
    return Credentials(
        station=ONE,
        password_hash=draw(st.sampled_from([None, CURRENT_HASHED])),
        offered_hash=draw(st.sampled_from([None, NEWER_HASHED])),
        profile=draw(_maybe),
        offered_profile=draw(_maybe),
    )


def _good_passwords(agreed: Credentials | None) -> set[str]:
    now = "file" if agreed is None or agreed.password_hash is None else "current"
    return {now} | ({"offered"} if agreed is not None and agreed.offered_hash is not None else set())


@given(
    file=_profiles,
    may_descend=st.booleans(),
    agreed=agreements(),
    is_tls=st.booleans(),
    shown=_certificates,
    said=st.sampled_from(sorted(PASSWORDS)),
    user=st.sampled_from(["cp-01", "cp-02"]),
    offered=st.sampled_from([("ocpp1.6",), ("ocpp2.0.1",), ("ocpp2.1", "ocpp1.6"), ()]),
)
@settings(max_examples=300, deadline=None)
def test_nobody_gets_in_with_less_than_the_proof_of_the_expected_profile(
    file: SecurityProfile,
    may_descend: bool,
    agreed: Credentials | None,
    is_tls: bool,
    shown: ClientCertificate | None,
    said: str,
    user: str,
    offered: tuple[str, ...],
) -> None:
    """[E-10, E-12, E-13, E-14, E-20]"""
    place = office(
        {ONE: StationAccess(profile=file, password=RIGHT, allow_downgrade=may_descend)}, *([agreed] if agreed else [])
    )
    password = PASSWORDS[said]
    asked = knock(
        authorization=basic(user, password) if password is not None else None,
        is_tls=is_tls,
        certificate=shown if is_tls else None,
        offered=offered,
    )
    verdict = place.judge(asked)
    place.keeper.close()
    has_password = said in _good_passwords(agreed) and user == "cp-01"
    has_certificate = is_tls and shown == certificate()
    is_2x = offered[:1] not in {("ocpp1.6",), ()}
    proofs = {
        NONE: not is_tls and not is_2x,
        BASIC: not is_tls and has_password,
        TLS_BASIC: is_tls and has_password,
        TLS_CLIENT: has_certificate,
    }
    raised = agreed.profile if agreed is not None and agreed.profile is not None else NONE
    floor = max(file, raised)
    if floor is TLS_CLIENT and may_descend and agreed is not None:
        has_descended = raised is TLS_BASIC
        may_now = is_2x and agreed.offered_profile is TLS_BASIC
        floor = TLS_BASIC if has_descended or may_now else floor
    if verdict.admitted is not None:
        assert verdict.profile is not None
        assert verdict.profile >= floor
        assert proofs[verdict.profile], "what it came in with, it has proven"
        assert verdict.profile in {file, raised, agreed.offered_profile if agreed is not None else file}
    elif agreed is None or agreed.profile is None:
        assert not proofs[file], "who has the proof of the expected profile comes in"
    for _, after in place.proven:
        assert verdict.admitted is not None
        assert agreed is not None
        assert after.profile in {agreed.profile, verdict.profile}
        is_new = said == "offered" and has_password and verdict.profile in {BASIC, TLS_BASIC}
        assert after.password_hash == (agreed.offered_hash if is_new else agreed.password_hash)


# -- delays --------------------------------------------------------------------------------------------------------


def test_three_failures_begin_a_delay_that_doubles_up_to_a_minute() -> None:
    """[E-15, G03]"""
    place, now_s, waits = office(), 0.0, []
    for _ in range(12):
        assert place.reason(knock(password=OTHER), now_s) == Reason.WRONG_PASSWORD
        begin_s = now_s
        while place.keeper.throttle.is_delayed("cp-01", HERE, now_s):
            now_s += 0.5
        waits.append(now_s - begin_s)
    assert waits[:7] == [0, 0, 4, 8, 16, 32, 60]
    assert waits[-1] == 60
    assert place.judge(knock(password=RIGHT), now_s).admitted == ONE
    assert place.reason(knock(password=OTHER), now_s) == Reason.WRONG_PASSWORD, "a success forgives"


@given(st.lists(st.floats(0.0, 100.0), min_size=2, max_size=2), st.floats(0.0, 1e6))
def test_three_failures_in_a_few_minutes_begin_a_delay_whenever_they_come(pauses_s: list[float], begin_s: float) -> None:
    """[E-15]"""
    place, now_s = office(), begin_s
    for pause_s in (0.0, *pauses_s):
        now_s += pause_s
        assert place.reason(knock(password=OTHER), now_s) == Reason.WRONG_PASSWORD
    assert place.reason(knock(password=RIGHT), now_s + 0.01) == Reason.DELAYED
    assert place.judge(knock(password=RIGHT), now_s + 4.01).admitted == ONE


def test_what_fails_rarely_never_adds_up() -> None:
    """[E-15] A failure is forgotten in ten minutes, whatever comes between."""
    tally = Tally[str](free=3, delay_max_s=60.0, fade_s=600.0)
    for number in range(100):
        assert not tally.failed("a", number * 601.0)
        assert tally.failures("a", number * 601.0) == 1
    rarely = [tally.failed("b", number * 350.0) for number in range(8)]
    assert any(rarely), "more often than it is forgotten adds up"


def test_a_delay_takes_no_notice_of_what_is_said() -> None:
    """[E-15] Else it would tell."""
    place = office()
    for _ in range(3):
        place.judge(knock(password=OTHER))
    assert place.reason(knock(password=RIGHT)) == Reason.DELAYED
    assert place.keeper.failures == 3
    assert place.keeper.reasons[Reason.DELAYED] == 1


def test_a_thousand_tries_from_everywhere_do_not_lock_the_true_station_out() -> None:
    """[G03, E-15] At its own address, and at one where it has never been; and somebody is told once."""
    place, critical = office(), 0
    assert place.judge(knock(password=RIGHT)).admitted == ONE
    for number in range(1000):
        address = f"203.0.113.{number % 250}"
        critical += place.judge(knock(password=OTHER, address=address), number * 0.1).critical
    assert critical == 1
    assert place.judge(knock(password=RIGHT), 100.0).admitted == ONE
    assert place.judge(knock(password=RIGHT, address=THERE), 100.0).admitted == ONE
    assert place.keeper.throttle.is_delayed("cp-01", "203.0.113.7", 100.0)


def test_who_guesses_at_one_station_from_many_places_gets_slower() -> None:
    """[E-15] Each place has a few tries, and then waits for the station's common delay."""
    place = office()
    for number in range(40):
        place.judge(knock(password=OTHER, address=f"203.0.113.{number}"), 0.0)
    assert place.reason(knock(password=OTHER, address="203.0.113.39"), 1.0) == Reason.DELAYED
    assert place.reason(knock("cp-02", OTHER, address="203.0.113.39"), 1.0) == "", "only this station"


def test_who_tries_many_names_from_one_address_gets_slower() -> None:
    """[E-15] A true station behind the same router is let in if it has been before."""
    place = office()
    assert place.judge(knock("cp-02", OTHER)).admitted == TWO
    reasons = [place.reason(knock(f"guess-{number}", OTHER), 0.0) for number in range(60)]
    assert reasons[0] == Reason.UNKNOWN
    assert reasons[-1] == Reason.DELAYED
    assert place.judge(knock("cp-02", OTHER), 0.0).admitted == TWO
    assert place.reason(knock("cp-01", RIGHT), 0.0) == Reason.DELAYED
    assert place.judge(knock("cp-01", RIGHT), 600.0).admitted == ONE, "and the others later"


def test_one_station_with_a_wrong_password_does_not_slow_its_neighbours() -> None:
    """[E-15, G03] It fails once a minute at most, which is forgotten faster."""
    place = office()
    for minute in range(500):
        place.judge(knock(password=OTHER), minute * 61.0)
    assert place.judge(knock("cp-02", OTHER), 500 * 61.0).admitted == TWO


def test_a_certificate_is_not_delayed_because_nobody_can_guess_it() -> None:
    """[E-15]"""
    place = office({ONE: StationAccess(profile=TLS_CLIENT)})
    for _ in range(10):
        place.judge(KNOCKS["certificate of another"])
    assert place.reason(KNOCKS["certificate of another"]) == Reason.DELAYED
    assert place.judge(KNOCKS["certificate"]).admitted == ONE


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff:2", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
    ],
)
def test_a_subscriber_of_ipv6_is_one_address(one: str, other: str, is_same: bool) -> None:
    """[E-15, A16]"""
    place = office()
    for _ in range(3):
        place.judge(knock(password=OTHER, address=one))
    assert (place.reason(knock(password=OTHER, address=other)) == Reason.DELAYED) == is_same


def test_the_memory_of_failures_is_bounded() -> None:
    """[G03]"""
    throttle = office().keeper.throttle
    throttle._places.size = throttle._identities.size = throttle._addresses.size = 50
    for number in range(1000):
        throttle.failed(f"{'x' * 4000}{number}", f"192.0.{number % 256}.{number // 256}", float(number))
    assert len(throttle) <= 150
    assert max(len(identity) for identity, _ in throttle._places._known) <= 64


# -- slow hashes ---------------------------------------------------------------------------------------------------


def test_slow_hashes_never_hold_the_event_loop_and_their_queue_is_bounded() -> None:
    """[E-15, G03] Beyond the queue, later; half of it is kept for addresses that have not failed."""
    place = office({ONE: StationAccess(password_hash=HASHED)})
    worker = place.keeper.worker
    worker.size = 8
    go = threading.Event()

    answers: list[Verdict] = []

    async def storm() -> None:
        await worker.fitting((), b"")  # the thread lives
        assert worker._thread is not None
        worker._thread.submit(go.wait)  # and is busy with something slow
        waiting = [place.keeper.judge(knock(f"guess-{n}", OTHER, address=f"203.0.113.{n}"), 0.0) for n in range(8)]
        assert all(not isinstance(each, Verdict) for each in waiting)
        assert worker.n_waiting == 8
        full = place.keeper.judge(knock(password=RIGHT), 0.0)
        assert isinstance(full, Verdict)
        answers.append(full)
        go.set()
        answers.extend([await each for each in waiting if not isinstance(each, Verdict)])
        assert worker.n_waiting == 0

    asyncio.run(storm())
    assert answers[0].reason == Reason.BUSY
    assert {each.reason for each in answers[1:]} == {Reason.UNKNOWN}
    assert place.judge(knock(password=RIGHT)).admitted == ONE
    place.keeper.close()


def test_half_of_the_queue_is_kept_for_addresses_that_have_not_failed() -> None:
    """[G03]"""
    place = office({ONE: StationAccess(password_hash=HASHED), TWO: StationAccess(password=OTHER)})
    place.keeper.worker.size = 4
    place.judge(knock("nobody", RIGHT, address=THERE))

    async def storm() -> list[bool]:
        waits = [place.keeper.judge(knock(f"guess-{n}", RIGHT, address=THERE), 0.0) for n in range(4)]
        mine = place.keeper.judge(knock(password=RIGHT), 0.0)
        assert not isinstance(mine, Verdict)
        assert (await mine).admitted == ONE
        return [isinstance(each, Verdict) and each.reason is Reason.BUSY for each in waits]

    assert asyncio.run(storm()) == [False, False, True, True]
    place.keeper.close()


def test_who_goes_before_the_answer_is_judged_all_the_same() -> None:
    """[E-15] Else hanging up early would make guessing free; and one place has one check at a time."""
    place = office({ONE: StationAccess(password_hash=HASHED)})

    async def play() -> None:
        answer = place.keeper.judge(knock(password=OTHER), 0.0)
        assert isinstance(answer, asyncio.Future)
        again = place.keeper.judge(knock(password=OTHER), 0.0)
        assert isinstance(again, Verdict)
        assert again.reason is Reason.BUSY
        answer.cancel()
        elsewhere = place.keeper.judge(knock(password=OTHER, address=THERE), 0.0)
        assert not isinstance(elsewhere, Verdict)
        await elsewhere  # one thread: the first is done as well

    asyncio.run(play())
    assert place.keeper.failures == 2
    place.keeper.close()


# -- unknown identities --------------------------------------------------------------------------------------------


def test_an_unknown_identity_is_held_where_the_site_file_says_so_and_there_is_a_place() -> None:
    """[E-20, E-21]"""
    places = {HERE: True, THERE: False}
    place = office(may_hold=lambda address: places[address])
    verdict = place.judge(knock("newcomer", OTHER))
    assert (verdict.hold, verdict.admitted, verdict.refusal()) == (True, None, None)
    assert place.judge(knock("CP-01")).resembles == ONE
    assert place.reason(knock("newcomer", OTHER, address=THERE)) == Reason.UNKNOWN
    assert not place.judge(knock("..%2Fx")).hold, "what can be no identity is not held"
    assert not place.judge(knock("cp-01", OTHER)).hold, "a known one has to prove itself"
    assert not office().judge(knock("newcomer", OTHER)).hold
