from dataclasses import replace

import numpy as np
import pytest

from media.faces.landmarks import BROWS, IRISES, JAW, LOWER_LIDS, UPPER_LIDS
from models.face.landmark_motion import LandmarkMotion
from models.face.limits import CLOSED_GAP, MOUTH_HALVES
from models.face.retargeting import (
    FULLY_SEEN,
    Points,
    eyes_shut,
    foreshorten,
    lip_gaps,
    normal_frame,
    normalize_landmarks,
    rest_face,
    retarget_landmarks,
)
from tests.unit.models.typical_face import normal_face, pixel_face

OPEN_BY = 0.15
FAR_HALF = MOUTH_HALVES[54]


def motion(frames: int, displacement: float = 0.0, lids: float = 0.0) -> LandmarkMotion:
    """Open or close the mouth by `displacement` of the inter-ocular distance."""
    moved = np.zeros((frames, 79, 2), np.float32)
    moved[:, 65:68, 1] = displacement
    return LandmarkMotion(
        displacement=moved,
        lids=np.full(frames, lids, np.float32),
        pose=np.zeros((frames, 6), np.float32),
        emotions=np.full((frames, 8), 1 / 8, np.float32),
        heard=np.full(8, 1 / 8, np.float32),
    )


def opening(faces: Points) -> Points:
    return lip_gaps(normal_frame(faces[0]).to_normal(faces))


def test_normal_frame_puts_the_eyes_level_and_one_apart() -> None:
    normal = normal_frame(pixel_face(roll=0.3)).to_normal(pixel_face(roll=0.3))
    left, right = normal[[36, 39]].mean(0), normal[[42, 45]].mean(0)
    np.testing.assert_allclose(left, [-0.5, 0.0], atol=1e-5)
    np.testing.assert_allclose(right, [0.5, 0.0], atol=1e-5)


def test_pixels_come_back_from_the_normal_form() -> None:
    face = pixel_face(roll=-0.2)
    frame = normal_frame(face)
    np.testing.assert_allclose(frame.to_pixels(frame.to_normal(face)), face, atol=1e-3)


def test_a_clip_is_aligned_once_so_that_its_motion_stays() -> None:
    clip = np.stack([pixel_face(), pixel_face() + 3.0, pixel_face()])
    normal = normalize_landmarks(clip)
    assert np.allclose(normal[0], normal[2])
    assert np.allclose(normal[1] - normal[0], 3.0 / 60.0, atol=1e-4)


def test_without_motion_a_closed_portrait_stays_as_it_is() -> None:
    portrait = pixel_face()
    np.testing.assert_allclose(retarget_landmarks(portrait, motion(3))[1], portrait, atol=2.0)


def test_without_motion_an_open_mouth_closes() -> None:
    faces = retarget_landmarks(pixel_face(opening=OPEN_BY), motion(2))
    assert np.abs(opening(faces)).max() < 2 * CLOSED_GAP


def test_closing_a_mouth_raises_the_chin_and_keeps_the_temples() -> None:
    face = normal_face(opening=OPEN_BY)
    rise = (face - rest_face(face))[JAW, 1]
    assert rise[8] > 0.5 * OPEN_BY
    assert rise[[0, 16]].max() < 0.1 * OPEN_BY


def test_a_broad_smile_comes_to_rest() -> None:
    smile = normal_face()
    smile[[48, 60], 0] -= 0.1
    smile[[54, 64], 0] += 0.1
    smile[[48, 54, 60, 64], 1] -= 0.1
    rested = rest_face(smile)
    assert rested[54, 0] - rested[48, 0] < smile[54, 0] - smile[48, 0] - 0.05
    assert lip_gaps(rested).max() < 2 * CLOSED_GAP


def test_a_face_at_rest_is_nearly_its_own_rest() -> None:
    assert np.abs(rest_face(normal_face()) - normal_face()).max() < 0.04


def test_inner_lips_never_cross() -> None:
    faces = retarget_landmarks(pixel_face(), motion(4, displacement=-0.2))
    assert opening(faces).min() >= -1e-5


def test_lips_that_speech_shuts_stay_shut_whatever_emotion_does() -> None:
    parted = motion(3, displacement=OPEN_BY)
    pressed = replace(parted, closure=np.array([0.0, 0.5, 1.0], np.float32))
    left_open, half, shut = opening(retarget_landmarks(pixel_face(), pressed)).max(axis=1)
    assert left_open > 0.1
    assert 0.4 * left_open < half < 0.6 * left_open
    assert shut < 2 * CLOSED_GAP


def test_lids_never_cross() -> None:
    squint = motion(2, lids=0.5)
    squint.displacement[:, [37, 38, 43, 44], 1] = 0.3
    faces = retarget_landmarks(pixel_face(), squint)
    assert (faces[:, [41, 40, 47, 46], 1] - faces[:, [37, 38, 43, 44], 1]).min() > -1e-3


