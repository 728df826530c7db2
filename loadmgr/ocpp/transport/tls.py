"""TLS of the gateway's listener: versions and suites of [E-11], and what a client's certificate says."""

from __future__ import annotations

import hashlib
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography import x509
from cryptography.x509.oid import NameOID, ObjectIdentifier

from loadmgr.errors import Problem, SettingsError
from loadmgr.ocpp.transport.contract import ClientCertificate
from loadmgr.settings import TlsSettings

SUITES = (
    "ECDHE-ECDSA-AES128-GCM-SHA256",
    "ECDHE-ECDSA-AES256-GCM-SHA384",
    "ECDHE-RSA-AES128-GCM-SHA256",
    "ECDHE-RSA-AES256-GCM-SHA384",
    "AES128-GCM-SHA256",
    "AES256-GCM-SHA384",
)
"""Of TLS 1.2, as OpenSSL names them; the last two, without forward secrecy, are for old stations [E-11]."""
SECURITY_LEVEL = "@SECLEVEL=2"
"""OpenSSL's name for at least 112 bit: RSA and DH from 2048, EC from 224 [E-11]."""


def server_context(tls: TlsSettings) -> ssl.SSLContext:
    """A context of the files as they are now. Raises ``SettingsError`` that names the one that is no good.

    Stations with and without a certificate share the port: one that is shown must be good, and whether one had to be
    shown is known when the station has said its name.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_CIPHER_SERVER_PREFERENCE | ssl.OP_NO_RENEGOTIATION
    context.set_ciphers(":".join((*SUITES, SECURITY_LEVEL)))
    with _named("certificate", tls.certificate):
        context.load_cert_chain(tls.certificate, tls.key, password=_no_password)
    if tls.client_ca is None:
        return context
    context.verify_mode = ssl.CERT_OPTIONAL
    context.options |= ssl.OP_NO_TICKET  # a resumed session is not looked up in the revocation list again
    context.num_tickets = 0
    with _named("client_ca", tls.client_ca):
        context.load_verify_locations(tls.client_ca)
    if tls.crl is not None:
        with _named("crl", tls.crl):
            context.load_verify_locations(tls.crl)
        context.verify_flags |= ssl.VerifyFlags.VERIFY_CRL_CHECK_LEAF
    return context


@contextmanager
def _named(key: str, path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:  # ssl.SSLError is one
        problem = Problem(key=f"ocpp.tls.{key}", problem=f"{path} cannot be used: {error}", hint="run loadmgr check")
        raise SettingsError("TLS listener", (problem,)) from None


def client_certificate(ssl_object: ssl.SSLObject | ssl.SSLSocket) -> ClientCertificate | None:
    """The certificate that the client has shown and the TLS library has verified; ``None`` without one.

    A name that occurs more than once in the subject says nothing: it is empty, and fits no station [E-12].
    """
    der = ssl_object.getpeercert(binary_form=True)
    if der is None or ssl_object.context.verify_mode == ssl.CERT_NONE:
        return None
    try:
        found = x509.load_der_x509_certificate(der)
        return ClientCertificate(
            common_name=_only(found.subject, NameOID.COMMON_NAME),
            organization=_only(found.subject, NameOID.ORGANIZATION_NAME),
            serial=f"{found.serial_number:x}",
            not_after=found.not_valid_after_utc,
            sha256=hashlib.sha256(der).hexdigest(),
        )
    except ValueError:  # OpenSSL took what this parser does not: it names nobody
        return None


def _only(name: x509.Name, oid: ObjectIdentifier) -> str:
    values = [attribute.value for attribute in name.get_attributes_for_oid(oid)]
    return values[0] if len(values) == 1 and isinstance(values[0], str) else ""


def _no_password() -> str:
    """Instead of a prompt at the terminal, where nobody sits."""
    raise OSError("the key has a passphrase; give one without")
