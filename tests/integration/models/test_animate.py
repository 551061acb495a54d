"""The landmarks of a video generate the same video again."""

from pathlib import Path
from typing import Literal

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from media.audio import SAMPLE_RATE, read_waveform
from media.picture import read_portrait
from models.face.given_landmarks import GivenLandmarks, LandmarksUnusable
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

EXAMPLES = Path(__file__).parents[3] / "examples"


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    return read_waveform(EXAMPLES / "speech.wav")[: SAMPLE_RATE // 2]


def picture(lean: float = 0.0) -> NDArray[np.uint8]:
    with Image.open(EXAMPLES / "portrait.jpg") as file:
        return np.asarray(file.rotate(lean, Image.Resampling.BICUBIC, center=(225, 103)))


@pytest.mark.parametrize(
    ("compose", "resolution", "lean"),
    [("crop", 512, 0), ("crop", 256, 0), ("crop", 256, 30), ("full", 256, 0), ("full", 512, -30)],
)
def test_the_landmarks_of_a_video_give_its_frames(
    pipeline: TalkingFacePipeline,
    speech: NDArray[np.float32],
    tmp_path: Path,
    compose: Literal["crop", "full"],
    resolution: int,
    lean: float,
) -> None:
    options = SynthesisOptions(compose=compose, resolution=resolution)
    made = pipeline(picture(lean), speech, options)
    (tmp_path / "track.npz").write_bytes(made.track.to_npz())
    given = GivenLandmarks.read(tmp_path / "track.npz")
    again = pipeline.animate(picture(lean), given.landmarks, options, given.size)
    assert again.size == made.size
    first, second = (np.concatenate(list(each.frames())).astype(int) for each in (made, again))
    if compose == "crop" and not lean:
        np.testing.assert_array_equal(first, second)
    difference = np.abs(first - second)
    # Landmarks that are a quarter of a pixel off make 0.2 to 0.8 levels; bfloat16's rounding 0.02.
    assert difference.mean() < 0.05
    assert difference.max() <= 8


def test_landmarks_of_another_size_are_scaled_to_the_video(
    pipeline: TalkingFacePipeline, speech: NDArray[np.float32]
) -> None:
    small = pipeline(picture(), speech, SynthesisOptions(resolution=256))
    large = pipeline(picture(), speech, SynthesisOptions(resolution=512))
    driven = pipeline.animate(picture(), small.track.landmarks, size=small.size)
    assert driven.size == large.size == (512, 512)
    np.testing.assert_allclose(driven.placed_landmarks, large.track.landmarks, atol=1e-3)


def test_landmarks_of_a_larger_video_are_refused_without_its_size(
    pipeline: TalkingFacePipeline,
) -> None:
    landmarks = np.full((2, 79, 2), 1500, np.float32)
    with pytest.raises(LandmarksUnusable, match="far outside the video of 512 x 512"):
        pipeline.animate(read_portrait(EXAMPLES / "portrait.jpg"), landmarks)
