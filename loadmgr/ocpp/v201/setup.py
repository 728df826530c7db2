"""What to configure at boot in OCPP 2.0.1 (domain rules C.3, A.5). Later values are tried when earlier are refused."""

from __future__ import annotations

from loadmgr.domain.params import ControlParams

CAPABILITIES = (
    "SmartChargingCtrlr.Enabled",
    "SmartChargingCtrlr.RateUnit",
    "SmartChargingCtrlr.ProfileStackLevel",
    "SmartChargingCtrlr.PeriodsPerSchedule",
    "TxCtrlr.TxStartPoint",
    "TxCtrlr.TxStopPoint",
)

_UPDATED = (
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register",
    "Energy.Active.Import.Register",
)
_REGISTER = ("Energy.Active.Import.Register",)


def settings(params: ControlParams) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(Component.Variable, values in order of preference)."""
    return (
        ("SampledDataCtrlr.TxUpdatedInterval", (str(int(params.sample_interval_s)), "30", "60")),
        ("SampledDataCtrlr.TxUpdatedMeasurands", _UPDATED),
        ("SampledDataCtrlr.TxStartedMeasurands", _REGISTER),
        ("SampledDataCtrlr.TxEndedMeasurands", _REGISTER),
        ("AlignedDataCtrlr.Interval", ("0",)),
        ("SmartChargingCtrlr.LimitChangeSignificance", ("5",)),
    )
