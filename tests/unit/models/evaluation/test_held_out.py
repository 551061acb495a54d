from pathlib import Path

import numpy as np
import pytest

from media.faces.landmarks import eye_midpoint, interocular
from models.corpus.clips import spread
from models.evaluation.held_out import CROP_FRAME, HeldOutClip, read_held_out, read_lags
from models.speech_to_landmarks.speech_encoder import SpeechEncoder, SpeechEncoderConfig
from tests.unit.models.evaluation.tiny_evaluation import FRAMES, talking_face, write_data

TINY_ENCODER = SpeechEncoderConfig(width=24, heads=2, layers=1)


@pytest.fixture
def clips(tmp_path: Path) -> dict[str, HeldOutClip]:
    write_data(tmp_path / "data", tmp_path / "cache")
    lags = read_lags(tmp_path / "data", tmp_path / "cache", SpeechEncoder(TINY_ENCODER))
    return {clip.set: clip for clip in read_held_out(tmp_path / "data", lags, None)}


def test_sound_known_to_be_late_is_moved_and_the_frames_without_sound_are_left_out(
    clips: dict[str, HeldOutClip],
) -> None:
    late, in_step = clips["lrcar"], clips["grid"]
    assert late.waveform is not None
    assert in_step.waveform is not None
    # Two encoder states of 20 ms are one video frame, so the last frame loses its sound.
    assert len(late.landmarks) == len(late.pictures()) == FRAMES - 1
    assert len(late.waveform) == 640 * (FRAMES - 1)
    np.testing.assert_array_equal(late.waveform, in_step.waveform[640:])
    np.testing.assert_array_equal(late.landmarks, in_step.landmarks[:-1])


def test_a_clip_without_a_lag_does_not_speak_but_shows_all_its_frames(
    clips: dict[str, HeldOutClip],
) -> None:
    assert clips["mead"].waveform is None
    assert len(clips["mead"].pictures()) == FRAMES


def test_aligned_landmarks_lie_like_a_crop_and_hold_the_head_still(tmp_path: Path) -> None:
    faces = 2 * talking_face() + np.float32(50)
    clip = HeldOutClip("grid", "made_up", tmp_path, None, faces, slice(0, FRAMES))
    aligned, moving = clip.aligned(), clip.moving()
    np.testing.assert_allclose(interocular(aligned), CROP_FRAME.axis[0], rtol=0.05)
    np.testing.assert_allclose(eye_midpoint(aligned) - CROP_FRAME.origin, 0, atol=1.5)
    assert np.ptp(aligned[:, 45], axis=0).max() < 0.25 * np.ptp(moving[:, 45], axis=0).max()


def test_spread_takes_both_ends_and_evenly_spaced_items() -> None:
    assert spread(range(9), 3) == [0, 4, 8]
    assert spread(range(3), 5) == [0, 1, 2]
    assert spread(range(3), None) == [0, 1, 2]
