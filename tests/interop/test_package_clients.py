"""A whole life of chargers on the ``ocpp`` package's own classes, every frame judged by ``typed-ocpp`` [H05]."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.ocpp.gateway import Gateway
from loadmgr.runtime import LoadManager
from tests.interop.frames import actions, assert_valid
from tests.interop.runs import EVSE, ST, answered, charge, installed, record, run
from tests.interop.station2 import Charger21, Charger201
from tests.interop.station16 import Charger16
from tests.interop.stations import Box, Charger, linked
from tests.support.chargers import until

pytestmark = pytest.mark.node


async def _first_session(manager: LoadManager, gateway: Gateway, it: Any) -> None:
    """Metered and limited; read back; not free to be reserved; stopped from here."""
    box = it.box
    await it.begin("interop")
    began_wh = box.register_wh
    (session,) = manager.state.sessions.values()
    assert session.id_tag == "interop"
    await charge(manager, it, box)
    (profile,) = box.profiles_for("TxProfile")
    assert profile["transaction_id"] == box.transaction
    composite = cmd.ReadComposite(no=0, station=ST, evse=EVSE, duration_s=300)
    assert (await answered(manager, gateway, composite)).accepted
    n_metered = manager.state.evses[EVSE].sample
    assert (await answered(manager, gateway, cmd.TriggerMeter(no=0, station=ST, evse=EVSE))).accepted
    await until(lambda: manager.state.evses[EVSE].sample is not n_metered)
    reserve = _reserve(manager, 7)
    refused = await answered(manager, gateway, reserve)
    assert (refused.accepted, refused.detail) == (False, "Occupied")
    stop = cmd.StopSession(no=0, station=ST, evse=EVSE, transaction=str(box.transaction))
    assert (await answered(manager, gateway, stop)).accepted
    ended = await record(manager, session.id)
    assert round(ended.energy_kwh * 1000) == box.register_wh - began_wh > 0
    (stored,) = await manager.history.events(limit=10, kinds=["SessionEnded"])
    assert isinstance(stored.event, ev.SessionEnded)
    assert stored.event.reason == "Remote"


def _reserve(manager: LoadManager, reservation: int) -> cmd.ReserveEvse:
    until_at = manager.now() + timedelta(minutes=30)
    return cmd.ReserveEvse(no=0, station=ST, evse=EVSE, reservation=reservation, id_tag="guest", until_at=until_at)


async def _second_session(manager: LoadManager, gateway: Gateway, it: Any) -> None:
    """Reserved, given up, reserved again and started from here; the live profiles are cleared [A-90, D-7]."""
    box = it.box
    await it.status("Available")
    assert (await answered(manager, gateway, _reserve(manager, 8))).accepted
    assert (await answered(manager, gateway, cmd.CancelReservation(no=0, station=ST, reservation=8))).accepted
    assert box.reservation is None
    assert (await answered(manager, gateway, _reserve(manager, 9))).accepted
    start = cmd.StartSession(no=0, station=ST, evse=EVSE, id_tag="guest", first_a=6.0, made_at=manager.now())
    assert (await answered(manager, gateway, start)).accepted
    await until(lambda: any(s.id_tag == "guest" for s in manager.state.sessions.values()))
    await charge(manager, it, box)
    assert (await answered(manager, gateway, cmd.ClearProfiles(no=0, station=ST, evse=EVSE))).accepted
    out = cmd.SetAvailability(no=0, station=ST, evse=EVSE, is_operative=True)
    await answered(manager, gateway, out)
    assert box.got("ChangeAvailability")


async def _life(kind: type[Charger], manager: LoadManager, gateway: Gateway) -> None:
    """Two sessions, an outage that ends with queued messages, and a restart."""
    box = Box()
    async with linked(kind, gateway, ST, box) as it:
        await installed(manager)
        await _first_session(manager, gateway, it)
        await _second_session(manager, gateway, it)
        (session,) = manager.state.sessions.values()
    await until(lambda: ST not in gateway.connected)
    assert session.id in manager.state.sessions, "a lost link does not end a session"
    async with linked(kind, gateway, ST, box, boots=False) as it:
        await it.meter(700, ago_s=120.0)
        await it.end("Local", ago_s=60.0)
        ended = await record(manager, session.id)
        assert round(ended.energy_kwh * 1000) == box.register_wh - round(ended.meter_start_kwh * 1000)
        assert ended.ended_at is not None
        assert 50.0 < (manager.now() - ended.ended_at).total_seconds() < 80.0
        assert (await answered(manager, gateway, cmd.RebootStation(no=0, station=ST))).accepted
    box.profiles.clear()
    async with linked(kind, gateway, ST, box) as it:
        await until(lambda: box.profiles_for("TxDefaultProfile"))  # [A-133, G-42]
        await installed(manager)
        await it.status("Available")


BOTH_WAYS = {"BootNotification", "StatusNotification", "Authorize"}
ASKED = {
    "SetChargingProfile",
    "ClearChargingProfile",
    "GetCompositeSchedule",
    "TriggerMessage",
    "ReserveNow",
    "CancelReservation",
    "ChangeAvailability",
    "Reset",
}


@pytest.mark.parametrize(
    ("kind", "said", "asked"),
    [
        (
            Charger16,
            {"StartTransaction", "MeterValues", "StopTransaction"},
            {"RemoteStartTransaction", "RemoteStopTransaction", "ChangeConfiguration"},
        ),
        (Charger201, {"TransactionEvent"}, {"RequestStartTransaction", "RequestStopTransaction", "SetVariables"}),
        (Charger21, {"TransactionEvent"}, {"RequestStartTransaction", "RequestStopTransaction", "SetVariables"}),
    ],
    ids=["1.6", "2.0.1", "2.1"],
)
def test_a_charger_of_the_ocpp_package_lives_a_whole_life(
    tmp_path: Path, node_folder: Path, kind: type[Charger], said: set[str], asked: set[str]
) -> None:
    """[D-2, D-7, D-10, A-4, A-6, A-62, A-133, C05, C16, G-42]"""

    async def play(manager: LoadManager, gateway: Gateway) -> None:
        await _life(kind, manager, gateway)

    frames = run(tmp_path, play)
    assert_valid(frames, node_folder, tmp_path)
    assert actions(frames, "in", ST) >= BOTH_WAYS | said
    assert actions(frames, "out", ST) >= ASKED | asked
