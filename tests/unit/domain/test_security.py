"""[E-13, E-14] What is offered to a station is good beside the old until the station shows it; it is never locked out."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import CRITICAL, Offer, Outcome, is_guarded, proven_password, proven_profile

OLD = Credentials(station=StationId("S1"), password_hash="old", profile=SecurityProfile.BASIC)

# What one attempt can do: does the station take it over, and does its answer arrive?
ATTEMPTS = st.sampled_from([
    (True, Outcome.ACCEPTED),
    (True, Outcome.LOST),
    (False, Outcome.LOST),
    (False, Outcome.REFUSED),
])  # fmt: skip


@given(st.lists(ATTEMPTS, max_size=8))
def test_the_password_that_a_station_holds_is_always_good_e14(attempts: list[tuple[bool, Outcome]]) -> None:
    held, known = "old", Offer(password_hash="new").made_to(OLD)
    offer: Offer | None = Offer(password_hash="new")
    for takes, outcome in attempts:
        if offer is None:
            break
        held = "new" if takes else held
        after = offer.after(outcome)
        known = offer.withdrawn_from(known) if after is None else known
        offer = after
        assert held in {known.password_hash, known.offered_hash}


@given(st.lists(ATTEMPTS, max_size=8))
def test_the_profile_that_a_station_uses_is_always_good_e13(attempts: list[tuple[bool, Outcome]]) -> None:
    raised = SecurityProfile.TLS_BASIC
    held, known = SecurityProfile.BASIC, Offer(profile=raised).made_to(OLD)
    offer: Offer | None = Offer(profile=raised)
    for takes, outcome in attempts:
        if offer is None:
            break
        held = raised if takes else held
        after = offer.after(outcome)
        known = offer.withdrawn_from(known) if after is None else known
        offer = after
        assert held in {known.profile, known.offered_profile}


def test_a_refusal_withdraws_an_offer_that_nothing_can_have_brought_into_force() -> None:
    offer = Offer(password_hash="new")
    assert offer.after(Outcome.REFUSED) is None
    assert offer.withdrawn_from(offer.made_to(OLD)) == OLD


def test_a_refusal_after_a_lost_answer_withdraws_nothing_e14() -> None:
    lost = Offer(password_hash="new").after(Outcome.LOST)
    assert lost is not None
    assert lost.after(Outcome.REFUSED) is not None


def test_what_is_proven_replaces_the_old_and_nothing_is_proven_twice() -> None:
    """[E-13, E-14]"""
    known = Offer(profile=SecurityProfile.TLS_BASIC).made_to(Offer(password_hash="new").made_to(OLD))
    both = proven_profile(proven_password(known))
    assert (both.password_hash, both.offered_hash) == ("new", None)
    assert (both.profile, both.offered_profile) == (SecurityProfile.TLS_BASIC, None)
    assert proven_profile(proven_password(both)) == both


def test_withdrawing_one_offer_leaves_another_alone() -> None:
    known = Offer(password_hash="second").made_to(OLD)
    assert Offer(password_hash="first").withdrawn_from(known) == known
    assert not Offer(password_hash="first").stands_in(known)


def test_settings_that_decide_about_access_are_guarded_however_they_are_written() -> None:
    """[E-13, E-14]"""
    names = ("AuthorizationKey", "authorizationkey ", "SecurityProfile", "SecurityCtrlr.BasicAuthPassword")
    assert all(is_guarded(name) for name in names)
    assert not is_guarded("HeartbeatInterval")


def test_the_critical_events_are_those_of_the_standard() -> None:
    """[E.3]"""
    assert {"TamperDetectionActivated", "InvalidTLSVersion", "SecurityLogWasCleared"} <= CRITICAL
    others = {"FailedToAuthenticateAtCsms", "InvalidMessages", "AttemptedReplayAttacks", "MaintenanceLoginFailed"}
    assert CRITICAL.isdisjoint(others | {"CsmsFailedToAuthenticate", "ReconfigurationOfSecurityParameters"})
