"""How EVSEs load the lines of every node above them, through transformers: the tables behind limits on magnitudes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType
from typing import TYPE_CHECKING

from loadmgr.domain import phasors
from loadmgr.domain.ids import EvseId, NodeId
from loadmgr.domain.phasors import Cut, Lines, Magnitudes
from loadmgr.errors import SiteModelError

if TYPE_CHECKING:
    from loadmgr.domain.site import Evse, GridNode


class NodeModel(StrEnum):
    """How the currents of several loads on one line of a node add up [F.4]."""

    SUM = "sum"
    """As numbers, through transformers too: |a + b| <= |a| + |b| at any angles."""
    LINEAR = "linear"
    """Each EVSE with the magnitude that it puts on the line; magnitudes add as numbers."""
    POLYGON = "polygon"
    """As phasors: the magnitude itself is bounded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Transformer:
    """A delta-wye transformer between a node (the wye) and its parent; ``ratio`` is the parent's voltage / the node's."""

    ratio: float
    kind: str = "delta-wye"

    def __post_init__(self) -> None:
        if self.kind != "delta-wye" or not 0.0 < self.ratio < float("inf"):
            raise SiteModelError(f"transformer {self.kind!r} with ratio {self.ratio}: only delta-wye with a ratio > 0")


@dataclass(frozen=True, slots=True, kw_only=True)
class Wiring:
    """What one ampere per conductor of an EVSE is on the lines of a node.

    ``parts`` has a current (relative to the lines' voltages) for each conductor in the order of the terminals, or for
    every conductor that it may be when the rotation is not known; ``sizes`` the same by magnitudes alone.
    """

    parts: tuple[Lines, ...]
    sizes: tuple[Magnitudes, ...]
    is_known: bool

    def sum(self, line: int, n_used: int) -> float:
        """On a line, added as numbers."""
        found = [size[line] for size in self.sizes]
        return sum(found[:n_used]) if self.is_known else sum(sorted(found, reverse=True)[:n_used])

    def magnitude(self, line: int, n_used: int) -> float:
        """On a line, the largest magnitude with ``n_used`` conductors or fewer."""
        return phasors.most([part[line] for part in self.parts], n_used, is_known=self.is_known)

    def current(self, line: int, n_used: int) -> complex:
        """On a line with every conductor in use; in phase with the line where it is not known which they are."""
        if not self.is_known:
            return complex(self.magnitude(line, n_used))
        return sum((part[line] for part in self.parts[:n_used]), start=0j)


@dataclass(frozen=True, slots=True, kw_only=True)
class Network:
    """Electrical facts of a site's tree that follow from its file."""

    voltages: Mapping[NodeId, float]
    """Nominal voltage between a line and neutral."""
    transformers: Mapping[NodeId, Transformer] = field(default_factory=dict)
    cuts: Mapping[NodeId, tuple[Cut, ...]] = field(default_factory=dict)
    """For the nodes where currents of EVSEs are not all in phase with their lines: what bounds them."""
    wirings: Mapping[tuple[EvseId, NodeId], Wiring] = field(default_factory=dict)
    units: Mapping[tuple[EvseId, NodeId], tuple[tuple[float, ...], ...]] = field(default_factory=dict)
    """By conductors in use (1..): per ampere what an EVSE adds to every cut of a node, in their order."""

    def is_angled(self, node: NodeId) -> bool:
        """True where an EVSE below stands between two lines or behind a transformer: amperes are more than numbers.

        There what flows back makes no room: a current that lies within 60° of its line's voltage and one that opposes
        the voltage are in sum never more than the larger of the two, but may be nearly that.
        """
        return node in self.cuts


