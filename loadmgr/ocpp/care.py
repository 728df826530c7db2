"""What a link does of its own accord: learn from what passes, start plugged cars, restart for a setting (domain rule G).

Functions on a ``Connection``; they keep nothing themselves.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import TYPE_CHECKING

from loadmgr.domain import commands as cmd
from loadmgr.domain import events as ev
from loadmgr.domain.events import EvseStatus
from loadmgr.domain.ids import EvseId, split_evse
from loadmgr.domain.samples import Quality
from loadmgr.errors import LoadManagerError
from loadmgr.ocpp import detect, failsafes, lifecycle
from loadmgr.ocpp.composite_check import Comparison
from loadmgr.ocpp.nudge import Nudge
from loadmgr.ocpp.plausibility import AGREE_N, propose_energy_factor, propose_factor
from loadmgr.ocpp.reply import Reply
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.session import Answered, Failed, Incoming
from loadmgr.ocpp.timestamps import from_wire
from loadmgr.ocpp.translation import Handled

if TYPE_CHECKING:
    from loadmgr.ocpp.connection import Connection

log = logging.getLogger(__name__)

START_AFTER_S = 3.0
"""A car that is plugged so long without a transaction needs a remote start where the charger is of that kind [G-81]."""
START_AGAIN_S = 90.0
IDLE_LOOK_S = 3.0
"""How often a link without a session is looked after."""
IDLE_S = 60.0
"""No transaction for so long, and a restart that a setting needs may come [G-83]."""
ASKED_AT_ONCE = 10
DATED = frozenset({"StatusNotification", "MeterValues", "TransactionEvent"})
"""Messages whose time is that of the moment, unless they were queued [G-9]."""
PROMPT = "StatusNotification"
"""The one of them that does not wait in a queue [B30]."""
BEGIN = "StartTransaction"
REBOOT_ILL = "it answers no call"


def noticed(link: Connection, call: Incoming, handled: Handled, now: datetime) -> None:
    """A message of the station was handled: keep what it tells about the station itself."""
    charger = link.charger
    link.host.security.heard(link, call, handled)
    _timed(link, call, handled, now)
    running, evses = dict(link.running), link.desk.site.stations[link.desk.station].evses
    for event in handled.events:
        match event:
            case ev.StationBooted():
                charger.booted(event)
                link.mirror.booted(now)
            case ev.EvseStatusChanged():
                _status(link, event)
            case ev.SessionStarted():
                charger.began(event.evse, event.session, event.id_tag)
            case ev.SessionEnded() if running.get(event.session) is not None:
                charger.ended(running[event.session], event.reason, now)
            case ev.MeterSample() if EvseId(event.meter) in link.desk.site.evses:
                _spoke(link, EvseId(event.meter))
                if event.session is not None and event.quality is not Quality.HISTORY:
                    charger.saw_sample(EvseId(event.meter), event, evses)
                _weigh(link, EvseId(event.meter))
            case _:
                pass
    follow(link)
    update = handled.answer.get("scheduleUpdate")
    if call.action == "PullDynamicScheduleUpdate" and update is not None:
        pulled = {"chargingProfileId": call.payload["chargingProfileId"], "scheduleUpdate": update}
        link.mirror.accepted("UpdateDynamicSchedule", pulled, now)  # an answered pull is an update [A.12]
    if handled.report is not None:
        _repair(link, link.mirror.reported(handled.report, now))


def tolerated(link: Connection, action: str, notes: tuple[str, ...]) -> None:
    """A message broke the schema and was put right: say so once per station and action [B11, G-57 to G-60]."""
    if not notes or action in link.charger.tolerated:
        return
    link.charger.tolerated.add(action)
    log.warning("tidied", extra={"station": link.desk.station, "action": action, "what": "; ".join(notes)})


def _weigh(link: Connection, evse: EvseId) -> None:
    """Does it tell its power or energy in another unit than it says [C-21, G-90, G-91]?"""
    traits, register = link.charger.traits, link.desk.transactions.register_of(evse)
    proposals = (
        ("power_factor", traits.power_factor, propose_factor(tuple(register.compared)), register.compared),
        ("energy_factor", traits.energy_factor, propose_energy_factor(tuple(register.energies)), register.energies),
    )
    for trait, known, factor, history in proposals:
        if factor is None:
            continue
        history.clear()  # what was compared before the correction proves nothing after it
        why = f"{AGREE_N} readings in a row agree only when its values are multiplied by {factor:g}"
        link.charger.learn((detect.Finding(trait=trait, value=known * factor, evidence=why),))


def _status(link: Connection, event: ev.EvseStatusChanged) -> None:
    before = link.states.get(event.evse)
    link.states[event.evse] = event.status
    if event.status is EvseStatus.AVAILABLE:
        link.charger.unplugged(event.evse)
    if event.status is EvseStatus.CHARGING and link.version.ocpp != "1.6":
        link.mirror.power_closed(split_evse(event.evse)[1], event.at)
    if event.status is EvseStatus.PREPARING and before is not EvseStatus.PREPARING and link.charger.may_start(event.evse):
        link.spawn(start_plugged(link, event.evse))


async def start_plugged(link: Connection, evse: EvseId) -> None:
    """Give a plugged car the remote start that its charger waits for, a few times at the most [G-81, D-8]."""
    clock = link.host.clock
    charger = link.charger
    await clock.sleep(START_AFTER_S)
    while not link.is_closed and charger.may_start(evse) and link.states.get(evse) is EvseStatus.PREPARING:
        if link.desk.transactions.open_on(evse) is not None:
            return
        id_tag = charger.knowledge.operator.start_tag
        charger.n_starts[evse] = charger.n_starts.get(evse, 0) + 1
        no = next(link.numbers)
        if not id_tag:
            charger.began(evse)
            remedy = "give an id tag as start_tag in its traits table of the site file"
            _tell(link, no, "StartSession", f"a car waits at {evse} for a remote start; {remedy}")
            return
        command = cmd.StartSession(no=no, station=link.desk.station, evse=evse, id_tag=id_tag, made_at=clock.now())
        link.send(command)
        await clock.sleep(START_AGAIN_S)


def answered(link: Connection, answer: Answered, reply: Reply, now: datetime) -> None:
    """A call of ours was answered: learn from it."""
    charger, command = link.charger, answer.tag.command
    match command:
        case cmd.SendSetpoint():
            if reply.accepted:
                charger.accepted(command.setpoint, now)
                failsafes.follow_unit(link, command, now)
            else:
                charger.refused(reply.detail, link.host.clock.monotonic_s())
                charger.judge(detect.after_setpoint(charger.behaviour, command.setpoint.current_a, accepted=False))
        case cmd.InstallFailsafe() if not reply.accepted:
            charger.refused(reply.detail, link.host.clock.monotonic_s())
        case cmd.InstallFailsafe():
            charger.failsafe_form = command.form
            if command.failsafe_a > 0.0:
                charger.judge(detect.after_setpoint(charger.behaviour, command.failsafe_a, accepted=True))
        case cmd.ReadSettings():
            charger.saw_values(values_of(link, reply))
        case cmd.WriteSetting():
            _wants_reboot(link, command, answer.payload)
        case cmd.TriggerMeter() | cmd.TriggerStatus():
            _triggered(link, command, accepted=reply.accepted)
        case cmd.ReadComposite():
            _compared(link, command, reply, now)
        case cmd.ReadSession():
            _told_running(link, command, answer.payload, now)
        case _:
            pass


def refused(link: Connection, failed: Failed, detail: str) -> None:
    """A call of ours got a CALLERROR: the same as a refusal [A-50]."""
    command = failed.tag.command
    match command:
        case cmd.SendSetpoint():
            charger = link.charger
            charger.refused(detail, link.host.clock.monotonic_s())
            charger.judge(detect.after_setpoint(charger.behaviour, command.setpoint.current_a, accepted=False))
        case cmd.InstallFailsafe():
            link.charger.refused(detail, link.host.clock.monotonic_s())
        case cmd.TriggerMeter() | cmd.TriggerStatus():
            _triggered(link, command, accepted=False)
        case cmd.ReadComposite():
            _compared(link, command, Reply(accepted=False, detail=detail), link.host.clock.now())
        case _:
            pass


def _triggered(link: Connection, command: cmd.TriggerMeter | cmd.TriggerStatus, *, accepted: bool) -> None:
    """Values of a meter may be refused where no transaction runs; that says nothing [G-24]."""
    charger = link.charger
    is_due = isinstance(command, cmd.TriggerStatus) or link.desk.transactions.open_on(command.evse) is not None
    if accepted or is_due:
        charger.judge(detect.after_trigger(charger.behaviour, accepted=accepted))


def _wants_reboot(link: Connection, command: cmd.WriteSetting, payload: Json) -> None:
    """A setting that takes effect only after a restart [G-83]."""
    charger = link.charger
    if "RebootRequired" not in str(payload) or command.name in charger.rebooted_for:
        return
    charger.rebooted_for.add(command.name)
    if charger.knowledge.operator.may_reset:
        charger.reboot_for = charger.reboot_for or command.name
        return
    why = f"{command.name} takes effect only after a restart; restart the charger, or set may_reset in its traits table"
    _tell(link, next(link.numbers), "RebootStation", why)


def asked_at_once(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Names of settings in portions that any station takes in one message."""
    for begin in range(0, len(names), ASKED_AT_ONCE):
        yield names[begin : begin + ASKED_AT_ONCE]


