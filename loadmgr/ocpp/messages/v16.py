"""Messages of OCPP 1.6, one type for each distinct definition; made by ``python -m loadmgr.ocpp.generate``."""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

Whole = Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)]
Number = Whole | Annotated[float, Meta(ge=-9007199254740991.0, le=9007199254740991.0)]


class Authorize(TypedDict):
    idTag: Annotated[str, Meta(max_length=20)]


Status = Literal["Accepted", "Blocked", "Expired", "Invalid", "ConcurrentTx"]


class IdTagInfo(TypedDict):
    expiryDate: NotRequired[str]
    parentIdTag: NotRequired[Annotated[str, Meta(max_length=20)]]
    status: Status


class AuthorizeResponse(TypedDict):
    idTagInfo: IdTagInfo


class BootNotification(TypedDict):
    chargePointVendor: Annotated[str, Meta(max_length=20)]
    chargePointModel: Annotated[str, Meta(max_length=20)]
    chargePointSerialNumber: NotRequired[Annotated[str, Meta(max_length=25)]]
    chargeBoxSerialNumber: NotRequired[Annotated[str, Meta(max_length=25)]]
    firmwareVersion: NotRequired[Annotated[str, Meta(max_length=50)]]
    iccid: NotRequired[Annotated[str, Meta(max_length=20)]]
    imsi: NotRequired[Annotated[str, Meta(max_length=20)]]
    meterType: NotRequired[Annotated[str, Meta(max_length=25)]]
    meterSerialNumber: NotRequired[Annotated[str, Meta(max_length=25)]]


Status2 = Literal["Accepted", "Pending", "Rejected"]


class BootNotificationResponse(TypedDict):
    status: Status2
    currentTime: str
    interval: Whole


class CancelReservation(TypedDict):
    reservationId: Whole


Status3 = Literal["Accepted", "Rejected"]


class CancelReservationResponse(TypedDict):
    status: Status3


class CertificateSigned(TypedDict):
    certificateChain: Annotated[str, Meta(max_length=10000)]


CertificateSignedResponse = CancelReservationResponse
Type = Literal["Inoperative", "Operative"]


class ChangeAvailability(TypedDict):
    connectorId: Whole
    type: Type


Status4 = Literal["Accepted", "Rejected", "Scheduled"]


class ChangeAvailabilityResponse(TypedDict):
    status: Status4


class ChangeConfiguration(TypedDict):
    key: Annotated[str, Meta(max_length=50)]
    value: Annotated[str, Meta(max_length=500)]


Status5 = Literal["Accepted", "Rejected", "RebootRequired", "NotSupported"]


class ChangeConfigurationResponse(TypedDict):
    status: Status5


class ClearCache(TypedDict):
    pass


ClearCacheResponse = CancelReservationResponse
ChargingProfilePurpose = Literal["ChargePointMaxProfile", "TxDefaultProfile", "TxProfile"]


class ClearChargingProfile(TypedDict):
    id: NotRequired[Whole]
    connectorId: NotRequired[Whole]
    chargingProfilePurpose: NotRequired[ChargingProfilePurpose]
    stackLevel: NotRequired[Whole]


Status6 = Literal["Accepted", "Unknown"]


class ClearChargingProfileResponse(TypedDict):
    status: Status6


class DataTransfer(TypedDict):
    vendorId: Annotated[str, Meta(max_length=255)]
    messageId: NotRequired[Annotated[str, Meta(max_length=50)]]
    data: NotRequired[str]


Status7 = Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]


class DataTransferResponse(TypedDict):
    status: Status7
    data: NotRequired[str]


HashAlgorithmEnumType = Literal["SHA256", "SHA384", "SHA512"]


class CertificateHashDataType(TypedDict):
    hashAlgorithm: HashAlgorithmEnumType
    issuerNameHash: Annotated[str, Meta(max_length=128)]
    issuerKeyHash: Annotated[str, Meta(max_length=128)]
    serialNumber: Annotated[str, Meta(max_length=40)]


class DeleteCertificate(TypedDict):
    certificateHashData: CertificateHashDataType


DeleteCertificateStatusEnumType = Literal["Accepted", "Failed", "NotFound"]


class DeleteCertificateResponse(TypedDict):
    status: DeleteCertificateStatusEnumType


Status8 = Literal["Idle", "Uploaded", "UploadFailed", "Uploading"]


class DiagnosticsStatusNotification(TypedDict):
    status: Status8


DiagnosticsStatusNotificationResponse = ClearCache
MessageTriggerEnumType = Literal[
    "BootNotification", "LogStatusNotification", "FirmwareStatusNotification", "Heartbeat", "MeterValues",
    "SignChargePointCertificate", "StatusNotification"
]


