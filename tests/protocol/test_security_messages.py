"""Security messages over real websockets, in every version: events, certificates, passwords, profiles, logs (rule E.3)."""

from __future__ import annotations

import asyncio
import base64
import json
import logging
import ssl
import threading
from collections.abc import Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from websockets.asyncio.client import connect
from websockets.typing import Subprotocol

from api.app import create_app
from loadmgr import certificates
from loadmgr.certificates import Authority, CertificateError, LocalAuthority, Request, SecuritySettings, Signed
from loadmgr.domain import events as ev
from loadmgr.domain import security as sec
from loadmgr.domain.access import SecurityProfile
from loadmgr.domain.commands import WriteSetting
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import CertificateUse
from loadmgr.errors import StorageError
from loadmgr.logs import JsonFormatter
from loadmgr.ocpp import security_tasks
from loadmgr.ocpp.gateway import Gateway
from loadmgr.ocpp.schemas import breach
from loadmgr.runtime import LoadManager
from loadmgr.settings import Address, Settings, TlsSettings
from loadmgr.sim.scenario import on_any_port
from loadmgr.storage.store import SqlStore
from loadmgr.wiring import build_manager, gateway_of
from tests.support.authority import TwoLevels, a_csr, name, pem
from tests.support.chargers import PASSWORD, STAMP, Raw, Refusal, charger, until
from tests.support.days import EXAMPLES

ST = StationId("office-1")
KEY = "operators-key-for-tests"
VERSIONS = ("ocpp1.6", "ocpp2.0.1", "ocpp2.1")
Json = dict[str, Any]


@dataclass(frozen=True)
class Bench:
    """A running service with its API."""

    manager: LoadManager
    gateway: Gateway
    api: httpx.AsyncClient


def _settings(folder: Path, **ocpp: Any) -> Settings:
    loaded = on_any_port(Settings.load(EXAMPLES / "office.toml"), f"sqlite:///{folder / 'office.db'}")
    params = replace(loaded.context.params, call_timeout_s=1.0)
    return replace(loaded, ocpp=replace(loaded.ocpp, **ocpp), context=replace(loaded.context, params=params))


@asynccontextmanager
async def _service(settings: Settings) -> Any:
    async with build_manager(settings) as manager, gateway_of(manager) as gateway:
        assert gateway is not None
        transport = httpx.ASGITransport(app=create_app(manager, key=KEY, dashboard=False))
        async with httpx.AsyncClient(
            transport=transport, base_url="http://service/api/v1", headers={"X-API-Key": KEY}, timeout=20
        ) as api:
            yield Bench(manager, gateway, api)


