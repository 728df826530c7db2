"""The problem and its solution as arrays. Axes: S sessions, T steps, R capacity rows. Powers in kW at the AC side."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ShapeError
from solvers.parts import Batteries, DemandCharges, Floats, Phasors, Tracked

Bools = NDArray[np.bool_]


class Status(StrEnum):
    """How a solve ended."""

    OPTIMAL = "optimal"
    TIME_LIMIT = "time-limit"
    INFEASIBLE = "infeasible"
    UNBOUNDED = "unbounded"
    FAILED = "failed"
    RULE_BASED = "rule-based"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyWeights:
    """Preferences as multiples of their default; 0 switches one off. Prices of tiers are computed, see formulation.

    ``n_shortfall_segments`` is K: more segments share a shortfall more evenly.
    """

    sooner_weight: float = 1.0
    change_weight: float = 1.0
    n_shortfall_segments: int = 4

    def __post_init__(self) -> None:
        if self.n_shortfall_segments < 1:
            raise ShapeError((f"n_shortfall_segments is {self.n_shortfall_segments}, expected at least 1",))


_SHAPES: dict[str, str] = {
    "step_h": "T",
    "power_max_kw": "ST",
    "need_kwh": "S",
    "room_kwh": "S",
    "efficiency": "S",
    "priority": "S",
    "present_kw": "S",
    "row_coef": "RS",
    "row_limit": "RT",
    "row_soft_price": "R",
    "row_lower": "RT",
    "curtail_coef": "RT",
    "power_min_kw": "S",
    "promised_kwh": "S",
    "carbon_price_per_kwh": "T",
    "base_kw": "T",
    "pv_kw": "T",
    "import_limit_kw": "T",
    "export_limit_kw": "T",
    "import_price_per_kwh": "T",
    "export_price_per_kwh": "T",
}
_DEFAULTS = {
    "row_lower": -np.inf,
    "curtail_coef": 0.0,
    "power_min_kw": 0.0,
    "promised_kwh": 0.0,
    "carbon_price_per_kwh": 0.0,
}
_MAY_BE_INFINITE = frozenset({"room_kwh", "row_soft_price", "row_lower", "import_limit_kw", "export_limit_kw"})
_MAY_BE_NEGATIVE = frozenset(
    {
        "need_kwh",
        "present_kw",
        "import_price_per_kwh",
        "export_price_per_kwh",
        "carbon_price_per_kwh",
        "base_kw",
        "row_lower",
        "row_coef",
    }
)
_POSITIVE = frozenset({"step_h", "efficiency", "priority"})


@dataclass(frozen=True, slots=True, kw_only=True)
class ChargingProblem:
    """One site over a horizon. All arrays are copied to read-only float64.

    Raises ``ShapeError`` that lists every array with a wrong shape, a value that is not finite where it must be, a
    negative limit or need, or a room below the need.
    """

    session_keys: tuple[str, ...]
    step_h: Floats
    """(T,) hours of each step."""
    first_step: int
    """Absolute number of step 0, for stable names between ticks."""
    power_max_kw: Floats
    """(S, T); 0 outside the stay."""
    need_kwh: Floats
    """(S,) energy still to store until the departure; soft. Negative only for a tracked session: it may leave with that
    much less than it holds now."""
    room_kwh: Floats
    """(S,) most energy that fits, >= need; may be infinite."""
    efficiency: Floats
    """(S,) stored energy per energy drawn, 0 < η <= 1."""
    priority: Floats
    """(S,) weight of a shortfall, > 0."""
    present_kw: Floats
    """(S,) power of the setpoint in force; negative where it tells the car to deliver."""
    row_coef: Floats
    """(R, S) A per kW on one phase, or 1 for a kW row."""
    row_limit: Floats
    """(R, T) what is left for these sessions, A or kW."""
    row_names: tuple[str, ...]
    row_soft_price: Floats
    """(R,) infinite: a hard row; finite: money per unit and hour of excess."""
    base_kw: Floats
    """(T,) load of the site besides these sessions."""
    pv_kw: Floats
    """(T,) PV available; may be curtailed."""
    import_limit_kw: Floats
    """(T,) infinite: none."""
    export_limit_kw: Floats
    import_price_per_kwh: Floats
    export_price_per_kwh: Floats
    """(T,) where it is above the import price the import price counts: one meter cannot do both at once."""
    carbon_price_per_kwh: Floats = field(default_factory=lambda: np.zeros(0))
    """(T,) money per kWh imported for its carbon; empty: no price."""
    row_lower: Floats = field(default_factory=lambda: np.zeros(0))
    """(R, T) <= 0, for limits on flow back; −infinite: none; empty: none at all."""
    curtail_coef: Floats = field(default_factory=lambda: np.zeros(0))
    """(R, T) A (or 1) that a kW of curtailed PV adds to a row; empty: none. The row's limit counts PV as produced."""
    power_min_kw: Floats = field(default_factory=lambda: np.zeros(0))
    """(S,) least power above zero; only ``exact`` mode and rules look at it."""
    promised_kwh: Floats = field(default_factory=lambda: np.zeros(0))
    """(S,) part of the need that was promised: it goes before everybody's part that was not; empty: nothing."""
    tracked: Tracked | None = None
    batteries: Batteries | None = None
    demand: DemandCharges | None = None
    phasors: Phasors | None = None
    options: PolicyWeights = field(default_factory=PolicyWeights)

    def __post_init__(self) -> None:
        problems: list[str] = []
        sizes = {"S": len(self.session_keys), "T": int(np.size(self.step_h)), "R": len(self.row_names)}
        for name, axes in _SHAPES.items():
            expected = tuple(sizes[a] for a in axes)
            given = getattr(self, name)
            if name in _DEFAULTS and np.size(given) == 0:
                given = np.full(expected, _DEFAULTS[name])
            array = np.array(given, dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
            if array.shape != expected:
                problems.append(f"{name} has shape {array.shape}, expected ({', '.join(axes)}) = {expected}")
                continue
            problems += _value_problems(name, array)
        if sizes["T"] == 0:
            problems.append("step_h is empty, expected at least one step")
        if not problems and np.any(self.room_kwh < self.need_kwh - 1e-9):
            worst = int(np.argmin(self.room_kwh - self.need_kwh))
            problems.append(f"room_kwh[{worst}] = {self.room_kwh[worst]} is below need_kwh = {self.need_kwh[worst]}")
        if len(set(self.session_keys)) != len(self.session_keys):
            problems.append("session_keys are not unique")
        plain = self.need_kwh.copy() if self.need_kwh.shape == (self.n_sessions,) else np.zeros(0)
        if self.tracked is not None and plain.size:
            plain[np.clip(self.tracked.session, 0, plain.size - 1)] = 0.0
        if (plain < 0).any():
            problems.append(f"need_kwh must be >= 0 for a session that is not tracked, lowest is {plain.min()}")
        if (self.row_lower > 0).any():
            problems.append(f"row_lower must be <= 0, highest is {self.row_lower.max()}")
        problems += self._part_problems()
        if problems:
            raise ShapeError(tuple(problems))

    def _part_problems(self) -> list[str]:
        found: list[str] = []

        def compare(name: str, size: int, wanted: int) -> None:
            if size != wanted:
                found.append(f"{name}: {size}, expected {wanted}")

        if self.tracked is not None:
            compare("tracked.discharge_max_kw steps", self.tracked.discharge_max_kw.shape[-1], self.n_steps)
        if self.batteries is not None:
            compare("batteries.row_coef rows", self.batteries.row_coef.shape[0], self.n_rows)
        if self.demand is not None:
            compare("demand.holds steps", self.demand.holds.shape[-1], self.n_steps)
        if self.phasors is not None:
            compare("phasors.limit_a steps", self.phasors.limit_a.shape[-1], self.n_steps)
            compare("phasors.coef sessions", self.phasors.coef.shape[-1], self.n_sessions)
        if self.tracked is not None and self.tracked.session.size:
            low, high = int(self.tracked.session.min()), int(self.tracked.session.max())
            if low < 0 or high >= self.n_sessions:
                found.append(f"tracked.session names {low}..{high}, sessions are 0..{self.n_sessions - 1}")
        return found

    @property
    def surplus_kw(self) -> Floats:
        """(T,) what flows back to the grid even if all PV is curtailed and nobody discharges."""
        return np.maximum(-self.base_kw, 0.0)

    @property
    def n_sessions(self) -> int:
        """S."""
        return len(self.session_keys)

    @property
    def n_steps(self) -> int:
        """T."""
        return int(self.step_h.size)

    @property
    def n_rows(self) -> int:
        """R."""
        return len(self.row_names)


def _value_problems(name: str, array: Floats) -> list[str]:
    if np.isnan(array).any():
        return [f"{name} holds NaN"]
    if name not in _MAY_BE_INFINITE and not np.isfinite(array).all():
        return [f"{name} holds an infinite value"]
    if name in _POSITIVE and (array <= 0).any():
        return [f"{name} must be > 0, lowest is {array.min()}"]
    if name not in _MAY_BE_NEGATIVE and (array < 0).any():
        return [f"{name} must be >= 0, lowest is {array.min()}"]
    return []
