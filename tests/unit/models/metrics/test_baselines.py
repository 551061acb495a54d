import numpy as np

from models.face.retargeting import lip_gaps, normal_frame
from models.metrics.baselines import (
    mean_motion,
    move_portrait,
    static_portrait,
    warp_by_landmarks,
)
from tests.unit.models.faces import face_landmarks, face_picture
from tests.unit.models.typical_face import pixel_face


def test_the_static_portrait_stays() -> None:
    faces = static_portrait(pixel_face(), 3)
    assert faces.shape == (3, 79, 2)
    assert np.ptp(faces, axis=0).max() == 0


def test_the_mean_counts_every_frame_the_same() -> None:
    short, long = np.full((1, 79, 2), 4.0), np.full((3, 79, 2), 0.0)
    np.testing.assert_allclose(mean_motion([short.astype("f4"), long.astype("f4")]), 1.0)


def test_the_mean_motion_opens_the_mouth_once_and_for_all() -> None:
    mean = np.zeros((79, 2), np.float32)
    mean[[65, 66, 67], 1] = 0.2
    portrait = pixel_face()
    faces = normal_frame(portrait).to_normal(move_portrait(portrait, static_portrait(mean, 2)))
    np.testing.assert_array_equal(faces[0], faces[1])
    assert lip_gaps(faces[0]).mean() > 0.15


def test_the_warp_carries_the_picture_where_the_landmarks_go() -> None:
    picture, source = face_picture(), face_landmarks()
    np.testing.assert_array_equal(warp_by_landmarks(picture, source, source), picture)
    moved = warp_by_landmarks(picture, source, face_landmarks(shift=(6, 0)))
    inside = (slice(110, 150), slice(100, 150))
    behind = (inside[0], slice(94, 144))
    error = np.abs(moved[inside].astype(int) - picture[behind]).mean()
    assert error < 0.2 * np.abs(moved[inside].astype(int) - picture[inside]).mean()
