"""Messages of OCPP 2.1, one type for each distinct definition; made by ``python -m loadmgr.ocpp.generate``."""

from typing import Annotated, Literal, NotRequired, TypedDict

from msgspec import Meta

Whole = Annotated[int, Meta(ge=-9007199254740991, le=9007199254740991)]
Number = Whole | Annotated[float, Meta(ge=-9007199254740991.0, le=9007199254740991.0)]


class CustomDataType(TypedDict):
    vendorId: Annotated[str, Meta(max_length=255)]


class AFRRSignalRequest(TypedDict):
    timestamp: str
    signal: Whole
    customData: NotRequired[CustomDataType]


GenericStatusEnumType = Literal["Accepted", "Rejected"]


class StatusInfoType(TypedDict):
    reasonCode: Annotated[str, Meta(max_length=20)]
    additionalInfo: NotRequired[Annotated[str, Meta(max_length=1024)]]
    customData: NotRequired[CustomDataType]


class AFRRSignalResponse(TypedDict):
    status: GenericStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


WholeFrom0 = Annotated[int, Meta(ge=0, le=9007199254740991)]


class PeriodicEventStreamParamsType(TypedDict):
    interval: NotRequired[WholeFrom0]
    values: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


class AdjustPeriodicEventStreamRequest(TypedDict):
    id: WholeFrom0
    params: PeriodicEventStreamParamsType
    customData: NotRequired[CustomDataType]


AdjustPeriodicEventStreamResponse = AFRRSignalResponse


class AdditionalInfoType(TypedDict):
    additionalIdToken: Annotated[str, Meta(max_length=255)]
    type: Annotated[str, Meta(max_length=50)]
    customData: NotRequired[CustomDataType]


class IdTokenType(TypedDict):
    additionalInfo: NotRequired[Annotated[list[AdditionalInfoType], Meta(min_length=1)]]
    idToken: Annotated[str, Meta(max_length=255)]
    type: Annotated[str, Meta(max_length=20)]
    customData: NotRequired[CustomDataType]


HashAlgorithmEnumType = Literal["SHA256", "SHA384", "SHA512"]


class OCSPRequestDataType(TypedDict):
    hashAlgorithm: HashAlgorithmEnumType
    issuerNameHash: Annotated[str, Meta(max_length=128)]
    issuerKeyHash: Annotated[str, Meta(max_length=128)]
    serialNumber: Annotated[str, Meta(max_length=40)]
    responderURL: Annotated[str, Meta(max_length=2000)]
    customData: NotRequired[CustomDataType]


class AuthorizeRequest(TypedDict):
    idToken: IdTokenType
    certificate: NotRequired[Annotated[str, Meta(max_length=10000)]]
    iso15118CertificateHashData: NotRequired[Annotated[list[OCSPRequestDataType], Meta(min_length=1, max_length=4)]]
    customData: NotRequired[CustomDataType]


AuthorizationStatusEnumType = Literal[
    "Accepted", "Blocked", "ConcurrentTx", "Expired", "Invalid", "NoCredit", "NotAllowedTypeEVSE", "NotAtThisLocation",
    "NotAtThisTime", "Unknown"
]
MessageFormatEnumType = Literal["ASCII", "HTML", "URI", "UTF8", "QRCODE"]


class MessageContentType(TypedDict):
    format: MessageFormatEnumType
    language: NotRequired[Annotated[str, Meta(max_length=8)]]
    content: Annotated[str, Meta(max_length=1024)]
    customData: NotRequired[CustomDataType]


class IdTokenInfoType(TypedDict):
    status: AuthorizationStatusEnumType
    cacheExpiryDateTime: NotRequired[str]
    chargingPriority: NotRequired[Whole]
    groupIdToken: NotRequired[IdTokenType]
    language1: NotRequired[Annotated[str, Meta(max_length=8)]]
    language2: NotRequired[Annotated[str, Meta(max_length=8)]]
    evseId: NotRequired[Annotated[list[WholeFrom0], Meta(min_length=1)]]
    personalMessage: NotRequired[MessageContentType]
    customData: NotRequired[CustomDataType]


AuthorizeCertificateStatusEnumType = Literal[
    "Accepted", "SignatureError", "CertificateExpired", "CertificateRevoked", "NoCertificateAvailable",
    "CertChainError", "ContractCancelled"
]
EnergyTransferModeEnumType = Literal[
    "AC_single_phase", "AC_two_phase", "AC_three_phase", "DC", "AC_BPT", "AC_BPT_DER", "AC_DER", "DC_BPT", "DC_ACDP",
    "DC_ACDP_BPT", "WPT"
]
DayOfWeekEnumType = Literal["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
EvseKindEnumType = Literal["AC", "DC"]


class TariffConditionsType(TypedDict):
    startTimeOfDay: NotRequired[str]
    endTimeOfDay: NotRequired[str]
    dayOfWeek: NotRequired[Annotated[list[DayOfWeekEnumType], Meta(min_length=1, max_length=7)]]
    validFromDate: NotRequired[str]
    validToDate: NotRequired[str]
    evseKind: NotRequired[EvseKindEnumType]
    minEnergy: NotRequired[Number]
    maxEnergy: NotRequired[Number]
    minCurrent: NotRequired[Number]
    maxCurrent: NotRequired[Number]
    minPower: NotRequired[Number]
    maxPower: NotRequired[Number]
    minTime: NotRequired[Whole]
    maxTime: NotRequired[Whole]
    minChargingTime: NotRequired[Whole]
    maxChargingTime: NotRequired[Whole]
    minIdleTime: NotRequired[Whole]
    maxIdleTime: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


class TariffEnergyPriceType(TypedDict):
    priceKwh: Number
    conditions: NotRequired[TariffConditionsType]
    customData: NotRequired[CustomDataType]


class TaxRateType(TypedDict):
    type: Annotated[str, Meta(max_length=20)]
    tax: Number
    stack: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


class TariffEnergyType(TypedDict):
    prices: Annotated[list[TariffEnergyPriceType], Meta(min_length=1)]
    taxRates: NotRequired[Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)]]
    customData: NotRequired[CustomDataType]


class TariffTimePriceType(TypedDict):
    priceMinute: Number
    conditions: NotRequired[TariffConditionsType]
    customData: NotRequired[CustomDataType]


class TariffTimeType(TypedDict):
    prices: Annotated[list[TariffTimePriceType], Meta(min_length=1)]
    taxRates: NotRequired[Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)]]
    customData: NotRequired[CustomDataType]


class TariffConditionsFixedType(TypedDict):
    startTimeOfDay: NotRequired[str]
    endTimeOfDay: NotRequired[str]
    dayOfWeek: NotRequired[Annotated[list[DayOfWeekEnumType], Meta(min_length=1, max_length=7)]]
    validFromDate: NotRequired[str]
    validToDate: NotRequired[str]
    evseKind: NotRequired[EvseKindEnumType]
    paymentBrand: NotRequired[Annotated[str, Meta(max_length=20)]]
    paymentRecognition: NotRequired[Annotated[str, Meta(max_length=20)]]
    customData: NotRequired[CustomDataType]


class TariffFixedPriceType(TypedDict):
    conditions: NotRequired[TariffConditionsFixedType]
    priceFixed: Number
    customData: NotRequired[CustomDataType]


class TariffFixedType(TypedDict):
    prices: Annotated[list[TariffFixedPriceType], Meta(min_length=1)]
    taxRates: NotRequired[Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)]]
    customData: NotRequired[CustomDataType]


class PriceType(TypedDict):
    exclTax: NotRequired[Number]
    inclTax: NotRequired[Number]
    taxRates: NotRequired[Annotated[list[TaxRateType], Meta(min_length=1, max_length=5)]]
    customData: NotRequired[CustomDataType]


class TariffType(TypedDict):
    tariffId: Annotated[str, Meta(max_length=60)]
    description: NotRequired[Annotated[list[MessageContentType], Meta(min_length=1, max_length=10)]]
    currency: Annotated[str, Meta(max_length=3)]
    energy: NotRequired[TariffEnergyType]
    validFrom: NotRequired[str]
    chargingTime: NotRequired[TariffTimeType]
    idleTime: NotRequired[TariffTimeType]
    fixedFee: NotRequired[TariffFixedType]
    reservationTime: NotRequired[TariffTimeType]
    reservationFixed: NotRequired[TariffFixedType]
    minCost: NotRequired[PriceType]
    maxCost: NotRequired[PriceType]
    customData: NotRequired[CustomDataType]


class AuthorizeResponse(TypedDict):
    idTokenInfo: IdTokenInfoType
    certificateStatus: NotRequired[AuthorizeCertificateStatusEnumType]
    allowedEnergyTransfer: NotRequired[Annotated[list[EnergyTransferModeEnumType], Meta(min_length=1)]]
    tariff: NotRequired[TariffType]
    customData: NotRequired[CustomDataType]


NumberFrom0To100 = Annotated[int, Meta(ge=0, le=100)] | Annotated[float, Meta(ge=0.0, le=100.0)]


class BatteryDataType(TypedDict):
    evseId: WholeFrom0
    serialNumber: Annotated[str, Meta(max_length=50)]
    soC: NumberFrom0To100
    soH: NumberFrom0To100
    productionDate: NotRequired[str]
    vendorInfo: NotRequired[Annotated[str, Meta(max_length=500)]]
    customData: NotRequired[CustomDataType]


BatterySwapEventEnumType = Literal["BatteryIn", "BatteryOut", "BatteryOutTimeout"]


class BatterySwapRequest(TypedDict):
    batteryData: Annotated[list[BatteryDataType], Meta(min_length=1)]
    eventType: BatterySwapEventEnumType
    idToken: IdTokenType
    requestId: Whole
    customData: NotRequired[CustomDataType]


class BatterySwapResponse(TypedDict):
    customData: NotRequired[CustomDataType]


class ModemType(TypedDict):
    iccid: NotRequired[Annotated[str, Meta(max_length=20)]]
    imsi: NotRequired[Annotated[str, Meta(max_length=20)]]
    customData: NotRequired[CustomDataType]


class ChargingStationType(TypedDict):
    serialNumber: NotRequired[Annotated[str, Meta(max_length=25)]]
    model: Annotated[str, Meta(max_length=20)]
    modem: NotRequired[ModemType]
    vendorName: Annotated[str, Meta(max_length=50)]
    firmwareVersion: NotRequired[Annotated[str, Meta(max_length=50)]]
    customData: NotRequired[CustomDataType]


BootReasonEnumType = Literal[
    "ApplicationReset", "FirmwareUpdate", "LocalReset", "PowerUp", "RemoteReset", "ScheduledReset", "Triggered",
    "Unknown", "Watchdog"
]


class BootNotificationRequest(TypedDict):
    chargingStation: ChargingStationType
    reason: BootReasonEnumType
    customData: NotRequired[CustomDataType]


RegistrationStatusEnumType = Literal["Accepted", "Pending", "Rejected"]


class BootNotificationResponse(TypedDict):
    currentTime: str
    interval: Whole
    status: RegistrationStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class CancelReservationRequest(TypedDict):
    reservationId: WholeFrom0
    customData: NotRequired[CustomDataType]


CancelReservationResponse = AFRRSignalResponse
CertificateSigningUseEnumType = Literal["ChargingStationCertificate", "V2GCertificate", "V2G20Certificate"]


