"""What the meter of an EVSE shows, before a version writes it down."""

from __future__ import annotations

from loadmgr.domain.site import PHASES
from loadmgr.sim.faults import Faults
from loadmgr.sim.mangling import Reading
from loadmgr.sim.outlet import Outlet

IMPORT, EXPORT = "Energy.Active.Import.Register", "Energy.Active.Export.Register"
BASIC = frozenset({"Power.Active.Import", IMPORT, "Current.Import"})
"""What a station that refuses a list for one unknown name knows (G-29)."""


def register(outlet: Outlet, faults: Faults, measurand: str, value_wh: int) -> Reading:
    """A register as the station shows it: for ever, or since the car came (G-92)."""
    base_wh = outlet.plugged_wh[0 if measurand == IMPORT else 1] if faults.session_register else 0.0
    return Reading(measurand=measurand, value=max(value_wh - int(base_wh), 0), unit="Wh", n_decimals=0)


def live(outlet: Outlet, faults: Faults, *, offered: str = "Current.Offered") -> tuple[Reading, ...]:
    """Everything that the meter can show now; export only where the EVSE can deliver.

    ``offered`` is what the version calls the signal: 2.1 has one name per direction [C-4].
    """
    outlet.update()
    power_w = outlet.power_kw * 1000.0
    found = [
        Reading(measurand="Power.Active.Import", value=max(power_w, 0.0), unit="W"),
        register(outlet, faults, IMPORT, outlet.register_wh()),
        Reading(measurand=offered, value=outlet.offered_a(), unit="A"),
    ]
    found += [
        Reading(measurand="Voltage", value=outlet.evse.caps.voltage_v, unit="V", phase=f"{p}-N")
        for p in PHASES[: outlet.evse.caps.n_phases]
    ]
    currents = _labelled(outlet, faults)
    found += [_current("Current.Import", p, max(a, 0.0)) for p, a in currents]
    if outlet.evse.caps.discharge_max_kw > 0:
        found.append(Reading(measurand="Power.Active.Export", value=max(-power_w, 0.0), unit="W"))
        found.append(register(outlet, faults, EXPORT, outlet.export_register_wh()))
        found += [_current("Current.Export", p, max(-a, 0.0)) for p, a in currents]
    car, soc = outlet.car, outlet.soc_frac
    if car is not None and soc is not None and (car.says_soc or car.is_bidirectional):
        found.append(Reading(measurand="SoC", value=min(soc, 1.0) * 100.0, unit="Percent"))
    if faults.odd_spelling:
        found.append(Reading(measurand="Temperature", value=31.0, unit="Celcius"))  # G-58
        found.append(Reading(measurand="Frequency", value=50.0, unit="Hz"))
    return tuple(found)


def _current(measurand: str, phase: str, current_a: float) -> Reading:
    return Reading(measurand=measurand, value=current_a, unit="A", phase=phase, n_decimals=2)


def _labelled(outlet: Outlet, faults: Faults) -> list[tuple[str, float]]:
    """Currents under the labels of the grid's phases, or of the station's terminals (G-98)."""
    if not faults.terminal_labels:
        return list(zip(PHASES, outlet.phase_a, strict=True))
    n, fractions = outlet.n_phases, outlet.phase_frac
    return [(p, outlet.current_a * fractions[i] if i < n else 0.0) for i, p in enumerate(PHASES)]


def chosen(found: tuple[Reading, ...], wanted: str) -> tuple[Reading, ...]:
    """Only what the configured list asks for; everything when there is none."""
    names = {w.strip() for w in wanted.split(",") if w.strip()}
    kept = tuple(r for r in found if r.measurand in names)
    return kept or found
