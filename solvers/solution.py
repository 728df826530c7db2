"""What a solve found, on the problem's axes, and the plain sums that follow from a power plan."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields

import numpy as np

from solvers.parts import Floats
from solvers.problem import ChargingProblem, Status


def _none() -> Floats:
    return np.zeros((0, 0))


@dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """Shadow prices in money, from the basis the solver ended in.

    A degenerate optimum has more than one set of prices: then this is one of them, never more than an indication.
    """

    row_per_unit_h: Floats
    """(R, T) what one more A (or kW) in a row would save per hour of the step, >= 0."""
    import_per_kwh: Floats
    """(T,) worth of one more kWh of import where the import limit binds, >= 0."""
    need_per_kwh: Floats
    """(S,) what the last kWh of a session's need costs, >= 0."""
    phasor_per_unit_h: Floats
    """(Q, T) what one more A in a magnitude limit would save per hour of the step, >= 0."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Solution:
    """What an engine or a rule found. Without values (``has_values`` false) the arrays are zero.

    ``power_kw`` and ``discharge_kw`` are (S, T); of one session and step at most one is above zero. ``row_excess``
    (R, T) is the excess over soft rows; ``excess_kw`` (T,) what the base load alone exceeds the import limit by.
    ``cost_money`` has the objective's parts: energy, carbon, demand, wear, end_value, shortfall, limits, comfort.
    ``reason`` explains a status other than optimal.
    """

    status: Status
    has_values: bool
    power_kw: Floats
    discharge_kw: Floats
    import_kw: Floats
    export_kw: Floats
    curtailed_kw: Floats
    shortfall_kwh: Floats
    row_excess: Floats
    excess_kw: Floats
    objective_money: float
    engine: str
    stored_kwh: Floats = field(default_factory=_none)
    """(K, T) energy of tracked sessions at the end of each step."""
    battery_kw: Floats = field(default_factory=_none)
    """(B, T) charging positive, discharging negative."""
    battery_kwh: Floats = field(default_factory=_none)
    """(B, T) at the end of each step."""
    peak_kw: Floats = field(default_factory=lambda: np.zeros(0))
    """(D,) billed peak above the peak already incurred."""
    cost_money: Mapping[str, float] = field(default_factory=dict)
    prices: Prices | None = None
    build_s: float = 0.0
    solve_s: float = 0.0
    iterations: int = 0
    n_solves: int = 1
    reason: str = ""

    def __post_init__(self) -> None:
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                value.setflags(write=False)

    @property
    def net_kw(self) -> Floats:
        """(S, T) charging less discharging."""
        net: Floats = self.power_kw - self.discharge_kw
        return net


def balance(problem: ChargingProblem, net_kw: Floats, battery_kw: Floats | None = None) -> tuple[Floats, Floats, Floats]:
    """Import, export and curtailed PV in kW per step that net powers (S, T) lead to, curtailing only what must be.

    Site balance: import − export = base − (PV − curtailed) + battery + Σ net power.
    """
    net = problem.base_kw - problem.pv_kw + net_kw.sum(axis=0)
    if battery_kw is not None and battery_kw.size:
        net = net + battery_kw.sum(axis=0)
    surplus = np.maximum(-net, 0.0)
    curtailed = np.minimum(np.maximum(surplus - problem.export_limit_kw, 0.0), problem.pv_kw)
    return np.maximum(net, 0.0), surplus - curtailed, curtailed


def shortfall(problem: ChargingProblem, power_kw: Floats, discharge_kw: Floats | None = None) -> Floats:
    """(S,) kWh that each session will lack: need − η·Σ h·p + Σ h·d/η_d, never negative."""
    delivered = problem.efficiency * (power_kw @ problem.step_h)
    tracked = problem.tracked
    if tracked is not None and discharge_kw is not None:
        drawn = (discharge_kw[tracked.session] @ problem.step_h) / tracked.discharge_efficiency
        np.subtract.at(delivered, tracked.session, drawn)
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
        discharge_kw=np.zeros((n_sessions, n_steps)),
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