class ExtendedTriggerMessage(TypedDict):
    requestedMessage: MessageTriggerEnumType
    connectorId: NotRequired[Whole]


TriggerMessageStatusEnumType = Literal["Accepted", "Rejected", "NotImplemented"]


class ExtendedTriggerMessageResponse(TypedDict):
    status: TriggerMessageStatusEnumType


Status9 = Literal[
    "Downloaded", "DownloadFailed", "Downloading", "Idle", "InstallationFailed", "Installing", "Installed"
]


class FirmwareStatusNotification(TypedDict):
    status: Status9


FirmwareStatusNotificationResponse = ClearCache
ChargingRateUnit = Literal["A", "W"]


class GetCompositeSchedule(TypedDict):
    connectorId: Whole
    duration: Whole
    chargingRateUnit: NotRequired[ChargingRateUnit]


class ChargingSchedulePeriod(TypedDict):
    startPeriod: Whole
    limit: Whole
    numberPhases: NotRequired[Whole]


class ChargingSchedule(TypedDict):
    duration: NotRequired[Whole]
    startSchedule: NotRequired[str]
    chargingRateUnit: ChargingRateUnit
    chargingSchedulePeriod: list[ChargingSchedulePeriod]
    minChargingRate: NotRequired[Whole]


class GetCompositeScheduleResponse(TypedDict):
    status: Status3
    connectorId: NotRequired[Whole]
    scheduleStart: NotRequired[str]
    chargingSchedule: NotRequired[ChargingSchedule]


class GetConfiguration(TypedDict):
    key: NotRequired[list[Annotated[str, Meta(max_length=50)]]]


class ConfigurationKey(TypedDict):
    key: Annotated[str, Meta(max_length=50)]
    readonly: bool
    value: NotRequired[Annotated[str, Meta(max_length=500)]]


class GetConfigurationResponse(TypedDict):
    configurationKey: NotRequired[list[ConfigurationKey]]
    unknownKey: NotRequired[list[Annotated[str, Meta(max_length=50)]]]


class GetDiagnostics(TypedDict):
    location: str
    retries: NotRequired[Whole]
    retryInterval: NotRequired[Whole]
    startTime: NotRequired[str]
    stopTime: NotRequired[str]


class GetDiagnosticsResponse(TypedDict):
    fileName: NotRequired[Annotated[str, Meta(max_length=255)]]


CertificateUseEnumType = Literal["CentralSystemRootCertificate", "ManufacturerRootCertificate"]


class GetInstalledCertificateIds(TypedDict):
    certificateType: CertificateUseEnumType


GetInstalledCertificateStatusEnumType = Literal["Accepted", "NotFound"]


class GetInstalledCertificateIdsResponse(TypedDict):
    certificateHashData: NotRequired[Annotated[list[CertificateHashDataType], Meta(min_length=1)]]
    status: GetInstalledCertificateStatusEnumType


GetLocalListVersion = ClearCache


class GetLocalListVersionResponse(TypedDict):
    listVersion: Whole


class LogParametersType(TypedDict):
    remoteLocation: Annotated[str, Meta(max_length=512)]
    oldestTimestamp: NotRequired[str]
    latestTimestamp: NotRequired[str]


LogEnumType = Literal["DiagnosticsLog", "SecurityLog"]


class GetLog(TypedDict):
    log: LogParametersType
    logType: LogEnumType
    requestId: Whole
    retries: NotRequired[Whole]
    retryInterval: NotRequired[Whole]


LogStatusEnumType = Literal["Accepted", "Rejected", "AcceptedCanceled"]


class GetLogResponse(TypedDict):
    status: LogStatusEnumType
    filename: NotRequired[Annotated[str, Meta(max_length=255)]]


Heartbeat = ClearCache


class HeartbeatResponse(TypedDict):
    currentTime: str


class InstallCertificate(TypedDict):
    certificateType: CertificateUseEnumType
    certificate: Annotated[str, Meta(max_length=5500)]


InstallCertificateStatusEnumType = Literal["Accepted", "Failed", "Rejected"]


class InstallCertificateResponse(TypedDict):
    status: InstallCertificateStatusEnumType


UploadLogStatusEnumType = Literal[
    "BadMessage", "Idle", "NotSupportedOperation", "PermissionDenied", "Uploaded", "UploadFailure", "Uploading"
]


class LogStatusNotification(TypedDict):
    status: UploadLogStatusEnumType
    requestId: NotRequired[Whole]