def test_displacement_scales_with_the_face() -> None:
    small = retarget_landmarks(pixel_face(), motion(2, OPEN_BY))
    large = retarget_landmarks(2.0 * pixel_face(), motion(2, OPEN_BY))
    np.testing.assert_allclose(large, 2.0 * small, atol=1e-2)


def test_a_longer_face_opens_its_mouth_further() -> None:
    long_face = pixel_face()
    long_face[JAW, 1] = long_face[JAW, 1] * 1.15 - 0.15 * long_face[0, 1]
    typical, longer = (
        opening(retarget_landmarks(face, motion(2, OPEN_BY))).mean()
        for face in (pixel_face(), long_face)
    )
    assert longer > 1.05 * typical


def test_closed_lids_meet_and_open_lids_do_not_move() -> None:
    shut = retarget_landmarks(pixel_face(), motion(1, lids=1.0))[0]
    left_open = retarget_landmarks(pixel_face(), motion(1))[0]
    assert shut[41, 1] - shut[37, 1] < 0.1 * (left_open[41, 1] - left_open[37, 1])
    np.testing.assert_allclose(left_open[36:48], pixel_face()[36:48], atol=1.5)


def test_raised_brows_come_down_in_a_blink_and_knit_ones_stay() -> None:
    raised, knit = motion(2), motion(2)
    raised.displacement[:, BROWS, 1] = -0.1
    knit.displacement[:, BROWS, 1] = 0.05
    for shown, least, most in ((raised, 1.2, 2.4), (knit, -0.01, 0.01)):
        shown.lids[1] = 1.0
        still, shut = retarget_landmarks(pixel_face(), shown)[:, BROWS, 1]
        assert least < (shut - still).mean() < most


def test_a_portrait_with_closed_eyes_opens_them_by_default() -> None:
    blinking = pixel_face()
    blinking[UPPER_LIDS, 1] = blinking[LOWER_LIDS, 1] - 1.0
    opened = retarget_landmarks(blinking, motion(1))[0]
    kept = retarget_landmarks(blinking, motion(1), eyes="as_is")[0]
    assert (opened[LOWER_LIDS, 1] - opened[UPPER_LIDS, 1]).mean() == pytest.approx(60 * 0.13, 0.05)
    assert (kept[LOWER_LIDS, 1] - kept[UPPER_LIDS, 1]).mean() < 3.0
    shut = retarget_landmarks(blinking, motion(1, lids=1.0))[0]
    assert (shut[LOWER_LIDS, 1] - shut[UPPER_LIDS, 1]).mean() < 1.0


def test_eyes_are_shut_only_if_both_are() -> None:
    winking = normal_face()
    winking[UPPER_LIDS[:2], 1] = winking[LOWER_LIDS[:2], 1]
    assert not eyes_shut(normal_face())
    assert not eyes_shut(winking)
    winking[UPPER_LIDS[2:], 1] = winking[LOWER_LIDS[2:], 1]
    assert eyes_shut(winking)


def test_a_turned_head_moves_the_nose_further_than_the_eyes() -> None:
    turned = motion(2)
    turned.pose[1, 4] = 0.1
    faces = retarget_landmarks(pixel_face(), turned)
    shift = (faces[1] - faces[0])[:, 0]
    assert shift[30] > 2.0
    assert shift[[36, 45]].max() < 0.5


def test_the_far_half_of_a_turned_mouth_is_drawn_aside_less() -> None:
    frontal = normal_face()
    turned = frontal.copy()
    turned[FAR_HALF, 0] *= 0.5
    drawn = np.zeros((1, 79, 2), np.float32)
    drawn[0, 48, 0], drawn[0, 54, 0] = -0.1, 0.1
    assert not (foreshorten(frontal, drawn) - drawn).any()
    moved = foreshorten(turned, drawn)[0]
    np.testing.assert_allclose(moved[[48, 54], 0], [-0.1, 0.5 * FULLY_SEEN * 0.1], atol=1e-6)
    carried = np.full((1, 79, 2), 0.05, np.float32)
    np.testing.assert_allclose(foreshorten(turned, carried), carried, atol=1e-6)


def test_irises_follow_the_gaze() -> None:
    gaze = np.array([[0.0, 0.0], [0.02, -0.01]], np.float32)
    faces = retarget_landmarks(pixel_face(), replace(motion(2), gaze=gaze))
    moved = faces[1] - faces[0]
    size = np.linalg.norm(faces[0, 42:48].mean(axis=0) - faces[0, 36:42].mean(axis=0))
    np.testing.assert_allclose(moved[IRISES], size * np.tile(gaze[1], (2, 1)), rtol=0.04)
    assert not moved[:68].any()
