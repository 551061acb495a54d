"""Files are read beside whatever happens within the context."""

from pathlib import Path
from threading import Event

import numpy as np
import pytest
from numpy.typing import NDArray

from amigo.cli.inputs import reading
from media.picture import Picture
from tests.fakes.decoder import DirectDecoder
from tests.fakes.detector import Face, FakeDetector
from tests.media import babble, recording
from tests.service_examples import portrait as picture
from tests.waiting import PATIENCE


@pytest.fixture
def allowed(monkeypatch: pytest.MonkeyPatch) -> Event:
    """The decoder waits for it."""
    allowed = Event()

    class WaitingDecoder(DirectDecoder):
        def portrait(self, file: bytes) -> Picture:
            assert allowed.wait(PATIENCE)
            return super().portrait(file)

    monkeypatch.setattr("amigo.cli.inputs.Decoder", WaitingDecoder)
    return allowed


@pytest.fixture(autouse=True)
def searched(monkeypatch: pytest.MonkeyPatch) -> list[NDArray[np.uint8]]:
    """The pictures that were searched for faces."""
    searched: list[NDArray[np.uint8]] = []

    def look(picture: NDArray[np.uint8]) -> list[Face]:
        searched.append(picture)
        return []

    monkeypatch.setattr("amigo.cli.inputs.DetectorProcess", lambda: FakeDetector(look=look))
    return searched


@pytest.fixture
def portrait(tmp_path: Path) -> Path:
    (tmp_path / "face.jpg").write_bytes(picture())
    return tmp_path / "face.jpg"


def test_files_are_read_in_the_background(portrait: Path, tmp_path: Path, allowed: Event) -> None:
    speech = tmp_path / "speech.wav"
    speech.write_bytes(recording(babble(0.5), "wav", "pcm_s16le"))
    with reading(portrait, speech) as inputs:
        assert not inputs.done()
        allowed.set()
        assert inputs.result().pixels.shape[2] == 3
        assert inputs.result().waveform.shape == (8_000,)


def test_faces_are_detected_in_advance(
    portrait: Path, allowed: Event, searched: list[NDArray[np.uint8]]
) -> None:
    allowed.set()
    with reading(portrait, None) as inputs:
        found = inputs.result()
        [picture] = searched
        assert picture is found.pixels


def test_without_audio_there_are_no_samples(portrait: Path, allowed: Event) -> None:
    allowed.set()
    with reading(portrait, None) as inputs:
        assert len(inputs.result().waveform) == 0


def test_a_missing_file_raises_when_the_inputs_are_requested(
    portrait: Path, allowed: Event
) -> None:
    allowed.set()
    portrait.unlink()
    with reading(portrait, None) as inputs, pytest.raises(FileNotFoundError):
        inputs.result()
