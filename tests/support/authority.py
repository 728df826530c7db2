"""A certificate authority and requests of stations for tests."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from loadmgr.certificates import CaSettings


def name(common_name: str, organization: str = "") -> x509.Name:
    """A subject."""
    parts = [x509.NameAttribute(NameOID.COMMON_NAME, common_name)]
    if organization:
        parts.insert(0, x509.NameAttribute(NameOID.ORGANIZATION_NAME, organization))
    return x509.Name(parts)


def a_certificate(
    subject: x509.Name,
    issuer: x509.Name,
    keys: tuple[Any, Any],
    times: tuple[datetime, datetime],
    *,
    is_authority: bool = True,
) -> x509.Certificate:
    """A certificate; ``keys`` = (whose public key it is for, who signs)."""
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(keys[0].public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(times[0])
        .not_valid_after(times[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(keys[0].public_key()), critical=False)
        .sign(keys[1], hashes.SHA256())
    )


def pem(certificate: x509.Certificate) -> str:
    """Its text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


class TwoLevels:
    """A root and an authority below it, as files in ``folder``."""

    def __init__(self, folder: Path, now: datetime, *, days: float = 3650) -> None:
        times = (now - timedelta(days=1), now + timedelta(days=days))
        self.root_key, self.key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
        root, below = name("test root"), name("test authority")
        self.root = a_certificate(root, root, (self.root_key, self.root_key), times)
        self.certificate = a_certificate(below, root, (self.key, self.root_key), times)
        (folder / "ca.pem").write_text(pem(self.certificate) + pem(self.root))
        private = self.key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        (folder / "ca.key").write_bytes(private)
        self.folder = folder

    def settings(self, **changes: Any) -> CaSettings:
        """Of a local authority with these files."""
        return CaSettings(**{"certificate": self.folder / "ca.pem", "key": self.folder / "ca.key", **changes})


def a_csr(subject: x509.Name, key: Any = None, algorithm: Any = None) -> str:
    """A request, PEM."""
    key = key if key is not None else ec.generate_private_key(ec.SECP256R1())
    made = x509.CertificateSigningRequestBuilder().subject_name(subject).sign(key, algorithm or hashes.SHA256())
    return made.public_bytes(serialization.Encoding.PEM).decode()
