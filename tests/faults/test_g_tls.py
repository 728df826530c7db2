"""TLS and client certificates [G05-G07]: a charger over TLS beside two healthy ones; certificates are made here."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from loadmgr.domain.access import SecurityProfile
from loadmgr.settings import Address, OcppSettings, TlsSettings
from tests.support.chargers import header, until
from tests.support.faulty_site import GOOD, GOOD_PASSWORD, ODD, ODD_PASSWORD, FaultySite, beside_two
from tests.support.wire import by_hand

OPERATOR = "Example Operator"
WEAK = ("NULL", "ADH", "RC4", "3DES", "AES128-SHA", "ECDHE-RSA-AES128-SHA", "CAMELLIA128-SHA", "PSK-AES128-GCM-SHA256")


@dataclass(frozen=True, slots=True, kw_only=True)
class Papers:
    """Files of the server, and the authority that signs chargers' certificates."""

    folder: Path
    root: trustme.CA
    chargers: trustme.CA

    def settings(self, profile: SecurityProfile) -> Callable[[OcppSettings], OcppSettings]:
        """TLS beside the plain port, and the faulty charger expected with this profile."""
        tls = TlsSettings(
            listen=Address(host="127.0.0.1", port=0),
            certificate=self.folder / "server.pem",
            key=self.folder / "server.key",
            client_ca=self.folder / "chargers.pem",
            crl=self.folder / "revoked.pem",
            organization=OPERATOR,
        )

        def change(ocpp: OcppSettings) -> OcppSettings:
            stations = {**ocpp.stations, ODD: replace(ocpp.stations[ODD], profile=profile)}
            return replace(ocpp, tls=tls, stations=stations)

        return change

    def client(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """A charger's TLS, with its certificate or without one."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.root.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        return context

    def issue(self, name: str = "odd", by: trustme.CA | None = None, **more: object) -> trustme.LeafCert:
        """A certificate for a charger."""
        more = {"organization_name": OPERATOR, **more}
        return (by or self.chargers).issue_cert("odd.example", common_name=name, **more)  # type: ignore[arg-type]


def papers(folder: Path, revoked: Callable[[Papers], list[trustme.LeafCert]] = lambda _: []) -> Papers:
    """Certificates and a revocation list."""
    found = Papers(folder=folder, root=trustme.CA(), chargers=trustme.CA(organization_name="Chargers"))
    server = found.root.issue_cert("localhost", "127.0.0.1")
    server.private_key_pem.write_to_path(folder / "server.key")
    (folder / "server.pem").write_bytes(b"".join(pem.bytes() for pem in server.cert_chain_pems))
    found.chargers.cert_pem.write_to_path(folder / "chargers.pem")
    (folder / "revoked.pem").write_bytes(_revocations(found.chargers, revoked(found)))
    return found


def _revocations(authority: trustme.CA, revoked: list[trustme.LeafCert]) -> bytes:
    issuer = x509.load_pem_x509_certificate(authority.cert_pem.bytes()).subject
    now = datetime.now(UTC)
    made = x509.CertificateRevocationListBuilder().issuer_name(issuer)
    made = made.last_update(now - timedelta(days=1)).next_update(now + timedelta(days=1))
    for leaf in revoked:
        number = x509.load_pem_x509_certificate(leaf.cert_chain_pems[0].bytes()).serial_number
        entry = x509.RevokedCertificateBuilder().serial_number(number).revocation_date(now - timedelta(hours=1)).build()
        made = made.add_revoked_certificate(entry)
    key = load_pem_private_key(authority.private_key_pem.bytes(), None)
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)  # type: ignore[arg-type]


async def _status(site: FaultySite, tls: ssl.SSLContext | None, password: str = ODD_PASSWORD, *, plain: bool = False) -> int:
    """The answer to a handshake of the faulty charger; 0 when there is none, because TLS has failed."""
    port = site.gateway.port if plain else site.gateway.tls_port
    try:
        async with by_hand(port, tls=tls) as hand:
            return (await hand.shake(f"/ocpp/{ODD}", header(ODD, password) if password else {})).status
    except (ssl.SSLError, ConnectionError, asyncio.IncompleteReadError):
        return 0


def _play(folder: Path, profile: SecurityProfile, found: Papers, play: Callable[[FaultySite], Awaitable[None]]) -> None:
    async def main() -> None:
        async with beside_two(folder, ocpp=found.settings(profile)) as site:
            await play(site)

    asyncio.run(main())


def _limited_to(context: ssl.SSLContext, newest: ssl.TLSVersion) -> ssl.SSLContext:
    """A client that speaks nothing newer, as far as its library still can."""
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = ssl.TLSVersion.MINIMUM_SUPPORTED
    context.maximum_version = newest
    return context


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.*is deprecated:DeprecationWarning")
def test_g05_old_versions_of_tls_are_refused(tmp_path: Path) -> None:
    """[G05, E-11] 1.0 and 1.1; 1.2 and 1.3 are served."""
    made = papers(tmp_path)

    async def play(site: FaultySite) -> None:
        for version in (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1):
            assert await _status(site, _limited_to(made.client(), version)) == 0, version
        for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
            context = made.client()
            context.minimum_version = context.maximum_version = version
            assert await _status(site, context) == 101, version

    _play(tmp_path, SecurityProfile.TLS_BASIC, made, play)


def test_g05_weak_ciphers_are_refused_and_those_of_the_standard_taken(tmp_path: Path) -> None:
    """[G05, E-11] Null, anonymous, without authenticated encryption; the server's certificate decides on the suites."""
    made = papers(tmp_path)

    async def play(site: FaultySite) -> None:
        for cipher in WEAK:
            context = made.client()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            try:
                context.set_ciphers(f"{cipher}:@SECLEVEL=0")
            except ssl.SSLError:
                continue  # this library has forgotten it altogether
            assert await _status(site, context) == 0, cipher
        for cipher in ("ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384"):
            context = made.client()
            context.maximum_version = ssl.TLSVersion.TLSv1_2
            context.set_ciphers(cipher)
            assert await _status(site, context) == 101, cipher

    _play(tmp_path, SecurityProfile.TLS_BASIC, made, play)


def test_g06_a_good_certificate_comes_in_without_a_password_and_is_served(tmp_path: Path) -> None:
    """[E-12] The counter-example of what follows."""
    made = papers(tmp_path)

    async def play(site: FaultySite) -> None:
        async with by_hand(site.gateway.tls_port, tls=made.client(made.issue())) as hand:
            assert (await hand.shake(f"/ocpp/{ODD}", {})).status == 101
            hand.call("first", "Heartbeat", {})
            assert (await hand.answer_to("first"))[0] == 3
            assert site.odd_is_online

    _play(tmp_path, SecurityProfile.TLS_CLIENT, made, play)


STRANGERS: dict[str, Callable[[Papers], trustme.LeafCert | None]] = {
    "none": lambda _: None,
    "expired": lambda p: p.issue(not_before=_ago(days=9), not_after=_ago(days=1)),
    "not valid yet": lambda p: p.issue(not_before=_ago(days=-1), not_after=_ago(days=-9)),
    "of another authority": lambda p: p.issue(by=trustme.CA(organization_name="Chargers")),
    "of the server's authority": lambda p: p.issue(by=p.root),
    "of another charger": lambda p: p.issue(GOOD[0]),
    "of a name like it": lambda p: p.issue("ODD"),
    "of another organization": lambda p: p.issue(organization_name="Somebody Else"),
    "without an organization": lambda p: p.chargers.issue_cert("odd.example", common_name=str(ODD)),
    "without a name": lambda p: p.chargers.issue_cert("odd", organization_name=OPERATOR),
}


def _ago(**time: float) -> datetime:
    return datetime.now(UTC) - timedelta(**time)


def test_g06_certificates_that_prove_nothing_are_refused(tmp_path: Path) -> None:
    """[G06, E-12, E-20] Each with the right password beside it, which does not help at profile 3."""
    made = papers(tmp_path)

    async def play(site: FaultySite) -> None:
        for name, leaf in STRANGERS.items():
            assert await _status(site, made.client(leaf(made))) in {0, 401}, name
            assert not site.odd_is_online
        assert site.manager.state.stations[ODD].ocpp in {None, ""}

    _play(tmp_path, SecurityProfile.TLS_CLIENT, made, play)


def test_g06_a_revoked_certificate_is_refused(tmp_path: Path) -> None:
    """[G06] On the list at the start, and on a list that comes later."""
    leaves: list[trustme.LeafCert] = []

    def first(p: Papers) -> list[trustme.LeafCert]:
        leaves.extend((p.issue(), p.issue()))
        return leaves[:1]

    made = papers(tmp_path, first)

    async def play(site: FaultySite) -> None:
        assert await _status(site, made.client(leaves[0]), "") in {0, 401}
        assert await _status(site, made.client(leaves[1]), "") == 101
        (tmp_path / "revoked.pem").write_bytes(_revocations(made.chargers, leaves))
        await site.gateway.reload(site.manager.settings.ocpp)
        assert await _status(site, made.client(leaves[1]), "") in {0, 401}
        assert await _status(site, made.client(made.issue()), "") == 101

    _play(tmp_path, SecurityProfile.TLS_CLIENT, made, play)


def test_g06_the_server_proves_itself_to_the_charger(tmp_path: Path) -> None:
    """[G06, E-11] A charger that does not know the authority, or wants another host, goes away."""
    made = papers(tmp_path)

    async def play(site: FaultySite) -> None:
        assert await _status(site, ssl.create_default_context(cafile=str(tmp_path / "chargers.pem"))) == 0
        with pytest.raises(ssl.SSLCertVerificationError):
            await asyncio.open_connection(
                "127.0.0.1", site.gateway.tls_port, ssl=made.client(), server_hostname="other.example"
            )

    _play(tmp_path, SecurityProfile.TLS_BASIC, made, play)


@pytest.mark.parametrize("profile", [SecurityProfile.TLS_BASIC, SecurityProfile.TLS_CLIENT])
def test_g07_plain_text_on_the_tls_port_and_a_tls_charger_on_the_plain_one(tmp_path: Path, profile: SecurityProfile) -> None:
    """[G07, E-13] Neither gets a link; credentials over plain text are not even compared with those of TLS."""
    made = papers(tmp_path)

    async def play(site: FaultySite) -> None:
        async with by_hand(site.gateway.tls_port) as hand:
            hand.writer.write(hand.request(f"/ocpp/{ODD}", header(ODD, ODD_PASSWORD)))
            assert b" 101 " not in await _all(hand.reader)
        assert await _status(site, None, plain=True) == 401
        assert not site.odd_is_online
        leaf = made.issue() if profile is SecurityProfile.TLS_CLIENT else None
        assert await _status(site, made.client(leaf)) == 101

    _play(tmp_path, profile, made, play)


async def _all(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(10_000), 15)
    except ConnectionError:
        return b""


def test_g07_a_charger_of_the_plain_port_does_not_come_over_tls_with_its_password(tmp_path: Path) -> None:
    """[E-13] One expected profile per station: the healthy chargers' is 1."""
    made = papers(tmp_path)

    async def play(site: FaultySite) -> None:
        async with by_hand(site.gateway.tls_port, tls=made.client()) as hand:
            assert (await hand.shake(f"/ocpp/{GOOD[0]}", header(GOOD[0], GOOD_PASSWORD))).status == 401
        await until(lambda: all(t.is_connected for t in site.good))

    _play(tmp_path, SecurityProfile.TLS_BASIC, made, play)
