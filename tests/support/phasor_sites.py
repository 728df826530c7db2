"""Random sites with loads between lines and behind transformers, and what cars may really do there."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace

from hypothesis import strategies as st

from loadmgr.domain.ids import EvseId, LimitId, NodeId, SiteId, StationId
from loadmgr.domain.limits import Limit
from loadmgr.domain.network import NodeModel, Transformer
from loadmgr.domain.samples import PerPhase
from loadmgr.domain.site import PAIRS, ROTATIONS, UNKNOWN_PAIR, UNKNOWN_ROTATION, Evse, EvseCaps, GridNode, Site, Station

WYE_V, DELTA_V = 120.0, 277.0
SINGLE = ("Rxx", "Sxx", "Txx", *PAIRS, UNKNOWN_ROTATION, UNKNOWN_PAIR)
TRIPLE = (*[r for r, lines in ROTATIONS.items() if len(lines) == 3], UNKNOWN_ROTATION)


def a_limit(node: str, current_a: float, power_kw: float | None = None) -> Limit:
    """A fuse."""
    return Limit(id=LimitId(f"{node}:fuse"), node=NodeId(node), source="fuse", current_a=current_a, power_kw=power_kw)


def an_evse(no: int, node: GridNode, rotation: str, *, voltage_v: float, failsafe_a: float = 0.0) -> Evse:
    """EVSE 1 of station ``S<no>``."""
    n_phases = 3 if rotation in TRIPLE and not (rotation == UNKNOWN_ROTATION and no % 2) else 1
    is_pair = rotation in PAIRS or rotation == UNKNOWN_PAIR
    caps = EvseCaps(current_max_a=32.0, n_phases=n_phases, voltage_v=voltage_v * (math.sqrt(3.0) if is_pair else 1.0))
    return Evse(
        id=EvseId(f"S{no}/1"),
        station=StationId(f"S{no}"),
        number=1,
        node=node.id,
        caps=caps,
        rotation=rotation,
        failsafe_a=failsafe_a,
    )


def a_network(nodes: list[GridNode], evses: list[Evse]) -> Site:
    """A site at 277 V between a line and neutral."""
    return Site(
        id=SiteId("net"),
        nodes={n.id: n for n in nodes},
        stations={e.station: Station(id=e.station, evses=(e.id,)) for e in evses},
        evses={e.id: e for e in evses},
        voltage_v=DELTA_V,
    )


def a_garage(rotations: tuple[str, ...], *, model: str = "polygon", primary_a: float = 400.0, wye_a: float = 100.0) -> Site:
    """EVSEs on a bus of 120/208 V below a transformer; the connection is its primary."""
    grid = GridNode(id=NodeId("grid"), limits=(a_limit("grid", primary_a),), model=NodeModel(model))
    bus = GridNode(
        id=NodeId("bus"),
        parent=grid.id,
        limits=(a_limit("bus", wye_a),),
        model=NodeModel(model),
        transformer=Transformer(ratio=DELTA_V / WYE_V),
    )
    return a_network([grid, bus], [an_evse(i + 1, bus, r, voltage_v=WYE_V) for i, r in enumerate(rotations)])


models = st.sampled_from(list(NodeModel))


@st.composite
def networks(draw: st.DrawFn) -> Site:
    """Connection, perhaps a transformer, panels below, and up to six EVSEs anywhere."""
    base = st.tuples(*[st.floats(0.0, 20.0)] * 3)
    nodes = [GridNode(id=NodeId("n0"), limits=(a_limit("n0", draw(st.floats(10.0, 150.0))),), model=draw(models))]
    volts = {"n0": DELTA_V}
    for no in range(1, draw(st.integers(1, 4)) + 1):
        parent = draw(st.sampled_from(nodes))
        crosses = volts[parent.id] == DELTA_V and draw(st.booleans())
        node = GridNode(
            id=NodeId(f"n{no}"),
            parent=parent.id,
            limits=(a_limit(f"n{no}", draw(st.floats(10.0, 150.0))),) if draw(st.booleans()) else (),
            model=draw(models),
            transformer=Transformer(ratio=DELTA_V / WYE_V) if crosses else None,
            base_max_a=draw(base) if draw(st.booleans()) else (0.0, 0.0, 0.0),
        )
        nodes.append(node)
        volts[node.id] = WYE_V if crosses else volts[parent.id]
    evses = []
    for no in range(1, draw(st.integers(1, 6)) + 1):
        node = draw(st.sampled_from(nodes))
        rotation = draw(st.sampled_from((*SINGLE, *TRIPLE)))
        evses.append(an_evse(no, node, rotation, voltage_v=volts[node.id]))
    return a_network(nodes, evses)


@st.composite
def as_wired(draw: st.DrawFn, site: Site) -> Site:
    """The same site with a true rotation where the file knows none."""
    evses = {}
    for evse in site.evses.values():
        true = evse.rotation
        if true == UNKNOWN_PAIR:
            true = draw(st.sampled_from(list(PAIRS)))
        elif true == UNKNOWN_ROTATION:
            true = draw(st.sampled_from(["Rxx", "Sxx", "Txx"] if evse.caps.n_phases == 1 else ["RST", "STR", "TSR"]))
        evses[evse.id] = replace(evse, rotation=true)
    return replace(site, evses=evses)


@st.composite
def partial(draw: st.DrawFn, site: Site, allowed_a: Mapping[EvseId, float]) -> dict[EvseId, PerPhase]:
    """What cars draw of what they may: any part, a different one on each conductor, corners often."""
    part = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0))
    found = {}
    for evse in site.evses.values():
        most_a, lines = allowed_a.get(evse.id, 0.0), [0.0, 0.0, 0.0]
        if evse.is_line_to_line:
            found[evse.id] = evse.line_currents(most_a * draw(part), 1)
            continue
        for line in evse.phases_of(evse.caps.n_phases):
            lines[line] = most_a * draw(part)
        found[evse.id] = (lines[0], lines[1], lines[2])
    return found
