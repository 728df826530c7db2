"""A charging session and what its driver wants."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from loadmgr.domain.ids import EvseId, SessionId
from loadmgr.domain.samples import Measured

PRIORITY_MIN = 0.1
PRIORITY_MAX = 10.0
ENERGY_MAX_KWH = 200.0
"""A request above this is nonsense for a road car [A-124]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionIntent:
    """What the driver, the CSMS or a default asks for. ``None`` is 'nobody said'.

    ``energy_kwh`` counts from the start of the session. ``priority`` weighs a shortfall; 1 is normal.
    """

    energy_kwh: float | None = None
    depart_at: datetime | None = None
    priority: float = 1.0
    source: str = "default"
    capacity_kwh: float | None = None
    """Usable capacity of the car's battery; with a state of charge it makes stored energy known."""
    soc_target_frac: float | None = None
    """State of charge wanted at the departure; where the present one is known it counts before ``energy_kwh``."""
    may_discharge: bool = False
    """The driver's contract lets the site draw from the car (V2G)."""
    reserve_frac: float = 0.3
    """Part of the capacity that the driver keeps whatever is paid."""
    limit_kwh: float | None = None
    """When the session has drawn this much we pause it; so with the three limits below."""
    limit_until: datetime | None = None
    limit_soc_frac: float | None = None
    limit_cost: float | None = None
    """Money, at ``price_per_kwh``; without a price it bounds nothing."""
    price_per_kwh: float | None = None
    notify_soc: tuple[int, ...] = ()
    """Percents of the battery that are reported as milestones."""

    @property
    def most_kwh(self) -> float | None:
        """The energy at which we pause the session, by its limits of energy and cost."""
        found = [] if self.limit_kwh is None else [self.limit_kwh]
        if self.limit_cost is not None and self.price_per_kwh is not None and self.price_per_kwh > 0.0:
            found.append(self.limit_cost / self.price_per_kwh)
        return min(found) if found else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """A transaction at an EVSE, keyed (station, EVSE, start) [D-40]; ``transaction`` is the protocol's own id.

    ``energy_kwh`` is register minus start register, monotone; ``n_phases`` is what the car was seen to use, or
    ``None`` until it has charged long enough [D-42]. ``car_max_a`` is the cable's or car's own bound where known.
    """

    id: SessionId
    evse: EvseId
    transaction: str
    started_at: datetime
    id_tag: str = ""
    meter_start_kwh: float = 0.0
    register_kwh: float = 0.0
    is_register_known: bool = True
    """False until a station that did not say its register at the start says it; then energy counts from there."""
    register_before_kwh: float | None = None
    """Reading before a drop or a jump of the register that may be a glitch."""
    energy_kwh: float = 0.0
    estimated_kwh: float = 0.0
    """Part of ``energy_kwh`` that no register has told yet [C.4]."""
    anomalies: tuple[str, ...] = ()
    """What the register did (rule C.5): ``reset``, ``glitch``, ``jump``, ``exchanged``."""
    intent: SessionIntent = SessionIntent()
    n_phases: int | None = None
    car_max_a: float | None = None
    soc_frac: float | None = None
    """State of charge that the car last told."""
    soc_at_kwh: float = 0.0
    """``energy_kwh`` when it told it."""
    transfer: str = ""
    """Energy transfer that the car asked for, e.g. ``AC_BPT``; empty: it never said."""
    mode: str = ""
    """2.1: operation mode that the station reports; empty: it never did."""
    car_min_a: float | None = None
    car_max_kw: float | None = None
    car_discharge_kw: float | None = None
    """Bounds that the car stated."""
    bound_kwh: float | None = None
    """The station ends the session at this energy, whatever the driver wants [D-26]."""
    bound_until: datetime | None = None
    bound_soc_frac: float | None = None
    has_priority: bool = False
    """Priority charging is active (K21, K22)."""
    is_held: bool = False
    """The station holds the session at a limit that it enforces; a higher offer would not help [D-26]."""
    idle_since: datetime | None = None
    """Since when the car has not drawn; ``None`` while it draws or nobody knows."""
    milestones: tuple[str, ...] = ()
    """Milestones that were reported."""
    ended_at: datetime | None = None
    end_reason: str = ""


