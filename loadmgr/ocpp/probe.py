"""Examines a connected charger with harmless steps and says how it differs from the standard (domain rules A.5, A-40, G).

Nothing that is tried allows more than what stands now, trials end by themselves after a minute, and an EVSE with a
transaction is left alone unless the caller consents.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import EvseId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.site import Evse
from loadmgr.domain.traits import Kind, ProfileForm, Purpose, RateUnit, Traits, Zero
from loadmgr.errors import LoadManagerError
from loadmgr.ocpp import care, detect
from loadmgr.ocpp.connection import Connection
from loadmgr.ocpp.detect import Finding
from loadmgr.ocpp.quirks import Product, said
from loadmgr.ocpp.reply import Reply

TRIAL_S = 60.0
STATUS_S = 10.0
"""A triggered message comes within this time."""


class ProbeError(LoadManagerError):
    """A charger cannot be examined now; the text says why and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """One thing that was tried, whether it worked, and the station's words."""

    what: str
    works: bool
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was found. ``rule`` is a ready ``[[rule]]``, ``site_table`` the same for one station's site file."""

    station: str
    ocpp: str
    product: Product
    evse: EvseId
    values: tuple[tuple[str, str], ...]
    trials: tuple[Trial, ...]
    found: tuple[Finding, ...]
    traits: Traits
    evidence: tuple[str, ...]
    rule: str
    site_table: str


@dataclass(slots=True)
class _Tried:
    """What was learned about one dimension of a profile."""

    works: set[object] = field(default_factory=set)
    fails: set[object] = field(default_factory=set)

    def refused(self) -> set[object]:
        """What never worked."""
        return self.fails - self.works


async def examine(link: Connection, *, evse: EvseId | None = None, may_disturb: bool = False) -> Report:
    """Examine the station of a link, at ``evse`` or an idle one. Raises ``ProbeError``."""
    chosen = _chosen(link, evse, may_disturb=may_disturb)
    return await _Probe(link, link.desk.site.evses[chosen]).run()


def _chosen(link: Connection, evse: EvseId | None, *, may_disturb: bool) -> EvseId:
    station = link.desk.station
    evses = link.desk.site.stations[station].evses
    if evse is not None and evse not in evses:
        raise ProbeError(f"EVSE {evse!r} is not one of station {station!r}; it has {', '.join(evses)}")
    if link.version.needs_boot and not link.is_accepted:
        raise ProbeError(f"station {station!r} is connected but has not booted; wait for its BootNotification")
    wanted = (evse,) if evse is not None else evses
    idle = [e for e in wanted if link.desk.transactions.open_on(e) is None]
    if idle:
        return idle[0]
    if not may_disturb:
        raise ProbeError(
            f"a transaction runs at {', '.join(wanted)}; wait for its end, or consent to trials with the present limit "
            "(--busy)"
        )
    return wanted[0]


