"""Every command goes out as a valid call of each version, and its answer comes back as an event."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.schemas import breach
from loadmgr.ocpp.versions import TRANSLATIONS
from tests.support.builders import NOON
from tests.support.chargers import charger, office, until

ST, EVSE = StationId("office-1"), EvseId("office-1/1")


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
    cmd.StartSession(no=10, station=ST, evse=EVSE, id_tag="tag"),
    cmd.StopSession(no=11, station=ST, evse=EVSE, transaction="17"),
)


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda c: type(c).__name__)
def test_every_command_is_valid_in_every_version(command: cmd.Command, ocpp: str) -> None:
    calls = TRANSLATIONS[ocpp](command)
    assert calls
    for action, payload in calls:
        assert breach(ocpp, action, payload, is_request=True) is None


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("tenths", range(60, 801, 37))
def test_every_limit_has_one_decimal_and_is_never_rounded_up(tenths: int, ocpp: str) -> None:
    """[0-12, A-75]"""
    current_a = tenths / 10 + 0.0999
    ((action, payload),) = TRANSLATIONS[ocpp](_setpoint(current_a))
    assert breach(ocpp, action, payload, is_request=True) is None
    profile = payload.get("csChargingProfiles") or payload["chargingProfile"]
    schedule = profile["chargingSchedule"]
    schedule = schedule[0] if isinstance(schedule, list) else schedule
    limit = schedule["chargingSchedulePeriod"][0]["limit"]
    assert current_a - 0.1 < limit <= current_a


@pytest.mark.parametrize("ocpp", ["1.6", "2.0.1"])
@pytest.mark.parametrize("current_a", [0.1, 3.0, 5.99, -1.0])
def test_a_current_that_cannot_be_signalled_is_never_sent(current_a: float, ocpp: str) -> None:
    """[A-80]"""
    with pytest.raises(ProtocolError, match=r"in \(0, 6\) A"):
        TRANSLATIONS[ocpp](_setpoint(current_a))


@pytest.mark.parametrize(
    ("protocol", "actions"),
    [
        (
            "ocpp1.6",
            {
                "ClearChargingProfile",
                "GetCompositeSchedule",
                "TriggerMessage",
                "RemoteStartTransaction",
                "RemoteStopTransaction",
                "ChangeConfiguration",
                "GetConfiguration",
                "SetChargingProfile",
            },
        ),
        (
            "ocpp2.0.1",
            {
                "ClearChargingProfile",
                "GetCompositeSchedule",
                "TriggerMessage",
                "RequestStartTransaction",
                "RequestStopTransaction",
                "SetVariables",
                "GetVariables",
                "SetChargingProfile",
            },
        ),
    ],
)
def test_commands_reach_the_charger_and_their_answers_are_kept(tmp_path: Path, protocol: str, actions: set[str]) -> None:
    async def run() -> None:
        async with office(tmp_path) as (manager, gateway), charger(gateway, "office-1", protocol=protocol) as raw:
            await until(lambda: len(raw.calls) >= 8)
            for command in COMMANDS[4:]:
                gateway.send(command)
            await until(lambda: {c[2] for c in raw.calls} >= actions)

            async def answered() -> set[str]:
                await manager.durable()
                stored = await manager.history.events(limit=500, kinds=["CommandAnswered"])
                return {s.event.command for s in stored if isinstance(s.event, ev.CommandAnswered)}

            wanted = {type(c).__name__ for c in COMMANDS[4:]}
            async with asyncio.timeout(5):
                while not await answered() >= wanted:
                    await asyncio.sleep(0.05)

    asyncio.run(run())
