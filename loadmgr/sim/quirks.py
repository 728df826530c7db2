"""Every quirk of domain rule G that a simulated station or car can show, as a table of named switches."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from loadmgr.sim.faults import Faults

ALL = ("1.6", "2.0.1", "2.1")
OLD = ("1.6",)
NEW = ("2.0.1", "2.1")
NEWEST = ("2.1",)
BEFORE = ("1.6", "2.0.1")

Row = tuple[str, str, tuple[str, ...], str, str, bool | int | float | str]
"""Name, row of rule G, versions, description, field of ``Faults`` and its value."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Quirk:
    """One switch. ``id`` is the row of domain rule G (or ``-``), ``versions`` those whose twins show it.

    ``needs_socket``: it is about the WebSocket itself and does nothing on an in-memory link.
    """

    id: str
    versions: tuple[str, ...]
    description: str
    field: str
    value: bool | int | float | str = True
    needs_socket: bool = False


_PROFILES: tuple[Row, ...] = (
    (
        "only-default-profiles",
        "G-1",
        ALL,
        "takes TxDefaultProfile and refuses every other purpose",
        "only_default_profiles",
        True,
    ),
    ("refuses-zero", "G-2", ALL, "refuses a limit of 0", "refuses_zero", True),
    ("refuses-zero-on-stack", "G-2", ALL, "refuses a limit of 0 on any stack level above 0", "refuses_zero_on_stack", True),
    (
        "ends-on-zero",
        "G-3",
        ALL,
        "a limit of 0 ends the transaction; nothing starts until the car leaves",
        "ends_on_zero",
        True,
    ),
    ("ignores-zero", "G-4", ALL, "accepts 0 and goes on at the minimum; only a remote stop pauses", "ignores_zero", True),
    ("full-after-pause", "G-5", ALL, "the first limit after a pause is ignored: full current", "full_after_pause", True),
    ("errs-on-relative", "G-6", ALL, "answers any Relative profile with a CALLERROR", "errs_on_relative", True),
    ("silent-on-absolute", "G-7", ALL, "never answers an Absolute profile with startSchedule", "silent_on_absolute", True),
    ("refuses-missing-start", "G-8", ALL, "refuses a schedule without startSchedule", "refuses_missing_start", True),
    ("slow-clock", "G-9", ALL, "its clock is 3 minutes late: limits start minutes late", "clock_skew_s", -180.0),
    ("ignores-tx-profiles", "G-10", ALL, "accepts TxProfile without effect until the next car", "ignores_tx_profiles", True),
    (
        "ignores-default-mid-session",
        "G-10",
        ALL,
        "a new TxDefaultProfile works from the next transaction on",
        "ignores_default_mid_session",
        True,
    ),
    ("refuses-tx-without-id", "G-11", OLD, "refuses a TxProfile without transactionId", "refuses_tx_without_id", True),
    (
        "ignores-tx-of-id-zero",
        "G-12",
        OLD,
        "accepts a TxProfile for transaction 0 without effect",
        "ignores_tx_of_id_zero",
        True,
    ),
    ("only-stack-zero", "G-13", ALL, "claims stack levels up to 5 and takes only 0", "only_stack_zero", True),
    ("claims-stack-999", "G-14", ALL, "claims stack level 999; more than 1 is refused", "claims_stack_999", True),
    ("pins-stack", "G-14", ALL, "refuses another stack level than the first one of a purpose", "pins_stack", True),
    ("local-balancer", "G-15", ALL, "a local load balancer refuses profiles and allows 13 A", "local_balancer_a", 13.0),
    ("ignores-watts", "G-16", ALL, "accepts limits in W and honours only A", "ignores_watts", True),
    ("ignores-amps", "G-17", ALL, "accepts limits in A and honours only W", "ignores_amps", True),
    ("takes-only-amps", "-", ALL, "refuses profiles in W", "takes_only_amps", True),
    ("takes-only-watts", "-", ALL, "refuses profiles in A", "takes_only_watts", True),
    ("whole-amps", "G-18", ALL, "honours whole amperes only", "step_a", 1.0),
    ("coarse-steps", "G-18", ALL, "honours steps of 2 A only", "step_a", 2.0),
    (
        "strict-decimals",
        "G-19",
        ALL,
        "a limit with more than one decimal is a CALLERROR; reports 16.100000001 itself",
        "strict_decimals",
        True,
    ),
    ("composite-zero-date", "G-20", ALL, "composite schedules with a zero date and an empty unit", "composite", "zero"),
    ("composite-empty", "-", ALL, "composite schedules without periods", "composite", "empty"),
    ("composite-missing", "-", ALL, "composite answers without a schedule", "composite", "missing"),
    ("composite-minus-one", "-", ALL, "composite schedules with a limit of -1", "composite", "minus-one"),
    ("slots-leak", "G-22", ALL, "TxProfiles of ended transactions keep their slots; full at 6", "slots", 6),
    ("deaf-after-clear", "G-23", ALL, "for 30 s after a clear no profile holds", "deaf_after_clear_s", 30.0),
    ("needs-phases", "G-26", ALL, "refuses periods without numberPhases", "needs_phases", True),
    ("refuses-phases", "G-26", ALL, "refuses periods with numberPhases", "refuses_phases", True),
    ("odd-features", "G-27", OLD, 'names its feature profiles as "[Core, SmartCharging]"', "claims_odd_features", True),
    ("odd-units", "G-28", OLD, 'names its units as "Current, w"', "claims_odd_units", True),
    (
        "refuses-measurand-lists",
        "G-29",
        ALL,
        "one unsupported measurand refuses the whole list",
        "refuses_measurand_lists",
        True,
    ),
    ("wears-out", "G-30", ALL, "its memory takes 400 profile writes, then refuses", "memory_writes", 400),
    ("switches-phases-by-watts", "G-31", ALL, "obeys numberPhases only in profiles in W", "switches_phases", "watts"),
    ("switches-phases-at-start", "G-31", ALL, "obeys numberPhases only when charging begins", "switches_phases", "start"),
    (
        "full-power-on-one-phase",
        "G-32",
        ALL,
        "after a switch to one phase it keeps the power of three",
        "full_power_on_one_phase",
        True,
    ),
    ("local-cap", "G-33", ALL, "a local rule caps it at 16 A whatever is accepted", "local_cap_a", 16.0),
    ("ignores-start", "-", ALL, "a startSchedule without validFrom counts as the time of receipt", "ignores_start", True),
    ("ignores-profiles", "-", ALL, "accepts everything and obeys nothing", "ignores_profiles", True),
    ("rejects-profiles", "-", ALL, "refuses every profile", "rejects_profiles", True),
)

