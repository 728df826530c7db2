"""Messages of OCPP 2.0.1, one type for each distinct definition; made by ``python -m loadmgr.ocpp.generate``."""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

Whole = Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)]
Number = Whole | Annotated[float, Meta(ge=-9007199254740991.0, le=9007199254740991.0)]


class CustomDataType(TypedDict):
    vendorId: Annotated[str, Meta(max_length=255)]


class AdditionalInfoType(TypedDict):
    customData: NotRequired[CustomDataType]
    additionalIdToken: Annotated[str, Meta(max_length=36)]
    type: Annotated[str, Meta(max_length=50)]


IdTokenEnumType = Literal[
    "Central", "eMAID", "ISO14443", "ISO15693", "KeyCode", "Local", "MacAddress", "NoAuthorization"
]


class IdTokenType(TypedDict):
    customData: NotRequired[CustomDataType]
    additionalInfo: NotRequired[Annotated[list[AdditionalInfoType], Meta(min_length=1)]]
    idToken: Annotated[str, Meta(max_length=36)]
    type: IdTokenEnumType


HashAlgorithmEnumType = Literal["SHA256", "SHA384", "SHA512"]


class OCSPRequestDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    hashAlgorithm: HashAlgorithmEnumType
    issuerNameHash: Annotated[str, Meta(max_length=128)]
    issuerKeyHash: Annotated[str, Meta(max_length=128)]
    serialNumber: Annotated[str, Meta(max_length=40)]
    responderURL: Annotated[str, Meta(max_length=512)]


class AuthorizeRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    idToken: IdTokenType
    certificate: NotRequired[Annotated[str, Meta(max_length=5500)]]
    iso15118CertificateHashData: NotRequired[Annotated[list[OCSPRequestDataType], Meta(min_length=1, max_length=4)]]


AuthorizationStatusEnumType = Literal[
    "Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid", "NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation",
    "NotAtThisTime", "Unknown"
]
MessageFormatEnumType = Literal["ASCII", "HTML", "URI", "UTF8"]


class MessageContentType(TypedDict):
    customData: NotRequired[CustomDataType]
    format: MessageFormatEnumType
    language: NotRequired[Annotated[str, Meta(max_length=8)]]
    content: Annotated[str, Meta(max_length=512)]


class IdTokenInfoType(TypedDict):
    customData: NotRequired[CustomDataType]
    status: AuthorizationStatusEnumType
    cacheExpiryDateTime: NotRequired[str]
    chargingPriority: NotRequired[Whole]
    language1: NotRequired[Annotated[str, Meta(max_length=8)]]
    evseId: NotRequired[Annotated[list[Whole], Meta(min_length=1)]]
    groupIdToken: NotRequired[IdTokenType]
    language2: NotRequired[Annotated[str, Meta(max_length=8)]]
    personalMessage: NotRequired[MessageContentType]


AuthorizeCertificateStatusEnumType = Literal[
    "Accepted", "SignatureError", "CertificateExpired", "CertificateRevoked", "NoCertificateAvailable",
    "CertChainError", "ContractCancelled"
]


class AuthorizeResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    idTokenInfo: IdTokenInfoType
    certificateStatus: NotRequired[AuthorizeCertificateStatusEnumType]


class ModemType(TypedDict):
    customData: NotRequired[CustomDataType]
    iccid: NotRequired[Annotated[str, Meta(max_length=20)]]
    imsi: NotRequired[Annotated[str, Meta(max_length=20)]]


class ChargingStationType(TypedDict):
    customData: NotRequired[CustomDataType]
    serialNumber: NotRequired[Annotated[str, Meta(max_length=25)]]
    model: Annotated[str, Meta(max_length=20)]
    modem: NotRequired[ModemType]
    vendorName: Annotated[str, Meta(max_length=50)]
    firmwareVersion: NotRequired[Annotated[str, Meta(max_length=50)]]


BootReasonEnumType = Literal[
    "ApplicationReset", "FirmwareUpdate", "LocalReset", "PowerUp", "RemoteReset", "ScheduledReset", "Triggered",
    "Unknown", "Watchdog"
]


class BootNotificationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    chargingStation: ChargingStationType
    reason: BootReasonEnumType


RegistrationStatusEnumType = Literal["Accepted", "Pending", "Rejected"]


class StatusInfoType(TypedDict):
    customData: NotRequired[CustomDataType]
    reasonCode: Annotated[str, Meta(max_length=20)]
    additionalInfo: NotRequired[Annotated[str, Meta(max_length=512)]]


class BootNotificationResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    currentTime: str
    interval: Whole
    status: RegistrationStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class CancelReservationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    reservationId: Whole


CancelReservationStatusEnumType = Literal["Accepted", "Rejected"]


class CancelReservationResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: CancelReservationStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


CertificateSigningUseEnumType = Literal["ChargingStationCertificate", "V2GCertificate"]


class CertificateSignedRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    certificateChain: Annotated[str, Meta(max_length=10000)]
    certificateType: NotRequired[CertificateSigningUseEnumType]


CertificateSignedResponse = CancelReservationResponse


