"""Certificates, chains and revocation lists for tests, made on the spot."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from loadmgr.settings import Address, TlsSettings

DAY = timedelta(days=1)
Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def new_ec() -> Key:
    """The usual key."""
    return ec.generate_private_key(ec.SECP256R1())


def new_rsa(bits: int = 2048) -> Key:
    """The key of an old station or server."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def name(common_name: str | tuple[str, ...], organization: str = "") -> x509.Name:
    """A subject; several common names contradict each other."""
    names = (common_name,) if isinstance(common_name, str) else common_name
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, each) for each in names]
    if organization:
        parts.append(x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


@dataclass(frozen=True, slots=True)
class Issued:
    """A certificate, its key, and the authority that signed it (``None``: itself)."""

    certificate: x509.Certificate
    key: Key
    issuer: Issued | None = None

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)

    def key_pem(self, passphrase: bytes | None = None) -> bytes:
        secret: KeySerializationEncryption = BestAvailableEncryption(passphrase) if passphrase else NoEncryption()
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, secret)

    def written(self, folder: Path, stem: str) -> tuple[Path, Path]:
        """Files of the certificate, with what is between it and the root, and of the key."""
        places = folder / f"{stem}.pem", folder / f"{stem}.key"
        between = self.issuer.pem if self.issuer is not None and self.issuer.issuer is not None else b""
        places[0].write_bytes(self.pem + between)
        places[1].write_bytes(self.key_pem())
        return places


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to make a certificate."""

    subject: x509.Name
    begin: datetime
    end: datetime
    is_ca: bool = False
    hosts: tuple[str, ...] = ()
    usage: x509.ObjectIdentifier | None = None

    @classmethod
    def of(cls, subject: x509.Name) -> Self:
        now = datetime.now(UTC)
        return cls(subject, now - DAY, now + 30 * DAY)

    def signed(self, key: Key, issuer: Issued | None = None) -> Issued:
        """Sign it by ``issuer``, or by its own key."""
        builder = (
            x509.CertificateBuilder()
            .subject_name(self.subject)
            .issuer_name(issuer.certificate.subject if issuer is not None else self.subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.begin)
            .not_valid_after(self.end)
            .add_extension(x509.BasicConstraints(ca=self.is_ca, path_length=None), critical=True)
        )
        if self.hosts:
            names = x509.SubjectAlternativeName([x509.DNSName(host) for host in self.hosts])
            builder = builder.add_extension(names, critical=False)
        if self.usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([self.usage]), critical=False)
        return Issued(builder.sign(issuer.key if issuer is not None else key, hashes.SHA256()), key, issuer)


def authority(common_name: str = "Stations CA", issuer: Issued | None = None, key: Key | None = None) -> Issued:
    """A root, or with ``issuer`` an authority below it."""
    return replace(Recipe.of(name(common_name)), is_ca=True).signed(key or new_ec(), issuer)


def server(issuer: Issued | None, key: Key | None = None, host: str = "localhost") -> Issued:
    """The certificate of the service."""
    return replace(Recipe.of(name(host)), hosts=(host,), usage=ExtendedKeyUsageOID.SERVER_AUTH).signed(
        key or new_ec(), issuer
    )


def station(
    issuer: Issued | None,
    common_name: str | tuple[str, ...] = "cp-01",
    *,
    organization: str = "Operator",
    key: Key | None = None,
    end: datetime | None = None,
) -> Issued:
    """The client certificate of a charging station."""
    recipe = replace(Recipe.of(name(common_name, organization)), usage=ExtendedKeyUsageOID.CLIENT_AUTH)
    if end is not None:
        recipe = replace(recipe, begin=end - 30 * DAY, end=end)
    return recipe.signed(key or new_ec(), issuer)


def revocation_list(issuer: Issued, *revoked: Issued, until: datetime | None = None, signer: Issued | None = None) -> bytes:
    """A PEM revocation list of an authority; ``signer``: somebody who writes under its name."""
    now = datetime.now(UTC)
    end = until or now + 7 * DAY
    builder = x509.CertificateRevocationListBuilder().issuer_name(issuer.certificate.subject)
    builder = builder.last_update(min(now, end) - DAY).next_update(end)
    for each in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(each.certificate.serial_number).revocation_date(now - DAY)
        builder = builder.add_revoked_certificate(entry.build())
    return builder.sign((signer or issuer).key, hashes.SHA256()).public_bytes(Encoding.PEM)


def tls_settings(
    folder: Path,
    shown: Issued,
    *,
    client_ca: bytes | None = None,
    crl: bytes | None = None,
    organization: str | None = None,
) -> TlsSettings:
    """Settings of a listener on any free port, with their files in ``folder``."""
    certificate, key = shown.written(folder, "server")
    if client_ca is not None:
        (folder / "clients.pem").write_bytes(client_ca)
    if crl is not None:
        (folder / "revoked.pem").write_bytes(crl)
    return TlsSettings(
        listen=Address(host="127.0.0.1", port=0),
        certificate=certificate,
        key=key,
        client_ca=folder / "clients.pem" if client_ca is not None else None,
        crl=folder / "revoked.pem" if crl is not None else None,
        organization=organization,
    )
