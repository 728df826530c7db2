"""The site: a tree of nodes with limits, and the stations and EVSEs that hang on it. Built once from the site file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from loadmgr import units
from loadmgr.domain import network, phasors
from loadmgr.domain.ids import EvseId, MeterId, NodeId, SiteId, StationId
from loadmgr.domain.limits import Limit, Tightest, tightest
from loadmgr.domain.network import Network, NodeModel, Transformer
from loadmgr.domain.phasors import Lines
from loadmgr.domain.samples import PerPhase
from loadmgr.errors import SiteModelError

PHASES: tuple[str, str, str] = ("L1", "L2", "L3")

ROTATIONS: Mapping[str, tuple[int, ...]] = MappingProxyType(
    {
        "RST": (0, 1, 2),
        "RTS": (0, 2, 1),
        "SRT": (1, 0, 2),
        "STR": (1, 2, 0),
        "TRS": (2, 0, 1),
        "TSR": (2, 1, 0),
        "Rxx": (0,),
        "Sxx": (1,),
        "Txx": (2,),
    }
)
"""Grid phase (0 = L1) behind the connector's terminals L1, L2, L3, in this order (domain rule F.3)."""

PAIRS: Mapping[str, tuple[int, int]] = MappingProxyType({"RS": (0, 1), "ST": (1, 2), "TR": (2, 0)})
"""Lines between which a single-phase EVSE is connected; its current counts on both [A-72, A-73]."""

UNKNOWN_ROTATION = "unknown"
"""A car on an EVSE of unknown rotation loads every phase in full: the worst case [F-20]."""

UNKNOWN_PAIR = "unknown-pair"
"""Between two lines, but nobody knows which: its current counts on all three."""


def is_pair(rotation: str) -> bool:
    """True for the rotations of EVSEs that stand between two lines."""
    return rotation in PAIRS or rotation == UNKNOWN_PAIR


def rotations_for(n_phases: int) -> tuple[str, ...]:
    """Rotations that fit an EVSE of one or three phases, the unknown ones included."""
    found = [r for r, lines in ROTATIONS.items() if len(lines) == n_phases]
    if n_phases == 1:
        found += [*PAIRS, UNKNOWN_PAIR]
    return (*found, UNKNOWN_ROTATION)


