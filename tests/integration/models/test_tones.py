"""Grey stays grey: neither the networks nor the encoder add colour."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from media.audio import SAMPLE_RATE, read_waveform
from media.emotions import Emotion
from media.video import encode_video, read_frames
from models.options import SynthesisOptions
from models.pipeline import TalkingFacePipeline

EXAMPLES = Path(__file__).parents[3] / "examples"
BLINKING_SEED = 48


def portrait(lean: float = 0.0) -> Image.Image:
    with Image.open(EXAMPLES / "portrait.jpg") as file:
        return file.rotate(lean, Image.Resampling.BICUBIC, center=(225, 103))


def filmed(
    pipeline: TalkingFacePipeline, image: Image.Image, options: SynthesisOptions, folder: Path
) -> NDArray[np.int_]:
    """Return the frames `[T, H, W, 3]` of half a second, decoded like a player does."""
    speech = read_waveform(EXAMPLES / "speech.wav")[: SAMPLE_RATE // 2]
    synthesis = pipeline(np.asarray(image.convert("RGB")), speech, options)
    encode_video(folder / "video.mp4", synthesis.frames(), speech)
    frames: NDArray[np.int_] = np.stack(list(read_frames(folder / "video.mp4"))).astype(int)
    return frames


@pytest.mark.parametrize(
    ("lean", "options"),
    [
        (0, SynthesisOptions(seed=BLINKING_SEED)),
        (0, SynthesisOptions(resolution=256, emotion=Emotion.SURPRISE, seed=BLINKING_SEED)),
        (
            0,
            SynthesisOptions(
                compose="full", resolution=256, emotion=Emotion.HAPPINESS, intensity=2
            ),
        ),
        (30, SynthesisOptions(resolution=256, emotion=Emotion.ANGER)),
    ],
)
def test_a_grey_portrait_stays_grey(
    pipeline: TalkingFacePipeline, tmp_path: Path, lean: float, options: SynthesisOptions
) -> None:
    frames = filmed(pipeline, portrait(lean).convert("L"), options, tmp_path)
    assert np.abs(frames - frames[0]).max() > 40
    chroma = frames.max(axis=-1) - frames.min(axis=-1)
    within = (chroma <= 3).mean(axis=(1, 2))
    assert within.min() >= 0.999


def test_a_sepia_portrait_stays_sepia(pipeline: TalkingFacePipeline, tmp_path: Path) -> None:
    tone = np.array([1.0, 0.86, 0.68])
    sepia = np.asarray(portrait().convert("L"))[..., None] * tone
    frames = filmed(
        pipeline,
        Image.fromarray(sepia.astype(np.uint8)),
        SynthesisOptions(seed=BLINKING_SEED, emotion=Emotion.HAPPINESS),
        tmp_path,
    )
    off = np.abs(frames - frames.max(axis=-1, keepdims=True) * tone)
    # Video keeps colour at half the resolution: of the portrait itself, 0.9988 would be left.
    assert (off.max(axis=-1) <= 12).mean(axis=(1, 2)).min() >= 0.998