_LINK: tuple[Row, ...] = (
    ("no-subprotocol", "G-40", OLD, "offers no subprotocol", "offers_no_subprotocol", True),
    ("forgets-settings", "G-42", ALL, "a reboot resets its configuration", "forgets_settings", True),
    ("never-boots", "G-43", OLD, "never sends BootNotification", "never_boots", True),
    ("boots-on-trigger", "G-43", OLD, "boots only when it is asked to", "boots_on_trigger", True),
    ("reconnects-on-error", "G-44", ALL, "drops the link at every CALLERROR it gets", "reconnects_on_error", True),
    (
        "forgets-profiles-offline",
        "G-45",
        ALL,
        "drops all profiles with the link: full power",
        "forgets_profiles_offline",
        True,
    ),
    ("busy-while-calling", "G-46", ALL, "refuses CALLs while its own one is open", "is_busy_while_calling", True),
    ("answers-after-a-minute", "G-47", ALL, "answers CALLs after 60 s", "answer_delay_s", 60.0),
    ("deaf-after-calls", "G-48", ALL, "stops answering after 40 CALLs until the link is new", "deaf_after_calls", 40),
    ("never-answers", "-", ALL, "answers no CALL at all", "never_answers", True),
    ("stray-results", "G-49", ALL, "sends CALLRESULTs nobody asked for", "stray_results", True),
    ("stray-errors", "-", ALL, "sends CALLERRORs nobody asked for", "stray_errors", True),
    ("other-version-next", "G-50", BEFORE, "speaks another version on every idle reconnect", "other_version_next", True),
    ("naive-stamps", "G-51", ALL, "timestamps without a zone", "stamps", "naive"),
    ("short-offset-stamps", "G-51", ALL, "timestamps with +02", "stamps", "short"),
    ("refuses-fractions", "G-51", ALL, "refuses timestamps with fractions of a second", "refuses_fractions", True),
    ("summer-time-clock", "G-52", ALL, "its clock is an hour early", "clock_skew_s", 3600.0),
    ("silent-after-link", "G-53", ALL, "says no status after boot or reconnect", "silent_after_link", True),
    ("status-flood", "G-54", ALL, "sends each status eight times", "status_copies", 8),
    ("trailing-slash", "G-55", ALL, "connects to its address with a slash at the end", "identity_form", "slash"),
    ("other-case", "G-55", ALL, "writes its identity in the other case", "identity_form", "case"),
    ("reuses-ids", "G-56", ALL, "gives every CALL the same id", "reuses_ids", True),
    ("nulls-and-extras", "G-57", ALL, "null for optional fields, fields nobody knows", "nulls_and_extras", True),
    ("odd-spelling", "G-58", OLD, "Celcius, Hz and units in lower case", "odd_spelling", True),
    ("bare-meter-value", "G-59", OLD, "meterValue is an object", "bare_meter_value", True),
    ("empty-samples", "G-60", OLD, "every third meterValue has no samples", "empty_samples", True),
    ("late-every-other", "G-61", ALL, "every other profile is accepted 40 s late", "late_every_other_s", 40.0),
    ("floats-for-integers", "-", ALL, "writes 20000 as 20000.0", "floats_for_integers", True),
    ("aborts", "-", ALL, "its link breaks without a close frame every 15 minutes", "aborts_every_s", 900.0),
    ("rejects-triggers", "G-24", ALL, "refuses TriggerMessage", "rejects_triggers", True),
    ("trigger-flood", "G-24", ALL, "answers a trigger with ten messages", "trigger_copies", 10),
    ("triggers-need-connector", "G-24", ALL, "refuses triggers without a connector", "triggers_need_connector", True),
    ("boot-trigger-reboots", "G-25", ALL, "reboots when BootNotification is triggered", "boot_trigger_reboots", True),
)

