"""What an EVSE offers beside what it was told: its own cap and its coarse steps (quirks G-18, G-33).

Pure: orders and samples in, findings out. A cap counts when it was the same in several sessions, because a cable or a car
can have one as well; where the EVSE does not tell what it offers, only the draw of several different cars counts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from loadmgr.domain.samples import Measured
from loadmgr.ocpp.detect import Finding

SETTLED = timedelta(seconds=15)
"""So long after an order was accepted its effect can be seen."""
STEPS_SEEN = 5
"""So many different orders between whole amperes must be offered as whole ones [G-18]."""
HIGHER_A = 1.0
"""An order so far above what is offered or drawn is not followed."""
SAME_A = 0.5
"""What is offered or drawn is the same within this."""
ORDERS_HIGHER = 3
CAPPED_FOR = timedelta(seconds=180)
"""So many higher orders over so long in one session show its cap [G-33]."""
SESSIONS_CAPPED, CARS_CAPPED = 2, 3
"""Sessions that must offer the same, or different cars that must draw the same."""
PROOFS_KEPT = 8
LEAST_A = 6.0
"""Below this nothing can be told to a car [A-80], so it is no cap but a pause or a fault."""
EXACT_A = 0.01


@dataclass(slots=True, kw_only=True)
class _Run:
    """The present session: a value that stays below orders."""

    value_a: float = 0.0
    since: datetime | None = None
    orders: set[float] = field(default_factory=set)

    def sees(self, value_a: float, order_a: float, at: datetime) -> float | None:
        """One settled sample; returns the cap that the session has shown by now."""
        is_below = LEAST_A <= value_a <= order_a - HIGHER_A
        if not is_below or self.since is None or abs(value_a - self.value_a) > SAME_A:
            self.value_a, self.since, self.orders = value_a, (at if is_below else None), set()
        if not is_below or self.since is None:
            return None
        self.orders.add(order_a)
        is_shown = len(self.orders) >= ORDERS_HIGHER and at - self.since >= CAPPED_FOR
        return self.value_a if is_shown else None


@dataclass(slots=True, kw_only=True)
class Offers:
    """One EVSE. ``proofs``: the cap by session where it is offered, by id tag where only the draw tells."""

    proofs: dict[str, float] = field(default_factory=dict)
    is_offered: bool = False
    _order: tuple[float, datetime] | None = None
    _who: tuple[str, str] = ("", "")
    _run: _Run = field(default_factory=_Run)
    _whole: set[float] = field(default_factory=set)
    _is_fine: bool = False

    def ordered(self, current_a: float | None, at: datetime) -> None:
        """A setpoint was accepted; ``None``: one that is no plain current."""
        self._order = (current_a, at) if current_a else None

    def began(self, session: str, id_tag: str) -> None:
        """A session begins."""
        self._who, self._run = (session, id_tag), _Run()

    def read(self, measured: Measured, at: datetime) -> tuple[Finding, ...]:
        """A live sample; what it tells of the EVSE's steps. Its cap is ``cap_a``."""
        if self._order is None or at - self._order[1] < SETTLED:
            return ()
        order_a = self._order[0]
        if measured.offered_a is not None and not self.is_offered:
            self.is_offered, self._run = True, _Run()
            self.proofs.clear()
        if self.is_offered:
            if measured.offered_a is None:
                return ()
            self._cap(self._run.sees(measured.offered_a, order_a, at), measured.offered_a, self._who[0])
            return self._step(order_a, measured.offered_a)
        drawn_a = max((abs(a) for a in measured.current_a), default=0.0) if measured.current_a is not None else 0.0
        self._cap(self._run.sees(drawn_a, order_a, at), drawn_a, self._who[1])
        return ()

    def _cap(self, shown_a: float | None, value_a: float, key: str) -> None:
        if any(value_a > cap_a + HIGHER_A for cap_a in self.proofs.values()):
            self.proofs.clear()  # it can do more
        if shown_a is not None and key:
            if any(abs(shown_a - cap_a) > SAME_A for cap_a in self.proofs.values()):
                self.proofs.clear()
            self.proofs[key] = shown_a
            while len(self.proofs) > PROOFS_KEPT:
                del self.proofs[next(iter(self.proofs))]

    def _step(self, order_a: float, offered_a: float) -> tuple[Finding, ...]:
        """Whole amperes only [G-18]: one value between them shows that it can do better."""
        if abs(offered_a - round(offered_a)) > EXACT_A:
            self._is_fine = True
        is_between = abs(order_a - round(order_a)) > EXACT_A
        if self._is_fine or not is_between or offered_a <= 0.0 or abs(offered_a - order_a) >= 1.0:
            return ()
        self._whole.add(order_a)
        if len(self._whole) < STEPS_SEEN:
            return ()
        evidence = f"it offered whole amperes only at {STEPS_SEEN} different setpoints between them"
        return (Finding(trait="current_step_a", value=1.0, evidence=evidence),)

    @property
    def cap_a(self) -> float | None:
        """What it never exceeds, when enough sessions or cars have shown it [G-33].

        A car that was not among those whose draw showed it may draw more.
        """
        if not self.is_offered and self._who[1] not in self.proofs:
            return None
        if len(self.proofs) < (SESSIONS_CAPPED if self.is_offered else CARS_CAPPED):
            return None
        return max(self.proofs.values())


def common_cap(offers: Iterable[Offers | None]) -> tuple[Finding, ...]:
    """The cap of a station: every EVSE of it must have shown one, and the highest counts [G-33]."""
    found = list(offers)
    caps_a = [o.cap_a for o in found if o is not None and o.cap_a is not None]
    if not caps_a or len(caps_a) < len(found):
        return ()
    is_offered = all(o.is_offered for o in found if o is not None)
    how = f"it offered no more in {SESSIONS_CAPPED} sessions" if is_offered else f"{CARS_CAPPED} cars drew no more"
    evidence = f"{how}, each at {ORDERS_HIGHER} higher setpoints for minutes"
    return (Finding(trait="effective_max_a", value=max(caps_a), evidence=evidence),)