class _Probe:
    def __init__(self, link: Connection, evse: Evse) -> None:
        self._link = link
        self._evse = evse
        self._clock = link.host.clock
        self._trials: list[Trial] = []
        self._purposes, self._units, self._stacks, self._phases = _Tried(), _Tried(), _Tried(), _Tried()
        self._found: list[Finding] = []
        known = link.desk.transactions.open_on(evse.id)
        self._transaction = known.transaction if known is not None else ""
        present = link.charger.present(evse.id) if known is not None else None
        in_force = present is not None and present.valid_until > self._clock.now()
        self._present_a = present.current_a if present is not None and in_force else evse.failsafe_a

    async def run(self) -> Report:
        """All steps, then the report."""
        values = await self._capabilities()
        best = await self._forms()
        if best is not None:
            await self._zero(best)
            await self._composite(best)
        await self._trigger()
        await self._clean_up()
        self._conclude()
        charger = self._link.charger
        charger.learn(tuple(self._found))
        self._link.heed()
        product = charger.knowledge.product
        return Report(
            station=str(self._link.desk.station),
            ocpp=self._link.version.ocpp,
            product=product,
            evse=self._evse.id,
            values=values,
            trials=tuple(self._trials),
            found=tuple(self._found),
            traits=charger.traits,
            evidence=charger.knowledge.evidence,
            rule=rule_text(product, self._found, f"loadmgr probe, {self._clock.now():%Y-%m-%d}"),
            site_table=site_text(str(self._link.desk.station), self._found),
        )

    async def _ask(self, command: cmd.Command) -> Reply:
        """The station's answer. Raises ``ProbeError`` when it gives none: the next steps would tell nothing."""
        done: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()
        self._link.send(command, done, is_trial=True)
        reply = await done
        if reply.detail.startswith(("Timeout", "Closed")):
            name = type(command).__name__
            raise ProbeError(f"station {self._link.desk.station!r} did not answer {name} ({reply.detail}); see its frames")
        return reply

    def _no(self) -> int:
        return next(self._link.numbers)

    # -- steps -----------------------------------------------------------------------------------------------------

    async def _capabilities(self) -> tuple[tuple[str, str], ...]:
        link = self._link
        values: tuple[tuple[str, str], ...] = ()
        for names in care.asked_at_once(link.version.capabilities):
            reply = await self._ask(cmd.ReadSettings(no=self._no(), station=link.desk.station, names=names))
            values += care.values_of(link, reply)
        link.charger.saw_values(values)
        self._found += detect.from_values(dict(values))
        self._trials.append(Trial(what="capabilities", works=bool(values), detail=f"{len(values)} values"))
        missing = detect.lacks_smart_charging(dict(values))
        if missing:
            self._trials.append(Trial(what="says it can do smart charging", works=False, detail=missing))
        return values

    def _candidates(self) -> Iterator[ProfileForm]:
        """Purposes that can be tried here, with units and stack levels from the highest that is claimed down [A-40]."""
        n_evses = len(self._link.desk.site.stations[self._evse.station].evses)
        claimed = detect.level_of(self._link.charger.values)
        levels = sorted({min(claimed if claimed is not None else 1, detect.STACK_MAX), 1, 0}, reverse=True)
        purposes = [Purpose.TX] if self._transaction else []
        purposes += [Purpose.DEFAULT] + ([Purpose.STATION_DEFAULT, Purpose.MAX] if n_evses == 1 else [])
        units: tuple[RateUnit, ...] = ("A", "W")
        for purpose in purposes:
            for unit in units:
                for level in levels:
                    if level > 0 or purpose in {Purpose.TX, Purpose.DEFAULT}:  # level 0 of the station is the fail-safe
                        yield ProfileForm(purpose=purpose, unit=unit, stack=level, kind=Kind.ABSOLUTE)

    async def _forms(self) -> ProfileForm | None:
        """Try the forms; returns the first one that worked."""
        best: ProfileForm | None = None
        for form in self._candidates():
            reply = await self._try(form, self._present_a)
            if not reply.accepted and not self._phases.works:
                bare = replace(form, has_phases=False)
                reply = await self._try(bare, self._present_a)
                self._note(bare, reply)
                best = best or (bare if reply.accepted else None)
                continue
            self._note(form, reply)
            best = best or (form if reply.accepted else None)
        return best

    def _note(self, form: ProfileForm, reply: Reply) -> None:
        pairs: tuple[tuple[_Tried, object], ...] = (
            (self._purposes, form.purpose),
            (self._units, form.unit),
            (self._stacks, form.stack),
            (self._phases, form.has_phases),
        )
        for tried, value in pairs:
            (tried.works if reply.accepted else tried.fails).add(value)

    async def _try(self, form: ProfileForm, current_a: float) -> Reply:
        now = self._clock.now()
        setpoint = self._setpoint(form, current_a, now)
        command = cmd.SendSetpoint(no=setpoint.no, station=self._evse.station, setpoint=setpoint)
        reply = await self._ask(command)
        without = "" if form.has_phases else ", phases not told"
        what = f"profile {form.purpose.value}, {form.unit}, level {form.stack}{without}, {current_a:g} A"
        self._trials.append(Trial(what=what, works=reply.accepted, detail=reply.detail))
        return reply

    def _setpoint(self, form: ProfileForm, current_a: float, now: datetime) -> Setpoint:
        return Setpoint(
            no=self._no(),
            evse=self._evse.id,
            current_a=current_a,
            n_phases=self._evse.caps.n_phases,
            made_at=now,
            valid_until=now + timedelta(seconds=TRIAL_S),
            transaction=self._transaction,
            bound_by="probe",
            form=form,
            voltage_v=self._evse.caps.voltage_v,
        )

    async def _zero(self, form: ProfileForm) -> None:
        """Is a limit of zero taken? Only where no car can be disturbed [G-2, G-3]."""
        if self._transaction:
            return
        reply = await self._try(form, 0.0)
        if not reply.accepted:
            why = f"it refused a limit of 0 A: {reply.detail[:80]}"
            self._found.append(Finding(trait="zero", value=Zero.HOLD, evidence=why))

    async def _composite(self, form: ProfileForm) -> None:
        """Does it say what it will do, and truly [G-20]?"""
        current_a = self._present_a
        await self._try(form, current_a)
        command = cmd.ReadComposite(no=self._no(), station=self._evse.station, evse=self._evse.id, duration_s=30)
        reply = await self._ask(command)
        compared = care.judged(self._link, self._evse.id, reply)
        is_useful, detail = compared.is_useful, compared.differs or compared.reason
        self._trials.append(Trial(what="composite schedule", works=is_useful, detail=detail))
        if not is_useful:
            why = f"its composite schedule cannot be used: {detail[:80]}"
            self._found.append(Finding(trait="is_composite_useful", value=False, evidence=why))

    async def _trigger(self) -> None:
        """Does it send its state when asked [G-24]?"""
        link, evse = self._link, self._evse.id
        link.states.pop(evse, None)
        reply = await self._ask(cmd.TriggerStatus(no=self._no(), station=self._evse.station, evse=evse))
        for _ in range(int(STATUS_S)):
            if not reply.accepted or evse in link.states:
                break
            await self._clock.sleep(1.0)
        works = reply.accepted and evse in link.states
        detail = reply.detail or ("" if works else f"no StatusNotification within {STATUS_S:.0f} s")
        self._trials.append(Trial(what="trigger of a StatusNotification", works=works, detail=detail))
        if not works:
            self._found.append(Finding(trait="may_trigger", value=False, evidence=f"a trigger failed: {detail[:80]}"))

    async def _clean_up(self) -> None:
        """Remove the trials of the EVSE and let the service tell its own limit again."""
        await self._ask(cmd.ClearProfiles(no=self._no(), station=self._evse.station, evse=self._evse.id))
        self._link.doubt("the charger was probed")

    # -- conclusion ------------------------------------------------------------------------------------------------

    def _conclude(self) -> None:
        """Traits from what worked and what did not; what was not tried stays as it is."""
        standard = Traits()
        if not self._purposes.works:
            return
        refused = self._purposes.refused()
        self._differs("purposes", tuple(p for p in standard.purposes if p not in refused), standard.purposes)
        units = tuple(u for u in standard.rate_units if u not in self._units.refused())
        self._differs("rate_units", units, standard.rate_units)
        if 1 not in self._stacks.works and 0 in self._stacks.works:
            self._differs("stack_max", 0, standard.stack_max)
        if self._phases.works == {False}:
            self._differs("has_phases", False, standard.has_phases)

    def _differs(self, trait: str, value: object, standard: object) -> None:
        claimed = [f for f in self._found if f.trait == trait]
        if value == standard and not claimed:
            return
        self._found = [f for f in self._found if f.trait != trait]
        if value != standard:
            self._found.append(Finding(trait=trait, value=value, evidence="found by trial"))


