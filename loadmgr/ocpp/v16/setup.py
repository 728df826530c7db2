"""What to configure at boot in OCPP 1.6 (domain rules C.3, A.5). Later lists are tried when earlier ones are refused."""

from __future__ import annotations

from loadmgr.domain.params import ControlParams
from loadmgr.domain.traits import Traits

CAPABILITIES = (
    "SupportedFeatureProfiles",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "MaxChargingProfilesInstalled",
    "ConnectorPhaseRotation",
    "MeterValueSampleInterval",
    "MeterValuesSampledDataMaxLength",
    "ConnectionTimeOut",
    "StopTransactionOnEVSideDisconnect",
    "StopTransactionOnInvalidId",
    "UnlockConnectorOnEVSideDisconnect",
    "LocalPreAuthorize",
    "AuthorizeRemoteTxRequests",
    "AllowOfflineTxForUnknownId",
)

MEASURANDS = (
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered,Power.Offered,SoC",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register",
    "Current.Import,Energy.Active.Import.Register",
    "Power.Active.Import,Energy.Active.Import.Register",
    "Power.Active.Import.L1,Power.Active.Import.L2,Power.Active.Import.L3,Energy.Active.Import.Register",
    "Energy.Active.Import.Register",
)
"""In the order of value; an unsupported entry gets the whole list refused, so shorter ones follow [G-29]."""

EXPORT = "Power.Active.Export,Current.Export,Energy.Active.Export.Register"
"""What a charger that can deliver is asked for as well [C-27]."""


def settings(params: ControlParams, traits: Traits = Traits()) -> tuple[tuple[str, tuple[str, ...]], ...]:  # noqa: B008
    """(key, values in order of preference)."""
    measurands: tuple[str, ...] = MEASURANDS
    if traits.discharge_rated_kw is not None:
        measurands = (f"{MEASURANDS[0]},{EXPORT}", f"{MEASURANDS[3]},{EXPORT}", *MEASURANDS)
    return (
        ("MeterValueSampleInterval", (str(int(params.sample_interval_s)), "30", "60")),
        ("MeterValuesSampledData", measurands),
        ("ClockAlignedDataInterval", ("0",)),
        ("StopTxnSampledData", ("", "Energy.Active.Import.Register")),
        ("StopTxnAlignedData", ("",)),
        ("MinimumStatusDuration", ("1", "0")),
        ("WebSocketPingInterval", ("60",)),
    )
