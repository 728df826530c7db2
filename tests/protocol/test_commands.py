"""Every command goes out as a valid call of each version, and its answer comes back as an event."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.der import DerControl
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import ProfileForm, Purpose, RateUnit, Traits
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.schemas import breach
from loadmgr.ocpp.versions import TRANSLATIONS, VERSIONS
from tests.support.builders import NOON
from tests.support.chargers import charger, office, until

ST, EVSE = StationId("office-1"), EvseId("office-1/1")
BY_NUMBER = {v.ocpp: v for v in VERSIONS.values()}
Json = dict[str, Any]


def _setpoint(current_a: float, transaction: str = "17") -> cmd.SendSetpoint:
    setpoint = Setpoint(
        no=5,
        evse=EVSE,
        current_a=current_a,
        n_phases=3,
        made_at=NOON,
        valid_until=NOON + timedelta(seconds=180),
        transaction=transaction,
    )
    return cmd.SendSetpoint(no=5, station=ST, setpoint=setpoint)


LATER = NOON + timedelta(hours=1)
COMMANDS = (
    _setpoint(16.0),
    _setpoint(0.0),
    _setpoint(10.0, transaction=""),
    cmd.InstallFailsafe(no=1, station=ST, failsafe_a=6.0, station_max_a=32.0, n_phases=3, made_at=NOON),
    cmd.ClearProfiles(no=2, station=ST),
    cmd.ClearProfiles(no=3, station=ST, evse=EVSE),
    cmd.ReadComposite(no=4, station=ST, evse=EVSE, duration_s=600),
    cmd.TriggerMeter(no=6, station=ST, evse=EVSE),
    cmd.TriggerStatus(no=7, station=ST, evse=EVSE),
    cmd.ReadSettings(no=8, station=ST, names=("SampledDataCtrlr.TxUpdatedInterval",)),
    cmd.WriteSetting(no=9, station=ST, name="SampledDataCtrlr.TxUpdatedInterval", value="30"),
    cmd.StartSession(no=10, station=ST, evse=EVSE, id_tag="tag", first_a=10.0, made_at=NOON),
    cmd.StopSession(no=11, station=ST, evse=EVSE, transaction="17"),
    cmd.ReserveEvse(no=12, station=ST, evse=EVSE, reservation=3, id_tag="tag", until_at=LATER),
    cmd.CancelReservation(no=13, station=ST, reservation=3),
    cmd.SetAvailability(no=14, station=ST, evse=EVSE, is_operative=True),
    cmd.RebootStation(no=15, station=ST),
)
SINCE_2 = (cmd.ReadSession(no=20, station=ST, transaction="17"), cmd.ReadProfiles(no=21, station=ST))
SINCE_21 = (
    cmd.SetPriority(no=30, station=ST, transaction="17", is_active=True),
    cmd.AllowTransfer(no=31, station=ST, transaction="17", modes=("AC_BPT",)),
    cmd.SignalAfrr(no=32, station=ST, at=NOON, signal=3),
    cmd.SetDer(no=33, station=ST, control=DerControl(id="c", control_type="LimitMaxDischarge")),
    cmd.ReadDer(no=34, station=ST),
    cmd.ClearDer(no=35, station=ST, is_default=False, control_id="c"),
)
SPOKEN = {"1.6": COMMANDS, "2.0.1": COMMANDS + SINCE_2, "2.1": COMMANDS + SINCE_2 + SINCE_21}
FOREIGN = {"1.6": SINCE_2 + SINCE_21, "2.0.1": SINCE_21}


@pytest.mark.parametrize(("ocpp", "command"), [(v, c) for v, known in SPOKEN.items() for c in known], ids=str)
def test_every_command_is_valid_in_every_version_that_has_it(command: cmd.Command, ocpp: str) -> None:
    calls = TRANSLATIONS[ocpp](command, Traits())
    assert calls
    for action, payload in calls:
        assert breach(ocpp, action, payload, is_request=True) is None


@pytest.mark.parametrize(("ocpp", "command"), [(v, c) for v, known in FOREIGN.items() for c in known], ids=str)
def test_a_version_without_the_message_says_so(command: cmd.Command, ocpp: str) -> None:
    with pytest.raises(ProtocolError, match="has no such message"):
        TRANSLATIONS[ocpp](command, Traits())


@pytest.mark.parametrize("ocpp", SPOKEN)
@pytest.mark.parametrize("tenths", range(60, 801, 37))
def test_every_limit_has_one_decimal_and_is_never_rounded_up(tenths: int, ocpp: str) -> None:
    """[0-12, A-75]"""
    current_a = tenths / 10 + 0.0999
    ((action, payload),) = TRANSLATIONS[ocpp](_setpoint(current_a), Traits())
    assert breach(ocpp, action, payload, is_request=True) is None
    limit = _period(payload)["limit"]
    assert current_a - 0.1 < limit <= current_a


def _profile(payload: Json) -> Json:
    found: Json = payload.get("csChargingProfiles") or payload["chargingProfile"]
    return found


def _period(payload: Json) -> Json:
    schedule = _profile(payload)["chargingSchedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    found: Json = schedule["chargingSchedulePeriod"][0]
    return found


FORMS = st.builds(
    ProfileForm,
    purpose=st.sampled_from(Purpose),
    unit=st.sampled_from(["A", "W"]),
    stack=st.integers(1, 9),
    has_phases=st.booleans(),
)


@pytest.mark.parametrize("ocpp", SPOKEN)
@settings(max_examples=200, deadline=None)
@given(
    form=FORMS,
    current_a=st.one_of(st.just(0.0), st.floats(6.0, 500.0)),
    n_phases=st.integers(1, 3),
    voltage_v=st.sampled_from([110.0, 120.0, 208.0, 230.0, 277.0]),
    step_a=st.sampled_from([0.1, 0.5, 1.0]),
)
def test_no_form_allows_more_than_the_setpoint_nor_what_a_pilot_cannot_say(
    ocpp: str, form: ProfileForm, current_a: float, n_phases: int, voltage_v: float, step_a: float
) -> None:
    """[A-70, A-75, A-80, G-18] In amperes per phase or in watts, whatever the charger takes."""
    given_it = replace(_setpoint(current_a).setpoint, form=form, n_phases=n_phases, voltage_v=voltage_v)
    command = cmd.SendSetpoint(no=5, station=ST, setpoint=given_it)
    ((action, payload),) = TRANSLATIONS[ocpp](command, Traits(current_step_a=step_a))
    assert breach(ocpp, action, payload, is_request=True) is None
    period = _period(payload)
    one_a = 1.0 if form.unit == "A" else voltage_v * n_phases
    assert period["limit"] <= current_a * one_a + 1e-6
    assert period["limit"] > (current_a - step_a - 0.1) * one_a - 1.0
    assert period["limit"] == 0 or period["limit"] >= 6.0 * one_a - 1.0
    assert ("numberPhases" in period) == form.has_phases


@pytest.mark.parametrize("ocpp", SPOKEN)
@settings(max_examples=50, deadline=None)
@given(forms=st.lists(FORMS, min_size=2, max_size=6), numbers=st.lists(st.integers(1, 8), min_size=6, max_size=6))
def test_the_same_slot_has_the_same_id_and_no_other_slot_has_it(
    ocpp: str, forms: list[ProfileForm], numbers: list[int]
) -> None:
    """[A-30] Replacing by id and replacing by slot are one; the fail-safe is never hit [A.15]."""
    commands: list[cmd.Command] = [COMMANDS[3]]
    for form, number in zip(forms, numbers, strict=False):
        setpoint = replace(_setpoint(16.0).setpoint, form=form, evse=EvseId(f"office-1/{number}"))
        commands.append(cmd.SendSetpoint(no=5, station=ST, setpoint=setpoint))
    slots: dict[int, tuple[object, ...]] = {}
    for command in commands:
        for _, payload in TRANSLATIONS[ocpp](command, Traits()):
            profile = _profile(payload)
            place = payload["connectorId" if ocpp == "1.6" else "evseId"]
            slot = (place, profile["chargingProfilePurpose"], profile["stackLevel"])
            assert slots.setdefault(profile.get("id", profile.get("chargingProfileId")), slot) == slot
    assert len(set(slots.values())) == len(slots)


@pytest.mark.parametrize("ocpp", SPOKEN)
@pytest.mark.parametrize("current_a", [0.1, 3.0, 5.99, -1.0])
@pytest.mark.parametrize("unit", ["A", "W"])
def test_a_current_that_cannot_be_signalled_is_never_sent(current_a: float, unit: RateUnit, ocpp: str) -> None:
    """[A-80]"""
    setpoint = replace(_setpoint(current_a).setpoint, form=ProfileForm(unit=unit))
    with pytest.raises(ProtocolError, match=r"in \(0, 6\) A"):
        TRANSLATIONS[ocpp](cmd.SendSetpoint(no=5, station=ST, setpoint=setpoint), Traits())


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("purpose", [Purpose.STATION_DEFAULT, Purpose.MAX])
def test_a_form_that_would_replace_the_fail_safe_is_never_sent(purpose: Purpose, ocpp: str) -> None:
    """[A.15] Layers L1 and L2 stand at level 0 of the station."""
    setpoint = replace(_setpoint(16.0).setpoint, form=ProfileForm(purpose=purpose, stack=0))
    with pytest.raises(ProtocolError, match="would replace the fail-safe"):
        TRANSLATIONS[ocpp](cmd.SendSetpoint(no=5, station=ST, setpoint=setpoint), Traits())


@pytest.mark.parametrize(
    ("ocpp", "action", "payload", "expected"),
    [
        ("1.6", "ClearChargingProfile", {"status": "Unknown"}, (True, "Unknown")),
        ("1.6", "ChangeConfiguration", {"status": "RebootRequired"}, (True, "RebootRequired")),
        ("1.6", "ChangeAvailability", {"status": "Scheduled"}, (True, "Scheduled")),
        ("1.6", "SetChargingProfile", {"status": "NotSupported"}, (False, "NotSupported")),
        ("2.0.1", "Reset", {"status": "Scheduled"}, (True, "Scheduled")),
        ("2.0.1", "GetChargingProfiles", {"status": "NoProfiles"}, (False, "NoProfiles")),
        (
            "2.0.1",
            "SetChargingProfile",
            {"status": "Rejected", "statusInfo": {"reasonCode": "TxNotFound"}},
            (False, "Rejected TxNotFound"),
        ),
        ("2.0.1", "GetTransactionStatus", {"messagesInQueue": True}, (True, "ongoing=None, queued=True")),
    ],
)
def test_answers_are_understood(ocpp: str, action: str, payload: Json, expected: tuple[bool, str]) -> None:
    """[A-50, A-90, G-83, G-84, A.6]"""
    assert breach(ocpp, action, payload, is_request=False) is None
    assert BY_NUMBER[ocpp].outcome(action, payload) == expected


def test_values_are_read_out_of_every_kind_of_answer() -> None:
    """[B06, B08] What a station does not know is missing, so that it is not mistaken for empty."""
    said = {"configurationKey": [{"key": "A", "readonly": True, "value": "1"}, {"key": "B", "readonly": True}]}
    assert BY_NUMBER["1.6"].values("GetConfiguration", said) == (("A", "1"), ("B", ""))
    name = {"component": {"name": "C"}, "variable": {"name": "V"}}
    result = [{"attributeStatus": "Accepted", "attributeValue": "2", **name}, {"attributeStatus": "UnknownVariable", **name}]
    assert BY_NUMBER["2.0.1"].values("GetVariables", {"getVariableResult": result}) == (("C.V", "2"),)
    report = {"reportData": [{**name, "variableAttribute": [{"type": "Target", "value": "9"}, {"value": "3"}]}]}
    assert BY_NUMBER["2.0.1"].values("NotifyReport", report) == (("C.V", "3"),)
    assert [v.values("Heartbeat", {}) for v in VERSIONS.values()] == [(), (), ()]


@pytest.mark.parametrize("protocol", VERSIONS)
def test_commands_reach_the_charger_and_their_answers_are_kept(tmp_path: Path, protocol: str) -> None:
    version = VERSIONS[protocol]
    sent = [c for c in SPOKEN[version.ocpp][4:] if not isinstance(c, cmd.RebootStation)]

    async def run() -> None:
        async with office(tmp_path) as (manager, gateway), charger(gateway, "office-1", protocol=protocol) as raw:
            await until(lambda: len(raw.calls) >= 8)
            for command in sent:
                gateway.send(command)
            actions = {action for c in sent for action, _ in version.to_calls(c, Traits())}
            await until(lambda: {c[2] for c in raw.calls} >= actions)

            async def answered() -> set[str]:
                await manager.durable()
                stored = await manager.history.events(limit=500, kinds=["CommandAnswered"])
                return {s.event.command for s in stored if isinstance(s.event, ev.CommandAnswered)}

            wanted = {type(c).__name__ for c in sent}
            async with asyncio.timeout(5):
                while not await answered() >= wanted:
                    await asyncio.sleep(0.05)

    asyncio.run(run())
