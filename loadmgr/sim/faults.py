"""The switches of a twin's faults. ``loadmgr.sim.quirks`` says what each one means and on which versions it was seen."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(slots=True)
class Faults:
    """Faults of a twin that can be switched on and off while it lives; the defaults are a station without any."""

    # What it does with profiles
    ignores_profiles: bool = False
    rejects_profiles: bool = False
    only_default_profiles: bool = False
    refuses_zero: bool = False
    refuses_zero_on_stack: bool = False
    ends_on_zero: bool = False
    ignores_zero: bool = False
    full_after_pause: bool = False
    errs_on_relative: bool = False
    silent_on_absolute: bool = False
    refuses_missing_start: bool = False
    clock_skew_s: float = 0.0
    ignores_tx_profiles: bool = False
    ignores_default_mid_session: bool = False
    refuses_tx_without_id: bool = False
    ignores_tx_of_id_zero: bool = False
    only_stack_zero: bool = False
    claims_stack_999: bool = False
    pins_stack: bool = False
    local_balancer_a: float | None = None
    ignores_watts: bool = False
    ignores_amps: bool = False
    takes_only_amps: bool = False
    takes_only_watts: bool = False
    step_a: float = 0.0
    strict_decimals: bool = False
    composite: str = ""
    slots: int = 0
    deaf_after_clear_s: float = 0.0
    needs_phases: bool = False
    refuses_phases: bool = False
    claims_odd_features: bool = False
    claims_odd_units: bool = False
    memory_writes: int = 0
    switches_phases: str = ""
    full_power_on_one_phase: bool = False
    local_cap_a: float | None = None
    ignores_start: bool = False
    refuses_fractions: bool = False
    needs_before_profile: bool = False
    # Its connection
    offers_no_subprotocol: bool = False
    identity_form: str = ""
    forgets_settings: bool = False
    never_boots: bool = False
    boots_on_trigger: bool = False
    reconnects_on_error: bool = False
    forgets_profiles_offline: bool = False
    is_busy_while_calling: bool = False
    answer_delay_s: float = 0.0
    late_every_other_s: float = 0.0
    deaf_after_calls: int = 0
    never_answers: bool = False
    stray_results: bool = False
    stray_errors: bool = False
    other_version_next: bool = False
    stamps: str = ""
    silent_after_link: bool = False
    status_copies: int = 1
    reuses_ids: bool = False
    nulls_and_extras: bool = False
    odd_spelling: bool = False
    bare_meter_value: bool = False
    empty_samples: bool = False
    floats_for_integers: bool = False
    aborts_every_s: float = 0.0
    # Triggers
    rejects_triggers: bool = False
    trigger_copies: int = 1
    triggers_need_connector: bool = False
    boot_trigger_reboots: bool = False
    # Transactions and status
    transaction_id_unknown: bool = False
    omits_transaction: bool = False
    stop_copies: int = 1
    stops_unknown: bool = False
    start_copies: int = 1
    loses_offline_start: bool = False
    keeps_latest_profile: bool = False
    ignores_default_offline: bool = False
    always_suspended: bool = False
    resume_delay_s: float = 0.0
    silent_state: bool = False
    finishes_for_good: bool = False
    needs_remote_start: bool = False
    connect_timeout_s: float = 60.0
    settings_need_reboot: bool = False
    # Meter values
    silent_meter: bool = False
    refuses_measurand_lists: bool = False
    unit_is_wrong: bool = False
    energy_is_wrong: bool = False
    session_register: bool = False
    register_glitches: bool = False
    only_currents: bool = False
    only_energy: bool = False
    number_form: bool = False
    unnamed_total_current: bool = False
    only_first_phase: bool = False
    terminal_labels: bool = False
    frozen_samples: bool = False
    glitches: bool = False
    zero_power_values: bool = False
    # The car that happens to be plugged in
    car_sleeps: bool = False
    car_draws_less_frac: float = 1.0
    car_draws_more_a: float = 0.0
    car_is_one_phase: bool = False
    car_starts_at_a: float = 0.0
    car_pauses_max: int = 0
    car_tops_up: bool = False
    car_waits_s: float = 0.0
    # 2.1 only
    event_stream: str = ""
    needs_transfer_allowed: bool = True
    der_alarm: str = ""
    names: list[str] = field(default_factory=list)
    """Quirks that were switched on by name."""
