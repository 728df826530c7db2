"""What the gateway keeps about one station over its links: knowledge, habits, what it holds back, what is due."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from dataclasses import astuple, dataclass, field
from datetime import datetime

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.ids import EvseId, StationId
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.profiles import Wiring
from loadmgr.domain.site import Evse
from loadmgr.domain.traits import ProfileForm, Traits
from loadmgr.ocpp import detect
from loadmgr.ocpp.detect import Behaviour, Finding, Judged
from loadmgr.ocpp.mirror import Mirror
from loadmgr.ocpp.offers import Offers, common_cap
from loadmgr.ocpp.quirks import Knowledge, Product
from loadmgr.ocpp.schemas import Json

TIMEOUTS = 3
"""So many calls in a row without any answer, and the link is closed so that the station opens a new one [G-47]."""
SILENT_S = 300.0
"""So long without one successful call although calls were made, and the link is closed as well [G-48]."""
FAST_LINKS = 10
"""More links than this in a minute, and the next ones are served later and later [G-44]."""
ASK_EVERY_S = 60.0
"""Least time between two questions whether one transaction still runs [D-22]."""
CAP = "effective_max_a"
START = "start_before_s"
STARTS = 3
"""Remote starts that are tried per plugged car [G-81]."""


@dataclass(slots=True, kw_only=True)
class Charger:
    """See the module. No clock and no I/O: times are arguments, seconds are monotonic."""

    station: StationId
    knowledge: Knowledge = field(default_factory=Knowledge)
    behaviour: Behaviour = Behaviour()
    values: dict[str, str] = field(default_factory=dict)
    """What it last answered to our question for capabilities."""
    has_booted: bool = False
    is_configured: bool = False
    is_taken_over: bool = False
    """Profiles of earlier times were removed in this run [A-90]."""
    hold_until_s: float = 0.0
    failsafe_form: ProfileForm | None = None
    """The form in which its fail-safe was last accepted."""
    n_unheard: int = 0
    """Profiles without an answer while other calls had one [G-7]."""
    n_silent_links: int = 0
    """Links in a row that ended because nothing succeeded on them."""
    reboot_for: str = ""
    """The setting that takes effect only after a restart [G-83]."""
    rebooted_for: set[str] = field(default_factory=set)
    idle_since_s: float | None = None
    newest: dict[EvseId, cmd.SendSetpoint] = field(default_factory=dict)
    """The setpoint that left last, per EVSE."""
    n_starts: dict[EvseId, int] = field(default_factory=dict)
    dynamic: dict[int, Json] = field(default_factory=dict)
    """2.1: what was last sent for each dynamic profile, by its id; the station may pull it over another link [A.12]."""
    tolerated: set[str] = field(default_factory=set)
    """Actions of which it was told that they break the schema [B11, G-57]."""
    behind_s: float | None = None
    """By how much its clock was last proven to be behind [B30]."""
    _is_cap_drawn: bool = False
    """Its cap rests on what cars drew, not on what it offered [G-33]."""
    _offers: dict[EvseId, Offers] = field(default_factory=dict)
    _asked: dict[EvseId, tuple[str, float]] = field(default_factory=dict)
    _accepted: dict[EvseId, Setpoint] = field(default_factory=dict)
    _zero_at: dict[EvseId, datetime] = field(default_factory=dict)
    _links_s: deque[float] = field(default_factory=lambda: deque(maxlen=FAST_LINKS + 5))
    _lags_s: deque[float] = field(default_factory=lambda: deque(maxlen=20))
    _mirror: Mirror | None = None
    _told: tuple[Traits, tuple[str, ...]] = (Traits(), ())

    @property
    def traits(self) -> Traits:
        """What is known of it now."""
        return self.knowledge.traits

    # -- links -----------------------------------------------------------------------------------------------------

    def linked(self, now_s: float) -> float:
        """A link was opened; returns the seconds to wait before it is served [G-44]."""
        self._links_s.append(now_s)
        n_recent = sum(1 for at_s in self._links_s if now_s - at_s < 60.0)
        return min(2.0 ** (n_recent - FAST_LINKS), 30.0) if n_recent > FAST_LINKS else 0.0

    # -- learning --------------------------------------------------------------------------------------------------

    def booted(self, event: ev.StationBooted) -> None:
        """It said who it is; what a rule says about it holds from now on."""
        self.has_booted = True
        self._accepted.clear()
        product = Product(vendor=event.vendor, model=event.model, firmware=event.firmware)
        if product != self.knowledge.product != Product():
            self.behaviour, self.n_unheard, self.behind_s = Behaviour(), 0, None
            self.values.clear()
            self._offers.clear()
        self.knowledge.named(product)

    def learn(self, findings: tuple[Finding, ...]) -> None:
        """Take findings in."""
        if findings:
            self.knowledge.learn(findings)

    def judge(self, judged: Judged) -> None:
        """Take the outcome of one judged behaviour in."""
        self.behaviour, findings = judged
        self.learn(findings)

    def saw_values(self, values: tuple[tuple[str, str], ...]) -> None:
        """It answered what it can do (domain rule A.5)."""
        self.values.update(values)
        self.learn(detect.from_values(self.values))

    def saw_sample(self, evse: EvseId, sample: ev.MeterSample, evses: tuple[EvseId, ...]) -> None:
        """A live sample of a session beside what the EVSE was told: its steps and its cap [G-18, G-33]."""
        offers = self._offers.setdefault(evse, Offers())
        found = offers.read(sample.measured, min(sample.at, sample.measured_at))
        found += common_cap(self._offers.get(e) for e in evses)
        known = self.knowledge.learned
        news = tuple(f for f in found if f.trait not in known or known[f.trait].value != f.value)
        if any(f.trait == CAP for f in news):
            self._is_cap_drawn = not offers.is_offered
        self.learn(news)

    def saw_time(self, said_at: datetime | None, now: datetime) -> None:
        """A live message of it carried this time [G-9]."""
        if said_at is None or START in self.knowledge.learned:
            return
        self._lags_s.append((now - said_at).total_seconds())
        self.learn(detect.after_clock(tuple(self._lags_s), self.traits.start_before_s))

    def saw_clock(self, at_most_s: float, behind_s: float) -> bool:
        """Its values prove that its clock is so far behind at the most, and so far for certain [G-9, B30]. True: news."""
        self.behind_s = behind_s if behind_s > 0.0 else self.behind_s
        known = self.knowledge.learned.get(START)
        found = detect.after_proof(at_most_s, behind_s, known.value if known is not None else None)
        if found is None:
            return False
        self._lags_s.clear()
        self.knowledge.forget(START)
        self.learn(found)
        return True

    def remember(self, told: ev.TraitsKnown) -> None:
        """What was learned of it in an earlier run."""
        self.knowledge.remember(told)
        self._told = (told.traits, told.evidence)

    def news(self, at: datetime) -> tuple[ev.TraitsKnown, ...]:
        """The event that tells what is known, if that has changed since it was last told."""
        known = (self.traits, self.knowledge.evidence)
        if known == self._told:
            return ()
        self._told = known
        learned = tuple(t for t in self.knowledge.observed if t != CAP or not self._is_cap_drawn)
        product = astuple(self.knowledge.product) if learned else ()
        told = ev.TraitsKnown(
            at=at, station=self.station, traits=known[0], evidence=known[1], learned=learned, product=product
        )
        return (told,)

    # -- commands --------------------------------------------------------------------------------------------------

    def objection(self, command: cmd.Command, now_s: float) -> str:
        """Why a command must not leave now, or nothing."""
        if isinstance(command, cmd.TriggerMeter | cmd.TriggerStatus) and not self.traits.may_trigger:
            return "this charger takes no triggers [G-24]"
        if isinstance(command, cmd.ReadComposite) and not self.traits.is_composite_useful:
            return "the composite schedule of this charger cannot be used [G-20]"
        if isinstance(command, cmd.SendSetpoint) and now_s < self.hold_until_s and not self.is_lower(command):
            return f"held back for {self.hold_until_s - now_s:.0f} s: the charger limits the rate of updates"
        return ""

    def is_lower(self, command: cmd.SendSetpoint) -> bool:
        """Would this setpoint reduce what the EVSE was last told? Reductions are never held back (domain rule A.6)."""
        before = self._accepted.get(command.setpoint.evse)
        if before is None:
            return True
        now_kw, before_kw = abs(command.setpoint.power_kw or 0.0), abs(before.power_kw or 0.0)
        return command.setpoint.current_a < before.current_a or now_kw < before_kw

    def accepted(self, setpoint: Setpoint, now: datetime) -> None:
        """A setpoint is in force as far as the charger says."""
        self._accepted[setpoint.evse] = setpoint
        is_plain = setpoint.power_kw is None
        self._offers.setdefault(setpoint.evse, Offers()).ordered(setpoint.current_a if is_plain else None, now)
        self.judge(detect.after_setpoint(self.behaviour, setpoint.current_a, accepted=True))
        if setpoint.current_a > 0.0:
            self._zero_at.pop(setpoint.evse, None)
        else:
            self._zero_at.setdefault(setpoint.evse, now)

    def ended(self, evse: EvseId, reason: str, now: datetime) -> None:
        """A transaction ended: was it a limit of zero that ended it [G-3]?"""
        zero_at = self._zero_at.pop(evse, None)
        if zero_at is not None:
            self.judge(detect.after_end(self.behaviour, reason, (now - zero_at).total_seconds()))

    def present(self, evse: EvseId) -> Setpoint | None:
        """The setpoint that was accepted last."""
        return self._accepted.get(evse)

    def refused(self, detail: str, now_s: float) -> None:
        """A profile was refused: learn from the words, hold back when they say so (domain rule A.6)."""
        self.learn(detect.after_refusal(detail))
        wait_s = detect.hold_s(detail)
        if wait_s is not None:
            self.hold_until_s = now_s + wait_s

    def newer_than(self, command: cmd.SendSetpoint) -> cmd.SendSetpoint | None:
        """The newer setpoint of the same EVSE that must stand although this one was answered late [G-61]."""
        newest = self.newest.get(command.setpoint.evse)
        return newest if newest is not None and newest.no > command.no else None

    # -- plugged cars ----------------------------------------------------------------------------------------------

    def may_start(self, evse: EvseId) -> bool:
        """May a plugged car without a transaction be given (another) remote start [G-81]?"""
        return self.traits.needs_remote_start and self.n_starts.get(evse, 0) < STARTS

    def unplugged(self, evse: EvseId) -> None:
        """The next car is another one."""
        self.n_starts.pop(evse, None)

    def began(self, evse: EvseId, session: str = "", id_tag: str = "") -> None:
        """A transaction runs: this car has had its start; a pause by remote stop is not undone from here [G-4]."""
        self.n_starts[evse] = STARTS
        offers = self._offers.setdefault(evse, Offers())
        offers.began(session, id_tag)
        if self._is_cap_drawn and offers.cap_a is None:
            self.knowledge.forget(CAP)  # other cars showed it: this one may draw more

    def may_ask(self, evse: EvseId, transaction: str, now_s: float) -> bool:
        """May the station be asked (again) whether this transaction runs? Notes that it is [D-22]."""
        asked, at_s = self._asked.get(evse, ("", 0.0))
        if asked == transaction and now_s - at_s < ASK_EVERY_S:
            return False
        self._asked[evse] = transaction, now_s
        return True

    # -- profiles --------------------------------------------------------------------------------------------------

    def mirror_for(self, ocpp: str, evses: Iterable[Evse]) -> Mirror:
        """The mirror of what is installed; a link of another version begins with an empty one [G-50]."""
        if self._mirror is None or self._mirror.ocpp != ocpp:
            wiring = {
                e.number: Wiring(
                    voltage_v=e.caps.voltage_v, n_phases=e.caps.n_phases or 3, current_max_a=e.caps.current_max_a
                )
                for e in evses
            }
            self._mirror = Mirror(ocpp, wiring, owns=self._owns)
        return self._mirror

    def _owns(self, profile_id: int) -> bool:
        """Is this an id as we make them [A-30]?"""
        place, level = divmod(profile_id - self.traits.min_profile_id, 100)
        return detect.OUR_IDS[0] <= place * 100 < detect.OUR_IDS[1] and level <= detect.STACK_MAX
