"""Checked tables → domain objects, collecting every problem on the way."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import fields
from difflib import get_close_matches
from pathlib import Path

from loadmgr.control.commissioning import failsafe_sums
from loadmgr.control.state import SiteContext
from loadmgr.domain.ids import EvseId, LimitId, MeterId, NodeId, SiteId, StationId, evse_id
from loadmgr.domain.limits import Limit, LimitKind
from loadmgr.domain.network import NodeModel, Transformer
from loadmgr.domain.params import ControlParams
from loadmgr.domain.series import Series, UncontrolledLoad
from loadmgr.domain.site import UNKNOWN_ROTATION, Battery, Evse, EvseCaps, GridNode, Site, Station, is_pair, rotations_for
from loadmgr.domain.tariff import DemandCharge, Tariff, TariffBand
from loadmgr.errors import Problem, SiteModelError
from loadmgr.sitefile.models import GroupTable, NodeTable, SiteFile, StationKeys, StationTable
from loadmgr.sitefile.series import SeriesReader
from solvers import names as engine_names


def did_you_mean(value: str, known: Iterator[str] | Mapping[str, object] | tuple[str, ...]) -> str:
    """A hint for a misspelt name."""
    close = get_close_matches(value, list(known), n=1)
    return f"did you mean {close[0]!r}?" if close else f"known: {', '.join(sorted(known)) or 'none'}"


class Builder:
    """Turns a checked file into domain objects; ``problems`` collects what does not fit together."""

    def __init__(self, file: SiteFile, folder: Path) -> None:
        self._file = file
        self.problems: list[Problem] = []
        self._reader = SeriesReader(folder, self._note)

    def context(self) -> SiteContext | None:
        """The site with its parameters, or ``None`` when a problem prevents it."""
        stations = dict(self._stations())
        self._check_nodes()
        self._check_stations(stations)
        site = self._site(stations)
        params, tariff, loads = self._params(), self._tariff(), tuple(self._loads())
        if site is None or self.problems:
            return None
        self._check_failsafe(site)
        if self.problems:
            return None
        return SiteContext(site=site, params=params, tariff=tariff, loads=loads)

    def _note(self, key: str, problem: str, hint: str = "") -> None:
        self.problems.append(Problem(key=key, problem=problem, hint=hint))

    # -- stations --------------------------------------------------------------------------------------------------

    def _stations(self) -> Iterator[tuple[str, tuple[str, StationKeys, dict[int, str]]]]:
        """Station id → (key in the file, its keys, rotation per EVSE number)."""
        seen: set[str] = set()
        for name, table in self._file.stations.items():
            seen.add(name)
            yield name, (f"stations.{name}", table, self._station_rotations(f"stations.{name}", table))
        for index, group in enumerate(self._file.station_groups):
            key = f"station_groups[{index}]"
            dealt = group.rotations or ((group.rotation,) if group.rotation is not None else ())
            for place, name in enumerate(group.ids):
                if name in seen:
                    self._note(f"{key}.ids", f"station {name!r} exists twice", "station ids are unique")
                    continue
                seen.add(name)
                default = dealt[place % len(dealt)] if dealt else _default_rotation(group)
                yield name, (f"{key} ({name})", group, dict.fromkeys(range(1, group.evses + 1), default))

    def _station_rotations(self, key: str, table: StationTable) -> dict[int, str]:
        found = dict.fromkeys(range(1, table.evses + 1), table.rotation or _default_rotation(table))
        for number, rotation in table.rotation_of.items():
            if not number.isdecimal() or int(number) not in found:
                self._note(f"{key}.rotation_of.{number}", "there is no such EVSE", f"numbers 1 to {table.evses}")
            else:
                found[int(number)] = rotation
        return found

    def _check_stations(self, stations: Mapping[str, tuple[str, StationKeys, dict[int, str]]]) -> None:
        if not stations:
            self._note("stations", "there are no stations", "add [stations.<id>] or [[station_groups]]")
        for key, table, rotations in stations.values():
            if table.node not in self._file.nodes:
                hint = did_you_mean(table.node, self._file.nodes)
                self._note(f"{key}.node", f"node {table.node!r} does not exist", hint)
            if 0 < table.failsafe_a < table.current_min_a:
                self._note(
                    f"{key}.failsafe_a",
                    f"{table.failsafe_a} A is between 0 and the minimum of {table.current_min_a} A",
                    "a car cannot charge below its minimum: use 0 or at least the minimum",
                )
            if table.failsafe_a > table.current_max_a:
                self._note(f"{key}.failsafe_a", f"{table.failsafe_a} A is above current_max_a = {table.current_max_a}")
            good = rotations_for(table.phases)
            for rotation in sorted(set(rotations.values()) - set(good)):
                hint = f"with phases = {table.phases} use one of {', '.join(good)}"
                self._note(f"{key}.rotation", f"{rotation!r} does not name {table.phases} phase(s)", hint)

    # -- nodes -----------------------------------------------------------------------------------------------------

    def _check_nodes(self) -> None:
        nodes = self._file.nodes
        roots = [n for n, table in nodes.items() if table.parent is None]
        if len(roots) != 1:
            shown = ", ".join(roots) or "none"
            self._note("nodes", f"exactly one node must have no parent, found: {shown}", "that is the grid connection")
        meters: dict[str, str] = {}
        for name, table in nodes.items():
            if table.parent is not None and table.parent not in nodes:
                hint = did_you_mean(table.parent, nodes)
                self._note(f"nodes.{name}.parent", f"node {table.parent!r} does not exist", hint)
            if table.meter is not None and table.meter in meters:
                self._note(f"nodes.{name}.meter", f"{table.meter!r} is the meter of {meters[table.meter]!r} already")
            meters[table.meter or ""] = name
            self._check_node(name, table)
        for name in nodes:
            if _is_cycle(name, nodes):
                self._note(f"nodes.{name}.parent", "the node is its own ancestor", "break the circle of parents")

    def _check_node(self, name: str, table: NodeTable) -> None:
        worst_a = _base_max(table)
        if table.load is None:  # a meter may stand for loads further down
            worst_a = max((_base_max(t) for n, t in self._file.nodes.items() if self._is_below(n, name)), default=0.0)
        if (table.load is not None or table.meter is not None) and worst_a <= 0.0:
            self._note(
                f"nodes.{name}.base_max_a",
                "is missing although the node has a meter or a load",
                "say the most current per phase that everything but EVSEs can draw here; it counts when meters fail",
            )
        if table.parent is None and table.transformer is not None:
            hint = "add a node without a parent for its primary side"
            self._note(f"nodes.{name}.transformer", "stands between a node and its parent, and there is none", hint)
        if table.parent is None and not any((table.current_a, table.power_kw, table.limits)):
            self._note(f"nodes.{name}", "the grid connection has no limit", "set current_a and/or power_kw")

    def _is_below(self, node: str | None, top: str) -> bool:
        seen: set[str] = set()
        while node is not None and node in self._file.nodes and node not in seen:
            if node == top:
                return True
            seen.add(node)
            node = self._file.nodes[node].parent
        return False

    def _site(self, stations: Mapping[str, tuple[str, StationKeys, dict[int, str]]]) -> Site | None:
        if self.problems:
            return None
        head = self._file.site
        evses: dict[EvseId, Evse] = {}
        found: dict[StationId, Station] = {}
        for name, (_, table, rotations) in stations.items():
            station = StationId(name)
            made = {evse_id(station, n): self._evse(station, n, table, r) for n, r in rotations.items()}
            evses |= made
            found[station] = Station(id=station, evses=tuple(made), has_installer_failsafe=table.installer_failsafe)
        try:
            return Site(
                id=SiteId(head.id),
                nodes={NodeId(n): self._node(n, table) for n, table in self._file.nodes.items()},
                stations=found,
                evses=evses,
                timezone=head.timezone,
                voltage_v=head.voltage_v,
                batteries=dict(self._batteries()),
            )
        except SiteModelError as error:
            self._note("site", str(error))
            return None

    def _batteries(self) -> Iterator[tuple[str, Battery]]:
        for name, table in self._file.nodes.items():
            if table.battery is not None:
                yield name, Battery(id=name, node=NodeId(name), **table.battery.model_dump())

    def _evse(self, station: StationId, number: int, table: StationKeys, rotation: str) -> Evse:
        caps = EvseCaps(
            current_max_a=table.current_max_a,
            current_min_a=table.current_min_a,
            current_step_a=table.current_step_a,
            n_phases=table.phases,
            voltage_v=self._voltage_v(table.node) * (math.sqrt(3.0) if is_pair(rotation) else 1.0),
            power_max_kw=table.power_max_kw,
            discharge_max_kw=table.discharge_max_kw,
            is_dc=table.dc,
            settle_s=table.settle_s,
        )
        return Evse(
            id=evse_id(station, number),
            station=station,
            number=number,
            node=NodeId(table.node),
            caps=caps,
            rotation=rotation,
            failsafe_a=table.failsafe_a,
        )

    def _voltage_v(self, node: str | None) -> float:
        """Nominal voltage between a line and neutral at a node."""
        voltage_v = self._file.site.voltage_v
        while node is not None:
            table = self._file.nodes[node]
            voltage_v /= table.transformer.ratio if table.transformer is not None else 1.0
            node = table.parent
        return voltage_v

    def _node(self, name: str, table: NodeTable) -> GridNode:
        node = NodeId(name)
        base = table.base_max_a
        return GridNode(
            id=node,
            parent=NodeId(table.parent) if table.parent is not None else None,
            limits=tuple(self._limits(node, table)),
            meter=MeterId(table.meter) if table.meter is not None else None,
            base_max_a=base if isinstance(base, tuple) else (base, base, base),
            model=NodeModel(table.model),
            transformer=Transformer(**table.transformer.model_dump()) if table.transformer is not None else None,
        )

    @staticmethod
    def _limits(node: NodeId, table: NodeTable) -> Iterator[Limit]:
        if any(value is not None for value in (table.current_a, table.power_kw, table.export_kw, table.unbalance_a)):
            yield Limit(
                id=LimitId(f"{node}:{table.source}"),
                node=node,
                source=table.source,
                current_a=table.current_a,
                power_kw=table.power_kw,
                export_kw=table.export_kw,
                unbalance_a=table.unbalance_a,
            )
        for index, extra in enumerate(table.limits):
            yield Limit(
                id=LimitId(f"{node}:{extra.source}:{index}"),
                node=node,
                source=extra.source,
                current_a=extra.current_a,
                power_kw=extra.power_kw,
                export_kw=extra.export_kw,
                discharge_kw=extra.discharge_kw,
                unbalance_a=extra.unbalance_a,
                kind=LimitKind(extra.kind),
                from_at=extra.from_at,
                until_at=extra.until_at,
            )

    def _check_failsafe(self, site: Site) -> None:
        for total in failsafe_sums(site):
            if not total.fits:
                hint = "lower failsafe_a of the stations below it (0 is always safe) or the uncontrolled load"
                self._note(f"nodes.{total.row.node}", f"the fail-safe does not fit: {total}", hint)

    # -- series, tariff, control -----------------------------------------------------------------------------------

    def _loads(self) -> Iterator[UncontrolledLoad]:
        for name, table in self._file.nodes.items():
            if table.load is None and table.pv is None:
                continue
            load = self._reader.series(f"nodes.{name}.load", table.load) if table.load is not None else None
            pv = self._reader.series(f"nodes.{name}.pv", table.pv) if table.pv is not None else None
            yield UncontrolledLoad(
                node=NodeId(name), load_kw=load, pv_kw=pv, is_curtailable=table.pv is not None and table.pv.curtailable
            )

    def _tariff(self) -> Tariff:
        table = self._file.tariff
        rows = self._reader.read("tariff.series", table.series, table.column) if table.series is not None else None
        carbon = None
        if table.carbon_series is not None:
            carbon = self._reader.read("tariff.carbon_series", table.carbon_series, table.carbon_column)
        if len({d.name for d in table.demand}) < len(table.demand):
            self._note("tariff.demand", "two demand charges have the same name", "names must differ")
        return Tariff(
            currency=table.currency,
            bands=tuple(
                TariffBand(from_time=b.from_, import_per_kwh=b.import_per_kwh, weekdays=b.weekdays) for b in table.bands
            ),
            series=Series(times=rows[0], values=rows[1]) if rows is not None else None,
            export_per_kwh=table.export_per_kwh,
            timezone=self._file.site.timezone,
            demand=tuple(
                DemandCharge(
                    name=d.name,
                    price_per_kw=d.price_per_kw,
                    window_s=d.window_s,
                    from_time=d.from_,
                    until_time=d.until,
                    weekdays=d.weekdays,
                )
                for d in table.demand
            ),
            carbon_per_kg=table.carbon_per_kg,
            carbon_kg_per_kwh=table.carbon_kg_per_kwh,
            carbon_series=Series(times=carbon[0], values=carbon[1]) if carbon is not None else None,
        )

    def _params(self) -> ControlParams:
        given = self._file.control.model_dump(exclude_none=True)
        known = {f.name for f in fields(ControlParams)}
        params = ControlParams(**{k: v for k, v in given.items() if k in known})
        if params.engine not in engine_names():
            hint = did_you_mean(params.engine, engine_names())
            self._note("control.engine", f"engine {params.engine!r} is unknown", hint)
        if params.refresh_s >= params.setpoint_s:
            self._note(
                "control.refresh_s",
                f"{params.refresh_s} s is not below setpoint_s = {params.setpoint_s} s",
                "a setpoint must be renewed before it expires; half of it is usual",
            )
        if params.meter_stale_s < params.meter_hold_s:
            self._note("control.meter_stale_s", f"{params.meter_stale_s} s is below meter_hold_s", "stale comes after hold")
        return params


def _base_max(table: NodeTable) -> float:
    return max(table.base_max_a) if isinstance(table.base_max_a, tuple) else table.base_max_a


def _default_rotation(table: StationKeys | GroupTable) -> str:
    return "RST" if table.phases == len("RST") else UNKNOWN_ROTATION


def _is_cycle(start: str, nodes: Mapping[str, NodeTable]) -> bool:
    seen = {start}
    current = nodes[start].parent
    while current is not None and current in nodes:
        if current == start:
            return True
        if current in seen:
            return False
        seen.add(current)
        current = nodes[current].parent
    return False