def _run(folder: Path, play: Callable[[Bench], Awaitable[None]], **ocpp: Any) -> None:
    async def main() -> None:
        async with _service(_settings(folder, **ocpp)) as bench:
            await play(bench)

    asyncio.run(main())


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Retries without long waits."""
    monkeypatch.setattr(security_tasks, "LINK_S", 0.05)
    monkeypatch.setattr(security_tasks, "RETRY_S", (0.1, 0.1, 0.1))
    monkeypatch.setattr("loadmgr.ocpp.certificate_tasks.RETRY_S", (0.1, 0.1, 0.1))


def _valid(protocol: str, raw: Raw, action: str) -> list[Json]:
    """The payloads of the CALLs with this action; each is valid by the official schema."""
    found = raw.got(action)
    for payload in found:
        assert breach(protocol.removeprefix("ocpp"), action, payload, is_request=True) is None
    return found


def _is_16(protocol: str) -> bool:
    return protocol == "ocpp1.6"


# -- events --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_critical_event_is_stored_raises_an_alarm_and_stays_over_a_restart_until_it_is_acknowledged_e3(
    tmp_path: Path, protocol: str
) -> None:
    """[E.3]"""
    key = f"security:TamperDetectionActivated:{ST}"

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            for kind in ("TamperDetectionActivated", "InvalidMessages"):
                told = {"type": kind, "timestamp": STAMP, "techInfo": "<b>lid</b>"}
                assert (await raw.ask("SecurityEventNotification", told))[2] == {}
            await until(lambda: key in bench.manager.state.alarms)
            assert f"security:InvalidMessages:{ST}" not in bench.manager.state.alarms
        await bench.manager.durable()
        found = (await bench.api.get("/security/events")).json()
        assert [e["kind"] for e in found] == ["InvalidMessages", "TamperDetectionActivated"]
        assert found[1]["tech_info"] == "<b>lid</b>"
        assert found[1]["said_at"].startswith("2026-06-10T12:00:00")
        problems = (await bench.api.get(f"/chargers/{ST}")).json()["problems"]
        assert any("TamperDetectionActivated" in p["message"] and p["severity"] == "critical" for p in problems)

    async def after(bench: Bench) -> None:
        assert key in bench.manager.state.alarms
        await asyncio.sleep(1.2)  # the protect loop does not clear what still has its cause
        assert key in bench.manager.state.alarms
        assert len((await bench.api.get("/security/events")).json()) == 2
        assert (await bench.api.post("/security/acknowledge", json={"station": ST})).status_code == 204
        await until(lambda: key not in bench.manager.state.alarms)
        found = (await bench.api.get("/security/events", params={"critical": True})).json()
        assert [(e["kind"], e["acknowledged_by"]) for e in found] == [("TamperDetectionActivated", "operator")]

    async def at_last(bench: Bench) -> None:
        assert bench.manager.state.security.alerts == {}

    for step in (play, after, at_last):
        _run(tmp_path, step)


def test_security_events_are_paged_and_filtered(tmp_path: Path) -> None:
    """[E.3, G23]"""

    async def play(bench: Bench) -> None:
        for n in range(5):
            station = StationId(f"office-{n % 2 + 1}")
            kind = "ResetOrReboot" if n == 2 else "InvalidMessages"
            told = sec.SecurityEventReported(
                at=bench.manager.now(), station=station, kind=kind, is_critical=n == 2, tech_info=str(n)
            )
            bench.manager.take(told)
        await bench.manager.durable()

        async def asked(**params: Any) -> list[str]:
            return [e["tech_info"] for e in (await bench.api.get("/security/events", params=params)).json()]

        assert await asked() == ["4", "3", "2", "1", "0"]
        assert await asked(station="office-2") == ["3", "1"]
        assert await asked(critical=True) == ["2"]
        page = (await bench.api.get("/security/events", params={"limit": 2})).json()
        assert await asked(limit=2, before=page[-1]["id"]) == ["2", "1"]
        assert await asked(station="' OR 1=1 --") == []
        assert (await bench.api.get("/security/events", params={"limit": 10**9})).status_code == 422
        assert (await bench.api.post("/security/acknowledge", json={"station": "nobody"})).status_code == 404

    _run(tmp_path, play)


# -- certificates --------------------------------------------------------------------------------------------------


def _with_authority(bench: Bench, folder: Path, **changes: Any) -> TwoLevels:
    now = bench.manager.now()
    two = TwoLevels(folder, now)
    bench.manager.security.use(SecuritySettings(ca=two.settings(**changes)))
    return two


def _ask_for(protocol: str, csr: str, **more: Any) -> Json:
    return {"csr": csr} if _is_16(protocol) else {"csr": csr, **more}


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_request_is_accepted_at_once_signed_and_handed_over_e3(tmp_path: Path, protocol: str) -> None:
    """[E.3, A02]"""

    async def play(bench: Bench) -> None:
        two = _with_authority(bench, tmp_path)
        key = ec.generate_private_key(ec.SECP256R1())
        more: Json = {"certificateType": "ChargingStationCertificate"}
        if protocol == "ocpp2.1":
            more["requestId"] = 77
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            asked = _ask_for(protocol, a_csr(name(ST), key), **more)
            assert (await raw.ask("SignCertificate", asked))[2] == {"status": "Accepted"}
            await until(lambda: bench.manager.state.security.own_certificate(ST) is not None)
            (given,) = _valid(protocol, raw, "CertificateSigned")
        chain = x509.load_pem_x509_certificates(given["certificateChain"].encode())
        assert chain[0].public_key() == key.public_key()
        chain[0].verify_directly_issued_by(two.certificate)
        assert chain[1:] == [two.certificate]
        assert given.get("certificateType") == more["certificateType"] or _is_16(protocol)
        assert given.get("requestId") == more.get("requestId")
        known = bench.manager.state.security.own_certificate(ST)
        assert known is not None
        assert (known.serial, known.source) == (certificates.serial_of(chain[0]), "signed")
        shown = (await bench.api.get(f"/stations/{ST}/security")).json()
        assert [c["serial"] for c in shown["certificates"]] == [known.serial]

    _run(tmp_path, play)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_without_an_authority_a_request_is_refused_e3(tmp_path: Path, protocol: str) -> None:
    """[E.3]"""

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            answer = await raw.ask("SignCertificate", {"csr": a_csr(name(ST))})
            assert answer[2]["status"] == "Rejected"
            renewed = await bench.api.post(f"/stations/{ST}/certificate/renew")
            assert renewed.status_code == 422
            assert "ocpp.security.ca" in renewed.json()["detail"]

    _run(tmp_path, play)


class _Slow:
    """An operator's own authority: it takes its time, and it says no at first."""

    uses = frozenset({CertificateUse.STATION})

    def __init__(self, real: Authority) -> None:
        self.real = real
        self.n_asked = 0
        self.may_go_on = threading.Event()

    def sign(self, request: Request, now: datetime) -> Signed:
        self.n_asked += 1
        self.may_go_on.wait(20)
        if self.n_asked == 1:
            raise CertificateError("the office is closed")
        return self.real.sign(request, now)


def test_an_authority_of_the_host_may_block_and_refuse_and_links_go_on_meanwhile_p4(tmp_path: Path) -> None:
    """[E.3, P4] Of the requests that come while one is signed only the newest is signed as well."""

    async def play(bench: Bench) -> None:
        now = bench.manager.now()
        slow = _Slow(LocalAuthority(TwoLevels(tmp_path, now).settings(), now))
        bench.manager.security.use(SecuritySettings(), slow)
        async with charger(bench.gateway, ST) as raw, charger(bench.gateway, "office-2") as other:
            keys = [ec.generate_private_key(ec.SECP256R1()) for _ in range(4)]
            for key in keys:
                asked = await raw.ask("SignCertificate", {"csr": a_csr(name(ST), key)})
                assert asked[2] == {"status": "Accepted"}
                await until(lambda: slow.n_asked == 1)
            assert "currentTime" in (await other.ask("Heartbeat", {}))[2]
            assert raw.got("CertificateSigned") == []
            slow.may_go_on.set()
            await until(lambda: raw.got("CertificateSigned") != [])
            (given,) = raw.got("CertificateSigned")
        assert slow.n_asked == 2
        leaf = x509.load_pem_x509_certificates(given["certificateChain"].encode())[0]
        assert leaf.public_key() == keys[-1].public_key()

    _run(tmp_path, play)


