"""Manifests signed with certificates of the tests' own authority, read back by C2PA's reader."""

from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from io import BytesIO
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from c2pa import C2paError
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    PrivateFormat,
)
from cryptography.x509.oid import ExtendedKeyUsageOID
from pydantic import ValidationError

from media.poster import make_poster
from media.provenance import SOURCE_TYPE, Provenance
from media.video import encode_video
from tests.media import babble
from tests.signing_authority import Certificate, Key, SigningAuthority
from workers.synthesis.settings import WorkerSettings
from workers.synthesis.signing import JPEG, MP4, ManifestSigner, SignerRefused, SigningFailed

PROVENANCE = Provenance(datetime(2026, 11, 22, 12, tzinfo=UTC), "job_a")
AUTHORITY = SigningAuthority()


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    path = tmp_path_factory.mktemp("video") / "video.mp4"
    frames = np.random.default_rng(0).integers(0, 256, (10, 64, 64, 3), dtype=np.uint8)
    encode_video(path, [frames], babble(0.4), provenance=PROVENANCE)
    return path.read_bytes()


@pytest.fixture
def file(tmp_path: Path, video: bytes) -> Path:
    """An unsigned video."""
    path = tmp_path / "video.mp4"
    path.write_bytes(video)
    return path


def signer(certificate: Certificate | None = None) -> ManifestSigner:
    certificate = certificate or AUTHORITY.issue()
    return ManifestSigner(certificate.chain, certificate.key)


def settings(folder: Path, certificate: Certificate, **others: Any) -> WorkerSettings:
    chain, key = certificate.save(folder)
    return WorkerSettings(c2pa_certificate=chain, c2pa_private_key=key, **others)


def test_a_signed_video_states_its_model_its_source_type_and_its_time(file: Path) -> None:
    signer().sign_file(file, MP4, PROVENANCE)
    told = AUTHORITY.read(file.read_bytes(), MP4)
    assert told["validation_state"] == "Trusted"
    manifest = told["manifests"][told["active_manifest"]]
    generator = manifest["claim_generator_info"][0]
    assert (generator["name"], generator["version"]) == ("AMIGO", version("amigo"))
    (actions,) = (a for a in manifest["assertions"] if a["label"].startswith("c2pa.actions"))
    (created,) = actions["data"]["actions"]
    assert created["action"] == "c2pa.created"
    assert created["digitalSourceType"] == SOURCE_TYPE
    assert created["softwareAgent"] == {"name": "AMIGO", "version": PROVENANCE.version}
    assert created["when"] == "2026-11-22T12:00:00Z"


def test_a_signed_video_plays_as_before(file: Path, video: bytes) -> None:
    signer().sign_file(file, MP4, PROVENANCE)
    assert list(file.parent.iterdir()) == [file]
    packets = []
    for data in (video, file.read_bytes()):
        with av.open(BytesIO(data), "r", options={"export_xmp": "1"}) as container:
            assert container.metadata["xmp"] == PROVENANCE.xmp().decode()
            packets.append([bytes(packet) for packet in container.demux()])
        assert data.index(b"moov") < data.index(b"mdat")
    assert packets[0] == packets[1]


def test_a_poster_is_signed_too(file: Path) -> None:
    poster = make_poster(file, PROVENANCE)
    assert AUTHORITY.judge(signer().sign(poster, JPEG, PROVENANCE), JPEG) == "Trusted"


@pytest.mark.parametrize("place", [b"mdat", b"moov", b"DigitalSourceType", b"c2pa.created"])
def test_a_flipped_bit_invalidates_the_signature(file: Path, place: bytes) -> None:
    signer().sign_file(file, MP4, PROVENANCE)
    data = bytearray(file.read_bytes())
    data[data.rindex(place) + 40] ^= 1
    try:
        told = AUTHORITY.judge(bytes(data), MP4)
    except C2paError:
        return  # too damaged to contain anything
    assert told == "Invalid"


