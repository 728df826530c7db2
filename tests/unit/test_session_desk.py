"""Remote start and stop, reservations and milestones of the manager, over a link that only remembers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import pytest

from loadmgr.domain import events as ev
from loadmgr.domain.commands import CancelReservation, Command, ReserveEvse, StartSession, StopSession
from loadmgr.domain.ids import EvseId, MeterId, SessionId, StationId
from loadmgr.domain.samples import Measured
from loadmgr.domain.session import SessionIntent
from loadmgr.errors import NotFoundError, SiteModelError
from loadmgr.runtime import LoadManager
from loadmgr.session_desk import Booking
from loadmgr.settings import Settings
from loadmgr.wiring import build_manager
from tests.support.days import EXAMPLES

E1, S1 = EvseId("office-1/1"), StationId("office-1")
RUNNING = SessionId("s")
T = TypeVar("T")


@dataclass
class Clock:
    """A clock that a test sets."""

    at: datetime = datetime(2026, 6, 10, 12, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def monotonic_s(self) -> float:
        return self.at.timestamp()

    async def sleep(self, seconds: float) -> None:
        del seconds
        await asyncio.sleep(0.005)


@dataclass
class Link:
    """Remembers commands."""

    sent: list[Command] = field(default_factory=list)

    def send(self, command: Command) -> None:
        self.sent.append(command)

    def of(self, kind: type[T]) -> list[T]:
        return [c for c in self.sent if isinstance(c, kind)]


Play = Callable[[LoadManager, Link, Clock], Awaitable[None]]


def run(folder: Path, play: Play, *, at: datetime | None = None) -> None:
    settings = replace(Settings.load(EXAMPLES / "office.toml"), storage_url=f"sqlite:///{folder / 'desk.db'}")

    async def main() -> None:
        clock, link = Clock(), Link()
        clock.at = at or clock.at
        async with build_manager(settings, clock=clock) as manager:
            manager.link = link
            for station in manager.site.stations:
                manager.take(
                    ev.StationConnected(at=clock.at, station=station, ocpp="1.6"),
                    ev.FailsafeAnswered(at=clock.at, station=station, failsafe_a=6.0, accepted=True),
                )
            meter(manager)
            await play(manager, link, clock)
            assert manager.stats.protect_failures == 0

    asyncio.run(main())


def meter(manager: LoadManager) -> None:
    now = manager.now()
    measured = Measured(current_a=(5.0, 5.0, 5.0))
    manager.take(ev.MeterSample(at=now, meter=MeterId("grid-meter"), measured_at=now, measured=measured))


def begun(manager: LoadManager, id_tag: str = "tag") -> ev.SessionStarted:
    return ev.SessionStarted(at=manager.now(), session=RUNNING, evse=E1, transaction="7", id_tag=id_tag)


def answered(command: Command, manager: LoadManager, *, accepted: bool) -> ev.CommandAnswered:
    name = type(command).__name__
    return ev.CommandAnswered(at=manager.now(), no=command.no, station=S1, command=name, accepted=accepted)


async def later(manager: LoadManager, clock: Clock, seconds: float) -> None:
    """Let time pass in small steps, so that the loops see it."""
    for _ in range(int(seconds // 5) + 1):
        clock.at += timedelta(seconds=min(5.0, seconds))
        meter(manager)
        await asyncio.sleep(0.02)


def test_a_start_goes_out_with_a_limit_that_is_counted(tmp_path: Path) -> None:
    """[D-7, D-43, P1]"""

    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        del clock
        command = await manager.start_session(E1, "tag")
        assert link.of(StartSession) == [command]
        assert command.first_a is not None
        assert command.first_a > 6.0
        order = manager.state.evses[E1].last_order
        assert order is not None
        assert order.setpoint.current_a == command.first_a
        manager.take(answered(command, manager, accepted=True), begun(manager))
        with pytest.raises(SiteModelError, match="runs at"):
            await manager.start_session(E1, "tag")

    run(tmp_path, play)


def test_a_refused_start_gives_its_current_back(tmp_path: Path) -> None:
    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        del link, clock
        command = await manager.start_session(E1, "tag")
        manager.take(answered(command, manager, accepted=False))
        assert manager.state.evses[E1].orders == ()
        await manager.start_session(E1, "tag")  # and it can be tried again

    run(tmp_path, play)


@pytest.mark.parametrize("begins", [True, False])
def test_an_accepted_start_without_a_transaction_is_reported_as_failed(tmp_path: Path, begins: bool) -> None:
    """[D-8]"""

    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        del link
        with manager.subscribe() as events:
            command = await manager.start_session(E1, "tag")
            manager.take(answered(command, manager, accepted=True))
            with pytest.raises(SiteModelError, match="under way"):
                await manager.start_session(E1, "tag")
            await later(manager, clock, 60)
            if begins:
                manager.take(begun(manager))
            await later(manager, clock, 30)
            events.close()
            failed = [e async for e in events if isinstance(e, ev.CommandAnswered) and not e.accepted]
        assert len(failed) == (0 if begins else 1)
        assert begins or "no transaction began at office-1/1 within 70 s" in failed[0].detail

    run(tmp_path, play)


def test_what_cannot_be_started_or_stopped_says_why(tmp_path: Path) -> None:
    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        del link
        with pytest.raises(NotFoundError):
            await manager.start_session(EvseId("nowhere/1"), "tag")
        with pytest.raises(NotFoundError):
            await manager.stop_session(SessionId("nobody"))
        manager.take(ev.StationDisconnected(at=clock.at, station=S1))
        with pytest.raises(SiteModelError, match="has no link"):
            await manager.start_session(E1, "tag")

    run(tmp_path, play)


def test_a_running_session_is_stopped_by_its_own_transaction(tmp_path: Path) -> None:
    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        del clock
        manager.take(begun(manager))
        command = await manager.stop_session(RUNNING)
        assert link.of(StopSession) == [command]
        assert (command.evse, command.transaction) == (E1, "7")

    run(tmp_path, play)


def booking(clock: Clock, from_s: float, *, hours: float = 1.0, id_tag: str = "booked") -> Booking:
    from_at = clock.at + timedelta(seconds=from_s)
    return Booking(id_tag=id_tag, from_at=from_at, until_at=from_at + timedelta(hours=hours), energy_kwh=12.0)


def test_a_station_is_told_to_hold_its_evse_when_the_time_comes_and_until_it_does(tmp_path: Path) -> None:
    """[D-10]"""

    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        reserved = await manager.reserve("office-1/1", booking(clock, 3600.0))
        await later(manager, clock, 30)
        assert link.of(ReserveEvse) == [], "a station would hold it from now on"
        clock.at = reserved.from_at - timedelta(minutes=15)
        await later(manager, clock, 10)
        (first,) = link.of(ReserveEvse)
        assert (first.evse, first.id_tag, first.reservation) == (E1, "booked", reserved.reservation)
        manager.take(answered(first, manager, accepted=False))
        await later(manager, clock, 70)
        assert len(link.of(ReserveEvse)) == 2
        manager.take(answered(link.of(ReserveEvse)[1], manager, accepted=True))
        await later(manager, clock, 200)
        assert len(link.of(ReserveEvse)) == 2
        await manager.cancel_reservation(reserved.reservation)
        assert [c.reservation for c in link.of(CancelReservation)] == [reserved.reservation]
        assert manager.state.chargers.reservations == {}
        with pytest.raises(NotFoundError):
            await manager.cancel_reservation(reserved.reservation)

    run(tmp_path, play)


def test_a_reservation_survives_a_restart_and_is_used_by_its_car(tmp_path: Path) -> None:
    """[D-10, F01]"""

    async def before(manager: LoadManager, link: Link, clock: Clock) -> None:
        del link
        await manager.reserve("office-1/1", booking(clock, 600.0))
        gone = await manager.reserve("office-2", booking(clock, 600.0))
        await manager.cancel_reservation(gone.reservation)

    async def again(manager: LoadManager, link: Link, clock: Clock) -> None:
        del link, clock
        assert [r.evse for r in manager.state.chargers.reservations.values()] == [E1]
        manager.take(begun(manager, id_tag="BOOKED"))
        async with asyncio.timeout(5):
            while manager.state.chargers.reservations:
                await asyncio.sleep(0.01)
        assert manager.state.sessions[RUNNING].intent.energy_kwh == 12.0

    run(tmp_path, before)
    run(tmp_path, again, at=Clock().at + timedelta(minutes=10))


def test_no_evse_is_booked_twice_at_a_time_and_nonsense_is_refused(tmp_path: Path) -> None:
    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        del link
        await manager.reserve("office-1/1", booking(clock, 600.0))
        with pytest.raises(SiteModelError, match="booked already"):
            await manager.reserve("office-1/1", booking(clock, 1200.0))
        await manager.reserve("office-1/1", booking(clock, 600.0 + 3600.0))
        with pytest.raises(SiteModelError, match="over before it begins"):
            await manager.reserve("office-2/1", booking(clock, 600.0, hours=-1.0))
        with pytest.raises(NotFoundError):
            await manager.reserve("nowhere", booking(clock, 600.0))

    run(tmp_path, play)


def test_milestones_reach_subscribers_and_the_log(tmp_path: Path) -> None:
    """[C-26, D-41]"""

    async def play(manager: LoadManager, link: Link, clock: Clock) -> None:
        del link
        with manager.subscribe() as events:
            manager.take(begun(manager))
            await manager.set_intent(RUNNING, SessionIntent(energy_kwh=5.0, notify_soc=(80,), source="app"), actor="app")
            await later(manager, clock, 10)
            measured = Measured(current_a=(6.0, 6.0, 6.0), energy_kwh=5.0, soc_frac=0.82)
            manager.take(
                ev.MeterSample(at=clock.at, meter=MeterId(E1), measured_at=clock.at, measured=measured, session=RUNNING)
            )
            await later(manager, clock, 10)
            events.close()
            told = [e.milestone async for e in events if isinstance(e, ev.MilestoneReached)]
        assert told == ["soc-80", "energy-reached"]
        await manager.durable()
        stored = await manager.history.events(limit=10, kinds=("MilestoneReached",))
        assert [e.event.milestone for e in stored][::-1] == told  # type: ignore[union-attr]
        assert manager.state.sessions[RUNNING].milestones == tuple(told)

    run(tmp_path, play)
