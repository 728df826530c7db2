"""A plan looks ahead; a setpoint is our order to one EVSE; a violation is a limit that a load exceeds."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta

from loadmgr.domain.ids import EvseId, NodeId, SessionId
from loadmgr.domain.traits import ProfileForm


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Why a session gets no more in a step: the name of a limit row (``pod-a/L1``) or one of the words
    ``evse`` (its own maximum), ``energy`` (nothing more is needed), ``price`` (later is cheaper), ``none``.
    """

    session: SessionId
    name: str
    source: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Why:
    """What binds a session over steps ``from_step`` (included) to ``until_step`` (not included); names as ``Binding``.

    ``price_per_kwh`` is what one more kWh there would save; ``None``: the optimum is degenerate and only the name counts.
    """

    session: SessionId
    from_step: int
    until_step: int
    name: str
    source: str = ""
    price_per_kwh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RowWorth:
    """What one more ``unit`` (A or kW) in a full row would save per hour, money, over some steps."""

    name: str
    source: str
    unit: str
    from_step: int
    until_step: int
    worth_per_h: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Receipt:
    """What a session will lack at its departure, why, and what would cure it, each by itself (estimates).

    ``more_time_s`` at the session's full power; ``more_limit`` in ``limit_unit`` in the row ``reason`` during its stay;
    ``instead_of``: a session of at most the same priority that gets power there meanwhile.
    """

    session: SessionId
    lacking_kwh: float
    reason: str
    source: str = ""
    more_time_s: float | None = None
    more_limit: float | None = None
    limit_unit: str = ""
    instead_of: SessionId | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class CostPart:
    """A part of the plan's objective: energy, carbon, demand, wear, end_value, shortfall, limits or comfort."""

    name: str
    money: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """Power of each session over the steps. ``power_kw[s][t]`` is the mean over ``[step_at[t], step_at[t+1])``,
    negative where the car delivers. ``battery_kw[b][t]`` is positive when a battery charges.

    ``bindings[s]`` explains the first step. ``shortfall_kwh[s]`` is what the session will lack at departure.
    ``rule_based`` is true when no solver result was available. ``digest`` identifies the problem that was solved.
    """

    no: int
    made_at: datetime
    step_s: tuple[float, ...]
    sessions: tuple[SessionId, ...]
    evses: tuple[EvseId, ...]
    power_kw: tuple[tuple[float, ...], ...]
    bindings: tuple[Binding, ...] = ()
    shortfall_kwh: tuple[float, ...] = ()
    import_kw: tuple[float, ...] = ()
    base_kw: tuple[float, ...] = ()
    export_kw: tuple[float, ...] = ()
    curtailed_kw: tuple[float, ...] = ()
    batteries: tuple[str, ...] = ()
    battery_kw: tuple[tuple[float, ...], ...] = ()
    whys: tuple[Why, ...] = ()
    worth: tuple[RowWorth, ...] = ()
    receipts: tuple[Receipt, ...] = ()
    costs: tuple[CostPart, ...] = ()
    engine: str = ""
    status: str = ""
    solve_ms: float = 0.0
    objective: float = 0.0
    rule_based: bool = False
    digest: str = ""

    @property
    def until(self) -> datetime:
        """End of the last step."""
        return self.made_at + timedelta(seconds=sum(self.step_s))

    def begin_of(self, step: int) -> datetime:
        """When a step begins; the number of steps gives the end of the last."""
        return self.made_at + timedelta(seconds=sum(self.step_s[:step]))

    def step_at(self, at: datetime) -> int | None:
        """Index of the step that holds ``at``, or ``None`` outside the horizon."""
        offset_s = (at - self.made_at).total_seconds()
        if offset_s < 0:
            return None
        for index, length_s in enumerate(self.step_s):
            if offset_s < length_s:
                return index
            offset_s -= length_s
        return None


@dataclass(frozen=True, slots=True, kw_only=True)
class Setpoint:
    """Our order to one EVSE: at most ``current_a`` per phase until ``valid_until``; then its fail-safe holds.

    ``transaction`` is the protocol's id of the running transaction, or empty when there is none.
    ``bound_by`` names what kept the value from being higher. ``form`` is how it is dressed for the charger.
    """

    no: int
    evse: EvseId
    current_a: float
    n_phases: int
    made_at: datetime
    valid_until: datetime
    transaction: str = ""
    bound_by: str = ""
    form: ProfileForm = ProfileForm()
    power_kw: float | None = None
    """For a bidirectional session: exchange exactly this at the EVSE, negative delivers (central setpoint, 2.1).
    ``current_a`` still bounds what it may draw."""
    voltage_v: float = 230.0
    """Nominal, line to neutral: what a limit in watts is computed with [A-70]."""
    lasts_s: float = 0.0
    """How much longer than until ``valid_until`` it may be in force in a charger that reads schedules its own way."""
    is_update: bool = False
    """The dynamic profile is installed: only its values are sent (domain rule A.12)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """A limit that is exceeded. ``phase`` is ``L1``..``L3``, or empty for a kW limit; value and limit in its unit."""

    node: NodeId
    phase: str
    at: datetime
    value: float
    limit: float
    source: str

    def __str__(self) -> str:
        where = f"{self.node}/{self.phase}" if self.phase else str(self.node)
        unit = "A" if self.phase else "kW"
        return f"{where}: {self.value:.2f} {unit} over {self.limit:.2f} {unit} ({self.source}) at {self.at:%H:%M:%S}"
