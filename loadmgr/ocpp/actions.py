"""The register of OCPP actions: version, direction, scope and the frames that show each.

``python -m loadmgr.ocpp.actions`` prints the reference page; the frames are the golden files of the tests.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "ocpp-actions.md"
GOLDEN = ROOT / "tests" / "protocol" / "golden"
OCPP = ("1.6", "2.0.1", "2.1")
_FOLDERS = {"1.6": "v16", "2.0.1": "v201", "2.1": "v21"}

HEAD = """# OCPP actions

Every action of the three versions: who sends it, whether it is in scope (`yes`; `partly`: answered, observed or passed on;
`no`: answered politely, or never sent), its use cases, and the frames that show it. The frames stand with their exact
answers, events or calls in `tests/protocol/golden/` and are replayed by `tests/protocol/test_versions.py`. Use cases have
their numbers of OCPP 2.1: 1.6 has none, and K18 to K29, Q and R exist in 2.1 only. This page is generated.
"""
_SCOPES = {"Y": "yes", "P": "partly", "N": "no"}
_SENT, _COMES, _SILENT = ">", "<", "-"

_REGISTER = """
AFRRSignal                       > P ..2 Q08
AdjustPeriodicEventStream        - N ..2 N13
Authorize                        < P 112 C01, Q01
BatterySwap                      < N ..2 S01-S03
BootNotification                 < Y 112 B01-B04
CancelReservation                > P 112 H02
CertificateSigned                > Y 112 A02, A03
ChangeAvailability               > Y 112 G03, G04
ChangeConfiguration              > Y 1.. B05, A01
ChangeTransactionTariff          - N ..2 I11
ClearCache                       - N 112 C11
ClearChargingProfile             > Y 112 K10
ClearDERControl                  > Y ..2 R04
ClearDisplayMessage              - N .12 O05
ClearTariffs                     - N ..2 I10
ClearVariableMonitoring          - N .12 N06
ClearedChargingLimit             < Y .12 K13
ClosePeriodicEventStream         < P ..2 N14
CostUpdated                      - N .12 I02
CustomerInformation              - N .12 N09, N10
DataTransfer                     < P 112 P01, P02
DeleteCertificate                > Y 112 M04
DiagnosticsStatusNotification    < N 1.. N01
ExtendedTriggerMessage           > P 1.. F06
FirmwareStatusNotification       < N 112 L01
Get15118EVCertificate            < P .12 M01, M02
GetBaseReport                    - N .12 B07: single variables are read instead
GetCertificateChainStatus        < P ..2 M07
GetCertificateStatus             < P .12 M06
GetChargingProfiles              > Y .12 K09
GetCompositeSchedule             > Y 112 K08
GetConfiguration                 > Y 1.. B06
GetDERControl                    > Y ..2 R04
GetDiagnostics                   - N 1.. N01
GetDisplayMessages               - N .12 O03, O04
GetInstalledCertificateIds       > Y 112 M03
GetLocalListVersion              - N 112 D02
GetLog                           > Y 112 N01
GetMonitoringReport              - N .12 N02
GetPeriodicEventStream           - N ..2 N12
GetReport                        - N .12 B08: single variables are read instead
GetTariffs                       - N ..2 I09
GetTransactionStatus             > Y .12 E14
GetVariables                     > Y .12 B06
Heartbeat                        < Y 112 G02
InstallCertificate               > Y 112 M05
LogStatusNotification            < Y 112 N01
MeterValues                      < Y 112 J01, J02
NotifyAllowedEnergyTransfer      > Y ..2 Q01
NotifyChargingLimit              < Y .12 K11, K12, K27
NotifyCustomerInformation        < N .12 N09
NotifyDERAlarm                   < Y ..2 R05
NotifyDERStartStop               < Y ..2 R05
NotifyDisplayMessages            < N .12 O03
NotifyEVChargingNeeds            < Y .12 K15, K17-K20
NotifyEVChargingSchedule         < Y .12 K15, K18
NotifyEvent                      < P .12 G01, N07
NotifyMonitoringReport           < P .12 N02
NotifyPeriodicEventStream        < P ..2 N15
NotifyPriorityCharging           < Y ..2 K22
NotifyReport                     < P .12 B07, B08
NotifySettlement                 < N ..2 C24
NotifyWebPaymentStarted          < N ..2 C25
OpenPeriodicEventStream          < P ..2 N11
PublishFirmware                  - N .12 L03
PublishFirmwareStatusNotification < N .12 L03
PullDynamicScheduleUpdate        < Y ..2 K28
RemoteStartTransaction           > Y 1.. F01, F02, K05
RemoteStopTransaction            > Y 1.. F03
ReportChargingProfiles           < Y .12 K09
ReportDERControl                 < Y ..2 R04
RequestBatterySwap               - N ..2 S02
RequestStartTransaction          > Y .12 F01, F02, K05
RequestStopTransaction           > Y .12 F03
ReservationStatusUpdate          < P .12 H04
ReserveNow                       > P 112 H01
Reset                            > P 112 B11-B13
SecurityEventNotification        < Y 112 A04
SendLocalList                    - N 112 D01
SetChargingProfile               > Y 112 K01-K07, K15-K19, Q03, Q04
SetDERControl                    > Y ..2 R04
SetDefaultTariff                 - N ..2 I07
SetDisplayMessage                - N .12 O01, O02
SetMonitoringBase                - N .12 N03
SetMonitoringLevel               - N .12 N05
SetNetworkProfile                > P .12 B09
SetVariableMonitoring            - N .12 N04
SetVariables                     > Y .12 B05, A01
SignCertificate                  < Y 112 A02, A03
SignedFirmwareStatusNotification < N 1.. L01
SignedUpdateFirmware             - N 1.. L01
StartTransaction                 < Y 1.. D.1
StatusNotification               < Y 112 G01
StopTransaction                  < Y 1.. D.1
TransactionEvent                 < Y .12 E01-E17, K06, K11, Q10-Q12
TriggerMessage                   > Y 112 F06
UnlockConnector                  - N 112 F05
UnpublishFirmware                - N .12 L04
UpdateDynamicSchedule            > Y ..2 K28, Q04
UpdateFirmware                   - N 112 L01
UsePriorityCharging              > Y ..2 K21
VatNumberValidation              < N ..2 C23
"""
"""Name; direction (> we send it, < a station sends it, - ours to send but never sent); scope; versions (1.6, 2.0.1, 2.1;
a dot: not in that one); use cases."""

Frames = Mapping[tuple[str, str], tuple[str, ...]]
"""Names of golden frames by (version, action)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Action:
    """One line of the register."""

    name: str
    direction: str
    scope: str
    versions: tuple[str, ...]
    use_cases: str

    def is_in(self, ocpp: str) -> bool:
        """Does the version define it?"""
        return ocpp in self.versions

    def comes_in(self, ocpp: str) -> bool:
        """Does a station of this version send it?"""
        return self.is_in(ocpp) and self.direction == _COMES

    def goes_out(self, ocpp: str) -> bool:
        """Do we send it to a station of this version?"""
        return self.is_in(ocpp) and self.direction == _SENT


