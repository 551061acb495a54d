import numpy as np

from models.corpus.alignment import SPEECH_WEIGHTS, align, fit_pose
from models.face.retargeting import lip_gaps, normalize_landmarks, turn_head
from tests.unit.models.typical_face import normal_face, pixel_face


def nodding_clip(frames: int = 40) -> tuple[np.ndarray, np.ndarray]:
    """Return a clip in pixels with speech and head motion, and the openings it was made with."""
    time = np.arange(frames) / 25.0
    openings = 0.1 * (1 - np.cos(2 * np.pi * 2.0 * time))
    faces = np.stack([normal_face(opening) for opening in openings])
    pose = np.zeros((frames, 6), np.float32)
    pose[:, 1] = 0.05 * np.sin(2 * np.pi * 0.5 * time)
    pose[:, 4] = 0.08 * np.sin(2 * np.pi * 0.4 * time)
    return 60.0 * turn_head(faces, pose) + 128.0, openings


def test_pose_is_recovered_from_points_that_it_alone_moves() -> None:
    pose = np.array([[0.02, 0.05, 0.1, -0.05, 0.08, -0.06]], np.float32)
    found = fit_pose(turn_head(normal_face()[None], pose), normal_face())
    np.testing.assert_allclose(found, pose, atol=1e-4)


def test_motion_is_that_of_the_mouth_without_the_heads() -> None:
    clip, openings = nodding_clip()
    gaps = lip_gaps(align(clip).motion).mean(1)
    assert np.corrcoef(gaps, openings)[0, 1] > 0.98
    np.testing.assert_allclose(gaps.std() / openings.std(), 1.0, atol=0.15)


def test_what_speech_does_not_move_stays_put() -> None:
    clip, _ = nodding_clip()
    assert not align(clip).motion[:, SPEECH_WEIGHTS == 0].any()


def test_rest_has_closed_lips_even_if_the_clip_never_closes_them() -> None:
    clip = np.stack([pixel_face(opening=0.1 + 0.05 * (i % 3)) for i in range(20)])
    assert lip_gaps(align(clip).resting).max() < 0.01


def test_a_clip_of_one_frame_has_a_rest() -> None:
    aligned = align(pixel_face()[None])
    np.testing.assert_allclose(
        aligned.resting, normalize_landmarks(pixel_face()[None])[0], atol=0.01
    )