_SESSIONS: tuple[Row, ...] = (
    ("unknown-transaction-id", "G-70", OLD, "says transaction -1 in MeterValues and Stop", "transaction_id_unknown", True),
    ("omits-transaction", "G-71", OLD, "MeterValues without transactionId", "omits_transaction", True),
    ("stops-twice", "G-72", ALL, "sends the end of a transaction twice", "stop_copies", 2),
    ("stops-unknown", "G-72", OLD, "sends a second StopTransaction with an unknown id", "stops_unknown", True),
    ("starts-twice", "G-73", ALL, "repeats the start of a transaction", "start_copies", 2),
    ("loses-offline-start", "G-74", ALL, "a reboot loses a start that waited offline", "loses_offline_start", True),
    ("keeps-latest-profile", "G-75", ALL, "only the newest profile survives a reboot", "keeps_latest_profile", True),
    ("ignores-default-offline", "G-76", ALL, "offline its TxDefaultProfile does not hold", "ignores_default_offline", True),
    ("always-suspended", "G-77", ALL, "reports SuspendedEVSE while it charges", "always_suspended", True),
    ("slow-resume", "G-78", ALL, "stays suspended for 3 minutes after a pause", "resume_delay_s", 180.0),
    ("silent-state", "G-79", ALL, "reports no state after the start", "silent_state", True),
    ("finishes-for-good", "G-80", ALL, "after a stop it stays Finishing until the car leaves", "finishes_for_good", True),
    ("needs-remote-start", "G-81", ALL, "charges only after a remote start", "needs_remote_start", True),
    ("long-connect-timeout", "G-82", ALL, "a remote start waits 15 minutes for a car", "connect_timeout_s", 900.0),
    ("settings-need-reboot", "G-83", ALL, "settings work after the next reboot", "settings_need_reboot", True),
)

