"""The PEM files of the TLS listener, read and checked before anything listens [E-11, E-12, G05, G06]."""

from __future__ import annotations

import re
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from loadmgr.errors import Problem
from loadmgr.sitefile.models import TlsTable

RSA_BITS = 2048
EC_BITS = 224
_BLOCK = re.compile(rb"-----BEGIN X509 CRL-----.+?-----END X509 CRL-----", re.DOTALL)
_Read = TypeVar("_Read")


@dataclass(frozen=True, slots=True)
class _Pem:
    """Checks the files of one table; what it yields names the key in the site file."""

    table: TlsTable
    folder: Path
    now: datetime

    def server(self) -> Iterator[Problem]:
        chain = yield from self._read("certificate", self.table.certificate, x509.load_pem_x509_certificates)
        key = yield from self._read("key", self.table.key, lambda data: load_pem_private_key(data, password=None))
        if chain:
            yield from self._lasting("certificate", chain[0])
        for certificate in chain or ():
            yield from self._strong("certificate", certificate)
        if chain and key is not None and _public(key.public_key()) != _public(chain[0].public_key()):
            problem = f"{self.table.key!r} does not fit the first certificate of {self.table.certificate!r}"
            yield Problem(key="ocpp.tls.key", problem=problem, hint="give the key that this certificate was made for")

    def clients(self) -> Iterator[Problem]:
        if self.table.client_ca is None:
            for name in ("crl", "organization"):
                if getattr(self.table, name) is not None:
                    hint = "set ocpp.tls.client_ca to the roots of the stations' certificates"
                    yield Problem(key=f"ocpp.tls.{name}", problem="is of no use without client_ca", hint=hint)
            return
        roots = yield from self._read("client_ca", self.table.client_ca, x509.load_pem_x509_certificates)
        for certificate in roots or ():
            yield from self._lasting("client_ca", certificate)
            yield from self._strong("client_ca", certificate)
            if not _may_sign(certificate):
                shown = f"{_name(certificate)} in {self.table.client_ca!r} may not sign certificates"
                yield Problem(key="ocpp.tls.client_ca", problem=shown, hint="give certificates of authorities only")
        if self.table.crl is not None:
            lists = yield from self._read("crl", self.table.crl, _load_crls)
            for revoked in lists or ():
                yield from self._fresh(revoked, roots or [])

    def _read(self, key: str, name: str, load: Callable[[bytes], _Read]) -> Generator[Problem, None, _Read | None]:
        """The content of a file, or ``None`` after the problem with it."""
        key = f"ocpp.tls.{key}"
        try:
            return load((self.folder / name).read_bytes())
        except OSError as error:
            hint = f"the path is relative to {self.folder}"
            yield Problem(key=key, problem=f"{name!r} cannot be read: {error.strerror or error}", hint=hint)
        except TypeError:  # what the library says of a key with a passphrase
            yield Problem(key=key, problem=f"{name!r} has a passphrase", hint="give a key without one, readable by us only")
        except (ValueError, UnsupportedAlgorithm) as error:
            yield Problem(key=key, problem=f"{name!r} is not what it should be: {error}", hint="give a PEM file")
        return None

    def _lasting(self, key: str, certificate: x509.Certificate) -> Iterator[Problem]:
        begin, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
        if end <= self.now:
            yield Problem(key=f"ocpp.tls.{key}", problem=f"{_name(certificate)} expired on {end:%Y-%m-%d}", hint="renew it")
        elif begin > self.now:
            shown = f"{_name(certificate)} is not valid before {begin:%Y-%m-%d %H:%M} UTC"
            yield Problem(key=f"ocpp.tls.{key}", problem=shown, hint="check the clock of this machine")

    @staticmethod
    def _strong(key: str, certificate: x509.Certificate) -> Iterator[Problem]:
        """[E-11]"""
        hint = f"use RSA of at least {RSA_BITS} bit or EC of at least {EC_BITS} [E-11]"
        public = certificate.public_key()
        if isinstance(public, rsa.RSAPublicKey | ec.EllipticCurvePublicKey):
            kind, least = ("RSA", RSA_BITS) if isinstance(public, rsa.RSAPublicKey) else ("EC", EC_BITS)
            if public.key_size < least:
                shown = f"{_name(certificate)} has an {kind} key of {public.key_size} bit"
                yield Problem(key=f"ocpp.tls.{key}", problem=shown, hint=hint)
        elif not isinstance(public, ed25519.Ed25519PublicKey | ed448.Ed448PublicKey):
            shown = f"{_name(certificate)} has a key that is neither RSA nor EC"
            yield Problem(key=f"ocpp.tls.{key}", problem=shown, hint=hint)

    def _fresh(self, revoked: x509.CertificateRevocationList, roots: list[x509.Certificate]) -> Iterator[Problem]:
        key, who = "ocpp.tls.crl", revoked.issuer.rfc4514_string()
        until = revoked.next_update_utc
        if until is not None and until <= self.now:
            shown = f"the list of {who} is good until {until:%Y-%m-%d %H:%M} UTC only"
            yield Problem(key=key, problem=shown, hint="fetch the present one; every client certificate is refused with it")
        issuers = [root for root in roots if root.subject == revoked.issuer]
        if issuers and not any(_has_signed(root, revoked) for root in issuers):
            yield Problem(key=key, problem=f"the list of {who} was not signed by it", hint="fetch it again")


def problems(table: TlsTable, folder: Path, now: datetime) -> Iterator[Problem]:
    """What is wrong with the files of ``[ocpp.tls]``, by key of the site file; ``folder`` is that of the site file."""
    pem = _Pem(table, folder, now)
    yield from pem.server()
    yield from pem.clients()


def _load_crls(data: bytes) -> list[x509.CertificateRevocationList]:
    found = [x509.load_pem_x509_crl(block) for block in _BLOCK.findall(data)]
    if not found:
        raise ValueError("there is no revocation list")
    return found


def _has_signed(root: x509.Certificate, revoked: x509.CertificateRevocationList) -> bool:
    try:
        return revoked.is_signature_valid(root.public_key())  # type: ignore[arg-type] # another kind of key: TypeError
    except (TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _name(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or f"certificate {certificate.serial_number:x}"


def _public(key: object) -> bytes:
    found: bytes = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)  # type: ignore[attr-defined]
    return found
