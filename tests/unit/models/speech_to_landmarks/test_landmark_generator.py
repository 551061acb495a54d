import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from media.audio import SAMPLES_PER_FRAME
from media.emotions import EMOTIONS, Emotion
from media.faces.landmarks import BROWS
from models.face.landmark_motion import LandmarkMotion
from models.face.retargeting import lip_gaps
from models.metrics.definitions import brow_spread
from models.speech_to_landmarks import landmark_generator
from models.speech_to_landmarks.landmark_generator import LandmarkGenerator, framed_prosody
from tests.unit.models.tiny_generator import tiny_generator


@pytest.fixture(scope="module")
def generator() -> LandmarkGenerator:
    return tiny_generator()


def speech(frames: float, seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    return (0.1 * rng.standard_normal(int(frames * SAMPLES_PER_FRAME))).astype(np.float32)


def same(one: LandmarkMotion, other: LandmarkMotion) -> bool:
    return all(
        np.array_equal(a, b) for a, b in zip(vars(one).values(), vars(other).values(), strict=True)
    )


@pytest.mark.parametrize(
    ("samples", "frames"), [(0, 1), (100, 1), (640, 1), (6400, 10), (70000, 109)]
)
def test_any_length_gives_a_frame_each_40_ms(
    generator: LandmarkGenerator, samples: int, frames: int
) -> None:
    motion = generator.generate(np.full(samples, 0.1, np.float32))
    assert motion.displacement.shape == (frames, 79, 2)
    assert motion.lids.shape == (frames,)
    assert motion.pose.shape == (frames, 6)
    assert motion.emotions.shape == (frames, len(EMOTIONS))


def test_probabilities_sum_to_one(generator: LandmarkGenerator) -> None:
    np.testing.assert_allclose(generator.generate(speech(30)).emotions.sum(1), 1.0, atol=1e-5)


def test_one_seed_gives_one_motion(generator: LandmarkGenerator) -> None:
    assert same(generator.generate(speech(200), seed=3), generator.generate(speech(200), seed=3))


def test_another_seed_moves_head_lids_and_face_but_not_the_lips(
    generator: LandmarkGenerator,
) -> None:
    one, other = (generator.generate(speech(400), seed=seed) for seed in (1, 2))
    assert not np.array_equal(one.pose, other.pose)
    assert not np.array_equal(one.lids, other.lids)
    assert np.abs(one.displacement - other.displacement)[:, BROWS].max() > 1e-3
    np.testing.assert_allclose(
        lip_gaps(one.displacement), lip_gaps(other.displacement), rtol=0.0, atol=1e-5
    )


def test_a_head_moves_the_same_with_and_without_blinks(generator: LandmarkGenerator) -> None:
    blinking, staring = (generator.generate(speech(400), blink=blink) for blink in (True, False))
    np.testing.assert_array_equal(blinking.pose, staring.pose)
    np.testing.assert_array_equal(blinking.gaze, staring.gaze)


def test_clips_of_different_lengths_do_not_begin_alike(generator: LandmarkGenerator) -> None:
    one, other = (generator.generate(speech(frames)).pose[:100] for frames in (200, 201))
    assert np.abs(one - other).max() > 0.1 * np.abs(one).max()


def test_a_still_face_that_does_not_blink_moves_by_speech_alone(
    generator: LandmarkGenerator,
) -> None:
    motion = generator.generate(speech(300), blink=False, pose="still")
    assert not motion.pose.any()
    assert not motion.lids.any()


def test_no_intensity_shows_no_emotion(generator: LandmarkGenerator) -> None:
    happy, angry, heard = (
        generator.generate(speech(20), emotion=emotion, intensity=0.0).displacement
        for emotion in (Emotion.HAPPINESS, Emotion.ANGER, None)
    )
    np.testing.assert_array_equal(happy, angry)
    np.testing.assert_array_equal(happy, heard)


@pytest.mark.parametrize("emotion", [Emotion.HAPPINESS, None])
def test_more_intensity_moves_the_face_further(
    generator: LandmarkGenerator, emotion: Emotion | None
) -> None:
    none, one, two = (
        generator.generate(speech(20), emotion=emotion, intensity=intensity).displacement
        for intensity in (0.0, 1.0, 2.0)
    )
    near, far = (np.linalg.norm((shown - none).mean(axis=0)) for shown in (one, two))
    assert near > 1e-3
    assert far > 1.2 * near


def test_a_neutral_face_moves_while_it_speaks(generator: LandmarkGenerator) -> None:
    motion = generator.generate(speech(200), emotion=Emotion.NEUTRAL)
    with torch.inference_mode():
        states = generator.encoder.encode(speech(200))[None]
        spoken = landmark_generator.EMPHASIS * generator.network.speech_motion(states)[0].numpy()
    moved = (motion.displacement - spoken)[:, BROWS]
    assert moved.std(axis=0).mean() > 1e-3


def test_a_livelier_style_moves_the_face_more(generator: LandmarkGenerator) -> None:
    calm, lively = (brows_of(generator, liveliness) for liveliness in (1.0, 2.0))
    assert brow_spread(lively) > 1.5 * brow_spread(calm)


def brows_of(generator: LandmarkGenerator, liveliness: float) -> NDArray[np.float32]:
    generator.action.liveliness.fill_(liveliness)
    try:
        return generator.generate(speech(200), emotion=Emotion.NEUTRAL, pose="still").displacement
    finally:
        generator.action.liveliness.fill_(1.0)


def test_neutral_asked_for_is_speech_alone(generator: LandmarkGenerator) -> None:
    asked = generator.generate(speech(20), emotion=Emotion.NEUTRAL, intensity=2.0)
    bare = generator.generate(speech(20), intensity=0.0)
    np.testing.assert_allclose(asked.displacement, bare.displacement, atol=1e-6)


def test_windows_of_the_network_meet_without_a_seam(
    generator: LandmarkGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    waveform = speech(150)
    whole = generator.generate(waveform)
    monkeypatch.setattr(landmark_generator, "WINDOW", 60)
    windowed = generator.generate(waveform)
    np.testing.assert_allclose(windowed.displacement, whole.displacement, atol=2e-3)
    np.testing.assert_allclose(windowed.emotions, whole.emotions, atol=1e-3)


def test_the_network_sees_at_most_a_window_and_its_context(
    generator: LandmarkGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = []
    speech_motion = generator.network.speech_motion

    def watch(states: Tensor) -> Tensor:
        seen.append(states.shape[1])
        return speech_motion(states)

    monkeypatch.setattr(generator.network, "speech_motion", watch)
    generator.generate(speech(900))
    assert max(seen) <= 2 * (landmark_generator.WINDOW + 2 * landmark_generator.CONTEXT)


def test_prosody_has_four_columns_a_frame() -> None:
    assert framed_prosody(speech(7.3)).shape[1] == 4 * 7


def test_a_long_pause_is_heard_as_neutral_and_shows_no_emotion(
    generator: LandmarkGenerator,
) -> None:
    waveform = speech(300)
    waveform[50 * SAMPLES_PER_FRAME : 250 * SAMPLES_PER_FRAME] = 0.0
    motion = generator.generate(waveform)
    bare = generator.generate(waveform, intensity=0.0)
    neutral = motion.emotions[:, EMOTIONS.index(Emotion.NEUTRAL)]
    shown = np.abs(motion.displacement - bare.displacement).max(axis=(1, 2))
    assert neutral[120:230].min() > 0.999
    assert shown[120:230].max() < 1e-6
    assert shown[:50].min() > 1e-3


def test_emotion_is_carried_over_a_short_pause(generator: LandmarkGenerator) -> None:
    waveform = speech(120)
    waveform[50 * SAMPLES_PER_FRAME : 70 * SAMPLES_PER_FRAME] = 0.0
    heard = generator.generate(waveform).emotions
    ends = np.stack([heard[25:50].mean(0), heard[70:95].mean(0)])
    assert (heard[50:70] >= ends.min(0) - 1e-5).all()
    assert (heard[50:70] <= ends.max(0) + 1e-5).all()
