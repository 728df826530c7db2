"""Sampled values as stations spell them → quantities in kW, kWh, A, V and parts of one (domain rules C.1, C.2, C.20)."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from loadmgr.domain.traits import Traits

CURRENT_MAX_A = 1000.0
MAIN_CURRENT_MAX_A = 10_000.0
"""Of an EVSE, and of a main meter, which may stand at a transformer."""
VOLTAGE_MAX_V = 1000.0
POWER_MAX_KW = 1_000_000.0
"""Beyond this a power is no power in any unit; what an EVSE can draw is judged where its rating is known [C-21]."""
ENERGY_MAX_KWH = 100_000_000.0

_HISTORY = frozenset({"transaction.begin", "transaction.end", "sample.clock", "interruption.begin", "interruption.end"})

_QUANTITIES: Mapping[str, str] = {
    "power.active.import": "power.in",
    "power.active.export": "power.out",
    "power.offered": "power.offered",
    "power.import.offered": "power.offered",
    "power.export.offered": "power.offered.back",
    "power.active.setpoint": "power.setpoint",
    "current.import": "current.in",
    "current.export": "current.out",
    "current.offered": "current.offered",
    "current.import.offered": "current.offered",
    "current.export.offered": "current.offered.back",
    "voltage": "voltage",
    "energy.active.import.register": "energy.in",
    "energy.active.export.register": "energy.out",
    "energy.active.import.interval": "energy.in.interval",
    "energy.active.export.interval": "energy.out.interval",
    "energyrequest.target": "energy.wanted",
    "energyrequest.minimum": "energy.wanted.least",
    "energyrequest.maximum": "energy.wanted.most",
    "energyrequest.minimum.v2x": "energy.v2x.least",
    "energyrequest.maximum.v2x": "energy.v2x.most",
    "energyrequest.bulk": "energy.bulk",
    "soc": "soc",
    "display.presentsoc": "soc.shown",
    "display.targetsoc": "soc.wanted",
    "display.batteryenergycapacity": "energy.capacity",
}
"""Measurands of C.2 that concern control; the others stay in the frame log."""

_UNITS: Mapping[str, Mapping[str, float]] = {
    "power": {"": 0.001, "W": 0.001, "KW": 1.0, "MW": 1000.0, "VA": 0.001, "KVA": 1.0},
    "energy": {"": 0.001, "WH": 0.001, "KWH": 1.0, "MWH": 1000.0, "VAH": 0.001, "KVAH": 1.0},
    "current": {"": 1.0, "A": 1.0, "MA": 0.001},
    "voltage": {"": 1.0, "V": 1.0, "KV": 1000.0},
    "soc": {"": 0.01, "PERCENT": 0.01, "%": 0.01},
}
_SIGNED = frozenset({"power.in", "power.out", "current.in", "current.out", "power.setpoint", "energy.v2x.least"})
"""Registers, voltages, offers and states of charge are never negative [B09]; the least V2X energy may be [C.2]."""

LINE_TO_NEUTRAL: Mapping[str, int] = MappingProxyType({"L1": 0, "L2": 1, "L3": 2, "L1-N": 0, "L2-N": 1, "L3-N": 2})
LINE_TO_LINE: Mapping[str, tuple[int, int]] = MappingProxyType({"L1-L2": (0, 1), "L2-L3": (1, 2), "L3-L1": (2, 0)})
PHASES = frozenset({*LINE_TO_NEUTRAL, *LINE_TO_LINE})


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

    @property
    def is_live(self) -> bool:
        """False for contexts that feed history only [C-24]."""
        return self.context.lower() not in _HISTORY


def number(value: object) -> float | None:
    """A finite number from a JSON number or text; ``None`` for everything else: "12,5", "0x10", "", NaN [B08]."""
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        is_plain = not isinstance(value, str) or ("_" not in value and value.isascii())
        found = float(value) if is_plain else math.nan
    except (ValueError, OverflowError):
        return None
    return found if math.isfinite(found) else None


@dataclass(slots=True)
class Values:
    """Values of one sample by quantity, location and phase; the empty phase is the total."""

    found: dict[str, dict[str, dict[str, float]]] = field(default_factory=dict)
    n_refused: int = 0
    current_max_a: float = CURRENT_MAX_A

    def add(self, reading: Reading, traits: Traits) -> None:
        """Take a reading in; nonsense is counted [C-25], what does not concern control is passed over."""
        measurand, phase = _split(reading)
        quantity = _QUANTITIES.get(measurand)
        if quantity is None:
            return
        if phase and phase not in PHASES:
            return  # the neutral carries no load of its own [C-28]
        value = number(reading.value)
        if value is not None:
            value = _scaled(value, quantity, reading, (traits, self.current_max_a))
        if value is None:
            self.n_refused += 1
            return
        place = self.found.setdefault(quantity, {}).setdefault(reading.location.lower() or "outlet", {})
        place[phase] = value

    def at(self, quantity: str, places: tuple[str, ...]) -> Mapping[str, float]:
        """Values by phase of the first place that has any."""
        known = self.found.get(quantity, {})
        return next((known[p] for p in places if p in known), {})

    def total(self, quantity: str, places: tuple[str, ...]) -> float | None:
        """The total, or the sum of the phases where no total is given [C-28]."""
        values = self.at(quantity, places)
        if "" in values:
            return values[""]
        each = by_phase(values)
        if each and not any(label in LINE_TO_NEUTRAL for label in values):
            return sum(v for label, v in values.items() if label in LINE_TO_LINE)
        return sum(each.values()) if each else None


def by_phase(values: Mapping[str, float]) -> dict[int, float]:
    """Values per conductor: ``L1`` stands before ``L1-N`` [C-22]; a line-to-line value counts on both its lines."""
    found: dict[int, float] = {}
    for label, number_of in LINE_TO_NEUTRAL.items():
        if label in values:
            found.setdefault(number_of, values[label])
    if found:
        return found
    for label, lines in LINE_TO_LINE.items():
        if label in values:
            for line in lines:
                found[line] = found.get(line, 0.0) + values[label]
    return found


def _split(reading: Reading) -> tuple[str, str]:
    """(measurand in lower case, phase label); ``Current.Import.L1`` carries its phase in its name (rule C.3)."""
    measurand, phase = reading.measurand.strip().lower(), reading.phase.strip().upper()
    if not phase:
        before, _, last = measurand.rpartition(".")
        if last.upper() in PHASES or last == "n":
            return before, last.upper()
    return measurand, phase


def _scaled(value: float, quantity: str, reading: Reading, how: tuple[Traits, float]) -> float | None:
    """In the unit of the quantity, or ``None``: a unit of something else, or beyond physical bounds [C-20, C-25].

    ``how`` = (traits of the charger, the most that a current may be).
    """
    traits, current_max_a = how
    kind = quantity.partition(".")[0]
    factor = _UNITS[kind].get(reading.unit.strip().upper())
    if factor is None or not -10 <= reading.multiplier <= 10:
        return None
    value *= factor * 10.0**reading.multiplier
    if kind == "power":
        value *= traits.power_factor
    elif kind == "energy":
        value *= traits.energy_factor
    if value < 0.0 and quantity not in _SIGNED:
        return None
    bound = {
        "current": current_max_a,
        "voltage": VOLTAGE_MAX_V,
        "soc": 1.0,
        "power": POWER_MAX_KW,
        "energy": ENERGY_MAX_KWH,
    }[kind]
    return value if abs(value) <= bound else None
