"""Upper bounds with a source and a validity, and the algebra that finds the tightest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loadmgr.domain.ids import LimitId, NodeId
from loadmgr.errors import SiteModelError

BOUNDS = ("current_a", "power_kw", "export_kw", "discharge_kw", "unbalance_a")


class LimitKind(StrEnum):
    """Physics is HARD. Wishes are SOFT: the optimiser may exceed them at a price."""

    HARD = "hard"
    SOFT = "soft"


@dataclass(frozen=True, slots=True, kw_only=True)
class Limit:
    """An upper bound at a node. ``None`` means 'no statement', never 'zero'.

    ``from_at`` and ``until_at`` are aware UTC times; the limit holds when ``from_at <= now < until_at``.
    Raises ``SiteModelError`` for a limit that bounds nothing, is negative, or ends before it begins.
    """

    id: LimitId
    node: NodeId
    source: str
    current_a: float | None = None
    power_kw: float | None = None
    export_kw: float | None = None
    """Most power that may flow back towards the grid at the node."""
    discharge_kw: float | None = None
    """Most power that cars and batteries at or below the node may deliver together, net of what others of them draw."""
    unbalance_a: float | None = None
    """Most by which the currents of any two line conductors of the node may differ [F-30]."""
    kind: LimitKind = LimitKind.HARD
    from_at: datetime | None = None
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        bounds = {name: getattr(self, name) for name in BOUNDS}
        if all(value is None for value in bounds.values()):
            raise SiteModelError(f"limit from {self.source!r} at node {self.node!r} bounds nothing")
        for name, value in bounds.items():
            if value is not None and not 0.0 <= value < float("inf"):
                raise SiteModelError(
                    f"limit from {self.source!r} at node {self.node!r}: {name} = {value} must be finite and >= 0"
                )
        if self.kind is LimitKind.SOFT and self.unbalance_a is not None:
            raise SiteModelError(
                f"limit from {self.source!r} at node {self.node!r}: unbalance_a cannot be soft; leave it out or make it hard"
            )
        if self.from_at is not None and self.until_at is not None and self.until_at <= self.from_at:
            raise SiteModelError(
                f"limit from {self.source!r} at node {self.node!r} ends at {self.until_at} before it begins"
            )

    def holds_at(self, at: datetime) -> bool:
        """True when the limit is in force at ``at``."""
        if self.from_at is not None and at < self.from_at:
            return False
        return self.until_at is None or at < self.until_at


@dataclass(frozen=True, slots=True, kw_only=True)
class Tightest:
    """The lowest bound per kind of quantity with the limit that gives it; ``None`` where nobody states one."""

    current_a: float | None = None
    current_source: str = ""
    power_kw: float | None = None
    power_source: str = ""
    export_kw: float | None = None
    export_source: str = ""
    discharge_kw: float | None = None
    discharge_source: str = ""
    unbalance_a: float | None = None
    unbalance_source: str = ""


def tightest(limits: Iterable[Limit], at: datetime | None) -> Tightest:
    """The tightest hard limit in force at ``at`` (``None``: only limits without a validity), each quantity apart [D07]."""
    found: dict[str, tuple[float, str]] = {}
    for limit in limits:
        if limit.kind is not LimitKind.HARD:
            continue
        if at is None and (limit.from_at is not None or limit.until_at is not None):
            continue
        if at is not None and not limit.holds_at(at):
            continue
        for name in BOUNDS:
            value = getattr(limit, name)
            if value is not None and (name not in found or value < found[name][0]):
                found[name] = (value, limit.source)
    current, power, export, discharge, unbalance = (found.get(name, (None, "")) for name in BOUNDS)
    return Tightest(
        current_a=current[0],
        current_source=current[1],
        power_kw=power[0],
        power_source=power[1],
        export_kw=export[0],
        export_source=export[1],
        discharge_kw=discharge[0],
        discharge_source=discharge[1],
        unbalance_a=unbalance[0],
        unbalance_source=unbalance[1],
    )
