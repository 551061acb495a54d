"""Stage one with the shipped weights: what a viewer would notice."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from media.audio import SAMPLE_RATE, SAMPLES_PER_FRAME, read_waveform
from media.emotions import EMOTIONS, Emotion
from models.face.landmark_motion import LandmarkMotion
from models.face.retargeting import lip_gaps, normal_frame, retarget_landmarks
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator
from tests.unit.models.typical_face import pixel_face

Array = NDArray[np.float32]

EXAMPLE = Path("examples/speech.wav")
CLOSED = 0.02
"""Opening, in inter-ocular units, that looks closed."""


@pytest.fixture(scope="module")
def generator() -> LandmarkGenerator:
    return LandmarkGenerator.load("cpu")


@pytest.fixture(scope="module")
def speech() -> Array:
    return read_waveform(EXAMPLE)


def face_of(motion: LandmarkMotion) -> Array:
    """Return the landmarks `[T, 79, 2]` of a typical face, in the normal form."""
    pixels = retarget_landmarks(pixel_face(), motion)
    return normal_frame(pixel_face()).to_normal(pixels)


def opening(motion: LandmarkMotion) -> Array:
    out: Array = lip_gaps(face_of(motion)).mean(axis=1)
    return out


def loudness(waveform: Array) -> Array:
    frames = len(waveform) // SAMPLES_PER_FRAME
    pieces = waveform[: frames * SAMPLES_PER_FRAME].reshape(frames, -1)
    out: Array = np.sqrt((pieces**2).mean(axis=1))
    return out


def test_lips_open_and_close_during_speech(generator: LandmarkGenerator, speech: Array) -> None:
    gaps = opening(generator.generate(speech, pose="still"))
    assert np.percentile(gaps, 90) > 0.08
    assert np.percentile(gaps, 10) < CLOSED
    assert gaps.max() < 0.5


def test_lips_follow_this_speech_and_not_another(
    generator: LandmarkGenerator, speech: Array
) -> None:
    sound = loudness(speech)
    gaps = opening(generator.generate(speech, pose="still"))[: len(sound)]
    in_step = np.corrcoef(gaps, sound)[0, 1]
    assert in_step > 0.15
    assert in_step > np.corrcoef(gaps[::-1], sound)[0, 1] + 0.1


@pytest.mark.parametrize("level", [0.0, 0.003, 0.03])
def test_in_silence_and_noise_the_mouth_stays_closed(
    generator: LandmarkGenerator, level: float
) -> None:
    noise = level * np.random.default_rng(0).standard_normal(4 * SAMPLE_RATE)
    gaps = opening(generator.generate(noise.astype(np.float32), pose="still"))
    assert gaps.max() < CLOSED


def test_the_mouth_has_closed_when_speech_ends(generator: LandmarkGenerator, speech: Array) -> None:
    gaps = opening(generator.generate(speech, pose="still"))
    assert gaps[-3:].max() < CLOSED


def test_in_a_pause_the_mouth_closes(generator: LandmarkGenerator, speech: Array) -> None:
    pause = np.zeros(2 * SAMPLE_RATE, np.float32)
    gaps = opening(generator.generate(np.concatenate([speech, pause, speech]), pose="still"))
    spoken = len(speech) // SAMPLES_PER_FRAME
    assert gaps[spoken + 10 : spoken + 40].max() < CLOSED


def test_happiness_smiles_and_still_closes_the_lips(
    generator: LandmarkGenerator, speech: Array
) -> None:
    plain, happy = (
        generator.generate(speech, emotion=emotion, pose="still", blink=False)
        for emotion in (Emotion.NEUTRAL, Emotion.HAPPINESS)
    )
    change = (face_of(happy) - face_of(plain)).mean(axis=0)
    assert change[54, 0] - change[48, 0] > 0.08
    assert change[[48, 54], 1].mean() < -0.05
    assert np.percentile(opening(happy), 10) < CLOSED
    assert np.corrcoef(opening(happy), opening(plain))[0, 1] > 0.97


@pytest.mark.parametrize(
    ("emotion", "points", "sign"),
    [
        (Emotion.SURPRISE, slice(17, 27), -1),
        (Emotion.ANGER, slice(17, 27), 1),
        (Emotion.SADNESS, [48, 54], 1),
    ],
)
def test_each_emotion_moves_its_characteristic_features(
    generator: LandmarkGenerator, speech: Array, emotion: Emotion, points: slice, sign: int
) -> None:
    plain, felt = (
        face_of(generator.generate(speech[:16000], emotion=wanted, pose="still", blink=False))
        for wanted in (Emotion.NEUTRAL, emotion)
    )
    assert sign * (felt - plain)[:, points, 1].mean() > 0.02


@pytest.mark.parametrize("emotion", EMOTIONS)
def test_a_face_stays_plausible_at_full_intensity(
    generator: LandmarkGenerator, speech: Array, emotion: Emotion
) -> None:
    faces = face_of(generator.generate(speech, emotion=emotion, intensity=2.0, pose="still"))
    assert lip_gaps(faces).min() > -1e-4
    assert (faces[:, [41, 47], 1] - faces[:, [37, 43], 1]).min() > -1e-4
    assert (faces[:, 8, 1] > faces[:, 57, 1]).all()
    assert (faces[:, 17:27, 1].max(axis=1) < faces[:, 36:48, 1].min(axis=1) + 0.1).all()


def test_silence_carries_no_emotion(generator: LandmarkGenerator) -> None:
    heard = generator.generate(np.zeros(3 * SAMPLE_RATE, np.float32)).emotions.mean(axis=0)
    assert EMOTIONS[int(heard.argmax())] is Emotion.NEUTRAL


def test_long_speech_is_animated_like_its_parts(
    generator: LandmarkGenerator, speech: Array
) -> None:
    alone = opening(generator.generate(speech, pose="still", intensity=0.0))
    pause = np.zeros(SAMPLE_RATE, np.float32)
    repeated = np.concatenate([speech, pause] * 4)
    whole = opening(generator.generate(repeated, pose="still", intensity=0.0))
    period = (len(speech) + len(pause)) // SAMPLES_PER_FRAME
    for turn in range(4):
        part = whole[turn * period : turn * period + len(alone)]
        assert np.corrcoef(part, alone)[0, 1] > 0.85


def test_anger_and_fear_open_the_mouth_wider_than_neutral(
    generator: LandmarkGenerator, speech: Array
) -> None:
    plain, *strong = (
        opening(generator.generate(speech, emotion=emotion, pose="still"))
        for emotion in (Emotion.NEUTRAL, Emotion.ANGER, Emotion.FEAR)
    )
    for gaps in strong:
        assert 1.1 < gaps.std() / plain.std() < 2.0
        closed = plain < 0.3 * CLOSED
        assert gaps[closed].max() < CLOSED


def test_brows_move_and_do_not_jerk(generator: LandmarkGenerator, speech: Array) -> None:
    faces = face_of(generator.generate(speech, emotion=Emotion.ANGER, pose="still", blink=False))
    brows = 60.0 * faces[:, 17:27, 1]
    assert brows.std(axis=0).mean() > 0.2
    assert np.abs(np.diff(brows, n=3, axis=0)).mean() < 0.3


def test_two_seeds_act_differently(generator: LandmarkGenerator, speech: Array) -> None:
    one, other = (
        face_of(
            generator.generate(speech, emotion=Emotion.ANGER, pose="still", blink=False, seed=seed)
        )
        for seed in (0, 1)
    )
    assert np.abs(one - other)[:, 17:27].mean() > 0.003


def test_a_minute_does_not_repeat(generator: LandmarkGenerator, speech: Array) -> None:
    minute = np.tile(speech, 9)
    faces = face_of(generator.generate(minute, emotion=Emotion.SADNESS, pose="still", blink=False))
    period = len(speech) // SAMPLES_PER_FRAME
    brows = faces[: 8 * period, 21, 1].reshape(8, period)
    alike = np.asarray(np.corrcoef(brows))[np.triu_indices(8, 1)]
    assert alike.max() < 0.9


def test_a_natural_head_jerks_no_more_than_a_tracked_one(generator: LandmarkGenerator) -> None:
    motion = generator.generate(np.zeros(40 * SAMPLE_RATE, np.float32), blink=False, intensity=0.0)
    nose = 60.0 * face_of(motion)[:, 27:31]
    jerk = np.linalg.norm(np.diff(nose, n=3, axis=0), axis=-1).mean()
    assert jerk < 0.3
