"""What is kept about one charger over its links."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Zero
from loadmgr.ocpp.charger import FAST_LINKS, STARTS, Charger
from loadmgr.ocpp.quirks import Knowledge, parse

NOW = datetime(2026, 6, 10, 12, tzinfo=UTC)
STATION, EVSE = StationId("s"), EvseId("s/1")


def a_charger(rules: str = "") -> Charger:
    return Charger(station=STATION, knowledge=Knowledge(rules=parse({"x.toml": rules})))


def a_command(current_a: float, no: int = 1, power_kw: float | None = None) -> cmd.SendSetpoint:
    setpoint = Setpoint(
        no=no,
        evse=EVSE,
        current_a=current_a,
        n_phases=3,
        made_at=NOW,
        valid_until=NOW + timedelta(minutes=3),
        power_kw=power_kw,
    )
    return cmd.SendSetpoint(no=no, station=STATION, setpoint=setpoint)


def test_updates_are_held_back_as_long_as_the_charger_says_and_reductions_never() -> None:
    """(rule A.6)"""
    charger = a_charger()
    charger.accepted(a_command(16.0).setpoint, NOW)
    charger.refused("Rejected RateLimitExceeded 45 s", now_s=100.0)
    assert "45 s" in charger.objection(a_command(20.0), 100.0)
    assert charger.objection(a_command(16.0), 144.9)
    assert charger.objection(a_command(10.0), 100.0) == ""
    assert charger.objection(a_command(0.0), 100.0) == ""
    assert charger.objection(a_command(20.0), 145.0) == ""


def test_less_delivery_is_a_reduction_too() -> None:
    """(rule A.6), V2G"""
    charger = a_charger()
    charger.accepted(a_command(0.0, power_kw=-10.0).setpoint, NOW)
    charger.refused("Rejected RateLimitExceeded", now_s=0.0)
    assert charger.objection(a_command(0.0, power_kw=-5.0), 1.0) == ""
    assert charger.objection(a_command(0.0, power_kw=-11.0), 1.0)


def test_links_that_come_too_often_are_served_later_and_later() -> None:
    """[G-44]"""
    charger = a_charger()
    waits = [charger.linked(float(i)) for i in range(FAST_LINKS + 8)]
    assert waits[:FAST_LINKS] == [0.0] * FAST_LINKS
    assert waits[FAST_LINKS : FAST_LINKS + 3] == [2.0, 4.0, 8.0]
    assert max(waits) == 30.0
    assert charger.linked(1000.0) == 0.0


def test_what_is_known_is_told_once_per_change() -> None:
    charger = a_charger('[[rule]]\nmatch = { vendor = "v" }\nset = { stack_max = 0 }\nevidence = "thread"')
    assert charger.news(NOW) == ()
    charger.booted(ev.StationBooted(at=NOW, station=STATION, vendor="v", model="m"))
    (told,) = charger.news(NOW)
    assert told.traits.stack_max == 0
    assert told.evidence == ("stack_max = 0: rule x.toml rule 1, thread",)
    assert charger.news(NOW) == ()


def test_another_firmware_is_judged_anew() -> None:
    """[A-41]"""
    charger = a_charger()
    for firmware, n_kept in (("1", 2), ("1", 4), ("2", 2)):
        charger.booted(ev.StationBooted(at=NOW, station=STATION, vendor="v", model="m", firmware=firmware))
        for _ in range(2):
            charger.judge(_refused(charger, 0.0))
        assert charger.behaviour.n_zeros_refused == n_kept
        charger.saw_values((("ChargeProfileMaxStackLevel", "0"),))
        assert charger.traits.stack_max == 0


def test_zero_that_is_refused_in_many_forms_is_given_up() -> None:
    """[G-2]: only where a current above zero was accepted; else it is not zero that it refuses."""
    for has_taken in (True, False):
        charger = a_charger()
        if has_taken:
            charger.accepted(a_command(10.0).setpoint, NOW)
        for _ in range(3):
            charger.judge(_refused(charger, 0.0))
        assert charger.traits.zero is Zero.LIMIT
        charger.judge(_refused(charger, 0.0))
        assert charger.traits.zero is (Zero.HOLD if has_taken else Zero.LIMIT)


def _refused(charger: Charger, current_a: float):  # type: ignore[no-untyped-def]
    from loadmgr.ocpp import detect

    return detect.after_setpoint(charger.behaviour, current_a, accepted=False)


def test_transactions_that_end_at_zero_twice_show_a_charger_that_must_be_held() -> None:
    """[G-3]: a car that leaves, or an end long after, proves nothing."""
    charger = a_charger()

    def ends(reason: str, after_s: float) -> None:
        charger.accepted(a_command(0.0).setpoint, NOW)
        charger.ended(EVSE, reason, NOW + timedelta(seconds=after_s))

    ends("EVDisconnected", 5.0)
    ends("Remote", 5.0)
    ends("Other", 300.0)
    ends("Other", 5.0)
    charger.accepted(a_command(0.0).setpoint, NOW)
    charger.accepted(a_command(10.0).setpoint, NOW)
    charger.ended(EVSE, "Other", NOW)
    assert charger.traits.zero is Zero.LIMIT
    ends("Other", 5.0)
    assert charger.traits.zero is Zero.HOLD
    assert "2 transactions" in charger.knowledge.evidence[0]


def test_a_slow_clock_is_seen_in_its_own_times() -> None:
    """[G-9]"""
    charger = a_charger()
    for i in range(5):
        charger.saw_time(NOW - timedelta(seconds=120 + i), NOW)
    assert charger.traits.start_before_s == 180.0


def test_a_plugged_car_gets_so_many_starts_and_the_next_one_as_many() -> None:
    """[G-81, G-4]"""
    charger = a_charger('[[rule]]\nmatch = { vendor = "v" }\nset = { needs_remote_start = true }\nevidence = "t"')
    assert not charger.may_start(EVSE)
    charger.booted(ev.StationBooted(at=NOW, station=STATION, vendor="v", model="m"))
    for _ in range(STARTS):
        assert charger.may_start(EVSE)
        charger.n_starts[EVSE] = charger.n_starts.get(EVSE, 0) + 1
    assert not charger.may_start(EVSE)
    charger.unplugged(EVSE)
    assert charger.may_start(EVSE)
    charger.began(EVSE)
    assert not charger.may_start(EVSE)
