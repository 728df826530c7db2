"""Certificates of stations: a small authority of our own, the port for an operator's, and how OCPP names certificates.

[E-11] says which keys are good enough, [E-12] whose name must be in them. Nothing here asks the clock: ``now`` is given.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Protocol

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loadmgr.domain.ids import StationId
from loadmgr.domain.security import CertificateHash, CertificateUse
from loadmgr.errors import LoadManagerError

RSA_BITS, RSA_BITS_MAX, EC_BITS = 2048, 8192, 224
"""[E-11]; the upper bound keeps a hostile request from costing seconds."""
BACKDATED = timedelta(minutes=10)
"""A station whose clock is slow must find its new certificate valid at once."""
_WEAK = (hashes.MD5, hashes.SHA1)


class CertificateError(LoadManagerError):
    """A request or certificate that cannot be used; the text says what is wrong with it and what to do."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CaSettings:
    """A local authority: PEM files of its certificate (with the chain above it, if any) and its key.

    ``organization``: what O of a request must be [E-12], ``None``: anything. ``v2g``: it signs certificates for cars too.
    """

    certificate: Path
    key: Path
    validity_days: int = 365
    organization: str | None = None
    v2g: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class SecuritySettings:
    """``uploads``: where logs may go [G20]. ``url``: the address that a 2.x station is given for a higher profile, without
    its identity. ``ca``: an authority of our own; without one, and without one of the host's, requests are refused.
    """

    uploads: tuple[str, ...] = ()
    url: str | None = None
    ca: CaSettings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """A station's wish: the PEM text of its request, and the common names that may stand in it."""

    station: StationId
    use: CertificateUse
    csr: str
    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Signed:
    """What an authority made: PEM, the station's certificate first, then what leads to the root without the root."""

    chain: tuple[str, ...]
    serial: str
    subject: str
    not_after: datetime


class Authority(Protocol):
    """Who signs requests of stations. ``sign`` may block and take its time; it is called in a worker thread."""

    @property
    def uses(self) -> frozenset[CertificateUse]:
        """For which uses it signs; requests for others are refused at once."""

    def sign(self, request: Request, now: datetime) -> Signed:
        """Check and sign. Raises ``CertificateError``."""


class LocalAuthority:
    """An authority whose key lies beside the service. Raises ``CertificateError`` for files that cannot be used."""

    def __init__(self, settings: CaSettings, now: datetime) -> None:
        self._settings = settings
        chain, self._key = _loaded(settings)
        self._issuer = chain[0]
        if not _is_authority(self._issuer):
            raise CertificateError(f"{settings.certificate}: {_shown(self._issuer.subject)} may not sign certificates")
        if self._issuer.not_valid_after_utc <= now:
            until = self._issuer.not_valid_after_utc
            raise CertificateError(f"{settings.certificate}: valid until {until:%Y-%m-%d} only; renew the authority first")
        if _public(self._issuer) != self._key.public_key().public_bytes(*_SPKI):
            raise CertificateError(f"{settings.key}: does not belong to the certificate in {settings.certificate}")
        self._above = tuple(_pem(c) for c in chain if c.issuer != c.subject)

    @property
    def uses(self) -> frozenset[CertificateUse]:
        """Stations' own certificates, and those for cars if the settings say so."""
        cars = {CertificateUse.V2G, CertificateUse.V2G20} if self._settings.v2g else set()
        return frozenset({CertificateUse.STATION} | cars)

    def sign(self, request: Request, now: datetime) -> Signed:
        """A client certificate for the key and the name in the request; nothing else of it is taken over [E-12]."""
        csr = checked(request, self._settings.organization)
        until = min(now + timedelta(days=self._settings.validity_days), self._issuer.not_valid_after_utc)
        if until <= now:
            raise CertificateError(f"the authority {_shown(self._issuer.subject)} has expired; renew it")
        made = self._made(csr, now, until)
        return Signed(
            chain=(_pem(made), *self._above),
            serial=f"{made.serial_number:x}",
            subject=_shown(made.subject),
            not_after=made.not_valid_after_utc,
        )

    def _made(self, csr: x509.CertificateSigningRequest, now: datetime, until: datetime) -> x509.Certificate:
        public = csr.public_key()
        is_rsa = isinstance(public, rsa.RSAPublicKey)
        usage = x509.KeyUsage(
            digital_signature=True,
            content_commitment=False,
            key_encipherment=is_rsa,
            data_encipherment=False,
            key_agreement=not is_rsa,
            key_cert_sign=False,
            crl_sign=False,
            encipher_only=False,
            decipher_only=False,
        )
        issuer_key = x509.SubjectKeyIdentifier.from_public_key(self._key.public_key())
        return (
            x509.CertificateBuilder()
            .subject_name(_subject(csr))
            .issuer_name(self._issuer.subject)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(max(now - BACKDATED, self._issuer.not_valid_before_utc))
            .not_valid_after(until)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(usage, critical=True)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
            .add_extension(x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(issuer_key), critical=False)
            .sign(self._key, hashes.SHA256())
        )


_SPKI = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)


def _loaded(settings: CaSettings) -> tuple[list[x509.Certificate], ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey]:
    try:
        chain = x509.load_pem_x509_certificates(settings.certificate.read_bytes())
    except (OSError, ValueError) as error:
        raise CertificateError(f"{settings.certificate}: cannot be read as PEM certificates: {error}") from None
    try:
        key = serialization.load_pem_private_key(settings.key.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"{settings.key}: cannot be read as a PEM key without a passphrase: {error}") from None
    if not isinstance(key, ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey):
        raise CertificateError(f"{settings.key}: is neither an RSA nor an EC key [E-11]")
    return chain, key


