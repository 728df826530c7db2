"""A station twin: plug-in to plug-out, states, samples, reboots. Its link is an ``Uplink``, its version a ``Dialect``."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from loadmgr.domain.ids import StationId
from loadmgr.domain.site import Evse
from loadmgr.ports import Clock
from loadmgr.sim.acceptance import Desk
from loadmgr.sim.dialect import Dialect, Transaction
from loadmgr.sim.doors import Door, SocketDoor, Wire
from loadmgr.sim.faults import Faults
from loadmgr.sim.mangling import Mangler
from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import DEFAULT, Installed, Json
from loadmgr.sim.rpc import RawClient
from loadmgr.sim.uplink import Activity, Uplink
from loadmgr.sim.vehicle import MINIMUM_A, Car

MINUTE_S = 60.0
UNKNOWN_TRANSACTION = "-1"


@dataclass(slots=True)
class Twin:
    """One simulated charging station with one EVSE. ``dialects``: more than one where the version changes (G-50)."""

    id: StationId
    evse: Evse
    url: str
    password: str
    clock: Clock
    dialect: Dialect
    on_change: Callable[[], None]
    sample_interval_s: float = 30.0
    faults: Faults = field(default_factory=Faults)
    profiles: Installed = field(default_factory=Installed)
    settings: dict[str, str] = field(default_factory=dict)
    transaction: Transaction | None = None
    finished: list[Transaction] = field(default_factory=list)
    activity: Activity = field(default_factory=Activity)
    errors: list[str] = field(default_factory=list)
    door: Door | None = None
    other_dialect: Dialect | None = None
    is_locked_until_unplug: bool = False
    reservation: tuple[int, str, datetime] | None = None
    """Number, id tag, end."""
    goes_inoperative: bool = False
    reboots_when_idle: bool = False
    heartbeat_s: float = 300.0
    is_heartbeat_due: bool = False
    awaited: tuple[str, int | None, datetime] | None = None
    """A remote start that waits for a car: id tag, its number, end."""
    boot_reason: str = "PowerUp"
    pending_settings: dict[str, str] = field(default_factory=dict)
    outlet: Outlet = field(init=False)
    desk: Desk = field(init=False)
    uplink: Uplink = field(init=False)
    mangler: Mangler = field(init=False)
    extension: Any = None
    """State that only one version has, e.g. a DER controller."""
    _main_meter: tuple[tuple[float, float, float], float] | None = None
    _tasks: list[asyncio.Task[None]] = field(default_factory=list)
    _sampler: asyncio.Task[None] | None = None
    _status: str = ""
    _is_reporting: bool = False
    _first_interval_s: float = 30.0

    def __post_init__(self) -> None:
        self.outlet = Outlet(self.evse, self.clock, self.profiles, self.faults, self.on_change, self.note)
        door = self.door or SocketDoor(url=self.url, password=self.password)
        self.uplink = Uplink(twin=self, door=door, clock=self.clock, activity=self.activity)
        self.mangler = Mangler(self.faults)
        self._first_interval_s = self.sample_interval_s
        self._speak(self.dialect)

    def _speak(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.profiles.replaces_slot = dialect.version == "1.6"
        self.desk = Desk(dialect.abilities(self), self.profiles, self.faults)
        self.extension = dialect.extension(self)

    # -- the link --------------------------------------------------------------------------------------------------

    @property
    def client(self) -> Any:  # the dialect's own class
        """The client of the open link, or ``None``."""
        return self.uplink.client

    @property
    def is_connected(self) -> bool:
        """True while the link is open."""
        return self.uplink.wire is not None

    @property
    def has_undelivered(self) -> bool:
        """True while messages wait for the central system."""
        return bool(self.uplink.queue)

    def check(self) -> None:
        """Raise what ended one of the twin's tasks: a dead twin must not look like a quiet one."""
        for task in self._tasks:
            if task.done() and not task.cancelled():
                task.result()

    def start(self) -> None:
        """Begin to live: physics, link, deliveries."""
        self.uplink.activity = self.activity
        self._tasks = [
            asyncio.create_task(self.outlet.run(), name=f"physics-{self.id}"),
            asyncio.create_task(self._minute_loop(), name=f"minute-{self.id}"),
            *self.uplink.start(),
        ]
        if self.extension is not None:
            self._tasks.append(asyncio.create_task(self.extension.run(), name=f"extension-{self.id}"))

    async def stop(self) -> None:
        """End everything."""
        tasks = [*self._tasks, *([self._sampler] if self._sampler is not None else [])]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await self.uplink.close()

    async def go_offline(self) -> None:
        """Lose the link and stay away until ``go_online``."""
        await self.uplink.go_offline()

    def go_online(self) -> None:
        """May connect again."""
        self.uplink.go_online()

    def on_link(self) -> None:
        """A link is open."""
        self.profiles.go_online(self.clock.now())
        if not self.faults.silent_after_link and not self.uplink.needs_boot:
            self._status = ""
        self.outlet.wake.set()

    def on_link_lost(self) -> None:
        """The link is gone."""
        self.profiles.offline_at = self.clock.now()
        if self.faults.forgets_profiles_offline:
            self.profiles.found.clear()  # G-45
        if self.other_dialect is not None and self.faults.other_version_next and self.transaction is None:
            before = self.dialect
            self._speak(self.other_dialect)
            self.other_dialect, self.uplink.needs_boot = before, True  # G-50
        self.outlet.wake.set()

    async def boot(self, client: Any) -> bool:
        """Announce the station and the state of its EVSE; false: not accepted yet."""
        if not (self.faults.never_boots or self.faults.boots_on_trigger):
            if not await self.dialect.boot(client, self.boot_reason):
                return False
        if not self.faults.silent_after_link:  # G-53
            self._status = self.state()
            await self.dialect.status(client, self.outlet, self._status)
        return True

    async def reboot(self, reason: str = "PowerUp") -> None:
        """Forget what does not persist, drop the link, boot when it is back; the transaction goes on."""
        self.profiles.reboot(only_latest=self.faults.keeps_latest_profile)
        self.uplink.needs_boot, self.boot_reason = True, reason
        self.settings.update(self.pending_settings)  # G-83
        self.pending_settings.clear()
        if self.faults.forgets_settings:  # G-42
            self.settings.clear()
            self.sample_interval_s = self._first_interval_s
        mine = self.transaction
        if self.faults.loses_offline_start and mine is not None and not mine.id:  # G-74
            self.uplink.queue.clear()
            mine.id = UNKNOWN_TRANSACTION
        self.outlet.wake.set()
        await self.uplink.close()

    def reboot_soon(self, reason: str) -> None:
        """Reboot after the answer that announces it has gone."""
        self._tasks.append(asyncio.create_task(self._reboot_later(reason), name=f"reboot-{self.id}"))

    async def _reboot_later(self, reason: str) -> None:
        await self.clock.sleep(1.0)
        await self.reboot(reason)

    async def _minute_loop(self) -> None:
        since_s = 0.0
        while True:
            await self.clock.sleep(MINUTE_S)
            since_s += MINUTE_S
            every_s = self.faults.aborts_every_s
            if every_s and since_s % every_s < MINUTE_S and self.uplink.wire is not None:
                self.uplink.wire.abort()
            elif self.client is not None and not self.uplink.queue:
                self.is_heartbeat_due = since_s % self.heartbeat_s < MINUTE_S
                self.enqueue(lambda c: self.dialect.minute(c, self))

    def enqueue(self, message: Callable[[Any], Any]) -> None:
        """Deliver a message after those that wait."""
        self.uplink.enqueue(message)

    async def send_text(self, wire: Wire, text: str) -> None:
        """Send a frame and count it."""
        await self.uplink.send(wire, text)

    def count_handled(self) -> None:
        """A frame has been handled."""
        self.uplink.count_handled()

    def mangled(self, payload: Json) -> Json:
        """The payload as this station's software would write it."""
        return self.mangler.payload(payload)

    async def send_strays(self, client: RawClient) -> None:
        """Frames that belong to nothing [G-49]."""
        stray = self.mangler.stray()
        if stray:
            await client.send_raw(stray)

    def stamp(self, at: datetime) -> str:
        """A time as this station writes it, by its own clock."""
        return self.mangler.stamp(at + timedelta(seconds=self.faults.clock_skew_s))

    # -- states ----------------------------------------------------------------------------------------------------

    def state(self) -> str:
        """What the station says of its EVSE."""
        if self.is_locked_until_unplug and self.outlet.car is not None:
            return "Finishing"
        if self.reservation is not None and self.outlet.car is None and self.clock.now() < self.reservation[2]:
            return "Reserved"
        if self.outlet.in_transaction and self.faults.always_suspended:
            return "SuspendedEVSE"  # G-77
        return self.outlet.state()

    def note(self) -> None:
        """Physics moved on: report what changed."""
        message = self.transaction
        if message is None:
            return
        offered_a = self.outlet.offered_a()
        if self.faults.ends_on_zero and self._status == "Charging" and offered_a < MINIMUM_A and self.outlet.current_a == 0:
            self.finish("Other")  # G-3
            self.is_locked_until_unplug = True
            return
        is_moving = self.outlet.target_at is not None
        mode_changed = message.mode != self.outlet.offer().mode
        if self._is_reporting or self.client is None or self.faults.silent_state:
            return
        if mode_changed or (self.state() != self._status and not is_moving):
            self._is_reporting = True
            self.enqueue(lambda c: self._report(c, message))

    async def _report(self, client: Any, message: Transaction) -> None:
        self._is_reporting = False
        if message is not self.transaction:
            return
        self._status, message.mode = self.state(), self.outlet.offer().mode
        for _ in range(self.faults.status_copies):  # G-54
            await self.dialect.changed(client, self.outlet, message, self._status)

    def say(self, state: str) -> None:
        """Report this state after what waits."""

        async def send(client: Any) -> None:
            self._status = state
            for _ in range(self.faults.status_copies):
                await self.dialect.status(client, self.outlet, state)

        self.enqueue(send)

    # -- cars ------------------------------------------------------------------------------------------------------

    def plug_in(self, car: Car, id_tag: str, *, depart_at: datetime | None = None) -> None:
        """A car arrives and its driver is known: the transaction starts, unless the station waits to be asked (G-81)."""
        self.outlet.plug(car)
        self.say("Preparing")
        awaited, self.awaited = self.awaited, None
        if awaited is not None and self.clock.now() < awaited[2]:
            self.begin(awaited[0], remote_start_id=awaited[1], depart_at=depart_at)
        elif not self.faults.needs_remote_start:
            self.begin(id_tag, depart_at=depart_at)

    def begin(self, id_tag: str, *, remote_start_id: int | None = None, depart_at: datetime | None = None) -> None:
        """A transaction starts with the car that is plugged in."""
        message = Transaction(
            id_tag=id_tag,
            began_at=self.clock.now(),
            start_wh=self.outlet.register_wh(),
            start_export_wh=self.outlet.export_register_wh(),
            remote_start_id=remote_start_id,
            depart_at=depart_at,
            began_offline=self.client is None,
        )
        if self.reservation is not None and self.reservation[1] == id_tag:
            message.reservation, self.reservation = self.reservation[0], None
        self.transaction = message
        self.profiles.began_at = message.began_at
        if self.faults.ignores_default_mid_session:
            found = [replace(p, is_inert=False) if p.purpose == DEFAULT else p for p in self.profiles.found]
            self.profiles.found = found
        self.desk.has_needs = self.outlet.car is None or not self.outlet.car.tells_needs
        self.outlet.in_transaction = True
        self.outlet.wake.set()
        for _ in range(self.faults.start_copies):  # G-73
            self.enqueue(lambda c: self.dialect.begin(c, self.outlet, message))
        self._sampler = asyncio.create_task(self._sample_loop(message), name=f"sampler-{self.id}")

    def finish(self, reason: str, *, leaves: bool = False) -> None:
        """The transaction ends with the register of this moment; the car stays unless it ``leaves``."""
        message = self.transaction
        if message is None:
            return
        if self._sampler is not None:
            self._sampler.cancel()
        message.ended_at, message.reason = self.clock.now(), reason
        message.stop_wh, message.stop_export_wh = self.outlet.register_wh(), self.outlet.export_register_wh()
        message.ended_offline = self.client is None
        self.outlet.stop()
        self.profiles.end_transaction(self.evse.number, keeps=self.faults.slots > 0)
        self.transaction = None
        self.finished.append(message)
        self.outlet.is_operative, self.goes_inoperative = not self.goes_inoperative, False
        for _ in range(self.faults.stop_copies):  # G-72
            self.enqueue(lambda c: self.dialect.end(c, self.outlet, message))
        if not leaves:
            self.say("Finishing")

    def plug_out(self, reason: str = "EVDisconnected") -> None:
        """The car leaves; a running transaction ends."""
        if self.outlet.car is None:
            return
        self.finish(reason, leaves=True)
        self.outlet.unplug()
        self.is_locked_until_unplug = False
        if self.reboots_when_idle:
            self.reboots_when_idle = False
            self.reboot_soon("RemoteReset")
        self.say("Available" if self.outlet.is_operative else "Unavailable")

    async def _sample_loop(self, message: Transaction) -> None:
        while True:
            await self.clock.sleep(self.sample_interval_s)
            if self.client is not None and message.id and not self.faults.silent_meter and not self.uplink.queue:
                self.enqueue(lambda c: self.dialect.sample(c, self.outlet, message))

    async def own_transaction(self) -> Transaction | None:
        """The running transaction, once the answer that gives it its id has been read."""
        for _ in range(50):
            if self.transaction is None or self.transaction.id:
                break
            await asyncio.sleep(0)
        return self.transaction

    def report_main_meter(self, current_a: tuple[float, float, float], power_kw: float) -> None:
        """The station's main meter (connector 0) says what it sees; only the newest value waits."""
        if self.client is None or self._main_meter is not None:
            self._main_meter = (current_a, power_kw) if self.client is not None else None
            return
        self._main_meter = (current_a, power_kw)

        async def send(client: Any) -> None:
            reading, self._main_meter = self._main_meter, None
            if reading is not None:
                await self.dialect.main_meter(client, self.clock.now(), *reading)

        self.enqueue(send)
