"""Why the plan is as it is: what binds each session in each step, what full rows are worth, what cures a shortfall.

Names are those of limit rows (``pod-a/L1``) or the words of ``Binding``: ``evse``, ``energy``, ``price``. Prices come
from the solver's duals; where the optimum is degenerate a full row may have none, and then only its name is given.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from loadmgr.control.capacity import CapacityRow
from loadmgr.control.formulate import magnitude_rows, used_rows
from loadmgr.control.snapshot import Snapshot
from loadmgr.domain.ids import SessionId
from loadmgr.domain.plan import Binding, Receipt, RowWorth, Why
from solvers import ChargingProblem, Solution
from solvers.check import used_rows as used_of_rows
from solvers.costs import comfort_price

Floats = NDArray[np.float64]

TIGHT_FRAC = 1e-4
SMALL_KW = 1e-3
LACK_KWH = 0.05
"""Less is not worth a receipt."""

EVSE, PRICE, ENERGY = "evse", "price", "energy"


def _prices(solution: Solution) -> Floats | None:
    """(R + Q, T) prices of rows and of limits on magnitudes."""
    if solution.prices is None:
        return None
    return np.concatenate([solution.prices.row_per_unit_h, solution.prices.phasor_per_unit_h])


def _linear(problem: ChargingProblem, solution: Solution) -> tuple[Floats, Floats, Floats]:
    """Rows, and behind them limits on magnitudes as rows in the direction in which each current stands in the plan.

    Coefficients (R + Q, S, T or 1), used and limit (R + Q, T).
    """
    rows, used, limit = problem.row_coef[:, :, None], used_of_rows(problem, solution), problem.row_limit
    phasors = problem.phasors
    if phasors is None:
        return rows, used, limit
    current = phasors.base_a + phasors.coef @ solution.net_kw
    size = np.abs(current)
    back = np.divide(current.conjugate(), size, out=np.zeros_like(current), where=size > 0.0)
    turned = (phasors.coef[:, :, None] * back[:, None, :]).real
    wide = np.broadcast_to(rows, (*rows.shape[:2], problem.n_steps))
    return (
        np.concatenate([wide, turned]),
        np.concatenate([used, size]),
        np.concatenate([limit, phasors.limit_a * phasors.shrink]),
    )


class Explanation:
    """Explains one solution; ``bindings``, ``whys``, ``worth`` and ``receipts`` are for the plan."""

    def __init__(self, snapshot: Snapshot, problem: ChargingProblem, solution: Solution) -> None:
        self._snapshot, self._problem, self._solution = snapshot, problem, solution
        self._rows: list[CapacityRow] = [*used_rows(snapshot), *magnitude_rows(snapshot)]
        self._prices = _prices(solution)
        self._coef, self._used, self._limit = _linear(problem, solution)
        self._least_price = comfort_price(problem)  # below it a price only tells the preference for sooner
        self._full: NDArray[np.bool_] = self._used >= self._limit - np.maximum(TIGHT_FRAC * self._limit, SMALL_KW)
        self._codes = self._binding_codes()

    def _binding_codes(self) -> NDArray[np.int64]:
        """(S, T) number of the binding row, or −1 evse, −2 price, −3 energy, −4 not plugged in."""
        problem, solution = self._problem, self._solution
        most = problem.power_max_kw
        codes = np.where(solution.power_kw >= most - SMALL_KW, -1, -2)
        if len(self._rows):
            weight = self._weights()
            best = weight.argmax(axis=0)
            found = np.take_along_axis(weight, best[None], axis=0)[0] > 0
            codes = np.where((codes == -2) & found, best, codes)
        stored = np.cumsum(solution.power_kw * problem.step_h, axis=1) * problem.efficiency[:, None]
        done = (stored >= problem.need_kwh[:, None] - SMALL_KW) & (solution.discharge_kw <= SMALL_KW)
        codes = np.where((codes == -2) & done, -3, codes)
        return np.where(most > 0, codes, -4)

    def _weights(self) -> Floats:
        """(R, S, T) how much a full row binds a session: its price times the coefficient, tighter rows first on a tie."""
        coef = np.maximum(self._coef, 0.0)
        price = self._prices[:, None, :] if self._prices is not None else 0.0
        tight = 1e-9 / (1.0 + self._limit[:, None, :])
        found: Floats = np.where(self._full[:, None, :] & (coef > 0), coef * price + tight, 0.0)
        return found

    def _named(self, code: int) -> tuple[str, str]:
        if code >= 0:
            return self._rows[code].name, self._rows[code].source
        return {-1: EVSE, -2: PRICE, -3: ENERGY}.get(code, "none"), ""

    def _coef_of(self, r: int, s: int, steps: slice | NDArray[np.bool_]) -> float:
        """What a kW of a session adds to a row in some steps."""
        return float(self._coef[r, s, steps].mean() if self._coef.shape[2] > 1 else self._coef[r, s, 0])

    def bindings(self) -> tuple[Binding, ...]:
        """Why each session gets no more in the first step."""
        found = []
        for s, need in enumerate(self._snapshot.needs):
            name, source = self._named(int(self._codes[s, 0]))
            found.append(Binding(session=need.session.id, name=name, source=source))
        return tuple(found)

    def whys(self) -> tuple[Why, ...]:
        """What binds each session, as runs of steps while it is plugged in."""
        return tuple(why for s in range(len(self._snapshot.needs)) for why in self._runs_of(s))

    def _runs_of(self, s: int) -> Iterator[Why]:
        codes = self._codes[s]
        edges = [0, *(np.nonzero(np.diff(codes))[0] + 1).tolist(), codes.size]
        for begin, end in zip(edges, edges[1:], strict=False):
            code = int(codes[begin])
            if code == -4:
                continue
            name, source = self._named(code)
            price = None
            if code >= 0 and self._prices is not None:
                value = float(self._prices[code, begin:end].mean() * self._coef_of(code, s, slice(begin, end)))
                price = round(value, 6) if value > self._least_price else None
            yield Why(
                session=self._snapshot.needs[s].session.id,
                from_step=begin,
                until_step=end,
                name=name,
                source=source,
                price_per_kwh=price,
            )

    def worth(self) -> tuple[RowWorth, ...]:
        """Full rows that have a price, as runs of steps with the same price."""
        return tuple(found for r in range(len(self._rows)) for found in self._worth_of(r))

    def _worth_of(self, r: int) -> Iterator[RowWorth]:
        if self._prices is None:
            return
        prices = np.round(self._prices[r], 6)
        edges = [0, *(np.nonzero(np.diff(prices))[0] + 1).tolist(), prices.size]
        for begin, end in zip(edges, edges[1:], strict=False):
            if prices[begin] > self._least_price:
                yield RowWorth(
                    name=self._rows[r].name,
                    source=self._rows[r].source,
                    unit="A" if "/L" in self._rows[r].name else "kW",
                    from_step=begin,
                    until_step=end,
                    worth_per_h=float(prices[begin]),
                )

    def receipts(self) -> tuple[Receipt, ...]:
        """One for each session that will lack energy at its departure."""
        lacking = self._solution.shortfall_kwh
        return tuple(self._receipt(s, float(lacking[s])) for s in np.nonzero(lacking > LACK_KWH)[0].tolist())

    def _receipt(self, s: int, lacking_kwh: float) -> Receipt:
        problem, need = self._problem, self._snapshot.needs[s]
        more_time_s = None
        if need.power_max_kw > 0:
            more_time_s = lacking_kwh / float(problem.efficiency[s]) / need.power_max_kw * 3600.0
        codes = self._codes[s]
        bound = [int(c) for c in np.unique(codes[codes >= 0])]
        if not bound:
            return Receipt(session=need.session.id, lacking_kwh=round(lacking_kwh, 3), reason=EVSE, more_time_s=more_time_s)
        hours_of = {r: float(problem.step_h[codes == r].sum()) for r in bound}
        r = max(bound, key=lambda row: hours_of[row])
        row = self._rows[r]
        more = lacking_kwh / float(problem.efficiency[s]) / hours_of[r] * self._coef_of(r, s, codes == r)
        return Receipt(
            session=need.session.id,
            lacking_kwh=round(lacking_kwh, 3),
            reason=row.name,
            source=row.source,
            more_time_s=more_time_s,
            more_limit=round(more, 3),
            limit_unit="A" if "/L" in row.name else "kW",
            instead_of=self._instead_of(s, r),
        )

    def _instead_of(self, s: int, r: int) -> SessionId | None:
        """Who gets most in the row while rows bind this session, at no higher priority and without lacking itself."""
        problem = self._problem
        steps = self._codes[s] >= 0  # rows that are full together share what binds at random
        coef = self._coef[r][:, steps].mean(axis=1) if self._coef.shape[2] > 1 else self._coef[r, :, 0]
        taken = coef * (self._solution.power_kw[:, steps] @ problem.step_h[steps])
        may = (problem.priority <= problem.priority[s]) & (self._solution.shortfall_kwh <= LACK_KWH)
        taken = np.where(may, taken, 0.0)
        taken[s] = 0.0
        best = int(taken.argmax())
        return self._snapshot.needs[best].session.id if taken[best] > LACK_KWH else None
