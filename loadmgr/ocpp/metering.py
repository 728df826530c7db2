"""Sampled values of any version → one measurement (domain rules C.2, C.4, C.20-C.28)."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass

from loadmgr import units
from loadmgr.domain.samples import Measured, PerPhase, Quality
from loadmgr.domain.site import Evse

CURRENT_MAX_A = 1000.0
VOLTAGE_MAX_V = 1000.0
POWER_MAX_KW = 2000.0
ENERGY_MAX_KWH = 100_000_000.0

_PHASE = {"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2}
_TO_KILO = {"W": 0.001, "KW": 1.0, "WH": 0.001, "KWH": 1.0, "VA": 0.001, "KVA": 1.0}
_HISTORY = frozenset({"Transaction.Begin", "Transaction.End", "Sample.Clock", "Interruption.Begin", "Interruption.End"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One sampled value with its defaults filled in; ``value`` is as sent, ``multiplier`` a power of ten."""

    value: object
    measurand: str = "Energy.Active.Import.Register"
    phase: str = ""
    unit: str = ""
    multiplier: int = 0
    context: str = "Sample.Periodic"
    location: str = "Outlet"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measurement:
    """What one meterValue says, and how many of its values were refused as nonsense [B08]."""

    measured: Measured
    quality: Quality
    n_refused: int


@dataclass(slots=True)
class _Sums:
    """Values by measurand: the total, and per phase."""

    total: dict[str, float]
    phases: dict[str, dict[int, float]]
    n_refused: int = 0


def number(value: object) -> float | None:
    """A finite number from a JSON number or text; ``None`` for everything else: "12,5", "0x10", "", NaN [B08]."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        found = float(value) if not isinstance(value, str) or "_" not in value else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


def measure(readings: Iterable[Reading], evse: Evse | None) -> Measurement:
    """Combine readings into one measurement in grid phases L1..L3, kW and kWh.

    ``evse`` spreads totals over its phases; without it (a main meter) over all three. Discharge counts negative
    [C-27]. Values from other places than the outlet are used only where the outlet says nothing.
    """
    listed = list(readings)
    outlet = [r for r in listed if r.location in {"Outlet", ""}] or listed
    sums = _Sums({}, {})
    for reading in outlet:
        _add(sums, reading)
    voltage_v = evse.caps.voltage_v if evse is not None else 230.0
    phases = evse.phases_of(evse.caps.n_phases) if evse is not None else (0, 1, 2)
    power_kw, is_derived = _power(sums, voltage_v)
    current_a, is_spread = _current(sums, power_kw, (phases, voltage_v))
    if power_kw is None and current_a is not None:
        power_kw, is_derived = units.a_to_kw(sum(current_a), voltage_v, 1), True
    contexts = {r.context for r in outlet}
    quality = Quality.DERIVED if is_derived or is_spread else Quality.GOOD
    if contexts and contexts <= _HISTORY:
        quality = Quality.HISTORY
    offered = sums.total.get("Current.Offered")
    soc = sums.total.get("SoC")
    return Measurement(
        measured=Measured(
            current_a=current_a,
            power_kw=power_kw,
            energy_kwh=sums.total.get("Energy.Active.Import.Register"),
            offered_a=offered,
            soc_frac=soc / 100.0 if soc is not None else None,
        ),
        quality=quality,
        n_refused=sums.n_refused,
    )


def _add(sums: _Sums, reading: Reading) -> None:
    value = number(reading.value)
    if value is not None:
        value = _scaled(value, reading)
    if value is None:
        sums.n_refused += 1
        return
    if not reading.phase:
        sums.total[reading.measurand] = value
        return
    phase = _PHASE.get(reading.phase)
    if phase is None:
        return  # N carries no load of its own; line-to-line values are not used [C-28]
    known = sums.phases.setdefault(reading.measurand, {})
    if reading.phase in {"L1", "L2", "L3"} or phase not in known:
        known[phase] = value


def _scaled(value: float, reading: Reading) -> float | None:
    """In A, V, kW, kWh or percent; ``None`` beyond physical bounds [C-25]."""
    if not -10 <= reading.multiplier <= 10:
        return None
    value *= 10.0**reading.multiplier
    kind = reading.measurand.split(".")[0]
    unit = reading.unit.upper()
    bound = {"Current": CURRENT_MAX_A, "Voltage": VOLTAGE_MAX_V, "SoC": 100.0}.get(kind)
    if kind == "Power" and not reading.measurand.startswith("Power.Factor"):
        value *= _TO_KILO.get(unit or "W", 0.001)
        bound = POWER_MAX_KW
    elif kind == "Energy":
        value *= _TO_KILO.get(unit or "WH", 0.001)
        bound = ENERGY_MAX_KWH
    if kind in {"Energy", "SoC", "Voltage"} and value < 0:
        return None  # registers and voltages are never negative [B09]
    return None if bound is not None and abs(value) > bound else value


def _net(sums: _Sums, kind: str) -> tuple[float | None, dict[int, float]]:
    """Import − export, in total and per phase."""
    total, out = sums.total.get(f"{kind}.Import"), sums.total.get(f"{kind}.Export")
    phases = dict(sums.phases.get(f"{kind}.Import", {}))
    for phase, value in sums.phases.get(f"{kind}.Export", {}).items():
        phases[phase] = phases.get(phase, 0.0) - value
    if total is None and out is None:
        return None, phases
    return (total or 0.0) - (out or 0.0), phases


def _power(sums: _Sums, voltage_v: float) -> tuple[float | None, bool]:
    total, phases = _net(sums, "Power.Active")
    if total is not None:
        return total, False
    if phases:
        return sum(phases.values()), False
    _, currents = _net(sums, "Current")
    if not currents:
        return None, False
    volts = sums.phases.get("Voltage", {})
    return sum(units.a_to_kw(a, volts.get(p, voltage_v), 1) for p, a in currents.items()), True


def _current(sums: _Sums, power_kw: float | None, wiring: tuple[tuple[int, ...], float]) -> tuple[PerPhase | None, bool]:
    phases, voltage_v = wiring
    total, by_phase = _net(sums, "Current")
    if by_phase:
        return (by_phase.get(0, 0.0), by_phase.get(1, 0.0), by_phase.get(2, 0.0)), False
    _, powers = _net(sums, "Power.Active")
    if powers:
        volts = sums.phases.get("Voltage", {})
        each = {p: units.kw_to_a(kw, volts.get(p, voltage_v), 1) for p, kw in powers.items()}
        return (each.get(0, 0.0), each.get(1, 0.0), each.get(2, 0.0)), True
    if total is not None:
        if power_kw is not None and len(phases) > 1 and units.a_to_kw(total, voltage_v, 1) <= power_kw * 1.1:
            total /= len(phases)  # power says that the unnamed current is the sum of the phases [C.4]
        return _on(phases, total), True
    if power_kw is not None:
        return _on(phases, units.kw_to_a(power_kw, voltage_v, len(phases))), True
    return None, False


def _on(phases: tuple[int, ...], current_a: float) -> PerPhase:
    values = [current_a if p in phases else 0.0 for p in range(3)]
    return (values[0], values[1], values[2])
