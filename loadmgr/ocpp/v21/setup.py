"""What to configure at boot in OCPP 2.1 (domain rules C.3, A.5, B.2). Later values are tried when earlier are refused."""

from __future__ import annotations

from loadmgr.domain.params import ControlParams
from loadmgr.domain.traits import Traits

CAPABILITIES = (
    "SmartChargingCtrlr.Enabled",
    "SmartChargingCtrlr.RateUnit",
    "SmartChargingCtrlr.ProfileStackLevel",
    "SmartChargingCtrlr.PeriodsPerSchedule",
    "SmartChargingCtrlr.SupportsDynamicProfiles",
    "SmartChargingCtrlr.SupportsMaxOfflineDuration",
    "SmartChargingCtrlr.MaxExternalConstraintsId",
    "SmartChargingCtrlr.SupportedAdditionalPurposes",
    "SmartChargingCtrlr.SetpointPriority",
    "TxCtrlr.TxStartPoint",
    "TxCtrlr.TxStopPoint",
    "V2XChargingCtrlr.Enabled",
    "V2XChargingCtrlr.SupportedEnergyTransferModes",
    "V2XChargingCtrlr.SupportedOperationModes",
    "DCDERCtrlr.ModesSupported",
    "DCDERCtrlr.MaxW",
    "ACDERCtrlr.ModesSupported",
)

_UPDATED = (
    "Power.Active.Import,Power.Active.Export,Current.Import,Current.Export,Energy.Active.Import.Register,"
    "Energy.Active.Export.Register,Voltage,Current.Import.Offered,SoC",
    "Power.Active.Import,Power.Active.Export,Current.Import,Energy.Active.Import.Register,SoC",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register",
    "Energy.Active.Import.Register",
)
_REGISTERS = ("Energy.Active.Import.Register,Energy.Active.Export.Register", "Energy.Active.Import.Register")


def settings(params: ControlParams, traits: Traits) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(Component.Variable, values in order of preference)."""
    del traits
    return (
        ("SampledDataCtrlr.TxUpdatedInterval", (str(int(params.sample_interval_s)), "30", "60")),
        ("SampledDataCtrlr.TxUpdatedMeasurands", _UPDATED),
        ("SampledDataCtrlr.TxStartedMeasurands", _REGISTERS),
        ("SampledDataCtrlr.TxEndedMeasurands", _REGISTERS),
        ("AlignedDataCtrlr.Interval", ("0",)),
        ("SmartChargingCtrlr.LimitChangeSignificance", ("5",)),
    )