def _pairs(found: list[Finding]) -> str:
    return ", ".join(f"{f.trait} = {said(f.value)}" for f in found)


def rule_text(product: Product, found: list[Finding], evidence: str) -> str:
    """A ready rule for this product, or a sentence when none is needed."""
    named = (("vendor", product.vendor), ("model", product.model), ("firmware", product.firmware))
    match = ", ".join(f"{name} = {_quoted(value)}" for name, value in named if value)
    if not found:
        return "# no rule is needed: everything that was tried works as the standard says\n"
    if not product.vendor and not product.model:
        return "# no rule: the charger has not said who it is; use the site file\n"
    return f"[[rule]]\nmatch    = {{ {match} }}\nset      = {{ {_pairs(found)} }}\nevidence = {_quoted(evidence)}\n"


def site_text(station: str, found: list[Finding]) -> str:
    """The same for one station in the site file."""
    if not found:
        return ""
    lines = "".join(f"{f.trait} = {said(f.value)}\n" for f in found)
    return f"[stations.{_quoted(station)}.traits]\n{lines}"


def _quoted(text: str) -> str:
    """A basic string of TOML; what a charger says may hold anything [B27]."""
    escaped = "".join(
        f"\\{c}" if c in '"\\' else c if c.isprintable() else f"\\u{ord(c):04X}" if ord(c) < 0x10000 else "?" for c in text
    )
    return f'"{escaped}"'