def network_of(nodes: Mapping[NodeId, GridNode], evses: Mapping[EvseId, Evse], voltage_v: float) -> Network:
    """The network of a tree; ``voltage_v`` holds at the root."""
    transformers = {n.id: n.transformer for n in nodes.values() if n.transformer is not None}
    voltages = {n: _voltage(nodes, n, voltage_v) for n in nodes} if transformers else dict.fromkeys(nodes, voltage_v)
    found = Network(voltages=MappingProxyType(voltages), transformers=MappingProxyType(transformers))
    if not transformers and not any(e.is_line_to_line for e in evses.values()):
        return found
    wirings = {(evse.id, node): w for evse in evses.values() for node, w in _wirings(nodes, evse)}
    below: dict[NodeId, list[tuple[Evse, Wiring]]] = {}
    for (evse_id, node), wiring in wirings.items():
        below.setdefault(node, []).append((evses[evse_id], wiring))
    cuts, units = {}, {}
    for node, members in below.items():
        if all(_is_plain(wiring) for _, wiring in members):
            continue
        model = nodes[node].model
        cuts[node] = _cuts(model, [wiring for _, wiring in members])
        for evse, wiring in members:
            used = range(1, evse.caps.n_phases + 1)
            units[evse.id, node] = tuple(tuple(_unit(model, c, wiring, n) for c in cuts[node]) for n in used)
    return Network(
        voltages=found.voltages,
        transformers=found.transformers,
        cuts=MappingProxyType(cuts),
        wirings=MappingProxyType(wirings),
        units=MappingProxyType(units),
    )


def _voltage(nodes: Mapping[NodeId, GridNode], node: NodeId, voltage_v: float) -> float:
    for grid_node in _path(nodes, node):
        if grid_node.transformer is not None:
            voltage_v /= grid_node.transformer.ratio
    return voltage_v


def _path(nodes: Mapping[NodeId, GridNode], node: NodeId | None) -> Iterator[GridNode]:
    while node is not None:
        yield nodes[node]
        node = nodes[node].parent


def _wirings(nodes: Mapping[NodeId, GridNode], evse: Evse) -> Iterator[tuple[NodeId, Wiring]]:
    parts = evse.conductors()
    sizes = tuple((abs(a), abs(b), abs(c)) for a, b, c in parts)
    for node in _path(nodes, evse.node):
        turned = tuple(phasors.relative(part) for part in parts)
        yield node.id, Wiring(parts=turned, sizes=sizes, is_known=evse.has_known_rotation)
        if node.transformer is not None:
            ratio = node.transformer.ratio
            parts = tuple(phasors.primary(part, ratio) for part in parts)
            sizes = tuple(phasors.primary_sum(size, ratio) for size in sizes)


def _is_plain(wiring: Wiring) -> bool:
    """True where every conductor puts one ampere in phase on a line of its own."""
    return all(
        abs(ampere) < phasors.SMALL_A or abs(ampere - 1.0) < phasors.SMALL_A for part in wiring.parts for ampere in part
    )


def _cuts(model: NodeModel, members: Iterable[Wiring]) -> tuple[Cut, ...]:
    if model is not NodeModel.POLYGON:
        return tuple(Cut(line=line) for line in range(3))
    listed = list(members)
    return tuple(cut for line in range(3) for cut in phasors.polygon(line, [part[line] for w in listed for part in w.parts]))


def _unit(model: NodeModel, cut: Cut, wiring: Wiring, n_used: int) -> float:
    if model is NodeModel.SUM:
        return wiring.sum(cut.line, n_used)
    if model is NodeModel.LINEAR:
        return wiring.magnitude(cut.line, n_used)
    return cut.of([part[cut.line] for part in wiring.parts], n_used, is_known=wiring.is_known)


def problems(nodes: Mapping[NodeId, GridNode], evses: Mapping[EvseId, Evse]) -> Iterator[str]:
    """What the bounds on magnitudes cannot answer for."""
    for node in nodes.values():
        if node.parent is None and node.transformer is not None:
            yield f"node {node.id!r}: a transformer stands between a node and its parent, and the root has no parent"
    crossed: dict[NodeId, list[Evse]] = {}
    for evse in evses.values():
        if evse.is_line_to_line and evse.caps.n_phases != 1:
            yield f"EVSE {evse.id!r}: rotation {evse.rotation!r} stands between two lines and needs n_phases = 1"
        passed = [n.id for n in _path(nodes, evse.node) if n.transformer is not None]
        if len(passed) > 1:
            yield f"EVSE {evse.id!r}: has {len(passed)} transformers above it ({', '.join(passed)}); only one is supported"
        for node_id in passed:
            crossed.setdefault(node_id, []).append(evse)
    for node_id, members in crossed.items():
        delivering = [e.id for e in members if e.caps.discharge_max_kw > 0.0]
        if delivering and any(e.is_line_to_line for e in members):
            yield (
                f"node {node_id!r}: EVSE {delivering[0]!r} can deliver, but behind a transformer with loads between lines "
                "delivery can add to a line; set discharge_max_kw = 0"
            )
