from pathlib import Path

import pytest

from models.manifest import MANIFEST, weights_digest


def test_a_change_of_any_weight_is_a_change_of_the_digest(tmp_path: Path) -> None:
    digests = []
    for sha256 in ("aa", "ab"):
        (tmp_path / MANIFEST).write_text(f'{{"speech_encoder.safetensors": "{sha256}"}}\n')
        digests.append(weights_digest(tmp_path))
    assert digests[0] != digests[1]


def test_the_digest_is_short_and_hexadecimal() -> None:
    assert len(weights_digest()) == 16
    assert int(weights_digest(), 16)


def test_without_a_manifest_there_is_no_digest(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        weights_digest(tmp_path)
