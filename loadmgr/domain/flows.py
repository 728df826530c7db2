"""Currents as they are: what flows through every node when loads are known with their angles. The truth to judge by.

Independent of the guard's tables: loads are added node by node from the leaves up, and turned by each transformer.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from loadmgr.domain import phasors
from loadmgr.domain.ids import NodeId
from loadmgr.domain.network import NodeModel
from loadmgr.domain.phasors import NOTHING, Lines
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.site import PAIRS, UNKNOWN_PAIR, Evse, GridNode, Site

Load = tuple[PerPhase, float]
"""(A on L1..L3, kW), import positive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """The load below a node: phasors, magnitudes added as numbers, and kW; import positive."""

    lines: Lines
    sums: PerPhase
    power_kw: float

    @property
    def measured(self) -> Load:
        """What a meter there tells."""
        return phasors.signed(self.lines), self.power_kw


def evse_lines(evse: Evse, current_a: PerPhase) -> Lines:
    """Measured A on L1..L3 of an EVSE as phasors; one of unknown rotation stands between lines and neutral."""
    if evse.rotation in PAIRS:
        first, second = PAIRS[evse.rotation]
        return phasors.times(phasors.between(first, second), current_a[first])
    return _neutral(current_a)


def _neutral(current_a: PerPhase) -> Lines:
    found = NOTHING
    for line, amperes in enumerate(current_a):
        found = phasors.plus(found, phasors.times(phasors.to_neutral(line), amperes))
    return found


def node_flows(site: Site, draws: Iterable[tuple[Evse, Load]], base: Mapping[NodeId, Load]) -> dict[NodeId, Flow]:
    """What flows through every node: EVSEs with their loads, and the other load directly at each node."""
    found = dict.fromkeys(site.nodes, Flow(lines=NOTHING, sums=(0.0, 0.0, 0.0), power_kw=0.0))
    for node, (current_a, power_kw) in base.items():
        _add(site, found, site.nodes[node], Flow(lines=_neutral(current_a), sums=current_a, power_kw=power_kw))
    for evse, (current_a, power_kw) in draws:
        own = Flow(lines=evse_lines(evse, current_a), sums=current_a, power_kw=power_kw)
        _add(site, found, site.nodes[evse.node], own)
    return found


def _add(site: Site, found: dict[NodeId, Flow], at: GridNode, flow: Flow) -> None:
    for node in site.path(at.id):
        known = found[node.id]
        a, b = known.sums, flow.sums
        found[node.id] = Flow(
            lines=phasors.plus(known.lines, flow.lines),
            sums=(a[0] + b[0], a[1] + b[1], a[2] + b[2]),
            power_kw=known.power_kw + flow.power_kw,
        )
        if node.transformer is not None:
            ratio = node.transformer.ratio
            flow = Flow(
                lines=phasors.primary(flow.lines, ratio),
                sums=phasors.primary_sum(flow.sums, ratio),
                power_kw=flow.power_kw,
            )


def in_phase(site: Site, evse: Evse, current_a: PerPhase, node: NodeId) -> PerPhase:
    """The part of an EVSE's line currents at a node that is in phase with the lines: what its power is.

    A meter there that tells M sees a load in phase of at most M less that part, since |b + z| >= b + Re(z). An EVSE
    between two lines that are not known takes part in no line for certain.
    """
    if evse.rotation == UNKNOWN_PAIR:
        return 0.0, 0.0, 0.0
    lines = evse_lines(evse, current_a)
    for at in site.path(evse.node):
        if at.id == node:
            break
        if at.transformer is not None:
            lines = phasors.primary(lines, at.transformer.ratio)
    a, b, c = phasors.relative(lines)
    return a.real, b.real, c.real


def judged(site: Site, flows: Mapping[NodeId, Flow]) -> dict[NodeId, tuple[Lines, float]]:
    """Flows as ``guard.violations`` wants them: phasors, and where a node adds as numbers the sum, if that is more."""
    found: dict[NodeId, tuple[Lines, float]] = {}
    for node, flow in flows.items():
        lines: Lines = flow.lines
        if site.nodes[node].model is NodeModel.SUM:
            a, b, c = (x if abs(x) >= abs(y) else y for x, y in zip(flow.sums, lines, strict=True))
            lines = a, b, c
        found[node] = lines, flow.power_kw
    return found