def values_of(link: Connection, reply: Reply) -> tuple[tuple[str, str], ...]:
    """Names and values out of the answer to ``ReadSettings``."""
    return link.version.values(reply.action, reply.payload) if reply.action else ()


def follow(link: Connection) -> None:
    """Tell the mirror which transactions run, and keep where their sessions are."""
    link.running.clear()
    for evse in link.desk.site.stations[link.desk.station].evses:
        number = split_evse(evse)[1]
        known, running = link.desk.transactions.open_on(evse), link.mirror.running.get(number)
        if known is not None:
            link.running[known.session] = evse
        if known is None and running is not None:
            link.mirror.ended(number)
        elif known is not None and (running is None or running.transaction != known.transaction):
            link.mirror.began(number, known.transaction, known.start.started_at)


def mirrored(link: Connection, answer: Answered, reply: Reply, now: datetime) -> None:
    """Keep what the station now holds; what it lost is installed again."""
    notes: tuple[str, ...] = ()
    try:
        if answer.action == "GetChargingProfiles" and reply.payload.get("status") == "NoProfiles":
            notes = link.mirror.found_none(answer.tag.request)
        elif reply.accepted:
            notes = (link.mirror.accepted(answer.action, answer.tag.request, now),)
    except LoadManagerError as error:
        notes = (str(error),)
    _repair(link, notes)