def test_a_certificate_for_cars_is_refused_unless_the_authority_signs_those_e3(tmp_path: Path) -> None:
    """[E.3]"""

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol="ocpp2.0.1") as raw:
            for is_signed in (False, True):
                _with_authority(bench, tmp_path, v2g=is_signed)
                asked = {"csr": a_csr(name(ST)), "certificateType": "V2GCertificate"}
                answer = await raw.ask("SignCertificate", asked)
                assert answer[2]["status"] == ("Accepted" if is_signed else "Rejected")
            await until(lambda: raw.got("CertificateSigned") != [])
            assert _valid("ocpp2.0.1", raw, "CertificateSigned")[0]["certificateType"] == "V2GCertificate"

    _run(tmp_path, play)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_request_in_another_stations_name_is_never_signed_and_told_e12(tmp_path: Path, protocol: str) -> None:
    """[E-12, G08]"""

    async def play(bench: Bench) -> None:
        _with_authority(bench, tmp_path)
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            with bench.manager.subscribe() as events:
                await raw.ask("SignCertificate", {"csr": a_csr(name("office-2"))})
                async with asyncio.timeout(8):
                    async for event in events:
                        if isinstance(event, ev.CommandAnswered) and event.command == "SignCertificate":
                            assert "'office-2' and must be 'office-1'" in event.detail
                            break
            assert raw.got("CertificateSigned") == []
        await bench.manager.durable()
        found = (await bench.api.get("/security/events")).json()
        assert [(e["kind"], e["origin"]) for e in found] == [("InvalidSigningRequest", "service")]

    _run(tmp_path, play)


def test_a_lost_answer_to_the_chain_is_followed_by_the_same_chain_a03(tmp_path: Path) -> None:
    """[A03, E.3] Also over a new link."""

    async def play(bench: Bench) -> None:
        _with_authority(bench, tmp_path)
        async with charger(bench.gateway, ST) as raw:
            raw.replies = {"CertificateSigned": lambda _: None}
            await raw.ask("SignCertificate", {"csr": a_csr(name(ST))})
            await until(lambda: raw.got("CertificateSigned") != [])
            first = raw.got("CertificateSigned")[0]
            raw.cut()
        async with charger(bench.gateway, ST) as raw:
            await until(lambda: bench.manager.state.security.own_certificate(ST) is not None)
            assert raw.got("CertificateSigned") == [first]

    _run(tmp_path, play)


@pytest.mark.parametrize(
    ("protocol", "setting"), [("ocpp1.6", "CertificateSignedMaxChainSize"), ("ocpp2.1", "MaxCertificateChainSize")]
)
def test_a_chain_that_is_too_long_for_the_station_is_cut_to_its_certificate_e3(
    tmp_path: Path, protocol: str, setting: str
) -> None:
    """[E.3]"""

    def config(payload: Json) -> Json:
        known = [{"key": setting, "readonly": True, "value": "900"}] if setting in payload["key"] else []
        return {"configurationKey": known}

    def variables(payload: Json) -> Json:
        return {
            "getVariableResult": [
                {
                    "component": d["component"],
                    "variable": d["variable"],
                    **(
                        {"attributeStatus": "Accepted", "attributeValue": "900"}
                        if d["variable"]["name"] == setting
                        else {"attributeStatus": "UnknownVariable"}
                    ),
                }
                for d in payload["getVariableData"]
            ]
        }

    async def play(bench: Bench) -> None:
        _with_authority(bench, tmp_path)
        replies = {"GetConfiguration": config, "GetVariables": variables}
        async with charger(bench.gateway, ST, protocol=protocol, replies=replies) as raw:  # type: ignore[arg-type]
            await raw.ask("SignCertificate", {"csr": a_csr(name(ST))})
            await until(lambda: raw.got("CertificateSigned") != [])
            text = raw.got("CertificateSigned")[0]["certificateChain"]
        assert len(text) <= 900
        assert len(x509.load_pem_x509_certificates(text.encode())) == 1

    _run(tmp_path, play)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_certificate_that_runs_out_in_thirty_days_is_renewed_once_a_day_e3(tmp_path: Path, protocol: str) -> None:
    """[E.3]"""
    action, wanted = {
        "ocpp1.6": ("ExtendedTriggerMessage", "SignChargePointCertificate"),
    }.get(protocol, ("TriggerMessage", "SignChargingStationCertificate"))

    async def play(bench: Bench) -> None:
        _with_authority(bench, tmp_path)
        now = bench.manager.now()
        for station, days in (("office-1", 29), ("office-2", 31)):
            known = sec.CertificateKnown(
                at=now,
                station=StationId(station),
                use=CertificateUse.STATION,
                serial="1f",
                not_after=now + timedelta(days=days),
                source="seen",
            )
            bench.manager.take(known)

        def asked(raw: Raw) -> list[Json]:
            return [p for p in _valid(protocol, raw, action) if p["requestedMessage"] == wanted]

        async with (
            charger(bench.gateway, "office-2", protocol=protocol) as other,
            charger(bench.gateway, ST, protocol=protocol) as raw,
        ):
            await until(lambda: asked(raw) != [], 12)
            for _ in range(5):
                bench.manager.security.look_after(bench.gateway.link(ST))  # type: ignore[arg-type]
            await asyncio.sleep(0.2)
            assert len(asked(raw)) == 1
            assert asked(other) == []
            answer = (await bench.api.post("/stations/office-2/certificate/renew")).json()
            assert answer["accepted"]
            assert len(asked(other)) == 1

    _run(tmp_path, play)