def checked(request: Request, organization: str | None) -> x509.CertificateSigningRequest:
    """The request, if it may be signed. Raises ``CertificateError`` that says why it may not [E-11, E-12]."""
    try:
        csr = x509.load_pem_x509_csr(request.csr.encode())
        is_signed = csr.is_signature_valid
        public, algorithm = csr.public_key(), csr.signature_hash_algorithm
        name = _single(csr.subject, NameOID.COMMON_NAME)
        owner = _single(csr.subject, NameOID.ORGANIZATION_NAME)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature) as error:
        raise CertificateError(f"not a PEM request for a certificate: {str(error)[:100]}") from None
    if algorithm is None or isinstance(algorithm, _WEAK):
        raise CertificateError("the request is signed with a hash that is not good enough; SHA-256 is")
    if not is_signed:
        raise CertificateError("the request is not signed with the key that it is for")
    check_key(public)
    if name not in request.names:
        wanted = " or ".join(repr(n) for n in request.names)
        raise CertificateError(f"CN is {name!r} and must be {wanted}; see certificate_name in the site file [E-12]")
    if organization is not None and owner != organization:
        raise CertificateError(f"O is {owner!r} and must be {organization!r} [E-12]")
    return csr


def check_key(public: object) -> None:
    """Raises ``CertificateError`` for a key that is weaker than [E-11] asks, of another kind, or too large to work with."""
    if isinstance(public, rsa.RSAPublicKey):
        if not RSA_BITS <= public.key_size <= RSA_BITS_MAX:
            raise CertificateError(f"the RSA key has {public.key_size} bits; {RSA_BITS} to {RSA_BITS_MAX} are taken [E-11]")
    elif isinstance(public, ec.EllipticCurvePublicKey):
        if public.curve.key_size < EC_BITS:
            raise CertificateError(f"the EC key has {public.curve.key_size} bits; it needs at least {EC_BITS} [E-11]")
    else:
        raise CertificateError("the key is neither RSA nor EC [E-11]")


def root_of(pem: str, now: datetime) -> x509.Certificate:
    """A root that may be installed in stations: one certificate that may sign, valid now, with a good key.

    Raises ``CertificateError``.
    """
    try:
        found = x509.load_pem_x509_certificates(pem.encode())
        public = found[0].public_key()
    except (ValueError, UnsupportedAlgorithm) as error:
        raise CertificateError(f"not a PEM certificate: {str(error)[:100]}") from None
    if len(found) != 1:
        raise CertificateError(f"{len(found)} certificates were given; install one at a time")
    if not _is_authority(found[0]):
        raise CertificateError(f"{_shown(found[0].subject)} may not sign certificates; give the certificate of an authority")
    if not found[0].not_valid_before_utc <= now < found[0].not_valid_after_utc:
        begin, end = found[0].not_valid_before_utc, found[0].not_valid_after_utc
        raise CertificateError(f"{_shown(found[0].subject)} is valid from {begin:%Y-%m-%d} to {end:%Y-%m-%d}, not now")
    check_key(public)
    return found[0]


def subject_of(certificate: x509.Certificate) -> str:
    """The subject in words."""
    return _shown(certificate.subject)


def serial_of(certificate: x509.Certificate) -> str:
    """The serial number as OCPP writes it: hexadecimal without leading zeros."""
    return f"{certificate.serial_number:x}"


def same_serial(one: str, other: str) -> bool:
    """Do two texts mean one serial number? Stations write them in either case, with and without leading zeros."""
    return one.strip().lstrip("0").lower() == other.strip().lstrip("0").lower()


def hash_of(certificate: x509.Certificate, issuer: x509.Certificate | None = None) -> CertificateHash:
    """How OCPP names a certificate (SHA-256); without ``issuer`` it is a root, which has signed itself."""
    key = (issuer or certificate).public_key()
    point = serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
    pkcs1 = serialization.Encoding.DER, serialization.PublicFormat.PKCS1
    data = key.public_bytes(*(point if isinstance(key, ec.EllipticCurvePublicKey) else pkcs1))
    return CertificateHash(
        algorithm="SHA256",
        issuer_name=hashlib.sha256(certificate.issuer.public_bytes()).hexdigest(),
        issuer_key=hashlib.sha256(data).hexdigest(),
        serial=serial_of(certificate),
    )


def joined(chain: Sequence[str], length_max: int) -> str:
    """The PEM text of a chain that a station takes: whole, or the first alone when the whole is too long.

    Raises ``CertificateError`` when not even that fits.
    """
    whole = "".join(chain)
    if len(whole) <= length_max:
        return whole
    if len(chain[0]) <= length_max:
        return chain[0]
    raise CertificateError(f"the certificate has {len(chain[0])} characters and the station takes {length_max}")


def _subject(csr: x509.CertificateSigningRequest) -> x509.Name:
    """CN and O of the request; a station has no say in the rest."""
    kept = []
    for oid in (NameOID.ORGANIZATION_NAME, NameOID.COMMON_NAME):
        value = _single(csr.subject, oid)
        if value:
            kept.append(x509.NameAttribute(oid, value))
    return x509.Name(kept)


def _single(name: x509.Name, oid: x509.ObjectIdentifier) -> str:
    """The one value of an attribute, empty when there is none. Raises ``ValueError`` for several."""
    found = name.get_attributes_for_oid(oid)
    if len(found) > 1:
        raise ValueError(f"{oid.dotted_string} stands {len(found)} times in the subject")
    return str(found[0].value) if found else ""


def _is_authority(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except (x509.ExtensionNotFound, ValueError):
        return False


def _public(certificate: x509.Certificate) -> bytes:
    return certificate.public_key().public_bytes(*_SPKI)


def _pem(certificate: x509.Certificate) -> str:
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


def _shown(name: x509.Name) -> str:
    return name.rfc4514_string()
