"""`amigo animate` with a pipeline that renders black frames."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from typer.testing import CliRunner

from amigo.cli import main
from tests.fakes.decoder import DirectDecoder
from tests.fakes.detector import FakeDetector
from tests.fakes.pipeline import FakePipeline
from tests.media import babble, recording
from tests.service_examples import portrait as picture

FRAMES = 15


@pytest.fixture
def pipeline(monkeypatch: pytest.MonkeyPatch) -> FakePipeline:
    pipeline = FakePipeline()
    monkeypatch.setattr("amigo.cli.animation.TalkingFacePipeline", pipeline)
    return pipeline


@pytest.fixture
def folder(tmp_path: Path, pipeline: FakePipeline, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("amigo.cli.inputs.Decoder", DirectDecoder)
    monkeypatch.setattr("amigo.cli.inputs.DetectorProcess", FakeDetector)
    (tmp_path / "face.jpg").write_bytes(picture())
    return tmp_path


def animate(folder: Path, *options: str, **arrays: Any) -> SimpleNamespace:
    landmarks = np.zeros((FRAMES, 79, 2), np.float32)
    np.savez(folder / "given.npz", **{"landmarks": landmarks, **arrays})
    inputs = [str(folder / "face.jpg"), str(folder / "given.npz"), "-o", str(folder / "v.mp4")]
    result = CliRunner().invoke(main.app, ["animate", *inputs, *options])
    return SimpleNamespace(code=result.exit_code, out=result.stdout, err=result.stderr)


def lengths(video: Path) -> tuple[int, float]:
    """Return a video's frames and the duration of its sound in seconds."""
    with av.open(str(video)) as container:
        frames = sum(1 for _ in container.decode(video=0))
    with av.open(str(video)) as container:
        samples = sum(frame.samples for frame in container.decode(audio=0))
    return frames, samples / 48_000


@pytest.mark.parametrize("seconds", [None, 0.3, 2.0])
def test_the_sound_is_as_long_as_the_landmarks(folder: Path, seconds: float | None) -> None:
    options = []
    if seconds:
        (folder / "speech.wav").write_bytes(recording(babble(seconds), "wav", "pcm_s16le"))
        options = ["--audio", str(folder / "speech.wav")]
    result = animate(folder, *options)
    assert result.code == 0, result.err
    assert result.out.endswith("v.mp4: 0.6 s\n")
    frames, sound = lengths(folder / "v.mp4")
    assert frames == FRAMES
    assert sound == pytest.approx(0.6, abs=0.05)


def test_the_composition_comes_from_the_landmarks(folder: Path, pipeline: FakePipeline) -> None:
    animate(folder, "--resolution", "256", size=(640, 480), compose="full")
    animate(folder)
    full, crop = pipeline.options
    assert (full.compose, full.resolution) == ("full", 256)
    assert (crop.compose, crop.resolution) == ("crop", 512)
    assert pipeline.sizes == [(640, 480), None]


def test_a_composition_that_contradicts_the_landmarks_is_refused(folder: Path) -> None:
    result = animate(folder, "--compose", "crop", compose="full")
    assert result.code == 1
    assert "do not fit one with compose crop" in result.err
    assert not (folder / "v.mp4").exists()


def test_wrong_landmarks_are_one_line_of_error(folder: Path) -> None:
    result = animate(folder, landmarks=np.zeros((3, 68, 2)))
    assert result.code == 1
    assert result.err.startswith("Error: The landmarks have the shape [3, 68, 2]")