def _roots(protocol: str, *found: sec.CertificateHash) -> Json:
    items = [
        {
            "hashAlgorithm": h.algorithm,
            "issuerNameHash": h.issuer_name,
            "issuerKeyHash": h.issuer_key,
            "serialNumber": h.serial.upper(),
        }
        for h in found
    ]
    if not items:
        return {"status": "NotFound"}
    if _is_16(protocol):
        return {"status": "Accepted", "certificateHashData": items}
    chains = [{"certificateType": "CSMSRootCertificate", "certificateHashData": i} for i in items]
    return {"status": "Accepted", "certificateHashDataChain": chains}


@pytest.mark.parametrize("protocol", VERSIONS)
def test_roots_are_installed_listed_and_removed_but_never_the_only_valid_one_e3(tmp_path: Path, protocol: str) -> None:
    """[E.3, M03-M05, G30]"""
    held: list[sec.CertificateHash] = []

    def listed(payload: Json) -> Json:
        asked = payload.get("certificateType", ["CSMSRootCertificate"])
        is_csms = "CSMSRootCertificate" in asked or asked == "CentralSystemRootCertificate"
        return _roots(protocol, *(held if is_csms else []))

    def removed(payload: Json) -> Json:
        serial = payload["certificateHashData"]["serialNumber"]
        found = [h for h in held if certificates.same_serial(h.serial, serial)]
        for one in found:
            held.remove(one)
        return {"status": "Accepted" if found else "NotFound"}

    async def play(bench: Bench) -> None:
        first, second = (TwoLevels(tmp_path, bench.manager.now()).root for _ in range(2))
        replies = {"GetInstalledCertificateIds": listed, "DeleteCertificate": removed}
        async with charger(bench.gateway, ST, protocol=protocol, replies=replies) as raw:  # type: ignore[arg-type]
            place = f"/stations/{ST}/certificates"
            for root in (first, second):
                wish = {"use": "csms-root", "certificate": pem(root)}
                assert (await bench.api.post(place, json=wish)).json()["accepted"]
                held.append(certificates.hash_of(root))
            bad = await bench.api.post(place, json={"use": "csms-root", "certificate": "x" * 80})
            assert bad.status_code == 422
            shown = (await bench.api.get(place)).json()
            assert [c["use"] for c in shown] == ["csms-root"] * 2
            assert certificates.same_serial(shown[0]["serial"], certificates.serial_of(first))
            wishes = [{k: v for k, v in c.items() if k != "use"} for c in shown]
            assert (await bench.api.post(f"{place}/delete", json=wishes[0])).json()["accepted"]
            refused = await bench.api.post(f"{place}/delete", json=wishes[1])
            assert refused.status_code == 422
            assert "only valid root" in refused.json()["detail"]
            assert len(_valid(protocol, raw, "DeleteCertificate")) == 1
            assert len(_valid(protocol, raw, "InstallCertificate")) == 2
            assert _valid(protocol, raw, "GetInstalledCertificateIds")
        await bench.manager.durable()
        audit = (await bench.api.get("/events", params={"kind": "SecurityAsked"})).json()
        assert [(a["data"]["what"], a["data"]["actor"]) for a in audit] == [
            ("certificate deleted", "operator"),
            ("certificate installed", "operator"),
            ("certificate installed", "operator"),
        ]

    _run(tmp_path, play)


def test_a_root_beside_one_that_has_expired_is_the_only_valid_one_e3(tmp_path: Path) -> None:
    """[E.3]"""

    async def play(bench: Bench) -> None:
        now = bench.manager.now()
        valid = certificates.hash_of(TwoLevels(tmp_path, now).root)
        old = replace(valid, serial="abc")
        over = sec.CertificateKnown(
            at=now, station=ST, use=CertificateUse.CSMS_ROOT, serial="abc", not_after=now, source="installed"
        )
        bench.manager.take(over)
        replies = {"GetInstalledCertificateIds": lambda _: _roots("ocpp1.6", valid, old)}
        async with charger(bench.gateway, ST, replies=replies) as raw:  # type: ignore[arg-type]
            wishes = [
                {
                    "algorithm": h.algorithm,
                    "issuer_name": h.issuer_name,
                    "issuer_key": h.issuer_key,
                    "serial": h.serial,
                }
                for h in (valid, old)
            ]
            place = f"/stations/{ST}/certificates/delete"
            assert (await bench.api.post(place, json=wishes[0])).status_code == 422
            assert (await bench.api.post(place, json=wishes[1])).status_code == 200
            assert [p["certificateHashData"]["serialNumber"] for p in raw.got("DeleteCertificate")] == ["abc"]

    _run(tmp_path, play)


def test_nothing_is_removed_from_a_station_that_does_not_say_what_it_has_e3(tmp_path: Path) -> None:
    """[E.3]"""

    async def play(bench: Bench) -> None:
        replies = {"GetInstalledCertificateIds": lambda _: Refusal("NotSupported")}
        async with charger(bench.gateway, ST, replies=replies) as raw:  # type: ignore[arg-type]
            wish = {"algorithm": "SHA256", "issuer_name": "ab", "issuer_key": "cd", "serial": "1f"}
            answer = await bench.api.post(f"/stations/{ST}/certificates/delete", json=wish)
            assert answer.status_code == 422
            assert raw.got("DeleteCertificate") == []

    _run(tmp_path, play)


# -- passwords -----------------------------------------------------------------------------------------------------


