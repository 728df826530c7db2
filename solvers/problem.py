"""The problem and its solution as arrays. Axes: S sessions, T steps, R capacity rows. Powers in kW at the AC side."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from solvers.errors import ShapeError

Floats = NDArray[np.float64]


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
    "base_kw": "T",
    "pv_kw": "T",
    "import_limit_kw": "T",
    "export_limit_kw": "T",
    "import_price_per_kwh": "T",
    "export_price_per_kwh": "T",
}
_MAY_BE_INFINITE = frozenset({"room_kwh", "row_soft_price", "import_limit_kw", "export_limit_kw"})
_MAY_BE_NEGATIVE = frozenset({"import_price_per_kwh", "export_price_per_kwh", "base_kw"})
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
    """(S,) energy still to deliver; soft."""
    room_kwh: Floats
    """(S,) most energy that fits, >= need; may be infinite."""
    efficiency: Floats
    """(S,) stored energy per energy drawn, 0 < η <= 1."""
    priority: Floats
    """(S,) weight of a shortfall, > 0."""
    present_kw: Floats
    """(S,) power of the setpoint in force."""
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
    options: PolicyWeights = field(default_factory=PolicyWeights)

    def __post_init__(self) -> None:
        problems: list[str] = []
        sizes = {"S": len(self.session_keys), "T": int(np.size(self.step_h)), "R": len(self.row_names)}
        for name, axes in _SHAPES.items():
            array = np.array(getattr(self, name), dtype=np.float64)
            array.setflags(write=False)
            object.__setattr__(self, name, array)
            expected = tuple(sizes[a] for a in axes)
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
        if problems:
            raise ShapeError(tuple(problems))

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


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What an engine or a rule found. Without values (``has_values`` false) the arrays are zero.

    ``row_excess`` (R, T) is the excess over soft rows; ``excess_kw`` (T,) what the base load alone exceeds the import
    limit by. ``reason`` explains a status other than optimal.
    """

    status: Status
    has_values: bool
    power_kw: Floats
    import_kw: Floats
    export_kw: Floats
    curtailed_kw: Floats
    shortfall_kwh: Floats
    row_excess: Floats
    excess_kw: Floats
    objective_money: float
    engine: str
    build_s: float = 0.0
    solve_s: float = 0.0
    iterations: int = 0
    reason: str = ""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)


def balance(problem: ChargingProblem, power_kw: Floats) -> tuple[Floats, Floats, Floats]:
    """Import, export and curtailed PV in kW per step that a power plan (S, T) leads to, curtailing only what must be.

    Site balance: import − export = base − (PV − curtailed) + Σ power.
    """
    net = problem.base_kw - problem.pv_kw + power_kw.sum(axis=0)
    surplus = np.maximum(-net, 0.0)
    export = np.minimum(surplus, problem.export_limit_kw)
    curtailed = np.minimum(surplus - export, problem.pv_kw)
    return np.maximum(net, 0.0), export, curtailed


def shortfall(problem: ChargingProblem, power_kw: Floats) -> Floats:
    """(S,) kWh that each session will lack: need − η·Σ h·p, never negative."""
    delivered = problem.efficiency * (power_kw @ problem.step_h)
    return np.maximum(problem.need_kwh - delivered, 0.0)


def excess(problem: ChargingProblem) -> Floats:
    """(T,) kW by which the load that is not ours alone exceeds the import limit."""
    return np.maximum(problem.base_kw - problem.pv_kw - problem.import_limit_kw, 0.0)


def no_values(problem: ChargingProblem, status: Status, *, engine: str, reason: str) -> Solution:
    """A solution that says only why there is none."""
    n_sessions, n_steps = problem.n_sessions, problem.n_steps
    return Solution(
        status=status,
        has_values=False,
        power_kw=np.zeros((n_sessions, n_steps)),
        import_kw=np.zeros(n_steps),
        export_kw=np.zeros(n_steps),
        curtailed_kw=np.zeros(n_steps),
        shortfall_kwh=problem.need_kwh.copy(),
        row_excess=np.zeros((problem.n_rows, n_steps)),
        excess_kw=excess(problem),
        objective_money=float("nan"),
        engine=engine,
        reason=reason,
    )
