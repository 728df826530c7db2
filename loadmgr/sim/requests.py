"""What a central system may ask of a station, the same in every version."""

from __future__ import annotations

from datetime import datetime, timedelta

from loadmgr.sim.station import Twin


def triggered(twin: Twin, message: str, *, has_connector: bool = True) -> str:
    """Answer to a TriggerMessage, and what it asks for."""
    faults, current = twin.faults, twin.transaction
    if faults.rejects_triggers or (faults.triggers_need_connector and not has_connector):
        return "Rejected"  # G-24
    match message:
        case "StatusNotification":
            for _ in range(faults.trigger_copies):
                twin.say(twin.state())
        case "MeterValues" | "TransactionEvent" if current is not None and current.id:
            for _ in range(faults.trigger_copies):
                twin.enqueue(lambda c: twin.dialect.sample(c, twin.outlet, current))
        case "BootNotification":
            if faults.boot_trigger_reboots:
                twin.reboot_soon("Triggered")  # G-25
            else:
                faults.boots_on_trigger, twin.uplink.needs_boot = False, True
                twin.boot_reason = "Triggered"
                twin.uplink.poke()
        case "Heartbeat":
            twin.is_heartbeat_due = True
            twin.enqueue(lambda c: twin.dialect.minute(c, twin))
        case _:
            return "Rejected"
    return "Accepted"


def remote_stop(twin: Twin, transaction: str) -> bool:
    """A remote stop of this transaction; the car stays plugged in."""
    mine = twin.transaction
    if mine is None or mine.id != transaction:
        return False
    twin.finish("Remote")
    twin.is_locked_until_unplug = twin.faults.finishes_for_good  # G-80
    return True


def remote_start(twin: Twin, id_tag: str, number: int | None = None) -> bool:
    """A remote start: at once with a plugged car, else for a car that comes in time [D-8, G-82]."""
    if twin.transaction is not None or twin.is_locked_until_unplug or not twin.outlet.is_operative:
        return False
    if twin.outlet.car is not None:
        twin.begin(id_tag, remote_start_id=number)
    else:
        until = twin.clock.now() + timedelta(seconds=twin.faults.connect_timeout_s)
        twin.awaited = (id_tag, number, until)
    return True


def reserve(twin: Twin, number: int, id_tag: str, until: datetime | None) -> str:
    """Hold the EVSE for somebody [D-10]."""
    if twin.outlet.car is not None or (twin.reservation is not None and twin.reservation[0] != number):
        return "Occupied"
    if not twin.outlet.is_operative or until is None:
        return "Unavailable"
    twin.reservation = (number, id_tag, until)
    twin.say("Reserved")
    return "Accepted"


def cancel_reservation(twin: Twin, number: int) -> bool:
    """Give a reservation up; false when there is no such."""
    if twin.reservation is None or twin.reservation[0] != number:
        return False
    twin.reservation = None
    twin.say(twin.state())
    return True


def set_availability(twin: Twin, *, is_operative: bool) -> str:
    """In or out of service; a running transaction ends first [G-84]."""
    twin.goes_inoperative = not is_operative and twin.transaction is not None
    if twin.goes_inoperative:
        return "Scheduled"
    twin.outlet.is_operative = is_operative
    twin.say(twin.state())
    return "Accepted"