@dataclass(frozen=True, slots=True, kw_only=True)
class GridNode:
    """A fuse, feeder, transformer or the grid connection. The root's ``parent`` is ``None``.

    ``base_max_a`` is the worst current per phase that the uncontrolled load directly below this node can draw;
    it counts when no fresh meter value tells better.

    Limits, meter and loads of a node with a transformer are on its own side (the wye); the parent is the delta.
    """

    id: NodeId
    parent: NodeId | None = None
    limits: tuple[Limit, ...] = ()
    meter: MeterId | None = None
    base_max_a: tuple[float, float, float] = (0.0, 0.0, 0.0)
    model: NodeModel = NodeModel.SUM
    transformer: Transformer | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EvseCaps:
    """What an EVSE can do. Current is per phase; power is the sum over phases.

    ``voltage_v`` drives the current of one phase: against neutral, or between its two lines where it stands between two.
    """

    current_max_a: float
    current_min_a: float = 6.0
    current_step_a: float = 0.1
    n_phases: int = 3
    voltage_v: float = 230.0
    power_max_kw: float | None = None
    discharge_max_kw: float = 0.0
    """What the EVSE can deliver from a car to the grid; 0: it is not bidirectional."""
    is_dc: bool = False
    """Direct current: the car's power falls with its state of charge."""
    settle_s: float = 20.0
    """Longest time from an accepted decrease until the car has followed [F-2]."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Evse:
    """One EVSE. ``rotation`` is a key of ``ROTATIONS`` or ``PAIRS``, ``UNKNOWN_ROTATION`` or ``UNKNOWN_PAIR``.

    ``failsafe_a`` is the current of the profile that the charger falls back to by itself (0 or >= 6 A) [A.15 L2].
    """

    id: EvseId
    station: StationId
    number: int
    node: NodeId
    caps: EvseCaps
    rotation: str = "RST"
    failsafe_a: float = 0.0

    def phases_of(self, n_used: int) -> tuple[int, ...]:
        """Grid phases (0..2) that ``n_used`` conductors of a car load; all three when the rotation is unknown.

        Both lines of an EVSE that stands between two.
        """
        if not self.has_known_rotation:
            return (0, 1, 2)
        return PAIRS[self.rotation] if self.is_line_to_line else ROTATIONS[self.rotation][:n_used]

    @property
    def is_line_to_line(self) -> bool:
        """True when the EVSE stands between two lines instead of between lines and neutral."""
        return is_pair(self.rotation)

    @property
    def has_known_rotation(self) -> bool:
        """True when it is known which lines the EVSE loads."""
        return self.rotation not in {UNKNOWN_ROTATION, UNKNOWN_PAIR}

    def line_currents(self, current_a: float, n_used: int) -> PerPhase:
        """A on L1..L3 when each conductor in use carries ``current_a``."""
        loaded = self.phases_of(n_used)
        a, b, c = (current_a if line in loaded else 0.0 for line in range(3))
        return a, b, c

    def power_kw(self, current_a: PerPhase) -> float:
        """Power of currents on L1..L3 at the nominal voltage; the two lines of a pair carry one and the same current."""
        amperes = max(current_a, key=abs) if self.is_line_to_line else sum(current_a)
        return units.a_to_kw(amperes, self.caps.voltage_v, 1)

    def conductors(self) -> tuple[Lines, ...]:
        """One ampere in each conductor, terminal by terminal, as line currents; all that may be when not known."""
        if self.rotation in PAIRS:
            return (phasors.between(*PAIRS[self.rotation]),)
        if self.rotation == UNKNOWN_PAIR:
            return tuple(phasors.between(*pair) for pair in PAIRS.values())
        return tuple(phasors.to_neutral(line) for line in ROTATIONS.get(self.rotation, (0, 1, 2)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Station:
    """A charging station. ``has_installer_failsafe``: the installer states that the fail-safe current is set in the
    charger itself, so it counts at that even before it has ever confirmed our profile.
    """

    id: StationId
    evses: tuple[EvseId, ...]
    has_installer_failsafe: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Battery:
    """A stationary battery behind its inverter; all powers at the AC side, balanced over three phases.

    ``efficiency`` is stored per drawn, ``discharge_efficiency`` delivered per stored energy drawn. ``end_value_per_kwh``
    is what a stored kWh is worth at the end of the plan; ``None``: the mean import price of the plan.
    """

    id: str
    node: NodeId
    capacity_kwh: float
    charge_max_kw: float
    discharge_max_kw: float
    floor_frac: float = 0.1
    efficiency: float = 0.95
    discharge_efficiency: float = 0.95
    wear_per_kwh: float = 0.0
    end_value_per_kwh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The whole site; raises ``SiteModelError`` when its parts do not form one tree. ``voltage_v`` is the root's."""

    id: SiteId
    nodes: Mapping[NodeId, GridNode]
    stations: Mapping[StationId, Station]
    evses: Mapping[EvseId, Evse]
    timezone: str = "UTC"
    voltage_v: float = 230.0
    batteries: Mapping[str, Battery] = field(default_factory=dict)
    root: NodeId = field(init=False)
    below: Mapping[NodeId, tuple[EvseId, ...]] = field(init=False)
    """Every EVSE at the node or anywhere below it, in the order of the site file."""
    leaves_first: tuple[NodeId, ...] = field(init=False)
    """All nodes, each before the one that feeds it."""
    network: Network = field(init=False)
    _paths: Mapping[NodeId, tuple[GridNode, ...]] = field(init=False, repr=False)
    _children: Mapping[NodeId, tuple[NodeId, ...]] = field(init=False, repr=False)
    _static: Mapping[NodeId, Tightest] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        for name in ("nodes", "stations", "evses", "batteries"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        problems = [*_tree_problems(self.nodes), *_evse_problems(self)]
        if not problems:
            problems = [*network.problems(self.nodes, self.evses)]
        if problems:
            raise SiteModelError("; ".join(problems))
        object.__setattr__(self, "root", next(n.id for n in self.nodes.values() if n.parent is None))
        paths = {n: tuple(self._climb(n)) for n in self.nodes}
        children = {n: tuple(c.id for c in self.nodes.values() if c.parent == n) for n in self.nodes}
        object.__setattr__(self, "_paths", MappingProxyType(paths))
        object.__setattr__(self, "_children", MappingProxyType(children))
        object.__setattr__(self, "_static", MappingProxyType({n.id: tightest(n.limits, None) for n in self.nodes.values()}))
        object.__setattr__(self, "leaves_first", tuple(sorted(self.nodes, key=lambda n: -len(paths[n]))))
        below: dict[NodeId, list[EvseId]] = {n: [] for n in self.nodes}
        for evse in self.evses.values():
            for node in self.path(evse.node):
                below[node.id].append(evse.id)
        object.__setattr__(self, "below", MappingProxyType({n: tuple(e) for n, e in below.items()}))
        object.__setattr__(self, "network", network.network_of(self.nodes, self.evses, self.voltage_v))
        for node in self.nodes.values():
            for limit in node.limits:
                self.check(limit)

    def check(self, limit: Limit) -> None:
        """Raise ``SiteModelError`` for a limit that nobody could hold at this site."""
        if limit.unbalance_a is not None and self.network.is_angled(limit.node):
            raise SiteModelError(
                f"node {limit.node!r}: unbalance_a = {limit.unbalance_a:g}, but EVSEs below it stand between two lines or"
                " behind a transformer; their unbalance is not a difference of amperes. State it at a node without them"
            )

    def _climb(self, node: NodeId) -> Iterator[GridNode]:
        current: NodeId | None = node
        while current is not None:
            grid_node = self.nodes[current]
            yield grid_node
            current = grid_node.parent

    def path(self, node: NodeId) -> tuple[GridNode, ...]:
        """The node and everything above it, up to the root."""
        return self._paths[node]

    def children(self, node: NodeId) -> tuple[NodeId, ...]:
        """Direct children in the order of the site file."""
        return self._children[node]

    def voltage_at(self, node: NodeId) -> float:
        """Nominal voltage between a line and neutral at a node."""
        return self.network.voltages[node]

    def static_limit(self, node: NodeId) -> Tightest:
        """The tightest of the node's limits that hold at all times."""
        return self._static[node]


def _tree_problems(nodes: Mapping[NodeId, GridNode]) -> Iterator[str]:
    roots = [n.id for n in nodes.values() if n.parent is None]
    if len(roots) != 1:
        yield f"the tree needs exactly one node without a parent, found {len(roots)}: {sorted(roots)}"
    for node in nodes.values():
        if node.parent is not None and node.parent not in nodes:
            yield f"node {node.id!r}: parent {node.parent!r} does not exist"
    for node in nodes.values():
        seen: set[NodeId] = set()
        current: NodeId | None = node.id
        while current is not None and current in nodes and current not in seen:
            seen.add(current)
            current = nodes[current].parent
        if current in seen:
            yield f"node {node.id!r} is its own ancestor"


def _evse_problems(site: Site) -> Iterator[str]:
    for evse in site.evses.values():
        if evse.node not in site.nodes:
            yield f"EVSE {evse.id!r}: node {evse.node!r} does not exist"
        if evse.station not in site.stations:
            yield f"EVSE {evse.id!r}: station {evse.station!r} does not exist"
        if evse.is_line_to_line:
            continue
        if evse.has_known_rotation and len(ROTATIONS.get(evse.rotation, ())) < evse.caps.n_phases:
            yield f"EVSE {evse.id!r}: rotation {evse.rotation!r} does not name {evse.caps.n_phases} phases"
    for battery in site.batteries.values():
        if battery.node not in site.nodes:
            yield f"battery {battery.id!r}: node {battery.node!r} does not exist"


def batteries_below(site: Site, node: NodeId) -> tuple[Battery, ...]:
    """Batteries at a node or anywhere below it."""
    return tuple(b for b in site.batteries.values() if any(n.id == node for n in site.path(b.node)))


def full_power_kw(caps: EvseCaps) -> float:
    """The most an EVSE can deliver, kW."""
    power_kw = units.a_to_kw(caps.current_max_a, caps.voltage_v, caps.n_phases)
    return power_kw if caps.power_max_kw is None else min(power_kw, caps.power_max_kw)
