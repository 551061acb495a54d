"""Signed manifests (C2PA) in a worker's output: its origin, and proof that it is unchanged."""

from io import BytesIO
from pathlib import Path
from typing import IO, Any, Self

from c2pa import Builder, C2paError, C2paSignerInfo, C2paSigningAlg, Context, Signer
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from PIL import Image

from jobs.errors import Unavailable
from media.provenance import MODEL, SOURCE_TYPE, VERSION, Provenance
from models.manifest import weights_digest
from workers.synthesis.settings import WorkerSettings

MP4, JPEG = "video/mp4", "image/jpeg"

_OF_CURVES = {
    "secp256r1": C2paSigningAlg.ES256,
    "secp384r1": C2paSigningAlg.ES384,
    "secp521r1": C2paSigningAlg.ES512,
}
# A thumbnail would be ten times larger than everything else, and adds nothing to the file.
_OPTIONS = {"builder": {"thumbnail": {"enabled": False}}}


class SignerRefused(Exception):
    """The certificate and key given by the settings cannot be used for signing."""


class SigningFailed(Exception):
    """A file could not be signed, although a test file was signed before."""


class TimestampUnavailable(Unavailable):
    """The timestamp service is unavailable, so a file could not be signed."""


_REFUSALS = (C2paError, OSError, SigningFailed, TypeError, UnsupportedAlgorithm, ValueError)


class ManifestSigner:
    """Embeds a signed manifest in each file: its model, its sources and its time."""

    def __init__(self, chain: bytes, key: bytes, timestamp_url: str | None = None) -> None:
        """Use a certificate with its issuers' certificates and its private key, both as PEM.

        Args:
            chain: the certificate, followed by those up to its root.
            key: its private key, unencrypted.
            timestamp_url: RFC 3161 timestamp service; None for no timestamps.

        Raises:
            C2paError, TypeError, UnsupportedAlgorithm, ValueError: they cannot be used for signing.
        """
        info = C2paSignerInfo(_algorithm(key), chain, key, timestamp_url)
        self._signer = Signer.from_info(info)
        self._context = Context.from_dict(_OPTIONS)
        self._untimed = ManifestSigner(chain, key) if timestamp_url else None

    @classmethod
    def open(cls, settings: WorkerSettings) -> Self | None:
        """Return the signer given by the settings, after a test signature; None if there is none.

        Raises:
            SignerRefused: the certificate or the key cannot be read or used for signing.
        """
        certificate, key = settings.c2pa_certificate, settings.c2pa_private_key
        if certificate is None or key is None:
            return None
        try:
            signer = cls(certificate.read_bytes(), key.read_bytes(), settings.c2pa_timestamp_url)
            signer.try_out()
        except _REFUSALS as error:
            raise SignerRefused(
                f"AMIGO_C2PA_CERTIFICATE ({certificate}) and AMIGO_C2PA_PRIVATE_KEY ({key}) "
                f"cannot sign: {error}"
            ) from error
        return signer

    def try_out(self) -> None:
        """Check that the certificate can sign, without requesting a timestamp.

        Raises:
            SigningFailed: it cannot.
        """
        (self._untimed or self).sign(_blank(), JPEG, Provenance.now(weights=weights_digest()))

    def sign_file(self, path: Path, media_type: str, provenance: Provenance) -> None:
        """Embed a signed manifest in a file.

        Raises:
            SigningFailed: it cannot be signed; the file is unchanged.
            TimestampUnavailable: not at the moment.
        """
        signed = path.with_name(f"signed-{path.name}")
        with path.open("rb") as source, signed.open("w+b") as target:
            self._sign(source, target, media_type, provenance)
        signed.replace(path)

    def sign(self, data: bytes, media_type: str, provenance: Provenance) -> bytes:
        """Return a file's bytes with an embedded signed manifest.

        Raises:
            SigningFailed: they cannot be signed.
            TimestampUnavailable: not at the moment.
        """
        signed = BytesIO()
        self._sign(BytesIO(data), signed, media_type, provenance)
        return signed.getvalue()

    def _sign(
        self, source: IO[bytes], target: IO[bytes], media_type: str, provenance: Provenance
    ) -> None:
        try:
            with Builder(_manifest(provenance), context=self._context) as builder:
                builder.sign(self._signer, media_type, source, target)
        except C2paError as error:
            if self._untimed is not None:
                self._untimed.sign(_blank(), JPEG, provenance)
                raise TimestampUnavailable(
                    f"The timestamp could not be obtained: {error}"
                ) from error
            raise SigningFailed(f"The manifest could not be signed: {error}") from error


def _manifest(provenance: Provenance) -> dict[str, Any]:
    """Return the definition of a file's manifest for the C2PA builder."""
    created = {
        "action": "c2pa.created",
        "when": provenance.moment,
        "digitalSourceType": SOURCE_TYPE,
        "softwareAgent": {"name": MODEL, "version": provenance.version},
        "description": provenance.sentence,
    }
    return {
        "title": "Talking face",
        "claim_generator_info": [{"name": MODEL, "version": VERSION}],
        "assertions": [
            {
                "label": "c2pa.actions.v2",
                "created": True,
                "data": {"actions": [created], "allActionsIncluded": True},
            }
        ],
    }


def _algorithm(key: bytes) -> C2paSigningAlg:
    """Return the signing algorithm of a private key.

    Raises:
        TypeError, UnsupportedAlgorithm, ValueError: it is encrypted, or not allowed by C2PA.
    """
    private = load_pem_private_key(key, password=None)
    if isinstance(private, EllipticCurvePrivateKey) and private.curve.name in _OF_CURVES:
        return _OF_CURVES[private.curve.name]
    if isinstance(private, Ed25519PrivateKey):
        return C2paSigningAlg.ED25519
    if isinstance(private, RSAPrivateKey):
        return C2paSigningAlg.PS256
    raise ValueError("The key must be P-256, P-384, P-521, Ed25519 or RSA.")


def _blank() -> bytes:
    file = BytesIO()
    Image.new("L", (16, 16)).save(file, "JPEG")
    return file.getvalue()