class EVSEType(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Whole
    connectorId: NotRequired[Whole]


OperationalStatusEnumType = Literal["Inoperative", "Operative"]


class ChangeAvailabilityRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    evse: NotRequired[EVSEType]
    operationalStatus: OperationalStatusEnumType


ChangeAvailabilityStatusEnumType = Literal["Accepted", "Rejected", "Scheduled"]


class ChangeAvailabilityResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: ChangeAvailabilityStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class ClearCacheRequest(TypedDict):
    customData: NotRequired[CustomDataType]


ClearCacheResponse = CancelReservationResponse
ChargingProfilePurposeEnumType = Literal[
    "ChargingStationExternalConstraints", "ChargingStationMaxProfile", "TxDefaultProfile", "TxProfile"
]


class ClearChargingProfileType(TypedDict):
    customData: NotRequired[CustomDataType]
    evseId: NotRequired[Whole]
    chargingProfilePurpose: NotRequired[ChargingProfilePurposeEnumType]
    stackLevel: NotRequired[Whole]


class ClearChargingProfileRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    chargingProfileId: NotRequired[Whole]
    chargingProfileCriteria: NotRequired[ClearChargingProfileType]


ClearChargingProfileStatusEnumType = Literal["Accepted", "Unknown"]


class ClearChargingProfileResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: ClearChargingProfileStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class ClearDisplayMessageRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Whole


ClearDisplayMessageResponse = ClearChargingProfileResponse


class ClearVariableMonitoringRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Annotated[list[Whole], Meta(min_length=1)]


ClearMonitoringStatusEnumType = Literal["Accepted", "Rejected", "NotFound"]


class ClearMonitoringResultType(TypedDict):
    customData: NotRequired[CustomDataType]
    status: ClearMonitoringStatusEnumType
    id: Whole
    statusInfo: NotRequired[StatusInfoType]


class ClearVariableMonitoringResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    clearMonitoringResult: Annotated[list[ClearMonitoringResultType], Meta(min_length=1)]


ChargingLimitSourceEnumType = Literal["EMS", "Other", "SO", "CSO"]


class ClearedChargingLimitRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    chargingLimitSource: ChargingLimitSourceEnumType
    evseId: NotRequired[Whole]


ClearedChargingLimitResponse = ClearCacheRequest


class CostUpdatedRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    totalCost: Number
    transactionId: Annotated[str, Meta(max_length=36)]


CostUpdatedResponse = ClearCacheRequest


class CertificateHashDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    hashAlgorithm: HashAlgorithmEnumType
    issuerNameHash: Annotated[str, Meta(max_length=128)]
    issuerKeyHash: Annotated[str, Meta(max_length=128)]
    serialNumber: Annotated[str, Meta(max_length=40)]


class CustomerInformationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    customerCertificate: NotRequired[CertificateHashDataType]
    idToken: NotRequired[IdTokenType]
    requestId: Whole
    report: bool
    clear: bool
    customerIdentifier: NotRequired[Annotated[str, Meta(max_length=64)]]


CustomerInformationStatusEnumType = Literal["Accepted", "Rejected", "Invalid"]


class CustomerInformationResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: CustomerInformationStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class DataTransferRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    messageId: NotRequired[Annotated[str, Meta(max_length=50)]]
    data: NotRequired[str]
    vendorId: Annotated[str, Meta(max_length=255)]


DataTransferStatusEnumType = Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]


class DataTransferResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: DataTransferStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    data: NotRequired[str]


class DeleteCertificateRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    certificateHashData: CertificateHashDataType


DeleteCertificateStatusEnumType = Literal["Accepted", "Failed", "NotFound"]


class DeleteCertificateResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: DeleteCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


FirmwareStatusEnumType = Literal[
    "Downloaded", "DownloadFailed", "Downloading", "DownloadScheduled", "DownloadPaused", "Idle", "InstallationFailed",
    "Installing", "Installed", "InstallRebooting", "InstallScheduled", "InstallVerificationFailed", "InvalidSignature",
    "SignatureVerified"
]


class FirmwareStatusNotificationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    status: FirmwareStatusEnumType
    requestId: NotRequired[Whole]


FirmwareStatusNotificationResponse = ClearCacheRequest
CertificateActionEnumType = Literal["Install", "Update"]


class Get15118EVCertificateRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    iso15118SchemaVersion: Annotated[str, Meta(max_length=50)]
    action: CertificateActionEnumType
    exiRequest: Annotated[str, Meta(max_length=5600)]


Iso15118EVCertificateStatusEnumType = Literal["Accepted", "Failed"]


class Get15118EVCertificateResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: Iso15118EVCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    exiResponse: Annotated[str, Meta(max_length=7500)]


ReportBaseEnumType = Literal["ConfigurationInventory", "FullInventory", "SummaryInventory"]


class GetBaseReportRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    requestId: Whole
    reportBase: ReportBaseEnumType


GenericDeviceModelStatusEnumType = Literal["Accepted", "Rejected", "NotSupported", "EmptyResultSet"]


class GetBaseReportResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: GenericDeviceModelStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class GetCertificateStatusRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    ocspRequestData: OCSPRequestDataType


class GetCertificateStatusResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: Iso15118EVCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    ocspResult: NotRequired[Annotated[str, Meta(max_length=5500)]]


class ChargingProfileCriterionType(TypedDict):
    customData: NotRequired[CustomDataType]
    chargingProfilePurpose: NotRequired[ChargingProfilePurposeEnumType]
    stackLevel: NotRequired[Whole]
    chargingProfileId: NotRequired[Annotated[list[Whole], Meta(min_length=1)]]
    chargingLimitSource: NotRequired[Annotated[list[ChargingLimitSourceEnumType], Meta(min_length=1, max_length=4)]]


class GetChargingProfilesRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    requestId: Whole
    evseId: NotRequired[Whole]
    chargingProfile: ChargingProfileCriterionType


GetChargingProfileStatusEnumType = Literal["Accepted", "NoProfiles"]


class GetChargingProfilesResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: GetChargingProfileStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


ChargingRateUnitEnumType = Literal["W", "A"]


class GetCompositeScheduleRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    duration: Whole
    chargingRateUnit: NotRequired[ChargingRateUnitEnumType]
    evseId: Whole


class ChargingSchedulePeriodType(TypedDict):
    customData: NotRequired[CustomDataType]
    startPeriod: Whole
    limit: Number
    numberPhases: NotRequired[Whole]
    phaseToUse: NotRequired[Whole]


class CompositeScheduleType(TypedDict):
    customData: NotRequired[CustomDataType]
    chargingSchedulePeriod: Annotated[list[ChargingSchedulePeriodType], Meta(min_length=1)]
    evseId: Whole
    duration: Whole
    scheduleStart: str
    chargingRateUnit: ChargingRateUnitEnumType


class GetCompositeScheduleResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: CancelReservationStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    schedule: NotRequired[CompositeScheduleType]


MessagePriorityEnumType = Literal["AlwaysFront", "InFront", "NormalCycle"]
MessageStateEnumType = Literal["Charging", "Faulted", "Idle", "Unavailable"]


class GetDisplayMessagesRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    id: NotRequired[Annotated[list[Whole], Meta(min_length=1)]]
    requestId: Whole
    priority: NotRequired[MessagePriorityEnumType]
    state: NotRequired[MessageStateEnumType]


GetDisplayMessagesResponse = ClearChargingProfileResponse
GetCertificateIdUseEnumType = Literal[
    "V2GRootCertificate", "MORootCertificate", "CSMSRootCertificate", "V2GCertificateChain",
    "ManufacturerRootCertificate"
]


class GetInstalledCertificateIdsRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    certificateType: NotRequired[Annotated[list[GetCertificateIdUseEnumType], Meta(min_length=1)]]


GetInstalledCertificateStatusEnumType = Literal["Accepted", "NotFound"]


class CertificateHashDataChainType(TypedDict):
    customData: NotRequired[CustomDataType]
    certificateHashData: CertificateHashDataType
    certificateType: GetCertificateIdUseEnumType
    childCertificateHashData: NotRequired[Annotated[list[CertificateHashDataType], Meta(min_length=1, max_length=4)]]


class GetInstalledCertificateIdsResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: GetInstalledCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    certificateHashDataChain: NotRequired[Annotated[list[CertificateHashDataChainType], Meta(min_length=1)]]


GetLocalListVersionRequest = ClearCacheRequest


class GetLocalListVersionResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    versionNumber: Whole


class LogParametersType(TypedDict):
    customData: NotRequired[CustomDataType]
    remoteLocation: Annotated[str, Meta(max_length=512)]
    oldestTimestamp: NotRequired[str]
    latestTimestamp: NotRequired[str]


LogEnumType = Literal["DiagnosticsLog", "SecurityLog"]


class GetLogRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    log: LogParametersType
    logType: LogEnumType
    requestId: Whole
    retries: NotRequired[Whole]
    retryInterval: NotRequired[Whole]


LogStatusEnumType = Literal["Accepted", "Rejected", "AcceptedCanceled"]


class GetLogResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: LogStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    filename: NotRequired[Annotated[str, Meta(max_length=255)]]


class ComponentType(TypedDict):
    customData: NotRequired[CustomDataType]
    evse: NotRequired[EVSEType]
    name: Annotated[str, Meta(max_length=50)]
    instance: NotRequired[Annotated[str, Meta(max_length=50)]]


class VariableType(TypedDict):
    customData: NotRequired[CustomDataType]
    name: Annotated[str, Meta(max_length=50)]
    instance: NotRequired[Annotated[str, Meta(max_length=50)]]


class ComponentVariableType(TypedDict):
    customData: NotRequired[CustomDataType]
    component: ComponentType
    variable: NotRequired[VariableType]


MonitoringCriterionEnumType = Literal["ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring"]


class GetMonitoringReportRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    componentVariable: NotRequired[Annotated[list[ComponentVariableType], Meta(min_length=1)]]
    requestId: Whole
    monitoringCriteria: NotRequired[Annotated[list[MonitoringCriterionEnumType], Meta(min_length=1, max_length=3)]]


GetMonitoringReportResponse = GetBaseReportResponse
ComponentCriterionEnumType = Literal["Active", "Available", "Enabled", "Problem"]


class GetReportRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    componentVariable: NotRequired[Annotated[list[ComponentVariableType], Meta(min_length=1)]]
    requestId: Whole
    componentCriteria: NotRequired[Annotated[list[ComponentCriterionEnumType], Meta(min_length=1, max_length=4)]]


GetReportResponse = GetBaseReportResponse


class GetTransactionStatusRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]


class GetTransactionStatusResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    ongoingIndicator: NotRequired[bool]
    messagesInQueue: bool


AttributeEnumType = Literal["Actual", "Target", "MinSet", "MaxSet"]


class GetVariableDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    attributeType: NotRequired[AttributeEnumType]
    component: ComponentType
    variable: VariableType


class GetVariablesRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    getVariableData: Annotated[list[GetVariableDataType], Meta(min_length=1)]


GetVariableStatusEnumType = Literal[
    "Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"
]


class GetVariableResultType(TypedDict):
    customData: NotRequired[CustomDataType]
    attributeStatusInfo: NotRequired[StatusInfoType]
    attributeStatus: GetVariableStatusEnumType
    attributeType: NotRequired[AttributeEnumType]
    attributeValue: NotRequired[Annotated[str, Meta(max_length=2500)]]
    component: ComponentType
    variable: VariableType


class GetVariablesResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    getVariableResult: Annotated[list[GetVariableResultType], Meta(min_length=1)]


HeartbeatRequest = ClearCacheRequest


class HeartbeatResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    currentTime: str


InstallCertificateUseEnumType = Literal[
    "V2GRootCertificate", "MORootCertificate", "CSMSRootCertificate", "ManufacturerRootCertificate"
]


class InstallCertificateRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    certificateType: InstallCertificateUseEnumType
    certificate: Annotated[str, Meta(max_length=5500)]


InstallCertificateStatusEnumType = Literal["Accepted", "Rejected", "Failed"]


class InstallCertificateResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: InstallCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


UploadLogStatusEnumType = Literal[
    "BadMessage", "Idle", "NotSupportedOperation", "PermissionDenied", "Uploaded", "UploadFailure", "Uploading",
    "AcceptedCanceled"
]


class LogStatusNotificationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    status: UploadLogStatusEnumType
    requestId: NotRequired[Whole]