def test_another_authoritys_signature_is_not_trusted(file: Path) -> None:
    signer().sign_file(file, MP4, PROVENANCE)
    assert SigningAuthority().judge(file.read_bytes(), MP4) == "Valid"


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ec.generate_private_key(ec.SECP521R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=lambda key: type(key).__name__,
)
def test_every_kind_of_key_that_c2pa_allows_signs(file: Path, key: Key) -> None:
    signer(AUTHORITY.issue(key)).sign_file(file, MP4, PROVENANCE)
    assert AUTHORITY.judge(file.read_bytes(), MP4) == "Trusted"


def test_a_worker_is_given_the_signer_that_its_settings_name(tmp_path: Path, file: Path) -> None:
    opened = ManifestSigner.open(settings(tmp_path, AUTHORITY.issue()))
    assert opened is not None
    opened.sign_file(file, MP4, PROVENANCE)
    assert AUTHORITY.judge(file.read_bytes(), MP4) == "Trusted"


def test_nothing_is_signed_unless_it_is_asked_for() -> None:
    assert ManifestSigner.open(WorkerSettings()) is None


def encrypted() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"secret"))


@pytest.mark.parametrize(
    ("certificate", "reason"),
    [
        (AUTHORITY.issue(usage=ExtendedKeyUsageOID.SERVER_AUTH), "the certificate is invalid"),
        (AUTHORITY.issue(days=(-9, -1)), "not valid at time of signing"),
        (AUTHORITY.issue(days=(1, 9)), "not valid at time of signing"),
        (replace(AUTHORITY.issue(), key=AUTHORITY.issue().key), "signature"),
        (AUTHORITY.issue(ec.generate_private_key(ec.SECP256K1())), "must be P-256"),
        (replace(AUTHORITY.issue(), key=encrypted()), "encrypted"),
        (replace(AUTHORITY.issue(), key=b"no key"), "PEM"),
        (replace(AUTHORITY.issue(), chain=b"no certificate"), "certificate"),
    ],
    ids=[
        "use",
        "expired",
        "early",
        "other-key",
        "other-curve",
        "encrypted",
        "no-key",
        "no-certificate",
    ],
)
def test_an_unusable_certificate_is_refused_before_any_job(
    tmp_path: Path, certificate: Certificate, reason: str
) -> None:
    with pytest.raises(SignerRefused, match=reason) as refused:
        ManifestSigner.open(settings(tmp_path, certificate))
    for name in ("AMIGO_C2PA_CERTIFICATE", "chain.pem", "AMIGO_C2PA_PRIVATE_KEY", "key.pem"):
        assert name in str(refused.value)
    assert "BEGIN" not in str(refused.value)


def test_missing_certificate_files_are_refused(tmp_path: Path) -> None:
    chain, key = AUTHORITY.issue().save(tmp_path)
    key.unlink()
    with pytest.raises(SignerRefused, match="No such file"):
        ManifestSigner.open(WorkerSettings(c2pa_certificate=chain, c2pa_private_key=key))


@pytest.mark.parametrize("name", ["c2pa_certificate", "c2pa_private_key", "c2pa_timestamp_url"])
def test_a_part_of_the_settings_alone_is_refused(name: str) -> None:
    with pytest.raises(ValidationError, match="AMIGO_C2PA_CERTIFICATE"):
        WorkerSettings.model_validate({name: "https://example.com"})


def test_a_timestamp_url_must_be_http(tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match="c2pa_timestamp_url"):
        settings(tmp_path, AUTHORITY.issue(), c2pa_timestamp_url="timestamps.example.com")


def test_a_file_that_cannot_be_signed_is_unchanged(file: Path) -> None:
    file.write_bytes(b"no video")
    with pytest.raises(SigningFailed):
        signer().sign_file(file, MP4, PROVENANCE)
    assert file.read_bytes() == b"no video"
