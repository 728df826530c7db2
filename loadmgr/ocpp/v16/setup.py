"""What to configure at boot in OCPP 1.6 (domain rules C.3, A.5). Later lists are tried when earlier ones are refused."""

from __future__ import annotations

from loadmgr.domain.params import ControlParams

CAPABILITIES = (
    "SupportedFeatureProfiles",
    "ChargeProfileMaxStackLevel",
    "ChargingScheduleAllowedChargingRateUnit",
    "ChargingScheduleMaxPeriods",
    "MaxChargingProfilesInstalled",
    "ConnectorPhaseRotation",
)

MEASURANDS = (
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register,Voltage,Current.Offered",
    "Power.Active.Import,Current.Import,Energy.Active.Import.Register",
    "Current.Import,Energy.Active.Import.Register",
    "Power.Active.Import,Energy.Active.Import.Register",
    "Energy.Active.Import.Register",
)
"""An unsupported entry gets the whole list refused, so shorter ones follow [G-29]."""


def settings(params: ControlParams) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """(key, values in order of preference)."""
    return (
        ("MeterValueSampleInterval", (str(int(params.sample_interval_s)), "30", "60")),
        ("MeterValuesSampledData", MEASURANDS),
        ("ClockAlignedDataInterval", ("0",)),
        ("StopTxnSampledData", ("", "Energy.Active.Import.Register")),
        ("WebSocketPingInterval", ("60",)),
    )