def _read(line: str) -> Action:
    name, direction, scope, versions, use_cases = line.split(None, 4)
    known = tuple(ocpp for ocpp, mark in zip(OCPP, versions, strict=True) if mark != ".")
    return Action(name=name, direction=direction, scope=scope, versions=known, use_cases=use_cases)


ACTIONS: tuple[Action, ...] = tuple(_read(line) for line in _REGISTER.strip().splitlines())


def in_schemas(ocpp: str) -> frozenset[str]:
    """Every action for which the version has a schema."""
    found = set()
    for place in (files("ocpp") / _FOLDERS[ocpp] / "schemas").iterdir():
        name = place.name.removesuffix(".json")
        if not name.endswith("Response"):
            found.add(name.removesuffix("Request"))
    return frozenset(found)


def frames(folder: Path = GOLDEN) -> Frames:
    """Which golden frames show which action."""
    found: dict[tuple[str, str], list[str]] = {}
    for ocpp in OCPP:
        for entry in json.loads((folder / f"{ocpp}-in.json").read_text()):
            found.setdefault((ocpp, str(entry["frame"][2])), []).append(entry["name"])
        for entry in json.loads((folder / f"{ocpp}-out.json").read_text()):
            for action, _ in entry.get("calls", []):
                found.setdefault((ocpp, action), []).append(entry["name"])
    return {key: tuple(dict.fromkeys(names)) for key, names in found.items()}


def page() -> str:
    """The whole page as Markdown."""
    shown = frames()
    return HEAD + "".join(part for ocpp in OCPP for part in _table(ocpp, shown))


def _table(ocpp: str, shown: Frames) -> Iterator[str]:
    yield f"\n## OCPP {ocpp}\n\n| action | direction | scope | use cases | frames |\n| --- | --- | --- | --- | --- |\n"
    for action in ACTIONS:
        if not action.is_in(ocpp):
            continue
        is_incoming = action.direction == _COMES
        names = "; ".join(shown.get((ocpp, action.name), ())) if action.direction != _SILENT else "never sent"
        where = "station → service" if is_incoming else "service → station"
        yield f"| `{action.name}` | {where} | {_SCOPES[action.scope]} | {action.use_cases} | {names} |\n"


if __name__ == "__main__":
    sys.stdout.write(page())