_METERS: tuple[Row, ...] = (
    ("watts-labelled-kw", "G-90", ALL, "power in W under the unit kW", "unit_is_wrong", True),
    ("kwh-labelled-wh", "G-91", ALL, "energy in kWh under the unit Wh", "energy_is_wrong", True),
    ("session-register", "G-92", ALL, "its register begins at 0 with every car", "session_register", True),
    ("register-glitches", "G-92", ALL, "its register shows 0 in every tenth sample", "register_glitches", True),
    ("only-currents", "G-93", ALL, "currents per phase and energy, no power", "only_currents", True),
    ("only-energy", "G-94", ALL, "energy only", "only_energy", True),
    ("silent-meter", "G-95", ALL, "no samples between begin and end", "silent_meter", True),
    ("number-form", "G-96", ALL, "values as numbers in 1.6 and as text in 2.x", "number_form", True),
    ("unnamed-total-current", "G-97", ALL, "one current without a phase: the sum", "unnamed_total_current", True),
    ("only-first-phase", "G-97", ALL, "values of the first phase only", "only_first_phase", True),
    ("terminal-labels", "G-98", ALL, "phase labels name its own terminals", "terminal_labels", True),
    ("frozen-samples", "G-99", ALL, "repeats its first sample with new times", "frozen_samples", True),
    ("meter-glitches", "G-100", ALL, "absurd values in every eighth sample", "glitches", True),
    (
        "zero-power-values",
        "-",
        NEW,
        "MeterValues of 0 W in a transaction while the register moves",
        "zero_power_values",
        True,
    ),
)

_CARS: tuple[Row, ...] = (
    ("car-sleeps", "G-110", ALL, "the car sleeps after a pause and wakes at the second offer", "car_sleeps", True),
    ("car-draws-less", "G-111", ALL, "the car takes 60 % of what is offered", "car_draws_less_frac", 0.6),
    ("car-draws-more", "G-112", ALL, "the car takes 3 A more than the signal", "car_draws_more_a", 3.0),
    ("car-is-one-phase", "G-113", ALL, "the car uses one phase", "car_is_one_phase", True),
    ("car-starts-at-ten", "G-114", ALL, "the car begins at 10 A or more", "car_starts_at_a", 10.0),
    ("car-gives-up", "G-115", ALL, "the car stops for ever after 5 pauses", "car_pauses_max", 5),
    ("car-tops-up", "G-116", ALL, "the full car draws 6 A for a minute every half hour", "car_tops_up", True),
    ("car-has-timer", "G-117", ALL, "the car's own timer lets it begin after an hour", "car_waits_s", 3600.0),
)

_NEWEST: tuple[Row, ...] = (
    (
        "needs-before-profile",
        "-",
        NEWEST,
        "refuses a TxProfile before NotifyEVChargingNeeds (InvalidMessageSeq)",
        "needs_before_profile",
        True,
    ),
    ("event-stream-as-call", "-", NEWEST, "sends its periodic event stream as a CALL", "event_stream", "call"),
    ("event-stream", "-", NEWEST, "sends a periodic event stream that nobody opened", "event_stream", "send"),
)

_SOCKET_ROWS = frozenset({"G-40", "G-55"})

QUIRKS: Mapping[str, Quirk] = MappingProxyType(
    {
        name: Quirk(
            id=number,
            versions=versions,
            description=text,
            field=switch,
            value=value,
            needs_socket=number in _SOCKET_ROWS,
        )
        for name, number, versions, text, switch, value in _PROFILES + _LINK + _SESSIONS + _METERS + _CARS + _NEWEST
    }
)
"""By name. The names are stable: a failing draw is repeated by naming them."""

NOT_SIMULATED: tuple[tuple[str, str], ...] = (
    ("G-21", "a wrong key in SetChargingProfile is an error of central systems; we send the standard one"),
    ("G-41", "the WebSocket client library writes a correct Upgrade header; a raw socket in tests/protocol can break it"),
    ("G-84", "Scheduled while charging is what the standard asks: every twin does it, there is nothing to switch"),
)
"""Rows of G-1 to G-117 without a switch, each with its reason."""


def switch_on(faults: Faults, *names: str) -> None:
    """Switch quirks on by name. Raises ``ValueError`` for a name that the table does not have."""
    for name in names:
        quirk = QUIRKS.get(name)
        if quirk is None:
            raise ValueError(f"quirk {name!r} is unknown; loadmgr.sim.quirks.QUIRKS lists {len(QUIRKS)} of them")
        setattr(faults, quirk.field, quirk.value)
        faults.names.append(name)


def drawn(version: str, chance: random.Random, *, is_socketless: bool = False) -> str:
    """A random quirk that a twin of this version can show."""
    fitting = [n for n, q in QUIRKS.items() if version in q.versions and not (is_socketless and q.needs_socket)]
    return chance.choice(fitting)
