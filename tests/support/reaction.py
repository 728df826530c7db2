"""Overloads judged by the reaction times that protection devices bear (domain rule F.5).

An overload may last as long as a breaker or fuse holds it: the table gives, for a load above a multiple of the limit,
the longest time without a break above that multiple.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from loadmgr.domain.ids import NodeId
from loadmgr.domain.limits import Limit, tightest
from loadmgr.domain.site import PHASES, Site
from loadmgr.sim.world import Moment

BACK_WITHIN_S = ((1.0, 120.0), (1.05, 60.0), (1.13, 30.0), (1.45, 15.0), (2.0, 10.0))
"""(multiple of the limit, longest time above it in s)."""

NOISE_FRAC = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Overload:
    """A load above ``multiple`` times a limit, from ``at`` for ``lasted_s``, at most ``peak`` times the limit."""

    node: NodeId
    where: str
    multiple: float
    at: datetime
    lasted_s: float
    peak: float

    def __str__(self) -> str:
        return (
            f"{self.where} above {self.multiple:g}x for {self.lasted_s:.0f} s from {self.at:%H:%M:%S}, peak {self.peak:.2f}x"
        )


def overloads(site: Site, moments: Sequence[Moment], limits: Iterable[Limit] = ()) -> list[Overload]:
    """Every overload that lasted longer than the table allows; each moment holds until the next."""
    extra = tuple(limits)
    return [o for node in site.nodes for o in _at_node(site, node, moments, extra)]


def _at_node(site: Site, node: NodeId, moments: Sequence[Moment], extra: Sequence[Limit]) -> Iterator[Overload]:
    own = [*site.nodes[node].limits, *(x for x in extra if x.node == node)]
    for name, ratios in _ratios(own, node, moments).items():
        for multiple, most_s in BACK_WITHIN_S:
            for begin, end, peak in _spells(ratios, multiple):
                lasted_s = (end - begin).total_seconds()
                if lasted_s > most_s:
                    where = f"{node}/{name}"
                    yield Overload(node=node, where=where, multiple=multiple, at=begin, lasted_s=lasted_s, peak=peak)


def _ratios(own: Sequence[Limit], node: NodeId, moments: Sequence[Moment]) -> dict[str, list[tuple[datetime, float]]]:
    """Load over limit at every moment, per phase and for the power in both directions."""
    found: dict[str, list[tuple[datetime, float]]] = {}
    for moment in moments:
        bound = tightest(own, moment.at)
        current_a, power_kw = moment.loads[node]
        if bound.current_a is not None:
            for phase, value in zip(PHASES, current_a, strict=True):
                found.setdefault(phase, []).append((moment.at, _ratio(abs(value), bound.current_a)))
        if bound.power_kw is not None:
            found.setdefault("kW", []).append((moment.at, _ratio(power_kw, bound.power_kw)))
        if bound.export_kw is not None:
            found.setdefault("export", []).append((moment.at, _ratio(-power_kw, bound.export_kw)))
        if bound.unbalance_a is not None:
            sizes = [x.real for x in current_a]
            found.setdefault("unbalance", []).append((moment.at, _ratio(max(sizes) - min(sizes), bound.unbalance_a)))
    return found


def _ratio(value: float, limit: float) -> float:
    if value <= limit * (1.0 + NOISE_FRAC) + NOISE_FRAC:
        return 0.0
    return value / limit if limit > 0.0 else float("inf")


def _spells(ratios: Sequence[tuple[datetime, float]], multiple: float) -> Iterator[tuple[datetime, datetime, float]]:
    """(begin, end, peak) of the times without a break above a multiple."""
    begin: datetime | None = None
    peak = 0.0
    for at, ratio in ratios:
        if ratio > multiple:
            begin = begin or at
            peak = max(peak, ratio)
        elif begin is not None:
            yield begin, at, peak
            begin, peak = None, 0.0
    if begin is not None:
        yield begin, ratios[-1][0], peak