class CertificateSignedRequest(TypedDict):
    certificateChain: Annotated[str, Meta(max_length=10000)]
    certificateType: NotRequired[CertificateSigningUseEnumType]
    requestId: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


CertificateSignedResponse = AFRRSignalResponse


class EVSEType(TypedDict):
    id: WholeFrom0
    connectorId: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


OperationalStatusEnumType = Literal["Inoperative", "Operative"]


class ChangeAvailabilityRequest(TypedDict):
    evse: NotRequired[EVSEType]
    operationalStatus: OperationalStatusEnumType
    customData: NotRequired[CustomDataType]


ChangeAvailabilityStatusEnumType = Literal["Accepted", "Rejected", "Scheduled"]


class ChangeAvailabilityResponse(TypedDict):
    status: ChangeAvailabilityStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class ChangeTransactionTariffRequest(TypedDict):
    tariff: TariffType
    transactionId: Annotated[str, Meta(max_length=36)]
    customData: NotRequired[CustomDataType]


TariffChangeStatusEnumType = Literal[
    "Accepted", "Rejected", "TooManyElements", "ConditionNotSupported", "TxNotFound", "NoCurrencyChange"
]


class ChangeTransactionTariffResponse(TypedDict):
    status: TariffChangeStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


ClearCacheRequest = BatterySwapResponse
ClearCacheResponse = AFRRSignalResponse
ChargingProfilePurposeEnumType = Literal[
    "ChargingStationExternalConstraints", "ChargingStationMaxProfile", "TxDefaultProfile", "TxProfile",
    "PriorityCharging", "LocalGeneration"
]


class ClearChargingProfileType(TypedDict):
    evseId: NotRequired[WholeFrom0]
    chargingProfilePurpose: NotRequired[ChargingProfilePurposeEnumType]
    stackLevel: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


class ClearChargingProfileRequest(TypedDict):
    chargingProfileId: NotRequired[Whole]
    chargingProfileCriteria: NotRequired[ClearChargingProfileType]
    customData: NotRequired[CustomDataType]


ClearChargingProfileStatusEnumType = Literal["Accepted", "Unknown"]


class ClearChargingProfileResponse(TypedDict):
    status: ClearChargingProfileStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


DERControlEnumType = Literal[
    "EnterService", "FreqDroop", "FreqWatt", "FixedPFAbsorb", "FixedPFInject", "FixedVar", "Gradients", "HFMustTrip",
    "HFMayTrip", "HVMustTrip", "HVMomCess", "HVMayTrip", "LimitMaxDischarge", "LFMustTrip", "LVMustTrip", "LVMomCess",
    "LVMayTrip", "PowerMonitoringMustTrip", "VoltVar", "VoltWatt", "WattPF", "WattVar"
]


class ClearDERControlRequest(TypedDict):
    isDefault: bool
    controlType: NotRequired[DERControlEnumType]
    controlId: NotRequired[Annotated[str, Meta(max_length=36)]]
    customData: NotRequired[CustomDataType]


DERControlStatusEnumType = Literal["Accepted", "Rejected", "NotSupported", "NotFound"]


class ClearDERControlResponse(TypedDict):
    status: DERControlStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class ClearDisplayMessageRequest(TypedDict):
    id: WholeFrom0
    customData: NotRequired[CustomDataType]


ClearMessageStatusEnumType = Literal["Accepted", "Unknown", "Rejected"]


class ClearDisplayMessageResponse(TypedDict):
    status: ClearMessageStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class ClearTariffsRequest(TypedDict):
    tariffIds: NotRequired[Annotated[list[Annotated[str, Meta(max_length=60)]], Meta(min_length=1)]]
    evseId: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


TariffClearStatusEnumType = Literal["Accepted", "Rejected", "NoTariff"]


class ClearTariffsResultType(TypedDict):
    statusInfo: NotRequired[StatusInfoType]
    tariffId: NotRequired[Annotated[str, Meta(max_length=60)]]
    status: TariffClearStatusEnumType
    customData: NotRequired[CustomDataType]


