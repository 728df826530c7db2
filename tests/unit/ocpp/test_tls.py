"""The TLS listener's context against real clients over loopback: versions, suites, certificates [E-11, E-12, G05, G06]."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import warnings
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from loadmgr.errors import SettingsError
from loadmgr.ocpp.transport.contract import ClientCertificate
from loadmgr.ocpp.transport.tls import SUITES, client_certificate, server_context
from tests.support.certificates import (
    DAY,
    Issued,
    authority,
    new_ec,
    new_rsa,
    revocation_list,
    server,
    station,
    tls_settings,
)

HELLO = b"hello"
_SAFETY_S = 10.0


@dataclass(slots=True)
class Meeting:
    """What came of a handshake; ``is_served``: the server has read what the client wrote."""

    is_served: bool = False
    version: str = ""
    suite: str = ""
    compression: str | None = None
    certificate: ClientCertificate | None = None
    session: ssl.SSLSession | None = None
    is_resumed: bool = False
    server_error: str = ""
    client_error: str = ""


def meet(
    context: ssl.SSLContext, client: ssl.SSLContext, host: str = "localhost", session: ssl.SSLSession | None = None
) -> Meeting:
    """A handshake over a loopback socket, one greeting and its echo."""
    found = Meeting()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(_SAFETY_S)

        def serve() -> None:
            plain, _ = listening.accept()
            plain.settimeout(_SAFETY_S)
            try:
                with context.wrap_socket(plain, server_side=True) as secure:
                    found.is_served = secure.recv(len(HELLO)) == HELLO
                    found.version, found.compression = secure.version() or "", secure.compression()
                    found.suite = (secure.cipher() or ("",))[0]
                    found.certificate = client_certificate(secure)
                    secure.sendall(HELLO)
            except OSError as error:
                found.server_error = str(error)
                plain.close()

        thread = threading.Thread(target=serve)
        thread.start()
        with contextlib.closing(socket.create_connection(listening.getsockname(), _SAFETY_S)) as plain:
            try:
                with client.wrap_socket(plain, server_hostname=host, session=session) as secure:
                    secure.sendall(HELLO)
                    assert secure.recv(len(HELLO)) == HELLO or not found.is_served
                    found.session, found.is_resumed = secure.session, bool(secure.session_reused)
            except OSError as error:
                found.client_error = str(error)
        thread.join(_SAFETY_S)
    return found


def client(root: Issued, own: Issued | None = None, folder: Path | None = None) -> ssl.SSLContext:
    """A client that trusts ``root``; ``own`` is its certificate."""
    context = ssl.create_default_context(cadata=root.pem.decode())
    if own is not None:
        assert folder is not None
        context.load_cert_chain(*own.written(folder, "client"))
    return context


@pytest.fixture(scope="module")
def root() -> Issued:
    return authority("Service root")


@pytest.fixture(scope="module")
def ec_server(root: Issued) -> Issued:
    return server(root)


@pytest.fixture(scope="module")
def rsa_server(root: Issued) -> Issued:
    return server(root, new_rsa())


@pytest.fixture(scope="module")
def stations_ca() -> Issued:
    return authority("Stations CA")


# -- versions and suites -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_tls_1_2_and_1_3_are_spoken_without_compression(
    tmp_path: Path, root: Issued, ec_server: Issued, version: ssl.TLSVersion
) -> None:
    """[E-11]"""
    context = client(root)
    context.minimum_version = context.maximum_version = version
    found = meet(server_context(tls_settings(tmp_path, ec_server)), context)
    assert found.is_served
    assert found.version == version.name.replace("_", ".")
    assert found.compression is None
    assert found.certificate is None


@pytest.mark.parametrize("name", ["TLSv1", "TLSv1_1"])
def test_older_versions_are_refused(tmp_path: Path, root: Issued, rsa_server: Issued, name: str) -> None:
    """[G05, E-20] By the server: the same client is served by one that still speaks them."""
    context = client(root)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        context.minimum_version = context.maximum_version = ssl.TLSVersion[name]
    context.set_ciphers("ALL:@SECLEVEL=0")
    settings = tls_settings(tmp_path, rsa_server)
    found = meet(server_context(settings), context)
    assert not found.is_served
    assert "unsupported protocol" in found.server_error or "UNSUPPORTED_PROTOCOL" in found.server_error
    lax = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        lax.minimum_version = ssl.TLSVersion.TLSv1
    lax.set_ciphers("ALL:@SECLEVEL=0")
    lax.load_cert_chain(settings.certificate, settings.key)
    assert meet(lax, context).is_served


@pytest.mark.parametrize("suite", SUITES)
def test_every_suite_of_the_standard_is_offered(
    tmp_path: Path, root: Issued, ec_server: Issued, rsa_server: Issued, suite: str
) -> None:
    """[E-11] The last two are for old stations, which know RSA key exchange only."""
    context = client(root)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(suite)
    shown = ec_server if "ECDSA" in suite else rsa_server
    found = meet(server_context(tls_settings(tmp_path, shown)), context)
    assert found.is_served, found.server_error
    assert found.suite == suite


@pytest.mark.parametrize(
    "suites", ["NULL", "ADH", "AES128-SHA", "AES256-SHA256", "ECDHE-RSA-AES128-SHA", "CAMELLIA128-SHA", "PSK"]
)
def test_null_anonymous_and_weak_suites_are_refused(tmp_path: Path, root: Issued, rsa_server: Issued, suites: str) -> None:
    """[G05, E-20]"""
    context = client(root)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers(f"{suites}:@SECLEVEL=0")
    found = meet(server_context(tls_settings(tmp_path, rsa_server)), context)
    assert not found.is_served
    assert found.server_error


def test_nothing_is_compressed_and_nobody_renegotiates(tmp_path: Path, ec_server: Issued) -> None:
    """[E-11] What a client cannot try here, because its own library does not offer it."""
    options = server_context(tls_settings(tmp_path, ec_server)).options
    assert options & ssl.OP_NO_COMPRESSION
    assert options & ssl.OP_NO_RENEGOTIATION
    assert options & ssl.OP_CIPHER_SERVER_PREFERENCE


def test_the_client_sees_whose_host_it_is(tmp_path: Path, root: Issued, ec_server: Issued) -> None:
    """[E-11] The name in the certificate is that of the host; a station that checks it finds out a wrong one."""
    context = server_context(tls_settings(tmp_path, ec_server))
    assert meet(context, client(root)).is_served
    assert "mismatch" in meet(context, client(root), host="elsewhere.example").client_error


# -- client certificates -------------------------------------------------------------------------------------------


def test_a_verified_certificate_says_whose_it_is(
    tmp_path: Path, root: Issued, ec_server: Issued, stations_ca: Issued
) -> None:
    """[E-12] And a client without one is served as well: the gatekeeper knows whether it has to have one."""
    own = station(stations_ca, "SN 4711", organization="Operator B.V.")
    context = server_context(tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem))
    found = meet(context, client(root, own, tmp_path))
    assert found.certificate is not None
    assert (found.certificate.common_name, found.certificate.organization) == ("SN 4711", "Operator B.V.")
    assert found.certificate.serial == f"{own.certificate.serial_number:x}"
    assert found.certificate.not_after == own.certificate.not_valid_after_utc
    assert len(found.certificate.sha256) == 64
    without = meet(context, client(root))
    assert without.is_served
    assert without.certificate is None


def test_a_certificate_below_an_intermediate_authority_is_good(
    tmp_path: Path, root: Issued, ec_server: Issued, stations_ca: Issued
) -> None:
    """[E-12]"""
    below = authority("Maker CA", stations_ca)
    own = station(below)
    context = server_context(tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem))
    found = meet(context, client(root, own, tmp_path))
    assert found.certificate is not None
    assert found.certificate.common_name == "cp-01"


def test_a_subject_that_contradicts_itself_names_nobody(
    tmp_path: Path, root: Issued, ec_server: Issued, stations_ca: Issued
) -> None:
    """[E-12] Two common names: neither counts."""
    own = station(stations_ca, ("cp-01", "cp-02"))
    found = meet(server_context(tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem)), client(root, own, tmp_path))
    assert found.certificate is not None
    assert found.certificate.common_name == ""


def _bad(kind: str, stations_ca: Issued) -> tuple[Issued, str]:
    """A client certificate that must be refused, and what OpenSSL says of it."""
    match kind:
        case "expired":
            return station(stations_ca, end=datetime.now(UTC) - DAY), "certificate has expired"
        case "self-signed":
            return station(None), "self-signed certificate"
        case "foreign authority":
            return station(authority("Stations CA")), "certificate signature failure"
        case "another authority":
            return station(authority("Somebody")), "unable to get local issuer"
        case "a server's":
            return server(stations_ca), "unsuitable certificate purpose"
        case "signed by a station":
            return station(station(stations_ca, "cp-02"), "cp-01"), "verify failed"
        case _:
            return station(stations_ca, key=new_rsa(1024)), "too weak"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
@pytest.mark.parametrize(
    "kind",
    ["expired", "self-signed", "foreign authority", "another authority", "a server's", "signed by a station", "weak"],
)
def test_a_bad_client_certificate_is_refused(
    tmp_path: Path, root: Issued, ec_server: Issued, stations_ca: Issued, kind: str, version: ssl.TLSVersion
) -> None:
    """[G06, E-20]"""
    own, said = _bad(kind, stations_ca)
    places = own.written(tmp_path, "client")
    mine = client(root)
    mine.set_ciphers("DEFAULT:@SECLEVEL=0")  # a weak key is the server's to refuse
    mine.load_cert_chain(*places)
    mine.minimum_version = mine.maximum_version = version
    found = meet(server_context(tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem)), mine)
    assert not found.is_served
    assert said in found.server_error
    assert found.certificate is None


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_revoked_certificate_is_refused_with_the_list_that_names_it(
    tmp_path: Path, root: Issued, ec_server: Issued, stations_ca: Issued, version: ssl.TLSVersion
) -> None:
    """[G06, E-20] Good with the list of before, refused with the new one; others are served as before."""
    lost, kept = station(stations_ca, "cp-01"), station(stations_ca, "cp-02")
    before = tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem, crl=revocation_list(stations_ca))
    mine = client(root, lost, tmp_path)
    mine.minimum_version = mine.maximum_version = version
    assert meet(server_context(before), mine).certificate is not None
    after = tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem, crl=revocation_list(stations_ca, lost))
    context = server_context(after)
    found = meet(context, mine)
    assert not found.is_served
    assert "certificate revoked" in found.server_error
    other = meet(context, client(root, kept, tmp_path))
    assert other.certificate is not None
    assert other.certificate.common_name == "cp-02"
    assert meet(context, client(root)).is_served


def test_with_an_outdated_list_nobody_with_a_certificate_is_let_in(
    tmp_path: Path, root: Issued, ec_server: Issued, stations_ca: Issued
) -> None:
    """[G06] Whether it was revoked since is not known."""
    outdated = revocation_list(stations_ca, until=datetime.now(UTC) - DAY)
    context = server_context(tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem, crl=outdated))
    found = meet(context, client(root, station(stations_ca), tmp_path))
    assert not found.is_served
    assert "CRL has expired" in found.server_error


def test_an_old_station_with_rsa_and_without_forward_secrecy_is_served(tmp_path: Path, root: Issued) -> None:
    """[E-11] TLS_RSA_WITH_AES_128_GCM_SHA256 with certificates of RSA on both sides."""
    makers = authority("Maker", key=new_rsa())
    own = station(makers, "old-1", key=new_rsa())
    mine = client(root, own, tmp_path)
    mine.maximum_version = ssl.TLSVersion.TLSv1_2
    mine.set_ciphers("AES128-GCM-SHA256")
    found = meet(server_context(tls_settings(tmp_path, server(root, new_rsa()), client_ca=makers.pem)), mine)
    assert found.suite == "AES128-GCM-SHA256"
    assert found.certificate is not None
    assert found.certificate.common_name == "old-1"


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_no_session_of_before_spares_a_client_certificate_the_look_into_the_list(
    tmp_path: Path, root: Issued, ec_server: Issued, stations_ca: Issued, version: ssl.TLSVersion
) -> None:
    """[G06] Where stations have no certificates, a storm is cheaper with tickets; where they have, there are none."""
    own = station(stations_ca)
    mine = client(root, own, tmp_path)
    mine.minimum_version = mine.maximum_version = version
    without = server_context(tls_settings(tmp_path, ec_server))
    assert meet(without, mine, session=meet(without, mine).session).is_resumed, "the client does resume where it may"
    before = server_context(tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem, crl=revocation_list(stations_ca)))
    first = meet(before, mine)
    assert first.is_served
    assert first.session is None or not first.session.has_ticket
    crl = revocation_list(stations_ca, own)
    after = server_context(tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem, crl=crl))
    again = meet(after, mine, session=first.session)
    assert not again.is_served
    assert "certificate revoked" in again.server_error


# -- files ---------------------------------------------------------------------------------------------------------


def test_a_file_that_is_no_good_is_named(tmp_path: Path, ec_server: Issued, stations_ca: Issued) -> None:
    settings = tls_settings(tmp_path, ec_server, client_ca=stations_ca.pem, crl=revocation_list(stations_ca))
    assert settings.client_ca is not None
    assert settings.crl is not None
    for place, key in ((settings.crl, "crl"), (settings.client_ca, "client_ca"), (settings.key, "certificate")):
        place.write_bytes(b"nonsense")
        with pytest.raises(SettingsError, match=rf"ocpp\.tls\.{key}: .*cannot be used"):
            server_context(settings)
    settings.key.write_bytes(Issued(ec_server.certificate, ec_server.key).key_pem(b"secret"))
    with pytest.raises(SettingsError, match="passphrase"):
        server_context(settings)
    settings.key.write_bytes(Issued(ec_server.certificate, new_ec()).key_pem())
    with pytest.raises(SettingsError, match="cannot be used"):
        server_context(settings)
    settings.key.unlink()
    with pytest.raises(SettingsError, match="No such file"):
        server_context(settings)