def _password_in(protocol: str, raw: Raw) -> list[str]:
    """The passwords that the station was given."""
    if _is_16(protocol):
        found = _valid(protocol, raw, "ChangeConfiguration")
        return [p["value"] for p in found if p["key"] == "AuthorizationKey"]
    data = [d for p in _valid(protocol, raw, "SetVariables") for d in p["setVariableData"]]
    return [d["attributeValue"] for d in data if d["variable"]["name"] == "BasicAuthPassword"]


def _answer_password(protocol: str, answer: Callable[[], Any]) -> Json:
    """Replies with ``answer()`` (a status, or a refusal) for the password, as usual for everything else."""

    def config(payload: Json) -> Any:
        said = answer() if payload["key"] == "AuthorizationKey" else "Accepted"
        return said if isinstance(said, Refusal) else {"status": said}

    def variables(payload: Json) -> Any:
        data = payload["setVariableData"][0]
        said = answer() if data["variable"]["name"] == "BasicAuthPassword" else "Accepted"
        if isinstance(said, Refusal):
            return said
        names = {"component": data["component"], "variable": data["variable"]}
        return {"setVariableResult": [{"attributeStatus": said, **names}]}

    return {"ChangeConfiguration": config, "SetVariables": variables}


async def _rotate(bench: Bench, protocol: str) -> httpx.Response:
    return await bench.api.post(f"/stations/{ST}/password", json={"as_text": _is_16(protocol)})


async def _may_enter(bench: Bench, password: str, protocol: str) -> bool:
    try:
        async with charger(bench.gateway, ST, password=password, protocol=protocol, boots=False):
            return True
    except Exception as error:  # noqa: BLE001 the client's class of refusals
        assert "401" in str(error)  # noqa: PT017
        return False


class _Log(logging.Handler):
    """Everything that is logged, as it would be written."""

    def __init__(self) -> None:
        super().__init__(logging.DEBUG)
        self.lines: list[str] = []
        self.setFormatter(JsonFormatter())

    def emit(self, record: logging.LogRecord) -> None:
        if not record.name.startswith("websockets.client"):  # that is the charger of the test
            self.lines.append(self.format(record))


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_new_password_counts_once_the_station_has_come_with_it_and_is_written_nowhere_e14_g26(
    tmp_path: Path, protocol: str
) -> None:
    """[E-14, G26, G30] The station's own copy of the password is the canary."""
    log = _Log()
    logging.getLogger().addHandler(log)
    level = logging.getLogger().level
    logging.getLogger().setLevel(logging.DEBUG)
    seen: list[str] = []
    answers: list[str] = []

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            response = await _rotate(bench, protocol)
            answers.append(response.text)
            assert response.status_code == 202
            await until(lambda: _password_in(protocol, raw) != [])
            (password,) = _password_in(protocol, raw)
            seen.append(password)
            await raw.send(json.dumps([4, "nobody-asked", "GenericError", f"cannot use {password}", {}]))
            await raw.ask("DataTransfer", {"vendorId": "x", "data": f"my password is {password}"})
            assert (await bench.api.get(f"/stations/{ST}/security")).json()["password_offered"]
            assert (await _rotate(bench, protocol)).status_code == 422  # one offer at a time
        assert await _may_enter(bench, PASSWORD, protocol)  # both are good until the new one is shown
        assert await _may_enter(bench, password, protocol)
        await until(lambda: bench.manager.state.security.credentials_of(ST).offered_hash is None)
        assert not await _may_enter(bench, PASSWORD, protocol)
        for path in (
            f"/stations/{ST}/frames",
            "/events?limit=500",
            f"/stations/{ST}/security",
            "/security/events",
            "/metrics",
        ):
            answers.append((await bench.api.get(path)).text)
        audit = (await bench.api.get("/events", params={"kind": "SecurityAsked"})).json()
        assert [(a["data"]["what"], a["data"]["actor"]) for a in audit] == [("password", "operator")]
        await bench.manager.durable()

    async def after(bench: Bench) -> None:
        assert not await _may_enter(bench, PASSWORD, protocol)
        assert await _may_enter(bench, seen[0], protocol)

    try:
        _run(tmp_path, play)
        _run(tmp_path, after)
    finally:
        logging.getLogger().removeHandler(log)
        logging.getLogger().setLevel(level)
    password = seen[0]
    assert len(password) == 40
    assert log.lines
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"CredentialsChanged" in stored  # the right files were looked at
    assert password.encode() not in stored
    assert not any(password in line for line in log.lines)
    assert not any(password in answer for answer in answers)


@pytest.mark.parametrize("protocol", VERSIONS)
@pytest.mark.parametrize("refusal", ["Rejected", Refusal("NotSupported", "no such thing")], ids=["rejected", "error"])
def test_an_offer_that_the_station_refuses_is_withdrawn_e14(tmp_path: Path, protocol: str, refusal: Any) -> None:
    """[E-14]"""

    async def play(bench: Bench) -> None:
        replies = _answer_password(protocol, lambda: refusal)
        async with charger(bench.gateway, ST, protocol=protocol, replies=replies) as raw:
            assert (await _rotate(bench, protocol)).status_code == 202
            await until(lambda: _password_in(protocol, raw) != [])
            await until(lambda: bench.manager.state.security.credentials_of(ST).offered_hash is None)
            (password,) = _password_in(protocol, raw)
        assert bench.manager.state.security.credentials_of(ST).password_hash is None
        assert await _may_enter(bench, PASSWORD, protocol)
        assert not await _may_enter(bench, password, protocol)

    _run(tmp_path, play)


