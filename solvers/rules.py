"""Rules without a linear program, step by step and blind to prices: for comparison, and for when no solver answers.

``greedy`` is the fallback: fast at thousands of sessions. The others are what load management does elsewhere. All but
``uncontrolled`` hold every hard row, the import limit and every magnitude; batteries and cars stand still where they
could discharge. Soft rows are treated as hard.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from types import MappingProxyType

import numpy as np

from solvers.check import scaled_into
from solvers.errors import SolverError
from solvers.extract import stored
from solvers.layout import Entries, entries, row_slots
from solvers.parts import Complexes, Floats, Index
from solvers.problem import ChargingProblem, Status
from solvers.solution import Solution, balance, excess, shortfall

GROUPS = 4
"""``greedy`` serves sessions in this many groups of growing laxity; inside a group everybody gets the same share."""
SMALL_KW = 1e-9


@dataclass(slots=True)
class Step:
    """One step as a rule sees it. ``room`` and ``site_kw`` shrink as power is given."""

    wish_kw: Floats
    """(S,) what each session could take now."""
    left_kwh: Floats
    """(S,) still to deliver, stored."""
    laxity_h: Floats
    """(S,) time to the departure beyond what charging at full power needs."""
    deadline: Index
    """(S,) last step with power."""
    arrival: Floats
    """(S,) smaller came earlier."""
    problem: ChargingProblem
    room: Floats
    """(R,)"""
    site_kw: float
    current_a: Complexes
    """(Q,)"""
    allowed_a: Floats
    """(Q,)"""
    slots: tuple[Index, Floats]
    """The rows of each session and their coefficients, compact; see ``layout.row_slots``."""

    def use(self, direction: Floats) -> Floats:
        """(R,) what a direction (S,) of powers puts on every row."""
        who = np.nonzero(direction)[0]
        rows, coef = self.slots[0][who], self.slots[1][who]
        known = rows >= 0
        weights = (coef * direction[who, None])[known]
        found: Floats = np.bincount(rows[known], weights, minlength=self.room.size).astype(np.float64)
        return found

    def reach(self, direction: Floats) -> float:
        """The largest factor <= 1 by which a direction (S,) of powers can be added without breaking anything."""
        return self._reach(direction, self.use(direction))

    def _reach(self, direction: Floats, use: Floats) -> float:
        factor = 1.0
        rising = use > SMALL_KW
        if rising.any():
            factor = min(factor, float((self.room[rising] / use[rising]).min()))
        total = float(direction.sum())
        if total > SMALL_KW:
            factor = min(factor, self.site_kw / total)
        if self.problem.phasors is not None:
            factor = min(factor, _circle(self.current_a, self.problem.phasors.coef @ direction, self.allowed_a))
        return max(factor, 0.0)

    def give(self, direction: Floats) -> Floats:
        """As much of a direction of powers as is left, taken out of what is left."""
        use = self.use(direction)
        factor = self._reach(direction, use)
        given = direction * factor
        self.room = np.maximum(self.room - factor * use, 0.0)
        self.site_kw = max(self.site_kw - float(given.sum()), 0.0)
        if self.problem.phasors is not None:
            self.current_a = self.current_a + self.problem.phasors.coef @ given
        return given


def _circle(start: Complexes, added: Complexes, radius: Floats) -> float:
    """The largest f <= 1 with |start + f·added| <= radius for every limit; 0 where already outside."""
    square = np.abs(added) ** 2
    moving = square > SMALL_KW
    if not moving.any():
        return 1.0
    a, b, limit = start[moving], added[moving], radius[moving]
    along = (a.conjugate() * b).real
    inside = along**2 - square[moving] * (np.abs(a) ** 2 - limit**2)
    found = (-along + np.sqrt(np.maximum(inside, 0.0))) / square[moving]
    return float(np.clip(np.where(inside < 0, 0.0, found), 0.0, 1.0).min())


Rule = Callable[[Step], Floats]


def uncontrolled(step: Step) -> Floats:
    """Everybody takes all: the only rule that breaks limits."""
    return step.wish_kw


def equal_share(step: Step) -> Floats:
    """Every row and the site are divided by the number of sessions that want something; what is not used is lost."""
    wants = step.wish_kw > SMALL_KW
    count = step.problem.row_coef[:, wants].astype(bool).sum(axis=1)
    share = np.full(step.wish_kw.size, np.inf)
    for r in np.nonzero(count)[0]:
        coef = step.problem.row_coef[r]
        share = np.minimum(share, np.divide(step.room[r] / count[r], coef, out=share.copy(), where=coef > 0))
    given = np.where(wants, np.minimum(np.minimum(step.wish_kw, share), step.site_kw / max(int(wants.sum()), 1)), 0.0)
    return given * step.reach(given)


def round_robin(step: Step) -> Floats:
    """Everybody grows alike until a limit stops them; the others go on."""
    given = np.zeros_like(step.wish_kw)
    active = step.wish_kw > SMALL_KW
    while active.any():
        rise = float((step.wish_kw - given)[active].min())
        direction = np.where(active, rise, 0.0)
        given += step.give(direction)
        active &= step.wish_kw - given > 1e-6
        for s in np.nonzero(active)[0]:
            single = np.zeros_like(given)
            single[s] = step.wish_kw[s] - given[s]
            if single[s] * step.reach(single) <= 1e-6:
                active[s] = False
    return given


def _in_order(order: Callable[[Step], Floats]) -> Rule:
    """One after the other, each as much as fits."""

    def rule(step: Step) -> Floats:
        given = np.zeros_like(step.wish_kw)
        for s in np.argsort(order(step), kind="stable"):
            if step.wish_kw[s] <= SMALL_KW:
                continue
            single = np.zeros_like(given)
            single[s] = step.wish_kw[s]
            single *= step.reach(single)
            if single[s] < step.problem.power_min_kw[s]:
                continue
            step.give(single)
            given[s] = single[s]
        return given

    return rule


def greedy(step: Step) -> Floats:
    """Groups of growing laxity, weighted by priority; inside a group every row gives all the same part of their wish."""
    given = np.zeros_like(step.wish_kw)
    wants = np.nonzero(step.wish_kw > SMALL_KW)[0]
    hours = np.maximum(step.laxity_h[wants], 0.0) / step.problem.priority[wants]
    for group in np.array_split(wants[np.argsort(hours, kind="stable")], GROUPS):
        slots, coef = step.slots[0][group], step.slots[1][group]
        wish, known = step.wish_kw[group], slots >= 0
        need = np.bincount(slots[known], (coef * wish[:, None])[known], minlength=step.room.size)
        part = np.divide(step.room, need, out=np.ones_like(step.room), where=need > step.room)
        by_session = np.where(known & (coef > 0), part[slots], 1.0).min(axis=1, initial=1.0)
        direction = np.zeros_like(given)
        direction[group] = wish * by_session
        given += step.give(direction)
    return given


RULES: MappingProxyType[str, Rule] = MappingProxyType(
    {
        "uncontrolled": uncontrolled,
        "equal-share": equal_share,
        "first-come": _in_order(lambda step: step.arrival),
        "earliest-deadline": _in_order(lambda step: step.deadline.astype(np.float64)),
        "least-laxity": _in_order(lambda step: step.laxity_h),
        "round-robin": round_robin,
        "greedy": greedy,
    }
)


def solve_greedy(problem: ChargingProblem) -> Solution:
    """The fallback: ``solve_rule(problem, "greedy")``."""
    return solve_rule(problem, "greedy")


def solve_rule(
    problem: ChargingProblem, rule: str, *, arrival: Floats | None = None, n_steps: int | None = None
) -> Solution:
    """A plan by a rule. ``arrival`` (S,) orders sessions by their coming (default: as they stand).

    ``n_steps`` stops after so many steps (the rest stays zero): rules do not look ahead, so the first step alone is
    what a controller needs. Status is ``RULE_BASED``. Raises ``SolverError`` for an unknown rule.
    """
    if rule not in RULES:
        raise SolverError(f"rule {rule!r} is unknown; known rules: {', '.join(RULES)}")
    started_s = perf_counter()
    last, known = problem.n_steps if n_steps is None else min(n_steps, problem.n_steps), entries(problem.row_coef)
    power = _walk(problem, RULES[rule], arrival, last, known)
    imported, exported, curtailed = balance(problem, power)
    quiet = np.zeros((0, problem.n_steps))
    found = Solution(
        status=Status.RULE_BASED,
        has_values=True,
        power_kw=power,
        discharge_kw=np.zeros_like(power),
        import_kw=imported,
        export_kw=exported,
        curtailed_kw=curtailed,
        shortfall_kwh=shortfall(problem, power),
        row_excess=np.zeros((problem.n_rows, problem.n_steps)),
        excess_kw=excess(problem),
        objective_money=float("nan"),
        engine=rule,
        battery_kw=quiet,
        stored_kwh=stored(problem, power, np.zeros_like(power)),
        solve_s=perf_counter() - started_s,
    )
    if rule == "uncontrolled":
        return found
    held = scaled_into(problem, found, known)
    if held is found.power_kw:
        return found
    imported, exported, curtailed = balance(problem, held)
    return replace(
        found,
        power_kw=held,
        import_kw=imported,
        export_kw=exported,
        curtailed_kw=curtailed,
        shortfall_kwh=shortfall(problem, held),
    )


def _walk(problem: ChargingProblem, rule: Rule, arrival: Floats | None, n_steps: int, known: Entries) -> Floats:
    n_sessions = problem.n_sessions
    power = np.zeros((n_sessions, problem.n_steps))
    left_kwh = np.maximum(np.minimum(problem.need_kwh, problem.room_kwh), 0.0)
    full_kwh = (problem.power_max_kw * problem.step_h) * problem.efficiency[:, None]
    reachable = np.cumsum(full_kwh[:, ::-1], axis=1)[:, ::-1]
    fastest = np.maximum(problem.power_max_kw.max(axis=1, initial=0.0) * problem.efficiency, SMALL_KW)
    stored_kwh = problem.tracked.stored_kwh if problem.tracked is not None else np.zeros(0)
    any_power = problem.power_max_kw > 0
    deadline = np.where(any_power.any(axis=1), problem.n_steps - 1 - np.argmax(any_power[:, ::-1], axis=1), -1)
    net = problem.base_kw - problem.pv_kw
    phasors, slots = problem.phasors, row_slots(problem.row_coef, known)
    for t in range(n_steps):
        hours = float(problem.step_h[t])
        wish = np.minimum(problem.power_max_kw[:, t], left_kwh / (problem.efficiency * hours))
        if problem.tracked is not None:
            _taper(problem, wish, stored_kwh, hours)
        if not (wish > SMALL_KW).any():
            continue
        step = Step(
            wish_kw=wish,
            left_kwh=left_kwh,
            laxity_h=(reachable[:, t] - left_kwh) / fastest,
            deadline=deadline,
            arrival=np.arange(n_sessions, dtype=np.float64) if arrival is None else arrival,
            problem=problem,
            room=problem.row_limit[:, t].copy(),
            site_kw=max(float(problem.import_limit_kw[t] - net[t]), 0.0),
            current_a=phasors.base_a[:, t].copy() if phasors is not None else np.zeros(0, dtype=complex),
            allowed_a=phasors.allowed_a()[:, t] if phasors is not None else np.zeros(0),
            slots=slots,
        )
        given = rule(step)
        power[:, t] = given
        left_kwh = np.maximum(left_kwh - problem.efficiency * given * hours, 0.0)
        if problem.tracked is not None:
            stored_kwh = stored_kwh + (problem.efficiency * given * hours)[problem.tracked.session]
    return power


def _taper(problem: ChargingProblem, wish_kw: Floats, stored_kwh: Floats, hours: float) -> None:
    """Lower the wishes of tracked sessions to what their curves allow at the middle of the step."""
    tracked = problem.tracked
    assert tracked is not None  # noqa: S101 the caller looks
    gain = tracked.taper_per_kwh * (problem.efficiency[tracked.session] * hours / 2.0)[:, None]
    curve = (tracked.taper_kw - tracked.taper_per_kwh * stored_kwh[:, None]) / (1.0 + gain)
    most = np.maximum(curve.min(axis=1, initial=np.inf), 0.0)
    wish_kw[tracked.session] = np.minimum(wish_kw[tracked.session], most)
