"""Security messages of OCPP 2.1: what a station tells, what it is asked, what its answers mean."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType

from loadmgr.domain import security as sec
from loadmgr.domain.security import CertificateUse
from loadmgr.errors import ProtocolError
from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import from_wire, to_wire
from loadmgr.ocpp.translation import Desk, Handled

Call = tuple[str, Json]

PASSWORD = "SecurityCtrlr.BasicAuthPassword"  # noqa: S105 the name of a variable
CHAIN_MAX = "SecurityCtrlr.MaxCertificateChainSize"
"""The variable that bounds a certificate chain, in characters."""
_USES: Mapping[CertificateUse, str] = MappingProxyType(
    {
        CertificateUse.CSMS_ROOT: "CSMSRootCertificate",
        CertificateUse.MANUFACTURER_ROOT: "ManufacturerRootCertificate",
        CertificateUse.V2G_ROOT: "V2GRootCertificate",
        CertificateUse.MO_ROOT: "MORootCertificate",
        CertificateUse.V2G_CHAIN: "V2GCertificateChain",
        CertificateUse.OEM_ROOT: "OEMRootCertificate",
    }
)
_BY_NAME: Mapping[str, CertificateUse] = MappingProxyType({name: use for use, name in _USES.items()})
_OWN: Mapping[CertificateUse, str] = MappingProxyType(
    {
        CertificateUse.STATION: "ChargingStationCertificate",
        CertificateUse.V2G: "V2GCertificate",
        CertificateUse.V2G20: "V2G20Certificate",
    }
)
_LOGS: Mapping[sec.LogKind, str] = MappingProxyType(
    {sec.LogKind.SECURITY: "SecurityLog", sec.LogKind.DIAGNOSTICS: "DiagnosticsLog"}
)
_NO_AUTHORITY: Mapping[str, str] = MappingProxyType(
    {"reasonCode": "NotRelayed", "additionalInfo": "this central system has no certificate authority"}
)


def handle(desk: Desk, action: str, payload: Json, now: datetime) -> Handled:
    """Security events and the progress of uploads. A request for a certificate is refused; who has an authority says yes."""
    match action:
        case "SecurityEventNotification":
            told = sec.SecurityEventReported(
                at=now,
                station=desk.station,
                kind=payload["type"],
                is_critical=payload["type"] in sec.CRITICAL,
                tech_info=payload.get("techInfo", ""),
                said_at=from_wire(payload["timestamp"]),
            )
            return Handled(events=[told])
        case "LogStatusNotification":
            request = payload.get("requestId", 0)
            status = sec.LogStatusReported(at=now, station=desk.station, status=payload["status"], request=request)
            return Handled(events=[status])
        case _:
            return Handled(answer={"status": "Rejected", "statusInfo": dict(_NO_AUTHORITY)})


def to_call(command: sec.SecurityCommand) -> Call:
    """The call that carries out a command. Raises ``ProtocolError`` for uses of certificates that 2.1 does not have."""
    match command:
        case sec.SetPassword():
            component, _, variable = PASSWORD.partition(".")
            data = {
                "attributeValue": command.password,
                "component": {"name": component},
                "variable": {"name": variable},
            }
            return "SetVariables", {"setVariableData": [data]}
        case sec.RaiseProfile():
            return "SetNetworkProfile", {"configurationSlot": command.slot, "connectionData": _network(command)}
        case sec.GiveCertificate():
            return "CertificateSigned", _signed(command)
        case sec.RenewCertificate():
            return "TriggerMessage", {"requestedMessage": "SignChargingStationCertificate"}
        case sec.InstallCertificate():
            return "InstallCertificate", {
                "certificateType": _name(command, command.use, _USES),
                "certificate": command.certificate,
            }
        case sec.DeleteCertificate():
            return "DeleteCertificate", {"certificateHashData": _hash(command.certificate)}
        case sec.ReadCertificates():
            asked = {} if command.use is None else {"certificateType": [_name(command, command.use, _USES)]}
            return "GetInstalledCertificateIds", asked
        case sec.ReadLog():
            return "GetLog", {"logType": _LOGS[command.kind], "requestId": command.no, "log": _log(command)}


def _network(command: sec.RaiseProfile) -> Json:
    """The slot that the station goes over to at its next restart (B09)."""
    return {
        "ocppVersion": "OCPP21",
        "ocppTransport": "JSON",
        "ocppCsmsUrl": command.url,
        "messageTimeout": command.message_timeout_s,
        "securityProfile": int(command.profile),
        "ocppInterface": command.interface,
    }


def _signed(command: sec.GiveCertificate) -> Json:
    given: Json = {"certificateChain": command.chain}
    if command.use is not None:
        given["certificateType"] = _name(command, command.use, _OWN)
    if command.request is not None:
        given["requestId"] = command.request
    return given


def _name(command: sec.SecurityCommand, use: CertificateUse, names: Mapping[CertificateUse, str]) -> str:
    found = names.get(use)
    if found is None:
        raise ProtocolError(
            station=str(command.station),
            action=type(command).__name__,
            code="NotSupported",
            detail=f"OCPP 2.1 has no certificates for {use.value} here; use {', '.join(u.value for u in names)}",
        )
    return found


def _hash(named: sec.CertificateHash) -> Json:
    return {
        "hashAlgorithm": named.algorithm,
        "issuerNameHash": named.issuer_name,
        "issuerKeyHash": named.issuer_key,
        "serialNumber": named.serial,
    }


def _log(command: sec.ReadLog) -> Json:
    asked: Json = {"remoteLocation": command.url}
    if command.oldest_at is not None:
        asked["oldestTimestamp"] = to_wire(command.oldest_at)
    if command.latest_at is not None:
        asked["latestTimestamp"] = to_wire(command.latest_at)
    return asked


def installed(payload: Json, _: CertificateUse | None) -> tuple[sec.InstalledCertificate, ...]:
    """The certificates in an answer; each says itself for what it is. Those below a chain's first are left out."""
    found = []
    for chain in payload.get("certificateHashDataChain", []):
        item, use = chain["certificateHashData"], _BY_NAME.get(chain["certificateType"])
        if use is not None:
            named = sec.CertificateHash(
                algorithm=item["hashAlgorithm"],
                issuer_name=item["issuerNameHash"],
                issuer_key=item["issuerKeyHash"],
                serial=item["serialNumber"],
            )
            found.append(sec.InstalledCertificate(use=use, hash=named))
    return tuple(found)