@pytest.mark.parametrize("protocol", VERSIONS)
@pytest.mark.parametrize("has_taken", [True, False])
def test_a_station_whose_answer_was_lost_comes_in_with_whichever_password_it_has_e14(
    tmp_path: Path, protocol: str, has_taken: bool
) -> None:
    """[E-14, A03, F01] Also when the service was killed meanwhile."""
    given: list[str] = []

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            await asyncio.sleep(0.3)
            raw.is_silent = True
            assert (await _rotate(bench, protocol)).status_code == 202
            await until(lambda: _password_in(protocol, raw) != [])
            given.extend(_password_in(protocol, raw)[:1])
            raw.cut()
        assert bench.manager.state.security.credentials_of(ST).offered_hash is not None

    async def after(bench: Bench) -> None:
        assert bench.manager.state.security.credentials_of(ST).offered_hash is not None
        held = given[0] if has_taken else PASSWORD
        assert await _may_enter(bench, held, protocol)
        assert (bench.manager.state.security.credentials_of(ST).offered_hash is None) is has_taken
        if not has_taken:
            gone = await bench.api.delete(f"/stations/{ST}/password")
            assert gone.status_code == 204
            assert not await _may_enter(bench, given[0], protocol)
            assert (await bench.api.delete(f"/stations/{ST}/password")).status_code == 404

    _run(tmp_path, play)
    _run(tmp_path, after)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_password_whose_answer_was_lost_is_offered_again_the_same_on_the_next_link_e14(
    tmp_path: Path, protocol: str
) -> None:
    """[E-14, A03]"""

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            await asyncio.sleep(0.3)
            raw.is_silent = True
            await _rotate(bench, protocol)
            await until(lambda: _password_in(protocol, raw) != [])
            first = _password_in(protocol, raw)[0]
            raw.cut()
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            await until(lambda: _password_in(protocol, raw) != [])
            assert set(_password_in(protocol, raw)) == {first}
        assert await _may_enter(bench, first, protocol)
        assert not await _may_enter(bench, PASSWORD, protocol)

    _run(tmp_path, play)


def test_the_offer_is_on_disk_before_the_message_leaves_e14(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """[E-14, F01]"""
    order: list[str] = []
    flush = SqlStore.flush

    async def noted(self: SqlStore) -> None:
        await flush(self)
        order.append("on disk")

    async def play(bench: Bench) -> None:
        def config(payload: Json) -> Json:
            if payload["key"] == "AuthorizationKey":
                order.append("sent")
            return {"status": "Accepted"}

        async with charger(bench.gateway, ST, replies={"ChangeConfiguration": config}):
            monkeypatch.setattr(SqlStore, "flush", noted)
            await _rotate(bench, "ocpp1.6")
            await until(lambda: "sent" in order)
            assert order.index("on disk") < order.index("sent")

    _run(tmp_path, play)


def test_an_offer_that_cannot_be_stored_is_taken_back_and_nothing_leaves_e14(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """[E-14, F05]"""

    async def broken(_: SqlStore) -> None:
        raise StorageError("the disk is full")

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST) as raw:
            await asyncio.sleep(0.3)
            with monkeypatch.context() as patch:
                patch.setattr(SqlStore, "flush", broken)
                assert (await _rotate(bench, "ocpp1.6")).status_code == 503
            await asyncio.sleep(0.3)
            assert _password_in("ocpp1.6", raw) == []
        assert bench.manager.state.security.credentials_of(ST).offered_hash is None
        assert bench.manager.security.tasks.secrets == {}
        assert await _may_enter(bench, PASSWORD, "ocpp1.6")

    _run(tmp_path, play)


def test_what_a_16_station_makes_of_a_key_must_be_known_before_it_gets_one_e10(tmp_path: Path) -> None:
    """[E-10] A station that reads the key otherwise than we do would be locked out."""

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST) as raw:
            refused = await bench.api.post(f"/stations/{ST}/password", json={})
            assert refused.status_code == 422
            assert "hex_password" in refused.json()["detail"]
            assert _password_in("ocpp1.6", raw) == []

    _run(tmp_path, play)


@pytest.mark.parametrize("as_bytes", [True, False])
def test_a_16_station_may_use_text_or_bytes_of_its_key_where_the_site_file_says_so_e10(
    tmp_path: Path, as_bytes: bool
) -> None:
    """[E-10]"""
    hex_old = PASSWORD.encode().hex()
    loaded = _settings(tmp_path).ocpp.stations
    stations = {**loaded, ST: replace(loaded[ST], hex_password=True, password=hex_old, password_hash=None)}

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, password=hex_old) as raw:
            assert (await bench.api.post(f"/stations/{ST}/password", json={})).status_code == 202
            await until(lambda: _password_in("ocpp1.6", raw) != [])
            (key,) = _password_in("ocpp1.6", raw)
        said = bytes.fromhex(key) if as_bytes else key.encode()
        headers = {"Authorization": "Basic " + base64.b64encode(ST.encode() + b":" + said).decode()}
        url = f"ws://127.0.0.1:{bench.gateway.port}/ocpp/{ST}"
        async with connect(url, subprotocols=[Subprotocol("ocpp1.6")], additional_headers=headers, compression=None):
            await until(lambda: bench.manager.state.security.credentials_of(ST).offered_hash is None)

    _run(tmp_path, play, stations=stations)


