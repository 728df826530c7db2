"""Upper bounds with a source and a validity, and the algebra that finds the tightest one."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from loadmgr.domain.ids import LimitId, NodeId
from loadmgr.errors import SiteModelError


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
    kind: LimitKind = LimitKind.HARD
    from_at: datetime | None = None
    until_at: datetime | None = None

    def __post_init__(self) -> None:
        if self.current_a is None and self.power_kw is None:
            raise SiteModelError(f"limit from {self.source!r} at node {self.node!r} bounds nothing")
        for name, value in (("current_a", self.current_a), ("power_kw", self.power_kw)):
            if value is not None and not 0.0 <= value < float("inf"):
                raise SiteModelError(
                    f"limit from {self.source!r} at node {self.node!r}: {name} = {value} must be finite and >= 0"
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


def tightest(limits: Iterable[Limit], at: datetime | None) -> Tightest:
    """The tightest hard limit in force at ``at`` (``None``: only limits without a validity), A and kW apart [D07]."""
    current: tuple[float, str] | None = None
    power: tuple[float, str] | None = None
    for limit in limits:
        if limit.kind is not LimitKind.HARD:
            continue
        if at is None and (limit.from_at is not None or limit.until_at is not None):
            continue
        if at is not None and not limit.holds_at(at):
            continue
        if limit.current_a is not None and (current is None or limit.current_a < current[0]):
            current = (limit.current_a, limit.source)
        if limit.power_kw is not None and (power is None or limit.power_kw < power[0]):
            power = (limit.power_kw, limit.source)
    return Tightest(
        current_a=None if current is None else current[0],
        current_source="" if current is None else current[1],
        power_kw=None if power is None else power[0],
        power_source="" if power is None else power[1],
    )
