"""What people do with sessions: start, stop, reserve; and what only time decides about them. Part of ``LoadManager``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr.control import milestones, remote, reservations
from loadmgr.control.state import SiteState
from loadmgr.domain import events as ev
from loadmgr.domain.commands import CancelReservation, Command, ReserveEvse, StartSession, StopSession
from loadmgr.domain.ids import EvseId, SessionId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.errors import NotFoundError, SiteModelError
from loadmgr.ocpp.reply import WITHOUT_PROFILE

START_WAIT_S = 70.0
"""A start that was accepted and brings no transaction within this time has failed: ConnectionTimeOut + 10 s [D-8]."""
RESERVE_AGAIN_S = 60.0
"""A station that did not take a reservation is asked again after this time."""
HOUSE_S = 5.0
"""Without any event the sessions are looked at this often."""
ID_MAX = 2**31 - 1


@dataclass(frozen=True, slots=True, kw_only=True)
class _Start:
    """A remote start under way. ``order``: the setpoint that its profile is, if that must be counted."""

    command: StartSession
    until: datetime
    order: Setpoint | None


class SessionDesk(ABC):
    """Remote starts and stops, reservations and milestones on top of the manager's state and events."""

    def __init__(self) -> None:
        self._starts: dict[EvseId, _Start] = {}
        self._told: dict[int, datetime] = {}
        self._holding: dict[int, int] = {}
        self._last_command_no = 1_000_000
        self._house_seen: SiteState | None = None
        self._house_due: datetime | None = None

    @property
    @abstractmethod
    def state(self) -> SiteState:
        """The present state."""

    @abstractmethod
    def now(self) -> datetime:
        """Time by the injected clock."""

    @abstractmethod
    def take(self, *events: ev.Event) -> None:
        """Fold, log and publish events."""

    @abstractmethod
    def command(self, command: Command) -> None:
        """Hand a command to its station."""

    @abstractmethod
    async def durable(self) -> None:
        """Wait until everything taken so far is on disk."""

    # -- start and stop --------------------------------------------------------------------------------------------

    async def start_session(self, evse: EvseId, id_tag: str) -> StartSession:
        """Start a session remotely, with a limit from its first moment [D-7]; its events tell what becomes of it.

        Raises ``NotFoundError`` for an unknown EVSE, ``SiteModelError`` when it is not connected or a session runs there.
        """
        self._check_evse(evse)
        state, now = self.state, self.now()
        station = state.site.evses[evse].station
        if not state.stations[station].is_connected:
            raise SiteModelError(f"station {station} has no link; a session cannot be started at {evse}")
        if state.evses[evse].session is not None:
            raise SiteModelError(f"session {state.evses[evse].session} runs at {evse}; stop it first")
        if evse in self._starts:
            raise SiteModelError(f"a start at {evse} is under way until {self._starts[evse].until:%H:%M:%S}")
        current_a = remote.first_a(state, evse, now)
        order = remote.setpoint(state, evse, current_a, now)
        command = StartSession(
            no=self._next_command_no(),
            station=station,
            evse=evse,
            id_tag=id_tag,
            first_a=current_a,
            n_phases=state.site.evses[evse].caps.n_phases,
            made_at=now,
        )
        self._starts[evse] = _Start(command=command, until=now + timedelta(seconds=START_WAIT_S), order=order)
        if order is not None:
            self.take(ev.SetpointSent(at=now, setpoint=order))
        self.command(command)
        return command

    async def stop_session(self, session: SessionId) -> StopSession:
        """Stop a running session remotely; its end comes as an event. Raises ``NotFoundError`` when it does not run."""
        known = self.state.sessions.get(session)
        if known is None:
            raise NotFoundError("running session", session, "it may have ended")
        station = self.state.site.evses[known.evse].station
        no = self._next_command_no()
        command = StopSession(no=no, station=station, evse=known.evse, transaction=known.transaction)
        self.command(command)
        return command

    # -- reservations ----------------------------------------------------------------------------------------------

    async def reserve(self, place: str, booking: Booking) -> ev.EvseReserved:
        """Book an EVSE, or any of a station, for a car; it is on disk when this returns.

        The plan keeps capacity for it, and the station is told when the time comes [D-10]. Raises ``NotFoundError`` for an
        unknown place, ``SiteModelError`` for times that make no sense or when everything there is booked.
        """
        now = self.now()
        if booking.until_at <= max(now, booking.from_at):
            raise SiteModelError(f"a reservation from {booking.from_at} until {booking.until_at} is over before it begins")
        if booking.depart_at is not None and booking.depart_at <= booking.from_at:
            raise SiteModelError(f"a booked car cannot leave at {booking.depart_at} and come at {booking.from_at}")
        reserved = ev.EvseReserved(
            at=now,
            evse=self._free_evse(place, booking),
            reservation=self._free_number(now),
            id_tag=booking.id_tag,
            from_at=booking.from_at,
            until_at=booking.until_at,
            energy_kwh=booking.energy_kwh,
            depart_at=booking.depart_at,
        )
        self.take(reserved)
        self._keep_house()
        await self.durable()
        return reserved

    async def cancel_reservation(self, reservation: int) -> None:
        """Give a booking up. Raises ``NotFoundError`` when there is none of this number."""
        known = self.state.chargers.reservations.get(reservation)
        if known is None:
            raise NotFoundError("reservation", str(reservation), "it may have been used or be over")
        was_told = reservation in self._holding
        self.take(ev.ReservationEnded(at=self.now(), reservation=reservation, reason="cancelled"))
        if was_told:
            station = self.state.site.evses[known.evse].station
            self.command(CancelReservation(no=self._next_command_no(), station=station, reservation=reservation))
        await self.durable()

    def _free_evse(self, place: str, booking: Booking) -> EvseId:
        site = self.state.site
        if place in site.stations:
            candidates = site.stations[StationId(place)].evses
        else:
            self._check_evse(EvseId(place))
            candidates = (EvseId(place),)
        taken = {
            r.evse
            for r in self.state.chargers.reservations.values()
            if r.from_at < booking.until_at and booking.from_at < r.until_at
        }
        free = [e for e in candidates if e not in taken]
        if not free:
            raise SiteModelError(f"{place} is booked already between {booking.from_at} and {booking.until_at}")
        return min(free, key=lambda e: (self.state.evses[e].session is not None, candidates.index(e)))

    def _free_number(self, now: datetime) -> int:
        """A positive number that no open reservation has; it grows with time, so old ones do not come back soon."""
        number = int(now.timestamp()) % ID_MAX + 1
        while number in self.state.chargers.reservations:
            number = number % ID_MAX + 1
        return number

    def _check_evse(self, evse: EvseId) -> None:
        if evse not in self.state.site.evses:
            raise NotFoundError("EVSE", evse, "GET /api/v1/stations lists them")

    def _next_command_no(self) -> int:
        self._last_command_no += 1
        return self._last_command_no

    # -- what time decides -----------------------------------------------------------------------------------------

    def _keep_house(self) -> None:
        """Milestones, bookings and starts, as far as state or time have changed them."""
        now = self.now()
        if self.state is self._house_seen and self._house_due is not None and now < self._house_due:
            return
        self._house_due = now + timedelta(seconds=HOUSE_S)
        found = (*milestones.due(self.state, now), *reservations.settled(self.state, now), *self._failed_starts(now))
        if found:
            self.take(*found)
        for booking in tuple(self.state.chargers.reservations.values()):
            self._hold(booking, now)
        self._house_seen = self.state

    def _hold(self, booking: ev.EvseReserved, now: datetime) -> None:
        """Tell the station to hold the EVSE, and again while it refuses."""
        number = booking.reservation
        told = self._told.get(number)
        if number in self._holding and self._holding[number] == 0:
            return  # the station holds it
        if not reservations.is_due(booking, now):
            return
        if told is not None and (now - told).total_seconds() < RESERVE_AGAIN_S:
            return
        station = self.state.site.evses[booking.evse].station
        if not self.state.stations[station].is_connected:
            return
        no = self._next_command_no()
        self._told[number], self._holding[number] = now, no
        self.command(
            ReserveEvse(
                no=no,
                station=station,
                evse=booking.evse,
                reservation=number,
                id_tag=booking.id_tag,
                until_at=booking.until_at,
            )
        )

    def _forget(self, reservation: int) -> None:
        self._told.pop(reservation, None)
        self._holding.pop(reservation, None)

    def _failed_starts(self, now: datetime) -> tuple[ev.CommandAnswered, ...]:
        """Starts that were accepted and brought nothing [D-8]."""
        late = [s for s in self._starts.values() if now >= s.until]
        for start in late:
            del self._starts[start.command.evse]
        return tuple(
            ev.CommandAnswered(
                at=now,
                no=s.command.no,
                station=s.command.station,
                command="StartSession",
                accepted=False,
                detail=f"no transaction began at {s.command.evse} within {START_WAIT_S:.0f} s",
            )
            for s in late
        )

    def _follow(self, event: ev.Event) -> tuple[ev.Event, ...]:
        """Note what an event means for starts and bookings under way; returns what follows from it."""
        match event:
            case ev.SessionStarted():
                self._starts.pop(event.evse, None)
            case ev.ReservationEnded():
                self._forget(event.reservation)
            case ev.CommandAnswered(command="ReserveEvse"):
                for number, no in self._holding.items():
                    if no == event.no and event.accepted:
                        self._holding[number] = 0
            case ev.CommandAnswered(command="StartSession"):
                return self._start_answered(event)
            case _:
                pass
        return ()

    def _start_answered(self, event: ev.CommandAnswered) -> tuple[ev.Event, ...]:
        start = next((s for s in self._starts.values() if s.command.no == event.no), None)
        if start is None:
            return ()
        if not event.accepted:
            del self._starts[start.command.evse]
        if start.order is None:
            return ()
        no, evse = start.order.no, start.order.evse
        if event.accepted and event.detail != WITHOUT_PROFILE:  # it is in the station and counts like any other order
            return (ev.SetpointAnswered(at=event.at, no=no, evse=evse, accepted=True, detail="in the remote start"),)
        why = f"the start was accepted {event.detail}" if event.accepted else "the start was refused"
        return (ev.SetpointUnanswered(at=event.at, no=no, evse=evse, was_sent=False, detail=why),)


@dataclass(frozen=True, slots=True, kw_only=True)
class Booking:
    """What a driver books: a place from ``from_at`` until ``until_at``, for the car of an id tag."""

    id_tag: str
    from_at: datetime
    until_at: datetime
    energy_kwh: float | None = None
    depart_at: datetime | None = None