def _repair(link: Connection, notes: Iterable[str]) -> None:
    found = [note for note in notes if note]
    for note in found:
        log.warning("profiles", extra={"station": link.desk.station, "note": note})
    lost = [note for note in found if "gone from the station" in note or "not as it was sent" in note]
    if lost:
        link.doubt("; ".join(lost)[:200])
        link.due.set()


def judged(link: Connection, evse: EvseId, reply: Reply) -> Comparison:
    """The answer to ``ReadComposite`` beside what is installed [A-61, G-20]."""
    now = link.host.clock.now()
    if not reply.accepted:
        return Comparison(is_useful=False, reason=reply.detail or "refused", from_at=now)
    return link.mirror.compare(split_evse(evse)[1], reply.payload, now)


def _compared(link: Connection, command: cmd.ReadComposite, reply: Reply, now: datetime) -> None:
    """A schedule was read: a difference makes the service tell its limit again."""
    found = judged(link, command.evse, reply)
    charger = link.charger
    charger.judge(detect.after_composite(charger.behaviour, is_useful=found.is_useful, why=found.reason))
    if not found.is_useful:
        return
    link.host.take(
        ev.CompositeRead(
            at=now, evse=command.evse, from_at=found.from_at, limits_a=found.said_limits_a, differs=found.differs
        )
    )


def look_after(link: Connection) -> None:
    """Every second, less often where no car is: what time alone changes in sessions, and a restart that is due."""
    now_s = link.host.clock.monotonic_s()
    if not link.running and now_s < link.looked_s + IDLE_LOOK_S:
        return
    link.looked_s = now_s
    events = lifecycle.due(link.desk, link.host.clock.now())
    if events:
        link.host.take(*events)
        follow(link)
    _nudge(link)
    _ask_doubted(link)
    _reboot(link)
    link.host.security.look_after(link)


def _is_plugged(link: Connection, event: ev.Event) -> bool:
    """Does an EVSE that was free on this link say that a car is there now?"""
    if not isinstance(event, ev.EvseStatusChanged):
        return False
    return link.states.get(event.evse) in lifecycle.EMPTY and event.status in lifecycle.PRESENT


