"""What is done to a station's security over its links: passwords, profiles, logs; certificates are in ``certificate_tasks``.

What is offered is on disk before it leaves and stays good beside the old until the station shows that it has it
[E-13, E-14]. A password is known to this process and to the station only, and to this process only until then [G26].
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol, runtime_checkable

from loadmgr.certificates import SecuritySettings
from loadmgr.control.state import SiteState
from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain import security as sec
from loadmgr.domain.access import Credentials, SecurityProfile
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import Offer, Outcome
from loadmgr.errors import NotFoundError, SiteModelError, StorageError
from loadmgr.ocpp import uploads
from loadmgr.ocpp.reply import Reply
from loadmgr.ports import Clock
from loadmgr.settings import Settings, StationAccess
from loadmgr.sitefile.passwords import hashed

if TYPE_CHECKING:
    from loadmgr.ocpp.connection import Connection

log = logging.getLogger(__name__)

PASSWORD_BYTES = 20
"""Sent as 40 hexadecimal digits: an AuthorizationKey of 1.6, and a password that every version takes (rule E.2)."""
RETRY_S = (5.0, 30.0, 120.0, 600.0, 1800.0)
"""Waits after attempts whose answer was lost; then the old and the new stay good until the station shows one."""
LINK_S = 2.0
"""How often a station without a link is looked for."""
LINK_WAIT_S = 86_400.0
PRIORITY = "OCPPCommCtrlr.NetworkConfigurationPriority"
UNKNOWN = ("Timeout", "Closed", "InvalidAnswer")
"""How the detail of a reply begins when nobody knows what the station did with the command."""


class Shell(Protocol):
    """What the tasks need of the service around them."""

    settings: Settings
    clock: Clock
    link: Any
    """The gateway, or whatever else delivers commands."""

    @property
    def state(self) -> SiteState:
        """The present state."""

    def take(self, *events: ev.Event) -> None:
        """Fold and log events, at once."""

    async def durable(self) -> None:
        """Return when everything taken is on disk. Raises ``StorageError``."""


@runtime_checkable
class Links(Protocol):
    """A gateway of ours, which knows the open links."""

    def link(self, station: StationId) -> Connection | None:
        """The open link of a station."""


@dataclass(slots=True, kw_only=True)
class _Open:
    """An offer under way. ``password`` is in no event, no table, no frame of the log and no answer."""

    offer: Offer
    command: cmd.Command = field(repr=False)
    password: str = field(default="", repr=False)


class SecurityTasks:
    """See the module. One per service; ``on_credentials`` is told what counts for a station before a message leaves."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self.settings = SecuritySettings()
        self.on_credentials: Callable[[StationId, Credentials], None] | None = None
        self.secrets: dict[StationId, tuple[str, ...]] = {}
        """Passwords on their way, for the redaction of what comes and goes on the station's links [G26]."""
        self.numbers: Iterator[int] = itertools.count(3_000_000)
        self._tasks: set[asyncio.Task[None]] = set()

    # -- the service around ----------------------------------------------------------------------------------------

    @property
    def shell(self) -> Shell:
        """The service."""
        return self._shell

    @property
    def now_s(self) -> float:
        """Seconds that never jump."""
        return self._shell.clock.monotonic_s()

    def access_of(self, station: StationId) -> StationAccess:
        """What the site file says of a station. Raises ``NotFoundError``."""
        if station not in self._shell.state.stations:
            raise NotFoundError("station", station, "GET /api/v1/stations lists them")
        return self._shell.settings.ocpp.stations.get(station) or StationAccess()

    def credentials_of(self, station: StationId) -> Credentials:
        """What stands above the site file."""
        return self._shell.state.security.credentials_of(station)

    def profile_of(self, station: StationId) -> SecurityProfile:
        """The security profile that the station must come with."""
        raised = self.credentials_of(station).profile
        return self.access_of(station).profile if raised is None else raised

    def link_of(self, station: StationId) -> Connection | None:
        """The open link of a station on which commands may be sent."""
        gateway = self._shell.link
        found = gateway.link(station) if isinstance(gateway, Links) else None
        if found is None or found.is_closed or (found.version.needs_boot and not found.is_accepted):
            return None
        return found

    def speaking(self, station: StationId) -> Connection:
        """Its link. Raises ``NotFoundError`` for an unknown station, ``SiteModelError`` without a link."""
        self.access_of(station)
        found = self.link_of(station)
        if found is None:
            raise SiteModelError(f"station {station!r} has no link here, or has not booted on it; try again when it has")
        return found

    async def linked(self, station: StationId) -> Connection | None:
        """Its link as soon as there is one; ``None`` when there is none for a day."""
        until_s = self.now_s + LINK_WAIT_S
        while self.now_s < until_s:
            found = self.link_of(station)
            if found is not None:
                return found
            await self._shell.clock.sleep(LINK_S)
        return None

    async def ask(self, link: Connection, command: cmd.Command) -> Reply:
        """Send a command and wait for what becomes of it."""
        done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        link.send(command, done)
        return await done

    def spawn(self, work: Coroutine[Any, Any, None]) -> None:
        """Run beside everything else until it is done or the service ends."""
        task = asyncio.get_running_loop().create_task(work, name="security")
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def close(self) -> None:
        """Stop what runs; offers stay open until their stations show them."""
        tasks = tuple(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def asked(self, station: StationId, what: str, actor: str, *, no: int = 0, detail: str = "") -> None:
        """Write the audit of an order [G30]."""
        now = self._shell.clock.now()
        self._shell.take(sec.SecurityAsked(at=now, station=station, what=what, actor=actor, no=no, detail=detail))

    # -- passwords -------------------------------------------------------------------------------------------------

    async def rotate(self, station: StationId, *, actor: str, as_text: bool = False) -> int:
        """Give a station a new random password; returns the number of the command [E-14].

        ``as_text``: a 1.6 station uses the text of its key, not the bytes that it means, as its password. Raises
        ``SiteModelError`` when it cannot be done now, ``StorageError`` when the offer cannot be kept; nothing left then.
        """
        link = self.speaking(station)
        self._check_password(station, link.version.ocpp, as_text=as_text)
        password = secrets.token_hex(PASSWORD_BYTES)
        offered = await asyncio.to_thread(partial(hashed, password, is_random=True))
        self._check_password(station, link.version.ocpp, as_text=as_text)
        no = next(self.numbers)
        command = sec.SetPassword(no=no, station=station, password=password)
        opened = _Open(offer=Offer(password_hash=offered), command=command, password=password)
        self.asked(station, "password", actor, no=no)
        await self._make(station, opened, "password offered", actor)
        self.spawn(self._deliver(station, opened))
        return no

    def _check_password(self, station: StationId, ocpp: str, *, as_text: bool) -> None:
        profile, access = self.profile_of(station), self.access_of(station)
        if profile not in {SecurityProfile.BASIC, SecurityProfile.TLS_BASIC}:
            raise SiteModelError(f"station {station!r} uses no password: its security profile is {profile:d}")
        if self.credentials_of(station).offered_hash is not None:
            raise SiteModelError(
                f"station {station!r} was offered a password and has not come with it yet; let it connect anew, or"
                " withdraw the offer if you know that it kept the old one"
            )
        if ocpp == "1.6" and not access.hex_password and not as_text:
            raise SiteModelError(
                f"station {station!r} speaks OCPP 1.6, where a password is set as a hexadecimal key; set hex_password in"
                " the site file, or say as_text if you know that it uses the text of the key as its password [E-10]"
            )

    # -- profiles --------------------------------------------------------------------------------------------------

    async def raise_profile(
        self, station: StationId, profile: SecurityProfile, *, actor: str, slot: int = 2, interface: str = "Wired0"
    ) -> int:
        """Tell a station to use a higher security profile; returns the number of the command [E-13].

        ``slot`` and ``interface`` are for 2.x, which goes over at its next restart. Raises as ``rotate`` does.
        """
        link = self.speaking(station)
        self._check_profile(station, profile, ocpp=link.version.ocpp)
        priority = ""
        if link.version.ocpp != "1.6":
            priority = await self._priority(link, slot)
            self._check_profile(station, profile, ocpp=link.version.ocpp)
        no = next(self.numbers)
        command = sec.RaiseProfile(
            no=no,
            station=station,
            profile=profile,
            url=self.settings.url or "",
            slot=slot,
            interface=interface,
        )
        opened = _Open(offer=Offer(profile=profile), command=command)
        self.asked(station, "security profile", actor, no=no, detail=f"from {self.profile_of(station):d} to {profile:d}")
        await self._make(station, opened, f"profile {profile:d} offered", actor)
        self.spawn(self._deliver(station, opened, priority))
        return no

    def _check_profile(self, station: StationId, profile: SecurityProfile, *, ocpp: str) -> None:
        known, now = self.credentials_of(station), self.profile_of(station)
        tls = self._shell.settings.ocpp.tls
        why = ""
        if profile <= now:
            why = f"its security profile is {now:d} and is never lowered over OCPP [E-13]"
        elif profile is not SecurityProfile.TLS_CLIENT and not self._has_password(station):
            why = f"profile {profile:d} needs a password, and none is known of it"
        elif known.offered_profile is not None:
            why = f"profile {known.offered_profile:d} was offered and not shown yet; let it connect anew, or withdraw it"
        elif profile >= SecurityProfile.TLS_BASIC and tls is None:
            why = f"profile {profile:d} needs TLS, and this service has no [ocpp.tls] listener"
        elif profile is SecurityProfile.TLS_CLIENT and (tls is None or tls.client_ca is None):
            why = "profile 3 needs ocpp.tls.client_ca, which says whose certificates are good"
        elif profile is SecurityProfile.TLS_CLIENT and not self._has_certificate(station):
            why = "profile 3 needs a certificate in the station; let it request one first (certificate/renew)"
        elif ocpp != "1.6" and not self.settings.url:
            why = "a 2.x station must be told the address to call; set ocpp.security.url"
        elif ocpp != "1.6" and profile >= SecurityProfile.TLS_BASIC and not str(self.settings.url).startswith("wss://"):
            why = f"profile {profile:d} needs an address that begins with wss://, ocpp.security.url is {self.settings.url!r}"
        if why:
            raise SiteModelError(f"station {station!r}: {why}")

    def _has_password(self, station: StationId) -> bool:
        access, known = self.access_of(station), self.credentials_of(station)
        return any((access.password, access.password_hash, known.password_hash))

    def _has_certificate(self, station: StationId) -> bool:
        known = self._shell.state.security.own_certificate(station)
        return known is not None and known.not_after > self._shell.clock.now()

    async def _priority(self, link: Connection, slot: int) -> str:
        """The order of network slots with the new one first. Raises ``SiteModelError`` when that one is in use."""
        station = link.desk.station
        reply = await self.ask(link, cmd.ReadSettings(no=next(self.numbers), station=station, names=(PRIORITY,)))
        told = dict(link.version.values(reply.action, reply.payload)) if reply.action else {}
        slots = [s.strip() for s in told.get(PRIORITY, "").split(",") if s.strip()]
        if not slots:
            raise SiteModelError(
                f"station {station!r} does not say which network slots it uses ({PRIORITY}); see its frames"
            )
        if slots[0] == str(slot):
            raise SiteModelError(f"station {station!r} uses network slot {slot} now; give another one")
        return ",".join([str(slot), *(s for s in slots if s != str(slot))])

    # -- offers ----------------------------------------------------------------------------------------------------

    async def _make(self, station: StationId, opened: _Open, what: str, actor: str) -> None:
        """Keep an offer on disk and tell the door, before anything leaves; without a door nothing does."""
        if self.on_credentials is None:
            raise SiteModelError("no gateway here takes what is set over OCPP; the station would be locked out")
        if opened.password:
            self.secrets[station] = (*self.secrets.get(station, ()), opened.password)
        self._change(opened.offer.made_to(self.credentials_of(station)), what, actor)
        try:
            await self._shell.durable()
        except StorageError:
            self._end(station, opened, f"{what} and withdrawn: not stored", actor)
            raise

    def _change(self, credentials: Credentials, what: str, actor: str = "") -> None:
        now = self._shell.clock.now()
        self._shell.take(sec.CredentialsChanged(at=now, credentials=credentials, what=what, actor=actor))
        if self.on_credentials is not None:
            self.on_credentials(credentials.station, credentials)

    async def _deliver(self, station: StationId, opened: _Open, priority: str = "") -> None:
        """Bring an offer into the station. A lost answer leaves it open and is followed by the same again."""
        for wait_s in (*RETRY_S, 0.0):
            link = await self.linked(station)
            if link is None or not self._stands(station, opened):
                return
            outcome = await self._attempt(link, opened.command, priority)
            after = opened.offer.after(outcome)
            log.info("offered", extra={"station": station, "what": _kind(opened.offer), "outcome": outcome.value})
            if after is None:
                self._end(station, opened, f"{_kind(opened.offer)} withdrawn: refused by the station")
                return
            opened.offer = after
            if outcome is not Outcome.LOST:
                return
            await self._shell.clock.sleep(wait_s)

    async def _attempt(self, link: Connection, command: cmd.Command, priority: str) -> Outcome:
        """One try. 2.x: the slot, then its place in the order, then a restart that may fail: it is done at the next one."""
        found = outcome_of(await self.ask(link, command))
        if found is not Outcome.ACCEPTED or not priority:
            return found
        station = link.desk.station
        order = cmd.WriteSetting(no=next(self.numbers), station=station, name=PRIORITY, value=priority)
        found = outcome_of(await self.ask(link, order))
        if found is Outcome.ACCEPTED:
            await self.ask(link, cmd.RebootStation(no=next(self.numbers), station=station))
        return found

    def _stands(self, station: StationId, opened: _Open) -> bool:
        return opened.offer.stands_in(self.credentials_of(station))

    def _end(self, station: StationId, opened: _Open, what: str, actor: str = "") -> None:
        if self._stands(station, opened):
            self._change(opened.offer.withdrawn_from(self.credentials_of(station)), what, actor)
        self.forget(station)

    def withdraw(self, station: StationId, kind: str, *, actor: str) -> None:
        """Take an offer back: ``kind`` is ``password`` or ``profile``. Raises ``NotFoundError`` when none is open.

        To be used when somebody knows that the station kept the old one: else it is locked out.
        """
        self.access_of(station)
        known = self.credentials_of(station)
        is_password = kind == "password"
        offer = Offer(password_hash=known.offered_hash) if is_password else Offer(profile=known.offered_profile)
        if (known.offered_hash if is_password else known.offered_profile) is None:
            raise NotFoundError(f"open offer of a {kind}", station, "it may have been shown by the station already")
        self.asked(station, f"{kind} offer withdrawn", actor)
        self._change(offer.withdrawn_from(known), f"{kind} withdrawn by the operator", actor)
        self.forget(station)

    def forget(self, station: StationId) -> None:
        """Keep nothing of a password that is not on its way to the station any more."""
        if self.credentials_of(station).offered_hash is None:
            self.secrets.pop(station, None)

    # -- logs ------------------------------------------------------------------------------------------------------

    async def read_log(self, wish: sec.ReadLog, *, actor: str) -> Reply:
        """Ask a station to upload a log to an allowed address [G20]; raises ``SiteModelError`` for another one."""
        uploads.check(wish.url, self.settings.uploads)
        link = self.speaking(wish.station)
        self.asked(wish.station, "log", actor, no=wish.no, detail=f"{wish.kind.value} to {uploads.shown(wish.url)}")
        return await self.ask(link, wish)


def _kind(offer: Offer) -> str:
    return "password" if offer.password_hash is not None else "profile"


def outcome_of(reply: Reply) -> Outcome:
    """What a reply says about one attempt; what never left cannot be in the station."""
    if reply.accepted:
        return Outcome.ACCEPTED
    return Outcome.LOST if reply.detail.startswith(UNKNOWN) else Outcome.REFUSED
