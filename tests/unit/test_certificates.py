"""The local authority: what it signs, what it refuses, and how OCPP names certificates."""

from __future__ import annotations

import contextlib
import ssl
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, cast

import pytest
import trustme
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from hypothesis import given, settings
from hypothesis import strategies as st

from loadmgr import certificates
from loadmgr.certificates import CertificateError, LocalAuthority, Request, Signed
from loadmgr.domain.ids import StationId
from loadmgr.domain.security import CertificateUse
from tests.support.authority import TwoLevels, a_certificate, a_csr, name, pem
from tests.support.builders import NOON

S1 = StationId("S1")
SHA1 = """\
-----BEGIN CERTIFICATE REQUEST-----
MIICUjCCAToCAQAwDTELMAkGA1UEAwwCUzEwggEiMA0GCSqGSIb3DQEBAQUAA4IB
DwAwggEKAoIBAQDERAu7e6VH7Ce+uw68TeLExPFxvQ7xtSkDq1l7VGWlUhSUguay
y9n8Mxkv17VFq0cQXBA3ledKLYpyD2NP6TeI7QcF96nuIPzCq8DRaV0fNC6MaA5S
1rFpTXYzqwILVe+bnwSfWNb9w+Vq8wSz9OSwrNMyGip03r/DxAYhOL35glGHovex
GY77ymWzRbZwMHHBdQyU0JkqfMImM0lTNqqQUMmNbgzIWmbKcCgNPyKUD1ldka/9
S47TXET9DbttVIoP3tthGm2UNsq/BqQgm6AK088c5mKs5Skg/D3FkVJOmLWJODFd
3+lRTs9F8gmRM0nQVjPBKWByrnBrGcknP7PZAgMBAAGgADANBgkqhkiG9w0BAQUF
AAOCAQEADFqExOfSfPK6kEB1854ZwFP+I7s8Js5Zc6cKeUriykD43Zbb+Egnhajk
zjeeqGLjALAvMPgKwiKQG2r15u0PEWvkCm5SNDHhR3Ld8YNCYAEGKlTNvY5c/5QO
9LTc/9EsObAuhTvpc3/LdBg9YHGAjviMDD/Xl57dcmY4zTiKc4KENlEWlRuuX7sb
LSIjzRB55dleL6ZqYdtO2WNiiYpuEOGqSPFdewE7H9NT2VFlR31ihj9CQYnRbVtG
PJtMvzhrC1rCKhHIFIiCHJIIRL9q3zVjBJmrEyF94WfRFzlfeIwrqsZQzTOU2Fzw
5fIs3Mg+NzF1s2+gzwIi3ZqhG1D5nA==
-----END CERTIFICATE REQUEST-----
"""
"""A request for CN=S1 with an RSA key of 2048 bits, signed with SHA-1, which the library itself does not make any more."""


def _request(csr: str, *names: str) -> Request:
    return Request(station=S1, use=CertificateUse.STATION, csr=csr, names=names or ("S1",))


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> TwoLevels:
    return TwoLevels(tmp_path_factory.mktemp("ca"), NOON)


@pytest.fixture
def authority(two: TwoLevels) -> LocalAuthority:
    return LocalAuthority(two.settings(), NOON)


def _leaf(signed: Signed) -> x509.Certificate:
    return x509.load_pem_x509_certificate(signed.chain[0].encode())


@pytest.mark.parametrize("kind", ["ec", "rsa"])
def test_a_good_request_becomes_a_client_certificate_that_verifies_up_to_the_root_e12(
    two: TwoLevels, authority: LocalAuthority, kind: str
) -> None:
    key = ec.generate_private_key(ec.SECP256R1()) if kind == "ec" else rsa.generate_private_key(65537, 2048)
    signed = authority.sign(_request(a_csr(name("S1", "Operator"), key)), NOON)
    chain = [x509.load_pem_x509_certificate(text.encode()) for text in signed.chain]
    assert two.root not in chain  # the station has it, or must not get it from here
    chain[0].verify_directly_issued_by(two.certificate)
    two.certificate.verify_directly_issued_by(two.root)
    assert chain[0].subject == name("S1", "Operator")
    assert chain[0].public_key().public_numbers() == key.public_key().public_numbers()
    usage = chain[0].extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.CLIENT_AUTH]
    assert not chain[0].extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_a_tls_server_takes_what_was_signed_and_asks_for_the_client_e12(two: TwoLevels, tmp_path: Path) -> None:
    """A handshake of OpenSSL with itself: the server trusts the root only and gets the rest from the client."""
    now = datetime.now(UTC)
    fresh = TwoLevels(tmp_path, now)
    key = ec.generate_private_key(ec.SECP256R1())
    signed = LocalAuthority(fresh.settings(), now).sign(_request(a_csr(name("S1"), key)), now)
    private = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    (tmp_path / "client.pem").write_bytes(private + "".join(signed.chain).encode())
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("csms").configure_cert(server)
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(cadata=pem(fresh.root))
    client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    client.check_hostname, client.verify_mode = False, ssl.CERT_NONE
    client.load_cert_chain(tmp_path / "client.pem")
    shown = _handshake(server, client)
    assert shown["subject"] == ((("commonName", "S1"),),)
    other = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("csms").configure_cert(other)
    other.verify_mode = ssl.CERT_REQUIRED
    other.load_verify_locations(cadata=pem(two.root))
    with pytest.raises(ssl.SSLCertVerificationError):
        _handshake(other, client)