LogStatusNotificationResponse = ClearCacheRequest
ReadingContextEnumType = Literal[
    "Interruption.Begin", "Interruption.End", "Other", "Sample.Clock", "Sample.Periodic", "Transaction.Begin",
    "Transaction.End", "Trigger"
]
MeasurandEnumType = Literal[
    "Current.Export", "Current.Import", "Current.Offered", "Energy.Active.Export.Register",
    "Energy.Active.Import.Register", "Energy.Reactive.Export.Register", "Energy.Reactive.Import.Register",
    "Energy.Active.Export.Interval", "Energy.Active.Import.Interval", "Energy.Active.Net",
    "Energy.Reactive.Export.Interval", "Energy.Reactive.Import.Interval", "Energy.Reactive.Net", "Energy.Apparent.Net",
    "Energy.Apparent.Import", "Energy.Apparent.Export", "Frequency", "Power.Active.Export", "Power.Active.Import",
    "Power.Factor", "Power.Offered", "Power.Reactive.Export", "Power.Reactive.Import", "SoC", "Voltage"
]
PhaseEnumType = Literal["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
LocationEnumType = Literal["Body", "Cable", "EV", "Inlet", "Outlet"]


class SignedMeterValueType(TypedDict):
    customData: NotRequired[CustomDataType]
    signedMeterData: Annotated[str, Meta(max_length=2500)]
    signingMethod: Annotated[str, Meta(max_length=50)]
    encodingMethod: Annotated[str, Meta(max_length=50)]
    publicKey: Annotated[str, Meta(max_length=2500)]


class UnitOfMeasureType(TypedDict):
    customData: NotRequired[CustomDataType]
    unit: NotRequired[Annotated[str, Meta(max_length=20)]]
    multiplier: NotRequired[Whole]


class SampledValueType(TypedDict):
    customData: NotRequired[CustomDataType]
    value: Number
    context: NotRequired[ReadingContextEnumType]
    measurand: NotRequired[MeasurandEnumType]
    phase: NotRequired[PhaseEnumType]
    location: NotRequired[LocationEnumType]
    signedMeterValue: NotRequired[SignedMeterValueType]
    unitOfMeasure: NotRequired[UnitOfMeasureType]


class MeterValueType(TypedDict):
    customData: NotRequired[CustomDataType]
    sampledValue: Annotated[list[SampledValueType], Meta(min_length=1)]
    timestamp: str


class MeterValuesRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    evseId: Whole
    meterValue: Annotated[list[MeterValueType], Meta(min_length=1)]


MeterValuesResponse = ClearCacheRequest


class RelativeTimeIntervalType(TypedDict):
    customData: NotRequired[CustomDataType]
    start: Whole
    duration: NotRequired[Whole]


WholeFrom0 = Annotated[int, Meta(ge=0, le=9007199254740991)]
CostKindEnumType = Literal["CarbonDioxideEmission", "RelativePricePercentage", "RenewableGenerationPercentage"]


class CostType(TypedDict):
    customData: NotRequired[CustomDataType]
    costKind: CostKindEnumType
    amount: Whole
    amountMultiplier: NotRequired[Whole]


class ConsumptionCostType(TypedDict):
    customData: NotRequired[CustomDataType]
    startValue: Number
    cost: Annotated[list[CostType], Meta(min_length=1, max_length=3)]


class SalesTariffEntryType(TypedDict):
    customData: NotRequired[CustomDataType]
    relativeTimeInterval: RelativeTimeIntervalType
    ePriceLevel: NotRequired[WholeFrom0]
    consumptionCost: NotRequired[Annotated[list[ConsumptionCostType], Meta(min_length=1, max_length=3)]]


class SalesTariffType(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Whole
    salesTariffDescription: NotRequired[Annotated[str, Meta(max_length=32)]]
    numEPriceLevels: NotRequired[Whole]
    salesTariffEntry: Annotated[list[SalesTariffEntryType], Meta(min_length=1, max_length=1024)]


class ChargingScheduleType(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Whole
    startSchedule: NotRequired[str]
    duration: NotRequired[Whole]
    chargingRateUnit: ChargingRateUnitEnumType
    chargingSchedulePeriod: Annotated[list[ChargingSchedulePeriodType], Meta(min_length=1, max_length=1024)]
    minChargingRate: NotRequired[Number]
    salesTariff: NotRequired[SalesTariffType]


class ChargingLimitType(TypedDict):
    customData: NotRequired[CustomDataType]
    chargingLimitSource: ChargingLimitSourceEnumType
    isGridCritical: NotRequired[bool]


class NotifyChargingLimitRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    chargingSchedule: NotRequired[Annotated[list[ChargingScheduleType], Meta(min_length=1)]]
    evseId: NotRequired[Whole]
    chargingLimit: ChargingLimitType


NotifyChargingLimitResponse = ClearCacheRequest


class NotifyCustomerInformationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    data: Annotated[str, Meta(max_length=512)]
    tbc: NotRequired[bool]
    seqNo: Whole
    generatedAt: str
    requestId: Whole


NotifyCustomerInformationResponse = ClearCacheRequest


class MessageInfoType(TypedDict):
    customData: NotRequired[CustomDataType]
    display: NotRequired[ComponentType]
    id: Whole
    priority: MessagePriorityEnumType
    state: NotRequired[MessageStateEnumType]
    startDateTime: NotRequired[str]
    endDateTime: NotRequired[str]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    message: MessageContentType


class NotifyDisplayMessagesRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    messageInfo: NotRequired[Annotated[list[MessageInfoType], Meta(min_length=1)]]
    requestId: Whole
    tbc: NotRequired[bool]


NotifyDisplayMessagesResponse = ClearCacheRequest


class ACChargingParametersType(TypedDict):
    customData: NotRequired[CustomDataType]
    energyAmount: Whole
    evMinCurrent: Whole
    evMaxCurrent: Whole
    evMaxVoltage: Whole


WholeFrom0To100 = Annotated[int, Meta(ge=0, le=100)]


class DCChargingParametersType(TypedDict):
    customData: NotRequired[CustomDataType]
    evMaxCurrent: Whole
    evMaxVoltage: Whole
    energyAmount: NotRequired[Whole]
    evMaxPower: NotRequired[Whole]
    stateOfCharge: NotRequired[WholeFrom0To100]
    evEnergyCapacity: NotRequired[Whole]
    fullSoC: NotRequired[WholeFrom0To100]
    bulkSoC: NotRequired[WholeFrom0To100]


EnergyTransferModeEnumType = Literal["DC", "AC_single_phase", "AC_two_phase", "AC_three_phase"]


class ChargingNeedsType(TypedDict):
    customData: NotRequired[CustomDataType]
    acChargingParameters: NotRequired[ACChargingParametersType]
    dcChargingParameters: NotRequired[DCChargingParametersType]
    requestedEnergyTransfer: EnergyTransferModeEnumType
    departureTime: NotRequired[str]


class NotifyEVChargingNeedsRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    maxScheduleTuples: NotRequired[Whole]
    chargingNeeds: ChargingNeedsType
    evseId: Whole


NotifyEVChargingNeedsStatusEnumType = Literal["Accepted", "Rejected", "Processing"]


class NotifyEVChargingNeedsResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: NotifyEVChargingNeedsStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class NotifyEVChargingScheduleRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    timeBase: str
    chargingSchedule: ChargingScheduleType
    evseId: Whole


NotifyEVChargingScheduleResponse = CancelReservationResponse
EventTriggerEnumType = Literal["Alerting", "Delta", "Periodic"]
EventNotificationEnumType = Literal[
    "HardWiredNotification", "HardWiredMonitor", "PreconfiguredMonitor", "CustomMonitor"
]


class EventDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    eventId: Whole
    timestamp: str
    trigger: EventTriggerEnumType
    cause: NotRequired[Whole]
    actualValue: Annotated[str, Meta(max_length=2500)]
    techCode: NotRequired[Annotated[str, Meta(max_length=50)]]
    techInfo: NotRequired[Annotated[str, Meta(max_length=500)]]
    cleared: NotRequired[bool]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    component: ComponentType
    variableMonitoringId: NotRequired[Whole]
    eventNotificationType: EventNotificationEnumType
    variable: VariableType


class NotifyEventRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    generatedAt: str
    tbc: NotRequired[bool]
    seqNo: Whole
    eventData: Annotated[list[EventDataType], Meta(min_length=1)]


NotifyEventResponse = ClearCacheRequest
MonitorEnumType = Literal["UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned"]


class VariableMonitoringType(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Whole
    transaction: bool
    value: Number
    type: MonitorEnumType
    severity: Whole


class MonitoringDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    component: ComponentType
    variable: VariableType
    variableMonitoring: Annotated[list[VariableMonitoringType], Meta(min_length=1)]


class NotifyMonitoringReportRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    monitor: NotRequired[Annotated[list[MonitoringDataType], Meta(min_length=1)]]
    requestId: Whole
    tbc: NotRequired[bool]
    seqNo: Whole
    generatedAt: str


NotifyMonitoringReportResponse = ClearCacheRequest
MutabilityEnumType = Literal["ReadOnly", "WriteOnly", "ReadWrite"]


class VariableAttributeType(TypedDict):
    customData: NotRequired[CustomDataType]
    type: NotRequired[AttributeEnumType]
    value: NotRequired[Annotated[str, Meta(max_length=2500)]]
    mutability: NotRequired[MutabilityEnumType]
    persistent: NotRequired[bool]
    constant: NotRequired[bool]


DataEnumType = Literal[
    "string", "decimal", "integer", "dateTime", "boolean", "OptionList", "SequenceList", "MemberList"
]


class VariableCharacteristicsType(TypedDict):
    customData: NotRequired[CustomDataType]
    unit: NotRequired[Annotated[str, Meta(max_length=16)]]
    dataType: DataEnumType
    minLimit: NotRequired[Number]
    maxLimit: NotRequired[Number]
    valuesList: NotRequired[Annotated[str, Meta(max_length=1000)]]
    supportsMonitoring: bool


class ReportDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    component: ComponentType
    variable: VariableType
    variableAttribute: Annotated[list[VariableAttributeType], Meta(min_length=1, max_length=4)]
    variableCharacteristics: NotRequired[VariableCharacteristicsType]


class NotifyReportRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    requestId: Whole
    generatedAt: str
    reportData: NotRequired[Annotated[list[ReportDataType], Meta(min_length=1)]]
    tbc: NotRequired[bool]
    seqNo: Whole


NotifyReportResponse = ClearCacheRequest


class PublishFirmwareRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    location: Annotated[str, Meta(max_length=512)]
    retries: NotRequired[Whole]
    checksum: Annotated[str, Meta(max_length=32)]
    requestId: Whole
    retryInterval: NotRequired[Whole]


PublishFirmwareResponse = CancelReservationResponse
PublishFirmwareStatusEnumType = Literal[
    "Idle", "DownloadScheduled", "Downloading", "Downloaded", "Published", "DownloadFailed", "DownloadPaused",
    "InvalidChecksum", "ChecksumVerified", "PublishFailed"
]


class PublishFirmwareStatusNotificationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    status: PublishFirmwareStatusEnumType
    location: NotRequired[Annotated[list[Annotated[str, Meta(max_length=512)]], Meta(min_length=1)]]
    requestId: NotRequired[Whole]


PublishFirmwareStatusNotificationResponse = ClearCacheRequest
ChargingProfileKindEnumType = Literal["Absolute", "Recurring", "Relative"]
RecurrencyKindEnumType = Literal["Daily", "Weekly"]


class ChargingProfileType(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Whole
    stackLevel: Whole
    chargingProfilePurpose: ChargingProfilePurposeEnumType
    chargingProfileKind: ChargingProfileKindEnumType
    recurrencyKind: NotRequired[RecurrencyKindEnumType]
    validFrom: NotRequired[str]
    validTo: NotRequired[str]
    chargingSchedule: Annotated[list[ChargingScheduleType], Meta(min_length=1, max_length=3)]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]


class ReportChargingProfilesRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    requestId: Whole
    chargingLimitSource: ChargingLimitSourceEnumType
    chargingProfile: Annotated[list[ChargingProfileType], Meta(min_length=1)]
    tbc: NotRequired[bool]
    evseId: Whole


ReportChargingProfilesResponse = ClearCacheRequest


class RequestStartTransactionRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    evseId: NotRequired[Whole]
    groupIdToken: NotRequired[IdTokenType]
    idToken: IdTokenType
    remoteStartId: Whole
    chargingProfile: NotRequired[ChargingProfileType]


class RequestStartTransactionResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: CancelReservationStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]


class RequestStopTransactionRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    transactionId: Annotated[str, Meta(max_length=36)]


RequestStopTransactionResponse = CancelReservationResponse
ReservationUpdateStatusEnumType = Literal["Expired", "Removed"]


class ReservationStatusUpdateRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    reservationId: Whole
    reservationUpdateStatus: ReservationUpdateStatusEnumType


ReservationStatusUpdateResponse = ClearCacheRequest
ConnectorEnumType = Literal[
    "cCCS1", "cCCS2", "cG105", "cTesla", "cType1", "cType2", "s309-1P-16A", "s309-1P-32A", "s309-3P-16A", "s309-3P-32A",
    "sBS1361", "sCEE-7-7", "sType2", "sType3", "Other1PhMax16A", "Other1PhOver16A", "Other3Ph", "Pan", "wInductive",
    "wResonant", "Undetermined", "Unknown"
]


class ReserveNowRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    id: Whole
    expiryDateTime: str
    connectorType: NotRequired[ConnectorEnumType]
    idToken: IdTokenType
    evseId: NotRequired[Whole]
    groupIdToken: NotRequired[IdTokenType]


ReserveNowStatusEnumType = Literal["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"]


class ReserveNowResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: ReserveNowStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


ResetEnumType = Literal["Immediate", "OnIdle"]


class ResetRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    type: ResetEnumType
    evseId: NotRequired[Whole]


ResetResponse = ChangeAvailabilityResponse


class SecurityEventNotificationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    type: Annotated[str, Meta(max_length=50)]
    timestamp: str
    techInfo: NotRequired[Annotated[str, Meta(max_length=255)]]


SecurityEventNotificationResponse = ClearCacheRequest


class AuthorizationData(TypedDict):
    customData: NotRequired[CustomDataType]
    idToken: IdTokenType
    idTokenInfo: NotRequired[IdTokenInfoType]


UpdateEnumType = Literal["Differential", "Full"]


class SendLocalListRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    localAuthorizationList: NotRequired[Annotated[list[AuthorizationData], Meta(min_length=1)]]
    versionNumber: Whole
    updateType: UpdateEnumType


SendLocalListStatusEnumType = Literal["Accepted", "Failed", "VersionMismatch"]


class SendLocalListResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: SendLocalListStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class SetChargingProfileRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    evseId: Whole
    chargingProfile: ChargingProfileType


SetChargingProfileResponse = CancelReservationResponse


class SetDisplayMessageRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    message: MessageInfoType


DisplayMessageStatusEnumType = Literal[
    "Accepted", "NotSupportedMessageFormat", "Rejected", "NotSupportedPriority", "NotSupportedState",
    "UnknownTransaction"
]


class SetDisplayMessageResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: DisplayMessageStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


MonitoringBaseEnumType = Literal["All", "FactoryDefault", "HardWiredOnly"]


class SetMonitoringBaseRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    monitoringBase: MonitoringBaseEnumType


SetMonitoringBaseResponse = GetBaseReportResponse


class SetMonitoringLevelRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    severity: Whole


SetMonitoringLevelResponse = CancelReservationResponse
APNAuthenticationEnumType = Literal["CHAP", "NONE", "PAP", "AUTO"]


class APNType(TypedDict):
    customData: NotRequired[CustomDataType]
    apn: Annotated[str, Meta(max_length=512)]
    apnUserName: NotRequired[Annotated[str, Meta(max_length=20)]]
    apnPassword: NotRequired[Annotated[str, Meta(max_length=20)]]
    simPin: NotRequired[Whole]
    preferredNetwork: NotRequired[Annotated[str, Meta(max_length=6)]]
    useOnlyPreferredNetwork: NotRequired[bool]
    apnAuthentication: APNAuthenticationEnumType


OCPPVersionEnumType = Literal["OCPP12", "OCPP15", "OCPP16", "OCPP20"]
OCPPTransportEnumType = Literal["JSON", "SOAP"]
OCPPInterfaceEnumType = Literal[
    "Wired0", "Wired1", "Wired2", "Wired3", "Wireless0", "Wireless1", "Wireless2", "Wireless3"
]
VPNEnumType = Literal["IKEv2", "IPSec", "L2TP", "PPTP"]


class VPNType(TypedDict):
    customData: NotRequired[CustomDataType]
    server: Annotated[str, Meta(max_length=512)]
    user: Annotated[str, Meta(max_length=20)]
    group: NotRequired[Annotated[str, Meta(max_length=20)]]
    password: Annotated[str, Meta(max_length=20)]
    key: Annotated[str, Meta(max_length=255)]
    type: VPNEnumType


class NetworkConnectionProfileType(TypedDict):
    customData: NotRequired[CustomDataType]
    apn: NotRequired[APNType]
    ocppVersion: OCPPVersionEnumType
    ocppTransport: OCPPTransportEnumType
    ocppCsmsUrl: Annotated[str, Meta(max_length=512)]
    messageTimeout: Whole
    securityProfile: Whole
    ocppInterface: OCPPInterfaceEnumType
    vpn: NotRequired[VPNType]


class SetNetworkProfileRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    configurationSlot: Whole
    connectionData: NetworkConnectionProfileType


SetNetworkProfileResponse = InstallCertificateResponse


class SetMonitoringDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    id: NotRequired[Whole]
    transaction: NotRequired[bool]
    value: Number
    type: MonitorEnumType
    severity: Whole
    component: ComponentType
    variable: VariableType


class SetVariableMonitoringRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    setMonitoringData: Annotated[list[SetMonitoringDataType], Meta(min_length=1)]


SetMonitoringStatusEnumType = Literal[
    "Accepted", "UnknownComponent", "UnknownVariable", "UnsupportedMonitorType", "Rejected", "Duplicate"
]


class SetMonitoringResultType(TypedDict):
    customData: NotRequired[CustomDataType]
    id: NotRequired[Whole]
    statusInfo: NotRequired[StatusInfoType]
    status: SetMonitoringStatusEnumType
    type: MonitorEnumType
    component: ComponentType
    variable: VariableType
    severity: Whole


class SetVariableMonitoringResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    setMonitoringResult: Annotated[list[SetMonitoringResultType], Meta(min_length=1)]


class SetVariableDataType(TypedDict):
    customData: NotRequired[CustomDataType]
    attributeType: NotRequired[AttributeEnumType]
    attributeValue: Annotated[str, Meta(max_length=1000)]
    component: ComponentType
    variable: VariableType


class SetVariablesRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    setVariableData: Annotated[list[SetVariableDataType], Meta(min_length=1)]


SetVariableStatusEnumType = Literal[
    "Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType", "RebootRequired"
]


class SetVariableResultType(TypedDict):
    customData: NotRequired[CustomDataType]
    attributeType: NotRequired[AttributeEnumType]
    attributeStatus: SetVariableStatusEnumType
    attributeStatusInfo: NotRequired[StatusInfoType]
    component: ComponentType
    variable: VariableType


class SetVariablesResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    setVariableResult: Annotated[list[SetVariableResultType], Meta(min_length=1)]


class SignCertificateRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    csr: Annotated[str, Meta(max_length=5500)]
    certificateType: NotRequired[CertificateSigningUseEnumType]


SignCertificateResponse = CancelReservationResponse
ConnectorStatusEnumType = Literal["Available", "Occupied", "Reserved", "Unavailable", "Faulted"]


class StatusNotificationRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    timestamp: str
    connectorStatus: ConnectorStatusEnumType
    evseId: Whole
    connectorId: Whole


StatusNotificationResponse = ClearCacheRequest
TransactionEventEnumType = Literal["Ended", "Started", "Updated"]
TriggerReasonEnumType = Literal[
    "Authorized", "CablePluggedIn", "ChargingRateChanged", "ChargingStateChanged", "Deauthorized", "EnergyLimitReached",
    "EVCommunicationLost", "EVConnectTimeout", "MeterValueClock", "MeterValuePeriodic", "TimeLimitReached", "Trigger",
    "UnlockCommand", "StopAuthorized", "EVDeparted", "EVDetected", "RemoteStop", "RemoteStart", "AbnormalCondition",
    "SignedDataReceived", "ResetCommand"
]
ChargingStateEnumType = Literal["Charging", "EVConnected", "SuspendedEV", "SuspendedEVSE", "Idle"]
ReasonEnumType = Literal[
    "DeAuthorized", "EmergencyStop", "EnergyLimitReached", "EVDisconnected", "GroundFault", "ImmediateReset", "Local",
    "LocalOutOfCredit", "MasterPass", "Other", "OvercurrentFault", "PowerLoss", "PowerQuality", "Reboot", "Remote",
    "SOCLimitReached", "StoppedByEV", "TimeLimitReached", "Timeout"
]


class TransactionType(TypedDict):
    customData: NotRequired[CustomDataType]
    transactionId: Annotated[str, Meta(max_length=36)]
    chargingState: NotRequired[ChargingStateEnumType]
    timeSpentCharging: NotRequired[Whole]
    stoppedReason: NotRequired[ReasonEnumType]
    remoteStartId: NotRequired[Whole]


class TransactionEventRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    eventType: TransactionEventEnumType
    meterValue: NotRequired[Annotated[list[MeterValueType], Meta(min_length=1)]]
    timestamp: str
    triggerReason: TriggerReasonEnumType
    seqNo: Whole
    offline: NotRequired[bool]
    numberOfPhasesUsed: NotRequired[Whole]
    cableMaxCurrent: NotRequired[Whole]
    reservationId: NotRequired[Whole]
    transactionInfo: TransactionType
    evse: NotRequired[EVSEType]
    idToken: NotRequired[IdTokenType]


class TransactionEventResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    totalCost: NotRequired[Number]
    chargingPriority: NotRequired[Whole]
    idTokenInfo: NotRequired[IdTokenInfoType]
    updatedPersonalMessage: NotRequired[MessageContentType]


MessageTriggerEnumType = Literal[
    "BootNotification", "LogStatusNotification", "FirmwareStatusNotification", "Heartbeat", "MeterValues",
    "SignChargingStationCertificate", "SignV2GCertificate", "StatusNotification", "TransactionEvent",
    "SignCombinedCertificate", "PublishFirmwareStatusNotification"
]


class TriggerMessageRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    evse: NotRequired[EVSEType]
    requestedMessage: MessageTriggerEnumType


TriggerMessageStatusEnumType = Literal["Accepted", "Rejected", "NotImplemented"]


class TriggerMessageResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: TriggerMessageStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class UnlockConnectorRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    evseId: Whole
    connectorId: Whole


UnlockStatusEnumType = Literal["Unlocked", "UnlockFailed", "OngoingAuthorizedTransaction", "UnknownConnector"]


class UnlockConnectorResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: UnlockStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


class UnpublishFirmwareRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    checksum: Annotated[str, Meta(max_length=32)]


UnpublishFirmwareStatusEnumType = Literal["DownloadOngoing", "NoFirmware", "Unpublished"]


class UnpublishFirmwareResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: UnpublishFirmwareStatusEnumType


class FirmwareType(TypedDict):
    customData: NotRequired[CustomDataType]
    location: Annotated[str, Meta(max_length=512)]
    retrieveDateTime: str
    installDateTime: NotRequired[str]
    signingCertificate: NotRequired[Annotated[str, Meta(max_length=5500)]]
    signature: NotRequired[Annotated[str, Meta(max_length=800)]]


class UpdateFirmwareRequest(TypedDict):
    customData: NotRequired[CustomDataType]
    retries: NotRequired[Whole]
    retryInterval: NotRequired[Whole]
    requestId: Whole
    firmware: FirmwareType


UpdateFirmwareStatusEnumType = Literal[
    "Accepted", "Rejected", "AcceptedCanceled", "InvalidCertificate", "RevokedCertificate"
]


class UpdateFirmwareResponse(TypedDict):
    customData: NotRequired[CustomDataType]
    status: UpdateFirmwareStatusEnumType
    statusInfo: NotRequired[StatusInfoType]


FRACTIONAL: frozenset[str] = frozenset([
    "CostUpdatedRequest", "GetCompositeScheduleResponse", "MeterValuesRequest", "NotifyChargingLimitRequest",
    "NotifyEVChargingScheduleRequest", "NotifyMonitoringReportRequest", "NotifyReportRequest",
    "ReportChargingProfilesRequest", "RequestStartTransactionRequest", "SetChargingProfileRequest",
    "SetVariableMonitoringRequest", "TransactionEventRequest", "TransactionEventResponse"
])