RESET_KWH = 0.0015
"""A register that falls by more than this was reset or exchanged; less is rounding."""
DRAWING_A, DRAWING_KW = 1.0, 0.2
"""A car below both does not draw [C-4, C-26]."""


def session_energy(session: Session, register_kwh: float, anomaly: str = "") -> Session:
    """The session after a new reading of its energy register: energy only grows [P3].

    A lower reading is a reset or a glitch, one beyond what can have been drawn (``impossible``) an exchanged meter or a
    glitch; the next one tells which (domain rule C.5). If it is back where it was only the rise above the old level
    counts; else a new segment has begun and what it has grown counts.
    """
    if not session.is_register_known:
        return replace(
            session, meter_start_kwh=register_kwh, register_kwh=register_kwh, is_register_known=True, estimated_kwh=0.0
        )
    if session.estimated_kwh > 0.0:  # the register knows better
        session = replace(session, energy_kwh=max(session.energy_kwh - session.estimated_kwh, 0.0), estimated_kwh=0.0)
    if register_kwh < session.register_kwh:
        return _fallen(session, register_kwh)
    before_kwh, last_kwh = session.register_before_kwh, session.register_kwh
    if anomaly == "impossible":
        held_kwh = last_kwh if before_kwh is None else before_kwh
        return replace(session, register_kwh=register_kwh, register_before_kwh=held_kwh)
    gained_kwh, what = register_kwh - last_kwh, anomaly
    if before_kwh is not None and before_kwh < last_kwh:
        what = "exchanged"
    elif before_kwh is not None and register_kwh >= before_kwh:
        gained_kwh, what = register_kwh - before_kwh, "glitch"
    elif before_kwh is not None:
        what = "reset"
    is_settled = before_kwh is not None and register_kwh > last_kwh
    return replace(
        session,
        register_kwh=register_kwh,
        register_before_kwh=None if is_settled else before_kwh,
        energy_kwh=session.energy_kwh + gained_kwh,
        anomalies=_noted(session, what if is_settled or what == "jump" else ""),
    )


def _fallen(session: Session, register_kwh: float) -> Session:
    before_kwh, last_kwh = session.register_before_kwh, session.register_kwh
    if last_kwh - register_kwh <= RESET_KWH:
        return session
    if before_kwh is None or before_kwh > last_kwh:
        return replace(session, register_kwh=register_kwh, register_before_kwh=max(last_kwh, before_kwh or 0.0))
    if register_kwh < before_kwh - RESET_KWH:  # neither the jump nor the old level: a new segment
        return replace(session, register_kwh=register_kwh)
    gained_kwh = max(register_kwh - before_kwh, 0.0)
    return replace(
        session,
        register_kwh=max(register_kwh, before_kwh),
        register_before_kwh=None,
        energy_kwh=session.energy_kwh + gained_kwh,
        anomalies=_noted(session, "glitch"),
    )


def _noted(session: Session, anomaly: str) -> tuple[str, ...]:
    return session.anomalies if not anomaly or anomaly in session.anomalies else (*session.anomalies, anomaly)


def metered(session: Session, measured: Measured, at: datetime) -> Session:
    """The session after a live sample of its meter; the same object when it says nothing new."""
    changed = session
    if measured.energy_kwh is not None:
        changed = session_energy(changed, measured.energy_kwh, measured.anomaly)
    elif measured.estimated_kwh is not None and changed.energy_kwh <= changed.estimated_kwh < measured.estimated_kwh:
        changed = replace(changed, energy_kwh=measured.estimated_kwh, estimated_kwh=measured.estimated_kwh)
    if measured.soc_frac is not None:
        changed = replace(changed, soc_frac=measured.soc_frac, soc_at_kwh=changed.energy_kwh)
    return _idle(changed, measured, at)


def _idle(session: Session, measured: Measured, at: datetime) -> Session:
    """Note since when the car does not draw [C-26]."""
    if measured.current_a is None and measured.power_kw is None:
        return session
    current_a = max(abs(a) for a in measured.current_a) if measured.current_a is not None else 0.0
    if current_a >= DRAWING_A or abs(measured.power_kw or 0.0) >= DRAWING_KW:
        return session if session.idle_since is None else replace(session, idle_since=None)
    return session if session.idle_since is not None else replace(session, idle_since=at)
