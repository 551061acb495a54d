"""An authority that issues certificates for signing C2PA manifests, valid ones and others."""

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from typing import Any

from c2pa import Context, Reader
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | ed25519.Ed25519PrivateKey


@dataclass(frozen=True)
class Certificate:
    """A certificate with its issuer's, and its key, as PEM."""

    chain: bytes
    key: bytes

    def save(self, folder: Path) -> tuple[Path, Path]:
        """Write both files and return the certificate's path and the key's."""
        paths = folder / "chain.pem", folder / "key.pem"
        for path, pem in zip(paths, (self.chain, self.key), strict=True):
            path.write_bytes(pem)
        return paths


@dataclass(frozen=True)
class SigningAuthority:
    """A root that issues end-entity certificates according to the C2PA certificate profile."""

    key: ec.EllipticCurvePrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )

    @property
    def root(self) -> str:
        """The root's own certificate as PEM."""
        return _pem(
            self._certify(_named("Root"), self.key, days=(-10, 3650), is_root=True)
        ).decode()

    def read(self, data: bytes, media_type: str) -> dict[str, Any]:
        """Return the result of C2PA's reader for a file when it only trusts this authority."""
        settings = {"trust": {"trust_anchors": self.root}, "verify": {"verify_trust": True}}
        with (
            Context.from_dict(settings) as context,
            Reader(media_type, BytesIO(data), context=context) as reader,
        ):
            told: dict[str, Any] = json.loads(reader.json())
            return told

    def judge(self, data: bytes, media_type: str) -> str:
        """Return "Trusted", "Valid" from any issuer, or "Invalid"."""
        return str(self.read(data, media_type)["validation_state"])

    def issue(
        self,
        key: Key | None = None,
        *,
        usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.EMAIL_PROTECTION,
        days: tuple[float, float] = (-1, 30),
    ) -> Certificate:
        """Return a certificate for `usage`, valid from one day to another, relative to now."""
        key = key or ec.generate_private_key(ec.SECP256R1())
        certificate = self._certify(_named("AMIGO of the tests"), key, days=days, usage=usage)
        secret = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        return Certificate(_pem(certificate) + self.root.encode(), secret)

    def _certify(
        self,
        subject: x509.Name,
        key: Key,
        *,
        days: tuple[float, float],
        usage: x509.ObjectIdentifier | None = None,
        is_root: bool = False,
    ) -> x509.Certificate:
        begin, end = (datetime.now(UTC) + timedelta(days=day) for day in days)
        identifier = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.public_key())
        builder = (
            x509.CertificateBuilder(_named("Root"), subject, key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(begin)
            .not_valid_after(end)
            .add_extension(x509.BasicConstraints(is_root, None), critical=True)
            .add_extension(_key_usage(is_root), critical=True)
            .add_extension(identifier, critical=False)
            .add_extension(issuer, critical=False)
        )
        if usage is not None:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.key, SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "Tests"),
            x509.NameAttribute(NameOID.COMMON_NAME, name),
        ]
    )


def _key_usage(is_root: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=not is_root,
        key_cert_sign=is_root,
        crl_sign=is_root,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def _pem(certificate: x509.Certificate) -> bytes:
    return certificate.public_bytes(Encoding.PEM)