def test_a_station_without_a_link_or_without_a_password_gets_none(tmp_path: Path) -> None:
    """[E-14]"""
    loaded = _settings(tmp_path).ocpp.stations
    stations = {**loaded, ST: replace(loaded[ST], profile=SecurityProfile.TLS_CLIENT)}

    async def play(bench: Bench) -> None:
        assert "no link" in (await bench.api.post("/stations/office-2/password", json={})).json()["detail"]
        assert (await bench.api.post("/stations/nobody/password", json={})).status_code == 404
        with pytest.raises(Exception, match="uses no password"):
            bench.manager.security.tasks._check_password(ST, "1.6", as_text=True)

    _run(tmp_path, play, stations=stations)


# -- profiles ------------------------------------------------------------------------------------------------------


def _tls(folder: Path) -> TlsSettings:
    """Settings of a listener that these tests do not open: they end where the station would call."""
    return TlsSettings(listen=Address(host="127.0.0.1", port=0), certificate=folder / "x", key=folder / "x")


def _profiles_in(protocol: str, raw: Raw) -> list[int]:
    if _is_16(protocol):
        found = _valid(protocol, raw, "ChangeConfiguration")
        return [int(p["value"]) for p in found if p["key"] == "SecurityProfile"]
    return [p["connectionData"]["securityProfile"] for p in _valid(protocol, raw, "SetNetworkProfile")]


def _with_slots(payload: Json) -> Json:
    found = []
    for d in payload["getVariableData"]:
        names = {"component": d["component"], "variable": d["variable"]}
        is_it = d["variable"]["name"] == "NetworkConfigurationPriority"
        value = {"attributeStatus": "Accepted", "attributeValue": "1,3"} if is_it else {"attributeStatus": "UnknownVariable"}
        found.append({**names, **value})
    return {"getVariableResult": found}


def _reachable(bench: Bench, folder: Path) -> None:
    """The service believes that it has a TLS listener at a public address."""
    settings = bench.manager.settings
    bench.manager.settings = replace(settings, ocpp=replace(settings.ocpp, tls=_tls(folder)))
    bench.manager.security.use(SecuritySettings(url="wss://csms.example.org/ocpp"))


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_higher_profile_is_offered_and_the_lower_one_stays_good_until_it_is_shown_e13(
    tmp_path: Path, protocol: str
) -> None:
    """[E-13]"""

    async def play(bench: Bench) -> None:
        _reachable(bench, tmp_path)
        replies = {"GetVariables": _with_slots}
        async with charger(bench.gateway, ST, protocol=protocol, replies=replies) as raw:  # type: ignore[arg-type]
            asked = await bench.api.post(f"/stations/{ST}/security-profile", json={"profile": 2})
            assert asked.status_code == 202, asked.text
            await until(lambda: _profiles_in(protocol, raw) == [2])
            if not _is_16(protocol):
                await until(lambda: raw.got("Reset") != [])
                (slot,) = raw.got("SetNetworkProfile")
                assert slot["configurationSlot"] == 2
                assert slot["connectionData"]["ocppCsmsUrl"] == "wss://csms.example.org/ocpp"
                orders = [d for p in raw.got("SetVariables") for d in p["setVariableData"]]
                order = [d for d in orders if d["variable"]["name"] == "NetworkConfigurationPriority"]
                assert [d["attributeValue"] for d in order] == ["2,1,3"]
                assert raw.got("Reset")[0]["type"] == "OnIdle"
            again = await bench.api.post(f"/stations/{ST}/security-profile", json={"profile": 2})
            assert again.status_code == 422
        shown = (await bench.api.get(f"/stations/{ST}/security")).json()
        assert (shown["profile"], shown["profile_offered"]) == (1, 2)
        assert await _may_enter(bench, PASSWORD, protocol)
        assert (await bench.api.delete(f"/stations/{ST}/security-profile")).status_code == 204
        assert bench.manager.state.security.credentials_of(ST).offered_profile is None

    _run(tmp_path, play)


def test_a_station_goes_from_basic_auth_to_a_certificate_signed_here_and_never_back_e12_e13(tmp_path: Path) -> None:
    """[E-12, E-13, A02] Over real TLS: request, chain, profile 3 offered, shown, and the password of no use any more."""
    now = datetime.now(UTC)
    two = TwoLevels(tmp_path, now)
    (tmp_path / "root.pem").write_text(pem(two.root))
    trusted = trustme.CA()
    trusted.issue_cert("127.0.0.1").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "server.pem"))
    tls = TlsSettings(
        listen=Address(host="127.0.0.1", port=0),
        certificate=tmp_path / "server.pem",
        key=tmp_path / "server.pem",
        client_ca=tmp_path / "root.pem",
    )
    key = ec.generate_private_key(ec.SECP256R1())
    client = ssl.create_default_context()
    trusted.configure_trust(client)

    async def play(bench: Bench) -> None:
        bench.manager.security.use(SecuritySettings(ca=two.settings()))
        place = f"/stations/{ST}/security-profile"
        async with charger(bench.gateway, ST) as raw:
            early = await bench.api.post(place, json={"profile": 3})
            assert "needs a certificate in the station" in early.json()["detail"]
            await raw.ask("SignCertificate", {"csr": a_csr(name(ST), key)})
            await until(lambda: bench.manager.state.security.own_certificate(ST) is not None)
            chain = raw.got("CertificateSigned")[0]["certificateChain"]
            assert (await bench.api.post(place, json={"profile": 3})).status_code == 202
            await until(lambda: _profiles_in("ocpp1.6", raw) == [3])
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (tmp_path / "station.pem").write_bytes(private + chain.encode())
        client.load_cert_chain(tmp_path / "station.pem")
        url = f"wss://127.0.0.1:{bench.gateway.tls_port}/ocpp/{ST}"
        assert await _may_enter(bench, PASSWORD, "ocpp1.6")  # until it has shown the certificate
        async with connect(url, subprotocols=[Subprotocol("ocpp1.6")], ssl=client, compression=None):
            await until(lambda: bench.manager.state.security.credentials_of(ST).profile is SecurityProfile.TLS_CLIENT)
        assert bench.manager.state.security.credentials_of(ST).offered_profile is None
        assert not await _may_enter(bench, PASSWORD, "ocpp1.6")
        assert bench.manager.security.tasks.profile_of(ST) is SecurityProfile.TLS_CLIENT

    _run(tmp_path, play, tls=tls)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_profile_that_the_station_refuses_is_withdrawn_e13(tmp_path: Path, protocol: str) -> None:
    """[E-13]"""

    async def play(bench: Bench) -> None:
        _reachable(bench, tmp_path)

        def config(payload: Json) -> Json:
            return {"status": "Rejected" if payload["key"] == "SecurityProfile" else "Accepted"}

        replies: Any = {
            "GetVariables": _with_slots,
            "ChangeConfiguration": config,
            "SetNetworkProfile": lambda _: {"status": "Rejected"},
        }
        async with charger(bench.gateway, ST, protocol=protocol, replies=replies) as raw:
            assert (await bench.api.post(f"/stations/{ST}/security-profile", json={"profile": 2})).status_code == 202
            await until(lambda: _profiles_in(protocol, raw) == [2])
            await until(lambda: bench.manager.state.security.credentials_of(ST).offered_profile is None)
            assert raw.got("Reset") == []

    _run(tmp_path, play)


