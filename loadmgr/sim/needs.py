"""What a car says of itself over ISO 15118: the payload of NotifyEVChargingNeeds in 2.1 (rule A.13)."""

from __future__ import annotations

from loadmgr.sim.outlet import Outlet
from loadmgr.sim.profiles import Json
from loadmgr.sim.vehicle import Car

DC_MAX_V = 920.0


def charging_needs(outlet: Outlet, car: Car) -> Json:
    """Energies in Wh and powers in W count from now; those of discharge are positive here as in ISO 15118-20."""
    caps, delivered_kwh = outlet.evse.caps, outlet.delivered_kwh
    most_w = min(car.max_a, caps.current_max_a) * caps.voltage_v * outlet.n_phases
    left_wh = max(car.wanted_kwh - delivered_kwh, 0.0) * 1000.0
    needs: Json = {
        "requestedEnergyTransfer": car.transfer,
        "availableEnergyTransfer": sorted({car.transfer, "DC" if car.is_dc else "AC_three_phase"}),
        "controlMode": "DynamicControl" if car.is_bidirectional else "ScheduledControl",
    }
    needs |= _basic(outlet, car, most_w, left_wh)
    if car.is_bidirectional:
        needs["v2xChargingParameters"] = _v2x(outlet, car, most_w, left_wh)
    return {"evseId": outlet.evse.number, "maxScheduleTuples": 24, "chargingNeeds": needs}


def _basic(outlet: Outlet, car: Car, most_w: float, left_wh: float) -> Json:
    """What any car of the standard says, for direct or alternating current."""
    if car.is_dc:
        return {
            "dcChargingParameters": {
                "evMaxCurrent": round(most_w / DC_MAX_V, 1),
                "evMaxVoltage": DC_MAX_V,
                "evMaxPower": round(most_w, 1),
                "evEnergyCapacity": car.battery_kwh * 1000.0,
                "energyAmount": round(left_wh, 1),
                "stateOfCharge": int(car.soc_at(outlet.delivered_kwh) * 100.0),
                "fullSoC": 100,
            }
        }
    return {
        "acChargingParameters": {
            "energyAmount": round(left_wh, 1),
            "evMinCurrent": car.minimum_a,
            "evMaxCurrent": car.max_a,
            "evMaxVoltage": outlet.evse.caps.voltage_v,
        }
    }


def _v2x(outlet: Outlet, car: Car, most_w: float, left_wh: float) -> Json:
    """The band in which the battery may move, and the powers in both directions."""
    delivered_kwh = outlet.delivered_kwh
    to_full_wh = car.kwh_to(1.0, delivered_kwh) * 1000.0
    to_floor_wh = car.kwh_to(car.floor_frac, delivered_kwh) * 1000.0
    down_w = min(car.max_discharge_kw, outlet.evse.caps.discharge_max_kw) * 1000.0
    return {
        "minChargePower": 0.0,
        "maxChargePower": round(most_w, 1),
        "minDischargePower": 0.0,
        "maxDischargePower": round(down_w, 1),
        "evTargetEnergyRequest": round(left_wh, 1),
        "evMinEnergyRequest": round(to_floor_wh, 1),
        "evMaxEnergyRequest": round(to_full_wh, 1),
        "evMinV2XEnergyRequest": round(to_floor_wh, 1),
        "evMaxV2XEnergyRequest": round(to_full_wh, 1),
        "targetSoC": min(int(car.soc_at(delivered_kwh) * 100.0 + left_wh / car.battery_kwh / 10.0), 100),
    }
