import numpy as np
import pytest

from media.emotions import EMOTIONS, Emotion
from models.face.landmark_motion import (
    BLINK,
    EYEBALL,
    GLANCE,
    POSTURES,
    SHORTEST_FIXATION,
    SHORTEST_PAUSE,
    draw_blinks,
    draw_gaze,
    draw_head_motion,
    hold_head,
)

MIXING = np.diag([0.01, 0.02, 0.05, 0.05, 0.04, 0.04]).astype(np.float32)
TEMPO = np.full(6, 8.0, np.float32)


def test_eyes_blink_about_15_times_a_minute() -> None:
    lids = draw_blinks(25 * 60 * 20, np.random.default_rng(0))
    assert 13 <= (lids == 1.0).sum() / 20 <= 17


def test_few_clips_of_seven_seconds_stare_without_a_blink() -> None:
    clips = [draw_blinks(25 * 7, np.random.default_rng(seed)) for seed in range(1000)]
    assert sum(not clip.any() for clip in clips) < 70


def test_blinks_never_run_into_each_other() -> None:
    lids = draw_blinks(25 * 60 * 5, np.random.default_rng(1))
    assert np.diff(np.flatnonzero(lids == 1.0)).min() >= len(BLINK) + SHORTEST_PAUSE


def test_blinks_gather_where_phrases_end_and_are_as_many() -> None:
    phrases = np.tile(np.repeat(np.array([1.0, 0.0], np.float32), [60, 15]), 400)
    lids = draw_blinks(len(phrases), np.random.default_rng(2), phrases)
    begins = np.flatnonzero(lids == BLINK[0]) % 75
    at_ends = ((begins >= 55) & (begins < 69)).mean()
    assert at_ends > 2 * 14 / 75
    assert 13 <= (lids == 1.0).sum() / (len(phrases) / 1500) <= 17


def test_blinks_last_differently_and_always_fall_at_once() -> None:
    lids = draw_blinks(25 * 60 * 5, np.random.default_rng(3))
    shut = np.flatnonzero(lids == 1.0)
    assert len({int((lids[at : at + 12] > 0).sum()) for at in shut[:-1]}) > 2
    np.testing.assert_allclose(lids[shut - 1], BLINK[1])


@pytest.mark.parametrize("frames", [1, 3, 40])
def test_lids_are_as_long_as_asked(frames: int) -> None:
    assert draw_blinks(frames, np.random.default_rng(0)).shape == (frames,)


def test_no_video_ends_in_a_blink() -> None:
    clips = [draw_blinks(frames, np.random.default_rng(frames)) for frames in range(50, 250)]
    assert sum(lids.any() for lids in clips) > 100
    assert all(lids[-1] < 0.2 for lids in clips)


def test_a_gaze_jumps_rests_and_jumps_again() -> None:
    gaze = draw_gaze(np.zeros((20_000, 6), np.float32), np.random.default_rng(0))
    assert not gaze[:SHORTEST_FIXATION].any()
    np.testing.assert_allclose(gaze.std(axis=0), GLANCE, rtol=0.2)
    moving = np.flatnonzero(np.diff(gaze, axis=0).any(axis=1))
    assert len(moving) / len(gaze) < 0.07
    begun = moving[np.diff(moving, prepend=-9) > 1]
    assert np.diff(begun).min() >= SHORTEST_FIXATION


def test_eyes_stay_with_the_viewer_when_the_head_turns() -> None:
    pose = np.zeros((SHORTEST_FIXATION, 6), np.float32)
    pose[:, 4], pose[:, 5] = np.linspace(0, 0.1, len(pose)), -0.05
    gaze = draw_gaze(pose, np.random.default_rng(0))
    np.testing.assert_allclose(gaze, -EYEBALL * pose[:, 4:], atol=1e-7)


@pytest.mark.parametrize("frames", [1, 2, 300])
def test_head_motion_starts_from_the_portraits_pose(frames: int) -> None:
    motion = draw_head_motion(frames, MIXING, TEMPO, np.random.default_rng(0))
    assert motion.shape == (frames, 6)
    assert not motion[0].any()


def test_heads_start_at_rest() -> None:
    seeds = [np.random.default_rng(seed) for seed in range(20)]
    motions = np.stack([draw_head_motion(200, MIXING, TEMPO, rng) for rng in seeds])
    steps = np.abs(np.diff(motions, axis=1)).mean(axis=(0, 2))
    assert steps[0] < 0.1 * steps[50:].mean()


def test_the_head_turns_as_measured_and_shifts_half_as_far() -> None:
    motion = draw_head_motion(20_000, MIXING, TEMPO, np.random.default_rng(0))
    ratio = motion.std(0) / np.diag(MIXING)
    np.testing.assert_allclose(ratio, [1.0, 1.0, 0.5, 0.5, 1.0, 1.0], rtol=0.15)


def test_head_motion_is_smooth() -> None:
    motion = draw_head_motion(2000, MIXING, TEMPO, np.random.default_rng(0))
    velocity = np.diff(motion[50:], axis=0).std(0)
    assert (velocity < 0.1 * motion.std(0)).all()


def shown(emotion: Emotion, *, begins: int = 0) -> np.ndarray:
    """Return 100 frames `[100, 8]` that show one emotion in full from the frame `begins` on."""
    strength = np.zeros((100, len(EMOTIONS)), np.float32)
    strength[begins:, EMOTIONS.index(emotion)] = 1.0
    return strength


def test_a_head_bows_in_sadness_rises_in_contempt_and_leaves_its_own_pose_slowly() -> None:
    for emotion, (lean, bow) in POSTURES.items():
        posture = hold_head(shown(emotion), np.random.default_rng(0))
        np.testing.assert_allclose(posture[0], 0.0)
        np.testing.assert_allclose(posture[-1, 5], bow, rtol=1e-5)
        np.testing.assert_allclose(abs(posture[-1, 1]), lean, rtol=1e-5)
        assert np.abs(np.diff(posture, axis=0)).max() < 0.1 * abs(bow)
    assert POSTURES[Emotion.SADNESS][1] > 0 > POSTURES[Emotion.CONTEMPT][1]


def test_heads_lean_to_either_side() -> None:
    strength = shown(Emotion.SADNESS)
    leans = {np.sign(hold_head(strength, np.random.default_rng(seed))[-1, 1]) for seed in range(8)}
    assert leans == {-1.0, 1.0}


def test_a_posture_comes_as_gradually_as_its_emotion_is_sudden() -> None:
    posture = hold_head(shown(Emotion.SADNESS, begins=60), np.random.default_rng(0))
    assert 0 < posture[60, 5] < posture[70, 5] < posture[-1, 5]
    assert np.abs(np.diff(posture[:, 5])).max() < 0.05 * POSTURES[Emotion.SADNESS][1]


def test_emotions_without_a_posture_leave_the_head_where_it_is() -> None:
    assert not hold_head(shown(Emotion.FEAR), np.random.default_rng(0)).any()
