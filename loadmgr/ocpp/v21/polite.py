"""Answers to OCPP 2.1 messages that are not this product's business (register of use cases, domain rule B.3)."""

from __future__ import annotations

from datetime import datetime

from loadmgr.ocpp.schemas import Json
from loadmgr.ocpp.timestamps import to_wire
from loadmgr.ocpp.translation import Handled

_EMPTY = frozenset({
    "BatterySwap",
    "ClosePeriodicEventStream",
    "FirmwareStatusNotification",
    "NotifyCustomerInformation",
    "NotifyDisplayMessages",
    "NotifyMonitoringReport",
    "NotifyReport",
    "NotifySettlement",
    "NotifyWebPaymentStarted",
    "PublishFirmwareStatusNotification",
})  # fmt: skip
_NOT_RELAYED = "NotRelayed"


def answer(action: str, payload: Json, now: datetime) -> Handled:
    """A schema-valid answer that neither harms nor promises anything; an error only for what a station never asks."""
    info = {"reasonCode": _NOT_RELAYED, "additionalInfo": "this central system has no certificate service"}
    match action:
        case "DataTransfer":
            return Handled(answer={"status": "UnknownVendorId"})
        case "Get15118EVCertificate":
            return Handled(answer={"status": "Failed", "exiResponse": "", "statusInfo": info})
        case "GetCertificateStatus":
            return Handled(answer={"status": "Failed", "statusInfo": info})
        case "VatNumberValidation":
            return Handled(answer={"status": "Rejected", "vatNumber": payload["vatNumber"]})
        case "GetCertificateChainStatus":
            asked, next_at = payload["certificateStatusRequests"], to_wire(now)
            states = [
                {
                    "certificateHashData": a["certificateHashData"],
                    "source": a["source"],
                    "status": "Failed",
                    "nextUpdate": next_at,
                }
                for a in asked
            ]
            return Handled(answer={"certificateStatus": states})
        case "OpenPeriodicEventStream":
            return Handled(answer={"status": "Rejected", "statusInfo": {"reasonCode": "UnsupportedRequest"}})
        case _ if action in _EMPTY:
            return Handled()
        case _:
            return Handled(refusal=("NotSupported", f"{action} is not handled by this central system"))
