"""How sloppy software writes what it means: forms of payloads, times and meter values (rules G.2 and G.4)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone

from loadmgr.sim.faults import Faults
from loadmgr.sim.profiles import Json

STRAY_EVERY = 5
GLITCH_EVERY, EMPTY_EVERY, ZERO_EVERY = 8, 3, 10
TWO_HOURS = timezone(timedelta(hours=2))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """One sampled value before a version writes it."""

    measurand: str
    value: float
    unit: str
    phase: str = ""
    n_decimals: int = 1


def floats(value: object) -> object:
    """Every integer as 20000.0."""
    if isinstance(value, dict):
        return {k: floats(v) for k, v in value.items()}
    if isinstance(value, list):
        return [floats(v) for v in value]
    return float(value) if isinstance(value, int) and not isinstance(value, bool) else value


@dataclass(slots=True)
class Mangler:
    """Applies the faults of one station to what it writes."""

    faults: Faults
    n_calls: int = 0
    n_samples: int = 0
    _first: tuple[Reading, ...] = ()

    def payload(self, payload: Json) -> Json:
        """A whole payload."""
        if self.faults.nulls_and_extras:  # G-57
            payload = {**payload, "customData": None, "vendorRemark": "fine"}
        if self.faults.floats_for_integers:
            return {k: floats(v) for k, v in payload.items()}
        return payload

    def stray(self) -> str:
        """A frame that belongs to nothing, from time to time, or ""."""
        self.n_calls += 1
        if self.n_calls % STRAY_EVERY:
            return ""
        if self.faults.stray_results:
            return f'[3,"stray-{self.n_calls}",{{}}]'
        if self.faults.stray_errors:
            return f'[4,"stray-{self.n_calls}","InternalError","nobody asked",{{}}]'
        return ""

    def stamp(self, at: datetime) -> str:
        """RFC 3339 as the station means it [G-51]."""
        at = at.astimezone(UTC)
        match self.faults.stamps:
            case "naive":
                return at.strftime("%Y-%m-%dT%H:%M:%S")
            case "short":
                return at.astimezone(TWO_HOURS).strftime("%Y-%m-%dT%H:%M:%S") + "+02"
        return at.strftime("%Y-%m-%dT%H:%M:%SZ")

    def readings(self, found: tuple[Reading, ...]) -> tuple[Reading, ...]:
        """Sampled values as this meter tells them (rule G.4)."""
        faults = self.faults
        self.n_samples += 1
        if faults.frozen_samples:  # G-99
            self._first = self._first or found
            found = self._first
        if faults.empty_samples and self.n_samples % EMPTY_EVERY == 0:
            return ()  # G-60
        found = tuple(r for r in found if self._is_told(r))
        if faults.unnamed_total_current:  # G-97
            total_a = sum(r.value for r in found if r.measurand == "Current.Import")
            found = tuple(r for r in found if r.measurand != "Current.Import")
            found += (Reading(measurand="Current.Import", value=total_a, unit="A", n_decimals=2),)
        return tuple(self._mangled(r) for r in found)

    def _is_told(self, reading: Reading) -> bool:
        faults, name = self.faults, reading.measurand
        if faults.only_energy:
            return name.startswith("Energy.")  # G-94
        if faults.only_currents and name.startswith("Power."):
            return False  # G-93
        return not (faults.only_first_phase and reading.phase in {"L2", "L3"})  # G-97

    def _mangled(self, reading: Reading) -> Reading:
        faults, name, value, unit = self.faults, reading.measurand, reading.value, reading.unit
        if faults.register_glitches and name.startswith("Energy.") and self.n_samples % ZERO_EVERY == 0:
            value = 0.0  # G-92
        if faults.energy_is_wrong and name.startswith("Energy."):
            return replace(reading, value=value / 1000.0, n_decimals=3)  # G-91
        if faults.unit_is_wrong and name.startswith("Power."):
            unit = "kW"  # G-90: the value stays in W
        if faults.glitches and self.n_samples % GLITCH_EVERY == 0 and not name.startswith("Energy."):
            value = -5000.0 if self.n_samples % (2 * GLITCH_EVERY) == 0 else 1e6  # G-100
        if faults.odd_spelling:
            unit = unit.lower()  # G-58
        return reading if value == reading.value and unit == reading.unit else replace(reading, value=value, unit=unit)
