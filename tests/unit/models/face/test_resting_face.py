import numpy as np
import pytest
from numpy.typing import NDArray

from media.faces.landmarks import BROWS, LOWER_LIDS, UPPER_LIDS
from models.face.resting_face import MOVED, describe, smile_share, way_to_rest
from tests.unit.models.typical_face import normal_face

BRIDGE, EYE_CORNERS, IRISES = [27, 28, 29, 30], [36, 39, 42, 45], [68, 69]


SMILE = {
    (48, 54): (0.09, 0.09), (60, 64): (0.08, 0.09), (49, 53): (0.07, 0.05), (50, 52): (0.03, 0.03),
    (59, 55): (0.05, 0.04), (58, 56): (0.03, 0.01), (61, 63): (0.04, 0.03), (67, 65): (0.04, 0.01),
}  # fmt: skip
"""How far pairs of points move aside and up in a broad smile."""


def smiling_face(strength: float) -> NDArray[np.float32]:
    face = normal_face()
    for (left, right), (aside, up) in SMILE.items():
        face[left] += strength * np.array([-aside, -up], np.float32)
        face[right] += strength * np.array([aside, -up], np.float32)
    return face


def test_the_skull_stays_where_it_is() -> None:
    way = way_to_rest(normal_face(opening=0.2))
    assert not way[[*BRIDGE, *EYE_CORNERS, *IRISES]].any()
    assert np.abs(way[MOVED]).max() > 0.05


def test_the_wider_the_mouth_is_open_the_further_it_closes() -> None:
    near, far = (way_to_rest(normal_face(opening))[66, 1] for opening in (0.1, 0.2))
    assert far < near < 0.0


def test_a_surprised_faces_brows_and_lids_come_to_rest() -> None:
    surprised = normal_face()
    surprised[BROWS, 1] -= 0.12
    surprised[70:79, 1] -= 0.03
    surprised[UPPER_LIDS, 1] -= 0.05
    way = way_to_rest(surprised) - way_to_rest(normal_face())
    assert 0.03 < way[BROWS, 1].mean() < 0.12
    assert 0.01 < way[UPPER_LIDS, 1].mean() < 0.05
    assert np.abs(way[LOWER_LIDS, 1]).mean() < 0.02


def test_a_smile_is_told_from_a_spoken_mouth() -> None:
    assert smile_share(normal_face()) == 0.0
    assert smile_share(normal_face(opening=0.3)) == 0.0
    assert 0.0 < smile_share(smiling_face(0.9)) < 1.0
    assert smile_share(smiling_face(1.5)) == 1.0


def test_a_broad_smile_comes_down_at_both_corners_alike() -> None:
    smile = smiling_face(1.0)
    left, right = way_to_rest(smile)[[48, 54]]
    assert min(left[1], right[1]) > 0.055
    assert left[1] == pytest.approx(right[1], abs=0.01)
    assert left[0] == pytest.approx(-right[0], abs=0.01)


def test_a_surer_smile_takes_the_second_maps_way(monkeypatch: pytest.MonkeyPatch) -> None:
    features, moved = len(describe(normal_face())), 2 * len(MOVED)
    second = np.zeros((features, moved), np.float32)
    second[0] = 1.0
    maps = (np.zeros_like(second), second)
    monkeypatch.setattr("models.face.resting_face._linear", lambda: maps)
    for face in (normal_face(), smiling_face(0.9), smiling_face(1.5)):
        np.testing.assert_allclose(way_to_rest(face)[MOVED], smile_share(face), atol=1e-6)


def test_a_face_is_described_about_its_nose() -> None:
    np.testing.assert_allclose(describe(normal_face()), describe(normal_face() + 0.1), atol=1e-6)