def _handshake(server: ssl.SSLContext, client: ssl.SSLContext) -> dict[str, Any]:
    """Both ends in memory; what the server learns of the client."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [server.wrap_bio(up, down, server_side=True), client.wrap_bio(down, up)]
    for _ in range(6):
        for end in ends:
            with contextlib.suppress(ssl.SSLWantReadError):
                end.do_handshake()
    return cast(dict[str, Any], ends[0].getpeercert())


def test_what_a_signed_certificate_says_is_what_it_is(authority: LocalAuthority) -> None:
    signed = authority.sign(_request(a_csr(name("S1"))), NOON)
    leaf = _leaf(signed)
    assert signed.serial == f"{leaf.serial_number:x}"
    assert signed.not_after == leaf.not_valid_after_utc == NOON + timedelta(days=365)
    assert leaf.not_valid_before_utc < NOON
    assert signed.subject == "CN=S1"


def test_no_certificate_is_valid_longer_than_its_authority(tmp_path: Path) -> None:
    short = LocalAuthority(TwoLevels(tmp_path, NOON, days=10).settings(), NOON)
    assert short.sign(_request(a_csr(name("S1"))), NOON).not_after == NOON + timedelta(days=10)
    with pytest.raises(CertificateError, match="expired"):
        short.sign(_request(a_csr(name("S1"))), NOON + timedelta(days=11))


def test_a_station_has_no_say_in_anything_but_its_key_and_name(authority: LocalAuthority) -> None:
    """[E-12, G10]"""
    key = ec.generate_private_key(ec.SECP256R1())
    wish = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "S1"), x509.NameAttribute(NameOID.COUNTRY_NAME, "XX")])
    )
    wish = wish.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    wish = wish.add_extension(x509.SubjectAlternativeName([x509.DNSName("csms.example.org")]), critical=False)
    csr = wish.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()
    leaf = _leaf(authority.sign(_request(csr), NOON))
    assert leaf.subject == name("S1")
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    with pytest.raises(x509.ExtensionNotFound):
        leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName)


def _tampered(csr: str) -> str:
    """The same request with the last byte of its signature changed."""
    der = bytearray(x509.load_pem_x509_csr(csr.encode()).public_bytes(serialization.Encoding.DER))
    der[-1] ^= 1
    return x509.load_der_x509_csr(bytes(der)).public_bytes(serialization.Encoding.PEM).decode()


def _bad(kind: str) -> str:
    subject = name("S1")
    match kind:
        case "rsa 1024":
            return a_csr(subject, rsa.generate_private_key(65537, 1024))
        case "ec 192":
            return a_csr(subject, ec.generate_private_key(ec.SECP192R1()))
        case "dsa":
            return a_csr(subject, dsa.generate_private_key(2048))
        case "ed25519":
            key = ed25519.Ed25519PrivateKey.generate()
            made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, None)
            return made.public_bytes(serialization.Encoding.PEM).decode()
        case "sha-1":
            return SHA1
        case "tampered":
            return _tampered(a_csr(subject, rsa.generate_private_key(65537, 2048)))
        case "another station":
            return a_csr(name("S2"))
        case "no name":
            return a_csr(x509.Name([]))
        case "two names":
            twice = [x509.NameAttribute(NameOID.COMMON_NAME, n) for n in ("S1", "S2")]
            return a_csr(x509.Name(twice))
        case _:
            return "-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"


BAD = {
    "rsa 1024": "1024 bits",
    "ec 192": "192 bits",
    "dsa": "neither RSA nor EC",
    "ed25519": "not good enough|neither",
    "sha-1": "hash that is not good enough",
    "tampered": "not signed",
    "another station": "'S2' and must be 'S1'",
    "no name": "'' and must be",
    "two names": "2 times",
    "garbage": "not a PEM request",
}


@pytest.mark.parametrize("kind", BAD)
def test_what_must_not_be_signed_is_refused_with_the_reason_e11_e12(authority: LocalAuthority, kind: str) -> None:
    with pytest.raises(CertificateError, match=BAD[kind]):
        authority.sign(_request(_bad(kind)), NOON)


def test_the_organization_must_be_the_operators_where_it_is_set_e12(two: TwoLevels) -> None:
    strict = LocalAuthority(two.settings(organization="Operator"), NOON)
    strict.sign(_request(a_csr(name("S1", "Operator"))), NOON)
    for other in ("", "operator", "Somebody"):
        with pytest.raises(CertificateError, match="O is"):
            strict.sign(_request(a_csr(name("S1", other))), NOON)


@settings(max_examples=60, deadline=None)
@given(st.text(max_size=300) | st.binary(max_size=300).map(lambda b: b.decode("latin-1")))
def test_whatever_a_station_sends_is_refused_and_nothing_else(text: str) -> None:
    """[B01]"""
    with pytest.raises(CertificateError):
        certificates.checked(_request(text), None)


def test_certificates_for_cars_are_signed_only_where_the_settings_say_so(two: TwoLevels) -> None:
    assert LocalAuthority(two.settings(), NOON).uses == {CertificateUse.STATION}
    assert CertificateUse.V2G in LocalAuthority(two.settings(v2g=True), NOON).uses


def test_files_that_cannot_be_used_are_named(tmp_path: Path, two: TwoLevels) -> None:
    with pytest.raises(CertificateError, match=r"missing\.pem"):
        LocalAuthority(two.settings(certificate=tmp_path / "missing.pem"), NOON)
    with pytest.raises(CertificateError, match=r"ca\.pem: cannot be read as a PEM key"):
        LocalAuthority(two.settings(key=two.folder / "ca.pem"), NOON)
    other = TwoLevels(tmp_path, NOON)
    with pytest.raises(CertificateError, match="does not belong"):
        LocalAuthority(two.settings(key=other.folder / "ca.key"), NOON)
    with pytest.raises(CertificateError, match="renew the authority"):
        LocalAuthority(two.settings(), NOON + timedelta(days=4000))
    key = ec.generate_private_key(ec.SECP256R1())
    times = (NOON - timedelta(days=1), NOON + timedelta(days=1))
    (tmp_path / "leaf.pem").write_text(pem(a_certificate(name("x"), name("x"), (key, key), times, is_authority=False)))
    with pytest.raises(CertificateError, match="may not sign"):
        LocalAuthority(two.settings(certificate=tmp_path / "leaf.pem"), NOON)


def test_a_chain_is_cut_to_what_the_station_takes() -> None:
    """[E.3]"""
    assert certificates.joined(("aaaa", "bb"), 6) == "aaaabb"
    assert certificates.joined(("aaaa", "bb"), 5) == "aaaa"
    with pytest.raises(CertificateError, match="takes 3"):
        certificates.joined(("aaaa", "bb"), 3)


def test_only_roots_that_are_valid_now_are_installed(two: TwoLevels) -> None:
    """[E.3, M05]"""
    assert certificates.root_of(pem(two.root), NOON) == two.root
    with pytest.raises(CertificateError, match="not now"):
        certificates.root_of(pem(two.root), NOON - timedelta(days=2))
    with pytest.raises(CertificateError, match="one at a time"):
        certificates.root_of(pem(two.root) + pem(two.certificate), NOON)
    with pytest.raises(CertificateError, match="not a PEM"):
        certificates.root_of("x", NOON)
    times = (NOON - timedelta(days=1), NOON + timedelta(days=1))
    leaf = a_certificate(name("x"), name("test root"), (two.key, two.root_key), times, is_authority=False)
    with pytest.raises(CertificateError, match="may not sign"):
        certificates.root_of(pem(leaf), NOON)


def test_a_certificate_is_named_as_ocsp_names_it(two: TwoLevels) -> None:
    """[E.3] The hashes are those of an OCSP request, RFC 6960."""
    from cryptography.x509 import ocsp

    asked = ocsp.OCSPRequestBuilder().add_certificate(two.certificate, two.root, hashes.SHA256()).build()
    named = certificates.hash_of(two.certificate, two.root)
    assert named.issuer_name == asked.issuer_name_hash.hex()
    assert named.issuer_key == asked.issuer_key_hash.hex()
    assert int(named.serial, 16) == asked.serial_number


@pytest.mark.parametrize(("one", "other"), [("1f", "1F"), ("001f", "1f"), (" 1f", "1f")])
def test_serial_numbers_are_compared_as_numbers(one: str, other: str) -> None:
    assert certificates.same_serial(one, other)
    assert not certificates.same_serial(one, "2f")
