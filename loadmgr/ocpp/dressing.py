"""Setpoints, fail-safes and first limits in the form that their charger takes, free of versions (rules A.1, A.2, G)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from loadmgr import units
from loadmgr.domain import commands as cmd
from loadmgr.domain.ids import EvseId, split_evse
from loadmgr.domain.plan import Setpoint
from loadmgr.domain.traits import Kind, ProfileForm, Purpose, RateUnit, Traits, added_s
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.metering import DC_AUXILIARY_KW, DC_EFFICIENCY_LOW

MINIMUM_A = 6.0
WIRE_STEP_A = 0.1
"""Finest step of a limit on the wire [0-12]."""
SUPPLY_PHASES = 3
"""Phases on the AC side of a DC charger."""
FIRST_S = 600.0
"""Life of the limit in a remote start: the car may be plugged minutes later [D-8]; then the fail-safe holds."""
WHOLE_STATION = frozenset({Purpose.STATION_DEFAULT, Purpose.MAX})


@dataclass(frozen=True, slots=True, kw_only=True)
class Dressed:
    """One profile with one schedule of one period. ``place``: number of the EVSE, 0 for the whole station.

    ``n_phases`` ``None``: they are not told. A relative profile starts with its transaction, so it ends by ``valid_to``.
    """

    place: int
    purpose: Purpose
    stack: int
    kind: Kind
    unit: RateUnit
    limit: float
    n_phases: int | None
    transaction: str = ""
    start_at: datetime | None = None
    duration_s: int | None = None
    valid_to: datetime | None = None


def live(setpoint: Setpoint, traits: Traits, transaction: str) -> Dressed:
    """Layer L3. Without a ``transaction`` a TxProfile becomes the default of the EVSE [A-3, G-12].

    Raises ``ProtocolError`` for what cannot be signalled [A-80], for a delivery, which only 2.1 can ask for, and for a form
    that would replace the fail-safe of the station (rule A.15).
    """
    form = setpoint.form
    if form.purpose is Purpose.TX and not transaction:
        form = replace(form, purpose=Purpose.DEFAULT)
    if form.purpose in WHOLE_STATION and form.stack < 1:
        raise _refused(setpoint.evse, "InvalidForm", f"{form.purpose} at stack level 0 would replace the fail-safe")
    if setpoint.power_kw is not None and setpoint.power_kw < 0.0:
        raise _refused(setpoint.evse, "NotSupported", f"{setpoint.power_kw} kW: delivery can be asked for in OCPP 2.1 only")
    return _profile(setpoint, form, traits, transaction if form.purpose is Purpose.TX else "")


def first(command: cmd.StartSession, traits: Traits) -> Dressed | None:
    """The limit of a remote start from its first moment on: a TxProfile without a transaction [D-7, D-25, K05].

    ``None`` where the charger takes no TxProfile, or only watts, for which the voltage is not known here: then its
    fail-safe holds until the first setpoint.
    """
    if command.first_a is None or Purpose.TX not in traits.purposes or traits.rate_units[:1] != ("A",):
        return None
    kind = Kind.RELATIVE if command.made_at is None or traits.kind is Kind.RELATIVE else Kind.ABSOLUTE
    form = ProfileForm(stack=traits.stack_max, kind=kind, has_phases=traits.has_phases)
    made_at = command.made_at
    if made_at is None:
        limit = limit_of(command.first_a, Size(n_phases=command.n_phases), form, (traits, str(command.evse)))
        return Dressed(
            place=split_evse(command.evse)[1],
            purpose=Purpose.TX,
            stack=form.stack,
            kind=kind,
            unit=form.unit,
            limit=limit,
            n_phases=phases_of(form, command.n_phases),
        )
    setpoint = Setpoint(
        no=command.no,
        evse=command.evse,
        current_a=command.first_a,
        n_phases=command.n_phases,
        made_at=made_at,
        valid_until=made_at + timedelta(seconds=FIRST_S),
        form=form,
    )
    return _profile(setpoint, form, traits, "")


def lasting(command: cmd.InstallFailsafe, traits: Traits) -> tuple[Dressed, Dressed]:
    """Layers L2 (each EVSE alone) and L1 (the whole station), without an end; L2 matters when the link breaks [G-45].

    A maximum is never relative [A-10]; L2 is where the charger takes nothing else [G-7].
    """
    size = Size(n_phases=command.n_phases, voltage_v=command.voltage_v)
    whose = (traits, str(command.station))
    start_at = command.made_at - timedelta(seconds=traits.start_before_s)

    def layer(purpose: Purpose, current_a: float) -> Dressed:
        is_relative = command.form.kind is Kind.RELATIVE and purpose is not Purpose.MAX
        return Dressed(
            place=0,
            purpose=purpose,
            stack=command.form.stack,
            kind=Kind.RELATIVE if is_relative else Kind.ABSOLUTE,
            unit=unit_of(command.form, command.n_phases),
            limit=limit_of(current_a, size, command.form, whose),
            n_phases=phases_of(command.form, command.n_phases),
            start_at=None if is_relative else start_at,
        )

    return layer(Purpose.STATION_DEFAULT, command.failsafe_a), layer(Purpose.MAX, command.station_max_a)


@dataclass(frozen=True, slots=True, kw_only=True)
class Size:
    """Phases of a load (0: direct current) and what drives each, V."""

    n_phases: int
    voltage_v: float = 230.0


def _profile(setpoint: Setpoint, form: ProfileForm, traits: Traits, transaction: str) -> Dressed:
    start_at = setpoint.made_at.replace(microsecond=0) - timedelta(seconds=traits.start_before_s)
    is_relative = form.kind is Kind.RELATIVE and form.purpose is not Purpose.MAX
    size = Size(n_phases=setpoint.n_phases, voltage_v=setpoint.voltage_v)
    return Dressed(
        place=0 if form.purpose in WHOLE_STATION else split_evse(setpoint.evse)[1],
        purpose=form.purpose,
        stack=form.stack,
        kind=Kind.RELATIVE if is_relative else Kind.ABSOLUTE,
        unit=unit_of(form, setpoint.n_phases),
        limit=limit_of(setpoint.current_a, size, form, (traits, str(setpoint.evse))),
        n_phases=phases_of(form, setpoint.n_phases),
        transaction=transaction,
        start_at=None if is_relative else start_at,
        duration_s=None if is_relative else int((setpoint.valid_until - setpoint.made_at).total_seconds() + added_s(traits)),
        valid_to=setpoint.valid_until if is_relative else None,
    )


def unit_of(form: ProfileForm, n_phases: int) -> RateUnit:
    """Direct current (no phases) is limited in watts: what amperes would mean is not clear [A-74]."""
    return form.unit if n_phases else "W"


def phases_of(form: ProfileForm, n_phases: int) -> int | None:
    """Phases are told where the charger wants them [A-22, G-26], never to a DC one."""
    return n_phases if form.has_phases and n_phases else None


def limit_of(current_a: float, size: Size, form: ProfileForm, whose: tuple[Traits, str]) -> float:
    """The limit in the unit of the form, rounded down to the step of charger and wire [A-75, 0-12, G-18].

    A value that falls below the minimum by that is a pause [A-80]. Watts are 1 W steps of A * V * phases; for direct current
    they are what is left at the car after the losses of the charger at their worst [A-74, F.6].
    """
    traits, where = whose
    if current_a < 0.0 or (size.n_phases and 0.0 < current_a < MINIMUM_A):
        raise _refused(where, "InvalidLimit", f"{current_a} A is in (0, 6) A")
    if not size.n_phases:
        grid_kw = units.a_to_kw(current_a, size.voltage_v, SUPPLY_PHASES)
        return units.round_down(max(grid_kw - DC_AUXILIARY_KW, 0.0) * DC_EFFICIENCY_LOW * 1000.0, 1.0)
    step_a = max(traits.current_step_a, WIRE_STEP_A)
    down_a = units.round_down(units.round_down(current_a, step_a), WIRE_STEP_A)
    if down_a < MINIMUM_A:
        return 0.0
    if form.unit == "A":
        return down_a
    return units.round_down(units.a_to_kw(down_a, size.voltage_v, size.n_phases) * 1000.0, 1.0)


def _refused(where: EvseId | str, code: str, detail: str) -> ProtocolError:
    return ProtocolError(station=str(where), action="SetChargingProfile", code=code, detail=detail)