LogStatusNotificationResponse = ClearCache
Context = Literal[
    "Interruption.Begin", "Interruption.End", "Sample.Clock", "Sample.Periodic", "Transaction.Begin", "Transaction.End",
    "Trigger", "Other"
]
Format = Literal["Raw", "SignedData"]
Measurand = Literal[
    "Energy.Active.Export.Register", "Energy.Active.Import.Register", "Energy.Reactive.Export.Register",
    "Energy.Reactive.Import.Register", "Energy.Active.Export.Interval", "Energy.Active.Import.Interval",
    "Energy.Reactive.Export.Interval", "Energy.Reactive.Import.Interval", "Power.Active.Export", "Power.Active.Import",
    "Power.Offered", "Power.Reactive.Export", "Power.Reactive.Import", "Power.Factor", "Current.Import",
    "Current.Export", "Current.Offered", "Voltage", "Frequency", "Temperature", "SoC", "RPM"
]
Phase = Literal["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
Location = Literal["Cable", "EV", "Inlet", "Outlet", "Body"]
Unit = Literal[
    "Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K", "Celcius", "Celsius",
    "Fahrenheit", "Percent", "Hertz"
]


class SampledValue(TypedDict):
    value: str
    context: NotRequired[Context]
    format: NotRequired[Format]
    measurand: NotRequired[Measurand]
    phase: NotRequired[Phase]
    location: NotRequired[Location]
    unit: NotRequired[Unit]


class MeterValue(TypedDict):
    timestamp: str
    sampledValue: Annotated[list[SampledValue], Meta(min_length=1)]


class MeterValues(TypedDict):
    connectorId: Whole
    transactionId: NotRequired[Whole]
    meterValue: Annotated[list[MeterValue], Meta(min_length=1)]


MeterValuesResponse = ClearCache
ChargingProfileKind = Literal["Absolute", "Recurring", "Relative"]
RecurrencyKind = Literal["Daily", "Weekly"]


class ChargingProfile(TypedDict):
    chargingProfileId: Whole
    transactionId: NotRequired[Whole]
    stackLevel: Whole
    chargingProfilePurpose: ChargingProfilePurpose
    chargingProfileKind: ChargingProfileKind
    recurrencyKind: NotRequired[RecurrencyKind]
    validFrom: NotRequired[str]
    validTo: NotRequired[str]
    chargingSchedule: ChargingSchedule


class RemoteStartTransaction(TypedDict):
    connectorId: NotRequired[Whole]
    idTag: Annotated[str, Meta(max_length=20)]
    chargingProfile: NotRequired[ChargingProfile]


RemoteStartTransactionResponse = CancelReservationResponse


class RemoteStopTransaction(TypedDict):
    transactionId: Whole


RemoteStopTransactionResponse = CancelReservationResponse


class ReserveNow(TypedDict):
    connectorId: Whole
    expiryDate: str
    idTag: Annotated[str, Meta(max_length=20)]
    parentIdTag: NotRequired[Annotated[str, Meta(max_length=20)]]
    reservationId: Whole


Status10 = Literal["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"]


class ReserveNowResponse(TypedDict):
    status: Status10


Type2 = Literal["Hard", "Soft"]


class Reset(TypedDict):
    type: Type2


ResetResponse = CancelReservationResponse


class SecurityEventNotification(TypedDict):
    type: Annotated[str, Meta(max_length=50)]
    timestamp: str
    techInfo: NotRequired[Annotated[str, Meta(max_length=255)]]


SecurityEventNotificationResponse = ClearCache


class LocalAuthorizationList(TypedDict):
    idTag: Annotated[str, Meta(max_length=20)]
    idTagInfo: NotRequired[IdTagInfo]


UpdateType = Literal["Differential", "Full"]


class SendLocalList(TypedDict):
    listVersion: Whole
    localAuthorizationList: NotRequired[list[LocalAuthorizationList]]
    updateType: UpdateType


Status11 = Literal["Accepted", "Failed", "NotSupported", "VersionMismatch"]


class SendLocalListResponse(TypedDict):
    status: Status11


class SetChargingProfile(TypedDict):
    connectorId: Whole
    csChargingProfiles: ChargingProfile


Status12 = Literal["Accepted", "Rejected", "NotSupported"]


class SetChargingProfileResponse(TypedDict):
    status: Status12


class SignCertificate(TypedDict):
    csr: Annotated[str, Meta(max_length=5500)]


SignCertificateResponse = CancelReservationResponse
FirmwareStatusEnumType = Literal[
    "Downloaded", "DownloadFailed", "Downloading", "DownloadScheduled", "DownloadPaused", "Idle", "InstallationFailed",
    "Installing", "Installed", "InstallRebooting", "InstallScheduled", "InstallVerificationFailed", "InvalidSignature",
    "SignatureVerified"
]


class SignedFirmwareStatusNotification(TypedDict):
    status: FirmwareStatusEnumType
    requestId: NotRequired[Whole]


SignedFirmwareStatusNotificationResponse = ClearCache


class FirmwareType(TypedDict):
    location: Annotated[str, Meta(max_length=512)]
    retrieveDateTime: str
    installDateTime: NotRequired[str]
    signingCertificate: Annotated[str, Meta(max_length=5500)]
    signature: Annotated[str, Meta(max_length=800)]


class SignedUpdateFirmware(TypedDict):
    retries: NotRequired[Whole]
    retryInterval: NotRequired[Whole]
    requestId: Whole
    firmware: FirmwareType


UpdateFirmwareStatusEnumType = Literal[
    "Accepted", "Rejected", "AcceptedCanceled", "InvalidCertificate", "RevokedCertificate"
]


class SignedUpdateFirmwareResponse(TypedDict):
    status: UpdateFirmwareStatusEnumType


class StartTransaction(TypedDict):
    connectorId: Whole
    idTag: Annotated[str, Meta(max_length=20)]
    meterStart: Whole
    reservationId: NotRequired[Whole]
    timestamp: str


class StartTransactionResponse(TypedDict):
    idTagInfo: IdTagInfo
    transactionId: Whole


ErrorCode = Literal[
    "ConnectorLockFailure", "EVCommunicationError", "GroundFailure", "HighTemperature", "InternalError",
    "LocalListConflict", "NoError", "OtherError", "OverCurrentFailure", "PowerMeterFailure", "PowerSwitchFailure",
    "ReaderFailure", "ResetFailure", "UnderVoltage", "OverVoltage", "WeakSignal"
]
Status13 = Literal[
    "Available", "Preparing", "Charging", "SuspendedEVSE", "SuspendedEV", "Finishing", "Reserved", "Unavailable",
    "Faulted"
]


class StatusNotification(TypedDict):
    connectorId: Whole
    errorCode: ErrorCode
    info: NotRequired[Annotated[str, Meta(max_length=50)]]
    status: Status13
    timestamp: NotRequired[str]
    vendorId: NotRequired[Annotated[str, Meta(max_length=255)]]
    vendorErrorCode: NotRequired[Annotated[str, Meta(max_length=50)]]


StatusNotificationResponse = ClearCache
Reason = Literal[
    "EmergencyStop", "EVDisconnected", "HardReset", "Local", "Other", "PowerLoss", "Reboot", "Remote", "SoftReset",
    "UnlockCommand", "DeAuthorized"
]
Unit2 = Literal[
    "Wh", "kWh", "varh", "kvarh", "W", "kW", "VA", "kVA", "var", "kvar", "A", "V", "K", "Celcius", "Celsius",
    "Fahrenheit", "Percent"
]


class SampledValue2(TypedDict):
    value: str
    context: NotRequired[Context]
    format: NotRequired[Format]
    measurand: NotRequired[Measurand]
    phase: NotRequired[Phase]
    location: NotRequired[Location]
    unit: NotRequired[Unit2]


class TransactionData(TypedDict):
    timestamp: str
    sampledValue: list[SampledValue2]


class StopTransaction(TypedDict):
    idTag: NotRequired[Annotated[str, Meta(max_length=20)]]
    meterStop: Whole
    timestamp: str
    transactionId: Whole
    reason: NotRequired[Reason]
    transactionData: NotRequired[list[TransactionData]]


class StopTransactionResponse(TypedDict):
    idTagInfo: NotRequired[IdTagInfo]


RequestedMessage = Literal[
    "BootNotification", "DiagnosticsStatusNotification", "FirmwareStatusNotification", "Heartbeat", "MeterValues",
    "StatusNotification"
]


class TriggerMessage(TypedDict):
    requestedMessage: RequestedMessage
    connectorId: NotRequired[Whole]


TriggerMessageResponse = ExtendedTriggerMessageResponse


class UnlockConnector(TypedDict):
    connectorId: Whole


Status14 = Literal["Unlocked", "UnlockFailed", "NotSupported"]


class UnlockConnectorResponse(TypedDict):
    status: Status14


class UpdateFirmware(TypedDict):
    location: str
    retries: NotRequired[Whole]
    retrieveDate: str
    retryInterval: NotRequired[Whole]


UpdateFirmwareResponse = ClearCache


FRACTIONAL: frozenset[str] = frozenset([])
