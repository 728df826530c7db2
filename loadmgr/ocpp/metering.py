"""Sampled values of any version → one measurement at the grid side (domain rules C.2, C.4, C.20-C.28, F.6)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

from loadmgr import units
from loadmgr.domain.samples import Measured, PerPhase, Quality
from loadmgr.domain.site import ROTATIONS, Evse, full_power_kw
from loadmgr.domain.traits import Traits
from loadmgr.ocpp.measurands import (
    CURRENT_MAX_A,
    LINE_TO_LINE,
    LINE_TO_NEUTRAL,
    MAIN_CURRENT_MAX_A,
    Reading,
    Values,
    by_phase,
    number,
)

__all__ = ["Compared", "Measurement", "Reading", "Told", "measure", "number", "spread_a"]

STANDARD = Traits()
OVER_RATING = 1.5
"""A power this many times above the rating is in another unit than it says [C-21]."""
TINY_KW, CLEAR_KW = 0.05, 1.0
"""A power below the first while current and voltage make more than the second is in another unit [C-21]."""
SUM_FRAC = 0.3
"""An unnamed current is the sum of the phases when it makes the power within this: a power factor, and rounding [C.4]."""
SAME_FRAC = 0.1
"""Two derivations of one value agree within this."""
PHASE_FRAC = 0.1
"""How close power over offered current must be to a whole number of phases to tell it [C.4]."""

DC_EFFICIENCY, DC_EFFICIENCY_LOW, DC_LOW_LOAD = 0.94, 0.88, 0.3
DC_AUXILIARY_KW = 0.3
"""P_grid = P_dc / efficiency + auxiliary; the efficiency is lower below 30 % load (domain rule F.6)."""
DC_DRAWING_KW = 0.05

_AC = ("outlet", "cable", "inlet")
_MAIN = ("outlet", "inlet", "upstream", "cable", "body")
_ANYWHERE = ("ev", "outlet", "inlet", "cable", "body", "upstream")


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What the car wants, as far as a meter value says it (2.1): energy from now on, target, capacity [C.2]."""

    energy_kwh: float | None = None
    soc_target_frac: float | None = None
    capacity_kwh: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Compared:
    """A power as said beside what current and voltage make and what the EVSE can do, kW [C-21]."""

    power_kw: float
    product_kw: float | None
    rated_kw: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one meterValue says, and how many of its values were refused as nonsense [B08]."""

    measured: Measured
    quality: Quality
    n_refused: int
    told: Told | None = None
    compared: Compared | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    """Where load is read and how it lies on the phases."""

    places: tuple[str, ...]
    phases: tuple[int, ...]
    voltage_v: float
    n_used: int = 3
    """Conductors that carry it: fewer than ``phases`` where the rotation is not known [F-20]."""
    rotation: tuple[int, ...] = (0, 1, 2)
    is_sum: bool | None = None


@dataclass(slots=True)
class _Load:
    """Power and current while they are derived; ``is_derived``: one came from the other."""

    power_kw: float | None = None
    current_a: PerPhase | None = None
    product_kw: float | None = None
    has_phases: bool = False
    is_derived: bool = False
    anomaly: str = ""
    compared: Compared | None = None


def measure(
    readings: Iterable[Reading], evse: Evse | None, traits: Traits = STANDARD, *, n_used: int | None = None
) -> Measurement:
    """Combine readings into one measurement in grid phases L1..L3, kW and kWh, at the AC side.

    ``evse`` spreads totals over its phases; without it (a main meter) over all three. ``n_used``: phases that the car
    is known to use. Discharge counts negative [C-27]. Energies stay those of the outlet, where they are billed.
    """
    listed = list(readings)
    live = [r for r in listed if r.is_live]
    values = Values(current_max_a=CURRENT_MAX_A if evse is not None else MAIN_CURRENT_MAX_A)
    for reading in live or listed:
        values.add(reading, traits)
    side = _side(evse, traits, n_used, values)
    load = _dc_load(values, evse, side) if evse is not None and evse.caps.is_dc else _ac_load(values, evse, side)
    places = side.places if evse is None else _AC
    measured = Measured(
        current_a=load.current_a,
        power_kw=load.power_kw,
        energy_kwh=values.total("energy.in", places),
        offered_a=_offered_a(values, evse, side),
        soc_frac=_soc(values),
        export_kwh=values.total("energy.out", places),
        offered_kw=values.total("power.offered", places),
        voltage_v=_mean(_volts(values, side)),
        interval_kwh=_net(values.total("energy.in.interval", places), values.total("energy.out.interval", places)),
        setpoint_kw=values.total("power.setpoint", places),
        has_phases=load.has_phases,
        anomaly=load.anomaly,
    )
    quality = Quality.DERIVED if load.is_derived else Quality.GOOD
    if listed and not live:
        quality = Quality.HISTORY
    return Measurement(
        measured=measured, quality=quality, n_refused=values.n_refused, told=_told(values), compared=load.compared
    )


def spread_a(evse: Evse, power_kw: float, n_used: int | None = None) -> PerPhase:
    """A total power as current on the phases that the car uses, A [C.4]."""
    if evse.is_line_to_line:
        return evse.line_currents(units.kw_to_a(power_kw, evse.caps.voltage_v, 1), 1)
    n_found = min(n_used or evse.caps.n_phases, evse.caps.n_phases)
    return _on(evse.phases_of(n_found), units.kw_to_a(power_kw, evse.caps.voltage_v, n_found))


def _side(evse: Evse | None, traits: Traits, n_used: int | None, values: Values) -> _Side:
    if evse is None:
        return _Side(places=_MAIN, phases=(0, 1, 2), voltage_v=230.0)
    n_phases = evse.caps.n_phases
    n_found = min(n_used, n_phases) if n_used else _phases_by_offer(values, evse) or n_phases
    turns = traits.labels_terminals and evse.rotation in ROTATIONS
    return _Side(
        places=_AC,
        phases=evse.phases_of(n_found)[:1] if evse.is_line_to_line else evse.phases_of(n_found),
        voltage_v=evse.caps.voltage_v,
        n_used=1 if evse.is_line_to_line else n_found,
        rotation=ROTATIONS[evse.rotation] if turns else (0, 1, 2),
        is_sum=traits.is_total_current_sum,
    )


def _phases_by_offer(values: Values, evse: Evse) -> int | None:
    """P / (V·I) with the current that is offered, where that is close to a whole number of phases [C.4]."""
    power_kw, offered_a = values.total("power.in", _AC), values.at("current.offered", _AC).get("")
    if power_kw is None or not offered_a or evse.caps.is_dc:
        return None
    found = units.kw_to_a(power_kw, evse.caps.voltage_v, 1) / offered_a
    whole = round(found)
    return whole if 1 <= whole <= evse.caps.n_phases and abs(found - whole) <= PHASE_FRAC * whole else None


def _ac_load(values: Values, evse: Evse | None, side: _Side) -> _Load:
    load = _Load()
    each_kw = _net_phases(values, "power", side)
    each_a = _net_phases(values, "current", side)
    volts = _volts(values, side)
    if evse is not None and evse.is_line_to_line:
        each_a, each_kw, volts = _one_loop(each_a, side, _largest), _one_loop(each_kw, side, sum), {}
    said_kw = _net(values.total("power.in", side.places), values.total("power.out", side.places))
    if each_a:
        load.product_kw = sum(units.a_to_kw(a, volts.get(p, side.voltage_v), 1) for p, a in each_a.items())
    load.power_kw = said_kw
    if evse is not None and said_kw is not None:
        _doubt(load, said_kw, full_power_kw(evse.caps))
    if load.power_kw is None and load.product_kw is not None:
        load.power_kw, load.is_derived = load.product_kw, True
    _currents(load, values, side, (each_a, each_kw, volts))
    if evse is not None and evse.is_line_to_line and load.current_a is not None:
        load.current_a = evse.line_currents(max(load.current_a, key=abs), 1)
        load.power_kw = evse.power_kw(load.current_a) if load.power_kw is None else load.power_kw
    if load.power_kw is None and load.current_a is not None:
        largest_a = max(load.current_a, key=abs)
        load.power_kw, load.is_derived = units.a_to_kw(largest_a, side.voltage_v, side.n_used), True
    return load


def _largest(values: Iterable[float]) -> float:
    return max(values, key=abs)


def _one_loop(values: Mapping[int, float], side: _Side, join: Callable[[Iterable[float]], float]) -> dict[int, float]:
    """What a station says about single lines, for the one current that flows between two lines [A-72]."""
    return {side.phases[0]: join(values.values())} if values else {}


def _doubt(load: _Load, said_kw: float, rated_kw: float) -> None:
    """A power in another unit than it says: until that is settled the value that is on the safe side counts [C-21]."""
    load.compared = Compared(power_kw=said_kw, product_kw=load.product_kw, rated_kw=rated_kw)
    is_over = abs(said_kw) > OVER_RATING * rated_kw
    is_tiny = 0.0 < said_kw < TINY_KW and load.product_kw is not None and load.product_kw > CLEAR_KW
    if not is_over and not is_tiny:
        return
    load.anomaly, load.is_derived = "power", True
    bound_kw = rated_kw if said_kw > 0.0 else -rated_kw
    load.power_kw = load.product_kw if load.product_kw is not None else bound_kw


def _currents(
    load: _Load, values: Values, side: _Side, known: tuple[dict[int, float], dict[int, float], Mapping[int, float]]
) -> None:
    """Current per phase in the order of preference of rule C.4."""
    each_a, each_kw, volts = known
    if each_a:
        load.has_phases = True
        load.current_a = _per_phase(_with_unnamed(each_a, load.power_kw, side))
        return
    total_a = _net_total(values, "current", side)
    if total_a is not None:
        load.current_a, load.is_derived = _on(side.phases, _shared_a(total_a, load.power_kw, side)), True
    elif each_kw and not load.anomaly:
        found = {p: units.kw_to_a(kw, volts.get(p, side.voltage_v), 1) for p, kw in each_kw.items()}
        load.has_phases, load.is_derived = True, True
        load.current_a = _per_phase(found)
    elif load.power_kw is not None:
        current_a = units.kw_to_a(load.power_kw, side.voltage_v, side.n_used)
        load.current_a, load.is_derived = _on(side.phases, current_a), True


def _with_unnamed(each_a: dict[int, float], power_kw: float | None, side: _Side) -> dict[int, float]:
    """A station that names one phase of three although its power says that all carry the same [G-97]."""
    unnamed = [p for p in side.phases if p not in each_a]
    if not unnamed or power_kw is None or len(each_a) != 1:
        return each_a
    (named_a,) = each_a.values()
    expected_kw = units.a_to_kw(named_a, side.voltage_v, side.n_used)
    if abs(power_kw - expected_kw) > SAME_FRAC * abs(expected_kw):
        return each_a
    return {**each_a, **dict.fromkeys(unnamed, named_a)}


def _shared_a(total_a: float, power_kw: float | None, side: _Side) -> float:
    """An unnamed current per phase: the trait or the power says whether it is the sum; else the safe side counts [G-97]."""
    n_phases = side.n_used
    is_sum = side.is_sum
    if is_sum is None and power_kw is not None and n_phases > 1:
        sum_kw = units.a_to_kw(abs(total_a), side.voltage_v, 1)
        is_sum = abs(sum_kw - abs(power_kw)) <= SUM_FRAC * abs(power_kw)
    return total_a / n_phases if is_sum else total_a


def _dc_load(values: Values, evse: Evse, side: _Side) -> _Load:
    """Inlet values are of the AC side, and so is what names a phase [C-22]; else P_dc with the losses (rule F.6)."""
    ac = Values(found={q: _ac_side(places) for q, places in values.found.items()})
    found = _ac_load(ac, evse, replace(side, places=("inlet", "outlet", "cable")))
    if found.power_kw is not None:
        return found
    dc_kw = _net_total(values, "power", side)
    if dc_kw is None:
        current_a, voltage_v = _net_total(values, "current", side), values.at("voltage", side.places).get("")
        dc_kw = units.a_to_kw(current_a, voltage_v, 1) if current_a is not None and voltage_v is not None else None
    if dc_kw is None:
        return _Load()
    load = _Load(is_derived=True)
    _doubt(load, dc_kw, full_power_kw(evse.caps))
    dc_kw = dc_kw if load.power_kw is None else load.power_kw
    load.power_kw = _grid_kw(dc_kw, full_power_kw(evse.caps))
    load.current_a = _on(side.phases, units.kw_to_a(load.power_kw, side.voltage_v, side.n_used))
    return load


def _ac_side(places: Mapping[str, dict[str, float]]) -> dict[str, dict[str, float]]:
    found = {"inlet": dict(places["inlet"])} if "inlet" in places else {}
    for place in ("outlet", "cable"):
        named = {phase: value for phase, value in places.get(place, {}).items() if phase}
        if named:
            found[place] = named
    return found


def _grid_kw(dc_kw: float, rated_kw: float) -> float:
    """Power at the AC side of a DC charger, kW; what it delivers arrives smaller (domain rule F.6)."""
    efficiency = DC_EFFICIENCY_LOW if abs(dc_kw) < DC_LOW_LOAD * rated_kw else DC_EFFICIENCY
    if dc_kw < 0.0:
        return dc_kw * DC_EFFICIENCY  # the better efficiency: never less delivery than there may be
    return dc_kw / efficiency + (DC_AUXILIARY_KW if dc_kw > DC_DRAWING_KW else 0.0)


def _net(into: float | None, out: float | None) -> float | None:
    return None if into is None and out is None else (into or 0.0) - (out or 0.0)


def _net_total(values: Values, kind: str, side: _Side) -> float | None:
    """Import − export where totals are given [C-27]."""
    return _net(values.at(f"{kind}.in", side.places).get(""), values.at(f"{kind}.out", side.places).get(""))


def _net_phases(values: Values, kind: str, side: _Side) -> dict[int, float]:
    """Import − export per grid phase; labels of terminals go through the rotation [F-22, G-98]."""
    found = by_phase(values.at(f"{kind}.in", side.places))
    for phase, value in by_phase(values.at(f"{kind}.out", side.places)).items():
        found[phase] = found.get(phase, 0.0) - value
    return {side.rotation[p]: value for p, value in found.items() if p < len(side.rotation)}


def _volts(values: Values, side: _Side) -> dict[int, float]:
    """Voltage line to neutral by phase: Lk-N, else Lk, else line to line over √3 [C.4]."""
    said = values.at("voltage", side.places)
    found: dict[int, float] = {}
    for label in ("L1-N", "L2-N", "L3-N", "L1", "L2", "L3"):
        if label in said:
            found.setdefault(LINE_TO_NEUTRAL[label], said[label])
    for label, lines in LINE_TO_LINE.items():
        if label in said:
            for line in lines:
                found.setdefault(line, said[label] / 3.0**0.5)
    if not found and said.get(""):
        found = dict.fromkeys(side.phases, said[""])
    return {side.rotation[p]: v for p, v in found.items() if p < len(side.rotation) and v > 0.0}


def _mean(volts: Mapping[int, float]) -> float | None:
    return sum(volts.values()) / len(volts) if volts else None


def _offered_a(values: Values, evse: Evse | None, side: _Side) -> float | None:
    """What the station offers, A per phase [C-4]; of a DC station only what is told for its AC side."""
    if evse is not None and evse.caps.is_dc:
        said = values.at("current.offered", ("inlet",))
    else:
        said = values.at("current.offered", side.places)
    if "" in said:
        return said[""]
    if said:
        return max(by_phase(said).values(), default=None)
    offered_kw = values.total("power.offered", side.places)
    if offered_kw is None or evse is None or not (evse.caps.is_dc or evse.caps.n_phases == 1):
        return None  # over how many phases it is offered nobody says
    if evse.caps.is_dc:
        offered_kw = _grid_kw(offered_kw, full_power_kw(evse.caps))
    return units.kw_to_a(offered_kw, evse.caps.voltage_v, evse.caps.n_phases)


def _soc(values: Values) -> float | None:
    """The car's own word first, then what its display shows [C.4]."""
    found = values.total("soc", _ANYWHERE)
    return found if found is not None else values.total("soc.shown", _ANYWHERE)


def _told(values: Values) -> Told | None:
    found = Told(
        energy_kwh=values.total("energy.wanted", _ANYWHERE),
        soc_target_frac=values.total("soc.wanted", _ANYWHERE),
        capacity_kwh=values.total("energy.capacity", _ANYWHERE),
    )
    return None if found == Told() else found


def _per_phase(values: Mapping[int, float]) -> PerPhase:
    return values.get(0, 0.0), values.get(1, 0.0), values.get(2, 0.0)


def _on(phases: tuple[int, ...], current_a: float) -> PerPhase:
    return _per_phase(dict.fromkeys(phases, current_a))
