"""What happens after a station connects or boots: fail-safe first, then metering, then what it can do (rule A.15, C.3)."""

from __future__ import annotations

import asyncio
import itertools
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator
from dataclasses import dataclass

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.params import ControlParams
from loadmgr.domain.traits import Kind, ProfileForm
from loadmgr.ocpp import care, detect, takeover
from loadmgr.ocpp.connection import Connection
from loadmgr.ocpp.failsafes import failsafe, failsafe_forms
from loadmgr.ocpp.reply import Reply
from loadmgr.ocpp.versions import Version

log = logging.getLogger(__name__)

STAGGER_S = 0.05
BOOT_AGAIN_S = 30.0
"""Least time between two rounds for a station that boots again and again on one link [C03]."""
COMPOSITE_S = 120
"""How far ahead a composite schedule is compared [A-62]."""

COMPARE_AGAIN_S = 20.0
"""After a repair the schedule is read once more."""

UNHEARD = 2
"""So many absolute profiles without an answer, while other calls had one, and relative ones are sent [G-7]."""

Ask = Callable[[cmd.Command], Awaitable[bool]]
"""Send a command and say whether it was accepted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """Waits: for a boot that may not come, and between tries to install the fail-safe; the last one repeats."""

    without_boot_s: float = 10.0
    retry_s: tuple[float, ...] = (2.0, 10.0, 30.0, 60.0)


async def configure(
    settings: Iterable[tuple[str, tuple[str, ...]]], station: StationId, numbers: Iterator[int], ask: Ask
) -> AsyncIterator[tuple[str, str]]:
    """Write the metering settings, trying the next value when one is refused; yields what was accepted [G-29]."""
    for name, values in settings:
        for value in values:
            if await ask(cmd.WriteSetting(no=next(numbers), station=station, name=name, value=value)):
                yield name, value
                break


def status_triggers(evses: tuple[EvseId, ...], station: StationId, numbers: Iterator[int]) -> tuple[cmd.Command, ...]:
    """Ask for the state of EVSEs that have not said it [D-5, G-53]."""
    return tuple(cmd.TriggerStatus(no=next(numbers), station=station, evse=e) for e in evses)


class Onboarding:
    """The steps of one link, from its begin to its end."""

    def __init__(self, link: Connection, params: ControlParams, pace: Pace, *, is_known: bool) -> None:
        self._link = link
        self._params = params
        self._pace = pace
        self._wait_s = 0.5 if is_known else pace.without_boot_s
        self._clock = link.host.clock
        self._station = link.desk.station

    @property
    def _version(self) -> Version:
        return self._link.version

    async def run(self) -> None:
        """Until the link ends: once after it was opened, and again after every boot on it [G-42, A-133]."""
        await self._first()
        is_installed = False
        for n_round in itertools.count():
            self._link.due.clear()
            is_installed = await self._failsafe(self._pace.retry_s)
            await self._clock.sleep(STAGGER_S * list(self._link.desk.site.stations).index(self._station))
            if n_round > 0 or self._needs_configuration:
                await self._configure()
            await self._take_over()
            self._triggers()
            await self._compare()
            await self._again(is_installed=is_installed)
            await self._clock.sleep(BOOT_AGAIN_S if n_round > 0 else 0.0)

    async def _first(self) -> None:
        """Wait for the boot, or proceed without one [G-43, E-2]."""
        await self._unless_booted(self._wait_s)
        link = self._link
        while self._version.needs_boot and not link.is_accepted:
            if link.n_unbooted and not link.due.is_set():
                link.n_unbooted = 0
                link.call(*takeover.boot_trigger(self._station, next(link.numbers)), is_trial=True)
            await self._unless_booted(60.0)  # a station without its fail-safe counts at its maximum
        await self._clock.sleep(0)

    async def _unless_booted(self, seconds: float) -> None:
        waiting = asyncio.ensure_future(self._link.due.wait())
        sleeping = asyncio.ensure_future(self._clock.sleep(seconds))
        try:
            await asyncio.wait({waiting, sleeping}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (waiting, sleeping):
                task.cancel()
            await asyncio.gather(waiting, sleeping, return_exceptions=True)

    async def _ask(self, command: cmd.Command) -> Reply:
        done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._link.send(command, done)
        return await done

    async def _is_accepted(self, command: cmd.Command) -> bool:
        return (await self._ask(command)).accepted

    # -- steps -----------------------------------------------------------------------------------------------------

    async def _failsafe(self, waits_s: Iterable[float]) -> bool:
        """Install the layers that hold without us, before all other work [G-45]; every form before each wait."""
        charger = self._link.charger
        for wait_s in waits_s:
            refused: list[ProfileForm] = []
            for form in failsafe_forms(charger.traits):
                no, now = next(self._link.numbers), self._clock.now()
                reply = await self._ask(failsafe(self._link.desk.site, self._station, no, now, form))
                if reply.accepted:
                    charger.learn(detect.after_failsafe(form, refused))
                    self._link.heed()
                    return True
                if reply.detail.startswith(("Timeout", "Closed")):
                    await self._listen(reply)
                    break  # unknown, not refused: the same form again
                refused.append(form)
            await self._clock.sleep(wait_s)
        return False

    async def _listen(self, reply: Reply) -> None:
        """A profile got no answer. A station that answers everything else cannot read an absolute schedule [G-7]."""
        charger, link = self._link.charger, self._link
        if not reply.detail.startswith("Timeout"):
            return
        names = next(care.asked_at_once(self._version.capabilities))
        told = await self._ask(cmd.ReadSettings(no=next(link.numbers), station=self._station, names=names))
        if told.detail.startswith(("Timeout", "Closed")):
            return
        charger.n_unheard += 1
        is_late = "call_timeout_s" in charger.knowledge.learned
        if charger.n_unheard >= UNHEARD and charger.traits.kind is Kind.ABSOLUTE and not is_late:
            why = f"{charger.n_unheard} absolute profiles got no answer while other calls did"
            charger.learn((detect.Finding(trait="kind", value=Kind.RELATIVE, evidence=why),))
            link.heed()

    async def _take_over(self) -> None:
        """Once in a run: what earlier times left behind goes, and the fail-safe stands again [A-90, A-91]."""
        charger = self._link.charger
        if charger.is_taken_over:
            return
        charger.is_taken_over = True
        if await takeover.clear_leftovers(self._link):
            await self._failsafe(self._pace.retry_s[:1])

    @property
    def _needs_configuration(self) -> bool:
        """A station that tells its boots keeps its settings over links without one."""
        charger = self._link.charger
        return not charger.is_configured or not charger.has_booted or self._link.has_booted

    async def _configure(self) -> None:
        link = self._link
        settings = self._version.settings(self._params, self._link.charger.traits)
        async for name, value in configure(settings, self._station, link.numbers, self._is_accepted):
            log.info("configured", extra={"station": self._station, "setting": name, "value": value})
        for names in care.asked_at_once(self._version.capabilities):
            await self._ask(cmd.ReadSettings(no=next(link.numbers), station=self._station, names=names))
        link.heed()
        missing = detect.lacks_smart_charging(link.charger.values)
        if missing:
            log.warning("no smart charging", extra={"station": self._station, "reason": missing})
        link.charger.is_configured = True

    def _triggers(self) -> None:
        link = self._link
        if not link.charger.traits.may_trigger:
            return
        silent = tuple(e for e in link.desk.site.stations[self._station].evses if e not in link.states)
        for command in status_triggers(silent, self._station, link.numbers):
            link.send(command)

    async def _compare(self) -> None:
        """What the station says it will do, for every running session; what differs is told again, once [A-62]."""
        differing = [e for e in self._link.desk.site.stations[self._station].evses if await self._differs(e)]
        if differing:
            await self._failsafe(self._pace.retry_s[:1])
            await self._clock.sleep(COMPARE_AGAIN_S)
            for evse in differing:
                await self._differs(evse)

    async def _differs(self, evse: EvseId) -> bool:
        link = self._link
        if link.desk.transactions.open_on(evse) is None or not link.charger.traits.is_composite_useful:
            return False
        no = next(link.numbers)
        reply = await self._ask(cmd.ReadComposite(no=no, station=self._station, evse=evse, duration_s=COMPOSITE_S))
        return bool(care.judged(link, evse, reply).differs)

    async def _again(self, *, is_installed: bool) -> None:
        """Wait for the next boot on this link; meanwhile try on with a fail-safe that was not installed."""
        while not is_installed and not self._link.due.is_set():
            is_installed = await self._failsafe(self._pace.retry_s[-1:])
        await self._link.due.wait()
