"""Two small files to post; their content does not matter to the client."""

from pathlib import Path

import pytest


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    path = tmp_path / "portrait.jpg"
    path.write_bytes(b"a face")
    return path


@pytest.fixture
def audio(tmp_path: Path) -> Path:
    path = tmp_path / "speech.wav"
    path.write_bytes(b"a voice")
    return path
