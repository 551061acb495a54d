"""Every option of a video affects its landmarks and its pixels."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, read_waveform
from media.emotions import Emotion
from media.faces.landmarks import LOWER_LIDS, UPPER_LIDS, interocular
from media.picture import read_portrait
from media.video import encode_video, read_frames
from models.options import SynthesisOptions as Options
from models.pipeline import Synthesis, TalkingFacePipeline

EXAMPLES = Path(__file__).parents[3] / "examples"
SECONDS = 1.6
MOUTH_CORNERS = [48, 54]
NOSE = 28
BLINKING_SEED = 5


@pytest.fixture(scope="module")
def portrait() -> NDArray[np.uint8]:
    return read_portrait(EXAMPLES / "portrait.jpg")


@pytest.fixture(scope="module")
def speech() -> NDArray[np.float32]:
    return read_waveform(EXAMPLES / "speech.wav")[: round(SECONDS * SAMPLE_RATE)]


class Studio:
    """Generates videos of the same portrait and speech."""

    def __init__(
        self,
        pipeline: TalkingFacePipeline,
        portrait: NDArray[np.uint8],
        speech: NDArray[np.float32],
        folder: Path,
    ) -> None:
        self.pipeline, self.portrait, self.speech = pipeline, portrait, speech
        self.path = folder / "video.mp4"

    def begin(self, options: Options) -> Synthesis:
        return self.pipeline(self.portrait, self.speech, options)

    def film(self, synthesis: Synthesis) -> NDArray[np.int_]:
        """Return the frames `[T, H, W, 3]` decoded from the file."""
        return self.encoded(synthesis.frames())

    def encoded(self, batches: Iterable[NDArray[np.uint8]]) -> NDArray[np.int_]:
        """Encode batches of frames and return them `[T, H, W, 3]` as the file has them."""
        encode_video(self.path, batches, self.speech)
        frames: NDArray[np.int_] = np.stack(list(read_frames(self.path))).astype(int)
        return frames


@pytest.fixture
def studio(
    pipeline: TalkingFacePipeline,
    portrait: NDArray[np.uint8],
    speech: NDArray[np.float32],
    tmp_path: Path,
) -> Studio:
    return Studio(pipeline, portrait, speech, tmp_path)


def track_of(synthesis: Synthesis) -> NDArray[np.float32]:
    """Return the landmarks `[T, 79, 2]` in distances between the eyes."""
    landmarks = synthesis.track.landmarks
    return landmarks / interocular(landmarks[0])


def chosen(**options: Any) -> Options:
    """Return options of a 256 px video, which renders faster."""
    return Options(**{"resolution": 256, **options})


def calm(emotion: Emotion = Emotion.NEUTRAL, intensity: float = 1.0) -> Options:
    """Return options with which only speech and emotion move the face."""
    return chosen(emotion=emotion, intensity=intensity, pose="still", blink=False)


def test_the_emotion_moves_the_mouth_and_is_seen(studio: Studio) -> None:
    made = [studio.begin(calm(e)) for e in (Emotion.HAPPINESS, Emotion.SADNESS)]
    corners = [track_of(each)[:, MOUTH_CORNERS, 1].mean() for each in made]
    assert corners[0] < corners[1] - 0.03

    videos = [studio.film(each) for each in made]
    differences = np.abs(videos[0] - videos[1]).mean(axis=(0, 3))
    assert differences[140:220, 70:190].mean() > 4


def test_the_intensity_scales_the_emotion(studio: Studio) -> None:
    made = [studio.begin(calm(Emotion.SURPRISE, i)) for i in (0, 1, 2)]
    none, once, twice = map(track_of, made)
    steps = [np.abs(track - none).mean() for track in (once, twice)]
    assert 0.005 < steps[0] < steps[1]

    videos = [studio.film(each) for each in made]
    seen = [np.abs(video - videos[0]).mean() for video in videos[1:]]
    assert 0.5 < seen[0] < seen[1]


def test_a_still_head_rests_and_a_natural_one_moves(studio: Studio) -> None:
    travel = {}
    for pose in ("still", "natural"):
        options = chosen(pose=pose, blink=False, emotion=Emotion.NEUTRAL)
        travel[pose] = np.ptp(track_of(studio.begin(options))[:, NOSE], axis=0).max()
    assert travel["still"] < 0.01
    assert travel["natural"] > 0.02


def test_eyes_close_with_blinks_and_stay_open_without(studio: Studio) -> None:
    narrowest, darkest = {}, {}
    for blink in (True, False):
        options = chosen(pose="still", blink=blink, emotion=Emotion.NEUTRAL, seed=BLINKING_SEED)
        made = studio.begin(options)
        track = track_of(made)
        opening = (track[:, LOWER_LIDS, 1] - track[:, UPPER_LIDS, 1]).mean(axis=1)
        narrowest[blink] = opening.min() / opening.max()
        eyes = studio.film(made)[:, 85:125, 75:180]
        darkest[blink] = np.abs(eyes - eyes[0]).mean(axis=(1, 2, 3)).max()
    assert narrowest[True] < 0.3
    assert narrowest[False] > 0.8
    assert darkest[True] > 2 * darkest[False]


def test_a_seed_gives_the_same_video_again_and_another_seed_another(studio: Studio) -> None:
    files = []
    for seed in (1, 1, 2):
        studio.film(studio.begin(chosen(seed=seed)))
        files.append(studio.path.read_bytes())
    assert files[0] == files[1]
    assert files[0] != files[2]


def test_a_full_composition_is_the_portrait_outside_the_face(
    studio: Studio, portrait: NDArray[np.uint8]
) -> None:
    options = chosen(compose="full", emotion=Emotion.HAPPINESS)
    synthesis = studio.begin(options)
    assert synthesis.size == portrait.shape[1::-1]
    left, top, side = (int(length) for length in synthesis.portrait.box[:3])
    moved = np.zeros(portrait.shape, int)
    batches = list(synthesis.frames())
    for batch in batches:
        moved = np.maximum(moved, np.abs(batch.astype(int) - portrait).max(axis=0))
    square = moved[top : top + side, left : left + side]
    assert square.max() > 50
    square[1:-1, 1:-1] = 0
    assert moved.max() == 0

    video = studio.encoded(batches)
    assert video.shape[1:] == portrait.shape
    lossy = np.abs(video - portrait)
    lossy[:, top : top + side, left : left + side] = 0
    assert lossy.mean() < 3


def test_the_track_lies_on_the_face_in_either_composition(studio: Studio) -> None:
    crop, full = (studio.begin(chosen(compose=c)) for c in ("crop", "full"))
    np.testing.assert_array_equal(
        full.portrait.box.to_picture(crop.track.landmarks, 256), full.track.landmarks
    )
    found = studio.pipeline.detector.detect(full.portrait.image)[0]
    apart = np.linalg.norm(full.track.landmarks[0] - found, axis=-1)
    assert np.median(apart) < 0.05 * interocular(found)
