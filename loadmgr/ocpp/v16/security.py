"""Security messages of OCPP 1.6 (security whitepaper): what a station tells, what it is asked, what its answers mean."""

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

PASSWORD, PROFILE = "AuthorizationKey", "SecurityProfile"
CHAIN_MAX = "CertificateSignedMaxChainSize"
"""The setting that bounds a certificate chain, in characters."""
_USES: Mapping[CertificateUse, str] = MappingProxyType(
    {
        CertificateUse.CSMS_ROOT: "CentralSystemRootCertificate",
        CertificateUse.MANUFACTURER_ROOT: "ManufacturerRootCertificate",
    }
)
_LOGS: Mapping[sec.LogKind, str] = MappingProxyType(
    {sec.LogKind.SECURITY: "SecurityLog", sec.LogKind.DIAGNOSTICS: "DiagnosticsLog"}
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
            return Handled(answer={"status": "Rejected"})


def to_call(command: sec.SecurityCommand) -> Call:
    """The call that carries out a command. Raises ``ProtocolError`` for what OCPP 1.6 has no message for."""
    match command:
        case sec.SetPassword():
            return "ChangeConfiguration", {"key": PASSWORD, "value": command.password}
        case sec.RaiseProfile():
            return "ChangeConfiguration", {"key": PROFILE, "value": str(int(command.profile))}
        case sec.GiveCertificate():
            if command.use not in {None, CertificateUse.STATION}:
                raise _refused(command, "OCPP 1.6 knows no certificates of cars")
            return "CertificateSigned", {"certificateChain": command.chain}
        case sec.RenewCertificate():
            return "ExtendedTriggerMessage", {"requestedMessage": "SignChargePointCertificate"}
        case sec.InstallCertificate():
            return "InstallCertificate", {
                "certificateType": _use(command, command.use),
                "certificate": command.certificate,
            }
        case sec.DeleteCertificate():
            return "DeleteCertificate", {"certificateHashData": _hash(command.certificate)}
        case sec.ReadCertificates():
            if command.use is None:
                raise _refused(command, "OCPP 1.6 answers for one use of certificates at a time")
            return "GetInstalledCertificateIds", {"certificateType": _use(command, command.use)}
        case sec.ReadLog():
            return "GetLog", {"logType": _LOGS[command.kind], "requestId": command.no, "log": _log(command)}


def _use(command: sec.InstallCertificate | sec.ReadCertificates, use: CertificateUse) -> str:
    found = _USES.get(use)
    if found is None:
        raise _refused(command, f"OCPP 1.6 has no certificates for {use.value}; use {', '.join(u.value for u in _USES)}")
    return found


def _refused(command: sec.SecurityCommand, detail: str) -> ProtocolError:
    return ProtocolError(station=str(command.station), action=type(command).__name__, code="NotSupported", detail=detail)


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


def installed(payload: Json, use: CertificateUse | None) -> tuple[sec.InstalledCertificate, ...]:
    """The certificates in an answer to a question for ``use``; none when it has none."""
    return tuple(
        sec.InstalledCertificate(
            use=use or CertificateUse.CSMS_ROOT,
            hash=sec.CertificateHash(
                algorithm=item["hashAlgorithm"],
                issuer_name=item["issuerNameHash"],
                issuer_key=item["issuerKeyHash"],
                serial=item["serialNumber"],
            ),
        )
        for item in payload.get("certificateHashData", [])
    )