class ClearTariffsResponse(TypedDict):
    clearTariffsResult: Annotated[list[ClearTariffsResultType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


class ClearVariableMonitoringRequest(TypedDict):
    id: Annotated[list[WholeFrom0], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


ClearMonitoringStatusEnumType = Literal["Accepted", "Rejected", "NotFound"]


class ClearMonitoringResultType(TypedDict):
    status: ClearMonitoringStatusEnumType
    id: WholeFrom0
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class ClearVariableMonitoringResponse(TypedDict):
    clearMonitoringResult: Annotated[list[ClearMonitoringResultType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


class ClearedChargingLimitRequest(TypedDict):
    chargingLimitSource: Annotated[str, Meta(max_length=20)]
    evseId: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


ClearedChargingLimitResponse = BatterySwapResponse
ClosePeriodicEventStreamRequest = ClearDisplayMessageRequest
ClosePeriodicEventStreamResponse = BatterySwapResponse


class CostUpdatedRequest(TypedDict):
    totalCost: Number
    transactionId: Annotated[str, Meta(max_length=36)]
    customData: NotRequired[CustomDataType]


CostUpdatedResponse = BatterySwapResponse


class CertificateHashDataType(TypedDict):
    hashAlgorithm: HashAlgorithmEnumType
    issuerNameHash: Annotated[str, Meta(max_length=128)]
    issuerKeyHash: Annotated[str, Meta(max_length=128)]
    serialNumber: Annotated[str, Meta(max_length=40)]
    customData: NotRequired[CustomDataType]


class CustomerInformationRequest(TypedDict):
    customerCertificate: NotRequired[CertificateHashDataType]
    idToken: NotRequired[IdTokenType]
    requestId: WholeFrom0
    report: bool
    clear: bool
    customerIdentifier: NotRequired[Annotated[str, Meta(max_length=64)]]
    customData: NotRequired[CustomDataType]


CustomerInformationStatusEnumType = Literal["Accepted", "Rejected", "Invalid"]


class CustomerInformationResponse(TypedDict):
    status: CustomerInformationStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class DataTransferRequest(TypedDict):
    messageId: NotRequired[Annotated[str, Meta(max_length=50)]]
    data: NotRequired[str]
    vendorId: Annotated[str, Meta(max_length=255)]
    customData: NotRequired[CustomDataType]


DataTransferStatusEnumType = Literal["Accepted", "Rejected", "UnknownMessageId", "UnknownVendorId"]


class DataTransferResponse(TypedDict):
    status: DataTransferStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    data: NotRequired[str]
    customData: NotRequired[CustomDataType]


class DeleteCertificateRequest(TypedDict):
    certificateHashData: CertificateHashDataType
    customData: NotRequired[CustomDataType]


DeleteCertificateStatusEnumType = Literal["Accepted", "Failed", "NotFound"]


class DeleteCertificateResponse(TypedDict):
    status: DeleteCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


FirmwareStatusEnumType = Literal[
    "Downloaded", "DownloadFailed", "Downloading", "DownloadScheduled", "DownloadPaused", "Idle", "InstallationFailed",
    "Installing", "Installed", "InstallRebooting", "InstallScheduled", "InstallVerificationFailed", "InvalidSignature",
    "SignatureVerified"
]


class FirmwareStatusNotificationRequest(TypedDict):
    status: FirmwareStatusEnumType
    requestId: NotRequired[Whole]
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


FirmwareStatusNotificationResponse = BatterySwapResponse
CertificateActionEnumType = Literal["Install", "Update"]


class Get15118EVCertificateRequest(TypedDict):
    iso15118SchemaVersion: Annotated[str, Meta(max_length=50)]
    action: CertificateActionEnumType
    exiRequest: Annotated[str, Meta(max_length=11000)]
    maximumContractCertificateChains: NotRequired[WholeFrom0]
    prioritizedEMAIDs: NotRequired[Annotated[list[Annotated[str, Meta(max_length=255)]], Meta(min_length=1, max_length=8)]]
    customData: NotRequired[CustomDataType]


Iso15118EVCertificateStatusEnumType = Literal["Accepted", "Failed"]


class Get15118EVCertificateResponse(TypedDict):
    status: Iso15118EVCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    exiResponse: Annotated[str, Meta(max_length=17000)]
    remainingContracts: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


ReportBaseEnumType = Literal["ConfigurationInventory", "FullInventory", "SummaryInventory"]


class GetBaseReportRequest(TypedDict):
    requestId: Whole
    reportBase: ReportBaseEnumType
    customData: NotRequired[CustomDataType]


GenericDeviceModelStatusEnumType = Literal["Accepted", "Rejected", "NotSupported", "EmptyResultSet"]


class GetBaseReportResponse(TypedDict):
    status: GenericDeviceModelStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


CertificateStatusSourceEnumType = Literal["CRL", "OCSP"]


class CertificateStatusRequestInfoType(TypedDict):
    certificateHashData: CertificateHashDataType
    source: CertificateStatusSourceEnumType
    urls: Annotated[list[Annotated[str, Meta(max_length=2000)]], Meta(min_length=1, max_length=5)]
    customData: NotRequired[CustomDataType]


class GetCertificateChainStatusRequest(TypedDict):
    certificateStatusRequests: Annotated[list[CertificateStatusRequestInfoType], Meta(min_length=1, max_length=4)]
    customData: NotRequired[CustomDataType]


CertificateStatusEnumType = Literal["Good", "Revoked", "Unknown", "Failed"]


class CertificateStatusType(TypedDict):
    certificateHashData: CertificateHashDataType
    source: CertificateStatusSourceEnumType
    status: CertificateStatusEnumType
    nextUpdate: str
    customData: NotRequired[CustomDataType]


class GetCertificateChainStatusResponse(TypedDict):
    certificateStatus: Annotated[list[CertificateStatusType], Meta(min_length=1, max_length=4)]
    customData: NotRequired[CustomDataType]


class GetCertificateStatusRequest(TypedDict):
    ocspRequestData: OCSPRequestDataType
    customData: NotRequired[CustomDataType]


class GetCertificateStatusResponse(TypedDict):
    status: Iso15118EVCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    ocspResult: NotRequired[Annotated[str, Meta(max_length=18000)]]
    customData: NotRequired[CustomDataType]


class ChargingProfileCriterionType(TypedDict):
    chargingProfilePurpose: NotRequired[ChargingProfilePurposeEnumType]
    stackLevel: NotRequired[WholeFrom0]
    chargingProfileId: NotRequired[Annotated[list[Whole], Meta(min_length=1)]]
    chargingLimitSource: NotRequired[Annotated[list[Annotated[str, Meta(max_length=20)]], Meta(min_length=1, max_length=4)]]
    customData: NotRequired[CustomDataType]


class GetChargingProfilesRequest(TypedDict):
    requestId: Whole
    evseId: NotRequired[WholeFrom0]
    chargingProfile: ChargingProfileCriterionType
    customData: NotRequired[CustomDataType]


GetChargingProfileStatusEnumType = Literal["Accepted", "NoProfiles"]


class GetChargingProfilesResponse(TypedDict):
    status: GetChargingProfileStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


ChargingRateUnitEnumType = Literal["W", "A"]


class GetCompositeScheduleRequest(TypedDict):
    duration: Whole
    chargingRateUnit: NotRequired[ChargingRateUnitEnumType]
    evseId: WholeFrom0
    customData: NotRequired[CustomDataType]


WholeFrom0To3 = Annotated[int, Meta(ge=0, le=3)]
NumberTo0 = Annotated[int, Meta(ge=-9007199254740991, le=0)] | Annotated[float, Meta(ge=-9007199254740991.0, le=0.0)]
OperationModeEnumType = Literal[
    "Idle", "ChargingOnly", "CentralSetpoint", "ExternalSetpoint", "ExternalLimits", "CentralFrequency",
    "LocalFrequency", "LocalLoadBalancing"
]


class V2XFreqWattPointType(TypedDict):
    frequency: Number
    power: Number
    customData: NotRequired[CustomDataType]


class V2XSignalWattPointType(TypedDict):
    signal: Whole
    power: Number
    customData: NotRequired[CustomDataType]


class ChargingSchedulePeriodType(TypedDict):
    startPeriod: Whole
    limit: NotRequired[Number]
    limit_L2: NotRequired[Number]
    limit_L3: NotRequired[Number]
    numberPhases: NotRequired[WholeFrom0To3]
    phaseToUse: NotRequired[WholeFrom0To3]
    dischargeLimit: NotRequired[NumberTo0]
    dischargeLimit_L2: NotRequired[NumberTo0]
    dischargeLimit_L3: NotRequired[NumberTo0]
    setpoint: NotRequired[Number]
    setpoint_L2: NotRequired[Number]
    setpoint_L3: NotRequired[Number]
    setpointReactive: NotRequired[Number]
    setpointReactive_L2: NotRequired[Number]
    setpointReactive_L3: NotRequired[Number]
    preconditioningRequest: NotRequired[bool]
    evseSleep: NotRequired[bool]
    v2xBaseline: NotRequired[Number]
    operationMode: NotRequired[OperationModeEnumType]
    v2xFreqWattCurve: NotRequired[Annotated[list[V2XFreqWattPointType], Meta(min_length=1, max_length=20)]]
    v2xSignalWattCurve: NotRequired[Annotated[list[V2XSignalWattPointType], Meta(min_length=1, max_length=20)]]
    customData: NotRequired[CustomDataType]


class CompositeScheduleType(TypedDict):
    evseId: WholeFrom0
    duration: Whole
    scheduleStart: str
    chargingRateUnit: ChargingRateUnitEnumType
    chargingSchedulePeriod: Annotated[list[ChargingSchedulePeriodType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


class GetCompositeScheduleResponse(TypedDict):
    status: GenericStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    schedule: NotRequired[CompositeScheduleType]
    customData: NotRequired[CustomDataType]


class GetDERControlRequest(TypedDict):
    requestId: Whole
    isDefault: NotRequired[bool]
    controlType: NotRequired[DERControlEnumType]
    controlId: NotRequired[Annotated[str, Meta(max_length=36)]]
    customData: NotRequired[CustomDataType]


GetDERControlResponse = ClearDERControlResponse
MessagePriorityEnumType = Literal["AlwaysFront", "InFront", "NormalCycle"]
MessageStateEnumType = Literal["Charging", "Faulted", "Idle", "Unavailable", "Suspended", "Discharging"]


class GetDisplayMessagesRequest(TypedDict):
    id: NotRequired[Annotated[list[WholeFrom0], Meta(min_length=1)]]
    requestId: Whole
    priority: NotRequired[MessagePriorityEnumType]
    state: NotRequired[MessageStateEnumType]
    customData: NotRequired[CustomDataType]


GetDisplayMessagesResponse = ClearChargingProfileResponse
GetCertificateIdUseEnumType = Literal[
    "V2GRootCertificate", "MORootCertificate", "CSMSRootCertificate", "V2GCertificateChain",
    "ManufacturerRootCertificate", "OEMRootCertificate"
]


class GetInstalledCertificateIdsRequest(TypedDict):
    certificateType: NotRequired[Annotated[list[GetCertificateIdUseEnumType], Meta(min_length=1)]]
    customData: NotRequired[CustomDataType]


GetInstalledCertificateStatusEnumType = Literal["Accepted", "NotFound"]


class CertificateHashDataChainType(TypedDict):
    certificateHashData: CertificateHashDataType
    certificateType: GetCertificateIdUseEnumType
    childCertificateHashData: NotRequired[Annotated[list[CertificateHashDataType], Meta(min_length=1, max_length=4)]]
    customData: NotRequired[CustomDataType]


class GetInstalledCertificateIdsResponse(TypedDict):
    status: GetInstalledCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    certificateHashDataChain: NotRequired[Annotated[list[CertificateHashDataChainType], Meta(min_length=1)]]
    customData: NotRequired[CustomDataType]


GetLocalListVersionRequest = BatterySwapResponse


class GetLocalListVersionResponse(TypedDict):
    versionNumber: Whole
    customData: NotRequired[CustomDataType]


class LogParametersType(TypedDict):
    remoteLocation: Annotated[str, Meta(max_length=2000)]
    oldestTimestamp: NotRequired[str]
    latestTimestamp: NotRequired[str]
    customData: NotRequired[CustomDataType]


LogEnumType = Literal["DiagnosticsLog", "SecurityLog", "DataCollectorLog"]


class GetLogRequest(TypedDict):
    log: LogParametersType
    logType: LogEnumType
    requestId: Whole
    retries: NotRequired[WholeFrom0]
    retryInterval: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


LogStatusEnumType = Literal["Accepted", "Rejected", "AcceptedCanceled"]


class GetLogResponse(TypedDict):
    status: LogStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    filename: NotRequired[Annotated[str, Meta(max_length=255)]]
    customData: NotRequired[CustomDataType]


class ComponentType(TypedDict):
    evse: NotRequired[EVSEType]
    name: Annotated[str, Meta(max_length=50)]
    instance: NotRequired[Annotated[str, Meta(max_length=50)]]
    customData: NotRequired[CustomDataType]


class VariableType(TypedDict):
    name: Annotated[str, Meta(max_length=50)]
    instance: NotRequired[Annotated[str, Meta(max_length=50)]]
    customData: NotRequired[CustomDataType]


class ComponentVariableType(TypedDict):
    component: ComponentType
    variable: NotRequired[VariableType]
    customData: NotRequired[CustomDataType]


MonitoringCriterionEnumType = Literal["ThresholdMonitoring", "DeltaMonitoring", "PeriodicMonitoring"]


class GetMonitoringReportRequest(TypedDict):
    componentVariable: NotRequired[Annotated[list[ComponentVariableType], Meta(min_length=1)]]
    requestId: Whole
    monitoringCriteria: NotRequired[Annotated[list[MonitoringCriterionEnumType], Meta(min_length=1, max_length=3)]]
    customData: NotRequired[CustomDataType]


GetMonitoringReportResponse = GetBaseReportResponse
GetPeriodicEventStreamRequest = BatterySwapResponse


class ConstantStreamDataType(TypedDict):
    id: WholeFrom0
    params: PeriodicEventStreamParamsType
    variableMonitoringId: WholeFrom0
    customData: NotRequired[CustomDataType]


class GetPeriodicEventStreamResponse(TypedDict):
    constantStreamData: NotRequired[Annotated[list[ConstantStreamDataType], Meta(min_length=1)]]
    customData: NotRequired[CustomDataType]


ComponentCriterionEnumType = Literal["Active", "Available", "Enabled", "Problem"]


class GetReportRequest(TypedDict):
    componentVariable: NotRequired[Annotated[list[ComponentVariableType], Meta(min_length=1)]]
    requestId: Whole
    componentCriteria: NotRequired[Annotated[list[ComponentCriterionEnumType], Meta(min_length=1, max_length=4)]]
    customData: NotRequired[CustomDataType]


GetReportResponse = GetBaseReportResponse


class GetTariffsRequest(TypedDict):
    evseId: WholeFrom0
    customData: NotRequired[CustomDataType]


TariffKindEnumType = Literal["DefaultTariff", "DriverTariff"]


class TariffAssignmentType(TypedDict):
    tariffId: Annotated[str, Meta(max_length=60)]
    tariffKind: TariffKindEnumType
    validFrom: NotRequired[str]
    evseIds: NotRequired[Annotated[list[WholeFrom0], Meta(min_length=1)]]
    idTokens: NotRequired[Annotated[list[Annotated[str, Meta(max_length=255)]], Meta(min_length=1)]]
    customData: NotRequired[CustomDataType]


class GetTariffsResponse(TypedDict):
    status: TariffClearStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    tariffAssignments: NotRequired[Annotated[list[TariffAssignmentType], Meta(min_length=1)]]
    customData: NotRequired[CustomDataType]


class GetTransactionStatusRequest(TypedDict):
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    customData: NotRequired[CustomDataType]


class GetTransactionStatusResponse(TypedDict):
    ongoingIndicator: NotRequired[bool]
    messagesInQueue: bool
    customData: NotRequired[CustomDataType]


AttributeEnumType = Literal["Actual", "Target", "MinSet", "MaxSet"]


class GetVariableDataType(TypedDict):
    attributeType: NotRequired[AttributeEnumType]
    component: ComponentType
    variable: VariableType
    customData: NotRequired[CustomDataType]


class GetVariablesRequest(TypedDict):
    getVariableData: Annotated[list[GetVariableDataType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


GetVariableStatusEnumType = Literal[
    "Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType"
]


class GetVariableResultType(TypedDict):
    attributeStatus: GetVariableStatusEnumType
    attributeStatusInfo: NotRequired[StatusInfoType]
    attributeType: NotRequired[AttributeEnumType]
    attributeValue: NotRequired[Annotated[str, Meta(max_length=2500)]]
    component: ComponentType
    variable: VariableType
    customData: NotRequired[CustomDataType]


class GetVariablesResponse(TypedDict):
    getVariableResult: Annotated[list[GetVariableResultType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


HeartbeatRequest = BatterySwapResponse


class HeartbeatResponse(TypedDict):
    currentTime: str
    customData: NotRequired[CustomDataType]


InstallCertificateUseEnumType = Literal[
    "V2GRootCertificate", "MORootCertificate", "ManufacturerRootCertificate", "CSMSRootCertificate",
    "OEMRootCertificate"
]


class InstallCertificateRequest(TypedDict):
    certificateType: InstallCertificateUseEnumType
    certificate: Annotated[str, Meta(max_length=10000)]
    customData: NotRequired[CustomDataType]


InstallCertificateStatusEnumType = Literal["Accepted", "Rejected", "Failed"]


class InstallCertificateResponse(TypedDict):
    status: InstallCertificateStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


UploadLogStatusEnumType = Literal[
    "BadMessage", "Idle", "NotSupportedOperation", "PermissionDenied", "Uploaded", "UploadFailure", "Uploading",
    "AcceptedCanceled"
]


class LogStatusNotificationRequest(TypedDict):
    status: UploadLogStatusEnumType
    requestId: NotRequired[Whole]
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


LogStatusNotificationResponse = BatterySwapResponse
MeasurandEnumType = Literal[
    "Current.Export", "Current.Export.Offered", "Current.Export.Minimum", "Current.Import", "Current.Import.Offered",
    "Current.Import.Minimum", "Current.Offered", "Display.PresentSOC", "Display.MinimumSOC", "Display.TargetSOC",
    "Display.MaximumSOC", "Display.RemainingTimeToMinimumSOC", "Display.RemainingTimeToTargetSOC",
    "Display.RemainingTimeToMaximumSOC", "Display.ChargingComplete", "Display.BatteryEnergyCapacity",
    "Display.InletHot", "Energy.Active.Export.Interval", "Energy.Active.Export.Register",
    "Energy.Active.Import.Interval", "Energy.Active.Import.Register", "Energy.Active.Import.CableLoss",
    "Energy.Active.Import.LocalGeneration.Register", "Energy.Active.Net", "Energy.Active.Setpoint.Interval",
    "Energy.Apparent.Export", "Energy.Apparent.Import", "Energy.Apparent.Net", "Energy.Reactive.Export.Interval",
    "Energy.Reactive.Export.Register", "Energy.Reactive.Import.Interval", "Energy.Reactive.Import.Register",
    "Energy.Reactive.Net", "EnergyRequest.Target", "EnergyRequest.Minimum", "EnergyRequest.Maximum",
    "EnergyRequest.Minimum.V2X", "EnergyRequest.Maximum.V2X", "EnergyRequest.Bulk", "Frequency", "Power.Active.Export",
    "Power.Active.Import", "Power.Active.Setpoint", "Power.Active.Residual", "Power.Export.Minimum",
    "Power.Export.Offered", "Power.Factor", "Power.Import.Offered", "Power.Import.Minimum", "Power.Offered",
    "Power.Reactive.Export", "Power.Reactive.Import", "SoC", "Voltage", "Voltage.Minimum", "Voltage.Maximum"
]
ReadingContextEnumType = Literal[
    "Interruption.Begin", "Interruption.End", "Other", "Sample.Clock", "Sample.Periodic", "Transaction.Begin",
    "Transaction.End", "Trigger"
]
PhaseEnumType = Literal["L1", "L2", "L3", "N", "L1-N", "L2-N", "L3-N", "L1-L2", "L2-L3", "L3-L1"]
LocationEnumType = Literal["Body", "Cable", "EV", "Inlet", "Outlet", "Upstream"]


class SignedMeterValueType(TypedDict):
    signedMeterData: Annotated[str, Meta(max_length=32768)]
    signingMethod: NotRequired[Annotated[str, Meta(max_length=50)]]
    encodingMethod: Annotated[str, Meta(max_length=50)]
    publicKey: NotRequired[Annotated[str, Meta(max_length=2500)]]
    customData: NotRequired[CustomDataType]


class UnitOfMeasureType(TypedDict):
    unit: NotRequired[Annotated[str, Meta(max_length=20)]]
    multiplier: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


class SampledValueType(TypedDict):
    value: Number
    measurand: NotRequired[MeasurandEnumType]
    context: NotRequired[ReadingContextEnumType]
    phase: NotRequired[PhaseEnumType]
    location: NotRequired[LocationEnumType]
    signedMeterValue: NotRequired[SignedMeterValueType]
    unitOfMeasure: NotRequired[UnitOfMeasureType]
    customData: NotRequired[CustomDataType]


class MeterValueType(TypedDict):
    sampledValue: Annotated[list[SampledValueType], Meta(min_length=1)]
    timestamp: str
    customData: NotRequired[CustomDataType]


class MeterValuesRequest(TypedDict):
    evseId: WholeFrom0
    meterValue: Annotated[list[MeterValueType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


MeterValuesResponse = BatterySwapResponse


class NotifyAllowedEnergyTransferRequest(TypedDict):
    transactionId: Annotated[str, Meta(max_length=36)]
    allowedEnergyTransfer: Annotated[list[EnergyTransferModeEnumType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


NotifyAllowedEnergyTransferResponse = AFRRSignalResponse
WholeFrom0To100 = Annotated[int, Meta(ge=0, le=100)]


class LimitAtSoCType(TypedDict):
    soc: WholeFrom0To100
    limit: Number
    customData: NotRequired[CustomDataType]


class RelativeTimeIntervalType(TypedDict):
    start: Whole
    duration: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


CostKindEnumType = Literal["CarbonDioxideEmission", "RelativePricePercentage", "RenewableGenerationPercentage"]


class CostType(TypedDict):
    costKind: CostKindEnumType
    amount: Whole
    amountMultiplier: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


class ConsumptionCostType(TypedDict):
    startValue: Number
    cost: Annotated[list[CostType], Meta(min_length=1, max_length=3)]
    customData: NotRequired[CustomDataType]


class SalesTariffEntryType(TypedDict):
    relativeTimeInterval: RelativeTimeIntervalType
    ePriceLevel: NotRequired[WholeFrom0]
    consumptionCost: NotRequired[Annotated[list[ConsumptionCostType], Meta(min_length=1, max_length=3)]]
    customData: NotRequired[CustomDataType]


class SalesTariffType(TypedDict):
    id: WholeFrom0
    salesTariffDescription: NotRequired[Annotated[str, Meta(max_length=32)]]
    numEPriceLevels: NotRequired[WholeFrom0]
    salesTariffEntry: Annotated[list[SalesTariffEntryType], Meta(min_length=1, max_length=1024)]
    customData: NotRequired[CustomDataType]


class RationalNumberType(TypedDict):
    exponent: Whole
    value: Whole
    customData: NotRequired[CustomDataType]


class PriceRuleType(TypedDict):
    parkingFeePeriod: NotRequired[Whole]
    carbonDioxideEmission: NotRequired[WholeFrom0]
    renewableGenerationPercentage: NotRequired[WholeFrom0To100]
    energyFee: RationalNumberType
    parkingFee: NotRequired[RationalNumberType]
    powerRangeStart: RationalNumberType
    customData: NotRequired[CustomDataType]


class PriceRuleStackType(TypedDict):
    duration: Whole
    priceRule: Annotated[list[PriceRuleType], Meta(min_length=1, max_length=8)]
    customData: NotRequired[CustomDataType]


class TaxRuleType(TypedDict):
    taxRuleID: WholeFrom0
    taxRuleName: NotRequired[Annotated[str, Meta(max_length=100)]]
    taxIncludedInPrice: NotRequired[bool]
    appliesToEnergyFee: bool
    appliesToParkingFee: bool
    appliesToOverstayFee: bool
    appliesToMinimumMaximumCost: bool
    taxRate: RationalNumberType
    customData: NotRequired[CustomDataType]


class OverstayRuleType(TypedDict):
    overstayFee: RationalNumberType
    overstayRuleDescription: NotRequired[Annotated[str, Meta(max_length=32)]]
    startTime: Whole
    overstayFeePeriod: Whole
    customData: NotRequired[CustomDataType]


class OverstayRuleListType(TypedDict):
    overstayPowerThreshold: NotRequired[RationalNumberType]
    overstayRule: Annotated[list[OverstayRuleType], Meta(min_length=1, max_length=5)]
    overstayTimeThreshold: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


class AdditionalSelectedServicesType(TypedDict):
    serviceFee: RationalNumberType
    serviceName: Annotated[str, Meta(max_length=80)]
    customData: NotRequired[CustomDataType]


class AbsolutePriceScheduleType(TypedDict):
    timeAnchor: str
    priceScheduleID: WholeFrom0
    priceScheduleDescription: NotRequired[Annotated[str, Meta(max_length=160)]]
    currency: Annotated[str, Meta(max_length=3)]
    language: Annotated[str, Meta(max_length=8)]
    priceAlgorithm: Annotated[str, Meta(max_length=2000)]
    minimumCost: NotRequired[RationalNumberType]
    maximumCost: NotRequired[RationalNumberType]
    priceRuleStacks: Annotated[list[PriceRuleStackType], Meta(min_length=1, max_length=1024)]
    taxRules: NotRequired[Annotated[list[TaxRuleType], Meta(min_length=1, max_length=10)]]
    overstayRuleList: NotRequired[OverstayRuleListType]
    additionalSelectedServices: NotRequired[Annotated[list[AdditionalSelectedServicesType], Meta(min_length=1, max_length=5)]]
    customData: NotRequired[CustomDataType]


class PriceLevelScheduleEntryType(TypedDict):
    duration: Whole
    priceLevel: WholeFrom0
    customData: NotRequired[CustomDataType]


class PriceLevelScheduleType(TypedDict):
    priceLevelScheduleEntries: Annotated[list[PriceLevelScheduleEntryType], Meta(min_length=1, max_length=100)]
    timeAnchor: str
    priceScheduleId: WholeFrom0
    priceScheduleDescription: NotRequired[Annotated[str, Meta(max_length=32)]]
    numberOfPriceLevels: WholeFrom0
    customData: NotRequired[CustomDataType]


class ChargingScheduleType(TypedDict):
    id: Whole
    limitAtSoC: NotRequired[LimitAtSoCType]
    startSchedule: NotRequired[str]
    duration: NotRequired[Whole]
    chargingRateUnit: ChargingRateUnitEnumType
    minChargingRate: NotRequired[Number]
    powerTolerance: NotRequired[Number]
    signatureId: NotRequired[WholeFrom0]
    digestValue: NotRequired[Annotated[str, Meta(max_length=88)]]
    useLocalTime: NotRequired[bool]
    chargingSchedulePeriod: Annotated[list[ChargingSchedulePeriodType], Meta(min_length=1, max_length=1024)]
    randomizedDelay: NotRequired[WholeFrom0]
    salesTariff: NotRequired[SalesTariffType]
    absolutePriceSchedule: NotRequired[AbsolutePriceScheduleType]
    priceLevelSchedule: NotRequired[PriceLevelScheduleType]
    customData: NotRequired[CustomDataType]


class ChargingLimitType(TypedDict):
    chargingLimitSource: Annotated[str, Meta(max_length=20)]
    isLocalGeneration: NotRequired[bool]
    isGridCritical: NotRequired[bool]
    customData: NotRequired[CustomDataType]


class NotifyChargingLimitRequest(TypedDict):
    chargingSchedule: NotRequired[Annotated[list[ChargingScheduleType], Meta(min_length=1)]]
    evseId: NotRequired[WholeFrom0]
    chargingLimit: ChargingLimitType
    customData: NotRequired[CustomDataType]


NotifyChargingLimitResponse = BatterySwapResponse


class NotifyCustomerInformationRequest(TypedDict):
    data: Annotated[str, Meta(max_length=512)]
    tbc: NotRequired[bool]
    seqNo: WholeFrom0
    generatedAt: str
    requestId: WholeFrom0
    customData: NotRequired[CustomDataType]


NotifyCustomerInformationResponse = BatterySwapResponse
GridEventFaultEnumType = Literal[
    "CurrentImbalance", "LocalEmergency", "LowInputPower", "OverCurrent", "OverFrequency", "OverVoltage",
    "PhaseRotation", "RemoteEmergency", "UnderFrequency", "UnderVoltage", "VoltageImbalance"
]


class NotifyDERAlarmRequest(TypedDict):
    controlType: DERControlEnumType
    gridEventFault: NotRequired[GridEventFaultEnumType]
    alarmEnded: NotRequired[bool]
    timestamp: str
    extraInfo: NotRequired[Annotated[str, Meta(max_length=200)]]
    customData: NotRequired[CustomDataType]


NotifyDERAlarmResponse = BatterySwapResponse


class NotifyDERStartStopRequest(TypedDict):
    controlId: Annotated[str, Meta(max_length=36)]
    started: bool
    timestamp: str
    supersededIds: NotRequired[Annotated[list[Annotated[str, Meta(max_length=36)]], Meta(min_length=1, max_length=24)]]
    customData: NotRequired[CustomDataType]


NotifyDERStartStopResponse = BatterySwapResponse


class MessageInfoType(TypedDict):
    display: NotRequired[ComponentType]
    id: WholeFrom0
    priority: MessagePriorityEnumType
    state: NotRequired[MessageStateEnumType]
    startDateTime: NotRequired[str]
    endDateTime: NotRequired[str]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    message: MessageContentType
    messageExtra: NotRequired[Annotated[list[MessageContentType], Meta(min_length=1, max_length=4)]]
    customData: NotRequired[CustomDataType]


class NotifyDisplayMessagesRequest(TypedDict):
    messageInfo: NotRequired[Annotated[list[MessageInfoType], Meta(min_length=1)]]
    requestId: Whole
    tbc: NotRequired[bool]
    customData: NotRequired[CustomDataType]


NotifyDisplayMessagesResponse = BatterySwapResponse
WholeFrom1 = Annotated[int, Meta(ge=1, le=9007199254740991)]


class ACChargingParametersType(TypedDict):
    energyAmount: Number
    evMinCurrent: Number
    evMaxCurrent: Number
    evMaxVoltage: Number
    customData: NotRequired[CustomDataType]


IslandingDetectionEnumType = Literal[
    "NoAntiIslandingSupport", "RoCoF", "UVP_OVP", "UFP_OFP", "VoltageVectorShift", "ZeroCrossingDetection",
    "OtherPassive", "ImpedanceMeasurement", "ImpedanceAtFrequency", "SlipModeFrequencyShift", "SandiaFrequencyShift",
    "SandiaVoltageShift", "FrequencyJump", "RCLQFactor", "OtherActive"
]


class DERChargingParametersType(TypedDict):
    evSupportedDERControl: NotRequired[Annotated[list[DERControlEnumType], Meta(min_length=1)]]
    evOverExcitedMaxDischargePower: NotRequired[Number]
    evOverExcitedPowerFactor: NotRequired[Number]
    evUnderExcitedMaxDischargePower: NotRequired[Number]
    evUnderExcitedPowerFactor: NotRequired[Number]
    maxApparentPower: NotRequired[Number]
    maxChargeApparentPower: NotRequired[Number]
    maxChargeApparentPower_L2: NotRequired[Number]
    maxChargeApparentPower_L3: NotRequired[Number]
    maxDischargeApparentPower: NotRequired[Number]
    maxDischargeApparentPower_L2: NotRequired[Number]
    maxDischargeApparentPower_L3: NotRequired[Number]
    maxChargeReactivePower: NotRequired[Number]
    maxChargeReactivePower_L2: NotRequired[Number]
    maxChargeReactivePower_L3: NotRequired[Number]
    minChargeReactivePower: NotRequired[Number]
    minChargeReactivePower_L2: NotRequired[Number]
    minChargeReactivePower_L3: NotRequired[Number]
    maxDischargeReactivePower: NotRequired[Number]
    maxDischargeReactivePower_L2: NotRequired[Number]
    maxDischargeReactivePower_L3: NotRequired[Number]
    minDischargeReactivePower: NotRequired[Number]
    minDischargeReactivePower_L2: NotRequired[Number]
    minDischargeReactivePower_L3: NotRequired[Number]
    nominalVoltage: NotRequired[Number]
    nominalVoltageOffset: NotRequired[Number]
    maxNominalVoltage: NotRequired[Number]
    minNominalVoltage: NotRequired[Number]
    evInverterManufacturer: NotRequired[Annotated[str, Meta(max_length=50)]]
    evInverterModel: NotRequired[Annotated[str, Meta(max_length=50)]]
    evInverterSerialNumber: NotRequired[Annotated[str, Meta(max_length=50)]]
    evInverterSwVersion: NotRequired[Annotated[str, Meta(max_length=50)]]
    evInverterHwVersion: NotRequired[Annotated[str, Meta(max_length=50)]]
    evIslandingDetectionMethod: NotRequired[Annotated[list[IslandingDetectionEnumType], Meta(min_length=1)]]
    evIslandingTripTime: NotRequired[Number]
    evMaximumLevel1DCInjection: NotRequired[Number]
    evDurationLevel1DCInjection: NotRequired[Number]
    evMaximumLevel2DCInjection: NotRequired[Number]
    evDurationLevel2DCInjection: NotRequired[Number]
    evReactiveSusceptance: NotRequired[Number]
    evSessionTotalDischargeEnergyAvailable: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class EVPriceRuleType(TypedDict):
    energyFee: Number
    powerRangeStart: Number
    customData: NotRequired[CustomDataType]


class EVAbsolutePriceScheduleEntryType(TypedDict):
    duration: Whole
    evPriceRule: Annotated[list[EVPriceRuleType], Meta(min_length=1, max_length=8)]
    customData: NotRequired[CustomDataType]


class EVAbsolutePriceScheduleType(TypedDict):
    timeAnchor: str
    currency: Annotated[str, Meta(max_length=3)]
    evAbsolutePriceScheduleEntries: Annotated[list[EVAbsolutePriceScheduleEntryType], Meta(min_length=1, max_length=1024)]
    priceAlgorithm: Annotated[str, Meta(max_length=2000)]
    customData: NotRequired[CustomDataType]


class EVPowerScheduleEntryType(TypedDict):
    duration: Whole
    power: Number
    customData: NotRequired[CustomDataType]


class EVPowerScheduleType(TypedDict):
    evPowerScheduleEntries: Annotated[list[EVPowerScheduleEntryType], Meta(min_length=1, max_length=1024)]
    timeAnchor: str
    customData: NotRequired[CustomDataType]


class EVEnergyOfferType(TypedDict):
    evAbsolutePriceSchedule: NotRequired[EVAbsolutePriceScheduleType]
    evPowerSchedule: EVPowerScheduleType
    customData: NotRequired[CustomDataType]


class DCChargingParametersType(TypedDict):
    evMaxCurrent: Number
    evMaxVoltage: Number
    evMaxPower: NotRequired[Number]
    evEnergyCapacity: NotRequired[Number]
    energyAmount: NotRequired[Number]
    stateOfCharge: NotRequired[WholeFrom0To100]
    fullSoC: NotRequired[WholeFrom0To100]
    bulkSoC: NotRequired[WholeFrom0To100]
    customData: NotRequired[CustomDataType]


class V2XChargingParametersType(TypedDict):
    minChargePower: NotRequired[Number]
    minChargePower_L2: NotRequired[Number]
    minChargePower_L3: NotRequired[Number]
    maxChargePower: NotRequired[Number]
    maxChargePower_L2: NotRequired[Number]
    maxChargePower_L3: NotRequired[Number]
    minDischargePower: NotRequired[Number]
    minDischargePower_L2: NotRequired[Number]
    minDischargePower_L3: NotRequired[Number]
    maxDischargePower: NotRequired[Number]
    maxDischargePower_L2: NotRequired[Number]
    maxDischargePower_L3: NotRequired[Number]
    minChargeCurrent: NotRequired[Number]
    maxChargeCurrent: NotRequired[Number]
    minDischargeCurrent: NotRequired[Number]
    maxDischargeCurrent: NotRequired[Number]
    minVoltage: NotRequired[Number]
    maxVoltage: NotRequired[Number]
    evTargetEnergyRequest: NotRequired[Number]
    evMinEnergyRequest: NotRequired[Number]
    evMaxEnergyRequest: NotRequired[Number]
    evMinV2XEnergyRequest: NotRequired[Number]
    evMaxV2XEnergyRequest: NotRequired[Number]
    targetSoC: NotRequired[WholeFrom0To100]
    customData: NotRequired[CustomDataType]


ControlModeEnumType = Literal["ScheduledControl", "DynamicControl"]
MobilityNeedsModeEnumType = Literal["EVCC", "EVCC_SECC"]


class ChargingNeedsType(TypedDict):
    acChargingParameters: NotRequired[ACChargingParametersType]
    derChargingParameters: NotRequired[DERChargingParametersType]
    evEnergyOffer: NotRequired[EVEnergyOfferType]
    requestedEnergyTransfer: EnergyTransferModeEnumType
    dcChargingParameters: NotRequired[DCChargingParametersType]
    v2xChargingParameters: NotRequired[V2XChargingParametersType]
    availableEnergyTransfer: NotRequired[Annotated[list[EnergyTransferModeEnumType], Meta(min_length=1)]]
    controlMode: NotRequired[ControlModeEnumType]
    mobilityNeedsMode: NotRequired[MobilityNeedsModeEnumType]
    departureTime: NotRequired[str]
    customData: NotRequired[CustomDataType]


class NotifyEVChargingNeedsRequest(TypedDict):
    evseId: WholeFrom1
    maxScheduleTuples: NotRequired[WholeFrom0]
    chargingNeeds: ChargingNeedsType
    timestamp: NotRequired[str]
    customData: NotRequired[CustomDataType]


NotifyEVChargingNeedsStatusEnumType = Literal["Accepted", "Rejected", "Processing", "NoChargingProfile"]


class NotifyEVChargingNeedsResponse(TypedDict):
    status: NotifyEVChargingNeedsStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class NotifyEVChargingScheduleRequest(TypedDict):
    timeBase: str
    chargingSchedule: ChargingScheduleType
    evseId: WholeFrom1
    selectedChargingScheduleId: NotRequired[WholeFrom0]
    powerToleranceAcceptance: NotRequired[bool]
    customData: NotRequired[CustomDataType]


NotifyEVChargingScheduleResponse = AFRRSignalResponse
EventTriggerEnumType = Literal["Alerting", "Delta", "Periodic"]
EventNotificationEnumType = Literal[
    "HardWiredNotification", "HardWiredMonitor", "PreconfiguredMonitor", "CustomMonitor"
]


class EventDataType(TypedDict):
    eventId: WholeFrom0
    timestamp: str
    trigger: EventTriggerEnumType
    cause: NotRequired[WholeFrom0]
    actualValue: Annotated[str, Meta(max_length=2500)]
    techCode: NotRequired[Annotated[str, Meta(max_length=50)]]
    techInfo: NotRequired[Annotated[str, Meta(max_length=500)]]
    cleared: NotRequired[bool]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    component: ComponentType
    variableMonitoringId: NotRequired[WholeFrom0]
    eventNotificationType: EventNotificationEnumType
    variable: VariableType
    severity: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


class NotifyEventRequest(TypedDict):
    generatedAt: str
    tbc: NotRequired[bool]
    seqNo: WholeFrom0
    eventData: Annotated[list[EventDataType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


NotifyEventResponse = BatterySwapResponse
MonitorEnumType = Literal[
    "UpperThreshold", "LowerThreshold", "Delta", "Periodic", "PeriodicClockAligned", "TargetDelta",
    "TargetDeltaRelative"
]


class VariableMonitoringType(TypedDict):
    id: WholeFrom0
    transaction: bool
    value: Number
    type: MonitorEnumType
    severity: WholeFrom0
    eventNotificationType: EventNotificationEnumType
    customData: NotRequired[CustomDataType]


class MonitoringDataType(TypedDict):
    component: ComponentType
    variable: VariableType
    variableMonitoring: Annotated[list[VariableMonitoringType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


class NotifyMonitoringReportRequest(TypedDict):
    monitor: NotRequired[Annotated[list[MonitoringDataType], Meta(min_length=1)]]
    requestId: Whole
    tbc: NotRequired[bool]
    seqNo: WholeFrom0
    generatedAt: str
    customData: NotRequired[CustomDataType]


NotifyMonitoringReportResponse = BatterySwapResponse


class StreamDataElementType(TypedDict):
    t: Number
    v: Annotated[str, Meta(max_length=2500)]
    customData: NotRequired[CustomDataType]


class NotifyPeriodicEventStream(TypedDict):
    data: Annotated[list[StreamDataElementType], Meta(min_length=1)]
    id: WholeFrom0
    pending: WholeFrom0
    basetime: str
    customData: NotRequired[CustomDataType]


class NotifyPriorityChargingRequest(TypedDict):
    transactionId: Annotated[str, Meta(max_length=36)]
    activated: bool
    customData: NotRequired[CustomDataType]


NotifyPriorityChargingResponse = BatterySwapResponse
MutabilityEnumType = Literal["ReadOnly", "WriteOnly", "ReadWrite"]


class VariableAttributeType(TypedDict):
    type: NotRequired[AttributeEnumType]
    value: NotRequired[Annotated[str, Meta(max_length=2500)]]
    mutability: NotRequired[MutabilityEnumType]
    persistent: NotRequired[bool]
    constant: NotRequired[bool]
    customData: NotRequired[CustomDataType]


DataEnumType = Literal[
    "string", "decimal", "integer", "dateTime", "boolean", "OptionList", "SequenceList", "MemberList"
]


class VariableCharacteristicsType(TypedDict):
    unit: NotRequired[Annotated[str, Meta(max_length=16)]]
    dataType: DataEnumType
    minLimit: NotRequired[Number]
    maxLimit: NotRequired[Number]
    maxElements: NotRequired[WholeFrom1]
    valuesList: NotRequired[Annotated[str, Meta(max_length=1000)]]
    supportsMonitoring: bool
    customData: NotRequired[CustomDataType]


class ReportDataType(TypedDict):
    component: ComponentType
    variable: VariableType
    variableAttribute: Annotated[list[VariableAttributeType], Meta(min_length=1, max_length=4)]
    variableCharacteristics: NotRequired[VariableCharacteristicsType]
    customData: NotRequired[CustomDataType]


class NotifyReportRequest(TypedDict):
    requestId: Whole
    generatedAt: str
    reportData: NotRequired[Annotated[list[ReportDataType], Meta(min_length=1)]]
    tbc: NotRequired[bool]
    seqNo: WholeFrom0
    customData: NotRequired[CustomDataType]


NotifyReportResponse = BatterySwapResponse
PaymentStatusEnumType = Literal["Settled", "Canceled", "Rejected", "Failed"]


class AddressType(TypedDict):
    name: Annotated[str, Meta(max_length=50)]
    address1: Annotated[str, Meta(max_length=100)]
    address2: NotRequired[Annotated[str, Meta(max_length=100)]]
    city: Annotated[str, Meta(max_length=100)]
    postalCode: NotRequired[Annotated[str, Meta(max_length=20)]]
    country: Annotated[str, Meta(max_length=50)]
    customData: NotRequired[CustomDataType]


class NotifySettlementRequest(TypedDict):
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    pspRef: Annotated[str, Meta(max_length=255)]
    status: PaymentStatusEnumType
    statusInfo: NotRequired[Annotated[str, Meta(max_length=500)]]
    settlementAmount: Number
    settlementTime: str
    receiptId: NotRequired[Annotated[str, Meta(max_length=50)]]
    receiptUrl: NotRequired[Annotated[str, Meta(max_length=2000)]]
    vatCompany: NotRequired[AddressType]
    vatNumber: NotRequired[Annotated[str, Meta(max_length=20)]]
    customData: NotRequired[CustomDataType]


class NotifySettlementResponse(TypedDict):
    receiptUrl: NotRequired[Annotated[str, Meta(max_length=2000)]]
    receiptId: NotRequired[Annotated[str, Meta(max_length=50)]]
    customData: NotRequired[CustomDataType]


class NotifyWebPaymentStartedRequest(TypedDict):
    evseId: WholeFrom0
    timeout: Whole
    customData: NotRequired[CustomDataType]


NotifyWebPaymentStartedResponse = BatterySwapResponse


class OpenPeriodicEventStreamRequest(TypedDict):
    constantStreamData: ConstantStreamDataType
    customData: NotRequired[CustomDataType]


OpenPeriodicEventStreamResponse = AFRRSignalResponse


class PublishFirmwareRequest(TypedDict):
    location: Annotated[str, Meta(max_length=2000)]
    retries: NotRequired[WholeFrom0]
    checksum: Annotated[str, Meta(max_length=32)]
    requestId: WholeFrom0
    retryInterval: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


PublishFirmwareResponse = AFRRSignalResponse
PublishFirmwareStatusEnumType = Literal[
    "Idle", "DownloadScheduled", "Downloading", "Downloaded", "Published", "DownloadFailed", "DownloadPaused",
    "InvalidChecksum", "ChecksumVerified", "PublishFailed"
]


class PublishFirmwareStatusNotificationRequest(TypedDict):
    status: PublishFirmwareStatusEnumType
    location: NotRequired[Annotated[list[Annotated[str, Meta(max_length=2000)]], Meta(min_length=1)]]
    requestId: NotRequired[WholeFrom0]
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


PublishFirmwareStatusNotificationResponse = BatterySwapResponse


class PullDynamicScheduleUpdateRequest(TypedDict):
    chargingProfileId: Whole
    customData: NotRequired[CustomDataType]


class ChargingScheduleUpdateType(TypedDict):
    limit: NotRequired[Number]
    limit_L2: NotRequired[Number]
    limit_L3: NotRequired[Number]
    dischargeLimit: NotRequired[NumberTo0]
    dischargeLimit_L2: NotRequired[NumberTo0]
    dischargeLimit_L3: NotRequired[NumberTo0]
    setpoint: NotRequired[Number]
    setpoint_L2: NotRequired[Number]
    setpoint_L3: NotRequired[Number]
    setpointReactive: NotRequired[Number]
    setpointReactive_L2: NotRequired[Number]
    setpointReactive_L3: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class PullDynamicScheduleUpdateResponse(TypedDict):
    scheduleUpdate: NotRequired[ChargingScheduleUpdateType]
    status: GenericStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


ChargingProfileKindEnumType = Literal["Absolute", "Recurring", "Relative", "Dynamic"]
RecurrencyKindEnumType = Literal["Daily", "Weekly"]


class ChargingProfileType(TypedDict):
    id: Whole
    stackLevel: WholeFrom0
    chargingProfilePurpose: ChargingProfilePurposeEnumType
    chargingProfileKind: ChargingProfileKindEnumType
    recurrencyKind: NotRequired[RecurrencyKindEnumType]
    validFrom: NotRequired[str]
    validTo: NotRequired[str]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    maxOfflineDuration: NotRequired[Whole]
    chargingSchedule: Annotated[list[ChargingScheduleType], Meta(min_length=1, max_length=3)]
    invalidAfterOfflineDuration: NotRequired[bool]
    dynUpdateInterval: NotRequired[Whole]
    dynUpdateTime: NotRequired[str]
    priceScheduleSignature: NotRequired[Annotated[str, Meta(max_length=256)]]
    customData: NotRequired[CustomDataType]


class ReportChargingProfilesRequest(TypedDict):
    requestId: Whole
    chargingLimitSource: Annotated[str, Meta(max_length=20)]
    chargingProfile: Annotated[list[ChargingProfileType], Meta(min_length=1)]
    tbc: NotRequired[bool]
    evseId: WholeFrom0
    customData: NotRequired[CustomDataType]


ReportChargingProfilesResponse = BatterySwapResponse


class DERCurvePointsType(TypedDict):
    x: Number
    y: Number
    customData: NotRequired[CustomDataType]


class HysteresisType(TypedDict):
    hysteresisHigh: NotRequired[Number]
    hysteresisLow: NotRequired[Number]
    hysteresisDelay: NotRequired[Number]
    hysteresisGradient: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class ReactivePowerParamsType(TypedDict):
    vRef: NotRequired[Number]
    autonomousVRefEnable: NotRequired[bool]
    autonomousVRefTimeConstant: NotRequired[Number]
    customData: NotRequired[CustomDataType]


PowerDuringCessationEnumType = Literal["Active", "Reactive"]


class VoltageParamsType(TypedDict):
    hv10MinMeanValue: NotRequired[Number]
    hv10MinMeanTripDelay: NotRequired[Number]
    powerDuringCessation: NotRequired[PowerDuringCessationEnumType]
    customData: NotRequired[CustomDataType]


DERUnitEnumType = Literal["Not_Applicable", "PctMaxW", "PctMaxVar", "PctWAvail", "PctVarAvail", "PctEffectiveV"]


class DERCurveType(TypedDict):
    curveData: Annotated[list[DERCurvePointsType], Meta(min_length=1, max_length=10)]
    hysteresis: NotRequired[HysteresisType]
    priority: WholeFrom0
    reactivePowerParams: NotRequired[ReactivePowerParamsType]
    voltageParams: NotRequired[VoltageParamsType]
    yUnit: DERUnitEnumType
    responseTime: NotRequired[Number]
    startTime: NotRequired[str]
    duration: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class DERCurveGetType(TypedDict):
    curve: DERCurveType
    id: Annotated[str, Meta(max_length=36)]
    curveType: DERControlEnumType
    isDefault: bool
    isSuperseded: bool
    customData: NotRequired[CustomDataType]


class EnterServiceType(TypedDict):
    priority: WholeFrom0
    highVoltage: Number
    lowVoltage: Number
    highFreq: Number
    lowFreq: Number
    delay: NotRequired[Number]
    randomDelay: NotRequired[Number]
    rampRate: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class EnterServiceGetType(TypedDict):
    enterService: EnterServiceType
    id: Annotated[str, Meta(max_length=36)]
    customData: NotRequired[CustomDataType]


class FixedPFType(TypedDict):
    priority: WholeFrom0
    displacement: Number
    excitation: bool
    startTime: NotRequired[str]
    duration: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class FixedPFGetType(TypedDict):
    fixedPF: FixedPFType
    id: Annotated[str, Meta(max_length=36)]
    isDefault: bool
    isSuperseded: bool
    customData: NotRequired[CustomDataType]


class FixedVarType(TypedDict):
    priority: WholeFrom0
    setpoint: Number
    unit: DERUnitEnumType
    startTime: NotRequired[str]
    duration: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class FixedVarGetType(TypedDict):
    fixedVar: FixedVarType
    id: Annotated[str, Meta(max_length=36)]
    isDefault: bool
    isSuperseded: bool
    customData: NotRequired[CustomDataType]


class FreqDroopType(TypedDict):
    priority: WholeFrom0
    overFreq: Number
    underFreq: Number
    overDroop: Number
    underDroop: Number
    responseTime: Number
    startTime: NotRequired[str]
    duration: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class FreqDroopGetType(TypedDict):
    freqDroop: FreqDroopType
    id: Annotated[str, Meta(max_length=36)]
    isDefault: bool
    isSuperseded: bool
    customData: NotRequired[CustomDataType]


class GradientType(TypedDict):
    priority: WholeFrom0
    gradient: Number
    softGradient: Number
    customData: NotRequired[CustomDataType]


class GradientGetType(TypedDict):
    gradient: GradientType
    id: Annotated[str, Meta(max_length=36)]
    customData: NotRequired[CustomDataType]


class LimitMaxDischargeType(TypedDict):
    priority: WholeFrom0
    pctMaxDischargePower: NotRequired[Number]
    powerMonitoringMustTrip: NotRequired[DERCurveType]
    startTime: NotRequired[str]
    duration: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class LimitMaxDischargeGetType(TypedDict):
    id: Annotated[str, Meta(max_length=36)]
    isDefault: bool
    isSuperseded: bool
    limitMaxDischarge: LimitMaxDischargeType
    customData: NotRequired[CustomDataType]


class ReportDERControlRequest(TypedDict):
    curve: NotRequired[Annotated[list[DERCurveGetType], Meta(min_length=1, max_length=24)]]
    enterService: NotRequired[Annotated[list[EnterServiceGetType], Meta(min_length=1, max_length=24)]]
    fixedPFAbsorb: NotRequired[Annotated[list[FixedPFGetType], Meta(min_length=1, max_length=24)]]
    fixedPFInject: NotRequired[Annotated[list[FixedPFGetType], Meta(min_length=1, max_length=24)]]
    fixedVar: NotRequired[Annotated[list[FixedVarGetType], Meta(min_length=1, max_length=24)]]
    freqDroop: NotRequired[Annotated[list[FreqDroopGetType], Meta(min_length=1, max_length=24)]]
    gradient: NotRequired[Annotated[list[GradientGetType], Meta(min_length=1, max_length=24)]]
    limitMaxDischarge: NotRequired[Annotated[list[LimitMaxDischargeGetType], Meta(min_length=1, max_length=24)]]
    requestId: Whole
    tbc: NotRequired[bool]
    customData: NotRequired[CustomDataType]


ReportDERControlResponse = BatterySwapResponse


class RequestBatterySwapRequest(TypedDict):
    idToken: IdTokenType
    requestId: Whole
    customData: NotRequired[CustomDataType]


RequestBatterySwapResponse = AFRRSignalResponse


class RequestStartTransactionRequest(TypedDict):
    evseId: NotRequired[WholeFrom1]
    groupIdToken: NotRequired[IdTokenType]
    idToken: IdTokenType
    remoteStartId: Whole
    chargingProfile: NotRequired[ChargingProfileType]
    customData: NotRequired[CustomDataType]


class RequestStartTransactionResponse(TypedDict):
    status: GenericStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    transactionId: NotRequired[Annotated[str, Meta(max_length=36)]]
    customData: NotRequired[CustomDataType]


class RequestStopTransactionRequest(TypedDict):
    transactionId: Annotated[str, Meta(max_length=36)]
    customData: NotRequired[CustomDataType]


RequestStopTransactionResponse = AFRRSignalResponse
ReservationUpdateStatusEnumType = Literal["Expired", "Removed", "NoTransaction"]


class ReservationStatusUpdateRequest(TypedDict):
    reservationId: WholeFrom0
    reservationUpdateStatus: ReservationUpdateStatusEnumType
    customData: NotRequired[CustomDataType]


ReservationStatusUpdateResponse = BatterySwapResponse


class ReserveNowRequest(TypedDict):
    id: WholeFrom0
    expiryDateTime: str
    connectorType: NotRequired[Annotated[str, Meta(max_length=20)]]
    idToken: IdTokenType
    evseId: NotRequired[WholeFrom0]
    groupIdToken: NotRequired[IdTokenType]
    customData: NotRequired[CustomDataType]


ReserveNowStatusEnumType = Literal["Accepted", "Faulted", "Occupied", "Rejected", "Unavailable"]


class ReserveNowResponse(TypedDict):
    status: ReserveNowStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


ResetEnumType = Literal["Immediate", "OnIdle", "ImmediateAndResume"]


class ResetRequest(TypedDict):
    type: ResetEnumType
    evseId: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


ResetResponse = ChangeAvailabilityResponse


class SecurityEventNotificationRequest(TypedDict):
    type: Annotated[str, Meta(max_length=50)]
    timestamp: str
    techInfo: NotRequired[Annotated[str, Meta(max_length=255)]]
    customData: NotRequired[CustomDataType]


SecurityEventNotificationResponse = BatterySwapResponse


class AuthorizationData(TypedDict):
    idToken: IdTokenType
    idTokenInfo: NotRequired[IdTokenInfoType]
    customData: NotRequired[CustomDataType]


UpdateEnumType = Literal["Differential", "Full"]


class SendLocalListRequest(TypedDict):
    localAuthorizationList: NotRequired[Annotated[list[AuthorizationData], Meta(min_length=1)]]
    versionNumber: Whole
    updateType: UpdateEnumType
    customData: NotRequired[CustomDataType]


SendLocalListStatusEnumType = Literal["Accepted", "Failed", "VersionMismatch"]


class SendLocalListResponse(TypedDict):
    status: SendLocalListStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class SetChargingProfileRequest(TypedDict):
    evseId: WholeFrom0
    chargingProfile: ChargingProfileType
    customData: NotRequired[CustomDataType]


SetChargingProfileResponse = AFRRSignalResponse


class SetDERControlRequest(TypedDict):
    isDefault: bool
    controlId: Annotated[str, Meta(max_length=36)]
    controlType: DERControlEnumType
    curve: NotRequired[DERCurveType]
    enterService: NotRequired[EnterServiceType]
    fixedPFAbsorb: NotRequired[FixedPFType]
    fixedPFInject: NotRequired[FixedPFType]
    fixedVar: NotRequired[FixedVarType]
    freqDroop: NotRequired[FreqDroopType]
    gradient: NotRequired[GradientType]
    limitMaxDischarge: NotRequired[LimitMaxDischargeType]
    customData: NotRequired[CustomDataType]


class SetDERControlResponse(TypedDict):
    status: DERControlStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    supersededIds: NotRequired[Annotated[list[Annotated[str, Meta(max_length=36)]], Meta(min_length=1, max_length=24)]]
    customData: NotRequired[CustomDataType]


class SetDefaultTariffRequest(TypedDict):
    evseId: WholeFrom0
    tariff: TariffType
    customData: NotRequired[CustomDataType]


TariffSetStatusEnumType = Literal[
    "Accepted", "Rejected", "TooManyElements", "ConditionNotSupported", "DuplicateTariffId"
]


class SetDefaultTariffResponse(TypedDict):
    status: TariffSetStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class SetDisplayMessageRequest(TypedDict):
    message: MessageInfoType
    customData: NotRequired[CustomDataType]


DisplayMessageStatusEnumType = Literal[
    "Accepted", "NotSupportedMessageFormat", "Rejected", "NotSupportedPriority", "NotSupportedState",
    "UnknownTransaction", "LanguageNotSupported"
]


class SetDisplayMessageResponse(TypedDict):
    status: DisplayMessageStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


MonitoringBaseEnumType = Literal["All", "FactoryDefault", "HardWiredOnly"]


class SetMonitoringBaseRequest(TypedDict):
    monitoringBase: MonitoringBaseEnumType
    customData: NotRequired[CustomDataType]


SetMonitoringBaseResponse = GetBaseReportResponse


class SetMonitoringLevelRequest(TypedDict):
    severity: WholeFrom0
    customData: NotRequired[CustomDataType]


SetMonitoringLevelResponse = AFRRSignalResponse
APNAuthenticationEnumType = Literal["PAP", "CHAP", "NONE", "AUTO"]


class APNType(TypedDict):
    apn: Annotated[str, Meta(max_length=2000)]
    apnUserName: NotRequired[Annotated[str, Meta(max_length=50)]]
    apnPassword: NotRequired[Annotated[str, Meta(max_length=64)]]
    simPin: NotRequired[Whole]
    preferredNetwork: NotRequired[Annotated[str, Meta(max_length=6)]]
    useOnlyPreferredNetwork: NotRequired[bool]
    apnAuthentication: APNAuthenticationEnumType
    customData: NotRequired[CustomDataType]


OCPPVersionEnumType = Literal["OCPP12", "OCPP15", "OCPP16", "OCPP20", "OCPP201", "OCPP21"]
OCPPInterfaceEnumType = Literal[
    "Wired0", "Wired1", "Wired2", "Wired3", "Wireless0", "Wireless1", "Wireless2", "Wireless3", "Any"
]
OCPPTransportEnumType = Literal["SOAP", "JSON"]
VPNEnumType = Literal["IKEv2", "IPSec", "L2TP", "PPTP"]


class VPNType(TypedDict):
    server: Annotated[str, Meta(max_length=2000)]
    user: Annotated[str, Meta(max_length=50)]
    group: NotRequired[Annotated[str, Meta(max_length=50)]]
    password: Annotated[str, Meta(max_length=64)]
    key: Annotated[str, Meta(max_length=255)]
    type: VPNEnumType
    customData: NotRequired[CustomDataType]


class NetworkConnectionProfileType(TypedDict):
    apn: NotRequired[APNType]
    ocppVersion: NotRequired[OCPPVersionEnumType]
    ocppInterface: OCPPInterfaceEnumType
    ocppTransport: OCPPTransportEnumType
    messageTimeout: Whole
    ocppCsmsUrl: Annotated[str, Meta(max_length=2000)]
    securityProfile: WholeFrom0
    identity: NotRequired[Annotated[str, Meta(max_length=48)]]
    basicAuthPassword: NotRequired[Annotated[str, Meta(max_length=64)]]
    vpn: NotRequired[VPNType]
    customData: NotRequired[CustomDataType]


class SetNetworkProfileRequest(TypedDict):
    configurationSlot: Whole
    connectionData: NetworkConnectionProfileType
    customData: NotRequired[CustomDataType]


SetNetworkProfileResponse = InstallCertificateResponse


class SetMonitoringDataType(TypedDict):
    id: NotRequired[WholeFrom0]
    periodicEventStream: NotRequired[PeriodicEventStreamParamsType]
    transaction: NotRequired[bool]
    value: Number
    type: MonitorEnumType
    severity: WholeFrom0
    component: ComponentType
    variable: VariableType
    customData: NotRequired[CustomDataType]


class SetVariableMonitoringRequest(TypedDict):
    setMonitoringData: Annotated[list[SetMonitoringDataType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


SetMonitoringStatusEnumType = Literal[
    "Accepted", "UnknownComponent", "UnknownVariable", "UnsupportedMonitorType", "Rejected", "Duplicate"
]


class SetMonitoringResultType(TypedDict):
    id: NotRequired[WholeFrom0]
    statusInfo: NotRequired[StatusInfoType]
    status: SetMonitoringStatusEnumType
    type: MonitorEnumType
    component: ComponentType
    variable: VariableType
    severity: WholeFrom0
    customData: NotRequired[CustomDataType]


class SetVariableMonitoringResponse(TypedDict):
    setMonitoringResult: Annotated[list[SetMonitoringResultType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


class SetVariableDataType(TypedDict):
    attributeType: NotRequired[AttributeEnumType]
    attributeValue: Annotated[str, Meta(max_length=2500)]
    component: ComponentType
    variable: VariableType
    customData: NotRequired[CustomDataType]


class SetVariablesRequest(TypedDict):
    setVariableData: Annotated[list[SetVariableDataType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


SetVariableStatusEnumType = Literal[
    "Accepted", "Rejected", "UnknownComponent", "UnknownVariable", "NotSupportedAttributeType", "RebootRequired"
]


class SetVariableResultType(TypedDict):
    attributeType: NotRequired[AttributeEnumType]
    attributeStatus: SetVariableStatusEnumType
    attributeStatusInfo: NotRequired[StatusInfoType]
    component: ComponentType
    variable: VariableType
    customData: NotRequired[CustomDataType]


class SetVariablesResponse(TypedDict):
    setVariableResult: Annotated[list[SetVariableResultType], Meta(min_length=1)]
    customData: NotRequired[CustomDataType]


class SignCertificateRequest(TypedDict):
    csr: Annotated[str, Meta(max_length=5500)]
    certificateType: NotRequired[CertificateSigningUseEnumType]
    hashRootCertificate: NotRequired[CertificateHashDataType]
    requestId: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


SignCertificateResponse = AFRRSignalResponse
ConnectorStatusEnumType = Literal["Available", "Occupied", "Reserved", "Unavailable", "Faulted"]


class StatusNotificationRequest(TypedDict):
    timestamp: str
    connectorStatus: ConnectorStatusEnumType
    evseId: WholeFrom0
    connectorId: WholeFrom0
    customData: NotRequired[CustomDataType]


StatusNotificationResponse = BatterySwapResponse
CostDimensionEnumType = Literal[
    "Energy", "MaxCurrent", "MinCurrent", "MaxPower", "MinPower", "IdleTIme", "ChargingTime"
]


class CostDimensionType(TypedDict):
    type: CostDimensionEnumType
    volume: Number
    customData: NotRequired[CustomDataType]


class ChargingPeriodType(TypedDict):
    dimensions: NotRequired[Annotated[list[CostDimensionType], Meta(min_length=1)]]
    tariffId: NotRequired[Annotated[str, Meta(max_length=60)]]
    startPeriod: str
    customData: NotRequired[CustomDataType]


TariffCostEnumType = Literal["NormalCost", "MinCost", "MaxCost"]


class TotalPriceType(TypedDict):
    exclTax: NotRequired[Number]
    inclTax: NotRequired[Number]
    customData: NotRequired[CustomDataType]


class TotalCostType(TypedDict):
    currency: Annotated[str, Meta(max_length=3)]
    typeOfCost: TariffCostEnumType
    fixed: NotRequired[PriceType]
    energy: NotRequired[PriceType]
    chargingTime: NotRequired[PriceType]
    idleTime: NotRequired[PriceType]
    reservationTime: NotRequired[PriceType]
    reservationFixed: NotRequired[PriceType]
    total: TotalPriceType
    customData: NotRequired[CustomDataType]


class TotalUsageType(TypedDict):
    energy: Number
    chargingTime: Whole
    idleTime: Whole
    reservationTime: NotRequired[Whole]
    customData: NotRequired[CustomDataType]


class CostDetailsType(TypedDict):
    chargingPeriods: NotRequired[Annotated[list[ChargingPeriodType], Meta(min_length=1)]]
    totalCost: TotalCostType
    totalUsage: TotalUsageType
    failureToCalculate: NotRequired[bool]
    failureReason: NotRequired[Annotated[str, Meta(max_length=500)]]
    customData: NotRequired[CustomDataType]


TransactionEventEnumType = Literal["Ended", "Started", "Updated"]
TriggerReasonEnumType = Literal[
    "AbnormalCondition", "Authorized", "CablePluggedIn", "ChargingRateChanged", "ChargingStateChanged",
    "CostLimitReached", "Deauthorized", "EnergyLimitReached", "EVCommunicationLost", "EVConnectTimeout", "EVDeparted",
    "EVDetected", "LimitSet", "MeterValueClock", "MeterValuePeriodic", "OperationModeChanged", "RemoteStart",
    "RemoteStop", "ResetCommand", "RunningCost", "SignedDataReceived", "SoCLimitReached", "StopAuthorized",
    "TariffChanged", "TariffNotAccepted", "TimeLimitReached", "Trigger", "TxResumed", "UnlockCommand"
]
PreconditioningStatusEnumType = Literal["Unknown", "Ready", "NotReady", "Preconditioning"]
ChargingStateEnumType = Literal["EVConnected", "Charging", "SuspendedEV", "SuspendedEVSE", "Idle"]
ReasonEnumType = Literal[
    "DeAuthorized", "EmergencyStop", "EnergyLimitReached", "EVDisconnected", "GroundFault", "ImmediateReset",
    "MasterPass", "Local", "LocalOutOfCredit", "Other", "OvercurrentFault", "PowerLoss", "PowerQuality", "Reboot",
    "Remote", "SOCLimitReached", "StoppedByEV", "TimeLimitReached", "Timeout", "ReqEnergyTransferRejected"
]


class TransactionLimitType(TypedDict):
    maxCost: NotRequired[Number]
    maxEnergy: NotRequired[Number]
    maxTime: NotRequired[Whole]
    maxSoC: NotRequired[WholeFrom0To100]
    customData: NotRequired[CustomDataType]


class TransactionType(TypedDict):
    transactionId: Annotated[str, Meta(max_length=36)]
    chargingState: NotRequired[ChargingStateEnumType]
    timeSpentCharging: NotRequired[Whole]
    stoppedReason: NotRequired[ReasonEnumType]
    remoteStartId: NotRequired[Whole]
    operationMode: NotRequired[OperationModeEnumType]
    tariffId: NotRequired[Annotated[str, Meta(max_length=60)]]
    transactionLimit: NotRequired[TransactionLimitType]
    customData: NotRequired[CustomDataType]


class TransactionEventRequest(TypedDict):
    costDetails: NotRequired[CostDetailsType]
    eventType: TransactionEventEnumType
    meterValue: NotRequired[Annotated[list[MeterValueType], Meta(min_length=1)]]
    timestamp: str
    triggerReason: TriggerReasonEnumType
    seqNo: WholeFrom0
    offline: NotRequired[bool]
    numberOfPhasesUsed: NotRequired[WholeFrom0To3]
    cableMaxCurrent: NotRequired[Whole]
    reservationId: NotRequired[WholeFrom0]
    preconditioningStatus: NotRequired[PreconditioningStatusEnumType]
    evseSleep: NotRequired[bool]
    transactionInfo: TransactionType
    evse: NotRequired[EVSEType]
    idToken: NotRequired[IdTokenType]
    customData: NotRequired[CustomDataType]


class TransactionEventResponse(TypedDict):
    totalCost: NotRequired[Number]
    chargingPriority: NotRequired[Whole]
    idTokenInfo: NotRequired[IdTokenInfoType]
    transactionLimit: NotRequired[TransactionLimitType]
    updatedPersonalMessage: NotRequired[MessageContentType]
    updatedPersonalMessageExtra: NotRequired[Annotated[list[MessageContentType], Meta(min_length=1, max_length=4)]]
    customData: NotRequired[CustomDataType]


MessageTriggerEnumType = Literal[
    "BootNotification", "LogStatusNotification", "FirmwareStatusNotification", "Heartbeat", "MeterValues",
    "SignChargingStationCertificate", "SignV2GCertificate", "SignV2G20Certificate", "StatusNotification",
    "TransactionEvent", "SignCombinedCertificate", "PublishFirmwareStatusNotification", "CustomTrigger"
]


class TriggerMessageRequest(TypedDict):
    evse: NotRequired[EVSEType]
    requestedMessage: MessageTriggerEnumType
    customTrigger: NotRequired[Annotated[str, Meta(max_length=50)]]
    customData: NotRequired[CustomDataType]


TriggerMessageStatusEnumType = Literal["Accepted", "Rejected", "NotImplemented"]


class TriggerMessageResponse(TypedDict):
    status: TriggerMessageStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class UnlockConnectorRequest(TypedDict):
    evseId: WholeFrom0
    connectorId: WholeFrom0
    customData: NotRequired[CustomDataType]


UnlockStatusEnumType = Literal["Unlocked", "UnlockFailed", "OngoingAuthorizedTransaction", "UnknownConnector"]


class UnlockConnectorResponse(TypedDict):
    status: UnlockStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class UnpublishFirmwareRequest(TypedDict):
    checksum: Annotated[str, Meta(max_length=32)]
    customData: NotRequired[CustomDataType]


UnpublishFirmwareStatusEnumType = Literal["DownloadOngoing", "NoFirmware", "Unpublished"]


class UnpublishFirmwareResponse(TypedDict):
    status: UnpublishFirmwareStatusEnumType
    customData: NotRequired[CustomDataType]


class UpdateDynamicScheduleRequest(TypedDict):
    chargingProfileId: Whole
    scheduleUpdate: ChargingScheduleUpdateType
    customData: NotRequired[CustomDataType]


UpdateDynamicScheduleResponse = AFRRSignalResponse


class FirmwareType(TypedDict):
    location: Annotated[str, Meta(max_length=2000)]
    retrieveDateTime: str
    installDateTime: NotRequired[str]
    signingCertificate: NotRequired[Annotated[str, Meta(max_length=5500)]]
    signature: NotRequired[Annotated[str, Meta(max_length=800)]]
    customData: NotRequired[CustomDataType]


class UpdateFirmwareRequest(TypedDict):
    retries: NotRequired[WholeFrom0]
    retryInterval: NotRequired[Whole]
    requestId: Whole
    firmware: FirmwareType
    customData: NotRequired[CustomDataType]


UpdateFirmwareStatusEnumType = Literal[
    "Accepted", "Rejected", "AcceptedCanceled", "InvalidCertificate", "RevokedCertificate"
]


class UpdateFirmwareResponse(TypedDict):
    status: UpdateFirmwareStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class UsePriorityChargingRequest(TypedDict):
    transactionId: Annotated[str, Meta(max_length=36)]
    activate: bool
    customData: NotRequired[CustomDataType]


PriorityChargingStatusEnumType = Literal["Accepted", "Rejected", "NoProfile"]


class UsePriorityChargingResponse(TypedDict):
    status: PriorityChargingStatusEnumType
    statusInfo: NotRequired[StatusInfoType]
    customData: NotRequired[CustomDataType]


class VatNumberValidationRequest(TypedDict):
    vatNumber: Annotated[str, Meta(max_length=20)]
    evseId: NotRequired[WholeFrom0]
    customData: NotRequired[CustomDataType]


class VatNumberValidationResponse(TypedDict):
    company: NotRequired[AddressType]
    statusInfo: NotRequired[StatusInfoType]
    vatNumber: Annotated[str, Meta(max_length=20)]
    evseId: NotRequired[WholeFrom0]
    status: GenericStatusEnumType
    customData: NotRequired[CustomDataType]


FRACTIONAL: frozenset[str] = frozenset([
    "AuthorizeResponse", "BatterySwapRequest", "ChangeTransactionTariffRequest", "CostUpdatedRequest",
    "GetCompositeScheduleResponse", "MeterValuesRequest", "NotifyChargingLimitRequest", "NotifyEVChargingNeedsRequest",
    "NotifyEVChargingScheduleRequest", "NotifyMonitoringReportRequest", "NotifyPeriodicEventStream",
    "NotifyReportRequest", "NotifySettlementRequest", "PullDynamicScheduleUpdateResponse",
    "ReportChargingProfilesRequest", "ReportDERControlRequest", "RequestStartTransactionRequest",
    "SetChargingProfileRequest", "SetDERControlRequest", "SetDefaultTariffRequest", "SetVariableMonitoringRequest",
    "TransactionEventRequest", "TransactionEventResponse", "UpdateDynamicScheduleRequest"
])
