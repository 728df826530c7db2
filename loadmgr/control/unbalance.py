"""Unbalance: how much more current one line conductor may carry than another, A [F-30].

A row per node and ordered pair of lines, beside those of the tree. As everywhere in the guard, any car may draw less than
it may: what counts on "L1 over L2" is everything that can flow on L1 without as much on L2, and nothing of ours on L2
makes room, because it can stop. Cars on three phases load all lines alike and do not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from loadmgr.control import phase_map
from loadmgr.control.rows import Age, Row, Uncontrolled
from loadmgr.control.site_state import SiteState
from loadmgr.domain.ids import NodeId
from loadmgr.domain.limits import Tightest, tightest

if TYPE_CHECKING:
    from loadmgr.control.guard import Lane

PAIRS = tuple((i, j) for i in range(3) for j in range(3) if i != j)

Draws = tuple[tuple[int, ...], ...]
"""Sets of lines that a car can load alike; any of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PairRow:
    """The lines of ``pair`` must not differ by more than the row's limit: the first over the second."""

    row: Row
    pair: tuple[int, int]


def pair_rows(state: SiteState, at: datetime) -> Iterator[PairRow]:
    """The rows of every unbalance limit that holds at ``at``."""
    timed = [x for x in state.limits.values() if x.unbalance_a is not None]
    for node in state.site.nodes.values():
        if any(x.unbalance_a is not None for x in node.limits) or any(x.node == node.id for x in timed):
            yield from _of(node.id, tightest((*node.limits, *(x for x in timed if x.node == node.id)), at))


def _of(node: NodeId, bound: Tightest) -> Iterator[PairRow]:
    if bound.unbalance_a is None:
        return
    for i, j in PAIRS:
        row = Row(node=node, phase=i, over=j, limit=bound.unbalance_a, source=bound.unbalance_source, is_static=False)
        yield PairRow(row=row, pair=(i, j))


def name(node: NodeId, pair: tuple[int, int]) -> str:
    """For people: ``grid/L1-L2``."""
    return Row(node=node, phase=pair[0], over=pair[1], limit=0.0, source="", is_static=False).name


def base_a(known: Uncontrolled, pair: tuple[int, int]) -> float:
    """How much more of the uncontrolled load is on the first line; with no trustworthy meter the second counts as empty."""
    (i, j), load = pair, known.load[0]
    return load[i] - load[j] if known.age < Age.STALE else max(load[i], 0.0)


def draws(state: SiteState, lane: Lane) -> Draws:
    """On which lines the car of a lane can draw alike: one set where it is known, else every set that is possible."""
    evse, session = lane.evse, lane.session
    if evse.is_line_to_line or (session is not None and session.n_phases is not None):
        used = [lane.n_used]
    else:
        used = list(range(1, evse.caps.n_phases + 1))
    found: list[tuple[int, ...]] = []
    for n_used in used:
        lines = phase_map.worst_phases(state, evse, n_used)
        n_alike = 2 if evse.is_line_to_line else n_used
        found += [lines] if len(lines) == n_alike else [(line,) for line in lines]
    return tuple(found)


def counts(on: Draws, pair: tuple[int, int]) -> bool:
    """Can a car load the first line of the pair without the second?"""
    i, j = pair
    return any(i in lines and j not in lines for lines in on)
