"""What to configure at boot in OCPP 2.0.1 (domain rules C.3, A.5). Later values are tried when earlier are refused."""

from __future__ import annotations

from loadmgr.domain.params import ControlParams
from loadmgr.domain.traits import Traits

CAPABILITIES = (
    "SmartChargingCtrlr.Available",
    "SmartChargingCtrlr.Enabled",
    "SmartChargingCtrlr.RateUnit",
    "SmartChargingCtrlr.ProfileStackLevel",
    "SmartChargingCtrlr.PeriodsPerSchedule",
    "SmartChargingCtrlr.Phases3to1",
    "SmartChargingCtrlr.ExternalControlSignalsEnabled",
    "TxCtrlr.TxStartPoint",
    "TxCtrlr.TxStopPoint",
)

_MEASURANDS = (
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered,Power.Offered,SoC",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register",
    "Current.Import,Energy.Active.Import.Register",
    "Power.Active.Import,Energy.Active.Import.Register",
    "Energy.Active.Import.Register",
)
_EXPORT = "Power.Active.Export,Current.Export,Energy.Active.Export.Register"
"""What a charger that can deliver is asked for as well [C-27]."""
_REGISTER = ("Energy.Active.Import.Register",)


def settings(params: ControlParams, traits: Traits) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(Component.Variable, values in order of preference).

    The aligned values are switched off, but what they say is set: a triggered MeterValues carries that list [C-10].
    """
    measurands: tuple[str, ...] = _MEASURANDS
    if traits.discharge_rated_kw is not None:
        measurands = (f"{_MEASURANDS[0]},{_EXPORT}", f"{_MEASURANDS[2]},{_EXPORT}", *_MEASURANDS)
    return (
        ("SampledDataCtrlr.TxUpdatedInterval", (str(int(params.sample_interval_s)), "30", "60")),
        ("SampledDataCtrlr.TxUpdatedMeasurands", measurands),
        ("SampledDataCtrlr.TxStartedMeasurands", _REGISTER),
        ("SampledDataCtrlr.TxEndedMeasurands", _REGISTER),
        ("SampledDataCtrlr.TxEndedInterval", ("0",)),
        ("AlignedDataCtrlr.Interval", ("0",)),
        ("AlignedDataCtrlr.Measurands", measurands),
        ("SmartChargingCtrlr.LimitChangeSignificance", ("5",)),
    )
