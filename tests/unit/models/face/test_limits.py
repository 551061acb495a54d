import numpy as np
import pytest

from media.faces.landmarks import BROWS, LOWER_LIDS, MOUTH, UPPER_LIDS
from models.face.limits import (
    FALLEN_CORNER,
    HIGHEST_RISES,
    NARROWED_EYE,
    RAISED_LIP,
    RISEN_CORNER,
    WIDENED_EYE,
    Points,
    hold_corners,
    hold_falls,
    hold_lids,
    hold_lip,
    hold_rises,
)
from models.face.retargeting import lip_gaps
from tests.unit.models.typical_face import normal_face


@pytest.mark.parametrize(("points", "free", "highest"), HIGHEST_RISES, ids=["brows", "nose"])
def test_brows_and_nose_rise_as_asked_and_ever_less_near_their_limits(
    points: slice, free: float, highest: float
) -> None:
    resting = normal_face()
    asked = np.array([0.9 * free, highest, 0.4, 0.8])
    faces = np.repeat(resting[None], 4, axis=0)
    faces[:, points, 1] -= asked[:, None]
    rise = (resting - hold_rises(resting, faces))[:, points, 1].mean(axis=1)
    np.testing.assert_allclose(rise[0], asked[0], atol=1e-6)
    assert (np.diff(rise) >= 0).all()
    assert rise[1] < asked[1]
    assert rise[-1] <= highest + 1e-6


def with_eyes(face: Points, share: float) -> Points:
    """Return a face `[79, 2]` with its lids `share` as far apart, about the corners of the eyes."""
    moved = face.copy()
    for lids in (UPPER_LIDS, LOWER_LIDS):
        level = face[[36, 36, 42, 42], 1]
        moved[lids, 1] = level + share * (face[lids, 1] - level)
    return moved


def test_lids_move_as_asked_and_ever_less_near_their_limits() -> None:
    asked = np.array([0.0, 0.4, 0.6, 0.95, 1.05, 1.2, 2.0])
    resting = normal_face()
    held = hold_lids(resting, np.stack([with_eyes(resting, share) for share in asked]))
    openings = held[:, LOWER_LIDS, 1] - held[:, UPPER_LIDS, 1]
    shares = openings / (resting[LOWER_LIDS, 1] - resting[UPPER_LIDS, 1])
    np.testing.assert_allclose(shares[3:5], np.repeat(asked[3:5, None], 4, axis=1), atol=1e-5)
    assert (np.diff(shares, axis=0) > 0).all()
    least, most = 1 + NARROWED_EYE[1], 1 + WIDENED_EYE[1]
    assert least <= shares.min() < least + 0.02
    assert most - 0.05 < shares.max() <= most


def test_narrow_eyes_narrow_less_than_wide_ones() -> None:
    kept = []
    for share in (0.4, 0.7, 1.0):
        resting = with_eyes(normal_face(), share)
        held = hold_lids(resting, with_eyes(resting, 0.5)[None])[0]
        opening = held[LOWER_LIDS, 1] - held[UPPER_LIDS, 1]
        kept.append((opening / (resting[LOWER_LIDS, 1] - resting[UPPER_LIDS, 1])).mean())
    assert kept[0] > kept[1] + 0.04 > kept[2] + 0.08
    assert kept[0] > 0.95


def test_corners_of_the_mouth_fall_as_asked_and_ever_less_near_their_limit() -> None:
    face = normal_face(opening=0.15)
    face[[48, 54, 60, 64], 1] = face[[62, 66], 1].mean()
    asked = np.array([0.04, 0.1, 0.2, 0.4], np.float32)
    faces = np.repeat(face[None], 4, axis=0)
    faces[:, [48, 54, 60, 64], 1] += asked[:, None]
    held = hold_corners(faces)
    fall = (held - face)[:, [48, 54], 1]
    np.testing.assert_allclose(fall[0], asked[0], atol=1e-6)
    assert (np.diff(fall, axis=0) > 0).all()
    assert fall.max() <= FALLEN_CORNER[1] * 0.38 + 1e-6
    np.testing.assert_allclose(lip_gaps(held), lip_gaps(faces), atol=1e-6)


def test_corners_of_the_mouth_hardly_rise_above_the_lip_beside_them() -> None:
    asked = np.array([-0.05, 0.03, 0.06, 0.12])
    faces = np.repeat(normal_face()[None], 4, axis=0)
    for outer, inner, beside in ((48, 60, 49), (54, 64, 53)):
        faces[:, outer, 1] = faces[:, inner, 1] = faces[:, beside, 1] - asked
    held = hold_corners(faces)
    risen = held[:, [49, 53], 1] - held[:, [48, 54], 1]
    np.testing.assert_allclose(risen[0], asked[0], atol=1e-6)
    assert (np.diff(risen, axis=0) > 0).all()
    assert (risen <= RISEN_CORNER[1] + 1e-6).all()
    np.testing.assert_allclose(held[:, [60, 64], 1], held[:, [48, 54], 1], atol=1e-6)


@pytest.mark.parametrize("distance", [0.1, 0.3])
def test_a_raised_mouth_never_reaches_the_nose_and_keeps_its_opening(distance: float) -> None:
    resting = normal_face()
    resting[MOUTH, 1] += resting[33, 1] + distance - resting[51, 1]
    faces = np.repeat(resting[None], 4, axis=0)
    asked = np.array([0.2, 0.4, 0.8, 1.6]) * distance
    faces[:, MOUTH, 1] -= asked[:, None]
    held = hold_lip(resting, faces)
    nearer = (resting - held)[:, 51, 1] / distance
    assert nearer[0] == pytest.approx(0.2, abs=1e-6)
    assert (np.diff(nearer) > 0).all()
    assert (nearer <= RAISED_LIP[1] + 1e-6).all()
    np.testing.assert_allclose(lip_gaps(held), lip_gaps(faces), atol=1e-6)


def test_low_brows_fall_less_than_high_ones_and_never_onto_the_eyes() -> None:
    high = normal_face()
    low = high.copy()
    low[BROWS, 1] = 0.5 * high[BROWS, 1]
    falls = []
    for resting in (high, low):
        faces = np.repeat(resting[None], 3, axis=0)
        faces[:, BROWS, 1] += np.array([0.02, 0.2, 0.8])[:, None]
        falls.append((hold_falls(resting, faces) - resting)[:, BROWS, 1])
    np.testing.assert_allclose([fall[0] for fall in falls], 0.02, atol=1e-6)
    assert (falls[1][1:] < falls[0][1:]).all()
    for resting, fall in zip((high, low), falls, strict=True):
        assert (resting[BROWS, 1] + fall[-1] < resting[[37, 38, 43, 44], 1].mean()).all()