@pytest.mark.parametrize("protocol", VERSIONS)
def test_no_profile_is_lowered_and_none_raised_that_would_lock_the_station_out_e13(tmp_path: Path, protocol: str) -> None:
    """[E-13]"""

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol=protocol) as raw:

            async def refusal(profile: int) -> str:
                answer = await bench.api.post(f"/stations/{ST}/security-profile", json={"profile": profile})
                assert answer.status_code == 422
                return str(answer.json()["detail"])

            assert "never lowered" in await refusal(1)
            assert "[ocpp.tls]" in await refusal(2)
            _reachable(bench, tmp_path)
            assert "client_ca" in await refusal(3)
            assert "profile" in await refusal(0)
            credentials = replace(bench.manager.state.security.credentials_of(ST), profile=SecurityProfile.TLS_CLIENT)
            bench.manager.take(ev.CredentialsChanged(at=bench.manager.now(), credentials=credentials))
            assert "never lowered" in await refusal(2)
            assert _profiles_in(protocol, raw) == []

    _run(tmp_path, play)


@pytest.mark.parametrize("protocol", VERSIONS)
@pytest.mark.parametrize("setting", ["AuthorizationKey", "SecurityProfile", "SecurityCtrlr.BasicAuthPassword"])
def test_no_other_command_writes_what_decides_about_access_e13_e14(tmp_path: Path, protocol: str, setting: str) -> None:
    """[E-13, E-14]"""

    async def play(bench: Bench) -> None:
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            bench.manager.command(WriteSetting(no=1, station=ST, name=setting, value="x" * 20))
            await asyncio.sleep(0.2)
            assert _password_in(protocol, raw) == []
            assert "x" * 20 not in json.dumps(raw.calls)

    _run(tmp_path, play)


# -- logs ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("protocol", VERSIONS)
def test_a_log_is_uploaded_to_an_allowed_address_only_and_its_progress_is_kept_g20(tmp_path: Path, protocol: str) -> None:
    """[G20, G26, G30, E.3, N01]"""

    async def play(bench: Bench) -> None:
        place = f"/stations/{ST}/log"
        wish = {"kind": "security", "url": "sftp://up:canary-word@logs.example.org/in/s1"}
        async with charger(bench.gateway, ST, protocol=protocol) as raw:
            refused = await bench.api.post(place, json=wish)
            assert refused.status_code == 422
            assert "ocpp.security.uploads" in refused.json()["detail"]
            bench.manager.security.use(SecuritySettings(uploads=("sftp://logs.example.org",)))
            other = {**wish, "url": "http://169.254.169.254/latest"}
            assert (await bench.api.post(place, json=other)).status_code == 422
            assert raw.got("GetLog") == []
            answer = (await bench.api.post(place, json=wish)).json()
            assert answer["accepted"]
            (asked,) = _valid(protocol, raw, "GetLog")
            assert (asked["logType"], asked["requestId"]) == ("SecurityLog", answer["no"])
            assert asked["log"]["remoteLocation"] == wish["url"]
            for status in ("Uploading", "Uploaded"):
                told = {"status": status, "requestId": answer["no"]}
                assert (await raw.ask("LogStatusNotification", told))[2] == {}
            shown = (await bench.api.get(f"/stations/{ST}/security")).json()
            assert (shown["log_status"], shown["log_request"]) == ("Uploaded", answer["no"])
        await bench.manager.durable()
        events = await bench.api.get("/events", params={"kind": "LogStatusReported"})
        assert [e["data"]["status"] for e in events.json()] == ["Uploaded", "Uploading"]
        for path in ("/events?limit=500", f"/stations/{ST}/frames"):
            assert "canary-word" not in (await bench.api.get(path)).text

    _run(tmp_path, play)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir() if path.is_file())
    assert b"logs.example.org" in stored
    assert b"canary-word" not in stored
