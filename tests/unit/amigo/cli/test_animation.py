"""`amigo animate` with a pipeline that renders grey."""

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Self

import av
import numpy as np
import pytest
from numpy.typing import NDArray
from typer.testing import CliRunner

from amigo.cli import main
from models.options import SynthesisOptions
from tests.decoders import DirectDecoder
from tests.media import babble, recording
from tests.service_examples import portrait as picture

FRAMES = 15


class GreyAnimation:
    def __init__(self, num_frames: int) -> None:
        self.num_frames = num_frames

    def frames(self) -> Iterator[NDArray[np.uint8]]:
        yield np.full((self.num_frames, 64, 64, 3), 128, np.uint8)


class GreyPipeline:
    asked: list[tuple[SynthesisOptions, tuple[int, int] | None]]

    @classmethod
    def load(cls, device: str) -> Self:
        cls.asked = []
        return cls()

    def animate(
        self,
        image: NDArray[np.uint8],
        landmarks: NDArray[np.float32],
        options: SynthesisOptions,
        size: tuple[int, int] | None,
    ) -> GreyAnimation:
        self.asked.append((options, size))
        return GreyAnimation(len(landmarks))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr("amigo.cli.animation.TalkingFacePipeline", GreyPipeline)
    monkeypatch.setattr("amigo.cli.animation.Decoder", DirectDecoder)
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


def test_the_landmarks_say_what_their_video_showed(folder: Path) -> None:
    animate(folder, "--resolution", "256", size=(640, 480), compose="full")
    ((options, size),) = GreyPipeline.asked
    assert (options.compose, options.resolution, size) == ("full", 256, (640, 480))
    animate(folder)
    ((options, size),) = GreyPipeline.asked
    assert (options.compose, options.resolution, size) == ("crop", 512, None)


def test_a_composition_that_is_not_the_landmarks_is_refused(folder: Path) -> None:
    result = animate(folder, "--compose", "crop", compose="full")
    assert result.code == 1
    assert "compose full, not crop" in result.err
    assert not (folder / "v.mp4").exists()


def test_wrong_landmarks_are_one_line_of_error(folder: Path) -> None:
    result = animate(folder, landmarks=np.zeros((3, 68, 2)))
    assert result.code == 1
    assert result.err.startswith("Error: The landmarks have the shape [3, 68, 2]")
