"""NotifyEVChargingNeeds of OCPP 2.1 → what the car needs and can do (domain rule A.13)."""

from __future__ import annotations

from datetime import datetime

from loadmgr.domain import events as ev
from loadmgr.domain.ids import SessionId
from loadmgr.ocpp import needs
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import from_wire


def stated(payload: Json, session: SessionId, now: datetime) -> ev.NeedsStated:
    """The needs of the car in a session; values that make no sense are left out [A-124]."""
    said = payload["chargingNeeds"]
    ac, dc, v2x = (said.get(f"{name}ChargingParameters", {}) for name in ("ac", "dc", "v2x"))
    depart_at = from_wire(said["departureTime"]) if "departureTime" in said else None
    return ev.NeedsStated(
        at=now,
        session=session,
        transfer=said["requestedEnergyTransfer"],
        energy_kwh=_energy_kwh(ac, dc, v2x),
        depart_at=needs.departure(depart_at, now),
        current_min_a=needs.current_a(ac.get("evMinCurrent", v2x.get("minChargeCurrent"))),
        current_max_a=needs.least(needs.current_a(ac.get("evMaxCurrent")), needs.current_a(v2x.get("maxChargeCurrent"))),
        power_max_kw=needs.least(needs.power_kw(dc.get("evMaxPower")), _power_kw(v2x, "maxChargePower")),
        discharge_max_kw=_power_kw(v2x, "maxDischargePower"),
        capacity_kwh=needs.energy_kwh(dc.get("evEnergyCapacity")),
        soc_frac=needs.frac(dc.get("stateOfCharge")),
        soc_target_frac=needs.frac(v2x.get("targetSoC", dc.get("fullSoC"))),
        periods_max=max(payload.get("maxScheduleTuples", 1), 1),
    )


def _energy_kwh(ac: Json, dc: Json, v2x: Json) -> float | None:
    """The car's target where it states one, else the amount of its AC or DC parameters."""
    for value in (v2x.get("evTargetEnergyRequest"), ac.get("energyAmount"), dc.get("energyAmount")):
        found = needs.energy_kwh(value)
        if found is not None:
            return found
    return None


def _power_kw(v2x: Json, name: str) -> float | None:
    """A power over all phases: the three values where the car states them per phase, else the one."""
    phases = [needs.power_kw(v2x.get(f"{name}_{phase}")) for phase in ("L2", "L3")]
    return needs.total(needs.power_kw(v2x.get(name)), *phases)