def _timed(link: Connection, call: Incoming, handled: Handled, now: datetime) -> None:
    """A message told the station's time: what does that say of its clock [G-9, B30]?"""
    said_at, clock, charger = _said_at(call.payload, now), link.desk.clock, link.charger
    if call.action == PROMPT and any(_is_plugged(link, event) for event in handled.events):
        clock.plugged(now)
    if call.action == BEGIN and said_at is not None:
        clock.began(said_at, now)
    if call.action not in DATED or call.payload.get("offline"):
        return
    charger.saw_time(said_at, now)
    if said_at is None:
        return
    clock.before_s = charger.behind_s
    at_most_s = clock.heard(said_at, now, may_wait=call.action != PROMPT)
    if at_most_s is not None and charger.saw_clock(at_most_s, clock.behind_s):
        why = f"its clock is at most {at_most_s:.0f} s behind: what it holds begins at another time than was meant"
        log.warning("clock", extra={"station": link.desk.station, "note": why})
        link.doubt(why)
        link.due.set()


def _said_at(payload: Json, now: datetime) -> datetime | None:
    """The station's own time of a message: of the message, or of that of its samples that is the nearest to ours."""
    values = payload.get("meterValue") or ()
    stamps = [payload["timestamp"]] if payload.get("timestamp") else [value.get("timestamp") for value in values]
    return min(filter(None, map(from_wire, stamps)), key=lambda at: abs(now - at), default=None)


def _spoke(link: Connection, evse: EvseId) -> None:
    if evse in link.nudges:
        link.nudges[evse].sampled(link.host.clock.monotonic_s())


def _nudge(link: Connection) -> None:
    """Ask for the values of meters that are silent in a session [C-10, G-95]."""
    if not link.running:
        link.nudges.clear()
        return
    now_s = link.host.clock.monotonic_s()
    running = set(link.running.values())
    for evse in link.nudges.keys() - running:
        del link.nudges[evse]
    for evse in running:
        nudge = link.nudges.setdefault(evse, Nudge(link.stale_s, now_s + link.stale_s))
        if link.charger.traits.may_trigger and nudge.is_due(now_s):
            link.send(cmd.TriggerMeter(no=next(link.numbers), station=link.desk.station, evse=evse))


def _ask_doubted(link: Connection) -> None:
    """2.x: ask whether a transaction still runs of which something is missing, at most once a minute [D-22]."""
    if link.version.ocpp == "1.6" or not link.is_accepted:
        return
    for evse in link.running.values():
        known = link.desk.transactions.open_on(evse)
        if known is None or not known.is_doubted:
            continue
        if link.charger.may_ask(evse, known.transaction, link.host.clock.monotonic_s()):
            known.is_doubted = False
            link.send(cmd.ReadSession(no=next(link.numbers), station=link.desk.station, transaction=known.transaction))


def _told_running(link: Connection, command: cmd.ReadSession, payload: Json, now: datetime) -> None:
    """A transaction that does not run any more by its station's word is lost; its own end may still come [D-22, D-6]."""
    known = link.desk.transactions.find(link.desk.station, command.transaction)
    if payload.get("ongoingIndicator") is not False or known is None or not known.is_open:
        return
    link.host.take(lifecycle.inferred_end(link.desk, known, now, "Lost"))
    follow(link)


def _reboot(link: Connection) -> None:
    """A restart that a setting needs, once the station has been idle for a while; never during a session [G-48]."""
    charger = link.charger
    if charger.n_silent_links >= 2 and REBOOT_ILL not in charger.rebooted_for:
        charger.rebooted_for.add(REBOOT_ILL)
        if charger.knowledge.operator.may_reset:
            charger.reboot_for = REBOOT_ILL
        else:
            why = "it has answered no call on two links; restart it, or set may_reset in its traits table"
            _tell(link, next(link.numbers), "RebootStation", why)
    if not charger.reboot_for:
        return
    now_s = link.host.clock.monotonic_s()
    evses = link.desk.site.stations[link.desk.station].evses
    is_idle = all(link.desk.transactions.open_on(e) is None for e in evses)
    if not is_idle:
        charger.idle_since_s = None
    elif charger.idle_since_s is None:
        charger.idle_since_s = now_s
    elif now_s - charger.idle_since_s >= IDLE_S:
        charger.reboot_for, charger.idle_since_s = "", None
        link.send(cmd.RebootStation(no=next(link.numbers), station=link.desk.station))


def _tell(link: Connection, no: int, command: str, why: str) -> None:
    """An operator must know that something was not done."""
    now = link.host.clock.now()
    link.host.take(ev.CommandAnswered(at=now, no=no, station=link.desk.station, command=command, accepted=False, detail=why))
